//! Kernel errors as the Python exceptions of `openbell.model.errors`.

use openbell_kernel::journal::{ExpansionError, JournalError};
use openbell_kernel::node::NodeError;
use openbell_kernel::snapshot::{ReplayError, RestartError, SnapshotError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// The exception class `name` of the public tree, made with `message`.
pub fn error(py: Python<'_>, name: &str, message: String) -> PyErr {
    let class = py.import("openbell.model.errors").and_then(|module| module.getattr(name));
    match class.and_then(|class| Ok(class.cast_into::<PyType>()?)) {
        Ok(class) => PyErr::from_type(class, message),
        Err(_) => PyRuntimeError::new_err(message),
    }
}

/// As [`error`], with an attribute for whoever has to tell one failure from another: messages are for people.
fn error_with<'py>(
    py: Python<'py>,
    name: &str,
    message: String,
    attribute: &str,
    value: impl IntoPyObject<'py>,
) -> PyErr {
    let made = error(py, name, message);
    // An exception that takes no attribute still says what happened.
    made.value(py).setattr(attribute, value).ok();
    made
}

fn engine_stopped(py: Python<'_>, found: &NodeError, sequence: u64) -> PyErr {
    error_with(py, "EngineStopped", found.to_string(), "sequence", sequence)
}

pub fn node_error(py: Python<'_>, found: &NodeError) -> PyErr {
    let name = match found {
        NodeError::Stopped { stopped, .. } => return engine_stopped(py, found, stopped.sequence),
        NodeError::Panicked { sequence, .. } => return engine_stopped(py, found, *sequence),
        NodeError::Divergence(_) => "DivergenceError",
        NodeError::Journal(found) => return journal_error(py, found),
        NodeError::SequenceGap { .. } => "JournalError",
        NodeError::Record { .. } | NodeError::TimeOrder { .. } | NodeError::NotAnObservation { .. } => {
            "InputError"
        }
        NodeError::Poisoned { .. } => "EngineStopped",
    };
    error(py, name, found.to_string())
}

/// The text says path, segment, offset and sequence, wherever the error has a place.
pub fn journal_error(py: Python<'_>, found: &JournalError) -> PyErr {
    let name = match found {
        JournalError::BadSettings { .. } => "ConfigError",
        _ => "JournalError",
    };
    let is_torn = matches!(found, JournalError::TornTail { .. });
    if is_torn {
        return error_with(py, name, found.to_string(), "is_torn", is_torn);
    }
    error(py, name, found.to_string())
}

/// What a restart, a follower or a comparison of histories ends with.
pub fn restart_error(py: Python<'_>, found: &RestartError) -> PyErr {
    let name = match found {
        RestartError::Journal(found) | RestartError::Replay(ReplayError::Journal(found)) => {
            return journal_error(py, found);
        }
        RestartError::Replay(ReplayError::Node(found)) => return node_error(py, found),
        RestartError::Replay(ReplayError::Mismatch(_)) => "DivergenceError",
        RestartError::Snapshot(SnapshotError::NotNow { .. }) => "EngineStopped",
        RestartError::Snapshot(_) | RestartError::NothingToBeginWith { .. } => "JournalError",
    };
    error(py, name, found.to_string())
}

/// A reference that leads nowhere is the journal's trouble; slots that are no records are the input's.
pub fn expansion_error(py: Python<'_>, found: &ExpansionError) -> PyErr {
    let name = match found {
        ExpansionError::InputEndsEarly { .. } => "JournalError",
        ExpansionError::Record(_) => "InputError",
    };
    error(py, name, found.to_string())
}

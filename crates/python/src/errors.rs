//! Kernel errors as the Python exceptions of `openbell.model.errors`.

use openbell_kernel::node::NodeError;
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

pub fn node_error(py: Python<'_>, error_of_node: &NodeError) -> PyErr {
    let name = match error_of_node {
        NodeError::Divergence(_) => "DivergenceError",
        NodeError::Journal(_) | NodeError::SequenceGap { .. } => "JournalError",
        NodeError::Record { .. } | NodeError::TimeOrder { .. } | NodeError::NotAnObservation { .. } => {
            "InputError"
        }
        NodeError::Stopped(_) | NodeError::Poisoned { .. } => "EngineStopped",
    };
    error(py, name, error_of_node.to_string())
}

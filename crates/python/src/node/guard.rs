//! Who may call a node, and when: one thread, never from inside a call, and not after it stopped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread::ThreadId;

use openbell_kernel::node::{Mode, Node, NodeError};
use pyo3::prelude::*;

use crate::errors::{error, node_error};

/// The hook that raised, the sequence and the time at which it did.
pub type FailedHook = (&'static str, u64, u64);

pub struct Inner {
    pub node: Node,
    pub failed_hook: Option<FailedHook>,
    failure: Option<Failure>,
}

/// Why a node takes nothing more.
#[derive(Clone)]
enum Failure {
    /// Bad input, a journal that failed, a divergence: what was done before can still be read.
    Ended(String),
    /// A broken invariant or a panic: nothing of it is to be trusted.
    Broken(String),
}

pub struct Guarded {
    inner: Mutex<Inner>,
    owner: ThreadId,
    is_running: AtomicBool,
}

thread_local! {
    /// Asking the thread for its id each time costs more than the rest of a call.
    static THREAD: ThreadId = std::thread::current().id();
}

impl Guarded {
    pub fn new(node: Node) -> Self {
        let inner = Inner { node, failed_hook: None, failure: None };
        Guarded {
            inner: Mutex::new(inner),
            owner: THREAD.with(|thread| *thread),
            is_running: AtomicBool::new(false),
        }
    }

    /// For reading.
    pub fn read(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Inner>> {
        let inner = self.lock(py)?;
        match &inner.failure {
            Some(Failure::Broken(reason)) => Err(stopped(py, reason)),
            _ => Ok(inner),
        }
    }

    /// For queueing commands, and for whatever else is of no use once the node has failed.
    pub fn change(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Inner>> {
        let inner = self.lock(py)?;
        match &inner.failure {
            Some(Failure::Broken(reason) | Failure::Ended(reason)) => Err(stopped(py, reason)),
            None => Ok(inner),
        }
    }

    /// Moves the node out. Nothing can be asked of what stays.
    pub fn retire(&self, py: Python<'_>, reason: &str) -> PyResult<Node> {
        let mut inner = self.change(py)?;
        inner.failure = Some(Failure::Broken(reason.to_owned()));
        Ok(std::mem::replace(&mut inner.node, Node::new(0, Mode::Replay, None)))
    }

    fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Inner>> {
        if THREAD.with(|thread| *thread != self.owner) {
            let message = "the engine was called from another thread than the one that runs it; hooks and helpers \
                of a strategy belong to one thread: hand work over with a queue and send orders from a hook";
            return Err(error(py, "StrategyError", message.to_owned()));
        }
        self.inner.try_lock().map_err(|found| match found {
            TryLockError::Poisoned(_) => stopped(py, "the engine panicked earlier"),
            // A finalizer may run in the middle of a call; waiting here would wait for ever.
            TryLockError::WouldBlock => {
                error(py, "StrategyError", "the engine was called while it was at work".to_owned())
            }
        })
    }

    /// What raised, also of a node that has failed since.
    pub fn failed_hook(&self, py: Python<'_>) -> PyResult<Option<FailedHook>> {
        Ok(self.lock(py)?.failed_hook)
    }

    /// Takes the node for one run. Nothing else may move it until the returned value is dropped.
    pub fn begin_run(&self, py: Python<'_>, call: &str) -> PyResult<Running<'_>> {
        drop(self.change(py)?);
        if self.is_running.swap(true, Ordering::Relaxed) {
            let message = format!(
                "{call} was called from inside a hook or model; the engine is running already: send commands and return"
            );
            return Err(error(py, "StrategyError", message));
        }
        Ok(Running(&self.is_running))
    }

    /// Lets the node do something that may fail. Failures are remembered, panics end here. The error is boxed so that
    /// what is returned each time stays small.
    pub fn drive<T>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&mut Inner) -> Result<T, Box<NodeError>>,
    ) -> PyResult<T> {
        let mut inner = self.change(py)?;
        let error = match catch_unwind(AssertUnwindSafe(|| act(&mut inner))) {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(found)) => {
                inner.failure = Some(match &*found {
                    NodeError::Stopped { .. } | NodeError::Panicked { .. } => {
                        Failure::Broken(found.to_string())
                    }
                    _ => Failure::Ended(found.to_string()),
                });
                drop(inner);
                node_error(py, &found)
            }
            Err(panic) => {
                let reason = format!("the engine panicked: {}", text_of(&*panic));
                inner.failure = Some(Failure::Broken(reason.clone()));
                drop(inner);
                error(py, "EngineStopped", reason)
            }
        };
        Err(error)
    }
}

/// Held while a node runs.
pub struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn stopped(py: Python<'_>, reason: &str) -> PyErr {
    error(py, "EngineStopped", format!("the engine has stopped and does nothing more: {reason}"))
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

//! The last events of accounts and instruments, as a Python object.

use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::PyArray1;
use openbell_kernel::live::{self, EventPlace, Grouping, KeepRule};
use pyo3::prelude::*;

use crate::arrays::{SlotArray, slot_array};
use crate::errors::error;

/// Messages, what groups them, how many of each group.
type RuleTuple = (Vec<u16>, String, usize);

/// Gathers the last events of each account or instrument. See the stub.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct RecentEvents(Mutex<live::RecentEvents>);

impl RecentEvents {
    pub fn lock(&self) -> MutexGuard<'_, live::RecentEvents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rule(py: Python<'_>, (messages, by, last): RuleTuple) -> PyResult<KeepRule> {
    let by = match by.as_str() {
        "account" => Grouping::Account,
        "instrument" => Grouping::Instrument,
        other => {
            let text = format!("field 'rules': found {other:?}, expected \"account\" or \"instrument\"");
            return Err(error(py, "InputError", text));
        }
    };
    Ok(KeepRule { messages, by, last })
}

#[pymethods]
impl RecentEvents {
    #[new]
    fn new(py: Python<'_>, rules: Vec<RuleTuple>) -> PyResult<Self> {
        let rules = rules.into_iter().map(|one| rule(py, one)).collect::<PyResult<_>>()?;
        Ok(RecentEvents(Mutex::new(live::RecentEvents::new(rules))))
    }

    fn add(&self, py: Python<'_>, slots: &Bound<'_, PyAny>) -> PyResult<()> {
        let array = SlotArray::new("slots", slots)?;
        let slots = array.slots();
        py.detach(|| self.lock().add(slots));
        Ok(())
    }

    /// The last events of a group, and the place of the last that was left out.
    fn of<'py>(
        &self,
        py: Python<'py>,
        rule: usize,
        key: u32,
    ) -> (Bound<'py, PyArray1<u8>>, Option<EventPlace>) {
        let (slots, left_out) = self.lock().of(rule, key);
        (slot_array(py, &slots), left_out)
    }

    #[getter]
    fn place(&self) -> Option<EventPlace> {
        self.lock().place()
    }
}

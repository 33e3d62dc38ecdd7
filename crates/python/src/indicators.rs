//! Indicators as a strategy reads them: read several times per bar, so without a detour through Python.

use pyo3::basic::CompareOp;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyFloat;

use crate::node::Node;

/// A value and the value before it; `None` where there was not enough data yet.
type Pair = (Option<f64>, Option<f64>);

/// One indicator of a participant on one instrument.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct IndicatorValue {
    node: Py<Node>,
    participant: u16,
    number: usize,
    instrument: u32,
}

#[pymethods]
impl IndicatorValue {
    #[new]
    fn new(node: Py<Node>, participant: u16, number: usize, instrument: u32) -> Self {
        IndicatorValue { node, participant, number, instrument }
    }

    /// Value and the value before it.
    fn values(&self, py: Python<'_>) -> PyResult<Pair> {
        self.node.get().indicator(py, self.participant, self.number, self.instrument)
    }

    /// The value after the last closed bar; NaN while there is not enough data.
    #[getter]
    fn value(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(self.values(py)?.0.unwrap_or(f64::NAN))
    }

    /// The value one bar earlier; NaN while there is none.
    #[getter]
    fn previous(&self, py: Python<'_>) -> PyResult<f64> {
        Ok(self.values(py)?.1.unwrap_or(f64::NAN))
    }

    /// Whether there was enough data.
    #[getter]
    fn is_ready(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.values(py)?.0.is_some())
    }

    fn __float__(&self, py: Python<'_>) -> PyResult<f64> {
        self.value(py)
    }

    fn __richcmp__(&self, py: Python<'_>, other: &Bound<'_, PyAny>, comparison: CompareOp) -> PyResult<bool> {
        let (own, other) = (self.value(py)?, number(other)?);
        Ok(match comparison {
            CompareOp::Lt => own < other,
            CompareOp::Le => own <= other,
            CompareOp::Eq => own == other,
            CompareOp::Ne => own != other,
            CompareOp::Gt => own > other,
            CompareOp::Ge => own >= other,
        })
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<IndicatorValue {} after {}>", self.value(py)?, self.previous(py)?))
    }
}

/// Whatever Python takes for a number.
fn number(of: &Bound<'_, PyAny>) -> PyResult<f64> {
    match of.cast::<PyFloat>() {
        Ok(exact) => Ok(exact.value()),
        Err(_) => of.py().get_type::<PyFloat>().call1((of,))?.extract(),
    }
}

/// The pair of an indicator, whatever its class, or a number that does not move.
fn pair(of: &Bound<'_, PyAny>) -> PyResult<Pair> {
    let py = of.py();
    if let Ok(value) = of.cast::<IndicatorValue>() {
        return value.get().values(py);
    }
    if of.cast::<PyFloat>().is_err() && of.hasattr(intern!(py, "values"))? {
        return of.call_method0(intern!(py, "values"))?.extract();
    }
    let level = number(of)?;
    Ok((Some(level), Some(level)))
}

/// True on the bar on which `first` goes from below `second` to above it.
#[pyfunction]
fn crossover(first: &Bound<'_, PyAny>, second: &Bound<'_, PyAny>) -> PyResult<bool> {
    let ((now, before), (other_now, other_before)) = (pair(first)?, pair(second)?);
    let went_above = now.zip(other_now).is_some_and(|(own, other)| own > other);
    let was_below = before.zip(other_before).is_some_and(|(own, other)| own < other);
    Ok(went_above && was_below)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<IndicatorValue>()?;
    module.add_function(wrap_pyfunction!(crossover, module)?)
}

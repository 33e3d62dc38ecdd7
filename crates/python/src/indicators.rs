//! Indicators as a strategy reads them: read several times per bar, so without a detour through Python.

use pyo3::basic::CompareOp;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyIterator};

use crate::errors::error;
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

/// One indicator of a participant over every instrument. Python derives the class that strategies hold from it.
#[pyclass(frozen, subclass, module = "openbell._kernel")]
pub struct IndicatorByInstrument {
    #[pyo3(get)]
    label: String,
    by_symbol: Py<PyDict>,
    /// The one there is where there is a single instrument.
    single: Option<Py<IndicatorValue>>,
}

#[pymethods]
impl IndicatorByInstrument {
    #[new]
    fn new(
        py: Python<'_>,
        label: String,
        node: &Bound<'_, Node>,
        participant: u16,
        number: usize,
        symbols: Vec<String>,
    ) -> PyResult<Self> {
        let by_symbol = PyDict::new(py);
        let mut single = None;
        for (instrument, symbol) in (1..).zip(&symbols) {
            let value = IndicatorValue::new(node.clone().unbind(), participant, number, instrument);
            let value = Bound::new(py, value)?;
            by_symbol.set_item(symbol, &value)?;
            single = (symbols.len() == 1).then(|| value.unbind());
        }
        Ok(IndicatorByInstrument { label, by_symbol: by_symbol.unbind(), single })
    }

    /// The indicator on an instrument, or on the one of a symbol.
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        instrument: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // Read several times per bar: an instrument is tried first.
        let symbol = match instrument.getattr_opt(intern!(py, "symbol"))? {
            Some(symbol) => symbol,
            None => instrument.clone(),
        };
        match self.by_symbol.bind(py).get_item(&symbol) {
            Ok(Some(value)) => Ok(value),
            // What has no hash is no symbol either.
            Ok(None) | Err(_) => Err(self.unknown(py, &symbol)?),
        }
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.by_symbol.bind(py).values().try_iter()
    }

    /// The value where there is a single instrument.
    #[getter]
    fn value(&self, py: Python<'_>) -> PyResult<f64> {
        self.only(py)?.value(py)
    }

    /// The value one bar earlier where there is a single instrument.
    #[getter]
    fn previous(&self, py: Python<'_>) -> PyResult<f64> {
        self.only(py)?.previous(py)
    }

    /// Value and the value before it where there is a single instrument.
    fn values(&self, py: Python<'_>) -> PyResult<Pair> {
        self.only(py)?.values(py)
    }

    /// Whether there was enough data, where there is a single instrument.
    #[getter]
    fn is_ready(&self, py: Python<'_>) -> PyResult<bool> {
        self.only(py)?.is_ready(py)
    }

    fn __float__(&self, py: Python<'_>) -> PyResult<f64> {
        self.value(py)
    }

    fn __lt__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.value(py)? < number(other)?)
    }

    fn __le__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.value(py)? <= number(other)?)
    }

    fn __gt__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.value(py)? > number(other)?)
    }

    fn __ge__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.value(py)? >= number(other)?)
    }

    /// Indicators are told apart by identity; comparing takes the inherited hash away otherwise.
    fn __hash__(slf: &Bound<'_, Self>) -> isize {
        slf.as_ptr() as isize
    }

    fn __repr__(&self) -> String {
        format!("<Indicator {}>", self.label)
    }
}

impl IndicatorByInstrument {
    fn only(&self, py: Python<'_>) -> PyResult<&IndicatorValue> {
        self.single.as_ref().map(Py::get).ok_or_else(|| {
            let (label, count) = (&self.label, self.by_symbol.bind(py).len());
            let message =
                format!("{label} is streamed for {count} instruments; say which: indicator[bar.instrument]");
            error(py, "StrategyError", message)
        })
    }

    fn unknown(&self, py: Python<'_>, symbol: &Bound<'_, PyAny>) -> PyResult<PyErr> {
        let known: Vec<String> = self.by_symbol.bind(py).keys().extract()?;
        let (label, symbol, known) = (&self.label, symbol.repr()?, known.join(", "));
        let message = format!(
            "{label} knows no instrument {symbol}; there are: {known} \
            (the value one bar earlier is {label}[bar.instrument].previous)"
        );
        Ok(error(py, "StrategyError", message))
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
    if let Ok(value) = of.cast::<IndicatorByInstrument>() {
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
    module.add_class::<IndicatorByInstrument>()?;
    module.add_function(wrap_pyfunction!(crossover, module)?)
}

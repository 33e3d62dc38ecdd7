//! Decoders of market data, the book they rebuild, and streaming indicators.

use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyUntypedArrayMethods};
use openbell_kernel::codec::binance::{BinanceConfig, BinanceDecoder as Decoder, UnitScan};
use openbell_kernel::codec::decimal::DecimalUnit;
use openbell_kernel::codec::error::{DecodeError as Error, Defect};
use openbell_kernel::depth::Depth as Book;
use openbell_kernel::indicator::{AnyIndicator, Indicator as _};
use openbell_kernel::message::Message;
use openbell_kernel::observation::BookLevelObserved;
use openbell_kernel::record::{Body, SLOT_SIZE, Slot, flags};
use openbell_kernel::terms::Side;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use zerocopy::{FromBytes, IntoBytes};

pyo3::create_exception!(
    _kernel,
    DecodeError,
    PyValueError,
    "A line that cannot be used; args are (line, field, found, expected)."
);

fn decode_error(error: Error) -> PyErr {
    let Error { line, error } = error;
    DecodeError::new_err((line, error.field, error.found, error.expected))
}

fn unit(nano: i64, name: &str) -> PyResult<DecimalUnit> {
    DecimalUnit::from_nano(nano).ok_or_else(|| PyValueError::new_err(format!("{name} must be above 0")))
}

/// The slots in `bytes`, head by head; a copy, for NumPy promises no alignment.
fn slots_of(bytes: &[u8]) -> PyResult<impl Iterator<Item = Slot> + '_> {
    if !bytes.len().is_multiple_of(SLOT_SIZE) {
        let length = bytes.len();
        return Err(PyValueError::new_err(format!("{length} bytes are no whole number of 64-byte slots")));
    }
    Ok(bytes.chunks_exact(SLOT_SIZE).filter_map(|slot| Slot::read_from_bytes(slot).ok()))
}

fn side(number: u8) -> PyResult<Side> {
    Side::from_number(number)
        .ok_or_else(|| PyValueError::new_err(format!("side {number}, expected 1 (BUY) or 2 (SELL)")))
}

#[pyclass(module = "openbell._kernel")]
struct BinanceDecoder {
    decoder: Decoder,
    slots: Vec<Slot>,
}

impl BinanceDecoder {
    fn take<'py>(
        &mut self,
        py: Python<'py>,
        result: Result<(), Error>,
    ) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let array = PyArray1::from_slice(py, self.slots.as_bytes());
        self.slots.clear();
        result.map_err(decode_error)?;
        Ok(array)
    }
}

#[pymethods]
impl BinanceDecoder {
    #[new]
    #[pyo3(signature = (*, price_unit_nano, quantity_unit_nano, instrument=1, source=0, symbol=None, lenient=false, start=0, end=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        price_unit_nano: i64,
        quantity_unit_nano: i64,
        instrument: u32,
        source: u16,
        symbol: Option<String>,
        lenient: bool,
        start: u64,
        end: Option<u64>,
    ) -> PyResult<Self> {
        let decoder = Decoder::new(BinanceConfig {
            instrument,
            source,
            price_unit: unit(price_unit_nano, "price_unit_nano")?,
            quantity_unit: unit(quantity_unit_nano, "quantity_unit_nano")?,
            symbol,
            lenient,
            start_time: start,
            end_time: end.unwrap_or(u64::MAX),
        });
        Ok(BinanceDecoder { decoder, slots: Vec::new() })
    }

    fn decode<'py>(&mut self, py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let (decoder, slots) = (&mut self.decoder, &mut self.slots);
        let result = py.detach(|| decoder.decode(data, slots));
        self.take(py, result)
    }

    fn finish_file<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let result = self.decoder.finish_file(&mut self.slots);
        self.take(py, result)
    }

    fn finish(&mut self) -> PyResult<()> {
        self.decoder.finish().map_err(decode_error)
    }

    #[getter]
    fn symbol(&self) -> &str {
        self.decoder.symbol()
    }

    #[getter]
    fn ended(&self) -> bool {
        self.decoder.ended()
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        for (name, count) in self.decoder.counts().named() {
            counts.set_item(name, count)?;
        }
        Ok(counts)
    }

    fn unused<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let unused = PyDict::new(py);
        for (kind, count) in self.decoder.counts().unused_kinds() {
            unused.set_item(kind, count)?;
        }
        Ok(unused)
    }

    fn skipped<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let skipped = PyDict::new(py);
        for defect in Defect::ALL {
            let count = self.decoder.counts().skipped(defect);
            if count > 0 {
                skipped.set_item(defect.name(), count)?;
            }
        }
        Ok(skipped)
    }
}

#[pyclass(module = "openbell._kernel")]
struct BinanceUnitScan {
    scan: UnitScan,
}

#[pymethods]
impl BinanceUnitScan {
    #[new]
    #[pyo3(signature = (*, symbol=None, lenient=false))]
    fn new(symbol: Option<String>, lenient: bool) -> Self {
        BinanceUnitScan { scan: UnitScan::new(symbol, lenient) }
    }

    fn feed(&mut self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        let scan = &mut self.scan;
        py.detach(|| scan.feed(data)).map_err(decode_error)
    }

    fn finish_file(&mut self) -> PyResult<()> {
        self.scan.finish_file().map_err(decode_error)
    }

    #[getter]
    fn symbol(&self) -> &str {
        self.scan.symbol()
    }

    #[getter]
    fn price_decimals(&self) -> Option<u32> {
        self.scan.price_decimals()
    }

    #[getter]
    fn quantity_decimals(&self) -> Option<u32> {
        self.scan.quantity_decimals()
    }
}

#[pyclass(module = "openbell._kernel")]
#[derive(Default)]
struct Depth {
    book: Book,
}

impl Depth {
    /// Applies the levels among `slots`; `seen` is told each one that ends a message.
    fn fold(&mut self, slots: impl Iterator<Item = Slot>, mut seen: impl FnMut(&Book, u64)) {
        for slot in slots {
            if slot.message == Message::BookLevelObserved as u16 {
                self.book.apply_slot(&slot);
                if slot.has(flags::LAST_OF_MESSAGE) {
                    seen(&self.book, BookLevelObserved::of(&slot).update_id);
                }
            }
        }
    }
}

#[pymethods]
impl Depth {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn apply(&mut self, py: Python<'_>, slots: PyReadonlyArray1<'_, u8>) -> PyResult<()> {
        let slots = slots_of(slots.as_slice()?)?;
        py.detach(|| self.fold(slots, |_, _| ()));
        Ok(())
    }

    fn best_after_each<'py>(
        &mut self,
        py: Python<'py>,
        slots: PyReadonlyArray1<'py, u8>,
    ) -> PyResult<Bound<'py, PyArray2<i64>>> {
        let slots = slots_of(slots.as_slice()?)?;
        let rows = py.detach(|| {
            let mut rows = Vec::new();
            self.fold(slots, |book, update_id| {
                let (bid, ask) = (book.best(Side::Buy), book.best(Side::Sell));
                let (bid, ask) = (bid.unwrap_or_default(), ask.unwrap_or_default());
                rows.extend([update_id as i64, bid.0, bid.1, ask.0, ask.1]);
            });
            rows
        });
        let count = rows.len() / 5;
        PyArray1::from_vec(py, rows).reshape([count, 5])
    }

    fn best(&self, side_number: u8) -> PyResult<Option<(i64, i64)>> {
        Ok(self.book.best(side(side_number)?))
    }

    #[pyo3(signature = (side_number, count=None))]
    fn levels<'py>(
        &self,
        py: Python<'py>,
        side_number: u8,
        count: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray2<i64>>> {
        let levels = self.book.levels(side(side_number)?).take(count.unwrap_or(usize::MAX));
        let flat: Vec<i64> = levels.flat_map(|(price, quantity)| [price, quantity]).collect();
        let rows = flat.len() / 2;
        PyArray1::from_vec(py, flat).reshape([rows, 2])
    }

    fn length(&self, side_number: u8) -> PyResult<usize> {
        Ok(self.book.len(side(side_number)?))
    }

    fn is_crossed(&self) -> bool {
        self.book.is_crossed()
    }

    fn clear(&mut self) {
        self.book.clear();
    }
}

#[pyclass(module = "openbell._kernel")]
struct Indicator {
    indicator: AnyIndicator,
}

fn finite(value: f64) -> PyResult<f64> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(PyValueError::new_err(format!("an indicator takes finite numbers, found {value}")))
    }
}

#[pymethods]
impl Indicator {
    #[new]
    fn new(kind: u64, period: u64) -> PyResult<Self> {
        let indicator = AnyIndicator::new(kind, period).map_err(|refusal| {
            let (rule, limit, actual) = (refusal.rule.name(), refusal.limit, refusal.actual);
            PyValueError::new_err(format!("{rule}: limit {limit}, actual {actual}"))
        })?;
        Ok(Indicator { indicator })
    }

    fn update(&mut self, value: f64) -> PyResult<Option<f64>> {
        self.indicator.update(finite(value)?);
        Ok(self.indicator.value())
    }

    fn update_batch<'py>(
        &mut self,
        py: Python<'py>,
        values: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let mut results = Vec::with_capacity(values.len());
        // All are tested first: a batch is taken whole or not at all.
        for &value in values.as_array() {
            finite(value)?;
        }
        for &value in values.as_array() {
            self.indicator.update(value);
            results.push(self.indicator.value().unwrap_or(f64::NAN));
        }
        Ok(PyArray1::from_vec(py, results))
    }

    #[getter]
    fn value(&self) -> Option<f64> {
        self.indicator.value()
    }

    #[getter]
    fn previous(&self) -> Option<f64> {
        self.indicator.previous()
    }

    #[getter]
    fn ready(&self) -> bool {
        self.indicator.ready()
    }
}

/// Adds this file's classes to the module.
///
/// # Errors
/// Whatever Python raises while they are added.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("DecodeError", module.py().get_type::<DecodeError>())?;
    module.add_class::<BinanceDecoder>()?;
    module.add_class::<BinanceUnitScan>()?;
    module.add_class::<Depth>()?;
    module.add_class::<Indicator>()
}

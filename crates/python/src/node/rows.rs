//! Rows of the arrays a node hands out.

use openbell_kernel::bars::Bar;
use openbell_kernel::instrument::Instrument;
use openbell_kernel::node::Valuation;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use zerocopy::{Immutable, IntoBytes};

use crate::arrays::Row;

/// Account figures at one moment. Amounts are 128 bits wide, in two halves.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
pub struct ValuationRow {
    time: u64,
    account: u32,
    reserved: u32,
    /// Low and high half of cash, equity, gross and net exposure.
    figures: [[u64; 2]; 4],
}

impl From<&Valuation> for ValuationRow {
    fn from(of: &Valuation) -> Self {
        let halves = |figure: i128| [figure as u64, (figure >> 64) as u64];
        let figures = [of.cash, of.equity, of.gross_exposure, of.net_exposure].map(halves);
        ValuationRow { time: of.time, account: of.account, reserved: 0, figures }
    }
}

impl Row for ValuationRow {
    const FIELDS: &'static [(&'static str, &'static str, usize)] = &[
        ("time", "<u8", 0),
        ("account", "<u4", 8),
        ("cash_low", "<u8", 16),
        ("cash_high", "<i8", 24),
        ("equity_low", "<u8", 32),
        ("equity_high", "<i8", 40),
        ("gross_low", "<u8", 48),
        ("gross_high", "<i8", 56),
        ("net_low", "<u8", 64),
        ("net_high", "<i8", 72),
    ];

    fn cell() -> &'static PyOnceLock<Py<PyAny>> {
        static DTYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        &DTYPE
    }
}

/// A closed bar as people read it.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
pub struct BarRow {
    open_time: u64,
    close_time: u64,
    interval_ns: u64,
    trades: u64,
    prices: [f64; 4],
    volume: f64,
}

impl BarRow {
    pub fn new(bar: &Bar, terms: &Instrument) -> Self {
        BarRow {
            open_time: bar.open_time,
            close_time: bar.close_time,
            interval_ns: bar.interval_ns,
            trades: bar.trades,
            prices: [bar.open, bar.high, bar.low, bar.close].map(|price| terms.price_as_f64(price)),
            volume: terms.quantity_as_f64(bar.volume),
        }
    }
}

impl Row for BarRow {
    const FIELDS: &'static [(&'static str, &'static str, usize)] = &[
        ("open_time", "<u8", 0),
        ("close_time", "<u8", 8),
        ("interval_ns", "<u8", 16),
        ("trades", "<u8", 24),
        ("open", "<f8", 32),
        ("high", "<f8", 40),
        ("low", "<f8", 48),
        ("close", "<f8", 56),
        ("volume", "<f8", 64),
    ];

    fn cell() -> &'static PyOnceLock<Py<PyAny>> {
        static DTYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        &DTYPE
    }
}

/// The dtype of account valuations; see `openbell.kernel.node`.
#[pyfunction]
pub fn valuation_dtype(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    ValuationRow::dtype(py)
}

/// The dtype of closed bars; see `openbell.kernel.node`.
#[pyfunction]
pub fn bar_dtype(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    BarRow::dtype(py)
}

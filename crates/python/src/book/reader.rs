//! A book's best levels, readable from any thread while another one matches.

use openbell_kernel::book::{DepthReader, Level};
use pyo3::prelude::*;

use super::reports::{BookLevel, BookUnits};

#[pyclass(frozen, module = "openbell.kernel.order_book")]
pub struct BookReader {
    pub reader: DepthReader,
    pub units: BookUnits,
}

#[pymethods]
impl BookReader {
    fn depth(&self) -> (Vec<BookLevel>, Vec<BookLevel>) {
        let depth = self.reader.depth();
        let levels = |side: Vec<Level>| side.into_iter().map(|level| self.level(level)).collect();
        (levels(depth.bids), levels(depth.asks))
    }

    #[getter]
    fn best_bid(&self) -> Option<BookLevel> {
        self.reader.top().bid.map(|level| self.level(level))
    }

    #[getter]
    fn best_ask(&self) -> Option<BookLevel> {
        self.reader.top().ask.map(|level| self.level(level))
    }
}

impl BookReader {
    fn level(&self, value: Level) -> BookLevel {
        BookLevel { value, units: self.units }
    }
}

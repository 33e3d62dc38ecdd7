//! The uncommon terms of an order, as Python gives them.

use openbell_kernel::book::SelfTradeAction;
use openbell_kernel::special_terms::SpecialTerms as Terms;
use openbell_kernel::terms::{Peg, TrailBy, TriggerBy};
use pyo3::prelude::*;

use crate::arguments::member;

/// What an order says beside the usual; what is 0 says nothing.
#[pyclass(frozen, eq, from_py_object, module = "openbell._kernel")]
#[derive(Clone, Copy, PartialEq)]
pub struct SpecialTerms(pub Terms);

fn named<T>(py: Python<'_>, field: &str, number: u8, of: fn(u8) -> Option<T>) -> PyResult<Option<T>> {
    if number == 0 { Ok(None) } else { member(py, field, number, of).map(Some) }
}

#[pymethods]
impl SpecialTerms {
    #[new]
    #[pyo3(signature = (*, display_quantity=0, minimum_quantity=0, trail=0, trail_by=0, limit_offset=0, peg=0,
        peg_offset=0, trigger_by=0, self_trade=0, self_trade_group=0, zero_price=false, zero_stop_price=false))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        display_quantity: i64,
        minimum_quantity: i64,
        trail: i64,
        trail_by: u8,
        limit_offset: i64,
        peg: u8,
        peg_offset: i64,
        trigger_by: u8,
        self_trade: u8,
        self_trade_group: u32,
        zero_price: bool,
        zero_stop_price: bool,
    ) -> PyResult<Self> {
        Ok(SpecialTerms(Terms {
            display_quantity,
            minimum_quantity,
            trail,
            trail_by: named(py, "trail_by", trail_by, TrailBy::from_number)?,
            limit_offset,
            peg: named(py, "peg", peg, Peg::from_number)?,
            peg_offset,
            trigger_by: named(py, "trigger_by", trigger_by, TriggerBy::from_number)?,
            self_trade: named(py, "self_trade", self_trade, SelfTradeAction::from_number)?,
            self_trade_group,
            zero_price,
            zero_stop_price,
        }))
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// The terms, or those of an order that says nothing special.
pub fn or_none(special: Option<SpecialTerms>) -> Terms {
    special.map_or_else(Terms::default, |special| special.0)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SpecialTerms>()
}

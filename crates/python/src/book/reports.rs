//! What commands to an order book answer: immutable objects that may be kept.

use openbell_kernel::book;
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::terms::{OrderType, Side};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

use super::units::{Decimal, Units, figure};

/// Units of the book a report is from; `None` where the book counts in integers.
pub type BookUnits = Option<Units>;

/// The member of `openbell.model.terms.Side`.
fn side_term<'py>(py: Python<'py>, side: Side) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "openbell.model.terms", "Side")?.call1((side as u8,))
}

fn price<'py>(py: Python<'py>, units: &BookUnits, value: i64) -> PyResult<Bound<'py, PyAny>> {
    figure(py, i128::from(value), units.map(|units| units.tick))
}

fn quantity<'py>(py: Python<'py>, units: &BookUnits, value: i64) -> PyResult<Bound<'py, PyAny>> {
    figure(py, i128::from(value), units.map(|units| units.lot))
}

/// `Name(field=value, ...)` from the object's own attributes.
fn repr_of(object: &Bound<'_, PyAny>, fields: &[&str]) -> PyResult<String> {
    let name = object.get_type().name()?;
    let mut parts = Vec::with_capacity(fields.len());
    for field in fields {
        let value = object.getattr(*field)?;
        // A member of an enum speaks by its name.
        let text = value.getattr_opt("name")?.map_or_else(|| value.str(), |name| name.str())?;
        parts.push(format!("{field}={text}"));
    }
    Ok(format!("{name}({})", parts.join(", ")))
}

/// Declares a report: a frozen class over a kernel value, with its units, getters, `repr` and `match` fields.
macro_rules! reports {
    ($($(#[$doc:meta])* $name:ident($value:ty) {
        $($(#[$field_doc:meta])* $field:ident = |$py:ident, $this:ident| $expression:expr => $type:ty;)*
    })*) => { $(
        $(#[$doc])*
        #[pyclass(frozen, eq, module = "openbell.kernel.order_book")]
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name { pub value: $value, pub units: BookUnits }

        #[pymethods]
        impl $name {
            #[classattr]
            fn __match_args__(py: Python<'_>) -> PyResult<Bound<'_, pyo3::types::PyTuple>> {
                pyo3::types::PyTuple::new(py, [$(stringify!($field)),*])
            }

            $($(#[$field_doc])* #[getter]
            fn $field<'py>(&self, $py: Python<'py>) -> PyResult<$type> {
                let $this = self;
                $expression
            })*

            fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
                repr_of(slf.as_any(), &[$(stringify!($field)),*])
            }
        }
    )* };
}

type Object<'py> = Bound<'py, PyAny>;

reports! {
    /// The book took the order; its trades and what became of the rest follow.
    BookAccepted(book::NewOrder) {
        order_id = |_py, this| Ok(this.value.order_id) => u64;
        account = |_py, this| Ok(this.value.account) => u32;
        side = |py, this| side_term(py, this.value.side) => Object<'py>;
        /// `None` for a market order.
        price = |py, this| limit_price(py, this) => Option<Object<'py>>;
        quantity = |py, this| quantity(py, &this.units, this.value.quantity) => Object<'py>;
    }

    /// One match, at the maker's price.
    BookTrade(book::BookTrade) {
        maker_order_id = |_py, this| Ok(this.value.maker_order_id) => u64;
        taker_order_id = |_py, this| Ok(this.value.taker_order_id) => u64;
        maker_account = |_py, this| Ok(this.value.maker_account) => u32;
        taker_account = |_py, this| Ok(this.value.taker_account) => u32;
        /// Side of the taker.
        side = |py, this| side_term(py, this.value.taker_side) => Object<'py>;
        price = |py, this| price(py, &this.units, this.value.price) => Object<'py>;
        quantity = |py, this| quantity(py, &this.units, this.value.quantity) => Object<'py>;
        maker_leaves_quantity = |py, this| quantity(py, &this.units, this.value.maker_leaves) => Object<'py>;
        taker_leaves_quantity = |py, this| quantity(py, &this.units, this.value.taker_leaves) => Object<'py>;
    }

    /// An order, or what was left of it, went without trading. `rule` says why.
    BookCanceled(book::BookCancel) {
        order_id = |_py, this| Ok(this.value.order_id) => u64;
        side = |py, this| side_term(py, this.value.side) => Object<'py>;
        leaves_quantity = |py, this| quantity(py, &this.units, this.value.leaves) => Object<'py>;
        rule = |_py, this| Ok(this.value.reason.rule.name()) => &'static str;
        /// What could trade.
        limit = |py, this| figure(py, this.value.reason.limit, this.units.map(|units| units.lot)) => Object<'py>;
        /// What was asked to.
        actual = |py, this| figure(py, this.value.reason.actual, this.units.map(|units| units.lot)) => Object<'py>;
    }

    /// An order has new terms; if it crosses now, its trades follow.
    BookReplaced(book::BookReplace) {
        order_id = |_py, this| Ok(this.value.order_id) => u64;
        side = |py, this| side_term(py, this.value.side) => Object<'py>;
        price = |py, this| price(py, &this.units, this.value.price) => Object<'py>;
        /// The new open quantity, before any trade that follows.
        quantity = |py, this| quantity(py, &this.units, this.value.leaves) => Object<'py>;
        kept_priority = |_py, this| Ok(this.value.kept_priority) => bool;
    }

    /// The book refused the command and is as it was.
    BookRefused(RefusedCommand) {
        order_id = |_py, this| Ok(this.value.order_id) => u64;
        rule = |_py, this| Ok(this.value.rule.name()) => &'static str;
        /// What the rule allows.
        limit = |py, this| this.value.limit.to_python(py, this) => Object<'py>;
        /// What was asked.
        actual = |py, this| this.value.actual.to_python(py, this) => Object<'py>;
    }

    /// All orders at one price.
    BookLevel(book::Level) {
        price = |py, this| price(py, &this.units, this.value.price) => Object<'py>;
        quantity = |py, this| quantity(py, &this.units, this.value.quantity) => Object<'py>;
        orders = |_py, this| Ok(this.value.orders) => u32;
    }

    /// A resting order.
    BookOrder(book::BookOrder) {
        order_id = |_py, this| Ok(this.value.order_id) => u64;
        account = |_py, this| Ok(this.value.account) => u32;
        side = |py, this| side_term(py, this.value.side) => Object<'py>;
        price = |py, this| price(py, &this.units, this.value.price) => Object<'py>;
        leaves_quantity = |py, this| quantity(py, &this.units, this.value.leaves) => Object<'py>;
    }

    /// What must trade or leave at the price before an order's turn.
    QueuePosition(book::QueuePosition) {
        orders_ahead = |_py, this| Ok(this.value.orders_ahead) => u32;
        quantity_ahead = |py, this| quantity(py, &this.units, this.value.quantity_ahead) => Object<'py>;
    }
}

fn limit_price<'py>(py: Python<'py>, this: &BookAccepted) -> PyResult<Option<Object<'py>>> {
    if this.value.order_type == OrderType::Market {
        return Ok(None);
    }
    price(py, &this.units, this.value.price).map(Some)
}

/// A refusal's figure: in units of the field its rule is about, or a decimal that is no number of units.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Units(i128),
    Exact(Decimal),
}

#[derive(Clone, PartialEq, Eq)]
pub struct RefusedCommand {
    pub order_id: u64,
    pub rule: Rule,
    pub limit: Figure,
    pub actual: Figure,
}

impl RefusedCommand {
    pub fn new(order_id: u64, refusal: &Refusal) -> Self {
        let (limit, actual) = (Figure::Units(refusal.limit), Figure::Units(refusal.actual));
        RefusedCommand { order_id, rule: refusal.rule, limit, actual }
    }
}

impl Figure {
    fn to_python<'py>(self, py: Python<'py>, refused: &BookRefused) -> PyResult<Object<'py>> {
        let units = refused.units;
        match self {
            Figure::Exact(decimal) => decimal.to_python(py),
            Figure::Units(value) => match refused.value.rule {
                Rule::PostOnlyMustNotTake | Rule::FieldMustBeInRange => {
                    figure(py, value, units.map(|units| units.tick))
                }
                Rule::QuantityMustBePositive | Rule::QuantityMustBeInBounds => {
                    figure(py, value, units.map(|units| units.lot))
                }
                _ => figure(py, value, None),
            },
        }
    }
}

/// Gathers the reports of one command.
pub struct Gathered<'py> {
    pub py: Python<'py>,
    pub units: BookUnits,
    /// Most commands have one report, which then needs no list.
    pub first: Option<Py<PyAny>>,
    pub more: Vec<Py<PyAny>>,
    /// The first error of making an object; told when the command is done.
    pub failed: Option<PyErr>,
}

impl<'py> Gathered<'py> {
    /// The reports in order, or the first error of making one.
    pub fn into_tuple(self) -> PyResult<Bound<'py, PyTuple>> {
        match (self.failed, self.first) {
            (Some(failed), _) => Err(failed),
            (None, Some(first)) if self.more.is_empty() => PyTuple::new(self.py, [first]),
            (None, first) => PyTuple::new(self.py, first.into_iter().chain(self.more).collect::<Vec<_>>()),
        }
    }

    fn add(&mut self, object: PyResult<Py<PyAny>>) {
        match object {
            Ok(object) if self.first.is_none() => self.first = Some(object),
            Ok(object) => self.more.push(object),
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
    }
}

macro_rules! gathers {
    ($($method:ident($value:ty) => $class:ident),*) => {
        $(fn $method(&mut self, value: &$value) {
            let report = $class { value: *value, units: self.units };
            let object = Py::new(self.py, report).map(|object| object.into_any());
            self.add(object);
        })*
    };
}

impl book::ReportSink for Gathered<'_> {
    gathers! {
        accepted(book::NewOrder) => BookAccepted,
        traded(book::BookTrade) => BookTrade,
        canceled(book::BookCancel) => BookCanceled,
        replaced(book::BookReplace) => BookReplaced
    }
}

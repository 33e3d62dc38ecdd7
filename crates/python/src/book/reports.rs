//! What commands to an order book answer: immutable objects that may be kept.

use openbell_kernel::book;
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::terms::{OrderType, Side};
use pyo3::PyClassInitializer;
use pyo3::prelude::*;
use pyo3::pyclass::PyClass;
use pyo3::pyclass::boolean_struct::False;
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

/// Declares a report: a class over a kernel value without a way to change it from Python, with its units, getters,
/// `repr` and `match` fields.
macro_rules! reports {
    ($($(#[$doc:meta])* $name:ident($value:ty) {
        $($(#[$field_doc:meta])* $field:ident = |$py:ident, $this:ident| $expression:expr => $type:ty;)*
    })*) => { $(
        $(#[$doc])*
        #[pyclass(eq, module = "openbell.kernel.order_book")]
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

/// Answers of one report that a book gave out lately. Who sends one command after the other has let go of the answer
/// before the last when the next is due; then it is given again with the new report in it, as Python's own `zip` does
/// with its tuples. Making and freeing the two objects takes longer than most commands. An answer that anyone still
/// holds, whole or the report in it, stays as it is.
pub struct Recent<R> {
    answers: [Option<(Py<PyTuple>, Py<R>)>; 2],
    last: usize,
}

impl<R> Default for Recent<R> {
    fn default() -> Self {
        Recent { answers: [None, None], last: 0 }
    }
}

/// A report over a kernel value, which an answer that nobody holds can be given anew.
pub trait Renewed: PyClass<Frozen = False> + Into<PyClassInitializer<Self>> {
    type Value;

    fn new(value: &Self::Value, units: BookUnits) -> Self;
    fn renew(&mut self, value: &Self::Value);
}

/// References that `Recent` and the tuple hold themselves.
const OWN_TO_TUPLE: isize = 1;
const OWN_TO_REPORT: isize = 2;

#[expect(deprecated, reason = "the way that replaces it is unsafe")]
fn is_held<R>(py: Python<'_>, (answer, report): &(Py<PyTuple>, Py<R>)) -> bool {
    answer.get_refcnt(py) != OWN_TO_TUPLE || report.get_refcnt(py) != OWN_TO_REPORT
}

impl<R: Renewed> Recent<R> {
    /// A tuple of one report. `units` are the same for all of a book.
    fn answer<'py>(
        &mut self,
        py: Python<'py>,
        value: &R::Value,
        units: BookUnits,
    ) -> PyResult<Bound<'py, PyTuple>> {
        self.last ^= 1;
        let place = &mut self.answers[self.last];
        if let Some(given) = place
            && !is_held(py, given)
            && let Ok(mut report) = given.1.try_borrow_mut(py)
        {
            report.renew(value);
            return Ok(given.0.bind(py).clone());
        }
        let report = Py::new(py, R::new(value, units))?;
        let answer = PyTuple::new(py, [&report])?;
        *place = Some((answer.clone().unbind(), report));
        Ok(answer)
    }
}

macro_rules! renewed {
    ($($class:ident($value:ty)),*) => {
        $(impl Renewed for $class {
            type Value = $value;

            fn new(value: &$value, units: BookUnits) -> Self {
                $class { value: *value, units }
            }

            fn renew(&mut self, value: &$value) {
                self.value = *value;
            }
        })*
    };
}

renewed!(BookAccepted(book::NewOrder), BookCanceled(book::BookCancel));

/// The lately given answers of one book; only of reports that come alone.
#[derive(Default)]
pub struct RecentAnswers {
    accepted: Recent<BookAccepted>,
    canceled: Recent<BookCanceled>,
}

impl RecentAnswers {
    /// The answer to an order that rests and does nothing else.
    #[inline]
    pub fn accepted<'py>(
        &mut self,
        py: Python<'py>,
        order: &book::NewOrder,
        units: BookUnits,
    ) -> PyResult<Bound<'py, PyTuple>> {
        self.accepted.answer(py, order, units)
    }
}

/// What a book told of one command.
enum Told {
    Accepted(book::NewOrder),
    Traded(book::BookTrade),
    Canceled(book::BookCancel),
    Replaced(book::BookReplace),
}

impl Told {
    fn into_python(self, py: Python<'_>, units: BookUnits) -> PyResult<Py<PyAny>> {
        Ok(match self {
            Told::Accepted(value) => Py::new(py, BookAccepted { value, units })?.into_any(),
            Told::Traded(value) => Py::new(py, BookTrade { value, units })?.into_any(),
            Told::Canceled(value) => Py::new(py, BookCanceled { value, units })?.into_any(),
            Told::Replaced(value) => Py::new(py, BookReplaced { value, units })?.into_any(),
        })
    }
}

/// Gathers the reports of one command.
#[derive(Default)]
pub struct Gathered {
    /// Most commands have one report, which then needs no list.
    first: Option<Told>,
    more: Vec<Told>,
}

impl Gathered {
    /// The reports in order. What came alone is copied from here into its answer, once.
    pub fn into_tuple<'py>(
        self,
        py: Python<'py>,
        units: BookUnits,
        recent: &mut RecentAnswers,
    ) -> PyResult<Bound<'py, PyTuple>> {
        match &self.first {
            Some(Told::Accepted(value)) if self.more.is_empty() => recent.accepted.answer(py, value, units),
            Some(Told::Canceled(value)) if self.more.is_empty() => recent.canceled.answer(py, value, units),
            _ => {
                let all = self.first.into_iter().chain(self.more).map(|told| told.into_python(py, units));
                PyTuple::new(py, all.collect::<PyResult<Vec<_>>>()?)
            }
        }
    }

    #[inline]
    fn add(&mut self, told: Told) {
        if self.first.is_none() {
            self.first = Some(told);
        } else {
            self.more.push(told);
        }
    }
}

impl book::ReportSink for Gathered {
    #[inline]
    fn accepted(&mut self, order: &book::NewOrder) {
        self.add(Told::Accepted(*order));
    }

    #[inline]
    fn traded(&mut self, trade: &book::BookTrade) {
        self.add(Told::Traded(*trade));
    }

    #[inline]
    fn canceled(&mut self, cancel: &book::BookCancel) {
        self.add(Told::Canceled(*cancel));
    }

    #[inline]
    fn replaced(&mut self, replace: &book::BookReplace) {
        self.add(Told::Replaced(*replace));
    }
}

//! Batches: commands and reports as rows of NumPy structured arrays over the same bytes.

use openbell_kernel::book::{
    Book, BookCancel, BookReplace, BookTrade, DepthPublisher, FAR_AHEAD, MatchingPolicy, NewOrder,
    ReportSink, SHOW_ALL, SOON,
};
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::terms::{OrderType, Side, TimeInForce, options};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One command. Prices in ticks, quantities in lots.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Command {
    pub kind: u8,
    pub side: u8,
    pub order_type: u8,
    pub time_in_force: u8,
    pub options: u16,
    pub reserved: u16,
    pub account: u32,
    pub reserved_too: u32,
    pub order_id: u64,
    pub price: i64,
    pub quantity: i64,
}

/// One report.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Report {
    command: u32,
    kind: u8,
    side: u8,
    rule: u16,
    order_id: u64,
    maker_order_id: u64,
    price: i64,
    quantity: i64,
    leaves_quantity: i64,
    maker_leaves_quantity: i64,
    limit: i64,
    actual: i64,
}

pub const SUBMIT: u8 = 1;
pub const REPLACE: u8 = 2;
pub const CANCEL: u8 = 3;

pub const ACCEPTED: u8 = 1;
pub const TRADED: u8 = 2;
pub const CANCELED: u8 = 3;
pub const REPLACED: u8 = 4;
pub const REFUSED: u8 = 5;

const COMMAND_FIELDS: &[(&str, &str, usize)] = &[
    ("kind", "u1", 0),
    ("side", "u1", 1),
    ("order_type", "u1", 2),
    ("time_in_force", "u1", 3),
    ("options", "<u2", 4),
    ("account", "<u4", 8),
    ("order_id", "<u8", 16),
    ("price", "<i8", 24),
    ("quantity", "<i8", 32),
];

const REPORT_FIELDS: &[(&str, &str, usize)] = &[
    ("command", "<u4", 0),
    ("kind", "u1", 4),
    ("side", "u1", 5),
    ("rule", "<u2", 6),
    ("order_id", "<u8", 8),
    ("maker_order_id", "<u8", 16),
    ("price", "<i8", 24),
    ("quantity", "<i8", 32),
    ("leaves_quantity", "<i8", 40),
    ("maker_leaves_quantity", "<i8", 48),
    ("limit", "<i8", 56),
    ("actual", "<i8", 64),
];

fn dtype<'py>(py: Python<'py>, fields: &[(&str, &str, usize)], size: usize) -> PyResult<Bound<'py, PyAny>> {
    let dict = PyDict::new(py);
    dict.set_item("names", PyList::new(py, fields.iter().map(|field| field.0))?)?;
    dict.set_item("formats", PyList::new(py, fields.iter().map(|field| field.1))?)?;
    dict.set_item("offsets", PyList::new(py, fields.iter().map(|field| field.2))?)?;
    dict.set_item("itemsize", size)?;
    py.import("numpy")?.getattr("dtype")?.call1((dict,))
}

/// Made once: making one takes as long as hundreds of commands.
pub fn command_dtype(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static DTYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = || dtype(py, COMMAND_FIELDS, size_of::<Command>()).map(Bound::unbind);
    DTYPE.get_or_try_init(py, made).map(|dtype| dtype.bind(py).clone())
}

pub fn report_dtype(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static DTYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = || dtype(py, REPORT_FIELDS, size_of::<Report>()).map(Bound::unbind);
    DTYPE.get_or_try_init(py, made).map(|dtype| dtype.bind(py).clone())
}

/// Writes reports as bytes, ready to become a NumPy array without a copy.
struct Rows<'a> {
    bytes: &'a mut Vec<u8>,
    command: u32,
}

impl Rows<'_> {
    #[inline]
    fn push(&mut self, report: Report) {
        self.bytes.extend_from_slice(report.as_bytes());
    }

    #[inline]
    fn row(&self, kind: u8, side: u8, order_id: u64) -> Report {
        Report { command: self.command, kind, side, order_id, ..Report::EMPTY }
    }

    #[cold]
    fn refused(&mut self, command: &Command, refusal: &Refusal) {
        let row = Report {
            rule: refusal.rule as u16,
            price: command.price,
            quantity: command.quantity,
            limit: saturated(refusal.limit),
            actual: saturated(refusal.actual),
            ..self.row(REFUSED, command.side, command.order_id)
        };
        self.push(row);
    }
}

impl Report {
    const EMPTY: Report = Report {
        command: 0,
        kind: 0,
        side: 0,
        rule: 0,
        order_id: 0,
        maker_order_id: 0,
        price: 0,
        quantity: 0,
        leaves_quantity: 0,
        maker_leaves_quantity: 0,
        limit: 0,
        actual: 0,
    };
}

/// The figures of a book's rules fit 64 bits, but for ids above 2^63.
fn saturated(figure: i128) -> i64 {
    figure.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

impl ReportSink for Rows<'_> {
    #[inline]
    fn accepted(&mut self, order: &NewOrder) {
        let (price, quantity) = (order.price, order.quantity);
        let row = self.row(ACCEPTED, order.side as u8, order.order_id);
        self.push(Report { price, quantity, leaves_quantity: quantity, ..row });
    }

    #[inline]
    fn traded(&mut self, trade: &BookTrade) {
        let row = Report {
            maker_order_id: trade.maker_order_id,
            price: trade.price,
            quantity: trade.quantity,
            leaves_quantity: trade.taker_leaves,
            maker_leaves_quantity: trade.maker_leaves,
            ..self.row(TRADED, trade.taker_side as u8, trade.taker_order_id)
        };
        self.push(row);
    }

    #[inline]
    fn canceled(&mut self, cancel: &BookCancel) {
        let row = Report {
            rule: cancel.reason.rule as u16,
            price: cancel.price,
            quantity: cancel.leaves,
            limit: saturated(cancel.reason.limit),
            actual: saturated(cancel.reason.actual),
            ..self.row(CANCELED, cancel.side as u8, cancel.order_id)
        };
        self.push(row);
    }

    #[inline]
    fn replaced(&mut self, replace: &BookReplace) {
        let (price, quantity) = (replace.price, replace.leaves);
        let row = self.row(REPLACED, replace.side as u8, replace.order_id);
        self.push(Report { price, quantity, leaves_quantity: quantity, ..row });
    }
}

fn unknown(number: u16) -> Refusal {
    Refusal::new(Rule::TermsMustBeKnown, 0, i128::from(number))
}

/// The order of a submit, its numbers looked at.
fn new_order(command: &Command) -> Result<NewOrder, Refusal> {
    if command.options & !options::POST_ONLY != 0 {
        return Err(unknown(command.options));
    }
    let known = |number: u8| unknown(u16::from(number));
    Ok(NewOrder {
        order_id: command.order_id,
        account: command.account,
        side: Side::from_number(command.side).ok_or(known(command.side))?,
        order_type: OrderType::from_number(command.order_type).ok_or(known(command.order_type))?,
        time_in_force: TimeInForce::from_number(command.time_in_force).ok_or(known(command.time_in_force))?,
        post_only: command.options & options::POST_ONLY != 0,
        price: command.price,
        quantity: command.quantity,
        display: SHOW_ALL,
        minimum: 0,
    })
}

/// Commands of a batch after which readers see the book again.
const PUBLISHED_EVERY: usize = 64;

/// Tells a large book what comes after the command at `at`.
#[inline]
fn look_ahead<P: MatchingPolicy>(book: &Book<P>, commands: &[Command], at: usize) {
    if let Some(command) = commands.get(at + FAR_AHEAD) {
        let side = (command.kind == SUBMIT).then(|| Side::from_number(command.side)).flatten();
        book.foresee(command.order_id, side.map(|side| (side, command.price)));
    }
    if let Some(command) = commands.get(at + SOON)
        && command.kind != SUBMIT
    {
        book.foresee_order(command.order_id);
    }
}

/// Runs every command; returns one above the largest id accepted.
pub fn run<P: MatchingPolicy>(
    book: &mut Book<P>,
    commands: &[Command],
    bytes: &mut Vec<u8>,
    publisher: &mut Option<DepthPublisher>,
) -> u64 {
    let mut next_id = 0;
    let mut rows = Rows { bytes, command: 0 };
    let looks_ahead = book.is_large();
    for (index, command) in commands.iter().enumerate() {
        if looks_ahead {
            look_ahead(book, commands, index);
        }
        if let Some(publisher) = publisher
            && index % PUBLISHED_EVERY == 0
        {
            publisher.publish(book);
        }
        rows.command = index as u32;
        let post_only = command.options & options::POST_ONLY != 0;
        let result = match command.kind {
            SUBMIT => new_order(command).and_then(|order| {
                let rests = book.submit(&order, &mut rows)?;
                next_id = next_id.max(order.order_id.saturating_add(1));
                Ok(rests)
            }),
            REPLACE if command.options & !options::POST_ONLY != 0 => Err(unknown(command.options)),
            REPLACE => book.replace(command.order_id, command.price, command.quantity, post_only, &mut rows),
            CANCEL => book.cancel(command.order_id, &mut rows),
            kind => Err(unknown(u16::from(kind))),
        };
        if let Err(refusal) = result {
            rows.refused(command, &refusal);
        }
    }
    next_id
}

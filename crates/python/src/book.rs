//! An order book on its own: `from openbell import OrderBook`.

pub mod batch;
pub mod policy;
mod reader;
mod reports;
mod units;

use numpy::{PyArray1, PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods};
use openbell_kernel::book::{Book, DepthPublisher, MAX_PRICE, NewOrder, Silent};
use openbell_kernel::instrument::MAX_UNITS;
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::state::{State, StateError, StateReader, StateWriter};
use openbell_kernel::terms::{OrderType, Side, TimeInForce};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString, PyTuple};
use zerocopy::FromBytes;

use crate::errors::error;
use policy::{AllocationPolicy, BookPolicy};
use reader::BookReader;
use reports::{
    BookAccepted, BookCanceled, BookLevel, BookOrder, BookRefused, BookReplaced, BookTrade, Figure, Gathered,
    QueuePosition, RecentAnswers, RefusedCommand,
};
use units::{Decimal, NotUnits, Units, bad_input, decimal_of, integer_of};

/// Rows one batch may have: reports name their command in 32 bits.
const MAX_BATCH: usize = u32::MAX as usize;

/// Written at the head of a snapshot.
const SNAPSHOT_VERSION: u8 = 2;

/// An order book of one instrument.
#[pyclass(module = "openbell.kernel.order_book")]
pub struct OrderBook {
    /// Apart, because its cache lines are aligned and Python's objects are not.
    book: Box<Book<BookPolicy>>,
    /// Made with the first reader.
    publisher: Option<DepthPublisher>,
    units: Option<Units>,
    /// The id an order gets that comes without one.
    next_order_id: u64,
    recent: RecentAnswers,
}

/// A value in units, or the refusal it earns, which is large and rare.
type InUnits = Result<i64, Box<RefusedCommand>>;

#[pymethods]
impl OrderBook {
    #[new]
    #[pyo3(signature = (*, tick=None, lot=None, policy=None))]
    fn new(
        tick: Option<&Bound<'_, PyAny>>,
        lot: Option<&Bound<'_, PyAny>>,
        policy: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let units = match (tick, lot) {
            (None, None) => None,
            (Some(tick), Some(lot)) => Some(Units::new(tick, lot)?),
            (Some(given), None) => return Err(bad_input("tick", given, "a lot beside it, or neither")),
            (None, Some(given)) => return Err(bad_input("lot", given, "a tick beside it, or neither")),
        };
        let book = Book::new(BookPolicy::from_python(policy)?);
        Ok(OrderBook::over(book, units, 1))
    }

    #[pyo3(signature = (side, price, quantity, order_id=None, *, account=0, time_in_force=None, post_only=false))]
    #[allow(clippy::too_many_arguments)]
    fn submit<'py>(
        &mut self,
        py: Python<'py>,
        side: &Bound<'py, PyAny>,
        price: &Bound<'py, PyAny>,
        quantity: &Bound<'py, PyAny>,
        order_id: Option<&Bound<'py, PyAny>>,
        account: u32,
        time_in_force: Option<&Bound<'py, PyAny>>,
        post_only: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let order_id = self.id_or_next(order_id)?;
        let time_in_force = time_in_force_of(time_in_force)?;
        let side = side_of(side)?;
        match [self.price_units(order_id, price)?, self.quantity_units(order_id, quantity)?] {
            [Ok(price), Ok(quantity)] => {
                let plain = NewOrder::limit(order_id, side, price, quantity);
                self.submit_order(py, &NewOrder { account, time_in_force, post_only, ..plain })
            }
            [_, Err(refusal)] | [Err(refusal), _] => refused(py, self.units, *refusal),
        }
    }

    #[pyo3(signature = (side, quantity, order_id=None, *, account=0, time_in_force=None))]
    fn market<'py>(
        &mut self,
        py: Python<'py>,
        side: &Bound<'py, PyAny>,
        quantity: &Bound<'py, PyAny>,
        order_id: Option<&Bound<'py, PyAny>>,
        account: u32,
        time_in_force: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let order_id = self.id_or_next(order_id)?;
        let time_in_force = time_in_force_of(time_in_force)?;
        let side = side_of(side)?;
        match self.quantity_units(order_id, quantity)? {
            Ok(quantity) => {
                let order_type = OrderType::Market;
                let plain = NewOrder::limit(order_id, side, 0, quantity);
                self.submit_order(py, &NewOrder { account, time_in_force, order_type, ..plain })
            }
            Err(refusal) => refused(py, self.units, *refusal),
        }
    }

    fn cancel<'py>(
        &mut self,
        py: Python<'py>,
        order_id: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let order_id = id_of(order_id)?;
        self.gather(py, order_id, |book, gathered| book.cancel(order_id, gathered))
    }

    #[pyo3(signature = (order_id, *, price=None, quantity=None, post_only=false))]
    fn replace<'py>(
        &mut self,
        py: Python<'py>,
        order_id: &Bound<'py, PyAny>,
        price: Option<&Bound<'py, PyAny>>,
        quantity: Option<&Bound<'py, PyAny>>,
        post_only: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let order_id = id_of(order_id)?;
        let old = self.book.order(order_id).map_or((0, 1), |order| (order.price, order.leaves));
        let price = price.map_or(Ok(Ok(old.0)), |price| self.price_units(order_id, price))?;
        let quantity = quantity.map_or(Ok(Ok(old.1)), |quantity| self.quantity_units(order_id, quantity))?;
        if !self.book.contains(order_id) {
            let refusal = Refusal::new(Rule::OrderMustExist, 0, i128::from(order_id));
            return refused(py, self.units, RefusedCommand::new(order_id, &refusal));
        }
        match (price, quantity) {
            (Ok(price), Ok(quantity)) => self.gather(py, order_id, |book, gathered| {
                book.replace(order_id, price, quantity, post_only, gathered)
            }),
            (_, Err(refusal)) | (Err(refusal), _) => refused(py, self.units, *refusal),
        }
    }

    #[pyo3(signature = (levels=10))]
    fn depth(&self, levels: usize) -> (Vec<BookLevel>, Vec<BookLevel>) {
        let side = |side| self.book.levels(side).take(levels).map(|value| self.level(value)).collect();
        (side(Side::Buy), side(Side::Sell))
    }

    #[getter]
    fn best_bid(&self) -> Option<BookLevel> {
        self.book.best(Side::Buy).map(|value| self.level(value))
    }

    #[getter]
    fn best_ask(&self) -> Option<BookLevel> {
        self.book.best(Side::Sell).map(|value| self.level(value))
    }

    fn order(&self, order_id: &Bound<'_, PyAny>) -> PyResult<Option<BookOrder>> {
        let value = self.book.order(id_of(order_id)?);
        Ok(value.map(|value| BookOrder { value, units: self.units }))
    }

    fn orders(&self, side: &Bound<'_, PyAny>) -> PyResult<Vec<BookOrder>> {
        let orders = self.book.orders(side_of(side)?);
        Ok(orders.map(|value| BookOrder { value, units: self.units }).collect())
    }

    fn queue_position(&self, order_id: &Bound<'_, PyAny>) -> PyResult<Option<QueuePosition>> {
        let value = self.book.queue_position(id_of(order_id)?);
        Ok(value.map(|value| QueuePosition { value, units: self.units }))
    }

    fn submit_batch<'py>(&mut self, commands: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = commands.py();
        check_batch(commands)?;
        let view = commands.call_method1(intern!(py, "view"), (numpy::dtype::<u8>(py),))?;
        let view: PyReadonlyArray1<'py, u8> = view.extract()?;
        let bytes = view.as_slice().map_err(|_| not_a_batch(commands, "a contiguous array"))?;
        let rows = <[batch::Command]>::ref_from_bytes(bytes);
        let rows: &[batch::Command] = if bytes.is_empty() {
            &[]
        } else {
            rows.map_err(|_| {
                not_a_batch(commands, "an aligned array (numpy.require(..., requirements='A'))")
            })?
        };
        let (book, publisher) = (&mut self.book, &mut self.publisher);
        let (out, next_id) = py.detach(|| {
            let mut out = Vec::with_capacity(rows.len().saturating_mul(96));
            let next_id = batch::run(book, rows, &mut out, publisher);
            (out, next_id)
        });
        self.next_order_id = self.next_order_id.max(next_id);
        self.publish();
        self.raise_failure()?;
        PyArray1::from_vec(py, out).call_method1(intern!(py, "view"), (batch::report_dtype(py)?,))
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.to_bytes())
    }

    #[staticmethod]
    #[pyo3(signature = (snapshot, *, policy=None))]
    fn restore(py: Python<'_>, snapshot: &[u8], policy: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut restored = OrderBook::from_bytes(snapshot)
            .map_err(|reason| error(py, "InputError", format!("field 'snapshot': {reason}")))?;
        let expected = match (restored.book.policy().is_missing(), policy) {
            (true, Some(policy)) => {
                *restored.book.policy_mut() = BookPolicy::from_python(Some(policy))?;
                return Ok(restored);
            }
            (false, None) => return Ok(restored),
            (true, None) => "the policy, which is written in Python and not part of the snapshot",
            (false, Some(_)) => "None: the snapshot has its policy",
        };
        let found = policy.map_or_else(|| py.None().into_bound(py), Clone::clone);
        Err(bad_input("policy", &found, expected))
    }

    /// The publisher shows as many levels as the first reader asked for.
    #[pyo3(signature = (levels=10))]
    fn reader(&mut self, levels: usize) -> PyResult<BookReader> {
        let publisher = self.publisher.get_or_insert_with(|| DepthPublisher::new(levels));
        publisher.publish(&self.book);
        Ok(BookReader { reader: publisher.reader(), units: self.units })
    }

    /// The hash covers orders, units and the next id.
    #[getter]
    fn state_hash(&self) -> String {
        format!("{:032x}", openbell_kernel::hash::entity_hash("order book", 0, &self.to_bytes()))
    }

    fn __len__(&self) -> usize {
        self.book.len()
    }

    fn __contains__(&self, order_id: &Bound<'_, PyAny>) -> bool {
        order_id.extract::<u64>().is_ok_and(|order_id| self.book.contains(order_id))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let price = |level: Option<BookLevel>| match level {
            Some(level) => Ok(Bound::new(py, level)?.getattr("price")?.str()?.to_string()),
            None => PyResult::Ok("none".to_owned()),
        };
        let (bid, ask) = (price(self.best_bid())?, price(self.best_ask())?);
        Ok(format!("OrderBook(orders={}, bid={bid}, ask={ask})", self.book.len()))
    }
}

impl OrderBook {
    fn over(book: Book<BookPolicy>, units: Option<Units>, next_order_id: u64) -> Self {
        let recent = RecentAnswers::default();
        OrderBook { book: Box::new(book), publisher: None, units, next_order_id, recent }
    }

    fn publish(&mut self) {
        if let Some(publisher) = &mut self.publisher {
            publisher.publish(&self.book);
        }
    }

    /// Raises what ended a command early: an error of a policy written in Python.
    fn raise_failure(&mut self) -> PyResult<()> {
        self.book.policy_mut().take_failure().map_or(Ok(()), Err)
    }

    /// Runs one command; a refusal becomes a report like the others.
    fn gather<'py>(
        &mut self,
        py: Python<'py>,
        order_id: u64,
        act: impl FnOnce(&mut Book<BookPolicy>, &mut Gathered) -> Result<i64, Refusal>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let mut gathered = Gathered::default();
        let result = act(&mut self.book, &mut gathered);
        self.publish();
        self.raise_failure()?;
        match result {
            Err(refusal) => refused(py, self.units, RefusedCommand::new(order_id, &refusal)),
            Ok(_) => gathered.into_tuple(py, self.units, &mut self.recent),
        }
    }

    fn level(&self, value: openbell_kernel::book::Level) -> BookLevel {
        BookLevel { value, units: self.units }
    }

    fn id_or_next(&self, order_id: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
        order_id.map_or(Ok(self.next_order_id), id_of)
    }

    fn price_units(&self, order_id: u64, value: &Bound<'_, PyAny>) -> PyResult<InUnits> {
        match self.units {
            None => integer_of("price", value).map(Ok),
            Some(units) => {
                let rules = [Rule::PriceMustBeOnTick, Rule::FieldMustBeInRange];
                Ok(in_units(order_id, decimal_of("price", value)?, units.tick, rules))
            }
        }
    }

    fn quantity_units(&self, order_id: u64, value: &Bound<'_, PyAny>) -> PyResult<InUnits> {
        match self.units {
            None => integer_of("quantity", value).map(Ok),
            Some(units) => {
                let rules = [Rule::QuantityMustBeOnLot, Rule::QuantityMustBeInBounds];
                Ok(in_units(order_id, decimal_of("quantity", value)?, units.lot, rules))
            }
        }
    }

    /// An order that rests and does nothing else is answered at once, without its report being gathered and copied.
    fn submit_order<'py>(&mut self, py: Python<'py>, order: &NewOrder) -> PyResult<Bound<'py, PyTuple>> {
        if self.book.rest_plainly(order, &mut Silent) {
            self.publish();
            self.next_order_id = self.next_order_id.max(order.order_id.saturating_add(1));
            return self.recent.accepted(py, order, self.units);
        }
        self.submit_any(py, order)
    }

    /// Any order: it may trade, be canceled or be refused.
    #[inline(never)]
    fn submit_any<'py>(&mut self, py: Python<'py>, order: &NewOrder) -> PyResult<Bound<'py, PyTuple>> {
        let mut taken = false;
        let reports = self.gather(py, order.order_id, |book, gathered| {
            let rests = book.submit(order, gathered)?;
            taken = true;
            Ok(rests)
        });
        if taken {
            self.next_order_id = self.next_order_id.max(order.order_id.saturating_add(1));
        }
        reports
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = StateWriter::new();
        out.u8(SNAPSHOT_VERSION);
        out.bool(self.units.is_some());
        if let Some(units) = self.units {
            for unit in [units.tick, units.lot] {
                out.i128(unit.mantissa);
                out.i64(i64::from(unit.exponent));
            }
        }
        out.u64(self.next_order_id);
        self.book.write(&mut out);
        out.into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let mut input = StateReader::new(bytes);
        let version = input.u8()?;
        if version != SNAPSHOT_VERSION {
            return Err(input.invalid("version of a book's snapshot", u64::from(version)));
        }
        let has_units = input.bool()?;
        let units = if has_units {
            Some(Units { tick: read_unit(&mut input)?, lot: read_unit(&mut input)? })
        } else {
            None
        };
        let next_order_id = input.u64()?;
        let restored = OrderBook::over(Book::read(&mut input)?, units, next_order_id);
        input.finish()?;
        Ok(restored)
    }
}

fn refused<'py>(
    py: Python<'py>,
    units: Option<Units>,
    value: RefusedCommand,
) -> PyResult<Bound<'py, PyTuple>> {
    PyTuple::new(py, [Py::new(py, BookRefused { value, units })?])
}

fn read_unit(input: &mut StateReader<'_>) -> Result<Decimal, StateError> {
    let (mantissa, exponent) = (input.i128()?, input.i64()?);
    match i32::try_from(exponent) {
        Ok(exponent) if mantissa > 0 && exponent.abs() <= units::MAX_EXPONENT => {
            Ok(Decimal { mantissa, exponent })
        }
        _ => Err(input.invalid("tick or lot", exponent as u64)),
    }
}

/// `rules` are broken by a value off the unit, and by one too large.
fn in_units(order_id: u64, value: Decimal, unit: Decimal, rules: [Rule; 2]) -> InUnits {
    let refused = |rule, limit| {
        let actual = Figure::Exact(value);
        Err(Box::new(RefusedCommand { order_id, rule, limit, actual }))
    };
    match value.in_units_of(unit) {
        Ok(units) => Ok(units),
        Err(NotUnits::OffUnit) => refused(rules[0], Figure::Exact(unit)),
        Err(NotUnits::TooLarge) => {
            let most = if rules[1] == Rule::FieldMustBeInRange { MAX_PRICE } else { MAX_UNITS };
            refused(rules[1], Figure::Units(i128::from(most)))
        }
    }
}

fn id_of(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    // Python reads a signed number of 64 bits several times faster than an unsigned one.
    if let Ok(id) = value.extract::<i64>()
        && let Ok(id) = u64::try_from(id)
    {
        return Ok(id);
    }
    value.extract::<u64>().map_err(|_| bad_input("order_id", value, "a whole number from 0 to 2^64 - 1"))
}

/// The number of a term given as a number (an `IntEnum` too) or by name.
fn term_of<T>(
    field: &str,
    value: &Bound<'_, PyAny>,
    from_number: fn(u8) -> Option<T>,
    from_name: impl Fn(&str) -> Option<T>,
    expected: &str,
) -> PyResult<T> {
    // A plain number is told by its type alone; whether something is a string has to be asked.
    let term = if let Ok(number) = value.cast_exact::<PyInt>() {
        number.extract::<i64>().ok().and_then(|number| u8::try_from(number).ok()).and_then(from_number)
    } else if let Ok(name) = value.cast::<PyString>() {
        from_name(&name.to_cow()?.to_ascii_uppercase())
    } else {
        value.extract::<u8>().ok().and_then(from_number)
    };
    term.ok_or_else(|| bad_input(field, value, expected))
}

fn side_of(value: &Bound<'_, PyAny>) -> PyResult<Side> {
    let from_name = |name: &str| Side::ALL.iter().copied().find(|side| side.name() == name);
    term_of("side", value, Side::from_number, from_name, "Side.BUY, Side.SELL, 'BUY' or 'SELL'")
}

fn time_in_force_of(value: Option<&Bound<'_, PyAny>>) -> PyResult<TimeInForce> {
    let Some(value) = value else { return Ok(TimeInForce::Gtc) };
    let from_name = |name: &str| TimeInForce::ALL.iter().copied().find(|term| term.name() == name);
    let expected = "a TimeInForce or its name: 'GTC', 'DAY', 'IOC', 'FOK'";
    term_of("time_in_force", value, TimeInForce::from_number, from_name, expected)
}

fn not_a_batch(value: &Bound<'_, PyAny>, expected: &str) -> PyErr {
    let name = value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let dtype = value.getattr("dtype").and_then(|dtype| dtype.repr()).map(|text| format!(" of {text}"));
    let found = format!("{name}{}", dtype.unwrap_or_default());
    error(value.py(), "InputError", format!("field 'commands': found {found}, expected {expected}"))
}

/// A one-dimensional array of `COMMAND_DTYPE`.
fn check_batch(commands: &Bound<'_, PyAny>) -> PyResult<()> {
    let expected = "a one-dimensional NumPy array of COMMAND_DTYPE";
    let array = commands.cast::<PyUntypedArray>().map_err(|_| not_a_batch(commands, expected))?;
    let dtype = batch::command_dtype(commands.py())?;
    if array.ndim() != 1 || !(array.dtype().is(&dtype) || array.dtype().as_any().eq(dtype)?) {
        return Err(not_a_batch(commands, expected));
    }
    if !array.is_c_contiguous() {
        return Err(not_a_batch(commands, "a contiguous array (numpy.ascontiguousarray)"));
    }
    if array.len() > MAX_BATCH {
        return Err(not_a_batch(commands, "at most 2^32 - 1 rows"));
    }
    Ok(())
}

/// The dtype of commands; see `openbell.kernel.order_book`.
#[pyfunction]
fn book_command_dtype(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    batch::command_dtype(py)
}

/// The dtype of reports; see `openbell.kernel.order_book`.
#[pyfunction]
fn book_report_dtype(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    batch::report_dtype(py)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<OrderBook>()?;
    module.add_class::<AllocationPolicy>()?;
    module.add_class::<BookReader>()?;
    module.add_class::<BookAccepted>()?;
    module.add_class::<BookTrade>()?;
    module.add_class::<BookCanceled>()?;
    module.add_class::<BookReplaced>()?;
    module.add_class::<BookRefused>()?;
    module.add_class::<BookLevel>()?;
    module.add_class::<BookOrder>()?;
    module.add_class::<QueuePosition>()?;
    module.add_function(wrap_pyfunction!(book_command_dtype, module)?)?;
    module.add_function(wrap_pyfunction!(book_report_dtype, module)?)
}

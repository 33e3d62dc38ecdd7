//! What hooks receive: immutable objects that may be kept.

use openbell_kernel::event::{FillPayload, OrderFilled};
use openbell_kernel::observation::{QuoteObserved, TradeObserved};
use openbell_kernel::record::{Body, Slot, flags, payload};
use openbell_kernel::terms::{Liquidity, Side};
use openbell_kernel::{bars, instrument};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// A closed bar. Prices and volume are floats to read.
#[pyclass(frozen, module = "openbell")]
pub struct Bar {
    #[pyo3(get)]
    instrument: Py<PyAny>,
    #[pyo3(get)]
    open: f64,
    #[pyo3(get)]
    high: f64,
    #[pyo3(get)]
    low: f64,
    #[pyo3(get)]
    close: f64,
    #[pyo3(get)]
    volume: f64,
    /// When it became known, UTC nanoseconds.
    #[pyo3(get)]
    time: u64,
    #[pyo3(get)]
    open_time: u64,
    #[pyo3(get)]
    close_time: u64,
    #[pyo3(get)]
    interval_ns: u64,
    /// Trades in it, 0 where the data does not say.
    #[pyo3(get)]
    trades: u64,
}

impl Bar {
    pub fn new(head: &Slot, bar: &bars::Bar, terms: &instrument::Instrument, object: Py<PyAny>) -> Self {
        Bar {
            instrument: object,
            open: terms.price_as_f64(bar.open),
            high: terms.price_as_f64(bar.high),
            low: terms.price_as_f64(bar.low),
            close: terms.price_as_f64(bar.close),
            volume: terms.quantity_as_f64(bar.volume),
            time: head.time,
            open_time: bar.open_time,
            close_time: bar.close_time,
            interval_ns: bar.interval_ns,
            trades: bar.trades,
        }
    }
}

#[pymethods]
impl Bar {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let symbol: String = self.instrument.getattr(py, "symbol")?.extract(py)?;
        let Bar { open, high, low, close, volume, open_time, .. } = self;
        Ok(format!(
            "Bar({symbol} open_time={open_time} open={open} high={high} low={low} close={close} volume={volume})"
        ))
    }
}

/// Best bid and offer. A side without orders is `None`.
#[pyclass(frozen, module = "openbell")]
pub struct Quote {
    #[pyo3(get)]
    instrument: Py<PyAny>,
    #[pyo3(get)]
    bid: Option<f64>,
    #[pyo3(get)]
    bid_quantity: f64,
    #[pyo3(get)]
    ask: Option<f64>,
    #[pyo3(get)]
    ask_quantity: f64,
    #[pyo3(get)]
    time: u64,
}

impl Quote {
    pub fn new(head: &Slot, terms: &instrument::Instrument, object: Py<PyAny>) -> Self {
        let body = QuoteObserved::of(head);
        let best = |side| body.best(side, terms.negative_prices).map(|(price, _)| terms.price_as_f64(price));
        Quote {
            instrument: object,
            bid: best(Side::Buy),
            bid_quantity: terms.quantity_as_f64(body.bid_quantity),
            ask: best(Side::Sell),
            ask_quantity: terms.quantity_as_f64(body.ask_quantity),
            time: head.time,
        }
    }
}

#[pymethods]
impl Quote {
    /// Halfway between bid and offer; `None` where a side is empty.
    #[getter]
    fn mid(&self) -> Option<f64> {
        Some((self.bid? + self.ask?) / 2.0)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let symbol: String = self.instrument.getattr(py, "symbol")?.extract(py)?;
        let side = |price: Option<f64>| price.map_or("none".to_owned(), |price| price.to_string());
        Ok(format!(
            "Quote({symbol} {} x {} / {} x {} time={})",
            self.bid_quantity,
            side(self.bid),
            side(self.ask),
            self.ask_quantity,
            self.time
        ))
    }
}

/// A trade printed by a feed.
#[pyclass(frozen, module = "openbell")]
pub struct Trade {
    #[pyo3(get)]
    instrument: Py<PyAny>,
    #[pyo3(get)]
    price: f64,
    #[pyo3(get)]
    quantity: f64,
    side: Side,
    #[pyo3(get)]
    trade_id: u64,
    #[pyo3(get)]
    time: u64,
    #[pyo3(get)]
    exchange_time: u64,
}

impl Trade {
    pub fn new(head: &Slot, terms: &instrument::Instrument, object: Py<PyAny>) -> Self {
        let body = TradeObserved::of(head);
        Trade {
            instrument: object,
            price: terms.price_as_f64(body.price),
            quantity: terms.quantity_as_f64(body.quantity),
            side: side_of(head),
            trade_id: body.trade_id,
            time: head.time,
            exchange_time: body.exchange_time,
        }
    }
}

#[pymethods]
impl Trade {
    /// `Side` of the aggressor.
    #[getter]
    fn side<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        term(py, "Side", self.side as u8)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let symbol: String = self.instrument.getattr(py, "symbol")?.extract(py)?;
        Ok(format!("Trade({symbol} {} x {} time={})", self.quantity, self.price, self.time))
    }
}

/// One order's side of a trade.
#[pyclass(frozen, module = "openbell")]
pub struct Fill {
    #[pyo3(get)]
    instrument: Py<PyAny>,
    #[pyo3(get)]
    order_id: u64,
    #[pyo3(get)]
    client_order_id: u64,
    #[pyo3(get)]
    trade_id: u64,
    side: Side,
    liquidity: Liquidity,
    #[pyo3(get)]
    price_units: i64,
    #[pyo3(get)]
    quantity_units: i64,
    leaves_units: i64,
    cumulative_units: i64,
    /// In 10^-9 of the account's currency. In a fee model's hands it is 0: that is the question.
    #[pyo3(get)]
    fee_nano: i64,
    #[pyo3(get)]
    time: u64,
    #[pyo3(get)]
    venue_time: u64,
}

fn side_of(head: &Slot) -> Side {
    if head.has(flags::SELL) { Side::Sell } else { Side::Buy }
}

/// A fill before its fee is known.
pub struct FillInQuestion {
    pub order_id: u64,
    pub client_order_id: u64,
    pub trade_id: u64,
    pub side: Side,
    pub liquidity: Liquidity,
    pub price: i64,
    pub quantity: i64,
    pub time: u64,
    pub venue_time: u64,
}

impl Fill {
    pub fn of_event(event: &[Slot], object: Py<PyAny>) -> Option<Self> {
        let head = event.first()?;
        let body = OrderFilled::of(head);
        let rest: FillPayload = payload(event)?;
        Some(Fill {
            instrument: object,
            order_id: body.order_id,
            client_order_id: rest.client_order_id,
            trade_id: rest.trade_id,
            side: side_of(head),
            liquidity: if head.has(flags::MAKER) { Liquidity::Maker } else { Liquidity::Taker },
            price_units: body.last_price,
            quantity_units: body.last_quantity,
            leaves_units: body.leaves_quantity,
            cumulative_units: rest.cumulative_quantity,
            fee_nano: rest.fee_nano,
            time: head.time,
            venue_time: rest.venue_time,
        })
    }

    pub fn in_question(fill: &FillInQuestion, object: Py<PyAny>) -> Self {
        Fill {
            instrument: object,
            order_id: fill.order_id,
            client_order_id: fill.client_order_id,
            trade_id: fill.trade_id,
            side: fill.side,
            liquidity: fill.liquidity,
            price_units: fill.price,
            quantity_units: fill.quantity,
            leaves_units: 0,
            cumulative_units: fill.quantity,
            fee_nano: 0,
            time: fill.time,
            venue_time: fill.venue_time,
        }
    }

    pub fn client_order_id(&self) -> u64 {
        self.client_order_id
    }

    fn quantity_of<'py>(&self, py: Python<'py>, units: i64) -> PyResult<Bound<'py, PyAny>> {
        self.instrument.bind(py).call_method1("quantity", (units,))
    }
}

#[pymethods]
impl Fill {
    /// `Side` of the order.
    #[getter]
    fn side<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        term(py, "Side", self.side as u8)
    }

    /// Whether it gave or took liquidity.
    #[getter]
    fn liquidity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        term(py, "Liquidity", self.liquidity as u8)
    }

    /// Exact `Price`.
    #[getter]
    fn price<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.instrument.bind(py).call_method1("price", (self.price_units,))
    }

    /// Exact `Quantity`.
    #[getter]
    fn quantity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.quantity_of(py, self.quantity_units)
    }

    /// What is left of the order.
    #[getter]
    fn leaves_quantity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.quantity_of(py, self.leaves_units)
    }

    /// What the order traded so far.
    #[getter]
    fn cumulative_quantity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.quantity_of(py, self.cumulative_units)
    }

    /// Exact value of the fill in the instrument's currency, as `Money`.
    #[getter]
    fn notional<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.instrument.bind(py).call_method1("notional", (self.price_units, self.quantity_units))
    }

    /// What it cost, as `Money`.
    #[getter]
    fn fee<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let currency = self.instrument.getattr(py, "currency")?;
        static MONEY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        MONEY
            .import(py, "openbell.model.quantities", "Money")?
            .call_method1("from_nano", (self.fee_nano, currency))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let symbol: String = self.instrument.getattr(py, "symbol")?.extract(py)?;
        let (price, quantity) = (self.price(py)?.str()?, self.quantity(py)?.str()?);
        Ok(format!(
            "Fill({} {quantity} {symbol} at {price}, order {})",
            self.side.name(),
            self.client_order_id
        ))
    }
}

/// Member `number` of the enum `class` of `openbell.model.terms`.
pub fn term<'py>(py: Python<'py>, class: &str, number: u8) -> PyResult<Bound<'py, PyAny>> {
    static TERMS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let terms = TERMS.get_or_try_init(py, || py.import("openbell.model.terms").map(Bound::unbind))?;
    terms.bind(py).getattr(class)?.call1((number,))
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Bar>()?;
    module.add_class::<Quote>()?;
    module.add_class::<Trade>()?;
    module.add_class::<Fill>()
}

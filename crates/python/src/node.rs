//! The node as one Python object: queue commands, run, read.

use std::sync::{Mutex, MutexGuard};
use std::thread::ThreadId;

use numpy::{PyArray1, PyReadonlyArray1};
use openbell_kernel::command::{
    AddBarInterval, AddIndicator, CancelAllOrders, CancelOrder, CancelTimer, ConfigureVenue, DefineCurrency,
    DepositCash, EngageKillSwitch, HaltTrading, InstrumentPayload, ListInstrument, OpenAccount, RegisterParticipant,
    ReleaseKillSwitch, ReplaceOrder, SetFeeSchedule, SetRiskLimit, StartTimer, StopParticipant, SubmitOrder,
    Subscribe, TextPayload, VenuePayload,
};
use openbell_kernel::engine::{Engine, FeeQuestion};
use openbell_kernel::node::{self, Input, Mode, Poll};
use openbell_kernel::record::{Body, RecordBuffer, Slot};
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{OrderType, Side, Sizing, TimeInForce};
use openbell_kernel::venue::Outcome;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zerocopy::{FromBytes, IntoBytes};

use crate::errors::{error, node_error};
use crate::events::{Fill, FillInQuestion};
use crate::hooks::{HookFailure, Hooks};
use crate::new_journal::NewJournal;
use crate::orders::OrderRecord;

/// Records between two looks at signals and at other Python threads.
const BUDGET: usize = 65_536;

/// The engine and the one loop around it. Every call must come from the thread that made it.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct Node {
    inner: Mutex<node::Node>,
    owner: ThreadId,
    failed_hook: Mutex<Option<(&'static str, u64, u64)>>,
    started: Mutex<Vec<u16>>,
}

type Guard<'a> = MutexGuard<'a, node::Node>;

impl Node {
    fn of(inner: node::Node) -> Self {
        Node {
            inner: Mutex::new(inner),
            owner: std::thread::current().id(),
            failed_hook: Mutex::new(None),
            started: Mutex::new(Vec::new()),
        }
    }

    fn lock(&self, py: Python<'_>) -> PyResult<Guard<'_>> {
        if std::thread::current().id() != self.owner {
            let message = "the engine was called from another thread than the one that runs it; hooks and helpers \
                of a strategy belong to one thread: hand work over with a queue and send orders from a hook";
            return Err(error(py, "StrategyError", message.to_owned()));
        }
        self.inner.lock().map_err(|_| error(py, "EngineStopped", "the engine panicked earlier".to_owned()))
    }

    fn command<B: Body>(&self, py: Python<'_>, head: Head, body: B) -> PyResult<()> {
        self.enqueue(py, head, RecordBuffer::new(body))
    }

    fn enqueue(&self, py: Python<'_>, head: Head, mut record: RecordBuffer) -> PyResult<()> {
        let slot = record.head_mut();
        (slot.account, slot.instrument, slot.source) = (head.account, head.instrument, head.participant);
        let mut node = self.lock(py)?;
        if head.participant == 0 {
            node.command(record);
        } else {
            node.participant_command(head.participant, record);
        }
        Ok(())
    }
}

/// Who sends a command, and about what.
#[derive(Clone, Copy, Default)]
struct Head {
    participant: u16,
    account: u32,
    instrument: u32,
}

fn mode_of(py: Python<'_>, name: &str) -> PyResult<Mode> {
    match name {
        "run" => Ok(Mode::Run),
        "replay" => Ok(Mode::Replay),
        "rerun" => Ok(Mode::Rerun),
        other => Err(error(py, "ConfigError", format!("mode is {other:?}; it must be run, replay or rerun"))),
    }
}

fn member<T>(py: Python<'_>, field: &str, number: u8, of: fn(u8) -> Option<T>) -> PyResult<T> {
    of(number).ok_or_else(|| error(py, "InputError", format!("{field} is {number}, which names none")))
}

/// The slots in `bytes`. An empty array has no address to speak of, so nothing is asked of it.
fn records_of<'a>(py: Python<'_>, bytes: &'a [u8]) -> PyResult<&'a [Slot]> {
    if bytes.is_empty() {
        return Ok(&[]);
    }
    <[Slot]>::ref_from_bytes(bytes).map_err(|_| {
        let message = format!("slots hold {} bytes, which are not aligned 64-byte slots", bytes.len());
        error(py, "InputError", message)
    })
}

#[pymethods]
impl Node {
    #[new]
    #[pyo3(signature = (*, shard=0, mode="run", journal=None, valuation_interval_ns=None))]
    fn new(
        py: Python<'_>,
        shard: u8,
        mode: &str,
        journal: Option<&NewJournal>,
        valuation_interval_ns: Option<u64>,
    ) -> PyResult<Self> {
        let sink = journal.map(|journal| journal.create(py, shard)).transpose()?;
        let mut inner = node::Node::new(shard, mode_of(py, mode)?, sink);
        if let Some(interval_ns) = valuation_interval_ns {
            inner.value_accounts_every(interval_ns);
        }
        Ok(Node::of(inner))
    }

    #[staticmethod]
    #[pyo3(signature = (snapshot, *, mode="run"))]
    fn restore(py: Python<'_>, snapshot: &[u8], mode: &str) -> PyResult<Self> {
        let mut reader = StateReader::new(snapshot);
        let engine = Engine::read(&mut reader).and_then(|engine| reader.finish().map(|()| engine));
        let engine = engine.map_err(|found| error(py, "JournalError", format!("not a snapshot: {found}")))?;
        Ok(Node::of(node::Node::from_engine(engine, mode_of(py, mode)?, None)))
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut writer = StateWriter::new();
        self.lock(py)?.engine().write(&mut writer);
        Ok(PyBytes::new(py, writer.as_slice()))
    }

    fn define_currency(&self, py: Python<'_>, currency: u32, code: &str) -> PyResult<()> {
        let mut record =
            RecordBuffer::new(DefineCurrency { currency: u64::from(currency), reserved: [0; 3] });
        record.push(TextPayload::new(code));
        self.enqueue(py, Head::default(), record)
    }

    #[pyo3(signature = (venue, kind, *, order_latency_ns=0, report_latency_ns=0, slippage=0, volume_share=0, options=0))]
    #[allow(clippy::too_many_arguments)]
    fn configure_venue(
        &self,
        py: Python<'_>,
        venue: u32,
        kind: u32,
        order_latency_ns: u64,
        report_latency_ns: u64,
        slippage: i64,
        volume_share: i64,
        options: u64,
    ) -> PyResult<()> {
        let mut record = RecordBuffer::new(ConfigureVenue { venue, kind, currency: 0, reserved: [0; 2] });
        record.push(VenuePayload { order_latency_ns, report_latency_ns, slippage, volume_share, options });
        self.enqueue(py, Head::default(), record)
    }

    #[pyo3(signature = (instrument, symbol, *, currency, price_unit_nano, quantity_unit_nano, multiplier_nano, tick, lot, venue))]
    #[allow(clippy::too_many_arguments)]
    fn list_instrument(
        &self,
        py: Python<'_>,
        instrument: u32,
        symbol: &str,
        currency: u32,
        price_unit_nano: i64,
        quantity_unit_nano: i64,
        multiplier_nano: i64,
        tick: i64,
        lot: i64,
        venue: u32,
    ) -> PyResult<()> {
        let body = ListInstrument { price_unit_nano, quantity_unit_nano, multiplier_nano, currency, venue };
        let mut record = RecordBuffer::new(body);
        record.push(InstrumentPayload { tick, lot, reserved: [0; 3] });
        record.push(TextPayload::new(symbol));
        self.enqueue(py, Head { instrument, ..Head::default() }, record)
    }

    #[pyo3(signature = (account, currency, *, shorting))]
    fn open_account(&self, py: Python<'_>, account: u32, currency: u32, shorting: bool) -> PyResult<()> {
        let body =
            OpenAccount { currency: u64::from(currency), shorting: u64::from(shorting), reserved: [0; 2] };
        self.command(py, Head { account, ..Head::default() }, body)
    }

    fn deposit_cash(&self, py: Python<'_>, account: u32, amount_nano: i64, currency: u32) -> PyResult<()> {
        let body = DepositCash { amount_nano, currency: u64::from(currency), reserved: [0; 2] };
        self.command(py, Head { account, ..Head::default() }, body)
    }

    #[pyo3(signature = (account, instrument, *, maker_rate, taker_rate, flat_nano=0, external=false))]
    #[allow(clippy::too_many_arguments)]
    fn set_fee_schedule(
        &self,
        py: Python<'_>,
        account: u32,
        instrument: u32,
        maker_rate: i64,
        taker_rate: i64,
        flat_nano: i64,
        external: bool,
    ) -> PyResult<()> {
        let body = SetFeeSchedule { maker_rate, taker_rate, flat_nano, external: u64::from(external) };
        self.command(py, Head { account, instrument, ..Head::default() }, body)
    }

    fn set_risk_limit(
        &self,
        py: Python<'_>,
        account: u32,
        instrument: u32,
        limit: u64,
        value: i64,
    ) -> PyResult<()> {
        let body = SetRiskLimit { limit, value, reserved: [0; 2] };
        self.command(py, Head { account, instrument, ..Head::default() }, body)
    }

    fn engage_kill_switch(&self, py: Python<'_>, account: u32, reason: u64) -> PyResult<()> {
        self.command(py, Head { account, ..Head::default() }, EngageKillSwitch { reason, reserved: [0; 3] })
    }

    fn release_kill_switch(&self, py: Python<'_>, account: u32, reason: u64) -> PyResult<()> {
        self.command(py, Head { account, ..Head::default() }, ReleaseKillSwitch { reason, reserved: [0; 3] })
    }

    /// Refuses new orders in `instrument` (0 = all) from now on.
    #[pyo3(signature = (instrument=0, reason=0))]
    fn halt_trading(&self, py: Python<'_>, instrument: u32, reason: u64) -> PyResult<()> {
        let head = Head { instrument, ..Head::default() };
        self.command(py, head, HaltTrading { reason, reserved: [0; 3] })
    }

    #[pyo3(signature = (participant, account, *, feed_latency_ns=0, history=0, warm_up=0))]
    fn register_participant(
        &self,
        py: Python<'_>,
        participant: u16,
        account: u32,
        feed_latency_ns: u64,
        history: u64,
        warm_up: u64,
    ) -> PyResult<()> {
        let mut record =
            RecordBuffer::new(RegisterParticipant { feed_latency_ns, history, warm_up, reserved: 0 });
        let head = record.head_mut();
        (head.source, head.account) = (participant, account);
        self.lock(py)?.command(record);
        Ok(())
    }

    fn subscribe(&self, py: Python<'_>, participant: u16, instrument: u32, wants: u64) -> PyResult<()> {
        let head = Head { participant, instrument, ..Head::default() };
        self.command(py, head, Subscribe { wants, reserved: [0; 3] })
    }

    fn add_indicator(
        &self,
        py: Python<'_>,
        participant: u16,
        index: u64,
        kind: u64,
        period: u64,
        every_ns: u64,
    ) -> PyResult<()> {
        let body = AddIndicator { indicator: index, kind, period, every_ns };
        self.command(py, Head { participant, ..Head::default() }, body)
    }

    fn add_bar_interval(&self, py: Python<'_>, participant: u16, every_ns: u64) -> PyResult<()> {
        let body = AddBarInterval { every_ns, reserved: [0; 3] };
        self.command(py, Head { participant, ..Head::default() }, body)
    }

    #[pyo3(signature = (participant, account, instrument, client_order_id, side, order_type, time_in_force, quantity, *,
        price=0, stop_price=0, sizing=0, options=0, expire_time=0, parent=0, partner=0, offset_nano=0))]
    #[allow(clippy::too_many_arguments)]
    fn submit_order(
        &self,
        py: Python<'_>,
        participant: u16,
        account: u32,
        instrument: u32,
        client_order_id: u64,
        side: u8,
        order_type: u8,
        time_in_force: u8,
        quantity: i64,
        price: i64,
        stop_price: i64,
        sizing: u8,
        options: u16,
        expire_time: u64,
        parent: u64,
        partner: u64,
        offset_nano: i64,
    ) -> PyResult<()> {
        let order = SubmitOrder {
            account,
            instrument,
            client_order_id,
            side: member(py, "side", side, Side::from_number)?,
            order_type: member(py, "order_type", order_type, OrderType::from_number)?,
            time_in_force: member(py, "time_in_force", time_in_force, TimeInForce::from_number)?,
            sizing: member(py, "sizing", sizing, Sizing::from_number)?,
            options,
            price,
            quantity,
            stop_price,
            expire_time,
            parent,
            partner,
            offset_nano,
        };
        self.enqueue(py, Head { participant, account, instrument }, order.to_record())
    }

    #[pyo3(signature = (participant, account, client_order_id, *, price=0, quantity=0, stop_price=0))]
    #[allow(clippy::too_many_arguments)]
    fn replace_order(
        &self,
        py: Python<'_>,
        participant: u16,
        account: u32,
        client_order_id: u64,
        price: i64,
        quantity: i64,
        stop_price: i64,
    ) -> PyResult<()> {
        let body = ReplaceOrder { client_order_id, price, quantity, stop_price };
        self.command(py, Head { participant, account, instrument: 0 }, body)
    }

    fn cancel_order(
        &self,
        py: Python<'_>,
        participant: u16,
        account: u32,
        client_order_id: u64,
    ) -> PyResult<()> {
        let body = CancelOrder { client_order_id, reserved: [0; 3] };
        self.command(py, Head { participant, account, instrument: 0 }, body)
    }

    #[pyo3(signature = (participant, account, instrument=0))]
    fn cancel_all_orders(
        &self,
        py: Python<'_>,
        participant: u16,
        account: u32,
        instrument: u32,
    ) -> PyResult<()> {
        self.command(py, Head { participant, account, instrument }, CancelAllOrders { reserved: [0; 4] })
    }

    #[pyo3(signature = (participant, timer_id, first_time, interval_ns=0))]
    fn start_timer(
        &self,
        py: Python<'_>,
        participant: u16,
        timer_id: u64,
        first_time: u64,
        interval_ns: u64,
    ) -> PyResult<()> {
        let body = StartTimer { timer_id, first_time, interval_ns, reserved: 0 };
        self.command(py, Head { participant, ..Head::default() }, body)
    }

    fn cancel_timer(&self, py: Python<'_>, participant: u16, timer_id: u64) -> PyResult<()> {
        let body = CancelTimer { timer_id, reserved: [0; 3] };
        self.command(py, Head { participant, ..Head::default() }, body)
    }

    fn stop_participant(&self, py: Python<'_>, participant: u16, reason: u64) -> PyResult<()> {
        let body = StopParticipant { reason, reserved: [0; 3] };
        self.command(py, Head { participant, ..Head::default() }, body)
    }

    /// Runs until `slots` and all queued commands are used up, calling hooks inline.
    #[pyo3(signature = (slots, source, hooks, fee_model=None))]
    fn run(
        &self,
        py: Python<'_>,
        slots: Option<PyReadonlyArray1<'_, u8>>,
        source: Option<u16>,
        hooks: Vec<Py<Hooks>>,
        fee_model: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let bytes = match &slots {
            Some(array) => array.as_slice().map_err(|_| {
                error(py, "InputError", "slots must be one contiguous array of bytes".to_owned())
            })?,
            None => &[],
        };
        let records = records_of(py, bytes)?;
        let mut at = 0;
        loop {
            py.check_signals()?;
            match self.poll(py, records, &mut at, source, hooks.is_empty())? {
                Poll::Idle => return Ok(()),
                Poll::Budget => {}
                Poll::Wake(participant) => self.wake(py, participant, &hooks)?,
                Poll::Fee(question) => self.assess(py, &question, &hooks, fee_model.as_ref())?,
            }
        }
    }

    /// Fires what is due up to `time`, in time order, and takes the engine's time there.
    fn advance_clock(&self, py: Python<'_>, time: u64) -> PyResult<()> {
        let mut node = self.lock(py)?;
        while let Some(due) = node.engine().next_due().filter(|due| *due <= time) {
            node.advance_clock(due).map_err(|found| node_error(py, &found))?;
        }
        if node.time() < time {
            node.advance_clock(time).map_err(|found| node_error(py, &found))?;
        }
        Ok(())
    }

    /// Tells the engine that the data ended.
    fn end_run(&self, py: Python<'_>) -> PyResult<()> {
        self.lock(py)?.end_run().map_err(|found| node_error(py, &found))
    }

    /// Commits and ends the journal on purpose.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.lock(py)?.close().map_err(|found| node_error(py, &found))
    }

    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        self.lock(py)?.commit().map_err(|found| node_error(py, &found))
    }

    fn take_output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let output = self.lock(py)?.take_output();
        Ok(PyArray1::from_slice(py, output.as_bytes()))
    }

    /// Account valuations since the last call, ten words each: time, account, then low and high half of cash,
    /// equity, gross and net exposure.
    fn take_valuations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u64>>> {
        let taken = self.lock(py)?.take_valuations();
        let mut words = Vec::with_capacity(taken.len() * 10);
        for of in &taken {
            words.extend([of.time, u64::from(of.account)]);
            for amount in [of.cash, of.equity, of.gross_exposure, of.net_exposure] {
                words.extend([amount as u64, (amount >> 64) as u64]);
            }
        }
        Ok(PyArray1::from_vec(py, words))
    }

    /// Values every account now; the figures come with `take_valuations`.
    fn value_accounts(&self, py: Python<'_>) -> PyResult<()> {
        self.lock(py)?.value_accounts();
        Ok(())
    }

    #[getter]
    fn sequence(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.lock(py)?.sequence())
    }

    #[getter]
    fn durable_sequence(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.lock(py)?.durable_sequence())
    }

    #[getter]
    fn time(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.lock(py)?.time())
    }

    #[getter]
    fn output_hash(&self, py: Python<'_>) -> PyResult<u128> {
        Ok(self.lock(py)?.output_hash())
    }

    fn state_hash(&self, py: Python<'_>) -> PyResult<u128> {
        Ok(self.lock(py)?.state_hash())
    }

    /// (hook, sequence, time) of the exception that ended `run`.
    #[getter]
    fn failed_hook(&self) -> Option<(&'static str, u64, u64)> {
        self.failed_hook.lock().ok().and_then(|failed| *failed)
    }

    fn order(&self, py: Python<'_>, account: u32, client_order_id: u64) -> PyResult<Option<OrderRecord>> {
        let node = self.lock(py)?;
        Ok(node.engine().orders().by_client_id(account, client_order_id).map(OrderRecord::from))
    }

    #[pyo3(signature = (account, instrument=0))]
    fn open_orders(&self, py: Python<'_>, account: u32, instrument: u32) -> PyResult<Vec<OrderRecord>> {
        let node = self.lock(py)?;
        let concerns = |of: &u32| instrument == 0 || *of == instrument;
        let open = node.engine().orders().open();
        Ok(open
            .filter(|order| order.request.account == account && concerns(&order.request.instrument))
            .map(OrderRecord::from)
            .collect())
    }

    /// (quantity, cost, realized, fees) of a position, money in 10^-9.
    fn position(&self, py: Python<'_>, account: u32, instrument: u32) -> PyResult<(i64, i128, i128, i128)> {
        let node = self.lock(py)?;
        let position =
            node.engine().portfolio().account(account).and_then(|account| account.positions.get(&instrument));
        Ok(position.map_or((0, 0, 0, 0), |of| (of.quantity, of.cost, of.realized, of.fees)))
    }

    fn cash(&self, py: Python<'_>, account: u32) -> PyResult<i128> {
        let node = self.lock(py)?;
        let account = node.engine().portfolio().account(account);
        Ok(account.map_or(0, |account| account.cash_in(account.currency)))
    }

    fn equity(&self, py: Python<'_>, account: u32) -> PyResult<Option<i128>> {
        let node = self.lock(py)?;
        let engine = node.engine();
        Ok(engine.portfolio().equity(account, engine.instruments(), engine.marks()))
    }

    fn mark(&self, py: Python<'_>, instrument: u32) -> PyResult<Option<i64>> {
        Ok(self.lock(py)?.engine().marks().get(instrument))
    }

    fn indicator(
        &self,
        py: Python<'_>,
        participant: u16,
        index: usize,
        instrument: u32,
    ) -> PyResult<(Option<f64>, Option<f64>)> {
        let node = self.lock(py)?;
        let participant = node.engine().participants().get(participant);
        Ok(participant.map_or((None, None), |of| of.view.indicator(index, instrument)))
    }

    /// The last closed bars, oldest first, one row of nine 8-byte words each.
    fn bars<'py>(
        &self,
        py: Python<'py>,
        participant: u16,
        instrument: u32,
        every_ns: u64,
        count: usize,
    ) -> PyResult<Option<Bound<'py, PyArray1<u64>>>> {
        let node = self.lock(py)?;
        let participants = node.engine().participants();
        let bars = participants.get(participant).and_then(|of| of.view.bars(instrument, every_ns));
        let terms = node.engine().instruments().get(instrument);
        let (Some(bars), Some(terms)) = (bars, terms) else { return Ok(None) };
        let mut words = Vec::with_capacity(count.min(bars.len()) * 9);
        for bar in bars.iter().skip(bars.len().saturating_sub(count)) {
            words.extend([bar.open_time, bar.close_time, bar.interval_ns, bar.trades]);
            words.extend(
                [bar.open, bar.high, bar.low, bar.close].map(|price| terms.price_as_f64(price).to_bits()),
            );
            words.push(terms.quantity_as_f64(bar.volume).to_bits());
        }
        Ok(Some(PyArray1::from_vec(py, words)))
    }
}

impl Node {
    fn poll(
        &self,
        py: Python<'_>,
        records: &[Slot],
        at: &mut usize,
        source: Option<u16>,
        is_alone: bool,
    ) -> PyResult<Poll> {
        let mut node = self.lock(py)?;
        let mut input = Input::resume(records, *at, source);
        // Without Python participants nothing needs the interpreter for the whole batch.
        let polled = if is_alone {
            let (node, input) = (&mut *node, &mut input);
            py.detach(|| node.poll(input, BUDGET))
        } else {
            node.poll(&mut input, BUDGET)
        };
        *at = input.at();
        polled.map_err(|found| node_error(py, &found))
    }

    fn wake(&self, py: Python<'_>, participant: u16, hooks: &[Py<Hooks>]) -> PyResult<()> {
        let Some(hooks) = hooks.iter().map(Py::get).find(|hooks| hooks.participant == participant) else {
            return Ok(());
        };
        let (news, instruments) = {
            let mut node = self.lock(py)?;
            (node.take_news(), node.engine().shared_instruments())
        };
        let is_first = self.is_first_wake(participant);
        let called = if is_first { hooks.start(py) } else { Ok(()) };
        let called = called.and_then(|()| hooks.show(py, &news, &instruments));
        self.lock(py)?.return_news(news);
        called.map_err(|failure| self.note_failure(py, failure))
    }

    fn is_first_wake(&self, participant: u16) -> bool {
        let Ok(mut started) = self.started.lock() else { return false };
        let is_first = !started.contains(&participant);
        if is_first {
            started.push(participant);
        }
        is_first
    }

    fn note_failure(&self, py: Python<'_>, failure: HookFailure) -> PyErr {
        let place = self.lock(py).map(|node| (node.sequence(), node.time())).unwrap_or_default();
        if let Ok(mut failed) = self.failed_hook.lock() {
            *failed = Some((failure.hook, place.0, place.1));
        }
        failure.error
    }

    /// Asks the fee model about the fill that waits.
    fn assess(
        &self,
        py: Python<'_>,
        question: &FeeQuestion,
        hooks: &[Py<Hooks>],
        fee_model: Option<&Py<PyAny>>,
    ) -> PyResult<()> {
        let Some(model) = fee_model else {
            let message = "a fill waits for the fee of a Python model and none was given".to_owned();
            return Err(error(py, "ConfigError", message));
        };
        let (instrument, fill) = self.fill_in_question(py, question)?;
        let object = hooks.iter().find_map(|hooks| hooks.get().object(py, instrument));
        let object = object.unwrap_or_else(|| py.None());
        let fee = model
            .call1(py, (Fill::in_question(&fill, object),))
            .map_err(|raised| self.note_failure(py, HookFailure { hook: "FeeModel.fee", error: raised }))?;
        let fee_nano: i64 = fee.extract(py)?;
        self.lock(py)?.answer_fee(fee_nano);
        Ok(())
    }

    fn fill_in_question(&self, py: Python<'_>, question: &FeeQuestion) -> PyResult<(u32, FillInQuestion)> {
        let node = self.lock(py)?;
        let report = &question.report;
        let order = node.engine().orders().get(report.order_id);
        let (Some(order), Outcome::Filled { trade_id, price, quantity, liquidity, .. }) =
            (order, report.outcome)
        else {
            return Err(error(py, "EngineStopped", "a fee was asked for a fill of no order".to_owned()));
        };
        let is_sell = if order.request.sizing == Sizing::TargetPercent {
            quantity < 0
        } else {
            order.request.side == Side::Sell
        };
        let fill = FillInQuestion {
            order_id: report.order_id,
            client_order_id: order.request.client_order_id,
            trade_id,
            side: if is_sell { Side::Sell } else { Side::Buy },
            liquidity,
            price,
            quantity: quantity.abs(),
            time: node.time(),
            venue_time: report.venue_time,
        };
        Ok((order.request.instrument, fill))
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Node>()
}

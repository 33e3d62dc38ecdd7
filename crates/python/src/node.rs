//! The node as one Python object: queue commands, run, read.

mod guard;
mod holdings;
mod outbox;
mod rows;
mod running;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::MutexGuard;

use numpy::PyArray1;
use openbell_kernel::command::{
    AddBarInterval, AddIndicator, CancelAllOrders, CancelOrder, CancelTimer, ConfigureVenue, DefineCurrency,
    DepositCash, EngageKillSwitch, HaltTrading, InstrumentPayload, ListInstrument, MassCancel, OpenAccount,
    RegisterParticipant, ReleaseKillSwitch, ReplaceOrder, ResumeTrading, SetFeeSchedule, SetMatchingPolicy,
    SetReferencePrice, SetRiskLimit, StartTimer, StopParticipant, SubmitOrder, Subscribe, VenuePayload,
    WithdrawCash, instrument_options,
};
use openbell_kernel::node::{self, Mode};
use openbell_kernel::observation::ParticipantSaved;
use openbell_kernel::orders::Order;
use openbell_kernel::record::{Body, RecordBuffer};
use openbell_kernel::state::{StateReader, StateWriter};
use openbell_kernel::terms::{OrderType, Side, Sizing, TimeInForce};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::{member, text};
use crate::arrays::{Row, SlotArray, slot_array};
use crate::errors::error;
use crate::hooks::Hooks;
use crate::new_journal::NewJournal;
use crate::orders::{ClosedOrders, OrderRecord};
use crate::snapshots::state_at;
use crate::special_terms::{self, SpecialTerms};
use guard::{FailedHook, Guarded, Inner};
use outbox::OutboxRow;
use rows::{BarRow, ValuationRow};
use running::Run;

/// The engine and the one loop around it. Every call must come from the thread that made it.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct Node {
    guarded: Guarded,
}

impl Node {
    pub fn of(inner: node::Node) -> Self {
        Node { guarded: Guarded::new(inner) }
    }

    /// Moves the node out; every later call fails for this reason.
    ///
    /// # Errors
    /// As every call: one that failed, or is at work.
    pub fn retire(&self, py: Python<'_>, reason: &str) -> PyResult<node::Node> {
        self.guarded.retire(py, reason)
    }

    fn read(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Inner>> {
        self.guarded.read(py)
    }

    fn command<B: Body>(&self, py: Python<'_>, head: Head, body: B) -> PyResult<()> {
        self.enqueue(py, head, RecordBuffer::new(body))
    }

    fn enqueue(&self, py: Python<'_>, head: Head, mut record: RecordBuffer) -> PyResult<()> {
        let slot = record.head_mut();
        (slot.account, slot.instrument, slot.source) = (head.account, head.instrument, head.participant);
        let mut inner = self.guarded.change(py)?;
        if head.participant == 0 {
            inner.node.command(record);
        } else {
            inner.node.participant_command(head.participant, record);
        }
        Ok(())
    }
}

/// Open orders, closed orders.
type AccountOrders = (Vec<OrderRecord>, Vec<OrderRecord>);

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
        let node = node::Node::read_state(&mut reader, mode_of(py, mode)?);
        let node = node.and_then(|node| reader.finish().map(|()| node));
        node.map(Node::of).map_err(|found| error(py, "JournalError", format!("not a snapshot: {found}")))
    }

    /// The state after a record of a journal, from the nearest snapshot before it.
    #[staticmethod]
    #[pyo3(signature = (journal, sequence, snapshots=None, *, configuration=0))]
    fn at(
        py: Python<'_>,
        journal: PathBuf,
        sequence: u64,
        snapshots: Option<PathBuf>,
        configuration: u128,
    ) -> PyResult<Self> {
        state_at(py, &journal, snapshots.as_deref(), configuration, sequence).map(Node::of)
    }

    /// Records of these sequences are passed over from now on.
    fn pass_over(&self, py: Python<'_>, sequences: Vec<u64>) -> PyResult<()> {
        self.guarded.change(py)?.node.pass_over(sequences.into_iter().collect());
        Ok(())
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut writer = StateWriter::new();
        // Not of a node that failed: it would bring the failure back.
        self.guarded.change(py)?.node.write_state(&mut writer);
        Ok(PyBytes::new(py, writer.as_slice()))
    }

    /// Participants run again from here on.
    fn rerun(&self, py: Python<'_>) -> PyResult<()> {
        self.guarded.change(py)?.node.rerun();
        Ok(())
    }

    /// The journal has ended: what comes now is new.
    fn go_live(&self, py: Python<'_>) -> PyResult<()> {
        self.guarded.change(py)?.node.go_on();
        Ok(())
    }

    /// Queues the record that names a participant's saved state.
    fn participant_saved(&self, py: Python<'_>, participant: u16, sha256: &[u8]) -> PyResult<()> {
        let length = sha256.len();
        let sha256 = sha256
            .try_into()
            .map_err(|_| error(py, "InputError", format!("sha256 has {length} bytes; a SHA-256 has 32")))?;
        let mut record = RecordBuffer::new(ParticipantSaved { sha256 });
        record.head_mut().source = participant;
        self.guarded.change(py)?.node.command(record);
        Ok(())
    }

    fn define_currency(&self, py: Python<'_>, currency: u32, code: &str) -> PyResult<()> {
        let mut record =
            RecordBuffer::new(DefineCurrency { currency: u64::from(currency), reserved: [0; 3] });
        record.push(text(py, "code", code)?);
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

    #[pyo3(signature = (instrument, symbol, *, currency, price_unit_nano, quantity_unit_nano, multiplier_nano, tick, lot, venue,
        negative_prices=false))]
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
        negative_prices: bool,
    ) -> PyResult<()> {
        let body = ListInstrument { price_unit_nano, quantity_unit_nano, multiplier_nano, currency, venue };
        let mut record = RecordBuffer::new(body);
        let options = u64::from(negative_prices) * instrument_options::NEGATIVE_PRICES;
        record.push(InstrumentPayload { tick, lot, options, reserved: [0; 2] });
        record.push(text(py, "symbol", symbol)?);
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

    fn withdraw_cash(&self, py: Python<'_>, account: u32, amount_nano: i64, currency: u32) -> PyResult<()> {
        let body = WithdrawCash { amount_nano, currency: u64::from(currency), reserved: [0; 2] };
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

    fn halt_trading(&self, py: Python<'_>, instrument: u32, reason: u64) -> PyResult<()> {
        self.command(py, Head { instrument, ..Head::default() }, HaltTrading { reason, reserved: [0; 3] })
    }

    fn resume_trading(&self, py: Python<'_>, instrument: u32, reason: u64) -> PyResult<()> {
        self.command(py, Head { instrument, ..Head::default() }, ResumeTrading { reason, reserved: [0; 3] })
    }

    /// How an instrument of our own venue matches, while its book is empty.
    #[pyo3(signature = (instrument, policy, *, minimum=0))]
    fn set_matching_policy(
        &self,
        py: Python<'_>,
        instrument: u32,
        policy: u64,
        minimum: i64,
    ) -> PyResult<()> {
        let body = SetMatchingPolicy { policy, minimum, by_time: 0, leveling: 0, reserved: 0 };
        self.command(py, Head { instrument, ..Head::default() }, body)
    }

    /// The price that an instrument of our own venue is valued at until it trades.
    fn set_reference_price(&self, py: Python<'_>, instrument: u32, price: i64) -> PyResult<()> {
        let head = Head { instrument, ..Head::default() };
        self.command(py, head, SetReferencePrice { price, is_known: 0, reserved: [0; 2] })
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
        self.guarded.change(py)?.node.command(record);
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
        price=0, stop_price=0, sizing=0, options=0, expire_time=0, parent=0, partner=0, offset_nano=0, special=None, session=0))]
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
        special: Option<SpecialTerms>,
        session: u16,
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
            session,
            price,
            quantity,
            stop_price,
            expire_time,
            parent,
            partner,
            offset_nano,
        };
        let record = order.to_record_with(&special_terms::or_none(special));
        self.enqueue(py, Head { participant, account, instrument }, record)
    }

    #[pyo3(signature = (participant, account, client_order_id, *, price=0, quantity=0, stop_price=0, special=None))]
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
        special: Option<SpecialTerms>,
    ) -> PyResult<()> {
        let mut record = RecordBuffer::new(ReplaceOrder { client_order_id, price, quantity, stop_price });
        special_terms::or_none(special).push_new(&mut record);
        self.enqueue(py, Head { participant, account, instrument: 0 }, record)
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

    #[pyo3(signature = (participant, account=0, instrument=0, side=0, session=0))]
    fn mass_cancel(
        &self,
        py: Python<'_>,
        participant: u16,
        account: u32,
        instrument: u32,
        side: u64,
        session: u64,
    ) -> PyResult<()> {
        let body = MassCancel { side, participant: 0, session, reserved: 0 };
        self.command(py, Head { participant, account, instrument }, body)
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
    #[pyo3(signature = (slots, source, hooks, fee_model=None, policy=None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        slots: Option<&Bound<'py, PyAny>>,
        source: Option<u16>,
        hooks: Vec<Bound<'py, Hooks>>,
        fee_model: Option<&Bound<'py, PyAny>>,
        policy: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let slots = slots.map(|slots| SlotArray::new("slots", slots)).transpose()?;
        let records = slots.as_ref().map_or(&[][..], SlotArray::slots);
        let _running = self.guarded.begin_run(py, "Node.run")?;
        self.guarded.change(py)?.failed_hook = None;
        Run { py, guarded: &self.guarded, records, source, hooks: &hooks, fee_model, policy }.to_end()
    }

    /// Fires what is due up to `time`, in time order, and takes the engine's time there.
    fn advance_clock(&self, py: Python<'_>, time: u64) -> PyResult<()> {
        let _running = self.guarded.begin_run(py, "Node.advance_clock")?;
        self.guarded.drive(py, |inner| {
            while let Some(due) = inner.node.engine().next_due().filter(|due| *due <= time) {
                inner.node.advance_clock(due).map_err(Box::new)?;
            }
            if inner.node.time() < time {
                inner.node.advance_clock(time)?;
            }
            Ok(())
        })
    }

    /// Tells the engine that the data ended.
    fn end_run(&self, py: Python<'_>) -> PyResult<()> {
        let _running = self.guarded.begin_run(py, "Node.end_run")?;
        self.guarded.drive(py, |inner| inner.node.end_run().map_err(Box::new))
    }

    /// Commits and ends the journal on purpose.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let _running = self.guarded.begin_run(py, "Node.close")?;
        self.guarded.drive(py, |inner| inner.node.close().map_err(Box::new))
    }

    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        self.guarded.drive(py, |inner| inner.node.commit().map_err(Box::new))
    }

    fn take_output<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let output = self.read(py)?.node.take_output();
        Ok(slot_array(py, &output))
    }

    /// Account valuations since the last call.
    fn take_valuations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let taken = self.read(py)?.node.take_valuations();
        ValuationRow::array(py, taken.iter().map(ValuationRow::from))
    }

    /// Values every account now; the figures come with `take_valuations`.
    fn value_accounts(&self, py: Python<'_>) -> PyResult<()> {
        self.guarded.change(py)?.node.value_accounts();
        Ok(())
    }

    /// Requests to remote venues whose cause is durable.
    fn take_outbox<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let taken = self.read(py)?.node.take_outbox();
        OutboxRow::array(py, taken.iter().map(OutboxRow::from))
    }

    #[getter]
    fn sequence(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.read(py)?.node.sequence())
    }

    #[getter]
    fn durable_sequence(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.read(py)?.node.durable_sequence())
    }

    #[getter]
    fn time(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.read(py)?.node.time())
    }

    #[getter]
    fn output_hash(&self, py: Python<'_>) -> PyResult<u128> {
        Ok(self.read(py)?.node.output_hash())
    }

    fn state_hash(&self, py: Python<'_>) -> PyResult<u128> {
        Ok(self.read(py)?.node.state_hash())
    }

    /// (hook, sequence, time) of the exception that ended `run`.
    #[getter]
    fn failed_hook(&self, py: Python<'_>) -> PyResult<Option<FailedHook>> {
        self.guarded.failed_hook(py)
    }

    fn order(&self, py: Python<'_>, account: u32, client_order_id: u64) -> PyResult<Option<OrderRecord>> {
        let inner = self.read(py)?;
        let node = &inner.node;
        Ok(node.engine().orders().by_client_id(account, client_order_id).map(OrderRecord::from))
    }

    #[pyo3(signature = (account, instrument=0))]
    fn open_orders(&self, py: Python<'_>, account: u32, instrument: u32) -> PyResult<Vec<OrderRecord>> {
        let inner = self.read(py)?;
        let node = &inner.node;
        let concerns = |of: &u32| instrument == 0 || *of == instrument;
        let open = node.engine().orders().open();
        Ok(open
            .filter(|order| order.request.account == account && concerns(&order.request.instrument))
            .map(OrderRecord::from)
            .collect())
    }

    /// By account: open orders, oldest first, and the last `closed` of the others.
    #[pyo3(signature = (*, closed=0))]
    fn orders_by_account(&self, py: Python<'_>, closed: usize) -> PyResult<BTreeMap<u32, AccountOrders>> {
        let inner = self.read(py)?;
        let mut found: BTreeMap<u32, (Vec<&Order>, VecDeque<&Order>)> = BTreeMap::new();
        for order in inner.node.engine().orders().iter() {
            let (open, ended) = found.entry(order.request.account).or_default();
            if order.is_open() {
                open.push(order);
                continue;
            }
            ended.push_back(order);
            if ended.len() > closed {
                ended.pop_front();
            }
        }
        let records = |orders: &mut dyn Iterator<Item = &Order>| orders.map(OrderRecord::from).collect();
        Ok(found
            .into_iter()
            .map(|(account, (open, ended))| {
                (account, (records(&mut open.into_iter()), records(&mut ended.into_iter())))
            })
            .collect())
    }

    /// Every order of the session day that can trade no more.
    fn closed_orders(&self, py: Python<'_>) -> PyResult<ClosedOrders> {
        let inner = self.read(py)?;
        Ok(ClosedOrders::of(inner.node.engine().orders().iter()))
    }

    /// (quantity, cost, realized, fees) of a position, money in 10^-9.
    fn position(&self, py: Python<'_>, account: u32, instrument: u32) -> PyResult<(i64, i128, i128, i128)> {
        let inner = self.read(py)?;
        let node = &inner.node;
        let position =
            node.engine().portfolio().account(account).and_then(|account| account.positions.get(instrument));
        Ok(position.map_or((0, 0, 0, 0), |of| (of.quantity, of.cost, of.realized, of.fees)))
    }

    fn cash(&self, py: Python<'_>, account: u32) -> PyResult<i128> {
        let inner = self.read(py)?;
        let node = &inner.node;
        let account = node.engine().portfolio().account(account);
        Ok(account.map_or(0, |account| account.cash_in(account.currency)))
    }

    fn equity(&self, py: Python<'_>, account: u32) -> PyResult<Option<i128>> {
        let inner = self.read(py)?;
        let node = &inner.node;
        let engine = node.engine();
        Ok(engine.portfolio().equity(account, engine.instruments(), engine.marks()))
    }

    fn mark(&self, py: Python<'_>, instrument: u32) -> PyResult<Option<i64>> {
        Ok(self.read(py)?.node.engine().marks().get(instrument))
    }

    pub fn indicator(
        &self,
        py: Python<'_>,
        participant: u16,
        index: usize,
        instrument: u32,
    ) -> PyResult<(Option<f64>, Option<f64>)> {
        let inner = self.read(py)?;
        let node = &inner.node;
        let participant = node.engine().participants().get(participant);
        Ok(participant.map_or((None, None), |of| of.view.indicator(index, instrument)))
    }

    /// The last closed bars, oldest first; `None` for an interval nobody asked for.
    fn bars<'py>(
        &self,
        py: Python<'py>,
        participant: u16,
        instrument: u32,
        every_ns: u64,
        count: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let rows: Vec<BarRow> = {
            let inner = self.read(py)?;
            let engine = inner.node.engine();
            let view = engine.participants().get(participant).map(|participant| &participant.view);
            let bars = view.and_then(|view| view.bars(instrument, every_ns));
            let (Some(bars), Some(terms)) = (bars, engine.instruments().get(instrument)) else {
                return Ok(None);
            };
            bars.iter().skip(bars.len().saturating_sub(count)).map(|bar| BarRow::new(bar, terms)).collect()
        };
        BarRow::array(py, rows.into_iter()).map(Some)
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Node>()?;
    module.add_class::<holdings::Holdings>()?;
    module.add_function(wrap_pyfunction!(rows::valuation_dtype, module)?)?;
    module.add_function(wrap_pyfunction!(rows::bar_dtype, module)?)?;
    module.add_function(wrap_pyfunction!(outbox::outbox_dtype, module)?)
}

//! The live node as a Python object that any thread may call.

mod bell;
mod commands;
mod health;
mod recent_events;
mod restarted;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use numpy::PyArray1;
use openbell_kernel::book::{Level, PublishedDepth};
use openbell_kernel::clock::Clock;
use openbell_kernel::clock::system::SystemClock;
use openbell_kernel::command::SubmitOrder;
use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal::{Content, Durability, Identity, JournalWriter, OpenOptions, Settings};
use openbell_kernel::live::{
    self, Failure, InlineSnapshots, JournalToFollow, LiveError, LiveOptions, OpeningError, configure,
    replay_to_end,
};
use openbell_kernel::node::Node;
use openbell_kernel::record::{RecordBuffer, Slot};
use openbell_kernel::snapshot::{AtEnd, Owner, SNAPSHOTS_NAME, SnapshotPolicy, SnapshotStore};
use pyo3::prelude::*;

use crate::arrays::{SlotArray, slot_array};
use crate::errors::{error, journal_error, node_error, restart_error};
use crate::journal::{create_journal, modes, sign};
use crate::special_terms::{self, SpecialTerms};
use bell::EventBell;
use commands::{Commands, cancel_order, order, replace_order};
use health::Health;
use recent_events::RecentEvents;
use restarted::RestartedNode;

/// An engine with its journal on their own threads.
#[pyclass(frozen, module = "openbell._kernel")]
pub struct LiveNode {
    inner: live::LiveNode,
    bell: EventBell,
}

/// Where a live node begins.
struct Start {
    node: Node,
    writer: JournalWriter,
    snapshots: Option<InlineSnapshots>,
}

impl LiveNode {
    fn start(py: Python<'_>, start: Start, options: LiveOptions) -> PyResult<Self> {
        let bell = EventBell::new()?;
        let rung = Box::new(bell.clone());
        let Start { node, writer, snapshots } = start;
        let clock = Arc::new(SystemClock);
        let inner = py.detach(|| live::LiveNode::start_saving(node, writer, clock, rung, options, snapshots));
        Ok(LiveNode { inner: inner.map_err(|found| live_error(py, &found))?, bell })
    }

    fn submit_record(&self, py: Python<'_>, record: &RecordBuffer, wake: bool) -> PyResult<bool> {
        // One record is taken faster than the interpreter would be given away and taken back.
        let slots = record.slots();
        let taken = if wake { self.inner.submit(slots) } else { self.inner.submit_unhurried(slots) };
        taken.map(|count| count == 1).map_err(|found| live_error(py, &found))
    }
}

#[allow(clippy::too_many_arguments)]
fn live_options(
    ingress_slots: usize,
    egress_slots: usize,
    spins: u32,
    interval_ns: u64,
    clock_bound_ns: u64,
    accept_clock: bool,
    depth_levels: usize,
    processor: Option<usize>,
) -> LiveOptions {
    LiveOptions {
        ingress_slots,
        egress_slots,
        spins,
        interval_ns,
        clock_bound_ns,
        accepts_clock: accept_clock,
        depth_levels,
        processor,
        ..LiveOptions::default()
    }
}

/// Most bytes of a state that is saved inline; a snapshot is due after so many records, bytes or nanoseconds.
type InlineTuple = (u64, u64, u64, u64);

fn inline(
    directory: &Path,
    owner: Owner,
    (most_bytes, records, bytes, interval_ns): InlineTuple,
) -> InlineSnapshots {
    let snapshots = directory.join(SNAPSHOTS_NAME);
    let store = SnapshotStore::new(Arc::new(RealDisk), &snapshots, owner);
    let journal = JournalToFollow { disk: Arc::new(RealDisk), path: directory.to_owned(), snapshots };
    InlineSnapshots { journal, store, policy: SnapshotPolicy { records, bytes, interval_ns }, most_bytes }
}

/// The last reasons to refuse a start are looked for, then its journal is opened to be written.
fn open_for_writing(
    py: Python<'_>,
    mut node: Node,
    journal: AtEnd,
    seal_key: Option<[u8; 32]>,
    options: &LiveOptions,
) -> PyResult<Start> {
    let checked =
        options.check_clock(SystemClock.now(), node.time()).and_then(|()| options.check_processor());
    checked.map_err(|found| live_error(py, &found))?;
    let opened = py.detach(|| {
        let (mut writer, _) = journal.go_on(&mut node)?;
        sign(&mut writer, seal_key)?;
        Ok(Start { node, writer, snapshots: None })
    });
    opened.map_err(|found| opening_error(py, &found))
}

fn live_error(py: Python<'_>, found: &LiveError) -> PyErr {
    let name = match found {
        LiveError::Inadmissible(_) => "InputError",
        LiveError::JournalMustFollow { .. } => "JournalError",
        LiveError::ClockBehind { .. } | LiveError::ClockAhead { .. } | LiveError::Processor { .. } => {
            "ConfigError"
        }
        LiveError::Failed { failure: Failure::Journal, .. } => "JournalError",
        LiveError::NoThread(_) | LiveError::WasStopped | LiveError::Failed { .. } => "EngineStopped",
    };
    error(py, name, found.to_string())
}

fn opening_error(py: Python<'_>, found: &OpeningError) -> PyErr {
    match found {
        OpeningError::Journal(found) => journal_error(py, found),
        OpeningError::Node(found) => node_error(py, found),
        OpeningError::Restart(found) => restart_error(py, found),
        _ => error(py, "ConfigError", found.to_string()),
    }
}

/// Price, quantity, orders.
type Row = (i64, i64, u32);

fn rows(levels: &[Level]) -> Vec<Row> {
    levels.iter().map(|level| (level.price, level.quantity, level.orders)).collect()
}

#[pymethods]
impl LiveNode {
    /// Begins a history in a directory without one.
    #[staticmethod]
    #[pyo3(signature = (directory, configuration, *, epoch, created_by, durability="batch", shard=0,
        ingress_slots=16384, egress_slots=65536, spins=200, interval_ns=10_000_000,
        clock_bound_ns=10_000_000_000, accept_clock=false,
        accept_any_file_system=false, segment_bytes=None, seal_key=None,
        depth_levels=0, processor=None))]
    #[allow(clippy::too_many_arguments)]
    fn create<'py>(
        py: Python<'py>,
        directory: PathBuf,
        configuration: &Bound<'py, PyAny>,
        epoch: u64,
        created_by: &str,
        durability: &str,
        shard: u8,
        ingress_slots: usize,
        egress_slots: usize,
        spins: u32,
        interval_ns: u64,
        clock_bound_ns: u64,
        accept_clock: bool,
        accept_any_file_system: bool,
        segment_bytes: Option<u64>,
        seal_key: Option<[u8; 32]>,
        depth_levels: usize,
        processor: Option<usize>,
    ) -> PyResult<Self> {
        let (durability, content) = modes(py, durability, Content::Full.name())?;
        let configuration = SlotArray::new("configuration", configuration)?;
        let slots = configuration.slots();
        let options = live_options(
            ingress_slots,
            egress_slots,
            spins,
            interval_ns,
            clock_bound_ns,
            accept_clock,
            depth_levels,
            processor,
        );
        options.check_processor().map_err(|found| live_error(py, &found))?;
        let started = py.detach(|| {
            let time = SystemClock.now();
            // Tried first: what the engine refuses leaves no directory behind.
            configure(shard, slots, time, None)?;
            let identity = Identity { shard, ..Identity::new(epoch, time, created_by) };
            let mut settings = Settings::of(durability, content);
            settings.segment_size = segment_bytes.unwrap_or(settings.segment_size);
            let mut writer = create_journal(&directory, &identity, settings, accept_any_file_system)?;
            sign(&mut writer, seal_key)?;
            let node = configure(shard, slots, time, Some(&mut writer))?;
            Ok(Start { node, writer, snapshots: None })
        });
        let started = started.map_err(|found| opening_error(py, &found))?;
        LiveNode::start(py, started, options)
    }

    /// Goes on with the history in a directory.
    #[staticmethod]
    #[pyo3(signature = (directory, *, ingress_slots=16384, egress_slots=65536, spins=200, interval_ns=10_000_000,
        clock_bound_ns=10_000_000_000, accept_clock=false, accept_any_file_system=false, seal_key=None,
        inline_snapshots=None, depth_levels=0, processor=None))]
    #[allow(clippy::too_many_arguments)]
    fn open(
        py: Python<'_>,
        directory: PathBuf,
        ingress_slots: usize,
        egress_slots: usize,
        spins: u32,
        interval_ns: u64,
        clock_bound_ns: u64,
        accept_clock: bool,
        accept_any_file_system: bool,
        seal_key: Option<[u8; 32]>,
        inline_snapshots: Option<InlineTuple>,
        depth_levels: usize,
        processor: Option<usize>,
    ) -> PyResult<Self> {
        let opened = py.detach(|| {
            let open = OpenOptions { accept_any_file_system, ..OpenOptions::default() };
            let (node, journal) = replay_to_end(Arc::new(RealDisk), &directory, open, &mut |_| ())?;
            let owner = Owner::of(&journal.journal().identity, 0);
            Ok((node, journal, inline_snapshots.map(|of| inline(&directory, owner, of))))
        });
        let (node, journal, snapshots) = opened.map_err(|found| opening_error(py, &found))?;
        let options = live_options(
            ingress_slots,
            egress_slots,
            spins,
            interval_ns,
            clock_bound_ns,
            accept_clock,
            depth_levels,
            processor,
        );
        let start = open_for_writing(py, node, journal, seal_key, &options)?;
        LiveNode::start(py, Start { snapshots, ..start }, options)
    }

    /// Levels of both sides of a book as published, best first, and how often it was; nothing before its first order.
    fn depth(&self, py: Python<'_>, instrument: u32) -> PyResult<(Vec<Row>, Vec<Row>, u64)> {
        let Some(board) = self.inner.depth_board() else {
            let text =
                "the books of this node are not published: give depth_levels when it is made or opened";
            return Err(error(py, "ConfigError", text.to_owned()));
        };
        let Some(reader) = board.reader(instrument) else { return Ok((Vec::new(), Vec::new(), 0)) };
        let PublishedDepth { bids, asks, writes } = py.detach(|| reader.depth());
        Ok((rows(&bids), rows(&asks), writes))
    }

    /// Takes whole records and says how many; the rest found no room.
    fn submit<'py>(&self, py: Python<'py>, slots: &Bound<'py, PyAny>) -> PyResult<usize> {
        let array = SlotArray::new("slots", slots)?;
        let slots = array.slots();
        py.detach(|| self.inner.submit(slots)).map_err(|found| live_error(py, &found))
    }

    #[pyo3(signature = (account, instrument, client_order_id, side, order_type, time_in_force, quantity, *,
        price=0, stop_price=0, options=0, expire_time=0, special=None, session=0, wake=true))]
    #[allow(clippy::too_many_arguments)]
    fn submit_order(
        &self,
        py: Python<'_>,
        account: u32,
        instrument: u32,
        client_order_id: u64,
        side: u8,
        order_type: u8,
        time_in_force: u8,
        quantity: i64,
        price: i64,
        stop_price: i64,
        options: u16,
        expire_time: u64,
        special: Option<SpecialTerms>,
        session: u16,
        wake: bool,
    ) -> PyResult<bool> {
        let numbers = [side, order_type, time_in_force];
        let order = SubmitOrder {
            price,
            stop_price,
            options,
            expire_time,
            session,
            ..order(py, account, instrument, client_order_id, numbers, quantity)?
        };
        self.submit_record(py, &order.to_record_with(&special_terms::or_none(special)), wake)
    }

    /// Wakes a node for the orders that were submitted without waking it.
    fn wake(&self) {
        self.inner.wake();
    }

    #[pyo3(signature = (account, client_order_id, *, price=0, quantity=0, stop_price=0, special=None))]
    #[allow(clippy::too_many_arguments)]
    fn replace_order(
        &self,
        py: Python<'_>,
        account: u32,
        client_order_id: u64,
        price: i64,
        quantity: i64,
        stop_price: i64,
        special: Option<SpecialTerms>,
    ) -> PyResult<bool> {
        let terms = [price, quantity, stop_price];
        self.submit_record(py, &replace_order(account, client_order_id, terms, special), true)
    }

    fn cancel_order(&self, py: Python<'_>, account: u32, client_order_id: u64) -> PyResult<bool> {
        self.submit_record(py, &cancel_order(account, client_order_id), true)
    }

    /// Whole events whose cause is durable.
    #[pyo3(signature = (limit=65536))]
    fn take_outputs<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyArray1<u8>>> {
        let taken = py.detach(|| {
            let mut out: Vec<Slot> = Vec::new();
            self.inner.take_outputs(&mut out, limit).map(|()| out)
        });
        Ok(slot_array(py, &taken.map_err(|found| live_error(py, &found))?))
    }

    /// A file descriptor that is readable while outputs wait, and for ever once the node has ended.
    fn fileno(&self) -> i32 {
        self.bell.fileno()
    }

    fn health(&self) -> Health {
        Health::from(&self.inner.health())
    }

    /// Has sealed segments removed of which every record is before `sequence`.
    fn remove_sealed_before(&self, sequence: u64) {
        self.inner.remove_sealed_before(sequence);
    }

    fn accept_clock(&self) {
        self.inner.accept_clock();
    }

    /// Applies, commits and closes; returns when the threads have ended.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.inner.stop()).map_err(|found| live_error(py, &found))
    }

    #[getter]
    fn state_hash_at_stop(&self) -> Option<u128> {
        self.inner.state_hash_at_stop()
    }
}

/// Name of the durability mode in the flags of an event that a live node let go.
#[pyfunction]
fn durability_of(flags: u16) -> Option<&'static str> {
    live::durability_of(&Slot { flags, ..Slot::ZERO }).map(Durability::name)
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(durability_of, module)?)?;
    module.add_class::<LiveNode>()?;
    module.add_class::<Health>()?;
    module.add_class::<RecentEvents>()?;
    module.add_class::<RestartedNode>()?;
    module.add_class::<Commands>()
}

//! The handle of a live node: what other threads see of it.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use thiserror::Error;

use crate::clock::Clock;
use crate::journal::JournalWriter;
use crate::node::Node;
use crate::record::{MAX_SLOTS, Slot, split_first};
use crate::ring::{Consumer, Gauge, Producer, Signal, ring};
use crate::venue::matching::DepthBoard;

use super::admission::{Inadmissible, check_admissible};
use super::affinity::check_processor;
use super::health::{Failure, Health, RingFill, Vitals};
use super::inline_snapshots::{ImageTaker, InlineSnapshots};
use super::journal_thread::{JournalLink, JournalThreadOptions, ThreadedJournal};
use super::node_thread::NodeThread;
use super::outlet::{Doorbell, Leftover, OutputBell};
use super::stamp_clock::StampClock;

/// A clock further ahead of the last record than this needs a person's word.
const LONGEST_ABSENCE_NS: u64 = 366 * 86_400 * 1_000_000_000;

/// Sizes and bounds of a live node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// Sizes of the rings in slots, rounded up to powers of two.
    pub ingress_slots: usize,
    pub journal_slots: usize,
    pub egress_slots: usize,
    /// How often a thread looks for work before it sleeps. More saves microseconds and costs a processor.
    pub spins: u32,
    /// In the mode `interval`: what is written is synced after this.
    pub interval_ns: u64,
    /// A step of the machine's clock beyond this is not followed.
    pub clock_bound_ns: u64,
    /// Start even though the clock is behind the last record or more than a year ahead of it.
    pub accepts_clock: bool,
    /// Levels of each side of every book of our own that any thread may read; 0 publishes none.
    pub depth_levels: usize,
    /// The node thread runs on this processor only; `None` leaves it to the system. One that takes the disk's interrupts
    /// (`/proc/interrupts`) is a fifth slower.
    pub processor: Option<usize>,
}

impl Default for LiveOptions {
    fn default() -> Self {
        LiveOptions {
            ingress_slots: 1 << 14,
            journal_slots: 1 << 16,
            egress_slots: 1 << 16,
            spins: 200,
            interval_ns: 10_000_000,
            clock_bound_ns: 10_000_000_000,
            accepts_clock: false,
            depth_levels: 0,
            processor: None,
        }
    }
}

impl LiveOptions {
    /// Whether a node whose last record is of the time `last` may start when the machine's clock says `clock`. To be asked
    /// before the journal is opened for writing; starting asks again.
    ///
    /// # Errors
    /// [`LiveError::ClockBehind`] and [`LiveError::ClockAhead`].
    pub fn check_clock(&self, clock: u64, last: u64) -> Result<(), LiveError> {
        let bound = self.clock_bound_ns;
        if self.accepts_clock {
            Ok(())
        } else if clock.saturating_add(bound) < last {
            Err(LiveError::ClockBehind { clock, last, bound })
        } else if last != 0 && clock.saturating_sub(last) > LONGEST_ABSENCE_NS {
            Err(LiveError::ClockAhead { clock, last })
        } else {
            Ok(())
        }
    }

    /// Whether the node thread may run where it is to. To be asked before the journal is opened for writing; starting asks
    /// again.
    ///
    /// # Errors
    /// [`LiveError::Processor`].
    pub fn check_processor(&self) -> Result<(), LiveError> {
        let Some(processor) = self.processor else { return Ok(()) };
        check_processor(processor).map_err(|source| LiveError::Processor { processor, source })
    }
}

/// Why a live node does not start, or does not do what it was asked.
#[derive(Debug, Error)]
pub enum LiveError {
    #[error(transparent)]
    Inadmissible(#[from] Inadmissible),
    #[error("the node is at sequence {node} and the journal goes on with {journal}")]
    JournalMustFollow { node: u64, journal: u64 },
    #[error(
        "the clock says {clock} ns and the last record is of {last} ns: it is behind by more than {bound} ns; set the clock or accept it"
    )]
    ClockBehind { clock: u64, last: u64, bound: u64 },
    #[error(
        "the clock says {clock} ns and the last record is of {last} ns: it is ahead by more than a year; set the clock or accept it"
    )]
    ClockAhead { clock: u64, last: u64 },
    #[error("the node cannot run on processor {processor}: {source}")]
    Processor { processor: usize, source: io::Error },
    #[error("the system gives no thread: {0}")]
    NoThread(#[from] io::Error),
    #[error("the node was stopped and takes nothing more")]
    WasStopped,
    #[error("{reason}")]
    Failed { failure: Failure, reason: String },
}

/// A node at work on its own threads. Every method may be called from any thread.
///
/// Dropping it stops it as [`LiveNode::stop`] does.
#[derive(Debug)]
pub struct LiveNode {
    ingress: Mutex<Producer>,
    egress: Mutex<Consumer>,
    fills: Fills,
    journal: Arc<JournalLink>,
    /// Wakes the node thread.
    signal: Arc<Signal>,
    doorbell: Arc<Doorbell>,
    vitals: Arc<Vitals>,
    leftover: Arc<Leftover>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shard: u8,
    board: Option<DepthBoard>,
}

#[derive(Debug)]
struct Fills {
    ingress: Gauge,
    journal: Gauge,
    egress: Gauge,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LiveNode {
    /// Goes live: `node` has seen everything that is in the journal of `writer`. `bell` is rung when outputs wait.
    ///
    /// # Errors
    /// [`LiveError`] when the two do not fit together, the clock is not to be believed, or the system gives no
    /// threads.
    pub fn start(
        node: Node,
        writer: JournalWriter,
        clock: Arc<dyn Clock>,
        bell: Box<dyn OutputBell>,
        options: LiveOptions,
    ) -> Result<Self, LiveError> {
        Self::start_saving(node, writer, clock, bell, options, None)
    }

    /// As [`LiveNode::start`], and saves snapshots of its own state where it is told to.
    ///
    /// # Errors
    /// As [`LiveNode::start`].
    pub fn start_saving(
        mut node: Node,
        writer: JournalWriter,
        clock: Arc<dyn Clock>,
        bell: Box<dyn OutputBell>,
        options: LiveOptions,
        snapshots: Option<InlineSnapshots>,
    ) -> Result<Self, LiveError> {
        if writer.next_sequence() != node.sequence() + 1 {
            let (node, journal) = (node.sequence(), writer.next_sequence());
            return Err(LiveError::JournalMustFollow { node, journal });
        }
        options.check_clock(clock.now(), node.time())?;
        options.check_processor()?;
        let LiveOptions {
            ingress_slots,
            journal_slots,
            egress_slots,
            spins,
            interval_ns,
            clock_bound_ns,
            depth_levels,
            processor,
            ..
        } = options;
        let board = (depth_levels > 0).then(|| DepthBoard::new(depth_levels));
        if let Some(board) = &board {
            node.publish_depth(board);
        }
        let signal = Arc::new(Signal::default());
        let sizes = JournalThreadOptions { slots: journal_slots, spins, interval_ns };
        let inline = snapshots.clone();
        let journal = ThreadedJournal::start_saving(writer, clock.clone(), signal.clone(), sizes, inline)?;
        let (link, journal_fill) = (journal.link(), journal.gauge());
        let images = snapshots.map(|of| ImageTaker::new(link.images.clone(), &of, &node));
        let (vitals, leftover) = (Arc::new(Vitals::default()), Arc::new(Leftover::default()));
        let doorbell = Arc::new(Doorbell::new(bell));
        let (ingress, taken) = ring(ingress_slots.max(MAX_SLOTS));
        let (put, egress) = ring(egress_slots.max(MAX_SLOTS));
        let shard = node.engine().shard();
        let stamp_clock = StampClock::new(clock, node.time(), clock_bound_ns);
        node.go_live(Box::new(journal));
        let fills = Fills { ingress: ingress.gauge(), journal: journal_fill.clone(), egress: egress.gauge() };
        let thread = NodeThread {
            node,
            clock: stamp_clock,
            ingress: taken,
            egress: put,
            journal: link.clone(),
            journal_fill,
            signal: signal.clone(),
            doorbell: doorbell.clone(),
            vitals: vitals.clone(),
            leftover: leftover.clone(),
            most_held: egress_slots,
            spins,
            processor,
            intake: Vec::new(),
            at: 0,
            answers: Vec::new(),
            images,
        };
        thread.publish_vitals();
        let thread = Builder::new().name("openbell-node".to_owned()).spawn(move || thread.run())?;
        Ok(LiveNode {
            ingress: Mutex::new(ingress),
            egress: Mutex::new(egress),
            fills,
            journal: link,
            signal,
            doorbell,
            vitals,
            leftover,
            thread: Mutex::new(Some(thread)),
            shard,
            board,
        })
    }

    /// Takes whole records, in order, and says how many: fewer than there are when the ring is full (BUSY); the
    /// rest can be submitted again.
    ///
    /// # Errors
    /// [`LiveError::Inadmissible`]: nothing was taken. [`LiveError::WasStopped`] or [`LiveError::Failed`] when the
    /// node takes nothing more.
    pub fn submit(&self, slots: &[Slot]) -> Result<usize, LiveError> {
        let taken = self.submit_unhurried(slots)?;
        self.wake();
        Ok(taken)
    }

    /// As [`LiveNode::submit`] for one who submits more at once and then calls [`LiveNode::wake`]: a node that rests goes on
    /// resting until then, a second at most. Waking it for each of many single records costs more than the records.
    ///
    /// # Errors
    /// As [`LiveNode::submit`].
    pub fn submit_unhurried(&self, slots: &[Slot]) -> Result<usize, LiveError> {
        let records = check_admissible(slots)?;
        let mut ingress = lock(&self.ingress);
        self.check_running()?;
        let taken = if ingress.push(slots) { records } else { push_some(&mut ingress, slots) };
        ingress.publish();
        Ok(taken)
    }

    /// Wakes a node that rests while there is something for it to do.
    pub fn wake(&self) {
        self.signal.wake();
    }

    fn check_running(&self) -> Result<(), LiveError> {
        self.check_failure()?;
        if self.vitals.is_stopping.load(Ordering::Acquire) { Err(LiveError::WasStopped) } else { Ok(()) }
    }

    fn check_failure(&self) -> Result<(), LiveError> {
        match self.vitals.failure() {
            Some((failure, reason)) => Err(LiveError::Failed { failure: *failure, reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Appends whole events whose cause is durable to `out`, `limit` slots at most, oldest first.
    ///
    /// # Errors
    /// [`LiveError::Failed`] at once after a failure of the engine, and after the last event that was durable when
    /// the journal failed.
    pub fn take_outputs(&self, out: &mut Vec<Slot>, limit: usize) -> Result<(), LiveError> {
        if matches!(self.vitals.failure(), Some((Failure::Engine, _))) {
            return self.check_failure();
        }
        let before = out.len();
        let has_stopped = self.vitals.has_stopped.load(Ordering::Acquire);
        let mut egress = lock(&self.egress);
        egress.take(out, limit);
        if has_stopped {
            self.leftover.take(out, limit - (out.len() - before));
        } else if egress.available() == 0 {
            self.doorbell.arm(|| egress.available() == 0 && !self.vitals.has_stopped.load(Ordering::Acquire));
        }
        drop(egress);
        if out.len() > before {
            // It may wait for room.
            self.signal.wake();
            return Ok(());
        }
        self.check_failure()
    }

    pub fn health(&self) -> Health {
        let vitals = &self.vitals;
        let commits = self.journal.commits.p50_p99();
        let reserve_left = self.journal.reserve_left();
        let offset_ns = vitals.clock_offset_ns.load(Ordering::Relaxed);
        Health {
            state: vitals.state(reserve_left.is_some()),
            failure: vitals.failure().cloned(),
            durability: self.journal.durability,
            epoch: self.journal.epoch,
            shard: self.shard,
            durable_sequence: self.journal.durable_sequence(),
            sequence: vitals.sequence.load(Ordering::Relaxed),
            time: vitals.time.load(Ordering::Relaxed),
            ingress: RingFill::from(&self.fills.ingress),
            journal: RingFill::from(&self.fills.journal),
            egress: RingFill::from(&self.fills.egress),
            held_slots: vitals.held_slots.load(Ordering::Relaxed),
            shortage: self.journal.shortage().map(|error| error.to_string()),
            reserve_left,
            commits: self.journal.commits.recorded(),
            commit_p50_ns: commits.map(|(p50, _)| p50),
            commit_p99_ns: commits.map(|(_, p99)| p99),
            clock_offset_ns: (offset_ns != 0).then_some(offset_ns),
            has_outgrown_inline: self.journal.images.has_outgrown.load(Ordering::Relaxed),
            upkeep_trouble: self.journal.upkeep_trouble(),
        }
    }

    /// Reads the books of our own venues without waiting for the node, which may be a few commands ahead of what is
    /// durable; `None` unless asked for by [`LiveOptions::depth_levels`].
    pub fn depth_board(&self) -> Option<&DepthBoard> {
        self.board.as_ref()
    }

    /// Has sealed segments removed of which every record is before `sequence`, soon and between two commits. What
    /// keeps it from doing so is in [`Health::upkeep_trouble`], and it can be asked again.
    pub fn remove_sealed_before(&self, sequence: u64) {
        self.journal.ask_removal(sequence);
    }

    /// Believes the machine's clock from now on, wherever it stands.
    pub fn accept_clock(&self) {
        self.vitals.accepts_clock.store(true, Ordering::Release);
        self.signal.wake();
    }

    /// Applies and commits what was taken, ends the journal on purpose and waits for the threads. Outputs that were
    /// not taken can be taken afterwards. Stopping again does nothing.
    ///
    /// # Errors
    /// [`LiveError::Failed`] when the node had failed, or fails now.
    pub fn stop(&self) -> Result<(), LiveError> {
        {
            // With the lock: what a submit has said it took is in the ring before the node thread hears of the end.
            let _ingress = lock(&self.ingress);
            self.vitals.is_stopping.store(true, Ordering::Release);
        }
        self.signal.wake();
        if let Some(thread) = lock(&self.thread).take() {
            // Its panics were caught and are the node's failure.
            let _ = thread.join();
        }
        self.check_failure()
    }

    /// Hash of the whole state with which [`LiveNode::stop`] ended the journal.
    pub fn state_hash_at_stop(&self) -> Option<u128> {
        self.vitals.state_hash_at_stop()
    }
}

impl Drop for LiveNode {
    fn drop(&mut self) {
        // A failure was there to be seen in health.
        let _ = self.stop();
    }
}

/// Record by record, until one does not fit.
fn push_some(ingress: &mut Producer, slots: &[Slot]) -> usize {
    let (mut rest, mut taken) = (slots, 0);
    while let Ok((record, after)) = split_first(rest) {
        if !ingress.push(record) {
            break;
        }
        taken += 1;
        rest = after;
    }
    taken
}

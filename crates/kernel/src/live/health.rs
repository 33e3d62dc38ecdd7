//! What a live node says about itself, readable from any thread at any time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::journal::Durability;
use crate::ring::Gauge;

/// What a live node does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveState {
    Running,
    /// The journal has no room but its reserve: cancels and the kill switch pass, everything else is refused with
    /// `JOURNAL_MUST_HAVE_ROOM`. Ends by itself when there is room.
    CancelOnly,
    /// Taking nothing new, letting go what was taken.
    Stopping,
    Stopped,
}

impl LiveState {
    pub const fn name(self) -> &'static str {
        match self {
            LiveState::Running => "RUNNING",
            LiveState::CancelOnly => "CANCEL_ONLY",
            LiveState::Stopping => "STOPPING",
            LiveState::Stopped => "STOPPED",
        }
    }
}

/// What ended a live node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The journal could not be written or synced. What left before is durable and can still be taken.
    Journal,
    /// The engine met a broken invariant, or a panic ended one of the threads: nothing of it is to be trusted.
    Engine,
}

/// How full a ring is, in slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingFill {
    pub filled: usize,
    pub capacity: usize,
}

impl From<&Gauge> for RingFill {
    fn from(gauge: &Gauge) -> Self {
        RingFill { filled: gauge.filled(), capacity: gauge.capacity() }
    }
}

/// A live node at one moment. Figures are read one after the other and may be some microseconds apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub state: LiveState,
    /// Why it stopped by itself.
    pub failure: Option<(Failure, String)>,
    pub durability: Durability,
    pub epoch: u64,
    pub shard: u8,
    /// Of the last record applied.
    pub sequence: u64,
    /// Up to here everything is as durable as the mode promises.
    pub durable_sequence: u64,
    /// Of the last record or look at the clock, UTC nanoseconds.
    pub time: u64,
    pub ingress: RingFill,
    pub journal: RingFill,
    pub egress: RingFill,
    /// Slots of events that wait for the journal or for room in the egress ring.
    pub held_slots: u64,
    /// Why the journal's next segment cannot be prepared: the disk is full. Nothing is refused yet while
    /// `reserve_left` is `None`.
    pub shortage: Option<String>,
    /// Bytes left for cancels and the kill switch, in [`LiveState::CancelOnly`].
    pub reserve_left: Option<u64>,
    /// Commits since the start, and how long the last thousand took.
    pub commits: u64,
    pub commit_p50_ns: Option<u64>,
    pub commit_p99_ns: Option<u64>,
    /// How far the machine's clock is ahead of the time records get, while it is not believed.
    pub clock_offset_ns: Option<i64>,
    /// The state is larger than is saved inline; nobody does it now unless a follower has taken over.
    pub has_outgrown_inline: bool,
    /// Why the last snapshot could not be saved inline, or old segments could not be removed.
    pub upkeep_trouble: Option<String>,
}

/// The node thread writes, everybody reads.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    pub sequence: AtomicU64,
    pub time: AtomicU64,
    pub held_slots: AtomicU64,
    pub clock_offset_ns: AtomicI64,
    pub is_stopping: AtomicBool,
    pub accepts_clock: AtomicBool,
    /// The node thread has ended; set after `failure`.
    pub has_stopped: AtomicBool,
    failure: OnceLock<(Failure, String)>,
    state_hash_at_stop: OnceLock<u128>,
}

impl Vitals {
    pub fn state(&self, is_cancel_only: bool) -> LiveState {
        let is = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        if is(&self.has_stopped) || self.failure.get().is_some() {
            LiveState::Stopped
        } else if is(&self.is_stopping) {
            LiveState::Stopping
        } else if is_cancel_only {
            LiveState::CancelOnly
        } else {
            LiveState::Running
        }
    }

    pub fn failure(&self) -> Option<&(Failure, String)> {
        self.failure.get()
    }

    /// The first reason stays.
    pub fn fail(&self, failure: Failure, reason: String) {
        self.failure.get_or_init(|| (failure, reason));
    }

    /// Of a clean stop.
    pub fn stopped_with(&self, state_hash: u128) {
        self.state_hash_at_stop.get_or_init(|| state_hash);
    }

    pub fn state_hash_at_stop(&self) -> Option<u128> {
        self.state_hash_at_stop.get().copied()
    }
}

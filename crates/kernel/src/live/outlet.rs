//! How events leave a live node: stamped with the durability they have, and announced to a reader who sleeps.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use crate::journal::Durability;
use crate::record::{Slot, flags, split_first};
use crate::ring::Signal;

/// Tells the reader that outputs wait. Rung from the node thread, so it must not block.
pub trait OutputBell: Debug + Send + Sync {
    /// Outputs wait; stays so until [`OutputBell::silence`].
    fn ring(&self);

    /// The reader has taken everything.
    fn silence(&self);
}

/// Several may ring the same bell.
impl<B: OutputBell> OutputBell for Arc<B> {
    fn ring(&self) {
        self.as_ref().ring();
    }

    fn silence(&self) {
        self.as_ref().silence();
    }
}

/// The reader's thread sleeps in [`Signal::wait`].
impl OutputBell for Signal {
    fn ring(&self) {
        self.wake();
    }

    fn silence(&self) {}
}

/// Rings once for whatever comes while the reader is away: between two rings lies a look by the reader that found
/// nothing. So a bell that is a system call costs little under load.
#[derive(Debug)]
pub(super) struct Doorbell {
    bell: Box<dyn OutputBell>,
    is_armed: AtomicBool,
}

impl Doorbell {
    pub fn new(bell: Box<dyn OutputBell>) -> Self {
        Doorbell { bell, is_armed: AtomicBool::new(true) }
    }

    /// Something was put out.
    pub fn notify(&self) {
        // Against the fence in `arm`: either this sees the bell armed, or the reader sees what was put out.
        fence(Ordering::SeqCst);
        if self.is_armed.load(Ordering::Relaxed) && self.is_armed.swap(false, Ordering::AcqRel) {
            self.bell.ring();
        }
    }

    /// The reader found nothing more; `is_empty` looks again.
    pub fn arm(&self, is_empty: impl FnOnce() -> bool) {
        self.bell.silence();
        self.is_armed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !is_empty() {
            self.notify();
        }
    }

    /// In any case: the node has ended.
    pub fn ring(&self) {
        self.bell.ring();
    }
}

/// Marks events with the durability mode as they leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp(u16);

impl Stamp {
    pub fn new(durability: Durability) -> Self {
        Stamp((1 + durability as u16) << flags::DURABILITY_SHIFT)
    }

    /// Flags that the head of an event gets.
    pub fn flags(self) -> u16 {
        self.0
    }
}

/// How durable an event was when a live node let it go; `None` for one that came another way.
pub fn durability_of(head: &Slot) -> Option<Durability> {
    let number = (head.flags & flags::DURABILITY) >> flags::DURABILITY_SHIFT;
    Durability::from_number(u8::try_from(number.checked_sub(1)?).ok()?)
}

/// What did not fit into the egress ring when the node stopped.
#[derive(Debug, Default)]
pub(super) struct Leftover {
    events: Mutex<Vec<Slot>>,
}

impl Leftover {
    pub fn leave(&self, events: Vec<Slot>, stamp: Stamp) {
        let mut rest = &events[..];
        let mut left = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok((event, after)) = split_first(rest) {
            let head = left.len();
            left.extend_from_slice(event);
            left[head].flags |= stamp.flags();
            rest = after;
        }
    }

    /// Appends whole events to `out`, `limit` slots at most.
    pub fn take(&self, out: &mut Vec<Slot>, limit: usize) {
        let mut left = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = 0;
        while let Ok((event, _)) = split_first(&left[count..]) {
            if count + event.len() > limit {
                break;
            }
            count += event.len();
        }
        out.extend(left.drain(..count));
    }
}

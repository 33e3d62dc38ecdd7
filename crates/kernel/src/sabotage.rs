//! Takes single checks out of the kernel, for the proof that the torture tests (`crates/simulation`) would miss them.
//!
//! With the feature `sabotage`, which no product build has, [`remove`] switches one off for the calling thread.
//! Without it [`is_removed`] is the constant `false`, and the compiler leaves nothing of it.

use crate::engine::{Engine, EngineStopped};
use crate::record::Slot;

/// A check that can be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Outputs leave only when their cause is durable.
    OutputGate,
    /// A client order id that is sent again is the same order.
    Duplicate,
    /// A batch continues the batch before it.
    Chain,
    /// A journal reaches at least up to its watermark.
    Watermark,
    /// A journal reaches at least up to the snapshot it is opened with.
    SnapshotEnd,
    /// A snapshot is read back before it takes its name.
    SnapshotReadBack,
    /// Segments are removed only when all of them comes before what is needed.
    Retention,
    /// `SEALS` says that segments are removed before they are.
    RemovalNote,
    /// A journal whose cut was not finished does not open.
    CutUnfinished,
}

/// An order with this client order id makes the engine of a sabotaged build panic, live and at every replay; every other
/// build takes it as any order.
pub const PANICKING_ORDER: u64 = 6_660_666_066_600_666;

/// Has the engine apply a record; a sabotaged one may panic.
#[inline]
pub(crate) fn apply(engine: &mut Engine, record: &[Slot]) -> Result<(), EngineStopped> {
    panic_at(record);
    engine.apply(record)
}

#[cfg(feature = "sabotage")]
fn panic_at(record: &[Slot]) {
    let is_order = record[0].message == crate::message::Message::SubmitOrder as u16;
    let client_order_id = crate::command::SubmitOrder::from_record(record).map(|read| read.client_order_id);
    assert!(!is_order || client_order_id != Ok(PANICKING_ORDER), "sabotage: an order that nobody can take");
}

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn panic_at(_record: &[Slot]) {}

#[cfg(feature = "sabotage")]
mod switch {
    use std::cell::Cell;

    use super::Check;

    thread_local! {
        static REMOVED: Cell<Option<Check>> = const { Cell::new(None) };
    }

    /// From now on the calling thread works without `check`; `None` puts all of them back.
    pub fn remove(check: Option<Check>) {
        REMOVED.set(check);
    }

    pub(crate) fn is_removed(check: Check) -> bool {
        REMOVED.get() == Some(check)
    }
}

#[cfg(feature = "sabotage")]
pub(crate) use switch::is_removed;
#[cfg(feature = "sabotage")]
pub use switch::remove;

#[cfg(not(feature = "sabotage"))]
pub(crate) const fn is_removed(_check: Check) -> bool {
    false
}

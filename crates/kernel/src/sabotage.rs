//! Takes single checks out of the kernel, for the proof that the torture tests (`crates/simulation`) would miss them.
//!
//! With the feature `sabotage`, which no product build has, [`remove`] switches one off for the calling thread.
//! Without it [`is_removed`] is the constant `false`, and the compiler leaves nothing of it.

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

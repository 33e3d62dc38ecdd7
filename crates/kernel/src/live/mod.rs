//! The node live: one thread that applies, one that writes and syncs, rings in between and on both sides.
//!
//! ```text
//!  submit --> ingress ring --> node thread --> journal ring --> journal thread --> disk
//!                                 |    ^                             |
//!  take_outputs <-- egress ring <-+    +------ durable sequence <----+
//! ```
//!
//! * The node thread takes records, stamps them ([`StampClock`]), applies them and lets events go whose cause is
//!   durable. The journal thread writes and syncs whatever has queued while it was busy with the batch before, so
//!   the batches grow with the load and nobody waits for a timer.
//! * A full ring answers BUSY: [`LiveNode::submit`] takes fewer records than it was given. A reader that is slow to
//!   take outputs stops the intake in the same way; no event is ever dropped.
//! * A journal that cannot write, an engine that stops and a panic end the node: nothing more is acknowledged, and
//!   every call fails with the first reason.

mod admission;
mod affinity;
mod durations;
mod health;
mod inline_snapshots;
mod journal_thread;
mod live_node;
mod node_thread;
mod opening;
mod outlet;
mod recent_events;
mod stamp_clock;

pub use admission::{Inadmissible, check_admissible};
pub use health::{Failure, Health, LiveState, RingFill};
pub use inline_snapshots::{InlineSnapshots, JournalToFollow};
pub use journal_thread::{JournalThreadOptions, ThreadedJournal};
pub use live_node::{LiveError, LiveNode, LiveOptions};
pub use opening::{OpeningError, configure, replay_to_end, restart, restart_with};
pub use outlet::{OutputBell, durability_of};
pub use recent_events::{EventPlace, Grouping, KeepRule, RecentEvents};
pub use stamp_clock::StampClock;

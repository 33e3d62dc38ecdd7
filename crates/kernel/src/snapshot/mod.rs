//! A saved fold: the whole state after one record, in a file beside the journal, so that a restart replays only what
//! came later.
//!
//! # The directory
//! | name | |
//! |---|---|
//! | `00000000000001048576.snap` | the state after that sequence |
//! | `next.snap` | being written; holds nothing that counts and may vanish |
//!
//! A snapshot is written under the other name, synced, read back and checked, renamed, and the directory synced: what
//! has the right name is whole or was damaged later. Then all but the newest two are removed.
//!
//! # A file
//! A head of 256 bytes (see [`head`]), then the body in blocks of 256 KiB, the last one shorter, each followed by its
//! CRC32C. It is written and read as a stream; nobody holds all of it in memory (see `body`). The head's own CRC32C covers the head, in which stand the length and the XXH3-128 of the body, the state
//! hash after that record, and where in the journal the next one follows, with the chain up to there: a snapshot fits
//! one place of one history only.
//!
//! # What is refused
//! A snapshot of another epoch, shard, configuration or rules, or of a newer format, stops the restart: it says that
//! something was mixed up, and an older one would not be better. A damaged one is passed over for the one before it,
//! and after that for the journal's begin, as long as that is kept.

mod body;
mod cut;
mod divergence;
mod epoch;
mod error;
mod follower;
pub mod head;
mod replay;
mod restart;
mod store;

pub use cut::cut_history;
pub use divergence::{FirstDifference, Verdict, compare_history, first_difference, state_at};
pub use epoch::{CheckedHeads, EpochPlace, begin_epoch, snapshot_heads};
pub use error::SnapshotError;
pub use follower::{Followed, Follower, SnapshotPolicy};
pub use head::{FORMAT_VERSION, SnapshotHead};
pub use replay::{HashMismatch, Replay, ReplayError, passed_over};
pub use restart::{AtEnd, RestartError, RestartOptions, RestartReport, replay_to_end, restart};
pub use store::SNAPSHOTS_NAME;
pub use store::{Found, KEPT, Owner, Rejected, Snapshot, SnapshotStore, StateImage};

//! Why a snapshot is not written, or not used.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::state::StateError;

#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("{}: cannot {action}: {source}", path.display())]
    Unreachable { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{}: the snapshot is damaged: {found}", path.display())]
    Damaged { path: PathBuf, found: String },
    #[error("{}: the snapshot is damaged: its state cannot be read: {source}", path.display())]
    State { path: PathBuf, source: StateError },
    #[error("{}: the snapshot has {what} {found:#x}, this {owner} has {expected:#x}; nothing was changed", path.display())]
    Foreign { path: PathBuf, what: &'static str, found: u128, expected: u128, owner: &'static str },
    #[error(
        "{}: the snapshot has format {found} and this program reads up to {supported}: it was written by a newer one",
        path.display()
    )]
    NewerFormat { path: PathBuf, found: u16, supported: u16 },
    #[error("{}: an epoch begins only from a whole snapshot of sequence {sequence}, the end of the one before: {found}", path.display())]
    Missing { path: PathBuf, sequence: u64, found: String },
    #[error(
        "the live state at sequence {sequence} is not what the journal's records make (state and output hash {:032x} {:032x}; the replay at sequence {replayed_sequence}: {:032x} {:032x}): it is not saved",
        live[0], live[1], replayed[0], replayed[1]
    )]
    NotReplayed { sequence: u64, replayed_sequence: u64, live: [u128; 2], replayed: [u128; 2] },
    #[error("no snapshot is taken at sequence {sequence}: {reason}")]
    NotNow { sequence: u64, reason: &'static str },
}

impl SnapshotError {
    pub(super) fn unreachable(action: &'static str, path: &Path, source: io::Error) -> Self {
        SnapshotError::Unreachable { action, path: path.to_owned(), source }
    }

    pub(super) fn damaged(path: &Path, found: impl Into<String>) -> Self {
        SnapshotError::Damaged { path: path.to_owned(), found: found.into() }
    }

    /// Whether an older snapshot may serve instead.
    pub fn is_damage(&self) -> bool {
        matches!(self, SnapshotError::Damaged { .. } | SnapshotError::State { .. })
    }
}

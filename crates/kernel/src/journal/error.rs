//! Why a journal cannot be opened, read or written: always with the place and the rule that does not hold.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::continuity::Broken;

/// A byte of a journal. `sequence` is the one that is read or written there, or would be next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    pub segment: u32,
    pub offset: u64,
    pub sequence: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { path, segment, offset, sequence } = self;
        write!(out, "{}: segment {segment}, offset {offset}, sequence {sequence}", path.display())
    }
}

macro_rules! journal_rules {
    ($($name:ident => $label:literal,)*) => {
        /// What must hold in a journal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum JournalRule { $($name,)* }

        impl JournalRule {
            pub const ALL: &'static [JournalRule] = &[$(JournalRule::$name,)*];

            pub const fn name(self) -> &'static str {
                match self { $(JournalRule::$name => $label,)* }
            }
        }
    };
}

journal_rules! {
    SegmentsMustBeComplete => "SEGMENTS_MUST_BE_COMPLETE",
    SegmentHeaderMustBeValid => "SEGMENT_HEADER_MUST_BE_VALID",
    SegmentMustFollow => "SEGMENT_MUST_FOLLOW",
    EpochMustMatch => "EPOCH_MUST_MATCH",
    BatchMustBeWhole => "BATCH_MUST_BE_WHOLE",
    HeaderChecksumMustMatch => "HEADER_CHECKSUM_MUST_MATCH",
    BodyChecksumMustMatch => "BODY_CHECKSUM_MUST_MATCH",
    ChainMustContinue => "CHAIN_MUST_CONTINUE",
    SequenceMustContinue => "SEQUENCE_MUST_CONTINUE",
    RecordMustBeWellFormed => "RECORD_MUST_BE_WELL_FORMED",
    MessageMustBeJournaled => "MESSAGE_MUST_BE_JOURNALED",
    ReferenceMustBeWellFormed => "REFERENCE_MUST_BE_WELL_FORMED",
    BatchMustCountItsRecords => "BATCH_MUST_COUNT_ITS_RECORDS",
    RecordVersionMustBeKnown => "RECORD_VERSION_MUST_BE_KNOWN",
    RestMustBeZero => "REST_MUST_BE_ZERO",
    JournalMustBeClosed => "JOURNAL_MUST_BE_CLOSED",
    WatermarkMustBeValid => "WATERMARK_MUST_BE_VALID",
    WatermarkMustMatch => "WATERMARK_MUST_MATCH",
    EndMustReachWatermark => "END_MUST_REACH_WATERMARK",
    SnapshotMustMatch => "SNAPSHOT_MUST_MATCH",
    EndMustReachSnapshot => "END_MUST_REACH_SNAPSHOT",
    SealsMustBeValid => "SEALS_MUST_BE_VALID",
    SealMustBeSigned => "SEAL_MUST_BE_SIGNED",
    SegmentMustBeAsSealed => "SEGMENT_MUST_BE_AS_SEALED",
}

impl fmt::Display for JournalRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A failure of the journal. Clones share the operating system's error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{}: not a journal: {found}", path.display())]
    NotAJournal { path: PathBuf, found: String },

    #[error("{}: a journal is here already; open it to continue it, or choose another directory", path.display())]
    AlreadyExists { path: PathBuf },

    #[error("{}: another writer has this journal open; only one may write", path.display())]
    Locked { path: PathBuf },

    #[error("{}: cannot {action}: {source}", path.display())]
    Unreachable { action: &'static str, path: PathBuf, source: Arc<io::Error> },

    #[error("{place}: cannot {action}: {source}")]
    Failed { action: &'static str, place: Place, source: Arc<io::Error> },

    #[error("{place}: no room to {action}: {needed} bytes are needed: {source}")]
    DiskFull { action: &'static str, place: Place, needed: u64, source: Arc<io::Error> },

    #[error("{place}: damaged, {rule} does not hold: {found}; nothing was changed")]
    Damaged { place: Place, rule: JournalRule, found: String },

    #[error(
        "{place}: the last write was cut short, {rule} does not hold: {found}; {bytes} bytes follow the last whole batch and nothing in them is valid"
    )]
    TornTail { place: Place, rule: JournalRule, found: String, bytes: u64 },

    #[error(
        "{place}: {} does not hold: the journal ends without the batch that closes it: the run was interrupted, or its end is missing",
        JournalRule::JournalMustBeClosed
    )]
    NotClosed { place: Place },

    #[error("{}: {what} version {found}, this program reads {supported}: {advice}", path.display())]
    UnsupportedVersion { path: PathBuf, what: &'static str, found: u64, supported: u64, advice: &'static str },

    #[error("{}: the journal is of epoch {found:#x}, {expected:#x} was expected: it belongs to another history", path.display())]
    ForeignEpoch { path: PathBuf, found: u64, expected: u64 },

    #[error("record of sequence {sequence} cannot be journaled, {rule} does not hold: {found}")]
    CannotAppend { sequence: u64, rule: JournalRule, found: String },

    #[error(
        "{}: is on {file_system}, which survives neither the machine nor a broken connection; durability {durability:?} needs a local disk: choose another directory or the durability os or none, or accept this file system expressly", path.display()
    )]
    UnsafeFileSystem { path: PathBuf, file_system: &'static str, durability: &'static str },

    #[error("{}: cannot be cut behind sequence {sequence}: {found}", path.display())]
    CannotCut { path: PathBuf, sequence: u64, found: String },

    #[error("{}: a cut of this journal was begun and not finished; cut it again behind the same record", path.display())]
    CutUnfinished { path: PathBuf },

    #[error("{}: record {sequence} cannot be skipped: {found}", path.display())]
    CannotSkip { path: PathBuf, sequence: u64, found: String },

    #[error("{}: {found}", path.display())]
    NotSealed { path: PathBuf, found: String },

    #[error("journal settings: {problem}")]
    BadSettings { problem: String },

    #[error("the journal failed before and takes nothing more: {cause}")]
    Stopped { cause: Box<JournalError> },

    #[error("the journal's thread panicked: {reason}")]
    Panicked { reason: String },
}

impl From<Broken> for JournalError {
    fn from(broken: Broken) -> Self {
        let Broken { rule, sequence, found } = broken;
        JournalError::CannotAppend { sequence, rule, found }
    }
}

impl JournalError {
    /// An operating system's error at a path, outside any segment's contents.
    pub(crate) fn unreachable(action: &'static str, path: &Path, source: io::Error) -> Self {
        JournalError::Unreachable { action, path: path.to_owned(), source: Arc::new(source) }
    }

    /// An operating system's error at a place in a segment. A full disk, an exceeded quota and a limit on the
    /// size of files are told apart from the rest: freeing room helps.
    pub(crate) fn failed(action: &'static str, place: Place, needed: u64, source: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let full = matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        let source = Arc::new(source);
        if full {
            JournalError::DiskFull { action, place, needed, source }
        } else {
            JournalError::Failed { action, place, source }
        }
    }

    pub fn place(&self) -> Option<&Place> {
        match self {
            JournalError::Failed { place, .. }
            | JournalError::DiskFull { place, .. }
            | JournalError::Damaged { place, .. }
            | JournalError::TornTail { place, .. }
            | JournalError::NotClosed { place } => Some(place),
            JournalError::Stopped { cause } => cause.place(),
            _ => None,
        }
    }

    pub fn rule(&self) -> Option<JournalRule> {
        match self {
            JournalError::Damaged { rule, .. }
            | JournalError::TornTail { rule, .. }
            | JournalError::CannotAppend { rule, .. } => Some(*rule),
            JournalError::NotClosed { .. } => Some(JournalRule::JournalMustBeClosed),
            JournalError::Stopped { cause } => cause.rule(),
            _ => None,
        }
    }
}

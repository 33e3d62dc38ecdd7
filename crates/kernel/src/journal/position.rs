//! A place between two batches.

use std::fmt;

/// The end of a batch (or of a segment's header, when no batch follows yet): what a watermark, a snapshot and the
/// writer mean by "up to here".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub segment: u32,
    /// Of the next batch, in bytes from the begin of the segment.
    pub offset: u64,
    /// The last one up to here; one less than the journal's first when there is none.
    pub sequence: u64,
    /// What the next batch has as its previous chain.
    pub chain: u128,
}

impl Position {
    /// Whether the journal has to be read further to come to `other`.
    pub(crate) fn is_before(&self, other: &Position) -> bool {
        (self.segment, self.offset) < (other.segment, other.offset)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { segment, offset, sequence, .. } = self;
        write!(out, "segment {segment}, offset {offset}, sequence {sequence}")
    }
}

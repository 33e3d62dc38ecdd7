//! What a journal holds, counted while it is checked.

use std::path::Path;
use std::sync::Arc;

use crate::disk::Disk;

use super::batch::BatchHeader;
use super::error::{JournalError, JournalRule, Place};
use super::position::Position;
use super::reader::{Batch, JournalReader};
use super::segment::{Identity, SegmentHeader, Settings};

/// How the journal ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// After a whole batch.
    Clean,
    /// With a write that was cut short: so many bytes, at this place, break this rule.
    Torn { place: Place, rule: JournalRule, found: String, bytes: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub identity: Identity,
    pub settings: Settings,
    pub segments: u32,
    pub batches: u64,
    /// Records that are here, references' markers not counted.
    pub records: u64,
    /// Records that stand by reference.
    pub referenced: u64,
    /// Slots of all records and markers that are here.
    pub slots: u64,
    /// Bytes up to the end of the last whole batch, headers and padding included.
    pub bytes: u64,
    /// Bytes of the files, filled-ahead zeros and a torn tail included.
    pub file_bytes: u64,
    /// Of the first record that is here; 1 unless the journal continues another or its begin was removed.
    pub first_sequence: u64,
    /// One less than `first_sequence` when there is no record.
    pub last_sequence: u64,
    /// What the last batch says was durable when it was written.
    pub durable_sequence: u64,
    /// The last state hash, and the sequence after which it was taken.
    pub state_hash: Option<(u64, u128)>,
    /// The last output hash, and the last sequence it covers.
    pub output_hash: Option<(u64, u128)>,
    /// The end of the last whole batch.
    pub end: Position,
    /// Up to where the journal is known to have been durable; `None` in a mode that never syncs.
    pub watermark: Option<Position>,
    /// Of the last record that is here, UTC nanoseconds.
    pub last_time: u64,
    /// Whether the last batch says that the writer ended on purpose.
    pub closed: bool,
    pub tail: Tail,
}

impl Report {
    pub(super) fn new(first: &SegmentHeader, watermark: Option<Position>) -> Self {
        let SegmentHeader { identity, settings, segment, first_sequence, previous_chain, .. } = first;
        let sequence = first_sequence.saturating_sub(1);
        Report {
            identity: identity.clone(),
            settings: *settings,
            segments: 0,
            batches: 0,
            records: 0,
            referenced: 0,
            slots: 0,
            bytes: 0,
            file_bytes: 0,
            first_sequence: *first_sequence,
            last_sequence: sequence,
            durable_sequence: sequence,
            state_hash: None,
            output_hash: None,
            end: Position { segment: *segment, offset: 0, sequence, chain: *previous_chain },
            watermark,
            last_time: 0,
            closed: false,
            tail: Tail::Clean,
        }
    }

    pub(super) fn count_segment(&mut self, header_bytes: u64, file_bytes: u64, end: Position) {
        self.segments += 1;
        self.bytes += header_bytes;
        self.file_bytes += file_bytes;
        self.end = end;
    }

    pub(super) fn count_batch(&mut self, header: &BatchHeader, markers: u64, bytes: u64, end: Position) {
        let here = u64::from(header.record_count) - markers;
        self.batches += 1;
        self.records += here;
        self.referenced += u64::from(header.sequence_count) - here;
        self.slots += u64::from(header.slot_count);
        self.bytes += bytes;
        self.last_sequence = header.next_sequence() - 1;
        self.durable_sequence = header.durable_sequence;
        self.state_hash = header.state_hash().or(self.state_hash);
        self.output_hash = header.output_hash().map(|hash| (self.last_sequence, hash)).or(self.output_hash);
        self.end = end;
        self.closed = header.is_closing();
    }

    /// Passes only a journal whose writer ended on purpose and of whose end nothing is missing.
    ///
    /// # Errors
    /// [`JournalError::NotClosed`] or [`JournalError::TornTail`] naming where the journal ends.
    pub fn require_closed(&self, path: &Path) -> Result<(), JournalError> {
        if let Tail::Torn { place, rule, found, bytes } = self.tail.clone() {
            return Err(JournalError::TornTail { place, rule, found, bytes });
        }
        if self.closed {
            return Ok(());
        }
        let place = Place {
            path: path.to_owned(),
            segment: self.end.segment,
            offset: self.end.offset,
            sequence: self.last_sequence.saturating_add(1),
        };
        Err(JournalError::NotClosed { place })
    }
}

/// Reads and checks a whole journal. A torn tail is told in the report; every damage is an error.
///
/// # Errors
/// As [`JournalReader::open`] and [`JournalReader::next_batch`].
pub fn verify(disk: Arc<dyn Disk>, path: &Path) -> Result<Report, JournalError> {
    let mut reader = JournalReader::open(disk, path)?;
    let tail = read_to_end(&mut reader)?;
    Ok(Report { tail, ..reader.report().clone() })
}

/// Reads what is left; only a torn tail is no error.
pub(super) fn read_to_end(reader: &mut JournalReader) -> Result<Tail, JournalError> {
    watch_to_end(reader, &mut |_| ())
}

/// As [`read_to_end`]; `watch` is shown every batch.
pub(super) fn watch_to_end(
    reader: &mut JournalReader,
    watch: &mut dyn FnMut(&Batch<'_>),
) -> Result<Tail, JournalError> {
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => watch(&batch),
            Ok(None) => return Ok(Tail::Clean),
            Err(JournalError::TornTail { place, rule, found, bytes }) => {
                return Ok(Tail::Torn { place, rule, found, bytes });
            }
            Err(error) => return Err(error),
        }
    }
}

//! Replay of a journal batch by batch, every hash in it compared.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use crate::disk::Disk;
use crate::journal::{Batch, JournalError, JournalReader, Position};
use crate::message::Message;
use crate::node::{Input, Mode, Node, NodeError, Poll};
use crate::observation::RecordSkipped;
use crate::record::{Body, Slot};

/// A journal that is not what this program makes of its records.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{hash} after sequence {sequence}: the journal has {recorded:032x} and the replay {replayed:032x}; both were the same up to sequence {same_up_to}"
)]
pub struct HashMismatch {
    /// "state hash" or "output hash".
    pub hash: &'static str,
    pub sequence: u64,
    pub recorded: u128,
    pub replayed: u128,
    /// The last sequence after which every hash was the same.
    pub same_up_to: u64,
}

#[derive(Debug, Error)]
pub enum ReplayError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("replay: {0}")]
    Node(#[from] NodeError),
    #[error(transparent)]
    Mismatch(#[from] HashMismatch),
}

/// A node that takes in batches of a journal.
#[derive(Debug)]
pub struct Replay {
    node: Node,
    same_up_to: u64,
    records: u64,
}

impl Replay {
    /// `node` is in [`Mode::Replay`].
    pub fn new(node: Node) -> Self {
        Replay { same_up_to: node.sequence(), node, records: 0 }
    }

    pub fn node(&mut self) -> &mut Node {
        &mut self.node
    }

    pub fn into_node(self) -> Node {
        self.node
    }

    /// Records taken in so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Takes in what of a batch follows the node's last record. Events are dropped: they left when the journal was
    /// written.
    ///
    /// # Errors
    /// A record that stops the engine, or a hash that is not the recorded one.
    pub fn take(&mut self, batch: &Batch<'_>) -> Result<(), ReplayError> {
        self.take_watched(batch, &mut |_| ())
    }

    /// As [`Replay::take`]; `watch` is shown the events before they are dropped.
    ///
    /// # Errors
    /// As [`Replay::take`].
    pub fn take_watched(
        &mut self,
        batch: &Batch<'_>,
        watch: &mut dyn FnMut(&[Slot]),
    ) -> Result<(), ReplayError> {
        let before = self.node.sequence();
        take_in(&mut self.node, batch)?;
        let events = self.node.released();
        watch(events);
        let slots = events.len();
        self.node.let_go(slots);
        self.records += self.node.sequence() - before;
        self.compare(batch)?;
        Ok(())
    }

    /// The header's output hash covers the batch; its state hash was taken at some sequence up to its end.
    fn compare(&mut self, batch: &Batch<'_>) -> Result<(), HashMismatch> {
        let sequence = self.node.sequence();
        if let Some(recorded) = batch.header.output_hash() {
            self.expect("output hash", sequence, recorded, self.node.output_hash())?;
        }
        if let Some((at, recorded)) = batch.header.state_hash()
            && let Some(replayed) = self.state_hash_at(at)
        {
            self.expect("state hash", at, recorded, replayed)?;
            self.same_up_to = at;
        }
        Ok(())
    }

    fn state_hash_at(&mut self, sequence: u64) -> Option<u128> {
        match self.node.checkpoint() {
            Some((at, hash)) if at == sequence => Some(hash),
            _ if sequence == self.node.sequence() => Some(self.node.state_hash()),
            _ => None,
        }
    }

    fn expect(
        &self,
        hash: &'static str,
        sequence: u64,
        recorded: u128,
        replayed: u128,
    ) -> Result<(), HashMismatch> {
        let same_up_to = self.same_up_to;
        if recorded == replayed {
            return Ok(());
        }
        Err(HashMismatch { hash, sequence, recorded, replayed, same_up_to })
    }
}

/// Lets a node in [`Mode::Replay`] take in what of a batch follows its last record.
pub(super) fn take_in(node: &mut Node, batch: &Batch<'_>) -> Result<(), ReplayError> {
    let next = batch.header.first_sequence.max(node.sequence() + 1);
    let at = batch.slots.partition_point(|slot| slot.sequence < next);
    let mut input = Input::resume(batch.slots, at, None);
    while node.poll(&mut input, usize::MAX)? != Poll::Idle {}
    Ok(())
}

/// A reader at `position`, or at the journal's first record.
///
/// # Errors
/// As [`JournalReader::open`] and [`JournalReader::open_at`].
pub fn reader_from(
    disk: Arc<dyn Disk>,
    path: &Path,
    position: Option<&Position>,
) -> Result<JournalReader, JournalError> {
    match position {
        Some(position) => JournalReader::open_at(disk, path, position),
        None => JournalReader::open(disk, path),
    }
}

/// Sequences of the records that the rest of a journal says are to be passed over.
///
/// # Errors
/// As [`JournalReader::next_batch`], but for a torn tail, which ends it.
pub fn passed_over(reader: &mut JournalReader) -> Result<BTreeSet<u64>, JournalError> {
    let mut sequences = BTreeSet::new();
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => note_passed_over(&batch, 0, &mut sequences),
            Ok(None) | Err(JournalError::TornTail { .. }) => return Ok(sequences),
            Err(error) => return Err(error),
        }
    }
}

/// As [`passed_over`], of what is durable, while somebody may be writing. Records are skipped while nobody is.
pub(super) fn passed_over_so_far(reader: &mut JournalReader) -> Result<BTreeSet<u64>, JournalError> {
    let mut sequences = BTreeSet::new();
    while let Some(batch) = reader.next_durable()? {
        note_passed_over(&batch, 0, &mut sequences);
    }
    Ok(sequences)
}

/// Adds the sequences that records after `since` say are to be passed over.
pub(super) fn note_passed_over(batch: &Batch<'_>, since: u64, sequences: &mut BTreeSet<u64>) {
    let later = batch.slots.iter().filter(|slot| slot.sequence > since);
    sequences.extend(later.filter_map(skipped_sequence));
}

fn skipped_sequence(slot: &Slot) -> Option<u64> {
    let is_skip = slot.message == Message::RecordSkipped as u16;
    is_skip.then(|| RecordSkipped::of(slot).skipped_sequence)
}

/// A node before the first record of a history.
pub fn genesis(shard: u8) -> Node {
    Node::new(shard, Mode::Replay, None)
}

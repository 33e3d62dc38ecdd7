//! The first record after which two histories are not the same, and both states there.

use std::path::Path;
use std::sync::Arc;

use super::replay::{HashMismatch, Replay, ReplayError, genesis, passed_over, reader_from};
use super::restart::RestartError;
use super::store::{Owner, SnapshotStore};
use crate::disk::Disk;
use crate::engine::{Difference, differences};
use crate::journal::{JournalError, JournalReader};
use crate::node::{Input, Mode, Node, NodeError, Poll, describe};
use crate::record::{RecordError, Slot, split_first};

/// The record after which two nodes that take in the same records are no longer in the same state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstDifference {
    pub sequence: u64,
    /// The record in words; `None` when they differed before any.
    pub record: Option<String>,
    pub differences: Vec<Difference>,
}

/// Lets two nodes take in the same records one by one and compares them after each, beginning before the first.
/// `None` when they stay the same. The hash after a record costs only what the record changed, so nothing is gained by
/// bisecting.
///
/// # Errors
/// A record that stops one of them.
pub fn first_difference(
    here: &mut Node,
    there: &mut Node,
    records: &[Slot],
) -> Result<Option<FirstDifference>, NodeError> {
    if let Some(found) = compared(here, there, None) {
        return Ok(Some(found));
    }
    let mut at = 0;
    while at < records.len() {
        let (record, _) =
            split_first(&records[at..]).map_err(|source: RecordError| NodeError::Record { at, source })?;
        for node in [&mut *here, &mut *there] {
            while node.poll(&mut Input::new(record, None), usize::MAX)? != Poll::Idle {}
            node.take_output();
        }
        if let Some(found) = compared(here, there, Some(record)) {
            return Ok(Some(found));
        }
        at += record.len();
    }
    Ok(None)
}

fn compared(here: &mut Node, there: &mut Node, record: Option<&[Slot]>) -> Option<FirstDifference> {
    if (here.state_hash(), here.output_hash()) == (there.state_hash(), there.output_hash()) {
        return None;
    }
    Some(FirstDifference {
        sequence: here.sequence(),
        record: record.map(describe),
        differences: differences(here.engine(), there.engine()),
    })
}

/// What came of comparing a journal with a replay of it from its first record.
#[derive(Debug)]
pub enum Verdict {
    /// Every hash in the journal and every snapshot is what the replay has there.
    Same { records: u64, snapshots: usize },
    /// The replay and a snapshot of the same moment, `here` and `there`, are different states.
    Snapshot { sequence: u64, differences: Vec<Difference> },
    /// A recorded hash is not the replay's. `against` is a later snapshot's state beside the replay's, where one is
    /// kept: what the journal's writer had become by then.
    Hash { mismatch: HashMismatch, against: Option<(u64, Vec<Difference>)> },
}

/// Replays a journal from its first record and compares every hash in it, and every snapshot, on the way.
///
/// # Errors
/// A journal or a snapshot that cannot be read, a record that stops the engine.
pub fn compare_history(
    disk: &Arc<dyn Disk>,
    journal: &Path,
    snapshots: Option<&Path>,
    configuration: u128,
) -> Result<Verdict, RestartError> {
    let identity = JournalReader::open(disk.clone(), journal)?.identity().clone();
    let store =
        snapshots.map(|path| SnapshotStore::new(disk.clone(), path, Owner::of(&identity, configuration)));
    let saved = store.as_ref().map_or(Ok(Vec::new()), SnapshotStore::sequences)?;
    let mut node = genesis(identity.shard);
    node.pass_over(passed_over(&mut JournalReader::open(disk.clone(), journal)?)?);
    let mut reader = reader_from(disk.clone(), journal, None)?;
    let (mut replay, mut mismatch, mut compared) = (Replay::new(node), None, 0);
    loop {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) | Err(JournalError::TornTail { .. }) => break,
            Err(error) => return Err(error.into()),
        };
        match replay.take(&batch) {
            Ok(()) => {}
            Err(ReplayError::Mismatch(found)) => mismatch = mismatch.or(Some(found)),
            Err(error) => return Err(error.into()),
        }
        let sequence = replay.node().sequence();
        let Some(store) = store.as_ref().filter(|_| saved.contains(&sequence)) else { continue };
        let (_, there) = store.read(sequence)?.into_node(Mode::Replay)?;
        let differences = differences(replay.node().engine(), there.engine());
        if let Some(mismatch) = mismatch {
            return Ok(Verdict::Hash { mismatch, against: Some((sequence, differences)) });
        }
        if !differences.is_empty() {
            return Ok(Verdict::Snapshot { sequence, differences });
        }
        compared += 1;
    }
    Ok(match mismatch {
        Some(mismatch) => Verdict::Hash { mismatch, against: None },
        None => Verdict::Same { records: replay.records(), snapshots: compared },
    })
}

/// The node as it was after the record `sequence`, from the nearest snapshot before it.
///
/// # Errors
/// As [`super::restart`]; a journal that ends before gives the node at its end.
pub fn state_at(
    disk: &Arc<dyn Disk>,
    journal: &Path,
    snapshots: Option<&Path>,
    configuration: u128,
    sequence: u64,
) -> Result<Node, RestartError> {
    let identity = JournalReader::open(disk.clone(), journal)?.identity().clone();
    let owner = Owner::of(&identity, configuration);
    let found = snapshots
        .map(|path| SnapshotStore::new(disk.clone(), path, owner).newest(sequence, Mode::Replay))
        .transpose()?
        .and_then(|found| found.node);
    let position = found.as_ref().map(|(head, _)| head.position);
    let mut node = found.map_or_else(|| genesis(identity.shard), |(_, node)| node);
    node.hash_state(false);
    node.pass_over(passed_over(&mut reader_from(disk.clone(), journal, position.as_ref())?)?);
    let mut reader = reader_from(disk.clone(), journal, position.as_ref())?;
    while node.sequence() < sequence {
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) | Err(JournalError::TornTail { .. }) => break,
            Err(error) => return Err(error.into()),
        };
        let next = node.sequence() + 1;
        let from = batch.slots.partition_point(|slot| slot.sequence < next);
        let to = batch.slots.partition_point(|slot| slot.sequence <= sequence);
        let mut input = Input::new(&batch.slots[from..to.max(from)], None);
        while node.poll(&mut input, usize::MAX).map_err(ReplayError::from)? != Poll::Idle {}
        node.take_output();
    }
    node.hash_state(true);
    Ok(node)
}

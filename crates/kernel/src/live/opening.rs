//! From a directory to a node that can go live, and the first records of a new one.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use crate::disk::Disk;
use crate::engine::Engine;
use crate::event::CommandRefused;
use crate::journal::{JournalError, JournalWriter, OpenOptions};
use crate::message::Message;
use crate::node::{Mode, Node, NodeError};
use crate::record::{Body, Slot, split_first};
use crate::rules::Rule;
use crate::snapshot::{self, AtEnd, RestartError, RestartOptions, RestartReport, SNAPSHOTS_NAME};

use super::admission::{Inadmissible, check_admissible};

/// Why a directory does not become a live node.
#[derive(Debug, Error)]
pub enum OpeningError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Restart(#[from] RestartError),
    #[error("configuration: {0}")]
    Inadmissible(#[from] Inadmissible),
    #[error("configuration: record {record} ({command}) was refused: {rule} does not hold")]
    Refused { record: u64, command: &'static str, rule: &'static str },
    #[error("configuration: a timer of it is due already when it begins, at {time} ns")]
    TimerIsDue { time: u64 },
}

/// A new node that has applied `configuration`, records of commands, at `time`. With a writer they are in its
/// journal, in one batch: all of them or none survives a crash.
///
/// # Errors
/// [`OpeningError::Refused`] for the first command the engine refuses: try without a writer before there is a journal.
pub fn configure(
    shard: u8,
    configuration: &[Slot],
    time: u64,
    writer: Option<&mut JournalWriter>,
) -> Result<Node, OpeningError> {
    let records = check_admissible(configuration)? as u64;
    let mut node = Node::from_engine(Engine::new(shard), Mode::Run, None);
    let mut rest = configuration.to_vec();
    let (mut at, mut stamped) = (0, Vec::new());
    while at < rest.len() {
        let length = split_first(&rest[at..]).map_err(|source| Inadmissible::Record { at, source })?.0.len();
        let record = &mut rest[at..at + length];
        node.submit(record, time)?;
        stamped.extend_from_slice(record);
        at += length;
    }
    node.commit()?;
    if node.sequence() != records {
        return Err(OpeningError::TimerIsDue { time });
    }
    if let Some(refused) =
        node.take_output().iter().find(|event| event.message == Message::CommandRefused as u16)
    {
        return Err(refusal(refused));
    }
    if let Some(writer) = writer {
        writer.append(&stamped)?;
        let state_hash = Some((node.sequence(), node.state_hash()));
        writer.commit(state_hash, node.output_hash())?;
    }
    Ok(node)
}

fn refusal(event: &Slot) -> OpeningError {
    let CommandRefused { command, rule, .. } = CommandRefused::of(event);
    let message = u16::try_from(command).ok().and_then(Message::from_number);
    let rule = u16::try_from(rule).ok().and_then(Rule::from_number);
    OpeningError::Refused {
        record: event.sequence,
        command: message.map_or("unknown", Message::name),
        rule: rule.map_or("unknown", Rule::name),
    }
}

/// Opens a journal to go on with it and brings a node to its end: from the newest snapshot in its folder `snapshots`,
/// else from its first record.
///
/// # Errors
/// As [`crate::snapshot::restart`].
pub fn restart(
    disk: Arc<dyn Disk>,
    path: &Path,
) -> Result<(Node, JournalWriter, RestartReport), OpeningError> {
    restart_with(disk, path, OpenOptions::default())
}

/// As [`restart`], with a say in how the journal is opened.
///
/// # Errors
/// As [`crate::snapshot::restart`].
pub fn restart_with(
    disk: Arc<dyn Disk>,
    path: &Path,
    open: OpenOptions,
) -> Result<(Node, JournalWriter, RestartReport), OpeningError> {
    let (mut node, at_end) = replay_to_end(disk, path, open, &mut |_| ())?;
    let (writer, report) = at_end.go_on(&mut node)?;
    Ok((node, writer, report))
}

/// As [`restart_with`], but nothing in the directory is changed before [`AtEnd::go_on`]; `watch` is shown the events of the
/// records after the snapshot, in their order.
///
/// # Errors
/// As [`crate::snapshot::restart`].
pub fn replay_to_end(
    disk: Arc<dyn Disk>,
    path: &Path,
    open: OpenOptions,
    watch: &mut dyn FnMut(&[Slot]),
) -> Result<(Node, AtEnd), OpeningError> {
    let snapshots = Some(path.join(SNAPSHOTS_NAME));
    let options = RestartOptions { snapshots, open, ..RestartOptions::default() };
    Ok(snapshot::replay_to_end(disk, path, &options, watch)?)
}

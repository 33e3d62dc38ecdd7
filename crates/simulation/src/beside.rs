//! What works beside the exchange: a follower that saves snapshots, the removal of what nobody needs any more, and a
//! doctor who cuts the journal on purpose.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openbell_kernel::disk::Disk;
use openbell_kernel::engine::Engine;
use openbell_kernel::journal::{Acceptance, JournalError, JournalReader, JournalWriter};
use openbell_kernel::node::Mode;
use openbell_kernel::snapshot::{
    Follower, Owner, RestartError, SNAPSHOTS_NAME, SnapshotPolicy, SnapshotStore, cut_history,
};

use crate::disk::SimulatedDisk;
use crate::exchange::{identity, journal_path};
use crate::random::Random;

pub fn snapshots_path() -> PathBuf {
    journal_path().join(SNAPSHOTS_NAME)
}

/// What there is beside the exchange in one story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// A snapshot is saved every so many records; 0 for never.
    pub snapshot_records: u64,
    pub removes: bool,
    pub cuts: bool,
}

impl Plan {
    pub const NOTHING: Plan = Plan { snapshot_records: 0, removes: false, cuts: false };
    /// As much as possible, at fixed places.
    pub const ALL: Plan = Plan { snapshot_records: 12, removes: true, cuts: false };

    /// What a seed has.
    pub fn of(random: &mut Random) -> Self {
        let snapshot_records = if random.below(4) == 0 { 0 } else { random.between(5, 60) };
        let removes = snapshot_records > 0 && random.once_in(2);
        Plan { snapshot_records, removes, cuts: random.once_in(4) }
    }
}

/// What a look at the journal brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The sequence of the last snapshot, if one was saved.
    pub saved: Option<u64>,
}

/// A follower in one life of the machine. One that fails is begun anew at the next look.
#[derive(Debug, Default)]
pub struct Following {
    follower: Option<Follower>,
}

impl Following {
    /// # Errors
    /// What the follower answers; it is gone then.
    pub fn look(
        &mut self,
        disk: &SimulatedDisk,
        snapshot_records: u64,
        now_ns: u64,
    ) -> Result<Seen, RestartError> {
        let mut follower = match self.follower.take() {
            Some(follower) => follower,
            None => open(disk, snapshot_records)?,
        };
        let followed = follower.follow(now_ns)?;
        self.follower = Some(follower);
        Ok(Seen { saved: followed.snapshot.map(|path| sequence_of(&path)) })
    }
}

fn open(disk: &SimulatedDisk, records: u64) -> Result<Follower, RestartError> {
    let policy = SnapshotPolicy { records, bytes: u64::MAX, interval_ns: u64::MAX };
    Follower::open(Arc::new(disk.clone()), &journal_path(), &snapshots_path(), 0, policy)
}

fn sequence_of(snapshot: &Path) -> u64 {
    let stem = snapshot.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.and_then(|stem| stem.parse().ok()).unwrap_or(0)
}

/// A state that was saved, as it is restored.
#[derive(Clone, Debug)]
pub struct Saved {
    pub sequence: u64,
    pub engine: Engine,
}

/// Snapshots that are whole, oldest first, looked at without touching `disk`.
pub fn whole_snapshots(disk: &SimulatedDisk) -> Vec<Saved> {
    let disk = disk.fork();
    disk.disarm();
    disk.restart_quietly();
    let store = SnapshotStore::new(Arc::new(disk.clone()), &snapshots_path(), Owner::of(&identity(), 0));
    let sequences = store.sequences().unwrap_or_default().into_iter();
    let whole = sequences.filter_map(|sequence| {
        let (_, node) = store.read(sequence).ok()?.into_node(Mode::Replay).ok()?;
        Some(Saved { sequence, engine: node.engine().clone() })
    });
    whole.collect()
}

/// The first sequence that a restart may still need: that of the second newest whole snapshot, whose place in the journal
/// lies behind its record. 0 for all of it.
pub fn needed_from(disk: &SimulatedDisk) -> u64 {
    let whole = whole_snapshots(disk);
    whole.len().checked_sub(2).map_or(0, |second| whole[second].sequence)
}

/// Removes segments that end before `sequence` from a journal that nobody writes.
///
/// # Errors
/// What the journal answers.
pub fn remove_before(disk: &SimulatedDisk, sequence: u64) -> Result<Vec<u32>, JournalError> {
    let (mut writer, _) = JournalWriter::open(Arc::new(disk.clone()), &journal_path())?;
    writer.remove_sealed_before(sequence)
}

/// Cuts the history behind `sequence`, as a person does who accepts the loss.
///
/// # Errors
/// What the doctor answers.
pub fn cut_behind(disk: &SimulatedDisk, sequence: u64) -> Result<(), RestartError> {
    let acceptance = Acceptance {
        actor: "simulation".to_owned(),
        reason: "to see what is left".to_owned(),
        time: 0,
        accept_any_file_system: false,
    };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    cut_history(disk, &journal_path(), &snapshots_path(), sequence, &acceptance, None).map(|_| ())
}

/// The sequence that a journal begins with; 1 where it cannot be read.
pub fn first_sequence(disk: &SimulatedDisk) -> u64 {
    let disk = disk.fork();
    disk.disarm();
    disk.restart_quietly();
    let reader = JournalReader::open(Arc::new(disk), &journal_path());
    reader.map_or(1, |reader| reader.report().first_sequence)
}

/// The last sequence up to which a damaged journal can be read; `None` when not even its begin can.
pub fn readable_until(disk: &SimulatedDisk) -> Option<u64> {
    let disk = disk.fork();
    disk.disarm();
    disk.restart_quietly();
    let mut reader = JournalReader::open(Arc::new(disk), &journal_path()).ok()?;
    while let Ok(Some(_)) = reader.next_batch() {}
    Some(reader.report().last_sequence)
}

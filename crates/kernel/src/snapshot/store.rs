//! The directory of snapshots: writes one so that it is whole or not there, and finds the newest that is whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::body::{BodyReader, BodyWriter, WrittenBody, file_bytes};
use super::error::SnapshotError;
use super::head::{FORMAT_VERSION, HEAD_SIZE, HeadProblem, SnapshotHead};
use crate::disk::{Access, Disk, DiskFile};
use crate::journal::{Identity, Position, RULES_VERSION, SCHEMA};
use crate::node::{Mode, Node};
use crate::sabotage::{Check, is_removed};
use crate::state::{StateReader, StateSink, StateWriter, stream_to};

/// Snapshots that stay when a new one is written.
pub const KEPT: usize = 2;

/// The folder of snapshots in that of a journal.
pub const SNAPSHOTS_NAME: &str = "snapshots";

const NEXT_NAME: &str = "next.snap";
const SUFFIX: &str = ".snap";

/// Whose snapshots these are: one of somebody else is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub epoch: u64,
    pub shard: u8,
    /// Hash of whatever else must be the same, as the caller sees fit.
    pub configuration: u128,
}

impl Owner {
    /// The owner of a journal's snapshots.
    pub fn of(identity: &Identity, configuration: u128) -> Self {
        Owner { epoch: identity.epoch, shard: identity.shard, configuration }
    }
}

/// A snapshot whose head was read and checked. Its body stays on the disk and is checked whenever it is read.
#[derive(Debug)]
pub struct Snapshot {
    pub head: SnapshotHead,
    pub path: PathBuf,
    file: Box<dyn DiskFile>,
    length: u64,
}

/// What is known of a state besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    sequence: u64,
    time: u64,
    state_hash: u128,
    output_hash: u128,
}

impl Told {
    fn of(node: &mut Node) -> Self {
        Told {
            sequence: node.sequence(),
            time: node.time(),
            state_hash: node.state_hash(),
            output_hash: node.output_hash(),
        }
    }
}

/// The whole state of a node after a record: what is saved once its place in the journal is known.
#[derive(Debug)]
pub struct StateImage {
    told: Told,
    body: Vec<u8>,
}

/// Keeps a state of so many bytes; of a larger one nothing.
struct Bounded {
    most: u64,
    length: u64,
    bytes: Vec<u8>,
}

impl StateSink for Bounded {
    fn take(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        if self.length <= self.most {
            self.bytes.extend_from_slice(piece);
        } else {
            self.bytes = Vec::new();
        }
    }
}

impl StateImage {
    /// A copy of the state of `node`.
    ///
    /// # Errors
    /// [`SnapshotError::NotNow`] for a node in the middle of something.
    pub fn of(node: &mut Node) -> Result<Self, SnapshotError> {
        node.check_savable(node.sequence())?;
        let mut out = StateWriter::new();
        node.write_state(&mut out);
        Ok(StateImage { told: Told::of(node), body: out.into_bytes() })
    }

    /// As [`StateImage::of`]; `None` for a state of more than `most_bytes`, which is not copied.
    ///
    /// # Errors
    /// As [`StateImage::of`].
    pub fn within(node: &mut Node, most_bytes: u64) -> Result<Option<Self>, SnapshotError> {
        node.check_savable(node.sequence())?;
        let sink = Bounded { most: most_bytes, length: 0, bytes: Vec::new() };
        let copied = stream_to(sink, |out| node.write_state(out)).filter(|of| of.length <= most_bytes);
        Ok(copied.map(|of| StateImage { told: Told::of(node), body: of.bytes }))
    }

    pub fn sequence(&self) -> u64 {
        self.told.sequence
    }

    /// Compares it with the state of a replay of the same records.
    ///
    /// # Errors
    /// [`SnapshotError::NotReplayed`].
    pub fn require_same(&self, replayed: &mut Node) -> Result<(), SnapshotError> {
        let (live, replayed) = (self.told, Told::of(replayed));
        if live == replayed {
            return Ok(());
        }
        Err(SnapshotError::NotReplayed {
            sequence: live.sequence,
            replayed_sequence: replayed.sequence,
            live: [live.state_hash, live.output_hash],
            replayed: [replayed.state_hash, replayed.output_hash],
        })
    }
}

/// A snapshot that was passed over, and why.
#[derive(Debug)]
pub struct Rejected {
    pub path: PathBuf,
    pub error: SnapshotError,
}

/// The newest snapshot that can be used, and newer ones that cannot.
#[derive(Debug)]
pub struct Found {
    pub node: Option<(SnapshotHead, Node)>,
    pub rejected: Vec<Rejected>,
}

/// A directory of snapshots of one owner.
#[derive(Clone, Debug)]
pub struct SnapshotStore {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    owner: Owner,
}

impl SnapshotStore {
    pub fn new(disk: Arc<dyn Disk>, directory: &Path, owner: Owner) -> Self {
        SnapshotStore { disk, directory: directory.to_owned(), owner }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Sequences of the snapshots that are there, ascending; nothing is said about what is in them.
    ///
    /// # Errors
    /// What the operating system answers; a directory that does not exist holds none.
    pub fn sequences(&self) -> Result<Vec<u64>, SnapshotError> {
        if !self.disk.is_directory(&self.directory) {
            return Ok(Vec::new());
        }
        let names = self.disk.list(&self.directory).map_err(|error| self.unreachable("list", error))?;
        let mut sequences: Vec<u64> = names.iter().filter_map(|name| sequence_in(name)).collect();
        sequences.sort_unstable();
        Ok(sequences)
    }

    /// Saves the state of a node after a record whose batch ends at `position` in the journal. Returns the file.
    ///
    /// # Errors
    /// [`SnapshotError::NotNow`] for a node in the middle of something; what the operating system answers, also when
    /// the disk gives back something else than was written. An older snapshot is never touched then.
    pub fn save(&self, node: &mut Node, position: Position) -> Result<PathBuf, SnapshotError> {
        node.check_savable(position.sequence)?;
        let told = Told::of(node);
        self.write(told, position, |out| node.write_state(out))
    }

    /// Saves a copy of a state after a record whose batch ends at `position`. Returns the file.
    ///
    /// # Errors
    /// As [`SnapshotStore::save`].
    pub fn save_image(&self, image: &StateImage, position: Position) -> Result<PathBuf, SnapshotError> {
        if image.sequence() != position.sequence {
            let reason = "the state is not that of the end of a batch";
            return Err(SnapshotError::NotNow { sequence: image.sequence(), reason });
        }
        self.write(image.told, position, |out| out.written(&image.body))
    }

    fn write(
        &self,
        told: Told,
        position: Position,
        write_state: impl FnOnce(&mut StateWriter),
    ) -> Result<PathBuf, SnapshotError> {
        let (next, path) = (self.directory.join(NEXT_NAME), self.path(told.sequence));
        self.make_directory()?;
        let head = self
            .write_file(&next, told, position, write_state)
            .map_err(|error| SnapshotError::unreachable("write the snapshot", &next, error))?;
        if !is_removed(Check::SnapshotReadBack) {
            self.read_back(&next, &head)?;
        }
        self.disk
            .rename(&next, &path)
            .and_then(|()| self.disk.sync_directory(&self.directory))
            .map_err(|error| SnapshotError::unreachable("name the snapshot", &path, error))?;
        self.remove_old();
        Ok(path)
    }

    fn make_directory(&self) -> Result<(), SnapshotError> {
        if self.disk.is_directory(&self.directory) {
            return Ok(());
        }
        let parent = self.directory.parent().unwrap_or(Path::new("."));
        self.disk
            .create_directory(&self.directory)
            .and_then(|()| self.disk.sync_directory(parent))
            .map_err(|error| self.unreachable("create", error))
    }

    /// The body as it comes, then the head, which says what it came to.
    fn write_file(
        &self,
        path: &Path,
        told: Told,
        position: Position,
        write_state: impl FnOnce(&mut StateWriter),
    ) -> io::Result<SnapshotHead> {
        let body = stream_to(BodyWriter::new(self.disk.create(path)?), write_state);
        let body = body.ok_or_else(|| io::Error::other("the state was not written to its end"))?;
        let WrittenBody { mut file, length, hash } = body.finish()?;
        let head = SnapshotHead {
            format: FORMAT_VERSION,
            schema: SCHEMA,
            rules_version: RULES_VERSION,
            epoch: self.owner.epoch,
            shard: self.owner.shard,
            configuration: self.owner.configuration,
            time: told.time,
            state_hash: told.state_hash,
            output_hash: told.output_hash,
            position,
            body_length: length,
            body_hash: hash,
        };
        file.write_full_at(&head.encode(), 0)?;
        file.sync()?;
        Ok(head)
    }

    /// What was written is looked at once more before it takes the place of an older one. The bytes may still come
    /// from memory: a disk that lies is found out at the next restart, and then the older one is there.
    fn read_back(&self, path: &Path, head: &SnapshotHead) -> Result<(), SnapshotError> {
        let written = self.open(path)?;
        if written.head != *head {
            return Err(SnapshotError::damaged(path, "it reads back with another head than was written"));
        }
        written.check()
    }

    /// All but the newest ones go. One that cannot be removed only takes up room.
    fn remove_old(&self) {
        let sequences = self.sequences().unwrap_or_default();
        let old = sequences.len().saturating_sub(KEPT);
        for sequence in &sequences[..old] {
            self.disk.remove(&self.path(*sequence)).ok();
        }
    }

    /// Reads the snapshot of a sequence and checks all of it.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub fn read(&self, sequence: u64) -> Result<Snapshot, SnapshotError> {
        let snapshot = self.read_of_any_owner(sequence)?;
        self.check_owner(&snapshot.path, &snapshot.head)?;
        Ok(snapshot)
    }

    /// As [`SnapshotStore::read`], whoever it belongs to and whatever rules it was written under.
    pub(super) fn read_of_any_owner(&self, sequence: u64) -> Result<Snapshot, SnapshotError> {
        let snapshot = self.open_named(sequence)?;
        snapshot.check()?;
        Ok(snapshot)
    }

    fn open_named(&self, sequence: u64) -> Result<Snapshot, SnapshotError> {
        let snapshot = self.open(&self.path(sequence))?;
        if snapshot.head.sequence() != sequence {
            let found =
                format!("it is named after sequence {sequence} and holds {}", snapshot.head.sequence());
            return Err(SnapshotError::damaged(&snapshot.path, found));
        }
        Ok(snapshot)
    }

    /// Reads and checks a snapshot in one go.
    fn restore(&self, sequence: u64, mode: Mode) -> Result<(SnapshotHead, Node), SnapshotError> {
        let snapshot = self.open_named(sequence)?;
        if let Err(foreign) = self.check_owner(&snapshot.path, &snapshot.head) {
            snapshot.check()?; // what is damaged is nobody's
            return Err(foreign);
        }
        snapshot.into_node(mode)
    }

    /// The newest snapshot at or before `sequence` that is whole, as a node.
    ///
    /// # Errors
    /// Whatever is no damage: a snapshot of another owner, a newer format, a directory that cannot be read.
    pub fn newest(&self, sequence: u64, mode: Mode) -> Result<Found, SnapshotError> {
        let mut rejected = Vec::new();
        for sequence in self.sequences()?.into_iter().rev().filter(|one| *one <= sequence) {
            match self.restore(sequence, mode) {
                Ok(node) => return Ok(Found { node: Some(node), rejected }),
                Err(error) if error.is_damage() => {
                    rejected.push(Rejected { path: self.path(sequence), error });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Found { node: None, rejected })
    }

    fn open(&self, path: &Path) -> Result<Snapshot, SnapshotError> {
        let unreachable = |error| SnapshotError::unreachable("read the snapshot", path, error);
        let file = self.disk.open(path, Access::Read).map_err(unreachable)?;
        let length = file.length().map_err(unreachable)?;
        let mut bytes = [0; HEAD_SIZE];
        if file.read_full_at(&mut bytes, 0).map_err(unreachable)? < HEAD_SIZE {
            return Err(SnapshotError::damaged(path, format!("it has {length} bytes, fewer than a head")));
        }
        let head = SnapshotHead::decode(&bytes).map_err(|problem| explain(path, &problem))?;
        Ok(Snapshot { head, path: path.to_owned(), file, length })
    }

    fn check_owner(&self, path: &Path, head: &SnapshotHead) -> Result<(), SnapshotError> {
        let Owner { epoch, shard, configuration } = self.owner;
        let compared = [
            ("rules version", u128::from(head.rules_version), u128::from(RULES_VERSION), "program"),
            ("epoch", u128::from(head.epoch), u128::from(epoch), "journal"),
            ("shard", u128::from(head.shard), u128::from(shard), "journal"),
            ("configuration", head.configuration, configuration, "node"),
        ];
        match compared.into_iter().find(|(_, found, expected, _)| found != expected) {
            Some((what, found, expected, owner)) => {
                Err(SnapshotError::Foreign { path: path.to_owned(), what, found, expected, owner })
            }
            None => Ok(()),
        }
    }

    pub(super) fn path(&self, sequence: u64) -> PathBuf {
        self.directory.join(format!("{sequence:020}{SUFFIX}"))
    }

    fn unreachable(&self, action: &'static str, error: io::Error) -> SnapshotError {
        SnapshotError::unreachable(action, &self.directory, error)
    }
}

impl Snapshot {
    fn body(&self) -> Result<BodyReader<'_>, SnapshotError> {
        if file_bytes(self.head.body_length) != Some(self.length) {
            let found = format!("it has {} bytes, its head says otherwise", self.length);
            return Err(SnapshotError::damaged(&self.path, found));
        }
        Ok(BodyReader::new(&self.path, self.file.as_ref(), &self.head))
    }

    /// Reads all of the body.
    fn check(&self) -> Result<(), SnapshotError> {
        self.body()?.finish()
    }

    /// The node as it was after the snapshot's record.
    ///
    /// # Errors
    /// A body that is damaged or no state, or a state of another hash than the head says.
    pub fn into_node(self, mode: Mode) -> Result<(SnapshotHead, Node), SnapshotError> {
        let mut body = self.body()?;
        let length = usize::try_from(self.head.body_length).unwrap_or(usize::MAX);
        let mut input = StateReader::from_source(&mut body, length);
        let node = Node::read_state(&mut input, mode).and_then(|node| input.finish().map(|()| node));
        body.finish()?;
        let mut node = node.map_err(|source| SnapshotError::State { path: self.path.clone(), source })?;
        let Snapshot { head, path, .. } = self;
        let state_hash = node.state_hash();
        let told = (head.sequence(), head.state_hash, head.output_hash);
        if (node.sequence(), state_hash, node.output_hash()) != told {
            let found = format!(
                "its head says sequence {} and state hash {:032x}, its state is of {} with {state_hash:032x}",
                head.sequence(),
                head.state_hash,
                node.sequence()
            );
            return Err(SnapshotError::damaged(&path, found));
        }
        Ok((head, node))
    }
}

fn explain(path: &Path, problem: &HeadProblem) -> SnapshotError {
    let found = match problem {
        HeadProblem::NewerFormat(found) => {
            return SnapshotError::NewerFormat {
                path: path.to_owned(),
                found: *found,
                supported: FORMAT_VERSION,
            };
        }
        HeadProblem::NoMark => "it does not begin as a snapshot does".to_owned(),
        HeadProblem::Checksum { written, computed } => {
            format!("its head has CRC32C {written:#010x} and {computed:#010x} is computed")
        }
        HeadProblem::Field(field) => format!("its head has an impossible {field}"),
    };
    SnapshotError::damaged(path, found)
}

/// The sequence in a snapshot's name; `None` for every other name.
pub(super) fn sequence_in(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let is_plain = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if is_plain { digits.parse().ok() } else { None }
}

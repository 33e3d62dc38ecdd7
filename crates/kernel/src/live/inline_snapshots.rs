//! Snapshots of a small state, taken by the node thread between two records and written by a thread of their own.
//!
//! The node thread copies the state and offers the copy; the journal thread ends a batch there and adds where in the
//! journal it stands; the saving thread writes the file. That thread also follows the journal as a follower does, at the
//! lowest priority: a copy is saved only if it is what a replay of the records makes. A state beyond the bound costs the
//! node thread too much: from then on it takes none, and says so ([`super::Health::has_outgrown_inline`]): a follower is
//! to take over.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::disk::{Disk, lower_priority};
use crate::journal::Position;
use crate::node::Node;
use crate::record::SLOT_SIZE;
use crate::snapshot::{Follower, RestartError, SnapshotPolicy, SnapshotStore, StateImage};

/// Between two looks at what the journal has that was not replayed yet.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
/// The last state is not saved if more records than this would have to be replayed first: whoever ends should not wait, and
/// a restart replays them anyway.
const MOST_RECORDS_AT_END: u64 = 1_000_000;
/// Of the saving thread, as of the follower process: the others come first, and it is not starved on a busy machine.
const NICENESS: i32 = 10;

/// When and where the node saves its own state.
#[derive(Clone, Debug)]
pub struct InlineSnapshots {
    /// What a copy is compared with before it is saved.
    pub journal: JournalToFollow,
    pub store: SnapshotStore,
    pub policy: SnapshotPolicy,
    /// A state of more bytes is not copied any more.
    pub most_bytes: u64,
}

/// Where a journal is, and what is replayed of it: everything after the newest snapshot.
#[derive(Clone, Debug)]
pub struct JournalToFollow {
    pub disk: Arc<dyn Disk>,
    pub path: PathBuf,
    pub snapshots: PathBuf,
}

/// What the node thread and the journal thread share.
#[derive(Debug, Default)]
pub(super) struct ImageSlot {
    image: Mutex<Option<StateImage>>,
    /// Sequence of the image that waits; 0 for none.
    sequence: AtomicU64,
    /// Sequence of the image that is on its way, from the offer until it is saved or dropped; 0 for none. There is one at a
    /// time, and the replay that it is to be compared with does not go beyond it.
    pending: AtomicU64,
    pub has_outgrown: AtomicBool,
    /// Why the last one could not be saved.
    trouble: Mutex<Option<String>>,
}

impl ImageSlot {
    fn offer(&self, image: StateImage) {
        let sequence = image.sequence();
        *self.image.lock().unwrap_or_else(PoisonError::into_inner) = Some(image);
        self.pending.store(sequence, Ordering::Release);
        self.sequence.store(sequence, Ordering::Release);
    }

    /// Sequence of the record behind which a batch has to end; 0 for none.
    pub fn wanted(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// Sequence of the image that is on its way; 0 for none.
    fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    /// The image of that sequence is saved, or will not be.
    pub fn end(&self, sequence: u64) {
        // Another one may have been offered meanwhile: the last one does not wait.
        self.pending.compare_exchange(sequence, 0, Ordering::AcqRel, Ordering::Relaxed).ok();
    }

    pub fn take(&self) -> Option<StateImage> {
        self.sequence.store(0, Ordering::Release);
        self.image.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// The node thread's part: what has come since the last copy.
#[derive(Debug)]
pub(super) struct ImageTaker {
    slot: Arc<ImageSlot>,
    policy: SnapshotPolicy,
    most_bytes: u64,
    sequence: u64,
    bytes: u64,
    time: u64,
}

impl ImageTaker {
    pub fn new(slot: Arc<ImageSlot>, of: &InlineSnapshots, node: &Node) -> Self {
        let (policy, most_bytes) = (of.policy, of.most_bytes);
        ImageTaker { slot, policy, most_bytes, sequence: node.sequence(), bytes: 0, time: node.time() }
    }

    /// Takes note of slots that were sequenced.
    pub fn count(&mut self, slots: usize) {
        self.bytes += (slots * SLOT_SIZE) as u64;
    }

    /// To be called before a commit: the batch that ends with it is where the copy belongs. Says whether there is one:
    /// with nothing to commit, the journal thread must be told.
    pub fn take_when_due(&mut self, node: &mut Node, time: u64) -> bool {
        let records = node.sequence() - self.sequence;
        let passed = time.saturating_sub(self.time);
        let is_due = records > 0 && self.policy.is_due(records, self.bytes, passed);
        if !is_due || self.slot.pending() != 0 || self.slot.has_outgrown.load(Ordering::Relaxed) {
            return false;
        }
        self.take(node, time);
        self.slot.wanted() != 0
    }

    /// To be called before the journal is closed: a restart then has nothing to replay.
    pub fn take_last(&mut self, node: &mut Node) {
        if node.sequence() > self.sequence && !self.slot.has_outgrown.load(Ordering::Relaxed) {
            self.take(node, node.time());
        }
    }

    fn take(&mut self, node: &mut Node, time: u64) {
        // In the middle of something: the next turn tries again.
        let Ok(image) = StateImage::within(node, self.most_bytes) else { return };
        (self.sequence, self.bytes, self.time) = (node.sequence(), 0, time);
        match image {
            Some(image) => self.slot.offer(image),
            None => self.slot.has_outgrown.store(true, Ordering::Release),
        }
    }
}

/// The thread that compares and writes. A copy that cannot be saved is told and stops nothing: the journal is whole without
/// it.
#[derive(Debug)]
pub(super) struct ImageSaver {
    images: Option<Sender<(StateImage, Position)>>,
    thread: Option<JoinHandle<()>>,
    is_ending: Arc<AtomicBool>,
}

impl ImageSaver {
    pub fn start(of: InlineSnapshots, slot: Arc<ImageSlot>) -> std::io::Result<Self> {
        let (images, to_save) = channel();
        let is_ending = Arc::new(AtomicBool::new(false));
        let saving = Saving { of, slot, is_ending: is_ending.clone(), follower: None, has_failed: false };
        let thread =
            Builder::new().name("openbell-snapshot".to_owned()).spawn(move || saving.run(&to_save))?;
        Ok(ImageSaver { images: Some(images), thread: Some(thread), is_ending })
    }

    pub fn save(&self, image: StateImage, position: Position) {
        if let Some(images) = &self.images {
            images.send((image, position)).ok(); // a thread that is gone has said why in its panic
        }
    }
}

/// What was handed over is written before the directory's lock is given back.
impl Drop for ImageSaver {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Release);
        self.images.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// What came of a comparison that found no difference.
enum Compared {
    Same,
    /// The copy was taken while the replay already took in what follows it: there will be a next one.
    Passed,
    /// Whoever ends would have had to wait for too much.
    TooFar,
}

struct Saving {
    of: InlineSnapshots,
    slot: Arc<ImageSlot>,
    is_ending: Arc<AtomicBool>,
    follower: Option<Follower>,
    /// A replay came to something else, or could not go on. Nothing is saved any more: what is there was compared.
    has_failed: bool,
}

impl Saving {
    fn run(mut self, to_save: &Receiver<(StateImage, Position)>) {
        lower_priority(NICENESS);
        loop {
            match to_save.recv_timeout(FOLLOW_EVERY) {
                Ok((image, position)) => self.save(&image, position),
                Err(RecvTimeoutError::Timeout) => self.follow(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn follower(&mut self) -> Result<&mut Follower, RestartError> {
        let follower = match self.follower.take() {
            Some(follower) => follower,
            None => {
                let JournalToFollow { disk, path, snapshots } = &self.of.journal;
                Follower::open(disk.clone(), path, snapshots, 0, self.of.policy)?
            }
        };
        Ok(self.follower.insert(follower))
    }

    fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Keeps up with the journal, up to a copy that is on its way, so that little is to be replayed when it comes.
    fn follow(&mut self) {
        while !self.has_failed && !self.is_ending() {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => self.fail(&error),
            }
        }
    }

    /// Takes in one batch; whether there was one to take in.
    fn step(&mut self) -> Result<bool, RestartError> {
        let pending = self.slot.pending();
        let follower = self.follower()?;
        let sequence = follower.sequence();
        if pending != 0 && pending <= sequence {
            return Ok(false);
        }
        follower.follow_to(sequence + 1)
    }

    fn save(&mut self, image: &StateImage, position: Position) {
        if !self.has_failed {
            match self.compare(image) {
                Err(error) => self.fail(&error),
                Ok(Compared::Same) => {
                    let saved = self.of.store.save_image(image, position);
                    self.slot.tell(saved.err().map(|error| error.to_string()));
                }
                Ok(Compared::Passed) => {}
                Ok(Compared::TooFar) => {
                    let told = "the last state was not saved: too much would have had to be replayed first";
                    self.slot.tell(Some(told.to_owned()));
                }
            }
        }
        self.slot.end(image.sequence());
    }

    fn compare(&mut self, image: &StateImage) -> Result<Compared, RestartError> {
        let is_ending = self.is_ending();
        let follower = self.follower()?;
        let (replayed, wanted) = (follower.sequence(), image.sequence());
        if replayed > wanted {
            return Ok(Compared::Passed);
        }
        if is_ending && wanted - replayed > MOST_RECORDS_AT_END {
            return Ok(Compared::TooFar);
        }
        follower.compare(image).map(|()| Compared::Same)
    }

    fn fail(&mut self, error: &RestartError) {
        self.slot.tell(Some(error.to_string()));
        self.has_failed = true;
        self.follower = None;
    }
}

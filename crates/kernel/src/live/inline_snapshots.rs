//! Snapshots of a small state, taken by the node thread between two records and written by a thread of their own.
//!
//! The node thread copies the state and offers the copy; the journal thread ends a batch there and adds where in the
//! journal it stands; the saving thread writes the file. A state beyond the bound costs the node thread too much: from
//! then on it takes none, and says so ([`super::Health::has_outgrown_inline`]): a follower is to take over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::journal::Position;
use crate::node::Node;
use crate::record::SLOT_SIZE;
use crate::snapshot::{SnapshotPolicy, SnapshotStore, StateImage};

/// When and where the node saves its own state.
#[derive(Clone, Debug)]
pub struct InlineSnapshots {
    pub store: SnapshotStore,
    pub policy: SnapshotPolicy,
    /// A state of more bytes is not copied any more.
    pub most_bytes: u64,
}

/// What the node thread and the journal thread share.
#[derive(Debug, Default)]
pub(super) struct ImageSlot {
    image: Mutex<Option<StateImage>>,
    /// Sequence of the image that waits; 0 for none.
    sequence: AtomicU64,
    pub has_outgrown: AtomicBool,
    /// Why the last one could not be saved.
    trouble: Mutex<Option<String>>,
}

impl ImageSlot {
    fn offer(&self, image: StateImage) {
        let sequence = image.sequence();
        *self.image.lock().unwrap_or_else(PoisonError::into_inner) = Some(image);
        self.sequence.store(sequence, Ordering::Release);
    }

    /// Sequence of the record behind which a batch has to end; 0 for none.
    pub fn wanted(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
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
        if !is_due || self.slot.wanted() != 0 || self.slot.has_outgrown.load(Ordering::Relaxed) {
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
        let Ok(image) = StateImage::of(node) else { return };
        (self.sequence, self.bytes, self.time) = (node.sequence(), 0, time);
        if image.bytes() > self.most_bytes {
            self.slot.has_outgrown.store(true, Ordering::Release);
        } else {
            self.slot.offer(image);
        }
    }
}

/// The thread that writes the files. A file that cannot be written is told and stops nothing: the journal is whole
/// without it.
#[derive(Debug)]
pub(super) struct ImageSaver {
    images: Option<Sender<(StateImage, Position)>>,
    thread: Option<JoinHandle<()>>,
}

impl ImageSaver {
    pub fn start(store: SnapshotStore, slot: Arc<ImageSlot>) -> std::io::Result<Self> {
        let (images, to_save) = channel::<(StateImage, Position)>();
        let thread = Builder::new().name("openbell-snapshot".to_owned()).spawn(move || {
            for (image, position) in to_save {
                slot.tell(store.save_image(&image, position).err().map(|error| error.to_string()));
            }
        })?;
        Ok(ImageSaver { images: Some(images), thread: Some(thread) })
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
        self.images.take();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

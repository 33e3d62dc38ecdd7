//! The journal on a thread of its own: it only writes, syncs and publishes how far.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::clock::Clock;
use crate::journal::{Content, Durability, JournalError, JournalWriter, Room};
use crate::message::Message;
use crate::node::{RecordSink, panic_text};
use crate::record::Slot;
use crate::ring::{Consumer, Gauge, Producer, Published, Signal, ring};

use super::durations::RecentDurations;
use super::inline_snapshots::{ImageSaver, ImageSlot, InlineSnapshots};

/// Slots the ring has at least: twice [`INTAKE_ROOM`].
pub const LEAST_SLOTS: usize = 2 * INTAKE_ROOM;

/// Slots that must be free for the node to take anything in. More than a whole batch of the node (its commits are at
/// most 4,096 slots apart), its longest last record and its mark, so that it never waits in the middle of one.
pub(super) const INTAKE_ROOM: usize = 8192;

/// How often a full disk is tried again.
const RETRY_NS: u64 = 100_000_000;
/// How often it is looked whether the next segment is ready, while there is nothing to write.
const LOOK_NS: u64 = 1_000_000;
/// What a commit would wait for begins when nothing came for so long: the sync of the watermark, which is not put off for
/// more than so many commits, and preparing faster than they go.
const SETTLE_NS: u64 = 1_000_000;
const MOST_UNSETTLED: u32 = 256;

/// Of a [`ThreadedJournal`].
#[derive(Clone, Copy, Debug)]
pub struct JournalThreadOptions {
    /// Size of the ring.
    pub slots: usize,
    /// How often the thread looks for work before it sleeps.
    pub spins: u32,
    /// In the mode `interval`: what is written is synced after this.
    pub interval_ns: u64,
}

/// What the two threads share.
#[derive(Debug)]
pub(super) struct JournalLink {
    /// Wakes the journal thread.
    work: Signal,
    /// Wakes the node thread: something is durable, or there is room in the ring.
    node: Arc<Signal>,
    durable: Published,
    is_abandoned: AtomicBool,
    failure: OnceLock<JournalError>,
    /// Why the next segment cannot be prepared, or a commit has to wait: the disk is full.
    shortage: Mutex<Option<JournalError>>,
    /// Saves a lock where there is none and was none.
    has_shortage: AtomicBool,
    /// Bytes left of the reserve; `u64::MAX` while there is more.
    reserve_left: AtomicU64,
    /// A commit waits for room on the disk.
    is_stuck: AtomicBool,
    closed: Mutex<Option<Result<u64, JournalError>>>,
    /// Sealed segments that end before this sequence are to be removed; 0 when nobody asked.
    remove_before: AtomicU64,
    /// Why segments could not be removed when it was last tried.
    removal_trouble: Mutex<Option<String>>,
    pub images: Arc<ImageSlot>,
    pub commits: RecentDurations,
    pub durability: Durability,
    pub epoch: u64,
    spins: u32,
}

impl JournalLink {
    pub fn durable_sequence(&self) -> u64 {
        self.durable.get()
    }

    pub fn failure(&self) -> Option<&JournalError> {
        self.failure.get()
    }

    /// Bytes left, while there is nothing but the reserve.
    pub fn reserve_left(&self) -> Option<u64> {
        Some(self.reserve_left.load(Ordering::Acquire)).filter(|bytes| *bytes != u64::MAX)
    }

    pub fn shortage(&self) -> Option<JournalError> {
        lock(&self.shortage).clone()
    }

    /// The error because of which a commit waits: records are applied and cannot become durable.
    pub fn stuck(&self) -> Option<JournalError> {
        if self.is_stuck.load(Ordering::Acquire) { self.shortage() } else { None }
    }

    pub fn ask_removal(&self, sequence: u64) {
        self.remove_before.store(sequence, Ordering::Release);
        self.work.wake();
    }

    /// A copy of the state waits to be saved, perhaps with nothing to commit behind it.
    pub fn look_at_image(&self) {
        self.work.wake();
    }

    pub fn upkeep_trouble(&self) -> Option<String> {
        lock(&self.removal_trouble).clone().or_else(|| self.images.trouble())
    }

    fn check(&self) -> Result<u64, JournalError> {
        match self.failure() {
            Some(error) => Err(error.clone()),
            None => Ok(self.durable.get()),
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A [`RecordSink`] that hands what it is given to a thread around a [`JournalWriter`].
///
/// `append` copies into a ring, `commit` publishes and returns what is durable by now, which is less. What queues
/// while the thread syncs becomes its next batch. A failure of the journal comes back with the next call.
#[derive(Debug)]
pub struct ThreadedJournal {
    producer: Producer,
    link: Arc<JournalLink>,
    thread: Option<JoinHandle<()>>,
    /// In the mode `none`: the last sequence handed to the thread. Nothing is promised, so nothing waits for it.
    handed: u64,
}

impl ThreadedJournal {
    /// Starts the thread. `node` wakes the caller's.
    ///
    /// # Errors
    /// When the system gives no thread, or the journal is one by reference, which only a backtest has.
    pub fn start(
        writer: JournalWriter,
        clock: Arc<dyn Clock>,
        node: Arc<Signal>,
        sizes: JournalThreadOptions,
    ) -> io::Result<Self> {
        Self::start_saving(writer, clock, node, sizes, None)
    }

    /// As [`ThreadedJournal::start`]; states that the node offers are saved as `inline` says.
    pub(super) fn start_saving(
        writer: JournalWriter,
        clock: Arc<dyn Clock>,
        node: Arc<Signal>,
        sizes: JournalThreadOptions,
        inline: Option<InlineSnapshots>,
    ) -> io::Result<Self> {
        let JournalThreadOptions { slots, spins, interval_ns } = sizes;
        if writer.settings().content != Content::Full {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a journal by reference cannot be written live",
            ));
        }
        let mut writer = writer;
        writer.prepare_in_background();
        let (producer, consumer) = ring(slots.max(LEAST_SLOTS));
        let link = Arc::new(JournalLink {
            work: Signal::default(),
            node,
            durable: Published::new(writer.durable_sequence()),
            is_abandoned: AtomicBool::new(false),
            failure: OnceLock::new(),
            shortage: Mutex::new(None),
            has_shortage: AtomicBool::new(false),
            reserve_left: AtomicU64::new(u64::MAX),
            is_stuck: AtomicBool::new(false),
            closed: Mutex::new(None),
            remove_before: AtomicU64::new(0),
            removal_trouble: Mutex::new(None),
            images: Arc::new(ImageSlot::default()),
            commits: RecentDurations::default(),
            durability: writer.settings().durability,
            epoch: writer.identity().epoch,
            spins,
        });
        let interval_ns = (link.durability == Durability::Interval).then_some(interval_ns);
        let handed = link.durable.get();
        let saver = inline.map(|inline| ImageSaver::start(inline, link.images.clone())).transpose()?;
        let link_of_thread = link.clone();
        let thread = JournalThread {
            consumer,
            saver,
            writer,
            clock,
            link: link_of_thread,
            interval_ns,
            slots: Vec::new(),
            unsettled: 0,
            is_idle: true,
        };
        let thread = Builder::new().name("openbell-journal".to_owned()).spawn(move || thread.run())?;
        Ok(ThreadedJournal { producer, link, thread: Some(thread), handed })
    }

    pub(super) fn link(&self) -> Arc<JournalLink> {
        self.link.clone()
    }

    pub fn gauge(&self) -> Gauge {
        self.producer.gauge()
    }

    /// Waits for room. The ring holds more than a batch, so the thread always has something to make room with.
    fn push(&mut self, record: &[Slot]) -> Result<(), JournalError> {
        while !self.producer.push(record) {
            self.link.check()?;
            let JournalLink { node, failure, spins, .. } = &*self.link;
            node.wait(*spins, None, || self.producer.free() >= record.len() || failure.get().is_some());
        }
        Ok(())
    }

    /// How far the output gate may open.
    fn reached(&self) -> u64 {
        if self.link.durability == Durability::None { self.handed } else { self.link.durable.get() }
    }

    fn send_mark(&mut self, kind: u8, state: Option<(u64, u128)>, output: u128) -> Result<(), JournalError> {
        self.push(&[mark(kind, state, output)])?;
        self.producer.publish();
        self.link.work.wake();
        Ok(())
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // Its panics were caught and are the link's failure.
            let _ = thread.join();
        }
    }
}

impl RecordSink for ThreadedJournal {
    fn append(&mut self, record: &[Slot], _input: Option<u16>) -> Result<(), JournalError> {
        self.push(record)?;
        self.handed = record[0].sequence;
        Ok(())
    }

    fn commit(&mut self, state_hash: Option<(u64, u128)>, output_hash: u128) -> Result<u64, JournalError> {
        self.link.check()?;
        self.send_mark(COMMIT, state_hash, output_hash)?;
        Ok(self.reached())
    }

    fn durable_sequence(&mut self) -> Result<u64, JournalError> {
        self.link.check()?;
        Ok(self.reached())
    }

    fn close(
        mut self: Box<Self>,
        state_hash: Option<(u64, u128)>,
        output_hash: u128,
    ) -> Result<u64, JournalError> {
        self.link.check()?;
        self.send_mark(CLOSE, state_hash, output_hash)?;
        self.join();
        let closed = lock(&self.link.closed).take();
        closed.unwrap_or_else(|| self.link.check())
    }
}

/// Without [`RecordSink::close`] the journal stays open at its end, as after a crash; what was committed is written.
impl Drop for ThreadedJournal {
    fn drop(&mut self) {
        self.link.is_abandoned.store(true, Ordering::Release);
        self.link.work.wake();
        self.join();
    }
}

const COMMIT: u8 = 1;
const CLOSE: u8 = 2;

/// Ends a batch in the ring: `version` says how, `body` holds the two hashes, `sequence` that of the state hash and
/// `slots` of `flags` 1 that there is one.
fn mark(kind: u8, state: Option<(u64, u128)>, output: u128) -> Slot {
    let (sequence, hash) = state.unwrap_or((0, 0));
    Slot {
        sequence,
        message: Message::BatchHeader as u16,
        slots: 1,
        version: kind,
        flags: u16::from(state.is_some()),
        body: [hash as u64, (hash >> 64) as u64, output as u64, (output >> 64) as u64],
        ..Slot::ZERO
    }
}

fn is_mark(slot: &Slot) -> bool {
    slot.message == Message::BatchHeader as u16
}

fn hashes(mark: &Slot) -> (Option<(u64, u128)>, u128) {
    let [state_low, state_high, output_low, output_high] = mark.body.map(u128::from);
    let state = (mark.flags == 1).then_some((mark.sequence, state_high << 64 | state_low));
    (state, output_high << 64 | output_low)
}

struct JournalThread {
    consumer: Consumer,
    /// Ends before the writer gives back the lock of the directory.
    saver: Option<ImageSaver>,
    writer: JournalWriter,
    clock: Arc<dyn Clock>,
    link: Arc<JournalLink>,
    /// Of the mode `interval`.
    interval_ns: Option<u64>,
    /// What was taken from the ring, marks among it.
    slots: Vec<Slot>,
    /// Commits since the watermark was synced.
    unsettled: u32,
    /// Nothing came while it last slept.
    is_idle: bool,
}

impl JournalThread {
    fn run(self) {
        let link = self.link.clone();
        link.work.attend();
        let error = match catch_unwind(AssertUnwindSafe(|| self.write_until_closed())) {
            Ok(Ok(())) => None,
            Ok(Err(JournalError::Stopped { cause })) => Some(*cause),
            Ok(Err(error)) => Some(error),
            Err(panic) => Some(JournalError::Panicked { reason: panic_text(&*panic) }),
        };
        if let Some(error) = error {
            link.failure.get_or_init(|| error);
        }
        link.node.wake();
    }

    fn write_until_closed(mut self) -> Result<(), JournalError> {
        loop {
            self.slots.clear();
            // All of it: the node publishes whole batches, so a mark is the last.
            self.consumer.take(&mut self.slots, usize::MAX);
            let Some(last) = self.slots.last().copied() else {
                if self.is_abandoned() && self.consumer.available() == 0 {
                    return Ok(());
                }
                self.rest()?;
                continue;
            };
            self.is_idle = false;
            // There is room again; a node that waits for it need not wait for the sync.
            self.link.node.wake();
            self.append_all()?;
            if last.version == CLOSE {
                return self.close(&last);
            }
            self.commit(&last)?;
            self.hand_over_image()?;
            self.remove_asked()?;
            self.sync_when_due()?;
        }
    }

    /// Appends what was taken. It becomes one batch, but for a state that waits to be saved: a batch ends there.
    fn append_all(&mut self) -> Result<(), JournalError> {
        self.hand_over_image()?;
        let wanted = self.link.images.wanted();
        let slots = std::mem::take(&mut self.slots);
        for part in slots.split_inclusive(is_mark) {
            let Some((mark, records)) = part.split_last() else { continue };
            if records.is_empty() {
                continue;
            }
            self.writer.append(records)?;
            let ends_here = wanted != 0 && records.last().is_some_and(|last| last.sequence == wanted);
            if ends_here && mark.version == COMMIT {
                self.commit(mark)?;
                self.hand_over_image()?;
            }
        }
        self.slots = slots;
        Ok(())
    }

    /// Lets a state be saved when the journal ends with its record. What a snapshot tells of must be durable before
    /// it, or a power cut leaves a snapshot of a future that never came.
    fn hand_over_image(&mut self) -> Result<(), JournalError> {
        let (Some(saver), wanted) = (&self.saver, self.link.images.wanted()) else { return Ok(()) };
        let position = self.writer.position();
        if wanted == 0 || wanted > position.sequence {
            return Ok(());
        }
        let image = self.link.images.take();
        if let Some(image) = image.filter(|image| image.sequence() == position.sequence) {
            self.writer.sync()?;
            saver.save(image, position);
        } else {
            self.link.images.end(wanted);
        }
        Ok(())
    }

    /// Removes old segments that somebody asked to have removed. A name that cannot be removed is no failure of the
    /// journal.
    fn remove_asked(&mut self) -> Result<(), JournalError> {
        let before = self.link.remove_before.swap(0, Ordering::AcqRel);
        if before == 0 {
            return Ok(());
        }
        let removed = self.writer.remove_sealed_before(before);
        *lock(&self.link.removal_trouble) = removed.as_ref().err().map(ToString::to_string);
        match removed {
            Err(JournalError::DiskFull { .. } | JournalError::Unreachable { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn is_abandoned(&self) -> bool {
        self.link.is_abandoned.load(Ordering::Acquire)
    }

    /// A disk without room for the next segment is tried again until there is some, or nobody waits any more.
    fn commit(&mut self, mark: &Slot) -> Result<(), JournalError> {
        let (state_hash, output_hash) = hashes(mark);
        let before = self.clock.steady();
        loop {
            match self.writer.commit(state_hash, output_hash) {
                Ok(durable) => {
                    self.link.commits.record(self.clock.steady().saturating_sub(before));
                    self.link.durable.publish(durable);
                    self.unsettled += 1;
                    self.tell_room(None);
                    self.link.node.wake();
                    return Ok(());
                }
                Err(error @ JournalError::DiskFull { .. }) if !self.is_abandoned() => {
                    self.tell_room(Some(error));
                    self.link.node.wake();
                    self.link.work.wait(0, Some(RETRY_NS), || self.link.is_abandoned.load(Ordering::Acquire));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn close(self, mark: &Slot) -> Result<(), JournalError> {
        let (state_hash, output_hash) = hashes(mark);
        let JournalThread { writer, saver, link, .. } = self;
        drop(saver);
        let closed = writer.close(state_hash, output_hash);
        if let Ok(durable) = &closed {
            link.durable.publish(*durable);
        }
        *lock(&link.closed) = Some(closed.clone());
        closed.map(|_| ())
    }

    /// Has done what commits should not wait for, and sleeps.
    fn rest(&mut self) -> Result<(), JournalError> {
        self.hand_over_image()?;
        self.remove_asked()?;
        let before = self.writer.room();
        let is_prepared = !self.is_idle || self.prepare_next()?;
        self.tell_room(None);
        if before != self.writer.room() {
            self.link.node.wake();
        }
        let until_sync = self.sync_when_due()?;
        let until_settled = self.settle_when_idle()?;
        let retry = self.writer.shortage().map(|_| RETRY_NS);
        let look = (!is_prepared).then_some(LOOK_NS);
        let timeout = [retry, until_sync, until_settled, look].into_iter().flatten().min();
        let position = self.writer.position().sequence;
        let JournalThread { consumer, link, .. } = self;
        link.work.wait(link.spins, timeout, || {
            consumer.available() > 0
                || (1..=position).contains(&link.images.wanted())
                || link.is_abandoned.load(Ordering::Acquire)
                || link.remove_before.load(Ordering::Acquire) != 0
        });
        self.is_idle = true;
        Ok(())
    }

    /// Lets the next segment be prepared faster than in step with the commits, which would wait for it.
    fn prepare_next(&mut self) -> Result<bool, JournalError> {
        match self.writer.prepare_next() {
            Err(JournalError::DiskFull { .. }) => Ok(true),
            prepared => prepared,
        }
    }

    /// Syncs the watermark once nothing comes any more; how long to wait for that, in nanoseconds.
    fn settle_when_idle(&mut self) -> Result<Option<u64>, JournalError> {
        if self.unsettled == 0 {
            return Ok(None);
        }
        if !self.is_idle && self.unsettled < MOST_UNSETTLED {
            return Ok(Some(SETTLE_NS));
        }
        self.unsettled = 0;
        self.writer.settle().map(|()| None)
    }

    /// Nanoseconds until the next sync, in the mode `interval`.
    fn sync_when_due(&mut self) -> Result<Option<u64>, JournalError> {
        if let Some(interval_ns) = self.interval_ns {
            self.writer.sync_when_due(self.clock.steady(), interval_ns)?;
        }
        Ok(self.interval_ns)
    }

    /// Publishes how the disk stands; `stuck` is why a commit has to wait.
    fn tell_room(&self, stuck: Option<JournalError>) {
        let reserve_left = match self.writer.room() {
            Room::Ample => u64::MAX,
            Room::Reserve { bytes } => bytes,
        };
        let is_stuck = stuck.is_some();
        let shortage = stuck.or_else(|| self.writer.shortage().cloned());
        if shortage.is_some() || self.link.has_shortage.load(Ordering::Relaxed) {
            self.link.has_shortage.store(shortage.is_some(), Ordering::Relaxed);
            *lock(&self.link.shortage) = shortage;
        }
        self.link.reserve_left.store(reserve_left, Ordering::Release);
        self.link.is_stuck.store(is_stuck, Ordering::Release);
    }
}

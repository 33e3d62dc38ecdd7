//! The journal on a thread of its own: it only writes, syncs and publishes how far.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::clock::Clock;
use crate::journal::{Content, Durability, JournalError, JournalWriter};
use crate::message::Message;
use crate::node::RecordSink;
use crate::record::Slot;
use crate::ring::{Consumer, Gauge, Producer, Published, Signal, ring};

use super::durations::RecentDurations;

/// Slots the ring must have at least: a whole batch of the node, its longest last record and its mark.
pub const LEAST_SLOTS: usize = 8192;

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
    closed: Mutex<Option<Result<u64, JournalError>>>,
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

    fn check(&self) -> Result<u64, JournalError> {
        match self.failure() {
            Some(error) => Err(error.clone()),
            None => Ok(self.durable.get()),
        }
    }
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
}

impl ThreadedJournal {
    /// Starts the thread. `node` wakes the caller's; `slots` is the ring's size.
    ///
    /// # Errors
    /// When the system gives no thread, or the journal is one by reference, which only a backtest has.
    pub fn start(
        writer: JournalWriter,
        clock: Arc<dyn Clock>,
        node: Arc<Signal>,
        slots: usize,
        spins: u32,
    ) -> io::Result<Self> {
        if writer.settings().content != Content::Full {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a journal by reference cannot be written live",
            ));
        }
        let (producer, consumer) = ring(slots.max(LEAST_SLOTS));
        let link = Arc::new(JournalLink {
            work: Signal::default(),
            node,
            durable: Published::new(writer.durable_sequence()),
            is_abandoned: AtomicBool::new(false),
            failure: OnceLock::new(),
            closed: Mutex::new(None),
            commits: RecentDurations::default(),
            durability: writer.settings().durability,
            epoch: writer.identity().epoch,
            spins,
        });
        let thread = JournalThread { consumer, writer, clock, link: link.clone(), slots: Vec::new() };
        let thread = Builder::new().name("openbell-journal".to_owned()).spawn(move || thread.run())?;
        Ok(ThreadedJournal { producer, link, thread: Some(thread) })
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
        self.push(record)
    }

    fn commit(&mut self, state_hash: Option<(u64, u128)>, output_hash: u128) -> Result<u64, JournalError> {
        self.link.check()?;
        self.send_mark(COMMIT, state_hash, output_hash)?;
        Ok(self.link.durable.get())
    }

    fn durable_sequence(&mut self) -> Result<u64, JournalError> {
        self.link.check()
    }

    fn close(
        mut self: Box<Self>,
        state_hash: Option<(u64, u128)>,
        output_hash: u128,
    ) -> Result<u64, JournalError> {
        self.link.check()?;
        self.send_mark(CLOSE, state_hash, output_hash)?;
        self.join();
        let closed = self.link.closed.lock().unwrap_or_else(PoisonError::into_inner).take();
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
    writer: JournalWriter,
    clock: Arc<dyn Clock>,
    link: Arc<JournalLink>,
    /// What was taken from the ring, marks among it.
    slots: Vec<Slot>,
}

impl JournalThread {
    fn run(self) {
        let link = self.link.clone();
        link.work.attend();
        let error = match catch_unwind(AssertUnwindSafe(|| self.write_until_closed())) {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(panic) => Some(JournalError::Panicked { reason: text_of(&*panic) }),
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
                if self.link.is_abandoned.load(Ordering::Acquire) && self.consumer.available() == 0 {
                    return Ok(());
                }
                self.wait();
                continue;
            };
            // There is room again; a node that waits for it need not wait for the sync.
            self.link.node.wake();
            for records in self.slots.split(is_mark).filter(|records| !records.is_empty()) {
                self.writer.append(records)?;
            }
            if last.version == CLOSE {
                return self.close(&last);
            }
            self.commit(&last)?;
        }
    }

    fn commit(&mut self, mark: &Slot) -> Result<(), JournalError> {
        let (state_hash, output_hash) = hashes(mark);
        let before = self.clock.steady();
        let durable = self.writer.commit(state_hash, output_hash)?;
        self.link.commits.record(self.clock.steady().saturating_sub(before));
        self.link.durable.publish(durable);
        self.link.node.wake();
        Ok(())
    }

    fn close(self, mark: &Slot) -> Result<(), JournalError> {
        let (state_hash, output_hash) = hashes(mark);
        let closed = self.writer.close(state_hash, output_hash);
        if let Ok(durable) = &closed {
            self.link.durable.publish(*durable);
        }
        *self.link.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(closed.clone());
        closed.map(|_| ())
    }

    fn wait(&mut self) {
        let JournalThread { consumer, link, .. } = self;
        link.work
            .wait(link.spins, None, || consumer.available() > 0 || link.is_abandoned.load(Ordering::Acquire));
    }
}

/// What a panic said.
pub(super) fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}

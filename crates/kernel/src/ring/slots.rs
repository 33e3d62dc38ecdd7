//! The ring itself.

use crate::record::{SLOT_SIZE, Slot};
use crate::sync::{Arc, AtomicU64, Ordering};

const WORDS: usize = SLOT_SIZE / 8;

/// Keeps what one thread writes off the cache lines of the other. Two lines, because processors fetch pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

#[derive(Debug)]
struct Ring {
    words: Box<[AtomicU64]>,
    /// Slots published since the beginning; written by the producer.
    published: Apart<AtomicU64>,
    /// Slots taken since the beginning; written by the consumer.
    taken: Apart<AtomicU64>,
}

impl Ring {
    fn capacity(&self) -> usize {
        self.words.len() / WORDS
    }

    /// Words of slot number `position`, counted since the beginning.
    fn slot(&self, position: u64) -> &[AtomicU64] {
        let index = (position & (self.capacity() as u64 - 1)) as usize;
        &self.words[index * WORDS..(index + 1) * WORDS]
    }
}

/// A ring with room for `capacity` slots, rounded up to a power of two, and its two ends.
pub fn ring(capacity: usize) -> (Producer, Consumer) {
    let capacity = capacity.next_power_of_two();
    let words = (0..capacity * WORDS).map(|_| AtomicU64::new(0)).collect();
    let counter = || Apart(AtomicU64::new(0));
    let ring = Arc::new(Ring { words, published: counter(), taken: counter() });
    let producer = Producer { ring: ring.clone(), written: 0, published: 0, taken: 0 };
    (producer, Consumer { ring, taken: 0, published: 0 })
}

/// The end that puts slots in.
#[derive(Debug)]
pub struct Producer {
    ring: Arc<Ring>,
    /// Slots written; those from `published` on are not the consumer's yet.
    written: u64,
    published: u64,
    /// What the consumer had taken when last looked at.
    taken: u64,
}

impl Producer {
    /// Slots that fit now.
    pub fn free(&mut self) -> usize {
        self.taken = self.ring.taken.0.load(Ordering::Acquire);
        self.room()
    }

    fn room(&self) -> usize {
        self.ring.capacity() - (self.written - self.taken) as usize
    }

    /// Writes all of `slots`, or says false and writes nothing. The consumer sees them after [`Producer::publish`].
    #[must_use]
    pub fn push(&mut self, slots: &[Slot]) -> bool {
        if !self.has_room(slots.len()) {
            return false;
        }
        slots.iter().for_each(|slot| self.put(slot));
        true
    }

    /// As [`Producer::push`] for one record, with `flags` set in its head besides those it has.
    #[must_use]
    pub fn push_flagged(&mut self, record: &[Slot], flags: u16) -> bool {
        if !self.has_room(record.len()) {
            return false;
        }
        if let Some((head, rest)) = record.split_first() {
            self.put(&Slot { flags: head.flags | flags, ..*head });
            rest.iter().for_each(|slot| self.put(slot));
        }
        true
    }

    fn has_room(&mut self, slots: usize) -> bool {
        slots <= self.room() || slots <= self.free()
    }

    fn put(&mut self, slot: &Slot) {
        let words: [u64; WORDS] = zerocopy::transmute!(*slot);
        for (to, word) in self.ring.slot(self.written).iter().zip(words) {
            to.store(word, Ordering::Relaxed);
        }
        self.written += 1;
    }

    /// Hands everything pushed to the consumer.
    pub fn publish(&mut self) {
        self.published = self.written;
        // Pairs with the load in `Consumer::available`: whoever sees the count sees the slots.
        self.ring.published.0.store(self.published, Ordering::Release);
    }

    /// Slots pushed and not published.
    pub fn unpublished(&self) -> usize {
        (self.written - self.published) as usize
    }

    pub fn gauge(&self) -> Gauge {
        Gauge { ring: self.ring.clone() }
    }
}

/// The end that takes slots out.
#[derive(Debug)]
pub struct Consumer {
    ring: Arc<Ring>,
    taken: u64,
    /// What the producer had published when last looked at.
    published: u64,
}

impl Consumer {
    /// Slots that can be taken now.
    pub fn available(&mut self) -> usize {
        self.published = self.ring.published.0.load(Ordering::Acquire);
        (self.published - self.taken) as usize
    }

    /// Appends whole records to `out`, `limit` slots at most, and says how many slots that were. The room they had
    /// is free for the producer when this returns.
    pub fn take(&mut self, out: &mut Vec<Slot>, limit: usize) -> usize {
        let before = self.taken;
        let available = self.available().min(limit) as u64;
        while self.taken - before < available {
            let head = self.read(self.taken);
            let length = u64::from(head.slots).max(1);
            if self.taken - before + length > available {
                break;
            }
            out.push(head);
            out.extend((1..length).map(|index| self.read(self.taken + index)));
            self.taken += length;
        }
        // Pairs with the load in `Producer::free`: a slot is written anew only after it was read.
        self.ring.taken.0.store(self.taken, Ordering::Release);
        (self.taken - before) as usize
    }

    fn read(&self, position: u64) -> Slot {
        let mut words = [0; WORDS];
        for (word, from) in words.iter_mut().zip(self.ring.slot(position)) {
            *word = from.load(Ordering::Relaxed);
        }
        zerocopy::transmute!(words)
    }

    pub fn gauge(&self) -> Gauge {
        Gauge { ring: self.ring.clone() }
    }
}

/// Reads how full a ring is, from any thread.
#[derive(Clone, Debug)]
pub struct Gauge {
    ring: Arc<Ring>,
}

impl Gauge {
    /// Slots published and not taken.
    pub fn filled(&self) -> usize {
        let taken = self.ring.taken.0.load(Ordering::Acquire);
        // Read second, so that the difference is never negative.
        (self.ring.published.0.load(Ordering::Acquire) - taken) as usize
    }

    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::observation::ClockAdvanced;

    fn record(number: u64, slots: u8) -> Vec<Slot> {
        let head = Slot { sequence: number, slots, ..Slot::new(ClockAdvanced { reserved: [number; 4] }) };
        let rest = (1..slots).map(|index| Slot {
            sequence: number,
            message: Message::Continuation as u16,
            slots: index,
            ..Slot::ZERO
        });
        std::iter::once(head).chain(rest).collect()
    }

    #[test]
    fn what_is_pushed_comes_out_whole_and_in_order() {
        let (mut producer, mut consumer) = ring(8);
        let mut out = Vec::new();
        for number in 0..100 {
            assert!(producer.push(&record(number, 3)));
            producer.publish();
            assert_eq!(consumer.take(&mut out, 8), 3);
        }
        let expected: Vec<Slot> = (0..100).flat_map(|number| record(number, 3)).collect();
        assert_eq!(out, expected);
    }

    #[test]
    fn a_full_ring_takes_nothing_of_a_record() {
        let (mut producer, mut consumer) = ring(4);
        assert!(producer.push(&record(1, 3)));
        assert!(!producer.push(&record(2, 2)), "two slots where one is free");
        producer.publish();
        let mut out = Vec::new();
        assert_eq!(consumer.take(&mut out, 8), 3);
        assert_eq!(out, record(1, 3));
        assert!(producer.push(&record(2, 2)));
    }

    #[test]
    fn a_limit_never_splits_a_record() {
        let (mut producer, mut consumer) = ring(8);
        assert!(producer.push(&record(1, 2)) && producer.push(&record(2, 3)));
        producer.publish();
        let mut out = Vec::new();
        assert_eq!(consumer.take(&mut out, 4), 2);
        assert_eq!(consumer.take(&mut out, 2), 0);
        assert_eq!(consumer.take(&mut out, 3), 3);
    }

    #[test]
    fn nothing_is_seen_before_it_is_published() {
        let (mut producer, mut consumer) = ring(8);
        assert!(producer.push(&record(1, 2)));
        assert_eq!((consumer.available(), producer.unpublished(), producer.gauge().filled()), (0, 2, 0));
        producer.publish();
        assert_eq!((consumer.available(), producer.unpublished(), consumer.gauge().filled()), (2, 0, 2));
    }

    #[test]
    fn two_threads_pass_a_million_slots() {
        let (mut producer, mut consumer) = ring(64);
        let reading = std::thread::spawn(move || {
            let (mut out, mut next) = (Vec::new(), 0);
            while next < 300_000 {
                consumer.take(&mut out, 64);
                for slots in out.chunks(3) {
                    assert_eq!(slots, record(next, 3));
                    next += 1;
                }
                out.clear();
                std::thread::yield_now();
            }
        });
        for number in 0..300_000 {
            while !producer.push(&record(number, 3)) {
                std::thread::yield_now();
            }
            producer.publish();
        }
        reading.join().unwrap();
    }
}

//! A book's best levels for other threads: people, dashboards, gauges. Participants use their own view.
//!
//! The thread that owns the book publishes after a command, or after as many as it likes; readers get the last
//! published state whole, and cost the writer nothing. A publisher that hears the level changes writes only when
//! one of the levels it shows changed.

use crate::seqlock::{SeqlockReader, SeqlockWriter, seqlock};
use crate::terms::Side;

use super::ladder::{NO_KEY, mirror};
use super::policy::MatchingPolicy;
use super::report::LevelChange;
use super::view::{Level, TopOfBook};
use super::{Book, index};

/// Words of a level: price, quantity, orders.
const LEVEL_WORDS: usize = 3;
/// Levels of buys, levels of sells.
const HEAD_WORDS: usize = 2;

/// Best levels of both sides as last published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedDepth {
    pub bids: Vec<Level>,
    pub asks: Vec<Level>,
    /// How often the book has been published.
    pub writes: u64,
}

/// Publishes the best levels of one book.
#[derive(Debug)]
pub struct DepthPublisher {
    writer: SeqlockWriter,
    levels: usize,
    /// Buy, sell: key of the last level shown, [`NO_KEY`] while the side has room.
    worst: [i64; 2],
    changed: bool,
    words: Vec<u64>,
}

/// Reads what a [`DepthPublisher`] publishes, from any thread.
#[derive(Clone, Debug)]
pub struct DepthReader {
    reader: SeqlockReader,
    levels: usize,
}

impl DepthPublisher {
    /// For the best `levels` of each side.
    pub fn new(levels: usize) -> Self {
        let words = HEAD_WORDS + 2 * levels * LEVEL_WORDS;
        let (writer, _) = seqlock(words);
        DepthPublisher { writer, levels, worst: [NO_KEY; 2], changed: true, words: vec![0; words] }
    }

    pub fn reader(&self) -> DepthReader {
        DepthReader { reader: self.writer.reader(), levels: self.levels }
    }

    /// Hears a level change, to know whether the next [`DepthPublisher::publish_changes`] has work.
    #[inline]
    pub fn level_changed(&mut self, change: &LevelChange) {
        let side = index(change.side);
        self.changed |= mirror(side, change.price) <= self.worst[side];
    }

    /// Publishes if a change that was heard touches what is shown.
    #[inline]
    pub fn publish_changes<P: MatchingPolicy>(&mut self, book: &Book<P>) {
        if self.changed {
            self.publish(book);
        }
    }

    /// Publishes the book as it is.
    pub fn publish<P: MatchingPolicy>(&mut self, book: &Book<P>) {
        let mut at = HEAD_WORDS;
        for side in [Side::Buy, Side::Sell] {
            let row = index(side);
            let mut count = 0;
            let mut worst = NO_KEY;
            for level in book.levels(side).take(self.levels) {
                let figures = [level.price as u64, level.quantity as u64, u64::from(level.orders)];
                self.words[at..at + LEVEL_WORDS].copy_from_slice(&figures);
                at += LEVEL_WORDS;
                count += 1;
                worst = mirror(row, level.price);
            }
            self.words[row] = count;
            self.worst[row] = if (count as usize) < self.levels { NO_KEY } else { worst };
        }
        self.writer.write(&self.words[..at]);
        self.changed = false;
    }
}

impl DepthReader {
    /// The levels last published, best first.
    pub fn depth(&self) -> PublishedDepth {
        let mut words = vec![0; self.reader.words()];
        let writes = self.reader.read(&mut words);
        let counts = [words[0] as usize, words[1] as usize];
        let mut levels = words[HEAD_WORDS..].chunks_exact(LEVEL_WORDS).map(level_of);
        let bids = levels.by_ref().take(counts[0]).collect();
        let asks = levels.take(counts[1]).collect();
        PublishedDepth { bids, asks, writes }
    }

    pub fn top(&self) -> TopOfBook {
        let depth = self.depth();
        TopOfBook { bid: depth.bids.first().copied(), ask: depth.asks.first().copied() }
    }

    /// Levels of each side that are published.
    pub fn levels(&self) -> usize {
        self.levels
    }
}

fn level_of(words: &[u64]) -> Level {
    match *words {
        [price, quantity, orders] => {
            Level { price: price as i64, quantity: quantity as i64, orders: orders as u32 }
        }
        _ => Level { price: 0, quantity: 0, orders: 0 },
    }
}

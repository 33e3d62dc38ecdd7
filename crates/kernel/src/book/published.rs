//! A book's best levels for other threads: people, dashboards, gauges. Participants use their own view.
//!
//! The thread that owns the book publishes after a command, or after as many as it likes; readers get the last
//! published state whole, and cost the writer nothing. A publisher that hears the level changes writes only when
//! one of the levels it shows changed.

use std::ops::Range;

use crate::seqlock::{SeqlockReader, SeqlockWriter, seqlock};

use super::ladder::mirror;
use super::policy::MatchingPolicy;
use super::report::LevelChange;
use super::view::{Level, TopOfBook};
use super::{Book, index};

/// Words of a level: price, quantity, orders.
const LEVEL_WORDS: usize = 3;
/// How many levels of buys and of sells are shown.
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
///
/// It keeps what it shows, changes that with each level change it hears, and writes only the rows that differ: most
/// changes are of a level too deep to be shown, most of the others of one row.
#[derive(Debug)]
pub struct DepthPublisher {
    writer: SeqlockWriter,
    levels: usize,
    /// Buy, sell.
    sides: [ShownSide; 2],
    changed: bool,
    /// What readers see once it is written: counts, rows of buys, rows of sells.
    words: Vec<u64>,
}

/// The levels shown of one side.
#[derive(Clone, Debug, Default)]
struct ShownSide {
    /// Their keys, best first. Fewer than there is room for when a level has gone; then the book has the next.
    keys: Vec<i64>,
    /// Rows that differ from what readers see.
    unwritten: Range<usize>,
}

impl ShownSide {
    fn differs(&mut self, rows: Range<usize>) {
        self.unwritten = if self.unwritten.is_empty() {
            rows
        } else {
            self.unwritten.start.min(rows.start)..self.unwritten.end.max(rows.end)
        };
    }
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
        let keys = || Vec::with_capacity(levels + 1);
        let sides = [(); 2].map(|()| ShownSide { keys: keys(), unwritten: 0..0 });
        DepthPublisher { writer, levels, sides, changed: true, words: vec![0; words] }
    }

    pub fn reader(&self) -> DepthReader {
        DepthReader { reader: self.writer.reader(), levels: self.levels }
    }

    /// Hears a level change. Every change since the last [`DepthPublisher::publish`] must be heard for
    /// [`DepthPublisher::publish_changes`] to show the book as it is.
    #[inline]
    pub fn level_changed(&mut self, change: &LevelChange) {
        let side = index(change.side);
        let key = mirror(side, change.price);
        let keys = &self.sides[side].keys;
        let beyond = keys.last().is_none_or(|&last| key > last);
        if !(beyond && keys.len() == self.levels) {
            self.change_shown(side, key, beyond, change);
        }
    }

    fn change_shown(&mut self, side: usize, key: i64, beyond: bool, change: &LevelChange) {
        self.changed = true;
        if beyond {
            return; // Fetched from the book, with whatever else lies before it.
        }
        let shown = &mut self.sides[side];
        let row = shown.keys.partition_point(|&other| other < key);
        let known = shown.keys[row] == key;
        let figures = [change.price as u64, change.quantity as u64, u64::from(change.orders)];
        let rows = HEAD_WORDS + side * self.levels * LEVEL_WORDS;
        let (at, end) = (rows + row * LEVEL_WORDS, rows + self.levels * LEVEL_WORDS);
        if change.orders == 0 {
            if known {
                shown.keys.remove(row);
                self.words.copy_within(at + LEVEL_WORDS..end, at);
                shown.differs(row..self.levels);
            }
            return;
        }
        if known {
            shown.differs(row..row + 1);
        } else {
            shown.keys.insert(row, key);
            shown.keys.truncate(self.levels);
            self.words.copy_within(at..end - LEVEL_WORDS, at + LEVEL_WORDS);
            shown.differs(row..self.levels);
        }
        self.words[at..at + LEVEL_WORDS].copy_from_slice(&figures);
    }

    /// Publishes if a change that was heard touches what is shown.
    #[inline]
    pub fn publish_changes<P: MatchingPolicy>(&mut self, book: &Book<P>) {
        if self.changed {
            self.write(book);
        }
    }

    /// Publishes the book as it is.
    pub fn publish<P: MatchingPolicy>(&mut self, book: &Book<P>) {
        self.sides.iter_mut().for_each(|side| side.keys.clear());
        self.write(book);
    }

    fn write<P: MatchingPolicy>(&mut self, book: &Book<P>) {
        for side in 0..2 {
            while self.sides[side].keys.len() < self.levels {
                let last = self.sides[side].keys.last().copied();
                let Some((key, level)) = book.level_after(side, last) else { break };
                self.show(side, key, &level);
            }
            self.words[side] = self.sides[side].keys.len() as u64;
        }
        let rows = [0, 1].map(|side| {
            let start = HEAD_WORDS + side * self.levels * LEVEL_WORDS;
            let unwritten = std::mem::take(&mut self.sides[side].unwritten);
            start + unwritten.start * LEVEL_WORDS..start + unwritten.end * LEVEL_WORDS
        });
        let [buys, sells] = rows;
        self.writer.write_parts(&self.words, [0..HEAD_WORDS, buys, sells]);
        self.changed = false;
    }

    fn show(&mut self, side: usize, key: i64, level: &Level) {
        let shown = &mut self.sides[side];
        let row = shown.keys.len();
        shown.keys.push(key);
        shown.differs(row..row + 1);
        let at = HEAD_WORDS + (side * self.levels + row) * LEVEL_WORDS;
        let figures = [level.price as u64, level.quantity as u64, u64::from(level.orders)];
        self.words[at..at + LEVEL_WORDS].copy_from_slice(&figures);
    }
}

impl DepthReader {
    /// The levels last published, best first.
    pub fn depth(&self) -> PublishedDepth {
        let mut words = vec![0; self.reader.words()];
        let writes = self.reader.read(&mut words);
        let counts = [words[0] as usize, words[1] as usize];
        let rows =
            |side: usize| words[HEAD_WORDS + side * self.levels * LEVEL_WORDS..].chunks_exact(LEVEL_WORDS);
        let bids = rows(0).take(counts[0]).map(level_of).collect();
        let asks = rows(1).take(counts[1]).map(level_of).collect();
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

//! Puts depth updates behind a snapshot, in sequence, and tells what is missing.

use std::collections::VecDeque;

use super::message::DepthUpdate;
use super::{Counts, Stamp};
use crate::depth::Depth;
use crate::observation::{BookLevelObserved, FeedGapObserved};
use crate::record::{Body, Slot, flags};
use crate::terms::Side;

/// Updates kept for the next snapshot: a snapshot is seconds old when it comes, a stream sends at most some
/// hundred messages in that time.
pub const HELD_MESSAGES: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub sell: bool,
    pub price: i64,
    pub quantity: i64,
}

/// One depth update, kept.
#[derive(Clone, Debug, Default)]
struct Held {
    first: u64,
    last: u64,
    previous: Option<u64>,
    exchange_time: u64,
    levels: Vec<Level>,
}

/// Where an update stands to the book.
enum Continuity {
    /// All of it is in the book already.
    Stale,
    Next,
    Gap {
        expected: u64,
        received: u64,
    },
}

impl Held {
    /// Futures say which update the message follows; spot numbers its updates without holes.
    fn continuity(&self, book_id: u64) -> Continuity {
        let due = book_id.saturating_add(1);
        match self.previous {
            _ if self.last <= book_id => Continuity::Stale,
            Some(previous) if previous > book_id => Continuity::Gap { expected: book_id, received: previous },
            None if self.first > due => Continuity::Gap { expected: due, received: self.first },
            _ => Continuity::Next,
        }
    }

    fn write(&self, stamp: &Stamp<'_>, out: &mut Vec<Slot>) {
        write_levels(stamp, &self.levels, self.last, self.exchange_time, 0, out);
    }
}

fn write_levels(
    stamp: &Stamp<'_>,
    levels: &[Level],
    update_id: u64,
    exchange_time: u64,
    extra: u16,
    out: &mut Vec<Slot>,
) {
    out.extend(levels.iter().map(|level| {
        let (price, quantity) = (level.price, level.quantity);
        let body = BookLevelObserved { price, quantity, update_id, exchange_time };
        stamp.on(Slot::new(body), extra | if level.sell { flags::SELL } else { 0 })
    }));
}

/// A whole book. One without levels is still told, as the removal of a level at price 0.
fn write_snapshot(stamp: &Stamp<'_>, levels: &[Level], id: u64, exchange_time: u64, out: &mut Vec<Slot>) {
    const NONE: [Level; 1] = [Level { sell: false, price: 0, quantity: 0 }];
    let levels = if levels.is_empty() { &NONE } else { levels };
    let from = out.len();
    write_levels(stamp, levels, id, exchange_time, flags::SNAPSHOT, out);
    out[from].flags |= flags::CLEAR;
}

/// Marks the last slot of `message` (nothing there is longer than one slot).
fn seal(message: &mut [Slot]) {
    if let Some(last) = message.last_mut() {
        last.flags |= flags::LAST_OF_MESSAGE;
    }
}

#[derive(Debug)]
pub struct BookSync {
    /// Last update in the book; `None` before the first snapshot.
    book_id: Option<u64>,
    /// The latest updates, oldest first, whether used or not: a later snapshot may be older than they are.
    held: VecDeque<Held>,
    before_start: BeforeStart,
}

/// The book while records are not given out yet.
#[derive(Debug, Default)]
struct BeforeStart {
    depth: Depth,
    /// Last level seen: its id and exchange time are the book's.
    last: Option<BookLevelObserved>,
    /// The last gap, if no snapshot has come since.
    gap: Option<Slot>,
}

impl BookSync {
    pub fn new() -> Self {
        BookSync { book_id: None, held: VecDeque::new(), before_start: BeforeStart::default() }
    }

    /// Updates that wait for a first snapshot.
    pub fn waiting(&self) -> usize {
        if self.book_id.is_none() { self.held.len() } else { 0 }
    }

    /// Writes the book of a snapshot and what is known to have happened since, as one message.
    pub fn snapshot(
        &mut self,
        stamp: &Stamp<'_>,
        id: u64,
        exchange_time: u64,
        levels: &[Level],
        counts: &mut Counts,
        out: &mut Vec<Slot>,
    ) {
        let (from, is_first) = (out.len(), self.book_id.is_none());
        write_snapshot(stamp, levels, id, exchange_time, out);
        counts.levels += levels.len() as u64;
        let mut book_id = id;
        for held in &self.held {
            // Updates that were used before are written again, for the snapshot may be older than they are.
            let stale = follow(stamp, held, &mut book_id, counts, out);
            counts.stale_updates += u64::from(stale && is_first);
        }
        self.book_id = Some(book_id);
        seal(&mut out[from..]);
    }

    /// Writes an update behind the book, or keeps it for a snapshot to come. Returns true when an update that
    /// never was used had to make room.
    pub fn update(
        &mut self,
        stamp: &Stamp<'_>,
        update: &DepthUpdate<'_>,
        levels: &[Level],
        counts: &mut Counts,
        out: &mut Vec<Slot>,
    ) -> bool {
        counts.empty_updates += u64::from(levels.is_empty());
        let from = out.len();
        let is_full = self.held.len() == HELD_MESSAGES;
        let mut held = if is_full { self.held.pop_front().unwrap_or_default() } else { Held::default() };
        held.fill(update, levels);
        if let Some(book_id) = &mut self.book_id {
            let stale = follow(stamp, &held, book_id, counts, out);
            counts.stale_updates += u64::from(stale);
        }
        self.held.push_back(held);
        seal(&mut out[from..]);
        is_full && self.book_id.is_none()
    }

    /// Folds records that are not given out because the start time has not come.
    pub fn absorb(&mut self, records: &[Slot]) {
        let early = &mut self.before_start;
        for slot in records {
            if slot.message == BookLevelObserved::MESSAGE as u16 {
                early.depth.apply_slot(slot);
                early.last = Some(BookLevelObserved::of(slot));
                if slot.has(flags::CLEAR) {
                    early.gap = None;
                }
            } else if slot.message == FeedGapObserved::MESSAGE as u16 {
                early.gap = Some(*slot);
            }
        }
    }

    /// At the start time: writes the book as it stands, and that it is not to be trusted when it is not.
    pub fn begin(&mut self, stamp: &Stamp<'_>, out: &mut Vec<Slot>) {
        let early = std::mem::take(&mut self.before_start);
        let Some(last) = early.last else { return };
        let from = out.len();
        let side = |side: Side| {
            early.depth.levels(side).map(move |(price, quantity)| Level {
                sell: side == Side::Sell,
                price,
                quantity,
            })
        };
        let levels: Vec<Level> = side(Side::Buy).chain(side(Side::Sell)).collect();
        write_snapshot(stamp, &levels, last.update_id, last.exchange_time, out);
        out.extend(early.gap.map(|gap| stamp.on(gap, 0)));
        seal(&mut out[from..]);
    }
}

impl Held {
    fn fill(&mut self, update: &DepthUpdate<'_>, levels: &[Level]) {
        (self.first, self.last, self.previous) = (update.first, update.last, update.previous);
        self.exchange_time = update.exchange_time;
        self.levels.clear();
        self.levels.extend_from_slice(levels);
    }
}

/// Writes `held` behind update `book_id` and moves that on; true when there was nothing new in it.
fn follow(
    stamp: &Stamp<'_>,
    held: &Held,
    book_id: &mut u64,
    counts: &mut Counts,
    out: &mut Vec<Slot>,
) -> bool {
    match held.continuity(*book_id) {
        Continuity::Stale => return true,
        Continuity::Gap { expected, received } => {
            let exchange_time = held.exchange_time;
            let body = FeedGapObserved { expected, received, exchange_time, reserved: 0 };
            out.push(stamp.on(Slot::new(body), 0));
            counts.gaps += 1;
        }
        Continuity::Next => {}
    }
    held.write(stamp, out);
    counts.levels += held.levels.len() as u64;
    *book_id = held.last;
    false
}

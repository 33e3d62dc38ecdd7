//! A book as bytes: its policy, whether it collects, then the orders of each side in priority order, shown
//! and hidden apart. Nothing else is state: where windows lie and which slots orders have decides speed only.

use crate::hash::entity_hash;
use crate::instrument::MAX_UNITS;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;

use super::aside::{Aside, Reserve};
use super::ladder::mirror;
use super::policy::MatchingPolicy;
use super::report::{SHOW_ALL, Silent};
use super::slab::{HIDDEN, NONE};
use super::view::BookOrder;
use super::{Book, MAX_PRICE};

/// How the rest of an order's bytes is to be read.
const PLAIN: u8 = 0;
const ICEBERG: u8 = 1;

impl<P: MatchingPolicy> State for Book<P> {
    fn write(&self, out: &mut StateWriter) {
        out.u8(P::NUMBER);
        self.policy.write(out);
        out.bool(self.collecting);
        for tag in [0, 1, HIDDEN, HIDDEN + 1] {
            self.write_orders(tag, out);
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let number = input.u8()?;
        if number != P::NUMBER {
            return Err(input.invalid("matching policy of this book", u64::from(number)));
        }
        let mut book = Book::new(P::read(input)?);
        let ranked = [Side::Buy, Side::Sell].map(|side| book.policy.ranked(side));
        book.collecting = input.bool()?;
        for tag in [0, 1, HIDDEN, HIDDEN + 1] {
            book.read_orders(tag, input)?;
        }
        book.restore_ranks(ranked, input)?;
        let best = book.all_levels(Side::Buy).next().map(|level| book.slab.price(level));
        let crossed = best.is_some_and(|bid| book.crosses(Side::Buy, bid));
        if crossed && !book.collecting { Err(input.invalid("uncrossed book", 0)) } else { Ok(book) }
    }
}

/// An order as it is kept: what it shows (of a hidden one: its leaves), and its reserve.
struct KeptOrder {
    order_id: u64,
    account: u32,
    price: i64,
    quantity: i64,
    reserve: Option<Reserve>,
}

fn write_order(order: &KeptOrder, out: &mut StateWriter) {
    out.u64(order.order_id);
    out.u32(order.account);
    out.i64(order.price);
    out.i64(order.quantity);
    out.u8(if order.reserve.is_some() { ICEBERG } else { PLAIN });
    if let Some(reserve) = order.reserve {
        out.i64(reserve.display);
        out.i64(reserve.quantity);
    }
}

impl<P: MatchingPolicy> Book<P> {
    /// Hash of the book's bytes: equal on every machine for equal books.
    pub fn state_hash(&self) -> u128 {
        let mut out = StateWriter::new();
        self.write(&mut out);
        entity_hash("book", 0, out.as_slice())
    }

    fn levels_of(&self, tag: usize) -> impl Iterator<Item = u32> {
        let shown = (tag < HIDDEN).then(|| self.ladders[tag].iter());
        let aside: Option<&Aside> = self.aside.as_deref().filter(|_| tag >= HIDDEN);
        let hidden = aside.map(|aside| aside.hidden[tag - HIDDEN].iter());
        shown.into_iter().flatten().chain(hidden.into_iter().flatten()).map(|(_, level)| level)
    }

    fn write_orders(&self, tag: usize, out: &mut StateWriter) {
        out.length(self.levels_of(tag).map(|level| self.slab.orders(level) as usize).sum());
        for order in self.levels_of(tag).flat_map(|level| self.orders_of(level)) {
            write_order(&self.kept_order(&order), out);
        }
    }

    fn kept_order(&self, order: &BookOrder) -> KeptOrder {
        let reserve = self.aside.as_ref().and_then(|aside| aside.reserves.get(&order.order_id)).copied();
        let &BookOrder { order_id, account, price, leaves, .. } = order;
        let quantity = leaves - reserve.map_or(0, |reserve| reserve.quantity);
        KeptOrder { order_id, account, price, quantity, reserve }
    }

    fn read_orders(&mut self, tag: usize, input: &mut StateReader<'_>) -> Result<(), StateError> {
        let count = input.u64()?;
        let mut last_key = i64::MIN;
        for _ in 0..count {
            let order = read_order(tag, input)?;
            let key = mirror(tag & 1, order.price);
            if key < last_key {
                return Err(input.invalid("price in priority order", order.price as u64));
            }
            last_key = key;
            self.restore_order(tag, &order, input)?;
        }
        Ok(())
    }

    /// Resting the orders again ranked them anew; what was written counts.
    fn restore_ranks(&mut self, ranked: [Option<u64>; 2], input: &StateReader<'_>) -> Result<(), StateError> {
        for (side, order_id) in [Side::Buy, Side::Sell].into_iter().zip(ranked) {
            self.policy.unrank(side);
            let Some(order_id) = order_id else { continue };
            let best = self.best(side).map(|level| level.price);
            match self.order(order_id) {
                Some(order) if order.side == side && Some(order.price) == best => {
                    self.policy.bettered(side, order_id, i64::MAX);
                }
                _ => return Err(input.invalid("order with priority", order_id)),
            }
        }
        Ok(())
    }

    /// Puts back an order that rested, without matching.
    fn restore_order(
        &mut self,
        tag: usize,
        order: &KeptOrder,
        input: &StateReader<'_>,
    ) -> Result<(), StateError> {
        if self.live.find(order.order_id, &self.slab) != NONE {
            return Err(input.invalid("order id given once", order.order_id));
        }
        let leaves = order.quantity + order.reserve.map_or(0, |reserve| reserve.quantity);
        if leaves > MAX_UNITS || self.check_room(tag & 1, leaves).is_err() {
            return Err(input.invalid("total of one side", leaves as u64));
        }
        let slot = self.slab.new_apart(order.order_id, order.account, order.quantity);
        self.live.insert(order.order_id, slot, &self.slab);
        let display = if tag < HIDDEN { SHOW_ALL } else { 0 };
        self.rest(tag & 1, order.price, slot, display, &mut Silent);
        if let Some(reserve) = order.reserve {
            self.aside.get_or_insert_default().keep(tag & 1, order.order_id, reserve);
            self.slab.mark_reserve(slot);
        }
        Ok(())
    }
}

fn read_order(tag: usize, input: &mut StateReader<'_>) -> Result<KeptOrder, StateError> {
    let (order_id, account) = (input.u64()?, input.u32()?);
    let (price, quantity) = (input.i64()?, input.i64()?);
    if !(-MAX_PRICE..=MAX_PRICE).contains(&price) {
        return Err(input.invalid("price", price as u64));
    }
    if !(1..=MAX_UNITS).contains(&quantity) {
        return Err(input.invalid("open quantity", quantity as u64));
    }
    let reserve = match input.u8()? {
        PLAIN => None,
        ICEBERG if tag < HIDDEN => Some(read_reserve(quantity, input)?),
        found => return Err(input.invalid("kind of resting order", u64::from(found))),
    };
    Ok(KeptOrder { order_id, account, price, quantity, reserve })
}

/// `shown` is what the order shows now.
fn read_reserve(shown: i64, input: &mut StateReader<'_>) -> Result<Reserve, StateError> {
    let reserve = Reserve { display: input.i64()?, quantity: input.i64()? };
    if reserve.display < shown || !(0..=MAX_UNITS).contains(&reserve.quantity) {
        return Err(input.invalid("reserve of an iceberg", reserve.quantity as u64));
    }
    Ok(reserve)
}

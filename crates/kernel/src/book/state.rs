//! A book as bytes: its policy, then the orders of each side in priority order. Nothing else is state: where
//! windows lie and which slots orders have decides speed only.

use crate::hash::entity_hash;
use crate::instrument::MAX_UNITS;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;

use super::ladder::mirror;
use super::policy::MatchingPolicy;
use super::report::Silent;
use super::slab::NONE;
use super::view::BookOrder;
use super::{Book, index};

impl<P: MatchingPolicy> State for Book<P> {
    fn write(&self, out: &mut StateWriter) {
        out.u8(P::NUMBER);
        self.policy.write(out);
        for side in [Side::Buy, Side::Sell] {
            let count: usize = self.levels(side).map(|level| level.orders as usize).sum();
            out.length(count);
            self.orders(side).for_each(|order| write_order(&order, out));
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let number = input.u8()?;
        if number != P::NUMBER {
            return Err(input.invalid("matching policy of this book", u64::from(number)));
        }
        let mut book = Book::new(P::read(input)?);
        for side in [Side::Buy, Side::Sell] {
            book.read_side(side, input)?;
        }
        let crossed = book.best(Side::Buy).is_some_and(|bid| book.would_trade(Side::Buy, bid.price));
        if crossed { Err(input.invalid("uncrossed book", 0)) } else { Ok(book) }
    }
}

fn write_order(order: &BookOrder, out: &mut StateWriter) {
    out.u64(order.order_id);
    out.u32(order.account);
    out.i64(order.price);
    out.i64(order.leaves);
}

impl<P: MatchingPolicy> Book<P> {
    /// Hash of the book's bytes: equal on every machine for equal books.
    pub fn state_hash(&self) -> u128 {
        let mut out = StateWriter::new();
        self.write(&mut out);
        entity_hash("book", 0, out.as_slice())
    }

    fn read_side(&mut self, side: Side, input: &mut StateReader<'_>) -> Result<(), StateError> {
        let count = input.u64()?;
        let mut last_key = i64::MIN;
        for _ in 0..count {
            let order = read_order(side, input)?;
            let key = mirror(index(side), order.price);
            if key < last_key {
                return Err(input.invalid("price in priority order", order.price as u64));
            }
            last_key = key;
            self.restore_order(&order, input)?;
        }
        Ok(())
    }

    /// Puts back an order that rested, without matching.
    fn restore_order(&mut self, order: &BookOrder, input: &StateReader<'_>) -> Result<(), StateError> {
        if self.live.find(order.order_id, &self.slab) != NONE {
            return Err(input.invalid("order id given once", order.order_id));
        }
        if self.check_room(index(order.side), order.leaves).is_err() {
            return Err(input.invalid("total of one side", order.leaves as u64));
        }
        let slot = self.slab.new_order(order.order_id, order.account, order.leaves);
        self.live.insert(order.order_id, slot);
        self.rest(index(order.side), order.price, slot, &mut Silent);
        Ok(())
    }
}

fn read_order(side: Side, input: &mut StateReader<'_>) -> Result<BookOrder, StateError> {
    let (order_id, account) = (input.u64()?, input.u32()?);
    let (price, leaves) = (input.i64()?, input.i64()?);
    if !(-MAX_UNITS..=MAX_UNITS).contains(&price) {
        return Err(input.invalid("price", price as u64));
    }
    if !(1..=MAX_UNITS).contains(&leaves) {
        return Err(input.invalid("open quantity", leaves as u64));
    }
    Ok(BookOrder { order_id, account, side, price, leaves })
}

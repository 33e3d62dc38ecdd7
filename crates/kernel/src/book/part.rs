//! A part of a book as a book of its own: what an auction would come to can be tried on it.

use super::ladder::mirror;
use super::policy::{MatchingPolicy, PriceTime};
use super::report::{SHOW_ALL, Silent};
use super::slab::{HIDDEN, NONE};
use super::{Book, side_at};

impl<P: MatchingPolicy> Book<P> {
    /// The orders that an uncross at `price` could trade, each in its place; what lies beyond that price is not looked at. They
    /// trade by price and time whatever the policy, as in an uncross, so the part needs no other.
    pub fn crossing_part(&self, price: i64) -> Book<PriceTime> {
        let mut part = Book::default();
        part.start_collecting();
        for side in [0, 1] {
            let limit = mirror(side, price);
            let reaches = |level: &u32| mirror(side, self.slab.price(*level)) <= limit;
            for level in self.all_levels(side_at(side)).take_while(reaches) {
                self.copy_level(level, side, &mut part);
            }
        }
        part
    }

    fn copy_level(&self, level: u32, side: usize, part: &mut Book<PriceTime>) {
        let display = if self.slab.tag(level) < HIDDEN { SHOW_ALL } else { 0 };
        let mut slot = self.slab.next(level);
        while slot != level && slot != NONE {
            let order_id = self.slab.order_id(slot);
            let copy = part.slab.new_apart(order_id, self.slab.account(slot), self.slab.quantity(slot));
            part.live.insert(order_id, copy, &part.slab);
            part.rest(side, self.slab.price(level), copy, display, &mut Silent);
            let reserve = self.aside.as_ref().and_then(|aside| aside.reserves.get(&order_id));
            if let Some(&reserve) = reserve {
                part.aside.get_or_insert_default().keep(side, order_id, reserve);
                part.slab.mark_reserve(copy);
            }
            slot = self.slab.next(slot);
        }
    }
}

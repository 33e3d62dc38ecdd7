//! The short way of plain orders through the venue: those of a market where nothing but the book is concerned when they
//! come, trade or go. The rules are those of `entry.rs` and `desk.rs`.

use std::collections::BTreeSet;

use super::{Market, MatchingVenue, Place, Ticket, TradedRange};
use crate::book::{
    Book, BookCancel, BookReplace, BookTrade, DepthPublisher, LevelChange, NewOrder, PriceTime, ReportSink,
    Unguarded,
};
use crate::command::SubmitOrder;
use crate::rules::Refusal;
use crate::terms::TimeInForce;
use crate::tracked::TrackedTable;
use crate::venue::VenueOrder;

/// Hears of the one level that changed.
#[derive(Default)]
struct OneLevel(Option<LevelChange>);

impl ReportSink for OneLevel {
    const LEVELS: bool = true;

    fn traded(&mut self, _trade: &BookTrade) {}

    #[inline(always)]
    fn level_changed(&mut self, change: &LevelChange) {
        self.0 = Some(*change);
    }
}

/// Who books what becomes of a plain order that takes.
pub(crate) trait PlainTaker {
    /// Whether a fill of this resting order, which has so much left, would set off nothing but being booked. Asked about
    /// each that is to trade, in turn, before anything is done.
    fn expects(&mut self, order_id: u64, leaves: i64) -> bool;

    /// The order is in, or has its new terms. From here on all is done.
    fn entered(&mut self);

    /// It traded with the next of those asked about.
    fn traded(&mut self, trade_id: u64, trade: &BookTrade);

    fn level_changed(&mut self, change: &LevelChange);

    /// What was left of it may not rest.
    fn canceled(&mut self, reason: Refusal);
}

/// Tells a [`PlainTaker`] what the book tells, and keeps the tickets of the orders it trades with.
struct Counter<'a, T> {
    taker: &'a mut T,
    tickets: &'a mut TrackedTable<u64, Ticket>,
    expiries: &'a mut BTreeSet<(u64, u64)>,
    trades: &'a mut u64,
    arrivals: &'a mut u64,
    traded: TradedRange,
    publisher: Option<&'a mut DepthPublisher>,
}

impl<T: PlainTaker> Counter<'_, T> {
    /// Publishes what has changed and says at what prices it traded.
    fn close(self, book: &Book<PriceTime>) -> TradedRange {
        if let Some(publisher) = self.publisher {
            publisher.publish_changes(book);
        }
        self.traded
    }

    #[inline]
    fn fill_ticket(&mut self, order_id: u64, quantity: i64, leaves: i64) {
        if leaves > 0 {
            if let Some(ticket) = self.tickets.get_mut(order_id) {
                ticket.executed += quantity;
            }
        } else if let Some(ticket) = self.tickets.remove(order_id)
            && ticket.order.time_in_force == TimeInForce::Gtd
        {
            self.expiries.remove(&(ticket.order.expire_time, order_id));
        }
    }
}

impl<T: PlainTaker> ReportSink for Counter<'_, T> {
    const LEVELS: bool = true;

    #[inline(always)]
    fn accepted(&mut self, _order: &NewOrder) {
        self.taker.entered();
    }

    fn replaced(&mut self, replace: &BookReplace) {
        let BookReplace { order_id, price, leaves, kept_priority, .. } = *replace;
        if let Some(ticket) = self.tickets.get_mut(order_id) {
            (ticket.order.price, ticket.order.quantity) = (price, ticket.executed + leaves);
            if !kept_priority {
                *self.arrivals += 1;
                ticket.place = Place::Book(*self.arrivals);
            }
        }
        self.taker.entered();
    }

    #[inline(always)]
    fn traded(&mut self, trade: &BookTrade) {
        *self.trades += 1;
        self.traded.note(trade.price);
        self.taker.traded(*self.trades, trade);
        self.fill_ticket(trade.maker_order_id, trade.quantity, trade.maker_leaves);
    }

    fn canceled(&mut self, cancel: &BookCancel) {
        self.taker.canceled(cancel.reason);
    }

    #[inline(always)]
    fn level_changed(&mut self, change: &LevelChange) {
        if let Some(publisher) = self.publisher.as_deref_mut() {
            publisher.level_changed(change);
        }
        self.taker.level_changed(change);
    }
}

impl Market {
    /// The book, where nothing but the book is concerned when an order comes to rest or is taken back.
    #[inline]
    fn calm(&mut self) -> Option<(&mut Book<PriceTime>, Option<&mut DepthPublisher>)> {
        let is_calm = self.is_plain
            && self.standing.is_none()
            && self.reducing.is_none()
            && self.shown.is_none()
            && !self.triggers.has_uncommon();
        let book = self.book.plain_mut().filter(|_| is_calm)?;
        Some((book, self.publisher.0.as_deref_mut()))
    }
}

impl MatchingVenue {
    /// Rests a plain limit order that has passed every rule before the book and takes nothing, and says what became of its
    /// level; `None`, and nothing done, where it must go the way of all others.
    #[inline]
    pub(crate) fn rest_plainly(
        &mut self,
        order_id: u64,
        order: &SubmitOrder,
        time: u64,
    ) -> Option<LevelChange> {
        if !self.is_idle(time) {
            return None;
        }
        let index = (order.instrument as usize).wrapping_sub(1);
        let (book, publisher) = self.markets.get_mut(index)?.as_deref_mut()?.calm()?;
        let mut level = OneLevel::default();
        if !book.rest_plainly(&plain_order(order_id, order), &mut level) {
            return None;
        }
        publish(book, publisher, &level);
        self.arrivals += 1;
        self.tickets.insert(order_id, plain_ticket(order_id, order, 0, self.arrivals));
        level.0
    }

    /// Lets a plain limit order that has passed every rule before the book trade with plain ones, and says what is left of
    /// it to rest; `None`, and nothing done, as above.
    #[inline]
    pub(crate) fn take_plainly<T: PlainTaker>(
        &mut self,
        order_id: u64,
        order: &SubmitOrder,
        time: u64,
        taker: &mut T,
    ) -> Option<i64> {
        let meets_own = self.owners().guard(order.account, order_id, None).is_some();
        if meets_own || !self.is_idle(time) {
            return None;
        }
        let index = (order.instrument as usize).wrapping_sub(1);
        let (book, publisher) = self.markets.get_mut(index)?.as_deref_mut()?.calm()?;
        let new = NewOrder { time_in_force: order.time_in_force, ..plain_order(order_id, order) };
        if !book.all_reached(&new, |maker, leaves| taker.expects(maker, leaves)) {
            return None;
        }
        let MatchingVenue { tickets, expiries, trades, arrivals, .. } = self;
        let traded = TradedRange::default();
        let mut counter = Counter { taker, tickets, expiries, trades, arrivals, traded, publisher };
        let left = book.submit_guarded(&new, &Unguarded, &mut counter).ok()?;
        let traded = counter.close(book);
        self.arrivals += 1;
        if left > 0 {
            let executed = order.quantity - left;
            self.tickets.insert(order_id, plain_ticket(order_id, order, executed, self.arrivals));
        }
        self.note_traded(order.instrument, &traded, time);
        Some(left)
    }

    /// Gives a plain order that rests the price and the quantity to trade that `order` has, and says what is left of it;
    /// `None`, and nothing done, as above.
    #[inline]
    pub(crate) fn replace_plainly<T: PlainTaker>(
        &mut self,
        order_id: u64,
        order: &SubmitOrder,
        time: u64,
        taker: &mut T,
    ) -> Option<i64> {
        let meets_own = self.owners().guard(order.account, order_id, None).is_some();
        if meets_own || !self.is_idle(time) {
            return None;
        }
        let index = (order.instrument as usize).wrapping_sub(1);
        let (book, publisher) = self.markets.get_mut(index)?.as_deref_mut()?.calm()?;
        let new = plain_order(order_id, order);
        if !book.all_reached(&new, |maker, leaves| taker.expects(maker, leaves)) {
            return None;
        }
        let MatchingVenue { tickets, expiries, trades, arrivals, .. } = self;
        let traded = TradedRange::default();
        let mut counter = Counter { taker, tickets, expiries, trades, arrivals, traded, publisher };
        let left =
            book.replace(order_id, order.price, order.quantity, order.is_post_only(), &mut counter).ok()?;
        let traded = counter.close(book);
        if traded.last.is_some() {
            self.fill_ticket_of_taker(order_id, order.quantity - left, left);
        }
        self.note_traded(order.instrument, &traded, time);
        Some(left)
    }

    fn fill_ticket_of_taker(&mut self, order_id: u64, quantity: i64, leaves: i64) {
        if leaves == 0 {
            self.tickets.remove(order_id);
        } else if let Some(ticket) = self.tickets.get_mut(order_id) {
            ticket.executed += quantity;
        }
    }

    fn note_traded(&mut self, instrument: u32, traded: &TradedRange, time: u64) {
        if let Some(last) = traded.last {
            self.note_last_price(instrument, last);
            self.line_up_traded(instrument, traded, time);
        }
    }

    /// Takes a plain order back that rests, and says what became of its level; `None`, and nothing done, as above.
    #[inline]
    pub(crate) fn cancel_plainly(
        &mut self,
        instrument: u32,
        order_id: u64,
        time: u64,
    ) -> Option<LevelChange> {
        if !self.is_idle(time) {
            return None;
        }
        let index = (instrument as usize).wrapping_sub(1);
        let (book, publisher) = self.markets.get_mut(index)?.as_deref_mut()?.calm()?;
        let mut level = OneLevel::default();
        book.cancel(order_id, &mut level).ok()?;
        publish(book, publisher, &level);
        self.tickets.remove(order_id);
        level.0
    }
}

#[inline]
fn plain_order(order_id: u64, order: &SubmitOrder) -> NewOrder {
    let SubmitOrder { account, side, price, quantity, .. } = *order;
    NewOrder { account, ..NewOrder::limit(order_id, side, price, quantity) }
}

#[inline]
fn plain_ticket(order_id: u64, order: &SubmitOrder, executed: i64, arrival: u64) -> Ticket {
    let order = VenueOrder {
        order_id,
        client_order_id: order.client_order_id,
        account: order.account,
        instrument: order.instrument,
        side: order.side,
        order_type: order.order_type,
        time_in_force: order.time_in_force,
        sizing: order.sizing,
        options: order.options,
        price: order.price,
        quantity: order.quantity,
        stop_price: order.stop_price,
        expire_time: order.expire_time,
        released_at: None,
    };
    Ticket { order, executed, excess: 0, place: Place::Book(arrival) }
}

#[inline]
fn publish(book: &Book<PriceTime>, publisher: Option<&mut DepthPublisher>, level: &OneLevel) {
    if let (Some(publisher), Some(change)) = (publisher, &level.0) {
        publisher.level_changed(change);
        publisher.publish_changes(book);
    }
}

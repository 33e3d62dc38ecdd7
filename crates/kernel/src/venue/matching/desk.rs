//! Turns what a book tells into what the venue reports, and keeps the tickets of the orders it tells about.

use std::collections::{BTreeSet, VecDeque};

use super::owners::{MarketGuard, Owners};
use super::reducing::Rooms;
use super::shown_orders::{ShownOrder, ShownOrders};
use super::{MarketBook, Place, Ticket, TradedRange};
use crate::book::{
    BookCancel, BookDecrement, BookRefresh, BookReplace, BookTrade, DepthPublisher, LevelChange, NewOrder,
    ReportSink,
};
use crate::rules::{Refusal, Rule};
use crate::terms::{Liquidity, Side, TradingSession, options};
use crate::tracked::TrackedTable;
use crate::venue::at_work::Audience;
use crate::venue::{Outcome, VenueReport};

/// How an order that goes out of the book is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    Canceled,
    /// As `Canceled`; and the order was accepted before, when it was held as a stop.
    Known,
    Expired,
    /// Canceled by this rule.
    ByRule(Refusal),
}

impl Leaving {
    pub fn outcome(self, refusal: Refusal) -> Outcome {
        match self {
            Leaving::Expired => Outcome::Expired,
            Leaving::Canceled | Leaving::Known => Outcome::Canceled { refusal },
            Leaving::ByRule(refusal) => Outcome::Canceled { refusal },
        }
    }
}

/// What new terms in the book are told as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Asked for by the client.
    Replaced,
    /// The order follows something.
    Repriced,
    /// The venue cut it.
    Reduced(Refusal),
}

pub(super) struct Desk<'a, A: Audience> {
    /// Told each report first; what it does not take waits with the others.
    pub audience: &'a mut A,
    pub reports: &'a mut VecDeque<VenueReport>,
    pub tickets: &'a mut TrackedTable<u64, Ticket>,
    pub expiries: &'a mut BTreeSet<(u64, u64)>,
    pub trades: &'a mut u64,
    pub arrivals: &'a mut u64,
    pub traded: TradedRange,
    pub instrument: u32,
    pub leaving: Leaving,
    /// What a replace cut from a reduce-only order.
    pub excess: i64,
    pub telling: Telling,
    /// An order is taken out to be put back: nothing is told but the levels.
    pub is_moving: bool,
    pub owners: Owners<'a>,
    /// What reduce-only orders may trade, where any are live.
    pub rooms: Option<&'a Rooms<'a>>,
    /// Accounts that traded a side, where that must be known.
    pub shrunk: Option<&'a mut BTreeSet<(u32, Side)>>,
    /// Orders that are gone and had more than a ticket.
    pub gone: &'a mut Vec<u64>,
    pub time: u64,
    /// The auction that is being uncrossed.
    pub auction: Option<TradingSession>,
    pub shown: Option<&'a mut ShownOrders>,
    /// The order that came in or lost its place: what comes to rest of it is shown in the end; 0 for none.
    pub moved: u64,
    pub publisher: Option<&'a mut DepthPublisher>,
}

impl<'a, A: Audience> Desk<'a, A> {
    /// What stands between an incoming order and the book.
    pub fn guard(&self, account: u32, order_id: u64) -> Option<MarketGuard<'a>> {
        self.owners.guard(account, order_id, self.rooms)
    }

    #[inline(always)]
    fn report(&mut self, order_id: u64, outcome: Outcome) {
        let report = VenueReport { order_id, venue_time: self.time, outcome };
        if !self.audience.hears(&report) {
            self.reports.push_back(report);
        }
    }

    fn show(&mut self, change: impl FnOnce(&mut ShownOrders) -> Option<ShownOrder>) {
        if let Some(shown) = self.shown.as_deref_mut().and_then(change) {
            let instrument = self.instrument;
            self.report(shown.order_id, Outcome::BookOrder { instrument, shown });
        }
    }

    /// Shows what came to rest of the order that came in or lost its place.
    pub fn show_moved(&mut self, book: &MarketBook) {
        if self.shown.is_none() || self.moved == 0 {
            return;
        }
        let Some(order) = book.order(self.moved).filter(|order| order.shown > 0) else { return };
        self.show(|shown| {
            let is_new = !shown.contains(order.order_id);
            is_new.then(|| shown.add(order.order_id, order.side, order.price, order.shown))
        });
    }

    fn forget(&mut self, order_id: u64) -> Option<Ticket> {
        let ticket = self.tickets.remove(order_id)?;
        self.expiries.remove(&(ticket.order.expire_time, order_id));
        if ticket.order.options & (options::ASIDE | options::REDUCE_ONLY) != 0 {
            self.gone.push(order_id);
        }
        Some(ticket)
    }

    /// Books a fill on an order's ticket; the ticket of an order with nothing left in the book goes.
    fn fill(&mut self, order_id: u64, quantity: i64, leaves: i64) {
        if let Some(ticket) = self.tickets.get_mut(order_id) {
            ticket.executed += quantity;
        }
        if leaves > 0 {
            return;
        }
        if let Some(ticket) = self.forget(order_id)
            && ticket.excess > 0
        {
            let (limit, actual) = (i128::from(ticket.executed), i128::from(ticket.order.quantity));
            let refusal = Refusal::new(Rule::ReduceOnlyMustReduce, limit, actual);
            self.report(order_id, Outcome::Canceled { refusal });
        }
    }
}

impl<A: Audience> ReportSink for Desk<'_, A> {
    const LEVELS: bool = true;

    fn accepted(&mut self, order: &NewOrder) {
        self.moved = order.order_id;
        if self.leaving != Leaving::Known {
            self.report(order.order_id, Outcome::Accepted { venue_order_id: order.order_id });
        }
    }

    fn traded(&mut self, trade: &BookTrade) {
        *self.trades += 1;
        let (trade_id, price, quantity) = (*self.trades, trade.price, trade.quantity);
        let (maker, taker) = (trade.maker_order_id, trade.taker_order_id);
        self.traded.note(price);
        let (instrument, aggressor_side) = (self.instrument, trade.taker_side);
        let resting_order_id = maker;
        self.report(
            taker,
            Outcome::Trade {
                instrument,
                trade_id,
                price,
                quantity,
                aggressor_side,
                resting_order_id,
                auction: self.auction,
            },
        );
        // In an auction neither side takes.
        let taken = if self.auction.is_some() { Liquidity::Maker } else { Liquidity::Taker };
        let sides =
            [(maker, taker, Liquidity::Maker, trade.maker_leaves), (taker, maker, taken, trade.taker_leaves)];
        for (order_id, contra, liquidity, _) in sides {
            let contra = Some(contra);
            let fill = Outcome::Filled { trade_id, price, quantity, liquidity, fee_nano: None, contra };
            self.report(order_id, fill);
        }
        for (order_id, _, _, leaves) in sides {
            self.fill(order_id, quantity, leaves);
            self.show(|shown| shown.reduce(order_id, quantity));
        }
        if let Some(shrunk) = self.shrunk.as_deref_mut() {
            shrunk.insert((trade.taker_account, trade.taker_side));
            shrunk.insert((trade.maker_account, trade.taker_side.opposite()));
        }
    }

    fn refreshed(&mut self, refresh: &BookRefresh) {
        let BookRefresh { order_id, side, price, shown: quantity, .. } = *refresh;
        // The next part stands behind all that rest at its price.
        *self.arrivals += 1;
        if let Some(ticket) = self.tickets.get_mut(order_id) {
            ticket.place = Place::Book(*self.arrivals);
        }
        self.show(|shown| Some(shown.add(order_id, side, price, quantity)));
    }

    fn decremented(&mut self, decrement: &BookDecrement) {
        let BookDecrement { order_id, quantity, .. } = *decrement;
        if let Some(ticket) = self.tickets.get_mut(order_id) {
            ticket.order.quantity -= quantity;
            let total = ticket.order.quantity;
            let refusal = Refusal::new(Rule::SelfTradeMustNotHappen, 0, i128::from(quantity));
            self.report(order_id, Outcome::Reduced { quantity: total, refusal });
        }
        self.show(|shown| shown.reduce(order_id, quantity));
    }

    fn canceled(&mut self, cancel: &BookCancel) {
        if !self.is_moving {
            self.forget(cancel.order_id);
            self.report(cancel.order_id, self.leaving.outcome(cancel.reason));
        }
        self.show(|shown| shown.remove(cancel.order_id));
    }

    fn replaced(&mut self, replace: &BookReplace) {
        let BookReplace { order_id, price, leaves, .. } = *replace;
        let excess = self.excess;
        let Some(ticket) = self.tickets.get_mut(order_id) else { return };
        ticket.excess = excess;
        if !replace.kept_priority {
            *self.arrivals += 1;
            ticket.place = Place::Book(*self.arrivals);
        }
        // A market order that an auction collects has none.
        if !matches!(self.telling, Telling::Reduced(_)) {
            ticket.order.price = price;
        }
        ticket.order.quantity = ticket.executed + leaves + excess;
        let (quantity, stop_price) = (ticket.order.quantity, ticket.order.stop_price);
        self.report(
            order_id,
            match self.telling {
                Telling::Replaced => Outcome::Replaced { price, quantity, stop_price },
                Telling::Repriced => Outcome::Repriced { price, stop_price },
                Telling::Reduced(refusal) => Outcome::Reduced { quantity, refusal },
            },
        );
        if replace.kept_priority {
            self.show(|shown| shown.cut(order_id, leaves));
        } else {
            self.moved = order_id;
            self.show(|shown| shown.remove(order_id));
        }
    }

    fn level_changed(&mut self, change: &LevelChange) {
        if let Some(publisher) = self.publisher.as_deref_mut() {
            publisher.level_changed(change);
        }
        let LevelChange { side, price, quantity, orders } = *change;
        let instrument = self.instrument;
        self.report(0, Outcome::BookLevel { instrument, side, price, quantity, orders });
    }
}

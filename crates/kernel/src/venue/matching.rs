//! Our own venue: users' orders trade with each other, by the rules of [`crate::book`].
//!
//! Requests wait until reports are pulled, so that each is matched when the engine has booked all that came
//! before it. The reports of one request come in this order, which is fixed:
//!
//! 1. the answer to the request itself: accepted, rejected, replaced, canceled, expired, triggered;
//! 2. for each match, best price and earliest order first: `Trade`, the resting order's `Filled`, the
//!    aggressor's `Filled`; an order that was cut (below) and is now done is `Canceled` after the two fills;
//!    and after the last match at a price the `BookLevel` of that price. When a replace loses its place, the
//!    `BookLevel` it left stands before its matches;
//! 3. what is left of the aggressor: `Canceled`, or the `BookLevel` where it rests;
//! 4. stops triggered by these trades, one after the other, each with `Triggered` and then 2 and 3.
//!
//! Stops are held outside the book and trigger by last trade: buy stops at or below the highest price of the
//! request's trades, lowest stop first, then sell stops at or above the lowest, highest stop first; ties by
//! arrival. Those that their trades trigger go to the end of the same line. Each stop triggers once, so the
//! line ends; nothing recurses. The next request waits until it is empty.
//!
//! Reduce-only: when such an order would take, it takes at most what the engine says may execute now, and what
//! exceeds that is canceled once it is filled up to there. While it rests it trades no more than the position is at that
//! moment; `reducing.rs` says what becomes of it when the position shrinks.
//!
//! An order with expire time t cannot trade with a request made at t: expiry comes first.

mod asking;
mod at_once;
mod auction;
mod bands;
mod conditions;
mod depth_board;
mod desk;
mod entry;
mod market_book;
mod owners;
mod plain;
mod reducing;
mod sessions;
mod shown_orders;
mod special;
mod standing;
mod state;
mod trial;
mod triggers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::at_work::{Audience, Nobody};
use super::{Outcome, Venue, VenueContext, VenueOrder, VenueReport, VenueRequest};
use crate::book::DepthPublisher;
use crate::record::Slot;
use crate::rules::{Refusal, Rule};
use crate::special_terms::SpecialTerms;
use crate::state::State as _;
use crate::terms::{Side, TimeInForce};
use crate::tracked::{EntityHasher, TrackedTable};

use asking::Asking;
use desk::{Desk, Leaving, Telling};
use owners::{Owners, SelfTradeSetting};
pub(crate) use plain::PlainTaker;
use reducing::{Reducing, Rooms};
use shown_orders::ShownOrders;
use special::Special;
use standing::Standing;
use triggers::{Triggers, Watched};

pub use auction::{Indication, find_price};
pub use bands::{PriceBands, PriceRange};
pub use conditions::Conditions;
pub use depth_board::DepthBoard;
pub use market_book::MarketBook;
pub use shown_orders::{OrderChange, ShownOrder};

/// Instruments are numbered densely from 1; a number above this is a mistake, not a market.
pub const MAX_INSTRUMENTS: u32 = 1 << 20;

/// Where a live order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The number is its place in the queue: orders of one level stand in the order of their numbers.
    Book(u64),
    /// Waiting for its stop price; the number breaks ties between equal stop prices.
    Stop(u64),
    /// In the line of triggered stops.
    Triggered,
    /// Waiting for the closing auction; the number is its place among those that do.
    AtClose(u64),
    /// A pegged order that has nothing to follow, or an all-or-none order that cannot trade whole.
    Parked,
}

/// What the venue knows of a live order beside its place in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticket {
    /// With the current terms; `quantity` is the total.
    order: VenueOrder,
    executed: i64,
    /// Part of the quantity that was cut from a reduce-only order and will be canceled.
    excess: i64,
    place: Place,
}

impl Ticket {
    fn leaves(&self) -> i64 {
        self.order.quantity - self.executed
    }
}

/// The orders of one instrument.
#[derive(Clone, Debug)]
struct Market {
    book: MarketBook,
    triggers: Triggers,
    /// Orders looked at after each request; few markets have any.
    standing: Option<Box<Standing>>,
    /// Where reduce-only orders are live.
    reducing: Option<Box<Reducing>>,
    /// Orders for the closing auction, by arrival.
    at_close: BTreeMap<u64, u64>,
    /// Nothing was ever set for the instrument: it has no conditions to be looked at.
    is_plain: bool,
    /// Its session is being changed: what the auction would come to is told afterwards.
    is_changing: bool,
    /// Where every visible order is told.
    shown: Option<Box<ShownOrders>>,
    publisher: Publisher,
}

impl Default for Market {
    fn default() -> Self {
        Market {
            book: MarketBook::default(),
            triggers: Triggers::default(),
            standing: None,
            reducing: None,
            at_close: BTreeMap::new(),
            is_plain: true,
            is_changing: false,
            shown: None,
            publisher: Publisher::default(),
        }
    }
}

impl Market {
    fn publish_on(&mut self, board: &DepthBoard, instrument: u32) {
        let publisher = self.publisher.0.insert(Box::new(board.publisher(instrument)));
        self.book.publish_changes(publisher);
    }
}

/// No state either: a copy of the venue publishes nothing.
#[derive(Debug, Default)]
struct Board(Option<DepthBoard>);

impl Clone for Board {
    fn clone(&self) -> Self {
        Board(None)
    }
}

/// Publishes a book to other threads, where asked for. No state: a copy of the venue publishes nothing.
#[derive(Debug, Default)]
struct Publisher(Option<Box<DepthPublisher>>);

impl Clone for Publisher {
    fn clone(&self) -> Self {
        Publisher(None)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Request(VenueRequest),
    CloseSession { instrument: u32 },
    Mark { instrument: u32, price: i64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TriggeredStop {
    order_id: u64,
    price: i64,
    time: u64,
}

/// What a venue does next. Each is about one market, but the end of a day of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The standing orders of a market are looked at.
    Settle {
        instrument: u32,
        time: u64,
    },
    Run(TriggeredStop),
    Expire {
        order_id: u64,
        due: u64,
    },
    EndSession {
        instrument: u32,
        due: u64,
    },
    /// The reduce-only orders of a market are brought down to what is left to reduce.
    Trim {
        instrument: u32,
    },
    /// What was asked for first.
    Work {
        time: u64,
    },
}

/// A venue of our own with one price-time book per instrument.
#[derive(Clone, Debug, Default)]
pub struct MatchingVenue {
    /// By instrument id less 1; a market comes to life with its first order.
    markets: Vec<Option<Box<Market>>>,
    /// Of the last trade, by instrument.
    last_prices: TrackedTable<u32, i64>,
    tickets: TrackedTable<u64, Ticket>,
    /// What orders have beside their ticket: those with [`crate::terms::options::ASIDE`].
    specials: TrackedTable<u64, Special>,
    /// By account; 0 for those that have none.
    self_trade: TrackedTable<u32, SelfTradeSetting>,
    /// Of instruments that get marks from outside: the newest of those and of our trades.
    marks: TrackedTable<u32, i64>,
    /// Markets whose standing orders must be looked at, each with the time of the request that asks for it.
    restless: VecDeque<(u32, u64)>,
    /// Markets whose reduce-only orders must be looked at, each with the time of the trade that asks for it.
    shrunk: VecDeque<(u32, u64)>,
    /// Within an act of several requests; never between two records.
    holds_triggers: bool,
    /// (expire time, order id) of orders good till a time.
    expiries: BTreeSet<(u64, u64)>,
    work: VecDeque<(u64, Work)>,
    triggered: VecDeque<TriggeredStop>,
    reports: VecDeque<VenueReport>,
    trades: u64,
    /// Numbers given to orders that went to the end of a queue.
    arrivals: u64,
    /// What was set, by instrument.
    conditions: TrackedTable<u32, Conditions>,
    /// Instruments that match by another policy than price-time.
    policed: BTreeSet<u32>,
    /// Where some of them ask somebody outside.
    asking: Option<Box<Asking>>,
    /// (end, instrument) of sessions that end by themselves.
    session_ends: BTreeSet<(u64, u32)>,
    /// Where books are published, where asked for.
    board: Board,
    /// Memory reused when a session closes.
    leaving: Vec<u64>,
    /// Memory reused by every act on a book: orders that went and had more than a ticket.
    gone: Vec<u64>,
}

fn unknown_order(order_id: u64) -> Refusal {
    Refusal::new(Rule::OrderMustExist, 0, i128::from(order_id))
}

/// The prices at which a request traded.
#[derive(Clone, Copy, Debug, Default)]
struct TradedRange {
    low: i64,
    high: i64,
    last: Option<i64>,
}

impl TradedRange {
    #[inline]
    fn note(&mut self, price: i64) {
        self.low = if self.last.is_none() { price } else { self.low.min(price) };
        self.high = if self.last.is_none() { price } else { self.high.max(price) };
        self.last = Some(price);
    }
}

impl Venue for MatchingVenue {
    fn request(&mut self, request: &VenueRequest, time: u64) {
        self.work.push_back((time, Work::Request(*request)));
    }

    /// Our own trades are the only market here; what other markets do is not looked at.
    fn observe(&mut self, _record: &[Slot]) {}

    fn attach(&mut self, order_id: u64, terms: &SpecialTerms) {
        if !self.tickets.contains_key(order_id) {
            self.specials.insert(order_id, Special { terms: *terms, ..Special::default() });
        } else if let Some(special) = self.specials.get_mut(order_id) {
            special.proposed = Some(*terms);
        }
    }

    #[inline]
    fn next_report(&mut self, time: u64, context: &dyn VenueContext) -> Option<VenueReport> {
        while self.reports.is_empty() {
            let goes_on = if self.asking.is_none() {
                self.step(time, context)
            } else {
                self.step_asking(time, context)
            };
            if !goes_on {
                return None;
            }
        }
        self.reports.pop_front()
    }

    fn next_due(&self) -> Option<u64> {
        let report = self.reports.front().map(|report| report.venue_time);
        let triggered = self.triggered.front().map(|stop| stop.time);
        let work = self.work.front().map(|(time, _)| *time);
        let expiry = self.expiries.first().map(|(time, _)| *time);
        let session_end = self.session_ends.first().map(|(time, _)| *time);
        let restless = self.restless.front().map(|(_, time)| *time);
        let shrunk = self.shrunk.front().map(|(_, time)| *time);
        [report, restless, shrunk, triggered, work, expiry, session_end].into_iter().flatten().min()
    }

    fn close_session(&mut self, instrument: u32, time: u64) {
        self.work.push_back((time, Work::CloseSession { instrument }));
    }

    fn hold_triggers(&mut self) {
        self.holds_triggers = true;
    }

    fn release_triggers(&mut self) -> bool {
        self.holds_triggers = false;
        !self.restless.is_empty() || !self.triggered.is_empty()
    }

    fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        let waiting = hasher.hash("waiting", 0u64, |out| self.write_waiting(out));
        let last_prices = self
            .last_prices
            .sum_by(|instrument, price| hasher.hash("last price", instrument, |out| out.i64(*price)));
        let conditions = self.conditions.sum("conditions", hasher);
        let marks =
            self.marks.sum_by(|instrument, price| hasher.hash("mark", instrument, |out| out.i64(*price)));
        let parts = [
            waiting,
            last_prices,
            conditions,
            marks,
            self.tickets
                .sum_by(|order_id, ticket| hasher.hash("ticket", order_id, |out| ticket.write_digest(out))),
            self.specials.sum("special terms", hasher),
            self.self_trade.sum("self-trade prevention", hasher),
            match self.restless.is_empty() {
                true => 0,
                false => hasher.hash("restless", 0u64, |out| self.write_restless(out)),
            },
            match self.shrunk.is_empty() {
                true => 0,
                false => hasher.hash("shrunk", 0u64, |out| self.write_shrunk(out)),
            },
            match self.is_asking() {
                true => hasher.hash("asking", 0u64, |out| self.write_asking(out)),
                false => 0,
            },
        ];
        let policies = self.policed.iter().filter_map(|&instrument| {
            let policy = self.market(instrument)?.book.policy()?;
            Some(hasher.hash("policy", instrument, |out| policy.write(out)))
        });
        policies.chain(parts).fold(0, u128::wrapping_add)
    }
}

impl MatchingVenue {
    pub fn new() -> Self {
        Self::default()
    }

    /// The book of an instrument that has had an order.
    pub fn book(&self, instrument: u32) -> Option<&MarketBook> {
        self.market(instrument).map(|market| &market.book)
    }

    /// Publishes every book on `board` from now on, those of markets to come too.
    pub fn publish_on(&mut self, board: &DepthBoard) {
        self.board = Board(Some(board.clone()));
        for (market, instrument) in self.markets.iter_mut().zip(1..) {
            if let Some(market) = market {
                market.publish_on(board, instrument);
            }
        }
    }

    /// Memory of one market: its book, its stops and what others were shown apart.
    pub fn market_bytes(&self, instrument: u32) -> Option<usize> {
        self.market(instrument).map(|market| size_of::<Market>() + market.book.heap_bytes())
    }

    pub fn last_price(&self, instrument: u32) -> Option<i64> {
        self.last_prices.get(instrument).copied()
    }

    /// The newest price of an instrument, ours or from outside.
    pub fn mark(&self, instrument: u32) -> Option<i64> {
        self.marks.get(instrument).or_else(|| self.last_prices.get(instrument)).copied()
    }

    /// Takes a mark from outside: orders that wait for one may trigger.
    pub fn note_mark(&mut self, instrument: u32, price: i64, time: u64) {
        if self.market(instrument).is_some() && self.marks.get(instrument) != Some(&price) {
            self.work.push_back((time, Work::Mark { instrument, price }));
        }
    }

    /// The highest number of an instrument that has had an order.
    pub fn last_instrument(&self) -> u32 {
        self.markets.len() as u32
    }

    /// Reads what the venue has of an order, so that it is at hand when it is needed.
    pub(crate) fn look_up(&self, instrument: u32, order_id: u64) -> u64 {
        let Some(ticket) = self.tickets.get(order_id) else { return 0 };
        let resting = self.book(instrument).and_then(|book| book.order(order_id));
        ticket.executed as u64 ^ ticket.order.expire_time ^ resting.map_or(0, |order| order.price as u64)
    }

    fn market(&self, instrument: u32) -> Option<&Market> {
        self.markets.get((instrument as usize).wrapping_sub(1))?.as_deref()
    }

    fn market_mut(&mut self, instrument: u32) -> Option<&mut Market> {
        self.markets.get_mut((instrument as usize).wrapping_sub(1))?.as_deref_mut()
    }

    /// The next thing due at or before `time`.
    #[inline]
    fn next_step(&self, time: u64) -> Option<Step> {
        if !self.holds_triggers {
            if let Some(&(instrument, time)) = self.restless.front() {
                return Some(Step::Settle { instrument, time });
            }
            if let Some(&stop) = self.triggered.front() {
                return Some(Step::Run(stop));
            }
        }
        let work_time = self.work.front().map(|(time, _)| *time).filter(|&due| due <= time);
        let horizon = work_time.unwrap_or(time);
        let session_end = self.session_ends.first().copied().filter(|&(due, _)| due <= horizon);
        if let Some(&(due, order_id)) = self.expiries.first()
            && due <= session_end.map_or(horizon, |(end, _)| end)
        {
            return Some(Step::Expire { order_id, due });
        }
        if let Some((due, instrument)) = session_end {
            return Some(Step::EndSession { instrument, due });
        }
        if let Some(time) = work_time {
            return Some(Step::Work { time });
        }
        let &(instrument, _) = self.shrunk.front().filter(|_| !self.holds_triggers)?;
        Some(Step::Trim { instrument })
    }

    /// Does the next thing due at or before `time`; says whether there was one.
    #[inline]
    fn step(&mut self, time: u64, context: &dyn VenueContext) -> bool {
        let Some(next) = self.next_step(time) else { return false };
        self.take_step(&next, context);
        true
    }

    #[inline]
    fn take_step(&mut self, next: &Step, context: &dyn VenueContext) {
        match *next {
            Step::Settle { instrument, time } => {
                self.restless.pop_front();
                self.settle(instrument, time, context);
            }
            Step::Run(stop) => {
                self.triggered.pop_front();
                self.run_triggered(&stop, context);
            }
            Step::Expire { order_id, due } => drop(self.leave(order_id, Leaving::Expired, due)),
            Step::EndSession { instrument, due } => self.end_session(instrument, due, context),
            Step::Trim { .. } => self.trim_next(context),
            Step::Work { time } => {
                if let Some((_, work)) = self.work.pop_front() {
                    self.run(&work, time, context);
                }
            }
        }
    }

    fn run(&mut self, work: &Work, time: u64, context: &dyn VenueContext) {
        match *work {
            Work::Request(VenueRequest::Submit(order)) => self.submit(&order, time, context),
            Work::Request(VenueRequest::Replace { order_id, price, quantity, stop_price, .. }) => {
                let result = self.replace(order_id, [price, quantity, stop_price], time, context);
                self.report_refused(order_id, time, result, |refusal| Outcome::ReplaceRejected { refusal });
            }
            Work::Request(VenueRequest::Cancel { order_id, .. }) => self.cancel(order_id, time),
            Work::Request(VenueRequest::Query { order_id, .. }) => self.answer_query(order_id, time),
            Work::CloseSession { instrument } => self.expire_day_orders(instrument, time),
            Work::Mark { instrument, price } => {
                self.marks.insert(instrument, price);
                self.line_up_range(instrument, Watched::Mark, [price, price], time);
            }
        }
    }

    fn report(&mut self, order_id: u64, venue_time: u64, outcome: Outcome) {
        self.reports.push_back(VenueReport { order_id, venue_time, outcome });
    }

    fn report_refused(
        &mut self,
        order_id: u64,
        time: u64,
        result: Result<(), Refusal>,
        outcome: impl Fn(Refusal) -> Outcome,
    ) {
        if let Err(refusal) = result {
            self.report(order_id, time, outcome(refusal));
        }
    }

    /// Lets `act` work on a book, its reports going out as this venue's, then lines up what its trades and the prices it
    /// leaves triggered. Where nothing can trade there need be no context.
    fn at_desk(
        &mut self,
        instrument: u32,
        leaving: Leaving,
        time: u64,
        context: Option<&dyn VenueContext>,
        act: impl FnOnce(&mut MarketBook, &mut Desk<'_, Nobody>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        self.at_desk_with(instrument, leaving, time, context, &mut Nobody, act)
    }

    /// As [`MatchingVenue::at_desk`], the reports told to `audience`.
    #[inline(always)]
    fn at_desk_with<A: Audience>(
        &mut self,
        instrument: u32,
        leaving: Leaving,
        time: u64,
        context: Option<&dyn VenueContext>,
        audience: &mut A,
        act: impl FnOnce(&mut MarketBook, &mut Desk<'_, A>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let index = (instrument as usize).wrapping_sub(1);
        let Some(market) = self.markets.get_mut(index).and_then(|market| market.as_deref_mut()) else {
            return Err(Refusal::new(Rule::InstrumentMustBeListed, 0, i128::from(instrument)));
        };
        let Market { book, standing, triggers, reducing, shown, publisher, is_plain, is_changing, .. } =
            market;
        let (orders, shrunk) = match reducing.as_deref_mut() {
            Some(Reducing { orders, shrunk }) => (Some(&*orders), Some(shrunk)),
            None => (None, None),
        };
        let rooms = context.zip(orders).map(|(context, orders)| Rooms::new(context, instrument, orders));
        let mut desk = Desk {
            audience,
            reports: &mut self.reports,
            tickets: &mut self.tickets,
            expiries: &mut self.expiries,
            trades: &mut self.trades,
            arrivals: &mut self.arrivals,
            traded: TradedRange::default(),
            instrument,
            leaving,
            excess: 0,
            telling: Telling::Replaced,
            is_moving: false,
            owners: Owners { settings: &self.self_trade, specials: &self.specials },
            rooms: rooms.as_ref(),
            shrunk,
            gone: &mut self.gone,
            time,
            auction: None,
            shown: shown.as_deref_mut(),
            moved: 0,
            publisher: publisher.0.as_deref_mut(),
        };
        let result = act(book, &mut desk);
        desk.show_moved(book);
        let (traded, is_uncrossing) = (desk.traded, desk.auction.is_some());
        if let Some(publisher) = publisher.0.as_deref_mut() {
            book.publish_changes(publisher);
        }
        let has_shrunk = reducing.as_deref().is_some_and(|reducing| !reducing.shrunk.is_empty());
        let (is_plain, is_standing) = (*is_plain, standing.is_some());
        let watches_bests = triggers.has_uncommon() && !book.is_collecting() && !*is_changing;
        self.clear_gone(instrument);
        if let Some(last) = traded.last {
            self.note_last_price(instrument, last);
            // Those of an auction wait until its session is over.
            if !is_uncrossing {
                self.line_up_traded(instrument, &traded, time);
            }
        }
        if watches_bests {
            self.line_up_bests(instrument, time);
        }
        if is_standing {
            self.disturb(instrument, time);
        }
        if has_shrunk {
            self.note_shrunk(instrument, time);
        }
        if !is_plain {
            self.after_change(instrument, traded.last.is_some(), time);
        }
        result
    }

    fn note_last_price(&mut self, instrument: u32, price: i64) {
        match self.last_prices.get_mut(instrument) {
            Some(last) => *last = price,
            None => drop(self.last_prices.insert(instrument, price)),
        }
        if !self.marks.is_empty() && self.marks.contains_key(instrument) {
            self.marks.insert(instrument, price);
        }
    }

    /// Orders that went take along what was kept beside their ticket.
    fn clear_gone(&mut self, instrument: u32) {
        while let Some(order_id) = self.gone.pop() {
            self.specials.remove(order_id);
            self.unstand(instrument, order_id);
            self.unwatch_position(instrument, order_id);
        }
    }

    fn answer_query(&mut self, order_id: u64, time: u64) {
        let known = self.tickets.contains_key(order_id);
        let outcome = if known { Outcome::Accepted { venue_order_id: order_id } } else { Outcome::Unknown };
        self.report(order_id, time, outcome);
    }

    /// By instrument; in each the buys, then the sells, in priority order, then stops as they would trigger.
    fn expire_day_orders(&mut self, instrument: u32, time: u64) {
        let mut leaving = std::mem::take(&mut self.leaving);
        let markets = self.markets.iter().zip(1..).filter(|(_, id)| instrument == 0 || *id == instrument);
        for market in markets.filter_map(|(market, _)| market.as_deref()) {
            let resting = [Side::Buy, Side::Sell].into_iter().flat_map(|side| market.book.orders(side));
            let ids = resting.map(|order| order.order_id).chain(market.triggers.order_ids());
            let standing = market.standing.iter().flat_map(|standing| standing.order_ids());
            let parked = standing
                .filter(|id| self.tickets.get(*id).is_some_and(|ticket| ticket.place == Place::Parked));
            let ids = ids.chain(parked);
            leaving.extend(ids.filter(|id| {
                self.tickets.get(*id).is_some_and(|ticket| ticket.order.time_in_force == TimeInForce::Day)
            }));
        }
        for order_id in leaving.drain(..) {
            self.leave(order_id, Leaving::Expired, time);
        }
        self.leaving = leaving;
    }
}

//! The book of one market under its matching policy, while it trades and while it collects, within its fence.
//!
//! Price-time has a book type of its own, so that it pays one predictable branch per request for the others and
//! nothing per match.

use crate::book::{
    AnyPolicy, AskedPolicy, AuctionLevel, Book, BookCancel, BookOrder, BookReplace, BookTrade, Level,
    LevelChange, MatchingPolicy, NewOrder, PriceTime, QueuePosition, ReportSink, SelfTradeGuard, TopOfBook,
    Unguarded,
};
use crate::book::{BookDecrement, BookRefresh, DepthPublisher};
use crate::instrument::MAX_UNITS;
use crate::rules::Refusal;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, Side, TimeInForce};

use super::bands::PriceRange;

/// The book as its policy has it compiled.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // the common one is not a pointer further away; a market is boxed itself
enum Policed {
    PriceTime(Book<PriceTime>),
    Any(Box<Book<AnyPolicy>>),
}

/// The prices at which the book may trade, and whether an order wanted to trade beyond them.
#[derive(Clone, Copy, Debug)]
struct Fence {
    range: PriceRange,
    breach: Option<Breach>,
}

/// An order that wanted to trade outside the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Breach {
    pub order_id: u64,
    /// The bound that the price lies beyond.
    pub bound: i64,
    /// The first price outside at which it would have traded.
    pub price: i64,
}

/// One market's book.
#[derive(Clone, Debug)]
pub struct MarketBook {
    policed: Policed,
    fence: Option<Box<Fence>>,
}

impl Default for MarketBook {
    fn default() -> Self {
        MarketBook { policed: Policed::PriceTime(Book::default()), fence: None }
    }
}

macro_rules! on_book {
    ($self:ident, $book:ident => $what:expr) => {
        match &$self.policed {
            Policed::PriceTime($book) => $what,
            Policed::Any($book) => $what,
        }
    };
    (mut $self:ident, $book:ident => $what:expr) => {
        match &mut $self.policed {
            Policed::PriceTime($book) => $what,
            Policed::Any($book) => $what,
        }
    };
}

impl MarketBook {
    /// An empty book under `policy`.
    pub fn new(policy: AnyPolicy) -> Self {
        let policed = match policy {
            AnyPolicy::PriceTime(policy) => Policed::PriceTime(Book::new(policy)),
            other => Policed::Any(Box::new(Book::new(other))),
        };
        MarketBook { policed, fence: None }
    }

    /// The policy with its state, where it is not price-time.
    pub fn policy(&self) -> Option<&AnyPolicy> {
        match &self.policed {
            Policed::PriceTime(_) => None,
            Policed::Any(book) => Some(book.policy()),
        }
    }

    /// The policy, where somebody outside the kernel decides.
    pub(super) fn asked_mut(&mut self) -> Option<&mut AskedPolicy> {
        match &mut self.policed {
            Policed::Any(book) => match book.policy_mut() {
                AnyPolicy::Asked(policy) => Some(policy),
                _ => None,
            },
            Policed::PriceTime(_) => None,
        }
    }

    /// As [`Book::submit`].
    ///
    /// # Errors
    /// As [`Book::submit`].
    #[inline]
    pub fn submit<S: ReportSink>(&mut self, order: &NewOrder, sink: &mut S) -> Result<i64, Refusal> {
        self.submit_guarded(order, &Unguarded, sink)
    }

    /// The book, where it is one of price-time that trades without bounds.
    #[inline]
    pub(super) fn plain_mut(&mut self) -> Option<&mut Book<PriceTime>> {
        match &mut self.policed {
            Policed::PriceTime(book) if self.fence.is_none() && !book.is_collecting() => Some(book),
            _ => None,
        }
    }

    /// As [`Book::submit_guarded`]. While the book collects, a market order rests unseen at the end of the price
    /// axis, so that it trades first at any price, and orders for an auction rest like others. An order that
    /// would trade outside the fence trades up to it; then the book collects and the rest of the order with it.
    ///
    /// # Errors
    /// As [`Book::submit_guarded`].
    #[inline]
    pub fn submit_guarded<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        order: &NewOrder,
        guard: &G,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        if self.is_collecting() {
            let gathered = gathered(order);
            return on_book!(mut self, book => book.submit_guarded(&gathered, guard, sink));
        }
        if self.fence.is_some()
            && let Some(breach) = self.breach_of(order, guard)
        {
            return self.submit_up_to(order, &breach, guard, sink);
        }
        on_book!(mut self, book => book.submit_guarded(order, guard, sink))
    }

    /// Trades what may trade within the fence, then collects the rest.
    #[cold]
    fn submit_up_to<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        order: &NewOrder,
        breach: &Breach,
        guard: &G,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        let is_immediate = matches!(order.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let within = NewOrder { order_type: OrderType::Limit, price: breach.bound, ..*order };
        let is_behind = (breach.price - breach.bound) * order.side.sign() < 0;
        let trades_within = !is_behind && on_book!(self, book => book.would_trade(order.side, breach.bound));
        if !trades_within {
            self.start_collecting();
        }
        if !trades_within && !is_immediate {
            self.note(*breach);
            return on_book!(mut self, book => book.submit_guarded(&gathered(order), guard, sink));
        }
        let left = on_book!(mut self, book => book.submit_guarded(&within, guard, sink))?;
        self.note(*breach);
        self.start_collecting();
        if left > 0 {
            let rest = NewOrder { quantity: left, minimum: 0, ..gathered(order) };
            let quiet = &mut Quiet(sink);
            on_book!(mut self, book => {
                book.cancel(order.order_id, quiet)?;
                book.submit_guarded(&rest, guard, quiet)?;
            });
        }
        Ok(left)
    }

    /// As [`Book::replace_guarded`]. One that would trade outside the fence trades nothing: the book collects,
    /// and the order with it under its new terms.
    ///
    /// # Errors
    /// As [`Book::replace_guarded`].
    #[inline]
    pub fn replace_guarded<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        order_id: u64,
        terms: [i64; 2],
        post_only: bool,
        guard: &G,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        if self.fence.is_some() && !self.is_collecting() && !post_only {
            self.look_at_replace(order_id, terms, guard);
        }
        on_book!(mut self, book => book.replace_guarded(order_id, terms, post_only, guard, sink))
    }

    #[cold]
    fn look_at_replace<G: SelfTradeGuard>(&mut self, order_id: u64, terms: [i64; 2], guard: &G) {
        let [price, quantity] = terms;
        let Some(resting) = self.order(order_id) else { return };
        let checked = crate::book::check_price(price).and(crate::book::check_quantity(quantity));
        if checked.is_err() || (price == resting.price && quantity <= resting.leaves) {
            return;
        }
        let moved =
            NewOrder { account: resting.account, ..NewOrder::limit(order_id, resting.side, price, quantity) };
        if let Some(breach) = self.breach_of(&moved, guard) {
            self.note(breach);
            self.start_collecting();
        }
    }

    /// As [`Book::replace`].
    ///
    /// # Errors
    /// As [`Book::replace`].
    #[inline]
    pub fn replace<S: ReportSink>(
        &mut self,
        order_id: u64,
        price: i64,
        quantity: i64,
        post_only: bool,
        sink: &mut S,
    ) -> Result<i64, Refusal> {
        self.replace_guarded(order_id, [price, quantity], post_only, &Unguarded, sink)
    }

    /// As [`Book::cancel`].
    ///
    /// # Errors
    /// As [`Book::cancel`].
    #[inline]
    pub fn cancel<S: ReportSink>(&mut self, order_id: u64, sink: &mut S) -> Result<i64, Refusal> {
        on_book!(mut self, book => book.cancel(order_id, sink))
    }

    /// As [`Book::uncross`].
    pub fn uncross<S: ReportSink>(&mut self, price: i64, sink: &mut S) -> i64 {
        on_book!(mut self, book => book.uncross(price, sink))
    }

    /// As [`Book::uncross_guarded`].
    pub fn uncross_guarded<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        price: i64,
        guard: &G,
        sink: &mut S,
    ) -> i64 {
        on_book!(mut self, book => book.uncross_guarded(price, guard, sink))
    }

    /// As [`Book::crossing_part`].
    pub fn crossing_part(&self, price: i64) -> Book<PriceTime> {
        on_book!(self, book => book.crossing_part(price))
    }

    /// As [`Book::start_collecting`].
    pub fn start_collecting(&mut self) {
        on_book!(mut self, book => book.start_collecting());
    }

    /// As [`Book::stop_collecting`].
    ///
    /// # Errors
    /// As [`Book::stop_collecting`].
    pub fn stop_collecting(&mut self) -> Result<(), Refusal> {
        on_book!(mut self, book => book.stop_collecting())
    }

    #[inline]
    pub fn is_collecting(&self) -> bool {
        on_book!(self, book => book.is_collecting())
    }

    /// Sets the prices at which the book may trade; `None` lifts them.
    pub(super) fn set_fence(&mut self, range: Option<PriceRange>) {
        self.fence = range.map(|range| Box::new(Fence { range, breach: None }));
    }

    /// The breach since the last call.
    pub(super) fn take_breach(&mut self) -> Option<Breach> {
        self.fence.as_mut()?.breach.take()
    }

    fn note(&mut self, breach: Breach) {
        if let Some(fence) = &mut self.fence {
            fence.breach = Some(breach);
        }
    }

    fn first_price(&self, side: Side) -> Option<i64> {
        self.orders(side).next().map(|order| order.price)
    }

    /// Whether an order of `side` would trade below (a buy) or above (a sell) the fence.
    fn is_behind(&self, side: Side, price: Option<i64>) -> bool {
        let Some(Fence { range, .. }) = self.fence.as_deref() else { return false };
        price.is_some_and(|price| match side {
            Side::Buy => price < range.low,
            Side::Sell => price > range.high,
        })
    }

    /// The first trade outside the fence that `order` would make.
    fn breach_of<G: SelfTradeGuard>(&self, order: &NewOrder, guard: &G) -> Option<Breach> {
        let range = self.fence.as_deref()?.range;
        let sign = order.side.sign();
        let price = (order.order_type == OrderType::Limit).then_some(order.price);
        let reach = price.unwrap_or(MAX_UNITS * sign);
        let first = self.first_price(order.side.opposite()).filter(|_| !order.post_only)?;
        if (reach - first) * sign < 0 {
            return None;
        }
        if !self.is_behind(order.side, Some(first)) {
            let bound = if order.side == Side::Buy { range.high } else { range.low };
            let finds_enough = |limit| {
                let quantity = order.quantity;
                let found = on_book!(self, book =>
                    book.fillable(order.account, order.side, Some(limit), quantity, guard));
                found >= quantity
            };
            // So it is with nearly every order.
            if (reach - bound) * sign <= 0 || finds_enough(bound) {
                return None;
            }
        }
        self.first_outside(order, reach, guard)
    }

    /// The first trade outside the fence of an order that reaches as far as `reach`.
    #[cold]
    fn first_outside<G: SelfTradeGuard>(&self, order: &NewOrder, reach: i64, guard: &G) -> Option<Breach> {
        let PriceRange { low, high, .. } = self.fence.as_deref()?.range;
        let price = on_book!(self, book => book.first_trade_outside(order, reach, low..=high, guard))?;
        let bound = if price < low { low } else { high };
        Some(Breach { order_id: order.order_id, bound, price })
    }

    /// As [`Book::auction_levels`].
    pub fn auction_levels(&self, side: Side) -> Box<dyn Iterator<Item = AuctionLevel> + '_> {
        on_book!(self, book => Box::new(book.auction_levels(side)))
    }

    /// As [`Book::orders`].
    pub fn orders(&self, side: Side) -> Box<dyn Iterator<Item = BookOrder> + '_> {
        on_book!(self, book => Box::new(book.orders(side)))
    }

    /// As [`Book::levels`].
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = Level> + '_> {
        on_book!(self, book => Box::new(book.levels(side)))
    }

    /// As [`Book::depth`].
    pub fn depth(&self, side: Side, count: usize) -> Vec<Level> {
        self.levels(side).take(count).collect()
    }

    /// As [`Book::fillable`], up to `price` and within the fence.
    pub fn fillable<G: SelfTradeGuard>(
        &self,
        account: u32,
        side: Side,
        price: i64,
        quantity: i64,
        guard: &G,
    ) -> i64 {
        let price = match (self.fence.as_deref(), side) {
            (None, _) => price,
            (Some(fence), Side::Buy) => price.min(fence.range.high),
            (Some(fence), Side::Sell) => price.max(fence.range.low),
        };
        let order = NewOrder { account, ..NewOrder::limit(0, side, price, quantity) };
        if self.breach_of(&order, guard).is_some() {
            return 0;
        }
        on_book!(self, book => book.fillable(account, side, Some(price), quantity, guard))
    }

    pub fn top(&self) -> TopOfBook {
        on_book!(self, book => book.top())
    }

    #[inline]
    pub fn best(&self, side: Side) -> Option<Level> {
        on_book!(self, book => book.best(side))
    }

    /// As [`Book::level_at`].
    pub fn level_at(&self, side: Side, price: i64) -> Option<Level> {
        on_book!(self, book => book.level_at(side, price))
    }

    /// As [`Book::would_trade`].
    #[inline]
    pub fn would_trade(&self, side: Side, price: i64) -> bool {
        on_book!(self, book => book.would_trade(side, price))
    }

    pub fn order(&self, order_id: u64) -> Option<BookOrder> {
        on_book!(self, book => book.order(order_id))
    }

    pub fn contains(&self, order_id: u64) -> bool {
        on_book!(self, book => book.contains(order_id))
    }

    /// As [`Book::queue_position`].
    pub fn queue_position(&self, order_id: u64) -> Option<QueuePosition> {
        on_book!(self, book => book.queue_position(order_id))
    }

    pub fn len(&self) -> usize {
        on_book!(self, book => book.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As [`Book::heap_bytes`].
    pub fn heap_bytes(&self) -> usize {
        let boxed = match &self.policed {
            Policed::PriceTime(_) => 0,
            Policed::Any(_) => size_of::<Book<AnyPolicy>>(),
        };
        boxed + on_book!(self, book => book.heap_bytes())
    }

    /// Publishes the book if a change that the publisher heard touches what it shows.
    #[inline]
    pub(super) fn publish_changes(&self, publisher: &mut DepthPublisher) {
        on_book!(self, book => publisher.publish_changes(book));
    }
}

/// How an order rests while the book collects.
fn gathered(order: &NewOrder) -> NewOrder {
    let time_in_force = match order.time_in_force {
        TimeInForce::AtOpen | TimeInForce::AtClose => TimeInForce::Day,
        other => other,
    };
    if order.order_type != OrderType::Market {
        return NewOrder { time_in_force, ..*order };
    }
    let price = MAX_UNITS * order.side.sign();
    NewOrder { time_in_force, order_type: OrderType::Limit, price, display: 0, ..*order }
}

/// Hears everything but the coming and going of an order that is only moved.
struct Quiet<'a, S>(&'a mut S);

impl<S: ReportSink> ReportSink for Quiet<'_, S> {
    const LEVELS: bool = S::LEVELS;

    fn traded(&mut self, trade: &BookTrade) {
        self.0.traded(trade);
    }

    fn canceled(&mut self, _cancel: &BookCancel) {}

    fn replaced(&mut self, _replace: &BookReplace) {}

    fn refreshed(&mut self, refresh: &BookRefresh) {
        self.0.refreshed(refresh);
    }

    fn decremented(&mut self, decrement: &BookDecrement) {
        self.0.decremented(decrement);
    }

    fn level_changed(&mut self, change: &LevelChange) {
        self.0.level_changed(change);
    }
}

impl State for MarketBook {
    fn write(&self, out: &mut StateWriter) {
        match &self.policed {
            Policed::PriceTime(book) => {
                out.u8(PriceTime::NUMBER);
                book.write(out);
            }
            Policed::Any(book) => {
                out.u8(AnyPolicy::NUMBER);
                book.write(out);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let policed = match input.u8()? {
            PriceTime::NUMBER => Policed::PriceTime(State::read(input)?),
            AnyPolicy::NUMBER => Policed::Any(Box::new(State::read(input)?)),
            found => return Err(input.invalid("kind of book", u64::from(found))),
        };
        Ok(MarketBook { policed, fence: None })
    }
}

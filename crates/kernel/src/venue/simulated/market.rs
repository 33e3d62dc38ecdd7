//! One instrument as the simulated venue sees it: what a feed shows of it, and our orders in it.

use crate::depth::Depth;
use crate::observation::{BookLevelObserved, QuoteObserved, TradeObserved};
use crate::record::{Body, Slot, flags};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;

use super::bars::Bar;
use super::orders::LiveOrder;
use super::pricing;

/// The finest kind of data seen of an instrument; it alone decides fills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Feed {
    #[default]
    Nothing = 0,
    Bars = 1,
    Trades = 2,
    Quotes = 3,
    Book = 4,
}

/// The trades of one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prints {
    pub low: i64,
    pub high: i64,
    pub last: i64,
    /// Of the last one, as far as takers have not used it.
    pub quantity: i64,
}

/// Displayed quantity that our takers used up and the feed has not changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Consumed {
    side: Side,
    price: i64,
    quantity: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Market {
    pub feed: Feed,
    /// In order of priority.
    pub orders: Vec<LiveOrder>,
    pub depth: Depth,
    /// Best bid and offer of a quote feed: `(price, quantity)`, a side that is empty (0, 0).
    quote: [(i64, i64); 2],
    consumed: Vec<Consumed>,
    pub prints: Option<Prints>,
    pub last_trade: Option<i64>,
    /// Open and close of the last bar.
    pub last_bar: Option<(i64, i64)>,
    /// The bar in work.
    pub bar: Option<Bar>,
    /// A gap was seen and no snapshot or quote since.
    pub untrusted: bool,
    /// Within an update whose last record is still to come.
    pub half_applied: bool,
    /// Updates begun so far.
    pub updates: u64,
    /// Time of the last update or arrival.
    pub time: u64,
    /// Orders are to be measured against the market; on the venue's list of ready ones.
    pub ready: bool,
    /// An order waits for a fill of its account to become known.
    pub waiting: bool,
    /// The run is over and orders execute at this price, where bars or trades are all there was.
    pub close_out: Option<i64>,
    pub ended: bool,
}

impl Market {
    pub fn new(ended: bool) -> Self {
        Market { ended, ..Market::default() }
    }

    pub fn find(&self, order_id: u64) -> Option<usize> {
        self.orders.iter().position(|order| order.terms.order_id == order_id)
    }

    pub fn find_priority(&self, priority: u64) -> Option<usize> {
        self.orders.binary_search_by_key(&priority, |order| order.priority).ok()
    }

    /// A record of an update begins or continues it.
    pub fn begin_update(&mut self, time: u64) {
        if !self.half_applied {
            self.updates += 1;
        }
        self.half_applied = true;
        self.time = self.time.max(time);
    }

    /// The first update whose trades may fill an order that comes now.
    pub fn next_update(&self) -> u64 {
        self.updates + 1
    }

    pub fn observe_quote(&mut self, slot: &Slot, negative_prices: bool) {
        let quote = QuoteObserved::of(slot);
        self.feed = self.feed.max(Feed::Quotes);
        if self.feed == Feed::Quotes {
            self.untrusted = false;
        }
        for side in [Side::Buy, Side::Sell] {
            self.set_quote(side, quote.best(side, negative_prices).unwrap_or_default());
        }
    }

    /// A quote repeats the side that did not change: only a changed one shows new quantity.
    fn set_quote(&mut self, side: Side, level: (i64, i64)) {
        if self.feed == Feed::Quotes && self.quote[slot_of(side)] != level {
            self.consumed.retain(|consumed| consumed.side != side);
        }
        self.quote[slot_of(side)] = level;
    }

    pub fn observe_trade(&mut self, slot: &Slot) {
        let TradeObserved { price, quantity, .. } = TradeObserved::of(slot);
        self.feed = self.feed.max(Feed::Trades);
        self.last_trade = Some(price);
        if self.orders.is_empty() {
            return;
        }
        let (low, high) = self.prints.map_or((price, price), |prints| (prints.low, prints.high));
        let quantity = quantity.max(0);
        self.prints = Some(Prints { low: low.min(price), high: high.max(price), last: price, quantity });
    }

    pub fn observe_level(&mut self, slot: &Slot) {
        if self.feed != Feed::Book || slot.has(flags::CLEAR) {
            self.consumed.clear();
        }
        self.feed = Feed::Book;
        if slot.has(flags::CLEAR) {
            self.untrusted = false;
        }
        if !self.consumed.is_empty() {
            let price = BookLevelObserved::of(slot).price;
            let side = if slot.has(flags::SELL) { Side::Sell } else { Side::Buy };
            self.consumed.retain(|consumed| (consumed.side, consumed.price) != (side, price));
        }
        self.depth.apply_slot(slot);
    }

    /// There is something a taker could be measured against.
    pub fn can_be_taken(&self) -> bool {
        match self.feed {
            _ if self.ended => true,
            Feed::Nothing | Feed::Bars => false,
            Feed::Trades => self.prints.is_some(),
            Feed::Quotes | Feed::Book => !self.untrusted,
        }
    }

    /// Best displayed price against a taker of `side`, used up or not.
    pub fn displayed(&self, side: Side) -> Option<i64> {
        let opposite = side.opposite();
        let best = match self.feed {
            Feed::Book => self.depth.best(opposite),
            Feed::Quotes => self.quoted(opposite),
            Feed::Nothing | Feed::Bars | Feed::Trades => None,
        };
        best.map(|level| level.0).filter(|_| !self.untrusted)
    }

    fn quoted(&self, side: Side) -> Option<(i64, i64)> {
        Some(self.quote[slot_of(side)]).filter(|level| *level != (0, 0))
    }

    /// What a taker of `side` may take, best price first, without what was taken before.
    pub fn offers(&self, side: Side) -> impl Iterator<Item = (i64, i64)> + '_ {
        let opposite = side.opposite();
        let is_book = self.feed == Feed::Book && !self.untrusted;
        let levels = is_book.then(|| self.depth.levels(opposite)).into_iter().flatten();
        let single = self.single_offer(opposite);
        let left = move |(price, quantity)| (price, self.left_of(opposite, price, quantity));
        single.into_iter().chain(levels.map(left)).filter(|&(_, quantity)| quantity > 0)
    }

    /// The one level of feeds that show one.
    fn single_offer(&self, opposite: Side) -> Option<(i64, i64)> {
        match self.feed {
            Feed::Book => None,
            Feed::Quotes if self.untrusted => None,
            Feed::Quotes => {
                let (price, quantity) = self.quoted(opposite)?;
                Some((price, self.left_of(opposite, price, quantity)))
            }
            Feed::Nothing | Feed::Bars | Feed::Trades if self.ended => {
                self.close_out.map(|price| (price, i64::MAX))
            }
            Feed::Nothing | Feed::Bars => None,
            Feed::Trades => self.prints.map(|prints| (prints.last, prints.quantity)),
        }
    }

    fn left_of(&self, side: Side, price: i64, quantity: i64) -> i64 {
        let of_level = |consumed: &&Consumed| (consumed.side, consumed.price) == (side, price);
        let taken = self.consumed.iter().find(of_level).map_or(0, |consumed| consumed.quantity);
        quantity.saturating_sub(taken)
    }

    /// A taker of `side` used `quantity` of the offers, from the best on.
    pub fn take(&mut self, side: Side, mut quantity: i64) {
        while quantity > 0 {
            let best = self.offers(side).next();
            let Some((price, available)) = best else { return };
            let taken = quantity.min(available);
            quantity -= taken;
            match self.feed {
                Feed::Quotes | Feed::Book => self.consume(side.opposite(), price, taken),
                _ if self.ended => return,
                _ => self.use_print(taken),
            }
        }
    }

    fn use_print(&mut self, quantity: i64) {
        if let Some(prints) = &mut self.prints {
            prints.quantity -= quantity;
        }
    }

    fn consume(&mut self, side: Side, price: i64, quantity: i64) {
        let place =
            self.consumed.iter().position(|consumed| (consumed.side, consumed.price) == (side, price));
        match place {
            Some(place) => self.consumed[place].quantity += quantity,
            None => self.consumed.push(Consumed { side, price, quantity }),
        }
    }

    /// The price that triggers stops of `side`: the last trade, where trades are seen, else the opposite best.
    pub fn trigger_price(&self, side: Side) -> Option<i64> {
        self.last_trade.or_else(|| self.displayed(side))
    }

    /// Where the market stands for orders of `side` that follow it: the last close of bars, else what triggers stops.
    pub fn price_now(&self, side: Side) -> Option<i64> {
        match self.feed {
            Feed::Nothing | Feed::Bars => self.last_bar.map(|bar| bar.1),
            Feed::Trades | Feed::Quotes | Feed::Book => self.trigger_price(side),
        }
    }

    /// The market traded through a resting order: a trade beyond its limit, or a displayed opposite price
    /// that is and that our own takers have not used up.
    pub fn trades_through(&self, order: &LiveOrder) -> bool {
        let (side, limit) = (order.terms.side, order.terms.price);
        let extreme = |prints: Prints| if side == Side::Buy { prints.low } else { prints.high };
        let printed = self.prints.filter(|_| order.first_update <= self.updates).map(extreme);
        let shown = if self.feed >= Feed::Quotes { self.offers(side).next() } else { None };
        [printed, shown.map(|level| level.0)]
            .into_iter()
            .flatten()
            .any(|price| pricing::is_better(side, price, limit))
    }
}

const fn slot_of(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl State for Prints {
    fn write(&self, out: &mut StateWriter) {
        [self.low, self.high, self.last, self.quantity].into_iter().for_each(|value| out.i64(value));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Prints { low: input.i64()?, high: input.i64()?, last: input.i64()?, quantity: input.i64()? })
    }
}

impl State for Consumed {
    fn write(&self, out: &mut StateWriter) {
        out.bool(self.side == Side::Sell);
        out.i64(self.price);
        out.i64(self.quantity);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let side = if input.bool()? { Side::Sell } else { Side::Buy };
        Ok(Consumed { side, price: input.i64()?, quantity: input.i64()? })
    }
}

impl State for Market {
    fn write(&self, out: &mut StateWriter) {
        out.u8(self.feed as u8);
        out.list(self.orders.iter());
        self.depth.write(out);
        for (price, quantity) in self.quote {
            out.i64(price);
            out.i64(quantity);
        }
        out.list(self.consumed.iter());
        out.option(self.prints.as_ref());
        out.option_i64(self.last_trade);
        out.option_i64(self.last_bar.map(|bar| bar.0));
        out.option_i64(self.last_bar.map(|bar| bar.1));
        out.option(self.bar.as_ref());
        [self.untrusted, self.half_applied, self.ready, self.waiting, self.ended]
            .into_iter()
            .for_each(|flag| out.bool(flag));
        out.u64(self.updates);
        out.u64(self.time);
        out.option_i64(self.close_out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Market {
            feed: read_feed(input)?,
            orders: input.list()?,
            depth: Depth::read(input)?,
            quote: [(input.i64()?, input.i64()?), (input.i64()?, input.i64()?)],
            consumed: input.list()?,
            prints: input.option()?,
            last_trade: input.option_i64()?,
            last_bar: input.option_i64()?.zip(input.option_i64()?),
            bar: input.option()?,
            untrusted: input.bool()?,
            half_applied: input.bool()?,
            ready: input.bool()?,
            waiting: input.bool()?,
            ended: input.bool()?,
            updates: input.u64()?,
            time: input.u64()?,
            close_out: input.option_i64()?,
        })
    }
}

fn read_feed(input: &mut StateReader<'_>) -> Result<Feed, StateError> {
    let feeds = [Feed::Nothing, Feed::Bars, Feed::Trades, Feed::Quotes, Feed::Book];
    let number = input.u8()?;
    let known = feeds.into_iter().find(|&feed| feed as u8 == number);
    known.ok_or_else(|| input.invalid("feed", u64::from(number)))
}

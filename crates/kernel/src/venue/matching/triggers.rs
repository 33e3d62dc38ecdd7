//! Orders that wait for a price: in the order in which they would trigger, and what happens when they do.

use std::collections::BTreeSet;

use super::special::Special;
use super::{MatchingVenue, Place, Ticket, TradedRange, TriggeredStop};
use crate::book::{check_price, check_quantity};
use crate::rules::{Refusal, Rule};
use crate::special_terms::trailing_level;
use crate::terms::{OrderType, Side, TriggerBy, options};
use crate::venue::{Outcome, VenueContext, VenueOrder};

/// Which price an order waits for. An order that waits for the best of the other side waits for one of the book's two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    LastTrade,
    Bid,
    Ask,
    Mark,
}

/// Whether the price must come up or down to the order's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Rising,
    Falling,
}

impl Direction {
    pub const BOTH: [Direction; 2] = [Direction::Rising, Direction::Falling];

    pub fn of(side: Side, order_type: OrderType) -> Self {
        match (side, order_type.is_touched()) {
            (Side::Buy, false) | (Side::Sell, true) => Direction::Rising,
            (Side::Sell, false) | (Side::Buy, true) => Direction::Falling,
        }
    }

    const fn sign(self) -> i64 {
        match self {
            Direction::Rising => 1,
            Direction::Falling => -1,
        }
    }

    /// Whether `price` has come to `level`.
    pub const fn reaches(self, price: i64, level: i64) -> bool {
        (price - level) * self.sign() >= 0
    }
}

/// Who waits for what, and for which level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub watched: Watched,
    pub direction: Direction,
    pub level: i64,
    /// Breaks ties between equal levels.
    pub sequence: u64,
    pub order_id: u64,
    /// Of a trailing one: the best price its stop has followed; it moves beyond.
    pub water: Option<i64>,
}

/// Waiting orders of one price: rising, falling; each (key, sequence, order id) with keys that grow away from the first to
/// trigger.
type Rows = [BTreeSet<(i64, u64, u64)>; 2];

/// Orders that wait for another price than the last trade, and trailing ones.
#[derive(Clone, Debug, Default)]
struct Uncommon {
    rows: [Rows; 3],
    /// Of each watched price; the keys grow away from the first to move.
    trails: [Rows; 4],
}

/// The waiting orders of one instrument.
#[derive(Clone, Debug, Default)]
pub(super) struct Triggers {
    by_last_trade: Rows,
    uncommon: Option<Box<Uncommon>>,
}

const fn row(direction: Direction) -> usize {
    match direction {
        Direction::Rising => 0,
        Direction::Falling => 1,
    }
}

impl Triggers {
    fn rows(&mut self, watched: Watched) -> &mut Rows {
        let place = match watched {
            Watched::LastTrade => return &mut self.by_last_trade,
            Watched::Bid => 0,
            Watched::Ask => 1,
            Watched::Mark => 2,
        };
        &mut self.uncommon.get_or_insert_default().rows[place]
    }

    fn trails(&mut self, watched: Watched) -> &mut Rows {
        let place = match watched {
            Watched::Bid => 0,
            Watched::Ask => 1,
            Watched::Mark => 2,
            Watched::LastTrade => 3,
        };
        &mut self.uncommon.get_or_insert_default().trails[place]
    }

    /// A falling stop follows a price that rises, so its key is that price and moves when a higher one comes.
    fn trail_key(watch: &Watch) -> Option<(i64, u64, u64)> {
        let water = watch.water?;
        Some((water * -watch.direction.sign(), watch.sequence, watch.order_id))
    }

    pub fn insert(&mut self, watch: &Watch) {
        let &Watch { watched, direction, level, sequence, order_id, .. } = watch;
        self.rows(watched)[row(direction)].insert((level * direction.sign(), sequence, order_id));
        if let Some(key) = Self::trail_key(watch) {
            self.trails(watched)[row(direction)].insert(key);
        }
    }

    pub fn remove(&mut self, watch: &Watch) {
        let &Watch { watched, direction, level, sequence, order_id, .. } = watch;
        self.rows(watched)[row(direction)].remove(&(level * direction.sign(), sequence, order_id));
        if let Some(key) = Self::trail_key(watch) {
            self.trails(watched)[row(direction)].remove(&key);
        }
    }

    /// Whether any order waits for more than the last trade, or trails.
    pub const fn has_uncommon(&self) -> bool {
        self.uncommon.is_some()
    }

    /// Takes the next order that `price` triggers; the venue takes it out of the trailing ones.
    pub fn pop_triggered(&mut self, watched: Watched, direction: Direction, price: i64) -> Option<u64> {
        if watched != Watched::LastTrade && self.uncommon.is_none() {
            return None;
        }
        let waiting = &mut self.rows(watched)[row(direction)];
        let &(key, _, _) = waiting.first()?;
        if key > price * direction.sign() {
            return None;
        }
        waiting.pop_first().map(|(_, _, order_id)| order_id)
    }

    /// The next trailing order that `price` takes along.
    fn first_to_move(&self, watched: Watched, direction: Direction, price: i64) -> Option<u64> {
        let place = match watched {
            Watched::Bid => 0,
            Watched::Ask => 1,
            Watched::Mark => 2,
            Watched::LastTrade => 3,
        };
        let &(key, _, order_id) = self.uncommon.as_ref()?.trails[place][row(direction)].first()?;
        (key < price * -direction.sign()).then_some(order_id)
    }

    /// By what they wait for (last trade, bid, ask, mark); rising, then falling, each as they would trigger.
    pub fn order_ids(&self) -> impl Iterator<Item = u64> {
        let uncommon = self.uncommon.iter().flat_map(|uncommon| uncommon.rows.iter().flatten());
        self.by_last_trade.iter().chain(uncommon).flatten().map(|&(_, _, order_id)| order_id)
    }
}

/// The limit of a trailing stop-limit lies beyond its stop; where prices must be positive not below a tick.
fn set_limit(order: &mut VenueOrder, special: &Special) {
    if order.order_type != OrderType::TrailingStopLimit {
        return;
    }
    let limit = order.stop_price.saturating_add(order.side.sign() * special.terms.limit_offset);
    order.price = if special.negative_prices { limit } else { limit.max(special.tick) };
}

impl MatchingVenue {
    /// What wakes an order, and where it stands in line with others.
    pub(super) fn watch(&self, ticket: &Ticket) -> Watch {
        let order = &ticket.order;
        let special = self.special(order);
        let trigger_by = special.and_then(|special| special.terms.trigger_by);
        let watched = match (trigger_by.unwrap_or(TriggerBy::LastTrade), order.side) {
            (TriggerBy::LastTrade, _) => Watched::LastTrade,
            (TriggerBy::OppositeBest, Side::Buy) => Watched::Ask,
            (TriggerBy::OppositeBest, Side::Sell) => Watched::Bid,
            (TriggerBy::Mark, _) => Watched::Mark,
        };
        Watch {
            watched,
            direction: Direction::of(order.side, order.order_type),
            level: order.stop_price,
            sequence: if let Place::Stop(sequence) = ticket.place { sequence } else { 0 },
            order_id: order.order_id,
            water: special.filter(|_| order.order_type.trails()).and_then(|special| special.water),
        }
    }

    /// Where the price that an order waits for stands now.
    fn watched_price(&self, instrument: u32, watched: Watched) -> Option<i64> {
        let best = |side| Some(self.market(instrument)?.book.best(side)?.price);
        match watched {
            Watched::LastTrade => self.last_price(instrument),
            Watched::Bid => best(Side::Buy),
            Watched::Ask => best(Side::Sell),
            Watched::Mark => self.mark(instrument),
        }
    }

    pub(super) fn hold_stop(
        &mut self,
        order: &VenueOrder,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let mut order = *order;
        if order.order_type.trails() {
            let given = self.special(&order).and_then(|one| one.terms.optional_stop_price(order.stop_price));
            self.start_trail(&mut order, given, context)?;
        }
        self.check_stop(&order)?;
        let VenueOrder { order_id, price, stop_price, .. } = order;
        self.report(order_id, time, Outcome::Accepted { venue_order_id: order_id });
        if order.order_type.trails() {
            self.report(order_id, time, Outcome::Repriced { price, stop_price });
        }
        self.place_stop(Ticket { order, executed: 0, excess: 0, place: Place::Triggered });
        Ok(())
    }

    /// Where a trailing stop begins: at the stop price it was given, else behind the price it follows.
    fn start_trail(
        &mut self,
        order: &mut VenueOrder,
        given: Option<i64>,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let unpriced = Ticket { order: *order, executed: 0, excess: 0, place: Place::Triggered };
        let watch = self.watch(&unpriced);
        let price = self.watched_price(order.instrument, watch.watched);
        let Some(terms) = self.special(order).map(|special| special.terms) else {
            return Err(Refusal::of(Rule::TrailMustBePositive));
        };
        if terms.trail <= 0 {
            return Err(Refusal::new(Rule::TrailMustBePositive, 1, i128::from(terms.trail)));
        }
        let (tick, negative_prices) =
            (context.tick(order.instrument), context.negative_prices(order.instrument));
        order.stop_price = match (given, price) {
            (Some(stop_price), _) => stop_price,
            (None, Some(price)) => {
                trailing_level(order.side, price, terms.trail, terms.trail_by, tick, negative_prices)
            }
            (None, None) => {
                let actual = i128::from(order.instrument);
                return Err(Refusal::new(Rule::ReferencePriceMustBeKnown, 0, actual));
            }
        };
        if let Some(special) = self.specials.get_mut(order.order_id) {
            (special.tick, special.negative_prices) = (tick, negative_prices);
            set_limit(order, special);
        }
        // Before there was any price: whatever comes first is followed.
        let least = -crate::instrument::MAX_UNITS * -watch.direction.sign();
        if let Some(special) = self.specials.get_mut(order.order_id) {
            special.water = Some(price.unwrap_or(least));
        }
        Ok(())
    }

    pub(super) fn check_stop(&self, order: &VenueOrder) -> Result<(), Refusal> {
        check_quantity(order.quantity)?;
        if order.order_type.may_rest() {
            check_price(order.price)?;
        }
        check_price(order.stop_price)?;
        let ticket = Ticket { order: *order, executed: 0, excess: 0, place: Place::Triggered };
        let watch = self.watch(&ticket);
        match self.watched_price(order.instrument, watch.watched) {
            Some(price) if watch.direction.reaches(price, order.stop_price) => {
                let (limit, actual) = (i128::from(price), i128::from(order.stop_price));
                Err(Refusal::new(Rule::StopMustNotBeTriggered, limit, actual))
            }
            _ => Ok(()),
        }
    }

    /// Puts a stop behind all others at its stop price.
    pub(super) fn place_stop(&mut self, ticket: Ticket) {
        self.arrivals += 1;
        let ticket = Ticket { place: Place::Stop(self.arrivals), ..ticket };
        let watch = self.watch(&ticket);
        if let Some(market) = self.market_mut(ticket.order.instrument) {
            market.triggers.insert(&watch);
        }
        self.keep(ticket);
    }

    /// Takes an order that waits for a price out of the line.
    pub(super) fn unwatch(&mut self, ticket: &Ticket) {
        let watch = self.watch(ticket);
        if let Some(market) = self.market_mut(ticket.order.instrument) {
            market.triggers.remove(&watch);
        }
    }

    /// Lines up what a request's trades triggered. Along a request prices go one way, so its first and its last trade are
    /// its extremes: what trails follows the first before and the last after the others trigger.
    pub(super) fn line_up_traded(&mut self, instrument: u32, traded: &TradedRange, time: u64) {
        let Some(last) = traded.last else { return };
        let first = if last == traded.high { traded.low } else { traded.high };
        self.line_up_range(instrument, Watched::LastTrade, [first, last], time);
        self.line_up_range(instrument, Watched::Mark, [first, last], time);
    }

    /// Lines up what the best prices of a book trigger, as they are after a request.
    pub(super) fn line_up_bests(&mut self, instrument: u32, time: u64) {
        for watched in [Watched::Bid, Watched::Ask] {
            if let Some(price) = self.watched_price(instrument, watched) {
                self.line_up_range(instrument, watched, [price, price], time);
            }
        }
    }

    /// `range` are the first price and the last.
    pub(super) fn line_up_range(&mut self, instrument: u32, watched: Watched, range: [i64; 2], time: u64) {
        let [first, last] = range;
        self.move_trails(instrument, watched, first, time);
        for (direction, extreme) in
            [(Direction::Rising, first.max(last)), (Direction::Falling, first.min(last))]
        {
            while let Some(order_id) = self
                .market_mut(instrument)
                .and_then(|market| market.triggers.pop_triggered(watched, direction, extreme))
            {
                self.line_up(order_id, last, time);
            }
        }
        self.move_trails(instrument, watched, last, time);
    }

    fn line_up(&mut self, order_id: u64, price: i64, time: u64) {
        let Some(&ticket) = self.tickets.get(order_id) else { return };
        if ticket.order.order_type.trails() {
            self.unwatch(&ticket);
        }
        if let Some(ticket) = self.tickets.get_mut(order_id) {
            ticket.place = Place::Triggered;
        }
        self.triggered.push_back(TriggeredStop { order_id, price, time });
    }

    /// Takes trailing stops along with a price that went their way.
    fn move_trails(&mut self, instrument: u32, watched: Watched, price: i64, time: u64) {
        for direction in Direction::BOTH {
            while let Some(order_id) = self
                .market(instrument)
                .and_then(|market| market.triggers.first_to_move(watched, direction, price))
            {
                if !self.move_trail(order_id, direction, price, time) {
                    break;
                }
            }
        }
    }

    fn move_trail(&mut self, order_id: u64, direction: Direction, price: i64, time: u64) -> bool {
        let Some(&ticket) = self.tickets.get(order_id) else { return false };
        self.unwatch(&ticket);
        let Some(special) = self.specials.get_mut(order_id) else { return false };
        special.water = Some(price);
        let special = *special;
        let terms = special.terms;
        let level = trailing_level(
            ticket.order.side,
            price,
            terms.trail,
            terms.trail_by,
            special.tick,
            special.negative_prices,
        );
        let mut moved = ticket;
        let follows = (level - ticket.order.stop_price) * direction.sign() < 0;
        if follows {
            moved.order.stop_price = level;
            set_limit(&mut moved.order, &special);
        }
        let watch = self.watch(&moved);
        if let Some(market) = self.market_mut(moved.order.instrument) {
            market.triggers.insert(&watch);
        }
        if follows {
            self.tickets.insert(order_id, moved);
            let VenueOrder { price, stop_price, .. } = moved.order;
            self.report(order_id, time, Outcome::Repriced { price, stop_price });
        }
        true
    }

    pub(super) fn run_triggered(&mut self, stop: &TriggeredStop, context: &dyn VenueContext) {
        let Some(&ticket) = self.tickets.get(stop.order_id) else { return };
        self.report(stop.order_id, stop.time, Outcome::Triggered { price: stop.price });
        let result = if ticket.order.options & options::ASIDE == 0 {
            self.match_order(ticket, true, stop.time, context)
        } else {
            self.bring(ticket, true, stop.time, context)
        };
        if result.is_err() {
            self.forget(stop.order_id);
        }
        self.report_refused(stop.order_id, stop.time, result, |refusal| Outcome::Canceled { refusal });
    }

    pub(super) fn replace_stop(
        &mut self,
        ticket: Ticket,
        order: &VenueOrder,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let (old, mut order) = (ticket.order, *order);
        let before = self.specials.get(order.order_id).copied();
        self.unwatch(&ticket);
        let is_changed = self.take_proposed(order.order_id, order.quantity);
        if let Err(refusal) = self.restart_trail(&mut order, &old, is_changed, context) {
            // All as it was.
            if let Some(special) = before {
                self.specials.insert(order.order_id, special);
            }
            let watch = self.watch(&ticket);
            if let Some(market) = self.market_mut(old.instrument) {
                market.triggers.insert(&watch);
            }
            return Err(refusal);
        }
        let is_smaller = order.quantity <= old.quantity;
        let keeps_place =
            !is_changed && (old.price, old.stop_price) == (order.price, order.stop_price) && is_smaller;
        let VenueOrder { order_id, price, quantity, stop_price, .. } = order;
        self.report(order_id, time, Outcome::Replaced { price, quantity, stop_price });
        if !keeps_place {
            self.place_stop(Ticket { order, ..ticket });
            return Ok(());
        }
        let watch = self.watch(&ticket);
        if let Some(market) = self.market_mut(old.instrument) {
            market.triggers.insert(&watch);
        }
        self.tickets.insert(order_id, Ticket { order, ..ticket });
        Ok(())
    }

    /// The stop of a trailing order under new terms: the one that was given, else behind the price it follows.
    fn restart_trail(
        &mut self,
        order: &mut VenueOrder,
        old: &VenueOrder,
        is_changed: bool,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        if order.order_type.trails() && (is_changed || order.stop_price != old.stop_price) {
            let given = (order.stop_price != old.stop_price).then_some(order.stop_price);
            self.start_trail(order, given, context)?;
        }
        self.check_stop(order)
    }
}

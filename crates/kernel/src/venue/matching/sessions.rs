//! Trading sessions of one instrument: what starts and ends them, auctions, and what is set by command.
//!
//! A change of session happens in this order:
//!
//! 1. when an auction ends, or collected orders go on to CONTINUOUS: `Uncrossed`, then its trades and fills;
//! 2. what is left of market-to-limit orders rests at the auction's price; orders whose time is over: what is left of market
//!    orders is canceled; AT_OPEN orders expire when the opening
//!    is over, AT_CLOSE orders after the closing, DAY orders when the instrument closes;
//! 3. `SessionChanged`;
//! 4. when the closing auction begins, AT_CLOSE orders come to the book as they arrived;
//! 5. stops that the auction's trades triggered, if trading goes on.
//!
//! An auction that is followed by HALTED or PRE_OPEN, or by another auction, is broken off: nothing trades, and what
//! was collected stays.

use super::auction::{Indication, find_price};
use super::bands::PriceBands;
use super::conditions::{Conditions, check_auction_type, waits_for_close};
use super::desk::Leaving;
use super::market_book::MarketBook;
use super::owners::MarketGuard;
use super::shown_orders::ShownOrders;
use super::{MAX_INSTRUMENTS, Market, MatchingVenue, Place, Ticket, TradedRange};
use crate::book::{AnyPolicy, NewOrder, check_price};
use crate::instrument::MAX_UNITS;
use crate::rules::{Refusal, Rule};
use crate::terms::{OrderType, Side, TimeInForce, TradingSession};
use crate::venue::{Outcome, VenueContext, VenueOrder};

impl MatchingVenue {
    /// What is set for an instrument, where anything was.
    pub fn conditions(&self, instrument: u32) -> Option<&Conditions> {
        self.conditions.get(instrument)
    }

    /// What an instrument is open for.
    pub fn session(&self, instrument: u32) -> TradingSession {
        self.conditions.get(instrument).map_or(TradingSession::Continuous, |conditions| conditions.session)
    }

    /// What was last told of the auction that collects, and the reference price; `None` where there is none or nothing
    /// would trade.
    pub fn told_auction(&self, instrument: u32) -> Option<(Indication, Option<i64>)> {
        let conditions = self.conditions.get(instrument).filter(|one| one.session.is_auction())?;
        let told = conditions.indication;
        (told != Indication::default()).then(|| (told, self.auction_reference(instrument)))
    }

    /// The market of a number that may name an instrument, made where there is none.
    ///
    /// # Errors
    /// `InstrumentMustBeListed` for a number that cannot be one.
    pub(super) fn open_market(&mut self, instrument: u32) -> Result<&mut Market, Refusal> {
        let refusal =
            Refusal::new(Rule::InstrumentMustBeListed, i128::from(MAX_INSTRUMENTS), i128::from(instrument));
        if instrument == 0 || instrument > MAX_INSTRUMENTS {
            return Err(refusal);
        }
        let index = instrument as usize - 1;
        if self.markets.len() <= index {
            self.markets.resize(index + 1, None);
        }
        let board = &self.board.0;
        Ok(self.markets[index].get_or_insert_with(|| {
            let mut market = Box::<Market>::default();
            if let Some(board) = board {
                market.publish_on(board, instrument);
            }
            market
        }))
    }

    fn conditions_mut(&mut self, instrument: u32) -> Result<&mut Conditions, Refusal> {
        self.open_market(instrument)?.is_plain = false;
        Ok(self.conditions.get_or_insert_with(instrument, Conditions::default))
    }

    /// How an instrument matches from now on.
    ///
    /// # Errors
    /// `BookMustBeEmpty` while orders rest, and what [`crate::book::AllocationPolicy::check`] refuses.
    pub fn set_policy(&mut self, instrument: u32, policy: AnyPolicy) -> Result<(), Refusal> {
        if let AnyPolicy::Allocation(policy) = &policy {
            policy.check()?;
        }
        let market = self.open_market(instrument)?;
        if !market.book.is_empty() {
            return Err(Refusal::new(Rule::BookMustBeEmpty, 0, market.book.len() as i128));
        }
        let is_collecting = market.book.is_collecting();
        market.book = MarketBook::new(policy);
        if is_collecting {
            market.book.start_collecting();
        }
        if market.book.policy().is_some() {
            self.policed.insert(instrument);
        } else {
            self.policed.remove(&instrument);
        }
        let asks = self.market_mut(instrument).is_some_and(|market| market.book.asked_mut().is_some());
        self.set_asking(instrument, asks);
        self.refresh_fence(instrument);
        Ok(())
    }

    /// # Errors
    /// As [`PriceBands::check`].
    pub fn set_bands(&mut self, instrument: u32, bands: PriceBands) -> Result<(), Refusal> {
        bands.check()?;
        self.conditions_mut(instrument)?.bands = bands;
        self.refresh_fence(instrument);
        Ok(())
    }

    /// # Errors
    /// `FieldMustBeInRange` for a price that cannot be one.
    pub fn set_reference_price(&mut self, instrument: u32, price: Option<i64>) -> Result<(), Refusal> {
        price.map_or(Ok(()), check_price)?;
        self.conditions_mut(instrument)?.reference_price = price;
        self.refresh_fence(instrument);
        Ok(())
    }

    /// Tick of orders at `from_price` and above, up to the next row; 0 takes the row out.
    ///
    /// # Errors
    /// `FieldMustBeInRange` for a negative tick, a price that cannot be one, or a row too many.
    pub fn set_tick(&mut self, instrument: u32, from_price: i64, tick: i64) -> Result<(), Refusal> {
        self.conditions_mut(instrument)?.set_tick(from_price, tick)
    }

    /// Smallest and largest quantity of an order; 0 for no bound.
    ///
    /// # Errors
    /// `FieldMustBeInRange` for a negative bound, or a largest quantity below the smallest.
    pub fn set_sizes(&mut self, instrument: u32, minimum: i64, maximum: i64) -> Result<(), Refusal> {
        self.conditions_mut(instrument)?.set_sizes(minimum, maximum)
    }

    /// Whether every visible order is told from now on; when it begins, those that rest are told first.
    ///
    /// # Errors
    /// `InstrumentMustBeListed` for a number that cannot be one.
    pub fn tell_orders(&mut self, instrument: u32, by_order: bool, time: u64) -> Result<(), Refusal> {
        let conditions = self.conditions_mut(instrument)?;
        let was_told = std::mem::replace(&mut conditions.by_order, by_order);
        if by_order == was_told {
            return Ok(());
        }
        let market = self.open_market(instrument)?;
        market.shown = by_order.then(|| Box::new(shown_orders(&market.book)));
        if by_order {
            self.tell_resting(instrument, time);
        }
        Ok(())
    }

    fn tell_resting(&mut self, instrument: u32, time: u64) {
        let Some(market) = self.market(instrument) else { return };
        let sides = [Side::Buy, Side::Sell].into_iter().flat_map(|side| market.book.orders(side));
        let mut again = ShownOrders::default();
        let told: Vec<_> = sides
            .filter(|order| order.shown > 0)
            .map(|order| again.add(order.order_id, order.side, order.price, order.shown))
            .collect();
        for shown in told {
            self.report(shown.order_id, time, Outcome::BookOrder { instrument, shown });
        }
    }

    /// Opens `session` at `time`; at `until`, if not 0, its successor follows by itself.
    ///
    /// # Errors
    /// `FieldMustBeInRange` for an end that is not in the future.
    pub fn change_session(
        &mut self,
        instrument: u32,
        session: TradingSession,
        until: u64,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        if until != 0 && until <= time {
            return Err(Refusal::new(Rule::FieldMustBeInRange, i128::from(time), i128::from(until)));
        }
        let before = self.conditions_mut(instrument)?.session;
        self.open_market(instrument)?.is_changing = true;
        let result = self.pass_over(instrument, [before, session], until, time, context);
        self.open_market(instrument)?.is_changing = false;
        self.tell_indication(instrument, time);
        result
    }

    fn pass_over(
        &mut self,
        instrument: u32,
        sessions: [TradingSession; 2],
        until: u64,
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<(), Refusal> {
        let [before, session] = sessions;
        let traded = if before != session && before.collects() {
            self.end_collecting(instrument, sessions, time, context)?
        } else {
            None
        };
        if let Some(price) = traded {
            self.rest_market_to_limit(instrument, price, time)?;
        }
        self.retire(instrument, before, session, time);
        self.begin_session(instrument, session, until, time)?;
        if let Some(price) = traded.filter(|_| session == TradingSession::Continuous) {
            let traded = TradedRange { low: price, high: price, last: Some(price) };
            self.line_up_traded(instrument, &traded, time);
        }
        if session == TradingSession::Continuous {
            // What came to the book meanwhile was nobody's best price yet.
            self.line_up_bests(instrument, time);
        }
        if self.market(instrument).is_some_and(|market| market.standing.is_some()) {
            self.disturb(instrument, time);
        }
        Ok(())
    }

    /// Trades what crosses, if the session that follows wants it so; says at which price.
    fn end_collecting(
        &mut self,
        instrument: u32,
        sessions: [TradingSession; 2],
        time: u64,
        context: &dyn VenueContext,
    ) -> Result<Option<i64>, Refusal> {
        let [before, after] = sessions;
        let uncrosses =
            after == TradingSession::Continuous || (after == TradingSession::Closed && before.is_auction());
        if !uncrosses {
            return Ok(None);
        }
        let mut indication = self.indicate(instrument);
        while indication.volume != 0 && self.cut_for_auction(instrument, indication.price, time, context) {
            indication = self.indicate(instrument);
        }
        let crosses = indication.volume != 0;
        if before.is_auction() || crosses {
            let Indication { price, volume, imbalance } = indication;
            let uncrossed = Outcome::Uncrossed { instrument, session: before, price, volume, imbalance };
            self.report(0, time, uncrossed);
        }
        if !crosses {
            return Ok(None);
        }
        self.conditions_mut(instrument)?.reference_price = Some(indication.price);
        self.at_desk(instrument, Leaving::Canceled, time, Some(context), |book, desk| {
            desk.auction = Some(before);
            match desk.rooms {
                None => book.uncross(indication.price, desk),
                Some(rooms) => {
                    let guard = MarketGuard::of_rooms(desk.owners, rooms);
                    book.uncross_guarded(indication.price, &guard, desk)
                }
            };
            Ok(())
        })?;
        Ok(Some(indication.price))
    }

    /// What the collected orders would come to now.
    pub(super) fn indicate(&self, instrument: u32) -> Indication {
        let Some(market) = self.market(instrument) else { return Indication::default() };
        let reference = self.auction_reference(instrument);
        let [bids, asks] = [Side::Buy, Side::Sell].map(|side| market.book.auction_levels(side));
        find_price(bids, asks, reference)
    }

    /// The price an auction leans to: that of the last trade, before the first the one set by command.
    fn auction_reference(&self, instrument: u32) -> Option<i64> {
        let set = self.conditions.get(instrument).and_then(|conditions| conditions.reference_price);
        self.last_price(instrument).or(set)
    }

    /// What an auction left of market-to-limit orders rests at its price, last in the queue there.
    fn rest_market_to_limit(&mut self, instrument: u32, price: i64, time: u64) -> Result<(), Refusal> {
        let unpriced = self.live_orders(instrument).into_iter().filter(|(_, price)| price.abs() == MAX_UNITS);
        let unpriced: Vec<u64> = unpriced.map(|(order_id, _)| order_id).collect();
        for order_id in unpriced {
            let is_concerned = |ticket: &&Ticket| ticket.order.order_type == OrderType::MarketToLimit;
            let Some(mut ticket) = self.tickets.get(order_id).filter(is_concerned).copied() else { continue };
            self.arrivals += 1;
            ticket.place = Place::Book(self.arrivals);
            // It has its limit: from here on it is such an order.
            (ticket.order.order_type, ticket.order.price) = (OrderType::Limit, price);
            self.tickets.insert(order_id, ticket);
            self.report(order_id, time, Outcome::Repriced { price, stop_price: ticket.order.stop_price });
            let quantity = ticket.leaves() - ticket.excess;
            let order = NewOrder { quantity, minimum: 0, ..self.book_order(&ticket) };
            self.at_desk(instrument, Leaving::Known, time, None, |book, desk| {
                desk.is_moving = true;
                book.cancel(order_id, desk)?;
                desk.is_moving = false;
                book.submit(&order, desk).map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Takes out what does not live on in the session `after`.
    fn retire(&mut self, instrument: u32, before: TradingSession, after: TradingSession, time: u64) {
        use TradingSession::{Closed, ClosingAuction, Continuous, Halted, OpeningAuction, PreOpen};
        let closes = after == Closed;
        let opening_is_over = !matches!(after, PreOpen | OpeningAuction | Halted);
        let closing_is_over = closes || (before == ClosingAuction && after == Continuous);
        let expires = |ticket: &Ticket| match ticket.order.time_in_force {
            TimeInForce::AtOpen => opening_is_over,
            TimeInForce::AtClose => closing_is_over,
            TimeInForce::Day => closes,
            _ => false,
        };
        let waiting = self.live_orders(instrument);
        let mut leaving = Vec::new();
        for &(order_id, price) in &waiting {
            let Some(ticket) = self.tickets.get(order_id) else { continue };
            let is_unpriced = price.abs() == MAX_UNITS && (after == Continuous || closes);
            if expires(ticket) {
                leaving.push((order_id, Leaving::Expired));
            } else if is_unpriced {
                let refusal = Refusal::new(
                    Rule::MarketMustHaveLiquidity,
                    i128::from(ticket.executed),
                    i128::from(ticket.order.quantity),
                );
                leaving.push((order_id, Leaving::ByRule(refusal)));
            }
        }
        for (order_id, how) in leaving {
            self.leave(order_id, how, time);
        }
    }

    /// Live orders with the prices at which they rest (0 outside the book): buys, then sells, each in priority
    /// order, then stops as they would trigger, then those that wait for the close as they arrived.
    pub(super) fn live_orders(&self, instrument: u32) -> Vec<(u64, i64)> {
        let Some(market) = self.market(instrument) else { return Vec::new() };
        let resting = [Side::Buy, Side::Sell].into_iter().flat_map(|side| market.book.orders(side));
        let outside = market.triggers.order_ids().chain(market.at_close.values().copied());
        let standing = market.standing.iter().flat_map(|standing| standing.order_ids());
        let parked =
            standing.filter(|id| self.tickets.get(*id).is_some_and(|ticket| ticket.place == Place::Parked));
        let outside = outside.chain(parked).map(|id| (id, 0));
        resting.map(|order| (order.order_id, order.price)).chain(outside).collect()
    }

    fn begin_session(
        &mut self,
        instrument: u32,
        session: TradingSession,
        until: u64,
        time: u64,
    ) -> Result<(), Refusal> {
        let market = self.open_market(instrument)?;
        if session.collects() {
            market.book.start_collecting();
        } else {
            market.book.stop_collecting()?;
        }
        let conditions = self.conditions_mut(instrument)?;
        let before = std::mem::replace(&mut conditions.session, session);
        let old_until = std::mem::replace(&mut conditions.until, until);
        conditions.indication = Indication::default();
        self.session_ends.remove(&(old_until, instrument));
        if until != 0 {
            self.session_ends.insert((until, instrument));
        }
        self.refresh_fence(instrument);
        self.report(0, time, Outcome::SessionChanged { instrument, before, after: session, until });
        if session == TradingSession::ClosingAuction {
            self.bring_orders_at_close(instrument, time);
        }
        Ok(())
    }

    /// A session whose time is over is followed by the one after it.
    pub(super) fn end_session(&mut self, instrument: u32, time: u64, context: &dyn VenueContext) {
        self.session_ends.remove(&(time, instrument));
        let after = self.session(instrument).successor();
        // A book that is crossed after its uncrossing would be refused here and go on collecting.
        let _ = self.change_session(instrument, after, 0, time, context);
    }

    /// Halts the instrument or starts a volatility auction when an order wanted to trade outside its bands.
    pub(super) fn answer_breach(&mut self, instrument: u32, time: u64) {
        let index = (instrument as usize).wrapping_sub(1);
        let Some(market) = self.markets.get_mut(index).and_then(|market| market.as_deref_mut()) else {
            return;
        };
        let Some(breach) = market.book.take_breach() else { return };
        let (bound, price) = (breach.bound, breach.price);
        self.report(breach.order_id, time, Outcome::BandBreached { instrument, price, bound });
        let bands = self.conditions.get(instrument).map_or(PriceBands::NONE, |conditions| conditions.bands);
        let until = match bands.duration_ns {
            0 => 0,
            duration => time.saturating_add(duration),
        };
        // Collecting can always begin.
        let _ = self.begin_session(instrument, bands.on_breach, until, time);
        self.tell_indication(instrument, time);
    }

    /// What a change of an instrument's book entails where conditions are set for it.
    pub(super) fn after_change(&mut self, instrument: u32, has_traded: bool, time: u64) {
        let Some(market) = self.market(instrument).filter(|market| !market.is_changing) else { return };
        if market.book.is_collecting() != self.session(instrument).collects() {
            self.answer_breach(instrument, time);
        } else {
            if has_traded {
                self.refresh_fence(instrument);
            }
            self.tell_indication(instrument, time);
        }
    }

    /// Tells what the auction would come to when that has changed.
    pub(super) fn tell_indication(&mut self, instrument: u32, time: u64) {
        let Some(conditions) = self.conditions.get(instrument).filter(|one| one.session.is_auction()) else {
            return;
        };
        let last = conditions.indication;
        let now = self.indicate(instrument);
        if now == last {
            return;
        }
        if let Some(conditions) = self.conditions.get_mut(instrument) {
            conditions.indication = now;
        }
        let reference = self.auction_reference(instrument);
        let Indication { price, volume, imbalance } = now;
        self.report(0, time, Outcome::Indicated { instrument, price, volume, imbalance, reference });
    }

    /// The prices at which the book may trade now.
    pub(super) fn refresh_fence(&mut self, instrument: u32) {
        let Some(conditions) = self.conditions.get(instrument) else { return };
        let (bands, reference) = (conditions.bands, conditions.reference_price);
        let fence = match conditions.session {
            TradingSession::Continuous => bands.for_trades(reference, self.last_price(instrument)),
            _ => None,
        };
        if let Some(market) = self.market_mut(instrument) {
            market.book.set_fence(fence);
        }
    }

    /// What is set for the instrument of a new order.
    ///
    /// # Errors
    /// As [`Conditions::check_order`].
    pub(super) fn check_conditions(&self, order: &VenueOrder) -> Result<(), Refusal> {
        check_auction_type(order)?;
        match self.conditions.get(order.instrument) {
            None if order.time_in_force == TimeInForce::AtOpen => Conditions::default().check_order(order),
            None => Ok(()),
            Some(conditions) => conditions.check_order(order),
        }
    }

    /// What is set for the instrument of an order with new terms.
    ///
    /// # Errors
    /// As [`Conditions::check_order`]; `OrderTypeMustBeSupported` for a market order that an auction collects: it
    /// has no price to replace.
    pub(super) fn check_new_conditions(&self, ticket: &Ticket, order: &VenueOrder) -> Result<(), Refusal> {
        let Some(conditions) = self.conditions.get(order.instrument) else { return Ok(()) };
        let resting = self.market(order.instrument).and_then(|market| market.book.order(order.order_id));
        if matches!(ticket.place, Place::Book(_))
            && resting.is_some_and(|order| order.price.abs() == MAX_UNITS)
        {
            return Err(Refusal::new(Rule::OrderTypeMustBeSupported, 0, order.order_type as i128));
        }
        conditions.check_replace(order)
    }

    /// Whether a new order is kept aside until the closing auction.
    pub(super) fn waits_for_close(&self, order: &VenueOrder) -> bool {
        order.time_in_force == TimeInForce::AtClose && waits_for_close(order, self.session(order.instrument))
    }

    /// Accepts an order for the close and keeps it aside.
    ///
    /// # Errors
    /// What the book would refuse of its quantity and price.
    pub(super) fn hold_for_close(&mut self, order: &VenueOrder, time: u64) -> Result<(), Refusal> {
        crate::book::check_quantity(order.quantity)?;
        if order.order_type.has_limit() {
            check_price(order.price)?;
        }
        self.report(order.order_id, time, Outcome::Accepted { venue_order_id: order.order_id });
        self.place_for_close(Ticket { order: *order, executed: 0, excess: 0, place: Place::Triggered })
    }

    fn place_for_close(&mut self, ticket: Ticket) -> Result<(), Refusal> {
        self.arrivals += 1;
        let (arrival, order) = (self.arrivals, ticket.order);
        self.open_market(order.instrument)?.at_close.insert(arrival, order.order_id);
        self.keep(Ticket { place: Place::AtClose(arrival), ..ticket });
        Ok(())
    }

    /// New terms of an order that waits for the close.
    ///
    /// # Errors
    /// As [`MatchingVenue::hold_for_close`].
    pub(super) fn replace_for_close(
        &mut self,
        ticket: Ticket,
        arrival: u64,
        order: &VenueOrder,
        time: u64,
    ) -> Result<(), Refusal> {
        crate::book::check_quantity(order.quantity)?;
        if order.order_type.has_limit() {
            check_price(order.price)?;
        }
        let VenueOrder { order_id, price, quantity, stop_price, .. } = *order;
        self.report(order_id, time, Outcome::Replaced { price, quantity, stop_price });
        let new = Ticket { order: *order, ..ticket };
        if price == ticket.order.price && quantity <= ticket.order.quantity {
            self.tickets.insert(order_id, new);
            return Ok(());
        }
        self.open_market(order.instrument)?.at_close.remove(&arrival);
        self.place_for_close(new)
    }

    fn bring_orders_at_close(&mut self, instrument: u32, time: u64) {
        let Some(market) = self.market_mut(instrument) else { return };
        let waiting = std::mem::take(&mut market.at_close);
        for order_id in waiting.into_values() {
            let Some(&ticket) = self.tickets.get(order_id) else { continue };
            if let Err(refusal) = self.collect(ticket, time) {
                self.forget(order_id);
                self.report(order_id, time, Outcome::Canceled { refusal });
            }
        }
    }

    /// Puts an accepted order into a book that collects.
    fn collect(&mut self, mut ticket: Ticket, time: u64) -> Result<(), Refusal> {
        let order = ticket.order;
        self.arrivals += 1;
        ticket.place = Place::Book(self.arrivals);
        self.tickets.insert(order.order_id, ticket);
        let collected = self.book_order(&ticket);
        self.at_desk(order.instrument, Leaving::Known, time, None, |book, desk| {
            book.submit(&collected, desk).map(|_| ())
        })
    }
}

pub(super) fn shown_orders(book: &MarketBook) -> ShownOrders {
    let mut shown = ShownOrders::default();
    for order in [Side::Buy, Side::Sell].into_iter().flat_map(|side| book.orders(side)) {
        if order.shown > 0 {
            shown.add(order.order_id, order.side, order.price, order.shown);
        }
    }
    shown
}

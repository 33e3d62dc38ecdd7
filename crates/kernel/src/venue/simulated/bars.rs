//! Fills against bars. A bar is worked through in phases (open, stops, limits, close), one fill at a time:
//! the engine books each before the next is decided. Inside the bar the order of prices is unknown, so the
//! worse one is assumed: stops come before limits.

use std::collections::VecDeque;

use crate::observation::{BarObserved, BarPayload};
use crate::record::{Body, Slot, payload};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{Liquidity, OrderType, Side, TimeInForce};
use crate::venue::{Outcome, VenueContext};

use super::Markets;
use super::execution::{self, Executed, Offer};
use super::latency::Outbox;
use super::market::Market;
use super::orders::{Entry, LiveOrder};
use super::pricing::{self, Ticks};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub instrument: u32,
    /// When it became known.
    pub time: u64,
    pub open_time: u64,
    pub close_time: u64,
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub close: i64,
    pub volume: i64,
}

impl Bar {
    /// Without its payload a bar has no extent: it opens and closes at the record's time.
    pub fn of(record: &[Slot]) -> Option<Bar> {
        let head = record.first()?;
        let BarObserved { open, high, low, close } = BarObserved::of(head);
        let rest: Option<BarPayload> = payload(record);
        let open_time = rest.map_or(head.time, |rest| rest.open_time.min(head.time));
        let close_time = rest.map_or(head.time, |rest| rest.close_time.clamp(open_time, head.time));
        let (instrument, time) = (head.instrument, head.time);
        let volume = rest.map_or(0, |rest| rest.volume);
        Some(Bar { instrument, time, open_time, close_time, open, high, low, close, volume })
    }

    /// The extreme that lets an order of `side` trade better: the low for a buy.
    fn best_for(&self, side: Side) -> i64 {
        if side == Side::Buy { self.low } else { self.high }
    }

    fn worst_for(&self, side: Side) -> i64 {
        if side == Side::Buy { self.high } else { self.low }
    }
}

impl State for Bar {
    fn write(&self, out: &mut StateWriter) {
        out.u32(self.instrument);
        [self.time, self.open_time, self.close_time].into_iter().for_each(|value| out.u64(value));
        [self.open, self.high, self.low, self.close, self.volume]
            .into_iter()
            .for_each(|value| out.i64(value));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Bar {
            instrument: input.u32()?,
            time: input.u64()?,
            open_time: input.u64()?,
            close_time: input.u64()?,
            open: input.i64()?,
            high: input.i64()?,
            low: input.i64()?,
            close: input.i64()?,
            volume: input.i64()?,
        })
    }
}

/// A part of the work on a bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    #[default]
    Open = 0,
    Stops = 1,
    Limits = 2,
    Close = 3,
}

const PHASES: [Phase; 4] = [Phase::Open, Phase::Stops, Phase::Limits, Phase::Close];

impl Phase {
    fn next(self) -> Option<Phase> {
        PHASES.get(self as usize + 1).copied()
    }
}

/// An execution to be asked for again, because the engine cut the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Again {
    place: Place,
    offer: Offer,
}

/// An order by its place in line and its instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    priority: u64,
    instrument: u32,
}

/// The work on all bars of one message: in each phase their orders take turns in order of priority, whatever
/// their instrument, so a sale at the open can pay for a purchase at the same open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pass {
    pub time: u64,
    phase: Phase,
    /// Priority of the last order done in this phase.
    done: u64,
    again: Option<Again>,
    /// Stops released inside the bar, still to be examined in the worst case.
    released: VecDeque<Place>,
    instruments: Vec<u32>,
    /// Orders of this phase still to come, last first. Follows from the rest and is not saved.
    plan: Vec<Place>,
}

impl Pass {
    /// Starts on `bars`, which are now in work at their markets. What the pass did before is forgotten, only
    /// its memory is used again.
    pub fn start(&mut self, bars: impl Iterator<Item = Bar>, markets: &mut Markets) {
        (self.time, self.phase, self.done, self.again) = (0, Phase::Open, 0, None);
        self.released.clear();
        self.instruments.clear();
        for bar in bars {
            let market = markets.get_or_insert_with(bar.instrument, Market::default);
            market.bar = Some(bar);
            market.last_bar = Some((bar.open, bar.close));
            self.time = self.time.max(bar.time);
            self.instruments.push(bar.instrument);
        }
        self.instruments.sort_unstable();
        self.instruments.dedup();
        self.make_plan(markets);
    }

    pub fn works_on(&self, instrument: u32) -> bool {
        self.instruments.binary_search(&instrument).is_ok()
    }

    /// Plans what is left of the phase. Also called on a pass read back.
    pub fn make_plan(&mut self, markets: &Markets) {
        self.plan.clear();
        for &instrument in &self.instruments {
            let Some(market) = markets.get(instrument) else { continue };
            let later = market.orders.iter().filter(|order| order.priority > self.done);
            self.plan.extend(later.map(|order| Place { priority: order.priority, instrument }));
        }
        self.plan.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// What an order released by a fill of this pass may still have of the bar. A stop released inside the
    /// bar is put down for examination.
    pub fn admit(&mut self, order: &LiveOrder) -> Entry {
        if self.phase == Phase::Open {
            return Entry::AfterOpen;
        }
        let is_stop = matches!(order.terms.order_type, OrderType::Stop | OrderType::TrailingStop);
        if is_stop && self.phase < Phase::Close {
            self.released.push_back(Place { priority: order.priority, instrument: order.terms.instrument });
        }
        Entry::NextBar
    }

    /// The planned order is still there and has a part in this phase. Since the plan was made orders may have
    /// gone or lost their part, never gained one: a plan made anew has the same due orders.
    fn is_due(&self, markets: &Markets, place: Place) -> bool {
        order_at(markets, place).is_some_and(|order| match order.entry {
            Entry::Open => true,
            Entry::AfterOpen => self.phase > Phase::Open,
            Entry::NextBar => false,
        })
    }

    /// The next due order of the plan.
    fn next_planned(&mut self, markets: &Markets) -> Option<Place> {
        while let Some(place) = self.plan.pop() {
            if self.is_due(markets, place) {
                return Some(place);
            }
        }
        None
    }
}

fn order_at(markets: &Markets, place: Place) -> Option<&LiveOrder> {
    let market = markets.get(place.instrument)?;
    market.find_priority(place.priority).map(|index| &market.orders[index])
}

/// What decides fills inside bars, and whom to tell.
pub(super) struct BarWork<'a> {
    pub touch_fills: bool,
    pub slippage: i64,
    pub volume_share: i64,
    pub reports: &'a mut Outbox,
    pub context: &'a dyn VenueContext,
}

impl BarWork<'_> {
    /// Takes the work one order further. `false` when the pass is over.
    pub fn step(&mut self, pass: &mut Pass, markets: &mut Markets) -> bool {
        if let Some(again) = pass.again.take() {
            self.with(pass, markets, again.place, |work, market, index, _| {
                work.execute(market, index, again.offer)
            });
        } else if let Some(place) = pass.released.pop_front() {
            self.with(pass, markets, place, Self::examine_released);
        } else if let Some(place) = pass.next_planned(markets) {
            pass.done = place.priority;
            let phase = pass.phase;
            self.with(pass, markets, place, |work, market, index, bar| work.visit(phase, market, index, bar));
        } else if let Some(phase) = pass.phase.next() {
            (pass.phase, pass.done) = (phase, 0);
            pass.make_plan(markets);
        } else {
            end(pass, markets);
            return false;
        }
        true
    }

    /// Works on the order at `place`, if it is still there.
    fn with(
        &mut self,
        pass: &mut Pass,
        markets: &mut Markets,
        place: Place,
        work: impl FnOnce(&mut Self, &mut Market, usize, &Bar) -> Option<Offer>,
    ) {
        let Some(market) = markets.get_mut(place.instrument) else { return };
        let Some(bar) = market.bar else { return };
        let Some(index) = market.find_priority(place.priority) else { return };
        pass.again = work(self, market, index, &bar).map(|offer| Again { place, offer });
    }

    fn visit(&mut self, phase: Phase, market: &mut Market, index: usize, bar: &Bar) -> Option<Offer> {
        match phase {
            Phase::Open => self.visit_open(market, index, bar),
            Phase::Stops => self.visit_stop(market, index, bar),
            Phase::Limits => self.visit_limit(market, index, bar),
            Phase::Close => self.visit_close(market, index, bar),
        }
    }

    fn visit_open(&mut self, market: &mut Market, index: usize, bar: &Bar) -> Option<Offer> {
        let order = market.orders[index];
        if !arrived_in_time(&order, bar) || self.expire(market, index, bar.open_time) {
            return None;
        }
        if order.terms.time_in_force == TimeInForce::AtClose {
            return None;
        }
        if order.awaits_trigger() {
            self.begin_trail(market, index, bar.open_time);
            if !market.orders[index].is_woken_by(bar.open) {
                return None;
            }
            self.trigger(market, index, bar.open, bar.open_time);
        }
        self.execute_at(market, index, bar, bar.open, bar.open_time)
    }

    /// Executes at a price of the bar that everybody could have had: its open or its close.
    fn execute_at(
        &mut self,
        market: &mut Market,
        index: usize,
        bar: &Bar,
        price: i64,
        venue_time: u64,
    ) -> Option<Offer> {
        if self.is_refused(market, index, price, venue_time) {
            return None;
        }
        let order = market.orders[index];
        market.orders[index].fresh = false;
        if !order.is_market() && !self.reaches(order.terms.side, price, order.terms.price) {
            return self.leave(market, index, venue_time);
        }
        if order.is_post_only() && order.fresh {
            let refusal = post_only(&order, price);
            execution::cancel(market, index, venue_time, refusal, self.reports);
            return None;
        }
        // A limit order that was resting already is met by the others: it makes.
        let takes = order.is_market() || order.fresh;
        let liquidity = if takes { Liquidity::Taker } else { Liquidity::Maker };
        let price = if takes { self.taker_price(&order, price) } else { price };
        let available = self.available(&order, bar);
        self.execute_or_leave(market, index, Offer { price, available, liquidity, venue_time })
    }

    fn visit_stop(&mut self, market: &mut Market, index: usize, bar: &Bar) -> Option<Offer> {
        let order = market.orders[index];
        if !arrived_in_time(&order, bar) {
            return None;
        }
        // An order that ends at an unknown place inside the bar has no part in what happens there.
        if self.expire(market, index, bar.close_time.saturating_sub(1)) || !order.awaits_trigger() {
            return None;
        }
        if order.terms.order_type.is_touched() {
            return None;
        }
        if order.trail.is_some() {
            return self.visit_trailing(market, index, bar);
        }
        self.touch_stop(market, index, bar, bar.open)
    }

    /// A trailing stop that came without a stop price begins behind the price known on its arrival.
    fn begin_trail(&mut self, market: &mut Market, index: usize, venue_time: u64) {
        let ticks = Ticks::of(self.context, market.orders[index].terms.instrument);
        if market.orders[index].begin_trail(ticks) {
            execution::report_repriced(&market.orders[index], venue_time, self.reports);
        }
    }

    /// A trailing stop is first where the open took it: the worst path leads from there straight to its level. Where the
    /// bar does not reach that, its better extreme is taken to come before its worse one: the stop follows the former, and
    /// then the latter may trigger it.
    fn visit_trailing(&mut self, market: &mut Market, index: usize, bar: &Bar) -> Option<Offer> {
        let LiveOrder { terms: before, trail, .. } = market.orders[index];
        let had_stop = trail.is_some_and(|trail| trail.has_stop);
        let (ticks, side) = (Ticks::of(self.context, before.instrument), before.side);
        market.orders[index].follow(bar.open, ticks);
        let mut reference = bar.open;
        if !market.orders[index].is_woken_by(bar.worst_for(side)) {
            market.orders[index].follow(bar.best_for(side), ticks);
            reference = market.orders[index].terms.stop_price;
        }
        let order = market.orders[index];
        let begins = had_stop != order.trail.is_some_and(|trail| trail.has_stop);
        if begins || order.terms.stop_price != before.stop_price {
            execution::report_repriced(&order, bar.close_time, self.reports);
        }
        self.touch_stop(market, index, bar, reference)
    }

    /// A stop whose parent filled inside the bar: assumed touched when the bar's range contains it.
    fn examine_released(&mut self, market: &mut Market, index: usize, bar: &Bar) -> Option<Offer> {
        self.begin_trail(market, index, bar.close_time);
        let order = market.orders[index];
        let reference = order.terms.released_at.unwrap_or(bar.open);
        order.awaits_trigger().then(|| self.touch_stop(market, index, bar, reference))?
    }

    /// Triggers a stop that lies in the bar's range, at the worse of itself and the price it started from.
    fn touch_stop(&mut self, market: &mut Market, index: usize, bar: &Bar, reference: i64) -> Option<Offer> {
        let order = market.orders[index];
        let (side, stop) = (order.terms.side, order.terms.stop_price);
        if !order.is_woken_by(bar.worst_for(side)) {
            return None;
        }
        self.execute_touched(market, index, bar, pricing::worse(side, stop, reference))
    }

    /// Triggers an order inside the bar, at a price that the bar reached.
    fn execute_touched(&mut self, market: &mut Market, index: usize, bar: &Bar, price: i64) -> Option<Offer> {
        let side = market.orders[index].terms.side;
        self.trigger(market, index, price, bar.close_time);
        if self.is_refused(market, index, price, bar.close_time) {
            return None;
        }
        let order = market.orders[index];
        let is_reached = order.limit().is_none_or(|limit| !pricing::is_better(side, limit, price));
        if !is_reached {
            // The path after the trigger is unknown: the limit counts from the next bar on.
            market.orders[index].entry = Entry::NextBar;
            market.orders[index].fresh = false;
            return self.leave(market, index, bar.close_time);
        }
        let price = self.taker_price(&order, price);
        let available = self.available(&order, bar);
        market.orders[index].fresh = false;
        let offer = Offer { price, available, liquidity: Liquidity::Taker, venue_time: bar.close_time };
        self.execute_or_leave(market, index, offer)
    }

    fn visit_limit(&mut self, market: &mut Market, index: usize, bar: &Bar) -> Option<Offer> {
        let order = market.orders[index];
        if order.awaits_trigger() {
            let is_touched = order.terms.order_type.is_touched() && arrived_in_time(&order, bar);
            let is_reached = is_touched && order.is_woken_by(bar.best_for(order.terms.side));
            let price = order.terms.stop_price;
            return is_reached.then(|| self.execute_touched(market, index, bar, price))?;
        }
        let rests = !order.is_market() && !order.is_immediate();
        if !rests || !arrived_in_time(&order, bar) {
            return None;
        }
        if !self.reaches(order.terms.side, bar.best_for(order.terms.side), order.terms.price) {
            return None;
        }
        let available = self.available(&order, bar);
        let price = order.terms.price;
        let offer = Offer { price, available, liquidity: Liquidity::Maker, venue_time: bar.close_time };
        self.execute_or_leave(market, index, offer)
    }

    fn visit_close(&mut self, market: &mut Market, index: usize, bar: &Bar) -> Option<Offer> {
        let order = market.orders[index];
        if order.terms.time_in_force == TimeInForce::AtClose
            && order.entry == Entry::Open
            && order.arrival < bar.close_time
        {
            return self.execute_at(market, index, bar, bar.close, bar.close_time);
        }
        self.expire(market, index, bar.close_time);
        None
    }

    /// An order for a target takes its side; refused, it is canceled.
    fn is_refused(&mut self, market: &mut Market, index: usize, price: i64, venue_time: u64) -> bool {
        let refused = execution::choose_side(&mut market.orders[index], price, self.context).err();
        if let Some(refusal) = refused {
            execution::cancel(market, index, venue_time, refusal, self.reports);
        }
        refused.is_some()
    }

    /// A market price that fills a limit order: beyond the limit, or at it where that is configured.
    fn reaches(&self, side: Side, price: i64, limit: i64) -> bool {
        pricing::is_better(side, price, limit) || (self.touch_fills && price == limit)
    }

    fn taker_price(&self, order: &LiveOrder, price: i64) -> i64 {
        let ticks = Ticks::of(self.context, order.terms.instrument);
        let slipped = pricing::slipped(price, order.terms.side, self.slippage, ticks);
        pricing::within_limit(order.terms.side, slipped, order.limit())
    }

    /// What the order may still take of the bar's volume.
    fn available(&self, order: &LiveOrder, bar: &Bar) -> i64 {
        match pricing::volume_cap(bar.volume, self.volume_share) {
            i64::MAX => i64::MAX,
            cap => cap.saturating_sub(order.taken_in_bar),
        }
    }

    fn trigger(&mut self, market: &mut Market, index: usize, price: i64, venue_time: u64) {
        let first_update = market.next_update();
        market.orders[index].trigger(first_update);
        execution::report_trigger(&market.orders[index], price, venue_time, self.reports);
    }

    fn execute_or_leave(&mut self, market: &mut Market, index: usize, offer: Offer) -> Option<Offer> {
        let order = market.orders[index];
        let killed = execution::fill_or_kill_refusal(&order, offer.available, offer.price, self.context);
        if let Some(refusal) = killed {
            execution::cancel(market, index, offer.venue_time, refusal, self.reports);
            return None;
        }
        if offer.available <= 0 {
            return self.leave(market, index, offer.venue_time);
        }
        let priority = order.priority;
        let again = self.execute(market, index, offer);
        match market.find_priority(priority) {
            Some(index) if again.is_none() || order.is_immediate() => {
                self.leave(market, index, offer.venue_time)
            }
            _ => again,
        }
    }

    /// One execution. Returns what to ask for again when the engine cut it.
    fn execute(&mut self, market: &mut Market, index: usize, offer: Offer) -> Option<Offer> {
        let priority = market.orders[index].priority;
        let executed = execution::execute(market, index, offer, self.reports, self.context);
        let Executed::Filled { quantity, cut } = executed else {
            return None;
        };
        if let Some(index) = market.find_priority(priority) {
            market.orders[index].taken_in_bar += quantity;
        }
        let available = offer.available.saturating_sub(quantity);
        (cut && available > 0).then_some(Offer { available, ..offer })
    }

    /// Nothing more for the order at this occasion: what may not wait is canceled.
    fn leave(&mut self, market: &mut Market, index: usize, venue_time: u64) -> Option<Offer> {
        let order = market.orders[index];
        if order.is_immediate() {
            let refusal = execution::must_fill_now(&order);
            execution::cancel(market, index, venue_time, refusal, self.reports);
        }
        None
    }

    fn expire(&mut self, market: &mut Market, index: usize, time: u64) -> bool {
        let order = market.orders[index];
        let expired = order.has_expired(time);
        if expired {
            execution::close(market, index, order.terms.expire_time, Outcome::Expired, self.reports);
        }
        expired
    }
}

/// The order was there when the bar opened, or was released at its open.
fn arrived_in_time(order: &LiveOrder, bar: &Bar) -> bool {
    order.entry == Entry::AfterOpen || order.arrival <= bar.open_time
}

fn post_only(order: &LiveOrder, price: i64) -> Refusal {
    Refusal::new(Rule::PostOnlyMustNotTake, i128::from(price), i128::from(order.terms.price))
}

/// The bars are done: their orders face the next ones as equals.
fn end(pass: &Pass, markets: &mut Markets) {
    for instrument in &pass.instruments {
        let Some(market) = markets.get_mut(*instrument) else { continue };
        market.bar = None;
        for order in &mut market.orders {
            order.entry = Entry::Open;
            order.taken_in_bar = 0;
        }
    }
}

impl State for Offer {
    fn write(&self, out: &mut StateWriter) {
        out.i64(self.price);
        out.i64(self.available);
        out.bool(self.liquidity == Liquidity::Maker);
        out.u64(self.venue_time);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (price, available) = (input.i64()?, input.i64()?);
        let liquidity = if input.bool()? { Liquidity::Maker } else { Liquidity::Taker };
        Ok(Offer { price, available, liquidity, venue_time: input.u64()? })
    }
}

impl State for Place {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.priority);
        out.u32(self.instrument);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Place { priority: input.u64()?, instrument: input.u32()? })
    }
}

impl State for Again {
    fn write(&self, out: &mut StateWriter) {
        self.place.write(out);
        self.offer.write(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Again { place: Place::read(input)?, offer: Offer::read(input)? })
    }
}

/// Read back, a pass has no plan until [`Pass::make_plan`] is called with its markets.
impl State for Pass {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.time);
        out.u8(self.phase as u8);
        out.u64(self.done);
        out.option(self.again.as_ref());
        out.list(self.released.iter());
        out.length(self.instruments.len());
        self.instruments.iter().for_each(|&instrument| out.u32(instrument));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let time = input.u64()?;
        let number = input.u8()?;
        let phase = PHASES.get(usize::from(number)).copied();
        let phase = phase.ok_or_else(|| input.invalid("phase", u64::from(number)))?;
        let (done, again) = (input.u64()?, input.option()?);
        let released = input.list()?.into();
        let len = input.length()?;
        let instruments = (0..len).map(|_| input.u32()).collect::<Result<_, _>>()?;
        Ok(Pass { time, phase, done, again, released, instruments, plan: Vec::new() })
    }
}

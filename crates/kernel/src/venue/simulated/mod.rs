//! Our orders against the data of a feed: bars, quotes, trades or books. The rules, in plain words, are in
//! `docs/fills.md`; where data leave a doubt the worse case is assumed.
//!
//! Contract with the engine, beyond [`Venue`]:
//!
//! * Reports are pulled until there is none before participants are woken. What the engine asks between
//!   pulling a report of a bar in work and the next pull (cancel the partner, release the child) is done at
//!   once, without order latency: linked orders live at the venue.
//! * When the run ends, [`SimulatedVenue::finish`] is called and the venue pulled dry; positions are closed by
//!   market orders sent after that.

mod bars;
mod books;
mod execution;
mod latency;
mod market;
mod orders;
mod pricing;
mod requests;
mod trail;

use std::collections::VecDeque;

use crate::command::{SubmitOrder, VenuePayload};
use crate::message::Message;
use crate::money::NANO;
use crate::record::{Slot, flags};
use crate::rules::{Refusal, Rule};
use crate::special_terms::SpecialTerms;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, TimeInForce, options};
use crate::tracked::{EntityHasher, TrackedMap};
use crate::venue::{Outcome, Venue, VenueContext, VenueReport, VenueRequest};

use bars::{Bar, BarWork, Pass};
use latency::{Arrival, Arriving, Inbox, Outbox};
use market::{Feed, Market};
use orders::LiveOrder;
use requests::Desk;
use trail::Trail;

/// Bits of [`VenuePayload::options`].
pub mod fill_options {
    /// A resting limit order fills when a bar's range touches its price; without it the bar must trade through.
    pub const LIMIT_FILLS_ON_TOUCH: u64 = 1 << 0;
    /// Positions closed at the end of the run get the open of the last bar instead of its close. That price
    /// was gone when the bar closed; it exists to compare with simulators that do so.
    pub const CLOSE_OUT_AT_OPEN: u64 = 1 << 1;
    pub const ALL: u64 = LIMIT_FILLS_ON_TOUCH | CLOSE_OUT_AT_OPEN;
}

type Markets = TrackedMap<u32, Market>;

/// A venue that fills our orders against observed data.
#[derive(Clone, Debug)]
pub struct SimulatedVenue {
    terms: VenuePayload,
    markets: Markets,
    inbox: Inbox,
    reports: Outbox,
    /// Observed bars not worked on yet; a message of bars is complete at the one marked as its last.
    bars: VecDeque<(Bar, bool)>,
    pass: Option<Pass>,
    /// The last pass that ended, for its memory; not part of the state.
    spare_pass: Option<Pass>,
    /// Instruments whose orders are to be measured against the market, in the order they became so.
    ready: Vec<u32>,
    /// Instruments of the update being applied.
    touched: Vec<u32>,
    last_priority: u64,
    /// The report pulled last came from the bar in work: what the engine asks now is its reaction.
    reacting: bool,
    /// Orders up to this priority are canceled: the run ended.
    finished: Option<u64>,
    /// No order expires before; follows from the rest and is not saved.
    earliest_expiry: u64,
    /// The trail of the order that the next request is about. Never there when a record is done.
    attached: Option<(u64, Trail)>,
}

impl SimulatedVenue {
    /// A venue with the terms of `ConfigureVenue`.
    ///
    /// # Errors
    /// `FieldMustBeInRange` for slippage or volume share outside 0 to 10^9 (all of it) or an unknown option.
    pub fn new(terms: VenuePayload) -> Result<Self, Refusal> {
        for share in [terms.slippage, terms.volume_share] {
            if !(0..=NANO).contains(&i128::from(share)) {
                return Err(Refusal::new(Rule::FieldMustBeInRange, NANO, i128::from(share)));
            }
        }
        if terms.options & !fill_options::ALL != 0 {
            let (limit, actual) = (i128::from(fill_options::ALL), i128::from(terms.options));
            return Err(Refusal::new(Rule::FieldMustBeInRange, limit, actual));
        }
        Ok(SimulatedVenue {
            terms,
            markets: Markets::default(),
            inbox: Inbox::default(),
            reports: Outbox::new(terms.order_latency_ns, terms.report_latency_ns),
            bars: VecDeque::new(),
            pass: None,
            spare_pass: None,
            ready: Vec::new(),
            touched: Vec::new(),
            last_priority: 0,
            reacting: false,
            finished: None,
            earliest_expiry: u64::MAX,
            attached: None,
        })
    }

    /// Whether data can decide these terms: touched and trailing orders, which follow from prices alone. No feed tells who
    /// stands in a book, so nothing that depends on it, and what wakes an order is the price of the finest data.
    pub fn supports(order: &SubmitOrder, special: &SpecialTerms) -> bool {
        let &SpecialTerms { trail, trail_by, limit_offset, zero_stop_price, .. } = special;
        let of_trail =
            SpecialTerms { trail, trail_by, limit_offset, zero_stop_price, ..SpecialTerms::default() };
        let has_only_trail = *special == of_trail;
        let is_of_prices = !matches!(order.order_type, OrderType::MarketToLimit | OrderType::Pegged);
        has_only_trail && is_of_prices && order.options & options::SPECIAL == 0
    }

    /// Ends the run at `time`: nothing travels any longer, requests under way and open orders are canceled
    /// with `CanceledAtEnd`. Market orders requested afterwards fill at once: at the close of the last bar,
    /// at the last trade, or against what the last quote or book displays.
    pub fn finish(&mut self, time: u64) {
        self.reports.finish(time);
        self.terms.order_latency_ns = 0;
        self.touched.clear();
        self.finished = Some(self.last_priority);
        let at_open = self.terms.options & fill_options::CLOSE_OUT_AT_OPEN != 0;
        for (_, market) in self.markets.iter_mut_where(|_, _| true) {
            let bar = market.last_bar.map(|(open, close)| if at_open { open } else { close });
            market.ended = true;
            market.half_applied = false;
            market.close_out = if market.feed == Feed::Trades { market.last_trade } else { bar };
        }
        for arrival in self.inbox.take_all() {
            if let Arriving::Request(VenueRequest::Submit(order))
            | Arriving::Trailing(VenueRequest::Submit(order), _) = arrival.what
            {
                let outcome = Outcome::Canceled { refusal: Refusal::of(Rule::CanceledAtEnd) };
                self.reports.send_last(order.account, order.order_id, time, outcome);
            }
        }
    }

    /// Does one piece of work that is due by `time`. `false` when there is none.
    fn advance(&mut self, time: u64, context: &dyn VenueContext) -> bool {
        let arrival = self.next_arrival().filter(|&(_, due)| due <= time);
        if let Some((place, _)) = arrival {
            self.arrive(place);
        } else if self.can_work_on_bars() {
            self.work_on_bars(context);
        } else if let Some(place) = self.leftover() {
            self.cancel_leftover(place, time);
        } else if let Some(place) = self.next_ready() {
            self.sweep(place, context);
        } else {
            return false;
        }
        true
    }

    /// The first request that may be handled: not while its instrument's update is half applied, nor before
    /// bars that closed earlier than it arrived are worked through.
    fn next_arrival(&self) -> Option<(usize, u64)> {
        self.inbox.first_open(|arrival| self.is_blocked(arrival))
    }

    fn is_blocked(&self, arrival: &Arrival) -> bool {
        let instrument = arrival.instrument();
        let concerns = |other: u32| instrument == 0 || instrument == other;
        let in_work = self.pass.as_ref().is_some_and(|pass| instrument == 0 || pass.works_on(instrument));
        let waiting = || {
            let earlier = |(bar, _): &(Bar, bool)| concerns(bar.instrument) && bar.time <= arrival.time;
            self.bars.iter().any(earlier)
        };
        in_work || waiting() || self.touched.iter().any(|&touched| concerns(touched))
    }

    fn arrive(&mut self, place: usize) {
        let Some(arrival) = self.inbox.take(place) else { return };
        match arrival.what {
            Arriving::Request(request) => self.desk(arrival.time, None).handle(&request),
            Arriving::Trailing(request, trail) => self.desk(arrival.time, Some(trail)).handle(&request),
            Arriving::SessionClose { instrument } => self.expire_day_orders(instrument, arrival.time),
        }
    }

    fn desk(&mut self, time: u64, trail: Option<Trail>) -> Desk<'_> {
        Desk {
            time,
            trail,
            reaction: None,
            markets: &mut self.markets,
            reports: &mut self.reports,
            ready: &mut self.ready,
            last_priority: &mut self.last_priority,
            earliest_expiry: &mut self.earliest_expiry,
            is_over: self.finished.is_some(),
        }
    }

    fn expire_day_orders(&mut self, instrument: u32, time: u64) {
        let is_day =
            |order: &LiveOrder| order.terms.time_in_force == TimeInForce::Day && order.arrival < time;
        for (_, market) in self.markets.iter_mut_where(|id, _| instrument == 0 || instrument == id) {
            expire(market, &mut self.reports, is_day, |_| time);
        }
    }

    /// Expires orders whose time passed. Orders in bars are left to their bars, which begin earlier than the
    /// record that tells of them.
    fn expire_until(&mut self, time: u64) {
        if time < self.earliest_expiry {
            return;
        }
        for (_, market) in self.markets.iter_mut_where(|_, market| market.feed != Feed::Bars) {
            let at = |order: &LiveOrder| order.terms.expire_time;
            expire(market, &mut self.reports, |order| order.has_expired(time), at);
        }
        self.earliest_expiry = earliest_expiry(&self.markets);
    }

    fn can_work_on_bars(&self) -> bool {
        match &self.pass {
            // What follows a fill (a size, a partner, a child) is decided when the engine knows of it.
            Some(_) => !self.reports.has_fill(),
            None => self.bars.iter().any(|&(_, last)| last),
        }
    }

    fn work_on_bars(&mut self, context: &dyn VenueContext) {
        let Some(pass) = &mut self.pass else {
            self.start_pass();
            return;
        };
        let mut work = BarWork {
            touch_fills: self.terms.options & fill_options::LIMIT_FILLS_ON_TOUCH != 0,
            slippage: self.terms.slippage,
            volume_share: self.terms.volume_share,
            reports: &mut self.reports,
            context,
        };
        if !work.step(pass, &mut self.markets) {
            self.spare_pass = self.pass.take();
        }
    }

    fn start_pass(&mut self) {
        let end = self.bars.iter().position(|&(_, last)| last).map_or(0, |place| place + 1);
        let mut pass = self.spare_pass.take().unwrap_or_default();
        pass.start(self.bars.drain(..end).map(|(bar, _)| bar), &mut self.markets);
        self.pass = Some(pass);
    }

    /// Instrument and place of an order from before the end of the run that nothing will execute any more.
    fn leftover(&self) -> Option<(u32, usize)> {
        let last = self.finished.filter(|_| self.pass.is_none())?;
        let of = |market: &Market| market.orders.iter().position(|order| order.priority <= last);
        self.markets.iter().find_map(|(instrument, market)| Some((instrument, of(market)?)))
    }

    fn cancel_leftover(&mut self, (instrument, index): (u32, usize), time: u64) {
        if let Some(market) = self.markets.get_mut(instrument) {
            let refusal = Refusal::of(Rule::CanceledAtEnd);
            execution::cancel(market, index, time, refusal, &mut self.reports);
        }
    }

    fn next_ready(&self) -> Option<usize> {
        self.ready.iter().position(|instrument| !self.touched.contains(instrument))
    }

    fn sweep(&mut self, place: usize, context: &dyn VenueContext) {
        let instrument = self.ready[place];
        let Some(market) = self.markets.get_mut(instrument) else {
            self.ready.remove(place);
            return;
        };
        if !books::sweep(market, self.terms.slippage, &mut self.reports, context) {
            market.ready = false;
            market.prints = None;
            self.ready.remove(place);
        }
    }

    /// A fill became known to the engine: orders that waited for it may go on.
    fn wake_waiting(&mut self) {
        let now = self.reports.now;
        for (instrument, market) in self.markets.iter_mut_where(|_, market| market.waiting) {
            market.waiting = false;
            market.time = market.time.max(now);
            make_ready(market, instrument, &mut self.ready);
        }
    }

    fn observe_bar(&mut self, record: &[Slot]) {
        let Some(bar) = Bar::of(record) else { return };
        let is_busy = self.pass.is_some() || !self.bars.is_empty();
        let market = market_of(&mut self.markets, bar.instrument, self.finished.is_some());
        market.feed = market.feed.max(Feed::Bars);
        if market.feed != Feed::Bars || (market.orders.is_empty() && !is_busy) {
            // Nothing can happen in it. Finer data, where seen, decide fills alone.
            market.last_bar = Some((bar.open, bar.close));
            return;
        }
        self.bars.push_back((bar, false));
    }

    fn observe_update(&mut self, slot: &Slot, apply: impl FnOnce(&mut Market, &Slot)) {
        let market = market_of(&mut self.markets, slot.instrument, self.finished.is_some());
        if !market.half_applied {
            self.touched.push(slot.instrument);
        }
        market.begin_update(slot.time);
        apply(market, slot);
    }

    fn observe_gap(&mut self, instrument: u32) {
        for (_, market) in self.markets.iter_mut_where(|id, _| instrument == 0 || instrument == id) {
            market.untrusted = true;
        }
    }

    /// The last record of a message: now its update is whole.
    fn end_message(&mut self, time: u64) {
        if let Some((_, last)) = self.bars.back_mut() {
            *last = true;
        }
        self.expire_until(time);
        for instrument in self.touched.drain(..) {
            if let Some(market) = self.markets.get_mut(instrument) {
                market.half_applied = false;
                make_ready(market, instrument, &mut self.ready);
            }
        }
    }
}

fn order_of(request: &VenueRequest) -> u64 {
    match request {
        VenueRequest::Submit(order) => order.order_id,
        VenueRequest::Replace { order_id, .. }
        | VenueRequest::Cancel { order_id, .. }
        | VenueRequest::Query { order_id, .. } => *order_id,
    }
}

fn market_of(markets: &mut Markets, instrument: u32, ended: bool) -> &mut Market {
    markets.get_or_insert_with(instrument, || Market::new(ended))
}

/// Puts a market that has orders on the list of those to be measured.
fn make_ready(market: &mut Market, instrument: u32, ready: &mut Vec<u32>) {
    if market.orders.is_empty() {
        market.prints = None;
    } else if !market.ready {
        market.ready = true;
        ready.push(instrument);
    }
}

/// Expires the orders of `market` that `ends` names, each at its own time.
fn expire(
    market: &mut Market,
    reports: &mut Outbox,
    ends: impl Fn(&LiveOrder) -> bool,
    at: impl Fn(&LiveOrder) -> u64,
) {
    while let Some(index) = market.orders.iter().position(&ends) {
        let time = at(&market.orders[index]);
        execution::close(market, index, time, Outcome::Expired, reports);
    }
}

fn earliest_expiry(markets: &Markets) -> u64 {
    let outside_bars = markets.values().filter(|market| market.feed != Feed::Bars);
    let orders = outside_bars.flat_map(|market| &market.orders);
    let good_till = orders.filter(|order| order.terms.time_in_force == TimeInForce::Gtd);
    good_till.map(|order| order.terms.expire_time).min().unwrap_or(u64::MAX)
}

impl Venue for SimulatedVenue {
    fn request(&mut self, request: &VenueRequest, time: u64) {
        let trail = self.attached.take().filter(|attached| attached.0 == order_of(request)).map(|of| of.1);
        if self.reacting && self.react(request, trail) {
            return;
        }
        let time = time.saturating_add(self.terms.order_latency_ns);
        let what = trail.map_or(Arriving::Request(*request), |trail| Arriving::Trailing(*request, trail));
        self.inbox.push(Arrival { time, what });
    }

    fn attach(&mut self, order_id: u64, terms: &SpecialTerms) {
        self.attached = Trail::of(terms).map(|trail| (order_id, trail));
    }

    fn observe(&mut self, record: &[Slot]) {
        self.observe_of(record, false);
    }

    fn next_report(&mut self, time: u64, context: &dyn VenueContext) -> Option<VenueReport> {
        self.reports.advance(time);
        loop {
            if let Some(report) = self.reports.release() {
                self.reacting = self.pass.is_some();
                if matches!(report.outcome, Outcome::Filled { .. }) {
                    self.wake_waiting();
                }
                return Some(report);
            }
            self.reacting = false;
            if !self.advance(time, context) {
                return None;
            }
        }
    }

    fn next_due(&self) -> Option<u64> {
        let has_work = self.can_work_on_bars() || self.leftover().is_some() || self.next_ready().is_some();
        let work = has_work.then_some(self.reports.now);
        let arrival = self.next_arrival().map(|(_, due)| due);
        [self.reports.next_release(), arrival, work].into_iter().flatten().min()
    }

    fn close_session(&mut self, instrument: u32, session_end: u64) {
        self.inbox.push(Arrival { time: session_end, what: Arriving::SessionClose { instrument } });
    }

    fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        let waiting = hasher.hash("waiting", 0u64, |out| {
            write_terms(&self.terms, out);
            self.write_waiting(out);
        });
        waiting.wrapping_add(self.markets.sum("market", hasher))
    }
}

impl SimulatedVenue {
    /// Takes a record of market data in; `negative_prices` says what its instrument is listed with.
    pub fn observe_of(&mut self, record: &[Slot], negative_prices: bool) {
        let Some(head) = record.first() else { return };
        self.reacting = false;
        self.reports.advance(head.time);
        match Message::from_number(head.message) {
            Some(Message::BarObserved) => self.observe_bar(record),
            Some(Message::QuoteObserved) => {
                self.observe_update(head, |market, slot| market.observe_quote(slot, negative_prices));
            }
            Some(Message::TradeObserved) => self.observe_update(head, Market::observe_trade),
            Some(Message::BookLevelObserved) => self.observe_update(head, Market::observe_level),
            Some(Message::FeedGapObserved) => self.observe_gap(head.instrument),
            _ => {}
        }
        if head.has(flags::LAST_OF_MESSAGE) {
            self.end_message(head.time);
        }
    }

    /// Handles what the engine asks in answer to a report of the bar in work. `false` when it is not of that
    /// kind and travels as any request does.
    fn react(&mut self, request: &VenueRequest, trail: Option<Trail>) -> bool {
        let Some(mut pass) = self.pass.take() else { return false };
        let is_linked = match request {
            VenueRequest::Submit(order) => order.released_at.is_some() && pass.works_on(order.instrument),
            VenueRequest::Replace { instrument, .. } | VenueRequest::Cancel { instrument, .. } => {
                pass.works_on(*instrument)
            }
            VenueRequest::Query { .. } => false,
        };
        if is_linked {
            let mut desk = self.desk(pass.time, trail);
            desk.reaction = Some(&mut pass);
            desk.handle(request);
        }
        self.pass = Some(pass);
        is_linked
    }
}

impl SimulatedVenue {
    /// What is under way, and no market of its own.
    fn write_waiting(&self, out: &mut StateWriter) {
        self.inbox.write(out);
        self.reports.write(out);
        out.length(self.bars.len());
        for (bar, last) in &self.bars {
            bar.write(out);
            out.bool(*last);
        }
        out.option(self.pass.as_ref());
        for list in [&self.ready, &self.touched] {
            out.length(list.len());
            list.iter().for_each(|&instrument| out.u32(instrument));
        }
        out.u64(self.last_priority);
        out.bool(self.reacting);
        out.option_u64(self.finished);
    }
}

impl State for SimulatedVenue {
    fn write(&self, out: &mut StateWriter) {
        write_terms(&self.terms, out);
        out.length(self.markets.len());
        for (instrument, market) in self.markets.iter() {
            out.u32(instrument);
            market.write(out);
        }
        self.write_waiting(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut venue = SimulatedVenue {
            terms: read_terms(input)?,
            markets: read_pairs(input)?.into_iter().collect(),
            inbox: Inbox::read(input)?,
            reports: Outbox::read(input)?,
            bars: read_bars(input)?,
            pass: input.option()?,
            spare_pass: None,
            ready: read_instruments(input)?,
            touched: read_instruments(input)?,
            last_priority: input.u64()?,
            reacting: input.bool()?,
            finished: input.option_u64()?,
            earliest_expiry: u64::MAX,
            attached: None,
        };
        venue.earliest_expiry = earliest_expiry(&venue.markets);
        if let Some(pass) = &mut venue.pass {
            pass.make_plan(&venue.markets);
        }
        Ok(venue)
    }
}

fn write_terms(terms: &VenuePayload, out: &mut StateWriter) {
    out.u64(terms.order_latency_ns);
    out.u64(terms.report_latency_ns);
    out.i64(terms.slippage);
    out.i64(terms.volume_share);
    out.u64(terms.options);
}

fn read_terms(input: &mut StateReader<'_>) -> Result<VenuePayload, StateError> {
    Ok(VenuePayload {
        order_latency_ns: input.u64()?,
        report_latency_ns: input.u64()?,
        slippage: input.i64()?,
        volume_share: input.i64()?,
        options: input.u64()?,
    })
}

fn read_pairs(input: &mut StateReader<'_>) -> Result<Vec<(u32, Market)>, StateError> {
    let len = input.length()?;
    (0..len).map(|_| Ok((input.u32()?, Market::read(input)?))).collect()
}

fn read_bars(input: &mut StateReader<'_>) -> Result<VecDeque<(Bar, bool)>, StateError> {
    let len = input.length()?;
    (0..len).map(|_| Ok((Bar::read(input)?, input.bool()?))).collect()
}

fn read_instruments(input: &mut StateReader<'_>) -> Result<Vec<u32>, StateError> {
    let len = input.length()?;
    (0..len).map(|_| input.u32()).collect()
}

//! The short way of a plain order that takes, new or under new terms: it trades with plain orders, of which a fill sets off nothing but being
//! booked. All of them are looked at before anything is done; with any other among them the order goes the general way.

use super::booking::{Fill, Ledger};
use super::market_events::Trade;
use super::order_entry::{cancel_by, emit_accepted, emit_pending, emit_replaced, emit_submitted};
use super::order_reports::{cannot_be_booked, has_no_value};
use super::{AnyVenue, Engine, EngineStopped};
use crate::book::{BookTrade, LevelChange};
use crate::command::{ReplaceOrder, SubmitOrder};
use crate::instrument::{Instrument, Instruments};
use crate::orders::{Order, Orders, Vacancy};
use crate::participant::Participants;
use crate::portfolio::{FeeSchedule, FeeSchedules, Marks};
use crate::record::{Body, Slot};
use crate::risk::{ReplaceTerms, Reservation, check_terms};
use crate::rules::Refusal;
use crate::terms::{Liquidity, OrderState, TradingSession};
use crate::venue::matching::{MatchingVenue, PlainTaker};

/// A resting order that is about to trade.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counterparty {
    /// Among the orders.
    place: u32,
    schedule: FeeSchedule,
}

/// How an order comes to take.
enum Entry<'a> {
    New(&'a [Slot]),
    Replaced(ReplaceTerms),
}

/// An order that takes, and what its trades change.
struct Taker<'a> {
    order: Order,
    entry: Entry<'a>,
    schedule: FeeSchedule,
    /// Sequence and time of the record.
    at: [u64; 2],
    instrument: &'a Instrument,
    ledger: Ledger<'a>,
    orders: &'a mut Orders,
    fees: &'a FeeSchedules,
    marks: &'a mut Marks,
    participants: &'a mut Participants,
    instruments: &'a Instruments,
    counterparties: &'a mut Vec<Counterparty>,
    /// How many of them have traded.
    traded: usize,
    /// Why a fill could not be booked; nothing is after one.
    failure: Option<String>,
}

impl Taker<'_> {
    fn book_trade(&mut self, trade_id: u64, trade: &BookTrade) -> Result<(), String> {
        let BookTrade { price, quantity, taker_side, maker_order_id, taker_order_id, .. } = *trade;
        let Taker { order, instrument, ledger, orders, .. } = self;
        let [_, time] = self.at;
        let told = Trade {
            instrument: instrument.id,
            ids: [trade_id, taker_order_id, maker_order_id],
            price,
            quantity,
            aggressor_side: taker_side,
            session: TradingSession::Continuous,
        };
        told.tell(self.marks, ledger.events);
        if self.participants.want_markets() {
            told.show(self.at, time, self.participants, self.instruments);
        }
        let expected = self.counterparties.get(self.traded);
        let found = expected.and_then(|expected| Some((expected, orders.at_mut(expected.place)?)));
        let found = found.filter(|(_, maker)| maker.order_id == maker_order_id);
        let (counterparty, maker) =
            found.ok_or_else(|| format!("order {maker_order_id} traded before it was looked at"))?;
        self.traded += 1;
        let notional = instrument.notional(price, quantity).ok_or_else(|| has_no_value(trade_id))?;
        let (side, liquidity) = (taker_side.opposite(), Liquidity::Maker);
        let fill = Fill { trade_id, side, price, quantity, liquidity, venue_time: time };
        let fee = counterparty.schedule.fee(notional, liquidity);
        ledger
            .book(maker, instrument, &fill, fee)
            .map_err(|refusal| cannot_be_booked(maker_order_id, trade_id, &refusal))?;
        let liquidity = Liquidity::Taker;
        let fee = self.schedule.fee(notional, liquidity);
        ledger
            .book_unheld(order, instrument, &Fill { side: taker_side, liquidity, ..fill }, fee)
            .map_err(|refusal| cannot_be_booked(taker_order_id, trade_id, &refusal))?;
        Ok(())
    }
}

impl PlainTaker for Taker<'_> {
    #[inline]
    fn expects(&mut self, order_id: u64, leaves: i64) -> bool {
        let Some(place) = self.orders.place_of(order_id) else { return false };
        let Some(maker) = self.orders.at(place) else { return false };
        let schedule = self.fees.for_(maker.request.account, maker.request.instrument);
        self.counterparties.push(Counterparty { place, schedule });
        maker.trades_plainly() && maker.leaves_quantity() == leaves && !schedule.external
    }

    #[inline]
    fn entered(&mut self) {
        let Taker { order, ledger: Ledger { events, .. }, entry, at: [_, time], .. } = self;
        match entry {
            Entry::New(record) => {
                emit_submitted(events, order, None, record);
                order.acknowledge(order.order_id);
                emit_accepted(events, order, *time);
            }
            Entry::Replaced(terms) => {
                order.terms = *terms;
                emit_pending(events, order, OrderState::PendingReplace);
                emit_replaced(events, order);
            }
        }
    }

    #[inline]
    fn traded(&mut self, trade_id: u64, trade: &BookTrade) {
        if self.failure.is_none() {
            self.failure = self.book_trade(trade_id, trade).err();
        }
    }

    #[inline]
    fn level_changed(&mut self, change: &LevelChange) {
        self.ledger.events.emit_level(self.instrument.id, change);
        self.participants.stir(self.instrument.id);
    }

    fn canceled(&mut self, reason: Refusal) {
        cancel_by(reason, &mut self.order, self.ledger.events);
    }
}

impl Engine {
    /// An order and its market, where what it charges for a trade is known.
    fn at_market<'a>(
        &'a mut self,
        order: Order,
        entry: Entry<'a>,
    ) -> Option<(&'a mut MatchingVenue, Taker<'a>)> {
        let at = [self.sequence, self.time];
        #[rustfmt::skip]
        let Engine {
            instruments, portfolio, orders, venues, risk, events, participants, marks, fees, counterparties, ..
        } = self;
        let instrument = instruments.get(order.request.instrument)?;
        let Some(AnyVenue::Matching(venue)) = venues.get_mut(usize::from(instrument.venue)) else {
            return None;
        };
        let schedule = fees.for_(order.request.account, instrument.id);
        if schedule.external {
            return None;
        }
        counterparties.clear();
        let ledger = Ledger { portfolio, risk, events };
        let (traded, failure) = (0, None);
        #[rustfmt::skip]
        let taker = Taker {
            order, entry, schedule, at, instrument, ledger, orders, fees, marks, participants, instruments,
            counterparties, traded, failure,
        };
        Some((venue, taker))
    }

    /// Lets an order take that has passed every rule before its market; `false`, and nothing done, where it or one that it
    /// would meet is not plain.
    pub(super) fn take_plainly(
        &mut self,
        order_id: u64,
        record: &[Slot],
        request: SubmitOrder,
        vacancy: Vacancy,
    ) -> Result<bool, EngineStopped> {
        // The exits of a position that ends are canceled with it.
        if request.is_post_only() || self.orders.has_children() {
            return Ok(false);
        }
        let time = self.time;
        let order = Order::new(order_id, 0, request);
        let Some((venue, mut taker)) = self.at_market(order, Entry::New(record)) else { return Ok(false) };
        let Some(left) = venue.take_plainly(order_id, &request, time, &mut taker) else {
            return Ok(false);
        };
        let Taker { order, failure, ledger, orders, .. } = taker;
        if left > 0 {
            ledger.risk.opened(&Reservation::of_open(&order));
        }
        orders.insert_in(vacancy, order);
        let is_idle = venue.is_idle(time);
        self.after_taking(request.instrument, is_idle, failure)
    }

    /// Gives a plain order that rests new terms, which may let it take; `false`, and nothing done, as above.
    pub(super) fn replace_plainly(&mut self, record: &[Slot]) -> Result<bool, EngineStopped> {
        let [head] = record else { return Ok(false) };
        let asked = ReplaceOrder::of(head);
        let is_plain = head.source == 0 && asked.stop_price == 0 && !self.orders.has_children();
        if !is_plain || self.takes_no_short_way() {
            return Ok(false);
        }
        let Some(place) = self.orders.place_by_client_id(head.account, asked.client_order_id) else {
            return Ok(false);
        };
        let Some(order) = self.orders.at(place).filter(|order| order.rests_plainly()) else {
            return Ok(false);
        };
        let keep = |new: i64, old: i64| if new == 0 { old } else { new };
        let ReplaceTerms { price, quantity, stop_price } = order.terms;
        let (price, quantity) = (keep(asked.price, price), keep(asked.quantity, quantity));
        let request = SubmitOrder { price, quantity, ..order.request };
        let (time, order, before) = (self.time, order.clone(), Reservation::of_open(order));
        if quantity <= order.cumulative_quantity || !self.passes_at_a_glance(&request) {
            return Ok(false);
        }
        let (order_id, leaves) = (order.order_id, quantity - order.cumulative_quantity);
        let entry = Entry::Replaced(ReplaceTerms { price, quantity, stop_price });
        let Some((venue, mut taker)) = self.at_market(order, entry) else { return Ok(false) };
        let request = SubmitOrder { quantity: leaves, ..request };
        if venue.replace_plainly(order_id, &request, time, &mut taker).is_none() {
            return Ok(false);
        }
        let Taker { order, failure, ledger, orders, .. } = taker;
        let after = Reservation::of_open(&order);
        ledger.risk.changed(&before, &after);
        if !order.is_open() {
            ledger.risk.closed(&after);
        }
        if let Some(replaced) = orders.at_mut(place) {
            *replaced = order;
        }
        let is_idle = venue.is_idle(time);
        self.after_taking(request.instrument, is_idle, failure)
    }

    /// Whether a plain order's terms pass every rule before its market.
    fn passes_at_a_glance(&mut self, request: &SubmitOrder) -> bool {
        let is_halted = !self.halted.is_empty() && self.check_halts(request.instrument).is_err();
        let Engine { instruments, portfolio, risk, .. } = self;
        let (instrument, account) = (instruments.get(request.instrument), portfolio.account(request.account));
        instrument.zip(account).is_some_and(|(instrument, account)| {
            !is_halted
                && check_terms(request, instrument).is_ok()
                && risk.room_at_a_glance(request, account, instrument).is_some()
        })
    }

    fn after_taking(
        &mut self,
        instrument: u32,
        is_idle: bool,
        failure: Option<String>,
    ) -> Result<bool, EngineStopped> {
        if let Some(reason) = failure {
            return Err(self.stopped(reason));
        }
        if !is_idle {
            // What the trades set off: stops that wait for their price.
            let venue = self.instruments.get(instrument).map_or(0, |instrument| instrument.venue);
            self.pull(usize::from(venue))?;
        }
        Ok(true)
    }
}

//! The short way of a plain order that takes: it trades with plain orders, of which a fill sets off nothing but being
//! booked. All of them are looked at before anything is done; with any other among them the order goes the general way.

use super::booking::{Fill, Ledger};
use super::market_events::Trade;
use super::order_entry::{cancel_by, emit_accepted, emit_submitted};
use super::order_reports::{cannot_be_booked, has_no_value};
use super::{AnyVenue, Engine, EngineStopped};
use crate::book::{BookTrade, LevelChange};
use crate::command::SubmitOrder;
use crate::instrument::{Instrument, Instruments};
use crate::orders::{Order, Orders, Vacancy};
use crate::participant::Participants;
use crate::portfolio::{FeeSchedule, FeeSchedules, Marks};
use crate::record::Slot;
use crate::risk::Reservation;
use crate::rules::Refusal;
use crate::terms::{Liquidity, TradingSession};
use crate::venue::matching::PlainTaker;

/// A resting order that is about to trade.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counterparty {
    /// Among the orders.
    place: u32,
    schedule: FeeSchedule,
}

/// An order that takes, and what its trades change.
struct Taker<'a> {
    order: Order,
    schedule: FeeSchedule,
    record: &'a [Slot],
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
        let time = self.record[0].time;
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
            told.show([self.record[0].sequence, time], time, self.participants, self.instruments);
        }
        let Some(counterparty) = self.counterparties.get(self.traded) else { return Ok(()) };
        let Some(maker) = orders.at_mut(counterparty.place) else { return Ok(()) };
        debug_assert_eq!(maker.order_id, maker_order_id);
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
    fn accepted(&mut self) {
        let Taker { order, ledger: Ledger { events, .. }, record, .. } = self;
        emit_submitted(events, order, None, record);
        order.acknowledge(order.order_id);
        emit_accepted(events, order, record[0].time);
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
        let Engine {
            instruments, portfolio, orders, venues, risk, events, participants, marks, fees, ..
        } = self;
        let Some(instrument) = instruments.get(request.instrument) else { return Ok(false) };
        let venue_index = usize::from(instrument.venue);
        let Some(AnyVenue::Matching(venue)) = venues.get_mut(venue_index) else { return Ok(false) };
        let schedule = fees.for_(request.account, request.instrument);
        if schedule.external {
            return Ok(false);
        }
        self.counterparties.clear();
        let mut taker = Taker {
            order: Order::new(order_id, 0, request),
            schedule,
            record,
            instrument,
            ledger: Ledger { portfolio, risk, events },
            orders,
            fees,
            marks,
            participants,
            instruments,
            counterparties: &mut self.counterparties,
            traded: 0,
            failure: None,
        };
        let Some(left) = venue.take_plainly(order_id, &request, self.time, &mut taker) else {
            return Ok(false);
        };
        let Taker { order, failure, ledger, .. } = taker;
        if left > 0 {
            ledger.risk.opened(&Reservation::of_open(&order));
        }
        let is_idle = venue.is_idle(self.time);
        self.orders.insert_in(vacancy, order);
        if let Some(reason) = failure {
            return Err(self.stopped(reason));
        }
        if !is_idle {
            // What the trades set off: stops that wait for their price.
            self.pull(venue_index)?;
        }
        Ok(true)
    }
}

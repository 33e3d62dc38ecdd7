//! What a venue of our own tells of its markets: trades, levels, orders shown, sessions and auctions.

use super::{About, AnyVenue, Engine, Events};
use crate::book::LevelChange;
use crate::event;
use crate::instrument::Instruments;
use crate::observation::{QuoteObserved, TradeObserved};
use crate::participant::Participants;
use crate::portfolio::Marks;
use crate::record::{Slot, flags};
use crate::terms::{Side, TradingSession};
use crate::venue::matching::OrderChange;
use crate::venue::{Outcome, VenueReport};

/// A trade of two orders of ours.
#[derive(Clone, Copy)]
pub(super) struct Trade {
    pub instrument: u32,
    /// Of the trade, of the order that took and of the one that rested.
    pub ids: [u64; 3],
    pub price: i64,
    pub quantity: i64,
    pub aggressor_side: Side,
    pub session: TradingSession,
}

impl Trade {
    #[inline]
    pub fn tell(&self, marks: &mut Marks, events: &mut Events) {
        let Trade { instrument, price, quantity, .. } = *self;
        // Where users trade with each other, their last price is the market's.
        marks.set(instrument, price);
        let [trade_id, aggressor_order_id, resting_order_id] = self.ids;
        let body = event::TradeExecuted { price, quantity, aggressor_order_id, resting_order_id };
        let rest = event::TradePayload { trade_id, session: self.session as u64, reserved: [0; 3] };
        events.emit_with(of(instrument).sold(self.aggressor_side == Side::Sell), body, rest);
    }

    /// Participants see the trades of our own venues as those of a feed. `place` is the sequence and time of the record.
    #[cold]
    pub fn show(
        &self,
        place: [u64; 2],
        venue_time: u64,
        participants: &mut Participants,
        instruments: &Instruments,
    ) {
        let Trade { instrument, price, quantity, ids: [trade_id, ..], .. } = *self;
        let body = TradeObserved { price, quantity, trade_id, exchange_time: venue_time };
        let mut slot = Slot::new(body);
        if self.aggressor_side == Side::Sell {
            slot.flags |= flags::SELL;
        }
        participants.show_trade(place, instrument, slot, instruments);
    }
}

impl Engine {
    /// Makes the event of a report that is about a market; says whether it was one.
    #[inline(always)]
    pub(super) fn tell_market(&mut self, report: &VenueReport) -> bool {
        let order_id = report.order_id;
        match report.outcome {
            Outcome::BookLevel { instrument, side, price, quantity, orders } => {
                self.events.emit_level(instrument, &LevelChange { side, price, quantity, orders });
                self.participants.stir(instrument);
            }
            Outcome::Trade {
                instrument,
                trade_id,
                price,
                quantity,
                aggressor_side,
                resting_order_id,
                auction,
            } => {
                let session = auction.unwrap_or(TradingSession::Continuous);
                let ids = [trade_id, order_id, resting_order_id];
                let trade = Trade { instrument, ids, price, quantity, aggressor_side, session };
                trade.tell(&mut self.marks, &mut self.events);
                if self.participants.want_markets() {
                    let place = [self.sequence, self.time];
                    trade.show(place, report.venue_time, &mut self.participants, &self.instruments);
                }
            }
            Outcome::BookOrder { instrument, shown } => {
                let about = of(instrument).sold(shown.side == Side::Sell);
                let (price, quantity) = (shown.price, shown.quantity);
                match shown.change {
                    OrderChange::Added => {
                        self.events
                            .emit(about, event::BookOrderAdded { order_id, price, quantity, reserved: 0 });
                    }
                    OrderChange::Changed => {
                        let body = event::BookOrderChanged { order_id, price, quantity, reserved: 0 };
                        self.events.emit(about, body);
                    }
                    OrderChange::Removed => {
                        let body = event::BookOrderRemoved { order_id, price, quantity, reserved: 0 };
                        self.events.emit(about, body);
                    }
                }
            }
            _ => return self.tell_session(report),
        }
        true
    }

    /// Shows participants the best prices of our own venues' markets that this update changed, once it is complete.
    pub(super) fn show_quotes(&mut self) {
        if !self.participants.want_markets() {
            return;
        }
        for instrument in self.participants.take_stirred() {
            let venue = self.instruments.get(instrument).map_or(0, |listed| usize::from(listed.venue));
            let Some(AnyVenue::Matching(matching)) = self.venues.get(venue) else { continue };
            let Some(book) = matching.book(instrument) else { continue };
            let [bid, ask] = [Side::Buy, Side::Sell].map(|side| book.best(side));
            let quote = QuoteObserved {
                bid_price: bid.map_or(0, |level| level.price),
                bid_quantity: bid.map_or(0, |level| level.quantity),
                ask_price: ask.map_or(0, |level| level.price),
                ask_quantity: ask.map_or(0, |level| level.quantity),
            };
            let place = [self.sequence, self.time];
            self.participants.show_quote(place, instrument, quote, &self.instruments);
        }
    }

    fn tell_session(&mut self, report: &VenueReport) -> bool {
        match report.outcome {
            Outcome::SessionChanged { instrument, before, after, until } => {
                let (before, after) = (before as u64, after as u64);
                let body = event::TradingSessionChanged { before, after, until, reserved: 0 };
                self.events.emit(of(instrument), body);
            }
            Outcome::Indicated { instrument, price, volume, imbalance, reference } => {
                let reference_price = reference.unwrap_or_default();
                let body = event::AuctionIndicated { price, volume, imbalance, reference_price };
                self.events.emit(of(instrument).flagged(flags::UNPRICED, reference.is_none()), body);
            }
            Outcome::Uncrossed { instrument, session, price, volume, imbalance } => {
                let session = session as u64;
                let body = event::AuctionUncrossed { price, volume, imbalance, session };
                self.events.emit(of(instrument), body);
            }
            Outcome::BandBreached { instrument, price, bound } => {
                let order_id = report.order_id;
                let body = event::PriceBandBreached { order_id, price, bound, reserved: 0 };
                self.events.emit(of(instrument), body);
            }
            _ => return false,
        }
        true
    }
}

fn of(instrument: u32) -> About {
    About { instrument, ..About::NOTHING }
}

//! What a venue of our own tells of its markets: trades, levels, orders shown, sessions and auctions.

use super::{About, AnyVenue, Engine};
use crate::book::LevelChange;
use crate::event;
use crate::observation::{QuoteObserved, TradeObserved};
use crate::record::{Slot, flags};
use crate::terms::{Side, TradingSession};
use crate::venue::matching::OrderChange;
use crate::venue::{Outcome, VenueReport};

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
                // Where users trade with each other, their last price is the market's.
                self.marks.set(instrument, price);
                let body =
                    event::TradeExecuted { price, quantity, aggressor_order_id: order_id, resting_order_id };
                let session = auction.unwrap_or(TradingSession::Continuous) as u64;
                let rest = event::TradePayload { trade_id, session, reserved: [0; 3] };
                self.events.emit_with(of(instrument).sold(aggressor_side == Side::Sell), body, rest);
                if self.participants.want_markets() {
                    self.show_trade(report);
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

    /// Participants see the trades of our own venues as those of a feed.
    #[cold]
    fn show_trade(&mut self, report: &VenueReport) {
        let Outcome::Trade { instrument, trade_id, price, quantity, aggressor_side, .. } = report.outcome
        else {
            return;
        };
        let body = TradeObserved { price, quantity, trade_id, exchange_time: report.venue_time };
        let mut slot = Slot::new(body);
        if aggressor_side == Side::Sell {
            slot.flags |= flags::SELL;
        }
        self.participants.show_trade([self.sequence, self.time], instrument, slot, &self.instruments);
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

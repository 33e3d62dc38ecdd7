//! What a venue of our own tells of its markets: trades, levels, orders shown, sessions and auctions.

use super::{About, Engine};
use crate::event;
use crate::terms::{Side, TradingSession};
use crate::venue::matching::OrderChange;
use crate::venue::{Outcome, VenueReport};

impl Engine {
    /// Makes the event of a report that is about a market; says whether it was one.
    pub(super) fn tell_market(&mut self, report: &VenueReport) -> bool {
        let order_id = report.order_id;
        match report.outcome {
            Outcome::BookLevel { instrument, side, price, quantity, orders } => {
                let body =
                    event::BookLevelChanged { price, quantity, orders: u64::from(orders), reserved: 0 };
                self.events.emit(of(instrument).sold(side == Side::Sell), body);
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

    fn tell_session(&mut self, report: &VenueReport) -> bool {
        match report.outcome {
            Outcome::SessionChanged { instrument, before, after, until } => {
                let (before, after) = (before as u64, after as u64);
                let body = event::TradingSessionChanged { before, after, until, reserved: 0 };
                self.events.emit(of(instrument), body);
            }
            Outcome::Indicated { instrument, price, volume, imbalance, reference } => {
                let body = event::AuctionIndicated { price, volume, imbalance, reference_price: reference };
                self.events.emit(of(instrument), body);
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

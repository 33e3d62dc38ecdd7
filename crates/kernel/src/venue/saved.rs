//! Byte form of what travels between the engine and its venues.

use super::matching::{OrderChange, ShownOrder};
use super::{Outcome, VenueOrder, VenueReport, VenueRequest};
use crate::rules::Refusal;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{Liquidity, OrderType, Side, Sizing, TimeInForce, TradingSession};

/// Reads one of the numbered words of an order.
macro_rules! word {
    ($input:ident, $type:ident, $what:literal) => {{
        let number = $input.u8()?;
        $type::from_number(number).ok_or_else(|| $input.invalid($what, u64::from(number)))?
    }};
}

impl State for VenueOrder {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.order_id);
        out.u64(self.client_order_id);
        out.u32(self.account);
        out.u32(self.instrument);
        out.u8(self.side as u8);
        out.u8(self.order_type as u8);
        out.u8(self.time_in_force as u8);
        out.u8(self.sizing as u8);
        out.u16(self.options);
        out.i64(self.price);
        out.i64(self.quantity);
        out.i64(self.stop_price);
        out.u64(self.expire_time);
        out.option_i64(self.released_at);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(VenueOrder {
            order_id: input.u64()?,
            client_order_id: input.u64()?,
            account: input.u32()?,
            instrument: input.u32()?,
            side: word!(input, Side, "side"),
            order_type: word!(input, OrderType, "order type"),
            time_in_force: word!(input, TimeInForce, "time in force"),
            sizing: word!(input, Sizing, "sizing"),
            options: input.u16()?,
            price: input.i64()?,
            quantity: input.i64()?,
            stop_price: input.i64()?,
            expire_time: input.u64()?,
            released_at: input.option_i64()?,
        })
    }
}

impl State for VenueRequest {
    fn write(&self, out: &mut StateWriter) {
        match *self {
            VenueRequest::Submit(ref order) => {
                out.u8(1);
                order.write(out);
            }
            VenueRequest::Replace { order_id, instrument, price, quantity, stop_price } => {
                out.u8(2);
                out.u64(order_id);
                out.u32(instrument);
                [price, quantity, stop_price].into_iter().for_each(|value| out.i64(value));
            }
            VenueRequest::Cancel { order_id, instrument } => {
                out.u8(3);
                out.u64(order_id);
                out.u32(instrument);
            }
            VenueRequest::Query { order_id, instrument, client_order_id } => {
                out.u8(4);
                out.u64(order_id);
                out.u32(instrument);
                out.u64(client_order_id);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        match input.u8()? {
            1 => Ok(VenueRequest::Submit(State::read(input)?)),
            2 => Ok(VenueRequest::Replace {
                order_id: input.u64()?,
                instrument: input.u32()?,
                price: input.i64()?,
                quantity: input.i64()?,
                stop_price: input.i64()?,
            }),
            3 => Ok(VenueRequest::Cancel { order_id: input.u64()?, instrument: input.u32()? }),
            4 => Ok(VenueRequest::Query {
                order_id: input.u64()?,
                instrument: input.u32()?,
                client_order_id: input.u64()?,
            }),
            found => Err(input.invalid("venue request", u64::from(found))),
        }
    }
}

impl State for VenueReport {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.order_id);
        out.u64(self.venue_time);
        self.outcome.write(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(VenueReport { order_id: input.u64()?, venue_time: input.u64()?, outcome: State::read(input)? })
    }
}

fn write_refused(out: &mut StateWriter, number: u8, refusal: &Refusal) {
    out.u8(number);
    refusal.write(out);
}

impl State for Outcome {
    fn write(&self, out: &mut StateWriter) {
        match *self {
            Outcome::Accepted { venue_order_id } => {
                out.u8(1);
                out.u64(venue_order_id);
            }
            Outcome::Rejected { ref refusal } => write_refused(out, 2, refusal),
            Outcome::Filled { trade_id, price, quantity, liquidity, fee_nano, contra } => {
                out.u8(3);
                out.u64(trade_id);
                out.i64(price);
                out.i64(quantity);
                out.u8(liquidity as u8);
                out.option_i64(fee_nano);
                out.option_u64(contra);
            }
            Outcome::Canceled { ref refusal } => write_refused(out, 4, refusal),
            Outcome::Expired => out.u8(5),
            Outcome::Replaced { price, quantity, stop_price } => {
                out.u8(6);
                [price, quantity, stop_price].into_iter().for_each(|value| out.i64(value));
            }
            Outcome::CancelRejected { ref refusal } => write_refused(out, 7, refusal),
            Outcome::ReplaceRejected { ref refusal } => write_refused(out, 8, refusal),
            Outcome::Triggered { price } => {
                out.u8(9);
                out.i64(price);
            }
            Outcome::Unknown => out.u8(10),
            Outcome::BookLevel { instrument, side, price, quantity, orders } => {
                out.u8(11);
                out.u32(instrument);
                out.u8(side as u8);
                out.i64(price);
                out.i64(quantity);
                out.u32(orders);
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
                out.u8(12);
                out.u8(auction.map_or(0, |session| session as u8));
                out.u32(instrument);
                out.u64(trade_id);
                out.i64(price);
                out.i64(quantity);
                out.u8(aggressor_side as u8);
                out.u64(resting_order_id);
            }
            Outcome::Repriced { price, stop_price } => {
                out.u8(16);
                out.i64(price);
                out.i64(stop_price);
            }
            Outcome::Unpriced => out.u8(25),
            Outcome::Reduced { quantity, ref refusal } => {
                write_refused(out, 17, refusal);
                out.i64(quantity);
            }
            Outcome::SessionChanged { instrument, before, after, until } => {
                out.u8(20);
                out.u32(instrument);
                out.u8(before as u8);
                out.u8(after as u8);
                out.u64(until);
            }
            Outcome::Indicated { instrument, price, volume, imbalance, reference } => {
                out.u8(21);
                out.u32(instrument);
                [price, volume, imbalance].into_iter().for_each(|value| out.i64(value));
                out.option_i64(reference);
            }
            Outcome::Uncrossed { instrument, session, price, volume, imbalance } => {
                out.u8(22);
                out.u32(instrument);
                out.u8(session as u8);
                [price, volume, imbalance].into_iter().for_each(|value| out.i64(value));
            }
            Outcome::BandBreached { instrument, price, bound } => {
                out.u8(23);
                out.u32(instrument);
                out.i64(price);
                out.i64(bound);
            }
            Outcome::BookOrder { instrument, shown } => {
                out.u8(24);
                out.u32(instrument);
                shown.write(out);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(match input.u8()? {
            1 => Outcome::Accepted { venue_order_id: input.u64()? },
            2 => Outcome::Rejected { refusal: State::read(input)? },
            3 => Outcome::Filled {
                trade_id: input.u64()?,
                price: input.i64()?,
                quantity: input.i64()?,
                liquidity: word!(input, Liquidity, "liquidity"),
                fee_nano: input.option_i64()?,
                contra: input.option_u64()?,
            },
            4 => Outcome::Canceled { refusal: State::read(input)? },
            5 => Outcome::Expired,
            6 => Outcome::Replaced { price: input.i64()?, quantity: input.i64()?, stop_price: input.i64()? },
            7 => Outcome::CancelRejected { refusal: State::read(input)? },
            8 => Outcome::ReplaceRejected { refusal: State::read(input)? },
            9 => Outcome::Triggered { price: input.i64()? },
            10 => Outcome::Unknown,
            11 => Outcome::BookLevel {
                instrument: input.u32()?,
                side: word!(input, Side, "side"),
                price: input.i64()?,
                quantity: input.i64()?,
                orders: input.u32()?,
            },
            12 => Outcome::Trade {
                auction: read_auction(input)?,
                instrument: input.u32()?,
                trade_id: input.u64()?,
                price: input.i64()?,
                quantity: input.i64()?,
                aggressor_side: word!(input, Side, "side"),
                resting_order_id: input.u64()?,
            },
            20 => Outcome::SessionChanged {
                instrument: input.u32()?,
                before: word!(input, TradingSession, "trading session"),
                after: word!(input, TradingSession, "trading session"),
                until: input.u64()?,
            },
            21 => Outcome::Indicated {
                instrument: input.u32()?,
                price: input.i64()?,
                volume: input.i64()?,
                imbalance: input.i64()?,
                reference: input.option_i64()?,
            },
            22 => Outcome::Uncrossed {
                instrument: input.u32()?,
                session: word!(input, TradingSession, "trading session"),
                price: input.i64()?,
                volume: input.i64()?,
                imbalance: input.i64()?,
            },
            23 => {
                Outcome::BandBreached { instrument: input.u32()?, price: input.i64()?, bound: input.i64()? }
            }
            24 => Outcome::BookOrder { instrument: input.u32()?, shown: State::read(input)? },
            25 => Outcome::Unpriced,
            16 => Outcome::Repriced { price: input.i64()?, stop_price: input.i64()? },
            17 => {
                let refusal = State::read(input)?;
                Outcome::Reduced { quantity: input.i64()?, refusal }
            }
            found => return Err(input.invalid("venue outcome", u64::from(found))),
        })
    }
}

/// 0 for a trade outside auctions.
fn read_auction(input: &mut StateReader<'_>) -> Result<Option<TradingSession>, StateError> {
    let number = input.u8()?;
    let session = TradingSession::from_number(number);
    if session.is_none() && number != 0 {
        return Err(input.invalid("trading session", u64::from(number)));
    }
    Ok(session)
}

impl State for ShownOrder {
    fn write(&self, out: &mut StateWriter) {
        out.u8(self.change as u8);
        out.u64(self.order_id);
        out.u8(self.side as u8);
        out.i64(self.price);
        out.i64(self.quantity);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let change = match input.u8()? {
            1 => OrderChange::Added,
            2 => OrderChange::Changed,
            3 => OrderChange::Removed,
            found => return Err(input.invalid("change of an order", u64::from(found))),
        };
        let (order_id, side) = (input.u64()?, word!(input, Side, "side"));
        Ok(ShownOrder { change, order_id, side, price: input.i64()?, quantity: input.i64()? })
    }
}

//! Byte form of the messages a venue holds while they travel.

use crate::rules::Refusal;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{Liquidity, OrderType, Side, Sizing, TimeInForce};
use crate::venue::{Outcome, VenueOrder, VenueReport, VenueRequest};

/// Reads one of the numbered words of an order.
macro_rules! word {
    ($input:ident, $type:ident, $what:literal) => {{
        let number = $input.u8()?;
        $type::from_number(number).ok_or_else(|| $input.invalid($what, u64::from(number)))?
    }};
}

pub(super) fn read_side(input: &mut StateReader<'_>) -> Result<Side, StateError> {
    Ok(word!(input, Side, "side"))
}

pub(super) fn write_order(order: &VenueOrder, out: &mut StateWriter) {
    out.u64(order.order_id);
    out.u64(order.client_order_id);
    out.u32(order.account);
    out.u32(order.instrument);
    out.u8(order.side as u8);
    out.u8(order.order_type as u8);
    out.u8(order.time_in_force as u8);
    out.u8(order.sizing as u8);
    out.u16(order.options);
    out.i64(order.price);
    out.i64(order.quantity);
    out.i64(order.stop_price);
    out.u64(order.expire_time);
    out.option_i64(order.released_at);
}

pub(super) fn read_order(input: &mut StateReader<'_>) -> Result<VenueOrder, StateError> {
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

pub(super) fn write_request(request: &VenueRequest, out: &mut StateWriter) {
    match *request {
        VenueRequest::Submit(ref order) => {
            out.u8(1);
            write_order(order, out);
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

pub(super) fn read_request(input: &mut StateReader<'_>) -> Result<VenueRequest, StateError> {
    match input.u8()? {
        1 => Ok(VenueRequest::Submit(read_order(input)?)),
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

pub(super) fn write_report(report: &VenueReport, out: &mut StateWriter) {
    out.u64(report.order_id);
    out.u64(report.venue_time);
    let refused = |out: &mut StateWriter, number: u8, refusal: &Refusal| {
        out.u8(number);
        refusal.write(out);
    };
    match report.outcome {
        Outcome::Accepted { venue_order_id } => {
            out.u8(1);
            out.u64(venue_order_id);
        }
        Outcome::Rejected { ref refusal } => refused(out, 2, refusal),
        Outcome::Filled { trade_id, price, quantity, liquidity, .. } => {
            out.u8(3);
            out.u64(trade_id);
            out.i64(price);
            out.i64(quantity);
            out.u8(liquidity as u8);
        }
        Outcome::Canceled { ref refusal } => refused(out, 4, refusal),
        Outcome::Expired => out.u8(5),
        Outcome::Replaced { price, quantity, stop_price } => {
            out.u8(6);
            [price, quantity, stop_price].into_iter().for_each(|value| out.i64(value));
        }
        Outcome::CancelRejected { ref refusal } => refused(out, 7, refusal),
        Outcome::ReplaceRejected { ref refusal } => refused(out, 8, refusal),
        Outcome::Triggered { price } => {
            out.u8(9);
            out.i64(price);
        }
        // This venue has no book of its own, so it never reports one; `Unknown` shares the arm.
        Outcome::Unknown | Outcome::BookLevel { .. } | Outcome::Trade { .. } => out.u8(10),
    }
}

pub(super) fn read_report(input: &mut StateReader<'_>) -> Result<VenueReport, StateError> {
    let (order_id, venue_time) = (input.u64()?, input.u64()?);
    Ok(VenueReport { order_id, venue_time, outcome: read_outcome(input)? })
}

fn read_outcome(input: &mut StateReader<'_>) -> Result<Outcome, StateError> {
    Ok(match input.u8()? {
        1 => Outcome::Accepted { venue_order_id: input.u64()? },
        2 => Outcome::Rejected { refusal: Refusal::read(input)? },
        3 => Outcome::Filled {
            trade_id: input.u64()?,
            price: input.i64()?,
            quantity: input.i64()?,
            liquidity: word!(input, Liquidity, "liquidity"),
            fee_nano: None,
            contra: None,
        },
        4 => Outcome::Canceled { refusal: Refusal::read(input)? },
        5 => Outcome::Expired,
        6 => Outcome::Replaced { price: input.i64()?, quantity: input.i64()?, stop_price: input.i64()? },
        7 => Outcome::CancelRejected { refusal: Refusal::read(input)? },
        8 => Outcome::ReplaceRejected { refusal: Refusal::read(input)? },
        9 => Outcome::Triggered { price: input.i64()? },
        10 => Outcome::Unknown,
        found => return Err(input.invalid("outcome", u64::from(found))),
    })
}

//! The venue as bytes: markets, tickets by order id, and what waits to be done and to be told. Stops and
//! expiries are read back from the tickets.

use std::collections::VecDeque;

use super::{Market, MatchingVenue, Place, Ticket, TriggeredStop, Work, to_book};
use crate::book::{Book, check_price, check_quantity};
use crate::rules::Refusal;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{Liquidity, OrderType, Side, Sizing, TimeInForce};
use crate::venue::{Outcome, VenueOrder, VenueReport, VenueRequest};

impl State for MatchingVenue {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.trades);
        out.u64(self.stops);
        out.length(self.markets.len());
        self.markets.iter().for_each(|market| write_market(market.as_deref(), out));
        let mut tickets: Vec<&Ticket> = self.tickets.values().collect();
        tickets.sort_unstable_by_key(|ticket| ticket.order.order_id);
        out.list(tickets.into_iter());
        out.list(self.triggered.iter());
        out.length(self.work.len());
        for (time, work) in &self.work {
            out.u64(*time);
            work.write(out);
        }
        out.length(self.reports.len());
        self.reports.iter().for_each(|report| write_report(report, out));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut venue = MatchingVenue { trades: input.u64()?, stops: input.u64()?, ..Self::default() };
        let markets = input.length()?;
        venue.markets = (0..markets).map(|_| read_market(input)).collect::<Result<_, _>>()?;
        for ticket in input.list::<Ticket>()? {
            venue.restore_ticket(ticket, input)?;
        }
        let in_books: usize = venue.markets.iter().flatten().map(|market| market.book.len()).sum();
        let booked = venue.tickets.values().filter(|ticket| ticket.place == Place::Book).count();
        if in_books != booked {
            return Err(input.invalid("ticket for every order in a book", in_books as u64));
        }
        venue.triggered = input.list::<TriggeredStop>()?.into();
        venue.work = read_queue(input, |input| Ok((input.u64()?, Work::read(input)?)))?;
        venue.reports = read_queue(input, read_report)?;
        Ok(venue)
    }
}

impl MatchingVenue {
    fn restore_ticket(&mut self, ticket: Ticket, input: &StateReader<'_>) -> Result<(), StateError> {
        let order = ticket.order;
        let invalid = input.invalid("ticket of a live order", order.order_id);
        let market = self.market_mut(order.instrument).ok_or(invalid)?;
        let in_book = market.book.order(order.order_id).map(|resting| resting.leaves);
        let expected = ticket.leaves().checked_sub(ticket.excess);
        match ticket.place {
            Place::Book if in_book.is_none() || in_book != expected => return Err(invalid),
            Place::Stop(sequence) => {
                market.stops.insert(order.side, order.stop_price, sequence, order.order_id);
            }
            Place::Book | Place::Triggered => {}
        }
        if self.tickets.contains_key(&order.order_id) {
            return Err(invalid);
        }
        self.keep(ticket);
        Ok(())
    }
}

fn read_queue<T>(
    input: &mut StateReader<'_>,
    item: impl Fn(&mut StateReader<'_>) -> Result<T, StateError>,
) -> Result<VecDeque<T>, StateError> {
    let len = input.length()?;
    (0..len).map(|_| item(input)).collect()
}

fn write_market(market: Option<&Market>, out: &mut StateWriter) {
    out.bool(market.is_some());
    if let Some(market) = market {
        out.option_i64(market.last_price);
        market.book.write(out);
    }
}

fn read_market(input: &mut StateReader<'_>) -> Result<Option<Box<Market>>, StateError> {
    if !input.bool()? {
        return Ok(None);
    }
    let last_price = input.option_i64()?;
    Ok(Some(Box::new(Market { last_price, book: Book::read(input)?, ..Market::default() })))
}

impl State for Ticket {
    fn write(&self, out: &mut StateWriter) {
        write_order(&self.order, out);
        out.i64(self.executed);
        out.i64(self.excess);
        match self.place {
            Place::Book => out.u8(1),
            Place::Stop(sequence) => {
                out.u8(2);
                out.u64(sequence);
            }
            Place::Triggered => out.u8(3),
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (order, executed, excess) = (read_order(input)?, input.i64()?, input.i64()?);
        let place = match input.u8()? {
            1 => Place::Book,
            2 => Place::Stop(input.u64()?),
            3 => Place::Triggered,
            found => return Err(input.invalid("place of an order", u64::from(found))),
        };
        let used = [to_book(&order).price, if order.order_type.has_stop() { order.stop_price } else { 0 }];
        let prices = check_price(used[0]).and(check_price(used[1]));
        if prices.and(check_quantity(order.quantity)).is_err() {
            return Err(input.invalid("price and quantity of an order", order.order_id));
        }
        if executed < 0 || excess < 0 || order.quantity <= executed {
            return Err(input.invalid("executed quantity", executed as u64));
        }
        Ok(Ticket { order, executed, excess, place })
    }
}

impl State for TriggeredStop {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.order_id);
        out.i64(self.price);
        out.u64(self.time);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(TriggeredStop { order_id: input.u64()?, price: input.i64()?, time: input.u64()? })
    }
}

impl State for Work {
    fn write(&self, out: &mut StateWriter) {
        match *self {
            Work::Request(VenueRequest::Submit(order)) => {
                out.u8(1);
                write_order(&order, out);
            }
            Work::Request(VenueRequest::Replace { order_id, instrument, price, quantity, stop_price }) => {
                out.u8(2);
                out.u64(order_id);
                out.u32(instrument);
                [price, quantity, stop_price].into_iter().for_each(|value| out.i64(value));
            }
            Work::Request(VenueRequest::Cancel { order_id, instrument }) => {
                out.u8(3);
                out.u64(order_id);
                out.u32(instrument);
            }
            Work::Request(VenueRequest::Query { order_id, instrument, client_order_id }) => {
                out.u8(4);
                out.u64(order_id);
                out.u32(instrument);
                out.u64(client_order_id);
            }
            Work::CloseSession { instrument } => {
                out.u8(5);
                out.u32(instrument);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let request = match input.u8()? {
            1 => VenueRequest::Submit(read_order(input)?),
            2 => VenueRequest::Replace {
                order_id: input.u64()?,
                instrument: input.u32()?,
                price: input.i64()?,
                quantity: input.i64()?,
                stop_price: input.i64()?,
            },
            3 => VenueRequest::Cancel { order_id: input.u64()?, instrument: input.u32()? },
            4 => VenueRequest::Query {
                order_id: input.u64()?,
                instrument: input.u32()?,
                client_order_id: input.u64()?,
            },
            5 => return Ok(Work::CloseSession { instrument: input.u32()? }),
            found => return Err(input.invalid("request to a venue", u64::from(found))),
        };
        Ok(Work::Request(request))
    }
}

fn write_order(order: &VenueOrder, out: &mut StateWriter) {
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

/// One byte that names a term.
fn read_term<T>(
    input: &mut StateReader<'_>,
    what: &'static str,
    from_number: fn(u8) -> Option<T>,
) -> Result<T, StateError> {
    let number = input.u8()?;
    from_number(number).ok_or_else(|| input.invalid(what, u64::from(number)))
}

fn read_order(input: &mut StateReader<'_>) -> Result<VenueOrder, StateError> {
    Ok(VenueOrder {
        order_id: input.u64()?,
        client_order_id: input.u64()?,
        account: input.u32()?,
        instrument: input.u32()?,
        side: read_term(input, "side", Side::from_number)?,
        order_type: read_term(input, "order type", OrderType::from_number)?,
        time_in_force: read_term(input, "time in force", TimeInForce::from_number)?,
        sizing: read_term(input, "sizing", Sizing::from_number)?,
        options: input.u16()?,
        price: input.i64()?,
        quantity: input.i64()?,
        stop_price: input.i64()?,
        expire_time: input.u64()?,
        released_at: input.option_i64()?,
    })
}

fn write_report(report: &VenueReport, out: &mut StateWriter) {
    out.u64(report.order_id);
    out.u64(report.venue_time);
    match report.outcome {
        Outcome::Accepted { venue_order_id } => {
            out.u8(1);
            out.u64(venue_order_id);
        }
        Outcome::Rejected { refusal } => write_refusal(2, &refusal, out),
        Outcome::Canceled { refusal } => write_refusal(3, &refusal, out),
        Outcome::CancelRejected { refusal } => write_refusal(4, &refusal, out),
        Outcome::ReplaceRejected { refusal } => write_refusal(5, &refusal, out),
        Outcome::Expired => out.u8(6),
        Outcome::Unknown => out.u8(7),
        Outcome::Triggered { price } => {
            out.u8(8);
            out.i64(price);
        }
        Outcome::Replaced { price, quantity, stop_price } => {
            out.u8(9);
            [price, quantity, stop_price].into_iter().for_each(|value| out.i64(value));
        }
        Outcome::Filled { trade_id, price, quantity, liquidity, fee_nano, contra } => {
            out.u8(10);
            out.u64(trade_id);
            out.i64(price);
            out.i64(quantity);
            out.u8(liquidity as u8);
            out.option_i64(fee_nano);
            out.option_u64(contra);
        }
        Outcome::BookLevel { instrument, side, price, quantity, orders } => {
            out.u8(11);
            out.u32(instrument);
            out.u8(side as u8);
            out.i64(price);
            out.i64(quantity);
            out.u32(orders);
        }
        Outcome::Trade { instrument, trade_id, price, quantity, aggressor_side, resting_order_id } => {
            out.u8(12);
            out.u32(instrument);
            out.u64(trade_id);
            out.i64(price);
            out.i64(quantity);
            out.u8(aggressor_side as u8);
            out.u64(resting_order_id);
        }
    }
}

fn write_refusal(kind: u8, refusal: &Refusal, out: &mut StateWriter) {
    out.u8(kind);
    refusal.write(out);
}

fn read_report(input: &mut StateReader<'_>) -> Result<VenueReport, StateError> {
    let (order_id, venue_time) = (input.u64()?, input.u64()?);
    Ok(VenueReport { order_id, venue_time, outcome: read_outcome(input)? })
}

fn read_outcome(input: &mut StateReader<'_>) -> Result<Outcome, StateError> {
    Ok(match input.u8()? {
        1 => Outcome::Accepted { venue_order_id: input.u64()? },
        2 => Outcome::Rejected { refusal: Refusal::read(input)? },
        3 => Outcome::Canceled { refusal: Refusal::read(input)? },
        4 => Outcome::CancelRejected { refusal: Refusal::read(input)? },
        5 => Outcome::ReplaceRejected { refusal: Refusal::read(input)? },
        6 => Outcome::Expired,
        7 => Outcome::Unknown,
        8 => Outcome::Triggered { price: input.i64()? },
        9 => Outcome::Replaced { price: input.i64()?, quantity: input.i64()?, stop_price: input.i64()? },
        10 => Outcome::Filled {
            trade_id: input.u64()?,
            price: input.i64()?,
            quantity: input.i64()?,
            liquidity: read_term(input, "liquidity", Liquidity::from_number)?,
            fee_nano: input.option_i64()?,
            contra: input.option_u64()?,
        },
        11 => Outcome::BookLevel {
            instrument: input.u32()?,
            side: read_term(input, "side", Side::from_number)?,
            price: input.i64()?,
            quantity: input.i64()?,
            orders: input.u32()?,
        },
        12 => Outcome::Trade {
            instrument: input.u32()?,
            trade_id: input.u64()?,
            price: input.i64()?,
            quantity: input.i64()?,
            aggressor_side: read_term(input, "side", Side::from_number)?,
            resting_order_id: input.u64()?,
        },
        found => return Err(input.invalid("outcome of a report", u64::from(found))),
    })
}

//! The venue as bytes: markets, tickets by order id, and what waits to be done and to be told. Stops and
//! expiries are read back from the tickets.

use super::{Market, MatchingVenue, Place, Ticket, TriggeredStop, Work, to_book};
use crate::book::{Book, check_price, check_quantity};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::venue::{VenueOrder, VenueReport};

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
        out.list(self.reports.iter());
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
        let work = input.length()?;
        venue.work = (0..work).map(|_| Ok((input.u64()?, Work::read(input)?))).collect::<Result<_, _>>()?;
        venue.reports = input.list::<VenueReport>()?.into();
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
        self.order.write(out);
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
        let (order, executed, excess) = (VenueOrder::read(input)?, input.i64()?, input.i64()?);
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
        match self {
            Work::Request(request) => {
                out.u8(1);
                request.write(out);
            }
            Work::CloseSession { instrument } => {
                out.u8(2);
                out.u32(*instrument);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        match input.u8()? {
            1 => Ok(Work::Request(State::read(input)?)),
            2 => Ok(Work::CloseSession { instrument: input.u32()? }),
            found => Err(input.invalid("work of a venue", u64::from(found))),
        }
    }
}

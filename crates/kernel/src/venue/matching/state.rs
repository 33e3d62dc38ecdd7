//! The venue as bytes: markets, tickets by order id, and what waits to be done and to be told. Stops and
//! expiries are read back from the tickets.

use super::entry::to_book;
use super::sessions::shown_orders;
use super::special::Special;
use super::{Conditions, Market, MarketBook, MatchingVenue, Place, Ticket, TriggeredStop, Work};
use crate::book::{check_price, check_quantity};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{Side, options};
use crate::tracked::TrackedTable;
use crate::venue::{VenueOrder, VenueReport};

impl State for MatchingVenue {
    fn write(&self, out: &mut StateWriter) {
        out.length(self.markets.len());
        self.markets.iter().for_each(|market| write_market(market.as_deref(), out));
        let last_prices = self.last_prices.sorted();
        out.length(last_prices.len());
        for (instrument, price) in last_prices {
            out.u32(instrument);
            out.i64(*price);
        }
        let conditions = self.conditions.sorted();
        out.length(conditions.len());
        for (instrument, one) in conditions {
            out.u32(instrument);
            one.write(out);
        }
        write_specials(&self.specials, out);
        out.list(self.tickets.sorted().into_iter().map(|(_, ticket)| ticket));
        self.write_waiting(out);
        write_by_number(&self.self_trade, out);
        let marks = self.marks.sorted();
        out.length(marks.len());
        for (instrument, price) in marks {
            out.u32(instrument);
            out.i64(*price);
        }
        self.write_restless(out);
        self.write_shrunk(out);
        self.write_asking(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut venue = MatchingVenue::default();
        let markets = input.length()?;
        venue.markets = (0..markets).map(|_| read_market(input)).collect::<Result<_, _>>()?;
        for _ in 0..input.length()? {
            venue.last_prices.insert(input.u32()?, input.i64()?);
        }
        for _ in 0..input.length()? {
            let instrument = input.u32()?;
            let conditions = Conditions::read(input)?;
            venue.restore_conditions(instrument, conditions, input)?;
        }
        venue.check_collecting(input)?;
        for _ in 0..input.length()? {
            venue.specials.insert(input.u64()?, State::read(input)?);
        }
        for ticket in input.list::<Ticket>()? {
            venue.restore_ticket(ticket, input)?;
        }
        venue.check_queues(input)?;
        let in_books: usize = venue.markets.iter().flatten().map(|market| market.book.len()).sum();
        let booked = venue.tickets.values().filter(|ticket| matches!(ticket.place, Place::Book(_))).count();
        if in_books != booked {
            return Err(input.invalid("ticket for every order in a book", in_books as u64));
        }
        (venue.trades, venue.arrivals) = (input.u64()?, input.u64()?);
        venue.triggered = input.list::<TriggeredStop>()?.into();
        let work = input.length()?;
        venue.work = (0..work).map(|_| Ok((input.u64()?, Work::read(input)?))).collect::<Result<_, _>>()?;
        venue.reports = input.list::<VenueReport>()?.into();
        for _ in 0..input.length()? {
            venue.self_trade.insert(input.u32()?, State::read(input)?);
        }
        for _ in 0..input.length()? {
            venue.marks.insert(input.u32()?, input.i64()?);
        }
        venue.read_restless(input)?;
        venue.read_shrunk(input)?;
        venue.read_asking(input)?;
        Ok(venue)
    }
}

impl MatchingVenue {
    /// What is under way or counted, and no entity of its own.
    pub(super) fn write_waiting(&self, out: &mut StateWriter) {
        out.u64(self.trades);
        out.u64(self.arrivals);
        out.list(self.triggered.iter());
        out.length(self.work.len());
        for (time, work) in &self.work {
            out.u64(*time);
            work.write(out);
        }
        out.list(self.reports.iter());
    }

    fn restore_conditions(
        &mut self,
        instrument: u32,
        conditions: Conditions,
        input: &StateReader<'_>,
    ) -> Result<(), StateError> {
        let Some(market) = self.market_mut(instrument) else {
            return Err(input.invalid("instrument with conditions", u64::from(instrument)));
        };
        market.is_plain = false;
        market.shown = conditions.by_order.then(|| Box::new(shown_orders(&market.book)));
        if conditions.until != 0 {
            self.session_ends.insert((conditions.until, instrument));
        }
        self.conditions.insert(instrument, conditions);
        self.refresh_fence(instrument);
        Ok(())
    }

    /// A book collects when its session says so, and then only.
    fn check_collecting(&mut self, input: &StateReader<'_>) -> Result<(), StateError> {
        for (market, instrument) in self.markets.iter().zip(1..) {
            let Some(market) = market else { continue };
            if market.book.is_collecting() != self.session(instrument).collects() {
                return Err(input.invalid("trading session of a book", u64::from(instrument)));
            }
            if market.book.policy().is_some() {
                self.policed.insert(instrument);
            }
        }
        Ok(())
    }

    /// Markets to be looked at.
    pub(super) fn write_restless(&self, out: &mut StateWriter) {
        out.length(self.restless.len());
        for &(instrument, time) in &self.restless {
            out.u32(instrument);
            out.u64(time);
        }
    }

    fn read_restless(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        for _ in 0..input.length()? {
            let (instrument, time) = (input.u32()?, input.u64()?);
            self.restless.push_back((instrument, time));
        }
        Ok(())
    }

    /// Markets whose reduce-only orders must be looked at, and in each who traded which side.
    pub(super) fn write_shrunk(&self, out: &mut StateWriter) {
        out.length(self.shrunk.len());
        for &(instrument, time) in &self.shrunk {
            out.u32(instrument);
            out.u64(time);
            let reducing = self.market(instrument).and_then(|market| market.reducing.as_deref());
            out.length(reducing.map_or(0, |reducing| reducing.shrunk.len()));
            for (account, side) in reducing.iter().flat_map(|reducing| &reducing.shrunk) {
                out.u32(*account);
                out.u8(*side as u8);
            }
        }
    }

    fn read_shrunk(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        for _ in 0..input.length()? {
            let (instrument, time) = (input.u32()?, input.u64()?);
            self.shrunk.push_back((instrument, time));
            for _ in 0..input.length()? {
                let (account, number) = (input.u32()?, input.u8()?);
                let side = Side::from_number(number).ok_or(input.invalid("side", u64::from(number)))?;
                let market = self.market_mut(instrument);
                if let Some(reducing) = market.and_then(|market| market.reducing.as_deref_mut()) {
                    reducing.shrunk.insert((account, side));
                }
            }
        }
        Ok(())
    }

    /// Queues must stand in the order of their numbers: by those the state hash covers it.
    fn check_queues(&self, input: &StateReader<'_>) -> Result<(), StateError> {
        let sides = self
            .markets
            .iter()
            .flatten()
            .flat_map(|market| [Side::Buy, Side::Sell].map(|side| market.book.orders(side)));
        for queue in sides {
            let mut last = (0, false, 0);
            for order in queue {
                let ticket = self.tickets.get(order.order_id);
                let Some(Place::Book(arrival)) = ticket.map(|ticket| ticket.place) else { continue };
                // Hidden orders queue up behind the shown ones of their price.
                let is_hidden = order.shown == 0;
                if (order.price, is_hidden) == (last.0, last.1) && arrival <= last.2 {
                    return Err(input.invalid("order in its place in the queue", order.order_id));
                }
                last = (order.price, is_hidden, arrival);
            }
        }
        Ok(())
    }

    fn restore_ticket(&mut self, ticket: Ticket, input: &StateReader<'_>) -> Result<(), StateError> {
        let order = ticket.order;
        let invalid = input.invalid("ticket of a live order", order.order_id);
        let market = self.market_mut(order.instrument).ok_or(invalid)?;
        let in_book = market.book.order(order.order_id).map(|resting| resting.leaves);
        let expected = ticket.leaves().checked_sub(ticket.excess);
        match ticket.place {
            Place::Book(_) if in_book.is_none() || in_book != expected => return Err(invalid),
            _ => {}
        }
        let is_special = order.options & options::ASIDE != 0;
        if self.tickets.contains_key(order.order_id)
            || is_special != self.specials.contains_key(order.order_id)
        {
            return Err(invalid);
        }
        match ticket.place {
            Place::Stop(_) => {
                let watch = self.watch(&ticket);
                if let Some(market) = self.market_mut(order.instrument) {
                    market.triggers.insert(&watch);
                }
            }
            Place::Parked => self.stand(&order),
            Place::Book(_) if is_special || order.options & options::REDUCE_ONLY != 0 => {
                self.restore_standing(&order);
            }
            Place::AtClose(arrival) => {
                self.open_market(order.instrument)
                    .map_err(|_| invalid)?
                    .at_close
                    .insert(arrival, order.order_id);
            }
            Place::Book(_) | Place::Triggered => {}
        }
        self.keep(ticket);
        Ok(())
    }
}

fn write_specials(specials: &TrackedTable<u64, Special>, out: &mut StateWriter) {
    let specials = specials.sorted();
    out.length(specials.len());
    for (order_id, special) in specials {
        out.u64(order_id);
        special.write(out);
    }
}

fn write_by_number<V: State>(table: &TrackedTable<u32, V>, out: &mut StateWriter) {
    let entries = table.sorted();
    out.length(entries.len());
    for (number, value) in entries {
        out.u32(number);
        value.write(out);
    }
}

fn write_market(market: Option<&Market>, out: &mut StateWriter) {
    out.bool(market.is_some());
    if let Some(market) = market {
        market.book.write(out);
    }
}

fn read_market(input: &mut StateReader<'_>) -> Result<Option<Box<Market>>, StateError> {
    if !input.bool()? {
        return Ok(None);
    }
    Ok(Some(Box::new(Market { book: MarketBook::read(input)?, ..Market::default() })))
}

impl State for Ticket {
    fn write(&self, out: &mut StateWriter) {
        self.order.write(out);
        out.i64(self.executed);
        out.i64(self.excess);
        match self.place {
            Place::Book(arrival) => {
                out.u8(1);
                out.u64(arrival);
            }
            Place::Stop(sequence) => {
                out.u8(2);
                out.u64(sequence);
            }
            Place::Triggered => out.u8(3),
            Place::AtClose(arrival) => {
                out.u8(4);
                out.u64(arrival);
            }
            Place::Parked => out.u8(5),
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (order, executed, excess) = (VenueOrder::read(input)?, input.i64()?, input.i64()?);
        let place = match input.u8()? {
            1 => Place::Book(input.u64()?),
            2 => Place::Stop(input.u64()?),
            3 => Place::Triggered,
            4 => Place::AtClose(input.u64()?),
            5 => Place::Parked,
            found => return Err(input.invalid("place of an order", u64::from(found))),
        };
        let used = [to_book(&order).price, if order.order_type.waits() { order.stop_price } else { 0 }];
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

impl Ticket {
    /// What the state hash is taken of: all that [`State::write`] writes, in few pieces.
    pub(super) fn write_digest(&self, out: &mut StateWriter) {
        let order = &self.order;
        let (place, number) = self.place.numbers();
        let terms = [order.side as u8, order.order_type as u8, order.time_in_force as u8, place];
        out.words(&[
            u64::from(order.account) | u64::from(order.instrument) << 32,
            order.client_order_id,
            u64::from(u32::from_le_bytes(terms)) | u64::from(order.options) << 32,
            order.price as u64,
            order.quantity as u64,
            self.executed as u64,
            number,
        ]);
        let (has_stop, is_timed) = (order.stop_price != 0, order.expire_time != 0);
        if has_stop || is_timed || self.excess != 0 || order.released_at.is_some() {
            out.words(&[order.stop_price as u64, order.expire_time, self.excess as u64]);
            out.u8(order.sizing as u8);
            out.option_i64(order.released_at);
        }
    }
}

impl Place {
    /// Its kind, and the number of those that have one.
    fn numbers(self) -> (u8, u64) {
        match self {
            Place::Book(arrival) => (1, arrival),
            Place::Stop(sequence) => (2, sequence),
            Place::Triggered => (3, 0),
            Place::AtClose(arrival) => (4, arrival),
            Place::Parked => (5, 0),
        }
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
            Work::Mark { instrument, price } => {
                out.u8(8);
                out.u32(*instrument);
                out.i64(*price);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        match input.u8()? {
            1 => Ok(Work::Request(State::read(input)?)),
            2 => Ok(Work::CloseSession { instrument: input.u32()? }),
            8 => Ok(Work::Mark { instrument: input.u32()?, price: input.i64()? }),
            found => Err(input.invalid("work of a venue", u64::from(found))),
        }
    }
}

//! The whole state, written, read back and hashed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{AnyVenue, Engine, Events, FeeQuestion, OutboxEntry};
use crate::risk::Reservation;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::VenueKind;
use crate::tracked::{EntityHasher, Tracked};
use crate::venue::matching::MatchingVenue;
use crate::venue::remote::RemoteVenue;
use crate::venue::simulated::SimulatedVenue;

impl Engine {
    /// 128-bit hash of the logical state: a wrapping sum over entities, so it does not depend on the order in
    /// which they are visited. Only what changed since the last call is hashed again.
    pub fn state_hash(&mut self) -> u128 {
        let mut hasher = std::mem::take(&mut self.hasher);
        let sum = self.entity_sum(&mut hasher);
        self.hasher = hasher;
        sum
    }

    fn entity_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        let parts = [
            self.orders.state_sum(hasher),
            self.instruments.hash_by(|all| hasher.hash("instruments", 0u64, |out| all.write(out))),
            self.names.hash_by(|names| hasher.hash("names", 0u64, |out| write_names(names, out))),
            self.portfolio.state_sum(hasher),
            self.marks.state_sum(hasher),
            self.fees.hash("fees", hasher),
            self.risk.state_sum(hasher),
            self.timers.state_sum(hasher),
            self.participants.state_sum(hasher),
            hasher.hash("session", 0u64, |out| self.write_session(out)),
        ];
        // Two venues in each other's state are another state.
        let venues = self.venues.iter_mut().zip(0u64..).map(|(venue, index)| {
            let sum = venue.get_mut().state_sum(hasher);
            hasher.hash("venue", index, |out| {
                out.u8(venue.kind() as u8);
                out.u128(sum);
            })
        });
        venues.chain(parts).fold(0, u128::wrapping_add)
    }

    /// What fits nowhere else.
    fn write_session(&self, out: &mut StateWriter) {
        out.u8(self.shard);
        out.length(self.pending_marks.len());
        for (instrument, mark) in &self.pending_marks {
            out.u32(*instrument);
            out.i64(*mark);
        }
        out.length(self.halted.len());
        self.halted.iter().for_each(|instrument| out.u32(*instrument));
        out.bool(self.marks_are_due);
        out.option(self.fee_question.as_ref());
    }

    fn read_session(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.shard = input.u8()?;
        for _ in 0..input.length()? {
            self.pending_marks.push((input.u32()?, input.i64()?));
        }
        for _ in 0..input.length()? {
            self.halted.insert(input.u32()?);
        }
        self.marks_are_due = input.bool()?;
        self.fee_question = input.option()?;
        Ok(())
    }
}

fn write_names(names: &BTreeMap<(u8, u32), String>, out: &mut StateWriter) {
    out.length(names.len());
    for ((kind, id), name) in names {
        out.u8(*kind);
        out.u32(*id);
        out.bytes(name.as_bytes());
    }
}

fn read_names(input: &mut StateReader<'_>) -> Result<BTreeMap<(u8, u32), String>, StateError> {
    let mut names = BTreeMap::new();
    for _ in 0..input.length()? {
        let key = (input.u8()?, input.u32()?);
        let name = std::str::from_utf8(input.bytes()?).map(str::to_owned);
        names.insert(key, name.map_err(|_| input.invalid("UTF-8 name", 0))?);
    }
    Ok(names)
}

impl State for Engine {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.sequence);
        out.u64(self.time);
        write_names(&self.names, out);
        self.write_session(out);
        self.instruments.write(out);
        self.orders.write(out);
        self.portfolio.write(out);
        self.marks.write(out);
        self.fees.write(out);
        self.risk.write(out);
        out.list(self.venues.iter());
        self.timers.write(out);
        self.participants.write(out);
        // Not part of the hash: how much of it was handed out already is not in the journal.
        out.list(self.outbox.iter());
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut engine = Engine::new(0);
        engine.sequence = input.u64()?;
        engine.time = input.u64()?;
        engine.names = Tracked::new(read_names(input)?);
        engine.read_session(input)?;
        engine.instruments = Tracked::new(Arc::new(State::read(input)?));
        engine.orders = State::read(input)?;
        engine.portfolio = State::read(input)?;
        engine.marks = State::read(input)?;
        engine.fees = Tracked::new(State::read(input)?);
        engine.risk = State::read(input)?;
        engine.venues = input.list()?;
        let asks = |venue: &AnyVenue| matches!(venue, AnyVenue::Matching(venue) if venue.allocation_question().is_some());
        engine.asking_venue = engine.venues.iter().position(asks).map(|venue| venue as u16);
        engine.timers = State::read(input)?;
        engine.participants = State::read(input)?;
        engine.outbox = input.list::<OutboxEntry>()?.into();
        let Engine { orders, risk, .. } = &mut engine;
        orders.open().for_each(|order| risk.opened(&Reservation::of_open(order)));
        let waiting = engine.orders.iter().filter(|order| order.uncommon.deadline != 0);
        engine.deadlines = waiting.map(|order| (order.uncommon.deadline, order.order_id)).collect();
        engine.events = Events::default();
        Ok(engine)
    }
}

impl State for AnyVenue {
    fn write(&self, out: &mut StateWriter) {
        out.u8(self.kind() as u8);
        match self {
            AnyVenue::Matching(venue) => venue.write(out),
            AnyVenue::Simulated(venue) => venue.write(out),
            AnyVenue::Remote(venue) => venue.write(out),
            AnyVenue::AtWork(_) => {}
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let number = input.u8()?;
        let kind =
            VenueKind::from_number(number).ok_or_else(|| input.invalid("venue kind", u64::from(number)))?;
        Ok(match kind {
            VenueKind::Matching => AnyVenue::Matching(Box::new(MatchingVenue::read(input)?)),
            VenueKind::Simulated => AnyVenue::Simulated(Box::new(SimulatedVenue::read(input)?)),
            VenueKind::Remote => AnyVenue::Remote(RemoteVenue::read(input)?),
        })
    }
}

impl State for OutboxEntry {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.cause_sequence);
        out.u16(self.venue);
        self.request.write(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(OutboxEntry { cause_sequence: input.u64()?, venue: input.u16()?, request: State::read(input)? })
    }
}

impl State for FeeQuestion {
    fn write(&self, out: &mut StateWriter) {
        out.u16(self.venue);
        self.report.write(out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(FeeQuestion { venue: input.u16()?, report: State::read(input)? })
    }
}

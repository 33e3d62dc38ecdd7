//! The whole state, written, read back and hashed.

use std::sync::Arc;

use super::{AnyVenue, Engine, Events, FeeQuestion, OutboxEntry};
use crate::hash::entity_hash;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::VenueKind;
use crate::venue::matching::MatchingVenue;
use crate::venue::remote::RemoteVenue;
use crate::venue::simulated::SimulatedVenue;

impl Engine {
    /// 128-bit hash of the logical state: a wrapping sum over entities, so it does not depend on the order in
    /// which they are visited. Orders are hashed again only when they changed.
    pub fn state_hash(&mut self) -> u128 {
        let mut sum = self.orders.state_sum();
        let mut writer = StateWriter::new();
        let mut add_as = |kind: &str, id: u64, write: &dyn Fn(&mut StateWriter)| {
            writer.clear();
            write(&mut writer);
            sum = sum.wrapping_add(entity_hash(kind, id, writer.as_slice()));
        };
        // Two venues in each other's state are another state.
        for (venue, index) in self.venues.iter().zip(0..) {
            add_as("venue", index, &|out| venue.write(out));
        }
        let mut add = |kind: &str, write: &dyn Fn(&mut StateWriter)| add_as(kind, 0, write);
        add("instruments", &|out| self.instruments.write(out));
        add("portfolio", &|out| self.portfolio.write(out));
        add("marks", &|out| self.marks.write(out));
        add("fees", &|out| self.fees.write(out));
        add("risk", &|out| self.risk.write(out));
        add("timers", &|out| self.timers.write(out));
        add("session", &|out| self.write_session(out));
        for participant in self.participants.iter() {
            add("participant", &|out| participant.write_summary(out));
        }
        sum
    }

    /// What fits nowhere else.
    fn write_session(&self, out: &mut StateWriter) {
        out.u8(self.shard);
        out.length(self.names.len());
        for ((kind, id), name) in &self.names {
            out.u8(*kind);
            out.u32(*id);
            out.bytes(name.as_bytes());
        }
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
            let key = (input.u8()?, input.u32()?);
            let name = std::str::from_utf8(input.bytes()?).map_err(|_| input.invalid("UTF-8 name", 0))?;
            self.names.insert(key, name.to_owned());
        }
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

impl State for Engine {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.sequence);
        out.u64(self.time);
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
        engine.read_session(input)?;
        engine.instruments = Arc::new(State::read(input)?);
        engine.orders = State::read(input)?;
        engine.portfolio = State::read(input)?;
        engine.marks = State::read(input)?;
        engine.fees = State::read(input)?;
        engine.risk = State::read(input)?;
        engine.venues = input.list()?;
        engine.timers = State::read(input)?;
        engine.participants = State::read(input)?;
        engine.outbox = input.list::<OutboxEntry>()?.into();
        let waiting = engine.orders.iter().filter(|order| order.deadline != 0);
        engine.deadlines = waiting.map(|order| (order.deadline, order.order_id)).collect();
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

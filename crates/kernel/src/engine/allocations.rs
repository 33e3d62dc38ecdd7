//! The answers of a matching policy outside the kernel.

use super::order_reports::Unmatched;
use super::{AnyVenue, Engine, EngineStopped};
use crate::message::Message;
use crate::observation::{AllocationAssessed, AllocationPayload};
use crate::record::{Body, Slot, payloads};

impl Engine {
    /// The answer to [`Engine::allocation_question`], or a part of it: with the whole of it the venue goes on.
    pub(super) fn assess_allocation(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let body = AllocationAssessed::of(&record[0]);
        let venue = self.asking_venue.map(usize::from);
        let Some(AnyVenue::Matching(asking)) = venue.and_then(|venue| self.venues.get_mut(venue)) else {
            self.unmatched(body.order_id, Message::AllocationAssessed, 0, Unmatched::NothingWasAsked);
            return Ok(());
        };
        let shares: Vec<i64> =
            payloads::<AllocationPayload>(record).flat_map(|payload| payload.quantities).collect();
        match asking.take_allocation(&body, &shares) {
            Err(reason) => return Err(self.stopped(reason)),
            Ok(false) => return Ok(()),
            Ok(true) => self.asking_venue = None,
        }
        // The one that asked first; the others were left alone while it waited.
        if let Some(venue) = venue {
            self.pull(venue)?;
        }
        for venue in 0..self.venues.len() {
            self.pull(venue)?;
        }
        self.settle_marks();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // an unwrap that fails is a failing test
mod tests {
    use super::*;
    use crate::command::{
        ConfigureVenue, DefineCurrency, DepositCash, InstrumentPayload, ListInstrument, OpenAccount,
        SetMatchingPolicy, SubmitOrder, TextPayload, policy_kind,
    };
    use crate::record::{RecordBuffer, stamp};
    use crate::state::{State, StateReader, StateWriter};
    use crate::terms::{Side, VenueKind};

    fn apply(engine: &mut Engine, mut record: RecordBuffer) -> Result<(), EngineStopped> {
        let sequence = engine.sequence + 1;
        stamp(record.slots_mut(), sequence, sequence);
        engine.apply(record.slots())
    }

    fn command<B: Body>(engine: &mut Engine, instrument: u32, account: u32, body: B, text: Option<&str>) {
        let mut record = RecordBuffer::new(body);
        (record.head_mut().instrument, record.head_mut().account) = (instrument, account);
        if instrument != 0 && text.is_some() {
            record.push(InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] });
        }
        text.into_iter().for_each(|text| record.push(TextPayload::new(text)));
        apply(engine, record).unwrap();
    }

    fn limit(id: u64, side: Side, quantity: i64) -> RecordBuffer {
        SubmitOrder::limit(1, 1, id, side, 100, quantity).to_record()
    }

    /// An instrument that asks and two offers at one price.
    fn market() -> Engine {
        let mut engine = Engine::new(0);
        let unit = 1_000_000_000;
        let (matching, reserved) = (VenueKind::Matching as u32, [0; 2]);
        command(&mut engine, 0, 0, DefineCurrency { currency: 1, reserved: [0; 3] }, Some("USD"));
        command(&mut engine, 0, 0, ConfigureVenue { venue: 0, kind: matching, currency: 0, reserved }, None);
        let listing = ListInstrument {
            price_unit_nano: unit,
            quantity_unit_nano: unit,
            multiplier_nano: unit,
            currency: 1,
            venue: 0,
        };
        command(&mut engine, 1, 0, listing, Some("ONE"));
        command(&mut engine, 0, 1, OpenAccount { currency: 1, shorting: 1, reserved }, None);
        let cash = DepositCash { amount_nano: 1_000_000 * unit, currency: 1, reserved };
        command(&mut engine, 0, 1, cash, None);
        let policy = policy_kind::ASKED;
        let asked = SetMatchingPolicy { policy, minimum: 0, by_time: 0, leveling: 0, reserved: 0 };
        command(&mut engine, 1, 0, asked, None);
        for id in 1..=2 {
            apply(&mut engine, limit(id, Side::Sell, 5)).unwrap();
        }
        engine
    }

    fn restarted(engine: &Engine) -> Engine {
        let mut writer = StateWriter::new();
        engine.write(&mut writer);
        Engine::read(&mut StateReader::new(&writer.into_bytes())).unwrap()
    }

    #[test]
    fn a_match_that_asks_unforeseen_stops_the_engine_at_the_same_record_after_a_restart() {
        let engine = market();
        let mut stops = Vec::new();
        for mut engine in [engine.clone(), restarted(&engine), engine] {
            if let Some(AnyVenue::Matching(venue)) = engine.venues.get_mut(0) {
                venue.forget_who_asks();
            }
            stops.push(apply(&mut engine, limit(3, Side::Buy, 7)).unwrap_err());
            assert!(engine.allocation_question().is_none());
        }
        assert!(
            stops[0].reason.contains("with 7 meets 2 orders at 100 of instrument 1 in a step"),
            "{}",
            stops[0]
        );
        assert!(stops.iter().all(|stop| *stop == stops[0] && stop.sequence == 9), "{stops:?}");
    }
}

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

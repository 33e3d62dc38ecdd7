//! Requests that a venue of ours answers while it is asked.
//!
//! Most requests find their venue idle. Then each report is applied as the venue makes it, instead of being kept with
//! the others and pulled: the same reports in the same order, without the way through a queue. What a report makes the
//! engine ask of the venue waits until it is done, as it does while reports are pulled.

use super::{AnyVenue, Engine, EngineStopped};
use crate::venue::at_work::{AtWork, Audience};
use crate::venue::{VenueReport, VenueRequest};

/// Applies what a venue reports while it works. From the first report that must wait on, all wait.
struct AtOnce<'a> {
    engine: &'a mut Engine,
    venue: u16,
    result: Result<(), EngineStopped>,
}

impl Audience for AtOnce<'_> {
    #[inline(always)]
    fn hears(&mut self, report: &VenueReport) -> bool {
        if self.engine.fee_question.is_some() || self.result.is_err() {
            return false;
        }
        self.result = self.engine.apply_report(self.venue, report);
        true
    }
}

impl Engine {
    /// Lets an idle venue of ours do what it is asked for; `false` where it is to be asked as any other.
    pub(super) fn answers_at_once(
        &mut self,
        venue: u16,
        request: &VenueRequest,
    ) -> Result<bool, EngineStopped> {
        if self.is_pulling || self.fee_question.is_some() || self.always_pulls {
            return Ok(false);
        }
        let index = usize::from(venue);
        let time = self.time;
        let Some(AnyVenue::Matching(ours)) = self.venues.get(index) else { return Ok(false) };
        if !ours.is_idle(time) {
            return Ok(false);
        }
        let stand_in = AnyVenue::AtWork(AtWork::default());
        let AnyVenue::Matching(mut ours) = std::mem::replace(&mut self.venues[index], stand_in) else {
            return Ok(false);
        };
        self.is_pulling = true;
        let mut told = AtOnce { engine: self, venue, result: Ok(()) };
        let is_done = ours.perform(request, time, &mut told);
        let result = told.result;
        self.is_pulling = false;
        let is_idle = ours.is_idle(time);
        if let AnyVenue::AtWork(waiting) =
            std::mem::replace(&mut self.venues[index], AnyVenue::Matching(ours))
            && let AnyVenue::Matching(ours) = &mut self.venues[index]
        {
            waiting.hand_over(ours);
        }
        result?;
        if !is_idle || !self.unpulled.is_empty() {
            self.pull(index)?;
        }
        Ok(is_done)
    }
}

//! A venue of our own that works on a request: what it reports is applied while it works, and what that makes the engine
//! ask of it waits here until it is done.

use super::matching::MatchingVenue;
use super::{Venue, VenueContext, VenueReport, VenueRequest};
use crate::record::Slot;
use crate::special_terms::SpecialTerms;
use crate::tracked::EntityHasher;

/// Who is told what a venue of ours reports while it works.
pub(crate) trait Audience {
    /// Applies a report at once. `false` where it cannot: the report and all after it wait until they are pulled.
    fn hears(&mut self, report: &VenueReport) -> bool;
}

/// Nobody listens: every report waits until it is pulled.
pub(crate) struct Nobody;

impl Audience for Nobody {
    #[inline(always)]
    fn hears(&mut self, _report: &VenueReport) -> bool {
        false
    }
}

#[derive(Clone, Debug)]
enum Asked {
    Request(VenueRequest, u64),
    Attach(u64, SpecialTerms),
}

/// Stands where the venue stood, and only while a record is applied.
#[derive(Clone, Debug, Default)]
pub struct AtWork {
    asked: Vec<Asked>,
}

impl AtWork {
    /// Asks the venue, which is back, in the order in which it was asked.
    pub(crate) fn hand_over(self, venue: &mut MatchingVenue) {
        for asked in self.asked {
            match asked {
                Asked::Request(request, time) => venue.request(&request, time),
                Asked::Attach(order_id, terms) => venue.attach(order_id, &terms),
            }
        }
    }
}

impl Venue for AtWork {
    fn request(&mut self, request: &VenueRequest, time: u64) {
        self.asked.push(Asked::Request(*request, time));
    }

    fn attach(&mut self, order_id: u64, terms: &SpecialTerms) {
        self.asked.push(Asked::Attach(order_id, *terms));
    }

    fn observe(&mut self, _record: &[Slot]) {}

    fn next_report(&mut self, _time: u64, _context: &dyn VenueContext) -> Option<VenueReport> {
        None
    }

    fn next_due(&self) -> Option<u64> {
        None
    }

    fn close_session(&mut self, _instrument: u32, _session_end: u64) {}

    fn state_sum(&mut self, _hasher: &mut EntityHasher) -> u128 {
        0
    }
}

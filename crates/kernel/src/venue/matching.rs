//! stub
use super::*;
use crate::state::*;
#[derive(Clone, Debug, Default)]
pub struct MatchingVenue;
impl MatchingVenue {
    pub fn new() -> Self {
        MatchingVenue
    }
}
impl Venue for MatchingVenue {
    fn request(&mut self, _r: &VenueRequest, _t: u64) {}
    fn observe(&mut self, _r: &[Slot]) {}
    fn next_report(&mut self, _t: u64, _c: &dyn VenueContext) -> Option<VenueReport> {
        None
    }
    fn next_due(&self) -> Option<u64> {
        None
    }
    fn close_session(&mut self, _i: u32, _s: u64) {}
}
impl State for MatchingVenue {
    fn write(&self, _o: &mut StateWriter) {}
    fn read(_i: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(MatchingVenue)
    }
}

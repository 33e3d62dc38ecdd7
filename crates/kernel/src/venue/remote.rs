//! A venue outside the process: requests leave through the outbox, answers come back as observations.
//!
//! The venue may answer late, twice, out of order, or about orders it was never sent; this side only
//! translates. What an answer means for an order is decided in [`crate::engine`], once for all venues.

use std::collections::VecDeque;

use super::{Outcome, Venue, VenueContext, VenueReport, VenueRequest};
use crate::message::Message;
use crate::observation::{
    VenueCancelRejected, VenueFillPayload, VenueOrderAccepted, VenueOrderCanceled, VenueOrderExpired,
    VenueOrderFilled, VenueOrderRejected, VenueOrderReplaced, VenueOrderUnknown, VenueReplaceRejected,
};
use crate::record::{Body, Slot, payload};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Liquidity;
use crate::tracked::EntityHasher;

/// The engine's side of one outside venue. Its requests are kept by the engine's outbox, so that they leave
/// only when their cause is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteVenue {
    reports: VecDeque<VenueReport>,
}

impl RemoteVenue {
    pub fn new() -> Self {
        Self::default()
    }
}

impl Venue for RemoteVenue {
    fn request(&mut self, _request: &VenueRequest, _time: u64) {}

    fn observe(&mut self, record: &[Slot]) {
        self.reports.extend(translate(record));
    }

    fn next_report(&mut self, _time: u64, _context: &dyn VenueContext) -> Option<VenueReport> {
        self.reports.pop_front()
    }

    fn next_due(&self) -> Option<u64> {
        None
    }

    fn close_session(&mut self, _instrument: u32, _session_end: u64) {}

    fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        hasher.hash("reports", 0u64, |out| self.write(out))
    }
}

/// What an observation says about an order; `None` for records that are not about one.
fn translate(record: &[Slot]) -> Option<VenueReport> {
    let head = record.first()?;
    let report = |order_id, venue_time, outcome| Some(VenueReport { order_id, venue_time, outcome });
    let refusal = |reason: u64| Refusal::new(Rule::VenueMustAccept, 0, i128::from(reason));
    match Message::from_number(head.message)? {
        Message::VenueOrderAccepted => {
            let body = VenueOrderAccepted::of(head);
            report(body.order_id, body.venue_time, Outcome::Accepted { venue_order_id: body.venue_order_id })
        }
        Message::VenueOrderRejected => {
            let body = VenueOrderRejected::of(head);
            report(body.order_id, body.venue_time, Outcome::Rejected { refusal: refusal(body.reason) })
        }
        Message::VenueOrderFilled => translate_fill(record),
        Message::VenueOrderCanceled => {
            let body = VenueOrderCanceled::of(head);
            let refusal = Refusal::new(Rule::CanceledByParticipant, 0, i128::from(body.reason));
            report(body.order_id, body.venue_time, Outcome::Canceled { refusal })
        }
        Message::VenueOrderReplaced => {
            let body = VenueOrderReplaced::of(head);
            let (price, quantity, stop_price) = (body.price, body.quantity, body.stop_price);
            report(body.order_id, head.time, Outcome::Replaced { price, quantity, stop_price })
        }
        Message::VenueOrderExpired => {
            let body = VenueOrderExpired::of(head);
            report(body.order_id, body.venue_time, Outcome::Expired)
        }
        Message::VenueCancelRejected => {
            let body = VenueCancelRejected::of(head);
            report(body.order_id, body.venue_time, Outcome::CancelRejected { refusal: refusal(body.reason) })
        }
        Message::VenueReplaceRejected => {
            let body = VenueReplaceRejected::of(head);
            report(body.order_id, body.venue_time, Outcome::ReplaceRejected { refusal: refusal(body.reason) })
        }
        Message::VenueOrderUnknown => {
            let body = VenueOrderUnknown::of(head);
            report(body.order_id, body.venue_time, Outcome::Unknown)
        }
        _ => None,
    }
}

fn translate_fill(record: &[Slot]) -> Option<VenueReport> {
    let body = VenueOrderFilled::of(record.first()?);
    let rest = payload::<VenueFillPayload>(record);
    let is_maker = rest.is_some_and(|rest| rest.liquidity == Liquidity::Maker as u64);
    Some(VenueReport {
        order_id: body.order_id,
        venue_time: rest.map_or(0, |rest| rest.venue_time),
        outcome: Outcome::Filled {
            trade_id: body.trade_id,
            price: body.price,
            quantity: body.quantity,
            liquidity: if is_maker { Liquidity::Maker } else { Liquidity::Taker },
            fee_nano: rest.filter(|rest| rest.fee_known == 1).map(|rest| rest.fee_nano),
            contra: None,
        },
    })
}

impl State for RemoteVenue {
    // Reports are pulled before a record's application ends, so between records there is nothing to keep.
    fn write(&self, out: &mut StateWriter) {
        out.length(self.reports.len());
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        match input.length()? {
            0 => Ok(Self::default()),
            waiting => Err(input.invalid("empty report queue", waiting as u64)),
        }
    }
}

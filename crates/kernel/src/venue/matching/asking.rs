//! Instruments that match by a policy outside the kernel: what it is asked, and what waits for its answer.
//!
//! Matching cannot stop half way, so each step of such a venue that may trade is tried on a copy first, with the answers
//! there are. When the copy meets a level that it has no answer for, the copy is thrown away, the level becomes the question,
//! and nothing has happened; with one answer more the step is tried anew. The step itself is done when the copy came to its end. So
//! everything that trades (iceberg refreshes, self-trade prevention, what is triggered) is the same code as elsewhere, at the
//! price of a copy of the venue for each question: this is for backtests.
//!
//! Auctions go by price and time whatever the policy, and ask nothing.

use std::collections::BTreeSet;

use super::{MatchingVenue, Work};
use crate::book::LevelQuestion;
use crate::observation::AllocationAssessed;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderType, options};
use crate::venue::{VenueContext, VenueOrder, VenueRequest};

/// What is kept where some instrument asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asking {
    pub instruments: BTreeSet<u32>,
    /// To the questions that the step at hand has asked so far, one after the other.
    answers: Vec<i64>,
    /// What waits now, with the instrument.
    question: Option<(u32, LevelQuestion)>,
    /// What of its answer has come.
    begun: Vec<i64>,
}

impl MatchingVenue {
    /// The level that waits to be shared, and its instrument.
    pub fn allocation_question(&self) -> Option<(u32, &LevelQuestion)> {
        let (instrument, question) = self.asking.as_deref()?.question.as_ref()?;
        Some((*instrument, question))
    }

    /// Takes an answer, or a part of one; says whether it is whole.
    ///
    /// # Errors
    /// Says why it is no answer to what was asked. The venue is as it was.
    pub(crate) fn take_allocation(
        &mut self,
        body: &AllocationAssessed,
        shares: &[i64],
    ) -> Result<bool, String> {
        let Some(asking) = self.asking.as_deref_mut() else { return Err("nothing asks".to_owned()) };
        let Some((_, question)) = &asking.question else { return Err("nothing was asked".to_owned()) };
        let orders = question.resting.len();
        let asked = (question.order_id, question.price, question.incoming, orders, asking.begun.len());
        let found = (body.order_id, body.price, body.incoming, body.orders as usize, body.from as usize);
        if asked != found {
            return Err(format!(
                "order {} with {} meets {orders} orders at {}, shares {} on, and those of order {} with {} and {} orders at {}, \
                 shares {} on, came",
                asked.0, asked.2, asked.1, asked.4, found.0, found.2, found.3, found.1, found.4
            ));
        }
        let rest = orders - asking.begun.len();
        asking.begun.extend_from_slice(&shares[..rest.min(shares.len())]);
        if asking.begun.len() < orders {
            return Ok(false);
        }
        if !question.is_answered_by(&asking.begun) {
            return Err(format!(
                "shares {:?} for orders of {:?} do not come to {} within their bounds",
                asking.begun,
                question.resting,
                question.wanted()
            ));
        }
        asking.answers.append(&mut asking.begun);
        asking.question = None;
        Ok(true)
    }

    pub(super) fn set_asking(&mut self, instrument: u32, asks: bool) {
        if asks {
            self.asking.get_or_insert_default().instruments.insert(instrument);
        } else if let Some(asking) = &mut self.asking {
            asking.instruments.remove(&instrument);
            if asking.instruments.is_empty() {
                self.asking = None;
            }
        }
    }

    /// As [`MatchingVenue::step`] where some instrument asks. A step that has to wait for an answer was none.
    #[cold]
    pub(super) fn step_asking(&mut self, time: u64, context: &dyn VenueContext) -> bool {
        if self.allocation_question().is_some() {
            return false;
        }
        if self.may_ask(time) {
            let mut trial = self.clone();
            let question = trial.step_answered(time, context).1;
            if question.is_some() {
                if let Some(asking) = self.asking.as_deref_mut() {
                    asking.question = question;
                }
                return false;
            }
        }
        let (goes_on, unforeseen) = self.step_answered(time, context);
        debug_assert_eq!(unforeseen, None, "a step asked of which it was said that it would not");
        if let Some(asking) = self.asking.as_deref_mut() {
            asking.answers.clear();
        }
        goes_on
    }

    /// A step with the answers there are; and the level, if any, that there was none for.
    fn step_answered(
        &mut self,
        time: u64,
        context: &dyn VenueContext,
    ) -> (bool, Option<(u32, LevelQuestion)>) {
        let Some(asking) = self.asking.clone() else { return (self.step(time, context), None) };
        for &instrument in &asking.instruments {
            if let Some(policy) = self.asked_policy(instrument) {
                policy.give(&asking.answers);
            }
        }
        let goes_on = self.step(time, context);
        let mut questions = asking.instruments.iter().filter_map(|&instrument| {
            let policy = self.asked_policy(instrument)?;
            let question = policy.take_question();
            policy.give(&[]);
            Some((instrument, question?))
        });
        let question = questions.next();
        questions.for_each(drop);
        (goes_on, question)
    }

    fn asked_policy(&mut self, instrument: u32) -> Option<&mut crate::book::AskedPolicy> {
        self.market_mut(instrument)?.book.asked_mut()
    }

    /// Whether the next step could trade in an instrument that asks. It need not, but a step that this says no of never asks.
    fn may_ask(&self, time: u64) -> bool {
        use crate::venue::Venue as _;
        let Some(asking) = self.asking.as_deref() else { return false };
        if self.next_due().is_none_or(|due| due > time) {
            return false;
        }
        let asks = |instrument: u32| asking.instruments.contains(&instrument);
        let asks_with = |id: u64| self.tickets.get(id).is_some_and(|ticket| asks(ticket.order.instrument));
        let is_due = |due: Option<u64>| due.is_some_and(|due| due <= time);
        let by_time = is_due(self.expiries.first().map(|(due, _)| *due))
            || is_due(self.session_ends.first().map(|(due, _)| *due));
        let mut set_off = self.restless.iter().chain(&self.shrunk);
        if by_time
            || set_off.any(|(instrument, _)| asks(*instrument))
            || self.triggered.iter().any(|stop| asks_with(stop.order_id))
        {
            return true;
        }
        match self.work.front() {
            Some((_, Work::Request(VenueRequest::Submit(order)))) => {
                asks(order.instrument) && self.may_trade(order)
            }
            Some((_, Work::Request(VenueRequest::Replace { instrument, .. }))) => asks(*instrument),
            Some((_, Work::Mark { instrument, .. })) => asks(*instrument),
            Some((_, Work::Request(VenueRequest::Cancel { .. } | VenueRequest::Query { .. }))) => false,
            Some((_, Work::CloseSession { .. })) | None => false,
        }
    }

    fn may_trade(&self, order: &VenueOrder) -> bool {
        let is_plain = order.options & options::ASIDE == 0 && order.order_type == OrderType::Limit;
        !is_plain || self.would_trade(order)
    }

    /// The state of what is asked, where anything is.
    pub(super) fn write_asking(&self, out: &mut StateWriter) {
        match self.asking.as_deref() {
            None => out.bool(false),
            Some(asking) => {
                out.bool(true);
                write_numbers(&asking.answers, out);
                write_numbers(&asking.begun, out);
                out.bool(asking.question.is_some());
                if let Some((instrument, question)) = &asking.question {
                    out.u32(*instrument);
                    question.write(out);
                }
            }
        }
    }

    pub(super) fn read_asking(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        let asks = self.policed.iter().copied().collect::<Vec<u32>>();
        for instrument in asks {
            let is_asked = self.asked_policy(instrument).is_some();
            self.set_asking(instrument, is_asked);
        }
        if !input.bool()? {
            return Ok(());
        }
        let (answers, begun) = (read_numbers(input)?, read_numbers(input)?);
        let question = match input.bool()? {
            true => Some((input.u32()?, LevelQuestion::read(input)?)),
            false => None,
        };
        let Some(asking) = self.asking.as_deref_mut() else {
            return Err(input.invalid("instrument that asks", 0));
        };
        (asking.answers, asking.begun, asking.question) = (answers, begun, question);
        Ok(())
    }

    /// Whether something is under way that the hash must cover.
    pub(super) fn is_asking(&self) -> bool {
        let of = |asking: &Asking| asking.question.is_some() || !asking.answers.is_empty();
        self.asking.as_deref().is_some_and(of)
    }
}

fn write_numbers(numbers: &[i64], out: &mut StateWriter) {
    out.length(numbers.len());
    numbers.iter().for_each(|number| out.i64(*number));
}

fn read_numbers(input: &mut StateReader<'_>) -> Result<Vec<i64>, StateError> {
    (0..input.length()?).map(|_| input.i64()).collect()
}

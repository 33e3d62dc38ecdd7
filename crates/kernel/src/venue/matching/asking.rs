//! Instruments that match by a policy outside the kernel: what it is asked, and what waits for its answer.
//!
//! Matching cannot stop half way, so each step in such an instrument that may trade is tried first on a venue that has its
//! market only (`trial.rs`), with the answers there are. When the trial meets a level that it has no answer for, it is thrown
//! away, the level becomes the question, and nothing has happened; with one answer more the step is tried anew. The step itself
//! is done when the trial came to its end. So everything that trades (iceberg refreshes, self-trade prevention, what is
//! triggered) is the same code as elsewhere, at the price of a copy of the one book for each question: this is for backtests.
//!
//! A step that asks although none was to stops the venue, and with it the engine.
//!
//! Auctions go by price and time whatever the policy, and ask nothing.

use std::collections::BTreeSet;

use super::{MatchingVenue, Place, Step, TriggeredStop, Work};
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
    /// A question that nobody can be asked any more.
    unforeseen: Option<String>,
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

    /// Why the venue must not go on: matching asked of what was to be known beforehand.
    #[inline]
    pub fn unforeseen_question(&self) -> Option<&str> {
        self.asking.as_deref()?.unforeseen.as_deref()
    }

    /// As [`MatchingVenue::step`] where some instrument asks. A step that has to wait for an answer was none.
    #[cold]
    pub(super) fn step_asking(&mut self, time: u64, context: &dyn VenueContext) -> bool {
        if self.allocation_question().is_some() || self.unforeseen_question().is_some() {
            return false;
        }
        let Some(next) = self.next_step(time) else { return false };
        let market = self.market_of(&next);
        if let Some(instrument) = market.filter(|instrument| self.asks(*instrument))
            && self.may_ask(&next, context)
        {
            let question = self.try_step(&next, instrument, context);
            let Some(asking) = self.asking.as_deref_mut() else { return false };
            if question.is_some() {
                asking.question = question.map(|question| (instrument, question));
                return false;
            }
            let answers = std::mem::take(&mut asking.answers);
            if let Some(policy) = self.asked_policy(instrument) {
                policy.give(&answers);
            }
        }
        self.take_step(&next, context);
        self.look_for_unforeseen(market);
        self.unforeseen_question().is_none()
    }

    /// Breaks what is known of who asks: what then asks was not foreseen.
    #[cfg(test)]
    pub(crate) fn forget_who_asks(&mut self) {
        self.asking.get_or_insert_default().instruments.clear();
    }

    fn asks(&self, instrument: u32) -> bool {
        self.asking.as_deref().is_some_and(|asking| asking.instruments.contains(&instrument))
    }

    pub(super) fn asked_policy(&mut self, instrument: u32) -> Option<&mut crate::book::AskedPolicy> {
        self.market_mut(instrument)?.book.asked_mut()
    }

    pub(super) fn answers(&self) -> &[i64] {
        self.asking.as_deref().map_or(&[], |asking| &asking.answers)
    }

    /// The market that a step is about; `None` where it is about none, or about all and only takes orders back.
    fn market_of(&self, next: &Step) -> Option<u32> {
        let of_order = |id: u64| Some(self.tickets.get(id)?.order.instrument);
        match *next {
            Step::Settle { instrument, .. }
            | Step::EndSession { instrument, .. }
            | Step::Trim { instrument } => Some(instrument),
            Step::Run(TriggeredStop { order_id, .. }) | Step::Expire { order_id, .. } => of_order(order_id),
            Step::Work { .. } => match self.work.front()?.1 {
                Work::Request(VenueRequest::Submit(order)) => Some(order.instrument),
                Work::Request(
                    VenueRequest::Replace { order_id, .. } | VenueRequest::Cancel { order_id, .. },
                ) => of_order(order_id),
                Work::Mark { instrument, .. } | Work::CloseSession { instrument } => {
                    Some(instrument).filter(|&instrument| instrument != 0)
                }
                Work::Request(VenueRequest::Query { .. }) => None,
            },
        }
    }

    /// Whether a step of a market that asks could match. It need not, but a step that this says no of never asks: what
    /// only takes orders back, cuts them, lines them up or collects them does not, and auctions go by price and time.
    fn may_ask(&self, next: &Step, context: &dyn VenueContext) -> bool {
        match *next {
            Step::Settle { instrument, .. } => self.would_settle(instrument, context),
            Step::Run(_) => true,
            Step::Expire { .. } | Step::EndSession { .. } | Step::Trim { .. } => false,
            Step::Work { .. } => match self.work.front() {
                Some((_, Work::Request(VenueRequest::Submit(order)))) => self.may_take(order),
                Some((_, Work::Request(VenueRequest::Replace { order_id, price, .. }))) => {
                    self.may_take_at(*order_id, *price)
                }
                _ => false,
            },
        }
    }

    /// Whether a new order could take; those that wait for something do not when they come.
    fn may_take(&self, order: &VenueOrder) -> bool {
        match order.order_type {
            OrderType::Limit => self.would_trade(order),
            OrderType::Pegged => false,
            other => !other.waits(),
        }
    }

    /// Whether a live order could take when it has a new price: where it rests in the book.
    fn may_take_at(&self, order_id: u64, price: i64) -> bool {
        let Some(ticket) = self.tickets.get(order_id) else { return false };
        let is_special = ticket.order.options & options::ASIDE != 0;
        matches!(ticket.place, Place::Book(_))
            && (is_special || self.would_trade(&VenueOrder { price, ..ticket.order }))
    }

    /// Stops the venue where a step asked of which it was said that it would not: what was matched by time instead is void.
    fn look_for_unforeseen(&mut self, market: Option<u32>) {
        match market {
            Some(instrument) => self.look_for_unforeseen_in(instrument),
            None => {
                let policed: Vec<u32> = self.policed.iter().copied().collect();
                policed.into_iter().for_each(|instrument| self.look_for_unforeseen_in(instrument));
            }
        }
    }

    fn look_for_unforeseen_in(&mut self, instrument: u32) {
        let Some(policy) = self.asked_policy(instrument) else { return };
        let question = policy.take_question();
        policy.give(&[]);
        let (Some(question), Some(asking)) = (question, self.asking.as_deref_mut()) else { return };
        let LevelQuestion { order_id, price, incoming, resting, .. } = question;
        asking.unforeseen = Some(format!(
            "order {order_id} with {incoming} meets {} orders at {price} of instrument {instrument} in a step that was not to ask \
             how they share it",
            resting.len()
        ));
        self.reports.clear();
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

//! A policy whose shares somebody outside the kernel decides: it is given answers, and says what it has none for.

use std::collections::VecDeque;

use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;

use super::policy::{LevelQueue, MatchingPolicy, PriceTime, RestingOrder};
use super::report::ReportSink;
use super::self_trade::SelfTradeGuard;

/// A level that waits for somebody to say how it is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelQuestion {
    /// The order that takes.
    pub order_id: u64,
    /// Side of the orders that rest.
    pub side: Side,
    pub price: i64,
    pub incoming: i64,
    /// What each order of the level shows, first come first.
    pub resting: Vec<i64>,
}

impl LevelQuestion {
    /// What an answer must come to: all that comes in, or all that rests.
    pub fn wanted(&self) -> i128 {
        let resting: i128 = self.resting.iter().map(|&quantity| i128::from(quantity)).sum();
        resting.min(i128::from(self.incoming))
    }

    /// Whether `shares` are one for each order, none negative or above what it shows, and come to what is wanted.
    pub fn is_answered_by(&self, shares: &[i64]) -> bool {
        shares.len() == self.resting.len()
            && shares.iter().zip(&self.resting).all(|(share, shown)| (0..=*shown).contains(share))
            && shares.iter().map(|&share| i128::from(share)).sum::<i128>() == self.wanted()
    }
}

/// Shares levels by answers given in advance, in the order in which it will ask. A level that leaves nothing to decide, of
/// one order or taken whole, is not asked about. Answers and question are none of the book's state: whoever runs the book
/// keeps them.
#[derive(Clone, Debug, Default)]
pub struct AskedPolicy {
    answers: VecDeque<i64>,
    question: Option<LevelQuestion>,
}

impl AskedPolicy {
    /// Forgets what it was given before and has not used.
    pub fn give(&mut self, answers: &[i64]) {
        self.answers = answers.iter().copied().collect();
        self.question = None;
    }

    /// The first level since [`AskedPolicy::give`] that it had no answer for. What the book did from there on is void.
    pub fn take_question(&mut self) -> Option<LevelQuestion> {
        self.question.take()
    }

    /// Whether all of what it was given was used.
    pub fn is_used_up(&self) -> bool {
        self.answers.is_empty()
    }
}

impl MatchingPolicy for AskedPolicy {
    const NUMBER: u8 = 6;

    /// Has no answer, so that a level goes by time.
    fn for_trial(&self) -> Self {
        AskedPolicy::default()
    }

    fn match_level<S: ReportSink, G: SelfTradeGuard>(&mut self, queue: &mut LevelQueue<'_, S, G>) {
        if self.question.is_some() {
            return;
        }
        if queue.incoming() >= queue.quantity() && queue.incoming() >= queue.leaves_of_all() {
            return PriceTime.match_level(queue);
        }
        let orders: Vec<RestingOrder> =
            std::iter::successors(queue.first(), |order| queue.after(*order)).collect();
        let resting: Vec<i64> = orders.iter().map(|&order| queue.leaves(order)).collect();
        let incoming = queue.incoming();
        if orders.len() == 1 || incoming >= queue.quantity() {
            for (order, quantity) in orders.into_iter().zip(resting) {
                queue.fill(order, quantity);
            }
            return;
        }
        if self.answers.len() < orders.len() {
            let (order_id, side, price) = (queue.taker(), queue.side(), queue.price());
            self.question = Some(LevelQuestion { order_id, side, price, incoming, resting });
            return;
        }
        for (order, share) in orders.into_iter().zip(self.answers.drain(..resting.len())) {
            queue.fill(order, share);
        }
    }
}

impl State for AskedPolicy {
    fn write(&self, _out: &mut StateWriter) {}

    fn read(_input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(AskedPolicy::default())
    }
}

impl State for LevelQuestion {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.order_id);
        out.u8(self.side as u8);
        out.i64(self.price);
        out.i64(self.incoming);
        out.length(self.resting.len());
        self.resting.iter().for_each(|quantity| out.i64(*quantity));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (order_id, number) = (input.u64()?, input.u8()?);
        let side = Side::from_number(number).ok_or(input.invalid("side", u64::from(number)))?;
        let (price, incoming) = (input.i64()?, input.i64()?);
        let resting = (0..input.length()?).map(|_| input.i64()).collect::<Result<_, _>>()?;
        Ok(LevelQuestion { order_id, side, price, incoming, resting })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_share_for_each_order_within_its_bounds_and_comes_to_the_smaller_side() {
        let question =
            LevelQuestion { order_id: 1, side: Side::Sell, price: 100, incoming: 7, resting: vec![5, 5] };
        for (shares, is_answer) in [
            (&[5, 2][..], true),
            (&[2, 5], true),
            (&[6, 1], false),
            (&[-1, 8], false),
            (&[3, 3], false),
            (&[4, 4], false),
            (&[7], false),
            (&[5, 2, 0], false),
        ] {
            assert_eq!(question.is_answered_by(shares), is_answer, "{shares:?}");
        }
        let more = LevelQuestion { incoming: 11, ..question };
        assert_eq!(more.wanted(), 10);
        let endless = LevelQuestion { incoming: i64::MAX, resting: vec![i64::MAX, i64::MAX], ..more };
        assert_eq!(endless.wanted(), i128::from(i64::MAX));
    }
}

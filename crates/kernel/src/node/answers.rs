//! What models outside the kernel answer, as records.

use super::{Mode, Node};
use crate::engine::FeeQuestion;
use crate::message::Message;
use crate::observation::{AllocationAssessed, AllocationPayload, FeeAssessed};
use crate::record::{MAX_SLOTS, RecordBuffer};
use crate::terms::Liquidity;
use crate::venue::Outcome;

/// Shares in one continuation.
const SHARES: usize = 5;

pub(super) fn is_of_model(message: Message) -> bool {
    matches!(message, Message::FeeAssessed | Message::AllocationAssessed)
}

pub(super) fn is_answer(record: &RecordBuffer) -> bool {
    Message::from_number(record.slots()[0].message).is_some_and(is_of_model)
}

impl Node {
    /// Answers the waiting [`FeeQuestion`] with the fee in 10^-9 of the account's currency.
    pub fn answer_fee(&mut self, fee_nano: i64) {
        let Some(question) = self.engine.fee_question() else { return };
        let Outcome::Filled { trade_id, .. } = question.report.outcome else { return };
        let order_id = question.report.order_id;
        let mut record = RecordBuffer::new(FeeAssessed { order_id, trade_id, fee_nano, reserved: 0 });
        if let Some(order) = self.engine.orders().get(order_id) {
            record.head_mut().account = order.request.account;
            record.head_mut().instrument = order.request.instrument;
        }
        self.answer(vec![record]);
    }

    /// Answers the waiting [`crate::book::LevelQuestion`] with a share for each order. The engine stops at shares that
    /// are no answer.
    pub fn answer_allocation(&mut self, shares: &[i64]) {
        let Some((instrument, question)) = self.engine.allocation_question() else { return };
        let (order_id, price, incoming) = (question.order_id, question.price, question.incoming);
        let orders = question.resting.len() as u32;
        let parts = shares.chunks(SHARES * (MAX_SLOTS - 1)).zip((0u32..).step_by(SHARES * (MAX_SLOTS - 1)));
        let records = parts.map(|(part, from)| {
            let mut record =
                RecordBuffer::new(AllocationAssessed { order_id, price, orders, from, incoming });
            record.head_mut().instrument = instrument;
            for chunk in part.chunks(SHARES) {
                let mut quantities = [0; SHARES];
                quantities[..chunk.len()].copy_from_slice(chunk);
                record.push(AllocationPayload { quantities });
            }
            record
        });
        let records = records.collect();
        self.answer(records);
    }

    fn answer(&mut self, records: Vec<RecordBuffer>) {
        match self.mode {
            // Ahead of everything: nothing else may be applied before.
            Mode::Run => records.into_iter().rev().for_each(|record| self.commands.push_front(record)),
            Mode::Replay => {}
            Mode::Rerun => records.into_iter().for_each(|record| self.resend(0, record)),
        }
    }
}

/// Liquidity of a fee question's fill.
pub fn liquidity_of(question: &FeeQuestion) -> Option<Liquidity> {
    match question.report.outcome {
        Outcome::Filled { liquidity, .. } => Some(liquidity),
        _ => None,
    }
}

//! What may come in from outside, and what still may when the journal has no room.

use thiserror::Error;

use crate::command::{ReplaceOrder, SetFeeSchedule, SetMatchingPolicy, SubmitOrderBody, policy_kind};
use crate::event::{CommandRefused, OrderDenied, RefusalPayload, ReplaceRejected};
use crate::message::{Message, MessageKind};
use crate::record::{Body, RecordBuffer, RecordError, Slot, split_first, stamp};
use crate::rules::{Refusal, Rule};

/// Why slots were not taken: nothing of them was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Inadmissible {
    #[error("slot {at}: {source}")]
    Record { at: usize, source: RecordError },
    #[error("slot {at}: {message} {problem}")]
    Message { at: usize, message: &'static str, problem: &'static str },
}

/// Checks that `slots` are whole records that a live node takes from outside, and counts them.
///
/// # Errors
/// [`Inadmissible`] names the first slot that is not.
pub fn check_admissible(slots: &[Slot]) -> Result<usize, Inadmissible> {
    let (mut rest, mut records) = (slots, 0);
    while !rest.is_empty() {
        let at = slots.len() - rest.len();
        let (record, after) = split_first(rest).map_err(|source| Inadmissible::Record { at, source })?;
        if let Some((message, problem)) = problem_of(&record[0]) {
            return Err(Inadmissible::Message { at, message: message.name(), problem });
        }
        records += 1;
        rest = after;
    }
    Ok(records)
}

fn problem_of(head: &Slot) -> Option<(Message, &'static str)> {
    let message = Message::from_number(head.message)?;
    let problem = match (message, message.kind()) {
        (_, MessageKind::Structure | MessageKind::Event) => "is neither a command nor an observation",
        (
            Message::RegisterParticipant
            | Message::Subscribe
            | Message::AddIndicator
            | Message::AddBarInterval
            | Message::StopParticipant,
            _,
        ) => "concerns a participant; a live node runs none",
        (
            Message::ClockAdvanced
            | Message::FeeAssessed
            | Message::AllocationAssessed
            | Message::InputReferenced
            | Message::RunEnded,
            _,
        ) => "is the node's own to write",
        (Message::SetFeeSchedule, _) if SetFeeSchedule::of(head).external != 0 => {
            "asks for a fee model outside the kernel; a live node has none to ask"
        }
        (Message::SetMatchingPolicy, _) if SetMatchingPolicy::of(head).policy == policy_kind::ASKED => {
            "asks for a matching policy outside the kernel; a live node has none to ask"
        }
        (_, MessageKind::Command) if head.source != 0 => {
            "names a participant as its source; a live node runs none"
        }
        _ if head.version != message.version() => "has another version than this program writes",
        _ => return None,
    };
    Some((message, problem))
}

/// What passes while the journal has nothing but its reserve: what makes positions safer, and what has happened at a
/// venue already.
pub(super) fn passes_without_room(head: &Slot) -> bool {
    use Message as M;
    Message::from_number(head.message).is_some_and(|message| {
        matches!(
            message,
            M::CancelOrder
                | M::CancelAllOrders
                | M::MassCancel
                | M::EngageKillSwitch
                | M::VenueOrderAccepted
                | M::VenueOrderRejected
                | M::VenueOrderFilled
                | M::VenueOrderCanceled
                | M::VenueOrderReplaced
                | M::VenueOrderExpired
                | M::VenueCancelRejected
                | M::VenueReplaceRejected
                | M::VenueOrderUnknown
        )
    })
}

/// The answer to a record that did not pass. It was given at the door: its sequence is 0, and no journal has it.
pub(super) fn refusal_without_room(head: &Slot, time: u64) -> RecordBuffer {
    let refusal = Refusal::of(Rule::JournalMustHaveRoom);
    let rule = refusal.rule as u64;
    let mut answer = match Message::from_number(head.message) {
        Some(Message::SubmitOrder) => {
            let SubmitOrderBody { client_order_id, quantity, terms, .. } = SubmitOrderBody::of(head);
            let mut answer = RecordBuffer::new(OrderDenied { order_id: 0, client_order_id, rule, quantity });
            answer.push(RefusalPayload { terms, ..RefusalPayload::new(&refusal) });
            answer
        }
        Some(Message::ReplaceOrder) => {
            let client_order_id = ReplaceOrder::of(head).client_order_id;
            RecordBuffer::new(ReplaceRejected { order_id: 0, client_order_id, rule, reserved: 0 })
        }
        _ => {
            let command = u64::from(head.message);
            let mut answer = RecordBuffer::new(CommandRefused { command, rule, reserved: [0; 2] });
            answer.push(RefusalPayload::new(&refusal));
            answer
        }
    };
    stamp(answer.slots_mut(), 0, time);
    (answer.head_mut().account, answer.head_mut().instrument) = (head.account, head.instrument);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{CancelOrder, SubmitOrder, Subscribe};
    use crate::observation::ClockAdvanced;
    use crate::record::payload;
    use crate::terms::Side;

    #[test]
    fn whole_commands_are_counted() {
        let order = SubmitOrder { stop_price: 5, ..SubmitOrder::limit(1, 1, 7, Side::Buy, 100, 3) };
        let cancel = RecordBuffer::new(CancelOrder { client_order_id: 7, reserved: [0; 3] });
        let slots = [order.to_record().slots(), cancel.slots()].concat();
        assert_eq!((slots.len(), check_admissible(&slots)), (3, Ok(2)));
    }

    #[test]
    fn what_may_not_come_in_is_named_with_its_slot() {
        let cancel = RecordBuffer::new(CancelOrder { client_order_id: 7, reserved: [0; 3] });
        let subscribe = RecordBuffer::new(Subscribe { wants: 1, reserved: [0; 3] });
        let clock = RecordBuffer::new(ClockAdvanced { reserved: [0; 4] });
        let fees =
            RecordBuffer::new(SetFeeSchedule { maker_rate: 0, taker_rate: 0, flat_nano: 0, external: 1 });
        let shares = RecordBuffer::new(SetMatchingPolicy {
            policy: policy_kind::ASKED,
            minimum: 0,
            by_time: 0,
            leveling: 0,
            reserved: 0,
        });
        let event = RecordBuffer::new(CommandRefused { command: 0, rule: 0, reserved: [0; 2] });
        let mut newer = cancel;
        newer.head_mut().version = 200;
        let mut foreign = cancel;
        foreign.head_mut().source = 3;
        for (bad, part) in [
            (subscribe, "Subscribe concerns a participant"),
            (clock, "ClockAdvanced is the node's own"),
            (fees, "fee model outside"),
            (shares, "matching policy outside"),
            (event, "CommandRefused is neither"),
            (newer, "another version"),
            (foreign, "names a participant"),
        ] {
            let found = check_admissible(&[cancel.slots(), bad.slots()].concat()).unwrap_err().to_string();
            assert!(found.starts_with("slot 1: ") && found.contains(part), "{found}");
        }
        let mut cut = cancel;
        cut.head_mut().slots = 2;
        assert!(matches!(check_admissible(cut.slots()), Err(Inadmissible::Record { at: 0, .. })));
    }

    #[test]
    fn an_order_without_room_is_denied_by_name() {
        let order = SubmitOrder::limit(4, 5, 7, Side::Sell, 100, 3).to_record();
        let answer = refusal_without_room(&order.slots()[0], 99);
        let head = &answer.slots()[0];
        let denied = OrderDenied::of(head);
        assert_eq!((head.sequence, head.time, head.account, head.instrument), (0, 99, 4, 5));
        assert_eq!((denied.client_order_id, denied.quantity), (7, 3));
        assert_eq!(denied.rule, Rule::JournalMustHaveRoom as u64);
        assert!(payload::<RefusalPayload>(answer.slots()).is_some());
    }
}

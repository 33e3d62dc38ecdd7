//! The last events of each account and each instrument: what a gateway must still know of a past it did not see.
//!
//! A restart replays millions of events of which only the last of each kind matter. They are picked out while the
//! engine is replayed, so that nobody has to replay it a second time.

use std::collections::VecDeque;

use crate::hash::Table;
use crate::record::{Slot, split_first};

/// By what the events of a rule are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// By account; events without one are not kept.
    Account,
    /// By instrument; events without one are not kept.
    Instrument,
}

/// Which events are kept: of these messages the last `last` of each group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepRule {
    pub messages: Vec<u16>,
    pub by: Grouping,
    pub last: usize,
}

/// Sequence and index of an event.
pub type EventPlace = (u64, u16);

#[derive(Debug, Default)]
struct Group {
    slots: VecDeque<Slot>,
    events: usize,
    left_out: Option<EventPlace>,
}

impl Group {
    fn push(&mut self, event: &[Slot], last: usize) {
        self.slots.extend(event);
        self.events += 1;
        if self.events > last
            && let Some(head) = self.slots.front()
        {
            let slots = usize::from(head.slots).clamp(1, self.slots.len());
            self.left_out = Some((head.sequence, head.source));
            self.slots.drain(..slots);
            self.events -= 1;
        }
    }
}

/// Gathers events in their order.
#[derive(Debug)]
pub struct RecentEvents {
    rules: Vec<KeepRule>,
    /// Number of the rule for a message, by its number.
    rule_of: Vec<Option<u8>>,
    groups: Table<u64, Group>,
    place: Option<EventPlace>,
}

impl RecentEvents {
    /// A message belongs to the first rule that names it; rules beyond 255 are never reached.
    pub fn new(rules: Vec<KeepRule>) -> Self {
        let mut rule_of: Vec<Option<u8>> = Vec::new();
        for (number, rule) in (0..=u8::MAX).zip(&rules) {
            for &message in &rule.messages {
                let place = usize::from(message);
                rule_of.resize(rule_of.len().max(place + 1), None);
                rule_of[place].get_or_insert(number);
            }
        }
        RecentEvents { rules, rule_of, groups: Table::default(), place: None }
    }

    /// Takes in the next events, whole ones.
    pub fn add(&mut self, mut events: &[Slot]) {
        while let Ok((event, rest)) = split_first(events) {
            self.add_one(event);
            events = rest;
        }
    }

    fn add_one(&mut self, event: &[Slot]) {
        let head = &event[0];
        self.place = Some((head.sequence, head.source));
        let Some(&Some(number)) = self.rule_of.get(usize::from(head.message)) else { return };
        let rule = &self.rules[usize::from(number)];
        let key = match rule.by {
            Grouping::Account => head.account,
            Grouping::Instrument => head.instrument,
        };
        if key != 0 {
            self.groups.entry(group_key(number, key)).or_default().push(event, rule.last);
        }
    }

    /// The last events of a group, oldest first, and the place of the last one that was left out for them. Nothing
    /// for a rule that does not exist.
    pub fn of(&self, rule: usize, key: u32) -> (Vec<Slot>, Option<EventPlace>) {
        let number = u8::try_from(rule).ok();
        let group = number.and_then(|number| self.groups.get(&group_key(number, key)));
        group.map_or((Vec::new(), None), |group| (group.slots.iter().copied().collect(), group.left_out))
    }

    /// Place of the last event of any kind; `None` before the first.
    pub fn place(&self) -> Option<EventPlace> {
        self.place
    }
}

fn group_key(rule: u8, key: u32) -> u64 {
    u64::from(rule) << 32 | u64::from(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{OrderAccepted, OrderCanceled};
    use crate::record::{Body, RecordBuffer, stamp};

    fn event<B: Body>(sequence: u64, account: u32, body: B) -> Vec<Slot> {
        let mut event = RecordBuffer::new(body);
        stamp(event.slots_mut(), sequence, 0);
        (event.head_mut().account, event.head_mut().instrument, event.head_mut().source) = (account, 1, 3);
        event.slots().to_vec()
    }

    fn accepted(sequence: u64, account: u32) -> Vec<Slot> {
        event(sequence, account, OrderAccepted { order_id: sequence, ..zerocopy::FromZeros::new_zeroed() })
    }

    fn canceled(sequence: u64, account: u32) -> Vec<Slot> {
        event(sequence, account, OrderCanceled { order_id: sequence, ..zerocopy::FromZeros::new_zeroed() })
    }

    fn sequences(found: &RecentEvents, rule: usize, key: u32) -> Vec<u64> {
        found.of(rule, key).0.iter().map(|slot| slot.sequence).collect()
    }

    fn rules(last: usize) -> Vec<KeepRule> {
        let accepted = OrderAccepted::MESSAGE as u16;
        let canceled = OrderCanceled::MESSAGE as u16;
        vec![
            KeepRule { messages: vec![accepted], by: Grouping::Account, last },
            KeepRule { messages: vec![canceled, accepted], by: Grouping::Instrument, last: 1 },
        ]
    }

    #[test]
    fn only_the_last_of_each_group_are_kept_and_the_last_left_out_is_known() {
        let mut found = RecentEvents::new(rules(2));
        for (sequence, account) in [(1, 7), (2, 8), (3, 7), (4, 7), (5, 0)] {
            found.add(&accepted(sequence, account));
        }
        assert_eq!((sequences(&found, 0, 7), found.of(0, 7).1), (vec![3, 4], Some((1, 3))));
        assert_eq!((sequences(&found, 0, 8), found.of(0, 8).1), (vec![2], None));
        assert_eq!(sequences(&found, 0, 0), [0; 0], "an event of nobody belongs to no account");
        assert_eq!(found.place(), Some((5, 3)));
    }

    #[test]
    fn a_message_belongs_to_the_first_rule_that_names_it() {
        let mut found = RecentEvents::new(rules(9));
        found.add(&[accepted(1, 7), canceled(2, 7), canceled(3, 7)].concat());
        assert_eq!((sequences(&found, 0, 7), sequences(&found, 1, 1)), (vec![1], vec![3]));
        assert_eq!(found.of(1, 1).1, Some((2, 3)));
        assert_eq!(found.of(9, 1), (Vec::new(), None));
    }

    #[test]
    fn a_rule_that_keeps_nothing_still_knows_what_was_left_out() {
        let mut found = RecentEvents::new(rules(0));
        found.add(&accepted(1, 7));
        assert_eq!(found.of(0, 7), (Vec::new(), Some((1, 3))));
    }
}

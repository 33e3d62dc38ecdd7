//! The one check of records that writer and reader share: what is not read back is not written.

use crate::message::Message;
use crate::record::{Slot, split_first};

use super::error::JournalRule;
use super::interleave;

/// Commands and observations are numbered from 16 to 255; a test below holds the registry to it.
const JOURNALED: std::ops::Range<u16> = 16..256;

/// What a walk over records found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Records that are here, markers included.
    pub records: u32,
    /// Those of them that stand for records of inputs.
    pub markers: u32,
    pub next_sequence: u64,
}

/// The first record that may not stand where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub rule: JournalRule,
    pub sequence: u64,
    pub found: String,
}

/// Walks whole records that must continue at `next_sequence`.
pub(crate) fn walk(slots: &[Slot], next_sequence: u64) -> Result<Walked, Broken> {
    let mut walked = Walked { records: 0, markers: 0, next_sequence };
    let mut rest = slots;
    while !rest.is_empty() {
        let sequence = walked.next_sequence;
        let broken = |rule, found| Broken { rule, sequence, found };
        let (record, after) = split_first(rest)
            .map_err(|error| broken(JournalRule::RecordMustBeWellFormed, error.to_string()))?;
        if record[0].sequence != sequence {
            let found = format!("sequence {} where {sequence} was expected", record[0].sequence);
            return Err(broken(JournalRule::SequenceMustContinue, found));
        }
        let uses = uses_sequences(record).map_err(|(rule, found)| broken(rule, found))?;
        let next = sequence.checked_add(uses);
        walked.next_sequence = next.ok_or_else(|| {
            broken(JournalRule::SequenceMustContinue, format!("{uses} more than {sequence} overflow"))
        })?;
        walked.records += 1;
        walked.markers += u32::from(interleave::is_marker(record));
        rest = after;
    }
    Ok(walked)
}

/// How many sequences a record uses up: one, or as many as a marker stands for.
#[inline]
fn uses_sequences(record: &[Slot]) -> Result<u64, (JournalRule, String)> {
    let message = record[0].message;
    if JOURNALED.contains(&message) {
        return Ok(1);
    }
    if message == Message::Interleave as u16 {
        let found = || "runs of inputs that do not add up".to_owned();
        return interleave::sequences(record)
            .ok_or_else(|| (JournalRule::ReferenceMustBeWellFormed, found()));
    }
    let name = Message::from_number(message).map_or("unknown", Message::name);
    Err((
        JournalRule::MessageMustBeJournaled,
        format!("message {message} ({name}) is neither command nor observation"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageKind;
    use crate::observation::ClockAdvanced;

    fn records(sequences: &[u64]) -> Vec<Slot> {
        let record = |&sequence| Slot { sequence, ..Slot::new(ClockAdvanced { reserved: [0; 4] }) };
        sequences.iter().map(record).collect()
    }

    #[test]
    fn commands_and_observations_have_the_numbers_16_to_255_for_themselves() {
        for &message in Message::ALL {
            let journaled = matches!(message.kind(), MessageKind::Command | MessageKind::Observation);
            assert_eq!(JOURNALED.contains(&(message as u16)), journaled, "{}", message.name());
        }
    }

    #[test]
    fn a_hole_a_repetition_and_an_event_are_named() {
        assert_eq!(walk(&records(&[5, 6, 7]), 5), Ok(Walked { records: 3, markers: 0, next_sequence: 8 }));
        assert_eq!(walk(&records(&[5, 7]), 5).unwrap_err().rule, JournalRule::SequenceMustContinue);
        assert_eq!(walk(&records(&[5, 5]), 5).unwrap_err().sequence, 6);
        let mut event = records(&[5]);
        event[0].message = Message::OrderFilled as u16;
        let broken = walk(&event, 5).unwrap_err();
        assert_eq!(broken.rule, JournalRule::MessageMustBeJournaled);
        assert!(broken.found.contains("OrderFilled"), "{}", broken.found);
    }

    #[test]
    fn a_cut_record_is_not_well_formed() {
        let mut cut = records(&[5]);
        cut[0].slots = 2;
        assert_eq!(walk(&cut, 5).unwrap_err().rule, JournalRule::RecordMustBeWellFormed);
        cut[0].slots = 0;
        assert_eq!(walk(&cut, 5).unwrap_err().rule, JournalRule::RecordMustBeWellFormed);
    }

    #[test]
    fn the_last_sequence_of_all_does_not_wrap() {
        assert_eq!(
            walk(&records(&[u64::MAX]), u64::MAX).unwrap_err().rule,
            JournalRule::SequenceMustContinue
        );
    }
}

//! The one check of records that writer and reader share: what is not read back is not written.

use crate::message::{Message, MessageKind};
use crate::record::{Slot, split_first};

use super::error::JournalRule;
use super::interleave;

/// By message number: the version of the layout that is written today, of commands and observations; 0 of all others.
/// All of them are below 256; a test holds the registry to it. A table, because most records are one slot and checking
/// one should cost little more than its load.
static VERSIONS: [u8; 256] = versions();

const fn versions() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < Message::ALL.len() {
        let message = Message::ALL[index];
        if matches!(message.kind(), MessageKind::Command | MessageKind::Observation) {
            table[message as usize] = message.version();
        }
        index += 1;
    }
    table
}

/// Today's version of a message that is journaled.
fn journaled_version(message: u16) -> Option<u8> {
    VERSIONS.get(usize::from(message)).copied().filter(|&version| version != 0)
}

/// What a walk over records found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Records that are here, markers included.
    pub records: u32,
    /// Those of them that stand for records of inputs.
    pub markers: u32,
    /// Records of older layouts: to be brought up to date where they are read, never written.
    pub outdated: u32,
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
    let mut walked = Walked { records: 0, markers: 0, outdated: 0, next_sequence };
    let mut rest = slots;
    while let [head, after @ ..] = rest {
        let next = walked.next_sequence.checked_add(1);
        let is_today = journaled_version(head.message) == Some(head.version);
        let plain = head.slots == 1 && head.sequence == walked.next_sequence && is_today;
        if let (true, Some(next)) = (plain, next) {
            walked.next_sequence = next;
            walked.records += 1;
            rest = after;
            continue;
        }
        rest = walk_one(rest, &mut walked)?;
    }
    Ok(walked)
}

/// The general case: a record of any length, or one that may not stand here. Returns what follows it.
fn walk_one<'a>(slots: &'a [Slot], walked: &mut Walked) -> Result<&'a [Slot], Broken> {
    let sequence = walked.next_sequence;
    let broken = |rule, found| Broken { rule, sequence, found };
    let (record, after) =
        split_first(slots).map_err(|error| broken(JournalRule::RecordMustBeWellFormed, error.to_string()))?;
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
    walked.outdated += u32::from(is_outdated(&record[0]).map_err(|(rule, found)| broken(rule, found))?);
    Ok(after)
}

/// Whether a record has an older layout than today's; an error for a newer one.
fn is_outdated(head: &Slot) -> Result<bool, (JournalRule, String)> {
    let today = Message::from_number(head.message).map_or(0, Message::version);
    if head.version <= today {
        return Ok(head.version < today);
    }
    let name = Message::from_number(head.message).map_or("unknown", Message::name);
    let found = format!(
        "version {} of {name}, this program knows {today}: read it with the newer openbell that wrote it",
        head.version
    );
    Err((JournalRule::RecordVersionMustBeKnown, found))
}

/// How many sequences a record uses up: one, or as many as a marker stands for.
fn uses_sequences(record: &[Slot]) -> Result<u64, (JournalRule, String)> {
    let message = record[0].message;
    if journaled_version(message).is_some() {
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
    fn exactly_commands_and_observations_are_journaled() {
        for &message in Message::ALL {
            let journaled = matches!(message.kind(), MessageKind::Command | MessageKind::Observation);
            assert_eq!(journaled_version(message as u16).is_some(), journaled, "{}", message.name());
        }
        assert_eq!(journaled_version(u16::MAX), None);
    }

    #[test]
    fn a_hole_a_repetition_and_an_event_are_named() {
        assert_eq!(
            walk(&records(&[5, 6, 7]), 5),
            Ok(Walked { records: 3, markers: 0, outdated: 0, next_sequence: 8 })
        );
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

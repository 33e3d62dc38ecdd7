//! What was taken from a journal, and by whom, told by the journal itself.

use crate::command::TextPayload;
use crate::observation::JournalCut;
use crate::record::{MAX_SLOTS, Payload, RecordBuffer, Slot};

use super::error::Place;

/// Bytes of text in one continuation.
const TEXT_BYTES: usize = 36;
/// The first continuation has the actor, the others the reason.
const REASON_SLOTS: usize = MAX_SLOTS - 2;

/// Why something was cut. Numbers are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CutKind {
    /// A write that a crash cut short, found when the journal was opened: nothing acknowledged was in it.
    TornTail = 1,
    /// A person accepted the loss of what followed.
    Accepted = 2,
    /// Nothing of the records: a person accepted the loss of the seals, and history was sealed anew as it stands.
    Seals = 3,
}

impl CutKind {
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(CutKind::TornTail),
            2 => Some(CutKind::Accepted),
            3 => Some(CutKind::Seals),
            _ => None,
        }
    }
}

pub(super) fn cut_record(
    kind: CutKind,
    place: &Place,
    bytes: u64,
    actor: &str,
    reason: &str,
) -> RecordBuffer {
    let body = JournalCut {
        segment: place.segment,
        kind: kind as u32,
        offset: place.offset,
        bytes,
        last_sequence: place.sequence.saturating_sub(1),
    };
    with_texts(RecordBuffer::new(body), actor, reason)
}

/// Adds who and why, as far as they fit: 36 and 216 bytes.
pub(super) fn with_texts(mut record: RecordBuffer, actor: &str, reason: &str) -> RecordBuffer {
    record.push(text(actor.as_bytes()));
    reason.as_bytes().chunks(TEXT_BYTES).take(REASON_SLOTS).for_each(|part| record.push(text(part)));
    record
}

fn text(bytes: &[u8]) -> TextPayload {
    let len = bytes.len().min(TEXT_BYTES);
    let mut payload = TextPayload { len: len as u32, bytes: [0; TEXT_BYTES] };
    payload.bytes[..len].copy_from_slice(&bytes[..len]);
    payload
}

/// Who and why, of a `JournalCut` or `RecordSkipped`.
pub fn actor_and_reason(record: &[Slot]) -> (String, String) {
    let continuations = record.iter().skip(1).map(Slot::as_continuation);
    let mut texts =
        continuations.filter(|slot| slot.tag == TextPayload::TAG).map(|slot| TextPayload::of(&slot));
    let actor = texts.next().map_or_else(Vec::new, |text| text.as_bytes().to_vec());
    let reason: Vec<u8> = texts.flat_map(|text| text.as_bytes().to_vec()).collect();
    (String::from_utf8_lossy(&actor).into_owned(), String::from_utf8_lossy(&reason).into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn actor_and_reason_are_read_back_as_far_as_they_fit() {
        let place = Place { path: PathBuf::new(), segment: 3, offset: 512, sequence: 8 };
        for reason in ["", "short", &"né".repeat(50), &"x".repeat(400)] {
            let record = cut_record(CutKind::Accepted, &place, 9, "anna", reason);
            let (actor, read) = actor_and_reason(record.slots());
            assert_eq!((actor.as_str(), read.as_str()), ("anna", &reason[..reason.len().min(216)]));
        }
    }
}

//! Records of older layouts made into today's, at the one place where records are read: everything behind the reader
//! knows one layout of each message.
//!
//! To change the layout of a message: raise its version in the registry, and add a line to [`UPCASTS`] that makes the
//! layout of before into the new one. Lines are never taken away. A golden journal of the version before shows that it
//! still reads.

use crate::message::Message;
use crate::record::{RecordBuffer, Slot, stamp};

use super::error::JournalRule;
use super::reader::Records;

/// How one version of a message's layout becomes the next.
#[derive(Clone, Copy, Debug)]
pub struct Upcast {
    pub message: Message,
    /// The version it takes; it gives the one after that.
    pub version: u8,
    /// Body and continuations anew. What the head says besides (sequence, time, flags, source, instrument, account) is
    /// carried over.
    pub apply: fn(&[Slot]) -> RecordBuffer,
}

/// Every layout that was released and is no longer today's.
pub const UPCASTS: &[Upcast] = &[];

/// Whether a record's layout is an older one.
pub(super) fn is_outdated(head: &Slot) -> bool {
    Message::from_number(head.message).is_some_and(|message| head.version < message.version())
}

/// Appends the records of `slots` to `out`, all in today's layouts.
pub(super) fn upcast_all(
    slots: &[Slot],
    upcasts: &[Upcast],
    out: &mut Vec<Slot>,
) -> Result<(), (JournalRule, String)> {
    for record in Records::new(slots) {
        match record {
            [head, ..] if is_outdated(head) => {
                out.extend_from_slice(upcast(record, upcasts)?.slots());
            }
            _ => out.extend_from_slice(record),
        }
    }
    Ok(())
}

fn upcast(record: &[Slot], upcasts: &[Upcast]) -> Result<RecordBuffer, (JournalRule, String)> {
    let mut now = step(record, upcasts)?;
    while is_outdated(&now.slots()[0]) {
        now = step(now.slots(), upcasts)?;
    }
    Ok(now)
}

/// One version up.
fn step(record: &[Slot], upcasts: &[Upcast]) -> Result<RecordBuffer, (JournalRule, String)> {
    let old = record[0];
    let known = upcasts.iter().find(|one| one.message as u16 == old.message && one.version == old.version);
    let Some(upcast) = known else {
        let name = Message::from_number(old.message).map_or("unknown", Message::name);
        let found = format!("version {} of {name}, from which nothing here leads to today's", old.version);
        return Err((JournalRule::RecordVersionMustBeKnown, found));
    };
    let mut new = (upcast.apply)(record);
    let head = new.head_mut();
    head.version = old.version + 1;
    (head.flags, head.source, head.instrument, head.account) =
        (old.flags, old.source, old.instrument, old.account);
    stamp(new.slots_mut(), old.sequence, old.time);
    Ok(new)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::command::{CancelOrder, CausePayload};
    use crate::disk::MemoryDisk;
    use crate::journal::{Content, Identity, JournalError, JournalReader, JournalWriter, Settings};
    use crate::observation::ClockAdvanced;
    use crate::record::{Body, payload};

    /// A version 0 of CancelOrder had the client order id in its last word and no cause.
    const TABLE: &[Upcast] = &[Upcast { message: Message::CancelOrder, version: 0, apply: cancel_order_0 }];

    fn cancel_order_0(record: &[Slot]) -> RecordBuffer {
        let mut new = RecordBuffer::new(CancelOrder { client_order_id: record[0].body[3], reserved: [0; 3] });
        new.push(CausePayload {
            cause_sequence: record[0].sequence - 1,
            cause_index: 0,
            command_index: 0,
            reserved: [0; 3],
        });
        new
    }

    fn old_cancel(sequence: u64) -> Slot {
        let head = Slot::new(CancelOrder { client_order_id: 0, reserved: [0; 3] });
        let body = [0, 0, 0, 70 + sequence];
        Slot { version: 0, sequence, time: 5, account: 9, source: 3, body, ..head }
    }

    fn clock(sequence: u64) -> Slot {
        Slot { sequence, time: 5, ..Slot::new(ClockAdvanced { reserved: [0; 4] }) }
    }

    fn written(records: &[Slot]) -> (Arc<MemoryDisk>, &'static Path) {
        let (disk, path) = (Arc::new(MemoryDisk::new()), Path::new("journal"));
        let identity = Identity::new(1, 0, "test");
        let settings = Settings::backtest(Content::Full);
        let mut writer = JournalWriter::create(disk.clone(), path, &identity, settings).unwrap();
        writer.append_of_any_version(records).unwrap();
        writer.close(None, 0).unwrap();
        (disk, path)
    }

    #[test]
    fn old_records_are_read_in_todays_layout_and_keep_their_place() {
        let (disk, path) = written(&[clock(1), old_cancel(2), old_cancel(3), clock(4)]);
        let mut reader = JournalReader::open(disk, path).unwrap();
        reader.use_upcasts(TABLE);
        let batch = reader.next_batch().unwrap().unwrap();
        let records: Vec<&[Slot]> = batch.records().collect();
        assert_eq!(records.iter().map(|record| record.len()).collect::<Vec<_>>(), [1, 2, 2, 1]);
        assert_eq!(records.iter().map(|record| record[0].sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let second = records[2];
        assert_eq!(CancelOrder::of(&second[0]).client_order_id, 73);
        assert_eq!(payload::<CausePayload>(second).unwrap().cause_sequence, 2);
        assert_eq!((second[0].version, second[0].account, second[0].source, second[0].time), (1, 9, 3, 5));
        assert_eq!(second[1].sequence, 3);
        assert_eq!(records[3], [clock(4)]);
        assert!(reader.next_batch().unwrap().is_some_and(|closing| closing.slots.is_empty()));
    }

    #[test]
    fn a_version_without_a_way_to_todays_is_refused_by_name() {
        let (disk, path) = written(&[clock(1), old_cancel(2)]);
        let error = JournalReader::open(disk, path).unwrap().next_batch().unwrap_err();
        assert_eq!(error.rule(), Some(JournalRule::RecordVersionMustBeKnown));
        assert!(error.to_string().contains("version 0 of CancelOrder"), "{error}");
    }

    #[test]
    fn a_newer_version_is_refused_as_newer() {
        let newer = Slot { version: 9, ..clock(1) };
        let (disk, path) = written(&[newer]);
        let error = JournalReader::open(disk, path).unwrap().next_batch().unwrap_err();
        assert_eq!(error.rule(), Some(JournalRule::RecordVersionMustBeKnown));
        assert!(error.to_string().contains("version 9 of ClockAdvanced"), "{error}");
        assert!(error.to_string().contains("newer openbell"), "{error}");
    }

    #[test]
    fn an_old_layout_is_never_written() {
        let (disk, path) = (Arc::new(MemoryDisk::new()), Path::new("journal"));
        let settings = Settings::backtest(Content::Full);
        let mut writer = JournalWriter::create(disk, path, &Identity::new(1, 0, ""), settings).unwrap();
        for record in [old_cancel(1), Slot { version: 9, ..clock(1) }] {
            let error = writer.append(&[record]).unwrap_err();
            assert!(matches!(error, JournalError::CannotAppend { sequence: 1, .. }), "{error}");
            assert_eq!(error.rule(), Some(JournalRule::RecordVersionMustBeKnown));
        }
        writer.append(&[clock(1)]).unwrap();
    }
}

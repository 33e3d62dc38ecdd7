//! The header of a batch: two slots before its records.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | first_sequence u64 | of its first record; of the next one when it has none |
//! | 8 | time u64 | of its first record |
//! | 16 | message u16, slots u8, version u8 | 1, 2, version of the format |
//! | 20 | flags u16, schema u16 | see [`flags`]; registry of the program that wrote it |
//! | 24 | header_checksum u32 | CRC32C of the 128 bytes with this field 0 |
//! | 28 | body_checksum u32 | CRC32C of records and padding |
//! | 32 | mark u32, slot_count u32 | slots of the records, padding not counted |
//! | 40 | record_count u32, sequence_count u32 | sequences: records that stand by reference included |
//! | 48 | durable_sequence u64, epoch u64 | what was durable when it was written |
//! | 64 | previous_chain [u64; 2] | |
//! | 80 | continuation head | 2, 1, 0, 0, 0 |
//! | 88 | state_hash [u64; 2], output_hash [u64; 2], state_sequence u64 | |

use xxhash_rust::xxh3::xxh3_128;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::message::Message;
use crate::record::{SLOT_SIZE, Slot};

use super::segment::{FORMAT_VERSION, Settings, joined, words};

pub const BATCH_HEADER_SIZE: usize = 2 * SLOT_SIZE;
pub(crate) const MARK: u32 = u32::from_le_bytes(*b"OBJ1");

/// Bits of [`BatchHeader::flags`].
pub mod flags {
    /// `state_hash` is the state after `state_sequence`.
    pub const STATE_HASH: u16 = 1 << 0;
    /// `output_hash` covers all events caused by records up to the last of this batch.
    pub const OUTPUT_HASH: u16 = 1 << 1;
    /// The writer ended here on purpose. Another batch may follow if the journal was opened again.
    pub const CLOSED: u16 = 1 << 2;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BatchHeader {
    pub first_sequence: u64,
    pub time: u64,
    message: u16,
    slots: u8,
    version: u8,
    pub flags: u16,
    pub schema: u16,
    header_checksum: u32,
    pub(crate) body_checksum: u32,
    mark: u32,
    pub slot_count: u32,
    pub record_count: u32,
    pub sequence_count: u32,
    pub durable_sequence: u64,
    pub epoch: u64,
    previous_chain: [u64; 2],
    second_message: u16,
    second_index: u8,
    second_rest: [u8; 5],
    state_hash: [u64; 2],
    output_hash: [u64; 2],
    state_sequence: u64,
}

const _: () = assert!(size_of::<BatchHeader>() == BATCH_HEADER_SIZE);

impl BatchHeader {
    /// A header without hashes, chain and checksums.
    pub(crate) fn new(epoch: u64, schema: u16, first_sequence: u64) -> Self {
        BatchHeader {
            first_sequence,
            time: 0,
            message: Message::BatchHeader as u16,
            slots: 2,
            version: FORMAT_VERSION,
            flags: 0,
            schema,
            header_checksum: 0,
            body_checksum: 0,
            mark: MARK,
            slot_count: 0,
            record_count: 0,
            sequence_count: 0,
            durable_sequence: 0,
            epoch,
            previous_chain: [0; 2],
            second_message: Message::Continuation as u16,
            second_index: 1,
            second_rest: [0; 5],
            state_hash: [0; 2],
            output_hash: [0; 2],
            state_sequence: 0,
        }
    }

    pub(crate) fn set_state_hash(&mut self, sequence: u64, hash: u128) {
        self.flags |= flags::STATE_HASH;
        self.state_sequence = sequence;
        self.state_hash = words(hash);
    }

    pub(crate) fn set_output_hash(&mut self, hash: u128) {
        self.flags |= flags::OUTPUT_HASH;
        self.output_hash = words(hash);
    }

    /// The last thing done to a header before it is written.
    pub(crate) fn seal(&mut self, previous_chain: u128, body: &[u8]) {
        self.previous_chain = words(previous_chain);
        self.body_checksum = crc32c::crc32c(body);
        self.header_checksum = self.computed_checksum();
    }

    pub(crate) fn from_slots(slots: [Slot; 2]) -> Self {
        zerocopy::transmute!(slots)
    }

    pub(crate) fn to_slots(self) -> [Slot; 2] {
        zerocopy::transmute!(self)
    }

    /// Whether this is a header at all, by mark and checksum.
    pub(crate) fn is_valid(&self) -> bool {
        self.has_mark() && self.header_checksum == self.computed_checksum()
    }

    pub(crate) fn has_mark(&self) -> bool {
        self.message == Message::BatchHeader as u16 && self.mark == MARK
    }

    pub(crate) fn checksums(&self) -> (u32, u32) {
        (self.header_checksum, self.computed_checksum())
    }

    fn computed_checksum(&self) -> u32 {
        let unsigned = BatchHeader { header_checksum: 0, ..*self };
        crc32c::crc32c(unsigned.as_bytes())
    }

    /// Bytes of the whole batch: header, records, padding.
    pub(crate) fn bytes(&self, settings: &Settings) -> u64 {
        settings.padded(BATCH_HEADER_SIZE as u64 + u64::from(self.slot_count) * SLOT_SIZE as u64)
    }

    /// The chain of the batch before, or of the segment's header.
    pub fn previous_chain(&self) -> u128 {
        joined(self.previous_chain)
    }

    /// The latest state hash known when the batch was written, with the sequence after which it was taken.
    pub fn state_hash(&self) -> Option<(u64, u128)> {
        self.has(flags::STATE_HASH).then(|| (self.state_sequence, joined(self.state_hash)))
    }

    /// Running hash of all events up to those of this batch's last record.
    pub fn output_hash(&self) -> Option<u128> {
        self.has(flags::OUTPUT_HASH).then(|| joined(self.output_hash))
    }

    pub fn is_closing(&self) -> bool {
        self.has(flags::CLOSED)
    }

    /// The sequence after the last one of this batch.
    pub fn next_sequence(&self) -> u64 {
        self.first_sequence.saturating_add(u64::from(self.sequence_count))
    }

    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// What the next batch has as its previous chain: covers header, and with it the chain so far, and body.
pub(crate) fn chain(batch: &[u8]) -> u128 {
    xxh3_128(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let mut header = BatchHeader::new(5, 1, 77);
        header.set_state_hash(70, 1 << 90);
        header.set_output_hash(3);
        header.seal(9 << 70, b"body");
        assert!(header.is_valid());
        assert_eq!((header.state_hash(), header.output_hash()), (Some((70, 1 << 90)), Some(3)));
        assert_eq!(header.previous_chain(), 9 << 70);
        let bytes: [u8; BATCH_HEADER_SIZE] = zerocopy::transmute!(header);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped: BatchHeader = zerocopy::transmute!(flipped);
            assert!(!flipped.is_valid(), "bit {bit}");
        }
    }

    #[test]
    fn the_two_slots_of_a_header_are_structure() {
        let slots = BatchHeader::new(u64::MAX, 1, u64::MAX).to_slots();
        assert_eq!((slots[0].message, slots[0].slots, slots[1].message, slots[1].slots), (1, 2, 2, 1));
    }
}

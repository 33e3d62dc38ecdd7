//! The first 256 bytes of a snapshot.
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | mark, 8 bytes | `OPENSNAP` |
//! | 8 | format u16, schema u16, rules_version u32 | |
//! | 16 | epoch u64 | of the journal |
//! | 24 | shard u32, block_size u32 | |
//! | 32 | configuration, 16 bytes | whatever else its owner must agree with, as a hash |
//! | 48 | sequence u64, time u64 | of the last record in the state; UTC nanoseconds |
//! | 64 | state_hash, 16 bytes | |
//! | 80 | output_hash, 16 bytes | running hash of all events up to there |
//! | 96 | chain, 16 bytes | of the journal up to the end of the batch of that record |
//! | 112 | segment u32, reserved u32, offset u64 | where in the journal the next batch follows |
//! | 128 | body_length u64 | bytes, without the checksums between them |
//! | 136 | reserved u64 | |
//! | 144 | body_hash, 16 bytes | XXH3-128 of the body |
//! | 160 | zeros | |
//! | 252 | checksum u32 | CRC32C of all before it |

use crate::journal::Position;

pub const HEAD_SIZE: usize = 256;
pub const FORMAT_VERSION: u16 = 1;
pub const BLOCK_SIZE: u32 = 256 << 10;

const MARK: [u8; 8] = *b"OPENSNAP";
const CHECKSUM_AT: usize = HEAD_SIZE - 4;

/// What a snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHead {
    pub format: u16,
    pub schema: u16,
    pub rules_version: u32,
    pub epoch: u64,
    pub shard: u8,
    pub configuration: u128,
    /// UTC nanoseconds of the last record.
    pub time: u64,
    pub state_hash: u128,
    pub output_hash: u128,
    /// Where the journal goes on; its `sequence` is that of the last record in the state.
    pub position: Position,
    pub body_length: u64,
    pub body_hash: u128,
}

/// Why bytes are no head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeadProblem {
    NoMark,
    Checksum { written: u32, computed: u32 },
    NewerFormat(u16),
    Field(&'static str),
}

struct Fields<'a> {
    bytes: &'a [u8; HEAD_SIZE],
}

impl Fields<'_> {
    fn part<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut part = [0; N];
        part.copy_from_slice(&self.bytes[at..at + N]);
        part
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.part(at))
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.part(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.part(at))
    }

    fn u128(&self, at: usize) -> u128 {
        u128::from_le_bytes(self.part(at))
    }
}

impl SnapshotHead {
    pub fn sequence(&self) -> u64 {
        self.position.sequence
    }

    pub(super) fn encode(&self) -> [u8; HEAD_SIZE] {
        let mut bytes = [0; HEAD_SIZE];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &MARK);
        put(8, &self.format.to_le_bytes());
        put(10, &self.schema.to_le_bytes());
        put(12, &self.rules_version.to_le_bytes());
        put(16, &self.epoch.to_le_bytes());
        put(24, &u32::from(self.shard).to_le_bytes());
        put(28, &BLOCK_SIZE.to_le_bytes());
        put(32, &self.configuration.to_le_bytes());
        put(48, &self.position.sequence.to_le_bytes());
        put(56, &self.time.to_le_bytes());
        put(64, &self.state_hash.to_le_bytes());
        put(80, &self.output_hash.to_le_bytes());
        put(96, &self.position.chain.to_le_bytes());
        put(112, &self.position.segment.to_le_bytes());
        put(120, &self.position.offset.to_le_bytes());
        put(128, &self.body_length.to_le_bytes());
        put(144, &self.body_hash.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEAD_SIZE]) -> Result<Self, HeadProblem> {
        let fields = Fields { bytes };
        if fields.part(0) != MARK {
            return Err(HeadProblem::NoMark);
        }
        let (written, computed) = (fields.u32(CHECKSUM_AT), crc32c::crc32c(&bytes[..CHECKSUM_AT]));
        if written != computed {
            return Err(HeadProblem::Checksum { written, computed });
        }
        let format = fields.u16(8);
        if format > FORMAT_VERSION {
            return Err(HeadProblem::NewerFormat(format));
        }
        if fields.u32(28) != BLOCK_SIZE {
            return Err(HeadProblem::Field("block_size"));
        }
        Ok(SnapshotHead {
            format,
            schema: fields.u16(10),
            rules_version: fields.u32(12),
            epoch: fields.u64(16),
            shard: u8::try_from(fields.u32(24)).map_err(|_| HeadProblem::Field("shard"))?,
            configuration: fields.u128(32),
            time: fields.u64(56),
            state_hash: fields.u128(64),
            output_hash: fields.u128(80),
            position: Position {
                segment: fields.u32(112),
                offset: fields.u64(120),
                sequence: fields.u64(48),
                chain: fields.u128(96),
            },
            body_length: fields.u64(128),
            body_hash: fields.u128(144),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> SnapshotHead {
        SnapshotHead {
            format: FORMAT_VERSION,
            schema: 2,
            rules_version: 3,
            epoch: 4,
            shard: 5,
            configuration: 6 << 100,
            time: 8,
            state_hash: 9 << 99,
            output_hash: 10 << 98,
            position: Position { segment: 12, offset: 13, sequence: 7, chain: 11 << 97 },
            body_length: 14,
            body_hash: 15 << 96,
        }
    }

    #[test]
    fn a_head_reads_back_as_it_was_written() {
        assert_eq!(SnapshotHead::decode(&head().encode()), Ok(head()));
    }

    #[test]
    fn every_flipped_bit_of_a_head_is_noticed() {
        let bytes = head().encode();
        for bit in 0..HEAD_SIZE * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SnapshotHead::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let newer = SnapshotHead { format: FORMAT_VERSION + 1, ..head() };
        assert_eq!(SnapshotHead::decode(&newer.encode()), Err(HeadProblem::NewerFormat(FORMAT_VERSION + 1)));
    }
}

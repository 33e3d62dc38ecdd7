//! Hashes used by state, output and tables. All are functions of bytes alone: equal on every machine.

use std::hash::{BuildHasher, Hasher};

use xxhash_rust::xxh3::xxh3_128;

/// A table keyed by integers whose hash has no per-process secret.
pub type Table<K, V> = hashbrown::HashMap<K, V, FixedHasher>;

/// Multiplicative hasher for integer keys that leaves neighbors near each other: ids ascend, and what was given out
/// together is used together, so that 64 ids in a row share a few cache lines of a table instead of having one each.
/// Tables that use it must never be iterated where order shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct FixedHasher;

#[derive(Clone, Copy, Debug, Default)]
pub struct IntegerHasher(u64);

/// Keys that differ in these low bits only are neighbors.
const NEAR_BITS: u32 = 6;

impl BuildHasher for FixedHasher {
    type Hasher = IntegerHasher;

    fn build_hasher(&self) -> IntegerHasher {
        IntegerHasher(0)
    }
}

impl Hasher for IntegerHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let block = self.0 ^ value >> NEAR_BITS;
        let product = u128::from(block).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let mixed = (product >> 64) as u64 ^ product as u64;
        // The table takes the place from the low bits and tells neighbors apart by the seven high ones.
        self.0 = (mixed << NEAR_BITS | value & ((1 << NEAR_BITS) - 1)) ^ value << 57;
    }
}

/// Hash of one entity: its kind, its logical id and its bytes. State hashes are wrapping sums of these, so
/// the order in which entities are visited does not matter.
pub fn entity_hash(kind: &str, id: u64, bytes: &[u8]) -> u128 {
    let mut input = Vec::with_capacity(kind.len() + 8 + bytes.len());
    input.extend_from_slice(kind.as_bytes());
    input.extend_from_slice(&id.to_le_bytes());
    input.extend_from_slice(bytes);
    xxh3_128(&input)
}

/// Folds `bytes` into a running hash whose whole state is 128 bits, so it can be saved and continued.
pub fn fold(hash: u128, bytes: &[u8]) -> u128 {
    let mut input = [0u8; 32];
    input[..16].copy_from_slice(&hash.to_le_bytes());
    input[16..].copy_from_slice(&xxh3_128(bytes).to_le_bytes());
    xxh3_128(&input)
}

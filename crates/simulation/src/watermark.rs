//! Reads the journal's watermark from its documentation (`docs/journal.md`) and not with the kernel's code: what it
//! says is what must be there, whoever checks it.

use crate::disk::SimulatedDisk;
use crate::exchange::journal_path;

const MARK: &[u8; 8] = b"OBJWATER";
const SLOT_OFFSETS: [usize; 2] = [0, 4096];
const SLOT_BYTES: usize = 128;

/// The last sequence that a file `WATERMARK` says was durable: that of the whole slot with the higher counter. `None`
/// where no slot is whole.
pub fn durable_sequence(file: &[u8]) -> Option<u64> {
    let slots = SLOT_OFFSETS.iter().filter_map(|&offset| file.get(offset..offset + SLOT_BYTES));
    let whole = slots.filter(|slot| is_whole(slot));
    whole.max_by_key(|slot| number_at(slot, 16)).map(|slot| number_at(slot, 48))
}

/// What the journal's watermark says on `disk`; 0 where there is none that is whole.
pub fn on(disk: &SimulatedDisk) -> u64 {
    disk.bytes(&journal_path().join("WATERMARK")).and_then(|bytes| durable_sequence(&bytes)).unwrap_or(0)
}

fn is_whole(slot: &[u8]) -> bool {
    let mut unsigned = slot.to_vec();
    unsigned[8..12].fill(0);
    slot.starts_with(MARK) && crc32c(&unsigned).to_le_bytes() == slot[8..12]
}

fn number_at(slot: &[u8], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&slot[offset..offset + 8]);
    u64::from_le_bytes(bytes)
}

/// Bit by bit: RFC 3720, appendix B.4.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn without_a_whole_slot_nothing_is_promised() {
        assert_eq!(durable_sequence(&[]), None);
        assert_eq!(durable_sequence(&[0; 8192]), None);
    }
}

//! Where each of ascending numbers stands among them.

/// Sixty-four neighboring numbers of which at least one is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    /// The numbers without their last six bits.
    number: u64,
    /// Place of the first of them.
    first: u32,
    bits: u64,
}

const BLOCK_BITS: u32 = 6;
const IN_BLOCK: u64 = (1 << BLOCK_BITS) - 1;

/// A set of numbers that only ever got larger ones, and the place of each: the first has 0, the next 1.
///
/// Order ids are such numbers, and dense: a table would keep a key and a place for each, far from one another, where
/// here 64 share 24 bytes and nothing is ever moved.
#[derive(Clone, Debug, Default)]
pub struct Ascending {
    blocks: Vec<Block>,
    len: u32,
}

impl Ascending {
    /// Puts a number above all others in and says at which place.
    pub fn push(&mut self, number: u64) -> u32 {
        let (block, bit) = (number >> BLOCK_BITS, 1 << (number & IN_BLOCK));
        let place = self.len;
        match self.blocks.last_mut().filter(|last| last.number == block) {
            Some(last) => {
                debug_assert!(last.bits < bit, "{number} is not above the others");
                last.bits |= bit;
            }
            None => {
                debug_assert!(self.blocks.last().is_none_or(|last| last.number < block));
                self.blocks.push(Block { number: block, first: place, bits: bit });
            }
        }
        self.len += 1;
        place
    }

    pub fn place(&self, number: u64) -> Option<u32> {
        let bit = 1 << (number & IN_BLOCK);
        let block = self.block(number >> BLOCK_BITS).filter(|block| block.bits & bit != 0)?;
        Some(block.first + (block.bits & (bit - 1)).count_ones())
    }

    /// No two blocks have the same number, so none is farther from the first, or from the last, than their numbers
    /// differ; without gaps it is just there.
    fn block(&self, number: u64) -> Option<&Block> {
        let (first, last) = (self.blocks.first()?, self.blocks.last()?);
        let most = number.checked_sub(first.number)?;
        let least = self.blocks.len() as u64 - 1;
        let least = least.saturating_sub(last.number.checked_sub(number)?) as usize;
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(self.blocks.len() - 1);
        let between = self.blocks.get(least..=most)?;
        let at = match between {
            [_] => 0,
            _ => between.partition_point(|block| block.number < number),
        };
        between.get(at).filter(|block| block.number == number)
    }

    /// How many numbers are less than or equal to this one.
    pub fn up_to(&self, number: u64) -> u32 {
        let block = number >> BLOCK_BITS;
        let at = self.blocks.partition_point(|other| other.number <= block);
        let Some(last) = self.blocks[..at].last() else { return 0 };
        let below =
            if last.number == block { u64::MAX >> (IN_BLOCK - (number & IN_BLOCK)) } else { u64::MAX };
        last.first + (last.bits & below).count_ones()
    }

    pub fn clear(&mut self) {
        self.blocks.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_the_place_it_would_have_in_a_list() {
        for largest_gap in [1, 3, 100, 5_000] {
            let mut state = 7u64;
            let (mut ascending, mut list, mut number) = (Ascending::default(), Vec::new(), 3u64 << 56);
            for _ in 0..3_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                number += 1 + (state >> 33) % largest_gap;
                assert_eq!(ascending.push(number), list.len() as u32);
                list.push(number);
            }
            for asked in list.iter().flat_map(|number| number - 1..=number + 65).chain([0, 1, u64::MAX]) {
                let found = list.binary_search(&asked);
                assert_eq!(ascending.place(asked), found.ok().map(|at| at as u32), "{asked}");
                let up_to = found.map_or_else(|at| at, |at| at + 1);
                assert_eq!(ascending.up_to(asked), up_to as u32, "{asked}");
            }
        }
    }

    #[test]
    fn nothing_is_in_an_empty_one() {
        let mut ascending = Ascending::default();
        assert_eq!((ascending.place(0), ascending.up_to(9)), (None, 0));
        ascending.push(5);
        ascending.clear();
        assert_eq!((ascending.place(5), ascending.push(2), ascending.place(2)), (None, 0, Some(0)));
    }
}

//! Which price levels of a window hold orders: three levels of words, so the best is found in three loads.

/// Largest window the three levels can describe.
pub(super) const MAX_BITS: usize = 64 * 64 * 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Bitmap {
    /// One bit to a place; after them one bit to each of these words, set where it is not zero.
    words: Box<[u64]>,
    /// Where the summary starts.
    summary: usize,
    /// Bit i: summary word i is not zero.
    top: u64,
}

impl Bitmap {
    /// All clear. `bits` is a power of two, at least 64 and at most [`MAX_BITS`].
    pub fn new(bits: usize) -> Self {
        let words = bits / 64;
        Bitmap { words: vec![0; words + words.div_ceil(64)].into_boxed_slice(), summary: words, top: 0 }
    }

    pub fn heap_bytes(&self) -> usize {
        size_of_val::<[u64]>(&self.words)
    }

    #[inline(always)]
    pub fn set(&mut self, bit: usize) {
        let (word, group) = (bit / 64, bit / 4096);
        let summary = self.summary + group;
        self.words[word] |= 1 << (bit % 64);
        self.words[summary] |= 1 << (word % 64);
        self.top |= 1u64.wrapping_shl(group as u32);
    }

    #[inline(always)]
    pub fn clear(&mut self, bit: usize) {
        let (word, group) = (bit / 64, bit / 4096);
        self.words[word] &= !(1 << (bit % 64));
        if self.words[word] != 0 {
            return;
        }
        let summary = self.summary + group;
        self.words[summary] &= !(1 << (word % 64));
        if self.words[summary] == 0 {
            self.top &= !1u64.wrapping_shl(group as u32);
        }
    }

    /// The lowest set bit.
    #[inline(always)]
    pub fn first(&self) -> Option<usize> {
        if self.top == 0 {
            return None;
        }
        let group = self.top.trailing_zeros() as usize;
        let word = group * 64 + self.words[self.summary + group].trailing_zeros() as usize;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }

    /// The highest set bit.
    pub fn last(&self) -> Option<usize> {
        let highest = |word: u64| word.ilog2() as usize;
        if self.top == 0 {
            return None;
        }
        let group = highest(self.top);
        let word = group * 64 + highest(self.words[self.summary + group]);
        Some(word * 64 + highest(self.words[word]))
    }

    /// The lowest set bit at or after `bit`.
    pub fn first_from(&self, bit: usize) -> Option<usize> {
        let word = bit / 64;
        if word >= self.summary {
            return None;
        }
        let rest = self.words[word] & (u64::MAX << (bit % 64));
        if rest != 0 {
            return Some(word * 64 + rest.trailing_zeros() as usize);
        }
        let word = self.word_after(word)?;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }

    /// The lowest word after `word` that is not zero.
    fn word_after(&self, word: usize) -> Option<usize> {
        let group = word / 64;
        let rest = above(self.words[self.summary + group], word % 64);
        if rest != 0 {
            return Some(group * 64 + rest.trailing_zeros() as usize);
        }
        let groups = above(self.top, group);
        if groups == 0 {
            return None;
        }
        let group = groups.trailing_zeros() as usize;
        Some(group * 64 + self.words[self.summary + group].trailing_zeros() as usize)
    }
}

/// The bits of `word` strictly above `bit`.
fn above(word: u64, bit: usize) -> u64 {
    if bit == 63 { 0 } else { word & (u64::MAX << (bit + 1)) }
}

#[cfg(test)]
mod tests {
    use super::{Bitmap, MAX_BITS};

    #[test]
    fn the_first_bit_from_any_place_is_the_one_a_set_would_find() {
        let bits = [0, 1, 63, 64, 4095, 4096, 8191, 70_000, 262_143];
        let mut map = Bitmap::new(MAX_BITS);
        bits.iter().for_each(|&bit| map.set(bit));
        for start in [0, 1, 2, 62, 63, 64, 65, 4095, 4096, 4097, 8192, 69_999, 70_001, 262_143] {
            let expected = bits.iter().copied().find(|&bit| bit >= start);
            assert_eq!(map.first_from(start), expected, "from {start}");
        }
        for (index, &bit) in bits.iter().enumerate() {
            assert_eq!((map.first(), map.last()), (Some(bit), Some(bits[bits.len() - 1])));
            map.clear(bit);
            assert_eq!(map.first(), bits.get(index + 1).copied());
        }
        assert_eq!(map.last(), None);
    }
}

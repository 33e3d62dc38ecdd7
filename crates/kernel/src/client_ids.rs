//! Where the order of an account and of its client's id stands among the orders of the day.

/// Places by hash. An entry is a hash and a place in eight bytes, and its key is looked up in the order itself: eight
/// entries share a cache line, and growing reads nothing but the table.
///
/// A key that is taken once stays until all go: there is no removal.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientIds {
    /// Hash in the low half, place and one in the high one; 0 is free. A power of two of them.
    entries: Vec<u64>,
    len: usize,
}

const FEWEST: usize = 16;

impl ClientIds {
    #[inline]
    pub fn hash(account: u32, client_order_id: u64) -> u32 {
        let key = client_order_id ^ u64::from(account).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let product = u128::from(key).wrapping_mul(0xF39C_C060_5CED_C834_1082_276B_F3A2_7251);
        let mixed = (product >> 64) as u64 ^ product as u64;
        (mixed ^ mixed >> 32) as u32
    }

    /// The place with this hash of which `is` says that it is the one.
    #[inline]
    pub fn find(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.locate(hash, is).map(|at| place_of(self.entries[at]))
    }

    #[inline]
    fn locate(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<usize> {
        let last = self.entries.len().wrapping_sub(1);
        let mut at = hash as usize & last;
        loop {
            // None where there is no entry yet, else one is free.
            let entry = *self.entries.get(at)?;
            if entry == 0 {
                return None;
            }
            if entry as u32 == hash && is(place_of(entry)) {
                return Some(at);
            }
            at = (at + 1) & last;
        }
    }

    /// Puts in a place whose key is not there.
    #[inline]
    pub fn insert(&mut self, hash: u32, place: u32) {
        if self.len * 8 >= self.entries.len() * 5 {
            self.grow();
        }
        self.len += 1;
        put(&mut self.entries, (u64::from(place) + 1) << 32 | u64::from(hash));
    }

    /// As [`ClientIds::insert`]; where the key is there its place is another one from now on.
    pub fn set(&mut self, hash: u32, place: u32, is: impl Fn(u32) -> bool) {
        match self.locate(hash, is) {
            Some(at) => self.entries[at] = (u64::from(place) + 1) << 32 | u64::from(hash),
            None => self.insert(hash, place),
        }
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.entries.len() * 2).max(FEWEST);
        // Written, not asked for as zeros: such memory is mapped once where it is first read and once more where it is written.
        let entries = std::iter::repeat_n(0, size).collect();
        let before = std::mem::replace(&mut self.entries, entries);
        before.into_iter().filter(|&entry| entry != 0).for_each(|entry| put(&mut self.entries, entry));
    }

    pub fn clear(&mut self) {
        self.entries.fill(0);
        self.len = 0;
    }
}

fn place_of(entry: u64) -> u32 {
    ((entry >> 32) as u32).wrapping_sub(1)
}

#[inline]
fn put(entries: &mut [u64], entry: u64) {
    let last = entries.len() - 1;
    let mut at = entry as u32 as usize & last;
    while entries[at] != 0 {
        at = (at + 1) & last;
    }
    entries[at] = entry;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Keys by place, as the orders have them.
    fn place_of(ids: &ClientIds, keys: &[(u32, u64)], key: (u32, u64), hash: u32) -> Option<u32> {
        ids.find(hash, |place| keys[place as usize] == key)
    }

    #[test]
    fn every_key_has_its_place_also_among_those_of_one_hash() {
        for hashes in [u32::MAX, 3] {
            let (mut ids, mut keys, mut map) = (ClientIds::default(), Vec::new(), BTreeMap::new());
            let mut state = 7u64;
            for _ in 0..4_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let key = ((state >> 40) as u32 & 7, state >> 33 & 1023);
                let hash = ClientIds::hash(key.0, key.1) & hashes;
                assert_eq!(place_of(&ids, &keys, key, hash), map.get(&key).copied());
                let place = keys.len() as u32;
                match map.insert(key, place) {
                    None => ids.insert(hash, place),
                    Some(_) => ids.set(hash, place, |place| keys[place as usize] == key),
                }
                keys.push(key);
            }
            assert_eq!(ids.len, map.len());
            ids.clear();
            assert_eq!(place_of(&ids, &keys, keys[0], ClientIds::hash(keys[0].0, keys[0].1)), None);
        }
    }
}

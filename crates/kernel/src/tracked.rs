//! Collections that keep the hash of their entities up to date by hashing only what changed.
//!
//! A state hash is a wrapping sum over entities, so the order in which they are visited does not matter and one
//! that changes is taken out and put in again. The only way to change an entity notes that it must be hashed
//! anew: there is nothing to remember and so nothing to forget.

use std::collections::{BTreeMap, btree_map};
use std::hash::Hash;
use std::ops::{Deref, DerefMut};

use xxhash_rust::xxh3::xxh3_128;

use crate::hash::Table;
use crate::numbered::Numbered;
use crate::state::{State, StateWriter};

/// What names an entity for as long as it lives: never a place in memory.
pub trait EntityKey: Copy + Eq + Hash {
    fn write(self, out: &mut StateWriter);
}

impl EntityKey for u16 {
    fn write(self, out: &mut StateWriter) {
        out.u16(self);
    }
}

impl EntityKey for u32 {
    fn write(self, out: &mut StateWriter) {
        out.u32(self);
    }
}

impl EntityKey for u64 {
    fn write(self, out: &mut StateWriter) {
        out.u64(self);
    }
}

impl<A: EntityKey, B: EntityKey> EntityKey for (A, B) {
    fn write(self, out: &mut StateWriter) {
        self.0.write(out);
        self.1.write(out);
    }
}

/// Hashes entities one after the other in memory that is used again.
#[derive(Debug, Default)]
pub struct EntityHasher {
    writer: StateWriter,
}

/// What a hasher has in its buffer is of no further use.
impl Clone for EntityHasher {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl EntityHasher {
    /// Hash of one entity: its kind, its key and its bytes.
    pub fn hash<K: EntityKey>(&mut self, kind: &str, key: K, write: impl FnOnce(&mut StateWriter)) -> u128 {
        self.writer.clear();
        self.writer.bytes(kind.as_bytes());
        key.write(&mut self.writer);
        write(&mut self.writer);
        xxh3_128(self.writer.as_slice())
    }
}

/// A value and the hash that stands for it in the sum; 0 while it is not in there.
#[derive(Clone, Debug)]
pub struct Entry<V> {
    value: V,
    // as two words, which need no alignment of 16 bytes
    hash: [u64; 2],
    is_touched: bool,
}

impl<V> Entry<V> {
    fn new(value: V) -> Self {
        Entry { value, hash: [0; 2], is_touched: true }
    }

    fn hash(&self) -> u128 {
        u128::from(self.hash[0]) | u128::from(self.hash[1]) << 64
    }

    fn set_hash(&mut self, hash: u128) {
        self.hash = [hash as u64, (hash >> 64) as u64];
        self.is_touched = false;
    }
}

/// Keys of what changed since the last sum, and that sum without what has gone.
#[derive(Clone, Debug)]
struct Changes<K> {
    keys: Vec<K>,
    sum: u128,
}

impl<K> Default for Changes<K> {
    fn default() -> Self {
        Changes { keys: Vec::new(), sum: 0 }
    }
}

impl<K: Copy> Changes<K> {
    fn touch<V>(&mut self, key: K, entry: &mut Entry<V>) {
        if !entry.is_touched {
            entry.is_touched = true;
            self.keys.push(key);
        }
    }

    fn forget<V>(&mut self, entry: Entry<V>) -> V {
        self.sum = self.sum.wrapping_sub(entry.hash());
        entry.value
    }

    fn update<V>(&mut self, entry: &mut Entry<V>, hash: u128) {
        self.sum = self.sum.wrapping_sub(entry.hash()).wrapping_add(hash);
        entry.set_hash(hash);
    }
}

macro_rules! tracked {
    ($(#[$about:meta])* $name:ident, $map:ident, [$($bound:tt)*]) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        pub struct $name<K, V> {
            entries: $map<K, Entry<V>>,
            changes: Changes<K>,
        }

        impl<K: EntityKey + $($bound)*, V> $name<K, V> {
            pub fn get(&self, key: K) -> Option<&V> {
                self.entries.get(&key).map(|entry| &entry.value)
            }

            /// The entity to change; it is hashed again at the next sum.
            pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
                let entry = self.entries.get_mut(&key)?;
                self.changes.touch(key, entry);
                Some(&mut entry.value)
            }

            pub fn contains_key(&self, key: K) -> bool {
                self.entries.contains_key(&key)
            }

            /// Puts an entity in and returns the one it replaces.
            pub fn insert(&mut self, key: K, value: V) -> Option<V> {
                let before = self.entries.insert(key, Entry::new(value));
                self.changes.keys.push(key);
                before.map(|entry| self.changes.forget(entry))
            }

            pub fn remove(&mut self, key: K) -> Option<V> {
                let entry = self.entries.remove(&key)?;
                Some(self.changes.forget(entry))
            }

            pub fn len(&self) -> usize {
                self.entries.len()
            }

            pub fn is_empty(&self) -> bool {
                self.entries.is_empty()
            }

            /// Wrapping sum of the hashes of all entities; `hash` is asked about those that changed since the
            /// last call.
            pub fn sum_by(&mut self, mut hash: impl FnMut(K, &mut V) -> u128) -> u128 {
                let Self { entries, changes } = self;
                let mut keys = std::mem::take(&mut changes.keys);
                for key in keys.drain(..) {
                    // One that was removed and put in again is named twice.
                    if let Some(entry) = entries.get_mut(&key).filter(|entry| entry.is_touched) {
                        let hash = hash(key, &mut entry.value);
                        changes.update(entry, hash);
                    }
                }
                changes.keys = keys;
                changes.sum
            }

            /// As [`Self::sum_by`], over the bytes the entities write.
            pub fn sum(&mut self, kind: &str, hasher: &mut EntityHasher) -> u128
            where
                V: State,
            {
                self.sum_by(|key, value| hasher.hash(kind, key, |out| value.write(out)))
            }
        }

        impl<K, V> Default for $name<K, V> {
            fn default() -> Self {
                $name { entries: $map::default(), changes: Changes::default() }
            }
        }

        impl<K: EntityKey + $($bound)*, V> FromIterator<(K, V)> for $name<K, V> {
            fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
                let mut map = Self::default();
                pairs.into_iter().for_each(|(key, value)| drop(map.insert(key, value)));
                map
            }
        }
    };
}

tracked! {
    /// Entities in the order of their keys.
    TrackedMap, BTreeMap, [Ord]
}

tracked! {
    /// Entities by number, in the order of their numbers.
    TrackedNumbers, Numbered, [Ord + Into<u64>]
}

impl<K: EntityKey + Ord, V> TrackedMap<K, V> {
    /// The entity to change, made where there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let entry = match self.entries.entry(key) {
            btree_map::Entry::Occupied(entry) => entry.into_mut(),
            btree_map::Entry::Vacant(entry) => {
                self.changes.keys.push(key);
                entry.insert(Entry::new(make()))
            }
        };
        self.changes.touch(key, entry);
        &mut entry.value
    }

    /// Those that `chosen` picks, to change.
    pub fn iter_mut_where(&mut self, chosen: impl Fn(K, &V) -> bool) -> impl Iterator<Item = (K, &mut V)> {
        let TrackedMap { entries, changes } = self;
        entries.iter_mut().filter(move |(key, entry)| chosen(**key, &entry.value)).map(|(key, entry)| {
            changes.touch(*key, entry);
            (*key, &mut entry.value)
        })
    }

    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (K, &V)> {
        self.entries.iter().map(|(key, entry)| (*key, &entry.value))
    }

    pub fn retain(&mut self, mut keep: impl FnMut(K, &V) -> bool) {
        let TrackedMap { entries, changes } = self;
        entries.retain(|key, entry| {
            let stays = keep(*key, &entry.value);
            if !stays {
                changes.sum = changes.sum.wrapping_sub(entry.hash());
            }
            stays
        });
    }
}

impl<K: EntityKey + Ord + Into<u64>, V> TrackedNumbers<K, V> {
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (K, &V)> {
        self.entries.iter().map(|(key, entry)| (*key, &entry.value))
    }
}

impl<K: EntityKey + Ord + Into<u64>, V: PartialEq> PartialEq for TrackedNumbers<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: EntityKey + Ord + Into<u64>, V: Eq> Eq for TrackedNumbers<K, V> {}

/// Entities by integer keys, in no order. They lie in places that are used again last in, first out, while they are warm;
/// the table itself has keys and places only.
#[derive(Clone, Debug)]
pub struct TrackedTable<K, V> {
    places: Table<K, u32>,
    entries: Vec<Option<Entry<V>>>,
    free: Vec<u32>,
    changes: Changes<K>,
}

impl<K, V> Default for TrackedTable<K, V> {
    fn default() -> Self {
        TrackedTable {
            places: Table::default(),
            entries: Vec::new(),
            free: Vec::new(),
            changes: Changes::default(),
        }
    }
}

impl<K: EntityKey, V> TrackedTable<K, V> {
    #[inline]
    pub fn get(&self, key: K) -> Option<&V> {
        let place = *self.places.get(&key)?;
        self.entries.get(place as usize)?.as_ref().map(|entry| &entry.value)
    }

    /// The entity to change; it is hashed again at the next sum.
    #[inline]
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let place = *self.places.get(&key)?;
        let entry = self.entries.get_mut(place as usize)?.as_mut()?;
        self.changes.touch(key, entry);
        Some(&mut entry.value)
    }

    #[inline]
    pub fn contains_key(&self, key: K) -> bool {
        self.places.contains_key(&key)
    }

    /// Puts an entity in and returns the one it replaces.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.changes.keys.push(key);
        let entry = Some(Entry::new(value));
        let free = self.free.last().copied();
        let place = free.unwrap_or(self.entries.len() as u32);
        if let Some(taken) = self.places.insert(key, place) {
            // It was there already and keeps its place.
            self.places.insert(key, taken);
            let before = std::mem::replace(self.entries.get_mut(taken as usize)?, entry)?;
            return Some(self.changes.forget(before));
        }
        if free.is_some() {
            self.free.pop();
            self.entries[place as usize] = entry;
        } else {
            self.entries.push(entry);
        }
        None
    }

    #[inline]
    pub fn remove(&mut self, key: K) -> Option<V> {
        let place = self.places.remove(&key)?;
        self.free.push(place);
        let entry = self.entries.get_mut(place as usize)?.take()?;
        Some(self.changes.forget(entry))
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// As [`TrackedMap::sum_by`].
    pub fn sum_by(&mut self, mut hash: impl FnMut(K, &mut V) -> u128) -> u128 {
        let TrackedTable { places, entries, changes, .. } = self;
        let mut keys = std::mem::take(&mut changes.keys);
        for key in keys.drain(..) {
            let place = places.get(&key).map_or(usize::MAX, |place| *place as usize);
            let entry = entries.get_mut(place).and_then(Option::as_mut);
            // One that was removed and put in again is named twice.
            if let Some(entry) = entry.filter(|entry| entry.is_touched) {
                let hash = hash(key, &mut entry.value);
                changes.update(entry, hash);
            }
        }
        changes.keys = keys;
        changes.sum
    }

    /// As [`TrackedMap::sum`].
    pub fn sum(&mut self, kind: &str, hasher: &mut EntityHasher) -> u128
    where
        V: State,
    {
        self.sum_by(|key, value| hasher.hash(kind, key, |out| value.write(out)))
    }
}

impl<K: EntityKey + Ord, V> TrackedTable<K, V> {
    /// The entity to change, made where there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        if !self.contains_key(key) {
            self.insert(key, make());
        }
        let TrackedTable { places, entries, changes, .. } = self;
        let place = places.get(&key).map_or(usize::MAX, |place| *place as usize);
        match entries.get_mut(place).and_then(Option::as_mut) {
            Some(entry) => {
                changes.touch(key, entry);
                &mut entry.value
            }
            None => unreachable!("it was just put in"),
        }
    }

    /// Entities in no order: only for what does not depend on one.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().flatten().map(|entry| &entry.value)
    }

    /// Entities in the order of their keys.
    pub fn sorted(&self) -> Vec<(K, &V)> {
        let value = |place: u32| self.entries.get(place as usize)?.as_ref().map(|entry| &entry.value);
        let mut all: Vec<_> =
            self.places.iter().filter_map(|(key, place)| Some((*key, value(*place)?))).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }
}

impl<K: EntityKey + Ord, V: PartialEq> PartialEq for TrackedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: EntityKey + Ord, V: Eq> Eq for TrackedMap<K, V> {}

impl<K: EntityKey + Ord, V: PartialEq> PartialEq for TrackedTable<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.sorted() == other.sorted()
    }
}

impl<K: EntityKey + Ord, V: Eq> Eq for TrackedTable<K, V> {}

/// Entities numbered by their place, in pieces: growing moves none of them.
#[derive(Clone, Debug)]
pub struct TrackedList<V> {
    pieces: Vec<Vec<Entry<V>>>,
    len: usize,
    changes: Changes<usize>,
}

const PIECE: usize = 1024;

impl<V> Default for TrackedList<V> {
    fn default() -> Self {
        TrackedList { pieces: Vec::new(), len: 0, changes: Changes::default() }
    }
}

impl<V> TrackedList<V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, place: usize) -> Option<&V> {
        self.pieces.get(place / PIECE)?.get(place % PIECE).map(|entry| &entry.value)
    }

    /// The entity to change; it is hashed again at the next sum.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut V> {
        let entry = self.pieces.get_mut(place / PIECE)?.get_mut(place % PIECE)?;
        self.changes.touch(place, entry);
        Some(&mut entry.value)
    }

    /// Puts an entity behind the others and says at which place.
    #[inline]
    pub fn push(&mut self, value: V) -> usize {
        let place = self.len;
        if place.is_multiple_of(PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        if let Some(piece) = self.pieces.last_mut() {
            piece.push(Entry::new(value));
        }
        self.changes.keys.push(place);
        self.len += 1;
        place
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.pieces.iter().flatten().map(|entry| &entry.value)
    }

    /// Those from a place on.
    pub fn from(&self, place: usize) -> impl Iterator<Item = &V> {
        (place..self.len).filter_map(|place| self.get(place))
    }

    /// Up to `count` from a place on, as far as they lie in one piece.
    pub fn neighbors(&self, place: usize, count: usize) -> impl DoubleEndedIterator<Item = &V> {
        let piece = self.pieces.get(place / PIECE).and_then(|piece| piece.get(place % PIECE..));
        let piece = piece.unwrap_or_default();
        piece[..count.min(piece.len())].iter().map(|entry| &entry.value)
    }

    /// Takes out what is not to stay and moves the rest together: places change.
    pub fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        let sum = self.changes.sum;
        let pieces = std::mem::take(self).pieces;
        self.changes.sum = sum;
        for entry in pieces.into_iter().flatten() {
            if keep(&entry.value) {
                let (hash, is_touched) = (entry.hash, entry.is_touched);
                let place = self.push(entry.value);
                if let Some(kept) = self.pieces.last_mut().and_then(|piece| piece.last_mut()) {
                    (kept.hash, kept.is_touched) = (hash, is_touched);
                }
                if !is_touched {
                    self.changes.keys.pop();
                }
                debug_assert!(place < self.len);
            } else {
                self.changes.forget(entry);
            }
        }
    }

    /// As [`TrackedMap::sum_by`], by place.
    pub fn sum_by(&mut self, mut hash: impl FnMut(usize, &mut V) -> u128) -> u128 {
        let TrackedList { pieces, changes, .. } = self;
        let mut places = std::mem::take(&mut changes.keys);
        for place in places.drain(..) {
            let entry = pieces.get_mut(place / PIECE).and_then(|piece| piece.get_mut(place % PIECE));
            if let Some(entry) = entry.filter(|entry| entry.is_touched) {
                let hash = hash(place, &mut entry.value);
                changes.update(entry, hash);
            }
        }
        changes.keys = places;
        changes.sum
    }
}

impl<V: PartialEq> PartialEq for TrackedList<V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<V: Eq> Eq for TrackedList<V> {}

/// One thing that seldom changes: hashed again only after somebody had it to change.
#[derive(Clone, Debug, Default)]
pub struct Tracked<V> {
    value: V,
    hash: Option<u128>,
}

impl<V> Tracked<V> {
    pub fn new(value: V) -> Self {
        Tracked { value, hash: None }
    }

    pub fn hash_by(&mut self, hash: impl FnOnce(&mut V) -> u128) -> u128 {
        let Tracked { value, hash: known } = self;
        *known.get_or_insert_with(|| hash(value))
    }

    pub fn hash(&mut self, kind: &str, hasher: &mut EntityHasher) -> u128
    where
        V: State,
    {
        self.hash_by(|value| hasher.hash(kind, 0u64, |out| value.write(out)))
    }
}

impl<V> Deref for Tracked<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V> DerefMut for Tracked<V> {
    fn deref_mut(&mut self) -> &mut V {
        self.hash = None;
        &mut self.value
    }
}

impl<V: PartialEq> PartialEq for Tracked<V> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<V: Eq> Eq for Tracked<V> {}

#[cfg(test)]
mod tests {
    use super::*;

    type Map = TrackedMap<u64, u64>;

    fn sum(map: &mut Map, asked: &mut Vec<u64>) -> u128 {
        let mut hasher = EntityHasher::default();
        map.sum_by(|key, value| {
            asked.push(key);
            hasher.hash("number", key, |out| out.u64(*value))
        })
    }

    fn fresh(map: &Map) -> u128 {
        sum(&mut map.iter().map(|(key, value)| (key, *value)).collect(), &mut Vec::new())
    }

    #[test]
    fn only_what_changed_is_hashed_again() {
        let mut map: Map = (0..100).map(|key| (key, key)).collect();
        let mut asked = Vec::new();
        sum(&mut map, &mut asked);
        assert_eq!(asked.len(), 100);
        asked.clear();
        *map.get_mut(7).unwrap() = 70;
        *map.get_mut(7).unwrap() = 71;
        map.remove(8);
        map.insert(9, 90);
        *map.get_or_insert_with(100, || 1) += 1;
        assert_eq!(sum(&mut map, &mut asked), fresh(&map));
        asked.sort_unstable();
        assert_eq!(asked, [7, 9, 100]);
    }

    #[test]
    fn the_sum_is_that_of_the_entities_whatever_happened_before() {
        let mut map = Map::default();
        let mut state = 1u64;
        for _ in 0..10_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (key, choice) = (state >> 40 & 31, state >> 60);
            match choice {
                0..6 => drop(map.insert(key, state)),
                6..9 => drop(map.remove(key)),
                9..13 => drop(map.get_mut(key).map(|value| *value ^= state)),
                13 => map.retain(|other, _| other % 7 != key % 7),
                _ => assert_eq!(sum(&mut map, &mut Vec::new()), fresh(&map)),
            }
        }
        assert_eq!(sum(&mut map, &mut Vec::new()), fresh(&map));
    }

    #[test]
    fn a_table_is_the_map_it_stands_for_and_sums_the_same() {
        let (mut table, mut map) = (TrackedTable::<u64, u64>::default(), BTreeMap::new());
        let mut state = 1u64;
        let hash = |key: u64, value: u64| u128::from(key) << 64 | u128::from(value);
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (key, choice) = (state >> 40 & 63, state >> 60);
            match choice {
                0..5 => assert_eq!(table.insert(key, state), map.insert(key, state)),
                5..10 => assert_eq!(table.remove(key), map.remove(&key)),
                10..12 => {
                    *table.get_or_insert_with(key, || 1) ^= state;
                    *map.entry(key).or_insert(1) ^= state;
                }
                12 => drop(
                    table
                        .get_mut(key)
                        .map(|value| *value ^= 1)
                        .zip(map.get_mut(&key).map(|value| *value ^= 1)),
                ),
                _ => {
                    let sum = map.iter().map(|(key, value)| hash(*key, *value)).fold(0, u128::wrapping_add);
                    assert_eq!(table.sum_by(|key, value| hash(key, *value)), sum);
                }
            }
            assert_eq!((table.get(key), table.len()), (map.get(&key), map.len()));
        }
        assert!(table.sorted().into_iter().eq(map.iter().map(|(key, value)| (*key, value))));
        assert_eq!(table.values().count(), map.len());
    }

    #[test]
    fn a_list_sums_the_same_after_places_have_moved() {
        let sum = |list: &mut TrackedList<u64>| {
            let mut hasher = EntityHasher::default();
            list.sum_by(|_, value| hasher.hash("number", *value, |_| ()))
        };
        let mut list = TrackedList::default();
        for value in 0..3000u64 {
            list.push(value);
        }
        sum(&mut list);
        *list.get_mut(2500).unwrap() += 10_000;
        list.retain(|value| value % 3 != 1);
        list.push(7);
        let mut fresh = TrackedList::default();
        for value in list.iter() {
            fresh.push(*value);
        }
        assert_eq!(sum(&mut list), sum(&mut fresh));
        assert_eq!((list.len(), list.get(list.len() - 1)), (2002, Some(&7)));
    }

    #[test]
    fn equal_values_under_other_keys_are_another_state() {
        let mut one: Map = [(1, 5), (2, 6)].into_iter().collect();
        let mut other: Map = [(1, 6), (2, 5)].into_iter().collect();
        assert_ne!(sum(&mut one, &mut Vec::new()), sum(&mut other, &mut Vec::new()));
    }

    #[test]
    fn one_thing_is_hashed_after_a_change_only() {
        let mut one = Tracked::new(1u64);
        assert_eq!(one.hash_by(|_| 10), 10);
        assert_eq!(one.hash_by(|_| 11), 10);
        *one += 1;
        assert_eq!(one.hash_by(|_| 11), 11);
    }
}

//! Values by number: accounts, instruments and currencies are numbered 1, 2, 3 in the order in which they came.

/// A map in the order of its keys. A key that is the number of its place, as most are, is found by looking there; any
/// other by halving. Values stay where they are when others come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered<K, V> {
    entries: Vec<(K, Box<V>)>,
}

impl<K, V> Default for Numbered<K, V> {
    fn default() -> Self {
        Numbered { entries: Vec::new() }
    }
}

impl<K: Copy + Ord + Into<u64>, V> Numbered<K, V> {
    /// Where the key is, or where it belongs.
    #[inline]
    fn place(&self, key: K) -> Result<usize, usize> {
        let number: u64 = key.into();
        let guess = (number as usize).wrapping_sub(1);
        match self.entries.get(guess) {
            Some((found, _)) if *found == key => Ok(guess),
            _ => self.entries.binary_search_by(|(other, _)| other.cmp(&key)),
        }
    }

    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        let place = self.place(*key).ok()?;
        self.entries.get(place).map(|(_, value)| value.as_ref())
    }

    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(*key).ok()?;
        self.entries.get_mut(place).map(|(_, value)| value.as_mut())
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.place(*key).is_ok()
    }

    /// Puts a value in and returns the one it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(key) {
            Ok(place) => Some(std::mem::replace(&mut self.entries[place].1, value)),
            Err(place) => {
                self.entries.insert(place, (key, Box::new(value)));
                None
            }
        }
    }

    /// The value to change, made where there is none.
    #[inline]
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let place = match self.place(key) {
            Ok(place) => place,
            Err(place) => {
                self.entries.insert(place, (key, Box::default()));
                place
            }
        };
        &mut self.entries[place].1
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(*key).ok()?;
        Some(*self.entries.remove(place).1)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value.as_ref())
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_is_the_map_it_stands_for_whatever_the_numbers() {
        let mut state = 7u64;
        let (mut numbered, mut map) = (Numbered::<u32, u64>::default(), BTreeMap::new());
        for step in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let key = match state >> 62 {
                0 => (state >> 30) as u32,
                _ => (state >> 40) as u32 & 63,
            };
            match state >> 58 & 7 {
                0 => assert_eq!(numbered.remove(&key), map.remove(&key)),
                1..4 => assert_eq!(numbered.insert(key, step), map.insert(key, step)),
                4 => {
                    *numbered.get_or_default(key) ^= step;
                    *map.entry(key).or_default() ^= step;
                }
                _ => {
                    assert_eq!(numbered.get(&key), map.get(&key));
                    assert_eq!(numbered.contains_key(&key), map.contains_key(&key));
                }
            }
        }
        assert!(numbered.iter().eq(map.iter()) && numbered.values().eq(map.values()));
        assert_eq!((numbered.len(), numbered.is_empty()), (map.len(), false));
    }
}

//! The price levels of one side, best first.
//!
//! Prices become *keys* that grow away from the best possible one (a bid's key is the complement of its price: the
//! whole range of 64 bits maps onto itself), so one code path serves both sides. Keys near the best lie in a window, an array indexed by `key - base` with a
//! bitmap over it; all others in an ordered map, so any price works and memory follows the number of levels,
//! not the distance between prices.
//!
//! Where the window lies decides speed only, never results. It moves and grows after uses of the map in proportion
//! to its places: the cost of moving it is paid by what is saved. It spans all levels where they are many enough for
//! a window so wide, or where the map was used so much that a wide one is worth its memory: a thin book whose price
//! swings far would lay a narrow one thousands of times.

use std::collections::BTreeMap;

use prefetch_index::prefetch_index;

use super::bitmap::{Bitmap, MAX_BITS};
use super::slab::NONE;

const INITIAL_WINDOW: usize = 256;

/// The window grows only while it has at most this many places per level: 4 bytes each.
const PLACES_PER_LEVEL: usize = 64;

/// However few the levels are, each use of the map earns [`PLACES_PER_FAR_USE`] places, up to so many: 256 KiB.
const MOST_EARNED_PLACES: usize = 1 << 16;

/// Places of a window that are laid anew in the time that one use of the map takes more than one of the window.
const PLACES_PER_FAR_USE: usize = 8;

/// The same where the map is not used again after it, because the window then spans all levels.
const PLACES_PER_LAST_FAR_USE: usize = 64;

/// Key of an empty side: no limit reaches it. No order has it, nor [`NOWHERE`]: on one side or the other the two are the
/// keys of the lowest and the highest integer, neither of which is a price ([`super::MAX_PRICE`]).
pub(super) const NO_KEY: i64 = i64::MAX;

/// A limit that reaches every order.
pub(super) const ANY_KEY: i64 = i64::MAX - 1;

/// A limit that reaches no order.
pub(super) const NOWHERE: i64 = i64::MIN;

const _: () = {
    assert!(mirror(0, super::MAX_PRICE) > NOWHERE && mirror(0, -super::MAX_PRICE) <= ANY_KEY);
    assert!(mirror(1, -super::MAX_PRICE) > NOWHERE && mirror(1, super::MAX_PRICE) <= ANY_KEY);
};

/// The key of `price` on `side` (0 buy, 1 sell); its own inverse. In arithmetic, because sides come in no order
/// that a processor could foresee: as a branch it cost more than the rest of finding a level.
#[inline(always)]
pub(super) const fn mirror(side: usize, price: i64) -> i64 {
    price ^ (side as i64 - 1)
}

/// Where a window of `size` places starts that has `before` of them before `key`, if the integers reach so far: no
/// window has a place beyond the highest.
fn window_base(key: i64, before: usize, size: usize) -> i64 {
    key.saturating_sub(before as i64).min(i64::MAX - size as i64)
}

/// The first half, a cache line, is all that a command needs that makes or drops no level.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Ladder {
    /// Best key with orders, [`NO_KEY`] when there is none.
    pub best_key: i64,
    /// Leaves of all orders of the side. Kept below `i64::MAX`, so no sum of levels can overflow.
    pub quantity: i64,
    base: i64,
    /// Slot of the level at `base + index`, [`NONE`] where there is none.
    window: Vec<u32>,
    pub best_level: u32,
    levels: u32,
    /// Uses of `far` since the window was last placed.
    far_uses: u32,
    /// Uses of `far` before.
    earlier_far_uses: u32,
    occupied: Bitmap,
    far: BTreeMap<i64, u32>,
    /// Lowest key of `far`, [`NO_KEY`] when it is empty.
    far_best: i64,
}

const _: () = assert!(size_of::<Ladder>() == 128);

impl Default for Ladder {
    fn default() -> Self {
        Ladder {
            best_key: NO_KEY,
            best_level: NONE,
            quantity: 0,
            base: 0,
            window: Vec::new(),
            occupied: Bitmap::default(),
            far: BTreeMap::new(),
            far_best: NO_KEY,
            far_uses: 0,
            earlier_far_uses: 0,
            levels: 0,
        }
    }
}

impl Ladder {
    /// Place of `key` in the window, if it lies there.
    #[inline(always)]
    fn place(&self, key: i64) -> Option<usize> {
        let index = key.wrapping_sub(self.base) as u64;
        (index < self.window.len() as u64).then_some(index as usize)
    }

    /// Has the place of `key` in the window fetched.
    #[inline(always)]
    pub fn foresee(&self, key: i64) {
        if let Some(index) = self.place(key) {
            prefetch_index(&self.window, index);
        }
    }

    /// The level at `key`, [`NONE`] when there is none; for looking, so the window stays where it is.
    pub fn get(&self, key: i64) -> u32 {
        match self.place(key) {
            Some(index) => self.window[index],
            None => self.far.get(&key).copied().unwrap_or(NONE),
        }
    }

    /// The level at `key`, [`NONE`] when there is none.
    #[inline(always)]
    pub fn find(&mut self, key: i64) -> u32 {
        match self.place(key) {
            Some(index) => self.window[index],
            None => self.find_far(key),
        }
    }

    #[cold]
    fn find_far(&mut self, key: i64) -> u32 {
        if self.levels == 0 {
            self.start_at(key);
            return NONE;
        }
        self.far_uses = self.far_uses.saturating_add(1);
        if self.is_due(key) {
            self.move_window(key);
        }
        match self.place(key) {
            Some(index) => self.window[index],
            None => self.far.get(&key).copied().unwrap_or(NONE),
        }
    }

    /// The best level whose key is `key` or worse, with its key.
    pub fn at_or_after(&self, key: i64) -> Option<(i64, u32)> {
        let start = key.max(self.base).wrapping_sub(self.base) as usize;
        let near =
            self.occupied.first_from(start).map(|index| (self.base + index as i64, self.window[index]));
        if self.far.is_empty() {
            return near;
        }
        let far = self.far.range(key..).next().map(|(&key, &level)| (key, level));
        match (near, far) {
            (Some(near), Some(far)) => Some(if near.0 < far.0 { near } else { far }),
            (near, far) => near.or(far),
        }
    }

    /// Places the window of an empty side around its first key.
    fn start_at(&mut self, key: i64) {
        if self.window.is_empty() {
            self.window = vec![NONE; INITIAL_WINDOW];
            self.occupied = Bitmap::new(INITIAL_WINDOW);
        }
        self.base = window_base(key, self.window.len() / 2, self.window.len());
        self.far_uses = 0;
    }

    /// Adds a level at a key that [`Ladder::find`] has just found free.
    #[inline(always)]
    pub fn insert(&mut self, key: i64, level: u32) {
        match self.place(key) {
            Some(index) => {
                self.window[index] = level;
                self.occupied.set(index);
            }
            None => self.insert_far(key, level),
        }
        self.levels += 1;
        if key < self.best_key {
            self.best_key = key;
            self.best_level = level;
        }
    }

    #[cold]
    fn insert_far(&mut self, key: i64, level: u32) {
        self.far.insert(key, level);
        self.far_best = self.far_best.min(key);
    }

    /// Removes the level at `key`.
    #[inline(always)]
    pub fn remove(&mut self, key: i64) {
        match self.place(key) {
            Some(index) => {
                self.window[index] = NONE;
                self.occupied.clear(index);
            }
            None => self.remove_far(key),
        }
        self.levels -= 1;
        if key == self.best_key {
            self.find_best();
        }
    }

    #[cold]
    fn remove_far(&mut self, key: i64) {
        self.far.remove(&key);
        self.far_uses = self.far_uses.saturating_add(1);
        if key == self.far_best {
            self.far_best = self.far.first_key_value().map_or(NO_KEY, |(&key, _)| key);
        }
    }

    #[inline(always)]
    fn find_best(&mut self) {
        let near = self.occupied.first();
        let near_key = near.map_or(NO_KEY, |index| self.base + index as i64);
        if self.far_best < near_key {
            self.best_key = self.far_best;
            self.best_level = self.far.first_key_value().map_or(NONE, |(_, &level)| level);
        } else {
            self.best_key = near_key;
            self.best_level = near.map_or(NONE, |index| self.window[index]);
        }
    }

    /// Whether the map, used again for `key`, was used enough for a new window. How far the levels span is asked now and
    /// then only.
    fn is_due(&self, key: i64) -> bool {
        let (uses, places) = (self.far_uses as usize, self.window.len());
        let ends_them = || self.span(key) <= self.most_places(places) as u64;
        uses > places / PLACES_PER_FAR_USE
            || uses > places / PLACES_PER_LAST_FAR_USE && uses.is_power_of_two() && ends_them()
    }

    /// Places a window may have that has `now` of them.
    fn most_places(&self, now: usize) -> usize {
        let earned = (self.earlier_far_uses as usize * PLACES_PER_FAR_USE).min(MOST_EARNED_PLACES);
        let filled = self.levels as usize * PLACES_PER_LEVEL;
        earned.max(filled).max(now).min(MAX_BITS)
    }

    /// Lays the window anew, after a use of the map for `key`: over all levels and `key` where it may be so wide,
    /// else around the best key, twice as large where it may.
    fn move_window(&mut self, key: i64) {
        self.earlier_far_uses = self.earlier_far_uses.saturating_add(self.far_uses);
        self.far_uses = 0;
        let (span, lowest) = (self.span(key), self.bounds(key).0);
        let window = std::mem::take(&mut self.window);
        let occupied = std::mem::take(&mut self.occupied);
        let most = self.most_places(window.len());
        let old_base = self.base;
        let size = if span <= most as u64 {
            let span = span as usize;
            // What is left over lies on both sides: prices go on to move both ways.
            let size = span.next_power_of_two().max(window.len());
            self.base = window_base(lowest, (size - span) / 2, size);
            size
        } else {
            let doubled = window.len() * 2;
            let size = if doubled <= most { doubled } else { window.len() };
            // Most new levels are worse than the best, so it gets the larger part.
            self.base = window_base(self.best_key, size / 4, size);
            size
        };
        self.window = vec![NONE; size];
        self.occupied = Bitmap::new(size);
        let mut inside = self.far.split_off(&self.base);
        let mut beyond = inside.split_off(&(self.base + size as i64));
        self.far.append(&mut beyond);
        inside.into_iter().for_each(|(key, level)| self.lay(key, level));
        levels_of(&window, &occupied, old_base).for_each(|(key, level)| self.lay(key, level));
        self.far_best = self.far.first_key_value().map_or(NO_KEY, |(&key, _)| key);
    }

    /// Puts a level where the window as it lies now has it.
    fn lay(&mut self, key: i64, level: u32) {
        match self.place(key) {
            Some(index) => {
                self.window[index] = level;
                self.occupied.set(index);
            }
            None => {
                self.far.insert(key, level);
            }
        }
    }

    /// Places from the lowest to the highest of `key` and the keys of all levels.
    fn span(&self, key: i64) -> u64 {
        let (lowest, highest) = self.bounds(key);
        highest.abs_diff(lowest).saturating_add(1)
    }

    /// The lowest and the highest of `key` and the keys of all levels.
    fn bounds(&self, key: i64) -> (i64, i64) {
        let near = [self.occupied.first(), self.occupied.last()]
            .map(|index| index.map(|index| self.base + index as i64));
        let far =
            [self.far.first_key_value(), self.far.last_key_value()].map(|entry| entry.map(|entry| *entry.0));
        let keys = near.into_iter().chain(far).flatten();
        keys.fold((key, key), |(lowest, highest), key| (lowest.min(key), highest.max(key)))
    }

    /// Of the map only what its entries need.
    pub fn heap_bytes(&self) -> usize {
        let far = self.far.len() * size_of::<(i64, u32)>();
        self.window.capacity() * size_of::<u32>() + self.occupied.heap_bytes() + far
    }

    fn window_levels(&self) -> impl Iterator<Item = (i64, u32)> {
        levels_of(&self.window, &self.occupied, self.base)
    }

    /// Levels, best first.
    pub fn iter(&self) -> impl Iterator<Item = (i64, u32)> {
        let before = self.far.range(..self.base).map(|(&key, &level)| (key, level));
        let after = self.far.range(self.base..).map(|(&key, &level)| (key, level));
        before.chain(self.window_levels()).chain(after)
    }
}

/// Levels of a window, best first.
fn levels_of(window: &[u32], occupied: &Bitmap, base: i64) -> impl Iterator<Item = (i64, u32)> {
    let mut next = occupied.first();
    std::iter::from_fn(move || {
        let index = next?;
        next = occupied.first_from(index + 1);
        Some((base + index as i64, window[index]))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOWEST: i64 = NOWHERE + 1;
    const HIGHEST: i64 = ANY_KEY;

    /// Keys that cluster, drift, and jump to the bounds and near them.
    fn keys() -> impl Strategy<Value = i64> {
        prop_oneof![
            8 => -2_000i64..2_000,
            2 => 90_000i64..100_000,
            1 => LOWEST..=HIGHEST,
            1 => LOWEST..LOWEST + 300,
            1 => HIGHEST - 300..=HIGHEST,
        ]
    }

    /// Keys at one bound only: windows are laid there, moved and widened.
    fn keys_at_a_bound() -> impl Strategy<Value = Vec<i64>> {
        let near = 0i64..3_000;
        (any::<bool>(), prop::collection::vec(near, 1..2_000)).prop_map(|(high, steps)| {
            steps.iter().map(|&step| if high { HIGHEST - step } else { LOWEST + step }).collect()
        })
    }

    #[test]
    fn sides_and_keys_lead_to_each_other_and_put_the_better_price_first() {
        let prices = [i64::MIN, -super::super::MAX_PRICE, -2, -1, 0, 1, 2, super::super::MAX_PRICE, i64::MAX];
        for side in [0, 1] {
            assert_eq!(prices.map(|price| mirror(side, mirror(side, price))), prices);
        }
        assert!(prices.is_sorted_by(|low, high| mirror(1, *low) < mirror(1, *high)));
        assert!(prices.is_sorted_by(|low, high| mirror(0, *low) > mirror(0, *high)));
    }

    proptest! {
        #[test]
        fn the_ladder_agrees_with_a_map_wherever_its_window_lies(
            keys in prop_oneof![2 => prop::collection::vec(keys(), 1..3_000), 1 => keys_at_a_bound()]
        ) {
            let mut ladder = Ladder::default();
            let mut twin = BTreeMap::new();
            for (step, &key) in keys.iter().enumerate() {
                let slot = step as u32 + 1;
                prop_assert_eq!(ladder.find(key), twin.get(&key).copied().unwrap_or(NONE));
                if twin.remove(&key).is_some() {
                    ladder.remove(key);
                } else {
                    ladder.insert(key, slot);
                    twin.insert(key, slot);
                }
                let best = twin.first_key_value().map_or((NO_KEY, NONE), |(&key, &slot)| (key, slot));
                prop_assert_eq!((ladder.best_key, ladder.best_level), best);
            }
            for &key in &keys {
                let next = twin.range(key..).next().map(|(&key, &slot)| (key, slot));
                prop_assert_eq!(ladder.at_or_after(key), next);
            }
            prop_assert_eq!(ladder.iter().collect::<Vec<_>>(), twin.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_window_that_spans_all_levels_comes_after_a_few_uses_of_the_map() {
        let mut ladder = Ladder::default();
        for key in (0..290).step_by(20) {
            assert_eq!(ladder.find(key), NONE);
            ladder.insert(key, 1);
        }
        assert_eq!((ladder.window.len(), ladder.far.len()), (512, 0));
    }

    #[test]
    fn a_dense_side_gets_a_wide_window_and_a_sparse_one_does_not() {
        let mut dense = Ladder::default();
        let mut sparse = Ladder::default();
        for step in 0..50_000 {
            for (ladder, key) in [(&mut dense, step % 5_000 * 3), (&mut sparse, step % 5_000 * 1_000_003)] {
                if ladder.find(key) == NONE {
                    ladder.insert(key, 1);
                }
            }
        }
        assert!(dense.window.len() >= 16_384, "{}", dense.window.len());
        assert!(dense.far.len() < 1_000, "{}", dense.far.len());
        assert!(sparse.window.len() * 4 <= 5_000 * 4 * PLACES_PER_LEVEL, "{}", sparse.window.len());
    }

    /// Uses of the map per hundred levels made, once `steps` have passed: a price runs to and fro over what a few
    /// orders left behind, `reach` ticks away.
    fn map_uses_in_swings(reach: i64) -> (u32, usize) {
        const STEPS: u32 = 100_000;
        let mut ladder = Ladder::default();
        (0..=10).for_each(|part| {
            ladder.find(reach * part / 10);
            ladder.insert(reach * part / 10, 1);
        });
        let mut uses_before = 0;
        for step in 0..2 * STEPS {
            let phase = i64::from(step % 2_000);
            let key = 1 + phase.min(2_000 - phase) * (reach - 2) / 1_000;
            if ladder.find(key) == NONE {
                ladder.insert(key, 1);
                ladder.remove(key);
            }
            if step == STEPS {
                uses_before = ladder.earlier_far_uses + ladder.far_uses;
            }
        }
        let uses = ladder.earlier_far_uses + ladder.far_uses - uses_before;
        (uses / (STEPS / 100), ladder.window.len())
    }

    #[test]
    fn a_thin_side_over_which_the_price_swings_earns_a_wide_window_but_no_wider_than_its_bound() {
        assert_eq!(map_uses_in_swings(60_000), (0, MOST_EARNED_PLACES));
        let (uses, places) = map_uses_in_swings(1 << 40);
        assert!(uses > 150 && places <= MOST_EARNED_PLACES, "{uses} uses, {places} places");
    }

    #[test]
    fn the_window_follows_a_price_that_walks_away() {
        let mut ladder = Ladder::default();
        for key in (-100_000..0).rev() {
            ladder.find(key);
            ladder.insert(key, 1);
            ladder.remove(key + 20);
        }
        assert!(ladder.far.len() <= 300, "{}", ladder.far.len());
        assert_eq!(ladder.window.len(), INITIAL_WINDOW);
    }
}

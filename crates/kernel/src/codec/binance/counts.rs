//! What a decoder has seen, used and left out: nothing goes unsaid.

use std::collections::BTreeMap;

use crate::codec::error::Defect;

/// Names kept apart among the unused messages; further ones are counted together.
const MAX_KINDS: usize = 64;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: u64,
    /// Records given out by messages (not those of the book shown at the start time).
    pub records: u64,
    pub snapshots: u64,
    pub depth_updates: u64,
    pub levels: u64,
    pub trades: u64,
    pub quotes: u64,
    /// Depth updates that were missing when the next one came, as often as that was noticed.
    pub gaps: u64,
    /// Depth updates without levels: they move the update id only.
    pub empty_updates: u64,
    /// Depth updates that a snapshot or an earlier update already contained.
    pub stale_updates: u64,
    pub blank: u64,
    pub before_start: u64,
    pub other_symbol: u64,
    unused: BTreeMap<String, u64>,
    skipped: [u64; Defect::ALL.len()],
}

impl Counts {
    pub(super) fn skip(&mut self, defect: Defect, lines: u64) {
        self.skipped[defect as usize] += lines;
    }

    pub(super) fn unused(&mut self, kind: &str) {
        let name = if self.unused.len() < MAX_KINDS { kind } else { "other" };
        match self.unused.get_mut(kind) {
            Some(count) => *count += 1,
            None => *self.unused.entry(name.to_string()).or_insert(0) += 1,
        }
    }

    /// Lines that lenient decoding left out (of `TimeStepsBack`: whose time it held still).
    pub fn skipped(&self, defect: Defect) -> u64 {
        self.skipped[defect as usize]
    }

    /// Valid messages that are not decoded, by kind.
    pub fn unused_kinds(&self) -> impl Iterator<Item = (&str, u64)> {
        self.unused.iter().map(|(kind, &count)| (kind.as_str(), count))
    }

    /// Every figure by its name.
    pub fn named(&self) -> [(&'static str, u64); 13] {
        [
            ("lines", self.lines),
            ("records", self.records),
            ("snapshots", self.snapshots),
            ("depth_updates", self.depth_updates),
            ("levels", self.levels),
            ("trades", self.trades),
            ("quotes", self.quotes),
            ("gaps", self.gaps),
            ("empty_updates", self.empty_updates),
            ("stale_updates", self.stale_updates),
            ("blank", self.blank),
            ("before_start", self.before_start),
            ("other_symbol", self.other_symbol),
        ]
    }
}

//! Positions that a journal must come to and match: its watermark, and the snapshot it is opened with.

use crate::sabotage::{Check, is_removed};

use super::error::JournalRule;
use super::position::Position;

/// Who says that the journal once came this far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Witness {
    Watermark,
    Snapshot,
}

impl Witness {
    fn name(self) -> &'static str {
        match self {
            Witness::Watermark => "watermark",
            Witness::Snapshot => "snapshot",
        }
    }

    fn must_match(self) -> JournalRule {
        match self {
            Witness::Watermark => JournalRule::WatermarkMustMatch,
            Witness::Snapshot => JournalRule::SnapshotMustMatch,
        }
    }

    fn must_be_reached(self) -> JournalRule {
        match self {
            Witness::Watermark => JournalRule::EndMustReachWatermark,
            Witness::Snapshot => JournalRule::EndMustReachSnapshot,
        }
    }
}

/// A rule that does not hold, and what was found instead.
type Problem = (JournalRule, String);

#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// Those not yet come to.
    ahead: Vec<(Witness, Position)>,
}

impl Bounds {
    /// Only what lies behind `begin`, where reading begins.
    pub(super) fn new(watermark: Option<Position>, snapshot: Option<Position>, begin: &Position) -> Self {
        let all = [(Witness::Watermark, watermark), (Witness::Snapshot, snapshot)];
        let given = all.into_iter().filter_map(|(witness, position)| Some((witness, position?)));
        let given =
            given.filter(|(witness, _)| *witness != Witness::Snapshot || !is_removed(Check::SnapshotEnd));
        Bounds { ahead: given.filter(|(_, position)| !position.is_before(begin)).collect() }
    }

    /// The watermark has moved on.
    pub(super) fn move_watermark(&mut self, to: Position) {
        self.ahead.retain(|(witness, _)| *witness != Witness::Watermark);
        self.ahead.push((Witness::Watermark, to));
    }

    /// Told of every border between batches, in order.
    pub(super) fn pass(&mut self, border: &Position) -> Result<(), Problem> {
        let mut problem = None;
        self.ahead.retain(|(witness, position)| {
            if border.is_before(position) {
                return true;
            }
            if border != position && problem.is_none() {
                let found = format!(
                    "the {} is at {position}, chain {:032x}, and the journal comes to {border}, chain {:032x}",
                    witness.name(),
                    position.chain,
                    border.chain
                );
                problem = Some((witness.must_match(), found));
            }
            false
        });
        problem.map_or(Ok(()), Err)
    }

    /// What the journal has not come to.
    pub(super) fn unreached(&self) -> Option<Problem> {
        let (witness, position) = self.ahead.first()?;
        let found = format!("the journal ends here, the {} says that it came to {position}", witness.name());
        Some((witness.must_be_reached(), found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u32, offset: u64) -> Position {
        Position { segment, offset, sequence: offset, chain: 1 }
    }

    #[test]
    fn a_border_that_is_another_or_lies_behind_is_a_mismatch() {
        let bounds = || Bounds::new(Some(at(2, 1024)), None, &at(1, 512));
        let mut matched = bounds();
        assert!(matched.unreached().is_some());
        for border in [at(1, 512), at(1, 4096), at(2, 512), at(2, 1024)] {
            assert_eq!(matched.pass(&border), Ok(()));
        }
        assert!(matched.unreached().is_none());
        let others = [at(2, 1536), at(3, 512), Position { chain: 2, ..at(2, 1024) }];
        for other in others {
            assert_eq!(bounds().pass(&other).unwrap_err().0, JournalRule::WatermarkMustMatch);
        }
    }

    #[test]
    fn what_lies_before_the_begin_of_reading_is_not_waited_for() {
        let bounds = Bounds::new(Some(at(1, 512)), Some(at(3, 512)), &at(2, 512));
        assert_eq!(bounds.unreached().unwrap().0, JournalRule::EndMustReachSnapshot);
    }
}

//! What a power cut takes: chosen once per cut by the seed.

use crate::random::Random;

use super::contents::SECTOR;

/// How a disk and the system's cache lose what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Nothing reached the disk.
    Nothing,
    /// All of it had reached the disk.
    Everything,
    /// Writes up to some moment, in their order.
    InOrder,
    /// Any sector, of any age: reordered.
    Scattered,
    /// As scattered; some sectors are cut in the middle.
    Torn,
}

impl Manner {
    pub const ALL: [Manner; 5] =
        [Manner::Nothing, Manner::Everything, Manner::InOrder, Manner::Scattered, Manner::Torn];

    pub const fn name(self) -> &'static str {
        match self {
            Manner::Nothing => "nothing",
            Manner::Everything => "everything",
            Manner::InOrder => "in-order",
            Manner::Scattered => "scattered",
            Manner::Torn => "torn",
        }
    }

    pub const fn words(self) -> &'static str {
        match self {
            Manner::Nothing => "nothing unsynced survives",
            Manner::Everything => "everything written survives",
            Manner::InOrder => "writes survive up to some moment",
            Manner::Scattered => "unsynced sectors survive here and there",
            Manner::Torn => "unsynced sectors survive here and there, some of them torn",
        }
    }
}

#[derive(Debug)]
pub struct Loss {
    manner: Manner,
    /// In order: the last write that survives.
    until: u64,
    random: Random,
}

impl Loss {
    /// `writes` is the number of the machine's last write.
    pub fn new(manner: Manner, writes: u64, unsynced_since: u64, mut random: Random) -> Self {
        let until = random.between(unsynced_since.min(writes), writes);
        Loss { manner, until, random }
    }

    /// Which of the changes with these ascending numbers is the last to survive; 0 = none.
    pub fn survivor(&mut self, numbers: &[u64]) -> u64 {
        match self.manner {
            Manner::Nothing => 0,
            Manner::Everything => numbers.last().copied().unwrap_or(0),
            Manner::InOrder => {
                numbers.iter().copied().take_while(|number| *number <= self.until).last().unwrap_or(0)
            }
            Manner::Scattered | Manner::Torn => {
                let choice = self.random.index(numbers.len() + 1);
                choice.checked_sub(1).and_then(|index| numbers.get(index)).copied().unwrap_or(0)
            }
        }
    }

    /// Where a surviving sector is cut.
    pub fn tear(&mut self) -> Option<usize> {
        let is_torn = self.manner == Manner::Torn && self.random.once_in(4);
        is_torn.then(|| self.random.index(SECTOR))
    }
}

//! One case of a proof, and the name by which it is run again.

use std::fmt;
use std::str::FromStr;

use openbell_kernel::journal::Durability;

use crate::disk::{Call, EINTR, EIO, ENOSPC, Fault, Manner, Trigger};
use crate::story::{Act, Ending, Exit, Script, Story};

/// Faults of the failpoints.
pub const FAULTS: [Fault; 7] = [
    Fault::Error(EIO),
    Fault::Error(ENOSPC),
    Fault::Error(EINTR),
    Fault::Short,
    Fault::Delay,
    Fault::Abort,
    Fault::PowerCut(None),
];

/// In the third life of a failpoint the history is cut first.
pub const CUTTING_LIFE: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// Everything is left to the seed.
    Seed(u64),
    /// As that seed, with nothing beside the exchange: neither snapshots nor removal nor cuts.
    Alone(u64),
    /// The machine loses power at the `nth` call of a cut that a person makes, or of the start after it.
    Cut { durability: Durability, nth: u64, manner: Manner, seed: u64 },
    /// A small run loses power at its `nth` call, and again at the `again`th of the next start (0 = not again).
    PowerCut { durability: Durability, nth: u64, manner: Manner, again: u64, seed: u64 },
    /// The `nth` call of a kind fails, in the first life or in the start after it was killed.
    Failpoint { durability: Durability, life: usize, call: Call, nth: u64, fault: Fault, seed: u64 },
}

impl Case {
    pub fn story(&self) -> Story {
        match *self {
            Case::Seed(seed) => Story::new(seed),
            Case::Alone(seed) => Story::new(seed).alone(),
            Case::Cut { durability, nth, manner, seed } => {
                let quiet = Act { faults: Vec::new(), cuts: false, exit: Exit::Kill };
                let cut = (Trigger { call: None, nth }, Fault::PowerCut(Some(manner)));
                let cuts = Act { faults: vec![cut], cuts: true, exit: Exit::Kill };
                Story::scripted(seed, durability, Script { lives: vec![quiet, cuts] })
            }
            Case::PowerCut { durability, nth, manner, again, seed } => {
                let cut = |nth| (Trigger { call: None, nth }, Fault::PowerCut(Some(manner)));
                let mut lives = vec![Act { faults: vec![cut(nth)], cuts: false, exit: Exit::Kill }];
                if again > 0 {
                    lives.push(Act { faults: vec![cut(again)], cuts: false, exit: Exit::Kill });
                }
                Story::scripted(seed, durability, Script { lives })
            }
            Case::Failpoint { durability, life, call, nth, fault, seed } => {
                let quiet = Act { faults: Vec::new(), cuts: false, exit: Exit::Kill };
                let fault = (Trigger { call: Some(call), nth }, fault);
                let hit = Act { faults: vec![fault], cuts: life == CUTTING_LIFE, exit: Exit::Kill };
                let after = Act { faults: Vec::new(), cuts: false, exit: Exit::PowerCut(Manner::Nothing) };
                let mut lives = vec![quiet; life - 1];
                lives.extend([hit, after]);
                Story::scripted(seed, durability, Script { lives })
            }
        }
    }

    pub fn run(&self) -> Ending {
        self.story().run()
    }

    /// What to type to see it again, in words.
    pub fn command(&self) -> String {
        match self {
            Case::Seed(seed) => format!("make simulate SEED={seed}"),
            other => format!("make simulate SEED={other}"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Case::Seed(seed) => write!(out, "{seed}"),
            Case::Alone(seed) => write!(out, "alone/{seed}"),
            Case::Cut { durability, nth, manner, seed } => {
                write!(out, "cut/{}/{nth}/{}/{seed}", durability.name(), manner.name())
            }
            Case::PowerCut { durability, nth, manner, again, seed } => {
                write!(out, "power-cut/{}/{nth}/{}/{again}/{seed}", durability.name(), manner.name())
            }
            Case::Failpoint { durability, life, call, nth, fault, seed } => {
                let (mode, call, fault) = (durability.name(), call.name(), fault.name());
                write!(out, "failpoint/{mode}/{life}/{call}/{nth}/{fault}/{seed}")
            }
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(seed) = text.parse() {
            return Ok(Case::Seed(seed));
        }
        let parts: Vec<&str> = text.split('/').collect();
        let case = match parts[..] {
            ["alone", seed] => Case::Alone(number(seed)?),
            ["cut", mode, nth, manner, seed] => Case::Cut {
                durability: named(mode, &Durability::ALL, Durability::name)?,
                nth: number(nth)?,
                manner: named(manner, &Manner::ALL, Manner::name)?,
                seed: number(seed)?,
            },
            ["power-cut", mode, nth, manner, again, seed] => Case::PowerCut {
                durability: named(mode, &Durability::ALL, Durability::name)?,
                nth: number(nth)?,
                manner: named(manner, &Manner::ALL, Manner::name)?,
                again: number(again)?,
                seed: number(seed)?,
            },
            ["failpoint", mode, life, call, nth, fault, seed] => Case::Failpoint {
                durability: named(mode, &Durability::ALL, Durability::name)?,
                life: number(life)?.clamp(1, 9) as usize,
                call: named(call, &Call::ALL, Call::name)?,
                nth: number(nth)?,
                fault: named(fault, &FAULTS, |fault| fault.name())?,
                seed: number(seed)?,
            },
            _ => return Err(format!("{text:?} is neither a seed nor the name of a case")),
        };
        Ok(case)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn named<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
        format!("{text:?} is none of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_found_again_by_its_name() {
        let durability = Durability::Batch;
        let mut cases = vec![Case::Seed(8123), Case::Alone(8123)];
        cases.extend(Manner::ALL.map(|manner| Case::Cut { durability, nth: 5, manner, seed: 2 }));
        cases.extend(Manner::ALL.map(|manner| Case::PowerCut {
            durability,
            nth: 5,
            manner,
            again: 3,
            seed: 2,
        }));
        let failpoints = Call::ALL.iter().flat_map(|&call| {
            FAULTS.map(|fault| Case::Failpoint { durability, life: 2, call, nth: 9, fault, seed: 1 })
        });
        cases.extend(failpoints);
        for case in cases {
            assert_eq!(case.to_string().parse(), Ok(case));
        }
    }

    #[test]
    fn what_names_no_case_is_refused_with_the_names_there_are() {
        let refused = "failpoint/batch/1/fsync/1/EIO/0".parse::<Case>();
        assert!(refused.is_err());
        assert!(refused.unwrap_err().contains("sync"));
        assert!("x".parse::<Case>().is_err());
    }

    #[test]
    fn one_case_is_always_the_same_story() {
        for seed in [1, 2, 3, 99] {
            let told = || Story::new(seed).aloud().run();
            let (first, second) = (told(), told());
            assert_eq!((first.words, first.tally), (second.words, second.tally));
        }
    }
}

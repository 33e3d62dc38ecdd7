//! The proofs: which cases each has, and what came of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use openbell_kernel::journal::Durability;

use crate::case::{Case, FAULTS};
use crate::damage::{Answer, Change, Remains};
use crate::disk::{Call, Manner};
use crate::full_disk::{Mount, run_into_full};
use crate::oracle::Violation;
use crate::story::Tally;

/// A case that broke a rule, and how to see it again.
#[derive(Clone, Debug)]
pub struct Red {
    pub command: String,
    pub violation: Violation,
}

/// What came of one proof.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub name: &'static str,
    pub cases: u64,
    pub detail: String,
    pub red: Vec<Red>,
}

impl Outcome {
    /// Passes when no rule was broken; else all that is needed to see the first cases again.
    ///
    /// # Errors
    /// The broken rules with their commands.
    pub fn require_green(&self) -> Result<(), String> {
        if self.red.is_empty() {
            return Ok(());
        }
        let shown = self.red.iter().take(8).map(|red| format!("{}\n    {}", red.command, red.violation));
        let count = self.red.len();
        let shown: Vec<String> = shown.collect();
        Err(format!("{}: {count} of {} cases broke a rule\n{}", self.name, self.cases, shown.join("\n")))
    }
}

/// Modes in which what was acknowledged survives a power cut.
pub const DURABLE: [Durability; 2] = [Durability::Batch, Durability::Strict];

#[derive(Debug, Default)]
struct Sum {
    tally: Tally,
    red: Vec<Red>,
}

impl Sum {
    fn add(&mut self, case: &Case) -> bool {
        let ending = case.run();
        self.tally.add(&ending.tally);
        if let Err(violation) = ending.verdict {
            self.red.push(Red { command: case.command(), violation });
        }
        ending.is_disarmed
    }
}

/// Seeds `first..first + count`, on all processors: each seed is a world of its own.
pub fn seeds(first: u64, count: u64) -> Outcome {
    let next = AtomicU64::new(first);
    let all = Mutex::new(Sum::default());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut sum = Sum::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    sum.add(&Case::Seed(seed));
                }
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.tally.add(&sum.tally);
                all.red.extend(sum.red);
            });
        }
    });
    let mut sum = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.red.sort_by_key(|red| red.command.len());
    outcome("seeds: power cuts, failures, damage", count, sum)
}

fn outcome(name: &'static str, cases: u64, sum: Sum) -> Outcome {
    let Tally { lives, power_cuts, aborts, faults, torn_tails, acknowledged, calls, .. } = sum.tally;
    let Tally { damage_noticed, damage_unnoticed, .. } = sum.tally;
    let detail = format!(
        "{lives} lives, {power_cuts} power cuts, {aborts} kills, {faults} faults, {torn_tails} torn tails cut, \
         {damage_noticed} damages refused, \
         {damage_unnoticed} losses after damage without a reported cut (not in `strict`), {acknowledged} acknowledged records, {calls} disk calls"
    );
    Outcome { name, cases, detail, red: sum.red }
}

/// A small run that loses power at every one of its calls, in every manner; and again at each of the first `depth`
/// calls of the start after it.
pub fn power_cut_at_every_call(depth: u64) -> Outcome {
    let mut sum = Sum::default();
    let mut cases = 0;
    for (durability, manner) in DURABLE.into_iter().flat_map(|mode| Manner::ALL.map(|manner| (mode, manner)))
    {
        let cut = |nth, again| Case::PowerCut { durability, nth, manner, again, seed: nth };
        let calls = (1..).take_while(|&nth| sum.add(&cut(nth, 0))).count() as u64;
        let twice = (1..=calls).flat_map(|nth| (1..=depth).map(move |again| cut(nth, again)));
        let twice = twice.map(|case| sum.add(&case)).count() as u64;
        cases += calls + twice;
    }
    outcome("a power cut at every call", cases, sum)
}

/// Every call of every kind fails in every way, while the exchange runs and while it starts again: the first of a
/// kind, the second, and so on until none is hit.
pub fn failpoints() -> Outcome {
    let mut sum = Sum::default();
    let mut cases = 0;
    for durability in DURABLE {
        for life in [1, 2] {
            for call in Call::ALL {
                for fault in FAULTS {
                    for nth in 1.. {
                        cases += 1;
                        let case = Case::Failpoint { durability, life, call, nth, fault, seed: 1 };
                        if !sum.add(&case) {
                            break;
                        }
                    }
                }
            }
        }
    }
    outcome("failpoints", cases, sum)
}

/// Every bit flip and every truncation of every file, and every file taken away, each followed by a whole restart.
///
/// # Errors
/// An exchange that does not work on a disk that does.
pub fn damage(step: usize) -> Result<Outcome, String> {
    let mut cases = 0;
    let mut answers = [0_u64; 3];
    let mut red = Vec::new();
    for durability in DURABLE {
        for is_closed in [false, true] {
            let remains = Remains::new(durability, is_closed)?;
            for (path, length) in remains.files() {
                let flips = (0..length * 8).step_by(step).map(|bit| Change::Flip { bit });
                let cuts = (0..length).step_by(step).map(|length| Change::Cut { length });
                for change in flips.chain(cuts).chain([Change::Remove]) {
                    cases += 1;
                    match remains.restart_after(&path, change) {
                        Ok(Answer::Refused) => answers[0] += 1,
                        Ok(Answer::CutAndSaid) => answers[1] += 1,
                        Ok(Answer::Whole) => answers[2] += 1,
                        Err(violation) => {
                            let (mode, path) = (durability.name(), path.display());
                            let command = format!("{mode} closed {is_closed} {path} {change:?}");
                            red.push(Red { command, violation });
                        }
                    }
                }
            }
        }
    }
    let [refused, cut, whole] = answers;
    let detail = format!("{refused} refused, {cut} cut and said so, {whole} with everything acknowledged");
    Ok(Outcome { name: "bit flips and truncations", cases, detail, red })
}

/// A real, small file system that fills up, so many times.
pub fn full_disk(runs: u64) -> Outcome {
    let name = "a full disk, a real file system";
    let mount = match Mount::new() {
        Ok(mount) => mount,
        Err(reason) => {
            return Outcome { name, cases: 0, detail: format!("skipped: {reason}"), red: Vec::new() };
        }
    };
    let results: Vec<_> = (1..=runs).map(|seed| (seed, run_into_full(&mount, seed))).collect();
    let withstood = results.iter().filter_map(|(_, result)| result.as_ref().ok());
    let (records, reserved) = withstood
        .fold((0, 0), |(records, reserved), run| (records + run.records, reserved + run.from_reserve));
    let red = results.into_iter().filter_map(|(seed, result)| {
        let command = format!("cargo run -p openbell-simulation -- full-disk {seed}");
        Some(Red { command, violation: result.err()? })
    });
    let detail = format!(
        "{records} records acknowledged, {reserved} of them cancels from the reserve; room found again each time"
    );
    Outcome { name, cases: runs, detail, red: red.collect() }
}

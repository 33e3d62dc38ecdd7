//! The proofs: which cases each has, and what came of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use openbell_kernel::journal::Durability;

use crate::case::{CUTTING_LIFE, Case, FAULTS};
use crate::damage::{Change, Left, Remains};
use crate::disk::{Call, Manner};
use crate::full_disk::{Mount, run_into_full};
use crate::oracle::Violation;
use crate::story::Tally;
#[cfg(not(loom))]
use crate::threads::{self, Threaded};

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
    outcome("seeds: power cuts, failures, damage", count, of_cases(count, |index| Case::Seed(first + index)))
}

fn of_cases(count: u64, case: impl Fn(u64) -> Case + Sync) -> Sum {
    let all = Mutex::new(Sum::default());
    on_all_processors(count, |index| {
        let mut one = Sum::default();
        one.add(&case(index));
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.tally.add(&one.tally);
        all.red.extend(one.red);
    });
    let mut sum = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.red.sort_by_key(|red| red.command.len());
    sum
}

fn outcome(name: &'static str, cases: u64, sum: Sum) -> Outcome {
    let Tally { lives, power_cuts, aborts, faults, torn_tails, acknowledged, calls, .. } = sum.tally;
    let Tally { damage_noticed, damage_unnoticed, .. } = sum.tally;
    let Tally { snapshots, from_snapshot, passed_over, shortened, .. } = sum.tally;
    let Tally { cuts, cuts_interrupted, healed, not_healed, .. } = sum.tally;
    let detail = format!(
        "{lives} lives, {power_cuts} power cuts, {aborts} kills, {faults} faults, {torn_tails} torn tails cut; \
         {snapshots} snapshots, {from_snapshot} starts from one, {passed_over} damaged ones passed over, \
         {shortened} starts of a shortened journal; {cuts} cuts by a person, {cuts_interrupted} interrupted; \
         {damage_noticed} damages refused, {healed} of them healed by a cut, {not_healed} not; \
         {damage_unnoticed} losses above the watermark after damage (not in `strict`); \
         {acknowledged} acknowledged records, {calls} disk calls"
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

/// A person cuts the history, and the machine loses power at every call of that and of the start after it.
pub fn power_cut_in_every_cut() -> Outcome {
    let mut sum = Sum::default();
    let mut cases = 0;
    for (durability, manner) in DURABLE.into_iter().flat_map(|mode| Manner::ALL.map(|manner| (mode, manner)))
    {
        let cut = |nth| Case::Cut { durability, nth, manner, seed: nth };
        cases += (1..).take_while(|&nth| sum.add(&cut(nth))).count() as u64;
    }
    outcome("a power cut at every call of a cut", cases, sum)
}

/// Every call of every kind fails in every way, while the exchange runs, while it starts again, and while a person cuts
/// the history: the first of a kind, the second, and so on until none is hit.
pub fn failpoints() -> Outcome {
    let mut sum = Sum::default();
    let mut cases = 0;
    for durability in DURABLE {
        for life in [1, 2, CUTTING_LIFE] {
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

/// How much of the damage is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it to one exchange: killed, in `batch`.
    One,
    /// All of it to exchanges that were killed, closed, and left without their journal's begin, in both modes.
    All,
}

/// Every bit flip and every truncation of every file, and every file taken away, each followed by a whole restart.
///
/// # Errors
/// An exchange that does not work on a disk that does.
pub fn damage(extent: Extent) -> Result<Outcome, String> {
    let mut all = Vec::new();
    let every = DURABLE.into_iter().flat_map(|mode| Left::ALL.map(|left| (mode, left)));
    for (durability, left) in every.take(if extent == Extent::One { 1 } else { usize::MAX }) {
        let remains = Remains::new(durability, left)?;
        let files = remains.files();
        let prefix = format!("{}/{}", durability.name(), left.name());
        let changes = files.into_iter().flat_map(|(path, length)| {
            let flips = (0..length * 8).map(|bit| Change::Flip { bit });
            let cuts = (0..length).map(|length| Change::Cut { length });
            flips.chain(cuts).chain([Change::Remove]).map(move |change| (path.clone(), change))
        });
        all.push((prefix, remains, changes.collect::<Vec<_>>()));
    }
    let cases: usize = all.iter().map(|(_, _, changes)| changes.len()).sum();
    let sum = Mutex::new(([0_u64; 3], Vec::new()));
    for (prefix, remains, changes) in &all {
        on_all_processors(changes.len() as u64, |index| {
            let (path, change) = &changes[index as usize];
            let answer = remains.restart_after(path, *change);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            match answer {
                Ok(answer) => sum.0[answer as usize] += 1,
                Err(violation) => {
                    let command = format!("{prefix}: {} {change:?}", path.display());
                    sum.1.push(Red { command, violation });
                }
            }
        });
    }
    let ([refused, cut, whole], red) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let detail = format!("{refused} refused, {cut} cut and said so, {whole} with everything acknowledged");
    Ok(Outcome { name: "bit flips and truncations", cases: cases as u64, detail, red })
}

/// The exchange on its own threads: seeds `first..first + count`, one after the other.
#[cfg(not(loom))]
pub fn threads(first: u64, count: u64) -> Outcome {
    let (mut sum, mut red) = (Threaded::default(), Vec::new());
    for seed in first..first + count {
        match threads::run(seed) {
            Ok(Threaded { deaths, snapshots, records, events }) => {
                sum.deaths += deaths;
                sum.snapshots += snapshots;
                sum.records += records;
                sum.events += events;
            }
            Err(violation) => {
                let command = format!("cargo run -p openbell-simulation -- threads {seed} 100");
                red.push(Red { command, violation });
            }
        }
    }
    let Threaded { deaths, snapshots, records, events } = sum;
    let detail = format!(
        "{deaths} deaths of a node with its threads, {snapshots} snapshots beside them, {records} records, {events} slots \
         of events seen"
    );
    Outcome { name: "the exchange on its threads", cases: count, detail, red }
}

/// Calls `work` with 0..count, on all processors.
fn on_all_processors(count: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    work(index);
                }
            });
        }
    });
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

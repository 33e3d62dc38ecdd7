//! `simulation case NAME` tells one case in words; `simulation torture ci|long` runs the campaigns and prints a
//! scorecard, a row as each ends; `simulation seeds FIRST COUNT`, `threads FIRST COUNT`, `full-disk RUNS`, `damage
//! one|all`, `power-cuts` and `failpoints` run one of them.

#![deny(unsafe_code)]

use std::process::ExitCode;

use openbell_simulation::case::Case;
use openbell_simulation::proof::{self, Extent, Outcome};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["case", name] => name.parse().map_or_else(|problem: String| wrong(&problem), |case| tell(&case)),
        ["torture", "ci"] => {
            torture(&Size { seeds: 2_000, depth: 0, threads: 200, full_disks: 10 }, Extent::One)
        }
        ["torture", "long"] => {
            torture(&Size { seeds: 200_000, depth: 25, threads: 5_000, full_disks: 50 }, Extent::All)
        }
        ["full-disk", runs] => match runs.parse() {
            Ok(runs) => show([proof::full_disk(runs)]),
            Err(_) => wrong(&format!("{runs:?} is no number of runs")),
        },
        ["damage", "one"] => damage(Extent::One),
        ["damage", "all"] => damage(Extent::All),
        ["power-cuts"] => show([proof::power_cut_at_every_call(0), proof::power_cut_in_every_cut()]),
        ["failpoints"] => show([proof::failpoints()]),
        [what @ ("seeds" | "threads"), first, count] => match (first.parse(), count.parse()) {
            (Ok(first), Ok(count)) if what == "seeds" => show([proof::seeds(first, count)]),
            #[cfg(not(loom))]
            (Ok(first), Ok(count)) => show([proof::threads(first, count)]),
            _ => wrong("two numbers are expected: the first seed and how many"),
        },
        _ => wrong("say `case NAME`, `torture ci|long`, `seeds FIRST COUNT` or another of the proofs"),
    }
}

fn tell(case: &Case) -> ExitCode {
    let ending = case.story().aloud().run();
    ending.words.iter().for_each(|line| println!("{line}"));
    match ending.verdict {
        Ok(()) => {
            println!("every rule holds");
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn wrong(problem: &str) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::from(2)
}

struct Size {
    seeds: u64,
    /// Calls of the start after a power cut at which power is lost again.
    depth: u64,
    threads: u64,
    full_disks: u64,
}

fn torture(size: &Size, extent: Extent) -> ExitCode {
    #[cfg_attr(loom, allow(unused_variables))]
    let &Size { seeds, depth, threads, full_disks } = size;
    let proofs: &[&dyn Fn() -> Outcome] = &[
        &|| proof::seeds(0, seeds),
        &|| proof::power_cut_at_every_call(depth),
        &|| proof::power_cut_in_every_cut(),
        &|| proof::failpoints(),
        #[cfg(not(loom))]
        &|| proof::threads(0, threads),
        &|| proof::full_disk(full_disks),
    ];
    let first = damage(extent);
    let rest = show(proofs.iter().map(|proof| proof()));
    if first == ExitCode::SUCCESS { rest } else { first }
}

fn damage(extent: Extent) -> ExitCode {
    proof::damage(extent).map_or_else(|problem| wrong(&problem), |outcome| show([outcome]))
}

/// One row each: proof, cases, red ones, what happened, parted by tabs; below it the first red cases and how to see
/// them again.
fn show(outcomes: impl IntoIterator<Item = Outcome>) -> ExitCode {
    let mut is_green = true;
    for outcome in outcomes {
        let Outcome { name, cases, detail, red } = &outcome;
        println!("{name}\t{cases}\t{}\t{detail}", red.len());
        if let Err(problem) = outcome.require_green() {
            println!("{problem}");
            is_green = false;
        }
    }
    if is_green { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

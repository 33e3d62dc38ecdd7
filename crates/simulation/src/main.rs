//! `simulation case NAME` tells one case in words; `simulation torture ci|long` runs the campaigns and prints a
//! scorecard; `simulation seeds FIRST COUNT` and `simulation full-disk RUNS` run one of them.

#![deny(unsafe_code)]

use std::process::ExitCode;

use openbell_simulation::case::Case;
use openbell_simulation::proof::{self, Outcome};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["case", name] => name.parse().map_or_else(|problem: String| wrong(&problem), |case| tell(&case)),
        ["torture", "ci"] => torture(2_000, 0, 11, 10),
        ["torture", "long"] => torture(200_000, 25, 1, 50),
        ["full-disk", runs] => match runs.parse() {
            Ok(runs) => print_scorecard(&[proof::full_disk(runs)]),
            Err(_) => wrong(&format!("{runs:?} is no number of runs")),
        },
        ["seeds", first, count] => match (first.parse(), count.parse()) {
            (Ok(first), Ok(count)) => print_scorecard(&[proof::seeds(first, count)]),
            _ => wrong("two numbers are expected: the first seed and how many"),
        },
        _ => wrong("say `case NAME`, `torture ci|long`, `seeds FIRST COUNT` or `full-disk RUNS`"),
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

fn torture(seeds: u64, depth: u64, step: usize, full_disks: u64) -> ExitCode {
    let damage = match proof::damage(step) {
        Ok(damage) => damage,
        Err(problem) => return wrong(&problem),
    };
    let all = [
        proof::seeds(0, seeds),
        proof::power_cut_at_every_call(depth),
        proof::failpoints(),
        damage,
        proof::full_disk(full_disks),
    ];
    print_scorecard(&all)
}

fn print_scorecard(all: &[Outcome]) -> ExitCode {
    println!("{:<40} {:>10} {:>6}  what happened", "proof", "cases", "red");
    for outcome in all {
        let Outcome { name, cases, detail, red } = outcome;
        println!("{name:<40} {cases:>10} {:>6}  {detail}", red.len());
    }
    let mut is_green = true;
    for outcome in all {
        if let Err(problem) = outcome.require_green() {
            println!("\n{problem}");
            is_green = false;
        }
    }
    if is_green { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

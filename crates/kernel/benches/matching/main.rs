//! Matching, ours against the plain reference: `cargo bench --bench matching [-- COMMANDS ROUNDS SEED]`.
//!
//! Rounds are interleaved and each round gives one ratio per book, because the machine is not the same from
//! one second to the next; the median of the ratios and their spread are what counts.
#![allow(clippy::type_complexity)]

mod contestants;
mod flow;
mod measure;
mod reference;

use contestants::{Direct, Hashed, Ours};
use flow::Flow;
use measure::measure;
use reference::Checksum;

fn quantile(sorted: &[f64], at: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * at).round() as usize]
}

fn print_row(name: &str, times: &[f64], limit: &[f64]) {
    let mut ratios: Vec<f64> = limit.iter().zip(times).map(|(limit, time)| limit / time).collect();
    ratios.sort_by(f64::total_cmp);
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    println!(
        "{name:<34} {:>7.2} M/s  {:>6.1} ns   {:>5.3}x   {:>5.3} .. {:>5.3}",
        1e3 / quantile(&sorted, 0.5),
        quantile(&sorted, 0.5),
        quantile(&ratios, 0.5),
        ratios[0],
        ratios[ratios.len() - 1],
    );
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let count = numbers.next().unwrap_or(2_000_000) as usize;
    let rounds = numbers.next().unwrap_or(11) as usize;
    let seed = numbers.next().unwrap_or(23);
    let flow = flow::generate(count, seed);
    let measures: [(&str, fn(&Flow) -> (f64, Checksum)); 4] = [
        ("plain reference, hash index", measure::<Hashed>),
        ("plain reference, direct ids", measure::<Direct>),
        ("ours, acks", measure::<Ours<false>>),
        ("ours, acks and level changes", measure::<Ours<true>>),
    ];
    let mut times = [const { Vec::new() }; 4];
    let mut trades = 0;
    for round in 0..rounds {
        let mut checksums = [Checksum::default(); 4];
        for turn in 0..measures.len() {
            let which = (round + turn) % measures.len();
            let (time, checksum) = measures[which].1(&flow);
            times[which].push(time);
            checksums[which] = checksum;
        }
        assert_eq!(checksums[0], checksums[2], "ours and the reference traded differently");
        assert_eq!(checksums[0], checksums[3], "level changes changed the trades");
        assert_eq!(checksums[0].trades, checksums[1].trades, "the references traded differently");
        trades = checksums[0].trades;
    }
    println!("{count} mixed commands, seed {seed}, {trades} trades, {rounds} interleaved rounds");
    println!("{:<34} {:>11}  {:>9}   {:>6}   ratio to the first, spread", "", "median", "", "ratio");
    for ((name, _), times_of) in measures.iter().zip(&times) {
        print_row(name, times_of, &times[0]);
    }
}

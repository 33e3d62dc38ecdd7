//! Matching, ours against the plain reference: `cargo bench --bench matching [-- COMMANDS ROUNDS SEED [PART...]]`.
//! Parts are `usual`, `orders`, `levels`, `books` and `sizes`; without any, all of them.
//!
//! Rounds are interleaved and each round gives one ratio per book, because the machine is not the same from
//! one second to the next; the median of the ratios and their spread are what counts.
#![allow(clippy::type_complexity, clippy::unwrap_used)] // a figure that cannot be kept ends the benchmark

mod contestants;
#[path = "../../tests/counting/mod.rs"]
mod counting;
#[path = "../figures/mod.rs"]
mod figures;
mod flow;
mod measure;
mod reference;

use contestants::{
    Contestant, Direct, ForeseeingBook, Hashed, LargeHashed, PriceTimeBook, ProRataBook, PublishedBook,
    SmallHashed,
};
use figures::tell;
use flow::{Flow, Kind, Shape};
use measure::{latencies, measure};
use openbell_kernel::book::{Book, MAX_PRICE, NewOrder, PriceTime, Silent};
use openbell_kernel::terms::Side;
use reference::Checksum;

/// A name, how it is measured, and whether it must trade as the first of its table does.
type Row = (&'static str, fn(&Flow) -> (f64, Checksum), bool);

fn quantile(sorted: &[f64], at: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * at).round() as usize]
}

/// Prints a row and returns its ratio.
fn print_row(name: &str, times: &[f64], limit: &[f64]) -> f64 {
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
    quantile(&ratios, 0.5)
}

/// Interleaved rounds of all rows on one flow; returns the median ratio of each to the first.
fn table(title: &str, flow: &Flow, rows: &[Row], rounds: usize) -> Vec<f64> {
    let mut times = vec![Vec::new(); rows.len()];
    for round in 0..rounds {
        let mut checksums = vec![Checksum::default(); rows.len()];
        for turn in 0..rows.len() {
            let which = (round + turn) % rows.len();
            let (time, checksum) = rows[which].1(flow);
            times[which].push(time);
            checksums[which] = checksum;
        }
        for (row, checksum) in rows.iter().zip(&checksums) {
            assert!(!row.2 || *checksum == checksums[0], "{}, {}: traded differently", title, row.0);
        }
    }
    println!("{title}");
    println!("{:<34} {:>11}  {:>9}   {:>6}   ratio to the first, spread", "", "median", "", "ratio");
    rows.iter().zip(&times).map(|(row, times_of)| print_row(row.0, times_of, &times[0])).collect()
}

/// Prints the latencies of each kind of command and returns their p99 and p99.9.
fn print_latencies<C: Contestant>(name: &str, flow: &Flow) -> Vec<(Kind, u32, u32)> {
    let mut high = Vec::new();
    for (kind, took) in latencies::<C>(flow) {
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        high.push((kind, at(0.99), at(0.999)));
        println!(
            "{name:<34} {:<8} {:>6} {:>6} {:>6} {:>9}",
            format!("{kind:?}"),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0)
        );
    }
    high
}

/// Latencies on one flow, beside those of `R`, the reference.
fn compare_latencies<R: Contestant>(name: &str, flow: &Flow) {
    println!("{name}: nanoseconds per command, the clock's own included");
    println!("{:<43} {:>6} {:>6} {:>6} {:>9}", "", "p50", "p99", "p99.9", "max");
    let reference = print_latencies::<R>("plain reference, hash index", flow);
    let ours = print_latencies::<PriceTimeBook<false>>("ours, acks", flow);
    for ((kind, p99, p999), (_, limit, _)) in ours.into_iter().zip(reference) {
        tell(&format!("{name}, {kind:?}, p99.9"), f64::from(p999));
        tell(&format!("{name}, {kind:?}, p99 / reference's"), f64::from(p99) / f64::from(limit));
    }
}

/// Allocations per command once a book has had its most live orders: in the second half of a flow.
fn print_allocations(flow: &Flow) {
    let mut books = [PriceTimeBook::<true>::default()];
    let (first, second) = flow.commands.split_at(flow.commands.len() / 2);
    PriceTimeBook::run(&mut books, &flow.setup);
    PriceTimeBook::run(&mut books, first);
    let count = counting::allocations(|| PriceTimeBook::run(&mut books, second));
    println!("allocations of {} commands: {count}", second.len());
    tell("allocations per command", count as f64 / second.len() as f64);
}

const ORDERS: u64 = 10_000_000;

fn passive(id: u64, prices: u64) -> NewOrder {
    let side = if id.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let price = -side.sign() * (1 + (id.wrapping_mul(7_919) % prices) as i64);
    NewOrder::limit(id << 8, side, price, 1)
}

/// Our book beside `R` on a flow of its own: throughput and latencies.
fn compare<R: Contestant>(name: &str, flow: &Flow, rounds: usize) {
    let rows: [Row; 3] = [
        ("plain reference, hash index", measure::<R>, true),
        ("ours, acks", measure::<PriceTimeBook<false>>, true),
        ("ours, acks, commands foreseen", measure::<ForeseeingBook>, true),
    ];
    let ratios = table(name, flow, &rows, rounds);
    tell(&format!("{name}, one command after the other / hash-indexed reference"), ratios[1]);
    tell(&format!("{name}, commands foreseen / hash-indexed reference"), ratios[2]);
    compare_latencies::<R>(name, flow);
}

/// Bytes of a book with nothing in it, and of 10 M orders in one book and in 10,000.
fn print_sizes() {
    let mut book: Book<PriceTime> = Book::default();
    println!("memory of an idle book: {} bytes", size_of::<Book<PriceTime>>() + book.heap_bytes());
    let mut longest = Vec::new();
    let start = measure::thread_time_ns();
    for id in 0..ORDERS {
        let took = measure::clock_ns(|| book.submit(&passive(id, 5_000), &mut Silent));
        if longest.len() < 5 || longest.last().is_some_and(|&(shortest, _)| took > shortest) {
            longest.push((took, book.len()));
            longest.sort_unstable_by(|one, other| other.cmp(one));
            longest.truncate(5);
        }
    }
    let each = (measure::thread_time_ns() - start) / ORDERS as f64;
    let bytes = book.heap_bytes() as f64 / book.len() as f64;
    tell("bytes per live order", bytes);
    println!(
        "{} live orders in one book: {each:.0} ns per add with the clock, {bytes:.1} bytes per order",
        book.len()
    );
    println!("its longest adds, ns and orders then live: {longest:?}");
    drop(book);
    let mut books: Vec<Book<PriceTime>> = (0..10_000).map(|_| Book::default()).collect();
    for id in 0..ORDERS {
        let _ = books[(id % 10_000) as usize].submit(&passive(id / 10_000, 200), &mut Silent);
    }
    let bytes: usize = books.iter().map(|book| size_of::<Book<PriceTime>>() + book.heap_bytes()).sum();
    println!("the same in 10,000 books: {:.1} bytes per order", bytes as f64 / ORDERS as f64);
}

/// What a command costs whose price lies in the window, and anywhere in the range: an ordered map then.
fn print_far_prices() {
    const COMMANDS: u64 = 1_000_000;
    for (name, stride) in [("within the window", 1), ("all over the range of 64 bits", MAX_PRICE / 5_000)] {
        let mut book: Book<PriceTime> = Book::default();
        let start = measure::thread_time_ns();
        for id in 0..COMMANDS {
            let order = passive(id, 5_000);
            let _ = book.submit(&NewOrder { price: order.price * stride, ..order }, &mut Silent);
            let _ = book.cancel(id.wrapping_sub(10_000) << 8, &mut Silent);
        }
        let each = (measure::thread_time_ns() - start) / (2 * COMMANDS) as f64;
        println!("10,000 live orders at 5,000 prices {name}: {each:.0} ns per command");
        tell(&format!("ns per command, prices {name}"), each);
    }
}

/// The flow of one book that most is said of.
fn print_usual(flow: &Flow, rounds: usize, seed: u64) {
    let rows: [Row; 6] = [
        ("plain reference, hash index", measure::<Hashed>, true),
        ("plain reference, direct ids", measure::<Direct>, false),
        ("ours, acks", measure::<PriceTimeBook<false>>, true),
        ("ours, acks and level changes", measure::<PriceTimeBook<true>>, true),
        ("ours, published after commands", measure::<PublishedBook>, true),
        ("ours, pro rata", measure::<ProRataBook>, false),
    ];
    let count = flow.commands.len();
    let title = format!("{count} mixed commands, seed {seed}, {rounds} interleaved rounds");
    let ratios = table(&title, flow, &rows, rounds);
    tell("native with acks / hash-indexed reference", ratios[2]);
    tell("native with acks / reference with direct ids", ratios[2] / ratios[1]);
    tell("native with level changes / hash-indexed reference", ratios[3]);
    tell("native, published after commands / hash-indexed reference", ratios[4]);
    tell("pro rata / price-time", ratios[5] / ratios[2]);
    print_allocations(flow);
    compare_latencies::<Hashed>("usual flow", flow);
}

const PARTS: [&str; 5] = ["usual", "orders", "levels", "books", "sizes"];

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let count = numbers.next().unwrap_or(2_000_000) as usize;
    let rounds = numbers.next().unwrap_or(11) as usize;
    let seed = numbers.next().unwrap_or(23);
    let named: Vec<String> = std::env::args().filter(|argument| PARTS.contains(&argument.as_str())).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    if wanted("usual") {
        print_usual(&flow::generate(Shape::USUAL, count, seed), rounds, seed);
    }
    let rounds = rounds.div_ceil(2);
    if wanted("orders") {
        let flow = flow::generate(Shape::MANY_ORDERS, count, seed);
        compare::<LargeHashed>("350,000 live orders", &flow, rounds);
    }
    if wanted("levels") {
        compare::<LargeHashed>("14,000 levels", &flow::generate(Shape::MANY_LEVELS, count, seed), rounds);
    }
    if wanted("books") {
        compare::<SmallHashed>("1,000 books", &flow::generate(Shape::MANY_BOOKS, count, seed), rounds);
    }
    if wanted("sizes") {
        print_far_prices();
        print_sizes();
    }
}

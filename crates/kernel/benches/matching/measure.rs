//! The time a flow takes.
#![allow(clippy::disallowed_types)] // a benchmark reads the clock; the kernel does not

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::contestants::Contestant;
use super::flow::{Flow, Kind};
use super::reference::Checksum;

/// Nanoseconds this thread has run: others on the machine then disturb less. Where the system does not
/// tell, the time of the clock.
pub fn thread_time_ns() -> f64 {
    // The system adds the time up when the thread leaves the processor, so it leaves for a moment.
    std::thread::sleep(Duration::from_micros(50));
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = told.and_then(|line| line.split(' ').next().and_then(|number| number.parse().ok()));
    ran.unwrap_or_else(|| START.get_or_init(Instant::now).elapsed().as_nanos() as f64)
}

/// Nanoseconds of one step by the clock, whose own cost is in it.
pub fn clock_ns<T>(step: impl FnOnce() -> T) -> u64 {
    let start = Instant::now();
    std::hint::black_box(step());
    start.elapsed().as_nanos() as u64
}

/// Nanoseconds per command and the checksum of the trades of the first book.
pub fn measure<C: Contestant>(flow: &Flow) -> (f64, Checksum) {
    let mut books: Vec<C> = (0..flow.books).map(|_| C::default()).collect();
    C::run(&mut books, &flow.setup);
    let start = thread_time_ns();
    C::run(&mut books, &flow.commands);
    ((thread_time_ns() - start) / flow.commands.len() as f64, books[0].checksum())
}

/// Nanoseconds of each command by kind, sorted, each with the clock's own cost in it.
pub fn latencies<C: Contestant>(flow: &Flow) -> [(Kind, Vec<u32>); 4] {
    let mut by_kind = [Kind::Add, Kind::Cancel, Kind::Replace, Kind::Take].map(|kind| (kind, Vec::new()));
    let mut books: Vec<C> = (0..flow.books).map(|_| C::default()).collect();
    C::run(&mut books, &flow.setup);
    for (index, command) in flow.commands.iter().enumerate() {
        let book = &mut books[index % flow.books];
        let start = Instant::now();
        book.step(command);
        let took = start.elapsed().as_nanos().min(u128::from(u32::MAX)) as u32;
        let of_kind = by_kind.iter_mut().find(|(kind, _)| *kind == command.kind);
        of_kind.into_iter().for_each(|(_, took_of_kind)| took_of_kind.push(took));
    }
    by_kind.iter_mut().for_each(|(_, took)| took.sort_unstable());
    by_kind
}

//! The time a flow takes.
#![allow(clippy::disallowed_types)] // a benchmark reads the clock; the kernel does not

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::contestants::Contestant;
use super::flow::Flow;
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

/// Nanoseconds per command and the checksum of the trades.
pub fn measure<C: Contestant>(flow: &Flow) -> (f64, Checksum) {
    let mut book = C::default();
    book.run(&flow.setup);
    let start = thread_time_ns();
    book.run(&flow.commands);
    ((thread_time_ns() - start) / flow.commands.len() as f64, book.checksum())
}

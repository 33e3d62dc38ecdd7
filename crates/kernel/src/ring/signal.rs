//! How a thread with nothing to do waits, and how it is woken.

use std::sync::OnceLock;

use crate::sync::{AtomicBool, Ordering, Thread, fence, pause, thread};

/// Wakes one thread. Whoever changes something the sleeper waits for calls [`Signal::wake`] afterwards, which costs a
/// fence and a load while nobody sleeps.
///
/// The sleeper says that it sleeps and looks again; the waker changes and then looks whether somebody sleeps. Both
/// have a sequentially consistent fence in between, so at least one of them sees the other.
#[derive(Debug)]
pub struct Signal {
    asleep: AtomicBool,
    sleeper: OnceLock<Thread>,
}

impl Default for Signal {
    fn default() -> Self {
        Signal { asleep: AtomicBool::new(false), sleeper: Default::default() }
    }
}

impl Signal {
    /// Makes the calling thread the one that is woken. Once, before the first wait.
    pub fn attend(&self) {
        self.sleeper.get_or_init(thread::current);
    }

    /// Returns when `is_ready` or, at the latest, after `timeout_ns`; also without a reason, so look again. Looks
    /// `spins` times before it sleeps.
    pub fn wait(&self, spins: u32, timeout_ns: Option<u64>, mut is_ready: impl FnMut() -> bool) {
        for _ in 0..spins {
            if is_ready() {
                return;
            }
            pause();
        }
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !is_ready() {
            park(timeout_ns);
        }
        self.asleep.store(false, Ordering::Relaxed);
    }

    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }
}

#[cfg(not(loom))]
fn park(timeout_ns: Option<u64>) {
    match timeout_ns {
        Some(timeout_ns) => thread::park_timeout(std::time::Duration::from_nanos(timeout_ns)),
        None => thread::park(),
    }
}

/// A model has no time: a wait that only its timeout could end would be found as a deadlock.
#[cfg(loom)]
fn park(_: Option<u64>) {
    thread::park();
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn no_wake_is_lost_between_two_threads() {
        let shared = Arc::new((Signal::default(), AtomicU64::new(0)));
        let sleeping = std::thread::spawn({
            let shared = shared.clone();
            move || {
                let (signal, count) = &*shared;
                signal.attend();
                let mut seen = 0;
                while seen < 20_000 {
                    signal.wait(0, None, || count.load(Ordering::Relaxed) > seen);
                    seen = count.load(Ordering::Relaxed);
                }
            }
        });
        let (signal, count) = &*shared;
        while !sleeping.is_finished() {
            count.fetch_add(1, Ordering::Relaxed);
            signal.wake();
            std::thread::yield_now();
        }
        sleeping.join().unwrap();
    }
}

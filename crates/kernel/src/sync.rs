//! Atomics and parking as rings and the seqlock use them: the standard library's, or loom's when a model runs (`--cfg loom`).

#[cfg(not(loom))]
pub use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};
#[cfg(not(loom))]
pub use std::thread::{self, Thread};

#[cfg(loom)]
pub use loom::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
    thread::{self, Thread},
};

/// One step of waiting without giving up the processor; a model must let the other thread run instead.
pub fn pause() {
    #[cfg(not(loom))]
    std::hint::spin_loop();
    #[cfg(loom)]
    loom::thread::yield_now();
}

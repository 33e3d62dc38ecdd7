//! The atomics the kernel uses, in one place, so that a test can put loom's in their stead.

pub use std::sync::Arc;
pub use std::sync::atomic::{AtomicU64, Ordering, fence};

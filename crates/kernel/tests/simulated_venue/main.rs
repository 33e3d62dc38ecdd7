//! The simulated venue, driven as the engine drives it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // an unwrap that fails is a failing test

mod bars;
mod books;
mod floor;
mod goog;
mod random;
mod trails;

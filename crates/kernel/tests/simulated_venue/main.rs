//! The simulated venue, driven as the engine drives it.

mod bars;
mod books;
mod floor;
mod goog;
mod random;

//! The simulated venue, driven as the engine drives it.

mod bars;
mod floor;

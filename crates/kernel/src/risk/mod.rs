//! The risk gate: every order passes it before it goes to a venue. Cancels never do.
//!
//! Two moments. At admission ([`RiskGate::check`]) an order in units is judged by the worst that it and all open
//! orders could lead to. At the fill ([`RiskGate::executable_quantity`]) venues that simulate ask what may
//! execute at a price: orders sized by percent or target get their quantity only there, and an order that
//! widens a position is judged again, at what it really costs.

mod admission;
mod exposure;
mod gate;
mod interest;
mod limits;
mod proposal;
mod reservations;
mod sizing;
#[cfg(test)]
mod tests;

pub use admission::{MAX_NOTIONAL, check_held_terms, check_terms};
pub use gate::{RiskGate, RiskView};
pub use limits::{LIFTED, LimitKind, Limits};
pub use reservations::ReplaceTerms;
pub(crate) use reservations::{Held, Reservation};

//! The engine and its node as a whole: records in, events out, state kept.
#![allow(clippy::unwrap_used, clippy::expect_used)] // an unwrap that fails is a failing test

mod auction_terms;
mod linked_orders;
mod negative_prices;
mod remote_orders;
mod remote_venue;
mod scene;
mod special_orders;
mod stage;
mod ways;

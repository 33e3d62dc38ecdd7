//! Sessions, auctions, bands, policies and market data of our own venue, in trader's words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // one that fails is a failing test

mod auctions;
mod bands;
mod determinism;
mod floor;
mod market_by_order;
mod policies;
mod rules;
mod sizes;

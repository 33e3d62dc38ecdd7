//! Every order type at our venue, in trader's words.
#![allow(clippy::unwrap_used, clippy::expect_used)] // an unwrap that fails is a failing test

mod floor;
mod pegs;
mod quantities;
mod reducing;
mod refusals;
mod restored;
mod self_trades;
mod sessions;
mod triggers;

//! The live node on its threads: gate, backpressure, failures, restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_types)]

mod depth;
mod failures;
mod flow;
mod full_disk;
mod inline_snapshots;
mod market;
mod modes;
mod settling;
mod stalling;

//! The deterministic core of Openbell.
//!
//! Everything the engine is told is one numbered sequence of records ([`record`], [`message`]); state is a
//! fold of them. Nothing in here reads a clock, a random source or the network: time arrives in records and
//! I/O sits behind [`disk`] and [`clock`].
#![deny(unsafe_code)]

mod ascending;
pub mod bars;
pub mod book;
mod client_ids;
pub mod clock;
pub mod codec;
pub mod command;
pub mod depth;
pub mod disk;
pub mod engine;
pub mod event;
pub mod hash;
pub mod indicator;
pub mod instrument;
pub mod journal;
pub mod layout;
#[cfg(not(loom))]
pub mod live;
pub mod message;
pub mod money;
pub mod node;
mod numbered;
pub mod observation;
pub mod orders;
pub mod participant;
pub mod portfolio;
pub mod record;
pub mod ring;
pub mod risk;
pub mod rules;
pub mod sabotage;
pub mod seqlock;
pub mod snapshot;
pub mod special_terms;
pub mod state;
mod sync;
pub mod terms;
pub mod timers;
pub mod tracked;
pub mod venue;

//! Proves that nothing acknowledged is ever lost: the real node, journal and venue on a disk that does its worst,
//! watched by a witness outside.
//!
//! | to change | open |
//! |---|---|
//! | what a disk can do to files and names | `disk/` |
//! | who trades | `clients.rs` |
//! | how the exchange is started and stopped | `exchange.rs` |
//! | snapshots, removal, cuts beside it | `beside.rs` |
//! | what must be true after every start | `oracle.rs`, `watermark.rs` |
//! | the course of one seed | `story.rs`, `story/` |
//! | the exchange on its own threads | `threads.rs` |
//! | damage to files at rest | `damage.rs` |
//! | a real file system that is full | `full_disk.rs` |
//! | which cases there are, and how one is named | `case.rs`, `proof.rs` |
//!
//! `make simulate SEED=n` tells one seed in words, `make torture` runs campaigns.

#![deny(unsafe_code)]

pub mod beside;
pub mod case;
pub mod clients;
pub mod damage;
pub mod disk;
pub mod exchange;
pub mod full_disk;
pub mod oracle;
pub mod proof;
pub mod random;
pub mod story;
#[cfg(not(loom))] // which has models of the rings, and no node on threads
pub mod threads;
pub mod watermark;

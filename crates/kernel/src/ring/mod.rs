//! Bounded rings of slots between two threads, and the way a thread with nothing to do waits for the other.
//!
//! Nothing is lost and nothing waits in a ring itself: a full one says so ([`Producer::push`] returns false) and its
//! user decides, by answering BUSY or by waiting. Records stay whole: a consumer sees all of what was pushed between
//! two calls of [`Producer::publish`], or nothing of it.
//!
//! One producer, one consumer. Where several threads submit, they share the producer behind a lock and push a batch
//! each time: a batch then lies in one piece, which a lock-free queue of slots would not give, and an uncontended
//! lock costs some 20 ns per batch.
//!
//! The slots are words of relaxed atomics, so there is no `unsafe` here and loom can check every access; on the
//! machines we know a relaxed load or store of a word is a plain one. [`crate::sync`] is the switch.

mod published;
mod signal;
mod slots;

pub use published::Published;
pub use signal::Signal;
pub use slots::{Consumer, Gauge, Producer, ring};

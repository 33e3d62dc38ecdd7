//! The durable record of everything the engine was told: a directory of segments of batches of records.
//!
//! # The directory
//! | name | |
//! |---|---|
//! | `00000001.seg`, `00000002.seg`, ... | segments, without a hole in the numbers |
//! | `next.seg` | the segment being prepared; holds no record and may vanish |
//! | `LOCK` | held by the one writer; the file stays, the lock ends with the process |
//! | `torn-00000002-000000001a40.bin` | copy of a torn tail that was cut off segment 2 at that byte (in hex) |
//!
//! Who wrote the journal, for which epoch and in which mode stands in the header of every segment
//! ([`Identity`], [`Settings`]), under a CRC, and not in a file of its own: a segment alone can be read and
//! checked, and there is no second truth that could be lost or disagree.
//!
//! # A segment
//! An array of 64-byte slots: its header (8 slots, see [`segment`]), padded to the sector, then batches. A batch
//! is a header of two slots (see [`batch`]), its records, and zeros up to the sector. A batch never crosses
//! segments. In `batch` mode a segment is written full of zeros before it is used, so that a commit changes no
//! metadata, and batches are padded to 512 bytes, so that no sector with acknowledged data is written again. In
//! `none` mode nothing is synced, filled or padded.
//!
//! # What is checked
//! The header's CRC32C covers the header; the body's CRC32C covers records and padding; the chain is the 128-bit
//! XXH3 of the batch before, header included, and so covers everything since genesis: a batch taken from
//! elsewhere, or a segment put in another's place, does not fit. XXH3 is no cryptographic hash: it shows
//! accidents, not an opponent who computes a new chain. That is what sealing with SHA-256 and a signature is for.
//! Sequences must continue without a hole, over records that are here and those that stand by reference
//! ([`interleave`]).
//!
//! # The end
//! A journal ends where zeros or the end of the last file follow a batch. Where something else follows that is
//! not a valid batch:
//! * with anything valid after it, that is damage: [`JournalError::Damaged`], nothing is touched;
//! * with nothing valid after it, it is taken for a torn tail: a write that a crash cut short
//!   ([`JournalError::TornTail`]). Opening for writing keeps a copy, cuts it off and says so.
//!
//! What this cannot tell: damage inside the *last* batch, or a loss of whole batches at the very end, from a torn
//! tail or an early end. A journal that was closed is safe from that: [`JournalWriter::close`] ends it with an
//! empty batch that says so, and [`Report::require_closed`] misses it after any such loss. For one that was not
//! closed (a crash) only a durable watermark outside the segments can tell; it is not part of this format yet.

pub mod batch;
mod continuity;
mod error;
pub mod interleave;
mod log;
mod next_segment;
mod reader;
mod recovery;
mod report;
pub mod segment;
mod window;
mod writer;

pub use error::{JournalError, JournalRule, Place};
pub use interleave::{Expansion, ExpansionError, InputRun, Interleaving};
pub use reader::{Batch, JournalReader, Records};
pub use recovery::{Cut, Recovery};
pub use report::{Report, Tail, verify};
pub use segment::{Content, Durability, FORMAT_VERSION, Identity, RULES_VERSION, SCHEMA, Settings};
pub use writer::JournalWriter;

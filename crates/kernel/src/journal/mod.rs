//! The durable record of everything the engine was told: a directory of segments of batches of records.
//!
//! # The directory
//! | name | |
//! |---|---|
//! | `00000001.seg`, `00000002.seg`, ... | segments, without a hole in the numbers |
//! | `next.seg` | the segment being prepared; holds no record and may vanish |
//! | `WATERMARK` | up to where it was durable (see `watermark`); made before the first segment, in modes that sync |
//! | `SEALS` | what ended segments held (see `seals`), in all modes but `none` |
//! | `CUT` | a cut that was begun and not finished (see `cut_intent`); the journal does not open until it is |
//! | `LOCK` | held by the one writer; the file stays, the lock ends with the process |
//! | `torn-00000002-000000001a40.bin` | copy of a torn tail that was cut off segment 2 at that byte (in hex) |
//! | `cut-00000002-000000001a40.bin` | the same of a cut that a person accepted (see `doctor`) |
//!
//! Who wrote the journal, for which epoch and in which mode stands in the header of every segment
//! ([`Identity`], [`Settings`]), under a CRC, and not in a file of its own: a segment alone can be read and
//! checked, and there is no second truth that could be lost or disagree.
//!
//! # A segment
//! An array of 64-byte slots: its header (8 slots, see [`segment`]), padded to the sector, then batches. A batch
//! is a header of two slots (see [`batch`]), its records, and zeros up to the sector. A batch never crosses
//! segments. A segment is written full of zeros before it is used, so that a commit changes no metadata and needs no
//! room on the disk, and batches are padded to 512 bytes, so that no sector with acknowledged data is written again.
//! In `none` mode nothing is synced, filled or padded.
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
//! A journal ends where zeros or the end of the last file follow a batch. What is found there is judged so:
//!
//! | found | judged |
//! |---|---|
//! | an end at or behind the watermark and the snapshot it is opened with | clean |
//! | an end before one of them | [`JournalError::Damaged`]: something durable is missing |
//! | no valid batch, where the watermark says that there was one | damaged |
//! | no valid batch, and a valid one or a segment behind it | damaged; in `interval` mode torn, see below |
//! | a whole batch with another epoch, sequence or chain | damaged |
//! | no valid batch, and nothing valid behind it | [`JournalError::TornTail`]: a write that a crash cut short |
//! | a watermark without a whole slot, or none | damaged |
//! | a read that fails | [`JournalError::Failed`] |
//!
//! Opening for writing refuses everything but a clean end and a torn tail, and touches nothing then; whoever has reasons
//! of its own to refuse looks at what was [`Examined`] before it goes on. A torn tail is kept as a copy, cut off, and its
//! cut is journaled (`JournalCut`), but in the mode `none`. In `interval` mode the system may have written a later batch
//! before an earlier one since the last sync, so a hole above the watermark is a torn tail whatever follows it.
//!
//! What this cannot tell: in the modes without a watermark (`os`, `none`), and in the others in the time between a
//! sync and the write of the watermark that follows it, damage inside the *last* batch, or a loss of whole batches at
//! the very end, from a torn tail or an early end. `strict` leaves no such time. A journal that was closed is safe in
//! every mode: [`JournalWriter::close`] ends it with an empty batch that says so, and [`Report::require_closed`]
//! misses it after any such loss.

pub mod batch;
mod bounds;
mod continuity;
mod cut;
mod cut_intent;
mod doctor;
mod error;
pub mod interleave;
mod log;
mod next_segment;
mod position;
mod proof;
mod reader;
mod recovery;
mod report;
mod reseal;
mod retention;
mod seals;
pub mod segment;
mod upcast;
mod upkeep;
mod watermark;
mod window;
mod writer;

pub use cut::{CutKind, actor_and_reason};
pub use doctor::{Acceptance, AcceptedCut, cut_at, cut_at_signed, segment_headers, skip_record, skipped};
pub(crate) use doctor::{cut_with, first_sequence};
pub use error::{JournalError, JournalRule, Place};
pub use interleave::{Expansion, ExpansionError, InputRun, Interleaving};
pub use log::Room;
pub use position::Position;
pub use proof::{Proof, Touched, prove};
pub use reader::{Batch, JournalReader, Records};
pub(crate) use recovery::or_unfinished_cut;
pub use recovery::{Cut, Examined, OpenOptions, Recovery};
pub use report::{Report, Tail, verify};
pub use reseal::reseal;
pub use seals::{EntryKind, SealKey};
pub use segment::{Content, Durability, FORMAT_VERSION, Identity, RULES_VERSION, SCHEMA, Settings};
pub use upcast::{UPCASTS, Upcast};
pub use writer::JournalWriter;

//! The 64-byte slot every journal segment, ring and batch is an array of.
//!
//! A record is one slot, or one head slot followed by continuation slots of the same sequence.
//! Layout (little-endian, naturally aligned):
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | sequence u64 | place in the journal; for an event, the sequence of its cause |
//! | 8 | time u64 | UTC nanoseconds at which the record was sequenced |
//! | 16 | message u16 | see [`crate::message::Message`] |
//! | 18 | slots u8 | slots of the whole record; in a continuation, its own index (1, 2, ...) |
//! | 19 | version u8 | version of this message's layout |
//! | 20 | flags u16 | see [`flags`]; in a continuation, the tag of its payload |
//! | 22 | source u16 | who sent it (participant or feed); for an event, its index, low 16 bits |
//! | 24 | instrument u32 | 0 = none |
//! | 28 | account u32 | 0 = none |
//! | 32 | body, 32 bytes | a continuation has 40 bytes of payload from offset 24 instead |

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::message::Message;

#[cfg(target_endian = "big")]
compile_error!(
    "records are little-endian in memory and on disk; a big-endian port needs byte swaps at the border"
);

pub const SLOT_SIZE: usize = 64;

/// Slots of the longest record; bounds every buffer that holds one.
pub const MAX_SLOTS: usize = 8;

/// Bits of `flags` in the head of a record or an event.
pub mod flags {
    /// The last record of one update: participants are woken here, never on a half-applied one.
    pub const LAST_OF_MESSAGE: u16 = 1 << 0;
    /// Side of an observed trade's aggressor, of a book level or of a fill: set for sell.
    pub const SELL: u16 = 1 << 1;
    /// The level belongs to a snapshot that replaces the book.
    pub const SNAPSHOT: u16 = 1 << 2;
    /// First record of a snapshot: both sides of the book are emptied before it is applied.
    pub const CLEAR: u16 = 1 << 3;
    /// The fill added liquidity.
    pub const MAKER: u16 = 1 << 4;
    /// The answer repeats one given before to the same `client_order_id`.
    pub const REPEATED: u16 = 1 << 5;
    /// There is no such price, and it stands at 0: that of a pegged order which waits, an auction's reference price.
    pub const UNPRICED: u16 = 1 << 6;
    /// Three bits that a live node sets on an event as it leaves: 1 + the number of the journal's durability mode.
    /// Not part of history: no hash covers them.
    pub const DURABILITY: u16 = 0b111 << DURABILITY_SHIFT;
    pub const DURABILITY_SHIFT: u32 = 12;
}

/// One 64-byte slot as the head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Slot {
    pub sequence: u64,
    pub time: u64,
    pub message: u16,
    pub slots: u8,
    pub version: u8,
    pub flags: u16,
    pub source: u16,
    pub instrument: u32,
    pub account: u32,
    pub body: [u64; 4],
}

/// One 64-byte slot as a continuation of the record before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Continuation {
    pub sequence: u64,
    pub time: u64,
    pub message: u16,
    pub index: u8,
    pub version: u8,
    pub tag: u16,
    pub source: u16,
    pub payload: [u64; 5],
}

const _: () = assert!(size_of::<Slot>() == SLOT_SIZE && size_of::<Continuation>() == SLOT_SIZE);

/// The 32 bytes of a head slot, as one message means them. Implemented by `layouts!`.
pub trait Body: Copy {
    const MESSAGE: Message;

    /// The body in `slot`, whose `message` the caller has looked at.
    fn of(slot: &Slot) -> Self;
    fn to_words(self) -> [u64; 4];
}

/// The 40 bytes of a continuation, as one tag means them. Implemented by `payloads!`.
pub trait Payload: Copy {
    const TAG: u16;

    fn of(continuation: &Continuation) -> Self;
    fn to_words(self) -> [u64; 5];
}

/// Ties a 32-byte plain struct to its message number.
macro_rules! body {
    ($name:ident, $message:expr) => {
        impl $crate::record::Body for $name {
            const MESSAGE: $crate::message::Message = $message;

            #[inline]
            fn of(slot: &$crate::record::Slot) -> Self {
                zerocopy::transmute!(slot.body)
            }

            #[inline]
            fn to_words(self) -> [u64; 4] {
                zerocopy::transmute!(self)
            }
        }
    };
}

/// Ties a 40-byte plain struct to its continuation tag.
macro_rules! payload {
    ($name:ident, $tag:expr) => {
        impl $crate::record::Payload for $name {
            const TAG: u16 = $tag;

            fn of(continuation: &$crate::record::Continuation) -> Self {
                zerocopy::transmute!(continuation.payload)
            }

            #[inline]
            fn to_words(self) -> [u64; 5] {
                zerocopy::transmute!(self)
            }
        }
    };
}

pub(crate) use {body, payload as continuation_payload};

impl Slot {
    pub const ZERO: Slot = Slot {
        sequence: 0,
        time: 0,
        message: 0,
        slots: 0,
        version: 0,
        flags: 0,
        source: 0,
        instrument: 0,
        account: 0,
        body: [0; 4],
    };

    /// A head slot for `body`, to be stamped with sequence and time by the sequencer.
    #[inline]
    pub fn new<B: Body>(body: B) -> Slot {
        Slot {
            message: B::MESSAGE as u16,
            slots: 1,
            version: const { B::MESSAGE.version() },
            body: body.to_words(),
            ..Slot::ZERO
        }
    }

    #[inline]
    pub fn as_continuation(&self) -> Continuation {
        zerocopy::transmute!(*self)
    }

    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

impl Continuation {
    #[inline]
    pub fn as_slot(&self) -> Slot {
        zerocopy::transmute!(*self)
    }
}

/// A record being built: its head and continuations, on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordBuffer {
    slots: [Slot; MAX_SLOTS],
    len: usize,
}

impl RecordBuffer {
    pub fn new<B: Body>(body: B) -> Self {
        let mut slots = [Slot::ZERO; MAX_SLOTS];
        slots[0] = Slot::new(body);
        RecordBuffer { slots, len: 1 }
    }

    pub fn head_mut(&mut self) -> &mut Slot {
        &mut self.slots[0]
    }

    /// Appends a continuation. A record never needs more than [`MAX_SLOTS`]; a further one is dropped
    /// and shows in debug builds.
    pub fn push<P: Payload>(&mut self, payload: P) {
        debug_assert!(self.len < MAX_SLOTS, "record longer than MAX_SLOTS");
        if self.len == MAX_SLOTS {
            return;
        }
        let continuation = Continuation {
            sequence: 0,
            time: 0,
            message: Message::Continuation as u16,
            index: self.len as u8,
            version: 0,
            tag: P::TAG,
            source: 0,
            payload: payload.to_words(),
        };
        self.slots[self.len] = continuation.as_slot();
        self.len += 1;
        self.slots[0].slots = self.len as u8;
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots[..self.len]
    }

    pub fn slots_mut(&mut self) -> &mut [Slot] {
        &mut self.slots[..self.len]
    }
}

/// Sets sequence and time in every slot of a record.
pub fn stamp(record: &mut [Slot], sequence: u64, time: u64) {
    for slot in record {
        slot.sequence = sequence;
        slot.time = time;
    }
}

/// The payload tagged `P::TAG` of `record`, if it carries one.
#[inline]
pub fn payload<P: Payload>(record: &[Slot]) -> Option<P> {
    record.iter().skip(1).map(Slot::as_continuation).find(|c| c.tag == P::TAG).map(|c| P::of(&c))
}

/// All payloads tagged `P::TAG` of `record`, in order.
pub fn payloads<P: Payload>(record: &[Slot]) -> impl Iterator<Item = P> {
    record.iter().skip(1).map(Slot::as_continuation).filter(|c| c.tag == P::TAG).map(|c| P::of(&c))
}

/// Splits the first record off `slots`, refusing one whose head lies about its length.
///
/// # Errors
/// [`RecordError`] names what is wrong; nothing is consumed.
#[inline]
pub fn split_first(slots: &[Slot]) -> Result<(&[Slot], &[Slot]), RecordError> {
    let head = slots.first().ok_or(RecordError::Empty)?;
    if Message::from_number(head.message).is_none() {
        return Err(RecordError::UnknownMessage { message: head.message });
    }
    let len = usize::from(head.slots);
    if len == 0 || len > MAX_SLOTS || len > slots.len() {
        return Err(RecordError::BadLength { slots: head.slots, available: slots.len() });
    }
    let (record, rest) = slots.split_at(len);
    for (index, slot) in record.iter().enumerate().skip(1) {
        let continuation = slot.as_continuation();
        if continuation.message != Message::Continuation as u16 || usize::from(continuation.index) != index {
            return Err(RecordError::BadContinuation { index });
        }
    }
    Ok((record, rest))
}

/// Why slots do not form a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("no slot where a record was expected")]
    Empty,
    #[error(
        "message number {message} is not in the registry of this program; a newer one may have written it"
    )]
    UnknownMessage { message: u16 },
    #[error("the head says {slots} slots; 1 to {MAX_SLOTS} are allowed and {available} are there")]
    BadLength { slots: u8, available: usize },
    #[error("slot {index} of the record is not its continuation {index}")]
    BadContinuation { index: usize },
}

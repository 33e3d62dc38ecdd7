//! The header of a segment: who writes, for which epoch, how, and what came before.
//!
//! Eight slots, 512 bytes, little-endian; the first is a head of message `SegmentHeader` with `slots` 8, the others
//! are continuations, so a reader that walks slots steps over it:
//!
//! | offset | field | |
//! |---|---|---|
//! | 0 | first_sequence u64 | of the first record in this segment |
//! | 8 | created_time u64 | of the journal, UTC nanoseconds |
//! | 16 | message u16, slots u8, version u8 | 4, 8, version of the format |
//! | 20 | flags u16 = 0, schema u16 | version of the message registry |
//! | 24 | checksum u32, shard u32 | CRC32C of the 512 bytes with this field 0 |
//! | 32 | mark [8], epoch u64 | `OPENBELL` |
//! | 48 | segment u32, sector_size u32 | |
//! | 56 | durability u8, content u8, length of created_by u16, rules_version u32 | |
//! | 88 | segment_size u64, previous_chain [u64; 2] | |
//! | 152, 216, 280, 344 | created_by, 40 bytes each | UTF-8 |

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::message::Message;
use crate::record::{Continuation, Slot};

use super::error::JournalError;

/// Version of the layout of headers and directory. Bits before the checksum field never move. Journals of version 1
/// have no watermark and no seals; they are read, and not continued.
pub const FORMAT_VERSION: u8 = 2;
/// The oldest that is read.
pub const OLDEST_FORMAT_VERSION: u8 = 1;
/// Version of the message registry: grows when a message or a field is added.
pub const SCHEMA: u16 = 2;
/// Version of what the engine does with records: a change of behavior starts a new epoch.
pub const RULES_VERSION: u32 = 2;

pub const SEGMENT_HEADER_SIZE: usize = 512;
pub const DEFAULT_SEGMENT_SIZE: u64 = 64 << 20;
/// Smallest that holds a header and the longest record in a batch of its own, at any sector size.
pub const MIN_SEGMENT_SIZE: u64 = 8192;
pub const MAX_SEGMENT_SIZE: u64 = 1 << 30;
pub const CREATED_BY_SIZE: usize = 160;

const MARK: [u8; 8] = *b"OPENBELL";
const TEXT_SLOTS: std::ops::Range<usize> = 2..6;
const PAYLOAD: usize = 40;

pub(crate) const LOCK_NAME: &str = "LOCK";
pub(crate) const NEXT_NAME: &str = "next.seg";

/// What a journal is, for its whole life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of one unbroken history under one `rules_version`; chosen by the runtime, never 0.
    pub epoch: u64,
    pub shard: u8,
    pub schema: u16,
    pub rules_version: u32,
    /// Of the first record; 1 for a history that begins here.
    pub first_sequence: u64,
    /// UTC nanoseconds.
    pub created_time: u64,
    /// Program and version, at most [`CREATED_BY_SIZE`] bytes.
    pub created_by: String,
}

impl Identity {
    /// Of a history that begins here, on shard 0, under this program's rules.
    pub fn new(epoch: u64, created_time: u64, created_by: &str) -> Self {
        Identity {
            epoch,
            shard: 0,
            schema: SCHEMA,
            rules_version: RULES_VERSION,
            first_sequence: 1,
            created_time,
            created_by: created_by.to_owned(),
        }
    }
}

/// What "durable" means: what a commit has survived when it is reported. Numbers are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Durability {
    /// Nothing is promised and nothing prepared: for runs that can be run again.
    None = 0,
    /// After the batch was synced: survives a power cut. The watermark follows it, synced when there is time.
    Batch = 1,
    /// After batch and watermark were synced: damage to anything acknowledged is told from a torn tail, also to the
    /// very last batch.
    Strict = 2,
    /// After the batch was given to the operating system: survives the end of the process. Synced every so many
    /// milliseconds by the caller's clock: a power cut loses at most that much.
    Interval = 3,
    /// After the batch was given to the operating system, which decides when to write it.
    Os = 4,
}

impl Durability {
    pub const ALL: [Durability; 5] =
        [Durability::Strict, Durability::Batch, Durability::Interval, Durability::Os, Durability::None];

    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Durability::None),
            1 => Some(Durability::Batch),
            2 => Some(Durability::Strict),
            3 => Some(Durability::Interval),
            4 => Some(Durability::Os),
            _ => None,
        }
    }

    /// The mode called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Durability::ALL.into_iter().find(|mode| mode.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Durability::None => "none",
            Durability::Batch => "batch",
            Durability::Strict => "strict",
            Durability::Interval => "interval",
            Durability::Os => "os",
        }
    }

    /// Whether anything is ever synced, and so a watermark kept.
    pub const fn syncs(self) -> bool {
        matches!(self, Durability::Batch | Durability::Strict | Durability::Interval)
    }

    /// Whether a commit returns only after its batch was synced.
    pub const fn syncs_commits(self) -> bool {
        matches!(self, Durability::Batch | Durability::Strict)
    }

    /// Whether segments are filled with zeros ahead of their use, so that a commit needs no room on the disk.
    pub const fn fills(self) -> bool {
        !matches!(self, Durability::None)
    }
}

/// Whether records of the market data files are here or only pointed at. Numbers are append-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Content {
    Full = 0,
    ByReference = 1,
}

impl Content {
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Content::Full),
            1 => Some(Content::ByReference),
            _ => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Content::Full => "full",
            Content::ByReference => "by_reference",
        }
    }
}

/// How a journal is written, for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub durability: Durability,
    pub content: Content,
    /// Bytes of a full segment.
    pub segment_size: u64,
    /// Batches begin at multiples of this.
    pub sector_size: u32,
}

impl Settings {
    /// Synced, zero-filled, padded to sectors of 512 bytes: what was reported durable stays.
    pub const fn durable() -> Self {
        Settings {
            durability: Durability::Batch,
            content: Content::Full,
            segment_size: DEFAULT_SEGMENT_SIZE,
            sector_size: 512,
        }
    }

    /// Nothing synced, nothing padded: for runs that can be run again.
    pub const fn backtest(content: Content) -> Self {
        Settings {
            durability: Durability::None,
            content,
            segment_size: DEFAULT_SEGMENT_SIZE,
            sector_size: 64,
        }
    }

    pub const fn with_segment_size(self, segment_size: u64) -> Self {
        Settings { segment_size, ..self }
    }

    /// In the mode `durability`; see [`Settings::durable`] and [`Settings::backtest`].
    pub const fn of(durability: Durability, content: Content) -> Self {
        match durability {
            Durability::None => Settings::backtest(content),
            _ => Settings { durability, content, ..Settings::durable() },
        }
    }

    /// Bytes of every segment that new orders must leave free when the next one cannot be prepared: an eighth. What
    /// may still be written then (cancels, the kill switch) has one slot, so in a segment of 64 MiB there is room for
    /// 16,384 of them each in a synced batch of its own, and for more than 80,000 in batches of 64.
    pub const fn reserve_bytes(&self) -> u64 {
        self.segment_size / 8
    }

    /// Bytes before the first batch of a segment.
    pub(crate) fn header_bytes(&self) -> u64 {
        (SEGMENT_HEADER_SIZE as u64).max(u64::from(self.sector_size))
    }

    /// `bytes` and the zeros up to the next sector.
    pub(crate) fn padded(&self, bytes: u64) -> u64 {
        bytes.next_multiple_of(u64::from(self.sector_size))
    }

    fn problem(&self) -> Option<String> {
        let Settings { segment_size, sector_size, .. } = *self;
        if !sector_size.is_power_of_two() || !(64..=4096).contains(&sector_size) {
            return Some(format!("sector_size is {sector_size}; a power of two from 64 to 4096 is expected"));
        }
        let bounds = MIN_SEGMENT_SIZE..=MAX_SEGMENT_SIZE;
        if !bounds.contains(&segment_size) || !segment_size.is_multiple_of(u64::from(sector_size)) {
            return Some(format!(
                "segment_size is {segment_size}; a multiple of {sector_size} from {MIN_SEGMENT_SIZE} to {MAX_SEGMENT_SIZE} is expected"
            ));
        }
        None
    }
}

/// Refuses what could not be written or read again.
pub(crate) fn check_settings(identity: &Identity, settings: &Settings) -> Result<(), JournalError> {
    let problem = settings.problem().or_else(|| {
        let long = identity.created_by.len();
        if long > CREATED_BY_SIZE {
            return Some(format!("created_by has {long} bytes; at most {CREATED_BY_SIZE} are allowed"));
        }
        (identity.epoch == 0 || identity.first_sequence == 0)
            .then(|| "epoch and first_sequence must not be 0".to_owned())
    });
    problem.map_or(Ok(()), |problem| Err(JournalError::BadSettings { problem }))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Version of the format it was written in.
    pub format: u8,
    pub identity: Identity,
    pub settings: Settings,
    /// Counted from 1.
    pub segment: u32,
    /// Of the first record in this segment.
    pub first_sequence: u64,
    /// Of the last batch of the segment before; 0 in the first.
    pub previous_chain: u128,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct FirstSlot {
    first_sequence: u64,
    created_time: u64,
    message: u16,
    slots: u8,
    version: u8,
    flags: u16,
    schema: u16,
    checksum: u32,
    shard: u32,
    mark: [u8; 8],
    epoch: u64,
    segment: u32,
    sector_size: u32,
    durability: u8,
    content: u8,
    created_by_length: u16,
    rules_version: u32,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct SecondPayload {
    segment_size: u64,
    previous_chain: [u64; 2],
    /// `first_sequence` of the journal.
    genesis_sequence: u64,
    reserved: u64,
}

pub(crate) type HeaderBytes = [u8; SEGMENT_HEADER_SIZE];
type HeaderSlots = [Slot; 8];

const _: () = assert!(size_of::<FirstSlot>() == 64 && size_of::<SecondPayload>() == PAYLOAD);

/// Why 512 bytes are not a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderProblem {
    NoMark,
    Checksum { written: u32, computed: u32 },
    Version(u8),
    Field(&'static str),
}

impl SegmentHeader {
    /// Of the segment with which a journal begins.
    pub(crate) fn first(identity: &Identity, settings: Settings) -> Self {
        SegmentHeader {
            format: FORMAT_VERSION,
            identity: identity.clone(),
            settings,
            segment: 1,
            first_sequence: identity.first_sequence,
            previous_chain: 0,
        }
    }

    /// Whether a file beside the segments tells how far it was durable.
    pub(crate) fn has_watermark(&self) -> bool {
        self.format >= 2 && self.settings.durability.syncs()
    }

    /// Whether ended segments are sealed.
    pub(crate) fn has_seals(&self) -> bool {
        self.format >= 2 && self.settings.durability.fills()
    }

    pub(crate) fn encode(&self) -> HeaderBytes {
        let SegmentHeader { identity, settings, .. } = self;
        let mut slots: HeaderSlots = [Slot::ZERO; 8];
        let mut text = identity.created_by.as_bytes().chunks(PAYLOAD);
        for (index, slot) in slots.iter_mut().enumerate().skip(1) {
            let payload = if TEXT_SLOTS.contains(&index) { text.next().unwrap_or(&[]) } else { &[] };
            *slot = continuation(index as u8, payload);
        }
        let second = SecondPayload {
            segment_size: settings.segment_size,
            previous_chain: words(self.previous_chain),
            genesis_sequence: identity.first_sequence,
            reserved: 0,
        };
        slots[1] = continuation(1, second.as_bytes());
        slots[0] = zerocopy::transmute!(self.first_slot());
        let mut bytes: HeaderBytes = zerocopy::transmute!(slots);
        let checksum = checksum(&bytes);
        bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn first_slot(&self) -> FirstSlot {
        let SegmentHeader { identity, settings, .. } = self;
        FirstSlot {
            first_sequence: self.first_sequence,
            created_time: identity.created_time,
            message: Message::SegmentHeader as u16,
            slots: 8,
            version: self.format,
            flags: 0,
            schema: identity.schema,
            checksum: 0,
            shard: u32::from(identity.shard),
            mark: MARK,
            epoch: identity.epoch,
            segment: self.segment,
            sector_size: settings.sector_size,
            durability: settings.durability as u8,
            content: settings.content as u8,
            created_by_length: identity.created_by.len() as u16,
            rules_version: identity.rules_version,
        }
    }

    pub(crate) fn decode(bytes: &HeaderBytes) -> Result<Self, HeaderProblem> {
        let slots: HeaderSlots = zerocopy::transmute!(*bytes);
        let first: FirstSlot = zerocopy::transmute!(slots[0]);
        let second: SecondPayload = zerocopy::transmute!(slots[1].as_continuation().payload);
        if first.mark != MARK || first.message != Message::SegmentHeader as u16 {
            return Err(HeaderProblem::NoMark);
        }
        let computed = checksum(bytes);
        if first.checksum != computed {
            return Err(HeaderProblem::Checksum { written: first.checksum, computed });
        }
        if !(OLDEST_FORMAT_VERSION..=FORMAT_VERSION).contains(&first.version) {
            return Err(HeaderProblem::Version(first.version));
        }
        let settings = Settings {
            durability: Durability::from_number(first.durability)
                .ok_or(HeaderProblem::Field("durability"))?,
            content: Content::from_number(first.content).ok_or(HeaderProblem::Field("content"))?,
            segment_size: second.segment_size,
            sector_size: first.sector_size,
        };
        let identity = Identity {
            epoch: first.epoch,
            shard: u8::try_from(first.shard).map_err(|_| HeaderProblem::Field("shard"))?,
            schema: first.schema,
            rules_version: first.rules_version,
            first_sequence: second.genesis_sequence,
            created_time: first.created_time,
            created_by: created_by(&slots, usize::from(first.created_by_length))?,
        };
        check_settings(&identity, &settings).map_err(|_| HeaderProblem::Field("size"))?;
        Ok(SegmentHeader {
            format: first.version,
            identity,
            settings,
            segment: first.segment,
            first_sequence: first.first_sequence,
            previous_chain: joined(second.previous_chain),
        })
    }
}

/// What the first batch of a segment has as its previous chain.
pub(crate) fn header_chain(bytes: &HeaderBytes) -> u128 {
    xxh3_128(bytes)
}

fn created_by(slots: &HeaderSlots, length: usize) -> Result<String, HeaderProblem> {
    let mut text: Vec<u8> =
        slots[TEXT_SLOTS].iter().flat_map(|slot| slot.as_bytes()[24..].iter().copied()).collect();
    text.truncate(length);
    String::from_utf8(text).map_err(|_| HeaderProblem::Field("created_by"))
}

fn checksum(bytes: &HeaderBytes) -> u32 {
    let front = crc32c::crc32c(&bytes[..24]);
    let zeroed = crc32c::crc32c_append(front, &[0; 4]);
    crc32c::crc32c_append(zeroed, &bytes[28..])
}

/// A continuation slot with up to 40 bytes of payload.
fn continuation(index: u8, payload: &[u8]) -> Slot {
    let mut slot = Continuation::new_zeroed();
    slot.message = Message::Continuation as u16;
    slot.index = index;
    slot.payload.as_mut_bytes()[..payload.len()].copy_from_slice(payload);
    slot.as_slot()
}

pub(crate) const fn words(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

pub(crate) const fn joined(words: [u64; 2]) -> u128 {
    words[0] as u128 | (words[1] as u128) << 64
}

pub(crate) fn segment_path(directory: &Path, segment: u32) -> PathBuf {
    directory.join(format!("{segment:08}.seg"))
}

/// The number in a segment's name; `None` for every other name.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    let plain = digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        let mut identity = Identity::new(0xE0E0, 17, "openbell 0.1.0");
        identity.created_by = "x".repeat(CREATED_BY_SIZE - 2) + "é";
        SegmentHeader {
            format: FORMAT_VERSION,
            identity,
            settings: Settings::durable(),
            segment: 3,
            first_sequence: 99,
            previous_chain: 7 << 100 | 5,
        }
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        assert_eq!(SegmentHeader::decode(&header().encode()), Ok(header()));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let bytes = header().encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn slots_of_a_header_never_look_like_records() {
        let mut header = header();
        header.identity.created_by = "\u{10}".repeat(CREATED_BY_SIZE);
        let slots: HeaderSlots = zerocopy::transmute!(header.encode());
        let messages: Vec<u16> = slots.iter().map(|slot| slot.message).collect();
        assert_eq!(messages, [4, 2, 2, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn names_of_segments_are_eight_digits() {
        assert_eq!(segment_path(Path::new("j"), 12), Path::new("j/00000012.seg"));
        assert_eq!(segment_number("00000012.seg"), Some(12));
        for other in ["12.seg", "0000001x.seg", "next.seg", "LOCK", "000000012.seg", "+0000012.seg"] {
            assert_eq!(segment_number(other), None, "{other}");
        }
    }

    #[test]
    fn impossible_settings_are_named() {
        let settings = Settings { sector_size: 100, ..Settings::durable() };
        let error = check_settings(&Identity::new(1, 0, ""), &settings).unwrap_err();
        assert!(error.to_string().contains("sector_size is 100"), "{error}");
        let settings = Settings::durable().with_segment_size(5000);
        let error = check_settings(&Identity::new(1, 0, ""), &settings).unwrap_err();
        assert!(error.to_string().contains("segment_size is 5000"), "{error}");
        assert!(check_settings(&Identity::new(0, 0, ""), &Settings::durable()).is_err());
    }
}

//! Participants: who reads the event stream and sends commands. Each has a cursor and a view of the world
//! folded only up to that cursor; its feed latency delays both.

mod view;

pub use view::{IndicatorSpec, View};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::instrument::Instruments;
use crate::message::Message;
use crate::observation::QuoteObserved;
use crate::record::{Slot, flags};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::tracked::EntityHasher;

/// What a participant subscribes to: bits.
pub mod wants {
    pub const BARS: u64 = 1 << 0;
    pub const QUOTES: u64 = 1 << 1;
    pub const TRADES: u64 = 1 << 2;
    pub const BOOKS: u64 = 1 << 3;
    pub const SIGNALS: u64 = 1 << 4;
}

/// The subscription bit that covers a market data message.
const fn want_of(message: Message) -> u64 {
    match message {
        Message::BarObserved => wants::BARS,
        Message::QuoteObserved => wants::QUOTES,
        Message::TradeObserved => wants::TRADES,
        Message::BookLevelObserved | Message::FeedGapObserved => wants::BOOKS,
        Message::ExternalSignalReceived => wants::SIGNALS,
        _ => 0,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Subscriptions {
    all: u64,
    by_instrument: BTreeMap<u32, u64>,
}

impl Subscriptions {
    fn add(&mut self, instrument: u32, bits: u64) {
        if instrument == 0 {
            self.all |= bits;
        } else {
            *self.by_instrument.entry(instrument).or_default() |= bits;
        }
    }

    fn covers(&self, instrument: u32, bit: u64) -> bool {
        self.all & bit != 0 || self.by_instrument.get(&instrument).is_some_and(|bits| bits & bit != 0)
    }
}

/// A participant's own state, in a file named by its SHA-256, as it was after all it had been shown by `sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedState {
    pub sequence: u64,
    pub sha256: [u8; 32],
}

impl State for SavedState {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.sequence);
        out.bytes(&self.sha256);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (sequence, bytes) = (input.u64()?, input.bytes()?);
        let (sha256, length) = (bytes.try_into().ok(), bytes.len() as u64);
        let sha256 = sha256.ok_or_else(|| input.invalid("SHA-256", length))?;
        Ok(SavedState { sequence, sha256 })
    }
}

/// One participant: its subscriptions, its view, and what it has not been shown yet.
#[derive(Clone, Debug)]
pub struct Participant {
    pub id: u16,
    pub account: u32,
    pub feed_latency_ns: u64,
    /// Sequence of the last record or event it has been shown.
    pub cursor: u64,
    pub is_stopped: bool,
    /// It was woken before: its next wake-up is not its start. Not part of the hash: when it was shown what is not
    /// in the journal.
    pub is_started: bool,
    /// Where its own state was last saved.
    pub saved: Option<SavedState>,
    pub view: View,
    subscriptions: Subscriptions,
    /// Market data that its feed latency still holds back, with the time it arrives.
    delayed: VecDeque<(u64, Vec<Slot>)>,
    /// What it is shown at the next wake-up, in order.
    inbox: Vec<Slot>,
    is_awake: bool,
}

impl Participant {
    /// Hash of the participant; of its view, only what changed is looked at. What waits to be shown follows from
    /// records that are hashed already, and how much of it was shown is not in the journal.
    fn state_hash(&mut self, hasher: &mut EntityHasher) -> u128 {
        let view = self.view.state_sum(hasher);
        hasher.hash("participant", self.id, |out| {
            out.u32(self.account);
            out.u64(self.feed_latency_ns);
            out.u64(self.cursor);
            out.bool(self.is_stopped);
            // Only once there is one: states from before participants were saved keep their hash.
            if let Some(saved) = &self.saved {
                saved.write(out);
            }
            out.length(self.delayed.len());
            self.subscriptions.write(out);
            out.u128(view);
        })
    }

    fn show(&mut self, slots: &[Slot]) {
        self.inbox.extend_from_slice(slots);
    }

    /// Folds market data into the view and, once warm, puts it before the participant.
    fn observe(&mut self, record: &[Slot], instruments: &Instruments) {
        let head = &record[0];
        let is_warm = self.view.fold(record, instruments);
        if is_warm {
            self.show(record);
        }
        self.cursor = head.sequence;
        if head.has(flags::LAST_OF_MESSAGE) && !self.inbox.is_empty() {
            self.is_awake = true;
        }
    }

    fn release_delayed(&mut self, time: u64, instruments: &Instruments) {
        while self.delayed.front().is_some_and(|(due, _)| *due <= time) {
            if let Some((_, record)) = self.delayed.pop_front() {
                self.observe(&record, instruments);
            }
        }
    }
}

/// All participants, by id from 1.
#[derive(Clone, Debug, Default)]
pub struct Participants {
    list: Vec<Participant>,
    /// What anybody subscribed to.
    wanted: u64,
    /// Best prices of our own venues as they were shown last, where anybody wants them. They follow from the venues' events,
    /// so no hash covers them.
    shown_quotes: BTreeMap<u32, QuoteObserved>,
    /// Instruments whose best prices may have changed in the update under way.
    stirred: BTreeSet<u32>,
}

impl Participants {
    pub fn get(&self, id: u16) -> Option<&Participant> {
        self.list.get(usize::from(id).wrapping_sub(1))
    }

    pub fn get_mut(&mut self, id: u16) -> Option<&mut Participant> {
        self.list.get_mut(usize::from(id).wrapping_sub(1))
    }

    /// # Errors
    /// `NameMustBeUnique` or `FieldMustBeInRange` when `id` is not the next one.
    pub fn register(
        &mut self,
        id: u16,
        account: u32,
        feed_latency_ns: u64,
        history: u64,
        warm_up: u64,
    ) -> Result<(), Refusal> {
        let next = self.list.len() as u64 + 1;
        if u64::from(id) != next {
            let rule = if u64::from(id) < next { Rule::NameMustBeUnique } else { Rule::FieldMustBeInRange };
            return Err(Refusal::new(rule, i128::from(next), i128::from(id)));
        }
        self.list.push(Participant {
            id,
            account,
            feed_latency_ns,
            cursor: 0,
            is_stopped: false,
            is_started: false,
            saved: None,
            view: View::new(history, warm_up),
            subscriptions: Subscriptions::default(),
            delayed: VecDeque::new(),
            inbox: Vec::new(),
            // Its first wake-up is its start.
            is_awake: true,
        });
        Ok(())
    }

    /// # Errors
    /// `ParticipantMustBeRegistered` when there is no such participant.
    pub fn require(&mut self, id: u16) -> Result<&mut Participant, Refusal> {
        self.get_mut(id).ok_or(Refusal::new(Rule::ParticipantMustBeRegistered, 0, i128::from(id)))
    }

    pub fn subscribe(&mut self, id: u16, instrument: u32, bits: u64) -> Result<(), Refusal> {
        self.require(id)?.subscriptions.add(instrument, bits);
        self.wanted |= bits;
        Ok(())
    }

    /// Whether anybody wants quotes or trades of our own venues.
    pub fn want_markets(&self) -> bool {
        self.wanted & (wants::QUOTES | wants::TRADES) != 0
    }

    /// A level of one of our own markets changed: its best prices are looked at when the update is complete.
    pub fn stir(&mut self, instrument: u32) {
        if self.wanted & wants::QUOTES != 0 {
            self.stirred.insert(instrument);
        }
    }

    /// Instruments that were stirred since the last call.
    pub fn take_stirred(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.stirred)
    }

    /// Shows the best prices of one of our own markets, if they are other than those shown last.
    pub fn show_quote(
        &mut self,
        place: [u64; 2],
        instrument: u32,
        quote: QuoteObserved,
        instruments: &Instruments,
    ) {
        if self.shown_quotes.insert(instrument, quote) != Some(quote) {
            let slot = derived(Slot::new(quote), place, instrument);
            self.observe(Message::QuoteObserved, &[slot], instruments);
        }
    }

    /// Shows a trade of one of our own markets, made of `trade`.
    pub fn show_trade(&mut self, place: [u64; 2], instrument: u32, trade: Slot, instruments: &Instruments) {
        let slot = derived(trade, place, instrument);
        self.observe(Message::TradeObserved, &[slot], instruments);
    }

    /// Puts one market data record before those that subscribed to it.
    pub fn observe(&mut self, message: Message, record: &[Slot], instruments: &Instruments) {
        let head = &record[0];
        let bit = want_of(message);
        for participant in &mut self.list {
            if participant.is_stopped || !participant.subscriptions.covers(head.instrument, bit) {
                continue;
            }
            if participant.feed_latency_ns == 0 {
                participant.observe(record, instruments);
            } else {
                let due = head.time.saturating_add(participant.feed_latency_ns);
                participant.delayed.push_back((due, record.to_vec()));
            }
        }
    }

    /// Puts an event that concerns one participant before it.
    pub fn address(&mut self, id: u16, event: &[Slot]) {
        if let Some(participant) = self.get_mut(id).filter(|participant| !participant.is_stopped) {
            participant.show(event);
        }
    }

    /// Wakes whoever has something to see. Called at the end of a record that completes an update.
    pub fn wake(&mut self) {
        for participant in &mut self.list {
            participant.is_awake |= !participant.inbox.is_empty() && !participant.is_stopped;
        }
    }

    pub fn release_delayed(&mut self, time: u64, instruments: &Instruments) {
        self.list.iter_mut().for_each(|participant| participant.release_delayed(time, instruments));
    }

    pub fn next_due(&self) -> Option<u64> {
        self.list.iter().filter_map(|participant| participant.delayed.front().map(|(due, _)| *due)).min()
    }

    /// The first awake participant, and what it is to be shown, moved into `out`.
    pub fn take_awake(&mut self, out: &mut Vec<Slot>) -> Option<u16> {
        let participant = self.list.iter_mut().find(|participant| participant.is_awake)?;
        participant.is_awake = false;
        out.clear();
        std::mem::swap(&mut participant.inbox, out);
        Some(participant.id)
    }

    pub(crate) fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        self.list.iter_mut().map(|participant| participant.state_hash(hasher)).fold(0, u128::wrapping_add)
    }

    pub fn stop(&mut self, id: u16) -> Result<(), Refusal> {
        let participant = self.require(id)?;
        participant.is_stopped = true;
        participant.is_awake = false;
        participant.inbox.clear();
        participant.delayed.clear();
        Ok(())
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Participant> {
        self.list.iter()
    }
}

/// What our own venues show, as a feed would: `place` is the sequence and time of its cause.
fn derived(slot: Slot, place: [u64; 2], instrument: u32) -> Slot {
    let [sequence, time] = place;
    Slot { sequence, time, instrument, flags: slot.flags | flags::LAST_OF_MESSAGE, ..slot }
}

fn write_slots(slots: &[Slot], out: &mut StateWriter) {
    out.bytes(zerocopy::IntoBytes::as_bytes(slots));
}

fn read_slots(input: &mut StateReader<'_>) -> Result<Vec<Slot>, StateError> {
    let bytes = input.bytes()?;
    let mut slots = vec![Slot::ZERO; bytes.len() / size_of::<Slot>()];
    let target = zerocopy::IntoBytes::as_mut_bytes(slots.as_mut_slice());
    if target.len() != bytes.len() {
        let length = bytes.len() as u64;
        return Err(input.invalid("array of slots", length));
    }
    target.copy_from_slice(bytes);
    Ok(slots)
}

impl State for Subscriptions {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.all);
        out.length(self.by_instrument.len());
        for (instrument, bits) in &self.by_instrument {
            out.u32(*instrument);
            out.u64(*bits);
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let all = input.u64()?;
        let len = input.length()?;
        let by_instrument = (0..len).map(|_| Ok((input.u32()?, input.u64()?))).collect::<Result<_, _>>()?;
        Ok(Subscriptions { all, by_instrument })
    }
}

impl State for Participant {
    fn write(&self, out: &mut StateWriter) {
        out.u16(self.id);
        out.u32(self.account);
        out.u64(self.feed_latency_ns);
        out.u64(self.cursor);
        out.bool(self.is_stopped);
        out.bool(self.is_started);
        out.option(self.saved.as_ref());
        self.view.write(out);
        self.subscriptions.write(out);
        out.length(self.delayed.len());
        for (due, record) in &self.delayed {
            out.u64(*due);
            write_slots(record, out);
        }
        write_slots(&self.inbox, out);
        out.bool(self.is_awake);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Participant {
            id: input.u16()?,
            account: input.u32()?,
            feed_latency_ns: input.u64()?,
            cursor: input.u64()?,
            is_stopped: input.bool()?,
            is_started: input.bool()?,
            saved: input.option()?,
            view: View::read(input)?,
            subscriptions: Subscriptions::read(input)?,
            delayed: {
                let len = input.length()?;
                (0..len).map(|_| Ok((input.u64()?, read_slots(input)?))).collect::<Result<_, _>>()?
            },
            inbox: read_slots(input)?,
            is_awake: input.bool()?,
        })
    }
}

impl State for Participants {
    fn write(&self, out: &mut StateWriter) {
        out.list(self.list.iter());
        out.length(self.shown_quotes.len());
        for (instrument, quote) in &self.shown_quotes {
            out.u32(*instrument);
            out.bytes(zerocopy::IntoBytes::as_bytes(quote));
        }
        out.length(self.stirred.len());
        self.stirred.iter().for_each(|instrument| out.u32(*instrument));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let list: Vec<Participant> = input.list()?;
        let bits = |one: &Participant| {
            one.subscriptions.by_instrument.values().fold(one.subscriptions.all, |all, bits| all | bits)
        };
        let wanted = list.iter().map(bits).fold(0, |all, bits| all | bits);
        let mut shown_quotes = BTreeMap::new();
        for _ in 0..input.length()? {
            let (instrument, bytes) = (input.u32()?, input.bytes()?);
            let quote = <QuoteObserved as zerocopy::FromBytes>::read_from_bytes(bytes).ok();
            let length = bytes.len() as u64;
            shown_quotes.insert(instrument, quote.ok_or_else(|| input.invalid("quote", length))?);
        }
        let stirred = (0..input.length()?).map(|_| input.u32()).collect::<Result<_, _>>()?;
        Ok(Participants { list, wanted, shown_quotes, stirred })
    }
}

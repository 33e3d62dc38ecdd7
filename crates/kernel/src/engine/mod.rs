//! State = fold(records). [`Engine::apply`] takes one record and derives events; it reads nothing else.
//!
//! | to change | open |
//! |---|---|
//! | what a command does to orders | `order_entry.rs`; the short way of plain ones: `plain.rs`, `plain_trades.rs` |
//! | requests to venues, overdue answers | `requests.rs`; those that are answered at once: `at_once.rs` |
//! | what a venue's report does to an order | `order_reports.rs`; what a fill changes: `booking.rs` |
//! | what a matching policy outside the kernel answers | `allocations.rs` |
//! | linked orders | `contingency.rs` |
//! | instruments, accounts, limits, participants | `administration.rs` |
//! | policies, sessions, bands of our own venues' instruments | `market_rules.rs` |
//! | what a venue of ours tells of its markets | `market_events.rs` |
//! | how events are built | `events.rs` |
//! | what is looked at before it is needed | `look_ahead.rs` |

mod administration;
mod allocations;
mod at_once;
mod booking;
mod contingency;
mod difference;
mod events;
mod look_ahead;
mod market_events;
mod market_rules;
mod order_entry;
mod order_reports;
mod plain;
mod plain_trades;
mod requests;
mod sizing;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use thiserror::Error;

use crate::book::LevelQuestion;
use crate::instrument::Instruments;
use crate::message::{Message, MessageKind};
use crate::observation::{
    BarObserved, ExternalSignalReceived, FeedGapObserved, ParticipantSaved, QuoteObserved, SessionClosed,
    TradeObserved,
};
use crate::orders::Orders;
use crate::participant::{Participants, SavedState};
use crate::portfolio::{FeeSchedules, Marks, Portfolio};
use crate::record::{Body, Slot, flags};
use crate::risk::{RiskGate, RiskView};
use crate::rules::Refusal;
use crate::terms::{Side, VenueKind};
use crate::timers::Timers;
use crate::tracked::{EntityHasher, Tracked};
use crate::venue::matching::{DepthBoard, MatchingVenue};
use crate::venue::remote::RemoteVenue;
use crate::venue::simulated::SimulatedVenue;
use crate::venue::{AtWork, Venue, VenueContext, VenueOrder, VenueReport, VenueRequest};

pub use difference::{Difference, differences};
pub use events::{About, Events};
pub use look_ahead::LOOK_AHEAD;
use plain_trades::Counterparty;

/// A broken invariant: the engine stops rather than go on with a state it cannot vouch for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("engine stopped at sequence {sequence}: {reason}")]
pub struct EngineStopped {
    pub sequence: u64,
    pub reason: String,
}

/// The venues an engine can route to; the interface is [`Venue`].
#[derive(Clone, Debug)]
pub enum AnyVenue {
    Matching(Box<MatchingVenue>),
    Simulated(Box<SimulatedVenue>),
    Remote(RemoteVenue),
    /// One of ours while it works on a request; never between two records.
    AtWork(AtWork),
}

impl AnyVenue {
    fn get(&self) -> &dyn Venue {
        match self {
            AnyVenue::Matching(venue) => venue.as_ref(),
            AnyVenue::Simulated(venue) => venue.as_ref(),
            AnyVenue::Remote(venue) => venue,
            AnyVenue::AtWork(venue) => venue,
        }
    }

    fn get_mut(&mut self) -> &mut dyn Venue {
        match self {
            AnyVenue::Matching(venue) => venue.as_mut(),
            AnyVenue::Simulated(venue) => venue.as_mut(),
            AnyVenue::Remote(venue) => venue,
            AnyVenue::AtWork(venue) => venue,
        }
    }

    pub fn kind(&self) -> VenueKind {
        match self {
            AnyVenue::Matching(_) | AnyVenue::AtWork(_) => VenueKind::Matching,
            AnyVenue::Simulated(_) => VenueKind::Simulated,
            AnyVenue::Remote(_) => VenueKind::Remote,
        }
    }
}

/// A request to a remote venue, to leave once its cause is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    pub cause_sequence: u64,
    pub venue: u16,
    pub request: VenueRequest,
}

/// A fill that waits for the fee an outside model charges for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeQuestion {
    pub venue: u16,
    pub report: VenueReport,
}

/// How long a remote venue may leave a request unanswered before its order is UNKNOWN.
pub const ANSWER_TIMEOUT_NS: u64 = 5_000_000_000;

/// The whole state that decides an order or changes a balance.
#[derive(Clone, Debug)]
pub struct Engine {
    shard: u8,
    sequence: u64,
    time: u64,
    /// Shared with readers that outlive a borrow of the engine; listing one copies the few there are.
    instruments: Tracked<Arc<Instruments>>,
    /// Texts by (kind, id): symbols and currency codes.
    names: Tracked<BTreeMap<(u8, u32), String>>,
    orders: Orders,
    portfolio: Portfolio,
    marks: Marks,
    /// Marks of an update that is not complete yet, or in which a fill still waits for its fee.
    pending_marks: Vec<(u32, i64)>,
    /// The update is complete: its marks count as soon as its fills are booked.
    marks_are_due: bool,
    fees: Tracked<FeeSchedules>,
    risk: RiskGate,
    venues: Vec<AnyVenue>,
    timers: Timers,
    participants: Participants,
    /// Halted instruments; 0 = all.
    halted: BTreeSet<u32>,
    /// (deadline, order id) of unanswered requests to remote venues; follows from the orders.
    deadlines: BTreeSet<(u64, u64)>,
    outbox: VecDeque<OutboxEntry>,
    fee_question: Option<FeeQuestion>,
    /// The venue of ours that waits for a matching policy outside the kernel; follows from the venues.
    asking_venue: Option<u16>,
    /// A venue's reports are being applied: requests made meanwhile are answered by the same loop.
    is_pulling: bool,
    /// For tests only: reports are always pulled, none is applied while its venue is at work.
    always_pulls: bool,
    /// Venues that got such a request and are not the one being pulled.
    unpulled: Vec<usize>,
    events: Events,
    /// Memory of the state hash; no state.
    hasher: EntityHasher,
    /// Memory of the short way: those an order is about to trade with; no state.
    counterparties: Vec<Counterparty>,
}

/// What a venue may ask while it decides a fill.
struct FillContext<'a> {
    risk: &'a RiskGate,
    view: RiskView<'a>,
}

impl VenueContext for FillContext<'_> {
    fn executable_quantity(&self, order: &VenueOrder, leaves: i64, price: i64) -> Result<i64, Refusal> {
        self.risk.executable_quantity(order, leaves, price, &self.view)
    }

    fn position(&self, account: u32, instrument: u32) -> i64 {
        self.view.account(account).map_or(0, |account| account.quantity(instrument))
    }

    fn tick(&self, instrument: u32) -> i64 {
        self.view.instruments.get(instrument).map_or(1, |instrument| instrument.tick)
    }

    fn negative_prices(&self, instrument: u32) -> bool {
        self.view.instruments.get(instrument).is_some_and(|instrument| instrument.negative_prices)
    }
}

impl Engine {
    pub fn new(shard: u8) -> Self {
        Engine {
            shard,
            sequence: 0,
            time: 0,
            instruments: Tracked::default(),
            names: Tracked::default(),
            orders: Orders::default(),
            portfolio: Portfolio::default(),
            marks: Marks::default(),
            pending_marks: Vec::new(),
            marks_are_due: false,
            fees: Tracked::default(),
            risk: RiskGate::default(),
            venues: Vec::new(),
            timers: Timers::default(),
            participants: Participants::default(),
            halted: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            outbox: VecDeque::new(),
            fee_question: None,
            asking_venue: None,
            is_pulling: false,
            always_pulls: false,
            unpulled: Vec::new(),
            events: Events::default(),
            hasher: EntityHasher::default(),
            counterparties: Vec::new(),
        }
    }

    /// Applies one sequenced record and leaves its events in [`Engine::events`].
    ///
    /// # Errors
    /// [`EngineStopped`] when the record cannot follow from the state: the engine must not be used any more.
    pub fn apply(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let head = &record[0];
        if head.sequence <= self.sequence || head.time < self.time {
            let reason = format!(
                "record {} at time {} came after record {} at time {}",
                head.sequence, head.time, self.sequence, self.time
            );
            return Err(EngineStopped { sequence: self.sequence, reason });
        }
        (self.sequence, self.time) = (head.sequence, head.time);
        self.events.begin(head.sequence, head.time);
        let Some(message) = Message::from_number(head.message) else {
            return Err(self.stopped(format!("message {} is not in the registry", head.message)));
        };
        // what became of the journal is told whenever it was opened, also between a fill and its fee
        let is_about_journal = matches!(message, Message::JournalCut | Message::RecordSkipped);
        if let Some((who, answer)) = self.awaited()
            && message != answer
            && !is_about_journal
        {
            return Err(self.stopped(format!(
                "{who} waits for {} and {} came",
                answer.name(),
                message.name()
            )));
        }
        match message.kind() {
            MessageKind::Command => self.apply_command(message, record)?,
            MessageKind::Observation => self.apply_observation(message, record)?,
            MessageKind::Structure | MessageKind::Event => {
                return Err(self.stopped(format!("{} is not a command or an observation", message.name())));
            }
        }
        self.address_events(message, head);
        Ok(())
    }

    fn apply_observation(&mut self, message: Message, record: &[Slot]) -> Result<(), EngineStopped> {
        let head = &record[0];
        match message {
            Message::BarObserved
            | Message::QuoteObserved
            | Message::TradeObserved
            | Message::BookLevelObserved
            | Message::FeedGapObserved => self.apply_market_data(message, record),
            Message::ClockAdvanced => self.fire_due(),
            Message::FeeAssessed => self.assess_fee(record),
            Message::AllocationAssessed => self.assess_allocation(record),
            Message::ExternalSignalReceived => {
                let body = ExternalSignalReceived::of(head);
                self.participants.observe(message, record, &self.instruments);
                let (name, value_bits, exchange_time) = (body.name, body.value_bits, body.exchange_time);
                let event = crate::event::SignalReceived { name, value_bits, exchange_time, reserved: 0 };
                self.events.emit(About { instrument: head.instrument, ..About::NOTHING }, event);
                Ok(())
            }
            Message::SessionClosed => {
                self.close_session(head.instrument, SessionClosed::of(head).session_end)
            }
            Message::ParticipantSaved => {
                self.note_saved(head);
                Ok(())
            }
            Message::RunEnded => self.end_run(),
            // Say where replay finds the data, and what became of the journal; change no state.
            Message::InputReferenced | Message::JournalCut | Message::RecordSkipped => Ok(()),
            _ => self.apply_venue_observation(message, record),
        }
    }

    fn apply_market_data(&mut self, message: Message, record: &[Slot]) -> Result<(), EngineStopped> {
        let head = &record[0];
        let Some(instrument) = self.instruments.get(head.instrument) else {
            self.unmatched(0, message, 0, order_reports::Unmatched::UnknownInstrument);
            return Ok(());
        };
        let venue = usize::from(instrument.venue);
        if message == Message::FeedGapObserved {
            let body = FeedGapObserved::of(head);
            let (expected, received, exchange_time) = (body.expected, body.received, body.exchange_time);
            let event = crate::event::FeedGapDetected { expected, received, exchange_time, reserved: 0 };
            self.events.emit(About { instrument: head.instrument, ..About::NOTHING }, event);
        }
        if let Some(AnyVenue::Simulated(simulated)) = self.venues.get_mut(venue) {
            simulated.observe_of(record, instrument.negative_prices);
            self.pull(venue)?;
        }
        self.note_mark(message, head);
        self.tell_mark(venue, head.instrument)?;
        self.participants.observe(message, record, &self.instruments);
        Ok(())
    }

    /// Marks move only when the whole update is in: a fill inside it must not be sized with what comes later.
    fn note_mark(&mut self, message: Message, head: &Slot) {
        let negative_prices =
            self.instruments.get(head.instrument).is_some_and(|instrument| instrument.negative_prices);
        let mark = match message {
            Message::BarObserved => Some(BarObserved::of(head).close),
            Message::TradeObserved => Some(TradeObserved::of(head).price),
            Message::QuoteObserved => middle(&QuoteObserved::of(head), negative_prices),
            _ => None,
        };
        if let Some(mark) = mark.filter(|&mark| mark > 0 || negative_prices) {
            self.pending_marks.push((head.instrument, mark));
        }
        self.marks_are_due |= head.has(flags::LAST_OF_MESSAGE);
        self.settle_marks();
    }

    /// Our own venue wakes the orders that wait for a mark.
    fn tell_mark(&mut self, venue: usize, instrument: u32) -> Result<(), EngineStopped> {
        let (mark, time) = (self.marks.get(instrument), self.time);
        let (Some(AnyVenue::Matching(matching)), Some(mark)) = (self.venues.get_mut(venue), mark) else {
            return Ok(());
        };
        matching.note_mark(instrument, mark, time);
        self.pull(venue)
    }

    fn settle_marks(&mut self) {
        if !self.marks_are_due || self.awaits_answer() {
            return;
        }
        self.marks_are_due = false;
        for (instrument, mark) in self.pending_marks.drain(..) {
            self.marks.set(instrument, mark);
        }
    }

    /// What time alone makes happen, in time order: timers, late answers, delayed data, the venues' own doings.
    fn fire_due(&mut self) -> Result<(), EngineStopped> {
        self.fire_timers();
        self.expire_deadlines();
        for venue in 0..self.venues.len() {
            self.pull(venue)?;
        }
        self.participants.release_delayed(self.time, &self.instruments);
        Ok(())
    }

    /// When something is next due by itself. The sequencer puts a `ClockAdvanced` there.
    pub fn next_due(&self) -> Option<u64> {
        let venues = self.venues.iter().filter_map(|venue| venue.get().next_due()).min();
        let deadline = self.deadlines.first().map(|(time, _)| *time);
        [self.timers.next_due(), deadline, self.participants.next_due(), venues].into_iter().flatten().min()
    }

    /// Pulls a venue's reports until there is none, or until a fill has to wait for its fee.
    fn pull(&mut self, venue: usize) -> Result<(), EngineStopped> {
        if self.is_pulling {
            self.unpulled.push(venue);
            return Ok(());
        }
        self.is_pulling = true;
        self.unpulled.push(venue);
        while let Some(venue) = self.unpulled.pop() {
            while let Some(report) = self.next_report(venue) {
                self.apply_report(venue as u16, &report)?;
            }
            if let Some(AnyVenue::Matching(matching)) = self.venues.get(venue) {
                if let Some(reason) = matching.unforeseen_question() {
                    return Err(self.stopped(reason.to_owned()));
                }
                if matching.allocation_question().is_some() {
                    self.asking_venue = Some(venue as u16);
                }
            }
        }
        self.is_pulling = false;
        Ok(())
    }

    fn next_report(&mut self, venue: usize) -> Option<VenueReport> {
        if self.awaits_answer() {
            return None;
        }
        let Engine { venues, risk, instruments, portfolio, marks, fees, time, .. } = self;
        let context = FillContext { risk, view: RiskView { instruments, portfolio, marks, fees } };
        match venues.get_mut(venue)? {
            // Asked for each report of the most records: known to the compiler.
            AnyVenue::Matching(venue) => venue.next_report(*time, &context),
            other => other.get_mut().next_report(*time, &context),
        }
    }

    fn close_session(&mut self, instrument: u32, session_end: u64) -> Result<(), EngineStopped> {
        // Before the venues: what expires now has not been shown to anybody yet.
        if instrument == 0 {
            self.orders.retire_closed();
        }
        for venue in 0..self.venues.len() {
            // A day that ends later than now has not ended yet, whatever the feed says.
            self.venues[venue].get_mut().close_session(instrument, session_end.min(self.time));
            self.pull(venue)?;
        }
        Ok(())
    }

    /// A participant's own state was kept in a file; nobody else is concerned.
    fn note_saved(&mut self, head: &Slot) {
        let sha256 = ParticipantSaved::of(head).sha256;
        match self.participants.get_mut(head.source) {
            Some(participant) => participant.saved = Some(SavedState { sequence: head.sequence, sha256 }),
            None => {
                let reason = order_reports::Unmatched::UnknownParticipant;
                self.unmatched(0, Message::ParticipantSaved, 0, reason);
            }
        }
    }

    fn end_run(&mut self) -> Result<(), EngineStopped> {
        for venue in 0..self.venues.len() {
            if let AnyVenue::Simulated(simulated) = &mut self.venues[venue] {
                simulated.finish(self.time);
            }
            self.pull(venue)?;
        }
        Ok(())
    }

    /// Puts the record's events before the participants they concern, and wakes whoever has news, unless
    /// the record is one of several that make up an update.
    fn address_events(&mut self, message: Message, head: &Slot) {
        let Engine { events, participants, .. } = self;
        for (participant, event) in events.addressed() {
            participants.address(participant, event);
        }
        let is_partial = matches!(
            message,
            Message::BarObserved
                | Message::QuoteObserved
                | Message::TradeObserved
                | Message::BookLevelObserved
        ) && !head.has(flags::LAST_OF_MESSAGE);
        if !is_partial && !self.awaits_answer() {
            self.show_quotes();
            self.participants.wake();
        }
    }

    fn stopped(&self, reason: String) -> EngineStopped {
        EngineStopped { sequence: self.sequence, reason }
    }

    /// The events of the last record, in order.
    pub fn events(&self) -> &[Slot] {
        self.events.slots()
    }

    pub fn fee_question(&self) -> Option<&FeeQuestion> {
        self.fee_question.as_ref()
    }

    /// The level that waits to be shared by a matching policy outside the kernel, and its instrument.
    pub fn allocation_question(&self) -> Option<(u32, &LevelQuestion)> {
        match self.venues.get(usize::from(self.asking_venue?))? {
            AnyVenue::Matching(venue) => venue.allocation_question(),
            _ => None,
        }
    }

    /// Whether nothing but the answer of a model outside the kernel may come next.
    pub fn awaits_answer(&self) -> bool {
        self.fee_question.is_some() || self.asking_venue.is_some()
    }

    /// What waits for such an answer, and the answer's message.
    fn awaited(&self) -> Option<(&'static str, Message)> {
        if self.fee_question.is_some() {
            return Some(("a fill", Message::FeeAssessed));
        }
        self.asking_venue.map(|_| ("a match", Message::AllocationAssessed))
    }

    /// Requests to remote venues whose cause is at most `durable_sequence`, oldest first; they are handed out once.
    pub fn take_outbox(&mut self, durable_sequence: u64) -> Vec<OutboxEntry> {
        let ready = self.outbox.iter().take_while(|entry| entry.cause_sequence <= durable_sequence).count();
        self.outbox.drain(..ready).collect()
    }

    pub fn take_awake(&mut self, out: &mut Vec<Slot>) -> Option<u16> {
        self.participants.take_awake(out)
    }

    /// Takes the place and time of a record that is not applied.
    pub(crate) fn pass_over(&mut self, sequence: u64, time: u64) {
        (self.sequence, self.time) = (sequence, time);
        self.events.begin(sequence, time);
    }

    /// A participant has had its first wake-up: it is not started a second time.
    pub fn note_start(&mut self, participant: u16) {
        if let Some(participant) = self.participants.get_mut(participant) {
            participant.is_started = true;
        }
    }

    /// Has every report pulled, as if no venue were ever idle: the same events and the same state, slower.
    #[doc(hidden)]
    pub fn pull_always(&mut self) {
        self.always_pulls = true;
    }

    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    pub fn time(&self) -> u64 {
        self.time
    }

    pub fn shard(&self) -> u8 {
        self.shard
    }

    pub fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    pub fn shared_instruments(&self) -> &Arc<Instruments> {
        &self.instruments
    }

    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    pub fn portfolio(&self) -> &Portfolio {
        &self.portfolio
    }

    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    pub fn fees(&self) -> &FeeSchedules {
        &self.fees
    }

    pub fn participants(&self) -> &Participants {
        &self.participants
    }

    pub fn risk(&self) -> &RiskGate {
        &self.risk
    }

    pub fn venues(&self) -> &[AnyVenue] {
        &self.venues
    }

    /// Publishes the books of our own venues on `board` from now on.
    pub fn publish_depth(&mut self, board: &DepthBoard) {
        for venue in &mut self.venues {
            if let AnyVenue::Matching(venue) = venue {
                venue.publish_on(board);
            }
        }
    }

    /// Instruments that do not trade now; 0 stands for all.
    pub fn halted(&self) -> impl Iterator<Item = u32> + '_ {
        self.halted.iter().copied()
    }

    /// All names of one kind, by number.
    pub fn names(&self, kind: administration::NameKind) -> impl Iterator<Item = (u32, &str)> {
        let first = (kind as u8, 0);
        let last = (kind as u8, u32::MAX);
        self.names.range(first..=last).map(|((_, id), name)| (*id, name.as_str()))
    }

    pub fn name(&self, kind: administration::NameKind, id: u32) -> Option<&str> {
        self.names.get(&(kind as u8, id)).map(String::as_str)
    }
}

pub use administration::NameKind;

/// Half way between bid and offer, where there are both.
fn middle(quote: &QuoteObserved, negative_prices: bool) -> Option<i64> {
    let price = |side| quote.best(side, negative_prices).map(|(price, _)| i128::from(price));
    let (bid, ask) = price(Side::Buy).zip(price(Side::Sell))?;
    i64::try_from(bid + (ask - bid) / 2).ok()
}

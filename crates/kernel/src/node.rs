//! The only loop: take an input, stamp it, write it to the journal, apply it, release what is durable.
//!
//! [`Node::poll`] is called by whoever drives it: a backtest calls it inline, a live runtime from its node
//! thread. It returns when a participant has to be shown something, when a fill waits for the fee of an
//! outside model, when the budget is used up, or when there is nothing to do.

mod answers;
mod describe;
mod gate;
mod saved;

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

use crate::command::CausePayload;
use crate::engine::{Engine, EngineStopped, FeeQuestion, OutboxEntry};
use crate::hash::fold;
use crate::journal::{Content, JournalError, JournalWriter};
use crate::message::{Message, MessageKind};
use crate::observation::{ClockAdvanced, RunEnded};
use crate::record::{RecordBuffer, RecordError, Slot, flags, split_first, stamp};
use crate::venue::matching::DepthBoard;
pub use answers::liquidity_of;
pub use describe::{describe, panic_text};
use gate::OutputGate;

/// Sequences from one state hash to the next.
pub const STATE_HASH_INTERVAL: u64 = 1024;

/// Slots after which the batch buffer is committed even though more input waits.
const COMMIT_SLOTS: usize = 4096;

/// Where the node writes what it was told. The journal is one; `None` keeps nothing.
pub trait RecordSink: Debug + Send {
    /// Takes one sequenced record into the current batch. `input` is the source it was read from, by which a
    /// journal that holds data by reference names it; `None` for commands and for data of unknown origin.
    ///
    /// # Errors
    /// [`JournalError`]; the sink must not be used after one.
    fn append(&mut self, record: &[Slot], input: Option<u16>) -> Result<(), JournalError>;

    /// Ends the batch and returns the sequence up to which everything is durable by now; a sink with a thread of
    /// its own does not wait for this batch.
    ///
    /// # Errors
    /// [`JournalError`]; nothing of the batch counts as durable.
    fn commit(&mut self, state_hash: Option<(u64, u128)>, output_hash: u128) -> Result<u64, JournalError>;

    /// The sequence up to which everything is durable by now.
    ///
    /// # Errors
    /// [`JournalError`] when the sink has failed since.
    fn durable_sequence(&mut self) -> Result<u64, JournalError>;

    /// Commits and ends the record: nothing comes after it.
    ///
    /// # Errors
    /// As [`RecordSink::commit`].
    fn close(
        self: Box<Self>,
        state_hash: Option<(u64, u128)>,
        output_hash: u128,
    ) -> Result<u64, JournalError>;
}

impl RecordSink for JournalWriter {
    fn append(&mut self, record: &[Slot], input: Option<u16>) -> Result<(), JournalError> {
        let head = &record[0];
        match input.filter(|_| self.settings().content == Content::ByReference) {
            Some(input) => self.append_reference(input, 1, head.sequence, head.time),
            None => JournalWriter::append(self, record),
        }
    }

    fn commit(&mut self, state_hash: Option<(u64, u128)>, output_hash: u128) -> Result<u64, JournalError> {
        JournalWriter::commit(self, state_hash, output_hash)
    }

    fn durable_sequence(&mut self) -> Result<u64, JournalError> {
        Ok(JournalWriter::durable_sequence(self))
    }

    fn close(
        self: Box<Self>,
        state_hash: Option<(u64, u128)>,
        output_hash: u128,
    ) -> Result<u64, JournalError> {
        JournalWriter::close(*self, state_hash, output_hash)
    }
}

/// Why a node stopped. Every later call fails with the first reason.
#[derive(Debug, Error)]
pub enum NodeError {
    #[error("{stopped}; the record is {record}")]
    Stopped { stopped: EngineStopped, record: String },
    #[error("the engine panicked at sequence {sequence}: {reason}; the record is {record}")]
    Panicked { sequence: u64, reason: String, record: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("input slot {at}: {source}")]
    Record { at: usize, source: RecordError },
    #[error("input slot {at}: time {found} comes after time {expected}; inputs must be in time order")]
    TimeOrder { at: usize, expected: u64, found: u64 },
    #[error(
        "input slot {at}: {found} is neither an observation nor an order of an account that nobody here trades for; \
         commands enter through `Node::command`"
    )]
    NotAnObservation { at: usize, found: &'static str },
    #[error("replay expected sequence {expected} and the journal holds {found}")]
    SequenceGap { expected: u64, found: u64 },
    #[error(transparent)]
    Divergence(#[from] Divergence),
    #[error("the node has stopped: {reason}")]
    Poisoned { reason: String },
}

/// A participant that ran again did not send what it had sent the first time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "participant {participant} diverged at sequence {sequence}: the journal has {journaled}, this run sent {sent}"
)]
pub struct Divergence {
    pub sequence: u64,
    pub participant: u16,
    pub journaled: String,
    pub sent: String,
}

/// Inputs to be sequenced, or a journal's records to be replayed.
#[derive(Debug)]
pub struct Input<'a> {
    slots: &'a [Slot],
    at: usize,
    /// Up to here the engine has looked ahead.
    seen: usize,
    source: Option<u16>,
}

impl<'a> Input<'a> {
    /// `source` numbers the file or feed the slots come from.
    pub fn new(slots: &'a [Slot], source: Option<u16>) -> Self {
        Input { slots, at: 0, seen: 0, source }
    }

    pub const NONE: Input<'static> = Input { slots: &[], at: 0, seen: 0, source: None };

    /// Goes on from slot `at`, where an earlier poll stopped.
    pub fn resume(slots: &'a [Slot], at: usize, source: Option<u16>) -> Self {
        Input { slots, at, seen: at, source }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Result<Option<&'a [Slot]>, NodeError> {
        if self.at >= self.slots.len() {
            return Ok(None);
        }
        let (record, _) = split_first(&self.slots[self.at..])
            .map_err(|source| NodeError::Record { at: self.at, source })?;
        Ok(Some(record))
    }
}

/// Why `poll` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// All input is used up and nothing waits.
    Idle,
    /// The budget is used up; call again.
    Budget,
    /// This participant has news: see [`Node::news`].
    Wake(u16),
    /// A fill waits for [`Node::answer_fee`].
    Fee(FeeQuestion),
    /// A level waits for [`Node::answer_allocation`].
    Allocation,
}

/// What a node does with participants' commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sequences them.
    Run,
    /// Takes them from the journal; participants are not called.
    Replay,
    /// Takes them from the journal; participants run again and must send the same.
    Rerun,
}

/// Account figures at one moment, for equity curves. Amounts in 10^-9 of the account's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Valuation {
    pub time: u64,
    pub account: u32,
    pub cash: i128,
    pub equity: i128,
    pub gross_exposure: i128,
    pub net_exposure: i128,
}

#[derive(Debug)]
pub struct Node {
    engine: Engine,
    sink: Option<Box<dyn RecordSink>>,
    mode: Mode,
    /// Commands that wait to be sequenced, first in first out.
    commands: VecDeque<RecordBuffer>,
    /// In a rerun: what each participant sent and the journal has not shown yet, with its place among all that was
    /// sent.
    resent: Vec<VecDeque<(u64, RecordBuffer)>>,
    sent: u64,
    /// Sequences whose records a replay does not apply.
    passed_over: BTreeSet<u64>,
    hashes_state: bool,
    sequence: u64,
    time: u64,
    durable_sequence: u64,
    uncommitted_slots: usize,
    output_hash: u128,
    state_hash: Option<(u64, u128)>,
    output: OutputGate,
    news: Vec<Slot>,
    command_index: u32,
    /// The last record left an update unfinished: nothing else comes in between while its rest is at hand.
    is_inside_update: bool,
    valuation_interval_ns: Option<u64>,
    next_valuation: u64,
    /// An update is complete and its fills are not all booked yet.
    valuation_is_due: bool,
    valuations: Vec<Valuation>,
    failure: Option<String>,
}

impl Node {
    pub fn new(shard: u8, mode: Mode, sink: Option<Box<dyn RecordSink>>) -> Self {
        Self::from_engine(Engine::new(shard), mode, sink)
    }

    /// Goes on from a restored engine.
    pub fn from_engine(engine: Engine, mode: Mode, sink: Option<Box<dyn RecordSink>>) -> Self {
        Node {
            sequence: engine.sequence(),
            time: engine.time(),
            durable_sequence: engine.sequence(),
            engine,
            sink,
            mode,
            commands: VecDeque::new(),
            resent: Vec::new(),
            sent: 0,
            passed_over: BTreeSet::new(),
            hashes_state: true,
            uncommitted_slots: 0,
            output_hash: 0,
            state_hash: None,
            output: OutputGate::default(),
            news: Vec::new(),
            command_index: 0,
            is_inside_update: false,
            valuation_interval_ns: None,
            next_valuation: 0,
            valuation_is_due: false,
            valuations: Vec::new(),
            failure: None,
        }
    }

    /// Values every account at complete updates, at most once per `interval_ns`.
    pub fn value_accounts_every(&mut self, interval_ns: u64) {
        self.valuation_interval_ns = Some(interval_ns);
    }

    /// Queues a command from outside the event stream (set-up, a person, a gateway).
    pub fn command(&mut self, record: RecordBuffer) {
        self.commands.push_back(record);
    }

    /// Queues a command of a participant, marked with the event that made it send it. In a rerun it is
    /// compared with the journal's instead.
    pub fn participant_command(&mut self, participant: u16, mut record: RecordBuffer) {
        record.head_mut().source = participant;
        record.push(CausePayload {
            cause_sequence: self.sequence,
            cause_index: 0,
            command_index: self.command_index,
            reserved: [0; 3],
        });
        self.command_index += 1;
        match self.mode {
            Mode::Run => self.commands.push_back(record),
            Mode::Replay => {}
            Mode::Rerun => {
                self.resend(usize::from(participant), record);
            }
        }
    }

    fn resend(&mut self, index: usize, record: RecordBuffer) {
        if self.resent.len() <= index {
            self.resent.resize_with(index + 1, VecDeque::new);
        }
        self.sent += 1;
        self.resent[index].push_back((self.sent, record));
    }

    /// Runs until something outside is needed; at most `budget` records.
    ///
    /// # Errors
    /// [`NodeError`]; the node is of no use after one.
    pub fn poll(&mut self, input: &mut Input<'_>, budget: usize) -> Result<Poll, NodeError> {
        self.guard(|node| match catch_unwind(AssertUnwindSafe(|| node.poll_until(input, budget))) {
            Ok(polled) => polled,
            Err(panic) => Err(node.panicked(input, &panic_text(&*panic))),
        })
    }

    /// A panic while a record was applied, named as a broken invariant is: it comes again with every replay.
    fn panicked(&self, input: &Input<'_>, panic: &str) -> NodeError {
        let record = input.peek().ok().flatten().filter(|record| record[0].sequence == self.sequence);
        let record = record.map_or_else(|| "none of the input".to_owned(), describe);
        NodeError::Panicked { sequence: self.sequence, reason: panic.to_owned(), record }
    }

    /// Whether the node still works.
    ///
    /// # Errors
    /// [`NodeError::Poisoned`] with the reason it stopped for.
    pub fn check(&self) -> Result<(), NodeError> {
        match &self.failure {
            Some(reason) => Err(NodeError::Poisoned { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Lets a working node `act`. The first error poisons it: what it had not released yet never leaves.
    fn guard<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, NodeError>) -> Result<T, NodeError> {
        self.check()?;
        let acted = act(self);
        if let Err(error) = &acted {
            self.failure = Some(error.to_string());
            self.output.clear();
            self.valuations.clear();
            self.news.clear();
        }
        acted
    }

    fn poll_until(&mut self, input: &mut Input<'_>, budget: usize) -> Result<Poll, NodeError> {
        for _ in 0..budget {
            if let Some(poll) = self.needs_outside() {
                return Ok(poll);
            }
            if !self.step(input)? {
                self.commit_batch()?;
                return Ok(Poll::Idle);
            }
        }
        Ok(self.needs_outside().unwrap_or(Poll::Budget))
    }

    /// A model to ask or a participant to wake. In a plain replay both were answered in the journal. The model
    /// comes first: nobody is shown an update while something in it waits.
    fn needs_outside(&mut self) -> Option<Poll> {
        if self.engine.awaits_answer() {
            if self.mode == Mode::Replay || self.is_answered() {
                return None;
            }
            return Some(
                self.engine.fee_question().map_or(Poll::Allocation, |question| Poll::Fee(*question)),
            );
        }
        while let Some(participant) = self.engine.take_awake(&mut self.news) {
            if self.mode == Mode::Replay {
                self.engine.note_start(participant);
            } else {
                self.command_index = 0;
                return Some(Poll::Wake(participant));
            }
        }
        None
    }

    fn is_answered(&self) -> bool {
        let waiting = match self.mode {
            Mode::Run => self.commands.front(),
            _ => self.resent.first().and_then(VecDeque::front).map(|(_, record)| record),
        };
        waiting.is_some_and(answers::is_answer)
    }

    /// Sequences or replays one record. False when there is none.
    fn step(&mut self, input: &mut Input<'_>) -> Result<bool, NodeError> {
        if self.mode != Mode::Run {
            return self.step_replay(input);
        }
        let next = input.peek()?;
        let is_interrupted = next.is_some() && self.is_inside_update && !self.engine.awaits_answer();
        if !is_interrupted && let Some(mut record) = self.commands.pop_front() {
            self.sequence_record(record.slots_mut(), self.time, None)?;
            return Ok(true);
        }
        let Some(record) = next else { return Ok(false) };
        let head = &record[0];
        if head.time < self.time {
            return Err(NodeError::TimeOrder { at: input.at, expected: self.time, found: head.time });
        }
        let due = self.engine.next_due().filter(|due| *due <= head.time && !is_interrupted);
        if let Some(due) = due {
            self.advance_to(due)?;
            return Ok(true);
        }
        self.check_input(head, input.at)?;
        let mut copy = [Slot::ZERO; crate::record::MAX_SLOTS];
        let copy = &mut copy[..record.len()];
        copy.copy_from_slice(record);
        self.sequence_record(copy, head.time, input.source)?;
        input.at += record.len();
        Ok(true)
    }

    /// Data tells what happened: observations, and the orders of a market's history, whose account nobody here trades for.
    fn check_input(&self, head: &Slot, at: usize) -> Result<(), NodeError> {
        let message = Message::from_number(head.message);
        let is_order =
            matches!(message, Some(Message::SubmitOrder | Message::ReplaceOrder | Message::CancelOrder));
        let is_foreign =
            || self.engine.participants().iter().all(|participant| participant.account != head.account);
        if message.is_some_and(|message| message.kind() == MessageKind::Observation)
            || (is_order && head.source == 0 && is_foreign())
        {
            return Ok(());
        }
        Err(NodeError::NotAnObservation { at, found: message.map_or("unknown", Message::name) })
    }

    /// Takes time to `time` without other news: due timers and venues fire. Nothing happens before them.
    ///
    /// # Errors
    /// As [`Node::poll`].
    pub fn advance_clock(&mut self, time: u64) -> Result<(), NodeError> {
        self.guard(|node| node.advance_to(time))
    }

    fn advance_to(&mut self, time: u64) -> Result<(), NodeError> {
        let time = time.max(self.time);
        let mut record = RecordBuffer::new(ClockAdvanced { reserved: [0; 4] });
        self.sequence_record(record.slots_mut(), time, None)
    }

    /// Gives a command or an observation that happens now its place, and applies it after everything that is due
    /// by then. A `time` before the last record's counts as that one's.
    ///
    /// # Errors
    /// As [`Node::poll`].
    pub fn submit(&mut self, record: &mut [Slot], time: u64) -> Result<(), NodeError> {
        self.guard(|node| {
            node.fire_due(time)?;
            node.sequence_record(record, time.max(node.time), None)
        })
    }

    /// Fires everything that is due by `time`, in time order. Without anything due nothing is sequenced.
    ///
    /// # Errors
    /// As [`Node::poll`].
    pub fn fire_due_until(&mut self, time: u64) -> Result<(), NodeError> {
        self.guard(|node| node.fire_due(time))
    }

    fn fire_due(&mut self, time: u64) -> Result<(), NodeError> {
        while let Some(due) = self.engine.next_due().filter(|due| *due <= time) {
            self.advance_to(due)?;
        }
        Ok(())
    }

    fn sequence_record(
        &mut self,
        record: &mut [Slot],
        time: u64,
        input: Option<u16>,
    ) -> Result<(), NodeError> {
        stamp(record, self.sequence + 1, time);
        self.apply(record, input)
    }

    fn apply(&mut self, record: &[Slot], input: Option<u16>) -> Result<(), NodeError> {
        let head = record[0];
        (self.sequence, self.time) = (head.sequence, head.time);
        if let Some(sink) = &mut self.sink {
            sink.append(record, input)?;
            self.uncommitted_slots += record.len();
        }
        if let Err(stopped) = crate::sabotage::apply(&mut self.engine, record) {
            return Err(self.stopped_by(stopped, record));
        }
        self.is_inside_update = is_partial(&head);
        let events = self.engine.events();
        if !events.is_empty() {
            self.output_hash = fold(self.output_hash, zerocopy::IntoBytes::as_bytes(events));
            self.output.extend(events);
        }
        self.valuation_is_due |= head.has(flags::LAST_OF_MESSAGE);
        if self.valuation_is_due && !self.engine.awaits_answer() {
            self.valuation_is_due = false;
            self.value_accounts_at(head.time);
        }
        if self.mode != Mode::Run {
            // They left when the journal was written. What was not answered since is asked about, never sent again.
            self.engine.take_outbox(u64::MAX);
        }
        if self.hashes_state && self.sequence.is_multiple_of(STATE_HASH_INTERVAL) {
            self.state_hash = Some((self.sequence, self.engine.state_hash()));
        }
        if self.uncommitted_slots >= COMMIT_SLOTS { self.commit_batch() } else { Ok(()) }
    }

    /// The record stays in the journal: a restart stops at it again and says so, until a person has it skipped.
    fn stopped_by(&mut self, stopped: EngineStopped, record: &[Slot]) -> NodeError {
        match self.commit_batch() {
            Ok(()) => NodeError::Stopped { stopped, record: describe(record) },
            Err(found) => found,
        }
    }

    /// Commits what was sequenced although the node is not to be trusted any more (it panicked): a restart must meet
    /// the same record. Nothing is released.
    ///
    /// # Errors
    /// A journal that failed.
    pub fn commit_after_panic(&mut self, reason: &str) -> Result<(), NodeError> {
        self.failure.get_or_insert_with(|| reason.to_owned());
        self.output.clear();
        self.commit_batch()
    }

    /// Makes what was sequenced durable and opens the output gate up to there.
    ///
    /// # Errors
    /// A journal that failed.
    pub fn commit(&mut self) -> Result<(), NodeError> {
        self.guard(Self::commit_batch)
    }

    fn commit_batch(&mut self) -> Result<(), NodeError> {
        self.durable_sequence = match &mut self.sink {
            Some(sink) if self.uncommitted_slots > 0 => sink.commit(self.state_hash, self.output_hash)?,
            Some(_) => self.durable_sequence,
            None => self.sequence,
        };
        self.uncommitted_slots = 0;
        Ok(())
    }

    /// Opens the gate up to what has become durable since the last commit.
    ///
    /// # Errors
    /// A journal that failed.
    pub fn open_gate(&mut self) -> Result<(), NodeError> {
        self.guard(|node| {
            if let Some(sink) = &mut node.sink {
                node.durable_sequence = sink.durable_sequence()?;
            }
            Ok(())
        })
    }

    /// Goes on live from what was replayed: from now on records are sequenced and written to `sink`. What the
    /// replay derived left when it was written, so it is forgotten.
    pub fn go_live(&mut self, sink: Box<dyn RecordSink>) {
        self.go_on();
        self.sink = Some(sink);
        self.durable_sequence = self.sequence;
        self.uncommitted_slots = 0;
        self.output.clear();
    }

    /// Commits, and ends the journal on purpose: what is missing from it later was lost.
    ///
    /// # Errors
    /// A journal that failed.
    pub fn close(&mut self) -> Result<(), NodeError> {
        self.guard(|node| {
            let state_hash = Some((node.sequence, node.engine.state_hash()));
            if let Some(sink) = node.sink.take() {
                node.durable_sequence = sink.close(state_hash, node.output_hash)?;
                node.uncommitted_slots = 0;
            }
            Ok(())
        })
    }

    /// Tells the engine that the data ended: open orders are canceled, and market orders sent from now on fill
    /// at the last price.
    ///
    /// # Errors
    /// As [`Node::poll`].
    pub fn end_run(&mut self) -> Result<(), NodeError> {
        let mut record = RecordBuffer::new(RunEnded { reserved: [0; 4] });
        self.guard(|node| node.sequence_record(record.slots_mut(), node.time, None))
    }

    fn step_replay(&mut self, input: &mut Input<'_>) -> Result<bool, NodeError> {
        let Some(record) = input.peek()? else { return Ok(false) };
        if input.at >= input.seen {
            input.seen = input.at + self.engine.look_ahead(&input.slots[input.at..]);
        }
        let head = &record[0];
        if head.sequence != self.sequence + 1 {
            return Err(NodeError::SequenceGap { expected: self.sequence + 1, found: head.sequence });
        }
        if self.mode == Mode::Rerun {
            self.compare_with_journal(record)?;
        }
        if self.passed_over.contains(&head.sequence) {
            self.engine.pass_over(head.sequence, head.time);
            (self.sequence, self.time) = (head.sequence, head.time);
        } else {
            self.apply(record, input.source)?;
        }
        input.at += record.len();
        Ok(true)
    }

    /// In a rerun every record of a participant must have been sent again, and nothing else may have been.
    fn compare_with_journal(&mut self, record: &[Slot]) -> Result<(), NodeError> {
        let head = &record[0];
        let message = Message::from_number(head.message);
        let is_answer = message.is_some_and(answers::is_of_model);
        let is_command = message.is_some_and(|message| message.kind() == MessageKind::Command);
        let is_sent =
            is_answer || (is_command && head.source != 0 && message != Some(Message::RegisterParticipant));
        let index = if is_answer { 0 } else { usize::from(head.source) };
        if is_sent {
            let sent = self.resent.get_mut(index).and_then(VecDeque::pop_front).map(|(_, record)| record);
            let is_same = sent.as_ref().is_some_and(|sent| same_command(sent.slots(), record));
            return if is_same { Ok(()) } else { Err(diverged(head, sent.as_ref(), Some(record)).into()) };
        }
        let extra =
            self.resent.iter().enumerate().find_map(|(id, queue)| queue.front().map(|(_, sent)| (id, sent)));
        match extra {
            Some((participant, sent)) if !is_command => {
                let head = Slot { source: participant as u16, ..*head };
                Err(diverged(&head, Some(sent), None).into())
            }
            _ => Ok(()),
        }
    }

    fn value_accounts_at(&mut self, time: u64) {
        let Some(interval_ns) = self.valuation_interval_ns else { return };
        if time >= self.next_valuation {
            self.next_valuation = time.saturating_add(interval_ns);
            self.value_accounts();
        }
    }

    /// Values every account now, whatever the interval. An account that holds something without a price is
    /// left out: its worth is not known.
    pub fn value_accounts(&mut self) {
        let engine = &self.engine;
        for account in engine.portfolio().accounts() {
            let figures = account.valuation(engine.instruments(), engine.marks(), None);
            self.valuations.extend(figures.map(|figures| Valuation {
                time: self.time,
                account: account.id,
                cash: account.cash_in(account.currency),
                equity: figures.equity,
                gross_exposure: figures.gross,
                net_exposure: figures.net,
            }));
        }
    }

    /// What the participant that was woken is shown, in order.
    pub fn news(&self) -> &[Slot] {
        &self.news
    }

    /// Moves the news out, so that participants can be called while the node is free; give them back with
    /// [`Node::return_news`] to keep the memory.
    pub fn take_news(&mut self) -> Vec<Slot> {
        std::mem::take(&mut self.news)
    }

    pub fn return_news(&mut self, news: Vec<Slot>) {
        self.news = news;
    }

    /// Moves out the events whose cause is durable, oldest first.
    pub fn take_output(&mut self) -> Vec<Slot> {
        self.output.take(self.durable_sequence)
    }

    /// Whole events whose cause is durable, oldest first; they stay until [`Node::let_go`].
    pub fn released(&self) -> &[Slot] {
        self.output.released(self.durable_sequence)
    }

    /// The first `slots` of the released events have left.
    pub fn let_go(&mut self, slots: usize) {
        self.output.let_go(slots);
    }

    /// Slots of events that have not left yet, durable or not.
    pub fn held_slots(&self) -> usize {
        self.output.held()
    }

    /// Requests to remote venues whose cause is durable.
    pub fn take_outbox(&mut self) -> Vec<OutboxEntry> {
        if self.failure.is_some() {
            return Vec::new();
        }
        self.engine.take_outbox(self.durable_sequence)
    }

    pub fn take_valuations(&mut self) -> Vec<Valuation> {
        std::mem::take(&mut self.valuations)
    }

    /// Publishes the books of our own venues on `board` from now on; see [`Engine::publish_depth`].
    pub fn publish_depth(&mut self, board: &DepthBoard) {
        self.engine.publish_depth(board);
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The state hash now, not only at the last checkpoint.
    pub fn state_hash(&mut self) -> u128 {
        self.engine.state_hash()
    }

    pub fn output_hash(&self) -> u128 {
        self.output_hash
    }

    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    pub fn durable_sequence(&self) -> u64 {
        self.durable_sequence
    }

    pub fn time(&self) -> u64 {
        self.time
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn has_queued_commands(&self) -> bool {
        !self.commands.is_empty()
    }
}

/// Whether the record is market data that a later record completes.
fn is_partial(head: &Slot) -> bool {
    use Message::{BarObserved, BookLevelObserved, QuoteObserved, TradeObserved};
    let feed = [BarObserved, QuoteObserved, TradeObserved, BookLevelObserved];
    !head.has(flags::LAST_OF_MESSAGE) && feed.iter().any(|message| *message as u16 == head.message)
}

/// Whether two commands are the same but for the place they were given.
fn same_command(sent: &[Slot], journaled: &[Slot]) -> bool {
    sent.len() == journaled.len()
        && sent.iter().zip(journaled).all(|(sent, journaled)| {
            Slot { sequence: journaled.sequence, time: journaled.time, ..*sent } == *journaled
        })
}

fn diverged(head: &Slot, sent: Option<&RecordBuffer>, journaled: Option<&[Slot]>) -> Divergence {
    Divergence {
        sequence: head.sequence,
        participant: head.source,
        journaled: journaled.map_or_else(|| "no command".to_owned(), describe),
        sent: sent.map_or_else(|| "no command".to_owned(), |sent| describe(sent.slots())),
    }
}

//! The loop of the node thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::journal::JournalError;
use crate::node::{Node, NodeError, describe, panic_text};
use crate::record::{MAX_SLOTS, Slot, split_first};
use crate::ring::{Consumer, Gauge, Producer, Signal};

use super::admission::{passes_without_room, refusal_without_room};
use super::affinity::run_on;
use super::health::{Failure, Vitals};
use super::inline_snapshots::ImageTaker;
use super::journal_thread::{INTAKE_ROOM, JournalLink};
use super::outlet::{Doorbell, Leftover, Stamp};
use super::stamp_clock::StampClock;

/// Slots taken in at once: they get one time and, when nothing else comes, are one batch.
const INTAKE_SLOTS: usize = 1024;
/// The clock is looked at this often when nothing happens.
const LONGEST_REST_NS: u64 = 1_000_000_000;

pub(super) struct NodeThread {
    pub node: Node,
    pub clock: StampClock,
    pub ingress: Consumer,
    pub egress: Producer,
    pub journal: Arc<JournalLink>,
    pub journal_fill: Gauge,
    pub signal: Arc<Signal>,
    pub doorbell: Arc<Doorbell>,
    pub vitals: Arc<Vitals>,
    pub leftover: Arc<Leftover>,
    /// Nothing is taken in while so many slots wait to leave.
    pub most_held: usize,
    pub spins: u32,
    /// Where it runs, if somebody has chosen.
    pub processor: Option<usize>,
    /// Taken in; `at` is the next to be sequenced.
    pub intake: Vec<Slot>,
    pub at: usize,
    /// Answers given at the door, not yet in the egress ring.
    pub answers: Vec<Slot>,
    /// Where the node saves its own state.
    pub images: Option<ImageTaker>,
}

impl NodeThread {
    pub fn run(mut self) {
        if let Some(processor) = self.processor {
            run_on(processor);
        }
        self.signal.attend();
        let ended = catch_unwind(AssertUnwindSafe(|| self.work_until_stopped()));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.vitals.fail(kind_of(&error), error.to_string()),
            Err(panic) => self.poison(&panic_text(&*panic)),
        }
        let NodeThread { node, vitals, doorbell, .. } = self;
        // The journal thread ends with the node; only then is the lock of the directory free again.
        drop(node);
        vitals.has_stopped.store(true, Ordering::Release);
        doorbell.ring();
    }

    /// The record that made the engine panic is journaled like one that stopped it: a restart must meet it again.
    fn poison(&mut self, panic: &str) {
        let record = self.intake.get(self.at..).and_then(|rest| split_first(rest).ok());
        let record = record.map_or_else(|| "none of a client".to_owned(), |(record, _)| describe(record));
        let sequence = self.node.sequence();
        let reason = format!("the engine panicked at sequence {sequence}: {panic}; the record is {record}");
        self.vitals.fail(Failure::Engine, reason.clone());
        // A journal that fails now too changes nothing: the first reason stays.
        let _ = self.node.commit_after_panic(&reason);
    }

    fn work_until_stopped(&mut self) -> Result<(), NodeError> {
        loop {
            let time = self.read_clock();
            let taken = self.take_in(time)?;
            if !self.is_cancel_only() {
                // Else they wait: firing them would use up the reserve, and nothing can trade meanwhile.
                self.node.fire_due_until(time)?;
            }
            if let Some(images) = &mut self.images
                && images.take_when_due(&mut self.node, time)
            {
                self.journal.look_at_image();
            }
            self.node.commit()?;
            self.node.open_gate()?;
            let released = self.release();
            self.publish_vitals();
            if taken || released {
                continue;
            }
            if self.is_stopping() {
                if self.is_drained() {
                    return self.finish();
                }
                if let Some(shortage) = self.journal.stuck() {
                    return Err(shortage.into());
                }
            }
            self.rest(time);
        }
    }

    fn read_clock(&mut self) -> u64 {
        if self.vitals.accepts_clock.swap(false, Ordering::AcqRel) {
            self.clock.accept();
        }
        self.clock.now()
    }

    /// Sequences what has come in. Nothing is while so much waits to leave that the egress ring would not hold it: a
    /// reader that is slow slows the clients down and loses nothing.
    fn take_in(&mut self, time: u64) -> Result<bool, NodeError> {
        if self.at == self.intake.len() {
            self.intake.clear();
            self.at = 0;
            self.ingress.take(&mut self.intake, INTAKE_SLOTS);
        }
        let before = self.at;
        let is_cancel_only = self.is_cancel_only();
        let mut seen = self.at;
        let time = if is_cancel_only { self.before_timers(time) } else { time };
        while self.has_appetite()
            && let Ok((record, _)) = split_first(&self.intake[self.at..])
        {
            let slots = record.len();
            if self.at >= seen {
                seen = self.at + self.node.engine().look_ahead(&self.intake[self.at..]);
            }
            if is_cancel_only && !passes_without_room(&record[0]) {
                self.answers.extend_from_slice(refusal_without_room(&record[0], time).slots());
            } else {
                self.node.submit(&mut self.intake[self.at..self.at + slots], time)?;
                if let Some(images) = &mut self.images {
                    images.count(slots);
                }
            }
            self.at += slots;
        }
        Ok(self.at > before)
    }

    /// While there is no room, time stands still before the next timer: it fires before any record of its time or later,
    /// as always, and what is left of the reserve is for cancels. A million orders may expire at one moment.
    fn before_timers(&self, time: u64) -> u64 {
        let due = self.node.engine().next_due();
        due.map_or(time, |due| time.min(due.saturating_sub(1)))
    }

    fn has_appetite(&self) -> bool {
        let has_reader = self.answers.len() + self.node.held_slots() < self.most_held;
        (has_reader || self.is_stopping()) && has_room(&self.journal_fill)
    }

    fn is_cancel_only(&self) -> bool {
        self.journal.reserve_left().is_some()
    }

    fn is_stopping(&self) -> bool {
        self.vitals.is_stopping.load(Ordering::Acquire)
    }

    /// Moves events whose cause is durable, and answers given at the door, into the egress ring: whole ones, as many
    /// as fit.
    fn release(&mut self) -> bool {
        let stamp = Stamp::new(self.journal.durability);
        let answered = push_whole(&mut self.egress, &self.answers, stamp);
        self.answers.drain(..answered);
        let released = push_whole(&mut self.egress, self.node.released(), stamp);
        self.node.let_go(released);
        let moved = answered + released > 0;
        if moved {
            self.egress.publish();
            self.doorbell.notify();
        }
        moved
    }

    pub fn publish_vitals(&self) {
        let set = |figure: &std::sync::atomic::AtomicU64, value| figure.store(value, Ordering::Relaxed);
        set(&self.vitals.sequence, self.node.sequence());
        set(&self.vitals.held_slots, (self.node.held_slots() + self.answers.len()) as u64);
        set(&self.vitals.time, self.node.time());
        self.vitals.clock_offset_ns.store(self.clock.offset_ns().unwrap_or(0), Ordering::Relaxed);
    }

    /// Everything taken has been applied and is durable.
    fn is_drained(&mut self) -> bool {
        self.at == self.intake.len()
            && self.ingress.available() == 0
            && self.node.durable_sequence() == self.node.sequence()
    }

    /// Sleeps until there is something to do.
    fn rest(&mut self, time: u64) {
        let due = self.node.engine().next_due().filter(|_| !self.is_cancel_only());
        let due = due.map(|due| due.saturating_sub(time));
        let longest = due.unwrap_or(LONGEST_REST_NS).min(LONGEST_REST_NS);
        let has_reader = self.answers.len() + self.node.held_slots() < self.most_held;
        let has_intake = self.at < self.intake.len();
        let waits_for_room = !self.answers.is_empty() || !self.node.released().is_empty();
        let durable = self.node.durable_sequence();
        let was_stopping = self.is_stopping();
        let was_cancel_only = self.is_cancel_only();
        let was_stuck = self.journal.stuck().is_some();
        let NodeThread { ingress, egress, journal, journal_fill, vitals, signal, spins, .. } = self;
        signal.wait(*spins, Some(longest), || {
            let has_appetite = (has_reader || was_stopping) && has_room(journal_fill);
            (has_appetite && (has_intake || ingress.available() > 0))
                || (waits_for_room && egress.free() >= MAX_SLOTS)
                || journal.durable_sequence() != durable
                || journal.failure().is_some()
                || journal.reserve_left().is_some() != was_cancel_only
                || (!was_stuck && was_stopping && journal.stuck().is_some())
                || vitals.is_stopping.load(Ordering::Acquire) != was_stopping
                || vitals.accepts_clock.load(Ordering::Acquire)
        });
    }

    /// Ends the journal on purpose. What the egress ring has no room for is left where the reader finds it.
    fn finish(&mut self) -> Result<(), NodeError> {
        let state_hash = self.node.state_hash();
        if let Some(images) = &mut self.images {
            images.take_last(&mut self.node);
        }
        self.node.close()?;
        let stamp = Stamp::new(self.journal.durability);
        let mut left = std::mem::take(&mut self.answers);
        left.extend_from_slice(self.node.released());
        self.leftover.leave(left, stamp);
        self.vitals.stopped_with(state_hash);
        Ok(())
    }
}

/// Whether the journal's ring takes what one intake may lead to.
fn has_room(journal: &Gauge) -> bool {
    journal.capacity() - journal.filled() >= INTAKE_ROOM
}

/// Pushes whole events, as many as fit, and says how many slots those had.
fn push_whole(egress: &mut Producer, events: &[Slot], stamp: Stamp) -> usize {
    let mut rest = events;
    while let Ok((event, after)) = split_first(rest) {
        if !egress.push_flagged(event, stamp.flags()) {
            break;
        }
        rest = after;
    }
    events.len() - rest.len()
}

fn kind_of(error: &NodeError) -> Failure {
    match error {
        NodeError::Journal(JournalError::Panicked { .. }) => Failure::Engine,
        NodeError::Journal(_) => Failure::Journal,
        _ => Failure::Engine,
    }
}

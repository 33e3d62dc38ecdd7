//! What of a node outlives its process, and how one goes on from it.

use std::collections::{BTreeSet, VecDeque};

use super::answers::is_answer;
use super::{Mode, Node};
use crate::engine::Engine;
use crate::snapshot::SnapshotError;
use crate::state::{State, StateError, StateReader, StateWriter};

impl Node {
    /// Appends everything a node must have to go on: the engine, and where the loop stands. Commands that wait to be
    /// sequenced are no part of it: whoever sent them sends them again.
    pub fn write_state(&self, out: &mut StateWriter) {
        out.bool(self.is_inside_update);
        out.bool(self.valuation_is_due);
        out.u64(self.next_valuation);
        out.u128(self.output_hash);
        self.engine.write(out);
    }

    /// Reads what [`Node::write_state`] wrote. The node has no journal.
    ///
    /// # Errors
    /// [`StateError`] when the bytes end early or name something impossible.
    pub fn read_state(input: &mut StateReader<'_>, mode: Mode) -> Result<Self, StateError> {
        let (is_inside_update, valuation_is_due) = (input.bool()?, input.bool()?);
        let (next_valuation, output_hash) = (input.u64()?, input.u128()?);
        let engine = Engine::read(input)?;
        let node = Node::from_engine(engine, mode, None);
        Ok(Node { is_inside_update, valuation_is_due, next_valuation, output_hash, ..node })
    }

    /// Whether the state after `sequence` can be saved now: nothing is half done that only memory knows.
    ///
    /// # Errors
    /// [`SnapshotError::NotNow`], saying why not.
    pub(crate) fn check_savable(&self, sequence: u64) -> Result<(), SnapshotError> {
        let reason = if self.failure.is_some() {
            "the node has stopped"
        } else if sequence != self.sequence {
            "the node has gone on since"
        } else if !self.commands.is_empty() {
            "commands wait to be sequenced"
        } else {
            return Ok(());
        };
        Err(SnapshotError::NotNow { sequence, reason })
    }

    /// Records that a replay passes over, because a person had them skipped: they stop the engine.
    pub fn pass_over(&mut self, sequences: BTreeSet<u64>) {
        self.passed_over = sequences;
    }

    /// Whether the state hash is taken at every interval; without, a replay is faster and proves less.
    pub fn hash_state(&mut self, is_wanted: bool) {
        self.hashes_state = is_wanted;
    }

    /// The last state hash that was taken at an interval, with its sequence.
    pub fn checkpoint(&self) -> Option<(u64, u128)> {
        self.state_hash
    }

    /// A participant is woken for the first time now: it is not started again.
    pub fn note_start(&mut self, participant: u16) {
        self.engine.note_start(participant);
    }

    /// From here on participants run again and are compared with the journal.
    pub fn rerun(&mut self) {
        self.mode = Mode::Rerun;
    }

    /// The journal has ended: what participants have sent beyond it is sequenced now, in the order in which it was
    /// sent, and so is all that comes.
    pub fn go_on(&mut self) {
        if self.mode == Mode::Rerun {
            let mut sent: Vec<_> = std::mem::take(&mut self.resent).into_iter().flatten().collect();
            sent.sort_by_key(|(order, _)| *order);
            // What a model answered comes before everything: nothing else is applied until it is.
            let (answers, others): (VecDeque<_>, VecDeque<_>) =
                sent.into_iter().map(|(_, record)| record).partition(is_answer);
            self.commands.extend(answers.into_iter().chain(others));
        }
        self.mode = Mode::Run;
    }
}

//! How a journal `by_reference` keeps the order of records it does not hold.
//!
//! The records of an input (a data file, named by an `InputReferenced` record) are sequenced like all others and
//! so use up sequences, but only an `Interleave` marker is written for them: it stands at the first of those
//! sequences and lists runs of (input, count). To replay, take `count` records from input `input` for each run,
//! in the order of the list, and give them the next sequences. The marker itself uses up none.
//!
//! A marker is one to eight slots: in the head's body the number of sequences it stands for and three runs, in
//! each continuation (tag [`tag::INTERLEAVE`]) five more. A run is one u64: input in the high 16 bits, count in
//! the low 48. Unused runs, only at the end, are 0.

use crate::layout::{layouts, payloads};
use crate::message::Message;
use crate::observation::tag;
use crate::record::{Body, MAX_SLOTS, Payload, RecordBuffer, RecordError, Slot, split_first, stamp};

layouts! {
    /// Stands for `sequences` records of inputs, from the head's sequence on; time is that of the first.
    Interleave = Interleave { sequences: u64, runs: [u64; 3], }
}

payloads! {
    InterleavePayload = INTERLEAVE { runs: [u64; 5], }
}

const HEAD_RUNS: usize = 3;
const PAYLOAD_RUNS: usize = 5;
/// Most runs one marker holds.
pub const MAX_RUNS: usize = HEAD_RUNS + (MAX_SLOTS - 1) * PAYLOAD_RUNS;
const COUNT_BITS: u32 = 48;
/// Most records one marker stands for, so that a batch of a few markers cannot overflow its counts.
pub const MAX_SEQUENCES: u64 = 1 << 31;

/// `count` records in a row from one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRun {
    pub input: u16,
    pub count: u64,
}

impl InputRun {
    const fn packed(self) -> u64 {
        (self.input as u64) << COUNT_BITS | self.count
    }

    const fn unpacked(word: u64) -> Self {
        InputRun { input: (word >> COUNT_BITS) as u16, count: word & ((1 << COUNT_BITS) - 1) }
    }
}

/// A marker being built: takes references one by one and joins those of one input.
#[derive(Clone, Debug)]
pub struct Interleaving {
    sequence: u64,
    time: u64,
    sequences: u64,
    runs: [InputRun; MAX_RUNS],
    len: usize,
}

impl Default for Interleaving {
    fn default() -> Self {
        let none = InputRun { input: 0, count: 0 };
        Interleaving { sequence: 0, time: 0, sequences: 0, runs: [none; MAX_RUNS], len: 0 }
    }
}

impl Interleaving {
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `run` still has a place in this marker.
    pub fn has_room(&self, run: InputRun) -> bool {
        let joins = self.len > 0 && self.runs[self.len - 1].input == run.input;
        (joins || self.len < MAX_RUNS) && self.sequences.saturating_add(run.count) <= MAX_SEQUENCES
    }

    /// Adds `run`, which begins at `sequence` and `time`; [`Interleaving::has_room`] must have said yes.
    pub fn push(&mut self, sequence: u64, time: u64, run: InputRun) {
        debug_assert!(run.count > 0 && self.has_room(run));
        if self.is_empty() {
            (self.sequence, self.time) = (sequence, time);
        }
        self.sequences += run.count;
        match self.runs[..self.len].last_mut() {
            Some(last) if last.input == run.input => last.count += run.count,
            _ => {
                self.runs[self.len] = run;
                self.len += 1;
            }
        }
    }

    /// The marker, stamped; afterwards this is empty. `None` when there is nothing to stand for.
    pub fn take(&mut self) -> Option<RecordBuffer> {
        if self.is_empty() {
            return None;
        }
        let mut words = [0; MAX_RUNS];
        let runs = &self.runs[..self.len];
        words.iter_mut().zip(runs).for_each(|(word, run)| *word = run.packed());
        let (head, rest) = words[..self.len.max(HEAD_RUNS)].split_at(HEAD_RUNS);
        let mut record = RecordBuffer::new(Interleave { sequences: self.sequences, runs: first(head) });
        rest.chunks(PAYLOAD_RUNS).for_each(|chunk| record.push(InterleavePayload { runs: first(chunk) }));
        stamp(record.slots_mut(), self.sequence, self.time);
        (self.len, self.sequences) = (0, 0);
        Some(record)
    }
}

/// The words of `chunk`, the rest 0.
fn first<const N: usize>(chunk: &[u64]) -> [u64; N] {
    let mut words = [0; N];
    words[..chunk.len()].copy_from_slice(chunk);
    words
}

pub fn is_marker(record: &[Slot]) -> bool {
    record.first().is_some_and(|head| head.message == Message::Interleave as u16)
}

/// The runs of a marker, in order.
pub fn runs(record: &[Slot]) -> impl Iterator<Item = InputRun> + '_ {
    let head = record.first().map(|head| Interleave::of(head).runs).unwrap_or_default();
    let rest = record.iter().skip(1).flat_map(|slot| InterleavePayload::of(&slot.as_continuation()).runs);
    head.into_iter().chain(rest).map(InputRun::unpacked).take_while(|run| run.count > 0)
}

/// How many sequences a marker stands for, if it is well formed: every continuation is of runs, no run comes
/// after an empty one, and the runs add up to what the head says.
pub fn sequences(record: &[Slot]) -> Option<u64> {
    let head = record.first()?;
    let tagged = record.iter().skip(1).all(|slot| slot.flags == InterleavePayload::TAG);
    let said = Interleave::of(head).sequences;
    let (used, total) = runs(record).fold((0, 0u64), |(used, total), run| (used + 1, total + run.count));
    let places = HEAD_RUNS + (record.len() - 1) * PAYLOAD_RUNS;
    let filled = words(record).filter(|&word| word != 0).count();
    let fits = used > places.saturating_sub(PAYLOAD_RUNS) || record.len() == 1;
    (tagged && used == filled && fits && said == total && (1..=MAX_SEQUENCES).contains(&total))
        .then_some(total)
}

fn words(record: &[Slot]) -> impl Iterator<Item = u64> + '_ {
    let head = record.first().map(|head| Interleave::of(head).runs).unwrap_or_default();
    let rest = record.iter().skip(1).flat_map(|slot| slot.as_continuation().payload);
    head.into_iter().chain(rest)
}

/// Puts the records of inputs back where a journal `by_reference` only points at them.
#[derive(Clone, Debug)]
pub struct Expansion<'a> {
    /// The records of each input that have not been used, by its number.
    inputs: Vec<&'a [Slot]>,
}

impl<'a> Expansion<'a> {
    pub fn new(inputs: Vec<&'a [Slot]>) -> Self {
        Expansion { inputs }
    }

    /// Slots each input has left, by its number.
    pub fn left(&self) -> Vec<usize> {
        self.inputs.iter().map(|input| input.len()).collect()
    }

    /// Appends the records of a batch to `out`, markers replaced by what they stand for, stamped.
    ///
    /// # Errors
    /// [`ExpansionError`] when an input is not there, ends early or holds no records.
    pub fn expand(&mut self, slots: &[Slot], out: &mut Vec<Slot>) -> Result<(), ExpansionError> {
        let mut rest = slots;
        while !rest.is_empty() {
            let (record, after) = split_first(rest)?;
            rest = after;
            if is_marker(record) {
                self.expand_marker(record, out)?;
            } else {
                out.extend_from_slice(record);
            }
        }
        Ok(())
    }

    fn expand_marker(&mut self, marker: &[Slot], out: &mut Vec<Slot>) -> Result<(), ExpansionError> {
        let mut sequence = marker[0].sequence;
        for run in runs(marker) {
            for _ in 0..run.count {
                let input = run.input;
                let missing = ExpansionError::InputEndsEarly { input, sequence };
                let left =
                    self.inputs.get_mut(usize::from(input)).filter(|left| !left.is_empty()).ok_or(missing)?;
                let (record, after) = split_first(left)?;
                *left = after;
                let start = out.len();
                out.extend_from_slice(record);
                stamp(&mut out[start..], sequence, record[0].time);
                sequence += 1;
            }
        }
        Ok(())
    }
}

/// Why a journal's references could not be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpansionError {
    #[error(
        "the journal refers to a record of input {input} at sequence {sequence}, and the input has no more"
    )]
    InputEndsEarly { input: u16, sequence: u64 },
    #[error(transparent)]
    Record(#[from] RecordError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(runs: &[InputRun]) -> Vec<InputRun> {
        let mut joined: Vec<InputRun> = Vec::new();
        for run in runs {
            match joined.last_mut() {
                Some(last) if last.input == run.input => last.count += run.count,
                _ => joined.push(*run),
            }
        }
        joined
    }

    proptest! {
        #[test]
        fn runs_read_back_in_order_over_as_many_markers_as_they_need(
            counts in prop::collection::vec((0u16..4, 1u64..1000), 1..200)
        ) {
            let given: Vec<InputRun> = counts.iter().map(|&(input, count)| InputRun { input, count }).collect();
            let mut interleaving = Interleaving::default();
            let (mut sequence, mut markers) = (10, Vec::new());
            for &run in &given {
                if !interleaving.has_room(run) {
                    markers.extend(interleaving.take());
                }
                interleaving.push(sequence, sequence, run);
                sequence += run.count;
            }
            markers.extend(interleaving.take());
            prop_assert!(interleaving.take().is_none());
            let mut next = 10;
            for marker in &markers {
                prop_assert_eq!(marker.slots()[0].sequence, next);
                next += sequences(marker.slots()).unwrap();
            }
            prop_assert_eq!(next, sequence);
            let read: Vec<InputRun> = markers.iter().flat_map(|marker| runs(marker.slots())).collect();
            prop_assert_eq!(joined(&read), joined(&given));
        }
    }

    #[test]
    fn one_marker_stands_for_many_records_in_few_bytes() {
        let mut interleaving = Interleaving::default();
        for sequence in 1..=1000 {
            interleaving.push(sequence, 0, InputRun { input: 0, count: 1 });
        }
        let marker = interleaving.take().unwrap();
        assert_eq!(marker.slots().len(), 1);
        assert_eq!(sequences(marker.slots()), Some(1000));
    }

    #[test]
    fn a_marker_that_lies_is_not_well_formed() {
        let mut interleaving = Interleaving::default();
        (0..4).for_each(|input| interleaving.push(1, 0, InputRun { input, count: 2 }));
        let marker = interleaving.take().unwrap();
        assert_eq!(sequences(marker.slots()), Some(8));
        let mut wrong_total = marker;
        wrong_total.head_mut().body[0] = 9;
        assert_eq!(sequences(wrong_total.slots()), None);
        let mut hole = marker;
        hole.head_mut().body = [6, hole.head_mut().body[1], 0, hole.head_mut().body[3]];
        assert_eq!(sequences(hole.slots()), None);
        let mut empty = RecordBuffer::new(Interleave { sequences: 0, runs: [0; 3] });
        assert_eq!(sequences(empty.slots_mut()), None);
    }
}

//! What is done beside the commits: the next segment is filled, ended ones are sealed. Step by step, when the writer's
//! owner has time; or by a [`UpkeepThread`], a thread of its own, so that no commit waits for it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use crate::disk::{Disk, lower_priority};

use super::error::{JournalError, Place};
use super::next_segment::{NextSegment, PIECE_BYTES, PreparedFile};
use super::reader::place;
use super::seals::{Ended, SealFile};
use super::segment::{NEXT_NAME, SegmentHeader};

/// Bytes hashed between two looks at what else there is to do.
const STEP_BYTES: u64 = 1 << 20;
/// Of the thread: filling and sealing must not keep commits from a processor, and must not fall behind either.
const NICENESS: i32 = 5;

#[derive(Debug)]
pub(super) struct Upkeep {
    next: NextSegment,
    /// Where the next segment is prepared, for messages.
    at: Place,
    /// `None` in a mode that seals nothing.
    pub seals: Option<SealFile>,
    ended: VecDeque<Ended>,
}

impl Upkeep {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        directory: &Path,
        header: &SegmentHeader,
        seals: Option<SealFile>,
        ended: Vec<Ended>,
    ) -> Self {
        let at = place(&directory.join(NEXT_NAME), header.segment, 0, header.first_sequence);
        let next = NextSegment::new(disk, directory, header.settings);
        Upkeep { next, at, seals, ended: ended.into() }
    }

    /// Works on the next segment; the file when it is ready.
    pub(super) fn fill(&mut self, budget: u64) -> Result<Option<PreparedFile>, JournalError> {
        self.next.prepare(budget, &self.at)
    }

    /// From now on segment `number` is the one being prepared.
    pub(super) fn turn_to(&mut self, number: u32, sequence: u64) {
        (self.at.segment, self.at.sequence) = (number, sequence);
    }

    /// Takes note of a segment that ended.
    pub(super) fn end(&mut self, ended: Ended) {
        self.turn_to(ended.segment.saturating_add(2), ended.last_sequence.saturating_add(1));
        if self.seals.is_some() {
            self.ended.push_back(ended);
        }
    }

    /// Works on the seals; `true` when there is nothing left to seal.
    pub(super) fn seal(&mut self, budget: u64) -> Result<bool, JournalError> {
        let (Some(seals), Some(ended)) = (&mut self.seals, self.ended.front()) else { return Ok(true) };
        if seals.seal(ended, budget)? {
            self.ended.pop_front();
        }
        Ok(self.ended.is_empty())
    }
}

enum Task {
    /// Look again what there is to do; with a new file for the next segment or without.
    Work {
        prepare: bool,
    },
    /// So many more bytes of the next segment may be filled.
    Fill(u64),
    End(Ended),
    GiveBack,
}

/// What a thread tells.
#[derive(Debug)]
enum Told {
    /// The answer to the question for a file.
    File(Result<PreparedFile, JournalError>),
    /// A segment could not be sealed; it is tried again when the thread is asked to look.
    NotSealed(JournalError),
}

/// A thread that has the upkeep.
#[derive(Debug)]
pub(super) struct UpkeepThread {
    tasks: Sender<Task>,
    told: Receiver<Told>,
    thread: JoinHandle<Upkeep>,
    /// Whether it was asked for a file and has not answered.
    is_asked: bool,
}

impl UpkeepThread {
    pub(super) fn start(upkeep: Upkeep) -> Self {
        let (tasks, to_do) = channel();
        let (tells, told) = channel();
        let thread = std::thread::spawn(move || work(upkeep, &to_do, &tells));
        UpkeepThread { tasks, told, thread, is_asked: false }
    }

    /// Asks for what is due; does not wait, and does not ask for a second file before it has answered.
    pub(super) fn ask(&mut self, prepare: bool) {
        if !self.is_asked {
            self.is_asked = self.tasks.send(Task::Work { prepare }).is_ok() && prepare;
        }
    }

    /// Allows so many more bytes of the next segment to be filled: what is filled competes with commits for the disk, so
    /// it goes in step with them, and faster when there are none.
    pub(super) fn fill_more(&mut self, bytes: u64) {
        if self.is_asked && bytes > 0 {
            self.tasks.send(Task::Fill(bytes)).ok(); // a thread that is gone is noticed when it is waited for
        }
    }

    /// Takes note of a segment that ended.
    pub(super) fn end(&mut self, ended: Ended) {
        self.tasks.send(Task::End(ended)).ok(); // a thread that is gone is noticed when it is waited for
    }

    /// What it has done since; `None` for nothing.
    pub(super) fn outcome(&mut self) -> Option<Result<PreparedFile, JournalError>> {
        match self.told.try_recv().ok()? {
            Told::File(answer) => {
                self.is_asked = false;
                Some(answer)
            }
            Told::NotSealed(error) => Some(Err(error)),
        }
    }

    /// Asks for a file and waits for it; `None` when the thread is gone. The answer to an earlier question may be
    /// that the disk was full then, so it is asked again.
    pub(super) fn wait(&mut self) -> Option<Result<PreparedFile, JournalError>> {
        let mut was_asked = self.is_asked;
        self.ask(true);
        self.fill_more(u64::MAX);
        loop {
            match self.told.recv().ok()? {
                Told::NotSealed(JournalError::DiskFull { .. }) => {}
                Told::NotSealed(error) => return Some(Err(error)),
                Told::File(Err(JournalError::DiskFull { .. })) if was_asked => {
                    (was_asked, self.is_asked) = (false, false);
                    self.ask(true);
                    self.fill_more(u64::MAX);
                }
                Told::File(answer) => {
                    self.is_asked = false;
                    return Some(answer);
                }
            }
        }
    }

    /// Ends the thread after the step it is at; `None` when it ended by itself, with a panic.
    pub(super) fn give_back(self) -> Option<Upkeep> {
        self.tasks.send(Task::GiveBack).ok();
        self.thread.join().ok()
    }
}

/// The life of a thread: whatever there is to do and allowed, the next segment first.
fn work(mut upkeep: Upkeep, tasks: &Receiver<Task>, tells: &Sender<Told>) -> Upkeep {
    lower_priority(NICENESS);
    let (mut fills, mut allowed, mut seals) = (false, 0_u64, true);
    loop {
        let has_work = (fills && allowed > 0) || seals;
        let task = match has_work {
            true => tasks.try_recv(),
            false => tasks.recv().map_err(|_| TryRecvError::Disconnected),
        };
        match task {
            Ok(Task::Work { prepare }) => {
                (fills, seals) = (fills || prepare, true);
                continue;
            }
            Ok(Task::Fill(bytes)) => {
                allowed = allowed.saturating_add(bytes);
                continue;
            }
            Ok(Task::End(ended)) => {
                upkeep.end(ended);
                seals = true;
                continue;
            }
            Ok(Task::GiveBack) | Err(TryRecvError::Disconnected) => return upkeep,
            Err(TryRecvError::Empty) => {}
        }
        if fills && allowed > 0 {
            let step = allowed.min(PIECE_BYTES);
            allowed -= step;
            if let Some(outcome) = upkeep.fill(step).transpose() {
                (fills, allowed) = (false, 0);
                tells.send(Told::File(outcome)).ok(); // nobody waits for it any more: the next look at the tasks ends this
            }
        } else if seals {
            match upkeep.seal(STEP_BYTES) {
                Ok(is_done) => seals = !is_done,
                Err(error) => {
                    seals = false; // until it is asked to look again
                    tells.send(Told::NotSealed(error)).ok();
                }
            }
        }
    }
}

//! Appends records and commits them in batches.

use std::io;
use std::path::Path;
use std::sync::Arc;

use zerocopy::IntoBytes;

use crate::disk::{Disk, DiskLock};
use crate::record::{RecordBuffer, SLOT_SIZE, Slot, stamp};

use super::batch::{BATCH_HEADER_SIZE, BatchHeader, flags};
use super::continuity::{Walked, walk};
use super::cut::{CutKind, cut_record};
use super::error::{JournalError, JournalRule};
use super::interleave::{InputRun, Interleaving};
use super::log::{Room, SegmentLog};
use super::position::Position;
use super::reader::{Batch, Records};
use super::recovery::{
    Examined, OpenOptions, Ready, Recovery, check_file_system, examine, journals_cuts, take_lock,
};
use super::seals::SealKey;
use super::segment::{Content, Identity, SCHEMA, Settings, check_settings, segment_number};
use super::upcast::is_outdated;

/// Zeros written by one call of [`JournalWriter::prepare_next`].
const PREPARED_AT_ONCE: u64 = 4 << 20;

const HEADER_SLOTS: usize = BATCH_HEADER_SIZE / SLOT_SIZE;

/// The one writer of a journal: holds its lock for as long as it lives. Records are appended to a batch in memory;
/// [`JournalWriter::commit`] writes it. What was not committed is gone when the writer is dropped.
///
/// A failed write or sync is the last thing a writer does: after a failed sync nobody knows what is on the disk.
/// Every later call answers [`JournalError::Stopped`] with the first cause. A full disk is different as long as only
/// the next segment is missing: [`JournalError::DiskFull`] then leaves the batch where it was, and the next commit
/// tries again.
#[derive(Debug)]
pub struct JournalWriter {
    log: SegmentLog,
    batch: BatchBuffer,
    interleaving: Interleaving,
    /// Of the next record to be appended.
    next_sequence: u64,
    durable_sequence: u64,
    state_hash: Option<(u64, u128)>,
    /// When [`JournalWriter::sync_when_due`] last synced.
    sync_time_ns: u64,
    failure: Option<JournalError>,
    _lock: Box<dyn DiskLock>,
}

/// Records that wait for the commit, behind room for the header, so that one write takes both.
#[derive(Debug)]
struct BatchBuffer {
    slots: Vec<Slot>,
    records: u32,
    first_sequence: u64,
    next_sequence: u64,
}

impl BatchBuffer {
    fn new(next_sequence: u64) -> Self {
        let slots = vec![Slot::ZERO; HEADER_SLOTS];
        BatchBuffer { slots, records: 0, first_sequence: next_sequence, next_sequence }
    }

    fn records(&self) -> &[Slot] {
        &self.slots[HEADER_SLOTS..]
    }

    fn is_empty(&self) -> bool {
        self.slots.len() == HEADER_SLOTS
    }

    fn extend(&mut self, slots: &[Slot], walked: Walked) {
        self.slots.extend_from_slice(slots);
        self.records += walked.records;
        self.next_sequence = walked.next_sequence;
    }

    fn sequences(&self) -> u64 {
        self.next_sequence - self.first_sequence
    }

    fn clear(&mut self) {
        self.slots.truncate(HEADER_SLOTS);
        self.records = 0;
        self.first_sequence = self.next_sequence;
    }
}

impl JournalWriter {
    /// Begins a journal in the directory `path`, which is created if it is not there.
    ///
    /// # Errors
    /// [`JournalError::AlreadyExists`] when it holds a segment, [`JournalError::Locked`],
    /// [`JournalError::BadSettings`], [`JournalError::UnsafeFileSystem`], [`JournalError::DiskFull`] or what the
    /// operating system answers.
    pub fn create(
        disk: Arc<dyn Disk>,
        path: &Path,
        identity: &Identity,
        settings: Settings,
    ) -> Result<Self, JournalError> {
        check_file_system(disk.as_ref(), path, &settings, false)?;
        JournalWriter::create_anywhere(disk, path, identity, settings)
    }

    /// As [`JournalWriter::create`], also on a network or in memory, where a sync promises nothing.
    ///
    /// # Errors
    /// As [`JournalWriter::create`].
    pub fn create_anywhere(
        disk: Arc<dyn Disk>,
        path: &Path,
        identity: &Identity,
        settings: Settings,
    ) -> Result<Self, JournalError> {
        check_settings(identity, &settings)?;
        let unreachable = |action, error| JournalError::unreachable(action, path, error);
        let missing = missing_parents(disk.as_ref(), path);
        disk.create_directory(path).map_err(|error| unreachable("create the directory", error))?;
        let lock = take_lock(disk.as_ref(), path)?;
        let names = disk.list(path).map_err(|error| unreachable("list the directory", error))?;
        if names.iter().any(|name| segment_number(name).is_some()) {
            return Err(JournalError::AlreadyExists { path: path.to_owned() });
        }
        // before there is a segment, so that whoever finds one need not ask how durable its directory is
        if settings.durability.syncs() {
            sync_parents(disk.as_ref(), path, missing)?;
        }
        let log = SegmentLog::create(disk, path, identity, settings)?;
        Ok(JournalWriter::new(log, lock, identity.first_sequence, None))
    }

    /// Opens a journal to continue it: checks all of it, and cuts off a torn tail after keeping a copy.
    ///
    /// # Errors
    /// As [`JournalWriter::open_with`].
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<(Self, Recovery), JournalError> {
        JournalWriter::open_with(disk, path, &OpenOptions::default())
    }

    /// Opens a journal to continue it. A torn tail is kept as a copy and cut off, and the first thing journaled then
    /// is a `JournalCut` (but in `none`, where nothing was promised).
    ///
    /// # Errors
    /// Refuses, and touches nothing, what is damaged, ends before its watermark or the snapshot, is locked, of
    /// another epoch, version or other rules: see [`JournalError`].
    pub fn open_with(
        disk: Arc<dyn Disk>,
        path: &Path,
        options: &OpenOptions,
    ) -> Result<(Self, Recovery), JournalError> {
        JournalWriter::examine(disk, path, options, &mut |_| ())?.go_on()
    }

    /// The first half of [`JournalWriter::open_with`]: locks the journal, reads all that is to be read of it, shows
    /// `watch` every batch, and changes nothing. [`Examined::go_on`] is the other half.
    ///
    /// # Errors
    /// As [`JournalWriter::open_with`].
    pub fn examine(
        disk: Arc<dyn Disk>,
        path: &Path,
        options: &OpenOptions,
        watch: &mut dyn FnMut(&Batch<'_>),
    ) -> Result<Examined, JournalError> {
        examine(disk, path, options, false, watch)
    }

    /// As [`JournalWriter::open_with`], for whoever finishes a cut that was begun.
    pub(super) fn open_to_finish_cut(
        disk: Arc<dyn Disk>,
        path: &Path,
        options: &OpenOptions,
    ) -> Result<Self, JournalError> {
        examine(disk, path, options, true, &mut |_| ())?.go_on().map(|(writer, _)| writer)
    }

    fn of_ready(Ready { log, lock, recovery, time }: Ready) -> Result<(Self, Recovery), JournalError> {
        let report = &recovery.report;
        let mut writer = JournalWriter::new(log, lock, report.last_sequence + 1, report.state_hash);
        if let Some(cut) = recovery.cut.as_ref().filter(|_| journals_cuts(&report.settings)) {
            let what = cut.rule.map_or_else(|| cut.found.clone(), |rule| format!("{rule}: {}", cut.found));
            let time = time.max(report.last_time);
            let record = cut_record(CutKind::TornTail, &cut.place, cut.bytes, "openbell", &what);
            writer.append_told(record, time)?;
        }
        Ok((writer, recovery))
    }

    fn new(
        log: SegmentLog,
        lock: Box<dyn DiskLock>,
        next_sequence: u64,
        state_hash: Option<(u64, u128)>,
    ) -> Self {
        JournalWriter {
            log,
            batch: BatchBuffer::new(next_sequence),
            interleaving: Interleaving::default(),
            next_sequence,
            durable_sequence: next_sequence - 1,
            state_hash,
            sync_time_ns: 0,
            failure: None,
            _lock: lock,
        }
    }

    pub fn identity(&self) -> &Identity {
        self.log.identity()
    }

    pub fn settings(&self) -> &Settings {
        self.log.settings()
    }

    /// The sequence the next record must have.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// The last sequence that is as durable as the mode promises; everything up to it may be acknowledged.
    pub fn durable_sequence(&self) -> u64 {
        self.durable_sequence
    }

    /// Slots that wait for the next commit.
    pub fn buffered_slots(&self) -> usize {
        self.batch.records().len()
    }

    /// The end of what was committed; a snapshot of the state after it names this.
    pub fn position(&self) -> Position {
        self.log.position()
    }

    /// Covers everything committed.
    pub fn chain(&self) -> u128 {
        self.log.position().chain
    }

    /// Whether the disk has room for what comes. In [`Room::Reserve`] only cancels and the kill switch should be let
    /// in; it is [`Room::Ample`] again once [`JournalWriter::prepare_next`] has found room.
    pub fn room(&self) -> Room {
        self.log.room()
    }

    /// Why the next segment could not be prepared when it was last tried; `None` when it could.
    pub fn shortage(&self) -> Option<&JournalError> {
        self.log.shortage()
    }

    /// Lets a thread of its own prepare segments and seal those that ended, so that no commit waits for either. It
    /// ends with the writer. Without one, everything happens inside the calls of this writer, in an order that
    /// depends on nothing else.
    pub fn prepare_in_background(&mut self) {
        self.log.start_thread();
    }

    /// Signs seals from now on.
    ///
    /// # Errors
    /// [`JournalError::Stopped`] after a failure.
    pub fn sign_seals(&mut self, key: SealKey) -> Result<(), JournalError> {
        self.require_running()?;
        let signed = self.log.sign_with(key);
        self.stop_on_error(signed)
    }

    /// Removes the oldest segments of which no record is needed: sealed ones that end before `sequence`. Returns
    /// their numbers. The journal then begins with the first that is left; its seals tell that this was on purpose.
    ///
    /// # Errors
    /// Anything stops the writer but [`JournalError::DiskFull`], after which nothing was removed, and
    /// [`JournalError::Unreachable`], a name that cannot be removed: `SEALS` says already that it may go.
    pub fn remove_sealed_before(&mut self, sequence: u64) -> Result<Vec<u32>, JournalError> {
        self.require_running()?;
        match self.log.remove_sealed_before(sequence) {
            Err(error @ JournalError::Unreachable { .. }) => Err(error),
            removed => self.stop_unless_full(removed),
        }
    }

    /// Works a while (some MiB) on what the next commits need and should not wait for: the next segment, seals. `true`
    /// when nothing is left to do. To be called when there is nothing to commit; where nobody does, commits do it
    /// themselves, late.
    ///
    /// # Errors
    /// [`JournalError::DiskFull`] when there is no room for the next segment: try again later, and look at
    /// [`JournalWriter::room`]. Anything else stops the writer.
    pub fn prepare_next(&mut self) -> Result<bool, JournalError> {
        self.require_running()?;
        let prepared = self.log.prepare(PREPARED_AT_ONCE);
        self.stop_unless_full(prepared)
    }

    /// Syncs the watermark, in the modes that sync commits. A commit that comes meanwhile waits as long as for another
    /// commit: to be called when nothing was committed for a while.
    ///
    /// # Errors
    /// [`JournalError::Failed`], which stops the writer.
    pub fn settle(&mut self) -> Result<(), JournalError> {
        if self.settings().durability.syncs_commits() { self.sync() } else { Ok(()) }
    }

    /// Makes everything committed survive a power cut, in every mode that syncs at all.
    ///
    /// # Errors
    /// [`JournalError::Failed`], which stops the writer.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.require_running()?;
        let synced = self.log.sync();
        self.stop_unless_full(synced)
    }

    /// In the mode `interval`: syncs when `interval_ns` have passed by the caller's clock since it last did; whether
    /// it did.
    ///
    /// # Errors
    /// As [`JournalWriter::sync`].
    pub fn sync_when_due(&mut self, now_ns: u64, interval_ns: u64) -> Result<bool, JournalError> {
        // a clock that stepped back makes it due
        let is_due = now_ns.checked_sub(self.sync_time_ns).is_none_or(|passed| passed >= interval_ns);
        if is_due {
            self.sync()?;
            self.sync_time_ns = now_ns;
        }
        Ok(is_due)
    }

    /// Adds whole, stamped records to the batch. They must continue the sequence.
    ///
    /// # Errors
    /// [`JournalError::CannotAppend`] for records the journal would not read back; nothing of `slots` is taken
    /// then. [`JournalError::Stopped`] after a failure.
    pub fn append(&mut self, slots: &[Slot]) -> Result<(), JournalError> {
        self.require_running()?;
        let walked = walk(slots, self.next_sequence)?;
        if walked.outdated > 0 {
            return Err(outdated(slots, self.next_sequence));
        }
        self.take(slots, walked);
        Ok(())
    }

    fn take(&mut self, slots: &[Slot], walked: Walked) {
        self.flush_references();
        self.batch.extend(slots, walked);
        self.next_sequence = walked.next_sequence;
    }

    /// As an older or newer program would have written them.
    #[cfg(test)]
    pub(super) fn append_of_any_version(&mut self, slots: &[Slot]) -> Result<(), JournalError> {
        let mut today = slots.to_vec();
        let versions = crate::message::Message::from_number;
        today.iter_mut().for_each(|slot| slot.version = versions(slot.message).map_or(0, |of| of.version()));
        let walked = walk(&today, self.next_sequence)?;
        self.take(slots, walked);
        Ok(())
    }

    /// Lets `count` records of input `input`, sequenced from `sequence` and `time` on, stand by reference: they
    /// use up their sequences and are not written. Runs of one input are joined, so call it per record or per run.
    ///
    /// # Errors
    /// [`JournalError::CannotAppend`] when the sequence does not continue, the count is 0 or does not fit, or the
    /// journal is not `by_reference`. [`JournalError::Stopped`] after a failure.
    pub fn append_reference(
        &mut self,
        input: u16,
        count: u64,
        sequence: u64,
        time: u64,
    ) -> Result<(), JournalError> {
        self.require_running()?;
        let run = InputRun { input, count };
        let refused = |rule, found| Err(JournalError::CannotAppend { sequence, rule, found });
        if sequence != self.next_sequence {
            let found = format!("sequence {sequence} where {} was expected", self.next_sequence);
            return refused(JournalRule::SequenceMustContinue, found);
        }
        if self.settings().content != Content::ByReference {
            let found = "a reference in a journal of full content".to_owned();
            return refused(JournalRule::ReferenceMustBeWellFormed, found);
        }
        let next = sequence.checked_add(count);
        let Some(next) = next.filter(|_| count > 0 && Interleaving::default().has_room(run)) else {
            return refused(JournalRule::ReferenceMustBeWellFormed, format!("a run of {count} records"));
        };
        if !self.interleaving.has_room(run) {
            self.flush_references();
        }
        self.interleaving.push(sequence, time, run);
        self.next_sequence = next;
        Ok(())
    }

    /// Writes what was appended as one batch (as several when it is longer than a segment) and returns the durable
    /// sequence. `state_hash` is the latest known, with the sequence after which it was taken; `output_hash` must
    /// cover the events of all records appended. Without records nothing is written.
    ///
    /// # Errors
    /// [`JournalError::DiskFull`] when the next segment was needed and there is no room for it: what was not written
    /// waits for the next commit. Anything else stops the writer, a full disk in the mode `none` included.
    pub fn commit(
        &mut self,
        state_hash: Option<(u64, u128)>,
        output_hash: u128,
    ) -> Result<u64, JournalError> {
        self.require_running()?;
        self.flush_references();
        self.state_hash = state_hash.or(self.state_hash);
        if self.batch.is_empty() {
            return Ok(self.durable_sequence);
        }
        self.write_batches(Some(output_hash))?;
        Ok(self.durable_sequence)
    }

    /// Commits, and ends the journal with a batch that says it was ended on purpose: the end of a closed journal
    /// cannot be lost unnoticed. The writer gives back its lock.
    ///
    /// # Errors
    /// As [`JournalWriter::commit`].
    pub fn close(mut self, state_hash: Option<(u64, u128)>, output_hash: u128) -> Result<u64, JournalError> {
        let durable_sequence = self.commit(state_hash, output_hash)?;
        self.write_batch(Some(output_hash), flags::CLOSED)?;
        self.log.sync()?;
        self.log.seal_ended()?;
        Ok(durable_sequence)
    }

    fn require_running(&self) -> Result<(), JournalError> {
        match &self.failure {
            None => Ok(()),
            Some(cause) => Err(JournalError::Stopped { cause: Box::new(cause.clone()) }),
        }
    }

    /// Remembers a failure as the end. Too little room for the next segment is none.
    fn stop_unless_full<T>(&mut self, result: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error) = &result
            && !matches!(error, JournalError::DiskFull { .. })
        {
            self.failure = Some(error.clone());
        }
        result
    }

    fn stop_on_error<T>(&mut self, result: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error) = &result {
            self.failure = Some(error.clone());
        }
        result
    }

    /// Stamps a record that tells about the journal itself, and commits it with what was appended. The batch has no
    /// output hash: what becomes of the engine is not known here.
    pub(super) fn append_told(&mut self, mut record: RecordBuffer, time: u64) -> Result<(), JournalError> {
        stamp(record.slots_mut(), self.next_sequence, time);
        self.append(record.slots())?;
        self.write_batches(None)?;
        self.sync()
    }

    /// Puts the marker of the references so far into the batch.
    fn flush_references(&mut self) {
        if let Some(marker) = self.interleaving.take() {
            let next_sequence = self.next_sequence;
            self.batch.extend(marker.slots(), Walked { records: 1, markers: 1, outdated: 0, next_sequence });
        }
    }

    /// Writes the buffered records, as several batches when they are longer than a segment. What is not written when
    /// the disk is full stays buffered.
    fn write_batches(&mut self, output_hash: Option<u128>) -> Result<(), JournalError> {
        if self.fits(self.batch.records().len(), self.batch.sequences()) {
            return self.write_batch(output_hash, 0);
        }
        let fresh = BatchBuffer::new(self.batch.first_sequence);
        let all = std::mem::replace(&mut self.batch, fresh);
        let mut full = Ok(());
        for record in Records::new(all.records()) {
            let walked = walk(record, self.batch.next_sequence)?;
            let sequences = walked.next_sequence - self.batch.first_sequence;
            if full.is_ok() && !self.fits(self.batch.records().len() + record.len(), sequences) {
                full = self.write_batch(None, 0);
            }
            self.batch.extend(record, walked);
        }
        full.and_then(|()| self.write_batch(output_hash, 0))
    }

    fn fits(&self, slots: usize, sequences: u64) -> bool {
        let bytes = self.settings().padded((BATCH_HEADER_SIZE + slots * SLOT_SIZE) as u64);
        bytes <= self.log.largest_batch() && u32::try_from(sequences).is_ok()
    }

    /// Writes the buffered records as one batch that fits.
    fn write_batch(&mut self, output_hash: Option<u128>, flags: u16) -> Result<(), JournalError> {
        let mut header = self.header(output_hash, flags);
        let bytes = header.bytes(self.settings());
        let (first, last) = (header.first_sequence, self.batch.next_sequence - 1);
        let room = self.log.make_room(bytes, first);
        self.stop_unless_full(room)?;
        self.batch.slots.resize(bytes as usize / SLOT_SIZE, Slot::ZERO);
        header.seal(self.chain(), self.batch.records().as_bytes());
        self.batch.slots[..HEADER_SLOTS].copy_from_slice(&header.to_slots());
        let written = self.log.write(self.batch.slots.as_bytes(), first, last);
        self.stop_on_error(written)?;
        self.durable_sequence = last;
        self.batch.clear();
        let prepared = self.log.prepare_in_step(bytes);
        self.stop_on_error(prepared)
    }

    fn header(&self, output_hash: Option<u128>, flags: u16) -> BatchHeader {
        let mut header = BatchHeader::new(self.identity().epoch, SCHEMA, self.batch.first_sequence);
        header.flags = flags;
        header.time = self.batch.records().first().map_or(0, |head| head.time);
        header.slot_count = self.batch.records().len() as u32;
        header.record_count = self.batch.records;
        header.sequence_count = self.batch.sequences() as u32;
        header.durable_sequence = self.durable_sequence;
        if let Some((sequence, hash)) = self.state_hash {
            header.set_state_hash(sequence, hash);
        }
        if let Some(hash) = output_hash {
            header.set_output_hash(hash);
        }
        header
    }
}

impl Examined {
    /// Makes the journal ready and goes on with it: a torn tail is cut off now, and its cut is journaled.
    ///
    /// # Errors
    /// What the operating system answers, [`JournalError::DiskFull`] among it.
    pub fn go_on(self) -> Result<(JournalWriter, Recovery), JournalError> {
        JournalWriter::of_ready(self.make_ready()?)
    }
}

/// How many of the directories that `path` is in are not there yet.
fn missing_parents(disk: &dyn Disk, path: &Path) -> usize {
    path.ancestors().skip(1).take_while(|parent| !disk.is_directory(parent)).count()
}

/// Makes the journal's own name, and those of the directories it is in, durable. All of them: what is there may have
/// been made by a process that died before it could sync it. Above the `missing` ones just made and the first that
/// was there, one that we may not open is somebody else's, and so is its durability.
fn sync_parents(disk: &dyn Disk, path: &Path, missing: usize) -> Result<(), JournalError> {
    for (index, parent) in path.ancestors().skip(1).enumerate() {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match disk.sync_directory(parent) {
            Err(error) if index > missing && error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(JournalError::unreachable("sync the directory", parent, error)),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Why records of an older layout are not taken: who writes knows today's.
fn outdated(slots: &[Slot], next_sequence: u64) -> JournalError {
    let old = Records::new(slots).find(|record| record.first().is_some_and(is_outdated));
    let head = old.and_then(<[Slot]>::first).copied().unwrap_or(Slot::ZERO);
    JournalError::CannotAppend {
        sequence: head.sequence.max(next_sequence),
        rule: JournalRule::RecordVersionMustBeKnown,
        found: format!(
            "version {} of message {}, which is written in a newer one today",
            head.version, head.message
        ),
    }
}

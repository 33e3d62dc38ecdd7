//! What is done beside the trading of a story: snapshots, removal, cuts, healing.

use std::path::Path;
use std::sync::Arc;

use openbell_kernel::journal::{JournalError, prove};

use super::{End, Story};
use crate::beside::{
    cut_behind, first_sequence, needed_from, readable_until, remove_before, snapshots_path, whole_snapshots,
};
use crate::clients::set_up;
use crate::exchange::{Exchange, StartError, journal_path};
use crate::oracle::{Found, Promise, Rule, Violation};

impl Story {
    /// What a person does before the exchange starts: goes on with a cut, cuts, or makes room.
    pub(super) fn care(&mut self) -> Result<Option<End>, Violation> {
        if let Some(sequence) = self.due_cut() {
            self.check_shut(sequence)?;
            if let Some(end) = self.cut(sequence)? {
                return Ok(Some(end));
            }
        }
        if !self.plan.removes || self.script.is_some() || !self.beside.once_in(4) {
            return Ok(None);
        }
        self.remove_at_rest()
    }

    /// Behind which sequence the history is to be cut in this life.
    fn due_cut(&mut self) -> Option<u64> {
        if self.pending_cut.is_some() {
            return self.pending_cut;
        }
        let is_wanted = match &self.act {
            Some(act) => act.cuts,
            None => self.plan.cuts && self.script.is_none() && self.beside.once_in(3),
        };
        if !is_wanted || !self.settings.durability.syncs_commits() || self.is_damaged {
            return None;
        }
        let first = first_sequence(&self.disk);
        // a power cut may bring back a snapshot of what the journal has no longer
        let mut serving = whole_snapshots(&self.disk).into_iter().filter(|saved| saved.sequence + 1 >= first);
        let oldest = serving.next().map_or(u64::MAX, |saved| saved.sequence);
        let begin = if first > 1 { oldest } else { 0 };
        let (lowest, highest) = (begin.max(set_up().len() as u64), self.witness.acknowledged());
        match lowest <= highest {
            true if self.script.is_some() => Some(highest - (highest - lowest) / 3),
            true => Some(self.beside.between(lowest, highest)),
            false => None,
        }
    }

    /// A cut that was begun keeps everybody else out.
    fn check_shut(&mut self, sequence: u64) -> Result<(), Violation> {
        let disk = self.disk.fork();
        disk.disarm();
        disk.restart_quietly();
        let is_begun = disk.bytes(&journal_path().join("CUT")).is_some();
        if !is_begun {
            return Ok(());
        }
        match Exchange::restart(&disk, self.witness.told()) {
            Err(StartError::Journal(JournalError::CutUnfinished { .. })) => Ok(()),
            Err(_) if self.is_damaged => Ok(()),
            Err(error) => self.broken_cut(sequence, &error.to_string()),
            Ok(_) => self.broken_cut(sequence, "the exchange started in the middle of it"),
        }
    }

    fn broken_cut<T>(&self, sequence: u64, found: &str) -> Result<T, Violation> {
        let found = format!("a cut behind {sequence}: {found}");
        Err(Violation { rule: Rule::CutMustBeFinished, found })
    }

    /// The life ends here when the cut does not come to its end.
    fn cut(&mut self, sequence: u64) -> Result<Option<End>, Violation> {
        self.say(|| format!("a person cuts the history behind {sequence}"));
        self.count_faults();
        let faults = self.tally.faults;
        self.pending_cut = Some(sequence);
        let Err(error) = cut_behind(&self.disk, sequence) else {
            self.tally.cuts += 1;
            self.pending_cut = None;
            self.witness.accept_cut(sequence);
            return Ok(None);
        };
        if let Some(stop) = self.disk.stop() {
            self.tally.cuts_interrupted += 1;
            return Ok(Some(End::Died(stop)));
        }
        self.count_faults();
        self.say(|| format!("the cut is not done: {error}"));
        if self.tally.faults > faults {
            self.tally.cuts_interrupted += 1;
            return Ok(Some(End::Failed(error.to_string())));
        }
        if self.is_damaged { Ok(Some(End::Refused)) } else { self.broken_cut(sequence, &error.to_string()) }
    }

    /// Removes what nobody needs, with nobody writing.
    fn remove_at_rest(&mut self) -> Result<Option<End>, Violation> {
        let sequence = needed_from(&self.disk);
        if sequence == 0 {
            return Ok(None);
        }
        self.removable = self.removable.max(sequence);
        self.unexamined = self.promised().and(self.unexamined); // opening it may cut it
        self.count_faults();
        let faults = self.tally.faults;
        let Err(error) = remove_before(&self.disk, sequence) else { return Ok(None) };
        if let Some(stop) = self.disk.stop() {
            return Ok(Some(End::Died(stop)));
        }
        self.count_faults();
        match self.tally.faults > faults || self.is_damaged || self.may_break() {
            // the start that follows says what it makes of it
            true => Ok(None),
            false => Err(Violation { rule: Rule::UndamagedMustOpen, found: error.to_string() }),
        }
    }

    /// A look of the follower at the journal, and what follows from a snapshot.
    pub(super) fn follow(&mut self, exchange: &mut Exchange) -> Result<Option<End>, Violation> {
        let is_scripted = self.script.is_some();
        if self.plan.snapshot_records == 0 || !(is_scripted || self.beside.once_in(3)) {
            return Ok(None);
        }
        self.count_faults();
        let faults = self.tally.faults;
        let looked = self.following.look(&self.disk, self.plan.snapshot_records, exchange.time());
        if self.disk.stop().is_some() {
            return Ok(Some(self.after(exchange, End::Finished)));
        }
        self.count_faults();
        match looked {
            Ok(seen) => {
                if let Some(sequence) = seen.saved {
                    self.see_saved(exchange, sequence)?;
                }
                Ok(None)
            }
            Err(error) if self.tally.faults > faults || self.is_damaged => {
                self.say(|| format!("the follower ends: {error}"));
                Ok(None)
            }
            Err(error) => Err(Violation { rule: Rule::FollowerMustGoOn, found: error.to_string() }),
        }
    }

    fn see_saved(&mut self, exchange: &mut Exchange, sequence: u64) -> Result<(), Violation> {
        self.tally.snapshots += 1;
        self.say(|| format!("a snapshot of sequence {sequence} is saved"));
        if whole_snapshots(&self.disk).last().is_none_or(|newest| newest.sequence < sequence) {
            let found = format!("the snapshot of sequence {sequence} was saved and is not whole");
            return Err(Violation { rule: Rule::SavedMustBeWhole, found });
        }
        if self.plan.removes && (self.script.is_some() || self.beside.once_in(2)) {
            let sequence = needed_from(&self.disk);
            self.removable = self.removable.max(sequence);
            exchange.remove_before(sequence);
        }
        Ok(())
    }

    /// Nobody touched the sealed history, and that is proven.
    pub(super) fn check_seals(&mut self) -> Result<(), Violation> {
        let is_safe = self.settings.durability.syncs_commits() && !self.is_damaged;
        if !is_safe || !self.beside.once_in(4) {
            return Ok(());
        }
        let disk = self.disk.fork();
        disk.disarm();
        disk.restart_quietly();
        let problem = match prove(Arc::new(disk), &journal_path(), None) {
            Ok(proof) => proof.touched.map(|touched| format!("{touched:?}")),
            Err(error) => Some(error.to_string()),
        };
        problem.map_or(Ok(()), |found| Err(Violation { rule: Rule::SealsMustProve, found }))
    }

    /// Whether a flipped bit there must not keep the exchange from starting.
    pub(super) fn must_pass_over(&self, path: &Path) -> bool {
        if path.starts_with(snapshots_path()) {
            return first_sequence(&self.disk) == 1 || !whole_snapshots(&self.disk).is_empty();
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("torn-") || name.starts_with("cut-") || name == "next.seg"
    }

    /// The doctor cuts a damaged journal behind what can still be read: what is left then is a beginning of what was
    /// told, byte by byte, as far as it was promised when the start began: that may have cut a torn tail, and noted the cut
    /// where a record had stood. Tried on a copy of the disk.
    pub(super) fn heal(&mut self) -> Result<(), Violation> {
        let disk = self.disk.fork();
        disk.disarm();
        disk.restart_quietly();
        let Some(sequence) = readable_until(&disk) else { return Ok(()) };
        if let Err(error) = cut_behind(&disk, sequence) {
            self.tally.not_healed += 1;
            self.say(|| format!("not healed: {error}"));
            return Ok(());
        }
        let mut witness = self.witness.clone();
        witness.accept_cut(sequence);
        disk.restart_quietly();
        let restarted = match Exchange::restart(&disk, witness.told()) {
            Ok(restarted) => restarted,
            Err(error) => {
                self.tally.not_healed += 1;
                self.say(|| format!("cut and still refused: {error}"));
                return Ok(());
            }
        };
        self.tally.healed += 1;
        let snapshots = whole_snapshots(&disk);
        let (records, engine) = (&restarted.records[..], restarted.exchange.engine());
        let found = Found { records, engine, snapshots: &snapshots };
        witness.check(&found, Promise::UpTo(sequence).and(self.unexamined), sequence / 2).map(|_| ())
    }
}

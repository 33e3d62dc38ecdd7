//! The exchange on its own threads, on the disk that does its worst: a client and a follower outside, a node thread and
//! a journal thread inside.
//!
//! A seed fixes what is sent and what the disk does, not who runs when: a red seed may have to be run again.

use std::collections::VecDeque;
use std::sync::Arc;

use openbell_kernel::clock::ManualClock;
use openbell_kernel::disk::Disk;
use openbell_kernel::journal::{Durability, JournalWriter};
use openbell_kernel::live::{LiveNode, LiveOptions, configure, restart};
use openbell_kernel::message::Message;
use openbell_kernel::record::{Slot, flags};
use openbell_kernel::ring::Signal;

use crate::beside::{Following, whole_snapshots};
use crate::clients::{Clients, set_up};
use crate::disk::{EINTR, EIO, Fault, Manner, SimulatedDisk, Stop, Trigger};
use crate::exchange::{Exchange, SHARD, Told, identity, journal_path, records};
use crate::oracle::{Found, Promise, Rule, Violation, Witness};
use crate::random::Random;
use crate::story::settings_of;

const LIVES: u64 = 3;
const STEPS: u64 = 30;
const START: u64 = 1_700_000_000_000_000_000;
const STEP_NS: u64 = 50_000_000;

/// What one seed went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Threaded {
    pub deaths: u64,
    pub snapshots: u64,
    pub records: u64,
    pub events: u64,
}

struct Run {
    random: Random,
    disk: SimulatedDisk,
    clock: Arc<ManualClock>,
    clients: Clients,
    witness: Witness,
    /// What the node said that it took and the journal may hold, in order, as it was sent.
    sent: VecDeque<Vec<Slot>>,
    /// The last sequence that was held against what was sent.
    matched: u64,
    threaded: Threaded,
}

fn broken<T>(rule: Rule, found: impl ToString) -> Result<T, Violation> {
    Err(Violation { rule, found: found.to_string() })
}

/// Runs one seed.
///
/// # Errors
/// The first rule that does not hold.
pub fn run(seed: u64) -> Result<Threaded, Violation> {
    let mut random = Random::new(seed);
    let mut run = Run {
        disk: SimulatedDisk::new(random.number()),
        clock: Arc::new(ManualClock::new(START)),
        clients: Clients::new(random.fork()),
        random,
        witness: Witness::default(),
        sent: VecDeque::new(),
        matched: 0,
        threaded: Threaded::default(),
    };
    run.begin()?;
    for life in 1..=LIVES {
        run.live(life < LIVES)?;
        run.check()?;
    }
    Ok(run.threaded)
}

impl Run {
    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    /// The journal with its configuration, made while nothing fails.
    fn begin(&mut self) -> Result<(), Violation> {
        self.disk.restart_process();
        let mode = self.random.pick(&[Durability::Batch, Durability::Strict]);
        let writer = JournalWriter::create(self.disk(), &journal_path(), &identity(), settings_of(mode));
        let mut writer = writer.or_else(|error| broken(Rule::EngineMustGoOn, error))?;
        let configuration: Vec<Slot> = set_up().iter().flat_map(|record| record.slots().to_vec()).collect();
        let node = configure(SHARD, &configuration, START, Some(&mut writer));
        let node = node.or_else(|error| broken(Rule::EngineMustGoOn, error))?;
        self.matched = node.sequence();
        drop(writer);
        self.check()
    }

    fn live(&mut self, fails: bool) -> Result<(), Violation> {
        self.disk.restart_process();
        let restarted = restart(self.disk(), &journal_path());
        let (node, writer, _) = restarted.or_else(|error| broken(Rule::UndamagedMustOpen, error))?;
        let bell = Arc::new(Signal::default());
        let options = LiveOptions { spins: self.random.below(50) as u32, ..LiveOptions::default() };
        let live = LiveNode::start(node, writer, self.clock.clone(), Box::new(bell), options);
        let live = live.or_else(|error| broken(Rule::EngineMustGoOn, error))?;
        if fails {
            self.arm();
        }
        let mut following = Following::default();
        for _ in 0..STEPS {
            if self.disk.stop().is_some() || self.trade(&live).is_none() {
                break;
            }
            if self.random.once_in(3) {
                // one that fails is begun anew: what it may and must do is the seeds' matter
                let seen = following.look(&self.disk, 20, STEP_NS);
                self.threaded.snapshots += u64::from(seen.is_ok_and(|seen| seen.saved.is_some()));
            }
        }
        let stopped = live.stop();
        self.take(&live);
        drop(live);
        self.end(fails, stopped.map_err(|error| error.to_string()))
    }

    fn arm(&mut self) {
        let nth = self.random.between(1, 150);
        let faults = [
            Fault::PowerCut(None),
            Fault::PowerCut(None),
            Fault::Abort,
            Fault::Error(EIO),
            Fault::Error(EINTR),
            Fault::Short,
        ];
        self.disk.arm(Trigger { call: None, nth }, self.random.pick(&faults));
    }

    /// Sends some records and takes what came out; `None` when the node takes nothing more.
    fn trade(&mut self, live: &LiveNode) -> Option<()> {
        self.clock.advance(self.random.below(STEP_NS));
        for _ in 0..self.random.below(8) {
            let record = self.clients.next(self.clock_time());
            if live.submit(record.slots()).ok()? == 1 {
                self.sent.push_back(record.slots().to_vec());
            }
        }
        self.take(live);
        Some(())
    }

    fn clock_time(&self) -> u64 {
        openbell_kernel::clock::Clock::now(self.clock.as_ref())
    }

    /// What left the node is acknowledged, whatever happens next.
    fn take(&mut self, live: &LiveNode) {
        let mut events = Vec::new();
        live.take_outputs(&mut events, usize::MAX).ok(); // a failure is seen when it is stopped
        let mut at = 0;
        while at < events.len() {
            let length = usize::from(events[at].slots).max(1);
            events[at].flags &= !flags::DURABILITY;
            at += length;
        }
        self.threaded.events += events.len() as u64;
        self.witness.see(&events, live.health().durable_sequence);
    }

    fn end(&mut self, fails: bool, stopped: Result<(), String>) -> Result<(), Violation> {
        let has_struck = !self.disk.take_struck().is_empty();
        if self.disk.stop().is_none() {
            if let Err(error) = stopped
                && !has_struck
            {
                return broken(Rule::EngineMustGoOn, error);
            }
            match fails && self.random.once_in(2) {
                true => self.disk.cut_power_in(self.random.pick(&Manner::ALL)),
                false => self.disk.kill_process(),
            }
        }
        self.threaded.deaths += u64::from(matches!(self.disk.stop(), Some(Stop::Aborted | Stop::PowerCut)));
        self.disk.disarm();
        Ok(())
    }

    /// Restarts a copy of the machine and holds it against what was seen and sent.
    fn check(&mut self) -> Result<(), Violation> {
        let disk = self.disk.fork();
        disk.restart_process();
        let restarted = Exchange::restart(&disk, &Told::default());
        let restarted = restarted.or_else(|error| broken(Rule::UndamagedMustOpen, error))?;
        let records = &restarted.records[..];
        self.match_sent(records)?;
        self.witness.note_told(Told::of(records));
        let snapshots = whole_snapshots(&disk);
        let found = Found { records, engine: restarted.exchange.engine(), snapshots: &snapshots };
        let last = restarted.exchange.sequence();
        let events = self.witness.check(&found, Promise::Everything, last / 2)?;
        self.threaded.records = last;
        self.witness.accept(records, events);
        Ok(())
    }

    /// Every record of a client is one that it sent, once and in order; what the node notes itself stands between.
    fn match_sent(&mut self, found: &[Slot]) -> Result<(), Violation> {
        let own = [Message::ClockAdvanced as u16, Message::JournalCut as u16];
        for record in records(found).filter(|record| record[0].sequence > self.matched) {
            if own.contains(&record[0].message) {
                continue;
            }
            let sent = self.sent.pop_front();
            if sent.as_deref().map(unstamped) != Some(unstamped(record)) {
                let found = format!("sequence {} is no record that was sent next", record[0].sequence);
                return broken(Rule::RecordsMustBeThoseTold, found);
            }
        }
        self.matched = records(found).last().map_or(0, |record| record[0].sequence);
        self.sent.clear(); // what is not there was acknowledged to nobody, and is not sent again
        Ok(())
    }
}

/// As it was before it had a place and a time.
fn unstamped(record: &[Slot]) -> Vec<Slot> {
    record.iter().map(|slot| Slot { sequence: 0, time: 0, ..*slot }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_seeds_lose_nothing_and_see_events() {
        let all: Vec<_> = (0..20).map(run).collect();
        let seen: u64 = all.iter().flatten().map(|threaded| threaded.events).sum();
        assert!(all.iter().all(Result::is_ok), "{:?}", all.iter().find(|one| one.is_err()));
        assert!(seen > 1_000, "{seen}");
    }
}

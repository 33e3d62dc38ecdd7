//! One seed: an exchange that lives several times on one disk, and dies each time as the seed has it.

use std::path::PathBuf;

use openbell_kernel::journal::{Content, Durability, JournalError, Settings};
use openbell_kernel::node::Poll;
use openbell_kernel::record::RecordBuffer;

use crate::beside::{Following, Plan, snapshots_path, whole_snapshots};
use crate::clients::{Clients, orders_again, set_up};
use crate::disk::{Broken, Call, EINTR, EIO, ENOSPC, Fault, Manner, SimulatedDisk, Stop, Trigger};
use crate::exchange::{Exchange, Restarted, StartError};
use crate::oracle::{Found, Promise, Rule, Violation, Witness};
use crate::random::Random;
use crate::watermark;

mod care;

/// What the disk does to the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weather {
    /// Power cuts and deaths of the process, at any call.
    PowerCuts,
    /// Those, and calls that fail, stop half-way or take long.
    Failures,
    /// Those, and a disk that lies or rots: damage must be noticed.
    Damage,
}

impl Weather {
    pub const fn words(self) -> &'static str {
        match self {
            Weather::PowerCuts => "power cuts",
            Weather::Failures => "failures",
            Weather::Damage => "damage",
        }
    }
}

/// What happens in each life when it is not left to the seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    pub lives: Vec<Act>,
}

/// One life of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub faults: Vec<(Trigger, Fault)>,
    /// Before the exchange starts, a person cuts the history.
    pub cuts: bool,
    /// How it ends if nothing else ends it.
    pub exit: Exit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The journal is closed.
    Close,
    /// The process is killed.
    Kill,
    PowerCut(Manner),
}

/// What one seed went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub lives: u64,
    pub power_cuts: u64,
    pub aborts: u64,
    pub faults: u64,
    /// The disk was damaged and the journal said so.
    pub damage_noticed: u64,
    /// The disk was damaged where nothing acknowledged was.
    pub damage_harmless: u64,
    /// The disk lost what it had acknowledged above a watermark that lagged behind. Never in the mode `strict`.
    pub damage_unnoticed: u64,
    pub torn_tails: u64,
    /// Snapshots that were saved; starts that began with one; damaged ones that were passed over.
    pub snapshots: u64,
    pub from_snapshot: u64,
    pub passed_over: u64,
    /// Starts of a journal whose begin had been removed.
    pub shortened: u64,
    pub cuts: u64,
    pub cuts_interrupted: u64,
    /// Damaged journals that a cut made whole again, and those that it did not.
    pub healed: u64,
    pub not_healed: u64,
    pub records: u64,
    pub acknowledged: u64,
    pub calls: u64,
    /// Some fault never struck: there were not so many calls.
    pub has_missed: bool,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        let pairs = [
            (&mut self.lives, other.lives),
            (&mut self.power_cuts, other.power_cuts),
            (&mut self.aborts, other.aborts),
            (&mut self.faults, other.faults),
            (&mut self.damage_noticed, other.damage_noticed),
            (&mut self.damage_harmless, other.damage_harmless),
            (&mut self.damage_unnoticed, other.damage_unnoticed),
            (&mut self.torn_tails, other.torn_tails),
            (&mut self.snapshots, other.snapshots),
            (&mut self.from_snapshot, other.from_snapshot),
            (&mut self.passed_over, other.passed_over),
            (&mut self.shortened, other.shortened),
            (&mut self.cuts, other.cuts),
            (&mut self.cuts_interrupted, other.cuts_interrupted),
            (&mut self.healed, other.healed),
            (&mut self.not_healed, other.not_healed),
            (&mut self.records, other.records),
            (&mut self.acknowledged, other.acknowledged),
            (&mut self.calls, other.calls),
        ];
        pairs.into_iter().for_each(|(sum, more)| *sum += more);
        self.has_missed |= other.has_missed;
    }
}

/// How a life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Finished,
    Died(Stop),
    /// The exchange stopped with an error.
    Failed(String),
    /// The journal does not open, and rightly so: the story is over.
    Refused,
}

/// The story of one seed as it unfolds.
#[derive(Debug)]
pub struct Story {
    random: Random,
    disk: SimulatedDisk,
    clients: Clients,
    witness: Witness,
    settings: Settings,
    weather: Weather,
    script: Option<Script>,
    /// That of this life.
    act: Option<Act>,
    plan: Plan,
    /// Chance of what happens beside the exchange: a stream of its own.
    beside: Random,
    following: Following,
    /// A cut that was begun and has not come to its end.
    pending_cut: Option<u64>,
    /// Everything before this sequence may be removed.
    removable: u64,
    /// The one file that rotted.
    rotten: Option<PathBuf>,
    /// What was promised at starts that ended before they could be examined: the first of them may have cut what is
    /// behind it, and noted that cut in its place.
    unexamined: Promise,
    /// What waits to be sent in the next life.
    unanswered: Vec<RecordBuffer>,
    /// The disk broke its word at some time, in some way.
    is_damaged: bool,
    /// Some machine lost power, so what was not synced may be gone.
    was_cut: bool,
    /// Accounts and instruments are there.
    is_set_up: bool,
    tally: Tally,
    words: Option<Vec<String>>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Ending {
    pub tally: Tally,
    pub verdict: Result<(), Violation>,
    /// Whether every armed fault struck.
    pub is_disarmed: bool,
    /// What happened, in words; empty unless asked for.
    pub words: Vec<String>,
}

const SEGMENT_SIZE: u64 = 8192;

impl Story {
    /// A story of which everything is left to the seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let weather = match random.below(10) {
            0..5 => Weather::PowerCuts,
            5..8 => Weather::Failures,
            _ => Weather::Damage,
        };
        let disk = SimulatedDisk::new(random.number());
        let clients = Clients::new(random.fork());
        let settings = settings(&mut random);
        let mut beside = Random::new(seed ^ 0x0BE5_1DE0_0BE5_1DE0);
        let plan = Plan::of(&mut beside);
        Story {
            random,
            act: None,
            plan,
            beside,
            following: Following::default(),
            pending_cut: None,
            removable: 0,
            rotten: None,
            unexamined: Promise::Everything,
            disk,
            clients,
            witness: Witness::default(),
            settings,
            weather,
            script: None,
            unanswered: Vec::new(),
            is_damaged: false,
            was_cut: false,
            is_set_up: false,
            tally: Tally::default(),
            words: None,
        }
    }

    /// A story whose lives are as the script has them; what is traded, and what a power cut takes, is the seed's.
    pub fn scripted(seed: u64, durability: Durability, script: Script) -> Self {
        let story = Story::new(seed);
        let settings = settings_of(durability);
        Story { script: Some(script), settings, weather: Weather::PowerCuts, plan: Plan::ALL, ..story }
    }

    /// With nothing beside the exchange.
    pub fn alone(self) -> Self {
        Story { plan: Plan::NOTHING, ..self }
    }

    /// Tells it in words, every call of the disk included.
    pub fn aloud(mut self) -> Self {
        self.disk.trace();
        self.words = Some(Vec::new());
        self
    }

    /// On a disk that breaks a promise all the time.
    pub fn on_broken(self, broken: Broken) -> Self {
        self.disk.break_promises(broken);
        self
    }

    pub fn disk(&self) -> &SimulatedDisk {
        &self.disk
    }

    pub fn weather(&self) -> Weather {
        self.weather
    }

    /// Lives all its lives.
    pub fn run(mut self) -> Ending {
        let verdict = self.live_all();
        self.tally.calls = self.disk.calls();
        let mut words = self.words.take().unwrap_or_default();
        words.extend(self.disk.take_trace().into_iter().map(indented));
        if let Err(violation) = &verdict {
            words.push(format!("VIOLATION: {violation}"));
        }
        let is_disarmed = !self.tally.has_missed;
        Ending { tally: self.tally, verdict, is_disarmed, words }
    }

    fn say(&mut self, words: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.words {
            lines.extend(self.disk.take_trace().into_iter().map(indented));
            lines.push(words());
        }
    }

    fn live_all(&mut self) -> Result<(), Violation> {
        let (weather, mode) = (self.weather.words(), self.settings.durability.name());
        self.say(|| format!("weather: {weather}; durability {mode}"));
        let lives = match &self.script {
            Some(script) => script.lives.len() as u64,
            None => self.random.between(1, 4),
        };
        for life in 1..=lives {
            self.say(|| format!("life {life}"));
            let exit = self.arm(life as usize - 1);
            let end = self.live(exit)?;
            self.say(|| format!("life {life} ended: {end:?}"));
            if end == End::Refused {
                return Ok(());
            }
            self.die(exit);
        }
        self.say(|| "last start, nothing fails".to_owned());
        self.act = None;
        let end = self.live(Exit::Close)?;
        self.say(|| format!("the end: {end:?}"));
        match end {
            End::Died(_) | End::Failed(_) => Err(Violation {
                rule: Rule::EngineMustGoOn,
                found: format!("on a disk that works again the exchange ended with {end:?}"),
            }),
            End::Finished | End::Refused => Ok(()),
        }
    }

    /// Chooses what will go wrong in this life, and how it ends if nothing does.
    fn arm(&mut self, life: usize) -> Exit {
        self.act = self.script.as_ref().and_then(|script| script.lives.get(life)).cloned();
        if let Some(act) = &self.act {
            act.faults.iter().for_each(|(trigger, fault)| self.disk.arm(*trigger, *fault));
            return act.exit;
        }
        let random = &mut self.random;
        let nth = random.between(1, 120);
        let death = match random.below(4) {
            0 | 1 => Some(Fault::PowerCut(None)),
            2 => Some(Fault::Abort),
            _ => None,
        };
        if let Some(death) = death {
            self.disk.arm(Trigger { call: None, nth }, death);
        }
        self.arm_weather();
        match self.random.below(4) {
            0 => Exit::Kill,
            1 => Exit::PowerCut(self.random.pick(&Manner::ALL)),
            _ => Exit::Close,
        }
    }

    fn arm_weather(&mut self) {
        let random = &mut self.random;
        let nth = random.between(1, 30);
        let errors =
            [Fault::Error(EIO), Fault::Error(ENOSPC), Fault::Error(EINTR), Fault::Short, Fault::Delay];
        let (calls, faults) = match self.weather {
            Weather::PowerCuts => return,
            // one damage per story: two at once may be more than one watermark can tell
            Weather::Damage if self.is_damaged => return,
            Weather::Failures => (&Call::ALL[..], &errors[..]),
            Weather::Damage => {
                (&[Call::Write, Call::Sync, Call::SyncDirectory][..], &[Fault::Misdirect, Fault::Lose][..])
            }
        };
        // of all calls most are writes and syncs: so shall be those that fail
        let call =
            if random.once_in(2) { random.pick(&[Call::Write, Call::Sync]) } else { random.pick(calls) };
        self.disk.arm(Trigger { call: Some(call), nth }, random.pick(faults));
    }

    /// Ends the life if it has not ended, and makes the machine ready for the next.
    fn die(&mut self, exit: Exit) {
        match (self.disk.stop(), exit) {
            (None, Exit::PowerCut(manner)) => self.disk.cut_power_in(manner),
            (None, Exit::Kill) => self.disk.kill_process(),
            _ => {}
        }
        match self.disk.stop() {
            Some(Stop::PowerCut) => {
                self.tally.power_cuts += 1;
                self.was_cut = true;
            }
            Some(Stop::Aborted) => self.tally.aborts += 1,
            None => {}
        }
        self.count_faults();
        self.tally.has_missed |= !self.disk.is_disarmed();
        self.disk.disarm();
        let may_rot = self.script.is_none() && self.weather == Weather::Damage && !self.is_damaged;
        if may_rot && self.random.once_in(2) {
            self.rot();
        }
    }

    fn count_faults(&mut self) {
        for (call, fault) in self.disk.take_struck() {
            self.tally.faults += 1;
            self.is_damaged |= fault.is_lie();
            // what a failed sync dropped is as good as lost in a power cut
            self.was_cut |= call == Call::Sync && matches!(fault, Fault::Error(_));
        }
    }

    /// Flips a bit somewhere in what was written.
    fn rot(&mut self) {
        let files = self.disk.files();
        let filled: Vec<_> = files.iter().filter(|(_, length)| *length > 0).collect();
        if filled.is_empty() {
            return;
        }
        let (path, length) = filled[self.random.index(filled.len())];
        let bit = self.random.index(length * 8);
        self.disk.flip(path, bit);
        self.is_damaged = true;
        self.rotten = Some(path.clone());
        self.say(|| format!("bit {bit} of {} flips", path.display()));
    }

    fn live(&mut self, exit: Exit) -> Result<End, Violation> {
        self.disk.restart_process();
        self.following = Following::default();
        self.tally.lives += 1;
        if let Some(end) = self.care()? {
            return Ok(end);
        }
        let started = match self.start() {
            Ok(exchange) => exchange,
            Err(error) => return self.judge_refusal(&error),
        };
        let Some(exchange) = started? else { return Ok(self.dead()) };
        let end = self.trade(exchange, exit)?;
        self.count_faults();
        Ok(end)
    }

    fn dead(&self) -> End {
        self.disk.stop().map_or_else(|| End::Failed("it did not start".to_owned()), End::Died)
    }

    /// The exchange, started and looked at; none when it died meanwhile.
    fn start(&mut self) -> Result<Result<Option<Exchange>, Violation>, StartError> {
        let promised = self.promised().and(self.unexamined);
        self.unexamined = promised;
        let durable = watermark::on(&self.disk);
        let restarted = match Exchange::restart(&self.disk, self.witness.told()) {
            Ok(restarted) => restarted,
            Err(StartError::Journal(JournalError::NotAJournal { .. }))
                if self.witness.acknowledged() == 0 || promised == Promise::UpTo(0) =>
            {
                return Ok(Ok(Some(self.begin()?)));
            }
            Err(error) => return Err(error),
        };
        if self.disk.stop().is_some() {
            return Ok(Ok(None));
        }
        let last = restarted.exchange.sequence();
        if last < durable {
            let found = format!("the watermark was at {durable}, the exchange started at {last}");
            return Ok(Err(Violation { rule: Rule::AcknowledgedMustSurvive, found }));
        }
        self.unexamined = Promise::Everything;
        Ok(self.examine(restarted, promised).map(Some))
    }

    fn begin(&mut self) -> Result<Exchange, StartError> {
        for (path, _) in self.disk.files() {
            if path.starts_with(snapshots_path()) {
                self.disk.erase(&path); // of a history that is gone
            }
        }
        let exchange = Exchange::create(&self.disk, self.settings)?;
        self.witness = Witness::default();
        (self.is_set_up, self.removable) = (false, 0);
        self.unexamined = Promise::Everything;
        self.say(|| "a new journal begins".to_owned());
        Ok(exchange)
    }

    /// Holds what started again against what was seen.
    fn examine(&mut self, restarted: Restarted, promised: Promise) -> Result<Exchange, Violation> {
        self.count_faults();
        let Restarted { mut exchange, report, first_sequence, records } = restarted;
        let was_cut_off = report.recovery.cut.is_some();
        self.tally.torn_tails += u64::from(was_cut_off);
        self.tally.from_snapshot += u64::from(report.snapshot.is_some());
        self.tally.passed_over += report.rejected.len() as u64;
        self.tally.shortened += u64::from(first_sequence > 1);
        if first_sequence > self.removable.max(1) {
            let removable = self.removable;
            let found = format!("the journal begins with {first_sequence}, {removable} and later is needed");
            return Err(Violation { rule: Rule::NeededMustStay, found });
        }
        let last = exchange.sequence();
        let snapshot_at = self.random.below(last + 1);
        let snapshots = whole_snapshots(&self.disk);
        let found = Found { records: &records, engine: exchange.engine(), snapshots: &snapshots };
        let events = self.witness.check(&found, promised, snapshot_at)?;
        self.check_seals()?;
        let acknowledged = self.witness.acknowledged();
        self.tally.damage_harmless += u64::from(self.is_damaged && last >= acknowledged);
        self.tally.damage_unnoticed += u64::from(self.is_damaged && last < acknowledged && !was_cut_off);
        self.say(|| format!("started again at sequence {last}; {acknowledged} was acknowledged"));
        self.unanswered = orders_again(self.witness.told().after(acknowledged));
        self.is_set_up = last > 0;
        self.witness.accept(&records, events);
        self.witness.note_hash(last, exchange.state_hash());
        Ok(exchange)
    }

    /// What must be left of what was acknowledged: everything, in a mode that promises it, whatever happened; and where
    /// the disk broke its word, or the mode promises less, what the watermark and the newest whole snapshot name.
    fn promised(&self) -> Promise {
        let mode = self.settings.durability;
        let is_kept = (mode.syncs_commits() || !self.was_cut) && (is_exact(mode) || !self.is_damaged);
        if is_kept {
            return Promise::Everything;
        }
        let saved = whole_snapshots(&self.disk).last().map_or(0, |newest| newest.sequence);
        Promise::UpTo(watermark::on(&self.disk).max(saved))
    }

    /// Modes without a sync may be left with anything by a power cut.
    fn may_break(&self) -> bool {
        !self.settings.durability.syncs() && self.was_cut
    }

    /// A journal that does not open: rightly, when the disk is dead, failed just now, or was damaged.
    fn judge_refusal(&mut self, error: &StartError) -> Result<End, Violation> {
        if let Some(stop) = self.disk.stop() {
            return Ok(End::Died(stop));
        }
        let faults = self.tally.faults;
        self.count_faults();
        let has_failed = self.tally.faults > faults;
        self.say(|| format!("refused: {error}"));
        if matches!(error, StartError::Engine(_)) && !has_failed {
            return Err(Violation { rule: Rule::EngineMustGoOn, found: error.to_string() });
        }
        if self.rotten.as_ref().is_some_and(|path| self.must_pass_over(path))
            && !has_failed
            && !self.may_break()
        {
            return Err(Violation { rule: Rule::DamagedSnapshotMustBePassedOver, found: error.to_string() });
        }
        if self.is_damaged || self.may_break() {
            self.tally.damage_noticed += u64::from(self.is_damaged);
            self.heal()?;
            return Ok(End::Refused);
        }
        if has_failed {
            return Ok(End::Failed(error.to_string()));
        }
        Err(Violation { rule: Rule::UndamagedMustOpen, found: error.to_string() })
    }

    /// Clients trade until the exchange dies, fails, or has done enough.
    fn trade(&mut self, mut exchange: Exchange, exit: Exit) -> Result<End, Violation> {
        if !self.is_set_up {
            set_up().into_iter().for_each(|command| exchange.submit(command));
        }
        std::mem::take(&mut self.unanswered).into_iter().for_each(|order| exchange.submit(order));
        let steps = if self.script.is_some() { 12 } else { self.random.between(3, 25) };
        for _ in 0..steps {
            if let Err(end) = self.trade_once(&mut exchange) {
                return Ok(end);
            }
            if let Some(end) = self.follow(&mut exchange)? {
                return Ok(end);
            }
        }
        if exit != Exit::Close {
            return Ok(self.after(&mut exchange, End::Finished));
        }
        let end = match exchange.close() {
            Ok(()) => End::Finished,
            Err(error) => End::Failed(error.to_string()),
        };
        Ok(self.after(&mut exchange, end))
    }

    fn trade_once(&mut self, exchange: &mut Exchange) -> Result<(), End> {
        for _ in 0..self.random.between(0, 8) {
            exchange.submit(self.clients.next(exchange.time()));
        }
        let delay = self.disk.take_delay();
        if delay > 0 || self.random.once_in(4) {
            let time = exchange.time() + delay + self.random.between(1, 1_000_000_000);
            let time = exchange.next_due().map_or(time, |due| due.min(time));
            let advanced = exchange.advance_clock(time);
            self.look(exchange, advanced.map_err(|error| error.to_string()))?;
        }
        loop {
            let polled = exchange.poll(self.random.between(1, 12) as usize);
            let poll = polled.as_ref().ok().copied();
            self.look(exchange, polled.map(|_| ()).map_err(|error| error.to_string()))?;
            if poll == Some(Poll::Idle) {
                return Ok(());
            }
        }
    }

    /// The witness looks at what came out.
    fn look(&mut self, exchange: &mut Exchange, result: Result<(), String>) -> Result<(), End> {
        match result {
            Ok(()) if self.disk.stop().is_none() => {
                self.observe(exchange);
                Ok(())
            }
            Ok(()) => Err(self.after(exchange, End::Finished)),
            Err(error) => Err(self.after(exchange, End::Failed(error))),
        }
    }

    fn observe(&mut self, exchange: &mut Exchange) {
        let events = exchange.take_output();
        self.witness.see(&events, exchange.durable_sequence());
        self.witness.note_hash(exchange.sequence(), exchange.state_hash());
    }

    /// How the life ended, and what the witness knows of it.
    fn after(&mut self, exchange: &mut Exchange, end: End) -> End {
        let stop = self.disk.stop();
        if stop.is_none() {
            // also after a failure: what it lets out then counts
            self.observe(exchange);
        }
        self.witness.note_hash(exchange.sequence(), exchange.state_hash());
        let told = exchange.told();
        self.tally.records += told.last_sequence().saturating_sub(self.witness.told().last_sequence());
        self.tally.acknowledged = self.tally.acknowledged.max(self.witness.acknowledged());
        self.witness.note_told(told);
        stop.map_or(end, End::Died)
    }
}

/// Whether the journal knows exactly up to where it was acknowledged.
pub(crate) fn is_exact(durability: Durability) -> bool {
    durability == Durability::Strict
}

fn settings(random: &mut Random) -> Settings {
    let often = [Durability::Batch, Durability::Strict];
    settings_of(if random.once_in(2) { random.pick(&often) } else { random.pick(Durability::ALL.as_slice()) })
}

/// A small journal in this mode.
pub fn settings_of(durability: Durability) -> Settings {
    Settings::of(durability, Content::Full).with_segment_size(SEGMENT_SIZE)
}

fn indented(line: String) -> String {
    format!("    {line}")
}

/// Runs one seed.
pub fn run(seed: u64) -> Ending {
    Story::new(seed).run()
}

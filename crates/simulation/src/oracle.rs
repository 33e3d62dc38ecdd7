//! What must be true after every start, whatever the disk did.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use openbell_kernel::command::{DepositCash, WithdrawCash};
use openbell_kernel::engine::Engine;
use openbell_kernel::event::{FillPayload, OrderSubmitted};
use openbell_kernel::message::Message;
use openbell_kernel::record::{Body, Slot, flags, payload};
use openbell_kernel::state::{State, StateReader, StateWriter};

use crate::beside::Saved;
use crate::clients::CURRENCY;
use crate::exchange::{Fold, Told, records};

/// What was broken. The words are those of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    AcknowledgedMustSurvive,
    RecordsMustBeThoseTold,
    EventsMustRepeat,
    HashesMustAgree,
    MoneyMustBeConserved,
    QuantityMustBeConserved,
    OrdersMustBeUnique,
    UndamagedMustOpen,
    EngineMustGoOn,
    /// What a restart needs is not removed.
    NeededMustStay,
    /// A snapshot that is said to be saved is whole.
    SavedMustBeWhole,
    /// A follower goes on while nothing fails.
    FollowerMustGoOn,
    /// One damaged snapshot stops nobody: the one before it or the journal's begin serves.
    DamagedSnapshotMustBePassedOver,
    /// A cut that was begun keeps the journal shut until it is finished.
    CutMustBeFinished,
    /// Sealed history that nobody touched is proven.
    SealsMustProve,
}

impl Rule {
    pub const fn name(self) -> &'static str {
        match self {
            Rule::AcknowledgedMustSurvive => "ACKNOWLEDGED_MUST_SURVIVE",
            Rule::RecordsMustBeThoseTold => "RECORDS_MUST_BE_THOSE_TOLD",
            Rule::EventsMustRepeat => "EVENTS_MUST_REPEAT",
            Rule::HashesMustAgree => "HASHES_MUST_AGREE",
            Rule::MoneyMustBeConserved => "MONEY_MUST_BE_CONSERVED",
            Rule::QuantityMustBeConserved => "QUANTITY_MUST_BE_CONSERVED",
            Rule::OrdersMustBeUnique => "ORDERS_MUST_BE_UNIQUE",
            Rule::UndamagedMustOpen => "UNDAMAGED_MUST_OPEN",
            Rule::EngineMustGoOn => "ENGINE_MUST_GO_ON",
            Rule::NeededMustStay => "NEEDED_MUST_STAY",
            Rule::SavedMustBeWhole => "SAVED_MUST_BE_WHOLE",
            Rule::FollowerMustGoOn => "FOLLOWER_MUST_GO_ON",
            Rule::DamagedSnapshotMustBePassedOver => "DAMAGED_SNAPSHOT_MUST_BE_PASSED_OVER",
            Rule::CutMustBeFinished => "CUT_MUST_BE_FINISHED",
            Rule::SealsMustProve => "SEALS_MUST_PROVE",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} does not hold: {}", self.rule.name(), self.found)
    }
}

fn violation<T>(rule: Rule, found: String) -> Result<T, Violation> {
    Err(Violation { rule, found })
}

/// Stands outside and remembers what it saw leave the exchange.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    /// Every event that was released, in order.
    events: Vec<Slot>,
    /// Everything up to this sequence was acknowledged.
    acknowledged: u64,
    /// All records told, acknowledged or not.
    told: Told,
    /// State hashes while it ran, by sequence.
    hashes: BTreeMap<u64, u128>,
}

impl Witness {
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub fn told(&self) -> &Told {
        &self.told
    }

    /// The exchange released `events` and says everything up to `durable` is safe.
    pub fn see(&mut self, events: &[Slot], durable: u64) {
        self.events.extend_from_slice(events);
        let released = events.last().map_or(0, |event| event.sequence);
        self.acknowledged = self.acknowledged.max(durable).max(released);
    }

    pub fn note_hash(&mut self, sequence: u64, hash: u128) {
        self.hashes.insert(sequence, hash);
    }

    pub fn note_told(&mut self, told: Told) {
        self.told = told;
    }

    /// A person accepted the loss of what follows `sequence`.
    pub fn accept_cut(&mut self, sequence: u64) {
        self.told.truncate(sequence);
        self.acknowledged = self.acknowledged.min(sequence);
        self.events.retain(|event| event.sequence <= sequence);
        self.hashes.retain(|&at, _| at <= sequence);
    }

    /// Takes what the exchange has now for what happened; used where more than that was promised to nobody.
    pub fn accept(&mut self, records: &[Slot], events: Vec<Slot>) {
        let told = Told::of(records);
        self.acknowledged = told.last_sequence();
        self.hashes.clear();
        self.told = told;
        self.events = events;
    }

    /// Compares what a restarted exchange has with what was seen. `kept` is what the mode and the kind of death
    /// promise; another snapshot is taken and restored at `cut_at`. Returns all events of the history.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn check(&self, found: &Found<'_>, kept: Promise, cut_at: u64) -> Result<Vec<Slot>, Violation> {
        let kept_until = self.check_records(found.records)?;
        let acknowledged = self.acknowledged.min(kept.until());
        if kept_until < acknowledged {
            let found =
                format!("sequence {acknowledged} was acknowledged, {kept_until} is the last that is left");
            return violation(Rule::AcknowledgedMustSurvive, found);
        }
        let events = self.check_hashes(found, kept_until, cut_at)?;
        self.check_events(&events, kept_until)?;
        check_orders(&events)?;
        check_quantities(found.engine)?;
        check_money(found, &events)?;
        Ok(events)
    }

    /// Every record once, in order, byte-equal. What was told and is not there was acknowledged to nobody; behind what
    /// is there stands at most what the journal noted itself. Returns the last sequence that is left of what was told.
    fn check_records(&self, found: &[Slot]) -> Result<u64, Violation> {
        let mut told = records(self.told.up_to(u64::MAX));
        let mut has_ended = false;
        let mut kept_until = 0;
        for record in records(found) {
            let told = told.next();
            if !has_ended && told == Some(record) {
                kept_until = record[0].sequence;
                continue;
            }
            has_ended = true;
            if record[0].message != Message::JournalCut as u16 {
                let (sequence, told, found) = (record[0].sequence, told.map(words), words(record));
                let found = format!("sequence {sequence} was {told:?} and is {found} now");
                return violation(Rule::RecordsMustBeThoseTold, found);
            }
        }
        Ok(kept_until)
    }

    fn check_events(&self, found: &[Slot], kept_until: u64) -> Result<(), Violation> {
        let count = self.events.len().min(found.len());
        let differs = (0..count).find(|&index| self.events[index] != found[index]);
        if let Some(index) = differs {
            let (seen, now) = (self.events[index], found[index]);
            let found = format!(
                "event {index} was message {} of sequence {}, and is message {} of sequence {} now",
                seen.message, seen.sequence, now.message, now.sequence
            );
            return violation(Rule::EventsMustRepeat, found);
        }
        if kept_until >= self.acknowledged && count < self.events.len() {
            let (seen, now) = (self.events.len(), found.len());
            return violation(
                Rule::EventsMustRepeat,
                format!("{seen} slots of events were seen, {now} are there"),
            );
        }
        Ok(())
    }

    /// The fold from genesis goes through every state that anybody has: the live exchange's while it ran, the
    /// snapshots', and at the end that of the exchange which started again and of every snapshot with its tail.
    /// Returns its events.
    fn check_hashes(&self, found: &Found<'_>, kept_until: u64, cut_at: u64) -> Result<Vec<Slot>, Violation> {
        let history = Told::of(found.records);
        let last = history.last_sequence();
        let mut stops: BTreeMap<u64, Vec<Stop<'_>>> = BTreeMap::new();
        stops.entry(cut_at.min(last)).or_default().push(Stop::Save);
        let seen = self.hashes.iter().filter(|(at, _)| **at <= kept_until);
        seen.for_each(|(&at, &hash)| stops.entry(at).or_default().push(Stop::Live(hash)));
        for saved in found.snapshots {
            stops.entry(saved.sequence).or_default().push(Stop::Snapshot(&saved.engine));
        }
        let (mut fold, mut at) = (Fold::of(&[]).map_err(engine_stops)?, 0);
        let mut restored = Vec::new();
        for (sequence, stops) in stops {
            fold.go_on(history.between(at, sequence)).map_err(engine_stops)?;
            at = sequence.max(at);
            let genesis = fold.engine.state_hash();
            for stop in stops {
                let (who, hash) = match stop {
                    Stop::Live(hash) => ("the exchange while it ran", hash),
                    Stop::Snapshot(engine) => {
                        let mut engine = engine.clone();
                        let hash = engine.state_hash();
                        restored.push((sequence, engine));
                        ("a snapshot", hash)
                    }
                    Stop::Save => {
                        let mut engine = saved_and_restored(&fold.engine)?;
                        let hash = engine.state_hash();
                        restored.push((sequence, engine));
                        ("a state that was written and read", hash)
                    }
                };
                require_same(who, sequence, hash, genesis)?;
            }
        }
        fold.go_on(history.after(at)).map_err(engine_stops)?;
        let genesis = fold.engine.state_hash();
        require_same("the exchange that started again", last, found.engine.clone().state_hash(), genesis)?;
        for (sequence, engine) in restored {
            let mut tail = Fold { engine, events: Vec::new() };
            tail.go_on(history.after(sequence)).map_err(engine_stops)?;
            require_same("a snapshot and its tail", last, tail.engine.state_hash(), genesis)?;
        }
        Ok(fold.events)
    }
}

/// Where the fold from genesis is compared.
enum Stop<'a> {
    Live(u128),
    Snapshot(&'a Engine),
    /// A snapshot is taken here and restored.
    Save,
}

fn require_same(who: &str, sequence: u64, hash: u128, genesis: u128) -> Result<(), Violation> {
    if hash == genesis {
        return Ok(());
    }
    let found = format!("at sequence {sequence} {who} has another state than a fold from genesis");
    violation(Rule::HashesMustAgree, found)
}

fn engine_stops(error: impl fmt::Display) -> Violation {
    Violation { rule: Rule::EngineMustGoOn, found: error.to_string() }
}

/// What an exchange that was started again has.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The whole history.
    pub records: &'a [Slot],
    pub engine: &'a Engine,
    /// Snapshots that are whole.
    pub snapshots: &'a [Saved],
}

/// What must be left after a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Everything acknowledged.
    Everything,
    /// Everything acknowledged up to this sequence, which the watermark or a snapshot names; whatever is left is a
    /// beginning of what was told.
    UpTo(u64),
}

impl Promise {
    /// The smaller of two.
    pub fn and(self, other: Promise) -> Promise {
        match self.until().min(other.until()) {
            u64::MAX => Promise::Everything,
            sequence => Promise::UpTo(sequence),
        }
    }

    fn until(self) -> u64 {
        match self {
            Promise::Everything => u64::MAX,
            Promise::UpTo(sequence) => sequence,
        }
    }
}

fn words(record: &[Slot]) -> String {
    openbell_kernel::node::describe(record)
}

fn saved_and_restored(engine: &Engine) -> Result<Engine, Violation> {
    let mut writer = StateWriter::new();
    engine.write(&mut writer);
    let bytes = writer.into_bytes();
    let restored = Engine::read(&mut StateReader::new(&bytes));
    restored.map_err(|error| Violation { rule: Rule::HashesMustAgree, found: error.to_string() })
}

/// A client's order id is one order, however often it was sent.
fn check_orders(events: &[Slot]) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for event in records(events).map(|event| &event[0]) {
        if event.message != Message::OrderSubmitted as u16 || event.has(flags::REPEATED) {
            continue;
        }
        let body = OrderSubmitted::of(event);
        if !seen.insert((event.account, body.client_order_id)) {
            let found = format!(
                "client order id {} of account {} is more than one order",
                body.client_order_id, event.account
            );
            return violation(Rule::OrdersMustBeUnique, found);
        }
    }
    Ok(())
}

/// What one account bought another sold.
fn check_quantities(engine: &Engine) -> Result<(), Violation> {
    for instrument in 1..=crate::clients::INSTRUMENTS {
        let sum: i64 = engine.portfolio().accounts().map(|account| account.quantity(instrument)).sum();
        if sum != 0 {
            let found = format!("positions in instrument {instrument} sum to {sum}");
            return violation(Rule::QuantityMustBeConserved, found);
        }
    }
    for order in engine.orders().iter() {
        let (filled, wanted) = (order.cumulative_quantity, order.terms.quantity);
        if filled > wanted || filled < 0 {
            let found = format!("order {} filled {filled} of {wanted}", order.order_id);
            return violation(Rule::QuantityMustBeConserved, found);
        }
    }
    Ok(())
}

/// Cash of all accounts = deposits - withdrawals - fees.
fn check_money(found: &Found<'_>, events: &[Slot]) -> Result<(), Violation> {
    let refused: BTreeSet<u64> = records(events)
        .filter(|event| event[0].message == Message::CommandRefused as u16)
        .map(|event| event[0].sequence)
        .collect();
    let paid_in: i128 = records(found.records)
        .filter(|record| !refused.contains(&record[0].sequence))
        .map(|record| paid_in_by(&record[0]))
        .sum();
    let fees: i128 = records(events)
        .filter(|event| event[0].message == Message::OrderFilled as u16)
        .filter_map(payload::<FillPayload>)
        .map(|fill| i128::from(fill.fee_nano))
        .sum();
    let currency = CURRENCY as u32;
    let cash: i128 = found.engine.portfolio().accounts().map(|account| account.cash_in(currency)).sum();
    if cash != paid_in - fees {
        let found = format!("{cash} nano of cash, {paid_in} paid in, {fees} of fees");
        return violation(Rule::MoneyMustBeConserved, found);
    }
    Ok(())
}

fn paid_in_by(head: &Slot) -> i128 {
    match Message::from_number(head.message) {
        Some(Message::DepositCash) => i128::from(DepositCash::of(head).amount_nano),
        Some(Message::WithdrawCash) => -i128::from(WithdrawCash::of(head).amount_nano),
        _ => 0,
    }
}

//! Policies that share a level among its orders, by the steps futures venues publish.
//!
//! The steps and their order are those of CME Globex ("Matching Algorithm Steps", client systems wiki): TOP,
//! lead market makers, split, pro rata, leveling, and time for what is left. An algorithm is a choice of steps:
//!
//! | CME | constructor | steps |
//! |---|---|---|
//! | F | [`super::PriceTime`] | time |
//! | C | [`AllocationPolicy::pro_rata`] | pro rata, time |
//! | A | [`AllocationPolicy::top_pro_rata`] | TOP, pro rata, time |
//! | O | [`AllocationPolicy::threshold_pro_rata`] | TOP within bounds, pro rata with a minimum, time |
//! | Q | `threshold_pro_rata` with [`AllocationPolicy::with_lead`] | TOP, lead, pro rata, time |
//! | T | [`AllocationPolicy::lead`] | lead, time |
//! | S | [`AllocationPolicy::top_lead`] | TOP, lead, time |
//! | K | [`AllocationPolicy::split`] | TOP, lead, a share by time, the rest pro rata, leveling, time |
//!
//! Each step works on what the steps before it left, both of the aggressor and of the orders. Shares are rounded
//! down; a pro-rata share below the minimum is none. Leveling gives a unit to those whose share was calculated as
//! less than one ("Matching Algorithm Changes for Legacy CBOT ... Futures", Globex notice of 12 May 2008), not to
//! those that the minimum left out. Icebergs share by what they show. When the aggressor takes
//! the whole level, reserves included, it goes by time (CME's FIFO exception). Each order that gets something
//! trades once per round, in time order.

use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;

use super::asked::AskedPolicy;
use super::index;
use super::policy::{LevelQueue, MatchingPolicy, PriceTime, RestingOrder};
use super::report::ReportSink;
use super::self_trade::SelfTradeGuard;

/// Shares are in millionths.
pub const WHOLE: u32 = 1_000_000;

/// Priority of the order that bettered the market: first at a new best price of its side. It keeps it until it
/// leaves, loses its place or is bettered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopStep {
    /// An order smaller than this does not become TOP.
    pub minimum: i64,
    /// Most it gets of one aggressor.
    pub maximum: i64,
    /// Most it gets of one aggressor, in millionths of the aggressor.
    pub share: u32,
}

impl TopStep {
    /// Any size, without bound.
    pub const WHOLE: TopStep = TopStep { minimum: 1, maximum: i64::MAX, share: WHOLE };
}

/// The pro-rata step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProRataStep {
    /// A rounded share below this is none.
    pub minimum: i64,
}

/// A lead market maker's guaranteed share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadShare {
    pub account: u32,
    /// In millionths of the aggressor after TOP.
    pub share: u32,
}

/// An order of the level being shared.
#[derive(Clone, Copy, Debug)]
struct Claim {
    order: RestingOrder,
    /// What it has left for the next step.
    open: i64,
    given: i64,
    /// Its pro-rata share is less than one unit.
    dust: bool,
}

impl Claim {
    fn new(order: RestingOrder, open: i64) -> Self {
        Claim { order, open, given: 0, dust: false }
    }
}

/// Shares a level by steps. See the module's table.
#[derive(Clone, Debug, Default)]
pub struct AllocationPolicy {
    top: Option<TopStep>,
    lead: Vec<LeadShare>,
    /// Share that goes by time before pro rata, in millionths.
    by_time: u32,
    pro_rata: Option<ProRataStep>,
    /// One unit to each order whose pro-rata share is less than one, in time order.
    leveling: bool,
    /// TOP of buys and of sells.
    tops: [Option<u64>; 2],
    /// Memory reused from level to level.
    claims: Vec<Claim>,
}

impl PartialEq for AllocationPolicy {
    fn eq(&self, other: &Self) -> bool {
        let terms =
            |policy: &Self| (policy.top, policy.by_time, policy.pro_rata, policy.leveling, policy.tops);
        terms(self) == terms(other) && self.lead == other.lead
    }
}

impl Eq for AllocationPolicy {}

impl AllocationPolicy {
    /// CME C.
    pub fn pro_rata(minimum: i64) -> Self {
        AllocationPolicy { pro_rata: Some(ProRataStep { minimum }), ..Self::default() }
    }

    /// CME A, whose published minimum is 2.
    pub fn top_pro_rata(minimum: i64) -> Self {
        AllocationPolicy { top: Some(TopStep::WHOLE), ..Self::pro_rata(minimum) }
    }

    /// CME O.
    pub fn threshold_pro_rata(top: TopStep, minimum: i64) -> Self {
        AllocationPolicy { top: Some(top), ..Self::pro_rata(minimum) }
    }

    /// CME T.
    pub fn lead(lead: Vec<LeadShare>) -> Self {
        AllocationPolicy { lead, ..Self::default() }
    }

    /// CME S.
    pub fn top_lead(top: TopStep, lead: Vec<LeadShare>) -> Self {
        AllocationPolicy { top: Some(top), ..Self::lead(lead) }
    }

    /// CME K without TOP and lead: `by_time` millionths go by time (rounded down), the rest pro rata.
    pub fn split(by_time: u32, minimum: i64, leveling: bool) -> Self {
        AllocationPolicy { by_time, leveling, ..Self::pro_rata(minimum) }
    }

    /// The same with a TOP step.
    #[must_use]
    pub fn with_top(self, top: TopStep) -> Self {
        AllocationPolicy { top: Some(top), ..self }
    }

    /// The same with lead market makers.
    #[must_use]
    pub fn with_lead(self, lead: Vec<LeadShare>) -> Self {
        AllocationPolicy { lead, ..self }
    }

    /// Looks at the settings, before they are used.
    ///
    /// # Errors
    /// `FieldMustBeInRange` for shares that together exceed the whole, negative minimums, or a TOP whose
    /// maximum is below its minimum.
    pub fn check(&self) -> Result<(), Refusal> {
        let lead: u64 = self.lead.iter().map(|lead| u64::from(lead.share)).sum();
        let top = self.top.unwrap_or(TopStep::WHOLE);
        let minimum = self.pro_rata.map_or(0, |step| step.minimum);
        let whole = i128::from(WHOLE);
        let checks = [
            (i128::from(lead) > whole, whole, i128::from(lead)),
            (self.by_time > WHOLE, whole, i128::from(self.by_time)),
            (top.share > WHOLE, whole, i128::from(top.share)),
            (top.minimum < 0, 0, i128::from(top.minimum)),
            (top.maximum < top.minimum, i128::from(top.minimum), i128::from(top.maximum)),
            (minimum < 0, 0, i128::from(minimum)),
        ];
        match checks.into_iter().find(|(broken, ..)| *broken) {
            Some((_, limit, actual)) => Err(Refusal::new(Rule::FieldMustBeInRange, limit, actual)),
            None => Ok(()),
        }
    }

    /// The order with TOP priority.
    pub fn top_order(&self, side: Side) -> Option<u64> {
        self.tops[index(side)]
    }

    fn give_top<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        queue: &LevelQueue<'_, S, G>,
        incoming: i64,
    ) -> i64 {
        let Some(step) = self.top else { return 0 };
        let top = self.tops[index(queue.side())];
        let Some(first) = self.claims.first_mut() else { return 0 };
        if Some(queue.order_id(first.order)) != top {
            return 0;
        }
        first.take(incoming.min(step.maximum).min(share_of(incoming, step.share)))
    }

    fn give_lead<S: ReportSink, G: SelfTradeGuard>(
        &mut self,
        queue: &LevelQueue<'_, S, G>,
        incoming: i64,
    ) -> i64 {
        let mut given = 0;
        for lead in &self.lead {
            let mut left = share_of(incoming, lead.share).min(incoming - given);
            for claim in self.claims.iter_mut().filter(|claim| queue.account(claim.order) == lead.account) {
                let part = claim.take(left);
                left -= part;
                given += part;
            }
        }
        given
    }

    fn give_by_time(&mut self, mut incoming: i64) -> i64 {
        let wanted = incoming;
        for claim in &mut self.claims {
            if incoming == 0 {
                break;
            }
            incoming -= claim.take(incoming);
        }
        wanted - incoming
    }

    fn give_pro_rata(&mut self, incoming: i64) -> i64 {
        let Some(step) = self.pro_rata else { return 0 };
        let total: i64 = self.claims.iter().map(|claim| claim.open).sum();
        let mut left = incoming;
        for claim in &mut self.claims {
            let share = part_of(claim.open, incoming, total);
            claim.dust = share == 0;
            if share >= step.minimum {
                left -= claim.take(share.min(left));
            }
        }
        let mut given = incoming - left;
        if self.leveling {
            for claim in self.claims.iter_mut().filter(|claim| claim.dust) {
                given += claim.take((incoming - given).min(1));
            }
        }
        given
    }
}

impl Claim {
    /// Gives it up to `quantity`; returns how much it took.
    fn take(&mut self, quantity: i64) -> i64 {
        let part = quantity.min(self.open);
        self.open -= part;
        self.given += part;
        part
    }
}

fn share_of(quantity: i64, millionths: u32) -> i64 {
    if millionths == WHOLE {
        return quantity;
    }
    part_of(i64::from(millionths), quantity, i64::from(WHOLE))
}

/// `incoming * open / total`, rounded down; 0 of nothing. None is negative, so the product decides the width.
fn part_of(open: i64, incoming: i64, total: i64) -> i64 {
    if total == 0 {
        return 0;
    }
    match open.checked_mul(incoming) {
        Some(product) => product / total,
        None => (i128::from(open) * i128::from(incoming) / i128::from(total)) as i64,
    }
}

impl MatchingPolicy for AllocationPolicy {
    const NUMBER: u8 = 2;
    const RANKS: bool = true;

    fn for_trial(&self) -> Self {
        self.clone()
    }

    fn match_level<S: ReportSink, G: SelfTradeGuard>(&mut self, queue: &mut LevelQueue<'_, S, G>) {
        let incoming = queue.incoming();
        if incoming >= queue.quantity() && incoming >= queue.leaves_of_all() {
            return PriceTime.match_level(queue);
        }
        self.claims.clear();
        let mut next = queue.first();
        while let Some(order) = next {
            self.claims.push(Claim::new(order, queue.leaves(order)));
            next = queue.after(order);
        }
        let mut left = incoming;
        left -= self.give_top(queue, left);
        left -= self.give_lead(queue, left);
        left -= self.give_by_time(share_of(left, self.by_time));
        left -= self.give_pro_rata(left);
        self.give_by_time(left);
        for claim in self.claims.iter().filter(|claim| claim.given > 0) {
            queue.fill(claim.order, claim.given);
        }
    }

    fn bettered(&mut self, side: Side, order_id: u64, shown: i64) {
        let qualifies = self.top.is_some_and(|top| shown >= top.minimum);
        self.tops[index(side)] = qualifies.then_some(order_id);
    }

    fn ranked(&self, side: Side) -> Option<u64> {
        self.tops[index(side)]
    }

    fn unrank(&mut self, side: Side) {
        self.tops[index(side)] = None;
    }
}

impl State for AllocationPolicy {
    fn write(&self, out: &mut StateWriter) {
        out.bool(self.top.is_some());
        if let Some(top) = self.top {
            out.i64(top.minimum);
            out.i64(top.maximum);
            out.u32(top.share);
        }
        out.length(self.lead.len());
        for lead in &self.lead {
            out.u32(lead.account);
            out.u32(lead.share);
        }
        out.u32(self.by_time);
        out.option_i64(self.pro_rata.map(|step| step.minimum));
        out.bool(self.leveling);
        self.tops.iter().for_each(|top| out.option_u64(*top));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut policy = AllocationPolicy::default();
        if input.bool()? {
            policy.top = Some(TopStep { minimum: input.i64()?, maximum: input.i64()?, share: input.u32()? });
        }
        for _ in 0..input.length()? {
            policy.lead.push(LeadShare { account: input.u32()?, share: input.u32()? });
        }
        policy.by_time = input.u32()?;
        policy.pro_rata = input.option_i64()?.map(|minimum| ProRataStep { minimum });
        policy.leveling = input.bool()?;
        policy.tops = [input.option_u64()?, input.option_u64()?];
        policy.check().map_err(|refusal| input.invalid("setting of a policy", refusal.actual as u64))?;
        Ok(policy)
    }
}

/// The largest order of a level first, equals by time.
#[derive(Clone, Debug, Default)]
pub struct PriceSizeTime {
    claims: Vec<Claim>,
}

impl MatchingPolicy for PriceSizeTime {
    const NUMBER: u8 = 3;

    fn for_trial(&self) -> Self {
        self.clone()
    }

    fn match_level<S: ReportSink, G: SelfTradeGuard>(&mut self, queue: &mut LevelQueue<'_, S, G>) {
        self.claims.clear();
        let mut next = queue.first();
        while let Some(order) = next {
            self.claims.push(Claim::new(order, queue.leaves(order)));
            next = queue.after(order);
        }
        self.claims.sort_by_key(|claim| -claim.open);
        for claim in &self.claims {
            queue.fill(claim.order, claim.open);
        }
    }
}

impl State for PriceSizeTime {
    fn write(&self, _out: &mut StateWriter) {}

    fn read(_input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(PriceSizeTime::default())
    }
}

/// A policy chosen when a book is made, for venues whose instruments differ in theirs.
#[derive(Clone, Debug)]
pub enum AnyPolicy {
    PriceTime(PriceTime),
    Allocation(Box<AllocationPolicy>),
    PriceSizeTime(PriceSizeTime),
    /// Somebody outside the kernel says.
    Asked(Box<AskedPolicy>),
}

impl Default for AnyPolicy {
    fn default() -> Self {
        AnyPolicy::PriceTime(PriceTime)
    }
}

impl From<AllocationPolicy> for AnyPolicy {
    fn from(policy: AllocationPolicy) -> Self {
        AnyPolicy::Allocation(Box::new(policy))
    }
}

impl MatchingPolicy for AnyPolicy {
    const NUMBER: u8 = 4;
    const RANKS: bool = true;

    fn for_trial(&self) -> Self {
        match self {
            AnyPolicy::Asked(_) => AnyPolicy::Asked(Box::default()),
            other => other.clone(),
        }
    }

    #[inline]
    fn one_by_one(&self) -> bool {
        matches!(self, AnyPolicy::PriceTime(_))
    }

    #[inline]
    fn match_level<S: ReportSink, G: SelfTradeGuard>(&mut self, queue: &mut LevelQueue<'_, S, G>) {
        match self {
            AnyPolicy::PriceTime(policy) => policy.match_level(queue),
            AnyPolicy::Allocation(policy) => policy.match_level(queue),
            AnyPolicy::PriceSizeTime(policy) => policy.match_level(queue),
            AnyPolicy::Asked(policy) => policy.match_level(queue),
        }
    }

    fn bettered(&mut self, side: Side, order_id: u64, shown: i64) {
        if let AnyPolicy::Allocation(policy) = self {
            policy.bettered(side, order_id, shown);
        }
    }

    #[inline]
    fn ranked(&self, side: Side) -> Option<u64> {
        match self {
            AnyPolicy::Allocation(policy) => policy.ranked(side),
            _ => None,
        }
    }

    fn unrank(&mut self, side: Side) {
        if let AnyPolicy::Allocation(policy) = self {
            policy.unrank(side);
        }
    }
}

impl State for AnyPolicy {
    fn write(&self, out: &mut StateWriter) {
        match self {
            AnyPolicy::PriceTime(policy) => {
                out.u8(PriceTime::NUMBER);
                policy.write(out);
            }
            AnyPolicy::Allocation(policy) => {
                out.u8(AllocationPolicy::NUMBER);
                policy.write(out);
            }
            AnyPolicy::PriceSizeTime(policy) => {
                out.u8(PriceSizeTime::NUMBER);
                policy.write(out);
            }
            AnyPolicy::Asked(policy) => {
                out.u8(AskedPolicy::NUMBER);
                policy.write(out);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        match input.u8()? {
            PriceTime::NUMBER => Ok(AnyPolicy::PriceTime(State::read(input)?)),
            AllocationPolicy::NUMBER => Ok(AnyPolicy::Allocation(Box::new(State::read(input)?))),
            PriceSizeTime::NUMBER => Ok(AnyPolicy::PriceSizeTime(State::read(input)?)),
            AskedPolicy::NUMBER => Ok(AnyPolicy::Asked(Box::new(State::read(input)?))),
            found => Err(input.invalid("matching policy", u64::from(found))),
        }
    }
}

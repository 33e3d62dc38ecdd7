//! Flows of everything at once. While this compiles, each trial on one market stands beside one on the whole venue and must ask
//! the same (`PROVED`), and a step that asks unforeseen stops the flow; beside that, a venue that shares by a rule of its own
//! must report the same as one that asks for that rule's shares.
#![allow(clippy::unwrap_used, clippy::expect_used)] // an unwrap that fails is a failing test

use std::collections::BTreeMap;

use super::*;
use crate::book::{AllocationPolicy, AnyPolicy, AskedPolicy, SelfTradeAction};
use crate::observation::AllocationAssessed;
use crate::rules::{Refusal, Rule};
use crate::special_terms::SpecialTerms;
use crate::terms::{OrderType, Peg, Sizing, TimeInForce, TradingSession, TrailBy, TriggerBy, options};
use crate::venue::matching::PriceBands;
use crate::venue::{Outcome, Venue, VenueOrder, VenueReport};

const INSTRUMENTS: u64 = 5;
const ACCOUNTS: u64 = 8;
const MID: i64 = 1_000;

/// SplitMix64 (Steele, Lea, Flood 2014), below `bound`.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ (z >> 31)) * u128::from(bound)) >> 64) as u64
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Positions by account and instrument.
#[derive(Default)]
struct Positions(BTreeMap<(u32, u32), i64>);

impl VenueContext for Positions {
    fn executable_quantity(&self, order: &VenueOrder, leaves: i64, _price: i64) -> Result<i64, Refusal> {
        let room = -order.side.sign() * self.position(order.account, order.instrument);
        match room.min(leaves) {
            most if most > 0 => Ok(most),
            _ => Err(Refusal::new(Rule::ReduceOnlyMustReduce, 0, i128::from(leaves))),
        }
    }

    fn position(&self, account: u32, instrument: u32) -> i64 {
        self.0.get(&(account, instrument)).copied().unwrap_or(0)
    }

    fn tick(&self, _instrument: u32) -> i64 {
        1
    }
}

/// Pro rata, rounded down, the rest by time: as [`AllocationPolicy::pro_rata`] with a minimum of 1 has it.
fn pro_rata(incoming: i64, resting: &[i64]) -> Vec<i64> {
    let total: i64 = resting.iter().sum();
    let mut shares: Vec<i64> = resting.iter().map(|quantity| quantity * incoming / total).collect();
    let mut left = incoming - shares.iter().sum::<i64>();
    for (share, quantity) in shares.iter_mut().zip(resting) {
        let more = left.min(quantity - *share);
        *share += more;
        left -= more;
    }
    shares
}

/// A venue, what it reported, and how often which kind of step asked.
struct Floor {
    venue: MatchingVenue,
    positions: Positions,
    orders: BTreeMap<u64, VenueOrder>,
    reports: Vec<VenueReport>,
    asked: BTreeMap<&'static str, usize>,
}

impl Floor {
    /// Two markets share pro rata, as `policy` makes them, two by other rules; all but the first two have bands.
    fn new(policy: impl Fn() -> AnyPolicy) -> Self {
        let mut venue = MatchingVenue::new();
        for instrument in [1, 3] {
            venue.set_policy(instrument, policy()).unwrap();
        }
        venue.set_policy(4, AnyPolicy::Asked(Box::<AskedPolicy>::default())).unwrap();
        for instrument in 3..=INSTRUMENTS as u32 {
            venue.set_reference_price(instrument, Some(MID)).unwrap();
            let bands = PriceBands { dynamic_units: 6, duration_ns: 20, ..PriceBands::NONE };
            venue.set_bands(instrument, bands).unwrap();
            venue.set_sizes(instrument, 1, 25).unwrap();
        }
        for (account, group, action) in [
            (2, 0, Some(SelfTradeAction::CancelResting)),
            (3, 0, Some(SelfTradeAction::DecrementAndCancel)),
            (4, 9, Some(SelfTradeAction::CancelAggressor)),
            (5, 9, Some(SelfTradeAction::CancelBoth)),
            (6, 9, None),
        ] {
            venue.set_self_trade(account, group, action);
        }
        let (positions, orders) = (Positions::default(), BTreeMap::new());
        Floor { venue, positions, orders, reports: Vec::new(), asked: BTreeMap::new() }
    }

    fn drain(&mut self, time: u64) {
        loop {
            while let Some(report) = self.venue.next_report(time, &self.positions) {
                self.book(&report);
            }
            assert_eq!(self.venue.unforeseen_question(), None);
            let Some((_, question)) = self.venue.allocation_question() else { return };
            let shares = pro_rata(question.incoming, &question.resting);
            let &LevelQuestion { order_id, price, incoming, .. } = question;
            let body = AllocationAssessed { order_id, price, orders: shares.len() as u32, from: 0, incoming };
            let kind = match self.venue.next_step(time) {
                Some(Step::Settle { .. }) => "standing orders",
                Some(Step::Run(_)) => "a triggered order",
                _ if self.orders.get(&order_id).is_some_and(|order| order.client_order_id == 0) => "an order",
                _ => "new terms",
            };
            *self.asked.entry(kind).or_default() += 1;
            self.venue.take_allocation(&body, &shares).unwrap();
        }
    }

    fn book(&mut self, report: &VenueReport) {
        self.reports.push(*report);
        if let Outcome::Filled { quantity, .. } = report.outcome {
            let order = self.orders[&report.order_id];
            let held = self.positions.0.entry((order.account, order.instrument)).or_default();
            *held += order.side.sign() * quantity;
        }
    }
}

/// What both venues are told.
#[derive(Clone, Copy, Debug)]
enum Told {
    Submit(VenueOrder, Option<SpecialTerms>),
    Replace { order_id: u64, price: i64, quantity: i64, terms: Option<SpecialTerms> },
    Cancel(u64),
    Mark { instrument: u32, price: i64 },
    Session(u32, TradingSession, u64),
    CloseDay(u32),
    Hold,
    Release,
}

struct Flow {
    chance: Chance,
    orders: u64,
}

impl Flow {
    fn next(&mut self, time: u64) -> Told {
        match self.chance.below(100) {
            0..40 => self.order(time, false),
            40..60 => self.order(time, true),
            60..66 => Told::Cancel(self.recent()),
            66..88 => {
                let terms = self.special(SpecialTerms::default());
                Told::Replace {
                    order_id: self.recent(),
                    price: MID + self.chance.below(13) as i64 - 6,
                    quantity: 1 + self.chance.below(40) as i64,
                    terms: (self.chance.below(2) == 0).then_some(terms),
                }
            }
            88..93 => {
                Told::Mark { instrument: self.instrument(), price: MID + self.chance.below(13) as i64 - 6 }
            }
            93 => {
                let instrument = self.instrument();
                let other = self.chance.one_of(TradingSession::ALL);
                let session = self.chance.one_of(&[TradingSession::Continuous, other]);
                let until =
                    if session == TradingSession::Continuous { 0 } else { time + 1 + self.chance.below(15) };
                Told::Session(instrument, session, until)
            }
            94 => Told::CloseDay(self.chance.below(INSTRUMENTS + 1) as u32),
            95 => Told::Hold,
            _ => Told::Release,
        }
    }

    fn instrument(&mut self) -> u32 {
        1 + self.chance.below(INSTRUMENTS) as u32
    }

    fn recent(&mut self) -> u64 {
        self.orders.saturating_sub(self.chance.below(60)).max(1)
    }

    fn special(&mut self, terms: SpecialTerms) -> SpecialTerms {
        let mut terms = terms;
        if self.chance.below(3) == 0 {
            terms.display_quantity = 1 + self.chance.below(5) as i64;
        }
        if self.chance.below(6) == 0 {
            terms.minimum_quantity = 1 + self.chance.below(9) as i64;
        }
        if self.chance.below(3) == 0 {
            terms.self_trade = SelfTradeAction::from_number(1 + self.chance.below(4) as u8);
        }
        if self.chance.below(3) == 0 {
            terms.self_trade_group = 7 + self.chance.below(3) as u32;
        }
        terms
    }

    fn order(&mut self, time: u64, is_special: bool) -> Told {
        self.orders += 1;
        let side = self.chance.one_of(&[Side::Buy, Side::Sell]);
        let away = self.chance.below(10) as i64 - 3;
        let mut order = VenueOrder {
            order_id: self.orders,
            client_order_id: 0,
            account: 1 + self.chance.below(ACCOUNTS) as u32,
            instrument: self.instrument(),
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            sizing: Sizing::Units,
            options: 0,
            price: MID - side.sign() * away,
            quantity: 1 + self.chance.below(30) as i64,
            stop_price: 0,
            expire_time: 0,
            released_at: None,
        };
        match self.chance.below(16) {
            0 => (order.order_type, order.price) = (OrderType::Market, 0),
            1 => order.time_in_force = TimeInForce::Ioc,
            2 => order.time_in_force = TimeInForce::Fok,
            3 => order.time_in_force = TimeInForce::Day,
            4 | 5 => {
                order.time_in_force = TimeInForce::Gtd;
                order.expire_time = time + 1 + self.chance.below(40);
            }
            6 | 7 => order.options = options::REDUCE_ONLY,
            8 | 9 => {
                let stop_price = MID + side.sign() * (1 + self.chance.below(5) as i64);
                (order.order_type, order.price, order.stop_price) = (OrderType::Stop, 0, stop_price);
            }
            10 => order.options = options::POST_ONLY,
            11 => order.time_in_force = self.chance.one_of(&[TimeInForce::AtOpen, TimeInForce::AtClose]),
            _ => {}
        }
        if !is_special {
            return Told::Submit(order, None);
        }
        let terms = self.special_order(&mut order);
        Told::Submit(order, Some(terms))
    }

    fn special_order(&mut self, order: &mut VenueOrder) -> SpecialTerms {
        let mut terms = self.special(SpecialTerms::default());
        order.options |= options::ASIDE;
        match self.chance.below(9) {
            0 => order.options |= options::HIDDEN,
            1 | 2 => order.options |= options::ALL_OR_NONE,
            3 => order.options |= options::SLIDE,
            4 | 5 => {
                (order.order_type, order.stop_price) = (OrderType::Pegged, 0);
                terms.peg = Some(self.chance.one_of(Peg::ALL));
                terms.peg_offset = self.chance.below(3) as i64 - 1;
                order.price = MID + 4 * order.side.sign();
            }
            6 => {
                (order.order_type, order.price, order.stop_price) = (OrderType::TrailingStop, 0, 0);
                (terms.trail, terms.trail_by) = (1 + self.chance.below(4) as i64, Some(TrailBy::Amount));
                terms.trigger_by = Some(self.chance.one_of(TriggerBy::ALL));
            }
            7 => (order.order_type, order.price, order.stop_price) = (OrderType::MarketToLimit, 0, 0),
            _ => {}
        }
        terms
    }
}

fn tell(floor: &mut Floor, told: &Told, time: u64) {
    match *told {
        Told::Submit(order, terms) => {
            floor.orders.insert(order.order_id, order);
            if let Some(terms) = terms {
                floor.venue.attach(order.order_id, &terms);
            }
            floor.venue.request(&VenueRequest::Submit(order), time);
        }
        Told::Replace { order_id, price, quantity, terms } => {
            let Some(order) = floor.orders.get_mut(&order_id) else { return };
            order.client_order_id = 1; // was replaced
            let VenueOrder { instrument, stop_price, options, .. } = *order;
            if let Some(terms) = terms.filter(|_| options & options::ASIDE != 0) {
                floor.venue.attach(order_id, &terms);
            }
            let request = VenueRequest::Replace { order_id, instrument, price, quantity, stop_price };
            floor.venue.request(&request, time);
        }
        Told::Cancel(order_id) => {
            let Some(order) = floor.orders.get(&order_id) else { return };
            floor.venue.request(&VenueRequest::Cancel { order_id, instrument: order.instrument }, time);
        }
        Told::Mark { instrument, price } => floor.venue.note_mark(instrument, price, time),
        Told::Session(instrument, session, until) => {
            // A book that an answer would cross refuses to go on; both venues do.
            let _ = floor.venue.change_session(instrument, session, until, time, &floor.positions);
        }
        Told::CloseDay(instrument) => floor.venue.close_session(instrument, time),
        Told::Hold => floor.venue.hold_triggers(),
        Told::Release => drop(floor.venue.release_triggers()),
    }
    floor.drain(time);
}

#[test]
fn a_trial_on_one_market_asks_what_the_whole_venue_would_and_comes_to_what_the_rule_itself_does() {
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 1..=16 {
        let mut asking = Floor::new(|| AnyPolicy::Asked(Box::<AskedPolicy>::default()));
        let mut ruled = Floor::new(|| AnyPolicy::Allocation(Box::new(AllocationPolicy::pro_rata(1))));
        let mut flow = Flow { chance: Chance(seed), orders: 0 };
        let mut time = 1;
        for step in 0..4_000 {
            time += flow.chance.below(3);
            let told = flow.next(time);
            for floor in [&mut asking, &mut ruled] {
                tell(floor, &told, time);
            }
            let again = "cargo test -p openbell-kernel --lib trial";
            assert_eq!(asking.reports, ruled.reports, "seed {seed}, step {step}, {told:?}: {again}");
            asking.reports.clear();
            ruled.reports.clear();
        }
        for (kind, count) in asking.asked {
            *asked.entry(kind).or_default() += count;
        }
    }
    for kind in ["an order", "new terms", "standing orders", "a triggered order"] {
        assert!(asked.get(kind).is_some_and(|&count| count > 50), "{kind} hardly ever asks: {asked:?}");
    }
}

#[test]
fn a_question_that_was_not_foreseen_stops_the_venue_and_reports_nothing_of_its_step() {
    let mut floor = Floor::new(|| AnyPolicy::Asked(Box::<AskedPolicy>::default()));
    let limit = |order_id, side, quantity| VenueOrder {
        order_id,
        account: 1,
        instrument: 1,
        side,
        quantity,
        ..plain_order()
    };
    for order_id in 1..=2 {
        tell(&mut floor, &Told::Submit(limit(order_id, Side::Sell, 5), None), 1);
    }
    floor.venue.forget_who_asks();
    floor.reports.clear();
    floor.venue.request(&VenueRequest::Submit(limit(3, Side::Buy, 7)), 1);
    for _ in 0..2 {
        assert_eq!(floor.venue.next_report(1, &floor.positions), None);
        let expected = "order 3 with 7 meets 2 orders at 1000 of instrument 1 in a step that was not to ask how they share it";
        assert_eq!(floor.venue.unforeseen_question(), Some(expected));
    }
}

fn plain_order() -> VenueOrder {
    VenueOrder {
        order_id: 0,
        client_order_id: 0,
        account: 0,
        instrument: 0,
        side: Side::Buy,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        sizing: Sizing::Units,
        options: 0,
        price: MID,
        quantity: 0,
        stop_price: 0,
        expire_time: 0,
        released_at: None,
    }
}

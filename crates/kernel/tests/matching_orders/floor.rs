//! Our venue with one position per account, spoken to in trader's words.

use std::collections::BTreeMap;

use openbell_kernel::book::SelfTradeAction;
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{
    Liquidity, OrderType, Peg, Side, Sizing, TimeInForce, TradingSession, TrailBy, TriggerBy, options,
};
use openbell_kernel::tracked::EntityHasher;
use openbell_kernel::venue::matching::MatchingVenue;
use openbell_kernel::venue::{Outcome, Venue, VenueContext, VenueOrder, VenueReport, VenueRequest};

use Side::{Buy, Sell};

/// An order and what it says beside the usual.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    pub order: VenueOrder,
    pub special: SpecialTerms,
}

const PLAIN: VenueOrder = VenueOrder {
    order_id: 0,
    client_order_id: 0,
    account: 1,
    instrument: 1,
    side: Buy,
    order_type: OrderType::Limit,
    time_in_force: TimeInForce::Gtc,
    sizing: Sizing::Units,
    options: 0,
    price: 0,
    quantity: 0,
    stop_price: 0,
    expire_time: 0,
    released_at: None,
};

pub fn limit(order_id: u64, side: Side, quantity: i64, price: i64) -> Ask {
    Ask { order: VenueOrder { order_id, side, price, quantity, ..PLAIN }, special: SpecialTerms::default() }
}

pub fn market(order_id: u64, side: Side, quantity: i64) -> Ask {
    limit(order_id, side, quantity, 0).typed(OrderType::Market)
}

pub fn stop(order_id: u64, side: Side, quantity: i64, stop_price: i64) -> Ask {
    limit(order_id, side, quantity, 0).typed(OrderType::Stop).stop(stop_price)
}

/// Buys or sells at the market once it is as good as `price`.
pub fn touched(order_id: u64, side: Side, quantity: i64, price: i64) -> Ask {
    limit(order_id, side, quantity, 0).typed(OrderType::MarketIfTouched).stop(price)
}

pub fn trailing(order_id: u64, side: Side, quantity: i64, trail: i64) -> Ask {
    let mut ask = limit(order_id, side, quantity, 0).typed(OrderType::TrailingStop);
    (ask.special.trail, ask.special.trail_by) = (trail, Some(TrailBy::Amount));
    ask
}

pub fn pegged(order_id: u64, side: Side, quantity: i64, peg: Peg, offset: i64) -> Ask {
    let mut ask = limit(order_id, side, quantity, 0).typed(OrderType::Pegged);
    (ask.special.peg, ask.special.peg_offset) = (Some(peg), offset);
    ask
}

impl Ask {
    pub fn typed(mut self, order_type: OrderType) -> Self {
        self.order.order_type = order_type;
        self
    }

    pub fn stop(mut self, stop_price: i64) -> Self {
        self.order.stop_price = stop_price;
        self
    }

    pub fn at_most(mut self, price: i64) -> Self {
        self.order.price = price;
        self
    }

    pub fn of(mut self, account: u32) -> Self {
        self.order.account = account;
        self
    }

    pub fn good(mut self, time_in_force: TimeInForce) -> Self {
        self.order.time_in_force = time_in_force;
        self
    }

    pub fn option(mut self, option: u16) -> Self {
        self.order.options |= option;
        self
    }

    pub fn by(mut self, trigger_by: TriggerBy) -> Self {
        self.special.trigger_by = Some(trigger_by);
        self
    }

    pub fn showing(mut self, display_quantity: i64) -> Self {
        self.special.display_quantity = display_quantity;
        self
    }

    pub fn at_least(mut self, minimum_quantity: i64) -> Self {
        self.special.minimum_quantity = minimum_quantity;
        self
    }

    pub fn preventing(mut self, action: SelfTradeAction, group: u32) -> Self {
        (self.special.self_trade, self.special.self_trade_group) = (Some(action), group);
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut SpecialTerms)) -> Self {
        change(&mut self.special);
        self
    }

    fn is_special(&self) -> bool {
        self.special != SpecialTerms::default()
            || self.order.options & options::SPECIAL != 0
            || self.order.order_type as u8 > OrderType::StopLimit as u8
    }
}

/// Positions as an engine would keep them; accounts that are not named may trade all they like.
#[derive(Clone, Debug, Default)]
pub struct Positions(pub BTreeMap<u32, i64>);

impl VenueContext for Positions {
    fn executable_quantity(&self, order: &VenueOrder, leaves: i64, _price: i64) -> Result<i64, Refusal> {
        let reducible =
            self.0.get(&order.account).map_or(i64::MAX, |position| (-position * order.side.sign()).max(0));
        match reducible.min(leaves) {
            0 => Err(Refusal::new(Rule::ReduceOnlyMustReduce, 0, i128::from(leaves))),
            quantity => Ok(quantity),
        }
    }

    fn position(&self, account: u32, _instrument: u32) -> i64 {
        self.0.get(&account).copied().unwrap_or(0)
    }

    fn tick(&self, _instrument: u32) -> i64 {
        1
    }
}

#[derive(Clone, Debug, Default)]
pub struct Floor {
    pub venue: MatchingVenue,
    pub positions: Positions,
    pub time: u64,
    account_of: BTreeMap<u64, (u32, Side)>,
}

impl Floor {
    pub fn with(asks: &[Ask]) -> Self {
        let mut floor = Floor::default();
        asks.iter().for_each(|ask| drop(floor.send(*ask)));
        floor
    }

    /// What is told of a request, level changes left out.
    fn ask(&mut self, request: VenueRequest) -> Vec<String> {
        self.time += 1;
        self.venue.request(&request, self.time);
        self.pull()
    }

    pub fn pull(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(report) = self.venue.next_report(self.time, &self.positions) {
            self.book(&report);
            told.extend(line(&report));
        }
        told
    }

    fn book(&mut self, report: &VenueReport) {
        let Outcome::Filled { quantity, .. } = report.outcome else { return };
        let Some(&(account, side)) = self.account_of.get(&report.order_id) else { return };
        if let Some(position) = self.positions.0.get_mut(&account) {
            *position += quantity * side.sign();
        }
    }

    pub fn send(&mut self, ask: Ask) -> Vec<String> {
        let mut order = ask.order;
        if ask.is_special() {
            order.options |= options::ASIDE;
            self.venue.attach(order.order_id, &ask.special);
        }
        self.account_of.entry(order.order_id).or_insert((order.account, order.side));
        self.ask(VenueRequest::Submit(order))
    }

    pub fn cancel(&mut self, order_id: u64) -> Vec<String> {
        self.ask(VenueRequest::Cancel { order_id, instrument: 1 })
    }

    /// `terms` are quantity, price and stop price.
    pub fn replace(&mut self, order_id: u64, terms: [i64; 3]) -> Vec<String> {
        let [quantity, price, stop_price] = terms;
        self.ask(VenueRequest::Replace { order_id, instrument: 1, price, quantity, stop_price })
    }

    pub fn replace_with(&mut self, order_id: u64, terms: [i64; 3], special: SpecialTerms) -> Vec<String> {
        self.venue.attach(order_id, &special);
        self.replace(order_id, terms)
    }

    /// Opens another trading session.
    pub fn open(&mut self, session: TradingSession) -> Vec<String> {
        self.time += 1;
        let (time, positions) = (self.time, self.positions.clone());
        self.venue.change_session(1, session, 0, time, &positions).expect("a session");
        self.pull()
    }

    pub fn mark(&mut self, price: i64) -> Vec<String> {
        self.time += 1;
        self.venue.note_mark(1, price, self.time);
        self.pull()
    }

    /// What the book shows, best first: `quantity at price`.
    pub fn shows(&self, side: Side) -> Vec<String> {
        let book = self.venue.book(1).expect("a book");
        book.levels(side).map(|level| format!("{} at {}", level.quantity, level.price)).collect()
    }

    pub fn hash(&mut self) -> u128 {
        self.venue.state_sum(&mut EntityHasher::default())
    }

    /// The venue written and read back.
    pub fn restored(&self) -> Floor {
        let mut out = StateWriter::new();
        self.venue.write(&mut out);
        let bytes = out.into_bytes();
        let mut input = StateReader::new(&bytes);
        let venue = MatchingVenue::read(&mut input).expect("what was written");
        Floor { venue, ..self.clone() }
    }
}

pub fn line(report: &VenueReport) -> Option<String> {
    let id = report.order_id;
    Some(match report.outcome {
        Outcome::Accepted { .. } => format!("{id} accepted"),
        Outcome::Rejected { refusal } => format!("{id} rejected {}", named(&refusal)),
        Outcome::Filled { price, quantity, liquidity, .. } => {
            let word = if liquidity == Liquidity::Maker { "gave" } else { "took" };
            format!("{id} {word} {quantity} at {price}")
        }
        Outcome::Canceled { refusal } => format!("{id} canceled {}", named(&refusal)),
        Outcome::Expired => format!("{id} expired"),
        Outcome::Replaced { price, quantity, stop_price } => {
            format!("{id} replaced {quantity} at {price} stop {stop_price}")
        }
        Outcome::CancelRejected { refusal } => format!("{id} cancel rejected {}", named(&refusal)),
        Outcome::ReplaceRejected { refusal } => format!("{id} replace rejected {}", named(&refusal)),
        Outcome::Triggered { price } => format!("{id} triggered at {price}"),
        Outcome::Unknown => format!("{id} unknown"),
        Outcome::Repriced { price, stop_price } => format!("{id} repriced {price} stop {stop_price}"),
        Outcome::Unpriced => format!("{id} waits for a price"),
        Outcome::Uncrossed { price, volume, .. } => format!("uncrossed {volume} at {price}"),
        Outcome::Reduced { quantity, refusal } => format!("{id} reduced to {quantity} {}", named(&refusal)),
        _ => return None,
    })
}

fn named(refusal: &Refusal) -> String {
    match refusal.rule {
        Rule::CanceledByParticipant => "on request".to_owned(),
        rule => format!("{} {} {}", rule.name(), refusal.limit, refusal.actual),
    }
}

/// A market of 10 at 99 and 10 at 101 that last traded at 100.
pub fn quoted() -> Floor {
    Floor::with(&[
        limit(901, Sell, 1, 100).of(9),
        limit(902, Buy, 1, 100).of(8),
        limit(903, Buy, 10, 99).of(9),
        limit(904, Sell, 10, 101).of(9),
    ])
}

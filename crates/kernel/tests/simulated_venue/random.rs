//! Random data, orders and latencies: what must hold whatever happens, and that a venue read back from its
//! bytes at any moment, in the middle of a bar too, goes on exactly as the one that was saved.

use std::collections::BTreeMap;

use openbell_kernel::command::VenuePayload;
use openbell_kernel::terms::{OrderType, Side, Sizing, TimeInForce, options};
use openbell_kernel::venue::simulated::fill_options;
use openbell_kernel::venue::{Outcome, Venue, VenueOrder, VenueRequest};
use proptest::prelude::*;

use crate::floor::{Floor, Line, bar, bytes, level, market, quote, restored, trade};

#[derive(Clone, Debug)]
enum Step {
    /// Instrument, open, high over the body, low under it, close, volume.
    Bars(Vec<(u32, i64, i64, i64, i64, i64)>),
    Quote(i64, i64, i64, i64),
    Trade(i64, i64),
    Levels(Vec<(Side, i64, i64)>, bool),
    Gap,
    Submit(VenueOrder),
    /// A parent with a stop and a target that wait for its fill.
    Bracket(VenueOrder, i64, i64),
    Cancel(u64),
    Replace(u64, i64, i64, i64),
    Query(u64),
    CloseSession,
    Wait(u64),
}

const FEEDS: [&str; 4] = ["bars", "quotes", "trades", "book"];

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn order() -> impl Strategy<Value = VenueOrder> {
    let kinds = prop::sample::select(&OrderType::ALL[..4]);
    let times = prop::sample::select(TimeInForce::ALL);
    let sizings = prop_oneof![4 => Just(Sizing::Units), 1 => prop::sample::select(Sizing::ALL)];
    let terms = (side(), kinds, times, sizings, 0..=options::POST_ONLY | options::REDUCE_ONLY);
    (terms, 90i64..110, 90i64..110, 1i64..40, 0u64..60, 1u32..=2, 1u32..=2).prop_map(
        |(
            (side, order_type, time_in_force, sizing, options),
            price,
            stop_price,
            quantity,
            expiry,
            account,
            instrument,
        )| {
            let quantity = if sizing == Sizing::Units { quantity } else { quantity * 20_000_000 };
            VenueOrder {
                order_type,
                time_in_force,
                sizing,
                options,
                price: if order_type.has_limit() { price } else { 0 },
                stop_price: if order_type.has_stop() { stop_price } else { 0 },
                expire_time: expiry,
                account,
                instrument,
                ..market(0, side, quantity)
            }
        },
    )
}

fn data(feed: &'static str) -> BoxedStrategy<Step> {
    let price = || 90i64..110;
    match feed {
        "bars" => {
            let one = (1u32..=2, price(), 0i64..6, 0i64..6, price(), 0i64..200);
            prop::collection::vec(one, 1..3).prop_map(Step::Bars).boxed()
        }
        "quotes" => (price(), 0i64..20, 1i64..5, 0i64..20)
            .prop_map(|(bid, bid_size, spread, ask_size)| Step::Quote(bid, bid_size, bid + spread, ask_size))
            .boxed(),
        "trades" => (price(), 0i64..20).prop_map(|(price, quantity)| Step::Trade(price, quantity)).boxed(),
        _ => {
            let change = (side(), 0i64..8, 0i64..20).prop_map(|(side, away, quantity)| {
                (side, if side == Side::Buy { 99 - away } else { 100 + away }, quantity)
            });
            (prop::collection::vec(change, 1..5), prop::bool::weighted(0.1))
                .prop_map(|(levels, clear)| Step::Levels(levels, clear))
                .boxed()
        }
    }
}

fn step(feed: &'static str) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => data(feed),
        1 => (90i64..110, 0i64..20).prop_map(move |(price, quantity)| {
            if feed == "bars" { Step::Wait(1) } else { Step::Trade(price, quantity) }
        }),
        4 => order().prop_map(Step::Submit),
        2 => (order(), 1i64..6, 1i64..6).prop_map(|(order, stop, target)| Step::Bracket(order, stop, target)),
        1 => (0u64..30).prop_map(Step::Cancel),
        1 => (0u64..30, 90i64..110, 1i64..40, 90i64..110).prop_map(|(id, p, q, s)| Step::Replace(id, p, q, s)),
        1 => (0u64..30).prop_map(Step::Query),
        1 => Just(Step::Gap),
        1 => Just(Step::CloseSession),
        2 => (0u64..12).prop_map(Step::Wait),
    ]
}

fn venue_terms() -> impl Strategy<Value = VenuePayload> {
    let latency = || prop_oneof![2 => Just(0u64), 1 => 1u64..25];
    let share = prop_oneof![Just(0i64), Just(100_000_000)];
    let slippage = prop_oneof![Just(0i64), Just(7_000_000)];
    (latency(), latency(), slippage, share, 0..=fill_options::ALL).prop_map(
        |(order_latency_ns, report_latency_ns, slippage, volume_share, options)| VenuePayload {
            order_latency_ns,
            report_latency_ns,
            slippage,
            volume_share,
            options,
        },
    )
}

/// Terms, steps, and how many pulls apart the venue is saved and restored.
fn runs() -> impl Strategy<Value = (VenuePayload, Vec<Step>, i64, usize)> {
    prop::sample::select(FEEDS.as_slice()).prop_flat_map(|feed| {
        let most = prop_oneof![3 => Just(i64::MAX), 1 => 1i64..6];
        (venue_terms(), prop::collection::vec(step(feed), 1..60), most, 1usize..4)
    })
}

struct Run {
    floor: Floor,
    next_order_id: u64,
    /// Every so many pulls the venue is replaced by what its bytes say; 0 = never.
    restore_every: usize,
    pulls: usize,
    saved: Vec<Vec<u8>>,
}

impl Run {
    fn new(terms: VenuePayload, most: i64, restore_every: usize) -> Run {
        let mut floor = Floor::new(terms);
        floor.books.most = most;
        floor.restores_before_reacting = restore_every == 1;
        Run { floor, next_order_id: 1, restore_every, pulls: 0, saved: Vec::new() }
    }

    fn checkpoint(&mut self) {
        self.pulls += 1;
        self.saved.push(bytes(&self.floor.venue));
        if self.restore_every > 0 && self.pulls.is_multiple_of(self.restore_every) {
            self.floor.venue = restored(&self.floor.venue);
        }
    }

    fn pull(&mut self) {
        self.checkpoint();
        while self.floor.pull_one() {
            self.checkpoint();
        }
        let due = self.floor.venue.next_due();
        assert!(due.is_none_or(|due| due > self.floor.time), "due at {due:?} with nothing to pull");
    }

    fn move_to(&mut self, time: u64) {
        while let Some(due) = self.floor.venue.next_due().filter(|&due| due < time) {
            self.floor.time = self.floor.time.max(due);
            self.pull();
        }
        self.floor.time = time;
    }

    fn observe(&mut self, mut record: openbell_kernel::record::RecordBuffer, time: u64) {
        self.move_to(time);
        openbell_kernel::record::stamp(record.slots_mut(), 1, time);
        self.floor.venue.observe(record.slots());
        self.pull();
    }

    fn request(&mut self, request: VenueRequest) {
        self.floor.venue.request(&request, self.floor.time);
        self.pull();
    }

    fn submit(&mut self, mut order: VenueOrder) -> u64 {
        order.order_id = self.next_order_id;
        order.client_order_id = self.next_order_id;
        if order.time_in_force == TimeInForce::Gtd {
            order.expire_time += self.floor.time;
        }
        self.next_order_id += 1;
        self.floor.orders.insert(order.order_id, order);
        self.request(VenueRequest::Submit(order));
        order.order_id
    }

    fn bracket(&mut self, parent: VenueOrder, stop: i64, target: i64) {
        let parent_id = self.next_order_id;
        let closing = VenueOrder {
            side: parent.side.opposite(),
            account: parent.account,
            instrument: parent.instrument,
            ..market(0, Side::Buy, 1)
        };
        let center = if parent.price > 0 { parent.price } else { 100 };
        let sign = parent.side.sign();
        let loss = VenueOrder {
            order_id: parent_id + 1,
            order_type: OrderType::Stop,
            stop_price: center - sign * stop,
            ..closing
        };
        let profit = VenueOrder {
            order_id: parent_id + 2,
            order_type: OrderType::Limit,
            price: center + sign * target,
            ..closing
        };
        self.next_order_id += 2;
        self.floor.children.insert(parent_id, vec![loss, profit]);
        self.floor.partners.insert(parent_id + 1, parent_id + 2);
        self.floor.partners.insert(parent_id + 2, parent_id + 1);
        let next = self.next_order_id;
        self.next_order_id = parent_id;
        self.submit(parent);
        self.next_order_id = next + 1;
    }

    fn take(&mut self, step: &Step) {
        let time = self.floor.time;
        let instrument_of =
            |run: &Run, id: u64| run.floor.orders.get(&id).map_or(1, |order| order.instrument);
        match step.clone() {
            Step::Bars(bars) => {
                let (open_time, close_time) = (time, time + 10);
                let len = bars.len();
                for (index, (instrument, open, up, down, close, volume)) in bars.into_iter().enumerate() {
                    let prices = [open, open.max(close) + up, open.min(close) - down, close];
                    let record = bar(instrument, open_time, close_time, prices, volume, index + 1 == len);
                    self.observe(record, close_time);
                }
            }
            Step::Quote(bid, bid_size, ask, ask_size) => {
                self.observe(quote((bid, bid_size), (ask, ask_size)), time + 1);
            }
            Step::Trade(price, quantity) => self.observe(trade(price, quantity), time + 1),
            Step::Levels(levels, clear) => {
                let len = levels.len();
                for (index, (side, price, quantity)) in levels.into_iter().enumerate() {
                    let record = level(side, price, quantity, clear && index == 0, index + 1 == len);
                    self.observe(record, time + 1);
                }
            }
            Step::Gap => self.floor.gap(time + 1),
            Step::Submit(order) => {
                self.submit(order);
            }
            Step::Bracket(parent, stop, target) => self.bracket(parent, stop, target),
            Step::Cancel(order_id) => {
                let instrument = instrument_of(self, order_id);
                self.request(VenueRequest::Cancel { order_id, instrument });
            }
            Step::Replace(order_id, price, quantity, stop_price) => {
                let instrument = instrument_of(self, order_id);
                self.request(VenueRequest::Replace { order_id, instrument, price, quantity, stop_price });
            }
            Step::Query(order_id) => {
                let instrument = instrument_of(self, order_id);
                self.request(VenueRequest::Query { order_id, instrument, client_order_id: order_id });
            }
            Step::CloseSession => {
                self.floor.venue.close_session(0, time);
                self.pull();
            }
            Step::Wait(by) => {
                self.move_to(time + by);
                self.pull();
            }
        }
    }

    fn finish(&mut self) {
        self.floor.venue.finish(self.floor.time);
        self.pull();
    }
}

fn play(terms: VenuePayload, steps: &[Step], most: i64, restore_every: usize) -> Run {
    let mut run = Run::new(terms, most, restore_every);
    steps.iter().for_each(|step| run.take(step));
    run.finish();
    run
}

/// What holds for the reports of every run.
fn check(run: &Run, terms: &VenuePayload) {
    let mut last_venue_time: BTreeMap<u64, u64> = BTreeMap::new();
    let mut filled: BTreeMap<u64, i64> = BTreeMap::new();
    let mut ended: BTreeMap<u64, Line> = BTreeMap::new();
    let mut last_pulled = 0;
    let mut trades = Vec::new();
    let end = run.floor.time;
    for line in &run.floor.log {
        let id = line.report.order_id;
        assert!(line.pulled >= last_pulled, "reports overtake each other");
        last_pulled = line.pulled;
        assert!(line.report.venue_time <= line.pulled, "reported before it happened: {line:?}");
        let in_time = line.pulled >= line.report.venue_time + terms.report_latency_ns;
        assert!(in_time || line.pulled == end, "reported too early: {line:?}");
        last_venue_time.insert(id, line.report.venue_time);
        let is_answer = matches!(
            line.report.outcome,
            Outcome::CancelRejected { .. } | Outcome::ReplaceRejected { .. } | Outcome::Unknown
        );
        assert!(is_answer || !ended.contains_key(&id), "{line:?} after {:?}", ended.get(&id));
        match line.report.outcome {
            Outcome::Filled { trade_id, quantity, price, .. } => {
                assert!(price > 0 && quantity != 0);
                trades.push(trade_id);
                *filled.entry(id).or_default() += quantity.abs();
                if run.floor.orders[&id].sizing != Sizing::Units {
                    ended.insert(id, line.clone());
                }
            }
            Outcome::Rejected { .. } | Outcome::Canceled { .. } | Outcome::Expired => {
                ended.insert(id, line.clone());
            }
            _ => {}
        }
    }
    assert!(trades.windows(2).all(|pair| pair[0] < pair[1]), "trade ids repeat");
    let accepted =
        run.floor.log.iter().filter(|line| matches!(line.report.outcome, Outcome::Accepted { .. }));
    for line in accepted {
        let id = line.report.order_id;
        let total = total_of(run, id);
        let done = filled.get(&id).copied().unwrap_or(0);
        let order = &run.floor.orders[&id];
        if order.sizing == Sizing::Units {
            assert!(done <= total, "order {id} filled {done} of {total}");
        }
        let is_over = ended.contains_key(&id) || (order.sizing == Sizing::Units && done == total);
        assert!(is_over, "order {id} is left over after the end: {order:?}");
    }
}

/// The order's quantity after its last replace.
fn total_of(run: &Run, id: u64) -> i64 {
    let replaced = |line: &Line| match line.report.outcome {
        Outcome::Replaced { quantity, .. } => Some(quantity),
        _ => None,
    };
    let lines = run.floor.lines(id);
    lines.iter().filter_map(replaced).next_back().unwrap_or(run.floor.orders[&id].quantity)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_restored_venue_has_the_same_bytes_and_the_same_future((terms, steps, most, every) in runs()) {
        let plain = play(terms, &steps, most, 0);
        let restored = play(terms, &steps, most, every);
        prop_assert_eq!(&plain.floor.log, &restored.floor.log);
        prop_assert_eq!(plain.saved.len(), restored.saved.len());
        for (index, (one, other)) in plain.saved.iter().zip(&restored.saved).enumerate() {
            prop_assert_eq!(one, other, "after {} pulls", index);
        }
        prop_assert_eq!(&plain.floor.books, &restored.floor.books);
    }

    #[test]
    fn reports_are_orderly_and_no_order_is_forgotten((terms, steps, most, _) in runs()) {
        let run = play(terms, &steps, most, 0);
        check(&run, &terms);
    }
}

#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    use openbell_kernel::state::{State, StateReader};
    use openbell_kernel::venue::simulated::SimulatedVenue;
    let mut floor = Floor::plain();
    floor.bar(0, 10, [100, 110, 95, 105]);
    floor.submit(market(1, Side::Buy, 5));
    floor.venue.observe(
        {
            let mut record = bar(1, 10, 20, [100, 104, 96, 101], 10, true);
            openbell_kernel::record::stamp(record.slots_mut(), 1, 20);
            record
        }
        .slots(),
    );
    let good = bytes(&floor.venue);
    for end in 0..good.len() {
        assert!(SimulatedVenue::read(&mut StateReader::new(&good[..end])).is_err(), "cut at {end}");
    }
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 0xff;
        let _ = SimulatedVenue::read(&mut StateReader::new(&bad));
    }
}

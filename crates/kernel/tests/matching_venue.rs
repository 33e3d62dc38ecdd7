//! Our venue through its trait, in trader's words.
#![allow(clippy::unwrap_used, clippy::expect_used)] // an unwrap that fails is a failing test

use openbell_kernel::book::Level;
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{Liquidity, OrderType, Side, Sizing, TimeInForce, options};
use openbell_kernel::venue::matching::MatchingVenue;
use openbell_kernel::venue::{Outcome, Venue, VenueContext, VenueOrder, VenueReport, VenueRequest};
use proptest::prelude::*;

use Side::{Buy, Sell};

/// An engine that lets reduce-only orders trade `position` at most.
struct Position(i64);

impl VenueContext for Position {
    fn executable_quantity(&self, _order: &VenueOrder, leaves: i64, _price: i64) -> Result<i64, Refusal> {
        match self.0 {
            0 => Err(Refusal::new(Rule::ReduceOnlyMustReduce, 0, i128::from(leaves))),
            position => Ok(leaves.min(position)),
        }
    }

    fn position(&self, _account: u32, _instrument: u32) -> i64 {
        self.0
    }

    fn tick(&self, _instrument: u32) -> i64 {
        1
    }
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

fn limit(order_id: u64, side: Side, price: i64, quantity: i64) -> VenueOrder {
    VenueOrder { order_id, side, price, quantity, ..PLAIN }
}

fn market(order_id: u64, side: Side, quantity: i64) -> VenueOrder {
    VenueOrder { order_type: OrderType::Market, ..limit(order_id, side, 0, quantity) }
}

fn stop(order_id: u64, side: Side, stop_price: i64, quantity: i64) -> VenueOrder {
    VenueOrder { order_type: OrderType::Stop, stop_price, ..limit(order_id, side, 0, quantity) }
}

fn pull(venue: &mut MatchingVenue, time: u64, context: &dyn VenueContext) -> Vec<VenueReport> {
    std::iter::from_fn(|| venue.next_report(time, context)).collect()
}

/// Reports as lines, level changes left out.
fn told(reports: &[VenueReport]) -> Vec<String> {
    reports.iter().filter_map(line).collect()
}

fn line(report: &VenueReport) -> Option<String> {
    let id = report.order_id;
    Some(match report.outcome {
        Outcome::Accepted { .. } => format!("{id} accepted"),
        Outcome::Rejected { refusal } => format!("{id} rejected {}", refusal.rule.name()),
        Outcome::Filled { price, quantity, liquidity, .. } => {
            format!(
                "{id} {} {quantity} at {price}",
                if liquidity == Liquidity::Maker { "gave" } else { "took" }
            )
        }
        Outcome::Canceled { refusal } => format!("{id} canceled {}", refusal.rule.name()),
        Outcome::Expired => format!("{id} expired"),
        Outcome::Replaced { price, quantity, stop_price } => {
            format!("{id} replaced {quantity} at {price} stop {stop_price}")
        }
        Outcome::CancelRejected { refusal } => format!("{id} cancel rejected {}", refusal.rule.name()),
        Outcome::ReplaceRejected { refusal } => format!("{id} replace rejected {}", refusal.rule.name()),
        Outcome::Triggered { price } => format!("{id} triggered at {price}"),
        Outcome::Unknown => format!("{id} unknown"),
        Outcome::Trade { trade_id, .. } => format!("trade {trade_id}"),
        Outcome::BookLevel { .. } => return None,
        other => format!("{id} {other:?}"),
    })
}

struct Floor {
    venue: MatchingVenue,
    position: Position,
    time: u64,
}

impl Floor {
    fn new() -> Self {
        Floor { venue: MatchingVenue::new(), position: Position(i64::MAX), time: 0 }
    }

    fn with(orders: &[VenueOrder]) -> Self {
        let mut floor = Floor::new();
        orders.iter().for_each(|order| drop(floor.submit(*order)));
        floor
    }

    fn ask(&mut self, request: VenueRequest) -> Vec<String> {
        self.time += 1;
        self.venue.request(&request, self.time);
        told(&pull(&mut self.venue, self.time, &self.position))
    }

    fn submit(&mut self, order: VenueOrder) -> Vec<String> {
        self.ask(VenueRequest::Submit(order))
    }

    fn cancel(&mut self, order_id: u64) -> Vec<String> {
        self.ask(VenueRequest::Cancel { order_id, instrument: 1 })
    }

    fn replace(&mut self, order_id: u64, price: i64, quantity: i64, stop_price: i64) -> Vec<String> {
        self.ask(VenueRequest::Replace { order_id, instrument: 1, price, quantity, stop_price })
    }
}

#[test]
fn reports_of_a_trade_come_in_the_fixed_order_with_one_trade_id() {
    let mut floor = Floor::with(&[limit(1, Sell, 100, 5), limit(2, Sell, 101, 5)]);
    floor.venue.request(&VenueRequest::Submit(limit(3, Buy, 101, 7)), 9);
    let reports = pull(&mut floor.venue, 9, &floor.position);
    let fill = |price, quantity, trade_id, liquidity, contra| Outcome::Filled {
        trade_id,
        price,
        quantity,
        liquidity,
        fee_nano: None,
        contra: Some(contra),
    };
    let trade = |price, quantity, trade_id, resting_order_id| Outcome::Trade {
        instrument: 1,
        trade_id,
        price,
        quantity,
        aggressor_side: Buy,
        resting_order_id,
        auction: None,
    };
    let level =
        |price, quantity, orders| Outcome::BookLevel { instrument: 1, side: Sell, price, quantity, orders };
    let expected = [
        (3, Outcome::Accepted { venue_order_id: 3 }),
        (3, trade(100, 5, 1, 1)),
        (1, fill(100, 5, 1, Liquidity::Maker, 3)),
        (3, fill(100, 5, 1, Liquidity::Taker, 1)),
        (0, level(100, 0, 0)),
        (3, trade(101, 2, 2, 2)),
        (2, fill(101, 2, 2, Liquidity::Maker, 3)),
        (3, fill(101, 2, 2, Liquidity::Taker, 2)),
        (0, level(101, 3, 1)),
    ];
    let expected = expected.map(|(order_id, outcome)| VenueReport { order_id, venue_time: 9, outcome });
    assert_eq!(reports, expected);
}

#[test]
fn stops_cascade_in_one_line_lowest_buy_stop_first_then_by_arrival() {
    let mut floor = Floor::with(&[
        limit(1, Sell, 100, 1),
        limit(2, Sell, 102, 1),
        limit(3, Sell, 104, 1),
        limit(4, Sell, 106, 2),
        stop(11, Buy, 102, 1),
        stop(12, Buy, 100, 1),
        stop(13, Buy, 100, 1),
        stop(14, Buy, 105, 1),
    ]);
    let expected = [
        "20 accepted",
        "trade 1",
        "1 gave 1 at 100",
        "20 took 1 at 100",
        "12 triggered at 100",
        "trade 2",
        "2 gave 1 at 102",
        "12 took 1 at 102",
        "13 triggered at 100",
        "trade 3",
        "3 gave 1 at 104",
        "13 took 1 at 104",
        "11 triggered at 102",
        "trade 4",
        "4 gave 1 at 106",
        "11 took 1 at 106",
        "14 triggered at 106",
        "trade 5",
        "4 gave 1 at 106",
        "14 took 1 at 106",
    ];
    assert_eq!(floor.submit(market(20, Buy, 1)), expected);
    assert_eq!(floor.venue.last_price(1), Some(106));
}

#[test]
fn ten_thousand_stops_that_trigger_each_other_end() {
    let mut floor = Floor::new();
    for step in 0..10_000 {
        floor.submit(limit(step, Sell, 100 + step as i64, 1));
        floor.submit(stop(20_000 + step, Buy, 100 + step as i64, 1));
    }
    let said = floor.submit(market(50_000, Buy, 1));
    let triggered = said.iter().filter(|line| line.contains("triggered")).count();
    assert_eq!(triggered, 10_000);
    assert_eq!(said.last().unwrap(), "29999 canceled MARKET_MUST_HAVE_LIQUIDITY");
    assert!(floor.venue.book(1).unwrap().is_empty());
}

#[test]
fn a_sell_sweep_triggers_both_sides_of_stops_it_traded_through() {
    let mut floor = Floor::with(&[limit(1, Buy, 100, 1), limit(2, Buy, 90, 1), limit(3, Sell, 120, 9)]);
    floor.submit(stop(11, Sell, 95, 1));
    floor.submit(stop(12, Buy, 99, 1));
    floor.submit(limit(4, Buy, 80, 5));
    let said = floor.submit(limit(5, Sell, 90, 2));
    let triggered: Vec<_> = said.iter().filter(|line| line.contains("triggered")).cloned().collect();
    assert_eq!(triggered, ["12 triggered at 90", "11 triggered at 90"]);
}

#[test]
fn a_stop_limit_rests_at_its_limit_after_it_triggered() {
    let stop_limit = VenueOrder { order_type: OrderType::StopLimit, price: 99, ..stop(5, Sell, 100, 3) };
    let mut floor = Floor::with(&[limit(1, Buy, 100, 1), stop_limit]);
    assert_eq!(floor.venue.book(1).unwrap().len(), 1, "a stop is not in the book");
    let said = floor.submit(limit(2, Sell, 100, 1));
    assert_eq!(said[4..], ["5 triggered at 100"]);
    assert_eq!(floor.venue.book(1).unwrap().depth(Sell, 2), [Level { price: 99, quantity: 3, orders: 1 }]);
    assert_eq!(floor.cancel(5), ["5 canceled CANCELED_ON_REQUEST"]);
}

#[test]
fn a_stop_on_the_wrong_side_of_the_last_trade_is_rejected() {
    let mut floor = Floor::with(&[limit(1, Buy, 100, 1), limit(2, Sell, 100, 1)]);
    assert_eq!(floor.submit(stop(5, Buy, 100, 1)), ["5 rejected STOP_MUST_NOT_BE_TRIGGERED"]);
    assert_eq!(floor.submit(stop(5, Sell, 100, 1)), ["5 rejected STOP_MUST_NOT_BE_TRIGGERED"]);
    assert_eq!(floor.submit(stop(5, Buy, 101, 1)), ["5 accepted"]);
    assert_eq!(floor.replace(5, 0, 1, 99), ["5 replace rejected STOP_MUST_NOT_BE_TRIGGERED"]);
    assert_eq!(floor.replace(5, 0, 2, 105), ["5 replaced 2 at 0 stop 105"]);
    assert_eq!(floor.cancel(5), ["5 canceled CANCELED_ON_REQUEST"]);
    assert_eq!(floor.cancel(5), ["5 cancel rejected ORDER_MUST_EXIST"]);
}

#[test]
fn replaced_stops_wait_behind_others_at_their_stop_price_unless_only_smaller() {
    for (quantity, first) in [(1, "11"), (3, "12")] {
        let mut floor = Floor::with(&[limit(1, Sell, 100, 9), stop(11, Buy, 100, 2), stop(12, Buy, 100, 2)]);
        floor.replace(11, 0, quantity, 100);
        let said = floor.submit(market(20, Buy, 1));
        let triggered = said.iter().find(|line| line.contains("triggered")).unwrap();
        assert!(triggered.starts_with(first), "{triggered}");
    }
}

#[test]
fn orders_expire_at_their_time_and_cannot_trade_at_it() {
    let till = |id, time| VenueOrder {
        time_in_force: TimeInForce::Gtd,
        expire_time: time,
        ..limit(id, Buy, 100, 1)
    };
    let mut floor = Floor::with(&[till(1, 50), till(2, 40), limit(3, Buy, 100, 1)]);
    assert_eq!(floor.submit(till(4, 4)), ["4 rejected EXPIRY_MUST_BE_IN_FUTURE"]);
    assert_eq!(floor.venue.next_due(), Some(40));
    assert_eq!(pull(&mut floor.venue, 39, &floor.position), []);
    floor.time = 49;
    let said = floor.submit(limit(5, Sell, 100, 2));
    assert_eq!(
        said,
        ["2 expired", "1 expired", "5 accepted", "trade 1", "3 gave 1 at 100", "5 took 1 at 100"]
    );
    assert_eq!(floor.venue.next_due(), None);
}

#[test]
fn an_id_is_free_for_the_request_that_its_order_expires_before() {
    let till = VenueOrder { time_in_force: TimeInForce::Gtd, expire_time: 2, ..limit(1, Buy, 100, 1) };
    let mut floor = Floor::with(&[till]);
    assert_eq!(floor.submit(limit(1, Sell, 100, 1)), ["1 expired", "1 accepted"]);
}

#[test]
fn day_orders_expire_when_the_session_closes_and_others_stay() {
    let day = |order: VenueOrder| VenueOrder { time_in_force: TimeInForce::Day, ..order };
    let elsewhere = VenueOrder { instrument: 2, ..day(limit(9, Buy, 5, 1)) };
    let mut floor = Floor::with(&[
        day(limit(1, Sell, 100, 1)),
        limit(2, Sell, 101, 1),
        day(limit(3, Buy, 90, 1)),
        day(limit(4, Buy, 91, 1)),
        day(stop(5, Buy, 200, 1)),
        elsewhere,
    ]);
    floor.venue.close_session(1, 60);
    let said = told(&pull(&mut floor.venue, 60, &floor.position));
    assert_eq!(said, ["4 expired", "3 expired", "1 expired", "5 expired"]);
    floor.venue.close_session(0, 61);
    assert_eq!(told(&pull(&mut floor.venue, 61, &floor.position)), ["9 expired"]);
    assert_eq!(floor.cancel(2), ["2 canceled CANCELED_ON_REQUEST"]);
}

#[test]
fn a_reduce_only_aggressor_takes_what_may_execute_and_loses_the_excess_when_that_is_filled() {
    let reduce = |order: VenueOrder| VenueOrder { options: options::REDUCE_ONLY, ..order };
    let mut floor = Floor::with(&[limit(1, Buy, 100, 4), limit(2, Buy, 99, 9)]);
    floor.position = Position(6);
    let said = floor.submit(reduce(limit(3, Sell, 100, 15)));
    assert_eq!(said, ["3 accepted", "trade 1", "1 gave 4 at 100", "3 took 4 at 100"]);
    assert_eq!(floor.venue.book(1).unwrap().order(3).unwrap().leaves, 2);
    let said = floor.submit(limit(4, Buy, 100, 5));
    let expected =
        ["4 accepted", "trade 2", "3 gave 2 at 100", "4 took 2 at 100", "3 canceled REDUCE_ONLY_MUST_REDUCE"];
    assert_eq!(said, expected);
    floor.position = Position(0);
    assert_eq!(floor.submit(reduce(market(5, Sell, 1))), ["5 rejected REDUCE_ONLY_MUST_REDUCE"]);
    assert_eq!(
        floor.submit(reduce(limit(5, Sell, 200, 1))),
        ["5 accepted"],
        "it does not take, so it may rest"
    );
}

#[test]
fn replace_counts_the_executed_part_in_the_total() {
    let mut floor = Floor::with(&[limit(1, Buy, 100, 10), limit(2, Sell, 100, 4)]);
    assert_eq!(floor.replace(1, 100, 4, 0), ["1 replace rejected QUANTITY_MUST_BE_POSITIVE"]);
    assert_eq!(floor.replace(1, 100, 7, 0), ["1 replaced 7 at 100 stop 0"]);
    assert_eq!(floor.venue.book(1).unwrap().order(1).unwrap().leaves, 3);
    assert_eq!(floor.replace(77, 100, 7, 0), ["77 replace rejected ORDER_MUST_EXIST"]);
    assert_eq!(floor.replace(1, i64::MAX, 7, 0), ["1 replace rejected FIELD_MUST_BE_IN_RANGE"]);
}

#[test]
fn what_the_venue_does_not_do_is_rejected_by_its_rule() {
    let cases = [
        (VenueOrder { sizing: Sizing::Percent, ..limit(1, Buy, 1, 1) }, "SIZING_MUST_BE_SUPPORTED"),
        (VenueOrder { sizing: Sizing::TargetPercent, ..limit(1, Buy, 1, 1) }, "SIZING_MUST_BE_SUPPORTED"),
        (VenueOrder { instrument: 0, ..limit(1, Buy, 1, 1) }, "INSTRUMENT_MUST_BE_LISTED"),
        (VenueOrder { instrument: u32::MAX, ..limit(1, Buy, 1, 1) }, "INSTRUMENT_MUST_BE_LISTED"),
        (VenueOrder { time_in_force: TimeInForce::AtOpen, ..limit(1, Buy, 1, 1) }, "SESSION_MUST_TAKE_ORDER"),
        (
            VenueOrder { time_in_force: TimeInForce::AtClose, ..stop(1, Buy, 1, 1) },
            "ORDER_TYPE_MUST_BE_SUPPORTED",
        ),
        (limit(1, Buy, 1, 0), "QUANTITY_MUST_BE_POSITIVE"),
        (limit(1, Buy, 1, i64::MIN), "QUANTITY_MUST_BE_POSITIVE"),
        (limit(1, Sell, i64::MIN, 1), "FIELD_MUST_BE_IN_RANGE"),
        (stop(1, Sell, i64::MIN, 1), "FIELD_MUST_BE_IN_RANGE"),
        (
            VenueOrder { options: options::REDUCE_ONLY, ..limit(1, Sell, i64::MIN, 1) },
            "FIELD_MUST_BE_IN_RANGE",
        ),
    ];
    let mut floor = Floor::with(&[limit(50, Buy, 100, 1)]);
    for (order, rule) in cases {
        assert_eq!(floor.submit(order), [format!("1 rejected {rule}")]);
    }
    assert_eq!(floor.submit(limit(50, Buy, 1, 1)), ["50 rejected CLIENT_ORDER_ID_MUST_BE_UNIQUE"]);
    let post_only = VenueOrder { options: options::POST_ONLY, ..limit(1, Sell, 100, 1) };
    assert_eq!(floor.submit(post_only), ["1 rejected POST_ONLY_MUST_NOT_TAKE"]);
}

#[test]
fn a_query_is_answered_from_what_lives() {
    let mut floor = Floor::with(&[limit(1, Buy, 100, 1)]);
    let query = |order_id| VenueRequest::Query { order_id, instrument: 1, client_order_id: 0 };
    assert_eq!(floor.ask(query(1)), ["1 accepted"]);
    assert_eq!(floor.ask(query(2)), ["2 unknown"]);
}

fn bytes(venue: &MatchingVenue) -> Vec<u8> {
    let mut out = StateWriter::new();
    venue.write(&mut out);
    out.into_bytes()
}

fn restored(venue: &MatchingVenue) -> MatchingVenue {
    let before = bytes(venue);
    let mut reader = StateReader::new(&before);
    let copy = MatchingVenue::read(&mut reader).unwrap();
    reader.finish().unwrap();
    assert_eq!(bytes(&copy), before, "a restored venue has the same bytes");
    copy
}

fn order() -> impl Strategy<Value = VenueOrder> {
    let kinds = prop_oneof![
        6 => Just(OrderType::Limit),
        2 => Just(OrderType::Market),
        2 => Just(OrderType::Stop),
        2 => Just(OrderType::StopLimit),
    ];
    let times = prop_oneof![
        4 => Just(TimeInForce::Gtc),
        2 => Just(TimeInForce::Day),
        2 => Just(TimeInForce::Gtd),
        1 => Just(TimeInForce::Ioc),
        1 => Just(TimeInForce::Fok),
    ];
    let prices = (90i64..110, 90i64..110, 1i64..12, 1u64..120);
    (1u64..60, any::<bool>(), kinds, times, 0u16..4, prices, 1u32..3).prop_map(
        |(order_id, buy, order_type, time_in_force, options, prices, instrument)| VenueOrder {
            order_type,
            time_in_force,
            options,
            instrument,
            stop_price: prices.1,
            expire_time: prices.3,
            ..limit(order_id, if buy { Buy } else { Sell }, prices.0, prices.2)
        },
    )
}

fn request() -> impl Strategy<Value = Option<VenueRequest>> {
    prop_oneof![
        10 => order().prop_map(|order| Some(VenueRequest::Submit(order))),
        3 => (1u64..60).prop_map(|order_id| Some(VenueRequest::Cancel { order_id, instrument: 1 })),
        3 => (1u64..60, 90i64..110, 1i64..12, 90i64..110).prop_map(|(order_id, price, quantity, stop_price)| {
            Some(VenueRequest::Replace { order_id, instrument: 1, price, quantity, stop_price })
        }),
        1 => Just(None),
    ]
}

/// What a client knows of its order: (total, filled).
#[derive(Default)]
struct Clients(std::collections::BTreeMap<u64, (i64, i64)>);

impl Clients {
    fn hear(&mut self, report: &VenueReport, request: &Option<VenueRequest>) -> Result<(), TestCaseError> {
        if let (Outcome::Accepted { .. }, Some(VenueRequest::Submit(order))) = (report.outcome, request) {
            prop_assert_eq!(self.0.insert(order.order_id, (order.quantity, 0)), None);
        }
        let known = self.0.get_mut(&report.order_id);
        match report.outcome {
            Outcome::Filled { quantity, .. } => {
                let (total, filled) = known.expect("a fill is for a live order");
                *filled += quantity;
                prop_assert!(*filled <= *total, "order {} overfilled", report.order_id);
                if filled == total {
                    self.0.remove(&report.order_id);
                }
            }
            Outcome::Replaced { quantity, .. } => known.expect("a replaced order is live").0 = quantity,
            Outcome::Reduced { quantity, .. } => {
                let (total, filled) = known.expect("a reduced order is live");
                prop_assert!(
                    *filled < quantity && quantity < *total,
                    "{} reduced to nothing",
                    report.order_id
                );
                *total = quantity;
            }
            Outcome::Canceled { .. } | Outcome::Expired => {
                prop_assert!(self.0.remove(&report.order_id).is_some(), "{} is not live", report.order_id);
            }
            _ => {}
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    #[test]
    fn every_report_is_about_a_live_order_and_a_restored_venue_goes_on_alike(
        requests in prop::collection::vec(request(), 1..150),
        position in 0i64..20,
    ) {
        let (mut venue, mut clients) = (MatchingVenue::new(), Clients::default());
        let context = Position(position);
        for (time, request) in requests.iter().enumerate() {
            let time = time as u64;
            match request {
                Some(request) => venue.request(request, time),
                None => venue.close_session(1, time),
            }
            let mut copy = restored(&venue);
            let reports = pull(&mut venue, time, &context);
            for (index, report) in reports.iter().enumerate() {
                clients.hear(report, request)?;
                prop_assert_eq!(copy.next_report(time, &context), Some(*report));
                if index == 1 {
                    copy = restored(&copy);
                }
            }
            prop_assert_eq!(copy.next_report(time, &context), None);
            prop_assert_eq!(bytes(&copy), bytes(&venue));
            for instrument in [1, 2] {
                if let Some(top) = venue.book(instrument).map(|book| book.top())
                    && let (Some(bid), Some(ask)) = (top.bid, top.ask)
                {
                    prop_assert!(bid.price < ask.price, "crossed at rest");
                }
            }
        }
    }
}

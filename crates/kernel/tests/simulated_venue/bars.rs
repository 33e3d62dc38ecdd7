//! What bars fill, at which price, and in which order.

use openbell_kernel::command::VenuePayload;
use openbell_kernel::rules::Rule;
use openbell_kernel::terms::Liquidity::{Maker, Taker};
use openbell_kernel::terms::Side::{Buy, Sell};
use openbell_kernel::terms::{Sizing, TimeInForce, options};
use openbell_kernel::venue::simulated::fill_options;
use openbell_kernel::venue::{Outcome, VenueOrder, VenueRequest};

use crate::floor::{Floor, bar, limit, market, stop, stop_limit, terms, with};

/// One bar 100..110 / 95 / 105, from 0 to 10: the reference that orders are sent after.
fn opened() -> Floor {
    let mut floor = Floor::plain();
    floor.bar(0, 10, [100, 110, 95, 105]);
    floor
}

fn with_terms(change: impl FnOnce(&mut VenuePayload)) -> Floor {
    let mut terms = terms();
    change(&mut terms);
    let mut floor = Floor::new(terms);
    floor.bar(0, 10, [100, 110, 95, 105]);
    floor
}

#[test]
fn an_order_sent_at_the_close_of_a_bar_fills_at_the_next_open_and_never_inside_that_bar() {
    let mut floor = opened();
    floor.submit(market(1, Buy, 5));
    floor.submit(limit(2, Buy, 101, 5));
    assert!(floor.fills().is_empty());
    floor.bar(10, 20, [103, 104, 102, 104]);
    assert_eq!(floor.fills(), [(1, 103, 5, Taker)]);
    assert_eq!(floor.lines(1)[1].report.venue_time, 10);
}

#[test]
fn an_order_that_arrives_after_the_open_of_a_bar_waits_for_the_next_one() {
    let mut floor = with_terms(|terms| terms.order_latency_ns = 1);
    floor.submit(market(1, Buy, 5));
    floor.bar(10, 20, [103, 104, 102, 104]);
    assert!(floor.fills().is_empty());
    assert_eq!(floor.lines(1)[0].pulled, 11, "accepted when it arrived");
    floor.bar(20, 30, [107, 108, 106, 107]);
    assert_eq!(floor.prices(), [(1, 107, 5)]);
}

#[test]
fn what_one_order_does_in_one_bar() {
    // Order, bar (open, high, low, close) and the fill expected: (price, liquidity).
    let bars = [100, 104, 96, 101];
    let cases = [
        ("a limit beyond the open takes at the open", limit(1, Buy, 102, 5), bars, Some((100, Taker))),
        ("a limit is made when the bar trades through it", limit(1, Buy, 97, 5), bars, Some((97, Maker))),
        ("a limit that is only touched is not filled", limit(1, Buy, 96, 5), bars, None),
        ("a limit outside the range is not filled", limit(1, Buy, 95, 5), bars, None),
        ("a selling limit is made at the other side", limit(1, Sell, 103, 5), bars, Some((103, Maker))),
        ("a selling limit that is only touched is not", limit(1, Sell, 104, 5), bars, None),
        ("a stop that is touched fills at its price", stop(1, Sell, 96, 5), bars, Some((96, Taker))),
        ("a buying stop that is touched fills at its price", stop(1, Buy, 104, 5), bars, Some((104, Taker))),
        ("a stop outside the range waits", stop(1, Sell, 95, 5), bars, None),
        ("a stop the open jumped over fills at the open", stop(1, Sell, 101, 5), bars, Some((100, Taker))),
        ("a buying stop the open jumped over too", stop(1, Buy, 99, 5), bars, Some((100, Taker))),
        (
            "a stop-limit inside its limit fills at the stop",
            stop_limit(1, Buy, 102, 103, 5),
            bars,
            Some((102, Taker)),
        ),
        ("a stop-limit beyond its limit waits for another bar", stop_limit(1, Buy, 102, 101, 5), bars, None),
        (
            "a stop-limit jumped over takes at the open",
            stop_limit(1, Buy, 99, 103, 5),
            bars,
            Some((100, Taker)),
        ),
        (
            "a stop-limit jumped over too far rests from the open",
            stop_limit(1, Buy, 99, 98, 5),
            bars,
            Some((98, Maker)),
        ),
        (
            "an immediate limit is measured at the open only",
            with(limit(1, Buy, 97, 5), TimeInForce::Ioc),
            bars,
            None,
        ),
        (
            "an order for the open fills at the open",
            with(market(1, Sell, 5), TimeInForce::AtOpen),
            bars,
            Some((100, Taker)),
        ),
        (
            "an order for the close fills at the close",
            with(market(1, Sell, 5), TimeInForce::AtClose),
            bars,
            Some((101, Taker)),
        ),
        (
            "a limit for the close needs the close beyond it",
            with(limit(1, Buy, 100, 5), TimeInForce::AtClose),
            bars,
            None,
        ),
        (
            "a limit for the close gets the close",
            with(limit(1, Buy, 103, 5), TimeInForce::AtClose),
            bars,
            Some((101, Taker)),
        ),
    ];
    for (name, order, prices, expected) in cases {
        let mut floor = opened();
        floor.submit(order);
        floor.bar(10, 20, prices);
        let filled: Vec<_> = floor.fills().iter().map(|fill| (fill.1, fill.3)).collect();
        assert_eq!(filled, expected.into_iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_touch_fills_where_that_is_configured() {
    let mut floor = with_terms(|terms| terms.options = fill_options::LIMIT_FILLS_ON_TOUCH);
    floor.submit(limit(1, Buy, 96, 5));
    floor.submit(limit(2, Sell, 104, 5));
    floor.bar(10, 20, [100, 104, 96, 101]);
    assert_eq!(floor.fills(), [(1, 96, 5, Maker), (2, 104, 5, Maker)]);
}

#[test]
fn a_resting_limit_that_the_open_jumps_over_makes_at_the_open() {
    let mut floor = opened();
    floor.submit(limit(1, Buy, 90, 5));
    floor.bar(10, 20, [103, 104, 102, 104]);
    floor.bar(20, 30, [85, 86, 84, 85]);
    assert_eq!(floor.fills(), [(1, 85, 5, Maker)]);
}

#[test]
fn a_post_only_limit_that_is_marketable_at_its_first_open_is_canceled() {
    let mut floor = opened();
    floor.submit(VenueOrder { options: options::POST_ONLY, ..limit(1, Buy, 104, 5) });
    floor.bar(10, 20, [103, 104, 102, 104]);
    assert_eq!(floor.rule(1), Some(Rule::PostOnlyMustNotTake));
    assert!(floor.fills().is_empty());
}

#[test]
fn immediate_orders_end_at_the_open_with_their_rule() {
    let mut floor = with_terms(|terms| terms.volume_share = 10_000_000);
    floor.submit(with(limit(1, Buy, 97, 5), TimeInForce::Ioc));
    floor.submit(with(limit(2, Buy, 97, 5), TimeInForce::AtOpen));
    floor.submit(with(market(3, Buy, 15), TimeInForce::Ioc));
    floor.submit(with(market(4, Buy, 15), TimeInForce::Fok));
    floor.submit(with(market(5, Buy, 10), TimeInForce::Fok));
    floor.bar(10, 20, [100, 104, 96, 101]);
    assert_eq!(floor.prices(), [(3, 100, 10), (5, 100, 10)]);
    let rules: Vec<_> = (1..=4).map(|order| floor.rule(order).unwrap()).collect();
    let now = Rule::ImmediateOrCancelMustFillNow;
    assert_eq!(rules, [now, now, now, Rule::FillOrKillMustFillWhole]);
}

#[test]
fn slippage_moves_takers_against_themselves_but_never_beyond_their_limit() {
    let mut floor = with_terms(|terms| terms.slippage = 15_000_000);
    floor.submit(market(1, Buy, 1));
    floor.submit(market(2, Sell, 1));
    floor.submit(limit(3, Buy, 101, 1));
    floor.submit(limit(4, Sell, 103, 1));
    floor.submit(stop(5, Sell, 97, 1));
    floor.bar(10, 20, [100, 104, 96, 101]);
    // 1.5 % of 100 rounds up to 102 and down to 98; of 97 down to 95.
    assert_eq!(floor.prices(), [(1, 102, 1), (2, 98, 1), (3, 101, 1), (5, 95, 1), (4, 103, 1)]);
}

#[test]
fn an_order_takes_its_share_of_each_bars_volume_until_it_is_filled() {
    let mut floor = with_terms(|terms| terms.volume_share = 10_000_000);
    floor.submit(market(1, Buy, 25));
    floor.submit(limit(2, Buy, 97, 12));
    floor.bar(10, 20, [100, 104, 96, 101]);
    floor.bar(20, 30, [101, 104, 96, 102]);
    floor.bar(30, 40, [102, 104, 99, 103]);
    let fills = floor.prices();
    assert_eq!(fills, [(1, 100, 10), (2, 97, 10), (1, 101, 10), (2, 97, 2), (1, 102, 5)]);
}

#[test]
fn a_bar_without_volume_fills_nothing_when_a_share_is_set() {
    let mut floor = with_terms(|terms| terms.volume_share = 10_000_000);
    floor.submit(market(1, Buy, 25));
    floor.observe(bar(1, 10, 20, [100, 104, 96, 101], 0, true), 20);
    assert!(floor.fills().is_empty());
}

#[test]
fn when_stop_and_target_lie_in_one_bar_the_worse_one_fills_and_the_other_is_canceled() {
    let mut floor = opened();
    floor.submit(limit(1, Sell, 103, 5));
    floor.submit(stop(2, Sell, 97, 5));
    floor.partners = [(1, 2), (2, 1)].into();
    floor.bar(10, 20, [100, 104, 96, 101]);
    assert_eq!(floor.prices(), [(2, 97, 5)]);
    assert_eq!(floor.rule(1), Some(Rule::CanceledByParticipant));
}

/// A parent that fills at the open or inside a bar, with stop and target below and above it.
fn bracket(floor: &mut Floor, parent: VenueOrder, stop_price: i64, target: i64) {
    let parent_id = parent.order_id;
    floor.submit(parent);
    let children = vec![stop(8, Sell, stop_price, 5), limit(9, Sell, target, 5)];
    floor.children.insert(parent_id, children);
    floor.partners = [(8, 9), (9, 8)].into();
}

#[test]
fn children_released_at_the_open_may_fill_in_the_same_bar_the_stop_first() {
    let cases = [
        ("only the target is reached", 95, 103, [(1, 100, 5), (9, 103, 5)].as_slice()),
        ("only the stop is reached", 97, 105, &[(1, 100, 5), (8, 97, 5)]),
        ("both are reached", 97, 103, &[(1, 100, 5), (8, 97, 5)]),
        ("none is reached", 95, 105, &[(1, 100, 5)]),
        ("the stop lies beyond the open already", 102, 105, &[(1, 100, 5), (8, 100, 5)]),
    ];
    for (name, stop_price, target, expected) in cases {
        let mut floor = opened();
        bracket(&mut floor, market(1, Buy, 5), stop_price, target);
        floor.bar(10, 20, [100, 104, 96, 101]);
        assert_eq!(floor.prices(), expected, "{name}");
    }
}

#[test]
fn a_stop_released_inside_a_bar_is_assumed_touched_and_a_target_waits_for_the_next() {
    let cases = [
        ("the range holds the stop", limit(1, Buy, 98, 5), 97, 103, [(1, 98, 5), (8, 97, 5)].as_slice()),
        ("the range holds the target only", limit(1, Buy, 98, 5), 95, 103, &[(1, 98, 5), (9, 103, 5)]),
        ("a stop entry, worst case", stop(1, Buy, 103, 5), 97, 110, &[(1, 103, 5), (8, 97, 5)]),
        ("a stop entry below the target", stop(1, Buy, 102, 5), 95, 103, &[(1, 102, 5), (9, 103, 5)]),
        (
            "a stop above the entry fills at the entry",
            limit(1, Buy, 98, 5),
            99,
            110,
            &[(1, 98, 5), (8, 98, 5)],
        ),
    ];
    for (name, parent, stop_price, target, expected) in cases {
        let mut floor = opened();
        bracket(&mut floor, parent, stop_price, target);
        floor.bar(10, 20, [100, 104, 96, 101]);
        assert!(floor.fills().iter().all(|fill| fill.0 != 9), "{name}: the target filled in the same bar");
        floor.bar(20, 30, [101, 106, 100, 102]);
        assert_eq!(floor.prices(), expected, "{name}");
    }
}

#[test]
fn a_target_released_inside_a_bar_rests_and_makes_when_the_next_open_jumps_over_it() {
    let mut floor = opened();
    bracket(&mut floor, limit(1, Buy, 98, 5), 90, 103);
    floor.bar(10, 20, [100, 104, 96, 101]);
    floor.bar(20, 30, [105, 106, 100, 102]);
    assert_eq!(floor.fills()[1..], [(9, 105, 5, Maker)]);
}

#[test]
fn an_order_given_a_new_price_by_a_fill_waits_for_the_next_bar_and_a_new_quantity_counts_at_once() {
    for (price, expected) in [(98, [(1, 100, 5)].as_slice()), (97, &[(1, 100, 5), (2, 97, 3)])] {
        let mut floor = opened();
        floor.submit(market(1, Buy, 5));
        floor.submit(limit(2, Buy, 97, 9));
        let (order_id, instrument) = (2, 1);
        let replacement = VenueRequest::Replace { order_id, instrument, price, quantity: 3, stop_price: 0 };
        floor.replacements.insert(1, replacement);
        floor.bar(10, 20, [100, 104, 96, 101]);
        assert_eq!(floor.prices(), expected, "replaced to {price}");
        floor.bar(20, 30, [100, 104, 96, 101]);
        assert_eq!(floor.prices()[1..], [(2, price, 3)]);
    }
}

#[test]
fn a_cancel_that_arrives_after_a_bar_closed_comes_too_late_though_the_bar_still_waits() {
    let mut floor = with_terms(|terms| terms.report_latency_ns = 25);
    floor.submit(limit(1, Buy, 98, 5));
    floor.submit(limit(2, Buy, 96, 5));
    floor.bar(10, 20, [100, 104, 97, 101]);
    floor.bar(20, 30, [101, 104, 94, 101]);
    floor.at(31).cancel(2);
    floor.run_to(100);
    assert_eq!(floor.prices(), [(1, 98, 5), (2, 96, 5)]);
    assert_eq!(floor.rule(2), Some(Rule::OrderMustBeOpen));
}

#[test]
fn with_report_latency_the_bar_waits_for_the_engine_and_brackets_come_out_the_same() {
    let cases = [
        (market(1, Buy, 5), 97, 103, [(1, 100, 5), (8, 97, 5)].as_slice()),
        (limit(1, Buy, 98, 5), 97, 103, &[(1, 98, 5), (8, 97, 5)]),
        (market(1, Buy, 5), 90, 103, &[(1, 100, 5), (9, 103, 5)]),
    ];
    for (parent, stop_price, target, expected) in cases {
        let mut floor = with_terms(|terms| terms.report_latency_ns = 3);
        bracket(&mut floor, parent, stop_price, target);
        floor.bar(20, 30, [100, 104, 96, 101]);
        floor.bar(30, 40, [101, 106, 100, 102]);
        floor.run_to(60);
        assert_eq!(floor.prices(), expected);
        assert!(floor.log.iter().all(|line| line.pulled >= line.report.venue_time + 3));
    }
}

#[test]
fn the_report_of_a_fill_inside_a_bar_takes_its_time_and_later_bars_wait_in_order() {
    let mut floor = with_terms(|terms| terms.report_latency_ns = 25);
    floor.submit(limit(1, Buy, 98, 5));
    floor.submit(limit(2, Buy, 96, 5));
    floor.bar(10, 20, [100, 104, 97, 101]);
    floor.bar(20, 30, [101, 104, 94, 101]);
    assert!(floor.fills().is_empty(), "a fill is not known before its latency passed");
    floor.run_to(100);
    let pulled: Vec<_> = floor.log.iter().map(|line| (line.report.order_id, line.pulled)).collect();
    assert_eq!(pulled, [(1, 35), (2, 35), (1, 45), (2, 55)]);
}

#[test]
fn a_cancel_that_arrives_while_a_bar_waits_comes_too_late_for_that_bar() {
    let mut floor = with_terms(|terms| terms.report_latency_ns = 8);
    floor.submit(limit(1, Buy, 98, 5));
    floor.submit(limit(2, Buy, 97, 5));
    floor.bar(18, 28, [100, 104, 95, 101]);
    floor.at(30).cancel(2);
    floor.run_to(60);
    assert_eq!(floor.prices(), [(1, 98, 5), (2, 97, 5)]);
    assert_eq!(floor.rule(2), Some(Rule::OrderMustBeOpen));
}

#[test]
fn orders_of_all_bars_of_a_message_take_turns_in_the_order_they_arrived() {
    let mut floor = opened();
    floor.observe(bar(2, 0, 10, [50, 51, 49, 50], 1_000, true), 10);
    floor.submit(VenueOrder { instrument: 2, ..market(1, Sell, 5) });
    floor.submit(market(2, Buy, 5));
    floor.observe(bar(1, 10, 20, [100, 104, 96, 101], 1_000, false), 20);
    assert!(floor.fills().is_empty(), "the message is not complete");
    floor.observe(bar(2, 10, 20, [51, 52, 50, 51], 1_000, true), 20);
    assert_eq!(floor.prices(), [(1, 51, 5), (2, 100, 5)]);
}

#[test]
fn a_close_and_a_percent_order_at_one_open_see_each_other() {
    let mut floor = opened();
    floor.books.cash_nano = 1_000 * 1_000_000_000;
    floor.submit(market(1, Buy, 10));
    floor.bar(10, 20, [100, 104, 96, 101]);
    floor.submit(VenueOrder { sizing: Sizing::ClosePosition, ..market(2, Sell, 0) });
    floor.submit(VenueOrder { sizing: Sizing::Percent, ..market(3, Buy, 1_000_000_000) });
    floor.bar(20, 30, [50, 60, 40, 50]);
    assert_eq!(floor.prices(), [(1, 100, 10), (2, 50, 10), (3, 50, 10)]);
}

#[test]
fn a_target_is_traded_in_the_direction_that_leads_there() {
    let target =
        |order_id, share| VenueOrder { sizing: Sizing::TargetPercent, ..market(order_id, Buy, share) };
    let mut floor = with_terms(|terms| terms.slippage = 10_000_000);
    floor.books.cash_nano = 1_000 * 1_000_000_000;
    floor.submit(target(1, 1_000_000_000));
    floor.bar(10, 20, [100, 104, 96, 100]);
    floor.submit(target(2, 500_000_000));
    floor.bar(20, 30, [100, 104, 96, 100]);
    floor.submit(target(3, -500_000_000));
    floor.bar(30, 40, [100, 104, 96, 100]);
    // Bought at 101, sold at 99: the sign tells the direction.
    assert_eq!(floor.prices(), [(1, 101, 9), (2, 99, -4), (3, 99, -9)]);
    assert_eq!(floor.books.position(1, 1), -4);
}

#[test]
fn an_order_sized_at_the_fill_is_done_after_one_fill_even_when_volume_cut_it() {
    let mut floor = with_terms(|terms| terms.volume_share = 10_000_000);
    floor.submit(VenueOrder { sizing: Sizing::Percent, ..market(1, Buy, 1_000_000_000) });
    floor.bar(10, 20, [100, 104, 96, 101]);
    floor.bar(20, 30, [100, 104, 96, 101]);
    assert_eq!(floor.prices(), [(1, 100, 10)]);
    assert_eq!(floor.lines(1).len(), 2);
}

#[test]
fn an_execution_the_engine_cuts_is_asked_for_again_and_refused_by_name() {
    let mut floor = opened();
    floor.submit(market(1, Buy, 5));
    floor.bar(10, 20, [100, 104, 96, 101]);
    floor.submit(VenueOrder { options: options::REDUCE_ONLY, ..limit(2, Sell, 103, 8) });
    floor.bar(20, 30, [100, 104, 96, 101]);
    assert_eq!(floor.prices(), [(1, 100, 5), (2, 103, 5)]);
    assert_eq!(floor.rule(2), Some(Rule::ReduceOnlyMustReduce));
}

#[test]
fn a_good_till_date_order_has_no_part_in_a_bar_that_outlives_it() {
    let until =
        |order: VenueOrder, expire_time| VenueOrder { time_in_force: TimeInForce::Gtd, expire_time, ..order };
    let mut floor = opened();
    floor.submit(until(limit(1, Buy, 98, 5), 15));
    floor.submit(until(limit(2, Buy, 98, 5), 20));
    floor.submit(until(market(3, Buy, 5), 15));
    floor.submit(until(limit(4, Buy, 98, 5), 10));
    floor.bar(10, 20, [100, 104, 96, 101]);
    assert_eq!(floor.prices(), [(3, 100, 5), (2, 98, 5)]);
    assert_eq!(floor.last(1), Outcome::Expired);
    assert_eq!(floor.rule(4), Some(Rule::ExpiryMustBeInFuture));
}

#[test]
fn day_orders_expire_when_the_session_closes() {
    use openbell_kernel::venue::Venue;
    let mut floor = opened();
    floor.submit(with(limit(1, Buy, 90, 5), TimeInForce::Day));
    floor.submit(limit(2, Buy, 90, 5));
    floor.bar(10, 20, [100, 104, 96, 101]);
    floor.venue.close_session(0, 20);
    floor.pull();
    assert_eq!(floor.last(1), Outcome::Expired);
    assert!(matches!(floor.last(2), Outcome::Accepted { .. }));
}

#[test]
fn at_the_end_open_orders_are_canceled_and_closing_orders_get_the_last_close() {
    for (options, price) in [(0, 101), (fill_options::CLOSE_OUT_AT_OPEN, 100)] {
        let mut floor = with_terms(|terms| terms.options = options);
        floor.submit(market(1, Buy, 5));
        floor.bar(10, 20, [100, 104, 96, 101]);
        floor.submit(market(2, Buy, 7));
        floor.submit(limit(3, Buy, 90, 7));
        floor.finish(20);
        floor.submit(VenueOrder { sizing: Sizing::ClosePosition, ..market(4, Sell, 0) });
        floor.submit(limit(5, Sell, 90, 1));
        assert_eq!(floor.prices(), [(1, 100, 5), (4, price, 5)]);
        for order in [2, 3, 5] {
            assert_eq!(floor.rule(order), Some(Rule::CanceledAtEnd), "order {order}");
        }
    }
}

#[test]
fn the_end_finds_orders_and_reports_under_way() {
    let mut floor = with_terms(|terms| (terms.order_latency_ns, terms.report_latency_ns) = (5, 50));
    floor.submit(limit(1, Buy, 98, 5));
    floor.bar(20, 30, [100, 104, 96, 101]);
    floor.submit(market(2, Buy, 7));
    floor.finish(30);
    assert_eq!(floor.prices(), [(1, 98, 5)]);
    assert_eq!(floor.rule(2), Some(Rule::CanceledAtEnd));
    assert_eq!(floor.lines(1).last().unwrap().pulled, 30);
}

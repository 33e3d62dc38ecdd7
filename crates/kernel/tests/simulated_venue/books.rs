//! What quotes, trades and books fill.

use openbell_kernel::rules::Rule;
use openbell_kernel::terms::Liquidity::{Maker, Taker};
use openbell_kernel::terms::Side::{Buy, Sell};
use openbell_kernel::terms::{Sizing, TimeInForce, options};
use openbell_kernel::venue::{Outcome, Venue, VenueOrder, VenueRequest};

use crate::floor::{Floor, INSTRUMENT, level, limit, market, quote, stop, stop_limit, terms, with};

/// Bids 99 x 10, 98 x 20; asks 101 x 10, 102 x 20.
fn booked() -> Floor {
    let mut floor = Floor::plain();
    let levels = [(Buy, 99, 10), (Buy, 98, 20), (Sell, 101, 10), (Sell, 102, 20)];
    floor.levels(10, &levels, true);
    floor
}

fn quoted() -> Floor {
    let mut floor = Floor::plain();
    floor.quote(10, (99, 10), (101, 10));
    floor
}

#[test]
fn a_taker_walks_the_displayed_levels_and_what_is_missing_is_canceled() {
    let mut floor = booked();
    floor.submit(market(1, Buy, 25));
    assert_eq!(floor.fills(), [(1, 101, 10, Taker), (1, 102, 15, Taker)]);
    floor.submit(market(2, Sell, 50));
    assert_eq!(floor.prices()[2..], [(2, 99, 10), (2, 98, 20)]);
    assert_eq!(floor.rule(2), Some(Rule::MarketMustHaveLiquidity));
}

#[test]
fn displayed_quantity_is_taken_once_until_the_feed_changes_the_level() {
    let mut floor = booked();
    floor.submit(market(1, Buy, 10));
    floor.submit(with(limit(2, Buy, 101, 5), TimeInForce::Ioc));
    assert_eq!(floor.rule(2), Some(Rule::ImmediateOrCancelMustFillNow));
    floor.levels(11, &[(Sell, 102, 20)], false);
    floor.submit(with(limit(3, Buy, 101, 5), TimeInForce::Ioc));
    floor.levels(12, &[(Sell, 101, 4)], false);
    floor.submit(with(limit(4, Buy, 101, 5), TimeInForce::Ioc));
    assert_eq!(floor.prices(), [(1, 101, 10), (4, 101, 4)]);
}

#[test]
fn a_repeated_quote_shows_no_new_quantity() {
    let mut floor = quoted();
    floor.submit(market(1, Buy, 10));
    floor.quote(11, (98, 10), (101, 10));
    floor.submit(market(2, Buy, 1));
    assert_eq!(floor.rule(2), Some(Rule::MarketMustHaveLiquidity));
    floor.quote(12, (98, 10), (101, 11));
    floor.submit(market(3, Buy, 11));
    assert_eq!(floor.prices(), [(1, 101, 10), (3, 101, 11)]);
}

#[test]
fn a_limit_takes_what_is_within_it_and_rests_with_the_remainder() {
    let mut floor = booked();
    floor.submit(limit(1, Buy, 101, 15));
    assert_eq!(floor.fills(), [(1, 101, 10, Taker)]);
    // The ask that it used up itself does not trade through it; a new one below does.
    floor.levels(11, &[(Buy, 97, 5)], false);
    assert_eq!(floor.fills().len(), 1);
    floor.levels(12, &[(Sell, 100, 1)], false);
    assert_eq!(floor.fills()[1..], [(1, 101, 5, Maker)]);
}

#[test]
fn a_resting_order_needs_the_market_to_trade_through_it() {
    let mut floor = quoted();
    floor.submit(limit(1, Buy, 100, 50));
    floor.trade(11, 100, 1_000);
    floor.quote(12, (99, 10), (100, 10));
    assert!(floor.fills().is_empty(), "a touch is no fill");
    floor.trade(13, 99, 1);
    assert_eq!(floor.fills(), [(1, 100, 50, Maker)]);
    floor.submit(limit(2, Sell, 102, 50));
    floor.quote(14, (102, 10), (103, 10));
    assert_eq!(floor.fills().len(), 1);
    floor.quote(15, (103, 10), (104, 10));
    assert_eq!(floor.fills()[1..], [(2, 102, 50, Maker)]);
}

#[test]
fn a_trade_from_before_an_order_arrived_does_not_fill_it() {
    let mut floor = quoted();
    floor.submit(limit(1, Buy, 90, 5));
    floor.trade(11, 95, 5);
    floor.submit(limit(2, Buy, 97, 5));
    floor.quote(12, (94, 1), (98, 1));
    assert!(floor.fills().is_empty());
}

#[test]
fn the_trade_that_filled_a_parent_does_not_fill_its_child() {
    let mut floor = quoted();
    floor.submit(limit(1, Buy, 95, 5));
    // The market order's fill has the venue look at the resting one again, while that trade still counts.
    floor.children.insert(1, vec![limit(2, Buy, 94, 5), market(3, Buy, 5)]);
    floor.trade(11, 90, 5);
    assert_eq!(floor.prices(), [(1, 95, 5), (3, 101, 5)]);
    floor.trade(12, 90, 5);
    assert_eq!(floor.prices()[2..], [(2, 94, 5)]);
}

#[test]
fn nothing_executes_on_a_half_applied_update() {
    let mut floor = booked();
    floor.submit(limit(1, Buy, 100, 5));
    floor.observe(level(Sell, 99, 1, false, false), 11);
    floor.submit(market(2, Buy, 1));
    assert!(floor.fills().is_empty());
    assert!(floor.lines(2).is_empty(), "it has not been looked at");
    floor.observe(level(Sell, 99, 0, false, true), 11);
    assert_eq!(floor.prices(), [(2, 101, 1)]);
}

#[test]
fn post_only_is_rejected_on_arrival_when_it_would_take() {
    let post_only = |order| VenueOrder { options: options::POST_ONLY, ..order };
    let mut floor = quoted();
    floor.submit(post_only(limit(1, Buy, 101, 5)));
    floor.submit(post_only(limit(2, Buy, 100, 5)));
    floor.submit(post_only(market(3, Buy, 5)));
    assert!(matches!(floor.last(1), Outcome::Rejected { refusal } if refusal.limit == 101));
    assert!(matches!(floor.last(2), Outcome::Accepted { .. }));
    assert_eq!(floor.rule(3), Some(Rule::PostOnlyMustNotTake));
    floor.replace(2, 101, 5, 0);
    assert_eq!(floor.rule(2), Some(Rule::PostOnlyMustNotTake));
    floor.quote(11, (98, 1), (99, 1));
    assert_eq!(floor.fills(), [(2, 100, 5, Maker)]);
}

#[test]
fn fill_or_kill_fills_whole_or_not_at_all() {
    let mut floor = booked();
    floor.submit(with(limit(1, Buy, 101, 11), TimeInForce::Fok));
    floor.submit(with(market(2, Buy, 31), TimeInForce::Fok));
    floor.submit(with(limit(3, Buy, 102, 30), TimeInForce::Fok));
    assert_eq!(floor.prices(), [(3, 101, 10), (3, 102, 20)]);
    assert_eq!(floor.rule(1), Some(Rule::FillOrKillMustFillWhole));
    assert!(
        matches!(floor.last(2), Outcome::Canceled { refusal } if (refusal.limit, refusal.actual) == (31, 30))
    );
}

#[test]
fn an_order_sized_at_the_fill_takes_all_it_needs_at_the_worst_level_it_reaches() {
    let mut floor = booked();
    floor.submit(market(1, Buy, 15));
    floor.submit(VenueOrder { sizing: Sizing::ClosePosition, ..market(2, Sell, 0) });
    assert_eq!(floor.prices()[2..], [(2, 98, 15)]);
    floor.submit(market(3, Sell, 20));
    assert_eq!(floor.prices()[3..], [(3, 98, 15)], "both bids were used");
}

#[test]
fn a_target_finds_its_side_in_the_book() {
    let mut floor = booked();
    floor.books.cash_nano = 1_000 * 1_000_000_000;
    let target =
        |order_id, share| VenueOrder { sizing: Sizing::TargetPercent, ..market(order_id, Sell, share) };
    floor.submit(target(1, 500_000_000));
    floor.submit(target(2, 0));
    floor.submit(target(3, 0));
    assert_eq!(floor.prices(), [(1, 101, 4), (2, 99, -4)]);
    assert_eq!(floor.rule(3), Some(Rule::SizedQuantityMustBePositive));
}

#[test]
fn stops_look_at_the_last_trade_where_trades_are_seen_and_at_the_opposite_best_elsewhere() {
    let mut floor = quoted();
    floor.submit(stop(1, Sell, 97, 5));
    floor.submit(stop_limit(2, Buy, 104, 103, 5));
    floor.quote(11, (97, 10), (100, 10));
    assert_eq!(floor.fills(), [(1, 97, 5, Taker)]);
    assert!(floor.lines(1).iter().any(|line| line.report.outcome == Outcome::Triggered { price: 97 }));
    floor.trade(12, 100, 1);
    floor.quote(13, (103, 10), (105, 10));
    assert_eq!(floor.lines(2).len(), 1, "quotes do not count once trades are seen");
    floor.trade(14, 104, 1);
    assert_eq!(floor.last(2), Outcome::Triggered { price: 104 });
    floor.quote(15, (101, 10), (102, 10));
    assert_eq!(floor.fills()[1..], [(2, 103, 5, Maker)], "it rested, and the market came through");
}

#[test]
fn after_a_gap_takers_and_resting_orders_wait_for_the_snapshot() {
    let mut floor = booked();
    floor.submit(limit(1, Buy, 100, 5));
    floor.gap(11);
    floor.submit(market(2, Buy, 5));
    floor.levels(12, &[(Sell, 99, 5)], false);
    assert!(floor.fills().is_empty());
    floor.levels(13, &[(Buy, 95, 5), (Sell, 98, 7)], true);
    assert_eq!(floor.prices(), [(1, 100, 5), (2, 98, 5)]);
}

#[test]
fn before_any_data_orders_wait() {
    let mut floor = Floor::plain();
    floor.submit(market(1, Buy, 5));
    assert!(matches!(floor.last(1), Outcome::Accepted { .. }));
    floor.quote(10, (99, 10), (101, 3));
    assert_eq!(floor.prices(), [(1, 101, 3)]);
}

#[test]
fn where_only_trades_are_seen_takers_use_the_next_ones_and_resting_orders_need_one_beyond_them() {
    let mut floor = Floor::plain();
    floor.trade(10, 100, 50);
    floor.submit(market(1, Buy, 8));
    floor.submit(limit(2, Buy, 100, 5));
    floor.submit(stop(3, Sell, 98, 4));
    assert!(floor.fills().is_empty(), "the last trade is over");
    floor.trade(11, 101, 5);
    floor.trade(12, 102, 5);
    assert_eq!(floor.prices(), [(1, 101, 5), (1, 102, 3)]);
    floor.trade(13, 101, 5);
    floor.trade(14, 98, 5);
    assert_eq!(floor.fills()[2..], [(2, 100, 5, Maker)], "the stop is triggered only");
    floor.trade(15, 97, 5);
    assert_eq!(floor.prices()[3..], [(3, 97, 4)]);
}

#[test]
fn requests_and_reports_take_their_time() {
    let mut terms = terms();
    (terms.order_latency_ns, terms.report_latency_ns) = (5, 3);
    let mut floor = Floor::new(terms);
    floor.quote(10, (99, 10), (101, 10));
    floor.submit(market(1, Buy, 5));
    floor.quote(12, (99, 10), (104, 10));
    floor.quote(16, (99, 10), (107, 10));
    floor.run_to(30);
    let lines = floor.lines(1);
    assert_eq!(floor.prices(), [(1, 104, 5)], "the quote at its arrival counts");
    assert!(lines.iter().all(|line| (line.report.venue_time, line.pulled) == (15, 18)));
}

#[test]
fn a_cancel_can_lose_the_race_against_a_fill() {
    let mut terms = terms();
    (terms.order_latency_ns, terms.report_latency_ns) = (5, 3);
    let mut floor = Floor::new(terms);
    floor.quote(10, (99, 10), (101, 10));
    floor.submit(limit(1, Buy, 100, 5));
    floor.at(20).cancel(1);
    floor.quote(24, (98, 1), (99, 1));
    floor.run_to(40);
    assert_eq!(floor.fills(), [(1, 100, 5, Maker)]);
    assert_eq!(floor.rule(1), Some(Rule::OrderMustBeOpen));
}

#[test]
fn what_depends_on_the_account_waits_for_fills_under_way() {
    let mut terms = terms();
    terms.report_latency_ns = 10;
    let mut floor = Floor::new(terms);
    floor.quote(10, (99, 10), (101, 10));
    floor.submit(market(1, Buy, 5));
    floor.submit(VenueOrder { sizing: Sizing::ClosePosition, ..market(2, Sell, 0) });
    floor.quote(15, (97, 10), (101, 10));
    floor.run_to(40);
    assert_eq!(floor.prices(), [(1, 101, 5), (2, 97, 5)]);
    assert_eq!(floor.lines(2).last().unwrap().report.venue_time, 20);
}

#[test]
fn a_replace_that_betters_an_order_puts_it_behind_the_others() {
    let mut floor = quoted();
    floor.submit(limit(1, Buy, 99, 5));
    floor.submit(limit(2, Buy, 100, 5));
    floor.replace(1, 100, 5, 0);
    floor.quote(11, (95, 1), (98, 1));
    assert_eq!(floor.prices(), [(2, 100, 5), (1, 100, 5)]);
}

#[test]
fn a_smaller_quantity_keeps_its_place_and_a_filled_part_cannot_be_taken_back() {
    let mut floor = booked();
    floor.submit(limit(1, Buy, 101, 15));
    floor.replace(1, 101, 10, 0);
    assert_eq!(floor.rule(1), Some(Rule::QuantityMustBePositive));
    floor.replace(1, 101, 12, 0);
    floor.levels(11, &[(Sell, 100, 9)], false);
    assert_eq!(floor.prices(), [(1, 101, 10), (1, 101, 2)]);
    floor.submit(stop(2, Sell, 99, 1_000));
    floor.replace(2, 0, 1_000, 50);
    assert_eq!(floor.rule(2), Some(Rule::OrderMustBeOpen), "it was triggered and is gone");
}

#[test]
fn queries_and_requests_about_strangers_are_answered() {
    let ask = |order_id| VenueRequest::Query { order_id, instrument: INSTRUMENT, client_order_id: order_id };
    let mut floor = quoted();
    floor.submit(limit(1, Buy, 90, 5));
    floor.send(ask(1));
    assert!(matches!(floor.last(1), Outcome::Accepted { .. }));
    floor.send(ask(77));
    assert_eq!(floor.last(77), Outcome::Unknown);
    floor.cancel(78);
    assert_eq!(floor.rule(78), Some(Rule::OrderMustExist));
    floor.replace(79, 1, 1, 0);
    assert_eq!(floor.rule(79), Some(Rule::OrderMustExist));
    floor.cancel(1);
    floor.send(ask(1));
    assert_eq!(floor.rule(1), Some(Rule::CanceledByParticipant), "its last report was answer enough");
}

#[test]
fn orders_that_make_no_sense_here_are_rejected_by_name() {
    let mut floor = quoted();
    floor.submit(with(market(1, Buy, 5), TimeInForce::AtOpen));
    floor.submit(limit(2, Buy, 100, 0));
    floor.submit(limit(3, Buy, 90, 1));
    floor.submit(limit(3, Buy, 90, 1));
    let rules: Vec<_> = [1, 2, 3].into_iter().map(|order| floor.rule(order).unwrap()).collect();
    let expected =
        [Rule::OrderTypeMustBeSupported, Rule::QuantityMustBePositive, Rule::ClientOrderIdMustBeUnique];
    assert_eq!(rules, expected);
}

#[test]
fn orders_expire_at_their_time_and_at_the_end_of_the_day() {
    let mut floor = quoted();
    let until = VenueOrder { time_in_force: TimeInForce::Gtd, expire_time: 15, ..limit(1, Buy, 100, 5) };
    floor.submit(until);
    floor.submit(with(limit(2, Buy, 90, 5), TimeInForce::Day));
    floor.quote(14, (99, 1), (101, 1));
    assert!(matches!(floor.last(1), Outcome::Accepted { .. }));
    floor.quote(15, (95, 1), (96, 1));
    assert_eq!(floor.last(1), Outcome::Expired);
    assert!(floor.fills().is_empty());
    floor.venue.close_session(INSTRUMENT, 15);
    floor.submit(with(limit(3, Buy, 90, 5), TimeInForce::Day));
    assert_eq!(floor.last(2), Outcome::Expired);
    assert!(matches!(floor.last(3), Outcome::Accepted { .. }));
}

#[test]
fn a_gap_in_a_quote_feed_ends_with_the_next_quote() {
    let mut floor = quoted();
    floor.gap(11);
    floor.submit(market(1, Buy, 5));
    assert!(floor.fills().is_empty());
    floor.observe(quote((99, 10), (103, 10)), 12);
    assert_eq!(floor.prices(), [(1, 103, 5)]);
}

#[test]
fn at_the_end_a_position_is_closed_against_the_last_quote() {
    let mut floor = quoted();
    floor.submit(market(1, Buy, 5));
    floor.submit(limit(2, Buy, 90, 5));
    floor.finish(20);
    floor.submit(VenueOrder { sizing: Sizing::ClosePosition, ..market(3, Sell, 0) });
    assert_eq!(floor.prices(), [(1, 101, 5), (3, 99, 5)]);
    assert_eq!(floor.rule(2), Some(Rule::CanceledAtEnd));
}

//! Stops, touched orders and trailing stops.

use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::{OrderType, Side, TrailBy, TriggerBy};

use Side::{Buy, Sell};

use crate::floor::{Floor, limit, market, quoted, stop, touched, trailing};

#[test]
fn a_touched_buy_waits_for_a_lower_price_and_then_takes() {
    let mut floor = quoted();
    assert_eq!(floor.send(touched(1, Buy, 4, 99)), ["1 accepted"]);
    assert_eq!(floor.shows(Buy), ["10 at 99"], "it is not in the book");
    let said = floor.send(market(2, Sell, 3));
    assert_eq!(
        said,
        [
            "2 accepted",
            "903 gave 3 at 99",
            "2 took 3 at 99",
            "1 triggered at 99",
            "904 gave 4 at 101",
            "1 took 4 at 101"
        ]
    );
}

#[test]
fn a_touched_limit_sell_rests_at_its_limit_once_the_market_came_up() {
    let mut floor = quoted();
    let ask = touched(1, Sell, 4, 101).typed(OrderType::LimitIfTouched).at_most(103);
    assert_eq!(floor.send(ask), ["1 accepted"]);
    let said = floor.send(market(2, Buy, 1));
    assert_eq!(said[3..], ["1 triggered at 101"]);
    assert_eq!(floor.shows(Sell), ["9 at 101", "4 at 103"]);
}

#[test]
fn what_the_market_has_reached_already_is_refused() {
    for (ask, rejected) in [
        (touched(1, Buy, 1, 100), "1 rejected STOP_MUST_NOT_BE_TRIGGERED 100 100"),
        (touched(1, Sell, 1, 100), "1 rejected STOP_MUST_NOT_BE_TRIGGERED 100 100"),
        (
            touched(1, Buy, 1, 101).by(TriggerBy::OppositeBest),
            "1 rejected STOP_MUST_NOT_BE_TRIGGERED 101 101",
        ),
        (stop(1, Buy, 1, 101).by(TriggerBy::OppositeBest), "1 rejected STOP_MUST_NOT_BE_TRIGGERED 101 101"),
        (stop(1, Sell, 1, 99).by(TriggerBy::OppositeBest), "1 rejected STOP_MUST_NOT_BE_TRIGGERED 99 99"),
        (stop(1, Sell, 1, 100).by(TriggerBy::Mark), "1 rejected STOP_MUST_NOT_BE_TRIGGERED 100 100"),
    ] {
        let mut floor = quoted();
        let before = floor.hash();
        assert_eq!(floor.send(ask), [rejected]);
        assert_eq!(floor.hash(), before);
    }
}

#[test]
fn a_stop_on_the_best_of_the_other_side_wakes_without_a_trade() {
    let mut floor = quoted();
    floor.send(stop(1, Buy, 2, 103).by(TriggerBy::OppositeBest));
    floor.send(limit(2, Sell, 10, 103).of(9));
    assert_eq!(
        floor.cancel(904),
        ["904 canceled on request", "1 triggered at 103", "2 gave 2 at 103", "1 took 2 at 103"]
    );
}

#[test]
fn a_stop_on_the_mark_wakes_by_a_price_from_outside_and_by_our_trades() {
    let mut floor = quoted();
    floor.send(stop(1, Sell, 1, 90).by(TriggerBy::Mark));
    assert_eq!(floor.mark(95), [] as [&str; 0]);
    assert_eq!(floor.mark(90), ["1 triggered at 90", "903 gave 1 at 99", "1 took 1 at 99"]);
    floor.send(stop(2, Buy, 1, 101).by(TriggerBy::Mark));
    let said = floor.send(market(3, Buy, 1));
    assert_eq!(said[3..], ["2 triggered at 101", "904 gave 1 at 101", "2 took 1 at 101"]);
}

#[test]
fn a_trailing_sell_follows_the_high_and_never_goes_back() {
    let mut floor = quoted();
    floor.send(limit(5, Sell, 9, 104).of(9));
    assert_eq!(floor.send(trailing(1, Sell, 2, 5)), ["1 accepted", "1 repriced 0 stop 95"]);
    let said = floor.send(market(2, Buy, 12));
    assert_eq!(said.last().unwrap(), "1 repriced 0 stop 99", "the sweep ended at 104");
    floor.send(limit(3, Buy, 5, 100).of(9));
    assert_eq!(floor.send(market(4, Sell, 1)).len(), 3, "100 is above the stop");
    floor.cancel(3);
    let said = floor.send(market(6, Sell, 1));
    assert_eq!(said[3..], ["1 triggered at 99", "903 gave 2 at 99", "1 took 2 at 99"]);
}

#[test]
fn a_sweep_up_and_back_in_one_request_cannot_be_so_a_trailing_buy_is_measured_at_its_first_and_last_trade() {
    let mut floor = Floor::with(&[
        limit(901, Sell, 1, 110).of(9),
        limit(902, Buy, 1, 110).of(8),
        limit(903, Buy, 1, 108).of(9),
        limit(904, Buy, 1, 100).of(9),
        limit(905, Sell, 9, 120).of(9),
    ]);
    floor.send(trailing(1, Buy, 1, 5));
    let said = floor.send(limit(2, Sell, 2, 100));
    assert_eq!(said.last().unwrap(), "1 repriced 0 stop 105", "it followed the last trade, not the first");
    floor.send(limit(3, Sell, 1, 105).of(9));
    let said = floor.send(market(4, Buy, 1));
    assert_eq!(said[3..], ["1 triggered at 105", "905 gave 1 at 120", "1 took 1 at 120"]);
}

#[test]
fn a_trailing_stop_by_percent_stands_on_the_tick_and_its_limit_goes_along() {
    let mut floor = quoted();
    let ask = trailing(1, Sell, 2, 25_000_000).typed(OrderType::TrailingStopLimit).with(|terms| {
        terms.trail_by = Some(TrailBy::Percent);
        terms.limit_offset = 2;
    });
    assert_eq!(floor.send(ask), ["1 accepted", "1 repriced 95 stop 97"]);
    let said = floor.send(market(2, Buy, 1));
    assert_eq!(said.last().unwrap(), "1 repriced 96 stop 98");
    floor.cancel(903);
    floor.send(limit(3, Buy, 1, 97).of(9));
    let said = floor.send(limit(4, Sell, 1, 97));
    assert_eq!(said[3..], ["1 triggered at 97"]);
    assert_eq!(floor.shows(Sell), ["2 at 96", "9 at 101"]);
}

#[test]
fn a_trailing_stop_without_a_price_to_follow_needs_one_to_begin_at() {
    let mut floor = Floor::with(&[limit(901, Buy, 9, 99).of(9)]);
    assert_eq!(floor.send(trailing(1, Sell, 1, 5)), ["1 rejected REFERENCE_PRICE_MUST_BE_KNOWN 0 1"]);
    assert_eq!(floor.send(trailing(1, Sell, 1, 5).stop(90)), ["1 accepted", "1 repriced 0 stop 90"]);
    let said = floor.send(market(2, Sell, 1));
    assert_eq!(said[3..], ["1 repriced 0 stop 94"]);
}

#[test]
fn a_trailing_stop_can_be_given_another_trail_and_another_stop() {
    let mut floor = quoted();
    floor.send(trailing(1, Sell, 2, 5));
    let terms = SpecialTerms { trail: 10, trail_by: Some(TrailBy::Amount), ..SpecialTerms::default() };
    assert_eq!(floor.replace_with(1, [2, 0, 95], terms), ["1 replaced 2 at 0 stop 90"]);
    assert_eq!(floor.replace(1, [1, 0, 97]), ["1 replaced 1 at 0 stop 97"]);
    assert_eq!(floor.replace(1, [1, 0, 100]), ["1 replace rejected STOP_MUST_NOT_BE_TRIGGERED 100 100"]);
    let said = floor.send(market(2, Buy, 1));
    assert_eq!(said.len(), 3, "101 less 10 is behind the stop it was given");
    assert_eq!(floor.cancel(1), ["1 canceled on request"]);
}

#[test]
fn stops_and_touched_orders_of_one_trade_run_rising_first_then_falling() {
    let mut floor = quoted();
    floor.send(touched(1, Buy, 1, 99));
    floor.send(stop(2, Sell, 1, 99));
    floor.send(stop(3, Sell, 1, 98));
    let said = floor.send(market(5, Sell, 1));
    let triggered: Vec<_> = said.iter().filter(|line| line.contains("triggered")).cloned().collect();
    assert_eq!(triggered, ["1 triggered at 99", "2 triggered at 99"]);
}

#[test]
fn a_thousand_trailing_stops_and_stops_that_set_each_other_off_end() {
    let mut floor = quoted();
    for step in 0..1_000 {
        floor.send(limit(1_000 + step, Buy, 1, 98 - (step as i64 % 90)).of(9));
        floor.send(trailing(10_000 + step, Sell, 1, 1 + step as i64 % 50));
    }
    let said = floor.send(market(5, Sell, 40));
    let triggered = said.iter().filter(|line| line.contains("triggered")).count();
    assert_eq!(triggered, 1_000);
}

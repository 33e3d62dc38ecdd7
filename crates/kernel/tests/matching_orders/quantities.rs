//! Icebergs, hidden orders, minimum quantities, all-or-none, market-to-limit, post-only, reduce-only.

use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::{OrderType, Side, TimeInForce, options};

use Side::{Buy, Sell};

use crate::floor::{Floor, limit, market, quoted};

#[test]
fn an_iceberg_shows_its_next_part_at_the_back_of_the_queue() {
    let mut floor = Floor::with(&[limit(1, Sell, 9, 100).showing(3), limit(2, Sell, 2, 100).of(2)]);
    assert_eq!(floor.shows(Sell), ["5 at 100"]);
    let said = floor.send(market(3, Buy, 6));
    let expected = [
        "3 accepted",
        "1 gave 3 at 100",
        "3 took 3 at 100",
        "2 gave 2 at 100",
        "3 took 2 at 100",
        "1 gave 1 at 100",
        "3 took 1 at 100",
    ];
    assert_eq!(said, expected);
    assert_eq!(floor.shows(Sell), ["2 at 100"]);
}

#[test]
fn an_iceberg_keeps_its_place_when_it_shrinks_and_loses_it_for_another_display() {
    let iceberg = || Floor::with(&[limit(1, Sell, 9, 100).showing(3), limit(2, Sell, 2, 100).of(2)]);
    let first = |mut floor: Floor| floor.send(market(3, Buy, 1))[1].clone();
    let display = |display_quantity| SpecialTerms { display_quantity, ..SpecialTerms::default() };
    let mut floor = iceberg();
    assert_eq!(floor.replace_with(1, [5, 100, 0], display(3)), ["1 replaced 5 at 100 stop 0"]);
    assert_eq!(first(floor), "1 gave 1 at 100");
    let mut floor = iceberg();
    assert_eq!(floor.replace_with(1, [2, 100, 0], display(2)), ["1 replaced 2 at 100 stop 0"]);
    assert_eq!(floor.shows(Sell), ["4 at 100"]);
    assert_eq!(first(floor), "1 gave 1 at 100", "it shows no more than it is");
    let mut floor = iceberg();
    assert_eq!(floor.replace_with(1, [9, 100, 0], display(4)), ["1 replaced 9 at 100 stop 0"]);
    assert_eq!(floor.shows(Sell), ["6 at 100"]);
    assert_eq!(first(floor), "2 gave 1 at 100");
    let mut floor = iceberg();
    floor.replace(1, [10, 100, 0]);
    assert_eq!(first(floor), "2 gave 1 at 100");
}

#[test]
fn an_iceberg_with_another_display_may_cross_and_counts_what_it_traded() {
    let mut floor = Floor::with(&[limit(1, Sell, 9, 100).showing(3), limit(2, Buy, 2, 99).of(2)]);
    floor.send(market(3, Buy, 1));
    let terms = SpecialTerms { display_quantity: 2, ..SpecialTerms::default() };
    let said = floor.replace_with(1, [8, 99, 0], terms);
    assert_eq!(said, ["1 replaced 8 at 99 stop 0", "2 gave 2 at 99", "1 took 2 at 99"]);
    assert_eq!(floor.shows(Sell), ["2 at 99"]);
    assert_eq!(floor.venue.book(1).unwrap().order(1).unwrap().leaves, 5);
    assert_eq!(
        floor.replace_with(1, [3, 99, 0], terms),
        ["1 replace rejected QUANTITY_MUST_BE_POSITIVE 4 3"]
    );
}

#[test]
fn a_hidden_order_trades_behind_what_is_shown_at_its_price() {
    let mut floor =
        Floor::with(&[limit(1, Sell, 5, 100).option(options::HIDDEN), limit(2, Sell, 2, 100).of(2)]);
    assert_eq!(floor.shows(Sell), ["2 at 100"]);
    let said = floor.send(limit(3, Buy, 4, 100));
    assert_eq!(said[1..], ["2 gave 2 at 100", "3 took 2 at 100", "1 gave 2 at 100", "3 took 2 at 100"]);
    assert_eq!(floor.replace(1, [3, 101, 0]), ["1 replaced 3 at 101 stop 0"]);
    assert_eq!(floor.shows(Sell), [] as [&str; 0], "it stays hidden");
}

#[test]
fn a_minimum_quantity_trades_on_arrival_or_the_order_is_canceled() {
    let mut floor = quoted();
    let said = floor.send(limit(1, Buy, 20, 101).at_least(11));
    assert_eq!(said, ["1 accepted", "1 canceled MINIMUM_QUANTITY_MUST_FILL_NOW 10 11"]);
    let said = floor.send(limit(2, Buy, 20, 101).at_least(10));
    assert_eq!(said, ["2 accepted", "904 gave 10 at 101", "2 took 10 at 101"]);
    assert_eq!(floor.shows(Buy), ["10 at 101", "10 at 99"], "the rest rests");
}

#[test]
fn an_all_or_none_order_waits_unseen_until_all_of_it_can_trade() {
    let mut floor = quoted();
    let whole = options::ALL_OR_NONE;
    assert_eq!(floor.send(limit(1, Buy, 15, 101).option(whole)), ["1 accepted"]);
    assert_eq!(floor.shows(Buy), ["10 at 99"]);
    assert_eq!(floor.send(limit(2, Sell, 4, 101).of(9)), ["2 accepted"]);
    let said = floor.send(limit(3, Sell, 2, 100).of(9));
    let expected = [
        "3 accepted",
        "3 gave 2 at 100",
        "1 took 2 at 100",
        "904 gave 10 at 101",
        "1 took 10 at 101",
        "2 gave 3 at 101",
        "1 took 3 at 101",
    ];
    assert_eq!(said, expected);
}

#[test]
fn all_or_none_orders_are_tried_in_the_order_of_their_ids_and_by_new_terms() {
    let mut floor = quoted();
    let whole = options::ALL_OR_NONE;
    floor.send(limit(1, Buy, 30, 101).option(whole));
    floor.send(limit(2, Buy, 11, 101).option(whole));
    assert_eq!(floor.replace(2, [10, 100, 0]), ["2 replaced 10 at 100 stop 0"]);
    let said = floor.replace(2, [10, 101, 0]);
    assert_eq!(said, ["2 replaced 10 at 101 stop 0", "904 gave 10 at 101", "2 took 10 at 101"]);
    assert_eq!(floor.cancel(1), ["1 canceled on request"]);
    let said = floor.send(limit(4, Sell, 11, 99).option(whole).good(TimeInForce::Ioc));
    assert_eq!(said, ["4 accepted", "4 canceled MINIMUM_QUANTITY_MUST_FILL_NOW 10 11"]);
}

#[test]
fn market_to_limit_takes_the_best_price_only_and_rests_there() {
    let mut floor = quoted();
    floor.send(limit(5, Sell, 5, 102).of(9));
    let said = floor.send(market(1, Buy, 12).typed(OrderType::MarketToLimit));
    assert_eq!(said, ["1 accepted", "1 repriced 101 stop 0", "904 gave 10 at 101", "1 took 10 at 101"]);
    assert_eq!(floor.shows(Buy), ["2 at 101", "10 at 99"]);
    let mut empty = Floor::with(&[limit(5, Buy, 5, 99)]);
    let said = empty.send(market(1, Buy, 12).typed(OrderType::MarketToLimit));
    assert_eq!(said, ["1 accepted", "1 canceled MARKET_MUST_HAVE_LIQUIDITY 0 12"]);
}

#[test]
fn post_only_is_refused_or_slides_a_tick_behind_the_best_price() {
    let mut floor = quoted();
    assert_eq!(
        floor.send(limit(1, Buy, 1, 101).option(options::POST_ONLY)),
        ["1 rejected POST_ONLY_MUST_NOT_TAKE 101 101"]
    );
    let said = floor.send(limit(2, Buy, 1, 105).option(options::SLIDE));
    assert_eq!(said, ["2 accepted", "2 repriced 100 stop 0"]);
    assert_eq!(floor.shows(Buy), ["1 at 100", "10 at 99"]);
    assert_eq!(floor.replace(2, [1, 101, 0]), ["2 replaced 1 at 100 stop 0"]);
    assert_eq!(floor.send(limit(3, Buy, 1, 98).option(options::SLIDE)), ["3 accepted"]);
    let mut low = Floor::with(&[limit(9, Sell, 1, 1)]);
    assert_eq!(
        low.send(limit(1, Buy, 1, 1).option(options::SLIDE)),
        ["1 rejected POST_ONLY_MUST_NOT_TAKE 1 1"]
    );
}

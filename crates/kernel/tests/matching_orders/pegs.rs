//! Orders that follow the market.

use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::{Peg, Side, options};

use Side::{Buy, Sell};

use crate::floor::{Floor, limit, market, pegged, quoted};

#[test]
fn a_primary_peg_joins_the_best_of_its_side_and_follows_it() {
    let mut floor = quoted();
    assert_eq!(floor.send(pegged(1, Buy, 5, Peg::Primary, 0)), ["1 accepted", "1 repriced 99 stop 0"]);
    assert_eq!(floor.shows(Buy), ["15 at 99"]);
    assert_eq!(floor.send(limit(2, Buy, 1, 100).of(9)), ["2 accepted", "1 repriced 100 stop 0"]);
    assert_eq!(floor.shows(Buy), ["6 at 100", "10 at 99"]);
    assert_eq!(floor.cancel(2), ["2 canceled on request", "1 repriced 99 stop 0"]);
    assert_eq!(
        floor.cancel(903),
        ["903 canceled on request", "1 waits for a price"],
        "nothing to follow but itself"
    );
    assert_eq!(floor.shows(Buy), [] as [&str; 0]);
    assert_eq!(floor.send(limit(3, Buy, 1, 97).of(9)), ["3 accepted", "1 repriced 97 stop 0"]);
}

#[test]
fn pegs_that_would_chase_each_other_stand_still() {
    let mut floor = quoted();
    floor.send(pegged(1, Buy, 5, Peg::Primary, 1));
    floor.send(pegged(2, Buy, 5, Peg::Primary, 1));
    floor.send(pegged(3, Sell, 5, Peg::Primary, -1).option(options::POST_ONLY));
    assert_eq!(floor.shows(Buy), ["10 at 100", "10 at 99"]);
    assert_eq!(floor.shows(Sell), ["15 at 101"], "100 would take, so it stays a tick behind");
    assert_eq!(floor.send(limit(4, Buy, 1, 90).of(9)), ["4 accepted"], "nothing moves without a reason");
}

#[test]
fn market_and_mid_pegs_with_offset_and_limit() {
    let mut floor = quoted();
    assert_eq!(floor.send(pegged(1, Buy, 1, Peg::Market, -1)).last().unwrap(), "1 repriced 100 stop 0");
    assert_eq!(floor.send(pegged(2, Sell, 1, Peg::Mid, 1)).last().unwrap(), "2 repriced 101 stop 0");
    assert_eq!(
        floor.send(pegged(3, Buy, 1, Peg::Mid, 0).at_most(98)).last().unwrap(),
        "3 repriced 98 stop 0"
    );
    let said = floor.send(limit(4, Sell, 1, 100).of(9));
    assert_eq!(said[1..], ["1 gave 1 at 100", "4 took 1 at 100"], "the peg was there");
}

#[test]
fn a_market_peg_without_offset_takes_and_the_passes_end() {
    let mut floor = quoted();
    floor.send(limit(5, Sell, 3, 103).of(9));
    let said = floor.send(pegged(1, Buy, 12, Peg::Market, 0));
    let expected = [
        "1 accepted",
        "1 repriced 101 stop 0",
        "904 gave 10 at 101",
        "1 took 10 at 101",
        "1 repriced 103 stop 0",
        "5 gave 2 at 103",
        "1 took 2 at 103",
    ];
    assert_eq!(said, expected);
}

#[test]
fn pegs_move_in_the_order_of_their_ids_and_the_moved_stand_behind_the_others() {
    let mut floor = quoted();
    floor.send(pegged(2, Buy, 1, Peg::Primary, 0));
    floor.send(pegged(1, Buy, 1, Peg::Primary, 0));
    assert_eq!(
        floor.send(limit(3, Buy, 1, 100).of(9)),
        ["3 accepted", "1 repriced 100 stop 0", "2 repriced 100 stop 0"]
    );
    let said = floor.send(market(4, Sell, 3));
    assert_eq!([&said[1], &said[3], &said[5]], ["3 gave 1 at 100", "1 gave 1 at 100", "2 gave 1 at 100"]);
}

#[test]
fn a_peg_can_be_hidden_replaced_and_canceled() {
    let mut floor = quoted();
    floor.send(pegged(1, Buy, 5, Peg::Primary, 0).option(options::HIDDEN));
    assert_eq!(floor.shows(Buy), ["10 at 99"]);
    let offset = SpecialTerms { peg: Some(Peg::Primary), peg_offset: -2, ..SpecialTerms::default() };
    assert_eq!(
        floor.replace_with(1, [5, 0, 0], offset),
        ["1 replaced 5 at 99 stop 0", "1 repriced 97 stop 0"]
    );
    assert_eq!(floor.replace(1, [3, 0, 0]), ["1 replaced 3 at 97 stop 0"]);
    assert_eq!(floor.replace(1, [3, 96, 0]), ["1 replaced 3 at 97 stop 0", "1 repriced 96 stop 0"]);
    assert_eq!(floor.cancel(1), ["1 canceled on request"]);
}

#[test]
fn two_hundred_pegs_of_both_sides_settle() {
    let mut floor = Floor::with(&[limit(901, Buy, 10, 900).of(9), limit(902, Sell, 10, 1_100).of(9)]);
    for id in 0..200 {
        let side = if id % 2 == 0 { Buy } else { Sell };
        let peg = [Peg::Primary, Peg::Market, Peg::Mid][id as usize % 3];
        let offset = (id as i64 % 7 - 3) * 10;
        floor.send(pegged(id, side, 1, peg, offset).of(id as u32));
    }
    let mut said = 0;
    for step in 0..50 {
        said += floor.send(limit(1_000 + step, Buy, 1, 901 + step as i64).of(9)).len();
    }
    assert!(said > 1_000, "they moved: {said}");
    let book = floor.venue.book(1).unwrap();
    if let (Some(bid), Some(ask)) = (book.best(Buy), book.best(Sell)) {
        assert!(bid.price < ask.price);
    }
}

//! Orders with special terms where sessions change and bands hold: what the generated days against the twin found, as scenes.

use openbell_kernel::book::SelfTradeAction::{CancelResting, DecrementAndCancel};
use openbell_kernel::terms::{Peg, Side, TimeInForce, TradingSession, TriggerBy, options};
use openbell_kernel::venue::matching::PriceBands;

use Side::{Buy, Sell};
use TradingSession::{Closed, ClosingAuction, Continuous, OpeningAuction, VolatilityAuction};

use crate::floor::{Ask, Floor, limit, market, pegged, quoted, stop};

/// Nothing trades more than 2 away from the last trade, which was at 100.
fn banded() -> Floor {
    let mut floor = quoted();
    floor.venue.set_bands(1, PriceBands { dynamic_units: 2, ..PriceBands::NONE }).unwrap();
    floor
}

fn reducing(ask: Ask) -> Ask {
    ask.option(options::REDUCE_ONLY)
}

#[test]
fn an_order_that_goes_on_after_its_own_was_decremented_stays_within_the_bands() {
    let mut floor = banded();
    floor.send(limit(1, Sell, 5, 102));
    floor.send(limit(2, Sell, 9, 104).of(2));
    floor.venue.set_self_trade(1, 0, Some(DecrementAndCancel));
    let said = floor.send(limit(3, Buy, 20, 105));
    assert!(!said.iter().any(|line| line.ends_with("at 104")), "{said:?}");
    assert_eq!(floor.venue.session(1), VolatilityAuction);
    assert_eq!(floor.shows(Buy)[0], "5 at 105", "10 traded at 101, 5 were taken off");
}

#[test]
fn ones_own_order_outside_the_bands_is_no_trade_that_would_leave_them() {
    let mut floor = banded();
    floor.cancel(904);
    floor.venue.set_self_trade(1, 0, Some(CancelResting));
    floor.send(limit(2, Sell, 4, 103));
    let said = floor.send(limit(3, Buy, 4, 104));
    assert_eq!(said, ["3 accepted", "2 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 3"]);
    assert_eq!(floor.venue.session(1), Continuous);
}

#[test]
fn an_all_or_none_order_waits_while_its_whole_lies_beyond_the_bands() {
    let mut floor = banded();
    floor.send(limit(1, Sell, 10, 104).of(9));
    let said = floor.send(limit(2, Buy, 15, 105).option(options::ALL_OR_NONE));
    assert_eq!(said, ["2 accepted"]);
    assert_eq!(floor.venue.session(1), Continuous, "it wants nothing that it may not have");
    floor.send(limit(3, Sell, 5, 102).of(9));
    assert_eq!(
        floor.cancel(2),
        ["2 cancel rejected ORDER_MUST_EXIST 0 2"],
        "10 at 101 and 5 at 102 were the whole"
    );
}

#[test]
fn a_peg_stands_still_once_another_has_started_an_auction() {
    let mut floor = banded();
    floor.send(pegged(1, Sell, 9, Peg::Market, -2));
    floor.send(pegged(2, Sell, 9, Peg::Market, -2));
    assert_eq!(floor.venue.session(1), Continuous, "both took what was there, or wait");
    floor.cancel(903);
    let said = floor.send(limit(3, Buy, 6, 96).of(7));
    let moved = said.iter().filter(|line| line.contains("repriced")).count();
    assert_eq!((floor.venue.session(1), moved), (VolatilityAuction, 1), "{said:?}");
}

#[test]
fn a_stop_on_the_best_of_the_other_side_sees_what_an_auction_left() {
    let mut floor = quoted();
    floor.send(stop(1, Buy, 2, 103).by(TriggerBy::OppositeBest));
    floor.open(VolatilityAuction);
    floor.cancel(904);
    floor.send(limit(2, Sell, 5, 104).of(9));
    let said = floor.open(Continuous);
    assert_eq!(said, ["uncrossed 0 at 0", "1 triggered at 104", "2 gave 2 at 104", "1 took 2 at 104"]);
}

#[test]
fn what_expires_as_a_session_ends_wakes_no_stop() {
    let mut floor = quoted();
    floor.send(stop(1, Buy, 2, 103).by(TriggerBy::OppositeBest));
    floor.cancel(904);
    floor.send(limit(2, Sell, 5, 102).of(9).good(TimeInForce::Day));
    floor.send(limit(3, Sell, 5, 105).of(9));
    assert_eq!(floor.open(Closed), ["2 expired"]);
    assert_eq!(floor.open(Continuous)[0], "1 triggered at 105");
}

#[test]
fn a_reduce_only_market_order_is_measured_by_the_auction_and_not_when_it_comes() {
    let mut floor = quoted();
    floor.positions.0.insert(1, 3);
    floor.open(OpeningAuction);
    floor.send(reducing(market(1, Sell, 8)));
    assert_eq!(floor.venue.book(1).unwrap().order(1).unwrap().leaves, 8, "whoever stands on the other side");
    floor.send(limit(2, Buy, 4, 99).of(1));
    let said = floor.open(Continuous);
    assert!(said.contains(&"1 reduced to 3 REDUCE_ONLY_MUST_REDUCE 3 8".to_owned()), "{said:?}");
}

#[test]
fn a_reduce_only_order_takes_no_more_than_its_position_from_hidden_orders_too() {
    let mut floor = quoted();
    floor.cancel(903);
    floor.send(limit(5, Buy, 9, 98).of(9).option(options::HIDDEN));
    floor.positions.0.insert(1, 4);
    let said = floor.send(reducing(limit(1, Sell, 8, 98)));
    assert_eq!(said.last().unwrap(), "1 canceled REDUCE_ONLY_MUST_REDUCE 4 8");
    assert_eq!(floor.positions.0[&1], 0);
}

#[test]
fn what_an_order_takes_makes_room_for_the_reduce_only_orders_of_its_own_account() {
    let mut floor = quoted();
    floor.cancel(904);
    floor.positions.0.insert(1, 1);
    floor.send(reducing(limit(1, Sell, 8, 102)));
    floor.send(limit(2, Sell, 2, 101).of(2));
    // 2 from another make its position 3, which its own order may sell; and what it sells itself changes nothing.
    let said = floor.send(limit(3, Buy, 5, 102).good(TimeInForce::Fok));
    let took: Vec<&String> = said.iter().filter(|line| line.starts_with("3 took")).collect();
    assert_eq!(took, ["3 took 2 at 101", "3 took 3 at 102"]);
}

#[test]
fn an_auction_holds_nobody_back_who_has_nobody_to_trade_with() {
    let mut floor = Floor::default();
    floor.positions.0.insert(2, -1);
    floor.open(ClosingAuction);
    floor.send(reducing(market(1, Buy, 7)).of(2));
    floor.send(reducing(limit(2, Sell, 2, 105)).of(2));
    let said = floor.open(Continuous);
    let expected = [
        "2 canceled REDUCE_ONLY_MUST_REDUCE 0 2",
        "uncrossed 0 at 0",
        "1 canceled MARKET_MUST_HAVE_LIQUIDITY 0 7",
    ];
    assert_eq!(said, expected);
}

#[test]
fn the_mark_is_an_auctions_price_even_where_the_instrument_closes_after_it() {
    let mut floor = quoted();
    floor.mark(90);
    floor.open(ClosingAuction);
    floor.send(limit(1, Sell, 5, 95));
    floor.send(limit(2, Buy, 5, 95).of(2));
    floor.open(Closed);
    assert_eq!(floor.venue.mark(1), floor.venue.last_price(1));
}

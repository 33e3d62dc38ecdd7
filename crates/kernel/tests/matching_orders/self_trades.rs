//! Orders of one owner do not trade with each other.

use openbell_kernel::book::SelfTradeAction::{
    CancelAggressor, CancelBoth, CancelResting, DecrementAndCancel,
};
use openbell_kernel::terms::{Side, TradingSession};
use openbell_kernel::venue::matching::PriceBands;

use Side::{Buy, Sell};

use crate::floor::{Floor, limit};

/// One's own offer of 5 before that of another, met by a bid for 7.
fn met(action: openbell_kernel::book::SelfTradeAction) -> (Floor, Vec<String>) {
    let mut floor = Floor::with(&[limit(1, Sell, 5, 100), limit(2, Sell, 5, 100).of(2)]);
    floor.venue.set_self_trade(1, 0, Some(action));
    let said = floor.send(limit(3, Buy, 7, 100));
    (floor, said)
}

#[test]
fn each_action_does_what_it_says() {
    let (_, said) = met(CancelAggressor);
    assert_eq!(said, ["3 accepted", "3 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 1"]);
    let (floor, said) = met(CancelResting);
    let expected =
        ["3 accepted", "1 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 3", "2 gave 5 at 100", "3 took 5 at 100"];
    assert_eq!(said, expected);
    assert_eq!(floor.shows(Buy), ["2 at 100"]);
    let (floor, said) = met(CancelBoth);
    let expected = [
        "3 accepted",
        "1 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 3",
        "3 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 1",
    ];
    assert_eq!(said, expected);
    assert_eq!(floor.shows(Sell), ["5 at 100"]);
    let (_, said) = met(DecrementAndCancel);
    let expected = [
        "3 accepted",
        "1 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 3",
        "3 reduced to 2 SELF_TRADE_MUST_NOT_HAPPEN 0 5",
        "2 gave 2 at 100",
        "3 took 2 at 100",
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_decremented_order_goes_on_with_what_is_left_of_it() {
    let mut floor = Floor::with(&[limit(1, Sell, 9, 100)]);
    floor.venue.set_self_trade(1, 0, Some(DecrementAndCancel));
    floor.send(limit(2, Buy, 4, 100));
    assert_eq!(floor.shows(Sell), ["5 at 100"]);
    assert_eq!(floor.send(limit(3, Buy, 5, 100).of(2)).last().unwrap(), "3 took 5 at 100");
    assert_eq!(floor.cancel(1), ["1 cancel rejected ORDER_MUST_EXIST 0 1"]);
}

#[test]
fn accounts_of_one_group_are_one_owner_and_the_aggressor_decides() {
    let mut floor = Floor::with(&[limit(1, Sell, 5, 100).of(1), limit(2, Sell, 5, 101).of(2)]);
    floor.venue.set_self_trade(1, 7, None);
    floor.venue.set_self_trade(2, 7, Some(CancelResting));
    assert_eq!(floor.send(limit(3, Buy, 1, 100).of(2))[1], "1 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 3");
    assert_eq!(floor.send(limit(4, Buy, 1, 101).of(1)).last().unwrap(), "4 took 1 at 101", "1 has no action");
}

#[test]
fn an_order_may_name_its_own_group_and_action() {
    let mut floor = Floor::with(&[
        limit(1, Sell, 5, 100).of(1).preventing(CancelAggressor, 9),
        limit(2, Sell, 5, 100).of(2),
    ]);
    let said = floor.send(limit(3, Buy, 5, 100).of(3).preventing(CancelResting, 9));
    assert_eq!(said[1], "1 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 3");
    assert_eq!(said.last().unwrap(), "3 took 5 at 100", "2 is of nobody's group");
}

#[test]
fn a_setting_for_all_holds_for_accounts_without_one() {
    let mut floor = Floor::with(&[limit(1, Sell, 5, 100).of(1)]);
    floor.venue.set_self_trade(0, 0, Some(CancelAggressor));
    floor.venue.set_self_trade(1, 0, None);
    assert_eq!(floor.send(limit(2, Buy, 1, 100).of(1)).last().unwrap(), "2 took 1 at 100");
    floor.send(limit(3, Sell, 1, 99).of(2));
    assert_eq!(floor.send(limit(4, Buy, 1, 99).of(2))[1], "4 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 3");
}

#[test]
fn a_replace_into_ones_own_order_is_prevented_too() {
    let mut floor = Floor::with(&[limit(1, Sell, 5, 100), limit(2, Buy, 5, 99)]);
    floor.venue.set_self_trade(1, 0, Some(CancelResting));
    let said = floor.replace(2, [5, 100, 0]);
    assert_eq!(said, ["2 replaced 5 at 100 stop 0", "1 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 2"]);
    assert_eq!(floor.shows(Buy), ["5 at 100"]);
}

#[test]
fn an_auction_lets_an_owner_trade_with_itself_and_continuous_trading_does_not() {
    for action in [CancelAggressor, CancelResting, CancelBoth, DecrementAndCancel] {
        let mut floor = Floor::default();
        floor.venue.set_self_trade(1, 0, Some(action));
        floor.open(TradingSession::OpeningAuction);
        floor.send(limit(1, Sell, 5, 100));
        floor.send(limit(2, Buy, 5, 100));
        let said = floor.open(TradingSession::Continuous);
        assert_eq!(said, ["uncrossed 5 at 100", "1 gave 5 at 100", "2 gave 5 at 100"], "{action:?}");
        floor.send(limit(3, Sell, 5, 100));
        let said = floor.send(limit(4, Buy, 5, 100));
        assert!(said[1].contains("SELF_TRADE_MUST_NOT_HAPPEN"), "{action:?}: {said:?}");
    }
}

#[test]
fn what_a_self_trade_prevents_does_not_breach_a_band() {
    let banded = || {
        let mut floor = Floor::with(&[limit(1, Sell, 1, 1_000).of(3), limit(2, Buy, 1, 1_000).of(4)]);
        let bands = PriceBands {
            static_width: 0,
            dynamic_width: 10_000_000,
            on_breach: TradingSession::VolatilityAuction,
            duration_ns: 0,
            ..PriceBands::NONE
        };
        floor.venue.set_bands(1, bands).unwrap();
        floor.send(limit(5, Sell, 5, 1_005));
        floor.send(limit(6, Sell, 5, 1_050));
        floor.send(limit(7, Sell, 5, 1_060).of(2));
        floor
    };
    // All that lies beyond the bound would be prevented: nothing is left that would trade there.
    let mut floor = banded();
    floor.venue.set_self_trade(1, 0, Some(CancelAggressor));
    let said = floor.send(limit(8, Buy, 7, 1_055));
    assert_eq!(said, ["8 accepted", "8 canceled SELF_TRADE_MUST_NOT_HAPPEN 0 5"]);
    assert_eq!(floor.venue.session(1), TradingSession::Continuous);
    // Without its own orders the aggressor comes to another's, which does lie beyond it.
    let mut floor = banded();
    floor.venue.set_self_trade(1, 0, Some(CancelResting));
    floor.send(limit(8, Buy, 7, 1_060));
    assert_eq!(floor.venue.session(1), TradingSession::VolatilityAuction);
}

//! What the venue refuses leaves it as it was.

use openbell_kernel::terms::{OrderType, Side, TimeInForce, options};

use Side::{Buy, Sell};

use crate::floor::{Ask, limit, market, pegged, quoted, stop, touched, trailing};
use openbell_kernel::instrument::MAX_UNITS;
use openbell_kernel::terms::Peg;

#[test]
fn every_refused_order_is_named_by_its_rule_and_changes_nothing() {
    let table: Vec<(Ask, &str)> = vec![
        (limit(903, Buy, 1, 90), "903 rejected CLIENT_ORDER_ID_MUST_BE_UNIQUE 1 903"),
        (limit(1, Buy, 0, 90), "1 rejected QUANTITY_MUST_BE_POSITIVE 1 0"),
        (limit(1, Buy, -5, 90).showing(3), "1 rejected QUANTITY_MUST_BE_POSITIVE 1 -5"),
        (market(1, Buy, -5).typed(OrderType::MarketToLimit), "1 rejected QUANTITY_MUST_BE_POSITIVE 1 -5"),
        (pegged(1, Buy, 0, Peg::Mid, 0), "1 rejected QUANTITY_MUST_BE_POSITIVE 1 0"),
        (
            limit(1, Buy, MAX_UNITS + 1, 90).option(options::HIDDEN),
            "1 rejected QUANTITY_MUST_BE_IN_BOUNDS 72057594037927936 72057594037927937",
        ),
        (
            limit(1, Buy, 1, MAX_UNITS + 1).option(options::ALL_OR_NONE),
            "1 rejected FIELD_MUST_BE_IN_RANGE 72057594037927936 72057594037927937",
        ),
        (
            touched(1, Buy, 1, -MAX_UNITS - 1),
            "1 rejected FIELD_MUST_BE_IN_RANGE 72057594037927936 -72057594037927937",
        ),
        (touched(1, Buy, 1, 102), "1 rejected STOP_MUST_NOT_BE_TRIGGERED 100 102"),
        (stop(1, Buy, 1, 99), "1 rejected STOP_MUST_NOT_BE_TRIGGERED 100 99"),
        (trailing(1, Sell, 1, 0), "1 rejected TRAIL_MUST_BE_POSITIVE 1 0"),
        (trailing(1, Sell, 1, 3).stop(100), "1 rejected STOP_MUST_NOT_BE_TRIGGERED 100 100"),
        (limit(1, Sell, 1, 99).option(options::POST_ONLY), "1 rejected POST_ONLY_MUST_NOT_TAKE 99 99"),
        (limit(1, Buy, 1, 99).good(TimeInForce::Gtd).showing(1), "1 rejected EXPIRY_MUST_BE_IN_FUTURE 5 0"),
        (limit(1, Buy, 5, 101).at_least(6), "1 rejected FIELD_MUST_BE_IN_RANGE 5 6"),
    ];
    for (ask, rejected) in table {
        let mut floor = quoted();
        let before = floor.hash();
        assert_eq!(floor.send(ask), [rejected]);
        assert_eq!(floor.hash(), before, "{rejected}");
    }
}

#[test]
fn a_refused_replace_leaves_the_order_and_what_it_follows() {
    let mut floor = quoted();
    floor.send(limit(1, Buy, 9, 98).showing(3));
    floor.send(trailing(2, Sell, 2, 5));
    floor.send(pegged(3, Buy, 2, Peg::Primary, -3));
    floor.send(limit(4, Buy, 50, 99).option(options::ALL_OR_NONE));
    let before = floor.hash();
    for (id, terms, refused) in [
        (1, [0, 98, 0], "1 replace rejected QUANTITY_MUST_BE_POSITIVE 1 0"),
        (2, [2, 0, 100], "2 replace rejected STOP_MUST_NOT_BE_TRIGGERED 100 100"),
        (3, [-1, 0, 0], "3 replace rejected QUANTITY_MUST_BE_POSITIVE 1 -1"),
        (4, [0, 99, 0], "4 replace rejected QUANTITY_MUST_BE_POSITIVE 1 0"),
        (77, [1, 99, 0], "77 replace rejected ORDER_MUST_EXIST 0 77"),
    ] {
        assert_eq!(floor.replace(id, terms), [refused]);
        assert_eq!(floor.hash(), before, "{refused}");
    }
}

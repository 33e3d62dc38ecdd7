//! The day of an instrument, session by session.

use openbell_kernel::terms::TimeInForce::{AtClose, AtOpen, Day, Fok, Ioc};
use openbell_kernel::terms::options;

use crate::floor::*;

#[test]
fn an_opening_auction_tells_what_it_would_come_to_then_trades_at_one_price() {
    let mut floor = Floor::new();
    assert_eq!(floor.open(PreOpen), ["CONTINUOUS -> PRE_OPEN"]);
    assert_eq!(floor.submit(limit(1, Buy, 102, 50)), ["1 accepted"]);
    assert_eq!(floor.submit(limit(2, Sell, 100, 30)), ["2 accepted"], "collected, and not told");
    assert_eq!(
        floor.open(OpeningAuction),
        ["PRE_OPEN -> OPENING_AUCTION", "indicated 30 at 102, imbalance 20"]
    );
    assert_eq!(
        floor.submit(limit(3, Sell, 101, 20)),
        ["3 accepted", "indicated 50 at 101, imbalance 0"],
        "without a reference price, the lowest"
    );
    assert_eq!(floor.submit(limit(4, Sell, 103, 9)), ["4 accepted"], "changes nothing, so nothing is told");
    assert_eq!(
        floor.open(Continuous),
        [
            "OPENING_AUCTION uncrossed 50 at 101, imbalance 0",
            "trade 1: 30 at 101 in OPENING_AUCTION",
            "2 sell 30 at 101",
            "1 buy 30 at 101",
            "trade 2: 20 at 101 in OPENING_AUCTION",
            "3 sell 20 at 101",
            "1 buy 20 at 101",
            "OPENING_AUCTION -> CONTINUOUS",
        ]
    );
    assert_eq!(floor.submit(limit(5, Buy, 103, 9)).len(), 4, "and trades again");
    floor.end();
}

#[test]
fn orders_for_the_open_and_unpriced_ones_do_not_outlive_it() {
    let mut floor = Floor::at(100);
    floor.open(OpeningAuction);
    floor.all(&[
        live_for(AtOpen, limit(1, Buy, 100, 10)),
        live_for(AtOpen, market(2, Buy, 10)),
        live_for(Day, market(3, Buy, 10)),
        limit(4, Buy, 99, 5),
        limit(5, Sell, 98, 15),
    ]);
    assert_eq!(
        floor.open(Continuous),
        [
            "OPENING_AUCTION uncrossed 15 at 100, imbalance 15",
            "trade 1: 10 at 100 in OPENING_AUCTION",
            "5 sell 10 at 100",
            "2 buy 10 at 100",
            "trade 2: 5 at 100 in OPENING_AUCTION",
            "5 sell 5 at 100",
            "3 buy 5 at 100",
            "3 canceled MARKET_MUST_HAVE_LIQUIDITY",
            "1 expired",
            "OPENING_AUCTION -> CONTINUOUS",
        ],
        "market orders first, then by price"
    );
    assert_eq!(floor.book().len(), 1);
    let refused = ["6 refused SESSION_MUST_TAKE_ORDER limit 3 actual 6"];
    assert_eq!(floor.submit(live_for(AtOpen, limit(6, Buy, 100, 1))), refused, "the opening is over");
    floor.end();
}

#[test]
fn orders_for_the_close_wait_for_it_and_expire_after_it() {
    let mut floor = Floor::at(100);
    assert_eq!(floor.submit(live_for(AtClose, limit(1, Buy, 105, 10))), ["1 accepted"]);
    assert_eq!(floor.submit(live_for(AtClose, market(2, Sell, 4))), ["2 accepted"]);
    assert_eq!(floor.submit(live_for(AtClose, limit(3, Buy, 90, 10))), ["3 accepted"]);
    assert_eq!(floor.replace(1, 3, 91, 12), ["3 replaced 12 at 91"]);
    assert_eq!(floor.submit(live_for(Day, limit(4, Sell, 104, 3))), ["4 accepted"], "does not see them");
    assert_eq!(floor.submit(limit(5, Sell, 120, 1)), ["5 accepted"]);
    assert_eq!(
        floor.open(ClosingAuction),
        ["CONTINUOUS -> CLOSING_AUCTION", "indicated 7 at 105, imbalance 3"]
    );
    assert_eq!(
        floor.open(Closed),
        [
            "CLOSING_AUCTION uncrossed 7 at 105, imbalance 3",
            "trade 1: 4 at 105 in CLOSING_AUCTION",
            "2 sell 4 at 105",
            "1 buy 4 at 105",
            "trade 2: 3 at 105 in CLOSING_AUCTION",
            "4 sell 3 at 105",
            "1 buy 3 at 105",
            "1 expired",
            "3 expired",
            "CLOSING_AUCTION -> CLOSED",
        ]
    );
    assert_eq!(floor.book().len(), 1, "good till canceled stays");
    for order in [live_for(AtClose, limit(6, Buy, 105, 1)), limit(7, Buy, 105, 1)] {
        let tif = order.time_in_force as u8;
        let id = order.client_order_id;
        assert_eq!(
            floor.submit(order),
            [format!("{id} refused SESSION_MUST_TAKE_ORDER limit 7 actual {tif}")]
        );
    }
    assert_eq!(floor.cancel(2, 5), ["5 canceled CANCELED_ON_REQUEST"], "canceling is always possible");
    floor.end();
}

#[test]
fn what_each_session_takes() {
    let kinds = [
        limit(1, Buy, 100, 1),
        market(1, Buy, 1),
        live_for(Ioc, limit(1, Buy, 100, 1)),
        live_for(Fok, limit(1, Buy, 100, 1)),
        live_for(AtOpen, limit(1, Buy, 100, 1)),
        live_for(AtClose, limit(1, Buy, 100, 1)),
        stop(1, Buy, 150, 1),
    ];
    let table = [
        (PreOpen, "xx--xxx"),
        (OpeningAuction, "xx--xxx"),
        (Continuous, "xxxx-xx"),
        (VolatilityAuction, "xx---xx"),
        (Halted, "-------"),
        (ClosingAuction, "xx---xx"),
        (Closed, "-------"),
    ];
    for (session, takes) in table {
        let found: String = kinds
            .into_iter()
            .map(|order| {
                let mut floor = Floor::at(100);
                floor.open(session);
                let told = floor.submit(order);
                if told[0].contains("accepted") { 'x' } else { '-' }
            })
            .collect();
        assert_eq!(found, takes, "in {}", session.name());
    }
}

#[test]
fn the_auction_leans_to_the_reference_price_where_nobody_is_left_over() {
    for (reference, price) in [(99, 100), (101, 101), (105, 103)] {
        let mut floor = Floor::at(reference);
        floor.open(OpeningAuction);
        floor.submit(limit(1, Buy, 103, 5));
        let told = floor.submit(limit(2, Sell, 100, 5));
        assert_eq!(told[1], format!("indicated 5 at {price}, imbalance 0"));
        floor.end();
    }
}

#[test]
fn stops_that_an_auction_triggers_go_when_trading_goes_on() {
    let mut floor = Floor::new();
    floor.open(OpeningAuction);
    floor.all(&[
        stop(1, Buy, 100, 3),
        stop(2, Sell, 90, 3),
        limit(3, Buy, 100, 5),
        limit(4, Sell, 100, 5),
        limit(5, Sell, 102, 9),
    ]);
    assert_eq!(
        floor.open(Continuous),
        [
            "OPENING_AUCTION uncrossed 5 at 100, imbalance 0",
            "trade 1: 5 at 100 in OPENING_AUCTION",
            "4 sell 5 at 100",
            "3 buy 5 at 100",
            "OPENING_AUCTION -> CONTINUOUS",
            "1 triggered at 100",
            "trade 2: 3 at 102 in CONTINUOUS",
            "5 sell 3 at 102",
            "1 buy 3 at 102",
        ]
    );
    floor.end();
}

#[test]
fn a_halt_breaks_an_auction_off_and_keeps_what_was_collected() {
    let mut floor = Floor::new();
    floor.open(OpeningAuction);
    floor.all(&[limit(1, Buy, 101, 5), limit(2, Sell, 100, 5)]);
    assert_eq!(floor.open(Halted), ["OPENING_AUCTION -> HALTED"]);
    assert_eq!(
        floor.submit(limit(3, Buy, 101, 1)),
        ["3 refused TRADING_MUST_NOT_BE_HALTED limit 0 actual 1"]
    );
    let told = floor.replace(1, 1, 102, 5);
    assert_eq!(told, ["1 replace refused TRADING_MUST_NOT_BE_HALTED limit 0 actual 1"]);
    assert_eq!(floor.open(OpeningAuction)[1], "indicated 5 at 100, imbalance 0");
    assert_eq!(floor.cancel(1, 1), ["1 canceled CANCELED_ON_REQUEST", "indicated 0 at 0, imbalance 0"]);
    assert_eq!(
        floor.open(Continuous),
        ["OPENING_AUCTION uncrossed 0 at 0, imbalance 0", "OPENING_AUCTION -> CONTINUOUS"]
    );
    floor.end();
}

#[test]
fn a_session_with_an_end_is_followed_by_the_next_one_by_itself() {
    let mut floor = Floor::new();
    let end = floor.time + 5 * SECOND;
    floor.open_until(PreOpen, end);
    assert!(floor.wait(4).is_empty());
    assert_eq!(floor.wait(1), ["PRE_OPEN -> OPENING_AUCTION"]);
    let end = floor.time + 2 * SECOND;
    assert_eq!(floor.open_until(OpeningAuction, end), ["OPENING_AUCTION -> OPENING_AUCTION"]);
    floor.all(&[limit(1, Buy, 100, 1), limit(2, Sell, 100, 1)]);
    let told = floor.wait(2);
    assert_eq!(told.first().unwrap(), "OPENING_AUCTION uncrossed 1 at 100, imbalance 0");
    assert_eq!(told.last().unwrap(), "OPENING_AUCTION -> CONTINUOUS");
    let past = floor.time;
    let told = floor.open_until(Closed, past);
    assert_eq!(told, [format!("refused FIELD_MUST_BE_IN_RANGE limit {past} actual {past}")]);
    floor.end();
}

#[test]
fn icebergs_and_post_only_orders_stand_in_an_auction_like_others() {
    let mut floor = Floor::new();
    floor.open(OpeningAuction);
    let post_only = |order| openbell_kernel::command::SubmitOrder { options: options::POST_ONLY, ..order };
    floor.all(&[post_only(limit(1, Buy, 100, 5)), post_only(limit(2, Sell, 99, 5))]);
    assert_eq!(floor.open(Continuous).len(), 5);
    assert!(floor.book().is_empty());
    floor.end();
}

#[test]
fn a_market_order_in_an_auction_has_no_price_to_replace() {
    let mut floor = Floor::at(100);
    floor.open(OpeningAuction);
    floor.submit(market(1, Buy, 5));
    assert_eq!(
        floor.replace(1, 1, 0, 4),
        ["1 replace refused ORDER_TYPE_MUST_BE_SUPPORTED limit 0 actual 1"]
    );
    assert_eq!(floor.cancel(1, 1), ["1 canceled CANCELED_ON_REQUEST"]);
    floor.end();
}

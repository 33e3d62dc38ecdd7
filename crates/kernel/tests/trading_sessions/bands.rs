//! Price bands: what lies outside is refused, what would trade outside interrupts trading.

use openbell_kernel::terms::TimeInForce::{Fok, Ioc};

use crate::floor::*;

/// 10 % around the reference price, 5 % around the last trade.
fn banded(on_breach: openbell_kernel::terms::TradingSession) -> Floor {
    let mut floor = Floor::at(1_000);
    floor.set(bands(100_000_000, 50_000_000, on_breach, 10));
    floor
}

#[test]
fn orders_outside_the_static_band_are_refused() {
    let mut floor = banded(VolatilityAuction);
    assert_eq!(
        floor.submit(limit(1, Buy, 1_101, 1)),
        ["1 refused PRICE_MUST_BE_WITHIN_BANDS limit 1100 actual 1101"]
    );
    assert_eq!(
        floor.submit(limit(2, Sell, 899, 1)),
        ["2 refused PRICE_MUST_BE_WITHIN_BANDS limit 900 actual 899"]
    );
    assert_eq!(floor.submit(limit(3, Buy, 900, 1)), ["3 accepted"]);
    assert_eq!(
        floor.replace(1, 3, 899, 1),
        ["3 replace refused PRICE_MUST_BE_WITHIN_BANDS limit 900 actual 899"]
    );
    floor.end();
}

#[test]
fn an_order_trades_up_to_the_band_and_starts_an_auction_with_the_rest() {
    let mut floor = banded(VolatilityAuction);
    floor.all(&[limit(1, Sell, 1_040, 5), limit(2, Sell, 1_050, 5), limit(3, Sell, 1_060, 5)]);
    assert_eq!(
        floor.submit(limit(4, Buy, 1_070, 12)),
        [
            "4 accepted",
            "trade 1: 5 at 1040 in CONTINUOUS",
            "1 sell 5 at 1040",
            "4 buy 5 at 1040",
            "trade 2: 5 at 1050 in CONTINUOUS",
            "2 sell 5 at 1050",
            "4 buy 5 at 1050",
            "1060 lies beyond 1050",
            "CONTINUOUS -> VOLATILITY_AUCTION",
            "indicated 2 at 1060, imbalance -3",
        ]
    );
    assert_eq!(floor.submit(limit(5, Buy, 1_065, 2)), ["5 accepted", "indicated 4 at 1060, imbalance -1"]);
    assert_eq!(
        floor.wait(10),
        [
            "VOLATILITY_AUCTION uncrossed 4 at 1060, imbalance -1",
            "trade 3: 2 at 1060 in VOLATILITY_AUCTION",
            "3 sell 2 at 1060",
            "4 buy 2 at 1060",
            "trade 4: 2 at 1060 in VOLATILITY_AUCTION",
            "3 sell 2 at 1060",
            "5 buy 2 at 1060",
            "VOLATILITY_AUCTION -> CONTINUOUS",
        ],
        "ends by itself after ten seconds"
    );
    assert_eq!(floor.submit(limit(6, Buy, 1_160, 1)).len(), 4, "the auction's price is the reference now");
    floor.end();
}

#[test]
fn a_market_order_that_leaves_the_band_waits_for_the_auction_unpriced() {
    let mut floor = banded(VolatilityAuction);
    floor.all(&[limit(1, Buy, 990, 5), limit(2, Buy, 930, 5)]);
    let told = floor.submit(market(3, Sell, 12));
    assert_eq!(
        told[4..],
        ["930 lies beyond 950", "CONTINUOUS -> VOLATILITY_AUCTION", "indicated 5 at 930, imbalance -2"]
    );
    let told = floor.open(Continuous);
    assert_eq!(told[4], "3 canceled MARKET_MUST_HAVE_LIQUIDITY");
    floor.end();
}

#[test]
fn nothing_trades_when_the_best_price_lies_outside_already() {
    let mut floor = banded(Halted);
    floor.submit(limit(1, Sell, 1_060, 5));
    assert_eq!(
        floor.submit(limit(2, Buy, 1_060, 5)),
        ["2 accepted", "1060 lies beyond 1050", "CONTINUOUS -> HALTED"]
    );
    assert_eq!(floor.book().len(), 2);
    let told = floor.wait(10);
    assert_eq!(told.first().unwrap(), "HALTED uncrossed 5 at 1060, imbalance 0", "a halt ends by uncrossing");
    floor.end();
}

#[test]
fn immediate_orders_take_what_lies_inside_and_leave_the_auction_behind() {
    let mut floor = banded(VolatilityAuction);
    floor.all(&[limit(1, Sell, 1_040, 5), limit(2, Sell, 1_060, 5)]);
    let told = floor.submit(live_for(Ioc, limit(3, Buy, 1_060, 8)));
    assert_eq!(
        told,
        [
            "3 accepted",
            "trade 1: 5 at 1040 in CONTINUOUS",
            "1 sell 5 at 1040",
            "3 buy 5 at 1040",
            "3 canceled IMMEDIATE_OR_CANCEL_MUST_FILL_NOW",
            "1060 lies beyond 1050",
            "CONTINUOUS -> VOLATILITY_AUCTION",
        ]
    );
    floor.end();
    let mut floor = banded(VolatilityAuction);
    floor.all(&[limit(1, Sell, 1_040, 5), limit(2, Sell, 1_060, 5)]);
    let told = floor.submit(live_for(Fok, limit(3, Buy, 1_060, 8)));
    assert_eq!(told[1], "3 canceled FILL_OR_KILL_MUST_FILL_WHOLE");
    assert_eq!(floor.book().len(), 2);
    floor.end();
}

#[test]
fn an_order_that_fills_inside_the_band_disturbs_nobody() {
    let mut floor = banded(VolatilityAuction);
    floor.all(&[limit(1, Sell, 1_040, 5), limit(2, Sell, 1_060, 5)]);
    assert_eq!(floor.submit(limit(3, Buy, 1_060, 5)).len(), 4);
    assert_eq!(floor.submit(limit(4, Buy, 1_059, 5)), ["4 accepted"]);
    // the last trade at 1040 moved the band up to 1092
    assert_eq!(floor.submit(limit(5, Buy, 1_060, 5)).len(), 4);
    floor.end();
}

#[test]
fn a_replace_that_would_leave_the_band_trades_nothing_before_the_auction() {
    let mut floor = banded(VolatilityAuction);
    floor.all(&[limit(1, Sell, 1_040, 5), limit(2, Sell, 1_060, 5), limit(3, Buy, 1_000, 8)]);
    assert_eq!(
        floor.replace(1, 3, 1_060, 8),
        [
            "3 replaced 8 at 1060",
            "1060 lies beyond 1050",
            "CONTINUOUS -> VOLATILITY_AUCTION",
            "indicated 8 at 1060, imbalance -2",
        ]
    );
    floor.end();
}

#[test]
fn a_stop_that_runs_out_of_the_band_goes_to_the_auction() {
    let mut floor = banded(VolatilityAuction);
    floor.all(&[limit(1, Sell, 1_040, 5), limit(2, Sell, 1_099, 5), stop(3, Buy, 1_030, 2)]);
    let told = floor.submit(limit(4, Buy, 1_040, 5));
    assert_eq!(
        told[4..],
        [
            "3 triggered at 1040",
            "1099 lies beyond 1092",
            "CONTINUOUS -> VOLATILITY_AUCTION",
            "indicated 2 at 1099, imbalance -3",
        ]
    );
    floor.end();
}

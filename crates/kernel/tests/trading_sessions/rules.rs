//! Ticks, sizes and what is refused of the commands themselves.

use openbell_kernel::command::{
    ChangeTradingSession, SetMarketData, SetOrderSizes, SetReferencePrice, SetTickSize,
};
use openbell_kernel::rules::Rule;
use openbell_kernel::venue::matching::PriceBands;

use crate::floor::*;

#[test]
fn the_tick_grows_with_the_price() {
    let mut floor = Floor::new();
    for (from_price, tick) in [(0, 1), (100, 5), (1_000, 50)] {
        floor.set(SetTickSize { from_price, tick, reserved: [0; 2] });
    }
    let refused = |id: u64, tick: i64, price: i64| {
        vec![format!("{id} refused PRICE_MUST_BE_ON_TICK limit {tick} actual {price}")]
    };
    assert_eq!(floor.submit(limit(1, Buy, 99, 1)), ["1 accepted"]);
    assert_eq!(floor.submit(limit(2, Buy, 104, 1)), refused(2, 5, 104));
    assert_eq!(floor.submit(limit(3, Buy, 105, 1)), ["3 accepted"]);
    assert_eq!(floor.submit(limit(4, Buy, 1_005, 1)), refused(4, 50, 1_005));
    assert_eq!(
        floor.submit(stop(5, Buy, 1_005, 1)),
        ["5 refused STOP_PRICE_MUST_BE_ON_TICK limit 50 actual 1005"]
    );
    floor.set(SetTickSize { from_price: 1_000, tick: 0, reserved: [0; 2] });
    assert_eq!(floor.submit(limit(6, Buy, 1_005, 1)), ["6 accepted"], "the row is gone");
    let told = floor.set(SetTickSize { from_price: 7, tick: -1, reserved: [0; 2] });
    assert_eq!(told, ["refused FIELD_MUST_BE_IN_RANGE limit 0 actual -1"]);
    floor.end();
}

#[test]
fn orders_keep_their_smallest_and_largest_size() {
    let mut floor = Floor::new();
    floor.set(SetOrderSizes { minimum: 10, maximum: 100, reserved: [0; 2] });
    assert_eq!(
        floor.submit(limit(1, Buy, 9, 9)),
        ["1 refused QUANTITY_MUST_REACH_MINIMUM limit 10 actual 9"]
    );
    assert_eq!(
        floor.submit(limit(2, Buy, 9, 101)),
        ["2 refused QUANTITY_MUST_BE_IN_BOUNDS limit 100 actual 101"]
    );
    assert_eq!(floor.submit(limit(3, Buy, 9, 100)), ["3 accepted"]);
    let told = floor.set(SetOrderSizes { minimum: 10, maximum: 9, reserved: [0; 2] });
    assert_eq!(told, ["refused FIELD_MUST_BE_IN_RANGE limit 10 actual 9"]);
    floor.end();
}

#[test]
fn refused_commands_change_nothing() {
    let mut floor = Floor::new();
    floor.submit(limit(1, Buy, 100, 1));
    let before = floor.engine.state_hash();
    let in_range = |limit: i128, actual: i128| {
        vec![format!("refused FIELD_MUST_BE_IN_RANGE limit {limit} actual {actual}")]
    };
    assert_eq!(floor.set(ChangeTradingSession { session: 8, until: 0, reserved: [0; 2] }), in_range(7, 8));
    assert_eq!(floor.set(bands(1_000_000_000, 0, Halted, 0)), in_range(999_999_999, 1_000_000_000));
    assert_eq!(floor.set(bands(1, 1, Closed, 0)), in_range(4, 7));
    assert_eq!(floor.set(SetMarketData { by_order: 2, reserved: [0; 3] }), in_range(1, 2));
    let price = i64::MAX;
    assert_eq!(
        floor.set(SetReferencePrice { price, is_known: 0, reserved: [0; 2] }),
        in_range(1 << 56, i128::from(price))
    );
    let unlisted = command(0, 9, ChangeTradingSession { session: 3, until: 0, reserved: [0; 2] });
    assert_eq!(floor.send(unlisted), ["refused INSTRUMENT_MUST_BE_LISTED limit 0 actual 9"]);
    assert_eq!(floor.engine.state_hash(), before);
    floor.end();
}

#[test]
fn one_command_changes_the_session_of_every_instrument() {
    let mut floor = Floor::with(3);
    let told = floor.send(command(
        0,
        0,
        ChangeTradingSession { session: ClosingAuction as u64, until: 0, reserved: [0; 2] },
    ));
    assert_eq!(told, ["CONTINUOUS -> CLOSING_AUCTION"; 3]);
    floor.end();
}

#[test]
fn bands_lie_around_the_reference_rounded_towards_it() {
    let bands = PriceBands { static_width: 99_999_999, ..PriceBands::NONE };
    let range = bands.for_orders(Some(1_005)).unwrap();
    assert_eq!((range.low, range.high), (905, 1_105));
    assert_eq!(range.check(904).unwrap_err().rule, Rule::PriceMustBeWithinBands);
    assert_eq!(bands.for_orders(None), None, "no reference, no band");
}

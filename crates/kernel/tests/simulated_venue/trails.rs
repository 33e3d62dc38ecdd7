//! Trailing and touched orders that are replaced: a replace never loosens a stop, and another trail begins anew.

use openbell_kernel::rules::Rule;
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::Side::{Buy, Sell};
use openbell_kernel::terms::{OrderType, Side, TrailBy};
use openbell_kernel::venue::{Outcome, Venue, VenueOrder};

use crate::floor::{Floor, market, restored};

const BY_AMOUNT: SpecialTerms = SpecialTerms {
    display_quantity: 0,
    minimum_quantity: 0,
    trail: 0,
    trail_by: Some(TrailBy::Amount),
    limit_offset: 0,
    peg: None,
    peg_offset: 0,
    trigger_by: None,
    self_trade: None,
    self_trade_group: 0,
    zero_price: false,
    zero_stop_price: false,
};

fn by(trail: i64) -> SpecialTerms {
    SpecialTerms { trail, ..BY_AMOUNT }
}

/// Bars 100..110 / 95 / 105, then a bar at 105 in which order 1 begins to trail behind 105.
fn trailing(side: Side, order_type: OrderType, special: SpecialTerms) -> Floor {
    let mut floor = Floor::plain();
    floor.bar(0, 10, [100, 110, 95, 105]);
    floor.venue.attach(1, &special);
    floor.submit(VenueOrder { order_type, ..market(1, side, 5) });
    floor.bar(10, 20, [105, 105, 105, 105]);
    floor
}

fn replace(floor: &mut Floor, special: Option<SpecialTerms>, terms: [i64; 3]) {
    if let Some(special) = special {
        floor.venue.attach(1, &special);
    }
    floor.replace(1, terms[0], terms[1], terms[2]);
}

/// Stop prices that were told, by reports that tell one.
fn stops(floor: &Floor) -> Vec<i64> {
    let stop = |outcome: Outcome| match outcome {
        Outcome::Replaced { stop_price, .. } | Outcome::Repriced { stop_price, .. } => Some(stop_price),
        _ => None,
    };
    floor.lines(1).iter().filter_map(|line| stop(line.report.outcome)).collect()
}

#[test]
fn a_tighter_trail_begins_anew_at_once_and_a_wider_one_does_not_loosen_the_stop() {
    for (side, stop, trail, begun) in
        [(Sell, 93, 4, 101), (Sell, 93, 40, 93), (Buy, 117, 4, 109), (Buy, 117, 40, 117)]
    {
        let mut floor = trailing(side, OrderType::TrailingStop, by(12));
        assert_eq!(stops(&floor), [stop]);
        replace(&mut floor, Some(by(trail)), [0, 5, stop]);
        floor.bar(20, 30, [105, 105, 105, 105]);
        assert_eq!(stops(&floor).last(), Some(&begun), "{side:?} {trail}");
        // Its level, and not the old one, is what the next bar meets.
        let away = if side == Sell { [105, 105, 100, 100] } else { [105, 110, 105, 110] };
        floor.bar(30, 40, away);
        let filled = if begun == stop { vec![] } else { vec![(1, begun, 5)] };
        assert_eq!(floor.prices(), filled, "{side:?} {trail}");
    }
}

#[test]
fn a_trail_that_begins_anew_follows_from_the_price_of_then() {
    let mut floor = trailing(Sell, OrderType::TrailingStop, by(12));
    floor.bar(20, 30, [105, 120, 115, 115]);
    assert_eq!(stops(&floor), [93, 108]);
    replace(&mut floor, Some(by(3)), [0, 5, 108]);
    floor.venue = restored(&floor.venue);
    // Behind 115, where the market is: the high of 120 was seen by the trail before it.
    floor.bar(30, 40, [115, 117, 114, 117]);
    assert_eq!(stops(&floor), [93, 108, 108, 112, 114]);
    assert_eq!(floor.prices(), [(1, 114, 5)]);
}

#[test]
fn of_two_stops_the_nearer_holds_and_its_limit_lies_beyond_it() {
    let special = SpecialTerms { limit_offset: 2, ..by(12) };
    let mut floor = trailing(Sell, OrderType::TrailingStopLimit, special);
    replace(&mut floor, None, [91, 5, 99]);
    let replaced = Outcome::Replaced { price: 97, quantity: 5, stop_price: 99 };
    assert_eq!(floor.last(1), replaced);
    replace(&mut floor, None, [97, 4, 94]);
    assert_eq!(floor.last(1), Outcome::Replaced { price: 97, quantity: 4, stop_price: 99 });
    floor.bar(20, 30, [105, 105, 98, 98]);
    assert_eq!(floor.prices(), [(1, 99, 4)]);
}

#[test]
fn a_triggered_trailing_stop_limit_is_a_limit_order_and_keeps_what_it_is_given() {
    let special = SpecialTerms { limit_offset: 0, ..by(5) };
    let mut floor = trailing(Sell, OrderType::TrailingStopLimit, special);
    // The open passes its limit of 100, so it rests there.
    floor.bar(20, 30, [98, 99, 97, 98]);
    assert!(floor.prices().is_empty());
    replace(&mut floor, None, [102, 5, 100]);
    assert_eq!(floor.last(1), Outcome::Replaced { price: 102, quantity: 5, stop_price: 100 });
    replace(&mut floor, Some(by(1)), [102, 5, 101]);
    assert_eq!(floor.rule(1), Some(Rule::StopMustNotBeTriggered));
    floor.bar(30, 40, [98, 103, 98, 103]);
    assert_eq!(floor.prices(), [(1, 102, 5)]);
}

#[test]
fn a_touched_limit_takes_its_new_trigger_and_its_new_limit() {
    let mut floor = Floor::plain();
    floor.bar(0, 10, [100, 110, 95, 105]);
    let order =
        VenueOrder { order_type: OrderType::LimitIfTouched, price: 99, stop_price: 98, ..market(1, Buy, 5) };
    floor.submit(order);
    replace(&mut floor, None, [104, 5, 103]);
    assert_eq!(floor.last(1), Outcome::Replaced { price: 104, quantity: 5, stop_price: 103 });
    floor.bar(10, 20, [105, 105, 103, 104]);
    assert_eq!(floor.prices(), [(1, 103, 5)]);
}

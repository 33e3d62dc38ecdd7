//! Linked orders where users trade with each other.

use openbell_kernel::command::SubmitOrder;
use openbell_kernel::terms::{Side, VenueKind, options};

use crate::stage::{ACCOUNT, INSTRUMENT, Stage, deposit, opening};

#[test]
fn a_reduce_only_child_that_would_widen_is_denied_at_its_release() {
    let mut stage = Stage::of(VenueKind::Matching);
    stage.command(opening(2));
    stage.command(deposit(2));
    stage.submit(&SubmitOrder::limit(2, INSTRUMENT, 1, Side::Buy, 100, 6));
    stage.submit(&SubmitOrder::limit(ACCOUNT, INSTRUMENT, 5, Side::Sell, 96, 1));
    let child = SubmitOrder {
        parent: 5,
        options: options::REDUCE_ONLY,
        ..SubmitOrder::limit(ACCOUNT, INSTRUMENT, 7, Side::Sell, 101, 0)
    };
    stage.submit(&child);
    assert_eq!(stage.order(7).refusal().unwrap().rule.name(), "REDUCE_ONLY_MUST_REDUCE");
    assert_eq!(stage.order(7).state.name(), "DENIED");
}

#[test]
fn a_child_that_its_partner_took_down_is_not_released_with_it() {
    let mut stage = Stage::of(VenueKind::Matching);
    stage.command(opening(2));
    stage.command(deposit(2));
    stage.submit(&SubmitOrder::limit(2, INSTRUMENT, 1, Side::Buy, 100, 6));
    stage.submit(&SubmitOrder::limit(ACCOUNT, INSTRUMENT, 1, Side::Sell, 101, 6));
    // A seller's children that sell again: the first may not go out, and takes the second with it.
    let child = SubmitOrder {
        parent: 1,
        options: options::REDUCE_ONLY,
        ..SubmitOrder::limit(ACCOUNT, INSTRUMENT, 2, Side::Sell, 103, 0)
    };
    stage.submit(&child);
    stage.submit(&SubmitOrder { client_order_id: 3, partner: 2, options: 0, price: 104, ..child });
    stage.submit(&SubmitOrder::limit(2, INSTRUMENT, 2, Side::Buy, 101, 6));
    assert_eq!((stage.order(2).state.name(), stage.order(3).state.name()), ("DENIED", "CANCELED"));
    assert_eq!(stage.position(), -6);
}

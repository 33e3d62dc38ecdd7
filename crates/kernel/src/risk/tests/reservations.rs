//! What open orders hold back through fills, replaces and releases.

use super::super::ReplaceTerms;
use super::*;
use Side::{Buy, Sell};

fn terms(price: i64, quantity: i64) -> ReplaceTerms {
    ReplaceTerms { price, quantity, stop_price: 0 }
}

#[test]
fn an_order_holds_its_leaves_until_it_ends() {
    let mut world = World::new().open(1, &limit(SHARE, Buy, 9_000, 50));
    world.gate.opened(2, &limit(SHARE, Sell, 11_000, 7));
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (50, 7));
    world.gate.filled(1, 20);
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (30, 7));
    world.gate.filled(1, 31);
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (0, 7), "overfilled: nothing is left");
    assert_eq!(world.gate.open_orders(ACCOUNT), 2, "open until told otherwise");
    world.gate.closed(1);
    world.gate.closed(1);
    world.gate.filled(1, 5);
    assert_eq!((world.gate.open_orders(ACCOUNT), world.gate.open_quantity(ACCOUNT, SHARE)), (1, (0, 7)));
}

#[test]
fn the_worse_of_old_and_new_terms_is_held_while_a_replace_is_pending() {
    let mut world = World::new().limit(LimitKind::MaxLeverage, ONE).open(1, &limit(SHARE, Buy, 5_000, 100));
    // 5,000 is held; the rest of the 10,000 is free.
    let fits = |world: &World, quantity| world.check(&limit(SHARE, Buy, 10_000, quantity)).is_ok();
    assert!(fits(&world, 50) && !fits(&world, 51));
    world.gate.pending_replace(1, &terms(2_500, 120));
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (120, 0));
    assert!(fits(&world, 50) && !fits(&world, 51), "the old terms are worse by value");
    world.gate.filled(1, 30);
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (90, 0), "a fill counts under both");
    world.gate.replace_rejected(1);
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (70, 0));
    world.gate.pending_replace(1, &terms(2_500, 40));
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (70, 0));
    world.gate.replaced(1, &terms(2_500, 40));
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (10, 0));
    world.gate.closed(1);
    assert!(fits(&world, 100) && !fits(&world, 101));
}

#[test]
fn a_replace_is_judged_like_an_order_but_not_counted_again() {
    let world = World::new()
        .limit(LimitKind::MaxOpenOrders, 1)
        .limit(LimitKind::MaxLeverage, ONE)
        .limit(LimitKind::MaxOrderQuantity, 150)
        .open(1, &limit(SHARE, Buy, 5_000, 100))
        .open(2, &limit(CONTRACT, Buy, 1_000, 5));
    let check = |world: &World, order_id, terms: &ReplaceTerms| {
        world.gate.check_replace(order_id, terms, &world.view())
    };
    let leverage = |actual| refused(Rule::LeverageMustNotExceedLimit, NANO, actual);
    for (order_id, terms, expected) in [
        (1, terms(9_900, 100), Ok(())),
        (1, terms(1_000, 10), Ok(())),
        (1, terms(10_000, 100), Err(leverage(1_005_000_000))),
        (1, terms(9_000, 151), Err(refused(Rule::QuantityMustNotExceedLimit, 150, 151))),
        (1, terms(0, 100), Err(refused(Rule::PriceMustBePositive, 1, 0))),
        (2, terms(1_001, 5), Err(refused(Rule::PriceMustBeOnTick, 5, 1_001))),
        (2, terms(1_000, 6), Err(refused(Rule::QuantityMustBeOnLot, 5, 6))),
    ] {
        assert_eq!(check(&world, order_id, &terms), expected, "{order_id} {terms:?}");
    }
    let mut filled = world.clone();
    filled.gate.filled(1, 40);
    assert_eq!(check(&filled, 1, &terms(1, 40)), Err(refused(Rule::QuantityMustBePositive, 41, 40)));
    assert_eq!(check(&filled, 1, &terms(1, 41)), Ok(()));
    filled.gate.engage_kill_switch(0);
    assert_eq!(check(&filled, 1, &terms(1, 41)), Err(refused(Rule::KillSwitchMustBeOff, 0, 0)));
}

#[test]
fn an_order_that_waits_for_its_parent_holds_nothing_until_it_is_released() {
    let child = SubmitOrder { parent: 1, offset_nano: ONE / 10, price: 0, ..limit(SHARE, Sell, 0, 0) };
    let mut world = World::new().limit(LimitKind::MaxOpenOrders, 1).limit(LimitKind::MaxPosition, 10);
    assert_eq!(
        world.gate.check_held(&child, &world.view()),
        Ok(()),
        "price and quantity come from the parent"
    );
    world.gate.held(2, &child);
    assert_eq!((world.gate.open_orders(ACCOUNT), world.gate.open_quantity(ACCOUNT, SHARE)), (1, (0, 0)));

    let released = SubmitOrder { price: 11_000, quantity: 10, ..child };
    let check = |world: &World, order: &SubmitOrder| world.gate.check_release(order, &world.view());
    assert_eq!(check(&world, &released), Ok(()), "not counted twice");
    for (order, rule, limit, actual) in [
        (SubmitOrder { quantity: 11, ..released }, Rule::PositionMustNotExceedLimit, 10, 11),
        (SubmitOrder { price: 0, ..released }, Rule::PriceMustBePositive, 1, 0),
        (SubmitOrder { quantity: 0, ..released }, Rule::QuantityMustBePositive, 1, 0),
        (reduce_only(released), Rule::ReduceOnlyMustReduce, 0, 10),
    ] {
        assert_eq!(check(&world, &order), Err(refused(rule, limit, actual)), "{order:?}");
    }
    world.gate.engage_kill_switch(0);
    assert_eq!(check(&world, &released), Ok(()), "accepted before the switch was engaged");
    world.gate.opened(2, &released);
    assert_eq!((world.gate.open_orders(ACCOUNT), world.gate.open_quantity(ACCOUNT, SHARE)), (1, (0, 10)));
}

#[test]
fn an_order_that_will_wait_is_refused_for_what_can_be_said_of_it_now() {
    let child = SubmitOrder { parent: 1, ..limit(SHARE, Sell, 11_000, 10) };
    let mut killed = World::new();
    killed.gate.engage_kill_switch(ACCOUNT);
    let world = World::new;
    let two = LimitKind::MaxOpenOrders;
    for (world, order, rule, limit, actual) in [
        (world(), of(9, child), Rule::AccountMustBeOpen, 0, 9),
        (killed, child, Rule::KillSwitchMustBeOff, 0, 1),
        (world(), SubmitOrder { quantity: -1, ..child }, Rule::QuantityMustBePositive, 1, -1),
        (world(), SubmitOrder { price: 0, ..child }, Rule::PriceMustBePositive, 1, 0),
        (world().limit(LimitKind::MaxOrderQuantity, 9), child, Rule::QuantityMustNotExceedLimit, 9, 10),
        (world().limit(two, 1).hold_back(1, &child), child, Rule::OpenOrdersMustNotExceedLimit, 1, 2),
    ] {
        let answer = world.gate.check_held(&order, &world.view());
        assert_eq!(answer, Err(refused(rule, limit, actual)), "{order:?}");
    }
    for passing in [market(SHARE, Buy, 90), reduce_only(child), market(UNPRICED, Buy, 1)] {
        let world = world().limit(LimitKind::MaxPosition, 10).limit(LimitKind::MaxLeverage, 1);
        assert_eq!(world.gate.check_held(&passing, &world.view()), Ok(()), "tested when it is released");
    }
}

#[test]
fn terms_that_only_a_venue_confirmed_cannot_break_the_sums() {
    let mut world = World::new().limit(LimitKind::MaxLeverage, ONE);
    let monstrous = terms(i64::MAX, i64::MAX);
    for order_id in 1..=8 {
        world.gate.opened(order_id, &limit(SHARE, Buy, 1, 1));
        world.gate.replaced(order_id, &monstrous);
    }
    assert!(world.check(&market(SHARE, Buy, 1)).is_err(), "what does not fit counts as too much");
    assert!(world.check(&limit(SHARE, Buy, 1, 1)).is_err());
    (1..=8).for_each(|order_id| world.gate.closed(order_id));
    assert_eq!(world.gate.open_quantity(ACCOUNT, SHARE), (0, 0));
    assert_eq!(world.check(&market(SHARE, Buy, 100)), Ok(()));
}

#[test]
fn the_gate_is_restored_with_the_same_bytes_whatever_order_it_was_filled_in() {
    let orders = [limit(SHARE, Buy, 5_000, 3), close(SHARE, Sell), stop(CONTRACT, Sell, 4_000, 5)];
    let mut forward = World::new().limit(LimitKind::MaxLeverage, ONE).gate;
    let mut backward = forward.clone();
    for index in 0..3 {
        forward.opened(index + 1, &orders[index as usize]);
        backward.opened(3 - index, &orders[2 - index as usize]);
    }
    forward.engage_kill_switch(7);
    backward.engage_kill_switch(7);
    backward.opened(900, &orders[0]);
    backward.closed(900);
    forward.pending_replace(1, &terms(1, 2));
    backward.pending_replace(1, &terms(1, 2));
    assert_eq!(bytes(&*forward), bytes(&*backward));
    // What is open may lie under other ids; what it holds back is the same.
    assert_eq!(*forward, *backward);
    let restored = forward.restarted();
    assert_eq!(bytes(&*restored), bytes(&*forward));
    assert_eq!(restored, forward);
    assert_eq!(restored.open_quantity(ACCOUNT, SHARE), forward.open_quantity(ACCOUNT, SHARE));
}

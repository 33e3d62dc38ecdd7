//! Every refusal of the gate at admission, with limit and actual, and the nearest order that passes.

use super::*;
use LimitKind::*;
use Side::{Buy, Sell};

const DOLLAR: i128 = NANO;

/// What, in which world, refused with what.
type Case = (&'static str, World, SubmitOrder, Refusal);

fn assert_refused(cases: impl IntoIterator<Item = Case>) {
    for (what, world, order, expected) in cases {
        assert_eq!(world.check(&order), Err(expected), "{what}");
    }
}

fn assert_passes(cases: impl IntoIterator<Item = (&'static str, World, SubmitOrder)>) {
    for (what, world, order) in cases {
        assert_eq!(world.check(&order), Ok(()), "{what}");
    }
}

#[test]
fn unknown_parties_and_killed_accounts_are_refused() {
    let mut all = World::new();
    all.gate.engage_kill_switch(0);
    let mut one = World::new();
    one.gate.engage_kill_switch(ACCOUNT);
    let order = market(SHARE, Buy, 1);
    assert_refused([
        ("account", World::new(), of(9, order), refused(Rule::AccountMustBeOpen, 0, 9)),
        ("instrument", World::new(), market(9, Buy, 1), refused(Rule::InstrumentMustBeListed, 0, 9)),
        ("kill switch of all", all, order, refused(Rule::KillSwitchMustBeOff, 0, 0)),
        ("kill switch of one", one.clone(), order, refused(Rule::KillSwitchMustBeOff, 0, 1)),
        ("not even to close", one.clone(), close(SHARE, Sell), refused(Rule::KillSwitchMustBeOff, 0, 1)),
    ]);
    assert_passes([("another account", one, of(CAUTIOUS, order))]);
}

#[test]
fn a_kill_switch_of_all_and_one_of_an_account_are_released_apart() {
    let mut gate = RiskGate::default();
    assert!(gate.engage_kill_switch(0) && gate.engage_kill_switch(ACCOUNT));
    assert!(!gate.engage_kill_switch(0), "was engaged");
    assert!(gate.release_kill_switch(0));
    assert!(gate.is_killed(ACCOUNT) && !gate.is_killed(CAUTIOUS));
    assert!(gate.release_kill_switch(ACCOUNT) && !gate.release_kill_switch(ACCOUNT));
    assert!(!gate.is_killed(ACCOUNT));
}

#[test]
fn terms_off_lot_tick_or_bounds_are_refused() {
    use crate::instrument::MAX_UNITS;
    let most = i128::from(MAX_UNITS);
    let cases = [
        (market(SHARE, Buy, 0), Rule::QuantityMustBePositive, 1, 0),
        (market(SHARE, Buy, -3), Rule::QuantityMustBePositive, 1, -3),
        (sized(SHARE, Buy, Sizing::Percent, 0), Rule::QuantityMustBePositive, 1, 0),
        (market(CONTRACT, Buy, 12), Rule::QuantityMustBeOnLot, 5, 12),
        (reduce_only(market(CONTRACT, Sell, 12)), Rule::QuantityMustBeOnLot, 5, 12),
        (limit(SHARE, Buy, 0, 1), Rule::PriceMustBePositive, 1, 0),
        (limit(SHARE, Buy, -5, 1), Rule::PriceMustBePositive, 1, -5),
        (stop(SHARE, Sell, 0, 1), Rule::PriceMustBePositive, 1, 0),
        (stop_limit(SHARE, Sell, -1, 10, 1), Rule::PriceMustBePositive, 1, -1),
        (limit(CONTRACT, Buy, 5_003, 5), Rule::PriceMustBeOnTick, 5, 5_003),
        (stop(CONTRACT, Buy, 5_003, 5), Rule::StopPriceMustBeOnTick, 5, 5_003),
        (stop_limit(CONTRACT, Buy, 5_001, 5_000, 5), Rule::StopPriceMustBeOnTick, 5, 5_001),
        (market(SHARE, Buy, MAX_UNITS + 1), Rule::QuantityMustBeInBounds, most, most + 1),
        (market(SHARE, Buy, i64::MAX), Rule::QuantityMustBeInBounds, most, i128::from(i64::MAX)),
        (sized(SHARE, Buy, Sizing::Percent, ONE + 1), Rule::QuantityMustBeInBounds, NANO, NANO + 1),
        (
            sized(SHARE, Sell, Sizing::TargetPercent, i64::MIN),
            Rule::QuantityMustBeInBounds,
            1_000 * NANO,
            i128::from(i64::MIN),
        ),
        (
            limit(SHARE, Buy, 1 << 40, 1 << 40),
            Rule::NotionalMustBeInBounds,
            super::super::MAX_NOTIONAL,
            (1 << 80) * 10_000_000,
        ),
        (
            limit(SHARE, Buy, MAX_UNITS, MAX_UNITS),
            Rule::NotionalMustBeInBounds,
            super::super::MAX_NOTIONAL,
            // Does not fit 128 bits.
            Nano::MAX,
        ),
        (limit(SHARE, Buy, MAX_UNITS + 1, 1), Rule::FieldMustBeInRange, most, most + 1),
    ];
    for (order, rule, limit, actual) in cases {
        assert_eq!(World::new().check(&order), Err(refused(rule, limit, actual)), "{order:?}");
    }
}

#[test]
fn a_missing_reference_price_refuses_what_needs_one() {
    let unmarked = |world: World| world.hold(ACCOUNT, UNPRICED, 1);
    let rule = Rule::ReferencePriceMustBeKnown;
    let unknown = i128::from(UNPRICED);
    let notional = || World::new().limit(MaxOrderNotional, ONE);
    assert_refused([
        ("market order", World::new(), market(UNPRICED, Buy, 1), refused(rule, 0, unknown)),
        (
            "notional of a market order that only reduces",
            unmarked(notional()),
            reduce_only(market(UNPRICED, Sell, 1)),
            refused(rule, 0, unknown),
        ),
        ("band", World::new().limit(PriceBand, ONE), limit(UNPRICED, Buy, 1, 1), refused(rule, 0, unknown)),
        (
            "leverage over another position",
            unmarked(World::new().limit(MaxLeverage, ONE)),
            market(SHARE, Buy, 1),
            refused(rule, 0, unknown),
        ),
        (
            "leverage over an unpriced order in another instrument",
            World::new().limit(MaxLeverage, ONE).open(1, &market(UNPRICED, Buy, 1)),
            market(SHARE, Buy, 1),
            refused(rule, 0, i128::from(SHARE)),
        ),
        (
            "gross exposure",
            unmarked(World::new().limit(MaxGrossExposure, ONE)),
            limit(UNPRICED, Buy, 1, 1),
            refused(rule, 0, unknown),
        ),
    ]);
    assert_passes([
        ("a limit order is worth its limit", notional(), limit(UNPRICED, Buy, 1, 1)),
        ("a stop its stop", notional(), stop(UNPRICED, Buy, 1, 1)),
        ("closing needs no price", unmarked(World::new().limit(MaxLeverage, 1)), close(UNPRICED, Sell)),
        ("sized at the fill", World::new(), sized(UNPRICED, Buy, Sizing::Percent, ONE)),
    ]);
}

#[test]
fn orders_too_large_are_refused() {
    let quantity = || World::new().limit(MaxOrderQuantity, 10);
    let notional = || World::new().limit(MaxOrderNotional, 1_000 * ONE);
    let rule = Rule::NotionalMustNotExceedLimit;
    let money = 1_000 * DOLLAR;
    assert_refused([
        ("quantity", quantity(), market(SHARE, Buy, 11), refused(Rule::QuantityMustNotExceedLimit, 10, 11)),
        (
            "quantity, although it only reduces",
            quantity().hold(ACCOUNT, SHARE, 20),
            reduce_only(market(SHARE, Sell, 11)),
            refused(Rule::QuantityMustNotExceedLimit, 10, 11),
        ),
        ("market at the mark", notional(), market(SHARE, Buy, 11), refused(rule, money, 1_100 * DOLLAR)),
        (
            "buy at its limit",
            notional(),
            limit(SHARE, Buy, 10_001, 10),
            refused(rule, money, 1_000_100_000_000),
        ),
        (
            "sell at the mark above its limit",
            notional(),
            limit(SHARE, Sell, 1, 11),
            refused(rule, money, 1_100 * DOLLAR),
        ),
        (
            "sell at its limit above the mark",
            notional(),
            limit(SHARE, Sell, 10_001, 10),
            refused(rule, money, 1_000_100_000_000),
        ),
        (
            "buy stop at the mark that passed it",
            notional(),
            stop(SHARE, Buy, 1, 11),
            refused(rule, money, 1_100 * DOLLAR),
        ),
        (
            "buy stop at its stop",
            notional(),
            stop(SHARE, Buy, 20_000, 6),
            refused(rule, money, 1_200 * DOLLAR),
        ),
        (
            "sell stop at its stop",
            notional(),
            stop(SHARE, Sell, 9_000, 12),
            refused(rule, money, 1_080 * DOLLAR),
        ),
        (
            "sell stop-limit at its stop",
            notional(),
            stop_limit(SHARE, Sell, 9_000, 8_000, 12),
            refused(rule, money, 1_080 * DOLLAR),
        ),
        (
            "buy stop-limit at its limit",
            notional(),
            stop_limit(SHARE, Buy, 9_000, 11_000, 10),
            refused(rule, money, 1_100 * DOLLAR),
        ),
    ]);
    assert_passes([
        ("quantity at the limit", quantity(), market(SHARE, Buy, 10)),
        ("notional at the limit", notional(), market(SHARE, Buy, 10)),
        ("buy below the market", notional(), limit(SHARE, Buy, 5_000, 20)),
        ("sell stop below the market", notional(), stop(SHARE, Sell, 5_000, 20)),
        ("closing", quantity().hold(ACCOUNT, SHARE, 20), close(SHARE, Sell)),
    ]);
}

#[test]
fn limit_prices_out_of_the_band_are_refused() {
    let band = || World::new().limit(PriceBand, ONE / 10);
    let rule = Rule::PriceMustBeInBand;
    let tenth = NANO / 10;
    assert_refused([
        ("above", band(), limit(SHARE, Buy, 11_001, 1), refused(rule, tenth, 100_100_000)),
        ("below", band(), limit(SHARE, Sell, 8_999, 1), refused(rule, tenth, 100_100_000)),
        (
            "stop-limit, around its stop; the distance is rounded up",
            band(),
            stop_limit(SHARE, Buy, 30_000, 33_001, 1),
            refused(rule, tenth, 100_033_334),
        ),
    ]);
    assert_passes([
        ("at the upper edge", band(), limit(SHARE, Buy, 11_000, 1)),
        ("at the lower edge", band(), limit(SHARE, Sell, 9_000, 1)),
        ("a stop has no limit price", band(), stop(SHARE, Sell, 5_000, 1)),
        ("nor has a market order", band(), market(SHARE, Sell, 1)),
    ]);
}

#[test]
fn too_many_open_orders_are_refused() {
    let rule = Rule::OpenOrdersMustNotExceedLimit;
    let order = limit(SHARE, Buy, 1, 1);
    let waiting = SubmitOrder { parent: 1, ..order };
    let two = || World::new().limit(MaxOpenOrders, 2).open(1, &order);
    let mut per_instrument = two().open(2, &limit(CONTRACT, Buy, 5, 5));
    per_instrument.gate.set_limit(0, CONTRACT, MaxOpenOrders, 1).unwrap();
    per_instrument.gate.set_limit(0, 0, MaxOpenOrders, 9).unwrap();
    assert_refused([
        ("a third", two().open(2, &order), order, refused(rule, 2, 3)),
        ("in another instrument", two().open(2, &order), limit(CONTRACT, Buy, 5, 5), refused(rule, 2, 3)),
        ("one that waits for its parent counts", two().hold_back(2, &waiting), order, refused(rule, 2, 3)),
        (
            "a second in an instrument",
            per_instrument.clone(),
            limit(CONTRACT, Buy, 5, 5),
            refused(rule, 1, 2),
        ),
    ]);
    let mut closed = two().open(2, &order);
    closed.gate.closed(2);
    assert_passes([
        ("a second", two(), order),
        ("after one closed", closed, order),
        ("of another account", two().open(2, &order), of(CAUTIOUS, order)),
        ("a third, elsewhere", per_instrument, order),
    ]);
}

#[test]
fn positions_that_open_orders_could_make_too_large_are_refused() {
    let rule = Rule::PositionMustNotExceedLimit;
    let world = || World::new().limit(MaxPosition, 100);
    let long = || world().hold(ACCOUNT, SHARE, 60);
    assert_refused([
        ("long", long(), market(SHARE, Buy, 41), refused(rule, 100, 101)),
        ("short", long(), market(SHARE, Sell, 161), refused(rule, 100, 101)),
        (
            "with an open buy",
            long().open(1, &limit(SHARE, Buy, 1, 30)),
            market(SHARE, Buy, 11),
            refused(rule, 100, 101),
        ),
        (
            "an open sell may never execute",
            long().open(1, &limit(SHARE, Sell, 20_000, 60)),
            market(SHARE, Buy, 41),
            refused(rule, 100, 101),
        ),
        (
            "a stop that only reduces may never execute",
            long().open(1, &reduce_only(stop(SHARE, Sell, 9_000, 60))),
            market(SHARE, Buy, 41),
            refused(rule, 100, 101),
        ),
        (
            "nor may a market order at the close",
            long().open(
                1,
                &SubmitOrder { time_in_force: crate::terms::TimeInForce::AtClose, ..close(SHARE, Sell) },
            ),
            market(SHARE, Buy, 41),
            refused(rule, 100, 101),
        ),
        (
            "after a pending close",
            long().open(1, &close(SHARE, Sell)),
            market(SHARE, Sell, 101),
            refused(rule, 100, 101),
        ),
    ]);
    assert_passes([
        ("long at the limit", long(), market(SHARE, Buy, 40)),
        ("short at the limit", long(), market(SHARE, Sell, 160)),
        ("a flip after a pending close", long().open(1, &close(SHARE, Sell)), market(SHARE, Sell, 100)),
        ("a buy after a pending close", long().open(1, &close(SHARE, Sell)), market(SHARE, Buy, 100)),
        (
            "a buy after a pending reduction",
            long().open(1, &reduce_only(market(SHARE, Sell, 10))),
            market(SHARE, Buy, 50),
        ),
        (
            "shrinking what is beyond the limit",
            World::new().hold(ACCOUNT, SHARE, -500).limit(MaxPosition, 100),
            market(SHARE, Buy, 300),
        ),
    ]);
}

#[test]
fn selling_more_than_is_held_is_refused_where_shorting_is_not_allowed() {
    let rule = Rule::ShortMustBeAllowed;
    let long = || World::new().hold(CAUTIOUS, SHARE, 10);
    let sell = |quantity| of(CAUTIOUS, market(SHARE, Sell, quantity));
    let resting = of(CAUTIOUS, limit(SHARE, Sell, 20_000, 7));
    assert_refused([
        ("from nothing", World::new(), sell(1), refused(rule, 0, 1)),
        ("more than held", long(), sell(11), refused(rule, 10, 11)),
        ("what another order sells", long().open(1, &resting), sell(4), refused(rule, 3, 4)),
        (
            "after a pending close",
            long().open(1, &of(CAUTIOUS, close(SHARE, Sell))),
            sell(1),
            refused(rule, 0, 1),
        ),
        (
            "bought by an order that may not execute",
            long().open(1, &of(CAUTIOUS, limit(SHARE, Buy, 1, 5))),
            sell(11),
            refused(rule, 10, 11),
        ),
        (
            "a short target",
            long(),
            of(CAUTIOUS, sized(SHARE, Sell, Sizing::TargetPercent, -ONE)),
            refused(rule, 0, -NANO),
        ),
    ]);
    assert_passes([
        ("all that is held", long(), sell(10)),
        ("the rest", long().open(1, &resting), sell(3)),
        ("only reducing", long().open(1, &resting), reduce_only(sell(10))),
        ("where it is allowed", World::new(), market(SHARE, Sell, 1)),
    ]);
}

#[test]
fn exposure_beyond_leverage_is_refused() {
    let rule = Rule::LeverageMustNotExceedLimit;
    let world = || World::new().limit(MaxLeverage, ONE);
    let mut fallen = world().hold(ACCOUNT, SHARE, 100);
    fallen.marks.set(SHARE, 5_000);
    assert_refused([
        ("a market order", world(), market(SHARE, Buy, 101), refused(rule, NANO, 1_010_000_000)),
        ("short too", world(), market(SHARE, Sell, 101), refused(rule, NANO, 1_010_000_000)),
        (
            "with a position elsewhere",
            world().hold(ACCOUNT, CONTRACT, -100),
            market(SHARE, Buy, 51),
            refused(rule, NANO, 1_010_000_000),
        ),
        (
            "with an order elsewhere",
            world().open(1, &limit(CONTRACT, Sell, 5_000, 100)),
            market(SHARE, Buy, 51),
            refused(rule, NANO, 1_010_000_000),
        ),
        (
            "with an order at its own price",
            world().open(1, &limit(SHARE, Buy, 5_000, 100)),
            market(SHARE, Buy, 51),
            refused(rule, NANO, 1_010_000_000),
        ),
        (
            "a flip counts what it opens",
            world().hold(ACCOUNT, SHARE, 50),
            market(SHARE, Sell, 151),
            refused(rule, NANO, 1_010_000_000),
        ),
        (
            "the ratio is rounded up",
            World::new().limit(MaxLeverage, ONE / 3).hold(ACCOUNT, SHARE, 1),
            market(SHARE, Buy, 33),
            refused(rule, NANO / 3, 340_000_000),
        ),
        (
            "without equity",
            world(),
            of(POOR, market(SHARE, Buy, 1)),
            refused(Rule::EquityMustBePositive, 1, 0),
        ),
        (
            "more at one price than equity by a third of the order",
            World::new().limit(MaxLeverage, 3 * ONE),
            limit(SHARE, Buy, 10_000, 301),
            refused(rule, 3 * NANO, 3_010_000_000),
        ),
    ]);
    assert_passes([
        ("all in", world(), market(SHARE, Buy, 100)),
        ("all in below the market", world(), limit(SHARE, Buy, 5_000, 200)),
        ("all in the other way", world().hold(ACCOUNT, SHARE, 100), market(SHARE, Sell, 200)),
        (
            "after a pending close",
            world().hold(ACCOUNT, SHARE, 100).open(1, &close(SHARE, Sell)),
            market(SHARE, Buy, 100),
        ),
        ("less of what is too much", fallen.clone(), market(SHARE, Sell, 10)),
        ("a reduction", fallen.clone(), reduce_only(limit(SHARE, Sell, 9_000, 10))),
        ("no limit, no test", World::new(), market(SHARE, Buy, 1_000_000)),
    ]);
}

#[test]
fn the_more_specific_leverage_counts() {
    let mut world = World::new().limit(MaxLeverage, ONE);
    world.gate.set_limit(ACCOUNT, 0, MaxLeverage, 2 * ONE).unwrap();
    world.gate.set_limit(ACCOUNT, CONTRACT, MaxLeverage, ONE / 2).unwrap();
    assert_passes([("of the account", world.clone(), market(SHARE, Buy, 200))]);
    assert_refused([
        (
            "of account and instrument",
            world.clone(),
            market(CONTRACT, Buy, 105),
            refused(Rule::LeverageMustNotExceedLimit, NANO / 2, 525_000_000),
        ),
        (
            "of all",
            world,
            of(CAUTIOUS, market(SHARE, Buy, 101)),
            refused(Rule::LeverageMustNotExceedLimit, NANO, 1_010_000_000),
        ),
    ]);
}

#[test]
fn reduce_only_with_nothing_to_reduce_is_refused() {
    let rule = Rule::ReduceOnlyMustReduce;
    let sell = reduce_only(limit(SHARE, Sell, 10_000, 5));
    let long = || World::new().hold(ACCOUNT, SHARE, 10);
    assert_refused([
        ("flat", World::new(), sell, refused(rule, 0, 5)),
        ("on the side of the position", long(), reduce_only(market(SHARE, Buy, 5)), refused(rule, 0, 5)),
        ("closing nothing", World::new(), close(SHARE, Sell), refused(rule, 0, 0)),
        ("closing on the wrong side", long(), close(SHARE, Buy), refused(rule, 0, 0)),
    ]);
    assert_passes([
        ("the position", long(), sell),
        ("what an open order may bring", World::new().open(1, &market(SHARE, Buy, 5)), sell),
        (
            "what an order sized at the fill may bring",
            World::new().open(1, &sized(SHARE, Buy, Sizing::Percent, ONE)),
            sell,
        ),
    ]);
}

#[test]
fn gross_exposure_beyond_its_limit_is_refused() {
    let rule = Rule::GrossExposureMustNotExceedLimit;
    let world = || World::new().limit(MaxGrossExposure, 5_000 * ONE);
    let mut of_share = world();
    of_share.gate.set_limit(0, SHARE, MaxGrossExposure, 1_000 * ONE).unwrap();
    assert_refused([
        ("account", world(), market(SHARE, Buy, 51), refused(rule, 5_000 * DOLLAR, 5_100 * DOLLAR)),
        (
            "short and long add up",
            world().hold(ACCOUNT, CONTRACT, -20),
            market(SHARE, Buy, 41),
            refused(rule, 5_000 * DOLLAR, 5_100 * DOLLAR),
        ),
        (
            "one instrument",
            of_share.clone(),
            market(SHARE, Buy, 11),
            refused(rule, 1_000 * DOLLAR, 1_100 * DOLLAR),
        ),
        (
            "both bounds hold",
            of_share.clone().hold(ACCOUNT, CONTRACT, 90),
            market(SHARE, Buy, 10),
            refused(rule, 5_000 * DOLLAR, 5_500 * DOLLAR),
        ),
    ]);
    assert_passes([
        ("at the limit", world(), market(SHARE, Buy, 50)),
        ("another instrument", of_share, market(CONTRACT, Buy, 100)),
        ("less", World::new().hold(ACCOUNT, SHARE, 90).limit(MaxGrossExposure, ONE), market(SHARE, Sell, 10)),
    ]);
}

#[test]
fn an_instrument_in_another_currency_than_the_account_is_refused() {
    assert_refused([(
        "foreign",
        World::new(),
        market(FOREIGN, Buy, 1),
        refused(Rule::CurrencyMustMatch, 1, 2),
    )]);
}

#[test]
fn rules_are_tested_in_the_order_of_their_numbers() {
    let mut world = World::new()
        .limit(MaxOrderQuantity, 1)
        .limit(MaxOrderNotional, 1)
        .limit(PriceBand, 0)
        .limit(MaxOpenOrders, 0)
        .limit(MaxPosition, 1)
        .limit(MaxLeverage, 0)
        .limit(MaxGrossExposure, 0);
    world.gate.engage_kill_switch(0);
    let mut order = SubmitOrder { account: 9, ..limit(9, Sell, 10_001, 12) };
    let mut last = 0;
    let mut seen = Vec::new();
    while let Err(refusal) = world.check(&order) {
        assert!(refusal.rule as u16 > last, "{:?} after {last}", refusal.rule);
        last = refusal.rule as u16;
        seen.push(refusal.rule);
        match refusal.rule {
            Rule::AccountMustBeOpen => order.account = CAUTIOUS,
            Rule::InstrumentMustBeListed => order.instrument = CONTRACT,
            Rule::KillSwitchMustBeOff => _ = world.gate.release_kill_switch(0),
            Rule::QuantityMustBeOnLot => order.quantity = 10,
            Rule::PriceMustBeOnTick => order.price = 10_005,
            Rule::QuantityMustNotExceedLimit => world = world.limit(MaxOrderQuantity, 10),
            Rule::NotionalMustNotExceedLimit => world = world.limit(MaxOrderNotional, i64::MAX),
            Rule::PriceMustBeInBand => world = world.limit(PriceBand, 2 * ONE),
            Rule::OpenOrdersMustNotExceedLimit => world = world.limit(MaxOpenOrders, 1),
            Rule::PositionMustNotExceedLimit => world = world.limit(MaxPosition, 10),
            Rule::ShortMustBeAllowed => order.account = ACCOUNT,
            Rule::LeverageMustNotExceedLimit => world = world.limit(MaxLeverage, ONE),
            Rule::GrossExposureMustNotExceedLimit => world = world.limit(MaxGrossExposure, i64::MAX),
            rule => panic!("{rule:?}"),
        }
    }
    assert_eq!(seen.len(), 13, "{seen:?}");
}

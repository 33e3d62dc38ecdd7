//! Quantities at the fill, by table and against a search that tries every quantity.

use proptest::prelude::*;

use super::*;
use Side::{Buy, Sell};

fn percent(side: Side, percent: i64) -> VenueOrder {
    at_venue(&sized(SHARE, side, Sizing::Percent, percent))
}

fn target(target: i64) -> VenueOrder {
    at_venue(&sized(SHARE, Buy, Sizing::TargetPercent, target))
}

fn leveraged(leverage: i64) -> World {
    World::new().limit(LimitKind::MaxLeverage, leverage)
}

#[test]
fn a_percent_is_what_equity_buys_at_the_fill_price_with_the_fee() {
    let fee = ONE / 1_000 * 2;
    for (world, order, price, expected) in [
        (World::new(), percent(Buy, ONE), 10_000, 100),
        (World::new(), percent(Sell, ONE), 10_000, 100),
        (World::new(), percent(Buy, ONE), 10_001, 99),
        (World::new(), percent(Buy, ONE / 2), 333, 1_501),
        (World::new().charge(fee), percent(Buy, ONE), 10_000, 99),
        (leveraged(2 * ONE), percent(Buy, ONE), 10_000, 200),
        (leveraged(2 * ONE), percent(Buy, ONE / 2), 10_000, 100),
        (leveraged(ONE).hold(ACCOUNT, CONTRACT, 100), percent(Buy, ONE), 10_000, 50),
        (leveraged(ONE).hold(ACCOUNT, CONTRACT, -100), percent(Buy, ONE), 10_000, 50),
        // Half of equity is in the share already, and worth 10 % more at the fill.
        (leveraged(ONE).hold(ACCOUNT, SHARE, 50), percent(Buy, ONE), 11_000, 45),
        (World::new().hold(ACCOUNT, SHARE, 50), percent(Buy, ONE / 2), 10_000, 50),
    ] {
        assert_eq!(world.executable(&order, 0, price), Ok(expected), "{order:?} at {price}");
    }
}

#[test]
fn a_percent_in_lots_is_floored_to_the_lot() {
    let order = at_venue(&sized(CONTRACT, Buy, Sizing::Percent, ONE));
    assert_eq!(World::new().executable(&order, 0, 5_100), Ok(195));
}

#[test]
fn a_flat_fee_is_held_back_before_sizing() {
    let mut world = World::new();
    let schedule = FeeSchedule { flat_nano: ONE, ..FeeSchedule::FREE };
    world.fees.set(ACCOUNT, SHARE, schedule).unwrap();
    assert_eq!(world.executable(&percent(Buy, ONE), 0, 10_000), Ok(99));
}

#[test]
fn a_target_trades_the_difference_signed() {
    let fee = ONE / 100;
    for (world, target_share, price, expected) in [
        (World::new(), ONE, 10_000, 100),
        (World::new(), -ONE, 10_000, -100),
        (World::new().hold(ACCOUNT, SHARE, 30), ONE / 2, 10_000, 20),
        (World::new().hold(ACCOUNT, SHARE, 80), ONE / 2, 10_000, -30),
        (World::new().hold(ACCOUNT, SHARE, -20), ONE / 2, 10_000, 70),
        (World::new().hold(ACCOUNT, SHARE, 30), -ONE / 2, 10_000, -80),
        (World::new().hold(ACCOUNT, SHARE, 37), 0, 10_000, -37),
        (World::new().hold(ACCOUNT, SHARE, -37), 0, 10_000, 37),
        (World::new().charge(fee), ONE, 10_000, 99),
        // 30 shares are given up: 50 x 100 + 30 = 5,030 is too much; 31 leave 4,900 + 31.
        (World::new().charge(fee).hold(ACCOUNT, SHARE, 80), ONE / 2, 10_000, -31),
        // A target a little off: nothing less than closing fits next to its fee.
        (World::new().charge(fee).hold(ACCOUNT, SHARE, 3), 1, 10_000, -3),
        // Margin is what bounds it.
        (leveraged(ONE).hold(ACCOUNT, CONTRACT, 100), ONE, 10_000, 50),
        (leveraged(2 * ONE), 3 * ONE, 10_000, 200),
    ] {
        assert_eq!(
            world.executable(&target(target_share), 0, price),
            Ok(expected),
            "{target_share} at {price}"
        );
        let delta = world.gate.target_delta(ACCOUNT, SHARE, target_share, price, &world.view());
        assert_eq!(delta, Ok(expected));
    }
}

#[test]
fn closing_takes_the_whole_position_off_lot_or_not() {
    let world = World::new().hold(ACCOUNT, CONTRACT, 5);
    let mut odd = world.clone();
    odd.trade(ACCOUNT, CONTRACT, Buy, 5_000, 2, 0);
    assert_eq!(odd.executable(&at_venue(&close(CONTRACT, Sell)), 0, 5_000), Ok(7));
    let short = World::new().hold(ACCOUNT, SHARE, -7);
    assert_eq!(short.executable(&at_venue(&close(SHARE, Buy)), 3, 9_999), Ok(7));
}

#[test]
fn what_may_not_execute_is_refused_with_limit_and_actual() {
    let nothing = refused(Rule::SizedQuantityMustBePositive, 1, 0);
    let reduce = |side, quantity| at_venue(&reduce_only(market(SHARE, side, quantity)));
    let units = |side, quantity| at_venue(&market(SHARE, side, quantity));
    let cautious = |order: VenueOrder| VenueOrder { account: CAUTIOUS, ..order };
    let of_account = |account, order: VenueOrder| VenueOrder { account, ..order };
    let held = |quantity| World::new().hold(ACCOUNT, SHARE, quantity);
    let quantity = |kind, value| World::new().limit(kind, value);
    let leverage = Rule::LeverageMustNotExceedLimit;
    let cases = [
        (World::new(), percent(Buy, 1), 10_000, nothing),
        (World::new(), target(1), 10_000, nothing),
        (World::new(), target(0), 10_000, nothing),
        (held(50), target(ONE / 2), 10_000, nothing),
        (leveraged(ONE).hold(ACCOUNT, SHARE, 100), percent(Buy, ONE), 10_000, nothing),
        (
            World::new(),
            at_venue(&sized(CONTRACT, Buy, Sizing::Percent, ONE / 100)),
            5_000,
            refused(Rule::SizedQuantityMustBePositive, 5, 0),
        ),
        (World::new(), reduce(Sell, 9), 10_000, refused(Rule::ReduceOnlyMustReduce, 0, 9)),
        (held(5), reduce(Buy, 9), 10_000, refused(Rule::ReduceOnlyMustReduce, 0, 9)),
        (World::new(), at_venue(&close(SHARE, Sell)), 10_000, refused(Rule::ReduceOnlyMustReduce, 0, 0)),
        (leveraged(ONE), units(Buy, 101), 10_000, refused(leverage, NANO, 1_010_000_000)),
        (leveraged(ONE), units(Buy, 100), 10_100, refused(leverage, NANO, 1_010_000_000)),
        (leveraged(ONE), units(Sell, 101), 10_000, refused(leverage, NANO, 1_010_000_000)),
        // 99 x 100 over 10,000 - 99 is 0.99989...; 100 over 9,900 is too much.
        (leveraged(ONE).charge(ONE / 100), units(Buy, 100), 10_000, refused(leverage, NANO, 1_010_101_011)),
        (leveraged(ONE), of_account(POOR, units(Buy, 1)), 10_000, refused(Rule::EquityMustBePositive, 1, 0)),
        (
            World::new(),
            of_account(POOR, percent(Buy, ONE)),
            10_000,
            refused(Rule::EquityMustBePositive, 1, 0),
        ),
        (World::new(), cautious(percent(Sell, ONE)), 10_000, refused(Rule::ShortMustBeAllowed, 0, 100)),
        (World::new(), cautious(units(Sell, 3)), 10_000, refused(Rule::ShortMustBeAllowed, 0, 3)),
        (World::new(), of_account(9, units(Sell, 3)), 10_000, refused(Rule::AccountMustBeOpen, 0, 9)),
        (World::new(), units(Sell, 3), 0, refused(Rule::PriceMustBePositive, 1, 0)),
        (
            quantity(LimitKind::MaxOrderQuantity, 99),
            percent(Buy, ONE),
            10_000,
            refused(Rule::QuantityMustNotExceedLimit, 99, 100),
        ),
        (
            quantity(LimitKind::MaxOrderNotional, 9_999 * ONE),
            target(-ONE),
            10_000,
            refused(Rule::NotionalMustNotExceedLimit, 9_999 * NANO, 10_000 * NANO),
        ),
        (
            quantity(LimitKind::MaxPosition, 99),
            percent(Sell, ONE),
            10_000,
            refused(Rule::PositionMustNotExceedLimit, 99, 100),
        ),
        (
            quantity(LimitKind::MaxGrossExposure, 9_999 * ONE),
            percent(Buy, ONE),
            10_000,
            refused(Rule::GrossExposureMustNotExceedLimit, 9_999 * NANO, 10_000 * NANO),
        ),
        (
            World::new().hold(ACCOUNT, UNPRICED, 1),
            percent(Buy, ONE),
            10_000,
            refused(Rule::ReferencePriceMustBeKnown, 0, i128::from(UNPRICED)),
        ),
    ];
    for (index, (world, order, price, expected)) in cases.into_iter().enumerate() {
        assert_eq!(world.executable(&order, order.quantity, price), Err(expected), "case {index}: {order:?}");
    }
}

#[test]
fn what_narrows_a_position_is_never_held_to_leverage() {
    let mut world = leveraged(ONE).hold(ACCOUNT, SHARE, 100);
    world.trade(ACCOUNT, SHARE, Buy, 10_000, 100, 0);
    for order in [market(SHARE, Sell, 50), reduce_only(market(SHARE, Sell, 50))] {
        assert_eq!(world.executable(&at_venue(&order), 50, 4_000), Ok(50));
    }
    let order = at_venue(&reduce_only(market(SHARE, Sell, 500)));
    assert_eq!(world.executable(&order, 500, 4_000), Ok(200), "cut to the position");
    let order = at_venue(&market(SHARE, Sell, 200));
    assert_eq!(world.executable(&order, 150, 4_000), Ok(150), "at most the leaves");
}

/// backtesting.py 0.6: `floor(margin_available * leverage * fraction / (price * (1 + commission)))`.
#[test]
fn a_percent_with_leverage_is_margin_available_times_leverage() {
    let world = leveraged(4 * ONE).charge(ONE / 500).hold(ACCOUNT, CONTRACT, 200);
    // Equity 10,000, exposure 10,000 of 40,000: (10,000 - 10,000 / 4) x 4 x 0.5 / (123.45 x 1.002) = 121.26.
    assert_eq!(world.executable(&percent(Buy, ONE / 2), 0, 12_345), Ok(121));
}

#[derive(Clone, Debug)]
struct Setting {
    world: World,
    price: i64,
    leverage: Option<i64>,
    held: i64,
}

impl std::fmt::Debug for World {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} {:?}", self.portfolio, self.fees)
    }
}

fn settings() -> impl Strategy<Value = Setting> {
    let leverage = prop_oneof![Just(None), Just(Some(ONE)), Just(Some(3 * ONE)), Just(Some(ONE / 2))];
    let held = -40i64..40;
    (leverage, held, -5i64..5, 300i64..3_000, 0i64..50, 0i64..3, 1i64..4).prop_map(
        |(leverage, held, elsewhere, price, rate, flat, lot)| {
            let mut world = World::new();
            let mut instruments = Instruments::default();
            for instrument in world.instruments.iter() {
                let lot = if instrument.id == SHARE { lot } else { instrument.lot };
                instruments.list(Instrument { lot, ..*instrument }).unwrap();
            }
            world.instruments = instruments;
            if let Some(leverage) = leverage {
                world = world.limit(LimitKind::MaxLeverage, leverage);
            }
            world.portfolio.withdraw(ACCOUNT, USD, 9_500 * NANO).unwrap();
            world.marks.set(SHARE, 1_000);
            for (instrument, quantity) in [(SHARE, held / lot * lot), (CONTRACT, elsewhere)] {
                if quantity != 0 {
                    world = world.hold(ACCOUNT, instrument, quantity);
                }
            }
            let rate = rate * ONE / 1_000;
            let schedule =
                FeeSchedule { maker_rate: rate, taker_rate: rate, flat_nano: flat * ONE, external: false };
            world.fees.set(0, 0, schedule).unwrap();
            Setting { world, price, leverage, held: held / lot * lot }
        },
    )
}

impl Setting {
    fn lot(&self) -> i64 {
        self.world.instruments.get(SHARE).unwrap().lot
    }

    fn notional(&self, quantity: i64) -> Nano {
        Nano::from(quantity) * Nano::from(self.price) * 10_000_000
    }

    fn fee(&self, quantity: i64) -> Nano {
        self.world.fees.for_(ACCOUNT, SHARE).worst_fee(self.notional(quantity.abs()))
    }

    /// Cash, exposure elsewhere and equity, recomputed.
    fn worth(&self) -> (Nano, Nano) {
        let account = self.world.portfolio.account(ACCOUNT).unwrap();
        let elsewhere = Nano::from(account.quantity(CONTRACT)) * 5_000 * 10_000_000;
        (account.cash_in(USD) + elsewhere + self.notional(self.held), elsewhere.abs())
    }

    fn may_trade(&self, signed: i64) -> bool {
        let (equity, elsewhere) = self.worth();
        let (before, after) = (self.notional(self.held).abs(), self.notional(self.held + signed).abs());
        let equity = equity - self.fee(signed);
        match self.leverage {
            Some(leverage) if after > before => {
                equity > 0 && (elsewhere + after) * NANO <= Nano::from(leverage) * equity
            }
            _ => true,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_percent_is_the_largest_quantity_of_all_that_fit(setting in settings(), share in 1i64..=1_000, buys: bool) {
        let (equity, elsewhere) = setting.worth();
        let order = percent(if buys { Buy } else { Sell }, share * ONE / 1_000);
        let sign = order.side.sign();
        let available = match setting.leverage {
            None => equity,
            Some(leverage) => (Nano::from(leverage) * equity).div_euclid(NANO) - elsewhere - setting.notional(setting.held).abs(),
        };
        let budget = available.max(0) * Nano::from(share) / 1_000;
        let best = (0..4_000)
            .map(|lots| lots * setting.lot())
            .take_while(|&q| q == 0 || (setting.notional(q) + setting.fee(q) <= budget && setting.may_trade(sign * q)))
            .last()
            .unwrap();
        let found = setting.world.executable(&order, 0, setting.price);
        match found {
            Ok(quantity) => prop_assert_eq!(quantity, best),
            Err(refusal) if refusal.rule == Rule::EquityMustBePositive => prop_assert!(equity <= 0),
            Err(refusal) => {
                prop_assert_eq!(refusal, refused(Rule::SizedQuantityMustBePositive, i128::from(setting.lot()), 0));
                prop_assert_eq!(best, 0);
            }
        }
    }

    #[test]
    fn a_target_is_the_nearest_of_all_positions_that_fit(setting in settings(), share in -1_500i64..=1_500) {
        let (equity, _) = setting.worth();
        if equity <= 0 || share == 0 {
            return Ok(());
        }
        let sign = share.signum();
        let budget = equity * Nano::from(share.abs()) / 1_000;
        let lots = || (0..4_000).map(|lots| lots * setting.lot());
        let held = setting.held * sign;
        let fits = |signed: i64| {
            setting.notional(setting.held + signed).abs() + setting.fee(signed) <= budget && setting.may_trade(signed)
        };
        let expected = if held > 0 && setting.notional(held) > budget {
            -sign * lots().take_while(|&shed| shed < held).find(|&shed| shed > 0 && fits(-sign * shed)).unwrap_or(held)
        } else {
            let covered = (-held).max(0);
            sign * (covered + lots().take_while(|&q| q == 0 || fits(sign * (covered + q))).last().unwrap())
        };
        match setting.world.executable(&target(share * ONE / 1_000), 0, setting.price) {
            Ok(signed) => prop_assert_eq!(signed, expected),
            Err(refusal) => {
                prop_assert_eq!(refusal.rule, Rule::SizedQuantityMustBePositive);
                prop_assert_eq!(expected, 0);
            }
        }
    }

    #[test]
    fn leverage_holds_after_every_fill_that_the_gate_let_through(
        setting in settings(),
        wanted in 1i64..200,
        buys: bool,
        sizing in prop::sample::select(vec![Sizing::Units, Sizing::Percent, Sizing::TargetPercent]),
    ) {
        let side = if buys { Buy } else { Sell };
        let quantity = if sizing == Sizing::Units { wanted } else { wanted * ONE / 200 * if sizing == Sizing::TargetPercent { side.sign() } else { 1 } };
        let order = at_venue(&sized(SHARE, side, sizing, quantity));
        if let Ok(found) = setting.world.executable(&order, wanted, setting.price) {
            let signed = if sizing == Sizing::TargetPercent { found } else { side.sign() * found };
            prop_assert!(setting.may_trade(signed), "{} of {}", signed, setting.held);
        }
    }
}

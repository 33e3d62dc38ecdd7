//! Whatever numbers come in, the gate and the portfolio answer: nothing overflows, nothing panics.

use proptest::prelude::*;

use super::super::ReplaceTerms;
use super::*;

/// Numbers around every bound there is.
fn number() -> impl Strategy<Value = i64> {
    let around = prop::sample::select(vec![0, ONE, 1 << 40, 1 << 56, i64::MAX, i64::MIN, -ONE, -(1 << 56)]);
    prop_oneof![3 => (around, -3i64..=3).prop_map(|(at, by)| at.saturating_add(by)), 1 => any::<i64>()]
}

fn orders() -> impl Strategy<Value = SubmitOrder> {
    let order_type = prop::sample::select(OrderType::ALL);
    let sizing = prop::sample::select(Sizing::ALL);
    let terms = (number(), number(), number(), prop::sample::select(vec![0, ONE]));
    (1u32..=4, 0u32..=5, any::<bool>(), order_type, sizing, 0u16..4, 0u64..2, terms).prop_map(
        |(account, instrument, buys, order_type, sizing, options, parent, terms)| SubmitOrder {
            account,
            order_type,
            sizing,
            options,
            parent,
            price: terms.0,
            stop_price: terms.2,
            offset_nano: terms.3,
            ..market(instrument, if buys { Side::Buy } else { Side::Sell }, terms.1)
        },
    )
}

fn worlds() -> impl Strategy<Value = World> {
    let limits = prop::collection::vec((prop::sample::select(LimitKind::ALL.to_vec()), number()), 0..4);
    let marks = prop::collection::vec((1u32..=4, number()), 0..4);
    let fees = (number(), number(), number(), -ONE..=ONE);
    let fills = prop::collection::vec((1u32..=2, number(), number(), any::<bool>()), 0..3);
    (limits, marks, fees, fills, prop::array::uniform3(number())).prop_map(
        |(limits, marks, fees, fills, units)| {
            let mut world = World::new();
            if let Ok(odd) = Instrument::new(5, USD, units[0], units[1], units[2], 1, 1, 0) {
                world.instruments.list(odd).unwrap();
            }
            for (kind, value) in limits {
                _ = world.gate.set_limit(0, 0, kind, value);
            }
            marks.into_iter().for_each(|(id, price)| world.marks.set(id, price));
            let schedule =
                FeeSchedule { maker_rate: fees.3, taker_rate: fees.0, flat_nano: fees.1, external: false };
            _ = world.fees.set(0, 0, schedule);
            for (id, price, quantity, buys) in fills {
                let side = if buys { Side::Buy } else { Side::Sell };
                let instrument = world.instruments.get(id).unwrap();
                _ = world.portfolio.book_fill(ACCOUNT, instrument, side, price, quantity, fees.2.into());
            }
            world
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn extreme_numbers_are_answered(
        mut world in worlds(),
        orders in prop::collection::vec((orders(), number(), number(), number()), 1..6),
    ) {
        for (id, (order, a, b, c)) in (1..).zip(orders) {
            _ = world.check(&order);
            // Opened whether it passed or not: terms may come from a venue.
            world.gate.opened(id, &order);
            _ = world.gate.check_held(&order, &world.view());
            let terms = ReplaceTerms { price: a, quantity: b, stop_price: c };
            _ = world.gate.check_replace(id, &terms, &world.view());
            _ = world.gate.check_release(&order, &world.view());
            world.gate.pending_replace(id, &terms);
            world.gate.filled(id, c);
            _ = world.executable(&at_venue(&order), b, a);
            _ = world.gate.target_delta(order.account, order.instrument, b, a, &world.view());
            if id % 3 == 0 {
                world.gate.held(id, &order);
            }
            if id % 2 == 0 {
                world.gate.replaced(id, &terms);
            }
            if let Some(instrument) = world.instruments.get(order.instrument) {
                _ = world.portfolio.book_fill(order.account, instrument, order.side, a, b, c.into());
            }
            _ = world.portfolio.deposit(order.account, USD, c.into());
            let view = world.view();
            _ = view.portfolio.exposure(order.account, view.instruments, view.marks);
        }
        (1..6).for_each(|id| world.gate.closed(id));
        for instrument in 0..=5 {
            prop_assert_eq!(world.gate.open_quantity(ACCOUNT, instrument), (0, 0));
        }
    }
}

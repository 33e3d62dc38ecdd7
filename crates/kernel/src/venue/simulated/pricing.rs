//! Straight rules about prices and sizes: slippage, which price is worse, a bar's share of volume.

use crate::money::NANO;
use crate::terms::Side;
use crate::venue::VenueContext;

/// The prices an instrument may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    pub size: i64,
    /// There are some at zero and below.
    pub negative: bool,
}

impl Ticks {
    pub fn of(context: &dyn VenueContext, instrument: u32) -> Self {
        Ticks { size: context.tick(instrument), negative: context.negative_prices(instrument) }
    }
}

/// `price` moved by `slippage` (10^-9 of its distance from zero) against the taker, rounded to the tick away from the taker's
/// favor.
///
/// Without slippage the price stays as observed, even off tick: ticks are rules for orders, not for data.
pub(super) fn slipped(price: i64, side: Side, slippage: i64, ticks: Ticks) -> i64 {
    if slippage == 0 {
        return price;
    }
    let tick = i128::from(ticks.size.max(1));
    let price = i128::from(price);
    let moved = price * NANO + price.abs() * i128::from(side.sign()) * i128::from(slippage);
    let step = NANO * tick;
    let steps = match side {
        Side::Buy => -(-moved).div_euclid(step),
        Side::Sell => moved.div_euclid(step),
    };
    let steps = if ticks.negative { steps } else { steps.max(1) };
    i64::try_from(steps * tick).unwrap_or(if steps < 0 { i64::MIN } else { i64::MAX })
}

/// `a` is a better price than `b` for `side`.
pub(super) fn is_better(side: Side, a: i64, b: i64) -> bool {
    match side {
        Side::Buy => a < b,
        Side::Sell => a > b,
    }
}

/// The price that is worse for `side`.
pub(super) fn worse(side: Side, a: i64, b: i64) -> i64 {
    match side {
        Side::Buy => a.max(b),
        Side::Sell => a.min(b),
    }
}

/// `price`, but never beyond a limit.
pub(super) fn within_limit(side: Side, price: i64, limit: Option<i64>) -> i64 {
    match (side, limit) {
        (_, None) => price,
        (Side::Buy, Some(limit)) => price.min(limit),
        (Side::Sell, Some(limit)) => price.max(limit),
    }
}

/// A stop of `side` is triggered by a market at `price`: buys at or above it, sells at or below.
pub(super) fn triggers(side: Side, stop: i64, price: i64) -> bool {
    !is_better(side, price, stop)
}

/// The part of `volume` one order may take; `i64::MAX` where no share is set.
pub(super) fn volume_cap(volume: i64, share: i64) -> i64 {
    if share == 0 {
        return i64::MAX;
    }
    let part = i128::from(volume.max(0)) * i128::from(share) / NANO;
    i64::try_from(part).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ticks(size: i64) -> Ticks {
        Ticks { size, negative: false }
    }

    #[test]
    fn slippage_below_zero_still_goes_against_the_taker() {
        let ticks = Ticks { size: 5, negative: true };
        // -10,001 and 0.1 % of 10,001 = 10.001: a buy pays -9,990.999 -> -9,990, a sell gets -10,011.001 -> -10,015.
        assert_eq!(slipped(-10_001, Side::Buy, 1_000_000, ticks), -9_990);
        assert_eq!(slipped(-10_001, Side::Sell, 1_000_000, ticks), -10_015);
        assert_eq!([Side::Buy, Side::Sell].map(|side| slipped(0, side, 1_000_000, ticks)), [0, 0]);
        assert_eq!(slipped(2, Side::Sell, 1_000_000_000, ticks), 0);
        assert_eq!(slipped(i64::MIN, Side::Sell, 1_000_000_000, ticks), i64::MIN);
    }

    #[test]
    fn slippage_goes_against_the_taker_and_rounds_to_the_worse_tick() {
        // 10,001 x 0.1 % = 10.001: a buy pays 10,011.001 -> 10,012, a sell gets 9,990.999 -> 9,990.
        assert_eq!(slipped(10_001, Side::Buy, 1_000_000, ticks(1)), 10_012);
        assert_eq!(slipped(10_001, Side::Sell, 1_000_000, ticks(1)), 9_990);
        assert_eq!(slipped(10_001, Side::Buy, 1_000_000, ticks(5)), 10_015);
        assert_eq!(slipped(10_001, Side::Sell, 1_000_000, ticks(5)), 9_990);
    }

    #[test]
    fn without_slippage_an_off_tick_price_stays_as_observed() {
        assert_eq!(slipped(10_003, Side::Buy, 0, ticks(5)), 10_003);
    }

    #[test]
    fn the_worst_slippage_leaves_a_sale_one_tick_and_a_buy_in_bounds() {
        assert_eq!(slipped(3, Side::Sell, 1_000_000_000, ticks(2)), 2);
        assert_eq!(slipped(i64::MAX, Side::Buy, 1_000_000_000, ticks(1)), i64::MAX);
    }

    #[test]
    fn a_share_of_volume_is_floored_and_zero_means_no_limit() {
        assert_eq!(volume_cap(99, 100_000_000), 9);
        assert_eq!(volume_cap(-5, 100_000_000), 0);
        assert_eq!(volume_cap(0, 0), i64::MAX);
    }
}

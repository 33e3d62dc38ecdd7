//! How much of an order may execute at a price, now: asked by venues that simulate, at the moment of a fill.

use super::exposure::{check_leverage, is_within, reference_price_must_be_known};
use super::gate::{RiskGate, RiskView};
use super::limits::{Applicable, LimitKind};
use super::proposal::{check_gross, check_order_size};
use crate::instrument::{Instrument, MAX_UNITS};
use crate::money::{NANO, Nano, divide_floor};
use crate::portfolio::{Account, FeeSchedule, Valuation};
use crate::rules::{Refusal, Rule};
use crate::terms::{Side, Sizing, options};
use crate::venue::VenueOrder;

/// A fill about to happen.
struct Sizer<'a> {
    account: &'a Account,
    instrument: &'a Instrument,
    price: i64,
    position: i64,
    fees: FeeSchedule,
    limits: Applicable<'a>,
    leverage: Option<i64>,
    view: &'a RiskView<'a>,
}

impl RiskGate {
    /// Quantity of `order` that may execute at `price`, see [`crate::venue::VenueContext`]. Fees are held back at
    /// the worse of maker and taker rate, since which one applies is not known yet.
    ///
    /// * `UNITS`: `leaves`, whole or not at all.
    /// * `PERCENT`: the largest quantity on the lot with `notional + fee <= percent x available`, where
    ///   `available = leverage x equity - exposure of all positions` (backtesting.py's margin available times
    ///   leverage), or plain equity where no leverage is set. This instrument counts at `price`, the others at
    ///   their marks.
    /// * `TARGET_PERCENT`: the trade of [`RiskGate::target_delta`], signed.
    /// * `CLOSE_POSITION`: all that is held against the order's side, on the lot or not.
    ///
    /// Reduce-only cuts each down to the position. What widens a position must then keep leverage (equity after
    /// the fee x leverage >= exposure after the fill), position, exposure and shorting limits, and what was sized here
    /// the limits of one order.
    ///
    /// # Errors
    /// The rule that leaves nothing to execute.
    pub fn executable_quantity(
        &self,
        order: &VenueOrder,
        leaves: i64,
        price: i64,
        view: &RiskView<'_>,
    ) -> Result<i64, Refusal> {
        let sizer = self.sizer(order.account, order.instrument, price, view)?;
        let sign = order.side.sign();
        let wanted = match order.sizing {
            Sizing::Units => sign * leaves.max(0),
            Sizing::Percent => sign * sizer.percent(order.side, order.quantity)?,
            Sizing::TargetPercent => sizer.target(order.quantity)?,
            Sizing::ClosePosition => sign * sizer.reducible(sign),
        };
        let reduces = order.sizing == Sizing::ClosePosition || order.options & options::REDUCE_ONLY != 0;
        let signed = if reduces { sizer.cut_to_position(wanted)? } else { wanted };
        if order.sizing == Sizing::Percent || order.sizing == Sizing::TargetPercent {
            sizer.check_size(signed)?;
        }
        if sizer.widens(signed) {
            sizer.check_widening(signed)?;
        }
        Ok(if order.sizing == Sizing::TargetPercent { signed } else { signed.abs() })
    }

    /// The signed trade (+ buy, - sell) that brings the position to `target`, a signed share of equity in 10^-9,
    /// when executed at `price`: afterwards `|position| x price + fee of the trade <= |target| x equity`, as near to
    /// it as the lot allows. A target of 0 closes all. Where leverage is limited a widening trade is cut to the
    /// margin there is: a target is a wish that will be repeated.
    ///
    /// # Errors
    /// `SizedQuantityMustBePositive` when less than a lot would trade, `EquityMustBePositive`,
    /// `ReferencePriceMustBeKnown` when a position cannot be valued.
    pub fn target_delta(
        &self,
        account: u32,
        instrument: u32,
        target: i64,
        price: i64,
        view: &RiskView<'_>,
    ) -> Result<i64, Refusal> {
        self.sizer(account, instrument, price, view)?.target(target)
    }

    fn sizer<'a>(
        &'a self,
        account: u32,
        instrument: u32,
        price: i64,
        view: &'a RiskView<'a>,
    ) -> Result<Sizer<'a>, Refusal> {
        let account = view.account(account)?;
        let instrument = view.instrument(instrument)?;
        if price <= 0 && !instrument.negative_prices {
            return Err(Refusal::new(Rule::PriceMustBePositive, 1, i128::from(price)));
        }
        let limits = self.limits.applicable(account.id, instrument.id);
        Ok(Sizer {
            account,
            instrument,
            price,
            position: account.quantity(instrument.id),
            fees: view.fees.for_(account.id, instrument.id),
            leverage: limits.get(LimitKind::MaxLeverage),
            limits,
            view,
        })
    }
}

impl Sizer<'_> {
    /// Worth before the fill, this instrument at its price.
    fn valuation(&self) -> Result<Valuation, Refusal> {
        self.account
            .valuation(self.view.instruments, self.view.marks, Some((self.instrument.id, self.price)))
            .ok_or_else(|| reference_price_must_be_known(self.account, self.instrument.id, self.view))
    }

    fn positive_equity(&self) -> Result<Valuation, Refusal> {
        let valuation = self.valuation()?;
        match valuation.equity > 0 {
            true => Ok(valuation),
            false => Err(Refusal::new(Rule::EquityMustBePositive, 1, valuation.equity)),
        }
    }

    fn notional(&self, quantity: i64) -> Option<Nano> {
        self.instrument.notional(self.price, quantity)
    }

    fn fee(&self, quantity: i64) -> Option<Nano> {
        Some(self.fees.worst_fee(self.notional(quantity)?))
    }

    /// Quantity held against a trade in the direction `sign`.
    fn reducible(&self, sign: i64) -> i64 {
        self.position.saturating_mul(-sign).max(0)
    }

    fn cut_to_position(&self, wanted: i64) -> Result<i64, Refusal> {
        let sign = wanted.signum();
        match self.reducible(sign).min(wanted.abs()) {
            0 => Err(Refusal::new(Rule::ReduceOnlyMustReduce, 0, i128::from(wanted.abs()))),
            cut => Ok(sign * cut),
        }
    }

    fn widens(&self, signed: i64) -> bool {
        let after = i128::from(self.position) + i128::from(signed);
        after.abs() > i128::from(self.position).abs() || after * i128::from(self.position) < 0
    }

    fn lots(&self, quantity: i64) -> i64 {
        quantity / self.instrument.lot
    }

    fn nothing_fits(&self) -> Refusal {
        Refusal::new(Rule::SizedQuantityMustBePositive, i128::from(self.instrument.lot), 0)
    }

    /// A share of equity buys nothing at a price of zero, and less than nothing below.
    fn require_positive_price(&self) -> Result<(), Refusal> {
        match self.price > 0 {
            true => Ok(()),
            false => Err(Refusal::new(Rule::PriceMustBePositive, 1, i128::from(self.price))),
        }
    }

    fn percent(&self, side: Side, percent: i64) -> Result<i64, Refusal> {
        self.require_positive_price()?;
        let valuation = self.positive_equity()?;
        let available = match self.leverage {
            None => Some(valuation.equity),
            Some(leverage) => {
                share(valuation.equity, leverage).and_then(|most| most.checked_sub(valuation.gross))
            }
        };
        let budget = available.and_then(|available| share(available.max(0), percent)).unwrap_or(0);
        let fits = |quantity: i64| {
            let cost = self.notional(quantity)?.checked_add(self.fee(quantity)?)?;
            Some(cost <= budget && self.has_margin(&valuation, side.sign() * quantity)?)
        };
        match self.most_lots(budget, fits) * self.instrument.lot {
            0 => Err(self.nothing_fits()),
            quantity => Ok(quantity),
        }
    }

    fn target(&self, target: i64) -> Result<i64, Refusal> {
        let sign = target.signum();
        if sign == 0 {
            // Whatever the price is.
            return if self.position == 0 { Err(self.nothing_fits()) } else { Ok(-self.position) };
        }
        self.require_positive_price()?;
        let valuation = self.positive_equity()?;
        let budget = share(valuation.equity, target.saturating_abs()).ok_or(self.nothing_fits())?;
        let held = self.position.saturating_mul(sign);
        let over = held > 0 && self.notional(held).is_none_or(|value| value > budget);
        let signed = match over {
            true => -sign * self.quantity_to_shed(held, budget),
            false => sign * self.quantity_to_add(&valuation, sign, held, budget),
        };
        if signed == 0 { Err(self.nothing_fits()) } else { Ok(signed) }
    }

    /// The least quantity to give up so that the rest and the fee fit the budget; all when nothing less does.
    fn quantity_to_shed(&self, held: i64, budget: Nano) -> i64 {
        let lots = self.lots(held);
        let too_little = |shed: i64| {
            let cost = self.notional(held - shed)?.checked_add(self.fee(shed)?)?;
            Some(cost > budget)
        };
        let excess = self.notional(held).unwrap_or(Nano::MAX).saturating_sub(budget);
        let lot = self.instrument.lot;
        let short_of = largest(self.estimate(excess), lots, |lots| too_little(lots * lot).unwrap_or(true));
        match short_of < lots {
            true => (short_of + 1) * lot,
            false => held,
        }
    }

    /// The most to trade towards the target: what is held against it first, then whole lots.
    fn quantity_to_add(&self, valuation: &Valuation, sign: i64, held: i64, budget: Nano) -> i64 {
        let (covered, base) = if held < 0 { (-held, 0) } else { (0, held) };
        let fits = |added: i64| {
            let traded = covered.checked_add(added)?;
            let cost = self.notional(base.checked_add(added)?)?.checked_add(self.fee(traded)?)?;
            Some(cost <= budget && self.has_margin(valuation, sign * traded)?)
        };
        let left = budget.saturating_sub(self.notional(base).unwrap_or(budget));
        covered.saturating_add(self.most_lots(left, fits) * self.instrument.lot)
    }

    /// The most lots whose quantity fits; `budget` is only where the search starts.
    fn most_lots(&self, budget: Nano, fits: impl Fn(i64) -> Option<bool>) -> i64 {
        let lot = self.instrument.lot;
        largest(self.estimate(budget), self.lots(MAX_UNITS), |lots| fits(lots * lot).unwrap_or(false))
    }

    /// About how many lots `budget` buys, fee included; 0 when that cannot be said.
    fn estimate(&self, budget: Nano) -> i64 {
        let per_lot = i128::from(self.price) * i128::from(self.instrument.lot);
        let rate = NANO + i128::from(self.fees.worst_rate());
        budget
            .saturating_sub(i128::from(self.fees.flat_nano))
            .checked_mul(NANO)
            .and_then(|money| (money / rate).checked_mul(self.instrument.value_denominator))
            .zip(per_lot.checked_mul(self.instrument.value_numerator))
            .map_or(0, |(money, per_lot)| (money / per_lot).clamp(0, i128::from(MAX_UNITS)) as i64)
    }

    /// Exposure and equity after a trade at the price, the fee paid: (equity, gross, of this instrument).
    fn after(&self, valuation: &Valuation, signed: i64) -> Option<(Nano, Nano, Nano)> {
        let before = self.notional(self.position)?;
        let after = self.notional(self.position.checked_add(signed)?)?;
        let paid = self.notional(signed)?.checked_add(self.fee(signed)?)?;
        let equity = valuation.equity.checked_sub(paid)?.checked_add(after.checked_sub(before)?)?;
        let gross = valuation.gross.checked_sub(before.checked_abs()?)?.checked_add(after.checked_abs()?)?;
        Some((equity, gross, after.checked_abs()?))
    }

    fn has_margin(&self, valuation: &Valuation, signed: i64) -> Option<bool> {
        let Some(leverage) = self.leverage else { return Some(true) };
        let (equity, gross, _) = self.after(valuation, signed)?;
        Some(gross <= valuation.gross || (equity > 0 && is_within(gross, equity, leverage)))
    }

    /// Limits of one order, which could not be measured before it was sized.
    fn check_size(&self, signed: i64) -> Result<(), Refusal> {
        check_order_size(&self.limits, signed.abs(), self.notional(signed.abs()).unwrap_or(Nano::MAX))
    }

    fn check_widening(&self, signed: i64) -> Result<(), Refusal> {
        let after = i128::from(self.position) + i128::from(signed);
        let most = self.limits.get(LimitKind::MaxPosition).map(i128::from);
        if let Some(limit) = most.filter(|&limit| after.abs() > limit) {
            return Err(Refusal::new(Rule::PositionMustNotExceedLimit, limit, after.abs()));
        }
        if after < 0 && !self.account.shorting {
            let left = i128::from(self.position.max(0));
            return Err(Refusal::new(Rule::ShortMustBeAllowed, left, i128::from(signed).abs()));
        }
        self.check_exposure(signed)
    }

    fn check_exposure(&self, signed: i64) -> Result<(), Refusal> {
        if !self.limits.bound_exposure() {
            return Ok(());
        }
        let valuation = self.valuation()?;
        let bounds = Refusal::new(Rule::NotionalMustBeInBounds, Nano::MAX, i128::from(signed).abs());
        let (equity, gross, of_instrument) = self.after(&valuation, signed).ok_or(bounds)?;
        if gross <= valuation.gross {
            return Ok(());
        }
        if let Some(leverage) = self.leverage {
            check_leverage(gross, equity, leverage)?;
        }
        check_gross(&self.limits, of_instrument, gross)
    }
}

/// `amount x share`, the share in 10^-9, rounded down.
fn share(amount: Nano, share: i64) -> Option<Nano> {
    Some(divide_floor(amount.checked_mul(i128::from(share))?, NANO).0)
}

/// The largest `n` in `0..=most` for which `fits`, which holds up to some `n` and not beyond; 0 when for none. The
/// search starts at `estimate` and doubles its steps, so a good estimate makes it two calls.
fn largest(estimate: i64, most: i64, fits: impl Fn(i64) -> bool) -> i64 {
    let start = estimate.clamp(0, most);
    // `low` fits or is 0, `high` does not.
    let (mut low, mut high) = match start == 0 || fits(start) {
        true => match first_misfit(start, most, &fits) {
            None => return most,
            Some(bracket) => bracket,
        },
        false => last_fit(start, &fits),
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

/// Upwards from what fits in doubling steps; `None` when all up to `most` fits.
fn first_misfit(start: i64, most: i64, fits: &impl Fn(i64) -> bool) -> Option<(i64, i64)> {
    let (mut low, mut step) = (start, 1i64);
    while low < most {
        let high = low.saturating_add(step).min(most);
        if !fits(high) {
            return Some((low, high));
        }
        (low, step) = (high, step.saturating_mul(2));
    }
    None
}

/// Downwards from what does not fit in doubling steps, to what does or to 0.
fn last_fit(start: i64, fits: &impl Fn(i64) -> bool) -> (i64, i64) {
    let (mut high, mut step) = (start, 1i64);
    loop {
        let low = high.saturating_sub(step).max(0);
        if low == 0 || fits(low) {
            return (low, high);
        }
        (high, step) = (low, step.saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::largest;

    #[test]
    fn the_search_ends_at_the_answer_wherever_it_starts() {
        for (estimate, most, answer) in [
            (0, 0, 0),
            (0, 9, 9),
            (0, 100, 37),
            (37, 100, 37),
            (38, 100, 37),
            (99, 100, 0),
            (500, 100, 37),
            (-3, 100, 37),
            (1, i64::MAX, i64::MAX),
            (i64::MAX, i64::MAX, 5),
            (0, i64::MAX, i64::MAX - 1),
        ] {
            assert_eq!(largest(estimate, most, |n| n <= answer), answer, "{estimate} {most}");
        }
    }
}

//! The exposure that open orders could lead to, over an account's instruments, and leverage.

use super::gate::RiskView;
use super::interest::OpenInterest;
use super::reservations::AccountInterest;
use crate::instrument::Instrument;
use crate::money::{NANO, Nano};
use crate::portfolio::Account;
use crate::rules::{Refusal, Rule};

/// An account's worst exposure with an order that is being judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exposure {
    pub(super) equity: Nano,
    /// Of all instruments.
    pub(super) gross: Nano,
    /// Of the order's instrument, with it.
    pub(super) of_instrument: Nano,
    /// Of the order's instrument, without it.
    pub(super) before: Nano,
}

impl Exposure {
    /// `None` when a mark that is needed is unknown or a figure does not fit.
    pub(super) fn of(
        account: &Account,
        open: Option<&AccountInterest>,
        instrument: &Instrument,
        before: &OpenInterest,
        after: &OpenInterest,
        view: &RiskView<'_>,
    ) -> Option<Exposure> {
        let mark = view.marks.get(instrument.id);
        let position = account.quantity(instrument.id);
        let of_instrument = after.worst_exposure(position, instrument, mark)?;
        let others = of_others(account, open, instrument.id, view)?;
        Some(Exposure {
            equity: account.valuation(view.instruments, view.marks, None)?.equity,
            gross: others.checked_add(of_instrument)?,
            of_instrument,
            before: before.worst_exposure(position, instrument, mark)?,
        })
    }

    pub(super) const fn grows(&self) -> bool {
        self.of_instrument > self.before
    }
}

/// Worst exposure in all instruments but one: those held, and those not held that have open orders.
fn of_others(
    account: &Account,
    open: Option<&AccountInterest>,
    except: u32,
    view: &RiskView<'_>,
) -> Option<Nano> {
    let interest = |id: u32| open.and_then(|open| open.instruments.get(&id)).copied().unwrap_or_default();
    let worst = |id: u32| {
        interest(id).worst_exposure(account.quantity(id), view.instruments.get(id)?, view.marks.get(id))
    };
    let mut gross: Nano = 0;
    for position in account.positions.values() {
        if position.instrument != except && !position.is_flat() {
            gross = gross.checked_add(worst(position.instrument)?)?;
        }
    }
    for (&id, interest) in open.iter().flat_map(|open| open.instruments.iter()) {
        if id != except && interest.orders > 0 && account.quantity(id) == 0 {
            gross = gross.checked_add(worst(id)?)?;
        }
    }
    Some(gross)
}

/// The refusal of an account that cannot be valued; `actual` is the first held instrument without a mark, else
/// `instrument`, the order's own.
pub(super) fn reference_price_must_be_known(
    account: &Account,
    instrument: u32,
    view: &RiskView<'_>,
) -> Refusal {
    let mut held = account.positions.values().filter(|position| !position.is_flat());
    let unmarked =
        held.find(|held| held.instrument != instrument && view.marks.get(held.instrument).is_none());
    let actual = unmarked.map_or(instrument, |position| position.instrument);
    Refusal::new(Rule::ReferencePriceMustBeKnown, 0, i128::from(actual))
}

/// `gross / equity <= limit`, in 10^-9. What does not fit counts as too much.
///
/// # Errors
/// `LeverageMustNotExceedLimit` with the leverage rounded up; `EquityMustBePositive` where there is none.
pub(super) fn check_leverage(gross: Nano, equity: Nano, limit: i64) -> Result<(), Refusal> {
    if equity <= 0 {
        return Err(Refusal::new(Rule::EquityMustBePositive, 1, equity));
    }
    if is_within(gross, equity, limit) {
        return Ok(());
    }
    let actual = gross
        .checked_mul(NANO)
        .map_or(Nano::MAX, |scaled| scaled.div_euclid(equity) + i128::from(scaled.rem_euclid(equity) != 0));
    Err(Refusal::new(Rule::LeverageMustNotExceedLimit, i128::from(limit), actual))
}

pub(super) fn is_within(gross: Nano, equity: Nano, limit: i64) -> bool {
    match (gross.checked_mul(NANO), equity.checked_mul(i128::from(limit))) {
        (Some(gross), Some(allowed)) => gross <= allowed,
        _ => false,
    }
}

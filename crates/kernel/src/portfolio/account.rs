//! One account: cash by currency and positions by instrument.

use super::{Marks, Position};
use crate::instrument::Instruments;
use crate::money::Nano;
use crate::numbered::Numbered;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::tracked::{EntityHasher, TrackedNumbers};

/// An account settled in one currency. Spot-like: a buy lowers cash by notional and fee, a short sale raises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: u32,
    /// Equity, limits and deposits are in it.
    pub currency: u32,
    /// Positions may be negative.
    pub shorting: bool,
    pub(crate) cash: Numbered<u32, Nano>,
    /// Every instrument ever traded; a closed position stays for its realized P&L and fees.
    pub positions: TrackedNumbers<u32, Position>,
}

/// What an account is worth at some prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Valuation {
    /// Cash and the value of all positions.
    pub equity: Nano,
    /// Sum of the absolute values of positions.
    pub gross: Nano,
    /// Sum of the signed values of positions.
    pub net: Nano,
}

impl Account {
    pub fn new(id: u32, currency: u32, shorting: bool) -> Self {
        Account { id, currency, shorting, cash: Numbered::default(), positions: TrackedNumbers::default() }
    }

    pub fn cash_in(&self, currency: u32) -> Nano {
        self.cash.get(&currency).copied().unwrap_or(0)
    }

    /// Hash of the account; of its positions, only those that changed are looked at.
    pub(super) fn state_hash(&mut self, hasher: &mut EntityHasher) -> u128 {
        let positions = self.positions.sum("position", hasher);
        hasher.hash("account", self.id, |out| {
            self.write_head(out);
            out.u128(positions);
        })
    }

    /// All but the positions.
    fn write_head(&self, out: &mut StateWriter) {
        out.u32(self.id);
        out.u32(self.currency);
        out.bool(self.shorting);
        out.length(self.cash.len());
        for (&currency, &cash) in self.cash.iter() {
            out.u32(currency);
            out.i128(cash);
        }
    }

    /// Signed quantity held of `instrument`.
    pub fn quantity(&self, instrument: u32) -> i64 {
        self.positions.get(instrument).map_or(0, |position| position.quantity)
    }

    /// Worth at the marks, `priced.0` at price `priced.1` instead of its mark.
    ///
    /// `None` when a held instrument has no mark, when cash or a position is in another currency than the
    /// account's (no rate is known), or when a sum does not fit.
    pub fn valuation(
        &self,
        instruments: &Instruments,
        marks: &Marks,
        priced: Option<(u32, i64)>,
    ) -> Option<Valuation> {
        if self.cash.iter().any(|(&currency, &cash)| currency != self.currency && cash != 0) {
            return None;
        }
        let mut total = Valuation { equity: self.cash_in(self.currency), gross: 0, net: 0 };
        for position in self.positions.values().filter(|position| !position.is_flat()) {
            let instrument = instruments.get(position.instrument)?;
            let mark = match priced {
                Some((id, price)) if id == position.instrument => price,
                _ => marks.get(position.instrument)?,
            };
            let value = position.value(instrument, mark).filter(|_| instrument.currency == self.currency)?;
            total.equity = total.equity.checked_add(value)?;
            total.gross = total.gross.checked_add(value.checked_abs()?)?;
            total.net = total.net.checked_add(value)?;
        }
        Some(total)
    }
}

impl State for Account {
    fn write(&self, out: &mut StateWriter) {
        self.write_head(out);
        out.list(self.positions.values());
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut account = Account::new(input.u32()?, input.u32()?, input.bool()?);
        for _ in 0..input.length()? {
            account.cash.insert(input.u32()?, input.i128()?);
        }
        let positions: Vec<Position> = input.list()?;
        account.positions = positions.into_iter().map(|position| (position.instrument, position)).collect();
        Ok(account)
    }
}

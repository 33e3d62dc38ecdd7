//! Who owns what: accounts with cash and netting positions, booked fill by fill in integers.

mod account;
mod fees;
mod marks;
mod position;
#[cfg(test)]
mod tests;

pub use account::{Account, Valuation};
pub use fees::{FeeSchedule, FeeSchedules, MAX_RATE};
pub use marks::Marks;
pub use position::{Booking, BookingKind, Position};

use crate::instrument::{Instrument, Instruments};
use crate::money::Nano;
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;
use crate::tracked::{EntityHasher, TrackedNumbers};

/// All accounts, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portfolio {
    accounts: TrackedNumbers<u32, Account>,
}

impl Portfolio {
    /// # Errors
    /// `FieldMustBeInRange` for account 0 (it stands for all), `NameMustBeUnique` for one that is open.
    pub fn open_account(&mut self, id: u32, currency: u32, shorting: bool) -> Result<(), Refusal> {
        if id == 0 {
            return Err(Refusal::new(Rule::FieldMustBeInRange, 1, 0));
        }
        if self.accounts.contains_key(id) {
            return Err(Refusal::new(Rule::NameMustBeUnique, 0, i128::from(id)));
        }
        self.accounts.insert(id, Account::new(id, currency, shorting));
        Ok(())
    }

    pub fn account(&self, id: u32) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// Accounts in the order of their ids.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// Signed quantity that `account` holds of `instrument`; 0 when either is unknown.
    pub fn quantity(&self, account: u32, instrument: u32) -> i64 {
        self.accounts.get(account).map_or(0, |account| account.quantity(instrument))
    }

    /// Pays `amount` in and returns the cash after it.
    ///
    /// # Errors
    /// `AccountMustBeOpen`; `CurrencyMustMatch` when `currency` is not the account's own (there are no
    /// rates yet to value another one); `FieldMustBeInRange` when the amount is not positive or the sum
    /// does not fit.
    pub fn deposit(&mut self, account: u32, currency: u32, amount: Nano) -> Result<Nano, Refusal> {
        let account = self.account_for_transfer(account, currency, amount)?;
        let cash = account.cash_in(currency);
        let most = Nano::MAX - cash.max(0);
        let after = cash.checked_add(amount).ok_or(Refusal::new(Rule::FieldMustBeInRange, most, amount))?;
        account.cash.insert(currency, after);
        Ok(after)
    }

    /// Pays `amount` out and returns the cash after it. Only cash is looked at: whoever lets accounts
    /// borrow against positions limits withdrawals by equity before calling.
    ///
    /// # Errors
    /// As [`Portfolio::deposit`], and `CashMustCover` with the cash there is and the amount asked for.
    pub fn withdraw(&mut self, account: u32, currency: u32, amount: Nano) -> Result<Nano, Refusal> {
        let account = self.account_for_transfer(account, currency, amount)?;
        let cash = account.cash_in(currency);
        if amount > cash {
            return Err(Refusal::new(Rule::CashMustCover, cash, amount));
        }
        account.cash.insert(currency, cash - amount);
        Ok(cash - amount)
    }

    fn account_for_transfer(
        &mut self,
        account: u32,
        currency: u32,
        amount: Nano,
    ) -> Result<&mut Account, Refusal> {
        let account = self.accounts.get_mut(account).ok_or(account_must_be_open(account))?;
        let own = account.currency;
        if currency != own {
            return Err(Refusal::new(Rule::CurrencyMustMatch, i128::from(own), i128::from(currency)));
        }
        if amount <= 0 {
            return Err(Refusal::new(Rule::FieldMustBeInRange, 1, amount));
        }
        Ok(account)
    }

    /// Books one fill and its fee (negative = rebate). Fills are facts: cash and positions may go negative
    /// here, whatever limits say; limits are the risk gate's, before.
    ///
    /// # Errors
    /// `AccountMustBeOpen`, `QuantityMustBePositive`, and `QuantityMustBeInBounds` or
    /// `NotionalMustBeInBounds` when a figure does not fit. Nothing is changed then.
    pub fn book_fill(
        &mut self,
        account: u32,
        instrument: &Instrument,
        side: Side,
        price: i64,
        quantity: i64,
        fee: Nano,
    ) -> Result<Booking, Refusal> {
        let account = self.accounts.get_mut(account).ok_or(account_must_be_open(account))?;
        if quantity <= 0 {
            return Err(Refusal::new(Rule::QuantityMustBePositive, 1, i128::from(quantity)));
        }
        let known = account.positions.get_mut(instrument.id);
        let before = known.as_deref().copied().unwrap_or(Position::flat(instrument.id));
        let change = before.after(instrument, side, price, quantity, fee)?;
        let cash_before = account.cash.get(&instrument.currency).copied().unwrap_or(0);
        let cash_change = 0i128.checked_sub(change.paid).and_then(|change| change.checked_sub(fee));
        let (cash_change, cash_after) = cash_change
            .and_then(|change| Some((change, cash_before.checked_add(change)?)))
            .ok_or(Refusal::new(Rule::NotionalMustBeInBounds, Nano::MAX, change.paid))?;
        *account.cash.get_or_default(instrument.currency) = cash_after;
        match known {
            Some(position) => *position = change.position,
            None => drop(account.positions.insert(instrument.id, change.position)),
        }
        Ok(Booking {
            kind: change.kind,
            quantity_before: before.quantity,
            quantity_after: change.position.quantity,
            realized: change.realized,
            cost_after: change.position.cost,
            cash_change,
            cash_after,
            currency: account.currency,
        })
    }

    /// Cash and the value of all positions at the marks, in the account's currency; `None` when the account,
    /// a mark or a rate is unknown.
    pub fn equity(&self, account: u32, instruments: &Instruments, marks: &Marks) -> Option<Nano> {
        Some(self.account(account)?.valuation(instruments, marks, None)?.equity)
    }

    pub(crate) fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        self.accounts.sum_by(|_, account| account.state_hash(hasher))
    }

    /// Gross and net exposure at the marks; `None` as for [`Portfolio::equity`].
    pub fn exposure(&self, account: u32, instruments: &Instruments, marks: &Marks) -> Option<(Nano, Nano)> {
        let valuation = self.account(account)?.valuation(instruments, marks, None)?;
        Some((valuation.gross, valuation.net))
    }
}

const fn account_must_be_open(account: u32) -> Refusal {
    Refusal::new(Rule::AccountMustBeOpen, 0, account as i128)
}

impl State for Portfolio {
    fn write(&self, out: &mut StateWriter) {
        out.length(self.accounts.len());
        self.accounts.values().for_each(|account| account.write(out));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let accounts: Vec<Account> = input.list()?;
        Ok(Portfolio { accounts: accounts.into_iter().map(|account| (account.id, account)).collect() })
    }
}

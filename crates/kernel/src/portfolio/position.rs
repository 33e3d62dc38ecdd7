//! One netting position: what is held, what it cost, what it has brought.

use crate::instrument::Instrument;
use crate::money::{Nano, divide_floor};
use crate::rules::{Refusal, Rule};
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;

/// What an account holds of one instrument. Average prices are derived (`cost / quantity`), never kept.
///
/// `cost` has the sign of `quantity`: what was paid for a long, minus what was received for a short.
/// `realized` leaves fees out; they are kept apart in `fees`, so that
/// `cash = deposits - cost + realized - fees` holds to the nano over all positions of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub instrument: u32,
    /// Signed, in quantity units: negative is short.
    pub quantity: i64,
    pub cost: Nano,
    pub realized: Nano,
    pub fees: Nano,
}

/// What a fill did to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookingKind {
    Opened,
    Changed,
    Closed,
    Flipped,
}

/// One fill as it was booked. `realized` and `cost_after` leave the fee out, `cash_change` contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    pub kind: BookingKind,
    pub quantity_before: i64,
    pub quantity_after: i64,
    /// Realized by this fill.
    pub realized: Nano,
    pub cost_after: Nano,
    pub cash_change: Nano,
    /// Cash in the instrument's currency.
    pub cash_after: Nano,
    /// Of the account.
    pub currency: u32,
}

/// A trade's effect on a position, before anything is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) position: Position,
    pub(super) kind: BookingKind,
    pub(super) realized: Nano,
    /// Notional with the sign of the trade: what a buy pays.
    pub(super) paid: Nano,
}

impl Position {
    pub fn flat(instrument: u32) -> Self {
        Position { instrument, ..Position::default() }
    }

    pub const fn is_flat(&self) -> bool {
        self.quantity == 0
    }

    /// Value at `mark`, negative for a short; `None` when it does not fit.
    pub fn value(&self, instrument: &Instrument, mark: i64) -> Option<Nano> {
        instrument.notional(mark, self.quantity)
    }

    /// What closing at `mark` would realize, fees left out.
    pub fn unrealized(&self, instrument: &Instrument, mark: i64) -> Option<Nano> {
        self.value(instrument, mark)?.checked_sub(self.cost)
    }

    /// The position after a trade, which itself is not touched: a flip is a close and then an open.
    pub(super) fn after(
        &self,
        instrument: &Instrument,
        side: Side,
        price: i64,
        quantity: i64,
        fee: Nano,
    ) -> Result<Change, Refusal> {
        let notional = |units| instrument.notional(price, units).ok_or(does_not_fit(price, units));
        let traded = side.sign() * quantity;
        // Not i64::MIN: its sign could not be turned.
        let sum = self.quantity.checked_add(traded).filter(|&sum| sum != i64::MIN);
        let quantity_after = sum.ok_or(Refusal::new(
            Rule::QuantityMustBeInBounds,
            i128::from(i64::MAX),
            i128::from(self.quantity) + i128::from(traded),
        ))?;
        let paid = notional(traded)?;
        let closed = self.closed_by(traded);
        // Only a flip values its closing part apart; its opening part then costs the rest, so that the two
        // add up to what was paid.
        let paid_for_closed = match closed.unsigned_abs() == traded.unsigned_abs() {
            true => paid,
            false => notional(-closed)?,
        };
        let released = self.cost_released(closed);
        let fits = |value: Option<Nano>| value.ok_or(does_not_fit(price, quantity));
        let realized = match closed {
            0 => 0,
            _ => {
                fits(0i128.checked_sub(paid_for_closed).and_then(|proceeds| proceeds.checked_sub(released)))?
            }
        };
        let paid_for_opened = if closed == 0 { paid } else { paid - paid_for_closed };
        let position = Position {
            instrument: self.instrument,
            quantity: quantity_after,
            cost: fits(self.cost.checked_sub(released).and_then(|cost| cost.checked_add(paid_for_opened)))?,
            realized: fits(self.realized.checked_add(realized))?,
            fees: fits(self.fees.checked_add(fee))?,
        };
        Ok(Change { position, kind: kind_of(self.quantity, quantity_after), realized, paid })
    }

    /// The signed part of the position that a trade of `traded` closes.
    fn closed_by(&self, traded: i64) -> i64 {
        match (self.quantity.signum(), traded.signum()) {
            (1, -1) => self.quantity.min(-traded),
            (-1, 1) => self.quantity.max(-traded),
            _ => 0,
        }
    }

    /// Cost that leaves with the signed `closed` part; closing all of it leaves no residue.
    fn cost_released(&self, closed: i64) -> Nano {
        match closed {
            0 => 0,
            all if all == self.quantity => self.cost,
            part => share_half_even(self.cost, part.unsigned_abs(), self.quantity.unsigned_abs()),
        }
    }
}

fn kind_of(before: i64, after: i64) -> BookingKind {
    match (before.signum(), after.signum()) {
        (0, _) => BookingKind::Opened,
        (_, 0) => BookingKind::Closed,
        (from, to) if from == to => BookingKind::Changed,
        _ => BookingKind::Flipped,
    }
}

fn does_not_fit(price: i64, quantity: i64) -> Refusal {
    let units = i128::from(price) * i128::from(quantity);
    Refusal::new(Rule::NotionalMustBeInBounds, i128::MAX, units)
}

/// `amount x part / whole`, half-even, for `part < whole`. The product need not fit: the whole shares are
/// taken out of it first, and what is left is below 2^126.
fn share_half_even(amount: Nano, part: u64, whole: u64) -> Nano {
    let (part, whole) = (i128::from(part), i128::from(whole));
    let (share, rest) = divide_floor(amount, whole);
    let (share_of_rest, remainder) = divide_floor(rest * part, whole);
    let floor = share * part + share_of_rest;
    let up = remainder * 2 > whole || (remainder * 2 == whole && floor % 2 != 0);
    floor + i128::from(up)
}

impl State for Position {
    fn write(&self, out: &mut StateWriter) {
        out.u32(self.instrument);
        out.i64(self.quantity);
        out.i128(self.cost);
        out.i128(self.realized);
        out.i128(self.fees);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (instrument, quantity) = (input.u32()?, input.i64()?);
        let (cost, realized, fees) = (input.i128()?, input.i128()?, input.i128()?);
        Ok(Position { instrument, quantity, cost, realized, fees })
    }
}

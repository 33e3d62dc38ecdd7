//! What one fill changes and what is told of it, the same whichever way the fill came: the order, the position and the
//! cash of its account, and what the order holds back.

use super::order_entry::about;
use super::{About, Events};
use crate::command::SubmitOrder;
use crate::event;
use crate::instrument::Instrument;
use crate::money::Nano;
use crate::orders::Order;
use crate::portfolio::{Booking, BookingKind, Portfolio};
use crate::record::flags;
use crate::risk::{Held, RiskGate};
use crate::rules::Refusal;
use crate::terms::{Liquidity, OrderState, Side, Sizing};
use crate::venue::{Outcome, VenueReport};

/// One fill, with its fee known or about to be.
#[derive(Clone, Copy)]
pub(super) struct Fill {
    pub trade_id: u64,
    pub side: Side,
    pub price: i64,
    pub quantity: i64,
    pub liquidity: Liquidity,
    pub venue_time: u64,
}

impl Fill {
    /// A venue reports the fill of a target order with the sign of what was traded; any other trades the
    /// order's side. `None` for a fill of nothing, or at a price that the instrument cannot have.
    pub fn of(request: &SubmitOrder, report: &VenueReport, negative_prices: bool) -> Option<Self> {
        let Outcome::Filled { trade_id, price, quantity, liquidity, .. } = report.outcome else {
            return None;
        };
        let is_target = request.sizing == Sizing::TargetPercent;
        let side = match quantity.signum() {
            1 if is_target => Side::Buy,
            -1 if is_target => Side::Sell,
            1 => request.side,
            _ => return None,
        };
        let quantity = quantity.checked_abs()?;
        let venue_time = report.venue_time;
        (price > 0 || negative_prices).then_some(Fill {
            trade_id,
            side,
            price,
            quantity,
            liquidity,
            venue_time,
        })
    }
}

/// Where fills are booked.
pub(super) struct Ledger<'a> {
    pub portfolio: &'a mut Portfolio,
    pub risk: &'a mut RiskGate,
    pub events: &'a mut Events,
}

/// What a fill may call for beside being booked.
#[derive(Clone, Copy)]
pub(super) struct Booked {
    pub is_overfilled: bool,
    /// The order was open and is closed now.
    pub has_closed: bool,
    /// The position that the account had is gone, or another one.
    pub ended_position: bool,
}

/// An event shows at most 64 bits of a change; the balance itself is shown whole.
#[inline]
pub(super) fn saturate(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}

impl Ledger<'_> {
    /// Books a fill of an order that, where it is open, holds back what it may still trade.
    ///
    /// # Errors
    /// As [`Portfolio::book_fill`].
    #[inline]
    pub fn book(
        &mut self,
        order: &mut Order,
        instrument: &Instrument,
        fill: &Fill,
        fee: Nano,
    ) -> Result<Booked, Refusal> {
        let was_open = order.is_open();
        let held = Held::of(order);
        let booked = self.book_unheld(order, instrument, fill, fee)?;
        if was_open {
            self.risk.lessened(&held, order);
        }
        Ok(booked)
    }

    /// Books a fill of an order that holds nothing back.
    ///
    /// # Errors
    /// As [`Portfolio::book_fill`].
    #[inline]
    pub fn book_unheld(
        &mut self,
        order: &mut Order,
        instrument: &Instrument,
        fill: &Fill,
        fee: Nano,
    ) -> Result<Booked, Refusal> {
        let was_open = order.is_open();
        let Fill { side, price, quantity, .. } = *fill;
        let is_overfilled = order.fill(price, quantity);
        let account = order.request.account;
        let booking = self.portfolio.book_fill(account, instrument, side, price, quantity, fee)?;
        self.tell(order, fill, saturate(fee), &booking);
        Ok(Booked {
            is_overfilled,
            has_closed: was_open && order.state == OrderState::Filled,
            ended_position: matches!(booking.kind, BookingKind::Closed | BookingKind::Flipped),
        })
    }

    #[inline]
    fn tell(&mut self, order: &Order, fill: &Fill, fee_nano: i64, booking: &Booking) {
        let about = About { flags: 0, ..about(order) }
            .sold(fill.side == Side::Sell)
            .flagged(flags::MAKER, fill.liquidity == Liquidity::Maker);
        let (order_id, trade_id) = (order.order_id, fill.trade_id);
        let body = event::OrderFilled {
            order_id,
            last_price: fill.price,
            last_quantity: fill.quantity,
            leaves_quantity: order.leaves_quantity(),
        };
        let rest = event::FillPayload {
            trade_id,
            client_order_id: order.request.client_order_id,
            cumulative_quantity: order.cumulative_quantity,
            fee_nano,
            venue_time: fill.venue_time,
        };
        self.events.emit_with(about, body, rest);
        // The participant learns of it from its fill.
        self.tell_position(About { participant: 0, ..about }, [order_id, trade_id], fill, fee_nano, booking);
        self.events.emit_cash(
            about.account,
            booking.currency,
            booking.cash_after,
            saturate(booking.cash_change),
        );
    }

    /// `ids` are those of the order and of the trade.
    #[inline]
    fn tell_position(&mut self, about: About, ids: [u64; 2], fill: &Fill, fee_nano: i64, booking: &Booking) {
        let rest = event::PositionPayload {
            cost_low: booking.cost_after as u64,
            cost_high: (booking.cost_after >> 64) as i64,
            realized_nano: saturate(booking.realized),
            fee_nano,
            reserved: 0,
        };
        let [order_id, trade_id] = ids;
        let (quantity, price) = (booking.quantity_after, fill.price);
        match booking.kind {
            BookingKind::Opened => {
                let body = event::PositionOpened { quantity, price, order_id, trade_id };
                self.events.emit_with(about, body, rest);
            }
            BookingKind::Changed | BookingKind::Flipped => {
                let body = event::PositionChanged { quantity, price, order_id, trade_id };
                self.events.emit_with(about, body, rest);
            }
            BookingKind::Closed => {
                let body = event::PositionClosed { quantity, price, order_id, trade_id };
                self.events.emit_with(about, body, rest);
            }
        }
    }
}

//! One execution of one order: sized by the engine, reported, taken off the order.

use crate::rules::{Refusal, Rule};
use crate::terms::{Liquidity, Side};
use crate::venue::{Outcome, VenueContext};

use super::latency::Outbox;
use super::market::Market;
use super::orders::LiveOrder;

/// What an order can have now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub price: i64,
    pub available: i64,
    pub liquidity: Liquidity,
    pub venue_time: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// `cut`: the engine allowed less than order and offer did; the order must be asked for again.
    Filled {
        quantity: i64,
        cut: bool,
    },
    /// The engine allows nothing of it for now.
    Nothing,
    Canceled,
}

/// Executes the order at `index` of `market` against `offer`, as far as the engine allows.
pub(super) fn execute(
    market: &mut Market,
    index: usize,
    offer: Offer,
    reports: &mut Outbox,
    context: &dyn VenueContext,
) -> Executed {
    let order = market.orders[index];
    let wanted = order.leaves().min(offer.available);
    let allowed = match context.executable_quantity(&order.terms, wanted, offer.price) {
        Ok(allowed) => along(&order, allowed),
        Err(refusal) => {
            cancel(market, index, offer.venue_time, refusal, reports);
            return Executed::Canceled;
        }
    };
    if order.is_sized_at_fill() && allowed <= 0 {
        cancel(market, index, offer.venue_time, nothing_to_trade(allowed), reports);
        return Executed::Canceled;
    }
    let cap = if order.is_sized_at_fill() { offer.available } else { wanted };
    let quantity = allowed.min(cap);
    if quantity <= 0 {
        return Executed::Nothing;
    }
    fill(market, index, quantity, offer, reports);
    Executed::Filled { quantity, cut: !order.is_sized_at_fill() && quantity < wanted }
}

/// What the engine allows, in the direction of the order's side.
pub(super) fn along(order: &LiveOrder, allowed: i64) -> i64 {
    if order.seeks_target() { allowed.saturating_mul(order.terms.side.sign()) } else { allowed }
}

/// Gives an order for a target the side on which a trade at `price` reaches it.
///
/// # Errors
/// The engine's reason why nothing is to be traded.
pub(super) fn choose_side(
    order: &mut LiveOrder,
    price: i64,
    context: &dyn VenueContext,
) -> Result<(), Refusal> {
    if order.seeks_target() && order.is_market() {
        let signed = context.executable_quantity(&order.terms, order.leaves(), price)?;
        order.terms.side = if signed < 0 { Side::Sell } else { Side::Buy };
    }
    Ok(())
}

/// Why a fill-or-kill order cannot have all of its quantity out of `available` at `price`, if it cannot.
pub(super) fn fill_or_kill_refusal(
    order: &LiveOrder,
    available: i64,
    price: i64,
    context: &dyn VenueContext,
) -> Option<Refusal> {
    if !order.is_fill_or_kill() || order.filled > 0 {
        return None;
    }
    if available <= 0 {
        return Some(kill(order.leaves(), 0));
    }
    match context.executable_quantity(&order.terms, order.leaves(), price) {
        Err(refusal) => Some(refusal),
        Ok(allowed) => {
            let allowed = along(order, allowed);
            let whole = if order.is_sized_at_fill() { allowed } else { order.leaves() };
            let possible = allowed.min(available);
            (possible < whole).then(|| kill(whole, possible))
        }
    }
}

/// At this price the order is sized to nothing, or its target lies the other way.
pub(super) fn nothing_to_trade(allowed: i64) -> Refusal {
    Refusal::new(Rule::SizedQuantityMustBePositive, 1, i128::from(allowed))
}

fn kill(whole: i64, possible: i64) -> Refusal {
    Refusal::new(Rule::FillOrKillMustFillWhole, i128::from(whole), i128::from(possible))
}

/// Why what is left of an order that may not wait is canceled.
pub(super) fn must_fill_now(order: &LiveOrder) -> Refusal {
    if order.is_fill_or_kill() {
        return kill(order.leaves(), 0);
    }
    Refusal::new(Rule::ImmediateOrCancelMustFillNow, i128::from(order.leaves()), 0)
}

fn fill(market: &mut Market, index: usize, quantity: i64, offer: Offer, reports: &mut Outbox) {
    let order = &mut market.orders[index];
    order.filled = order.filled.saturating_add(quantity);
    let outcome = Outcome::Filled {
        trade_id: reports.new_trade_id(),
        price: offer.price,
        // The engine reads the direction of a target's trade from the sign.
        quantity: if order.seeks_target() { quantity * order.terms.side.sign() } else { quantity },
        liquidity: offer.liquidity,
        fee_nano: None,
        contra: None,
    };
    let (account, order_id) = (order.terms.account, order.terms.order_id);
    // An order sized at the fill is done with one: its size was that of this moment.
    if order.is_sized_at_fill() || order.leaves() == 0 {
        market.orders.remove(index);
        reports.send_last(account, order_id, offer.venue_time, outcome);
    } else {
        reports.send(account, order_id, offer.venue_time, outcome);
    }
}

pub(super) fn cancel(
    market: &mut Market,
    index: usize,
    venue_time: u64,
    refusal: Refusal,
    reports: &mut Outbox,
) {
    close(market, index, venue_time, Outcome::Canceled { refusal }, reports);
}

/// Takes the order off the venue with its last report.
pub(super) fn close(
    market: &mut Market,
    index: usize,
    venue_time: u64,
    outcome: Outcome,
    reports: &mut Outbox,
) {
    let order = market.orders.remove(index);
    reports.send_last(order.terms.account, order.terms.order_id, venue_time, outcome);
}

/// Reports where a trailing stop stands.
pub(super) fn report_repriced(order: &LiveOrder, venue_time: u64, reports: &mut Outbox) {
    let outcome = Outcome::Repriced { price: order.terms.price, stop_price: order.terms.stop_price };
    reports.send(order.terms.account, order.terms.order_id, venue_time, outcome);
}

/// Reports that a stop was triggered.
pub(super) fn report_trigger(order: &LiveOrder, price: i64, venue_time: u64, reports: &mut Outbox) {
    reports.send(order.terms.account, order.terms.order_id, venue_time, Outcome::Triggered { price });
}

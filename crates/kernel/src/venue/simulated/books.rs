//! Fills against quotes, trades and books: takers use displayed quantity once, resting orders fill only when
//! the market trades through them.

use crate::rules::{Refusal, Rule};
use crate::terms::{Liquidity, Side, TimeInForce};
use crate::venue::VenueContext;

use super::execution::{self, Executed, Offer};
use super::latency::Outbox;
use super::market::{Feed, Market};
use super::orders::LiveOrder;
use super::pricing::{self, Ticks};

/// Measures the orders of `market` in order of priority until one of them leads to a report.
/// `false` when none does: the market has nothing more for them.
pub(super) fn sweep(
    market: &mut Market,
    slippage: i64,
    reports: &mut Outbox,
    context: &dyn VenueContext,
) -> bool {
    let mut sweep = Sweep { slippage, reports, context };
    (0..market.orders.len()).any(|index| sweep.measure(market, index))
}

struct Sweep<'a> {
    slippage: i64,
    reports: &'a mut Outbox,
    context: &'a dyn VenueContext,
}

impl Sweep<'_> {
    /// `true` when the order led to a report.
    fn measure(&mut self, market: &mut Market, index: usize) -> bool {
        let order = market.orders[index];
        if is_for_auction(&order) && !market.ended && market.feed >= Feed::Trades {
            let refusal = Refusal::of(Rule::OrderTypeMustBeSupported);
            self.cancel(market, index, refusal)
        } else if order.awaits_trigger() {
            self.trigger(market, index)
        } else if self.waits_for_account(market, &order) {
            market.waiting = true;
            false
        } else if order.fresh {
            self.take(market, index)
        } else {
            self.rest(market, index)
        }
    }

    fn waits_for_account(&self, market: &Market, order: &LiveOrder) -> bool {
        market.feed >= Feed::Trades
            && order.depends_on_account()
            && self.reports.has_fill_of(order.terms.account)
    }

    fn trigger(&mut self, market: &mut Market, index: usize) -> bool {
        let order = market.orders[index];
        let Some(price) = market.trigger_price(order.terms.side) else { return false };
        if !order.is_woken_by(price) {
            return self.follow(market, index, price);
        }
        let first_update = market.next_update();
        market.orders[index].trigger(first_update);
        execution::report_trigger(&order, price, market.time, self.reports);
        true
    }

    /// Takes a trailing stop along.
    fn follow(&mut self, market: &mut Market, index: usize, price: i64) -> bool {
        let order = &mut market.orders[index];
        let ticks = Ticks::of(self.context, order.terms.instrument);
        let moved = order.trail.is_some() && order.follow(price, ticks);
        if moved {
            execution::report_repriced(order, market.time, self.reports);
        }
        moved
    }

    fn take(&mut self, market: &mut Market, index: usize) -> bool {
        let order = market.orders[index];
        let before_its_time = market.feed == Feed::Trades && order.first_update > market.updates;
        if !market.can_be_taken() || (before_its_time && !market.ended) {
            return false;
        }
        if let Err(refusal) = self.choose_side(market, index) {
            return self.cancel(market, index, refusal);
        }
        let order = market.orders[index];
        if let Some(refusal) = post_only_refusal(market, &order) {
            return self.cancel(market, index, refusal);
        }
        if order.is_post_only() {
            market.orders[index].fresh = false;
            return false;
        }
        let reach = reach(market, &order);
        let price = self.taker_price(&order, reach.price);
        if let Some(refusal) = execution::fill_or_kill_refusal(&order, reach.quantity, price, self.context) {
            return self.cancel(market, index, refusal);
        }
        match self.best_offer(market, &order) {
            None => self.nothing_left(market, index),
            Some(offer) => self.execute(market, index, offer),
        }
    }

    /// An order for a target takes the side whose best offer leads towards it.
    fn choose_side(&self, market: &mut Market, index: usize) -> Result<(), Refusal> {
        let order = market.orders[index];
        if !order.seeks_target() || !order.is_market() {
            return Ok(());
        }
        let mut refusal = no_liquidity(&order);
        for side in [Side::Buy, Side::Sell] {
            let Some((price, _)) = market.offers(side).next() else { continue };
            let mut chosen = order;
            match execution::choose_side(&mut chosen, price, self.context) {
                Ok(()) if chosen.terms.side == side => {
                    market.orders[index].terms.side = side;
                    return Ok(());
                }
                Ok(()) => refusal = execution::nothing_to_trade(0),
                Err(reason) => refusal = reason,
            }
        }
        Err(refusal)
    }

    fn execute(&mut self, market: &mut Market, index: usize, offer: Offer) -> bool {
        let side = market.orders[index].terms.side;
        match execution::execute(market, index, offer, self.reports, self.context) {
            Executed::Filled { quantity, .. } => {
                market.take(side, quantity);
                true
            }
            Executed::Canceled => true,
            Executed::Nothing => self.nothing_left(market, index),
        }
    }

    /// The next execution of a taker: one level, or for an order sized at the fill all it needs at the price
    /// of the worst level it reaches.
    fn best_offer(&self, market: &Market, order: &LiveOrder) -> Option<Offer> {
        let side = order.terms.side;
        let offer = |price, available| Offer {
            price: self.taker_price(order, price),
            available,
            liquidity: Liquidity::Taker,
            venue_time: market.time,
        };
        let mut levels = market.offers(side).filter(|&(price, _)| admits(order, price));
        if !order.is_sized_at_fill() {
            return levels.next().map(|(price, quantity)| offer(price, quantity));
        }
        let mut reached = None;
        let mut available: i64 = 0;
        for (price, quantity) in levels {
            available = available.saturating_add(quantity);
            let here = offer(price, available);
            reached = Some(here);
            let needed = self.context.executable_quantity(&order.terms, order.leaves(), here.price);
            if needed.is_ok_and(|needed| execution::along(order, needed) <= available) {
                break;
            }
        }
        reached
    }

    fn taker_price(&self, order: &LiveOrder, price: i64) -> i64 {
        let ticks = Ticks::of(self.context, order.terms.instrument);
        let slipped = pricing::slipped(price, order.terms.side, self.slippage, ticks);
        pricing::within_limit(order.terms.side, slipped, order.limit())
    }

    /// The market shows nothing more that the order could take.
    fn nothing_left(&mut self, market: &mut Market, index: usize) -> bool {
        let order = market.orders[index];
        let is_short = matches!(order.terms.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        if is_short && !(order.is_market() && market.feed >= Feed::Quotes) {
            return self.cancel(market, index, execution::must_fill_now(&order));
        }
        if order.is_market() {
            // Of trades, more will come; a book that shows nothing more has been used up.
            let waits = market.feed == Feed::Trades && !market.ended;
            return !waits && self.cancel(market, index, no_liquidity(&order));
        }
        market.orders[index].fresh = false;
        false
    }

    fn rest(&mut self, market: &mut Market, index: usize) -> bool {
        let order = market.orders[index];
        if market.ended || !market.trades_through(&order) {
            return false;
        }
        let offer = Offer {
            price: order.terms.price,
            available: i64::MAX,
            liquidity: Liquidity::Maker,
            venue_time: market.time,
        };
        execution::execute(market, index, offer, self.reports, self.context) != Executed::Nothing
    }

    fn cancel(&mut self, market: &mut Market, index: usize, refusal: Refusal) -> bool {
        execution::cancel(market, index, market.time, refusal, self.reports);
        true
    }
}

/// AT_OPEN and AT_CLOSE name prices that only bars have.
pub(super) fn is_for_auction(order: &LiveOrder) -> bool {
    matches!(order.terms.time_in_force, TimeInForce::AtOpen | TimeInForce::AtClose)
}

/// A post-only order that would take what is displayed now.
pub(super) fn post_only_refusal(market: &Market, order: &LiveOrder) -> Option<Refusal> {
    if !order.is_post_only() {
        return None;
    }
    let opposite = market.displayed(order.terms.side).filter(|&price| admits(order, price))?;
    Some(Refusal::new(Rule::PostOnlyMustNotTake, i128::from(opposite), i128::from(order.terms.price)))
}

/// The order's limit, if it has one, allows `price`.
fn admits(order: &LiveOrder, price: i64) -> bool {
    order.limit().is_none_or(|limit| !pricing::is_better(order.terms.side, limit, price))
}

struct Reach {
    quantity: i64,
    /// Of the last level needed.
    price: i64,
}

/// How much of the order the offers within its limit hold, and down to which price.
fn reach(market: &Market, order: &LiveOrder) -> Reach {
    let mut reach = Reach { quantity: 0, price: order.terms.price };
    if !order.is_fill_or_kill() {
        return reach;
    }
    for (price, quantity) in market.offers(order.terms.side).filter(|&(price, _)| admits(order, price)) {
        reach = Reach { quantity: reach.quantity.saturating_add(quantity), price };
        if !order.is_sized_at_fill() && reach.quantity >= order.leaves() {
            break;
        }
    }
    reach
}

fn no_liquidity(order: &LiveOrder) -> Refusal {
    Refusal::new(Rule::MarketMustHaveLiquidity, 0, i128::from(order.leaves()))
}

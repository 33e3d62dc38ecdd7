//! What a book tells, and to whom.

use crate::rules::Refusal;
use crate::terms::{OrderType, Side, TimeInForce};

/// An order as the book takes it. Price and quantity in the instrument's units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Given by the caller; unique among live orders, free again when the order is gone.
    pub order_id: u64,
    pub account: u32,
    pub side: Side,
    /// `Market` or `Limit`; stops are held outside until they trigger.
    pub order_type: OrderType,
    /// `Day`, `Gtc` and `Gtd` rest (expiry is the venue's), `Ioc` and `Fok` do not.
    pub time_in_force: TimeInForce,
    /// Refused instead of taking liquidity.
    pub post_only: bool,
    /// Ignored for a market order.
    pub price: i64,
    pub quantity: i64,
    /// Most that is shown at once while the order rests: [`SHOW_ALL`], 0 for a hidden order, else an iceberg,
    /// which shows the next part at the end of the queue when one is gone.
    pub display: i64,
    /// Least that must trade at once, else the order is canceled whole; 0 for none. The order's quantity makes
    /// it all-or-none on arrival.
    pub minimum: i64,
}

/// The display of an order that hides nothing.
pub const SHOW_ALL: i64 = i64::MAX;

impl NewOrder {
    pub const fn limit(order_id: u64, side: Side, price: i64, quantity: i64) -> Self {
        NewOrder {
            order_id,
            account: 0,
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            post_only: false,
            price,
            quantity,
            display: SHOW_ALL,
            minimum: 0,
        }
    }

    pub const fn market(order_id: u64, side: Side, quantity: i64) -> Self {
        NewOrder { order_type: OrderType::Market, ..Self::limit(order_id, side, 0, quantity) }
    }
}

/// One match. The price is the maker's; in an uncross it is the auction's, and the buy is told as the taker
/// though neither takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTrade {
    pub maker_order_id: u64,
    pub taker_order_id: u64,
    pub maker_account: u32,
    pub taker_account: u32,
    pub taker_side: Side,
    pub price: i64,
    pub quantity: i64,
    /// What is open of the maker, shown or not.
    pub maker_leaves: i64,
    pub taker_leaves: i64,
}

/// A part of an iceberg was traded away and the next is shown, at the end of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookRefresh {
    pub order_id: u64,
    pub account: u32,
    pub side: Side,
    pub price: i64,
    pub shown: i64,
    /// What is open, shown or not.
    pub leaves: i64,
}

/// An order lost quantity because it met one of its own side of the street.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookDecrement {
    pub order_id: u64,
    pub account: u32,
    pub side: Side,
    pub price: i64,
    pub quantity: i64,
    pub leaves: i64,
}

/// An order, or what was left of it, went out of the book without trading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookCancel {
    pub order_id: u64,
    pub account: u32,
    pub side: Side,
    pub price: i64,
    pub leaves: i64,
    /// `CanceledByParticipant` when asked for; else the rule that kept the order from resting, with how much
    /// could trade as limit and the order's quantity as actual.
    pub reason: Refusal,
}

/// An order has new terms. If it crosses at its new price, its trades follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookReplace {
    pub order_id: u64,
    pub account: u32,
    pub side: Side,
    pub price: i64,
    /// The new open quantity, before any trade that follows.
    pub leaves: i64,
    pub kept_priority: bool,
}

/// New totals of what one level shows; all 0 when the level is gone. Hidden orders are not told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    pub side: Side,
    pub price: i64,
    pub quantity: i64,
    pub orders: u32,
}

/// Who hears a book. Monomorphized into it: what a sink ignores is not computed.
///
/// Order of the reports of one command: accepted or replaced; then for each level taken from, best first, its
/// trades in priority order, among them the refreshes of icebergs and the cancels and decrements that prevent
/// self-trades, and its level change; then the cancel of what may not rest, or the change of the level where
/// the rest came to lie. A replaced order leaves its old level, and that change is told, before
/// it trades.
pub trait ReportSink {
    /// Whether [`ReportSink::level_changed`] is wanted.
    const LEVELS: bool = false;

    fn accepted(&mut self, _order: &NewOrder) {}
    fn traded(&mut self, trade: &BookTrade);
    fn canceled(&mut self, _cancel: &BookCancel) {}
    fn replaced(&mut self, _replace: &BookReplace) {}
    fn refreshed(&mut self, _refresh: &BookRefresh) {}
    fn decremented(&mut self, _decrement: &BookDecrement) {}
    fn level_changed(&mut self, _change: &LevelChange) {}
}

/// One report as a value, for those who keep them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookReport {
    Accepted(NewOrder),
    Traded(BookTrade),
    Canceled(BookCancel),
    Replaced(BookReplace),
    Refreshed(BookRefresh),
    Decremented(BookDecrement),
    LevelChanged(LevelChange),
}

impl ReportSink for Vec<BookReport> {
    const LEVELS: bool = true;

    fn accepted(&mut self, order: &NewOrder) {
        self.push(BookReport::Accepted(*order));
    }

    fn traded(&mut self, trade: &BookTrade) {
        self.push(BookReport::Traded(*trade));
    }

    fn canceled(&mut self, cancel: &BookCancel) {
        self.push(BookReport::Canceled(*cancel));
    }

    fn replaced(&mut self, replace: &BookReplace) {
        self.push(BookReport::Replaced(*replace));
    }

    fn refreshed(&mut self, refresh: &BookRefresh) {
        self.push(BookReport::Refreshed(*refresh));
    }

    fn decremented(&mut self, decrement: &BookDecrement) {
        self.push(BookReport::Decremented(*decrement));
    }

    fn level_changed(&mut self, change: &LevelChange) {
        self.push(BookReport::LevelChanged(*change));
    }
}

/// Hears nothing: for rebuilding and for measuring.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl ReportSink for Silent {
    fn traded(&mut self, _trade: &BookTrade) {}
}

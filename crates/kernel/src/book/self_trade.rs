//! What happens when an order meets one of the same owner, or one that may trade only so much.

use crate::rules::Refusal;
use crate::terms::Side;

/// How a self-trade is prevented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SelfTradeAction {
    /// What is left of the aggressor is canceled.
    CancelAggressor = 1,
    /// The resting order is canceled; the aggressor goes on.
    CancelResting = 2,
    CancelBoth = 3,
    /// Both lose the smaller of the two quantities, so one or both are canceled.
    DecrementAndCancel = 4,
}

impl SelfTradeAction {
    pub const ALL: &'static [SelfTradeAction] = &[
        SelfTradeAction::CancelAggressor,
        SelfTradeAction::CancelResting,
        SelfTradeAction::CancelBoth,
        SelfTradeAction::DecrementAndCancel,
    ];

    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| *action as u8 == number)
    }
}

/// Says which orders may not trade with each other. A parameter of the command: what a book is not given it
/// does not pay for.
///
/// Price-time asks about a resting order when its turn comes. The other policies share a level among all its
/// orders at once, so there every order of the level is asked about, in time order, before the level is shared.
/// An uncross asks only how much an order may trade.
pub trait SelfTradeGuard {
    /// Whether it is asked at all.
    const ACTIVE: bool = true;

    /// What to do when an order of account `aggressor` meets one of `resting`; `None` lets them trade.
    fn action(&self, aggressor: u32, resting: u32) -> Option<SelfTradeAction>;

    /// As [`SelfTradeGuard::action`], for who tells owners apart by the resting order too.
    #[inline]
    fn action_on(&self, aggressor: u32, resting: u32, _resting_order_id: u64) -> Option<SelfTradeAction> {
        self.action(aggressor, resting)
    }

    /// Whether orders may trade only so much.
    #[inline]
    fn limits(&self) -> bool {
        false
    }

    /// How much of `leaves` a resting order may trade.
    ///
    /// # Errors
    /// Why it may trade nothing; the book cancels it with this.
    #[inline]
    fn most(&self, _account: u32, _order_id: u64, leaves: i64) -> Result<i64, Refusal> {
        Ok(leaves)
    }

    /// Hears what traded.
    #[inline]
    fn traded(&self, _maker: u32, _taker: u32, _taker_side: Side, _quantity: i64) {}

    /// Does something that only finds out what would trade: what is heard in it is forgotten after it.
    fn on_trial<T>(&self, act: impl FnOnce() -> T) -> T {
        act()
    }
}

/// All may trade with all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unguarded;

impl SelfTradeGuard for Unguarded {
    const ACTIVE: bool = false;

    #[inline]
    fn action(&self, _aggressor: u32, _resting: u32) -> Option<SelfTradeAction> {
        None
    }
}

/// Orders of one account do not trade with each other.
#[derive(Clone, Copy, Debug)]
pub struct ByAccount(pub SelfTradeAction);

impl SelfTradeGuard for ByAccount {
    #[inline]
    fn action(&self, aggressor: u32, resting: u32) -> Option<SelfTradeAction> {
        (aggressor == resting).then_some(self.0)
    }
}

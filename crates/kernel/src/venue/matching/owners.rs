//! Who may not trade with whom.

use super::MatchingVenue;
use super::reducing::Rooms;
use super::special::Special;
use crate::book::{SelfTradeAction, SelfTradeGuard};
use crate::rules::Refusal;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::Side;
use crate::tracked::TrackedTable;

/// How the orders of an account are kept from meeting their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SelfTradeSetting {
    /// 0: the account by itself.
    pub group: u32,
    pub action: Option<SelfTradeAction>,
}

impl State for SelfTradeSetting {
    fn write(&self, out: &mut StateWriter) {
        out.u32(self.group);
        out.u8(self.action.map_or(0, |action| action as u8));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (group, number) = (input.u32()?, input.u8()?);
        let action = SelfTradeAction::from_number(number);
        if action.is_none() && number != 0 {
            return Err(input.invalid("self-trade action", u64::from(number)));
        }
        Ok(SelfTradeSetting { group, action })
    }
}

/// One side of the street.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Account(u32),
    Group(u32),
}

/// What says whose an order is: the group in the order, else that of its account, else the account.
#[derive(Clone, Copy)]
pub(super) struct Owners<'a> {
    pub settings: &'a TrackedTable<u32, SelfTradeSetting>,
    pub specials: &'a TrackedTable<u64, Special>,
}

impl<'a> Owners<'a> {
    /// What stands between an incoming order and the book; `None` where nothing does.
    pub fn guard<'b>(
        self,
        account: u32,
        order_id: u64,
        rooms: Option<&'b Rooms<'b>>,
    ) -> Option<MarketGuard<'b>>
    where
        'a: 'b,
    {
        let own = self.own_action(account, order_id);
        if own.is_none() && rooms.is_none() {
            return None;
        }
        let aggressor = own.map(|action| (self.owner(account, order_id), action));
        Some(MarketGuard { owners: self, aggressor, rooms })
    }

    /// What happens when an incoming order meets one of its owner.
    pub fn own_action(self, account: u32, order_id: u64) -> Option<SelfTradeAction> {
        if self.settings.is_empty() && self.specials.is_empty() {
            return None;
        }
        let own = self.specials.get(order_id).and_then(|special| special.terms.self_trade);
        own.or_else(|| self.setting(account)?.action)
    }

    /// Account 0 stands for those that have no setting of their own.
    fn setting(self, account: u32) -> Option<&'a SelfTradeSetting> {
        self.settings.get(account).or_else(|| self.settings.get(0))
    }

    fn owner(self, account: u32, order_id: u64) -> Owner {
        let in_order = self.specials.get(order_id).map_or(0, |special| special.terms.self_trade_group);
        if in_order != 0 { Owner::Group(in_order) } else { self.owner_of_account(account) }
    }

    fn owner_of_account(self, account: u32) -> Owner {
        match self.settings.get(account).map_or(0, |setting| setting.group) {
            0 => Owner::Account(account),
            group => Owner::Group(group),
        }
    }
}

/// Does what the aggressor's terms say when it meets an order of its own owner, and keeps reduce-only orders within
/// their positions.
#[derive(Clone, Copy)]
pub(super) struct MarketGuard<'a> {
    owners: Owners<'a>,
    /// Who takes and what happens when it meets its own, where anything does.
    aggressor: Option<(Owner, SelfTradeAction)>,
    /// Where reduce-only orders are live.
    rooms: Option<&'a Rooms<'a>>,
}

impl<'a> MarketGuard<'a> {
    /// Where nobody takes.
    pub fn of_rooms(owners: Owners<'a>, rooms: &'a Rooms<'a>) -> Self {
        MarketGuard { owners, aggressor: None, rooms: Some(rooms) }
    }
}

impl SelfTradeGuard for MarketGuard<'_> {
    fn action(&self, _aggressor: u32, resting: u32) -> Option<SelfTradeAction> {
        let (aggressor, action) = self.aggressor?;
        (self.owners.owner_of_account(resting) == aggressor).then_some(action)
    }

    fn action_on(&self, _aggressor: u32, resting: u32, order_id: u64) -> Option<SelfTradeAction> {
        let (aggressor, action) = self.aggressor?;
        (self.owners.owner(resting, order_id) == aggressor).then_some(action)
    }

    fn limits(&self) -> bool {
        self.rooms.is_some()
    }

    fn most(&self, account: u32, order_id: u64, leaves: i64) -> Result<i64, Refusal> {
        self.rooms.map_or(Ok(leaves), |rooms| rooms.most(account, order_id, leaves))
    }

    fn traded(&self, maker: u32, taker: u32, taker_side: Side, quantity: i64) {
        if let Some(rooms) = self.rooms {
            rooms.traded(maker, taker, taker_side, quantity);
        }
    }

    fn on_trial<T>(&self, act: impl FnOnce() -> T) -> T {
        match self.rooms {
            Some(rooms) => rooms.on_trial(act),
            None => act(),
        }
    }
}

impl MatchingVenue {
    pub(super) fn owners(&self) -> Owners<'_> {
        Owners { settings: &self.self_trade, specials: &self.specials }
    }

    /// What happens when orders of `account` (0 = those without a setting of their own) meet their own; accounts of one
    /// `group` are one owner. `None` lets them trade.
    pub fn set_self_trade(&mut self, account: u32, group: u32, action: Option<SelfTradeAction>) {
        self.self_trade.insert(account, SelfTradeSetting { group, action });
    }
}

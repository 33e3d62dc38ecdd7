//! Who may not trade with whom.

use super::MatchingVenue;
use super::special::Special;
use crate::book::{SelfTradeAction, SelfTradeGuard};
use crate::state::{State, StateError, StateReader, StateWriter};
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
    /// What prevents the self-trades of an incoming order; `None` where nothing does.
    pub fn guard(self, account: u32, order_id: u64) -> Option<OwnerGuard<'a>> {
        if self.settings.is_empty() && self.specials.is_empty() {
            return None;
        }
        let own = self.specials.get(order_id).and_then(|special| special.terms.self_trade);
        let action = own.or_else(|| self.setting(account)?.action)?;
        Some(OwnerGuard { owners: self, aggressor: self.owner(account, order_id), action })
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

/// Does what the aggressor's terms say when it meets an order of its own owner.
#[derive(Clone, Copy)]
pub(super) struct OwnerGuard<'a> {
    owners: Owners<'a>,
    aggressor: Owner,
    action: SelfTradeAction,
}

impl SelfTradeGuard for OwnerGuard<'_> {
    fn action(&self, _aggressor: u32, resting: u32) -> Option<SelfTradeAction> {
        (self.owners.owner_of_account(resting) == self.aggressor).then_some(self.action)
    }

    fn action_on(&self, _aggressor: u32, resting: u32, order_id: u64) -> Option<SelfTradeAction> {
        (self.owners.owner(resting, order_id) == self.aggressor).then_some(self.action)
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

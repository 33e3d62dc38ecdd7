//! Commands that set the stage: instruments, accounts, cash, limits, fees, venues, timers, participants.

use super::{About, AnyVenue, Engine, EngineStopped};
use std::sync::Arc;

use crate::book::SelfTradeAction;
use crate::command::{
    AddBarInterval, AddIndicator, CancelTimer, ConfigureVenue, DefineCurrency, DepositCash, EngageKillSwitch,
    HaltTrading, InstrumentPayload, ListInstrument, OpenAccount, RegisterParticipant, ReleaseKillSwitch,
    ResumeTrading, SetFeeSchedule, SetRiskLimit, SetSelfTradePrevention, StartTimer, Subscribe, TextPayload,
    VenuePayload, WithdrawCash, instrument_options,
};
use crate::event;
use crate::instrument::Instrument;
use crate::message::Message;
use crate::participant::IndicatorSpec;
use crate::portfolio::FeeSchedule;
use crate::record::{Body, Slot, payload};
use crate::risk::LimitKind;
use crate::rules::{Refusal, Rule};
use crate::terms::VenueKind;
use crate::timers::Timer;
use crate::venue::matching::MatchingVenue;
use crate::venue::remote::RemoteVenue;
use crate::venue::simulated::SimulatedVenue;

/// What a number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum NameKind {
    Instrument = 1,
    Currency = 2,
}

fn out_of_range(limit: impl Into<i128>, actual: impl Into<i128>) -> Refusal {
    Refusal::new(Rule::FieldMustBeInRange, limit.into(), actual.into())
}

impl Engine {
    pub(super) fn apply_command(&mut self, message: Message, record: &[Slot]) -> Result<(), EngineStopped> {
        match message {
            Message::SubmitOrder => return self.submit_order(record),
            Message::ReplaceOrder => return self.replace_order(record),
            Message::CancelOrder => return self.cancel_order(record),
            Message::CancelAllOrders => return self.cancel_all_orders(record),
            Message::MassCancel => return self.mass_cancel(record),
            Message::EngageKillSwitch => return self.engage_kill_switch(record),
            Message::StopParticipant => return self.stop_participant(record),
            Message::SetMatchingPolicy
            | Message::ChangeTradingSession
            | Message::SetPriceBands
            | Message::SetReferencePrice
            | Message::SetTickSize
            | Message::SetOrderSizes
            | Message::SetMarketData => return self.set_market_rules(message, record),
            _ => {}
        }
        if let Err(refusal) = self.administer(message, record) {
            self.refuse_command(message, &record[0], &refusal);
        }
        Ok(())
    }

    pub(super) fn refuse_command(&mut self, message: Message, head: &Slot, refusal: &Refusal) {
        let about = About {
            instrument: head.instrument,
            account: head.account,
            participant: head.source,
            ..About::NOTHING
        };
        let body =
            event::CommandRefused { command: message as u64, rule: refusal.rule as u64, reserved: [0; 2] };
        self.events.emit_with(about, body, event::RefusalPayload::new(refusal));
    }

    fn administer(&mut self, message: Message, record: &[Slot]) -> Result<(), Refusal> {
        let head = &record[0];
        match message {
            Message::ListInstrument => self.list_instrument(record),
            Message::DefineCurrency => {
                let id = u32::try_from(DefineCurrency::of(head).currency)
                    .map_err(|_| out_of_range(u32::MAX, DefineCurrency::of(head).currency))?;
                self.define_name(NameKind::Currency, id, record)
            }
            Message::OpenAccount => self.open_account(head),
            Message::DepositCash => {
                let body = DepositCash::of(head);
                self.change_cash(head.account, body.amount_nano, body.currency, true)
            }
            Message::WithdrawCash => {
                let body = WithdrawCash::of(head);
                self.change_cash(head.account, body.amount_nano, body.currency, false)
            }
            Message::SetRiskLimit => self.set_risk_limit(head),
            Message::SetFeeSchedule => self.set_fee_schedule(head),
            Message::ReleaseKillSwitch => {
                self.check_account_or_all(head.account)?;
                self.risk.release_kill_switch(head.account);
                let body = event::KillSwitchReleased {
                    reason: ReleaseKillSwitch::of(head).reason,
                    reserved: [0; 3],
                };
                self.events.emit(About { account: head.account, ..About::NOTHING }, body);
                Ok(())
            }
            Message::HaltTrading | Message::ResumeTrading => self.halt_or_resume(message, head),
            Message::SetSelfTradePrevention => self.set_self_trade_prevention(head),
            Message::StartTimer => self.start_timer(head),
            Message::CancelTimer => self.timers.cancel(head.source, CancelTimer::of(head).timer_id),
            Message::ConfigureVenue => self.configure_venue(record),
            Message::RegisterParticipant => {
                let body = RegisterParticipant::of(head);
                self.portfolio.account(head.account).ok_or(Refusal::new(
                    Rule::AccountMustBeOpen,
                    0,
                    i128::from(head.account),
                ))?;
                let (latency, history, warm_up) = (body.feed_latency_ns, body.history, body.warm_up);
                self.participants.register(head.source, head.account, latency, history, warm_up)
            }
            Message::Subscribe => {
                self.participants.subscribe(head.source, head.instrument, Subscribe::of(head).wants)
            }
            Message::AddIndicator => {
                let body = AddIndicator::of(head);
                let spec = IndicatorSpec { kind: body.kind, period: body.period, every_ns: body.every_ns };
                self.participants.require(head.source)?.view.add_indicator(body.indicator, spec)
            }
            Message::AddBarInterval => {
                let every_ns = AddBarInterval::of(head).every_ns;
                self.participants.require(head.source)?.view.add_interval(every_ns)
            }
            other => Err(Refusal::new(Rule::TermsMustBeKnown, 0, i128::from(other as u16))),
        }
    }

    fn list_instrument(&mut self, record: &[Slot]) -> Result<(), Refusal> {
        let head = &record[0];
        let body = ListInstrument::of(head);
        let rest = payload::<InstrumentPayload>(record).ok_or(Refusal::of(Rule::TermsMustBeKnown))?;
        if body.venue as usize >= self.venues.len() {
            return Err(out_of_range(self.venues.len() as i128 - 1, body.venue));
        }
        if !self.names.contains_key(&(NameKind::Currency as u8, body.currency)) {
            return Err(Refusal::new(Rule::CurrencyMustMatch, 0, i128::from(body.currency)));
        }
        let instrument = Instrument::new(
            head.instrument,
            body.currency,
            body.price_unit_nano,
            body.quantity_unit_nano,
            body.multiplier_nano,
            rest.tick,
            rest.lot,
            body.venue as u16,
        )?
        .with_negative_prices(rest.options & instrument_options::NEGATIVE_PRICES != 0);
        Self::check_instrument_options(rest.options)?;
        // A refused command leaves nothing behind: the name is looked at before the instrument is listed.
        let name = self.new_name(NameKind::Instrument, head.instrument, record)?;
        Arc::make_mut(&mut self.instruments).list(instrument)?;
        self.names.insert((NameKind::Instrument as u8, head.instrument), name);
        let event = event::InstrumentListed {
            tick: rest.tick,
            lot: rest.lot,
            venue: u64::from(body.venue),
            options: rest.options,
        };
        self.events.emit(About { instrument: head.instrument, ..About::NOTHING }, event);
        Ok(())
    }

    fn check_instrument_options(options: u64) -> Result<(), Refusal> {
        let known = instrument_options::NEGATIVE_PRICES;
        if options & !known != 0 {
            return Err(Refusal::new(Rule::TermsMustBeKnown, i128::from(known), i128::from(options)));
        }
        Ok(())
    }

    fn define_name(&mut self, kind: NameKind, id: u32, record: &[Slot]) -> Result<(), Refusal> {
        let name = self.new_name(kind, id, record)?;
        self.names.insert((kind as u8, id), name);
        Ok(())
    }

    /// The name that `record` gives to `id`, which has none yet.
    fn new_name(&self, kind: NameKind, id: u32, record: &[Slot]) -> Result<String, Refusal> {
        let text = payload::<TextPayload>(record).ok_or(Refusal::of(Rule::TermsMustBeKnown))?;
        let name = std::str::from_utf8(text.as_bytes()).map_err(|_| Refusal::of(Rule::TermsMustBeKnown))?;
        match self.names.contains_key(&(kind as u8, id)) {
            true => Err(Refusal::new(Rule::NameMustBeUnique, 0, i128::from(id))),
            false => Ok(name.to_owned()),
        }
    }

    fn open_account(&mut self, head: &Slot) -> Result<(), Refusal> {
        let body = OpenAccount::of(head);
        let currency = u32::try_from(body.currency).map_err(|_| out_of_range(u32::MAX, body.currency))?;
        if !self.names.contains_key(&(NameKind::Currency as u8, currency)) {
            return Err(Refusal::new(Rule::CurrencyMustMatch, 0, i128::from(currency)));
        }
        self.portfolio.open_account(head.account, currency, body.shorting == 1)?;
        let event =
            event::AccountOpened { currency: body.currency, shorting: body.shorting, reserved: [0; 2] };
        self.events.emit(About { account: head.account, ..About::NOTHING }, event);
        Ok(())
    }

    fn change_cash(
        &mut self,
        account: u32,
        amount_nano: i64,
        currency: u64,
        is_deposit: bool,
    ) -> Result<(), Refusal> {
        if amount_nano <= 0 {
            return Err(out_of_range(1, amount_nano));
        }
        let expected = self
            .portfolio
            .account(account)
            .ok_or(Refusal::new(Rule::AccountMustBeOpen, 0, i128::from(account)))?
            .currency;
        if u64::from(expected) != currency {
            return Err(Refusal::new(Rule::CurrencyMustMatch, i128::from(expected), i128::from(currency)));
        }
        let amount = i128::from(amount_nano);
        let after = if is_deposit {
            self.portfolio.deposit(account, expected, amount)?
        } else {
            self.portfolio.withdraw(account, expected, amount)?
        };
        let change_nano = if is_deposit { amount_nano } else { -amount_nano };
        self.events.emit_cash(account, expected, after, change_nano);
        Ok(())
    }

    fn set_risk_limit(&mut self, head: &Slot) -> Result<(), Refusal> {
        let body = SetRiskLimit::of(head);
        let kind = LimitKind::from_number(body.limit).ok_or(out_of_range(0, body.limit))?;
        self.risk.set_limit(head.account, head.instrument, kind, body.value)?;
        let about = About { instrument: head.instrument, account: head.account, ..About::NOTHING };
        let event = event::RiskLimitSet { limit: body.limit, value: body.value, reserved: [0; 2] };
        self.events.emit(about, event);
        Ok(())
    }

    /// For the venues there are; those configured later begin without.
    fn set_self_trade_prevention(&mut self, head: &Slot) -> Result<(), Refusal> {
        self.check_account_or_all(head.account)?;
        let SetSelfTradePrevention { group, action, .. } = SetSelfTradePrevention::of(head);
        let group_number = u32::try_from(group).map_err(|_| out_of_range(u32::MAX, group))?;
        let named = u8::try_from(action).ok().and_then(SelfTradeAction::from_number);
        if named.is_none() && action != 0 {
            return Err(out_of_range(SelfTradeAction::DecrementAndCancel as u8, action));
        }
        for venue in &mut self.venues {
            if let AnyVenue::Matching(venue) = venue {
                venue.set_self_trade(head.account, group_number, named);
            }
        }
        let about = About { account: head.account, ..About::NOTHING };
        self.events.emit(about, event::SelfTradePreventionSet { group, action, reserved: [0; 2] });
        Ok(())
    }

    fn set_fee_schedule(&mut self, head: &Slot) -> Result<(), Refusal> {
        let body = SetFeeSchedule::of(head);
        let schedule = FeeSchedule {
            maker_rate: body.maker_rate,
            taker_rate: body.taker_rate,
            flat_nano: body.flat_nano,
            external: body.external == 1,
        };
        self.fees.set(head.account, head.instrument, schedule)
    }

    pub(super) fn engage_kill_switch(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let head = &record[0];
        if let Err(refusal) = self.check_account_or_all(head.account) {
            self.refuse_command(Message::EngageKillSwitch, head, &refusal);
            return Ok(());
        }
        self.kill(head.account, EngageKillSwitch::of(head).reason, 0)
    }

    /// A switch for an account that does not exist would look like safety and be none.
    fn check_account_or_all(&self, account: u32) -> Result<(), Refusal> {
        match account == 0 || self.portfolio.account(account).is_some() {
            true => Ok(()),
            false => Err(Refusal::new(Rule::AccountMustBeOpen, 0, i128::from(account))),
        }
    }

    /// Refuses new orders and takes back the open ones. Account 0 stops everybody.
    fn kill(&mut self, account: u32, reason: u64, order_id: u64) -> Result<(), EngineStopped> {
        self.engage(account, reason, order_id);
        self.cancel_open_orders(account, 0)
    }

    pub(super) fn engage(&mut self, account: u32, reason: u64, order_id: u64) {
        self.risk.engage_kill_switch(account);
        let body = event::KillSwitchEngaged { reason, order_id, reserved: [0; 2] };
        self.events.emit(About { account, ..About::NOTHING }, body);
    }

    fn halt_or_resume(&mut self, message: Message, head: &Slot) -> Result<(), Refusal> {
        if head.instrument != 0 && self.instruments.get(head.instrument).is_none() {
            return Err(Refusal::new(Rule::InstrumentMustBeListed, 0, i128::from(head.instrument)));
        }
        let about = About { instrument: head.instrument, ..About::NOTHING };
        if message == Message::HaltTrading {
            self.halted.insert(head.instrument);
            let reason = HaltTrading::of(head).reason;
            self.events.emit(about, event::TradingHalted { reason, reserved: [0; 3] });
        } else {
            self.halted.remove(&head.instrument);
            let reason = ResumeTrading::of(head).reason;
            self.events.emit(about, event::TradingResumed { reason, reserved: [0; 3] });
        }
        Ok(())
    }

    fn start_timer(&mut self, head: &Slot) -> Result<(), Refusal> {
        let body = StartTimer::of(head);
        self.participants.require(head.source)?;
        if body.first_time < self.time {
            return Err(out_of_range(self.time, body.first_time));
        }
        self.timers.start(Timer {
            participant: head.source,
            timer_id: body.timer_id,
            due_time: body.first_time,
            interval_ns: body.interval_ns,
        });
        Ok(())
    }

    pub(super) fn fire_timers(&mut self) {
        while let Some(timer) = self.timers.take_due(self.time) {
            let participant = u64::from(timer.participant);
            let body = event::TimerFired {
                timer_id: timer.timer_id,
                due_time: timer.due_time,
                participant,
                reserved: 0,
            };
            self.events.emit(About { participant: timer.participant, ..About::NOTHING }, body);
        }
    }

    fn configure_venue(&mut self, record: &[Slot]) -> Result<(), Refusal> {
        let body = ConfigureVenue::of(&record[0]);
        if body.venue as usize != self.venues.len() {
            return Err(out_of_range(self.venues.len() as i128, body.venue));
        }
        let kind = u8::try_from(body.kind)
            .ok()
            .and_then(VenueKind::from_number)
            .ok_or(out_of_range(3, body.kind))?;
        self.venues.push(match kind {
            VenueKind::Matching => AnyVenue::Matching(Box::new(MatchingVenue::new())),
            VenueKind::Remote => AnyVenue::Remote(RemoteVenue::new()),
            VenueKind::Simulated => {
                let payload = payload::<VenuePayload>(record).ok_or(Refusal::of(Rule::TermsMustBeKnown))?;
                AnyVenue::Simulated(Box::new(SimulatedVenue::new(payload)?))
            }
        });
        Ok(())
    }

    fn stop_participant(&mut self, record: &[Slot]) -> Result<(), EngineStopped> {
        let head = &record[0];
        if let Err(refusal) = self.participants.stop(head.source) {
            self.refuse_command(Message::StopParticipant, head, &refusal);
            return Ok(());
        }
        self.timers.remove_all_of(head.source);
        let open = self.orders.open_where(0, |order| order.participant == head.source);
        self.cancel_each(&open)
    }
}

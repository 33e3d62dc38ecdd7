//! Commands that set how an instrument of a venue of our own trades.

use super::{About, AnyVenue, Engine, EngineStopped, FillContext};
use crate::book::{AllocationPolicy, AnyPolicy, LeadShare, PriceSizeTime, PriceTime, TopStep, WHOLE};
use crate::command::{
    BandWidthsPayload, ChangeTradingSession, LeadPayload, SetMarketData, SetMatchingPolicy, SetOrderSizes,
    SetPriceBands, SetReferencePrice, SetTickSize, TopStepPayload, policy_kind,
};
use crate::event;
use crate::message::Message;
use crate::record::{Body, Slot, payload};
use crate::risk::RiskView;
use crate::rules::{Refusal, Rule};
use crate::terms::TradingSession;
use crate::venue::matching::{MatchingVenue, PriceBands};

fn out_of_range(limit: impl Into<i128>, actual: impl Into<i128>) -> Refusal {
    Refusal::new(Rule::FieldMustBeInRange, limit.into(), actual.into())
}

impl Engine {
    pub(super) fn set_market_rules(
        &mut self,
        message: Message,
        record: &[Slot],
    ) -> Result<(), EngineStopped> {
        let head = &record[0];
        let result = match (message, head.instrument) {
            (Message::ChangeTradingSession, 0) => self.change_sessions(head),
            (_, instrument) => self.set_market_rule(message, instrument, record),
        };
        if let Err(refusal) = result {
            self.refuse_command(message, head, &refusal);
        }
        for venue in 0..self.venues.len() {
            self.pull(venue)?;
        }
        Ok(())
    }

    /// The venue of ours that trades an instrument.
    fn our_venue(&mut self, instrument: u32) -> Result<&mut MatchingVenue, Refusal> {
        let listed = self.instruments.get(instrument);
        let venue =
            listed.ok_or(Refusal::new(Rule::InstrumentMustBeListed, 0, i128::from(instrument)))?.venue;
        match self.venues.get_mut(usize::from(venue)) {
            Some(AnyVenue::Matching(matching)) => Ok(matching),
            _ => Err(Refusal::new(Rule::VenueMustBeOurs, 0, i128::from(venue))),
        }
    }

    fn set_market_rule(&mut self, message: Message, instrument: u32, record: &[Slot]) -> Result<(), Refusal> {
        let (head, time) = (&record[0], self.time);
        let negative_prices = self.instruments.get(instrument).is_some_and(|listed| listed.negative_prices);
        let venue = self.our_venue(instrument)?;
        let about = About { instrument, ..About::NOTHING };
        match message {
            Message::SetMatchingPolicy => {
                venue.set_policy(instrument, policy_of(record)?)?;
                let policy = SetMatchingPolicy::of(head).policy;
                self.events.emit(about, event::MatchingPolicySet { policy, reserved: [0; 3] });
            }
            Message::ChangeTradingSession => {
                let (session, until) = session_of(head)?;
                self.change_session(instrument, session, until)?;
            }
            Message::SetPriceBands => {
                let SetPriceBands { static_width, dynamic_width, on_breach, duration_ns, .. } =
                    SetPriceBands::of(head);
                let units = payload::<BandWidthsPayload>(record);
                let bands = PriceBands {
                    static_width,
                    dynamic_width,
                    static_units: units.map_or(0, |units| units.static_units),
                    dynamic_units: units.map_or(0, |units| units.dynamic_units),
                    on_breach: session_named(on_breach)?,
                    duration_ns,
                };
                if negative_prices {
                    bands.require_absolute_widths()?;
                }
                venue.set_bands(instrument, bands)?;
                let body =
                    event::PriceBandsSet { static_width, dynamic_width, on_breach, duration_ns, reserved: 0 };
                match units {
                    None => self.events.emit(about, body),
                    Some(units) => self.events.emit_with(about, body, units),
                }
            }
            Message::SetReferencePrice => {
                let SetReferencePrice { price, is_known, .. } = SetReferencePrice::of(head);
                let known = reference_price(price, is_known, negative_prices)?;
                venue.set_reference_price(instrument, known)?;
                // Until something trades it is what orders are valued at.
                if let (Some(price), None) = (known, self.marks.get(instrument)) {
                    self.marks.set(instrument, price);
                }
                self.events.emit(about, event::ReferencePriceSet { price, is_known, reserved: [0; 2] });
            }
            Message::SetTickSize => {
                let SetTickSize { from_price, tick, .. } = SetTickSize::of(head);
                venue.set_tick(instrument, from_price, tick)?;
                self.events.emit(about, event::TickSizeSet { from_price, tick, reserved: [0; 2] });
            }
            Message::SetOrderSizes => {
                let SetOrderSizes { minimum, maximum, .. } = SetOrderSizes::of(head);
                venue.set_sizes(instrument, minimum, maximum)?;
                self.events.emit(about, event::OrderSizesSet { minimum, maximum, reserved: [0; 2] });
            }
            _ => {
                let by_order = SetMarketData::of(head).by_order;
                if by_order > 1 {
                    return Err(out_of_range(1, by_order));
                }
                venue.tell_orders(instrument, by_order == 1, time)?;
                self.events.emit(about, event::MarketDataSet { by_order, reserved: [0; 3] });
            }
        }
        Ok(())
    }

    /// Another session for every instrument of our venues, in the order of their numbers: for all or for none.
    fn change_sessions(&mut self, head: &Slot) -> Result<(), Refusal> {
        let (session, until) = session_of(head)?;
        let time = self.time;
        if until != 0 && until <= time {
            return Err(out_of_range(time, until));
        }
        let ours: Vec<u32> = self
            .instruments
            .iter()
            .filter(|one| matches!(self.venues.get(usize::from(one.venue)), Some(AnyVenue::Matching(_))))
            .map(|one| one.id)
            .collect();
        for instrument in ours {
            self.change_session(instrument, session, until)?;
        }
        Ok(())
    }

    fn change_session(
        &mut self,
        instrument: u32,
        session: TradingSession,
        until: u64,
    ) -> Result<(), Refusal> {
        self.our_venue(instrument)?;
        let Engine { venues, risk, instruments, portfolio, marks, fees, time, .. } = self;
        let context = FillContext { risk, view: RiskView { instruments, portfolio, marks, fees } };
        let venue = instruments.get(instrument).map_or(0, |listed| usize::from(listed.venue));
        let Some(AnyVenue::Matching(matching)) = venues.get_mut(venue) else { return Ok(()) };
        matching.change_session(instrument, session, until, *time, &context)
    }
}

/// The price that a command sets, `None` where it lifts what was set.
fn reference_price(price: i64, is_known: u64, negative_prices: bool) -> Result<Option<i64>, Refusal> {
    if is_known > 1 {
        return Err(out_of_range(1, is_known));
    }
    let known = (price != 0 || is_known == 1).then_some(price);
    if known.is_some_and(|price| price <= 0) && !negative_prices {
        return Err(Refusal::new(Rule::PriceMustBePositive, 1, i128::from(price)));
    }
    Ok(known)
}

fn session_named(number: u64) -> Result<TradingSession, Refusal> {
    let session = u8::try_from(number).ok().and_then(TradingSession::from_number);
    session.ok_or(out_of_range(TradingSession::Closed as u8, number))
}

fn session_of(head: &Slot) -> Result<(TradingSession, u64), Refusal> {
    let body = ChangeTradingSession::of(head);
    Ok((session_named(body.session)?, body.until))
}

/// The policy that a `SetMatchingPolicy` describes.
fn policy_of(record: &[Slot]) -> Result<AnyPolicy, Refusal> {
    let body = SetMatchingPolicy::of(&record[0]);
    match body.policy {
        policy_kind::PRICE_TIME => Ok(AnyPolicy::PriceTime(PriceTime)),
        policy_kind::PRICE_SIZE_TIME => Ok(AnyPolicy::PriceSizeTime(PriceSizeTime::default())),
        policy_kind::ALLOCATION => allocation_of(&body, record).map(AnyPolicy::from),
        policy_kind::ASKED => Ok(AnyPolicy::Asked(Box::default())),
        other => Err(out_of_range(policy_kind::ASKED, other)),
    }
}

fn allocation_of(body: &SetMatchingPolicy, record: &[Slot]) -> Result<AllocationPolicy, Refusal> {
    if body.minimum < 0 || body.leveling > 1 {
        return Err(out_of_range(0, body.minimum.min(1 - i64::from(body.leveling))));
    }
    let mut policy = match body.minimum {
        0 if body.by_time == 0 => AllocationPolicy::lead(Vec::new()),
        minimum => AllocationPolicy::split(body.by_time, minimum, body.leveling == 1),
    };
    if let Some(top) = payload::<TopStepPayload>(record) {
        let share = u32::try_from(top.share).map_err(|_| out_of_range(WHOLE, top.share))?;
        policy = policy.with_top(TopStep { minimum: top.minimum, maximum: top.maximum, share });
    }
    if let Some(lead) = payload::<LeadPayload>(record) {
        let shares = lead.accounts.into_iter().zip(lead.shares).take_while(|(account, _)| *account != 0);
        policy = policy.with_lead(shares.map(|(account, share)| LeadShare { account, share }).collect());
    }
    policy.check()?;
    Ok(policy)
}

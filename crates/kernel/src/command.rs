//! What may be asked of the engine. A command may be refused; the refusal is an event.

use crate::layout::{layouts, payloads};
use crate::record::{RecordBuffer, Slot, payload as payload_of};
use crate::rules::{Refusal, Rule};
use crate::special_terms::SpecialTerms;
use crate::terms::{OrderType, PackedTerms, Side, Sizing, TimeInForce, options};

pub mod tag {
    pub const TERMS: u16 = 1;
    pub const CAUSE: u16 = 2;
    pub const CONTINGENCY: u16 = 3;
    pub const TEXT: u16 = 4;
    pub const INSTRUMENT: u16 = 5;
    pub const VENUE: u16 = 6;
    pub const INDICATOR: u16 = 7;
    pub const CONDITIONS: u16 = 8;
    pub const TOP_STEP: u16 = 12;
    pub const LEAD: u16 = 13;
    pub const BAND_WIDTHS: u16 = 15;
}

layouts! {
    SubmitOrderBody = SubmitOrder { price: i64, quantity: i64, client_order_id: u64, terms: PackedTerms, }

    /// New terms of an open order, named by the client's own id. 0 keeps the old value; for a price of 0 see [`zeros`].
    ReplaceOrder = ReplaceOrder { client_order_id: u64, price: i64, quantity: i64, stop_price: i64, }

    CancelOrder = CancelOrder { client_order_id: u64, reserved: [u64; 3], }

    /// All open orders of the head's account; in one instrument when the head names one.
    CancelAllOrders = CancelAllOrders { reserved: [u64; 4], }

    /// `limit` is a number of [`crate::risk::LimitKind`]; `value` in its unit; i64::MAX lifts it.
    SetRiskLimit = SetRiskLimit { limit: u64, value: i64, reserved: [u64; 2], }

    /// Account 0 in the head means every account.
    EngageKillSwitch = EngageKillSwitch { reason: u64, reserved: [u64; 3], }
    ReleaseKillSwitch = ReleaseKillSwitch { reason: u64, reserved: [u64; 3], }

    /// Lists the head's instrument. Followed by [`InstrumentPayload`] and the symbol as text.
    ListInstrument = ListInstrument { price_unit_nano: i64, quantity_unit_nano: i64, multiplier_nano: i64, currency: u32, venue: u32, }

    /// Gives a currency its number. Followed by its code as text.
    DefineCurrency = DefineCurrency { currency: u64, reserved: [u64; 3], }

    /// Opens the head's account, settled in `currency`. `shorting` 1 allows negative positions.
    OpenAccount = OpenAccount { currency: u64, shorting: u64, reserved: [u64; 2], }

    DepositCash = DepositCash { amount_nano: i64, currency: u64, reserved: [u64; 2], }
    WithdrawCash = WithdrawCash { amount_nano: i64, currency: u64, reserved: [u64; 2], }

    /// Fires for `source` at `first_time`, then every `interval_ns` (0 = once).
    StartTimer = StartTimer { timer_id: u64, first_time: u64, interval_ns: u64, reserved: u64, }
    CancelTimer = CancelTimer { timer_id: u64, reserved: [u64; 3], }

    /// Rates in 10^-9 of notional, flat part in 10^-9 of the currency per fill. `external` 1: a model outside
    /// the kernel answers each fill with `FeeAssessed`, and `taker_rate` is what sizing holds back.
    SetFeeSchedule = SetFeeSchedule { maker_rate: i64, taker_rate: i64, flat_nano: i64, external: u64, }

    /// Adds a venue; `venue` is its index and must be the next one. Simulated ones carry [`VenuePayload`].
    ConfigureVenue = ConfigureVenue { venue: u32, kind: u32, currency: u64, reserved: [u64; 2], }

    /// Registers the head's source as participant trading for the head's account.
    RegisterParticipant = RegisterParticipant { feed_latency_ns: u64, history: u64, warm_up: u64, reserved: u64, }

    /// Subscribes the participant to messages (bit set of [`crate::participant::wants`]) of the head's instrument (0 = all).
    Subscribe = Subscribe { wants: u64, reserved: [u64; 3], }

    /// Adds an indicator to the participant's view. `indicator` is its index and must be the next one.
    AddIndicator = AddIndicator { indicator: u64, kind: u64, period: u64, every_ns: u64, }

    /// Has bars of a longer interval formed in the participant's view.
    AddBarInterval = AddBarInterval { every_ns: u64, reserved: [u64; 3], }

    HaltTrading = HaltTrading { reason: u64, reserved: [u64; 3], }
    ResumeTrading = ResumeTrading { reason: u64, reserved: [u64; 3], }
    /// The participant failed or was stopped; its open orders are canceled.
    StopParticipant = StopParticipant { reason: u64, reserved: [u64; 3], }

    /// How the head's instrument matches, while no order of it rests. `policy` is a number of [`policy_kind`]; the
    /// other fields are those of an allocation: `by_time` in millionths, `minimum` of a pro-rata share (0: no
    /// pro-rata step), `leveling` 1 or 0. May be followed by [`TopStepPayload`] and [`LeadPayload`].
    SetMatchingPolicy = SetMatchingPolicy { policy: u64, minimum: i64, by_time: u32, leveling: u32, reserved: u64, }
    /// Opens another trading session for the head's instrument (0 = all of our venues). `session` is a number of
    /// [`crate::terms::TradingSession`]; at `until`, if not 0, the one after it follows.
    ChangeTradingSession = ChangeTradingSession { session: u64, until: u64, reserved: [u64; 2], }
    /// Widths in 10^-9 of the reference price, 0 for none. `on_breach` is the number of VOLATILITY_AUCTION or HALTED;
    /// `duration_ns` how long that lasts, 0 until a command ends it. May be followed by [`BandWidthsPayload`].
    SetPriceBands = SetPriceBands { static_width: u32, dynamic_width: u32, on_breach: u64, duration_ns: u64, reserved: u64, }
    /// The price that static bands lie around and auctions lean to, until the next auction gives one. A price of 0 is one
    /// where `is_known` is 1, and none where that is 0.
    SetReferencePrice = SetReferencePrice { price: i64, is_known: u64, reserved: [u64; 2], }
    /// One row of the tick table: orders at `from_price` and above keep `tick`, up to the next row. Tick 0 takes the
    /// row out.
    SetTickSize = SetTickSize { from_price: i64, tick: i64, reserved: [u64; 2], }
    /// Smallest and largest quantity of an order; 0 for no bound.
    SetOrderSizes = SetOrderSizes { minimum: i64, maximum: i64, reserved: [u64; 2], }
    /// What is told of the head's instrument beside trades and levels: `by_order` 1 adds every visible order.
    SetMarketData = SetMarketData { by_order: u64, reserved: [u64; 3], }
    /// What happens when an order of the head's account (0 = every account that has none of its own) meets one of the
    /// same owner: `action` is a number of [`crate::book::SelfTradeAction`], 0 lets them trade. Accounts of one `group`
    /// are one owner; 0 = each for itself.
    SetSelfTradePrevention = SetSelfTradePrevention { group: u64, action: u64, reserved: [u64; 2], }

    /// Cancels open orders, oldest first: of the head's account (0 = all), of its instrument (0 = all), of `side` (a
    /// number of [`Side`], 0 = both), sent by `participant` (0 = by anybody), entered by `session` of the head's account
    /// (0 = by any). Restrictions hold together.
    MassCancel = MassCancel { side: u64, participant: u64, session: u64, reserved: u64, }
}

/// Prices of 0 that are meant, where a price of 0 would otherwise say nothing.
pub mod zeros {
    pub const PRICE: u64 = 1 << 0;
    pub const STOP_PRICE: u64 = 1 << 1;
    pub const ALL: u64 = PRICE | STOP_PRICE;
}

/// Bits of an instrument's options.
pub mod instrument_options {
    /// Prices of zero and below are permitted.
    pub const NEGATIVE_PRICES: u64 = 1 << 0;
}

/// Kinds of matching policies.
pub mod policy_kind {
    pub const PRICE_TIME: u64 = 1;
    pub const ALLOCATION: u64 = 2;
    pub const PRICE_SIZE_TIME: u64 = 3;
    /// Somebody outside the kernel answers each level with `AllocationAssessed`.
    pub const ASKED: u64 = 4;
}

payloads! {
    /// Terms that a plain limit order does not need.
    TermsPayload = TERMS { stop_price: i64, display_quantity: i64, minimum_quantity: i64, expire_time: u64, reserved: u64, }

    /// Which event made the participant send the command, and which of its commands to it this is.
    CausePayload = CAUSE { cause_sequence: u64, cause_index: u32, command_index: u32, reserved: [u64; 3], }

    /// How the order hangs together with others of its account. `parent`: stays inactive until that order
    /// fills, then takes its filled quantity. `partner`: one cancels the other. `offset_nano`: when not 0 the
    /// price (stop price of a stop) is the parent's fill price x (1 + offset).
    ContingencyPayload = CONTINGENCY { parent: u64, partner: u64, offset_nano: i64, reserved: [u64; 2], }

    /// Special terms of an order, see [`crate::special_terms::SpecialTerms`]; numbers at 0 say nothing. `zeros` are bits of
    /// [`zeros`].
    ConditionsPayload = CONDITIONS { trail: i64, limit_offset: i64, peg_offset: i64, trail_by: u8, peg: u8, trigger_by: u8, self_trade: u8, self_trade_group: u32, zeros: u64, }

    /// Text of up to 36 bytes, UTF-8.
    TextPayload = TEXT { len: u32, bytes: [u8; 36], }

    /// `options` are bits of [`instrument_options`].
    InstrumentPayload = INSTRUMENT { tick: i64, lot: i64, options: u64, reserved: [u64; 2], }

    /// Widths of bands in price units, 0 for none: of two widths the wider one holds.
    BandWidthsPayload = BAND_WIDTHS { static_units: i64, dynamic_units: i64, reserved: [u64; 3], }

    /// Of a simulated venue. `slippage` in 10^-9 of the price against the taker; `volume_share` in 10^-9:
    /// the largest part of a bar's volume one order may take (0 = no limit); `options` are bits of
    /// [`crate::venue::simulated::fill_options`].
    VenuePayload = VENUE { order_latency_ns: u64, report_latency_ns: u64, slippage: i64, volume_share: i64, options: u64, }

    /// Of an allocation: priority of the order that bettered the market. See [`crate::book::TopStep`].
    TopStepPayload = TOP_STEP { minimum: i64, maximum: i64, share: u64, reserved: [u64; 2], }

    /// Of an allocation: lead market makers, accounts with their shares in millionths; account 0 ends the list.
    LeadPayload = LEAD { accounts: [u32; 5], shares: [u32; 5], }
}

impl TextPayload {
    /// The first 36 bytes of `text`.
    pub fn new(text: &str) -> Self {
        let len = text.len().min(36);
        let mut bytes = [0; 36];
        bytes[..len].copy_from_slice(&text.as_bytes()[..len]);
        TextPayload { len: len as u32, bytes }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..(self.len as usize).min(36)]
    }
}

/// A new order, with every term in the open; the record form packs it into as few slots as it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmitOrder {
    pub account: u32,
    pub instrument: u32,
    pub client_order_id: u64,
    pub side: Side,
    pub order_type: OrderType,
    pub time_in_force: TimeInForce,
    pub sizing: Sizing,
    pub options: u16,
    /// Number that whoever serves client sessions gave to the one that entered the order, among those of the account; 0 where
    /// none did. It belongs to the order and not to its terms: the same order again from another session is the same.
    pub session: u16,
    /// In price units; 0 where the type has no limit price.
    pub price: i64,
    /// In quantity units, or as [`Sizing`] says.
    pub quantity: i64,
    pub stop_price: i64,
    pub expire_time: u64,
    pub parent: u64,
    pub partner: u64,
    pub offset_nano: i64,
}

impl SubmitOrder {
    pub fn limit(
        account: u32,
        instrument: u32,
        client_order_id: u64,
        side: Side,
        price: i64,
        quantity: i64,
    ) -> Self {
        SubmitOrder {
            price,
            order_type: OrderType::Limit,
            ..Self::market(account, instrument, client_order_id, side, quantity)
        }
    }

    pub fn market(account: u32, instrument: u32, client_order_id: u64, side: Side, quantity: i64) -> Self {
        SubmitOrder {
            account,
            instrument,
            client_order_id,
            side,
            order_type: OrderType::Market,
            time_in_force: TimeInForce::Gtc,
            sizing: Sizing::Units,
            options: 0,
            session: 0,
            price: 0,
            quantity,
            stop_price: 0,
            expire_time: 0,
            parent: 0,
            partner: 0,
            offset_nano: 0,
        }
    }

    pub fn is_post_only(&self) -> bool {
        self.options & options::POST_ONLY != 0
    }

    pub fn is_reduce_only(&self) -> bool {
        self.options & options::REDUCE_ONLY != 0
    }

    /// The command as a record, to be stamped by the sequencer.
    pub fn to_record(&self) -> RecordBuffer {
        self.to_record_with(&SpecialTerms::default())
    }

    /// As [`SubmitOrder::to_record`], of an order with special terms.
    pub fn to_record_with(&self, special: &SpecialTerms) -> RecordBuffer {
        let terms = PackedTerms {
            side: self.side as u8,
            order_type: self.order_type as u8,
            time_in_force: self.time_in_force as u8,
            sizing: self.sizing as u8,
            options: self.options,
            session: self.session,
        };
        let mut record = RecordBuffer::new(SubmitOrderBody {
            price: self.price,
            quantity: self.quantity,
            client_order_id: self.client_order_id,
            terms,
        });
        record.head_mut().account = self.account;
        record.head_mut().instrument = self.instrument;
        special.push(self, &mut record);
        if self.parent != 0 || self.partner != 0 || self.offset_nano != 0 {
            record.push(ContingencyPayload {
                parent: self.parent,
                partner: self.partner,
                offset_nano: self.offset_nano,
                reserved: [0; 2],
            });
        }
        record
    }

    /// Reads the record form.
    ///
    /// # Errors
    /// `TermsMustBeKnown` with the number that names no side, type, time in force, sizing or option.
    #[inline]
    pub fn from_record(record: &[Slot]) -> Result<Self, Refusal> {
        let head = record.first().ok_or(Refusal::of(Rule::TermsMustBeKnown))?;
        let body: SubmitOrderBody = crate::record::Body::of(head);
        let terms = body.terms;
        let unknown = |number: u8| Refusal::new(Rule::TermsMustBeKnown, 0, i128::from(number));
        if terms.options & !options::ALL != 0 {
            return Err(Refusal::new(
                Rule::TermsMustBeKnown,
                i128::from(options::ALL),
                i128::from(terms.options),
            ));
        }
        let extra = payload_of::<TermsPayload>(record);
        let contingency = payload_of::<ContingencyPayload>(record);
        Ok(SubmitOrder {
            account: head.account,
            instrument: head.instrument,
            client_order_id: body.client_order_id,
            side: Side::from_number(terms.side).ok_or(unknown(terms.side))?,
            order_type: OrderType::from_number(terms.order_type).ok_or(unknown(terms.order_type))?,
            time_in_force: TimeInForce::from_number(terms.time_in_force)
                .ok_or(unknown(terms.time_in_force))?,
            sizing: Sizing::from_number(terms.sizing).ok_or(unknown(terms.sizing))?,
            options: terms.options,
            session: terms.session,
            price: body.price,
            quantity: body.quantity,
            stop_price: extra.map_or(0, |terms| terms.stop_price),
            expire_time: extra.map_or(0, |terms| terms.expire_time),
            parent: contingency.map_or(0, |link| link.parent),
            partner: contingency.map_or(0, |link| link.partner),
            offset_nano: contingency.map_or(0, |link| link.offset_nano),
        })
    }
}

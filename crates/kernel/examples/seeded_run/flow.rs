//! Everything an exchange and a simulated venue are told, from one seed. It looks at nothing but the node's time, so
//! the same seed gives the same records in every build.

use openbell_kernel::book::SelfTradeAction;
use openbell_kernel::command::{
    CancelAllOrders, CancelOrder, ChangeTradingSession, ConfigureVenue, DefineCurrency, DepositCash,
    InstrumentPayload, ListInstrument, OpenAccount, RegisterParticipant, ReplaceOrder, SetFeeSchedule,
    SetMarketData, SetMatchingPolicy, SetPriceBands, SetReferencePrice, SetRiskLimit, SetSelfTradePrevention,
    StartTimer, SubmitOrder, TextPayload, VenuePayload, policy_kind,
};
use openbell_kernel::node::{Node, NodeError};
use openbell_kernel::observation::{QuoteObserved, SessionClosed, TradeObserved};
use openbell_kernel::record::{Body, RecordBuffer, Slot, flags};
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::{
    OrderType, Peg, Side, TimeInForce, TradingSession, TrailBy, TriggerBy, VenueKind, options,
};

const ACCOUNTS: u64 = 5;
/// The last is simulated against quotes and trades; the others match here: by price and time, pro rata, and as a policy
/// outside the kernel says.
const INSTRUMENTS: u32 = 4;
const OURS: u32 = INSTRUMENTS - 1;
const POLICIES: [u64; OURS as usize] = [policy_kind::PRICE_TIME, policy_kind::ALLOCATION, policy_kind::ASKED];
const START: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;
const MID: i64 = 10_000;
const RECENT: usize = 512;
/// Steps in a session: after it the ids of the day may be forgotten.
const SESSION: u64 = 5_000;

pub struct Flow {
    random: u64,
    steps: u64,
    orders: u64,
    /// Accounts and client order ids of the latest orders, some of them closed by now.
    recent: Vec<(u32, u64)>,
    observed: Vec<Slot>,
}

impl Flow {
    pub fn new(seed: u64) -> Self {
        Flow { random: seed, steps: 0, orders: 0, recent: Vec::new(), observed: Vec::new() }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014), below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ (z >> 31)) * u128::from(bound)) >> 64) as u64
    }

    pub fn set_up(&mut self, node: &mut Node) {
        command(node, 0, 0, with_text(DefineCurrency { currency: 1, reserved: [0; 3] }, "USD"));
        let venue = |venue, kind: VenueKind| ConfigureVenue {
            venue,
            kind: kind as u32,
            currency: 0,
            reserved: [0; 2],
        };
        command(node, 0, 0, RecordBuffer::new(venue(0, VenueKind::Matching)));
        let mut simulated = RecordBuffer::new(venue(1, VenueKind::Simulated));
        simulated.push(VenuePayload {
            order_latency_ns: SECOND / 10,
            report_latency_ns: SECOND / 20,
            slippage: 100_000,
            volume_share: 0,
            options: 0,
        });
        command(node, 0, 0, simulated);
        for instrument in 1..=INSTRUMENTS {
            command(node, instrument, 0, listing(instrument));
        }
        for account in 1..=ACCOUNTS as u32 {
            let open = OpenAccount { currency: 1, shorting: u64::from(account != 5), reserved: [0; 2] };
            command(node, 0, account, RecordBuffer::new(open));
            let cash = DepositCash { amount_nano: 1_000_000_000_000_000, currency: 1, reserved: [0; 2] };
            command(node, 0, account, RecordBuffer::new(cash));
        }
        let fees = SetFeeSchedule { maker_rate: 100_000, taker_rate: 300_000, flat_nano: 0, external: 0 };
        command(node, 0, 0, RecordBuffer::new(fees));
        self.set_up_markets(node);
        let limit = SetRiskLimit { limit: 4, value: 200, reserved: [0; 2] };
        command(node, 0, 4, RecordBuffer::new(limit));
        let participant =
            RegisterParticipant { feed_latency_ns: SECOND / 50, history: 10, warm_up: 0, reserved: 0 };
        self.timers(node, participant);
    }

    /// Policies, bands, what is told, and whose orders must not meet.
    fn set_up_markets(&self, node: &mut Node) {
        for (instrument, policy) in (1..).zip(POLICIES) {
            let minimum = i64::from(policy == policy_kind::ALLOCATION);
            let policy = SetMatchingPolicy { policy, minimum, by_time: 0, leveling: 0, reserved: 0 };
            command(node, instrument, 0, RecordBuffer::new(policy));
            command(
                node,
                instrument,
                0,
                RecordBuffer::new(SetReferencePrice { price: MID, is_known: 1, reserved: [0; 2] }),
            );
            let bands = SetPriceBands {
                static_width: 50_000_000,
                dynamic_width: 3_000_000,
                on_breach: TradingSession::VolatilityAuction as u64,
                duration_ns: SECOND / 2,
                reserved: 0,
            };
            command(node, instrument, 0, RecordBuffer::new(bands));
        }
        command(node, 1, 0, RecordBuffer::new(SetMarketData { by_order: 1, reserved: [0; 3] }));
        for (account, action) in
            [(2, SelfTradeAction::CancelResting), (3, SelfTradeAction::DecrementAndCancel)]
        {
            let prevention = SetSelfTradePrevention { group: 0, action: action as u64, reserved: [0; 2] };
            command(node, 0, account, RecordBuffer::new(prevention));
        }
    }

    /// Lets a stop, a trailing stop, a peg and an iceberg wait far from the market, then opens an auction in every market of
    /// ours, for a while: whoever saves the state now finds all of it.
    pub fn begin_auctions(&mut self, node: &mut Node) {
        for instrument in 1..=OURS {
            self.change_session(node, instrument, TradingSession::Continuous);
            self.wait_far_away(node, instrument);
            self.change_session(node, instrument, TradingSession::OpeningAuction);
        }
    }

    fn wait_far_away(&mut self, node: &mut Node, instrument: u32) {
        let far = |kind: OrderType, price: i64, stop_price: i64| {
            let order = SubmitOrder::limit(1, instrument, 0, Side::Buy, price, 9);
            SubmitOrder { order_type: kind, stop_price, ..order }
        };
        let plain = SpecialTerms::default();
        let trail = SpecialTerms { trail: 300, trail_by: Some(TrailBy::Amount), ..SpecialTerms::default() };
        let peg = SpecialTerms { peg: Some(Peg::Primary), peg_offset: -100, ..SpecialTerms::default() };
        let iceberg = SpecialTerms { display_quantity: 2, ..SpecialTerms::default() };
        for (order, special) in [
            (far(OrderType::Stop, 0, MID + 300), plain),
            (far(OrderType::TrailingStop, 0, 0), trail),
            (far(OrderType::Pegged, MID, 0), peg),
            (far(OrderType::Limit, MID - 300, 0), iceberg),
        ] {
            self.orders += 1;
            self.send(node, &SubmitOrder { client_order_id: self.orders, ..order }, &special);
        }
    }

    fn change_session(&mut self, node: &mut Node, instrument: u32, session: TradingSession) {
        let until = match session {
            TradingSession::Continuous => 0,
            _ => node.time().max(START) + 1 + self.below(SECOND),
        };
        let body = ChangeTradingSession { session: session as u64, until, reserved: [0; 2] };
        command(node, instrument, 0, RecordBuffer::new(body));
    }

    fn another_session(&mut self, node: &mut Node) {
        let instrument = 1 + self.below(u64::from(OURS)) as u32;
        let at = self.below(TradingSession::ALL.len() as u64) as usize;
        self.change_session(node, instrument, TradingSession::ALL[at]);
    }

    /// A participant that only listens, and its timers.
    fn timers(&self, node: &mut Node, participant: RegisterParticipant) {
        let mut register = RecordBuffer::new(participant);
        register.head_mut().source = 1;
        command(node, 0, 1, register);
        for timer_id in 1..=3 {
            let mut timer = RecordBuffer::new(StartTimer {
                timer_id,
                first_time: START + timer_id * SECOND,
                interval_ns: timer_id * 7 * SECOND,
                reserved: 0,
            });
            timer.head_mut().source = 1;
            command(node, 0, 1, timer);
        }
    }

    /// Queues commands, lets time pass, or returns what a feed tells.
    pub fn step(&mut self, node: &mut Node) -> Result<&[Slot], NodeError> {
        self.observed.clear();
        self.steps += 1;
        if self.steps.is_multiple_of(SESSION) {
            let time = node.time();
            self.observe(time, 0, SessionClosed { session_end: time, reserved: [0; 3] });
            return Ok(&self.observed);
        }
        match self.below(100) {
            0..36 => self.submit(node),
            36..51 => self.submit_special(node),
            51 => self.another_session(node),
            52..72 => self.cancel(node),
            72..82 => self.replace(node),
            82..96 => self.feed(node.time().max(START)),
            96..98 => node.advance_clock(node.time().max(START) + self.below(SECOND))?,
            _ => self.cancel_all(node),
        }
        Ok(&self.observed)
    }

    fn submit(&mut self, node: &mut Node) {
        let (account, instrument) = (self.account(), 1 + self.below(u64::from(INSTRUMENTS)) as u32);
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        self.orders += 1;
        let id = self.orders;
        let quantity = 1 + self.below(50) as i64;
        // around the middle, so that about every other order finds one to trade with
        let price = MID + self.below(60) as i64 - 30 - side.sign() * 10;
        let mut order = SubmitOrder::limit(account, instrument, id, side, price, quantity);
        match self.below(20) {
            0 => order.order_type = OrderType::Market,
            1 => order.time_in_force = TimeInForce::Ioc,
            2 => order.time_in_force = TimeInForce::Fok,
            3 => order.options = options::POST_ONLY,
            4 => order.time_in_force = TimeInForce::Day,
            5 => {
                order.order_type = OrderType::Stop;
                order.stop_price = MID + side.sign() * (5 + self.below(40) as i64);
                order.price = 0;
            }
            6 => {
                order.time_in_force = TimeInForce::Gtd;
                order.expire_time = node.time().max(START) + self.below(30) * SECOND;
            }
            _ => {}
        }
        if order.order_type == OrderType::Market {
            order.price = 0;
        }
        self.send(node, &order, &SpecialTerms::default());
    }

    /// One with terms that few orders have, of a market of ours.
    fn submit_special(&mut self, node: &mut Node) {
        let (account, instrument) = (self.account(), 1 + self.below(u64::from(OURS)) as u32);
        let side = if self.below(2) == 0 { Side::Buy } else { Side::Sell };
        self.orders += 1;
        let quantity = 1 + self.below(50) as i64;
        let away = side.sign() * (1 + self.below(40) as i64);
        let mut order = SubmitOrder::limit(account, instrument, self.orders, side, MID - away, quantity);
        let mut special = SpecialTerms::default();
        match self.below(12) {
            0 | 1 => special.display_quantity = 1 + self.below(quantity as u64) as i64,
            2 => order.options = options::HIDDEN,
            3 => order.options = options::ALL_OR_NONE,
            4 => order.options = options::SLIDE,
            5 => special.minimum_quantity = 1 + self.below(quantity as u64) as i64,
            6 => {
                order.order_type = OrderType::Pegged;
                order.price = MID + 40 * side.sign();
                special.peg = Some(Peg::ALL[self.below(3) as usize]);
                special.peg_offset = self.below(5) as i64 - 2;
            }
            7 => {
                (order.order_type, order.price) = (OrderType::TrailingStop, 0);
                (special.trail, special.trail_by) = (1 + self.below(20) as i64, Some(TrailBy::Amount));
                special.trigger_by = Some(TriggerBy::ALL[self.below(3) as usize]);
            }
            8 => {
                (order.order_type, order.price) = (OrderType::MarketIfTouched, 0);
                order.stop_price = MID - away;
                special.trigger_by = Some(TriggerBy::ALL[self.below(3) as usize]);
            }
            9 => (order.order_type, order.price) = (OrderType::MarketToLimit, 0),
            10 => order.options = options::REDUCE_ONLY,
            _ => {
                order.time_in_force =
                    if self.below(2) == 0 { TimeInForce::AtOpen } else { TimeInForce::AtClose };
            }
        }
        self.send(node, &order, &special);
    }

    fn send(&mut self, node: &mut Node, order: &SubmitOrder, special: &SpecialTerms) {
        let (account, id) = (order.account, order.client_order_id);
        node.command(order.to_record_with(special));
        if self.recent.len() < RECENT {
            self.recent.push((account, id));
        } else {
            let at = self.below(RECENT as u64) as usize;
            self.recent[at] = (account, id);
        }
    }

    fn account(&mut self) -> u32 {
        1 + self.below(ACCOUNTS) as u32
    }

    fn known(&mut self) -> (u32, u64) {
        if self.recent.is_empty() {
            return (1, 0);
        }
        let at = self.below(self.recent.len() as u64) as usize;
        self.recent[at]
    }

    fn cancel(&mut self, node: &mut Node) {
        let (account, client_order_id) = self.known();
        command(node, 0, account, RecordBuffer::new(CancelOrder { client_order_id, reserved: [0; 3] }));
    }

    fn replace(&mut self, node: &mut Node) {
        let (account, client_order_id) = self.known();
        let price = MID + self.below(60) as i64 - 30;
        let quantity = 1 + self.below(60) as i64;
        let body = ReplaceOrder { client_order_id, price, quantity, stop_price: 0 };
        command(node, 0, account, RecordBuffer::new(body));
    }

    /// In one market or in all (0): else those that no recent cancel knows would be more and more.
    fn cancel_all(&mut self, node: &mut Node) {
        let (account, instrument) = (self.account(), self.below(u64::from(INSTRUMENTS) + 1) as u32);
        command(node, instrument, account, RecordBuffer::new(CancelAllOrders { reserved: [0; 4] }));
    }

    fn feed(&mut self, now: u64) {
        let time = now + self.below(SECOND / 10);
        let mid = MID + self.below(40) as i64 - 20;
        if self.below(2) == 0 {
            let quantity = 1 + self.below(100) as i64;
            let trade = TradeObserved { price: mid, quantity, trade_id: self.steps, exchange_time: time };
            self.observe(time, INSTRUMENTS, trade);
        } else {
            let (bid, ask) = (1 + self.below(200) as i64, 1 + self.below(200) as i64);
            let quote = QuoteObserved {
                bid_price: mid - 1,
                bid_quantity: bid,
                ask_price: mid + 1,
                ask_quantity: ask,
            };
            self.observe(time, INSTRUMENTS, quote);
        }
    }

    fn observe<B: Body>(&mut self, time: u64, instrument: u32, body: B) {
        let mut record = RecordBuffer::new(body);
        let head = record.head_mut();
        (head.time, head.instrument, head.flags) = (time, instrument, flags::LAST_OF_MESSAGE);
        self.observed.extend_from_slice(record.slots());
    }
}

fn command(node: &mut Node, instrument: u32, account: u32, mut record: RecordBuffer) {
    (record.head_mut().instrument, record.head_mut().account) = (instrument, account);
    node.command(record);
}

fn with_text<B: Body>(body: B, text: &str) -> RecordBuffer {
    let mut record = RecordBuffer::new(body);
    record.push(TextPayload::new(text));
    record
}

fn listing(instrument: u32) -> RecordBuffer {
    let mut record = RecordBuffer::new(ListInstrument {
        price_unit_nano: 10_000_000,
        quantity_unit_nano: 1_000_000_000,
        multiplier_nano: 1_000_000_000,
        currency: 1,
        venue: u32::from(instrument == INSTRUMENTS),
    });
    record.push(InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] });
    record.push(TextPayload::new(&format!("I{instrument}")));
    record
}

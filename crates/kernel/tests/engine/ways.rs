//! The short ways of the engine against the general one: two engines take in the same random records, one of them with
//! every short way closed. Their events, their states and their hashes must be the same.

use openbell_kernel::command::{
    CancelAllOrders, CancelOrder, ChangeTradingSession, EngageKillSwitch, HaltTrading, InstrumentPayload,
    MassCancel, OpenAccount, RegisterParticipant, ReleaseKillSwitch, ReplaceOrder, ResumeTrading,
    SetFeeSchedule, SetMarketData, SetMatchingPolicy, SetOrderSizes, SetPriceBands, SetReferencePrice,
    SetRiskLimit, SetSelfTradePrevention, SetTickSize, SubmitOrder, Subscribe, instrument_options,
    policy_kind,
};
use openbell_kernel::engine::Engine;
use openbell_kernel::observation::{ClockAdvanced, FeeAssessed, SessionClosed, TradeObserved};
use openbell_kernel::participant::wants;
use openbell_kernel::record::{RecordBuffer, flags, stamp};
use openbell_kernel::risk::LIFTED;
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::{
    OrderType, Peg, Side, Sizing, TimeInForce, TrailBy, TriggerBy, VenueKind, options,
};
use openbell_kernel::venue::Outcome;

use crate::stage::{CURRENCY, bytes, check, command, deposit, fees, listing_with, restored, set_up};

/// The last of them may not sell short.
const ACCOUNTS: u32 = 5;
const INSTRUMENTS: u32 = 4;
/// May have prices of zero and below, and has them.
const NEGATIVE: u32 = 3;
/// Shares its levels in proportion.
const SHARED: u32 = 4;
/// Accounts that get limits; for the others the short ways stay open.
const LIMITED: [u32; 2] = [1, 2];
const RECORDS: usize = 1_500;
const MID: i64 = 10_000;

struct Pair {
    short: Engine,
    general: Engine,
    random: u64,
    seed: u64,
    time: u64,
    sent: u64,
    /// How much of what is uncommon this seed has, in a hundred records.
    wildness: u64,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut general = Engine::new(0);
        general.pull_always();
        let wildness = [0, 2, 8, 40][(seed / 4) as usize % 4];
        let mut pair =
            Pair { short: Engine::new(0), general, random: seed, seed, time: 1_000, sent: 0, wildness };
        let mut records = set_up(VenueKind::Matching);
        for id in 2..=INSTRUMENTS {
            let mut body = InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] };
            if id == NEGATIVE {
                body.options = instrument_options::NEGATIVE_PRICES;
            }
            records.push(listing_with(id, 0, &format!("S{id}"), body));
        }
        let policy = policy_kind::ALLOCATION;
        let shares = SetMatchingPolicy { policy, minimum: 1, by_time: 0, leveling: 0, reserved: 0 };
        records.push(command(0, SHARED, shares));
        for account in 2..=ACCOUNTS {
            let currency = u64::from(CURRENCY);
            let shorting = u64::from(account < ACCOUNTS);
            let opening = command(account, 0, OpenAccount { currency, shorting, reserved: [0; 2] });
            records.extend([opening, deposit(account), fees(account, false)]);
        }
        let participant = RegisterParticipant { feed_latency_ns: 0, history: 1, warm_up: 0, reserved: 0 };
        let mut registration = command(2, 0, participant);
        registration.head_mut().source = 1;
        records.push(registration);
        // Whoever watches a market is shown its trades while they are booked.
        for instrument in 1..=INSTRUMENTS * (seed % 2) as u32 {
            let mut subscription =
                command(0, instrument, Subscribe { wants: wants::QUOTES | wants::TRADES, reserved: [0; 3] });
            subscription.head_mut().source = 1;
            records.push(subscription);
        }
        records.into_iter().for_each(|record| pair.apply(record));
        pair
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ (z >> 31)) * u128::from(bound)) >> 64) as u64
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn apply(&mut self, mut record: RecordBuffer) {
        let sequence = self.short.sequence() + 1;
        stamp(record.slots_mut(), sequence, self.time);
        let results = [&mut self.short, &mut self.general].map(|engine| engine.apply(record.slots()));
        let seed = self.seed;
        let again =
            format!("OPENBELL_SEED={seed} OPENBELL_SEEDS=1 cargo test -p openbell-kernel --test engine ways");
        assert_eq!(results[0], results[1], "seed {seed}, record {sequence}; {again}");
        assert_eq!(
            self.short.events(),
            self.general.events(),
            "seed {seed}, events of record {sequence}, {:?}; {again}",
            record.slots()[0]
        );
        let news = [&mut self.short, &mut self.general].map(|engine| {
            let mut out = Vec::new();
            (engine.take_awake(&mut out), out)
        });
        assert_eq!(news[0], news[1], "seed {seed}, news of record {sequence}; {again}");
        if sequence.is_multiple_of(64) {
            assert_eq!(
                self.short.state_hash(),
                self.general.state_hash(),
                "seed {seed}, {sequence}; {again}"
            );
        }
        if sequence.is_multiple_of(256) {
            let saved = bytes(&self.short);
            assert!(saved == bytes(&self.general), "seed {seed}, state at {sequence}; {again}");
            check(&self.short);
            check(&self.general);
            let mut copy = restored(&saved);
            assert_eq!(
                copy.state_hash(),
                self.short.state_hash(),
                "seed {seed}, {sequence} restored; {again}"
            );
            self.short = copy;
        }
    }

    fn account(&mut self) -> u32 {
        1 + self.below(u64::from(ACCOUNTS)) as u32
    }

    fn instrument(&mut self) -> u32 {
        1 + self.below(u64::from(INSTRUMENTS)) as u32
    }

    fn order(&mut self) -> SubmitOrder {
        let (account, instrument) = (self.account(), self.instrument());
        let side = self.one_of(&[Side::Buy, Side::Sell]);
        let away = self.below(30) as i64 - 6;
        let quantity = 1 + self.below(9) as i64;
        self.sent += 1;
        let price = middle(instrument) - side.sign() * away;
        let order = SubmitOrder::limit(account, instrument, self.sent, side, price, quantity);
        use TimeInForce::{Day, Gtc, Gtd, Ioc};
        let time_in_force = self.one_of(&[Gtc, Gtc, Gtc, Gtc, Day, Day, Ioc, Gtd]);
        let expire_time = if time_in_force == Gtd { self.time + 1 + self.below(20_000) } else { 0 };
        let options = self.one_of(&[0, 0, 0, options::POST_ONLY, options::CANCEL_ON_DISCONNECT]);
        SubmitOrder { time_in_force, expire_time, options, ..order }
    }

    fn wild_order(&mut self) -> (SubmitOrder, SpecialTerms) {
        let mut order = self.order();
        let mut special = SpecialTerms::default();
        let stop_price = middle(order.instrument) + self.below(60) as i64 - 30;
        let kind = self.below(16);
        if matches!(kind, 5 | 6) && self.seed % 8 < 4 {
            // Where anything was hidden the short ways stay closed.
            order.instrument = 1;
        }
        match kind {
            0 => (order.order_type, order.price) = (OrderType::Market, 0),
            1 => (order.order_type, order.price, order.stop_price) = (OrderType::Stop, 0, stop_price),
            2 => (order.order_type, order.stop_price) = (OrderType::StopLimit, stop_price),
            3 => {
                (order.order_type, order.price) = (OrderType::TrailingStop, 0);
                (special.trail, special.trail_by) = (7, Some(TrailBy::Amount));
            }
            4 => {
                (order.order_type, order.price) = (OrderType::Pegged, 0);
                (special.peg, special.peg_offset) = (Some(Peg::Primary), -order.side.sign());
            }
            5 => special.display_quantity = 2,
            6 => order.options = self.one_of(&[options::HIDDEN, options::ALL_OR_NONE, options::SLIDE]),
            7 => order.options = options::REDUCE_ONLY,
            8 => {
                order.time_in_force = TimeInForce::Gtd;
                order.expire_time = self.time + self.below(3_000);
            }
            9 => {
                order.time_in_force =
                    self.one_of(&[TimeInForce::Fok, TimeInForce::AtClose, TimeInForce::AtOpen])
            }
            // An order with a parent closes the short way of those that take until the day is over.
            10 if self.seed.is_multiple_of(2) => order.parent = 1 + self.below(self.sent),
            10..12 => order.partner = self.sent.saturating_sub(1 + self.below(12)),
            12 => {
                (order.order_type, order.price, order.stop_price) =
                    (OrderType::MarketIfTouched, 0, stop_price);
                special.trigger_by = Some(self.one_of(&[TriggerBy::OppositeBest, TriggerBy::Mark]));
            }
            13 => order.sizing = Sizing::Percent,
            14 => special.minimum_quantity = 1 + self.below(order.quantity as u64) as i64,
            _ => order.quantity = self.one_of(&[0, -1, 1 << 57, 3]),
        }
        (order, special)
    }

    /// Settings that reach beyond one order.
    fn set(&mut self) -> RecordBuffer {
        // The second instrument stays as it was listed: there the short way is open.
        let (account, instrument) = (self.account(), 1);
        let any = self.one_of(&[0, account]);
        let reserved = [0; 3];
        match self.below(17) {
            0 => command(any, 0, EngageKillSwitch { reason: 1, reserved }),
            1..4 => command(any, 0, ReleaseKillSwitch { reason: 1, reserved }),
            4 => command(0, instrument, HaltTrading { reason: 1, reserved }),
            5..7 => command(0, instrument, ResumeTrading { reason: 1, reserved }),
            7 => {
                let (limit, value) = (1 + self.below(7), self.one_of(&[20, 2_000_000_000, LIFTED, LIFTED]));
                let limited = self.one_of(&LIMITED);
                command(limited, 0, SetRiskLimit { limit, value, reserved: [0; 2] })
            }
            8 => command(
                account,
                0,
                SetSelfTradePrevention { group: 0, action: self.below(5), reserved: [0; 2] },
            ),
            9 => {
                let session = self.one_of(&[1, 2, 3, 3, 3, 4, 6]);
                command(0, instrument, ChangeTradingSession { session, until: 0, reserved: [0; 2] })
            }
            10 => {
                let (static_width, on_breach) = (self.one_of(&[0, 1_000_000]), self.one_of(&[4, 5]));
                let body = SetPriceBands {
                    static_width,
                    dynamic_width: 0,
                    on_breach,
                    duration_ns: 500,
                    reserved: 0,
                };
                command(0, instrument, body)
            }
            11 => command(0, instrument, SetReferencePrice { price: MID, is_known: 1, reserved: [0; 2] }),
            12 => command(
                0,
                instrument,
                SetTickSize { from_price: MID, tick: self.one_of(&[0, 2]), reserved: [0; 2] },
            ),
            13 => command(
                0,
                instrument,
                SetOrderSizes { minimum: 0, maximum: self.one_of(&[0, 8]), reserved: [0; 2] },
            ),
            14 => command(0, instrument, SetMarketData { by_order: self.below(2), reserved }),
            15 => {
                let external = u64::from(self.below(3) == 0);
                command(account, 0, SetFeeSchedule { maker_rate: -5, taker_rate: 9, flat_nano: 1, external })
            }
            _ => command(any, 0, MassCancel { side: self.below(3), participant: 0, session: 0, reserved: 0 }),
        }
    }

    fn record(&mut self) -> RecordBuffer {
        let client_order_id = 1 + self.below(self.sent.max(1)).max(self.sent.saturating_sub(60));
        let account = self.account();
        if self.below(100) < self.wildness {
            return match self.below(10) {
                0..6 => {
                    let (order, special) = self.wild_order();
                    order.to_record_with(&special)
                }
                6..8 => self.set(),
                8 => command(account, 0, CancelAllOrders { reserved: [0; 4] }),
                _ => self.observation(),
            };
        }
        match self.below(100) {
            0..50 => self.order().to_record(),
            50..53 => SubmitOrder { client_order_id, ..self.order() }.to_record(),
            53..90 => command(account, 0, CancelOrder { client_order_id, reserved: [0; 3] }),
            _ => {
                let (price, quantity) = (self.one_of(&[0, MID - 4, MID + 4, -2, 5]), self.below(9) as i64);
                command(account, 0, ReplaceOrder { client_order_id, price, quantity, stop_price: 0 })
            }
        }
    }

    fn observation(&mut self) -> RecordBuffer {
        match self.below(4) {
            0 => command(0, 0, SessionClosed { session_end: self.time, reserved: [0; 3] }),
            1 => command(0, 0, ClockAdvanced { reserved: [0; 4] }),
            _ => {
                let price = MID + self.below(21) as i64 - 10;
                let body = TradeObserved { price, quantity: 1, trade_id: 1, exchange_time: self.time };
                let mut record = command(0, self.instrument(), body);
                record.head_mut().flags = flags::LAST_OF_MESSAGE;
                record
            }
        }
    }

    /// Takes back what would stop everything from then on.
    fn calm_down(&mut self) {
        let reserved = [0; 3];
        for account in 0..=ACCOUNTS {
            self.apply(command(account, 0, ReleaseKillSwitch { reason: 1, reserved }));
        }
        for account in LIMITED {
            for limit in 1..=7 {
                let body = SetRiskLimit { limit, value: LIFTED, reserved: [0; 2] };
                self.apply(command(account, 0, body));
            }
        }
        self.apply(command(0, 1, ResumeTrading { reason: 1, reserved }));
        self.apply(command(0, 1, ChangeTradingSession { session: 3, until: 0, reserved: [0; 2] }));
    }

    fn step(&mut self) {
        self.time += self.below(200);
        if let Some(question) = self.short.fee_question() {
            let Outcome::Filled { trade_id, .. } = question.report.outcome else { panic!("a fill") };
            let order_id = question.report.order_id;
            return self.apply(command(0, 0, FeeAssessed { order_id, trade_id, fee_nano: 3, reserved: 0 }));
        }
        // As a node does; now and then a record comes when something else was due before it.
        if self.short.next_due().is_some_and(|due| due <= self.time) && self.below(4) != 0 {
            return self.apply(command(0, 0, ClockAdvanced { reserved: [0; 4] }));
        }
        if self.wildness > 0 && self.below(200) == 0 {
            return self.calm_down();
        }
        let mut record = self.record();
        if self.below(20) == 0 {
            record.head_mut().source = 1;
        }
        self.apply(record);
    }
}

/// About which orders of an instrument are priced.
fn middle(instrument: u32) -> i64 {
    if instrument == NEGATIVE { 3 } else { MID }
}

/// `OPENBELL_SEEDS` of them, from `OPENBELL_SEED` on.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("OPENBELL_SEED").unwrap_or(0);
    first..first + number("OPENBELL_SEEDS").unwrap_or(64)
}

#[test]
fn the_short_ways_do_what_the_general_way_does() {
    let mut all = 0;
    for seed in seeds() {
        let mut pair = Pair::new(seed);
        (0..RECORDS).for_each(|_| pair.step());
        let traded = pair.short.orders().iter().filter(|order| order.cumulative_quantity > 0).count();
        all += traded;
    }
    assert!(all as u64 > 30 * seeds().count() as u64, "only {all} orders traded");
}

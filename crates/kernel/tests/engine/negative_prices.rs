//! An instrument of which prices of zero and below are permitted: every order type, auctions, bands, cash and risk around zero.

use openbell_kernel::command::{
    BandWidthsPayload, ChangeTradingSession, ConditionsPayload, InstrumentPayload, ListInstrument,
    ReplaceOrder, SetPriceBands, SetReferencePrice, SetRiskLimit, SetTickSize, SubmitOrder, TextPayload,
    instrument_options, zeros,
};
use openbell_kernel::engine::Engine;
use openbell_kernel::event::{AuctionUncrossed, OrderFilled, OrderRepriced, RefusalPayload};
use openbell_kernel::instrument::MAX_UNITS;
use openbell_kernel::message::Message;
use openbell_kernel::observation::{QuoteObserved, VenueOrderAccepted, VenueOrderFilled};
use openbell_kernel::record::{Body, RecordBuffer, Slot, flags, payload};
use openbell_kernel::risk::LimitKind;
use openbell_kernel::rules::Rule;
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::{
    OrderState, OrderType, Peg, Side, TimeInForce, TradingSession, TrailBy, VenueKind, options,
};

use Side::{Buy, Sell};

use crate::stage::{
    ACCOUNT, CURRENCY, Stage, TAKER_RATE, UNIT_NANO, bytes, command, deposit, opening, replay, restored,
};

const OTHER: u32 = 2;
/// A spread: the instrument of these tests.
const SPREAD: u32 = 2;

fn listing(instrument: u32, venue: u32, options: u64) -> RecordBuffer {
    let body = ListInstrument {
        price_unit_nano: 10_000_000,
        quantity_unit_nano: 1_000_000,
        multiplier_nano: 1_000_000_000,
        currency: CURRENCY,
        venue,
    };
    let mut record = command(0, instrument, body);
    record.push(InstrumentPayload { tick: 1, lot: 1, options, reserved: [0; 2] });
    record.push(TextPayload::new("SPREAD"));
    record
}

struct Market {
    stage: Stage,
    saved: Vec<(Vec<u8>, usize)>,
}

impl Market {
    fn new() -> Self {
        let mut market = Market { stage: Stage::of(VenueKind::Matching), saved: Vec::new() };
        let listed = listing(SPREAD, 0, instrument_options::NEGATIVE_PRICES);
        for record in [opening(OTHER), deposit(OTHER), listed, reference(0)] {
            assert!(!market.command(record).contains("Refused"));
        }
        market
    }

    fn command(&mut self, record: RecordBuffer) -> String {
        let events = self.stage.command(record);
        let saved = bytes(self.stage.engine());
        assert_eq!(restored(&saved).state_hash(), self.stage.node.state_hash());
        self.saved.push((saved, self.stage.tape.slots().len()));
        crate::stage::told(&events).join(" ")
    }

    fn order(&mut self, order: SubmitOrder) -> String {
        self.command(order.to_record())
    }

    fn special(&mut self, order: SubmitOrder, special: SpecialTerms) -> String {
        self.command(order.to_record_with(&special))
    }

    fn state(&self, client_order_id: u64) -> String {
        let order = self.stage.order(client_order_id);
        let (terms, done) = (order.terms, order.cumulative_quantity);
        format!(
            "{} {done}/{} at {} stop {}",
            order.state.name(),
            terms.quantity,
            terms.price,
            terms.stop_price
        )
    }

    /// What the last refusal said.
    fn refusal(&self) -> (Rule, i128, i128) {
        let refused =
            [Message::OrderDenied, Message::OrderRejected, Message::CommandRefused, Message::ReplaceRejected];
        let at =
            self.stage.output.iter().rposition(|slot| refused.iter().any(|one| slot.message == *one as u16));
        let record = &self.stage.output[at.unwrap()..at.unwrap() + 2];
        let rest = payload::<RefusalPayload>(record).unwrap();
        let place = usize::from(record[0].message != Message::CommandRefused as u16) + 1;
        let rule = Rule::from_number(record[0].body[place] as u16).unwrap();
        (rule, rest.limit(), rest.actual())
    }

    fn last(&self, message: Message) -> &Slot {
        self.stage.output.iter().rev().find(|slot| slot.message == message as u16).unwrap()
    }

    fn last_price(&self) -> Option<i64> {
        self.stage.engine().marks().get(SPREAD)
    }

    fn check_replays(mut self) {
        let (hash, tape) = (self.stage.node.state_hash(), self.stage.tape.slots());
        let (mut again, output) = replay(Engine::new(0), &tape);
        assert_eq!((again.state_hash(), output), (hash, self.stage.output.clone()));
        for (saved, at) in &self.saved {
            let (mut node, _) = replay(restored(saved), &tape[*at..]);
            assert_eq!(node.state_hash(), hash);
        }
    }
}

fn reference(price: i64) -> RecordBuffer {
    command(0, SPREAD, SetReferencePrice { price, is_known: 1, reserved: [0; 2] })
}

fn mine(id: u64, side: Side, quantity: i64, price: i64) -> SubmitOrder {
    SubmitOrder::limit(ACCOUNT, SPREAD, id, side, price, quantity)
}

fn theirs(id: u64, side: Side, quantity: i64, price: i64) -> SubmitOrder {
    SubmitOrder::limit(OTHER, SPREAD, id, side, price, quantity)
}

fn typed(id: u64, side: Side, quantity: i64, order_type: OrderType) -> SubmitOrder {
    SubmitOrder { order_type, ..mine(id, side, quantity, 0) }
}

fn replace(id: u64, price: i64, stop_price: i64, zeros: u64) -> RecordBuffer {
    let mut record =
        command(ACCOUNT, 0, ReplaceOrder { client_order_id: id, price, quantity: 0, stop_price });
    if zeros != 0 {
        let plain = SpecialTerms::default().conditions();
        record.push(ConditionsPayload { zeros, ..plain });
    }
    record
}

#[test]
fn a_plain_instrument_refuses_prices_of_zero_and_below_by_name_as_before() {
    let mut market = Market::new();
    for price in [0, -1, i64::MIN] {
        let order = SubmitOrder { instrument: crate::stage::INSTRUMENT, ..mine(1, Buy, 5, price) };
        let order = SubmitOrder { client_order_id: 10 + price.unsigned_abs() % 3, ..order };
        assert_eq!(market.order(order), "OrderDenied");
        assert_eq!(market.refusal(), (Rule::PriceMustBePositive, 1, i128::from(price)));
    }
    let zero = SpecialTerms { peg: Some(Peg::Primary), zero_price: true, ..SpecialTerms::default() };
    let peg = SubmitOrder { instrument: crate::stage::INSTRUMENT, ..typed(5, Buy, 5, OrderType::Pegged) };
    assert_eq!(market.special(peg, zero), "OrderDenied");
    assert_eq!(market.refusal(), (Rule::PriceMustBePositive, 1, 0));
    let plain =
        command(0, crate::stage::INSTRUMENT, SetReferencePrice { price: -5, is_known: 1, reserved: [0; 2] });
    assert_eq!(market.command(plain), "CommandRefused");
    assert_eq!(market.refusal(), (Rule::PriceMustBePositive, 1, -5));
}

#[test]
fn an_option_of_an_instrument_that_is_none_is_refused() {
    let mut market = Market::new();
    assert_eq!(market.command(listing(3, 0, 2)), "CommandRefused");
    assert_eq!(market.refusal(), (Rule::TermsMustBeKnown, 1, 2));
}

/// WTI for May 2020 on 20 April: it settled at -37.63.
#[test]
fn a_buyer_at_a_negative_price_receives_cash_and_pays_a_fee_on_its_absolute_value() {
    let mut market = Market::new();
    market.order(theirs(1, Sell, 2_000, -3_763));
    let cash = market.stage.cash();
    assert_eq!(
        market.order(mine(1, Buy, 2_000, -3_763)),
        "OrderSubmitted OrderAccepted TradeExecuted OrderFilled OrderFilled BookLevelChanged"
    );
    let value = 3_763 * 2_000 * UNIT_NANO;
    let fee = value * i128::from(TAKER_RATE) / 1_000_000_000;
    assert_eq!(market.stage.cash() - cash, value - fee);
    assert_eq!(market.last_price(), Some(-3_763));
    let account = market.stage.engine().portfolio().account(ACCOUNT).unwrap();
    let position = *account.positions.get(SPREAD).unwrap();
    assert_eq!((position.quantity, position.cost, position.realized), (2_000, -value, 0));
    // Sold at nothing, what was received for taking it is earned; sold above, more.
    market.order(theirs(2, Buy, 1_000, 0));
    market.order(mine(2, Sell, 1_000, 0));
    market.order(theirs(3, Buy, 1_000, 1_000));
    market.order(mine(3, Sell, 1_000, 1_000));
    let account = market.stage.engine().portfolio().account(ACCOUNT).unwrap();
    let position = *account.positions.get(SPREAD).unwrap();
    assert_eq!(
        (position.quantity, position.cost, position.realized),
        (0, 0, value + 1_000 * 1_000 * UNIT_NANO)
    );
    market.check_replays();
}

#[test]
fn books_stops_touched_and_replaced_orders_work_across_zero() {
    let mut market = Market::new();
    for (id, side, price) in [(1, Buy, -10), (2, Buy, -20), (3, Sell, 10), (4, Sell, 0)] {
        market.order(theirs(id, side, 10, price));
    }
    market.order(mine(1, Buy, 1, 0));
    assert_eq!((market.state(1).as_str(), market.last_price()), ("FILLED 1/1 at 0 stop 0", Some(0)));
    let stop = SubmitOrder { stop_price: -10, ..typed(2, Sell, 3, OrderType::Stop) };
    assert_eq!(market.order(stop), "OrderSubmitted OrderAccepted");
    let wrong = SubmitOrder { stop_price: 0, ..typed(3, Sell, 3, OrderType::Stop) };
    assert_eq!(market.order(wrong), "OrderSubmitted OrderRejected");
    assert_eq!(market.refusal(), (Rule::StopMustNotBeTriggered, 0, 0));
    let limit = SubmitOrder { stop_price: -10, price: -15, ..typed(4, Sell, 20, OrderType::StopLimit) };
    market.order(limit);
    let touched = SubmitOrder { stop_price: 5, price: -5, ..typed(5, Sell, 2, OrderType::LimitIfTouched) };
    market.order(touched);
    // A price of 0 is told, for 0 keeps what was.
    market.command(replace(5, 0, 6, zeros::PRICE));
    assert_eq!(market.state(5), "ACCEPTED 0/2 at 0 stop 6");
    market.command(replace(2, 0, -11, 0));
    assert_eq!(market.state(2), "ACCEPTED 0/3 at 0 stop -11");
    market.command(replace(2, 0, 0, 0));
    assert_eq!(market.refusal().0, Rule::StopMustNotBeTriggered);
    let said = market.order(theirs(6, Sell, 1, -10));
    assert!(said.contains("OrderTriggered"), "{said}");
    assert_eq!(market.state(4), "ACCEPTED 9/20 at -15 stop -10");
    assert_eq!(market.state(2), "ACCEPTED 0/3 at 0 stop -11");
    market.order(theirs(7, Sell, 1, -20));
    assert_eq!(market.state(2), "FILLED 3/3 at 0 stop -11");
    let bid = market.order(mine(9, Buy, 5, 7));
    assert!(bid.contains("OrderTriggered") || market.last_price() < Some(6), "{bid}");
    market.check_replays();
}

#[test]
fn a_trailing_stop_follows_from_above_zero_to_below_and_its_limit_lies_beyond_it() {
    let mut market = Market::new();
    let trade = |market: &mut Market, id: u64, price: i64| {
        market.order(theirs(id, Sell, 1, price));
        market.order(SubmitOrder { time_in_force: TimeInForce::Ioc, ..mine(1_000 + id, Buy, 1, price) })
    };
    trade(&mut market, 1, 5);
    let by =
        |trail: i64, trail_by| SpecialTerms { trail, trail_by: Some(trail_by), ..SpecialTerms::default() };
    market.special(typed(1, Buy, 2, OrderType::TrailingStop), by(10, TrailBy::Amount));
    assert_eq!(market.state(1), "ACCEPTED 0/2 at 0 stop 15");
    let limited = SpecialTerms { limit_offset: 3, ..by(8, TrailBy::Amount) };
    market.special(typed(2, Buy, 2, OrderType::TrailingStopLimit), limited);
    assert_eq!(market.state(2), "ACCEPTED 0/2 at 16 stop 13");
    trade(&mut market, 2, -8);
    assert_eq!(
        (market.state(1).as_str(), market.state(2).as_str()),
        ("ACCEPTED 0/2 at 0 stop 2", "ACCEPTED 0/2 at 3 stop 0")
    );
    // The stop of a trailing order at 0 is one: another trail begins anew, no trail leaves it.
    market.command(replace(2, 0, 0, 0));
    assert_eq!(market.state(2), "ACCEPTED 0/2 at 3 stop 0");
    trade(&mut market, 3, -30);
    assert_eq!(market.state(1), "ACCEPTED 0/2 at 0 stop -20");
    market.special(typed(3, Sell, 1, OrderType::TrailingStop), by(100_000_000, TrailBy::Percent));
    assert_eq!(market.state(3), "ACCEPTED 0/1 at 0 stop -33");
    let at_zero = SpecialTerms { zero_stop_price: true, ..by(50, TrailBy::Amount) };
    market.special(typed(4, Buy, 1, OrderType::TrailingStop), at_zero);
    assert_eq!(market.state(4), "ACCEPTED 0/1 at 0 stop 0");
    market.order(theirs(9, Sell, 9, -25));
    market.order(theirs(10, Sell, 9, -15));
    market.order(theirs(11, Buy, 9, -25));
    assert!(market.stage.engine().orders().by_client_id(ACCOUNT, 1).unwrap().is_open());
    market.order(mine(20, Buy, 1, -15));
    assert_eq!(market.state(1), "FILLED 2/2 at 0 stop -20");
    market.check_replays();
}

#[test]
fn pegs_slides_and_market_to_limit_take_prices_of_zero_and_below() {
    let mut market = Market::new();
    market.order(theirs(1, Buy, 10, -10));
    market.order(theirs(2, Sell, 4, 0));
    let pegged = |peg, peg_offset| SpecialTerms { peg: Some(peg), peg_offset, ..SpecialTerms::default() };
    market.special(typed(1, Buy, 1, OrderType::Pegged), pegged(Peg::Primary, 3));
    let stands = |market: &Market| OrderRepriced::of(market.last(Message::OrderRepriced)).price;
    assert_eq!(stands(&market), -7);
    market.special(typed(2, Buy, 1, OrderType::Pegged), pegged(Peg::Mid, 0));
    assert_eq!(stands(&market), -5);
    let capped = SpecialTerms { zero_price: true, ..pegged(Peg::Primary, 30) };
    let capped_order = SubmitOrder { options: options::POST_ONLY, ..typed(3, Buy, 1, OrderType::Pegged) };
    market.special(capped_order, capped);
    assert_eq!(stands(&market), -1, "its limit is 0, and a tick short of the offer is less");
    let free = SubmitOrder { options: options::SLIDE, ..mine(4, Buy, 1, 5) };
    market.order(free);
    assert_eq!(market.state(4), "ACCEPTED 0/1 at -1 stop 0");
    let said = market.order(typed(5, Buy, 6, OrderType::MarketToLimit));
    assert!(said.contains("TradeExecuted"), "{said}");
    assert_eq!(market.state(5), "ACCEPTED 3/6 at 0 stop 0");
    assert!(
        market.stage.order(5).has_price
            && !market.stage.order(1).has_price
            && market.stage.order(3).has_price
    );
    market.command(replace(5, -2, 0, 0));
    assert_eq!(market.state(5), "ACCEPTED 3/6 at -2 stop 0");
    market.check_replays();
    // Without a bid that is no peg there is nothing to follow, and no price: that is told, for 0 would be one.
    let mut market = Market::new();
    market.order(theirs(1, Buy, 10, -10));
    market.special(typed(1, Buy, 1, OrderType::Pegged), pegged(Peg::Primary, -3));
    assert_eq!(stands(&market), -13);
    assert!(!market.last(Message::OrderRepriced).has(flags::UNPRICED));
    market.order(SubmitOrder { time_in_force: TimeInForce::Ioc, ..theirs(2, Sell, 10, -10) });
    assert!(market.last(Message::OrderRepriced).has(flags::UNPRICED));
    market.check_replays();
}

#[test]
fn an_auction_finds_a_negative_price_or_zero_and_leans_to_a_reference_below() {
    for (reference_price, rows, expected) in [
        (0, vec![(Buy, 5, -3), (Sell, 5, -9)], -3),
        (-5, vec![(Buy, 5, -3), (Sell, 5, -9)], -5),
        (-20, vec![(Buy, 5, -3), (Sell, 5, -9)], -9),
        (7, vec![(Buy, 5, 0), (Sell, 9, 0)], 0),
        (3, vec![(Buy, 5, 4), (Sell, 3, -4), (Sell, 2, 0)], 3),
    ] {
        let mut market = Market::new();
        market.command(reference(reference_price));
        let session = |session: TradingSession| {
            command(0, SPREAD, ChangeTradingSession { session: session as u64, until: 0, reserved: [0; 2] })
        };
        market.command(session(TradingSession::OpeningAuction));
        for (id, (side, quantity, price)) in (1..).zip(rows) {
            let order =
                if side == Buy { mine(id, side, quantity, price) } else { theirs(id, side, quantity, price) };
            market.order(order);
        }
        let said = market.command(session(TradingSession::Continuous));
        assert!(said.contains("AuctionUncrossed TradeExecuted"), "{said}");
        let found = AuctionUncrossed::of(market.last(Message::AuctionUncrossed));
        assert_eq!((found.price, found.volume), (expected, 5));
        market.check_replays();
    }
}

#[test]
fn bands_have_an_absolute_width_and_tick_tables_rows_below_zero() {
    let bands = |share: u32, units: i64| {
        let body = SetPriceBands {
            static_width: share,
            dynamic_width: 0,
            on_breach: TradingSession::VolatilityAuction as u64,
            duration_ns: 0,
            reserved: 0,
        };
        let mut record = command(0, SPREAD, body);
        if units != 0 {
            record.push(BandWidthsPayload { static_units: units, dynamic_units: 0, reserved: [0; 3] });
        }
        record
    };
    let mut market = Market::new();
    assert_eq!(market.command(bands(100_000_000, 0)), "CommandRefused");
    assert_eq!(market.refusal(), (Rule::BandMustHaveAbsoluteWidth, 1, 0));
    assert_eq!(market.command(bands(0, -1)), "CommandRefused");
    assert_eq!(market.command(bands(100_000_000, 50)), "PriceBandsSet");
    market.order(mine(1, Buy, 1, -51));
    assert_eq!(market.refusal(), (Rule::PriceMustBeWithinBands, -50, -51));
    assert_eq!(market.order(mine(2, Buy, 1, -50)), "OrderSubmitted OrderAccepted BookLevelChanged");
    // A share of a larger price is wider: 10 % of 1,000 below zero.
    market.command(reference(-1_000));
    market.order(mine(3, Buy, 1, -1_101));
    assert_eq!(market.refusal(), (Rule::PriceMustBeWithinBands, -1_100, -1_101));
    for (from_price, tick) in [(-2_000, 25), (-100, 5), (0, 1)] {
        market.command(command(0, SPREAD, SetTickSize { from_price, tick, reserved: [0; 2] }));
    }
    market.order(mine(4, Buy, 1, -1_010));
    assert_eq!(market.refusal(), (Rule::PriceMustBeOnTick, 25, -1_010));
    assert_eq!(market.order(mine(5, Buy, 1, -1_000)), "OrderSubmitted OrderAccepted BookLevelChanged");
    market.check_replays();
}

#[test]
fn limits_measure_an_order_by_its_distance_from_zero_and_bounds_keep_sums_from_overflowing() {
    let mut market = Market::new();
    let limit = |kind: LimitKind, value: i64| {
        command(ACCOUNT, SPREAD, SetRiskLimit { limit: kind as u64, value, reserved: [0; 2] })
    };
    let worth = |price: i64, quantity: i64| i64::try_from(i128::from(price * quantity) * UNIT_NANO).unwrap();
    market.command(limit(LimitKind::MaxOrderNotional, worth(30, 1_000)));
    market.order(mine(1, Buy, 1_000, -31));
    assert_eq!(
        market.refusal(),
        (Rule::NotionalMustNotExceedLimit, i128::from(worth(30, 1_000)), i128::from(worth(31, 1_000)))
    );
    market.order(mine(2, Buy, 1_000, -30));
    assert_eq!(market.state(2), "ACCEPTED 0/1000 at -30 stop 0");
    // The mark is farther from zero than the limit: a buyer at 1 may trade there.
    market.command(limit(LimitKind::MaxOrderNotional, i64::MAX));
    market.order(theirs(1, Buy, 1, -90));
    market.order(theirs(2, Sell, 1, -90));
    market.order(SubmitOrder { time_in_force: TimeInForce::Ioc, ..mine(3, Sell, 1, -90) });
    market.command(limit(LimitKind::MaxOrderNotional, worth(89, 100)));
    market.order(theirs(3, Sell, 1, -90));
    market.order(mine(4, Buy, 1, -90));
    market.order(mine(5, Buy, 100, 1));
    assert_eq!(market.refusal().0, Rule::NotionalMustNotExceedLimit);
    market.command(limit(LimitKind::MaxOrderNotional, i64::MAX));
    market.order(mine(6, Buy, 1, -MAX_UNITS - 1));
    assert_eq!(
        market.refusal(),
        (Rule::FieldMustBeInRange, i128::from(MAX_UNITS), i128::from(-MAX_UNITS - 1))
    );
    market.order(mine(7, Buy, 1, i64::MIN));
    assert_eq!(market.refusal(), (Rule::FieldMustBeInRange, i128::from(MAX_UNITS), i128::from(i64::MIN)));
    market.order(mine(8, Buy, MAX_UNITS, -MAX_UNITS / 2));
    assert_eq!(market.refusal().0, Rule::NotionalMustBeInBounds);
    market.check_replays();
}

/// A stage of venue 0 of `kind` that lists [`SPREAD`].
fn elsewhere(kind: VenueKind) -> Stage {
    let mut stage = Stage::of(kind);
    stage.command(listing(SPREAD, 0, instrument_options::NEGATIVE_PRICES));
    stage
}

fn observe<B: Body>(stage: &mut Stage, instrument: u32, time: u64, body: B) -> String {
    let mut record = command(0, instrument, body);
    (record.head_mut().time, record.head_mut().flags) = (time, flags::LAST_OF_MESSAGE);
    crate::stage::told(&stage.run(record.slots())).join(" ")
}

fn filled_at(stage: &Stage) -> i64 {
    let filled = stage.output.iter().rev().find(|slot| slot.message == Message::OrderFilled as u16);
    OrderFilled::of(filled.unwrap()).last_price
}

#[test]
fn a_simulated_venue_takes_a_quote_of_zero_as_a_price_and_one_without_quantity_as_none() {
    let quote = |bid_price, bid_quantity, ask_price, ask_quantity| QuoteObserved {
        bid_price,
        bid_quantity,
        ask_price,
        ask_quantity,
    };
    let market = |id, side, instrument| SubmitOrder {
        order_type: OrderType::Market,
        ..SubmitOrder::limit(ACCOUNT, instrument, id, side, 0, 3)
    };
    let mut stage = elsewhere(VenueKind::Simulated);
    observe(&mut stage, SPREAD, 1, quote(-6, 10, 0, 10));
    assert_eq!(stage.engine().marks().get(SPREAD), Some(-3));
    stage.submit(&market(1, Buy, SPREAD));
    assert_eq!((filled_at(&stage), stage.order(1).state), (0, OrderState::Filled));
    stage.submit(&market(2, Sell, SPREAD));
    assert_eq!((filled_at(&stage), stage.order(2).state), (-6, OrderState::Filled));
    // A bid of zero waits; the offer comes down through it.
    stage.submit(&mine(3, Buy, 2, -1));
    observe(&mut stage, SPREAD, 2, quote(-9, 10, -4, 1));
    assert_eq!((filled_at(&stage), stage.order(3).state), (-1, OrderState::Filled));
    for nothing in [quote(-9, 10, 0, 0), quote(-9, 10, 5, 0), quote(-9, 10, -5, 0)] {
        observe(&mut stage, SPREAD, 3, nothing);
        let id = 10 + stage.output.len() as u64;
        stage.submit(&market(id, Buy, SPREAD));
        assert_eq!(stage.order(id).refusal().unwrap().rule, Rule::MarketMustHaveLiquidity);
        assert_eq!(stage.engine().marks().get(SPREAD), Some(-7), "a side without anything moves no mark");
    }
    // Where there is no price of zero it says that nobody offers, whatever the quantity.
    let plain = crate::stage::INSTRUMENT;
    observe(&mut stage, plain, 4, quote(100, 10, 101, 10));
    observe(&mut stage, plain, 5, quote(100, 10, 0, 10));
    stage.submit(&market(5, Buy, plain));
    assert_eq!(stage.order(5).refusal().unwrap().rule, Rule::MarketMustHaveLiquidity);
}

#[test]
fn a_remote_venue_fills_below_zero_only_what_may_trade_there() {
    let mut stage = elsewhere(VenueKind::Remote);
    let plain = SubmitOrder { instrument: crate::stage::INSTRUMENT, ..mine(2, Buy, 2_000, 5) };
    let cash = stage.cash();
    let orders = [(mine(1, Buy, 2_000, -3_763), "OrderFilled"), (plain, "ObservationUnmatched")];
    for (time, (order, fills)) in (1..).zip(orders) {
        stage.submit(&order);
        let order_id = stage.order(order.client_order_id).order_id;
        let accepted = VenueOrderAccepted { order_id, venue_order_id: 7, venue_time: 1, reserved: 0 };
        assert_eq!(observe(&mut stage, order.instrument, time, accepted), "OrderAccepted");
        let fill = VenueOrderFilled { order_id, trade_id: 1, price: -3_763, quantity: 2_000 };
        assert_eq!(observe(&mut stage, order.instrument, time, fill), fills);
    }
    let value = 3_763 * 2_000 * UNIT_NANO;
    let fee = value * i128::from(TAKER_RATE) / 1_000_000_000;
    assert_eq!(stage.cash() - cash, value - fee);
    assert_eq!(stage.engine().portfolio().quantity(ACCOUNT, SPREAD), 2_000);
    stage.submit(&mine(3, Sell, 1, 0));
    assert_eq!(stage.order(3).state, OrderState::PendingNew);
}

/// The limit of a price's distance from the mark is a share of the mark's distance from zero, and at zero of one price unit.
#[test]
fn a_price_band_of_risk_closes_as_the_mark_comes_to_zero_and_opens_behind_it() {
    let mut market = Market::new();
    let band = SetRiskLimit { limit: LimitKind::PriceBand as u64, value: 100_000_000, reserved: [0; 2] };
    assert!(!market.command(command(ACCOUNT, SPREAD, band)).contains("Refused"));
    let mut id = 1;
    for (mark, farthest) in [(1_000, 100), (-1_000, 100), (15, 1), (9, 0), (0, 0), (-9, 0), (-15, 1)] {
        id += 2;
        market.order(theirs(id, Sell, 1, mark));
        // A market order is not held to the band.
        let taker = SubmitOrder { order_type: OrderType::Market, ..mine(id + 1, Buy, 1, 0) };
        assert!(market.order(taker).contains("TradeExecuted"));
        assert_eq!(market.last_price(), Some(mark));
        for (distance, passes) in [(farthest, true), (farthest + 1, false)] {
            for price in [mark - distance, mark + distance] {
                id += 2;
                let told = market.order(mine(id, Buy, 1, price));
                assert_eq!(told.contains("OrderAccepted"), passes, "{price} at a mark of {mark}: {told}");
                if !passes {
                    let (share, center) = (1_000_000_000, i128::from(mark).abs().max(1));
                    let actual = (i128::from(distance) * share + center - 1) / center;
                    assert_eq!(market.refusal(), (Rule::PriceMustBeInBand, 100_000_000, actual));
                }
                market.command(crate::stage::cancel(id));
            }
        }
    }
}

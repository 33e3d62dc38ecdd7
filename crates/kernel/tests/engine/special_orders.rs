//! Every order type through the node: state saved, restored and hashed at every record, replay equal from each.

use openbell_kernel::book::SelfTradeAction;
use openbell_kernel::command::{
    CancelOrder, EngageKillSwitch, MassCancel, ReplaceOrder, SetSelfTradePrevention, SubmitOrder,
    SubmitOrderBody,
};
use openbell_kernel::engine::{AnyVenue, Engine};
use openbell_kernel::event::{OrderCanceled, OrderReplaced, OrdersMassCanceled, RefusalPayload};
use openbell_kernel::message::Message;
use openbell_kernel::observation::TradeObserved;
use openbell_kernel::record::{Body, RecordBuffer, Slot, flags, payload};
use openbell_kernel::rules::Rule;
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::state::{State, StateWriter};
use openbell_kernel::terms::{
    OrderState, OrderType, Peg, Side, Sizing, TimeInForce, TrailBy, TriggerBy, VenueKind, options,
};

use Side::{Buy, Sell};

use crate::stage::{ACCOUNT, INSTRUMENT, Stage, bytes, command, deposit, opening, replay, restored, told};

const OTHER: u32 = 2;

/// A stage of our own venue that restores a copy after every record.
struct Floor {
    stage: Stage,
    saved: Vec<(Vec<u8>, usize)>,
}

impl Floor {
    /// A market of 10 at 9,900 and 10 at 10,100 of the other account, which last traded at 10,000.
    fn quoted() -> Self {
        let mut floor = Floor { stage: Stage::of(VenueKind::Matching), saved: Vec::new() };
        for record in [opening(OTHER), deposit(OTHER)] {
            floor.command(record);
        }
        floor.order(SubmitOrder::limit(ACCOUNT, INSTRUMENT, 901, Sell, 10_000, 1));
        floor.order(SubmitOrder::limit(OTHER, INSTRUMENT, 902, Buy, 10_000, 1));
        floor.order(SubmitOrder::limit(OTHER, INSTRUMENT, 903, Buy, 9_900, 10));
        floor.order(SubmitOrder::limit(OTHER, INSTRUMENT, 904, Sell, 10_100, 10));
        floor
    }

    fn command(&mut self, record: RecordBuffer) -> String {
        let events = self.stage.command(record);
        self.save();
        told(&events).join(" ")
    }

    fn order(&mut self, order: SubmitOrder) -> String {
        self.command(order.to_record())
    }

    fn special(&mut self, order: SubmitOrder, special: SpecialTerms) -> String {
        self.command(order.to_record_with(&special))
    }

    fn save(&mut self) {
        let (hash, tape) = (self.stage.node.state_hash(), self.stage.tape.slots().len());
        let saved = bytes(self.stage.engine());
        assert_eq!(restored(&saved).state_hash(), hash, "a restored engine has the same hash");
        self.saved.push((saved, tape));
    }

    fn state(&self, client_order_id: u64) -> String {
        let order = self.stage.order(client_order_id);
        let terms = order.terms;
        format!(
            "{} {}/{} at {} stop {}",
            order.state.name(),
            order.cumulative_quantity,
            terms.quantity,
            terms.price,
            terms.stop_price
        )
    }

    /// Price and quantity as the last `OrderReplaced` told them.
    fn replaced(&self) -> (i64, i64) {
        let is_it = |slot: &&Slot| slot.message == Message::OrderReplaced as u16;
        let told = OrderReplaced::of(self.stage.output.iter().rev().find(is_it).unwrap());
        (told.price, told.quantity)
    }

    /// Replays the tape from the start and from every saved state.
    fn check_replays(mut self) {
        let (hash, tape) = (self.stage.node.state_hash(), self.stage.tape.slots());
        let (mut again, output) = replay(Engine::new(0), &tape);
        assert_eq!((again.state_hash(), again.output_hash()), (hash, self.stage.node.output_hash()));
        assert_eq!(output, self.stage.output);
        for (saved, at) in &self.saved {
            let sequence = at.checked_sub(1).map_or(0, |last| tape[last].sequence);
            let (mut node, later) = replay(restored(saved), &tape[*at..]);
            let after = self.stage.output.iter().filter(|slot| slot.sequence > sequence);
            assert_eq!(later, after.copied().collect::<Vec<Slot>>(), "after sequence {sequence}");
            assert_eq!(node.state_hash(), hash, "the end after sequence {sequence}");
        }
    }
}

fn mine(client_order_id: u64, side: Side, quantity: i64, price: i64) -> SubmitOrder {
    SubmitOrder::limit(ACCOUNT, INSTRUMENT, client_order_id, side, price, quantity)
}

fn typed(client_order_id: u64, side: Side, quantity: i64, order_type: OrderType) -> SubmitOrder {
    SubmitOrder { order_type, ..mine(client_order_id, side, quantity, 0) }
}

const NONE: SpecialTerms = SpecialTerms {
    display_quantity: 0,
    minimum_quantity: 0,
    trail: 0,
    trail_by: None,
    limit_offset: 0,
    peg: None,
    peg_offset: 0,
    trigger_by: None,
    self_trade: None,
    self_trade_group: 0,
    zero_price: false,
    zero_stop_price: false,
};

fn pegged(peg: Peg, peg_offset: i64) -> SpecialTerms {
    SpecialTerms { peg: Some(peg), peg_offset, ..NONE }
}

fn trailing(trail: i64) -> SpecialTerms {
    SpecialTerms { trail, trail_by: Some(TrailBy::Amount), ..NONE }
}

fn trade_observed(price: i64, time: u64) -> RecordBuffer {
    let body = TradeObserved { price, quantity: 1, trade_id: 1, exchange_time: time };
    let mut record = command(0, INSTRUMENT, body);
    (record.head_mut().time, record.head_mut().flags) = (time, flags::LAST_OF_MESSAGE);
    record
}

#[test]
fn a_plain_order_that_takes_what_is_hidden_or_in_reserve_fills_it() {
    let hidden =
        SubmitOrder { options: options::HIDDEN, ..SubmitOrder::limit(ACCOUNT, INSTRUMENT, 1, Buy, 9_950, 6) };
    let iceberg = SpecialTerms { display_quantity: 2, ..SpecialTerms::default() };
    let mut floor = Floor::quoted();
    floor.order(hidden);
    floor.special(SubmitOrder::limit(ACCOUNT, INSTRUMENT, 2, Buy, 9_940, 6), iceberg);
    let said = floor.order(SubmitOrder::limit(OTHER, INSTRUMENT, 905, Sell, 9_940, 11));
    assert_eq!(said.matches("OrderFilled").count(), 2 * said.matches("TradeExecuted").count(), "{said}");
    assert_eq!(floor.state(1), "FILLED 6/6 at 9950 stop 0");
    assert_eq!(floor.state(2), "ACCEPTED 5/6 at 9940 stop 0");
}

#[test]
fn what_an_order_says_beside_its_terms_goes_with_it_when_a_plain_order_fills_it() {
    let filled = |special: SpecialTerms| {
        let mut floor = Floor::quoted();
        floor.special(SubmitOrder::limit(ACCOUNT, INSTRUMENT, 1, Sell, 10_050, 5), special);
        floor.order(SubmitOrder::limit(OTHER, INSTRUMENT, 905, Buy, 10_050, 5));
        assert_eq!(floor.state(1), "FILLED 5/5 at 10050 stop 0");
        venue(floor.stage.engine())
    };
    let of_a_group = SpecialTerms { self_trade_group: 7, ..SpecialTerms::default() };
    assert_eq!(filled(of_a_group), filled(SpecialTerms::default()), "nothing is left of it");
}

#[test]
fn a_day_of_every_order_type_replays_and_restores_to_the_same_bytes() {
    let mut floor = Floor::quoted();
    let touched = SubmitOrder { stop_price: 9_800, ..typed(1, Buy, 2, OrderType::MarketIfTouched) };
    assert_eq!(floor.order(touched), "OrderSubmitted OrderAccepted");
    let limit_touched =
        SubmitOrder { stop_price: 10_200, price: 10_300, ..typed(2, Sell, 2, OrderType::LimitIfTouched) };
    floor.special(limit_touched, SpecialTerms { trigger_by: Some(TriggerBy::Mark), ..NONE });
    let said = floor.special(typed(3, Sell, 2, OrderType::TrailingStop), trailing(300));
    assert_eq!(said, "OrderSubmitted OrderAccepted OrderRepriced");
    assert_eq!(floor.state(3), "ACCEPTED 0/2 at 0 stop 9700");
    let percent =
        SpecialTerms { trail: 50_000_000, trail_by: Some(TrailBy::Percent), limit_offset: 5, ..NONE };
    floor.special(typed(4, Buy, 2, OrderType::TrailingStopLimit), percent);
    assert_eq!(floor.state(4), "ACCEPTED 0/2 at 10505 stop 10500");
    let said = floor.order(typed(5, Buy, 3, OrderType::MarketToLimit));
    assert_eq!(
        said,
        "OrderSubmitted OrderAccepted OrderRepriced TradeExecuted OrderFilled OrderFilled BookLevelChanged OrderRepriced"
    );
    assert_eq!(floor.state(3), "ACCEPTED 0/2 at 0 stop 9800");
    let said = floor.special(typed(6, Buy, 5, OrderType::Pegged), pegged(Peg::Primary, -50));
    assert_eq!(said, "OrderSubmitted OrderAccepted OrderRepriced BookLevelChanged");
    floor.special(mine(7, Buy, 9, 9_850), SpecialTerms { display_quantity: 3, ..NONE });
    floor.order(SubmitOrder { options: options::HIDDEN, ..mine(8, Buy, 4, 9_990) });
    floor.order(SubmitOrder { options: options::ALL_OR_NONE, ..mine(9, Buy, 50, 10_100) });
    floor.order(SubmitOrder { options: options::SLIDE, ..mine(10, Buy, 1, 10_500) });
    assert_eq!(floor.state(10), "ACCEPTED 0/1 at 10099 stop 0");
    floor.special(mine(11, Sell, 4, 9_900), SpecialTerms { minimum_quantity: 50, ..NONE });
    assert_eq!(floor.stage.order(11).refusal().unwrap().rule, Rule::MinimumMustNotExceedQuantity);
    floor.order(SubmitOrder { options: options::REDUCE_ONLY, ..mine(12, Sell, 9, 10_400) });
    let record = trade_observed(10_250, floor.stage.node.time() + 1);
    let events = floor.stage.run(record.slots());
    assert_eq!(told(&events).join(" "), "OrderTriggered BookLevelChanged");
    floor.save();
    let mut replace =
        command(ACCOUNT, 0, ReplaceOrder { client_order_id: 7, price: 0, quantity: 8, stop_price: 0 });
    SpecialTerms { display_quantity: 4, ..NONE }.push_new(&mut replace);
    assert_eq!(floor.command(replace), "OrderPending OrderReplaced BookLevelChanged BookLevelChanged");
    floor.order(SubmitOrder::limit(OTHER, INSTRUMENT, 19, Buy, 9_750, 2));
    let said = floor.order(SubmitOrder::limit(OTHER, INSTRUMENT, 20, Sell, 9_700, 30));
    assert!(said.contains("OrderTriggered"), "{said}");
    assert_eq!(floor.stage.order(3).state, OrderState::Canceled, "it found nobody left");
    floor.check_replays();
}

#[test]
fn what_makes_no_sense_is_denied_by_its_rule_and_the_venue_stays_as_it_was() {
    const KNOWN: i128 = options::ALL as i128;
    let display = |display_quantity| SpecialTerms { display_quantity, ..NONE };
    let minimum = |minimum_quantity| SpecialTerms { minimum_quantity, ..NONE };
    let percent = |trail| SpecialTerms { trail, trail_by: Some(TrailBy::Percent), ..NONE };
    let with = |order: SubmitOrder, options: u16| SubmitOrder { options, ..order };
    let limit = mine(1, Buy, 5, 9_000);
    let market = typed(1, Buy, 5, OrderType::Market);
    let trail = typed(1, Sell, 5, OrderType::TrailingStop);
    let trail_limit = typed(1, Sell, 5, OrderType::TrailingStopLimit);
    let peg = typed(1, Buy, 5, OrderType::Pegged);
    let touched = typed(1, Buy, 5, OrderType::MarketIfTouched);
    let rows: Vec<(SubmitOrder, SpecialTerms, Rule, i128, i128)> = vec![
        (limit, display(6), Rule::DisplayMustNotExceedQuantity, 5, 6),
        (limit, display(-1), Rule::QuantityMustBePositive, 1, -1),
        (limit, minimum(6), Rule::MinimumMustNotExceedQuantity, 5, 6),
        (market, display(2), Rule::TermsMustFitOrderType, 0, 1),
        (with(market, options::HIDDEN), NONE, Rule::TermsMustFitOrderType, 0, 1),
        (with(limit, options::HIDDEN), display(2), Rule::TermsMustFitOrderType, 0, 2),
        (with(limit, options::ALL_OR_NONE), display(2), Rule::TermsMustFitOrderType, 0, 2),
        (with(limit, options::ALL_OR_NONE | options::POST_ONLY), NONE, Rule::TermsMustFitOrderType, 0, 2),
        (
            with(typed(1, Buy, 5, OrderType::MarketToLimit), options::ALL_OR_NONE),
            NONE,
            Rule::TermsMustFitOrderType,
            0,
            9,
        ),
        (
            with(SubmitOrder { time_in_force: TimeInForce::AtOpen, ..limit }, options::ALL_OR_NONE),
            NONE,
            Rule::TermsMustFitOrderType,
            0,
            2,
        ),
        (with(market, options::SLIDE), NONE, Rule::TermsMustFitOrderType, 0, 1),
        (limit, trailing(5), Rule::TermsMustFitOrderType, 0, 2),
        (limit, pegged(Peg::Mid, 0), Rule::TermsMustFitOrderType, 0, 2),
        (
            limit,
            SpecialTerms { trigger_by: Some(TriggerBy::Mark), ..NONE },
            Rule::TermsMustFitOrderType,
            0,
            2,
        ),
        (trail, NONE, Rule::TermsMustFitOrderType, 0, 7),
        (trail, trailing(0), Rule::TrailMustBePositive, 1, 0),
        (trail, trailing(-3), Rule::TrailMustBePositive, 1, -3),
        (trail, percent(1_000_000_000), Rule::TrailMustBeInBounds, 999_999_999, 1_000_000_000),
        (trail_limit, SpecialTerms { limit_offset: -1, ..trailing(5) }, Rule::TermsMustFitOrderType, 0, 8),
        (trail, SpecialTerms { limit_offset: 1, ..trailing(5) }, Rule::TermsMustFitOrderType, 0, 7),
        (peg, NONE, Rule::TermsMustFitOrderType, 0, 10),
        (
            SubmitOrder { time_in_force: TimeInForce::Ioc, ..peg },
            pegged(Peg::Mid, 0),
            Rule::TermsMustFitOrderType,
            0,
            10,
        ),
        (touched, NONE, Rule::PriceMustBePositive, 1, 0),
        (SubmitOrder { sizing: Sizing::Percent, ..limit }, display(1), Rule::SizingMustBeSupported, 0, 1),
        (SubmitOrder { price: -5, ..peg }, pegged(Peg::Mid, 0), Rule::PriceMustBePositive, 1, -5),
        (mine(1, Buy, 0, 9_000), display(0), Rule::QuantityMustBePositive, 1, 0),
        (
            SubmitOrder { options: options::ASIDE, ..limit },
            NONE,
            Rule::TermsMustBeKnown,
            KNOWN,
            options::ASIDE.into(),
        ),
        (SubmitOrder { options: 1 << 9, ..limit }, NONE, Rule::TermsMustBeKnown, KNOWN, 1 << 9),
    ];
    for (row, (order, special, rule, limit, actual)) in rows.into_iter().enumerate() {
        let mut floor = Floor::quoted();
        let before = venue(floor.stage.engine());
        let events = floor.stage.command(order.to_record_with(&special));
        assert_eq!(told(&events), ["OrderDenied"], "row {row}");
        let refusal = payload::<RefusalPayload>(&events).unwrap();
        let named = Rule::from_number(events[0].body[2] as u16).unwrap();
        assert_eq!((named, refusal.limit(), refusal.actual()), (rule, limit, actual), "row {row}");
        assert_eq!(venue(floor.stage.engine()), before, "row {row}");
        floor.save();
        floor.check_replays();
    }
}

fn venue(engine: &Engine) -> Vec<u8> {
    let mut out = StateWriter::new();
    engine.venues()[0].write(&mut out);
    out.into_bytes()
}

#[test]
fn numbers_that_name_no_term_are_denied() {
    for word in 3..5 {
        let mut floor = Floor::quoted();
        let mut record = typed(1, Sell, 5, OrderType::TrailingStop)
            .to_record_with(&SpecialTerms { limit_offset: 7, ..trailing(5) });
        // The words of the last continuation: trail, limit offset, peg offset, names, reserved.
        let last = record.slots().len() - 1;
        let mut continuation = record.slots()[last].as_continuation();
        continuation.payload[3] |= 99 << (8 * (word - 3) + 8);
        record.slots_mut()[last] = continuation.as_slot();
        let events = floor.stage.command(record);
        assert_eq!(told(&events), ["OrderDenied"]);
        assert_eq!(events[0].body[2], Rule::TermsMustBeKnown as u64);
    }
}

#[test]
fn new_terms_are_told_by_what_the_order_stands_at_a_trailing_one_by_its_stop_until_that_has_come() {
    let replace = |price: i64, stop_price: i64, quantity: i64| {
        command(ACCOUNT, 0, ReplaceOrder { client_order_id: 1, price, quantity, stop_price })
    };
    let mut floor = Floor::quoted();
    let terms = SpecialTerms { limit_offset: 40, ..trailing(50) };
    floor.special(typed(1, Sell, 3, OrderType::TrailingStopLimit), terms);
    assert_eq!(floor.state(1), "ACCEPTED 0/3 at 9910 stop 9950");
    floor.command(replace(0, 9_960, 0));
    assert_eq!(floor.replaced(), (9_960, 3));
    // A trade at 9,900 brings its stop; nobody buys at its limit, so it rests there.
    floor.order(SubmitOrder::limit(OTHER, INSTRUMENT, 20, Sell, 9_900, 10));
    assert_eq!(floor.state(1), "ACCEPTED 0/3 at 9920 stop 9960");
    floor.command(replace(9_930, 0, 0));
    assert_eq!(floor.replaced(), (9_930, 3));
    floor.command(replace(0, 0, 2));
    assert_eq!(floor.replaced(), (9_930, 2));
    floor.check_replays();
}

#[test]
fn the_same_special_order_again_is_answered_once_and_other_terms_under_its_id_are_refused() {
    let mut floor = Floor::quoted();
    let (order, terms) = (mine(1, Buy, 9, 9_800), SpecialTerms { display_quantity: 3, ..NONE });
    assert_eq!(floor.special(order, terms), "OrderSubmitted OrderAccepted BookLevelChanged");
    assert_eq!(floor.special(order, terms), "OrderAccepted");
    assert_eq!(floor.order(order), "OrderDenied");
    assert_eq!(floor.special(order, SpecialTerms { display_quantity: 4, ..NONE }), "OrderDenied");
    floor.check_replays();
}

#[test]
fn a_mass_cancel_takes_back_what_all_its_restrictions_leave() {
    let mass = |account: u32, instrument: u32, side: u64| {
        command(account, instrument, MassCancel { side, participant: 0, session: 0, reserved: 0 })
    };
    let mut floor = Floor::quoted();
    floor.order(mine(1, Buy, 1, 9_700));
    floor.order(mine(2, Sell, 1, 10_700));
    floor.special(typed(3, Sell, 1, OrderType::TrailingStop), trailing(50));
    floor.special(typed(4, Buy, 1, OrderType::Pegged), pegged(Peg::Primary, -50));
    let said = floor.command(mass(ACCOUNT, INSTRUMENT, Sell as u64));
    assert_eq!(said.matches("OrderCanceled").count(), 2, "{said}");
    assert!(said.ends_with("OrdersMassCanceled"), "{said}");
    assert_eq!(floor.state(1), "ACCEPTED 0/1 at 9700 stop 0");
    assert_eq!(floor.command(mass(0, 7, 0)), "CommandRefused");
    assert_eq!(floor.command(mass(9, 0, 0)), "CommandRefused");
    assert_eq!(floor.command(mass(0, 0, 3)), "CommandRefused");
    let said = floor.command(mass(0, 0, 0));
    assert_eq!(said.matches("OrderCanceled").count(), 4, "{said}");
    assert_eq!(floor.stage.engine().orders().open().count(), 0);
    floor.check_replays();
}

#[test]
fn a_mass_cancel_by_session_takes_what_that_session_of_the_account_entered() {
    let mass = |account: u32, instrument: u32, side: u64, session: u64| {
        command(account, instrument, MassCancel { side, participant: 0, session, reserved: 0 })
    };
    let by = |session: u16, order: SubmitOrder| SubmitOrder { session, ..order };
    let mut floor = Floor::quoted();
    let buy = by(3, mine(1, Buy, 1, 9_700));
    floor.order(buy);
    floor.order(by(3, mine(2, Sell, 1, 10_700)));
    floor.order(by(4, mine(3, Buy, 1, 9_700)));
    floor.order(by(3, SubmitOrder { account: OTHER, ..mine(4, Buy, 1, 9_700) }));
    // Another session asks for the same order and for other terms: it stays one order, of the session that entered it.
    assert_eq!(floor.order(by(4, buy)), "OrderAccepted");
    assert_eq!(floor.order(by(4, SubmitOrder { price: 9_600, ..buy })), "OrderDenied");
    let replaced = floor.command(command(
        ACCOUNT,
        0,
        ReplaceOrder { client_order_id: 2, price: 10_800, quantity: 0, stop_price: 0 },
    ));
    assert!(replaced.contains("OrderReplaced"), "{replaced}");
    for (account, instrument, side, session, canceled) in [
        (ACCOUNT, 0, 0, 5, 0),
        (ACCOUNT, INSTRUMENT, Sell as u64, 4, 0),
        (ACCOUNT, INSTRUMENT, Sell as u64, 3, 1),
        (ACCOUNT, 0, 0, 3, 1),
    ] {
        let said = floor.command(mass(account, instrument, side, session));
        assert_eq!(said.matches("OrderCanceled").count(), canceled, "{said}");
        assert!(said.ends_with("OrdersMassCanceled"), "{said}");
    }
    let told = OrdersMassCanceled::of(
        floor
            .stage
            .output
            .iter()
            .rev()
            .find(|slot| slot.message == Message::OrdersMassCanceled as u16)
            .unwrap(),
    );
    assert_eq!((told.orders, told.session), (1, 3));
    let open: Vec<_> =
        floor.stage.engine().orders().open().filter(|order| order.request.session != 0).collect();
    let left: Vec<_> = open.iter().map(|order| (order.request.account, order.request.session)).collect();
    assert_eq!(left, [(ACCOUNT, 4), (OTHER, 3)]);
    assert_eq!(floor.command(mass(0, 0, 0, 3)), "CommandRefused");
    assert_eq!(floor.command(mass(ACCOUNT, 0, 0, 1 << 16)), "CommandRefused");
    floor.check_replays();
}

#[test]
fn a_mass_cancel_after_a_long_day_cancels_oldest_first_restored_or_not() {
    let mut floor = Floor::quoted();
    let open = |stage: &Stage, account: u32| -> Vec<u64> {
        let mine = stage.engine().orders().open().filter(|order| order.request.account == account);
        mine.map(|order| order.order_id).collect()
    };
    for id in 1..=1_500 {
        let account = if id % 3 == 0 { OTHER } else { ACCOUNT };
        floor.stage.command(SubmitOrder { account, ..mine(id, Buy, 1, 9_000 + (id % 7) as i64) }.to_record());
        if id % 50 != 0 {
            floor.stage.command(command(account, 0, CancelOrder { client_order_id: id, reserved: [0; 3] }));
        }
    }
    floor.save();
    let (expected, others) = (open(&floor.stage, ACCOUNT), open(&floor.stage, OTHER));
    assert_eq!((expected.len(), others.len()), (20, 11));
    let everything = MassCancel { side: 0, participant: 0, session: 0, reserved: 0 };
    let events = floor.stage.command(command(ACCOUNT, 0, everything));
    let canceled = events.iter().filter(|slot| slot.message == Message::OrderCanceled as u16);
    let canceled: Vec<u64> = canceled.map(|slot| OrderCanceled::of(slot).order_id).collect();
    assert_eq!(canceled, expected);
    assert_eq!((open(&floor.stage, ACCOUNT), open(&floor.stage, OTHER)), (vec![], others));
    floor.check_replays();
}

#[test]
fn nothing_trades_within_a_mass_cancel() {
    let everything = MassCancel { side: 0, participant: 0, session: 0, reserved: 0 };
    let session = MassCancel { session: 7, ..everything };
    let kill = EngageKillSwitch { reason: 1, reserved: [0; 3] };
    for (record, left) in
        [(command(0, 0, everything), 0), (command(ACCOUNT, 0, session), 2), (command(ACCOUNT, 0, kill), 2)]
    {
        let mut floor = Floor::quoted();
        let by_opposite_best = SpecialTerms { trigger_by: Some(TriggerBy::OppositeBest), ..NONE };
        let entered = |order: SubmitOrder| SubmitOrder { session: 7, ..order };
        floor.order(entered(mine(1, Sell, 2, 10_050)));
        floor.special(
            SubmitOrder { stop_price: 10_070, ..entered(typed(2, Buy, 5, OrderType::Stop)) },
            by_opposite_best,
        );
        floor.order(entered(mine(3, Sell, 11, 10_080)));
        // The first cancel lifts the best offer to where the stop waits for it, and to where its account sells.
        let said = floor.command(record);
        assert!(!said.contains("OrderFilled") && !said.contains("OrderTriggered"), "{said}");
        assert_eq!(floor.stage.engine().orders().open().count(), left);
        floor.check_replays();
    }
}

#[test]
fn self_trades_are_prevented_by_account_and_by_group_once_that_is_set() {
    let set = |account: u32, group: u64, action: u64| {
        command(account, 0, SetSelfTradePrevention { group, action, reserved: [0; 2] })
    };
    let mut floor = Floor::quoted();
    assert_eq!(floor.command(set(9, 0, 1)), "CommandRefused");
    assert_eq!(floor.command(set(ACCOUNT, 0, 5)), "CommandRefused");
    assert_eq!(floor.command(set(ACCOUNT, 1 << 32, 1)), "CommandRefused");
    let decrement = SelfTradeAction::DecrementAndCancel as u64;
    assert_eq!(floor.command(set(ACCOUNT, 5, decrement)), "SelfTradePreventionSet");
    assert_eq!(floor.command(set(OTHER, 5, 0)), "SelfTradePreventionSet");
    let said = floor.order(mine(1, Buy, 4, 10_100));
    assert_eq!(said, "OrderSubmitted OrderAccepted OrderReduced OrderCanceled BookLevelChanged");
    assert_eq!(floor.state(1), "CANCELED 0/4 at 10100 stop 0");
    let theirs = floor.stage.engine().orders().by_client_id(OTHER, 904).unwrap();
    assert_eq!((theirs.terms.quantity, theirs.cumulative_quantity), (6, 0));
    floor.check_replays();
}

#[test]
fn plain_orders_keep_the_bytes_they_had() {
    let order = mine(1, Buy, 5, 9_000);
    let record = order.to_record();
    assert_eq!(record.slots().len(), 1);
    assert_eq!(SubmitOrderBody::of(&record.slots()[0]).terms.options, 0);
    assert_eq!(SpecialTerms::from_record(record.slots(), &order), Ok(None));
    let mut floor = Floor::quoted();
    floor.order(order);
    let AnyVenue::Matching(_) = &floor.stage.engine().venues()[0] else { panic!("our venue") };
    assert!(floor.stage.engine().orders().special(floor.stage.order(1).order_id).is_none());
    let submitted = floor.stage.output.iter().find(|slot| slot.message == Message::OrderSubmitted as u16);
    assert_eq!(submitted.unwrap().slots, 2);
}

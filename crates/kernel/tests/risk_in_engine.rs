//! The risk gate as the engine drives it, over linked orders at a remote venue whose answers are scripted.
#![allow(clippy::unwrap_used)]

use openbell_kernel::command::{
    CancelOrder, ConfigureVenue, DefineCurrency, DepositCash, InstrumentPayload, ListInstrument, OpenAccount,
    SetRiskLimit, SubmitOrder, TextPayload,
};
use openbell_kernel::engine::Engine;
use openbell_kernel::observation::{QuoteObserved, VenueFillPayload, VenueOrderAccepted, VenueOrderFilled};
use openbell_kernel::orders::Order;
use openbell_kernel::record::{RecordBuffer, flags, stamp};
use openbell_kernel::risk::LimitKind;
use openbell_kernel::rules::Rule;
use openbell_kernel::terms::{OrderState, Side, VenueKind, options};

const ACCOUNT: u32 = 1;
const SHARE: u32 = 1;
const UNIT: i64 = 1_000_000_000;

struct Desk {
    engine: Engine,
    sequence: u64,
}

impl Desk {
    /// One share at 100.00, one account of 10,000 that may sell short.
    fn new() -> Self {
        let mut desk = Desk { engine: Engine::new(0), sequence: 0 };
        desk.tell(RecordBuffer::new(ConfigureVenue {
            venue: 0,
            kind: VenueKind::Remote as u32,
            currency: 0,
            reserved: [0; 2],
        }));
        let mut dollar = RecordBuffer::new(DefineCurrency { currency: 1, reserved: [0; 3] });
        dollar.push(TextPayload::new("USD"));
        desk.tell(dollar);
        let mut share = RecordBuffer::new(ListInstrument {
            price_unit_nano: UNIT / 100,
            quantity_unit_nano: UNIT,
            multiplier_nano: UNIT,
            currency: 1,
            venue: 0,
        });
        share.push(InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] });
        share.push(TextPayload::new("SHARE"));
        desk.tell(share);
        desk.tell(RecordBuffer::new(OpenAccount { currency: 1, shorting: 1, reserved: [0; 2] }));
        let amount_nano = 10_000 * UNIT;
        desk.tell(RecordBuffer::new(DepositCash { amount_nano, currency: 1, reserved: [0; 2] }));
        let quote = QuoteObserved { bid_price: 9_999, bid_quantity: 1, ask_price: 10_001, ask_quantity: 1 };
        let mut quote = RecordBuffer::new(quote);
        quote.head_mut().flags |= flags::LAST_OF_MESSAGE;
        desk.tell(quote);
        desk
    }

    /// Applies the record as the next one, for the account and the share; returns its sequence.
    fn tell(&mut self, mut record: RecordBuffer) -> u64 {
        self.sequence += 1;
        record.head_mut().account = ACCOUNT;
        record.head_mut().instrument = SHARE;
        stamp(record.slots_mut(), self.sequence, self.sequence);
        self.engine.apply(record.slots()).unwrap();
        self.sequence
    }

    fn limit(mut self, kind: LimitKind, value: i64) -> Self {
        let mut record = RecordBuffer::new(SetRiskLimit { limit: kind as u64, value, reserved: [0; 2] });
        record.head_mut().account = ACCOUNT;
        self.tell(record);
        self
    }

    fn submit(&mut self, order: SubmitOrder) -> u64 {
        self.tell(order.to_record())
    }

    fn fill(&mut self, client_order_id: u64, quantity: i64) {
        let order_id = self.order(client_order_id).order_id;
        let venue_order_id = order_id;
        self.tell(RecordBuffer::new(VenueOrderAccepted {
            order_id,
            venue_order_id,
            venue_time: 0,
            reserved: 0,
        }));
        let trade_id = self.sequence;
        let mut fill = RecordBuffer::new(VenueOrderFilled { order_id, trade_id, price: 10_000, quantity });
        fill.push(VenueFillPayload { venue_time: 0, fee_nano: 0, fee_known: 1, liquidity: 2, reserved: 0 });
        self.tell(fill);
    }

    fn order(&self, client_order_id: u64) -> &Order {
        self.engine.orders().by_client_id(ACCOUNT, client_order_id).unwrap()
    }

    fn outcome(&self, client_order_id: u64) -> (OrderState, Option<Rule>) {
        let order = self.order(client_order_id);
        (order.state, order.refusal().map(|refusal| refusal.rule))
    }
}

fn order(client_order_id: u64, side: Side, price: i64, quantity: i64) -> SubmitOrder {
    SubmitOrder::limit(ACCOUNT, SHARE, client_order_id, side, price, quantity)
}

/// Takes the quantity that its parent fills.
fn child(client_order_id: u64, side: Side, price: i64) -> SubmitOrder {
    SubmitOrder { parent: 1, ..order(client_order_id, side, price, 0) }
}

#[test]
fn a_released_child_is_held_to_the_limits_and_reserved() {
    let mut desk = Desk::new().limit(LimitKind::MaxPosition, 15);
    desk.submit(order(1, Side::Buy, 10_000, 10));
    desk.submit(child(2, Side::Buy, 9_000));
    desk.submit(child(3, Side::Sell, 11_000));
    assert_eq!(desk.engine.risk().open_quantity(ACCOUNT, SHARE), (10, 0), "children wait");
    desk.fill(1, 10);
    assert_eq!(desk.outcome(2), (OrderState::Denied, Some(Rule::PositionMustNotExceedLimit)));
    assert_eq!(desk.outcome(3), (OrderState::PendingNew, None));
    assert_eq!(desk.engine.risk().open_quantity(ACCOUNT, SHARE), (0, 10));
    assert_eq!(desk.engine.risk().open_orders(ACCOUNT), 1);
}

#[test]
fn orders_that_wait_count_as_open_until_they_end() {
    let mut desk = Desk::new().limit(LimitKind::MaxOpenOrders, 2);
    desk.submit(order(1, Side::Buy, 10_000, 10));
    desk.submit(child(2, Side::Sell, 11_000));
    desk.submit(child(3, Side::Sell, 12_000));
    assert_eq!(desk.outcome(3), (OrderState::Denied, Some(Rule::OpenOrdersMustNotExceedLimit)));
    desk.tell(RecordBuffer::new(CancelOrder { client_order_id: 2, reserved: [0; 3] }));
    assert_eq!(desk.engine.risk().open_orders(ACCOUNT), 1);
    desk.submit(child(4, Side::Sell, 12_000));
    desk.fill(1, 10);
    assert_eq!(desk.outcome(4), (OrderState::PendingNew, None));
    assert_eq!(desk.engine.risk().open_orders(ACCOUNT), 1);
}

#[test]
fn a_protective_child_goes_out_although_an_overfill_engaged_the_kill_switch() {
    let mut desk = Desk::new();
    desk.submit(order(1, Side::Buy, 10_000, 10));
    desk.submit(SubmitOrder { options: options::REDUCE_ONLY, ..child(2, Side::Sell, 11_000) });
    desk.fill(1, 12);
    assert!(desk.engine.risk().is_killed(ACCOUNT));
    assert_eq!(desk.outcome(2), (OrderState::PendingNew, None));
    assert_eq!(desk.order(2).terms.quantity, 12);
    desk.submit(order(3, Side::Sell, 10_000, 1));
    assert_eq!(desk.outcome(3), (OrderState::Denied, Some(Rule::KillSwitchMustBeOff)));
}

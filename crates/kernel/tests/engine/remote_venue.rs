//! A remote venue beyond one order's life: the outbox, linked orders, repeated requests, reports about nothing we sent.

use openbell_kernel::command::SubmitOrder;
use openbell_kernel::record::flags;
use openbell_kernel::terms::{OrderType, Side, Sizing, options};
use openbell_kernel::venue::VenueRequest;

use crate::scene::*;
use crate::stage::{ACCOUNT, DEPOSIT_NANO, INSTRUMENT, command, told};

#[test]
fn an_answer_to_an_order_the_venue_never_got_is_kept_visible() {
    let mut scene = Scene::new();
    for (time, order_id) in [(1, 0), (2, 7), (3, u64::MAX)] {
        for step in [Accepted, Filled(1, 5), Canceled, NeverSeen] {
            assert_eq!(told(&scene.answer(order_id, time, step)), ["ObservationUnmatched"], "{step:?}");
        }
    }
    assert_eq!((scene.stage.position(), scene.stage.cash()), (0, i128::from(DEPOSIT_NANO)));
    scene.save();
    scene.check_replays();
}

#[test]
fn an_order_held_for_its_parent_never_left_and_is_booked_all_the_same_if_it_trades() {
    let mut scene = Scene::new();
    scene.play(Buy(10));
    let child =
        SubmitOrder { parent: 1, ..SubmitOrder::limit(ACCOUNT, INSTRUMENT, 2, Side::Sell, 10_500, 0) };
    scene.stage.submit(&child);
    let child_id = scene.stage.order(2).order_id;
    let time = scene.stage.node.time();
    for step in [Accepted, ReplaceRejected, CancelRejected, Canceled, Expired, Rejected] {
        assert_eq!(told(&scene.answer(child_id, time + 1, step)), ["ObservationUnmatched"], "{step:?}");
        assert_eq!(scene.stage.order(2).state.name(), "SUBMITTED", "{step:?}");
    }
    let events = scene.answer(child_id, time + 2, Filled(9, 1));
    assert!(told(&events).join(" ").starts_with(BREACHED), "{:?}", told(&events));
    assert_eq!(scene.stage.position(), -1);
}

#[test]
fn the_same_request_again_gets_the_first_answer_and_another_one_is_refused() {
    let order = SubmitOrder::limit(ACCOUNT, INSTRUMENT, 1, Side::Buy, PRICE, 10);
    let repeated = |scene: &mut Scene, expected: &str| {
        let events = scene.stage.submit(&order);
        assert_eq!(told(&events), [expected]);
        assert!(events[0].has(flags::REPEATED));
        let order_id = scene.stage.order(1).order_id;
        assert_eq!(events[0].body[0], order_id, "the first order is meant");
    };
    let mut scene = Scene::new();
    scene.play(Buy(10));
    repeated(&mut scene, "OrderSubmitted");
    let other = SubmitOrder { quantity: 11, ..order };
    let events = scene.stage.submit(&other);
    assert_eq!(told(&events), ["OrderDenied"]);
    assert!(!events[0].has(flags::REPEATED));
    scene.play(Accepted);
    repeated(&mut scene, "OrderAccepted");
    scene.play(Filled(1, 10));
    repeated(&mut scene, "OrderAccepted");
    assert_eq!(scene.stage.position(), 10);

    let mut scene = Scene::new();
    scene.play(Buy(10));
    scene.play(Rejected);
    repeated(&mut scene, "OrderRejected");

    let mut scene = Scene::new();
    let denied = SubmitOrder { quantity: 0, ..order };
    assert_eq!(told(&scene.stage.submit(&denied)), ["OrderDenied"]);
    let again = scene.stage.submit(&denied);
    assert!(told(&again) == ["OrderDenied"] && again[0].has(flags::REPEATED));
}

#[test]
fn only_orders_in_units_may_go_to_a_remote_venue() {
    let mut scene = Scene::new();
    for (id, sizing) in [(1, Sizing::Percent), (2, Sizing::TargetPercent), (3, Sizing::ClosePosition)] {
        let order =
            SubmitOrder { sizing, ..SubmitOrder::market(ACCOUNT, INSTRUMENT, id, Side::Buy, 500_000_000) };
        scene.stage.submit(&order);
        let refusal = scene.stage.order(id).refusal().unwrap();
        assert_eq!(refusal.rule.name(), "SIZING_MUST_BE_SUPPORTED", "{sizing:?}");
    }
}

/// What left through the output gate, in words.
fn requests(scene: &mut Scene) -> Vec<String> {
    let entries = scene.stage.node.take_outbox();
    let word = |request: &VenueRequest| match *request {
        VenueRequest::Submit(order) => format!("submit {} at {}", order.quantity, order.price),
        VenueRequest::Replace { quantity, price, .. } => format!("replace {quantity} at {price}"),
        VenueRequest::Cancel { .. } => "cancel".to_owned(),
        VenueRequest::Query { client_order_id, .. } => format!("query {client_order_id}"),
    };
    entries.iter().map(|entry| word(&entry.request)).collect()
}

#[test]
fn requests_leave_once_and_an_order_is_never_sent_again() {
    let mut scene = Scene::new();
    scene.play(Buy(10));
    assert_eq!(requests(&mut scene), ["submit 10 at 10000"]);
    scene.play(Silence);
    scene.play(Silence);
    assert_eq!(requests(&mut scene), ["query 1", "query 1"]);
    scene.play(AskCancel);
    assert_eq!(requests(&mut scene), ["cancel"]);
    let hash = scene.stage.node.state_hash();
    assert_eq!(requests(&mut scene), [""; 0]);
    assert_eq!(scene.stage.node.state_hash(), hash, "what was handed out is not part of the state hash");
}

#[test]
fn requests_do_not_leave_before_their_cause_is_durable() {
    let mut scene = Scene::new();
    scene.stage.tape.with(|tape| tape.stalled = true);
    let events = scene.play(Buy(10));
    assert!(events.is_empty() && requests(&mut scene).is_empty());
    scene.stage.tape.with(|tape| tape.stalled = false);
    let events = scene.play(Accepted);
    assert_eq!(told(&events).join(" "), format!("{SENT} OrderAccepted"));
    assert_eq!(requests(&mut scene), ["submit 10 at 10000"]);
}

#[test]
fn a_bracket_at_a_remote_venue_never_protects_more_than_is_held() {
    let exit = |id: u64, partner: u64, order_type: OrderType| SubmitOrder {
        parent: 1,
        partner,
        options: options::REDUCE_ONLY,
        order_type,
        stop_price: if order_type == OrderType::Stop { 9_500 } else { 0 },
        price: if order_type == OrderType::Limit { 10_500 } else { 0 },
        ..SubmitOrder::market(ACCOUNT, INSTRUMENT, id, Side::Sell, 0)
    };
    let mut scene = Scene::new();
    scene.play(Buy(10));
    scene.stage.submit(&exit(2, 0, OrderType::Stop));
    scene.stage.submit(&exit(3, 2, OrderType::Limit));
    requests(&mut scene);
    scene.play(Filled(1, 4));
    assert_eq!(requests(&mut scene), ["submit 4 at 0", "submit 4 at 10500"]);
    let (stop, target) = (scene.stage.order(2).order_id, scene.stage.order(3).order_id);
    let mut time = scene.stage.node.time();
    let mut answer = |scene: &mut Scene, order_id, step| {
        time += 10;
        scene.answer(order_id, time, step);
        scene.save();
        requests(scene)
    };
    // The parent fills on before its children are acknowledged: they grow once they are.
    let parent = scene.stage.order(1).order_id;
    assert!(answer(&mut scene, parent, Filled(2, 2)).is_empty());
    assert_eq!(answer(&mut scene, stop, Accepted), ["replace 6 at 0"]);
    assert_eq!(answer(&mut scene, target, Accepted), ["replace 6 at 10500"]);
    // The target fills while the stop's growth is under way: the stop shrinks afterwards, by what was filled.
    assert_eq!(answer(&mut scene, target, Replaced(10_500, 6)), [""; 0]);
    assert_eq!(answer(&mut scene, target, Filled(3, 5)), [""; 0]);
    assert_eq!(answer(&mut scene, stop, Replaced(0, 6)), ["replace 1 at 0"]);
    // The venue refuses: the stop stands as it was, reservations and all, until its partner is done.
    assert_eq!(answer(&mut scene, stop, ReplaceRejected), [""; 0]);
    assert_eq!(scene.stage.order(2).terms.quantity, 6);
    // The parent's rest comes: ten bought, five sold, so the stop keeps five.
    assert_eq!(answer(&mut scene, parent, Filled(4, 4)), ["replace 5 at 0", "replace 10 at 10500"]);
    assert_eq!(answer(&mut scene, stop, Replaced(0, 5)), [""; 0]);
    assert_eq!(answer(&mut scene, target, Filled(5, 1)), ["replace 4 at 0"]);
    assert_eq!(answer(&mut scene, target, Replaced(10_500, 10)), [""; 0]);
    assert_eq!(answer(&mut scene, stop, Filled(6, 1)), ["replace 9 at 10500"]);
    assert_eq!(answer(&mut scene, target, Replaced(10_500, 9)), [""; 0]);
    // Done: the cancel of the other does not wait for the replace under way.
    assert_eq!(answer(&mut scene, target, Filled(7, 3)), ["cancel"]);
    assert_eq!(answer(&mut scene, stop, Replaced(0, 4)), [""; 0]);
    assert_eq!(answer(&mut scene, stop, Canceled), [""; 0]);
    assert_eq!(scene.stage.position(), 0);
    scene.check_replays();
}

#[test]
fn a_stopped_session_keeps_open_orders_and_forgets_the_closed_ones() {
    let mut scene = Scene::new();
    scene.play(Buy(10));
    scene.play(Accepted);
    scene.stage.submit(&SubmitOrder::limit(ACCOUNT, INSTRUMENT, 2, Side::Buy, PRICE, 0));
    let time = scene.stage.node.time();
    let close = openbell_kernel::observation::SessionClosed { session_end: time, reserved: [0; 3] };
    let mut record = command(0, 0, close);
    record.head_mut().time = time + 1;
    scene.stage.run(record.slots());
    scene.save();
    let orders = scene.stage.engine().orders();
    assert!(orders.by_client_id(ACCOUNT, 1).is_some() && orders.by_client_id(ACCOUNT, 2).is_none());
    let events = scene.stage.submit(&SubmitOrder::limit(ACCOUNT, INSTRUMENT, 2, Side::Buy, PRICE, 3));
    assert_eq!(told(&events).join(" "), SENT, "a denied order's id may be used the next day");
    scene.save();
    scene.check_replays();
}

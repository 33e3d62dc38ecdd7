//! A disk without room: cancels go on, orders are refused by name, and it resumes by itself.

use std::sync::Arc;

use openbell_kernel::clock::Clock;
use openbell_kernel::clock::system::SystemClock;
use openbell_kernel::command::{CancelAllOrders, EngageKillSwitch, ReplaceOrder, SubmitOrder};
use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::event::{CommandRefused, OrderCanceled, OrderDenied, ReplaceRejected};
use openbell_kernel::journal::{Settings, verify};
use openbell_kernel::live::{Failure, LiveError, LiveNode, LiveOptions, LiveState};
use openbell_kernel::message::Message;
use openbell_kernel::record::{Body, Slot};
use openbell_kernel::rules::Rule;
use openbell_kernel::terms::{Side, TimeInForce};

use crate::market::{
    BUYER, INSTRUMENT, bid, cancel, command, created, heads, live, path, reopened, settings, submit_all,
    take_until, until,
};

const NO_ROOM: u64 = Rule::JournalMustHaveRoom as u64;

fn small(disk: &MemoryDisk) -> LiveNode {
    let settings = Settings { segment_size: 64 << 10, ..settings() };
    let (node, writer) = created(Arc::new(disk.clone()), &path(), settings);
    live(node, writer, LiveOptions::default())
}

/// Orders one after the other until one is refused; the last id that was accepted.
fn trade_until_full(live: &LiveNode) -> u64 {
    for id in 1..100_000 {
        submit_all(live, &[bid(id)]);
        let mut out = Vec::new();
        until("an answer", || {
            live.take_outputs(&mut out, usize::MAX).unwrap();
            !heads(&out, Message::OrderAccepted).is_empty() || !heads(&out, Message::OrderDenied).is_empty()
        });
        if let Some(denied) = heads(&out, Message::OrderDenied).first() {
            let denied = OrderDenied::of(denied);
            assert_eq!((denied.client_order_id, denied.rule), (id, NO_ROOM));
            return id - 1;
        }
    }
    panic!("the disk never filled up");
}

fn answer(live: &LiveNode, record: &[Slot], message: Message) -> Slot {
    submit_all(live, &[record.to_vec()]);
    heads(&take_until(live, message, 1), message)[0]
}

#[test]
fn without_room_cancels_pass_and_orders_are_refused_until_there_is_some() {
    let disk = MemoryDisk::new();
    let live = small(&disk);
    disk.set_capacity(Some(0));
    let last = trade_until_full(&live);
    let health = live.health();
    assert_eq!((health.state, health.failure.clone()), (LiveState::CancelOnly, None));
    assert!(health.reserve_left.is_some_and(|bytes| bytes > 0), "{health:?}");
    let shortage = health.shortage.unwrap();
    assert!(shortage.contains("no room to"), "{shortage}");

    let canceled = answer(&live, &cancel(last), Message::OrderCanceled);
    assert_eq!(OrderCanceled::of(&canceled).client_order_id, last);
    assert!(canceled.sequence > 0 && canceled.sequence <= live.health().durable_sequence);
    let replace = ReplaceOrder { client_order_id: 1, price: 90, quantity: 0, stop_price: 0 };
    let rejected = answer(&live, command(BUYER, 0, replace).slots(), Message::ReplaceRejected);
    assert_eq!((ReplaceRejected::of(&rejected).rule, rejected.sequence), (NO_ROOM, 0));
    let halt = openbell_kernel::command::HaltTrading { reason: 1, reserved: [0; 3] };
    let refused = answer(&live, command(0, 1, halt).slots(), Message::CommandRefused);
    assert_eq!(CommandRefused::of(&refused).rule, NO_ROOM);
    let all = command(BUYER, 0, CancelAllOrders { reserved: [0; 4] });
    submit_all(&live, &[all.slots().to_vec()]);
    take_until(&live, Message::OrderCanceled, last as usize - 1);
    let kill = EngageKillSwitch { reason: 1, reserved: [0; 3] };
    answer(&live, command(BUYER, 0, kill).slots(), Message::KillSwitchEngaged);

    disk.set_capacity(None);
    until("room", || live.health().state == LiveState::Running);
    let release = openbell_kernel::command::ReleaseKillSwitch { reason: 1, reserved: [0; 3] };
    answer(&live, command(BUYER, 0, release).slots(), Message::KillSwitchReleased);
    answer(&live, &bid(200_000), Message::OrderAccepted);
    assert_eq!(live.health().shortage, None);
    live.stop().unwrap();
    assert_eq!(reopened(&disk).engine().orders().open().count(), 1);
    assert!(verify(Arc::new(disk), &path()).unwrap().closed);
}

#[test]
fn a_reserve_used_up_stops_nothing_for_good() {
    let disk = MemoryDisk::new();
    let live = small(&disk);
    disk.set_capacity(Some(0));
    let last = trade_until_full(&live);
    // Cancels of nothing: each is journaled and refused by the engine.
    let (mut sent, mut out) = (0, Vec::new());
    until("the reserve to be used up", || {
        sent += live.submit(&cancel(1_000_000)).unwrap();
        live.take_outputs(&mut out, usize::MAX).unwrap();
        live.health().sequence > live.health().durable_sequence && live.health().reserve_left < Some(512)
    });
    disk.set_capacity(None);
    answer(&live, &cancel(last), Message::OrderCanceled);
    live.take_outputs(&mut out, usize::MAX).unwrap();
    until("RUNNING", || live.health().state == LiveState::Running);
    live.stop().unwrap();
    assert!(sent > 0);
}

#[test]
fn stopped_while_a_commit_waits_for_room_it_says_so() {
    let disk = MemoryDisk::new();
    let live = small(&disk);
    disk.set_capacity(Some(0));
    trade_until_full(&live);
    let mut out = Vec::new();
    until("the reserve to be used up", || {
        live.submit(&cancel(1_000_000)).unwrap();
        live.take_outputs(&mut out, usize::MAX).unwrap();
        live.health().sequence > live.health().durable_sequence && live.health().reserve_left < Some(512)
    });
    let found = live.stop().unwrap_err();
    assert!(
        matches!(&found, LiveError::Failed { failure: Failure::Journal, reason } if reason.contains("no room to")),
        "{found}"
    );
    drop(live);
    disk.set_capacity(None);
    reopened(&disk);
}

#[test]
fn time_stands_still_before_the_next_timer_while_there_is_no_room() {
    let disk = MemoryDisk::new();
    let live = small(&disk);
    let mut till = SubmitOrder::limit(BUYER, INSTRUMENT, 500_000, Side::Buy, 100, 1);
    let expire_time = SystemClock.now() + 1_500_000_000;
    (till.time_in_force, till.expire_time) = (TimeInForce::Gtd, expire_time);
    submit_all(&live, &[till.to_record().slots().to_vec()]);
    disk.set_capacity(Some(0));
    let last = trade_until_full(&live);
    until("the order to be due", || SystemClock.now() > expire_time + 50_000_000);
    let canceled = answer(&live, &cancel(last), Message::OrderCanceled);
    assert!(canceled.time < expire_time, "{} is not before {expire_time}", canceled.time);
    assert!(
        heads(&take_now(&live), Message::OrderExpired).is_empty(),
        "nothing but cancels uses the reserve"
    );
    disk.set_capacity(None);
    let expired = take_until(&live, Message::OrderExpired, 1);
    assert!(heads(&expired, Message::OrderExpired)[0].time >= expire_time);
    let after = answer(&live, &bid(600_000), Message::OrderAccepted);
    assert!(after.time >= expire_time, "time goes on");
    live.stop().unwrap();
    reopened(&disk);
}

fn take_now(live: &LiveNode) -> Vec<Slot> {
    let mut out = Vec::new();
    live.take_outputs(&mut out, usize::MAX).unwrap();
    out
}

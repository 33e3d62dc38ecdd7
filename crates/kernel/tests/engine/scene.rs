//! A scripted remote venue and one order at it, with a copy restored at every step and a replay from each.

use openbell_kernel::command::SubmitOrder;
use openbell_kernel::engine::ANSWER_TIMEOUT_NS;
use openbell_kernel::observation::{
    VenueCancelRejected, VenueFillPayload, VenueOrderAccepted, VenueOrderCanceled, VenueOrderExpired,
    VenueOrderFilled, VenueOrderRejected, VenueOrderReplaced, VenueOrderUnknown, VenueReplaceRejected,
};
use openbell_kernel::record::Slot;
use openbell_kernel::terms::{Side, VenueKind};

use crate::stage::{
    ACCOUNT, DEPOSIT_NANO, INSTRUMENT, Stage, UNIT_NANO, bytes, cancel, command, replace, replay, restored,
    told,
};

pub const PRICE: i64 = 10_000;

#[derive(Clone, Copy, Debug)]
pub enum Step {
    Buy(i64),
    AskCancel,
    /// Price, total.
    AskReplace(i64, i64),
    Accepted,
    Rejected,
    /// Trade id, quantity; at the order's price.
    Filled(u64, i64),
    /// Trade id, quantity, fee as the venue charged it.
    FilledForFee(u64, i64, i64),
    Canceled,
    Expired,
    /// Price, total.
    Replaced(i64, i64),
    CancelRejected,
    ReplaceRejected,
    NeverSeen,
    /// Until the answer is overdue.
    Silence,
    /// Seconds.
    Wait(u64),
}
pub use Step::*;

/// Plays a script on one order, restoring a copy at every step.
pub struct Scene {
    pub stage: Stage,
    /// State after each step, and how much of the tape there was.
    saved: Vec<(Vec<u8>, u128, usize)>,
}

impl Scene {
    pub fn new() -> Self {
        let mut scene = Scene { stage: Stage::of(VenueKind::Remote), saved: Vec::new() };
        scene.save();
        scene
    }

    pub fn save(&mut self) {
        let (hash, tape) = (self.stage.node.state_hash(), self.stage.tape.slots().len());
        let saved = bytes(self.stage.engine());
        assert_eq!(restored(&saved).state_hash(), hash, "a restored engine has the same hash");
        self.saved.push((saved, hash, tape));
    }

    pub fn play(&mut self, step: Step) -> Vec<Slot> {
        let order_id =
            self.stage.engine().orders().by_client_id(ACCOUNT, 1).map_or(0, |order| order.order_id);
        let now = self.stage.node.time();
        let events = match step {
            Buy(quantity) => {
                self.stage.submit(&SubmitOrder::limit(ACCOUNT, INSTRUMENT, 1, Side::Buy, PRICE, quantity))
            }
            AskCancel => self.stage.command(cancel(1)),
            AskReplace(price, quantity) => self.stage.command(replace(1, price, quantity)),
            Silence => self.wait(ANSWER_TIMEOUT_NS),
            Wait(seconds) => self.wait(seconds * 1_000_000_000),
            answer => self.answer(order_id, now + 1, answer),
        };
        self.save();
        events
    }

    pub fn answer(&mut self, order_id: u64, time: u64, step: Step) -> Vec<Slot> {
        let (venue_time, reason, reserved) = (time - 1, 7, 0);
        match step {
            Accepted => {
                let body = VenueOrderAccepted { order_id, venue_order_id: 900, venue_time, reserved };
                self.stage.observe(time, body)
            }
            Rejected => {
                self.stage.observe(time, VenueOrderRejected { order_id, reason, venue_time, reserved })
            }
            Filled(trade_id, quantity) => self.fill(time, order_id, trade_id, quantity, None),
            FilledForFee(trade_id, quantity, fee) => self.fill(time, order_id, trade_id, quantity, Some(fee)),
            Canceled => {
                self.stage.observe(time, VenueOrderCanceled { order_id, reason, venue_time, reserved })
            }
            Expired => self.stage.observe(time, VenueOrderExpired { order_id, venue_time, reserved: [0; 2] }),
            Replaced(price, quantity) => {
                let body = VenueOrderReplaced { order_id, price, quantity, stop_price: 0 };
                self.stage.observe(time, body)
            }
            CancelRejected => {
                self.stage.observe(time, VenueCancelRejected { order_id, reason, venue_time, reserved })
            }
            ReplaceRejected => {
                self.stage.observe(time, VenueReplaceRejected { order_id, reason, venue_time, reserved })
            }
            NeverSeen => {
                self.stage.observe(time, VenueOrderUnknown { order_id, venue_time, reserved: [0; 2] })
            }
            other => panic!("{other:?} is not an answer"),
        }
    }

    fn fill(
        &mut self,
        time: u64,
        order_id: u64,
        trade_id: u64,
        quantity: i64,
        fee: Option<i64>,
    ) -> Vec<Slot> {
        let body = VenueOrderFilled { order_id, trade_id, price: PRICE, quantity };
        let mut record = command(0, INSTRUMENT, body);
        record.head_mut().time = time;
        record.push(VenueFillPayload {
            venue_time: time - 1,
            fee_nano: fee.unwrap_or(0),
            fee_known: u64::from(fee.is_some()),
            liquidity: 2,
            reserved: 0,
        });
        self.stage.run(record.slots())
    }

    fn wait(&mut self, duration_ns: u64) -> Vec<Slot> {
        let until = self.stage.node.time() + duration_ns;
        while let Some(due) = self.stage.engine().next_due().filter(|due| *due <= until) {
            self.stage.node.advance_clock(due).unwrap();
        }
        self.stage.run(&[])
    }

    /// What the order is: state, filled of total.
    fn order(&self) -> String {
        let order = self.stage.order(1);
        format!("{} {}/{}", order.state.name(), order.cumulative_quantity, order.terms.quantity)
    }

    /// Replays the rest of the tape from every saved state, and all of it from the start.
    pub fn check_replays(&mut self) {
        let (hash, tape) = (self.stage.node.state_hash(), self.stage.tape.slots());
        let (mut again, output) = replay(openbell_kernel::engine::Engine::new(0), &tape);
        assert_eq!((again.state_hash(), again.output_hash()), (hash, self.stage.node.output_hash()));
        assert_eq!(output, self.stage.output);
        for (saved, _, at) in &self.saved {
            let sequence = at.checked_sub(1).map_or(0, |last| tape[last].sequence);
            let (mut node, later) = replay(restored(saved), &tape[*at..]);
            let expected: Vec<Slot> =
                self.stage.output.iter().filter(|slot| slot.sequence > sequence).copied().collect();
            assert_eq!(later, expected, "the future after sequence {sequence}");
            assert_eq!(node.state_hash(), hash, "the end after sequence {sequence}");
        }
    }
}

/// One row: what happens, what the order is then, what is told.
pub type Row = (Step, &'static str, &'static str);

/// Plays `rows`; `booked` lists the fills that count as (quantity, fee in nano).
pub fn script(name: &str, rows: &[Row], booked: &[(i64, i128)]) -> Scene {
    let mut scene = Scene::new();
    for (at, (step, order, expected)) in rows.iter().enumerate() {
        let events = scene.play(*step);
        assert_eq!(told(&events).join(" "), *expected, "{name}: events of row {at}, {step:?}");
        assert_eq!(scene.order(), *order, "{name}: order after row {at}, {step:?}");
    }
    let quantity: i64 = booked.iter().map(|fill| fill.0).sum();
    let paid: i128 =
        booked.iter().map(|fill| i128::from(fill.0) * i128::from(PRICE) * UNIT_NANO + fill.1).sum();
    assert_eq!(scene.stage.position(), quantity, "{name}: position");
    assert_eq!(scene.stage.cash(), i128::from(DEPOSIT_NANO) - paid, "{name}: cash");
    scene.check_replays();
    scene
}

/// What is told when a request is sent, asked about, or a fill is one too many.
pub const SENT: &str = "OrderSubmitted VenueRequestSent";
pub const ASKED: &str = "OrderPending VenueRequestSent";
pub const QUERIED: &str = "OrderUnknown VenueRequestSent";
pub const BREACHED: &str = "OrderFilled RiskLimitBreached KillSwitchEngaged";

//! Every visible order is told: a client rebuilds the exact visible book from the events alone.

use std::collections::BTreeMap;

use openbell_kernel::command::SubmitOrder;
use openbell_kernel::message::Message;
use openbell_kernel::record::{Slot, flags, split_first};
use openbell_kernel::terms::{Side, TimeInForce, TradingSession};
use proptest::prelude::*;

use crate::floor::*;

#[test]
fn orders_are_told_as_they_come_change_and_go() {
    let mut floor = Floor::new();
    floor.submit(limit(1, Sell, 105, 7));
    assert_eq!(floor.tell_orders(), ["+ sell 7 at 105"], "what rests already comes first");
    assert_eq!(floor.submit(limit(2, Sell, 100, 5)), ["2 accepted", "+ sell 5 at 100"]);
    assert_eq!(floor.replace(2, 2, 100, 4), ["2 replaced 4 at 100", "= sell 4 at 100"], "keeps its place");
    assert_eq!(
        floor.replace(2, 2, 100, 6),
        ["2 replaced 6 at 100", "- sell 4 at 100", "+ sell 6 at 100"],
        "and loses it"
    );
    assert_eq!(
        floor.submit(limit(3, Buy, 100, 8)),
        [
            "3 accepted",
            "trade 1: 6 at 100 in CONTINUOUS",
            "2 sell 6 at 100",
            "3 buy 6 at 100",
            "- sell 6 at 100",
            "+ buy 2 at 100",
        ]
    );
    assert_eq!(floor.cancel(1, 3), ["3 canceled CANCELED_ON_REQUEST", "- buy 2 at 100"]);
    floor.end();
}

/// The queue at every price, rebuilt from events.
#[derive(Default)]
struct Client {
    /// Orders in their queue, by (side, price): (order id, shown).
    orders: BTreeMap<(Side, i64), Vec<(u64, i64)>>,
    levels: BTreeMap<(Side, i64), (i64, u64)>,
}

impl Client {
    fn hear(&mut self, slots: &[Slot]) {
        let mut rest = slots;
        while let Ok((event, after)) = split_first(rest) {
            self.hear_one(&event[0]);
            rest = after;
        }
    }

    fn hear_one(&mut self, head: &Slot) {
        let side = if head.has(flags::SELL) { Sell } else { Buy };
        let [a, b, c, _] = head.body;
        let (id, key, quantity) = (a, (side, b as i64), c as i64);
        match Message::from_number(head.message).unwrap() {
            Message::BookOrderAdded => self.orders.entry(key).or_default().push((id, quantity)),
            Message::BookOrderChanged => {
                let queue = self.orders.get_mut(&key).unwrap();
                queue.iter_mut().find(|order| order.0 == id).unwrap().1 = quantity;
            }
            Message::BookOrderRemoved => {
                let queue = self.orders.get_mut(&key).unwrap();
                let at = queue.iter().position(|order| order.0 == id).unwrap();
                queue.remove(at);
                if queue.is_empty() {
                    self.orders.remove(&key);
                }
            }
            Message::BookLevelChanged => {
                let key = (side, a as i64);
                if b == 0 {
                    self.levels.remove(&key)
                } else {
                    self.levels.insert(key, (b as i64, c))
                };
            }
            _ => {}
        }
    }

    fn check(&self, floor: &Floor) -> Result<(), TestCaseError> {
        let mut orders: BTreeMap<(Side, i64), Vec<(u64, i64)>> = BTreeMap::new();
        let mut levels = BTreeMap::new();
        if let Some(book) = floor.venue().book(INSTRUMENT) {
            for side in [Buy, Sell] {
                for order in book.orders(side).filter(|order| order.shown > 0) {
                    orders.entry((side, order.price)).or_default().push((order.order_id, order.shown));
                }
                levels.extend(
                    book.levels(side)
                        .map(|level| ((side, level.price), (level.quantity, u64::from(level.orders)))),
                );
            }
        }
        prop_assert_eq!(&self.orders, &orders);
        prop_assert_eq!(&self.levels, &levels);
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Submit(SubmitOrder),
    Cancel(u64),
    Replace(u64, i64, i64),
    Open(TradingSession),
}

fn step() -> impl Strategy<Value = Step> {
    let side = prop::sample::select(vec![Buy, Sell]);
    let tif = prop::sample::select(vec![
        TimeInForce::Gtc,
        TimeInForce::Gtc,
        TimeInForce::Day,
        TimeInForce::Ioc,
        TimeInForce::Fok,
        TimeInForce::AtOpen,
        TimeInForce::AtClose,
    ]);
    let order = (side, 95i64..105, 1i64..20, tif, 0u8..10).prop_map(|(side, price, quantity, tif, kind)| {
        let order = match kind {
            0 => market(0, side, quantity),
            1 => stop(0, side, price, quantity),
            _ => limit(0, side, price, quantity),
        };
        Step::Submit(live_for(tif, order))
    });
    prop_oneof![
        12 => order,
        3 => (1u64..60).prop_map(Step::Cancel),
        3 => (1u64..60, 95i64..105, 1i64..20).prop_map(|(id, price, quantity)| Step::Replace(id, price, quantity)),
        1 => prop::sample::select(TradingSession::ALL.to_vec()).prop_map(Step::Open),
        1 => Just(Step::Open(Continuous)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn a_client_rebuilds_the_exact_visible_book_from_events_alone(
        steps in prop::collection::vec(step(), 1..70), is_banded: bool, policy in 1u64..4,
    ) {
        use openbell_kernel::command::SetMatchingPolicy;
        let mut floor = Floor::new();
        floor.set(SetMatchingPolicy { policy, minimum: 1, by_time: 0, leveling: 0, reserved: 0 });
        floor.tell_orders();
        if is_banded {
            floor.set(bands(0, 30_000_000, VolatilityAuction, 0));
        }
        let mut client = Client::default();
        for (id, step) in (1..).zip(steps) {
            match step {
                Step::Submit(order) => drop(floor.submit(SubmitOrder { client_order_id: id, ..order })),
                Step::Cancel(id) => {
                    floor.cancel(1, id);
                    client.hear(floor.engine.events());
                    floor.cancel(2, id);
                }
                Step::Replace(id, price, quantity) => drop(floor.replace(1, id, price, quantity)),
                Step::Open(session) => drop(floor.open(session)),
            }
            client.hear(floor.engine.events());
            client.check(&floor)?;
            let book = floor.venue().book(INSTRUMENT);
            if let Some(top) = book.filter(|book| !book.is_collecting()).map(|book| book.top()) {
                let crossed = top.bid.zip(top.ask).is_some_and(|(bid, ask)| bid.price >= ask.price);
                prop_assert!(!crossed, "a book that trades is never crossed");
            }
        }
        floor.end();
    }
}

//! The book against a slow, obvious twin: a list of orders, searched and sorted for every command.
#![allow(clippy::unwrap_used)] // an unwrap that fails is a failing test

use openbell_kernel::book::{Book, BookCancel, BookReport, BookTrade, NewOrder, PriceTime};
use openbell_kernel::rules::Rule;
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{OrderType, Side, TimeInForce};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Command {
    Submit(NewOrder),
    Cancel(u64),
    Replace(u64, i64, i64, bool),
    /// Write the book, read it back and go on with the copy.
    Restore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resting {
    order_id: u64,
    side: Side,
    price: i64,
    leaves: i64,
    arrival: u64,
}

/// A report in the twin's words.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Accepted(u64),
    Traded { maker: u64, taker: u64, price: i64, quantity: i64, maker_leaves: i64, taker_leaves: i64 },
    Canceled(u64, i64, Rule),
    Replaced(u64, i64, i64, bool),
    Refused(Rule),
}

#[derive(Default)]
struct Twin {
    orders: Vec<Resting>,
    arrivals: u64,
}

impl Twin {
    fn queue(&self, side: Side) -> Vec<Resting> {
        let mut queue: Vec<_> = self.orders.iter().copied().filter(|order| order.side == side).collect();
        queue.sort_by_key(|order| (-order.price * side.sign(), order.arrival));
        queue
    }

    fn reachable(&self, side: Side, price: Option<i64>) -> Vec<Resting> {
        let reaches = |order: &Resting| price.is_none_or(|price| (price - order.price) * side.sign() >= 0);
        self.queue(side.opposite()).into_iter().filter(reaches).collect()
    }

    fn take(
        &mut self,
        taker: u64,
        side: Side,
        price: Option<i64>,
        mut leaves: i64,
        said: &mut Vec<Said>,
    ) -> i64 {
        for maker in self.reachable(side, price) {
            if leaves == 0 {
                break;
            }
            let quantity = leaves.min(maker.leaves);
            leaves -= quantity;
            let at = self.orders.iter().position(|order| order.order_id == maker.order_id).unwrap();
            self.orders[at].leaves -= quantity;
            said.push(Said::Traded {
                maker: maker.order_id,
                taker,
                price: maker.price,
                quantity,
                maker_leaves: self.orders[at].leaves,
                taker_leaves: leaves,
            });
            if self.orders[at].leaves == 0 {
                self.orders.remove(at);
            }
        }
        leaves
    }

    fn rest(&mut self, order_id: u64, side: Side, price: i64, leaves: i64) {
        self.arrivals += 1;
        self.orders.push(Resting { order_id, side, price, leaves, arrival: self.arrivals });
    }

    fn find(&self, order_id: u64) -> Option<Resting> {
        self.orders.iter().copied().find(|order| order.order_id == order_id)
    }

    fn submit(&mut self, order: &NewOrder) -> Vec<Said> {
        if self.find(order.order_id).is_some() {
            return vec![Said::Refused(Rule::ClientOrderIdMustBeUnique)];
        }
        let market = order.order_type == OrderType::Market;
        let price = (!market).then_some(order.price);
        let reachable = self.reachable(order.side, price);
        if order.post_only && !reachable.is_empty() {
            return vec![Said::Refused(Rule::PostOnlyMustNotTake)];
        }
        let mut said = vec![Said::Accepted(order.order_id)];
        let available: i64 = reachable.iter().map(|maker| maker.leaves).sum();
        if order.time_in_force == TimeInForce::Fok && available < order.quantity {
            said.push(Said::Canceled(order.order_id, order.quantity, Rule::FillOrKillMustFillWhole));
            return said;
        }
        let leaves = self.take(order.order_id, order.side, price, order.quantity, &mut said);
        if leaves == 0 {
            return said;
        }
        if market {
            said.push(Said::Canceled(order.order_id, leaves, Rule::MarketMustHaveLiquidity));
        } else if order.time_in_force == TimeInForce::Ioc {
            said.push(Said::Canceled(order.order_id, leaves, Rule::ImmediateOrCancelMustFillNow));
        } else {
            self.rest(order.order_id, order.side, order.price, leaves);
        }
        said
    }

    fn replace(&mut self, order_id: u64, price: i64, quantity: i64, post_only: bool) -> Vec<Said> {
        let Some(old) = self.find(order_id) else {
            return vec![Said::Refused(Rule::OrderMustExist)];
        };
        let at = self.orders.iter().position(|order| order.order_id == order_id).unwrap();
        if price == old.price && quantity <= old.leaves {
            self.orders[at].leaves = quantity;
            return vec![Said::Replaced(order_id, price, quantity, true)];
        }
        if post_only && !self.reachable(old.side, Some(price)).is_empty() {
            return vec![Said::Refused(Rule::PostOnlyMustNotTake)];
        }
        self.orders.remove(at);
        let mut said = vec![Said::Replaced(order_id, price, quantity, false)];
        let leaves = self.take(order_id, old.side, Some(price), quantity, &mut said);
        if leaves > 0 {
            self.rest(order_id, old.side, price, leaves);
        }
        said
    }

    fn cancel(&mut self, order_id: u64) -> Vec<Said> {
        let Some(old) = self.find(order_id) else {
            return vec![Said::Refused(Rule::OrderMustExist)];
        };
        self.orders.retain(|order| order.order_id != order_id);
        vec![Said::Canceled(order_id, old.leaves, Rule::CanceledByParticipant)]
    }
}

fn in_twins_words(report: &BookReport) -> Option<Said> {
    Some(match *report {
        BookReport::Accepted(order) => Said::Accepted(order.order_id),
        BookReport::Traded(BookTrade {
            maker_order_id: maker,
            taker_order_id: taker,
            price,
            quantity,
            maker_leaves,
            taker_leaves,
            ..
        }) => Said::Traded { maker, taker, price, quantity, maker_leaves, taker_leaves },
        BookReport::Canceled(BookCancel { order_id, leaves, reason, .. }) => {
            Said::Canceled(order_id, leaves, reason.rule)
        }
        BookReport::Replaced(replace) => {
            Said::Replaced(replace.order_id, replace.price, replace.leaves, replace.kept_priority)
        }
        BookReport::LevelChanged(_) => return None,
    })
}

fn restored(book: &Book) -> Book {
    let mut out = StateWriter::new();
    book.write(&mut out);
    let bytes = out.into_bytes();
    let mut reader = StateReader::new(&bytes);
    let copy = Book::<PriceTime>::read(&mut reader).unwrap();
    reader.finish().unwrap();
    let mut again = StateWriter::new();
    copy.write(&mut again);
    assert_eq!(again.as_slice(), bytes, "a restored book has the same bytes");
    assert_eq!(copy.state_hash(), book.state_hash());
    copy
}

/// A client that keeps only what level changes tell.
#[derive(Default)]
struct DepthClient(std::collections::BTreeMap<(Side, i64), (i64, u32)>);

impl DepthClient {
    fn hear(&mut self, reports: &[BookReport]) {
        for report in reports {
            if let BookReport::LevelChanged(change) = report {
                self.0.remove(&(change.side, change.price));
                if change.orders > 0 {
                    self.0.insert((change.side, change.price), (change.quantity, change.orders));
                }
            }
        }
    }

    fn agrees_with(&self, book: &Book) -> bool {
        let levels = [Side::Buy, Side::Sell].into_iter().flat_map(|side| {
            book.levels(side).map(move |level| ((side, level.price), (level.quantity, level.orders)))
        });
        let levels: std::collections::BTreeMap<_, _> = levels.collect();
        levels == self.0
    }
}

fn price() -> impl Strategy<Value = i64> {
    prop_oneof![12 => 95i64..105, 2 => -300i64..500, 1 => Just(1 << 56), 1 => Just(-(1 << 56))]
}

fn new_order() -> impl Strategy<Value = NewOrder> {
    let terms = prop_oneof![
        8 => Just((OrderType::Limit, TimeInForce::Gtc, false)),
        1 => Just((OrderType::Limit, TimeInForce::Ioc, false)),
        1 => Just((OrderType::Limit, TimeInForce::Fok, false)),
        1 => Just((OrderType::Market, TimeInForce::Gtc, false)),
        1 => Just((OrderType::Market, TimeInForce::Fok, false)),
        1 => Just((OrderType::Limit, TimeInForce::Day, true)),
    ];
    (1u64..40, any::<bool>(), price(), 1i64..20, terms).prop_map(|(id, buy, price, quantity, terms)| {
        NewOrder {
            order_type: terms.0,
            time_in_force: terms.1,
            post_only: terms.2,
            ..NewOrder::limit(id, if buy { Side::Buy } else { Side::Sell }, price, quantity)
        }
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        12 => new_order().prop_map(Command::Submit),
        5 => (1u64..40).prop_map(Command::Cancel),
        4 => (1u64..40, price(), 1i64..20, any::<bool>())
            .prop_map(|(id, price, quantity, post_only)| Command::Replace(id, price, quantity, post_only)),
        1 => Just(Command::Restore),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn the_book_says_what_its_twin_says(commands in prop::collection::vec(command(), 1..200)) {
        let (mut book, mut twin, mut client) = (Book::new(PriceTime), Twin::default(), DepthClient::default());
        for command in commands {
            let mut reports = Vec::new();
            let (result, expected) = match command {
                Command::Submit(order) => (book.submit(&order, &mut reports), twin.submit(&order)),
                Command::Cancel(id) => (book.cancel(id, &mut reports), twin.cancel(id)),
                Command::Replace(id, price, quantity, post_only) => (
                    book.replace(id, price, quantity, post_only, &mut reports),
                    twin.replace(id, price, quantity, post_only),
                ),
                Command::Restore => {
                    book = restored(&book);
                    continue;
                }
            };
            let mut said: Vec<Said> = reports.iter().filter_map(in_twins_words).collect();
            said.extend(result.err().map(|refusal| Said::Refused(refusal.rule)));
            prop_assert_eq!(said, expected);
            client.hear(&reports);
            prop_assert!(client.agrees_with(&book));
            for side in [Side::Buy, Side::Sell] {
                let queue: Vec<_> = book.orders(side).map(|o| (o.order_id, o.price, o.leaves)).collect();
                let expected: Vec<_> = twin.queue(side).iter().map(|o| (o.order_id, o.price, o.leaves)).collect();
                prop_assert_eq!(queue, expected);
            }
            if let (Some(bid), Some(ask)) = (book.best(Side::Buy), book.best(Side::Sell)) {
                prop_assert!(bid.price < ask.price, "crossed at rest");
            }
        }
    }
}

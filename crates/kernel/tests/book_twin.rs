//! The book against a slow, obvious twin: a list of orders, searched and sorted for every command.
//!
//! Repeat a failure with the seed proptest prints, or `PROPTEST_RNG_SEED=n cargo test --test book_twin`.
#![allow(clippy::unwrap_used)] // an unwrap that fails is a failing test

use openbell_kernel::book::{
    Book, BookCancel, BookDecrement, BookReport, BookTrade, ByAccount, MAX_PRICE, NewOrder, PriceTime,
    SHOW_ALL, SelfTradeAction,
};
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{OrderType, Side, TimeInForce};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Command {
    Submit(NewOrder, Option<SelfTradeAction>),
    Cancel(u64),
    CancelAccount(u32),
    Replace(u64, i64, i64, bool, Option<SelfTradeAction>),
    Collect,
    Uncross(i64),
    Continue,
    /// Write the book, read it back and go on with the copy.
    Restore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Resting {
    order_id: u64,
    account: u32,
    side: Side,
    price: i64,
    /// What others see, or all of a hidden order.
    front: i64,
    reserve: i64,
    display: i64,
    arrival: u64,
}

impl Resting {
    fn leaves(&self) -> i64 {
        self.front + self.reserve
    }

    fn hidden(&self) -> bool {
        self.display == 0
    }
}

/// A report in the twin's words.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Accepted(u64),
    Traded { maker: u64, taker: u64, price: i64, quantity: i64, maker_leaves: i64, taker_leaves: i64 },
    Canceled(u64, i64, Rule),
    Replaced(u64, i64, i64, bool),
    Refreshed(u64, i64, i64),
    Decremented(u64, i64, i64),
    Refused(Rule),
}

#[derive(Clone, Default)]
struct Twin {
    orders: Vec<Resting>,
    arrivals: u64,
    collecting: bool,
}

/// An order on its way in.
#[derive(Clone, Copy)]
struct Incoming {
    order_id: u64,
    account: u32,
    side: Side,
    price: Option<i64>,
    action: Option<SelfTradeAction>,
}

impl Twin {
    fn queue(&self, side: Side) -> Vec<Resting> {
        let mut queue: Vec<_> = self.orders.iter().copied().filter(|order| order.side == side).collect();
        queue.sort_by_key(|order| (-order.price * side.sign(), order.hidden(), order.arrival));
        queue
    }

    fn reachable(&self, side: Side, price: Option<i64>) -> Vec<Resting> {
        if self.collecting {
            return Vec::new();
        }
        let reaches = |order: &Resting| {
            price.is_none_or(
                |price| if side == Side::Buy { price >= order.price } else { price <= order.price },
            )
        };
        self.queue(side.opposite()).into_iter().filter(reaches).collect()
    }

    /// What it does trade where it is let.
    fn available(&self, order: &Incoming, quantity: i64) -> i64 {
        let mut said = Vec::new();
        self.clone().take(order, quantity, &mut said);
        let traded =
            said.iter().map(|one| if let Said::Traded { quantity, .. } = one { *quantity } else { 0 });
        traded.sum()
    }

    fn at(&self, order_id: u64) -> usize {
        self.orders.iter().position(|order| order.order_id == order_id).unwrap()
    }

    /// Takes `quantity` from the front of an order; what shows nothing shows its next part, or goes.
    fn lessen(&mut self, order_id: u64, quantity: i64) -> (i64, Option<Said>) {
        let at = self.at(order_id);
        self.orders[at].front -= quantity;
        let leaves = self.orders[at].leaves();
        if self.orders[at].front > 0 {
            return (leaves, None);
        }
        if leaves == 0 {
            self.orders.remove(at);
            return (0, None);
        }
        self.arrivals += 1;
        let order = &mut self.orders[at];
        order.front = order.display.min(order.reserve);
        order.reserve -= order.front;
        order.arrival = self.arrivals;
        (leaves, Some(Said::Refreshed(order_id, order.front, leaves)))
    }

    fn prevent(
        &mut self,
        maker: &Resting,
        taker: u64,
        leaves: i64,
        said: &mut Vec<Said>,
        what: SelfTradeAction,
    ) -> i64 {
        let rule = Rule::SelfTradeMustNotHappen;
        if what == SelfTradeAction::DecrementAndCancel {
            let quantity = leaves.min(maker.front);
            let (maker_leaves, refreshed) = self.lessen(maker.order_id, quantity);
            for (id, leaves) in [(maker.order_id, maker_leaves), (taker, leaves - quantity)] {
                said.push(if leaves == 0 {
                    Said::Canceled(id, quantity, rule)
                } else {
                    Said::Decremented(id, quantity, leaves)
                });
            }
            said.extend(refreshed);
            return leaves - quantity;
        }
        if what != SelfTradeAction::CancelAggressor {
            said.push(Said::Canceled(maker.order_id, maker.leaves(), rule));
            self.orders.retain(|order| order.order_id != maker.order_id);
        }
        if what == SelfTradeAction::CancelResting {
            return leaves;
        }
        said.push(Said::Canceled(taker, leaves, rule));
        0
    }

    fn take(&mut self, order: &Incoming, mut leaves: i64, said: &mut Vec<Said>) -> i64 {
        while leaves > 0
            && let Some(maker) = self.reachable(order.side, order.price).first().copied()
        {
            if let Some(action) = order.action.filter(|_| maker.account == order.account) {
                leaves = self.prevent(&maker, order.order_id, leaves, said, action);
                continue;
            }
            let quantity = leaves.min(maker.front);
            leaves -= quantity;
            let (maker_leaves, refreshed) = self.lessen(maker.order_id, quantity);
            said.push(Said::Traded {
                maker: maker.order_id,
                taker: order.order_id,
                price: maker.price,
                quantity,
                maker_leaves,
                taker_leaves: leaves,
            });
            said.extend(refreshed);
        }
        leaves
    }

    fn rest(&mut self, order: &Incoming, price: i64, leaves: i64, display: i64) {
        self.arrivals += 1;
        let front = if display == 0 { leaves } else { leaves.min(display) };
        self.orders.push(Resting {
            order_id: order.order_id,
            account: order.account,
            side: order.side,
            price,
            front,
            reserve: leaves - front,
            display,
            arrival: self.arrivals,
        });
    }

    fn find(&self, order_id: u64) -> Option<Resting> {
        self.orders.iter().copied().find(|order| order.order_id == order_id)
    }

    fn submit(&mut self, order: &NewOrder, action: Option<SelfTradeAction>) -> Vec<Said> {
        if self.find(order.order_id).is_some() {
            return vec![Said::Refused(Rule::ClientOrderIdMustBeUnique)];
        }
        if order.minimum > order.quantity {
            return vec![Said::Refused(Rule::FieldMustBeInRange)];
        }
        let market = order.order_type == OrderType::Market;
        if !market && !is_price(order.price) {
            return vec![Said::Refused(Rule::FieldMustBeInRange)];
        }
        let price = (!market).then_some(order.price);
        let NewOrder { order_id, account, side, quantity, .. } = *order;
        let incoming = Incoming { order_id, account, side, price, action };
        if order.post_only && !self.reachable(side, price).is_empty() {
            return vec![Said::Refused(Rule::PostOnlyMustNotTake)];
        }
        let mut said = vec![Said::Accepted(order_id)];
        let available = self.available(&incoming, quantity);
        if available < order.minimum {
            said.push(Said::Canceled(order_id, quantity, Rule::MinimumQuantityMustFillNow));
            return said;
        }
        if order.time_in_force == TimeInForce::Fok && available < quantity {
            said.push(Said::Canceled(order_id, quantity, Rule::FillOrKillMustFillWhole));
            return said;
        }
        let leaves = self.take(&incoming, quantity, &mut said);
        if leaves == 0 {
            return said;
        }
        if market {
            said.push(Said::Canceled(order_id, leaves, Rule::MarketMustHaveLiquidity));
        } else if order.time_in_force == TimeInForce::Ioc {
            said.push(Said::Canceled(order_id, leaves, Rule::ImmediateOrCancelMustFillNow));
        } else {
            self.rest(&incoming, order.price, leaves, order.display);
        }
        said
    }

    fn replace(
        &mut self,
        order_id: u64,
        price: i64,
        quantity: i64,
        post_only: bool,
        action: Option<SelfTradeAction>,
    ) -> Vec<Said> {
        let Some(old) = self.find(order_id) else {
            return vec![Said::Refused(Rule::OrderMustExist)];
        };
        if !is_price(price) {
            return vec![Said::Refused(Rule::FieldMustBeInRange)];
        }
        let at = self.at(order_id);
        if price == old.price && quantity <= old.leaves() {
            let cut = (old.leaves() - quantity).min(old.reserve);
            self.orders[at].reserve -= cut;
            self.orders[at].front -= old.leaves() - quantity - cut;
            return vec![Said::Replaced(order_id, price, quantity, true)];
        }
        if post_only && !self.reachable(old.side, Some(price)).is_empty() {
            return vec![Said::Refused(Rule::PostOnlyMustNotTake)];
        }
        self.orders.remove(at);
        let mut said = vec![Said::Replaced(order_id, price, quantity, false)];
        let incoming =
            Incoming { order_id, account: old.account, side: old.side, price: Some(price), action };
        let leaves = self.take(&incoming, quantity, &mut said);
        if leaves > 0 {
            self.rest(&incoming, price, leaves, old.display);
        }
        said
    }

    fn cancel(&mut self, order_id: u64) -> Vec<Said> {
        let Some(old) = self.find(order_id) else {
            return vec![Said::Refused(Rule::OrderMustExist)];
        };
        self.orders.retain(|order| order.order_id != order_id);
        vec![Said::Canceled(order_id, old.leaves(), Rule::CanceledByParticipant)]
    }

    fn cancel_account(&mut self, account: u32) -> Vec<Said> {
        let all = [self.queue(Side::Buy), self.queue(Side::Sell)].concat();
        let leaving: Vec<_> = all.into_iter().filter(|order| order.account == account).collect();
        leaving.into_iter().flat_map(|order| self.cancel(order.order_id)).collect()
    }

    fn uncross(&mut self, price: i64) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let buy = self.queue(Side::Buy).first().copied().filter(|order| order.price >= price);
            let sell = self.queue(Side::Sell).first().copied().filter(|order| order.price <= price);
            let (Some(buy), Some(sell)) = (buy, sell) else { return said };
            let quantity = buy.front.min(sell.front);
            let (maker_leaves, sell_refreshed) = self.lessen(sell.order_id, quantity);
            let (taker_leaves, buy_refreshed) = self.lessen(buy.order_id, quantity);
            let (maker, taker) = (sell.order_id, buy.order_id);
            said.push(Said::Traded { maker, taker, price, quantity, maker_leaves, taker_leaves });
            said.extend(sell_refreshed);
            said.extend(buy_refreshed);
        }
    }

    fn is_crossed(&self) -> bool {
        match (self.queue(Side::Buy).first(), self.queue(Side::Sell).first()) {
            (Some(buy), Some(sell)) => buy.price >= sell.price,
            _ => false,
        }
    }

    fn go_on(&mut self) -> Vec<Said> {
        if self.is_crossed() {
            return vec![Said::Refused(Rule::BookMustNotBeCrossed)];
        }
        self.collecting = false;
        Vec::new()
    }
}

/// All but the lowest two integers and the highest.
fn is_price(price: i64) -> bool {
    (-(i64::MAX - 1)..i64::MAX).contains(&price)
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
        BookReport::Refreshed(refresh) => Said::Refreshed(refresh.order_id, refresh.shown, refresh.leaves),
        BookReport::Decremented(BookDecrement { order_id, quantity, leaves, .. }) => {
            Said::Decremented(order_id, quantity, leaves)
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
    // The highest and lowest prices, and beside them the integers that are none.
    let ends = [i64::MIN, i64::MIN + 1, -MAX_PRICE, -MAX_PRICE + 1, MAX_PRICE - 1, MAX_PRICE, i64::MAX];
    let around_zero = -1i64..2;
    prop_oneof![24 => 95i64..105, 4 => -300i64..500, 2 => around_zero, 3 => prop::sample::select(ends.to_vec())]
}

fn action() -> impl Strategy<Value = Option<SelfTradeAction>> {
    prop::option::weighted(0.4, prop::sample::select(SelfTradeAction::ALL))
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
    let display = prop_oneof![6 => Just(SHOW_ALL), 1 => Just(0), 2 => 1i64..6];
    let minimum = prop_oneof![6 => Just(0), 1 => 1i64..22];
    (1u64..40, any::<bool>(), price(), 1i64..20, terms, display, minimum, 1u32..4).prop_map(
        |(id, buy, price, quantity, terms, display, minimum, account)| NewOrder {
            order_type: terms.0,
            time_in_force: terms.1,
            post_only: terms.2,
            display,
            minimum,
            account,
            ..NewOrder::limit(id, if buy { Side::Buy } else { Side::Sell }, price, quantity)
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        24 => (new_order(), action()).prop_map(|(order, action)| Command::Submit(order, action)),
        10 => (1u64..40).prop_map(Command::Cancel),
        1 => (1u32..4).prop_map(Command::CancelAccount),
        8 => (1u64..40, price(), 1i64..20, any::<bool>(), action()).prop_map(
            |(id, price, quantity, post_only, action)| Command::Replace(id, price, quantity, post_only, action)
        ),
        1 => Just(Command::Collect),
        2 => prop_oneof![9 => 95i64..105, 1 => price()].prop_map(Command::Uncross),
        2 => Just(Command::Continue),
        2 => Just(Command::Restore),
    ]
}

/// Gives one command to both; returns what each said.
fn give(command: Command, book: &mut Book, twin: &mut Twin, reports: &mut Vec<BookReport>) -> [Vec<Said>; 2] {
    let (result, expected) = match command {
        Command::Submit(order, action) => {
            let result = match action {
                None => book.submit(&order, reports),
                Some(action) => book.submit_guarded(&order, &ByAccount(action), reports),
            };
            (result.err(), twin.submit(&order, action))
        }
        Command::Cancel(id) => (book.cancel(id, reports).err(), twin.cancel(id)),
        Command::CancelAccount(account) => {
            let reason = Refusal::of(Rule::CanceledByParticipant);
            book.cancel_where(|order| order.account == account, reason, reports);
            (None, twin.cancel_account(account))
        }
        Command::Replace(id, price, quantity, post_only, action) => {
            let result = match action {
                None => book.replace(id, price, quantity, post_only, reports),
                Some(action) => {
                    book.replace_guarded(id, [price, quantity], post_only, &ByAccount(action), reports)
                }
            };
            (result.err(), twin.replace(id, price, quantity, post_only, action))
        }
        Command::Collect => {
            book.start_collecting();
            twin.collecting = true;
            (None, Vec::new())
        }
        Command::Uncross(_) if !twin.collecting => (None, Vec::new()),
        Command::Uncross(price) => {
            book.uncross(price, reports);
            (None, twin.uncross(price))
        }
        Command::Continue => (book.stop_collecting().err(), twin.go_on()),
        Command::Restore => {
            *book = restored(book);
            (None, Vec::new())
        }
    };
    let mut said: Vec<Said> = reports.iter().filter_map(in_twins_words).collect();
    said.extend(result.map(|refusal| Said::Refused(refusal.rule)));
    [said, expected]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn the_book_says_what_its_twin_says(commands in prop::collection::vec(command(), 1..200)) {
        let (mut book, mut twin, mut client) = (Book::new(PriceTime), Twin::default(), DepthClient::default());
        for command in commands {
            let mut reports = Vec::new();
            let [said, expected] = give(command, &mut book, &mut twin, &mut reports);
            prop_assert_eq!(said, expected);
            client.hear(&reports);
            prop_assert!(client.agrees_with(&book));
            for side in [Side::Buy, Side::Sell] {
                let queue: Vec<_> = book.orders(side).map(|o| (o.order_id, o.price, o.leaves, o.shown)).collect();
                let shown = |order: &Resting| if order.hidden() { 0 } else { order.front };
                let expected: Vec<_> =
                    twin.queue(side).iter().map(|o| (o.order_id, o.price, o.leaves(), shown(o))).collect();
                prop_assert_eq!(queue, expected);
                let wanted: i64 = book.auction_levels(side).map(|level| level.quantity).sum();
                prop_assert_eq!(wanted, twin.queue(side).iter().map(Resting::leaves).sum::<i64>());
                let total: i64 = book.levels(side).map(|level| level.quantity).sum();
                prop_assert_eq!(book.side_quantity(side), total);
            }
            prop_assert!(twin.collecting || !twin.is_crossed(), "crossed at rest");
        }
    }
}

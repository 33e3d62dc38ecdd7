//! The order book in trader's words: who rests, who trades, what is refused.
#![allow(clippy::unwrap_used)] // an unwrap that fails is a failing test

use openbell_kernel::book::{
    Book, BookReport, BookTrade, Level, LevelChange, MAX_PRICE, NewOrder, PriceTime, QueuePosition, Silent,
    Unguarded,
};
use openbell_kernel::instrument::MAX_UNITS;
use openbell_kernel::rules::{Refusal, Rule};
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{OrderType, Side, TimeInForce};

use Side::{Buy, Sell};

struct Desk {
    book: Book,
    reports: Vec<BookReport>,
}

impl Desk {
    fn new() -> Self {
        Desk { book: Book::new(PriceTime), reports: Vec::new() }
    }

    /// A book with one limit order per tuple: id, side, price, quantity.
    fn with(orders: &[(u64, Side, i64, i64)]) -> Self {
        let mut desk = Desk::new();
        for &(id, side, price, quantity) in orders {
            assert_eq!(desk.limit(id, side, price, quantity), Ok(quantity), "order {id} rests whole");
        }
        desk.reports.clear();
        desk
    }

    fn submit(&mut self, order: NewOrder) -> Result<i64, Refusal> {
        self.book.submit(&order, &mut self.reports)
    }

    fn limit(&mut self, id: u64, side: Side, price: i64, quantity: i64) -> Result<i64, Refusal> {
        self.submit(NewOrder::limit(id, side, price, quantity))
    }

    fn cancel(&mut self, id: u64) -> Result<i64, Refusal> {
        self.book.cancel(id, &mut self.reports)
    }

    fn replace(&mut self, id: u64, price: i64, quantity: i64) -> Result<i64, Refusal> {
        self.book.replace(id, price, quantity, false, &mut self.reports)
    }

    /// Trades told since the last call: maker, taker, price, quantity.
    fn trades(&mut self) -> Vec<(u64, u64, i64, i64)> {
        let reports = std::mem::take(&mut self.reports);
        reports
            .iter()
            .filter_map(trade)
            .map(|t| (t.maker_order_id, t.taker_order_id, t.price, t.quantity))
            .collect()
    }

    fn queue(&self, side: Side) -> Vec<(u64, i64, i64)> {
        self.book.orders(side).map(|order| (order.order_id, order.price, order.leaves)).collect()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = StateWriter::new();
        self.book.write(&mut out);
        out.into_bytes()
    }
}

fn trade(report: &BookReport) -> Option<BookTrade> {
    match report {
        BookReport::Traded(trade) => Some(*trade),
        _ => None,
    }
}

fn rule<T: std::fmt::Debug>(result: Result<T, Refusal>) -> (Rule, i128, i128) {
    let refusal = result.unwrap_err();
    (refusal.rule, refusal.limit, refusal.actual)
}

#[test]
fn earlier_orders_at_a_price_trade_first_and_better_prices_before_them() {
    let mut desk = Desk::with(&[(1, Sell, 101, 5), (2, Sell, 100, 5), (3, Sell, 100, 5)]);
    assert_eq!(desk.limit(4, Buy, 101, 12), Ok(0));
    assert_eq!(desk.trades(), [(2, 4, 100, 5), (3, 4, 100, 5), (1, 4, 101, 2)]);
    assert_eq!(desk.queue(Sell), [(1, 101, 3)]);
}

#[test]
fn reports_of_one_command_come_in_the_documented_order() {
    let mut desk = Desk::with(&[(1, Sell, 100, 5), (2, Sell, 101, 5)]);
    desk.limit(3, Buy, 101, 12).unwrap();
    let kinds: Vec<String> = desk
        .reports
        .iter()
        .map(|report| match report {
            BookReport::Accepted(order) => format!("accepted {}", order.order_id),
            BookReport::Traded(trade) => {
                format!("traded {} leaves {}", trade.maker_order_id, trade.taker_leaves)
            }
            BookReport::LevelChanged(LevelChange { side, price, quantity, orders }) => {
                format!("{} {price} now {quantity} in {orders}", side.name())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        "accepted 3",
        "traded 1 leaves 7",
        "SELL 100 now 0 in 0",
        "traded 2 leaves 2",
        "SELL 101 now 0 in 0",
        "BUY 101 now 2 in 1",
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn canceling_in_the_middle_of_a_queue_leaves_the_others_in_order() {
    let mut desk = Desk::with(&[(1, Buy, 100, 1), (2, Buy, 100, 2), (3, Buy, 100, 3)]);
    assert_eq!(desk.cancel(2), Ok(2));
    assert_eq!(desk.queue(Buy), [(1, 100, 1), (3, 100, 3)]);
    desk.limit(9, Sell, 100, 4).unwrap();
    assert_eq!(desk.trades(), [(1, 9, 100, 1), (3, 9, 100, 3)]);
    assert!(desk.book.is_empty());
}

#[test]
fn what_a_sweep_leaves_of_the_aggressor_becomes_the_best_price() {
    let mut desk = Desk::with(&[(1, Sell, 100, 1), (2, Sell, 105, 1), (3, Buy, 99, 1)]);
    assert_eq!(desk.limit(4, Buy, 103, 5), Ok(4));
    let top = desk.book.top();
    assert_eq!(top.bid, Some(Level { price: 103, quantity: 4, orders: 1 }));
    assert_eq!(top.ask, Some(Level { price: 105, quantity: 1, orders: 1 }));
}

#[test]
fn a_replace_into_the_other_side_trades_at_the_makers_price_and_rests_with_the_remainder() {
    let mut desk = Desk::with(&[(1, Sell, 105, 4), (2, Buy, 100, 10), (3, Buy, 100, 1)]);
    assert_eq!(desk.replace(2, 107, 10), Ok(6));
    assert_eq!(desk.trades(), [(1, 2, 105, 4)]);
    assert_eq!(desk.queue(Buy), [(2, 107, 6), (3, 100, 1)]);
    assert_eq!(desk.replace(2, 1, 5), Ok(5));
    desk.limit(8, Sell, 100, 1).unwrap();
    assert_eq!(desk.trades(), [(3, 8, 100, 1)]);
}

#[test]
fn a_replace_that_trades_whole_is_gone_and_its_id_is_free() {
    let mut desk = Desk::with(&[(1, Sell, 105, 4), (2, Buy, 100, 4)]);
    assert_eq!(desk.replace(2, 105, 4), Ok(0));
    assert!(desk.book.is_empty());
    assert_eq!(rule(desk.replace(2, 100, 1)), (Rule::OrderMustExist, 0, 2));
    assert_eq!(desk.limit(2, Sell, 100, 1), Ok(1));
}

#[test]
fn only_a_pure_decrease_keeps_priority() {
    for (price, quantity, keeps) in
        [(100, 5, true), (100, 3, true), (100, 6, false), (99, 5, false), (99, 3, false)]
    {
        let mut desk = Desk::with(&[(1, Buy, 100, 5), (2, Buy, 100, 5), (3, Buy, 99, 5)]);
        desk.replace(1, price, quantity).unwrap();
        let told = desk.reports.iter().find_map(|report| match report {
            BookReport::Replaced(replace) => Some(replace.kept_priority),
            _ => None,
        });
        assert_eq!(told, Some(keeps), "to {quantity} at {price}");
        assert_eq!(desk.queue(Buy)[0].0 == 1, keeps, "to {quantity} at {price}");
        assert_eq!(desk.book.order(1).unwrap().leaves, quantity);
    }
}

#[test]
fn an_id_may_be_used_again_after_a_cancel_and_after_a_fill_but_not_while_it_lives() {
    let mut desk = Desk::with(&[(7, Buy, 100, 1)]);
    assert_eq!(rule(desk.limit(7, Sell, 200, 1)), (Rule::ClientOrderIdMustBeUnique, 1, 7));
    desk.cancel(7).unwrap();
    assert_eq!(desk.limit(7, Sell, 200, 1), Ok(1));
    desk.limit(8, Buy, 200, 1).unwrap();
    assert_eq!(desk.limit(7, Buy, 90, 2), Ok(2));
    assert_eq!(desk.queue(Buy), [(7, 90, 2)]);
}

#[test]
fn stale_cancels_and_replaces_are_refused_and_change_nothing() {
    let mut desk = Desk::with(&[(1, Buy, 100, 1), (2, Buy, 100, 1)]);
    desk.cancel(1).unwrap();
    desk.limit(3, Sell, 100, 1).unwrap();
    let before = desk.bytes();
    for id in [0, 1, 2, 3, u64::MAX] {
        assert_eq!(rule(desk.cancel(id)), (Rule::OrderMustExist, 0, i128::from(id)));
        assert_eq!(rule(desk.replace(id, 100, 1)), (Rule::OrderMustExist, 0, i128::from(id)));
    }
    assert_eq!(desk.bytes(), before);
}

#[test]
fn a_sweep_of_five_thousand_levels_trades_each_once_from_the_best() {
    for (spread, side) in [(1, Sell), (1, Buy), (1_000, Sell), (1 << 40, Buy)] {
        let mut desk = Desk::new();
        let outward = side.opposite().sign();
        for step in 0..5_000 {
            desk.limit(step as u64, side, outward * step * spread, 2).unwrap();
        }
        desk.reports.clear();
        desk.submit(NewOrder::market(9_999, side.opposite(), 10_000)).unwrap();
        let trades = desk.trades();
        let expected: Vec<_> =
            (0..5_000).map(|step| (step as u64, 9_999, outward * step * spread, 2)).collect();
        assert_eq!(trades, expected);
        assert!(desk.book.is_empty());
    }
}

#[test]
fn no_level_is_left_behind_when_its_last_order_goes() {
    let mut desk = Desk::with(&[(1, Buy, 100, 5), (2, Sell, 110, 5)]);
    desk.cancel(1).unwrap();
    desk.limit(3, Buy, 110, 5).unwrap();
    assert_eq!((desk.book.best(Buy), desk.book.best(Sell)), (None, None));
    desk.submit(NewOrder::market(4, Buy, 1)).unwrap();
    desk.limit(5, Sell, 90, 1).unwrap();
    assert_eq!(desk.trades().len(), 1, "only the trade of order 3");
    assert_eq!(desk.book.depth(Sell, 9), [Level { price: 90, quantity: 1, orders: 1 }]);
    desk.replace(5, 95, 1).unwrap();
    assert_eq!(desk.book.depth(Sell, 9), [Level { price: 95, quantity: 1, orders: 1 }]);
}

#[test]
fn prices_at_and_near_the_bounds_of_64_bits_rest_trade_and_are_found_on_both_sides() {
    let far = [MAX_PRICE, MAX_PRICE - 1, -MAX_PRICE, -MAX_PRICE + 1, 0, -1, 1, 1 << 56, -(1 << 56)];
    for (side, opposite, all) in [(Sell, Buy, MAX_PRICE), (Buy, Sell, -MAX_PRICE)] {
        let mut desk = Desk::new();
        for (id, &price) in far.iter().enumerate() {
            desk.limit(id as u64, side, price, 1).unwrap();
        }
        let mut sorted = far;
        sorted
            .sort_unstable_by_key(|&price| if side == Sell { i128::from(price) } else { -i128::from(price) });
        let prices: Vec<i64> = desk.book.levels(side).map(|level| level.price).collect();
        assert_eq!(prices, sorted);
        for price in far {
            assert_eq!(desk.book.level_at(side, price).map(|level| level.price), Some(price));
        }
        let none = [MAX_PRICE - 2, -MAX_PRICE + 2, i64::MAX, i64::MIN, i64::MIN + 1];
        assert!(none.iter().all(|&price| desk.book.level_at(side, price).is_none()));
        desk.limit(10, opposite, all, 9).unwrap();
        let trades: Vec<i64> = desk.trades().iter().map(|&(_, _, price, _)| price).collect();
        assert_eq!(trades, sorted);
        assert!(desk.book.is_empty());
    }
}

#[test]
fn the_lowest_two_integers_and_the_highest_are_no_prices() {
    let mut desk = Desk::new();
    for price in [i64::MIN, i64::MIN + 1, i64::MAX] {
        let expected = (Rule::FieldMustBeInRange, i128::from(MAX_PRICE), i128::from(price));
        assert_eq!(rule(desk.limit(11, Buy, price, 1)), expected);
        assert_eq!(rule(desk.limit(11, Sell, price, 1)), expected);
        desk.limit(12, Sell, 0, 1).unwrap();
        assert_eq!(rule(desk.replace(12, price, 1)), expected);
        desk.cancel(12).unwrap();
        // A price that is none still says how far an order would reach.
        desk.limit(13, Sell, MAX_PRICE, 1).unwrap();
        assert_eq!(desk.book.would_trade(Buy, price), price == i64::MAX);
        assert_eq!(desk.book.fillable(0, Buy, Some(price), 5, &Unguarded), i64::from(price == i64::MAX));
        desk.cancel(13).unwrap();
    }
}

#[test]
fn a_market_order_is_told_by_its_type_and_zero_is_a_price_like_any_other() {
    let mut desk = Desk::with(&[(1, Sell, 0, 1), (2, Sell, 5, 1), (3, Buy, -5, 1)]);
    desk.limit(4, Buy, 0, 2).unwrap();
    assert_eq!(desk.trades().len(), 1, "the limit of 0 reaches the offer at 0 and not the one at 5");
    assert_eq!(desk.book.best(Buy), Some(Level { price: 0, quantity: 1, orders: 1 }));
    for (id, price) in [(5, 0), (6, i64::MIN), (7, i64::MAX)] {
        desk.limit(id + 100, Sell, 4, 1).unwrap();
        let market = NewOrder { order_type: OrderType::Market, ..NewOrder::limit(id, Buy, price, 1) };
        desk.submit(market).unwrap();
        assert!(!desk.book.contains(id + 100), "a market order's price is not looked at");
    }
}

#[test]
fn quantities_out_of_bounds_are_refused_with_limit_and_actual() {
    let mut desk = Desk::with(&[(1, Buy, 1, 1)]);
    for quantity in [0, -1, i64::MIN] {
        let expected = (Rule::QuantityMustBePositive, 1, i128::from(quantity));
        assert_eq!(rule(desk.limit(2, Buy, 1, quantity)), expected);
        assert_eq!(rule(desk.replace(1, 1, quantity)), expected);
    }
    let expected = (Rule::QuantityMustBeInBounds, i128::from(MAX_UNITS), i128::from(i64::MAX));
    assert_eq!(rule(desk.limit(2, Buy, 1, i64::MAX)), expected);
}

#[test]
fn the_total_of_one_side_cannot_overflow() {
    let mut desk = Desk::new();
    let mut id = 0;
    while desk.limit(id, Buy, 5, MAX_UNITS).is_ok() {
        id += 1;
    }
    assert_eq!(id, 127, "127 times 2^56 fits, 128 times is 2^63");
    assert_eq!(rule(desk.limit(id, Buy, 4, MAX_UNITS)).0, Rule::QuantityMustBeInBounds);
    assert_eq!(desk.limit(id, Buy, 4, MAX_UNITS - 1), Ok(MAX_UNITS - 1));
    assert_eq!(rule(desk.replace(id, 4, MAX_UNITS)).0, Rule::QuantityMustBeInBounds);
    assert_eq!(desk.book.side_quantity(Buy), i64::MAX);
}

#[test]
fn a_million_orders_at_one_price_keep_their_order_and_cancel_anywhere() {
    let mut book: Book = Book::default();
    for id in 0..1_000_000 {
        book.submit(&NewOrder::limit(id, Buy, 100, 1), &mut Silent).unwrap();
    }
    for id in (0..1_000_000).rev().filter(|id| id % 2 == 1) {
        book.cancel(id, &mut Silent).unwrap();
    }
    assert_eq!(book.best(Buy), Some(Level { price: 100, quantity: 500_000, orders: 500_000 }));
    let position = QueuePosition { orders_ahead: 400_000, quantity_ahead: 400_000 };
    assert_eq!(book.queue_position(800_000), Some(position));
    assert!(book.orders(Buy).map(|order| order.order_id).eq((0..1_000_000).step_by(2)));
    let mut reports = Vec::new();
    book.submit(&NewOrder::market(1_000_001, Sell, 500_000), &mut reports).unwrap();
    assert!(reports.iter().filter_map(trade).map(|trade| trade.maker_order_id).eq((0..1_000_000).step_by(2)));
    assert!(book.is_empty());
}

#[test]
fn a_post_only_order_is_refused_when_it_would_take_and_rests_when_not() {
    let mut desk = Desk::with(&[(1, Sell, 100, 1)]);
    let post_only = NewOrder { post_only: true, ..NewOrder::limit(2, Buy, 100, 1) };
    let before = desk.bytes();
    assert_eq!(rule(desk.submit(post_only)), (Rule::PostOnlyMustNotTake, 100, 100));
    assert_eq!(desk.bytes(), before);
    assert_eq!(desk.submit(NewOrder { price: 99, ..post_only }), Ok(1));
    let refused = desk.book.replace(2, 101, 1, true, &mut desk.reports);
    assert_eq!(rule(refused), (Rule::PostOnlyMustNotTake, 100, 101));
    assert_eq!(desk.queue(Buy), [(2, 99, 1)]);
}

#[test]
fn what_may_not_rest_is_canceled_with_its_rule_and_figures() {
    let cases = [
        (OrderType::Limit, TimeInForce::Ioc, 4, Rule::ImmediateOrCancelMustFillNow),
        (OrderType::Limit, TimeInForce::Fok, 0, Rule::FillOrKillMustFillWhole),
        (OrderType::Market, TimeInForce::Gtc, 6, Rule::MarketMustHaveLiquidity),
        (OrderType::Market, TimeInForce::Ioc, 6, Rule::MarketMustHaveLiquidity),
        (OrderType::Market, TimeInForce::Fok, 0, Rule::FillOrKillMustFillWhole),
    ];
    for (order_type, time_in_force, traded, expected) in cases {
        let mut desk = Desk::with(&[(1, Sell, 100, 4), (2, Sell, 101, 2)]);
        let order = NewOrder { order_type, time_in_force, ..NewOrder::limit(3, Buy, 100, 9) };
        assert_eq!(desk.submit(order), Ok(0));
        let cancel = desk.reports.iter().find_map(|report| match report {
            BookReport::Canceled(cancel) => Some(*cancel),
            _ => None,
        });
        let cancel = cancel.unwrap();
        let available = if order_type == OrderType::Market { 6 } else { 4 };
        assert_eq!((cancel.leaves, cancel.reason), (9 - traded, Refusal::new(expected, available, 9)));
        assert_eq!(desk.trades().iter().map(|trade| trade.3).sum::<i64>(), traded);
        assert_eq!(desk.book.order(3), None);
    }
}

#[test]
fn a_fill_or_kill_that_fits_exactly_fills_across_levels() {
    let mut desk = Desk::with(&[(1, Sell, 100, 4), (2, Sell, 101, 2)]);
    let order = NewOrder { time_in_force: TimeInForce::Fok, ..NewOrder::limit(3, Buy, 101, 6) };
    assert_eq!(desk.submit(order), Ok(0));
    assert_eq!(desk.trades(), [(1, 3, 100, 4), (2, 3, 101, 2)]);
}

#[test]
fn stops_and_auction_orders_are_refused_by_the_book() {
    let mut desk = Desk::new();
    for order_type in [OrderType::Stop, OrderType::StopLimit] {
        let order = NewOrder { order_type, ..NewOrder::limit(1, Buy, 1, 1) };
        assert_eq!(rule(desk.submit(order)).0, Rule::OrderTypeMustBeSupported);
    }
    for time_in_force in [TimeInForce::AtOpen, TimeInForce::AtClose] {
        let order = NewOrder { time_in_force, ..NewOrder::limit(1, Buy, 1, 1) };
        assert_eq!(rule(desk.submit(order)).0, Rule::OrderTypeMustBeSupported);
    }
    assert!(desk.reports.is_empty());
}

#[test]
fn damaged_bytes_are_refused_by_name() {
    let desk = Desk::with(&[(1, Buy, 100, 5), (2, Buy, 99, 5), (3, Sell, 101, 5)]);
    let good = desk.bytes();
    assert_eq!(good.len(), 2 + 8 + 2 * 29 + 8 + 29 + 2 * 8);
    let read = |bytes: &[u8]| Book::<PriceTime>::read(&mut StateReader::new(bytes)).map(|_| ());
    assert_eq!(read(&good), Ok(()));
    let offset_of = |order: usize, field: usize| 10 + order * 29 + field;
    let cases: [(&str, usize, i64); 5] = [
        ("policy", 0, 9),
        ("price in priority order", offset_of(1, 12), 101),
        ("open quantity", offset_of(0, 20), 0),
        ("price", offset_of(0, 12), i64::MAX),
        ("order id", offset_of(1, 0), 1),
    ];
    for (what, at, value) in cases {
        let mut bytes = good.clone();
        let width = if at == 0 { 1 } else { 8 };
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
    }
    let mut crossed = good.clone();
    crossed[offset_of(2, 8 + 12)..][..8].copy_from_slice(&100i64.to_le_bytes());
    assert!(read(&crossed).unwrap_err().to_string().contains("uncrossed"));
    for len in 0..good.len() {
        assert!(read(&good[..len]).is_err(), "cut at {len}");
    }
}

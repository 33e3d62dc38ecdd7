//! What an auction would come to, tried on the crossing part of a book, is what it comes to.
#![allow(clippy::unwrap_used, clippy::expect_used)] // an unwrap that fails is a failing test

use openbell_kernel::book::{Book, BookTrade, NewOrder, ReportSink};
use openbell_kernel::terms::Side;
use proptest::prelude::*;

#[derive(Default)]
struct Trades(Vec<(u64, u64, i64, i64)>);

impl ReportSink for Trades {
    fn traded(&mut self, trade: &BookTrade) {
        self.0.push((trade.maker_order_id, trade.taker_order_id, trade.price, trade.quantity));
    }
}

fn gathered(rows: &[(bool, i64, i64, i64, bool)]) -> Book {
    let mut book = Book::default();
    book.start_collecting();
    for (order_id, &(buys, price, quantity, display, hidden)) in (1..).zip(rows) {
        let side = if buys { Side::Buy } else { Side::Sell };
        let shown = if hidden { 0 } else { display.min(quantity) };
        let order = NewOrder { display: shown, ..NewOrder::limit(order_id, side, price, quantity) };
        book.submit(&order, &mut Trades::default()).unwrap();
    }
    book
}

proptest! {
    #[test]
    fn the_crossing_part_of_a_book_trades_as_the_book_does(
        rows in prop::collection::vec((any::<bool>(), -9i64..9, 1i64..30, 1i64..30, prop::bool::weighted(0.2)), 0..60),
        price in -9i64..9,
    ) {
        let mut book = gathered(&rows);
        let mut part = book.crossing_part(price);
        let crossing = [Side::Buy, Side::Sell].map(|side| {
            book.orders(side).filter(|order| (order.price - price) * side.sign() >= 0).count()
        });
        prop_assert_eq!(part.len(), crossing[0] + crossing[1]);
        let (mut of_book, mut of_part) = (Trades::default(), Trades::default());
        let traded = [book.uncross(price, &mut of_book), part.uncross(price, &mut of_part)];
        prop_assert_eq!(traded[0], traded[1]);
        prop_assert_eq!(of_book.0, of_part.0);
    }
}

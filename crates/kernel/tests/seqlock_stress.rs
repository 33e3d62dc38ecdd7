//! Readers on real threads beside a book that trades.
#![allow(clippy::unwrap_used)] // an unwrap that fails is a failing test

use std::sync::atomic::{AtomicBool, Ordering};

use openbell_kernel::book::{Book, BookReport, DepthPublisher, NewOrder, PriceTime};
use openbell_kernel::seqlock::seqlock;
use openbell_kernel::terms::Side::{Buy, Sell};

#[test]
fn readers_never_see_words_of_two_writes() {
    const WRITES: u64 = 200_000;
    let (mut writer, reader) = seqlock(32);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (reader, done) = (reader.clone(), &done);
            scope.spawn(move || {
                let mut words = [0; 32];
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let writes = reader.read(&mut words);
                    assert_eq!(words, [writes; 32]);
                    assert!(writes >= last, "went back");
                    last = writes;
                }
            });
        }
        (1..=WRITES).for_each(|write| writer.write(&[write; 32]));
        done.store(true, Ordering::Relaxed);
    });
    let mut words = [0; 32];
    assert_eq!((reader.read(&mut words), words), (WRITES, [WRITES; 32]));
}

#[test]
fn readers_of_a_trading_book_see_only_states_it_had() {
    let mut book: Book<PriceTime> = Book::default();
    let mut publisher = DepthPublisher::new(4);
    let reader = publisher.reader();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (watching, done) = (reader.clone(), &done);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let depth = watching.depth();
                assert!(depth.bids.windows(2).all(|pair| pair[0].price > pair[1].price), "{depth:?}");
                assert!(depth.asks.windows(2).all(|pair| pair[0].price < pair[1].price), "{depth:?}");
                if let (Some(bid), Some(ask)) = (depth.bids.first(), depth.asks.first()) {
                    assert!(bid.price < ask.price, "crossed: {depth:?}");
                }
                // Every order has quantity 3 and trades whole.
                let levels = depth.bids.iter().chain(&depth.asks);
                assert!(
                    levels.clone().all(|level| level.quantity == 3 * i64::from(level.orders)),
                    "{depth:?}"
                );
            }
        });
        let mut reports: Vec<BookReport> = Vec::new();
        for id in 1..60_000u64 {
            let side = if id.is_multiple_of(2) { Buy } else { Sell };
            let middle = 100 + (id / 1_000 % 40) as i64;
            let price = middle - side.sign() * ((id * 7_919 % 11) as i64 - 1);
            book.submit(&NewOrder::limit(id, side, price, 3), &mut reports).unwrap();
            let _ = book.cancel(id.saturating_sub(60), &mut reports);
            for report in reports.drain(..) {
                if let BookReport::LevelChanged(change) = report {
                    publisher.level_changed(&change);
                }
            }
            publisher.publish_changes(&book);
            if id.is_multiple_of(97) {
                let depth = reader.depth();
                assert_eq!((depth.bids, depth.asks), (book.depth(Buy, 4), book.depth(Sell, 4)));
                assert_eq!(reader.top(), book.top());
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

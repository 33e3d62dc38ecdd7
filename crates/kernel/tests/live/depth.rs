//! Books of a live node read from other threads while it trades.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openbell_kernel::book::PublishedDepth;
use openbell_kernel::disk::MemoryDisk;
use openbell_kernel::live::{LiveOptions, restart};
use openbell_kernel::terms::Side::{Buy, Sell};

use crate::market::*;

const LEVELS: usize = 3;

fn options() -> LiveOptions {
    LiveOptions { depth_levels: LEVELS, ..LiveOptions::default() }
}

/// Only states the book had: levels in order, never crossed, every order of one.
fn check(depth: &PublishedDepth) {
    assert!(depth.bids.len().max(depth.asks.len()) <= LEVELS);
    assert!(depth.bids.windows(2).all(|pair| pair[0].price > pair[1].price), "{depth:?}");
    assert!(depth.asks.windows(2).all(|pair| pair[0].price < pair[1].price), "{depth:?}");
    if let (Some(bid), Some(ask)) = (depth.bids.first(), depth.asks.first()) {
        assert!(bid.price < ask.price, "crossed: {depth:?}");
    }
    let levels = depth.bids.iter().chain(&depth.asks);
    assert!(levels.into_iter().all(|level| level.quantity == i64::from(level.orders)), "{depth:?}");
}

#[test]
fn readers_see_only_states_that_the_book_had_and_in_the_end_the_last_one() {
    let disk = MemoryDisk::default();
    let live = market(&disk, options());
    assert!(live.depth_board().unwrap().reader(INSTRUMENT).is_none(), "no order yet");
    let records: Vec<_> = (1..=4_000u64)
        .map(|id| {
            let side = if id % 3 == 0 { Buy } else { Sell };
            order(if side == Buy { BUYER } else { SELLER }, id, side, 100 + (id * 7_919 % 23) as i64)
        })
        .collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (board, done) = (live.depth_board().unwrap().clone(), &done);
            scope.spawn(move || {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let Some(reader) = board.reader(INSTRUMENT) else { continue };
                    let depth = reader.depth();
                    check(&depth);
                    assert!(depth.writes >= last, "went back");
                    last = depth.writes;
                }
            });
        }
        let mut sink = Vec::new();
        for part in records.chunks(100) {
            submit_all(&live, part);
            live.take_outputs(&mut sink, usize::MAX).unwrap();
        }
        until("everything applied", || {
            live.take_outputs(&mut sink, usize::MAX).unwrap();
            live.health().sequence >= records.len() as u64
        });
        done.store(true, Ordering::Relaxed);
    });
    let last = live.depth_board().unwrap().reader(INSTRUMENT).unwrap().depth();
    live.stop().unwrap();
    drop(live);
    let (node, writer, _) = restart(Arc::new(disk.clone()), &path()).unwrap();
    let again = crate::market::live(node, writer, options());
    let first = again.depth_board().unwrap().reader(INSTRUMENT).unwrap().depth();
    assert_eq!((first.bids, first.asks), (last.bids, last.asks), "published again after a restart");
    again.stop().unwrap();
}

#[test]
fn nobody_pays_who_did_not_ask() {
    let live = market(&MemoryDisk::default(), LiveOptions::default());
    assert!(live.depth_board().is_none());
    live.stop().unwrap();
}

//! Short courses of a book at the edges where public engines were found wrong: a stale best price, an order lost
//! beside a replaced one, a fill at the taker's price, a phantom trade. One line says what is sent, the next what
//! must come of it. The kinds follow the cases of flash1-dev/matching-engine-benchmark (docs/CONFORMANCE.md there),
//! which `benchmarks/public_judge.py` runs.

use openbell_kernel::book::{Book, BookReport, NewOrder, PriceTime};
use openbell_kernel::terms::{Side, TimeInForce};

use Command::{Buy, BuyNow, Cancel, Replace, Sell, SellNow};

/// Fields: id, price, quantity. `Now` is immediate-or-cancel.
#[derive(Clone, Copy, Debug)]
enum Command {
    Buy(u64, i64, i64),
    Sell(u64, i64, i64),
    BuyNow(u64, i64, i64),
    SellNow(u64, i64, i64),
    Cancel(u64),
    Replace(u64, i64, i64),
}

/// What comes of a course: trades (maker, taker, price, quantity); ids of refused commands; ids of orders canceled,
/// asked for or because they may not rest; then what rests, buys and sells by priority (id, price, leaves).
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    trades: Vec<(u64, u64, i64, i64)>,
    refused: Vec<u64>,
    canceled: Vec<u64>,
    resting: [Vec<(u64, i64, i64)>; 2],
}

fn run(commands: &[Command]) -> Outcome {
    let mut book = Book::new(PriceTime);
    let mut outcome = Outcome::default();
    for &command in commands {
        let mut reports: Vec<BookReport> = Vec::new();
        let now = |order| NewOrder { time_in_force: TimeInForce::Ioc, ..order };
        let (id, result) = match command {
            Buy(id, price, quantity) => {
                (id, book.submit(&NewOrder::limit(id, Side::Buy, price, quantity), &mut reports))
            }
            Sell(id, price, quantity) => {
                (id, book.submit(&NewOrder::limit(id, Side::Sell, price, quantity), &mut reports))
            }
            BuyNow(id, price, quantity) => {
                (id, book.submit(&now(NewOrder::limit(id, Side::Buy, price, quantity)), &mut reports))
            }
            SellNow(id, price, quantity) => {
                (id, book.submit(&now(NewOrder::limit(id, Side::Sell, price, quantity)), &mut reports))
            }
            Cancel(id) => (id, book.cancel(id, &mut reports)),
            Replace(id, price, quantity) => (id, book.replace(id, price, quantity, false, &mut reports)),
        };
        if result.is_err() {
            assert!(reports.is_empty(), "a refused command tells nothing: {command:?} {reports:?}");
            outcome.refused.push(id);
        }
        for report in &reports {
            match report {
                BookReport::Traded(t) => {
                    outcome.trades.push((t.maker_order_id, t.taker_order_id, t.price, t.quantity));
                }
                BookReport::Canceled(cancel) => outcome.canceled.push(cancel.order_id),
                _ => {}
            }
        }
        assert_eq!(book.best(Side::Buy), book.levels(Side::Buy).next(), "best buy after {command:?}");
        assert_eq!(book.best(Side::Sell), book.levels(Side::Sell).next(), "best sell after {command:?}");
    }
    outcome.resting = [Side::Buy, Side::Sell]
        .map(|side| book.orders(side).map(|o| (o.order_id, o.price, o.leaves)).collect());
    outcome
}

#[track_caller]
fn expect(commands: &[Command], outcome: Outcome) {
    assert_eq!(run(commands), outcome, "{commands:?}");
}

fn queue_of_three() -> [Command; 3] {
    [Buy(1, 100, 10), Buy(2, 100, 10), Buy(3, 100, 10)]
}

#[test]
fn a_cancel_takes_one_order_out_of_a_queue_wherever_it_stands() {
    for (gone, left) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
        let commands = [&queue_of_three()[..], &[Cancel(gone), SellNow(4, 100, 20)]].concat();
        let trades = left.map(|id| (id, 4, 100, 10)).to_vec();
        expect(&commands, Outcome { trades, canceled: vec![gone], ..Outcome::default() });
    }
}

#[test]
fn scattered_cancels_leave_the_rest_of_a_deep_queue_in_order() {
    let mut commands: Vec<Command> = (1..=8).map(|id| Buy(id, 100, 10)).collect();
    commands.extend([Cancel(2), Cancel(5), Cancel(7), SellNow(9, 100, 50)]);
    let trades = [1, 3, 4, 6, 8].map(|id| (id, 9, 100, 10)).to_vec();
    expect(&commands, Outcome { trades, canceled: vec![2, 5, 7], ..Outcome::default() });
}

#[test]
fn a_taker_trades_at_the_makers_price_in_either_direction() {
    let commands = [Sell(1, 100, 10), BuyNow(2, 105, 10), Buy(3, 200, 10), SellNow(4, 195, 10)];
    let trades = vec![(1, 2, 100, 10), (3, 4, 200, 10)];
    expect(&commands, Outcome { trades, ..Outcome::default() });
}

#[test]
fn an_order_replaced_through_the_other_side_trades_at_the_makers_price_in_either_direction() {
    let commands = [
        Sell(1, 100, 10),
        Buy(2, 90, 10),
        Replace(2, 105, 10),
        Buy(3, 200, 10),
        Sell(4, 210, 10),
        Replace(4, 195, 10),
    ];
    let trades = vec![(1, 2, 100, 10), (3, 4, 200, 10)];
    expect(&commands, Outcome { trades, ..Outcome::default() });
}

#[test]
fn replacing_one_of_two_orders_at_a_price_keeps_the_other() {
    let commands = [Buy(1, 100, 10), Buy(2, 100, 10), Replace(1, 99, 10), SellNow(3, 100, 10)];
    let resting = [vec![(1, 99, 10)], vec![]];
    expect(&commands, Outcome { trades: vec![(2, 3, 100, 10)], resting, ..Outcome::default() });
}

#[test]
fn a_sweep_takes_every_maker_once_and_what_is_left_is_the_best_price() {
    let commands = [Sell(1, 9, 30), Sell(2, 9, 40), Sell(3, 10, 10), Buy(4, 10, 100), SellNow(5, 10, 5)];
    let trades = vec![(1, 4, 9, 30), (2, 4, 9, 40), (3, 4, 10, 10), (4, 5, 10, 5)];
    expect(&commands, Outcome { trades, resting: [vec![(4, 10, 15)], vec![]], ..Outcome::default() });
}

#[test]
fn a_price_that_was_swept_empty_takes_orders_again() {
    let commands = [
        Sell(1, 100, 10),
        Sell(2, 101, 10),
        Sell(3, 102, 10),
        BuyNow(4, 102, 30),
        Sell(5, 101, 8),
        BuyNow(6, 101, 8),
        Sell(7, 103, 8),
        BuyNow(8, 103, 8),
    ];
    let makers = [(1, 100), (2, 101), (3, 102)].map(|(id, price)| (id, 4, price, 10));
    let trades = [&makers[..], &[(5, 6, 101, 8), (7, 8, 103, 8)]].concat();
    expect(&commands, Outcome { trades, ..Outcome::default() });
}

#[test]
fn the_better_price_trades_first_whenever_it_came() {
    let commands = [
        Sell(1, 105, 10),
        Sell(2, 100, 10),
        BuyNow(3, 105, 10),
        Buy(4, 90, 10),
        Buy(5, 95, 10),
        Buy(6, 92, 10),
        SellNow(7, 90, 30),
    ];
    let trades = vec![(2, 3, 100, 10), (5, 7, 95, 10), (6, 7, 92, 10), (4, 7, 90, 10)];
    expect(&commands, Outcome { trades, resting: [vec![], vec![(1, 105, 10)]], ..Outcome::default() });
}

#[test]
fn when_the_best_level_is_canceled_the_next_is_the_best_on_either_side() {
    let commands = [Buy(1, 100, 10), Buy(2, 99, 7), Cancel(1), SellNow(3, 99, 7)];
    expect(&commands, Outcome { trades: vec![(2, 3, 99, 7)], canceled: vec![1], ..Outcome::default() });
    let commands = [Sell(1, 100, 10), Sell(2, 101, 7), Cancel(1), BuyNow(3, 101, 7)];
    expect(&commands, Outcome { trades: vec![(2, 3, 101, 7)], canceled: vec![1], ..Outcome::default() });
    let commands = [Buy(1, 100, 10), Cancel(1), Buy(2, 95, 8), SellNow(3, 95, 8)];
    expect(&commands, Outcome { trades: vec![(2, 3, 95, 8)], canceled: vec![1], ..Outcome::default() });
}

#[test]
fn an_immediate_order_that_fills_in_part_does_not_rest() {
    let commands = [Sell(1, 100, 10), BuyNow(2, 100, 15), SellNow(3, 100, 5)];
    expect(&commands, Outcome { trades: vec![(1, 2, 100, 10)], canceled: vec![2, 3], ..Outcome::default() });
}

#[test]
fn a_limit_order_stops_at_its_own_price_and_rests_there() {
    let commands = [Sell(1, 100, 5), Sell(2, 105, 10), Buy(3, 102, 12), SellNow(4, 102, 7)];
    let trades = vec![(1, 3, 100, 5), (3, 4, 102, 7)];
    expect(&commands, Outcome { trades, resting: [vec![], vec![(2, 105, 10)]], ..Outcome::default() });
}

#[test]
fn what_is_left_of_a_maker_is_drained_exactly_and_keeps_its_place() {
    let commands = [Sell(1, 100, 20), BuyNow(2, 100, 8), BuyNow(3, 100, 12), BuyNow(4, 100, 5)];
    let trades = vec![(1, 2, 100, 8), (1, 3, 100, 12)];
    expect(&commands, Outcome { trades, canceled: vec![4], ..Outcome::default() });
    let commands = [&queue_of_three()[..], &[SellNow(5, 100, 15), SellNow(6, 100, 5)]].concat();
    let trades = vec![(1, 5, 100, 10), (2, 5, 100, 5), (2, 6, 100, 5)];
    expect(&commands, Outcome { trades, resting: [vec![(3, 100, 10)], vec![]], ..Outcome::default() });
}

#[test]
fn a_taker_filled_by_the_first_maker_leaves_the_second_untouched() {
    let commands = [Sell(1, 100, 5), Sell(2, 100, 5), BuyNow(3, 100, 5)];
    let resting = [vec![], vec![(2, 100, 5)]];
    expect(&commands, Outcome { trades: vec![(1, 3, 100, 5)], resting, ..Outcome::default() });
}

#[test]
fn an_id_is_free_again_after_a_cancel_and_after_a_fill_and_dead_in_between() {
    let commands =
        [Buy(1, 100, 10), Cancel(1), Cancel(1), Replace(1, 101, 5), Buy(1, 98, 10), SellNow(2, 98, 10)];
    let outcome = Outcome {
        trades: vec![(1, 2, 98, 10)],
        refused: vec![1, 1],
        canceled: vec![1],
        ..Outcome::default()
    };
    expect(&commands, outcome);
    let commands = [Buy(1, 100, 10), Sell(2, 100, 10), Cancel(1), Replace(1, 100, 5), Sell(1, 200, 10)];
    let resting = [vec![], vec![(1, 200, 10)]];
    let outcome =
        Outcome { trades: vec![(1, 2, 100, 10)], refused: vec![1, 1], resting, ..Outcome::default() };
    expect(&commands, outcome);
    let commands = [Cancel(999), Replace(999, 100, 5), Cancel(u64::MAX)];
    expect(&commands, Outcome { refused: vec![999, 999, u64::MAX], ..Outcome::default() });
}

#[test]
fn one_order_takes_five_thousand_at_one_price_in_their_order() {
    let mut commands: Vec<Command> = (1..=5_000).map(|id| Sell(id, 100, 1)).collect();
    commands.push(BuyNow(5_001, 100, 5_000));
    let trades = (1..=5_000).map(|id| (id, 5_001, 100, 1)).collect();
    expect(&commands, Outcome { trades, ..Outcome::default() });
}

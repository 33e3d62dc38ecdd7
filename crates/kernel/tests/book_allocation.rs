//! How a level is shared: the venue's worked examples, and what must hold for any shares.
#![allow(clippy::unwrap_used)] // an unwrap that fails is a failing test

use openbell_kernel::book::{
    AllocationPolicy, AnyPolicy, Book, BookReport, ByAccount, LeadShare, MatchingPolicy, NewOrder,
    PriceSizeTime, SelfTradeAction, TopStep,
};
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::Side::{Buy, Sell};
use openbell_kernel::terms::TimeInForce;
use proptest::prelude::*;

/// Rests sells of (account, quantity) at 100 in this order, ids from 1; another, cheaper, sell comes first and
/// goes again when no order is to be TOP.
fn book_of<P: MatchingPolicy>(policy: P, orders: &[(u32, i64)], with_top: bool) -> Book<P> {
    let mut book = Book::new(policy);
    let mut told = Vec::new();
    if !with_top {
        book.submit(&NewOrder::limit(999, Sell, 100, 1), &mut told).unwrap();
    }
    for (id, &(account, quantity)) in (1..).zip(orders) {
        book.submit(&NewOrder { account, ..NewOrder::limit(id, Sell, 100, quantity) }, &mut told).unwrap();
    }
    if !with_top {
        book.cancel(999, &mut told).unwrap();
    }
    book
}

/// What each order gave to a buyer of `incoming`, by id from 1.
fn shares<P: MatchingPolicy>(book: &mut Book<P>, orders: usize, incoming: i64) -> Vec<i64> {
    let mut told = Vec::new();
    book.submit(&NewOrder::limit(1_000, Buy, 100, incoming), &mut told).unwrap();
    let mut shares = vec![0; orders];
    for report in told {
        if let BookReport::Traded(trade) = report {
            shares[trade.maker_order_id as usize - 1] += trade.quantity;
        }
    }
    shares
}

struct Case {
    name: &'static str,
    policy: AllocationPolicy,
    with_top: bool,
    orders: &'static [(u32, i64)],
    incoming: i64,
    expected: &'static [i64],
}

/// CME: client systems wiki, "CME Globex Matching Algorithm Steps" and "Complex Match Example"; the text of the
/// steps where there is no figure. Derive: docs.derive.xyz, "Matching Algorithms".
fn cases() -> Vec<Case> {
    let lead = |share| vec![LeadShare { account: 7, share }];
    vec![
        Case {
            name: "CME, Pro Rata Example: 50 lots, minimum 2; 47 are shared, 3 go to the first in time",
            policy: AllocationPolicy::pro_rata(2),
            with_top: false,
            orders: &[(1, 5), (1, 9), (1, 57), (1, 4), (1, 28), (1, 300)],
            incoming: 50,
            expected: &[3, 0, 7, 0, 3, 37],
        },
        Case {
            name: "CME, Complex Match Example, last source: TOP takes 10 of 21; 4 + 2 + 3, 2 left to order 2",
            policy: AllocationPolicy::top_pro_rata(2),
            with_top: true,
            orders: &[(1, 10), (1, 40), (1, 20), (1, 30)],
            incoming: 21,
            expected: &[10, 6, 2, 3],
        },
        Case {
            name: "Derive: Alice 10, Bob 30, Charlie takes 20",
            policy: AllocationPolicy::pro_rata(1),
            with_top: false,
            orders: &[(1, 10), (2, 30)],
            incoming: 20,
            expected: &[5, 15],
        },
        Case {
            name: "the order that bettered the market is TOP no more once it was canceled",
            policy: AllocationPolicy::top_pro_rata(1),
            with_top: false,
            orders: &[(1, 50), (1, 50)],
            incoming: 10,
            expected: &[5, 5],
        },
        Case {
            name: "threshold: a TOP below its minimum has no priority",
            policy: AllocationPolicy::threshold_pro_rata(TopStep { minimum: 10, ..TopStep::WHOLE }, 2),
            with_top: true,
            orders: &[(1, 8), (1, 160), (1, 152)],
            incoming: 80,
            expected: &[2, 40, 38],
        },
        Case {
            name: "threshold: TOP gets no more than its maximum first, and shares in the rest",
            policy: AllocationPolicy::threshold_pro_rata(TopStep { maximum: 20, ..TopStep::WHOLE }, 2),
            with_top: true,
            orders: &[(1, 100), (1, 80), (1, 80)],
            incoming: 44,
            expected: &[28, 8, 8],
        },
        Case {
            name: "lead: 40 % of 50 to the lead's two orders in time order, the rest by time",
            policy: AllocationPolicy::lead(lead(400_000)),
            with_top: false,
            orders: &[(1, 25), (7, 15), (1, 30), (7, 30)],
            incoming: 50,
            expected: &[25, 15, 5, 5],
        },
        Case {
            name: "lead: never more than its orders have",
            policy: AllocationPolicy::lead(lead(500_000)),
            with_top: false,
            orders: &[(1, 40), (7, 3), (1, 40)],
            incoming: 60,
            expected: &[40, 3, 17],
        },
        Case {
            name: "TOP, then lead of what TOP left, then time",
            policy: AllocationPolicy::top_lead(TopStep::WHOLE, lead(500_000)),
            with_top: true,
            orders: &[(1, 10), (1, 30), (7, 30)],
            incoming: 30,
            expected: &[10, 10, 10],
        },
        Case {
            name: "TOP, lead, pro rata with a minimum, time",
            policy: AllocationPolicy::threshold_pro_rata(TopStep::WHOLE, 2).with_lead(lead(100_000)),
            with_top: true,
            orders: &[(1, 20), (1, 50), (7, 50), (1, 5)],
            incoming: 60,
            expected: &[20, 17 + 3, 4 + 16, 0],
        },
        Case {
            name: "split: 40 % by time, the rest pro rata of what is left of the orders",
            policy: AllocationPolicy::split(400_000, 1, false),
            with_top: false,
            orders: &[(1, 30), (1, 30), (1, 60)],
            incoming: 50,
            expected: &[20 + 3, 9, 18],
        },
        Case {
            name: "leveling: one lot each to those whose share is below one, in time order",
            policy: AllocationPolicy::split(0, 2, true),
            with_top: false,
            orders: &[(1, 1), (1, 2), (1, 97), (1, 1)],
            incoming: 12,
            expected: &[1, 0, 11, 0],
        },
        Case {
            name: "CME notice of 12 May 2008: leveling is for shares calculated below one, not for those below the minimum",
            policy: AllocationPolicy::split(0, 2, true),
            with_top: false,
            orders: &[(1, 3), (1, 3), (1, 94)],
            incoming: 40,
            expected: &[3, 0, 37],
        },
        Case {
            name: "leveling: also for an order that the steps before pro rata gave something",
            policy: AllocationPolicy::split(100_000, 2, true),
            with_top: false,
            orders: &[(1, 2), (1, 1), (1, 97)],
            incoming: 10,
            expected: &[2, 0, 8],
        },
        Case {
            name: "who takes the whole level fills by time",
            policy: AllocationPolicy::pro_rata(2),
            with_top: false,
            orders: &[(1, 1), (1, 9), (1, 1)],
            incoming: 11,
            expected: &[1, 9, 1],
        },
    ]
}

#[test]
fn each_policy_shares_as_its_venue_publishes() {
    for case in cases() {
        let mut book = book_of(case.policy, case.orders, case.with_top);
        assert_eq!(shares(&mut book, case.orders.len(), case.incoming), case.expected, "{}", case.name);
    }
}

#[test]
fn the_largest_order_of_a_level_trades_first_and_equals_by_time() {
    let orders = [(1, 5), (1, 9), (1, 9), (1, 20)];
    let mut book = book_of(PriceSizeTime::default(), &orders, false);
    assert_eq!(shares(&mut book, 4, 33), [0, 9, 4, 20]);
}

#[test]
fn top_is_lost_to_a_better_order_to_a_replace_and_to_a_fill() {
    let top = |book: &Book<AllocationPolicy>| book.policy().top_order(Sell);
    let mut book = book_of(AllocationPolicy::top_pro_rata(1), &[(1, 10), (1, 10)], true);
    let mut told = Vec::new();
    assert_eq!(top(&book), Some(1));
    book.submit(&NewOrder::limit(3, Sell, 99, 5), &mut told).unwrap();
    assert_eq!(top(&book), Some(3));
    book.replace(3, 99, 4, false, &mut told).unwrap();
    assert_eq!(top(&book), Some(3), "a decrease keeps its place");
    book.replace(3, 101, 4, false, &mut told).unwrap();
    assert_eq!(top(&book), None);
    book.submit(&NewOrder::limit(4, Sell, 98, 5), &mut told).unwrap();
    book.submit(&NewOrder::limit(5, Buy, 98, 5), &mut told).unwrap();
    assert_eq!(top(&book), None);
    book.submit(&NewOrder { display: 2, ..NewOrder::limit(6, Sell, 98, 5) }, &mut told).unwrap();
    assert_eq!(top(&book), Some(6));
    book.submit(&NewOrder::limit(7, Sell, 98, 5), &mut told).unwrap();
    book.submit(&NewOrder::limit(8, Buy, 98, 2), &mut told).unwrap();
    assert_eq!(top(&book), None, "the refreshed iceberg stands behind order 7");
}

#[test]
fn a_self_trade_is_prevented_before_the_level_is_shared() {
    for (action, expected, left) in [
        (SelfTradeAction::CancelResting, vec![0, 10, 10], 0),
        (SelfTradeAction::CancelAggressor, vec![0, 0, 0], 0),
        (SelfTradeAction::CancelBoth, vec![0, 0, 0], 0),
        (SelfTradeAction::DecrementAndCancel, vec![0, 0, 0], 10),
    ] {
        let mut book = book_of(AllocationPolicy::pro_rata(1), &[(7, 30), (1, 50), (1, 50)], false);
        let mut told = Vec::new();
        let order = NewOrder { account: 7, ..NewOrder::limit(1_000, Buy, 100, 20) };
        book.submit_guarded(&order, &ByAccount(action), &mut told).unwrap();
        let mut given = vec![0; 3];
        for report in &told {
            if let BookReport::Traded(trade) = report {
                given[trade.maker_order_id as usize - 1] += trade.quantity;
            }
        }
        assert_eq!(given, expected, "{action:?}");
        assert_eq!(
            book.order(1).map_or(0, |order| order.leaves),
            if action == SelfTradeAction::CancelAggressor { 30 } else { left }
        );
    }
}

#[test]
fn a_fill_or_kill_is_not_filled_in_part_where_it_would_be_canceled_at_a_level_that_is_shared() {
    for action in [SelfTradeAction::CancelAggressor, SelfTradeAction::CancelBoth] {
        let mut book = book_of(AllocationPolicy::pro_rata(1), &[(1, 10), (7, 5)], false);
        let mut told = Vec::new();
        book.submit(&NewOrder { account: 2, ..NewOrder::limit(900, Sell, 99, 3) }, &mut told).unwrap();
        told.clear();
        let time_in_force = TimeInForce::Fok;
        let order = NewOrder { account: 7, time_in_force, ..NewOrder::limit(1_000, Buy, 100, 8) };
        book.submit_guarded(&order, &ByAccount(action), &mut told).unwrap();
        assert!(!told.iter().any(|report| matches!(report, BookReport::Traded(_))), "{action:?}: {told:?}");
        assert_eq!(book.order(900).map(|order| order.leaves), Some(3), "{action:?}");
        assert_eq!(book.order(2).map(|order| order.leaves), Some(5), "{action:?}");
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let lead = |share| LeadShare { account: 1, share };
    for bad in [
        AllocationPolicy::lead(vec![lead(600_000), lead(500_000)]),
        AllocationPolicy::pro_rata(-1),
        AllocationPolicy::split(1_000_001, 1, false),
        AllocationPolicy::default().with_top(TopStep { minimum: 5, maximum: 4, share: 1 }),
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
}

fn any_policy() -> impl Strategy<Value = AnyPolicy> {
    let top = prop::option::of((1i64..20, 0i64..30, 0u32..=1_000_000)).prop_map(|top| {
        top.map(|(minimum, more, share)| TopStep { minimum, maximum: minimum + more, share })
    });
    let lead = prop::collection::vec((1u32..4, 0u32..=300_000), 0..3);
    let allocation = (top, lead, 0u32..=1_000_000, prop::option::of(0i64..5), any::<bool>()).prop_map(
        |(top, lead, by_time, minimum, leveling)| {
            let base = match minimum {
                Some(minimum) => AllocationPolicy::split(by_time, minimum, leveling),
                None => AllocationPolicy::default(),
            };
            let lead = lead.into_iter().map(|(account, share)| LeadShare { account, share }).collect();
            let policy = base.with_lead(lead);
            AnyPolicy::from(top.map_or(policy.clone(), |top| policy.with_top(top)))
        },
    );
    prop_oneof![8 => allocation, 1 => Just(AnyPolicy::PriceSizeTime(PriceSizeTime::default())), 1 => Just(AnyPolicy::default())]
}

type Step = (bool, u32, i64, i64, i64);

fn restored(book: &Book<AnyPolicy>) -> Book<AnyPolicy> {
    let mut out = StateWriter::new();
    book.write(&mut out);
    let copy = Book::read(&mut StateReader::new(out.as_slice())).unwrap();
    assert_eq!(book.state_hash(), copy.state_hash());
    copy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]
    #[test]
    fn any_policy_shares_exactly_and_a_restored_book_goes_on_alike(
        policy in any_policy(),
        steps in prop::collection::vec((any::<bool>(), 1u32..4, 97i64..103, 1i64..60, prop_oneof![4 => Just(i64::MAX), 1 => 1i64..9]), 1..60),
    ) {
        let mut book = Book::new(policy);
        for (id, step) in (1u64..).zip(&steps) {
            let &(buy, account, price, quantity, display): &Step = step;
            let side = if buy { Buy } else { Sell };
            let order = NewOrder { account, display, ..NewOrder::limit(id, side, price, quantity) };
            let before: i64 = book.auction_levels(side.opposite()).map(|level| level.quantity).sum();
            let reach: i64 = book
                .auction_levels(side.opposite())
                .filter(|level| (price - level.price) * side.sign() >= 0)
                .map(|level| level.quantity)
                .sum();
            let mut copy = restored(&book);
            let (mut told, mut again) = (Vec::new(), Vec::new());
            let rests = book.submit(&order, &mut told).unwrap();
            copy.submit(&order, &mut again).unwrap();
            prop_assert_eq!(&told, &again);
            let mut best: Option<i64> = None;
            let mut traded = 0;
            for report in &told {
                if let BookReport::Traded(trade) = report {
                    prop_assert!(trade.quantity > 0 && trade.maker_leaves >= 0);
                    prop_assert!(best.is_none_or(|best| (trade.price - best) * side.sign() >= 0), "price first");
                    best = Some(trade.price);
                    traded += trade.quantity;
                }
            }
            prop_assert_eq!(traded, reach.min(quantity), "all that reaches trades");
            prop_assert_eq!(rests, quantity - traded);
            let after: i64 = book.auction_levels(side.opposite()).map(|level| level.quantity).sum();
            prop_assert_eq!(before - after, traded, "what traded is gone from the makers");
        }
    }
}

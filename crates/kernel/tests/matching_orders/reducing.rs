//! Reduce-only orders never open or turn a position, wherever they wait and however much trades at once.

use std::collections::BTreeMap;

use openbell_kernel::book::{AllocationPolicy, AnyPolicy};
use openbell_kernel::terms::{Side, TimeInForce, TradingSession, options};
use proptest::prelude::*;

use Side::{Buy, Sell};

use crate::floor::{Ask, Floor, limit, market, quoted, stop};

fn reducing(ask: Ask) -> Ask {
    ask.option(options::REDUCE_ONLY)
}

/// Account 1 is long.
fn long(position: i64) -> Floor {
    let mut floor = quoted();
    floor.positions.0.insert(1, position);
    floor
}

#[test]
fn a_stop_loss_and_a_take_profit_may_both_be_for_the_whole_position_and_shrink_with_it() {
    let mut floor = long(10);
    floor.send(reducing(limit(1, Sell, 10, 102)));
    floor.send(reducing(stop(2, Sell, 10, 98)));
    let said = floor.send(market(3, Sell, 3));
    let cut = ["1 reduced to 7 REDUCE_ONLY_MUST_REDUCE 7 10", "2 reduced to 7 REDUCE_ONLY_MUST_REDUCE 7 10"];
    assert_eq!(said[said.len() - 2..], cut);
    floor.send(limit(4, Buy, 2, 102).of(4));
    let said = floor.send(limit(5, Buy, 30, 102).of(4));
    assert!(said.contains(&"1 gave 7 at 102".to_owned()), "{said:?}");
    assert_eq!(said.last().unwrap(), "2 canceled REDUCE_ONLY_MUST_REDUCE 0 7", "the position is closed");
    assert_eq!(floor.positions.0[&1], 0);
}

#[test]
fn the_place_in_the_queue_is_kept_when_an_order_is_cut() {
    let mut floor = long(10);
    floor.send(reducing(limit(1, Sell, 10, 105)));
    floor.send(limit(2, Sell, 5, 105).of(2));
    floor.send(market(3, Sell, 4));
    assert_eq!(floor.shows(Sell), ["10 at 101", "11 at 105"]);
    floor.send(limit(4, Buy, 10, 101).of(4));
    assert_eq!(floor.send(limit(5, Buy, 1, 105).of(4))[1], "1 gave 1 at 105");
}

#[test]
fn one_sweep_through_several_stops_where_the_position_ends() {
    let mut floor = long(10);
    floor.send(reducing(limit(1, Sell, 8, 102)));
    floor.send(limit(2, Sell, 1, 102));
    floor.send(reducing(limit(3, Sell, 8, 103)));
    floor.send(reducing(limit(4, Sell, 8, 104)));
    floor.send(limit(5, Sell, 7, 104).of(5));
    floor.send(limit(6, Buy, 10, 101).of(4));
    let said = floor.send(limit(7, Buy, 40, 104).of(4));
    let expected = [
        "7 accepted",
        "1 gave 8 at 102",
        "7 took 8 at 102",
        "2 gave 1 at 102",
        "7 took 1 at 102",
        "3 gave 1 at 103",
        "7 took 1 at 103",
        "3 canceled REDUCE_ONLY_MUST_REDUCE 0 7",
        "4 canceled REDUCE_ONLY_MUST_REDUCE 0 8",
        "5 gave 7 at 104",
        "7 took 7 at 104",
    ];
    assert_eq!(said, expected);
    assert_eq!(floor.positions.0[&1], 0);
}

#[test]
fn an_own_order_that_trades_first_uses_the_position_up() {
    let mut floor = long(10);
    floor.send(limit(1, Sell, 10, 102));
    floor.send(reducing(limit(2, Sell, 10, 103)));
    floor.send(limit(3, Buy, 10, 101).of(4));
    let said = floor.send(limit(4, Buy, 20, 103).of(4));
    assert_eq!(said[3], "2 canceled REDUCE_ONLY_MUST_REDUCE 0 10");
    assert_eq!(floor.positions.0[&1], 0);
}

#[test]
fn what_cannot_trade_does_not_count_for_fill_or_kill() {
    let mut floor = long(10);
    floor.send(reducing(limit(1, Sell, 8, 101)));
    floor.send(reducing(limit(2, Sell, 8, 101)));
    let fok = |id, quantity| limit(id, Buy, quantity, 101).of(4).good(TimeInForce::Fok);
    let said = floor.send(fok(3, 21));
    assert_eq!(said[1], "3 canceled FILL_OR_KILL_MUST_FILL_WHOLE 20 21");
    assert_eq!(floor.send(fok(4, 20)).last().unwrap(), "2 canceled REDUCE_ONLY_MUST_REDUCE 0 6");
    assert_eq!(floor.positions.0[&1], 0);
}

#[test]
fn an_iceberg_shows_no_next_part_once_the_position_is_gone() {
    let mut floor = long(5);
    floor.send(reducing(limit(1, Sell, 9, 100).showing(3)));
    let said = floor.send(limit(2, Buy, 9, 100).of(4));
    assert!(said.contains(&"1 canceled REDUCE_ONLY_MUST_REDUCE 0 4".to_owned()), "{said:?}");
    assert_eq!(floor.positions.0[&1], 0);
}

#[test]
fn an_order_that_waits_for_its_position_stays_when_the_position_grows() {
    let mut floor = long(0);
    floor.send(reducing(limit(1, Sell, 6, 105)));
    floor.send(market(2, Buy, 2));
    assert_eq!(floor.shows(Sell), ["8 at 101", "6 at 105"]);
    assert_eq!(floor.send(market(3, Sell, 2)).last().unwrap(), "1 canceled REDUCE_ONLY_MUST_REDUCE 0 6");
}

#[test]
fn a_shared_level_gives_an_account_no_more_than_its_position() {
    let mut floor = Floor::default();
    floor.venue.set_policy(1, AnyPolicy::from(AllocationPolicy::pro_rata(1))).unwrap();
    floor.positions.0.insert(1, 10);
    floor.send(reducing(limit(1, Sell, 10, 100)));
    floor.send(reducing(limit(2, Sell, 10, 100)));
    floor.send(limit(3, Sell, 20, 100).of(5));
    floor.send(limit(4, Buy, 30, 100).of(4));
    assert_eq!(floor.positions.0[&1], 0);
    assert_eq!((floor.shows(Buy), floor.shows(Sell)), (vec![], vec![]), "10 of account 1, 20 of account 5");
}

#[test]
fn an_auction_cuts_what_would_overshoot_before_its_price_is_found() {
    let mut floor = long(10);
    floor.open(TradingSession::OpeningAuction);
    floor.send(reducing(limit(1, Sell, 8, 95)));
    floor.send(reducing(limit(2, Sell, 8, 96)));
    floor.send(reducing(market(3, Sell, 8)));
    floor.send(limit(4, Buy, 30, 100).of(4));
    let said = floor.open(TradingSession::Continuous);
    let expected = [
        "1 reduced to 2 REDUCE_ONLY_MUST_REDUCE 2 8",
        "2 canceled REDUCE_ONLY_MUST_REDUCE 0 8",
        "uncrossed 10 at 100",
        "3 gave 8 at 100",
        "4 gave 8 at 100",
        "1 gave 2 at 100",
        "4 gave 2 at 100",
    ];
    let mut sorted: [Vec<String>; 2] = [said, expected.map(str::to_owned).to_vec()];
    sorted.iter_mut().for_each(|lines| lines.sort());
    assert_eq!(sorted[0], sorted[1]);
    assert_eq!(floor.positions.0[&1], 0);
}

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(&[Buy, Sell][..])
}

/// Account, side, quantity, price (0: market, with 90 as stop), reduce-only, shows a part.
type Act = (u32, Side, i64, i64, bool, bool);

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let price = prop_oneof![8 => 96i64..104, 1 => Just(0), 1 => 190i64..210];
    prop::collection::vec((1u32..4, side(), 1i64..12, price, any::<bool>(), any::<bool>()), 1..60)
}

fn ask(id: u64, act: &Act) -> Ask {
    let &(account, side, quantity, price, reduces, shows_part) = act;
    let ask = match price {
        0 => market(id, side, quantity),
        190.. => stop(id, side, quantity, price - 100),
        _ if shows_part => limit(id, side, quantity, price).showing(2),
        _ => limit(id, side, quantity, price),
    };
    if reduces { reducing(ask.of(account)) } else { ask.of(account) }
}

proptest! {
    #[test]
    fn no_reduce_only_fill_ever_opens_or_turns_a_position(
        acts in acts(),
        sessions in prop::collection::vec(any::<bool>(), 60),
        shares in any::<bool>(),
    ) {
        let mut floor = Floor::default();
        if shares {
            floor.venue.set_policy(1, AnyPolicy::from(AllocationPolicy::pro_rata(1))).unwrap();
        }
        floor.positions.0.extend((1..4).map(|account| (account, 0)));
        let mut owners: BTreeMap<u64, (u32, Side, bool)> = BTreeMap::new();
        for (id, act) in (1..).zip(&acts) {
            owners.insert(id, (act.0, act.1, act.4));
            let mut positions = floor.positions.0.clone();
            let mut told = floor.send(ask(id, act));
            if id % 12 == 0 && sessions[id as usize % 60] {
                told.extend(floor.open(TradingSession::VolatilityAuction));
            } else if id % 12 == 9 {
                told.extend(floor.open(TradingSession::Continuous));
            }
            for line in &told {
                let words: Vec<&str> = line.split(' ').collect();
                if !matches!(words[1], "gave" | "took") {
                    continue;
                }
                let (order_id, quantity): (u64, i64) = (words[0].parse().unwrap(), words[2].parse().unwrap());
                let (account, side, reduces) = owners[&order_id];
                let position = positions.get_mut(&account).unwrap();
                let room = (-*position * side.sign()).max(0);
                prop_assert!(!reduces || quantity <= room, "{line}: {position} of {account} in {told:?}");
                *position += quantity * side.sign();
            }
        }
    }
}

//! A venue that was written and read back goes on alike, whatever rests in it.

use openbell_kernel::book::SelfTradeAction;
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::{OrderType, Peg, Side, TimeInForce, TrailBy, TriggerBy, options};
use openbell_kernel::venue::Venue;
use proptest::prelude::*;

use crate::floor::{Ask, Floor, limit, market, pegged, stop, touched, trailing};

#[derive(Clone, Debug)]
enum Act {
    Send(Ask),
    Cancel(u64),
    Replace(u64, [i64; 3], Option<i64>),
    Mark(i64),
    CloseSession,
}

fn side() -> impl Strategy<Value = Side> {
    prop::sample::select(&[Side::Buy, Side::Sell][..])
}

fn ask(id: u64) -> impl Strategy<Value = Ask> {
    let numbers = (1i64..12, 90i64..110, -3i64..4, 1u32..4, 0u8..12);
    let trigger = prop::option::of(prop::sample::select(TriggerBy::ALL));
    let force =
        prop::sample::select(&[TimeInForce::Gtc, TimeInForce::Gtc, TimeInForce::Day, TimeInForce::Ioc][..]);
    let option =
        prop::sample::select(&[0, 0, 0, options::POST_ONLY, options::SLIDE, options::REDUCE_ONLY][..]);
    (side(), numbers, trigger, force, option, 1i64..4).prop_map(
        move |(side, (quantity, price, offset, account, kind), trigger_by, force, option, part)| {
            let made = match kind {
                0 => market(id, side, quantity),
                1 => stop(id, side, quantity, price).with(|terms| terms.trigger_by = trigger_by),
                2 => touched(id, side, quantity, price).with(|terms| terms.trigger_by = trigger_by),
                3 => trailing(id, side, quantity, part).with(|terms| terms.trigger_by = trigger_by),
                4 => trailing(id, side, quantity, 30_000_000)
                    .typed(OrderType::TrailingStopLimit)
                    .with(|terms| (terms.trail_by, terms.limit_offset) = (Some(TrailBy::Percent), part)),
                5 => pegged(id, side, quantity, Peg::ALL[part as usize % 3], offset),
                6 => limit(id, side, quantity, price).showing(part.min(quantity)),
                7 => limit(id, side, quantity, price).option(options::HIDDEN),
                8 => limit(id, side, quantity, price).option(options::ALL_OR_NONE),
                9 => market(id, side, quantity).typed(OrderType::MarketToLimit),
                10 => limit(id, side, quantity, price).preventing(SelfTradeAction::DecrementAndCancel, 0),
                _ => limit(id, side, quantity, price).option(option),
            };
            made.of(account).good(if kind >= 10 { force } else { TimeInForce::Gtc })
        },
    )
}

fn act(id: u64) -> impl Strategy<Value = Act> {
    let replaced = (1..=id, (1i64..12, 90i64..110, 90i64..110), prop::option::of(1i64..4));
    prop_oneof![
        14 => ask(id).prop_map(Act::Send),
        2 => (1..=id).prop_map(Act::Cancel),
        3 => replaced.prop_map(|(id, (quantity, price, stop), part)| Act::Replace(id, [quantity, price, stop], part)),
        1 => (90i64..110).prop_map(Act::Mark),
        1 => Just(Act::CloseSession),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    (1usize..60).prop_flat_map(|len| (1..=len as u64).map(act).collect::<Vec<_>>())
}

fn run(floor: &mut Floor, act: &Act) -> Vec<String> {
    match act {
        Act::Send(ask) => floor.send(*ask),
        Act::Cancel(id) => floor.cancel(*id),
        Act::Replace(id, terms, None) => floor.replace(*id, *terms),
        Act::Replace(id, terms, Some(part)) => {
            let special = SpecialTerms {
                trail: *part,
                trail_by: Some(TrailBy::Amount),
                display_quantity: *part,
                peg: Some(Peg::Primary),
                ..SpecialTerms::default()
            };
            floor.replace_with(*id, *terms, special)
        }
        Act::Mark(price) => floor.mark(*price),
        Act::CloseSession => {
            floor.time += 1;
            floor.venue.close_session(1, floor.time);
            floor.pull()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_venue_of_all_order_types_never_rests_crossed_and_goes_on_alike_once_restored(acts in acts(), cut in 0usize..60) {
        let mut floor = Floor::default();
        for account in 1..4 {
            floor.positions.0.insert(account, 5 - 3 * i64::from(account));
        }
        let mut other = None;
        for (place, act) in acts.iter().enumerate() {
            if place == cut {
                let mut restored = floor.restored();
                prop_assert_eq!(restored.hash(), floor.hash());
                other = Some(restored);
            }
            let said = run(&mut floor, act);
            if let Some(other) = &mut other {
                prop_assert_eq!(run(other, act), said);
                prop_assert_eq!(other.hash(), floor.hash(), "after {:?}", act);
            }
            if let Some(book) = floor.venue.book(1) {
                let best = |side| book.orders(side).next().map(|order| order.price);
                if let (Some(bid), Some(ask)) = (best(Side::Buy), best(Side::Sell)) {
                    prop_assert!(bid < ask, "bid {} ask {} after {:?}", bid, ask, act);
                }
            }
            prop_assert_eq!(floor.venue.next_due(), None, "nothing is left to do after {:?}", act);
        }
    }
}

/// `OPENBELL_SEQUENCES` asks for more.
fn cases() -> u32 {
    std::env::var("OPENBELL_SEQUENCES").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000)
}

//! The price of an auction.
//!
//! Candidates are the limit prices of the orders that cross. In this order: the largest volume; of those the
//! smallest imbalance; of those, when every one leaves buyers unfilled, the highest, when every one leaves
//! sellers, the lowest; else the reference price, moved into the range of those that are left. Without a reference
//! price that is the lowest of the range. When only market orders meet, the price is the reference price, and
//! without one there is none. These are the rules of Deutsche Börse's market model for Xetra, "price determination
//! in auctions".

use crate::book::AuctionLevel;
use crate::instrument::MAX_UNITS;

/// What an auction would come to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indication {
    /// 0 where nothing would trade.
    pub price: i64,
    /// 0: nothing would trade, and the price says nothing.
    pub volume: i64,
    /// What stays unfilled at the price: + of buyers, - of sellers.
    pub imbalance: i64,
}

/// Price and what is wanted there or better.
type Cumulated = (i64, i64);

/// Finds the price from what both sides want, each best price first; market orders stand at the ends of the price
/// axis.
pub fn find_price(
    bids: impl Iterator<Item = AuctionLevel>,
    asks: impl Iterator<Item = AuctionLevel>,
    reference: Option<i64>,
) -> Indication {
    let (mut bids, mut asks) = (bids.peekable(), asks.peekable());
    let (Some(&best_bid), Some(&best_ask)) = (bids.peek(), asks.peek()) else { return Indication::default() };
    let demand = cumulated(bids.take_while(|level| level.price >= best_ask.price));
    let supply = cumulated(asks.take_while(|level| level.price <= best_bid.price));
    let mut candidates: Vec<i64> = demand.iter().chain(&supply).map(|&(price, _)| price).collect();
    candidates.retain(|price| price.abs() < MAX_UNITS);
    candidates.sort_unstable();
    candidates.dedup();
    let crossing = !demand.is_empty() && !supply.is_empty();
    if !crossing {
        return Indication::default();
    }
    if candidates.is_empty() {
        return reference.map_or(Indication::default(), |price| at(&demand, &supply, price));
    }
    let results: Vec<Indication> = candidates.iter().map(|&price| at(&demand, &supply, price)).collect();
    let best = |result: &Indication| (-result.volume, result.imbalance.abs());
    let Some(least) = results.iter().map(best).min() else { return Indication::default() };
    let equals: Vec<&Indication> = results.iter().filter(|result| best(result) == least).collect();
    at(&demand, &supply, among_equals(&equals, reference))
}

/// `equals` in ascending order of price.
fn among_equals(equals: &[&Indication], reference: Option<i64>) -> i64 {
    let price = |result: Option<&&Indication>| result.map_or(0, |result| result.price);
    let (lowest, highest) = (price(equals.first()), price(equals.last()));
    if equals.iter().all(|result| result.imbalance > 0) {
        return highest;
    }
    if equals.iter().all(|result| result.imbalance < 0) {
        return lowest;
    }
    // The range between the last price that leaves buyers and the first that leaves sellers.
    let low = equals.iter().rfind(|result| result.imbalance > 0).map_or(lowest, |result| result.price);
    let high = equals.iter().find(|result| result.imbalance < 0).map_or(highest, |result| result.price);
    reference.map_or(low, |price| price.clamp(low, high))
}

/// Volume and imbalance at one price.
fn at(demand: &[Cumulated], supply: &[Cumulated], price: i64) -> Indication {
    let bids = demand.partition_point(|&(bid, _)| bid >= price);
    let asks = supply.partition_point(|&(ask, _)| ask <= price);
    let wanted = |side: &[Cumulated], count: usize| if count == 0 { 0 } else { side[count - 1].1 };
    let (buys, sells) = (wanted(demand, bids), wanted(supply, asks));
    Indication { price, volume: buys.min(sells), imbalance: buys - sells }
}

fn cumulated(levels: impl Iterator<Item = AuctionLevel>) -> Vec<Cumulated> {
    let mut total = 0;
    levels
        .map(|level| {
            total += level.quantity;
            (level.price, total)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARKET: i64 = MAX_UNITS;

    fn levels(rows: &[(i64, i64)]) -> Vec<AuctionLevel> {
        rows.iter().map(|&(price, quantity)| AuctionLevel { price, quantity }).collect()
    }

    fn price(bids: &[(i64, i64)], asks: &[(i64, i64)], reference: i64) -> (i64, i64, i64) {
        let known = Some(reference).filter(|&price| price != 0);
        let found = find_price(levels(bids).into_iter(), levels(asks).into_iter(), known);
        (found.price, found.volume, found.imbalance)
    }

    #[test]
    fn the_rules_decide_one_after_the_other() {
        // largest volume
        assert_eq!(
            price(&[(202, 200), (201, 200), (200, 300)], &[(198, 100), (199, 200), (200, 400)], 0),
            (200, 700, 0)
        );
        // smallest imbalance
        assert_eq!(price(&[(202, 300), (201, 200)], &[(199, 300), (200, 250)], 0), (200, 500, -50));
        // buyers stay at every candidate: the highest
        assert_eq!(price(&[(202, 400), (201, 200)], &[(199, 300), (200, 100)], 0), (202, 400, 0));
        assert_eq!(price(&[(202, 500)], &[(200, 300)], 0), (202, 300, 200));
        // sellers stay at every candidate: the lowest
        assert_eq!(price(&[(202, 300)], &[(200, 500)], 0), (200, 300, -200));
        // nobody stays: the reference price, moved into the range
        for (reference, expected) in [(0, 200), (199, 200), (201, 201), (203, 202)] {
            assert_eq!(price(&[(202, 500)], &[(200, 500)], reference), (expected, 500, 0));
        }
        // buyers stay below, sellers above: the reference price, moved into the range
        let (bids, asks) = ([(MARKET, 100), (199, 100)], [(-MARKET, 100), (202, 100)]);
        for (reference, expected) in [(198, 199), (200, 200), (203, 202)] {
            assert_eq!(price(&bids, &asks, reference).0, expected);
        }
        // only market orders: the reference price, or none
        assert_eq!(price(&[(MARKET, 900)], &[(-MARKET, 800)], 200), (200, 800, 100));
        assert_eq!(price(&[(MARKET, 900)], &[(-MARKET, 800)], 0), (0, 0, 0));
        // nothing crosses
        assert_eq!(price(&[(199, 5)], &[(200, 5)], 200), (0, 0, 0));
        assert_eq!(price(&[], &[(200, 5)], 200), (0, 0, 0));
    }

    fn side() -> impl Strategy<Value = Vec<(i64, i64)>> {
        prop::collection::btree_map(-10i64..10, 1i64..50, 0..12).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn no_other_price_would_trade_more(asks in side(), mut bids in side(), reference in -15i64..15) {
            bids.reverse();
            let found = find_price(levels(&bids).into_iter(), levels(&asks).into_iter(), Some(reference));
            let volume = |price: i64| {
                let buys: i64 = bids.iter().filter(|bid| bid.0 >= price).map(|bid| bid.1).sum();
                let sells: i64 = asks.iter().filter(|ask| ask.0 <= price).map(|ask| ask.1).sum();
                (buys.min(sells), buys - sells)
            };
            let most = (-20..20).map(|price| volume(price).0).max().unwrap_or(0);
            prop_assert_eq!(found.volume, most);
            if most > 0 {
                prop_assert_eq!(volume(found.price), (found.volume, found.imbalance));
            }
        }
    }
}

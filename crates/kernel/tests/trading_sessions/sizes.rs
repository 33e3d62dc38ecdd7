//! Many instruments, many orders, prices from end to end.

use openbell_kernel::command::ChangeTradingSession;
use openbell_kernel::instrument::MAX_UNITS;
use openbell_kernel::rules::Refusal;
use openbell_kernel::terms::{OrderType, Sizing, TimeInForce};
use openbell_kernel::venue::matching::MatchingVenue;
use openbell_kernel::venue::{Outcome, Venue, VenueContext, VenueOrder, VenueReport, VenueRequest};

use crate::floor::*;

struct Anything;

impl VenueContext for Anything {
    fn executable_quantity(&self, _order: &VenueOrder, leaves: i64, _price: i64) -> Result<i64, Refusal> {
        Ok(leaves)
    }

    fn position(&self, _account: u32, _instrument: u32) -> i64 {
        0
    }

    fn tick(&self, _instrument: u32) -> i64 {
        1
    }
}

fn pull(venue: &mut MatchingVenue, request: VenueRequest) -> Vec<VenueReport> {
    venue.request(&request, 1);
    std::iter::from_fn(|| venue.next_report(1, &Anything)).collect()
}

#[test]
fn ten_thousand_instruments_trade_in_one_engine_each_in_its_own_book() {
    const INSTRUMENTS: u32 = 10_000;
    let mut floor = Floor::with(INSTRUMENTS);
    let whole_market = ChangeTradingSession { session: OpeningAuction as u64, until: 0, reserved: [0; 2] };
    assert_eq!(floor.send(command(0, 0, whole_market)).len(), INSTRUMENTS as usize);
    for instrument in 1..=INSTRUMENTS {
        for (id, side) in [(1, Buy), (2, Sell)] {
            let id = u64::from(instrument) * 2 + id;
            let order = openbell_kernel::command::SubmitOrder { instrument, ..limit(id, side, 100, 1) };
            floor.submit(order);
        }
    }
    let continuous = ChangeTradingSession { session: Continuous as u64, until: 0, reserved: [0; 2] };
    let told = floor.send(command(0, 0, continuous));
    let trades = told.iter().filter(|line| line.starts_with("trade")).count();
    assert_eq!(trades, INSTRUMENTS as usize);
    let bytes: Vec<usize> = (1..=INSTRUMENTS).filter_map(|one| floor.venue().market_bytes(one)).collect();
    assert_eq!(bytes.len(), INSTRUMENTS as usize);
    println!("memory of an idle market: {} bytes", bytes.iter().sum::<usize>() / bytes.len());
}

#[test]
fn a_million_orders_at_one_price_trade_in_their_order() {
    let count: u64 = 1_000_000;
    let mut venue = MatchingVenue::new();
    let order = |order_id: u64, side, quantity| VenueOrder {
        order_id,
        client_order_id: order_id,
        account: 1,
        instrument: 1,
        side,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        sizing: Sizing::Units,
        price: 100,
        quantity,
        ..plain()
    };
    for id in 1..=count {
        pull(&mut venue, VenueRequest::Submit(order(id, Sell, 1)));
    }
    pull(&mut venue, VenueRequest::Cancel { order_id: 2, instrument: 1 });
    let reports = pull(&mut venue, VenueRequest::Submit(order(count + 1, Buy, 3)));
    let makers: Vec<u64> = reports
        .iter()
        .filter_map(|report| match report.outcome {
            Outcome::Trade { resting_order_id, .. } => Some(resting_order_id),
            _ => None,
        })
        .collect();
    assert_eq!(makers, [1, 3, 4]);
    let repeated = pull(&mut venue, VenueRequest::Submit(order(5, Sell, 1)));
    assert!(matches!(repeated[0].outcome, Outcome::Rejected { .. }));
    assert_eq!(venue.book(1).unwrap().len() as u64, count - 4);
}

fn plain() -> VenueOrder {
    VenueOrder {
        order_id: 0,
        client_order_id: 0,
        account: 0,
        instrument: 0,
        side: Buy,
        order_type: OrderType::Limit,
        time_in_force: TimeInForce::Gtc,
        sizing: Sizing::Units,
        options: 0,
        price: 0,
        quantity: 0,
        stop_price: 0,
        expire_time: 0,
        released_at: None,
    }
}

#[test]
fn prices_reach_from_the_lowest_to_the_highest_and_no_further() {
    let mut floor = Floor::new();
    assert_eq!(floor.submit(limit(1, Buy, 1, 1)), ["1 accepted"]);
    assert_eq!(floor.submit(limit(2, Sell, MAX_UNITS, 1)), ["2 accepted"]);
    assert_eq!(floor.submit(limit(3, Buy, MAX_UNITS, 1)).len(), 4, "trades at the highest price");
    let told = floor.submit(limit(4, Buy, MAX_UNITS + 1, 1));
    assert!(told[0].starts_with("4 refused"), "{told:?}");
    for price in [i64::MAX, i64::MIN, 0, -1] {
        let told = floor.submit(limit(5, Buy, price, 1));
        assert!(told[0].starts_with("5 refused"), "{told:?}");
    }
    let told = floor.submit(limit(6, Buy, MAX_UNITS, MAX_UNITS));
    assert!(told[0].starts_with("6 refused NOTIONAL_MUST_BE_IN_BOUNDS"), "{told:?}");
    floor.end();
}

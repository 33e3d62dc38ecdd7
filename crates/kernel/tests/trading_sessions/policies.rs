//! Matching policies chosen per instrument.

use openbell_kernel::command::{LeadPayload, SetMatchingPolicy, TopStepPayload, policy_kind};
use openbell_kernel::record::RecordBuffer;

use crate::floor::*;

fn policy(policy: u64, minimum: i64, by_time: u32) -> RecordBuffer {
    command(0, INSTRUMENT, SetMatchingPolicy { policy, minimum, by_time, leveling: 0, reserved: 0 })
}

/// What resting sells of 100, 200 and 700 get of a buy of 100.
fn shares(set: RecordBuffer) -> Vec<String> {
    let mut floor = Floor::new();
    floor.send(set);
    floor.all(&[limit(1, Sell, 100, 100), limit(2, Sell, 100, 200), limit(3, Sell, 100, 700)]);
    let told = floor.submit(limit(4, Buy, 100, 100));
    floor.end();
    told.into_iter().filter(|line| line.contains("sell")).collect()
}

#[test]
fn each_policy_shares_a_level_its_way() {
    assert_eq!(shares(policy(policy_kind::PRICE_TIME, 0, 0)), ["1 sell 100 at 100"]);
    assert_eq!(
        shares(policy(policy_kind::ALLOCATION, 1, 0)),
        ["1 sell 10 at 100", "2 sell 20 at 100", "3 sell 70 at 100"]
    );
    assert_eq!(shares(policy(policy_kind::PRICE_SIZE_TIME, 0, 0)), ["3 sell 100 at 100"]);
    assert_eq!(
        shares(policy(policy_kind::ALLOCATION, 1, 400_000)),
        ["1 sell 45 at 100", "2 sell 12 at 100", "3 sell 43 at 100"],
        "40 by time, the rest pro rata of what is left"
    );
    let mut top = policy(policy_kind::ALLOCATION, 1, 0);
    top.push(TopStepPayload { minimum: 1, maximum: 50, share: 1_000_000, reserved: [0; 2] });
    assert_eq!(shares(top)[0], "1 sell 54 at 100", "50 for bettering the market, then pro rata");
    let mut lead = policy(policy_kind::ALLOCATION, 0, 0);
    lead.push(LeadPayload { accounts: [2, 0, 0, 0, 0], shares: [300_000, 0, 0, 0, 0] });
    assert_eq!(shares(lead).len(), 1, "all of it is the lead's anyway");
}

#[test]
fn a_policy_is_set_while_no_order_rests() {
    let mut floor = Floor::new();
    floor.submit(limit(1, Sell, 100, 1));
    let told = floor.send(policy(policy_kind::ALLOCATION, 1, 0));
    assert_eq!(told, ["refused BOOK_MUST_BE_EMPTY limit 0 actual 1"]);
    floor.cancel(2, 1);
    assert!(floor.send(policy(policy_kind::ALLOCATION, 1, 0)).is_empty());
    assert_eq!(floor.send(policy(9, 0, 0)), ["refused FIELD_MUST_BE_IN_RANGE limit 4 actual 9"]);
    let told = floor.send(policy(policy_kind::ALLOCATION, 1, 1_000_001));
    assert_eq!(told, ["refused FIELD_MUST_BE_IN_RANGE limit 1000000 actual 1000001"]);
    floor.end();
}

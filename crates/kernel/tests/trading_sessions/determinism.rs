//! One scene with everything in it comes to the same bytes in every build.

use openbell_kernel::command::{SetMarketData, SetReferencePrice};
use openbell_kernel::terms::TimeInForce::{AtClose, AtOpen, Day, Ioc};
use zerocopy::IntoBytes;

use crate::floor::*;

/// Of the events of the scene; the same in debug and release. It changes only with the rules: raise their version.
const EVENTS: u128 = 0xb907_c0f8_ed33_613d_6738_e7d1_dbea_827b;

#[test]
fn the_same_commands_give_the_same_events_in_every_build() {
    let mut floor = Floor::at(1_000);
    floor.set(bands(100_000_000, 20_000_000, VolatilityAuction, 3));
    floor.set(SetMarketData { by_order: 1, reserved: [0; 3] });
    floor.open(PreOpen);
    // A generator of our own: the scene must not change with a library's.
    let mut chance = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |below: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % below
    };
    let sessions = [OpeningAuction, Continuous, Continuous, Halted, ClosingAuction, Closed, PreOpen];
    for id in 1..1_500 {
        let side = if draw(2) == 0 { Buy } else { Sell };
        let (price, quantity) = (960 + draw(80) as i64, 1 + draw(50) as i64);
        let order = match draw(12) {
            0 => market(id, side, quantity),
            1 => stop(id, side, price, quantity),
            2 => live_for(AtOpen, limit(id, side, price, quantity)),
            3 => live_for(AtClose, market(id, side, quantity)),
            4 => live_for(Ioc, limit(id, side, price, quantity)),
            5 => live_for(Day, limit(id, side, price, quantity)),
            _ => limit(id, side, price, quantity),
        };
        floor.submit(order);
        match draw(40) {
            0 => drop(floor.open(sessions[draw(7) as usize])),
            1 => drop(floor.wait(draw(5))),
            2..8 => drop(floor.cancel(1 + draw(2) as u32, 1 + draw(id))),
            8..12 => drop(floor.replace(1 + draw(2) as u32, 1 + draw(id), 960 + draw(80) as i64, 5)),
            12 => drop(floor.set(SetReferencePrice {
                price: 980 + draw(40) as i64,
                is_known: 0,
                reserved: [0; 2],
            })),
            _ => {}
        }
    }
    let slots = floor.slots();
    let found = xxhash_rust::xxh3::xxh3_128(slots.as_bytes());
    assert_eq!(found, EVENTS, "{} slots come to {found:#034x}", slots.len());
}

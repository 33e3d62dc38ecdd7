//! Special terms in auctions: what an order that has them does when it comes before or while orders are collected, when it is
//! replaced there, and when trading goes on.

use openbell_kernel::command::{ChangeTradingSession, ReplaceOrder, SetReferencePrice, SubmitOrder};
use openbell_kernel::engine::Engine;
use openbell_kernel::record::RecordBuffer;
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::terms::{OrderType, Peg, Side, TradingSession, TrailBy, VenueKind, options};

use OrderType::{Limit, LimitIfTouched, MarketToLimit, Pegged, Stop, TrailingStop};
use Side::{Buy, Sell};
use TradingSession::{ClosingAuction, Continuous, OpeningAuction, VolatilityAuction};

use crate::stage::{ACCOUNT, INSTRUMENT, Stage, bytes, command, deposit, opening, replay, restored, told};

const OTHER: u32 = 2;
const NONE: SpecialTerms = SpecialTerms {
    display_quantity: 0,
    minimum_quantity: 0,
    trail: 0,
    trail_by: None,
    limit_offset: 0,
    peg: None,
    peg_offset: 0,
    trigger_by: None,
    self_trade: None,
    self_trade_group: 0,
    zero_price: false,
    zero_stop_price: false,
};

/// What happens in a scene, one after the other.
#[derive(Clone, Copy)]
enum Step {
    /// Of the account whose orders are looked at: id, side, type, quantity, price, options, special terms.
    Mine(u64, Side, OrderType, i64, i64, u16, SpecialTerms),
    /// The same with a stop price.
    Stopped(u64, Side, OrderType, i64, i64, i64),
    /// A limit order of the other account.
    Theirs(u64, Side, i64, i64),
    /// New price and total quantity.
    Replace(u64, i64, i64),
    Session(TradingSession),
    /// Here the order is this.
    Is(u64, &'static str),
}

use Step::{Is, Mine, Replace, Session, Stopped, Theirs};

fn record(step: &Step) -> Option<RecordBuffer> {
    let order = |account, id, side, order_type, quantity, price| SubmitOrder {
        order_type,
        ..SubmitOrder::limit(account, INSTRUMENT, id, side, price, quantity)
    };
    match *step {
        Mine(id, side, kind, quantity, price, options, terms) => {
            let plain = order(ACCOUNT, id, side, kind, quantity, price);
            Some(SubmitOrder { options, ..plain }.to_record_with(&terms))
        }
        Stopped(id, side, kind, quantity, price, stop_price) => {
            Some(SubmitOrder { stop_price, ..order(ACCOUNT, id, side, kind, quantity, price) }.to_record())
        }
        Theirs(id, side, quantity, price) => Some(order(OTHER, id, side, Limit, quantity, price).to_record()),
        Replace(client_order_id, price, quantity) => {
            Some(command(ACCOUNT, 0, ReplaceOrder { client_order_id, price, quantity, stop_price: 0 }))
        }
        Session(session) => {
            let body = ChangeTradingSession { session: session as u64, until: 0, reserved: [0; 2] };
            Some(command(0, INSTRUMENT, body))
        }
        Is(..) => None,
    }
}

/// Plays a scene, a copy restored and hashed after each step, and replays it from the start and from every state.
fn play(name: &str, steps: &[Step]) {
    let mut stage = Stage::of(VenueKind::Matching);
    let reference = SetReferencePrice { price: 10_000, is_known: 1, reserved: [0; 2] };
    for record in [opening(OTHER), deposit(OTHER), command(0, INSTRUMENT, reference)] {
        stage.command(record);
    }
    let mut saved = Vec::new();
    for step in steps {
        if let Is(id, expected) = *step {
            let order = stage.order(id);
            let rule = order.refusal().map_or(String::new(), |refusal| format!(" {}", refusal.rule.name()));
            let (terms, done) = (order.terms, order.cumulative_quantity);
            let found = format!("{} {done}/{} at {}{rule}", order.state.name(), terms.quantity, terms.price);
            assert_eq!(found, expected, "{name}: order {id}");
            continue;
        }
        let events = stage.command(record(step).unwrap());
        assert!(!told(&events).contains(&"CommandRefused"), "{name}");
        let state = bytes(stage.engine());
        assert_eq!(restored(&state).state_hash(), stage.node.state_hash(), "{name}");
        saved.push((state, stage.tape.slots().len()));
        check_uncrossed(name, stage.engine());
    }
    let (hash, tape) = (stage.node.state_hash(), stage.tape.slots());
    for (state, at) in [(bytes(&Engine::new(0)), 0)].iter().chain(&saved) {
        assert_eq!(replay(restored(state), &tape[*at..]).0.state_hash(), hash, "{name}");
    }
}

/// No crossed book in continuous trading, and nothing made or lost.
fn check_uncrossed(name: &str, engine: &Engine) {
    let openbell_kernel::engine::AnyVenue::Matching(venue) = &engine.venues()[0] else { panic!("our venue") };
    if venue.session(INSTRUMENT) == Continuous
        && let Some(book) = venue.book(INSTRUMENT)
    {
        let first = |side| book.orders(side).next().map(|order| order.price);
        let crossed = first(Buy).zip(first(Sell)).is_some_and(|(bid, ask)| bid >= ask);
        assert!(!crossed, "{name}: crossed");
    }
    let held: i64 = [ACCOUNT, OTHER].iter().map(|&one| engine.portfolio().quantity(one, INSTRUMENT)).sum();
    assert_eq!(held, 0, "{name}");
}

#[test]
fn special_terms_in_auctions_do_what_the_table_in_the_documents_says() {
    let iceberg = SpecialTerms { display_quantity: 2, ..NONE };
    let minimum = SpecialTerms { minimum_quantity: 5, ..NONE };
    let pegged = SpecialTerms { peg: Some(Peg::Primary), ..NONE };
    let trailing = SpecialTerms { trail: 50, trail_by: Some(TrailBy::Amount), ..NONE };
    let scenes: &[(&str, &[Step])] = &[
        (
            "an iceberg queues with what it shows and behind all at its price with the next part",
            &[
                Session(OpeningAuction),
                Mine(1, Buy, Limit, 10, 10_000, 0, iceberg),
                Mine(2, Buy, Limit, 5, 10_000, 0, NONE),
                Theirs(9, Sell, 8, 10_000),
                Session(Continuous),
                Is(1, "ACCEPTED 3/10 at 10000"),
                Is(2, "FILLED 5/5 at 10000"),
            ],
        ),
        (
            "a hidden order trades after all shown at its price, and is part of the auction",
            &[
                Session(OpeningAuction),
                Mine(1, Buy, Limit, 5, 10_000, options::HIDDEN, NONE),
                Mine(2, Buy, Limit, 5, 10_000, 0, NONE),
                Theirs(9, Sell, 7, 9_990),
                Session(Continuous),
                Is(1, "ACCEPTED 2/5 at 10000"),
                Is(2, "FILLED 5/5 at 10000"),
            ],
        ),
        (
            "post-only and sliding orders take nothing in an auction, so they cross and trade in it",
            &[
                Session(OpeningAuction),
                Theirs(9, Sell, 4, 9_900),
                Mine(1, Buy, Limit, 3, 10_000, options::POST_ONLY, NONE),
                Mine(2, Buy, Limit, 3, 10_000, options::SLIDE, NONE),
                Session(Continuous),
                Is(1, "FILLED 3/3 at 10000"),
                Is(2, "ACCEPTED 1/3 at 10000"),
            ],
        ),
        (
            "a minimum quantity cannot be looked at while nothing trades, so it cancels the order",
            &[
                Session(OpeningAuction),
                Theirs(9, Sell, 10, 9_900),
                Mine(1, Buy, Limit, 10, 10_000, 0, minimum),
                Is(1, "CANCELED 0/10 at 10000 MINIMUM_QUANTITY_MUST_FILL_NOW"),
                Session(Continuous),
            ],
        ),
        (
            "an all-or-none order has no part in an auction and takes afterwards what it can whole",
            &[
                Session(OpeningAuction),
                Theirs(9, Sell, 10, 9_900),
                Mine(1, Buy, Limit, 6, 10_000, options::ALL_OR_NONE, NONE),
                Mine(2, Buy, Limit, 2, 9_950, 0, NONE),
                Is(1, "ACCEPTED 0/6 at 10000"),
                Session(Continuous),
                Is(2, "FILLED 2/2 at 9950"),
                Is(1, "FILLED 6/6 at 10000"),
            ],
        ),
        (
            "a peg that comes into an auction waits for its end; one that rested takes part where it stands",
            &[
                Theirs(8, Buy, 5, 9_900),
                Mine(1, Buy, Pegged, 5, 0, 0, pegged),
                Session(VolatilityAuction),
                Mine(2, Buy, Pegged, 5, 0, 0, pegged),
                Theirs(9, Sell, 8, 9_900),
                Session(Continuous),
                Is(1, "ACCEPTED 3/5 at 0"),
                Is(2, "ACCEPTED 0/5 at 0"),
            ],
        ),
        (
            "a stop and a touched order see the auction's price when trading goes on",
            &[
                Theirs(8, Sell, 1, 10_000),
                Mine(5, Buy, Limit, 1, 10_000, 0, NONE),
                Session(OpeningAuction),
                Stopped(1, Buy, Stop, 2, 0, 10_050),
                Stopped(2, Buy, LimitIfTouched, 2, 9_800, 9_900),
                Mine(3, Sell, TrailingStop, 2, 0, 0, trailing),
                Mine(4, Buy, Limit, 4, 10_060, 0, NONE),
                Theirs(9, Sell, 9, 10_060),
                Is(1, "ACCEPTED 0/2 at 0"),
                Session(Continuous),
                Is(4, "FILLED 4/4 at 10060"),
                Is(1, "FILLED 2/2 at 0"),
                Is(2, "ACCEPTED 0/2 at 9800"),
                Is(3, "ACCEPTED 0/2 at 0"),
            ],
        ),
        (
            "market-to-limit is a market order in an auction and rests at the auction's price afterwards",
            &[
                Session(OpeningAuction),
                Mine(1, Buy, MarketToLimit, 5, 0, 0, NONE),
                Theirs(9, Sell, 3, 9_950),
                Session(Continuous),
                Is(1, "ACCEPTED 3/5 at 9950"),
            ],
        ),
        (
            "reduce-only and orders of one owner: nothing opens a position, and a self-trade is not hindered",
            &[
                Session(OpeningAuction),
                Mine(1, Sell, Limit, 3, 9_900, options::REDUCE_ONLY, NONE),
                Is(1, "DENIED 0/3 at 9900 REDUCE_ONLY_MUST_REDUCE"),
                Mine(2, Sell, Limit, 3, 9_900, 0, NONE),
                Mine(3, Buy, Limit, 3, 9_900, 0, NONE),
                Session(Continuous),
                Is(2, "FILLED 3/3 at 9900"),
                Is(3, "FILLED 3/3 at 9900"),
            ],
        ),
        (
            "what is replaced in an auction keeps its place where it only shrinks",
            &[
                Session(OpeningAuction),
                Mine(1, Buy, Limit, 6, 10_000, 0, iceberg),
                Mine(2, Buy, Limit, 5, 10_000, options::HIDDEN, NONE),
                Mine(3, Buy, Limit, 5, 10_000, 0, NONE),
                Replace(1, 0, 4),
                Replace(2, 10_010, 5),
                Replace(3, 0, 9),
                Theirs(9, Sell, 8, 9_990),
                Session(Continuous),
                Is(2, "FILLED 5/5 at 10010"),
                Is(1, "ACCEPTED 2/4 at 10000"),
                Is(3, "ACCEPTED 1/9 at 10000"),
            ],
        ),
        (
            "orders with special terms go on from a closing auction that is broken off",
            &[
                Mine(1, Buy, Limit, 6, 10_000, 0, iceberg),
                Mine(2, Buy, Limit, 5, 10_000, options::HIDDEN, NONE),
                Mine(3, Buy, Limit, 5, 10_000, options::ALL_OR_NONE, NONE),
                Session(ClosingAuction),
                Theirs(8, Buy, 1, 10_020),
                Session(TradingSession::Halted),
                Session(Continuous),
                Theirs(9, Sell, 12, 10_000),
                Is(1, "FILLED 6/6 at 10000"),
                Is(2, "FILLED 5/5 at 10000"),
                Is(3, "ACCEPTED 0/5 at 10000"),
            ],
        ),
    ];
    // All of them, so that one rule that is broken does not hide another.
    let fails = |(_, steps): &&(&str, &[Step])| std::panic::catch_unwind(|| play("a scene", steps)).is_err();
    let failed: Vec<&str> = scenes.iter().filter(fails).map(|(name, _)| *name).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

//! What each answer of a remote venue does to an order: late, early, twice, wrong or never. A row of a script says
//! what happens, what the order then is (state, filled/total) and what was told; cash and position are checked to the
//! nano at the end.

use openbell_kernel::command::SubmitOrder;
use openbell_kernel::terms::Side;

use crate::scene::*;
use crate::stage::{ACCOUNT, INSTRUMENT, told};

/// Fees at the taker rate of 0.1234567 %, rounded half-even: 4 cost 493,826.8; 6 cost 740,740.2 and so on.
const FEE_OF_2: i128 = 246_913;
const FEE_OF_3: i128 = 370_370;
const FEE_OF_4: i128 = 493_827;
const FEE_OF_5: i128 = 617_284;
const FEE_OF_6: i128 = 740_740;
const FEE_OF_10: i128 = 1_234_567;

#[test]
fn an_order_lives_from_its_acknowledgment_to_its_last_fill() {
    script(
        "plain life",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Accepted, "ACCEPTED 0/10", "OrderAccepted"),
            (Filled(1, 4), "ACCEPTED 4/10", "OrderFilled"),
            (FilledForFee(2, 6, -55), "FILLED 10/10", "OrderFilled"),
        ],
        &[(4, FEE_OF_4), (6, -55)],
    );
}

#[test]
fn a_late_or_repeated_acknowledgment_changes_nothing() {
    let first_fill = (Filled(1, 4), "ACCEPTED 4/10", "OrderFilled");
    script(
        "fill before the acknowledgment",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            first_fill,
            (Accepted, "ACCEPTED 4/10", "OrderAccepted"),
            (Accepted, "ACCEPTED 4/10", ""),
            (Filled(2, 6), "FILLED 10/10", "OrderFilled"),
        ],
        &[(4, FEE_OF_4), (6, FEE_OF_6)],
    );
    script(
        "acknowledgment after the last fill",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Filled(1, 10), "FILLED 10/10", "OrderFilled"),
            (Accepted, "FILLED 10/10", "OrderAccepted"),
            (Accepted, "FILLED 10/10", ""),
        ],
        &[(10, FEE_OF_10)],
    );
    script(
        "acknowledgment that the cancel overtook",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (Accepted, "PENDING_CANCEL 0/10", "OrderAccepted"),
            (CancelRejected, "ACCEPTED 0/10", "CancelRejected"),
        ],
        &[],
    );
}

#[test]
fn a_fill_that_crosses_a_cancel_is_booked() {
    script(
        "fill while the cancel is under way, then canceled",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Accepted, "ACCEPTED 0/10", "OrderAccepted"),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (Filled(1, 4), "PENDING_CANCEL 4/10", "OrderFilled"),
            (Canceled, "CANCELED 4/10", "OrderCanceled"),
        ],
        &[(4, FEE_OF_4)],
    );
    script(
        "fill after the cancel",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (Canceled, "CANCELED 0/10", "OrderCanceled"),
            (Filled(1, 4), "CANCELED 4/10", "OrderFilled"),
            (Filled(2, 6), "FILLED 10/10", "OrderFilled"),
            (Canceled, "FILLED 10/10", "ObservationUnmatched"),
        ],
        &[(4, FEE_OF_4), (6, FEE_OF_6)],
    );
    script(
        "cancel refused because the order is filled",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Accepted, "ACCEPTED 0/10", "OrderAccepted"),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (CancelRejected, "ACCEPTED 0/10", "CancelRejected"),
            (Filled(1, 10), "FILLED 10/10", "OrderFilled"),
        ],
        &[(10, FEE_OF_10)],
    );
    script(
        "a second cancel waits for the first, then may be sent",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (AskCancel, "PENDING_CANCEL 0/10", "CancelRejected"),
            (CancelRejected, "PENDING_NEW 0/10", "CancelRejected"),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (Canceled, "CANCELED 0/10", "OrderCanceled"),
        ],
        &[],
    );
}

#[test]
fn a_fill_reported_twice_is_booked_once() {
    script(
        "duplicate fills",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Filled(5, 4), "ACCEPTED 4/10", "OrderFilled"),
            (Filled(5, 4), "ACCEPTED 4/10", "ObservationUnmatched"),
            (Filled(3, 2), "ACCEPTED 6/10", "OrderFilled"),
            (Filled(5, 4), "ACCEPTED 6/10", "ObservationUnmatched"),
            (Filled(6, 4), "FILLED 10/10", "OrderFilled"),
            (Filled(6, 4), "FILLED 10/10", "ObservationUnmatched"),
        ],
        &[(4, FEE_OF_4), (2, FEE_OF_2), (4, FEE_OF_4)],
    );
}

#[test]
fn an_overfill_is_booked_and_trips_the_kill_switch() {
    let mut scene = script(
        "overfill",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Filled(1, 6), "ACCEPTED 6/10", "OrderFilled"),
            (Filled(2, 6), "FILLED 12/10", BREACHED),
            (Filled(3, 2), "FILLED 14/10", BREACHED),
        ],
        &[(6, FEE_OF_6), (6, FEE_OF_6), (2, FEE_OF_2)],
    );
    assert!(scene.stage.engine().risk().is_killed(ACCOUNT));
    let events = scene.stage.submit(&SubmitOrder::limit(ACCOUNT, INSTRUMENT, 2, Side::Sell, PRICE, 4));
    assert_eq!(told(&events), ["OrderDenied"]);
}

#[test]
fn the_tripped_kill_switch_takes_the_accounts_other_orders_back() {
    let mut scene = Scene::new();
    scene.stage.submit(&SubmitOrder::limit(ACCOUNT, INSTRUMENT, 2, Side::Buy, PRICE, 3));
    scene.play(Buy(10));
    let events = scene.play(Filled(1, 11));
    assert_eq!(told(&events).join(" "), format!("{BREACHED} {ASKED}"));
    assert_eq!(scene.stage.order(2).state.name(), "PENDING_CANCEL");
    scene.check_replays();
}

#[test]
fn silence_makes_an_order_unknown_and_each_answer_settles_it() {
    let lost = [(Buy(10), "PENDING_NEW 0/10", SENT), (Silence, "UNKNOWN 0/10", QUERIED)];
    type Ending<'a> = (&'a str, &'a [Row], &'a [(i64, i128)]);
    let endings: [Ending<'_>; 6] = [
        (
            "accepted after all",
            &[
                (Accepted, "ACCEPTED 0/10", "OrderAccepted"),
                (Wait(60), "ACCEPTED 0/10", ""),
                (Filled(1, 10), "FILLED 10/10", "OrderFilled"),
            ],
            &[(10, FEE_OF_10)],
        ),
        ("filled", &[(Filled(1, 10), "FILLED 10/10", "OrderFilled")], &[(10, FEE_OF_10)]),
        (
            "partly filled, which shows that it is there",
            &[(Filled(1, 4), "ACCEPTED 4/10", "OrderFilled"), (Wait(60), "ACCEPTED 4/10", "")],
            &[(4, FEE_OF_4)],
        ),
        (
            "never seen",
            &[(NeverSeen, "REJECTED 0/10", "OrderRejected"), (Wait(60), "REJECTED 0/10", "")],
            &[],
        ),
        ("rejected", &[(Rejected, "REJECTED 0/10", "OrderRejected")], &[]),
        (
            "asked again, and again, until something is heard",
            &[
                (Silence, "UNKNOWN 0/10", QUERIED),
                (Silence, "UNKNOWN 0/10", QUERIED),
                (Expired, "EXPIRED 0/10", "OrderExpired"),
            ],
            &[],
        ),
    ];
    for (name, ending, booked) in endings {
        script(name, &[&lost, ending].concat(), booked);
    }
}

#[test]
fn an_order_given_up_as_never_seen_is_withdrawn_when_it_turns_up() {
    script(
        "never seen, then accepted",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Silence, "UNKNOWN 0/10", QUERIED),
            (NeverSeen, "REJECTED 0/10", "OrderRejected"),
            (Accepted, "REJECTED 0/10", "ObservationUnmatched VenueRequestSent"),
            (Filled(1, 4), "REJECTED 4/10", "OrderFilled"),
            (Canceled, "REJECTED 4/10", "ObservationUnmatched"),
        ],
        &[(4, FEE_OF_4)],
    );
}

#[test]
fn a_lost_cancel_is_noticed_even_while_fills_arrive() {
    script(
        "the fill is no answer to the cancel",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Accepted, "ACCEPTED 0/10", "OrderAccepted"),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (Filled(1, 4), "PENDING_CANCEL 4/10", "OrderFilled"),
            (Silence, "UNKNOWN 4/10", QUERIED),
            (Filled(2, 2), "UNKNOWN 6/10", "OrderFilled"),
            (Accepted, "ACCEPTED 6/10", "OrderAccepted"),
            (AskCancel, "PENDING_CANCEL 6/10", ASKED),
            (Canceled, "CANCELED 6/10", "OrderCanceled"),
        ],
        &[(4, FEE_OF_4), (2, FEE_OF_2)],
    );
    script(
        "the late acknowledgment is none either",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (Accepted, "PENDING_CANCEL 0/10", "OrderAccepted"),
            (Silence, "UNKNOWN 0/10", QUERIED),
            (AskReplace(0, 20), "UNKNOWN 0/10", "ReplaceRejected"),
            (AskCancel, "PENDING_CANCEL 0/10", ASKED),
            (Canceled, "CANCELED 0/10", "OrderCanceled"),
        ],
        &[],
    );
}

#[test]
fn an_order_the_venue_had_and_knows_no_more_is_canceled() {
    script(
        "gone",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Filled(1, 3), "ACCEPTED 3/10", "OrderFilled"),
            (AskCancel, "PENDING_CANCEL 3/10", ASKED),
            (Silence, "UNKNOWN 3/10", QUERIED),
            (NeverSeen, "CANCELED 3/10", "OrderCanceled"),
        ],
        &[(3, FEE_OF_3)],
    );
}

#[test]
fn a_replace_is_accepted_refused_or_overtaken() {
    let open = [(Buy(10), "PENDING_NEW 0/10", SENT), (Accepted, "ACCEPTED 0/10", "OrderAccepted")];
    type Ending<'a> = (&'a str, &'a [Row], &'a [(i64, i128)]);
    let endings: [Ending<'_>; 10] = [
        (
            "accepted",
            &[
                (AskReplace(9_990, 20), "PENDING_REPLACE 0/10", ASKED),
                (Replaced(9_990, 20), "ACCEPTED 0/20", "OrderReplaced"),
            ],
            &[],
        ),
        (
            "one at a time",
            &[
                (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
                (AskReplace(0, 30), "PENDING_REPLACE 0/10", "ReplaceRejected"),
                (ReplaceRejected, "ACCEPTED 0/10", "ReplaceRejected"),
                (AskReplace(0, 30), "PENDING_REPLACE 0/10", ASKED),
                (Replaced(PRICE, 30), "ACCEPTED 0/30", "OrderReplaced"),
            ],
            &[],
        ),
        (
            "filled under the old terms while a larger total is under way: refused",
            &[
                (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
                (Filled(1, 4), "PENDING_REPLACE 4/10", "OrderFilled"),
                (Filled(2, 6), "PENDING_REPLACE 10/10", "OrderFilled"),
                (ReplaceRejected, "FILLED 10/10", "ReplaceRejected"),
            ],
            &[(4, FEE_OF_4), (6, FEE_OF_6)],
        ),
        (
            "filled beyond the old terms while a larger total is under way: accepted",
            &[
                (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
                (Filled(1, 10), "PENDING_REPLACE 10/10", "OrderFilled"),
                (Filled(2, 5), "PENDING_REPLACE 15/10", "OrderFilled"),
                (Replaced(PRICE, 20), "ACCEPTED 15/20", "OrderReplaced"),
                (Filled(3, 5), "FILLED 20/20", "OrderFilled"),
            ],
            &[(10, FEE_OF_10), (5, FEE_OF_5), (5, FEE_OF_5)],
        ),
        (
            "accepted below what was filled meanwhile",
            &[
                (AskReplace(0, 5), "PENDING_REPLACE 0/10", ASKED),
                (Filled(1, 6), "PENDING_REPLACE 6/10", "OrderFilled"),
                (Replaced(PRICE, 5), "FILLED 6/6", "OrderReplaced"),
            ],
            &[(6, FEE_OF_6)],
        ),
        (
            "overtaken by a cancel that wins",
            &[
                (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
                (AskCancel, "PENDING_CANCEL 0/10", ASKED),
                (Replaced(PRICE, 20), "PENDING_CANCEL 0/20", "OrderReplaced"),
                (Canceled, "CANCELED 0/20", "OrderCanceled"),
            ],
            &[],
        ),
        (
            "overtaken by a cancel, both refused",
            &[
                (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
                (AskCancel, "PENDING_CANCEL 0/10", ASKED),
                (ReplaceRejected, "PENDING_CANCEL 0/10", "ReplaceRejected"),
                (CancelRejected, "ACCEPTED 0/10", "CancelRejected"),
            ],
            &[],
        ),
        (
            "the cancel's refusal overtakes the replace's answer",
            &[
                (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
                (AskCancel, "PENDING_CANCEL 0/10", ASKED),
                (Filled(1, 10), "PENDING_CANCEL 10/10", "OrderFilled"),
                (CancelRejected, "PENDING_REPLACE 10/10", "CancelRejected"),
                (ReplaceRejected, "FILLED 10/10", "ReplaceRejected"),
            ],
            &[(10, FEE_OF_10)],
        ),
        (
            "lost: the venue has the order as it was",
            &[
                (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
                (Silence, "UNKNOWN 0/10", QUERIED),
                (Accepted, "ACCEPTED 0/10", "OrderAccepted"),
                (Replaced(PRICE, 20), "ACCEPTED 0/20", "OrderReplaced"),
            ],
            &[],
        ),
        (
            "lost, and filled under the old terms",
            &[
                (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
                (Filled(1, 10), "PENDING_REPLACE 10/10", "OrderFilled"),
                (Silence, "UNKNOWN 10/10", QUERIED),
                (Accepted, "FILLED 10/10", "OrderAccepted"),
            ],
            &[(10, FEE_OF_10)],
        ),
    ];
    for (name, ending, booked) in endings {
        script(name, &[&open, ending].concat(), booked);
    }
}

#[test]
fn a_replace_before_the_acknowledgment_settles_whichever_answer_comes_first() {
    script(
        "refused: the order itself is still unanswered",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
            (ReplaceRejected, "PENDING_NEW 0/10", "ReplaceRejected"),
            (Silence, "UNKNOWN 0/10", QUERIED),
            (Accepted, "ACCEPTED 0/10", "OrderAccepted"),
        ],
        &[],
    );
    script(
        "acknowledged, then replaced",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (AskReplace(0, 20), "PENDING_REPLACE 0/10", ASKED),
            (Accepted, "PENDING_REPLACE 0/10", "OrderAccepted"),
            (Replaced(PRICE, 20), "ACCEPTED 0/20", "OrderReplaced"),
        ],
        &[],
    );
}

#[test]
fn rejects_and_expiries_close_once_and_later_reports_stay_visible() {
    script(
        "rejected",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Rejected, "REJECTED 0/10", "OrderRejected"),
            (Rejected, "REJECTED 0/10", "ObservationUnmatched"),
            (Accepted, "REJECTED 0/10", "ObservationUnmatched"),
            (Replaced(PRICE, 4), "REJECTED 0/10", "ObservationUnmatched"),
            (Expired, "REJECTED 0/10", "ObservationUnmatched"),
        ],
        &[],
    );
    script(
        "expired",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Filled(1, 3), "ACCEPTED 3/10", "OrderFilled"),
            (Expired, "EXPIRED 3/10", "OrderExpired"),
            (Expired, "EXPIRED 3/10", "ObservationUnmatched"),
            (Filled(2, 2), "EXPIRED 5/10", "OrderFilled"),
        ],
        &[(3, FEE_OF_3), (2, FEE_OF_2)],
    );
}

#[test]
fn impossible_reports_are_kept_visible_and_change_nothing() {
    let far = i64::MAX;
    script(
        "impossible",
        &[
            (Buy(10), "PENDING_NEW 0/10", SENT),
            (Filled(1, 0), "PENDING_NEW 0/10", "ObservationUnmatched"),
            (Filled(2, -4), "PENDING_NEW 0/10", "ObservationUnmatched"),
            (Filled(3, far), "PENDING_NEW 0/10", "ObservationUnmatched"),
            (Replaced(far, 10), "PENDING_NEW 0/10", "ObservationUnmatched"),
            (Replaced(PRICE, i64::MIN), "PENDING_NEW 0/10", "ObservationUnmatched"),
            (Accepted, "ACCEPTED 0/10", "OrderAccepted"),
        ],
        &[],
    );
}

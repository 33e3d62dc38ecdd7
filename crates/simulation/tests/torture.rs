//! The proofs at the size of CI; `make torture SIZE=long` runs the long ones.

use openbell_simulation::proof;

/// Fails with the command that shows the first broken cases again.
fn require_green(outcome: &proof::Outcome) {
    println!("{}: {} cases: {}", outcome.name, outcome.cases, outcome.detail);
    if let Err(problem) = outcome.require_green() {
        panic!("{problem}");
    }
}

#[test]
fn two_thousand_seeds_of_crashes_failures_and_damage_lose_nothing_acknowledged() {
    require_green(&proof::seeds(0, 2_000));
}

#[test]
fn a_power_cut_at_any_call_loses_nothing_acknowledged() {
    require_green(&proof::power_cut_at_every_call(0));
}

#[test]
fn a_failure_of_any_call_loses_nothing_acknowledged() {
    require_green(&proof::failpoints());
}

#[test]
fn no_flipped_bit_and_no_cut_end_of_any_file_is_taken_for_acknowledged_data() {
    match proof::damage(11) {
        Ok(outcome) => require_green(&outcome),
        Err(problem) => panic!("{problem}"),
    }
}

#[test]
fn a_full_disk_leaves_cancels_and_goes_on_when_there_is_room() {
    require_green(&proof::full_disk(10));
}

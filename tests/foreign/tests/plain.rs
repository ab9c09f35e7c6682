//! The user's scenarios in plain tests.

#[path = "../sims/scenarios.rs"]
#[allow(dead_code)]
mod scenarios;

#[test]
fn the_router_survives_restarts() {
    scenarios::router().assert_passes(0..8);
}

#[test]
#[should_panic(expected = "FAILED: impatient, seed")]
fn an_impatient_client_is_caught() {
    scenarios::impatient().assert_passes(0..8);
}

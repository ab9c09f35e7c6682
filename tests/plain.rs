//! Scenarios inside plain tests: the test binary is started again for the one test, and each run is forked there.

#[path = "determinism/everything.rs"]
#[allow(dead_code)]
mod everything;

#[test]
fn what_hashes_no_addresses_passes_and_repeats() {
    // The first seed is run twice and compared.
    everything::without_addresses().assert_passes(0..8);
}

#[test]
#[should_panic(expected = "FAILED: broken, seed 0x0")]
fn a_failure_is_reported() {
    everything::broken().assert_passes(0..8);
}

#[test]
#[should_panic(expected = "is empty")]
fn an_empty_range_is_refused() {
    everything::without_addresses().assert_passes(3..3);
}

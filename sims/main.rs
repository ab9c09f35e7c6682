//! Sims.
fn main() {}

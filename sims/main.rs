//! Sims.
fn main(){}

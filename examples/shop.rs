//! Shop.
fn main(){}

//! The command line and libtest's protocol, with small scenarios that end in every way there is.
fn main() {}

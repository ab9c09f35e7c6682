//! The checkers of histories beyond linearizability, each against what decides the same by brute force, and a replicated
//! store that can be made wrong in four ways.

#[path = "linear/brute.rs"]
mod brute;
#[path = "linear/generate.rs"]
mod generate;
#[path = "checkers/queue.rs"]
mod queue;
#[path = "checkers/scenario.rs"]
mod scenario;
#[path = "checkers/sequential.rs"]
mod sequential;
#[path = "checkers/sessions.rs"]
mod sessions;
#[path = "checkers/store.rs"]
mod store;

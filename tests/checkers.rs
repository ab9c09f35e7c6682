//! Tests of the history checkers beyond linearizability: each against a brute-force checker, and all against a
//! replicated store with one of four planted mistakes; and of the events by which programs tell checks what happens in them.

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
#[path = "checkers/vocabulary.rs"]
mod vocabulary;

//! Systems that were not written for Squall: an axum service with hyper-util's client, and a tonic service. Each gets at least
//! fifteen promises judged off the wire by `http_promises` alone, and the mistakes that are planted in it are caught by
//! the promises that they break.

#[path = "systems/axum_orders.rs"]
mod axum_orders;
#[path = "systems/judged.rs"]
mod judged;
#[path = "systems/tonic_hops.rs"]
mod tonic_hops;

//! The shop: a real client-server system, which runs on real sockets and in simulation alike.
//!
//! ```text
//! client --HTTP--> gateway --HTTP--> api x 3 (stateless) --HTTP, pooled--> store (redb, durable)
//!                                              `--HTTP--> pricing (an external backend, often slow or faulty)
//! ```
//!
//! Every program is a function `run(listener, connector, config, shutdown, observer)` over the traits in [`net`]:
//! ordinary production code that runs unchanged in simulation. In reading order:
//!
//! | module | owns |
//! | --- | --- |
//! | [`net`] | the two network traits, and tokio's sockets |
//! | [`pool`] | pooled HTTP clients, and what their errors mean |
//! | [`observe`] | the events inside programs that the wire does not show |
//! | [`message`] | bodies, headers and deadlines on the wire |
//! | [`serve`] | the accept loop and graceful shutdown |
//! | [`admission`] | how many requests are worked on at once, and how many may wait |
//! | [`retry`] | backoff, the retry budget, and which answers deserve a retry |
//! | [`call`], [`client`], [`client_config`] | the attempts of a call; the operations of users; limits and policies |
//! | [`balance`], [`outlier`] | health and turns; backends that are ejected for their answers |
//! | [`hedge`], [`throttle`] | reads that are asked of two backends; requests that are refused because the servers are busy |
//! | [`affinity`], [`gateway`] | sessions that only one server knows; probing and forwarding |
//! | [`token`], [`breaker`], [`coalesce`], [`api_config`], [`catalogue`], [`api`] | the stateless servers |
//! | [`values`], [`notes`] | plain values in the store, with compare-and-set; notes on orders |
//! | [`verified`], [`store`] | reads checked against writes; orders and their keys |
//! | [`value_client`] | a client of plain values |
//! | [`pricing`] | prices, and how slow and faulty the service is |
//! | [`workload`] | what users do |
//! | [`localhost`] | the whole shop in one process, on real sockets |
//! | [`simulated`] | the whole shop in a scenario, on simulated sockets and disks |
//! | [`recorded`], [`served`] | what operations recorded; the checks that answers are correct |
//! | [`situations`] | the situations in which promises are at stake |
//!
//! Rules that hold everywhere: 503 and 4xx mean that the request was not executed; 502, 504 and 507 mean that the
//! outcome is unknown; only the client retries; the time in `x-deadline-ms` shrinks on its way; only the store has
//! state. Some settings are mistakes, for `sims/mistakes`; the others of its mistakes are layers around these programs.

// Each program that includes this module uses a different part of it.
#![allow(dead_code, unreachable_pub)]

pub mod admission;
pub mod affinity;
pub mod api;
pub mod api_config;
pub mod balance;
pub mod breaker;
pub mod call;
pub mod catalogue;
pub mod client;
pub mod client_config;
pub mod coalesce;
pub mod gateway;
pub mod hedge;
pub mod localhost;
pub mod message;
pub mod net;
pub mod notes;
pub mod observe;
pub mod outlier;
pub mod pool;
pub mod pricing;
pub mod recorded;
pub mod retry;
pub mod serve;
pub mod served;
pub mod simulated;
pub mod situations;
pub mod store;
pub mod throttle;
pub mod token;
pub mod value_client;
pub mod values;
pub mod verified;
pub mod workload;

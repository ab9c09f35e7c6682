//! The shop: a real client-server system, which runs on real sockets and in simulation alike.
//!
//! ```text
//! client --HTTP--> gateway --HTTP--> api x 3 (stateless) --HTTP, pooled--> store (redb, durable)
//!                                              `--HTTP--> pricing (an external backend, often unwell)
//! ```
//!
//! Every program is a function `run(listener, connector, config, shutdown, observer)` over the traits in [`net`], so
//! it is ordinary production code that knows nothing of who runs it. In reading order:
//!
//! | module | owns |
//! | --- | --- |
//! | [`net`] | the two network traits, and tokio's sockets |
//! | [`pool`] | pooled HTTP clients; what their errors mean |
//! | [`observe`] | the events that no byte on the wire shows |
//! | [`message`] | bodies, headers, deadlines on the wire |
//! | [`serve`] | the accept loop and graceful shutdown |
//! | [`retry`] | backoff, retry budget, which answers deserve a retry |
//! | [`call`], [`client`], [`client_config`] | the promises of a call; what users ask; limits and mistakes |
//! | [`balance`], [`gateway`] | health and turns; probing and forwarding |
//! | [`token`], [`breaker`], [`api_config`], [`catalogue`], [`api`] | the stateless servers |
//! | [`values`] | plain values in the store, with compare-and-set |
//! | [`verified`], [`store`] | a disk that is not trusted; orders and their keys |
//! | [`value_client`] | who asks for plain values |
//! | [`pricing`] | prices, and a mood |
//! | [`workload`] | what users do |
//! | [`localhost`] | all of it in one process, on real sockets |
//! | [`simulated`] | all of it in a scenario, on simulated sockets and disks |
//! | [`served`] | whether what is served is right |
//! | [`situations`] | when the promises are at stake |
//!
//! Rules that hold everywhere: 503 and 4xx say that nothing was done, 502, 504 and 507 that nobody knows; only the client
//! retries; a budget in `x-deadline-ms` shrinks on its way; only the store has state. A `Mistakes` struct in each
//! configuration makes its program break one promise on purpose.

// Each program that includes this module uses another part of it.
#![allow(dead_code, unreachable_pub)]

pub mod api;
pub mod api_config;
pub mod balance;
pub mod breaker;
pub mod call;
pub mod catalogue;
pub mod client;
pub mod client_config;
pub mod gateway;
pub mod localhost;
pub mod message;
pub mod net;
pub mod observe;
pub mod pool;
pub mod pricing;
pub mod retry;
pub mod serve;
pub mod served;
pub mod simulated;
pub mod situations;
pub mod store;
pub mod token;
pub mod value_client;
pub mod values;
pub mod verified;
pub mod workload;

//! Promises about HTTP that are judged by what passes over the wire, for any system and without instrumentation.
//!
//! ```
//! use squall::check::http::HttpPolicy;
//! use squall::prelude::*;
//!
//! # let server = |cx: HostContext| async move { cx.listener(80).accept().await.map(drop) };
//! let policy = HttpPolicy { most_attempts: 4, ..HttpPolicy::default() };
//! let scenario = Scenario::new("my service")
//!     .host("server", server)
//!     .fault(fault::loss(0.1, "*", "*").throughout())
//!     .http_promises(&policy);
//! # assert_eq!(scenario.check_names().count(), policy.checks().len());
//! ```
//!
//! Attempts of one call are recognised by [`calls`]: by
//! idempotency key, by trace, or because they are alike. A check says which.

mod attempts;
mod bodies;
mod budgets;
mod connections;
mod fallbacks;
mod gone;
mod hedges;
mod hosts;
mod keys;
mod observed;
mod overload;
mod policy;
mod polls;
mod probes;
mod promises;
mod spread;
mod streams;

#[cfg(test)]
mod tests;

pub use crate::trace::exchange::{Call, CallIdentity, calls, possible_causes};
pub use fallbacks::{refused_writes_leave_no_effect, writes_are_acknowledged_behind};
pub use hedges::hedges_within_budget;
pub use overload::OverloadPolicy;
pub use policy::HttpPolicy;

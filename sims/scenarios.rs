//! All scenarios of the shop, one promise each. Whoever includes this file has the shop beside it, as `crate::shop`.

// Each program that includes this module uses another part of it.
#![allow(dead_code)]

pub mod bad_disks;
pub mod durability;
pub mod health_checks;
pub mod linearizable;
pub mod lost_answers;
pub mod partitions;
pub mod retries;
pub mod stateless_restarts;
pub mod timeouts;

//! All scenarios of the shop. Each tests one promise. A program that includes this file must include the shop as
//! `crate::shop`.

// Each program that includes this module uses a different part of it.
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

//! All scenarios of the shop. Each tests one promise. A program that includes this file must include the shop as
//! `crate::shop`.

// Each program that includes this module uses a different part of it.
#![allow(dead_code)]

pub mod bad_disks;
pub mod balancing;
pub mod clients_that_leave;
pub mod degradation;
pub mod durability;
pub mod ejection;
pub mod graceful_shutdown;
pub mod health_checks;
pub mod idempotency;
pub mod linearizable;
pub mod lost_answers;
pub mod overload;
pub mod partitions;
pub mod pooling;
pub mod protocols;
pub mod retries;
pub mod service_to_service;
pub mod sessions;
pub mod shedding;
pub mod slow_reads;
pub mod stateless_restarts;
pub mod sticky_sessions;
pub mod timeouts;
pub mod trust;
pub mod uploads;

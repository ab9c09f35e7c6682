//! Admission: how many requests a server works on at once, and how many may wait for their turn.
//!
//! Owns the queue. It is short, because whoever waits for long gets an answer that is of no use any more: what does not fit is
//! refused at once, before any work, and what has waited beyond its deadline is dropped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::message::{Answer, Expiry, problem};

/// How a server admits requests.
#[derive(Clone, Debug)]
pub struct AdmissionConfig {
    /// How many requests are worked on at once.
    pub workers: usize,
    /// How many may wait for a worker; more are refused.
    pub queue: usize,
    /// How long a request may wait for a worker, by what is left of its deadline: no longer than that.
    pub may_wait: fn(Duration) -> Duration,
}

impl Default for AdmissionConfig {
    fn default() -> AdmissionConfig {
        AdmissionConfig { workers: 128, queue: 128, may_wait: |left| left }
    }
}

/// The workers of a server and the requests that wait for them.
#[derive(Debug)]
pub struct Admission {
    workers: Semaphore,
    waiting: AtomicUsize,
    config: AdmissionConfig,
}

impl Admission {
    /// All workers are free.
    pub fn new(config: AdmissionConfig) -> Admission {
        let workers = Semaphore::new(config.workers);
        Admission { workers, waiting: AtomicUsize::new(0), config }
    }

    /// Waits for a worker, which is free again when the permit is dropped. The turns are in the order of arrival.
    ///
    /// # Errors
    /// The answer to give if too many wait already, or if the request's time is up.
    pub async fn enter(&self, expiry: Expiry) -> Result<SemaphorePermit<'_>, Answer> {
        if let Ok(permit) = self.workers.try_acquire() {
            return Ok(permit);
        }
        let waiting = Waiting::begin(&self.waiting);
        if waiting.count > self.config.queue {
            let mut refusal = problem(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait");
            refusal.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            return Err(refusal);
        }
        let limit = (self.config.may_wait)(expiry.left().unwrap_or_default());
        match tokio::time::timeout(limit, self.workers.acquire()).await {
            Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
            Err(_) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, "waited for too long")),
        }
    }
}

/// One of the requests that wait; dropping it, however the wait ends, takes it off the count.
struct Waiting<'a> {
    waiting: &'a AtomicUsize,
    count: usize,
}

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Waiting<'a> {
        Waiting { waiting, count: waiting.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

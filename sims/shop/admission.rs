//! Admission: how many requests a server works on at once, and how many may wait for their turn.
//!
//! Owns the queue. It is short, because whoever waits for long gets an answer that is of no use any more: what does not fit is
//! refused at once, before any work, and what has waited beyond its deadline is dropped.

use std::sync::atomic::AtomicUsize;

use hyper::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::message::{Answer, Expiry, problem, refusal};
use super::serve::Slot;

/// How a server admits requests.
#[derive(Clone, Debug)]
pub struct AdmissionConfig {
    /// How many requests are worked on at once.
    pub workers: usize,
    /// How many may wait for a worker; more are refused.
    pub queue: usize,
}

impl Default for AdmissionConfig {
    fn default() -> AdmissionConfig {
        AdmissionConfig { workers: 128, queue: 128 }
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
        let waiting = Slot::take(&self.waiting);
        if waiting.taken > self.config.queue {
            return Err(refusal("too many requests wait"));
        }
        match expiry.limit(self.workers.acquire()).await {
            Some(permit) => Ok(permit.expect("the semaphore is never closed")),
            None => Err(problem(StatusCode::SERVICE_UNAVAILABLE, "waited for too long")),
        }
    }
}

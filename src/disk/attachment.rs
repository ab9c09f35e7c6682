//! One life of a program on a disk: whether its calls still count, and what time they take. It knows nothing of what a call
//! does.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::data::DiskCall;
use super::image::Image;
use crate::alive::AliveFlag;

/// The image of a disk, as all who hold it share it.
#[derive(Clone)]
pub(super) struct SharedImage(Arc<Mutex<Image>>);

impl SharedImage {
    pub(super) fn new(image: Image) -> SharedImage {
        SharedImage(Arc::new(Mutex::new(image)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Image> {
        // No call leaves the image half-changed, so that a panic elsewhere on the thread does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One life of a program on a disk.
pub(super) struct Attachment {
    image: SharedImage,
    pub(super) alive: AliveFlag,
    life: u64,
    /// Nanoseconds of calls that nobody has waited for yet.
    debt_ns: AtomicU64,
    /// When the calls that somebody waits for are done.
    busy_until: Mutex<Option<Instant>>,
}

impl Attachment {
    /// The life that begins now, until `gate` closes or the next one begins.
    pub(super) fn new(image: SharedImage, alive: AliveFlag) -> Attachment {
        let life = image.lock().life;
        Attachment { image, alive, life, debt_ns: AtomicU64::new(0), busy_until: Mutex::new(None) }
    }

    /// The image, if the program lives.
    pub(super) fn enter(&self) -> io::Result<MutexGuard<'_, Image>> {
        let mut image = self.image.lock();
        if !self.alive.is_set() || image.life != self.life {
            image.counters.refused += 1;
            return Err(io::Error::other("the program that this disk was attached to is dead"));
        }
        Ok(image)
    }

    /// The image, if the program lives and the disk does not fail, for a call that takes time: counts it and adds its time
    /// to the debt.
    pub(super) fn enter_to(&self, call: DiskCall) -> io::Result<MutexGuard<'_, Image>> {
        let mut image = self.enter()?;
        if let Some(observer) = image.observer.clone() {
            // The observer may use the image, and may end the program.
            drop(image);
            observer(call);
            image = self.enter()?;
        }
        let time_ns = u64::try_from(image.count(call).as_nanos()).unwrap_or(u64::MAX);
        let more = |debt_ns: u64| Some(debt_ns.saturating_add(time_ns));
        let _ = self.debt_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        if call != DiskCall::Sync {
            // What a failed sync leaves behind is the image's affair.
            image.meet(call)?;
        }
        Ok(image)
    }

    /// An open file is closed. That changes neither the cache nor the durable state, so that a dead program may do it.
    pub(super) fn close(&self, handle: u64) {
        self.image.lock().close(handle);
    }

    /// The time of all calls that nobody has waited for yet.
    pub(super) fn debt(&self) -> Duration {
        Duration::from_nanos(self.debt_ns.load(Ordering::Relaxed))
    }

    /// Waits until the disk has done all calls that were made before this one.
    pub(super) async fn settle(&self) {
        let debt = Duration::from_nanos(self.debt_ns.swap(0, Ordering::Relaxed));
        let now = Instant::now();
        let until = {
            let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
            let until = busy_until.map_or(now, |busy| busy.max(now)) + debt;
            *busy_until = Some(until);
            until
        };
        if until > now {
            tokio::time::sleep_until(until).await;
        }
    }
}

//! One life of a program on a disk: whether its calls may still act, and how much time they take.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::data::DiskCall;
use super::image::Image;
use crate::alive::AliveFlag;

/// A shared handle to the image of a disk.
#[derive(Clone)]
pub(super) struct SharedImage(Arc<Mutex<Image>>);

impl SharedImage {
    pub(super) fn new(image: Image) -> SharedImage {
        SharedImage(Arc::new(Mutex::new(image)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Image> {
        // No call leaves the image half-changed, so a panic while it is locked does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One life of a program on a disk.
pub(super) struct Attachment {
    image: SharedImage,
    pub(super) alive: AliveFlag,
    life: u64,
    /// The time, in nanoseconds, of calls that no task has waited for yet.
    debt_ns: AtomicU64,
    /// When the calls that some task waits for are finished.
    busy_until: Mutex<Option<Instant>>,
}

impl Attachment {
    /// Begins a life, which lasts until `alive` is cleared or until the next kill or power off.
    pub(super) fn new(image: SharedImage, alive: AliveFlag) -> Attachment {
        let life = image.lock().life;
        Attachment { image, alive, life, debt_ns: AtomicU64::new(0), busy_until: Mutex::new(None) }
    }

    /// Locks the image.
    ///
    /// # Errors
    /// `Other` if the program is dead.
    pub(super) fn lock_if_alive(&self) -> io::Result<MutexGuard<'_, Image>> {
        let mut image = self.image.lock();
        if !self.alive.is_set() || image.life != self.life {
            image.counters.refused += 1;
            return Err(io::Error::other(
                "this program was killed; only its next life can use the disk, by attaching it again",
            ));
        }
        Ok(image)
    }

    /// Locks the image for a call that takes time, counts the call and adds its time to the debt.
    ///
    /// # Errors
    /// `Other` if the program is dead, EIO if a trouble of the disk fails the call.
    pub(super) fn begin(&self, call: DiskCall) -> io::Result<MutexGuard<'_, Image>> {
        let mut image = self.lock_if_alive()?;
        if let Some(observer) = image.observer.clone() {
            // The observer may use the image, and may kill the program.
            drop(image);
            observer(call);
            image = self.lock_if_alive()?;
        }
        let time_ns = u64::try_from(image.count(call).as_nanos()).unwrap_or(u64::MAX);
        let add_time = |debt_ns: u64| Some(debt_ns.saturating_add(time_ns));
        let _ = self.debt_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add_time);
        if call != DiskCall::Sync {
            // Syncs are checked by the image, because a failed sync gives up the writes of the file.
            image.check_for_error(call)?;
        }
        Ok(image)
    }

    /// Closes an open file. A dead program may do so, because it changes neither the cache nor the durable state.
    pub(super) fn close(&self, handle: u64) {
        self.image.lock().close(handle);
    }

    /// The time of all calls that no task has waited for yet.
    pub(super) fn debt(&self) -> Duration {
        Duration::from_nanos(self.debt_ns.load(Ordering::Relaxed))
    }

    /// Waits until the disk has finished all calls made before this one.
    pub(super) async fn wait_until_idle(&self) {
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

//! Eventfd: a counter that wakes whoever waits for it.

use std::io::IoSlice;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::ReadBuf;

use crate::sandbox::Errno;

/// The counter of an eventfd.
#[derive(Debug)]
pub(super) struct Event {
    count: Mutex<u64>,
    /// Whether a read takes one instead of all.
    is_semaphore: bool,
}

impl Event {
    pub(super) fn new(initial: u64, flags: i32) -> Event {
        Event { count: Mutex::new(initial), is_semaphore: flags & libc::EFD_SEMAPHORE != 0 }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn level(&self) -> u32 {
        let count = *self.lock();
        let readable = if count > 0 { libc::EPOLLIN } else { 0 };
        let writable = if count < u64::MAX - 1 { libc::EPOLLOUT } else { 0 };
        (readable | writable) as u32
    }

    pub(super) fn receive(&self, buffer: &mut ReadBuf<'_>) -> Result<(), Errno> {
        if buffer.remaining() < size_of::<u64>() {
            return Err(libc::EINVAL);
        }
        let mut count = self.lock();
        let taken = match *count {
            0 => return Err(libc::EAGAIN),
            _ if self.is_semaphore => 1,
            all => all,
        };
        *count -= taken;
        buffer.put_slice(&taken.to_ne_bytes());
        Ok(())
    }

    pub(super) fn send(&self, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let bytes = slices.first().and_then(|slice| slice.first_chunk());
        let added = u64::from_ne_bytes(*bytes.ok_or(libc::EINVAL)?);
        let mut count = self.lock();
        let sum = count.checked_add(added).filter(|sum| *sum < u64::MAX);
        *count = match sum {
            Some(sum) => sum,
            None if added == u64::MAX => return Err(libc::EINVAL),
            None => return Err(libc::EAGAIN),
        };
        Ok(size_of::<u64>())
    }
}

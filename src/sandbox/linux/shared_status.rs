//! The shared status: memory that a child shares with the supervisor. The supervisor can read the child's position,
//! panics and ledger from it, no matter how the child ends.

use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::sandbox::job::LEDGER_BYTES;
use crate::sandbox::notes::PanicNote;

/// The child did not store how it ended.
pub(super) const NOTHING: u32 = 0;
/// The handler returned, and its outcome is complete.
pub(super) const RETURNED: u32 = 1;
/// The handler panicked.
pub(super) const PANICKED: u32 = 2;
/// The child used up its CPU time.
pub(super) const CPU_LIMIT: u32 = 3;
/// A host waited in a busy loop for a clock that stands still.
pub(super) const CLOCK_SPIN: u32 = 4;
/// The child waited for something that could not happen, or ran for too long.
pub(super) const BLOCKED: u32 = 5;
/// The stack's guard page was hit.
pub(super) const STACK_OVERFLOW: u32 = 6;
/// Virtual time stood still for too much CPU time.
pub(super) const STUCK: u32 = 7;

const NO_HOST: u32 = u32::MAX;
const PANICS_BYTES: usize = 60 * 1024;

/// The memory that is shared. A single child writes, and the supervisor reads after that child has ended.
#[repr(C)]
pub(super) struct SharedStatus {
    end: AtomicU32,
    host: AtomicU32,
    at: AtomicU64,
    /// Set once the position is final, so that a later signal does not overwrite it.
    final_position: AtomicU32,
    panics_length: AtomicU32,
    /// One line of JSON for each panic.
    panics: UnsafeCell<[u8; PANICS_BYTES]>,
    ledger_length: AtomicU64,
    ledger: UnsafeCell<[u8; LEDGER_BYTES]>,
}

impl std::fmt::Debug for SharedStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedStatus").finish_non_exhaustive()
    }
}

// SAFETY: the child has ended before the supervisor reads what it wrote.
unsafe impl Sync for SharedStatus {}

impl SharedStatus {
    /// The size of the memory file behind a shared status.
    pub(super) const SIZE: usize = mem::size_of::<SharedStatus>();

    /// Maps the shared status that the memory file `fd` holds.
    pub(super) fn map(fd: RawFd) -> io::Result<NonNull<SharedStatus>> {
        // SAFETY: this makes a new shared mapping of a file of this size, and all zeros is a valid shared status.
        let address = unsafe {
            libc::mmap(ptr::null_mut(), SharedStatus::SIZE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0)
        };
        if address == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(NonNull::new(address.cast()).expect("the kernel maps nothing at address zero"))
        }
    }

    /// Removes the mapping.
    ///
    /// # Safety
    /// `shared_status` must come from [`SharedStatus::map`] and must not be used again.
    pub(super) unsafe fn unmap(shared_status: NonNull<SharedStatus>) {
        // SAFETY: the caller vouches for the mapping.
        unsafe { libc::munmap(shared_status.as_ptr().cast(), SharedStatus::SIZE) };
    }

    /// Clears what the last child left.
    pub(super) fn clear(&self) {
        self.end.store(NOTHING, Ordering::Relaxed);
        self.host.store(NO_HOST, Ordering::Relaxed);
        self.at.store(0, Ordering::Relaxed);
        self.final_position.store(0, Ordering::Relaxed);
        self.panics_length.store(0, Ordering::Relaxed);
        self.clear_ledger();
    }

    pub(super) fn show_position(&self, host: Option<usize>, at: u64) {
        if self.final_position.load(Ordering::Relaxed) == 0 {
            self.host.store(host.map_or(NO_HOST, |host| host as u32), Ordering::Relaxed);
            self.at.store(at, Ordering::Relaxed);
        }
    }

    /// Stores the final position. Only the first one counts.
    pub(super) fn show_final_position(&self, host: Option<usize>, at: u64) {
        self.show_position(host, at);
        self.final_position.store(1, Ordering::Relaxed);
    }

    /// Stores how the child ends. Only the first one counts.
    pub(super) fn set_end(&self, end: u32) {
        let _ = self.end.compare_exchange(NOTHING, end, Ordering::Release, Ordering::Relaxed);
    }

    pub(super) fn end(&self) -> u32 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn position(&self) -> (Option<usize>, Duration) {
        let host = self.host.load(Ordering::Relaxed);
        ((host != NO_HOST).then_some(host as usize), Duration::from_nanos(self.at.load(Ordering::Relaxed)))
    }

    /// The virtual time that was shown last, in nanoseconds.
    pub(super) fn shown_time(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    /// Appends a panic if there is room. Later ones are dropped, as the first panics are the most informative.
    pub(super) fn append_panic(&self, note: &PanicNote) {
        let Ok(mut line) = serde_json::to_vec(note) else { return };
        line.push(b'\n');
        let used = self.panics_length.load(Ordering::Relaxed) as usize;
        if used + line.len() > PANICS_BYTES {
            return;
        }
        // SAFETY: the range is within the text, and this process is the only writer.
        unsafe {
            let start = self.panics.get().cast::<u8>().add(used);
            start.copy_from_nonoverlapping(line.as_ptr(), line.len());
        }
        self.panics_length.store((used + line.len()) as u32, Ordering::Release);
    }

    /// Empties the ledger and returns its used pages to the system.
    fn clear_ledger(&self) {
        let used = self.ledger_length.swap(0, Ordering::Relaxed) as usize;
        if used > 0 {
            // SAFETY: these are whole pages within the ledger, which nothing accesses now. If the kernel refuses, stale
            // bytes remain beyond the length, where nothing reads them.
            unsafe {
                let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
                let start = self.ledger.get().cast::<u8>();
                let first = start.add(start.align_offset(page));
                let length = used.next_multiple_of(page).min(LEDGER_BYTES - page);
                libc::madvise(first.cast(), length / page * page, libc::MADV_REMOVE);
            }
        }
    }

    /// Writes into the ledger. Does nothing if the bytes do not fit.
    pub(super) fn write_ledger(&self, at: usize, bytes: &[u8]) {
        if at.saturating_add(bytes.len()) > LEDGER_BYTES {
            return;
        }
        // SAFETY: the range is within the ledger, and this process is the only writer.
        unsafe { self.ledger.get().cast::<u8>().add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    pub(super) fn set_ledger_length(&self, length: usize) {
        self.ledger_length.store(length.min(LEDGER_BYTES) as u64, Ordering::Release);
    }

    /// The contents of the ledger.
    pub(super) fn ledger(&self) -> &[u8] {
        let used = (self.ledger_length.load(Ordering::Acquire) as usize).min(LEDGER_BYTES);
        // SAFETY: the range is within the ledger. The reader is the process that writes it, or the writer has ended.
        unsafe { std::slice::from_raw_parts(self.ledger.get().cast::<u8>(), used) }
    }

    /// The panics that were appended.
    pub(super) fn panics(&self) -> Vec<PanicNote> {
        let used = (self.panics_length.load(Ordering::Acquire) as usize).min(PANICS_BYTES);
        // SAFETY: the range is within the text, and the child that wrote it has ended.
        let text = unsafe { std::slice::from_raw_parts(self.panics.get().cast::<u8>(), used) };
        text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

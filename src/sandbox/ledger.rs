//! The ledger: memory that a run reserves before it begins and that outlives its process. The supervisor can read what
//! a run had written there before it died.

use std::sync::atomic::{AtomicBool, Ordering};

use super::job::LEDGER_BYTES;
use super::platform;

/// Whether a ledger of this process already uses the memory that outlives the process.
static IS_SHARED_TAKEN: AtomicBool = AtomicBool::new(false);

/// A buffer of fixed capacity. Writing to it allocates nothing, so the addresses of a run's other memory stay the same.
#[derive(Debug)]
pub(crate) enum Ledger {
    /// Memory that outlives the process.
    Shared(platform::SharedLedger),
    /// Memory on the heap, where no shared memory is available.
    Own(Vec<u8>),
}

impl Ledger {
    /// Opens the ledger of a run. In a process forked for the run, the supervisor can read it, too.
    pub(crate) fn open() -> Ledger {
        match platform::SharedLedger::of_this_process() {
            Some(shared) if !IS_SHARED_TAKEN.swap(true, Ordering::Relaxed) => Ledger::Shared(shared),
            _ => Ledger::Own(Vec::with_capacity(LEDGER_BYTES)),
        }
    }

    /// Appends bytes without allocating. Returns false, and appends nothing, if they do not fit.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = self.bytes().len() + bytes.len() <= LEDGER_BYTES;
        match self {
            Ledger::Shared(shared) if fits => shared.append(bytes),
            Ledger::Own(own) if fits => own.extend_from_slice(bytes),
            _ => {}
        }
        fits
    }

    /// Overwrites bytes that were appended, from offset `at`.
    pub(crate) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        match self {
            Ledger::Shared(shared) => shared.overwrite(at, bytes),
            Ledger::Own(own) => own[at..at + bytes.len()].copy_from_slice(bytes),
        }
    }

    /// Keeps the first `length` bytes only.
    pub(crate) fn truncate(&mut self, length: usize) {
        match self {
            Ledger::Shared(shared) => shared.truncate(length),
            Ledger::Own(own) => own.truncate(length),
        }
    }

    /// All that was appended.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Ledger::Shared(shared) => shared.bytes(),
            Ledger::Own(own) => own,
        }
    }
}

/// A clone is on the heap.
impl Clone for Ledger {
    fn clone(&self) -> Ledger {
        Ledger::Own(self.bytes().to_vec())
    }
}

//! The ledger: memory that a run reserves before it begins and that outlives its process, so that the supervisor can read what
//! a run that died had kept up to then. It knows nothing of what is written there.

use std::sync::atomic::{AtomicBool, Ordering};

use super::job::LEDGER_BYTES;
use super::platform;

/// Whether the memory that outlives this process is in use.
static IS_SHARED_TAKEN: AtomicBool = AtomicBool::new(false);

/// Bytes that are only appended. What a run keeps here moves nothing else in its memory.
#[derive(Debug)]
pub(crate) enum Ledger {
    /// Memory of the process that outlives it.
    Shared(platform::SharedLedger),
    /// Memory of its own, where there is no other.
    Own(Vec<u8>),
}

impl Ledger {
    /// The ledger of a run that begins: in a process that was forked for it, memory that the supervisor can read, too.
    pub(crate) fn open() -> Ledger {
        match platform::SharedLedger::of_this_process() {
            Some(shared) if !IS_SHARED_TAKEN.swap(true, Ordering::Relaxed) => Ledger::Shared(shared),
            _ => Ledger::Own(Vec::with_capacity(LEDGER_BYTES)),
        }
    }

    /// Appends bytes without any allocation; false if they do not fit.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> bool {
        let fits = self.bytes().len() + bytes.len() <= LEDGER_BYTES;
        match self {
            Ledger::Shared(shared) if fits => shared.append(bytes),
            Ledger::Own(own) if fits => own.extend_from_slice(bytes),
            _ => {}
        }
        fits
    }

    /// Writes over bytes that were appended.
    pub(crate) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        match self {
            Ledger::Shared(shared) => shared.overwrite(at, bytes),
            Ledger::Own(own) => own[at..at + bytes.len()].copy_from_slice(bytes),
        }
    }

    /// Forgets all but the first bytes.
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

/// A copy is memory of its own.
impl Clone for Ledger {
    fn clone(&self) -> Ledger {
        Ledger::Own(self.bytes().to_vec())
    }
}

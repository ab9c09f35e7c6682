//! The part of the shared status that holds a run's ledger.

use super::process::shared_status;
use super::shared_status::SharedStatus;

/// The ledger of this process's shared status. There is one for each process, so nobody else writes.
#[derive(Debug)]
pub(crate) struct SharedLedger(&'static SharedStatus);

impl SharedLedger {
    /// That of this process, if it is the child of a zygote.
    pub(in crate::sandbox) fn of_this_process() -> Option<SharedLedger> {
        shared_status().map(SharedLedger)
    }

    pub(in crate::sandbox) fn append(&mut self, bytes: &[u8]) {
        let used = self.0.ledger().len();
        self.0.write_ledger(used, bytes);
        self.0.set_ledger_length(used + bytes.len());
    }

    pub(in crate::sandbox) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        self.0.write_ledger(at, bytes);
    }

    pub(in crate::sandbox) fn truncate(&mut self, length: usize) {
        self.0.set_ledger_length(length.min(self.0.ledger().len()));
    }

    pub(in crate::sandbox) fn bytes(&self) -> &[u8] {
        self.0.ledger()
    }
}

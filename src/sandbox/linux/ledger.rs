//! The part of the shared status that holds a run's ledger.

use super::process::shared_status;
use super::shared_status::SharedStatus;

/// The ledger of this process's shared status. A process has only one, so it has a single writer.
#[derive(Debug)]
pub(crate) struct SharedLedger(&'static SharedStatus);

impl SharedLedger {
    /// The ledger of this process, if the process is the child of a zygote.
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

//! The calls that a disk's troubles affect: each is counted and may fail, before it reads, writes or syncs.

use std::io;
use std::time::Duration;

use super::data::DiskCall;
use super::image::{Image, Node};
use super::trouble::Trouble;

impl Image {
    /// Replaces the troubles of this disk.
    pub(super) fn set_troubles(&mut self, troubles: &[(u32, Trouble)]) {
        let used_bytes = self.used_bytes();
        self.troubles.set(troubles, used_bytes);
    }

    /// Adds a trouble to this disk.
    pub(super) fn add_trouble(&mut self, number: u32, trouble: &Trouble) {
        let used_bytes = self.used_bytes();
        self.troubles.add(number, trouble, used_bytes);
    }

    /// How many calls each trouble has affected, as `(number, calls)`.
    pub(super) fn effects(&self) -> Vec<(u32, u64)> {
        self.troubles.effects().iter().map(|(number, effects)| (*number, *effects)).collect()
    }

    /// Counts a call and returns how long it takes.
    pub(super) fn count(&mut self, call: DiskCall) -> Duration {
        *self.call_counter(call) += 1;
        let time = self.speed.duration_of(call);
        if self.troubles.is_empty() { time } else { time + self.troubles.delay(call) }
    }

    fn call_counter(&mut self, call: DiskCall) -> &mut u64 {
        match call {
            DiskCall::Read => &mut self.counters.reads,
            DiskCall::Write => &mut self.counters.writes,
            DiskCall::Sync => &mut self.counters.syncs,
        }
    }

    /// Decides whether the call that was counted last fails.
    ///
    /// # Errors
    /// EIO if it does.
    pub(super) fn check_for_error(&mut self, call: DiskCall) -> io::Result<()> {
        if self.troubles.is_empty() {
            return Ok(());
        }
        let ordinal = *self.call_counter(call) - 1;
        self.troubles.check_for_error(self.seed, self.host, call, ordinal)
    }

    /// Checks that the disk has space for a file of `len` bytes.
    ///
    /// # Errors
    /// ENOSPC if it does not.
    fn check_space(&mut self, file: u64, len: u64) -> io::Result<()> {
        if self.troubles.is_empty() {
            return Ok(());
        }
        let (used, current) = (self.used_bytes(), self.file(file)?.cache().len());
        self.troubles.check_space(used, (used - current).saturating_add(len))
    }

    /// The total length of all files, including removed files that are still open.
    fn used_bytes(&self) -> u64 {
        let len = |node: &Node| match node {
            Node::File(file) => file.cache().len(),
            Node::Directory(_) => 0,
        };
        self.nodes.values().map(len).fold(0, u64::saturating_add)
    }

    /// Reads from `offset` until `out` is full or the file ends; returns the number of bytes read.
    pub(super) fn read(&mut self, file: u64, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file(file)?.cache().read(offset, out);
        if !self.troubles.is_empty() {
            let ordinal = self.counters.reads - 1;
            self.troubles.corrupt(self.seed, self.host, ordinal, &mut out[..read]);
        }
        Ok(read)
    }

    /// Writes all of `data` to the cache.
    pub(super) fn write(&mut self, file: u64, offset: u64, data: &[u8]) -> io::Result<()> {
        let len = self.file(file)?.cache().len();
        self.check_space(file, len.max(offset + data.len() as u64))?;
        self.counters.bytes_written += data.len() as u64;
        self.file(file)?.write(offset, data);
        Ok(())
    }

    /// Sets the length in the cache.
    pub(super) fn set_len(&mut self, file: u64, len: u64) -> io::Result<()> {
        self.check_space(file, len)?;
        self.file(file)?.set_len(len);
        Ok(())
    }

    /// Makes a file durable, unless the call fails or the disk loses syncs.
    pub(super) fn sync(&mut self, file: u64) -> io::Result<()> {
        if let Err(error) = self.check_for_error(DiskCall::Sync) {
            self.counters.writes_given_up += self.file(file)?.give_up_writes();
            return Err(error);
        }
        if !self.troubles.loses_sync() {
            self.file(file)?.sync();
        }
        Ok(())
    }
}

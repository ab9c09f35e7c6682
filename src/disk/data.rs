//! The plain data that the disk takes and gives: speeds, options, calls and counters. It knows nothing of files.

use std::time::Duration;

/// How long one call takes, whatever its size. The default is that of a good solid-state disk with a warm cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpeed {
    /// One read. Default: nothing, as it comes from the cache.
    pub read: Duration,
    /// One write to the cache, or one change of a length or of a name. Default: 20 µs.
    pub write: Duration,
    /// One sync of a file or a directory. Default: 1 ms.
    pub sync: Duration,
}

impl Default for DiskSpeed {
    fn default() -> DiskSpeed {
        DiskSpeed { read: Duration::ZERO, write: Duration::from_micros(20), sync: Duration::from_millis(1) }
    }
}

impl DiskSpeed {
    /// How long one such call takes.
    pub(super) fn of(&self, call: DiskCall) -> Duration {
        match call {
            DiskCall::Read => self.read,
            DiskCall::Write => self.write,
            DiskCall::Sync => self.sync,
        }
    }
}

/// What has happened to a disk since it was made. Only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounters {
    /// Reads of files and directories by programs.
    pub reads: u64,
    /// Writes and changes of a length or a name by programs.
    pub writes: u64,
    /// Bytes that those writes wrote.
    pub bytes_written: u64,
    /// Syncs of files and of directories by programs.
    pub syncs: u64,
    /// Calls that changed nothing because the program that made them was dead.
    pub refused: u64,
    /// Kills.
    pub kills: u64,
    /// Power offs.
    pub power_offs: u64,
    /// Unsynced directory entries (made, removed or changed) that power offs undid.
    pub entries_lost: u64,
    /// Files and their bytes, synced or not, that power offs took because no synced entry led to them.
    pub files_lost: u64,
    /// Unsynced writes and changes of a length of which nothing survived a power off.
    pub changes_lost: u64,
    /// Unsynced writes of which a power off left a prefix.
    pub writes_torn: u64,
    /// Unsynced writes that failed syncs gave up: the next power off undoes them, unless they are written again.
    pub writes_given_up: u64,
    /// Bytes of unsynced writes that did not survive power offs.
    pub bytes_lost: u64,
}

impl DiskCounters {
    /// Whether a power off has undone anything: the measure of whether that fault bit.
    pub fn effective(&self) -> bool {
        self.entries_lost + self.files_lost + self.changes_lost + self.writes_torn > 0
    }
}

/// How [`Disk::open`](super::Disk::open) opens a file. The default opens an existing file to read and write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Create the file if it is missing. Its parent directory must exist.
    pub create: bool,
    /// Create the file, and fail if it exists.
    pub create_new: bool,
    /// Cut the file to zero bytes.
    pub truncate: bool,
    /// Refuse writes, and any of the options above.
    pub read_only: bool,
}

impl OpenOptions {
    /// Opens the file to read and write it and creates it if it is missing.
    pub fn create() -> OpenOptions {
        OpenOptions { create: true, ..OpenOptions::default() }
    }

    /// Opens an existing file to read it.
    pub fn read_only() -> OpenOptions {
        OpenOptions { read_only: true, ..OpenOptions::default() }
    }
}

/// A call of a program on its disk, as [`DiskImage::observe`](super::DiskImage::observe) tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskCall {
    /// A file or a directory is read.
    Read,
    /// Bytes, a length or a name are written to the cache.
    Write,
    /// A file or a directory is brought to the durable state.
    Sync,
}

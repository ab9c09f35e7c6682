//! The plain data of the disk's interface: speeds, options, calls and counters.

use std::time::Duration;

/// How long one call takes, whatever its size. The default is a good solid-state disk with a warm cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpeed {
    /// One read. Default: zero, because the cache answers it.
    pub read: Duration,
    /// One write to the cache, or one change of a length or a name. Default: 20 µs.
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
    /// How long one call of this kind takes.
    pub(super) fn duration_of(&self, call: DiskCall) -> Duration {
        match call {
            DiskCall::Read => self.read,
            DiskCall::Write => self.write,
            DiskCall::Sync => self.sync,
        }
    }
}

/// Counts of what has happened to a disk since it was created. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounters {
    /// Reads of files and directories by living programs.
    pub reads: u64,
    /// Writes, and changes of a length or a name, by living programs.
    pub writes: u64,
    /// Bytes written by those writes.
    pub bytes_written: u64,
    /// Syncs of files and directories by living programs.
    pub syncs: u64,
    /// Calls refused because the program that made them was dead.
    pub refused: u64,
    /// Kills.
    pub kills: u64,
    /// Power offs.
    pub power_offs: u64,
    /// Unsynced changes of directory entries (created, removed or replaced) that power offs undid.
    pub entries_lost: u64,
    /// Files that power offs lost with all their bytes, synced or not, because no synced entry led to them.
    pub files_lost: u64,
    /// Unsynced writes and length changes that power offs lost completely.
    pub changes_lost: u64,
    /// Unsynced writes of which a power off kept only a prefix.
    pub writes_torn: u64,
    /// Unsynced writes given up by failed syncs: the next power off undoes them unless they are written again.
    pub writes_given_up: u64,
    /// Bytes of unsynced writes lost in power offs.
    pub bytes_lost: u64,
}

impl DiskCounters {
    /// Whether a power off has undone anything, which decides whether that fault was effective.
    pub fn effective(&self) -> bool {
        self.entries_lost + self.files_lost + self.changes_lost + self.writes_torn > 0
    }
}

/// How [`Disk::open`](super::Disk::open) opens a file. The default opens an existing file for reading and writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Create the file if it is missing. Its parent directory must exist.
    pub create: bool,
    /// Create the file, and fail if it exists.
    pub create_new: bool,
    /// Truncate the file to zero bytes.
    pub truncate: bool,
    /// Refuse writes. Cannot be combined with the options above.
    pub read_only: bool,
}

impl OpenOptions {
    /// Opens the file for reading and writing, and creates it if it is missing.
    pub fn create() -> OpenOptions {
        OpenOptions { create: true, ..OpenOptions::default() }
    }

    /// Opens an existing file for reading.
    pub fn read_only() -> OpenOptions {
        OpenOptions { read_only: true, ..OpenOptions::default() }
    }
}

/// The kind of a call that a program makes on its disk; [`DiskImage::observe`](super::DiskImage::observe) reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskCall {
    /// Reads a file or a directory.
    Read,
    /// Writes bytes, a length or a name to the cache.
    Write,
    /// Makes a file or a directory durable.
    Sync,
}

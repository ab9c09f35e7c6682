//! The simulated disk of one machine: a cache and a durable state.
//!
//! A program gets its [`Disk`] from [`HostContext::disk`](crate::host::HostContext::disk) and works on the [`File`]s that
//! it opens there. Writes go to the cache, and reads see the cache. What reaches the durable state, and when, follows
//! POSIX:
//!
//! ```
//! use squall::disk::OpenOptions;
//! use squall::prelude::*;
//!
//! async fn store(cx: HostContext) -> std::io::Result<()> {
//!     let disk = cx.disk();
//!     let file = disk.open("orders", OpenOptions::create())?;
//!     file.write_at(0, b"an order")?;
//!     file.sync_data()?; // the bytes survive a power failure
//!     disk.sync_directory("")?; // and so does the name of the file
//!     disk.wait_until_idle().await; // the time that these calls take
//!     cx.recorder().note("stored", "orders");
//!     Ok(())
//! }
//! #
//! # fn is_stored(trace: &Trace, _: &History) -> Verdict {
//! #     let notes = trace.records.iter().filter(|record| matches!(record.event, Event::Mark(_))).count();
//! #     if notes == 1 { Verdict::Pass } else { Verdict::fail(format!("{notes} notes")) }
//! # }
//! # let scenario = Scenario::new("orders").host("store", store).check(is_stored).run_for(secs(1)).settle_for(secs(0));
//! # use squall::internal::run::{Detail, run};
//! # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
//! # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
//! ```
//!
//! - [`File::sync_data`] makes the bytes and the length of a file durable, but not its name;
//! - [`Disk::sync_directory`] makes the names in one directory durable, but not the bytes of the files they name;
//! - when the process dies, the cache stays; when the machine loses power, only the durable state stays: names that were
//!   never synced disappear, renames that were never synced are undone, and each write that was never synced is lost, kept
//!   whole or torn at a sector boundary, as decided by its own keyed draw.
//!
//! A dead program must not act, although dropping it runs its destructors: once its process is dead, every call fails
//! and changes nothing.
//!
//! Calls are synchronous, as in std. The time that they take accumulates as a debt, which the program pays with
//! [`Disk::wait_until_idle`] before it acknowledges what it has written.

mod attachment;
mod calls;
mod data;
mod file;
mod image;
mod pages;
#[cfg(feature = "redb")]
mod redb_backend;
mod trouble;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use self::attachment::{Attachment, SharedImage};
pub use self::data::OpenOptions;
#[doc(hidden)]
pub use self::data::{DiskCall, DiskCounters, DiskSpeed};
pub use self::file::File;
use self::image::Image;
#[doc(hidden)]
pub use self::trouble::Trouble;
use crate::alive::AliveFlag;
use crate::seed::Seed;

/// The disk of one machine, which outlives the programs that use it. Clones share their state.
#[doc(hidden)]
#[derive(Clone)]
pub struct DiskImage(SharedImage);

impl DiskImage {
    /// Creates an empty disk for the machine numbered `host`. What a power off tears depends only on the seed, the
    /// host, and the ordinals of the power off, the file and the write.
    pub fn new(seed: Seed, host: u64) -> DiskImage {
        DiskImage(SharedImage::new(Image::new(seed, host)))
    }

    /// Attaches one life of a program to the disk. The life lasts until `alive` is cleared, or until the next
    /// [`kill`](Self::kill) or [`power_off`](Self::power_off).
    pub fn attach(&self, alive: AliveFlag) -> Disk {
        Disk(Arc::new(Attachment::new(self.0.clone(), alive)))
    }

    /// Kills the process while the machine lives: everything written stays, and locks and open files are released.
    pub fn kill(&self) {
        self.lock().kill();
    }

    /// Cuts the machine's power: the durable state stays, and keyed draws decide which writes in flight survive.
    ///
    /// The draw `seed.decide("tear", &[host, power off, file, change])` decides for each write separately. All four
    /// count from 0: `file` counts the files and directories created on this disk (the root directory is 0), `change`
    /// the writes and length changes of the file. A write that spans sector boundaries (multiples of 512 bytes from the
    /// file's start) is lost, kept whole or cut at one of them, each with probability 1/3. A write within one sector,
    /// or a length change, is lost or kept whole, each with probability 1/2.
    pub fn power_off(&self) {
        self.lock().power_off();
    }

    /// Sets whether a power off tears writes in flight by keyed draws (the default) or drops them all.
    pub fn set_tearing(&self, tearing: bool) {
        self.lock().tearing = tearing;
    }

    /// Sets how long calls take from now on.
    pub fn set_speed(&self, speed: DiskSpeed) {
        self.lock().speed = speed;
    }

    /// How long calls take at present, without the delay of troubles.
    pub fn speed(&self) -> DiskSpeed {
        self.lock().speed
    }

    /// Replaces the troubles of the disk, which is how the world applies disk faults. Each trouble has the number under
    /// which its effects are counted. A trouble that was already active under the same number continues unchanged.
    pub fn set_troubles(&self, troubles: &[(u32, Trouble)]) {
        self.lock().set_troubles(troubles);
    }

    /// Adds a trouble to the disk, which lasts until [`set_troubles`](Self::set_troubles) replaces the troubles.
    pub(crate) fn add_trouble(&self, number: u32, trouble: &Trouble) {
        self.lock().add_trouble(number, trouble);
    }

    /// How many calls each trouble has affected since the disk was created, as `(number, calls)`. Troubles that have
    /// affected no call are left out.
    pub fn effects(&self) -> Vec<(u32, u64)> {
        self.lock().effects()
    }

    /// Calls `observer` at each read, write and sync of a living program, just before the call takes effect. The
    /// observer may clear the program's alive flag; then the call fails without effect, so a test can crash a program
    /// at any disk call. The observer must not use a [`Disk`] or [`File`]; the methods of the image are safe to call.
    pub fn observe(&self, observer: impl Fn(DiskCall) + Send + Sync + 'static) {
        self.lock().observer = Some(Arc::new(observer));
    }

    /// Counts of what has happened to this disk.
    pub fn counters(&self) -> DiskCounters {
        self.lock().counters
    }

    fn lock(&self) -> MutexGuard<'_, Image> {
        self.0.lock()
    }
}

impl fmt::Debug for DiskImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskImage").field("counters", &self.counters()).finish_non_exhaustive()
    }
}

/// The disk as one life of a program sees it. Clones share their debt.
///
/// Paths separate names with `/` and start at the root of the disk, with or without a leading `/`; the root is `""` or
/// `"/"`. Every call fails with `ErrorKind::Other` once the program is dead, with `InvalidInput` for a path that
/// contains `..` or is not UTF-8, and with `NotFound` or `NotADirectory` for a path that does not resolve. Calls that
/// read, write or sync (but not [`Disk::open`] and [`Disk::exists`], which the kernel's cache answers) fail with EIO
/// (5) and have no effect while the disk fails.
#[derive(Clone)]
pub struct Disk(Arc<Attachment>);

impl Disk {
    /// Opens a file. The name of a file that this call creates becomes durable only with [`Disk::sync_directory`] on
    /// its parent; see [`Disk::open_durable`]. Opening takes no time.
    ///
    /// # Errors
    /// `NotFound` if the file is missing and the options do not create it, `AlreadyExists` if `create_new` finds one,
    /// `IsADirectory` if `path` is a directory, `InvalidInput` if `read_only` is combined with other options.
    pub fn open(&self, path: impl AsRef<Path>, options: OpenOptions) -> io::Result<File> {
        if options.read_only && options != OpenOptions::read_only() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (handle, file) = self.0.lock_if_alive()?.open(path.as_ref(), options)?;
        Ok(File::new(Arc::clone(&self.0), handle, file, options.read_only))
    }

    /// Opens a file for reading and writing, creates it if it is missing, and syncs its parent directory, so that its
    /// name, though not yet its bytes, survives a power off.
    ///
    /// # Errors
    /// As for [`Disk::open`]; `NotFound` if the parent directory is missing.
    pub fn open_durable(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref();
        let file = self.open(path, OpenOptions::create())?;
        // An existing file needs the sync, too: the life that created it may have been killed just before its sync.
        self.sync_directory(path.parent().unwrap_or(Path::new("")))?;
        Ok(file)
    }

    /// Whether there is a file or directory at `path`.
    ///
    /// # Errors
    /// As for all calls, except that a path that does not resolve is `Ok(false)`.
    pub fn exists(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        match self.0.lock_if_alive()?.find(path.as_ref()) {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Removes a file's name. The file itself exists for as long as it is open, and in the durable state it keeps its
    /// name until the directory is synced.
    ///
    /// # Errors
    /// `IsADirectory` if `path` is a directory.
    pub fn remove(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.begin(DiskCall::Write)?.remove(path.as_ref())
    }

    /// Renames a file and replaces any file at `to`. The rename is atomic in the cache. Within one directory it is
    /// atomic in the durable state as well, and becomes durable when that directory is synced. Across two directories,
    /// each has to be synced: a power off between the two syncs leaves the file with both names or with neither.
    ///
    /// # Errors
    /// `Unsupported` if `from` is a directory, `IsADirectory` if `to` is one.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        self.0.begin(DiskCall::Write)?.rename(from.as_ref(), to.as_ref())
    }

    /// Lists the names in a directory, sorted bytewise.
    ///
    /// # Errors
    /// `NotADirectory` if `path` is a file.
    pub fn list(&self, path: impl AsRef<Path>) -> io::Result<Vec<String>> {
        self.0.begin(DiskCall::Read)?.list(path.as_ref())
    }

    /// Creates the missing directories along `path`. The name of each becomes durable when its parent is synced.
    ///
    /// # Errors
    /// `NotADirectory` if a name along the path is that of a file.
    pub fn create_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.begin(DiskCall::Write)?.create_dir_all(path.as_ref())
    }

    /// Makes the names in a directory durable. They survive a power off only if the names of the directory and of its
    /// parents are durable, too.
    ///
    /// # Errors
    /// `NotADirectory` if `path` is a file.
    pub fn sync_directory(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.begin(DiskCall::Sync)?.sync_directory(path.as_ref())
    }

    /// The time that all calls since the last [`Disk::wait_until_idle`] take.
    pub fn debt(&self) -> Duration {
        self.0.debt()
    }

    /// Waits until the disk has finished all calls made before this one, including those that another task is waiting
    /// for, because a disk does one thing at a time. Await it after a sync, before acknowledging. Returns at once if
    /// there is nothing to wait for; otherwise it needs a tokio runtime with time enabled, whose timer rounds up to
    /// whole milliseconds.
    pub async fn wait_until_idle(&self) {
        self.0.wait_until_idle().await;
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("alive", &self.0.alive).field("debt", &self.debt()).finish_non_exhaustive()
    }
}

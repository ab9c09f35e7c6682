//! The simulated disk of one machine: a cache and a durable state. It knows nothing of hosts, networks and plans.
//!
//! A [`DiskImage`] is what survives on a machine; the world owns one per host. A program acts on it through a
//! [`Disk`], which [`DiskImage::attach`] makes for one life of the program, and the [`File`]s that it opens. Writes
//! go to the cache, and reads see the cache. What reaches the durable state, and when, follows POSIX:
//!
//! - [`File::sync_data`] brings the bytes and the length of a file to the durable state, but not its name;
//! - [`Disk::sync_directory`] brings the names in one directory to the durable state, but not the bytes behind them;
//! - [`DiskImage::kill`] (the process dies) keeps the cache; [`DiskImage::power_off`] (the machine dies) leaves the
//!   durable state. A name that was never synced is gone then, a rename that was never synced is undone, and each write
//!   that was never synced is lost, whole or torn at a sector boundary by a draw of its own.
//!
//! A dead program must not act, although dropping it runs its destructors: once its gate is closed every call fails
//! and changes nothing.
//!
//! Calls are synchronous, as those of std are; the time that they take is a debt that the program pays with
//! [`Disk::wait_until_idle`] before it acknowledges what it has written.
//!
//! ```
//! use squall::disk::{DiskImage, OpenOptions};
//! use squall::alive::AliveFlag;
//! use squall::seed::Seed;
//!
//! # fn main() -> std::io::Result<()> {
//! let image = DiskImage::new(Seed(7), 0);
//! let disk = image.attach(AliveFlag::new());
//! let file = disk.open("notes", OpenOptions::create())?;
//! file.write_at(0, b"kept")?;
//! file.sync_data()?;
//! disk.sync_directory("")?;
//! disk.open("scratch", OpenOptions::create())?.sync_data()?;
//!
//! image.power_off();
//! let disk = image.attach(AliveFlag::new());
//! assert_eq!(disk.list("")?, ["notes"]);
//! # Ok(())
//! # }
//! ```

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
pub use self::data::{DiskCall, DiskCounters, DiskSpeed, OpenOptions};
pub use self::file::File;
use self::image::Image;
pub use self::trouble::Trouble;
use crate::alive::AliveFlag;
use crate::seed::Seed;

/// What survives on one machine while programs come and go. Clones share their state.
#[derive(Clone)]
pub struct DiskImage(SharedImage);

impl DiskImage {
    /// An empty disk for the machine that `host` names. What its power offs tear depends on the seed, the host, and
    /// the ordinals of power off, file and write alone.
    pub fn new(seed: Seed, host: u64) -> DiskImage {
        DiskImage(SharedImage::new(Image::new(seed, host)))
    }

    /// The disk as one life of a program sees it: until `gate` closes, or the next [`kill`](Self::kill) or
    /// [`power_off`](Self::power_off).
    pub fn attach(&self, alive: AliveFlag) -> Disk {
        Disk(Arc::new(Attachment::new(self.0.clone(), alive)))
    }

    /// The process dies and the machine lives: all that was written stays, locks and open files are released.
    pub fn kill(&self) {
        self.lock().kill();
    }

    /// The machine dies: what is on the durable state stays, and of what was in flight what keyed draws save.
    ///
    /// The draw `seed.decide("tear", &[host, power off, file, change])` decides for each write alone. All four count
    /// from 0: `file` counts what was created on this disk (the root directory is 0), `change` the writes and changes
    /// of length of the file. A write that spans sector boundaries (multiples of 512 bytes from the file's start) is
    /// lost, whole or cut at one of them, each with a chance of a third; a write within a sector is lost or whole, and
    /// so is a change of length.
    pub fn power_off(&self) {
        self.lock().power_off();
    }

    /// Whether power offs tear what is in flight by keyed draws (the default) or drop all of it.
    pub fn set_tearing(&self, tearing: bool) {
        self.lock().tearing = tearing;
    }

    /// Sets how long calls take from now on: a fault can make a disk slow, and repair it.
    pub fn set_speed(&self, speed: DiskSpeed) {
        self.lock().speed = speed;
    }

    /// How long calls take now.
    pub fn speed(&self) -> DiskSpeed {
        self.lock().speed
    }

    /// What is wrong with the disk from this moment on, each with the number under which its effects are counted; a trouble
    /// that was there goes on as it is. The world's faults are carried out with it.
    pub fn set_troubles(&self, troubles: &[(u32, Trouble)]) {
        self.lock().set_troubles(troubles);
    }

    /// One thing more is wrong with the disk from this moment on, until what is wrong is set anew.
    pub(crate) fn add_trouble(&self, number: u32, trouble: &Trouble) {
        self.lock().add_trouble(number, trouble);
    }

    /// How many calls met each trouble, by its number, since the disk was made; a trouble that no call met is left out.
    pub fn effects(&self) -> Vec<(u32, u64)> {
        self.lock().effects()
    }

    /// Has `observer` called at each read, write and sync of a living program, just before it takes effect. It may
    /// close the program's gate, and then the call fails and has no effect: so a crash can be put at any point of
    /// what a program does with its disk. It must not call the disk of a program; the image's own methods are fine.
    pub fn observe(&self, observer: impl Fn(DiskCall) + Send + Sync + 'static) {
        self.lock().observer = Some(Arc::new(observer));
    }

    /// What has happened to this disk.
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
/// Paths have `/` between names and start at the root of the disk, with or without a leading `/`; the root is `""`
/// or `"/"`. Every call fails with `ErrorKind::Other` once the program is dead, with `InvalidInput` on a path with
/// `..` in it or that is not UTF-8, and with `NotFound` or `NotADirectory` on a path that leads nowhere. What reads, writes
/// or syncs (but not [`Disk::open`] and [`Disk::exists`], which the kernel's cache answers) fails with EIO (5) and without
/// effect if the disk fails.
#[derive(Clone)]
pub struct Disk(Arc<Attachment>);

impl Disk {
    /// Opens a file. The name of a file that this creates is on the durable state only after [`Disk::sync_directory`] on
    /// its parent; see [`Disk::open_durable`]. Opening takes no time.
    ///
    /// # Errors
    /// `NotFound` if the file is missing and is not to be created, `AlreadyExists`, `IsADirectory`, `InvalidInput`
    /// if `read_only` is combined with other options.
    pub fn open(&self, path: impl AsRef<Path>, options: OpenOptions) -> io::Result<File> {
        if options.read_only && options != OpenOptions::read_only() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (handle, file) = self.0.enter()?.open(path.as_ref(), options)?;
        Ok(File::new(Arc::clone(&self.0), handle, file, options.read_only))
    }

    /// Opens a file to read and write it, creates it if it is missing, and syncs its parent directory, so that its
    /// name, though not yet its bytes, survives a power off.
    ///
    /// # Errors
    /// As for [`Disk::open`]; `NotFound` if the parent directory is missing.
    pub fn open_durable(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref();
        let file = self.open(path, OpenOptions::create())?;
        // Also if the file was there: the life that created it may have been killed just before its sync.
        self.sync_directory(path.parent().unwrap_or(Path::new("")))?;
        Ok(file)
    }

    /// Whether there is a file or directory at `path`.
    ///
    /// # Errors
    /// As for all calls, except that a path that leads nowhere is `Ok(false)`.
    pub fn exists(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        match self.0.enter()?.find(path.as_ref()) {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Removes a file's name. The file lives on while somebody has it open, and on the durable state it keeps its name
    /// until the directory is synced.
    ///
    /// # Errors
    /// `IsADirectory`: directories are not removed.
    pub fn remove(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.enter_to(DiskCall::Write)?.remove(path.as_ref())
    }

    /// Gives a file another name and takes the name from whatever file had it. Atomic in the cache; on the durable state
    /// within one directory, once that is synced. Between two directories each is synced on its own: a power off
    /// between the syncs leaves the file with both names or with none.
    ///
    /// # Errors
    /// `Unsupported` if `from` is a directory, `IsADirectory` if `to` is one.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        self.0.enter_to(DiskCall::Write)?.rename(from.as_ref(), to.as_ref())
    }

    /// The names in a directory, sorted by their bytes.
    ///
    /// # Errors
    /// `NotADirectory` if `path` is a file.
    pub fn list(&self, path: impl AsRef<Path>) -> io::Result<Vec<String>> {
        self.0.enter_to(DiskCall::Read)?.list(path.as_ref())
    }

    /// Creates the directories along `path` that are missing. The name of each is in its parent, and is on the
    /// durable state once that is synced.
    ///
    /// # Errors
    /// `NotADirectory` if there is a file on the way.
    pub fn create_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.enter_to(DiskCall::Write)?.create_dir_all(path.as_ref())
    }

    /// Brings the names in a directory to the durable state. They survive a power off if the name of the directory itself
    /// and those of its parents are there, too.
    ///
    /// # Errors
    /// `NotADirectory` if `path` is a file.
    pub fn sync_directory(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.enter_to(DiskCall::Sync)?.sync_directory(path.as_ref())
    }

    /// The time of all calls since the last [`Disk::wait_until_idle`].
    pub fn debt(&self) -> Duration {
        self.0.debt()
    }

    /// Waits until the disk has done all calls that were made before this one, those that another task waits for
    /// included: a disk does one thing at a time. Await it after a sync, before acknowledging. Needs a tokio runtime
    /// with time, whose timer rounds up to whole milliseconds; returns at once if there is nothing to wait for.
    pub async fn wait_until_idle(&self) {
        self.0.settle().await;
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("alive", &self.0.alive).field("debt", &self.debt()).finish_non_exhaustive()
    }
}

//! The directory for temporary files that each zygote has for itself, so that two runs at once never meet in one.
//!
//! Its real name differs from zygote to zygote. Programs know it by a path that is the same in every run, which leads through
//! a descriptor that they inherit; the kernel follows it, so it holds for every system call and for processes that programs
//! start.

use std::ffi::CStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::raw::call;

/// What programs call it.
pub(super) const PATH: &CStr = c"/proc/self/fd/9";

/// A directory of a zygote, removed with all that is in it when this is dropped. One whose owner was killed is removed by the
/// next process that makes one.
pub(super) struct TemporaryDirectory {
    path: PathBuf,
    directory: File,
    /// Whether something is left of the last run that could not be removed.
    is_spoilt: bool,
}

impl TemporaryDirectory {
    pub(super) fn new() -> io::Result<TemporaryDirectory> {
        static SWEPT: OnceLock<()> = OnceLock::new();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let parent = parent()?;
        SWEPT.get_or_init(|| sweep(&parent));
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            // Not the simulated number, although this code never simulates.
            let path = parent.join(format!("{}-{number}", call!(libc::SYS_getpid)));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            // Between these calls another process may take it for one that was left behind.
            match File::open(&path) {
                Ok(directory) if lock(&directory) && fs::exists(&path)? => {
                    return Ok(TemporaryDirectory { path, directory, is_spoilt: false });
                }
                _ => {}
            }
        }
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.directory.as_raw_fd()
    }

    /// Removes what the last run has left.
    pub(super) fn clear(&mut self) {
        self.is_spoilt = remove_entries(&self.path).is_err();
    }

    /// Whether the next run finds it empty.
    pub(super) fn is_clear(&self) -> bool {
        !self.is_spoilt
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // What cannot be removed now is tried again by the next process.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn remove_entries(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let removed =
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
        removed?;
    }
    Ok(())
}

/// The directory of this user in which all these directories are.
fn parent() -> io::Result<PathBuf> {
    let user = call!(libc::SYS_geteuid) as u32;
    let path = std::env::temp_dir().join(format!("squall-runs-{user}"));
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Somebody else's might lead elsewhere.
    let found = fs::symlink_metadata(&path)?;
    let is_own = found.is_dir() && found.uid() == user;
    if is_own { Ok(path) } else { Err(io::Error::other(format!("{} belongs to somebody else", path.display()))) }
}

/// Removes the directories of processes that are gone. An owner holds a lock, which ends with it and with all that it has
/// started.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if File::open(entry.path()).is_ok_and(|directory| lock(&directory)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn lock(directory: &File) -> bool {
    call!(libc::SYS_flock, directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0
}

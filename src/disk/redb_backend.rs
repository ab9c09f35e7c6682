//! The redb storage backend: a file of the simulated disk that holds a redb database.

use std::io;
use std::ops::Bound;
use std::path::Path;

use redb::{BackendError, Builder, Database, DatabaseError, StorageBackend, StorageError};

use super::{Disk, File, OpenOptions};

impl Disk {
    /// Opens a redb database and creates it if it is missing. A power off at any point leaves either no database or one
    /// that opens.
    ///
    /// redb alone cannot promise that: a power off while it creates a database leaves a file that it later refuses to
    /// open. Therefore the database is created as `<path>.new` and renamed, and then the directory is synced. A program
    /// that does not need the promise can call `Builder::create_with_backend(disk.open_durable(path)?)`.
    ///
    /// ```
    /// # use squall::{disk::DiskImage, alive::AliveFlag, seed::Seed};
    /// # fn main() -> Result<(), redb::DatabaseError> {
    /// # let disk = DiskImage::new(Seed(7), 0).attach(AliveFlag::new());
    /// let database = disk.open_database("store.redb", &redb::Builder::new())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of redb, and those of this disk as `StorageError::Io`.
    pub fn open_database(&self, path: impl AsRef<Path>, builder: &Builder) -> Result<Database, DatabaseError> {
        let path = path.as_ref();
        if !self.exists(path).map_err(storage_error)? {
            let mut new = path.as_os_str().to_owned();
            new.push(".new");
            let options = OpenOptions { create: true, truncate: true, ..OpenOptions::default() };
            let file = self.open(&new, options).map_err(storage_error)?;
            // Dropping the database writes and syncs it completely.
            drop(builder.create_with_backend(file)?);
            self.rename(&new, path).map_err(storage_error)?;
        }
        builder.create_with_backend(self.open_durable(path).map_err(storage_error)?)
    }
}

fn storage_error(error: io::Error) -> DatabaseError {
    DatabaseError::Storage(StorageError::Io(error))
}

/// Supports only locks on the whole file, which is what redb's `ExclusiveWriter` mode needs. A lock ends with the life
/// of its program, even if the program never releases it.
impl StorageBackend for File {
    fn len(&self) -> io::Result<u64> {
        File::len(self)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_at(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.unlock()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        require_whole_file(start, end)?;
        self.try_lock().map_err(BackendError::Io)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        require_whole_file(start, end)?;
        self.try_lock_shared().map_err(BackendError::Io)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        require_whole_file(start, end)?;
        self.unlock().map_err(BackendError::Io)
    }
}

fn require_whole_file(start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
    match (start, end) {
        (Bound::Unbounded | Bound::Included(0), Bound::Unbounded) => Ok(()),
        _ => Err(BackendError::Unsupported),
    }
}

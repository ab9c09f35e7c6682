//! An open file of a disk: reads, writes, syncs and locks.

use std::fmt;
use std::io;
use std::sync::{Arc, MutexGuard};

use super::attachment::Attachment;
use super::data::DiskCall;
use super::image::Image;

/// The largest offset and length, as on Linux.
const LEN_BYTES_MAX: u64 = i64::MAX as u64;

/// An open file of a [`Disk`](super::Disk). Clones share its lock, as duplicated descriptors do. Offsets and lengths
/// are in bytes. Every call fails with `ErrorKind::Other` and changes nothing once the program is dead.
#[derive(Clone)]
pub struct File(Arc<Handle>);

struct Handle {
    attachment: Arc<Attachment>,
    handle: u64,
    file: u64,
    read_only: bool,
}

impl File {
    pub(super) fn new(attachment: Arc<Attachment>, handle: u64, file: u64, read_only: bool) -> File {
        File(Arc::new(Handle { attachment, handle, file, read_only }))
    }

    /// Reads from `offset` until `out` is full or the file ends; returns the number of bytes read.
    ///
    /// # Errors
    /// EIO (5) if the disk fails.
    pub fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.0.attachment.begin(DiskCall::Read)?.read(self.0.file, offset, out)
    }

    /// Fills `out` with the bytes from `offset`.
    ///
    /// # Errors
    /// As for [`File::read_at`], and `UnexpectedEof` if the file ends first. After an error the contents of `out` are
    /// unspecified.
    pub fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.read_at(offset, out)? < out.len() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file ends before the read does; check `File::len` first",
            ));
        }
        Ok(())
    }

    /// Writes all of `data` at `offset`. A gap between the end of the file and `offset` reads as zeros.
    ///
    /// # Errors
    /// `PermissionDenied` if the file was opened read-only, `FileTooLarge` beyond 2^63 - 1 bytes, `StorageFull` if the
    /// disk is full, EIO (5) if the disk fails. A failed call writes nothing.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= LEN_BYTES_MAX);
        let mut image = self.begin_write()?;
        end.ok_or(io::ErrorKind::FileTooLarge)?;
        image.write(self.0.file, offset, data)
    }

    /// Truncates the file to `len` bytes, or extends it with zeros, which take no memory.
    ///
    /// # Errors
    /// As for [`File::write_at`].
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        let mut image = self.begin_write()?;
        if len > LEN_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        image.set_len(self.0.file, len)
    }

    fn begin_write(&self) -> io::Result<MutexGuard<'_, Image>> {
        if self.0.read_only {
            // As with every call, the death of the program is reported first.
            drop(self.0.attachment.lock_if_alive()?);
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.0.attachment.begin(DiskCall::Write)
    }

    /// The length of the file.
    ///
    /// # Errors
    /// Only if the program is dead.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.0.attachment.lock_if_alive()?.file(self.0.file)?.cache().len())
    }

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// Only if the program is dead.
    pub fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Makes the bytes and the length of the file durable, but not its name: see
    /// [`Disk::sync_directory`](super::Disk::sync_directory).
    ///
    /// # Errors
    /// EIO (5) if the disk fails. As on Linux, a later successful sync does not save the writes that this one failed to
    /// save: they have to be written again.
    pub fn sync_data(&self) -> io::Result<()> {
        self.0.attachment.begin(DiskCall::Sync)?.sync(self.0.file)
    }

    /// The same as [`File::sync_data`], because this disk keeps no times or permissions.
    ///
    /// # Errors
    /// As for [`File::sync_data`].
    pub fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    /// Takes an exclusive lock on the whole file; returns `false` if a separately opened handle to the file holds a
    /// lock. The lock ends with [`File::unlock`], with the last clone of this handle, or with the life of the program.
    ///
    /// # Errors
    /// Only if the program is dead.
    pub fn try_lock(&self) -> io::Result<bool> {
        self.lock(true)
    }

    /// Takes a shared lock on the whole file; returns `false` if a separately opened handle holds an exclusive one. The
    /// lock ends as that of [`File::try_lock`] does.
    ///
    /// # Errors
    /// Only if the program is dead.
    pub fn try_lock_shared(&self) -> io::Result<bool> {
        self.lock(false)
    }

    fn lock(&self, exclusive: bool) -> io::Result<bool> {
        let attachment = &self.0.attachment;
        Ok(attachment.lock_if_alive()?.try_lock(self.0.handle, self.0.file, exclusive, &attachment.alive))
    }

    /// Releases the lock of this handle and its clones, if they hold one.
    ///
    /// # Errors
    /// Only if the program is dead; its locks ended with it.
    pub fn unlock(&self) -> io::Result<()> {
        self.0.attachment.lock_if_alive()?.unlock(self.0.handle);
        Ok(())
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("file", &self.0.file).field("read_only", &self.0.read_only).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.attachment.close(self.handle);
    }
}

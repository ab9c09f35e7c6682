//! A layer over an untrusted disk: it checks every read against what was written, and at the start rewrites the whole
//! file, because an earlier process may have failed to save part of it.
//!
//! Owns the digests of all blocks, in memory; what the blocks contain is the database's business.
//!
//! A database checks its pages when it repairs itself and trusts them otherwise. One flipped bit in an inner page sends
//! a search astray, so that an existing order is not found; when a page is read, changed and written back, the
//! corruption becomes permanent, with a valid checksum. So the check is below the database: reading the whole file at
//! the start, until two readings of each part agree, establishes the contents of every block.
//!
//! It has no way to detect what changed on the disk before this process started; that is left to the database's own
//! checksums. Nor can it detect a disk that reports a sync as done and does nothing.

use std::io;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// The unit that has a digest: the size of the database's smallest page.
const BLOCK_BYTES: usize = 4096;

/// The bytes per read when the whole file is read at the start.
const CHUNK_BYTES: usize = 64 * BLOCK_BYTES;

/// The most reads of the same bytes before they count as an error: a bit read wrongly may be right the next time.
const READS: usize = 4;

/// A disk whose reads return what was written, or errors.
#[derive(Debug)]
pub struct Verified<B> {
    disk: B,
    blocks: Mutex<Blocks>,
}

impl<B: StorageBackend> Verified<B> {
    /// Reads the whole file and, with `write_again`, rewrites it.
    ///
    /// A sync that failed in an earlier process may have left data in the kernel's cache that no later sync saves,
    /// because the kernel considers it clean. The database would take such data for durable and build on it, and the
    /// next power failure would destroy it. Once it is rewritten, the next sync saves it like any other data.
    ///
    /// # Errors
    /// Errors of the disk, a file that is in use, and reads that never agree.
    pub fn open(disk: B, write_again: bool) -> io::Result<Verified<B>> {
        // No other process may use the file during this; afterwards the database takes its own locks.
        let is_locked = match disk.try_lock_range(Bound::Unbounded, Bound::Unbounded) {
            Ok(false) => return Err(io::Error::other("the file is in use")),
            Ok(true) => true,
            Err(BackendError::Unsupported) => false,
            Err(error) => return Err(io::Error::other(error)),
        };
        let len = disk.len()?;
        let mut blocks = Blocks { len, digests: Vec::new() };
        let mut offset = 0;
        while offset < len {
            let mut chunk = vec![0; CHUNK_BYTES.min((len - offset) as usize)];
            read_twice(&disk, offset, &mut chunk)?;
            if write_again {
                disk.write(offset, &chunk)?;
            }
            blocks.digests.extend(chunk.chunks(BLOCK_BYTES).map(digest));
            offset += chunk.len() as u64;
        }
        if write_again && len > 0 {
            disk.sync_data()?;
        }
        if is_locked {
            disk.unlock_range(Bound::Unbounded, Bound::Unbounded).map_err(io::Error::other)?;
        }
        Ok(Verified { disk, blocks: Mutex::new(blocks) })
    }

    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        // No call leaves the digests half-changed.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills `out` with the whole blocks that start at `offset`.
    fn read_blocks(&self, blocks: &Blocks, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut result = Ok(());
        for _ in 0..READS {
            result = self.disk.read(offset, out).and_then(|()| blocks.verify(offset, out));
            if result.is_ok() {
                break;
            }
        }
        result
    }
}

/// Reads until two readings agree.
fn read_twice(disk: &impl StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
    let mut before: Option<Vec<u8>> = None;
    let mut error = None;
    for _ in 0..READS {
        match disk.read(offset, out) {
            Ok(()) if before.as_deref() == Some(out) => return Ok(()),
            Ok(()) => before = Some(out.to_vec()),
            Err(other) => error = Some(other),
        }
    }
    Err(error
        .unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the disk returns different data on each read")))
}

/// The digests of the file's blocks.
#[derive(Debug)]
struct Blocks {
    len: u64,
    /// One per block, including a partial last one.
    digests: Vec<u64>,
}

impl Blocks {
    /// The range, extended to whole blocks but not beyond the end of the file.
    fn around(&self, range: Range<u64>) -> Range<u64> {
        let block = BLOCK_BYTES as u64;
        range.start / block * block..range.end.next_multiple_of(block).min(self.len.max(range.end))
    }

    fn verify(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let first = (offset / BLOCK_BYTES as u64) as usize;
        for (block, bytes) in bytes.chunks(BLOCK_BYTES).enumerate() {
            if self.digests.get(first + block) != Some(&digest(bytes)) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the disk did not return what was written"));
            }
        }
        Ok(())
    }

    /// Records that these whole blocks were written at `offset`.
    fn set(&mut self, offset: u64, bytes: &[u8]) {
        let first = (offset / BLOCK_BYTES as u64) as usize;
        self.set_len(self.len.max(offset + bytes.len() as u64));
        for (block, bytes) in bytes.chunks(BLOCK_BYTES).enumerate() {
            self.digests[first + block] = digest(bytes);
        }
    }

    /// Records a new length; added bytes are zeros.
    fn set_len(&mut self, len: u64) {
        self.len = len;
        self.digests.resize(len.div_ceil(BLOCK_BYTES as u64) as usize, digest(&[]));
    }
}

/// FNV-1a over 64-bit words. Two blocks that differ in one word never have the same digest, because each step is
/// invertible. A partial block has the digest of a whole block that is padded with zeros.
fn digest(block: &[u8]) -> u64 {
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |word: u64| digest = (digest ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    let (words, rest) = block.as_chunks::<8>();
    words.iter().for_each(|word| add(u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        add(u64::from_le_bytes(last));
    }
    (block.len().div_ceil(8)..BLOCK_BYTES / 8).for_each(|_| add(0));
    digest
}

impl<B: StorageBackend> StorageBackend for Verified<B> {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let blocks = self.blocks();
        let requested = offset..offset + out.len() as u64;
        let around = blocks.around(requested.clone());
        if around == requested {
            return self.read_blocks(&blocks, offset, out);
        }
        let mut all = vec![0; (around.end - around.start) as usize];
        self.read_blocks(&blocks, around.start, &mut all)?;
        out.copy_from_slice(&all[(offset - around.start) as usize..][..out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut blocks = self.blocks();
        let start = len / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        let mut last = Vec::new();
        if len < blocks.len && start < len {
            // The part that remains of the block in which the file now ends.
            last = vec![0; (blocks.around(start..len).end - start) as usize];
            self.read_blocks(&blocks, start, &mut last)?;
            last.truncate((len - start) as usize);
        }
        self.disk.set_len(len)?;
        blocks.set_len(len);
        blocks.set(start, &last);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut blocks = self.blocks();
        let requested = offset..offset + data.len() as u64;
        let around = blocks.around(requested.clone());
        if around == requested {
            self.disk.write(offset, data)?;
            blocks.set(offset, data);
            return Ok(());
        }
        let mut all = vec![0; (around.end - around.start) as usize];
        let known = blocks.len.clamp(around.start, around.end) - around.start;
        if known > 0 {
            self.read_blocks(&blocks, around.start, &mut all[..known as usize])?;
        }
        all[(offset - around.start) as usize..][..data.len()].copy_from_slice(data);
        self.disk.write(offset, data)?;
        blocks.set(around.start, &all);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.disk.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.query_lock_range(start, end)
    }
}

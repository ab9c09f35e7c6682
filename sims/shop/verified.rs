//! A disk that is not trusted: every read is checked against what was written, and what a life before could not save is
//! written again.
//!
//! Owns the digests of all blocks, in memory. Knows nothing of what a database keeps in them.
//!
//! A database checks its pages when it repairs itself and believes them otherwise. One flipped bit in an inner page sends a
//! search astray, and an order that is there is not found; a page that is read, changed and written back makes the corrupt
//! last, with a checksum that fits. So the check is below the database, where no page is too small to matter: after the
//! first reading of the file (twice, until two readings agree) it is known what each block holds.
//!
//! It cannot know better than the disk what the file held before this life: what changed on the durable state while nobody ran is
//! for the database's own checksums to find. And a disk that says that a sync is done and does nothing deceives it as
//! everybody.

use std::io;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

/// What has a digest: the size of the database's smallest page.
const BLOCK_BYTES: usize = 4096;

/// How much is read at a time when the file is first read.
const CHUNK_BYTES: usize = 64 * BLOCK_BYTES;

/// How often something is read before the disk is given up: a wrong bit may be right the next time.
const READS: usize = 4;

/// A disk whose reads are what was written, or errors.
#[derive(Debug)]
pub struct Verified<B> {
    disk: B,
    blocks: Mutex<Blocks>,
}

impl<B: StorageBackend> Verified<B> {
    /// Reads the whole file, and writes it again.
    ///
    /// A sync that failed in an earlier life may have left data in the kernel's cache that no later sync saves, as the
    /// kernel thinks that it is clean. The database would take such data for durable and build on it, and the next power
    /// failure would take what it stands on. Written again, it is saved by the next sync like any other.
    ///
    /// # Errors
    /// Those of the disk, and that it does not give the same answer twice.
    pub fn open(disk: B, write_again: bool) -> io::Result<Verified<B>> {
        // While this reads and writes, no other process may; the database then takes locks of its own.
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

    /// Fills `out` with whole blocks from `offset` on.
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
    Err(error.unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the disk gives another answer each time")))
}

/// What each block of the file holds.
#[derive(Debug)]
struct Blocks {
    len: u64,
    /// One for each block, also for a last one that is cut short.
    digests: Vec<u64>,
}

impl Blocks {
    /// The whole blocks around a range of bytes, as far as the file goes.
    fn around(&self, range: Range<u64>) -> Range<u64> {
        let block = BLOCK_BYTES as u64;
        range.start / block * block..range.end.next_multiple_of(block).min(self.len.max(range.end))
    }

    fn verify(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let first = (offset / BLOCK_BYTES as u64) as usize;
        for (block, bytes) in bytes.chunks(BLOCK_BYTES).enumerate() {
            if self.digests.get(first + block) != Some(&digest(bytes)) {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the disk does not give back what was written"));
            }
        }
        Ok(())
    }

    /// From `offset` on there are these whole blocks now.
    fn set(&mut self, offset: u64, bytes: &[u8]) {
        let first = (offset / BLOCK_BYTES as u64) as usize;
        self.set_len(self.len.max(offset + bytes.len() as u64));
        for (block, bytes) in bytes.chunks(BLOCK_BYTES).enumerate() {
            self.digests[first + block] = digest(bytes);
        }
    }

    /// What is new is zeros.
    fn set_len(&mut self, len: u64) {
        self.len = len;
        self.digests.resize(len.div_ceil(BLOCK_BYTES as u64) as usize, digest(&[]));
    }
}

/// FNV-1a over words of 64 bits. Two blocks that differ in one word never have the same, as each step is invertible. A block
/// that is cut short has the digest of one that goes on with zeros.
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
        let wanted = offset..offset + out.len() as u64;
        let around = blocks.around(wanted.clone());
        if around == wanted {
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
            // What remains of the block in which the file is cut.
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
        let wanted = offset..offset + data.len() as u64;
        let around = blocks.around(wanted.clone());
        if around == wanted {
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

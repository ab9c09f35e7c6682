//! The bytes of one file, twice: as the cache has them and as the durable state has them. It knows nothing of names,
//! programs or alive.
//!
//! Both images are maps of shared 4 KiB pages. A page that is absent is a hole and reads as zeros; a write copies a
//! page only when the other image still shares it; a sync shares the pages that were written since the last one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Bytes in a page: the size in which redb writes, and the usual one of a file system's block.
pub(super) const PAGE_BYTES: usize = 4096;

/// Bytes in a sector: what a disk writes wholly or not at all.
pub(super) const SECTOR_BYTES: u64 = 512;

/// How many bytes of unsynced writes a file keeps apart. Beyond it the oldest reach the durable state by themselves, as a
/// kernel's write-back does; otherwise a program that never syncs would fill the memory.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

type Page = [u8; PAGE_BYTES];

/// A sparse byte array whose pages can be shared with another one. Bytes behind `len` in the last page are zero.
#[derive(Clone, Default)]
pub(super) struct Pages {
    pages: BTreeMap<u64, Arc<Page>>,
    len: u64,
}

impl Pages {
    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `out` from `offset` on, up to the end; returns the number of bytes read.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let available = self.len.saturating_sub(offset).min(out.len() as u64) as usize;
        for (page, within, range) in split(offset, available) {
            let wanted = &mut out[range];
            match self.pages.get(&page) {
                Some(bytes) => wanted.copy_from_slice(&bytes[within..within + wanted.len()]),
                None => wanted.fill(0),
            }
        }
        available
    }

    /// Writes all of `data` at `offset`. What lies between the old end and `offset` becomes a hole.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        for (page, within, range) in split(offset, data.len()) {
            let bytes = &data[range];
            match <&Page>::try_from(bytes) {
                // Replacing a whole page spares copying what the other image shares of it.
                Ok(whole) => match self.pages.get_mut(&page).and_then(Arc::get_mut) {
                    Some(unshared) => unshared.copy_from_slice(whole),
                    None => drop(self.pages.insert(page, Arc::new(*whole))),
                },
                Err(_) => {
                    let target = self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE_BYTES]));
                    Arc::make_mut(target)[within..within + bytes.len()].copy_from_slice(bytes);
                }
            }
        }
        if !data.is_empty() {
            self.len = self.len.max(offset + data.len() as u64);
        }
    }

    /// Cuts the array at `len`, or extends it by a hole.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.drop_pages_behind(len);
            let within = (len % PAGE_BYTES as u64) as usize;
            if within != 0
                && let Some(last) = self.pages.get_mut(&(len / PAGE_BYTES as u64))
            {
                // A later extension must read zeros there.
                Arc::make_mut(last)[within..].fill(0);
            }
        }
        self.len = len;
    }

    fn drop_pages_behind(&mut self, len: u64) {
        drop(self.pages.split_off(&len.div_ceil(PAGE_BYTES as u64)));
    }

    /// Takes over from `other` the pages that hold `bytes` bytes from `offset` on.
    fn share(&mut self, other: &Pages, offset: u64, bytes: usize) {
        for (page, _, _) in split(offset, bytes) {
            match other.pages.get(&page) {
                Some(shared) => drop(self.pages.insert(page, Arc::clone(shared))),
                None => drop(self.pages.remove(&page)),
            }
        }
    }
}

/// The pages that `len` bytes from `offset` on touch: page number, start within the page, range within the bytes.
fn split(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = (at % PAGE_BYTES as u64) as usize;
        let start = done;
        done = len.min(start + PAGE_BYTES - within);
        Some((at / PAGE_BYTES as u64, within, start..done))
    })
}

/// One change of a file that no sync has brought to the durable state yet.
struct Change {
    /// The how-many-th change of this file it is, from 0; names the change in keyed draws.
    ordinal: u64,
    what: What,
}

enum What {
    Write { offset: u64, data: Box<[u8]> },
    SetLen(u64),
}

impl What {
    fn bytes(&self) -> usize {
        match self {
            What::Write { data, .. } => data.len(),
            What::SetLen(_) => 0,
        }
    }

    /// How many of its bytes reach the durable state when the power fails, given 64 uniform bits; `None` if the change is
    /// lost. A third each is lost, whole and cut at a sector boundary. What lies within one sector, and a change of
    /// length, is never cut: half each is lost and whole.
    fn surviving_bytes(&self, bits: u64) -> Option<usize> {
        let What::Write { offset, data } = self else {
            return (bits & 1 == 1).then_some(0);
        };
        let first_boundary = offset / SECTOR_BYTES + 1;
        let last_boundary = (offset + data.len() as u64 - 1) / SECTOR_BYTES;
        let boundaries = (last_boundary + 1).saturating_sub(first_boundary);
        let survives = if boundaries == 0 { bits & 1 } else { bits % 3 };
        match survives {
            0 => None,
            1 => Some(data.len()),
            _ => Some(((first_boundary + bits / 3 % boundaries) * SECTOR_BYTES - offset) as usize),
        }
    }
}

/// What a power off did to the unsynced changes of one file.
#[derive(Default)]
pub(super) struct Loss {
    /// Changes of which nothing reached the durable state.
    pub(super) changes_lost: u64,
    /// Writes of which a prefix reached the durable state.
    pub(super) writes_torn: u64,
    /// Bytes of writes that did not reach the durable state.
    pub(super) bytes_lost: u64,
}

/// A file: what the cache has, what the durable state has, and the changes between the two.
///
/// Invariant, as long as no sync has failed: the durable state with all changes in flight applied in order is the cache.
#[derive(Default)]
pub(super) struct FileData {
    cache: Pages,
    durable: Pages,
    in_flight: VecDeque<Change>,
    in_flight_bytes: usize,
    next_ordinal: u64,
}

impl FileData {
    /// What programs see.
    pub(super) fn cache(&self) -> &Pages {
        &self.cache
    }

    /// Writes all of `data` to the cache.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.cache.write(offset, data);
        self.push(What::Write { offset, data: data.into() });
    }

    /// Sets the length in the cache, in bytes.
    pub(super) fn set_len(&mut self, len: u64) {
        if len == self.cache.len() {
            return;
        }
        self.cache.set_len(len);
        self.push(What::SetLen(len));
    }

    fn push(&mut self, what: What) {
        self.in_flight_bytes += what.bytes();
        self.in_flight.push_back(Change { ordinal: self.next_ordinal, what });
        self.next_ordinal += 1;
        while self.in_flight_bytes > IN_FLIGHT_BYTES_MAX
            && let Some(oldest) = self.in_flight.pop_front()
        {
            self.in_flight_bytes -= oldest.what.bytes();
            match oldest.what {
                What::Write { offset, data } => self.durable.write(offset, &data),
                What::SetLen(len) => self.durable.set_len(len),
            }
        }
    }

    /// Brings the cache to the durable state. Costs in proportion to what was written since the last time.
    pub(super) fn sync(&mut self) {
        for change in self.in_flight.drain(..) {
            match change.what {
                What::Write { offset, data } => self.durable.share(&self.cache, offset, data.len()),
                What::SetLen(len) => {
                    self.durable.drop_pages_behind(len);
                    // A cut zeroed the rest of the page that now is the last one.
                    self.durable.share(&self.cache, len, 1);
                }
            }
        }
        self.in_flight_bytes = 0;
        self.durable.len = self.cache.len;
    }

    /// A sync that failed: writes in flight are clean from now on, and stay in the cache alone. A later sync takes their
    /// page to the durable state only if something else in it is written. Returns how many there were.
    pub(super) fn give_up_writes(&mut self) -> u64 {
        let before = self.in_flight.len();
        // A file system's journal has the changes of length, and tries them again.
        self.in_flight.retain(|change| matches!(change.what, What::SetLen(_)));
        self.in_flight_bytes = 0;
        (before - self.in_flight.len()) as u64
    }

    /// Brings what survives of the changes in flight to the durable state and forgets the cache. `bits` gives 64 uniform
    /// bits for the change of an ordinal; with `None` nothing in flight survives.
    pub(super) fn power_off(&mut self, bits: Option<&dyn Fn(u64) -> u64>) -> Loss {
        let mut loss = Loss::default();
        for change in self.in_flight.drain(..) {
            let survives = bits.and_then(|bits| change.what.surviving_bytes(bits(change.ordinal)));
            let Some(bytes) = survives else {
                loss.changes_lost += 1;
                loss.bytes_lost += change.what.bytes() as u64;
                continue;
            };
            if bytes < change.what.bytes() {
                loss.writes_torn += 1;
                loss.bytes_lost += (change.what.bytes() - bytes) as u64;
            }
            match change.what {
                What::Write { offset, data } => self.durable.write(offset, &data[..bytes]),
                What::SetLen(len) => self.durable.set_len(len),
            }
        }
        self.in_flight_bytes = 0;
        self.cache = self.durable.clone();
        loss
    }

    /// The bytes of the writes in flight.
    pub(super) fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_shares_pages_and_a_later_write_leaves_the_platter_alone() {
        let mut file = FileData::default();
        file.write(0, &[1; 3 * PAGE_BYTES]);
        file.sync();
        for page in 0..3 {
            assert!(Arc::ptr_eq(&file.cache.pages[&page], &file.durable.pages[&page]));
        }
        file.write(PAGE_BYTES as u64 + 5, &[2; 10]);
        assert!(Arc::ptr_eq(&file.cache.pages[&0], &file.durable.pages[&0]));
        assert!(!Arc::ptr_eq(&file.cache.pages[&1], &file.durable.pages[&1]));
        assert_eq!(file.durable.pages[&1][5], 1);
        assert_eq!(file.cache.pages[&1][5], 2);
    }

    #[test]
    fn holes_take_no_memory_and_read_as_zeros() {
        let mut file = FileData::default();
        file.set_len(1 << 40);
        file.write(1 << 39, b"x");
        file.sync();
        assert_eq!(file.cache.pages.len(), 1);
        let mut out = [9; 3];
        assert_eq!(file.cache.read((1 << 39) - 1, &mut out), 3);
        assert_eq!(out, [0, b'x', 0]);
    }

    #[test]
    fn the_oldest_writes_reach_the_platter_by_themselves() {
        let mut file = FileData::default();
        let data = vec![7; IN_FLIGHT_BYTES_MAX / 2];
        for third in 0..3 {
            file.write(third * data.len() as u64, &data);
        }
        let loss = file.power_off(None);
        assert_eq!(file.cache.len(), data.len() as u64);
        assert_eq!(loss.bytes_lost, 2 * data.len() as u64);
    }
}

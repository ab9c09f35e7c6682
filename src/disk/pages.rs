//! The bytes of one file, twice: in the cache and in the durable state.
//!
//! Both are maps of shared 4 KiB pages. An absent page is a hole and reads as zeros; a write copies a page only if
//! cache and durable state still share it; a sync shares the pages that were written since the last sync.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Bytes in a page: the usual block size of a file system, and the unit in which redb writes.
pub(super) const PAGE_BYTES: usize = 4096;

/// Bytes in a sector: the unit that a disk writes completely or not at all.
pub(super) const SECTOR_BYTES: u64 = 512;

/// The most bytes of unsynced writes that a file holds. Beyond that the oldest become durable without a sync, as with a
/// kernel's write-back; otherwise a program that never syncs would fill the memory.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

type Page = [u8; PAGE_BYTES];

/// A sparse byte array that can share pages with another one. Bytes past `len` in the last page are zero.
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

    /// Reads from `offset` until `out` is full or the array ends; returns the number of bytes read.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let available = self.len.saturating_sub(offset).min(out.len() as u64) as usize;
        for (page, within, range) in split(offset, available) {
            let target = &mut out[range];
            match self.pages.get(&page) {
                Some(bytes) => target.copy_from_slice(&bytes[within..within + target.len()]),
                None => target.fill(0),
            }
        }
        available
    }

    /// Writes all of `data` at `offset`. A gap between the old end and `offset` becomes a hole.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        for (page, within, range) in split(offset, data.len()) {
            let bytes = &data[range];
            match <&Page>::try_from(bytes) {
                // Replacing a whole page avoids copying a shared one.
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

    /// Truncates the array to `len` bytes, or extends it with a hole.
    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.drop_pages_past(len);
            let within = (len % PAGE_BYTES as u64) as usize;
            if within != 0
                && let Some(last) = self.pages.get_mut(&(len / PAGE_BYTES as u64))
            {
                // A later extension must read zeros here.
                Arc::make_mut(last)[within..].fill(0);
            }
        }
        self.len = len;
    }

    fn drop_pages_past(&mut self, len: u64) {
        drop(self.pages.split_off(&len.div_ceil(PAGE_BYTES as u64)));
    }

    /// Shares with `other` the pages that hold the `bytes` bytes from `offset`.
    fn share(&mut self, other: &Pages, offset: u64, bytes: usize) {
        for (page, _, _) in split(offset, bytes) {
            match other.pages.get(&page) {
                Some(shared) => drop(self.pages.insert(page, Arc::clone(shared))),
                None => drop(self.pages.remove(&page)),
            }
        }
    }
}

/// Splits `len` bytes at `offset` by page: page number, start within the page, range within the bytes.
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

/// One change of a file that no sync has made durable yet.
struct Change {
    /// The position of the change among all changes of this file, from 0; keyed draws use it.
    ordinal: u64,
    kind: ChangeKind,
}

enum ChangeKind {
    Write { offset: u64, data: Box<[u8]> },
    SetLen(u64),
}

impl ChangeKind {
    fn bytes(&self) -> usize {
        match self {
            ChangeKind::Write { data, .. } => data.len(),
            ChangeKind::SetLen(_) => 0,
        }
    }

    /// The number of its bytes that a power off makes durable, given 64 uniform bits; `None` if the change is lost. A
    /// write that spans sector boundaries is lost, kept whole or cut at one of them, each with probability 1/3. A write
    /// within one sector, or a length change, is lost or kept whole, each with probability 1/2.
    fn surviving_bytes(&self, bits: u64) -> Option<usize> {
        let ChangeKind::Write { offset, data } = self else {
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

/// The effect of a power off on the unsynced changes of one file.
#[derive(Default)]
pub(super) struct Loss {
    /// Changes that were lost completely.
    pub(super) changes_lost: u64,
    /// Writes of which only a prefix became durable.
    pub(super) writes_torn: u64,
    /// Bytes of writes that did not become durable.
    pub(super) bytes_lost: u64,
}

/// The bytes of a file in the cache and in the durable state, and the changes in flight between the two.
///
/// Invariant until a sync fails: applying all changes in flight to the durable state, in order, gives the cache.
#[derive(Default)]
pub(super) struct FileData {
    cache: Pages,
    durable: Pages,
    in_flight: VecDeque<Change>,
    in_flight_bytes: usize,
    next_ordinal: u64,
}

impl FileData {
    /// The bytes that programs see.
    pub(super) fn cache(&self) -> &Pages {
        &self.cache
    }

    /// Writes all of `data` to the cache.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.cache.write(offset, data);
        self.push(ChangeKind::Write { offset, data: data.into() });
    }

    /// Sets the length in the cache, in bytes.
    pub(super) fn set_len(&mut self, len: u64) {
        if len == self.cache.len() {
            return;
        }
        self.cache.set_len(len);
        self.push(ChangeKind::SetLen(len));
    }

    fn push(&mut self, kind: ChangeKind) {
        self.in_flight_bytes += kind.bytes();
        self.in_flight.push_back(Change { ordinal: self.next_ordinal, kind });
        self.next_ordinal += 1;
        while self.in_flight_bytes > IN_FLIGHT_BYTES_MAX
            && let Some(oldest) = self.in_flight.pop_front()
        {
            self.in_flight_bytes -= oldest.kind.bytes();
            match oldest.kind {
                ChangeKind::Write { offset, data } => self.durable.write(offset, &data),
                ChangeKind::SetLen(len) => self.durable.set_len(len),
            }
        }
    }

    /// Makes the cache durable. The cost is proportional to the bytes written since the last sync.
    pub(super) fn sync(&mut self) {
        for change in self.in_flight.drain(..) {
            match change.kind {
                ChangeKind::Write { offset, data } => self.durable.share(&self.cache, offset, data.len()),
                ChangeKind::SetLen(len) => {
                    self.durable.drop_pages_past(len);
                    // Truncating zeroed the rest of the page that is now the last one.
                    self.durable.share(&self.cache, len, 1);
                }
            }
        }
        self.in_flight_bytes = 0;
        self.durable.len = self.cache.len;
    }

    /// Applies a failed sync: writes in flight count as clean from now on and stay only in the cache. A later sync
    /// makes them durable only if their page is written again. Returns the number of writes given up.
    pub(super) fn give_up_writes(&mut self) -> u64 {
        let before = self.in_flight.len();
        // Length changes stay in flight, because a file system's journal retries them.
        self.in_flight.retain(|change| matches!(change.kind, ChangeKind::SetLen(_)));
        self.in_flight_bytes = 0;
        (before - self.in_flight.len()) as u64
    }

    /// Makes the surviving parts of the changes in flight durable and discards the cache. `bits` gives 64 uniform bits
    /// for the ordinal of a change; with `None` no change survives.
    pub(super) fn power_off(&mut self, bits: Option<&dyn Fn(u64) -> u64>) -> Loss {
        let mut loss = Loss::default();
        for change in self.in_flight.drain(..) {
            let survives = bits.and_then(|bits| change.kind.surviving_bytes(bits(change.ordinal)));
            let Some(bytes) = survives else {
                loss.changes_lost += 1;
                loss.bytes_lost += change.kind.bytes() as u64;
                continue;
            };
            if bytes < change.kind.bytes() {
                loss.writes_torn += 1;
                loss.bytes_lost += (change.kind.bytes() - bytes) as u64;
            }
            match change.kind {
                ChangeKind::Write { offset, data } => self.durable.write(offset, &data[..bytes]),
                ChangeKind::SetLen(len) => self.durable.set_len(len),
            }
        }
        self.in_flight_bytes = 0;
        self.cache = self.durable.clone();
        loss
    }

    /// The number of bytes of the writes in flight.
    pub(super) fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_shares_pages_and_a_later_write_keeps_the_durable_state() {
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
    fn the_oldest_writes_become_durable_without_a_sync() {
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

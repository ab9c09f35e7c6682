//! The troubles that a disk can have for a while, and which calls they affect. Each trouble has a number, under
//! which its effects are counted.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::data::{DiskCall, DiskSpeed};
use crate::seed::Seed;

/// Linux's error number for an input or output error of the device (EIO).
const EIO: i32 = 5;

/// Linux's error number for a device without free space (ENOSPC), which std reports as `ErrorKind::StorageFull`.
const ENOSPC: i32 = 28;

/// One thing wrong with a disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// Calls fail with EIO, each with probability `rate`, by the draw `seed.decide_unit("disk error", &[host, call,
    /// ordinal])`: `call` is 0 for reads, 1 for writes and 2 for syncs, and `ordinal` counts the calls of that kind on
    /// this disk from 0. A failed call changes nothing, with one exception: as on Linux, a failed sync of a file marks
    /// its unsynced writes as clean, so that no later sync makes them durable unless they are written again. (The next
    /// sync does retry changes of lengths and names.)
    Errors {
        /// Which calls fail; `None` for all.
        call: Option<DiskCall>,
        /// Probability in `[0, 1]`.
        rate: f64,
    },
    /// The total length of all files cannot grow by more than `free_bytes`. Calls that would exceed this fail with
    /// ENOSPC and change nothing. Holes count as used space, shrinking a file frees space, and names take none.
    Full {
        /// The free bytes when the trouble begins.
        free_bytes: u64,
    },
    /// Each call takes this much longer.
    Slow(DiskSpeed),
    /// Each read of bytes returns one flipped bit with probability `rate`, by the draws
    /// `seed.decide_unit("disk flip", &[host, ordinal])` and, for the position of the bit,
    /// `seed.decide("flipped bit", &[host, ordinal])`. The cache and the durable state stay intact.
    Corruption {
        /// Probability in `[0, 1]`.
        rate: f64,
    },
    /// Syncs of files and directories succeed without doing anything. A later sync without this trouble makes
    /// everything durable.
    LostSyncs,
}

struct ActiveTrouble {
    number: u32,
    trouble: Trouble,
    /// The total length of all files when the trouble began.
    used_bytes: u64,
}

/// The active troubles of one disk, and how many calls each trouble has affected.
#[derive(Default)]
pub(super) struct Troubles {
    active: Vec<ActiveTrouble>,
    effects: BTreeMap<u32, u64>,
}

impl Troubles {
    /// Replaces the active troubles. A trouble that was already active under the same number continues unchanged.
    /// `used_bytes` is the total length of all files.
    pub(super) fn set(&mut self, troubles: &[(u32, Trouble)], used_bytes: u64) {
        let mut before = std::mem::take(&mut self.active);
        for (number, trouble) in troubles {
            match before.iter().position(|active| active.number == *number && active.trouble == *trouble) {
                Some(place) => self.active.push(before.swap_remove(place)),
                None => self.active.push(ActiveTrouble { number: *number, trouble: trouble.clone(), used_bytes }),
            }
        }
    }

    /// Adds a trouble unless one with this number is active. `used_bytes` is the total length of all files.
    pub(super) fn add(&mut self, number: u32, trouble: &Trouble, used_bytes: u64) {
        if self.active.iter().all(|active| active.number != number) {
            self.active.push(ActiveTrouble { number, trouble: trouble.clone(), used_bytes });
        }
    }

    /// Whether no trouble is active.
    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// How many calls each trouble has affected, by its number.
    pub(super) fn effects(&self) -> &BTreeMap<u32, u64> {
        &self.effects
    }

    fn count_effect(&mut self, number: u32) {
        *self.effects.entry(number).or_default() += 1;
    }

    /// How much longer a call takes than the disk's speed says.
    pub(super) fn delay(&mut self, call: DiskCall) -> Duration {
        let mut delay = Duration::ZERO;
        let mut slowed = Vec::new();
        for active in &self.active {
            if let Trouble::Slow(by) = &active.trouble {
                let by = by.duration_of(call);
                delay += by;
                slowed.extend((!by.is_zero()).then_some(active.number));
            }
        }
        slowed.into_iter().for_each(|number| self.count_effect(number));
        delay
    }

    /// Decides whether the `ordinal`-th call of its kind fails.
    ///
    /// # Errors
    /// EIO if it does.
    pub(super) fn check_for_error(&mut self, seed: Seed, host: u64, call: DiskCall, ordinal: u64) -> io::Result<()> {
        // The draw depends on the call and not on the trouble, so of two active troubles the higher rate decides.
        let draw = || seed.decide_unit("disk error", &[host, call as u64, ordinal]);
        let hit = self.active.iter().find(|active| match &active.trouble {
            Trouble::Errors { call: which, rate } => which.is_none_or(|which| which == call) && draw() < *rate,
            _ => false,
        });
        let Some(number) = hit.map(|active| active.number) else { return Ok(()) };
        self.count_effect(number);
        Err(io::Error::from_raw_os_error(EIO))
    }

    /// Checks that the total length of all files may change from `used_bytes` to `new_bytes`. Shrinking always may.
    ///
    /// # Errors
    /// ENOSPC if the disk is too full.
    pub(super) fn check_space(&mut self, used_bytes: u64, new_bytes: u64) -> io::Result<()> {
        if new_bytes <= used_bytes {
            return Ok(());
        }
        let hit = self.active.iter().find(|active| match &active.trouble {
            Trouble::Full { free_bytes } => new_bytes > active.used_bytes.saturating_add(*free_bytes),
            _ => false,
        });
        let Some(number) = hit.map(|active| active.number) else { return Ok(()) };
        self.count_effect(number);
        Err(io::Error::from_raw_os_error(ENOSPC))
    }

    /// Flips a bit in the bytes that the `ordinal`-th read returns, if a trouble and its draw say so.
    pub(super) fn corrupt(&mut self, seed: Seed, host: u64, ordinal: u64, out: &mut [u8]) {
        if out.is_empty() {
            return;
        }
        let draw = || seed.decide_unit("disk flip", &[host, ordinal]);
        let hit = self.active.iter().find(|active| match &active.trouble {
            Trouble::Corruption { rate } => draw() < *rate,
            _ => false,
        });
        let Some(number) = hit.map(|active| active.number) else { return };
        self.count_effect(number);
        let bit = seed.decide("flipped bit", &[host, ordinal]) % (out.len() as u64 * 8);
        out[(bit / 8) as usize] ^= 1 << (bit % 8);
    }

    /// Whether a sync succeeds without doing anything; counts the effect if so.
    pub(super) fn loses_sync(&mut self) -> bool {
        let hit = self.active.iter().find(|active| active.trouble == Trouble::LostSyncs).map(|active| active.number);
        hit.into_iter().for_each(|number| self.count_effect(number));
        hit.is_some()
    }
}

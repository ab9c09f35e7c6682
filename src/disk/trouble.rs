//! What can be wrong with a disk for a while, and which calls meet it. It knows nothing of files and of hosts, and of plans
//! only that each trouble has a number.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::data::{DiskCall, DiskSpeed};
use crate::seed::Seed;

/// Linux's number of the error of a device that failed a call (EIO).
const EIO: i32 = 5;

/// Linux's number of the error that no space is left (ENOSPC), which std shows as `ErrorKind::StorageFull`.
const ENOSPC: i32 = 28;

/// One thing that is wrong with a disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// Calls fail with EIO, each with probability `rate`, by the draw `seed.decide_unit("disk error", &[host, call,
    /// ordinal])`: `call` is 0 for reads, 1 for writes and 2 for syncs, and `ordinal` counts the calls of that sort on this
    /// disk from 0. A failed call changes nothing but for this: as on Linux, a failed sync of a file marks what was to be
    /// written as clean, so that no later sync brings it to the durable state unless it is written again. (Changes of a length,
    /// and of names, are tried again.)
    Errors {
        /// Which calls; none stands for all.
        call: Option<DiskCall>,
        /// Probability in `[0, 1]`.
        rate: f64,
    },
    /// Files cannot grow by more than this in all, whatever had the space before; calls that would make them grow further
    /// fail with ENOSPC and change nothing. Holes count, and what shrinks makes room. Names take no space.
    Full {
        /// How many bytes are left when it begins.
        free_bytes: u64,
    },
    /// Each call takes so much longer.
    Slow(DiskSpeed),
    /// Each read of bytes has one bit flipped in what it returns, with probability `rate`, by the draws
    /// `seed.decide_unit("disk flip", &[host, ordinal])` and, for the bit, `seed.decide("flipped bit", &[host, ordinal])`.
    /// Cache and durable state stay right.
    Corruption {
        /// Probability in `[0, 1]`.
        rate: f64,
    },
    /// Syncs of files and directories do nothing and say that all is well. A later sync without this trouble brings all.
    LostSyncs,
}

struct Acting {
    number: u32,
    trouble: Trouble,
    /// The length of all files together when it began.
    used_bytes: u64,
}

/// What is wrong with one disk, and how often each of it was met.
#[derive(Default)]
pub(super) struct Troubles {
    acting: Vec<Acting>,
    effects: BTreeMap<u32, u64>,
}

impl Troubles {
    /// Replaces what is wrong. A trouble whose number was there goes on as it is. `used_bytes`: the length of all files.
    pub(super) fn set(&mut self, troubles: &[(u32, Trouble)], used_bytes: u64) {
        let mut before = std::mem::take(&mut self.acting);
        for (number, trouble) in troubles {
            match before.iter().position(|acting| acting.number == *number && acting.trouble == *trouble) {
                Some(place) => self.acting.push(before.swap_remove(place)),
                None => self.acting.push(Acting { number: *number, trouble: trouble.clone(), used_bytes }),
            }
        }
    }

    /// One thing more is wrong, unless it is already. `used_bytes`: the length of all files.
    pub(super) fn add(&mut self, number: u32, trouble: &Trouble, used_bytes: u64) {
        if self.acting.iter().all(|acting| acting.number != number) {
            self.acting.push(Acting { number, trouble: trouble.clone(), used_bytes });
        }
    }

    /// Whether all is well.
    pub(super) fn is_empty(&self) -> bool {
        self.acting.is_empty()
    }

    /// How often each trouble was met by a call, by its number.
    pub(super) fn effects(&self) -> &BTreeMap<u32, u64> {
        &self.effects
    }

    fn effect(&mut self, number: u32) {
        *self.effects.entry(number).or_default() += 1;
    }

    /// How much longer a call takes.
    pub(super) fn delay(&mut self, call: DiskCall) -> Duration {
        let mut delay = Duration::ZERO;
        let mut slowed = Vec::new();
        for acting in &self.acting {
            if let Trouble::Slow(by) = &acting.trouble {
                let by = by.of(call);
                delay += by;
                slowed.extend((!by.is_zero()).then_some(acting.number));
            }
        }
        slowed.into_iter().for_each(|number| self.effect(number));
        delay
    }

    /// Whether the `ordinal`-th call of its sort fails.
    pub(super) fn meet(&mut self, seed: Seed, host: u64, call: DiskCall, ordinal: u64) -> io::Result<()> {
        // The luck of a call is its own: of two troubles at a time, the one with the higher rate decides.
        let luck = || seed.decide_unit("disk error", &[host, call as u64, ordinal]);
        let met = self.acting.iter().find(|acting| match &acting.trouble {
            Trouble::Errors { call: which, rate } => which.is_none_or(|which| which == call) && luck() < *rate,
            _ => false,
        });
        let Some(number) = met.map(|acting| acting.number) else { return Ok(()) };
        self.effect(number);
        Err(io::Error::from_raw_os_error(EIO))
    }

    /// Whether files that have `used_bytes` in all, and no more than before, may grow to `wanted_bytes` in all.
    pub(super) fn grow(&mut self, used_bytes: u64, wanted_bytes: u64) -> io::Result<()> {
        if wanted_bytes <= used_bytes {
            return Ok(());
        }
        let met = self.acting.iter().find(|acting| match &acting.trouble {
            Trouble::Full { free_bytes } => wanted_bytes > acting.used_bytes.saturating_add(*free_bytes),
            _ => false,
        });
        let Some(number) = met.map(|acting| acting.number) else { return Ok(()) };
        self.effect(number);
        Err(io::Error::from_raw_os_error(ENOSPC))
    }

    /// Flips a bit of what the `ordinal`-th read returns, or does not.
    pub(super) fn corrupt(&mut self, seed: Seed, host: u64, ordinal: u64, out: &mut [u8]) {
        if out.is_empty() {
            return;
        }
        let luck = || seed.decide_unit("disk flip", &[host, ordinal]);
        let met = self.acting.iter().find(|acting| match &acting.trouble {
            Trouble::Corruption { rate } => luck() < *rate,
            _ => false,
        });
        let Some(number) = met.map(|acting| acting.number) else { return };
        self.effect(number);
        let bit = seed.decide("flipped bit", &[host, ordinal]) % (out.len() as u64 * 8);
        out[(bit / 8) as usize] ^= 1 << (bit % 8);
    }

    /// Whether a sync does nothing and says that it did.
    pub(super) fn loses_sync(&mut self) -> bool {
        let met = self.acting.iter().find(|acting| acting.trouble == Trouble::LostSyncs).map(|acting| acting.number);
        met.into_iter().for_each(|number| self.effect(number));
        met.is_some()
    }
}

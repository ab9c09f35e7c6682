//! Tables with a fixed hash: interned values, and the configurations that a search has been in. They know nothing of
//! models and histories.

use std::hash::{Hash, Hasher};

/// No item.
pub(super) const NONE: u32 = u32::MAX;

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash without a key: the same in every process, so that a search takes the same way every time.
#[derive(Default)]
struct FixedHasher(u64);

impl FixedHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.add(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.add(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }

    fn finish(&self) -> u64 {
        // The low bits choose a place in the table, and a product's low bits depend on few of its factors'.
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(FACTOR);
        mixed ^ (mixed >> 29)
    }
}

fn hash_of(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = FixedHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Where items of a list are found by their hash: open addressing, at most half full.
struct Index {
    places: Vec<u32>,
}

impl Index {
    fn new() -> Index {
        Index { places: vec![NONE; 64] }
    }

    /// The item that `is_it` recognises, or the free place where it belongs.
    fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Result<u32, usize> {
        let last = self.places.len() - 1;
        let mut place = hash as usize & last;
        loop {
            match self.places[place] {
                NONE => return Err(place),
                item if is_it(item) => return Ok(item),
                _ => place = (place + 1) & last,
            }
        }
    }

    /// Puts the item numbered `item`, the last of `item + 1`, into its place, and makes room for more.
    fn put(&mut self, place: usize, item: u32, hash: impl Fn(u32) -> u64) {
        self.places[place] = item;
        if (item as usize + 1) * 2 > self.places.len() {
            self.places = vec![NONE; self.places.len() * 4];
            for item in 0..=item {
                if let Err(place) = self.find(hash(item), |_| false) {
                    self.places[place] = item;
                }
            }
        }
    }
}

/// Gives equal values the same number, counted from 0.
pub(in crate::check) struct Interner<T> {
    values: Vec<T>,
    hashes: Vec<u64>,
    index: Index,
}

impl<T: Eq + Hash> Interner<T> {
    pub(in crate::check) fn new() -> Interner<T> {
        Interner { values: Vec::new(), hashes: Vec::new(), index: Index::new() }
    }

    pub(in crate::check) fn intern(&mut self, value: T) -> u32 {
        let hash = hash_of(&value);
        let (values, hashes) = (&self.values, &self.hashes);
        let is_it = |item: u32| hashes[item as usize] == hash && values[item as usize] == value;
        match self.index.find(hash, is_it) {
            Ok(item) => item,
            Err(place) => {
                let item = self.values.len() as u32;
                self.values.push(value);
                self.hashes.push(hash);
                let hashes = &self.hashes;
                self.index.put(place, item, |item| hashes[item as usize]);
                item
            }
        }
    }

    pub(in crate::check) fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    /// How many values have a number.
    pub(in crate::check) fn count(&self) -> usize {
        self.values.len()
    }
}

/// Whether all bits of `small` are set in `large`; both have the same length.
fn is_subset(small: &[u64], large: &[u64]) -> bool {
    small.iter().zip(large).all(|(small, large)| small & !large == 0)
}

/// A configuration of a search but for its unknown operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key<const W: usize> {
    pub(super) frontier: u32,
    pub(super) state: u32,
    /// The slots whose operations are called but not yet ordered.
    pub(super) pending: [u64; W],
}

/// A configuration that was visited with the unknown operations `used`; `next` was visited with others.
struct Visit<const W: usize> {
    key: Key<W>,
    used: u32,
    next: u32,
}

/// The configurations that were visited, with an antichain of sets of unknown operations for each.
pub(super) struct Visited<const W: usize> {
    visits: Vec<Visit<W>>,
    index: Index,
    /// The visits that begin a chain, in the order of the index's items.
    firsts: Vec<u32>,
    sets: Interner<Box<[u64]>>,
    supersets: bool,
}

impl<const W: usize> Visited<W> {
    /// For searches with `unknowns` unknown operations. With `supersets`, a configuration counts as visited if it was
    /// visited with a part of its unknown operations: what is impossible with more of them left to use stays impossible.
    pub(super) fn new(unknowns: usize, supersets: bool) -> Visited<W> {
        let mut sets = Interner::new();
        sets.intern(vec![0; unknowns.div_ceil(64)].into_boxed_slice());
        Visited { visits: Vec::new(), index: Index::new(), firsts: Vec::new(), sets, supersets }
    }

    /// The number of the empty set.
    pub(super) const NOTHING_USED: u32 = 0;

    pub(super) fn is_used(&self, set: u32, unknown: u32) -> bool {
        self.sets.get(set)[unknown as usize / 64] >> (unknown % 64) & 1 == 1
    }

    /// The number of the set with one more.
    pub(super) fn with(&mut self, set: u32, unknown: u32) -> u32 {
        let mut larger = self.sets.get(set).clone();
        larger[unknown as usize / 64] |= 1 << (unknown % 64);
        self.sets.intern(larger)
    }

    /// Whether this configuration is new; from now on it is not.
    pub(super) fn is_new(&mut self, key: Key<W>, used: u32) -> bool {
        let (visits, firsts) = (&self.visits, &self.firsts);
        match self.index.find(hash_of(&key), |item| visits[firsts[item as usize] as usize].key == key) {
            Ok(item) => self.is_new_to_chain(item, key, used),
            Err(place) => {
                let item = self.firsts.len() as u32;
                self.firsts.push(self.visits.len() as u32);
                self.visits.push(Visit { key, used, next: NONE });
                let (visits, firsts) = (&self.visits, &self.firsts);
                self.index.put(place, item, |item| hash_of(&visits[firsts[item as usize] as usize].key));
                true
            }
        }
    }

    fn is_new_to_chain(&mut self, item: u32, key: Key<W>, used: u32) -> bool {
        let first = self.firsts[item as usize];
        let mut at = first;
        while at != NONE {
            let visit = &self.visits[at as usize];
            let covers = self.supersets && is_subset(self.sets.get(visit.used), self.sets.get(used));
            if visit.used == used || covers {
                return false;
            }
            at = visit.next;
        }
        // Sets that contain the new one say nothing any more.
        let mut kept = NONE;
        at = first;
        while at != NONE {
            let Visit { used: other, next, .. } = self.visits[at as usize];
            if !self.supersets || !is_subset(self.sets.get(used), self.sets.get(other)) {
                self.visits[at as usize].next = kept;
                kept = at;
            }
            at = next;
        }
        self.firsts[item as usize] = self.visits.len() as u32;
        self.visits.push(Visit { key, used, next: kept });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_number() {
        let mut interner = Interner::new();
        for round in 0..2 {
            for number in 0..1_000_u32 {
                assert_eq!(interner.intern(format!("value {number}")), number, "round {round}");
            }
        }
        assert_eq!(interner.get(17), "value 17");
    }

    #[test]
    fn supersets_of_what_was_visited_are_not_new() {
        for supersets in [true, false] {
            let mut visited = Visited::<1>::new(70, supersets);
            let key = Key { frontier: 3, state: 1, pending: [5] };
            let empty = Visited::<1>::NOTHING_USED;
            let last = visited.with(empty, 69);
            let both = visited.with(last, 0);
            let other = visited.with(empty, 1);
            assert!(visited.is_used(both, 69) && visited.is_used(both, 0) && !visited.is_used(both, 1));
            assert!(visited.is_new(key, last));
            assert!(!visited.is_new(key, last));
            assert_eq!(visited.is_new(key, both), !supersets);
            assert!(visited.is_new(key, other));
            assert!(visited.is_new(Key { state: 2, ..key }, last), "another state");
            assert!(visited.is_new(key, empty));
            assert!(!visited.is_new(key, other), "it was visited");
        }
    }

    #[test]
    fn many_configurations_are_told_apart() {
        let mut visited = Visited::<4>::new(0, true);
        let key = |number: u32| Key { frontier: number / 7, state: number % 7, pending: [0, u64::from(number), 0, 1] };
        assert!((0..5_000).all(|number| visited.is_new(key(number), 0)));
        assert!((0..5_000).all(|number| !visited.is_new(key(number), 0)));
    }
}

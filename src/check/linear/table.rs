//! Tables with a fixed hash function: interned values, and the configurations that a search has visited.

use std::hash::{Hash, Hasher};

/// Stands for no item.
pub(super) const NONE: u32 = u32::MAX;

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hasher without a random key: hashes are the same in every process, so that every search takes the same path.
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
        // The low bits choose a place in the table, but the low bits of a product depend only on the low bits of its
        // factors.
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(FACTOR);
        mixed ^ (mixed >> 29)
    }
}

fn hash_of(value: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = FixedHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Finds items of a list by their hash, by open addressing in a table that is at most half full.
struct Index {
    places: Vec<u32>,
}

impl Index {
    fn new() -> Index {
        Index { places: vec![NONE; 64] }
    }

    /// Returns the item for which `is_match` is true, or the free place where it belongs.
    fn find(&self, hash: u64, mut is_match: impl FnMut(u32) -> bool) -> Result<u32, usize> {
        let last = self.places.len() - 1;
        let mut place = hash as usize & last;
        loop {
            match self.places[place] {
                NONE => return Err(place),
                item if is_match(item) => return Ok(item),
                _ => place = (place + 1) & last,
            }
        }
    }

    /// Puts `item`, which is the last item, into its place, and grows the table if it is more than half full.
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

/// Numbers values from 0; equal values have the same number.
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
        let is_match = |item: u32| hashes[item as usize] == hash && values[item as usize] == value;
        match self.index.find(hash, is_match) {
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

    /// How many different values there are.
    pub(in crate::check) fn count(&self) -> usize {
        self.values.len()
    }
}

/// Whether all bits of `small` are set in `large`; both have the same length.
fn is_subset(small: &[u64], large: &[u64]) -> bool {
    small.iter().zip(large).all(|(small, large)| small & !large == 0)
}

/// A configuration of a search, without its unknown operations.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key<const W: usize> {
    pub(super) frontier: u32,
    pub(super) state: u32,
    /// The slots whose operations are called but not yet ordered.
    pub(super) pending: [u64; W],
}

/// A visit to a configuration with the unknown operations `used`. `next` is a visit to the same configuration with
/// others.
struct Visit<const W: usize> {
    key: Key<W>,
    used: u32,
    next: u32,
}

/// The visited configurations, each with an antichain of sets of used unknown operations.
pub(super) struct Visited<const W: usize> {
    visits: Vec<Visit<W>>,
    index: Index,
    /// The first visit of each chain, in the order of the items of `index`.
    firsts: Vec<u32>,
    sets: Interner<Box<[u64]>>,
    supersets: bool,
}

impl<const W: usize> Visited<W> {
    /// For a search with `unknowns` unknown operations. With `supersets`, a configuration counts as visited if it was
    /// visited with a subset of its used unknown operations: it failed with more of them left to use.
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

    /// The number of the set with one more operation.
    pub(super) fn with(&mut self, set: u32, unknown: u32) -> u32 {
        let mut larger = self.sets.get(set).clone();
        larger[unknown as usize / 64] |= 1 << (unknown % 64);
        self.sets.intern(larger)
    }

    /// Adds this configuration, and returns whether it was new.
    pub(super) fn insert(&mut self, key: Key<W>, used: u32) -> bool {
        let (visits, firsts) = (&self.visits, &self.firsts);
        match self.index.find(hash_of(&key), |item| visits[firsts[item as usize] as usize].key == key) {
            Ok(item) => self.insert_into_chain(item, key, used),
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

    fn insert_into_chain(&mut self, item: u32, key: Key<W>, used: u32) -> bool {
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
        // Sets that contain the new one have become redundant.
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
    fn supersets_of_visited_sets_are_not_new() {
        for supersets in [true, false] {
            let mut visited = Visited::<1>::new(70, supersets);
            let key = Key { frontier: 3, state: 1, pending: [5] };
            let empty = Visited::<1>::NOTHING_USED;
            let last = visited.with(empty, 69);
            let both = visited.with(last, 0);
            let other = visited.with(empty, 1);
            assert!(visited.is_used(both, 69) && visited.is_used(both, 0) && !visited.is_used(both, 1));
            assert!(visited.insert(key, last));
            assert!(!visited.insert(key, last));
            assert_eq!(visited.insert(key, both), !supersets);
            assert!(visited.insert(key, other));
            assert!(visited.insert(Key { state: 2, ..key }, last), "another state");
            assert!(visited.insert(key, empty));
            assert!(!visited.insert(key, other), "it was visited");
        }
    }

    #[test]
    fn many_configurations_are_distinguished() {
        let mut visited = Visited::<4>::new(0, true);
        let key = |number: u32| Key { frontier: number / 7, state: number % 7, pending: [0, u64::from(number), 0, 1] };
        assert!((0..5_000).all(|number| visited.insert(key(number), 0)));
        assert!((0..5_000).all(|number| !visited.insert(key(number), 0)));
    }
}

//! The disk against a simple model: full copies of every file, and a list of unsynced changes.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use squall::disk::{DiskImage, OpenOptions};
use squall::internal::alive::AliveFlag;
use squall::prelude::Seed;

use super::{attach, contents};

const HOST: u64 = 5;
const DIRECTORIES: [&str; 2] = ["", "d"];
const PATHS: [&str; 4] = ["a", "b", "d/a", "d/b"];

#[derive(Clone, Debug)]
enum Step {
    Create(&'static str),
    Write(&'static str, u64, usize),
    SetLen(&'static str, u64),
    Sync(&'static str),
    SyncDirectory(&'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
    Kill,
    PowerOff,
}

fn step() -> impl Strategy<Value = Step> {
    let path = || prop::sample::select(&PATHS[..]);
    prop_oneof![
        4 => path().prop_map(Step::Create),
        8 => (path(), 0..9000_u64, 0..6000_usize).prop_map(|(path, offset, len)| Step::Write(path, offset, len)),
        3 => (path(), 0..14_000_u64).prop_map(|(path, len)| Step::SetLen(path, len)),
        4 => path().prop_map(Step::Sync),
        4 => prop::sample::select(&DIRECTORIES[..]).prop_map(Step::SyncDirectory),
        1 => path().prop_map(Step::Remove),
        2 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => Just(Step::Kill),
        2 => Just(Step::PowerOff),
    ]
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(offset, data) if !data.is_empty() => {
                bytes.resize(bytes.len().max(offset + data.len()), 0);
                bytes[*offset..offset + data.len()].copy_from_slice(data);
            }
            Change::Write(..) => {}
            Change::SetLen(len) => bytes.resize(*len, 0),
        }
    }

    /// The part of the change that survives, by the rule that `DiskImage::power_off` documents.
    fn surviving_part(&self, bits: u64) -> Option<Change> {
        let Change::Write(offset, data) = self else {
            return (bits % 2 == 1).then(|| self.clone());
        };
        let cuts: Vec<usize> = (1..data.len()).filter(|len| (offset + len) % 512 == 0).collect();
        match if cuts.is_empty() { bits % 2 } else { bits % 3 } {
            0 => None,
            1 => Some(self.clone()),
            _ => Some(Change::Write(*offset, data[..cuts[(bits / 3) as usize % cuts.len()]].to_vec())),
        }
    }
}

#[derive(Clone, Default)]
struct ModelFile {
    cache: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(u64, Change)>,
    changes: u64,
}

impl ModelFile {
    fn change(&mut self, change: Change) {
        let before = self.cache.len();
        change.apply(&mut self.cache);
        // A call that changes nothing is not counted as a change.
        let counts = match &change {
            Change::Write(_, data) => !data.is_empty(),
            Change::SetLen(len) => *len != before,
        };
        if counts {
            self.unsynced.push((self.changes, change));
            self.changes += 1;
        }
    }
}

struct Model {
    files: BTreeMap<u64, ModelFile>,
    cache: BTreeMap<&'static str, u64>,
    durable: BTreeMap<&'static str, u64>,
    next_file: u64,
    power_offs: u64,
}

impl Model {
    fn new() -> Model {
        // The root is 0, and the directory `d` is 1.
        Model { files: BTreeMap::new(), cache: BTreeMap::new(), durable: BTreeMap::new(), next_file: 2, power_offs: 0 }
    }

    fn file(&mut self, path: &str) -> Option<&mut ModelFile> {
        self.files.get_mut(self.cache.get(path)?)
    }

    fn step(&mut self, seed: Seed, step: &Step, fill: u8) {
        match *step {
            Step::Create(path) => {
                if self.file(path).is_none() {
                    self.cache.insert(path, self.next_file);
                    self.files.insert(self.next_file, ModelFile::default());
                    self.next_file += 1;
                }
            }
            Step::Write(path, offset, len) => {
                self.file(path).into_iter().for_each(|f| f.change(Change::Write(offset as usize, vec![fill; len])));
            }
            Step::SetLen(path, len) => {
                self.file(path).into_iter().for_each(|f| f.change(Change::SetLen(len as usize)));
            }
            Step::Sync(path) => self.file(path).into_iter().for_each(|f| {
                f.durable = f.cache.clone();
                f.unsynced.clear();
            }),
            Step::SyncDirectory(directory) => {
                let inside = |path: &str| path.contains('/') != directory.is_empty();
                self.durable.retain(|path, _| !inside(path));
                self.durable.extend(self.cache.iter().filter(|(path, _)| inside(path)));
            }
            Step::Remove(path) => drop(self.cache.remove(path)),
            Step::Rename(from, to) => {
                if self.cache.contains_key(from) && self.cache.get(from) != self.cache.get(to) {
                    let file = self.cache.remove(from).unwrap();
                    self.cache.insert(to, file);
                }
            }
            Step::Kill => {}
            Step::PowerOff => self.power_off(seed),
        }
    }

    fn power_off(&mut self, seed: Seed) {
        self.cache = self.durable.clone();
        for (ordinal, file) in &mut self.files {
            for (change_ordinal, change) in file.unsynced.drain(..) {
                let bits = seed.decide("tear", &[HOST, self.power_offs, *ordinal, change_ordinal]);
                change.surviving_part(bits).into_iter().for_each(|change| change.apply(&mut file.durable));
            }
            file.cache = file.durable.clone();
        }
        self.power_offs += 1;
    }
}

/// Takes the step on the real disk. A failed call must change nothing, which the comparison checks.
fn take_step(image: &DiskImage, step: &Step, fill: u8) {
    let disk = attach(image);
    let open = |path: &str| disk.open(path, OpenOptions::default());
    match *step {
        Step::Create(path) => drop(disk.open(path, OpenOptions::create()).unwrap()),
        Step::Write(path, offset, len) => {
            open(path).into_iter().for_each(|f| f.write_at(offset, &vec![fill; len]).unwrap());
        }
        Step::SetLen(path, len) => open(path).into_iter().for_each(|f| f.set_len(len).unwrap()),
        Step::Sync(path) => open(path).into_iter().for_each(|f| f.sync_data().unwrap()),
        Step::SyncDirectory(directory) => disk.sync_directory(directory).unwrap(),
        Step::Remove(path) => drop(disk.remove(path)),
        Step::Rename(from, to) => drop(disk.rename(from, to)),
        Step::Kill => image.kill(),
        Step::PowerOff => image.power_off(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_behaves_like_its_model(seed: u64, steps in vec(step(), 1..80)) {
        let seed = Seed(seed);
        let image = DiskImage::new(seed, HOST);
        let disk = image.attach(AliveFlag::new());
        disk.create_dir_all("d").unwrap();
        disk.sync_directory("").unwrap();
        let mut model = Model::new();
        // A final power off exposes the durable state.
        for (i, step) in steps.iter().chain([&Step::PowerOff]).enumerate() {
            let fill = (i % 255) as u8 + 1;
            take_step(&image, step, fill);
            model.step(seed, step, fill);
            let disk = attach(&image);
            for path in PATHS {
                let expected = model.file(path).map(|f| &f.cache);
                prop_assert!(contents(&disk, path).as_ref() == expected, "{path} differs after step {i}: {step:?}");
            }
        }
    }
}

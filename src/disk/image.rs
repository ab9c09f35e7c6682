//! The names and files of one simulated disk and what a crash does to them. It knows nothing of latencies, and of gates
//! only that the lock of a dead program is void.
//!
//! A directory holds its entries twice, as the cache and as the durable state have them, as a file does with its bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

use super::data::{DiskCall, DiskCounters, DiskSpeed, OpenOptions};
use super::pages::FileData;
use super::trouble::Troubles;
use crate::alive::AliveFlag;
use crate::seed::Seed;

const ROOT: u64 = 0;

/// Entries by name; what they name is found by its ordinal.
type Entries = BTreeMap<String, u64>;

#[derive(Default)]
pub(super) struct Directory {
    cache: Entries,
    durable: Entries,
}

pub(super) enum Node {
    File(FileData),
    Directory(Directory),
}

struct Lock {
    file: u64,
    handle: u64,
    exclusive: bool,
    /// A lock is void once the program that took it is dead.
    alive: AliveFlag,
}

/// All that is on one disk. Files and directories are known by their ordinal: the how-many-th that was created on it.
pub(super) struct Image {
    pub(super) seed: Seed,
    pub(super) host: u64,
    pub(super) nodes: BTreeMap<u64, Node>,
    next_ordinal: u64,
    /// Which file each open handle is for: a file that was removed lives as long as one of them.
    handles: BTreeMap<u64, u64>,
    next_handle: u64,
    locks: Vec<Lock>,
    /// Counts kills and power offs: a handle from an earlier life is dead, whatever its gate says.
    pub(super) life: u64,
    pub(super) speed: DiskSpeed,
    pub(super) tearing: bool,
    pub(super) observer: Option<Arc<dyn Fn(DiskCall) + Send + Sync>>,
    pub(super) counters: DiskCounters,
    pub(super) troubles: Troubles,
}

impl Image {
    pub(super) fn new(seed: Seed, host: u64) -> Image {
        Image {
            seed,
            host,
            nodes: BTreeMap::from([(ROOT, Node::Directory(Directory::default()))]),
            next_ordinal: ROOT + 1,
            handles: BTreeMap::new(),
            next_handle: 0,
            locks: Vec::new(),
            life: 0,
            speed: DiskSpeed::default(),
            tearing: true,
            observer: None,
            counters: DiskCounters::default(),
            troubles: Troubles::default(),
        }
    }

    /// Ends the life of the programs on this machine; all that they wrote is kept.
    pub(super) fn kill(&mut self) {
        self.life += 1;
        self.counters.kills += 1;
        self.locks.clear();
        self.handles.clear();
        self.sweep();
    }

    /// Leaves what is on the durable state and, if tearing is on, what keyed draws save of the writes in flight.
    pub(super) fn power_off(&mut self) {
        let power_off = self.counters.power_offs;
        self.life += 1;
        self.counters.power_offs += 1;
        self.locks.clear();
        self.handles.clear();
        for node in self.nodes.values_mut() {
            if let Node::Directory(directory) = node {
                self.counters.entries_lost += differences(&directory.cache, &directory.durable);
                directory.cache = directory.durable.clone();
            }
        }
        // What no synced entry names is gone before its writes are judged.
        for node in self.sweep() {
            if let Node::File(file) = node {
                self.counters.files_lost += 1;
                self.counters.bytes_lost += file.in_flight_bytes();
            }
        }
        for (ordinal, node) in &mut self.nodes {
            if let Node::File(file) = node {
                let bits = |change: u64| self.seed.decide("tear", &[self.host, power_off, *ordinal, change]);
                let loss = file.power_off(self.tearing.then_some(&bits));
                self.counters.changes_lost += loss.changes_lost;
                self.counters.writes_torn += loss.writes_torn;
                self.counters.bytes_lost += loss.bytes_lost;
            }
        }
    }

    /// Opens a file: the ordinals of the new handle and of the file.
    pub(super) fn open(&mut self, path: &Path, options: OpenOptions) -> io::Result<(u64, u64)> {
        let (parent, name) = self.parent(path)?;
        let file = match self.directory(parent)?.cache.get(&name).copied() {
            Some(_) if options.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
            Some(ordinal) => ordinal,
            None if options.create || options.create_new => {
                let ordinal = self.add(Node::File(FileData::default()));
                self.directory(parent)?.cache.insert(name, ordinal);
                ordinal
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        let data = self.file(file)?;
        if options.truncate {
            data.set_len(0);
        }
        let handle = self.next_handle;
        self.next_handle += 1;
        self.handles.insert(handle, file);
        Ok((handle, file))
    }

    /// Forgets a handle and its lock.
    pub(super) fn close(&mut self, handle: u64) {
        self.handles.remove(&handle);
        self.unlock(handle);
    }

    /// The file of an ordinal.
    ///
    /// # Errors
    /// `IsADirectory`, or `NotFound` if a power off took the file.
    pub(super) fn file(&mut self, ordinal: u64) -> io::Result<&mut FileData> {
        match self.nodes.get_mut(&ordinal) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Directory(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn directory(&mut self, ordinal: u64) -> io::Result<&mut Directory> {
        match self.nodes.get_mut(&ordinal) {
            Some(Node::Directory(directory)) => Ok(directory),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The ordinal of the file or directory at `path`.
    pub(super) fn find(&mut self, path: &Path) -> io::Result<u64> {
        self.walk(&names(path)?)
    }

    fn walk(&mut self, names: &[String]) -> io::Result<u64> {
        names.iter().try_fold(ROOT, |at, name| {
            self.directory(at)?.cache.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    /// The directory in which `path` is or would be an entry, and the name of the entry.
    fn parent(&mut self, path: &Path) -> io::Result<(u64, String)> {
        let mut names = names(path)?;
        let name = names.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = self.walk(&names)?;
        self.directory(parent)?;
        Ok((parent, name))
    }

    fn add(&mut self, node: Node) -> u64 {
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        self.nodes.insert(ordinal, node);
        ordinal
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let ordinal = self.find(path)?;
        self.file(ordinal)?;
        self.directory(parent)?.cache.remove(&name);
        self.sweep();
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_parent, from_name) = self.parent(from)?;
        let (to_parent, to_name) = self.parent(to)?;
        let ordinal = self.find(from)?;
        if !matches!(self.nodes[&ordinal], Node::File(_)) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this disk renames files, not directories"));
        }
        if let Ok(replaced) = self.find(to) {
            if replaced == ordinal {
                // Two names of one file both stay, as POSIX has it.
                return Ok(());
            }
            self.file(replaced)?;
        }
        self.directory(from_parent)?.cache.remove(&from_name);
        self.directory(to_parent)?.cache.insert(to_name, ordinal);
        self.sweep();
        Ok(())
    }

    pub(super) fn list(&mut self, path: &Path) -> io::Result<Vec<String>> {
        let ordinal = self.find(path)?;
        Ok(self.directory(ordinal)?.cache.keys().cloned().collect())
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut at = ROOT;
        for name in names(path)? {
            at = match self.directory(at)?.cache.get(&name) {
                Some(ordinal) => *ordinal,
                None => {
                    let ordinal = self.add(Node::Directory(Directory::default()));
                    self.directory(at)?.cache.insert(name, ordinal);
                    ordinal
                }
            };
        }
        self.directory(at).map(drop)
    }

    pub(super) fn sync_directory(&mut self, path: &Path) -> io::Result<()> {
        let ordinal = self.find(path)?;
        self.meet(DiskCall::Sync)?;
        if self.troubles.loses_sync() {
            return Ok(());
        }
        let directory = self.directory(ordinal)?;
        directory.durable = directory.cache.clone();
        self.sweep();
        Ok(())
    }

    /// Takes a lock on the whole file for the handle, unless another handle of a living program has one that
    /// conflicts. A lock that the handle already has is replaced.
    pub(super) fn try_lock(&mut self, handle: u64, file: u64, exclusive: bool, alive: &AliveFlag) -> bool {
        self.locks.retain(|lock| lock.alive.is_set());
        let conflicts = |lock: &Lock| lock.file == file && lock.handle != handle && (exclusive || lock.exclusive);
        if self.locks.iter().any(conflicts) {
            return false;
        }
        self.unlock(handle);
        self.locks.push(Lock { file, handle, exclusive, alive: alive.clone() });
        true
    }

    pub(super) fn unlock(&mut self, handle: u64) {
        self.locks.retain(|lock| lock.handle != handle);
    }

    /// Takes out what no entry, on the cache or the durable state, and no handle leads to.
    fn sweep(&mut self) -> Vec<Node> {
        let mut reached = BTreeSet::new();
        let mut ahead: Vec<u64> = self.handles.values().copied().chain([ROOT]).collect();
        while let Some(ordinal) = ahead.pop() {
            if reached.insert(ordinal)
                && let Some(Node::Directory(directory)) = self.nodes.get(&ordinal)
            {
                ahead.extend(directory.cache.values().chain(directory.durable.values()));
            }
        }
        let gone: Vec<u64> = self.nodes.keys().copied().filter(|ordinal| !reached.contains(ordinal)).collect();
        gone.iter().filter_map(|ordinal| self.nodes.remove(ordinal)).collect()
    }
}

/// How many names lead elsewhere, or exist in only one of two directories.
fn differences(cache: &Entries, durable: &Entries) -> u64 {
    let changed = cache.iter().filter(|(name, ordinal)| durable.get(*name) != Some(ordinal)).count();
    let removed = durable.keys().filter(|name| !cache.contains_key(*name)).count();
    (changed + removed) as u64
}

/// The names along a path. A relative path starts at the root, as a program has no working directory here.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                let name = name.to_str().ok_or(io::ErrorKind::InvalidInput)?;
                names.push(name.to_owned());
            }
            Component::ParentDir | Component::Prefix(_) => return Err(io::ErrorKind::InvalidInput.into()),
        }
    }
    Ok(names)
}

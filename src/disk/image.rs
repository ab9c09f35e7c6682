//! The names, files and locks of one simulated disk, and the effect of kills and power offs on them.
//!
//! A directory holds its entries twice, once for the cache and once for the durable state, as a file holds its bytes.

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

/// The ordinals of files and directories, by name.
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
    /// The lock is void once the program that took it is dead.
    alive: AliveFlag,
}

/// The whole state of one disk. Ordinals number files and directories in the order in which they were created.
pub(super) struct Image {
    pub(super) seed: Seed,
    pub(super) host: u64,
    pub(super) nodes: BTreeMap<u64, Node>,
    next_ordinal: u64,
    /// The file of each open handle. A removed file exists for as long as it has an open handle.
    handles: BTreeMap<u64, u64>,
    next_handle: u64,
    locks: Vec<Lock>,
    /// Counts kills and power offs. A handle from an earlier life is dead, even if its alive flag is still set.
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

    /// Ends the life of the programs on this machine and keeps everything that they wrote.
    pub(super) fn kill(&mut self) {
        self.life += 1;
        self.counters.kills += 1;
        self.locks.clear();
        self.handles.clear();
        self.sweep();
    }

    /// Keeps the durable state and, if tearing is on, those writes in flight that keyed draws let survive.
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
        // A file without a synced entry is lost as a whole, so its writes are swept before any draw.
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

    /// Opens a file; returns the ordinals of the new handle and of the file.
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

    /// The file with this ordinal.
    ///
    /// # Errors
    /// `IsADirectory` if it is a directory, `NotFound` if a power off lost the file.
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

    /// The directory that has, or would have, an entry for `path`, and the name of that entry.
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
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this disk cannot rename directories; rename the files in them",
            ));
        }
        if let Ok(replaced) = self.find(to) {
            if replaced == ordinal {
                // POSIX: if both names are of the same file, both stay.
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
        self.check_for_error(DiskCall::Sync)?;
        if self.troubles.loses_sync() {
            return Ok(());
        }
        let directory = self.directory(ordinal)?;
        directory.durable = directory.cache.clone();
        self.sweep();
        Ok(())
    }

    /// Locks the whole file for the handle, unless another handle of a living program holds a conflicting lock.
    /// Replaces the lock that the handle already holds, if any.
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

    /// Removes and returns the files and directories that no entry (cached or durable) and no handle leads to.
    fn sweep(&mut self) -> Vec<Node> {
        let mut reached = BTreeSet::new();
        let mut pending: Vec<u64> = self.handles.values().copied().chain([ROOT]).collect();
        while let Some(ordinal) = pending.pop() {
            if reached.insert(ordinal)
                && let Some(Node::Directory(directory)) = self.nodes.get(&ordinal)
            {
                pending.extend(directory.cache.values().chain(directory.durable.values()));
            }
        }
        let gone: Vec<u64> = self.nodes.keys().copied().filter(|ordinal| !reached.contains(ordinal)).collect();
        gone.iter().filter_map(|ordinal| self.nodes.remove(ordinal)).collect()
    }
}

/// The number of names that the cache and the durable state resolve differently, or that only one of them has.
fn differences(cache: &Entries, durable: &Entries) -> u64 {
    let changed = cache.iter().filter(|(name, ordinal)| durable.get(*name) != Some(ordinal)).count();
    let removed = durable.keys().filter(|name| !cache.contains_key(*name)).count();
    (changed + removed) as u64
}

/// The names along a path. A relative path starts at the root, because programs have no working directory here.
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

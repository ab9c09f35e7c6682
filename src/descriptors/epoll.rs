//! Epoll as Linux has it: a change queues whatever is watched, and a wait looks at what is queued. An edge-triggered item
//! leaves the queue when it is reported, a level-triggered one stays as long as it is ready.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::description::{Description, Object};
use crate::sandbox::{self, Errno, Interest};
use crate::trace::HostId;

/// Reported whether or not an interest asks for them.
const ALWAYS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
const ONCE: u32 = libc::EPOLLONESHOT as u32;
const EDGE: u32 = libc::EPOLLET as u32;
/// What is left of an interest that was reported once: how it is reported, and no event.
const HOW: u32 = ONCE | EDGE;

/// Names an item: a description, by the number under which it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) description: u64,
    pub(super) number: i32,
}

#[derive(Debug)]
struct Item {
    description: Weak<Description>,
    interest: Interest,
    is_queued: bool,
}

#[derive(Debug, Default)]
struct State {
    items: BTreeMap<Key, Item>,
    queue: VecDeque<Key>,
}

/// An epoll of a host.
#[derive(Debug)]
pub(super) struct Epoll {
    host: HostId,
    state: Mutex<State>,
}

impl Epoll {
    pub(super) fn new(host: HostId) -> Epoll {
        Epoll { host, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, key: Key, description: &Arc<Description>, interest: Interest) -> Result<(), Errno> {
        let mut state = self.lock();
        if state.items.contains_key(&key) {
            return Err(libc::EEXIST);
        }
        let item = Item { description: Arc::downgrade(description), interest, is_queued: false };
        state.items.insert(key, item);
        Ok(())
    }

    /// Changes an interest, which also looks again at what is there.
    pub(super) fn change(&self, key: Key, interest: Interest) -> Result<(), Errno> {
        self.lock().items.get_mut(&key).ok_or(libc::ENOENT)?.interest = interest;
        self.queue(key);
        Ok(())
    }

    pub(super) fn remove(&self, key: Key) -> Result<(), Errno> {
        self.lock().items.remove(&key).map(|_| ()).ok_or(libc::ENOENT)
    }

    /// A description is closed.
    pub(super) fn forget(&self, key: Key) {
        self.lock().items.remove(&key);
    }

    /// Lets the next wait look at an item.
    pub(super) fn queue(&self, key: Key) {
        let mut state = self.lock();
        if let Some(item) = state.items.get_mut(&key)
            && !item.is_queued
        {
            item.is_queued = true;
            state.queue.push_back(key);
            drop(state);
            sandbox::note_woken(self.host.index());
        }
    }

    /// The next item of the queue, which it leaves.
    fn next(&self) -> Option<(Key, Arc<Description>, Interest)> {
        let mut state = self.lock();
        while let Some(key) = state.queue.pop_front() {
            let Some(item) = state.items.get_mut(&key) else { continue };
            item.is_queued = false;
            if let Some(description) = item.description.upgrade() {
                return Some((key, description, item.interest));
            }
        }
        None
    }

    /// Appends up to `most` events. Returns whether one of them is more than a call to wake up.
    pub(super) fn take(&self, most: usize, events: &mut Vec<Interest>) -> bool {
        let (mut left, mut still_ready, mut is_more) = (self.lock().queue.len(), Vec::new(), false);
        while left > 0
            && events.len() < most
            && let Some((key, description, (mask, data))) = self.next()
        {
            left -= 1;
            let is_disabled = mask & !HOW == 0;
            let ready = if is_disabled { 0 } else { description.level() & (mask | ALWAYS) };
            if ready == 0 {
                continue;
            }
            events.push((ready, data));
            is_more |= !matches!(description.object, Object::Event(_));
            if mask & ONCE != 0 {
                if let Some(item) = self.lock().items.get_mut(&key) {
                    item.interest.0 &= HOW;
                }
            } else if mask & EDGE == 0 {
                still_ready.push(key);
            }
        }
        still_ready.into_iter().for_each(|key| self.queue(key));
        is_more
    }

    /// An epoll in another one is readable when it would report something.
    pub(super) fn level(&self) -> u32 {
        let watched: Vec<(Arc<Description>, u32)> = {
            let state = self.lock();
            let items = state.queue.iter().filter_map(|key| state.items.get(key));
            items.filter_map(|item| Some((item.description.upgrade()?, item.interest.0))).collect()
        };
        let is_ready =
            |(description, mask): &(Arc<Description>, u32)| description.level() & ((mask & !HOW) | ALWAYS) != 0;
        if watched.iter().any(is_ready) { libc::EPOLLIN as u32 } else { 0 }
    }
}

//! What a number stands for: an open description, as Linux calls it. Numbers that were duplicated share one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};

use super::epoll::{Epoll, Key};
use super::event::Event;
use super::pair::End;
use super::tcp::Tcp;
use super::timer::Timer;
use super::udp::Udp;
use super::unix::Unix;
use crate::alive::AliveFlag;
use crate::sandbox::{self, Errno, Interest};
use crate::trace::HostId;

/// An open description.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) id: u64,
    pub(super) host: HostId,
    pub(super) alive: AliveFlag,
    pub(super) object: Object,
    is_nonblocking: AtomicBool,
    pub(super) watch: Arc<Watch>,
}

/// The object that is described.
#[derive(Debug)]
pub(super) enum Object {
    Tcp(Tcp),
    Udp(Udp),
    Epoll(Arc<Epoll>),
    Event(Event),
    Timer(Timer),
    End(End),
    Unix(Arc<Unix>),
}

impl Description {
    pub(super) fn new(host: HostId, alive: AliveFlag, object: Object, watch: Arc<Watch>, is_nonblocking: bool) -> Self {
        /// The ids only tell descriptions apart; no run depends on their values.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Description { id, host, alive, object, is_nonblocking: AtomicBool::new(is_nonblocking), watch }
    }

    pub(super) fn is_nonblocking(&self) -> bool {
        self.is_nonblocking.load(Ordering::Relaxed)
    }

    pub(super) fn set_nonblocking(&self, is_nonblocking: bool) {
        self.is_nonblocking.store(is_nonblocking, Ordering::Relaxed);
    }

    /// The events that are there now, as epoll names them. A program that was killed sees none.
    pub(super) fn level(&self) -> u32 {
        if !self.alive.is_set() && !matches!(self.object, Object::Event(_)) {
            return 0;
        }
        match &self.object {
            Object::Tcp(tcp) => tcp.level(),
            Object::Udp(udp) => udp.level(),
            Object::Epoll(epoll) => epoll.level(),
            Object::Event(event) => event.level(),
            Object::Timer(timer) => timer.level(),
            Object::End(end) => end.level(),
            Object::Unix(unix) => unix.level(),
        }
    }

    pub(super) fn tcp(&self) -> Result<&Tcp, Errno> {
        if let Object::Tcp(tcp) = &self.object { Ok(tcp) } else { Err(libc::ENOTSOCK) }
    }

    pub(super) fn timer(&self) -> Result<&Timer, Errno> {
        if let Object::Timer(timer) = &self.object { Ok(timer) } else { Err(libc::EINVAL) }
    }

    pub(super) fn epoll(&self) -> Result<&Arc<Epoll>, Errno> {
        if let Object::Epoll(epoll) = &self.object { Ok(epoll) } else { Err(libc::EINVAL) }
    }

    /// Adds an interest of an epoll in this description, under the number by which the program named it.
    pub(super) fn add_interest(
        self: &Arc<Self>,
        epoll: &Arc<Epoll>,
        number: i32,
        interest: Interest,
    ) -> Result<(), Errno> {
        let key = Key { description: self.id, number };
        epoll.add(key, self, interest)?;
        self.watch.lock().push((Arc::downgrade(epoll), key));
        if self.level() != 0 {
            epoll.queue(key);
        }
        Ok(())
    }
}

impl Drop for Description {
    fn drop(&mut self) {
        for (epoll, key) in std::mem::take(&mut *self.watch.lock()) {
            if let Some(epoll) = epoll.upgrade() {
                epoll.forget(key);
            }
        }
    }
}

/// The epolls that watch a description. As a waker, it tells them of every change.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<Vec<(Weak<Epoll>, Key)>>);

impl Watch {
    fn lock(&self) -> MutexGuard<'_, Vec<(Weak<Epoll>, Key)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has changed: each epoll looks again.
    pub(super) fn notify(&self) {
        sandbox::note_change_of_descriptors();
        for (epoll, key) in self.lock().iter() {
            if let Some(epoll) = epoll.upgrade() {
                epoll.queue(*key);
            }
        }
    }

    /// An epoll is no longer interested.
    pub(super) fn remove(&self, epoll: &Arc<Epoll>, key: Key) {
        self.lock().retain(|(other, other_key)| *other_key != key || !std::ptr::eq(other.as_ptr(), Arc::as_ptr(epoll)));
    }

    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

//! Unix stream sockets: listeners that other sockets of the same process find by a name, and the connections to them. A
//! process is alone on its machine, so a connection never leaves it.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::io::ReadBuf;

use super::description::Watch;
use super::pair::{self, End};
use crate::alive::AliveFlag;
use crate::sandbox::Errno;
use crate::trace::HostId;

/// The name of a socket: a path, an abstract name, which begins with a zero byte, or nothing.
pub(super) type Name = Vec<u8>;

/// The largest backlog that a program gets; Linux's `net.core.somaxconn`.
const LARGEST_BACKLOG: usize = 4_096;

/// The sockets of all machines that have a name.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<BTreeMap<(HostId, Name), Weak<Unix>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Names {
    /// Gives a socket a name.
    ///
    /// # Errors
    /// `EADDRINUSE` if a socket has it. The name of a path outlives its socket, as the file does, until it is removed.
    fn bind(&self, name: &Name, socket: &Arc<Unix>) -> Result<(), Errno> {
        let mut names = lock(&self.0);
        let key = (socket.host, name.clone());
        let is_path = name.first() != Some(&0);
        if names.get(&key).is_some_and(|other| is_path || other.upgrade().is_some_and(|other| other.alive.is_set())) {
            return Err(libc::EADDRINUSE);
        }
        names.insert(key, Arc::downgrade(socket));
        Ok(())
    }

    fn find(&self, host: HostId, name: &Name) -> Result<Arc<Unix>, Errno> {
        let missing = if name.first() == Some(&0) { libc::ECONNREFUSED } else { libc::ENOENT };
        let found = lock(&self.0).get(&(host, name.clone())).cloned().ok_or(missing)?;
        found.upgrade().filter(|socket| socket.alive.is_set()).ok_or(libc::ECONNREFUSED)
    }

    /// Removes the name of a path; returns whether there was one.
    pub(super) fn unlink(&self, host: HostId, name: &[u8]) -> bool {
        lock(&self.0).remove(&(host, name.to_vec())).is_some()
    }
}

/// What has been done with a socket.
#[derive(Debug)]
enum Phase {
    New,
    /// The connections that wait to be accepted, and the backlog.
    Listening(VecDeque<Waiting>, usize),
    Connected(Arc<End>),
}

/// The end of a connection that waits to be accepted, what watches it, and the name of its client.
type Waiting = (End, Arc<Watch>, Name);

#[derive(Debug)]
struct State {
    phase: Phase,
    name: Name,
    peer: Name,
}

/// A Unix stream socket.
#[derive(Debug)]
pub(super) struct Unix {
    names: Arc<Names>,
    host: HostId,
    alive: AliveFlag,
    watch: Arc<Watch>,
    state: Mutex<State>,
}

impl Unix {
    pub(super) fn new(names: Arc<Names>, host: HostId, alive: AliveFlag, watch: Arc<Watch>) -> Unix {
        let state = State { phase: Phase::New, name: Name::new(), peer: Name::new() };
        Unix { names, host, alive, watch, state: Mutex::new(state) }
    }

    fn end(&self) -> Result<Arc<End>, Errno> {
        if let Phase::Connected(end) = &lock(&self.state).phase { Ok(end.clone()) } else { Err(libc::ENOTCONN) }
    }

    pub(super) fn bind(self: &Arc<Self>, name: Name) -> Result<(), Errno> {
        let mut state = lock(&self.state);
        if !state.name.is_empty() || name.is_empty() {
            return Err(libc::EINVAL);
        }
        self.names.bind(&name, self)?;
        state.name = name;
        Ok(())
    }

    pub(super) fn listen(&self, backlog: i32) -> Result<(), Errno> {
        let mut state = lock(&self.state);
        match &state.phase {
            Phase::New if state.name.is_empty() => Err(libc::EINVAL),
            Phase::New => {
                let backlog = usize::try_from(backlog).unwrap_or(usize::MAX).min(LARGEST_BACKLOG);
                state.phase = Phase::Listening(VecDeque::new(), backlog);
                Ok(())
            }
            Phase::Listening(..) => Ok(()),
            Phase::Connected(_) => Err(libc::EINVAL),
        }
    }

    /// Connects, which never waits for the listener's program.
    ///
    /// # Errors
    /// `ENOENT` if nothing has the name, `ECONNREFUSED` if nobody listens there, `EAGAIN` if too many wait.
    pub(super) fn connect(&self, name: &Name) -> Result<(), Errno> {
        let own = {
            let state = lock(&self.state);
            match &state.phase {
                Phase::New => state.name.clone(),
                Phase::Listening(..) => return Err(libc::EINVAL),
                Phase::Connected(_) => return Err(libc::EISCONN),
            }
        };
        let listener = self.names.find(self.host, name)?;
        let watch_of_server = Arc::new(Watch::default());
        {
            let mut theirs = lock(&listener.state);
            let Phase::Listening(queue, backlog) = &mut theirs.phase else { return Err(libc::ECONNREFUSED) };
            if queue.len() > *backlog {
                return Err(libc::EAGAIN);
            }
            let [client, server] = pair::between(&self.watch, &watch_of_server);
            queue.push_back((server, watch_of_server, own));
            let mut state = lock(&self.state);
            (state.phase, state.peer) = (Phase::Connected(Arc::new(client)), name.clone());
        }
        listener.watch.notify();
        self.watch.notify();
        Ok(())
    }

    /// The next connection that waits, what watches it, and the name of its client.
    pub(super) fn accept(&self) -> Result<(Unix, Arc<Watch>, Name), Errno> {
        let mut state = lock(&self.state);
        let Phase::Listening(queue, _) = &mut state.phase else { return Err(libc::EINVAL) };
        if !self.alive.is_set() {
            return Err(libc::EAGAIN);
        }
        let (end, watch, peer) = queue.pop_front().ok_or(libc::EAGAIN)?;
        let accepted = Unix::new(self.names.clone(), self.host, self.alive.clone(), watch.clone());
        let phase = Phase::Connected(Arc::new(end));
        *lock(&accepted.state) = State { phase, name: state.name.clone(), peer: peer.clone() };
        Ok((accepted, watch, peer))
    }

    pub(super) fn local_name(&self) -> Name {
        lock(&self.state).name.clone()
    }

    pub(super) fn peer_name(&self) -> Result<Name, Errno> {
        let state = lock(&self.state);
        if matches!(state.phase, Phase::Connected(_)) { Ok(state.peer.clone()) } else { Err(libc::ENOTCONN) }
    }

    pub(super) fn shut_down(&self, reads: bool, writes: bool) -> Result<(), Errno> {
        self.end()?.shut_down(reads, writes);
        self.watch.notify();
        Ok(())
    }

    pub(super) fn available(&self) -> usize {
        self.end().map_or(0, |end| end.available())
    }

    pub(super) fn receive(&self, buffer: &mut ReadBuf<'_>, peek: bool) -> Result<(), Errno> {
        // As on Linux, a socket that is not connected cannot be read from for another reason than one of the Internet.
        self.end().map_err(|_| libc::EINVAL)?.receive(buffer, peek)
    }

    pub(super) fn send(&self, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
        self.end()?.send(slices)
    }

    pub(super) fn is_listening(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Listening(..))
    }

    pub(super) fn level(&self) -> u32 {
        match &lock(&self.state).phase {
            Phase::New => (libc::EPOLLOUT | libc::EPOLLHUP) as u32,
            Phase::Listening(queue, _) if queue.is_empty() => 0,
            Phase::Listening(..) => libc::EPOLLIN as u32,
            Phase::Connected(end) => end.level(),
        }
    }
}

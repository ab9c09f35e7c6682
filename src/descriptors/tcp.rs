//! TCP sockets: what a program does with one number from `socket` to `close`.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::ReadBuf;

use super::addresses::{shown, unspecified};
use super::description::Watch;
use super::errors::{errno, errno_of};
use super::options::Options;
use crate::alive::AliveFlag;
use crate::net::{SharedNet, TcpListener, TcpStream};
use crate::sandbox::Errno;
use crate::trace::HostId;

/// What has been done with a socket.
#[derive(Debug)]
enum Phase {
    /// It has an address, or none yet.
    Bound(Option<(Option<IpAddr>, u16)>),
    Listening(TcpListener),
    Stream(Arc<TcpStream>),
}

#[derive(Debug)]
struct State {
    phase: Phase,
    options: Options,
}

/// A TCP socket.
#[derive(Debug)]
pub(super) struct Tcp {
    net: SharedNet,
    host: HostId,
    alive: AliveFlag,
    is_v6: bool,
    watch: Arc<Watch>,
    /// Whether the program reads no more.
    is_read_closed: AtomicBool,
    state: Mutex<State>,
}

impl Tcp {
    pub(super) fn new(net: SharedNet, host: HostId, alive: AliveFlag, is_v6: bool, watch: Arc<Watch>) -> Tcp {
        let state = State { phase: Phase::Bound(None), options: Options::default() };
        Tcp { net, host, alive, is_v6, watch, is_read_closed: AtomicBool::new(false), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stream(&self) -> Result<Arc<TcpStream>, Errno> {
        if let Phase::Stream(stream) = &self.lock().phase { Ok(stream.clone()) } else { Err(libc::ENOTCONN) }
    }

    /// The stream, if bytes may flow, or have flowed.
    fn connected(&self) -> Result<Arc<TcpStream>, Errno> {
        let stream = self.stream()?;
        if stream.is_connecting() { Err(libc::EAGAIN) } else { Ok(stream) }
    }

    pub(super) fn bind(&self, address: SocketAddr) -> Result<(), Errno> {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Bound(None)) {
            return Err(libc::EINVAL);
        }
        let on = Some(address.ip()).filter(|ip| !ip.is_unspecified());
        let port = self
            .net
            .port_for(self.host, on, address.port(), state.options.shares_port())
            .map_err(|error| errno(&error))?;
        state.phase = Phase::Bound(Some((on, port)));
        Ok(())
    }

    pub(super) fn listen(&self, backlog: i32) -> Result<(), Errno> {
        let mut state = self.lock();
        let (on, port) = match &state.phase {
            Phase::Bound(bound) => bound.unwrap_or_default(),
            Phase::Listening(_) => return Ok(()),
            Phase::Stream(_) => return Err(libc::EINVAL),
        };
        if !self.alive.is_set() {
            return Ok(());
        }
        let listener = TcpListener::new(self.net.clone(), self.host, on, port, self.alive.clone());
        let listener = listener.with(state.options.shares_port(), backlog);
        listener.bind().map_err(|error| errno(&error))?;
        listener.watch(self.watch.waker());
        state.phase = Phase::Listening(listener);
        Ok(())
    }

    /// The next connection that waits, as a socket that has `watch`, and the address of its client.
    pub(super) fn accept(&self, watch: Arc<Watch>) -> Result<(Tcp, SocketAddr), Errno> {
        let mut state = self.lock();
        let State { phase, options } = &mut *state;
        let Phase::Listening(listener) = phase else { return Err(libc::EINVAL) };
        let (stream, peer) = match listener.poll_accept(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => return Err(libc::EAGAIN),
            Poll::Ready(accepted) => accepted.map_err(|error| errno(&error))?,
        };
        options.apply(&stream);
        stream.watch(watch.waker());
        let accepted = Tcp::new(self.net.clone(), self.host, self.alive.clone(), self.is_v6, watch);
        *accepted.lock() = State { phase: Phase::Stream(Arc::new(stream)), options: options.clone() };
        Ok((accepted, shown(self.is_v6, peer)))
    }

    /// Begins to connect.
    ///
    /// # Errors
    /// `EINPROGRESS` if it has begun, and `EALREADY`, `EISCONN` or the reason of the failure after that.
    pub(super) fn connect(&self, address: SocketAddr) -> Result<(), Errno> {
        if !self.alive.is_set() {
            return Err(libc::EINPROGRESS);
        }
        let mut state = self.lock();
        let from = match &state.phase {
            Phase::Bound(bound) => bound.map(|(_, port)| port),
            Phase::Listening(_) => return Err(libc::EISCONN),
            Phase::Stream(stream) if stream.is_connecting() => return Err(libc::EALREADY),
            Phase::Stream(stream) => return Err(stream.take_error_kind().map_or(libc::EISCONN, errno_of)),
        };
        let stream = TcpStream::begin(self.net.clone(), self.host, from, address, self.alive.clone());
        let stream = stream.map_err(|error| errno(&error))?;
        state.options.apply(&stream);
        stream.watch(self.watch.waker());
        state.phase = Phase::Stream(Arc::new(stream));
        Err(libc::EINPROGRESS)
    }

    pub(super) fn shut_down(&self, reads: bool, writes: bool) -> Result<(), Errno> {
        let stream = self.stream()?;
        if !stream.is_open() {
            return Err(libc::ENOTCONN);
        }
        if reads {
            self.is_read_closed.store(true, Ordering::Relaxed);
        }
        if writes {
            stream.finish();
        }
        self.watch.notify();
        Ok(())
    }

    pub(super) fn local_address(&self) -> SocketAddr {
        let of = |on: Option<IpAddr>, port| SocketAddr::new(on.unwrap_or(unspecified(self.is_v6)), port);
        let address = match &self.lock().phase {
            Phase::Bound(bound) => bound.map_or_else(|| of(None, 0), |(on, port)| of(on, port)),
            Phase::Listening(listener) => {
                let (on, port) = listener.bound();
                of(on, port)
            }
            Phase::Stream(stream) => stream.local_addr().unwrap_or_else(|_| of(None, 0)),
        };
        shown(self.is_v6, address)
    }

    pub(super) fn peer_address(&self) -> Result<SocketAddr, Errno> {
        let stream = self.stream()?;
        if !stream.is_open() {
            return Err(libc::ENOTCONN);
        }
        stream.peer_addr().map(|address| shown(self.is_v6, address)).map_err(|error| errno(&error))
    }

    pub(super) fn option(&self, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let number = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_ERROR) => {
                self.stream().ok().and_then(|stream| stream.take_error_kind()).map_or(0, errno_of)
            }
            (libc::SOL_SOCKET, libc::SO_TYPE) => libc::SOCK_STREAM,
            (libc::SOL_SOCKET, libc::SO_PROTOCOL) => libc::IPPROTO_TCP,
            (libc::SOL_SOCKET, libc::SO_DOMAIN) => {
                if self.is_v6 {
                    libc::AF_INET6
                } else {
                    libc::AF_INET
                }
            }
            (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => matches!(self.lock().phase, Phase::Listening(_)).into(),
            _ => return self.lock().options.get(level, name),
        };
        Ok(number.to_ne_bytes().to_vec())
    }

    pub(super) fn set_option(&self, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        let mut state = self.lock();
        state.options.set(level, name, value)?;
        if let Phase::Stream(stream) = &state.phase {
            state.options.apply(stream);
        }
        Ok(())
    }

    pub(super) fn time_limit(&self) -> Option<Duration> {
        self.lock().options.time_limit()
    }

    /// When the connection ended: the peer finished, or it failed.
    pub(super) fn ended_at(&self) -> Option<Duration> {
        self.stream().ok()?.ended_at()
    }

    pub(super) fn available(&self) -> usize {
        self.stream().map_or(0, |stream| stream.available())
    }

    pub(super) fn receive(&self, buffer: &mut ReadBuf<'_>, peek: bool) -> Result<(), Errno> {
        let stream = self.connected()?;
        if self.is_read_closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        if peek && stream.available() > 0 {
            stream.peek_into(buffer);
            return Ok(());
        }
        let requested = buffer.remaining();
        match stream.poll_read_some(&mut Context::from_waker(Waker::noop()), buffer) {
            Poll::Pending => Err(libc::EAGAIN),
            Poll::Ready(read) => {
                read.map_err(|error| errno(&error))?;
                // A reader that was given less than it asked for waits for the next change, and there may be more.
                if buffer.filled().len() < requested && stream.available() > 0 {
                    self.watch.notify();
                }
                Ok(())
            }
        }
    }

    pub(super) fn send(&self, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let stream = self.connected().map_err(|error| if error == libc::ENOTCONN { libc::EPIPE } else { error })?;
        match stream.poll_write_slices(&mut Context::from_waker(Waker::noop()), slices) {
            Poll::Pending => Err(libc::EAGAIN),
            Poll::Ready(sent) => {
                let sent = sent.map_err(|error| errno(&error))?;
                // A writer of whose bytes only some were taken waits for the next change, and there may be more room.
                if sent < slices.iter().map(|slice| slice.len()).sum() && stream.readiness().writable {
                    self.watch.notify();
                }
                Ok(sent)
            }
        }
    }

    pub(super) fn level(&self) -> u32 {
        let stream = match &self.lock().phase {
            Phase::Bound(_) => return (libc::EPOLLOUT | libc::EPOLLHUP) as u32,
            Phase::Listening(listener) => return if listener.has_waiting() { libc::EPOLLIN as u32 } else { 0 },
            Phase::Stream(stream) => stream.clone(),
        };
        let is_read_closed = self.is_read_closed.load(Ordering::Relaxed);
        let ready = stream.readiness();
        let level = [
            (ready.readable || is_read_closed, libc::EPOLLIN),
            (ready.writable, libc::EPOLLOUT),
            (ready.read_closed || is_read_closed, libc::EPOLLRDHUP),
            (ready.hung_up, libc::EPOLLHUP),
            (ready.failed, libc::EPOLLERR),
        ];
        level.into_iter().filter(|(is, _)| *is).fold(0, |level, (_, event)| level | event as u32)
    }
}

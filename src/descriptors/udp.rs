//! UDP sockets: what a program does with one number from `socket` to `close`.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::ReadBuf;

use super::addresses::{shown, unspecified};
use super::description::Watch;
use super::errors::errno;
use super::options::Options;
use crate::alive::AliveFlag;
use crate::net::{SharedNet, UdpSocket};
use crate::sandbox::Errno;
use crate::trace::HostId;

/// A datagram, as the hooks want to know of it: its sender, and its whole length.
type From = (SocketAddr, usize);

#[derive(Debug, Default)]
struct State {
    /// Nothing until the socket has a port.
    socket: Option<Arc<UdpSocket>>,
    options: Options,
}

/// A UDP socket.
#[derive(Debug)]
pub(super) struct Udp {
    net: SharedNet,
    host: HostId,
    alive: AliveFlag,
    is_v6: bool,
    watch: Arc<Watch>,
    state: Mutex<State>,
}

impl Udp {
    pub(super) fn new(net: SharedNet, host: HostId, alive: AliveFlag, is_v6: bool, watch: Arc<Watch>) -> Udp {
        Udp { net, host, alive, is_v6, watch, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bind_to(&self, state: &mut State, on: Option<IpAddr>, port: u16) -> Result<Arc<UdpSocket>, Errno> {
        let sharing = state.options.sharing();
        let bound = UdpSocket::bind(self.net.clone(), self.host, on, port, sharing, self.alive.clone());
        let socket = Arc::new(bound.map_err(|error| errno(&error))?);
        socket.watch(self.watch.waker());
        state.socket = Some(socket.clone());
        Ok(socket)
    }

    /// The socket with a port: any free one, unless the program has chosen.
    fn socket(&self) -> Result<Arc<UdpSocket>, Errno> {
        let mut state = self.lock();
        match &state.socket {
            Some(socket) => Ok(socket.clone()),
            None => self.bind_to(&mut state, None, 0),
        }
    }

    /// The socket, if it has a port.
    fn bound(&self) -> Option<Arc<UdpSocket>> {
        self.lock().socket.clone()
    }

    pub(super) fn bind(&self, address: SocketAddr) -> Result<(), Errno> {
        let mut state = self.lock();
        if state.socket.is_some() {
            return Err(libc::EINVAL);
        }
        let on = Some(address.ip()).filter(|ip| !ip.is_unspecified());
        self.bind_to(&mut state, on, address.port()).map(drop)
    }

    pub(super) fn connect(&self, address: SocketAddr) -> Result<(), Errno> {
        self.socket()?.connect_now(address).map_err(|error| errno(&error))
    }

    pub(super) fn local_address(&self) -> SocketAddr {
        let Some(socket) = self.bound() else { return SocketAddr::new(unspecified(self.is_v6), 0) };
        let address = match (socket.bound(), socket.peer_addr(), socket.local_addr()) {
            ((None, port), Err(_), _) => SocketAddr::new(unspecified(self.is_v6), port),
            (_, _, Ok(address)) => address,
            ((_, port), ..) => SocketAddr::new(unspecified(self.is_v6), port),
        };
        shown(self.is_v6, address)
    }

    pub(super) fn peer_address(&self) -> Result<SocketAddr, Errno> {
        let peer = self.bound().and_then(|socket| socket.peer_addr().ok());
        peer.map(|peer| shown(self.is_v6, peer)).ok_or(libc::ENOTCONN)
    }

    pub(super) fn option(&self, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let number = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_ERROR) => {
                let error = self.bound().and_then(|socket| socket.take_error().err());
                error.map_or(0, |error| errno(&error))
            }
            (libc::SOL_SOCKET, libc::SO_TYPE) => libc::SOCK_DGRAM,
            (libc::SOL_SOCKET, libc::SO_PROTOCOL) => libc::IPPROTO_UDP,
            (libc::SOL_SOCKET, libc::SO_DOMAIN) => {
                if self.is_v6 {
                    libc::AF_INET6
                } else {
                    libc::AF_INET
                }
            }
            _ => return self.lock().options.get(level, name),
        };
        Ok(number.to_ne_bytes().to_vec())
    }

    pub(super) fn set_option(&self, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        self.lock().options.set(level, name, value)
    }

    pub(super) fn time_limit(&self) -> Option<Duration> {
        self.lock().options.time_limit()
    }

    pub(super) fn available(&self) -> usize {
        self.bound().map_or(0, |socket| socket.available())
    }

    pub(super) fn receive(&self, buffer: &mut ReadBuf<'_>, peek: bool) -> Result<Option<From>, Errno> {
        let next = self.bound().and_then(|socket| socket.next_now(peek)).ok_or(libc::EAGAIN)?;
        let (bytes, from) = next.map_err(|error| errno(&error))?;
        buffer.put_slice(&bytes[..bytes.len().min(buffer.remaining())]);
        Ok(Some((shown(self.is_v6, from), bytes.len())))
    }

    pub(super) fn send(&self, slices: &[IoSlice<'_>], to: Option<SocketAddr>) -> Result<usize, Errno> {
        if !self.alive.is_set() {
            return Err(libc::EAGAIN);
        }
        self.socket()?.send_now(slices, to).map_err(|error| errno(&error))
    }

    pub(super) fn level(&self) -> u32 {
        let (readable, failed) = self.bound().map_or((false, false), |socket| socket.readiness());
        let level = [(readable || failed, libc::EPOLLIN), (true, libc::EPOLLOUT), (failed, libc::EPOLLERR)];
        level.into_iter().filter(|(is, _)| *is).fold(0, |level, (_, event)| level | event as u32)
    }
}

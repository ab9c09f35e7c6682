//! The listeners that code under test holds. They act only while their program is alive.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::task::{Context, Poll};

use super::bound::SocketId;
use super::flow::Side;
use super::listening::Manner;
use super::names::{address, is_own};
use super::shared::SharedNet;
use super::socket::{TcpStream, killed_error};
use crate::alive::AliveFlag;
use crate::trace::HostId;

/// Accepts connections on one port of a host. It starts to listen when it is bound or first polled.
#[derive(Debug)]
pub struct TcpListener {
    pub(super) net: SharedNet,
    pub(super) host: HostId,
    /// The address on which it listens; `None` for all addresses of the host.
    pub(super) on: Option<IpAddr>,
    /// The port that the program asked for.
    requested: u16,
    alive: AliveFlag,
    manner: Manner,
    /// What it is to the kernel, once it listens.
    listens: OnceLock<SocketId>,
}

impl TcpListener {
    pub(crate) fn new(net: SharedNet, host: HostId, on: Option<IpAddr>, port: u16, alive: AliveFlag) -> TcpListener {
        let listener =
            TcpListener { net, host, on, requested: port, alive, manner: Manner::default(), listens: OnceLock::new() };
        if port == 0 {
            // The program asks for the port before it accepts. An error comes again when it does.
            let _ = listener.bind();
        }
        listener
    }

    /// Starts to listen at once.
    ///
    /// # Errors
    /// `AddrInUse` if the host already listens on this port, `AddrNotAvailable` if the address is not one of the host's,
    /// and `BrokenPipe` if the program has been killed.
    pub fn bind(&self) -> io::Result<()> {
        if !self.alive.is_set() {
            return Err(killed_error());
        }
        if self.listens.get().is_none() {
            if !self.on.is_none_or(|on| is_own(self.host.index(), on)) {
                return Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
            }
            let listener = self.net.lock().listen(self.host, self.on, self.requested, self.manner)?;
            // Nobody else has set it: programs run one at a time, and a call is never interrupted.
            let _ = self.listens.set(listener);
        }
        Ok(())
    }

    /// The same with this backlog; others that share the port can listen beside one that does (`SO_REUSEPORT`).
    pub(crate) fn with(mut self, shares: bool, backlog: i32) -> TcpListener {
        self.manner = Manner::new(shares, backlog);
        self
    }

    /// What it is to the kernel, once it listens.
    pub(super) fn listener(&self) -> Option<SocketId> {
        self.listens.get().copied()
    }

    /// The port on which it listens, or will.
    pub(super) fn port(&self) -> u16 {
        self.listens.get().map_or(self.requested, |((port, _), _)| *port)
    }

    /// The next connection, and the address of its client. Several tasks may wait for one; each connection goes to the first
    /// that asks.
    ///
    /// # Errors
    /// Those of [`TcpListener::bind`].
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for the next connection.
    ///
    /// # Errors
    /// Those of [`TcpListener::bind`].
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        if !self.alive.is_set() {
            return Poll::Pending;
        }
        self.bind()?;
        let Some(listener) = self.listener() else { return Poll::Pending };
        let mut net = self.net.lock();
        let Some(flow) = net.accept(self.host, listener, cx.waker()) else { return Poll::Pending };
        let peer = net.local_address(flow, Side::Client);
        let stream = TcpStream::new(self.net.clone(), self.alive.clone(), flow, Side::Server);
        Poll::Ready(Ok((stream, peer)))
    }

    /// The address on which this listener listens: the host's own IPv4 address if it listens on all. A listener on port 0
    /// tells the port that it was given.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's listener.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(self.on.unwrap_or_else(|| address(self.host.index())), self.port()))
    }
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        if let Some(listener) = self.listener().filter(|_| self.alive.is_set()) {
            self.net.lock().stop_listening(self.host, listener);
        }
    }
}

//! What descriptors ask of sockets, beside what programs ask of Squall's own: whether a call would wait, why a connection
//! failed, and to be woken by every change.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;
use std::time::Duration;

use tokio::io::ReadBuf;

use super::flow::{EndState, Side};
use super::listener::TcpListener;
use super::names::{Resolution, is_own, literal};
use super::requests::NOBODY;
use super::shared::SharedNet;
use super::socket::TcpStream;
use crate::alive::AliveFlag;
use crate::sandbox;
use crate::trace::HostId;

/// What a stream is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// A read would not wait.
    pub(crate) readable: bool,
    /// A write would not wait.
    pub(crate) writable: bool,
    /// The peer writes no more.
    pub(crate) read_closed: bool,
    /// Neither side writes any more.
    pub(crate) hung_up: bool,
    /// The connection failed, and no call has returned why.
    pub(crate) failed: bool,
}

impl TcpStream {
    /// Begins to connect to an address, from a port or from any that is free. An address that no host has never answers.
    pub(crate) fn begin(
        net: SharedNet,
        host: HostId,
        from: Option<u16>,
        to: SocketAddr,
        alive: AliveFlag,
    ) -> io::Result<TcpStream> {
        let flow = {
            let mut locked = net.lock();
            let found = locked.names.host(host, &to.ip().to_string());
            let (peer, address) = found.unwrap_or((host, NOBODY));
            let flow = locked.open(host, from, (peer, address, to.port()))?;
            locked.request(flow);
            flow
        };
        Ok(TcpStream::new(net, alive, flow, Side::Client))
    }

    /// Whether the connection waits for an answer to its SYN.
    pub(crate) fn is_connecting(&self) -> bool {
        self.net.lock().flow(self.flow).end(self.side).is_some_and(|end| end.state == EndState::Connecting)
    }

    /// Whether bytes may flow, or have flowed: the connection is neither being made nor gone.
    pub(crate) fn is_open(&self) -> bool {
        self.net.lock().flow(self.flow).end(self.side).is_some_and(|end| end.state == EndState::Open)
    }

    /// When the peer finished, or the connection failed.
    pub(crate) fn ended_at(&self) -> Option<Duration> {
        self.net.lock().flow(self.flow).end(self.side).and_then(|end| end.ended_at)
    }

    /// Lets `watcher` be woken by every change.
    pub(crate) fn watch(&self, watcher: Waker) {
        let mut net = self.net.lock();
        let before = net.flow(self.flow).end(self.side).and_then(|end| end.watcher.replace(watcher));
        // A waker is dropped without the lock.
        drop(net);
        drop(before);
    }

    /// What the stream is ready for. A program that was killed is never told that it is.
    pub(crate) fn readiness(&self) -> Readiness {
        if !self.alive.is_set() {
            return Readiness::default();
        }
        let mut net = self.net.lock();
        let room = net.room(self.flow, self.side);
        let Some(end) = net.flow(self.flow).end(self.side) else {
            return Readiness { readable: true, writable: true, read_closed: true, hung_up: true, failed: false };
        };
        match end.state {
            EndState::Connecting => Readiness::default(),
            EndState::Open => Readiness {
                readable: !end.received.is_empty() || end.peer_finished,
                writable: end.finished || room > 0,
                read_closed: end.peer_finished,
                hung_up: end.peer_finished && end.finished,
                failed: false,
            },
            EndState::Gone => Readiness {
                readable: true,
                writable: true,
                read_closed: true,
                hung_up: true,
                failed: end.error.is_some(),
            },
        }
    }

    /// Takes the reason for which the connection failed, unless a call has returned it (`SO_ERROR`).
    pub(crate) fn take_error_kind(&self) -> Option<io::ErrorKind> {
        self.net.lock().flow(self.flow).end(self.side).and_then(|end| end.error.take())
    }

    /// The number of bytes that wait to be read.
    pub(crate) fn available(&self) -> usize {
        let mut net = self.net.lock();
        net.flow(self.flow).end(self.side).map_or(0, |end| end.received.iter().map(|bytes| bytes.len()).sum())
    }

    /// Copies bytes that wait to be read, without reading them.
    pub(crate) fn peek_into(&self, buffer: &mut ReadBuf<'_>) {
        let mut net = self.net.lock();
        let Some(end) = net.flow(self.flow).end(self.side) else { return };
        for bytes in &end.received {
            let length = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..length]);
        }
    }
}

impl TcpListener {
    /// Lets `watcher` be woken by every connection that waits to be accepted.
    pub(crate) fn watch(&self, watcher: Waker) {
        if let Some(listener) = self.listener() {
            self.net.lock().kernels[self.host.index()].listeners.watch(listener, watcher);
        }
    }

    /// The address, if it listens on one only, and the port.
    pub(crate) fn bound(&self) -> (Option<IpAddr>, u16) {
        (self.on, self.port())
    }

    /// Whether a connection waits to be accepted.
    pub(crate) fn has_waiting(&self) -> bool {
        let has_waiting = |listener| self.net.lock().kernels[self.host.index()].listeners.has_waiting(listener);
        self.listener().is_some_and(has_waiting)
    }
}

impl SharedNet {
    /// The port of a new TCP socket of this host that is bound to this address and port; port 0 stands for any free one.
    ///
    /// # Errors
    /// `AddrNotAvailable` if the address is none of the host's, `AddrInUse` if a program listens there.
    pub(crate) fn port_for(&self, host: HostId, on: Option<IpAddr>, port: u16, shares: bool) -> io::Result<u16> {
        if !on.is_none_or(|on| is_own(host.index(), on)) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let mut net = self.lock();
        let kernel = &mut net.kernels[host.index()];
        if port == 0 {
            let (listeners, ports) = (&kernel.listeners, &mut kernel.ports);
            return ports.take_for_listener(|port| listeners.is_used(port)).ok_or(io::ErrorKind::AddrInUse.into());
        }
        if kernel.listeners.is_taken((port, on), shares) { Err(io::ErrorKind::AddrInUse.into()) } else { Ok(port) }
    }

    /// How much later than usual a host learns the addresses of a name.
    pub(crate) fn delay_of_look_up(&self, from: HostId, name: &str) -> Duration {
        let mut net = self.lock();
        if net.names.faults.is_empty() || literal(name).is_some() {
            return Duration::ZERO;
        }
        let hosts = net.names.hosts(from, name);
        let late = hosts.into_iter().map(|(to, _)| net.names.lookup_delay(from, to, sandbox::now()));
        late.max().unwrap_or_default()
    }

    /// The addresses of a name as a host sees them; none if nobody has it.
    pub(crate) fn addresses(&self, from: HostId, name: &str) -> Vec<IpAddr> {
        let mut net = self.lock();
        let hosts = net.names.hosts(from, name);
        if net.names.faults.is_empty() || literal(name).is_some() {
            return hosts.into_iter().map(|(_, address)| address).collect();
        }
        let mut seen = |(to, address)| match net.names.look_up(from, to, sandbox::now()) {
            Resolution::Host => Some(address),
            Resolution::Nobody => Some(NOBODY),
            Resolution::Nothing => None,
        };
        // A machine resolves its own name without a lookup.
        let mut found = |(to, address)| if to == from { Some(address) } else { seen((to, address)) };
        hosts.into_iter().filter_map(&mut found).collect()
    }

    /// Lets the kernel of a host wake `waker` at this time.
    pub(crate) fn alarm(&self, host: HostId, at: Duration, waker: Waker) {
        let mut net = self.lock();
        let kernel = &mut net.kernels[host.index()];
        kernel.alarms_so_far += 1;
        kernel.alarms.insert((at, kernel.alarms_so_far), waker);
        let task = kernel.task.take();
        net.wake.extend(task);
    }

    /// The name of the host that has an address, as `from` knows it; `localhost` for the machine itself.
    pub(crate) fn name_of(&self, from: HostId, address: IpAddr) -> Option<String> {
        let net = self.lock();
        let (host, _) = net.names.host(from, &address.to_string())?;
        Some(if address.is_loopback() { "localhost".to_owned() } else { net.names.of(host).to_owned() })
    }

    /// Wakes the task that runs this host's kernel, so that its runtime looks at its tasks once more before time goes on.
    pub(crate) fn rouse(&self, host: HostId) {
        let mut net = self.lock();
        let task = net.kernels[host.index()].task.take();
        net.wake.extend(task);
    }
}

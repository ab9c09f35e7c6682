//! The ports on which a machine listens, and the connections that wait there to be accepted. The kernel answers the
//! requests.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::task::Waker;
use std::time::Duration;

use super::bound::{Bound, is_conflict, receivers};
use super::flow::FlowId;

/// The backlog of every listener; Linux's `net.core.somaxconn` was 128 for decades. As on Linux, one more connection
/// than this may wait to be accepted.
const BACKLOG: usize = 128;

/// How often Linux sends a SYN-ACK again (`tcp_synack_retries`): after 1, 2, 4, 8 and 16 s. It forgets the connection
/// 32 s later.
const SYN_ACK_RETRIES: u32 = 5;

/// A port on which a program listens.
#[derive(Debug)]
struct Listening {
    /// Until this time a slowly starting program does not listen, although it believes that it does.
    opens_at: Duration,
    /// The connections whose handshake is complete.
    queue: VecDeque<FlowId>,
    acceptor: Option<Waker>,
    /// Woken by every connection that waits, as long as the program listens.
    watcher: Option<Waker>,
}

impl Listening {
    fn is_full(&self) -> bool {
        self.queue.len() > BACKLOG
    }
}

/// A requested connection whose handshake is not complete: the kernel has sent a SYN-ACK.
#[derive(Debug)]
struct Handshake {
    bound: Bound,
    retries: u32,
    /// When the kernel sends the SYN-ACK again, or forgets the connection.
    due: Duration,
}

/// The answer to a SYN.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// A SYN-ACK.
    Granted,
    /// No program listens.
    Refused,
    /// No program listens before this time.
    RefusedUntil(Duration),
    /// The backlog is full, so the request is silently dropped; the client will retry.
    Dropped,
}

/// The effect of a segment that acknowledges a SYN-ACK.
#[derive(Debug)]
pub(super) enum Completed {
    /// The connection waits to be accepted; holds the wakers of a waiting acceptor and of the watcher.
    Yes([Option<Waker>; 2]),
    /// The backlog is full, so the segment is silently dropped; the connection stays requested.
    Dropped,
    /// The connection was not requested, or is complete already.
    Unknown,
}

/// The ports of one machine on which its program listens.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    ports: BTreeMap<Bound, Listening>,
    handshakes: BTreeMap<FlowId, Handshake>,
}

impl Listeners {
    /// Listens on a port from `opens_at` on. `name` is the machine's name, for the error.
    ///
    /// # Errors
    /// `AddrInUse` if the program already listens on the port, on the same address or on all.
    pub(super) fn listen(&mut self, name: &str, bound: Bound, opens_at: Duration) -> io::Result<()> {
        if self.is_taken(bound) {
            let port = bound.0;
            let text = format!("{name} already listens on port {port}; drop its other listener first");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        self.ports.insert(bound, Listening { opens_at, queue: VecDeque::new(), acceptor: None, watcher: None });
        Ok(())
    }

    /// Whether a program listens on this port of any address.
    pub(super) fn is_used(&self, port: u16) -> bool {
        self.ports.keys().any(|(used, _)| *used == port)
    }

    /// A client requests a connection to a port of this address.
    pub(super) fn request(&mut self, port: u16, address: IpAddr, flow: FlowId, now: Duration) -> Request {
        let bound = receivers(port, address).into_iter().find(|bound| self.ports.contains_key(bound));
        let Some(bound) = bound else { return Request::Refused };
        match self.ports.get_mut(&bound) {
            None => Request::Refused,
            Some(listening) if listening.opens_at > now => Request::RefusedUntil(listening.opens_at),
            Some(listening) if listening.is_full() => Request::Dropped,
            Some(_) => {
                let new = Handshake { bound, retries: 0, due: now + Duration::from_secs(1) };
                self.handshakes.entry(flow).or_insert(new);
                Request::Granted
            }
        }
    }

    /// A segment arrived that acknowledges the SYN-ACK of a requested connection.
    pub(super) fn complete(&mut self, flow: FlowId) -> Completed {
        let Some(handshake) = self.handshakes.get(&flow) else { return Completed::Unknown };
        let Some(listening) = self.ports.get_mut(&handshake.bound) else { return Completed::Unknown };
        if listening.is_full() {
            return Completed::Dropped;
        }
        self.handshakes.remove(&flow);
        listening.queue.push_back(flow);
        Completed::Yes([listening.acceptor.take(), listening.watcher.clone()])
    }

    /// A requested connection is reset.
    pub(super) fn forget(&mut self, flow: FlowId) {
        self.handshakes.remove(&flow);
    }

    /// The requested connections whose SYN-ACK is sent again now, and those that are forgotten now.
    pub(super) fn expire(&mut self, now: Duration) -> (Vec<FlowId>, Vec<FlowId>) {
        let (mut again, mut forgotten) = (Vec::new(), Vec::new());
        for (flow, handshake) in self.handshakes.iter_mut().filter(|(_, handshake)| handshake.due <= now) {
            if handshake.retries == SYN_ACK_RETRIES {
                forgotten.push(*flow);
            } else {
                handshake.retries += 1;
                handshake.due += Duration::from_secs(1 << handshake.retries);
                again.push(*flow);
            }
        }
        for flow in &forgotten {
            self.handshakes.remove(flow);
        }
        (again, forgotten)
    }

    /// When the next handshake expires.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.handshakes.values().map(|handshake| handshake.due).min()
    }

    /// The next connection that waits on a port, or `None`, in which case `waker` is woken when one arrives.
    pub(super) fn accept(&mut self, port: Bound, waker: &Waker) -> Option<FlowId> {
        let listening = self.ports.get_mut(&port)?;
        let flow = listening.queue.pop_front();
        if flow.is_none() {
            listening.acceptor = Some(waker.clone());
        }
        flow
    }

    /// Lets `watcher` be woken by every connection that waits on a port.
    pub(super) fn watch(&mut self, port: Bound, watcher: Waker) {
        if let Some(listening) = self.ports.get_mut(&port) {
            listening.watcher = Some(watcher);
        }
    }

    /// Whether a connection waits on a port.
    pub(super) fn has_waiting(&self, port: Bound) -> bool {
        self.ports.get(&port).is_some_and(|listening| !listening.queue.is_empty())
    }

    /// Whether a socket that is bound to this cannot listen.
    pub(super) fn is_taken(&self, bound: Bound) -> bool {
        self.ports.keys().any(|other| is_conflict(bound, *other))
    }

    /// Stops listening on a port; returns the connections that waited to be accepted, and those that were requested.
    pub(super) fn stop_listening(&mut self, port: Bound) -> (VecDeque<FlowId>, Vec<FlowId>) {
        let waiting = self.ports.remove(&port).map(|listening| listening.queue).unwrap_or_default();
        let requested = self.handshakes.iter().filter(|(_, handshake)| handshake.bound == port);
        let requested: Vec<FlowId> = requested.map(|(flow, _)| *flow).collect();
        self.handshakes.retain(|_, handshake| handshake.bound != port);
        (waiting, requested)
    }

    /// The ports on which the program listens.
    pub(super) fn ports(&self) -> Vec<Bound> {
        self.ports.keys().copied().collect()
    }

    /// Forgets all listeners, as the machine loses power.
    pub(super) fn clear(&mut self) {
        *self = Listeners::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Bound = (80, None);
    const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 1));
    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_listener_on_one_address_is_not_reached_by_another() {
        let mut listeners = Listeners::default();
        listeners.listen("server", (80, Some(LOOPBACK)), Duration::ZERO).unwrap();
        assert_eq!(listeners.request(80, OWN, 0, Duration::ZERO), Request::Refused);
        assert_eq!(listeners.request(80, LOOPBACK, 1, Duration::ZERO), Request::Granted);
        assert!(listeners.listen("server", ALL, Duration::ZERO).is_err(), "the port is taken");
        assert!(listeners.listen("server", (80, Some(LOOPBACK)), Duration::ZERO).is_err());
        listeners.listen("server", (80, Some(OWN)), Duration::ZERO).unwrap();
        assert_eq!(listeners.request(80, OWN, 2, Duration::ZERO), Request::Granted);
        assert!(matches!(listeners.complete(1), Completed::Yes(_)));
        assert_eq!(listeners.accept((80, Some(OWN)), Waker::noop()), None);
        assert_eq!(listeners.accept((80, Some(LOOPBACK)), Waker::noop()), Some(1));
        listeners.stop_listening((80, Some(LOOPBACK)));
        assert!(listeners.is_used(80));
        listeners.stop_listening((80, Some(OWN)));
        assert!(!listeners.is_used(80));
    }

    #[test]
    fn one_more_connection_than_the_backlog_waits() {
        let mut listeners = Listeners::default();
        listeners.listen("server", ALL, Duration::ZERO).unwrap();
        for flow in 0..=BACKLOG as FlowId {
            assert_eq!(listeners.request(80, OWN, flow, Duration::ZERO), Request::Granted);
            assert!(matches!(listeners.complete(flow), Completed::Yes(_)));
        }
        assert_eq!(listeners.request(80, OWN, 1_000, Duration::ZERO), Request::Dropped);
        assert_eq!(listeners.accept(ALL, Waker::noop()), Some(0));
        // Two requests are granted while there is room for one.
        assert_eq!(listeners.request(80, OWN, 1_000, Duration::ZERO), Request::Granted);
        assert_eq!(listeners.request(80, OWN, 1_001, Duration::ZERO), Request::Granted);
        assert!(matches!(listeners.complete(1_000), Completed::Yes(_)));
        assert!(matches!(listeners.complete(1_001), Completed::Dropped));
        assert_eq!(listeners.accept(ALL, Waker::noop()), Some(1));
        assert!(matches!(listeners.complete(1_001), Completed::Yes(_)));
        assert!(matches!(listeners.complete(1_001), Completed::Unknown));
    }

    #[test]
    fn a_syn_ack_is_sent_six_times_and_then_forgotten() {
        let mut listeners = Listeners::default();
        listeners.listen("server", ALL, Duration::ZERO).unwrap();
        listeners.request(80, OWN, 7, Duration::ZERO);
        let mut sent = Vec::new();
        while let Some(due) = listeners.next_due() {
            let (again, forgotten) = listeners.expire(due);
            sent.push((due.as_secs(), again.len(), forgotten.len()));
        }
        assert_eq!(sent, [(1, 1, 0), (3, 1, 0), (7, 1, 0), (15, 1, 0), (31, 1, 0), (63, 0, 1)]);
    }
}

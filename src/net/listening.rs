//! The ports on which a machine listens, and the connections that wait there to be accepted. The kernel answers the
//! requests.

use std::collections::btree_map::Range;
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::io;
use std::net::IpAddr;
use std::task::Waker;
use std::time::Duration;

use super::bound::{Bound, SocketId, digest, is_conflict, receivers};
use super::flow::FlowId;

/// The backlog of a listener whose program states none, as tokio and the standard library have it. As on Linux, one more
/// connection than this may wait to be accepted.
const BACKLOG: usize = 128;

/// The largest backlog that a program gets; Linux's `net.core.somaxconn`.
const LARGEST_BACKLOG: usize = 4_096;

/// How a program listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Whether others that do the same may listen on the same port (`SO_REUSEPORT`).
    pub(super) shares: bool,
    backlog: usize,
}

impl Manner {
    /// `backlog` is that of the call `listen`: as on Linux, a negative one stands for a large one.
    pub(super) fn new(shares: bool, backlog: i32) -> Manner {
        Manner { shares, backlog: usize::try_from(backlog).unwrap_or(usize::MAX).min(LARGEST_BACKLOG) }
    }
}

impl Default for Manner {
    fn default() -> Manner {
        Manner { shares: false, backlog: BACKLOG }
    }
}

/// How often Linux sends a SYN-ACK again (`tcp_synack_retries`): after 1, 2, 4, 8 and 16 s. It forgets the connection
/// 32 s later.
const SYN_ACK_RETRIES: u32 = 5;

/// A listener of a program.
#[derive(Debug)]
struct Listening {
    manner: Manner,
    /// Until this time a slowly starting program does not listen, although it believes that it does.
    opens_at: Duration,
    /// The connections whose handshake is complete.
    queue: VecDeque<FlowId>,
    /// Those who wait for a connection. Each looks again when one comes.
    acceptors: Vec<Waker>,
    /// Woken by every connection that waits, as long as the program listens.
    watcher: Option<Waker>,
}

impl Listening {
    fn is_full(&self) -> bool {
        self.queue.len() > self.manner.backlog
    }
}

/// A requested connection whose handshake is not complete: the kernel has sent a SYN-ACK.
#[derive(Debug)]
struct Handshake {
    listener: SocketId,
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
    /// The connection waits to be accepted; holds the wakers of those who wait for one, and of the watcher.
    Yes(Vec<Waker>),
    /// The backlog is full, so the segment is silently dropped; the connection stays requested.
    Dropped,
    /// The connection was not requested, or is complete already.
    Unknown,
}

/// The ports of one machine on which its program listens.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    listeners: BTreeMap<SocketId, Listening>,
    handshakes: BTreeMap<FlowId, Handshake>,
}

impl Listeners {
    /// Listens on a port from `opens_at` on. `name` is the machine's name, for the error.
    ///
    /// # Errors
    /// `AddrInUse` if the program already listens on the port, on the same address or on all, unless both share it.
    pub(super) fn listen(
        &mut self,
        name: &str,
        bound: Bound,
        manner: Manner,
        opens_at: Duration,
    ) -> io::Result<SocketId> {
        if self.is_taken(bound, manner.shares) {
            let port = bound.0;
            let text = format!("{name} already listens on port {port}; drop its other listener first");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        let number = self.sharing(bound).last().map_or(0, |((_, last), _)| last + 1);
        let new = Listening { manner, opens_at, queue: VecDeque::new(), acceptors: Vec::new(), watcher: None };
        self.listeners.insert((bound, number), new);
        Ok((bound, number))
    }

    /// The listeners that are bound to the same.
    fn sharing(&self, bound: Bound) -> Range<'_, SocketId, Listening> {
        self.listeners.range((bound, 0)..=(bound, u32::MAX))
    }

    /// Whether a program listens on this port of any address.
    pub(super) fn is_used(&self, port: u16) -> bool {
        self.listeners.keys().any(|((used, _), _)| *used == port)
    }

    /// A client requests a connection to a port of this address. `key` names the client's end, so that requests spread over
    /// the listeners that share the port.
    pub(super) fn request(
        &mut self,
        port: u16,
        address: IpAddr,
        flow: FlowId,
        key: impl Hash,
        now: Duration,
    ) -> Request {
        let bound = receivers(port, address).into_iter().find(|bound| self.sharing(*bound).next().is_some());
        let Some(bound) = bound else { return Request::Refused };
        let listener = match self.sharing(bound).count() {
            1 => self.sharing(bound).next(),
            several => self.sharing(bound).nth((digest(key) % several as u64) as usize),
        };
        let Some(listener) = listener.map(|(id, _)| *id) else { return Request::Refused };
        match self.listeners.get_mut(&listener) {
            None => Request::Refused,
            Some(listening) if listening.opens_at > now => Request::RefusedUntil(listening.opens_at),
            Some(listening) if listening.is_full() => Request::Dropped,
            Some(_) => {
                let new = Handshake { listener, retries: 0, due: now + Duration::from_secs(1) };
                self.handshakes.entry(flow).or_insert(new);
                Request::Granted
            }
        }
    }

    /// A segment arrived that acknowledges the SYN-ACK of a requested connection.
    pub(super) fn complete(&mut self, flow: FlowId) -> Completed {
        let Some(handshake) = self.handshakes.get(&flow) else { return Completed::Unknown };
        let Some(listening) = self.listeners.get_mut(&handshake.listener) else { return Completed::Unknown };
        if listening.is_full() {
            return Completed::Dropped;
        }
        self.handshakes.remove(&flow);
        listening.queue.push_back(flow);
        let mut wake = std::mem::take(&mut listening.acceptors);
        wake.extend(listening.watcher.clone());
        Completed::Yes(wake)
    }

    /// The connections whose handshake is not complete.
    pub(super) fn requested(&self) -> impl Iterator<Item = FlowId> {
        self.handshakes.keys().copied()
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

    /// The next connection that waits for a listener, or `None`, in which case `waker` is woken when one arrives.
    pub(super) fn accept(&mut self, listener: SocketId, waker: &Waker) -> Option<FlowId> {
        let listening = self.listeners.get_mut(&listener)?;
        let flow = listening.queue.pop_front();
        if flow.is_none() && !listening.acceptors.iter().any(|other| other.will_wake(waker)) {
            listening.acceptors.push(waker.clone());
        }
        flow
    }

    /// Lets `watcher` be woken by every connection that waits for a listener.
    pub(super) fn watch(&mut self, listener: SocketId, watcher: Waker) {
        if let Some(listening) = self.listeners.get_mut(&listener) {
            listening.watcher = Some(watcher);
        }
    }

    /// Whether a connection waits for a listener.
    pub(super) fn has_waiting(&self, listener: SocketId) -> bool {
        self.listeners.get(&listener).is_some_and(|listening| !listening.queue.is_empty())
    }

    /// Whether a socket that is bound to this cannot listen. One that shares its port can beside others that do.
    pub(super) fn is_taken(&self, bound: Bound, shares: bool) -> bool {
        let forbids = |listening: &Listening| !(shares && listening.manner.shares);
        self.listeners.iter().any(|((other, _), listening)| is_conflict(bound, *other) && forbids(listening))
    }

    /// Stops listening; returns the connections that waited to be accepted, and those that were requested.
    pub(super) fn stop_listening(&mut self, listener: SocketId) -> (VecDeque<FlowId>, Vec<FlowId>) {
        let waiting = self.listeners.remove(&listener).map(|listening| listening.queue).unwrap_or_default();
        let requested = self.handshakes.iter().filter(|(_, handshake)| handshake.listener == listener);
        let requested: Vec<FlowId> = requested.map(|(flow, _)| *flow).collect();
        self.handshakes.retain(|_, handshake| handshake.listener != listener);
        (waiting, requested)
    }

    /// The listeners of the program.
    pub(super) fn all(&self) -> Vec<SocketId> {
        self.listeners.keys().copied().collect()
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
    const FIRST: SocketId = (ALL, 0);
    const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 1));
    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_listener_on_one_address_is_not_reached_by_another() {
        let mut listeners = Listeners::default();
        listeners.listen("server", (80, Some(LOOPBACK)), Manner::default(), Duration::ZERO).unwrap();
        assert_eq!(listeners.request(80, OWN, 0, 0, Duration::ZERO), Request::Refused);
        assert_eq!(listeners.request(80, LOOPBACK, 1, 0, Duration::ZERO), Request::Granted);
        assert!(listeners.listen("server", ALL, Manner::default(), Duration::ZERO).is_err(), "the port is taken");
        assert!(listeners.listen("server", (80, Some(LOOPBACK)), Manner::default(), Duration::ZERO).is_err());
        listeners.listen("server", (80, Some(OWN)), Manner::default(), Duration::ZERO).unwrap();
        assert_eq!(listeners.request(80, OWN, 2, 0, Duration::ZERO), Request::Granted);
        assert!(matches!(listeners.complete(1), Completed::Yes(_)));
        assert_eq!(listeners.accept(((80, Some(OWN)), 0), Waker::noop()), None);
        assert_eq!(listeners.accept(((80, Some(LOOPBACK)), 0), Waker::noop()), Some(1));
        listeners.stop_listening(((80, Some(LOOPBACK)), 0));
        assert!(listeners.is_used(80));
        listeners.stop_listening(((80, Some(OWN)), 0));
        assert!(!listeners.is_used(80));
    }

    #[test]
    fn one_more_connection_than_the_backlog_waits() {
        let mut listeners = Listeners::default();
        listeners.listen("server", ALL, Manner::default(), Duration::ZERO).unwrap();
        for flow in 0..=BACKLOG as FlowId {
            assert_eq!(listeners.request(80, OWN, flow, 0, Duration::ZERO), Request::Granted);
            assert!(matches!(listeners.complete(flow), Completed::Yes(_)));
        }
        assert_eq!(listeners.request(80, OWN, 1_000, 0, Duration::ZERO), Request::Dropped);
        assert_eq!(listeners.accept(FIRST, Waker::noop()), Some(0));
        // Two requests are granted while there is room for one.
        assert_eq!(listeners.request(80, OWN, 1_000, 0, Duration::ZERO), Request::Granted);
        assert_eq!(listeners.request(80, OWN, 1_001, 0, Duration::ZERO), Request::Granted);
        assert!(matches!(listeners.complete(1_000), Completed::Yes(_)));
        assert!(matches!(listeners.complete(1_001), Completed::Dropped));
        assert_eq!(listeners.accept(FIRST, Waker::noop()), Some(1));
        assert!(matches!(listeners.complete(1_001), Completed::Yes(_)));
        assert!(matches!(listeners.complete(1_001), Completed::Unknown));
    }

    #[test]
    fn a_syn_ack_is_sent_six_times_and_then_forgotten() {
        let mut listeners = Listeners::default();
        listeners.listen("server", ALL, Manner::default(), Duration::ZERO).unwrap();
        listeners.request(80, OWN, 7, 0, Duration::ZERO);
        let mut sent = Vec::new();
        while let Some(due) = listeners.next_due() {
            let (again, forgotten) = listeners.expire(due);
            sent.push((due.as_secs(), again.len(), forgotten.len()));
        }
        assert_eq!(sent, [(1, 1, 0), (3, 1, 0), (7, 1, 0), (15, 1, 0), (31, 1, 0), (63, 0, 1)]);
    }

    #[test]
    fn listeners_that_share_a_port_share_its_requests() {
        let mut listeners = Listeners::default();
        let mut listen = |shares| listeners.listen("server", ALL, Manner::new(shares, 128), Duration::ZERO);
        let (first, second) = (listen(true).unwrap(), listen(true).unwrap());
        assert!(listen(false).is_err(), "it does not share");
        for flow in 0..100 {
            assert_eq!(listeners.request(80, OWN, flow, ("client", flow), Duration::ZERO), Request::Granted);
            listeners.complete(flow);
        }
        let mut accept = |listener| (0..100).map_while(|_| listeners.accept(listener, Waker::noop())).count();
        let (by_first, by_second) = (accept(first), accept(second));
        assert!(by_first > 30 && by_second > 30 && by_first + by_second == 100, "{by_first}, {by_second}");
        listeners.stop_listening(first);
        assert_eq!(listeners.request(80, OWN, 200, 0, Duration::ZERO), Request::Granted);
        listeners.complete(200);
        assert_eq!(listeners.accept(second, Waker::noop()), Some(200));
    }
}

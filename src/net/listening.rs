//! The ports on which a machine listens, and the connections that wait there to be accepted. The kernel answers the
//! requests.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::task::Waker;
use std::time::Duration;

use super::flow::FlowId;

/// The most connections that may wait to be accepted; Linux's `net.core.somaxconn` was 128 for decades.
const BACKLOG: usize = 128;

/// A port on which a program listens.
#[derive(Debug)]
struct Listening {
    /// Until this time a slowly starting program does not listen, although it believes that it does.
    opens_at: Duration,
    queue: VecDeque<FlowId>,
    acceptor: Option<Waker>,
}

/// The answer to a request for a connection.
#[derive(Debug)]
pub(super) enum Request {
    /// The connection waits to be accepted; holds the waker of a waiting acceptor.
    Granted(Option<Waker>),
    /// No program listens.
    Refused,
    /// No program listens before this time.
    RefusedUntil(Duration),
    /// The backlog is full, so the request is silently dropped; the client will retry.
    Dropped,
}

/// The ports of one machine on which its program listens.
#[derive(Debug, Default)]
pub(super) struct Listeners(BTreeMap<u16, Listening>);

impl Listeners {
    /// Listens on a port from `opens_at` on. `name` is the machine's name, for the error.
    ///
    /// # Errors
    /// `AddrInUse` if the program already listens on the port.
    pub(super) fn listen(&mut self, name: &str, port: u16, opens_at: Duration) -> io::Result<()> {
        if self.0.contains_key(&port) {
            let text = format!("{name} already listens on port {port}; drop its other listener first");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        self.0.insert(port, Listening { opens_at, queue: VecDeque::new(), acceptor: None });
        Ok(())
    }

    /// A client requests a connection.
    pub(super) fn request(&mut self, port: u16, flow: FlowId, now: Duration) -> Request {
        match self.0.get_mut(&port) {
            None => Request::Refused,
            Some(listening) if listening.opens_at > now => Request::RefusedUntil(listening.opens_at),
            Some(listening) if listening.queue.len() >= BACKLOG => Request::Dropped,
            Some(listening) => {
                listening.queue.push_back(flow);
                Request::Granted(listening.acceptor.take())
            }
        }
    }

    /// The next connection that waits on a port, or `None`, in which case `waker` is woken when one arrives.
    pub(super) fn accept(&mut self, port: u16, waker: &Waker) -> Option<FlowId> {
        let listening = self.0.get_mut(&port)?;
        let flow = listening.queue.pop_front();
        if flow.is_none() {
            listening.acceptor = Some(waker.clone());
        }
        flow
    }

    /// Stops listening on a port; returns the connections that waited to be accepted.
    pub(super) fn stop_listening(&mut self, port: u16) -> VecDeque<FlowId> {
        self.0.remove(&port).map(|listening| listening.queue).unwrap_or_default()
    }

    /// The ports on which the program listens.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.0.keys().copied().collect()
    }

    /// Forgets all listeners, as the machine loses power.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

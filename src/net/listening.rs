//! How a machine grants connections: ports that are listened on, and connections that wait to be accepted. It knows nothing
//! of segments; the kernel says what becomes of a request.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::task::Waker;
use std::time::Duration;

use super::flow::FlowId;

/// Connections that may wait to be accepted; Linux's `net.core.somaxconn` was this for decades.
const BACKLOG: usize = 128;

/// A port on which a program listens.
#[derive(Debug)]
struct Listening {
    /// Until then a program that starts slowly does not listen, though it believes so.
    opens_at: Duration,
    queue: VecDeque<FlowId>,
    acceptor: Option<Waker>,
}

/// What becomes of a request for a connection.
#[derive(Debug)]
pub(super) enum Request {
    /// It waits to be accepted; who is to be woken.
    Granted(Option<Waker>),
    /// Nobody listens.
    Refused,
    /// Nobody listens before this time.
    RefusedUntil(Duration),
    /// A full backlog drops the request without a word; the client will ask again.
    Dropped,
}

/// The ports of one machine on which its program listens.
#[derive(Debug, Default)]
pub(super) struct Listeners(BTreeMap<u16, Listening>);

impl Listeners {
    /// The machine with this name listens on a port from this time on.
    ///
    /// # Errors
    /// `AddrInUse` if it already does.
    pub(super) fn listen(&mut self, name: &str, port: u16, opens_at: Duration) -> io::Result<()> {
        if self.0.contains_key(&port) {
            let text = format!("{name} already listens on port {port}");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        self.0.insert(port, Listening { opens_at, queue: VecDeque::new(), acceptor: None });
        Ok(())
    }

    /// A client asks for a connection.
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

    /// The next connection that waits on a port, or none, in which case `waker` is woken when there is one.
    pub(super) fn accept(&mut self, port: u16, waker: &Waker) -> Option<FlowId> {
        let listening = self.0.get_mut(&port)?;
        let flow = listening.queue.pop_front();
        if flow.is_none() {
            listening.acceptor = Some(waker.clone());
        }
        flow
    }

    /// Stops listening on a port; returns who waited to be accepted.
    pub(super) fn unlisten(&mut self, port: u16) -> VecDeque<FlowId> {
        self.0.remove(&port).map(|listening| listening.queue).unwrap_or_default()
    }

    /// The ports that are listened on.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.0.keys().copied().collect()
    }

    /// All that is known of listening is gone with the machine's power.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

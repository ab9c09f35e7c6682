//! How a kernel grants connections: ports that are listened on, and connections that wait to be accepted.

use std::collections::VecDeque;
use std::io;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use super::flow::{End, EndState, FlowId, Side};
use super::kernel::Net;
use crate::sandbox;
use crate::trace::{HostId, SegmentKind};

/// Connections that may wait to be accepted; Linux's `net.core.somaxconn` was this for decades.
const BACKLOG: usize = 128;

/// A port on which a program listens.
#[derive(Debug)]
pub(super) struct Listening {
    /// Until then a program that starts slowly does not listen, though it believes so.
    opens_at: Duration,
    queue: VecDeque<FlowId>,
    acceptor: Option<Waker>,
}

impl Net {
    /// Starts listening.
    pub(crate) fn listen(&mut self, host: HostId, port: u16) -> io::Result<()> {
        let name = &self.names[host.index()];
        let kernel = &mut self.kernels[host.index()];
        if kernel.listeners.contains_key(&port) {
            let text = format!("{name} already listens on port {port}");
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        let late = kernel.host_faults.listens_late();
        let opens_at = if late.is_zero() { Duration::ZERO } else { sandbox::now() + late };
        kernel.listeners.insert(port, Listening { opens_at, queue: VecDeque::new(), acceptor: None });
        Ok(())
    }

    /// The next connection that waits on a port, or none, in which case `waker` is woken when there is one.
    pub(crate) fn accept(&mut self, host: HostId, port: u16, waker: &Waker) -> Option<FlowId> {
        let listening = self.kernels[host.index()].listeners.get_mut(&port)?;
        let flow = listening.queue.pop_front();
        let Some(flow) = flow else {
            listening.acceptor = Some(waker.clone());
            return None;
        };
        if let Some(end) = self.flows[flow as usize].end(Side::Server) {
            end.accepted = true;
            if end.unanswered {
                self.one_more_in_flight(host, sandbox::now());
            }
        }
        Some(flow)
    }

    /// Stops listening; whoever waited to be accepted is reset.
    pub(crate) fn unlisten(&mut self, host: HostId, port: u16) {
        let Some(listening) = self.kernels[host.index()].listeners.remove(&port) else { return };
        for flow in listening.queue {
            self.abort(flow, Side::Server);
        }
    }

    pub(super) fn arrive_syn(&mut self, host: HostId, flow: FlowId, now: Duration) {
        let port = self.flows[flow as usize].key.port;
        match self.flows[flow as usize].ends[Side::Server.index()].as_ref().map(|end| end.state) {
            None => {}
            // A firewall reset this end while the client went on asking: its connection is gone.
            Some(EndState::Reset) => return self.send(flow, Side::Server, SegmentKind::Rst, Bytes::new(), 0),
            // The grant was lost, and the client asked again.
            Some(_) => return self.send(flow, Side::Server, SegmentKind::SynAck, Bytes::new(), 0),
        }
        match self.kernels[host.index()].listeners.get_mut(&port) {
            None => self.send(flow, Side::Server, SegmentKind::Rst, Bytes::new(), 0),
            Some(listening) if listening.opens_at > now => {
                let opens_at = listening.opens_at;
                self.refused_at_start(host, port, opens_at, now);
                self.send(flow, Side::Server, SegmentKind::Rst, Bytes::new(), 0);
            }
            // A full backlog drops the request without a word; the client will ask again.
            Some(listening) if listening.queue.len() >= BACKLOG => {}
            Some(listening) => {
                listening.queue.push_back(flow);
                let acceptor = listening.acceptor.take();
                let end = End::new(EndState::Open);
                self.wake.extend(acceptor);
                self.flows[flow as usize].ends[Side::Server.index()] = Some(end);
                self.send(flow, Side::Server, SegmentKind::SynAck, Bytes::new(), 0);
            }
        }
    }
}

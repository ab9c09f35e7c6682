//! What becomes of a datagram for which there is no socket: the kernel answers it (ICMP port unreachable), and a socket
//! that is connected to that port learns that nobody has it.

use bytes::Bytes;

use super::bound::receivers;
use super::datagram::sharing_inboxes;
use super::flow::{FlowId, Side};
use super::kernel::Net;
use crate::sandbox;
use crate::trace::{HostId, SegmentKind};

impl Net {
    /// Answers a datagram that no socket of this machine receives, unless its sender has had many answers of late.
    pub(super) fn refuse_datagram(&mut self, host: HostId, flow: FlowId) {
        let sender = self.flows[flow as usize].key.from;
        // As on Linux, the limit is one of what leaves the machine.
        if sender == host || self.kernels[host.index()].answers.entry(sender).or_default().take(sandbox::now()) {
            self.send(flow, Side::Server, SegmentKind::Unreachable, Bytes::new(), 0);
        }
    }

    /// Such an answer reaches the sender of the datagram. Only a socket that is connected to that port hears of it.
    pub(super) fn arrive_unreachable(&mut self, host: HostId, flow: FlowId) {
        let (own, peer) = (self.local_address(flow, Side::Client), self.local_address(flow, Side::Server));
        let inboxes = &mut self.kernels[host.index()].inboxes;
        let connected = receivers(own.port(), own.ip()).into_iter().find_map(|bound| {
            sharing_inboxes(inboxes, bound).find(|(_, inbox)| inbox.peer == Some(peer)).map(|(socket, _)| *socket)
        });
        if let Some(inbox) = connected.and_then(|socket| inboxes.get_mut(&socket)) {
            inbox.refuse(&mut self.wake);
        }
    }
}

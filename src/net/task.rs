//! The network card of one machine: receives tickets from turmoil, and wakes the kernel when a segment is due.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use turmoil::net::UdpSocket;

use super::kernel::{CARD_PORT, Net};
use super::shared::SharedNet;
use crate::sandbox;
use crate::trace::HostId;

/// Runs the kernel of one machine for one life of its program, or for the idle time between two lives.
pub(crate) async fn run_kernel(net: SharedNet, host: HostId) {
    let bound = net.lock().kernels[host.index()].card.clone();
    let card = match bound {
        Some(card) => card,
        None => {
            let card = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, CARD_PORT)).await;
            let card = Arc::new(card.expect("the card's port is bound once for each machine"));
            net.lock().kernels[host.index()].card = Some(card.clone());
            card
        }
    };
    let mut ticket = [0_u8; 4];
    loop {
        let next = receive_due(&net, host, &card);
        let wait_until = async {
            match next {
                // The sleep is relative to now, because each life has its own clock.
                Some(due) => tokio::time::sleep(due.saturating_sub(sandbox::now())).await,
                None => std::future::pending().await,
            }
        };
        let woken = std::future::poll_fn(|context| {
            let mut net = net.lock();
            let kernel = &mut net.kernels[host.index()];
            // An empty slot means that the waker was taken to wake this task.
            if kernel.task.is_none() {
                kernel.task = Some(context.waker().clone());
                let threads = sandbox::next_wake_of_threads(host.index());
                if !kernel.outbox.is_empty() || kernel.next_due().into_iter().chain(threads).min() != next {
                    return std::task::Poll::Ready(());
                }
            }
            std::task::Poll::Pending
        });
        tokio::select! {
            biased;
            received = card.recv_from(&mut ticket) => {
                if received.is_ok() {
                    net.lock().enqueue(host, ticket);
                }
            }
            () = wait_until => {}
            () = woken => {}
        }
        net.lock().kernels[host.index()].task = None;
    }
}

/// Sends the outbox, receives all tickets and processes all segments that are due; returns when the next one is due.
fn receive_due(net: &SharedNet, host: HostId, card: &UdpSocket) -> Option<Duration> {
    let mut net = net.lock();
    net.flush(host);
    let mut ticket = [0_u8; 4];
    while card.try_recv_from(&mut ticket).is_ok() {
        net.enqueue(host, ticket);
    }
    let threads = sandbox::next_wake_of_threads(host.index());
    net.process(host, sandbox::now()).into_iter().chain(threads).min()
}

impl Net {
    fn enqueue(&mut self, host: HostId, ticket: [u8; 4]) {
        let id = u32::from_le_bytes(ticket);
        self.kernels[host.index()].arrivals.extend(self.packets.arrival(id));
    }
}

//! Releases due datagrams from turmoil's links, and decides about segments of code on plain turmoil sockets.

use std::collections::VecDeque;
use std::time::Duration;

use turmoil::{Protocol, Segment, SentRef, Sim};

use super::link::within;
use super::links::Links;
use crate::net::kernel::{CARD_PORT, Net};

/// A segment of a plain turmoil socket. Turmoil appends new segments to a link's queue, so its position there
/// identifies it.
#[derive(Debug)]
struct Foreign {
    due: Option<Duration>,
    forward: bool,
    released: bool,
}

/// Segments of code on plain turmoil sockets, by link in turmoil's order.
#[derive(Debug, Default)]
pub(super) struct ForeignSegments(Vec<VecDeque<Foreign>>);

impl ForeignSegments {
    /// Releases the datagrams of all segments that arrive before `step_end`, at the start of the step.
    pub(super) fn release(
        &mut self,
        wire_links: &mut Links,
        net: &Net,
        sim: &Sim<'_>,
        now: Duration,
        step_end: Duration,
    ) {
        sim.links(|links| {
            for (index, link) in links.enumerate() {
                if self.0.len() <= index {
                    self.0.push(VecDeque::new());
                }
                self.0[index].retain(|foreign| !foreign.released);
                let mut place = 0;
                let pair = link.pair();
                for sent in link {
                    match ticket(&sent) {
                        Some(id) => {
                            // The segment of an unknown ticket is gone already: its datagram passes, to be discarded.
                            if net.packets.get(id).is_none_or(|packet| packet.due < step_end) {
                                sent.deliver();
                            }
                        }
                        None => {
                            let forward = sent.pair().0.ip() == pair.0;
                            self.decide(wire_links, index, place, &sent, forward, now);
                            let foreign = &mut self.0[index][place];
                            place += 1;
                            if foreign.due.is_some_and(|due| due < step_end) {
                                foreign.released = true;
                                sent.deliver();
                            }
                        }
                    }
                }
            }
        });
    }

    /// Decides about a segment of a plain turmoil socket: latency and partitions, exact to a step.
    fn decide(
        &mut self,
        links: &mut Links,
        index: usize,
        place: usize,
        sent: &SentRef<'_>,
        forward: bool,
        now: Duration,
    ) {
        let (from, to) = (host_at(sent.pair().0.ip()), host_at(sent.pair().1.ip()));
        let known = links.by_host.len();
        let link = (from < known && to < known).then(|| &links.by_host[from][to]);
        let is_new = place == self.0[index].len();
        if is_new {
            self.0[index].push_back(Foreign { due: None, forward, released: false });
        } else if self.0[index][place].due.is_some() {
            return;
        }
        let from_program = !matches!(sent.protocol(), Protocol::Tcp(Segment::Syn(_) | Segment::Rst));
        if let Some((fault, _)) = link.and_then(|link| link.block(from_program)) {
            if is_new {
                links.effects[fault as usize] += 1;
            }
            return;
        }
        let latency = link.map_or(Duration::ZERO, |link| {
            let unit = links.seed.decide_unit("turmoil latency", &[from as u64, to as u64, now.as_nanos() as u64]);
            within(&link.latency, unit)
        });
        // Turmoil's streams sort segments on arrival, but none may overtake another on the way either.
        let ahead = self.0[index].iter().take(place).filter(|f| f.forward == forward).filter_map(|f| f.due).max();
        self.0[index][place].due = Some((now + latency).max(ahead.unwrap_or_default()));
    }
}

fn ticket(sent: &SentRef<'_>) -> Option<u32> {
    match sent.protocol() {
        Protocol::Udp(datagram) if sent.pair().1.port() == CARD_PORT => {
            Some(u32::from_le_bytes(datagram.0.as_ref().try_into().ok()?))
        }
        Protocol::Udp(_) | Protocol::Tcp(Segment::Syn(_) | Segment::Data(..) | Segment::Fin(_) | Segment::Rst) => None,
    }
}

fn host_at(ip: std::net::IpAddr) -> usize {
    match ip {
        std::net::IpAddr::V4(ip) => (u32::from(ip) & 0xffff) as usize - 1,
        std::net::IpAddr::V6(_) => usize::MAX,
    }
}

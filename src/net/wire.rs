//! The wire between the machines: it decides once for each segment when it arrives, if ever. It knows nothing of what
//! the kernels make of it.
//!
//! Every decision is a hash of the seed and of what is decided (connection, direction, n-th segment, n-th attempt), so
//! that taking one fault away leaves all other decisions as they were.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use turmoil::{Protocol, Segment, SentRef, Sim};

use super::flow::{Flow, Packet, Side};
use super::kernel::{CARD_PORT, Net};
use crate::fault::TRANSMISSIONS;
use crate::seed::Seed;
use crate::trace::{Event, FlowKey, HostId, SegmentKind};

/// What Linux adds to the round trip before it sends bytes again (`TCP_RTO_MIN`).
const RETRANSMIT_AFTER: Duration = Duration::from_millis(200);
/// No retransmission timeout grows beyond this (`TCP_RTO_MAX`).
const RETRANSMIT_CAP: Duration = Duration::from_secs(120);

/// How links behave when nothing is wrong.
#[derive(Clone, Debug)]
pub(crate) struct WireSettings {
    pub(crate) seed: Seed,
    /// One-way latency of every link.
    pub(crate) latency: Range<Duration>,
    /// One-way latency of some links, both ways.
    pub(crate) latencies: Vec<(HostId, HostId, Range<Duration>)>,
}

/// Why nothing passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// Segments are lost, and sent again by their kernels.
    Partition,
    /// Segments wait.
    Hold,
}

/// What becomes of single segments, by connection, direction (true from the connecting host on) and number: which of
/// their transmissions are lost (bit n for the n-th), and by how much they are late.
pub(crate) type Fates = BTreeMap<(FlowKey, bool, u32), (u32, Duration)>;

/// What is wrong with one direction of a link.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LinkFault {
    Block(BlockKind),
    Loss { rate: f64, until: Duration },
    Latency { at_least: Duration, at_most: Duration },
    Segments(Arc<Fates>),
}

/// What one fault did to one segment.
#[derive(Debug)]
struct Hit {
    fault: u32,
    /// Bit n for the n-th transmission.
    lost: u32,
    extra: Duration,
}

/// The entry of a fault, made if there is none. Nothing is allocated for segments that nothing befalls.
fn hit(hits: &mut Vec<Hit>, fault: u32) -> &mut Hit {
    let index = hits.iter().position(|hit| hit.fault == fault).unwrap_or_else(|| {
        hits.push(Hit { fault, lost: 0, extra: Duration::ZERO });
        hits.len() - 1
    });
    &mut hits[index]
}

#[derive(Debug)]
struct Link {
    latency: Range<Duration>,
    faults: Vec<(u32, LinkFault)>,
    stalled: Vec<u32>,
}

impl Link {
    fn block(&self) -> Option<(u32, BlockKind)> {
        let blocks = self.faults.iter().filter_map(|(fault, what)| match what {
            LinkFault::Block(kind) => Some((*fault, *kind)),
            _ => None,
        });
        // A partition beside a hold loses what asks for a connection, so it goes first.
        blocks.min_by_key(|(_, kind)| *kind == BlockKind::Hold)
    }

    fn retransmission_timeout(&self) -> Duration {
        self.latency.start + self.latency.end + RETRANSMIT_AFTER
    }
}

/// Decides the fate of all segments.
#[derive(Debug)]
pub(crate) struct Wire {
    seed: Seed,
    links: Vec<Vec<Link>>,
    /// Segments of code on plain turmoil sockets, by link in turmoil's order.
    foreign: Vec<VecDeque<Foreign>>,
    /// How often each fault of the plan changed something.
    pub(crate) bites: Vec<u64>,
}

/// A segment that is not Squall's own. Turmoil appends new ones to a link's queue, so that its place there names it.
#[derive(Debug)]
struct Foreign {
    due: Option<Duration>,
    forward: bool,
    released: bool,
}

impl Wire {
    pub(crate) fn new(settings: &WireSettings, hosts: usize, faults: usize) -> Wire {
        let link = |from: usize, to: usize| {
            let of_pair = |(a, b, _): &&(HostId, HostId, Range<Duration>)| {
                (a.index(), b.index()) == (from, to) || (a.index(), b.index()) == (to, from)
            };
            let own = settings.latencies.iter().rev().find(of_pair);
            let latency = own.map_or(&settings.latency, |(_, _, latency)| latency).clone();
            Link { latency, faults: Vec::new(), stalled: Vec::new() }
        };
        let links = (0..hosts).map(|from| (0..hosts).map(|to| link(from, to)).collect()).collect();
        Wire { seed: settings.seed, links, foreign: Vec::new(), bites: vec![0; faults] }
    }

    /// Something begins to be wrong with the link from one host to another, in this direction.
    pub(crate) fn begin(&mut self, from: HostId, to: HostId, fault: u32, what: LinkFault) {
        self.links[from.index()][to.index()].faults.push((fault, what));
    }

    /// A fault of this direction is over. If nothing else blocks it, what waited goes on.
    pub(crate) fn end(&mut self, net: &mut Net, from: HostId, to: HostId, fault: u32, now: Duration) {
        let link = &mut self.links[from.index()][to.index()];
        let ended = link.faults.iter().find(|(id, _)| *id == fault).map(|(_, what)| what.clone());
        link.faults.retain(|(id, _)| *id != fault);
        if link.block().is_some() {
            return;
        }
        let stalled = std::mem::take(&mut link.stalled);
        for id in stalled {
            let Some(packet) = net.packets.get(id) else { continue };
            let attempt = match ended {
                // What was held was on its way; what was lost is sent again at its sender's next attempt.
                Some(LinkFault::Block(BlockKind::Hold)) => {
                    now.saturating_sub(self.links[from.index()][to.index()].latency.start)
                }
                _ => next_attempt(packet.sent_at, now, self.links[from.index()][to.index()].retransmission_timeout()),
            };
            self.schedule(net, id, attempt);
        }
    }

    /// When a sender tries again to reach a machine that has power again at `now`.
    pub(crate) fn next_arrival(&self, packet: &Packet, flow: &Flow, now: Duration) -> Duration {
        let (from, to) = (flow.host(packet.side), flow.host(packet.side.other()));
        let link = &self.links[from.index()][to.index()];
        next_attempt(packet.sent_at, now, link.retransmission_timeout()) + link.latency.start
    }

    /// Decides about all segments that were sent since the last call.
    pub(crate) fn decide(&mut self, net: &mut Net) {
        let undecided = std::mem::take(&mut net.undecided);
        for id in &undecided {
            let Some(packet) = net.packets.get(*id) else { continue };
            let sent_at = packet.sent_at;
            let flow = &net.flows[packet.flow as usize];
            let (from, to, key, kind) = (flow.host(packet.side), flow.host(packet.side.other()), flow.key, packet.kind);
            let Some((fault, block)) = self.links[from.index()][to.index()].block() else {
                self.schedule(net, *id, sent_at);
                continue;
            };
            self.bites[fault as usize] += 1;
            let event = Event::Bitten {
                fault: Some(fault),
                flow: key,
                forward: packet.side == Side::Client,
                segment: packet.ordinal,
                kind,
                lost: 0,
                extra: Duration::ZERO,
                late: None,
            };
            net.tape.lock().trace.push(sent_at, Some(from), event);
            if block == BlockKind::Partition && is_sent_once(kind) {
                drop_packet(net, *id, sent_at);
            } else {
                self.links[from.index()][to.index()].stalled.push(*id);
            }
        }
        net.undecided = undecided;
        net.undecided.clear();
    }

    /// The segment is transmitted at `first`, and again until it gets through.
    fn schedule(&mut self, net: &mut Net, id: u32, first: Duration) {
        let Some(packet) = net.packets.get(id) else { return };
        let flow = &net.flows[packet.flow as usize];
        let (side, kind, sent_at, key) = (packet.side, packet.kind, packet.sent_at, flow.key);
        let (from, to) = (flow.host(side), flow.host(side.other()));
        let link = &self.links[from.index()][to.index()];
        let name = |attempt: u32| {
            let segment = (u64::from(packet.ordinal) << 1) | side.index() as u64;
            let hosts = (u64::from(key.from.0) << 32) | (u64::from(key.to.0) << 16) | u64::from(key.port);
            [hosts, u64::from(key.ordinal), segment, u64::from(attempt)]
        };
        let (segment, forward) = (packet.ordinal, side == Side::Client);
        let mut at = first;
        let mut attempt = 0;
        let mut hits = Vec::new();
        while let Some(fault) = lost(self.seed, link, &(key, forward, segment), &name(attempt), at) {
            hit(&mut hits, fault).lost |= 1 << attempt;
            self.bites[fault as usize] += 1;
            attempt += 1;
            if is_sent_once(kind) || attempt == TRANSMISSIONS {
                break;
            }
            at = next_attempt(sent_at, at + Duration::from_nanos(1), link.retransmission_timeout());
        }
        let is_dropped = !hits.is_empty() && is_sent_once(kind);
        let mut latency = Duration::ZERO;
        if !is_dropped {
            latency = within(&link.latency, self.seed.decide_unit("latency", &name(attempt)));
            for (fault, what) in &link.faults {
                let extra = match what {
                    LinkFault::Latency { at_least, at_most } => {
                        let unit = self.seed.decide_unit("extra latency", &name(attempt));
                        within(&(*at_least..*at_most), unit)
                    }
                    LinkFault::Segments(fates) => fates.get(&(key, forward, segment)).map_or(Duration::ZERO, |f| f.1),
                    _ => Duration::ZERO,
                };
                if !extra.is_zero() {
                    self.bites[*fault as usize] += 1;
                    hit(&mut hits, *fault).extra += extra;
                }
                latency += extra;
            }
        }
        let late = (!is_dropped).then(|| at + latency - sent_at);
        for Hit { fault, lost, extra } in hits {
            let event = Event::Bitten { fault: Some(fault), flow: key, forward, segment, kind, lost, extra, late };
            net.tape.lock().trace.push(sent_at, Some(from), event);
        }
        if is_dropped {
            return drop_packet(net, id, sent_at);
        }
        let flow = packet_flow(net, id);
        let flow = &mut net.flows[flow];
        let due = (at + latency).max(flow.last_due[side.index()]);
        flow.last_due[side.index()] = due;
        if let Some(packet) = net.packets.get_mut(id) {
            packet.due = due;
        }
    }

    /// Releases the datagrams of all segments that arrive before `step_end`, at the start of the step.
    pub(crate) fn release(&mut self, net: &mut Net, sim: &Sim<'_>, now: Duration, step_end: Duration) {
        sim.links(|links| {
            for (index, link) in links.enumerate() {
                if self.foreign.len() <= index {
                    self.foreign.push(VecDeque::new());
                }
                self.foreign[index].retain(|foreign| !foreign.released);
                let mut place = 0;
                let pair = link.pair();
                for sent in link {
                    match ticket(&sent) {
                        Some(id) => {
                            // An unknown ticket was dropped at its sender's or receiver's end: let it pass, to be thrown away.
                            if net.packets.get(id).is_none_or(|packet| packet.due < step_end) {
                                sent.deliver();
                            }
                        }
                        None => {
                            let forward = sent.pair().0.ip() == pair.0;
                            self.release_foreign(index, place, &sent, forward, now);
                            let foreign = &mut self.foreign[index][place];
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
    fn release_foreign(&mut self, index: usize, place: usize, sent: &SentRef<'_>, forward: bool, now: Duration) {
        let (from, to) = (host_at(sent.pair().0.ip()), host_at(sent.pair().1.ip()));
        let known = self.links.len();
        let link = (from < known && to < known).then(|| &self.links[from][to]);
        let is_new = place == self.foreign[index].len();
        if is_new {
            self.foreign[index].push_back(Foreign { due: None, forward, released: false });
        } else if self.foreign[index][place].due.is_some() {
            return;
        }
        if let Some((fault, _)) = link.and_then(Link::block) {
            if is_new {
                self.bites[fault as usize] += 1;
            }
            return;
        }
        let latency = link.map_or(Duration::ZERO, |link| {
            let unit = self.seed.decide_unit("turmoil latency", &[from as u64, to as u64, now.as_nanos() as u64]);
            within(&link.latency, unit)
        });
        // Turmoil's streams put segments in order, but none may overtake another on the way either.
        let ahead = self.foreign[index].iter().take(place).filter(|f| f.forward == forward).filter_map(|f| f.due).max();
        self.foreign[index][place].due = Some((now + latency).max(ahead.unwrap_or_default()));
    }
}

fn packet_flow(net: &Net, id: u32) -> usize {
    net.packets.get(id).map_or(0, |packet| packet.flow as usize)
}

/// Whether a kernel sends such a segment only when its peer or program asks for it again.
fn is_sent_once(kind: SegmentKind) -> bool {
    matches!(kind, SegmentKind::Syn | SegmentKind::SynAck | SegmentKind::Rst)
}

fn drop_packet(net: &mut Net, id: u32, at: Duration) {
    if let Some(packet) = net.packets.get_mut(id) {
        packet.dropped = true;
        packet.due = at;
    }
}

/// The first transmission at or after `now` of a segment first sent at `sent_at`: after the timeout, then at twice its
/// distance each time (RFC 6298, section 5).
fn next_attempt(sent_at: Duration, now: Duration, timeout: Duration) -> Duration {
    let (mut at, mut gap) = (sent_at, timeout);
    while at < now {
        at += gap;
        gap = (gap * 2).min(RETRANSMIT_CAP);
    }
    at
}

/// The fault that loses this transmission of a segment, if any.
fn lost(seed: Seed, link: &Link, segment: &(FlowKey, bool, u32), name: &[u64; 4], at: Duration) -> Option<u32> {
    link.faults.iter().find_map(|(fault, what)| match what {
        LinkFault::Loss { rate, until } if at < *until => (seed.decide_unit("loss", name) < *rate).then_some(*fault),
        LinkFault::Segments(fates) => {
            let (lost, _) = fates.get(segment)?;
            (lost >> name[3] & 1 == 1).then_some(*fault)
        }
        _ => None,
    })
}

fn within(range: &Range<Duration>, unit: f64) -> Duration {
    range.start + range.end.saturating_sub(range.start).mul_f64(unit)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_double_from_the_first_transmission() {
        let ms = Duration::from_millis;
        let sent = ms(1_000);
        for (now, expected) in [(900, 1_000), (1_000, 1_000), (1_001, 1_250), (1_251, 1_750), (1_751, 2_750)] {
            assert_eq!(next_attempt(sent, ms(now), ms(250)), ms(expected), "at {now} ms");
        }
    }
}

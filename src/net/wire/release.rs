//! Decides about the segments of code on plain turmoil sockets, and releases those that are due from turmoil's links.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use turmoil::{Protocol, Segment, SentRef, Sim};

use super::link::within;
use super::links::Links;
use crate::trace::HostId;

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
    /// Releases the segments that arrive before `step_end`, at the start of the step.
    pub(super) fn release(&mut self, wire_links: &mut Links, sim: &Sim<'_>, now: Duration, step_end: Duration) {
        sim.links(|links| {
            let mut index = 0;
            #[expect(
                clippy::explicit_counter_loop,
                reason = "`enumerate` doubles the cost in a build without inlining"
            )]
            for mut link in links {
                // Nearly all links are empty in nearly all steps.
                if let Some(first) = link.next() {
                    let pair = link.pair();
                    self.release_on(wire_links, index, pair.0, std::iter::once(first).chain(link), now, step_end);
                }
                index += 1;
            }
        });
    }

    #[cold]
    fn release_on<'a>(
        &mut self,
        wire_links: &mut Links,
        index: usize,
        lower: IpAddr,
        link: impl Iterator<Item = SentRef<'a>>,
        now: Duration,
        step_end: Duration,
    ) {
        if self.0.len() <= index {
            self.0.resize_with(index + 1, VecDeque::new);
        }
        self.0[index].retain(|foreign| !foreign.released);
        for (place, sent) in link.enumerate() {
            let forward = sent.pair().0.ip() == lower;
            self.decide(wire_links, index, place, &sent, forward, now);
            let foreign = &mut self.0[index][place];
            if foreign.due.is_some_and(|due| due < step_end) {
                foreign.released = true;
                sent.deliver();
            }
        }
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
        let link = (from < known && to < known).then(|| links.between(HostId(from as u16), HostId(to as u16)));
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

fn host_at(ip: IpAddr) -> usize {
    match ip {
        IpAddr::V4(ip) => (u32::from(ip) & 0xffff) as usize - 1,
        IpAddr::V6(_) => usize::MAX,
    }
}

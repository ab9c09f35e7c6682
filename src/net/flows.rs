//! All connections of a world that somebody may still ask about. One that both programs and both kernels have done with is
//! forgotten, so that a long run does not grow with every connection that it has had.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::{Index, IndexMut};
use std::time::Duration;

use super::flow::{Flow, FlowId, Side};
use crate::trace::{FlowKey, HostId};

/// So many connections are opened at least before the next look for those to forget.
const FEW: usize = 256;

/// The connections of a world, by their numbers, which are never given again.
#[derive(Debug)]
pub(crate) struct Flows {
    /// The number of the first slot.
    first: FlowId,
    slots: VecDeque<Option<Box<Flow>>>,
    /// The connections of each host, in the order in which they were opened.
    of_host: Vec<Vec<FlowId>>,
    /// How many are not forgotten.
    live: usize,
    /// How many were opened since the last look.
    opened: usize,
    /// What a number stands for whose connection is forgotten: nobody holds an end of it, or knows it.
    forgotten: Flow,
}

impl Flows {
    pub(super) fn new(hosts: usize) -> Flows {
        let nobody = FlowKey { from: HostId::UNKNOWN, to: HostId::UNKNOWN, port: 0, ordinal: 0 };
        let mut forgotten = Flow::new(nobody, IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        forgotten.gone_at = [Some(Duration::ZERO); 2];
        let of_host = vec![Vec::new(); hosts];
        Flows { first: 0, slots: VecDeque::new(), of_host, live: 0, opened: 0, forgotten }
    }

    /// The number of the next connection.
    pub(super) fn next(&self) -> FlowId {
        self.first + self.slots.len() as FlowId
    }

    pub(super) fn push(&mut self, flow: Flow) -> FlowId {
        let id = self.next();
        self.of_host[flow.key.from.index()].push(id);
        if flow.key.to != flow.key.from {
            self.of_host[flow.key.to.index()].push(id);
        }
        self.slots.push_back(Some(Box::new(flow)));
        (self.live, self.opened) = (self.live + 1, self.opened + 1);
        id
    }

    /// The sides of the connections of a machine that are not forgotten.
    pub(super) fn sides_of(&self, host: HostId) -> Vec<(FlowId, Side)> {
        let sides = |id: FlowId| [(id, Side::Client), (id, Side::Server)];
        let sides = self.of_host[host.index()].iter().flat_map(|id| sides(*id));
        sides.filter(|(id, side)| self[*id as usize].host(*side) == host).collect()
    }

    /// The connections from one machine to another with at least this number, those that are forgotten left out.
    pub(super) fn between(&self, from: HostId, to: HostId, least: FlowId) -> impl Iterator<Item = FlowId> {
        let of_host = &self.of_host[from.index()];
        let begin = of_host.partition_point(|id| *id < least);
        of_host[begin..].iter().copied().filter(move |id| {
            let key = self[*id as usize].key;
            (key.from, key.to) == (from, to)
        })
    }

    /// Whether it is time to look for connections to forget: often enough that few are kept, and seldom enough that it costs
    /// next to nothing for each connection.
    pub(super) fn is_time_to_forget(&self) -> bool {
        self.opened > FEW.max(self.live / 2)
    }

    /// Forgets the connections of which nobody holds an end, unless `is_needed` says that somebody still asks about one.
    pub(super) fn forget_all_but(&mut self, is_needed: &BTreeSet<FlowId>) {
        self.opened = 0;
        for (place, slot) in self.slots.iter_mut().enumerate() {
            let id = self.first + place as FlowId;
            if slot.as_ref().is_some_and(|flow| flow.ends.iter().all(Option::is_none)) && !is_needed.contains(&id) {
                *slot = None;
                self.live -= 1;
            }
        }
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        let Flows { first, slots, of_host, .. } = self;
        let is_kept = |id: &FlowId| {
            let place = id.checked_sub(*first);
            place.is_some_and(|place| slots[place as usize].is_some())
        };
        of_host.iter_mut().for_each(|ids| ids.retain(is_kept));
    }
}

impl Index<usize> for Flows {
    type Output = Flow;

    #[inline]
    fn index(&self, id: usize) -> &Flow {
        let place = id.wrapping_sub(self.first as usize);
        self.slots.get(place).and_then(Option::as_deref).unwrap_or(&self.forgotten)
    }
}

impl IndexMut<usize> for Flows {
    #[inline]
    fn index_mut(&mut self, id: usize) -> &mut Flow {
        let place = id.wrapping_sub(self.first as usize);
        match self.slots.get_mut(place).and_then(Option::as_deref_mut) {
            Some(flow) => flow,
            None => &mut self.forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::flow::{End, EndState};

    fn opened(flows: &mut Flows, from: u16, to: u16) -> FlowId {
        let key = FlowKey { from: HostId(from), to: HostId(to), port: 80, ordinal: flows.next() };
        let mut flow = Flow::new(key, IpAddr::V4(Ipv4Addr::LOCALHOST), 49_152);
        flow.ends[Side::Client.index()] = Some(End::new(EndState::Open));
        flows.push(flow)
    }

    /// Opens and closes this many connections, and forgets those that are over whenever it is time.
    fn come_and_go(flows: &mut Flows, count: u32, needed: &BTreeSet<FlowId>) {
        for _ in 0..count {
            if flows.is_time_to_forget() {
                flows.forget_all_but(needed);
            }
            let id = opened(flows, 0, 1);
            flows[id as usize].ends[Side::Client.index()] = None;
        }
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_is_held_or_asked_about_is_not() {
        let mut flows = Flows::new(3);
        come_and_go(&mut flows, 100, &BTreeSet::new());
        let held = opened(&mut flows, 0, 2);
        let needed = opened(&mut flows, 1, 1);
        flows[needed as usize].ends = [None, None];
        come_and_go(&mut flows, 64_000, &BTreeSet::from([needed]));
        assert!(flows.live <= FEW + 3 && flows.of_host[0].len() <= FEW + 3, "{} of 64,102", flows.live);
        assert_eq!(flows.next(), 64_102, "no number is given again");
        assert_eq!(flows.sides_of(HostId(2)), [(held, Side::Server)]);
        // A connection to itself has both of its sides on one machine.
        assert!(flows.sides_of(HostId(1)).starts_with(&[(needed, Side::Client), (needed, Side::Server)]));
        assert_eq!(flows.between(HostId(0), HostId(2), 0).collect::<Vec<_>>(), [held]);
        assert_eq!(flows.between(HostId(0), HostId(2), held + 1).count(), 0);
        assert_eq!(flows[held as usize].key.ordinal, held);
        let over = &flows[0];
        assert!(over.ends.iter().all(Option::is_none) && !over.is_known(Side::Client, Duration::from_nanos(1)));
        // Once nothing holds it, what comes before it goes, too.
        flows[held as usize].ends = [None, None];
        flows.forget_all_but(&BTreeSet::new());
        assert_eq!((flows.live, flows.slots.len(), flows.of_host[2].len()), (0, 0, 0));
    }
}

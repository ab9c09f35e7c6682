//! The names and addresses of the hosts, and the faults of name lookups. The world sets the active faults.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::history::SharedRecording;
use crate::trace::{Event, HostId};

/// The address of the host with this index: from 192.168.0.1 on, as turmoil assigns them.
pub(crate) fn address(index: usize) -> IpAddr {
    let [_, _, high, low] = (index as u32 + 1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(192, 168, high, low))
}

/// The IPv6 address of the host with this index: from fd00::c0a8:1 on, beside its IPv4 address.
pub(crate) fn address_v6(index: usize) -> IpAddr {
    let [_, _, high, low] = (index as u32 + 1).to_be_bytes();
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0xc0a8, u16::from_be_bytes([high, low])))
}

/// The address that a text writes out, with or without the brackets of a URL.
pub(super) fn literal(text: &str) -> Option<IpAddr> {
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address is one of the host with this index: its own, or a loopback address.
pub(super) fn is_own(index: usize, ip: IpAddr) -> bool {
    ip.is_loopback() || ip == address(index) || ip == address_v6(index)
}

/// The address from which the host with this index sends to another.
pub(super) fn source(index: usize, to: IpAddr) -> IpAddr {
    match to {
        to if to.is_loopback() => to,
        IpAddr::V4(_) => address(index),
        IpAddr::V6(_) => address_v6(index),
    }
}

/// The kinds of faults of a name lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameTrouble {
    /// The answer is late by this much.
    Late(Duration),
    /// The answer is an address that no host has.
    Dead,
    /// The answer is that no such name exists.
    Nothing,
}

/// A fault of one host's lookups of another host's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameFault {
    pub(crate) fault: u32,
    pub(crate) from: HostId,
    pub(crate) to: HostId,
    pub(crate) trouble: NameTrouble,
}

/// The result of a name lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    Host,
    Nobody,
    Nothing,
}

/// The names of all hosts, and the active faults of their lookups.
#[derive(Debug)]
pub(crate) struct Names {
    hosts: Vec<String>,
    /// Names for other hosts.
    pub(crate) aliases: BTreeMap<String, Vec<HostId>>,
    /// The active faults, in the order of the plan.
    pub(crate) faults: Vec<NameFault>,
    /// How often each fault was effective here.
    pub(super) effects: BTreeMap<u32, u64>,
    recording: SharedRecording,
}

impl Names {
    pub(super) fn new(hosts: Vec<String>, recording: SharedRecording) -> Names {
        Names { hosts, aliases: BTreeMap::new(), faults: Vec::new(), effects: BTreeMap::new(), recording }
    }

    /// The name of a host.
    pub(super) fn of(&self, host: HostId) -> &str {
        &self.hosts[host.index()]
    }

    /// The hosts with this name or address as `from` sees them, with their addresses; none if nobody has it.
    pub(super) fn hosts(&self, from: HostId, name: &str) -> Vec<(HostId, IpAddr)> {
        match self.aliases.get(name) {
            Some(hosts) => hosts.iter().map(|host| (*host, address(host.index()))).collect(),
            None => self.host(from, name).into_iter().collect(),
        }
    }

    /// Lets a name stand for other hosts from now on; returns whether it is one.
    pub(super) fn point(&mut self, name: &str, hosts: Vec<HostId>) -> bool {
        let known = self.aliases.get_mut(name);
        known.map(|known| *known = hosts).is_some()
    }

    /// The host with this name or address as `from` sees it, and its address. `localhost`, the loopback addresses, and
    /// the unspecified ones stand for `from` itself.
    pub(super) fn host(&self, from: HostId, name: &str) -> Option<(HostId, IpAddr)> {
        if let Some(index) = self.hosts.iter().position(|known| known == name) {
            return Some((HostId(index as u16), address(index)));
        }
        if name == "localhost" {
            return Some((from, Ipv4Addr::LOCALHOST.into()));
        }
        match literal(name)? {
            ip if ip.is_loopback() => Some((from, ip)),
            IpAddr::V4(ip) if ip.is_unspecified() => Some((from, Ipv4Addr::LOCALHOST.into())),
            IpAddr::V6(ip) if ip.is_unspecified() => Some((from, Ipv6Addr::LOCALHOST.into())),
            ip => {
                let index = (0..self.hosts.len()).find(|index| [address(*index), address_v6(*index)].contains(&ip))?;
                Some((HostId(index as u16), ip))
            }
        }
    }

    /// How much later than usual a host receives the address of another.
    pub(super) fn lookup_delay(&mut self, from: HostId, to: HostId, now: Duration) -> Duration {
        let mut late = Duration::ZERO;
        for index in 0..self.faults.len() {
            let name = self.faults[index];
            if let NameTrouble::Late(by) = name.trouble
                && (name.from, name.to) == (from, to)
            {
                late += by;
                self.record_effect(name, now);
            }
        }
        late
    }

    /// The result of one host's lookup of another host's name.
    pub(super) fn look_up(&mut self, from: HostId, to: HostId, now: Duration) -> Resolution {
        let of_these = |name: &&NameFault| (name.from, name.to) == (from, to);
        let names = self.faults.iter().filter(of_these);
        let nothing = names.clone().find(|name| name.trouble == NameTrouble::Nothing);
        let Some(name) = nothing.or_else(|| names.clone().find(|name| name.trouble == NameTrouble::Dead)).copied()
        else {
            return Resolution::Host;
        };
        self.record_effect(name, now);
        if name.trouble == NameTrouble::Nothing { Resolution::Nothing } else { Resolution::Nobody }
    }

    fn record_effect(&mut self, name: NameFault, now: Duration) {
        *self.effects.entry(name.fault).or_default() += 1;
        let (event, asked) = (Event::HostAffected { fault: name.fault }, self.of(name.to));
        self.recording.lock().trace.push_with(now, Some(name.from), event, |words| match name.trouble {
            NameTrouble::Late(by) => write!(words, "waits {by:?} for the address of {asked}"),
            NameTrouble::Dead => write!(words, "is given a dead address for {asked}"),
            NameTrouble::Nothing => write!(words, "finds no host named {asked}"),
        });
    }
}

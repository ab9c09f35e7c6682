//! The names and addresses of the hosts, and what goes wrong when one host looks up another. It knows nothing of plans; the
//! faults that act are set by the world.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::history::SharedTape;
use crate::trace::{Event, HostId};

/// The address of the host with this index: 192.168.0.1 and on, as turmoil gives them.
pub(crate) fn address(index: usize) -> IpAddr {
    let [_, _, high, low] = (index as u32 + 1).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(192, 168, high, low))
}

/// What goes wrong when a name is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameTrouble {
    /// The answer takes so long.
    Late(Duration),
    /// The answer is an address at which nobody is.
    Dead,
    /// There is no such name.
    Nothing,
}

/// One fault of the looking up of one name by one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameFault {
    pub(crate) fault: u32,
    pub(crate) from: HostId,
    pub(crate) to: HostId,
    pub(crate) trouble: NameTrouble,
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    Host,
    Nobody,
    Nothing,
}

/// The names of all hosts, and what is wrong with looking them up.
#[derive(Debug)]
pub(crate) struct Names {
    hosts: Vec<String>,
    /// The names that are not found as they should be, by their faults' order.
    pub(crate) faults: Vec<NameFault>,
    /// How often each fault did something here.
    pub(super) effects: BTreeMap<u32, u64>,
    tape: SharedTape,
}

impl Names {
    pub(super) fn new(hosts: Vec<String>, tape: SharedTape) -> Names {
        Names { hosts, faults: Vec::new(), effects: BTreeMap::new(), tape }
    }

    /// The name of a host.
    pub(super) fn of(&self, host: HostId) -> &str {
        &self.hosts[host.index()]
    }

    /// The host with this name or address.
    pub(super) fn host(&self, name: &str) -> Option<HostId> {
        if let Some(index) = self.hosts.iter().position(|known| known == name) {
            return Some(HostId(index as u16));
        }
        let ip: IpAddr = name.parse().ok()?;
        (0..self.hosts.len()).find(|index| address(*index) == ip).map(|index| HostId(index as u16))
    }

    /// By how much later than it should a host gets the address of another.
    pub(super) fn look_up_late(&mut self, from: HostId, to: HostId, now: Duration) -> Duration {
        let mut late = Duration::ZERO;
        for index in 0..self.faults.len() {
            let name = self.faults[index];
            if let NameTrouble::Late(by) = name.trouble
                && (name.from, name.to) == (from, to)
            {
                late += by;
                self.effective(name, now);
            }
        }
        late
    }

    /// What a host is told that looks up the name of another.
    pub(super) fn look_up(&mut self, from: HostId, to: HostId, now: Duration) -> Resolution {
        let of_these = |name: &&NameFault| (name.from, name.to) == (from, to);
        let names = self.faults.iter().filter(of_these);
        let nothing = names.clone().find(|name| name.trouble == NameTrouble::Nothing);
        let Some(name) = nothing.or_else(|| names.clone().find(|name| name.trouble == NameTrouble::Dead)).copied()
        else {
            return Resolution::Host;
        };
        self.effective(name, now);
        if name.trouble == NameTrouble::Nothing { Resolution::Nothing } else { Resolution::Nobody }
    }

    fn effective(&mut self, name: NameFault, now: Duration) {
        *self.effects.entry(name.fault).or_default() += 1;
        let (event, asked) = (Event::HostAffected { fault: name.fault }, self.of(name.to));
        self.tape.lock().trace.push_with(now, Some(name.from), event, |words| match name.trouble {
            NameTrouble::Late(by) => write!(words, "waits {by:?} for the address of {asked}"),
            NameTrouble::Dead => write!(words, "is given a dead address for {asked}"),
            NameTrouble::Nothing => write!(words, "is told that there is no {asked}"),
        });
    }
}

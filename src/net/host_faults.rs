//! What is wrong with single machines, beside their links: programs that start slowly or run out of memory, and names that
//! are not found. It knows nothing of plans; what acts is set by the world.

use std::collections::BTreeMap;
use std::time::Duration;

use super::kernel::Net;
use crate::trace::{Event, HostId};

/// What is wrong with one machine.
#[derive(Debug, Default)]
pub(super) struct HostFaults {
    /// By how much later than it wants the program of this life listens, for each fault.
    slow_start: Vec<(u32, Duration)>,
    /// The fault that ends this life, and at how many requests in flight.
    memory: Option<(u32, u32)>,
    /// Connections that were accepted and that bytes came in on since bytes were last sent back.
    pub(super) in_flight: u32,
}

impl HostFaults {
    /// By how much later than it wants the program listens.
    pub(super) fn listens_late(&self) -> Duration {
        self.slow_start.iter().map(|(_, by)| *by).sum()
    }
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

/// What is wrong with all machines, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct AllHostFaults {
    /// The names that are not found as they should be, by their faults' order.
    pub(crate) names: Vec<NameFault>,
    /// Programs that have run out of memory in this step, with the fault that ends them.
    pub(crate) exhausted: Vec<(HostId, u32)>,
    /// How often each fault did something here, until the world takes it.
    pub(crate) effects: BTreeMap<u32, u64>,
}

impl Net {
    /// What acts on the next life of a machine's program when it begins to listen.
    pub(crate) fn set_slow_start(&mut self, host: HostId, faults: Vec<(u32, Duration)>) {
        self.kernels[host.index()].host_faults.slow_start = faults;
    }

    /// What ends the life of a machine's program, from now on: a fault, and at how many requests in flight.
    pub(crate) fn set_memory(&mut self, host: HostId, memory: Option<(u32, u32)>, now: Duration) {
        self.kernels[host.index()].host_faults.memory = memory;
        if memory.is_some() {
            self.measure_memory(host, now);
        }
    }

    /// A machine's program has to do with one more request.
    pub(super) fn one_more_in_flight(&mut self, host: HostId, now: Duration) {
        let host_faults = &mut self.kernels[host.index()].host_faults;
        host_faults.in_flight += 1;
        if host_faults.memory.is_some() {
            self.measure_memory(host, now);
        }
    }

    fn measure_memory(&mut self, host: HostId, now: Duration) {
        let host_faults = &mut self.kernels[host.index()].host_faults;
        let in_flight = host_faults.in_flight;
        // A life ends once.
        let Some((fault, _)) = host_faults.memory.take_if(|(_, limit)| in_flight >= *limit) else { return };
        self.all_host_faults.exhausted.push((host, fault));
        let event = Event::HostAffected { fault };
        self.tape.lock().trace.push_with(now, Some(host), event, |words| {
            write!(words, "runs out of memory with {in_flight} requests in flight")
        });
    }

    /// A request for a connection came before the program listens.
    pub(super) fn refused_at_start(&mut self, host: HostId, port: u16, opens_at: Duration, now: Duration) {
        let (host_faults, all_host_faults) = (&self.kernels[host.index()].host_faults, &mut self.all_host_faults);
        for (fault, _) in &host_faults.slow_start {
            *all_host_faults.effects.entry(*fault).or_default() += 1;
            let event = Event::HostAffected { fault: *fault };
            self.tape.lock().trace.push_with(now, Some(host), event, |words| {
                write!(words, "does not listen on port {port} before {opens_at:?} and refuses a connect")
            });
        }
    }

    /// By how much later than always a host is answered that looks up the name of another.
    pub(super) fn look_up_late(&mut self, from: HostId, to: HostId, now: Duration) -> Duration {
        let mut late = Duration::ZERO;
        for index in 0..self.all_host_faults.names.len() {
            let name = self.all_host_faults.names[index];
            if let NameTrouble::Late(by) = name.trouble
                && (name.from, name.to) == (from, to)
            {
                late += by;
                self.name_affected(name, now);
            }
        }
        late
    }

    /// What a host is told that looks up the name of another.
    pub(super) fn look_up(&mut self, from: HostId, to: HostId, now: Duration) -> Resolution {
        let of_these = |name: &&NameFault| (name.from, name.to) == (from, to);
        let names = self.all_host_faults.names.iter().filter(of_these);
        let nothing = names.clone().find(|name| name.trouble == NameTrouble::Nothing);
        let Some(name) = nothing.or_else(|| names.clone().find(|name| name.trouble == NameTrouble::Dead)).copied()
        else {
            return Resolution::Host;
        };
        self.name_affected(name, now);
        if name.trouble == NameTrouble::Nothing { Resolution::Nothing } else { Resolution::Nobody }
    }

    fn name_affected(&mut self, name: NameFault, now: Duration) {
        *self.all_host_faults.effects.entry(name.fault).or_default() += 1;
        let (event, asked) = (Event::HostAffected { fault: name.fault }, &self.names[name.to.index()]);
        self.tape.lock().trace.push_with(now, Some(name.from), event, |words| match name.trouble {
            NameTrouble::Late(by) => write!(words, "waits {by:?} for the address of {asked}"),
            NameTrouble::Dead => write!(words, "is given a dead address for {asked}"),
            NameTrouble::Nothing => write!(words, "is told that there is no {asked}"),
        });
    }
}

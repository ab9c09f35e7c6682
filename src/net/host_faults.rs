//! Faults of single machines apart from their links: programs that start slowly or run out of memory. The world sets
//! the active faults.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::history::SharedRecording;
use crate::trace::{Event, HostId};

/// The active faults of one machine.
#[derive(Clone, Debug, Default)]
struct HostFaults {
    /// For each fault, how long after its call to listen the program of this life begins to listen.
    slow_start: Vec<(u32, Duration)>,
    /// The fault that ends this life, and the number of requests in flight at which it does.
    memory: Option<(u32, u32)>,
    /// Accepted connections that have received bytes since bytes were last sent back on them.
    in_flight: u32,
}

/// The active faults of all machines, and their effects.
#[derive(Debug)]
pub(crate) struct AllHostFaults {
    machines: Vec<HostFaults>,
    /// Programs that ran out of memory in this step, with the fault that ends them.
    pub(crate) exhausted: Vec<(HostId, u32)>,
    /// How often each fault was effective here.
    pub(super) effects: BTreeMap<u32, u64>,
    recording: SharedRecording,
}

impl AllHostFaults {
    pub(super) fn new(machines: usize, recording: SharedRecording) -> AllHostFaults {
        let machines = vec![HostFaults::default(); machines];
        AllHostFaults { machines, exhausted: Vec::new(), effects: BTreeMap::new(), recording }
    }

    /// Sets the faults that delay listening in the next life of a machine's program.
    pub(crate) fn set_slow_start(&mut self, host: HostId, faults: Vec<(u32, Duration)>) {
        self.machines[host.index()].slow_start = faults;
    }

    /// How long after its call to listen a machine's program begins to listen.
    pub(super) fn listen_delay(&self, host: HostId) -> Duration {
        self.machines[host.index()].slow_start.iter().map(|(_, by)| *by).sum()
    }

    /// Sets the fault that ends the life of a machine's program from now on, and at how many requests in flight.
    pub(crate) fn set_memory(&mut self, host: HostId, memory: Option<(u32, u32)>, now: Duration) {
        self.machines[host.index()].memory = memory;
        if memory.is_some() {
            self.measure_memory(host, now);
        }
    }

    /// A machine's program has one more request in flight.
    pub(super) fn one_more_in_flight(&mut self, host: HostId, now: Duration) {
        let host_faults = &mut self.machines[host.index()];
        host_faults.in_flight += 1;
        if host_faults.memory.is_some() {
            self.measure_memory(host, now);
        }
    }

    /// A machine's program has answered a request, or dropped its connection.
    pub(super) fn one_less_in_flight(&mut self, host: HostId) {
        self.machines[host.index()].in_flight -= 1;
    }

    fn measure_memory(&mut self, host: HostId, now: Duration) {
        let host_faults = &mut self.machines[host.index()];
        let in_flight = host_faults.in_flight;
        // A life ends only once.
        let Some((fault, _)) = host_faults.memory.take_if(|(_, limit)| in_flight >= *limit) else { return };
        self.exhausted.push((host, fault));
        let event = Event::HostAffected { fault };
        self.recording.lock().trace.push_with(now, Some(host), event, |words| {
            write!(words, "runs out of memory with {in_flight} requests in flight")
        });
    }

    /// Records that a connect was refused because a slowly starting program does not listen yet.
    pub(super) fn refused_at_start(&mut self, host: HostId, port: u16, opens_at: Duration, now: Duration) {
        for (fault, _) in &self.machines[host.index()].slow_start {
            *self.effects.entry(*fault).or_default() += 1;
            let event = Event::HostAffected { fault: *fault };
            self.recording.lock().trace.push_with(now, Some(host), event, |words| {
                write!(words, "does not listen on port {port} before {opens_at:?} and refuses a connect")
            });
        }
    }
}

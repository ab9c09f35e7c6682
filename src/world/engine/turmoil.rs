//! Turmoil's way: every host runs for one step after the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use tokio::runtime::Handle;

use super::super::life::{Slot, run_life};
use crate::net::SharedNet;
use crate::sandbox::{self, Freeze};
use crate::seed::Seed;
use crate::trace::HostId;

/// How many datagrams a plain turmoil socket holds before turmoil drops some.
const DATAGRAM_CAPACITY: usize = 1 << 20;

/// The hosts of a world, which turmoil runs.
pub(in crate::world) struct Turmoil<'a> {
    pub(in crate::world) sim: turmoil::Sim<'a>,
    names: Vec<String>,
    /// What freezes the hosts whose process is paused, or is about to be.
    frozen: BTreeMap<HostId, Freeze>,
}

impl Turmoil<'_> {
    pub(in crate::world) fn new(seed: Seed, step: Duration, epoch: Duration, has_plain_sockets: bool) -> Self {
        let mut simulation = turmoil::Builder::new();
        if has_plain_sockets {
            simulation.enable_tokio_io();
        }
        let sim = simulation
            .tick_duration(step)
            .simulation_duration(Duration::MAX / 4)
            .epoch(UNIX_EPOCH + epoch)
            .udp_capacity(DATAGRAM_CAPACITY)
            .tcp_capacity(1_024)
            .rng_seed(seed.decide("turmoil", &[]))
            .build();
        Turmoil { sim, names: Vec::new(), frozen: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, id: HostId, name: &str, slot: &Arc<Mutex<Slot>>, net: &SharedNet) {
        let address = self.sim.lookup(name);
        assert_eq!(address, crate::net::address(id.index()), "turmoil numbers hosts from 192.168.0.1");
        let (slot, net) = (slot.clone(), net.clone());
        self.sim.host(name, move || run_life(slot.clone(), net.clone(), id));
        self.names.push(name.to_owned());
    }

    /// Keeps what plain turmoil sockets send until the wire has decided about it.
    pub(in crate::world) fn hold_all(&self) {
        for (a, name) in self.names.iter().enumerate() {
            for other in &self.names[a + 1..] {
                self.sim.hold(name.as_str(), other.as_str());
            }
        }
    }

    pub(super) fn prepare_pause(&mut self, host: HostId, runtime: Option<Handle>) -> bool {
        let freeze = runtime.and_then(|runtime| Freeze::prepare(host.index(), runtime));
        let can_pause = freeze.is_some();
        self.frozen.extend(freeze.map(|freeze| (host, freeze)));
        can_pause
    }

    pub(super) fn pause(&self, host: HostId) {
        if let Some(freeze) = self.frozen.get(&host) {
            freeze.begin();
        }
    }

    pub(super) fn resume(&mut self, host: HostId, now: Duration) {
        if let Some(freeze) = self.frozen.remove(&host) {
            freeze.end(now);
        }
    }

    pub(super) fn crash(&mut self, host: HostId) {
        if let Some(freeze) = self.frozen.remove(&host) {
            freeze.forget();
        }
        sandbox::set_outside_host(Some(host.index()));
        self.sim.crash(self.names[host.index()].as_str());
        sandbox::set_outside_host(None);
    }

    pub(super) fn bounce(&mut self, host: HostId) {
        self.sim.bounce(self.names[host.index()].as_str());
    }
}

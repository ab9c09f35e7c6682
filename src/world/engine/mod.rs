//! Who runs hosts, and when: everything else of the world is the same for both.

mod events;
mod order;
mod turmoil;

use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;

use super::life::Slot;
use crate::net::SharedNet;
use crate::trace::HostId;

pub(super) use events::Events;
pub use order::SeededOrder;
pub(super) use turmoil::Turmoil;

/// What decides which host of a run goes on next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Turmoil runs every host for one step after the other. Works everywhere, and for code on plain turmoil sockets.
    #[default]
    Turmoil,
    /// A host runs when a timer of its program is due or something reaches it, until it has nothing left to do; then time
    /// jumps to the next such moment of any host. Idle hosts cost nothing, times are exact, and latencies may be as short as
    /// they like. Sockets of tokio and of the standard library are simulated, too. Needs Linux; there are no plain turmoil
    /// sockets.
    Events,
}

impl Engine {
    /// The name by which flags and `SQUALL_ENGINE` choose it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Turmoil => "turmoil",
            Engine::Events => "events",
        }
    }

    /// Whether it is what runs the hosts unless something else is asked for.
    pub(crate) fn is_default(&self) -> bool {
        *self == Engine::default()
    }

    /// The engine that `SQUALL_ENGINE` asks for, if it is set.
    ///
    /// # Errors
    /// If it is no engine's name.
    pub(crate) fn of_environment() -> Result<Option<Engine>, String> {
        match std::env::var("SQUALL_ENGINE") {
            Ok(name) if name.is_empty() => Ok(None),
            Ok(name) => name.parse().map(Some).map_err(|error| format!("SQUALL_ENGINE: {error}")),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(error) => Err(format!("SQUALL_ENGINE: {error}")),
        }
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Engine, String> {
        let engines = [Engine::Turmoil, Engine::Events];
        let found = engines.into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| format!("`{name}` is no engine: use `turmoil` or `events`"))
    }
}

/// Runs the hosts of a world.
pub(super) enum Hosts<'a> {
    Turmoil(Box<Turmoil<'a>>),
    Events(Events),
}

impl Hosts<'_> {
    /// Adds a host, the next by number, and begins its first life.
    pub(super) fn add(&mut self, id: HostId, name: &str, slot: &Arc<Mutex<Slot>>, net: &SharedNet) {
        match self {
            Hosts::Turmoil(turmoil) => turmoil.add(id, name, slot, net),
            Hosts::Events(events) => events.add(id, slot),
        }
    }

    /// Drops the runtime of a host, with all that its program has left.
    pub(super) fn end_life(&mut self, host: HostId) {
        match self {
            Hosts::Turmoil(turmoil) => turmoil.crash(host),
            Hosts::Events(events) => events.end_life(host),
        }
    }

    /// Gives a host a runtime for its next life, in which its program runs.
    pub(super) fn begin_life(&mut self, host: HostId) {
        match self {
            Hosts::Turmoil(turmoil) => turmoil.bounce(host),
            Hosts::Events(events) => events.begin_life(host),
        }
    }

    /// Prepares to pause the process of a host, whose program runs in this runtime. Returns whether it can be paused.
    pub(super) fn prepare_pause(&mut self, host: HostId, runtime: Option<Handle>) -> bool {
        match self {
            Hosts::Turmoil(turmoil) => turmoil.prepare_pause(host, runtime),
            Hosts::Events(_) => true,
        }
    }

    /// Pauses the process of a host, from now on.
    pub(super) fn pause(&mut self, host: HostId) {
        match self {
            Hosts::Turmoil(turmoil) => turmoil.pause(host),
            Hosts::Events(events) => events.pause(host),
        }
    }

    /// Lets the process of a host go on at this time. Whatever became due in the meantime is late.
    pub(super) fn resume(&mut self, host: HostId, now: Duration) {
        match self {
            Hosts::Turmoil(turmoil) => turmoil.resume(host, now),
            Hosts::Events(events) => events.resume(host, now),
        }
    }

    /// Lets a machine without a program go on: with turmoil, its kernel needs a runtime.
    pub(super) fn begin_idling(&mut self, host: HostId) {
        match self {
            Hosts::Turmoil(turmoil) => turmoil.bounce(host),
            Hosts::Events(_) => {}
        }
    }
}

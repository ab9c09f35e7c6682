//! How the simulating thread lets a thread of a program run.

use super::threads::Thread;
use crate::sandbox::simulated::Simulation;

/// Lets this thread run, as code of its host, until it gives the turn back.
pub(super) fn hand_over(simulation: &Simulation, thread: &Thread) {
    let outside = simulation.clocks.swap_outside_host(simulation.clocks.host_of(thread.slot));
    thread.baton.give();
    simulation.turns.baton.take();
    simulation.clocks.swap_outside_host(outside);
}

//! Switches between threads of programs where none of them waits, as a scheduler that preempts would make.
//!
//! They come at calls that threads make to synchronise: where one takes or gives back a lock of C, wakes others, or starts a
//! thread. Code between two such calls runs as if it were one step.

use super::threads::{Wait, current};
use crate::sandbox::simulated::Simulation;

/// One of how many such calls is a switch. Which of these a run uses is the seed's: few switches find what many would hide.
const ONE_IN: [u64; 4] = [u64::MAX, 64, 16, 4];

/// Lets other threads run before the thread of a program that makes this call goes on, if the seed says so.
pub(super) fn may_switch(simulation: &Simulation) {
    let Some(thread) = current() else { return };
    if simulation.clocks.is_quiet() {
        return;
    }
    let call = thread.calls.replace(thread.calls.get() + 1);
    let seed = simulation.seed();
    let one_in = ONE_IN[(seed.decide("how often threads switch", &[]) % ONE_IN.len() as u64) as usize];
    let drawn = seed.decide("switch of a thread", &[thread.slot as u64, thread.number, call]);
    if one_in != u64::MAX && drawn.is_multiple_of(one_in) {
        thread.park(&simulation.turns, Wait::Nothing, None);
    }
}

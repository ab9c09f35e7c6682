//! Running a host's runtime until it has nothing left to do at the time that it is.
//!
//! A runtime whose time runs waits in `epoll_wait` until its next timer is due, and so says itself when that is. The hook of
//! that call does not wait: it notes the time, and wakes the future that the runtime blocks on, which ends.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::notes::PanicNote;
use super::platform;
use super::resting::{Parking, Rest};
use super::simulated::simulation;

/// Whether hosts are run until they rest from now on, and not for steps.
pub(crate) fn use_jumps() {
    if let Some(simulation) = simulation() {
        simulation.jumps.is_used.set(true);
    }
}

/// Builds a runtime for the process that was the last to begin, and tells what it will wait in.
pub(crate) fn build_runtime<R>(build: impl FnOnce() -> R) -> (R, Parking) {
    // What the build makes once for all programs belongs to no host, so this is not done as one.
    let runtime = build();
    let parking = simulation().map(|simulation| {
        let (epoll, born) = (simulation.jumps.latest_epoll.get(), simulation.clocks.peek().virtual_nanos);
        Parking { epoll, born }
    });
    (runtime, parking.unwrap_or(Parking { epoll: -1, born: 0 }))
}

/// Runs this code, which destroys what a host's program has left, as that host's.
pub(crate) fn as_host<R>(host: usize, run: impl FnOnce() -> R) -> R {
    let Some(simulation) = simulation() else { return run() };
    let before = simulation.clocks.swap_outside_host(Some(host));
    let result = run();
    simulation.clocks.swap_outside_host(before);
    result
}

/// Some host's epoll has something new.
pub(crate) fn note_woken(host: usize) {
    if let Some(simulation) = simulation().filter(|simulation| simulation.jumps.is_used.get()) {
        let mut woken = simulation.jumps.woken.borrow_mut();
        if !woken.contains(&host) {
            woken.push(host);
        }
    }
}

/// Takes the hosts that something has woken since the last call.
pub(crate) fn take_woken(into: &mut Vec<usize>) {
    let Some(simulation) = simulation() else { return };
    let changes = simulation.turns.changes();
    if simulation.jumps.changes_seen.replace(changes) != changes {
        simulation.turns.for_each_waiting_for_change(|slot| {
            if let Some(host) = simulation.clocks.host_of(slot) {
                note_woken(host);
            }
        });
    }
    into.append(&mut simulation.jumps.woken.borrow_mut());
}

/// Notes, so that the run fails, that a host's runtime has been busy since this time and is not run any more.
pub(crate) fn note_livelock(host: usize, since: Duration) {
    let Some(simulation) = simulation() else { return };
    let (name, at) = (simulation.name_of(host), time_of(host));
    let message = format!("no wait since {since:?}: its tasks wake each other, or yield, without end");
    simulation.note(PanicNote { message, location: String::new(), host: name, at });
}

/// The time of a host, which blocking calls may have moved ahead.
pub(crate) fn time_of(host: usize) -> Duration {
    simulation().map_or(Duration::ZERO, |simulation| Duration::from_nanos(simulation.clocks.last_known(host)))
}

/// Blocks on nothing until the runtime that polls this, one of this host, rests.
pub(crate) async fn until_rest(host: usize, parking: Parking) -> Rest {
    let Some(simulation) = simulation() else { return Rest::ForEver };
    let jumps = &simulation.jumps;
    jumps.parking.set(Some(parking));
    jumps.rest.set(None);
    jumps.looks.set(0);
    simulation.clocks.expect(host);
    platform::show_position(Some(host), simulation.clocks.last_known(host));
    let rest = poll_fn(|context| match jumps.rest.take() {
        Some(rest) => Poll::Ready(rest),
        None => {
            let mut root = jumps.root.borrow_mut();
            if root.as_ref().is_none_or(|root| !root.will_wake(context.waker())) {
                *root = Some(context.waker().clone());
            }
            Poll::Pending
        }
    })
    .await;
    jumps.parking.set(None);
    // It has seen all that has woken it.
    jumps.woken.borrow_mut().retain(|woken| *woken != host);
    rest
}

//! The record of escapes while a thread simulates: the first of each kind with its backtrace, later ones as a count.

use std::backtrace::Backtrace;
use std::time::Duration;

use super::notes::{Escape, EscapeKind, is_allowed};
use super::recorded::Recorded;
use super::simulated::simulation;

/// How a new escape changes the record.
enum Addition {
    /// Increments the count of the escape at this index.
    Repeated(usize),
    /// Adds an escape with this detail.
    First(String),
    Nothing,
}

/// Records that something left the simulation. Does nothing on a thread that does not simulate.
#[cold]
pub(super) fn record_escape(kind: EscapeKind, detail: impl FnOnce() -> String) {
    record(kind, |escapes, host, allowed| {
        let alike = |(escape, _): &Recorded| escape.kind == kind && escape.host.as_deref() == host;
        if allowed.is_empty() {
            return match escapes.iter().position(alike) {
                Some(index) => Addition::Repeated(index),
                None => Addition::First(detail()),
            };
        }
        // What the scenario allows must not stand for what it does not.
        let detail = detail();
        let is_allowed = is_allowed(kind, &detail, allowed);
        let is_known = |known: &Recorded| alike(known) && known.0.is_allowed(allowed) == is_allowed;
        escapes.iter().position(is_known).map_or(Addition::First(detail), Addition::Repeated)
    });
}

/// Records a system call that no hook handles, one entry for each detail. `describe` gets the details that are already
/// recorded for this host and returns that of the call, or `None` to ignore it. Does nothing on a thread that does not
/// simulate.
#[cold]
pub(super) fn record_system_call(kind: EscapeKind, describe: impl FnOnce(&[&str]) -> Option<String>) {
    /// The most entries for one kind and host; calls beyond it are counted with the last entry.
    const MOST: usize = 16;
    record(kind, |escapes, host, _| {
        let of_host = || escapes.iter().enumerate().filter(|(_, (escape, _))| escape.host.as_deref() == host);
        let known: Vec<&str> = of_host().map(|(_, (escape, _))| escape.detail.as_str()).collect();
        let Some(detail) = describe(&known) else { return Addition::Nothing };
        let mut alike = of_host().filter(|(_, (escape, _))| escape.kind == kind);
        if let Some((index, _)) = alike.clone().find(|(_, (escape, _))| escape.detail == detail) {
            return Addition::Repeated(index);
        }
        match alike.nth(MOST - 1) {
            Some((index, _)) => Addition::Repeated(index),
            None => Addition::First(detail),
        }
    });
}

fn record(kind: EscapeKind, look_up: impl FnOnce(&[Recorded], Option<&str>, &[String]) -> Addition) {
    let Some(simulation) = simulation() else { return };
    // Recording itself opens files and takes locks, which must not be recorded in turn.
    if simulation.clocks.is_quiet() {
        return;
    }
    let reading = simulation.clocks.peek();
    simulation.clocks.set_quiet(true);
    let host = simulation.name_of(reading.slot);
    let mut escapes = simulation.escapes.borrow_mut();
    match look_up(&escapes, host.as_deref(), simulation.allowed_escapes()) {
        Addition::Repeated(index) => escapes[index].0.count += 1,
        Addition::First(detail) => {
            let at = Duration::from_nanos(reading.virtual_nanos);
            let escape = Escape { kind, detail, host, at, count: 1, backtrace: String::new() };
            escapes.push((escape, Backtrace::force_capture()));
        }
        Addition::Nothing => {}
    }
    drop(escapes);
    simulation.clocks.set_quiet(false);
}

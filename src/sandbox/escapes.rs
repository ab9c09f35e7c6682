//! Recording what escapes while a thread simulates: once for each kind, with where it happened, and counted from then on.
//! It knows nothing of how an escape is noticed.

use std::backtrace::Backtrace;
use std::time::Duration;

use super::notes::{Escape, EscapeKind};
use super::recorded::Recorded;
use super::simulated::simulation;

/// What a new record adds to those that there are.
enum Addition {
    /// One more like the one at this place.
    Another(usize),
    /// The first, with its particulars.
    First(String),
    Nothing,
}

/// Records that something left the simulation. Does nothing on a thread that does not simulate.
#[cold]
pub(super) fn record_escape(kind: EscapeKind, detail: impl FnOnce() -> String) {
    record(kind, |escapes, host| {
        match escapes.iter().position(|(escape, _)| escape.kind == kind && escape.host.as_deref() == host) {
            Some(index) => Addition::Another(index),
            None => Addition::First(detail()),
        }
    });
}

/// Records a system call that no hook knows, by what it does: `describe` gives that, `None` if it is of no concern, and
/// is told the particulars of what this host has done before. Does nothing on a thread that does not simulate.
#[cold]
pub(super) fn record_system_call(kind: EscapeKind, describe: impl FnOnce(&[&str]) -> Option<String>) {
    /// More different calls than this of one kind and host are counted with the last.
    const MOST: usize = 16;
    record(kind, |escapes, host| {
        let of_host = || escapes.iter().enumerate().filter(|(_, (escape, _))| escape.host.as_deref() == host);
        let known: Vec<&str> = of_host().map(|(_, (escape, _))| escape.detail.as_str()).collect();
        let Some(detail) = describe(&known) else { return Addition::Nothing };
        let mut alike = of_host().filter(|(_, (escape, _))| escape.kind == kind);
        if let Some((index, _)) = alike.clone().find(|(_, (escape, _))| escape.detail == detail) {
            return Addition::Another(index);
        }
        match alike.nth(MOST - 1) {
            Some((index, _)) => Addition::Another(index),
            None => Addition::First(detail),
        }
    });
}

fn record(kind: EscapeKind, look_up: impl FnOnce(&[Recorded], Option<&str>) -> Addition) {
    let Some(simulation) = simulation() else { return };
    // Recording itself opens files and takes locks; that is not the run's doing.
    if simulation.clocks.is_quiet() {
        return;
    }
    let look = simulation.clocks.look();
    simulation.clocks.set_quiet(true);
    let host = simulation.name_of(look.slot);
    let mut escapes = simulation.escapes.borrow_mut();
    match look_up(&escapes, host.as_deref()) {
        Addition::Another(index) => escapes[index].0.count += 1,
        Addition::First(detail) => {
            let at = Duration::from_nanos(look.virtual_nanos);
            let escape = Escape { kind, detail, host, at, count: 1, backtrace: String::new() };
            escapes.push((escape, Backtrace::force_capture()));
        }
        Addition::Nothing => {}
    }
    drop(escapes);
    simulation.clocks.set_quiet(false);
}

//! Recording what escapes while a thread simulates: once for each kind, with where it happened, and counted from then on.
//! It knows nothing of how an escape is noticed.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::notes::{Escape, EscapeKind};
use super::simulated::simulation;

/// An escape, and where the first one happened as long as that has not been made readable.
pub(super) type Recorded = (Escape, Backtrace);

/// Whether what escaped is kept beyond the end of a simulation.
static KEEPS_ESCAPES: AtomicBool = AtomicBool::new(false);

thread_local! {
    // What escaped from the last simulation of this thread.
    static LAST_ESCAPES: RefCell<Vec<Escape>> = const { RefCell::new(Vec::new()) };
}

/// From now on what escapes is kept for [`last_escapes`].
pub(super) fn keep_escapes() {
    KEEPS_ESCAPES.store(true, Ordering::Relaxed);
}

/// All that escaped from the simulation that this thread left last, also what a scenario allows. Nothing unless
/// [`watch_system_calls`](super::watch_system_calls) was called before it.
pub fn last_escapes() -> Vec<Escape> {
    LAST_ESCAPES.take()
}

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

/// At the end of a simulation: what it recorded, made readable.
pub(super) fn finish(recorded: Vec<Recorded>) -> Vec<Escape> {
    let escapes = recorded.into_iter().map(|(mut escape, backtrace)| {
        escape.backtrace = readable(&backtrace);
        escape
    });
    let escapes: Vec<Escape> = escapes.collect();
    if KEEPS_ESCAPES.load(Ordering::Relaxed) {
        LAST_ESCAPES.replace(escapes.clone());
    }
    escapes
}

/// The frames of a backtrace between the recording, which comes first, and what runs a job, which comes last; without
/// the hooks in between.
fn readable(backtrace: &Backtrace) -> String {
    const MOST_FRAMES: usize = 40;
    let text = backtrace.to_string();
    // A frame is a line with its number and name, and mostly one with its place.
    let mut frames: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match frames.last_mut() {
            Some(frame) if line.trim_start().starts_with("at ") => frame.push(line),
            _ => frames.push(vec![line]),
        }
    }
    let has = |frame: &Vec<&str>, names: &[&str]| frame.iter().any(|line| names.iter().any(|name| line.contains(name)));
    let runs_job = |frame: &Vec<&str>| has(frame, &["/src/sandbox/linux/child.rs", "/src/sandbox/thread.rs"]);
    let is_ours = |frame: &Vec<&str>| {
        has(frame, &["std::backtrace", "std/src/backtrace.rs", "squall::sandbox::", "/src/sandbox/"])
    };
    let frames = frames.iter().skip_while(|frame| is_ours(frame)).take_while(|frame| !runs_job(frame));
    let frames = frames.filter(|frame| !is_ours(frame));
    frames.take(MOST_FRAMES).flatten().copied().collect::<Vec<_>>().join("\n")
}

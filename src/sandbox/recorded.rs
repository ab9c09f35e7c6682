//! What escaped from a simulation, made readable at its end and kept if somebody asks for it later.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::notes::Escape;

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

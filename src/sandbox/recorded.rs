//! The escapes of a simulation, with their backtraces rendered at its end, and those of the last simulation.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::notes::Escape;

/// An escape, with the backtrace of its first occurrence, which is rendered only at the end.
pub(super) type Recorded = (Escape, Backtrace);

/// Whether escapes are kept beyond the end of a simulation.
static KEEPS_ESCAPES: AtomicBool = AtomicBool::new(false);

thread_local! {
    // The escapes of the last simulation of this thread.
    static LAST_ESCAPES: RefCell<Vec<Escape>> = const { RefCell::new(Vec::new()) };
}

/// Keeps escapes for [`last_escapes`] from now on.
pub(super) fn keep_escapes() {
    KEEPS_ESCAPES.store(true, Ordering::Relaxed);
}

/// Takes the escapes of the last simulation that this thread left, including those that the scenario allows. Empty
/// unless [`watch_system_calls`](super::watch_system_calls) was called before the simulation ended.
pub fn last_escapes() -> Vec<Escape> {
    LAST_ESCAPES.take()
}

/// The escapes of a simulation at its end. Their backtraces are rendered if escapes are kept or `shows_backtraces` says so:
/// looking up the names of a backtrace's functions takes longer than most runs.
pub(super) fn finish(recorded: Vec<Recorded>, shows_backtraces: bool) -> Vec<Escape> {
    let renders = shows_backtraces || KEEPS_ESCAPES.load(Ordering::Relaxed);
    let escapes = recorded.into_iter().map(|(mut escape, backtrace)| {
        if renders {
            escape.backtrace = render(&backtrace);
        }
        escape
    });
    let escapes: Vec<Escape> = escapes.collect();
    if KEEPS_ESCAPES.load(Ordering::Relaxed) {
        LAST_ESCAPES.replace(escapes.clone());
    }
    escapes
}

/// The frames of a backtrace as it prints them: a line with the number and name, usually followed by one with the location.
fn frames_of(text: &str) -> Vec<Vec<&str>> {
    let mut frames: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        match frames.last_mut() {
            Some(frame) if line.trim_start().starts_with("at ") => frame.push(line),
            _ => frames.push(vec![line]),
        }
    }
    frames
}

fn has(frame: &[&str], names: &[&str]) -> bool {
    frame.iter().any(|line| names.iter().any(|name| line.contains(name)))
}

fn is_ours(frame: &[&str]) -> bool {
    has(frame, &["std::backtrace", "std/src/backtrace.rs", "squall::internal::sandbox::", "/src/sandbox/"])
}

/// The innermost frame that is neither the sandbox's nor the standard library's: its name and its place in the source.
pub(super) fn own_frame(backtrace: &Backtrace) -> Option<String> {
    let text = backtrace.to_string();
    let frames = frames_of(&text);
    let is_library = |frame: &[&str]| frame.len() < 2 || has(frame, &["/rustc/", "/rustlib/"]);
    let frame = frames.iter().find(|frame| !is_ours(frame) && !is_library(frame))?;
    let name = frame[0].split_once(": ").map_or(frame[0], |(_, name)| name).trim();
    let location = frame[1].trim().trim_start_matches("at ");
    Some(format!("{name} at {location}"))
}

/// Renders the frames of a backtrace without the sandbox's own: those that record, which come first, those that run the
/// job, which come last, and the hooks in between.
fn render(backtrace: &Backtrace) -> String {
    const MOST_FRAMES: usize = 40;
    let text = backtrace.to_string();
    let frames = frames_of(&text);
    let runs_job = |frame: &Vec<&str>| has(frame, &["/src/sandbox/linux/child.rs", "/src/sandbox/thread.rs"]);
    let frames = frames.iter().skip_while(|frame| is_ours(frame)).take_while(|frame| !runs_job(frame));
    let frames = frames.filter(|frame| !is_ours(frame));
    frames.take(MOST_FRAMES).flatten().copied().collect::<Vec<_>>().join("\n")
}

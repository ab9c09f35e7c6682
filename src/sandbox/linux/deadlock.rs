//! Threads that block each other: they are found when none can run any more, and named with where each waits.

use std::backtrace::Backtrace;
use std::time::Duration;

use super::process::show_panic;
use super::switch::hand_over;
use super::threads::{Thread, Wait};
use crate::sandbox::notes::PanicNote;
use crate::sandbox::recorded::own_frame;
use crate::sandbox::simulated::{Simulation, simulation};

/// Looks for threads of one process that wait for two or more different locks, while every other thread of that process
/// has ended or waits for the end of one. Who holds a lock is not known, so a thread that waits for anything else counts as
/// one that may hold them and go on. Only locks that a task holds while it awaits something would make this wrong.
pub(super) fn look(simulation: &Simulation, slot: usize) {
    let turns = &simulation.turns;
    if turns.has_deadlock.get() {
        return;
    }
    let threads = turns.threads.borrow();
    let lives_ended = simulation.lives_ended(slot);
    let alive = || threads.iter().filter(|thread| thread.slot == slot && thread.is_alive(lives_ended));
    let mut locks = alive().filter_map(|thread| match thread.wait.get() {
        Wait::Lock(word) => Some(word),
        _ => None,
    });
    let Some(first) = locks.next() else { return };
    if locks.all(|word| word == first) || alive().any(|thread| may_go_on(thread)) {
        return;
    }
    let waiting: Vec<_> = alive().filter(|thread| matches!(thread.wait.get(), Wait::Lock(_))).cloned().collect();
    drop(threads);
    turns.has_deadlock.set(true);
    let mut waits: Vec<(u64, String)> =
        waiting.iter().map(|thread| (thread.number, describe(simulation, thread))).collect();
    waits.sort_unstable();
    let waits: Vec<String> = waits.into_iter().map(|(_, wait)| wait).collect();
    note(
        simulation,
        slot,
        format!("deadlock: {} threads wait for each other's locks: {}", waits.len(), waits.join("; ")),
    );
}

/// Whether this thread may run again although no other thread does.
fn may_go_on(thread: &Thread) -> bool {
    thread.until.get().is_some() || !matches!(thread.wait.get(), Wait::Lock(_) | Wait::End(_))
}

/// Notes where the simulating thread waits for what never comes, and where the threads of its host wait.
#[cold]
pub(super) fn note_blocked(simulation: &Simulation, slot: usize) {
    let turns = &simulation.turns;
    let lives_ended = simulation.lives_ended(slot);
    let threads = turns.threads.borrow();
    let mut alive: Vec<_> =
        threads.iter().filter(|thread| thread.slot == slot && thread.is_alive(lives_ended)).cloned().collect();
    drop(threads);
    alive.sort_unstable_by_key(|thread| thread.number);
    let mut waits = vec![format!("the runtime's own thread waits in {}", place(simulation))];
    waits.extend(alive.iter().map(|thread| describe(simulation, thread)));
    note(simulation, slot, format!("hang: {}", waits.join("; ")));
}

fn describe(simulation: &Simulation, thread: &Thread) -> String {
    // It keeps its wait; it only says where it is.
    let until = thread.until.get();
    thread.question.set(Some(say_place));
    hand_over(simulation, thread);
    thread.until.set(until);
    let what = match thread.wait.get() {
        Wait::Lock(_) => "a lock",
        Wait::Word(_) => "being woken",
        Wait::Change(_) => "a descriptor",
        Wait::Time => "a time",
        Wait::End(_) => "the end of a thread",
        Wait::Nothing | Wait::Ended => "its turn",
    };
    format!("thread {} waits for {what} in {}", thread.number + 1, thread.place.borrow())
}

/// Lets this thread say where it waits.
fn say_place(thread: &Thread) {
    if let Some(simulation) = simulation() {
        *thread.place.borrow_mut() = place(simulation);
    }
}

/// The code that waits here: the innermost frame that is neither the standard library's nor Squall's own.
fn place(simulation: &Simulation) -> String {
    // Reading symbols opens files, which are not the program's.
    let was_quiet = simulation.clocks.set_quiet(true);
    let found = own_frame(&Backtrace::force_capture());
    simulation.clocks.set_quiet(was_quiet);
    found.unwrap_or_else(|| "code without symbols".to_owned())
}

fn note(simulation: &Simulation, slot: usize, message: String) {
    let at = Duration::from_nanos(simulation.clocks.last_known(slot));
    let note = PanicNote { message, location: String::new(), host: simulation.name_of(slot), at };
    show_panic(simulation.clocks.host_of(slot), &note);
    simulation.note(note);
}

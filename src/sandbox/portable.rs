//! The fallback platform, without interposed symbols or forked processes: jobs run on threads, and clocks and entropy
//! are real.

/// No threads take turns here.
#[derive(Debug, Default)]
pub(super) struct Turns;

impl Turns {
    pub(super) fn note_change(&self) {}

    pub(super) fn changes(&self) -> u64 {
        0
    }

    pub(super) fn for_each_waiting_for_change(&self, _: impl Fn(usize)) {}

    pub(super) fn has_waits_for_locks(&self) -> bool {
        false
    }

    pub(super) fn next_due(&self, _: Option<usize>, _: impl Fn(usize) -> u32) -> Option<u64> {
        None
    }
}

/// Whether a thread of a program runs this code.
pub(super) fn is_thread_of_program() -> bool {
    false
}

/// The number of the thread of a program that runs this code, and how often it has asked for entropy before.
pub(super) fn next_request_of_thread() -> Option<(u64, u64)> {
    None
}

use std::io;

use super::job::{EntryPoint, Finished, ProcessLimits};
use super::notes::PanicNote;

pub(super) const INTERPOSES: bool = false;

pub(super) fn keep_hooks_linked() {}

pub(super) fn show_position(_host: Option<usize>, _at: u64) {}

pub(super) fn show_panic(_host: Option<usize>, _note: &PanicNote) {}

pub(super) fn end_in_spin(_host: Option<usize>, _at: u64) {}

/// There is no entropy of the process here that could be replaced.
pub(super) fn begin(_: crate::seed::Seed) {}

/// Addresses are what they are.
pub(super) fn on_moved_stack(_steps: usize, run: &mut dyn FnMut()) {
    run();
}

pub(super) fn watch_system_calls() -> Result<(), String> {
    Err("this needs Linux and a process for each run".to_owned())
}

pub(super) fn addresses_are_fixed() -> bool {
    false
}

pub(super) fn is_zygote() -> bool {
    false
}

pub(super) fn serve(_handler: &impl Fn(&[u8]) -> Vec<u8>) {}

pub(super) fn is_debugged() -> bool {
    false
}

pub(super) fn trap() {}

/// Never constructed, as no memory outlives the process here.
#[derive(Debug)]
pub(crate) enum SharedLedger {}

impl SharedLedger {
    pub(super) fn of_this_process() -> Option<SharedLedger> {
        None
    }

    pub(super) fn append(&mut self, _bytes: &[u8]) {
        match *self {}
    }

    pub(super) fn overwrite(&mut self, _at: usize, _bytes: &[u8]) {
        match *self {}
    }

    pub(super) fn truncate(&mut self, _length: usize) {
        match *self {}
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match *self {}
    }
}

/// Never constructed, as no process is forked here.
pub(super) enum Forker {}

impl Forker {
    pub(super) fn spawn(_entry: &EntryPoint) -> io::Result<Option<Forker>> {
        Ok(None)
    }

    pub(super) fn address_randomisation_off(&self) -> bool {
        match *self {}
    }

    pub(super) fn run(&mut self, _job: &[u8], _limits: &ProcessLimits) -> io::Result<Finished> {
        match *self {}
    }
}

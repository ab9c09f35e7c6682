//! The protocol between a supervisor and its zygote: the environment, the descriptors and the messages.

use std::sync::atomic::{AtomicU8, Ordering};

use libc::c_int;

/// The environment variable that marks a zygote.
pub(super) const MARKER: &std::ffi::CStr = c"SQUALL_ZYGOTE";
/// The descriptors that the supervisor gives to a zygote.
pub(super) const COMMAND_FD: c_int = 3;
pub(super) const RESULT_FD: c_int = 4;
pub(super) const JOB_FD: c_int = 5;
pub(super) const OUTCOME_FD: c_int = 6;
pub(super) const OUTPUT_FD: c_int = 7;
pub(super) const STATUS_FD: c_int = 8;
/// It leads to the directory for temporary files, and stays open in the runs.
pub(super) const TEMPORARY_FD: c_int = 9;
/// How many descriptors a zygote is given: the standard streams and these.
pub(super) const DESCRIPTORS: usize = 10;

/// The first field of every message, which detects foreign bytes on the pipe.
pub(super) const MAGIC: u64 = 0x5351_5541_4c4c_0001;
/// How many bytes of the captured output are kept at each end.
pub(super) const KEPT_OUTPUT_BYTES: u64 = 128 * 1024;

/// From supervisor to zygote: run a job.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Command {
    pub(super) magic: u64,
    pub(super) cpu_nanos: u64,
    /// The CPU time in which the virtual time of a simulation must move.
    pub(super) stuck_nanos: u64,
    pub(super) wall_nanos: u64,
    pub(super) memory_bytes: u64,
    pub(super) job_bytes: u64,
}

/// From zygote to supervisor: the zygote is ready, or a child has ended.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Report {
    pub(super) magic: u64,
    /// From a zygote that is ready: 1 if its addresses are not randomised. For a child: its wait status.
    pub(super) status: i32,
    /// 1 if the child was killed because it took too long.
    pub(super) killed: u32,
    pub(super) cpu_nanos: u64,
}

/// Whether this process is a zygote or a child of one.
#[inline]
pub(in crate::sandbox) fn is_zygote() -> bool {
    // 0: not yet known, 1: no, 2: yes.
    static KNOWN: AtomicU8 = AtomicU8::new(0);
    match KNOWN.load(Ordering::Relaxed) {
        1 => false,
        2 => true,
        _ => {
            // Hooks call this before `main`, so it must use neither the heap nor std's lock on the environment.
            // SAFETY: the name is a C string.
            let marked = !unsafe { libc::getenv(MARKER.as_ptr()) }.is_null();
            KNOWN.store(if marked { 2 } else { 1 }, Ordering::Relaxed);
            marked
        }
    }
}

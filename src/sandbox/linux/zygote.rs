//! The zygote: one thread that reads commands from a pipe, forks a child for each, and reports how the child ended.
//! Between forks it must not touch its heap or its mappings, so that every child starts from the same memory. The job,
//! the outcome and the output are in memory files that the supervisor created, and everything else fits on the stack.

use std::io::Write;
use std::mem::{self, MaybeUninit};
use std::ptr;

use libc::{c_int, pid_t};

use super::protocol::{COMMAND_FD, Command, KEPT_OUTPUT_BYTES, MAGIC, OUTPUT_FD, RESULT_FD, Report, STATUS_FD};
use super::raw::call;
use super::shared_status::SharedStatus;
use super::{child, hooks, vdso, watch};

/// Serves commands until the supervisor is gone.
pub(in crate::sandbox) fn serve(handler: &impl Fn(&[u8]) -> Vec<u8>) -> ! {
    // What libtest has written so far must not become part of a child's output.
    let _ = std::io::stdout().flush();
    let Ok(shared_status) = SharedStatus::map(STATUS_FD) else { leave(125) };
    // SAFETY: the mapping lasts as long as the process.
    let shared_status = unsafe { shared_status.as_ref() };
    send(&Report { magic: MAGIC, status: i32::from(addresses_are_fixed()), killed: 0, cpu_nanos: 0 });
    let zygote = call!(libc::SYS_getpid) as pid_t;
    // Symbols that are looked up at first use must be looked up before the first fork, or the second child would
    // differ.
    monotonic_nanos();
    hooks::look_up();
    vdso::replace();
    watch::trap_raw_calls();
    loop {
        let Some(command) = receive() else { leave(0) };
        // SAFETY: the child continues with this thread only.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            die_with(zygote);
            child::run(shared_status, &command, handler);
        }
        if pid < 0 {
            leave(124);
        }
        send(&wait(pid, &command, shared_status));
    }
}

/// Whether the addresses of this process are not randomised.
pub(super) fn addresses_are_fixed() -> bool {
    // SAFETY: this argument reads the persona without changing it.
    let persona = unsafe { libc::personality(0xffff_ffff) };
    persona >= 0 && persona & libc::ADDR_NO_RANDOMIZE != 0
}

/// Makes the kernel kill this process when `parent` ends.
pub(super) fn die_with(parent: pid_t) {
    // SAFETY: the arguments of these system calls are valid.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent {
            // The parent ended before the request took effect.
            libc::_exit(123);
        }
    }
}

fn leave(code: c_int) -> ! {
    // SAFETY: `_exit` only ends the process, and a zygote has nothing to clean up.
    unsafe { libc::_exit(code) }
}

fn receive() -> Option<Command> {
    let mut command = MaybeUninit::<Command>::uninit();
    let mut done = 0;
    while done < mem::size_of::<Command>() {
        // SAFETY: the range is the rest of the command.
        let n = unsafe {
            libc::read(COMMAND_FD, command.as_mut_ptr().cast::<u8>().add(done).cast(), mem::size_of::<Command>() - done)
        };
        if n <= 0 {
            return None;
        }
        done += n as usize;
    }
    // SAFETY: all its bytes have been read, and any bytes are a valid command.
    let command = unsafe { command.assume_init() };
    (command.magic == MAGIC).then_some(command)
}

fn send(report: &Report) {
    // A report is short enough for a pipe to take it in one write.
    // SAFETY: the range is exactly the report.
    let n = unsafe { libc::write(RESULT_FD, ptr::from_ref(report).cast(), mem::size_of::<Report>()) };
    if n != mem::size_of::<Report>() as isize {
        leave(0);
    }
}

/// How far a child has come: its virtual time and its CPU time, and when it was last seen to move.
struct Progress {
    seen: (u64, u64),
    since: u64,
}

impl Progress {
    /// For how long a child may stand still before it counts as frozen, in nanoseconds of wall time, and how much CPU time
    /// it may use meanwhile.
    const PATIENCE: u64 = 10_000_000_000;
    const NOTHING: u64 = 1_000_000;
    /// A child that may take longer than this in all may stop in a debugger.
    const DEBUGGED: u64 = 3_600_000_000_000;

    /// Looks at the child; returns whether it is frozen.
    fn is_frozen(&mut self, pid: pid_t, shared_status: &SharedStatus, now: u64) -> bool {
        let seen = (shared_status.shown_time(), cpu_nanos(pid));
        if seen.0 != self.seen.0 || seen.1 > self.seen.1 + Self::NOTHING {
            *self = Progress { seen, since: now };
        }
        now - self.since > Self::PATIENCE
    }
}

/// The CPU time of a process in nanoseconds.
fn cpu_nanos(pid: pid_t) -> u64 {
    // The clock of another process's scheduled time, as the kernel numbers it.
    const SCHEDULED: c_int = 2;
    let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    call!(libc::SYS_clock_gettime, (!pid << 3 | SCHEDULED) as isize, &raw mut spent);
    spent.tv_sec as u64 * 1_000_000_000 + spent.tv_nsec as u64
}

/// Waits for the child, and kills it if it takes longer than the command allows, or is frozen.
fn wait(pid: pid_t, command: &Command, shared_status: &SharedStatus) -> Report {
    const TICK_MS: u64 = 50;
    let start = monotonic_nanos();
    let mut progress = Progress { seen: (0, 0), since: start };
    // Kernels before 5.3, and some containers, have no such descriptor. The child is then polled once a millisecond.
    let process = call!(libc::SYS_pidfd_open, pid, 0) as c_int;
    let mut punched = KEPT_OUTPUT_BYTES;
    let mut killed = 0;
    let mut asked_at = None;
    let mut status = 0;
    // SAFETY: all zeros is a valid value, and the pointers are to local variables.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        loop {
            let result = libc::wait4(pid, &mut status, libc::WNOHANG, &mut usage);
            if result == pid || (result < 0 && *libc::__errno_location() != libc::EINTR) {
                break;
            }
            let mut waited = [
                libc::pollfd { fd: COMMAND_FD, events: 0, revents: 0 },
                libc::pollfd { fd: process, events: libc::POLLIN, revents: 0 },
            ];
            libc::poll(waited.as_mut_ptr(), 2, if process < 0 { 1 } else { TICK_MS as c_int });
            if waited[0].revents & libc::POLLHUP != 0 {
                libc::kill(pid, libc::SIGKILL);
                leave(0);
            }
            punched = bound_output(punched);
            let now = monotonic_nanos();
            let is_frozen = progress.is_frozen(pid, shared_status, now) && command.wall_nanos < Progress::DEBUGGED;
            let is_over = now - start > command.wall_nanos || is_frozen;
            if asked_at.is_none() && is_over {
                // The child's signal handler stores its position and exits. A child that cannot is killed a little
                // later.
                libc::kill(pid, libc::SIGPROF);
                asked_at = Some(now);
                killed = 1;
            }
            if asked_at.is_some_and(|asked| now - asked > 4 * TICK_MS * 1_000_000) {
                libc::kill(pid, libc::SIGKILL);
            }
        }
        if process >= 0 {
            libc::close(process);
        }
        usage
    };
    let nanos = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
    Report { magic: MAGIC, status, killed, cpu_nanos: nanos(usage.ru_utime) + nanos(usage.ru_stime) }
}

/// Frees the memory of the middle of an output that grows too long. Returns the offset at which the hole ends.
fn bound_output(punched: u64) -> u64 {
    const SLACK: u64 = 16 * 1024 * 1024;
    // SAFETY: the pointer is to a local variable, and the range is within the child's output.
    unsafe {
        let mut stat: libc::stat = mem::zeroed();
        if libc::fstat(OUTPUT_FD, &mut stat) != 0 || (stat.st_size as u64) < punched + SLACK {
            return punched;
        }
        let end = stat.st_size as u64 - KEPT_OUTPUT_BYTES;
        libc::fallocate(
            OUTPUT_FD,
            libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
            punched as libc::off_t,
            (end - punched) as libc::off_t,
        );
        end
    }
}

fn monotonic_nanos() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a local variable.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

//! The child of a zygote: it runs one job on the only thread of a fresh process.

use std::ffi::c_void;
use std::io::Write;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{c_int, siginfo_t};

use super::process::{become_child, end, install, is_alone, shared_status};
use super::protocol::{COMMAND_FD, Command, JOB_FD, OUTCOME_FD, OUTPUT_FD, RESULT_FD, STATUS_FD};
use super::raw::call;
use super::shared_status::{self, SharedStatus};
use super::{counter, signals};
use crate::sandbox::job::WIRE_LOG_BYTES;
use crate::sandbox::simulated::{self, Simulation, leave, record_panics};

/// The previous actions for SIGSEGV and SIGBUS: those of the Rust runtime, whose handler prints what happened.
static mut PREVIOUS_FAULT_ACTIONS: [mem::MaybeUninit<libc::sigaction>; 2] = [const { mem::MaybeUninit::uninit() }; 2];

/// Ends the process if it has one thread only. Called before a wait without a timeout that would block: with no other
/// thread, it would block forever.
pub(super) fn end_blocked_if_alone(simulation: &Simulation) {
    if !is_alone() {
        return;
    }
    end_blocked(simulation);
}

/// Ends the process: this thread waits for what nothing can bring.
pub(super) fn end_blocked(simulation: &Simulation) {
    if let Some(shared_status) = shared_status() {
        let (host, at) = position(simulation);
        end(shared_status, shared_status::BLOCKED, host, at);
    }
}

/// Stores the final position. Called when the process calls `exit`.
pub(super) fn note_exit() {
    if let Some(shared_status) = shared_status() {
        show_final_position(shared_status);
    }
}

fn position(simulation: &Simulation) -> (Option<usize>, u64) {
    let slot = simulation.clocks.current_slot();
    (simulation.clocks.host_of(slot), simulation.clocks.last_known(slot))
}

/// Stores the position at which the process ends. Signal handlers call this, too, so it takes no locks and asks tokio
/// only for the current runtime, not for the time.
fn show_final_position(shared_status: &SharedStatus) {
    match simulated::simulation() {
        Some(simulation) => {
            let (host, at) = position(simulation);
            shared_status.show_final_position(host, at);
        }
        // Before `enter` or after `leave`, the last position shown is the best one available.
        None => {
            let (host, at) = shared_status.position();
            shared_status.show_final_position(host, at.as_nanos() as u64);
        }
    }
}

/// Runs the job and ends the process.
pub(super) fn run(shared_status: &'static SharedStatus, command: &Command, handler: &impl Fn(&[u8]) -> Vec<u8>) -> ! {
    become_child(shared_status);
    // SAFETY: these system calls act on descriptors that the zygote set up.
    unsafe {
        libc::close(COMMAND_FD);
        libc::close(RESULT_FD);
        libc::dup2(OUTPUT_FD, 1);
        libc::dup2(OUTPUT_FD, 2);
        libc::close(OUTPUT_FD);
        libc::close(STATUS_FD);
    }
    let Some(job) = read_job(command.job_bytes as usize) else {
        end(shared_status, shared_status::NOTHING, None, 0);
    };
    record_panics();
    install_signal_handlers();
    counter::trap();
    set_limits(command);
    let outcome = catch_unwind(AssertUnwindSafe(|| handler(&job)));
    drop(leave());
    let _ = std::io::stdout().flush();
    if let Ok(outcome) = outcome {
        if write_all(OUTCOME_FD, &outcome) {
            shared_status.set_end(shared_status::RETURNED);
        }
    } else {
        shared_status.set_end(shared_status::PANICKED);
    }
    // SAFETY: `_exit` only ends the process, without destructors and exit handlers.
    unsafe { libc::_exit(0) }
}

fn read_job(length: usize) -> Option<Vec<u8>> {
    let mut job = vec![0_u8; length];
    let mut done = 0;
    while done < length {
        // SAFETY: the range is the rest of the buffer.
        let n = unsafe { libc::pread(JOB_FD, job[done..].as_mut_ptr().cast(), length - done, done as libc::off_t) };
        if n <= 0 {
            return None;
        }
        done += n as usize;
    }
    Some(job)
}

fn write_all(fd: c_int, bytes: &[u8]) -> bool {
    let mut done = 0;
    while done < bytes.len() {
        // SAFETY: the range is the rest of the buffer.
        let n = unsafe { libc::pwrite(fd, bytes[done..].as_ptr().cast(), bytes.len() - done, done as libc::off_t) };
        if n <= 0 {
            return false;
        }
        done += n as usize;
    }
    true
}

/// Sets the limits of memory and CPU time, both counted from here.
fn set_limits(command: &Command) {
    // SAFETY: the arguments of these system calls are valid.
    unsafe {
        if let Some(used) = address_space() {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::getrlimit(libc::RLIMIT_AS, &mut limit);
            let allowed = command.memory_bytes.saturating_add(WIRE_LOG_BYTES as u64);
            limit.rlim_cur = used.saturating_add(allowed).min(limit.rlim_max);
            libc::setrlimit(libc::RLIMIT_AS, &limit);
        }
        let tick = command.cpu_nanos.min(command.stuck_nanos).max(1_000);
        TICKS_LEFT.store(command.cpu_nanos.div_ceil(tick).max(1), Ordering::Relaxed);
        let micros = tick / 1_000;
        let period = libc::timeval {
            tv_sec: (micros / 1_000_000) as libc::time_t,
            tv_usec: (micros % 1_000_000) as libc::suseconds_t,
        };
        let timer = libc::itimerval { it_interval: period, it_value: period };
        // The C library's wrapper does no more than this, and the `libc` crate does not bind it on every platform.
        call!(libc::SYS_setitimer, libc::ITIMER_PROF, &raw const timer, 0);
    }
}

/// The size of this process's address space in bytes, read without the heap.
fn address_space() -> Option<u64> {
    let mut text = [0_u8; 64];
    // SAFETY: the path is a C string, and the buffer is as long as stated.
    let length = unsafe {
        let fd = libc::open(c"/proc/self/statm".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return None;
        }
        let length = libc::read(fd, text.as_mut_ptr().cast(), text.len());
        libc::close(fd);
        length
    };
    let text = text.get(..usize::try_from(length).ok()?)?;
    let pages = std::str::from_utf8(text.split(|byte| *byte == b' ').next()?).ok()?.parse::<u64>().ok()?;
    // SAFETY: `sysconf` reads a constant of the system.
    Some(pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64)
}

/// Installs handlers for the signals that end a run, with a stack of their own.
fn install_signal_handlers() {
    const STACK_BYTES: usize = 128 * 1024;
    // SAFETY: the stack is a fresh mapping, and the handlers do only what is allowed in a handler.
    unsafe {
        let stack = libc::mmap(
            ptr::null_mut(),
            STACK_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if stack != libc::MAP_FAILED {
            let stack = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: STACK_BYTES };
            libc::sigaltstack(&stack, ptr::null_mut());
        }
        let previous = &raw mut PREVIOUS_FAULT_ACTIONS;
        install(libc::SIGSEGV, on_fault, 0, (*previous)[0].as_mut_ptr());
        install(libc::SIGBUS, on_fault, 0, (*previous)[1].as_mut_ptr());
        install(libc::SIGABRT, on_abort, 0, ptr::null_mut());
        install(libc::SIGPROF, on_tick, libc::SA_RESTART, ptr::null_mut());
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &set, ptr::null_mut());
    }
    signals::hold_back();
}

/// How often the CPU time of one tick may pass before the CPU time of the run is used up.
static TICKS_LEFT: AtomicU64 = AtomicU64::new(0);
/// The virtual time at the last tick, in nanoseconds.
static TIME_AT_LAST_TICK: AtomicU64 = AtomicU64::new(u64::MAX);

/// Handles SIGPROF: the CPU time of a tick has passed, or the wall-clock limit is over or the child has stood still for long,
/// and the zygote asks for its position. The run ends if its CPU time is used up, or if its virtual time did not move since the last tick.
extern "C" fn on_tick(_signal: c_int, information: *mut siginfo_t, _context: *mut c_void) {
    let Some(shared_status) = shared_status() else { return };
    // SAFETY: the kernel passes valid information.
    let asked = unsafe { (*information).si_code } == libc::SI_USER;
    let now = if simulated::simulation().is_some() { shared_status.shown_time() } else { u64::MAX };
    let last = TIME_AT_LAST_TICK.swap(now, Ordering::Relaxed);
    let end = if asked {
        shared_status::BLOCKED
    } else if now == last && now != u64::MAX {
        shared_status::STUCK
    } else if TICKS_LEFT.fetch_sub(1, Ordering::Relaxed) <= 1 {
        shared_status::CPU_LIMIT
    } else {
        return;
    };
    // This comes first, in case finding the host fails.
    shared_status.set_end(end);
    show_final_position(shared_status);
    // SAFETY: `_exit` only ends the process.
    unsafe { libc::_exit(0) }
}

/// Handles SIGABRT: stores the final position. The process goes on to abort when this returns.
extern "C" fn on_abort(_signal: c_int, _information: *mut siginfo_t, _context: *mut c_void) {
    if let Some(shared_status) = shared_status() {
        show_final_position(shared_status);
    }
}

/// Handles SIGSEGV and SIGBUS: a fault close to the stack pointer is a stack overflow. Restores the previous handler,
/// which then runs because the fault happens again when this returns.
extern "C" fn on_fault(signal: c_int, information: *mut siginfo_t, context: *mut c_void) {
    const CLOSE_BYTES: usize = 256 * 1024;
    // SAFETY: the kernel passes valid information, and the previous actions were stored before this one was installed.
    unsafe {
        if signal == libc::SIGSEGV && counter::emulate_read(information, context) {
            return;
        }
        if let Some(shared_status) = shared_status() {
            show_final_position(shared_status);
            if ((*information).si_addr() as usize).abs_diff(stack_pointer(context)) < CLOSE_BYTES {
                shared_status.set_end(shared_status::STACK_OVERFLOW);
            }
        }
        let previous = &raw const PREVIOUS_FAULT_ACTIONS;
        let index = usize::from(signal == libc::SIGBUS);
        libc::sigaction(signal, (*previous)[index].as_ptr(), ptr::null_mut());
    }
}

/// The stack pointer of the interrupted code.
///
/// # Safety
/// `context` must be what the kernel gave to a handler.
unsafe fn stack_pointer(context: *mut c_void) -> usize {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the caller vouches for the context.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        (*context).uc_mcontext.gregs[libc::REG_RSP as usize] as usize
    }
    // SAFETY: the caller vouches for the context.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        (*context).uc_mcontext.sp as usize
    }
}

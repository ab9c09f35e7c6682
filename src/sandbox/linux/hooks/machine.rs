//! Hooks for facts about the machine and the process, for starting threads and processes, and for `exit`.

use std::ffi::c_void;

use libc::{c_char, c_int, pid_t, size_t};

use super::super::counter::start_process;
use super::super::raw::{Next, call, set_errno};
use super::super::{child, process, protocol, turns};
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::simulation;

/// The number of CPUs that every simulated machine has.
pub(super) const CPUS: usize = 4;
/// The process id that every simulated program sees.
pub(super) const PROCESS: pid_t = 4242;

static PTHREAD_CREATE: Next = Next::new(c"pthread_create");
static PTHREAD_JOIN: Next = Next::new(c"pthread_join");
static EXIT: Next = Next::new(c"exit");
static FORK: Next = Next::new(c"fork");
static SPAWN: Next = Next::new(c"posix_spawn");
static SPAWN_BY_NAME: Next = Next::new(c"posix_spawnp");

/// Looks up the definitions that these hooks pass through to.
pub(super) fn look_up() {
    // SAFETY: the types are those of the symbols.
    unsafe {
        PTHREAD_CREATE.get::<ThreadCreate>();
        PTHREAD_JOIN.get::<ThreadJoin>();
        EXIT.get::<extern "C" fn(c_int) -> !>();
        FORK.get::<unsafe extern "C" fn() -> pid_t>();
        SPAWN.get::<Spawn>();
        SPAWN_BY_NAME.get::<Spawn>();
    }
}

/// Whether this thread sees constants: it simulates, or the process is a zygote or the child of one.
pub(super) fn sees_constants() -> bool {
    simulation().is_some() || protocol::is_zygote()
}

type Start = extern "C" fn(*mut c_void) -> *mut c_void;
type ThreadCreate = unsafe extern "C" fn(*mut libc::pthread_t, *const c_void, Start, *mut c_void) -> c_int;

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    process::count_thread();
    if let Some(simulation) = simulation().filter(|simulation| turns::take_turns(simulation)) {
        return turns::begin(simulation, start, argument, |start, argument| {
            // SAFETY: the type is that of the symbol, and the caller vouches for the other arguments.
            let error = match unsafe { PTHREAD_CREATE.get::<ThreadCreate>() } {
                Some(next) => unsafe { next(thread, attributes, start, argument) },
                None => libc::EAGAIN,
            };
            // SAFETY: where no error is returned, the C library has written the thread's id.
            (error, if error == 0 { unsafe { *thread } } else { 0 })
        });
    }
    if let Some(simulation) = simulation() {
        simulation.threads.set(simulation.threads.get() + 1);
        record_escape(EscapeKind::Thread, || "a thread was started".to_owned());
    }
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    match unsafe { PTHREAD_CREATE.get::<ThreadCreate>() } {
        Some(next) => unsafe { next(thread, attributes, start, argument) },
        None => libc::EAGAIN,
    }
}

type ThreadJoin = unsafe extern "C" fn(libc::pthread_t, *mut *mut c_void) -> c_int;

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pthread_join(thread: libc::pthread_t, result: *mut *mut c_void) -> c_int {
    if let Some(simulation) = simulation().filter(|simulation| turns::take_turns(simulation))
        && !turns::wait_for_end(simulation, thread)
    {
        child::end_blocked(simulation);
    }
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    match unsafe { PTHREAD_JOIN.get::<ThreadJoin>() } {
        Some(next) => unsafe { next(thread, result) },
        None => libc::ESRCH,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fork() -> pid_t {
    record_escape(EscapeKind::Process, || "a copy of this process was started".to_owned());
    // SAFETY: the type is that of the symbol.
    match unsafe { FORK.get::<unsafe extern "C" fn() -> pid_t>() } {
        // SAFETY: the caller vouches for what the child does.
        Some(next) => start_process(|| unsafe { next() }),
        None => {
            set_errno(libc::ENOSYS);
            -1
        }
    }
}

type Spawn = unsafe extern "C" fn(
    *mut pid_t,
    *const c_char,
    *const c_void,
    *const c_void,
    *const *mut c_char,
    *const *mut c_char,
) -> c_int;

fn record_program(path: *const c_char) {
    record_escape(EscapeKind::Process, || {
        // SAFETY: the caller vouches for the path, a C string.
        unsafe { std::ffi::CStr::from_ptr(path) }.to_string_lossy().into_owned()
    });
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn posix_spawn(
    process: *mut pid_t,
    path: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: *const *mut c_char,
    environment: *const *mut c_char,
) -> c_int {
    record_program(path);
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    match unsafe { SPAWN.get::<Spawn>() } {
        Some(next) => start_process(|| unsafe { next(process, path, actions, attributes, arguments, environment) }),
        None => libc::ENOSYS,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn posix_spawnp(
    process: *mut pid_t,
    name: *const c_char,
    actions: *const c_void,
    attributes: *const c_void,
    arguments: *const *mut c_char,
    environment: *const *mut c_char,
) -> c_int {
    record_program(name);
    // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
    match unsafe { SPAWN_BY_NAME.get::<Spawn>() } {
        Some(next) => start_process(|| unsafe { next(process, name, actions, attributes, arguments, environment) }),
        None => libc::ENOSYS,
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sched_getaffinity(process: pid_t, size: size_t, set: *mut c_void) -> c_int {
    if sees_constants() && size >= 8 && !set.is_null() {
        // SAFETY: the caller vouches for `size` bytes.
        unsafe {
            set.cast::<u8>().write_bytes(0, size);
            set.cast::<u8>().write((1 << CPUS) - 1);
        }
        return 0;
    }
    let copied = call!(libc::SYS_sched_getaffinity, process, size, set);
    if copied < 0 {
        return -1;
    }
    // SAFETY: the kernel returns how many bytes it wrote. The rest is cleared, as the C library does.
    unsafe { set.cast::<u8>().add(copied as usize).write_bytes(0, size - copied as usize) };
    0
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn getpid() -> pid_t {
    if sees_constants() { PROCESS } else { call!(libc::SYS_getpid) as pid_t }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn gettid() -> pid_t {
    if simulation().is_some() { PROCESS } else { call!(libc::SYS_gettid) as pid_t }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn gethostname(name: *mut c_char, size: size_t) -> c_int {
    // SAFETY: all zeros is a valid value of this struct of arrays.
    let mut machine: libc::utsname = unsafe { std::mem::zeroed() };
    let found: &[u8] = match simulation() {
        Some(simulation) => simulation.host_name().unwrap_or("squall").as_bytes(),
        None => {
            if call!(libc::SYS_uname, &raw mut machine) < 0 {
                return -1;
            }
            // SAFETY: the kernel terminates the name with a zero.
            unsafe { std::ffi::CStr::from_ptr(machine.nodename.as_ptr()) }.to_bytes()
        }
    };
    if found.len() >= size {
        set_errno(libc::ENAMETOOLONG);
        return -1;
    }
    // SAFETY: the caller vouches for `size` bytes, which is more than the length of the name.
    unsafe {
        name.cast::<u8>().copy_from_nonoverlapping(found.as_ptr(), found.len());
        name.add(found.len()).write(0);
    }
    0
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn exit(code: c_int) -> ! {
    // The thread-local destructors that run next destroy what identifies the current host.
    child::note_exit();
    // SAFETY: the type is that of the symbol. Without the symbol, ending at once is the only option left.
    unsafe {
        match EXIT.get::<extern "C" fn(c_int) -> !>() {
            Some(next) => next(code),
            None => libc::_exit(code),
        }
    }
}

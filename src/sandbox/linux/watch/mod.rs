//! The watch on what no hook sees: system calls made without the C library, or by the C library where there is no
//! symbol to override, and reads of the time stamp counter. The kernel traps them to a signal handler, which records
//! them and then carries them out. Each costs a signal, so the watch is only for examining single runs.
//!
//! A program that the run starts inherits the filter but not the handler, so its first such call ends it.

mod calls;
mod filter;
#[cfg_attr(target_arch = "x86_64", path = "machine_x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "machine_aarch64.rs")]
mod machine;

use std::ffi::c_void;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use libc::{c_int, c_long, siginfo_t};

use self::calls::Call;
use super::process::shared_status;
use super::raw::{gate, passing_gate, system_call};
use super::{hooks, signals};
use crate::sandbox::escapes::record_system_call;
use crate::sandbox::notes::EscapeKind;

/// The addresses of the C library's code.
static LIBRARY_START: AtomicUsize = AtomicUsize::new(0);
static LIBRARY_END: AtomicUsize = AtomicUsize::new(0);
/// Whether this process is watched.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// The kernel's `siginfo_t` for a trapped system call. The type of the `libc` crate has no access to these fields.
#[repr(C)]
struct SystemCallInfo {
    signal: c_int,
    error: c_int,
    code: c_int,
    address: usize,
    number: c_int,
    machine: u32,
}

/// Watches this process from now on.
///
/// # Errors
/// The reason, if this process is not the child of a zygote or the system refuses the filter.
pub(in crate::sandbox) fn watch_system_calls() -> Result<(), String> {
    if shared_status().is_none() {
        return Err("runs have no process of their own here".to_owned());
    }
    if IS_ON.load(Ordering::Relaxed) {
        return Ok(());
    }
    let library = library_code();
    LIBRARY_START.store(library.start, Ordering::Relaxed);
    LIBRARY_END.store(library.end, Ordering::Relaxed);
    let Some(mut program) = filter::Program::new([gate(), machine::gates_of_children()], library) else {
        return Err("the code crosses a 4 GiB boundary, which the filter does not support".to_owned());
    };
    install_filter(&mut program)?;
    IS_ON.store(true, Ordering::Relaxed);
    Ok(())
}

/// Lets this process and its children answer system calls that the executable's own code makes without the C library. If
/// the system refuses, such calls stay unseen.
pub(super) fn trap_raw_calls() {
    let own = code_around(gate().start);
    let library = library_code();
    LIBRARY_START.store(library.start, Ordering::Relaxed);
    LIBRARY_END.store(library.end, Ordering::Relaxed);
    let gates = [gate(), passing_gate(), machine::gates_of_children()];
    if let Some(mut program) = filter::Program::of_own_code(own, gates) {
        // The reason of a refusal is told by whoever watches all calls.
        let _ = install_filter(&mut program);
    }
}

/// Installs the handler of trapped calls and a filter that traps some.
fn install_filter(program: &mut filter::Program) -> Result<(), String> {
    let program = program.for_kernel();
    // SAFETY: the handler is safe in a signal's context, and the program is valid; the kernel copies it.
    let refused = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_system_call as *const () as usize;
        // A call may make trapped calls itself, and it may wait. So the signal is not blocked meanwhile, and the handler
        // runs on the stack of the code that made the call.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSYS, &raw const action, ptr::null_mut());
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let arguments = [libc::SECCOMP_SET_MODE_FILTER as usize, 0, &raw const program as usize, 0, 0, 0];
        system_call(libc::SYS_seccomp, arguments)
    };
    match refused {
        0 => Ok(()),
        refused => {
            let error = std::io::Error::from_raw_os_error(-refused as c_int);
            Err(format!("the system refuses a seccomp filter: {}", error.kind()))
        }
    }
}

/// Finds the addresses of the C library's code; an empty range if it is not found.
fn library_code() -> Range<usize> {
    // No hook hides this function of the library.
    // SAFETY: the name is a C string.
    code_around(unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"gnu_get_libc_version".as_ptr()) } as usize)
}

/// Finds the addresses of the code around an address; an empty range if it is not found.
fn code_around(inside: usize) -> Range<usize> {
    struct Search {
        inside: usize,
        found: Range<usize>,
    }
    unsafe extern "C" fn look(information: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
        // SAFETY: the linker passes a valid description and the pointer to `search` below.
        let (information, search) = unsafe { (&*information, &mut *search.cast::<Search>()) };
        for index in 0..usize::from(information.dlpi_phnum) {
            // SAFETY: the index is below the number of headers.
            let header = unsafe { &*information.dlpi_phdr.add(index) };
            let start = information.dlpi_addr as usize + header.p_vaddr as usize;
            let range = start..start + header.p_memsz as usize;
            if header.p_type == libc::PT_LOAD && range.contains(&search.inside) {
                search.found = range;
                return 1;
            }
        }
        0
    }
    let mut search = Search { inside, found: 0..0 };
    // SAFETY: the callback gets the pointer that it expects.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    search.found
}

/// Handles a trapped system call: records it if a simulating thread made it, and carries it out.
extern "C" fn on_system_call(_signal: c_int, information: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes valid information and a valid context of the interrupted code.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        let trapped = &*information.cast::<SystemCallInfo>();
        // A SIGSYS that the filter did not cause has nothing to carry out.
        const SYS_SECCOMP: c_int = 1;
        if trapped.code != SYS_SECCOMP {
            return;
        }
        let number = c_long::from(trapped.number);
        let arguments = machine::arguments(context);
        let error = *libc::__errno_location();
        let is_raw = !is_by_library(trapped.address);
        if is_raw && let Some(answer) = hooks::answer_call(number, arguments) {
            let refused = -(*libc::__errno_location() as isize);
            machine::set_result(context, if answer == -1 { refused } else { answer as isize });
            *libc::__errno_location() = error;
            return;
        }
        let call = calls::of_number(number);
        if let Some(call) = call {
            record(call, arguments, is_raw);
        }
        *libc::__errno_location() = error;
        if call.is_some_and(Call::makes_child) {
            signals::expect_children();
            machine::go_on_at_gate_of_children(context, number);
        } else {
            machine::set_result(context, system_call(number, arguments));
        }
    }
}

/// Whether the C library made the call that returns to this address, or a hook that only passes it on.
fn is_by_library(address: usize) -> bool {
    let library = LIBRARY_START.load(Ordering::Relaxed)..LIBRARY_END.load(Ordering::Relaxed);
    // The address is that of the instruction after the call, which may be the first one behind the gate.
    library.contains(&address) || passing_gate().contains(&(address - 1))
}

/// Records a system call that a simulating thread makes.
///
/// # Safety
/// The arguments must be those of a system call that is being made.
unsafe fn record(call: &Call, arguments: [usize; 6], is_raw: bool) {
    let kind = if is_raw { EscapeKind::RawSystemCall } else { EscapeKind::SystemCall };
    // SAFETY: the caller vouches for the arguments.
    record_system_call(kind, |known| unsafe { call.describe(arguments, known) });
}

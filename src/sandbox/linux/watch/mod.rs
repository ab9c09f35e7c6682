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
use super::process::{install, shared_status};
use super::raw::{gate, passing_gate, system_call};
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
    let program = program.for_kernel();
    // SAFETY: the handler is safe in a signal's context, and the program is valid; the kernel copies it.
    let refused = unsafe {
        // Recording a call may make trapped calls, which must be carried out, too, so the signal is not blocked
        // meanwhile.
        install(libc::SIGSYS, on_system_call, libc::SA_NODEFER, ptr::null_mut());
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let arguments = [libc::SECCOMP_SET_MODE_FILTER as usize, 0, &raw const program as usize, 0, 0, 0];
        system_call(libc::SYS_seccomp, arguments)
    };
    if refused != 0 {
        let error = std::io::Error::from_raw_os_error(-refused as c_int);
        return Err(format!("the system refuses a seccomp filter: {}", error.kind()));
    }
    IS_ON.store(true, Ordering::Relaxed);
    machine::watch_counter();
    Ok(())
}

/// Finds the addresses of the C library's code; an empty range if it is not found.
fn library_code() -> Range<usize> {
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
    // No hook hides this function of the library.
    // SAFETY: the name is a C string, and the callback gets the pointer that it expects.
    unsafe {
        let inside = libc::dlsym(libc::RTLD_DEFAULT, c"gnu_get_libc_version".as_ptr()) as usize;
        let mut search = Search { inside, found: 0..0 };
        libc::dl_iterate_phdr(Some(look), (&raw mut search).cast());
        search.found
    }
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
        let call = calls::of_number(number);
        if let Some(call) = call {
            record(call, arguments, trapped.address);
        }
        *libc::__errno_location() = error;
        if call.is_some_and(Call::makes_child) {
            machine::go_on_at_gate_of_children(context, number);
        } else {
            machine::set_result(context, system_call(number, arguments));
        }
    }
}

/// Records a system call that a simulating thread makes.
///
/// # Safety
/// The arguments must be those of a system call that is being made.
unsafe fn record(call: &Call, arguments: [usize; 6], address: usize) {
    let library = LIBRARY_START.load(Ordering::Relaxed)..LIBRARY_END.load(Ordering::Relaxed);
    // The address is that of the instruction after the call, which may be the first one behind the gate.
    let by_library = library.contains(&address) || passing_gate().contains(&(address - 1));
    let kind = if by_library { EscapeKind::SystemCall } else { EscapeKind::RawSystemCall };
    // SAFETY: the caller vouches for the arguments.
    record_system_call(kind, |known| unsafe { call.describe(arguments, known) });
}

/// Called for a fault. Records and emulates a read of the time stamp counter; returns false for any other fault.
///
/// # Safety
/// The arguments must be what the kernel gave to the handler of SIGSEGV.
pub(super) unsafe fn emulate_counter_read(information: *mut siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: the caller vouches for the arguments.
    IS_ON.load(Ordering::Relaxed) && unsafe { machine::emulate_counter_read(information, context) }
}

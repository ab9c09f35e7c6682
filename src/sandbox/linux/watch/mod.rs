//! What no hook sees: system calls that are made without the C library, or by it where it has no symbol to define anew,
//! and reads of the time stamp counter. The kernel hands them back to a signal's handler, which records them and then
//! carries them out. It costs a signal for each, so it is for a closer look alone.
//!
//! A program that the run starts inherits the filter but not the handler, so it is ended by its first such call.

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
use super::raw::{gate, system_call};
use crate::sandbox::escapes::record_system_call;
use crate::sandbox::notes::EscapeKind;

/// Where the code of the C library is.
static LIBRARY_START: AtomicUsize = AtomicUsize::new(0);
static LIBRARY_END: AtomicUsize = AtomicUsize::new(0);
/// Whether this process is watched.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// The fields of the kernel's information on a system call that was handed back; the C library's type has no access.
#[repr(C)]
struct Handed {
    signal: c_int,
    error: c_int,
    code: c_int,
    place: usize,
    number: c_int,
    machine: u32,
}

/// Watches this process from now on.
///
/// # Errors
/// With the reason, in any process that is not a child of a zygote, and where the system refuses.
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
        return Err("the code lies across a border of 4 GiB".to_owned());
    };
    let program = program.for_kernel();
    // SAFETY: a handler that does what is said at it, and a valid program, which the kernel copies.
    let refused = unsafe {
        // Calls that are made while one is recorded must be carried out, too, so the signal is not blocked meanwhile.
        install(libc::SIGSYS, on_system_call, libc::SA_NODEFER, ptr::null_mut());
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let arguments = [libc::SECCOMP_SET_MODE_FILTER as usize, 0, &raw const program as usize, 0, 0, 0];
        system_call(libc::SYS_seccomp, arguments)
    };
    if refused != 0 {
        let error = std::io::Error::from_raw_os_error(-refused as c_int);
        return Err(format!("the system refuses a filter on them: {}", error.kind()));
    }
    IS_ON.store(true, Ordering::Relaxed);
    machine::watch_counter();
    Ok(())
}

/// The addresses of the C library's code; nothing if it cannot be found.
fn library_code() -> Range<usize> {
    struct Search {
        inside: usize,
        found: Range<usize>,
    }
    unsafe extern "C" fn look(information: *mut libc::dl_phdr_info, _size: usize, search: *mut c_void) -> c_int {
        // SAFETY: the linker gives a valid description, and the search is ours.
        let (information, search) = unsafe { (&*information, &mut *search.cast::<Search>()) };
        for index in 0..usize::from(information.dlpi_phnum) {
            // SAFETY: there are so many headers.
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
    // A function of the library that no hook hides.
    // SAFETY: a C string; and the callback has the type that is asked for.
    unsafe {
        let inside = libc::dlsym(libc::RTLD_DEFAULT, c"gnu_get_libc_version".as_ptr()) as usize;
        let mut search = Search { inside, found: 0..0 };
        libc::dl_iterate_phdr(Some(look), (&raw mut search).cast());
        search.found
    }
}

/// The kernel hands back a system call: record it if it is the run's, and carry it out.
extern "C" fn on_system_call(_signal: c_int, information: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives valid information and a valid context of the interrupted code.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        let handed = &*information.cast::<Handed>();
        // Somebody else's signal has nothing to carry out.
        const SYS_SECCOMP: c_int = 1;
        if handed.code != SYS_SECCOMP {
            return;
        }
        let number = c_long::from(handed.number);
        let arguments = machine::arguments(context);
        let error = *libc::__errno_location();
        let call = calls::of_number(number);
        if let Some(call) = call {
            note(call, arguments, handed.place);
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
/// The arguments must be those of a call that is being made.
unsafe fn note(call: &Call, arguments: [usize; 6], place: usize) {
    let by_library = (LIBRARY_START.load(Ordering::Relaxed)..LIBRARY_END.load(Ordering::Relaxed)).contains(&place);
    let kind = if by_library { EscapeKind::SystemCall } else { EscapeKind::RawSystemCall };
    // SAFETY: the caller vouches for the arguments.
    record_system_call(kind, |known| unsafe { call.describe(arguments, known) });
}

/// Called for a fault: whether it was one that only tells of the time stamp counter, so that the code can go on.
///
/// # Safety
/// The arguments must be what the kernel gave to the handler of SIGSEGV.
pub(super) unsafe fn is_counter(information: *mut siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: the caller vouches for the arguments.
    IS_ON.load(Ordering::Relaxed) && unsafe { machine::on_counter(information, context) }
}

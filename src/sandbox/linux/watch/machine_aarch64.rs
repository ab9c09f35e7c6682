//! The registers of interrupted code on aarch64.

use std::ffi::c_void;
use std::ops::Range;

use libc::{c_long, siginfo_t, ucontext_t};

/// The arguments of the system call that was trapped.
pub(super) fn arguments(context: &ucontext_t) -> [usize; 6] {
    std::array::from_fn(|index| context.uc_mcontext.regs[index] as usize)
}

/// Sets the result of the interrupted code's system call.
pub(super) fn set_result(context: &mut ucontext_t, result: isize) {
    context.uc_mcontext.regs[0] = result as u64;
}

/// Refuses the call. Calls that create children are not caught on this architecture, where no register is free to lead
/// the child back.
pub(super) fn go_on_at_gate_of_children(context: &mut ucontext_t, _number: c_long) {
    set_result(context, -(libc::ENOSYS as isize));
}

/// An empty range, as there are no such gates here.
pub(super) fn gates_of_children() -> Range<usize> {
    0..0
}

/// Does nothing, as reads of the counter cannot be detected on this architecture.
pub(super) fn watch_counter() {}

/// Returns false, as reads of the counter do not fault here.
///
/// # Safety
/// As for x86-64.
pub(super) unsafe fn emulate_counter_read(_information: *mut siginfo_t, _context: *mut c_void) -> bool {
    false
}

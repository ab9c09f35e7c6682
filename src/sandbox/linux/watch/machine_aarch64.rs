//! The interrupted code's registers on aarch64.

use std::ffi::c_void;
use std::ops::Range;

use libc::{c_long, siginfo_t, ucontext_t};

/// The arguments of the system call that was handed back.
pub(super) fn arguments(context: &ucontext_t) -> [usize; 6] {
    std::array::from_fn(|index| context.uc_mcontext.regs[index] as usize)
}

/// Gives the interrupted code the result of its call.
pub(super) fn set_result(context: &mut ucontext_t, result: isize) {
    context.uc_mcontext.regs[0] = result as u64;
}

/// Calls that make children are not caught on this machine, where no register is free to lead the child back; an
/// unknown call is refused.
pub(super) fn go_on_at_gate_of_children(context: &mut ucontext_t, _number: c_long) {
    set_result(context, -(libc::ENOSYS as isize));
}

/// There are none.
pub(super) fn gates_of_children() -> Range<usize> {
    0..0
}

/// Programs of this machine read its counter without a way to notice.
pub(super) fn watch_counter() {}

/// No fault is that of reading the counter.
///
/// # Safety
/// As for the other machine.
pub(super) unsafe fn on_counter(_information: *mut siginfo_t, _context: *mut c_void) -> bool {
    false
}

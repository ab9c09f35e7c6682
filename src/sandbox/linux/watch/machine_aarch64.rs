//! The registers of interrupted code on aarch64.

use std::ops::Range;

use libc::{c_long, ucontext_t};

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

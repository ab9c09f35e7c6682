//! The registers of interrupted code on x86-64, and the return of new threads and processes into it.

use std::arch::global_asm;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_long, ucontext_t};

/// The arguments of the system call that was trapped.
pub(super) fn arguments(context: &ucontext_t) -> [usize; 6] {
    use libc::{REG_R8, REG_R9, REG_R10, REG_RDI, REG_RDX, REG_RSI};
    let registers = &context.uc_mcontext.gregs;
    [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9].map(|register| registers[register as usize] as usize)
}

/// Sets the result of the interrupted code's system call.
pub(super) fn set_result(context: &mut ucontext_t, result: isize) {
    context.uc_mcontext.gregs[libc::REG_RAX as usize] = result as i64;
}

/// How many calls that create children may be in progress at once.
const RETURN_SLOTS: usize = 8;
/// The distance from one gate of children to the next, in bytes.
const GATE_BYTES: usize = 16;

/// The addresses to which calls that create children return. A new thread starts with its creator's registers but on
/// another stack, so it cannot return through the signal handler. No register can hold the address either: the call
/// overwrites the two that it may change.
static RETURN_ADDRESSES: [AtomicUsize; RETURN_SLOTS] = [const { AtomicUsize::new(0) }; RETURN_SLOTS];

// Each slot has its own gate, because a thread may create a child before another thread's child has returned.
global_asm!(
    ".pushsection .text.squall_gates_of_children, \"ax\", @progbits",
    ".balign 16",
    ".hidden squall_gates_of_children",
    ".globl squall_gates_of_children",
    "squall_gates_of_children:",
    ".irp slot, 0, 1, 2, 3, 4, 5, 6, 7",
    ".balign 16",
    "syscall",
    "jmp qword ptr [rip + {returns} + \\slot * 8]",
    ".endr",
    ".balign 16",
    ".popsection",
    returns = sym RETURN_ADDRESSES,
);

unsafe extern "C" {
    static squall_gates_of_children: u8;
}

/// The addresses of the gates through which calls that create children are made.
pub(super) fn gates_of_children() -> Range<usize> {
    let start = &raw const squall_gates_of_children as usize;
    start..start + RETURN_SLOTS * GATE_BYTES
}

/// Makes the interrupted code repeat its call from a gate, where it is not caught, and then continue where it was.
pub(super) fn go_on_at_gate_of_children(context: &mut ucontext_t, number: c_long) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let slot = NEXT.fetch_add(1, Ordering::Relaxed) % RETURN_SLOTS;
    let registers = &mut context.uc_mcontext.gregs;
    RETURN_ADDRESSES[slot].store(registers[libc::REG_RIP as usize] as usize, Ordering::SeqCst);
    registers[libc::REG_RAX as usize] = number;
    registers[libc::REG_RIP as usize] = (gates_of_children().start + slot * GATE_BYTES) as i64;
}

//! The registers of interrupted code on x86-64, the return of new threads and processes into it, and the time stamp
//! counter.

use std::arch::{asm, global_asm};
use std::ffi::c_void;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_int, c_long, siginfo_t, ucontext_t};

use super::super::raw::system_call;
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;

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

/// Makes instructions that read the time stamp counter fault from now on, including those in the vDSO. If the processor
/// does not support this, they stay unseen.
pub(super) fn watch_counter() {
    set_counter(libc::PR_TSC_SIGSEGV);
}

fn set_counter(mode: c_int) {
    let arguments = [libc::PR_SET_TSC as usize, mode as usize, 0, 0, 0, 0];
    // SAFETY: this only changes whether two instructions fault on this thread.
    unsafe { system_call(libc::SYS_prctl, arguments) };
}

/// The name and the length in bytes of the instruction at an address, if it reads the time stamp counter.
///
/// # Safety
/// `address` must be that of an instruction.
unsafe fn counter_instruction(address: usize) -> Option<(&'static str, usize)> {
    let byte = |index: usize| {
        // SAFETY: code is readable, and a third byte is read only if the first two show that the instruction has one.
        unsafe { (address as *const u8).add(index).read() }
    };
    match (byte(0), byte(1)) {
        (0x0f, 0x31) => Some(("rdtsc", 2)),
        (0x0f, 0x01) if byte(2) == 0xf9 => Some(("rdtscp", 3)),
        _ => None,
    }
}

/// Called for a fault. Records and emulates an instruction that reads the counter; returns false for any other fault.
///
/// # Safety
/// The arguments must be what the kernel gave to the handler of SIGSEGV.
pub(super) unsafe fn emulate_counter_read(information: *mut siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: the caller vouches for the arguments.
    let (information, context) = unsafe { (&*information, &mut *context.cast::<ucontext_t>()) };
    let address = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    // A fault at an inaccessible address has another code, and its instruction may be inaccessible, too.
    if information.si_code != libc::SI_KERNEL {
        return false;
    }
    // SAFETY: the instruction itself faulted, so it was fetched and is readable.
    let Some((name, length)) = (unsafe { counter_instruction(address) }) else { return false };
    set_counter(libc::PR_TSC_ENABLE);
    record_escape(EscapeKind::TimeStampCounter, || {
        // SAFETY: `getauxval` reads a constant of the process.
        let page = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
        const PAGE_BYTES: usize = 4 * 4096;
        let is_in_vdso = page != 0 && (page..page + PAGE_BYTES).contains(&address);
        if is_in_vdso { "a clock read through the vDSO".to_owned() } else { name.to_owned() }
    });
    let (low, high, processor): (u64, u64, u64);
    // SAFETY: the instructions read the counter, which every x86-64 processor has, and the number of the processor.
    unsafe {
        if length == 3 {
            asm!("rdtscp", out("rax") low, out("rdx") high, out("rcx") processor, options(nomem, nostack));
        } else {
            asm!("rdtsc", out("rax") low, out("rdx") high, options(nomem, nostack));
            processor = context.uc_mcontext.gregs[libc::REG_RCX as usize] as u64;
        }
    }
    set_counter(libc::PR_TSC_SIGSEGV);
    let registers = &mut context.uc_mcontext.gregs;
    for (register, value) in [(libc::REG_RAX, low), (libc::REG_RDX, high), (libc::REG_RCX, processor)] {
        registers[register as usize] = value as i64;
    }
    registers[libc::REG_RIP as usize] += length as i64;
    true
}

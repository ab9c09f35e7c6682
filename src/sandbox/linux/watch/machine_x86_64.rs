//! The interrupted code's registers on x86-64, the way of new threads and processes back into it, and the time stamp
//! counter.

use std::arch::{asm, global_asm};
use std::ffi::c_void;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_int, c_long, siginfo_t, ucontext_t};

use super::super::raw::system_call;
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;

/// The arguments of the system call that was handed back.
pub(super) fn arguments(context: &ucontext_t) -> [usize; 6] {
    use libc::{REG_R8, REG_R9, REG_R10, REG_RDI, REG_RDX, REG_RSI};
    let registers = &context.uc_mcontext.gregs;
    [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9].map(|register| registers[register as usize] as usize)
}

/// Gives the interrupted code the result of its call.
pub(super) fn set_result(context: &mut ucontext_t, result: isize) {
    context.uc_mcontext.gregs[libc::REG_RAX as usize] = result as i64;
}

/// How many children may be on their way back at once.
const WAYS: usize = 8;
/// The bytes from one gate of children to the next.
const WAY_BYTES: usize = 16;

/// Where the calls that make children return to. A new thread starts with the registers of its maker but on another
/// stack, so it cannot return through a handler; and the two registers that a call may change are lost in it.
static WAYS_BACK: [AtomicUsize; WAYS] = [const { AtomicUsize::new(0) }; WAYS];

// For each way a gate of its own, as a thread may make a child while the child of another has not come back.
global_asm!(
    ".pushsection .text.squall_gates_of_children, \"ax\", @progbits",
    ".balign 16",
    ".hidden squall_gates_of_children",
    ".globl squall_gates_of_children",
    "squall_gates_of_children:",
    ".irp way, 0, 1, 2, 3, 4, 5, 6, 7",
    ".balign 16",
    "syscall",
    "jmp qword ptr [rip + {ways} + \\way * 8]",
    ".endr",
    ".balign 16",
    ".popsection",
    ways = sym WAYS_BACK,
);

unsafe extern "C" {
    static squall_gates_of_children: u8;
}

/// Where calls that make children leave from.
pub(super) fn gates_of_children() -> Range<usize> {
    let start = &raw const squall_gates_of_children as usize;
    start..start + WAYS * WAY_BYTES
}

/// Lets the interrupted code make its call itself, from where it is not caught, and then go on where it was.
pub(super) fn go_on_at_gate_of_children(context: &mut ucontext_t, number: c_long) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let way = NEXT.fetch_add(1, Ordering::Relaxed) % WAYS;
    let registers = &mut context.uc_mcontext.gregs;
    WAYS_BACK[way].store(registers[libc::REG_RIP as usize] as usize, Ordering::SeqCst);
    registers[libc::REG_RAX as usize] = number;
    registers[libc::REG_RIP as usize] = (gates_of_children().start + way * WAY_BYTES) as i64;
}

/// Makes the instructions that read the time stamp counter fault from now on, also those in the kernel's page for
/// clocks. Where the processor cannot, they go on unseen.
pub(super) fn watch_counter() {
    set_counter(libc::PR_TSC_SIGSEGV);
}

fn set_counter(mode: c_int) {
    let arguments = [libc::PR_SET_TSC as usize, mode as usize, 0, 0, 0, 0];
    // SAFETY: changes what two instructions do on this thread.
    unsafe { system_call(libc::SYS_prctl, arguments) };
}

/// The bytes of an instruction at which a fault happened, if it reads the time stamp counter.
///
/// # Safety
/// `place` must be that of an instruction.
unsafe fn counter_instruction(place: usize) -> Option<(&'static str, usize)> {
    let byte = |index: usize| {
        // SAFETY: code can be read, and no byte is read beyond what the ones before it make an instruction of.
        unsafe { (place as *const u8).add(index).read() }
    };
    match (byte(0), byte(1)) {
        (0x0f, 0x31) => Some(("rdtsc", 2)),
        (0x0f, 0x01) if byte(2) == 0xf9 => Some(("rdtscp", 3)),
        _ => None,
    }
}

/// Called for a fault: if it is that of reading the counter, it is recorded and carried out. Says whether it was.
///
/// # Safety
/// The arguments must be what the kernel gave to the handler of SIGSEGV.
pub(super) unsafe fn on_counter(information: *mut siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: the kernel gives valid information.
    let (information, context) = unsafe { (&*information, &mut *context.cast::<ucontext_t>()) };
    let place = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    // A fault at an address that cannot be accessed has another code, and then its instruction may be out of reach, too.
    if information.si_code != libc::SI_KERNEL {
        return false;
    }
    // SAFETY: the fault was that of the instruction itself.
    let Some((name, length)) = (unsafe { counter_instruction(place) }) else { return false };
    set_counter(libc::PR_TSC_ENABLE);
    record_escape(EscapeKind::TimeStampCounter, || {
        // SAFETY: asks for a constant of the process.
        let page = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
        const PAGE_BYTES: usize = 4 * 4096;
        let by_kernels_code = page != 0 && (page..page + PAGE_BYTES).contains(&place);
        if by_kernels_code { "a clock read through the vDSO".to_owned() } else { name.to_owned() }
    });
    let (low, high, processor): (u64, u64, u64);
    // SAFETY: reads the counter, which every processor of this kind has, and the number of the processor.
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

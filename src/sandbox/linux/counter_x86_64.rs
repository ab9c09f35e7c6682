//! The time stamp counter of x86-64: reads of it fault, and are answered with virtual time.

use std::arch::asm;
use std::ffi::c_void;

use libc::{c_int, siginfo_t, ucontext_t};

use super::super::raw::system_call;
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;
use crate::sandbox::simulated::simulation;

/// Makes instructions that read the time stamp counter fault from now on, so that they are answered. If the processor does
/// not support this, they stay unseen.
pub(super) fn trap() {
    set_counter(libc::PR_TSC_SIGSEGV);
}

/// Lets these instructions answer by themselves.
pub(super) fn leave() {
    set_counter(libc::PR_TSC_ENABLE);
}

fn set_counter(mode: c_int) {
    let arguments = [libc::PR_SET_TSC as usize, mode as usize, 0, 0, 0, 0];
    // SAFETY: this only changes whether two instructions fault on this thread.
    unsafe { system_call(libc::SYS_prctl, arguments) };
}

/// The length of the instruction that also tells the number of the processor.
const RDTSCP_BYTES: usize = 3;

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
        (0x0f, 0x01) if byte(2) == 0xf9 => Some(("rdtscp", RDTSCP_BYTES)),
        _ => None,
    }
}

/// The halves of the real counter, and the number of the processor.
fn read_counter() -> (u64, u64, u64) {
    let (low, high, processor);
    // SAFETY: the instruction reads the counter, which every processor with faults of it has.
    unsafe { asm!("rdtscp", out("rax") low, out("rdx") high, out("rcx") processor, options(nomem, nostack)) };
    (low, high, processor)
}

/// Called for a fault. Answers and carries out an instruction that reads the counter; returns false for any other fault.
///
/// # Safety
/// The arguments must be what the kernel gave to the handler of SIGSEGV.
pub(super) unsafe fn emulate_read(information: *mut siginfo_t, context: *mut c_void) -> bool {
    // SAFETY: the caller vouches for the arguments.
    let (information, context) = unsafe { (&*information, &mut *context.cast::<ucontext_t>()) };
    let address = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    // A fault at an inaccessible address has another code, and its instruction may be inaccessible, too.
    if information.si_code != libc::SI_KERNEL {
        return false;
    }
    // SAFETY: the instruction itself faulted, so it was fetched and is readable.
    let Some((name, length)) = (unsafe { counter_instruction(address) }) else { return false };
    // SAFETY: `getauxval` reads a constant of the process.
    let page = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
    const PAGE_BYTES: usize = 4 * 4096;
    let is_in_vdso = page != 0 && (page..page + PAGE_BYTES).contains(&address);
    let (low, high, processor) = match simulation() {
        // The counter of every simulated machine counts nanoseconds.
        Some(simulation) if !is_in_vdso => {
            let now = simulation.monotonic();
            (now & 0xffff_ffff, now >> 32, 0)
        }
        _ => {
            set_counter(libc::PR_TSC_ENABLE);
            record_escape(EscapeKind::TimeStampCounter, || format!("a clock read through the vDSO, by {name}"));
            let read = read_counter();
            set_counter(libc::PR_TSC_SIGSEGV);
            read
        }
    };
    let registers = &mut context.uc_mcontext.gregs;
    registers[libc::REG_RAX as usize] = low as i64;
    registers[libc::REG_RDX as usize] = high as i64;
    if length == RDTSCP_BYTES {
        registers[libc::REG_RCX as usize] = processor as i64;
    }
    registers[libc::REG_RIP as usize] += length as i64;
    true
}

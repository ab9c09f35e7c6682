//! Memory in which the kernel leaves chance for a process: the place of the stack, and some bytes on it.

use std::arch::global_asm;
use std::ffi::c_void;

use super::process::shared_status;
use crate::seed::Seed;

// The frame pointer tells the unwinder where the caller's frame is, however far the stack has moved.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".pushsection .text.squall_on_moved_stack, \"ax\", @progbits",
    ".balign 16",
    ".hidden squall_on_moved_stack",
    ".globl squall_on_moved_stack",
    ".type squall_on_moved_stack, @function",
    "squall_on_moved_stack:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "sub rsp, rdi",
    "mov rdi, rdx",
    "call rsi",
    "mov rsp, rbp",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size squall_on_moved_stack, . - squall_on_moved_stack",
    ".popsection",
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".pushsection .text.squall_on_moved_stack, \"ax\", @progbits",
    ".balign 16",
    ".hidden squall_on_moved_stack",
    ".globl squall_on_moved_stack",
    ".type squall_on_moved_stack, @function",
    "squall_on_moved_stack:",
    ".cfi_startproc",
    "stp x29, x30, [sp, #-16]!",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset x29, -16",
    ".cfi_offset x30, -8",
    "mov x29, sp",
    ".cfi_def_cfa_register x29",
    "sub sp, sp, x0",
    "mov x0, x2",
    "blr x1",
    "mov sp, x29",
    "ldp x29, x30, [sp], #16",
    ".cfi_def_cfa sp, 0",
    "ret",
    ".cfi_endproc",
    ".size squall_on_moved_stack, . - squall_on_moved_stack",
    ".popsection",
);

unsafe extern "C-unwind" {
    fn squall_on_moved_stack(bytes: usize, run: extern "C-unwind" fn(*mut c_void), argument: *mut c_void);
}

extern "C-unwind" fn run_it(argument: *mut c_void) {
    // SAFETY: `on_moved_stack` passes this pointer, which lives until the call returns.
    let run = unsafe { &mut *argument.cast::<&mut dyn FnMut()>() };
    run();
}

/// Runs this with the stack moved by so many steps of its alignment, if this process is the child of a zygote.
pub(in crate::sandbox) fn on_moved_stack(steps: usize, mut run: &mut dyn FnMut()) {
    const ALIGNMENT: usize = 16;
    if shared_status().is_none() {
        return run();
    }
    // SAFETY: the function moves the stack by a multiple of its alignment, which leaves room, and back.
    unsafe { squall_on_moved_stack(steps * ALIGNMENT, run_it, (&raw mut run).cast()) }
}

/// Lets this process, if it is the child of a zygote, see the seed's entropy where the kernel has left some for it.
pub(in crate::sandbox) fn begin(seed: Seed) {
    if shared_status().is_none() {
        return;
    }
    // SAFETY: the kernel passes the address of 16 bytes on the stack to every process.
    let left = unsafe { (libc::getauxval(libc::AT_RANDOM) as *mut [u8; 16]).as_mut() };
    for (word, chunk) in left.into_iter().flat_map(|left| left.chunks_mut(8)).enumerate() {
        chunk.copy_from_slice(&seed.decide("entropy of the process", &[word as u64]).to_le_bytes());
    }
}

//! System calls without the C library, `errno`, and the definitions that interposed symbols hide.

use std::arch::global_asm;
use std::ffi::CStr;
use std::mem;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{c_int, c_long, c_void};

// Squall makes all its own system calls through the one instruction of the first gate. A system call filter can then tell
// them from those of the code under test by their address (see `watch`). Calls that hooks only pass on go through the
// second gate: they are those of the code under test.
macro_rules! gate_of {
    ($name:literal, $($instruction:literal),*) => {
        global_asm!(
            ".pushsection .text.squall_gate, \"ax\", @progbits",
            ".balign 16",
            concat!(".hidden ", $name, ", ", $name, "_end"),
            concat!(".globl ", $name, ", ", $name, "_end"),
            concat!(".type ", $name, ", @function"),
            concat!($name, ":"),
            $($instruction,)*
            concat!($name, "_end:"),
            concat!(".size ", $name, ", . - ", $name),
            ".popsection",
        );
    };
}
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
macro_rules! gate {
    ($name:literal) => {
        gate_of!(
            $name, "mov rax, rdi", "mov rdi, rsi", "mov rsi, rdx", "mov rdx, rcx", "mov r10, r8", "mov r8, r9",
            "mov r9, [rsp + 8]", "syscall", "ret"
        );
    };
}
#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
macro_rules! gate {
    ($name:literal) => {
        gate_of!(
            $name, "mov x8, x0", "mov x0, x1", "mov x1, x2", "mov x2, x3", "mov x3, x4", "mov x4, x5", "mov x5, x6",
            "svc 0", "ret"
        );
    };
}
gate!("squall_gate");
gate!("squall_passing_gate");

unsafe extern "C" {
    fn squall_gate(number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> isize;
    static squall_gate_end: u8;
    fn squall_passing_gate(number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> isize;
    static squall_passing_gate_end: u8;
}

/// The addresses of the code through which [`system_call`] makes its calls.
pub(super) fn gate() -> Range<usize> {
    squall_gate as *const () as usize..&raw const squall_gate_end as usize
}

/// The addresses of the code through which [`passed_call`] makes its calls.
pub(super) fn passing_gate() -> Range<usize> {
    squall_passing_gate as *const () as usize..&raw const squall_passing_gate_end as usize
}

/// Makes a system call that code under test asks the C library for, as the C library would.
///
/// # Safety
/// As for [`system_call`].
#[inline]
pub(super) unsafe fn passed_call(number: c_long, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the gate only makes this call, and the caller vouches for the arguments.
    unsafe { squall_passing_gate(number, a, b, c, d, e, f) }
}

/// Makes a system call and returns what the kernel returned: a negative errno on failure.
///
/// # Safety
/// The arguments must be valid for the system call `number`.
#[inline]
pub(super) unsafe fn system_call(number: c_long, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the gate only makes this call, and the caller vouches for the arguments.
    unsafe { squall_gate(number, a, b, c, d, e, f) }
}

/// Converts the kernel's result to the C library's convention: -1 and `errno` on failure.
#[inline]
pub(super) fn returned(result: isize) -> c_long {
    if (-4095..0).contains(&result) {
        set_errno(-result as c_int);
        -1
    } else {
        result as c_long
    }
}

/// Sets this thread's `errno`.
#[inline]
pub(super) fn set_errno(value: c_int) {
    // SAFETY: the pointer to this thread's `errno` is always valid.
    unsafe { *libc::__errno_location() = value }
}

/// Makes a system call and returns its result in the C library's convention.
macro_rules! call {
    ($number:expr $(, $argument:expr)* $(,)?) => {{
        let given: &[usize] = &[$($argument as usize),*];
        let mut all = [0_usize; 6];
        all[..given.len()].copy_from_slice(given);
        // The caller may already be in an unsafe block.
        #[allow(unused_unsafe)]
        let result = unsafe { $crate::sandbox::platform::raw::system_call($number, all) };
        $crate::sandbox::platform::raw::returned(result)
    }};
}
pub(super) use call;

/// Makes a system call that code under test asks the C library for, and returns its result in the C library's convention.
macro_rules! pass {
    ($number:expr $(, $argument:expr)* $(,)?) => {{
        let given: &[usize] = &[$($argument as usize),*];
        let mut all = [0_usize; 6];
        all[..given.len()].copy_from_slice(given);
        // The caller may already be in an unsafe block.
        #[allow(unused_unsafe)]
        let result = unsafe { $crate::sandbox::platform::raw::passed_call($number, all) };
        $crate::sandbox::platform::raw::returned(result)
    }};
}
pub(super) use pass;

/// The definition of a symbol that this binary's own definition hides, looked up at first use.
pub(super) struct Next {
    name: &'static CStr,
    /// The version of the symbol, where the C library has several.
    version: Option<&'static CStr>,
    address: AtomicPtr<c_void>,
}

impl Next {
    /// The next definition of `name`.
    pub(super) const fn new(name: &'static CStr) -> Next {
        Next { name, version: None, address: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The next definition of `name` in this version.
    pub(super) const fn of_version(name: &'static CStr, version: &'static CStr) -> Next {
        Next { name, version: Some(version), address: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The function, or `None` if there is no other definition.
    ///
    /// # Safety
    /// `F` must be the symbol's function pointer type.
    #[inline]
    pub(super) unsafe fn get<F: Copy>(&self) -> Option<F> {
        const { assert!(mem::size_of::<F>() == mem::size_of::<*mut c_void>()) };
        let mut address = self.address.load(Ordering::Relaxed);
        if address.is_null() {
            // SAFETY: the names are C strings, and these functions call none of the symbols that this binary defines.
            address = unsafe {
                match self.version {
                    Some(version) => libc::dlvsym(libc::RTLD_NEXT, self.name.as_ptr(), version.as_ptr()),
                    None => libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()),
                }
            };
            self.address.store(address, Ordering::Relaxed);
        }
        if address.is_null() {
            None
        } else {
            // SAFETY: the caller vouches for the type, and function pointers are as large as data pointers here.
            Some(unsafe { mem::transmute_copy(&address) })
        }
    }
}

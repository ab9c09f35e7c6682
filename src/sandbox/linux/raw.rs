//! System calls without the C library, `errno`, and the next definition of an interposed symbol.

use std::arch::asm;
use std::ffi::CStr;
use std::mem;
use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{c_int, c_long, c_void};

/// Makes a system call and returns what the kernel returned: a negative errno on failure.
///
/// # Safety
/// The arguments must be valid for the system call `number`.
#[inline]
pub(super) unsafe fn system_call(number: c_long, arguments: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = arguments;
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel's calling convention; it clobbers rcx and r11 only.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the kernel's calling convention; it clobbers nothing but x0.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number as isize,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack)
        );
    }
    result
}

/// The convention of the C library for what the kernel returned: -1 and `errno` on failure.
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
    // SAFETY: the pointer is this thread's own and always valid.
    unsafe { *libc::__errno_location() = value }
}

/// A system call with the C library's convention for its result.
macro_rules! call {
    ($number:expr $(, $argument:expr)* $(,)?) => {{
        let given: &[usize] = &[$($argument as usize),*];
        let mut all = [0_usize; 6];
        all[..given.len()].copy_from_slice(given);
        // A caller may be in an unsafe block already.
        #[allow(unused_unsafe)]
        let result = unsafe { $crate::sandbox::platform::raw::system_call($number, all) };
        $crate::sandbox::platform::raw::returned(result)
    }};
}
pub(super) use call;

/// The definition of a symbol that this binary's own definition hides, looked up once.
pub(super) struct Next {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Next {
    /// The next definition of `name`.
    pub(super) const fn new(name: &'static CStr) -> Next {
        Next { name, address: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// The function itself, or `None` if there is no other definition.
    ///
    /// # Safety
    /// `F` must be the function pointer type of the symbol.
    #[inline]
    pub(super) unsafe fn get<F: Copy>(&self) -> Option<F> {
        const { assert!(mem::size_of::<F>() == mem::size_of::<*mut c_void>()) };
        let mut address = self.address.load(Ordering::Relaxed);
        if address.is_null() {
            // SAFETY: the name is a C string; `dlsym` calls none of the symbols that this binary defines.
            address = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            self.address.store(address, Ordering::Relaxed);
        }
        if address.is_null() {
            None
        } else {
            // SAFETY: the caller vouches for the type; function pointers and data pointers have one size here.
            Some(unsafe { mem::transmute_copy(&address) })
        }
    }
}

//! The system calls that give a run information beyond its case, or that change what a later run finds.
//!
//! Absent on purpose are calls that every run makes in the same way: for memory, signals, locks, pipes and events
//! within the process, and for writing to an open file. Reading from a socket is absent, too, because its creation is
//! recorded.

use std::ffi::CStr;
use std::fmt::Write as _;

use libc::c_long;

use super::super::hooks::is_allowed_file;
use super::super::raw::system_call;

/// What the arguments of a system call refer to.
#[derive(Clone, Copy)]
pub(super) enum ArgumentKind {
    /// Nothing worth reporting.
    Plain,
    /// The path that this argument points to.
    Path(usize),
    /// The path that the next argument points to, relative to the directory whose descriptor this argument is.
    PathAt(usize),
    /// The open file of the descriptor in this argument.
    Open(usize),
    /// The socket address that this argument points to; the next argument is its length.
    Address(usize),
    /// The clock whose id this argument is.
    Clock(usize),
    /// A new process or thread, which runs on its own stack.
    #[cfg_attr(target_arch = "aarch64", allow(dead_code))]
    Child,
}

/// A system call that the filter catches.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) number: c_long,
    pub(super) name: &'static str,
    pub(super) argument: ArgumentKind,
}

macro_rules! calls {
    ($($number:ident $name:literal $argument:expr;)*) => {
        &[$(Call { number: libc::$number, name: $name, argument: $argument }),*]
    };
}

use ArgumentKind::{Address, Child, Clock, Open, Path, PathAt, Plain};

/// The calls that are caught on every architecture.
const COMMON: &[Call] = calls! {
    SYS_getrandom "getrandom" Plain;
    SYS_clock_gettime "clock_gettime" Clock(0);
    SYS_gettimeofday "gettimeofday" Plain;
    SYS_adjtimex "adjtimex" Plain;
    SYS_clock_adjtime "clock_adjtime" Plain;
    SYS_times "times" Plain;
    SYS_getrusage "getrusage" Plain;
    SYS_nanosleep "nanosleep" Plain;
    SYS_clock_nanosleep "clock_nanosleep" Plain;
    SYS_timer_create "timer_create" Plain;
    SYS_timerfd_create "timerfd_create" Plain;
    SYS_setitimer "setitimer" Plain;
    SYS_getpid "getpid" Plain;
    SYS_gettid "gettid" Plain;
    SYS_getppid "getppid" Plain;
    SYS_getpgid "getpgid" Plain;
    SYS_getsid "getsid" Plain;
    SYS_uname "uname" Plain;
    SYS_sysinfo "sysinfo" Plain;
    SYS_getcpu "getcpu" Plain;
    SYS_sched_getaffinity "sched_getaffinity" Plain;
    SYS_openat "openat" PathAt(0);
    SYS_openat2 "openat2" PathAt(0);
    SYS_read "read" Open(0);
    SYS_readv "readv" Open(0);
    SYS_pread64 "pread64" Open(0);
    SYS_preadv "preadv" Open(0);
    SYS_preadv2 "preadv2" Open(0);
    SYS_getdents64 "getdents64" Open(0);
    SYS_fstat "fstat" Open(0);
    SYS_fstatfs "fstatfs" Open(0);
    SYS_statx "statx" PathAt(0);
    SYS_statfs "statfs" Path(0);
    SYS_faccessat "faccessat" PathAt(0);
    SYS_faccessat2 "faccessat2" PathAt(0);
    SYS_readlinkat "readlinkat" PathAt(0);
    SYS_mkdirat "mkdirat" PathAt(0);
    SYS_unlinkat "unlinkat" PathAt(0);
    SYS_renameat2 "renameat2" PathAt(0);
    SYS_linkat "linkat" PathAt(0);
    SYS_symlinkat "symlinkat" PathAt(1);
    SYS_truncate "truncate" Path(0);
    SYS_utimensat "utimensat" PathAt(0);
    SYS_socket "socket" Plain;
    SYS_connect "connect" Address(1);
    SYS_bind "bind" Address(1);
    SYS_accept "accept" Plain;
    SYS_accept4 "accept4" Plain;
    SYS_io_uring_setup "io_uring_setup" Plain;
    SYS_execve "execve" Path(0);
    SYS_execveat "execveat" PathAt(0);
};

/// The calls that are caught on x86-64 only: older calls that newer architectures lack, and those that create children.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE_SPECIFIC: &[Call] = calls! {
    SYS_newfstatat "newfstatat" PathAt(0);
    SYS_time "time" Plain;
    SYS_alarm "alarm" Plain;
    SYS_getpgrp "getpgrp" Plain;
    SYS_open "open" Path(0);
    SYS_creat "creat" Path(0);
    SYS_stat "stat" Path(0);
    SYS_lstat "lstat" Path(0);
    SYS_access "access" Path(0);
    SYS_readlink "readlink" Path(0);
    SYS_mkdir "mkdir" Path(0);
    SYS_rmdir "rmdir" Path(0);
    SYS_unlink "unlink" Path(0);
    SYS_rename "rename" Path(0);
    SYS_renameat "renameat" PathAt(0);
    SYS_link "link" Path(0);
    SYS_symlink "symlink" Path(1);
    SYS_getdents "getdents" Open(0);
    SYS_clone "clone" Child;
    SYS_clone3 "clone3" Child;
    SYS_fork "fork" Child;
    SYS_vfork "vfork" Child;
};
/// The calls that are caught on aarch64 only.
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE_SPECIFIC: &[Call] = calls! {
    SYS_newfstatat "newfstatat" PathAt(0);
};

/// Every system call that is caught.
pub(super) fn all() -> impl Iterator<Item = &'static Call> {
    COMMON.iter().chain(ARCHITECTURE_SPECIFIC)
}

/// The caught system call with this number.
pub(super) fn of_number(number: c_long) -> Option<&'static Call> {
    all().find(|call| call.number == number)
}

impl Call {
    /// Whether it creates a process or a thread.
    pub(super) fn makes_child(&self) -> bool {
        matches!(self.argument, Child)
    }

    /// Describes this call with these arguments; equal calls have equal descriptions. `None` if it does not leave the
    /// sandbox, or if one of `known` has another call for the same path: reading a file that was opened is not news.
    ///
    /// # Safety
    /// The arguments must be those of a system call that is being made.
    pub(super) unsafe fn describe(&self, arguments: [usize; 6], known: &[&str]) -> Option<String> {
        // SAFETY: the kernel is about to read the same memory.
        let found = unsafe {
            match self.argument {
                Plain => return Some(self.name.to_owned()),
                Child => return Some(format!("{} (a thread or a process)", self.name)),
                Clock(at) => return Some(format!("{} of clock {}", self.name, arguments[at])),
                Address(at) => {
                    let address = socket_address(arguments[at], arguments[at + 1])?;
                    return Some(format!("{} to {address}", self.name));
                }
                Path(at) => text_at(arguments[at])?.to_vec(),
                Open(at) => open_file(arguments[at])?,
                PathAt(at) => path_at(arguments[at], arguments[at + 1])?,
            }
        };
        if is_allowed_file(&found) || found.starts_with(b"/memfd:") {
            return None;
        }
        let path = String::from_utf8_lossy(&found);
        let text = format!("{} of {path}", self.name);
        let is_recorded = |known: &&&str| {
            known.strip_suffix(&*path).is_some_and(|before| before.is_empty() || before.ends_with(" of "))
        };
        match known.iter().find(is_recorded) {
            Some(known) if **known != text => None,
            _ => Some(text),
        }
    }
}

/// The C string at an address; `None` if that is null.
///
/// # Safety
/// `address` must be null or that of a C string.
unsafe fn text_at<'a>(address: usize) -> Option<&'a [u8]> {
    let pointer = address as *const libc::c_char;
    // SAFETY: the caller vouches for the string.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_bytes())
}

/// The path of the file that a descriptor has open; `None` for what has no path, such as a pipe.
fn open_file(descriptor: usize) -> Option<Vec<u8>> {
    let link = std::ffi::CString::new(format!("/proc/self/fd/{}", descriptor as i32)).ok()?;
    let mut target = [0_u8; 1024];
    let arguments = [libc::AT_FDCWD as usize, link.as_ptr() as usize, target.as_mut_ptr() as usize, target.len(), 0, 0];
    // SAFETY: the path is a C string, and the buffer is as long as stated.
    let length = unsafe { system_call(libc::SYS_readlinkat, arguments) };
    let path = target.get(..usize::try_from(length).ok()?)?;
    path.starts_with(b"/").then(|| path.to_vec())
}

/// The absolute path of `path` below `directory`; an empty path stands for the directory's descriptor itself.
///
/// # Safety
/// `path` must be null or the address of a C string.
unsafe fn path_at(directory: usize, path: usize) -> Option<Vec<u8>> {
    // SAFETY: the caller vouches for the path.
    let path = unsafe { text_at(path) }.unwrap_or_default();
    let from = directory as i32;
    if path.starts_with(b"/") || (from == libc::AT_FDCWD && !path.is_empty()) {
        return Some(path.to_vec());
    }
    let mut whole = if from == libc::AT_FDCWD { b"/".to_vec() } else { open_file(directory)? };
    if !path.is_empty() {
        whole.push(b'/');
        whole.extend(path);
    }
    Some(whole)
}

/// The text of a socket address.
///
/// # Safety
/// `address` must be null or that of a socket address of `length` bytes.
unsafe fn socket_address(address: usize, length: usize) -> Option<String> {
    if address == 0 || length < size_of::<libc::sa_family_t>() {
        return None;
    }
    let length = length.min(size_of::<libc::sockaddr_storage>());
    // SAFETY: the caller vouches for the bytes.
    let bytes = unsafe { std::slice::from_raw_parts(address as *const u8, length) };
    let family = libc::sa_family_t::from_ne_bytes([bytes[0], bytes[1]]);
    let mut text = String::new();
    let _ = match (i32::from(family), bytes) {
        (libc::AF_INET, [_, _, high, low, a, b, c, d, ..]) => {
            write!(text, "{a}.{b}.{c}.{d}:{}", u16::from_be_bytes([*high, *low]))
        }
        (libc::AF_INET6, [_, _, high, low, _, _, _, _, rest @ ..]) => {
            let octets = rest.first_chunk::<16>().copied().unwrap_or_default();
            write!(text, "[{}]:{}", std::net::Ipv6Addr::from(octets), u16::from_be_bytes([*high, *low]))
        }
        (libc::AF_UNIX, [_, _, path @ ..]) => {
            let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
            write!(text, "{}", String::from_utf8_lossy(path))
        }
        _ => write!(text, "an address of family {family}"),
    };
    Some(text)
}

//! Hooks for sockets: making, binding, accepting and connecting them, their addresses and their options.

use std::ffi::CStr;

use libc::{c_char, c_int, c_void, sockaddr, socklen_t};

use super::super::super::raw::{call, pass};
use super::addresses;
use super::answers::{answer, descriptors, done, is_simulated, makers, status, waiting};
use crate::sandbox::descriptors::{Address, Errno};
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;

#[unsafe(no_mangle)]
pub(super) extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    if let Some(descriptors) = makers() {
        let made = descriptors.socket(domain, kind, protocol);
        if let Err(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT) = made {
            record_escape(EscapeKind::RefusedCall, || described(domain, kind));
        }
        return status(made);
    }
    record_escape(EscapeKind::RealSocket, || described(domain, kind));
    call!(libc::SYS_socket, domain, kind, protocol) as c_int
}

fn described(domain: c_int, kind: c_int) -> String {
    let family = match domain {
        libc::AF_INET => "IPv4",
        libc::AF_INET6 => "IPv6",
        libc::AF_UNIX => "Unix",
        libc::AF_NETLINK => "netlink",
        _ => "other",
    };
    format!("a socket of family {domain} ({family}), type {}", kind & 0xf)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int {
    let Some(descriptors) = makers() else {
        return pass!(libc::SYS_socketpair, domain, kind, protocol, pair) as c_int;
    };
    let made = descriptors.pair(kind, false);
    if let Err(libc::EPROTONOSUPPORT) = made {
        record_escape(EscapeKind::RefusedCall, || described(domain, kind));
    }
    done(made.map(|made| {
        // SAFETY: the caller vouches for the memory.
        unsafe { pair.cast::<[c_int; 2]>().write(made) }
    }))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn bind(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_bind, fd, address, length) as c_int;
    }
    // SAFETY: the caller vouches for the memory.
    done(unsafe { addresses::read(address, length) }.and_then(|address| descriptors()?.bind(fd, &address)))
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_listen, fd, backlog) as c_int;
    }
    done(descriptors().and_then(|descriptors| descriptors.listen(fd, backlog)))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_accept4, fd, address, length, 0) as c_int;
    }
    // SAFETY: the caller vouches for the memory.
    unsafe { accept4(fd, address, length, 0) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept4(
    fd: c_int,
    address: *mut sockaddr,
    length: *mut socklen_t,
    flags: c_int,
) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_accept4, fd, address, length, flags) as c_int;
    }
    let accepted = waiting(fd, |descriptors| descriptors.accept(fd, flags));
    status(accepted.map(|(accepted, peer)| {
        // SAFETY: the caller vouches for the memory.
        unsafe { addresses::write(&peer, address, length) };
        accepted
    }))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_connect, fd, address, length) as c_int;
    }
    // SAFETY: the caller vouches for the memory.
    done(unsafe { addresses::read(address, length) }.and_then(|address| connect_to(fd, &address)))
}

/// Begins to connect and, unless the socket is not to wait, waits for the end of it.
fn connect_to(fd: c_int, address: &Address) -> Result<(), Errno> {
    let descriptors = descriptors()?;
    let begun = descriptors.connect(fd, address);
    if !matches!(begun, Err(libc::EINPROGRESS)) || descriptors.is_nonblocking(fd)? {
        return begun;
    }
    waiting(fd, |descriptors| match descriptors.connect(fd, address) {
        Err(libc::EALREADY | libc::EINPROGRESS) => Err(libc::EAGAIN),
        Err(libc::EISCONN) => Ok(()),
        other => other,
    })
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_shutdown, fd, how) as c_int;
    }
    done(descriptors().and_then(|descriptors| descriptors.shutdown(fd, how)))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getsockname(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_getsockname, fd, address, length) as c_int;
    }
    let found = descriptors().and_then(|descriptors| descriptors.local_address(fd));
    // SAFETY: the caller vouches for the memory.
    done(found.map(|found| unsafe { addresses::write(&found, address, length) }))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getpeername(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_getpeername, fd, address, length) as c_int;
    }
    let found = descriptors().and_then(|descriptors| descriptors.peer_address(fd));
    // SAFETY: the caller vouches for the memory.
    done(found.map(|found| unsafe { addresses::write(&found, address, length) }))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    length: *mut socklen_t,
) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_getsockopt, fd, level, name, value, length) as c_int;
    }
    let found = descriptors().and_then(|descriptors| descriptors.option(fd, level, name));
    done(found.map(|found| {
        // SAFETY: the caller vouches for as many bytes as `length` says.
        unsafe {
            let cut = found.len().min(length.read() as usize);
            value.cast::<u8>().copy_from_nonoverlapping(found.as_ptr(), cut);
            length.write(cut as socklen_t);
        }
    }))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_setsockopt, fd, level, name, value, length) as c_int;
    }
    let set = || -> Result<isize, Errno> {
        if value.is_null() {
            return Err(libc::EFAULT);
        }
        // SAFETY: the caller vouches for the memory.
        let value = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), length as usize) };
        descriptors()?.set_option(fd, level, name, value).map(|()| 0)
    };
    answer(set()) as c_int
}

/// The name of a Unix socket is none of the real file system. Programs remove it before they bind it again.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller vouches for the path.
    let is_name = || makers().is_some_and(|descriptors| descriptors.unlink(unsafe { CStr::from_ptr(path) }.to_bytes()));
    if !path.is_null() && is_name() { 0 } else { pass!(libc::SYS_unlinkat, libc::AT_FDCWD, path, 0) as c_int }
}

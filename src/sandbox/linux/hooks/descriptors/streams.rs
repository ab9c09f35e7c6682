//! Hooks for reading and writing, and for pipes.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::slice;

use libc::{c_int, c_void, iovec, size_t, sockaddr, socklen_t, ssize_t};
use tokio::io::ReadBuf;

use super::super::super::raw::pass;
use super::super::entropy;
use super::addresses;
use super::answers::{answer, descriptors, done, is_simulated, length, makers, waiting};
use crate::sandbox::descriptors::{Address, Descriptors, Errno};

/// The most slices that one call may pass (`IOV_MAX`).
const MOST_SLICES: usize = 1_024;

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pipe(pair: *mut c_int) -> c_int {
    // SAFETY: the caller vouches for the memory.
    unsafe { pipe2(pair, 0) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pipe2(pair: *mut c_int, flags: c_int) -> c_int {
    let Some(descriptors) = makers() else { return pass!(libc::SYS_pipe2, pair, flags) as c_int };
    let kind = if flags & libc::O_NONBLOCK != 0 { libc::SOCK_NONBLOCK } else { 0 };
    done(descriptors.pair(kind, true).map(|made| {
        // SAFETY: the caller vouches for the memory.
        unsafe { pair.cast::<[c_int; 2]>().write(made) }
    }))
}

/// Carries out a call that may have to wait, unless its flags say that it is not to.
fn unless<T>(flags: c_int, fd: c_int, mut call: impl FnMut(&dyn Descriptors) -> Result<T, Errno>) -> Result<T, Errno> {
    if flags & libc::MSG_DONTWAIT != 0 { call(descriptors()?) } else { waiting(fd, call) }
}

/// Reads into one buffer; returns how many bytes, the sender of a datagram, and the datagram's whole length.
///
/// # Safety
/// `buffer` must point to `size` bytes, which need not be initialised.
pub(super) unsafe fn receive(
    fd: c_int,
    buffer: *mut c_void,
    size: size_t,
    flags: c_int,
) -> Result<(usize, Option<(SocketAddr, usize)>), Errno> {
    let memory: &mut [MaybeUninit<u8>] = if size == 0 {
        &mut []
    } else {
        // SAFETY: the caller vouches for the memory.
        unsafe { slice::from_raw_parts_mut(buffer.cast(), size) }
    };
    let mut buffer = ReadBuf::uninit(memory);
    let peek = flags & libc::MSG_PEEK != 0;
    let from = unless(flags, fd, |descriptors| descriptors.receive(fd, &mut buffer, peek))?;
    Ok((buffer.filled().len(), from))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t {
    if !is_simulated(fd) {
        // SAFETY: the caller vouches for the memory.
        if unsafe { entropy::devices::read(fd, buffer, size) } {
            return size as ssize_t;
        }
        return length(pass!(libc::SYS_read, fd, buffer, size));
    }
    // SAFETY: the caller vouches for the memory.
    answer(unsafe { receive(fd, buffer, size, 0) }.map(|(read, _)| read as isize))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __read_chk(fd: c_int, buffer: *mut c_void, size: size_t, _: size_t) -> ssize_t {
    // SAFETY: the caller vouches for the memory.
    unsafe { read(fd, buffer, size) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recv(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller vouches for the memory.
    unsafe { recvfrom(fd, buffer, size, flags, std::ptr::null_mut(), std::ptr::null_mut()) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __recv_chk(
    fd: c_int,
    buffer: *mut c_void,
    size: size_t,
    _: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: the caller vouches for the memory.
    unsafe { recv(fd, buffer, size, flags) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvfrom(
    fd: c_int,
    buffer: *mut c_void,
    size: size_t,
    flags: c_int,
    address: *mut sockaddr,
    address_length: *mut socklen_t,
) -> ssize_t {
    if !is_simulated(fd) {
        return length(pass!(libc::SYS_recvfrom, fd, buffer, size, flags, address, address_length));
    }
    // SAFETY: the caller vouches for the memory.
    let received = unsafe { receive(fd, buffer, size, flags) };
    answer(received.map(|(read, from)| match from {
        Some((from, whole)) => {
            // SAFETY: the caller vouches for the memory.
            unsafe { addresses::write(&Address::Inet(from), address, address_length) };
            (if flags & libc::MSG_TRUNC != 0 { whole } else { read }) as isize
        }
        None => read as isize,
    }))
}

/// # Safety
/// `slices` must point to `count` slices.
pub(super) unsafe fn slices<'a>(slices: *const iovec, count: usize) -> Result<&'a [iovec], Errno> {
    match count {
        0 => Ok(&[]),
        // SAFETY: the caller vouches for the memory.
        1..=MOST_SLICES => Ok(unsafe { slice::from_raw_parts(slices, count) }),
        _ => Err(libc::EINVAL),
    }
}

/// Reads into several buffers, one after the other, until one is not filled.
///
/// # Safety
/// As for `readv`.
pub(super) unsafe fn receive_into(fd: c_int, to: &[iovec], flags: c_int) -> Result<usize, Errno> {
    let mut sum = 0;
    for slice in to.iter().filter(|slice| slice.iov_len > 0) {
        // SAFETY: the caller vouches for the memory.
        match unsafe { receive(fd, slice.iov_base, slice.iov_len, flags) } {
            Ok((read, _)) => {
                sum += read;
                if read < slice.iov_len {
                    break;
                }
            }
            Err(_) if sum > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn readv(fd: c_int, to: *const iovec, count: c_int) -> ssize_t {
    if !is_simulated(fd) {
        if entropy::devices::is_open(fd) && count > 0 {
            // A device may read less than was asked for.
            // SAFETY: the caller vouches for the memory.
            return unsafe { read(fd, (*to).iov_base, (*to).iov_len) };
        }
        return length(pass!(libc::SYS_readv, fd, to, count));
    }
    // SAFETY: the caller vouches for the memory.
    let read = unsafe { slices(to, count.max(0) as usize).and_then(|to| receive_into(fd, to, 0)) };
    answer(read.map(|read| read as isize))
}

/// Writes slices of a program's memory.
///
/// # Safety
/// Each slice must point to as many bytes as it says.
pub(super) unsafe fn send_from(
    fd: c_int,
    from: &[iovec],
    to: Option<SocketAddr>,
    flags: c_int,
) -> Result<isize, Errno> {
    let bytes = |slice: &iovec| -> &[u8] {
        if slice.iov_len == 0 {
            &[]
        } else {
            // SAFETY: the caller vouches for the memory.
            unsafe { slice::from_raw_parts(slice.iov_base.cast(), slice.iov_len) }
        }
    };
    let slices: Vec<IoSlice<'_>> = from.iter().map(|slice| IoSlice::new(bytes(slice))).collect();
    unless(flags, fd, |descriptors| descriptors.send(fd, &slices, to)).map(|sent| sent as isize)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t {
    if !is_simulated(fd) {
        return length(pass!(libc::SYS_write, fd, buffer, size));
    }
    // SAFETY: the caller vouches for the memory.
    unsafe { sendto(fd, buffer, size, 0, std::ptr::null(), 0) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn writev(fd: c_int, from: *const iovec, count: c_int) -> ssize_t {
    if !is_simulated(fd) {
        return length(pass!(libc::SYS_writev, fd, from, count));
    }
    // SAFETY: the caller vouches for the memory.
    answer(unsafe { slices(from, count.max(0) as usize).and_then(|from| send_from(fd, from, None, 0)) })
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn send(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t {
    // SAFETY: the caller vouches for the memory.
    unsafe { sendto(fd, buffer, size, flags, std::ptr::null(), 0) }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendto(
    fd: c_int,
    buffer: *const c_void,
    size: size_t,
    flags: c_int,
    address: *const sockaddr,
    address_length: socklen_t,
) -> ssize_t {
    if !is_simulated(fd) {
        return length(pass!(libc::SYS_sendto, fd, buffer, size, flags, address, address_length));
    }
    let send = || {
        // SAFETY: the caller vouches for the memory.
        unsafe {
            let to = if address.is_null() { None } else { Some(addresses::read_inet(address, address_length)?) };
            let bytes = if size == 0 { &[] } else { slice::from_raw_parts(buffer.cast(), size) };
            unless(flags, fd, |descriptors| descriptors.send(fd, &[IoSlice::new(bytes)], to)).map(|sent| sent as isize)
        }
    };
    answer(send())
}

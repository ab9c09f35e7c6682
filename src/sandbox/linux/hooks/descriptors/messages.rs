//! Hooks for messages: reads and writes that name an address and several buffers.

use libc::{c_int, c_uint, mmsghdr, msghdr, ssize_t, timespec};

use super::super::super::raw::pass;
use super::addresses;
use super::answers::{answer, is_simulated, length};
use super::streams::{receive, receive_into, send_from, slices};
use crate::sandbox::descriptors::{Address, Errno};
use crate::sandbox::escapes::record_escape;
use crate::sandbox::notes::EscapeKind;

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    if !is_simulated(fd) {
        return length(pass!(libc::SYS_recvmsg, fd, message, flags));
    }
    let receive = || {
        // SAFETY: the caller vouches for the message and all that it points to.
        unsafe {
            let message = &mut *message;
            let to = slices(message.msg_iov, message.msg_iovlen)?;
            message.msg_controllen = 0;
            message.msg_flags = 0;
            if let [only] = to {
                let (read, from) = receive(fd, only.iov_base, only.iov_len, flags)?;
                if let Some((from, whole)) = from {
                    addresses::write(&Address::Inet(from), message.msg_name.cast(), &raw mut message.msg_namelen);
                    message.msg_flags = if whole > read { libc::MSG_TRUNC } else { 0 };
                } else {
                    message.msg_namelen = 0;
                }
                return Ok(read as isize);
            }
            message.msg_namelen = 0;
            receive_into(fd, to, flags).map(|read| read as isize)
        }
    };
    answer(receive())
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t {
    if !is_simulated(fd) {
        return length(pass!(libc::SYS_sendmsg, fd, message, flags));
    }
    let send = || {
        // SAFETY: the caller vouches for the message and all that it points to.
        unsafe {
            let message = &*message;
            refuse_control(message)?;
            let to = match message.msg_name.is_null() {
                true => None,
                false => Some(addresses::read_inet(message.msg_name.cast(), message.msg_namelen)?),
            };
            send_from(fd, slices(message.msg_iov, message.msg_iovlen)?, to, flags)
        }
    };
    answer(send())
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_recvmmsg, fd, messages, count, flags, timeout) as c_int;
    }
    for place in 0..count as usize {
        // Only the first message may be waited for.
        let flags = if place == 0 { flags } else { flags | libc::MSG_DONTWAIT };
        // SAFETY: the caller vouches for the messages and all that they point to.
        unsafe {
            let message = messages.add(place);
            match recvmsg(fd, &raw mut (*message).msg_hdr, flags) {
                received @ 0.. => (*message).msg_len = received as c_uint,
                _ if place > 0 => return place as c_int,
                _ => return -1,
            }
        }
    }
    count as c_int
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_sendmmsg, fd, messages, count, flags) as c_int;
    }
    for place in 0..count as usize {
        // SAFETY: the caller vouches for the messages and all that they point to.
        unsafe {
            let message = messages.add(place);
            match sendmsg(fd, &raw const (*message).msg_hdr, flags) {
                sent @ 0.. => (*message).msg_len = sent as c_uint,
                _ if place > 0 => return place as c_int,
                _ => return -1,
            }
        }
    }
    count as c_int
}

/// Refuses what control messages ask for and the simulated machine does not do: to pass descriptors, because a process is
/// alone on its machine, and to send bytes as several datagrams (generic segmentation offload), as on an older kernel.
///
/// # Safety
/// The message must be valid, with all that it points to.
unsafe fn refuse_control(message: &msghdr) -> Result<(), Errno> {
    // SAFETY: the caller vouches for the message and all that it points to.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(message);
        while let Some(header) = control.as_ref() {
            match (header.cmsg_level, header.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                    record_escape(EscapeKind::RefusedCall, || "descriptors in a message (SCM_RIGHTS)".to_owned());
                    return Err(libc::EINVAL);
                }
                (libc::SOL_UDP, libc::UDP_SEGMENT) => return Err(libc::EINVAL),
                _ => {}
            }
            control = libc::CMSG_NXTHDR(message, header);
        }
    }
    Ok(())
}

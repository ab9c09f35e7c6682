//! Hooks for what any descriptor can be asked: closing, duplicating, flags.

use libc::{c_int, c_uint, c_ulong, c_void, off_t, size_t, ssize_t};

use super::super::super::raw::{pass, set_errno};
use super::super::entropy;
use super::answers::{answer, descriptors, done, is_simulated, length, makers, status};
use crate::sandbox::descriptors::Errno;

#[unsafe(no_mangle)]
pub(super) extern "C" fn close(fd: c_int) -> c_int {
    if !is_simulated(fd) {
        entropy::devices::close(fd);
        return pass!(libc::SYS_close, fd) as c_int;
    }
    match makers() {
        Some(descriptors) => done(descriptors.close(fd)),
        // The run is over. What is left of its programs closes what it holds.
        None => 0,
    }
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn dup(fd: c_int) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_dup, fd) as c_int;
    }
    status(descriptors().and_then(|descriptors| descriptors.duplicate(fd)))
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn dup2(fd: c_int, to: c_int) -> c_int {
    if is_simulated(fd) && fd == to { fd } else { dup3(fd, to, 0) }
}

/// A program cannot choose a simulated number, nor give a simulated descriptor one of the operating system.
#[unsafe(no_mangle)]
pub(super) extern "C" fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int {
    if is_simulated(fd) || is_simulated(to) {
        set_errno(libc::EBADF);
        return -1;
    }
    if fd == to && flags == 0 {
        return if pass!(libc::SYS_fcntl, fd, libc::F_GETFD) < 0 { -1 } else { fd };
    }
    pass!(libc::SYS_dup3, fd, to, flags) as c_int
}

/// The C library's function is variadic. On these architectures, the argument arrives as if it were always passed, and is
/// not read where the command has none.
#[unsafe(no_mangle)]
pub(super) extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_fcntl, fd, command, argument) as c_int;
    }
    let control = || -> Result<c_int, Errno> {
        let Some(descriptors) = makers() else {
            // The standard library ends the process if a descriptor that it holds is unknown.
            return if command == libc::F_GETFD { Ok(libc::FD_CLOEXEC) } else { Err(libc::EBADF) };
        };
        match command {
            libc::F_GETFD => descriptors.is_nonblocking(fd).map(|_| libc::FD_CLOEXEC),
            libc::F_SETFD => descriptors.is_nonblocking(fd).map(|_| 0),
            libc::F_GETFL => {
                let nonblocking = descriptors.is_nonblocking(fd)?;
                Ok(libc::O_RDWR | if nonblocking { libc::O_NONBLOCK } else { 0 })
            }
            libc::F_SETFL => descriptors.set_nonblocking(fd, argument as c_int & libc::O_NONBLOCK != 0).map(|()| 0),
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => descriptors.duplicate(fd),
            _ => Err(libc::EINVAL),
        }
    };
    status(control())
}

#[unsafe(no_mangle)]
pub(super) extern "C" fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int {
    fcntl(fd, command, argument)
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    if !is_simulated(fd) {
        return pass!(libc::SYS_ioctl, fd, request, argument) as c_int;
    }
    let control = || -> Result<(), Errno> {
        let descriptors = descriptors()?;
        // SAFETY: the caller vouches for an integer.
        match request {
            libc::FIONBIO => descriptors.set_nonblocking(fd, unsafe { argument.cast::<c_int>().read() } != 0),
            libc::FIONREAD => {
                let available = descriptors.available(fd)?;
                unsafe { argument.cast::<c_int>().write(available as c_int) };
                Ok(())
            }
            libc::FIOCLEX => descriptors.is_nonblocking(fd).map(|_| ()),
            _ => Err(libc::ENOTTY),
        }
    };
    done(control())
}

/// No file can be sent from within the kernel: the standard library copies instead.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendfile(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t {
    if is_simulated(to) || is_simulated(from) {
        return answer(Err(libc::EINVAL));
    }
    length(pass!(libc::SYS_sendfile, to, from, offset, count))
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn splice(
    from: c_int,
    from_offset: *mut off_t,
    to: c_int,
    to_offset: *mut off_t,
    size: size_t,
    flags: c_uint,
) -> ssize_t {
    if is_simulated(to) || is_simulated(from) {
        return answer(Err(libc::EINVAL));
    }
    length(pass!(libc::SYS_splice, from, from_offset, to, to_offset, size, flags))
}

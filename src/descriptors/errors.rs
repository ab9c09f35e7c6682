//! The C library's number for an error of a socket.

use std::io;

use crate::sandbox::Errno;

/// The number of an error.
pub(super) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().unwrap_or_else(|| errno_of(error.kind()))
}

/// The number of an error of this kind.
pub(super) fn errno_of(kind: io::ErrorKind) -> Errno {
    match kind {
        io::ErrorKind::ConnectionRefused => libc::ECONNREFUSED,
        io::ErrorKind::ConnectionReset => libc::ECONNRESET,
        io::ErrorKind::TimedOut => libc::ETIMEDOUT,
        io::ErrorKind::BrokenPipe => libc::EPIPE,
        io::ErrorKind::AddrInUse => libc::EADDRINUSE,
        io::ErrorKind::AddrNotAvailable => libc::EADDRNOTAVAIL,
        io::ErrorKind::NetworkUnreachable => libc::ENETUNREACH,
        _ => libc::EIO,
    }
}

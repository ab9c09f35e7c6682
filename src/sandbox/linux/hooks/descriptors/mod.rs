//! Hooks for calls that make a descriptor or name one. A number of the operating system passes through after one
//! comparison; one of the simulated machine never reaches the operating system.

mod addresses;
mod answers;
pub(super) mod by_number;
mod messages;
mod names;
mod older_names;
mod polls;
mod sockets;
mod streams;
mod timers;
mod wide;

use std::ffi::c_void;

pub(super) use by_number::same as by_number;

/// The addresses of all hooks of this folder.
pub(super) struct Hooks(pub(super) [*const c_void; 54]);

// SAFETY: the pointers are addresses of functions, which are never written.
unsafe impl Sync for Hooks {}

/// The addresses of all hooks of this folder.
pub(super) static HOOKS: Hooks = Hooks([
    names::getaddrinfo as *const c_void,
    older_names::getnameinfo as *const c_void,
    older_names::gethostbyname as *const c_void,
    timers::timerfd_create as *const c_void,
    timers::timerfd_settime as *const c_void,
    timers::timerfd_gettime as *const c_void,
    sockets::unlink as *const c_void,
    polls::epoll_create as *const c_void,
    polls::epoll_create1 as *const c_void,
    polls::epoll_ctl as *const c_void,
    polls::epoll_wait as *const c_void,
    polls::epoll_pwait as *const c_void,
    polls::epoll_pwait2 as *const c_void,
    polls::eventfd as *const c_void,
    polls::poll as *const c_void,
    polls::ppoll as *const c_void,
    polls::__poll_chk as *const c_void,
    sockets::socket as *const c_void,
    sockets::socketpair as *const c_void,
    sockets::bind as *const c_void,
    sockets::listen as *const c_void,
    sockets::accept as *const c_void,
    sockets::accept4 as *const c_void,
    sockets::connect as *const c_void,
    sockets::shutdown as *const c_void,
    sockets::getsockname as *const c_void,
    sockets::getpeername as *const c_void,
    sockets::getsockopt as *const c_void,
    sockets::setsockopt as *const c_void,
    streams::pipe as *const c_void,
    streams::pipe2 as *const c_void,
    streams::read as *const c_void,
    streams::__read_chk as *const c_void,
    streams::readv as *const c_void,
    streams::recv as *const c_void,
    streams::__recv_chk as *const c_void,
    streams::recvfrom as *const c_void,
    streams::write as *const c_void,
    streams::writev as *const c_void,
    streams::send as *const c_void,
    streams::sendto as *const c_void,
    messages::recvmsg as *const c_void,
    messages::sendmsg as *const c_void,
    messages::recvmmsg as *const c_void,
    messages::sendmmsg as *const c_void,
    wide::close as *const c_void,
    wide::dup as *const c_void,
    wide::dup2 as *const c_void,
    wide::dup3 as *const c_void,
    wide::fcntl as *const c_void,
    wide::fcntl64 as *const c_void,
    wide::ioctl as *const c_void,
    wide::sendfile as *const c_void,
    wide::splice as *const c_void,
]);

/// Looks up the definitions that these hooks pass through to.
pub(super) fn look_up() {
    names::look_up();
    older_names::look_up();
}

//! Which of these hooks makes the same call, with the same arguments, as a system call by its number.

use libc::c_long;

use super::super::hook::Answer;
use super::{messages, polls, sockets, streams, timers, wide};

/// The hook for a system call.
pub(in super::super) fn same(number: c_long) -> Option<Answer> {
    use Answer::{Int, Long};
    Some(match number {
        libc::SYS_socket => Int(sockets::socket as *const _),
        libc::SYS_socketpair => Int(sockets::socketpair as *const _),
        libc::SYS_bind => Int(sockets::bind as *const _),
        libc::SYS_listen => Int(sockets::listen as *const _),
        libc::SYS_accept => Int(sockets::accept as *const _),
        libc::SYS_accept4 => Int(sockets::accept4 as *const _),
        libc::SYS_connect => Int(sockets::connect as *const _),
        libc::SYS_shutdown => Int(sockets::shutdown as *const _),
        libc::SYS_getsockname => Int(sockets::getsockname as *const _),
        libc::SYS_getpeername => Int(sockets::getpeername as *const _),
        libc::SYS_getsockopt => Int(sockets::getsockopt as *const _),
        libc::SYS_setsockopt => Int(sockets::setsockopt as *const _),
        libc::SYS_read => Long(streams::read as *const _),
        libc::SYS_readv => Long(streams::readv as *const _),
        libc::SYS_recvfrom => Long(streams::recvfrom as *const _),
        libc::SYS_write => Long(streams::write as *const _),
        libc::SYS_writev => Long(streams::writev as *const _),
        libc::SYS_sendto => Long(streams::sendto as *const _),
        libc::SYS_pipe2 => Int(streams::pipe2 as *const _),
        libc::SYS_recvmsg => Long(messages::recvmsg as *const _),
        libc::SYS_sendmsg => Long(messages::sendmsg as *const _),
        libc::SYS_close => Int(wide::close as *const _),
        libc::SYS_dup => Int(wide::dup as *const _),
        libc::SYS_dup3 => Int(wide::dup3 as *const _),
        libc::SYS_fcntl => Int(wide::fcntl as *const _),
        libc::SYS_ioctl => Int(wide::ioctl as *const _),
        libc::SYS_eventfd2 => Int(polls::eventfd as *const _),
        libc::SYS_epoll_create1 => Int(polls::epoll_create1 as *const _),
        libc::SYS_epoll_ctl => Int(polls::epoll_ctl as *const _),
        libc::SYS_epoll_pwait => Int(polls::epoll_pwait as *const _),
        libc::SYS_epoll_pwait2 => Int(polls::epoll_pwait2 as *const _),
        libc::SYS_ppoll => Int(polls::ppoll as *const _),
        libc::SYS_timerfd_create => Int(timers::timerfd_create as *const _),
        libc::SYS_timerfd_settime => Int(timers::timerfd_settime as *const _),
        libc::SYS_timerfd_gettime => Int(timers::timerfd_gettime as *const _),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => Int(polls::epoll_wait as *const _),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => Int(polls::poll as *const _),
        _ => return None,
    })
}

//! The calls of the C library that name a descriptor, or make one, as the simulated machine answers them. The hooks turn
//! them into these.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::ReadBuf;

/// An error number of the C library, such as `EAGAIN`.
pub type Errno = i32;

/// The least number of a simulated descriptor. The operating system hands out none as large, so a call that reaches it by
/// mistake fails.
pub const FIRST_DESCRIPTOR: i32 = 1 << 20;

/// An interest in one descriptor, as `epoll_ctl` states it: the events, and the number that comes back with them.
pub type Interest = (u32, u64);

/// The address of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// One of the Internet.
    Inet(SocketAddr),
    /// The name of a Unix socket: a path, an abstract name, which begins with a zero byte, or nothing.
    Unix(Vec<u8>),
}

/// A setting of a timer: after which time it is over, and after which interval again. 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimerSetting {
    pub value: Duration,
    pub interval: Duration,
}

/// What a program asks of the simulated machine. Every call returns at once; one that would wait fails with `EAGAIN`.
pub trait Descriptors: Send + Sync {
    /// Creates a socket.
    ///
    /// # Errors
    /// `EAFNOSUPPORT` and `EPROTONOSUPPORT` for what is not modelled, `EMFILE` if the process has too many.
    fn socket(&self, domain: i32, kind: i32, protocol: i32) -> Result<i32, Errno>;
    /// Creates two connected sockets or, with `is_pipe`, the reading and the writing end of a pipe.
    fn pair(&self, kind: i32, is_pipe: bool) -> Result<[i32; 2], Errno>;
    fn bind(&self, fd: i32, address: &Address) -> Result<(), Errno>;
    fn listen(&self, fd: i32, backlog: i32) -> Result<(), Errno>;
    /// Accepts a connection; `flags` are those of `accept4`.
    fn accept(&self, fd: i32, flags: i32) -> Result<(i32, Address), Errno>;
    fn connect(&self, fd: i32, address: &Address) -> Result<(), Errno>;
    fn shutdown(&self, fd: i32, how: i32) -> Result<(), Errno>;
    /// The address of this end.
    fn local_address(&self, fd: i32) -> Result<Address, Errno>;
    fn peer_address(&self, fd: i32) -> Result<Address, Errno>;
    fn option(&self, fd: i32, level: i32, name: i32) -> Result<Vec<u8>, Errno>;
    fn set_option(&self, fd: i32, level: i32, name: i32, value: &[u8]) -> Result<(), Errno>;
    /// Reads into a buffer, or only looks. Returns the sender of a datagram, and the datagram's whole length.
    fn receive(&self, fd: i32, buffer: &mut ReadBuf<'_>, peek: bool) -> Result<Option<(SocketAddr, usize)>, Errno>;
    /// Writes; returns how many bytes.
    fn send(&self, fd: i32, slices: &[IoSlice<'_>], to: Option<SocketAddr>) -> Result<usize, Errno>;
    fn close(&self, fd: i32) -> Result<(), Errno>;
    fn duplicate(&self, fd: i32) -> Result<i32, Errno>;
    fn is_nonblocking(&self, fd: i32) -> Result<bool, Errno>;
    /// How long a call that waits may take (`SO_RCVTIMEO`); `None` for ever.
    fn time_limit(&self, fd: i32) -> Option<Duration>;
    fn set_nonblocking(&self, fd: i32, is_nonblocking: bool) -> Result<(), Errno>;
    /// The number of bytes that wait to be read.
    fn available(&self, fd: i32) -> Result<usize, Errno>;
    fn event(&self, initial: u64, flags: i32) -> Result<i32, Errno>;
    /// Creates a timer of a clock; `flags` are those of `timerfd_create`.
    fn timer(&self, clock: i32, flags: i32) -> Result<i32, Errno>;
    /// Sets a timer; returns what was left.
    fn set_timer(&self, fd: i32, setting: TimerSetting) -> Result<TimerSetting, Errno>;
    /// The clock of a timer.
    fn clock_of_timer(&self, fd: i32) -> Result<i32, Errno>;
    /// What is left of a timer.
    fn timer_left(&self, fd: i32) -> Result<TimerSetting, Errno>;
    fn epoll(&self) -> Result<i32, Errno>;
    /// Adds (`EPOLL_CTL_ADD`), changes or removes an interest.
    fn epoll_control(&self, epoll: i32, operation: i32, fd: i32, interest: Interest) -> Result<(), Errno>;
    /// Appends up to `most` events that are there now.
    fn epoll_take(&self, epoll: i32, most: usize, events: &mut Vec<Interest>) -> Result<(), Errno>;
    /// The events of this descriptor that are there now, as `epoll` names them.
    fn level(&self, fd: i32) -> Result<u32, Errno>;
    /// Lets a host's runtime look at its tasks once more before its time goes on.
    fn rouse(&self, host: usize);
    /// How long a lookup of this name takes.
    fn delay_of_look_up(&self, name: &str) -> Duration;
    /// Removes the name of a Unix socket; returns whether there was one.
    fn unlink(&self, path: &[u8]) -> bool;
    /// The name of the host that has an address, as this host knows it.
    fn name_of(&self, address: IpAddr) -> Option<String>;
    /// The addresses of a name, or the error number of `getaddrinfo`.
    fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, i32>;
}

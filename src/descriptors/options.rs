//! The options of a socket: those that change what its kernel does, and those that are only kept.

use std::collections::BTreeMap;
use std::time::Duration;

use libc::{
    IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SO_KEEPALIVE, SO_LINGER, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE,
    TCP_KEEPINTVL, TCP_USER_TIMEOUT,
};

use crate::net::{KeepAlive, Sharing, TcpStream};
use crate::sandbox::Errno;

/// An option's level and name.
type Name = (i32, i32);

/// Options that a program may set to any value, and read again.
const KEPT: [Name; 35] = [
    (SOL_SOCKET, libc::SO_REUSEADDR),
    (SOL_SOCKET, libc::SO_REUSEPORT),
    (SOL_SOCKET, SO_KEEPALIVE),
    (SOL_SOCKET, SO_LINGER),
    (SOL_SOCKET, libc::SO_SNDBUF),
    (SOL_SOCKET, libc::SO_RCVBUF),
    (SOL_SOCKET, libc::SO_SNDTIMEO),
    (SOL_SOCKET, libc::SO_RCVTIMEO),
    (SOL_SOCKET, libc::SO_BROADCAST),
    (SOL_SOCKET, libc::SO_PRIORITY),
    (SOL_SOCKET, libc::SO_OOBINLINE),
    (IPPROTO_TCP, libc::TCP_NODELAY),
    (IPPROTO_TCP, TCP_KEEPIDLE),
    (IPPROTO_TCP, TCP_KEEPINTVL),
    (IPPROTO_TCP, TCP_KEEPCNT),
    (IPPROTO_TCP, TCP_USER_TIMEOUT),
    (IPPROTO_TCP, libc::TCP_QUICKACK),
    (IPPROTO_TCP, libc::TCP_CORK),
    (IPPROTO_TCP, libc::TCP_SYNCNT),
    (IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT),
    (IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT),
    (IPPROTO_IP, libc::IP_TOS),
    (IPPROTO_IP, libc::IP_TTL),
    (IPPROTO_IP, libc::IP_RECVTOS),
    (IPPROTO_IP, libc::IP_PKTINFO),
    (IPPROTO_IP, libc::IP_MTU_DISCOVER),
    (IPPROTO_IP, libc::IP_MULTICAST_LOOP),
    (IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
    (IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    (IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER),
    (IPPROTO_IPV6, libc::IPV6_DONTFRAG),
    (IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP),
    (IPPROTO_IPV6, libc::IPV6_V6ONLY),
    (IPPROTO_IPV6, libc::IPV6_TCLASS),
    (IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
];

/// The options of one socket.
#[derive(Clone, Debug, Default)]
pub(super) struct Options(BTreeMap<Name, Vec<u8>>);

impl Options {
    /// # Errors
    /// `ENOPROTOOPT` for an option that is not modelled.
    pub(super) fn set(&mut self, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        if !KEPT.contains(&(level, name)) {
            return Err(libc::ENOPROTOOPT);
        }
        self.0.insert((level, name), value.to_vec());
        Ok(())
    }

    /// # Errors
    /// `ENOPROTOOPT` for an option that is not modelled.
    pub(super) fn get(&self, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        if !KEPT.contains(&(level, name)) {
            return Err(libc::ENOPROTOOPT);
        }
        Ok(self.0.get(&(level, name)).cloned().unwrap_or_else(|| match (level, name) {
            (SOL_SOCKET, SO_LINGER) => vec![0; 8],
            (SOL_SOCKET, libc::SO_SNDTIMEO | libc::SO_RCVTIMEO) => vec![0; 16],
            _ => default_of(level, name).to_ne_bytes().to_vec(),
        }))
    }

    fn number(&self, level: i32, name: i32) -> i32 {
        let set = self.0.get(&(level, name)).and_then(|value| value.first_chunk());
        set.map_or_else(|| default_of(level, name), |value| i32::from_ne_bytes(*value))
    }

    pub(super) fn is_set(&self, level: i32, name: i32) -> bool {
        self.number(level, name) != 0
    }

    /// Whether others that do the same may listen on the same port.
    pub(super) fn shares_port(&self) -> bool {
        self.is_set(SOL_SOCKET, libc::SO_REUSEPORT)
    }

    /// With which others a datagram socket shares its port.
    pub(super) fn sharing(&self) -> Sharing {
        Sharing { spreads: self.shares_port(), takes_over: self.is_set(SOL_SOCKET, libc::SO_REUSEADDR) }
    }

    /// How long a call may wait; `None` for ever.
    pub(super) fn time_limit(&self) -> Option<Duration> {
        let value = self.0.get(&(SOL_SOCKET, libc::SO_RCVTIMEO))?;
        let number = |from: usize| value.get(from..from + 8)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes));
        let limit = Duration::from_secs(number(0)?) + Duration::from_micros(number(8)?);
        (!limit.is_zero()).then_some(limit)
    }

    /// How long closing a socket may wait for what was sent; `None` if it does not.
    fn linger(&self) -> Option<Duration> {
        let value = self.0.get(&(SOL_SOCKET, SO_LINGER))?;
        let number = |from: usize| value.get(from..from + 4)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
        (number(0)? != 0).then_some(Duration::from_secs(u64::from(number(4)?)))
    }

    /// Lets a stream follow the options.
    pub(super) fn apply(&self, stream: &TcpStream) {
        let seconds = |name| Duration::from_secs(self.number(IPPROTO_TCP, name).max(1) as u64);
        let keep_alive = self.is_set(SOL_SOCKET, SO_KEEPALIVE).then(|| KeepAlive {
            idle: seconds(TCP_KEEPIDLE),
            interval: seconds(TCP_KEEPINTVL),
            retries: self.number(IPPROTO_TCP, TCP_KEEPCNT).max(1) as u32,
        });
        let user_timeout = self.number(IPPROTO_TCP, TCP_USER_TIMEOUT);
        let user_timeout = (user_timeout > 0).then(|| Duration::from_millis(user_timeout as u64));
        // None of these fails.
        let _ = stream.set_keep_alive(keep_alive);
        let _ = stream.set_user_timeout(user_timeout);
        let _ = stream.set_linger(self.linger());
    }
}

/// Linux's default.
fn default_of(level: i32, name: i32) -> i32 {
    match (level, name) {
        (SOL_SOCKET, libc::SO_SNDBUF) => 16_384,
        (SOL_SOCKET, libc::SO_RCVBUF) => 131_072,
        (IPPROTO_TCP, TCP_KEEPIDLE) => 7_200,
        (IPPROTO_TCP, TCP_KEEPINTVL) => 75,
        (IPPROTO_TCP, TCP_KEEPCNT) => 9,
        (IPPROTO_TCP, libc::TCP_SYNCNT) => 6,
        (IPPROTO_IP, libc::IP_TTL) | (IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => 64,
        _ => 0,
    }
}

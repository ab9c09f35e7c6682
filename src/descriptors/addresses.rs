//! Addresses as a socket of one family shows them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An address as a socket shows it: one of IPv6 shows those of IPv4 mapped.
pub(super) fn shown(is_v6: bool, address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if is_v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        _ => address,
    }
}

/// The address that stands for all of them.
pub(super) fn unspecified(is_v6: bool) -> IpAddr {
    if is_v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

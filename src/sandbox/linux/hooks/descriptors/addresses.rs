//! Socket addresses as the C library lays them out.

use std::mem::{offset_of, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use libc::{in_addr, in6_addr, sa_family_t, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_un, socklen_t};

use crate::sandbox::descriptors::{Address, Errno};

/// Where the name of a Unix socket begins.
const UNIX_NAME: usize = offset_of!(sockaddr_un, sun_path);

/// An address in the C library's layout, and its length.
#[derive(Clone, Copy)]
pub(super) union Raw {
    v4: sockaddr_in,
    v6: sockaddr_in6,
}

/// The address in this memory.
///
/// # Errors
/// `EINVAL` if it is too short or too long, `EAFNOSUPPORT` if it is neither one of the Internet nor of a Unix socket.
///
/// # Safety
/// `address` must point to `length` bytes.
pub(super) unsafe fn read(address: *const sockaddr, length: socklen_t) -> Result<Address, Errno> {
    if address.is_null() || (length as usize) < size_of::<sa_family_t>() {
        return Err(libc::EINVAL);
    }
    let is_long_enough = |size: usize| if length as usize >= size { Ok(()) } else { Err(libc::EINVAL) };
    // SAFETY: the lengths are checked before each read, and the memory need not be aligned.
    unsafe {
        match c_family(address) {
            libc::AF_INET => {
                is_long_enough(size_of::<sockaddr_in>())?;
                let raw = address.cast::<sockaddr_in>().read_unaligned();
                let ip = Ipv4Addr::from(u32::from_be(raw.sin_addr.s_addr));
                Ok(Address::Inet(SocketAddr::new(ip.into(), u16::from_be(raw.sin_port))))
            }
            libc::AF_INET6 => {
                is_long_enough(offset_of!(sockaddr_in6, sin6_scope_id))?;
                let raw = address.cast::<sockaddr_in6>().read_unaligned();
                let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                // A mapped address is the IPv4 address itself.
                Ok(Address::Inet(SocketAddr::new(ip.to_canonical(), u16::from_be(raw.sin6_port))))
            }
            libc::AF_UNIX if length as usize > size_of::<sockaddr_un>() => Err(libc::EINVAL),
            libc::AF_UNIX => {
                let name = address.cast::<u8>().add(UNIX_NAME);
                let name = std::slice::from_raw_parts(name, length as usize - UNIX_NAME);
                // A path ends with a zero byte; an abstract name begins with one, and has the length that is passed.
                let is_path = name.first().is_some_and(|first| *first != 0);
                let end = name.iter().position(|byte| *byte == 0 && is_path).unwrap_or(name.len());
                Ok(Address::Unix(name[..end].to_vec()))
            }
            _ => Err(libc::EAFNOSUPPORT),
        }
    }
}

/// The address of the Internet in this memory.
///
/// # Errors
/// As for `read`.
///
/// # Safety
/// As for `read`.
pub(super) unsafe fn read_inet(address: *const sockaddr, length: socklen_t) -> Result<SocketAddr, Errno> {
    // SAFETY: the caller vouches for the memory.
    match unsafe { read(address, length) }? {
        Address::Inet(address) => Ok(address),
        Address::Unix(_) => Err(libc::EISCONN),
    }
}

/// # Safety
/// `address` must point to a family at least.
unsafe fn c_family(address: *const sockaddr) -> i32 {
    // SAFETY: the caller vouches for the memory.
    i32::from(unsafe { (&raw const (*address).sa_family).read_unaligned() })
}

/// An address in the C library's layout, and its length.
pub(super) fn raw(address: SocketAddr) -> (Raw, socklen_t) {
    match address {
        SocketAddr::V4(address) => {
            let v4 = sockaddr_in {
                sin_family: libc::AF_INET as sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: in_addr { s_addr: u32::from(*address.ip()).to_be() },
                sin_zero: [0; 8],
            };
            (Raw { v4 }, size_of::<sockaddr_in>() as socklen_t)
        }
        SocketAddr::V6(address) => (Raw { v6: raw_v6(address) }, size_of::<sockaddr_in6>() as socklen_t),
    }
}

fn raw_v6(address: SocketAddrV6) -> sockaddr_in6 {
    sockaddr_in6 {
        sin6_family: libc::AF_INET6 as sa_family_t,
        sin6_port: address.port().to_be(),
        sin6_flowinfo: address.flowinfo(),
        sin6_addr: in6_addr { s6_addr: address.ip().octets() },
        sin6_scope_id: address.scope_id(),
    }
}

/// Writes an address to where a program wants it, cut to the room there. A program that wants none passes null.
///
/// # Safety
/// `to` must be null, or point to as many bytes as `length` says.
pub(super) unsafe fn write(address: &Address, to: *mut sockaddr, length: *mut socklen_t) {
    if to.is_null() || length.is_null() {
        return;
    }
    // SAFETY: the caller vouches for the memory, and the source is as long as its length says.
    unsafe {
        let room = length.read() as usize;
        let put = |bytes: *const u8, size: usize| {
            to.cast::<u8>().copy_from_nonoverlapping(bytes, room.min(size));
            length.write(size as socklen_t);
        };
        match address {
            Address::Inet(address) => {
                let (raw, size) = raw(*address);
                put((&raw const raw).cast::<u8>(), size as usize);
            }
            Address::Unix(name) => {
                let mut bytes = (libc::AF_UNIX as sa_family_t).to_ne_bytes().to_vec();
                bytes.extend(name);
                if name.first().is_some_and(|first| *first != 0) {
                    bytes.push(0);
                }
                put(bytes.as_ptr(), bytes.len());
            }
        }
    }
}

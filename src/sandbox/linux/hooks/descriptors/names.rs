//! The hook for looking names up.

use std::ffi::CStr;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libc::{addrinfo, c_char, c_int, sockaddr};

use super::super::super::raw::Next;
use super::addresses;
use super::answers::makers;
use crate::sandbox::descriptors::Descriptors;

static GETADDRINFO: Next = Next::new(c"getaddrinfo");

type LookUp = unsafe extern "C" fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> c_int;

/// Looks up the definition that the hook passes through to.
pub(super) fn look_up() {
    // SAFETY: the type is that of the symbol.
    unsafe { GETADDRINFO.get::<LookUp>() };
}

/// The list is laid out as the C library lays it out: each entry is one allocation, which holds its address, too. So the
/// C library's `freeaddrinfo` frees it.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getaddrinfo(
    name: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    let Some(descriptors) = makers() else {
        // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
        return match unsafe { GETADDRINFO.get::<LookUp>() } {
            Some(next) => unsafe { next(name, service, hints, result) },
            None => libc::EAI_SYSTEM,
        };
    };
    // SAFETY: the caller vouches for the arguments.
    let (name, service, hints) = unsafe {
        let text = |text: *const c_char| (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy());
        (text(name), text(service), hints.as_ref())
    };
    let (family, kind, flags) =
        hints.map_or((libc::AF_UNSPEC, 0, 0), |hints| (hints.ai_family, hints.ai_socktype, hints.ai_flags));
    let port = match service.as_deref().map(|service| port(service, flags)) {
        None => 0,
        Some(Some(port)) => port,
        Some(None) => return libc::EAI_SERVICE,
    };
    let found = match name.as_deref() {
        None if service.is_none() => return libc::EAI_NONAME,
        None if flags & libc::AI_PASSIVE != 0 => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        None => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        Some(name) => match look_up_in_time(descriptors, name) {
            Ok(found) => found,
            Err(error) => return error,
        },
    };
    let fits = |address: &IpAddr| match family {
        libc::AF_INET => address.is_ipv4(),
        libc::AF_INET6 => address.is_ipv6(),
        _ => true,
    };
    let kinds: &[(c_int, c_int)] = match kind {
        libc::SOCK_STREAM => &[(libc::SOCK_STREAM, libc::IPPROTO_TCP)],
        libc::SOCK_DGRAM => &[(libc::SOCK_DGRAM, libc::IPPROTO_UDP)],
        _ => &[(libc::SOCK_STREAM, libc::IPPROTO_TCP), (libc::SOCK_DGRAM, libc::IPPROTO_UDP)],
    };
    let mut list: *mut addrinfo = std::ptr::null_mut();
    for address in found.into_iter().filter(fits).rev() {
        for kind in kinds.iter().rev() {
            // SAFETY: the list is made of such entries.
            match unsafe { entry(SocketAddr::new(address, port), *kind, list) } {
                Some(entry) => list = entry,
                None => return libc::EAI_MEMORY,
            }
        }
    }
    if list.is_null() {
        return libc::EAI_NONAME;
    }
    // SAFETY: the caller vouches for the memory.
    unsafe { result.write(list) };
    0
}

/// Looks a name up, which takes as long as the faults of lookups say.
pub(super) fn look_up_in_time(descriptors: &dyn Descriptors, name: &str) -> Result<Vec<IpAddr>, c_int> {
    let delay = descriptors.delay_of_look_up(name);
    if !delay.is_zero() {
        std::thread::sleep(delay);
    }
    descriptors.look_up(name)
}

/// The port of a service: its number, or one of the names that programs use most.
fn port(service: &str, flags: c_int) -> Option<u16> {
    match service.parse() {
        Ok(port) => Some(port),
        Err(_) if flags & libc::AI_NUMERICSERV != 0 => None,
        Err(_) => match service {
            "http" => Some(80),
            "https" => Some(443),
            "domain" => Some(53),
            _ => None,
        },
    }
}

/// One entry of the list, in front of `next`; `None` without memory.
///
/// # Safety
/// `next` must be null or such an entry.
unsafe fn entry(address: SocketAddr, (kind, protocol): (c_int, c_int), next: *mut addrinfo) -> Option<*mut addrinfo> {
    let (raw, length) = addresses::raw(address);
    // SAFETY: the memory is zeroed, large enough for both, and written before it is used.
    unsafe {
        let entry = libc::calloc(1, size_of::<addrinfo>() + size_of::<addresses::Raw>()).cast::<addrinfo>();
        if entry.is_null() {
            return None;
        }
        let place = entry.add(1).cast::<addresses::Raw>();
        place.write_unaligned(raw);
        entry.write(addrinfo {
            ai_flags: 0,
            ai_family: if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 },
            ai_socktype: kind,
            ai_protocol: protocol,
            ai_addrlen: length,
            ai_addr: place.cast::<sockaddr>(),
            ai_canonname: std::ptr::null_mut(),
            ai_next: next,
        });
        Some(entry)
    }
}

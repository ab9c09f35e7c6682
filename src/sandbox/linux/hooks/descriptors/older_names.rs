//! Hooks for the other calls about names: those that ask for the name of an address, and the older ones.

use std::cell::RefCell;
use std::ffi::CStr;
use std::net::IpAddr;

use libc::{c_char, c_int, hostent, sockaddr, socklen_t};

use super::super::super::raw::Next;
use super::addresses;
use super::answers::makers;
use super::names::look_up_in_time;
use crate::sandbox::descriptors::Address;

static GETNAMEINFO: Next = Next::new(c"getnameinfo");
static GETHOSTBYNAME: Next = Next::new(c"gethostbyname");

type NameOf =
    unsafe extern "C" fn(*const sockaddr, socklen_t, *mut c_char, socklen_t, *mut c_char, socklen_t, c_int) -> c_int;
type HostByName = unsafe extern "C" fn(*const c_char) -> *mut hostent;

/// Looks up the definitions that these hooks pass through to.
pub(super) fn look_up() {
    // SAFETY: the types are those of the symbols.
    unsafe {
        GETNAMEINFO.get::<NameOf>();
        GETHOSTBYNAME.get::<HostByName>();
    }
}

/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getnameinfo(
    address: *const sockaddr,
    length: socklen_t,
    name: *mut c_char,
    name_room: socklen_t,
    service: *mut c_char,
    service_room: socklen_t,
    flags: c_int,
) -> c_int {
    let Some(descriptors) = makers() else {
        // SAFETY: the type is that of the symbol, and the caller vouches for the arguments.
        return match unsafe { GETNAMEINFO.get::<NameOf>() } {
            Some(next) => unsafe { next(address, length, name, name_room, service, service_room, flags) },
            None => libc::EAI_SYSTEM,
        };
    };
    // SAFETY: the caller vouches for the memory.
    let Ok(Address::Inet(address)) = (unsafe { addresses::read(address, length) }) else {
        return libc::EAI_FAMILY;
    };
    let known = if flags & libc::NI_NUMERICHOST == 0 { descriptors.name_of(address.ip()) } else { None };
    let found = match known {
        Some(known) => known,
        None if flags & libc::NI_NAMEREQD != 0 => return libc::EAI_NONAME,
        None => address.ip().to_string(),
    };
    // SAFETY: the caller vouches for as much room as it says.
    let fits = unsafe { write(&found, name, name_room) && write(&address.port().to_string(), service, service_room) };
    if fits { 0 } else { libc::EAI_OVERFLOW }
}

/// Writes a text with its end; returns whether there is room. A caller that wants none passes null or no room.
///
/// # Safety
/// `to` must be null, or point to `room` bytes.
unsafe fn write(text: &str, to: *mut c_char, room: socklen_t) -> bool {
    if to.is_null() || room == 0 {
        return true;
    }
    if text.len() >= room as usize {
        return false;
    }
    // SAFETY: there is room for the text and its end.
    unsafe {
        to.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
        to.add(text.len()).write(0);
    }
    true
}

/// What `gethostbyname` returns points into this; as in the C library, until the next call.
struct Answer {
    entry: hostent,
    name: Vec<u8>,
    addresses: Vec<[u8; 4]>,
    list: Vec<*mut c_char>,
    aliases: [*mut c_char; 1],
}

thread_local! {
    static ANSWER: RefCell<Option<Box<Answer>>> = const { RefCell::new(None) };
}

/// It knows addresses of IPv4 only.
///
/// # Safety
/// As for the C library's function.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn gethostbyname(name: *const c_char) -> *mut hostent {
    let Some(descriptors) = makers() else {
        // SAFETY: the type is that of the symbol, and the caller vouches for the name.
        return match unsafe { GETHOSTBYNAME.get::<HostByName>() } {
            Some(next) => unsafe { next(name) },
            None => std::ptr::null_mut(),
        };
    };
    // SAFETY: the caller vouches for the name.
    let text = unsafe { CStr::from_ptr(name) };
    let found = look_up_in_time(descriptors, &text.to_string_lossy()).unwrap_or_default();
    let addresses: Vec<[u8; 4]> = found.iter().filter_map(octets).collect();
    if addresses.is_empty() {
        return std::ptr::null_mut();
    }
    let mut answer = Box::new(Answer {
        // SAFETY: all zeroes are a value of it; every field is set below.
        entry: unsafe { std::mem::zeroed() },
        name: text.to_bytes_with_nul().to_vec(),
        addresses,
        list: Vec::new(),
        aliases: [std::ptr::null_mut()],
    });
    answer.list = answer.addresses.iter_mut().map(|address| address.as_mut_ptr().cast()).collect();
    answer.list.push(std::ptr::null_mut());
    answer.entry = hostent {
        h_name: answer.name.as_mut_ptr().cast(),
        h_aliases: answer.aliases.as_mut_ptr(),
        h_addrtype: libc::AF_INET,
        h_length: 4,
        h_addr_list: answer.list.as_mut_ptr(),
    };
    ANSWER.with(|kept| {
        let mut kept = kept.borrow_mut();
        &raw mut kept.insert(answer).entry
    })
}

fn octets(address: &IpAddr) -> Option<[u8; 4]> {
    if let IpAddr::V4(address) = address { Some(address.octets()) } else { None }
}

//! The older calls about names, and those that ask for the name of an address.

#![allow(unsafe_code)]

use std::ffi::CStr;
use std::net::Ipv4Addr;

use super::*;

/// The name of an address of IPv4, by `getnameinfo`.
fn name_of(address: [u8; 4], flags: i32) -> Result<String, i32> {
    let raw = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 80_u16.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::from(address)).to_be() },
        sin_zero: [0; 8],
    };
    let mut name = [0; 64];
    // SAFETY: the address and the room for the name are as long as the call is told.
    let failed = unsafe {
        libc::getnameinfo(
            (&raw const raw).cast(),
            size_of::<libc::sockaddr_in>() as u32,
            name.as_mut_ptr(),
            name.len() as u32,
            std::ptr::null_mut(),
            0,
            flags,
        )
    };
    // SAFETY: the call has ended the name with a zero.
    if failed == 0 { Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned()) } else { Err(failed) }
}

unsafe extern "C" {
    fn gethostbyname(name: *const libc::c_char) -> *mut libc::hostent;
}

#[test]
fn an_address_has_a_name_and_a_name_an_address() {
    let seen = Seen::default();
    let client = sharing(&seen, |cx, seen| async move {
        note(&seen, &cx, name_of([192, 168, 0, 1], 0).unwrap());
        note(&seen, &cx, name_of([127, 0, 0, 1], 0).unwrap());
        note(&seen, &cx, name_of([192, 168, 0, 1], libc::NI_NUMERICHOST).unwrap());
        note(&seen, &cx, name_of([10, 0, 0, 1], 0).unwrap());
        assert_eq!(name_of([10, 0, 0, 1], libc::NI_NAMEREQD), Err(libc::EAI_NONAME));
        // SAFETY: the name ends with a zero, and an answer has at least one address of four bytes.
        let found = unsafe {
            assert!(gethostbyname(c"nobody".as_ptr()).is_null());
            let found = gethostbyname(c"server".as_ptr());
            (*(*found).h_addr_list).cast::<[u8; 4]>().read_unaligned()
        };
        note(&seen, &cx, Ipv4Addr::from(found));
        io::Result::Ok(())
    });
    let run = run_with(&scenario(10).host("client", client), Vec::new());
    let seen: Vec<String> = seen.lock().unwrap().iter().map(|(what, _)| what.clone()).collect();
    assert_eq!(seen, ["server", "localhost", "192.168.0.1", "10.0.0.1", "192.168.0.1"], "{:?}", run.outcome);
    assert!(run.outcome.escapes.is_empty(), "{:?}", run.outcome.escapes);
}

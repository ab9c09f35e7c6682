//! A seccomp filter that refuses one system call, as the sandboxes of containers do.

/// Makes the kernel refuse the system call with this number (`EPERM`) to this process and its children from now on.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn refuse(number: libc::c_long) {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let filter = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut filters = [
        filter(LOAD, 0, 0, 0),
        filter(IF_EQUAL, 0, 1, number as u32),
        filter(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        filter(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filters.len() as u16, filter: filters.as_mut_ptr() };
    // SAFETY: `program` is a valid BPF program, and its filters outlive the calls.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

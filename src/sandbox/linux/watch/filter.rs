//! The program by which the kernel decides which system calls to hand back. It knows nothing of what becomes of them.

use std::ops::Range;

use libc::sock_filter;

use super::calls;

/// What the kernel calls this machine.
#[cfg(target_arch = "x86_64")]
const MACHINE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const MACHINE: u32 = 0xc000_00b7;

/// Where the fields of the kernel's `seccomp_data` are, in bytes.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const PLACE_LOW: u32 = 8;
const PLACE_HIGH: u32 = 12;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const fn line(code: u16, if_true: u8, if_false: u8, value: u32) -> sock_filter {
    sock_filter { code, jt: if_true, jf: if_false, k: value }
}

const ALLOW: sock_filter = line(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
const TRAP: sock_filter = line(RETURN, 0, 0, libc::SECCOMP_RET_TRAP);

/// More lines than any program has.
const MOST_LINES: usize = 256;

/// A program, in a place of its own: the heap must be the same as in a run that is not watched.
pub(super) struct Program {
    lines: [sock_filter; MOST_LINES],
    length: usize,
}

impl Program {
    /// Hands back the caught system calls, but never those from within `gates`, and children only if they are not made
    /// by the code in `library`: the C library makes them while it blocks all signals, and its functions are hooked.
    /// `None` for addresses that it cannot tell apart.
    pub(super) fn new(gates: [Range<usize>; 2], library: Range<usize>) -> Option<Program> {
        let mut program = Program { lines: [ALLOW; MOST_LINES], length: 0 };
        program.extend(&[line(LOAD, 0, 0, ARCHITECTURE), line(IF_EQUAL, 1, 0, MACHINE), ALLOW]);
        for gate in gates {
            program.extend(&if_within(&gate, ALLOW)?);
        }
        program.extend(&[line(LOAD, 0, 0, NUMBER)]);
        for call in calls::all().filter(|call| !call.makes_child()) {
            program.extend(&[line(IF_EQUAL, 0, 1, call.number as u32), TRAP]);
        }
        let by_library = if_within(&library, ALLOW)?;
        for call in calls::all().filter(|call| call.makes_child()) {
            program.extend(&[line(IF_EQUAL, 0, by_library.len() as u8 + 1, call.number as u32)]);
            program.extend(&by_library);
            program.extend(&[TRAP]);
        }
        program.extend(&[ALLOW]);
        Some(program)
    }

    fn extend(&mut self, lines: &[sock_filter]) {
        self.lines[self.length..self.length + lines.len()].copy_from_slice(lines);
        self.length += lines.len();
    }

    /// The program as the kernel takes it.
    pub(super) fn for_kernel(&mut self) -> libc::sock_fprog {
        libc::sock_fprog { len: self.length as u16, filter: self.lines.as_mut_ptr() }
    }
}

/// Returns `answer` for a place within these addresses, and goes on behind this for any other.
fn if_within(addresses: &Range<usize>, answer: sock_filter) -> Option<[sock_filter; 6]> {
    let halves = |address: usize| ((address >> 32) as u32, address as u32);
    let (start, end) = (halves(addresses.start), halves(addresses.end));
    // The kernel's machine compares 32 bits at once; nobody maps code across a border of 4 GiB.
    (start.0 == end.0).then_some([
        line(LOAD, 0, 0, PLACE_HIGH),
        line(IF_EQUAL, 0, 4, start.0),
        line(LOAD, 0, 0, PLACE_LOW),
        line(IF_AT_LEAST, 0, 2, start.1),
        line(IF_AT_LEAST, 1, 0, end.1),
        answer,
    ])
}

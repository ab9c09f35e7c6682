//! The seccomp program with which the kernel decides which system calls to trap.

use std::ops::Range;

use libc::sock_filter;

use super::super::hooks;
use super::calls;

/// The kernel's number for this architecture (`AUDIT_ARCH_*`).
#[cfg(target_arch = "x86_64")]
const THIS_ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const THIS_ARCHITECTURE: u32 = 0xc000_00b7;

/// The offsets of the fields of the kernel's `seccomp_data`, in bytes; the address is that of the instruction.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ADDRESS_LOW: u32 = 8;
const ADDRESS_HIGH: u32 = 12;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const fn instruction(code: u16, if_true: u8, if_false: u8, value: u32) -> sock_filter {
    sock_filter { code, jt: if_true, jf: if_false, k: value }
}

const ALLOW: sock_filter = instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
const TRAP: sock_filter = instruction(RETURN, 0, 0, libc::SECCOMP_RET_TRAP);

/// The capacity of a program in instructions, more than any needs.
const CAPACITY: usize = 512;

/// A program. It is not on the heap, because the heap must be the same as in a run that is not watched.
pub(super) struct Program {
    instructions: [sock_filter; CAPACITY],
    length: usize,
}

impl Program {
    /// A program that traps the caught system calls, except those from within `gates`. It traps the creation of
    /// children only outside the C library's code in `library`, because the C library blocks all signals for it, and
    /// its functions are hooked anyway. `None` if a range crosses a 4 GiB boundary.
    pub(super) fn new(gates: [Range<usize>; 2], library: Range<usize>) -> Option<Program> {
        let mut program = Program { instructions: [ALLOW; CAPACITY], length: 0 };
        program.extend(&[instruction(LOAD, 0, 0, ARCHITECTURE), instruction(IF_EQUAL, 1, 0, THIS_ARCHITECTURE), ALLOW]);
        for gate in gates {
            program.extend(&if_within(&gate, ALLOW)?);
        }
        program.extend(&[instruction(LOAD, 0, 0, NUMBER)]);
        for call in calls::all().filter(|call| !call.makes_child()) {
            program.extend(&[instruction(IF_EQUAL, 0, 1, call.number as u32), TRAP]);
        }
        let allow_library = if_within(&library, ALLOW)?;
        for call in calls::all().filter(|call| call.makes_child()) {
            program.extend(&[instruction(IF_EQUAL, 0, allow_library.len() as u8 + 1, call.number as u32)]);
            program.extend(&allow_library);
            program.extend(&[TRAP]);
        }
        program.extend(&[ALLOW]);
        Some(program)
    }

    /// A program that traps the caught system calls, and those that hooks answer, if the code in `own` makes them outside of
    /// `gates`. Other code pays for a comparison. `None` if a range crosses a 4 GiB boundary.
    pub(super) fn of_own_code(own: Range<usize>, gates: [Range<usize>; 3]) -> Option<Program> {
        let mut program = Program { instructions: [ALLOW; CAPACITY], length: 0 };
        program.extend(&[instruction(LOAD, 0, 0, ARCHITECTURE), instruction(IF_EQUAL, 1, 0, THIS_ARCHITECTURE), ALLOW]);
        program.extend(&unless_within(&own, ALLOW)?);
        for gate in gates {
            program.extend(&if_within(&gate, ALLOW)?);
        }
        program.extend(&[instruction(LOAD, 0, 0, NUMBER)]);
        for number in calls::all().map(|call| call.number).chain(hooks::answered_calls()) {
            program.extend(&[instruction(IF_EQUAL, 0, 1, number as u32), TRAP]);
        }
        program.extend(&[ALLOW]);
        Some(program)
    }

    fn extend(&mut self, instructions: &[sock_filter]) {
        self.instructions[self.length..self.length + instructions.len()].copy_from_slice(instructions);
        self.length += instructions.len();
    }

    /// The program in the form that the kernel expects.
    pub(super) fn for_kernel(&mut self) -> libc::sock_fprog {
        libc::sock_fprog { len: self.length as u16, filter: self.instructions.as_mut_ptr() }
    }
}

/// Instructions that return `answer` unless the call's address is in this range, and fall through otherwise.
fn unless_within(addresses: &Range<usize>, answer: sock_filter) -> Option<[sock_filter; 6]> {
    let [high, is_high, low, is_after, is_before, _] = if_within(addresses, answer)?;
    Some([
        high,
        sock_filter { jf: 3, ..is_high },
        low,
        sock_filter { jf: 1, ..is_after },
        sock_filter { jt: 0, jf: 1, ..is_before },
        answer,
    ])
}

/// Instructions that return `answer` if the call's address is in this range, and fall through otherwise.
fn if_within(addresses: &Range<usize>, answer: sock_filter) -> Option<[sock_filter; 6]> {
    let halves = |address: usize| ((address >> 32) as u32, address as u32);
    let (start, end) = (halves(addresses.start), halves(addresses.end));
    // The kernel's filter machine compares 32 bits at a time, and code rarely crosses a 4 GiB boundary.
    (start.0 == end.0).then_some([
        instruction(LOAD, 0, 0, ADDRESS_HIGH),
        instruction(IF_EQUAL, 0, 4, start.0),
        instruction(LOAD, 0, 0, ADDRESS_LOW),
        instruction(IF_AT_LEAST, 0, 2, start.1),
        instruction(IF_AT_LEAST, 1, 0, end.1),
        answer,
    ])
}

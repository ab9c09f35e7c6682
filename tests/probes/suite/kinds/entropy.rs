//! Entropy, and what code takes for it: by every way to ask for some.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::Read;

use crate::probe::{Probe, WRONG, errno, text};

unsafe extern "C" {
    fn arc4random() -> u32;
    fn arc4random_buf(buffer: *mut u8, length: usize);
    fn arc4random_uniform(bound: u32) -> u32;
    fn drand48() -> f64;
    fn random() -> i64;
    fn tmpfile() -> *mut libc::FILE;
    fn mkostemp(template: *mut libc::c_char, flags: i32) -> i32;
}

/// Whether this would be chance: 8 bytes that nobody has written.
fn shown(written: bool, bytes: [u8; 8]) -> String {
    if written && bytes == [0; 8] { format!("{WRONG}: all zeros") } else { format!("{written} {bytes:02x?}") }
}

fn device(path: &str) -> String {
    let mut bytes = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    shown(read.is_ok(), bytes)
}

fn stream(path: &std::ffi::CStr) -> String {
    let mut bytes = [0; 8];
    // SAFETY: the paths are C strings, and the buffer is as long as stated.
    unsafe {
        let file = libc::fopen(path.as_ptr(), c"r".as_ptr());
        if file.is_null() {
            return format!("{WRONG}: {}", errno());
        }
        let read = libc::fread(bytes.as_mut_ptr().cast(), 1, 8, file);
        libc::fclose(file);
        shown(read == 8, bytes)
    }
}

fn getentropy() -> String {
    let mut bytes = [0; 8];
    // SAFETY: the buffer is as long as stated.
    let result = unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), 8) };
    shown(result == 0, bytes)
}

fn getrandom(flags: u32) -> String {
    let mut bytes = [0; 8];
    // SAFETY: the buffer is as long as stated.
    let result = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), 8, flags) };
    shown(result == 8, bytes)
}

fn by_number() -> String {
    let mut bytes = [0; 8];
    // SAFETY: the buffer is as long as stated.
    let result = unsafe { libc::syscall(libc::SYS_getrandom, bytes.as_mut_ptr(), 8, 0) };
    shown(result == 8, bytes)
}

fn at_random() -> String {
    // SAFETY: the kernel passes the address of 16 bytes to every process.
    let bytes = unsafe { std::slice::from_raw_parts(libc::getauxval(libc::AT_RANDOM) as *const u8, 16) };
    format!("{bytes:02x?}")
}

/// The name that a function makes out of a template, without what it makes.
fn named(make: fn(*mut libc::c_char) -> i32) -> String {
    let mut template = *b"/tmp/squall-probe-XXXXXX\0";
    let made = make(template.as_mut_ptr().cast());
    let name = String::from_utf8_lossy(&template[..template.len() - 1]).into_owned();
    let _ = std::fs::remove_file(&name).or_else(|_| std::fs::remove_dir(&name));
    format!("{} {name}", made >= 0)
}

fn order() -> String {
    let map: HashMap<u32, ()> = (0..12).map(|key| (key, ())).collect();
    let set: HashSet<u32> = (0..12).collect();
    format!("{:?} {set:?}", map.keys().collect::<Vec<_>>())
}

/// Two threads' first entropy, which must not be equal.
fn two_threads() -> String {
    let draw = || uuid::Uuid::new_v4();
    let [one, other] = [draw, draw].map(|draw| std::thread::spawn(draw).join().expect("it ends"));
    if one == other { format!("{WRONG}: two threads drew {one}") } else { format!("{one} {other}") }
}

#[cfg(target_arch = "x86_64")]
fn instruction(seeds: bool) -> String {
    #[target_feature(enable = "rdrand")]
    fn rdrand() -> (i32, u64) {
        let mut value = 0;
        (core::arch::x86_64::_rdrand64_step(&mut value), value)
    }
    #[target_feature(enable = "rdseed")]
    fn rdseed() -> (i32, u64) {
        let mut value = 0;
        (core::arch::x86_64::_rdseed64_step(&mut value), value)
    }
    // SAFETY: the features are there.
    unsafe {
        match seeds {
            false if is_x86_feature_detected!("rdrand") => format!("{:x?}", rdrand()),
            true if is_x86_feature_detected!("rdseed") => format!("{:x?}", rdseed()),
            _ => "this processor has none".to_owned(),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn instruction(_: bool) -> String {
    "this processor has none".to_owned()
}

/// The number of the processor that runs this, as the processor itself says.
#[cfg(target_arch = "x86_64")]
fn processor() -> String {
    // A thread moves between processors from time to time only, so this looks for a while.
    let number = || core::arch::x86_64::__cpuid_count(0x0b, 0).edx;
    let mut seen: Vec<u32> = (0..200).map(|_| number()).collect();
    seen.dedup();
    format!("{seen:?}")
}

#[cfg(not(target_arch = "x86_64"))]
fn processor() -> String {
    String::new()
}

static FIXED: u32 = 7;

/// The probes of this kind.
pub const PROBES: &[Probe] = &[
    Probe::now("entropy::getrandom", "`getrandom`", || getrandom(0)).varies(),
    Probe::now("entropy::getrandom_insecure", "`getrandom` with `GRND_INSECURE`", || getrandom(4)).varies(),
    Probe::now("entropy::getentropy", "`getentropy`", getentropy).varies(),
    Probe::now("entropy::by_number", "`syscall(SYS_getrandom)`", by_number).varies(),
    Probe::now("entropy::urandom", "`/dev/urandom`, opened by the standard library", || device("/dev/urandom"))
        .varies(),
    Probe::now("entropy::random", "`/dev/random`, opened by the standard library", || device("/dev/random")).varies(),
    Probe::now("entropy::urandom_stream", "`/dev/urandom`, opened by `fopen`", || stream(c"/dev/urandom")).varies(),
    Probe::now("entropy::urandom_twice", "two reads of `/dev/urandom` differ", || {
        let [one, other] = [device("/dev/urandom"), device("/dev/urandom")];
        if one == other { format!("{WRONG}: both are {one}") } else { format!("{one} {other}") }
    })
    .varies(),
    // SAFETY: this has no arguments.
    Probe::now("entropy::arc4random", "`arc4random`", || format!("{}", unsafe { arc4random() })).varies(),
    Probe::now("entropy::arc4random_buf", "`arc4random_buf`", || {
        let mut bytes = [0; 8];
        // SAFETY: the buffer is as long as stated.
        unsafe { arc4random_buf(bytes.as_mut_ptr(), 8) };
        shown(true, bytes)
    })
    .varies(),
    Probe::now("entropy::arc4random_uniform", "`arc4random_uniform`", || {
        // SAFETY: this has no pointers.
        let drawn: Vec<u32> = (0..8).map(|_| unsafe { arc4random_uniform(1_000) }).collect();
        if drawn.iter().any(|drawn| *drawn >= 1_000) { format!("{WRONG}: {drawn:?}") } else { format!("{drawn:?}") }
    })
    .varies(),
    // SAFETY: these have no arguments.
    Probe::now("entropy::rand", "`rand`, `random` and `drand48` without a seed", || unsafe {
        format!("{} {} {}", libc::rand(), random(), drand48())
    }),
    Probe::now("entropy::at_random", "`getauxval(AT_RANDOM)`", at_random).varies(),
    // SAFETY: the template is a C string.
    Probe::now("entropy::mkstemp", "the name that `mkstemp` makes", || {
        named(|template| unsafe { libc::mkstemp(template) })
    })
    .varies(),
    // SAFETY: the template is a C string.
    Probe::now("entropy::mkostemp", "the name that `mkostemp` makes", || {
        named(|template| unsafe { mkostemp(template, libc::O_CLOEXEC) })
    })
    .varies(),
    // SAFETY: the template is a C string.
    Probe::now("entropy::mkdtemp", "the name that `mkdtemp` makes", || {
        named(|template| if unsafe { libc::mkdtemp(template) }.is_null() { -1 } else { 0 })
    })
    .varies(),
    Probe::now("entropy::tmpfile", "`tmpfile`", || {
        // SAFETY: the file is closed once.
        unsafe {
            let file = tmpfile();
            let made = !file.is_null();
            if made {
                libc::fclose(file);
            }
            format!("{made}")
        }
    }),
    Probe::now("entropy::hash_order", "the order of a `HashMap` and of a `HashSet`", order).varies(),
    Probe::now("entropy::random_state", "a hash by `RandomState`", || {
        format!("{:x}", RandomState::new().build_hasher().finish())
    })
    .varies(),
    Probe::thread("entropy::hash_order_on_thread", "the order of a `HashMap` that a thread makes", order).varies(),
    Probe::thread("entropy::two_threads", "`Uuid::new_v4` on two threads", two_threads).varies(),
    Probe::now("entropy::stack_address", "the address of a local variable", || {
        let local = 1;
        format!("{:p}", std::hint::black_box(&raw const local))
    }),
    Probe::now("entropy::heap_address", "the address of a box", || format!("{:p}", Box::new([0_u8; 64]))),
    Probe::now("entropy::large_address", "the address of a large allocation", || {
        let large = std::hint::black_box(vec![0_u8; 8 << 20]);
        format!("{:p}", large.as_ptr())
    }),
    Probe::now("entropy::static_address", "the address of a static", || format!("{:p}", &raw const FIXED)),
    Probe::now("entropy::function_address", "the address of a function of C", || {
        format!("{:p}", libc::malloc as *const ())
    }),
    Probe::thread("entropy::thread_address", "the address of a local variable on a thread", || {
        let local = 1;
        format!("{:p}", std::hint::black_box(&raw const local))
    }),
    Probe::now("entropy::uuid_file", "`/proc/sys/kernel/random/uuid`", || {
        text(std::fs::read_to_string("/proc/sys/kernel/random/uuid"))
    })
    .varies(),
    Probe::now("entropy::raw", "`getrandom` without the C library", || {
        let mut bytes = [0_u8; 8];
        let drawn = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
        shown(drawn == Ok(8), bytes)
    })
    .varies(),
    Probe::now("entropy::rdrand", "`rdrand`", || instruction(false)).varies(),
    Probe::now("entropy::rdseed", "`rdseed`", || instruction(true)).varies(),
    Probe::now("entropy::processor", "`cpuid`: the number of the processor", processor).fact(),
];

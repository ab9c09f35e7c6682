//! Programs that leak: each depends on something outside its case, in one way, and notes what it saw.

#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use squall::check::Check;
use squall::prelude::*;

/// The scenarios of all leaks.
pub const SCENARIOS: [fn() -> Scenario; 17] = [
    races,
    entropy_device,
    real_socket,
    modification_time,
    rustix_entropy,
    raw_clock,
    disciplined_clock,
    vdso_clock,
    counter,
    raw_file,
    raw_thread,
    child_process,
    twice,
    late,
    variable,
    cache,
    addresses,
];

/// The path of the file whose modification time leaks.
pub const AGING_FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/doctor/aging");

/// A check that always passes: only whether runs are the same matters here.
fn nothing_is_promised(_: &Trace, _: &History) -> Verdict {
    Verdict::Pass
}

/// A server that calls `leak` after two seconds and notes what it returned.
fn leaky(name: &str, leak: fn() -> String) -> Scenario {
    Scenario::new(name)
        .host("bystander", |_| async { std::future::pending::<()>().await })
        .host("server", move |cx| async move {
            tokio::time::sleep(secs(2)).await;
            let seen = leak();
            tokio::time::sleep(millis(500)).await;
            cx.recorder().note("seen", &seen);
            std::future::pending::<()>().await;
        })
        .check(nothing_is_promised)
        .run_for(secs(4))
        .settle_for(secs(1))
}

/// Counts in a second thread until the first one stops it.
fn races() -> Scenario {
    #[inline(never)]
    fn race() -> String {
        static STEPS: AtomicU64 = AtomicU64::new(0);
        static IS_OVER: AtomicBool = AtomicBool::new(false);
        let other = std::thread::spawn(|| {
            while !IS_OVER.load(Ordering::Relaxed) {
                STEPS.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut looks = 0_u64;
        while STEPS.load(Ordering::Relaxed) < 1_000 {
            looks += 1;
            std::hint::spin_loop();
        }
        IS_OVER.store(true, Ordering::Relaxed);
        let _ = other.join();
        format!("{looks} {}", STEPS.load(Ordering::Relaxed))
    }
    leaky("races", race)
}

fn entropy_device() -> Scenario {
    #[inline(never)]
    fn read_urandom() -> String {
        let mut bytes = [0; 8];
        let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
        format!("{read:?} {bytes:?}")
    }
    leaky("entropy_device", read_urandom)
}

fn real_socket() -> Scenario {
    #[inline(never)]
    fn listen_for_real() -> String {
        let bound = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        format!("{bound:?}")
    }
    leaky("real_socket", listen_for_real)
}

fn modification_time() -> Scenario {
    #[inline(never)]
    fn ask_for_age() -> String {
        format!("{:?}", std::fs::metadata(AGING_FILE).and_then(|data| data.modified()))
    }
    leaky("modification_time", ask_for_age)
}

/// Draws entropy through a crate that does not use the C library.
fn rustix_entropy() -> Scenario {
    leaky("rustix_entropy", draw)
}

#[inline(never)]
fn draw() -> String {
    let mut bytes = [0_u8; 8];
    let drawn = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    format!("{drawn:?} {bytes:?}")
}

/// Makes a system call without the C library.
#[inline(always)]
unsafe fn system_call(number: libc::c_long, arguments: [usize; 4]) -> isize {
    let [a, b, c, d] = arguments;
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller vouches for the arguments.
    unsafe {
        std::arch::asm!(
            "syscall", inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            lateout("rcx") _, lateout("r11") _, options(nostack)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the caller vouches for the arguments.
    unsafe {
        std::arch::asm!(
            "svc 0", in("x8") number as isize, inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, options(nostack)
        );
    }
    result
}

/// Reads a clock by a call that nothing answers, without the C library.
fn raw_clock() -> Scenario {
    leaky("raw_clock", ask_kernel_for_time)
}

#[inline(never)]
fn ask_kernel_for_time() -> String {
    // SAFETY: all zeros is a valid value, which changes nothing; the clock exists, and the pointer is to a local variable.
    let (result, now) = unsafe {
        let mut discipline: libc::timex = std::mem::zeroed();
        let arguments = [libc::CLOCK_REALTIME as usize, &raw mut discipline as usize, 0, 0];
        (system_call(libc::SYS_clock_adjtime, arguments), discipline.time)
    };
    format!("{result} {} {}", now.tv_sec, now.tv_usec)
}

/// The same through the C library, which makes the call by itself.
fn disciplined_clock() -> Scenario {
    #[inline(never)]
    fn ask_library_for_time() -> String {
        // SAFETY: as above.
        let (result, now) = unsafe {
            let mut discipline: libc::timex = std::mem::zeroed();
            (libc::clock_adjtime(libc::CLOCK_REALTIME, &raw mut discipline), discipline.time)
        };
        format!("{result} {} {}", now.tv_sec, now.tv_usec)
    }
    leaky("disciplined_clock", ask_library_for_time)
}

/// Reads a clock through the vDSO, which the kernel maps into every process.
fn vdso_clock() -> Scenario {
    #[inline(never)]
    fn ask_vdso_for_time() -> String {
        format!("{:?}", rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
    }
    leaky("vdso_clock", ask_vdso_for_time)
}

fn counter() -> Scenario {
    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    fn read_counter() -> String {
        let mut processor = 0;
        // SAFETY: every x86-64 processor that the tests run on has these instructions.
        let counters = unsafe { [core::arch::x86_64::_rdtsc(), core::arch::x86_64::__rdtscp(&mut processor)] };
        format!("{counters:?}")
    }
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(never)]
    fn read_counter() -> String {
        String::new()
    }
    leaky("counter", read_counter)
}

fn raw_file() -> Scenario {
    #[inline(never)]
    fn read_file_for_real() -> String {
        let mut bytes = [0_u8; 16];
        // SAFETY: the path is a C string, and the buffer is as long as stated.
        let read = unsafe {
            let at = libc::AT_FDCWD as usize;
            let file = system_call(libc::SYS_openat, [at, c"/dev/random".as_ptr() as usize, 0, 0]) as usize;
            let read = system_call(libc::SYS_read, [file, bytes.as_mut_ptr() as usize, bytes.len(), 0]);
            system_call(libc::SYS_close, [file, 0, 0, 0]);
            read
        };
        format!("{read} {bytes:?}")
    }
    leaky("raw_file", read_file_for_real)
}

/// Counts in a thread that the C library does not know of.
fn raw_thread() -> Scenario {
    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    fn start_thread_for_real() -> String {
        static STEPS: AtomicU64 = AtomicU64::new(0);
        static IS_OVER: AtomicBool = AtomicBool::new(false);
        static HAS_ENDED: AtomicBool = AtomicBool::new(false);
        extern "C" fn count() -> ! {
            while !IS_OVER.load(Ordering::Relaxed) {
                STEPS.fetch_add(1, Ordering::Relaxed);
            }
            HAS_ENDED.store(true, Ordering::SeqCst);
            loop {
                // SAFETY: this system call only ends this thread.
                unsafe { system_call(libc::SYS_exit, [0; 4]) };
            }
        }
        let mut stack = vec![0_u64; 8 * 1024];
        let top = stack.as_mut_ptr_range().end as usize & !15;
        let flags = libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
        let flags = flags | libc::CLONE_SYSVSEM;
        let thread: isize;
        // SAFETY: the thread runs on its own stack, touches no thread-local, and ends before the stack is freed.
        unsafe {
            std::arch::asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor ebp, ebp",
                "call r12",
                "ud2",
                "2:",
                inlateout("rax") libc::SYS_clone as isize => thread,
                in("rdi") flags as usize, in("rsi") top, in("rdx") 0, in("r10") 0, in("r8") 0,
                in("r12") count as *const (),
                lateout("rcx") _, lateout("r11") _,
            );
        }
        while thread > 0 && STEPS.load(Ordering::Relaxed) < 1_000 {
            std::hint::spin_loop();
        }
        IS_OVER.store(true, Ordering::Relaxed);
        while thread > 0 && !HAS_ENDED.load(Ordering::SeqCst) {
            std::hint::spin_loop();
        }
        // The thread still runs a few instructions, which the stack must outlive.
        std::mem::forget(stack);
        format!("{} {}", thread > 0, STEPS.load(Ordering::Relaxed))
    }
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(never)]
    fn start_thread_for_real() -> String {
        String::new()
    }
    leaky("raw_thread", start_thread_for_real)
}

fn child_process() -> Scenario {
    #[inline(never)]
    fn start_process() -> String {
        let output = std::process::Command::new("/bin/sh").args(["-c", "echo $$"]).output();
        format!("{:?}", output.map(|output| output.stdout))
    }
    leaky("child_process", start_process)
}

/// Reads a clock three times before the runs diverge.
fn twice() -> Scenario {
    #[inline(never)]
    fn ask_thrice() -> String {
        format!("{} {} {}", ask_kernel_for_time(), ask_kernel_for_time(), ask_kernel_for_time())
    }
    leaky("twice", ask_thrice)
}

/// Reads a clock, and makes a real socket once the runs have diverged.
fn late() -> Scenario {
    Scenario::new("late")
        .host("server", |cx| async move {
            tokio::time::sleep(secs(1)).await;
            cx.recorder().note("seen", &ask_kernel_for_time());
            tokio::time::sleep(secs(1)).await;
            let _ = std::net::UdpSocket::bind("127.0.0.1:0");
            std::future::pending::<()>().await;
        })
        .check(nothing_is_promised)
        .run_for(secs(3))
        .settle_for(secs(1))
}

/// Reads an environment variable of the user.
fn variable() -> Scenario {
    #[inline(never)]
    fn read_variable() -> String {
        format!("{:?}", std::env::var("PLANTED_VARIABLE"))
    }
    leaky("variable", read_variable).check(Check::new("the variable is not seen", |trace, _| {
        let text = format!("{:?}", trace.records);
        if text.contains("planted") { Verdict::fail("it is seen") } else { Verdict::Pass }
    }))
}

/// Reads state of the whole process that an earlier run would have changed.
fn cache() -> Scenario {
    #[inline(never)]
    fn fill_cache() -> String {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        format!("runs before this one: {}", RUNS.fetch_add(1, Ordering::Relaxed))
    }
    leaky("cache", fill_cache).check(Check::new("the cache is empty", |trace, _| {
        let text = format!("{:?}", trace.records);
        if text.contains("runs before this one: 0") { Verdict::Pass } else { Verdict::fail(text) }
    }))
}

/// Notes the order of addresses, and addresses themselves.
fn addresses() -> Scenario {
    #[inline(never)]
    fn order_addresses() -> String {
        static PLACE: u64 = 0;
        let boxes: Vec<Box<usize>> = (0..16).map(Box::new).collect();
        let by_address: BTreeMap<usize, usize> =
            boxes.iter().map(|b| ((&raw const **b as usize).wrapping_mul(0x9e37_79b9) % 1_009, **b)).collect();
        format!("{:?} {:p} {:p}", by_address.values().collect::<Vec<_>>(), &PLACE, &*boxes[0])
    }
    leaky("addresses", order_addresses)
}

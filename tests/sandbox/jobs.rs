//! The jobs that run in a child, by name. Each simulates two hosts, "alpha" and "beta", and returns text.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use squall::internal::sandbox::{self, Notes, Settings};
use squall::prelude::Seed;
use tokio::runtime::{Builder, Runtime};

pub(crate) fn run(job: &[u8]) -> Vec<u8> {
    let job = std::str::from_utf8(job).expect("the job is text");
    let (name, argument) = job.split_once(' ').unwrap_or((job, ""));
    let text = match name {
        "empty" => String::new(),
        "echo" => argument.to_owned(),
        "panic" => on_host(0, 50, || panic!("the handler gives up")),
        "task-panic" => task_panic(),
        "abort" => on_host(1, 50, || std::process::abort()),
        "overflow" => on_host(1, 50, || dive(1).to_string()),
        "overflow-outside" => dive(1).to_string(),
        "segfault" => on_host(1, 50, || {
            // SAFETY: none; the segmentation fault is deliberate, and it is not a stack overflow.
            let address = black_box(16_usize) as *const u8;
            #[allow(unsafe_code)]
            unsafe {
                address.read_volatile().to_string()
            }
        }),
        "memory" => on_host(1, 50, hoard),
        "exit" => on_host(1, 50, || std::process::exit(argument.parse().expect("the argument is an exit code"))),
        "clock-spin" => on_host(1, 50, clock_spin),
        "cpu-spin" => on_host(1, 50, || {
            loop {
                black_box(0);
            }
        }),
        "deadlock" => on_host(1, 50, || {
            let mutex = Mutex::new(0);
            let _first = mutex.lock();
            let _second = mutex.lock();
            String::new()
        }),
        "blocked" => on_host(1, 50, || {
            let (reader, _writer) = std::io::pipe().expect("a pipe opens");
            let _ = std::io::Read::read(&mut &reader, &mut [0]);
            String::new()
        }),
        "print" => {
            for line in 0..argument.parse::<u32>().expect("the text is a number") {
                println!("line {line} of the output of this job");
            }
            String::new()
        }
        "orphan" => loop {
            std::thread::sleep(Duration::from_secs(1));
        },
        "everything" => everything(),
        "host-entropy" => host_entropy(),
        "times" => super::time::times(),
        "waits" => super::time::waits(),
        "restarts" => super::time::restarts(),
        "turmoil" => super::time::in_turmoil(),
        "clock-cost" => super::time::clock_cost(),
        "escapes" => super::escapes::escapes(),
        #[cfg(target_os = "linux")]
        "facts" => super::facts::facts(),
        #[cfg(target_os = "linux")]
        "temporary" => super::temporary::leave_files(argument),
        #[cfg(target_os = "linux")]
        "files" => super::facts::files(),
        #[cfg(target_os = "linux")]
        "timeouts" => super::facts::timeouts(),
        #[cfg(target_os = "linux")]
        "chance" => super::facts::chance(),
        other => panic!("no job `{other}`"),
    };
    text.into_bytes()
}

pub(crate) fn enter() {
    let hosts = vec!["alpha".to_owned(), "beta".to_owned()];
    sandbox::enter(Settings {
        seed: Seed(7),
        epoch: Duration::from_secs(1_600_000_000),
        hosts,
        allowed_escapes: Vec::new(),
    });
}

/// A runtime like those that turmoil builds.
pub(crate) fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("the runtime is built");
    runtime.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
    runtime
}

/// Runs `work` on a host, `at_ms` into the run.
pub(crate) fn on_host<T>(host: usize, at_ms: u64, work: impl FnOnce() -> T) -> T {
    enter();
    let result = runtime().block_on(async {
        sandbox::enter_host(host);
        tokio::time::sleep(Duration::from_millis(at_ms)).await;
        work()
    });
    drop(sandbox::leave());
    result
}

/// Runs `work` on a host and returns what was recorded.
pub(crate) fn notes_on_host<F: Future<Output = ()>>(host: usize, work: impl FnOnce() -> F) -> Notes {
    enter();
    runtime().block_on(async {
        sandbox::enter_host(host);
        work().await;
    });
    sandbox::leave()
}

fn task_panic() -> String {
    let notes = notes_on_host(1, || async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let task = tokio::spawn(async { panic!("a task gives up") });
        assert!(task.await.is_err());
    });
    let panic = &notes.panics[0];
    assert_eq!(notes.panics.len(), 1);
    format!("{} {:?} {:?} {}", panic.message, panic.host, panic.at, panic.location)
}

#[allow(unconditional_recursion)]
fn dive(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    dive(room[7] + 1) + black_box(room)[3]
}

fn hoard() -> String {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 1 << 20]);
        black_box(&all);
    }
}

fn clock_spin() -> String {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {}
    String::new()
}

/// Samples clocks and everything that is random by default, on two hosts and outside any.
fn everything() -> String {
    enter();
    let mut text = String::new();
    sample("outside", &mut text);
    for (host, name) in [(0, "alpha"), (1, "beta")] {
        runtime().block_on(async {
            sandbox::enter_host(host);
            tokio::time::sleep(Duration::from_millis(3)).await;
            sample(name, &mut text);
            select_order(&mut text).await;
        });
    }
    let notes_place = 0_u8;
    let mut map = HashMap::new();
    for i in 0..50 {
        map.insert(i, Box::new(i));
    }
    let _ = writeln!(text, "map {:?}", map.keys().collect::<Vec<_>>());
    let _ = writeln!(text, "address {:p} {:p}", &*map[&3], &notes_place);
    let dash: dashmap::DashMap<u32, u32> = (0..50).map(|i| (i, i)).collect();
    let _ = writeln!(text, "dash {:?}", dash.iter().map(|entry| *entry.key()).collect::<Vec<_>>());
    let _ = writeln!(text, "cpus {:?} pid {}", std::thread::available_parallelism(), std::process::id());
    #[cfg(target_os = "linux")]
    let _ = writeln!(text, "{}", facts());
    let notes = sandbox::leave();
    assert!(notes.escapes.is_empty(), "{notes:?}");
    let _ = writeln!(text, "environment {:?}", std::env::vars().collect::<BTreeMap<_, _>>());
    let _ = writeln!(text, "arguments {:?} in {:?}", std::env::args().collect::<Vec<_>>(), std::env::current_dir());
    let _ = writeln!(text, "stack {:p}", &notes);
    text
}

/// What a simulated machine says of its kernel, its processes and its processors.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn facts() -> String {
    // SAFETY: all zeros is a valid value of this struct of arrays, and each of its texts ends with a zero.
    let (machine, parent, processor) = unsafe {
        let mut machine: libc::utsname = std::mem::zeroed();
        assert_eq!(libc::uname(&raw mut machine), 0);
        (machine, libc::getppid(), libc::sched_getcpu())
    };
    let fields = [&machine.sysname, &machine.nodename, &machine.release, &machine.version].map(|field| {
        // SAFETY: as above.
        unsafe { std::ffi::CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned()
    });
    format!("kernel {} parent {parent} processor {processor}", fields.join(", "))
}

fn sample(title: &str, text: &mut String) {
    use rand_0_8::Rng as _;
    let _ = writeln!(text, "-- {title} {:?}", sandbox::now());
    let _ = writeln!(text, "rand 0.8 {}", rand_0_8::thread_rng().r#gen::<u64>());
    let _ = writeln!(text, "rand 0.8 os {}", rand_0_8::rngs::OsRng.r#gen::<u64>());
    let _ = writeln!(text, "rand 0.9 {}", rand_0_9::random::<u64>());
    let _ = writeln!(text, "rand 0.10 {}", rand_0_10::random::<u64>());
    let _ = writeln!(text, "uuid {} {}", uuid::Uuid::new_v4(), uuid::Uuid::now_v7());
    let _ = writeln!(text, "chrono {} {}", chrono::Utc::now(), chrono::Local::now());
    let _ = writeln!(text, "jiff {} {}", jiff::Timestamp::now(), jiff::Zoned::now());
    let mut ahash = ahash::RandomState::new().build_hasher();
    ahash.write_u64(1);
    let _ = writeln!(text, "ahash {}", ahash.finish());
    let mut std_hash = std::collections::hash_map::RandomState::new().build_hasher();
    std_hash.write_u64(1);
    let _ = writeln!(text, "hash {}", std_hash.finish());
    let _ = writeln!(text, "fastrand {}", fastrand::u64(..));
    let _ = writeln!(text, "instant {:?}", Instant::now());
    let _ = writeln!(text, "system time {:?}", SystemTime::now().duration_since(UNIX_EPOCH));
}

async fn select_order(text: &mut String) {
    let mut order = String::new();
    for _ in 0..32 {
        tokio::select! {
            () = std::future::ready(()) => order.push('a'),
            () = std::future::ready(()) => order.push('b'),
        }
        futures::select! {
            () = futures::future::ready(()) => order.push('c'),
            () = futures::future::ready(()) => order.push('d'),
        }
    }
    let _ = writeln!(text, "select {order}");
}

/// Returns beta's entropy, which must not depend on how much alpha draws.
fn host_entropy() -> String {
    let mut seen = Vec::new();
    for alpha_draws in [0, 1, 5] {
        enter();
        let alpha = runtime();
        alpha.block_on(async {
            sandbox::enter_host(0);
            for _ in 0..alpha_draws {
                black_box(uuid::Uuid::new_v4());
            }
        });
        runtime().block_on(async {
            sandbox::enter_host(1);
            let mut bytes = [0_u8; 20];
            rand_0_8::RngCore::fill_bytes(&mut rand_0_8::rngs::OsRng, &mut bytes);
            seen.push(bytes);
        });
        drop(sandbox::leave());
    }
    assert!(seen.iter().all(|bytes| *bytes == seen[0]), "{seen:?}");
    format!("{:?}", seen[0])
}

/// A channel on which nothing is sent.
pub(crate) fn silent_channel() -> (Arc<mpsc::Sender<u8>>, mpsc::Receiver<u8>) {
    let (sender, receiver) = mpsc::channel();
    (Arc::new(sender), receiver)
}

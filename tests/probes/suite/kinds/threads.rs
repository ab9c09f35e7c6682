//! Threads, and what they share: who runs when is decided by the seed.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::probe::{Probe, WRONG, text};

/// Who came when, of several threads that yield in between.
fn order(threads: usize, step: impl Fn() + Send + Sync + 'static) -> String {
    let (seen, step) = (Arc::new(Mutex::new(String::new())), Arc::new(step));
    let spawned: Vec<_> = (0..threads)
        .map(|number| {
            let (seen, step) = (seen.clone(), step.clone());
            thread::spawn(move || {
                for _ in 0..4 {
                    step();
                    seen.lock().expect("no thread panics").push_str(&number.to_string());
                }
            })
        })
        .collect();
    spawned.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    Arc::into_inner(seen).expect("all have ended").into_inner().expect("no thread panics")
}

/// Counts in one thread until another, which only looks, has seen enough.
fn spin() -> String {
    static STEPS: AtomicU64 = AtomicU64::new(0);
    let other = thread::spawn(|| {
        for _ in 0..1_000 {
            STEPS.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut looks = 0_u64;
    while STEPS.load(Ordering::SeqCst) < 1_000 {
        looks += 1;
        thread::yield_now();
    }
    other.join().expect("it ends");
    format!("{looks} looks")
}

/// The same without a word to the scheduler.
fn stubborn() -> String {
    static IS_OVER: AtomicUsize = AtomicUsize::new(0);
    let other = thread::spawn(|| IS_OVER.store(1, Ordering::SeqCst));
    let mut looks = 0_u64;
    while IS_OVER.load(Ordering::SeqCst) == 0 {
        looks += 1;
        std::hint::spin_loop();
    }
    other.join().expect("it ends");
    format!("{looks} looks")
}

fn barrier() -> String {
    let barrier = Arc::new(Barrier::new(3));
    let leaders: Vec<_> = (0..3)
        .map(|_| {
            let barrier = barrier.clone();
            thread::spawn(move || barrier.wait().is_leader())
        })
        .collect();
    format!("{:?}", leaders.into_iter().map(|thread| thread.join().expect("it ends")).collect::<Vec<_>>())
}

fn channel() -> String {
    let (sender, receiver) = mpsc::sync_channel(1);
    for number in 0..3 {
        let sender = sender.clone();
        thread::spawn(move || (0..3).for_each(|_| sender.send(number).expect("it is received")));
    }
    drop(sender);
    receiver.iter().map(|number: i32| number.to_string()).collect()
}

fn read_write() -> String {
    let lock = Arc::new(RwLock::new(String::new()));
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let lock = lock.clone();
            thread::spawn(move || {
                let length = lock.read().expect("no panic").len();
                thread::yield_now();
                lock.write().expect("no panic").push_str(&format!("{number}{length} "));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    let seen = lock.read().expect("no panic").clone();
    seen
}

fn destructors() -> String {
    static SEEN: Mutex<String> = Mutex::new(String::new());
    struct Last(u32);
    impl Drop for Last {
        fn drop(&mut self) {
            SEEN.lock().expect("no panic").push_str(&self.0.to_string());
        }
    }
    thread_local! {
        static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
    }
    let start = |number| thread::spawn(move || LAST.set(Some(Last(number))));
    (0..4).map(start).collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().expect("it ends"));
    SEEN.lock().expect("no panic").clone()
}

fn scoped() -> String {
    let seen = Mutex::new(String::new());
    thread::scope(|scope| {
        for number in 0..4 {
            let seen = &seen;
            scope.spawn(move || {
                thread::yield_now();
                seen.lock().expect("no panic").push_str(&number.to_string());
            });
        }
    });
    seen.into_inner().expect("no panic")
}

/// Whether virtual time waits for a blocking task.
fn pool() -> crate::probe::Task {
    Box::pin(async {
        let start = tokio::time::Instant::now();
        let tasks = (0..4).map(|number| {
            tokio::task::spawn_blocking(move || {
                thread::sleep(Duration::from_millis(20 * (1 + number)));
                number
            })
        });
        let mut tasks: tokio::task::JoinSet<_> =
            tasks.map(|task| async move { task.await.expect("it ends") }).collect();
        let mut seen = Vec::new();
        while let Some(Ok(number)) = tasks.join_next().await {
            seen.push((number, start.elapsed().as_millis()));
        }
        match seen.as_slice() {
            [(0, 20..=22), (1, 40..=42), (2, 60..=62), (3, 80..=82)] => format!("{seen:?}"),
            _ => format!("{WRONG}: {seen:?}"),
        }
    })
}

/// A program's own runtime, with threads, on a thread of a host.
fn runtime() -> String {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().expect("it starts");
    let seen = Arc::new(Mutex::new(String::new()));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..6)
            .map(|number| {
                let seen = seen.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    tokio::task::yield_now().await;
                    seen.lock().expect("no panic").push_str(&number.to_string());
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it ends");
        }
        tokio::task::block_in_place(|| thread::sleep(Duration::from_millis(5)));
    });
    drop(runtime);
    seen.lock().expect("no panic").clone()
}

/// A task that a blocking task waits for.
fn handle() -> crate::probe::Task {
    Box::pin(async {
        let handle = tokio::runtime::Handle::current();
        let blocking = tokio::task::spawn_blocking(move || {
            handle.block_on(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                "slept"
            })
        });
        text(tokio::time::timeout(Duration::from_secs(1), blocking).await)
    })
}

/// A worker thread behind a channel, as drivers of embedded databases have.
fn worker() -> crate::probe::Task {
    Box::pin(async {
        let (sender, receiver) = mpsc::channel::<(u32, tokio::sync::oneshot::Sender<u32>)>();
        let thread = thread::spawn(move || {
            for (number, answer) in receiver {
                thread::sleep(Duration::from_millis(3));
                let _ = answer.send(number * 2);
            }
        });
        let mut sum = 0;
        for number in 0..5 {
            let (answer, answered) = tokio::sync::oneshot::channel();
            sender.send((number, answer)).expect("the worker lives");
            sum += answered.await.expect("it answers");
        }
        drop(sender);
        let ended = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
        format!("{sum} {ended:?}")
    })
}

/// A long wait of a task beside a longer blocking one: time must not stop.
fn timeout() -> crate::probe::Task {
    Box::pin(async {
        let blocking = tokio::task::spawn_blocking(|| thread::sleep(Duration::from_millis(200)));
        let start = tokio::time::Instant::now();
        let waited = tokio::time::timeout(Duration::from_millis(50), blocking).await;
        format!("{} after {} ms", waited.is_err(), start.elapsed().as_millis())
    })
}

/// The probes of this kind.
pub const PROBES: &[Probe] = &[
    Probe::thread("threads::order", "the order of four threads that yield", || order(4, thread::yield_now)).varies(),
    Probe::thread("threads::order_of_sleeps", "the order of three threads that sleep equally long", || {
        order(3, || thread::sleep(Duration::from_millis(1)))
    })
    .varies(),
    Probe::thread("threads::spin", "a thread that yields until another is done", spin),
    Probe::thread("threads::stubborn", "a thread that spins until another is done", stubborn).endless(),
    Probe::thread("threads::barrier", "`Barrier`", barrier).varies(),
    Probe::thread("threads::channel", "`mpsc::sync_channel` with three senders", channel).varies(),
    Probe::thread("threads::read_write", "`RwLock`", read_write).varies(),
    Probe::thread("threads::scope", "`thread::scope`", scoped).varies(),
    Probe::thread("threads::destructors", "the destructors of thread-locals", destructors).varies(),
    Probe::thread("threads::panic", "a panic on a thread", || {
        let ended = thread::spawn(|| assert!(std::hint::black_box(false), "planned")).join();
        format!("{}", ended.is_err())
    }),
    Probe::thread("threads::ids", "the ids of threads", || {
        let id = || thread::spawn(|| format!("{:?}", thread::current().id())).join().expect("it ends");
        format!("{} {}", id(), id())
    }),
    Probe::now("threads::without_turns", "a thread without plain sockets", || {
        text(thread::spawn(|| 1).join().map_err(|_| ()))
    })
    .without_plain_sockets(),
    Probe::task("threads::pool", "`spawn_blocking` of sleeps", pool),
    Probe::task("threads::pool_without_turns", "`spawn_blocking` without plain sockets", || {
        Box::pin(async { text(tokio::task::spawn_blocking(|| 1).await) })
    })
    .without_plain_sockets(),
    Probe::task("threads::handle", "`Handle::block_on` in a blocking task", handle),
    Probe::task("threads::worker", "a worker thread behind a channel", worker),
    Probe::task("threads::timeout", "a timeout around a blocking task", timeout),
    Probe::thread("threads::runtime", "a runtime with threads, and `block_in_place`", runtime),
    Probe::thread("threads::rayon", "`rayon`: a sum and the order of its parts", || {
        use rayon::prelude::*;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("it starts");
        let seen = Mutex::new(Vec::new());
        let sum: u64 = pool.install(|| {
            let parts = (0_u64..24).into_par_iter();
            parts.inspect(|part| seen.lock().expect("no panic").push(*part)).sum()
        });
        format!("{sum} {:?}", seen.into_inner().expect("no panic"))
    }),
    Probe::thread("threads::rayon_global", "`rayon`: its global pool", || {
        use rayon::prelude::*;
        format!("{} {}", (0_u64..100).into_par_iter().sum::<u64>(), rayon::current_num_threads())
    }),
    Probe::thread("threads::crossbeam", "`crossbeam`: a select of two channels", || {
        let (one, first) = crossbeam_channel::unbounded();
        let (other, second) = crossbeam_channel::unbounded();
        (0..8).for_each(|number| {
            one.send(number).expect("it is received");
            other.send(number + 100).expect("it is received");
        });
        let seen: Vec<i32> = (0..16)
            .map(|_| crossbeam_channel::select! { recv(first) -> it => it, recv(second) -> it => it })
            .map(|received| received.expect("there are 16"))
            .collect();
        format!("{seen:?}")
    }),
    Probe::thread("threads::crossbeam_timeout", "`crossbeam`: `recv_timeout` and `after`", || {
        let (_sender, receiver) = crossbeam_channel::unbounded::<u8>();
        let wait = Duration::from_millis(20);
        let received = crate::probe::waited(20, || receiver.recv_timeout(wait).is_err());
        let after = crate::probe::waited(20, || crossbeam_channel::after(wait).recv().is_ok());
        if after.starts_with(WRONG) { after } else { received }
    }),
    Probe::thread("threads::flume", "`flume`: `recv_timeout`", || {
        let (_sender, receiver) = flume::unbounded::<u8>();
        crate::probe::waited(20, || receiver.recv_timeout(Duration::from_millis(20)).is_err())
    }),
    Probe::thread("threads::parking_lot", "`parking_lot`: a lock and a condition", || {
        let (lock, condition) = (parking_lot::Mutex::new(()), parking_lot::Condvar::new());
        crate::probe::waited(20, || condition.wait_for(&mut lock.lock(), Duration::from_millis(20)).timed_out())
    }),
    Probe::thread("threads::parking_lot_order", "`parking_lot`: the order of threads at a lock", || {
        let lock = Arc::new(parking_lot::Mutex::new(0));
        order(3, move || {
            let mut held = lock.lock();
            thread::yield_now();
            *held += 1;
        })
    })
    .varies(),
];

//! Threads of programs: seeds explore who runs next, and what goes wrong between threads is found and named.
#![cfg(target_os = "linux")]
// Locks of C are taken by calling the C library.
#![allow(unsafe_code)]

#[path = "threads/blocking.rs"]
mod blocking;
#[path = "threads/switches.rs"]
mod switches;

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use squall::internal::run::{Detail, Outcome, Run, run};
use squall::prelude::*;
use squall::scenario::Case;
use squall::trace::Event;

/// One host whose threads are the subject.
fn scenario<Fut>(program: impl Fn(HostContext) -> Fut + Send + Sync + 'static) -> Scenario
where
    Fut: Future<Output = io::Result<()>> + 'static,
{
    Scenario::new("threads").host("client", program).plain_sockets().run_for(secs(2)).settle_for(secs(0))
}

/// One run at a time. The standard library has locks that all threads of an operating system's process share, and a thread
/// of one simulation would wait in virtual time for what one of another holds. Outside of tests, a run is alone in its process.
fn alone(scenario: &Scenario, case: &Case) -> Run {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(scenario, case, Detail::Rich)
}

fn outcome(scenario: &Scenario, seed: u64) -> Outcome {
    alone(scenario, &scenario.case(Seed(seed))).outcome
}

/// The seeds below 200 that fail, each seen twice with the same fingerprint.
fn failing(scenario: &Scenario) -> Vec<(u64, Outcome)> {
    let failing: Vec<_> =
        (0..200).map(|seed| (seed, outcome(scenario, seed))).filter(|(_, of)| of.verdict.is_fail()).collect();
    for (seed, first) in failing.iter().take(5) {
        let again = outcome(scenario, *seed);
        assert_eq!((again.fingerprint, &again.verdict), (first.fingerprint, &first.verdict));
    }
    failing
}

/// Runs what may block on a thread of the runtime's pool, as programs should.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// Fails the program unless this is so.
fn hold(is_so: bool, what: &str) -> io::Result<()> {
    if is_so { Ok(()) } else { Err(io::Error::other(what.to_owned())) }
}

/// Two threads that each add one, in two steps with this in between.
fn two_that_add(between: fn()) -> Scenario {
    let program = move |_: HostContext| async move {
        let count = Arc::new(AtomicU64::new(0));
        let add = |count: Arc<AtomicU64>| {
            move || {
                let seen = count.load(Ordering::SeqCst);
                between();
                count.store(seen + 1, Ordering::SeqCst);
            }
        };
        let threads = [0, 1].map(|_| thread::spawn(add(count.clone())));
        on_a_thread(move || threads.map(|thread| thread.join().is_ok())).await?;
        hold(count.load(Ordering::SeqCst) == 2, "an update is lost")
    };
    scenario(program)
}

#[test]
fn a_lost_update_is_found_by_some_seeds_and_not_by_others() {
    let found = failing(&two_that_add(thread::yield_now));
    assert!((20..180).contains(&found.len()), "{} of 200", found.len());
    let text = format!("{:?}", found[0].1.verdict);
    assert!(text.contains("an update is lost"), "{text}");
    // Nothing comes between the steps of a thread that does not wait.
    assert_eq!(failing(&two_that_add(|| ())).len(), 0);
}

/// Takes two locks one after the other, which another thread takes the other way round.
fn take_in_order(first: &Mutex<u32>, second: &Mutex<u32>) {
    let first = first.lock().expect("no thread panics");
    thread::yield_now();
    let second = second.lock().expect("no thread panics");
    drop((first, second));
}

#[test]
fn threads_that_wait_for_each_others_locks_are_named_with_where_they_wait() {
    let program = |_: HostContext| async {
        let locks = Arc::new((Mutex::new(0), Mutex::new(0)));
        let (one, other) = (locks.clone(), locks);
        let threads = [
            thread::spawn(move || take_in_order(&one.0, &one.1)),
            thread::spawn(move || take_in_order(&other.1, &other.0)),
        ];
        on_a_thread(move || threads.map(|thread| thread.join().is_ok())).await.map(drop)
    };
    let found = failing(&scenario(program));
    assert!((20..180).contains(&found.len()), "{} of 200", found.len());
    let [finding] = &found[0].1.findings[..] else { panic!("{:?}", found[0].1.findings) };
    assert_eq!(finding.check, "process");
    let text = format!("{:?}", finding.verdict);
    assert!(text.contains("deadlock on host client at 0s: 2 threads wait for each other's locks: thread 1 "), "{text}");
    let named = text.matches("take_in_order at ./tests/threads.rs:").count();
    assert_eq!(named, 2, "{text}");
}

#[test]
fn threads_that_share_the_locks_of_a_pool_are_no_deadlock() {
    let program = |_: HostContext| async {
        // Of each pair, one thread waits for work and holds the lock for which the other waits.
        let pools = [0, 1].map(|_| {
            let (sender, receiver) = std::sync::mpsc::channel::<u32>();
            let receiver = Arc::new(Mutex::new(receiver));
            let worker = |receiver: Arc<Mutex<std::sync::mpsc::Receiver<u32>>>| {
                move || {
                    while let Ok(work) = { receiver.lock().expect("no thread panics").recv() } {
                        std::hint::black_box(work);
                    }
                }
            };
            (sender, [0, 1].map(|_| thread::spawn(worker(receiver.clone()))))
        });
        tokio::time::sleep(millis(100)).await;
        for (sender, threads) in pools {
            drop(sender);
            on_a_thread(move || threads.map(|thread| thread.join().is_ok())).await?;
        }
        Ok(())
    };
    let scenario = scenario(program);
    for seed in 0..50 {
        let outcome = outcome(&scenario, seed);
        assert!(!outcome.verdict.is_fail(), "{:?}", outcome.findings);
    }
}

#[test]
fn a_lost_wake_up_is_found() {
    let program = |_: HostContext| async {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let (waiter, notifier) = (shared.clone(), shared);
        let waiting = thread::spawn(move || {
            let is_ready = *waiter.0.lock().expect("no thread panics");
            thread::yield_now();
            // Whoever notifies before this is not heard.
            let guard = waiter.0.lock().expect("no thread panics");
            is_ready || !waiter.1.wait_timeout(guard, secs(1)).expect("no thread panics").1.timed_out()
        });
        thread::spawn(move || {
            *notifier.0.lock().expect("no thread panics") = true;
            notifier.1.notify_one();
        });
        let is_heard = on_a_thread(move || waiting.join().is_ok_and(|is_heard| is_heard)).await?;
        hold(is_heard, "a wake-up is lost")
    };
    let found = failing(&scenario(program));
    assert!((20..180).contains(&found.len()), "{} of 200", found.len());
    assert!(format!("{:?}", found[0].1.verdict).contains("a wake-up is lost"));
}

#[test]
fn a_thread_that_yields_until_something_happens_lets_time_pass() {
    let program = |cx: HostContext| async move {
        let is_set = Arc::new(AtomicU64::new(0));
        let (setter, waiter) = (is_set.clone(), is_set);
        thread::spawn(move || {
            thread::sleep(millis(30));
            setter.store(1, Ordering::SeqCst);
        });
        on_a_thread(move || {
            while waiter.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
        })
        .await?;
        hold((millis(30)..millis(33)).contains(&cx.elapsed()), "it took another time")
    };
    let outcome = outcome(&scenario(program), 1);
    assert!(!outcome.verdict.is_fail(), "{:?}", outcome.findings);
}

#[test]
fn the_entropy_of_a_thread_is_its_own_whatever_runs_first() {
    let drawn = |seed: u64| {
        let drawn = Arc::new(Mutex::new(Vec::new()));
        let shared = drawn.clone();
        let program = move |_: HostContext| {
            let shared = shared.clone();
            async move {
                let threads = [0, 1, 2].map(|number| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        thread::yield_now();
                        for _ in 0..2 {
                            let id = uuid::Uuid::new_v4();
                            shared.lock().expect("no thread panics").push((number, id));
                            thread::yield_now();
                        }
                    })
                });
                on_a_thread(move || threads.map(|thread| thread.join().is_ok())).await.map(drop)
            }
        };
        let outcome = outcome(&scenario(program), seed);
        assert!(!outcome.verdict.is_fail(), "{:?}", outcome.findings);
        drawn.lock().expect("no thread panics").clone()
    };
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let all = drawn(seed);
        let distinct: std::collections::BTreeSet<_> = all.iter().map(|(_, id)| id).collect();
        assert_eq!((all.len(), distinct.len()), (6, 6), "{all:?}");
        assert_eq!(all, drawn(seed));
        orders.insert(all.iter().map(|(number, _)| *number).collect::<Vec<_>>());
    }
    assert!(orders.len() > 5, "seeds order the threads in different ways: {orders:?}");
}

#[test]
fn what_a_thread_logs_and_its_panic_are_its_hosts() {
    let program = |_: HostContext| async {
        let thread = thread::spawn(|| {
            thread::sleep(millis(20));
            tracing::info!("said on a thread");
            panic!("on a thread");
        });
        on_a_thread(move || thread.join().is_err()).await.map(drop)
    };
    let scenario = scenario(program);
    let run = alone(&scenario, &scenario.case(Seed(1)));
    let [panic] = &run.outcome.panics[..] else { panic!("{:?}", run.outcome.panics) };
    assert_eq!((panic.host.as_deref(), panic.message.as_str(), panic.at), (Some("client"), "on a thread", millis(20)));
    let logged: Vec<_> = run.trace.records.iter().filter(|record| matches!(record.event, Event::Log { .. })).collect();
    let [line] = &logged[..] else { panic!("{logged:?}") };
    assert_eq!((line.host.map(|host| host.index()), line.at), (Some(0), millis(20)));
    assert!(line.text.as_deref().is_some_and(|text| text.contains("said on a thread")), "{line:?}");
}

/// A mutex and a condition variable of the C library, as C and C++ code uses them.
struct OfC {
    mutex: std::cell::UnsafeCell<libc::pthread_mutex_t>,
    condition: std::cell::UnsafeCell<libc::pthread_cond_t>,
    semaphore: std::cell::UnsafeCell<libc::sem_t>,
    value: std::cell::UnsafeCell<u32>,
}

// SAFETY: the C library's objects are made for several threads, and the mutex protects the value.
unsafe impl Send for OfC {}
// SAFETY: as above.
unsafe impl Sync for OfC {}

impl OfC {
    fn new() -> Arc<OfC> {
        // SAFETY: all zeros is an unlocked mutex, an idle condition and a semaphore of zero.
        Arc::new(unsafe { std::mem::zeroed() })
    }

    fn locked<T>(&self, act: impl FnOnce(&mut u32) -> T) -> T {
        // SAFETY: the mutex is valid, and protects the value.
        unsafe {
            assert_eq!(libc::pthread_mutex_lock(self.mutex.get()), 0);
            let result = act(&mut *self.value.get());
            assert_eq!(libc::pthread_mutex_unlock(self.mutex.get()), 0);
            result
        }
    }
}

/// A time of this clock from now.
fn after(clock: libc::clockid_t, milliseconds: i64) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    let nanos = time.tv_nsec + milliseconds * 1_000_000;
    libc::timespec { tv_sec: time.tv_sec + nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 }
}

#[test]
fn a_mutex_of_c_is_held_by_one_thread_at_a_time() {
    let program = |cx: HostContext| async move {
        let shared = OfC::new();
        let threads = [0, 1, 2].map(|_| {
            let shared = shared.clone();
            thread::spawn(move || {
                for _ in 0..5 {
                    shared.locked(|value| {
                        let seen = *value;
                        thread::sleep(millis(2));
                        *value = seen + 1;
                    });
                }
            })
        });
        on_a_thread(move || threads.map(|thread| thread.join().is_ok())).await?;
        hold(shared.locked(|value| *value) == 15, "an update is lost")?;
        hold(cx.elapsed() == millis(30), &format!("it took {:?}", cx.elapsed()))
    };
    assert_eq!(failing(&scenario(program)).len(), 0);
}

#[test]
fn a_condition_of_c_wakes_and_its_waits_end_by_either_clock() {
    let program = |cx: HostContext| async move {
        let shared = OfC::new();
        let (waiter, context) = (shared.clone(), cx.clone());
        let waited = on_a_thread(move || {
            let (condition, mutex) = (waiter.condition.get(), waiter.mutex.get());
            let started = context.elapsed();
            // SAFETY: the objects are valid, and this thread holds the mutex where it has to.
            let results = unsafe {
                libc::pthread_mutex_lock(mutex);
                let by_wall = libc::pthread_cond_timedwait(condition, mutex, &after(libc::CLOCK_REALTIME, 40));
                let mut attributes: libc::pthread_condattr_t = std::mem::zeroed();
                libc::pthread_condattr_init(&raw mut attributes);
                libc::pthread_condattr_setclock(&raw mut attributes, libc::CLOCK_MONOTONIC);
                libc::pthread_cond_init(condition, &raw const attributes);
                let monotonic = libc::pthread_cond_timedwait(condition, mutex, &after(libc::CLOCK_MONOTONIC, 60));
                let of_semaphore = libc::sem_timedwait(waiter.semaphore.get(), &after(libc::CLOCK_REALTIME, 10));
                libc::pthread_mutex_unlock(mutex);
                [by_wall, monotonic, of_semaphore]
            };
            (results, context.elapsed() - started)
        });
        let (results, took) = waited.await?;
        hold(results == [libc::ETIMEDOUT, libc::ETIMEDOUT, -1], &format!("the waits ended with {results:?}"))?;
        hold((millis(110)..millis(111)).contains(&took), &format!("they took {took:?}"))?;

        let (waiter, poster) = (shared.clone(), shared);
        thread::spawn(move || {
            thread::sleep(millis(20));
            poster.locked(|value| *value = 7);
            // SAFETY: the objects are valid.
            unsafe {
                libc::pthread_cond_signal(poster.condition.get());
                libc::sem_post(poster.semaphore.get());
            }
        });
        let woken = on_a_thread(move || {
            // SAFETY: the objects are valid, and this thread holds the mutex whenever it reads the value.
            unsafe {
                libc::pthread_mutex_lock(waiter.mutex.get());
                while waiter.value.get().read() != 7 {
                    libc::pthread_cond_wait(waiter.condition.get(), waiter.mutex.get());
                }
                libc::pthread_mutex_unlock(waiter.mutex.get());
                libc::sem_wait(waiter.semaphore.get())
            }
        });
        hold(woken.await? == 0, "the semaphore was not posted")
    };
    let found = failing(&scenario(program));
    assert_eq!(found.len(), 0, "{:?}", found.first().map(|(_, outcome)| &outcome.findings));
}

#[test]
fn a_deadlock_among_mutexes_of_c_is_named() {
    fn take(first: &OfC, second: &OfC) {
        first.locked(|_| {
            thread::yield_now();
            second.locked(|value| *value += 1);
        });
    }
    let program = |_: HostContext| async {
        let (one, other) = (OfC::new(), OfC::new());
        let (one_too, other_too) = (one.clone(), other.clone());
        let threads = [thread::spawn(move || take(&one, &other)), thread::spawn(move || take(&other_too, &one_too))];
        on_a_thread(move || threads.map(|thread| thread.join().is_ok())).await.map(drop)
    };
    let found = failing(&scenario(program));
    assert!((20..180).contains(&found.len()), "{} of 200", found.len());
    let text = format!("{:?}", found[0].1.findings);
    assert!(text.contains("deadlock on host client at 0s: 2 threads wait"), "{text}");
    let is_named = |wait: &&str| wait.contains("locked") && wait.contains(" at ./tests/threads.rs:");
    assert_eq!(text.split("waits for a lock in ").skip(1).filter(is_named).count(), 2, "{text}");
}

//! Three planted mistakes between threads. Each must be found within 200 seeds, and its case must replay.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use squall::prelude::*;

/// How many seeds may be needed to find one.
pub const SEEDS: u64 = 200;

/// The scenarios, each with a text of its failure.
pub fn all() -> impl Iterator<Item = (Scenario, &'static str)> {
    let planted: [(&str, fn() -> bool, &str); 3] = [
        ("planted::lost_update", keeps_updates, "something is lost"),
        ("planted::lock_order", takes_locks, "2 threads wait for each other's locks"),
        ("planted::lost_wake_up", is_woken, "something is lost"),
    ];
    planted.into_iter().map(|(name, program, failure)| (scenario(name, program), failure))
}

fn scenario(name: &str, program: fn() -> bool) -> Scenario {
    let host = move |_: HostContext| async move {
        match tokio::task::spawn_blocking(program).await {
            Ok(true) => Ok(()),
            _ => Err(std::io::Error::other("something is lost")),
        }
    };
    Scenario::new(name)
        .host("planted", host)
        .plain_sockets()
        .check(squall::check::Check::new("nothing else", |_: &Trace, _: &History| Verdict::Pass))
        .run_for(secs(2))
        .settle_for(secs(0))
}

fn keeps_updates() -> bool {
    let count = Arc::new(AtomicU64::new(0));
    let threads = [0, 1].map(|_| {
        let count = count.clone();
        thread::spawn(move || {
            let seen = count.load(Ordering::SeqCst);
            thread::yield_now();
            count.store(seen + 1, Ordering::SeqCst);
        })
    });
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    count.load(Ordering::SeqCst) == 2
}

fn takes_locks() -> bool {
    let locks = Arc::new((Mutex::new(()), Mutex::new(())));
    let take = |first: &Mutex<()>, second: &Mutex<()>| {
        let first = first.lock().expect("no panic");
        thread::yield_now();
        drop((first, second.lock().expect("no panic")));
    };
    let (one, other) = (locks.clone(), locks);
    let threads = [thread::spawn(move || take(&one.0, &one.1)), thread::spawn(move || take(&other.1, &other.0))];
    threads.into_iter().all(|thread| thread.join().is_ok())
}

/// One thread waits for what the other may have said before, as it looks before it takes the lock.
fn is_woken() -> bool {
    let shared = Arc::new((Mutex::new(()), Condvar::new(), AtomicU64::new(0)));
    let (waiter, notifier) = (shared.clone(), shared);
    let waits = thread::spawn(move || {
        let is_said = waiter.2.load(Ordering::SeqCst) != 0;
        thread::yield_now();
        let held = waiter.0.lock().expect("no panic");
        is_said || !waiter.1.wait_timeout(held, secs(1)).expect("no panic").1.timed_out()
    });
    let notifies = thread::spawn(move || {
        notifier.2.store(1, Ordering::SeqCst);
        notifier.1.notify_all();
    });
    notifies.join().is_ok() && waits.join().is_ok_and(|is_woken| is_woken)
}

//! Crates that take the time, entropy or facts of the machine, or an order that nobody promises.

use std::hash::BuildHasher;
use std::num::NonZeroU32;
use std::time::Duration;

use rand_0_8::Rng as _;
use rand_0_10::RngExt as _;

use crate::probe::{Probe, WRONG};

/// Waits for a rate limiter by looking again and again.
fn limited() -> String {
    let quota = governor::Quota::per_second(NonZeroU32::new(1_000).expect("it is not 0")).allow_burst(NonZeroU32::MIN);
    let limiter = governor::RateLimiter::direct(quota);
    let mut refused = 0_u64;
    for _ in 0..3 {
        while limiter.check().is_err() {
            refused += 1;
        }
    }
    format!("{refused} refused")
}

fn selected() -> crate::probe::Task {
    Box::pin(async {
        let mut seen = String::new();
        for _ in 0..24 {
            let (mut one, mut other) = (futures::future::ready('a'), futures::future::ready('b'));
            seen.push(futures::select! { it = one => it, it = other => it });
        }
        seen
    })
}

fn selected_by_tokio() -> crate::probe::Task {
    Box::pin(async {
        let mut seen = String::new();
        for _ in 0..24 {
            seen.push(tokio::select! { () = async {} => 'a', () = async {} => 'b' });
        }
        seen
    })
}

fn keys<'a>(keys: impl Iterator<Item = &'a u32>) -> String {
    format!("{:?}", keys.collect::<Vec<_>>())
}

/// The probes of this kind.
pub const PROBES: &[Probe] = &[
    Probe::now("crates::ahash", "`ahash`", || format!("{:x}", ahash::RandomState::new().hash_one(7))).varies(),
    Probe::now("crates::foldhash", "`foldhash`", || {
        format!("{:x}", foldhash::fast::RandomState::default().hash_one(7))
    })
    .varies(),
    Probe::now("crates::hashbrown", "the order of a `hashbrown` map", || {
        let map: hashbrown::HashMap<u32, ()> = (0..12).map(|key| (key, ())).collect();
        keys(map.keys())
    })
    .varies(),
    Probe::now("crates::indexmap", "the order of an `indexmap`", || {
        let map: indexmap::IndexMap<u32, ()> = (0..12).rev().map(|key| (key, ())).collect();
        keys(map.keys())
    }),
    Probe::now("crates::dashmap", "the order of a `dashmap`", || {
        let map: dashmap::DashMap<u32, ()> = (0..12).map(|key| (key, ())).collect();
        format!("{:?}", map.iter().map(|entry| *entry.key()).collect::<Vec<_>>())
    })
    .varies(),
    Probe::now("crates::fastrand", "`fastrand`", || format!("{}", fastrand::u64(..))).varies(),
    Probe::thread("crates::fastrand_on_thread", "`fastrand` on a thread", || format!("{}", fastrand::u64(..))).varies(),
    Probe::now("crates::rand_0_8", "`rand` 0.8", || format!("{}", rand_0_8::thread_rng().r#gen::<u64>())).varies(),
    Probe::now("crates::rand_0_9", "`rand` 0.9", || format!("{}", rand_0_9::random::<u64>())).varies(),
    Probe::now("crates::rand_0_10", "`rand` 0.10", || format!("{}", rand_0_10::rng().random::<u64>())).varies(),
    Probe::now("crates::getrandom_0_2", "`getrandom` 0.2", || {
        let mut bytes = [0; 8];
        format!("{:?} {bytes:02x?}", getrandom_0_2::getrandom(&mut bytes).map(|()| bytes))
    })
    .varies(),
    Probe::now("crates::getrandom_0_3", "`getrandom` 0.3", || format!("{:?}", getrandom_0_3::u64())).varies(),
    Probe::now("crates::uuid_v4", "`Uuid::new_v4`", || uuid::Uuid::new_v4().to_string()).varies(),
    Probe::now("crates::uuid_v7", "`Uuid::now_v7`", || uuid::Uuid::now_v7().to_string()).varies(),
    Probe::now("crates::ulid", "`Ulid::new`", || ulid::Ulid::new().to_string()).varies(),
    Probe::now("crates::tempfile", "a name of the `tempfile` crate", || {
        crate::probe::text(tempfile::Builder::new().make(|path| Ok(path.to_owned())).map(|file| file.path().to_owned()))
    })
    .varies(),
    Probe::now("crates::chrono", "`chrono`", || format!("{} {}", chrono::Utc::now(), chrono::Local::now())),
    Probe::now("crates::jiff", "`jiff`", || format!("{} {}", jiff::Timestamp::now(), jiff::Zoned::now())),
    Probe::now("crates::time", "`time`", || format!("{}", time::OffsetDateTime::now_utc())),
    Probe::now("crates::quanta", "`quanta`", || {
        let (clock, start) = (quanta::Clock::new(), std::time::Instant::now());
        let first = clock.now();
        std::thread::sleep(Duration::from_millis(20));
        let (counted, passed) = (clock.now() - first, start.elapsed());
        match counted.abs_diff(passed) < Duration::from_millis(1) {
            true => format!("{counted:?}"),
            false => format!("{WRONG}: {counted:?} instead of {passed:?}"),
        }
    }),
    Probe::now("crates::minstant", "`minstant`", || {
        let (first, start) = (minstant::Instant::now(), std::time::Instant::now());
        std::thread::sleep(Duration::from_millis(20));
        let (counted, passed) = (first.elapsed(), start.elapsed());
        match counted.abs_diff(passed) < Duration::from_millis(1) {
            true => format!("{counted:?}"),
            false => format!("{WRONG}: {counted:?} instead of {passed:?}"),
        }
    }),
    Probe::now("crates::governor", "`governor`, asked again and again", limited),
    Probe::now("crates::backoff", "`crossbeam`'s back-off", || {
        let backoff = crossbeam_utils::Backoff::new();
        let mut rounds = 0;
        while !backoff.is_completed() {
            backoff.snooze();
            rounds += 1;
        }
        format!("{rounds} rounds")
    }),
    Probe::now("crates::arc_swap", "`arc-swap`", || {
        let swap = arc_swap::ArcSwap::from_pointee(1);
        swap.store(std::sync::Arc::new(2));
        format!("{}", swap.load())
    }),
    Probe::task("crates::futures_select", "`futures::select!`, which starts alike in every real process", selected),
    Probe::task("crates::tokio_select", "`tokio::select!`", selected_by_tokio).varies(),
];

//! A server and a client that exchange values from every source of randomness while the server is killed and loses
//! power.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt;
use squall::check::Check;
use squall::fault::{Fault, FaultKind, Target, Trigger, kinds};
use squall::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// State that one life leaves to the next in the same process: the order in which its tasks were dropped.
static LEFT_BEHIND: AtomicU64 = AtomicU64::new(0);

struct RecordsDrop(u64);

impl Drop for RecordsDrop {
    fn drop(&mut self) {
        let before = LEFT_BEHIND.load(Ordering::Relaxed);
        LEFT_BEHIND.store(before.wrapping_mul(31).wrapping_add(self.0), Ordering::Relaxed);
    }
}

/// Appends random values that depend on neither addresses nor process state.
fn write_random_values(values: &mut String) {
    use rand_0_8::Rng as _;
    use rand_0_9::Rng as _;
    use rand_0_10::RngExt as _;
    let map: HashMap<u32, u32> = (0..16).map(|n| (n, n)).collect();
    let order: Vec<u32> = map.keys().copied().collect();
    let _ = write!(values, "{order:?} ");
    let (a, b, c): (u32, u32, u32) =
        (rand_0_8::thread_rng().r#gen(), rand_0_9::rng().random(), rand_0_10::rng().random());
    let _ = write!(values, "{a} {b} {c} {} ", uuid::Uuid::new_v4());
    let _ = write!(values, "{} {} ", chrono::Utc::now(), jiff::Timestamp::now());
    let _ = write!(values, "{:?} ", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH));
    let started = Instant::now();
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let waited = receiver.recv_timeout(Duration::from_millis(3));
    let _ = write!(values, "{waited:?} {:?} ", started.elapsed());
}

/// Appends random values that depend on addresses or process state.
fn write_address_dependent_values(values: &mut String) {
    let map: dashmap::DashMap<u32, u32> = (0..16).map(|n| (n, n)).collect();
    let order: Vec<u32> = map.iter().map(|entry| *entry.key()).collect();
    let hashes = ahash::RandomState::new().hash_one(7_u32);
    let _ = write!(values, "{order:?} {hashes} {} {} ", fastrand::u64(..), uuid::Uuid::now_v7());
    let _ = write!(values, "{:p} {} ", Box::new(1), LEFT_BEHIND.load(Ordering::Relaxed));
}

async fn write_select_choices(values: &mut String, with_addresses: bool) {
    for _ in 0..4 {
        let tokio_choice = tokio::select! { () = async {} => 1, () = async {} => 2, () = async {} => 3 };
        let _ = write!(values, "{tokio_choice} ");
        if with_addresses {
            let (mut a, mut b) = (async {}.boxed().fuse(), async {}.boxed().fuse());
            let futures_choice = futures::select! { () = a => 1, () = b => 2 };
            let _ = write!(values, "{futures_choice} ");
        }
    }
}

async fn gather(with_addresses: bool) -> String {
    let mut values = String::new();
    write_random_values(&mut values);
    if with_addresses {
        write_address_dependent_values(&mut values);
    }
    write_select_choices(&mut values, with_addresses).await;
    values
}

async fn serve(cx: HostContext, with_addresses: bool) -> io::Result<()> {
    for number in 0..5 {
        let on_drop = RecordsDrop(number);
        tokio::spawn(async move {
            let _on_drop = on_drop;
            std::future::pending::<()>().await;
        });
    }
    let listener = cx.listener(80);
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok(1..) = stream.read(&mut buffer).await {
                let values = gather(with_addresses).await;
                if stream.write_all(values.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn ask(cx: HostContext, with_addresses: bool) {
    for number in 0..30 {
        let values = gather(with_addresses).await;
        if let Ok(Ok(answer)) = tokio::time::timeout(secs(1), exchange(&cx, &values)).await {
            cx.recorder().note(&format!("answer {number}"), &String::from_utf8_lossy(&answer));
        }
        tokio::time::sleep(millis(rand_0_9::random_range(50..300))).await;
    }
}

async fn exchange(cx: &HostContext, values: &str) -> io::Result<Vec<u8>> {
    let mut stream = cx.connector().connect("server", 80).await?;
    stream.write_all(values.as_bytes()).await?;
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).await?;
    answer.truncate(length);
    Ok(answer)
}

fn at(kind: impl Into<FaultKind>, from: Duration, lasting: Duration) -> Fault {
    Fault {
        trigger: Trigger::At(from),
        kind: kind.into(),
        target: Target::Hosts("server".into()),
        lasting,
        generator: String::new(),
    }
}

fn under_crashes(name: &str, with_addresses: bool) -> Scenario {
    let faults = vec![
        at(kinds::Kill {}, secs(2), millis(700)),
        at(kinds::PowerOff {}, secs(4), millis(900)),
        at(kinds::Kill {}, secs(6), millis(300)),
        fault::power_off("server").at_nth_message("server", "client", "", 12).lasting(millis(200)),
        fault::kill("server").at_nth_event("client", "answer 15", 1).lasting(millis(200)),
    ];
    Scenario::new(name)
        .host("server", move |cx| serve(cx, with_addresses))
        .host("client", move |cx| ask(cx, with_addresses))
        .fault(fault::scripted("script", faults))
        .fault(fault::loss(0.1, "client", "server").throughout())
        // The tests only compare fingerprints, so the check accepts every run.
        .check(Check::new("always passes", |_, _| Verdict::Pass))
        .run_for(secs(10))
        .settle_for(secs(2))
}

/// Uses every source of randomness.
#[allow(dead_code)]
pub fn scenario() -> Scenario {
    under_crashes("everything", true)
}

/// Uses only the sources that depend on neither addresses nor process state.
#[allow(dead_code)]
pub fn without_addresses() -> Scenario {
    under_crashes("without_addresses", false)
}

/// Uses every source of randomness, with a check that always fails, so that every case is saved.
pub fn broken() -> Scenario {
    under_crashes("broken", true).check(Check::new("always fails", |_, _| Verdict::fail("this check always fails")))
}

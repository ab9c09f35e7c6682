//! A server and a client that exchange all that chance can give them, while the server is killed and loses power.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt;
use squall::fault::{Fault, FaultKind, Target, Trigger, kinds};
use squall::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What one life leaves to the next in the same process: the order in which its tasks were dropped.
static LEFT_BEHIND: AtomicU64 = AtomicU64::new(0);

struct Leaves(u64);

impl Drop for Leaves {
    fn drop(&mut self) {
        let before = LEFT_BEHIND.load(Ordering::Relaxed);
        LEFT_BEHIND.store(before.wrapping_mul(31).wrapping_add(self.0), Ordering::Relaxed);
    }
}

/// Chance that does not come from addresses or from state of the process.
fn chances(words: &mut String) {
    use rand_0_8::Rng as _;
    use rand_0_9::Rng as _;
    use rand_0_10::RngExt as _;
    let map: HashMap<u32, u32> = (0..16).map(|n| (n, n)).collect();
    let order: Vec<u32> = map.keys().copied().collect();
    let _ = write!(words, "{order:?} ");
    let (a, b, c): (u32, u32, u32) =
        (rand_0_8::thread_rng().r#gen(), rand_0_9::rng().random(), rand_0_10::rng().random());
    let _ = write!(words, "{a} {b} {c} {} ", uuid::Uuid::new_v4());
    let _ = write!(words, "{} {} ", chrono::Utc::now(), jiff::Timestamp::now());
    let _ = write!(words, "{:?} ", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH));
    let started = Instant::now();
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let waited = receiver.recv_timeout(Duration::from_millis(3));
    let _ = write!(words, "{waited:?} {:?} ", started.elapsed());
}

/// Chance that comes from addresses or from state of the process.
fn deep_chances(words: &mut String) {
    let map: dashmap::DashMap<u32, u32> = (0..16).map(|n| (n, n)).collect();
    let order: Vec<u32> = map.iter().map(|entry| *entry.key()).collect();
    let hashes = ahash::RandomState::new().hash_one(7_u32);
    let _ = write!(words, "{order:?} {hashes} {} {} ", fastrand::u64(..), uuid::Uuid::now_v7());
    let _ = write!(words, "{:p} {} ", Box::new(1), LEFT_BEHIND.load(Ordering::Relaxed));
}

async fn selects(words: &mut String, deep: bool) {
    for _ in 0..4 {
        let tokio_chose = tokio::select! { () = async {} => 1, () = async {} => 2, () = async {} => 3 };
        let _ = write!(words, "{tokio_chose} ");
        if deep {
            let (mut a, mut b) = (async {}.boxed().fuse(), async {}.boxed().fuse());
            let futures_chose = futures::select! { () = a => 1, () = b => 2 };
            let _ = write!(words, "{futures_chose} ");
        }
    }
}

async fn gather(deep: bool) -> String {
    let mut words = String::new();
    chances(&mut words);
    if deep {
        deep_chances(&mut words);
    }
    selects(&mut words, deep).await;
    words
}

async fn serve(cx: HostContext, deep: bool) -> io::Result<()> {
    for number in 0..5 {
        let leaves = Leaves(number);
        tokio::spawn(async move {
            let _leaves = leaves;
            std::future::pending::<()>().await;
        });
    }
    let mut listener = cx.listener(80);
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            while let Ok(1..) = stream.read(&mut buffer).await {
                let words = gather(deep).await;
                if stream.write_all(words.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

async fn ask(cx: HostContext, deep: bool) {
    for number in 0..30 {
        let words = gather(deep).await;
        if let Ok(Ok(answer)) = tokio::time::timeout(secs(1), exchange(&cx, &words)).await {
            cx.recorder().note(&format!("answer {number}"), &String::from_utf8_lossy(&answer));
        }
        tokio::time::sleep(millis(rand_0_9::random_range(50..300))).await;
    }
}

async fn exchange(cx: &HostContext, words: &str) -> io::Result<Vec<u8>> {
    let mut stream = cx.connector().connect("server", 80).await?;
    stream.write_all(words.as_bytes()).await?;
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

fn torn(name: &str, deep: bool) -> Scenario {
    let faults = vec![
        at(kinds::Kill {}, secs(2), millis(700)),
        at(kinds::PowerOff {}, secs(4), millis(900)),
        at(kinds::Kill {}, secs(6), millis(300)),
        fault::power_off("server").at_nth_message("server", "client", "", 12).lasting(millis(200)),
        fault::kill("server").at_nth_event("client", "answer 15", 1).lasting(millis(200)),
    ];
    Scenario::new(name)
        .host("server", move |cx| serve(cx, deep))
        .host("client", move |cx| ask(cx, deep))
        .fault(fault::scripted("script", faults))
        .fault(fault::loss(0.1, "client", "server").throughout())
        // Only whether its runs are the same matters here.
        .check(Check::new("nothing", |_, _| Verdict::Pass))
        .run_for(secs(10))
        .settle_for(secs(2))
}

/// All generators of chance.
#[allow(dead_code)]
pub fn scenario() -> Scenario {
    torn("everything", true)
}

/// Those alone that come neither from addresses nor from state of the process.
#[allow(dead_code)]
pub fn without_addresses() -> Scenario {
    torn("without_addresses", false)
}

/// All generators of chance, and a check that always fails, so that every case is saved.
pub fn broken() -> Scenario {
    torn("broken", true).check(Check::new("nothing pleases", |_, _| Verdict::Fail("as always".to_owned())))
}

//! Small scenarios, one for each way in which a run can end.

use std::io;
use std::time::{Duration, Instant};

use squall::check::{Check, CountedVerdict};
use squall::history::Completion;
use squall::prelude::*;
use squall::scenario::RunLimits;
use squall::trace::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::echo::send_back;

/// All scenarios of the first table.
pub const SCENARIOS: [fn() -> Scenario; 23] = [
    echo,
    fragile,
    panics,
    aborts,
    overflows,
    hoards,
    exits,
    spins,
    yields,
    computes,
    plods,
    crowd,
    day,
    differs,
    unknown,
    unexercised,
    idle,
    sometimes,
    drifts,
    misspelt,
    careless,
    crate::sweeps::ledger,
    crate::sweeps::hasty,
];

async fn serve(cx: HostContext) -> io::Result<()> {
    let listener = cx.listener(80);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(send_back(stream));
    }
}

async fn ask(cx: &HostContext, number: u8) -> io::Result<u8> {
    let mut stream = cx.connector().connect("server", 80).await?;
    stream.write_all(&[number]).await?;
    stream.read_u8().await
}

/// Asks until there is an answer.
pub async fn ask_patiently(cx: HostContext, numbers: Vec<u8>) {
    for number in numbers {
        let operation = cx.recorder().invoke("ask", &number);
        let answer = loop {
            if let Ok(answer) = ask(&cx, number).await {
                break answer;
            }
            tokio::time::sleep(millis(100)).await;
        };
        operation.ok(&answer);
    }
}

/// Asks each number once, whether an answer comes or not.
pub async fn ask_once(cx: HostContext, numbers: Vec<u8>) {
    for number in numbers {
        let operation = cx.recorder().invoke("ask", &number);
        match ask(&cx, number).await {
            Ok(answer) => operation.ok(&answer),
            Err(error) => operation.fail(error),
        }
        tokio::time::sleep(millis(300)).await;
    }
}

pub fn every_answer_comes(_: &Trace, history: &History) -> Verdict {
    let wrong = history.operations.iter().find(
        |operation| !matches!(&operation.completed, Some((_, Completion::Ok(answer))) if *answer == operation.input),
    );
    match wrong {
        None => Verdict::Pass,
        Some(operation) => {
            Verdict::fail(format!("no answer to {}: {:?}", operation.input, operation.completed)).of(operation)
        }
    }
}

/// The check of scenarios for which only the end of the process matters.
pub fn nothing_is_promised(_: &Trace, _: &History) -> Verdict {
    Verdict::Pass
}

pub fn numbers() -> impl proptest::strategy::Strategy<Value = Vec<u8>> + Send + Sync {
    proptest::collection::vec(proptest::num::u8::ANY, 5..8)
}

pub fn small(name: &str) -> Scenario {
    Scenario::new(name).host("server", serve).run_for(secs(6)).settle_for(secs(4))
}

fn echo() -> Scenario {
    small("echo")
        .clients("client", 2, numbers(), ask_patiently)
        .fault(fault::kill("server").every(secs(1)..secs(4)).lasting(millis(100)..secs(1)))
        .fault(fault::loss(0.2, "client", "server").throughout())
        .check(every_answer_comes)
}

fn fragile() -> Scenario {
    small("fragile")
        .clients("client", 1, numbers(), ask_once)
        .fault(fault::kill("server").once(secs(1)..secs(6)).lasting(millis(100)..millis(500)))
        .check(every_answer_comes)
}

/// A server that calls `action` when it is asked certain numbers, which only some seeds draw.
fn on_request(name: &str, action: fn()) -> Scenario {
    Scenario::new(name)
        .host("server", move |cx| async move {
            let listener = cx.listener(80);
            loop {
                let (mut stream, _) = listener.accept().await?;
                tokio::spawn(async move {
                    let number = stream.read_u8().await.unwrap_or(0);
                    if number < 32 && number != 0 {
                        action();
                        endless().await;
                    }
                    let _ = stream.write_u8(number).await;
                });
            }
            #[allow(unreachable_code)]
            io::Result::Ok(())
        })
        .clients("client", 1, numbers(), ask_once)
        .check(nothing_is_promised)
        .limits(RunLimits { memory_bytes: 256 << 20, ..RunLimits::default() })
        .run_for(secs(6))
        .settle_for(secs(4))
}

thread_local! {
    static IS_ENDLESS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

async fn endless() {
    while IS_ENDLESS.get() {
        tokio::task::yield_now().await;
    }
}

fn panics() -> Scenario {
    on_request("panics", || panic!("I cannot bear this number"))
}

fn aborts() -> Scenario {
    on_request("aborts", || std::process::abort())
}

fn overflows() -> Scenario {
    #[allow(unconditional_recursion)]
    fn deeper(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 64]);
        deeper(depth + 1) + room[7]
    }
    on_request("overflows", || {
        std::hint::black_box(deeper(0));
    })
}

fn hoards() -> Scenario {
    on_request("hoards", || {
        let mut hoard = Vec::new();
        loop {
            hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
    })
}

fn exits() -> Scenario {
    on_request("exits", || std::process::exit(0))
}

fn spins() -> Scenario {
    on_request("spins", || {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(1) {}
    })
}

fn computes() -> Scenario {
    on_request("computes", || {
        loop {
            std::hint::black_box(0);
        }
    })
}

/// Needs far more CPU time than its virtual time should take, while that time moves.
fn plods() -> Scenario {
    on_request("plods", || {
        tokio::spawn(async {
            loop {
                let mut number = 0_u64;
                (0..10_000_000).for_each(|step| number = std::hint::black_box(number.wrapping_add(step)));
                tokio::time::sleep(millis(10)).await;
            }
        });
    })
}

/// Hosts that do nothing.
fn crowd() -> Scenario {
    let crowd = small("crowd").check(nothing_is_promised);
    (0..24).fold(crowd, |crowd, number| {
        crowd.host(&format!("idle-{number}"), |_| std::future::pending::<std::io::Result<()>>())
    })
}

/// A simulated day of two hosts that do little.
fn day() -> Scenario {
    let beat = |_| async {
        loop {
            tokio::time::sleep(secs(60)).await;
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    };
    Scenario::new("day")
        .host("first", beat)
        .host("second", beat)
        .latency(millis(500)..millis(500))
        .step(millis(500))
        .check(nothing_is_promised)
        .run_for(secs(24 * 60 * 60))
}

fn yields() -> Scenario {
    on_request("yields", || IS_ENDLESS.set(true))
}

/// A program that reads something that the sandbox does not simulate.
fn differs() -> Scenario {
    Scenario::new("differs")
        .host("server", |cx| async move {
            let output = std::process::Command::new("/bin/sh").args(["-c", "echo $$"]).output();
            cx.recorder().note("process", &format!("{:?}", output.map(|output| output.stdout)));
        })
        .check(nothing_is_promised)
        .run_for(secs(1))
        .settle_for(secs(1))
}

fn unknown() -> Scenario {
    small("unknown").check(Check::new("nobody looks", |_, _| Verdict::Unknown("nobody looked".to_owned())))
}

/// One check that is about every run, and one that is about none.
fn unexercised() -> Scenario {
    small("unexercised")
        .check(nothing_is_promised)
        .check(Check::new("nothing crashes twice", |_, _| CountedVerdict::not_applicable()))
        .seeds(6)
}

fn idle() -> Scenario {
    small("idle")
        .clients("client", 1, numbers(), ask_patiently)
        .host("bystander", |_| async { std::future::pending::<()>().await })
        .fault(fault::partition("server", "bystander").once(secs(1)..secs(2)))
        .check(nothing_is_promised)
}

/// Waits for an event that never happens.
fn misspelt() -> Scenario {
    small("misspelt").fault(fault::kill("server").at_event("server", "misspelt")).check(nothing_is_promised)
}

fn somebody_was_answered(_: &Trace, history: &History) -> bool {
    history.operations.iter().any(|operation| operation.is_ok())
}

/// One situation that every run reaches, and one that none does.
fn sometimes() -> Scenario {
    Scenario::new("sometimes")
        .host("server", |cx| async move {
            greet(&cx);
            serve(cx).await
        })
        .run_for(secs(6))
        .settle_for(secs(4))
        .clients("client", 1, numbers(), ask_patiently)
        .sometimes("somebody was answered", somebody_was_answered)
        .sometimes("the server was killed", |trace, _| trace.records.iter().any(|r| r.event == Event::Killed))
        .seeds(6)
}

/// The function that a debugger must show in its backtrace.
#[inline(never)]
fn greet(cx: &HostContext) {
    cx.recorder().note("greeting", "hello");
}

/// The file that holds the tick from which on `drifts` behaves differently.
pub const DRIFT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/cli/drift");

/// A program that reads its behaviour from a real file, so that a test can change it as if its code had changed.
fn drifts() -> Scenario {
    Scenario::new("drifts")
        .host("server", |cx| async move {
            let from: u32 = std::fs::read_to_string(DRIFT).ok().and_then(|text| text.parse().ok()).unwrap_or(u32::MAX);
            for tick in 0..200 {
                let detail = if tick < from { "as before" } else { "drifted" };
                cx.recorder().note(&format!("tick {tick}"), detail);
                tokio::time::sleep(millis(10)).await;
            }
        })
        .allow_escape("real-file")
        .check(Check::new("nobody is content", |_, _| Verdict::fail("never content")))
        .run_for(secs(2))
        .settle_for(secs(1))
}

/// A check that expects what is not there.
fn careless() -> Scenario {
    small("careless").check(Check::new("the first answer is right", |_: &Trace, history: &History| {
        let first = history.named("nothing is called so").next().expect("somebody asked");
        if first.is_ok() { Verdict::Pass } else { Verdict::fail("it is wrong").of(first) }
    }))
}

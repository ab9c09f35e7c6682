//! Small systems, each of which fails in a different way.

use std::io;

use proptest::strategy::{Just, Strategy};
use squall::history::Completion;
use squall::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn serve(cx: HostContext) -> io::Result<()> {
    let listener = cx.listener(80);
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            while let Ok(byte) = stream.read_u8().await
                && stream.write_u8(byte).await.is_ok()
            {}
        });
    }
}

async fn ask(cx: &HostContext, server: &str, number: u8) -> io::Result<u8> {
    let mut stream = cx.connector().connect(server, 80).await?;
    stream.write_u8(number).await?;
    stream.read_u8().await
}

/// Asks every 300 ms of the run, whether the question before was answered or not.
async fn ask_in_time(cx: HostContext, numbers: Vec<(u64, u8)>) {
    for (at_ms, number) in numbers {
        tokio::time::sleep(millis(at_ms).saturating_sub(cx.elapsed())).await;
        let operation = cx.recorder().invoke("ask", &number);
        match ask(&cx, "server", number).await {
            Ok(answer) => operation.ok(&answer),
            Err(error) => operation.fail(error),
        }
    }
}

fn numbers() -> impl Strategy<Value = Vec<(u64, u8)>> + Send + Sync {
    proptest::collection::vec(proptest::num::u8::ANY, 12..=12)
        .prop_map(|numbers| (0..).map(|index| 300 * index).zip(numbers).collect())
}

fn every_answer_comes(_: &Trace, history: &History) -> Verdict {
    let is_wrong = |operation: &&squall::history::Operation| !operation.is_ok();
    match history.operations.iter().find(is_wrong) {
        None => Verdict::Pass,
        Some(operation) => {
            let at = squall::fault::duration_text(operation.invoked_at);
            Verdict::fail(format!("nobody answered {}, which was asked at {at}", operation.input)).of(operation)
        }
    }
}

fn answers_are_quick(_: &Trace, history: &History) -> Verdict {
    for operation in &history.operations {
        if let Some((at, Completion::Ok(_))) = &operation.completed
            && *at - operation.invoked_at > millis(250)
        {
            let text = squall::fault::duration_text;
            let took = text(*at - operation.invoked_at);
            // The text alone says nothing about the moment, whatever times it names.
            let why = format!("{} was answered after {took}, at {}", operation.input, text(*at));
            return Verdict::fail(why).at(operation.invoked_at + millis(250)).of(operation);
        }
    }
    Verdict::Pass
}

fn small(name: &str) -> Scenario {
    Scenario::new(name).latency(millis(20)..millis(20)).run_for(secs(6)).settle_for(secs(4))
}

/// A client that gives up on a question that is refused.
pub fn refused() -> Scenario {
    small("refused")
        .host("server", serve)
        .clients("client", 2, numbers(), ask_in_time)
        .fault(fault::kill("server").every(secs(1)..secs(2)).lasting(millis(100)..millis(500)))
        .check(every_answer_comes)
}

/// A promise that one lost segment breaks.
pub fn slow() -> Scenario {
    small("slow")
        .host("server", serve)
        .clients("client", 2, numbers(), ask_in_time)
        .fault(fault::loss(0.2, "client", "server").throughout())
        .check(answers_are_quick)
}

/// A client with two servers, one of which must answer: it takes two faults at a time to break the promise.
pub fn both() -> Scenario {
    small("both")
        .hosts("server", 2, serve)
        .clients("client", 1, numbers(), |cx: HostContext, numbers: Vec<(u64, u8)>| async move {
            for (at_ms, number) in numbers {
                tokio::time::sleep(millis(at_ms).saturating_sub(cx.elapsed())).await;
                let operation = cx.recorder().invoke("ask", &number);
                let first = ask(&cx, "server-1", number).await;
                let answer = if first.is_ok() { first } else { ask(&cx, "server-2", number).await };
                match answer {
                    Ok(answer) => operation.ok(&answer),
                    Err(error) => operation.fail(error),
                }
            }
        })
        .fault(fault::kill("server-1").every(millis(200)..secs(1)).lasting(millis(300)..millis(600)))
        .fault(fault::power_off("server-2").every(millis(200)..secs(1)).lasting(millis(300)..millis(600)))
        .check(every_answer_comes)
}

/// A promise that is broken without any fault.
pub fn hopeless() -> Scenario {
    small("hopeless")
        .host("server", |cx: HostContext| async move {
            let listener = cx.listener(80);
            loop {
                drop(listener.accept().await?);
            }
            #[allow(unreachable_code)]
            io::Result::Ok(())
        })
        .clients("client", 1, numbers(), ask_in_time)
        .fault(fault::kill("server").once(secs(1)..secs(2)).lasting(millis(100)..millis(200)))
        .check(every_answer_comes)
}

/// A server that calls `action` when a client asks again after a crash.
fn on_request(name: &str, action: fn()) -> Scenario {
    small(name)
        .host("server", move |cx: HostContext| async move {
            let listener = cx.listener(80);
            let is_first_life = cx.life() == 0;
            loop {
                let (mut stream, _) = listener.accept().await?;
                tokio::spawn(async move {
                    if !is_first_life {
                        tracing::info!("a question after a crash");
                        action();
                    }
                    if let Ok(byte) = stream.read_u8().await {
                        let _ = stream.write_u8(byte).await;
                    }
                });
            }
            #[allow(unreachable_code)]
            io::Result::Ok(())
        })
        .clients("client", 1, numbers(), ask_in_time)
        .fault(fault::kill("server").every(secs(1)..secs(2)).lasting(millis(100)..millis(200)))
}

/// A task that panics.
pub fn panics() -> Scenario {
    on_request("panics", || panic!("no more answers")).check(nothing_is_promised)
}

/// A process that aborts.
pub fn aborts() -> Scenario {
    on_request("aborts", || {
        eprintln!("this cannot go on");
        std::process::abort()
    })
    .check(nothing_is_promised)
}

/// A program that waits in a loop for a clock that stands still.
pub fn spins() -> Scenario {
    on_request("spins", || {
        let start = std::time::Instant::now();
        while start.elapsed() < secs(1) {}
    })
    .check(nothing_is_promised)
}

/// A client whose input is not a list, and whose program fails.
pub fn fails() -> Scenario {
    small("fails")
        .host("server", serve)
        .clients("client", 1, Just(7_u8), |cx: HostContext, number: u8| async move {
            loop {
                ask(&cx, "server", number).await?;
                tokio::time::sleep(millis(200)).await;
            }
            #[allow(unreachable_code)]
            io::Result::Ok(())
        })
        .fault(fault::kill("server").every(secs(1)..secs(2)).lasting(millis(100)..millis(200)))
        .check(nothing_is_promised)
}

/// The check of scenarios for which only the end of the run matters.
fn nothing_is_promised(_: &Trace, _: &History) -> Verdict {
    Verdict::Pass
}

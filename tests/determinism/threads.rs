//! A server and its clients with sockets of their own, tokio's and the standard library's, on tasks and on threads, while
//! the server is killed and loses power. What threads see and in which order they run is noted in the trace.

use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use squall::check::Check;
use squall::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn serve(_: HostContext) -> io::Result<()> {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                let answer = tokio::task::spawn_blocking(move || {
                    std::thread::sleep(Duration::from_millis(3));
                    format!("{} {}", length, uuid::Uuid::new_v4())
                });
                let Ok(answer) = answer.await else { return };
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Asks from a task, by name.
async fn ask(cx: HostContext) -> io::Result<()> {
    loop {
        let attempt = async {
            let mut stream = tokio::net::TcpStream::connect("server:80").await?;
            stream.write_all(b"question").await?;
            let mut answer = [0; 64];
            let length = stream.read(&mut answer).await?;
            io::Result::Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
        };
        let operation = cx.recorder().invoke("ask on a task", &());
        match tokio::time::timeout(millis(400), attempt).await {
            Ok(Ok(answer)) => operation.ok(&answer),
            failed => operation.unknown(format!("{failed:?}")),
        }
        tokio::time::sleep(millis(70)).await;
    }
}

/// Asks from three threads, which hand a turn around and note who had it.
async fn ask_on_threads(cx: HostContext) -> io::Result<()> {
    let turn = Arc::new((Mutex::new(0_u32), Condvar::new()));
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let (turn, cx) = (turn.clone(), cx.clone());
            std::thread::spawn(move || {
                for round in 0..8 {
                    let attempt = || -> io::Result<usize> {
                        let mut stream = std::net::TcpStream::connect("server:80")?;
                        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
                        stream.write_all(&vec![b'q'; 1 + number as usize])?;
                        stream.read(&mut [0; 64])
                    };
                    let operation = cx.recorder().invoke("ask on a thread", &number);
                    match attempt() {
                        Ok(length) => operation.ok(&length),
                        Err(error) => operation.unknown(error),
                    }
                    let (lock, condition) = &*turn;
                    let mut next = lock.lock().expect("no thread panics");
                    let (late, _) = condition
                        .wait_timeout_while(next, Duration::from_millis(50), |next| *next != number)
                        .expect("no thread panics");
                    next = late;
                    *next = (number + 1) % 3;
                    condition.notify_all();
                    cx.recorder().note("turn", &format!("{number} in round {round}"));
                }
            })
        })
        .collect();
    let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
    cx.recorder().note("joined", &format!("{:?}", joined.await));
    Ok(())
}

/// Equal fingerprints say nothing of runs in which nobody is answered.
fn tasks_and_threads_are_answered() -> Check {
    Check::new("tasks and threads are answered", |_: &Trace, history: &History| {
        let is_answered =
            |name: &str| history.operations.iter().any(|operation| operation.name == name && operation.is_ok());
        match ["ask on a task", "ask on a thread"].into_iter().find(|name| !is_answered(name)) {
            None => Verdict::Pass,
            Some(name) => Verdict::fail(format!("no `{name}` was answered")),
        }
    })
}

pub fn scenario() -> Scenario {
    Scenario::new("threads")
        .host("server", serve)
        .host("asker", ask)
        .host("threads", ask_on_threads)
        .plain_sockets()
        .latency(millis(1)..millis(20))
        .fault(fault::kill("server").every(millis(1_500)..millis(3_000)).lasting(millis(50)..millis(900)))
        .fault(fault::power_off("server").once(secs(4)..secs(6)).lasting(millis(300)..millis(900)))
        .fault(fault::dns_slow(millis(40), "*", "server").once(secs(1)..secs(6)).lasting(secs(1)..secs(2)))
        .fault(fault::loss(0.1, "asker", "server").throughout())
        .check(tasks_and_threads_are_answered())
        .run_for(secs(8))
        .settle_for(secs(2))
}

//! Benchmark of tokio's own sockets on simulated machines: the CPU time of the same HTTP traffic through Squall's sockets,
//! the same with tokio's I/O driver switched on, through descriptors, and through turmoil's own sockets, without Squall.
//!
//! `cargo bench --bench plain_sockets --profile dev` measures with the profile that `cargo sims` uses. The four run in
//! turns, and each round compares them with each other.

mod support;

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use squall::internal::run::{Detail, run};
use squall::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite};

use support::{median, thread_cpu};

/// The number of rounds.
const ROUNDS: u64 = 15;
/// The runs in one sample: enough to make a sample much longer than the lag of the scheduler's clock.
const RUNS: u64 = 20;
/// The requests of one client in a run, and the clients.
const REQUESTS: usize = 200;
const CLIENTS: usize = 4;

/// Answers each request on a connection with its body.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let answer = service_fn(|request: Request<hyper::body::Incoming>| async move {
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, hyper::Error>(Response::new(Full::new(body)))
    });
    // A connection that breaks ends with its client, which fails the run.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

/// Sends requests one after the other on one connection.
async fn ask(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<()> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    for _ in 0..REQUESTS {
        let body = Full::new(Bytes::from_static(&[b'x'; 200]));
        let request = Request::post("/").header("host", "server").body(body).map_err(io::Error::other)?;
        let answer = sender.send_request(request).await.map_err(io::Error::other)?;
        answer.into_body().collect().await.map_err(io::Error::other)?;
    }
    Ok(())
}

fn through_squall() -> Scenario {
    let clients = (0..CLIENTS).fold(Scenario::new("squall"), |scenario, client| {
        scenario.host(&format!("client-{client}"), |cx: HostContext| async move {
            ask(cx.connector().connect("server", 80).await?).await
        })
    });
    clients.host("server", |cx: HostContext| async move {
        let listener = cx.listener(80);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream));
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    })
}

fn through_descriptors() -> Scenario {
    let server = (std::net::Ipv4Addr::new(192, 168, 0, CLIENTS as u8 + 1), 80);
    let clients = (0..CLIENTS).fold(Scenario::new("descriptors"), |scenario, client| {
        scenario.host(&format!("client-{client}"), move |_: HostContext| async move {
            ask(tokio::net::TcpStream::connect(server).await?).await
        })
    });
    clients
        .host("server", |_: HostContext| async move {
            let listener = tokio::net::TcpListener::bind("0.0.0.0:80").await?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(serve(stream));
            }
            #[allow(unreachable_code)]
            io::Result::Ok(())
        })
        .plain_sockets()
}

/// How long a one-way trip takes, in all runs.
const LATENCY: Duration = Duration::from_millis(10);
/// How long a run takes, in virtual time.
const LENGTH: Duration = Duration::from_secs(10);

/// The same programs in turmoil alone, for the same time and with the step of Squall's runs.
fn cpu_of_turmoil(seed: u64) -> Duration {
    let before = thread_cpu();
    let mut sim = turmoil::Builder::new()
        .tick_duration(LATENCY)
        .min_message_latency(LATENCY)
        .max_message_latency(LATENCY)
        .simulation_duration(LENGTH)
        .rng_seed(seed)
        .build();
    sim.host("server", || async {
        let listener = turmoil::net::TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream));
        }
    });
    for client in 0..CLIENTS {
        sim.client(format!("client-{client}"), async {
            ask(turmoil::net::TcpStream::connect("server:80").await?).await?;
            // A run of Squall goes on to its end, too.
            tokio::time::sleep(LENGTH - LATENCY - turmoil::sim_elapsed().unwrap_or_default()).await;
            Ok(())
        });
    }
    sim.run().expect("every client is answered");
    thread_cpu() - before
}

fn cpu(scenario: &Scenario, seed: u64) -> Duration {
    let before = thread_cpu();
    let run = run(scenario, &scenario.control(Seed(seed)), Detail::Lean);
    let cpu = thread_cpu() - before;
    assert!(run.outcome.findings.is_empty(), "seed {seed}: {:?}", run.outcome.findings);
    // Each request and each answer is a segment at least.
    assert!(run.outcome.counters.segments > (2 * REQUESTS * CLIENTS) as u64, "{:?}", run.outcome.counters);
    cpu
}

fn main() {
    let within = |scenario: Scenario| {
        let scenario = scenario.latency(LATENCY..LATENCY).run_for(LENGTH).settle_for(secs(0));
        scenario.check(|_: &Trace, _: &History| Verdict::Pass)
    };
    let sides = [through_squall(), through_squall().plain_sockets(), through_descriptors()].map(within);
    let names = [
        "through Squall's sockets",
        "the same with tokio's I/O driver",
        "through descriptors",
        "through turmoil's sockets, without Squall",
    ];
    let mut ratios = vec![Vec::new(); names.len()];
    for round in 0..ROUNDS {
        let seeds = || round * RUNS..(round + 1) * RUNS;
        let of_side = |scenario| seeds().map(|seed| cpu(scenario, seed)).sum();
        let cpus = sides.iter().map(of_side).chain([seeds().map(cpu_of_turmoil).sum()]);
        let cpus: Vec<f64> = cpus.map(|cpu: Duration| cpu.as_secs_f64()).collect();
        for (ratios, cpu) in ratios.iter_mut().zip(&cpus) {
            ratios.push(cpu / cpus[0]);
        }
    }
    println!(
        "CPU time of {CLIENTS} clients with {REQUESTS} requests each, relative to Squall's sockets, {ROUNDS} rounds of {RUNS} runs"
    );
    for (name, ratios) in names.iter().zip(ratios) {
        println!("  {name}: {:.2}", median(ratios));
    }
}

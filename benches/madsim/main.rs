//! Pairs of hosts that talk, on madsim: simulated seconds for each CPU second, and the echoes of a run.
//!
//! `cargo run` in this folder prints them; `cargo bench --bench engines --profile dev -- only-pairs` in the project's prints the
//! same for Squall and plain turmoil. The programs, their pauses, the latencies and the simulated time are the same, no message is
//! lost, and the echoes show that the work is. What happens below the programs is not (madsim 0.2.34, as its source has it):
//!
//! - A flushed write of madsim is one message in an unbounded channel, with the time at which it arrives. There is no window and
//!   no full buffer, and a stream that is shut down says nothing to its peer. A message that is lost waits at its receiver, which
//!   asks after 1, 2, 4 ms and so on whether the link lets it through. A connection is at the listener at once, without a
//!   handshake. Squall's kernels have all of these; neither sends acknowledgements.
//! - All nodes of madsim share one executor, and its own clock and sockets take the place of tokio's when the program is compiled.
//!   Squall runs a runtime of the real tokio for each host, and answers what that asks of the C library.
//! - Madsim keeps no record of a run, unless a second run is compared with it. Squall keeps the events that checks read, and
//!   digests all others into a fingerprint.
//! - Madsim runs ready tasks in random order, and moves the clock by 50 to 100 ns after each. Squall draws only who runs first of
//!   hosts that are due at the same time; the tasks of a host run in tokio's order.
//! - Madsim's sleeps last at least 1 ms, and the receiver of a message sleeps until it arrives: a latency of 0.2 ms is one of 1 ms.

#[cfg(not(madsim))]
compile_error!("madsim simulates only with `--cfg madsim`: run cargo in benches/madsim, without RUSTFLAGS of your own");

#[path = "../../tests/support/echo.rs"]
mod echo;
#[path = "../support/pairs.rs"]
mod pairs;
#[path = "../support/mod.rs"]
mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use madsim::net::{NetSim, TcpListener, TcpStream};
use madsim::runtime::Runtime;
use tokio::time::sleep;

use echo::send_back;
use pairs::{LATENCIES, LENGTH, PAIRS, ask, echoes};
use support::cpu;

fn pairs_on_madsim(latency: Duration) {
    let mut config = madsim::Config::default();
    config.net.packet_loss_rate = 0.0;
    // The range must not be empty.
    config.net.send_latency = latency..latency + Duration::from_nanos(1);
    let runtime = Runtime::with_seed_and_config(1, config);
    let node = |name: String, last: usize| {
        let address = IpAddr::from(Ipv4Addr::new(10, 0, 0, last as u8));
        (runtime.create_node().name(&name).ip(address).build(), address)
    };
    runtime.block_on(async {
        for pair in 0..PAIRS {
            let (server, address) = node(format!("server-{pair}"), 2 * pair + 1);
            NetSim::current().add_dns_record(&format!("server-{pair}"), address);
            server.spawn(async move {
                let listener = TcpListener::bind("0.0.0.0:80").await.expect("it is the only one");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(send_back(stream));
                }
            });
        }
        // Who is first among tasks is random, and without a listener there is no connection.
        sleep(Duration::from_millis(1)).await;
        for pair in 0..PAIRS {
            let (client, _) = node(format!("client-{pair}"), 2 * pair + 2);
            client.spawn(async move {
                let stream = TcpStream::connect((format!("server-{pair}"), 80)).await.expect("the server listens");
                ask(stream).await
            });
        }
        sleep(LENGTH).await;
    });
}

fn main() {
    // For counting instructions: `valgrind --tool=callgrind EXECUTABLE once`.
    if std::env::args().any(|argument| argument == "once") {
        return println!("{} echoes", echoes(LATENCIES[0], || pairs_on_madsim(LATENCIES[0])));
    }
    let long = format!("{PAIRS} pairs that talk each 100 ms");
    println!("{long:<42} {:>9} {:>9}", "madsim", "echoes");
    for latency in LATENCIES {
        let echoes = echoes(latency, || pairs_on_madsim(latency));
        let speed = LENGTH.as_secs_f64() / cpu(|| pairs_on_madsim(latency));
        println!("{:<42} {speed:>9.0} {echoes:>9}", format!("latency {latency:?}"));
    }
}

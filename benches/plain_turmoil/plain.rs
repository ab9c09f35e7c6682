//! The shop on plain turmoil, as somebody would write it without Squall.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use redb::backends::InMemoryBackend;
use squall::scenario::Case;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::shop::client::ShopClient;
use crate::shop::client_config::ClientConfig;
use crate::shop::net::{Connect, Listen};
use crate::shop::observe::no_observer;
use crate::shop::serve::Shutdown;
use crate::shop::simulated::{PAUSE, Setup, Step};
use crate::shop::workload::User;
use crate::shop::{api, gateway, pricing, store};

/// The counts of one run on plain turmoil.
#[derive(Clone, Copy, Debug)]
pub struct RunCounts {
    /// Segments that ask for a connection.
    pub connects: u64,
    /// Segments with bytes.
    pub writes: u64,
    /// Segments that end a direction.
    pub ends: u64,
    /// Operations of buyers that were answered.
    pub operations: u64,
}

impl RunCounts {
    /// All segments.
    pub fn messages(self) -> u64 {
        self.connects + self.writes + self.ends
    }
}

/// Counts the segments that are passed to turmoil's network.
#[derive(Debug, Default)]
struct Counts {
    connects: AtomicU64,
    writes: AtomicU64,
    ends: AtomicU64,
}

#[derive(Clone)]
struct Connector(Arc<Counts>);

struct Listener {
    counts: Arc<Counts>,
    bound: Option<turmoil::net::TcpListener>,
}

struct Stream {
    counts: Arc<Counts>,
    inner: turmoil::net::TcpStream,
    is_shut_down: bool,
}

impl Stream {
    fn new(counts: Arc<Counts>, inner: turmoil::net::TcpStream) -> Stream {
        Stream { counts, inner, is_shut_down: false }
    }

    fn count_end(&mut self) {
        if !std::mem::replace(&mut self.is_shut_down, true) {
            self.counts.ends.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Connect for Connector {
    type Stream = Stream;

    async fn connect(&self, host: &str, port: u16) -> io::Result<Stream> {
        self.0.connects.fetch_add(1, Ordering::Relaxed);
        let stream = turmoil::net::TcpStream::connect((host, port)).await?;
        Ok(Stream::new(self.0.clone(), stream))
    }
}

impl Listen for Listener {
    type Stream = Stream;

    async fn accept(&mut self) -> io::Result<(Stream, SocketAddr)> {
        let listener = match &mut self.bound {
            Some(listener) => listener,
            none => none.insert(turmoil::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).await?),
        };
        let (stream, peer) = listener.accept().await?;
        Ok((Stream::new(self.counts.clone(), stream), peer))
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        if matches!(written, Poll::Ready(Ok(length)) if length > 0) {
            self.counts.writes.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.count_end();
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.count_end();
    }
}

/// Runs the shop's default setup with the case's workload for this much simulated time.
pub fn run(case: &Case, duration: Duration) -> RunCounts {
    let Setup { client, gateway, api, store, .. } = Setup::default();
    let counts = Arc::new(Counts::default());
    let operations = Rc::new(Cell::new(0));
    let mut sim = turmoil::Builder::new()
        .tick_duration(Duration::from_millis(10))
        .min_message_latency(Duration::from_millis(10))
        .max_message_latency(Duration::from_millis(30))
        .simulation_duration(duration * 2)
        .tcp_capacity(1_024)
        .rng_seed(case.seed.0)
        .build();
    let listener = |counts: &Arc<Counts>| Listener { counts: counts.clone(), bound: None };
    let connector = |counts: &Arc<Counts>| Connector(counts.clone());

    let inputs: Vec<Vec<Step>> = case.input["buyer"].iter().map(steps).collect();
    let (all, answered) = (counts.clone(), operations.clone());
    let last_start = duration - Duration::from_secs(11);
    sim.host("buyer", move || {
        let buyers: Vec<_> = (0_u32..)
            .zip(inputs.clone())
            .map(|(number, steps)| {
                let config = ClientConfig { client_number: number, ..client.clone() };
                let user = User::new(ShopClient::new(connector(&all), config, no_observer()));
                (user, steps, answered.clone())
            })
            .collect();
        ended(async move {
            let buying = buyers
                .into_iter()
                .map(|(user, steps, answered)| tokio::task::spawn_local(buy(user, steps, last_start, answered)));
            for buyer in buying.collect::<Vec<_>>() {
                buyer.await.map_err(io::Error::other)?;
            }
            Ok(())
        })
    });
    let all = counts.clone();
    sim.host("gateway", move || {
        ended(gateway::run(listener(&all), connector(&all), gateway.clone(), Shutdown::new(), no_observer()))
    });
    for name in ["api-1", "api-2", "api-3"] {
        let (all, api) = (counts.clone(), api.clone());
        sim.host(name, move || {
            ended(api::run(listener(&all), connector(&all), api.clone(), Shutdown::new(), no_observer()))
        });
    }
    let all = counts.clone();
    sim.host("store", move || {
        let config = store.clone();
        ended(store::run(listener(&all), InMemoryBackend::new(), config, Shutdown::new(), no_observer()))
    });
    let all = counts.clone();
    sim.host("pricing", move || {
        ended(pricing::run(listener(&all), pricing::Config::default(), Shutdown::new(), no_observer()))
    });
    let all = counts.clone();
    let audit_at = duration - Duration::from_secs(6);
    sim.host("auditor", move || {
        let config = ClientConfig { client_number: 1_000, ..ClientConfig::default() };
        let client = ShopClient::new(connector(&all), config, no_observer());
        ended(async move {
            tokio::time::sleep(audit_at).await;
            client.list_orders().await.map_err(|error| io::Error::other(error.to_string()))?;
            Ok(())
        })
    });

    while sim.elapsed() < duration {
        sim.step().expect("no program on plain turmoil fails");
    }
    let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
    // Read before the simulation is dropped: connections that end with it send no messages.
    let (connects, writes, ends) = (read(&counts.connects), read(&counts.writes), read(&counts.ends));
    RunCounts { connects, writes, ends, operations: operations.get() }
}

fn steps(input: &serde_json::Value) -> Vec<Step> {
    serde_json::from_value(input.clone()).expect("the case belongs to a scenario of the shop")
}

async fn ended(program: impl Future<Output = io::Result<()>>) -> turmoil::Result {
    Ok(program.await?)
}

async fn buy(mut user: User<Connector>, steps: Vec<Step>, last_start: Duration, answered: Rc<Cell<u64>>) {
    for step in steps {
        tokio::time::sleep(Duration::from_millis(step.at_ms).saturating_sub(turmoil::elapsed()).max(PAUSE)).await;
        if turmoil::elapsed() >= last_start {
            break;
        }
        if user.perform(&step.operation).await.is_ok() {
            answered.set(answered.get() + 1);
        }
    }
}

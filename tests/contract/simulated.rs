//! The machines that Squall simulates.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use squall::fault::{self, Fault};
use squall::internal::run::{Detail, run};
use squall::net::{KeepAlive, TcpListener, TcpStream, UdpSocket};
use squall::prelude::*;

use super::linux::Real;
use super::{Machine, PORT, Seen, Trouble};

/// A host of a simulated world.
#[derive(Clone)]
pub struct Simulated {
    cx: HostContext,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Machine for Simulated {
    type Stream = TcpStream;
    type Listener = TcpListener;
    type Datagrams = UdpSocket;

    async fn connect(&self) -> io::Result<TcpStream> {
        self.cx.connector().connect("server", PORT).await
    }

    async fn listen(&self) -> io::Result<TcpListener> {
        let listener = self.cx.listener(PORT);
        listener.bind()?;
        Ok(listener)
    }

    async fn accept(&self, listener: &mut TcpListener) -> io::Result<TcpStream> {
        listener.accept().await.map(|(stream, _)| stream)
    }

    async fn datagrams(&self, port: u16) -> io::Result<UdpSocket> {
        self.cx.datagrams(port)
    }

    async fn send_to(&self, socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        socket.send_to(bytes, to).await
    }

    async fn receive(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(buffer).await
    }

    async fn connect_datagrams(&self, socket: &UdpSocket, to: SocketAddr) -> io::Result<()> {
        socket.connect(to).await
    }

    async fn send(&self, socket: &UdpSocket, bytes: &[u8]) -> io::Result<usize> {
        socket.send(bytes).await
    }

    async fn receive_only(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
        socket.recv(buffer).await
    }

    async fn peek(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.peek_from(buffer).await
    }

    fn addresses(&self, socket: &UdpSocket) -> (io::Result<SocketAddr>, io::Result<SocketAddr>) {
        (socket.local_addr(), socket.peer_addr())
    }

    fn server(&self) -> SocketAddr {
        // The first host of the scenario.
        SocketAddr::from(([192, 168, 0, 1], PORT))
    }

    fn reset_on_close(&self, stream: &TcpStream) {
        stream.set_zero_linger().expect("the simulated kernel allows it");
    }

    fn keep_alive(&self, stream: &TcpStream, idle: u64, interval: u64, retries: u32) {
        let settings = KeepAlive { idle: secs(idle), interval: secs(interval), retries };
        stream.set_keep_alive(Some(settings)).expect("the simulated kernel allows it");
    }

    fn user_timeout(&self, stream: &TcpStream, timeout: Duration) {
        stream.set_user_timeout(Some(timeout)).expect("the simulated kernel allows it");
    }

    fn elapsed(&self) -> Duration {
        self.cx.elapsed()
    }

    fn note(&self, what: &str) {
        self.notes.lock().unwrap().push(what.to_owned());
    }
}

/// The fault that makes this trouble.
fn fault_of(trouble: Trouble) -> Fault {
    let (generator, from, to) = match trouble {
        Trouble::Partition(from, to) => (fault::partition("client", "server"), from, to),
        Trouble::CutToServer(from, to) => (fault::partition_one_way("client", "server"), from, to),
        Trouble::CutToClient(from, to) => (fault::partition_one_way("server", "client"), from, to),
        Trouble::Reject(from, to) => (fault::partition_with_reset("client", "server").one_way(), from, to),
        Trouble::Kill(from, to) => (fault::kill("server"), from, to),
        Trouble::PowerOff(from, to) => (fault::power_off("server"), from, to),
        Trouble::Pause(from, to) => (fault::pause("server"), from, to),
    };
    generator.at(millis(from)).lasting(millis(to - from))
}

/// Runs the programs of a row for this long, with Squall's own sockets.
pub fn observe<S, SFut, C, CFut>(server: S, client: C, troubles: &[Trouble], lasting: Duration) -> Seen
where
    S: Fn(Simulated) -> SFut + Send + Sync + 'static,
    SFut: Future<Output = ()> + 'static,
    C: Fn(Simulated) -> CFut + Send + Sync + 'static,
    CFut: Future<Output = ()> + 'static,
{
    let scenario = Scenario::new("contract");
    observe_on(scenario, |cx, notes| Simulated { cx, notes }, server, client, troubles, lasting)
}

/// The same, with tokio's sockets, as on Linux.
pub fn observe_plain<S, SFut, C, CFut>(server: S, client: C, troubles: &[Trouble], lasting: Duration) -> Seen
where
    S: Fn(Real) -> SFut + Send + Sync + 'static,
    SFut: Future<Output = ()> + 'static,
    C: Fn(Real) -> CFut + Send + Sync + 'static,
    CFut: Future<Output = ()> + 'static,
{
    let machine = |cx: HostContext, notes| Real {
        // The first host of the scenario.
        server: "192.168.0.1",
        elapsed: Arc::new(move || cx.elapsed()),
        notes,
    };
    observe_on(Scenario::new("plain contract").plain_sockets(), machine, server, client, troubles, lasting)
}

fn observe_on<M, S, SFut, C, CFut>(
    scenario: Scenario,
    machine: impl Fn(HostContext, Arc<Mutex<Vec<String>>>) -> M + Copy + Send + Sync + 'static,
    server: S,
    client: C,
    troubles: &[Trouble],
    lasting: Duration,
) -> Seen
where
    S: Fn(M) -> SFut + Send + Sync + 'static,
    SFut: Future<Output = ()> + 'static,
    C: Fn(M) -> CFut + Send + Sync + 'static,
    CFut: Future<Output = ()> + 'static,
{
    let (of_server, of_client) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<String>>>::default());
    let (server_notes, client_notes) = (of_server.clone(), of_client.clone());
    let scenario = scenario
        .host("server", move |cx| {
            let run = server(machine(cx, server_notes.clone()));
            async move {
                run.await;
                std::future::pending::<io::Result<()>>().await
            }
        })
        .host("client", move |cx| {
            let run = client(machine(cx, client_notes.clone()));
            async move {
                run.await;
                std::future::pending::<io::Result<()>>().await
            }
        })
        .latency(millis(1)..millis(1))
        .step(millis(1))
        .fault(fault::scripted("troubles", troubles.iter().copied().map(fault_of).collect()))
        .check(|_: &Trace, _: &History| Verdict::Pass)
        .run_for(lasting)
        .settle_for(millis(1));
    let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    let take = |notes: Arc<Mutex<Vec<String>>>| std::mem::take(&mut *notes.lock().unwrap());
    Seen { server: take(of_server), client: take(of_client) }
}

//! One contract, two kernels: each row is a small socket program of a server and a client that notes what both ends
//! see. The same program runs on Squall and on the real kernel, and `docs/fidelity.md` compares what they saw.
//!
//! `SQUALL_FIDELITY=write cargo test --test contract` writes that table again. Rows run in network namespaces of their
//! own, which takes Linux, root, `ip` and `nft`; without them only Squall's side is checked, and the test says so.
//! `SQUALL_FIDELITY=simulated` checks only that side, and `SQUALL_FIDELITY=mutants` that planted mistakes change it.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod mutants;
#[cfg(target_os = "linux")]
mod programs;
#[cfg(target_os = "linux")]
mod simulated;
#[cfg(target_os = "linux")]
mod table;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

/// The port on which servers listen.
pub const PORT: u16 = 80;

/// A machine as a program sees it: its sockets, its clock, and the notes of the row.
pub trait Machine: Clone + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// A listening socket.
    type Listener: 'static;
    /// A datagram socket.
    type Datagrams: 'static;

    /// Connects to the server's port.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>>;
    /// Listens on the server's port.
    fn listen(&self) -> impl Future<Output = io::Result<Self::Listener>>;
    /// Accepts the next connection.
    fn accept(&self, listener: &mut Self::Listener) -> impl Future<Output = io::Result<Self::Stream>>;
    /// Binds a datagram socket to this port; 0 stands for any.
    fn datagrams(&self, port: u16) -> impl Future<Output = io::Result<Self::Datagrams>>;
    /// Sends a datagram.
    fn send_to(
        &self,
        socket: &Self::Datagrams,
        bytes: &[u8],
        to: SocketAddr,
    ) -> impl Future<Output = io::Result<usize>>;
    /// Receives a datagram.
    fn receive(
        &self,
        socket: &Self::Datagrams,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>>;
    /// Connects a datagram socket.
    fn connect_datagrams(&self, socket: &Self::Datagrams, to: SocketAddr) -> impl Future<Output = io::Result<()>>;
    /// Sends a datagram to the peer of a connected socket.
    fn send(&self, socket: &Self::Datagrams, bytes: &[u8]) -> impl Future<Output = io::Result<usize>>;
    /// Receives a datagram, without its sender.
    fn receive_only(&self, socket: &Self::Datagrams, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>>;
    /// Receives a datagram that stays in the socket.
    fn peek(
        &self,
        socket: &Self::Datagrams,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>>;
    /// The own address and the peer's.
    fn addresses(&self, socket: &Self::Datagrams) -> (io::Result<SocketAddr>, io::Result<SocketAddr>);
    /// The server's address and port.
    fn server(&self) -> SocketAddr;
    /// Makes the close of a connection reset it.
    fn reset_on_close(&self, stream: &Self::Stream);
    /// Probes an idle peer: after so many seconds, again after so many, so many times.
    fn keep_alive(&self, stream: &Self::Stream, idle: u64, interval: u64, retries: u32);
    /// Limits how long what was sent may stay unacknowledged.
    fn user_timeout(&self, stream: &Self::Stream, timeout: Duration);
    /// The time since the row began.
    fn elapsed(&self) -> Duration;
    /// Notes what the program sees.
    fn note(&self, what: &str);

    /// Notes what the program sees, and when, to a tenth of a second.
    fn note_time(&self, what: &str) {
        self.note(&format!("{what} at {:.1}s", self.elapsed().as_secs_f64()));
    }

    /// Sleeps until this time of the row.
    fn until(&self, at_ms: u64) -> impl Future<Output = ()> {
        tokio::time::sleep(Duration::from_millis(at_ms).saturating_sub(self.elapsed()))
    }
}

/// What goes wrong in a row, and from when to when, in milliseconds from its beginning.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// Nothing passes either way.
    Partition(u64, u64),
    /// Nothing passes from the client to the server.
    CutToServer(u64, u64),
    /// Nothing passes from the server to the client.
    CutToClient(u64, u64),
    /// A firewall resets what the client sends.
    Reject(u64, u64),
    /// The server's process dies, and another is started.
    Kill(u64, u64),
    /// The server's machine has no power.
    PowerOff(u64, u64),
    /// The server's process does nothing.
    Pause(u64, u64),
}

/// What the two ends of a row noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The notes of the server, over all lives of its process.
    pub server: Vec<String>,
    /// The notes of the client.
    pub client: Vec<String>,
}

impl Seen {
    /// Both sides in one line.
    pub fn text(&self) -> String {
        let side = |name: &str, notes: &[String]| (!notes.is_empty()).then(|| format!("{name}: {}", notes.join(", ")));
        let sides = [side("client", &self.client), side("server", &self.server)];
        let text = sides.into_iter().flatten().collect::<Vec<_>>().join("; ");
        if text.is_empty() { "nothing, for as long as the row lasts".to_owned() } else { text }
    }
}

fn main() {
    #[cfg(target_os = "linux")]
    match std::env::var("SQUALL_FIDELITY").as_deref() {
        Err(_) => table::check(table::Mode::Compare),
        Ok("write") => table::check(table::Mode::Write),
        Ok("simulated") => table::check(table::Mode::Simulated),
        Ok("mutants") => mutants::check(),
        Ok(other) => panic!("SQUALL_FIDELITY={other}: expected write, simulated or mutants"),
    }
    #[cfg(not(target_os = "linux"))]
    println!("SKIPPED: the contract is that of Linux");
}

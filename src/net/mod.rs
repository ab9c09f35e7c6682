//! The simulated network: TCP as a kernel implements it, between the hosts that turmoil runs.
//!
//! Code under test takes a [`Connector`] and a [`TcpListener`] as arguments, so the same code also runs on tokio's
//! sockets; or it makes its own sockets, in a scenario with
//! [`plain_sockets`](crate::scenario::Scenario::plain_sockets). Connections implement [`tokio::io::AsyncRead`] and [`tokio::io::AsyncWrite`]; the features `hyper-util`,
//! `axum` and `tonic` let those crates use these connectors and listeners.
//!
//! ```
//! use squall::prelude::*;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! async fn server(cx: HostContext) -> std::io::Result<()> {
//!     let listener = cx.listener(7);
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         let (mut from_client, mut to_client) = stream.into_split();
//!         tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_client).await });
//!     }
//! }
//!
//! async fn client(cx: HostContext) -> std::io::Result<()> {
//!     let mut stream = cx.connector().connect("server", 7).await?;
//!     stream.write_all(b"echo").await?;
//!     stream.shutdown().await?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer).await?;
//!     assert_eq!(answer, "echo");
//!     Ok(())
//! }
//! # let scenario = Scenario::new("echo").host("server", server).host("client", client);
//! # let scenario = scenario.check(|_: &Trace, _: &History| Verdict::Pass).run_for(secs(5)).settle_for(secs(0));
//! # use squall::internal::run::{Detail, run};
//! # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
//! # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
//! ```
//!
//! Streams, halves, listeners and datagram sockets have the calls of tokio's under the same names. What they lack: `from_std` and
//! `into_std`, as there is no socket of the operating system behind them; `ready` and `try_io`, which are about tokio's
//! driver; and multicast.
//!
//! # How it works
//!
//! ```text
//! TcpStream, TcpListener      held by code under test               (socket)
//!   Kernel, one per host      connections, windows, backlogs        (kernel; calls: requests of programs;
//!                                                                  arrivals: segments that reach it;
//!                                                                  triggered: faults that begin inside a step)
//!     Packet                  a segment on its way, with a ticket   (packets)
//!       Wire                  decides about each transmission       (wire)
//! ```
//!
//! A segment does not cross turmoil's links. At the start of the step after it was sent, the wire decides when it arrives
//! and puts it among the arrivals of the receiving kernel, whose task waits for the exact time. As no step is longer than
//! the smallest latency, that time is still to come.

mod adapters;
mod allowance;
mod arrivals;
mod bound;
mod calls;
mod connector;
mod datagram;
mod flow;
mod flows;
mod frozen;
mod halves;
mod headline;
mod host_faults;
mod inbox;
mod keep_alive;
mod kernel;
mod limits;
mod listener;
mod listening;
mod machine;
mod names;
mod nonblocking;
mod options;
mod outside;
mod packets;
mod ports;
mod readiness;
mod requests;
mod shared;
mod socket;
mod task;
mod triggered;
mod unreachable;
mod watch;
mod wire;

#[cfg(feature = "tonic")]
pub use adapters::Peer;
pub use connector::Connector;
pub use datagram::UdpSocket;
pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use listener::TcpListener;
pub use socket::TcpStream;
pub use watch::KeepAlive;

pub(crate) use bound::Sharing;
pub(crate) use limits::SocketLimits;
pub(crate) use names::{NameFault, NameTrouble, address, address_v6};
pub(crate) use shared::SharedNet;
pub(crate) use task::run_kernel;
pub(crate) use triggered::{ApplyToHost, Down, TriggerAction, TriggeredFault, Victims};
pub(crate) use wire::{
    BlockKind, Chain, Fate, Fates, IdleWatch, LinkFault, Queue, Stream, StreamKind, Wire, WireSettings,
};

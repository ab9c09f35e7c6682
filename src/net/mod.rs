//! The simulated network: TCP as a kernel implements it, over turmoil's datagrams and links.
//!
//! Code under test takes a [`Connector`] and a [`TcpListener`] as arguments, so the same code also runs on tokio's
//! sockets.
//!
//! ```text
//! TcpStream, TcpListener      held by code under test               (socket)
//!   Kernel, one per host      connections, windows, backlogs        (kernel; calls: requests of programs;
//!                                                                  triggered: faults that begin inside a step)
//!     a turmoil datagram      a ticket for each segment             (card, packets)
//!       Wire                  decides each segment's fate, once     (wire)
//! ```
//!
//! Each segment crosses turmoil's links as one datagram that carries a ticket. All links are on hold: the wire decides
//! when each segment arrives, and releases its datagram at the start of the step that contains this time. The receiving
//! kernel then waits for the exact time within the step.

mod adapters;
mod calls;
mod card;
mod flow;
mod headline;
mod host_faults;
mod kernel;
mod limits;
mod listening;
mod machine;
mod names;
mod outside;
mod packets;
mod ports;
mod shared;
mod socket;
mod triggered;
mod wire;

#[cfg(feature = "tonic")]
pub use adapters::Peer;
pub use socket::{Connector, OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpStream};

pub(crate) use card::run_kernel;
pub(crate) use limits::SocketLimits;
pub(crate) use names::{NameFault, NameTrouble, address};
pub(crate) use shared::SharedNet;
pub(crate) use triggered::{ApplyToHost, Down, TriggerAction, TriggeredFault, Victims};
pub(crate) use wire::{
    BlockKind, Chain, Fate, Fates, IdleWatch, LinkFault, Queue, Stream, StreamKind, Wire, WireSettings,
};

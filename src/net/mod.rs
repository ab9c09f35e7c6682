//! The simulated network: TCP as a kernel does it, on turmoil's datagrams and links.
//!
//! Code under test takes a [`Connector`] and a [`TcpListener`] as arguments, so that the same code runs on tokio's sockets.
//!
//! ```text
//! TcpStream, TcpListener      what code under test holds            (socket)
//!   Kernel, one per host      connections, windows, backlogs        (kernel; upon it calls of programs, and action:
//!                                                                  what cannot wait for the step's end)
//!     a turmoil datagram      a ticket for each segment             (card, packets)
//!       Wire                  decides each segment's fate, once     (wire)
//! ```
//!
//! Each segment travels through turmoil's links as one datagram that carries a ticket. All links are on hold; the wire
//! decides when each segment arrives and releases its datagram at the start of the step that holds this time, and the
//! receiving kernel waits for the exact time within the step.

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

//! The descriptors of simulated processes: sockets, epolls and pipes as code asks the C library for them. Code that uses
//! tokio's or the standard library's own sockets so runs unchanged; its sockets are those of [`crate::net`].

mod addresses;
mod calls;
mod description;
mod epoll;
mod errors;
mod event;
mod options;
mod pair;
mod table;
mod tcp;
mod timer;
mod udp;
mod unix;

use std::sync::Arc;
use std::time::Duration;

use crate::alive::AliveFlag;
use crate::net::SharedNet;
use crate::sandbox;
use crate::trace::HostId;

use table::Table;
use unix::Names;

/// Whether descriptors can be simulated: only where the functions of the C library are replaced.
pub(crate) const CAN_SIMULATE: bool = sandbox::CAN_FREEZE;

/// What a process has open.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) open: u32,
    /// The most that it has had open at once.
    pub(crate) most: u32,
    /// When each connection ended of which it still has the socket.
    pub(crate) ended: Vec<Duration>,
}

/// The descriptors of all processes of a world.
#[derive(Clone, Debug)]
pub(crate) struct ProcessDescriptors {
    net: SharedNet,
    table: Arc<Table>,
    /// The names of Unix sockets.
    names: Arc<Names>,
}

impl ProcessDescriptors {
    /// Descriptors for this many hosts, which answer the calls of this thread until its simulation ends.
    pub(crate) fn serve(net: SharedNet, hosts: usize) -> ProcessDescriptors {
        let descriptors = ProcessDescriptors { net, table: Arc::new(Table::new(hosts)), names: Arc::default() };
        sandbox::serve_descriptors(Arc::new(descriptors.clone()));
        descriptors
    }

    /// A new process begins on a host. Call it before its runtime is built, and before that of the process before is
    /// dropped: what that closes then is its own.
    pub(crate) fn begin_process(&self, host: HostId, alive: AliveFlag) {
        self.table.begin_process(host, alive);
    }

    /// What the process of a host has open now.
    pub(crate) fn held(&self, host: HostId) -> Held {
        let (open, most) = self.table.held(host);
        let ended = open.iter().filter_map(|description| description.tcp().ok()?.ended_at()).collect();
        Held { open: open.len() as u32, most: most as u32, ended }
    }
}

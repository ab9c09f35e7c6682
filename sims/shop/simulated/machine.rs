//! The glue between a simulated machine and a program of the shop: sockets, and the signal to stop.

use std::io;
use std::net::SocketAddr;

use squall::prelude::*;

use crate::shop::net::{Connect, Listen};
use crate::shop::serve::Shutdown;

impl Connect for squall::net::Connector {
    type Stream = squall::net::TcpStream;

    async fn connect(&self, host: &str, port: u16) -> io::Result<Self::Stream> {
        squall::net::Connector::connect(self, host, port).await
    }
}

impl Listen for squall::net::TcpListener {
    type Stream = squall::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(Self::Stream, SocketAddr)> {
        squall::net::TcpListener::accept(self).await
    }
}

/// The shop's signal to stop; it passes the simulated machine's on.
pub fn shutdown(cx: &HostContext) -> Shutdown {
    let (signal, of_machine) = (Shutdown::new(), cx.shutdown());
    let passed_on = signal.clone();
    tokio::spawn(async move {
        of_machine.requested().await;
        passed_on.request();
    });
    signal
}

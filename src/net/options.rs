//! The options of a connection, named as tokio names them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::flow::Settings;
use super::socket::{TcpStream, error_of};
use super::watch::KeepAlive;
use crate::sandbox;

impl TcpStream {
    /// The address of this end.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's stream.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.net.lock().local_address(self.flow, self.side))
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// Never fails today; the signature matches tokio's stream.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.net.lock().local_address(self.flow, self.side.other()))
    }

    /// The error for which the connection failed, unless a call has returned it, as `SO_ERROR` does.
    ///
    /// # Errors
    /// Never fails; the signature matches tokio's stream.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.take_error_kind().map(error_of))
    }

    fn settings(&self) -> Settings {
        self.net.lock().flow(self.flow).end(self.side).map(|end| end.settings).unwrap_or_default()
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) -> io::Result<()> {
        if let Some(end) = self.net.lock().flow(self.flow).end(self.side) {
            change(&mut end.settings);
        }
        Ok(())
    }

    /// Has no effect: nothing is ever held back to fill a segment.
    ///
    /// # Errors
    /// Never fails.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set(|settings| settings.is_nodelay = nodelay)
    }

    /// What [`TcpStream::set_nodelay`] has set.
    ///
    /// # Errors
    /// Never fails.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.settings().is_nodelay)
    }

    /// Has no effect: there are no routers between two machines.
    ///
    /// # Errors
    /// Never fails.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.set(|settings| settings.ttl = ttl)
    }

    /// What [`TcpStream::set_ttl`] has set; at first 64.
    ///
    /// # Errors
    /// Never fails.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.settings().ttl)
    }

    /// Makes closing the stream reset the connection at once, as `SO_LINGER` with a time of 0 does: what the peer has not
    /// received yet is discarded, and its reads and writes fail with `ConnectionReset`.
    ///
    /// # Errors
    /// Never fails; the signature matches tokio's stream.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.set_linger(Some(Duration::ZERO))
    }

    /// Sets `SO_LINGER`. A time of 0 is that of [`TcpStream::set_zero_linger`]; any other has no effect, as closing never
    /// waits: the kernel goes on to send what was written.
    ///
    /// # Errors
    /// Never fails.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.set(|settings| settings.linger = linger)
    }

    /// What [`TcpStream::set_linger`] has set.
    ///
    /// # Errors
    /// Never fails.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.settings().linger)
    }

    /// Probes the peer while nothing arrives, as `SO_KEEPALIVE` with its three numbers does, or stops doing so. If the
    /// peer answers no probe, reads and writes fail with `TimedOut`; if it no longer knows the connection, with
    /// `ConnectionReset`.
    ///
    /// # Errors
    /// Never fails.
    pub fn set_keep_alive(&self, keep_alive: Option<KeepAlive>) -> io::Result<()> {
        self.net.lock().keep_alive(self.flow, self.side, keep_alive, sandbox::now());
        Ok(())
    }

    /// Fails the connection with `TimedOut` once something that was sent has not been acknowledged for this long, as
    /// `TCP_USER_TIMEOUT` does; `None` waits until the kernel gives up, for about a quarter of an hour.
    ///
    /// # Errors
    /// Never fails.
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        if let Some(end) = self.net.lock().flow(self.flow).end(self.side) {
            end.user_timeout = timeout;
        }
        Ok(())
    }
}

//! The network as the shop sees it: two traits, and their implementation on tokio's real sockets.
//!
//! Owns every use of `tokio::net`; everything above it is generic over the two traits.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Opens connections to hosts known by name.
pub trait Connect: Clone + Send + Sync + 'static {
    /// The connection, as bytes in both directions.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects to a host by name and port; the caller limits how long it may take.
    fn connect(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// What a connect returns.
type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>> + Send>>;

/// Connects to a host by name and port.
type Open = dyn Fn(&str, u16) -> Connecting + Send + Sync;

/// Any connector, for programs that choose theirs when they start.
#[derive(Clone)]
pub struct AnyConnector {
    connect: Arc<Open>,
}

impl AnyConnector {
    /// Connects as `connector` does.
    pub fn new<C: Connect>(connector: C) -> AnyConnector {
        AnyConnector::wrapping(connector, |stream| stream)
    }

    /// Connects as `connector` does, and puts something around each connection.
    pub fn wrapping<C: Connect, S: Duplex + 'static>(
        connector: C,
        wrap: impl Fn(C::Stream) -> S + Clone + Send + Sync + 'static,
    ) -> AnyConnector {
        let connect = move |host: &str, port: u16| -> Connecting {
            let (connector, wrap, host) = (connector.clone(), wrap.clone(), host.to_owned());
            Box::pin(async move {
                let stream = connector.connect(&host, port).await?;
                Ok(Box::new(wrap(stream)) as Box<dyn Duplex>)
            })
        };
        AnyConnector { connect: Arc::new(connect) }
    }
}

impl Connect for AnyConnector {
    type Stream = Box<dyn Duplex>;

    fn connect(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Self::Stream>> + Send {
        (self.connect)(host, port)
    }
}

/// Accepts connections.
pub trait Listen: Send + 'static {
    /// The connection, as bytes in both directions.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection and returns it with its peer's address. Cancel safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

/// Connects over the kernel's TCP; names are looked up in a table that can be filled at any time.
///
/// A name that is not in the table must be a literal IP address, which is used with the caller's port.
#[derive(Clone, Default)]
pub struct TokioConnector {
    names: Arc<Mutex<BTreeMap<String, SocketAddr>>>,
}

impl TokioConnector {
    /// Makes a connector with an empty name table.
    pub fn new() -> TokioConnector {
        TokioConnector::default()
    }

    /// Maps a name to an address; the address's port replaces the caller's.
    pub fn add_name(&self, name: &str, address: SocketAddr) {
        self.names.lock().expect("no holder of the name table panics").insert(name.to_owned(), address);
    }

    fn resolve(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        if let Some(address) = self.names.lock().expect("no holder of the name table panics").get(host) {
            return Ok(*address);
        }
        // A URI writes a literal IPv6 address in brackets.
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) => Ok(SocketAddr::new(address, port)),
            Err(_) => Err(io::Error::new(io::ErrorKind::NotFound, format!("no host is called {host}"))),
        }
    }
}

impl Connect for TokioConnector {
    type Stream = TcpStream;

    async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.resolve(host, port)?).await?;
        // Requests are small and each waits for its answer, so Nagle's algorithm would only add delay.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok((stream, peer))
    }
}

/// Listens on a local address (port 0 chooses a free port) and returns the address in use.
pub async fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

//! Adapters that let hyper-util's legacy client, axum and tonic use the simulated network unchanged. Each is behind the
//! feature named after its crate.

#[cfg(feature = "hyper-util")]
mod hyper_util_adapter {
    use std::future::Future;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper_util::client::legacy::connect::{Connected, Connection};
    use hyper_util::rt::TokioIo;

    use super::super::connector::Connector;
    use super::super::socket::TcpStream;

    /// A connector for `hyper_util::client::legacy::Client` and for tonic's `Endpoint::connect_with_connector`. The
    /// host of a URI is the name of a host of the scenario; the port defaults to 443 for `https` and to 80 otherwise.
    /// No TLS is added.
    impl tower_service::Service<http::Uri> for Connector {
        type Response = TokioIo<TcpStream>;
        type Error = io::Error;
        type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<TcpStream>>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, uri: http::Uri) -> Self::Future {
            let connector = self.clone();
            Box::pin(async move {
                let Some(host) = uri.host() else {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        format!("`{uri}` names no host; use an absolute URI"),
                    ));
                };
                let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
                connector.connect(host, uri.port_u16().unwrap_or(default)).await.map(TokioIo::new)
            })
        }
    }

    impl Connection for TcpStream {
        fn connected(&self) -> Connected {
            Connected::new()
        }
    }
}

#[cfg(feature = "axum")]
mod axum_adapter {
    use std::io;
    use std::net::SocketAddr;

    use super::super::listener::TcpListener;
    use super::super::socket::TcpStream;

    /// Lets `axum::serve(cx.listener(80), router)` accept simulated connections.
    ///
    /// # Panics
    /// `accept` panics, and so fails the run, if the host already listens on the port: axum cannot return the error.
    impl axum::serve::Listener for TcpListener {
        type Io = TcpStream;
        type Addr = SocketAddr;

        async fn accept(&mut self) -> (TcpStream, SocketAddr) {
            match TcpListener::accept(self).await {
                Ok(accepted) => accepted,
                // The program is dead but has not been dropped yet.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::future::pending().await,
                Err(error) => panic!("{error}"),
            }
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            TcpListener::local_addr(self)
        }
    }
}

#[cfg(feature = "tonic")]
mod tonic_adapter {
    use std::io;
    use std::net::SocketAddr;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures_core::Stream;
    use tonic::transport::server::Connected;

    use super::super::listener::TcpListener;
    use super::super::socket::TcpStream;

    /// The address of the client, stored in the extensions of each request.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Peer(pub Option<SocketAddr>);

    impl Connected for TcpStream {
        type ConnectInfo = Peer;

        fn connect_info(&self) -> Peer {
            Peer(self.peer_addr().ok())
        }
    }

    /// Lets tonic's `Router::serve_with_incoming(cx.listener(80))` accept simulated connections.
    impl Stream for TcpListener {
        type Item = io::Result<TcpStream>;

        fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<TcpStream>>> {
            self.poll_accept(cx).map(|accepted| Some(accepted.map(|(stream, _)| stream)))
        }
    }
}

#[cfg(feature = "tonic")]
pub use tonic_adapter::Peer;

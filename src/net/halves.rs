//! The two halves of a connection, owned or borrowed, as tokio has them.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::TcpStream;

impl TcpStream {
    /// Splits the stream into owned halves. The connection closes when both are dropped.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        (OwnedReadHalf(stream.clone()), OwnedWriteHalf { stream, finishes: true })
    }

    /// Splits the stream into borrowed halves.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(self), WriteHalf(self))
    }
}

/// The reading half of a [`TcpStream`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing half of a [`TcpStream`]. Dropping it sends FIN.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    /// Whether dropping it sends FIN.
    finishes: bool,
}

/// The reading half of a [`TcpStream`], borrowed.
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing half of a [`TcpStream`], borrowed. Dropping it does nothing.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// Two halves that are not of the same stream.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are not of the same stream")
    }
}

impl Error for ReuniteError {}

impl OwnedReadHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    /// Returns both halves if they are not of the same stream.
    pub fn reunite(self, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.forget();
        Ok(Arc::into_inner(self.0).expect("a stream has two halves, and the other is gone"))
    }
}

impl OwnedWriteHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    /// Returns both halves if they are not of the same stream.
    pub fn reunite(self, read: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        read.reunite(self)
    }

    /// Drops this half without sending FIN. The connection closes with the other half.
    pub fn forget(mut self) {
        self.finishes = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.finishes {
            self.stream.finish();
        }
    }
}

/// What both halves tell of their stream.
macro_rules! half {
    ([$($generics:tt)*] $type:ty, $self:ident => $stream:expr) => {
        impl<$($generics)*> $type {
            /// The address of this end.
            ///
            /// # Errors
            /// Never fails today; the signature matches tokio's half.
            pub fn local_addr(&$self) -> io::Result<SocketAddr> {
                $stream.local_addr()
            }

            /// The address of the other end.
            ///
            /// # Errors
            /// Never fails today; the signature matches tokio's half.
            pub fn peer_addr(&$self) -> io::Result<SocketAddr> {
                $stream.peer_addr()
            }
        }

        impl<$($generics)*> AsRef<TcpStream> for $type {
            fn as_ref(&$self) -> &TcpStream {
                &$stream
            }
        }
    };
}

/// Implements reading for a half.
macro_rules! reads {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> $type {
            /// As [`TcpStream::peek`].
            ///
            /// # Errors
            /// Those of a read.
            pub async fn peek(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.peek(buffer).await
            }

            /// As [`TcpStream::readable`].
            ///
            /// # Errors
            /// Never fails.
            pub async fn readable(&self) -> io::Result<()> {
                self.0.readable().await
            }

            /// As [`TcpStream::try_read`].
            ///
            /// # Errors
            /// `WouldBlock` if a read would have to wait; else those of a read.
            pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.try_read(buffer)
            }
        }

        impl<$($generics)*> AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.0.poll_read_some(cx, buffer)
            }
        }
    };
}

/// Implements writing for a half.
macro_rules! writes {
    ([$($generics:tt)*] $type:ty, $self:ident => $stream:expr) => {
        impl<$($generics)*> $type {
            /// As [`TcpStream::writable`].
            ///
            /// # Errors
            /// Never fails.
            pub async fn writable(&$self) -> io::Result<()> {
                $stream.writable().await
            }

            /// As [`TcpStream::try_write`].
            ///
            /// # Errors
            /// `WouldBlock` if a write would have to wait; else those of a write.
            pub fn try_write(&$self, bytes: &[u8]) -> io::Result<usize> {
                $stream.try_write(bytes)
            }
        }

        impl<$($generics)*> AsyncWrite for $type {
            fn poll_write($self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                $stream.poll_write_some(cx, bytes)
            }

            fn poll_write_vectored(
                $self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                $stream.poll_write_slices(cx, slices)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown($self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                $stream.finish();
                Poll::Ready(Ok(()))
            }
        }
    };
}

half!([] OwnedReadHalf, self => self.0);
half!([] OwnedWriteHalf, self => self.stream);
half!(['a] ReadHalf<'a>, self => self.0);
half!(['a] WriteHalf<'a>, self => self.0);
reads!([] OwnedReadHalf);
reads!(['a] ReadHalf<'a>);
writes!([] OwnedWriteHalf, self => self.stream);
writes!(['a] WriteHalf<'a>, self => self.0);

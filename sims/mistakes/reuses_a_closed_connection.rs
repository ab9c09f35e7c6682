//! A client does not notice that the server has closed a connection, and sends the next request on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use squall::scenario::Mistake;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::changed;
use crate::scenarios::retries;
use crate::shop::net::AnyConnector;

pub fn mistake() -> Mistake {
    changed("reuses_a_closed_connection", retries::with, |setup| {
        setup.buyer_connects =
            |cx| AnyConnector::wrapping(cx.connector(), |stream| DeafToTheEnd { stream, has_written: true });
    })
    .breaks("P1")
    .in_part("the client's pool of connections")
}

/// A connection that looks for the end only after it has written.
struct DeafToTheEnd<S> {
    stream: S,
    has_written: bool,
}

impl<S: AsyncRead + Unpin> AsyncRead for DeafToTheEnd<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.has_written {
            // Whoever writes next polls again.
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if matches!(read, Poll::Ready(Ok(()))) && into.filled().len() > before {
            self.has_written = false;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for DeafToTheEnd<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.has_written = true;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

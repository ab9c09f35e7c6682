//! A gateway closes a connection on which it has cancelled a request, and with it all other requests on that connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use squall::scenario::Mistake;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::changed;
use crate::scenarios::protocols;
use crate::shop::net::AnyConnector;

pub fn mistake() -> Mistake {
    changed("cancelled_stream_closes_its_connection", protocols::with, |setup| {
        setup.gateway_connects = |cx| {
            AnyConnector::wrapping(cx.connector(), |stream| Closing {
                stream,
                unread: Vec::new(),
                is_over: false,
                reader: None,
            })
        };
    })
    .breaks("P4")
    .in_part("what the gateway does with a stream that timed out")
}

/// A connection of HTTP/2 that ends once a stream of it has been reset.
struct Closing<S> {
    stream: S,
    /// What was written and is not yet known to be whole frames.
    unread: Vec<u8>,
    is_over: bool,
    reader: Option<Waker>,
}

/// What a client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER_BYTES: usize = 9;
const RST_STREAM: u8 = 3;

impl<S> Closing<S> {
    /// Looks for the reset of a stream among the frames that are written.
    fn note(&mut self, written: &[u8]) {
        self.unread.extend_from_slice(written);
        if self.unread.starts_with(PREFACE) {
            self.unread.drain(..PREFACE.len());
        }
        while let Some(header) = self.unread.first_chunk::<FRAME_HEADER_BYTES>() {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize + FRAME_HEADER_BYTES;
            if self.unread.len() < length {
                return;
            }
            if header[3] == RST_STREAM {
                self.is_over = true;
                self.reader.take().into_iter().for_each(Waker::wake);
            }
            self.unread.drain(..length);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Closing<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        self.reader = Some(context.waker().clone());
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Closing<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.note(&bytes[..count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

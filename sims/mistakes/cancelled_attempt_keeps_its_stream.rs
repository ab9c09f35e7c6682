//! A gateway that gives a request up leaves its connection open behind it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use squall::scenario::Mistake;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::changed;
use crate::scenarios::health_checks;
use crate::shop::net::AnyConnector;

pub fn mistake() -> Mistake {
    changed("cancelled_attempt_keeps_its_stream", health_checks::with, |setup| {
        setup.gateway_connects = |cx| AnyConnector::wrapping(cx.connector(), |stream| Kept { stream: Some(stream) });
    })
    .breaks("P3")
    .in_part("what the gateway does with a request that timed out")
}

/// A connection that outlives its owner.
struct Kept<S: Send + Unpin + 'static> {
    stream: Option<S>,
}

impl<S: Send + Unpin + 'static> Kept<S> {
    fn stream(&mut self) -> Pin<&mut S> {
        Pin::new(self.stream.as_mut().expect("only dropping takes it"))
    }
}

impl<S: Send + Unpin + 'static> Drop for Kept<S> {
    fn drop(&mut self) {
        let stream = self.stream.take();
        // Without a runtime, the process is over, and so is its connection.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _stream = stream;
                std::future::pending::<()>().await;
            });
        }
    }
}

impl<S: AsyncRead + Send + Unpin + 'static> AsyncRead for Kept<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, into)
    }
}

impl<S: AsyncWrite + Send + Unpin + 'static> AsyncWrite for Kept<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

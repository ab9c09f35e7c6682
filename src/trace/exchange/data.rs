//! What is known of an exchange.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::trace::event::FlowKey;
use crate::trace::host_id::HostId;

/// The version of HTTP that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2, with prior knowledge.
    Http2,
}

/// How an exchange ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The whole response reached the client.
    Complete,
    /// The client gave up: it reset the stream, or closed or reset the connection.
    Abandoned,
    /// The server reset the stream or the connection.
    Reset,
    /// The server closed the connection, or ended the stream, before the response was whole.
    Closed,
    /// Something on the way reset the connection.
    Cut,
    /// The server said that it had not begun to process the request (HTTP/2: `REFUSED_STREAM`, or `GOAWAY` with an
    /// earlier stream).
    Refused,
    /// It had not ended when the run did.
    Open,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ending::Complete => "complete",
            Ending::Abandoned => "given up by the client",
            Ending::Reset => "reset by the server",
            Ending::Closed => "closed by the server before it was whole",
            Ending::Cut => "reset on the way",
            Ending::Refused => "refused before it was processed",
            Ending::Open => "still open",
        })
    }
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpMessage {
    /// The headers and trailers that are kept ([`KeptHeaders`](super::KeptHeaders)), with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The number of bytes of the body that were sent.
    pub body_length: u64,
    /// SipHash-1-3 of these bytes.
    pub body_digest: u64,
    /// When its first byte was sent.
    pub first_sent: Duration,
    /// When its last byte was sent; `None` if it was never whole.
    pub last_sent: Option<Duration>,
    /// When its first byte reached the other machine.
    pub first_arrived: Option<Duration>,
    /// When its last byte reached the other machine.
    pub last_arrived: Option<Duration>,
}

impl HttpMessage {
    /// The value of a header or trailer that is kept; `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// One HTTP request with its response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The connection; its `from` is the client, and its `to` the server.
    pub connection: FlowKey,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// HTTP/2: the stream. HTTP/1: the position of the request on its connection, from 0.
    pub stream: u32,
    /// The method, for example `GET`.
    pub method: String,
    /// The target of the request: the path and the query.
    pub path: String,
    /// The request.
    pub request: HttpMessage,
    /// The response, from its first byte on.
    pub response: Option<HttpMessage>,
    /// The status of the response.
    pub status: Option<u16>,
    /// gRPC: the status in the trailers.
    pub grpc_status: Option<u32>,
    /// Whether it is a call of gRPC.
    pub is_grpc: bool,
    /// Since when the client's machine had known that the connection was about to close (by a FIN, a `GOAWAY`, or a
    /// response with `Connection: close`), if it had when the request began.
    pub closing_since: Option<Duration>,
    /// HTTP/2: when the client reset the stream.
    pub cancelled_at: Option<Duration>,
    /// How it ended for the client.
    pub ending: Ending,
    /// When it ended for the client.
    pub ended_at: Option<Duration>,
}

/// A server of HTTP/2 said that it will process no more streams on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goaway {
    /// When it said so.
    pub at: Duration,
    /// The connection.
    pub connection: FlowKey,
    /// The last stream that it will process, or 2^31 - 1 if it does not know yet.
    pub last_stream: u32,
}

/// A TCP connection: when it was asked for, and how it ended. All times are those at which its hosts sent or received
/// something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpConnection {
    /// The connection; its `from` is the client, and its `to` the server.
    pub connection: FlowKey,
    /// When the client asked for it.
    pub asked_at: Duration,
    /// When the client learnt that it was accepted.
    pub opened_at: Option<Duration>,
    /// When the server's machine refused it, if it never opened.
    pub refused_at: Option<Duration>,
    /// When the client closed or reset it.
    pub closed_by_client_at: Option<Duration>,
    /// When the server closed or reset it.
    pub closed_by_server_at: Option<Duration>,
    /// When the client learnt that it had ended: by a FIN or a reset.
    pub end_seen_by_client_at: Option<Duration>,
    /// When the server learnt that its client had gone, or would send nothing more: by a FIN or a reset.
    pub end_seen_by_server_at: Option<Duration>,
    /// Whether the client saw a reset, so that it has nothing left to close.
    pub is_reset_for_client: bool,
    /// Whether the server saw a reset.
    pub is_reset_for_server: bool,
}

impl TcpConnection {
    /// A connection that was asked for, and of which nothing else is known.
    #[cfg(test)]
    pub(crate) fn asked(connection: FlowKey, asked_at: Duration) -> TcpConnection {
        TcpConnection {
            connection,
            asked_at,
            opened_at: None,
            refused_at: None,
            closed_by_client_at: None,
            closed_by_server_at: None,
            end_seen_by_client_at: None,
            end_seen_by_server_at: None,
            is_reset_for_client: false,
            is_reset_for_server: false,
        }
    }

    /// The host that asked for it.
    pub fn client(&self) -> HostId {
        self.connection.from
    }

    /// The host that was asked.
    pub fn server(&self) -> HostId {
        self.connection.to
    }

    /// When it was over for its client: it had closed it, or learnt of its end.
    pub fn over_for_client_at(&self) -> Option<Duration> {
        [self.closed_by_client_at, self.end_seen_by_client_at, self.refused_at].into_iter().flatten().min()
    }
}

impl Exchange {
    /// The host that asked.
    pub fn client(&self) -> HostId {
        self.connection.from
    }

    /// The host that was asked.
    pub fn server(&self) -> HostId {
        self.connection.to
    }

    /// The path without the query.
    pub fn path_only(&self) -> &str {
        self.path.find('?').map_or(&self.path, |query| &self.path[..query])
    }

    /// Whether the client received the whole response.
    pub fn is_complete(&self) -> bool {
        self.ending == Ending::Complete
    }

    /// Whether the client received a whole response that reports no failure of the server: a status below 500, and for
    /// gRPC one that is neither `UNKNOWN`, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`, `ABORTED`, `INTERNAL`,
    /// `UNAVAILABLE` nor `DATA_LOSS`.
    pub fn is_answered(&self) -> bool {
        let grpc_fails = matches!(self.grpc_status, Some(2 | 4 | 8 | 10 | 13 | 14 | 15));
        self.is_complete() && self.status.is_some_and(|status| status < 500) && !grpc_fails
    }

    /// A header of the request that is kept; `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }
}

/// For example `POST /orders` or `POST /orders 503`.
impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        match (self.status, self.grpc_status) {
            (_, Some(grpc)) => write!(f, " grpc-status {grpc}"),
            (Some(status), None) => write!(f, " {status}"),
            (None, None) => Ok(()),
        }
    }
}

//! Exchanges: HTTP requests with their responses, as they are read off the wire.
//!
//! The network logs the bytes of every connection (`WireLog`), and after the run they are read: HTTP/1.0 and 1.1
//! with `httparse`, HTTP/2 frames here and their headers with `httlib-hpack`. What is not HTTP stays bytes, and TLS is
//! recognised and counted. Reading needs memory in proportion to what was logged, which is limited, and it never fails: a
//! connection that stops being HTTP is left alone from there on.

mod calls;
mod connection;
mod data;
mod draft;
mod http1;
mod http2;
mod kept;
mod observed;
mod wire_log;

pub(super) use calls::KnownCalls;
pub(crate) use calls::trace_of;
pub use calls::{Call, CallIdentity, calls, possible_causes};
pub use data::{Ending, Exchange, Goaway, HttpMessage, HttpVersion, TcpConnection};
pub use kept::KeptHeaders;
pub(super) use observed::observe;
pub use observed::{Observed, observe_bytes};
pub(super) use wire_log::WireLog;

#[cfg(test)]
mod tests;

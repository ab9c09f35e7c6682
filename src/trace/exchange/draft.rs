//! An exchange that is still being read.

use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::data::{Ending, Exchange, HttpMessage, HttpVersion};
use crate::trace::event::FlowKey;

/// Who sends: the client of a connection, or its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
}

/// Something for each sender of a connection.
#[derive(Debug, Default)]
pub(super) struct Sides<T> {
    pub(super) client: T,
    pub(super) server: T,
}

impl<T> Sides<T> {
    pub(super) fn of(&mut self, sender: Sender) -> &mut T {
        match sender {
            Sender::Client => &mut self.client,
            Sender::Server => &mut self.server,
        }
    }
}

/// A point in the stream of one side: the time, and the number of bytes before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) at: Duration,
    pub(super) offset: u64,
}

/// A message that is still being read.
#[derive(Debug)]
pub(super) struct MessageDraft {
    pub(super) message: HttpMessage,
    digest: SipHasher13,
    /// The offset of its first byte, and of the byte behind its last.
    pub(super) begins: u64,
    pub(super) ends: Option<u64>,
}

impl MessageDraft {
    pub(super) fn new(begins: Point) -> MessageDraft {
        let message = HttpMessage {
            headers: Vec::new(),
            body_length: 0,
            body_digest: 0,
            first_sent: begins.at,
            last_sent: None,
            first_arrived: None,
            last_arrived: None,
        };
        MessageDraft { message, digest: SipHasher13::new(), begins: begins.offset, ends: None }
    }

    pub(super) fn body(&mut self, bytes: &[u8]) {
        self.message.body_length += bytes.len() as u64;
        self.digest.write(bytes);
    }

    pub(super) fn finish(&mut self, end: Point) {
        if self.ends.is_none() {
            self.ends = Some(end.offset);
            self.message.last_sent = Some(end.at);
        }
    }

    fn into_message(mut self) -> HttpMessage {
        self.message.body_digest = self.digest.finish();
        self.message
    }
}

/// An exchange that is still being read.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) version: HttpVersion,
    pub(super) stream: u32,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: Option<u16>,
    pub(super) grpc_status: Option<u32>,
    pub(super) is_grpc: bool,
    pub(super) request: MessageDraft,
    pub(super) response: Option<MessageDraft>,
    /// HTTP/2: who reset the stream first, and when.
    pub(super) reset: Option<(Duration, Ending)>,
}

impl Draft {
    pub(super) fn message(&mut self, from: Sender) -> Option<&mut MessageDraft> {
        match from {
            Sender::Client => Some(&mut self.request),
            Sender::Server => self.response.as_mut(),
        }
    }

    pub(super) fn into_exchange(
        self,
        connection: FlowKey,
        closing_since: Option<Duration>,
        ending: Ending,
        ended_at: Option<Duration>,
    ) -> Exchange {
        let is_cancelled = |(at, by): (Duration, Ending)| (by == Ending::Abandoned).then_some(at);
        Exchange {
            connection,
            version: self.version,
            stream: self.stream,
            method: self.method,
            path: self.path,
            request: self.request.into_message(),
            response: self.response.map(MessageDraft::into_message),
            status: self.status,
            grpc_status: self.grpc_status,
            is_grpc: self.is_grpc,
            closing_since,
            cancelled_at: self.reset.and_then(is_cancelled),
            ending,
            ended_at,
        }
    }
}

//! One connection as it is read: which protocol it speaks, its exchanges, and how they end.

use std::time::Duration;

use super::data::{Ending, Exchange, Goaway, TcpConnection};
use super::draft::{Draft, MessageDraft, Point, Sender, Sides};
use super::http1::{Http1, Stop};
use super::http2::{Http2, PREFACE};
use super::kept::KeptHeaders;
use super::wire_log::Happened;
use crate::trace::event::FlowKey;

/// What a connection speaks, as far as is known.
#[derive(Debug)]
enum Protocol {
    /// Nothing has been sent, or too little to tell.
    Unknown(Vec<u8>),
    Http1(Http1),
    Http2(Box<Http2>),
    Tls,
    /// Something else, or another protocol after an upgrade.
    Bytes,
}

/// What is sent in one direction, and how it ends.
#[derive(Debug, Default)]
struct Direction {
    sent: u64,
    arrived: u64,
    /// The number of bytes that had arrived at each time.
    arrivals: Vec<(u64, Duration)>,
    finished_at: Option<Duration>,
    /// When this side sent resets: also to refuse a connect that was tried again.
    resets: Vec<Duration>,
    finish_arrived_at: Option<Duration>,
    /// When resets arrived that seem to come from this side.
    arrived_resets: Vec<Duration>,
}

impl Direction {
    /// When the byte before this offset had arrived.
    fn arrived_at(&self, offset: u64) -> Option<Duration> {
        let place = self.arrivals.partition_point(|(arrived, _)| *arrived < offset);
        self.arrivals.get(place).map(|(_, at)| *at)
    }

    fn resolve(&self, message: &mut MessageDraft) {
        message.message.first_arrived = self.arrived_at(message.begins + 1);
        message.message.last_arrived = message.ends.and_then(|end| self.arrived_at(end));
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    key: FlowKey,
    asked_at: Option<Duration>,
    opened_at: Option<Duration>,
    protocol: Protocol,
    directions: Sides<Direction>,
    drafts: Vec<Draft>,
}

impl Connection {
    pub(super) fn new(key: FlowKey) -> Connection {
        Connection {
            key,
            asked_at: None,
            opened_at: None,
            protocol: Protocol::Unknown(Vec::new()),
            directions: Sides::default(),
            drafts: Vec::new(),
        }
    }

    pub(super) fn take_in(&mut self, at: Duration, from: Sender, happened: Happened<'_>, kept: &KeptHeaders) {
        let direction = self.directions.of(from);
        match happened {
            Happened::Sent(bytes) => {
                let start = Point { at, offset: direction.sent };
                direction.sent += bytes.len() as u64;
                self.read(from, bytes, start, kept);
            }
            Happened::Finished => {
                direction.finished_at.get_or_insert(at);
                let end = Point { at, offset: direction.sent };
                if let Protocol::Http1(http1) = &mut self.protocol {
                    http1.end(from, end, &mut self.drafts);
                }
            }
            Happened::Reset => {
                direction.resets.push(at);
            }
            Happened::Arrived(length) => {
                direction.arrived += u64::from(length);
                direction.arrivals.push((direction.arrived, at));
            }
            Happened::FinishArrived => {
                direction.finish_arrived_at.get_or_insert(at);
            }
            Happened::ResetArrived => {
                direction.arrived_resets.push(at);
            }
            Happened::Asked => {
                self.asked_at.get_or_insert(at);
            }
            Happened::AcceptArrived => {
                self.opened_at.get_or_insert(at);
            }
        }
    }

    fn read(&mut self, from: Sender, bytes: &[u8], start: Point, kept: &KeptHeaders) {
        let result = match &mut self.protocol {
            Protocol::Unknown(_) if from == Sender::Server => Err(Stop::NotHttp),
            Protocol::Unknown(before) => {
                before.extend_from_slice(bytes);
                let before = std::mem::take(before);
                let begin = Point { offset: 0, ..start };
                match protocol_of(&before) {
                    Protocol::Unknown(_) => {
                        self.protocol = Protocol::Unknown(before);
                        return;
                    }
                    known => self.protocol = known,
                }
                return self.read(from, &before, begin, kept);
            }
            Protocol::Http1(http1) => http1.read(from, bytes, start, &mut self.drafts, kept),
            Protocol::Http2(http2) => http2.read(from, bytes, start, &mut self.drafts, kept),
            Protocol::Tls | Protocol::Bytes => Ok(()),
        };
        if result.is_err() {
            self.protocol = Protocol::Bytes;
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.protocol, Protocol::Tls)
    }

    /// Whether nothing of it could be read, although bytes were sent.
    pub(super) fn is_unread(&self) -> bool {
        self.drafts.is_empty() && self.directions.client.sent + self.directions.server.sent > 0
    }

    /// The times at which the server said that it will process no more streams.
    pub(super) fn goaways(&self) -> Vec<Goaway> {
        let Protocol::Http2(http2) = &self.protocol else { return Vec::new() };
        let goaway =
            |(end, last_stream): &(Point, u32)| Goaway { at: end.at, connection: self.key, last_stream: *last_stream };
        http2.goaways.iter().map(goaway).collect()
    }

    /// When it was asked for, and how it ended; `None` if the log does not say when it was asked for.
    pub(super) fn as_tcp(&self) -> Option<TcpConnection> {
        let Sides { client, server } = &self.directions;
        let first = |times: [Option<Duration>; 2]| times.into_iter().flatten().min();
        let refused_at = server.resets.first().copied().filter(|_| self.opened_at.is_none());
        Some(TcpConnection {
            connection: self.key,
            asked_at: self.asked_at?,
            opened_at: self.opened_at,
            refused_at,
            closed_by_client_at: first([client.finished_at, client.resets.first().copied()]),
            closed_by_server_at: first([server.finished_at, server.resets.first().copied()]),
            end_seen_by_client_at: first([server.finish_arrived_at, server.arrived_resets.first().copied()]),
            end_seen_by_server_at: first([client.finish_arrived_at, client.arrived_resets.first().copied()]),
            is_reset_for_client: !server.arrived_resets.is_empty(),
            is_reset_for_server: !client.arrived_resets.is_empty(),
        })
    }

    /// Its exchanges. `client_gone_at` is when the client's machine lost its power.
    pub(super) fn into_exchanges(self, client_gone_at: impl Fn(Duration) -> Option<Duration>) -> Vec<Exchange> {
        let Connection { key, directions: Sides { client, server }, drafts, protocol, .. } = self;
        let goaway = match protocol {
            Protocol::Http2(http2) => http2.goaways.first().and_then(|(end, _)| server.arrived_at(end.offset)),
            _ => None,
        };
        let mut closing = [server.finish_arrived_at, goaway].into_iter().flatten().min();
        let finish = move |mut draft: Draft| {
            client.resolve(&mut draft.request);
            if let Some(response) = &mut draft.response {
                server.resolve(response);
            }
            let gone_at = client_gone_at(draft.request.message.first_sent);
            let (ending, ended_at) = ending(&draft, &client, &server, gone_at);
            let closing_since = closing.filter(|since| *since <= draft.request.message.first_sent);
            let exchange = draft.into_exchange(key, closing_since, ending, ended_at);
            if let Some(response) = &exchange.response
                && response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
            {
                closing = closing.into_iter().chain(response.last_arrived).min();
            }
            exchange
        };
        drafts.into_iter().map(finish).collect()
    }
}

/// The protocol of a connection whose client sends these bytes first.
fn protocol_of(bytes: &[u8]) -> Protocol {
    if bytes.starts_with(PREFACE) {
        return Protocol::Http2(Box::new(Http2::new()));
    }
    if PREFACE.starts_with(bytes) {
        return Protocol::Unknown(Vec::new());
    }
    match bytes {
        // A handshake record of any version of TLS.
        [0x16] => Protocol::Unknown(Vec::new()),
        [0x16, 3, ..] => Protocol::Tls,
        [b'A'..=b'Z' | b'a'..=b'z' | b'\r' | b'\n', ..] => Protocol::Http1(Http1::default()),
        _ => Protocol::Bytes,
    }
}

/// How an exchange ended for its client, and when.
fn ending(
    draft: &Draft,
    client: &Direction,
    server: &Direction,
    client_gone_at: Option<Duration>,
) -> (Ending, Option<Duration>) {
    let began = draft.request.message.first_sent;
    let since = |times: &[Duration]| times.iter().copied().find(|at| *at >= began);
    let whole_at = draft.response.as_ref().and_then(|response| response.message.last_arrived);
    // A client that has only finished sending still receives.
    let cancelled_at = draft.reset.filter(|(_, ending)| *ending == Ending::Abandoned).map(|(at, _)| at);
    let gave_up_at = [since(&client.resets), client_gone_at, cancelled_at].into_iter().flatten().min();
    if let Some(whole_at) = whole_at
        && gave_up_at.is_none_or(|gave_up_at| gave_up_at > whole_at)
    {
        return (Ending::Complete, Some(whole_at));
    }
    let ends = [
        draft.reset,
        client.finished_at.map(|at| (at, Ending::Abandoned)),
        gave_up_at.map(|at| (at, Ending::Abandoned)),
        // The request may have crossed the end of the stream.
        server.finished_at.map(|at| (at.max(began), Ending::Closed)),
        since(&server.resets).map(|at| (at, Ending::Reset)),
        // What the server has sent came first, so this is of nobody.
        since(&server.arrived_resets).map(|at| (at, Ending::Cut)),
        server.finish_arrived_at.filter(|at| *at >= began).map(|at| (at, Ending::Cut)),
    ];
    let first = ends.into_iter().flatten().filter(|(at, _)| *at >= began).min_by_key(|(at, _)| *at);
    first.map_or((Ending::Open, None), |(at, ending)| (ending, Some(at)))
}

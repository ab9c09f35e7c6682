//! One connection: its two ends as their kernels see them, its segments, and the order that they keep on the wire.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use super::watch::Watch;
use crate::trace::{FlowKey, HostId, SegmentKind};

/// The most bytes that a sender may have in flight or unread at the receiver: Linux's initial receive window grows to
/// about this size.
pub(crate) const WINDOW: usize = 256 * 1024;

/// A connection's index in a run.
pub(crate) type FlowId = u32;

/// The side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The host that connected.
    Client,
    /// The host that accepted.
    Server,
}

impl Side {
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Side::Client => 0,
            Side::Server => 1,
        }
    }
}

/// The state of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndState {
    /// The client waits for an answer to its SYN.
    Connecting,
    /// Bytes may flow.
    Open,
    /// The connection is gone: it was refused or reset, or its kernel gave it up. The program has yet to learn why.
    Gone,
}

/// The options of a socket that its program may set and read again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// `SO_LINGER`: with a time of 0, closing resets the connection.
    pub(super) linger: Option<Duration>,
    pub(super) is_nodelay: bool,
    pub(super) ttl: u32,
}

impl Settings {
    /// Whether closing resets the connection.
    pub(super) fn resets_on_close(&self) -> bool {
        self.linger == Some(Duration::ZERO)
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { linger: None, is_nodelay: false, ttl: 64 }
    }
}

/// One end of a connection, while a program or an accept queue holds it.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) state: EndState,
    /// Why the connection is gone, until a call of the program has returned it.
    pub(crate) error: Option<io::ErrorKind>,
    pub(crate) received: VecDeque<Bytes>,
    pub(crate) peer_finished: bool,
    /// When the peer finished, or the connection failed.
    pub(crate) ended_at: Option<Duration>,
    /// Whether the program of the listening host has accepted it.
    pub(crate) accepted: bool,
    /// Whether bytes have arrived since bytes were last sent back.
    pub(crate) unanswered: bool,
    pub(crate) finished: bool,
    /// What its program has set and may read again.
    pub(super) settings: Settings,
    /// Set if the kernel keeps the connection alive (`SO_KEEPALIVE`).
    pub(super) keep_alive: Option<Watch>,
    /// How long what was sent may stay unacknowledged (`TCP_USER_TIMEOUT`).
    pub(crate) user_timeout: Option<Duration>,
    /// Bytes that may still be sent before the peer makes room.
    pub(crate) credit: usize,
    /// Bytes read since room was last announced to the peer.
    pub(crate) unannounced: usize,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
    /// Those who wait for any change, beside the reader and the writer.
    pub(super) waiting: Vec<Waker>,
    /// Woken by every change, as long as the end exists.
    pub(super) watcher: Option<Waker>,
}

impl End {
    pub(crate) fn new(state: EndState) -> End {
        End {
            state,
            error: None,
            received: VecDeque::new(),
            peer_finished: false,
            ended_at: None,
            accepted: false,
            unanswered: false,
            finished: false,
            settings: Settings::default(),
            keep_alive: None,
            user_timeout: None,
            credit: WINDOW,
            unannounced: 0,
            reader: None,
            writer: None,
            waiting: Vec::new(),
            watcher: None,
        }
    }

    /// Whether closing this end now closes the connection in order, and before the peer does.
    pub(super) fn closes_first(&self) -> bool {
        self.state == EndState::Open
            && !self.peer_finished
            && !self.settings.resets_on_close()
            && self.received.is_empty()
    }

    /// Whether a request is in flight on this connection, as far as the server's kernel can tell.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.accepted && self.unanswered
    }

    /// The connection is gone. As on Linux, the program learns why only once, and only that its peer no longer listens
    /// if the peer had finished before.
    pub(crate) fn fail(&mut self, error: io::ErrorKind, now: Duration, wake: &mut Vec<Waker>) {
        self.state = EndState::Gone;
        self.ended_at.get_or_insert(now);
        self.error = Some(if self.peer_finished { io::ErrorKind::BrokenPipe } else { error });
        self.wake_all(wake);
    }

    /// Wakes after a change that reader and writer must see.
    pub(crate) fn wake_all(&mut self, wake: &mut Vec<Waker>) {
        wake.extend(self.reader.take());
        self.wake_writer(wake);
    }

    /// Wakes after a change that the writer must see.
    pub(super) fn wake_writer(&mut self, wake: &mut Vec<Waker>) {
        wake.extend(self.writer.take());
        wake.append(&mut self.waiting);
        wake.extend(self.watcher.clone());
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    /// The address that the client connected to.
    pub(crate) address: IpAddr,
    /// The client's ephemeral port.
    pub(crate) client_port: u16,
    /// The client's end and the server's end.
    pub(crate) ends: [Option<End>; 2],
    /// Segments sent so far, by side.
    pub(crate) sent: [u32; 2],
    /// When the latest segment of each side arrives: no later segment may overtake it.
    pub(crate) last_due: [Duration; 2],
    /// Since when the kernel of each side no longer knows the connection, and so sends nothing on it again.
    pub(crate) gone_at: [Option<Duration>; 2],
    /// Whether a fault has broken the connection: no segment sent on it afterwards arrives.
    pub(crate) is_severed: bool,
}

impl Flow {
    pub(crate) fn new(key: FlowKey, address: IpAddr, client_port: u16) -> Flow {
        let (ends, sent, last_due, gone_at) = ([None, None], [0; 2], [Duration::ZERO; 2], [None; 2]);
        Flow { key, address, client_port, ends, sent, last_due, gone_at, is_severed: false }
    }

    pub(crate) fn host(&self, side: Side) -> HostId {
        match side {
            Side::Client => self.key.from,
            Side::Server => self.key.to,
        }
    }

    /// The kernel of this side forgets the connection.
    pub(crate) fn forget(&mut self, side: Side, now: Duration) {
        self.gone_at[side.index()].get_or_insert(now);
    }

    /// Whether the kernel of this side knew the connection up to this time.
    pub(crate) fn is_known(&self, side: Side, at: Duration) -> bool {
        self.gone_at[side.index()].is_none_or(|gone| at <= gone)
    }

    /// Records that this side sends bytes; returns whether they answer a request in flight.
    pub(crate) fn mark_answered(&mut self, side: Side) -> bool {
        let Some(end) = self.end(side) else { return false };
        let was_in_flight = end.is_in_flight();
        end.unanswered = false;
        was_in_flight
    }

    pub(crate) fn end(&mut self, side: Side) -> Option<&mut End> {
        self.ends[side.index()].as_mut()
    }

    /// Whether both ends are open, neither has finished sending, and nothing is unread.
    pub(super) fn is_quiet(&self) -> bool {
        let is_quiet =
            |end: &End| end.state == EndState::Open && end.received.is_empty() && !end.finished && !end.peer_finished;
        !self.is_severed && self.ends.iter().all(|end| end.as_ref().is_some_and(is_quiet))
    }
}

impl Packet {
    /// Whether a kernel sends a segment of this kind again only when its peer or program asks for it. An injected
    /// segment has no kernel that would.
    pub(crate) fn is_sent_once(&self) -> bool {
        use SegmentKind::{Ack, Datagram, Probe, Rst, Syn, SynAck, Unreachable};
        matches!(self.kind, Syn | SynAck | Ack | Probe | Rst | Datagram | Unreachable) || self.ordinal == u32::MAX
    }

    /// Whether it belongs to no connection, and so may overtake others.
    pub(crate) fn is_datagram(&self) -> bool {
        matches!(self.kind, SegmentKind::Datagram | SegmentKind::Unreachable)
    }
}

/// A segment in flight.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) flow: FlowId,
    /// The side that sent it.
    pub(crate) side: Side,
    pub(crate) kind: SegmentKind,
    pub(crate) bytes: Bytes,
    /// For a window update, the additional room.
    pub(crate) room: u32,
    /// Its number among the segments of its side.
    pub(crate) ordinal: u32,
    pub(crate) sent_at: Duration,
    /// The number of its latest transmission, from 0.
    pub(crate) attempt: u32,
    /// The fault that lost a transmission of it.
    pub(crate) lost_by: Option<u32>,
    /// Whether a transmission got through to the faults of connections.
    pub(crate) passed: bool,
    /// When it arrives; meaningful once the wire has decided.
    pub(crate) due: Duration,
    /// Set if it was injected or split off on the way: the ticket of the segment that it follows, if both are due at the
    /// same time.
    pub(crate) follows: Option<u32>,
}

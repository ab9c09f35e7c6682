//! What the network logs of every connection while a run goes on: bytes as they are sent, how many of them arrive, and
//! ends. Nothing is read before the run is over, so that an observed run is the same run.

use std::time::Duration;

use crate::sandbox::WIRE_LOG_BYTES;
use crate::trace::event::{FlowKey, SegmentKind};
use crate::trace::host_id::HostId;

/// The most bytes that are logged. The memory is reserved for every run and touched by none that is not observed.
const LOG_BYTES: usize = WIRE_LOG_BYTES;

/// The length of an entry without its bytes.
const HEADER_BYTES: usize = 8 + 2 + 2 + 2 + 4 + 1 + 4;

/// What happened on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened<'a> {
    /// One side sent bytes for the first time.
    Sent(&'a [u8]),
    /// One side announced that it sends nothing more.
    Finished,
    /// One side reset the connection.
    Reset,
    /// So many bytes of one side arrived at the other.
    Arrived(u32),
    /// The end of what one side sends arrived.
    FinishArrived,
    /// A reset arrived that seems to come from one side.
    ResetArrived,
    /// The client asked for the connection.
    Asked,
    /// The server's answer to that arrived.
    AcceptArrived,
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) at: Duration,
    pub(super) connection: FlowKey,
    /// Whether it is about what the client sends.
    pub(super) forward: bool,
    pub(super) happened: Happened<'a>,
}

/// The log.
#[derive(Clone, Debug)]
pub(in crate::trace) struct WireLog {
    is_on: bool,
    /// Whether something did not fit. Nothing is logged after that.
    is_full: bool,
    bytes: Vec<u8>,
}

impl WireLog {
    pub(in crate::trace) fn new(is_on: bool) -> WireLog {
        WireLog { is_on, is_full: false, bytes: Vec::with_capacity(LOG_BYTES) }
    }

    /// Switches logging on or off, before anything is logged.
    pub(in crate::trace) fn switch(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    pub(in crate::trace) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    #[inline]
    pub(in crate::trace) fn sent(
        &mut self,
        at: Duration,
        connection: FlowKey,
        forward: bool,
        kind: SegmentKind,
        bytes: &[u8],
    ) {
        if !self.is_on {
            return;
        }
        match kind {
            SegmentKind::Data => self.append(at, connection, forward, 0, bytes.len() as u32, bytes),
            SegmentKind::Fin => self.append(at, connection, forward, 1, 0, &[]),
            SegmentKind::Rst => self.append(at, connection, forward, 2, 0, &[]),
            SegmentKind::Syn => self.append(at, connection, forward, 6, 0, &[]),
            _ => {}
        }
    }

    #[inline]
    pub(in crate::trace) fn arrived(
        &mut self,
        at: Duration,
        connection: FlowKey,
        forward: bool,
        kind: SegmentKind,
        length: usize,
    ) {
        if !self.is_on {
            return;
        }
        match kind {
            SegmentKind::Data => self.append(at, connection, forward, 3, length as u32, &[]),
            SegmentKind::Rst => self.append(at, connection, forward, 4, 0, &[]),
            SegmentKind::Fin => self.append(at, connection, forward, 5, 0, &[]),
            SegmentKind::SynAck => self.append(at, connection, forward, 7, 0, &[]),
            _ => {}
        }
    }

    /// Appends an entry without allocating, or nothing if it does not fit.
    fn append(&mut self, at: Duration, key: FlowKey, forward: bool, kind: u8, length: u32, bytes: &[u8]) {
        if self.is_full || self.bytes.len() + HEADER_BYTES + bytes.len() > LOG_BYTES {
            self.is_full = true;
            return;
        }
        self.bytes.extend_from_slice(&(at.as_nanos() as u64).to_le_bytes());
        self.bytes.extend_from_slice(&key.from.0.to_le_bytes());
        self.bytes.extend_from_slice(&key.to.0.to_le_bytes());
        self.bytes.extend_from_slice(&key.port.to_le_bytes());
        self.bytes.extend_from_slice(&key.ordinal.to_le_bytes());
        self.bytes.push((kind << 1) | u8::from(forward));
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    /// The entries in order of time.
    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        let mut entries = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let Some((entry, after)) = next_entry(rest) {
            entries.push(entry);
            rest = after;
        }
        // Hosts take their turns within a step, so the log is in order only up to that.
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    /// Frees the memory.
    pub(in crate::trace) fn release(&mut self) {
        self.bytes = Vec::new();
    }
}

fn next_entry(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let two = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let four = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let at = Duration::from_nanos(u64::from(four(0)) | (u64::from(four(4)) << 32));
    let connection = FlowKey { from: HostId(two(8)), to: HostId(two(10)), port: two(12), ordinal: four(14) };
    let (kind, length) = (header[18], four(19));
    let (happened, rest) = match kind >> 1 {
        0 => {
            let (bytes, rest) = rest.split_at_checked(length as usize)?;
            (Happened::Sent(bytes), rest)
        }
        1 => (Happened::Finished, rest),
        2 => (Happened::Reset, rest),
        3 => (Happened::Arrived(length), rest),
        4 => (Happened::ResetArrived, rest),
        5 => (Happened::FinishArrived, rest),
        6 => (Happened::Asked, rest),
        _ => (Happened::AcceptArrived, rest),
    };
    Some((Entry { at, connection, forward: kind & 1 == 1, happened }, rest))
}

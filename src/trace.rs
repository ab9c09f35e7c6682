//! The trace: what the world did, in virtual time, and its fingerprint.
//!
//! ```
//! use squall::prelude::*;
//!
//! /// A check that reads the trace: a server that is killed is ready again within 2 s.
//! fn restarts_are_quick(trace: &Trace, _: &History) -> Verdict {
//!     let mut killed_at = None;
//!     for record in &trace.records {
//!         match &record.event {
//!             Event::Killed => killed_at = Some(record.at),
//!             Event::Mark(squall::trace::Mark::Ready(true)) => {
//!                 let took = record.at - killed_at.take().unwrap_or(record.at);
//!                 if took > secs(2) {
//!                     return Verdict::fail(format!("a restart took {took:?}")).at(record.at);
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//!     Verdict::Pass
//! }
//! # let server = |cx: HostContext| async move { cx.recorder().mark(squall::trace::Mark::Ready(true)) };
//! # let kills = fault::kill("server").every(secs(1)..secs(2)).lasting(millis(10)..secs(1));
//! # let scenario = Scenario::new("restarts").host("server", server).fault(kills).check(restarts_are_quick);
//! # use squall::internal::run::{Detail, run};
//! # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
//! # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
//! ```
//!
//! Every event is digested. Events that checks read (host life, faults, marks) are always kept; all others (segments,
//! log lines) and all texts are kept only in a rich trace. Keeping more never changes what is digested, so a run has
//! the same fingerprint whether it is explored or recorded.

mod capture;
mod event;
pub mod exchange;
mod fingerprint;
mod host_id;
mod names;
mod packet;
mod record;
mod watch;

pub(crate) use capture::{Kept, read as read_captured};

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

use capture::Captured;
use exchange::{Call, Exchange, KeptHeaders, KnownCalls, Observed, TcpConnection, WireLog};

pub use event::{AttemptOutcome, Event, FlowKey, Mark, RetrySafety, SegmentKind};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use host_id::HostId;
#[doc(hidden)]
pub use packet::{INJECTED, PacketEvent, PacketRecord};
pub use record::Record;
pub(crate) use watch::watch;

/// The counts that a summary of a run shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counters {
    /// Simulation steps.
    pub steps: u64,
    /// Segments handed to the network.
    pub segments: u64,
    /// Bytes carried by those segments.
    pub bytes: u64,
    /// Connections requested.
    pub connects: u64,
    /// Events digested, including the history.
    pub events: u64,
}

/// The whole trace of one run.
#[derive(Clone)]
pub struct Trace {
    /// Names of the hosts, by [`HostId`].
    pub hosts: Vec<String>,
    /// Length of a simulation step: for code on plain turmoil sockets, times in the trace are exact to about one step.
    pub step: Duration,
    /// When the faults ended and recovery began.
    pub run_for: Duration,
    /// When the run ended.
    pub ended_at: Duration,
    /// The events, in order.
    pub records: Vec<Record>,
    /// Counts of what happened.
    pub counters: Counters,
    observed: Observed,
    known_calls: KnownCalls,
    kept_headers: KeptHeaders,
    wire_log: WireLog,
    captured: Captured,
    packets: Vec<PacketRecord>,
    digest: SipHasher13,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("hosts", &self.hosts)
            .field("records", &self.records.len())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Trace {
    /// Creates an empty trace. A `rich` one keeps every event and its text.
    pub fn new(hosts: Vec<String>, step: Duration, run_for: Duration, rich: bool) -> Trace {
        let records = Vec::with_capacity(8_192);
        let captured = Captured::new(rich);
        let digest = SipHasher13::new_with_keys(0x5371_7561_6c6c, 1);
        Trace {
            hosts,
            step,
            run_for,
            ended_at: Duration::ZERO,
            records,
            counters: Counters::default(),
            observed: Observed::default(),
            known_calls: KnownCalls::default(),
            kept_headers: KeptHeaders::default(),
            wire_log: WireLog::new(rich),
            captured,
            packets: Vec::new(),
            digest,
        }
    }

    /// The same trace, which also observes exchanges, and keeps these headers of them. A rich trace observes anyway.
    pub(crate) fn observing(mut self, is_on: bool, kept_headers: KeptHeaders) -> Trace {
        self.wire_log.switch(is_on || self.is_rich());
        self.kept_headers = kept_headers;
        self
    }

    /// The same trace, which also keeps the bytes of segments if it is rich.
    pub(crate) fn keeping_bytes(mut self, is_on: bool) -> Trace {
        self.captured.keeps_bytes = is_on;
        self
    }

    /// The same trace with what was read off the wire, for tests of checks.
    #[cfg(test)]
    pub(crate) fn with_observed(mut self, observed: Observed, ended_at: Duration) -> Trace {
        self.observed = observed;
        self.ended_at = ended_at;
        self
    }

    /// The HTTP exchanges that were read off the wire, in the order in which their requests began. Only a run with a
    /// check over exchanges is observed ([`Check::over_exchanges`](crate::check::Check::over_exchanges)).
    pub fn exchanges(&self) -> &[Exchange] {
        &self.observed.exchanges
    }

    /// The TCP connections of the run, in the order of their keys. Only an observed run has them, as with exchanges.
    pub fn connections(&self) -> &[TcpConnection] {
        &self.observed.connections
    }

    /// The TCP connection with this key.
    pub fn connection(&self, key: FlowKey) -> Option<&TcpConnection> {
        let connections = self.connections();
        let place = connections.binary_search_by_key(&key, |connection| connection.connection).ok()?;
        connections.get(place)
    }

    /// The calls that the exchanges are attempts of, as [`exchange::calls`] groups them. They are grouped once.
    pub fn calls(&self, window: Duration) -> Arc<[Call]> {
        self.known_calls.within(window, self.exchanges())
    }

    /// For each exchange the places of those that its client may have been serving, as [`exchange::possible_causes`] finds them.
    /// They are looked for once.
    pub fn possible_causes(&self) -> &[Vec<usize>] {
        self.known_calls.causes(self.exchanges())
    }

    /// The exchanges, and what could not be read.
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Logs a segment that one side of a connection sends, for exchanges.
    #[inline]
    pub(crate) fn log_sent(&mut self, at: Duration, flow: FlowKey, forward: bool, kind: SegmentKind, bytes: &[u8]) {
        self.wire_log.sent(at, flow, forward, kind, bytes);
    }

    /// Logs a segment that arrives, for exchanges.
    #[inline]
    pub(crate) fn log_arrived(&mut self, at: Duration, flow: FlowKey, forward: bool, kind: SegmentKind, length: usize) {
        self.wire_log.arrived(at, flow, forward, kind, length);
    }

    /// Keeps what happened to a segment in a rich trace. It is not digested, as the events say as much.
    pub(crate) fn packet(&mut self, packet: &PacketRecord, bytes: &[u8]) {
        if self.captured.is_rich {
            self.captured.packet(packet, bytes);
        }
    }

    /// Takes what happened to each segment; nothing unless the trace is rich.
    pub(crate) fn take_packets(&mut self) -> Vec<PacketRecord> {
        std::mem::take(&mut self.packets)
    }

    /// Whether the trace keeps texts and low-level events.
    pub fn is_rich(&self) -> bool {
        self.captured.is_rich
    }

    /// Digests an event, and keeps it if checks may read it or if the trace is rich.
    pub fn push(&mut self, at: Duration, host: Option<HostId>, event: Event) {
        self.push_with(at, host, event, |_| Ok(()));
    }

    /// Like [`Trace::push`], with a text. `text` is called only if the trace is rich, and must not allocate.
    pub fn push_with(
        &mut self,
        at: Duration,
        host: Option<HostId>,
        event: Event,
        text: impl FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    ) {
        self.counters.events += 1;
        self.digest.write_u64(at.as_nanos() as u64);
        self.digest.write_u16(host.unwrap_or(HostId::UNKNOWN).0);
        event.hash(&mut self.digest);
        if self.captured.is_rich {
            let text = self.captured.push(&(at, host, &event), text);
            watch::show(&self.hosts, at, host, &event, text);
        }
        if event.is_for_checks() {
            self.records.push(Record { at, host, event, text: None });
        }
    }

    /// Returns the trace and moves its records out of `self` instead of copying them.
    pub(crate) fn take(&mut self) -> Trace {
        let (records, observed) = (std::mem::take(&mut self.records), std::mem::take(&mut self.observed));
        Trace { records, observed, packets: self.take_packets(), ..self.clone() }
    }

    /// Ends the run: decodes everything that a rich trace captured into its records, and frees the memory.
    pub(crate) fn unpack(&mut self) {
        if self.captured.is_rich {
            let kept = self.captured.read();
            (self.records, self.packets) = (kept.records, kept.packets);
        }
        self.captured.release();
        self.observed = exchange::observe(&self.wire_log, &self.records, &self.kept_headers);
        self.wire_log.release();
    }

    /// Keeps data of the run that is not an event, in a rich trace, in case the run dies. It is not digested.
    pub(crate) fn note(&mut self, note: &impl Serialize) {
        if self.captured.is_rich {
            self.captured.note(note);
        }
    }

    /// Digests data of the run that is kept elsewhere, such as the history.
    pub(crate) fn digest(&mut self, tag: u8, at: Duration, bytes: &[u8]) {
        self.counters.events += 1;
        self.digest.write_u8(tag);
        self.digest.write_u64(at.as_nanos() as u64);
        self.digest.write_usize(bytes.len());
        self.digest.write(bytes);
    }

    /// The fingerprint of everything digested so far.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.digest.finish128().as_u128())
    }

    /// The id of the host with this name.
    pub fn host(&self, name: &str) -> Option<HostId> {
        self.hosts.iter().position(|h| h == name).map(|i| HostId(i as u16))
    }

    /// The name of a host.
    pub fn name(&self, host: HostId) -> &str {
        self.hosts.get(host.index()).map_or("?", String::as_str)
    }

    /// The marks, with their time and host.
    pub fn marks(&self) -> impl Iterator<Item = (Duration, HostId, &Mark)> {
        self.records.iter().filter_map(|record| match &record.event {
            Event::Mark(mark) => Some((record.at, record.host.unwrap_or(HostId::UNKNOWN), mark)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(rich: bool) -> Trace {
        let mut trace = Trace::new(vec!["a".into()], Duration::from_millis(10), Duration::from_secs(1), rich);
        trace.push(Duration::ZERO, Some(HostId(0)), Event::Started);
        trace.push_with(Duration::from_millis(3), Some(HostId(0)), Event::Log { callsite: 9 }, |out| {
            out.write_str("hello")
        });
        trace.unpack();
        trace
    }

    #[test]
    fn keeping_more_does_not_change_the_fingerprint() {
        let (lean, rich) = (example(false), example(true));
        assert_eq!(lean.fingerprint(), rich.fingerprint());
        assert_eq!((lean.records.len(), rich.records.len()), (1, 2));
    }

    #[test]
    fn any_difference_changes_the_fingerprint() {
        let mut other = example(false);
        other.push(Duration::from_millis(4), None, Event::FaultsOver);
        assert_ne!(other.fingerprint(), example(false).fingerprint());
    }
}

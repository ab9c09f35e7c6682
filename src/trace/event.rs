//! The events of a run, as data: segments, host life, faults, and the marks of the code under test.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::host_id::HostId;

/// Identifies a connection within a run: the n-th connect from one host to a port of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlowKey {
    /// The host that connects.
    pub from: HostId,
    /// The host that listens.
    pub to: HostId,
    /// The port that it listens on.
    pub port: u16,
    /// The position of the connect among those with the same hosts and port, from 0.
    pub ordinal: u32,
}

/// The kind of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Requests a connection.
    Syn,
    /// Accepts a connection.
    SynAck,
    /// Completes the handshake: the listening host now knows that the connecting one has received its answer.
    Ack,
    /// Carries bytes.
    Data,
    /// Announces that no more bytes follow.
    Fin,
    /// Announces that the connection no longer exists.
    Rst,
    /// Opens the receive window, so that the peer may send more.
    Window,
    /// Asks whether the peer still knows the connection; it answers with an `Ack`, or with a `Rst`.
    Probe,
    /// A datagram, which belongs to no connection.
    Datagram,
    /// Answers a datagram for which no socket was found (ICMP port unreachable).
    Unreachable,
}

/// Why it is safe to send a request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetrySafety {
    /// The request has the same effect however often it is executed.
    Idempotent,
    /// The request carries an idempotency key.
    Keyed,
    /// The previous attempt provably never reached a server.
    Unsent,
    /// None of these: a retry may execute it twice.
    Unsafe,
}

/// How an attempt ended for the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// An answer arrived, with this HTTP status.
    Status(u16),
    /// The attempt's timeout ran out.
    TimedOut,
    /// The connection was refused: the request was never sent.
    Refused,
    /// The connection broke, or the answer was malformed.
    Failed,
}

/// Something that the code under test, or its adapter, reports to the checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// A client's call began; all its attempts must end within `deadline`.
    CallStarted {
        /// The call's number, unique in the run.
        call: u64,
        /// How long the whole call may take.
        deadline: Duration,
    },
    /// An attempt of a call began.
    AttemptStarted {
        /// The call it belongs to.
        call: u64,
        /// The attempt's number, from 1.
        attempt: u32,
        /// How long this attempt may take, already limited to the rest of the call's deadline.
        timeout: Duration,
        /// Why it is safe to send the request again.
        safety: RetrySafety,
    },
    /// An attempt of a call ended.
    AttemptEnded {
        /// The call it belongs to.
        call: u64,
        /// The attempt's number, from 1.
        attempt: u32,
        /// How it ended.
        outcome: AttemptOutcome,
    },
    /// A client's call ended.
    CallEnded {
        /// The call.
        call: u64,
        /// Whether it was answered.
        ok: bool,
    },
    /// A load balancer sent an ordinary request (not a probe) to a backend.
    Dispatched {
        /// The backend.
        to: HostId,
    },
    /// A health probe of a backend ended.
    Probed {
        /// The backend.
        to: HostId,
        /// Whether it succeeded.
        ok: bool,
    },
    /// A load balancer changed its belief about the health of a backend.
    HealthChanged {
        /// The backend.
        to: HostId,
        /// Whether it now considers the backend healthy.
        healthy: bool,
    },
    /// A server applied the effect of the request with this idempotency key.
    Applied {
        /// The idempotency key.
        key: String,
        /// The number of what the request created, for example an order.
        id: u64,
    },
    /// A circuit breaker opened or closed.
    BreakerChanged {
        /// Whether it is now open.
        open: bool,
    },
    /// A server declared itself ready, or no longer ready.
    Ready(bool),
    /// Any other event that a scenario reports.
    Note {
        /// What happened.
        name: String,
        /// Details.
        detail: String,
    },
    /// A load balancer will not use a backend for a while, because it failed what it was asked.
    Ejected {
        /// The backend.
        to: HostId,
        /// How long it is not used.
        lasting: Duration,
    },
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A new life of the host's program began.
    Started,
    /// The program returned; its machine stays on.
    Returned,
    /// The program returned an error.
    Failed,
    /// The process was killed; its machine stays on.
    Killed,
    /// The machine lost power.
    PoweredOff,
    /// The program was asked to stop.
    Stopping,
    /// The host's output is stalled: nothing that it sends leaves the machine, so its peers see a hang.
    OutputStalled,
    /// The host's output leaves the machine again.
    OutputResumed,
    /// The process is paused: it does nothing at all, while its machine goes on.
    Paused,
    /// The process goes on.
    Resumed,
    /// A fault of the plan began.
    FaultBegan {
        /// Its index in the plan.
        fault: u32,
    },
    /// A fault of the plan ended.
    FaultEnded {
        /// Its index in the plan.
        fault: u32,
    },
    /// All faults have ended: from now on the system must recover.
    FaultsOver,
    /// The host handed a segment to its network.
    Sent {
        /// The connection.
        flow: FlowKey,
        /// Whether the segment goes from the connecting host to the listening one.
        forward: bool,
        /// Its kind.
        kind: SegmentKind,
        /// How many bytes it carries.
        length: u32,
        /// SipHash-1-3 of the bytes.
        digest: u64,
    },
    /// A segment reached the host.
    Arrived {
        /// The connection.
        flow: FlowKey,
        /// Whether the segment goes from the connecting host to the listening one.
        forward: bool,
        /// Its kind.
        kind: SegmentKind,
    },
    /// A fault delayed or dropped a transmission of a segment of this host, or a segment that it had dropped before
    /// gets through.
    SegmentAffected {
        /// The fault's index in the plan; `None` if the destination had no power for another reason.
        fault: Option<u32>,
        /// The connection.
        flow: FlowKey,
        /// Whether the segment goes from the connecting host to the listening one.
        forward: bool,
        /// The segment's position among those of its sender on this connection, from 0.
        segment: u32,
        /// The segment's kind.
        kind: SegmentKind,
        /// The transmissions that this fault lost: bit n stands for the n-th, from 0.
        lost: u32,
        /// How much later this fault made the last transmission arrive.
        extra: Duration,
        /// The segment's total delay since it was first sent; `None` if this transmission does not arrive.
        late: Option<Duration>,
    },
    /// A fault affected the host or its program in another way; the record's text says how.
    HostAffected {
        /// The fault's index in the plan.
        fault: u32,
    },
    /// The run ends, and the process of this host still runs. Only scenarios with plain sockets count descriptors.
    DescriptorsHeld {
        /// The number of descriptors that it has open.
        open: u32,
        /// The most that it has had open at once.
        most: u32,
        /// Of each socket that it still has although the connection has ended: when the peer finished, or the connection
        /// failed.
        ended: Vec<Duration>,
    },
    /// The code under test reported something to the checks.
    Mark(Mark),
    /// The code under test logged a line. Only its place and time are digested; a rich trace keeps the text.
    Log {
        /// A stable digest of the line's place in the code.
        callsite: u64,
    },
    /// A fault flipped a bit of a segment of this host.
    SegmentCorrupted {
        /// The fault's index in the plan.
        fault: u32,
        /// The connection.
        flow: FlowKey,
        /// Whether the segment goes from the connecting host to the listening one.
        forward: bool,
        /// The segment's position among those of its sender on this connection, from 0.
        segment: u32,
        /// The bit's position in the segment: bit `bit % 8`, counted from the lowest, of byte `bit / 8`.
        bit: u32,
    },
}

impl Event {
    /// Whether checks may read this event, so that even a lean trace keeps it.
    pub(super) fn is_for_checks(&self) -> bool {
        !matches!(
            self,
            Event::Sent { .. }
                | Event::Arrived { .. }
                | Event::SegmentAffected { .. }
                | Event::Log { .. }
                | Event::SegmentCorrupted { .. }
                | Event::HostAffected { .. }
        )
    }
}

//! What can happen in a run, as data: segments, host life, faults, and the marks of the code under test.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::host_id::HostId;

/// Names a connection for as long as its run lasts: the n-th connect from a host to a port of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlowKey {
    /// The host that connects.
    pub from: HostId,
    /// The host that listens.
    pub to: HostId,
    /// The port that it listens on.
    pub port: u16,
    /// Which connect on this triple it is, from 0.
    pub ordinal: u32,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Asks for a connection.
    Syn,
    /// Grants a connection.
    SynAck,
    /// Carries bytes.
    Data,
    /// Says that no more bytes follow.
    Fin,
    /// Says that the connection is gone.
    Rst,
    /// Gives the peer room to send more.
    Window,
}

/// Why another attempt of a request may be made without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetrySafety {
    /// The request has the same effect however often it is executed.
    Idempotent,
    /// The request carries an idempotency key.
    Keyed,
    /// The attempt before provably never reached a server.
    Unsent,
    /// None of these: a retry may execute it twice.
    Unsafe,
}

/// How an attempt ended for the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptOutcome {
    /// An answer came, with this HTTP status.
    Status(u16),
    /// The attempt's timeout ran out.
    TimedOut,
    /// The connection was refused: the request was never sent.
    Refused,
    /// The connection broke, or the answer made no sense.
    Failed,
}

/// A moment that the code under test (or its glue) makes known to the checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// A client's call began; all its attempts must end within `deadline`.
    CallStarted {
        /// Unique in the run.
        call: u64,
        /// How long the whole call may take.
        deadline: Duration,
    },
    /// An attempt of a call began.
    AttemptStarted {
        /// The call it belongs to.
        call: u64,
        /// Counted from 1.
        attempt: u32,
        /// How long this attempt may take, already cut to what is left of the deadline.
        timeout: Duration,
        /// Why it is harmless to send the request again.
        safety: RetrySafety,
    },
    /// An attempt of a call ended.
    AttemptEnded {
        /// The call it belongs to.
        call: u64,
        /// Counted from 1.
        attempt: u32,
        /// How.
        outcome: AttemptOutcome,
    },
    /// A client's call ended.
    CallEnded {
        /// The call.
        call: u64,
        /// Whether it was answered.
        ok: bool,
    },
    /// A balancer sent an ordinary request (no probe) to a backend.
    Dispatched {
        /// The backend.
        to: HostId,
    },
    /// A health probe of a backend ended.
    Probed {
        /// The backend.
        to: HostId,
        /// Whether it was found well.
        ok: bool,
    },
    /// A balancer changed its mind about a backend.
    HealthChanged {
        /// The backend.
        to: HostId,
        /// What it now believes.
        healthy: bool,
    },
    /// A server applied the effect of the request with this idempotency key.
    Applied {
        /// The idempotency key.
        key: String,
        /// What was made, for example an order's number.
        id: u64,
    },
    /// A circuit breaker opened or closed.
    BreakerChanged {
        /// Whether it is now open.
        open: bool,
    },
    /// A server declared itself ready, or not ready any more.
    Ready(bool),
    /// Anything else that a scenario wants to see.
    Note {
        /// What happened.
        name: String,
        /// More about it.
        detail: String,
    },
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The host's program began a life.
    Started,
    /// The program returned; its machine idles.
    Returned,
    /// The program returned an error.
    Failed,
    /// The process was killed; its machine lives on.
    Killed,
    /// The machine lost power.
    PoweredOff,
    /// The program was asked to stop.
    Stopping,
    /// The program hangs, as its peers see it: nothing that it sends leaves the machine.
    OutputStalled,
    /// The program is heard again.
    OutputResumed,
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
    /// All faults are over: from now on the system must recover.
    FaultsOver,
    /// The host handed a segment to its network.
    Sent {
        /// The connection.
        flow: FlowKey,
        /// Whether it goes from the connecting host to the listening one.
        forward: bool,
        /// What it is.
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
        /// Whether it goes from the connecting host to the listening one.
        forward: bool,
        /// What it is.
        kind: SegmentKind,
    },
    /// A fault kept a segment of this host back or dropped it.
    SegmentAffected {
        /// The fault's index in the plan; none if the destination was without power by another's doing.
        fault: Option<u32>,
        /// The connection.
        flow: FlowKey,
        /// Whether it goes from the connecting host to the listening one.
        forward: bool,
        /// Which segment of its sender on this connection it is, from 0.
        segment: u32,
        /// What the segment was.
        kind: SegmentKind,
        /// Which of its transmissions this fault lost: bit n for the n-th, from 0.
        lost: u32,
        /// How much later this fault made the last transmission arrive.
        extra: Duration,
        /// By how much it is late in all; none if it never arrives or its end is not yet known.
        late: Option<Duration>,
    },
    /// A fault befell the host or its program otherwise; the words say what it did.
    HostAffected {
        /// The fault's index in the plan.
        fault: u32,
    },
    /// The code under test made a moment known.
    Mark(Mark),
    /// The code under test logged something; only where and when is digested, the text is kept in a rich trace.
    Log {
        /// A stable digest of the place in the code.
        callsite: u64,
    },
    /// A fault changed a bit of a segment of this host.
    SegmentCorrupted {
        /// The fault's index in the plan.
        fault: u32,
        /// The connection.
        flow: FlowKey,
        /// Whether it goes from the connecting host to the listening one.
        forward: bool,
        /// Which segment of its sender on this connection it is, from 0.
        segment: u32,
        /// Bit n is bit n % 8, from the lowest, of byte n / 8.
        bit: u32,
    },
}

impl Event {
    /// Whether checks may read this event, so that it is kept even while exploring.
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

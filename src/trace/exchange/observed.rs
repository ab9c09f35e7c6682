//! All exchanges of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::Connection;
use super::data::{Exchange, Goaway, TcpConnection};
use super::draft::Sender;
use super::kept::KeptHeaders;
use super::wire_log::{Happened, WireLog};
use crate::trace::event::{Event, FlowKey};
use crate::trace::host_id::HostId;
use crate::trace::record::Record;

/// What was read off the wire in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Whether the run was observed. If not, nothing else is known.
    pub is_observed: bool,
    /// The exchanges, in the order in which their requests began.
    pub exchanges: Vec<Exchange>,
    /// The TCP connections, in the order of their keys.
    pub connections: Vec<TcpConnection>,
    /// The times at which servers of HTTP/2 said that they process no more streams, by connection.
    pub goaways: Vec<Goaway>,
    /// How many connections spoke TLS, which cannot be read.
    pub tls_connections: u64,
    /// How many connections carried bytes that are neither HTTP nor TLS.
    pub other_connections: u64,
    /// Whether the run sent more than is logged, so that exchanges are missing.
    pub is_incomplete: bool,
}

impl Observed {
    /// Why there is nothing to judge, for a check that found no exchange.
    pub fn why_none(&self) -> String {
        match self {
            Observed { is_observed: false, .. } => "the run was not observed: use `Check::over_exchanges`".to_owned(),
            Observed { tls_connections: tls @ 1.., .. } => {
                format!("{tls} connections speak TLS, which cannot be read: let the system speak plain HTTP in tests")
            }
            Observed { other_connections: other @ 1.., .. } => {
                format!("none of the {other} connections that carried bytes speaks HTTP")
            }
            _ => "no connection carried a byte".to_owned(),
        }
    }
}

/// Reads the log of a run.
pub(in crate::trace) fn observe(log: &WireLog, records: &[Record], kept: &KeptHeaders) -> Observed {
    let mut power_offs: BTreeMap<HostId, Vec<Duration>> = BTreeMap::new();
    for record in records {
        if let (Some(host), Event::PoweredOff) = (record.host, &record.event) {
            power_offs.entry(host).or_default().push(record.at);
        }
    }
    let mut connections: BTreeMap<FlowKey, Connection> = BTreeMap::new();
    for entry in log.entries() {
        let connection = connections.entry(entry.connection).or_insert_with(|| Connection::new(entry.connection));
        let from = if entry.forward { Sender::Client } else { Sender::Server };
        connection.take_in(entry.at, from, entry.happened, kept);
    }
    let mut observed = Observed { is_observed: log.is_on(), is_incomplete: log.is_full(), ..Observed::default() };
    for (key, connection) in connections {
        if connection.is_tls() {
            observed.tls_connections += 1;
        } else if connection.is_unread() {
            observed.other_connections += 1;
        }
        let offs = power_offs.get(&key.from).map(Vec::as_slice).unwrap_or_default();
        let gone_at = |began: Duration| offs.iter().copied().find(|off| *off >= began);
        observed.goaways.extend(connection.goaways());
        observed.connections.extend(connection.as_tcp());
        observed.exchanges.extend(connection.into_exchanges(gone_at));
    }
    observed.exchanges.sort_by_key(|exchange| exchange.request.first_sent);
    observed
}

/// Reads one connection: pieces of bytes in the order in which they were sent, each by the client (`true`) or the server.
/// For tests of the reader itself.
#[doc(hidden)]
pub fn observe_bytes<'a>(pieces: impl IntoIterator<Item = (bool, &'a [u8])>) -> Vec<Exchange> {
    let key = FlowKey { from: HostId(0), to: HostId(1), port: 80, ordinal: 0 };
    let (mut connection, kept) = (Connection::new(key), KeptHeaders::default());
    for (number, (forward, bytes)) in pieces.into_iter().enumerate() {
        let from = if forward { Sender::Client } else { Sender::Server };
        let at = Duration::from_millis(number as u64);
        connection.take_in(at, from, Happened::Sent(bytes), &kept);
        connection.take_in(at, from, Happened::Arrived(bytes.len() as u32), &kept);
    }
    connection.into_exchanges(|_| None)
}

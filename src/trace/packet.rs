//! What a rich trace keeps of each segment beside the events: which one it is, its addresses, each time that its kernel
//! sent it, and each arrival. Reports draw messages from it, and captures are made of it.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::event::{FlowKey, SegmentKind};

/// The number of a segment that no kernel sent, because a fault injected it.
pub const INJECTED: u32 = u32::MAX;

/// Something that happened to a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketRecord {
    /// When it happened.
    pub at: Duration,
    /// The connection, or the datagrams between two ports.
    pub flow: FlowKey,
    /// Whether the segment goes from the connecting host to the listening one.
    pub forward: bool,
    /// The segment's position among those of its sender on this connection, from 0; [`INJECTED`] if a fault made it.
    pub segment: u32,
    /// What happened.
    pub what: PacketEvent,
}

/// What happened to a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PacketEvent {
    /// Its kernel sent it for the first time.
    Sent {
        /// Its kind.
        kind: SegmentKind,
        /// The address that it is sent from.
        from: SocketAddr,
        /// The address that it is sent to.
        to: SocketAddr,
        /// How many bytes it carries.
        length: u32,
        /// The bytes, if the run keeps them.
        #[serde(default, skip_serializing_if = "Vec::is_empty", with = "hex")]
        bytes: Vec<u8>,
    },
    /// Its kernel sent it again: the n-th transmission, from 0. The number 0 stands for output that left its machine only
    /// now, because the machine was stalled.
    SentAgain(u32),
    /// It, or a part of it, reached a kernel.
    Arrived {
        /// Its kind.
        kind: SegmentKind,
        /// How many bytes arrived.
        length: u32,
    },
    /// It reached a machine without power.
    Unpowered,
}

/// Bytes as hexadecimal digits, since JSON's lists of numbers are twice as long.
mod hex {
    use super::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |number: u8| char::from_digit(number.into(), 16).unwrap_or('0');
        let text: String = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        let digits = digits.ok_or_else(|| serde::de::Error::custom("expected hexadecimal digits"))?;
        Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::HostId;

    #[test]
    fn bytes_are_written_as_digits_and_read_back() {
        let address = SocketAddr::from(([192, 168, 0, 1], 80));
        let packet = PacketRecord {
            at: Duration::from_millis(3),
            flow: FlowKey { from: HostId(0), to: HostId(1), port: 80, ordinal: 2 },
            forward: true,
            segment: 4,
            what: PacketEvent::Sent {
                kind: SegmentKind::Data,
                from: address,
                to: address,
                length: 3,
                bytes: vec![0, 0x5a, 0xff],
            },
        };
        let text = serde_json::to_string(&packet).unwrap();
        assert!(text.contains("\"005aff\""), "{text}");
        assert_eq!(serde_json::from_str::<PacketRecord>(&text).unwrap(), packet);
    }
}

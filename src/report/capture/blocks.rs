//! The blocks of a pcapng file (draft-ietf-opsawg-pcapng): the section, one interface for each host, names, and packets.

use std::net::IpAddr;
use std::time::Duration;

/// The types of blocks.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const PACKET: u32 = 6;
const SECRETS: u32 = 10;

/// The secrets are lines of a key log of TLS.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// Packets begin with their IP header (`LINKTYPE_RAW`).
const RAW_IP: u16 = 101;

/// The codes of options.
const COMMENT: u16 = 1;
const SECTION_APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const INTERFACE_DESCRIPTION: u16 = 3;
const INTERFACE_RESOLUTION: u16 = 9;
const PACKET_FLAGS: u16 = 2;

/// The types of records of names.
const NAME_OF_IPV4: u16 = 1;
const NAME_OF_IPV6: u16 = 2;

/// A packet as an interface sees it.
pub(super) struct CapturedPacket<'a> {
    /// The number of the interface.
    pub(super) interface: u32,
    /// The time since 1970.
    pub(super) at: Duration,
    /// The packet from its IP header on.
    pub(super) bytes: &'a [u8],
    pub(super) is_inbound: bool,
    pub(super) comments: &'a [String],
}

/// Writes blocks into memory.
#[derive(Default)]
pub(super) struct Blocks(Vec<u8>);

impl Blocks {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn section(&mut self, comment: &str) {
        let mut body = Vec::new();
        body.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        body.extend_from_slice(&1_u16.to_le_bytes());
        body.extend_from_slice(&0_u16.to_le_bytes());
        // The length of the section is not known.
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        option(&mut body, COMMENT, comment.as_bytes());
        option(&mut body, SECTION_APPLICATION, concat!("Squall ", env!("CARGO_PKG_VERSION")).as_bytes());
        option(&mut body, 0, &[]);
        self.block(SECTION, &body);
    }

    pub(super) fn interface(&mut self, name: &str, description: &str) {
        let mut body = Vec::new();
        body.extend_from_slice(&RAW_IP.to_le_bytes());
        body.extend_from_slice(&[0; 2]);
        // No limit on the length of packets.
        body.extend_from_slice(&0_u32.to_le_bytes());
        option(&mut body, INTERFACE_NAME, name.as_bytes());
        option(&mut body, INTERFACE_DESCRIPTION, description.as_bytes());
        // Times are nanoseconds.
        option(&mut body, INTERFACE_RESOLUTION, &[9]);
        option(&mut body, 0, &[]);
        self.block(INTERFACE, &body);
    }

    pub(super) fn names<'a>(&mut self, names: impl IntoIterator<Item = (IpAddr, &'a str)>) {
        let mut body = Vec::new();
        for (address, name) in names {
            let (kind, mut value) = match address {
                IpAddr::V4(address) => (NAME_OF_IPV4, address.octets().to_vec()),
                IpAddr::V6(address) => (NAME_OF_IPV6, address.octets().to_vec()),
            };
            value.extend_from_slice(name.as_bytes());
            value.push(0);
            option(&mut body, kind, &value);
        }
        option(&mut body, 0, &[]);
        self.block(NAMES, &body);
    }

    /// The secrets of TLS, in lines, which a reader needs before the packets.
    pub(super) fn secrets(&mut self, key_log: &str) {
        let mut body = Vec::new();
        body.extend_from_slice(&TLS_KEY_LOG.to_le_bytes());
        body.extend_from_slice(&(key_log.len() as u32).to_le_bytes());
        body.extend_from_slice(key_log.as_bytes());
        pad(&mut body);
        self.block(SECRETS, &body);
    }

    pub(super) fn packet(&mut self, packet: &CapturedPacket<'_>) {
        let nanos = packet.at.as_nanos() as u64;
        let length = packet.bytes.len() as u32;
        let mut body = Vec::with_capacity(packet.bytes.len() + 64);
        for number in [packet.interface, (nanos >> 32) as u32, nanos as u32, length, length] {
            body.extend_from_slice(&number.to_le_bytes());
        }
        body.extend_from_slice(packet.bytes);
        pad(&mut body);
        let direction: u32 = if packet.is_inbound { 1 } else { 2 };
        option(&mut body, PACKET_FLAGS, &direction.to_le_bytes());
        packet.comments.iter().for_each(|comment| option(&mut body, COMMENT, comment.as_bytes()));
        option(&mut body, 0, &[]);
        self.block(PACKET, &body);
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        // Its type and, before and after the body, its length.
        let length = (body.len() + 12) as u32;
        self.0.extend_from_slice(&kind.to_le_bytes());
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(body);
        self.0.extend_from_slice(&length.to_le_bytes());
    }
}

/// Appends an option or a record. The code 0 ends a list of them.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

/// Appends zeros up to a multiple of 4 bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_aligned_and_says_its_length_twice() {
        let mut blocks = Blocks::default();
        blocks.section("a comment");
        blocks.interface("api-1", "192.168.0.1");
        blocks.names([(IpAddr::from([192, 168, 0, 1]), "api-1")]);
        let comments = ["lost".to_owned()];
        let at = Duration::from_nanos(5);
        blocks.packet(&CapturedPacket { interface: 0, at, bytes: &[1, 2, 3], is_inbound: true, comments: &comments });
        let bytes = blocks.into_bytes();
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (mut at, mut kinds) = (0, Vec::new());
        while at < bytes.len() {
            let length = number(at + 4) as usize;
            assert_eq!((length % 4, number(at + length - 4) as usize), (0, length));
            kinds.push(number(at));
            at += length;
        }
        assert_eq!(kinds, [SECTION, INTERFACE, NAMES, PACKET]);
    }
}

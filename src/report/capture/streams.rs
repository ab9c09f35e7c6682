//! The sequence and acknowledgement numbers of each connection, and the headers that carry them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use etherparse::icmpv4::DestUnreachableHeader;
use etherparse::{Icmpv4Type, Icmpv6Type, IpHeaders, PacketBuilder, PacketBuilderStep, TcpHeader, icmpv6};

use crate::report::messages::Message;
use crate::trace::{FlowKey, SegmentKind};

/// The most bytes of one packet: a 16-bit length, with room for headers. The simulated kernels send what a program writes
/// in one segment, as a network card does that splits segments itself.
const LARGEST: usize = 65_000;
/// The receive window, in units of 256 bytes.
const WINDOW: u16 = 1_024;
/// The options of TCP that say so (RFC 7323), and that no segment is too long (RFC 9293, section 3.7.1); and padding.
const OPTIONS: [u8; 8] = [2, 4, 0xff, 0xd7, 3, 3, 8, 1];
const HOPS: u8 = 64;

/// How far the two sides of a connection are, relative to their first sequence numbers; the client's side first.
#[derive(Default)]
pub(super) struct Stream {
    /// The next number that each side sends.
    next: [u32; 2],
    /// The next number of each side that the other one expects.
    expected: [u32; 2],
    /// The number with which each segment begins.
    starts: BTreeMap<(bool, u32), u32>,
    /// The bytes of each segment that have arrived.
    arrived: BTreeMap<(bool, u32), u32>,
}

/// All connections.
#[derive(Default)]
pub(super) struct Streams(BTreeMap<FlowKey, Stream>);

fn side(forward: bool) -> usize {
    usize::from(!forward)
}

/// How many numbers a segment takes.
fn width(kind: SegmentKind, length: u32) -> u32 {
    match kind {
        SegmentKind::Data => length,
        SegmentKind::Syn | SegmentKind::SynAck | SegmentKind::Fin => 1,
        _ => 0,
    }
}

impl Streams {
    /// A segment, or a part of it, reaches the other side.
    pub(super) fn arrives(&mut self, message: &Message<'_>, length: u32) {
        let stream = self.0.entry(message.flow).or_default();
        let name = (message.forward, message.segment);
        let Some(start) = stream.starts.get(&name).copied() else { return };
        let arrived = stream.arrived.entry(name).or_default();
        *arrived = (*arrived + width(message.kind, length)).min(width(message.kind, message.length));
        let expected = &mut stream.expected[side(message.forward)];
        *expected = (*expected).max(start.wrapping_add(*arrived));
    }

    /// The packets of a segment that its kernel sends, for the first time or again.
    pub(super) fn sent(&mut self, message: &Message<'_>) -> Vec<Vec<u8>> {
        let Some((from, to)) = message.addresses else { return Vec::new() };
        match message.kind {
            SegmentKind::Datagram => return vec![datagram(from, to, message.bytes)],
            SegmentKind::Unreachable => return vec![unreachable(from, to)],
            _ => {}
        }
        let stream = self.0.entry(message.flow).or_default();
        let own = side(message.forward);
        let next = stream.next[own];
        let start = match message.kind {
            SegmentKind::Syn | SegmentKind::SynAck => 0,
            // A probe repeats the last number that was sent (RFC 9293, section 3.8.4).
            SegmentKind::Probe => next.wrapping_sub(1),
            _ => *stream.starts.get(&(message.forward, message.segment)).unwrap_or(&next),
        };
        stream.starts.insert((message.forward, message.segment), start);
        stream.next[own] = next.max(start.wrapping_add(width(message.kind, message.length)));
        let acknowledged = stream.expected[1 - own];
        let header = |start: u32| header(message.kind, (from.port(), to.port()), start, acknowledged);
        if message.bytes.len() <= LARGEST {
            return vec![segment((from.ip(), to.ip()), header(start), message.bytes)];
        }
        let parts = message.bytes.chunks(LARGEST).enumerate();
        let part = |(number, bytes): (usize, &[u8])| {
            segment((from.ip(), to.ip()), header(start.wrapping_add((number * LARGEST) as u32)), bytes)
        };
        parts.map(part).collect()
    }

    /// The packet of a segment that a fault makes, as if the other side had sent it. `addresses` are those of the client
    /// and of the server.
    pub(super) fn injected(&mut self, message: &Message<'_>, addresses: (SocketAddr, SocketAddr)) -> Vec<u8> {
        let stream = self.0.entry(message.flow).or_default();
        let own = side(message.forward);
        let (from, to) = if message.forward { addresses } else { (addresses.1, addresses.0) };
        let start = stream.expected[own];
        stream.expected[own] = start.wrapping_add(width(message.kind, 0));
        let header = header(message.kind, (from.port(), to.port()), start, stream.next[1 - own]);
        segment((from.ip(), to.ip()), header, &[])
    }
}

fn header(kind: SegmentKind, ports: (u16, u16), start: u32, acknowledged: u32) -> TcpHeader {
    let mut header = TcpHeader::new(ports.0, ports.1, start, WINDOW);
    header.ack = kind != SegmentKind::Syn;
    header.acknowledgment_number = if header.ack { acknowledged } else { 0 };
    header.psh = kind == SegmentKind::Data;
    header.fin = kind == SegmentKind::Fin;
    header.rst = kind == SegmentKind::Rst;
    header.syn = matches!(kind, SegmentKind::Syn | SegmentKind::SynAck);
    if header.syn {
        // The window of these segments is not scaled.
        header.window_size = u16::MAX;
        let options = header.set_options_raw(&OPTIONS);
        debug_assert!(options.is_ok(), "eight bytes fit");
    }
    header
}

fn ip(from: IpAddr, to: IpAddr) -> PacketBuilderStep<IpHeaders> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), HOPS),
        (from, to) => {
            let octets = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            PacketBuilder::ipv6(octets(from), octets(to), HOPS)
        }
    }
}

fn segment((from, to): (IpAddr, IpAddr), header: TcpHeader, bytes: &[u8]) -> Vec<u8> {
    let builder = ip(from, to).tcp_header(header);
    let mut packet = Vec::with_capacity(builder.size(bytes.len()));
    // Writing to memory fails only for a packet that is too long, and none is.
    let written = builder.write(&mut packet, bytes);
    debug_assert!(written.is_ok(), "{written:?}");
    packet
}

fn datagram(from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let builder = ip(from.ip(), to.ip()).udp(from.port(), to.port());
    let mut packet = Vec::with_capacity(builder.size(bytes.len()));
    let written = builder.write(&mut packet, bytes);
    debug_assert!(written.is_ok(), "{written:?}");
    packet
}

/// The answer to a datagram that nobody receives. It holds the headers of that datagram.
fn unreachable(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let original = datagram(to, from, &[]);
    let mut packet = Vec::new();
    let written = match from.ip() {
        IpAddr::V4(_) => {
            let kind = Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::Port);
            ip(from.ip(), to.ip()).icmpv4(kind).write(&mut packet, &original)
        }
        IpAddr::V6(_) => {
            let kind = Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Port);
            ip(from.ip(), to.ip()).icmpv6(kind).write(&mut packet, &original)
        }
    };
    debug_assert!(written.is_ok(), "{written:?}");
    packet
}

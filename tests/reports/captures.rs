//! The capture of a run, as tshark reads it: nothing is malformed, and it has what the trace has.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use squall::check;
use squall::internal::explore::{CaseRef, Pool, record_bytes};
use squall::internal::report::capture;
use squall::internal::run::Recording;
use squall::internal::sandbox::EntryPoint;
use squall::prelude::*;
use squall::trace::exchange::HttpVersion;
use squall::trace::{FlowKey, INJECTED, PacketEvent, PacketRecord, SegmentKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{TABLE, cli, directory, failing, skip, stdout};

/// The filter of packets that are damaged, and of streams with a gap.
const DAMAGED: &str = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0";
const DAMAGED_DATAGRAMS: &str =
    "udp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0 || udp.length.bad";
const GAPS: &str = "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment";

/// When simulated clocks begin: 2026-01-01.
const EPOCH_SECONDS: u128 = 1_767_225_600;

fn has_tshark() -> bool {
    let is_there = Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        skip("tshark");
    }
    is_there
}

/// The rows that tshark prints for the packets that pass a filter: these fields of each.
#[track_caller]
fn rows(file: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-Y", filter, "-T", "fields"]);
    command.args(["-o", "nameres.network_name:TRUE", "-o", "nameres.use_external_name_resolver:FALSE"]);
    for protocol in ["tcp", "udp", "ip"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let is_harmless = |line: &&str| line.is_empty() || line.starts_with("Running as user");
    let errors: Vec<&str> = errors.lines().filter(|line| !is_harmless(line)).collect();
    assert!(output.status.success() && errors.is_empty(), "{errors:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

fn recorded(scenario: usize, seed: u64) -> Box<Recording> {
    let scenarios: Arc<[Scenario]> = TABLE.iter().map(|scenario| scenario()).collect();
    let pool = Pool::new(scenarios, NonZeroUsize::MIN, EntryPoint::Main, None);
    let case_ref = CaseRef::Seed(Seed(seed));
    let recording = record_bytes(&pool, scenario, &case_ref).unwrap().expect("a recording");
    let plain = squall::internal::explore::investigate(&pool, scenario, &case_ref, None).unwrap();
    assert_eq!(plain.outcome.fingerprint, recording.outcome.fingerprint, "keeping bytes changes nothing");
    recording
}

/// How many segments of a kind were sent, for the first time or again.
fn sent(recording: &Recording, wanted: &[SegmentKind]) -> usize {
    let mut kinds = BTreeMap::new();
    let mut count = 0;
    for packet in &recording.packets {
        let name = (packet.flow, packet.forward, packet.segment);
        let kind = match &packet.what {
            PacketEvent::Sent { kind, .. } => *kinds.entry(name).or_insert(*kind),
            PacketEvent::SentAgain(1..) => kinds[&name],
            PacketEvent::Arrived { kind, .. } if packet.segment == INJECTED => *kind,
            _ => continue,
        };
        count += usize::from(wanted.contains(&kind));
    }
    count
}

/// The times, in nanoseconds, at which kernels sent a segment again, other than on connections that a fault ended: there, its
/// FIN has the same number as that of the host, so that one of them looks like a repetition.
fn retransmissions(recording: &Recording) -> Vec<u128> {
    let ended: BTreeSet<FlowKey> =
        recording.packets.iter().filter(|packet| packet.segment == INJECTED).map(|packet| packet.flow).collect();
    let is_again =
        |packet: &&PacketRecord| matches!(packet.what, PacketEvent::SentAgain(1..)) && !ended.contains(&packet.flow);
    let mut times: Vec<u128> = recording.packets.iter().filter(is_again).map(|packet| packet.at.as_nanos()).collect();
    times.sort_unstable();
    times
}

/// The times of the same, as Wireshark's analysis lists them: it takes a repetition soon after a later segment for one that
/// was overtaken, and one of a single byte for a probe.
fn listed_retransmissions(file: &Path) -> Vec<u128> {
    let ended = rows(file, "frame.comment contains \"made by a fault\"", &["tcp.stream"]);
    let filter = "(tcp.analysis.retransmission || tcp.analysis.spurious_retransmission || tcp.analysis.out_of_order \
                  || tcp.analysis.keep_alive && tcp.len == 1) && tcp.flags.syn == 0";
    let listed = rows(file, filter, &["tcp.stream", "frame.time_epoch"]);
    let listed = listed.iter().filter(|row| !ended.iter().any(|ended| ended[0] == row[0]));
    let time = |row: &Vec<String>| {
        let (seconds, nanos) = row[1].split_once('.').expect("seconds and nanoseconds");
        (seconds.parse::<u128>().unwrap() - EPOCH_SECONDS) * 1_000_000_000 + nanos.parse::<u128>().unwrap()
    };
    let mut times: Vec<u128> = listed.map(time).collect();
    times.sort_unstable();
    times
}

/// Client, server, method and target of each request over HTTP/1, or over HTTP/2.
fn requests(recording: &Recording, is_http2: bool) -> Vec<Vec<String>> {
    let host = |host: squall::trace::HostId| recording.hosts[host.index()].clone();
    let exchanges = recording.observed.exchanges.iter();
    let exchanges = exchanges.filter(|exchange| (exchange.version == HttpVersion::Http2) == is_http2);
    let mut requests: Vec<Vec<String>> = exchanges
        .map(|exchange| {
            let (client, server) = (host(exchange.client()), host(exchange.server()));
            vec![client, server, exchange.method.clone(), exchange.path.clone()]
        })
        .collect();
    requests.sort();
    requests
}

/// The same, as Wireshark lists them.
fn listed_requests(file: &Path, is_http2: bool) -> Vec<Vec<String>> {
    let [method, target] = match is_http2 {
        true => ["http2.headers.method", "http2.headers.path"],
        false => ["http.request.method", "http.request.uri"],
    };
    let mut listed = Vec::new();
    for row in rows(file, method, &["ip.src_host", "ip.dst_host", method, target]) {
        // A packet may hold several requests.
        for (method, target) in row[2].split(',').zip(row[3].split(',')) {
            listed.push(vec![row[0].clone(), row[1].clone(), method.to_owned(), target.to_owned()]);
        }
    }
    listed.sort();
    listed
}

pub fn a_capture_has_what_the_trace_has() {
    if !has_tshark() {
        return;
    }
    let directory = directory("capture");
    // Of each scenario a few seeds, so that there are losses, kills and resets.
    let mut seen = [0; 4];
    for (scenario, seed) in [(3, 0), (3, 1), (4, 0), (4, 5), (5, 1), (5, 2), (0, 2), (1, 3)] {
        let recording = recorded(scenario, seed);
        let file = directory.join(format!("{scenario}-{seed}.pcapng"));
        std::fs::write(&file, capture(&recording)).unwrap();
        let count = |filter: &str| rows(&file, filter, &["frame.number"]).len();
        assert_eq!(count(DAMAGED), 0, "{file:?}");
        use SegmentKind::{Ack, Data, Fin, Probe, Rst, Syn, SynAck, Window};
        let all = [Syn, SynAck, Ack, Data, Fin, Rst, Window, Probe];
        assert_eq!(count("tcp"), sent(&recording, &all), "{file:?}");
        assert_eq!(count("tcp.flags.reset == 1"), sent(&recording, &[Rst]), "{file:?}");
        assert_eq!(count("tcp.flags.fin == 1"), sent(&recording, &[Fin]), "{file:?}");
        assert_eq!(count("tcp.flags.syn == 1 && tcp.flags.ack == 0"), sent(&recording, &[Syn]), "{file:?}");
        let again = retransmissions(&recording);
        assert_eq!(listed_retransmissions(&file), again, "{file:?}");
        assert_eq!(count(GAPS), 0, "{file:?}");
        // A lost packet says what lost it.
        let lost = count("frame.comment contains \"lost on the way by f\"");
        let mut listed = [0; 2];
        for is_http2 in [false, true] {
            let requests = listed_requests(&file, is_http2);
            assert_eq!(requests, self::requests(&recording, is_http2), "{file:?}");
            listed[usize::from(is_http2)] = requests.len();
        }
        // Each packet is captured by the host that its address is resolved to.
        let own = "tcp && !(frame.comment contains \"made by a fault\")";
        let interfaces = rows(&file, own, &["frame.interface_name", "ip.src_host"]);
        assert!(!interfaces.is_empty() && interfaces.iter().all(|row| row[0] == row[1]), "{file:?}");
        seen = [seen[0] + again.len(), seen[1] + lost, seen[2] + listed[0], seen[3] + listed[1]];
    }
    println!("{} retransmissions, {} lost packets, {} and {} requests", seen[0], seen[1], seen[2], seen[3]);
    assert!(seen[0] > 0 && seen[1] > 0 && seen[2] > 100 && seen[3] > 100, "the runs have what is compared: {seen:?}");
}

/// What the test above claims to see, it sees in captures that were damaged on purpose.
pub fn a_damaged_capture_is_noticed() {
    if !has_tshark() {
        return;
    }
    let directory = directory("damaged");
    let recording = recorded(1, 3);
    let count = |name: &str, bytes: &[u8], filter: &str| {
        let file = directory.join(name);
        std::fs::write(&file, bytes).unwrap();
        rows(&file, filter, &["frame.number"]).len()
    };
    let whole = capture(&recording);
    assert_eq!((count("whole", &whole, DAMAGED), count("whole", &whole, GAPS)), (0, 0));
    // A port of the first packet, behind the headers of its block and of IP.
    let packet = [6, 0, 0, 0];
    let first = (0..whole.len()).step_by(4).find(|at| whole[*at..*at + 4] == packet).unwrap();
    let mut flipped = whole.clone();
    flipped[first + 28 + 21] ^= 1;
    assert!(count("flipped", &flipped, DAMAGED) > 0);
    // A segment that says that it is longer than what it carries.
    let mut shorter = (*recording).clone();
    let is_data = |packet: &&mut PacketRecord| matches!(&packet.what, PacketEvent::Sent { length: 1, .. });
    let with_bytes = shorter.packets.iter_mut().filter(is_data).nth(3).expect("a segment with bytes");
    let PacketEvent::Sent { bytes, .. } = &mut with_bytes.what else { panic!("it is sent") };
    bytes.clear();
    assert!(count("shorter", &capture(&shorter), GAPS) > 0);
    let lost = retransmissions(&recording);
    let mut forgotten = recording.clone();
    forgotten.packets.retain(|packet| !matches!(packet.what, PacketEvent::SentAgain(_)));
    std::fs::write(directory.join("forgotten"), capture(&forgotten)).unwrap();
    assert!(!lost.is_empty() && listed_retransmissions(&directory.join("forgotten")).is_empty());
}

pub fn a_capture_is_written_beside_the_page() {
    let directory = directory("capture_cli");
    let (_, case_file) = failing(&directory, "slow");
    let output = cli(&directory, &["report", case_file.to_str().unwrap(), "--out", "out", "--pcap"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let name = PathBuf::from(case_file.file_name().unwrap()).with_extension("pcapng");
    let line = format!("\ncapture: out/{}\n", name.display());
    assert!(stdout(&output).contains(&line), "{}", stdout(&output));
    if !has_tshark() {
        return;
    }
    let file = directory.join("out").join(name);
    let comments: String = rows(&file, "frame.comment", &["frame.comment"]).into_iter().flatten().collect();
    for part in
        ["begins: f1 loss", "broken promise: answers_are_quick", "lost on the way by f1 loss", "the faults are over"]
    {
        assert!(comments.contains(part), "`{part}` is missing in {comments}");
    }
}

/// The addresses of the server, which is the first host.
const SERVER: [&str; 2] = ["192.168.0.1", "[fd00::c0a8:1]"];

/// Sends each datagram back, over IPv4 and IPv6, and each byte of a connection over IPv6.
async fn answer(_: HostContext) -> io::Result<()> {
    for address in SERVER {
        let socket = tokio::net::UdpSocket::bind(format!("{address}:7777")).await?;
        tokio::spawn(async move {
            let mut buffer = [0; 2_000];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let _ = socket.send_to(&buffer[..length], from).await;
            }
        });
    }
    let listener = tokio::net::TcpListener::bind(format!("{}:80", SERVER[1])).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            while let Ok(byte) = stream.read_u8().await
                && stream.write_u8(byte).await.is_ok()
            {}
        });
    }
}

/// Asks a port that answers and one on which nobody listens, over IPv4 and IPv6, and a listener over IPv6.
async fn ask(_: HostContext) -> io::Result<()> {
    tokio::time::sleep(millis(50)).await;
    for (address, own) in SERVER.into_iter().zip(["0.0.0.0:0", "[::]:0"]) {
        let socket = tokio::net::UdpSocket::bind(own).await?;
        for port in [7777, 7778] {
            socket.connect(format!("{address}:{port}")).await?;
            for number in 0..3 {
                socket.send(&[0xca, 0xfe, number]).await?;
                let mut buffer = [0; 16];
                let received = tokio::time::timeout(millis(100), socket.recv(&mut buffer)).await;
                // The answer of a port on which nobody listens is an error of the next call.
                let is_answered = received.is_ok_and(|received| received.is_ok_and(|length| length == 3));
                assert_eq!(is_answered, port == 7777, "{address}:{port}");
            }
        }
    }
    let mut stream = tokio::net::TcpStream::connect(format!("{}:80", SERVER[1])).await?;
    for number in 0..3 {
        stream.write_u8(number).await?;
        assert_eq!(stream.read_u8().await?, number);
    }
    Ok(())
}

/// Datagrams, answers to those that nobody receives, and a connection, over both versions of IP.
pub fn packets() -> Scenario {
    Scenario::new("packets")
        .host("server", answer)
        .host("client", ask)
        .plain_sockets()
        .latency(millis(5)..millis(5))
        .run_for(secs(2))
        .settle_for(secs(1))
        .check(check::no_descriptor_leaks(secs(10)))
}

/// The packets of these kinds that were sent, over IPv4 and over IPv6.
fn sent_over(recording: &Recording, wanted: &[SegmentKind]) -> [usize; 2] {
    let mut counts = [0; 2];
    for packet in &recording.packets {
        if let PacketEvent::Sent { kind, from, .. } = &packet.what
            && wanted.contains(kind)
        {
            counts[usize::from(from.is_ipv6())] += 1;
        }
    }
    counts
}

pub fn a_capture_has_datagrams_and_both_versions_of_ip() {
    if !has_tshark() {
        return;
    }
    let index = TABLE.iter().position(|scenario| scenario().name() == "packets").unwrap();
    let recording = recorded(index, 1);
    assert!(recording.outcome.panics.is_empty(), "{:?}", recording.outcome.panics);
    let file = directory("packets").join("packets.pcapng");
    std::fs::write(&file, capture(&recording)).unwrap();
    let count = |filter: &str| rows(&file, filter, &["frame.number"]).len();
    let both = |filter: &str| [count(&format!("ip && ({filter})")), count(&format!("ipv6 && ({filter})"))];
    assert_eq!((count(DAMAGED), count(DAMAGED_DATAGRAMS)), (0, 0));
    // Six datagrams each way over each version of IP, of which the other side answers the first three.
    use SegmentKind::{Ack, Data, Datagram, Fin, Probe, Rst, Syn, SynAck, Unreachable, Window};
    let own = "udp && !icmp && !icmpv6";
    assert_eq!((both(own), sent_over(&recording, &[Datagram])), ([9, 9], [9, 9]));
    let unreachable = [count("icmp.type == 3 && icmp.code == 3"), count("icmpv6.type == 1 && icmpv6.code == 4")];
    assert_eq!((unreachable, sent_over(&recording, &[Unreachable])), ([3, 3], [3, 3]));
    let connection = [Syn, SynAck, Ack, Data, Fin, Rst, Window, Probe];
    assert_eq!(both("tcp"), sent_over(&recording, &connection));
    assert!(both("tcp")[1] > 6 && both("tcp")[0] == 0, "{:?}", both("tcp"));
    // What they carry, and what an answer to a datagram that nobody receives quotes of it.
    for version in ["ip", "ipv6"] {
        let asked = rows(&file, &format!("{version} && udp.dstport == 7777"), &["udp.payload"]);
        assert_eq!(asked.concat(), ["cafe00", "cafe01", "cafe02"], "{version}");
        let answered = rows(&file, &format!("{version} && udp.srcport == 7777"), &["udp.payload"]);
        assert_eq!(answered.concat(), asked.concat(), "{version}");
    }
    for filter in ["icmp", "icmpv6"] {
        let quoted = rows(&file, filter, &["udp.dstport", "frame.interface_name"]);
        assert_eq!(quoted.concat(), ["7778", "server"].repeat(3), "{filter}");
    }
}

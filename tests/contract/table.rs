//! The rows, and the table of what both kernels show.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::linux::{self, Real};
use super::mutants;
use super::programs as p;
use super::simulated::{self, Simulated};
use super::{Seen, Trouble};

/// One row.
struct Row {
    what: &'static str,
    simulated: Box<dyn Fn() -> Seen + Send + Sync>,
    /// The same on Squall, but with tokio's own sockets.
    plain: Box<dyn Fn() -> Seen + Send + Sync>,
    real: Box<dyn Fn() -> io::Result<Seen> + Send + Sync>,
    /// Why the two sides differ, if they are known to.
    differs: Option<&'static str>,
}

/// A row whose server and client are these generic functions.
macro_rules! row {
    ($what:literal, $server:ident, $client:ident, [$($trouble:expr),*], $secs:literal) => {
        row!($what, $server, $client, [$($trouble),*], $secs, None)
    };
    ($what:literal, $server:ident, $client:ident, [$($trouble:expr),*], $secs:literal, $differs:expr) => {{
        let lasting = Duration::from_secs($secs);
        Row {
            what: $what,
            simulated: Box::new(move || {
                simulated::observe(p::$server::<Simulated>, p::$client::<Simulated>, &[$($trouble),*], lasting)
            }),
            plain: Box::new(move || {
                simulated::observe_plain(p::$server::<Real>, p::$client::<Real>, &[$($trouble),*], lasting)
            }),
            real: Box::new(move || linux::observe(p::$server::<Real>, p::$client::<Real>, &[$($trouble),*], lasting)),
            differs: $differs,
        }
    }};
}

/// Bytes and the end of the stream are two segments in flight.
const SEVERAL: &str = "with several segments in flight Linux probes after two round trips, and so its timeouts come \
                       at other times";

fn rows() -> Vec<Row> {
    use Trouble::{CutToClient, CutToServer, Kill, Partition, Pause, PowerOff, Reject};
    vec![
        row!("a connect to a port on which nobody listens", nothing, connect_once, [], 2),
        row!("a connect to a port on which nobody accepts", listen, connect_once, [], 2),
        row!("a connect is accepted", note_accepts, connect_once, [], 2),
        row!("a connect through a partition of 2.5 s", note_accepts, connect_once, [Partition(100, 2_700)], 5),
        row!("a connect through a cut of the way there", note_accepts, connect_once, [CutToServer(100, 1_900)], 5),
        row!("a connect through a cut of the way back", note_accepts, connect_once, [CutToClient(100, 1_900)], 5),
        row!(
            "a client gives up a connect whose answer is cut off",
            note_accepts,
            connect_impatiently,
            [CutToClient(100, 3_900)],
            6
        ),
        row!("a connect that a firewall resets", note_accepts, connect_once, [Reject(100, 1_900)], 3),
        row!("a server that closes at once", close_at_once, connect_and_read, [], 2),
        row!(
            "a server that closes at once, and a lost answer to the connect",
            close_at_once,
            connect_and_read,
            [CutToClient(100, 600)],
            4
        ),
        row!("an answer and the end of the stream", answer_and_close, connect_and_read, [], 2),
        row!("reads after an answer and the end, then a write", answer_and_close, read_thrice_and_write, [], 2),
        row!("a write to a peer that closed, reads, a write", answer_and_close, write_read_thrice_and_write, [], 2),
        row!("a close with a request unread", close_unread, request_read_thrice_and_write, [], 2),
        row!("a close with a request unread, seen by writes", close_unread, request_write_and_read, [], 2),
        row!(
            "an answer, then a close with a request unread",
            answer_and_close_unread,
            request_read_thrice_and_write,
            [],
            2
        ),
        row!(
            "the same, and the answer is lost",
            answer_and_close_unread,
            request_and_read_late,
            [CutToClient(450, 600)],
            3
        ),
        row!(
            "half a close: request, end, answer, and a write after it",
            answer_after_the_end,
            request_end_and_read,
            [],
            2
        ),
        row!("an answer, then a close that resets", answer_and_reset, read_thrice_and_write, [], 2),
        row!(
            "a close that resets, and its answer is lost",
            answer_at_half_and_reset,
            connect_and_read,
            [CutToClient(450, 580)],
            2
        ),
        row!("half a close by the server, which reads on", end_and_read, read_then_send_and_end, [], 2),
        row!("both sides end at once", end_and_read, request_end_and_read, [], 2),
        row!("a write after the own end", hold, end_and_write, [], 2),
        row!("a listener that stops resets who waits", stop_listening, request_and_read_late, [], 3),
        row!("a connect after the listener has stopped", stop_listening, connect_late, [], 2),
        row!("a second listener on one port", listen_twice, nothing, [], 1),
        row!("ten connections at once", echo, ten_connections, [], 2),
        row!("a writer waits for a reader", late_reader, send_much, [], 5),
        row!("bytes through a partition", timed_reader, send_one, [Partition(450, 800)], 4),
        row!("bytes through a longer partition", timed_reader, send_one, [Partition(450, 2_600)], 5),
        row!("bytes through a cut of the way there", timed_reader, send_one, [CutToServer(450, 800)], 4),
        row!(
            "a partition between two transmissions",
            timed_reader,
            send_one,
            [CutToServer(450, 550), Partition(600, 1_000)],
            4
        ),
        row!("bytes through a cut of the way back", timed_reader, send_one, [CutToClient(450, 800)], 3),
        row!("an answer through a cut of the way back", echo, ping_twice, [CutToClient(450, 800)], 4),
        row!(
            "the end of a stream through a partition",
            timed_reader,
            send_one_and_end,
            [Partition(450, 800)],
            4,
            Some(SEVERAL)
        ),
        row!("a close through a partition", timed_reader, send_one_and_close, [Partition(450, 800)], 4, Some(SEVERAL)),
        row!("a firewall resets an open connection", reader, send_one_and_read, [Reject(450, 5_000)], 2),
        row!("a process dies while its client reads", hold, connect_and_read, [Kill(500, 1_500)], 3),
        row!("a process dies with a request unread", hold, request_read_thrice_and_write, [Kill(500, 1_500)], 3),
        row!("a connect to a dead process", hold, connect_late, [Kill(500, 1_500)], 3),
        row!("a ping after the restart of a process", echo, ping_twice, [Kill(700, 1_000)], 3),
        row!("a power cycle of an idle peer is not noticed", hold, connect_and_read, [PowerOff(500, 1_500)], 4),
        row!("a request to a machine without power", hold, send_one_and_read, [PowerOff(400, 1_500)], 5),
        row!("a ping after a power cycle", echo, ping_twice, [PowerOff(700, 1_200)], 4),
        row!("an end sent to a machine without power", hold, end_late_and_read, [PowerOff(500, 1_500)], 6),
        row!("a connect to a machine without power", note_accepts, connect_late, [PowerOff(500, 1_500)], 5),
        row!("a process dies while its client writes", hold, write_read_thrice_and_write, [Kill(300, 1_500)], 3),
        row!("a process dies without a byte unread, and writes go on", hold, write_late_twice, [Kill(300, 1_500)], 3),
        row!(
            "a connect while a process is dead and after its restart",
            note_accepts,
            connect_twice,
            [Kill(500, 1_000)],
            3
        ),
        row!("bytes sent both ways at once", both_ways, both_ways_client, [], 3),
        row!("many small writes arrive in order", reader, many_small_writes, [], 2),
        row!("an empty write", reader, empty_write, [], 2),
        row!("the end of a stream without a byte", reader, end_at_once, [], 2),
        row!("a client that closes at once", reader, close_client_at_once, [], 2),
        row!("a client that closes with an answer unread", greet_and_read, close_client_unread, [], 2),
        row!("the second answer comes late through a partition", echo, ping_twice, [Partition(1_450, 1_800)], 4),
        row!("a partition around the whole request", echo, ping_twice, [Partition(400, 1_200)], 4),
        row!("a cut of the way there between two requests", timed_reader, send_two, [CutToServer(550, 900)], 4),
        row!(
            "an answer and its end through a cut of the way back",
            answer_at_half_and_close,
            connect_and_read_timed,
            [CutToClient(450, 800)],
            4,
            Some(SEVERAL)
        ),
        row!("a lost request is read before the next one", reader, send_two_and_end, [CutToServer(450, 550)], 3),
        row!(
            "a lost reset is sent again for each retransmission",
            close_unread,
            request_write_and_timed_read,
            [CutToClient(450, 700)],
            4
        ),
        row!(
            "an answer of a machine that then loses power never arrives",
            answer_at_half_and_close,
            connect_and_read,
            [CutToClient(450, 1_100), PowerOff(600, 4_900)],
            5
        ),
        row!("keep-alive: a peer that lives", hold, keep_alive_and_read, [], 6),
        row!("keep-alive: a peer that cannot be reached", hold, keep_alive_and_read, [Partition(600, 7_900)], 8),
        row!("keep-alive: a peer that was away for two probes", hold, keep_alive_and_read, [Partition(600, 2_700)], 8),
        row!("keep-alive: only the way back is cut", hold, keep_alive_and_read, [CutToClient(600, 7_900)], 8),
        row!("keep-alive: a peer that has forgotten", hold, keep_alive_and_read, [PowerOff(600, 1_600)], 6),
        row!("keep-alive with a user timeout", hold, keep_alive_with_user_timeout, [Partition(600, 7_900)], 8),
        row!("keep-alive waits while bytes are on their way", hold, keep_alive_and_send, [Partition(600, 5_900)], 9),
        row!("a user timeout", hold, user_timeout_and_send, [Partition(400, 5_900)], 6),
        row!("a user timeout that is not reached", hold, user_timeout_and_send, [Partition(400, 900)], 4),
        row!(
            "a reset through a cut of the way back is lost",
            close_unread,
            request_and_read_late,
            [CutToClient(450, 800)],
            3
        ),
        row!(
            "a lost reset is sent again for the next bytes",
            close_unread,
            request_and_write_late_twice,
            [CutToClient(450, 800)],
            3
        ),
        row!("a connect refused again and again", nothing, refused_thrice, [], 2),
        row!("a connect while the server's process is paused", note_accepts, connect_once, [Pause(100, 1_600)], 3),
        row!("a refused connect while the server's process is paused", nothing, connect_once, [Pause(100, 1_600)], 3),
        row!("a question to a paused process", echo, ping_timed, [Pause(400, 2_000)], 4),
        row!("what a paused process finds", timed_reader, send_two_and_end, [Pause(400, 2_000)], 4),
        row!(
            "a peer that closes while the process is paused",
            timed_reader,
            send_one_and_close,
            [Pause(400, 2_000)],
            4
        ),
        row!("timers of a paused process", note_timers, nothing, [Pause(300, 2_000)], 4),
        row!("a datagram is sent back", echo_datagrams, one_datagram, [], 2),
        row!("datagrams keep their bounds, and one may be empty", echo_datagrams, three_datagrams, [], 2),
        row!("datagrams that are long, and too long", echo_datagrams, long_datagrams, [], 2),
        row!("datagrams that are longer than the buffer", short_buffer, three_datagrams, [], 2),
        row!("a datagram to a port that nobody has bound", nothing, one_datagram, [], 2),
        row!("a port that is bound twice", bind_twice, nothing, [], 1),
        row!("datagrams and a partition", echo_datagrams, datagrams_twice, [Partition(400, 900)], 3),
        row!("datagrams and a cut of the way back", echo_datagrams, datagrams_twice, [CutToClient(400, 900)], 3),
        row!("datagrams and a process that is killed", echo_datagrams, datagrams_twice, [Kill(400, 900)], 3),
        row!("datagrams and a machine without power", echo_datagrams, datagrams_twice, [PowerOff(400, 900)], 3),
        row!("datagrams and a paused process", echo_datagrams, datagrams_twice, [Pause(400, 900)], 3),
        row!("a connected socket: a datagram is sent back", echo_datagrams, one_to_the_peer, [], 2),
        row!(
            "a connected socket receives from its peer only",
            answer_from_two_sockets,
            one_to_the_peer_and_wait,
            [],
            3
        ),
        row!("what came before a connect stays", answer_from_two_sockets, connect_after_the_answers, [], 3),
        row!("a connected socket: nobody has the port, seen by reads", nothing, one_to_the_peer, [], 2),
        row!("a connected socket: nobody has the port, seen by writes", nothing, many_to_the_peer, [], 3),
        row!("a connected socket sends to somebody else", echo_datagrams, to_another_than_the_peer, [], 3),
        row!("a connected socket is connected again", echo_datagrams, connect_again, [], 3),
        row!("a connected socket and a process that is killed", echo_datagrams, three_to_the_peer, [Kill(400, 900)], 3),
        row!("a connected socket and no power", echo_datagrams, three_to_the_peer, [PowerOff(400, 900)], 3),
        row!("a connected socket and a partition", echo_datagrams, three_to_the_peer, [Partition(400, 900)], 3),
        row!("an answer that nobody has the port is cut off", nothing, three_to_the_peer, [CutToClient(400, 900)], 3),
        row!("nobody has the port, and the process is paused", nothing, three_to_the_peer, [Pause(400, 1_900)], 3),
        row!("what a socket says of itself", nothing, addresses_of_a_socket, [], 2),
        row!("a datagram is looked at and stays", peek_and_receive, three_datagrams, [], 2),
        row!("keep-alive: a peer whose process is paused", hold, keep_alive_and_read, [Pause(600, 7_900)], 9),
    ]
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/fidelity.md")
}

/// What to do with the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Compare both kernels with each other and with the committed table.
    Compare,
    /// The same, and write the table first.
    Write,
    /// Compare Squall with the committed table.
    Simulated,
}

/// Runs all rows and compares them.
pub fn check(mode: Mode) {
    let rows = rows();
    let obstacle = if mode == Mode::Simulated { Some("it was not asked for".to_owned()) } else { linux::obstacle() };
    let real: Vec<Option<Seen>> = match &obstacle {
        Some(why) => {
            println!("SKIPPED: {} rows on the real kernel: {why}", rows.len());
            rows.iter().map(|_| None).collect()
        }
        None => in_parallel(&rows),
    };
    let simulated: Vec<Seen> = rows.iter().map(|row| (row.simulated)()).collect();
    // The copies of the mutants have one mistake each.
    let mut problems = if mode == Mode::Simulated { Vec::new() } else { mutants::outdated() };
    let mut same = 0;
    let mut table = String::from(HEAD);
    for ((row, simulated), real) in rows.iter().zip(&simulated).zip(&real) {
        let (simulated, what) = (simulated.text(), row.what);
        let Some(real) = real.as_ref().map(Seen::text) else { continue };
        let verdict = match (agree(&simulated, &real), row.differs) {
            (true, None) => {
                same += 1;
                "same".to_owned()
            }
            (false, Some(why)) => format!("differs: {why}"),
            (true, Some(_)) => {
                problems.push(format!("{what}: is the same now; remove it from the known differences"));
                "same".to_owned()
            }
            (false, None) => {
                problems.push(format!("{what}:\n    Linux:  {real}\n    Squall: {simulated}"));
                "differs".to_owned()
            }
        };
        let _ = writeln!(table, "| {what} | {real} | {simulated} | {verdict} |");
    }
    if obstacle.is_none() {
        println!("{same} of {} rows are the same on Linux and on Squall", rows.len());
        if mode == Mode::Write {
            std::fs::create_dir_all(file().parent().unwrap()).unwrap();
            std::fs::write(file(), &table).unwrap();
        }
    }
    if mode != Mode::Simulated {
        for (row, simulated) in rows.iter().zip(&simulated) {
            let (plain, simulated) = ((row.plain)().text(), simulated.text());
            if plain != simulated {
                problems
                    .push(format!("{}:\n    Squall's sockets: {simulated}\n    tokio's sockets:  {plain}", row.what));
            }
        }
    }
    let committed = std::fs::read_to_string(file()).unwrap_or_default();
    for (row, simulated) in rows.iter().zip(&simulated) {
        let line = committed.lines().find(|line| line.starts_with(&format!("| {} |", row.what)));
        let is_known = line.is_some_and(|line| line.split(" | ").nth(2) == Some(simulated.text().as_str()));
        if !is_known {
            problems.push(format!("{}: docs/fidelity.md does not say of Squall: {}", row.what, simulated.text()));
        }
    }
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

/// Whether two texts are the same, but for times that differ by at most 0.15 s: real timers are a little late.
fn agree(one: &str, other: &str) -> bool {
    let seconds =
        |word: &str| word.trim_end_matches([',', ';']).strip_suffix('s').and_then(|text| text.parse::<f64>().ok());
    let is_close = |(one, other): (&str, &str)| match (seconds(one), seconds(other)) {
        (Some(one), Some(other)) => (one - other).abs() < 0.15,
        _ => one == other,
    };
    let (one, other) = (one.split(' '), other.split(' '));
    one.clone().count() == other.clone().count() && one.zip(other).all(is_close)
}

/// Each row on the real kernel. Rows mostly wait, so many run at once. A busy machine may be late: a row that differs
/// is run again by itself, twice at most, before it counts.
fn in_parallel(rows: &[Row]) -> Vec<Option<Seen>> {
    const AT_ONCE: usize = 16;
    let mut seen = Vec::new();
    for some in rows.chunks(AT_ONCE) {
        seen.extend(thread::scope(|scope| {
            let running: Vec<_> = some.iter().map(|row| scope.spawn(|| (row.real)())).collect();
            let results = running.into_iter().map(|thread| thread.join().expect("no row panics"));
            results.collect::<Vec<_>>()
        }));
    }
    let again = |(row, first): (&Row, io::Result<Seen>)| {
        let expected = (row.simulated)().text();
        let mut seen = first;
        for _ in 0..2 {
            if seen.as_ref().is_ok_and(|seen| agree(&seen.text(), &expected)) || row.differs.is_some() {
                break;
            }
            seen = (row.real)();
        }
        Some(seen.unwrap_or_else(|error| panic!("{}: {error}", row.what)))
    };
    rows.iter().zip(seen).map(again).collect()
}

const HEAD: &str = "# What both kernels show

Each row is a program of a server and a client that runs unchanged on Linux, in network namespaces, and on Squall. It says
what both ends saw, in order: bytes, `EOF`, errors, and times to a tenth of a second where they matter. This table is
written by `SQUALL_FIDELITY=write cargo test --test contract` (Linux, root, `ip`, `nft`); `cargo test --test contract` fails
if a row differs from it, or Linux from Squall.

| row | Linux | Squall | |
| --- | --- | --- | --- |
";

//! Mistakes planted in the network: the table must differ for each of them. `SQUALL_FIDELITY=mutants cargo test --test
//! contract` builds a copy of this package for each, without the real kernel.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mistake: what it is, the file, the right text, which occurs there once, and the wrong one.
type Mutant = (&'static str, &'static str, &'static str, &'static str);

const MUTANTS: [Mutant; 22] = [
    (
        "timeouts do not double",
        "src/net/wire/retransmit.rs",
        "gap = (gap * 2).min(RETRANSMIT_CAP);",
        "gap = gap.min(RETRANSMIT_CAP);",
    ),
    (
        "a kernel that has forgotten a connection sends again",
        "src/net/flow.rs",
        "self.gone_at[side.index()].is_none_or(|gone| at <= gone)",
        "self.gone_at[side.index()].is_none_or(|gone| at <= gone || true)",
    ),
    (
        "bytes for an unknown connection are not answered with a reset",
        "src/net/arrivals.rs",
        "SegmentKind::Data | SegmentKind::SynAck => true,",
        "SegmentKind::Data => false,\n                SegmentKind::SynAck => true,",
    ),
    (
        "each read returns the error again",
        "src/net/socket.rs",
        "return Poll::Ready(end.error.take().map_or(Ok(()), |error| Err(error_of(error))));",
        "return Poll::Ready(end.error.map_or(Ok(()), |error| Err(error_of(error))));",
    ),
    (
        "a reset after the peer's end is a reset",
        "src/net/flow.rs",
        "self.error = Some(if self.peer_finished { io::ErrorKind::BrokenPipe } else { error });",
        "self.error = Some(error);",
    ),
    (
        "a close with unread bytes does not reset",
        "src/net/calls.rs",
        "EndState::Open if end.settings.resets_on_close() || !end.received.is_empty() => {",
        "EndState::Open if end.settings.resets_on_close() => {",
    ),
    (
        "a linger of zero does not reset",
        "src/net/calls.rs",
        "EndState::Open if end.settings.resets_on_close() || !end.received.is_empty() => {",
        "EndState::Open if !end.received.is_empty() => {",
    ),
    (
        "bytes overtake a lost segment",
        "src/net/wire.rs",
        "if is_from_program(packet.kind) { self.gaps.fill(flow, side, ordinal, piece) } else { Filled::Only(piece) };",
        "if false { self.gaps.fill(flow, side, ordinal, piece) } else { Filled::Only(piece) };",
    ),
    (
        "keep-alive sends one probe more",
        "src/net/keep_alive.rs",
        "None => watch.probes >= retries,",
        "None => watch.probes > retries,",
    ),
    (
        "a user timeout is ignored",
        "src/net/options.rs",
        "end.user_timeout = timeout;",
        "end.user_timeout = timeout.filter(|_| false);",
    ),
    (
        "a listener that stops leaves those who wait alone",
        "src/net/calls.rs",
        "&& end.state == EndState::Open\n            {",
        "&& end.state == EndState::Gone\n            {",
    ),
    (
        "a lost end of the stream is not sent again",
        "src/net/flow.rs",
        "matches!(self.kind, Syn | SynAck | Ack | Probe | Rst | Datagram | Unreachable)",
        "matches!(self.kind, Syn | SynAck | Ack | Probe | Rst | Datagram | Unreachable | SegmentKind::Fin)",
    ),
    (
        "the peer's end ends both directions",
        "src/net/arrivals.rs",
        "end.peer_finished = true;",
        "end.peer_finished = true;\n                end.finished = true;",
    ),
    (
        "nobody learns that a process died",
        "src/net/calls.rs",
        "for (flow, side) in self.ends_of(host) {\n            self.close(flow, side);",
        "for (flow, side) in self.ends_of(host) {\n            self.take_end(flow, side);",
    ),
    (
        "a reader makes no room",
        "src/net/calls.rs",
        "self.send(flow, side, SegmentKind::Window, Bytes::new(), room);",
        "self.send(flow, side, SegmentKind::Window, Bytes::new(), room / 1_000);",
    ),
    (
        "a lost reset is not sent again",
        "src/net/arrivals.rs",
        "if matches!(packet.kind, SegmentKind::Data | SegmentKind::Fin) && !packet.is_sent_once() {",
        "if packet.ordinal == u32::MAX && !packet.is_sent_once() {",
    ),
    (
        "the kernel of a paused process does nothing either",
        "src/world/pauses.rs",
        "self.paused.iter().filter(|(_, paused)| paused.is_frozen)",
        "self.paused.iter().filter(|_| false)",
    ),
    ("a paused process runs on", "src/world/engine/turmoil.rs", "freeze.begin();", "let _ = freeze;"),
    (
        "a connected socket receives from anybody",
        "src/net/inbox.rs",
        "self.peer.is_none_or(|peer| peer == from)",
        "self.peer.is_none_or(|peer| peer == from || true)",
    ),
    (
        "a socket without a peer hears that nobody has a port",
        "src/net/unreachable.rs",
        "find(|(_, inbox)| inbox.peer == Some(peer))",
        "find(|(_, inbox)| inbox.peer.is_none_or(|known| known == peer))",
    ),
    (
        "a connected socket does not hear that nobody has the port",
        "src/net/inbox.rs",
        "self.is_refused = true;",
        "self.is_refused = false;",
    ),
    ("a kernel answers every datagram by ICMP", "src/net/allowance.rs", "left.is_some()", "left.is_some() || true"),
];

/// The mutants whose right text is not once in its file.
pub fn outdated() -> Vec<String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let count =
        |file: &str, right: &str| std::fs::read_to_string(package.join(file)).map(|text| text.matches(right).count());
    let is_outdated = |(_, file, right, _): &&Mutant| !matches!(count(file, right), Ok(1));
    MUTANTS.iter().filter(is_outdated).map(|(what, file, ..)| format!("adapt the mutant `{what}` to {file}")).collect()
}

/// Builds and judges each mutant; panics unless each is caught.
pub fn check() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("contract-mutants");
    let _ = std::fs::remove_dir_all(&copy);
    for part in ["src", "tests", "benches", "sims", "examples", "docs", "Cargo.toml", "Cargo.lock", "README.md"] {
        if package.join(part).exists() {
            copy_all(&package.join(part), &copy.join(part));
        }
    }
    rename(&copy);
    let mut problems = Vec::new();
    // Without a mistake, the copy must pass: otherwise the others prove nothing.
    let (is_right, output) = passes(&copy);
    assert!(is_right, "the copy without a mistake fails:\n{output}");
    for (what, file, right, wrong) in MUTANTS {
        let path = copy.join(file);
        let text = std::fs::read_to_string(&path).expect("the file is part of the copy");
        let count = text.matches(right).count();
        if count != 1 {
            problems.push(format!("{what}: {file} has the right text {count} times: adapt the mutant"));
            continue;
        }
        std::fs::write(&path, text.replace(right, wrong)).expect("the copy can be written");
        let (is_missed, output) = passes(&copy);
        std::fs::write(&path, text).expect("the copy can be written");
        let rows = output.lines().filter(|line| line.contains("does not say of Squall")).count();
        match (is_missed, rows) {
            (true, _) => problems.push(format!("{what}: no row differs")),
            (false, 0) => problems.push(format!("{what}: it failed in another way:\n{output}")),
            (false, rows) => println!("caught: {what} ({rows} rows differ)"),
        }
    }
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
    println!("all {} mutants are caught", MUTANTS.len());
}

/// Renames the copied package, so that its files in the target directory are not those of this one.
fn rename(copy: &Path) {
    let rename = |file: &str, renamed: &dyn Fn(String) -> String| {
        let text = std::fs::read_to_string(copy.join(file)).expect("the file is part of the copy");
        std::fs::write(copy.join(file), renamed(text)).expect("the copy can be written");
    };
    rename("Cargo.lock", &|text| text.replace("\"squall\"", "\"squall-with-a-mistake\""));
    rename("Cargo.toml", &|text| {
        text.replacen("name = \"squall\"", "name = \"squall-with-a-mistake\"", 1)
            .replace("squall = { path", "squall = { package = \"squall-with-a-mistake\", path")
    });
}

/// Whether the table of the copy is as it should be, and what the test prints.
fn passes(copy: &Path) -> (bool, String) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is within the target directory");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--quiet", "--test", "contract"])
        // It is built once for each mistake and runs for seconds, so that what it takes to optimise it never pays.
        .args(["--config", "profile.dev.package.squall-with-a-mistake.opt-level=0", "--manifest-path"])
        .arg(copy.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .env("SQUALL_FIDELITY", "simulated")
        .output()
        .expect("cargo can be started");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn copy_all(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).expect("the copy can be made");
        for entry in std::fs::read_dir(from).expect("the package can be read").flatten() {
            copy_all(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::create_dir_all(to.parent().expect("a file has a directory")).expect("the copy can be made");
        std::fs::copy(from, to).expect("the copy can be made");
    }
}

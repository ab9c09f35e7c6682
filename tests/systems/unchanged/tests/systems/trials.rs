//! The tests, each of which starts this executable as a command line.

use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use squall::prelude::*;
use squall::scenario::Mistake;

/// Seeds, of a scenario of one server, and of one of several nodes, whose runs take longer.
const SEEDS: u64 = 24;
const SEEDS_OF_NODES: u64 = 8;

/// How many seeds of a scenario are explored; the environment variable `SEEDS` says another number for all.
fn seeds(name: &str) -> u64 {
    match std::env::var("SEEDS") {
        Ok(text) => text.parse().expect("SEEDS is a number"),
        Err(_) if name == "openraft" => SEEDS_OF_NODES,
        Err(_) => SEEDS,
    }
}

/// Runs the tests of these scenarios and mistakes.
pub fn run(scenarios: &[Scenario], mistakes: &[Mistake]) -> ExitCode {
    let mut trials = vec![Trial::test("every_crate_is_as_its_registry_has_it", every_crate_is_as_its_registry_has_it)];
    trials.push(Trial::test("wireshark_reads_what_was_sent_over_tls", wireshark_reads_what_was_sent_over_tls));
    for name in scenarios.iter().map(|scenario| scenario.name().to_owned()) {
        trials.push(Trial::test(name.clone(), move || passes_and_repeats(&name)));
    }
    for name in mistakes.iter().map(|mistake| mistake.name().to_owned()) {
        trials.push(Trial::test(format!("mistakes::{name}"), move || {
            cli(&["mistakes", &name, "--starts", "2", "--shrink-for", "0"]).map(drop)
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Explores the seeds with one job, again, and with two: every run passes without an escape, and has one fingerprint.
fn passes_and_repeats(name: &str) -> Result<(), Failed> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unchanged");
    std::fs::create_dir_all(&directory)?;
    let explored = |label: &str, jobs: &str| -> Result<String, Failed> {
        let file = directory.join(format!("{name}-{label}"));
        let path = file.to_str().ok_or("a path of text")?;
        cli(&["explore", name, "--seeds", &format!("0..{}", seeds(name)), "--jobs", jobs, "--fingerprints", path])?;
        Ok(std::fs::read_to_string(file)?)
    };
    let first = explored("first", "1")?;
    for (label, jobs) in [("again", "1"), ("two", "2")] {
        let other = explored(label, jobs)?;
        if let Some((a, b)) = first.lines().zip(other.lines()).find(|(a, b)| a != b) {
            return Err(format!("{label}: {a} is now {b}").into());
        }
        if (first.lines().count(), other.lines().count()) != (seeds(name) as usize, seeds(name) as usize) {
            return Err(format!("{label}: not every seed has a fingerprint").into());
        }
    }
    Ok(())
}

/// The capture of a failing run of rustls holds the secrets that decrypt it.
fn wireshark_reads_what_was_sent_over_tls() -> Result<(), Failed> {
    if Command::new("tshark").arg("--version").output().is_err() {
        println!("SKIPPED: tshark is not installed, so whether it decrypts a capture is unknown");
        return Ok(());
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capture");
    let directory = directory.to_str().ok_or("a path of text")?;
    let own = Command::new(std::env::current_exe()?)
        .args(["cli", "explore", "mistakes::rustls_hurries", "--seeds", "0..64", "--shrink-for", "0"])
        .output()?;
    let text = String::from_utf8_lossy(&own.stdout).into_owned();
    let case = text.lines().find_map(|line| line.strip_prefix("case: ")).ok_or_else(|| format!("no case: {text}"))?;
    let written = cli(&["report", case, "--pcap", "--out", directory])?;
    let capture = written.lines().find_map(|line| line.strip_prefix("capture: ")).ok_or("no capture")?;
    let decrypted = Command::new("tshark").args(["-r", capture, "-q", "-z", "follow,tls,ascii,0"]).output()?;
    let decrypted = String::from_utf8_lossy(&decrypted.stdout).into_owned();
    if decrypted.contains("add client-") && decrypted.contains("added") {
        return Ok(());
    }
    Err(format!("tshark does not decrypt {capture}: {decrypted}").into())
}

/// No crate is patched or taken from elsewhere: all but Squall and this package come from the registry, with a checksum.
fn every_crate_is_as_its_registry_has_it() -> Result<(), Failed> {
    const OURS: [&str; 2] = ["squall", "unchanged"];
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"))?;
    let foreign = not_of_the_registry(&lock);
    // A patch of which nothing came is listed apart.
    if foreign != OURS || lock.contains("[[patch") {
        return Err(format!("not from the registry: {foreign:?}").into());
    }
    let patched = lock.replacen(REGISTRY, "git+https://example.org", 1);
    let without_checksum = lock.replacen("checksum", "sum", 1);
    let is_seen = |lock: &str| not_of_the_registry(lock).len() == OURS.len() + 1;
    if !is_seen(&patched) || !is_seen(&without_checksum) {
        return Err("a crate from elsewhere is not seen".into());
    }
    Ok(())
}

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The packages of a lock file that do not come from the registry, or without a checksum.
fn not_of_the_registry(lock: &str) -> Vec<&str> {
    fn value<'a>(package: &'a str, key: &str) -> &'a str {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        line.map(|value| value.trim_end_matches('"')).unwrap_or_default()
    }
    let packages = lock.split("[[package]]").skip(1);
    let foreign =
        packages.filter(|package| value(package, "source") != REGISTRY || value(package, "checksum").len() != 64);
    foreign.map(|package| value(package, "name")).collect()
}

/// Starts this executable as a command line, shows what it writes, and fails if it does.
fn cli(arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new(std::env::current_exe()?).arg("cli").args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    if text.contains("left the sandbox") {
        return Err("a run left the sandbox".into());
    }
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

//! The ways of running the probes: what they see must not depend on them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;

use crate::kinds;
use crate::probe::{Act, Probe};

/// The argument that prints what facts a real process sees.
pub const OUTSIDE: &str = "outside";

/// What one run of a probe saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The fingerprint of the run.
    pub fingerprint: String,
    /// What the probe saw, or how the run ended.
    pub text: Result<String, String>,
    /// The kinds of escape that the run's report names, with the first detail of each.
    pub escapes: BTreeMap<String, String>,
}

/// What all probes saw in one way of running: by probe and seed. An exploration that found by itself that a run does not
/// repeat has its status under the seed `status`.
pub type Sightings = BTreeMap<String, BTreeMap<String, Seen>>;

/// One way of running.
pub struct Way {
    pub name: &'static str,
    wrap: fn(&Path) -> Option<Command>,
    /// Whether the last seeds are run first, a quarter of them at a time, as are the last probes.
    is_reversed: bool,
    jobs: &'static str,
}

/// All ways, the plain one first.
pub const WAYS: [Way; 10] = [
    Way { name: "first", wrap: plain, is_reversed: false, jobs: "1" },
    Way { name: "again", wrap: plain, is_reversed: false, jobs: "1" },
    Way { name: "in reverse order", wrap: plain, is_reversed: true, jobs: "1" },
    Way { name: "two jobs", wrap: plain, is_reversed: false, jobs: "2" },
    Way { name: "another directory, environment and name", wrap: elsewhere, is_reversed: false, jobs: "2" },
    Way { name: "a small stack limit", wrap: |own| limited(own, "1024"), is_reversed: false, jobs: "2" },
    Way { name: "other limits", wrap: |own| limited(own, "65536; ulimit -n 512"), is_reversed: false, jobs: "2" },
    Way { name: "another host name, one processor", wrap: other_machine, is_reversed: false, jobs: "2" },
    Way { name: "an uptime of a minute", wrap: other_uptime, is_reversed: false, jobs: "2" },
    Way { name: "a copied executable", wrap: copied, is_reversed: false, jobs: "2" },
];

fn plain(own: &Path) -> Option<Command> {
    Some(Command::new(own))
}

fn elsewhere(own: &Path) -> Option<Command> {
    let mut command = Command::new("/bin/bash");
    command
        .current_dir("/")
        .env_clear()
        .env("TZ", "Asia/Tokyo")
        .env("LANG", "tr_TR")
        .env("A_VARIABLE", "x".repeat(20_000));
    command.args(["-c", "umask 077; exec -a another-name \"$0\" \"$@\""]).arg(own);
    Some(command)
}

fn limited(own: &Path, stack: &str) -> Option<Command> {
    let mut command = Command::new("/bin/bash");
    command.arg("-c").arg(format!("ulimit -s {stack}; exec \"$0\" \"$@\"")).arg(own);
    Some(command)
}

/// Runs in namespaces of its own, if this process may make some.
fn unshared(flags: &[&str], script: &str, own: &Path) -> Option<Command> {
    let may = Command::new("unshare").args(flags).arg("true").output().is_ok_and(|output| output.status.success());
    let mut command = Command::new("unshare");
    command.args(flags).args(["/bin/sh", "-c", script]).arg(own);
    may.then_some(command)
}

fn other_machine(own: &Path) -> Option<Command> {
    unshared(&["--uts", "--fork"], "hostname another-machine && exec taskset -c 0 \"$0\" \"$@\"", own)
}

/// A machine that was started a minute ago.
fn other_uptime(own: &Path) -> Option<Command> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let offset = 60 - uptime.split('.').next()?.parse::<i64>().ok()?;
    let offsets = [format!("--boottime={offset}"), format!("--monotonic={offset}")];
    unshared(&["--time", "--fork", &offsets[0], &offsets[1]], "exec \"$0\" \"$@\"", own)
}

fn copied(own: &Path) -> Option<Command> {
    let copy = directory().join("a copied and renamed executable");
    fs::copy(own, &copy).expect("the executable is copied");
    Some(Command::new(copy))
}

/// In how many parts seeds are run in reverse order.
const QUARTERS: u64 = 4;

fn directory() -> PathBuf {
    let directory = std::env::temp_dir().join("squall-probes");
    fs::create_dir_all(&directory).expect("a temporary directory is made");
    directory
}

impl Way {
    /// Runs these probes with seeds from 0; `None` if this machine does not allow the way.
    pub fn run(&self, probes: &[Probe], seeds: u64) -> Option<Sightings> {
        // Ways may be run at once.
        let outcomes = directory().join(format!("{}.json", self.name));
        let own = std::env::current_exe().expect("the executable has a path");
        let mut names: Vec<&str> = probes.iter().map(|probe| probe.name).collect();
        let ranges: Vec<String> = match self.is_reversed {
            false => vec![format!("0..{seeds}")],
            true => {
                names.reverse();
                let length = (seeds / QUARTERS).max(1);
                let part = |part: u64| format!("{}..{}", part * length, seeds.min((part + 1) * length));
                (0..seeds.div_ceil(length)).rev().map(part).collect()
            }
        };
        let mut all = Sightings::new();
        for range in ranges {
            let mut command = (self.wrap)(&own)?;
            for (probe, seen) in explored(&mut command, &names, &range, self.jobs, &outcomes) {
                all.entry(probe).or_default().extend(seen);
            }
        }
        Some(all)
    }
}

/// Explores these scenarios, and reads what each run saw.
fn explored(command: &mut Command, names: &[&str], seeds: &str, jobs: &str, outcomes: &Path) -> Sightings {
    let _ = fs::remove_file(outcomes);
    command.arg("cli").arg("explore").args(names).args(["--seeds", seeds, "--jobs", jobs, "--keep-going"]);
    command.args(["--shrink-for", "0", "--explain-for", "0", "--json"]).arg(outcomes);
    command.env("CARGO_TARGET_DIR", directory());
    let output = command.output().expect("the table starts");
    let text = fs::read_to_string(outcomes).unwrap_or_else(|error| {
        panic!("{command:?}: {error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let summaries: Vec<Value> = serde_json::from_str(&text).expect("the outcomes are JSON");
    summaries.iter().map(|summary| (string(&summary["scenario"]), of_scenario(summary))).collect()
}

fn of_scenario(summary: &Value) -> BTreeMap<String, Seen> {
    let outcomes = summary["outcomes"].as_array().into_iter().flatten();
    let mut seen: BTreeMap<String, Seen> =
        outcomes.map(|outcome| (string(&outcome["seed"]), of_run(outcome))).collect();
    if summary["status"] == "not deterministic" {
        let (fingerprint, escapes) = (String::new(), BTreeMap::new());
        let text = Ok("a run that is repeated at once differs".to_owned());
        seen.insert("status".to_owned(), Seen { fingerprint, text, escapes });
    }
    seen
}

fn of_run(outcome: &Value) -> Seen {
    let text = match outcome["verdict"].get("unknown") {
        Some(text) => Ok(string(text)),
        None => Err(outcome["findings"].as_array().into_iter().flatten().map(finding).collect::<Vec<_>>().join("; ")),
    };
    let escapes = outcome["escapes"].as_array().into_iter().flatten();
    let escapes = escapes.map(|escape| (string(&escape["kind"]), string(&escape["detail"]))).rev().collect();
    Seen { fingerprint: string(&outcome["fingerprint"]), text, escapes }
}

fn finding(finding: &Value) -> String {
    let verdict = &finding["verdict"];
    let why = verdict["fail"].get("what").or(verdict["fail"].get("why")).or(verdict.get("unknown"));
    why.map_or_else(|| verdict.to_string(), string)
}

fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Prints, as JSON, what probes for facts see in this process, which nothing simulates.
pub fn print_facts() -> ExitCode {
    let facts = kinds::all().into_iter().filter(|probe| probe.is_fact);
    let facts = facts.filter_map(|probe| match probe.act {
        Act::Now(act) => Some((probe.name, act())),
        Act::Thread(_) | Act::Task(_) => None,
    });
    println!("{}", serde_json::to_string(&facts.collect::<BTreeMap<_, _>>()).expect("texts are JSON"));
    ExitCode::SUCCESS
}

/// The facts that a real process sees, by probe.
pub fn facts() -> BTreeMap<String, String> {
    let own = std::env::current_exe().expect("the executable has a path");
    let output = Command::new(own).arg(OUTSIDE).current_dir("/").output().expect("it starts");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

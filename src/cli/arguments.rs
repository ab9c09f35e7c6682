//! The command line's grammar: subcommands, flags, and how their values are parsed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::diff::Diff;
use super::flags::{Drawing, Workers, seconds};
use super::job_output::JobOutput;
use super::merge::Merge;
use super::shards::ShardFlags;
use super::watch::Watch;
use crate::explore::SeedRange;
use crate::fault::text_duration;
use crate::seed::Seed;

/// Explores, replays and lists simulation scenarios.
#[derive(Debug, Parser)]
#[command(name = "cargo sims", bin_name = "cargo sims", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) explore: Explore,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists all scenarios, with their fault generators, checks and situations.
    List,
    /// Shows every kind of fault: what a peer sees of it, and how to write it.
    Faults,
    /// Runs scenarios over many seeds (all scenarios if none is named).
    Explore(Explore),
    /// Explores one scenario in full view, and stops at the first failure.
    Watch(Watch),
    /// Runs one case again and shows what happened.
    Replay(Replay),
    /// Shrinks a failing case for longer than an exploration does.
    Shrink(Shrink),
    /// Tries every single fault at each message and each named event of a run, one at a time.
    Sweep(Sweep),
    /// Looks for the runs that catch each planted mistake (all mistakes if none is named).
    Mistakes(Mistakes),
    /// Joins the results of the shards of an exploration, a sweep or a hunt for mistakes (`--shard`).
    Merge(Merge),
    /// Moves a failing case to sims/regressions, whose cases run first and must pass.
    Keep(Keep),
    /// Writes the report of a case: a page to open in a browser and, on request, a capture of its network.
    Report(Report),
    /// Shows two runs side by side, from where they part.
    Diff(Diff),
    /// Prints a case as a Rust test to paste.
    Rust {
        /// The case file.
        #[arg(value_name = "FILE.json")]
        file: PathBuf,
    },
    /// Checks whether a history recorded elsewhere is linearizable.
    Check(CheckHistory),
    /// Prints a script that completes commands, flags and names in a shell, and a function `sims` that stands for `cargo sims`:
    /// `source <(cargo sims completions bash)`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Explore {
    /// The scenarios to explore, by name or by pattern, in which `*` stands for any text; all if none is named.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// The seeds: `0..1000`, `0x10..0x20` or a single one. Default: SQUALL_SEEDS, or else 0..64.
    #[arg(long, value_name = "RANGE", conflicts_with = "duration")]
    pub(crate) seeds: Option<SeedRange>,
    /// How long to explore each scenario, starting at seed 0, for example `60s` or `5m`.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    #[command(flatten)]
    pub(crate) drawing: Drawing,
    #[command(flatten)]
    pub(crate) workers: Workers,
    /// Continue after a seed that fails.
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Repeat every run and compare the two runs.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Write all outcomes and a summary to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) job: JobOutput,
    #[command(flatten)]
    pub(crate) shards: ShardFlags,
    /// Write a line `NAME SEED FINGERPRINT VERDICT` for each run to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) fingerprints: Option<PathBuf>,
    /// The longest time to shrink the first failure; `0` turns shrinking off.
    #[arg(long, value_name = "TIME", value_parser = time_or_none, default_value = "60s")]
    pub(crate) shrink_for: Duration,
    /// The largest number of runs that shrinking may make.
    #[arg(long, value_name = "N", default_value_t = crate::explore::SHRINK_RUNS)]
    pub(crate) shrink_runs: u64,
    /// How long to spend on explaining the first failure; `0` turns the explanation off.
    #[arg(long, value_name = "TIME", value_parser = time_or_none, default_value = "5s")]
    pub(crate) explain_for: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Mistakes {
    /// The mistakes, as `list` shows them; all if none is named.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// The largest number of runs from each start.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=0x1_0000))]
    pub(crate) seeds: u64,
    /// How many times to look for each mistake, each time with other seeds.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) starts: u64,
    /// Write all results to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the table of mistakes to this file as a page for a browser.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// How long to shrink the first run that caught a mistake; `0` turns shrinking off.
    #[arg(long, value_name = "TIME", value_parser = time_or_none, default_value = "5s")]
    pub(crate) shrink_for: Duration,
    /// The largest number of runs that shrinking may make.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) shrink_runs: u64,
    #[command(flatten)]
    pub(crate) workers: Workers,
    #[command(flatten)]
    pub(crate) shards: ShardFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Shrink {
    /// The case file.
    #[arg(value_name = "FILE.json")]
    pub(crate) file: PathBuf,
    /// How long to shrink, for example `60s` or `5m`.
    #[arg(long = "for", value_name = "TIME", value_parser = duration, default_value = "2m")]
    pub(crate) duration: Duration,
    /// The largest number of runs to make. Default: no limit.
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    pub(crate) runs: u64,
    /// Where to write the smaller case. Default: beside the file, with `-shrunk` added to its name.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) workers: Workers,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The name of a scenario (with --seed), or a case file.
    #[arg(value_name = "NAME or FILE.json")]
    pub(crate) what: String,
    /// The seed, decimal or hexadecimal.
    #[arg(long)]
    pub(crate) seed: Option<Seed>,
    #[command(flatten)]
    pub(crate) drawing: Drawing,
    /// Print the whole timeline.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Find out which faults the failure needs, and how far each can be moved.
    #[arg(long)]
    pub(crate) why: bool,
    /// Print the timeline up to this virtual time, for example `3.2s` or `300ms`.
    #[arg(long, value_name = "TIME", value_parser = virtual_time)]
    pub(crate) until: Option<Duration>,
    /// Stop in the debugger at the first event whose line contains this text, or at a mark given as `host:name`.
    #[arg(long, value_name = "TEXT")]
    pub(crate) break_on: Option<String>,
    /// End the run as a hang when its virtual time stands still for this many seconds of CPU time, and as slow when it
    /// has used six times as many (more if it is long or has many hosts). Default: the scenario's own limit.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) hang_after: Option<Duration>,
    /// Run the case once more with its system calls watched, and report what leaves the sandbox, even if the runs are
    /// equal.
    #[arg(long)]
    pub(crate) doctor: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The case file.
    #[arg(value_name = "FILE.json")]
    pub(crate) file: PathBuf,
    /// The directory to write to. Default: that of the case file.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Open the page in the browser.
    #[arg(long)]
    pub(crate) open: bool,
    /// Write a capture of the network as well (pcapng, for Wireshark).
    #[arg(long)]
    pub(crate) pcap: bool,
    /// Write hosts, calls and exchanges for Perfetto as well (Trace Event Format).
    #[arg(long)]
    pub(crate) trace_json: bool,
    /// End the run as a hang when its virtual time stands still for this many seconds of CPU time.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) hang_after: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// The scenario.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// The seed of the run without faults.
    #[arg(long, default_value = "0")]
    pub(crate) seed: Seed,
    /// The faults to try at each point. Default: all of them.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) kinds: Vec<SweepKind>,
    /// The number of operations that each client makes: its first N, or `all`.
    #[arg(long, value_name = "N", value_parser = operations, default_value = "2")]
    pub(crate) operations: Operations,
    /// The hosts to take down: a name, a group, or a pattern in which `*` stands for any text. Default: the hosts that
    /// the scenario's own faults take down, or all hosts but the clients' if there are none.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) hosts: Option<String>,
    /// How long a host stays down.
    #[arg(long, value_name = "TIME", value_parser = virtual_time, default_value = "1s")]
    pub(crate) down_for: Duration,
    /// Try this many pairs of single faults as well, drawn from all of them.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) pairs: u64,
    /// Start from the beginning, even if an earlier sweep of the same executable was interrupted.
    #[arg(long)]
    pub(crate) afresh: bool,
    #[command(flatten)]
    pub(crate) workers: Workers,
    #[command(flatten)]
    pub(crate) shards: ShardFlags,
}

/// The number of operations of each client; `None` for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operations(pub(crate) Option<usize>);

fn operations(text: &str) -> Result<Operations, String> {
    match text {
        "all" => Ok(Operations(None)),
        text => text.parse().map(|count| Operations(Some(count))).map_err(|_| "expected a number or `all`".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SweepKind {
    /// The process is killed: before it sends the message, or right after the event.
    Kill,
    /// The machine loses power at that point.
    PowerOff,
    /// The connection of the message is reset, and the message lost.
    Close,
    /// The message is lost once, and sent again after the retransmission timeout.
    Loss,
}

#[derive(Debug, Args)]
pub(crate) struct Keep {
    /// The case file.
    #[arg(value_name = "FILE.json")]
    pub(crate) file: PathBuf,
    /// The directory to move it to. Default: sims/regressions/NAME in the project.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckHistory {
    /// The file that holds the history.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The object that the history is about. The format of the file is told by how it begins.
    #[arg(long)]
    pub(crate) model: HistoryModel,
    /// The values of a register's history are pairs `[KEY VALUE]`, as `jepsen.independent` writes them, and each key has a
    /// register of its own. This is also assumed if each `:read` is called with `[KEY nil]`.
    #[arg(long)]
    pub(crate) independent: bool,
    /// The initial value, in EDN: of a register, nil by default; of a mutex, `:held` or `:free`; of a multi-register, a
    /// map; of a set or a queue, its values.
    #[arg(long, value_name = "VALUE")]
    pub(crate) initial: Option<String>,
    /// What `:fail` says of a `:cas`. Every other `:fail` means that there was no effect.
    #[arg(long, value_name = "MEANING", default_value = "did-not-happen")]
    pub(crate) failed_cas: FailedCasMeaning,
    /// The number of configurations after which the search gives up.
    #[arg(long, value_name = "N")]
    pub(crate) budget: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum HistoryModel {
    /// A register: `:read` and `:write`.
    Register,
    /// A register with compare-and-set: also `:cas [EXPECTED NEW]`.
    CasRegister,
    /// A lock: `:acquire` and `:release`.
    Mutex,
    /// Registers with transactions: `:txn [[:read KEY nil] [:write KEY VALUE]]`.
    MultiRegister,
    /// A map from keys to texts: `:get`, `:put` and `:append`, each with a `:key`.
    Kv,
    /// A set: `:add`, `:remove` and `:read`.
    Set,
    /// A first-in, first-out queue: `:enqueue`, `:dequeue` and `:drain`.
    Queue,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FailedCasMeaning {
    /// It had no effect.
    DidNotHappen,
    /// It found another value than the expected one, as in Jepsen's early logs of etcd.
    FoundAnotherValue,
}

/// A span of time that may be zero.
fn time_or_none(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" | "0m" => Ok(Duration::ZERO),
        text => duration(text),
    }
}

fn virtual_time(text: &str) -> Result<Duration, String> {
    time(text).ok_or_else(|| "expected a virtual time such as 3.2s or 300ms".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = time(text).filter(|time| !time.is_zero());
    parsed.ok_or_else(|| "expected a time such as 60s or 5m".to_owned())
}

/// A time in hours, minutes or any smaller unit; in seconds if it has no unit.
fn time(text: &str) -> Option<Duration> {
    let exact = || text_duration::parse(text).or_else(|| text_duration::parse(&format!("{text}s")));
    let of = |number: &str, scale: f64| Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok();
    match (text.strip_suffix('h'), text.strip_suffix('m')) {
        (Some(hours), _) => of(hours, 3_600.0),
        (_, Some(minutes)) => of(minutes, 60.0),
        (None, None) => exact(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_alike_by_every_option() {
        for (text, expected) in [
            ("3", Some(3_000)),
            ("3s", Some(3_000)),
            ("0.5", Some(500)),
            ("300ms", Some(300)),
            ("5m", Some(300_000)),
            ("1.5h", Some(5_400_000)),
            ("soon", None),
            ("-1", None),
            ("", None),
            ("s", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!((duration(text).ok(), virtual_time(text).ok()), (expected, expected), "{text}");
        }
    }
}

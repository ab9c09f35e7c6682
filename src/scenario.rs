//! Scenarios: hosts, workload, fault generators, checks and limits, collected by a builder; and cases, the data on
//! which one run of a scenario depends.
//!
//! ```
//! use proptest::collection::vec;
//! use squall::prelude::*;
//!
//! async fn server(cx: HostContext) -> std::io::Result<()> {
//!     let listener = cx.listener(80);
//!     loop {
//!         listener.accept().await?;
//!     }
//! }
//!
//! /// Connects after each of these waits, in milliseconds.
//! async fn client(cx: HostContext, waits: Vec<u64>) -> std::io::Result<()> {
//!     for wait in waits {
//!         tokio::time::sleep(millis(wait)).await;
//!         let operation = cx.recorder().invoke("connect", &wait);
//!         match cx.connector().connect("server", 80).await {
//!             Ok(_) => operation.ok(&()),
//!             Err(error) => operation.fail(error),
//!         }
//!     }
//!     Ok(())
//! }
//!
//! fn all_is_well_after_the_faults(trace: &Trace, history: &History) -> Verdict {
//!     let is_late = |operation: &&squall::history::Operation| operation.invoked_at > trace.run_for + secs(3);
//!     match history.operations.iter().filter(is_late).find(|operation| !operation.is_ok()) {
//!         None => Verdict::Pass,
//!         Some(operation) => Verdict::fail(format!("{:?}", operation.completed)).of(operation),
//!     }
//! }
//!
//! fn scenario() -> Scenario {
//!     Scenario::new("connects")
//!         .host("server", server)
//!         .clients("client", 3, vec(0_u64..1_000, 40), client)
//!         .link_latency("client", "server", millis(10)..millis(30))
//!         .fault(fault::kill("server").every(secs(2)..secs(5)).lasting(millis(100)..secs(1)))
//!         .check(all_is_well_after_the_faults)
//!         .sometimes("a connect was refused", |_, history| history.operations.iter().any(|op| op.is_fail()))
//!         .run_for(secs(15))
//!         .settle_for(secs(20))
//! }
//! # let scenario = scenario();
//! # use squall::internal::run::{Detail, run};
//! # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
//! # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
//! ```

mod asked;
mod by_hand;
mod case;
mod definition;
mod derived;
mod draw;
mod fit;
mod mistake;
mod nearest;
mod problems;
mod workload;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::check::http::HttpPolicy;
use crate::check::{Check, Situation};
use crate::fault::{Generator, millis, secs};
use crate::history::History;
use crate::host::{HostContext, HostSpec, Program, Termination};
use crate::seed::Seed;
use crate::trace::Trace;
use crate::trace::exchange::KeptHeaders;

pub use crate::world::{Engine, SeededOrder};
pub use case::{Case, Input};
pub use definition::Definition;
pub use mistake::Mistake;
pub(crate) use nearest::nearest;
pub use problems::ScenarioError;

/// The two sides of a set of links, and the links' latency.
type LinkLatency = (String, String, Range<Duration>);

type DrawInput = dyn Fn(Seed, &str) -> serde_json::Value + Send + Sync;
type InputDefect = dyn Fn(&serde_json::Value) -> Option<String> + Send + Sync;
type StartClient = dyn Fn(HostContext, serde_json::Value) -> crate::host::ProgramFuture + Send + Sync;

/// A group of clients on one host.
#[derive(Clone)]
pub(crate) struct ClientSpec {
    name: String,
    count: u32,
    draw: Arc<DrawInput>,
    defect: Arc<InputDefect>,
    start: Arc<StartClient>,
}

/// The resources that a run may use before it is ended as a failure.
#[derive(Clone, Debug)]
pub struct RunLimits {
    /// The CPU time in which virtual time must move; a run in which it stands still for longer is a hang. In all, a run
    /// may use six times as much, and more if it is long or has many hosts; a run that needs more still is called slow.
    pub hang_after: Duration,
    /// The memory that one run may allocate, in bytes.
    pub memory_bytes: u64,
}

impl Default for RunLimits {
    fn default() -> RunLimits {
        RunLimits { hang_after: secs(10), memory_bytes: 1 << 30 }
    }
}

/// The default number of runs in which each situation must be reached at least once.
const SEEDS: u64 = 64;

/// Hosts, workload, fault generators, checks and limits.
///
/// The builder only records its calls, and their order does not matter: a pattern matches the hosts that the finished
/// scenario has. (Hosts are numbered and shown in the order in which they are declared.) If a setting is given twice
/// for the same pattern, the last value holds. Before the first run, [`Scenario::validate`] reports everything that is
/// wrong.
///
/// ```
/// use squall::prelude::*;
///
/// async fn server(cx: HostContext) -> std::io::Result<()> {
///     let listener = cx.listener(80);
///     loop {
///         drop(listener.accept().await?);
///     }
/// }
///
/// async fn client(cx: HostContext, waits_ms: Vec<u64>) -> std::io::Result<()> {
///     for wait_ms in waits_ms {
///         tokio::time::sleep(millis(wait_ms)).await;
///         let request = cx.recorder().invoke("connect", &wait_ms);
///         match cx.connector().connect("server", 80).await {
///             Ok(_) => request.ok(&()),
///             Err(why) => request.unknown(why),
///         }
///     }
///     Ok(())
/// }
///
/// let scenario = Scenario::new("reachable")
///     .hosts("replica", 2, server)
///     .clients("client", 3, proptest::collection::vec(10..500_u64, 1..8), client)
///     .alias("server", &["replica-1", "replica-2"])
///     .latency(millis(1)..millis(5))
///     .supervise("replica-*", secs(1))
///     .fault(fault::kill("replica-*"))
///     .fault(fault::partition("client", "replica-*").lasting(secs(1)..secs(3)))
///     .check(check::recovers_within(secs(5)))
///     .sometimes("a request fails", |_, history| history.operations.iter().any(|operation| !operation.is_ok()))
///     .run_for(secs(20))
///     .settle_for(secs(10));
/// assert!(scenario.validate().is_ok(), "{:?}", scenario.validate());
/// ```
#[derive(Clone)]
pub struct Scenario {
    pub(crate) name: String,
    pub(crate) hosts: Vec<HostSpec>,
    pub(crate) clients: Vec<ClientSpec>,
    pub(crate) generators: Vec<Generator>,
    pub(crate) checks: Vec<Check>,
    pub(crate) situations: Vec<Situation>,
    pub(crate) seeds: u64,
    pub(crate) latency: Range<Duration>,
    latencies: Vec<LinkLatency>,
    /// Names for other hosts: the name, and the patterns of its hosts.
    aliases: Vec<(String, Vec<String>)>,
    /// The length of a step, if it is set.
    step: Option<Duration>,
    supervised: Vec<(String, Duration)>,
    wall_offsets: Vec<(String, i64)>,
    pub(crate) run_for: Duration,
    pub(crate) settle_for: Duration,
    pub(crate) limits: RunLimits,
    pub(crate) allows_panics: bool,
    pub(crate) has_plain_sockets: bool,
    pub(crate) engine: Engine,
    pub(crate) allowed_escapes: Vec<String>,
    pub(crate) kept_headers: KeptHeaders,
    declared_at: &'static Location<'static>,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").field("name", &self.name).field("hosts", &self.hosts.len()).finish_non_exhaustive()
    }
}

impl Scenario {
    /// Creates a scenario without hosts: 60 s of faults, 20 s to recover, and 10 to 30 ms of latency each way on every
    /// link.
    #[track_caller]
    pub fn new(name: &str) -> Scenario {
        Scenario {
            name: name.to_owned(),
            hosts: Vec::new(),
            clients: Vec::new(),
            generators: Vec::new(),
            checks: Vec::new(),
            situations: Vec::new(),
            seeds: SEEDS,
            latency: millis(10)..millis(30),
            latencies: Vec::new(),
            aliases: Vec::new(),
            step: None,
            supervised: Vec::new(),
            wall_offsets: Vec::new(),
            run_for: secs(60),
            settle_for: secs(20),
            limits: RunLimits::default(),
            allows_panics: false,
            has_plain_sockets: false,
            engine: Engine::default(),
            allowed_escapes: Vec::new(),
            kept_headers: KeptHeaders::default(),
            declared_at: Location::caller(),
        }
    }

    /// The same scenario under another name, for example a variant of it in the same table.
    pub fn renamed(mut self, name: &str) -> Scenario {
        name.clone_into(&mut self.name);
        self
    }

    /// Adds a host that runs a program. `program` is called once for each life of the host's program.
    pub fn host<F, Fut>(self, name: &str, program: F) -> Scenario
    where
        F: Fn(HostContext) -> Fut + Send + Sync + 'static,
        Fut: Future + 'static,
        Fut::Output: Termination,
    {
        self.add_host(name, name, 0, Program::new(program))
    }

    /// Adds `count` hosts named `name-1`, `name-2` and so on, which run the same program.
    pub fn hosts<F, Fut>(mut self, name: &str, count: usize, program: F) -> Scenario
    where
        F: Fn(HostContext) -> Fut + Send + Sync + 'static,
        Fut: Future + 'static,
        Fut::Output: Termination,
    {
        let program = Program::new(program);
        for index in 0..count {
            self = self.add_host(&format!("{name}-{}", index + 1), name, index, program.clone());
        }
        self
    }

    fn add_host(mut self, name: &str, group: &str, index: usize, program: Program) -> Scenario {
        self.hosts.push(HostSpec {
            name: name.to_owned(),
            group: group.to_owned(),
            index,
            program,
            supervised: None,
            wall_offset: 0,
        });
        self
    }

    /// Adds `count` clients that share one host. The input of each is drawn from `input` before the run starts and is
    /// part of the case. The host's process ends when all its clients have returned.
    pub fn clients<S, F, Fut>(mut self, name: &str, count: u32, input: S, program: F) -> Scenario
    where
        S: Strategy + Send + Sync + 'static,
        S::Value: Serialize + DeserializeOwned,
        F: Fn(HostContext, S::Value) -> Fut + Send + Sync + 'static,
        Fut: Future + 'static,
        Fut::Output: Termination,
    {
        let draw = move |seed: Seed, label: &str| {
            let tree = input.new_tree(&mut seed.runner(label)).expect("the strategy of a workload must yield a value");
            serde_json::to_value(tree.current()).expect("the input of a client must be writable as JSON")
        };
        let defect = |input: &serde_json::Value| S::Value::deserialize(input).err().map(|error| error.to_string());
        let start = move |context: HostContext, input: serde_json::Value| -> crate::host::ProgramFuture {
            match serde_json::from_value(input) {
                Ok(input) => {
                    let program = program(context, input);
                    Box::pin(async move { program.await.into_result() })
                }
                Err(error) => {
                    Box::pin(std::future::ready(Err(format!("the case's input does not fit this client: {error}"))))
                }
            }
        };
        self.clients.push(ClientSpec {
            name: name.to_owned(),
            count,
            draw: Arc::new(draw),
            defect: Arc::new(defect),
            start: Arc::new(start),
        });
        // `hosts_for` sets the program when the case is known.
        self.add_host(name, name, 0, Program::new(|_| std::future::ready(())))
    }

    /// Adds a generator, which draws faults for the plan of each run.
    pub fn fault(mut self, generator: impl Into<Generator>) -> Scenario {
        self.generators.push(generator.into());
        self
    }

    /// Adds a check, which judges each run.
    pub fn check(mut self, check: impl Into<Check>) -> Scenario {
        self.checks.push(check.into());
        self
    }

    /// Adds a situation that at least one run of an exploration must reach; its name is a sentence that says what
    /// happens in it. An exploration that never reaches the situation fails, because it did not test the promise that
    /// is at stake there.
    ///
    /// Only explorations of at least [`Scenario::seeds`] runs are judged by it.
    pub fn sometimes(
        mut self,
        name: &str,
        is_reached: impl Fn(&Trace, &History) -> bool + Send + Sync + 'static,
    ) -> Scenario {
        self.situations.push(Situation::new(name, is_reached));
        self
    }

    /// Sets the number of runs in which each situation of [`Scenario::sometimes`] must be reached at least once. The
    /// default is 64.
    pub fn seeds(mut self, count: u64) -> Scenario {
        self.seeds = count;
        self
    }

    /// Sets how long faults may happen.
    pub fn run_for(mut self, duration: Duration) -> Scenario {
        self.run_for = duration;
        self
    }

    /// Sets how long the system has to recover after the faults.
    pub fn settle_for(mut self, duration: Duration) -> Scenario {
        self.settle_for = duration;
        self
    }

    /// Sets the one-way latency of every link, drawn uniformly for each segment.
    pub fn latency(mut self, range: Range<Duration>) -> Scenario {
        self.latency = range;
        self
    }

    /// Sets the one-way latency of the links between two hosts or groups, in both directions. If several settings match
    /// a link, the most specific one holds: a host's name before its group's, and either before a pattern with `*`.
    pub fn link_latency(mut self, a: &str, b: &str, range: Range<Duration>) -> Scenario {
        self.latencies.retain(|(x, y, _)| (x != a || y != b) && (x != b || y != a));
        self.latencies.push((a.to_owned(), b.to_owned(), range));
        self
    }

    /// Gives a name to other hosts, in this order; each pattern is the name of a host or of a group. A connect to the name
    /// tries their addresses one after the other. [`HostContext::point`] lets the name move.
    pub fn alias(mut self, name: &str, hosts: &[&str]) -> Scenario {
        self.aliases.retain(|(known, _)| known != name);
        self.aliases.push((name.to_owned(), hosts.iter().map(|host| (*host).to_owned()).collect()));
        self
    }

    /// Sets the length of a simulation step, which is at most the smallest latency. Times are exact to 1 ms with any
    /// step, and longer steps run faster. The default is 10 ms, or the smallest latency if that is less.
    pub fn step(mut self, step: Duration) -> Scenario {
        self.step = Some(step);
        self
    }

    /// Restarts the programs of these hosts this long `after` they fail, instead of failing the run. If several
    /// settings match a host, the most specific one holds, as with [`Scenario::link_latency`].
    pub fn supervise(mut self, pattern: &str, after: Duration) -> Scenario {
        self.supervised.retain(|(known, _)| known != pattern);
        self.supervised.push((pattern.to_owned(), after));
        self
    }

    /// Sets the offset of the wall clocks of these hosts from the world's, in milliseconds. If several settings match a
    /// host, the most specific one holds, as with [`Scenario::link_latency`].
    pub fn wall_clock_offset(mut self, pattern: &str, offset_ms: i64) -> Scenario {
        self.wall_offsets.retain(|(known, _)| known != pattern);
        self.wall_offsets.push((pattern.to_owned(), offset_ms));
        self
    }

    /// Sets the resources that one run may use.
    pub fn limits(mut self, limits: RunLimits) -> Scenario {
        self.limits = limits;
        self
    }

    /// Simulates the sockets of tokio and of the standard library, too: code that makes its own connections and listeners,
    /// such as `axum::serve` on a `tokio::net::TcpListener`, runs unchanged. Hosts know each other by name and address; each
    /// sees its own descriptors, sockets and names. Needs Linux.
    ///
    /// ```
    /// use squall::prelude::*;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// async fn server(_: HostContext) -> std::io::Result<()> {
    ///     let listener = TcpListener::bind("0.0.0.0:7").await?;
    ///     loop {
    ///         let (mut stream, _) = listener.accept().await?;
    ///         tokio::spawn(async move { stream.write_all(b"hello").await });
    ///     }
    /// }
    ///
    /// async fn client(_: HostContext) -> std::io::Result<()> {
    ///     let mut answer = String::new();
    ///     TcpStream::connect("192.168.0.1:7").await?.read_to_string(&mut answer).await?;
    ///     assert_eq!(answer, "hello");
    ///     Ok(())
    /// }
    /// # if cfg!(not(target_os = "linux")) { return; }
    /// # let scenario =
    /// Scenario::new("plain").host("server", server).host("client", client).plain_sockets()
    /// # ;
    /// # let scenario = scenario.check(|_: &Trace, _: &History| Verdict::Pass).run_for(secs(5)).settle_for(secs(0));
    /// # use squall::internal::run::{Detail, run};
    /// # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
    /// # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
    /// ```
    pub fn plain_sockets(mut self) -> Scenario {
        self.has_plain_sockets = true;
        self
    }

    /// Sets what runs the hosts; [`Engine::Turmoil`] unless it is set.
    pub fn engine(mut self, engine: Engine) -> Scenario {
        self.engine = engine;
        self
    }

    /// Allows panics: a panic in a task of a program no longer fails the run by itself.
    pub fn allow_panics(mut self) -> Scenario {
        self.allows_panics = true;
        self
    }

    /// Allows escapes from the sandbox of one kind, such as `real-file`, or those of any kind whose detail contains this text,
    /// such as a path: they are not reported. (The report of an escape names its kind and its detail.)
    pub fn allow_escape(mut self, text: &str) -> Scenario {
        self.allowed_escapes.push(text.to_owned());
        self
    }

    /// Adds all promises about HTTP that Squall can judge by what passes over the wire (see [`HttpPolicy`]).
    pub fn http_promises(self, policy: &HttpPolicy) -> Scenario {
        policy.checks().into_iter().fold(self, Scenario::check)
    }

    /// Keeps this header of requests and responses in [`Trace::exchanges`], besides those that Squall's checks read.
    pub fn keep_header(mut self, name: &str) -> Scenario {
        self.kept_headers.add(name);
        self
    }
}

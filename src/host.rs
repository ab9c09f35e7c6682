//! A host's program, and the context through which it reaches the world.
//!
//! A program is an async function of a [`HostContext`]. It starts again, with a new context, each time its process is
//! started, so it must keep on its [`Disk`] whatever it has to remember.
//!
//! ```
//! use squall::prelude::*;
//!
//! /// Serves until it is asked to stop.
//! async fn server(cx: HostContext) -> std::io::Result<()> {
//!     let listener = cx.listener(80);
//!     let shutdown = cx.shutdown();
//!     loop {
//!         tokio::select! {
//!             accepted = listener.accept() => drop(accepted?),
//!             () = shutdown.requested() => return Ok(()),
//!         }
//!     }
//! }
//!
//! let scenario = Scenario::new("deployment")
//!     .hosts("server", 3, server)
//!     .fault(fault::rolling_stop("server-*", secs(1)))
//! #   .check(|_: &Trace, _: &History| Verdict::Pass)
//!     .run_for(secs(20));
//! # use squall::internal::run::{Detail, run};
//! # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
//! # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
//! ```

#[cfg(feature = "hyper-util")]
mod client;
mod random;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::alive::AliveFlag;
use crate::disk::Disk;
use crate::history::{Recorder, SharedRecording};
use crate::net::{Connector, SharedNet, Sharing, TcpListener, UdpSocket};
use crate::seed::Seed;
use crate::trace::HostId;

#[cfg(feature = "hyper-util")]
pub use client::Http;
pub use random::Random;

/// The signal that asks a program to stop by itself. Clones share their state.
///
/// ```
/// let shutdown = squall::host::Shutdown::default();
/// shutdown.clone().request();
/// assert!(shutdown.is_requested());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<ShutdownState>);

#[derive(Debug, Default)]
struct ShutdownState {
    requested: AtomicBool,
    notify: Notify,
}

impl Shutdown {
    /// Waits until the program is asked to stop. Returns at once if it already was.
    pub async fn requested(&self) {
        loop {
            let notified = self.0.notify.notified();
            if self.is_requested() {
                return;
            }
            notified.await;
        }
    }

    /// Whether the program has been asked to stop.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Relaxed)
    }

    /// Asks the program to stop.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Relaxed);
        self.0.notify.notify_waiters();
    }
}

/// The context of one life of a program: its name, network, disk, stop signal and recorder.
///
/// Each life of a program gets a new context; that of an earlier life no longer has any effect.
///
/// ```
/// use squall::prelude::*;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// /// Counts its lives on its disk, and tells the number to whoever connects.
/// async fn counter(cx: HostContext) -> std::io::Result<()> {
///     let file = cx.disk().open_durable("lives")?;
///     let lives = file.len()? + 1;
///     file.write_at(lives - 1, b"x")?;
///     file.sync_all()?;
///     let (listener, shutdown) = (cx.listener(80), cx.shutdown());
///     loop {
///         tokio::select! {
///             accepted = listener.accept() => accepted?.0.write_all(lives.to_string().as_bytes()).await?,
///             () = shutdown.requested() => return Ok(()),
///         }
///     }
/// }
///
/// async fn reader(cx: HostContext) -> std::io::Result<()> {
///     tokio::time::sleep(cx.random().duration(millis(0)..millis(500))).await;
///     let mut answer = String::new();
///     cx.connector().connect("counter", 80).await?.read_to_string(&mut answer).await?;
///     tracing::info!("{} has {answer} lives at {:?}", cx.name(), cx.elapsed());
///     Ok(())
/// }
///
/// let scenario = Scenario::new("lives").host("counter", counter).host("reader", reader);
/// ```
#[derive(Clone, Debug)]
pub struct HostContext {
    pub(crate) id: HostId,
    pub(crate) name: Arc<str>,
    pub(crate) index: usize,
    pub(crate) client: u32,
    pub(crate) life: u32,
    pub(crate) alive: AliveFlag,
    pub(crate) net: SharedNet,
    pub(crate) recording: SharedRecording,
    pub(crate) disk: Disk,
    pub(crate) shutdown: Shutdown,
    pub(crate) run_for: Duration,
    pub(crate) settle_for: Duration,
    pub(crate) seed: Seed,
    pub(crate) own: Own,
}

/// What the clones of one program's context share, and other programs do not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    generators: Arc<AtomicU64>,
    #[cfg(feature = "hyper-util")]
    pool: client::Pool,
}

impl HostContext {
    /// The context of a client on this host.
    pub(crate) fn of_client(&self, client: u32) -> HostContext {
        HostContext { client, own: Own::default(), ..self.clone() }
    }

    /// The host's name, for example `api-2`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host's id in the trace.
    pub fn id(&self) -> HostId {
        self.id
    }

    /// The host's place in its group, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The client's number on its host, from 0; 0 for a program that is not a client.
    pub fn client(&self) -> u32 {
        self.client
    }

    /// The number of earlier lives of the program on this host.
    pub fn life(&self) -> u32 {
        self.life
    }

    /// Creates a listener on this port of all addresses of the host. It starts to listen when it is first polled. Port 0
    /// stands for a free port, which [`TcpListener::local_addr`] tells.
    pub fn listener(&self, port: u16) -> TcpListener {
        TcpListener::new(self.net.clone(), self.id, None, port, self.alive.clone())
    }

    /// Creates a listener on this port of one address of the host: its own, or a loopback address, which no other host
    /// reaches. An unspecified address stands for all.
    pub fn listener_on(&self, address: impl Into<IpAddr>, port: u16) -> TcpListener {
        let address = Some(address.into()).filter(|address| !address.is_unspecified());
        TcpListener::new(self.net.clone(), self.id, address, port, self.alive.clone())
    }

    /// Binds a datagram socket to this port of all addresses of the host. Port 0 stands for a free port.
    ///
    /// # Errors
    /// `AddrInUse` if the host already has a datagram socket on this port.
    pub fn datagrams(&self, port: u16) -> std::io::Result<UdpSocket> {
        UdpSocket::bind(self.net.clone(), self.id, None, port, Sharing::default(), self.alive.clone())
    }

    /// Binds a datagram socket to this port of one address of the host, as with [`HostContext::listener_on`].
    ///
    /// # Errors
    /// `AddrInUse` if the port is taken, and `AddrNotAvailable` if the address is not one of the host's.
    pub fn datagrams_on(&self, address: impl Into<IpAddr>, port: u16) -> std::io::Result<UdpSocket> {
        let address = Some(address.into()).filter(|address| !address.is_unspecified());
        UdpSocket::bind(self.net.clone(), self.id, address, port, Sharing::default(), self.alive.clone())
    }

    /// The host's IPv4 address.
    pub fn address(&self) -> IpAddr {
        crate::net::address(self.id.index())
    }

    /// The host's IPv6 address.
    pub fn address_v6(&self) -> IpAddr {
        crate::net::address_v6(self.id.index())
    }

    /// Creates a connector, which opens connections from this host.
    pub fn connector(&self) -> Connector {
        Connector::new(self.net.clone(), self.id, self.alive.clone())
    }

    /// An HTTP client of this program, or of this client, with a pool of connections that all its clones share.
    ///
    /// ```
    /// use squall::prelude::*;
    ///
    /// async fn user(cx: HostContext) {
    ///     let client = cx.http().attempts(3);
    ///     let operation = cx.recorder().invoke("greet", &());
    ///     match client.get("http://server/greeting").await {
    ///         Ok(response) => operation.ok(&response.status().as_u16()),
    ///         Err(error) => operation.unknown(error),
    ///     }
    /// }
    ///
    /// async fn server(cx: HostContext) -> std::io::Result<()> {
    ///     let greeting = axum::routing::get(|| async { "hello" });
    ///     axum::serve(cx.listener(80), axum::Router::new().route("/greeting", greeting)).await
    /// }
    ///
    /// let scenario = Scenario::new("greeting")
    ///     .host("server", server)
    ///     .host("user", user)
    ///     .check(check::no_operation_fails())
    ///     .run_for(secs(10));
    /// # use squall::internal::run::{Detail, run};
    /// # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
    /// # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
    /// # assert_eq!(run.history.operations[0].answer::<u16>().unwrap(), Some(200));
    /// ```
    #[cfg(feature = "hyper-util")]
    pub fn http(&self) -> Http {
        Http::new(&self.own.pool, || self.connector(), self.random())
    }

    /// Creates a generator of random numbers. Each call gives another one.
    ///
    /// ```
    /// use squall::prelude::*;
    ///
    /// /// Waits a while, differently on every host and with every seed.
    /// async fn program(cx: HostContext) {
    ///     tokio::time::sleep(cx.random().duration(millis(10)..secs(1))).await;
    /// }
    /// # let scenario = Scenario::new("waits").host("a", program).check(|_: &Trace, _: &History| Verdict::Pass);
    /// # let scenario = scenario.run_for(secs(5));
    /// # use squall::internal::run::{Detail, run};
    /// # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
    /// # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
    /// ```
    pub fn random(&self) -> Random {
        let number = self.own.generators.fetch_add(1, Ordering::Relaxed);
        Random::new(self.seed, self.id.index() as u64, u64::from(self.client), u64::from(self.life), number)
    }

    /// Lets a name of the scenario stand for these hosts from now on, as an operator does at a failover. Lookups that come
    /// later find them; connections that are open stay where they are.
    ///
    /// # Errors
    /// `NotFound` if no [`Scenario::alias`](crate::scenario::Scenario::alias) has this name, or no host one of the others.
    pub fn point(&self, name: &str, hosts: &[&str]) -> std::io::Result<()> {
        let unknown = |what: String| std::io::Error::new(std::io::ErrorKind::NotFound, what);
        let recorder = self.recorder();
        let mut ids = Vec::new();
        for host in hosts {
            match recorder.host_named(host) {
                HostId::UNKNOWN => return Err(unknown(format!("no host is named `{host}`; add it to the scenario"))),
                id => ids.push(id),
            }
        }
        if self.alive.is_set() {
            if !self.net.lock().point(name, ids) {
                return Err(unknown(format!("no alias is named `{name}`; add it to the scenario")));
            }
            recorder.note("points", &format!("{name} to {}", hosts.join(", ")));
        }
        Ok(())
    }

    /// The machine's disk.
    pub fn disk(&self) -> Disk {
        self.disk.clone()
    }

    /// The signal that asks the program to stop.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Creates a recorder of marks and operations.
    pub fn recorder(&self) -> Recorder {
        Recorder::new(self.recording.clone(), self.alive.clone(), self.id, self.client, self.life)
    }

    /// Virtual time since the start of the run.
    pub fn elapsed(&self) -> Duration {
        crate::sandbox::now()
    }

    /// Waits until the faults are over and only `margin` of the recovery time is left, which is when to audit the final
    /// state of the system. Returns at once if that time has passed.
    pub async fn wait_until_recovered(&self, margin: Duration) {
        let until = self.run_for + self.settle_for.saturating_sub(margin);
        tokio::time::sleep(until.saturating_sub(self.elapsed())).await;
    }

    /// The time at which the faults end, and how long the system then has to recover.
    pub fn phases(&self) -> (Duration, Duration) {
        (self.run_for, self.settle_for)
    }
}

/// The return value of a program: nothing, or a result whose error fails the run. A program may also never return.
pub trait Termination {
    /// Converts the return value into a result with the error as text.
    ///
    /// # Errors
    /// If the program failed.
    fn into_result(self) -> Result<(), String>;
}

impl Termination for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

mod never {
    /// Gives access to the type `!`, which stable Rust allows only as the return type of a function.
    pub trait Returns {
        type Output;
    }

    impl<T> Returns for fn() -> T {
        type Output = T;
    }
}

/// For programs that never return, such as a bare `loop {}`.
impl Termination for <fn() -> ! as never::Returns>::Output {
    fn into_result(self) -> Result<(), String> {
        self
    }
}

impl<E: fmt::Display> Termination for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

pub(crate) type ProgramFuture = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// The factory that starts each life of a host's program.
#[derive(Clone)]
pub(crate) struct Program(Arc<dyn Fn(HostContext) -> ProgramFuture + Send + Sync>);

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

impl Program {
    pub(crate) fn new<F, Fut>(factory: F) -> Program
    where
        F: Fn(HostContext) -> Fut + Send + Sync + 'static,
        Fut: Future + 'static,
        Fut::Output: Termination,
    {
        Program(Arc::new(move |context| {
            let program = factory(context);
            Box::pin(async move { program.await.into_result() })
        }))
    }

    pub(crate) fn start(&self, context: HostContext) -> ProgramFuture {
        // A factory may panic before it returns the program; that is a failure of the program, not of the world.
        match std::panic::catch_unwind(AssertUnwindSafe(|| (self.0)(context))) {
            Ok(program) => program,
            Err(_) => Box::pin(std::future::ready(Err("the program panicked before it started".to_owned()))),
        }
    }
}

/// A host as a scenario declares it.
#[derive(Clone, Debug)]
pub(crate) struct HostSpec {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) index: usize,
    pub(crate) program: Program,
    /// How long after a failure the program is restarted; `None` if a failure fails the run.
    pub(crate) supervised: Option<Duration>,
    /// The offset of the host's wall clock from the world's, in nanoseconds.
    pub(crate) wall_offset: i64,
}

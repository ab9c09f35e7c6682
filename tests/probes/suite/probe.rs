//! What a probe is: a small program on one host, and the scenario that runs it.

use std::future::Future;
use std::pin::Pin;

use squall::check::Check;
use squall::prelude::*;
use squall::scenario::RunLimits;

/// A probe's program, which returns what it saw.
pub type Task = Pin<Box<dyn Future<Output = String>>>;

/// How a probe runs.
#[derive(Clone, Copy)]
pub enum Act {
    /// On the thread of the host's runtime.
    Now(fn() -> String),
    /// On a thread of its own.
    Thread(fn() -> String),
    /// In a task of the host.
    Task(fn() -> Task),
}

/// One use of one source of nondeterminism.
#[derive(Clone, Copy)]
pub struct Probe {
    /// Its kind and its name, as in `clocks::monotonic`.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Its program.
    pub act: Act,
    /// Whether other seeds must see something else.
    pub varies: bool,
    /// Whether it asks for a fact of the machine: a real process that sees the same shows that the answer is real.
    pub is_fact: bool,
    /// Whether its host has plain sockets, and so threads that take turns.
    pub has_plain_sockets: bool,
    /// Whether it never ends.
    pub is_endless: bool,
}

impl Probe {
    const fn new(name: &'static str, what: &'static str, act: Act) -> Probe {
        Probe { name, what, act, varies: false, is_fact: false, has_plain_sockets: true, is_endless: false }
    }

    /// A probe that runs on the thread of its host's runtime.
    pub const fn now(name: &'static str, what: &'static str, act: fn() -> String) -> Probe {
        Probe::new(name, what, Act::Now(act))
    }

    /// A probe that runs on a thread of its own.
    pub const fn thread(name: &'static str, what: &'static str, act: fn() -> String) -> Probe {
        Probe::new(name, what, Act::Thread(act))
    }

    /// A probe that runs in a task.
    pub const fn task(name: &'static str, what: &'static str, act: fn() -> Task) -> Probe {
        Probe::new(name, what, Act::Task(act))
    }

    /// The same probe; different seeds must see different values.
    pub const fn varies(self) -> Probe {
        Probe { varies: true, ..self }
    }

    /// The same probe; it asks for a fact of the machine.
    pub const fn fact(self) -> Probe {
        Probe { is_fact: true, ..self }
    }

    /// The same probe in a scenario without plain sockets.
    pub const fn without_plain_sockets(self) -> Probe {
        Probe { has_plain_sockets: false, ..self }
    }

    /// The same probe, which never ends.
    pub const fn endless(self) -> Probe {
        Probe { is_endless: true, ..self }
    }

    /// The scenario that runs it: its verdict is always unknown, and says what was seen.
    pub fn scenario(&self) -> Scenario {
        let act = self.act;
        let hang_after = if self.is_endless { millis(50) } else { secs(2) };
        let program = move |cx: HostContext| async move {
            tokio::time::sleep(millis(200)).await;
            let operation = cx.recorder().invoke("probe", &());
            operation.ok(&seen(act).await);
            std::future::pending::<()>().await
        };
        let scenario = Scenario::new(self.name)
            .host("other", |_| async { std::future::pending::<()>().await })
            .host("prober", program)
            .check(Check::new("seen", |_: &Trace, history: &History| {
                let seen = history.operations.first().and_then(|operation| operation.answer::<String>().ok().flatten());
                Verdict::unknown(seen.unwrap_or_else(|| UNANSWERED.to_owned()))
            }))
            .allow_panics()
            .limits(RunLimits { hang_after, ..RunLimits::default() })
            .run_for(millis(1_600))
            .settle_for(secs(0));
        if self.has_plain_sockets { scenario.plain_sockets() } else { scenario }
    }
}

/// What a probe is said to have seen that did not end.
pub const UNANSWERED: &str = "(the probe did not end)";

async fn seen(act: Act) -> String {
    match act {
        Act::Now(act) => act(),
        Act::Task(act) => act().await,
        Act::Thread(act) => {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let thread = std::thread::spawn(move || {
                // Nobody receives what a thread of a host sees that is gone.
                let _ = sender.send(act());
            });
            let seen = receiver.await.unwrap_or_else(|_| "(the thread panicked)".to_owned());
            // It has sent its last words, so it ends soon.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
            seen
        }
    }
}

/// How long this takes, in whole milliseconds of the monotonic clock, rounded up.
pub fn timed<T>(act: impl FnOnce() -> T) -> (T, u128) {
    let start = std::time::Instant::now();
    let result = act();
    (result, start.elapsed().as_nanos().div_ceil(1_000_000))
}

/// The text of a wait that should take so many milliseconds.
pub fn waited<T: std::fmt::Debug>(expected: u128, act: impl FnOnce() -> T) -> String {
    let (result, took) = timed(act);
    match (expected..=expected + 2).contains(&took) {
        true => format!("{result:?} after {expected} ms"),
        false => format!("{WRONG}: {result:?} after {took} ms instead of {expected} ms"),
    }
}

/// How a text begins that shows a wrong answer.
pub const WRONG: &str = "wrong";

/// Text, or the error of the operating system.
pub fn text<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    format!("{result:?}")
}

/// The number of the last error.
pub fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

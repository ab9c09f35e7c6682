//! The history: what the clients saw (invoke, ok, fail, unknown), and the recorder that writes it.
//!
//! A client invokes an operation when it begins, and completes it with what it learned. An operation that is dropped
//! without a completion stays open: its outcome is unknown.
//!
//! ```
//! use squall::prelude::*;
//!
//! async fn client(cx: HostContext) -> std::io::Result<()> {
//!     let operation = cx.recorder().invoke("connect", &"server");
//!     match cx.connector().connect("server", 80).await {
//!         Ok(_) => operation.ok(&()),
//!         Err(error) => operation.fail(error), // refused: it had no effect
//!     }
//!     Ok(())
//! }
//!
//! /// Nobody listens on the server.
//! fn connects_are_refused(_: &Trace, history: &History) -> Verdict {
//!     match history.named("connect").find(|operation| !operation.is_fail()) {
//!         None => Verdict::Pass,
//!         Some(operation) => Verdict::fail(format!("{:?}", operation.completed)).of(operation),
//!     }
//! }
//!
//! let scenario = Scenario::new("refusal")
//!     .host("server", |_| async {})
//!     .host("client", client)
//!     .check(connects_are_refused)
//!     .run_for(secs(1))
//!     .settle_for(secs(0));
//! # use squall::internal::run::{Detail, run};
//! # let run = run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
//! # assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome);
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::alive::AliveFlag;
use crate::sandbox;
use crate::trace::{Event, HostId, Mark, Trace};
use crate::trigger_point::TriggerPoints;

/// How an operation ended for its client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Completion {
    /// It was acknowledged. Holds the answer as JSON text.
    Ok(String),
    /// It was refused and certainly had no effect. Holds the reason.
    Fail(String),
    /// The client does not know whether it had an effect. Holds the reason.
    Unknown(String),
}

/// How an operation ended for the client that carried it out, with its answer as a value: see
/// [`Scenario::workload`](crate::scenario::Scenario::workload).
///
/// ```
/// use squall::history::Ended;
///
/// /// 503 refuses, and any other error leaves the outcome open.
/// fn ended(status: u16, body: String) -> Ended<String> {
///     match status {
///         200..=299 => Ended::Ok(body),
///         503 => Ended::Refused("503".to_owned()),
///         status => Ended::Unknown(status.to_string()),
///     }
/// }
/// # assert_eq!(ended(200, "tea".to_owned()), Ended::Ok("tea".to_owned()));
/// # assert_eq!(ended(500, String::new()), Ended::Unknown("500".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended<A> {
    /// It was acknowledged, with this answer.
    Ok(A),
    /// It was refused and certainly had no effect.
    Refused(String),
    /// The client does not know whether it had an effect.
    Unknown(String),
}

/// An error says nothing about the effect, so the outcome is unknown.
impl<A, E: std::fmt::Display> From<Result<A, E>> for Ended<A> {
    fn from(result: Result<A, E>) -> Ended<A> {
        match result {
            Ok(answer) => Ended::Ok(answer),
            Err(error) => Ended::Unknown(error.to_string()),
        }
    }
}

/// One operation of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The host that the client runs on.
    pub host: HostId,
    /// The client's number on its host, from 0.
    pub client: u32,
    /// The number of earlier lives of the client's program.
    #[serde(default)]
    pub life: u32,
    /// The name of the operation, for example `place_order`.
    pub name: String,
    /// Its argument as JSON text.
    pub input: String,
    /// When it was invoked.
    pub invoked_at: Duration,
    /// When and how it completed; `None` if it never did.
    pub completed: Option<(Duration, Completion)>,
}

impl Operation {
    /// The session that the operation belongs to: a number for its host, client and life. A client that is started
    /// again remembers nothing, so each of its lives is a session of its own.
    pub fn session(&self) -> u64 {
        u64::from(self.host.0) << 48 | u64::from(self.life & 0xffff) << 32 | u64::from(self.client)
    }

    /// Decodes the argument.
    ///
    /// # Errors
    /// If the argument is not a `T`.
    pub fn input<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&self.input)
    }

    /// Decodes the acknowledged answer; `None` if the operation was not acknowledged.
    ///
    /// # Errors
    /// If the answer is not a `T`.
    pub fn answer<T: DeserializeOwned>(&self) -> serde_json::Result<Option<T>> {
        match &self.completed {
            Some((_, Completion::Ok(answer))) => serde_json::from_str(answer).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the operation was acknowledged.
    pub fn is_ok(&self) -> bool {
        matches!(self.completed, Some((_, Completion::Ok(_))))
    }

    /// Whether the operation was refused and certainly had no effect.
    pub fn is_fail(&self) -> bool {
        matches!(self.completed, Some((_, Completion::Fail(_))))
    }
}

/// All operations of a run in the order of their invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The operations.
    pub operations: Vec<Operation>,
}

impl History {
    /// The operations with this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Operation> {
        self.operations.iter().filter(move |operation| operation.name == name)
    }
}

/// The part of the history that a rich trace keeps as notes, in case the run dies.
#[derive(Serialize, Deserialize)]
enum Note<O, C> {
    Invoked(O),
    Completed(usize, Duration, C),
}

impl History {
    /// Rebuilds the history of a run that died from the notes of its trace.
    pub(crate) fn from_notes(notes: &[&[u8]]) -> History {
        let mut history = History::default();
        for note in notes {
            match serde_json::from_slice::<Note<Operation, Completion>>(note) {
                Ok(Note::Invoked(operation)) => history.operations.push(operation),
                Ok(Note::Completed(index, at, completion)) => {
                    if let Some(operation) = history.operations.get_mut(index) {
                        operation.completed = Some((at, completion));
                    }
                }
                Err(_) => break,
            }
        }
        history
    }
}

/// Everything that is recorded during a run.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) trace: Trace,
    pub(crate) history: History,
    /// What clients gave to the recorder that it cannot write as JSON, one line each. The run fails.
    pub(crate) unrecorded: Vec<String>,
    pub(crate) trigger_points: TriggerPoints,
}

/// A shared handle to the recording.
#[derive(Clone, Debug)]
pub(crate) struct SharedRecording(Arc<Mutex<Recording>>);

impl SharedRecording {
    pub(crate) fn new(trace: Trace) -> SharedRecording {
        SharedRecording(Arc::new(Mutex::new(Recording {
            trace,
            history: History::default(),
            unrecorded: Vec::new(),
            trigger_points: TriggerPoints::default(),
        })))
    }

    /// Locks the recording. It stays readable after a panic while it was locked, so that the run can still be reported.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a mark of a living process of this host, and triggers the faults that wait for it.
    pub(crate) fn mark(&self, host: HostId, mark: Mark) {
        let event = Event::Mark(mark);
        let mut recording = self.lock();
        let due = recording.trigger_points.event(host, &event);
        recording.trace.push(sandbox::now(), Some(host), event);
        let on_trigger = if due.is_empty() { None } else { recording.trigger_points.on_trigger.clone() };
        drop(recording);
        if let Some(on_trigger) = on_trigger {
            due.into_iter().for_each(|fault| on_trigger(fault, host));
        }
    }
}

/// Records the marks and operations of one client or program. Clones record in the same trace and history.
///
/// Once the program has been killed, nothing is recorded.
///
/// ```
/// use squall::prelude::*;
///
/// async fn client(cx: HostContext) -> std::io::Result<()> {
///     let recorder = cx.recorder();
///     // What a check reads back as the operation's input and answer.
///     let read = recorder.invoke("read", &"key 7");
///     read.ok(&Some(42));
///     // Where the timeline shows it.
///     recorder.note("cache", "filled");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    recording: SharedRecording,
    alive: AliveFlag,
    host: HostId,
    client: u32,
    life: u32,
}

/// The name of the note that holds a secret of TLS.
pub(crate) const TLS_SECRET: &str = "tls secret";

impl Recorder {
    pub(crate) fn new(recording: SharedRecording, alive: AliveFlag, host: HostId, client: u32, life: u32) -> Recorder {
        Recorder { recording, alive, host, client, life }
    }

    /// Records a mark for the checks.
    pub fn mark(&self, mark: Mark) {
        if !self.alive.is_set() {
            return;
        }
        self.recording.mark(self.host, mark);
    }

    /// Records a mark that the scenario defines: `name` says what happened, `detail` adds details.
    pub fn note(&self, name: &str, detail: &str) {
        self.mark(Mark::Note { name: name.to_owned(), detail: detail.to_owned() });
    }

    /// Records a secret of a TLS connection, so that a capture of the run can be read: Wireshark decrypts what was sent. The
    /// parts are those that `rustls::KeyLog::log` is given, and that OpenSSL's callback gets as a line (the key log format of
    /// NSS).
    ///
    /// ```
    /// use squall::history::Recorder;
    ///
    /// #[derive(Debug)]
    /// struct Secrets(Recorder);
    ///
    /// // `impl rustls::KeyLog for Secrets` calls it; `config.key_log = Arc::new(Secrets(cx.recorder()))` puts it to use.
    /// impl Secrets {
    ///     fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
    ///         self.0.tls_secret(label, client_random, secret);
    ///     }
    /// }
    /// ```
    pub fn tls_secret(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.note(TLS_SECRET, &format!("{label} {} {}", hexadecimal(client_random), hexadecimal(secret)));
    }

    /// The id of the host with this name, for marks; [`HostId::UNKNOWN`] if there is none.
    pub fn host_named(&self, name: &str) -> HostId {
        self.recording.lock().trace.host(name).unwrap_or(HostId::UNKNOWN)
    }

    /// The client's number on its host, from 0.
    pub fn client(&self) -> u32 {
        self.client
    }

    /// Records that an operation begins. The run fails if the input cannot be written as JSON.
    pub fn invoke(&self, name: &str, input: &impl Serialize) -> Pending {
        if !self.alive.is_set() {
            return Pending { recorder: self.clone(), index: usize::MAX };
        }
        let at = sandbox::now();
        let input = serde_json::to_string(input).unwrap_or_else(|error| self.cannot_write("input", name, &error));
        let mut recording = self.recording.lock();
        recording.trace.digest(1, at, name.as_bytes());
        recording.trace.digest(2, at, input.as_bytes());
        let index = recording.history.operations.len();
        let operation = Operation {
            host: self.host,
            client: self.client,
            life: self.life,
            name: name.to_owned(),
            input,
            invoked_at: at,
            completed: None,
        };
        recording.trace.note(&Note::<_, Completion>::Invoked(&operation));
        recording.history.operations.push(operation);
        Pending { recorder: self.clone(), index }
    }

    fn name_of(&self, index: usize) -> String {
        self.recording.lock().history.operations.get(index).map(|operation| operation.name.clone()).unwrap_or_default()
    }

    /// Notes that a value cannot be recorded, which fails the run, and returns the text that stands for the value.
    fn cannot_write(&self, what: &str, operation: &str, error: &serde_json::Error) -> String {
        let at = crate::fault::duration_text(sandbox::now());
        let mut recording = self.recording.lock();
        let host = recording.trace.name(self.host).to_owned();
        recording.unrecorded.push(format!(
            "the {what} of `{operation}` of client {} of {host} at {at} cannot be written as JSON: {error}",
            self.client
        ));
        "null".to_owned()
    }
}

/// An operation that has not completed. If it is dropped, the operation stays open and its effect is unknown.
///
/// ```
/// use squall::prelude::*;
///
/// async fn transfer(cx: HostContext) -> std::io::Result<()> {
///     let pending = cx.recorder().invoke("transfer", &100);
///     match cx.http().post("http://bank/transfers", "100").await {
///         Ok(answer) if answer.status().is_success() => pending.ok(&()),
///         // It certainly had no effect.
///         Ok(answer) if answer.status().is_client_error() => pending.fail(answer.status()),
///         // Nobody knows.
///         Ok(answer) => pending.unknown(answer.status()),
///         Err(error) => pending.unknown(error),
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Pending {
    recorder: Recorder,
    index: usize,
}

impl Pending {
    /// Records that the operation was acknowledged with this answer. The run fails if the answer cannot be written as
    /// JSON.
    pub fn ok(self, answer: &impl Serialize) {
        if !self.recorder.alive.is_set() {
            return;
        }
        let answer = serde_json::to_string(answer).unwrap_or_else(|error| {
            let name = self.recorder.name_of(self.index);
            self.recorder.cannot_write("answer", &name, &error)
        });
        self.complete(Completion::Ok(answer));
    }

    /// Records that the operation was refused and certainly had no effect.
    pub fn fail(self, reason: impl ToString) {
        self.complete(Completion::Fail(reason.to_string()));
    }

    /// Records that the client does not know whether the operation had an effect.
    pub fn unknown(self, reason: impl ToString) {
        self.complete(Completion::Unknown(reason.to_string()));
    }

    fn complete(self, completion: Completion) {
        if !self.recorder.alive.is_set() {
            return;
        }
        let at = sandbox::now();
        let mut recording = self.recorder.recording.lock();
        let (tag, text) = match &completion {
            Completion::Ok(text) => (3, text),
            Completion::Fail(text) => (4, text),
            Completion::Unknown(text) => (5, text),
        };
        recording.trace.digest(tag, at, &(self.index as u64).to_le_bytes());
        recording.trace.digest(tag, at, text.as_bytes());
        recording.trace.note(&Note::<Operation, _>::Completed(self.index, at, &completion));
        if let Some(operation) = recording.history.operations.get_mut(self.index) {
            operation.completed = Some((at, completion));
        }
    }
}

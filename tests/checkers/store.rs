//! A small replicated store: a primary that answers, and a replica that gets every write before it is acknowledged and
//! takes over when the primary is silent. One of four mistakes can be planted in it.
//!
//! The primary may answer reads as long as it holds a lease: until one second after it sent the last message that the
//! replica acknowledged. The replica takes over once it has heard nothing for longer than that, records this on its
//! disk, and refuses the primary from then on. Requests and answers are lines; each request has its own connection.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use squall::disk::{Disk, OpenOptions};
use squall::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Mutex;

/// The mistake that is planted in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// A primary without a lease still answers reads.
    StaleRead,
    /// The primary acknowledges a write before the replica has it.
    LostUpdate,
    /// An id is added again when its request is repeated.
    DoubleEffect,
    /// A compare-and-set is not atomic: others may write between the comparison and the write.
    CompareThenSet,
}

const LEASE: Duration = secs(1);
const SILENCE: Duration = millis(1_500);
/// The port for clients.
pub const CLIENTS: u16 = 1;
/// The replica's port for the primary.
const REPLICATION: u16 = 2;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The request never left.
    NotSent,
    /// The outcome of the request is unknown.
    Unknown,
}

/// Sends one request, without retries.
pub async fn ask(cx: &HostContext, host: &str, port: u16, line: &str) -> Result<String, NoAnswer> {
    let connector = cx.connector();
    let connected = tokio::time::timeout(millis(300), connector.connect(host, port)).await;
    let mut stream = connected.ok().and_then(Result::ok).ok_or(NoAnswer::NotSent)?;
    let exchange = async {
        stream.write_all(format!("{line}\n").as_bytes()).await?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let answer = tokio::time::timeout(millis(700), exchange).await.ok().and_then(Result::ok);
    let answer = answer.ok_or(NoAnswer::Unknown)?;
    answer.strip_suffix('\n').map(str::to_owned).ok_or(NoAnswer::Unknown)
}

/// Answers every request with the result of `answer`; if that is `None`, closes the connection.
async fn serve<F: Future<Output = Option<String>> + Send>(
    cx: &HostContext,
    port: u16,
    answer: impl Fn(String) -> F + Clone + Send + 'static,
) -> io::Result<()> {
    let listener = cx.listener(port);
    loop {
        let (mut stream, _) = listener.accept().await?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let mut line = String::new();
            if BufReader::new(&mut stream).read_line(&mut line).await.is_ok()
                && let Some(line) = line.strip_suffix('\n')
                && let Some(answer) = answer(line.to_owned()).await
            {
                drop(stream.write_all(format!("{answer}\n").as_bytes()).await);
            }
        });
    }
}

/// The version and the value of each key.
#[derive(Clone, Default)]
struct Values(BTreeMap<String, (u64, String)>);

impl Values {
    fn get(&self, key: &str) -> (u64, String) {
        self.0.get(key).cloned().unwrap_or((0, "-".to_owned()))
    }

    /// The answer to a request, and its change: the key, its new version and its new value.
    fn respond(&self, words: &[&str], mistake: Mistake) -> (String, Option<(String, u64, String)>) {
        let key = words.get(1).copied().unwrap_or_default();
        let (version, value) = self.get(key);
        let changed = |value: String| (format!("ok {}", version + 1), Some((key.to_owned(), version + 1, value)));
        match words {
            ["put", _, new] => changed((*new).to_owned()),
            ["cas", _, expected, new] if *expected == value => changed((*new).to_owned()),
            ["cas", ..] => (format!("differs {version} {value}"), None),
            ["add", _, id] if mistake != Mistake::DoubleEffect && value.split(',').any(|other| other == *id) => {
                (format!("ok {version}"), None)
            }
            ["add", _, id] => changed(format!("{},{id}", value.trim_start_matches('-'))),
            _ => (format!("ok {version} {value}"), None),
        }
    }

    fn from_text(text: &str) -> Values {
        let line = |line: &str| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), (words.next()?.parse().ok()?, words.next()?.to_owned())))
        };
        Values(text.split(';').filter_map(line).collect())
    }

    fn text(&self) -> String {
        let lines = self.0.iter().map(|(key, (version, value))| format!("{key} {version} {value}"));
        lines.collect::<Vec<_>>().join(";")
    }
}

struct Primary {
    cx: HostContext,
    mistake: Mistake,
    epoch: String,
    values: Mutex<Values>,
    lease: std::sync::Mutex<Duration>,
}

pub async fn primary(cx: HostContext, mistake: Mistake) -> io::Result<()> {
    let (epoch, values) = loop {
        match ask(&cx, "replica", REPLICATION, "all").await {
            Ok(text) if text == "deposed" => {
                return serve(&cx, CLIENTS, |_| std::future::ready(Some("away".to_owned()))).await;
            }
            Ok(text) => {
                let (epoch, values) = text.split_once(' ').unwrap_or((&text, ""));
                break (epoch.to_owned(), Values::from_text(values));
            }
            Err(_) => tokio::time::sleep(millis(100)).await,
        }
    };
    let (values, lease) = (Mutex::new(values), std::sync::Mutex::default());
    let primary = Arc::new(Primary { cx: cx.clone(), mistake, epoch, values, lease });
    let heartbeat = primary.clone();
    tokio::spawn(async move {
        while heartbeat.send("beat").await != Some(false) {
            tokio::time::sleep(millis(200)).await;
        }
    });
    serve(&cx, CLIENTS, move |line| {
        let primary = primary.clone();
        async move { primary.answer(&line).await }
    })
    .await
}

impl Primary {
    /// Sends the replica a message once. Returns whether it accepted the message, or `None` if that is unknown.
    async fn send(&self, message: &str) -> Option<bool> {
        let sent_at = self.cx.elapsed();
        let answer = ask(&self.cx, "replica", REPLICATION, &format!("{message} {}", self.epoch)).await.ok()?;
        if answer == "taken" {
            let mut lease = self.lease.lock().unwrap();
            *lease = (*lease).max(sent_at + LEASE);
        }
        Some(answer == "taken")
    }

    /// Sends the replica a change until it accepts or refuses it. Returns whether it accepted.
    async fn replicate(&self, (key, version, value): &(String, u64, String)) -> bool {
        loop {
            match self.send(&format!("take {key} {version} {value}")).await {
                Some(is_taken) => return is_taken,
                None => tokio::time::sleep(millis(50)).await,
            }
        }
    }

    async fn answer(self: Arc<Self>, line: &str) -> Option<String> {
        let words: Vec<&str> = line.split(' ').collect();
        let is_not_atomic = self.mistake == Mistake::CompareThenSet && words[0] == "cas";
        if is_not_atomic {
            if self.values.lock().await.get(words[1]).1 != words[2] {
                return Some("differs 0 -".to_owned());
            }
            tokio::time::sleep(millis(30)).await;
        }
        let mut values = self.values.lock().await;
        let words = if is_not_atomic { vec!["put", words[1], words[3]] } else { words };
        let (answer, change) = values.respond(&words, self.mistake);
        if let Some(change) = change {
            if self.mistake == Mistake::LostUpdate {
                let (this, change) = (self.clone(), change.clone());
                tokio::spawn(async move { this.replicate(&change).await });
            } else if !self.replicate(&change).await {
                // It is not known here whether the replica got the change before it took over.
                return None;
            }
            values.0.insert(change.0, (change.1, change.2));
        } else if self.mistake != Mistake::StaleRead && self.cx.elapsed() >= *self.lease.lock().unwrap() {
            return Some("away".to_owned());
        }
        Some(answer)
    }
}

struct Replica {
    cx: HostContext,
    mistake: Mistake,
    values: Values,
    heard_at: Duration,
}

/// The key whose version is the replica's epoch; no client uses it.
const EPOCH: &str = "#epoch";
/// The key that exists once the replica is in charge; no client uses it.
const IN_CHARGE: &str = "#in-charge";

pub async fn replica(cx: HostContext, mistake: Mistake) -> io::Result<()> {
    let values = Values::from_text(&read(&cx.disk())?);
    let replica = Replica { cx: cx.clone(), mistake, values, heard_at: cx.elapsed() };
    let replica = Arc::new(Mutex::new(replica));
    let (watcher, receiver) = (replica.clone(), replica.clone());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(millis(100)).await;
            let mut replica = watcher.lock().await;
            if replica.cx.elapsed() > replica.heard_at + SILENCE && !replica.is_in_charge() {
                drop(replica.store(IN_CHARGE, 1, "-").await);
            }
        }
    });
    let replication = serve(&cx, REPLICATION, move |line| {
        let replica = receiver.clone();
        async move { replica.lock().await.receive(&line).await }
    });
    let clients = serve(&cx, CLIENTS, move |line| {
        let replica = replica.clone();
        async move { answer_in_charge(&replica, &line).await }
    });
    tokio::try_join!(replication, clients).map(|_| ())
}

impl Replica {
    fn is_in_charge(&self) -> bool {
        self.values.0.contains_key(IN_CHARGE)
    }

    /// Stores a value, and returns once it is on disk.
    async fn store(&mut self, key: &str, version: u64, value: &str) -> io::Result<()> {
        self.values.0.insert(key.to_owned(), (version, value.to_owned()));
        write(&self.cx.disk(), &self.values.text())?;
        self.cx.disk().wait_until_idle().await;
        Ok(())
    }

    async fn receive(&mut self, line: &str) -> Option<String> {
        if self.is_in_charge() {
            return Some("deposed".to_owned());
        }
        let epoch = self.values.get(EPOCH).0;
        let is_current = |text: &str| text == epoch.to_string();
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["all"] => {
                self.store(EPOCH, epoch + 1, "-").await.ok()?;
                self.heard_at = self.cx.elapsed();
                return Some(format!("{} {}", epoch + 1, self.values.text()));
            }
            ["take", key, version, value, sender] if is_current(sender) => {
                let version = version.parse().ok()?;
                if version > self.values.get(key).0 {
                    self.store(key, version, value).await.ok()?;
                }
            }
            ["beat", sender] if is_current(sender) => {}
            _ => return Some("deposed".to_owned()),
        }
        self.heard_at = self.cx.elapsed();
        Some("taken".to_owned())
    }
}

async fn answer_in_charge(replica: &Mutex<Replica>, line: &str) -> Option<String> {
    let mut words: Vec<&str> = line.split(' ').collect();
    let mut held = replica.lock().await;
    if !held.is_in_charge() {
        return Some("away".to_owned());
    }
    if held.mistake == Mistake::CompareThenSet && words[0] == "cas" {
        if held.values.get(words[1]).1 != words[2] {
            return Some("differs 0 -".to_owned());
        }
        drop(held);
        tokio::time::sleep(millis(30)).await;
        held = replica.lock().await;
        words = vec!["put", words[1], words[3]];
    }
    let (answer, change) = held.values.respond(&words, held.mistake);
    if let Some((key, version, value)) = change {
        held.store(&key, version, &value).await.ok()?;
    }
    Some(answer)
}

fn read(disk: &Disk) -> io::Result<String> {
    if !disk.exists("values")? {
        return Ok(String::new());
    }
    let file = disk.open("values", OpenOptions::default())?;
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or_default()];
    file.read_exact_at(0, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Replaces the whole file, so that a power off leaves either the old file or the new one.
fn write(disk: &Disk, text: &str) -> io::Result<()> {
    let options = OpenOptions { create: true, truncate: true, ..OpenOptions::default() };
    let file = disk.open("values.new", options)?;
    file.write_at(0, text.as_bytes())?;
    file.sync_all()?;
    disk.rename("values.new", "values")?;
    disk.sync_directory("")
}

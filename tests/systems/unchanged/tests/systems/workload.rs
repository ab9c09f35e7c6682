//! What all systems have in common: a store on the simulated disk, what users do with a client, the faults, and the checks.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use squall::check::{Check, CountedVerdict, Decoded, Effects};
use squall::disk::{Disk, File};
use squall::history::Operation;
use squall::prelude::*;
use unchanged::raft_log::Journal;
use unchanged::raft_tonic::NODES;
use unchanged::{Client, Failure, Habits, SharedStore, Store};

/// How long a client waits for an answer.
const LIMIT: Duration = Duration::from_secs(2);

/// The limit of one attempt of a client that makes two.
const SHORT_LIMIT: Duration = Duration::from_millis(900);

/// The most that an operation may take: a client that asks once waits twice, to connect and for the answer.
const MOST: Duration = Duration::from_millis(4_100);

/// The length of a key on the disk, which divides that of a sector, so that no key is torn.
const LENGTH: usize = 16;

/// A store on the simulated disk.
struct OnDisk {
    disk: Disk,
    file: File,
    syncs: bool,
    keys: Mutex<Vec<String>>,
}

/// The store of a server on this machine. Without `syncs` it forgets to sync what it writes, which is a mistake.
fn store(cx: &HostContext, syncs: bool) -> io::Result<SharedStore> {
    let disk = cx.disk();
    let file = disk.open_durable("keys")?;
    let mut bytes = vec![0; file.len()? as usize / LENGTH * LENGTH];
    file.read_exact_at(0, &mut bytes)?;
    let text = |key: &[u8]| String::from_utf8_lossy(key).trim_matches(['\0', ' ']).to_owned();
    let keys = Mutex::new(bytes.chunks(LENGTH).map(text).collect());
    Ok(Arc::new(OnDisk { disk, file, syncs, keys }))
}

impl Store for OnDisk {
    fn add<'a>(&'a self, key: &'a str) -> BoxFuture<'a, io::Result<()>> {
        async move {
            {
                let mut keys = self.keys.lock().unwrap();
                self.file.write_at((keys.len() * LENGTH) as u64, format!("{key:LENGTH$}").as_bytes())?;
                if self.syncs {
                    self.file.sync_data()?;
                }
                keys.push(key.to_owned());
            }
            self.disk.wait_until_idle().await;
            Ok(())
        }
        .boxed()
    }

    fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().iter().filter(|key| !key.is_empty()).cloned().collect()
    }
}

/// A journal on the simulated disk.
struct OnDiskJournal {
    disk: Disk,
    file: File,
    syncs: bool,
    length: Mutex<u64>,
}

impl Journal for OnDiskJournal {
    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.file.len()? as usize];
        self.file.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    }

    fn cut(&self, length: usize) -> io::Result<()> {
        *self.length.lock().unwrap() = length as u64;
        self.file.set_len(length as u64)?;
        self.file.sync_all()
    }

    fn append<'a>(&'a self, bytes: &'a [u8]) -> BoxFuture<'a, io::Result<()>> {
        async move {
            {
                let mut length = self.length.lock().unwrap();
                self.file.write_at(*length, bytes)?;
                if self.syncs {
                    self.file.sync_data()?;
                }
                *length += bytes.len() as u64;
            }
            self.disk.wait_until_idle().await;
            Ok(())
        }
        .boxed()
    }
}

/// The number of this node's machine, and its journal. Without `syncs` it forgets to sync, which is a mistake.
fn journal(cx: &HostContext, syncs: bool) -> Result<(u64, Arc<dyn Journal>), Failure> {
    let number = cx.name().trim_start_matches("node-").parse()?;
    let disk = cx.disk();
    let file = disk.open_durable("log")?;
    Ok((number, Arc::new(OnDiskJournal { disk, file, syncs, length: Mutex::default() })))
}

/// Uses a client: adds keys, each once, until some time after the faults, and at last asks for all.
async fn uses<C: Client>(cx: HostContext, mut connect: impl AsyncFnMut() -> Result<C, Failure>) {
    let (recorder, mut client) = (cx.recorder(), None);
    let (run_for, settle_for) = cx.phases();
    while cx.elapsed() < run_for + settle_for / 2 {
        let key = format!("{}.{}", cx.name(), cx.elapsed().as_millis());
        let operation = recorder.invoke("add", &key);
        match with(&mut client, &mut connect, async |client: &mut C| client.add(&key).await).await {
            Ok(()) => operation.ok(&()),
            Err(error) => operation.unknown(error),
        }
        tokio::time::sleep(millis(300)).await;
    }
    cx.wait_until_recovered(secs(5)).await;
    let operation = recorder.invoke("keys", &());
    match with(&mut client, &mut connect, async |client: &mut C| client.keys().await).await {
        Ok(keys) => operation.ok(&keys),
        Err(error) => operation.unknown(error),
    }
}

/// Does something with the client that is there, or with a new one; forgets it after a failure.
async fn with<C, T>(
    client: &mut Option<C>,
    connect: &mut impl AsyncFnMut() -> Result<C, Failure>,
    action: impl AsyncFnOnce(&mut C) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut connected = match client.take() {
        Some(client) => client,
        None => connect().await?,
    };
    let done = action(&mut connected).await?;
    *client = Some(connected);
    Ok(done)
}

/// No operation takes longer than its client says; one that never ends is judged if it had the time.
fn operations_end_in_time() -> Check {
    Check::new("operations end in time", |trace: &Trace, history: &History| {
        let mut judged = 0;
        let died = |operation: &Operation| {
            let from = operation.invoked_at;
            trace.records.iter().any(|record| {
                let is_death = matches!(record.event, Event::Killed | Event::PoweredOff);
                is_death && record.host == Some(operation.host) && record.at >= from && record.at <= from + MOST
            })
        };
        for operation in history.operations.iter().filter(|operation| !died(operation)) {
            let ended_at = operation.completed.as_ref().map_or(trace.ended_at, |(at, _)| *at);
            if operation.completed.is_none() && ended_at < operation.invoked_at + MOST {
                continue;
            }
            judged += 1;
            let took = ended_at - operation.invoked_at;
            if took > MOST {
                let why = format!("{} at {:?} took {took:?}", operation.name, operation.invoked_at);
                return CountedVerdict::broken(judged, why);
            }
        }
        CountedVerdict::kept(judged, "no operation ended")
    })
}

/// The key that an operation adds.
fn requested(operation: &Operation) -> Decoded<String> {
    if operation.name == "add" { Ok(Some(operation.input()?)) } else { Ok(None) }
}

fn effects() -> Effects {
    let added = |operation: &Operation| if operation.is_ok() { requested(operation) } else { Ok(None) };
    let audited = |operation: &Operation| if operation.name == "keys" { Ok(operation.answer()?) } else { Ok(None) };
    Effects::new(added, audited)
}

/// A scenario of a server and two clients, with the faults and the checks of all systems.
pub fn system<C: Client + 'static, Serving, Connecting>(
    name: &str,
    ways: Ways,
    serve: impl Fn(SharedStore) -> Serving + Copy + Send + Sync + 'static,
    connect: impl Fn(HostContext, Habits) -> Connecting + Copy + Send + Sync + 'static,
) -> Scenario
where
    Serving: Future<Output = Result<(), Failure>> + 'static,
    Connecting: Future<Output = Result<C, Failure>> + 'static,
{
    let scenario = Scenario::new(name)
        .host("server", move |cx| async move { serve(store(&cx, ways.syncs)?).await })
        .hosts("client", 2, move |cx| {
            let own = cx.clone();
            uses(cx, async move || connect(own.clone(), ways.habits).await)
        })
        .fault(fault::kill("server").every(secs(5)..secs(12)).lasting(millis(200)..secs(2)))
        .fault(fault::power_off("server").every(secs(6)..secs(15)).lasting(millis(500)..secs(3)))
        .fault(fault::kill("client-1").every(secs(8)..secs(20)).lasting(millis(200)..secs(2)))
        .fault(fault::partition("client", "server").every(secs(5)..secs(10)).lasting(secs(1)..secs(6)))
        .fault(fault::loss(0.1, "client", "server").every(secs(3)..secs(8)).lasting(secs(1)..secs(5)));
    checked(scenario)
}

/// A scenario of three nodes that agree, and two clients, with faults of one node, of links, and of all nodes at once.
pub fn cluster<C: Client + 'static, Serving, Connecting>(
    name: &str,
    ways: Ways,
    serve: impl Fn(u64, Arc<dyn Journal>) -> Serving + Copy + Send + Sync + 'static,
    connect: impl Fn(HostContext, Habits) -> Connecting + Copy + Send + Sync + 'static,
) -> Scenario
where
    Serving: Future<Output = Result<(), Failure>> + 'static,
    Connecting: Future<Output = Result<C, Failure>> + 'static,
{
    let scenario = Scenario::new(name)
        .hosts("node", NODES as usize, move |cx| async move {
            let (number, journal) = journal(&cx, ways.syncs)?;
            serve(number, journal).await
        })
        .hosts("client", 2, move |cx| {
            let own = cx.clone();
            uses(cx, async move || connect(own.clone(), ways.habits).await)
        })
        .fault(fault::kill(fault::one("node")).every(secs(4)..secs(10)).lasting(millis(200)..secs(3)))
        .fault(fault::power_off(fault::one("node")).every(secs(6)..secs(15)).lasting(millis(500)..secs(3)))
        .fault(fault::power_off("node").every(secs(8)..secs(20)).lasting(millis(500)..secs(2)))
        .fault(fault::partition(fault::one("node"), "*").every(secs(4)..secs(10)).lasting(secs(1)..secs(6)))
        .fault(fault::loss(0.1, "node", "node").every(secs(3)..secs(8)).lasting(secs(1)..secs(5)));
    checked(scenario)
}

/// What all systems promise.
fn checked(scenario: Scenario) -> Scenario {
    scenario
        .plain_sockets()
        .check(operations_end_in_time())
        .check(effects().match_outcomes(requested))
        .check(effects().acknowledged_survive_crashes())
        .check(check::recovers_within(secs(8)))
        .check(check::no_descriptor_leaks(secs(10)))
        .check(check::without_faults_no_operation_fails())
        .run_for(secs(20))
        .settle_for(secs(20))
}

/// How a system behaves.
#[derive(Clone, Copy)]
pub struct Ways {
    pub habits: Habits,
    /// Whether the server syncs what it writes before it acknowledges it.
    pub syncs: bool,
}

/// Without a mistake.
pub const RIGHT: Ways = Ways { habits: Habits { limit: Some(LIMIT), asks_again: false, believes: false }, syncs: true };
/// The client waits for ever.
pub const WAITS: Ways = Ways { habits: Habits { limit: None, ..RIGHT.habits }, ..RIGHT };
/// The client asks again.
pub const ASKS_AGAIN: Ways =
    Ways { habits: Habits { limit: Some(SHORT_LIMIT), asks_again: true, ..RIGHT.habits }, ..RIGHT };
/// The client takes what it has sent for done.
pub const BELIEVES: Ways = Ways { habits: Habits { believes: true, ..RIGHT.habits }, ..RIGHT };
/// The server acknowledges before it syncs.
pub const HURRIES: Ways = Ways { syncs: false, ..RIGHT };

//! Linearizability: the store's values behave as if each had one copy and every request took effect at one instant,
//! however often the store dies, loses power or is unreachable.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use squall::check::linear::Model;
use squall::check::{Decoded, is_linearizable};
use squall::history::Operation;
use squall::prelude::*;

use crate::shop::client::Effect;
use crate::shop::simulated::run_store;
use crate::shop::store;
use crate::shop::value_client::ValueClient;
use crate::shop::values::Versioned;

/// Clients on two machines that read and write a few keys of the store.
pub fn scenario() -> Scenario {
    with(store::Config::default())
}

/// The same with another configuration of the store.
pub fn with(config: store::Config) -> Scenario {
    Scenario::new("linearizable")
        .clients("east", 2, steps(), run_client)
        .clients("west", 2, steps(), run_client)
        .host("store", move |cx| run_store(cx, config.clone()))
        .fault(fault::kill("store").every(secs(3)..secs(10)).lasting(millis(100)..secs(1)))
        .fault(fault::power_off("store").every(secs(4)..secs(12)).lasting(millis(200)..secs(2)))
        .fault(fault::partition("east", "store").every(secs(4)..secs(10)).lasting(millis(200)..secs(2)))
        .fault(fault::partition_one_way("store", "west").every(secs(4)..secs(10)).lasting(millis(200)..secs(2)))
        .check(is_linearizable("L1 the store is linearizable per key", Values, typed))
        .sometimes("a write took effect although its client got no answer", a_write_took_effect_without_an_answer)
        .sometimes("a compare-and-set found another version", a_compare_and_set_found_another_version)
        .sometimes("a value outlived the death of the store", a_value_outlived_the_death_of_the_store)
        .run_for(secs(25))
        .settle_for(secs(5))
}

/// One step of a client: the delay after the previous step, the key, and the action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    after_ms: u64,
    key: String,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Action {
    Get,
    Put,
    /// A write that succeeds only over the version that this client saw last.
    PutIfUnchanged,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let action = prop_oneof![3 => Just(Action::Get), 1 => Just(Action::Put), 2 => Just(Action::PutIfUnchanged)];
    let step = (50_u64..900, 0_u32..3, action);
    let step = step.prop_map(|(after_ms, key, action)| Step { after_ms, key: format!("key-{key}"), action });
    proptest::collection::vec(step, 50..=50)
}

/// One request about a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    key: String,
    /// The value to write; `None` to read.
    write: Option<String>,
    /// The version that the write requires; 0 means that the key has no value yet.
    expected: Option<u64>,
}

/// An answer of the store: the current version and value; `None` if the key has no value.
type Found = Option<(u64, String)>;

async fn run_client(cx: HostContext, steps: Vec<Step>) {
    let client = ValueClient::new(cx.connector(), "store", 80, secs(1));
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for (number, Step { after_ms, key, action }) in steps.into_iter().enumerate() {
        tokio::time::sleep(millis(after_ms)).await;
        // Each value is unique to its step, so that a read identifies the write that it saw.
        let value = format!("{}-{}-{number}", cx.name(), cx.client());
        let expected = (action == Action::PutIfUnchanged).then(|| seen.get(&key).copied().unwrap_or_default());
        let write = (action != Action::Get).then_some(value);
        let request = Request { key: key.clone(), write, expected };
        let operation = cx.recorder().invoke(if action == Action::Get { "get" } else { "put" }, &request);
        let answer = match &request.write {
            None => client.get(&key).await,
            Some(value) => client.put(&key, value, expected).await,
        };
        match answer {
            Ok(found) => {
                if let Some(Versioned { version, .. }) = &found {
                    seen.insert(key, *version);
                }
                operation.ok(&found.map(|found| (found.version, found.value)));
            }
            Err(error) if error.effect() == Effect::None => operation.fail(error),
            Err(error) => operation.unknown(error),
        }
    }
}

/// Versioned values; the version counts the writes.
struct Values;

impl Model for Values {
    type State = Found;
    type Op = Request;
    type Output = Found;
    type Key = String;

    fn key(&self, request: &Request) -> String {
        request.key.clone()
    }

    fn init(&self) -> Found {
        None
    }

    fn step(&self, state: &Found, request: &Request, answered: Option<&Found>) -> Option<Found> {
        let version = state.as_ref().map_or(0, |(version, _)| *version);
        let (after, says) = match &request.write {
            None => (state.clone(), state.clone()),
            Some(_) if request.expected.is_some_and(|expected| expected != version) => (state.clone(), None),
            Some(value) => {
                let written = Some((version + 1, value.clone()));
                (written.clone(), written)
            }
        };
        answered.is_none_or(|answered| *answered == says).then_some(after)
    }

    fn is_observer(&self, request: &Request, answered: Option<&Found>) -> bool {
        request.write.is_none() || answered == Some(&None)
    }

    fn needs(&self, request: &Request, answered: &Found) -> Option<Found> {
        request.write.is_none().then(|| answered.clone())
    }

    fn may_lead(&self, from: &Found, to: &Found) -> bool {
        let version = |state: &Found| state.as_ref().map_or(0, |(version, _)| *version);
        version(from) < version(to)
    }
}

fn typed(operation: &Operation) -> Decoded<(Request, Option<Found>)> {
    Ok(Some((operation.input()?, operation.answer()?)))
}

fn a_write_took_effect_without_an_answer(_: &Trace, history: &History) -> bool {
    let writes = || history.named("put").filter(|operation| !operation.is_ok() && !operation.is_fail());
    let read: Vec<Found> = history.named("get").filter_map(|operation| operation.answer().ok()?).collect();
    let values: Vec<&String> = read.iter().flatten().map(|(_, value)| value).collect();
    let written = |operation: &Operation| operation.input::<Request>().ok()?.write;
    writes().any(|operation| written(operation).is_some_and(|value| values.contains(&&value)))
}

fn a_compare_and_set_found_another_version(_: &Trace, history: &History) -> bool {
    history.named("put").any(|operation| operation.answer::<Found>().ok().flatten() == Some(None))
}

fn a_value_outlived_the_death_of_the_store(trace: &Trace, history: &History) -> bool {
    use squall::trace::Event::{Killed, PoweredOff};
    let deaths = trace.records.iter().filter(|record| matches!(record.event, Killed | PoweredOff));
    let deaths: Vec<_> = deaths.map(|record| record.at).collect();
    let answered = |operation: &Operation| Some((operation.completed.as_ref()?.0, operation.answer::<Found>().ok()??));
    let written: Vec<_> = history.named("put").filter_map(answered).collect();
    history.named("get").filter_map(|read| Some((read.invoked_at, answered(read)?.1))).any(|(read_at, found)| {
        let write = written.iter().find(|(_, write)| found.is_some() && *write == found);
        write.is_some_and(|(at, _)| deaths.iter().any(|death| (*at..read_at).contains(death)))
    })
}

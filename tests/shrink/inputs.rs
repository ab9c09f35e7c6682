//! A promise that two of sixteen operations break: a large value is written, and the same key is read.

use std::collections::BTreeMap;

use libtest_mimic::Failed;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use squall::internal::explore::Limit;
use squall::prelude::*;

use super::shrunk;

/// Larger values are forgotten.
const LARGEST: u32 = 600;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Operation {
    Put { key: u8, value: u32, note: String },
    Get { key: u8 },
    Pause(u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (0..4_u8, 1..1_000_u32, "[a-z]{1,8}").prop_map(|(key, value, note)| Operation::Put { key, value, note }),
        (0..4_u8).prop_map(|key| Operation::Get { key }),
        (10..500_u64).prop_map(Operation::Pause),
    ]
}

async fn client(cx: HostContext, operations: Vec<Operation>) {
    let mut kept = BTreeMap::new();
    for operation in operations {
        match operation {
            Operation::Put { key, value, .. } => {
                kept.insert(key, (value, value <= LARGEST));
            }
            Operation::Get { key } => {
                let recorded = cx.recorder().invoke("get", &key);
                match kept.get(&key) {
                    Some((value, false)) => recorded.fail(format!("{value} is forgotten")),
                    _ => recorded.ok(&()),
                }
            }
            Operation::Pause(ms) => tokio::time::sleep(millis(ms)).await,
        }
    }
}

fn nothing_is_forgotten(_: &Trace, history: &History) -> Verdict {
    match history.named("get").find(|operation| operation.is_fail()) {
        Some(operation) => Verdict::fail("what was put is gone").of(operation),
        None => Verdict::Pass,
    }
}

pub fn scenario() -> Scenario {
    Scenario::new("inputs")
        .clients("client", 1, proptest::collection::vec(operation(), 16..=16), client)
        .check(nothing_is_forgotten)
        .run_for(secs(20))
        .settle_for(secs(0))
}

pub fn check() -> Result<(), Failed> {
    let shrunk = shrunk(scenario(), 2, 2_000)?;
    let operations = shrunk.case.input["client"][0].clone();
    println!("{operations} in {} runs", shrunk.runs);
    assert_eq!((shrunk.from.operations, shrunk.to.operations, shrunk.limit), (16, 2, None), "{operations}");
    let [Operation::Put { key, value, note }, Operation::Get { key: read }] =
        &serde_json::from_value::<Vec<Operation>>(operations.clone())?[..]
    else {
        return Err(format!("a put and a get are enough: {operations}").into());
    };
    assert_eq!((*key, *read, note.len()), (0, 0, 1), "{operations}");
    assert!((LARGEST + 1..LARGEST + 100).contains(value), "nearly the smallest that is forgotten: {operations}");
    Ok(())
}

/// A limit of time once decided what was left.
pub fn check_limit() -> Result<(), Failed> {
    let (alone, together) = (shrunk(scenario(), 1, 5)?, shrunk(scenario(), 4, 5)?);
    assert_eq!((&alone.case, alone.runs, alone.limit), (&together.case, together.runs, together.limit));
    assert_eq!((alone.runs, alone.limit), (5, Some(Limit::Runs)));
    Ok(())
}

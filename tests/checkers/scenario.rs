//! The replicated store under faults: it passes every check, and each planted mistake is caught by the checks that
//! should catch it.

use std::collections::BTreeMap;

use proptest::prelude::{Just, Strategy, any, prop_oneof};
use serde::{Deserialize, Serialize};
use squall::check::keyed_op::{Op, WriteOrder};
use squall::check::linear::models::*;
use squall::check::session::Guarantee;
use squall::check::{self, Check, Decoded, Effects};
use squall::history::{Operation, Pending};
use squall::internal::run::{Detail, run};
use squall::prelude::*;

use crate::store::{CLIENTS, Mistake, NoAnswer, ask, primary, replica};

/// A step of a client. Values are made unique by the client's host, its number and the number of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    Get,
    Put,
    /// Replaces the value that the client saw last.
    CompareAndSet,
    Add,
    GetList,
}

/// The words of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Request {
    words: Vec<String>,
}

/// The words of an answer: `ok` or `differs`, a version, and the value if one was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answer {
    words: Vec<String>,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        4 => Just(Step::Get),
        2 => Just(Step::Put),
        2 => Just(Step::CompareAndSet),
        2 => Just(Step::Add),
        1 => Just(Step::GetList),
    ];
    proptest::collection::vec((any::<u64>().prop_map(|pause| 100 + pause % 900), step), 24..=24)
}

/// Asks the server that answered last, and the other one if that one is not in charge or cannot be reached. If the
/// outcome is unknown, a request is sent again only if it is repeatable.
async fn request(cx: &HostContext, server: &mut usize, line: &str, is_repeatable: bool) -> Result<String, NoAnswer> {
    let mut is_unknown = false;
    for attempt in 0..6 {
        match ask(cx, ["primary", "replica"][*server], CLIENTS, line).await {
            Ok(answer) if answer == "away" => {}
            Ok(answer) => return Ok(answer),
            Err(NoAnswer::Unknown) if !is_repeatable => return Err(NoAnswer::Unknown),
            Err(why) => is_unknown |= why == NoAnswer::Unknown,
        }
        *server = 1 - *server;
        tokio::time::sleep(millis(50 * attempt)).await;
    }
    Err(if is_unknown { NoAnswer::Unknown } else { NoAnswer::NotSent })
}

async fn client(cx: HostContext, steps: Vec<(u64, Step)>) {
    let (mut server, mut seen) = (0, "-".to_owned());
    for (number, (pause_ms, step)) in steps.into_iter().enumerate() {
        tokio::time::sleep(millis(pause_ms)).await;
        let own = format!("{}{}.{number}", cx.name(), cx.client());
        let line = match step {
            Step::Get => "get r".to_owned(),
            Step::Put => format!("put r {own}"),
            Step::CompareAndSet => format!("cas r {seen} {own}"),
            Step::Add => format!("add l {own}"),
            Step::GetList => "get l".to_owned(),
        };
        let operation = invoke(&cx, &line);
        let is_repeatable = matches!(step, Step::Get | Step::Add | Step::GetList);
        let answer = request(&cx, &mut server, &line, is_repeatable).await;
        match (step, &answer) {
            (Step::Get, Ok(answer)) => seen = answer.rsplit(' ').next().unwrap_or("-").to_owned(),
            (Step::Put, Ok(_)) => seen = own,
            _ => {}
        }
        complete(operation, answer);
    }
}

fn invoke(cx: &HostContext, line: &str) -> Pending {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    cx.recorder().invoke(&words[0].clone(), &Request { words })
}

fn complete(operation: Pending, answer: Result<String, NoAnswer>) {
    match answer {
        Ok(answer) => operation.ok(&Answer { words: answer.split(' ').map(str::to_owned).collect() }),
        Err(NoAnswer::NotSent) => operation.fail("no server was reachable"),
        Err(NoAnswer::Unknown) => operation.unknown("no answer"),
    }
}

/// Reads everything from both servers long after the faults.
async fn audit(cx: HostContext) {
    cx.wait_until_recovered(secs(3)).await;
    for server in [0, 1] {
        for line in ["get r", "get l"] {
            let operation = invoke(&cx, line);
            let answer = request(&cx, &mut { server }, line, true).await;
            complete(operation, answer);
        }
    }
}

/// The words of the request and, if it was acknowledged, of the answer.
fn words(operation: &Operation) -> serde_json::Result<(Vec<String>, Option<Vec<String>>)> {
    let request: Request = operation.input()?;
    let answer: Option<Answer> = operation.answer()?;
    Ok((request.words, answer.map(|answer| answer.words)))
}

type RegisterCall = (RegisterOp<String>, Option<RegisterOutput<String>>);

fn register(operation: &Operation) -> Decoded<RegisterCall> {
    let (asked, answered) = words(operation)?;
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    Ok(match asked.as_slice() {
        ["get", "r"] => Some((RegisterOp::Read, answered.map(|words| RegisterOutput::Value(words[2].clone())))),
        ["put", "r", new] => Some((RegisterOp::Write((*new).to_owned()), answered.map(|_| RegisterOutput::Done))),
        ["cas", "r", expected, new] => {
            let op = RegisterOp::CompareAndSet((*expected).to_owned(), (*new).to_owned());
            Some((op, answered.map(|words| RegisterOutput::Swapped(words[0] == "ok"))))
        }
        _ => None,
    })
}

fn list(operation: &Operation) -> Decoded<(KeyValueOp, Option<KeyValueOutput>)> {
    let (asked, answered) = words(operation)?;
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let op = |action| KeyValueOp { key: "l".to_owned(), action };
    Ok(match asked.as_slice() {
        ["get", "l"] => {
            let text = answered.map(|words| KeyValueOutput::Text(words[2].trim_start_matches('-').to_owned()));
            Some((op(KeyValueAction::Get), text))
        }
        ["add", "l", id] => {
            Some((op(KeyValueAction::Append(format!(",{id}"))), answered.map(|_| KeyValueOutput::Done)))
        }
        _ => None,
    })
}

/// Reads and writes of the register, with versions.
fn versions(operation: &Operation) -> Decoded<(String, Op<u64>)> {
    let Some((_, Some(output))) = register(operation)? else { return Ok(None) };
    let Some(answered) = words(operation)?.1 else { return Ok(None) };
    let version: u64 = answered[1].parse()?;
    let op = match output {
        RegisterOutput::Value(_) => Op::Read((version > 0).then_some(version)),
        RegisterOutput::Done | RegisterOutput::Swapped(true) => Op::Write(version),
        RegisterOutput::Swapped(false) => return Ok(None),
    };
    Ok(Some(("r".to_owned(), op)))
}

/// Reads and writes of the register by their values, which are unique.
fn values(operation: &Operation) -> Decoded<(String, Op<String>)> {
    let Some(call) = register(operation)? else { return Ok(None) };
    let op = match call {
        (RegisterOp::Read, Some(RegisterOutput::Value(value))) => Op::Read((value != "-").then_some(value)),
        (RegisterOp::Write(value), _) => Op::Write(value),
        (RegisterOp::CompareAndSet(_, value), None | Some(RegisterOutput::Swapped(true))) => Op::Write(value),
        _ => return Ok(None),
    };
    Ok(Some(("r".to_owned(), op)))
}

/// Compares the ids that were added with those in the list at the end.
fn additions() -> Check {
    let found = |operation: &Operation| {
        let (asked, answered) = words(operation)?;
        let Some(answered) = answered.filter(|_| asked[0] == "get" && asked[1] == "l") else { return Ok(None) };
        let ids = answered[2].clone();
        Ok(Some(ids.trim_start_matches('-').split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect()))
    };
    let added = |operation: &Operation| {
        let (asked, _) = words(operation)?;
        Ok((asked[0] == "add").then(|| asked[2].clone()))
    };
    Effects::new(move |operation| if operation.is_ok() { added(operation) } else { Ok(None) }, found)
        .match_outcomes(added)
}

fn scenario(mistake: Mistake) -> Scenario {
    Scenario::new("replicated")
        .clients("east", 2, steps(), client)
        .clients("west", 2, steps(), client)
        .host("primary", move |cx| primary(cx, mistake))
        .host("replica", move |cx| replica(cx, mistake))
        .host("auditor", audit)
        .fault(fault::partition("primary", "replica").every(secs(4)..secs(12)).lasting(millis(500)..secs(4)))
        .fault(fault::kill("primary").once(secs(3)..secs(18)).lasting(millis(300)..secs(4)))
        .fault(fault::power_off("replica").every(secs(5)..secs(15)).lasting(millis(100)..secs(1)))
        .fault(fault::partition("east", "primary").every(secs(4)..secs(10)).lasting(millis(500)..secs(3)))
        .fault(fault::partition_one_way("replica", "west").every(secs(6)..secs(12)).lasting(millis(300)..secs(2)))
        .check(check::is_linearizable("linearizable register", Register::new("-".to_owned()), register))
        .check(check::is_linearizable("linearizable list", KeyValue, list))
        .check(check::is_sequentially_consistent("sequential", Register::new("-".to_owned()), register))
        .check(check::sessions_keep("sessions by versions", &Guarantee::ALL, WriteOrder::Versions, versions))
        .check(check::sessions_keep("sessions by values", &Guarantee::ALL, WriteOrder::RealTime, values))
        .check(check::staleness_at_most("staleness", millis(0), WriteOrder::Versions, versions))
        .check(check::converges_within("convergence", secs(5), WriteOrder::RealTime, values))
        .check(additions())
        .run_for(secs(20))
        .settle_for(secs(12))
}

/// The checks that did not pass in the first `seeds` seeds, by name and `fail` or `unknown`: in how many seeds, and the
/// first verdict.
fn caught(mistake: Mistake, seeds: u64) -> BTreeMap<(String, &'static str), (usize, String)> {
    let scenario = scenario(mistake);
    let mut caught = BTreeMap::new();
    for seed in (0..seeds).map(Seed) {
        let outcome =
            run(&scenario, &squall::internal::run::draw(&scenario, seed, &squall::fault::Swarm::whole()), Detail::Lean)
                .outcome;
        for finding in outcome.findings.into_iter().filter(|finding| !finding.verdict.is_pass()) {
            let words = format!("seed {seed}: {}", finding.verdict);
            caught.entry((finding.check, finding.verdict.word())).or_insert((0, words)).0 += 1;
        }
    }
    println!("{mistake:?}: {caught:#?}");
    caught
}

fn assert_caught(mistake: Mistake, by: &[&str]) {
    let caught = caught(mistake, 40);
    for check in by {
        let found = caught.keys().any(|(name, word)| name.contains(check) && *word == "fail");
        assert!(found, "{check} did not catch {mistake:?}");
    }
}

#[test]
fn the_correct_store_passes_every_check() {
    assert_eq!(caught(Mistake::None, 200).len(), 0);
}

#[test]
fn a_stale_read_after_a_failover_is_caught() {
    let by = ["linearizable register", "sequential", "sessions by versions", "sessions by values", "staleness"];
    assert_caught(Mistake::StaleRead, &by);
}

#[test]
fn a_lost_update_is_caught() {
    let by = ["linearizable register", "linearizable list", "sequential", "sessions by values", "convergence", "I3"];
    assert_caught(Mistake::LostUpdate, &by);
}

#[test]
fn a_double_effect_is_caught() {
    assert_caught(Mistake::DoubleEffect, &["linearizable list", "I3"]);
}

#[test]
fn a_compare_and_set_that_is_not_atomic_is_caught() {
    assert_caught(Mistake::CompareThenSet, &["linearizable register", "sequential"]);
}

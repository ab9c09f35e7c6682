//! Explanations of failures: each claim about leaving a fault out or moving it is checked by replays.

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use squall::fault::{Fault, Plan, Trigger};
use squall::internal::explore::{self, CaseRef, Pool, Promise, Reach, explain, investigate};
use squall::internal::run::Outcome;
use squall::internal::sandbox::{EntryPoint, is_zygote};
use squall::prelude::*;
use squall::scenario::Case;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// More than enough time: the explanation must not depend on how busy the machine is.
const PATIENCE: Duration = secs(600);
/// The length of a step of the scenario, which is the resolution of reaches.
const STEP: Duration = millis(10);

async fn serve(cx: HostContext) -> io::Result<()> {
    let listener = cx.listener(80);
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move { stream.write_u8(1).await });
    }
}

async fn ask(cx: &HostContext, server: &str) -> io::Result<u8> {
    cx.connector().connect(server, 80).await?.read_u8().await
}

/// Asks again and again; asks the second server if the first one does not answer.
async fn ask_either(cx: HostContext) {
    loop {
        let operation = cx.recorder().invoke("ask", &());
        match (ask(&cx, "server-1").await, ask(&cx, "server-2").await) {
            (Err(error), Err(_)) => operation.fail(error),
            _ => operation.ok(&()),
        }
        tokio::time::sleep(millis(20)).await;
    }
}

fn somebody_answers(_: &Trace, history: &History) -> Verdict {
    match history.operations.iter().any(|operation| operation.is_fail()) {
        true => Verdict::fail("nobody answered"),
        false => Verdict::Pass,
    }
}

fn either() -> Scenario {
    Scenario::new("either")
        .hosts("server", 2, serve)
        .host("client", ask_either)
        .latency(STEP..STEP)
        .check(somebody_answers)
        .run_for(secs(6))
        .settle_for(secs(1))
}

fn kill(server: &str, at_ms: u64, for_ms: u64) -> Fault {
    fault::kill([server]).at(millis(at_ms)).lasting(millis(for_ms))
}

fn case(faults: Vec<Fault>) -> Case {
    Case { plan: Plan::new(faults), ..Case::new("either", Seed(1)) }
}

type Test = fn(&Pool) -> Result<(), Failed>;

fn main() -> ExitCode {
    if is_zygote() {
        return squall::main([either as fn() -> Scenario]);
    }
    let scenarios: Arc<[Scenario]> = [either()].into();
    let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let pool = Arc::new(Pool::new(scenarios, jobs, EntryPoint::Main, None));
    let tests: [(&str, Test); 3] = [
        ("faults_can_be_moved_as_far_as_reported_and_no_further", reaches_are_true),
        ("two_faults_whose_distance_matters_are_a_pair", pairs),
        ("a_fault_that_is_not_needed_is_reported_as_such", not_needed),
    ];
    let trials = tests.map(|(name, test)| {
        let pool = pool.clone();
        Trial::test(name, move || test(&pool))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn outcome(pool: &Pool, case: &Case) -> Result<Outcome, Failed> {
    Ok(investigate(pool, 0, &CaseRef::Case(Box::new(case.clone())), None)?.outcome)
}

fn why(pool: &Pool, case: &Case) -> Result<(Promise, explore::Why), Failed> {
    let promise = Promise::of(&outcome(pool, case)?).ok_or("it does not fail")?;
    let why = explain(pool, 0, case, &promise, &[], PATIENCE)?;
    Ok((promise, why))
}

fn reaches_are_true(pool: &Pool) -> Result<(), Failed> {
    let faults = vec![kill("server-1", 1_000, 300), kill("server-2", 1_150, 300)];
    let (promise, why) = why(pool, &case(faults.clone()))?;
    for (index, fault) in why.faults.iter().enumerate() {
        assert_eq!(fault.without, Some(explore::CandidateOutcome::Passes));
        let without = faults.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, fault)| fault.clone());
        assert!(outcome(pool, &case(without.collect()))?.verdict.is_pass());
        for (reach, sign) in [(fault.earlier, -1), (fault.later, 1)] {
            let Reach::UpTo(reach) = reach else { return Err(format!("f{}: {reach:?}", index + 1).into()) };
            for (by, is_broken) in [(reach, true), (reach + STEP, false)] {
                let mut moved = faults.clone();
                let at = moved[index].begins_at().unwrap();
                moved[index].trigger = Trigger::At(if sign < 0 { at - by } else { at + by });
                let is = promise.is_broken_by(&outcome(pool, &case(moved))?);
                assert_eq!(is, is_broken, "f{} moved by {sign} * {by:?}", index + 1);
            }
        }
    }
    Ok(())
}

fn pairs(pool: &Pool) -> Result<(), Failed> {
    let faults = vec![kill("server-1", 1_000, 300), kill("server-2", 1_150, 300)];
    let (promise, why) = why(pool, &case(faults.clone()))?;
    let [pair] = why.pairs.as_slice() else { return Err(format!("{:?}", why.pairs).into()) };
    let by = pair.moved_by.ok_or("their distance is not reported to matter")?;
    assert_eq!((pair.first, pair.second, pair.suffices), (0, 1, false));
    for (moved, is_broken) in [(vec![0, 1], true), (vec![0], false), (vec![1], false)] {
        let mut faults = faults.clone();
        for index in &moved {
            faults[*index].trigger = Trigger::At(faults[*index].begins_at().unwrap() + by);
        }
        assert_eq!(promise.is_broken_by(&outcome(pool, &case(faults))?), is_broken, "{moved:?} by {by:?}");
    }
    Ok(())
}

fn not_needed(pool: &Pool) -> Result<(), Failed> {
    let faults = vec![kill("server-1", 1_000, 300), kill("server-2", 1_150, 300), kill("server-1", 4_000, 100)];
    let (_, why) = why(pool, &case(faults))?;
    let without: Vec<_> = why.faults.iter().map(|fault| fault.without.clone()).collect();
    use explore::CandidateOutcome::{Broken, Passes};
    assert_eq!(without, [Some(Passes), Some(Passes), Some(Broken)]);
    assert!(why.pairs.iter().any(|pair| (pair.first, pair.second, pair.suffices) == (0, 1, true)), "{:?}", why.pairs);
    Ok(())
}

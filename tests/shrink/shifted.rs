//! Two faults, of which the first only moves what the second one hits.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;

use libtest_mimic::Failed;
use squall::fault::{Fault, Plan};
use squall::internal::explore::{Bounds, CaseRef, Pool, Shrunk, investigate, shrink};
use squall::internal::sandbox::EntryPoint;
use squall::prelude::*;
use squall::scenario::Case;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

/// The request that must not be answered with a broken connection.
const VULNERABLE: u8 = 20;

/// A client sends numbers and repeats each on another connection, except for one, which takes longer than the others.
pub fn scenario() -> Scenario {
    let server = |cx: HostContext| async move {
        let listener = cx.listener(80);
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                while let Ok(number) = stream.read_u8().await {
                    sleep(if number == VULNERABLE { millis(300) } else { millis(1) }).await;
                    if stream.write_u8(number).await.is_err() {
                        break;
                    }
                }
            });
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    };
    let client = |cx: HostContext| async move {
        let ask = async |number: u8| {
            let mut stream = cx.connector().connect("server", 80).await?;
            stream.write_u8(number).await?;
            stream.read_u8().await
        };
        for number in 0..30 {
            while !matches!(tokio::time::timeout(millis(500), ask(number)).await, Ok(Ok(_))) {
                if number == VULNERABLE {
                    return Err(io::Error::other("the vulnerable request was broken"));
                }
                sleep(millis(50)).await;
            }
            sleep(millis(100)).await;
        }
        io::Result::Ok(())
    };
    Scenario::new("shifted")
        .host("server", server)
        .host("client", client)
        .check(|_: &Trace, _: &History| Verdict::Pass)
        .run_for(secs(30))
        .settle_for(secs(1))
}

/// The first of these second faults that breaks the promise together with the first one, but not without it, and what
/// shrinking makes of both.
fn shrunk(pool: &Pool, index: usize, first: Fault, seconds: impl Iterator<Item = Fault>) -> Result<Shrunk, Failed> {
    let case_of = |faults: Vec<Fault>| Case { plan: Plan::new(faults), ..pool.scenarios()[index].case(Seed(1)) };
    let outcome_of = |case: &Case| investigate(pool, index, &CaseRef::Case(Box::new(case.clone())), None);
    for second in seconds {
        let both = case_of(vec![first.clone(), second.clone()]);
        let outcome = outcome_of(&both)?.outcome;
        if outcome.verdict.is_pass() || !outcome_of(&case_of(vec![second.clone()]))?.outcome.verdict.is_pass() {
            continue;
        }
        let bounds = Bounds { within: secs(60), runs: 2_000 };
        return shrink(pool, index, &both, &outcome, bounds, &mut |_, _| {})?.ok_or_else(|| "it passes".into());
    }
    Err("no second fault breaks the promise".into())
}

pub fn check() -> Result<(), Failed> {
    let scenarios: Arc<[Scenario]> = [scenario()].into();
    // The table of this program has the other scenarios before this one, but a pool finds them by name.
    let pool = Pool::new(scenarios, NonZeroUsize::MIN, EntryPoint::Main, None);
    let pause = || fault::pause("server").at(secs(1)).lasting(secs(10));
    let at = |tenth: u64| fault::kill("server").at(millis(100 * tenth)).lasting(millis(10));
    let nth = |nth| fault::kill("server").at_nth_message("client", "server", "", nth).lasting(millis(10));
    for shrunk in [
        shrunk(&pool, 0, pause(), (110..200).map(at))?,
        // While the server is paused, the client repeats itself, so the vulnerable request is a later message.
        shrunk(&pool, 0, pause(), (22..80).map(nth))?,
        // Nothing is repeated, but the messages are those of a later time.
        shrunk(&pool, 0, fault::hold("client", "server").at(secs(1)).lasting(secs(10)), (110..200).map(at))?,
    ] {
        println!("{:?} in {} runs", shrunk.case.plan, shrunk.runs);
        let [only] = &shrunk.case.plan.faults[..] else { return Err(format!("{:?}", shrunk.case.plan).into()) };
        assert_eq!(only.kind.name(), "kill");
        assert!(shrunk.is_minimal());
    }
    Ok(())
}

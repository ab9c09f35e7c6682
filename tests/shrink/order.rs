//! A promise that the order of two hosts which are due at the same time breaks.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use libtest_mimic::Failed;
use squall::internal::explore::{self, ExploreOptions, Pool, Shrunk};
use squall::internal::sandbox::EntryPoint;
use squall::prelude::*;
use squall::scenario::{Engine, SeededOrder};

/// The tick at which the order may matter, of twenty.
const TICK: usize = 7;

/// Two hosts tick at the same times. The second one fails at one tick: only if it comes first, or always.
fn ticking(name: &str, minds_order: bool) -> Scenario {
    let came: Arc<Mutex<Vec<char>>> = Arc::default();
    let ticks = move |own: char| {
        let came = came.clone();
        move |_: HostContext| {
            let came = came.clone();
            async move {
                let mut ticks = tokio::time::interval(millis(100));
                for tick in 0..20 {
                    ticks.tick().await;
                    let mut came = came.lock().expect("nobody panics");
                    let is_first = came.len().is_multiple_of(2);
                    came.push(own);
                    if own == 'b' && tick == TICK && (is_first || !minds_order) {
                        return Err(io::Error::other("b must not come now"));
                    }
                }
                std::future::pending().await
            }
        }
    };
    Scenario::new(name)
        .engine(Engine::Events)
        .host("a", ticks('a'))
        .host("b", ticks('b'))
        .check(|_: &Trace, _: &History| Verdict::Pass)
        .run_for(secs(5))
        .settle_for(secs(0))
}

pub fn minds() -> Scenario {
    ticking("minds_order", true)
}

pub fn minds_not() -> Scenario {
    ticking("minds_no_order", false)
}

/// What is left of the first failure, its screen, and which seed it has.
fn shrunk(scenario: fn() -> Scenario) -> Result<(Shrunk, Seed), Failed> {
    let pool = Pool::new([scenario()].into(), NonZeroUsize::MIN, EntryPoint::Main, None);
    let options = ExploreOptions {
        shrink_for: secs(60),
        explain_for: secs(0),
        controls: 0,
        case_directory: Some(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("order")),
        ..ExploreOptions::new("0..40".parse()?)
    };
    let exploration = explore::explore(&pool, 0, &options, &mut ())?;
    let failure = exploration.failures.into_iter().next().ok_or("it does not fail")?;
    let seed = failure.case.seed;
    Ok((failure.as_found.ok_or("it was not shrunk")?.shrunk, seed))
}

pub fn check() -> Result<(), Failed> {
    let (shrunk, seed) = shrunk(minds)?;
    let SeededOrder { from, until } = shrunk.case.seeded_order;
    println!("{seed}: from {from:?} until {until:?} in {} runs", shrunk.runs);
    let at = millis(100 * TICK as u64);
    assert_eq!((from, until), (at, at + std::time::Duration::from_nanos(1)));
    // Without the seed's order at that time, the promise is kept.
    let case = squall::scenario::Case { seeded_order: SeededOrder::NEVER, ..shrunk.case.clone() };
    let pool = Pool::new([minds()].into(), NonZeroUsize::MIN, EntryPoint::Main, None);
    let replay = explore::investigate(&pool, 0, &explore::CaseRef::Case(Box::new(case)), None)?;
    assert!(replay.outcome.verdict.is_pass(), "{}", replay.outcome.verdict);
    let json = serde_json::to_string(&shrunk.case)?;
    assert_eq!(serde_json::from_str::<squall::scenario::Case>(&json)?, shrunk.case, "{json}");
    Ok(())
}

pub fn check_any_order() -> Result<(), Failed> {
    let (shrunk, seed) = shrunk(minds_not)?;
    assert_eq!((seed, shrunk.case.seeded_order), (Seed(0), SeededOrder::NEVER));
    Ok(())
}

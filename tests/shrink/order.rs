//! A promise that the order of two hosts which are due at the same time breaks.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use libtest_mimic::Failed;
use squall::internal::explore::{self, Pool};
use squall::internal::sandbox::EntryPoint;
use squall::prelude::*;
use squall::scenario::{Engine, SeededOrder};

use super::shrunk;

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

pub fn check() -> Result<(), Failed> {
    let shrunk = shrunk(minds(), 1, 2_000)?;
    let SeededOrder { from, until } = shrunk.case.seeded_order;
    println!("from {from:?} until {until:?} in {} runs", shrunk.runs);
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
    let shrunk = shrunk(minds_not(), 1, 2_000)?;
    assert_eq!((shrunk.case.seed, shrunk.case.seeded_order), (Seed(0), SeededOrder::NEVER));
    Ok(())
}

//! Timelines of pinned seeds, for review: they change only when the behaviour of the shop or the simulator changes.
//! `cargo insta review` shows and accepts changes; without it, `INSTA_UPDATE=always cargo test --test snapshots`
//! accepts.

#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use scenarios::*;
use squall::internal::explore::{CaseRef, Pool, investigate};
use squall::internal::report::{TimelineOptions, timeline};
use squall::internal::sandbox::{EntryPoint, is_zygote};
use squall::prelude::*;
use squall::scenario::Engine;

/// The pinned seed of each scenario.
const PINNED: [(fn() -> Scenario, u64); 9] = [
    (timeouts::scenario, 3),
    (retries::scenario, 5),
    (health_checks::scenario, 2),
    (stateless_restarts::scenario, 1),
    (partitions::scenario, 4),
    (durability::scenario, 2),
    (bad_disks::scenario, 1),
    (linearizable::scenario, 1),
    (lost_answers::scenario, 1),
];

/// The most lines of a snapshot, including its plan, so that it stays short enough to review.
const LINES: usize = 110;

fn main() -> ExitCode {
    if is_zygote() {
        return squall::main(PINNED.map(|(scenario, _)| scenario));
    }
    let scenarios: Arc<[Scenario]> = PINNED.iter().map(|(scenario, _)| scenario()).collect();
    let trials = [Engine::Turmoil, Engine::Events].into_iter().filter(|engine| runs_here(*engine));
    let trials = trials.flat_map(|engine| trials_on(engine, &scenarios)).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn runs_here(engine: Engine) -> bool {
    engine != Engine::Events || cfg!(target_os = "linux")
}

/// The timelines on this engine; those of events are in a folder of their own.
fn trials_on(engine: Engine, scenarios: &Arc<[Scenario]>) -> Vec<Trial> {
    let pool = Arc::new(Pool::new(scenarios.clone(), NonZeroUsize::MIN, EntryPoint::Main, None).on(Some(engine)));
    let (prefix, flag, folder) = match engine {
        Engine::Turmoil => ("", "", "../snapshots"),
        Engine::Events => ("events::", " --engine events", "../snapshots/events"),
    };
    let trial = |(index, scenario): (usize, &Scenario)| {
        let (pool, name, seed) = (pool.clone(), scenario.name().to_owned(), Seed(PINNED[index].1));
        Trial::test(format!("{prefix}{name}"), move || {
            let run = investigate(&pool, index, &CaseRef::Seed(seed), None).map_err(|error| error.to_string())?;
            let command = format!("cargo sims replay {name} --seed {seed}{flag}");
            let recording = run.recording.ok_or(format!("the run died without a recording; run `{command}`"))?;
            let plan: String = recording.case.plan.faults.iter().map(|fault| format!("{fault}\n")).collect();
            let options =
                TimelineOptions { max_lines: LINES - recording.case.plan.faults.len(), ..TimelineOptions::default() };
            let text = format!("{plan}{}", timeline(&recording, &options));
            assert!(text.lines().count() < 120, "too long to review: {} lines", text.lines().count());
            let mut settings = insta::Settings::clone_current();
            settings.set_snapshot_path(folder);
            settings.set_prepend_module_to_snapshot(false);
            settings.set_omit_expression(true);
            settings.bind(|| insta::assert_snapshot!(format!("{name}-{seed}"), text));
            Ok(())
        })
    };
    scenarios.iter().enumerate().map(trial).collect()
}

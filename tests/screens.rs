//! The screens of failures of every kind, without colours.
//! `cargo insta review` shows and accepts changes; without it, `INSTA_UPDATE=always cargo test --test screens` accepts.

#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;
#[path = "screens/table.rs"]
mod table;

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::durability;
use squall::internal::explore::{self, ExploreOptions, Pool, Repeat};
use squall::internal::report::{ScreenStyle, screen};
use squall::internal::sandbox::{EntryPoint, is_zygote};
use squall::prelude::*;

fn acknowledges_before_sync() -> Scenario {
    let setup = shop::simulated::Setup::changed(|setup| setup.store.durability = redb::Durability::None);
    durability::with(setup).renamed("acknowledges_before_sync")
}

const FAILING: [fn() -> Scenario; 9] = [
    table::refused,
    table::slow,
    table::both,
    table::hopeless,
    table::panics,
    table::aborts,
    table::spins,
    table::fails,
    acknowledges_before_sync,
];

/// The width of a screen.
const COLUMNS: usize = 100;
/// The largest number of lines of a screen.
const LINES: usize = 48;

fn main() -> ExitCode {
    if is_zygote() || std::env::args().nth(1).as_deref() == Some("cli") {
        return squall::main(FAILING);
    }
    let scenarios: Arc<[Scenario]> = FAILING.iter().map(|scenario| scenario()).collect();
    let pool = Arc::new(Pool::new(scenarios.clone(), NonZeroUsize::MIN, EntryPoint::Main, None));
    let trial = |(index, scenario): (usize, &Scenario)| {
        let (pool, name) = (pool.clone(), scenario.name().to_owned());
        Trial::test(name.clone(), move || one(&pool, index, &name))
    };
    let mut trials: Vec<Trial> = scenarios.iter().enumerate().map(trial).collect();
    trials.push(Trial::test("colours_change_no_words", move || colours(&pool)));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn options(name: &str) -> Result<ExploreOptions, Failed> {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("screens").join(name);
    // Enough time on a busy machine, as the result must not depend on that.
    Ok(ExploreOptions {
        case_directory: Some(directory),
        controls: 0,
        shrink_for: secs(600),
        explain_for: secs(600),
        ..ExploreOptions::new("0..20".parse()?)
    })
}

fn one(pool: &Pool, index: usize, name: &str) -> Result<(), Failed> {
    let exploration = explore::explore(pool, index, &options(name)?, &mut ())?;
    let failure = exploration.failures.first().ok_or("it does not fail")?;
    assert!(matches!(failure.repeat, Repeat::Same), "it is deterministic");
    let path = failure.saved.as_ref().map_err(ToString::to_string)?.as_ref().ok_or("it was not saved")?;
    let replay = format!("cargo sims replay {}", path.display());
    let text = screen(failure, &replay, Some(&exploration), ScreenStyle::default());
    for line in text.lines().filter(|line| !line.contains("cargo sims") && !line.contains("target/")) {
        assert!(line.chars().count() <= COLUMNS, "{} columns: {line}", line.chars().count());
    }
    assert!(text.lines().count() <= LINES, "{} lines:\n{text}", text.lines().count());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // Text that differs between machines or builds is left out.
    let text = without(&text, env!("CARGO_TARGET_TMPDIR"));
    let text: Vec<String> = text.lines().map(plain).collect();
    settings.bind(|| insta::assert_snapshot!(format!("screen-{name}"), text.join("\n")));
    Ok(())
}

fn without(text: &str, directory: &str) -> String {
    text.replace(directory, "target/tmp")
}

/// A line without wall-clock times, numbers of runs and digests.
fn plain(line: &str) -> String {
    if let Some((before, rest)) = line.split_once(" (")
        && rest.contains(" runs, ")
    {
        return format!("{before} (… runs)");
    }
    match line.split_once("fingerprint ") {
        Some((before, _)) => format!("{before}fingerprint …"),
        None => line.to_owned(),
    }
}

fn colours(pool: &Pool) -> Result<(), Failed> {
    let exploration = explore::explore(pool, 0, &options("colours")?, &mut ())?;
    let failure = exploration.failures.first().ok_or("it does not fail")?;
    let drawn = |colours| screen(failure, "cargo sims replay x", None, ScreenStyle { colours });
    let coloured = drawn(true);
    assert!(coloured.contains("\u{1b}[1m"), "there are colours");
    assert!(!drawn(false).contains('\u{1b}'));
    assert_eq!(console::strip_ansi_codes(&coloured), drawn(false));
    Ok(())
}

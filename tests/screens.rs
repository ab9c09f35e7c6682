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
use scenarios::{durability, retries};
use shop::client_config::Keys;
use squall::internal::explore::{self, ExploreOptions, Pool, Repeat};
use squall::internal::report::{ScreenStyle, screen};
use squall::internal::sandbox::{EntryPoint, is_zygote};
use squall::prelude::*;

fn acknowledges_before_sync() -> Scenario {
    let setup = shop::simulated::Setup::changed(|setup| setup.store.durability = redb::Durability::None);
    durability::with(setup).renamed("acknowledges_before_sync")
}

/// The name says nothing, so that a reader of the snapshot learns from the screen alone what is wrong.
fn orders() -> Scenario {
    let setup = shop::simulated::Setup::changed(|setup| {
        setup.client.keys = Keys::None;
        setup.client.may_be_repeated = |_| true;
        setup.api.requires_key = false;
    });
    retries::with(setup).renamed("orders")
}

const FAILING: [fn() -> Scenario; 10] = [
    table::refused,
    table::slow,
    table::both,
    table::hopeless,
    table::panics,
    table::aborts,
    table::spins,
    table::fails,
    acknowledges_before_sync,
    orders,
];

/// The width of a screen.
const COLUMNS: usize = 100;
/// A narrow and a wide terminal.
const OTHER_WIDTHS: [usize; 2] = [80, 140];
/// The screens whose snapshots are kept in these widths, too.
const IN_ALL_WIDTHS: [&str; 2] = ["panics", "acknowledges_before_sync"];
/// The largest number of lines of a screen.
const LINES: usize = 52;

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
    let drawn = |columns| {
        let style = ScreenStyle { columns, ..ScreenStyle::default() };
        let text = screen(failure, &replay, Some(&exploration), style);
        for line in text.lines().filter(|line| !line.contains("cargo sims") && !line.contains("target/")) {
            assert!(line.chars().count() <= columns, "{} of {columns} columns: {line}", line.chars().count());
            let is_broken = line.ends_with('…') && !line.ends_with(" …");
            assert!(!is_broken, "a word is broken: {line}");
        }
        assert!(
            text.lines().count() <= LINES * COLUMNS / columns.min(COLUMNS),
            "{} lines:\n{text}",
            text.lines().count()
        );
        text
    };
    let text = drawn(COLUMNS);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // Text that differs between machines or builds is left out.
    let stable = |text: &str| {
        let text = without(text, env!("CARGO_TARGET_TMPDIR"));
        text.lines().map(plain).collect::<Vec<String>>().join("\n")
    };
    settings.bind(|| insta::assert_snapshot!(format!("screen-{name}"), stable(&text)));
    for columns in OTHER_WIDTHS {
        let text = drawn(columns);
        if IN_ALL_WIDTHS.contains(&name) {
            settings.bind(|| insta::assert_snapshot!(format!("screen-{name}-{columns}"), stable(&text)));
        }
    }
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
    // On a narrow screen, the digest has a line of its own.
    let is_digest = |word: &&str| word.len() == 32 && word.chars().all(|c| c.is_ascii_hexdigit());
    match line.split(' ').find(is_digest) {
        Some(digest) => line.replace(digest, "…"),
        None => line.to_owned(),
    }
}

fn colours(pool: &Pool) -> Result<(), Failed> {
    let exploration = explore::explore(pool, 0, &options("colours")?, &mut ())?;
    let failure = exploration.failures.first().ok_or("it does not fail")?;
    let drawn =
        |colours| screen(failure, "cargo sims replay x", None, ScreenStyle { colours, ..ScreenStyle::default() });
    let coloured = drawn(true);
    assert!(coloured.contains("\u{1b}[1m"), "there are colours");
    assert!(!drawn(false).contains('\u{1b}'));
    assert_eq!(console::strip_ansi_codes(&coloured), drawn(false));
    Ok(())
}

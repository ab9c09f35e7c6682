//! Reports of failing runs: the page in a browser, the capture in Wireshark's tools, and what a job of a continuous
//! integration reads.
//!
//! This executable is itself a table of scenarios: with `cli` as its first argument it acts as a user's program.

#[path = "reports/browser.rs"]
mod browser;
#[path = "reports/captures.rs"]
mod captures;
#[path = "reports/jobs.rs"]
mod jobs;
#[path = "reports/orders.rs"]
mod orders;
#[path = "reports/overviews.rs"]
mod overviews;
#[path = "reports/pages.rs"]
mod pages;
#[path = "../sims/scenarios.rs"]
mod scenarios;
#[path = "../sims/shop/mod.rs"]
mod shop;
// Only some of its systems are reported here.
#[allow(dead_code)]
#[path = "screens/table.rs"]
mod table;
#[path = "reports/trace_events.rs"]
mod trace_events;
#[path = "support/trial.rs"]
mod trial;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::Arguments;
use scenarios::{durability, linearizable, protocols, retries};
use squall::prelude::*;
use trial::trial;

/// Clients of HTTP, kills, and a promise that breaks because the store acknowledges before it syncs.
fn acknowledges_before_sync() -> Scenario {
    let setup = shop::simulated::Setup::changed(|setup| setup.store.durability = redb::Durability::None);
    durability::with(setup).renamed("acknowledges_before_sync")
}

/// The retries of the shop over links that lose segments; no promise is broken.
fn lossy() -> Scenario {
    retries::scenario().renamed("lossy")
}

/// Clients that read and write a few keys of a store that acknowledges before it syncs, so that no order explains what they
/// see.
fn forgets() -> Scenario {
    let durability = redb::Durability::None;
    linearizable::with(shop::store::Config { durability, ..shop::store::Config::default() }).renamed("forgets")
}

const TABLE: [fn() -> Scenario; 8] = [
    table::refused,
    table::slow,
    table::aborts,
    acknowledges_before_sync,
    lossy,
    protocols::scenario,
    forgets,
    captures::packets,
];

fn main() -> ExitCode {
    if squall::internal::sandbox::is_zygote() || std::env::args().nth(1).as_deref() == Some("cli") {
        return squall::main_with_mistakes(TABLE, overviews::MISTAKES);
    }
    let tests: [(&str, fn()); 24] = [
        ("a_failure_has_a_page_beside_its_case", pages::a_failure_has_a_page_beside_its_case),
        ("a_page_leads_from_the_promise_to_the_event", pages::a_page_leads_from_the_promise_to_the_event),
        ("a_page_filters_zooms_and_searches", pages::a_page_filters_zooms_and_searches),
        ("an_address_holds_the_view", pages::an_address_holds_the_view),
        ("of_fifty_thousand_messages_a_frame_draws_few", pages::of_fifty_thousand_messages_a_frame_draws_few),
        ("a_page_costs_little", pages::a_page_costs_little),
        ("a_run_that_died_has_a_page", pages::a_run_that_died_has_a_page),
        ("an_error_of_a_page_is_noticed", pages::an_error_of_a_page_is_noticed),
        ("a_page_shows_a_history_that_no_order_explains", orders::a_page_shows_a_history_that_no_order_explains),
        ("a_bar_leads_to_its_moment", orders::a_bar_leads_to_its_moment),
        ("an_overview_shows_an_exploration", overviews::an_overview_shows_an_exploration),
        ("latencies_are_those_of_the_runs", overviews::latencies_are_those_of_the_runs),
        ("shards_have_the_overview_of_the_whole", overviews::shards_have_the_overview_of_the_whole),
        ("a_hunt_has_a_page", overviews::a_hunt_has_a_page),
        ("a_capture_has_what_the_trace_has", captures::a_capture_has_what_the_trace_has),
        ("a_capture_has_datagrams_and_both_versions_of_ip", captures::a_capture_has_datagrams_and_both_versions_of_ip),
        ("a_damaged_capture_is_noticed", captures::a_damaged_capture_is_noticed),
        ("a_capture_is_written_beside_the_page", captures::a_capture_is_written_beside_the_page),
        ("a_trace_keeps_the_rules_of_its_format", trace_events::a_trace_keeps_the_rules_of_its_format),
        ("a_trace_has_what_the_run_has", trace_events::a_trace_has_what_the_run_has),
        ("a_trace_is_written_beside_the_page", trace_events::a_trace_is_written_beside_the_page),
        ("a_job_gets_junit_and_markdown", jobs::a_job_gets_junit_and_markdown),
        ("kept_cases_are_in_the_junit_file", jobs::kept_cases_are_in_the_junit_file),
        ("tools_get_a_json_object_in_each_line", jobs::tools_get_a_json_object_in_each_line),
    ];
    let trials = tests.map(|(name, test)| trial(name, test));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// The directory of a test's files, empty at first.
fn directory(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reports").join(name);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(directory.join("target")).unwrap();
    directory
}

/// Runs the command line in a directory that stands for a user's project.
fn cli(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("CARGO_MANIFEST_DIR", directory).current_dir(directory);
    command.env_remove("CARGO_TARGET_DIR").env_remove("SQUALL_SEEDS").env_remove("GITHUB_ACTIONS");
    command.arg("cli").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Explores a scenario of the table until it fails, without shrinking, and returns the output and the case file.
fn failing(directory: &Path, scenario: &str) -> (String, PathBuf) {
    let arguments = ["explore", scenario, "--seeds", "0..40", "--shrink-for", "0", "--explain-for", "0"];
    let output = stdout(&cli(directory, &arguments));
    let line = output.lines().find_map(|line| line.strip_prefix("case: "));
    let case_file = line.unwrap_or_else(|| panic!("{scenario} does not fail:\n{output}")).to_owned();
    (output, directory.join(case_file))
}

/// Says loudly that a program is missing, so that a part of the tests is not run.
fn skip(program: &str) {
    println!("SKIPPED: {program} is not installed, so this test checks nothing of what needs it");
    eprintln!("SKIPPED: {program} is not installed, so this test checks nothing of what needs it");
}

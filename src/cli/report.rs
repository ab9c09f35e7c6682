//! `cargo sims report`: writes the page of a case, and on request a capture of its network.

use std::sync::Arc;

use super::arguments::Report;
use crate::scenario::Scenario;

/// Runs a case, writes what was asked for, and returns 0 once it is written, whether or not the case passes.
#[cfg(feature = "report")]
pub(super) fn run(scenarios: Arc<[Scenario]>, arguments: &Report) -> Result<u8, String> {
    use super::environment::processors;
    use super::replay::compare;
    use super::terminal::say;
    use crate::case_file::CaseFile;
    use crate::explore::{self, CaseRef, Pool};
    use crate::report::{capture, page, trace_events};
    use crate::sandbox::EntryPoint;

    let file = CaseFile::load(&arguments.file).map_err(|error| error.to_string())?;
    let index = file.scenario_in(&arguments.file, &scenarios).map_err(|error| error.to_string())?;
    let pool = Pool::new(scenarios, processors(), EntryPoint::Main, arguments.hang_after);
    let case_ref = CaseRef::Case(Box::new(file.case.clone()));
    let failure = explore::investigate(&pool, index, &case_ref, None).map_err(|error| error.to_string())?;
    let scenario = &pool.scenarios()[index];
    say(&compare(&file, &arguments.file, scenario, &failure));
    let place = match &arguments.out {
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
            directory.join(arguments.file.file_name().unwrap_or_default())
        }
        None => arguments.file.clone(),
    };
    let replay = format!("cargo sims replay {}", arguments.file.display());
    let page = page(&failure, &scenario.topology(), &replay).ok_or("the run died without a trace: no report")?;
    let path = place.with_extension("html");
    write("report", &path, page.as_bytes())?;
    if arguments.pcap {
        let recording = explore::record_bytes(&pool, index, &case_ref).map_err(|error| error.to_string())?;
        let recording = recording.ok_or("the run died without a trace: no capture")?;
        write("capture", &place.with_extension("pcapng"), &capture(&recording))?;
    }
    if arguments.trace_json {
        let recording = failure.recording.as_deref().ok_or("the run died without a trace: nothing to show")?;
        let events = trace_events(recording, &scenario.topology());
        write("trace", &place.with_extension("trace.json"), events.as_bytes())?;
    }
    if arguments.open {
        open(&path)?;
    }
    Ok(0)
}

#[cfg(not(feature = "report"))]
pub(super) fn run(_: Arc<[Scenario]>, _: &Report) -> Result<u8, String> {
    Err(super::environment::WITHOUT_REPORTS.to_owned())
}

#[cfg(feature = "report")]
fn write(what: &str, path: &std::path::Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    super::terminal::say(&format!("{what}: {}\n", path.display()));
    Ok(())
}

/// Opens a file with the program that the desktop uses for it.
#[cfg(feature = "report")]
fn open(path: &std::path::Path) -> Result<(), String> {
    use std::process::{Command, Stdio};

    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = Command::new(program).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    started.map(|_| ()).map_err(|error| format!("{program} {}: {error}", path.display()))
}

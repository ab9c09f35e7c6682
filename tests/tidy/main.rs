//! House rules: which modules may use which, how every file begins, and what simulated code must not use.

mod cycles;
mod imports;
mod known;
mod outline;
mod planted;

use std::fs;
use std::path::{Path, PathBuf};

use cycles::{cycles, shortest_path};
use imports::{Sources, imports};
use known::KNOWN;

/// The modules from the bottom up: each may use only itself and those before it.
const ORDER: [&str; 18] = [
    "seed",
    "sandbox",
    "fault",
    "trace",
    "alive",
    "trigger_point",
    "history",
    "net",
    "disk",
    "host",
    "world",
    "check",
    "scenario",
    "run",
    "case_file",
    "explore",
    "report",
    "cli",
];

/// The permitted exceptions to the order, each with its reason.
const EXCEPTIONS: [(&str, &str); 1] = [
    // A topology identifies hosts by the trace's `HostId`.
    ("fault", "trace"),
];

fn files_below(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // The foreign crate has its own target directory and rules.
            if !path.ends_with("target") && !path.ends_with("foreign") {
                files_below(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn files(directories: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in directories {
        if root.join(directory).is_dir() {
            files_below(&root.join(directory), &mut files);
        }
    }
    files.sort();
    files
        .into_iter()
        .map(|path| (path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// The top-level module that a file of `src` belongs to.
fn module_of(path: &Path) -> String {
    let below = path.strip_prefix("src").unwrap();
    let first = below.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The text of a file without its unit tests and comment lines.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_file_starts_with_a_header() {
    let bad: Vec<_> = files(&["src", "sims", "tests", "benches", "examples"])
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(bad.is_empty(), "start each of these files with a `//! ` line that says what it owns: {bad:?}");
}

#[test]
fn modules_use_only_modules_below_them() {
    let mut bad = Vec::new();
    for (path, text) in files(&["src"]) {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let own = ORDER.iter().position(|name| *name == module);
        let own =
            own.unwrap_or_else(|| panic!("{} belongs to no module in ORDER; add its module there", path.display()));
        for used in code_of(&text).split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(place) = ORDER.iter().position(|name| *name == used) else { continue };
            if place > own && !EXCEPTIONS.contains(&(module.as_str(), used.as_str())) {
                bad.push(format!("{} uses {used}, which is above it in ORDER", path.display()));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn files_have_no_import_cycles() {
    let sources = files(&["src", "sims/shop"]);
    let sources: Sources =
        sources.into_iter().map(|(path, text)| (path.to_str().unwrap().replace('\\', "/"), text)).collect();
    let mut graph = imports("src/lib.rs", &sources);
    graph.extend(imports("sims/shop/mod.rs", &sources));

    let mut obsolete = Vec::new();
    for known @ (from, to) in KNOWN {
        if !graph.get_mut(*from).is_some_and(|imported| imported.remove(*to)) {
            obsolete.push(known);
        }
    }
    obsolete.extend(KNOWN.iter().filter(|(from, to)| shortest_path(&graph, to, from).is_none()));
    let cycles: Vec<_> = cycles(&graph).iter().map(|cycle| cycle.join(" -> ")).collect();
    assert!(cycles.is_empty(), "break these import cycles: {cycles:#?}");
    assert!(obsolete.is_empty(), "these imports no longer close a cycle, remove them from KNOWN: {obsolete:#?}");
}

#[test]
fn the_simulated_core_has_no_source_of_randomness() {
    let mut bad = Vec::new();
    for (path, text) in files(&["src"]) {
        let module = module_of(&path);
        // The sandbox provides virtual time, and the front end (explore, cli, report) runs in real time.
        if ["sandbox", "explore", "cli", "report", "lib", "case_file"].contains(&module.as_str()) {
            continue;
        }
        for forbidden in ["HashMap", "HashSet", "SystemTime::now", "std::time::Instant", "thread_rng", "std::thread"] {
            if code_of(&text).contains(forbidden) {
                bad.push(format!("{} uses {forbidden}, which simulated code must not", path.display()));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn the_library_does_not_use_the_shop() {
    for (path, text) in files(&["src"]) {
        assert!(
            !code_of(&text).contains("sims::") && !code_of(&text).contains("shop::"),
            "{} uses the shop",
            path.display()
        );
    }
}

#[test]
fn only_the_sandbox_has_unsafe_code() {
    for (path, text) in files(&["src"]) {
        if module_of(&path) != "sandbox" {
            assert!(!code_of(&text).contains("unsafe "), "move the unsafe code of {} into src/sandbox", path.display());
        }
    }
}

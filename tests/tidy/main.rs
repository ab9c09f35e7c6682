//! House rules: which module may use which, how every file begins, and what simulated code must not use.

mod cycles;
mod how_to_add;
mod imports;
mod known;
mod outline;
mod planted;

use std::fs;
use std::path::{Path, PathBuf};

use cycles::{cycles, shortest_path};
use imports::{Sources, imports};
use known::KNOWN;

/// The modules from the bottom up. Each may use only itself and those before it.
const ORDER: [&str; 19] = [
    "seed",
    "sandbox",
    "fault",
    "trace",
    "alive",
    "trigger_point",
    "history",
    "net",
    "descriptors",
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

/// Intended violations of the order, with the reason.
const EXCEPTIONS: [(&str, &str); 1] = [
    // A topology identifies hosts by `HostId`, which the trace owns.
    ("fault", "trace"),
];

fn files_below(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // The foreign crate has its own target folder and its own rules.
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

/// The part of a file that ships: without its tests and comments.
fn shipped(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_file_begins_with_a_doc_comment() {
    let bad: Vec<_> = files(&["src", "sims", "tests", "benches", "examples"])
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(bad.is_empty(), "these files do not begin with `//! `; add a line that says what the file owns: {bad:?}");
}

#[test]
fn modules_use_only_those_before_them() {
    let mut bad = Vec::new();
    for (path, text) in files(&["src"]) {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let own = ORDER.iter().position(|name| *name == module);
        let own =
            own.unwrap_or_else(|| panic!("{} belongs to no module of ORDER: add the module there", path.display()));
        for used in shipped(&text).split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(place) = ORDER.iter().position(|name| *name == used) else { continue };
            if place > own && !EXCEPTIONS.contains(&(module.as_str(), used.as_str())) {
                bad.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(bad.is_empty(), "these use a module that comes after their own in ORDER: {bad:#?}");
}

#[test]
fn no_files_import_each_other_in_a_cycle() {
    let sources = files(&["src", "sims/shop"]);
    let sources: Sources =
        sources.into_iter().map(|(path, text)| (path.to_str().unwrap().replace('\\', "/"), text)).collect();
    let mut graph = imports("src/lib.rs", &sources);
    graph.extend(imports("sims/shop/mod.rs", &sources));

    let mut unneeded = Vec::new();
    for known @ (from, to) in KNOWN {
        if !graph.get_mut(*from).is_some_and(|imported| imported.remove(*to)) {
            unneeded.push(known);
        }
    }
    unneeded.extend(KNOWN.iter().filter(|(from, to)| shortest_path(&graph, to, from).is_none()));
    let cycles: Vec<_> = cycles(&graph).iter().map(|cycle| cycle.join(" -> ")).collect();
    assert!(cycles.is_empty(), "these files import each other in a cycle: {cycles:#?}");
    assert!(unneeded.is_empty(), "these exceptions are no longer needed; remove them from KNOWN: {unneeded:#?}");
}

#[test]
fn the_simulated_core_is_deterministic() {
    let mut bad = Vec::new();
    for (path, text) in files(&["src"]) {
        let module = module_of(&path);
        // The sandbox implements virtual time, and the supervisor's modules run in real time.
        if ["sandbox", "explore", "cli", "report", "lib", "case_file"].contains(&module.as_str()) {
            continue;
        }
        for forbidden in ["HashMap", "HashSet", "SystemTime::now", "std::time::Instant", "thread_rng", "std::thread"] {
            if shipped(&text).contains(forbidden) {
                bad.push(format!("{} has {forbidden}", path.display()));
            }
        }
    }
    assert!(bad.is_empty(), "simulated code must not use these: {bad:#?}");
}

#[test]
fn the_library_does_not_depend_on_the_shop() {
    for (path, text) in files(&["src"]) {
        assert!(!shipped(&text).contains("sims::") && !shipped(&text).contains("shop::"), "{}", path.display());
    }
}

#[test]
fn only_the_sandbox_has_unsafe_code() {
    for (path, text) in files(&["src"]) {
        if module_of(&path) != "sandbox" {
            assert!(!shipped(&text).contains("unsafe "), "{}", path.display());
        }
    }
}

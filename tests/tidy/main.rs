//! House rules: which module may use which, what every file begins with, and what simulated code must not touch.

mod circles;
mod how_to_add;
mod imports;
mod known;
mod outline;
mod planted;

use std::fs;
use std::path::{Path, PathBuf};

use circles::{circles, way};
use imports::{Sources, imports};
use known::KNOWN;

/// The modules from the bottom up: each may use only those before it (and itself).
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

/// Uses against the order that are meant, with the reason.
const EXCEPTIONS: [(&str, &str); 1] = [
    // A topology names hosts as the trace does; the two were one module otherwise.
    ("fault", "trace"),
];

fn files_below(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // The foreign crate has a target folder and rules of its own.
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
fn every_file_says_first_what_it_is() {
    let bad: Vec<_> = files(&["src", "sims", "tests", "benches", "examples"])
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(bad.is_empty(), "these do not begin with `//! `: {bad:?}");
}

#[test]
fn modules_use_only_what_is_below_them() {
    let mut bad = Vec::new();
    for (path, text) in files(&["src"]) {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let own = ORDER.iter().position(|name| *name == module);
        let own = own.unwrap_or_else(|| panic!("{} belongs to no module of the order", path.display()));
        for used in shipped(&text).split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(place) = ORDER.iter().position(|name| *name == used) else { continue };
            if place > own && !EXCEPTIONS.contains(&(module.as_str(), used.as_str())) {
                bad.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = files(&["src", "sims/shop"]);
    let sources: Sources =
        sources.into_iter().map(|(path, text)| (path.to_str().unwrap().replace('\\', "/"), text)).collect();
    let mut graph = imports("src/lib.rs", &sources);
    graph.extend(imports("sims/shop/mod.rs", &sources));

    let mut needless = Vec::new();
    for known @ (from, to) in KNOWN {
        if !graph.get_mut(*from).is_some_and(|imported| imported.remove(*to)) {
            needless.push(known);
        }
    }
    needless.extend(KNOWN.iter().filter(|(from, to)| way(&graph, to, from).is_none()));
    let circles: Vec<_> = circles(&graph).iter().map(|circle| circle.join(" -> ")).collect();
    assert!(circles.is_empty(), "these import each other in a circle: {circles:#?}");
    assert!(needless.is_empty(), "these need no exception any more: {needless:#?}");
}

#[test]
fn the_simulated_core_has_no_source_of_chance() {
    let mut bad = Vec::new();
    for (path, text) in files(&["src"]) {
        let module = module_of(&path);
        // The sandbox makes time, and the front half (explore, cli, report) lives in real time.
        if ["sandbox", "explore", "cli", "report", "lib", "case_file"].contains(&module.as_str()) {
            continue;
        }
        for forbidden in ["HashMap", "HashSet", "SystemTime::now", "std::time::Instant", "thread_rng", "std::thread"] {
            if shipped(&text).contains(forbidden) {
                bad.push(format!("{} has {forbidden}", path.display()));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn the_library_knows_nothing_of_the_shop() {
    for (path, text) in files(&["src"]) {
        assert!(!shipped(&text).contains("sims::") && !shipped(&text).contains("shop::"), "{}", path.display());
    }
}

#[test]
fn unsafe_code_lives_in_the_sandbox() {
    for (path, text) in files(&["src"]) {
        if module_of(&path) != "sandbox" {
            assert!(!shipped(&text).contains("unsafe "), "{}", path.display());
        }
    }
}

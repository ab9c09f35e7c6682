//! The lists of ARCHITECTURE.md, "How to add", are true: a kind of fault, a check and a subcommand are named in the files
//! that are listed there, and in no others.

use std::collections::BTreeSet;

use super::{files, shipped};

/// The files that the section lists for one thing, with `NAME` in place of the file's name.
fn listed(thing: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## How to add\n").nth(1).expect("the section is there").split("\n## ").next().unwrap();
    let part = section.split("\nA **").find(|part| part.starts_with(thing)).expect("the thing is there");
    part.split("\n- `").skip(1).map(|item| item.split('`').next().unwrap().to_owned()).collect()
}

/// The sources that ship, by path.
fn sources() -> Vec<(String, String)> {
    files(&["src"]).into_iter().map(|(path, text)| (path.display().to_string(), shipped(&text))).collect()
}

fn text_of<'a>(sources: &'a [(String, String)], wanted: &str) -> &'a str {
    &sources.iter().find(|(path, _)| path == wanted).unwrap_or_else(|| panic!("there is no {wanted}")).1
}

/// Whether the text contains this name other than as part of a longer one.
fn names(text: &str, name: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + name.len()..].chars().next());
        !before.is_some_and(is_inside) && !after.is_some_and(is_inside)
    })
}

/// The files that pass; in the path `own`, `NAME` replaces the file's name.
fn files_that(sources: &[(String, String)], own: &str, passes: impl Fn(&str, &str) -> bool) -> BTreeSet<String> {
    let found = sources.iter().filter(|(path, text)| passes(path, text)).map(|(path, _)| path);
    found.map(|path| if path == own { path.replace(&stem(own), "NAME") } else { path.clone() }).collect()
}

fn stem(path: &str) -> String {
    std::path::Path::new(path).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The kinds of faults, as they are listed: file and type.
fn kinds(sources: &[(String, String)]) -> Vec<(String, String)> {
    let list = text_of(sources, "src/fault/kinds/mod.rs").split("\nkinds! {\n").nth(1).expect("the list is there");
    let lines = list.split('}').next().unwrap().lines().map(|line| line.trim().trim_end_matches(','));
    lines.filter_map(|line| line.split_once(' ')).map(|(file, kind)| (file.to_owned(), kind.to_owned())).collect()
}

#[test]
fn a_kind_of_fault_is_named_where_it_is_listed() {
    let (sources, expected) = (sources(), listed("fault kind"));
    let kinds = kinds(&sources);
    assert!(kinds.len() > 30, "{kinds:?}");
    for (file, kind) in &kinds {
        let own = format!("src/fault/kinds/{file}.rs");
        let is_of_kinds = |path: &str| path.starts_with("src/fault/kinds/");
        let found = files_that(&sources, &own, |path, text| match is_of_kinds(path) {
            // Other kinds may refer to it as their simpler form.
            true => path == own || text.contains(&format!("\nmod {file};")),
            false => names(text, &format!("FaultKind::{kind}")) || names(text, &format!("kinds::{kind}")),
        });
        assert_eq!(found, expected, "{kind}");
        let text = text_of(&sources, &own);
        for part in [format!("pub struct {kind} {{"), format!("impl Kind for {kind} {{"), format!("pub fn {file}")] {
            assert!(text.contains(&part), "{own} has no `{part}`");
        }
    }
}

#[test]
fn nobody_passes_over_a_kind_of_fault() {
    let sources = sources();
    for (path, text) in &sources {
        assert!(!text.contains("FaultKind::*") && !text.contains("kinds::*"), "{path} imports all kinds");
        let imports = text.split("kinds::{").skip(1).map(|rest| rest.split('}').next().unwrap());
        let imported: Vec<&str> = imports.flat_map(|names| names.split(',')).map(str::trim).collect();
        for (_, kind) in kinds(&sources) {
            assert!(!imported.contains(&kind.as_str()), "{path} imports {kind}");
        }
    }
    let injection = text_of(&sources, "src/world/injection.rs");
    assert!(!injection.contains("_ =>"), "a match over kinds names each of them");
    let trait_of_kinds = text_of(&sources, "src/fault/kinds/mod.rs").split("trait Kind {\n").nth(1).unwrap();
    let methods = trait_of_kinds.split("\n}\n").next().unwrap();
    assert!(!methods.contains('{'), "no method of a kind has a default");
}

#[test]
fn a_check_is_named_where_it_is_listed() {
    let (sources, expected) = (sources(), listed("check"));
    let mut count = 0;
    let is_of_checks = |path: &str| path.strip_prefix("src/check/").is_some_and(|file| !file.contains('/'));
    for (own, text) in sources.iter().filter(|(path, _)| is_of_checks(path) && path != "src/check/mod.rs") {
        for function in text.split("\npub fn ").skip(1) {
            let signature = function.split(" {\n").next().unwrap();
            if !signature.contains("-> Check") {
                continue;
            }
            let name = function.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            let found = files_that(&sources, own, |_, text| names(text, name));
            assert_eq!(found, expected, "{name}");
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

#[test]
fn a_subcommand_is_named_where_it_is_listed() {
    let (sources, expected) = (sources(), listed("subcommand"));
    let commands = text_of(&sources, "src/cli/commands.rs");
    let dispatch = commands.split("match arguments.command {\n").nth(1).unwrap().split("\n    };").next().unwrap();
    assert!(!dispatch.contains("_ =>"), "the match names every subcommand");
    // Only subcommands with a file of their own are checked.
    let mut count = 0;
    for arm in dispatch.split("Some(").skip(1).filter(|arm| arm.contains("super::")) {
        let command = arm.split(|c: char| !c.is_alphanumeric() && c != ':').next().unwrap();
        let file = arm.split("super::").nth(1).unwrap().split("::").next().unwrap();
        let own = format!("src/cli/{file}.rs");
        let variant = command.strip_prefix("Command::").unwrap();
        let found = files_that(&sources, &own, |path, text| {
            path == own
                || names(text, command)
                || text.contains(&format!("\nmod {file};")) && path.starts_with("src/cli/")
                || text.contains("enum Command {") && names(text, variant)
        });
        assert_eq!(found, expected, "{command}");
        count += 1;
    }
    assert!(count >= 5, "{count}");
}

#[test]
fn every_mistake_is_in_the_table() {
    let sources = files(&["sims/mistakes"]);
    let is_table = |path: &std::path::Path| path.ends_with("mod.rs");
    let table = &sources.iter().find(|(path, _)| is_table(path)).expect("there is a table").1;
    let mistakes: Vec<String> =
        sources.iter().filter(|(path, _)| !is_table(path)).map(|(path, _)| stem(&path.display().to_string())).collect();
    assert!(mistakes.len() > 30, "{mistakes:?}");
    for name in &mistakes {
        for line in [format!("\nmod {name};\n"), format!(" {name}::mistake,\n")] {
            assert!(table.contains(&line), "sims/mistakes/mod.rs has no `{}`", line.trim());
        }
    }
    assert_eq!(listed("mistake").len(), 2, "ARCHITECTURE.md lists the two files");
}

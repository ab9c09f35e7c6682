//! The command as a user calls it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn squall(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// A folder with a package `shop` that has a library.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/lib.rs"), "").unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"shop\"\nedition = \"2024\"\n").unwrap();
    folder
}

#[test]
fn a_project_gets_its_files_once() {
    let project = project();
    let output = squall(project.path(), &["init", "--service", "shop::app()"]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    for file in ["sims/main.rs", "sims/first.rs", ".cargo/config.toml", ".github/workflows/sims.yml"] {
        assert!(said.contains(&format!("writes ./{file}")), "{said}");
        assert!(project.path().join(file).is_file(), "{file}");
    }
    assert!(said.contains("changes ./Cargo.toml"), "{said}");
    let scenario = fs::read_to_string(project.path().join("sims/first.rs")).unwrap();
    assert!(scenario.contains("axum::serve(cx.listener(80), shop::app())") && !scenario.contains("__"), "{scenario}");

    fs::write(project.path().join("sims/first.rs"), "// mine\n").unwrap();
    let said = text(&squall(project.path(), &["init"]));
    assert_eq!(said.matches("leaves").count(), 5, "{said}");
    assert_eq!(fs::read_to_string(project.path().join("sims/first.rs")).unwrap(), "// mine\n");
}

#[test]
fn a_dry_run_shows_and_writes_nothing() {
    let project = project();
    let said = text(&squall(project.path(), &["init", "--kind", "plain", "--dry-run"]));
    assert!(said.contains("async { shop::serve().await }") && said.contains("nothing is written"), "{said}");
    assert!(!project.path().join("sims").exists());
}

#[test]
fn wrong_inputs_say_what_to_do() {
    let project = project();
    let empty = tempfile::tempdir().unwrap();
    let no_library = tempfile::tempdir().unwrap();
    fs::write(no_library.path().join("Cargo.toml"), "[package]\nname = \"a\"\n").unwrap();
    let cases: [(&Path, &[&str], &str); 5] = [
        (empty.path(), &["init"], "make one with `cargo new --lib`"),
        (no_library.path(), &["init"], "move the service there"),
        (project.path(), &["init", "--squall", "nowhere"], "name its folder or its git address"),
        (project.path(), &["init", "--kind", "axun"], "a similar value exists: 'axum'"),
        (project.path(), &["ini"], "a similar subcommand exists: 'init'"),
    ];
    for (folder, arguments, expected) in cases {
        let output = squall(folder, arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(!project.path().join("sims").exists());
}

#[test]
fn a_git_address_is_taken_as_it_is() {
    let project = project();
    let address = "https://example.org/squall.git";
    assert!(squall(project.path(), &["init", "--kind", "tonic", "--squall", address]).status.success());
    let manifest = fs::read_to_string(project.path().join("Cargo.toml")).unwrap();
    assert!(manifest.contains(&format!("squall = {{ git = \"{address}\", features = [\"tonic\"] }}")), "{manifest}");
}

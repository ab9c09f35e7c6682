//! What a project has, what it gets, and the writing of it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::manifest::{Manifest, Source, with_alias};
use crate::templates::{JOB, Kind, TABLE};

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    New,
    Changed,
    AsItWas,
}

/// A file of the project, and what it will hold.
#[derive(Debug)]
pub struct Change {
    pub path: PathBuf,
    pub text: String,
    pub written: Written,
}

/// All that is to be written.
#[derive(Debug)]
pub struct Plan {
    changes: Vec<Change>,
    folder: PathBuf,
    service: String,
}

impl Plan {
    /// Looks at the project in this folder.
    pub fn new(folder: &Path, kind: Kind, service: Option<&str>, squall: &str) -> Result<Plan, String> {
        let path = folder.join("Cargo.toml");
        let text = read(&path)?.ok_or_else(|| {
            format!(
                "{} does not exist; name the folder of a package, or make one with `cargo new --lib`",
                path.display()
            )
        })?;
        let manifest = Manifest::read(&text)?;
        let library = manifest.library_path().unwrap_or("src/lib.rs");
        if !folder.join(library).is_file() {
            return Err(format!(
                "{} does not exist, and a simulation can use only a library; move the service there, and let src/main.rs use it",
                folder.join(library).display()
            ));
        }
        let service = service.map_or_else(|| format!("{}::{}()", manifest.library(), kind.function()), str::to_owned);
        let source = source(squall, folder)?;
        let manifest = manifest.with_simulations(&source, kind.features(), &kind.dependencies())?;
        let config_path = folder.join(".cargo/config.toml");
        let config = read(&config_path)?;
        let alias = with_alias(config.as_deref().unwrap_or_default())?;
        let mut changes = vec![change(path, Some(text), manifest), change(config_path, config, alias)];
        let scenario = kind.scenario().replace("__SERVICE__", &service);
        let files = [("sims/main.rs", TABLE), ("sims/first.rs", &scenario), (".github/workflows/sims.yml", JOB)];
        for (file, text) in files {
            let path = folder.join(file);
            let there = read(&path)?;
            let text = there.clone().unwrap_or_else(|| text.to_owned());
            changes.push(change(path, there, text));
        }
        Ok(Plan { changes, folder: folder.to_owned(), service })
    }

    /// What is to be written, and what stays.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Writes it.
    pub fn write(&self) -> Result<(), String> {
        for change in self.changes.iter().filter(|change| change.written != Written::AsItWas) {
            let error = |error| format!("{} cannot be written: {error}", change.path.display());
            if let Some(folder) = change.path.parent() {
                fs::create_dir_all(folder).map_err(error)?;
            }
            fs::write(&change.path, &change.text).map_err(error)?;
        }
        Ok(())
    }

    /// What to do now.
    pub fn next_steps(&self) -> String {
        let folder = self.folder.display().to_string();
        let go = if folder == "." { String::new() } else { format!("cd {folder} && ") };
        let Plan { service, .. } = self;
        format!(
            "\nThe first scenario runs `{service}`; sims/first.rs says what its users do.\n\
             Now: {go}cargo sims\n\
             Then break the service, and see which case fails: it is in target/squall, and `cargo sims replay FILE` repeats it.\n"
        )
    }
}

/// A folder is named as seen from the project where it was given so; Squall has to be there.
fn source(squall: &str, project: &Path) -> Result<Source, String> {
    let source = Source::new(squall);
    let Source::Folder(folder) = &source else { return Ok(source) };
    let there = fs::canonicalize(folder).ok().filter(|folder| is_squall(folder)).ok_or_else(|| {
        format!("{folder} has no Cargo.toml of Squall; name its folder or its git address with --squall")
    })?;
    let from = fs::canonicalize(project).map_err(|error| format!("{}: {error}", project.display()))?;
    Ok(Source::Folder(relative(&there, &from)))
}

fn is_squall(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"squall\""))
}

/// The path of a folder as seen from another; both are absolute. A sibling's is short; one far away stays absolute.
fn relative(there: &Path, from: &Path) -> String {
    if let Some(parent) = from.parent()
        && let Ok(rest) = there.strip_prefix(parent)
    {
        return format!("../{}", rest.display());
    }
    there.display().to_string()
}

fn change(path: PathBuf, before: Option<String>, text: String) -> Change {
    let written = match before {
        None => Written::New,
        Some(before) if before == text => Written::AsItWas,
        Some(_) => Written::Changed,
    };
    Change { path, text, written }
}

/// The text of a file, if it exists.
fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

//! Changes of a Cargo.toml and of cargo's config that keep what stands there, comments included.

use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, Value, value};

use crate::templates::Dependency;

/// What is known of a project from its Cargo.toml.
#[derive(Debug)]
pub struct Manifest {
    document: DocumentMut,
    package: String,
    library: Option<String>,
}

/// Where Squall is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In this folder.
    Folder(String),
    /// In the git repository at this address.
    Git(String),
}

impl Source {
    /// Reads a folder or an address.
    pub fn new(text: &str) -> Source {
        let is_address = text.contains("://") || text.starts_with("git@");
        if is_address { Source::Git(text.to_owned()) } else { Source::Folder(text.to_owned()) }
    }
}

impl Manifest {
    /// Reads a Cargo.toml.
    pub fn read(text: &str) -> Result<Manifest, String> {
        let document: DocumentMut = text.parse().map_err(|error| format!("Cargo.toml cannot be read: {error}"))?;
        let package = document.get("package").and_then(|package| package.get("name")).and_then(Item::as_str);
        let package = package
            .ok_or("Cargo.toml has no package, only a workspace; name the folder of the package that has the service")?
            .to_owned();
        let library = document.get("lib").and_then(|lib| lib.get("name")).and_then(Item::as_str).map(str::to_owned);
        Ok(Manifest { document, package, library })
    }

    /// The name of the library as code writes it.
    pub fn library(&self) -> String {
        self.library.clone().unwrap_or_else(|| self.package.replace('-', "_"))
    }

    /// The path of the library's file, if Cargo.toml says it.
    pub fn library_path(&self) -> Option<&str> {
        self.document.get("lib")?.get("path")?.as_str()
    }

    /// Whether the project itself depends on this, with these features. What is optional or a workspace's is not known to be there.
    fn has(&self, dependency: &Dependency) -> bool {
        let Some(item) = self.document.get("dependencies").and_then(|table| table.get(dependency.name)) else {
            return false;
        };
        let is_set = |key: &str| item.get(key).and_then(Item::as_bool) == Some(true);
        let features = item.get("features").and_then(Item::as_array);
        let is_there = |wanted: &&str| {
            features.is_some_and(|features| features.iter().any(|there| there.as_str() == Some(*wanted)))
        };
        !is_set("optional") && !is_set("workspace") && dependency.features.iter().all(|wanted| is_there(&wanted))
    }

    /// The Cargo.toml with Squall, these dependencies for tests, and the example target.
    pub fn with_simulations(
        &self,
        squall: &Source,
        features: &[&str],
        dependencies: &[Dependency],
    ) -> Result<String, String> {
        let mut document = self.document.clone();
        let table = table_in(document.as_table_mut(), "dev-dependencies")?;
        if !table.contains_key("squall") {
            table.insert("squall", value(dependency_on_squall(squall, features)));
        }
        for dependency in dependencies {
            if self.has(dependency) && !table.contains_key(dependency.name) {
                continue;
            }
            match table.get_mut(dependency.name) {
                None => drop(table.insert(dependency.name, value(dependency_on(dependency)))),
                Some(item) => add_features(item, dependency)?,
            }
        }
        add_example(&mut document)?;
        Ok(document.to_string())
    }
}

/// Cargo's config with the alias `sims`.
pub fn with_alias(config: &str) -> Result<String, String> {
    let mut document: DocumentMut =
        config.parse().map_err(|error| format!(".cargo/config.toml cannot be read: {error}"))?;
    let table = table_in(document.as_table_mut(), "alias")?;
    if !table.contains_key("sims") {
        table.insert("sims", value("run --example sims -- cli"));
    }
    Ok(document.to_string())
}

/// The table of this name, which is made if there is none.
fn table_in<'a>(document: &'a mut Table, name: &str) -> Result<&'a mut Table, String> {
    let item = document.entry(name).or_insert_with(|| Item::Table(Table::new()));
    item.as_table_mut().ok_or_else(|| format!("`{name}` is no table of its own; write it as `[{name}]`"))
}

fn dependency_on_squall(squall: &Source, features: &[&str]) -> InlineTable {
    let mut table = InlineTable::new();
    match squall {
        Source::Folder(folder) => table.insert("path", folder.as_str().into()),
        Source::Git(address) => table.insert("git", address.as_str().into()),
    };
    if !features.is_empty() {
        table.insert("features", Value::Array(features.iter().copied().collect()));
    }
    table
}

/// `"1"`, or a table if more than the version is to be said.
fn dependency_on(dependency: &Dependency) -> Value {
    if dependency.has_defaults && dependency.features.is_empty() {
        return dependency.version.into();
    }
    let mut table = InlineTable::new();
    table.insert("version", dependency.version.into());
    if !dependency.has_defaults {
        table.insert("default-features", false.into());
    }
    if !dependency.features.is_empty() {
        table.insert("features", Value::Array(dependency.features.iter().copied().collect()));
    }
    Value::InlineTable(table)
}

/// Adds the features that are missing in a dependency that is there.
fn add_features(item: &mut Item, dependency: &Dependency) -> Result<(), String> {
    if dependency.features.is_empty() {
        return Ok(());
    }
    if let Some(version) = item.as_str() {
        let mut table = InlineTable::new();
        table.insert("version", version.into());
        *item = value(table);
    }
    let table = item.as_table_like_mut().ok_or_else(|| format!("`{}` is no dependency", dependency.name))?;
    let features = table.entry("features").or_insert_with(|| value(Array::new()));
    let features =
        features.as_array_mut().ok_or_else(|| format!("the features of `{}` are no array", dependency.name))?;
    for feature in dependency.features {
        let is_there = |value: &Value| value.as_str() == Some(*feature) || value.as_str() == Some("full");
        if !features.iter().any(is_there) {
            features.push(*feature);
        }
    }
    Ok(())
}

/// Adds the example target `sims` unless there is one.
fn add_example(document: &mut DocumentMut) -> Result<(), String> {
    let item = document.entry("example").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let examples = item.as_array_of_tables_mut().ok_or("`example` is no list; write each as `[[example]]`")?;
    if examples.iter().any(|example| example.get("name").and_then(Item::as_str) == Some("sims")) {
        return Ok(());
    }
    let mut example = Table::new();
    example.insert("name", value("sims"));
    example.insert("path", value("sims/main.rs"));
    example.insert("test", value(true));
    example.insert("harness", value(false));
    examples.push(example);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::templates::Kind;

    fn changed(text: &str, kind: Kind) -> String {
        let squall = Source::Folder("../squall".to_owned());
        Manifest::read(text).unwrap().with_simulations(&squall, kind.features(), &kind.dependencies()).unwrap()
    }

    const FRESH: &str = "[package]\nname = \"my-shop\"\n\n[dependencies]\naxum = \"0.8\" # the web\n";

    #[test]
    fn a_fresh_manifest_gets_dependencies_and_the_target() {
        let text = changed(FRESH, Kind::Axum);
        assert!(text.starts_with(FRESH), "{text}");
        let added = &text[FRESH.len()..];
        assert_eq!(
            added,
            r#"
[dev-dependencies]
squall = { path = "../squall", features = ["axum", "hyper-util"] }
proptest = { version = "1.7", default-features = false, features = ["std"] }
serde = { version = "1", features = ["derive"] }
tokio = { version = "1", features = ["macros", "rt", "time"] }

[[example]]
name = "sims"
path = "sims/main.rs"
test = true
harness = false
"#
        );
    }

    #[test]
    fn what_the_project_depends_on_is_not_named_again() {
        let text = "[package]\nname = \"a\"\n\n[dependencies]\naxum = { version = \"0.8\", default-features = false }\n\
                    serde = \"1\"\ntokio = { version = \"1\", features = [\"macros\", \"rt\", \"time\"], optional = true }\n";
        let tests = changed(text, Kind::Axum);
        let tests = tests.split("[dev-dependencies]").nth(1).unwrap();
        assert!(!tests.contains("axum = \"") && tests.contains("squall = "), "{tests}");
        assert!(tests.contains("serde = ") && tests.contains("tokio = "), "{tests}");
    }

    #[test]
    fn a_second_time_changes_nothing() {
        for kind in [Kind::Axum, Kind::Tonic, Kind::Plain] {
            let once = changed(FRESH, kind);
            assert_eq!(changed(&once, kind), once, "{kind:?}");
        }
    }

    #[test]
    fn what_is_there_keeps_its_version_and_gets_the_missing_features() {
        let text = "[package]\nname = \"a\"\n[dev-dependencies]\nserde = \"1.0.200\"\ntokio = { version = \"1.47\", features \
                    = [\"full\"] }\nsquall = { path = \"elsewhere\" }\n[[example]]\nname = \"other\"\n";
        let text = changed(text, Kind::Axum);
        assert!(text.contains("serde = { version = \"1.0.200\", features = [\"derive\"] }"), "{text}");
        assert!(text.contains("tokio = { version = \"1.47\", features = [\"full\"] }"), "{text}");
        assert!(text.contains("squall = { path = \"elsewhere\" }"), "{text}");
        assert!(text.contains("name = \"other\"") && text.contains("name = \"sims\""), "{text}");
    }

    #[test]
    fn names_and_addresses_are_read() {
        assert_eq!(Manifest::read(FRESH).unwrap().library(), "my_shop");
        let named = "[package]\nname = \"a\"\n[lib]\nname = \"b\"\npath = \"c.rs\"\n";
        let named = Manifest::read(named).unwrap();
        assert_eq!((named.library().as_str(), named.library_path()), ("b", Some("c.rs")));
        let address = "https://example.org/squall.git";
        assert_eq!(Source::new(address), Source::Git(address.to_owned()));
        assert_eq!(Source::new("../squall"), Source::Folder("../squall".to_owned()));
    }

    #[test]
    fn what_cannot_be_changed_says_what_to_do() {
        let error = Manifest::read("[workspace]\nmembers = []\n").unwrap_err();
        assert!(error.contains("name the folder of the package"), "{error}");
        let error = Manifest::read("[package\n").unwrap_err();
        assert!(error.contains("cannot be read"), "{error}");
        let inline = Manifest::read("dev-dependencies = 3\n[package]\nname = \"a\"\n").unwrap();
        let error = inline.with_simulations(&Source::Git(String::new()), &[], &[]).unwrap_err();
        assert!(error.contains("write it as `[dev-dependencies]`"), "{error}");
    }

    #[test]
    fn the_alias_stands_beside_others() {
        let config = "[alias]\nb = \"build\" # short\n";
        let text = with_alias(config).unwrap();
        assert_eq!(text, format!("{config}sims = \"run --example sims -- cli\"\n"));
        assert_eq!(with_alias(&text).unwrap(), text);
        let own = "[alias]\nsims = \"run\"\n";
        assert_eq!(with_alias(own).unwrap(), own);
    }
}

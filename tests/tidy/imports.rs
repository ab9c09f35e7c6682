//! The imports between files. Paths are followed through facades to the file that defines the item.
//!
//! A facade that declares a module, or re-exports from it, does not import it unless its own code uses the name.
//! Methods are not seen, since their calls name no file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::outline::{self, Child, Import, NamePath, Outline};

/// The text of each file, by its path.
pub type Sources = BTreeMap<String, String>;

/// The files that each file imports.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The imports between all files that belong to the module tree of the file `root`.
pub fn imports(root: &str, sources: &Sources) -> Graph {
    let mut tree = ModuleTree { modules: Vec::new() };
    tree.add_file(root, None, true, sources);
    let mut graph = Graph::new();
    for (index, module) in tree.modules.iter().enumerate() {
        let imported = graph.entry(module.file.clone()).or_default();
        let own_imports = module.imports.iter().filter(|import| !import.is_reexport).map(|import| &import.path);
        for path in own_imports.chain(&module.mentions) {
            for found in tree.resolve(index, path, &mut BTreeSet::new()) {
                if let Found::ItemOf(owner) = found {
                    imported.insert(tree.modules[owner].file.clone());
                }
            }
        }
        imported.remove(&module.file);
    }
    graph
}

struct Module {
    file: String,
    parent: Option<usize>,
    children: Vec<(String, usize)>,
    imports: Vec<Import>,
    declared: BTreeSet<String>,
    mentions: BTreeSet<NamePath>,
}

/// What a path resolves to; modules are numbered by their index in the tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Module(usize),
    ItemOf(usize),
}

/// The imports that a path has been followed through, as the number of the module and the number of the import.
type Followed = BTreeSet<(usize, usize)>;

struct ModuleTree {
    modules: Vec<Module>,
}

impl ModuleTree {
    /// Adds a file's module. With `owns_folder`, its children are in the same folder, as for `mod.rs`.
    fn add_file(&mut self, file: &str, parent: Option<usize>, owns_folder: bool, sources: &Sources) -> usize {
        let path = Path::new(file);
        let folder = if owns_folder { path.parent().unwrap().to_owned() } else { path.with_extension("") };
        self.add(outline::outline(&sources[file]), file, &folder, parent, sources)
    }

    fn add(&mut self, read: Outline, file: &str, folder: &Path, parent: Option<usize>, sources: &Sources) -> usize {
        let Outline { children, imports, declared, mentions } = read;
        let index = self.modules.len();
        self.modules.push(Module { file: file.to_owned(), parent, children: Vec::new(), imports, declared, mentions });
        for Child { name, files, body } in children {
            if let Some(body) = body {
                let child = self.add(body, file, &folder.join(&name), Some(index), sources);
                self.modules[index].children.push((name, child));
                continue;
            }
            let beside = Path::new(file).parent().unwrap();
            let candidates = match files.as_slice() {
                [] => vec![folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")],
                files => files.iter().map(|file| beside.join(file)).collect(),
            };
            let children: Vec<_> = candidates
                .iter()
                .map(|path| path.to_str().unwrap())
                .filter(|path| sources.contains_key(*path))
                .map(|path| self.add_file(path, Some(index), path.ends_with("/mod.rs"), sources))
                .collect();
            assert!(!children.is_empty(), "{file} declares the module {name}, but none of {candidates:?} exists");
            self.modules[index].children.extend(children.into_iter().map(|child| (name.clone(), child)));
        }
        index
    }

    /// Resolves a path in the text of module `from`. The result is empty if the path leads out of the tree.
    fn resolve(&self, from: usize, path: &[String], followed: &mut Followed) -> BTreeSet<Found> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::new() };
        match first.as_str() {
            "crate" => self.look_up(0, rest, false, followed),
            "self" => self.look_up(from, rest, false, followed),
            "super" => {
                let mut module = self.modules[from].parent;
                let mut rest = rest;
                while let (Some(above), Some("super")) = (module, rest.first().map(String::as_str)) {
                    module = self.modules[above].parent;
                    rest = &rest[1..];
                }
                module.map(|module| self.look_up(module, rest, false, followed)).unwrap_or_default()
            }
            _ => self.look_up(from, path, true, followed),
        }
    }

    /// Looks up a path in a module. With `guess`, the first name may also belong to another crate or to no item at all.
    fn look_up(&self, index: usize, path: &[String], guess: bool, followed: &mut Followed) -> BTreeSet<Found> {
        let Some((name, rest)) = path.split_first() else { return [Found::Module(index)].into() };
        let module = &self.modules[index];
        let mut found = BTreeSet::new();
        let children: Vec<_> = module.children.iter().filter(|(child, _)| child == name).collect();
        for (_, child) in &children {
            // If conditions select between several files, the item may be in only one of them.
            found.extend(self.look_up(*child, rest, children.len() > 1, followed));
        }
        // A function may have the same name as a module, but it contains no items.
        if !found.is_empty() && !rest.is_empty() {
            return found;
        }
        let mut is_known = !found.is_empty();
        for (number, import) in module.imports.iter().enumerate().filter(|(_, import)| import.name == *name) {
            if followed.insert((index, number)) {
                is_known = true;
                let whole = [&import.path, rest].concat();
                found.extend(self.resolve(index, &whole, followed));
            }
        }
        if module.declared.contains(name) {
            is_known = true;
            found.insert(Found::ItemOf(index));
        }
        if !is_known {
            for (number, import) in module.imports.iter().enumerate().filter(|(_, import)| import.name == "*") {
                if followed.insert((index, number)) {
                    for target in self.resolve(index, &import.path, followed) {
                        if let Found::Module(target) = target {
                            found.extend(self.look_up(target, path, true, followed));
                        }
                    }
                }
            }
        }
        if found.is_empty() && !is_known && !guess {
            found.insert(Found::ItemOf(index));
        }
        found
    }
}

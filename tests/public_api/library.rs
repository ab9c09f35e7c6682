//! The library's modules as their files declare them, and which of their items can be named from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::render::text;

type NamePath = Vec<String>;

/// Identifies an item: the module that defines it, and its name.
type ItemId = (NamePath, String);

/// A named item that a module defines.
struct Item {
    is_public: bool,
    /// Its declaration without its body.
    signature: String,
    /// Public fields, all variants, or the members of a trait.
    members: Vec<String>,
}

/// A name that a `use` declaration brings in; `*` for a glob.
struct Use {
    name: String,
    path: NamePath,
    is_public: bool,
}

#[derive(Default)]
struct Module {
    is_public: bool,
    items: BTreeMap<String, Item>,
    uses: Vec<Use>,
    children: BTreeSet<String>,
    /// Implementations: the tokens of the header, and the public members of an inherent one.
    impls: Vec<(Vec<TokenTree>, Vec<String>)>,
    /// Invocations of macros that define items.
    macros: Vec<String>,
    /// What the list of fault kinds puts into the module `constructors`.
    constructors: Vec<Use>,
}

/// All modules of the library, by their paths; the root's is empty.
#[derive(Default)]
pub struct Library {
    modules: BTreeMap<NamePath, Module>,
}

/// What a path resolves to.
enum Target {
    Module(NamePath),
    Item(ItemId),
    /// An item or module of another crate.
    Foreign,
}

/// The attributes and the visibility before an item.
#[derive(Default)]
struct Prefix {
    is_public: bool,
    is_left_out: bool,
    file: Option<String>,
}

const MODIFIERS: [&str; 4] = ["unsafe", "async", "extern", "default"];

fn is_word(token: Option<&TokenTree>, expected: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(name)) if name == expected)
}

fn is_mark(token: Option<&TokenTree>, expected: char) -> bool {
    matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == expected)
}

fn word(token: Option<&TokenTree>) -> Option<String> {
    match token? {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => None,
    }
}

fn brace(token: &TokenTree) -> Option<TokenStream> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.stream()),
        _ => None,
    }
}

fn stream(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}

/// Reads the attributes and the visibility before an item; returns how many tokens they take.
fn prefix(tokens: &[TokenTree]) -> (Prefix, usize) {
    let (mut prefix, mut at) = (Prefix::default(), 0);
    while is_mark(tokens.get(at), '#') {
        at += if is_mark(tokens.get(at + 1), '!') { 2 } else { 1 };
        let attribute: String = tokens[at].to_string().split_whitespace().collect();
        prefix.is_left_out |= attribute.contains("cfg(test)") || attribute.contains("doc(hidden)");
        prefix.file =
            prefix.file.or(attribute.strip_prefix("[path=\"").map(|file| file.trim_end_matches("\"]").to_owned()));
        at += 1;
    }
    if is_word(tokens.get(at), "pub") {
        let is_restricted =
            matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        prefix.is_public = !is_restricted;
        at += if is_restricted { 2 } else { 1 };
    }
    (prefix, at)
}

/// The parts of a list, split at its commas except those within angle brackets.
fn parts(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let (mut parts, mut depth, mut last) = (vec![Vec::new()], 0_i32, ' ');
    for token in tokens {
        if let TokenTree::Punct(mark) = &token {
            depth += match mark.as_char() {
                '<' => 1,
                '>' if last != '-' && last != '=' => -1,
                _ => 0,
            };
            last = mark.as_char();
            if last == ',' && depth == 0 {
                parts.push(Vec::new());
                continue;
            }
        } else {
            last = ' ';
        }
        parts.last_mut().unwrap().push(token);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The declarations within the braces of a trait or of an inherent implementation, without their bodies.
fn declarations(body: TokenStream, is_trait: bool) -> Vec<String> {
    let tokens: Vec<TokenTree> = body.into_iter().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let (prefix, length) = prefix(&tokens[at..]);
        at += length;
        let is_end = |token: &TokenTree| is_mark(Some(token), ';') || brace(token).is_some();
        let end = tokens[at..].iter().position(is_end).map_or(tokens.len(), |end| at + end);
        if (prefix.is_public || is_trait) && !prefix.is_left_out && at < end {
            found.push(text(stream(&tokens[at..end])));
        }
        at = end + 1;
    }
    found
}

/// The public fields of a struct or the variants of an enum.
fn members(body: TokenStream, is_enum: bool) -> Vec<String> {
    let mut members = Vec::new();
    for part in parts(body) {
        let (prefix, length) = prefix(&part);
        if (prefix.is_public || is_enum) && !prefix.is_left_out {
            members.push(text(without_attributes(stream(&part[length..]))));
        }
    }
    members
}

/// The tokens without attributes, at any depth.
fn without_attributes(tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        match &tokens[at] {
            mark if is_mark(Some(mark), '#') => at += 1,
            TokenTree::Group(group) => {
                kept.push(proc_macro2::Group::new(group.delimiter(), without_attributes(group.stream())).into());
            }
            token => kept.push(token.clone()),
        }
        at += 1;
    }
    stream(&kept)
}

impl Library {
    /// Reads all of `src`.
    pub fn read() -> Library {
        let mut library = Library::default();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        library.read_file(&root.join("lib.rs"), &root, Vec::new(), true);
        library
    }

    fn read_file(&mut self, file: &Path, directory: &Path, path: NamePath, is_public: bool) {
        let code = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.read_module(code.parse().expect("the file is Rust"), directory, path, is_public);
    }

    fn read_module(&mut self, tokens: TokenStream, directory: &Path, path: NamePath, is_public: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut module = Module { is_public, ..Module::default() };
        let mut at = 0;
        while at < tokens.len() {
            let (prefix, length) = prefix(&tokens[at..]);
            at += length;
            let is_use = is_word(tokens.get(at), "use");
            let is_end = |token: &TokenTree| is_mark(Some(token), ';') || (!is_use && brace(token).is_some());
            let end = tokens[at..].iter().position(is_end).map_or(tokens.len(), |end| at + end);
            let item = &tokens[at..tokens.len().min(end + 1)];
            at = end + 1;
            if prefix.is_left_out || item.is_empty() {
                continue;
            }
            if is_word(item.first(), "mod") {
                let name = word(item.get(1)).unwrap();
                module.children.insert(name.clone());
                let child = [path.clone(), vec![name.clone()]].concat();
                match item.last().and_then(brace) {
                    Some(body) => self.read_module(body, &directory.join(&name), child, prefix.is_public),
                    None => self.read_child(prefix, &name, directory, child),
                }
            } else {
                module.read_item(&prefix, item);
            }
        }
        let uses = std::mem::take(&mut module.constructors);
        if !uses.is_empty() {
            // These paths are relative to the module `kinds`.
            let above = |import: Use| Use { path: [vec!["super".to_owned()], import.path].concat(), ..import };
            let child = [path.clone(), vec!["constructors".to_owned()]].concat();
            module.children.insert("constructors".to_owned());
            self.modules.insert(child, Module { uses: uses.into_iter().map(above).collect(), ..Module::default() });
        }
        self.modules.insert(path, module);
    }

    fn read_child(&mut self, prefix: Prefix, name: &str, directory: &Path, path: NamePath) {
        let below = directory.join(name);
        let candidates: Vec<PathBuf> = match &prefix.file {
            Some(file) => vec![directory.join(file)],
            None => vec![directory.join(format!("{name}.rs")), below.join("mod.rs")],
        };
        if let Some(file) = candidates.iter().find(|file| file.exists()) {
            self.read_file(file, &below, path, prefix.is_public);
        }
    }

    /// What a path in the module `from` resolves to.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Target {
        assert!(depth < 50, "{path:?} in {from:?} leads to itself");
        let Some((first, rest)) = path.split_first() else { return Target::Module(from.to_vec()) };
        match first.as_str() {
            "crate" => return self.resolve(&[], rest, depth + 1),
            "self" => return self.resolve(from, rest, depth + 1),
            "super" => return self.resolve(&from[..from.len() - 1], rest, depth + 1),
            _ => {}
        }
        let module = &self.modules[from];
        if module.children.contains(first) {
            let child = [from, std::slice::from_ref(first)].concat();
            return if self.modules.contains_key(&child) {
                self.resolve(&child, rest, depth + 1)
            } else {
                Target::Foreign
            };
        }
        if module.items.contains_key(first) {
            return Target::Item((from.to_vec(), first.clone()));
        }
        match module.uses.iter().find(|import| import.name == *first) {
            Some(import) if import.path.first() == Some(first) && import.path.len() == 1 => Target::Foreign,
            Some(import) => self.resolve(from, &[&import.path, rest].concat(), depth + 1),
            None => Target::Foreign,
        }
    }

    /// Every item that can be named from outside, one line each.
    pub fn public_api(&self) -> Vec<String> {
        let mut listing = Listing { library: self, lines: Vec::new(), listed: BTreeMap::new() };
        listing.module(&[], "squall");
        listing.lines
    }
}

impl Module {
    fn read_item(&mut self, prefix: &Prefix, item: &[TokenTree]) {
        let body = item.last().and_then(brace);
        if is_word(item.first(), "use") {
            self.read_use(&item[1..item.len() - 1], &[], prefix.is_public);
        } else if is_word(item.first(), "impl") {
            let header = item[1..item.len() - 1].to_vec();
            let is_inherent = !header.iter().any(|token| is_word(Some(token), "for"));
            let members = body.filter(|_| is_inherent).map_or(Vec::new(), |body| declarations(body, false));
            self.impls.push((header, members));
        } else if is_word(item.first(), "kinds") && is_mark(item.get(1), '!') {
            body.into_iter().for_each(|list| self.read_kinds(list));
        } else if is_mark(item.get(1), '!') && !is_word(item.first(), "macro_rules") {
            self.macros.push(text(without_attributes(stream(item))));
        } else {
            let mut at = 0;
            while MODIFIERS.iter().any(|modifier| is_word(item.get(at), modifier))
                || is_word(item.get(at), "const") && is_word(item.get(at + 1), "fn")
            {
                at += 1;
            }
            let keyword = word(item.get(at)).unwrap_or_default();
            let Some(name) = word(item.get(at + 1)) else { return };
            let mut end = item.len() - 1;
            if ["const", "static"].contains(&keyword.as_str()) {
                end = item.iter().position(|token| is_mark(Some(token), '=')).unwrap_or(end);
            }
            let members = match keyword.as_str() {
                "struct" | "enum" => body.map_or(Vec::new(), |body| members(body, keyword == "enum")),
                "trait" => body.map_or(Vec::new(), |body| declarations(body, true)),
                _ => Vec::new(),
            };
            let signature = text(without_attributes(stream(&item[..end])));
            self.items.insert(name, Item { is_public: prefix.is_public, signature, members });
        }
    }

    /// Reads the list of fault kinds, whose lines are a file and a type: the macro makes one enum and re-exports of them.
    fn read_kinds(&mut self, list: TokenStream) {
        let mut members = Vec::new();
        for line in parts(list) {
            let (file, kind) = (word(line.first()).unwrap(), word(line.get(1)).unwrap());
            self.uses.push(Use { name: kind.clone(), path: vec![file.clone(), kind.clone()], is_public: true });
            self.constructors.push(Use { name: file.clone(), path: vec![file.clone(), file], is_public: true });
            members.push(format!("{kind}({kind})"));
        }
        let signature = "enum FaultKind".to_owned();
        self.items.insert("FaultKind".to_owned(), Item { is_public: true, signature, members });
    }

    /// Reads a tree such as `a::{b, c as d, e::*}`, which follows `path`.
    fn read_use(&mut self, tokens: &[TokenTree], path: &[String], is_public: bool) {
        let mut path = path.to_vec();
        let mut tokens = tokens.iter();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => {
                    for part in parts(group.stream()) {
                        self.read_use(&part, &path, is_public);
                    }
                    return;
                }
                TokenTree::Ident(name) if name == "as" => {
                    let name = word(tokens.next()).expect("a name follows `as`");
                    return self.uses.push(Use { name, path, is_public });
                }
                TokenTree::Ident(name) if name == "self" && !path.is_empty() => {}
                TokenTree::Ident(name) => path.push(name.to_string()),
                TokenTree::Punct(mark) if mark.as_char() == '*' => {
                    return self.uses.push(Use { name: "*".to_owned(), path, is_public });
                }
                _ => {}
            }
        }
        if let Some(name) = path.last().cloned() {
            self.uses.push(Use { name, path, is_public });
        }
    }
}

struct Listing<'a> {
    library: &'a Library,
    lines: Vec<String>,
    /// The public path under which each item is already listed.
    listed: BTreeMap<ItemId, String>,
}

impl Listing<'_> {
    fn module(&mut self, path: &[String], public: &str) {
        let module = &self.library.modules[path];
        self.lines.push(format!("mod {public}"));
        for (name, item) in module.items.iter().filter(|(_, item)| item.is_public) {
            self.item(&(path.to_vec(), name.clone()), item, &format!("{public}::{name}"));
        }
        self.imports(path, public);
        // The prelude comes last, so that what it re-exports is listed under its own module first.
        let mut children: Vec<&String> = module.children.iter().collect();
        children.sort_by_key(|child| (*child == "prelude", *child));
        for child in children {
            let below = [path, std::slice::from_ref(child)].concat();
            if self.library.modules.get(&below).is_some_and(|module| module.is_public) {
                self.module(&below, &format!("{public}::{child}"));
            }
        }
        for invocation in &module.macros {
            self.lines.push(format!("{public}: {invocation}"));
        }
    }

    /// Lists what the public `use` declarations of a module bring in.
    fn imports(&mut self, path: &[String], public: &str) {
        let module = &self.library.modules[path];
        for import in module.uses.iter().filter(|import| import.is_public) {
            let target = self.library.resolve(path, &import.path, 0);
            let name = format!("{public}::{}", import.name);
            match target {
                Target::Module(module) if import.name == "*" => self.imports(&module, public),
                Target::Module(module) if self.library.modules[&module].is_public => {
                    self.lines.push(format!("use {name} of squall::{}", module.join("::")));
                }
                Target::Module(module) => self.module(&module, &name),
                Target::Item(id) => self.item(&id, &self.library.modules[&id.0].items[&id.1], &name),
                Target::Foreign => self.lines.push(format!("use {name} of {}", import.path.join("::"))),
            }
        }
    }

    fn item(&mut self, id: &ItemId, item: &Item, public: &str) {
        if let Some(first) = self.listed.get(id) {
            return self.lines.push(format!("use {public} of {first}"));
        }
        self.listed.insert(id.clone(), public.to_owned());
        self.lines.push(format!("{public}: {}", item.signature));
        self.lines.extend(item.members.iter().map(|member| format!("{public}: . {member}")));
        let mut traits = BTreeSet::new();
        for (path, module) in &self.library.modules {
            for (header, members) in &module.impls {
                let after_for = header.iter().position(|token| is_word(Some(token), "for"));
                let target = head(&header[after_for.map_or(0, |at| at + 1)..], after_for.is_none());
                if !matches!(self.library.resolve(path, &target, 0), Target::Item(found) if found == *id) {
                    continue;
                }
                match after_for {
                    Some(_) => {
                        traits.insert(format!("{public}: impl {}", text(stream(header))));
                    }
                    None => self.lines.extend(members.iter().map(|member| format!("{public}: {member}"))),
                }
            }
        }
        self.lines.extend(traits);
    }
}

/// The path of the type that a header names, after the generic parameters of an inherent implementation.
fn head(tokens: &[TokenTree], has_parameters: bool) -> NamePath {
    let mut at = 0;
    if has_parameters && is_mark(tokens.first(), '<') {
        let mut depth = 0;
        while at < tokens.len() {
            depth += i32::from(is_mark(tokens.get(at), '<'))
                - i32::from(
                    is_mark(tokens.get(at), '>')
                        && !is_mark(at.checked_sub(1).and_then(|before| tokens.get(before)), '-'),
                );
            at += 1;
            if depth == 0 {
                break;
            }
        }
    }
    let mut path = Vec::new();
    while let Some(name) = word(tokens.get(at)) {
        path.push(name);
        if !(is_mark(tokens.get(at + 1), ':') && is_mark(tokens.get(at + 2), ':')) {
            break;
        }
        at += 3;
    }
    path
}

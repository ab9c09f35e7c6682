//! The outline of a source file: the modules it declares, and the names it imports, defines and mentions.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path such as `crate::fault::Plan`, one entry for each segment.
pub type NamePath = Vec<String>;

/// The outline of one module, without comments and without code that only tests compile.
#[derive(Default)]
pub struct Outline {
    pub children: Vec<Child>,
    pub imports: Vec<Import>,
    /// Items that the module itself defines.
    pub declared: BTreeSet<String>,
    /// Paths outside `use` declarations, including those of a single name.
    pub mentions: BTreeSet<NamePath>,
}

/// A `mod` declaration.
pub struct Child {
    pub name: String,
    /// The files that its `#[path]` attributes name. There may be several under different conditions.
    pub files: Vec<String>,
    /// The outline of the text between its braces, if it has any.
    pub body: Option<Outline>,
}

/// One name that a `use` declaration brings in; the name of a glob is `*`.
#[derive(Clone)]
pub struct Import {
    pub name: String,
    pub path: NamePath,
    pub is_reexport: bool,
}

/// The keywords that begin the definition of a named item.
const DEFINING: [&str; 8] = ["struct", "enum", "union", "trait", "type", "fn", "const", "static"];

/// The keywords between a defining keyword and the name, as in `const fn name` or `static mut NAME`.
const BETWEEN: [&str; 5] = ["fn", "mut", "unsafe", "async", "extern"];

/// Reads the text of one file.
pub fn outline(text: &str) -> Outline {
    let tokens = text.parse().expect("the file is Rust");
    let mut outline = Outline::default();
    read(tokens, true, &mut outline);
    outline
}

/// The attributes and the visibility of the next item, as read so far.
#[derive(Default)]
struct Prefix {
    is_test: bool,
    is_public: bool,
    files: Vec<String>,
}

/// Reads the tokens of a module (`at_top`) or of a group inside one.
fn read(tokens: TokenStream, at_top: bool, outline: &mut Outline) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut prefix = Prefix::default();
    let mut at = 0;
    while at < tokens.len() {
        if let Some((group, length)) = attribute(&tokens[at..]) {
            read_attribute(group, &mut prefix, outline);
            at += length;
            continue;
        }
        if is_word(tokens.get(at), "pub") {
            prefix.is_public = true;
            let is_restricted = matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
            at += if is_restricted { 2 } else { 1 };
            continue;
        }
        let prefix = std::mem::take(&mut prefix);
        let rest = &tokens[at..];
        at += if prefix.is_test {
            item_length(rest)
        } else if let Some(length) = read_use(rest, prefix.is_public, outline) {
            length
        } else if let Some(length) = read_module(rest, prefix.files, outline) {
            length
        } else if let Some((name, length)) = definition(rest) {
            if at_top {
                outline.declared.insert(name);
            }
            length
        } else if let TokenTree::Group(group) = &rest[0] {
            read(group.stream(), false, outline);
            1
        } else {
            read_mention(&tokens, at, outline)
        };
    }
}

fn word(token: Option<&TokenTree>) -> Option<String> {
    match token? {
        TokenTree::Ident(name) => Some(name.to_string()),
        _ => None,
    }
}

fn is_word(token: Option<&TokenTree>, expected: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(name)) if name == expected)
}

fn is_mark(token: Option<&TokenTree>, expected: char) -> bool {
    matches!(token, Some(TokenTree::Punct(mark)) if mark.as_char() == expected)
}

fn is_separator(tokens: &[TokenTree]) -> bool {
    is_mark(tokens.first(), ':') && is_mark(tokens.get(1), ':')
}

/// An attribute at the beginning of `tokens`, and how many tokens it takes.
fn attribute(tokens: &[TokenTree]) -> Option<(&Group, usize)> {
    if !is_mark(tokens.first(), '#') {
        return None;
    }
    let before = if is_mark(tokens.get(1), '!') { 2 } else { 1 };
    match tokens.get(before) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => Some((group, before + 1)),
        _ => None,
    }
}

fn read_attribute(group: &Group, prefix: &mut Prefix, outline: &mut Outline) {
    let text: String = group.stream().to_string().split_whitespace().collect();
    prefix.is_test |= text.starts_with("cfg(test") || text.starts_with("cfg(all(test");
    if let (true, Some((_, file))) =
        (text.starts_with("path=") || text.starts_with("cfg_attr("), text.split_once("path=\""))
    {
        prefix.files.extend(file.split('"').next().map(str::to_owned));
    }
    // Attributes of serde name functions and modules in strings.
    if text.starts_with("serde(") {
        for string in text.split('"').skip(1).step_by(2) {
            outline.mentions.insert(string.split("::").map(str::to_owned).collect());
        }
    }
}

/// How many tokens an item takes: up to its semicolon or its braces.
fn item_length(tokens: &[TokenTree]) -> usize {
    let is_use = is_word(tokens.first(), "use");
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(mark) => mark.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_use,
        _ => false,
    };
    tokens.iter().position(is_end).map_or(tokens.len(), |end| end + 1)
}

fn read_use(tokens: &[TokenTree], is_reexport: bool, outline: &mut Outline) -> Option<usize> {
    // `use<'a>` in a bound imports nothing.
    if !is_word(tokens.first(), "use") || is_mark(tokens.get(1), '<') {
        return None;
    }
    let length = item_length(tokens);
    read_use_tree(&tokens[1..length - 1], &[], is_reexport, outline);
    Some(length)
}

/// Reads a tree such as `a::{b, c as d, e::*}` that follows the path `prefix`.
fn read_use_tree(tokens: &[TokenTree], prefix: &[String], is_reexport: bool, outline: &mut Outline) {
    let mut path = prefix.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for part in inner.split(|token| is_mark(Some(token), ',')) {
                    read_use_tree(part, &path, is_reexport, outline);
                }
                return;
            }
            TokenTree::Ident(name) if name == "as" => {
                let name = word(tokens.get(at + 1)).expect("a name follows `as`");
                return outline.imports.push(Import { name, path, is_reexport });
            }
            // `a::{self}` means `a`, whereas `self::a` begins at this module.
            TokenTree::Ident(name) if name == "self" && !path.is_empty() => {}
            TokenTree::Ident(name) => path.push(name.to_string()),
            TokenTree::Punct(mark) if mark.as_char() == '*' => {
                return outline.imports.push(Import { name: "*".to_owned(), path, is_reexport });
            }
            _ => {}
        }
        at += 1;
    }
    // Nothing follows the last comma of a group.
    if let (Some(name), false) = (path.last().cloned(), tokens.is_empty()) {
        outline.imports.push(Import { name, path, is_reexport });
    }
}

fn read_module(tokens: &[TokenTree], files: Vec<String>, outline: &mut Outline) -> Option<usize> {
    if !is_word(tokens.first(), "mod") {
        return None;
    }
    let name = word(tokens.get(1))?;
    let body = match tokens.get(2)? {
        TokenTree::Group(group) => {
            let mut body = Outline::default();
            read(group.stream(), true, &mut body);
            Some(body)
        }
        _ => None,
    };
    outline.children.push(Child { name, files, body });
    Some(3)
}

/// The name of an item whose definition begins here, and how many tokens lead to the end of the name.
fn definition(tokens: &[TokenTree]) -> Option<(String, usize)> {
    if is_word(tokens.first(), "macro_rules") {
        return Some((word(tokens.get(2))?, 3));
    }
    let is_defining = DEFINING.iter().any(|keyword| is_word(tokens.first(), keyword));
    let name = word(tokens.get(1)).filter(|name| is_defining && !BETWEEN.contains(&name.as_str()))?;
    Some((name, 2))
}

/// Reads a path outside `use` if one begins at token `at`. Returns how many tokens it takes.
fn read_mention(tokens: &[TokenTree], at: usize, outline: &mut Outline) -> usize {
    let Some(first) = word(tokens.get(at)) else { return 1 };
    let mut path = vec![first];
    let mut end = at + 1;
    while is_separator(&tokens[end..]) {
        let Some(name) = word(tokens.get(end + 2)) else { break };
        path.push(name);
        end += 3;
    }
    let before = |distance: usize| at.checked_sub(distance).and_then(|index| tokens.get(index));
    let is_range = is_mark(before(1), '.') && is_mark(before(2), '.');
    let is_member = is_mark(before(1), '.') && !is_range;
    let is_lifetime = is_mark(before(1), '\'');
    let is_tail = is_mark(before(1), ':') && is_mark(before(2), ':');
    // Fields, parameters and variables may have the name of an item.
    let is_binding = path.len() == 1
        && (["let", "mut", "ref"].iter().any(|keyword| is_word(before(1), keyword))
            || is_mark(tokens.get(end), ':') && !is_separator(&tokens[end..]));
    if !(is_member || is_lifetime || is_tail || is_binding) {
        outline.mentions.insert(path);
    }
    end - at
}

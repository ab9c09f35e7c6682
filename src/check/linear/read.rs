//! Histories that others recorded: the log lines of Jepsen's register tests, and porcupine's key-value format. It knows
//! nothing of files and searches.

use std::fmt::Display;

use super::models::{KeyValueAction, KeyValueOp, KeyValueOutput, RegisterOp, RegisterOutput};
use super::{InvalidHistory, TypedHistory};

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A history of a register that may be absent.
pub type RegisterHistory = TypedHistory<RegisterOp<Option<i64>>, RegisterOutput<Option<i64>>>;

/// A history of a map.
pub type KeyValueHistory = TypedHistory<KeyValueOp, KeyValueOutput>;

/// Reads Jepsen's log of a compare-and-set register: lines `INFO jepsen.util - PROCESS :TYPE :F VALUE`, in the order in
/// which things happened. Lines of other loggers are skipped.
///
/// A `:fail` of a `:cas` says that the expected value was not there; every other `:fail` says nothing, and that there was
/// no effect. `:info`, and the end of the log, leave an operation unknown.
///
/// # Errors
/// If a line cannot be read or cannot have happened after those before it, or if there is no operation at all.
pub fn jepsen_register(text: &str) -> Result<RegisterHistory, ParseError> {
    let mut history = TypedHistory::new();
    each_line(text, |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, "jepsen.util", "-", process, kind, what, value @ ..] => {
                jepsen_event(&mut history, number(process, "a process")?, kind, what, &value.join(" "))?;
                Ok(true)
            }
            [_, "jepsen.util", ..] => Err("it ends in the middle".to_owned()),
            ["INFO" | "WARN" | "ERROR" | "DEBUG", logger, "-", ..] if logger.contains('.') => Ok(false),
            _ => Err(format!("`{}` is no line of Jepsen's log", beginning(line))),
        }
    })?;
    Ok(history)
}

fn jepsen_event(
    history: &mut RegisterHistory,
    process: u64,
    kind: &str,
    what: &str,
    value: &str,
) -> Result<(), String> {
    if kind == ":invoke" {
        let op = match what {
            ":read" if value == "nil" => RegisterOp::Read,
            ":read" => return Err(format!("a read that is called has the value nil, not `{value}`")),
            ":write" => RegisterOp::Write(Some(number(value, "a value")?)),
            ":cas" => {
                let (expected, new) = pair(value)?;
                RegisterOp::CompareAndSet(Some(expected), Some(new))
            }
            _ => return Err(format!("`{what}` is none of :read, :write and :cas")),
        };
        return history.call(process, op).map_err(text_of);
    }
    let called = history.open_call(process).ok_or_else(|| InvalidHistory::NoCall(process).to_string())?;
    let is_the_same = matches!(
        (called, what),
        (RegisterOp::Read, ":read") | (RegisterOp::Write(_), ":write") | (RegisterOp::CompareAndSet(..), ":cas")
    );
    if !is_the_same {
        return Err(format!("process {process} called {called:?}, but {what} returns"));
    }
    // Instead of a value there may be the reason for a failure, such as `:timed-out`.
    if !value.starts_with(':') {
        let is_its_value = match called {
            RegisterOp::Read => true,
            RegisterOp::Write(written) => *written == Some(number(value, "a value")?),
            RegisterOp::CompareAndSet(expected, new) => {
                let (from, to) = pair(value)?;
                (*expected, *new) == (Some(from), Some(to))
            }
        };
        if !is_its_value {
            return Err(format!("process {process} called {called:?}, but {what} {value} returns"));
        }
    }
    match (kind, what) {
        (":ok", ":read") => {
            let value = if value == "nil" { None } else { Some(number(value, "a value")?) };
            history.ret(process, RegisterOutput::Value(value)).map_err(text_of)
        }
        (":ok", _) if value.starts_with(':') => Err(format!("`{value}` is no value")),
        (":ok", ":write") => history.ret(process, RegisterOutput::Done).map_err(text_of),
        (":ok", _) => history.ret(process, RegisterOutput::Swapped(true)).map_err(text_of),
        (":fail", ":cas") if !value.starts_with(':') => {
            history.ret(process, RegisterOutput::Swapped(false)).map_err(text_of)
        }
        (":fail", _) => history.take_back(process).map_err(text_of),
        (":info", _) => history.give_up(process).map_err(text_of),
        _ => Err(format!("`{kind}` is none of :invoke, :ok, :fail and :info")),
    }
}

/// Reads porcupine's history of a map: lines `{:process 0, :type :invoke, :f :append, :key "3", :value "x"}`, in the
/// order in which things happened. Types are `:invoke`, `:ok`, `:fail` (without effect) and `:info` (unknown), functions
/// `:get`, `:put` and `:append`.
///
/// # Errors
/// If a line cannot be read or cannot have happened after those before it, or if there is no operation at all.
pub fn porcupine_key_value(text: &str) -> Result<KeyValueHistory, ParseError> {
    let mut history = TypedHistory::new();
    each_line(text, |line| {
        let fields = fields(line)?;
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            found.ok_or_else(|| format!("`{name}` is missing"))
        };
        let process = number(field(":process")?.word(), "a process")?;
        let op = |value: &str| {
            let action = match field(":f")?.word() {
                ":get" => KeyValueAction::Get,
                ":put" => KeyValueAction::Put(value.to_owned()),
                ":append" => KeyValueAction::Append(value.to_owned()),
                other => return Err(format!("`{other}` is none of :get, :put and :append")),
            };
            Ok(KeyValueOp { key: field(":key")?.quoted(":key")?.to_owned(), action })
        };
        let kind = field(":type")?.word();
        let is_get = field(":f")?.word() == ":get";
        if kind == ":invoke" {
            let value = if is_get { "" } else { field(":value")?.quoted(":value")? };
            return history.call(process, op(value)?).map_err(text_of).map(|()| true);
        }
        let called = history.open_call(process).ok_or_else(|| InvalidHistory::NoCall(process).to_string())?;
        // What a read returns is no part of its call, and a failure need not repeat what was written.
        let repeated = match (&called.action, field(":value")) {
            (KeyValueAction::Put(_) | KeyValueAction::Append(_), Ok(Field::Quoted(value))) => value,
            (KeyValueAction::Put(value) | KeyValueAction::Append(value), _) if kind != ":ok" => value,
            (KeyValueAction::Get, _) => "",
            (_, value) => value?.quoted(":value")?,
        };
        let returning = op(repeated)?;
        if *called != returning {
            return Err(format!("process {process} called {called:?}, but {returning:?} returns"));
        }
        match kind {
            ":ok" if is_get => {
                history.ret(process, KeyValueOutput::Text(field(":value")?.quoted(":value")?.to_owned()))
            }
            ":ok" => history.ret(process, KeyValueOutput::Done),
            ":fail" => history.take_back(process),
            ":info" => history.give_up(process),
            other => return Err(format!("`{other}` is none of :invoke, :ok, :fail and :info")),
        }
        .map_err(text_of)
        .map(|()| true)
    })?;
    Ok(history)
}

/// The value of a field: a text, or any other word.
#[derive(Debug)]
enum Field {
    Quoted(String),
    Word(String),
}

impl Field {
    /// The word as it stands; a text is none that anybody expects.
    fn word(&self) -> &str {
        match self {
            Field::Word(text) | Field::Quoted(text) => text,
        }
    }

    fn quoted(&self, name: &str) -> Result<&str, String> {
        match self {
            Field::Quoted(text) => Ok(text),
            Field::Word(word) => Err(format!("`{name}` is `{word}`, but a text in quotation marks is expected")),
        }
    }
}

/// The fields of `{:name value, ...}`.
fn fields(line: &str) -> Result<Vec<(String, Field)>, String> {
    let inner = line.trim().strip_prefix('{').ok_or_else(|| format!("`{}` does not begin with {{", beginning(line)))?;
    let mut words = Vec::new();
    let mut rest = inner.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('"') {
            let (text, after) = quoted(after)?;
            words.push(Field::Quoted(text));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('}') {
            if !after.trim().is_empty() {
                return Err(format!("`{}` follows the end", beginning(after)));
            }
            break;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || ",}\"".contains(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err("it ends in the middle".to_owned());
            }
            words.push(Field::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }
    let mut fields = Vec::new();
    let mut words = words.into_iter();
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("`{}` has no value", name.word()))?;
        if fields.iter().any(|(other, _)| other == name.word()) {
            return Err(format!("`{}` is there twice", name.word()));
        }
        fields.push((name.word().to_owned(), value));
    }
    Ok(fields)
}

/// A text up to its closing quotation mark, and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut read = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((read, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => read.push('\n'),
                Some((_, 't')) => read.push('\t'),
                Some((_, 'r')) => read.push('\r'),
                Some((_, c @ ('"' | '\\'))) => read.push(c),
                Some((_, other)) => return Err(format!("`\\{other}` stands for nothing")),
                None => break,
            },
            c => read.push(c),
        }
    }
    Err("a text is not closed".to_owned())
}

/// Reads all lines but empty ones; `read` says whether a line was part of the history.
fn each_line(text: &str, mut read: impl FnMut(&str) -> Result<bool, String>) -> Result<(), ParseError> {
    let mut is_empty = true;
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            let is_part = read(line).map_err(|reason| ParseError { line: index + 1, reason })?;
            is_empty &= !is_part;
        }
    }
    match is_empty {
        true => {
            Err(ParseError { line: text.lines().count().max(1), reason: "there is no operation up to here".to_owned() })
        }
        false => Ok(()),
    }
}

fn number<T: std::str::FromStr>(word: &str, what: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{}` is not the number of {what}", beginning(word)))
}

/// The two numbers of `[1 2]`.
fn pair(text: &str) -> Result<(i64, i64), String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match inner.map(|inner| inner.split_whitespace().collect::<Vec<_>>()).as_deref() {
        Some([first, second]) => Ok((number(first, "a value")?, number(second, "a value")?)),
        _ => Err(format!("`{}` is not a pair such as [1 2]", beginning(text))),
    }
}

fn text_of(error: impl Display) -> String {
    error.to_string()
}

/// So much of a text that one line can show it.
fn beginning(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(40).collect();
    if text.trim().chars().count() > 40 {
        shown.push('…');
    }
    shown
}

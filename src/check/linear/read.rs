//! Parsers of histories that other tools recorded: the log of Jepsen's register tests, and porcupine's key-value
//! format.

use std::fmt::Display;

use super::models::{KeyValueAction, KeyValueOp, KeyValueOutput, RegisterOp, RegisterOutput};
use super::{InvalidHistory, TypedHistory};

/// Why a text is not a history, and in which line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A history of a register whose value may be absent.
pub type RegisterHistory = TypedHistory<RegisterOp<Option<i64>>, RegisterOutput<Option<i64>>>;

/// A history of a map.
pub type KeyValueHistory = TypedHistory<KeyValueOp, KeyValueOutput>;

/// Parses Jepsen's log of a compare-and-set register: lines `INFO jepsen.util - PROCESS :TYPE :F VALUE`, in the order
/// of the events. Lines of other loggers are skipped.
///
/// A `:fail` of a `:cas` means that the expected value was not there; every other `:fail` only means that there was no
/// effect. `:info` and the end of the log leave the outcome of an operation unknown.
///
/// # Errors
/// Fails if a line cannot be parsed or cannot follow the lines before it, or if there is no operation at all.
pub fn jepsen_register(text: &str) -> Result<RegisterHistory, ParseError> {
    let mut history = TypedHistory::new();
    each_line(text, |line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [_, "jepsen.util", "-", process, kind, function, value @ ..] => {
                jepsen_event(&mut history, number(process, "a process number")?, kind, function, &value.join(" "))?;
                Ok(true)
            }
            [_, "jepsen.util", ..] => Err("the line is incomplete".to_owned()),
            ["INFO" | "WARN" | "ERROR" | "DEBUG", logger, "-", ..] if logger.contains('.') => Ok(false),
            _ => Err(format!("`{}` is not a line of Jepsen's log", beginning(line))),
        }
    })?;
    Ok(history)
}

fn jepsen_event(
    history: &mut RegisterHistory,
    process: u64,
    kind: &str,
    function: &str,
    value: &str,
) -> Result<(), String> {
    if kind == ":invoke" {
        let op = match function {
            ":read" if value == "nil" => RegisterOp::Read,
            ":read" => return Err(format!("the call of a read must have the value nil, not `{value}`")),
            ":write" => RegisterOp::Write(Some(number(value, "a number")?)),
            ":cas" => {
                let (expected, new) = pair(value)?;
                RegisterOp::CompareAndSet(Some(expected), Some(new))
            }
            _ => return Err(format!("`{function}` is not :read, :write or :cas")),
        };
        return history.call(process, op).map_err(text_of);
    }
    let called = history.open_call(process).ok_or_else(|| InvalidHistory::NoCall(process).to_string())?;
    let is_same_function = matches!(
        (called, function),
        (RegisterOp::Read, ":read") | (RegisterOp::Write(_), ":write") | (RegisterOp::CompareAndSet(..), ":cas")
    );
    if !is_same_function {
        return Err(format!("process {process} called {called:?}, but {function} returns"));
    }
    // In place of a value there may be the reason for a failure, such as `:timed-out`.
    if !value.starts_with(':') {
        let is_same_value = match called {
            RegisterOp::Read => true,
            RegisterOp::Write(written) => *written == Some(number(value, "a number")?),
            RegisterOp::CompareAndSet(expected, new) => {
                let (from, to) = pair(value)?;
                (*expected, *new) == (Some(from), Some(to))
            }
        };
        if !is_same_value {
            return Err(format!("process {process} called {called:?}, but {function} {value} returns"));
        }
    }
    match (kind, function) {
        (":ok", ":read") => {
            let value = if value == "nil" { None } else { Some(number(value, "a number")?) };
            history.ret(process, RegisterOutput::Value(value)).map_err(text_of)
        }
        (":ok", _) if value.starts_with(':') => Err(format!("`{value}` is not a value")),
        (":ok", ":write") => history.ret(process, RegisterOutput::Done).map_err(text_of),
        (":ok", _) => history.ret(process, RegisterOutput::Swapped(true)).map_err(text_of),
        (":fail", ":cas") if !value.starts_with(':') => {
            history.ret(process, RegisterOutput::Swapped(false)).map_err(text_of)
        }
        (":fail", _) => history.fail(process).map_err(text_of),
        (":info", _) => history.give_up(process).map_err(text_of),
        _ => Err(format!("`{kind}` is not :invoke, :ok, :fail or :info")),
    }
}

/// Parses porcupine's history of a map: lines `{:process 0, :type :invoke, :f :append, :key "3", :value "x"}`, in the
/// order of the events. The types are `:invoke`, `:ok`, `:fail` (no effect) and `:info` (unknown outcome); the
/// functions are `:get`, `:put` and `:append`.
///
/// # Errors
/// Fails if a line cannot be parsed or cannot follow the lines before it, or if there is no operation at all.
pub fn porcupine_key_value(text: &str) -> Result<KeyValueHistory, ParseError> {
    let mut history = TypedHistory::new();
    each_line(text, |line| {
        let fields = fields(line)?;
        let field = |name: &str| {
            let found = fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            found.ok_or_else(|| format!("`{name}` is missing"))
        };
        let process = number(field(":process")?.word(), "a process number")?;
        let op = |value: &str| {
            let action = match field(":f")?.word() {
                ":get" => KeyValueAction::Get,
                ":put" => KeyValueAction::Put(value.to_owned()),
                ":append" => KeyValueAction::Append(value.to_owned()),
                other => return Err(format!("`{other}` is not :get, :put or :append")),
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
        // The value that a read returns is not part of its call, and a failure need not repeat the value of a write.
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
            ":fail" => history.fail(process),
            ":info" => history.give_up(process),
            other => return Err(format!("`{other}` is not :invoke, :ok, :fail or :info")),
        }
        .map_err(text_of)
        .map(|()| true)
    })?;
    Ok(history)
}

/// The value of a field: a quoted string or a bare word.
#[derive(Debug)]
enum Field {
    Quoted(String),
    Word(String),
}

impl Field {
    /// The text of the value, whether it is quoted or not.
    fn word(&self) -> &str {
        match self {
            Field::Word(text) | Field::Quoted(text) => text,
        }
    }

    fn quoted(&self, name: &str) -> Result<&str, String> {
        match self {
            Field::Quoted(text) => Ok(text),
            Field::Word(word) => Err(format!("`{name}` is `{word}`, but a string in quotation marks is expected")),
        }
    }
}

/// Parses the fields of `{:name value, ...}`.
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
                return Err(format!("`{}` follows the closing brace", beginning(after)));
            }
            break;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || ",}\"".contains(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err("the line is incomplete".to_owned());
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
            return Err(format!("`{}` occurs twice", name.word()));
        }
        fields.push((name.word().to_owned(), value));
    }
    Ok(fields)
}

/// Parses a string up to its closing quotation mark, and returns it with the rest of the text.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut parsed = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((parsed, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => parsed.push('\n'),
                Some((_, 't')) => parsed.push('\t'),
                Some((_, 'r')) => parsed.push('\r'),
                Some((_, c @ ('"' | '\\'))) => parsed.push(c),
                Some((_, other)) => return Err(format!("`\\{other}` is not an escape sequence")),
                None => break,
            },
            c => parsed.push(c),
        }
    }
    Err("a string has no closing quotation mark".to_owned())
}

/// Parses all lines except empty ones; `parse` returns whether a line is part of the history.
fn each_line(text: &str, mut parse: impl FnMut(&str) -> Result<bool, String>) -> Result<(), ParseError> {
    let mut is_empty = true;
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            let is_part = parse(line).map_err(|reason| ParseError { line: index + 1, reason })?;
            is_empty &= !is_part;
        }
    }
    match is_empty {
        true => Err(ParseError {
            line: text.lines().count().max(1),
            reason: "the history ends without any operation".to_owned(),
        }),
        false => Ok(()),
    }
}

fn number<T: std::str::FromStr>(word: &str, what: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{}` is not {what}", beginning(word)))
}

/// Parses a pair of numbers such as `[1 2]`.
fn pair(text: &str) -> Result<(i64, i64), String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    match inner.map(|inner| inner.split_whitespace().collect::<Vec<_>>()).as_deref() {
        Some([first, second]) => Ok((number(first, "a number")?, number(second, "a number")?)),
        _ => Err(format!("`{}` is not a pair such as [1 2]", beginning(text))),
    }
}

fn text_of(error: impl Display) -> String {
    error.to_string()
}

/// The beginning of a text, short enough for one line.
fn beginning(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(40).collect();
    if text.trim().chars().count() > 40 {
        shown.push('…');
    }
    shown
}

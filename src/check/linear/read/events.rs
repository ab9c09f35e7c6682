//! The events of a history in any of the files that Jepsen writes.
//!
//! - `history.edn`: maps `{:process 0, :type :invoke, :f :read, :value nil}`, or records such as
//!   `#jepsen.history.Op{..}`, one after another or in one vector or list;
//! - `history.txt`: lines `PROCESS :TYPE :F VALUE`, perhaps with an error behind;
//! - `jepsen.log`: the same lines behind the name of the logger `jepsen.util`, among the lines of others.
//!
//! Events of processes whose name is no number, as `:nemesis`, are skipped. Known keys of maps are `:process`, `:type`,
//! `:f`, `:value` and `:key`; others are ignored.

use std::borrow::Cow;

use clojure_reader::edn::{self, Edn};
use clojure_reader::error::Code;

use super::datum::Datum;
use super::parse_error::{ParseError, beginning};

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

/// One event of a history.
#[derive(Debug)]
pub(super) struct Event<'a> {
    /// The line that it begins in, from 1.
    pub(super) line: usize,
    pub(super) process: u64,
    pub(super) kind: Kind,
    /// The name of the operation without its colon.
    pub(super) function: Cow<'a, str>,
    pub(super) key: Option<Datum>,
    pub(super) value: Option<Datum>,
}

/// Reads all events; the file's format is told by how it begins.
pub(super) fn events(text: &str) -> Result<Vec<Event<'_>>, ParseError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(';'));
    match first {
        None => Ok(Vec::new()),
        Some(first) if first.starts_with(['{', '[', '(', '#']) => of_edn(text),
        Some(first) if is_event(first) => of_lines(text, |line, _| Ok(Some(line))),
        Some(_) => of_lines(text, logged),
    }
}

fn of_edn(text: &str) -> Result<Vec<Event<'_>>, ParseError> {
    let mut events = Vec::new();
    let (mut rest, mut line) = (text, 1);
    let mut close = None;
    loop {
        let next = skip_blank(rest);
        line += newlines(&rest[..rest.len() - next.len()]);
        rest = next;
        let refuse = |reason: String| ParseError { line, reason };
        match (rest.chars().next(), close) {
            (None, None) => return Ok(events),
            (None, Some(close)) => return Err(refuse(format!("the closing `{close}` is missing"))),
            (Some(open @ ('[' | '(')), None) if events.is_empty() => {
                close = Some(if open == '[' { ']' } else { ')' });
                rest = &rest[1..];
                continue;
            }
            (Some(next), Some(end)) if next == end => {
                let after = skip_blank(&rest[1..]);
                if after.is_empty() {
                    return Ok(events);
                }
                return Err(refuse(format!("`{}` follows the end of the history", beginning(after))));
            }
            _ => {}
        }
        let (form, after) = edn::read(rest).map_err(|error| unreadable(&error, line))?;
        events.extend(event_of(&form, line).map_err(refuse)?);
        line += newlines(&rest[..rest.len() - after.len()]);
        rest = after;
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The text from its first character on that is neither white space, a comma, nor part of a comment.
fn skip_blank(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if !text.starts_with(';') {
            return text;
        }
        text = text.find('\n').map_or("", |end| &text[end..]);
    }
}

fn unreadable(error: &clojure_reader::error::Error, begins: usize) -> ParseError {
    let line = begins + error.line.map_or(0, |line| line - 1);
    let reason = match &error.code {
        Code::UnexpectedEOF => return ParseError { line: begins, reason: "what begins here has no end".to_owned() },
        Code::UnmatchedDelimiter(delimiter) => format!("`{delimiter}` closes nothing"),
        code => match format!("{code:?}") {
            code if code.ends_with("DuplicateKey") => "a map or a set has the same entry twice".to_owned(),
            code => format!("this is not EDN ({code})"),
        },
    };
    ParseError { line, reason }
}

fn event_of<'a>(form: &Edn<'a>, line: usize) -> Result<Option<Event<'a>>, String> {
    let mut form = form;
    while let Edn::Tagged(_, inner) = form {
        form = inner;
    }
    let Edn::Map(fields) = form else {
        return Err(format!("`{}` is not a map", beginning(&form.to_string())));
    };
    let field = |name: &'static str| fields.get(&Edn::key(name));
    let needed = |name| field(name).ok_or_else(|| format!("`:{name}` is missing"));
    let keyword = |name| match needed(name)? {
        Edn::Key(word) => Ok(word.clone()),
        other => Err(format!("`:{name}` is `{other}`, but a keyword is expected")),
    };
    let process = match needed("process")? {
        Edn::Int(process) => u64::try_from(*process).map_err(|_| format!("`{process}` is not a process number"))?,
        Edn::Key(_) => return Ok(None),
        other => return Err(format!("`{other}` is not a process number")),
    };
    let (kind, function) = (kind(&keyword("type")?)?, keyword("f")?);
    let (key, value) = (field("key").map(Datum::of), field("value").map(Datum::of));
    Ok(Some(Event { line, process, kind, function, key, value }))
}

fn kind(word: &str) -> Result<Kind, String> {
    match word {
        "invoke" => Ok(Kind::Invoke),
        "ok" => Ok(Kind::Ok),
        "fail" => Ok(Kind::Fail),
        "info" => Ok(Kind::Info),
        other => Err(format!("`:{other}` is not :invoke, :ok, :fail or :info")),
    }
}

/// What a line of a log is about, seen from the line before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// An event, or the first line.
    Event,
    /// Something else, whose text may go on in the next line.
    Other,
}

/// Reads the events of those lines of which `select` returns a part.
fn of_lines(
    text: &str,
    select: impl Fn(&str, Line) -> Result<Option<&str>, String>,
) -> Result<Vec<Event<'_>>, ParseError> {
    let mut events = Vec::new();
    let mut before = Line::Event;
    for (index, line) in text.lines().enumerate() {
        let refuse = |reason| ParseError { line: index + 1, reason };
        if line.trim().is_empty() {
            continue;
        }
        let part = select(line, before).map_err(refuse)?;
        before = if part.is_some() { Line::Event } else { Line::Other };
        if let Some(part) = part {
            events.extend(event_in(part, index + 1)?);
        }
    }
    Ok(events)
}

/// The part of a log's line behind `jepsen.util`, if it is an event; `None` for what others logged.
fn logged(line: &str, before: Line) -> Result<Option<&str>, String> {
    let own = ["jepsen.util - ", "jepsen.util: "].iter().find_map(|logger| line.split_once(logger));
    if let Some((_, message)) = own {
        let mut words = message.split_whitespace();
        let begins_as_one = words.next().is_some_and(|word| word.parse::<u64>().is_ok());
        return Ok((begins_as_one || is_event(message)).then_some(message));
    }
    let words: Vec<&str> = line.split_whitespace().take(3).collect();
    let is_log = match words.as_slice() {
        // LEVEL LOGGER - MESSAGE
        ["INFO" | "WARN" | "ERROR" | "DEBUG" | "TRACE" | "FATAL", logger, "-"] => logger.contains('.'),
        ["INFO" | "WARN" | "ERROR" | "DEBUG" | "TRACE" | "FATAL", ..] => false,
        // DATE TIME LEVEL [THREAD] LOGGER: MESSAGE
        [date, ..] if is_date(date) => {
            let logger = line.split_once("] ").and_then(|(_, rest)| rest.split_whitespace().next());
            logger.is_some_and(|logger| logger.ends_with(':'))
        }
        // A message or a stack trace goes on.
        _ => before == Line::Other,
    };
    if is_log { Ok(None) } else { Err(format!("`{}` is not a line of Jepsen's log", beginning(line))) }
}

fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text is `PROCESS :TYPE ..`, whatever the process is.
fn is_event(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let (Some(_), Some(second)) = (words.next(), words.next()) else { return false };
    second.strip_prefix(':').is_some_and(|word| kind(word).is_ok())
}

/// Reads `PROCESS :TYPE :F VALUE` and ignores what follows.
fn event_in(text: &str, line: usize) -> Result<Option<Event<'_>>, ParseError> {
    let refuse = |reason: String| ParseError { line, reason };
    let (process, rest) = word(text);
    let (type_, rest) = word(rest);
    let (function, rest) = word(rest);
    if process.starts_with(':') {
        return Ok(None);
    }
    let process = process.parse().map_err(|_| refuse(format!("`{}` is not a process number", beginning(process))))?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(refuse("the line is incomplete".to_owned()));
    }
    let keyword = |word: &'_ str| {
        let name = word.strip_prefix(':').map(str::to_owned);
        name.ok_or_else(|| refuse(format!("`{}` is not a keyword", beginning(word))))
    };
    let kind = kind(&keyword(type_)?).map_err(refuse)?;
    let function = Cow::Owned(keyword(function)?);
    let (value, _) = edn::read(rest).map_err(|error| unreadable(&error, line))?;
    Ok(Some(Event { line, process, kind, function, key: None, value: Some(Datum::of(&value)) }))
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

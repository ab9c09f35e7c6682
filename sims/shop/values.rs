//! The store's plain values: reads, writes, and writes that only succeed if nobody else wrote in between.
//!
//! Owns the table of values and the meaning of `GET` and `PUT /values/KEY`. A value has a version, which counts its
//! writes and is its entity tag: `If-Match: "3"` writes only over version 3, `If-None-Match: *` only where there is no
//! value. The store, which calls this, waits for the disk and handles its failures.

use hyper::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request, StatusCode};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use serde::{Deserialize, Serialize};

use super::message::{Answer, Body, Expiry, is_sku, json, problem, read_body};

/// The path of a value, up to its key.
pub const PATH: &str = "/values/";

/// The version and the value of each key.
const VALUES: TableDefinition<'_, &str, (u64, &str)> = TableDefinition::new("values");

/// A value as it is read; after a write, the new version and what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// How many times the key was written.
    pub version: u64,
    /// The value that was written last.
    pub value: String,
}

/// The body of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewValue {
    /// The value to write.
    pub value: String,
}

/// A parsed request for `/values/KEY`.
pub(super) enum KeyedOp {
    Read { key: String },
    Write(Write),
}

/// A requested write.
pub(super) struct Write {
    key: String,
    value: String,
    /// The version that the write requires, if any; 0 means that the key has no value yet.
    expected: Option<u64>,
}

/// Parses a request for `/values/KEY`.
///
/// # Errors
/// The answer to give if the request is invalid or too late.
pub(super) async fn parse(request: Request<Body>, expiry: Expiry) -> Result<KeyedOp, Answer> {
    let (parts, body) = request.into_parts();
    let key = parts.uri.path().strip_prefix(PATH).unwrap_or_default().to_owned();
    if !is_sku(&key) {
        return Err(problem(StatusCode::BAD_REQUEST, "a key is 1 to 64 letters, digits, dots, dashes or underscores"));
    }
    match parts.method {
        Method::GET => Ok(KeyedOp::Read { key }),
        Method::PUT => {
            let Ok(expected) = expected(&parts.headers) else {
                return Err(problem(StatusCode::BAD_REQUEST, "If-Match must be a version, If-None-Match must be *"));
            };
            let body = read_body(body, expiry).await?;
            let Ok(NewValue { value }) = serde_json::from_slice(&body) else {
                return Err(problem(StatusCode::BAD_REQUEST, "not a value"));
            };
            if expiry.left().is_none() {
                return Err(problem(StatusCode::GATEWAY_TIMEOUT, "too late to begin"));
            }
            Ok(KeyedOp::Write(Write { key, value, expected }))
        }
        _ => Err(problem(StatusCode::METHOD_NOT_ALLOWED, "values are read and written")),
    }
}

fn versioned(found: &Versioned) -> Answer {
    let mut answer = json(StatusCode::OK, found);
    let tag = HeaderValue::from_str(&format!("\"{}\"", found.version)).expect("digits are a valid header value");
    answer.headers_mut().insert(ETAG, tag);
    answer
}

/// The version that a write's headers require, if any; 0 means that the key has no value yet.
fn expected(headers: &HeaderMap) -> Result<Option<u64>, ()> {
    match (headers.get(IF_MATCH), headers.get(IF_NONE_MATCH)) {
        (None, None) => Ok(None),
        (None, Some(any)) if any == "*" => Ok(Some(0)),
        (Some(tag), None) => {
            let version = tag.to_str().ok().and_then(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
            version.filter(|version| *version > 0).map(Some).ok_or(())
        }
        _ => Err(()),
    }
}

/// Answers with the value of a key.
pub(super) fn read(database: &Database, key: &str) -> Result<Answer, redb::Error> {
    Ok(match find(database, key)? {
        Some(found) => versioned(&found),
        None => problem(StatusCode::NOT_FOUND, "no such value"),
    })
}

/// Answers a write: with what was written, or that the key has another version than expected.
pub(super) fn answer_to_write(written: Option<Versioned>) -> Answer {
    match written {
        Some(written) => versioned(&written),
        None => problem(StatusCode::PRECONDITION_FAILED, "another version is there"),
    }
}

fn find(database: &Database, key: &str) -> Result<Option<Versioned>, redb::Error> {
    let values = match database.begin_read()?.open_table(VALUES) {
        Ok(values) => values,
        // The first write creates the table.
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = values.get(key)?;
    Ok(found.map(|found| Versioned { version: found.value().0, value: found.value().1.to_owned() }))
}

impl Write {
    /// Writes, unless the key has another version than expected; then it returns `None`. Returns what was written.
    pub(super) fn run(self, database: &Database, durability: Durability) -> Result<Option<Versioned>, redb::Error> {
        let version = self.commit(database, durability)?;
        Ok(version.map(|version| Versioned { version, value: self.value }))
    }

    /// Compares and writes in one transaction. Returns the new version; `None` if the key has another version than
    /// expected.
    fn commit(&self, database: &Database, durability: Durability) -> Result<Option<u64>, redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(durability)?;
        let written = {
            let mut values = transaction.open_table(VALUES)?;
            let version = values.get(self.key.as_str())?.map_or(0, |found| found.value().0);
            if self.expected.is_none_or(|expected| expected == version) {
                values.insert(self.key.as_str(), (version + 1, self.value.as_str()))?;
                Some(version + 1)
            } else {
                None
            }
        };
        match written {
            Some(_) => transaction.commit()?,
            None => transaction.abort()?,
        }
        Ok(written)
    }
}

//! The store's plain values: read, written, and written only if nobody else wrote in between.
//!
//! Owns the table of values and what `GET` and `PUT /values/KEY` mean. A value has a version, which counts its writes and is
//! its entity tag: `If-Match: "3"` writes only over version 3, `If-None-Match: *` only where there is nothing. Knows nothing
//! of the store that asks: how long the disk takes, and what a failure of it means, is the store's business.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request, StatusCode};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use serde::{Deserialize, Serialize};

use super::message::{Answer, Expiry, is_sku, json, problem, read_body};

/// Where values are found, by their keys.
pub const PATH: &str = "/values/";

/// The version and the value of each key.
const VALUES: TableDefinition<'_, &str, (u64, &str)> = TableDefinition::new("values");

/// A value as it is read; after a write, the new version and what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// How often the key was written.
    pub version: u64,
    /// What was written last.
    pub value: String,
}

/// The body of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewValue {
    /// What is to be written.
    pub value: String,
}

/// What can be done wrong with values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mistakes {
    /// The version is compared first, and others may write before the write itself.
    pub compares_before_it_writes: bool,
}

/// What a request for `/values/KEY` asks for.
pub(super) enum KeyedOp {
    Read { key: String },
    Write(Write),
}

/// A write as it was asked for.
pub(super) struct Write {
    key: String,
    value: String,
    /// The version that must be there, if any must; 0 stands for nothing.
    expected: Option<u64>,
}

/// Reads a request for `/values/KEY`; one that cannot be carried out is an answer to give instead.
pub(super) async fn parse(request: Request<Incoming>, expiry: Expiry) -> Result<KeyedOp, Answer> {
    let (parts, body) = request.into_parts();
    let key = parts.uri.path().strip_prefix(PATH).unwrap_or_default().to_owned();
    if !is_sku(&key) {
        return Err(problem(StatusCode::BAD_REQUEST, "a key is 1 to 64 letters, digits, dots or dashes"));
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
    let tag = HeaderValue::from_str(&format!("\"{}\"", found.version)).expect("digits make a header");
    answer.headers_mut().insert(ETAG, tag);
    answer
}

/// The version that must be there, if the request says so; 0 stands for nothing.
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

/// Answers what the value of a key is.
pub(super) fn read(database: &Database, key: &str) -> Result<Answer, redb::Error> {
    Ok(match find(database, key)? {
        Some(found) => versioned(&found),
        None => problem(StatusCode::NOT_FOUND, "no such value"),
    })
}

/// Answers what became of a write: what it wrote, or nothing as another version than expected was there.
pub(super) fn answer_to_write(written: Option<Versioned>) -> Answer {
    match written {
        Some(written) => versioned(&written),
        None => problem(StatusCode::PRECONDITION_FAILED, "another version is there"),
    }
}

fn find(database: &Database, key: &str) -> Result<Option<Versioned>, redb::Error> {
    let values = match database.begin_read()?.open_table(VALUES) {
        Ok(values) => values,
        // The first write makes it.
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = values.get(key)?;
    Ok(found.map(|found| Versioned { version: found.value().0, value: found.value().1.to_owned() }))
}

impl Write {
    /// Writes unless another version than expected is there. Returns what was written.
    pub(super) async fn run(
        mut self,
        database: &Database,
        durability: Durability,
        mistakes: Mistakes,
    ) -> Result<Option<Versioned>, redb::Error> {
        if mistakes.compares_before_it_writes
            && let Some(expected) = self.expected.take()
        {
            if find(database, &self.key)?.map_or(0, |found| found.version) != expected {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let version = self.commit(database, durability)?;
        Ok(version.map(|version| Versioned { version, value: self.value }))
    }

    /// Compares and writes in one transaction. Returns the new version, none if another one than expected is there.
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

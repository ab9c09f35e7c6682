//! The store's plain values: read, written, and written only if nobody else wrote in between.
//!
//! Owns the table of values and their routes, `GET` and `PUT /values/KEY`. A value has a version, which counts its writes
//! and is its entity tag: `If-Match: "3"` writes only over version 3, `If-None-Match: *` only where there is nothing.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request, StatusCode};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use serde::{Deserialize, Serialize};

use super::message::{Answer, Expiry, is_sku, json, problem, read_body};
use super::store::{Config, Store};

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

/// Answers a request for `/values/KEY`.
pub(super) async fn route(store: &Store, request: Request<Incoming>, expiry: Expiry) -> Answer {
    let (parts, body) = request.into_parts();
    let key = parts.uri.path().strip_prefix(PATH).unwrap_or_default();
    if !is_sku(key) {
        return problem(StatusCode::BAD_REQUEST, "a key is 1 to 64 letters, digits, dots or dashes");
    }
    match parts.method {
        Method::GET => {
            let found = read(&store.database, key);
            store.config.after_read.wait().await;
            match found {
                Ok(Some(found)) => versioned(&found),
                Ok(None) => problem(StatusCode::NOT_FOUND, "no such value"),
                Err(error) => store.disk_failure(&error),
            }
        }
        Method::PUT => {
            let Ok(expected) = expected(&parts.headers) else {
                return problem(StatusCode::BAD_REQUEST, "If-Match must be a version, If-None-Match must be *");
            };
            let body = match expiry.limit(read_body(body)).await {
                Some(Ok(body)) => body,
                Some(Err(answer)) => return answer,
                None => return problem(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
            };
            let Ok(NewValue { value }) = serde_json::from_slice(&body) else {
                return problem(StatusCode::BAD_REQUEST, "not a value");
            };
            if expiry.left().is_none() {
                return problem(StatusCode::GATEWAY_TIMEOUT, "too late to begin");
            }
            put(store, key, value, expected).await
        }
        _ => problem(StatusCode::METHOD_NOT_ALLOWED, "values are read and written"),
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

fn read(database: &Database, key: &str) -> Result<Option<Versioned>, redb::Error> {
    let values = match database.begin_read()?.open_table(VALUES) {
        Ok(values) => values,
        // The first write makes it.
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let found = values.get(key)?;
    Ok(found.map(|found| Versioned { version: found.value().0, value: found.value().1.to_owned() }))
}

async fn put(store: &Store, key: &str, value: String, expected: Option<u64>) -> Answer {
    let Store { database, config, .. } = store;
    let differs = || problem(StatusCode::PRECONDITION_FAILED, "another version is there");
    let mut expected = expected;
    if config.value_mistakes.compares_before_it_writes && expected.is_some() {
        match read(database, key) {
            Ok(found) if found.as_ref().map_or(0, |found| found.version) != expected.unwrap_or_default() => {
                return differs();
            }
            Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => return store.disk_failure(&error),
        }
        expected = None;
    }
    match write(database, config, key, &value, expected) {
        Ok(Some(version)) => {
            if !config.mistakes.acknowledge_before_sync {
                config.after_commit.wait().await;
            }
            versioned(&Versioned { version, value })
        }
        Ok(None) => differs(),
        Err(error) => store.disk_failure(&error),
    }
}

/// Compares and writes in one transaction. Returns the new version, none if another one than expected is there.
fn write(
    database: &Database,
    config: &Config,
    key: &str,
    value: &str,
    expected: Option<u64>,
) -> Result<Option<u64>, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(match config.mistakes.acknowledge_before_sync {
        true => Durability::None,
        false => Durability::Immediate,
    })?;
    let written = {
        let mut values = transaction.open_table(VALUES)?;
        let version = values.get(key)?.map_or(0, |found| found.value().0);
        if expected.is_none_or(|expected| expected == version) {
            values.insert(key, (version + 1, value))?;
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

//! The values of histories that other tools recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use clojure_reader::edn::Edn;

/// A value of a history: what EDN, the notation of Clojure, can write. Tags are left out, and lists are vectors.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Datum {
    /// `nil`.
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A keyword, with its colon.
    Keyword(Arc<str>),
    /// A string.
    Text(Arc<str>),
    /// A vector or a list.
    List(Arc<[Datum]>),
    /// A set.
    Set(Arc<BTreeSet<Datum>>),
    /// A map.
    Map(Arc<BTreeMap<Datum, Datum>>),
    /// Anything else, for example a symbol or a fraction, as it is written.
    Other(Arc<str>),
}

impl Datum {
    pub(super) fn of(edn: &Edn<'_>) -> Datum {
        match edn {
            Edn::Nil => Datum::Nil,
            Edn::Bool(value) => Datum::Bool(*value),
            Edn::Int(value) => Datum::Int(*value),
            Edn::Key(name) => Datum::Keyword(format!(":{name}").into()),
            Edn::Str(text) => Datum::Text(text.as_ref().into()),
            Edn::Vector(items) | Edn::List(items) => Datum::List(items.iter().map(Datum::of).collect()),
            Edn::Set(items) => Datum::Set(Arc::new(items.iter().map(Datum::of).collect())),
            Edn::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (Datum::of(key), Datum::of(value)));
                Datum::Map(Arc::new(entries.collect()))
            }
            Edn::Tagged(_, value) => Datum::of(value),
            other => Datum::Other(other.to_string().into()),
        }
    }

    /// The items of a list or a set.
    pub(super) fn items(&self) -> Option<Vec<Datum>> {
        match self {
            Datum::List(items) => Some(items.to_vec()),
            Datum::Set(items) => Some(items.iter().cloned().collect()),
            _ => None,
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = |f: &mut fmt::Formatter<'_>, open: &str, items: &mut dyn Iterator<Item = String>, close: &str| {
            write!(f, "{open}{}{close}", items.collect::<Vec<_>>().join(" "))
        };
        match self {
            Datum::Nil => f.write_str("nil"),
            Datum::Bool(value) => write!(f, "{value}"),
            Datum::Int(value) => write!(f, "{value}"),
            Datum::Keyword(text) | Datum::Other(text) => f.write_str(text),
            Datum::Text(text) => write!(f, "{text:?}"),
            Datum::List(list) => items(f, "[", &mut list.iter().map(Datum::to_string), "]"),
            Datum::Set(set) => items(f, "#{", &mut set.iter().map(Datum::to_string), "}"),
            Datum::Map(map) => items(f, "{", &mut map.iter().map(|(key, value)| format!("{key} {value}")), "}"),
        }
    }
}

/// The same text as [`Display`](fmt::Display) writes, as it stands for itself in messages.
impl fmt::Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

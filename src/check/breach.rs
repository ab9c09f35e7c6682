//! How a promise was broken: why and, where the check knows them, at which moment and by which operation.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::history::Operation;

/// How a promise was broken. Any text becomes one, which then says nothing about the moment.
///
/// ```
/// use squall::check::Breach;
/// use squall::fault::secs;
///
/// let breach = Breach::from("p99 was 300ms").at(secs(12));
/// assert_eq!((breach.why(), breach.moment()), ("p99 was 300ms", Some(secs(12))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    why: String,
    since: Option<Duration>,
    at: Option<Duration>,
    operation: Option<Box<Operation>>,
}

impl Breach {
    /// The same breach, which happened at this virtual time.
    pub fn at(self, moment: Duration) -> Breach {
        Breach { at: Some(moment), ..self }
    }

    /// The same breach, which began with what happened at this virtual time: the first of two effects, for example. Reports
    /// show it, however long before the breach it was.
    pub fn since(self, moment: Duration) -> Breach {
        Breach { since: Some(moment), ..self }
    }

    /// The same breach, which this operation shows.
    pub fn of(self, operation: &Operation) -> Breach {
        Breach { operation: Some(Box::new(operation.clone())), ..self }
    }

    /// Which promise was broken, with its numbers and the operation.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The operation that shows it.
    pub fn operation(&self) -> Option<&Operation> {
        self.operation.as_deref()
    }

    /// The virtual time of what it began with, if the check says so.
    pub fn beginning(&self) -> Option<Duration> {
        self.since
    }

    /// The virtual time at which the promise was broken: as the check says, or else when the operation ended, or when it
    /// was invoked if it never did.
    pub fn moment(&self) -> Option<Duration> {
        let of_operation = |operation: &Operation| {
            operation.completed.as_ref().map_or(operation.invoked_at, |(completed_at, _)| *completed_at)
        };
        self.at.or_else(|| self.operation().map(of_operation))
    }
}

impl From<String> for Breach {
    fn from(why: String) -> Breach {
        Breach { why, since: None, at: None, operation: None }
    }
}

impl From<&str> for Breach {
    fn from(why: &str) -> Breach {
        Breach::from(why.to_owned())
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// How a breach with a moment is written; one without is written as its text alone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Duration>,
    #[serde(default)]
    at: Option<Duration>,
    #[serde(default)]
    operation: Option<Box<Operation>>,
}

impl Serialize for Breach {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.since, self.at, &self.operation) {
            (None, None, None) => serializer.serialize_str(&self.why),
            (since, at, operation) => {
                Written { why: self.why.clone(), since, at, operation: operation.clone() }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Breach {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Breach, D::Error> {
        struct AsWritten;

        impl<'de> Visitor<'de> for AsWritten {
            type Value = Breach;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the text of a failure, or a map with `why`, `since`, `at` and `operation`")
            }

            fn visit_str<E: Error>(self, why: &str) -> Result<Breach, E> {
                Ok(Breach::from(why))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Breach, A::Error> {
                let Written { why, since, at, operation } = Written::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Breach { why, since, at, operation })
            }
        }

        deserializer.deserialize_any(AsWritten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::Completion;
    use crate::trace::HostId;

    fn operation(completed: Option<Duration>) -> Operation {
        Operation {
            host: HostId(1),
            client: 2,
            life: 0,
            name: "read".to_owned(),
            input: "null".to_owned(),
            invoked_at: millis(5),
            completed: completed.map(|at| (at, Completion::Ok("7".to_owned()))),
        }
    }

    #[test]
    fn the_moment_is_stated_or_that_of_the_operation_and_never_read_from_the_text() {
        assert_eq!(Breach::from("p99 was 300ms at 4s").moment(), None);
        assert_eq!(Breach::from("late").at(secs(3)).of(&operation(Some(secs(9)))).moment(), Some(secs(3)));
        assert_eq!(Breach::from("late").of(&operation(Some(secs(9)))).moment(), Some(secs(9)));
        assert_eq!(Breach::from("late").of(&operation(None)).moment(), Some(millis(5)));
    }

    #[test]
    fn a_breach_is_written_as_short_as_it_can_be_and_read_back() {
        let check = |breach: Breach, written: &str| {
            assert_eq!(serde_json::to_string(&breach).unwrap(), written);
            assert_eq!(serde_json::from_str::<Breach>(written).unwrap(), breach);
        };
        check(Breach::from("late"), "\"late\"");
        check(Breach::from("late").at(secs(3)), r#"{"why":"late","at":{"secs":3,"nanos":0},"operation":null}"#);
        let whole = Breach::from("late").of(&operation(None));
        assert_eq!(serde_json::from_str::<Breach>(&serde_json::to_string(&whole).unwrap()).unwrap(), whole);
        let wrong = serde_json::from_str::<Breach>("7").unwrap_err().to_string();
        assert!(wrong.contains("expected the text of a failure"), "{wrong}");
    }
}

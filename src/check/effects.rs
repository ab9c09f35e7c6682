//! Promises about effects: what was acknowledged happened once, what was not happened at most once, and all of it is
//! still there in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Check, Verdict, life};
use crate::history::{History, Operation};
use crate::trace::{Event, Trace};

/// The name of an effect: whatever makes two effects of one request recognisable as such.
pub type EffectKey = String;

type Acknowledged = dyn Fn(&Operation) -> Option<EffectKey> + Send + Sync;
type Audited = dyn Fn(&Operation) -> Option<Vec<EffectKey>> + Send + Sync;

/// Reads effects out of a history: which were acknowledged to clients, and which an audit found at the end.
#[derive(Clone)]
pub struct Effects {
    acknowledged: Arc<Acknowledged>,
    audited: Arc<Audited>,
}

impl Effects {
    /// `acknowledged` gives the key of the effect that an operation was acknowledged to have had; `audited` the keys of
    /// all effects (repeated where one happened twice) if the operation is an audit that succeeded. The last audit
    /// counts.
    pub fn new(
        acknowledged: impl Fn(&Operation) -> Option<EffectKey> + Send + Sync + 'static,
        audited: impl Fn(&Operation) -> Option<Vec<EffectKey>> + Send + Sync + 'static,
    ) -> Effects {
        Effects { acknowledged: Arc::new(acknowledged), audited: Arc::new(audited) }
    }

    /// How often each effect happened, by the last audit; none if no audit succeeded.
    fn audit(&self, history: &History) -> Option<BTreeMap<EffectKey, usize>> {
        let keys = history.operations.iter().rev().find_map(|operation| (self.audited)(operation))?;
        let mut counts = BTreeMap::new();
        for key in keys {
            *counts.entry(key).or_default() += 1;
        }
        Some(counts)
    }

    /// I1: no request has its effect twice.
    pub fn at_most_once(&self) -> Check {
        let this = self.clone();
        Check::new("I1 no effect happens twice", move |_, history| {
            let Some(counts) = this.audit(history) else { return no_audit() };
            match counts.iter().find(|(_, count)| **count > 1) {
                Some((key, count)) => Verdict::Fail(format!("I1: the effect of {key} happened {count} times")),
                None => Verdict::Pass,
            }
        })
    }

    /// I2: what was acknowledged happened exactly once.
    pub fn acknowledged_exactly_once(&self) -> Check {
        let this = self.clone();
        Check::new("I2 acknowledged effects happen exactly once", move |_, history| {
            let Some(counts) = this.audit(history) else { return no_audit() };
            for operation in &history.operations {
                let Some(key) = (this.acknowledged)(operation) else { continue };
                let count = counts.get(&key).copied().unwrap_or_default();
                if count != 1 {
                    let operation = life::describe(operation);
                    return Verdict::Fail(format!("I2: the effect of {key} happened {count} times: {operation}"));
                }
            }
            Verdict::Pass
        })
    }

    /// C2: what was acknowledged before a crash is still there after it.
    pub fn acknowledged_survive_crashes(&self) -> Check {
        let this = self.clone();
        Check::new("C2 acknowledged effects survive crashes", move |trace: &Trace, history| {
            let Some(counts) = this.audit(history) else { return no_audit() };
            let crashes: Vec<_> = trace
                .records
                .iter()
                .filter(|record| matches!(record.event, Event::Killed | Event::PoweredOff))
                .map(|record| record.at)
                .collect();
            let last = crashes.last().copied().unwrap_or_default();
            for operation in &history.operations {
                let Some(key) = (this.acknowledged)(operation) else { continue };
                let acknowledged_at = operation.completed.as_ref().map_or(last, |(at, _)| *at);
                if acknowledged_at <= last && !counts.contains_key(&key) {
                    let crash = crashes.iter().find(|crash| **crash >= acknowledged_at).unwrap_or(&last);
                    let (operation, crash) = (life::describe(operation), crate::fault::duration_text(*crash));
                    return Verdict::Fail(format!("C2: {key} is gone; a crash at {crash} followed: {operation}"));
                }
            }
            Verdict::Pass
        })
    }
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Effects")
    }
}

fn no_audit() -> Verdict {
    Verdict::Unknown("no audit of the effects succeeded".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{millis, secs};
    use crate::history::Completion;
    use crate::trace::HostId;

    fn operation(name: &str, at: u64, answer: &str) -> Operation {
        Operation {
            host: HostId(0),
            client: 0,
            name: name.into(),
            input: "null".into(),
            invoked_at: millis(at),
            completed: Some((millis(at + 50), Completion::Ok(answer.into()))),
        }
    }

    fn words(acknowledged: &[&str], audited: &str) -> [&'static str; 3] {
        let mut trace = Trace::new(vec!["store".into()], millis(10), secs(60), false);
        trace.push(secs(9), Some(HostId(0)), Event::PoweredOff);
        let mut history = History::default();
        history.operations.extend(acknowledged.iter().map(|key| operation("put", 100, &format!("\"{key}\""))));
        history.operations.push(operation("audit", 20_000, audited));
        let effects = Effects::new(
            |operation| (operation.name == "put").then(|| operation.answer().ok()?).flatten(),
            |operation| (operation.name == "audit").then(|| operation.answer().ok()?).flatten(),
        );
        let checks =
            [effects.at_most_once(), effects.acknowledged_exactly_once(), effects.acknowledged_survive_crashes()];
        checks.map(|check| check.judge(&trace, &history).word())
    }

    #[test]
    fn effects_are_counted() {
        assert_eq!(words(&["a", "b"], r#"["a","b","c"]"#), ["pass", "pass", "pass"]);
        assert_eq!(words(&["a"], r#"["a","a"]"#), ["fail", "fail", "pass"]);
        assert_eq!(words(&["a"], r#"["c","c"]"#), ["fail", "fail", "fail"]);
        assert_eq!(words(&["a", "b"], r#"["a"]"#), ["pass", "fail", "fail"]);
    }

    #[test]
    fn without_an_audit_nothing_is_known() {
        assert_eq!(words(&["a"], "17"), ["unknown", "unknown", "unknown"]);
    }
}

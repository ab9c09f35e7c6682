//! Checks of effects: an acknowledged effect happens exactly once, any other at most once, and acknowledged effects are
//! still there at the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Check, Verdict, life};
use crate::history::{Completion, History, Operation};
use crate::trace::{Event, Trace};

/// The key of an effect. Effects with the same key belong to the same request.
pub type EffectKey = String;

type ReadKey = dyn Fn(&Operation) -> Option<EffectKey> + Send + Sync;
type ReadAudit = dyn Fn(&Operation) -> Option<Vec<EffectKey>> + Send + Sync;

/// The outcome of a client's request for an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientOutcome {
    /// The request was refused: the effect must never happen.
    Refused,
    /// The outcome is unknown: the effect may happen once or never.
    Unknown,
    /// The request was acknowledged: the effect must happen exactly once.
    Acknowledged,
}

/// An effect that happened more or less often than its outcome allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongEffect {
    /// The key of the effect.
    pub key: EffectKey,
    /// How often it happened.
    pub happened: usize,
    /// The outcome of its requests; `None` if no client requested it.
    pub outcome: Option<ClientOutcome>,
}

impl std::fmt::Display for WrongEffect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = match self.outcome {
            Some(ClientOutcome::Refused) => "instead of never: it was refused",
            Some(ClientOutcome::Unknown) => "instead of at most once: its outcome is unknown",
            Some(ClientOutcome::Acknowledged) => "instead of once: it was acknowledged",
            None => "instead of never: no client requested it",
        };
        let times = if self.happened == 1 { "time" } else { "times" };
        write!(f, "the effect of {} happened {} {times} {why}", self.key, self.happened)
    }
}

/// Returns the effects that happened too often or not often enough, in the order of their keys. `requested` are the
/// requested effects with their outcomes, and `found` the effects that exist at the end, each as often as it happened.
///
/// Several requests with one key are one request that was retried: it is acknowledged if any of them is, refused if all
/// are, and unknown otherwise.
///
/// ```
/// use squall::check::{ClientOutcome, wrong_effects};
///
/// let requested = [
///     ("a", ClientOutcome::Unknown),
///     ("a", ClientOutcome::Acknowledged),
///     ("b", ClientOutcome::Refused),
///     ("c", ClientOutcome::Unknown),
/// ];
/// let requested = requested.map(|(key, outcome)| (key.to_owned(), outcome));
/// assert!(wrong_effects(requested.clone(), ["a".to_owned()]).is_empty());
/// let wrong = wrong_effects(requested, ["a", "a", "b", "c"].map(str::to_owned));
/// assert_eq!(wrong.len(), 2);
/// assert_eq!((wrong[0].key.as_str(), wrong[0].happened), ("a", 2));
/// assert_eq!(wrong[1].to_string(), "the effect of b happened 1 time instead of never: it was refused");
/// ```
pub fn wrong_effects(
    requested: impl IntoIterator<Item = (EffectKey, ClientOutcome)>,
    found: impl IntoIterator<Item = EffectKey>,
) -> Vec<WrongEffect> {
    let mut effects: BTreeMap<EffectKey, (Option<ClientOutcome>, usize)> = BTreeMap::new();
    for (key, outcome) in requested {
        // An acknowledgement outweighs an unknown outcome, which outweighs a refusal.
        let strongest = &mut effects.entry(key).or_default().0;
        *strongest = (*strongest).max(Some(outcome));
    }
    for key in found {
        effects.entry(key).or_default().1 += 1;
    }
    let is_right = |outcome: Option<ClientOutcome>, happened: usize| match outcome {
        Some(ClientOutcome::Acknowledged) => happened == 1,
        Some(ClientOutcome::Unknown) => happened <= 1,
        Some(ClientOutcome::Refused) | None => happened == 0,
    };
    let wrong = effects.into_iter().filter(|(_, (outcome, happened))| !is_right(*outcome, *happened));
    wrong.map(|(key, (outcome, happened))| WrongEffect { key, happened, outcome }).collect()
}

/// Reads effects from a history: those that were acknowledged to clients, and those that an audit found at the end.
#[derive(Clone)]
pub struct Effects {
    acknowledged: Arc<ReadKey>,
    audited: Arc<ReadAudit>,
}

impl Effects {
    /// `acknowledged` returns the key of the effect that was acknowledged to an operation. `audited` returns the keys
    /// of all effects, each as often as it happened, if the operation is a successful audit. Only the last audit
    /// counts.
    pub fn new(
        acknowledged: impl Fn(&Operation) -> Option<EffectKey> + Send + Sync + 'static,
        audited: impl Fn(&Operation) -> Option<Vec<EffectKey>> + Send + Sync + 'static,
    ) -> Effects {
        Effects { acknowledged: Arc::new(acknowledged), audited: Arc::new(audited) }
    }

    /// How often each effect happened according to the last audit; `None` if no audit succeeded.
    fn audit(&self, history: &History) -> Option<BTreeMap<EffectKey, usize>> {
        let keys = history.operations.iter().rev().find_map(|operation| (self.audited)(operation))?;
        let mut counts = BTreeMap::new();
        for key in keys {
            *counts.entry(key).or_default() += 1;
        }
        Some(counts)
    }

    /// I1: no effect happens twice.
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

    /// I2: every acknowledged effect happens exactly once.
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

    /// I3: every effect happens as often as its outcome allows: acknowledged effects exactly once, refused ones never,
    /// unknown ones at most once, and no effect that was not requested. `requested` returns the key of the effect that
    /// an operation requested, whatever its outcome.
    pub fn match_outcomes(&self, requested: impl Fn(&Operation) -> Option<EffectKey> + Send + Sync + 'static) -> Check {
        let this = self.clone();
        Check::new("I3 effects match the outcomes that clients saw", move |_, history| {
            let Some(counts) = this.audit(history) else { return no_audit() };
            let outcome = |operation: &Operation| match operation.completed {
                Some((_, Completion::Ok(_))) => ClientOutcome::Acknowledged,
                Some((_, Completion::Fail(_))) => ClientOutcome::Refused,
                Some((_, Completion::Unknown(_))) | None => ClientOutcome::Unknown,
            };
            let requested =
                history.operations.iter().filter_map(|operation| Some((requested(operation)?, outcome(operation))));
            let found = counts.into_iter().flat_map(|(key, count)| std::iter::repeat_n(key, count));
            let wrong = wrong_effects(requested, found);
            match wrong.as_slice() {
                [] => Verdict::Pass,
                [only] => Verdict::Fail(format!("I3: {only}")),
                [first, others @ ..] => Verdict::Fail(format!("I3: {first}; {} more effects are wrong", others.len())),
            }
        })
    }

    /// C2: every effect that was acknowledged before a crash is still there after it.
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
    Verdict::Unknown(
        "no audit of the effects succeeded; end the run with an operation that reads all effects".to_owned(),
    )
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

    fn verdicts(acknowledged: &[&str], audited: &str) -> [&'static str; 3] {
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
        assert_eq!(verdicts(&["a", "b"], r#"["a","b","c"]"#), ["pass", "pass", "pass"]);
        assert_eq!(verdicts(&["a"], r#"["a","a"]"#), ["fail", "fail", "pass"]);
        assert_eq!(verdicts(&["a"], r#"["c","c"]"#), ["fail", "fail", "fail"]);
        assert_eq!(verdicts(&["a", "b"], r#"["a"]"#), ["pass", "fail", "fail"]);
    }

    #[test]
    fn effects_match_outcomes() {
        let verdict = |completions: &[(&str, Option<Completion>)], audited: &str| {
            let mut history = History::default();
            for (key, completion) in completions {
                let completed = completion.clone().map(|completion| (millis(200), completion));
                let input = format!("\"{key}\"");
                history.operations.push(Operation { input, completed, ..operation("put", 100, "null") });
            }
            history.operations.push(operation("audit", 20_000, audited));
            let effects = Effects::new(
                |_| None,
                |operation| (operation.name == "audit").then(|| operation.answer().ok()?).flatten(),
            );
            let check = effects.match_outcomes(|op| (op.name == "put").then(|| op.input().ok())?);
            check.judge(&Trace::new(vec![], millis(10), secs(60), false), &history).to_string()
        };
        let ok = || Some(Completion::Ok("null".into()));
        let fail = || Some(Completion::Fail("full".into()));
        let unknown = || Some(Completion::Unknown("?".into()));
        assert_eq!(verdict(&[("a", ok()), ("b", unknown()), ("c", None), ("d", fail())], r#"["a","b"]"#), "pass");
        assert_eq!(verdict(&[("a", fail()), ("a", ok())], r#"["a"]"#), "pass", "it was retried");
        for (completion, audited, expected) in [
            (ok(), "[]", "a happened 0 times instead of once: it was acknowledged"),
            (ok(), r#"["a","a"]"#, "a happened 2 times instead of once: it was acknowledged"),
            (fail(), r#"["a"]"#, "a happened 1 time instead of never: it was refused"),
            (unknown(), r#"["a","a"]"#, "a happened 2 times instead of at most once: its outcome is unknown"),
            (None, r#"["a","a"]"#, "a happened 2 times instead of at most once: its outcome is unknown"),
            (ok(), r#"["a","e"]"#, "e happened 1 time instead of never: no client requested it"),
        ] {
            assert_eq!(verdict(&[("a", completion)], audited), format!("fail: I3: the effect of {expected}"));
        }
    }

    #[test]
    fn without_an_audit_the_verdict_is_unknown() {
        assert_eq!(verdicts(&["a"], "17"), ["unknown", "unknown", "unknown"]);
    }
}

//! Promises about effects: what was acknowledged happened once, what was not happened at most once, and all of it is
//! still there in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Check, Verdict, life};
use crate::history::{Completion, History, Operation};
use crate::trace::{Event, Trace};

/// The name of an effect: whatever makes two effects of one request recognisable as such.
pub type EffectKey = String;

type Named = dyn Fn(&Operation) -> Option<EffectKey> + Send + Sync;
type Audited = dyn Fn(&Operation) -> Option<Vec<EffectKey>> + Send + Sync;

/// What a client was told of an effect that it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientOutcome {
    /// It was refused: it must never happen.
    Refused,
    /// Nobody knows: it may happen once, or never.
    Unknown,
    /// It was acknowledged: it must happen exactly once.
    Acknowledged,
}

/// An effect that happened more or less often than its clients were told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongEffect {
    /// Which effect.
    pub key: EffectKey,
    /// How often it happened.
    pub happened: usize,
    /// What its clients were told; none if nobody asked for it.
    pub told: Option<ClientOutcome>,
}

impl std::fmt::Display for WrongEffect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = match self.told {
            Some(ClientOutcome::Refused) => "although it was refused",
            Some(ClientOutcome::Unknown) => "where once or never was expected",
            Some(ClientOutcome::Acknowledged) => "although it was acknowledged once",
            None => "although nobody asked for it",
        };
        write!(f, "the effect of {} happened {} times, {told}", self.key, self.happened)
    }
}

/// The effects that did not happen as often as they should, in the order of their keys. `asked` are the requests with
/// what their clients were told, `held` the effects that there really are in the end, each as often as it happened.
///
/// Several requests with one key are one request that was sent again: it is acknowledged if one of them is, refused if
/// all are, and unknown otherwise.
///
/// ```
/// use squall::check::{ClientOutcome, wrong_effects};
///
/// let asked = [("a", ClientOutcome::Unknown), ("a", ClientOutcome::Acknowledged), ("b", ClientOutcome::Refused), ("c", ClientOutcome::Unknown)];
/// let asked = asked.map(|(key, told)| (key.to_owned(), told));
/// assert!(wrong_effects(asked.clone(), ["a".to_owned()]).is_empty());
/// let wrong = wrong_effects(asked, ["a", "a", "b", "c"].map(str::to_owned));
/// assert_eq!(wrong[0].to_string(), "the effect of a happened 2 times, although it was acknowledged once");
/// assert_eq!((wrong.len(), wrong[1].key.as_str()), (2, "b"));
/// ```
pub fn wrong_effects(
    asked: impl IntoIterator<Item = (EffectKey, ClientOutcome)>,
    held: impl IntoIterator<Item = EffectKey>,
) -> Vec<WrongEffect> {
    let mut effects: BTreeMap<EffectKey, (Option<ClientOutcome>, usize)> = BTreeMap::new();
    for (key, told) in asked {
        // The strongest word counts.
        let known = &mut effects.entry(key).or_default().0;
        *known = (*known).max(Some(told));
    }
    for key in held {
        effects.entry(key).or_default().1 += 1;
    }
    let is_right = |told: Option<ClientOutcome>, happened: usize| match told {
        Some(ClientOutcome::Acknowledged) => happened == 1,
        Some(ClientOutcome::Unknown) => happened <= 1,
        Some(ClientOutcome::Refused) | None => happened == 0,
    };
    let wrong = effects.into_iter().filter(|(_, (told, happened))| !is_right(*told, *happened));
    wrong.map(|(key, (told, happened))| WrongEffect { key, happened, told }).collect()
}

/// Reads effects out of a history: which were acknowledged to clients, and which an audit found at the end.
#[derive(Clone)]
pub struct Effects {
    acknowledged: Arc<Named>,
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

    /// I3: every effect happens as its clients were told: acknowledged ones once, refused ones never, unknown ones once or
    /// never, and none that nobody asked for. `asked` gives the key of the effect that an operation asked for, whatever
    /// came of it.
    pub fn match_outcomes(&self, asked: impl Fn(&Operation) -> Option<EffectKey> + Send + Sync + 'static) -> Check {
        let this = self.clone();
        Check::new("I3 effects happen as their clients were told", move |_, history| {
            let Some(counts) = this.audit(history) else { return no_audit() };
            let told = |operation: &Operation| match operation.completed {
                Some((_, Completion::Ok(_))) => ClientOutcome::Acknowledged,
                Some((_, Completion::Fail(_))) => ClientOutcome::Refused,
                Some((_, Completion::Unknown(_))) | None => ClientOutcome::Unknown,
            };
            let asked = history.operations.iter().filter_map(|operation| Some((asked(operation)?, told(operation))));
            let held = counts.into_iter().flat_map(|(key, count)| std::iter::repeat_n(key, count));
            let wrong = wrong_effects(asked, held);
            match wrong.as_slice() {
                [] => Verdict::Pass,
                [only] => Verdict::Fail(format!("I3: {only}")),
                [first, others @ ..] => Verdict::Fail(format!("I3: {first}; {} others are wrong, too", others.len())),
            }
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
    fn effects_match_outcomes() {
        let word = |completions: &[(&str, Option<Completion>)], audited: &str| {
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
        assert_eq!(word(&[("a", ok()), ("b", unknown()), ("c", None), ("d", fail())], r#"["a","b"]"#), "pass");
        assert_eq!(word(&[("a", fail()), ("a", ok())], r#"["a"]"#), "pass", "it was sent again");
        for (completion, audited, expected) in [
            (ok(), "[]", "the effect of a happened 0 times, although it was acknowledged once"),
            (ok(), r#"["a","a"]"#, "the effect of a happened 2 times, although it was acknowledged once"),
            (fail(), r#"["a"]"#, "the effect of a happened 1 times, although it was refused"),
            (unknown(), r#"["a","a"]"#, "the effect of a happened 2 times, where once or never was expected"),
            (None, r#"["a","a"]"#, "the effect of a happened 2 times, where once or never was expected"),
            (ok(), r#"["a","e"]"#, "the effect of e happened 1 times, although nobody asked for it"),
        ] {
            assert_eq!(word(&[("a", completion)], audited), format!("fail: I3: {expected}"));
        }
    }

    #[test]
    fn without_an_audit_nothing_is_known() {
        assert_eq!(words(&["a"], "17"), ["unknown", "unknown", "unknown"]);
    }
}

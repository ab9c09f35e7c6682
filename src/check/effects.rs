//! Checks of effects: an acknowledged effect happens exactly once, any other at most once, and acknowledged effects are
//! still there at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::decoded::{Decoded, Unreadable, decode};
use super::wrong_effects::{ClientOutcome, EffectKey, wrong_effects};
use super::{Check, CountedVerdict, life};
use crate::fault::duration_text as text;
use crate::history::{Completion, History, Operation};
use crate::trace::{Event, Record, Trace};

type ReadKey = dyn Fn(&Operation) -> Decoded<EffectKey> + Send + Sync;
type ReadTimes = dyn Fn(&Trace, &History) -> Vec<(EffectKey, Duration)> + Send + Sync;
type ReadAudit = dyn Fn(&Operation) -> Decoded<Vec<EffectKey>> + Send + Sync;

/// Reads effects from a history: those that were acknowledged to clients, and those that an audit found at the end.
///
/// ```
/// use squall::check::{EffectKey, Effects};
/// use squall::prelude::*;
///
/// // Clients record an order with its key, and at the end an audit that answers with the keys of all orders.
/// let orders = Effects::new(
///     |operation| match operation.name.as_str() {
///         "order" if operation.is_ok() => Ok(Some(operation.input::<EffectKey>()?)),
///         _ => Ok(None),
///     },
///     |operation| match operation.name.as_str() {
///         "audit" => Ok(operation.answer::<Vec<EffectKey>>()?),
///         _ => Ok(None),
///     },
/// );
/// let scenario = Scenario::new("shop").check(orders.acknowledged_exactly_once()).check(orders.at_most_once());
/// ```
#[derive(Clone)]
pub struct Effects {
    acknowledged: Arc<ReadKey>,
    audited: Arc<ReadAudit>,
    times: Arc<ReadTimes>,
}

/// The last audit of a run.
struct Audit {
    /// When it was invoked.
    began: Duration,
    /// How often each effect happened.
    counts: BTreeMap<EffectKey, usize>,
}

impl Audit {
    fn count(&self, key: &EffectKey) -> usize {
        self.counts.get(key).copied().unwrap_or_default()
    }

    /// Why the audit says nothing about the end of the run: a crash followed it, or came while it was made.
    fn outdated(&self, trace: &Trace) -> Option<CountedVerdict> {
        let crash = crashes(trace).find(|record| record.at >= self.began)?;
        let who = crash.host.map_or("a host", |host| trace.name(host));
        let (began, at) = (text(self.began), text(crash.at));
        let why = format!("the last audit began at {began}, but {who} crashed at {at}; audit at the end of the run");
        Some(CountedVerdict::unknown(0, why))
    }

    /// Whether the operation completed only after the audit began, so that the audit need not have seen its effect.
    fn is_too_early_for(&self, operation: &Operation) -> bool {
        operation.completed.as_ref().is_some_and(|(at, _)| *at > self.began)
    }
}

/// The crashes of programs and machines, in their order.
fn crashes(trace: &Trace) -> impl Iterator<Item = &Record> {
    trace.records.iter().filter(|record| matches!(record.event, Event::Killed | Event::PoweredOff))
}

impl Effects {
    /// `acknowledged` returns the key of the effect that was acknowledged to an operation. `audited` returns the keys
    /// of all effects, each as often as it happened, if the operation is a successful audit. Both return `Ok(None)` for
    /// any other operation. Only the last audit counts. It must begin after the last crash, and it judges the effects
    /// that were acknowledged before it began; the verdict is unknown if there are others.
    pub fn new(
        acknowledged: impl Fn(&Operation) -> Decoded<EffectKey> + Send + Sync + 'static,
        audited: impl Fn(&Operation) -> Decoded<Vec<EffectKey>> + Send + Sync + 'static,
    ) -> Effects {
        Effects { acknowledged: Arc::new(acknowledged), audited: Arc::new(audited), times: Arc::new(|_, _| Vec::new()) }
    }

    /// Tells when effects happened, each as often as it is known, for example from [`Mark::Applied`](crate::trace::Mark).
    /// It is asked for when a promise is broken, so that the report shows the moment at which it broke and not the audit that
    /// found it.
    pub fn happened_at(
        mut self,
        times: impl Fn(&Trace, &History) -> Vec<(EffectKey, Duration)> + Send + Sync + 'static,
    ) -> Effects {
        self.times = Arc::new(times);
        self
    }

    /// How often an effect happened, in words, and when it did for the first two times, if that is known.
    fn times(&self, trace: &Trace, history: &History, key: &EffectKey, count: usize) -> String {
        match self.two_times_of(trace, history, key, count) {
            Some([first, second]) if count == 2 => format!("2 times, at {} and {}", text(first), text(second)),
            Some([first, second]) => format!("{count} times, first at {} and {}", text(first), text(second)),
            None => format!("{count} times"),
        }
    }

    /// The verdict that an effect happened `count` times, which began with the first time and broke the promise the second time.
    fn repeated(
        &self,
        verdict: CountedVerdict,
        trace: &Trace,
        history: &History,
        key: &EffectKey,
        count: usize,
    ) -> CountedVerdict {
        match self.two_times_of(trace, history, key, count) {
            Some([first, second]) => verdict.since(first).at(second),
            None => verdict,
        }
    }

    /// When an effect that happened `count` times did so for the first two times, if that is known.
    fn two_times_of(&self, trace: &Trace, history: &History, key: &EffectKey, count: usize) -> Option<[Duration; 2]> {
        let times = if count >= 2 { self.times_of(trace, history, key) } else { Vec::new() };
        times.first_chunk().copied()
    }

    /// When an effect happened, as far as it is known, in order.
    fn times_of(&self, trace: &Trace, history: &History, key: &EffectKey) -> Vec<Duration> {
        let times = (self.times)(trace, history).into_iter();
        let mut times: Vec<_> = times.filter(|(other, _)| other == key).map(|(_, at)| at).collect();
        times.sort_unstable();
        times
    }

    /// The last audit; without one, the verdict of every check.
    fn audit(&self, history: &History) -> Result<Audit, CountedVerdict> {
        for operation in history.operations.iter().rev() {
            let Some(keys) = decode(operation, &*self.audited)? else { continue };
            let mut counts = BTreeMap::new();
            for key in keys {
                *counts.entry(key).or_default() += 1;
            }
            return Ok(Audit { began: operation.invoked_at, counts });
        }
        Err(CountedVerdict::unknown(0, NO_AUDIT.to_owned()))
    }

    /// The last audit, if it tells how the run ended.
    fn final_audit(&self, trace: &Trace, history: &History) -> Result<Audit, CountedVerdict> {
        let audit = self.audit(history)?;
        match audit.outdated(trace) {
            Some(unknown) => Err(unknown),
            None => Ok(audit),
        }
    }

    /// The acknowledged effects with their operations.
    fn acknowledged<'a>(&self, history: &'a History) -> Result<Vec<(EffectKey, &'a Operation)>, Unreadable> {
        let read = |operation| Ok(decode(operation, &*self.acknowledged)?.map(|key| (key, operation)));
        history.operations.iter().map(read).filter_map(Result::transpose).collect()
    }

    /// I1: no effect happens twice.
    pub fn at_most_once(&self) -> Check {
        let this = self.clone();
        Check::new("I1 no effect happens twice", move |trace, history| judged(this.judge_twice(trace, history)))
    }

    fn judge_twice(&self, trace: &Trace, history: &History) -> Result<CountedVerdict, CountedVerdict> {
        let audit = self.audit(history)?;
        let judged = audit.counts.len() as u64;
        if let Some((key, count)) = audit.counts.iter().find(|(_, count)| **count > 1) {
            let times = self.times(trace, history, key, *count);
            let why = format!("I1: the effect of {key} happened {times}");
            let verdict = CountedVerdict::broken(judged, why).at(audit.began);
            return Ok(self.repeated(verdict, trace, history, key, *count));
        }
        Ok(audit.outdated(trace).unwrap_or_else(|| CountedVerdict::kept(judged, NO_EFFECT)))
    }

    /// I2: every acknowledged effect happens exactly once.
    pub fn acknowledged_exactly_once(&self) -> Check {
        let this = self.clone();
        Check::new("I2 acknowledged effects happen exactly once", move |trace, history| {
            judged(this.judge_acknowledged(trace, history))
        })
    }

    fn judge_acknowledged(&self, trace: &Trace, history: &History) -> Result<CountedVerdict, CountedVerdict> {
        let audit = self.final_audit(trace, history)?;
        let acknowledged = self.acknowledged(history)?;
        let (late, early): (Vec<_>, Vec<_>) =
            acknowledged.iter().partition(|(_, operation)| audit.is_too_early_for(operation));
        for (judged, (key, operation)) in (1..).zip(&early) {
            let count = audit.count(key);
            if count != 1 {
                let (who, times) = (life::describe(operation), self.times(trace, history, key, count));
                let why = format!("I2: the effect of {key} happened {times}: {who}");
                let verdict = CountedVerdict::broken(judged, why).of(operation);
                return Ok(self.repeated(verdict, trace, history, key, count));
            }
        }
        if let Some((key, operation)) = late.first() {
            return Ok(unaudited(early.len(), &audit, key, operation));
        }
        Ok(CountedVerdict::kept(early.len() as u64, NO_ACKNOWLEDGEMENT))
    }

    /// I3: every effect happens as often as its outcome allows: exactly once if it was acknowledged, at most once if its
    /// outcome is unknown, and never if it was refused or never requested. `requested` returns the key of the effect that
    /// an operation requested, whatever its outcome.
    pub fn match_outcomes(
        &self,
        requested: impl Fn(&Operation) -> Decoded<EffectKey> + Send + Sync + 'static,
    ) -> Check {
        let this = self.clone();
        Check::new("I3 effects match the outcomes that clients saw", move |trace, history| {
            judged(this.judge_outcomes(trace, history, &requested))
        })
    }

    fn judge_outcomes(
        &self,
        trace: &Trace,
        history: &History,
        requested: impl Fn(&Operation) -> Decoded<EffectKey>,
    ) -> Result<CountedVerdict, CountedVerdict> {
        let audit = self.final_audit(trace, history)?;
        let mut requests = Vec::new();
        let mut late = None;
        for operation in &history.operations {
            let Some(key) = decode(operation, &requested)? else { continue };
            let is_late = audit.is_too_early_for(operation);
            let outcome = match operation.completed {
                // The audit need not have seen what was acknowledged only after it began.
                Some((_, Completion::Ok(_))) if is_late => ClientOutcome::Unknown,
                Some((_, Completion::Ok(_))) => ClientOutcome::Acknowledged,
                Some((_, Completion::Fail(_))) => ClientOutcome::Refused,
                Some((_, Completion::Unknown(_))) | None => ClientOutcome::Unknown,
            };
            if is_late && operation.is_ok() {
                late = late.or_else(|| Some((key.clone(), operation)));
            }
            requests.push((key, outcome));
        }
        let judged = requests.len();
        let found = audit.counts.iter().flat_map(|(key, count)| std::iter::repeat_n(key.clone(), *count));
        Ok(match (wrong_effects(requests, found).as_slice(), late) {
            ([], Some((key, operation))) => unaudited(judged, &audit, &key, operation),
            ([], None) => CountedVerdict::kept(judged as u64, NO_REQUEST),
            ([first, others @ ..], _) => {
                let why = match others.len() {
                    0 => format!("I3: {first}"),
                    others => format!("I3: {first}; {others} more effects are wrong"),
                };
                let verdict = CountedVerdict::broken(judged as u64, why).at(audit.began);
                // An effect that may happen is one too many the second time, and any other at once.
                if first.outcome.is_some_and(|outcome| outcome != ClientOutcome::Refused) {
                    self.repeated(verdict, trace, history, &first.key, first.happened)
                } else {
                    let times = if first.happened > 0 { self.times_of(trace, history, &first.key) } else { Vec::new() };
                    verdict.at(times.first().copied().unwrap_or(audit.began))
                }
            }
        })
    }

    /// C2: every effect that was acknowledged before a crash is still there after it. A run in which no crash follows an
    /// acknowledgement passes, and nothing is judged in it.
    pub fn acknowledged_survive_crashes(&self) -> Check {
        let this = self.clone();
        Check::new("C2 acknowledged effects survive crashes", move |trace, history| {
            judged(this.judge_crashes(trace, history))
        })
    }

    fn judge_crashes(&self, trace: &Trace, history: &History) -> Result<CountedVerdict, CountedVerdict> {
        let audit = self.final_audit(trace, history)?;
        let Some(last) = crashes(trace).last() else { return Ok(CountedVerdict::not_applicable()) };
        let mut judged = 0;
        let acknowledged = self.acknowledged(history)?;
        for (key, operation) in &acknowledged {
            let acknowledged_at = operation.completed.as_ref().map_or(last.at, |(at, _)| *at);
            // The audit began after the last crash, so it began after these acknowledgements as well.
            let Some(crash) = crashes(trace).find(|crash| crash.at >= acknowledged_at) else { continue };
            judged += 1;
            if audit.count(key) == 0 {
                let (who, crashed_at) = (life::describe(operation), text(crash.at));
                let why = format!("C2: {key} is gone; a crash at {crashed_at} followed: {who}");
                return Ok(CountedVerdict::broken(judged, why).at(crash.at).of(operation));
            }
        }
        // All crashes came before the first acknowledgement.
        if judged == 0 && !acknowledged.is_empty() {
            return Ok(CountedVerdict::not_applicable());
        }
        Ok(CountedVerdict::kept(judged, NO_ACKNOWLEDGEMENT))
    }
}

/// Either of the two is a verdict; an error ended the judging early.
fn judged(verdict: Result<CountedVerdict, CountedVerdict>) -> CountedVerdict {
    verdict.unwrap_or_else(|early| early)
}

fn unaudited(judged: usize, audit: &Audit, key: &EffectKey, operation: &Operation) -> CountedVerdict {
    let (began, operation) = (text(audit.began), life::describe(operation));
    let why = format!(
        "the last audit began at {began}, before the effect of {key} was acknowledged: {operation}; audit at the end"
    );
    CountedVerdict::unknown(judged as u64, why)
}

impl std::fmt::Debug for Effects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Effects")
    }
}

const NO_EFFECT: &str = "the audit found no effect: let the clients request some";
const NO_ACKNOWLEDGEMENT: &str = "no effect was acknowledged before the faults that it must outlive: let the clients \
                                  request effects earlier, or more often";
const NO_REQUEST: &str = "no operation requested an effect: let the clients request some";

const NO_AUDIT: &str = "no audit of the effects succeeded; end the run with an operation that reads all effects";

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
            life: 0,
            name: name.into(),
            input: "null".into(),
            invoked_at: millis(at),
            completed: Some((millis(at + 50), Completion::Ok(answer.into()))),
        }
    }

    fn answer_of<T: serde::de::DeserializeOwned>(name: &str, operation: &Operation) -> Decoded<T> {
        if operation.name == name { Ok(operation.answer()?) } else { Ok(None) }
    }

    fn verdicts(acknowledged: &[&str], audited: &str) -> [&'static str; 3] {
        let mut trace = Trace::new(vec!["store".into()], millis(10), secs(60), false);
        trace.push(secs(9), Some(HostId(0)), Event::PoweredOff);
        let mut history = History::default();
        history.operations.extend(acknowledged.iter().map(|key| operation("put", 100, &format!("\"{key}\""))));
        history.operations.push(operation("audit", 20_000, audited));
        let [twice, once, crashes, _] = checks();
        [twice, once, crashes].map(|check| check.judge(&trace, &history).word())
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
            let effects = Effects::new(|_| Ok(None), |operation| answer_of("audit", operation));
            let check = effects.match_outcomes(|op| if op.name == "put" { Ok(op.input()?) } else { Ok(None) });
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
    fn a_second_effect_is_dated() {
        let effects = Effects::new(|operation| answer_of("put", operation), |operation| answer_of("audit", operation))
            .happened_at(|_, _| {
                [("a", 300), ("b", 400), ("a", 200)].map(|(key, ms)| (key.to_owned(), millis(ms))).into()
            });
        let trace = Trace::new(vec![], millis(10), secs(60), false);
        let operations = vec![operation("put", 100, "\"a\""), operation("audit", 20_000, r#"["a","a","b"]"#)];
        let why = |check: Check| check.judge(&trace, &History { operations: operations.clone() }).to_string();
        let twice = "the effect of a happened 2 times, at 200ms and 300ms";
        assert_eq!(why(effects.at_most_once()), format!("fail: I1: {twice}"));
        assert!(why(effects.acknowledged_exactly_once()).starts_with(&format!("fail: I2: {twice}: ")));
    }

    #[test]
    fn without_an_audit_the_verdict_is_unknown() {
        let trace = Trace::new(vec!["store".into()], millis(10), secs(60), false);
        let history = History { operations: vec![operation("put", 100, "\"a\"")] };
        for check in checks() {
            assert_eq!(check.judge(&trace, &history).word(), "unknown", "{}", check.name());
        }
    }

    #[test]
    fn what_cannot_be_decoded_fails() {
        assert_eq!(verdicts(&["a"], "17"), ["fail", "fail", "fail"]);
    }

    fn checks() -> [Check; 4] {
        let effects = Effects::new(|operation| answer_of("put", operation), |operation| answer_of("audit", operation));
        [
            effects.at_most_once(),
            effects.acknowledged_exactly_once(),
            effects.acknowledged_survive_crashes(),
            effects.match_outcomes(|operation| answer_of("put", operation)),
        ]
    }

    /// The words of all checks for a crash, puts of `a`, `b`, .. and an audit, each at its second.
    fn words_of(crash: u64, puts: &[u64], audit: u64, audited: &str) -> [&'static str; 4] {
        let mut trace = Trace::new(vec!["store".into()], millis(10), secs(60), false);
        trace.push(secs(crash), Some(HostId(0)), Event::PoweredOff);
        let keys = ["\"a\"", "\"b\""];
        let mut operations: Vec<_> = puts.iter().zip(keys).map(|(at, key)| operation("put", at * 1_000, key)).collect();
        operations.push(operation("audit", audit * 1_000, audited));
        let history = History { operations };
        checks().map(|check| check.judge(&trace, &history).word())
    }

    /// Effects that were lost after the last audit once passed, and those acknowledged after it failed.
    #[test]
    fn an_audit_judges_what_came_before_it() {
        assert_eq!(words_of(2, &[1], 3, r#"["a"]"#), ["pass", "pass", "pass", "pass"]);
        assert_eq!(words_of(4, &[1], 3, r#"["a"]"#), ["unknown"; 4], "a crash came after the audit");
        assert_eq!(words_of(4, &[1], 3, r#"["a", "a"]"#)[0], "fail", "whatever comes later, it happened twice");
        assert_eq!(words_of(2, &[1, 5], 3, r#"["a"]"#), ["pass", "unknown", "pass", "unknown"], "b came later");
        assert_eq!(words_of(2, &[1, 5], 3, "[]"), ["unknown", "fail", "fail", "fail"], "a is lost anyway");
        assert_eq!(words_of(2, &[5], 3, "[]"), ["unknown", "unknown", "pass", "unknown"], "no crash follows it");
    }
}

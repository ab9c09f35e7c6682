//! Verdicts, also with the number of things that they rest on, so that a check cannot pass without judging any.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::breach::Breach;
use crate::history::Operation;

/// The result of a check of a run. Verdicts merge worst first: fail, then unknown, then pass.
///
/// A failure states the moment at which the promise was broken, so that the report shows what led to it:
///
/// ```
/// use squall::prelude::*;
///
/// fn answers_are_fast(_: &Trace, history: &History) -> Verdict {
///     for operation in history.named("ask") {
///         let due = operation.invoked_at + millis(200);
///         if operation.completed.as_ref().is_none_or(|(at, _)| *at > due) {
///             return Verdict::fail("an answer took more than 200ms").at(due).of(operation);
///         }
///     }
///     Verdict::Pass
/// }
/// # let scenario = Scenario::new("fast").check(answers_are_fast);
/// # assert_eq!(scenario.check_names().next(), Some("answers_are_fast"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The promise was kept.
    Pass,
    /// The run does not show whether the promise was kept, for this reason.
    Unknown(String),
    /// The promise was broken: see [`Verdict::fail`].
    Fail(Breach),
}

impl Verdict {
    /// The promise was broken: `why` says which promise, with its numbers and the operation.
    pub fn fail(why: impl Into<Breach>) -> Verdict {
        Verdict::Fail(why.into())
    }

    /// The run does not show whether the promise was kept, as `why` says.
    pub fn unknown(why: impl Into<String>) -> Verdict {
        Verdict::Unknown(why.into())
    }

    /// The same verdict; if it is a failure, this is the virtual time at which the promise was broken.
    pub fn at(self, moment: Duration) -> Verdict {
        self.map_breach(|breach| breach.at(moment))
    }

    /// The same verdict; if it is a failure, it began with what happened at this virtual time.
    pub fn since(self, moment: Duration) -> Verdict {
        self.map_breach(|breach| breach.since(moment))
    }

    /// The same verdict; if it is a failure, this is the operation that shows it.
    pub fn of(self, operation: &Operation) -> Verdict {
        self.map_breach(|breach| breach.of(operation))
    }

    /// The same verdict in words alone.
    pub(crate) fn without_moment(self) -> Verdict {
        self.map_breach(|breach| Breach::from(breach.why().to_owned()))
    }

    fn map_breach(self, change: impl FnOnce(Breach) -> Breach) -> Verdict {
        match self {
            Verdict::Fail(breach) => Verdict::Fail(change(breach)),
            other => other,
        }
    }

    /// How the promise was broken; `None` if it was not.
    pub fn breach(&self) -> Option<&Breach> {
        match self {
            Verdict::Fail(breach) => Some(breach),
            Verdict::Pass | Verdict::Unknown(_) => None,
        }
    }

    /// Why the verdict is not a pass; `None` if it is.
    pub fn why(&self) -> Option<&str> {
        match self {
            Verdict::Pass => None,
            Verdict::Unknown(why) => Some(why),
            Verdict::Fail(breach) => Some(breach.why()),
        }
    }

    /// Returns the worse of the two verdicts, or the first if they rank equally.
    pub fn merge(self, other: Verdict) -> Verdict {
        if other.rank() > self.rank() { other } else { self }
    }

    pub(crate) fn rank(&self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Unknown(_) => 1,
            Verdict::Fail(_) => 2,
        }
    }

    /// Whether the promise was kept.
    pub fn is_pass(&self) -> bool {
        matches!(self, Verdict::Pass)
    }

    /// Whether the promise was broken.
    pub fn is_fail(&self) -> bool {
        matches!(self, Verdict::Fail(_))
    }

    /// `pass`, `unknown` or `fail`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Unknown(_) => "unknown",
            Verdict::Fail(_) => "fail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Pass => write!(f, "pass"),
            Verdict::Unknown(why) => write!(f, "unknown: {why}"),
            Verdict::Fail(why) => write!(f, "fail: {why}"),
        }
    }
}

/// A verdict and how many things were judged for it, for example calls or keys.
///
/// ```
/// use squall::check::{CountedVerdict, Verdict};
///
/// let kept = CountedVerdict::kept(12, "no client read: let them read");
/// assert_eq!((kept.verdict(), kept.judged()), (&Verdict::Pass, 12));
/// let nothing = CountedVerdict::kept(0, "no client read: let them read");
/// assert!(matches!(nothing.verdict(), Verdict::Unknown(_)), "nothing judged is nothing passed");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedVerdict {
    verdict: Verdict,
    judged: u64,
}

impl CountedVerdict {
    /// The promise was kept by the `judged` things. If there are none, the verdict is unknown, and `if_none` says what
    /// to do about it.
    pub fn kept(judged: u64, if_none: &str) -> CountedVerdict {
        let verdict = if judged == 0 { Verdict::Unknown(if_none.to_owned()) } else { Verdict::Pass };
        CountedVerdict { verdict, judged }
    }

    /// The promise was broken, as `why` says. The `judged` things include the one that broke it.
    pub fn broken(judged: u64, why: impl Into<Breach>) -> CountedVerdict {
        CountedVerdict { verdict: Verdict::fail(why), judged: judged.max(1) }
    }

    /// The same verdict; if it is a failure, this is the virtual time at which the promise was broken.
    pub fn at(self, moment: Duration) -> CountedVerdict {
        CountedVerdict { verdict: self.verdict.at(moment), ..self }
    }

    /// The same verdict; if it is a failure, it began with what happened at this virtual time.
    pub fn since(self, moment: Duration) -> CountedVerdict {
        CountedVerdict { verdict: self.verdict.since(moment), ..self }
    }

    /// The same verdict; if it is a failure, this is the operation that shows it.
    pub fn of(self, operation: &Operation) -> CountedVerdict {
        CountedVerdict { verdict: self.verdict.of(operation), ..self }
    }

    /// The run does not show whether the promise was kept, although it was looked for in the `judged` things.
    pub fn unknown(judged: u64, why: String) -> CountedVerdict {
        CountedVerdict { verdict: Verdict::Unknown(why), judged }
    }

    /// The promise says nothing about this run. The run passes, but an exploration of only such runs does not.
    pub fn not_applicable() -> CountedVerdict {
        CountedVerdict { verdict: Verdict::Pass, judged: 0 }
    }

    /// The promise was kept by the `judged` things, or says nothing about this run, if there are none.
    pub(crate) fn kept_if_any(judged: u64) -> CountedVerdict {
        CountedVerdict { verdict: Verdict::Pass, judged }
    }

    /// The same judgement of `judged` things, where a plain verdict is about those. Without any, a pass is unknown.
    pub(crate) fn about(verdict: Verdict, judged: u64, if_none: &str) -> CountedVerdict {
        match verdict {
            Verdict::Pass => CountedVerdict::kept(judged, if_none),
            Verdict::Unknown(why) => CountedVerdict::unknown(judged, why),
            Verdict::Fail(why) => CountedVerdict::broken(judged, why),
        }
    }

    /// The verdict.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// The number of things that were judged.
    pub fn judged(&self) -> u64 {
        self.judged
    }

    pub(crate) fn into_parts(self) -> (Verdict, u64) {
        (self.verdict, self.judged)
    }
}

/// A plain verdict is about one thing: the run. If it is unknown, nothing was judged.
impl From<Verdict> for CountedVerdict {
    fn from(verdict: Verdict) -> CountedVerdict {
        let judged = u64::from(!matches!(verdict, Verdict::Unknown(_)));
        CountedVerdict { verdict, judged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_judged_is_unknown_and_says_what_to_do() {
        assert_eq!(CountedVerdict::kept(0, "emit marks").verdict(), &Verdict::Unknown("emit marks".to_owned()));
        assert_eq!(CountedVerdict::kept(1, "emit marks").verdict(), &Verdict::Pass);
        assert_eq!(CountedVerdict::about(Verdict::Pass, 0, "emit marks"), CountedVerdict::kept(0, "emit marks"));
    }

    #[test]
    fn a_plain_verdict_is_about_one_thing_the_run() {
        let judged = |verdict: Verdict| CountedVerdict::from(verdict).judged();
        assert_eq!([Verdict::Pass, Verdict::fail("no"), Verdict::Unknown("?".into())].map(judged), [1, 1, 0]);
    }

    #[test]
    fn verdicts_merge_worst_first() {
        let unknown = || Verdict::Unknown("u".into());
        let fail = || Verdict::fail("f");
        assert_eq!(Verdict::Pass.merge(unknown()), unknown());
        assert_eq!(unknown().merge(fail()), fail());
        assert_eq!(fail().merge(unknown()), fail());
        assert_eq!(fail().merge(Verdict::fail("later")), fail());
    }
}

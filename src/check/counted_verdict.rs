//! A verdict together with the number of things that it rests on, so that a check cannot pass without judging any.

use super::Verdict;

/// A verdict and how many things were judged for it, for example calls or keys.
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
    pub fn broken(judged: u64, why: String) -> CountedVerdict {
        CountedVerdict { verdict: Verdict::Fail(why), judged: judged.max(1) }
    }

    /// The run does not show whether the promise was kept, although it was looked for in the `judged` things.
    pub fn unknown(judged: u64, why: String) -> CountedVerdict {
        CountedVerdict { verdict: Verdict::Unknown(why), judged }
    }

    /// The promise says nothing about this run. The run passes, but an exploration of only such runs does not.
    pub fn not_applicable() -> CountedVerdict {
        CountedVerdict { verdict: Verdict::Pass, judged: 0 }
    }

    /// The same judgement of `judged` things, where a plain verdict is about those. Without any, a pass is unknown.
    pub(crate) fn of(verdict: Verdict, judged: u64, if_none: &str) -> CountedVerdict {
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
        assert_eq!(CountedVerdict::of(Verdict::Pass, 0, "emit marks"), CountedVerdict::kept(0, "emit marks"));
    }
}

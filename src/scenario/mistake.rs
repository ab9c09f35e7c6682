//! Mutants: systems with one planted mistake each, which a named check must catch.

use super::Scenario;
use crate::check::Check;

/// A mutant: a scenario whose system makes one mistake on purpose, the promises that it breaks, and the same scenario
/// without the mistake. [`main_with_mistakes`](crate::main_with_mistakes) takes a table of them.
///
/// ```
/// use squall::prelude::*;
/// use squall::scenario::Mistake;
///
/// /// Connects, at most this many times.
/// async fn connect(cx: HostContext, most_attempts: u32) {
///     let operation = cx.recorder().invoke("connect", &());
///     for _ in 0..most_attempts {
///         if cx.connector().connect("server", 80).await.is_ok() {
///             return operation.ok(&());
///         }
///         tokio::time::sleep(secs(1)).await;
///     }
///     operation.fail("no attempt is left");
/// }
///
/// fn everybody_connects(_: &Trace, history: &History) -> Verdict {
///     match history.operations.iter().all(|operation| operation.is_ok()) {
///         true => Verdict::Pass,
///         false => Verdict::fail("somebody did not connect"),
///     }
/// }
///
/// fn connects(most_attempts: u32) -> Scenario {
///     Scenario::new("connects")
///         .host("server", |cx| async move {
///             let listener = cx.listener(80);
///             while listener.accept().await.is_ok() {}
///         })
///         .host("client", move |cx| connect(cx, most_attempts))
///         .fault(fault::kill("server").once(secs(0)..secs(1)).lasting(secs(1)..secs(5)))
///         .check(everybody_connects)
/// }
///
/// fn gives_up_at_once() -> Mistake {
///     Mistake::new("gives_up_at_once", connects(100), connects(1)).breaks("everybody_connects")
/// }
/// # assert_eq!(gives_up_at_once().problem(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Mistake {
    pub(crate) name: String,
    pub(crate) right: Scenario,
    pub(crate) wrong: Scenario,
    pub(crate) breaks: Vec<String>,
    pub(crate) part: Option<String>,
}

impl Mistake {
    /// A mistake of this name: `right` is a scenario, and `wrong` the same scenario with the mistake.
    pub fn new(name: &str, right: Scenario, wrong: Scenario) -> Mistake {
        Mistake { name: name.to_owned(), right, wrong, breaks: Vec::new(), part: None }
    }

    /// Says which promise it breaks: the name of a check, or the first word of its name, such as `R6`. A mistake that breaks
    /// several promises is caught when one of them is found to be broken.
    pub fn breaks(mut self, promise: &str) -> Mistake {
        self.breaks.push(promise.to_owned());
        self
    }

    /// Says which part of the system makes the mistake, for the report of a mistake that no run reached.
    pub fn in_part(mut self, part: &str) -> Mistake {
        self.part = Some(part.to_owned());
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with it, and what to do about it; `None` if nothing is.
    pub fn problem(&self) -> Option<String> {
        let name = &self.name;
        if self.breaks.is_empty() {
            return Some(format!("the mistake `{name}` breaks no promise: add `.breaks(..)`"));
        }
        let checks = || self.wrong.checks.iter().map(Check::name);
        if !checks().eq(self.right.checks.iter().map(Check::name)) {
            return Some(format!("the two scenarios of the mistake `{name}` have other checks: give both the same"));
        }
        let unknown = self.breaks.iter().find(|promise| !checks().any(|check| is_named(check, promise)))?;
        let all: Vec<&str> = checks().collect();
        Some(format!(
            "the mistake `{name}` breaks `{unknown}`, but no check has that name; there are: {}",
            all.join("; ")
        ))
    }

    /// Whether a check of this name judges a promise that it breaks.
    pub(crate) fn is_caught_by(&self, check: &str) -> bool {
        self.breaks.iter().any(|promise| is_named(check, promise))
    }
}

fn is_named(check: &str, promise: &str) -> bool {
    check == promise || check.split(' ').next() == Some(promise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn a_mistake_names_checks_that_are_there() {
        let scenario = || Scenario::new("s").check(Check::new("R6 only safe requests", |_, _| Verdict::Pass));
        let mistake = || Mistake::new("m", scenario(), scenario());
        assert_eq!(mistake().problem().unwrap(), "the mistake `m` breaks no promise: add `.breaks(..)`");
        assert_eq!(mistake().breaks("R6").problem(), None);
        assert_eq!(mistake().breaks("R6 only safe requests").problem(), None);
        let why = "the mistake `m` breaks `R`, but no check has that name; there are: R6 only safe requests";
        assert_eq!(mistake().breaks("R6").breaks("R").problem().unwrap(), why);
        let another = Mistake::new("m", Scenario::new("s"), scenario()).breaks("R6");
        assert!(another.problem().unwrap().ends_with("have other checks: give both the same"));
        assert!(mistake().breaks("R6").is_caught_by("R6 only safe requests"));
        assert!(!mistake().breaks("R6").is_caught_by("R61 others"));
    }
}

//! Checks: pure functions from trace and history to a verdict. They know nothing of how a run came about.
//!
//! What clients saw can be held against several promises, each also a plain function over a history of its own:
//! [`linear`] and [`sequential`] ask for one order that explains everything, [`session`], [`staleness`] and
//! [`convergence`] what a weaker store still promises of each [`access`], and [`Effects`] how often effects happened.
//!
//! ```
//! use squall::check::keyed_op::{Act, WriteOrder};
//! use squall::check::linear::models::{Register, RegisterOp, RegisterOutput};
//! use squall::check::session::Guarantee;
//! use squall::check;
//! use squall::history::Operation;
//! use squall::prelude::*;
//!
//! /// Clients record `read` with the value as its answer, and `write` with the value, which is unique, as its input.
//! fn called(operation: &Operation) -> Option<(RegisterOp<u64>, Option<RegisterOutput<u64>>)> {
//!     match operation.name.as_str() {
//!         "read" => Some((RegisterOp::Read, operation.answer().ok()?.map(RegisterOutput::Value))),
//!         "write" => {
//!             let output = operation.is_ok().then_some(RegisterOutput::Done);
//!             Some((RegisterOp::Write(operation.input().ok()?), output))
//!         }
//!         _ => None,
//!     }
//! }
//!
//! fn accessed(operation: &Operation) -> Option<(&'static str, Act<u64>)> {
//!     match called(operation)? {
//!         (RegisterOp::Write(value), _) => Some(("the register", Act::Write(value))),
//!         (_, Some(RegisterOutput::Value(value))) => Some(("the register", Act::Read((value > 0).then_some(value)))),
//!         _ => None,
//!     }
//! }
//!
//! let scenario = Scenario::new("register")
//!     .check(check::is_linearizable("linearizable", Register::new(0), called))
//!     .check(check::is_sequentially_consistent("sequential", Register::new(0), called))
//!     .check(check::sessions_keep("sessions", &Guarantee::ALL, WriteOrder::RealTime, accessed))
//!     .check(check::staleness_at_most("fresh", secs(1), WriteOrder::RealTime, accessed))
//!     .check(check::converges_within("converges", secs(5), WriteOrder::RealTime, accessed));
//! # assert_eq!(scenario.check_names().count(), 5);
//! ```

pub mod convergence;
mod effects;
mod health;
pub mod keyed_op;
mod life;
pub mod linear;
mod restarts;
mod retries;
pub mod sequential;
pub mod session;
mod situation;
pub mod staleness;
mod timeouts;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::trace::Trace;

pub use convergence::converges_within;
pub use effects::{ClientOutcome, EffectKey, Effects, WrongEffect, wrong_effects};
pub use health::HealthPolicy;
pub use linear::{is_linearizable, linearizable};
pub use restarts::{no_operation_fails, servers_are_interchangeable, without_faults_no_operation_fails};
pub use retries::{attempts_at_most, only_safe_requests_are_retried, retries_within_budget};
pub use sequential::is_sequentially_consistent;
pub use session::sessions_keep;
pub use situation::Situation;
pub use staleness::staleness_at_most;
pub use timeouts::{attempts_end_within_their_timeout, calls_end_within_their_deadline, recovers_within};

/// What a check says of a run. Merged worst first: fail, then unknown, then pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The promise was kept.
    Pass,
    /// The run does not say whether it was kept; why.
    Unknown(String),
    /// The promise was broken: which, with its numbers and the operation.
    Fail(String),
}

impl Verdict {
    /// The worse of the two; of equals, the first.
    pub fn merge(self, other: Verdict) -> Verdict {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(&self) -> u8 {
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

type Judge = dyn Fn(&Trace, &History) -> Verdict + Send + Sync;

/// A named check.
#[derive(Clone)]
pub struct Check {
    name: String,
    judge: Arc<Judge>,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

impl Check {
    /// A check under a name of its own; `judge` must depend on its arguments alone.
    pub fn new(name: &str, judge: impl Fn(&Trace, &History) -> Verdict + Send + Sync + 'static) -> Check {
        Check { name: name.to_owned(), judge: Arc::new(judge) }
    }

    /// The same check under another name, for example to tell two checks apart that are otherwise called the same.
    pub fn named(mut self, name: &str) -> Check {
        name.clone_into(&mut self.name);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of a run.
    pub fn judge(&self, trace: &Trace, history: &History) -> Verdict {
        (self.judge)(trace, history)
    }
}

/// A function is a check under its own name.
impl<F: Fn(&Trace, &History) -> Verdict + Send + Sync + 'static> From<F> for Check {
    fn from(judge: F) -> Check {
        let path = std::any::type_name::<F>();
        let own = path.split("::").filter(|part| !part.starts_with('{')).last().unwrap_or(path);
        Check::new(own, judge)
    }
}

/// What one check said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check.
    pub check: String,
    /// Its verdict.
    pub verdict: Verdict,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_merge_worst_first() {
        let unknown = || Verdict::Unknown("u".into());
        let fail = || Verdict::Fail("f".into());
        assert_eq!(Verdict::Pass.merge(unknown()), unknown());
        assert_eq!(unknown().merge(fail()), fail());
        assert_eq!(fail().merge(unknown()), fail());
        assert_eq!(fail().merge(Verdict::Fail("later".into())), fail());
    }

    fn nothing_is_wrong(_: &Trace, _: &History) -> Verdict {
        Verdict::Pass
    }

    #[test]
    fn a_function_is_a_check_under_its_own_name() {
        assert_eq!(Check::from(nothing_is_wrong).name(), "nothing_is_wrong");
    }
}

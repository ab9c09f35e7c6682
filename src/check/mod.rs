//! Checks: pure functions from trace and history to a verdict.
//!
//! The promises about what clients saw are also available as plain functions over histories of any origin: [`linear`]
//! and [`sequential`] look for one order that explains everything, [`session`], [`staleness`] and [`convergence`] judge
//! what a weaker store still promises about each [`keyed_op`], and [`wrong_effects`] counts how often each effect
//! happened.
//!
//! ```
//! use squall::check::keyed_op::{Op, WriteOrder};
//! use squall::check::linear::models::{Register, RegisterOp, RegisterOutput};
//! use squall::check::session::Guarantee;
//! use squall::check::{self, Decoded};
//! use squall::history::Operation;
//! use squall::prelude::*;
//!
//! /// Clients record `read` with the value as its answer, and `write` with a unique value as its input.
//! fn register_call(operation: &Operation) -> Decoded<(RegisterOp<u64>, Option<RegisterOutput<u64>>)> {
//!     Ok(match operation.name.as_str() {
//!         "read" => Some((RegisterOp::Read, operation.answer()?.map(RegisterOutput::Value))),
//!         "write" => {
//!             let output = operation.is_ok().then_some(RegisterOutput::Done);
//!             Some((RegisterOp::Write(operation.input()?), output))
//!         }
//!         _ => None,
//!     })
//! }
//!
//! fn read_or_write(operation: &Operation) -> Decoded<(&'static str, Op<u64>)> {
//!     Ok(match register_call(operation)? {
//!         Some((RegisterOp::Write(value), _)) => Some(("the register", Op::Write(value))),
//!         Some((_, Some(RegisterOutput::Value(value)))) => {
//!             Some(("the register", Op::Read((value > 0).then_some(value))))
//!         }
//!         _ => None,
//!     })
//! }
//!
//! let scenario = Scenario::new("register")
//!     .check(check::is_linearizable("linearizable", Register::new(0), register_call))
//!     .check(check::is_sequentially_consistent("sequential", Register::new(0), register_call))
//!     .check(check::sessions_keep("sessions", &Guarantee::ALL, WriteOrder::RealTime, read_or_write))
//!     .check(check::staleness_at_most("fresh", secs(1), WriteOrder::RealTime, read_or_write))
//!     .check(check::converges_within("converges", secs(5), WriteOrder::RealTime, read_or_write));
//! # assert_eq!(scenario.check_names().count(), 5);
//! ```

mod breach;
mod breakers;
mod chance;
pub mod convergence;
mod decoded;
mod descriptors;
mod effects;
mod health;
pub mod http;
pub mod keyed_op;
mod life;
pub mod linear;
mod order_report;
mod records;
mod restarts;
mod retries;
pub mod sequential;
pub mod session;
mod shutdown;
mod situation;
pub mod staleness;
mod timeouts;
mod trips;
mod verdict;
mod wrong_effects;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::trace::Trace;

pub use breach::Breach;
pub use breakers::{breakers_close_within, breakers_probe_with_few, open_breakers_wait};
pub use convergence::converges_within;
pub use decoded::{Decoded, Unreadable};
pub use descriptors::{descriptors_at_most, no_descriptor_leaks};
pub use effects::Effects;
pub use health::HealthPolicy;
pub use linear::{is_linearizable, linearizable};
pub(crate) use order_report::OrderReport;
pub use records::records_are_whole;
pub use restarts::{no_operation_fails, servers_are_interchangeable, without_faults_no_operation_fails};
pub use retries::{attempts_at_most, only_safe_requests_are_retried, retries_within_budget};
pub use sequential::is_sequentially_consistent;
pub use session::sessions_keep;
pub use shutdown::{servers_stop_within, stopping_servers_accept_for};
pub use situation::Situation;
pub use staleness::staleness_at_most;
pub use timeouts::{
    attempts_end_within_their_timeout, calls_end_within, calls_end_within_their_deadline, recovers_within,
};
pub use trips::breakers_open_after;
pub use verdict::{CountedVerdict, Verdict};
pub use wrong_effects::{ClientOutcome, EffectKey, WrongEffect, wrong_effects};

type Judge = dyn Fn(&Trace, &History) -> CountedVerdict + Send + Sync;
/// The same, and on request what a report shows of a history that it finds wrong.
type ReportingJudge = dyn Fn(&History, bool) -> (CountedVerdict, Option<OrderReport>) + Send + Sync;

/// A named check.
///
/// ```
/// use squall::check::{Check, CountedVerdict};
/// use squall::prelude::*;
///
/// let no_kill_is_late = Check::new("no kill is late", |trace: &Trace, _: &History| {
///     let kills = trace.records.iter().filter(|record| record.event == Event::Killed);
///     match kills.clone().find(|record| record.at > secs(60)) {
///         Some(late) => CountedVerdict::broken(1, "a process was killed after a minute").at(late.at),
///         None => CountedVerdict::kept(kills.count() as u64, "no process was killed"),
///     }
/// });
/// // A run without a kill is fine.
/// let scenario = Scenario::new("service").check(no_kill_is_late.if_any());
/// ```
#[derive(Clone)]
pub struct Check {
    name: String,
    judge: Arc<Judge>,
    reporting: Option<Arc<ReportingJudge>>,
    reads_exchanges: bool,
    is_optional: bool,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

impl Check {
    /// A check with this name. `judge` must depend only on its arguments. It returns a [`CountedVerdict`], which says how
    /// many things were judged, or a [`Verdict`], which is one about one thing: the run.
    ///
    /// An exploration fails if one of its checks never judged anything.
    pub fn new<V: Into<CountedVerdict>>(
        name: &str,
        judge: impl Fn(&Trace, &History) -> V + Send + Sync + 'static,
    ) -> Check {
        let judge: Arc<Judge> = Arc::new(move |trace, history| judge(trace, history).into());
        Check { name: name.to_owned(), judge, reporting: None, reads_exchanges: false, is_optional: false }
    }

    /// A check of histories that can also report on what it finds wrong. `judge` makes the report only if it is asked to,
    /// which must not change the verdict.
    pub(crate) fn with_report(
        name: &str,
        judge: impl Fn(&History, bool) -> (CountedVerdict, Option<OrderReport>) + Send + Sync + 'static,
    ) -> Check {
        let reporting: Arc<ReportingJudge> = Arc::new(judge);
        let judge = reporting.clone();
        Check { reporting: Some(reporting), ..Check::new(name, move |_, history| judge(history, false).0) }
    }

    /// A check of this name over [`Trace::exchanges`] and [`Trace::connections`], which the network then reads off the wire. If
    /// the run sent more than is logged, what would pass is unknown.
    ///
    /// ```
    /// use squall::check::Check;
    /// use squall::prelude::*;
    ///
    /// /// No response reports a failure of the server.
    /// fn no_server_fails(trace: &Trace, _: &History) -> Verdict {
    ///     match trace.exchanges().iter().find(|exchange| exchange.status.is_some_and(|status| status >= 500)) {
    ///         Some(exchange) => {
    ///             let why = format!("{exchange}, of {}", trace.name(exchange.server()));
    ///             Verdict::fail(why).at(exchange.ended_at.unwrap_or(exchange.request.first_sent))
    ///         }
    ///         None => Verdict::Pass,
    ///     }
    /// }
    ///
    /// let check = Check::over_exchanges("no server fails", no_server_fails);
    /// # assert_eq!(check.name(), "no server fails");
    /// ```
    pub fn over_exchanges<V: Into<CountedVerdict>>(
        name: &str,
        judge: impl Fn(&Trace, &History) -> V + Send + Sync + 'static,
    ) -> Check {
        let judge = move |trace: &Trace, history: &History| {
            let counted: CountedVerdict = judge(trace, history).into();
            // Even if nothing was found to judge: it may be among what is missing.
            match trace.observed().is_incomplete && !counted.verdict().is_fail() {
                true => CountedVerdict::unknown(
                    counted.judged().max(1),
                    "the run sent more bytes than are logged: shorten it".to_owned(),
                ),
                false => counted,
            }
        };
        Check { reads_exchanges: true, ..Check::new(name, judge) }
    }

    /// The same check, for a promise that not every system makes: a run or an exploration in which it finds nothing to
    /// judge is left to the other checks, and the report says that this one judged nothing.
    pub fn if_any(mut self) -> Check {
        self.is_optional = true;
        self
    }

    /// Whether it may find nothing to judge.
    pub(crate) fn is_optional(&self) -> bool {
        self.is_optional
    }

    /// Whether it reads exchanges.
    pub(crate) fn reads_exchanges(&self) -> bool {
        self.reads_exchanges
    }

    /// The same check under another name, for example to tell apart two checks that would otherwise share one.
    pub fn named(mut self, name: &str) -> Check {
        name.clone_into(&mut self.name);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Judges a run.
    pub fn judge(&self, trace: &Trace, history: &History) -> Verdict {
        self.judge_counting(trace, history).into_parts().0
    }

    /// Judges a run, and counts the things that were judged.
    pub fn judge_counting(&self, trace: &Trace, history: &History) -> CountedVerdict {
        (self.judge)(trace, history)
    }

    /// Judges a run that is recorded: with a report, if this check makes one of what it finds wrong.
    pub(crate) fn judge_reporting(&self, trace: &Trace, history: &History) -> (CountedVerdict, Option<OrderReport>) {
        let Some(reporting) = &self.reporting else { return (self.judge_counting(trace, history), None) };
        let (verdict, report) = reporting(history, true);
        (verdict, report.map(|report| OrderReport { check: self.name.clone(), ..report }))
    }
}

/// A function is a check named after itself.
impl<V: Into<CountedVerdict>, F: Fn(&Trace, &History) -> V + Send + Sync + 'static> From<F> for Check {
    fn from(judge: F) -> Check {
        let path = std::any::type_name::<F>();
        let name = path.split("::").filter(|part| !part.starts_with('{')).last().unwrap_or(path);
        Check::new(name, judge)
    }
}

/// The verdict of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The name of the check.
    pub check: String,
    /// Its verdict.
    pub verdict: Verdict,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty run once passed most of these.
    #[test]
    fn no_check_of_squall_passes_a_run_in_which_nothing_happened() {
        use crate::fault::{millis, secs};
        use keyed_op::{Op, WriteOrder};
        use linear::models::{Register, RegisterOp, RegisterOutput};

        type Call = (RegisterOp<u64>, Option<RegisterOutput<u64>>);
        let calls = |_: &crate::history::Operation| Decoded::<Call>::Ok(None);
        let keyed = |_: &crate::history::Operation| Decoded::<(u8, Op<u64>)>::Ok(None);
        let policy = HealthPolicy {
            backends: vec!["a".to_owned()],
            interval: secs(1),
            timeout: secs(1),
            fall: 1,
            rise: 1,
            slack: secs(0),
        };
        let effects = Effects::new(|_| Ok(None), |_| Ok(None));
        let checks = [
            calls_end_within_their_deadline(),
            attempts_end_within_their_timeout(secs(1)),
            recovers_within(secs(1)),
            attempts_at_most(3),
            retries_within_budget(secs(1), 0.2, 3.0),
            only_safe_requests_are_retried(),
            no_operation_fails(),
            without_faults_no_operation_fails(),
            servers_are_interchangeable(|_| Ok(None)),
            policy.clone().no_requests_to_dead_backends(),
            policy.clone().requests_to_recovered_backends(),
            policy.some_backend_is_tried(),
            effects.at_most_once(),
            effects.acknowledged_exactly_once(),
            effects.match_outcomes(|_| Ok(None)),
            effects.acknowledged_survive_crashes().named("C2 without an audit"),
            is_linearizable("linearizable", Register::new(0), calls),
            is_sequentially_consistent("sequential", Register::new(0), calls),
            sessions_keep("sessions", &session::Guarantee::ALL, WriteOrder::RealTime, keyed),
            staleness_at_most("staleness", secs(1), WriteOrder::RealTime, keyed),
            converges_within("convergence", secs(1), WriteOrder::RealTime, keyed),
        ];
        let trace = Trace::new(vec!["a".to_owned()], millis(10), secs(60), false);
        for check in checks {
            let counted = check.judge_counting(&trace, &History::default());
            assert_eq!((counted.verdict().word(), counted.judged()), ("unknown", 0), "{}", check.name());
        }
    }

    #[test]
    fn no_check_over_exchanges_passes_a_run_of_which_some_are_missing() {
        use crate::fault::{millis, secs};
        use crate::trace::exchange::Observed;
        let observed = Observed { is_observed: true, is_incomplete: true, ..Observed::default() };
        let trace = Trace::new(vec!["a".to_owned()], millis(10), secs(60), false).with_observed(observed, secs(60));
        let word = |verdict: Verdict| {
            let check = Check::over_exchanges("any", move |_, _| verdict.clone());
            check.judge(&trace, &History::default()).word()
        };
        assert_eq!(word(Verdict::Pass), "unknown");
        assert_eq!(word(Verdict::fail("what was seen is enough")), "fail");
    }

    fn nothing_is_wrong(_: &Trace, _: &History) -> Verdict {
        Verdict::Pass
    }

    #[test]
    fn a_function_is_a_check_under_its_own_name() {
        assert_eq!(Check::from(nothing_is_wrong).name(), "nothing_is_wrong");
    }
}

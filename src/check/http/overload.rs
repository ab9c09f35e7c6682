//! Promises about overload: what a service still serves when it is asked for more than it can, and how soon it serves
//! everybody again (Bronson et al., *Metastable Failures in Distributed Systems*, HotOS 2021; *Site Reliability Engineering*,
//! chapters 21 and 22).

use std::ops::Range;
use std::time::Duration;

use super::observed::{broken_at, check, check_if_any, is_accepted, is_named, words};
use crate::check::Check;
use crate::fault::{duration_text as text, secs};
use crate::trace::exchange::Exchange;
use crate::trace::{Event, Trace};

/// What a service promises when it is asked for more than it can serve.
///
/// ```
/// use squall::check::http::OverloadPolicy;
/// use squall::prelude::*;
///
/// // One api serves 50 requests in a second, and its clients wait for two.
/// let policy = OverloadPolicy { goodput: 0.9, ..OverloadPolicy::new("api", 50.0, secs(2)) };
/// let scenario = policy.checks().into_iter().fold(Scenario::new("overload"), Scenario::check);
/// assert_eq!(scenario.check_names().count(), 3);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OverloadPolicy {
    /// The hosts that clients ask: a host, or a group of hosts whose names differ by the number at the end.
    pub service: String,
    /// The hosts in which requests queue, named in the same way.
    pub queue: String,
    /// How many requests the service can serve in a second.
    pub capacity: f64,
    /// The deadline of a call. O1 judges no span of time with a fault less than this before or after it.
    pub deadline: Duration,
    /// O1: the length of the spans of time that are compared with the capacity; whole seconds.
    pub window: Duration,
    /// O1: the share of the capacity that is served when twice the capacity or more is asked for. The default is 0.8.
    pub goodput: f64,
    /// O2: the share of the calls that succeed again, compared with before the overload. The default is 0.95.
    pub recovered: f64,
    /// O3: how long a request waits at most before work on it begins.
    pub longest_wait: Duration,
    /// The paths of probes, which are no load.
    pub probes: Vec<String>,
}

/// The fewest calls from which a share of them says something.
const FEWEST_CALLS: u64 = 20;

impl OverloadPolicy {
    /// The policy of a service that serves `capacity` requests in a second, with windows of 2 s.
    pub fn new(service: &str, capacity: f64, deadline: Duration) -> OverloadPolicy {
        OverloadPolicy {
            service: service.to_owned(),
            queue: service.to_owned(),
            capacity,
            deadline,
            window: secs(2),
            goodput: 0.8,
            recovered: 0.95,
            longest_wait: secs(1),
            probes: super::HttpPolicy::default().probes,
        }
    }

    /// O1: in every window in which at least twice the capacity is asked for, at least `goodput` x capacity is served. A request
    /// counts when it is sent, and as served if its client got the whole response, which is neither 429 nor 5xx.
    /// A run without such a window says nothing.
    pub fn goodput_under_overload(&self) -> Check {
        let policy = self.clone();
        check_if_any("O1 goodput under overload", move |trace, judged| {
            let load = Load::of(trace, &policy);
            let faults = faults(trace);
            for window in load.windows(&policy) {
                let (from, to) = (window.start - policy.deadline.min(window.start), window.end + policy.deadline);
                let is_disturbed = faults.iter().any(|fault| fault.start < to && from < fault.end);
                let (asked, served) = load.within(&window);
                let capacity = policy.capacity * policy.window.as_secs_f64();
                if is_disturbed || to > trace.ended_at || (asked as f64) < 2.0 * capacity {
                    continue;
                }
                *judged += 1;
                if (served as f64) < policy.goodput * capacity {
                    let (service, from, to) = (&policy.service, text(window.start), text(window.end));
                    return broken_at(
                        window.end,
                        format!(
                            "O1: {service} was asked {asked} times from {from} to {to} and served {served}; it can serve {capacity:.0}"
                        ),
                    );
                }
            }
            Ok(())
        })
    }

    /// O2: of the calls that begin 3 deadlines after the last fault, and after the last window with more new calls than the
    /// capacity, at least `recovered` x the share that succeeded before succeed. A call succeeds if its last attempt is served.
    /// It is judged if 20 calls or more begin after that time; so many are needed before the first fault and overload to
    /// take their share for the usual one, which is 1 otherwise. A run without an overload says nothing.
    pub fn recovers_from_overload(&self) -> Check {
        let policy = self.clone();
        check_if_any("O2 recovers from overload", move |trace, judged| {
            let calls = new_calls(trace, &policy);
            let load = Load { seconds: per_second(trace, calls.iter().copied()) };
            let capacity = policy.capacity * policy.window.as_secs_f64();
            let overloads: Vec<_> =
                load.windows(&policy).filter(|window| load.within(window).0 as f64 > capacity).collect();
            let (Some(first), Some(last)) = (overloads.first(), overloads.last()) else { return Ok(()) };
            let faults = faults(trace);
            let begins = faults.iter().map(|fault| fault.start).fold(first.start, Duration::min);
            let over = faults.iter().map(|fault| fault.end).fold(last.end, Duration::max);
            let share = |from: Duration, to: Duration| {
                let within = calls.iter().filter(|(began, _)| (from..to).contains(began));
                let (count, served) =
                    within.fold((0, 0), |(count, all), (_, served)| (count + 1, all + u64::from(*served)));
                (count >= FEWEST_CALLS).then(|| (count, served as f64 / count as f64))
            };
            let before = share(Duration::ZERO, begins.saturating_sub(policy.deadline)).map_or(1.0, |(_, share)| share);
            let from = over + policy.deadline * 3;
            let Some((count, after)) = share(from, trace.ended_at.saturating_sub(policy.deadline)) else {
                return Ok(());
            };
            *judged += count;
            if after < policy.recovered * before {
                let (over, since) = (text(over), text(from));
                let (before, after) = (before * 100.0, after * 100.0);
                return broken_at(
                    from,
                    format!(
                        "O2: faults and overload were over at {over}; of {count} calls from {since} on {after:.0} % succeeded, before {before:.0} %"
                    ),
                );
            }
            Ok(())
        })
    }

    /// O3: a request waits for at most `longest_wait` in a host of `queue` until that host sends the first request for it to
    /// another one. Requests are recognised by trace or idempotency key, as in
    /// [`possible_causes`](super::possible_causes()); those during which there is a fault are not judged, nor those that arrive
    /// less than `longest_wait` after one, as it may have delayed what is served before them.
    pub fn queueing_is_bounded(&self) -> Check {
        let policy = self.clone();
        let needs = "no host of the queue asked another one for a request that it had received";
        check("O3 queueing is bounded", needs, move |trace, judged| {
            let exchanges = trace.exchanges();
            let faults = faults(trace);
            let mut is_known = vec![false; exchanges.len()];
            for (inner, causes) in exchanges.iter().zip(trace.possible_causes()) {
                // With several causes there is no telling which of them it was sent for.
                let [outer] = causes[..] else { continue };
                if std::mem::replace(&mut is_known[outer], true) || !is_named(trace, inner.client(), &policy.queue) {
                    continue;
                }
                let outer = &exchanges[outer];
                let (Some(arrived), began) = (outer.request.last_arrived, inner.request.first_sent) else { continue };
                if faults.iter().any(|fault| fault.start <= began && arrived <= fault.end + policy.longest_wait) {
                    continue;
                }
                *judged += 1;
                if began > arrived + policy.longest_wait + trace.step {
                    let (what, waited) = (words(trace, outer), text(began - arrived));
                    return broken_at(
                        arrived + policy.longest_wait,
                        format!("O3: {what} waited for {waited}; the limit is {}", text(policy.longest_wait)),
                    );
                }
            }
            Ok(())
        })
    }

    /// All three.
    pub fn checks(&self) -> [Check; 3] {
        [self.goodput_under_overload(), self.recovers_from_overload(), self.queueing_is_bounded()]
    }
}

fn is_load(trace: &Trace, exchange: &Exchange, policy: &OverloadPolicy) -> bool {
    is_named(trace, exchange.server(), &policy.service) && !policy.probes.contains(&exchange.path)
}

/// Whether the client got what it had asked for, or learnt that it cannot have it.
fn is_served(exchange: &Exchange) -> bool {
    let is_refused = exchange.is_grpc || exchange.status.is_none_or(|status| status == 429 || status >= 500);
    is_accepted(exchange) || (exchange.is_complete() && !is_refused)
}

/// When each call began, and whether it succeeded.
fn new_calls(trace: &Trace, policy: &OverloadPolicy) -> Vec<(Duration, bool)> {
    let exchanges = trace.exchanges();
    let calls = trace.calls(policy.deadline);
    let ours =
        calls.iter().filter_map(|call| Some((&exchanges[*call.attempts.first()?], &exchanges[*call.attempts.last()?])));
    ours.filter(|(first, _)| is_load(trace, first, policy))
        .map(|(first, last)| (first.request.first_sent, is_served(last)))
        .collect()
}

/// The requests of each second, and how many of them were served.
struct Load {
    seconds: Vec<(u64, u64)>,
}

impl Load {
    fn of(trace: &Trace, policy: &OverloadPolicy) -> Load {
        let asked = trace.exchanges().iter().filter(|exchange| is_load(trace, exchange, policy));
        Load { seconds: per_second(trace, asked.map(|exchange| (exchange.request.first_sent, is_served(exchange)))) }
    }

    /// The windows of the run, one beginning in each second.
    fn windows(&self, policy: &OverloadPolicy) -> impl Iterator<Item = Range<Duration>> + use<> {
        let (length, seconds) = (policy.window.as_secs().max(1), self.seconds.len() as u64);
        (0..(seconds + 1).saturating_sub(length)).map(move |start| secs(start)..secs(start + length))
    }

    /// How many requests were sent within a window, and how many of them were served.
    fn within(&self, window: &Range<Duration>) -> (u64, u64) {
        let seconds = &self.seconds[window.start.as_secs() as usize..window.end.as_secs() as usize];
        seconds.iter().fold((0, 0), |(asked, served), second| (asked + second.0, served + second.1))
    }
}

fn per_second(trace: &Trace, requests: impl Iterator<Item = (Duration, bool)>) -> Vec<(u64, u64)> {
    let mut seconds = vec![(0, 0); trace.ended_at.as_secs() as usize];
    for (at, is_served) in requests {
        if let Some(second) = seconds.get_mut(at.as_secs() as usize) {
            second.0 += 1;
            second.1 += u64::from(is_served);
        }
    }
    seconds
}

/// The times of the run's faults.
fn faults(trace: &Trace) -> Vec<Range<Duration>> {
    let mut faults: Vec<(u32, Range<Duration>)> = Vec::new();
    for record in &trace.records {
        match record.event {
            Event::FaultBegan { fault } => faults.push((fault, record.at..Duration::MAX)),
            Event::FaultEnded { fault } => {
                if let Some((_, times)) = faults.iter_mut().rfind(|(other, _)| *other == fault) {
                    times.end = record.at;
                }
            }
            // What is not over by then is over then.
            Event::FaultsOver => faults.iter_mut().for_each(|(_, times)| times.end = times.end.min(record.at)),
            _ => {}
        }
    }
    faults.into_iter().map(|(_, times)| times).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::millis;
    use crate::history::History;
    use crate::trace::HostId;
    use crate::trace::exchange::{Observed, observe_bytes};

    /// The policy of these tests: the one host `api` serves 10 requests in a second.
    fn policy() -> OverloadPolicy {
        OverloadPolicy { longest_wait: millis(300), ..OverloadPolicy::new("api", 10.0, secs(1)) }
    }

    /// A request to `api` at this time with this answer, as a call of its own.
    fn asked(at: Duration, status: u16) -> Exchange {
        let head = format!("GET / HTTP/1.1\r\nx-request-id: {}\r\n\r\n", at.as_micros());
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        let mut exchange = observe_bytes([(true, head.as_bytes()), (false, answer.as_bytes())]).remove(0);
        (exchange.connection.from, exchange.connection.to) = (HostId(0), HostId(1));
        exchange.request.first_sent = at;
        exchange.request.first_arrived = Some(at);
        exchange.request.last_arrived = Some(at);
        exchange.ended_at = Some(at + millis(100));
        exchange
    }

    /// So many requests in each second, of which the first so many are served.
    fn load(seconds: Range<u64>, asked_for: u64, served: u64) -> Vec<Exchange> {
        let second = |second| {
            (0..asked_for).map(move |number| {
                let status = if number < served { 200 } else { 503 };
                asked(secs(second) + Duration::from_micros(number * 1_000_000 / asked_for), status)
            })
        };
        seconds.flat_map(second).collect()
    }

    fn judge(check: &Check, exchanges: Vec<Exchange>, faults: &[Range<Duration>]) -> (String, u64) {
        let observed = Observed { is_observed: true, exchanges, ..Observed::default() };
        let hosts = ["client", "api", "store"].map(str::to_owned).to_vec();
        let mut trace = Trace::new(hosts, millis(1), secs(60), false).with_observed(observed, secs(60));
        for (fault, times) in faults.iter().enumerate() {
            let fault = fault as u32;
            trace.push(times.start, None, Event::FaultBegan { fault });
            trace.push(times.end, None, Event::FaultEnded { fault });
        }
        let verdict = check.judge_counting(&trace, &History::default());
        (verdict.verdict().to_string(), verdict.judged())
    }

    #[test]
    fn o1_judges_windows_with_twice_the_capacity() {
        let check = policy().goodput_under_overload();
        let pass = |judged| ("pass".to_owned(), judged);
        assert_eq!(judge(&check, load(10..14, 20, 8), &[]), pass(3));
        // Less load: nothing to judge.
        assert_eq!(judge(&check, load(10..14, 19, 0), &[]).1, 0);
        let (verdict, judged) = judge(&check, load(10..14, 20, 7), &[]);
        assert_eq!(judged, 1);
        assert!(verdict.contains("asked 40 times from 10s to 12s and served 14; it can serve 20"), "{verdict}");
        // A fault less than a deadline before or after a window explains it.
        assert_eq!(judge(&check, load(10..12, 20, 0), &[millis(12_900)..secs(13)]).1, 0);
        assert_eq!(judge(&check, load(10..12, 20, 0), &[secs(13)..secs(14)]).1, 1);
    }

    #[test]
    fn o2_judges_calls_after_the_overload() {
        let check = policy().recovers_from_overload();
        let run = |after: u64| [load(0..10, 10, 10), load(10..15, 11, 0), load(15..60, 10, after)].concat();
        assert_eq!(judge(&check, run(10), &[]), ("pass".to_owned(), 400));
        let (verdict, _) = judge(&check, run(9), &[]);
        assert!(verdict.contains("over at 16s; of 400 calls from 19s on 90 % succeeded, before 100 %"), "{verdict}");
        // A later fault moves the time; without an overload there is nothing to recover from.
        assert_eq!(judge(&check, run(10), &[secs(20)..secs(30)]).1, 260);
        assert_eq!(judge(&check, load(0..60, 10, 0), &[]).1, 0);
        // What was so before the overload is so after it.
        let usual = [load(0..10, 10, 5), load(10..15, 11, 0), load(15..60, 10, 5)].concat();
        assert_eq!(judge(&check, usual, &[]), ("pass".to_owned(), 400));
    }

    #[test]
    fn o3_judges_the_time_before_work_begins() {
        let check = policy().queueing_is_bounded();
        let work = |after_ms| {
            let mut inner = asked(secs(1), 200);
            (inner.connection.from, inner.connection.to) = (HostId(1), HostId(2));
            inner.request.first_sent = secs(1) + millis(after_ms);
            vec![asked(secs(1), 200), inner]
        };
        assert_eq!(judge(&check, work(300), &[]), ("pass".to_owned(), 1));
        let (verdict, _) = judge(&check, work(400), &[]);
        assert!(verdict.contains("waited for 400ms; the limit is 300ms"), "{verdict}");
        assert_eq!(judge(&check, work(400), &[millis(1_200)..millis(1_300)]).1, 0);
        // What is served before it may have met the fault.
        assert_eq!(judge(&check, work(400), &[millis(500)..millis(800)]).1, 0);
        assert!(judge(&check, work(400), &[millis(500)..millis(600)]).0.contains("waited for 400ms"));
    }
}

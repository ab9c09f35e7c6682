//! Checks of the descriptors that processes hold: none is leaked, and there are never too many.

use std::time::Duration;

use super::{Check, CountedVerdict};
use crate::fault::duration_text as text;
use crate::trace::{Event, HostId, Trace};

const NEEDS: &str =
    "no process that runs at the end was counted: descriptors are counted where a scenario has plain sockets";

/// P3: no descriptor leaks. At the end of the run, no process holds the socket of a connection that ended more than `after`
/// before: its peer has finished, or it was refused, reset or given up.
///
/// Only scenarios with [plain sockets](crate::scenario::Scenario::plain_sockets) count descriptors. One verdict is given for
/// each process that runs at the end. Let `after` be longer than a pool keeps a connection without looking at it.
pub fn no_descriptor_leaks(after: Duration) -> Check {
    Check::new("P3 no descriptor leaks", move |trace, _| {
        judge(trace, |who, Held { ended, open, .. }| {
            let is_leak = |at: &&Duration| **at + after < trace.ended_at;
            let oldest = ended.iter().filter(is_leak).min()?;
            let (count, oldest, after) = (ended.iter().filter(is_leak).count(), text(*oldest), text(after));
            Some(format!(
                "P3: of the {open} descriptors that {who} holds at the end, {count} are sockets of connections that ended \
                 more than {after} before; the first ended at {oldest}"
            ))
        })
    })
}

/// P3: no process ever has more than `most` descriptors open at once.
///
/// Only scenarios with [plain sockets](crate::scenario::Scenario::plain_sockets) count descriptors. One verdict is given for
/// each process that runs at the end. A runtime of tokio has three of its own.
pub fn descriptors_at_most(most: u32) -> Check {
    Check::new("P3 descriptors are bounded", move |trace, _| {
        judge(trace, |who, held| {
            let (at_once, open) = (held.most, held.open);
            (at_once > most).then(|| {
                format!(
                    "P3: {who} had {at_once} descriptors open at once, and has {open} at the end; the limit is {most}"
                )
            })
        })
    })
}

struct Held<'a> {
    open: u32,
    most: u32,
    ended: &'a [Duration],
}

/// Judges each process that was counted; the first for which `broken` returns a reason breaks the promise.
fn judge(trace: &Trace, broken: impl Fn(&str, Held<'_>) -> Option<String>) -> CountedVerdict {
    let counted = trace.records.iter().filter_map(|record| match &record.event {
        Event::DescriptorsHeld { open, most, ended } => {
            Some((record.at, record.host.unwrap_or(HostId::UNKNOWN), Held { open: *open, most: *most, ended }))
        }
        _ => None,
    });
    let mut judged = 0;
    for (at, host, held) in counted {
        judged += 1;
        if let Some(why) = broken(trace.name(host), held) {
            return CountedVerdict::broken(judged, why).at(at);
        }
    }
    CountedVerdict::kept(judged, NEEDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::history::History;

    const END: Duration = Duration::from_secs(40);

    fn verdict(check: &Check, counts: &[(u32, u32, &[u64])]) -> (Verdict, u64) {
        let names = vec!["server".to_owned(), "client".to_owned()];
        let mut trace = Trace::new(names, Duration::from_millis(1), END, true);
        for (host, (open, most, ended)) in counts.iter().enumerate() {
            let ended = ended.iter().map(|at| Duration::from_secs(*at)).collect();
            let event = Event::DescriptorsHeld { open: *open, most: *most, ended };
            trace.push(END, Some(HostId(host as u16)), event);
        }
        trace.ended_at = END;
        check.judge_counting(&trace, &History::default()).into_parts()
    }

    #[test]
    fn the_socket_of_a_connection_that_ended_long_ago_is_a_leak() {
        let check = no_descriptor_leaks(Duration::from_secs(10));
        assert_eq!(verdict(&check, &[(5, 9, &[31, 35]), (4, 4, &[])]), (Verdict::Pass, 2));
        let (broken, judged) = verdict(&check, &[(4, 4, &[]), (7, 9, &[31, 29, 3])]);
        let why = "P3: of the 7 descriptors that client holds at the end, 2 are sockets of connections that ended more than \
                   10s before; the first ended at 3s";
        assert_eq!((broken, judged), (Verdict::fail(why).at(END), 2));
    }

    #[test]
    fn the_most_at_once_is_bounded() {
        let check = descriptors_at_most(8);
        assert_eq!(verdict(&check, &[(5, 8, &[])]), (Verdict::Pass, 1));
        let why = "P3: server had 9 descriptors open at once, and has 5 at the end; the limit is 8";
        assert_eq!(verdict(&check, &[(5, 9, &[])]), (Verdict::fail(why).at(END), 1));
    }

    #[test]
    fn without_a_count_nothing_is_judged() {
        let (verdict, judged) = verdict(&descriptors_at_most(8), &[]);
        assert!(matches!(verdict, Verdict::Unknown(why) if why.contains("plain sockets")));
        assert_eq!(judged, 0);
    }
}

//! The catalog of faults, as data: every kind, every composed generator and every kind of trigger, with what a peer
//! sees.

use super::FaultKind;
use super::kinds::Facts;

/// One kind of fault, one generator that composes several, or one way for a fault to begin.
#[derive(Clone, Debug)]
pub struct CatalogRow {
    /// The name by which it is listed, for example `power off`.
    pub name: &'static str,
    /// The code that a scenario uses for it.
    pub written: &'static str,
    /// What a peer (or the machine's own program) observes.
    pub seen: &'static str,
    /// Its parameters apart from time and place, each with its meaning.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Every kind of fault with an example, in the order of the catalog.
pub fn kinds() -> Vec<(FaultKind, CatalogRow)> {
    let row = |kind: FaultKind| {
        let Facts { written, seen, parameters, .. } = kind.facts();
        let name = kind.name();
        (kind, CatalogRow { name, written, seen, parameters })
    };
    FaultKind::examples().into_iter().map(row).collect()
}

/// The generators that compose several faults.
pub fn compositions() -> Vec<CatalogRow> {
    let entry = |name, written, seen, parameters| CatalogRow { name, written, seen, parameters };
    vec![
        entry(
            "isolate",
            "fault::isolate(hosts)",
            "no other host reaches these hosts, and they reach no other host",
            &[],
        ),
        entry(
            "groups",
            "fault::partition_groups([hosts, hosts, ...])",
            "nothing passes between hosts of different groups",
            &[],
        ),
        entry(
            "bridge",
            "fault::bridge(hosts)",
            "the hosts split into two halves, and only one more host, the bridge, can talk to both",
            &[],
        ),
        entry(
            "flapping",
            "fault::flapping(period, from, to)",
            "a link is cut and healed, again and again",
            &[("period", "time from one cut to the next, at least 20 ms; the link is cut for half of it")],
        ),
        entry("swizzle", "fault::swizzle(hosts)", "hosts are isolated one by one, and come back in another order", &[]),
        entry(
            "slow host",
            "fault::slow_host(at_least..at_most, rate, hosts)",
            "all links of a host are slow and lossy at the same time",
            &[
                ("at_least", "minimum delay added to each segment"),
                ("at_most", "maximum delay added to each segment"),
                ("rate", "probability in [0, 1] that a transmission is lost"),
            ],
        ),
        entry(
            "rolling stop",
            "fault::rolling_stop(hosts, grace)",
            "hosts are stopped and restarted one after another, as by a deployment",
            &[("grace", "time that each program may take to stop before it is killed")],
        ),
        entry(
            "slow restart",
            "fault::slow_restart(by, hosts)",
            "as with kill, and connects are still refused for a while after the restart",
            &[("by", "delay from the start of a program until it listens")],
        ),
        entry(
            "restart loop",
            "fault::restart_loop(times, up, hosts)",
            "processes die again and again, each time shortly after their start",
            &[("times", "how often they die, at most"), ("up", "how long they live in between")],
        ),
        entry(
            "kill several",
            "fault::kill_several(count, hosts)",
            "several hosts of a group die at the same time",
            &[("count", "number of hosts that die")],
        ),
        entry("whole tier", "fault::whole_tier(hosts)", "all hosts of a group die at the same time", &[]),
    ]
}

/// The ways in which a fault of any kind can begin, and recipes that combine them with kinds.
pub fn beginnings() -> Vec<CatalogRow> {
    let entry = |name, written, seen, parameters| CatalogRow { name, written, seen, parameters };
    vec![
        entry(
            "at a time",
            ".every(range), .once(range), .throughout()",
            "the fault begins at the start of the step that contains the time",
            &[],
        ),
        entry(
            "at a message",
            ".at_message(from, to, containing)",
            "the fault begins just before a message leaves, and applies to it; a process that dies does not send it",
            &[("containing", "text in the bytes of the message, for example \"HTTP/1.1 201\"; empty for any message")],
        ),
        entry(
            "at an event",
            ".at_event(host, named)",
            "the fault begins just after an event; a process that dies does nothing that comes after it",
            &[("named", "name of a mark or a note, or started, stopping, killed, powered-off, returned, failed")],
        ),
        entry(
            "lost answer",
            "fault::reset(0, here(), to).one_way().at_message(from, to, \"HTTP/1.1 201\")",
            "the request was executed, but its response never arrives: the connection is reset",
            &[],
        ),
        entry(
            "interrupted upload",
            "fault::close(1_000, here(), to).one_way().at_message(from, to, \"POST\")",
            "the head of a request and the beginning of its body arrive, then the end of the stream",
            &[],
        ),
        entry(
            "stalled body",
            "fault::stall(200, here(), to).one_way().at_message(from, to, \"POST\")",
            "the headers arrive, but not the body before the end of the fault",
            &[],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_catalog_with_all_its_parameters() {
        // The error for an unknown kind lists all kinds.
        let refusal = serde_json::from_str::<FaultKind>(r#"{"is": "?"}"#).unwrap_err().to_string();
        let known: Vec<&str> = refusal.split('`').skip(1).step_by(2).filter(|word| *word != "?").collect();
        assert!(known.len() >= 23, "{refusal}");
        let kinds: Vec<_> =
            kinds().into_iter().map(|(kind, entry)| (serde_json::to_value(kind).unwrap(), entry)).collect();
        assert!(
            kinds.iter().all(|(_, entry)| entry.name.len() < 22),
            "the printed catalog has a column of this width for names"
        );
        let listed: Vec<&str> = kinds.iter().map(|(kind, _)| kind["is"].as_str().unwrap()).collect();
        assert_eq!(listed, known);
        for (kind, entry) in &kinds {
            let fields = kind.as_object().unwrap().keys().map(String::as_str).filter(|field| *field != "is");
            let mut explained: Vec<&str> = entry.parameters.iter().map(|(name, _)| *name).collect();
            explained.sort_unstable();
            assert_eq!(fields.collect::<Vec<_>>(), explained, "{}", entry.name);
        }
    }
}

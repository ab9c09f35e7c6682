//! What there is to fear, for people who choose: each kind of fault with what a peer sees of it. It knows nothing of how
//! that is printed.

use super::FaultKind;
use super::kinds::Facts;

/// One kind of fault, or one generator that composes several.
#[derive(Clone, Debug)]
pub struct CatalogRow {
    /// The name by which it is listed, for example `power off`.
    pub name: &'static str,
    /// How its generator is written in a scenario, or the fault itself if no generator draws it.
    pub written: &'static str,
    /// What a peer (or the machine's own program) sees.
    pub seen: &'static str,
    /// Its parameters beside when and where, with what they mean.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Every kind of fault with an example, in the order in which kinds are listed.
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
        entry("isolate", "fault::isolate(hosts)", "hosts that nobody reaches and that reach nobody", &[]),
        entry(
            "groups",
            "fault::partition_groups([hosts, hosts, ...])",
            "nothing passes between hosts of different groups",
            &[],
        ),
        entry("bridge", "fault::bridge(hosts)", "two halves that share one host: nobody sees the same world", &[]),
        entry(
            "flapping",
            "fault::flapping(period, from, to)",
            "a link that is cut and healed again and again",
            &[("period", "from one cut to the next, at least 20 ms; half of it is cut")],
        ),
        entry(
            "swizzle",
            "fault::swizzle(hosts)",
            "hosts that are cut from everybody one by one, and come back in another order",
            &[],
        ),
        entry(
            "slow host",
            "fault::slow_host(at_least..at_most, rate, hosts)",
            "all links of a host are late and lossy at once",
            &[
                ("at_least", "the least that is added to a segment's time"),
                ("at_most", "the most that is added"),
                ("rate", "probability in [0, 1] that a transmission is lost"),
            ],
        ),
        entry(
            "rolling stop",
            "fault::rolling_stop(hosts, grace)",
            "hosts are stopped and restarted one after the other, as by a deployment",
            &[("grace", "how long each may take before it is killed")],
        ),
        entry(
            "slow restart",
            "fault::slow_restart(by, hosts)",
            "as with a kill, and connects are still refused for a while after the restart",
            &[("by", "how long after its start a program listens")],
        ),
        entry(
            "restart loop",
            "fault::restart_loop(times, up, hosts)",
            "processes that die again and again, each time shortly after their start",
            &[("times", "how often they die"), ("up", "how long they live in between")],
        ),
        entry(
            "kill several",
            "fault::kill_several(count, hosts)",
            "some of a group die at the same moment",
            &[("count", "how many")],
        ),
        entry("whole tier", "fault::whole_tier(hosts)", "all of a group die at the same moment", &[]),
    ]
}

/// How the beginning of a fault is said, whatever its kind.
pub fn beginnings() -> Vec<CatalogRow> {
    let entry = |name, written, seen, parameters| CatalogRow { name, written, seen, parameters };
    vec![
        entry(
            "at a time",
            ".every(range), .once(range), .throughout()",
            "it begins with the step that holds the time",
            &[],
        ),
        entry(
            "at a message",
            ".at_message(from, to, containing)",
            "it begins just before a message leaves, which is the first to meet it; a process that dies does not send it",
            &[("containing", "what the bytes of the message contain, for example \"HTTP/1.1 201\"; nothing for any")],
        ),
        entry(
            "at an event",
            ".at_event(host, named)",
            "it begins just after an event; a process that dies does nothing that comes after it",
            &[("named", "a mark, the name of a note, or started, stopping, killed, powered-off, returned, failed")],
        ),
        entry(
            "lost answer",
            "fault::reset(0, here(), to).one_way().at_message(from, to, \"HTTP/1.1 201\")",
            "the request was carried out, and its answer never comes: the connection is reset",
            &[],
        ),
        entry(
            "cut upload",
            "fault::close(1_000, here(), to).one_way().at_message(from, to, \"POST\")",
            "the head of a request and the beginning of its body, then the end of the stream",
            &[],
        ),
        entry(
            "stalled body",
            "fault::stall(200, here(), to).one_way().at_message(from, to, \"POST\")",
            "the headers come, the body does not before the end of the fault",
            &[],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_catalog_with_all_its_parameters() {
        // Who reads a case file knows all kinds, and says so.
        let refusal = serde_json::from_str::<FaultKind>(r#"{"is": "?"}"#).unwrap_err().to_string();
        let known: Vec<&str> = refusal.split('`').skip(1).step_by(2).filter(|word| *word != "?").collect();
        assert!(known.len() >= 23, "{refusal}");
        let kinds: Vec<_> =
            kinds().into_iter().map(|(kind, entry)| (serde_json::to_value(kind).unwrap(), entry)).collect();
        assert!(kinds.iter().all(|(_, entry)| entry.name.len() < 22), "the page has a column of this width for names");
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

//! Prints a case as a Rust test to paste. How the case was found does not matter.

use std::fmt::Write as _;

use crate::case_file::{CaseFile, lay_out};
use crate::check::Verdict;
use crate::fault::rust_code::duration;
use crate::fault::{EventPoint, Fault, MessagePoint, Selector, Target, Trigger};
use crate::scenario::{Case, SeededOrder};

/// The source of a test that passes if the case does. Its body imports everything that it uses, except the function
/// that builds the scenario, which is assumed to have the scenario's name.
pub fn rust_test(file: &CaseFile) -> String {
    let case = &file.case;
    let (scenario, name) = (&case.scenario, identifier(&case.scenario));
    let mut text = String::new();
    let came_to = match &file.verdict {
        Verdict::Pass => "passes".to_owned(),
        Verdict::Unknown(why) => format!("is unknown: {}", why.lines().next().unwrap_or_default()),
        Verdict::Fail(breach) => format!("fails: {}", breach.why().lines().next().unwrap_or_default()),
    };
    let _ = writeln!(text, "/// `{scenario}`, seed {}, {came_to}", case.seed);
    let _ = writeln!(text, "#[test]\nfn {name}_{}() {{", case.seed);
    let names = if case.engine.is_default() { "Case" } else { "{Case, Engine}" };
    let _ = write!(text, "    use squall::prelude::*;\n    use squall::scenario::{names};\n\n");
    let _ = write!(text, "    let case = Case::new({scenario:?}, Seed({}))", case.seed);
    if !case.engine.is_default() {
        let _ = write!(text, "\n        .engine(Engine::{:?})", case.engine);
    }
    if !case.seeded_order.is_always() {
        let SeededOrder { from, until } = case.seeded_order;
        let _ = write!(text, "\n        .seeded_order({}..{})", duration(from), duration(until));
    }
    for fault in &case.plan.faults {
        let _ = write!(text, "\n        .fault({})", fault_code(fault));
    }
    inputs(&mut text, case);
    text.push_str(";\n");
    let _ = writeln!(text, "    // `{name}` stands for the function that makes the scenario.");
    let _ = writeln!(text, "    {name}().assert_case_passes(case);\n}}");
    text
}

/// A name that Rust accepts.
fn identifier(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) || plain.is_empty() { format!("_{plain}") } else { plain }
}

fn inputs(text: &mut String, case: &Case) {
    for (clients, inputs) in &case.input {
        for input in inputs {
            // Inside the raw string, lines are indented as in a case file.
            let json = lay_out(&input.to_string(), 12);
            let marks = "#".repeat(hashes_needed(&json));
            let _ = if json.contains('\n') {
                write!(
                    text,
                    "\n        .input(\n            {clients:?},\n            r{marks}\"{json}\"{marks},\n        )"
                )
            } else {
                write!(text, "\n        .input({clients:?}, r{marks}\"{json}\"{marks})")
            };
        }
    }
}

/// How many `#` marks a raw string needs so that its content does not end it.
fn hashes_needed(text: &str) -> usize {
    let after_quotes = text.split('"').skip(1);
    after_quotes.map(|rest| rest.len() - rest.trim_start_matches('#').len()).max().unwrap_or(0) + 1
}

fn fault_code(fault: &Fault) -> String {
    let begins = match &fault.trigger {
        Trigger::At(begins) => format!("at({})", duration(*begins)),
        Trigger::Message(MessagePoint { from, to, containing, nth }) => {
            format!("at_nth_message({}, {}, {containing:?}, {nth})", selector(from), selector(to))
        }
        Trigger::Event(EventPoint { host, named, nth }) => {
            format!("at_nth_event({}, {named:?}, {nth})", selector(host))
        }
    };
    let target = match &fault.target {
        Target::Hosts(hosts) => selector(hosts),
        Target::Links { from, to } | Target::OneWay { from, to } => format!("{}, {}", selector(from), selector(to)),
    };
    let is_narrowed = matches!(fault.target, Target::OneWay { .. }) && !fault.kind.is_one_way();
    let way = if is_narrowed { ".one_way()" } else { "" };
    format!("{}{way}.{begins}.lasting({})", fault.kind.rust(&target), duration(fault.lasting))
}

fn selector(selector: &Selector) -> String {
    match selector {
        Selector::Names(names) => format!("{names:?}"),
        Selector::Matching(pattern) => format!("{pattern:?}"),
        Selector::One(pattern) => format!("one({pattern:?})"),
        Selector::Minority(pattern) => format!("minority({pattern:?})"),
        Selector::Majority(pattern) => format!("majority({pattern:?})"),
        Selector::All => "all()".to_owned(),
        Selector::Here => "fault::here()".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::{self, all, micros, millis, minority, one, secs};
    use crate::scenario::Scenario;
    use crate::seed::Seed;
    use crate::trace::Fingerprint;

    /// The code that the test below expects; it is compiled here, and must build the same case.
    fn example() -> Case {
        Case::new("two words", Seed(0x51f3))
            .fault(fault::kill(["store"]).at(millis(3_127)).lasting(millis(895)))
            .fault(fault::loss(0.15, all(), ["gateway", "api-1"]).at(secs(4)).lasting(micros(12_345_678)))
            .fault(fault::stop(one("api"), secs(8)).at(secs(0)).lasting(std::time::Duration::from_nanos(1_001)))
            .fault(fault::latency(millis(300)..millis(2_500), "a*", minority("b")).at(secs(5)).lasting(secs(1)))
            .fault(fault::burst_loss(millis(500), millis(50), 1.0, "a", "b").one_way().at(secs(5)).lasting(secs(1)))
            .fault(fault::latency_wave(millis(1_500), "a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::bandwidth(100_000, 64_000, "a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::kill(fault::here()).at_nth_message("a", ["b"], "HTTP/1.1 \"200", 3).lasting(secs(1)))
            .fault(fault::hold("a", "b").at_nth_event("a", "applied", 2).lasting(secs(1)))
            .fault(fault::partition_with_reset("a", all()).at(secs(5)).lasting(secs(1)))
            .fault(fault::disk_errors(0.3, fault::DiskCalls::Syncs, "a").at(secs(5)).lasting(secs(1)))
            .fault(fault::disk_full(64_000, "a").at(secs(5)).lasting(secs(1)))
            .fault(fault::disk_slow(secs(0), micros(20), millis(30), "a").at(secs(5)).lasting(secs(1)))
            .fault(fault::disk_corruption(0.001, one("a")).at(secs(5)).lasting(secs(1)))
            .fault(fault::lost_syncs("a").at(secs(5)).lasting(secs(1)))
            .fault(fault::reset(0, "a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::close(1_500, "a", "b").one_way().at(secs(5)).lasting(secs(1)))
            .fault(fault::stall(120, "a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::trickle(10, millis(200), "a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::corrupt(0.5, "a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::close_idle(secs(3), "a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::half_open("a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::short_reads("a", 1).at(secs(5)).lasting(secs(1)))
            .fault(fault::short_writes("a", 7).at(secs(5)).lasting(secs(1)))
            .fault(fault::small_window("a", 65_536).at(secs(5)).lasting(secs(1)))
            .fault(fault::output_stall("a").at(secs(5)).lasting(secs(1)))
            .fault(fault::pause("a").at(secs(5)).lasting(secs(1)))
            .fault(fault::slow_start(millis(1_500), "a").at(secs(5)).lasting(secs(1)))
            .fault(fault::out_of_memory(8, secs(2), "a").at(secs(5)).lasting(secs(1)))
            .fault(fault::clock_skew(-3_600_000, "a").at(secs(5)).lasting(secs(1)))
            .fault(fault::clock_drift(500, "a").at(secs(5)).lasting(secs(1)))
            .fault(fault::dns_slow(millis(300), "a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::dns_blackhole("a", "b").at(secs(5)).lasting(secs(1)))
            .fault(fault::dns_not_found("a", all()).at(secs(5)).lasting(secs(1)))
            .fault(
                fault::segments(
                    ["a"],
                    ["b"],
                    [fault::SegmentFate::new("a", "b", 80, 14, 0).back().lost([0, 1]).late(millis(7)).corrupted([59])],
                )
                .at(secs(6))
                .lasting(secs(2)),
            )
            .input("buyer", r#"[{"after_ms": 853, "operation": {"PlaceOrder": {"quantity": 9, "sku": "sku-8"}}}]"#)
            .input("buyer", r###"["\"## is not the end"]"###)
    }

    #[test]
    fn a_case_is_printed_as_it_would_be_written() {
        let scenario = Scenario::new("two words");
        let verdict = Verdict::fail("an order is gone\nand more");
        let file = CaseFile::new::<&str>(&scenario, example(), Fingerprint(7), verdict, &[]);
        let printed = rust_test(&file);
        let (before, after) = printed.split_once("    let case = ").unwrap();
        let expected = "/// `two words`, seed 0x51f3, fails: an order is gone\n#[test]\nfn two_words_0x51f3() {\n    \
                        use squall::prelude::*;\n    use squall::scenario::Case;\n\n";
        assert_eq!(before, expected);
        let (code, after) = after.split_once(";\n").unwrap();
        // The code is the body of the function above, word for word.
        let source = include_str!("rust.rs").split("fn example() -> Case {\n").nth(1).unwrap();
        let source = source.split("\n    }\n").next().unwrap();
        let plain = |text: &str| text.split_whitespace().collect::<String>().replace(",)", ")").replace(",]", "]");
        assert_eq!(plain(code), plain(source));
        assert!(after.ends_with("    two_words().assert_case_passes(case);\n}\n"), "{after}");
    }

    #[test]
    fn long_input_has_an_operation_on_each_line() {
        let operations: Vec<String> = (0..40).map(|number| format!("[{number}, \"place an order\"]")).collect();
        let case = Case::new("s", Seed(1)).input("buyer", &format!("[{}]", operations.join(",")));
        let printed = rust_test(&CaseFile::new::<&str>(&Scenario::new("s"), case, Fingerprint(7), Verdict::Pass, &[]));
        assert!(
            printed.contains("\n                [39, \"place an order\"]\n            ]\"#,\n        );"),
            "{printed}"
        );
    }

    #[test]
    fn a_case_says_what_runs_its_hosts() {
        let case = Case::new("s", Seed(1)).engine(crate::scenario::Engine::Events);
        let printed = rust_test(&CaseFile::new::<&str>(&Scenario::new("s"), case, Fingerprint(7), Verdict::Pass, &[]));
        assert!(printed.contains("use squall::scenario::{Case, Engine};"), "{printed}");
        assert!(printed.contains("Case::new(\"s\", Seed(0x1))\n        .engine(Engine::Events);"), "{printed}");
    }

    #[test]
    fn any_scenario_has_a_name_that_rust_accepts() {
        for (name, expected) in [("a-b c", "a_b_c"), ("3 servers", "_3_servers"), ("", "_"), ("ü", "_")] {
            assert_eq!(identifier(name), expected);
        }
    }

    #[test]
    fn a_case_says_when_the_seed_orders_hosts() {
        let case = Case::new("s", Seed(1)).seeded_order(Duration::ZERO..Duration::from_millis(700));
        let printed = rust_test(&CaseFile::new::<&str>(&Scenario::new("s"), case, Fingerprint(7), Verdict::Pass, &[]));
        assert!(printed.contains(".seeded_order(secs(0)..millis(700));"), "{printed}");
    }
}

//! The builder of a scenario: its calls work in any order, and validation reports every problem at once, before any
//! run.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::strategy::Just;
use squall::check::Check;
use squall::fault::{Generator, SegmentFate, here, micros};
use squall::internal::run::{Detail, run};
use squall::prelude::*;

async fn idle(_: HostContext) {
    std::future::pending::<()>().await;
}

fn nothing(_: &Trace, _: &History) -> Verdict {
    Verdict::Pass
}

/// A valid scenario.
fn small() -> Scenario {
    Scenario::new("small")
        .host("server", idle)
        .hosts("api", 2, idle)
        .host("client", idle)
        .check(nothing)
        .run_for(secs(1))
        .settle_for(secs(1))
}

/// The problems of a scenario.
fn problems(scenario: &Scenario) -> Vec<String> {
    scenario.validate().err().map(|error| error.problems).unwrap_or_default()
}

/// Asserts that a scenario has exactly this problem.
#[track_caller]
fn check(scenario: Scenario, expected: &str) {
    assert_eq!(problems(&scenario), [expected]);
}

const HOSTS: &str = "(hosts: api-1, api-2, client, server)";

#[test]
fn all_problems_are_reported_at_once() {
    let scenario = Scenario::new("broken")
        .host("server", idle)
        .host("server", idle)
        .host("10.0.0.7", idle)
        .host("my host", idle)
        .supervise("sevrer", secs(1))
        .link_latency("server", "clinet", millis(20)..millis(30))
        .alias("server", &["servre"])
        .alias("db", &[])
        .fault(fault::kill("sevrer"))
        .step(millis(20))
        .run_for(Duration::ZERO)
        .settle_for(Duration::ZERO);
    let error = scenario.validate().unwrap_err();
    let hosts = "(hosts: 10.0.0.7, my host, server)";
    let expected = [
        "scenario `broken` cannot be run:",
        "  - a host cannot be named `10.0.0.7`: it is read as an IP address and never looked up",
        "  - a host cannot be named `my host`: ' ' is neither a letter from a to z, a digit, `-`, `_` nor `.`",
        "  - two hosts are named `server`: give one of them another name",
        "  - alias(`db`): name at least one host",
        "  - alias(`server`): a host or group has this name: choose another",
        &format!("  - alias(`server`): no host matches `servre`; did you mean `server`? {hosts}"),
        &format!("  - link_latency(`server`, `clinet`): no host matches `clinet` {hosts}"),
        &format!("  - supervise(`sevrer`): no host matches `sevrer`; did you mean `server`? {hosts}"),
        "  - a run has no length: set it with `.run_for(..)` and `.settle_for(..)`",
        "  - the step of 20ms is longer than the smallest latency, 10ms: make the step shorter or the latency larger",
        &format!("  - fault generator `kill sevrer`: no host matches `sevrer`; did you mean `server`? {hosts}"),
        "  - it has no check: add one with `.check(..)`",
    ];
    assert_eq!(error.to_string().lines().collect::<Vec<_>>(), expected);
}

#[test]
#[should_panic(expected = "fault generator `kill sevrer`: no host matches `sevrer`; did you mean `server`?")]
fn a_misspelt_host_is_refused() {
    small().fault(fault::kill("sevrer")).assert_passes(0..8);
}

#[test]
#[should_panic(expected = "fault generator `kill sevrer`: no host matches `sevrer`")]
fn a_case_of_an_invalid_scenario_is_refused() {
    let scenario = small().fault(fault::kill("sevrer"));
    let case = scenario.control(Seed(1));
    scenario.assert_case_passes(case);
}

#[test]
#[should_panic(expected = "it has no check")]
fn a_scenario_without_checks_is_refused() {
    Scenario::new("unjudged").host("server", idle).assert_passes(0..8);
}

#[test]
#[should_panic(expected = "fault generator `kill sevrer`: no host matches `sevrer`")]
fn a_single_run_of_an_invalid_scenario_is_refused() {
    let scenario = small().fault(fault::kill("sevrer"));
    run(&scenario, &scenario.control(Seed(1)), Detail::Lean);
}

#[test]
#[should_panic(expected = "plan[0]: the scenario has no host named `sevrer`")]
fn a_single_run_of_a_case_with_an_unknown_host_is_refused() {
    let scenario = small();
    let case = scenario.control(Seed(1)).fault(fault::kill(["sevrer"]).at_start());
    run(&scenario, &case, Detail::Lean);
}

#[test]
#[should_panic(
    expected = "fault generator `mine` of `small` drew `kill sevrer at 0s for 1s`: the scenario has no host named"
)]
fn faults_of_a_user_defined_generator_are_validated_when_drawn() {
    let generator = Generator::new("mine", |_| Just(vec![fault::kill(["sevrer"]).at_start()]));
    let scenario = small().fault(generator);
    assert_eq!(problems(&scenario), [""; 0], "the problem is known only after a draw");
    scenario.assert_passes(0..8);
}

#[test]
#[should_panic(expected = "fault generator `mine` of `small` drew `kill sevrer at 0s for 1s`")]
fn a_single_run_names_the_generator_of_an_invalid_fault() {
    let scenario = small().fault(Generator::new("mine", |_| Just(vec![fault::kill(["sevrer"]).at_start()])));
    run(&scenario, &scenario.case(Seed(1)), Detail::Lean);
}

#[test]
fn every_selector_of_every_generator_must_match() {
    let refused = |generator: Generator| {
        let name = generator.name().to_owned();
        let hint = format!("no host matches `sevrer`; did you mean `server`? {HOSTS}");
        check(small().fault(generator), &format!("fault generator `{name}`: {hint}"));
    };
    refused(fault::kill(one("sevrer")).into());
    refused(fault::kill(minority("sevrer")).into());
    refused(fault::kill(majority("sevrer")).into());
    refused(fault::partition("sevrer", "client").into());
    refused(fault::partition("client", "sevrer").into());
    refused(fault::loss(0.5, "client", "sevrer").one_way().into());
    refused(fault::dns_blackhole("client", "sevrer").into());
    refused(fault::half_open("sevrer", "client").into());
    refused(fault::clock_skew(5, "sevrer").into());
    refused(fault::disk_full(0, "sevrer").into());
    refused(fault::isolate("sevrer").into());
    refused(fault::kill("server").at_message("sevrer", "client", "").into());
    refused(fault::kill("server").at_message("client", "sevrer", "").into());
    refused(fault::kill("server").at_event("sevrer", "ready").into());
    refused(fault::rolling_stop("sevrer", secs(1)).into());
    refused(fault::partition_groups(["server", "client", "sevrer"]).into());
    refused(fault::bridge("sevrer").into());
    refused(fault::flapping(secs(1), "sevrer", "client").into());
    refused(fault::flapping(secs(1), "client", "sevrer").into());
    refused(fault::swizzle("sevrer").into());
    refused(fault::slow_host(millis(1)..millis(2), 0.1, "sevrer").into());
    refused(fault::slow_restart(secs(1), "sevrer").into());
    refused(fault::restart_loop(2, secs(1), "sevrer").into());
    refused(fault::kill_several(2, "sevrer").into());
    refused(fault::whole_tier("sevrer").into());
    refused(fault::scripted(
        "script",
        vec![fault::kill("server").at_start(), fault::hold("client", "sevrer").at_start()],
    ));
    refused(fault::scripted("script", vec![fault::kill("server").at_nth_event("sevrer", "ready", 1)]));
    refused(fault::kill("sevrer").named("mine"));
}

#[test]
fn names_fates_and_wildcards_must_match_as_well() {
    let of_name = |name: &str, hint: &str| format!("fault generator `{name}`: {hint} {HOSTS}");
    let named = "no host is named `api`; did you mean `api-1` or `api-2`?";
    check(small().fault(fault::kill(["server", "api"])), &of_name("kill server, api", named));
    assert_eq!(
        problems(&small().fault(fault::kill(["db", "cache", "server"]))).len(),
        2,
        "each unknown name is reported"
    );
    let fate = SegmentFate::new("client", "server-1", 80, 0, 0).lost([0]);
    let script = fault::scripted("script", vec![fault::segments("client", "server", [fate]).at_start()]);
    check(small().fault(script), &of_name("script", "no host is named `server-1`; did you mean `server`?"));
    check(small().fault(fault::kill("db-*")), &of_name("kill db-*", "no host matches `db-*`"));
    check(small().fault(fault::kill([""; 0])), "fault generator `kill `: no host is named: name at least one");
    let all = small().fault(fault::kill(all())).fault(fault::kill("api-*")).fault(fault::kill("api"));
    assert_eq!(problems(&all.fault(fault::kill("api-2")).fault(fault::kill(["api-1"]))), [""; 0]);
}

#[test]
fn impossible_faults_are_refused() {
    let rate = "fault generator `loss client ↔ server`: loss rate 1.5 is not between 0 and 1";
    check(small().fault(fault::loss(1.5, "client", "server")), rate);
    let waits = "fault generator `kill server at an event `ready` of here`: \
                 the trigger must name its hosts: `here` is known only once it has happened";
    check(small().fault(fault::kill("server").at_event(here(), "ready")), waits);
    let timed = "fault generator `kill here`: `here` needs a fault that begins with a message or an event: \
                 give it a trigger with `.at_message(..)` or `.at_event(..)`";
    check(small().fault(fault::kill(here())), timed);
    check(
        small().fault(fault::kill("server")).run_for(Duration::ZERO),
        "faults have no time to happen: set it with `.run_for(..)`",
    );
}

#[test]
fn names_are_unique() {
    check(small().host("api-2", idle), "two hosts are named `api-2`: give one of them another name");
    check(
        small().clients("client", 1, Just(1_u8), |_, _| async {}),
        "two hosts are named `client`: give one of them another name",
    );
    check(small().check(nothing), "two checks are named `nothing`: rename one with `Check::named`");
    assert_eq!(problems(&small().check(Check::from(nothing).named("again"))), [""; 0]);
    let budget = squall::check::attempts_at_most;
    check(
        small().check(budget(2)).check(budget(3)),
        &format!("two checks are named `{}`: rename one with `Check::named`", budget(2).name()),
    );
    check(
        small().fault(fault::kill("server").once(secs(0)..secs(1))).fault(fault::kill("server")),
        "two fault generators are named `kill server`: rename one with `.named(..)`, as effects are counted by name",
    );
    let late = fault::kill("server").named("kill server late");
    assert_eq!(problems(&small().fault(fault::kill("server")).fault(late)), [""; 0]);
    check(
        small().sometimes("x", |_, _| true).sometimes("x", |_, _| true),
        "two situations are named `x`: give one of them another name",
    );
}

#[test]
fn something_must_run_and_be_judged() {
    check(
        small().clients("nobody", 0, Just(1_u8), |_, _| async {}),
        "there are 0 clients `nobody`: set their number to at least 1",
    );
    let empty = Scenario::new("empty").check(nothing);
    check(empty, "it has no host: add programs with `.host(..)` or `.clients(..)`");
    let unjudged = Scenario::new("unjudged").host("server", idle);
    check(unjudged.clone(), "it has no check: add one with `.check(..)`");
    assert_eq!(problems(&unjudged.clone().sometimes("it ends", |_, _| true)), [""; 0], "a situation is judged too");
    // The caller of a single run can judge it.
    assert!(
        run(&unjudged.run_for(secs(1)), &Scenario::new("unjudged").control(Seed(1)), Detail::Lean)
            .outcome
            .verdict
            .is_pass()
    );
}

#[test]
fn times_fit_together() {
    let longer = |smallest: &str| {
        format!(
            "the step of 20ms is longer than the smallest latency, {smallest}: make the step shorter or the latency larger"
        )
    };
    check(small().step(millis(20)), &longer("10ms"));
    check(
        small().latency(millis(30)..millis(40)).step(millis(20)).link_latency("api", "server", millis(5)..millis(6)),
        &longer("5ms"),
    );
    assert_eq!(problems(&small().latency(millis(20)..millis(20)).step(millis(20))), [""; 0]);
    // A step that is not set follows the latency.
    assert_eq!(problems(&small().latency(millis(3)..millis(20))), [""; 0]);
    check(small().step(Duration::ZERO), "the step of 0s is too short: make it at least 1ms");
    check(
        small().latency(micros(100)..millis(1)),
        "the smallest latency, 100us, is below the shortest step, 1ms: make the latency larger, or run by events \
         (`.engine(Engine::Events)`)",
    );
    check(small().latency(millis(30)..millis(20)), "latency: the range 30ms..20ms ends before it begins: swap the two");
}

#[test]
fn a_link_is_between_two_hosts() {
    let range = || millis(20)..millis(30);
    check(
        small().link_latency("server", "server", range()),
        "link_latency(`server`, `server`): both sides are the same host: name two different hosts",
    );
    assert_eq!(problems(&small().link_latency("api", "api", range())), [""; 0]);
    check(small().wall_clock_offset("db", 5), &format!("wall_clock_offset(`db`): no host matches `db` {HOSTS}"));
}

#[test]
fn the_most_specific_setting_holds_and_ties_are_refused() {
    let of = |scenario: Scenario| scenario.definition();
    let wide = small().supervise("*", secs(1)).supervise("api", secs(2)).supervise("api-1", secs(3));
    let narrow = small().supervise("api-1", secs(3)).supervise("api", secs(2)).supervise("*", secs(1));
    assert_eq!(of(wide), of(narrow));
    let again = small().supervise("api", secs(9)).supervise("api", secs(2));
    assert_eq!(of(again), of(small().supervise("api", secs(2))), "the last of repeated settings holds");
    let tie = small().supervise("api*", secs(1)).supervise("*-1", secs(2));
    check(tie, "supervise(`*-1`) and supervise(`api*`) differ about `api-1`: add one that names exactly `api-1`");
    assert_eq!(problems(&small().supervise("api*", secs(1)).supervise("*-1", secs(1))), [""; 0]);
    let three = small().supervise("a*-1", secs(1)).supervise("*-1", secs(2)).supervise("*i-1", secs(2));
    check(three, "supervise(`*-1`) and supervise(`a*-1`) differ about `api-1`: add one that names exactly `api-1`");
    let range = |ms| millis(ms)..millis(ms);
    let links = small().link_latency("*", "server", range(20)).link_latency("server", "api*", range(30));
    let contested = |api: &str| {
        format!(
            "link_latency(`*`, `server`) and link_latency(`server`, `api*`) differ about `server ↔ {api}`: \
             add one that names exactly `server ↔ {api}`"
        )
    };
    assert_eq!(problems(&links), [contested("api-1"), contested("api-2")]);
    let settled = small().link_latency("*", "*", range(20)).link_latency("api", "*", range(30));
    assert_eq!(problems(&settled), [""; 0]);
}

/// Applies the calls in the order that this number stands for.
fn permuted(calls: &[&dyn Fn(Scenario) -> Scenario], mut number: usize) -> Scenario {
    let mut left: Vec<_> = calls.to_vec();
    let mut scenario = Scenario::new("permuted");
    while !left.is_empty() {
        let call = left.remove(number % left.len());
        number /= left.len() + 1;
        scenario = call(scenario);
    }
    scenario
}

#[test]
fn the_order_of_calls_does_not_matter() {
    // Hosts are numbered in the order in which they are declared, so one call declares all of them.
    let hosts = |s: Scenario| {
        let flaky = |cx: HostContext| async move {
            cx.connector().connect("api-1", 80).await?;
            std::io::Result::Ok(())
        };
        s.host("server", flaky).hosts("api", 2, idle).clients("client", 2, 0_u8..9, |_, _| async {})
    };
    let calls: [&dyn Fn(Scenario) -> Scenario; 9] = [
        &hosts,
        &|s| s.supervise("server", millis(700)),
        &|s| s.wall_clock_offset("api-*", 5_000),
        &|s| s.link_latency("server", "api", millis(15)..millis(25)),
        &|s| s.link_latency("*", "api-1", millis(17)..millis(18)).latency(millis(12)..millis(40)).step(millis(12)),
        &|s| s.fault(fault::kill(one("api")).every(millis(200)..secs(1))),
        &|s| s.fault(fault::loss(0.3, "server", "api").throughout()),
        &|s| s.check(Check::new("b", |_, _| Verdict::Pass)).run_for(secs(3)),
        &|s| s.check(Check::new("a", |_, _| Verdict::Pass)).settle_for(secs(1)),
    ];
    let expected = permuted(&calls, 0);
    assert_eq!(problems(&expected), [""; 0]);
    let cases: Vec<_> = (0..20).map(|seed| expected.case(Seed(seed))).collect();
    let result = run(&expected, &cases[0], Detail::Lean).outcome;
    assert!(result.verdict.is_pass(), "{:?}", result.findings);
    let mut orders = BTreeSet::new();
    for number in (0..362_880).step_by(1_733) {
        let scenario = permuted(&calls, number);
        orders.insert(scenario.generator_names().chain(scenario.check_names()).map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(scenario.definition(), expected.definition(), "order {number}");
        for (seed, case) in cases.iter().enumerate() {
            assert_eq!(scenario.case(Seed(seed as u64)), *case, "order {number}");
        }
        assert_eq!(run(&scenario, &cases[0], Detail::Lean).outcome.fingerprint, result.fingerprint, "order {number}");
    }
    assert_eq!(orders.len(), 4, "faults and checks were declared in either order");
}

#[test]
fn problems_are_reported_in_the_same_order() {
    let calls: [&dyn Fn(Scenario) -> Scenario; 6] = [
        &|s| s.host("a b", idle).host("a", idle),
        &|s| s.host("localhost", idle),
        &|s| s.fault(fault::kill("z")),
        &|s| s.fault(fault::hold("a", "y")),
        &|s| s.supervise("x", secs(1)),
        &|s| s.step(secs(1)),
    ];
    let expected = problems(&permuted(&calls, 0));
    assert_eq!(expected.len(), 7, "{expected:?}");
    (0..720).for_each(|number| assert_eq!(problems(&permuted(&calls, number)), expected));
}

#[test]
fn a_program_may_loop_forever_or_return_any_result() {
    async fn forever(cx: HostContext) -> ! {
        loop {
            cx.recorder().note("tick", "");
            tokio::time::sleep(secs(1)).await;
        }
    }
    async fn to_an_error(cx: HostContext) -> std::io::Result<()> {
        let listener = cx.listener(80);
        loop {
            listener.accept().await?;
        }
    }
    let scenario = Scenario::new("loops")
        .host("block", |_| async {
            loop {
                tokio::time::sleep(secs(1)).await;
            }
        })
        .host("closure", async |_| {
            loop {
                tokio::time::sleep(secs(1)).await;
            }
        })
        .hosts("function", 2, forever)
        .host("server", to_an_error)
        .host("unit", |_| async {})
        .host("result", |cx| async move {
            cx.connector().connect("server", 80).await?;
            std::io::Result::Ok(())
        })
        .clients("client", 1, Just(1_u8), |_, _| async {
            loop {
                tokio::time::sleep(secs(1)).await;
            }
        })
        .check(|trace: &Trace, _: &History| {
            let ticks = trace.marks().filter(|(_, host, _)| trace.name(*host) == "function-2").count();
            if ticks > 2 { Verdict::Pass } else { Verdict::fail(format!("{ticks} ticks")) }
        })
        .run_for(secs(3))
        .settle_for(secs(1));
    let outcome = run(&scenario, &scenario.case(Seed(1)), Detail::Lean).outcome;
    assert!(outcome.verdict.is_pass(), "{:?}", outcome.findings);
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_allowed_hides_nothing_else() {
    let scenario = |allowed: &str| {
        let program = |_: HostContext| async {
            for path in ["/allowed/one", "/allowed/two", "/not/that"] {
                let _ = std::fs::read(path);
            }
        };
        Scenario::new("reader").host("reader", program).allow_escape(allowed).check(nothing).run_for(secs(1))
    };
    let check = |allowed: &str, expected: &[(&str, u64)]| {
        let scenario = scenario(allowed);
        let outcome = run(&scenario, &scenario.control(Seed(1)), Detail::Lean).outcome;
        let escapes: Vec<_> = outcome.escapes.iter().map(|escape| (escape.detail.as_str(), escape.count)).collect();
        assert_eq!(escapes, expected, "{allowed}");
    };
    check("/allowed/", &[("/not/that", 1)]);
    check("real-file", &[]);
    check("thread", &[("/allowed/one", 3)]);
}

//! Programs that depend on `tracing` alone tell the checks what the wire does not show.

use squall::check::{self, Check, HealthPolicy};
use squall::internal::run::{Detail, Run, run};
use squall::prelude::*;
use squall::trace::{AttemptOutcome, Mark, RetrySafety};

/// A run in which the host `client` logs this, and there are two more hosts.
fn logged(log: fn(), checks: Vec<Check>) -> Run {
    let client = move |_| async move {
        tokio::time::sleep(millis(100)).await;
        log();
        // It lives on, so that its calls are judged.
        std::future::pending::<()>().await;
    };
    let scenario = Scenario::new("vocabulary")
        .host("client", client)
        .host("api-1", |_| async {})
        .host("api-2", |_| async {})
        .run_for(secs(2))
        .settle_for(secs(1));
    let scenario = checks.into_iter().fold(scenario, Scenario::check);
    run(&scenario, &scenario.control(Seed(1)), Detail::Lean)
}

/// What the marks are that the host `client` makes when it logs this.
fn marks(log: fn()) -> Vec<Mark> {
    let run = logged(log, vec![Check::new("any", |_, _| Verdict::Pass)]);
    assert!(run.outcome.verdict.is_pass(), "{:?}", run.outcome.findings);
    run.trace.marks().map(|(_, _, mark)| mark.clone()).collect()
}

#[test]
fn every_event_is_a_mark() {
    let all = marks(|| {
        tracing::debug!(
            name: "call.started",
            target: "squall",
            { call.id = 7_u64, call.timeout_ms = 1_500 },
            "call started"
        );
        tracing::debug!(
            name: "attempt.started",
            target: "squall",
            { call.id = 7, attempt.timeout_ms = 0.25, retry.safety = "keyed" },
            "attempt started"
        );
        tracing::debug!(
            name: "attempt.ended",
            target: "squall",
            { call.id = 7, error.type = "timeout" },
            "attempt ended"
        );
        tracing::debug!(
            name: "attempt.started",
            target: "squall",
            { call.id = %7, http.request.resend_count = 1, attempt.timeout_ms = 20, retry.safety = %"unsent" },
            "attempt started"
        );
        tracing::debug!(
            name: "attempt.ended",
            target: "squall",
            {
                call.id = 7,
                http.request.resend_count = 1_u32,
                http.response.status_code = Some(201_u16),
                error.type = None::<&str>,
            },
            "which is read by people"
        );
        tracing::info!(name: "call.ended", target: "squall", { call.id = 7 }, "call ended");
        tracing::debug!(
            name: "call.ended",
            target: "squall",
            { call.id = 8, error.type = "unavailable" },
            "call ended"
        );
    });
    let expected = [
        Mark::CallStarted { call: 7, deadline: millis(1_500) },
        Mark::AttemptStarted {
            call: 7,
            attempt: 1,
            timeout: std::time::Duration::from_micros(250),
            safety: RetrySafety::Keyed,
        },
        Mark::AttemptEnded { call: 7, attempt: 1, outcome: AttemptOutcome::TimedOut },
        Mark::AttemptStarted { call: 7, attempt: 2, timeout: millis(20), safety: RetrySafety::Unsent },
        Mark::AttemptEnded { call: 7, attempt: 2, outcome: AttemptOutcome::Status(201) },
        Mark::CallEnded { call: 7, ok: true },
        Mark::CallEnded { call: 8, ok: false },
    ];
    assert_eq!(all, expected);
}

#[test]
fn events_about_servers_name_them_or_their_addresses() {
    let run = logged(
        || {
            let dispatched = |to: &str| {
                tracing::debug!(name: "request.dispatched", target: "squall", { server.address = to }, "dispatched");
            };
            // Hosts are numbered from 192.168.0.1; the client is the first.
            ["api-1", "api-2:80", "192.168.0.2", "192.168.0.3:80"].into_iter().for_each(dispatched);
            tracing::debug!(
                name: "probe.ended",
                target: "squall",
                { server.address = "api-1", error.type = "timeout" },
                "probe ended"
            );
            tracing::warn!(
                name: "backend.health_changed",
                target: "squall",
                { server.address = "api-1", backend.is_healthy = false },
                "backend health changed"
            );
            tracing::warn!(
                name: "backend.ejected",
                target: "squall",
                { server.address = "api-2", ejection.duration_ms = 3_000 },
                "backend ejected"
            );
        },
        vec![Check::new("any", |_, _| Verdict::Pass)],
    );
    let [one, two] = ["api-1", "api-2"].map(|name| run.trace.host(name).unwrap());
    let all: Vec<Mark> = run.trace.marks().map(|(_, _, mark)| mark.clone()).collect();
    let expected = [
        Mark::Dispatched { to: one },
        Mark::Dispatched { to: two },
        Mark::Dispatched { to: one },
        Mark::Dispatched { to: two },
        Mark::Probed { to: one, ok: false },
        Mark::HealthChanged { to: one, healthy: false },
        Mark::Ejected { to: two, lasting: secs(3) },
    ];
    assert_eq!(all, expected);
}

#[test]
fn events_about_a_server_itself_are_marks() {
    let all = marks(|| {
        tracing::debug!(
            name: "effect.applied",
            target: "squall",
            { idempotency.key = "k-1", effect.id = 3 },
            "effect applied"
        );
        tracing::debug!(name: "breaker.changed", target: "squall", { breaker.is_open = true }, "breaker changed");
        tracing::debug!(
            name: "readiness.changed",
            target: "squall",
            { server.is_ready = false },
            "readiness changed"
        );
        tracing::debug!(name: "note", target: "squall", { note.name = "cache" }, "filled with {} entries", 3);
        // Neither of the vocabulary, nor loud enough to be a line.
        tracing::debug!(name: "breaker.changed", { breaker.is_open = false }, "breaker changed");
        tracing::trace!(name: "breaker.changed", target: "squall", { breaker.is_open = false }, "breaker changed");
    });
    let expected = [
        Mark::Applied { key: "k-1".to_owned(), id: 3 },
        Mark::BreakerChanged { open: true },
        Mark::Ready(false),
        Mark::Note { name: "cache".to_owned(), detail: "filled with 3 entries".to_owned() },
    ];
    assert_eq!(all, expected);
}

#[test]
fn an_event_is_what_a_recorder_would_have_recorded() {
    let by_recorder = Scenario::new("marks")
        .host("server", |cx: HostContext| async move { cx.recorder().mark(Mark::Ready(true)) })
        .check(Check::new("any", |_, _| Verdict::Pass));
    let by_tracing = Scenario::new("marks")
        .host("server", |_: HostContext| async move {
            tracing::debug!(
                name: "readiness.changed",
                target: "squall",
                { server.is_ready = true },
                "readiness changed"
            );
        })
        .check(Check::new("any", |_, _| Verdict::Pass));
    let of = |scenario: &Scenario, detail| run(scenario, &scenario.control(Seed(1)), detail).outcome.fingerprint;
    assert_eq!(of(&by_recorder, Detail::Lean), of(&by_tracing, Detail::Lean));
    assert_eq!(of(&by_tracing, Detail::Rich), of(&by_tracing, Detail::Lean));
}

#[test]
fn checks_judge_what_was_logged() {
    let judged_by = |log: fn(), check: Check| {
        let run = logged(log, vec![check]);
        run.outcome.verdict.to_string()
    };
    let late = || {
        tracing::debug!(
            name: "call.started",
            target: "squall",
            { call.id = 1, call.timeout_ms = 300 },
            "call started"
        );
    };
    let verdict = judged_by(late, check::calls_end_within_their_deadline());
    assert!(verdict.contains("T1") && verdict.starts_with("fail"), "{verdict}");
    let unsafe_retry = || {
        tracing::debug!(
            name: "call.started",
            target: "squall",
            { call.id = 1, call.timeout_ms = 300 },
            "call started"
        );
        for count in 0..2 {
            tracing::debug!(
                name: "attempt.started",
                target: "squall",
                { call.id = 1, http.request.resend_count = count, attempt.timeout_ms = 9, retry.safety = "unsafe" },
                "attempt started"
            );
        }
        tracing::debug!(name: "call.ended", target: "squall", { call.id = 1 }, "call ended");
    };
    let verdict = judged_by(unsafe_retry, check::only_safe_requests_are_retried());
    assert!(verdict.contains("R6") && verdict.starts_with("fail"), "{verdict}");
    let ejecting = || {
        for server in ["api-1", "api-2"] {
            tracing::warn!(
                name: "backend.ejected",
                target: "squall",
                { server.address = server, ejection.duration_ms = 3_000 },
                "backend ejected"
            );
        }
    };
    let policy = HealthPolicy {
        backends: vec!["api-1".to_owned(), "api-2".to_owned()],
        interval: secs(1),
        timeout: secs(1),
        fall: 1,
        rise: 1,
        slack: secs(0),
    };
    let verdict = judged_by(ejecting, policy.few_are_ejected(0.1));
    assert!(verdict.contains("H3: client has ejected api-1, api-2 at 100ms"), "{verdict}");
}

#[test]
fn an_event_that_cannot_be_read_fails_the_run() {
    let fails = |log: fn(), why: &str| {
        let run = logged(log, vec![Check::new("any", |_, _| Verdict::Pass)]);
        let found: Vec<_> = run
            .outcome
            .findings
            .iter()
            .filter(|finding| finding.check == "recorder")
            .map(|f| f.verdict.to_string())
            .collect();
        assert!(found.len() == 1 && found[0].contains(why) && found[0].contains("client logged `"), "{why}: {found:?}");
    };
    fails(
        || tracing::debug!(name: "call.started", target: "squall", { call.id = 1 }, "call started"),
        "at 100ms: `call.started` lacks the field `call.timeout_ms`; see docs/vocabulary.md",
    );
    fails(
        || tracing::debug!(name: "call.ended", target: "squall", { call.id = -1 }, "call ended"),
        "`call.id` of `call.ended` is -1, which is not a whole number",
    );
    fails(
        || {
            tracing::debug!(
                name: "call.started",
                target: "squall",
                { call.id = 1, call.timeout_ms = "soon" },
                "call started"
            )
        },
        "`call.timeout_ms` of `call.started` is soon, which is not a number of milliseconds",
    );
    fails(
        || tracing::debug!(name: "attempt.ended", target: "squall", { call.id = 1 }, "attempt ended"),
        "`attempt.ended` has neither `http.response.status_code` nor `error.type`",
    );
    fails(
        || {
            tracing::debug!(
                name: "attempt.started",
                target: "squall",
                { call.id = 1, attempt.timeout_ms = 1, retry.safety = "yes" },
                "attempt started"
            );
        },
        "`retry.safety` of `attempt.started` is yes, which is not idempotent, keyed, unsent or unsafe",
    );
    fails(
        || tracing::debug!(name: "breaker.changed", target: "squall", { breaker.is_open = 1 }, "breaker changed"),
        "`breaker.is_open` of `breaker.changed` is 1, which is not true or false",
    );
    fails(
        || tracing::debug!(name: "call.begun", target: "squall", { call.id = 1 }, "call begun"),
        "`call.begun` is no name of the vocabulary; these are: call.started, attempt.started",
    );
    fails(|| tracing::debug!(target: "squall", "hello"), "is no name of the vocabulary");
}

#[test]
fn the_page_lists_every_event() {
    let page = include_str!("../../docs/vocabulary.md");
    let run =
        logged(|| tracing::debug!(name: "?", target: "squall", "x"), vec![Check::new("any", |_, _| Verdict::Pass)]);
    let finding = run.outcome.findings.iter().find(|finding| finding.check == "recorder").unwrap();
    let why = finding.verdict.to_string();
    let names = why.split_once("these are: ").unwrap().1.split_once(';').unwrap().0;
    assert_eq!(names.split(", ").count(), page.lines().filter(|line| line.starts_with("| `")).count() - 1);
    for name in names.split(", ") {
        assert!(page.contains(&format!("\n| `{name}` | ")), "{name}");
    }
}

//! `cargo sims sweep`: finds every point at which a single fault does harm, and no other.

use std::io;

use squall::check::Check;
use squall::disk::OpenOptions;
use squall::history::Completion;
use squall::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{assert_contains, cli, code, command, directory, forget_cases, stderr, stdout};

/// The request for all stored numbers.
const ALL: u8 = 255;

/// Keeps numbers on its disk. A hasty keeper answers before a number is stored.
async fn keep(cx: HostContext, is_hasty: bool) -> io::Result<()> {
    let listener = cx.listener(80);
    loop {
        let (mut stream, _) = listener.accept().await?;
        let cx = cx.clone();
        tokio::spawn(async move {
            let number = stream.read_u8().await?;
            let file = cx.disk().open_durable("numbers")?;
            let length = file.len()?;
            if number == ALL {
                // No answer is empty.
                let mut stored = vec![0; length as usize + 1];
                file.read_exact_at(0, &mut stored[1..])?;
                return stream.write_all(&stored).await;
            }
            if is_hasty {
                stream.write_all(&[number]).await?;
                cx.recorder().note("answered", "");
            }
            file.write_at(length, &[number])?;
            file.sync_data()?;
            cx.recorder().note("stored", "");
            if !is_hasty {
                stream.write_all(&[number]).await?;
            }
            io::Result::Ok(())
        });
    }
}

async fn ask(cx: &HostContext, number: u8) -> io::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = cx.connector().connect("keeper", 80).await?;
        stream.write_all(&[number]).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        if answer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
    };
    tokio::time::timeout(secs(2), exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn insist(cx: &HostContext, number: u8) -> Vec<u8> {
    loop {
        if let Ok(answer) = ask(cx, number).await {
            return answer;
        }
        tokio::time::sleep(millis(100)).await;
    }
}

async fn client(cx: HostContext, numbers: Vec<u8>) {
    for number in numbers {
        let operation = cx.recorder().invoke("keep", &number);
        insist(&cx, number).await;
        operation.ok(&number);
    }
    cx.wait_until_recovered(secs(5)).await;
    cx.recorder().invoke("all", &()).ok(&insist(&cx, ALL).await);
}

fn keeper(name: &str, is_hasty: bool) -> Scenario {
    let nothing_is_lost = Check::new("acknowledged numbers are kept", |_, history: &History| {
        let answers = |name: &'static str| {
            let operations = history.operations.iter().filter(move |operation| operation.name == name);
            operations.filter_map(|operation| match &operation.completed {
                Some((_, Completion::Ok(answer))) => Some(answer.clone()),
                _ => None,
            })
        };
        let Some(all) = answers("all").next() else { return Verdict::fail("nobody could look") };
        let all: Vec<u8> = serde_json::from_str(&all).unwrap();
        match answers("keep").find(|number| !all.contains(&number.parse().unwrap())) {
            Some(lost) => Verdict::fail(format!("{lost} is lost")),
            None => Verdict::Pass,
        }
    });
    Scenario::new(name)
        .host("keeper", move |cx| async move {
            let _ = cx.disk().open("numbers", OpenOptions::create());
            keep(cx, is_hasty).await
        })
        .clients("client", 1, proptest::strategy::Just((1..=4).collect::<Vec<u8>>()), client)
        .check(nothing_is_lost)
        .run_for(secs(20))
        .settle_for(secs(20))
}

pub fn ledger() -> Scenario {
    keeper("ledger", false)
}

pub fn hasty() -> Scenario {
    keeper("hasty", true)
}

/// The lines of the report with the result for each kind of fault.
fn rows(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(" survived at ")).collect()
}

pub fn a_sweep_passes_if_everything_is_survived() {
    let name = "sweep";
    forget_cases(name);
    let arguments = ["sweep", "ledger", "--operations", "3", "--pairs", "10"];
    let output = cli(name, &arguments);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    // Three numbers, each asked for, answered and stored, before the last of them is acknowledged.
    assert_contains(
        &text,
        &["ledger, seed 0x0: 3 operations, 9 points (6 messages, 3 events)\n  hosts that go down: keeper\n"],
    );
    let expected = [
        "  kill       survived at all 9 points",
        "  power off  survived at all 9 points",
        "  close      survived at all 6 points",
        "  loss       survived at all 6 points",
        // In a pair, one fault can keep the trigger point of the other from being reached.
        "  pairs      survived at all 10 pairs (1 had no effect)",
    ];
    assert_eq!(rows(&text), expected);
    let whole = "\nledger survives every single kill, power off, close, loss at these points\n40 runs in ";
    assert_contains(&text, &[whole]);
    assert!(!text.contains("known from an earlier sweep"));
    // The next time, the journal has all results. It starts again with `--afresh`, or if the sweep is another one.
    let again = stdout(&cli(name, &arguments));
    assert_eq!(rows(&again), expected);
    assert_contains(&again, &["\n0 runs in ", ", 40 known from an earlier sweep\n"]);
    let afresh = ["sweep", "ledger", "--operations", "3", "--kinds", "loss,kill", "--afresh"];
    assert_contains(&stdout(&cli(name, &afresh)), &["\n15 runs in "]);
    let other = stdout(&cli(name, &["sweep", "ledger", "--operations", "1", "--kinds", "close", "--jobs", "1"]));
    assert_contains(&other, &["3 points (2 messages, 1 event)", "\n2 runs in "]);
}

pub fn a_sweep_names_each_point_that_is_not_survived() {
    let name = "sweep_hasty";
    forget_cases(name);
    let output = cli(name, &["sweep", "hasty"]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    let rows = rows(&text);
    // For a moment after each answer, its number is not stored yet.
    assert_contains(rows[0], &["  kill       survived at 6 of 8 points"]);
    // A machine without power does not close the connection, and the client accepts no answer before the end of the
    // stream.
    assert_contains(rows[1], &["  power off  survived at all 8 points"]);
    assert_contains(rows[2], &["  close      survived at all 4 points"]);
    for nth in [1, 2] {
        let failing = format!("    kill here at event {nth} `answered` of keeper for 1s\n      acknowledged numbers");
        assert_contains(
            &text,
            &[&failing, &format!("are kept: {nth} is lost\n      cargo sims replay target/squall/")],
        );
    }
    let replay = text.lines().find_map(|line| line.trim().strip_prefix("cargo sims replay ")).unwrap();
    let replayed = cli(name, &["replay", replay]);
    assert_eq!(code(&replayed), 1);
    assert_contains(&stdout(&replayed), &["the same run: recorded", "1 is lost", "event 1 `answered` of keeper"]);
    // A case that a sweep found can be shrunk and printed like any other case.
    let shrunk = stdout(&cli(name, &["shrink", replay, "--for", "60s"]));
    assert_contains(&shrunk, &["to 1 fault and 1 operation", "Without f1 the run passes."]);
    assert_contains(&stdout(&cli(name, &["rust", replay])), &[".at_nth_event([\"keeper\"], \"answered\", 1)"]);
}

const ALL_OPERATIONS: [&str; 7] = ["cli", "sweep", "ledger", "--operations", "all", "--jobs", "1"];

/// How many trials a sweep has journaled.
fn tried(name: &str) -> usize {
    let journal = directory(name).join("target/squall/ledger-0x0-sweep.jsonl");
    std::fs::read_to_string(journal).map_or(0, |text| text.lines().count().saturating_sub(1))
}

fn resumes(name: &str) {
    let output = cli(name, &ALL_OPERATIONS[1..]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert_contains(&text, &["12 points", "  kill       survived at all 12 points"]);
    let last = text.lines().last().unwrap();
    let number = |at: usize| last.split_whitespace().nth(at).unwrap().parse::<usize>().unwrap();
    let (made, known) = (number(0), number(4));
    assert!(known >= 5 && made > 0 && made + known == 40, "{last}");
}

pub fn a_killed_sweep_resumes() {
    let name = "sweep_killed";
    forget_cases(name);
    let mut child = command(name).args(ALL_OPERATIONS).stdout(std::process::Stdio::null()).spawn().unwrap();
    while tried(name) < 5 {
        assert!(child.try_wait().unwrap().is_none(), "the sweep was over before it could be interrupted");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    resumes(name);
}

#[cfg(unix)]
pub fn an_interrupted_sweep_shows_its_table_and_resumes() {
    let name = "sweep_interrupted";
    forget_cases(name);
    let output = super::explorations::interrupt(command(name).args(ALL_OPERATIONS), |_| tried(name) >= 5);
    let text = stdout(&output);
    assert_contains(
        &text,
        &["ledger, seed 0x0: ", "interrupted: ", " trials left; the same command goes on from here"],
    );
    assert!(!text.contains("survives every single"), "{text}");
    resumes(name);
}

#[cfg(not(unix))]
pub fn an_interrupted_sweep_shows_its_table_and_resumes() {}

pub fn an_impossible_sweep_is_refused() {
    let name = "sweep_usage";
    let check = |arguments: &[&str], expected: &str| {
        let output = cli(name, &[&["sweep"], arguments].concat());
        assert_eq!(code(&output), 2, "{}", stdout(&output));
        assert_contains(&stderr(&output), &[expected]);
    };
    check(&["ledgre"], "no scenario is named `ledgre`; did you mean `ledger`?");
    check(&["ledger", "--hosts", "nobody"], "no host of the scenario matches `nobody`: ");
    check(&["ledger", "--kinds", "flood"], "invalid value 'flood'");
    check(&["ledger", "--operations", "few"], "expected a number or `all`");
    check(&["panics"], "a sweep needs a run without faults that passes");
}

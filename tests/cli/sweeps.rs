//! Sweeps: every point at which a single fault does harm is found, and no other.

use std::io;

use squall::check::Check;
use squall::disk::OpenOptions;
use squall::history::Completion;
use squall::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{assert_contains, cli, code, command, directory, forget_cases, stderr, stdout};

/// Asks for all that is stored.
const ALL: u8 = 255;

/// Keeps numbers on its disk. A hasty one answers before it has done so.
async fn keep(cx: HostContext, is_hasty: bool) -> io::Result<()> {
    let mut listener = cx.listener(80);
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
    let nothing_is_lost = Check::new("what is acknowledged is kept", |_, history: &History| {
        let answers = |wanted: &'static str| {
            let operations = history.operations.iter().filter(move |operation| operation.name == wanted);
            operations.filter_map(|operation| match &operation.completed {
                Some((_, Completion::Ok(answer))) => Some(answer.clone()),
                _ => None,
            })
        };
        let Some(all) = answers("all").next() else { return Verdict::Fail("nobody could look".to_owned()) };
        let all: Vec<u8> = serde_json::from_str(&all).unwrap();
        match answers("keep").find(|number| !all.contains(&number.parse().unwrap())) {
            Some(lost) => Verdict::Fail(format!("{lost} is lost")),
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

/// The lines that say what came of each sort of fault.
fn rows(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(" survived at ")).collect()
}

pub fn what_survives_everything_passes() {
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
        "  cut        survived at all 6 points",
        "  loss       survived at all 6 points",
        // In a pair, one fault can keep the moment of the other from coming.
        "  pairs      survived at all 10 pairs (1 changed nothing)",
    ];
    assert_eq!(rows(&text), expected);
    let whole = "\nledger survives any single kill, power off, cut, loss at all these points\n40 runs in ";
    assert_contains(&text, &[whole]);
    assert!(!text.contains("known from before"));
    // The journal says it all the next time, and is begun anew if that is wanted, or if it is of another sweep.
    let again = stdout(&cli(name, &arguments));
    assert_eq!(rows(&again), expected);
    assert_contains(&again, &["\n0 runs in ", ", 40 known from before\n"]);
    let afresh = ["sweep", "ledger", "--operations", "3", "--kinds", "loss,kill", "--afresh"];
    assert_contains(&stdout(&cli(name, &afresh)), &["\n15 runs in "]);
    let other = stdout(&cli(name, &["sweep", "ledger", "--operations", "1", "--kinds", "close", "--jobs", "1"]));
    assert_contains(&other, &["3 points (2 messages, 1 events)", "\n2 runs in "]);
}

pub fn what_is_not_survived_is_told_with_its_point() {
    let name = "sweep_hasty";
    forget_cases(name);
    let output = cli(name, &["sweep", "hasty"]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    let rows = rows(&text);
    // Each answer is followed by a moment at which it is not true.
    assert_contains(rows[0], &["  kill       survived at 6 of 8 points"]);
    // A machine without power does not close the connection, and the client takes no answer without its end.
    assert_contains(rows[1], &["  power off  survived at all 8 points"]);
    assert_contains(rows[2], &["  cut        survived at all 4 points"]);
    for nth in [1, 2] {
        let told =
            format!("    kill whoever that is at event {nth} `answered` of keeper for 1s\n      what is acknowledged");
        assert_contains(&text, &[&told, &format!("is kept: {nth} is lost\n      cargo sims replay target/squall/")]);
    }
    let replay = text.lines().find_map(|line| line.trim().strip_prefix("cargo sims replay ")).unwrap();
    let replayed = cli(name, &["replay", replay]);
    assert_eq!(code(&replayed), 1);
    assert_contains(&stdout(&replayed), &["the same run: recorded", "1 is lost", "event 1 `answered` of keeper"]);
    // What was found without a search can be made smaller and printed like any other case.
    let shrunk = stdout(&cli(name, &["shrink", replay, "--for", "60s"]));
    assert_contains(&shrunk, &["to 1 fault and 1 operation", "Without f1 the run passes."]);
    assert_contains(&stdout(&cli(name, &["rust", replay])), &[".at_event([\"keeper\"], \"answered\", 1)"]);
}

pub fn an_interrupted_sweep_goes_on() {
    let name = "sweep_interrupted";
    forget_cases(name);
    let arguments = ["cli", "sweep", "ledger", "--operations", "all", "--jobs", "1"];
    let mut child = command(name).args(arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
    let journal = directory(name).join("target/squall/ledger-0x0-sweep.jsonl");
    let tried = || std::fs::read_to_string(&journal).map_or(0, |text| text.lines().count().saturating_sub(1));
    while tried() < 5 {
        assert!(child.try_wait().unwrap().is_none(), "it is over before anybody could interrupt it");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let output = cli(name, &arguments[1..]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert_contains(&text, &["12 points", "  kill       survived at all 12 points"]);
    let last = text.lines().last().unwrap();
    let number = |at: usize| last.split_whitespace().nth(at).unwrap().parse::<usize>().unwrap();
    let (made, known) = (number(0), number(4));
    assert!(known >= 5 && made > 0 && made + known == 40, "{last}");
}

pub fn what_cannot_be_swept_is_said() {
    let name = "sweep_usage";
    let check = |arguments: &[&str], expected: &str| {
        let output = cli(name, &[&["sweep"], arguments].concat());
        assert_eq!(code(&output), 2, "{}", stdout(&output));
        assert_contains(&stderr(&output), &[expected]);
    };
    check(&["ledgre"], "no scenario is named `ledgre`; did you mean `ledger`?");
    check(&["ledger", "--hosts", "nobody"], "no host of the scenario is meant by `nobody`");
    check(&["ledger", "--kinds", "flood"], "invalid value 'flood'");
    check(&["ledger", "--operations", "few"], "expected a number, or `all`");
    check(&["panics"], "the run without faults does not pass: ");
}

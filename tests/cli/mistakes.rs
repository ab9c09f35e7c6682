//! Planted mistakes: one that is caught, and one for each way in which a mistake is not caught as it should be.

use std::process::Output;

use squall::prelude::*;
use squall::scenario::Mistake;

use crate::table::{ask_once, ask_patiently, every_answer_comes, nothing_is_promised, numbers, small};
use crate::{assert_contains, assert_one_line, code, command, directory, stderr, stdout};

pub const MISTAKES: [fn() -> Mistake; 5] = [gives_up, unnoticed, unreached, misattributed, false_alarm];

fn asking<Fut>(client: fn(HostContext, Vec<u8>) -> Fut) -> Scenario
where
    Fut: Future<Output = ()> + 'static,
{
    small("asking")
        .clients("client", 2, numbers(), client)
        .fault(fault::kill("server").every(secs(1)..secs(3)).lasting(millis(100)..millis(500)))
        .check(every_answer_comes)
        .check(nothing_is_promised)
}

async fn ask_slowly(cx: HostContext, numbers: Vec<u8>) {
    tokio::time::sleep(millis(1)).await;
    ask_patiently(cx, numbers).await;
}

fn gives_up() -> Mistake {
    Mistake::new("gives_up", asking(ask_patiently), asking(ask_once)).breaks("every_answer_comes")
}

/// It is slower, which no check minds.
fn unnoticed() -> Mistake {
    Mistake::new("unnoticed", asking(ask_patiently), asking(ask_slowly)).breaks("every_answer_comes")
}

fn unreached() -> Mistake {
    let mistake = Mistake::new("unreached", asking(ask_patiently), asking(ask_patiently));
    mistake.breaks("every_answer_comes").in_part("the client's patience")
}

fn misattributed() -> Mistake {
    Mistake::new("misattributed", asking(ask_patiently), asking(ask_once)).breaks("nothing_is_promised")
}

fn false_alarm() -> Mistake {
    Mistake::new("false_alarm", asking(ask_once), asking(ask_once)).breaks("every_answer_comes")
}

fn table(name: &str, arguments: &[&str]) -> Output {
    command(name).env("SQUALL_TABLE", "mistakes").args(arguments).output().unwrap()
}

pub fn each_mistake_is_caught_or_told_why_not() {
    let name = "mistakes";
    let output = table(name, &["cli", "mistakes", "--seeds", "40", "--starts", "2", "--shrink-for", "2s"]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let text = stdout(&output);
    assert_contains(
        &text,
        &[
            "gives_up       every_answer_comes",
            "unnoticed      MISSED",
            "unreached      NOT EXERCISED",
            "misattributed  ANOTHER PROMISE",
            "false_alarm    FALSE ALARM",
            "1 of 5 mistakes caught, each from 2 starts",
            "unnoticed: no run of 40 broke every_answer_comes",
            "40 runs were all the same as without the mistake: the client's patience was never reached in asking",
            "but one broke \"every_answer_comes\"; `cargo sims replay mistakes::misattributed --seed 0x",
            "the right system breaks \"every_answer_comes\", too; `cargo sims replay mistakes::false_alarm::right --seed 0x",
        ],
    );
    // The command that it names shows the run.
    let seed = text.split("mistakes::misattributed --seed ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    let replayed = table(name, &["cli", "replay", "mistakes::misattributed", "--seed", seed]);
    assert_eq!(code(&replayed), 1);
    assert_contains(&stdout(&replayed), &["FAILED: mistakes::misattributed", "every_answer_comes"]);
}

pub fn mistakes_are_chosen_and_written_as_json() {
    let name = "mistakes_json";
    let path = directory(name).join("mistakes.json");
    let file = path.to_str().unwrap();
    let output = table(name, &["cli", "mistakes", "gives_up", "--starts", "3", "--json", file]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let hunts: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((&hunts[0]["mistake"], &hunts[0]["verdict"]), (&"gives_up".into(), &"caught".into()));
    assert_eq!(hunts[0]["catches"].as_array().unwrap().len(), 3);
    assert_eq!(hunts[0]["faults_left"], 1, "one kill is enough");

    let output = table(name, &["cli", "mistakes", "give_up"]);
    assert_one_line(&output, "no mistake is named `give_up`; did you mean `gives_up`?", 2);
    let output = command(name).args(["cli", "mistakes"]).output().unwrap();
    assert_one_line(&output, "the table has no mistakes: hand some to `squall::main_with_mistakes`", 2);
    // They are no scenarios to explore, unless they are named.
    let output = table(name, &["cli", "list"]);
    assert_eq!(stdout(&output).lines().filter(|line| line.starts_with("mistake ")).count(), 5);
    assert!(!stdout(&output).contains("mistakes::"));
}

pub fn each_mistake_is_a_test() {
    let name = "mistakes_as_tests";
    let caught = table(name, &["mistakes::gives_up"]);
    assert_eq!(code(&caught), 0, "{}", stdout(&caught));
    let missed = table(name, &["mistakes::unreached"]);
    assert_eq!(code(&missed), 101);
    assert_contains(&stdout(&missed), &["64 runs were all the same as without the mistake"]);
}

#[cfg(unix)]
pub fn an_interrupted_hunt_shows_the_table_so_far() {
    let mut command = command("mistakes_interrupted");
    command.env("SQUALL_TABLE", "mistakes").args(["cli", "mistakes", "gives_up", "unnoticed", "--seeds", "65536"]);
    command.args(["--json", "so-far.json", "--html", "so-far.html"]);
    let output = super::explorations::interrupt(&mut command, |said| said.contains("1 of 2: gives_up is caught"));
    assert_contains(&stdout(&output), &["gives_up", "interrupted: 1 of 2 were looked for"]);
    assert!(!stdout(&output).contains("unnoticed"), "{}", stdout(&output));
    let json = std::fs::read_to_string(directory("mistakes_interrupted").join("so-far.json")).unwrap();
    assert!(json.contains("gives_up") && !json.contains("unnoticed"), "{json}");
    let page = std::fs::read_to_string(directory("mistakes_interrupted").join("so-far.html")).unwrap();
    let parts = ["\"status\":\"incomplete\"", "\"problems\":[\"interrupted: 1 of 2 were looked for\"]"];
    assert!(parts.iter().all(|part| page.contains(part)), "{page}");
}

#[cfg(not(unix))]
pub fn an_interrupted_hunt_shows_the_table_so_far() {}

//! Work that is split among machines: `--shard I/N`, and `cargo sims merge`.

use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::{assert_contains, assert_one_line, cli, code, command, directory, forget_cases, stderr, stdout};

/// A directory of shards that does not exist yet.
fn fresh(name: &str, into: &str) -> PathBuf {
    let into = directory(name).join(into);
    let _ = fs::remove_dir_all(&into);
    into
}

fn shard(name: &str, arguments: &[&str], shard: &str, into: &str) -> Output {
    cli(name, &[arguments, &["--shard", shard, "--into", into]].concat())
}

/// What does not depend on the speed of the machine: the table without its last two columns, and what was judged.
fn figures(text: &str) -> Vec<String> {
    let rows = text.lines().skip_while(|line| !line.starts_with("scenario "));
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let without_times =
        |line: &str| match line.contains("judged ") || line.contains("reached in") || line.ends_with(':') {
            true => line.to_owned(),
            false => words(line).split_last_chunk::<2>().map(|(first, _)| first.join(" ")).unwrap_or_default(),
        };
    rows.take_while(|line| !line.starts_with("merged:")).map(without_times).collect()
}

pub fn shards_together_are_the_whole() {
    let name = "shards";
    fresh(name, "into");
    let work = ["explore", "echo", "ledger", "sometimes", "--seeds", "3..20"];
    let whole = cli(name, &work);
    for part in ["1/3", "2/3", "3/3"] {
        let output = shard(name, &work, part, "into");
        assert_contains(&stderr(&output), &[&format!("shard {part}: into/explore-")]);
    }
    let merged = cli(name, &["merge", "into"]);
    assert_eq!(code(&merged), code(&whole), "{}{}", stdout(&merged), stderr(&merged));
    assert_eq!(figures(&stdout(&merged)), figures(&stdout(&whole)));
    assert!(figures(&stdout(&whole)).len() > 5, "{}", stdout(&whole));
    let expected = "merged: all 3 shards of `cargo sims explore echo ledger sometimes --seeds 3..20`\n";
    assert_contains(&stdout(&merged), &[expected]);

    // More shards than seeds: some have nothing to do, and nothing is lost.
    fresh(name, "few");
    let work = ["explore", "echo", "--seeds", "0..2"];
    for part in ["1/4", "2/4", "3/4", "4/4"] {
        assert_eq!(code(&shard(name, &work, part, "few")), 0, "{part}");
    }
    let merged = cli(name, &["merge", "few"]);
    assert_eq!((code(&merged), figures(&stdout(&merged))), (0, figures(&stdout(&cli(name, &work)))));
}

pub fn failures_of_shards_stand_in_groups() {
    let name = "shards_that_fail";
    forget_cases(name);
    let into = fresh(name, "into");
    let work = ["explore", "fragile", "--seeds", "21..61"];
    let parts: Vec<Output> = ["1/2", "2/2"].map(|part| shard(name, &work, part, "into")).into();
    assert!(parts.iter().all(|output| code(output) == 1), "both find the mistake");
    let merged = cli(name, &["merge", "into"]);
    let text = stdout(&merged);
    assert_eq!(code(&merged), 1, "{text}");
    let parts = ["FAILED: fragile: every_answer_comes, in 2 runs (0x", "  faults: kill server\n", "  seed 0x"];
    assert_contains(&text, &parts);
    // The case came with the shard's file, and is replayed from there.
    let replay = text.lines().find_map(|line| line.strip_prefix("  replay: cargo sims replay ")).expect("a command");
    assert!(directory(name).join(replay).starts_with(into.join("merged")), "{replay}");
    let replayed = cli(name, &["replay", replay]);
    assert_eq!(code(&replayed), 1, "{}", stderr(&replayed));
    assert_contains(&stdout(&replayed), &["the same run: recorded", "FAILED: fragile"]);
    // What an earlier merge has written is no shard.
    assert_eq!(stdout(&cli(name, &["merge", "into"])), text);

    // The same as a page, and a word where the shards were run by different programs.
    let second = into.join("explore-2-of-2.json");
    let shard = fs::read_to_string(&second).unwrap();
    let build = shard.lines().find(|line| line.contains("\"build\"")).expect("it says what ran it").to_owned();
    fs::write(&second, shard.replace(&build, "  \"build\": \"0\",")).unwrap();
    let merged = cli(name, &["merge", "into", "--markdown", "summary.md"]);
    assert_eq!(code(&merged), 1);
    assert_contains(&stdout(&merged), &["note: the shards were run by 2 executables: "]);
    let page = fs::read_to_string(directory(name).join("summary.md")).unwrap();
    assert_contains(&page, &["| fragile | ❌ fail |", "FAILED: fragile: every_answer_comes, in 2 runs (0x"]);
}

pub fn kept_cases_are_run_by_the_first_shard_alone() {
    let name = "shards_kept";
    forget_cases(name);
    fresh(name, "into");
    let _ = fs::remove_dir_all(directory(name).join("sims"));
    fs::write(directory(name).join("Cargo.toml"), "").unwrap();
    cli(name, &["explore", "fragile", "--seeds", "21..50"]);
    let case = crate::saved_case(name);
    assert_eq!(code(&cli(name, &["keep", case.to_str().unwrap()])), 0);
    // The seeds pass, but the kept case does not.
    let work = ["explore", "fragile", "--seeds", "1002..1006"];
    let codes = ["1/2", "2/2"].map(|part| code(&shard(name, &work, part, "into")));
    assert_eq!(codes, [1, 0]);
    let merged = cli(name, &["merge", "into"]);
    assert_eq!(code(&merged), 1, "{}", stdout(&merged));
    assert_eq!(stdout(&merged).matches("regressions: 1 of 1 kept case did not pass\n").count(), 1);
    assert_eq!(figures(&stdout(&merged)), figures(&stdout(&cli(name, &work))));
}

pub fn a_shard_that_is_not_there_is_named() {
    let name = "shards_missing";
    let into = fresh(name, "into");
    let work = ["explore", "echo", "--seeds", "0..9"];
    assert_eq!(code(&shard(name, &work, "1/5", "into")), 0);
    assert_eq!(code(&shard(name, &work, "2/5", "into")), 0);
    assert_eq!(code(&shard(name, &work, "4/5", "into")), 0);
    // The second is damaged, the third has been killed, the fourth is there twice, and the fifth was never run.
    let second = into.join("explore-2-of-5.json");
    let text = fs::read_to_string(&second).unwrap();
    fs::write(&second, &text[..text.len() / 2]).unwrap();
    let third = into.join("explore-3-of-5.json");
    killed_while_it_runs(name, &["explore", "day", "--seeds", "0..9", "--shard", "3/5", "--into", "killed"], &third);
    fs::create_dir_all(into.join("again")).unwrap();
    fs::copy(into.join("explore-4-of-5.json"), into.join("again/explore-4-of-5.json")).unwrap();

    let merged = cli(name, &["merge", "into"]);
    let text = stdout(&merged);
    assert_eq!(code(&merged), 2, "{text}{}", stderr(&merged));
    let command = |part: &str| format!("run it again: cargo sims explore echo --seeds 0..9 --shard {part}\n");
    assert_contains(
        &text,
        &[
            "INCOMPLETE: shard 2/5 is damaged (into/explore-2-of-5.json: EOF while parsing",
            &command("2/5"),
            "INCOMPLETE: shard 3/5 has not finished: it began ",
            &command("3/5"),
            "INCOMPLETE: shard 5/5 is missing; run it: cargo sims explore echo --seeds 0..9 --shard 5/5\n",
            "note: shard 4/5 is there twice with equal results, in into/again/explore-4-of-5.json and into/explore-4",
            "merged: 2 of 5 shards\n",
        ],
    );
    // Each can be run alone, and then nothing is missing and nothing counts twice.
    for part in ["2/5", "3/5", "5/5"] {
        assert_eq!(code(&shard(name, &work, part, "into")), 0, "{part}");
    }
    let merged = cli(name, &["merge", "into"]);
    assert_eq!((code(&merged), figures(&stdout(&merged))), (0, figures(&stdout(&cli(name, &work)))));

    fresh(name, "many");
    assert_eq!(code(&shard(name, &work, "7/50", "many")), 0);
    let merged = cli(name, &["merge", "many"]);
    assert_eq!((code(&merged), stdout(&merged).matches(" is missing; run it").count()), (2, 20));
    assert_contains(&stdout(&merged), &["INCOMPLETE: and 29 more shards like these\n"]);

    let other = fs::read_to_string(into.join("explore-4-of-5.json")).unwrap().replace("\"runs\": 2", "\"runs\": 3");
    fs::write(into.join("again/explore-4-of-5.json"), other).unwrap();
    let merged = cli(name, &["merge", "into"]);
    assert_eq!(code(&merged), 2);
    assert_contains(&stdout(&merged), &["INCOMPLETE: shard 4/5 is there twice with different results, in into/again/"]);
}

/// Starts a shard, kills it while it runs, and makes what it has left that of another work's shard.
fn killed_while_it_runs(name: &str, arguments: &[&str], left: &std::path::Path) {
    let _ = fs::remove_dir_all(directory(name).join("killed"));
    let mut command = command(name);
    command.arg("cli").args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let file = directory(name).join("killed/explore-3-of-5.json");
    let began = Instant::now();
    while !file.exists() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert_contains(&text, &["\"results\": null", "\"shard\": \"3/5\""]);
    fs::write(left, text.replace("\"day\"", "\"echo\"")).unwrap();
}

pub fn shards_of_different_work_are_not_joined() {
    let name = "shards_mixed";
    fresh(name, "into");
    let work = ["explore", "echo", "--seeds", "0..4"];
    assert_eq!(code(&shard(name, &work, "1/2", "into")), 0);
    let other = shard(name, &["explore", "echo", "--seeds", "0..8"], "1/2", "into");
    assert_one_line(
        &other,
        "belongs to `cargo sims explore echo --seeds 0..4 --shard 1/2`: delete it, or name another",
        2,
    );
    assert_eq!(code(&shard(name, &["explore", "echo", "--seeds", "0..8"], "2/2", "into")), 0);
    let merged = cli(name, &["merge", "into"]);
    assert_eq!(code(&merged), 2);
    let parts = ["these belong to different work", "--seeds 0..4 --shard 1/2", "--seeds 0..8 --shard 2/2"];
    assert_contains(&stderr(&merged), &parts);

    fresh(name, "none");
    fs::create_dir_all(directory(name).join("none")).unwrap();
    assert_one_line(&cli(name, &["merge", "none"]), "none has no file of a shard that can be read: run shards with", 2);
    assert_one_line(&cli(name, &["merge", "nowhere"]), "nowhere: No such file", 2);
    assert_one_line(&cli(name, &["explore", "echo", "--shard", "3/2"]), "expected I/N", 2);
    let timed = ["explore", "echo", "--for", "1s", "--shard", "1/2"];
    assert_one_line(&cli(name, &timed), "a shard is a part of the seeds: give `--seeds`", 2);
    assert_one_line(&cli(name, &["explore", "echo", "--into", "x"]), "--shard", 2);
}

pub fn sweeps_and_hunts_are_split() {
    let name = "shards_of_sweeps";
    forget_cases(name);
    for (into, scenario) in [("survived", "ledger"), ("not", "hasty")] {
        fresh(name, into);
        let work = ["sweep", scenario, "--operations", "2"];
        let parts = ["1/3", "2/3", "3/3"].map(|part| shard(name, &work, part, into));
        let merged = cli(name, &["merge", into]);
        let whole = cli(name, &[&work[..], &["--afresh"]].concat());
        assert_eq!(code(&merged), code(&whole), "{}{}", stdout(&merged), stderr(&merged));
        assert_eq!(parts.iter().map(code).max(), Some(code(&whole)));
        let rows = |output: &Output| {
            let text = stdout(output);
            text.lines().filter(|line| line.contains(" survived at ")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(rows(&merged), rows(&whole));
        assert!(!rows(&whole).is_empty());
        // Cases that were not survived came along.
        let replay = "cargo sims replay ";
        let paths = |output: &Output| {
            let text = stdout(output);
            text.lines().filter_map(|line| line.trim().strip_prefix(replay)).map(PathBuf::from).collect::<Vec<_>>()
        };
        assert_eq!(paths(&merged).is_empty(), code(&whole) == 0);
        for path in paths(&merged) {
            assert!(path.starts_with(directory(name).join(into).join("merged")) || path.starts_with(into), "{path:?}");
            assert_eq!(code(&cli(name, &["replay", path.to_str().unwrap()])), 1, "{path:?}");
        }
    }

    let table = |arguments: &[&str]| command(name).env("SQUALL_TABLE", "mistakes").arg("cli").args(arguments).output();
    fresh(name, "hunts");
    let work = ["mistakes", "--seeds", "40", "--starts", "1", "--shrink-for", "0"];
    for part in ["1/2", "2/2"] {
        table(&[&work[..], &["--shard", part, "--into", "hunts"]].concat()).unwrap();
    }
    let (merged, whole) = (table(&["merge", "hunts"]).unwrap(), table(&work).unwrap());
    assert_eq!(code(&merged), code(&whole));
    // CPU times differ from run to run.
    let names = |output: &Output| {
        let first = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
        stdout(output).lines().take_while(|line| !line.starts_with("merged")).map(first).collect::<Vec<_>>()
    };
    assert_eq!(names(&merged), names(&whole));
    assert!(names(&whole).len() > 5, "{}", stdout(&whole));
}

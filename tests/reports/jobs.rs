//! What a job of a continuous integration and other tools read.

use serde_json::Value;

use crate::{cli, directory, failing, stdout};

const SHORT: [&str; 6] = ["--seeds", "0..12", "--shrink-for", "0", "--explain-for", "0"];

/// Checks that the tags of XML match, and returns the names of its elements.
#[track_caller]
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut names) = (Vec::new(), Vec::new());
    for tag in xml.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("every tag ends");
        assert!(!text.contains('\u{1b}') && !text.chars().any(|c| c < ' ' && c != '\n'), "{text:?}");
        let name = tag.split_whitespace().next().unwrap().to_owned();
        if tag.starts_with('?') || tag.ends_with('/') {
            names.extend(tag.ends_with('/').then_some(name));
        } else if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "{tag}");
        } else {
            open.push(name.clone());
            names.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    names
}

pub fn a_job_gets_junit_and_markdown() {
    let directory = directory("job");
    let mut arguments = vec!["explore", "slow", "lossy", "--junit", "junit.xml", "--markdown", "summary.md"];
    arguments.extend(SHORT);
    let output = cli(&directory, &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    let xml = read("junit.xml");
    let names = elements(&xml);
    let count = |name: &str| names.iter().filter(|known| *known == name).count();
    assert_eq!((count("testcase"), count("failure"), count("error")), (2, 1, 0), "{xml}");
    for part in [
        "<testsuite name=\"squall\" tests=\"2\" failures=\"1\" errors=\"0\"",
        "classname=\"squall\" name=\"slow\"",
        "<failure type=\"fail\" message=\"seed 0x",
        "FAILED: slow, seed 0x",
        "replay: cargo sims replay target/squall/slow-0x",
    ] {
        assert!(xml.contains(part), "`{part}` is missing in {xml}");
    }
    let summary = read("summary.md");
    for part in [
        "### Simulations: 1 of 2 scenarios do not pass",
        "| slow | ❌ fail |",
        "| lossy | ✅ pass |",
        "<details><summary>slow</summary>\n\n```text\nFAILED: slow",
        "cargo sims replay target/squall/slow-0x",
    ] {
        assert!(summary.contains(part), "`{part}` is missing in {summary}");
    }
    // A file that cannot be written is refused before any run.
    let refused = cli(&directory, &["explore", "slow", "--junit", "nowhere/junit.xml"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nowhere/junit.xml"), "{refused:?}");
    assert!(stdout(&refused).is_empty());
}

pub fn kept_cases_are_in_the_junit_file() {
    let directory = directory("kept");
    let (_, case_file) = failing(&directory, "slow");
    let kept = cli(&directory, &["keep", case_file.to_str().unwrap()]);
    assert_eq!(kept.status.code(), Some(0), "{kept:?}");
    let mut arguments = vec!["explore", "slow", "--junit", "junit.xml"];
    arguments.extend(SHORT);
    let output = cli(&directory, &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let xml = std::fs::read_to_string(directory.join("junit.xml")).unwrap();
    let names = elements(&xml);
    let count = |name: &str| names.iter().filter(|known| *known == name).count();
    assert_eq!((count("testcase"), count("failure"), count("error")), (2, 2, 0), "{xml}");
    assert!(xml.contains("<testsuite name=\"squall\" tests=\"2\" failures=\"2\" errors=\"0\""), "{xml}");
    let name = format!("name=\"slow::regression::{}\"", case_file.file_stem().unwrap().display());
    let case = xml.split("<testcase ").find(|case| case.contains(&name)).expect("the kept case");
    let parts =
        ["<failure type=\"fail\" message=\"a kept case does not pass\"", "FAILED: slow", "sims/regressions/slow/"];
    assert!(parts.iter().all(|part| case.contains(part)), "{case}");
}

pub fn tools_get_a_json_object_in_each_line() {
    let directory = directory("json");
    let mut arguments = vec!["explore", "slow", "lossy", "--message-format", "json"];
    arguments.extend(SHORT);
    let output = cli(&directory, &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("every line is an object")).collect();
    let types: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["failure", "scenario", "scenario", "summary"]);
    let failure = &lines[0];
    assert_eq!((&failure["scenario"], &failure["status"]), (&"slow".into(), &"fail".into()));
    assert!(failure["check"] == "answers_are_quick" && failure["at"].as_f64().unwrap() > 0.0, "{failure}");
    for file in ["case_file", "report"] {
        let path = directory.join(failure[file].as_str().unwrap());
        assert!(path.exists(), "{}", path.display());
    }
    assert!(failure["screen"].as_str().unwrap().starts_with("FAILED: slow"));
    assert_eq!((&lines[1]["status"], &lines[2]["status"]), (&"fail".into(), &"pass".into()));
    assert_eq!(lines[2]["runs"], 12);
    assert_eq!(
        (&lines[3]["exit_code"], &lines[3]["passed"], &lines[3]["scenarios"]),
        (&1.into(), &1.into(), &2.into())
    );
}

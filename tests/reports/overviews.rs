//! The overview of an exploration: in a browser, against the runs that it sums up, and joined from shards.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use squall::internal::explore::{CaseRef, ExploreOptions, LatencyKind, Observer, Pool, explore, investigate};
use squall::internal::run::Outcome;
use squall::internal::sandbox::EntryPoint;
use squall::prelude::*;
use squall::scenario::Mistake;

use crate::orders::photograph;
use crate::pages::{assert_no_errors, opened};
use crate::scenarios::durability;
use crate::{TABLE, acknowledges_before_sync, cli, directory, stdout};

const SHORT: [&str; 7] = ["--seeds", "0..12", "--keep-going", "--shrink-for", "0", "--explain-for", "0"];

pub const MISTAKES: [fn() -> Mistake; 2] = [hasty, harmless];

/// A mistake that the promise catches which it breaks.
fn hasty() -> Mistake {
    Mistake::new("hasty", durability::scenario(), acknowledges_before_sync()).breaks("C2")
}

/// The same mistake, for a promise that it does not break.
fn harmless() -> Mistake {
    Mistake::new("harmless", durability::scenario(), acknowledges_before_sync()).breaks("T1")
}

/// What a page was given.
fn data_of(page: &Path) -> Value {
    let text = std::fs::read_to_string(page).unwrap();
    let (_, rest) = text.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// An exploration of one scenario that fails and one that passes, and its page.
fn explored(name: &str) -> (PathBuf, PathBuf) {
    let directory = directory(name);
    let mut arguments = vec!["explore", "slow", "lossy", "--html", "overview.html"];
    arguments.extend(SHORT);
    let output = cli(&directory, &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let page = directory.join("overview.html");
    (directory, page)
}

pub fn an_overview_shows_an_exploration() {
    let (directory, page) = explored("overview");
    let text = std::fs::read_to_string(&page).unwrap();
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!text.contains(outside), "the page is to need nothing else, but has `{outside}`");
    }
    let Some(mut browser) = opened(&directory, &page, "") else { return };
    let headline = browser.text("document.getElementById('headline').textContent");
    assert!(headline.starts_with("1 of 2 scenarios does not pass · 24 runs · "), "{headline}");
    let count = |browser: &mut crate::browser::Browser, selector: &str| {
        browser.number(&format!("document.querySelectorAll({selector:?}).length"))
    };
    assert_eq!(count(&mut browser, "#summary tbody tr"), 2.0);
    let failed = browser.number("data.scenarios[0].rows.filter((row) => row.verdict === 3).length");
    assert!(failed > 0.0 && failed == browser.number("data.scenarios[0].failed"), "{failed}");
    assert_eq!(count(&mut browser, "#scenario-slow .bad button.seed"), failed);
    assert_eq!(count(&mut browser, "#scenario-lossy .bad button.seed"), 0.0);
    // The cells have the colour of their verdicts.
    let colours = "(() => { const { canvas, scenario } = strips.find((s) => !s.isSmall && s.scenario.name === 'slow'); \
        const copy = document.createElement('canvas'), ratio = window.devicePixelRatio; \
        [copy.width, copy.height] = [canvas.width, canvas.height]; \
        const g = copy.getContext('2d', { willReadFrequently: true }); g.drawImage(canvas, 0, 0); \
        const at = (row) => { const { x, y, high } = cellOf(canvas, scenario.rows.indexOf(row)); \
          return g.getImageData((x + 1) * ratio, (y + high - 2) * ratio, 1, 1).data.join(); }; \
        return [...new Set(scenario.rows.filter((row) => row.verdict === 3).map(at))].join(' '); })()";
    let light = browser.text(colours);
    assert_eq!(light, "196,0,59,255", "all failures have the same colour");
    browser.prefer("dark");
    assert_ne!(browser.text(colours), light);
    browser.prefer("light");
    // Under the pointer: the seed with its verdict; a click shows the command that runs it again.
    let place = "(() => { const strip = document.querySelector('#scenario-slow .strip'); strip.scrollIntoView(); \
        const box = strip.getBoundingClientRect(), { x, y } = cellOf(strip, 3); return [box.left + x + 4, box.top + y + 8]; })()";
    let place = browser.evaluate(place);
    let (x, y) = (place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    browser.point_at(x, y);
    let expected = browser.text("`seed 0x3: ${VERDICTS[data.scenarios[0].rows[3].verdict]}`");
    assert_eq!(browser.text("document.querySelector('#hover:not([hidden]) b').textContent"), expected);
    for kind in ["mousePressed", "mouseReleased"] {
        let event = serde_json::json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
        browser.call("Input.dispatchMouseEvent", event);
    }
    browser.settle();
    let run = browser.text("document.getElementById('run-slow').textContent");
    assert!(run.contains("cargo sims replay slow --seed 0x3"), "{run}");
    // Each list is whole.
    for (kind, list) in
        [("faults", "generators"), ("situations", "sometimes"), ("checks", "checks"), ("latencies", "latencies")]
    {
        let rows = count(&mut browser, &format!("#scenario-lossy .{kind} tbody tr"));
        assert_eq!(rows, browser.number(&format!("data.scenarios[1].{list}.length")), "{kind}");
        assert!(rows > 0.0, "{kind}");
    }
    assert_eq!(count(&mut browser, "#scenario-lossy .slowest tbody tr"), 5.0);
    browser.evaluate("window.scrollTo(0, 0)");
    photograph(&mut browser, &directory, "overview");
    browser.evaluate("document.getElementById('scenario-lossy').scrollIntoView()");
    photograph(&mut browser, &directory, "scenario");
    assert_no_errors(&mut browser);
}

/// Collects the fingerprints of runs.
#[derive(Default)]
struct Fingerprints(Vec<String>);

impl Observer for Fingerprints {
    fn judged(&mut self, outcome: &Outcome, _: Duration) {
        self.0.push(outcome.fingerprint.to_string());
    }
}

/// The times of an exploration are those of its runs, and measuring them changes no run.
pub fn latencies_are_those_of_the_runs() {
    let scenarios: Arc<[Scenario]> = TABLE.iter().map(|scenario| scenario()).collect();
    let lossy = scenarios.iter().position(|scenario| scenario.name() == "lossy").unwrap();
    let pool = Pool::new(scenarios, NonZeroUsize::MIN, EntryPoint::Main, None);
    let explored = |has_overview| {
        let mut seen = Fingerprints::default();
        let options = ExploreOptions { has_overview, ..ExploreOptions::new("0..3".parse().unwrap()) };
        let exploration = explore(&pool, lossy, &options, &mut seen).unwrap();
        (exploration.latencies, seen.0)
    };
    let ((latencies, measured), (none, plain)) = (explored(true), explored(false));
    assert_eq!((measured, none), (plain, None));
    let latencies = latencies.expect("they are measured");
    let (mut answered, mut other, mut exchanges, mut longest) = (0, 0, 0, Duration::ZERO);
    for seed in 0..3 {
        let run = investigate(&pool, lossy, &CaseRef::Seed(Seed(seed)), None).unwrap();
        let recording = run.recording.expect("a recording");
        for operation in &recording.history.operations {
            match &operation.completed {
                Some((at, _)) if operation.is_ok() => {
                    answered += 1;
                    longest = longest.max(*at - operation.invoked_at);
                }
                _ => other += 1,
            }
        }
        exchanges += recording.observed.exchanges.len() as u64;
    }
    let groups = |kind| latencies.groups.iter().filter(move |group| group.kind == kind);
    let counted = |kind| groups(kind).flat_map(|group| &group.took).map(|(_, count)| count).sum::<u64>();
    let others = |kind| groups(kind).map(|group| group.other).sum::<u64>();
    assert_eq!((counted(LatencyKind::Operation), others(LatencyKind::Operation)), (answered, other));
    assert_eq!(counted(LatencyKind::Exchange) + others(LatencyKind::Exchange), exchanges);
    assert!(answered > 100 && exchanges > answered, "{answered} {exchanges}");
    let most =
        groups(LatencyKind::Operation).filter_map(|group| group.took.last()).map(|(time, _)| *time).max().unwrap();
    let longest = longest.as_micros() as u64;
    assert!(most <= longest && longest - most < longest / 100, "{most} of {longest}");
}

pub fn shards_have_the_overview_of_the_whole() {
    let directory = directory("overview_of_shards");
    let work = ["explore", "lossy", "--seeds", "0..7", "--faults", "loss", "--html", "page.html"];
    let whole = cli(&directory, &work);
    let expected = data_of(&directory.join("page.html"));
    let shard = |part: &str| {
        let output = cli(&directory, &[&work[..], &["--shard", part, "--into", "into"]].concat());
        assert_eq!(output.status.code(), whole.status.code(), "{output:?}");
    };
    let merge = || {
        let output = cli(&directory, &["merge", "into", "--html", "merged.html"]);
        (output.status.code(), data_of(&directory.join("merged.html")))
    };
    shard("2/2");
    let (code, part) = merge();
    assert_eq!((code, part["status"].as_str()), (Some(2), Some("incomplete")), "{part}");
    assert!(part["problems"][0].as_str().unwrap().contains("shard 1/2 is missing"), "{part}");
    shard("1/2");
    let (code, mut merged) = merge();
    assert_eq!(code, whole.status.code());
    // What does not depend on the speed of the machine is equal.
    let mut expected = expected;
    let replay = |page: &mut Value| page["scenarios"][0]["replay"].take().as_str().unwrap().replace('\'', "");
    assert_eq!(replay(&mut merged), "cargo sims replay lossy --faults loss --seed");
    assert_eq!(replay(&mut expected), "cargo sims replay lossy --faults loss --seed");
    for page in [&mut merged, &mut expected] {
        page["scenarios"][0]["wall_seconds"].take();
        for row in page["scenarios"][0]["rows"].as_array_mut().unwrap() {
            assert!(row["cpu"].take().as_u64().unwrap() > 0);
        }
    }
    for (name, value) in expected["scenarios"][0].as_object().unwrap() {
        assert!(merged["scenarios"][0][name] == *value, "{name}: {} {value}", merged["scenarios"][0][name]);
    }
    assert!(merged == expected, "the rest is equal, too");
    assert_eq!(merged["scenarios"][0]["rows"].as_array().unwrap().len(), 7);
    assert!(merged["scenarios"][0]["latencies"].as_array().is_some_and(|groups| groups.len() > 5));
}

pub fn a_hunt_has_a_page() {
    let directory = directory("hunt");
    let arguments = ["mistakes", "--starts", "1", "--seeds", "12", "--shrink-for", "0", "--html", "hunt.html"];
    let output = cli(&directory, &arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout(&output).contains("1 of 2 mistakes caught"), "{}", stdout(&output));
    let page = directory.join("hunt.html");
    let Some(mut browser) = opened(&directory, &page, "") else { return };
    let headline = browser.text("document.getElementById('headline').textContent");
    assert_eq!(headline, "1 of 2 mistakes not caught");
    let row = |browser: &mut crate::browser::Browser, row: usize| {
        browser.text(&format!("document.querySelectorAll('#mistakes tbody tr')[{row}].textContent"))
    };
    let (caught, missed) = (row(&mut browser, 0), row(&mut browser, 1));
    assert!(caught.starts_with("caughthastydurabilityC2"), "{caught}");
    assert!(missed.starts_with("not caughtharmless") && missed.contains("no run of 12 broke T1"), "{missed}");
    photograph(&mut browser, &directory, "hunt");
    assert_no_errors(&mut browser);
}

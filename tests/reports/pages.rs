//! The page of a run, in a browser: it shows what happened, and people find their way in it.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use squall::internal::explore::{CaseRef, Pool, investigate};
use squall::internal::report::page;
use squall::internal::sandbox::EntryPoint;
use squall::prelude::*;

use crate::browser::{Browser, chromium};
use crate::{TABLE, cli, directory, failing, skip, stdout};

/// The largest size of the page of an ordinary run.
const LARGEST: u64 = 1_000_000;

/// A page in a browser; `None`, with a loud remark, where there is no browser.
pub fn opened(directory: &Path, page: &Path, fragment: &str) -> Option<Browser> {
    let Some(program) = chromium() else {
        skip("chromium");
        return None;
    };
    let mut browser = Browser::start(program, &directory.join("browser"));
    browser.open(&address(page, fragment));
    Some(browser)
}

fn address(page: &Path, fragment: &str) -> String {
    format!("file://{}{fragment}", page.display())
}

#[track_caller]
pub fn assert_no_errors(browser: &mut Browser) {
    browser.settle();
    assert!(browser.errors.is_empty(), "{:#?}", browser.errors);
    assert_eq!(browser.text("document.getElementById('trouble')?.textContent ?? ''"), "");
}

/// A failing run of the shop, and its page.
fn shop(name: &str) -> (PathBuf, PathBuf) {
    let directory = directory(name);
    let (_, case_file) = failing(&directory, "acknowledges_before_sync");
    (directory, case_file.with_extension("html"))
}

pub fn a_failure_has_a_page_beside_its_case() {
    let directory = directory("beside");
    let (output, case_file) = failing(&directory, "slow");
    let page = case_file.with_extension("html");
    let shown = page.strip_prefix(&directory).unwrap().display().to_string();
    assert!(output.contains(&format!("\nreport: {shown}\n")), "{output}");
    let text = std::fs::read_to_string(&page).unwrap();
    assert!((text.len() as u64) < LARGEST, "{} bytes", text.len());
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!text.contains(outside), "the page is to need nothing else, but has `{outside}`");
    }
    std::fs::remove_file(&page).unwrap();
    let written = cli(&directory, &["report", case_file.to_str().unwrap(), "--out", "reports"]);
    assert_eq!(written.status.code(), Some(0), "{written:?}");
    let name = page.file_name().unwrap().to_str().unwrap();
    assert!(stdout(&written).contains(&format!("\nreport: reports/{name}\n")), "{}", stdout(&written));
    assert!(stdout(&written).starts_with("the same run: "), "{}", stdout(&written));
    assert!(directory.join("reports").join(name).exists() && !page.exists());
}

pub fn a_page_leads_from_the_promise_to_the_event() {
    let (directory, page) = shop("promise");
    assert!(std::fs::metadata(&page).unwrap().len() < LARGEST, "{:?}", std::fs::metadata(&page));
    let Some(mut browser) = opened(&directory, &page, "") else { return };
    assert_eq!(browser.text("document.getElementById('status').textContent"), "fail");
    let check = browser.text("document.querySelector('.promise b').textContent");
    // The moment is in view from the beginning.
    assert_eq!(browser.evaluate("breaches[0].at >= state.from && breaches[0].at <= state.to"), true);
    browser.evaluate("show(0, 1000)");
    browser.click(".promise a");
    assert_eq!(browser.text("state.chosen.type"), "breach");
    assert_eq!(browser.evaluate("breaches[0].at >= state.from && breaches[0].at <= state.to"), true);
    let row = browser.text("document.querySelector('.row.chosen .text').textContent");
    assert!(row.contains(&check), "the row of the promise `{check}` is chosen: {row}");
    let details = browser.text("document.getElementById('details').textContent");
    assert!(details.contains(&check), "{details}");
    if browser.evaluate("breaches[0].operation !== null") == true {
        browser.click(".promise a:nth-of-type(2)");
        assert_eq!(browser.text("state.chosen.type"), "operation");
    }
    assert!(browser.number("data.exchanges.length") > 20.0 && browser.number("data.faults.length") > 0.0);
    browser.key("0");
    assert!(browser.number("drawn") > 0.0, "messages are drawn");
    assert_no_errors(&mut browser);
}

pub fn a_page_filters_zooms_and_searches() {
    let (directory, page) = shop("filters");
    let Some(mut browser) = opened(&directory, &page, "#t=1&z=0.5") else { return };
    // A filter by host: one chip hides its host's events, bars and lane.
    let all = browser.number("shown.length");
    assert!(browser.evaluate("shown.some((item) => hostName(item.host) === 'store')") == true);
    let store = browser.number("data.hosts.indexOf('store') + 1");
    browser.click(&format!("#hosts button:nth-child({store})"));
    assert!(browser.number("shown.length") < all);
    assert!(browser.evaluate("shown.some((item) => hostName(item.host) === 'store')") == false);
    assert!(browser.evaluate("lineOf(data.hosts.indexOf('store')) === undefined") == true);
    browser.key("Escape");
    assert_eq!(browser.number("shown.length"), all);
    // A filter by kind.
    let exchanges = browser.number("shown.filter((item) => item.type === 'exchange').length");
    browser.click("#kinds button:nth-child(3)");
    assert_eq!(browser.number("shown.length"), all - exchanges);
    browser.key("Escape");
    // Search.
    browser.key("/");
    browser.call("Input.insertText", serde_json::json!({ "text": "POST" }));
    browser.settle();
    let found = browser.number("shown.length");
    assert!(found > 0.0 && found < all, "{found} of {all}");
    assert!(browser.evaluate("shown.every((item) => item.text.includes('POST'))") == true);
    assert!(browser.text("document.querySelector('#rows mark').textContent") == "POST");
    browser.key("Escape");
    browser.key("Escape");
    // The wheel zooms at the pointer, keys move.
    let width = "state.to - state.from";
    let before = browser.number(width);
    let under = "timeOf(700 - diagram.getBoundingClientRect().left)";
    let at = browser.number(under);
    browser.wheel(700.0, 350.0, -240.0);
    let after = browser.number(width);
    assert!(after < before * 0.7, "{before} to {after}");
    assert!((browser.number(under) - at).abs() < after / 100.0, "what is under the pointer stays there");
    let from = browser.number("state.from");
    browser.key("ArrowRight");
    assert!(browser.number("state.from") > from);
    browser.key("0");
    assert_eq!(browser.number("state.from"), 0.0);
    assert_eq!(browser.number("state.to"), browser.number("data.end"));
    // Details of what is under the pointer: a message of the middle of the view.
    browser.evaluate("(() => { const m = messages.find((m) => m.line); show(m.at - 20000, m.until + 20000); })()");
    browser.settle();
    let place = "(() => { const m = messages.find((m) => m.line), a = arrowOf(m), b = diagram.getBoundingClientRect(); \
                 return [b.left + a.x1 * .5 + a.x2 * .5, b.top + a.y1 * .5 + a.y2 * .5]; })()";
    let place = browser.evaluate(place);
    browser.point_at(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    assert!(browser.evaluate("document.getElementById('hover').hidden") == false);
    assert!(!browser.text("document.getElementById('hover').textContent").is_empty());
    // The next event, by key.
    browser.key("j");
    let first = browser.text("state.chosen.id");
    browser.key("j");
    assert_ne!(browser.text("state.chosen.id"), first);
    assert_no_errors(&mut browser);
}

pub fn an_address_holds_the_view() {
    let (directory, page) = shop("address");
    let Some(mut browser) = opened(&directory, &page, "#t=2.25&z=0.5&host=store,gateway&kind=data,life&q=store") else {
        return;
    };
    assert_eq!((browser.number("state.from"), browser.number("state.to")), (2e6, 2.5e6));
    assert_eq!(browser.number("state.hosts.size"), 2.0);
    assert!(browser.evaluate("shown.every((item) => ['data', 'life', 'breach'].includes(item.group))") == true);
    // The moment alone is enough.
    browser.open(&address(&page, "#t=3.214"));
    assert_eq!(browser.number("(state.from + state.to) / 2").round(), 3_214_000.0);
    // What people do is in the address, which leads to the same view.
    browser.click("#zoom-in");
    browser.key("j");
    let view = "`${state.from.toFixed(0)} ${state.to.toFixed(0)} ${state.chosen.id}`";
    let (shown, chosen) = (browser.text(view), browser.text("state.chosen.id"));
    browser.wait_for(&format!("location.hash.includes('e={chosen}')"));
    let saved = browser.text("location.href");
    browser.open(&saved);
    assert_eq!(browser.text(view), shown);
    // Both colour schemes draw, and the switch overrides the preference.
    let panel = "getComputedStyle(document.body).backgroundColor";
    browser.prefer("light");
    let light = browser.text(panel);
    browser.prefer("dark");
    let dark = browser.text(panel);
    assert_ne!(light, dark);
    browser.click("#theme");
    assert_eq!(browser.text(panel), light);
    assert_no_errors(&mut browser);
}

/// The page of a run, with its messages repeated until there are this many.
fn enlarged(page: &Path, messages: usize) -> PathBuf {
    let text = std::fs::read_to_string(page).unwrap();
    let marker = "<script type=\"application/json\" id=\"data\">";
    let (before, rest) = text.split_once(marker).unwrap();
    let (json, after) = rest.split_once("</script>").unwrap();
    let mut data: serde_json::Value = serde_json::from_str(json).unwrap();
    let rows = data["messages"].as_array().unwrap().clone();
    let repeat = |place: usize| {
        let mut row = rows[place % rows.len()].clone();
        // Not at the same times, so that no two cover the same pixels.
        row[2] = (row[2].as_i64().unwrap() + 137 * (place / rows.len()) as i64).into();
        row
    };
    data["messages"] = (0..messages).map(repeat).collect();
    let large = page.with_file_name("large.html");
    let data = data.to_string().replace('<', "\\u003c");
    std::fs::write(&large, format!("{before}{marker}{data}</script>{after}")).unwrap();
    large
}

/// What a frame costs follows from how many messages it draws; times are printed, and not judged, as the machine may be busy.
pub fn of_fifty_thousand_messages_a_frame_draws_few() {
    let (directory, page) = shop("large");
    let large = enlarged(&page, 50_000);
    let Some(mut browser) = opened(&directory, &large, "") else { return };
    assert!(browser.number("messages.length") >= 50_000.0);
    // The time of a frame while the view moves, as people see it.
    let draws = |browser: &mut Browser, view: &str| {
        browser.evaluate(view);
        browser.settle();
        let script = "new Promise((done) => { let left = 20; const began = performance.now(); const step = () => { \
                      show(state.from + 1000, state.to + 1000); \
                      if (left-- > 0) requestAnimationFrame(step); else done((performance.now() - began) / 20); }; \
                      requestAnimationFrame(step); })";
        browser.number(script)
    };
    let whole = draws(&mut browser, "show(0, END * 0.98)");
    let drawn_of_all = browser.number("drawn");
    let part = draws(&mut browser, "show(END / 2, END / 2 + 1e6)");
    let drawn_of_part = browser.number("drawn");
    let filters = browser.number(
        "(() => { const began = performance.now(); state.search = 'post'; refilter(); \
         state.search = ''; refilter(); return (performance.now() - began) / 2; })()",
    );
    let pointed = browser.number(
        "(() => { show(0, END); draw(); const began = performance.now(); \
         for (let n = 0; n < 20; n++) under(300 + n * 20, 300); return (performance.now() - began) / 20; })()",
    );
    println!(
        "50,000 messages: {whole:.1} ms for a frame of the whole run ({drawn_of_all} messages drawn), {part:.1} ms for a \
         second of it ({drawn_of_part} drawn), {filters:.1} ms to filter, {pointed:.1} ms to find what is under the pointer"
    );
    assert!(
        drawn_of_all > 100.0 && drawn_of_all < 25_000.0,
        "what covers the same pixels is drawn once: {drawn_of_all}"
    );
    assert!(drawn_of_part > 10.0 && drawn_of_part < 5_000.0, "only what is visible is drawn: {drawn_of_part}");
    assert_no_errors(&mut browser);
}

/// A page is written for each failure that is found, so it must cost little beside finding it.
pub fn a_page_costs_little() {
    let scenarios: Arc<[Scenario]> = TABLE.iter().map(|scenario| scenario()).collect();
    let pool = Pool::new(scenarios.clone(), NonZeroUsize::MIN, EntryPoint::Main, None);
    let index = scenarios.iter().position(|scenario| scenario.name() == "acknowledges_before_sync").unwrap();
    let began = Instant::now();
    let run = investigate(&pool, index, &CaseRef::Seed(Seed(0)), None).unwrap();
    let investigated = began.elapsed();
    let began = Instant::now();
    let page = page(&run, &scenarios[index].topology(), "replay").expect("a page");
    let took = began.elapsed();
    let packets = run.recording.as_ref().map_or(0, |recording| recording.packets.len());
    println!(
        "a page of {} bytes, of {packets} events of segments, in {took:?}; two runs in {investigated:?}",
        page.len()
    );
    assert!(packets > 1_000, "{packets}");
    assert!(took < investigated, "a page takes {took:?}, the runs {investigated:?}");
}

pub fn a_run_that_died_has_a_page() {
    let directory = directory("died");
    let (_, case_file) = failing(&directory, "aborts");
    let page = case_file.with_extension("html");
    let Some(mut browser) = opened(&directory, &page, "") else { return };
    assert!(browser.text("document.getElementById('promises').textContent").contains("the program aborted"));
    assert!(browser.number("data.messages.length") > 0.0, "what was sent before is known");
    assert_no_errors(&mut browser);
}

/// What every test above claims to see, it sees where it was planted: an exception, and a line on the console.
pub fn an_error_of_a_page_is_noticed() {
    let directory = directory("planted");
    let (_, case_file) = failing(&directory, "slow");
    let text = std::fs::read_to_string(case_file.with_extension("html")).unwrap();
    let page = directory.join("planted.html");
    let planted =
        text.replace("drawHeadline();\nreadAddress();", "drawHeadline();\nconsole.error('planted');\nnowhere();");
    assert_ne!(planted, text);
    std::fs::write(&page, planted).unwrap();
    let Some(mut browser) = opened(&directory, &page, "") else { return };
    for planted in ["planted", "nowhere"] {
        assert!(browser.errors.iter().any(|error| error.contains(planted)), "{:#?}", browser.errors);
    }
    assert!(browser.text("document.getElementById('trouble').textContent").contains("This page has an error"));
}

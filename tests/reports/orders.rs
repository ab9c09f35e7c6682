//! The view of a history that no order explains: its bars, the core, the order, and what they lead to.

use std::path::{Path, PathBuf};

use crate::browser::Browser;
use crate::pages::{assert_no_errors, opened};
use crate::{directory, failing};

/// A failing run whose clients saw a store that forgets, and its page.
fn forgetful(name: &str) -> (PathBuf, PathBuf) {
    let directory = directory(name);
    let (_, case_file) = failing(&directory, "forgets");
    (directory, case_file.with_extension("html"))
}

/// What the page was given about the first history, as JavaScript.
const REPORT: &str = "data.orders[0]";

fn count(browser: &mut Browser, selector: &str) -> f64 {
    browser.number(&format!("document.querySelectorAll({selector:?}).length"))
}

/// The places of the bars with a class, in order, as text.
fn places(browser: &mut Browser, class: &str) -> String {
    browser.text(&format!(
        "[...document.querySelectorAll('#order .bar.{class}')].map((bar) => Number(bar.dataset.id.slice(1))) \
         .sort((a, b) => a - b).join()"
    ))
}

/// The same of some places in the report, given as JavaScript.
fn reported(browser: &mut Browser, places: &str) -> String {
    let script = format!("{places}.map((place) => {REPORT}.operations[place].place).sort((a, b) => a - b).join()");
    browser.text(&script)
}

/// Saves what the browser shows, in both colour schemes, beside the page.
pub fn photograph(browser: &mut Browser, directory: &Path, name: &str) {
    use std::io::Write;

    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        let mut file = std::fs::File::create(directory.join(format!("{name}-{scheme}.png"))).unwrap();
        file.write_all(&browser.picture()).unwrap();
    }
}

pub fn a_page_shows_a_history_that_no_order_explains() {
    let (directory, page) = forgetful("order");
    let Some(mut browser) = opened(&directory, &page, "") else { return };
    // The view is there from the beginning, with the words of why.
    assert_eq!(browser.text("state.tab"), "order");
    assert_eq!(browser.number("data.orders.length"), 1.0);
    let heading = browser.text("document.querySelector('#order h2').textContent");
    assert!(heading.starts_with("L1 the store is linearizable per key, key \"key-"), "{heading}");
    let words = browser.text("document.querySelector('#order .words').textContent");
    assert!(words.contains("must come next") && words.contains("when the state is"), "{words}");
    // What stands out is the core and what cannot come next, and the rest is left out with its number.
    let (kept, all) = (format!("{REPORT}.core.kept"), browser.number(&format!("{REPORT}.operations.length")));
    let stuck = format!("{REPORT}.core.longest.stuck.map(([place]) => place)");
    let core = format!("[...new Set([...{kept}, ...{stuck}])]");
    let expected = reported(&mut browser, &core);
    let shown = browser.text(
        "[...document.querySelectorAll('#order .bar.core, #order .bar.stuck')] \
         .map((bar) => Number(bar.dataset.id.slice(1))).sort((a, b) => a - b).join()",
    );
    assert_eq!(shown, expected);
    let expected = reported(&mut browser, &stuck);
    assert!(!expected.is_empty());
    assert_eq!(places(&mut browser, "stuck"), expected);
    let bars = count(&mut browser, "#order .bar");
    assert!(bars >= browser.number(&format!("{kept}.length")) && bars < all, "{bars} of {all}");
    let note = browser.text("document.querySelector('#order .chips .muted').textContent");
    assert!(note.starts_with(&format!("{} of {all} operations left out", all - bars)), "{note}");
    // The last points stand in the order of their numbers, each within its bar.
    let steps = browser.number(&format!("{REPORT}.core.longest.steps.length")) as usize;
    let numbers = browser.text("[...document.querySelectorAll('#order .point text')].map((t) => t.textContent).join()");
    let last: Vec<String> = (1..=steps).map(|number| number.to_string()).collect();
    assert!(numbers.ends_with(&last[steps.saturating_sub(3)..].join(",")) && steps > 0, "{numbers} of {steps}");
    assert_eq!(count(&mut browser, "#order tbody tr, #order table tr") as usize, steps + 1, "a row for each step");
    assert_points_in_order(&mut browser);
    photograph(&mut browser, &directory, "core");
    // All operations, of which the core still stands out.
    browser.click("#order .chips button:nth-of-type(2)");
    assert_eq!(count(&mut browser, "#order .bar"), all);
    let expected = reported(&mut browser, &format!("{REPORT}.longest.stuck.map(([place]) => place)"));
    assert_eq!(places(&mut browser, "stuck"), expected);
    assert_eq!(count(&mut browser, "#order .point"), browser.number(&format!("{REPORT}.longest.steps.length")));
    assert_points_in_order(&mut browser);
    photograph(&mut browser, &directory, "whole");
    // True to scale, and an address that holds all this.
    browser.click("#order .chips button:nth-of-type(3)");
    let ends = "(() => { const bars = orderView(data.orders[0]).shown; return bars.length; })()";
    assert_eq!(browser.number(ends), all);
    browser.wait_for("location.hash.includes('order=whole,scale')");
    let saved = browser.text("location.href");
    browser.open(&saved);
    assert_eq!(count(&mut browser, "#order .bar"), all);
    assert_no_errors(&mut browser);
}

/// Each point lies in the bar of its operation, if that returned, and none lies before the one with the number before.
fn assert_points_in_order(browser: &mut Browser) {
    let script = "(() => { const x = (e) => e.getBoundingClientRect(); let last = -Infinity; \
        for (const point of document.querySelectorAll('#order .point')) { \
          const bar = document.querySelector(`#order .bar[data-id=${point.dataset.id}]`); \
          const at = x(point.querySelector('line')).left, box = x(bar.querySelector('rect')); \
          if (at < last - 0.01 || at < box.left || !bar.classList.contains('open') && at > box.right) \
            return `${point.dataset.id}: ${at} after ${last} in ${box.left} to ${box.right}`; \
          last = at; } return ''; })()";
    assert_eq!(browser.text(script), "");
}

pub fn a_bar_leads_to_its_moment() {
    let (directory, page) = forgetful("order_leads");
    let Some(mut browser) = opened(&directory, &page, "#t=0.01&z=0.01") else { return };
    // Under the pointer: client, times, answer and why it cannot come next.
    let place = "(() => { const b = document.querySelector('#order .bar.stuck rect').getBoundingClientRect(); \
                 return [b.left + b.width / 2, b.top + b.height / 2]; })()";
    browser.evaluate("document.querySelector('#order .bar.stuck').scrollIntoView({ block: 'center' })");
    let place = browser.evaluate(place);
    browser.point_at(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    let hover =
        browser.text("document.getElementById('hover').hidden ? '' : document.getElementById('hover').textContent");
    assert!(hover.contains("Request {") && hover.contains("it cannot return"), "{hover}");
    // A click chooses the operation, and the diagram moves to it; the view stays.
    let id = browser.text("document.querySelector('#order .bar.stuck').dataset.id");
    browser.click("#order .bar.stuck rect");
    assert_eq!(browser.text("state.chosen.id"), id);
    assert_eq!(browser.text("state.chosen.type"), "operation");
    assert!(browser.evaluate("state.chosen.at >= state.from && state.chosen.at <= state.to") == true);
    assert_eq!(browser.text("state.tab"), "order");
    assert_eq!(browser.text("document.querySelector('#order .bar.chosen').dataset.id"), id);
    browser.wait_for(&format!("location.hash.includes('e={id}')"));
    // The promise leads to the view, also from elsewhere.
    browser.click("#tabs button[data-tab=history]");
    assert!(browser.evaluate("document.getElementById('order').hidden") == true);
    browser.click(".promise a[data-tab=order]");
    assert!(browser.evaluate("document.getElementById('order').hidden") == false);
    assert_no_errors(&mut browser);
}

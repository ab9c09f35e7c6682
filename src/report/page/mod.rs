//! The report of one run as a page: one file of HTML that needs no network, with the run as JSON and a small script that
//! draws it.

mod data;

use super::html::Page;
use crate::explore::Failure;
use crate::fault::Topology;

const BODY: &str = include_str!("page.html");
const STYLES: [&str; 2] = [include_str!("page.css"), include_str!("order.css")];
const SCRIPTS: [&str; 6] = [
    include_str!("model.js"),
    include_str!("draw.js"),
    include_str!("edges.js"),
    include_str!("lists.js"),
    include_str!("order.js"),
    include_str!("main.js"),
];

/// The page of a run; `None` if nothing was recorded of it. `topology` is that of its scenario, and `replay` the command
/// that runs it again.
pub fn page(failure: &Failure, topology: &Topology, replay: &str) -> Option<String> {
    let recording = failure.recording.as_deref()?;
    let data = serde_json::to_string(&data::data(failure, recording, topology, replay)).ok()?;
    let title = format!("{}, seed {}", failure.outcome.scenario, failure.outcome.seed);
    Some(Page { title: &title, styles: &STYLES, body: BODY, data: &data, scripts: &SCRIPTS }.html())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_can_stand_inside_a_script_element() {
        for script in SCRIPTS {
            assert!(!script.to_lowercase().contains("</script") && !script.contains("<!--"));
        }
        assert!(STYLES.iter().all(|style| !style.to_lowercase().contains("</style")));
    }
}

//! The report of one run as a page: one file of HTML that needs no network, with the run as JSON and a small script that
//! draws it.

mod data;

use crate::explore::Failure;
use crate::fault::Topology;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPTS: [&str; 5] = [
    include_str!("model.js"),
    include_str!("draw.js"),
    include_str!("edges.js"),
    include_str!("lists.js"),
    include_str!("main.js"),
];

/// The page of a run; `None` if nothing was recorded of it. `topology` is that of its scenario, and `replay` the command
/// that runs it again.
pub fn page(failure: &Failure, topology: &Topology, replay: &str) -> Option<String> {
    let recording = failure.recording.as_deref()?;
    let data = serde_json::to_string(&data::data(failure, recording, topology, replay)).ok()?;
    let title = format!("{}, seed {}", failure.outcome.scenario, failure.outcome.seed);
    let mut page = String::with_capacity(data.len() + (64 << 10));
    // What is filled in is never searched for places to fill in.
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}")?;
        page.push_str(before);
        match name {
            "title" => page.push_str(&escaped(&title)),
            "style" => page.push_str(STYLE),
            "data" => page.push_str(&for_script(&data)),
            "scripts" => SCRIPTS.iter().for_each(|script| page.push_str(script)),
            _ => return None,
        }
        rest = after;
    }
    page.push_str(rest);
    Some(page)
}

/// Text as part of HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON that stands inside a `script` element: no text in it may end the element, or begin a comment.
fn for_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_run_ends_the_script_element() {
        let hostile = serde_json::to_string("</script><!--<script>").unwrap();
        let written = for_script(&hostile);
        assert!(!written.contains('<'), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), "</script><!--<script>");
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }

    #[test]
    fn the_scripts_can_stand_inside_a_script_element() {
        for script in SCRIPTS {
            assert!(!script.to_lowercase().contains("</script") && !script.contains("<!--"));
        }
        assert!(!STYLE.to_lowercase().contains("</style"));
    }
}

//! JUnit XML: a test case for each scenario and for each kept case. A broken promise is a failure with the screen as its text; an unknown verdict
//! or a run that is not deterministic is an error.

use super::JobResult;
use crate::explore::Status;
use crate::report::KeptCase;

/// The results as a file of JUnit XML.
pub fn junit(results: &[JobResult<'_>], kept: &[KeptCase]) -> String {
    let of_results = results.iter().map(|result| (result.exploration.status(), result.exploration.wall));
    let all: Vec<_> = of_results.chain(kept.iter().map(|kept| (kept.status, kept.took))).collect();
    let count = |wanted: Status| all.iter().filter(|(status, _)| *status == wanted).count();
    let failures = count(Status::Fail);
    let errors = all.len() - failures - count(Status::Pass);
    let wall: f64 = all.iter().map(|(_, took)| took.as_secs_f64()).sum();
    let counts =
        format!("tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\" time=\"{wall:.3}\"", all.len());
    let cases: String = results.iter().map(case).chain(kept.iter().map(kept_case)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"squall\" {counts}>\n  <testsuite name=\"squall\" \
         {counts}>\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

fn case(result: &JobResult<'_>) -> String {
    let exploration = result.exploration;
    let place =
        exploration.declared_at.map(|place| format!(" file=\"{}\" line=\"{}\"", attribute(place.file()), place.line()));
    let head = format!(
        "    <testcase classname=\"squall\" name=\"{}\" time=\"{:.3}\"{}>\n",
        attribute(&exploration.scenario),
        exploration.wall.as_secs_f64(),
        place.unwrap_or_default()
    );
    let counts = [("seeds", exploration.seeds.to_string()), ("runs", exploration.runs.to_string())];
    let property = |(name, value): (&str, String)| {
        format!("        <property name=\"{name}\" value=\"{}\"/>\n", attribute(&value))
    };
    let properties: String = counts.into_iter().map(property).collect();
    let properties = format!("      <properties>\n{properties}      </properties>\n");
    let outcome = outcome(exploration.status(), &result.reason().unwrap_or_default(), &result.text());
    format!("{head}{properties}{outcome}    </testcase>\n")
}

fn kept_case(kept: &KeptCase) -> String {
    let (name, took) = (attribute(&kept.name), kept.took.as_secs_f64());
    let head = format!("    <testcase classname=\"squall\" name=\"{name}\" time=\"{took:.3}\">\n");
    let outcome = outcome(kept.status, "a kept case does not pass", &kept.screen);
    format!("{head}{outcome}    </testcase>\n")
}

/// The element of what does not pass.
fn outcome(status: Status, message: &str, text: &str) -> String {
    match status {
        Status::Pass => String::new(),
        Status::Fail => element("failure", status.word(), message, text),
        Status::Unknown | Status::NotDeterministic => element("error", status.word(), message, text),
    }
}

fn element(name: &str, kind: &str, message: &str, text: &str) -> String {
    let (message, text) = (attribute(message), content(text));
    format!("      <{name} type=\"{kind}\" message=\"{message}\">{text}</{name}>\n")
}

/// Text between tags. XML 1.0 has no way to write most control characters.
fn content(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            character if character < ' ' || matches!(character, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

fn attribute(text: &str) -> String {
    content(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\r', "&#13;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_the_xml() {
        assert_eq!(content("a<b>&\u{1b}[1mc\u{0}]]>\n"), "a&lt;b&gt;&amp;\u{fffd}[1mc\u{fffd}]]&gt;\n");
        assert_eq!(attribute("say \"hi\"\n<&"), "say &quot;hi&quot;&#10;&lt;&amp;");
    }
}

//! A summary in Markdown, for the page of a job (`$GITHUB_STEP_SUMMARY`, for example).

use std::fmt::Write as _;

use super::JobResult;
use crate::explore::Status;

/// The results as Markdown: a table, and the screens of what does not pass, folded.
pub fn markdown(results: &[JobResult<'_>]) -> String {
    let bad = results.iter().filter(|result| result.exploration.status() != Status::Pass).count();
    let mut text = match bad {
        0 => format!("### Simulations: all {} scenarios pass\n\n", results.len()),
        bad => format!("### Simulations: {bad} of {} scenarios do not pass\n\n", results.len()),
    };
    text.push_str("| scenario | verdict | runs | failed | effective faults | wall | why |\n");
    text.push_str("| --- | --- | ---: | ---: | ---: | ---: | --- |\n");
    for result in results {
        let exploration = result.exploration;
        let sign = match exploration.status() {
            Status::Pass => "✅",
            Status::Fail => "❌",
            Status::Unknown | Status::NotDeterministic => "⚠️",
        };
        let faults = exploration
            .generators
            .iter()
            .fold((0, 0), |sum, counts| (sum.0 + counts.effective, sum.1 + counts.planned));
        let _ = writeln!(
            text,
            "| {} | {sign} {} | {} | {} | {} of {} | {:.1}s | {} |",
            cell(&exploration.scenario),
            exploration.status().word(),
            exploration.runs,
            exploration.failed,
            faults.0,
            faults.1,
            exploration.wall.as_secs_f64(),
            cell(&result.reason().unwrap_or_default())
        );
    }
    for result in results.iter().filter(|result| result.exploration.status() != Status::Pass) {
        let screen = result.text();
        let fence = fence(&screen);
        let name = escaped(&result.exploration.scenario);
        let _ = write!(text, "\n<details><summary>{name}</summary>\n\n{fence}text\n{screen}{fence}\n\n</details>\n");
    }
    text
}

/// Text in a cell of a table: in one line, and nothing in it is markup.
fn cell(text: &str) -> String {
    let plain = escaped(text).replace(['\n', '\r'], " ");
    plain.chars().fold(String::new(), |mut text, c| {
        if matches!(c, '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '~') {
            text.push('\\');
        }
        text.push(c);
        text
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A fence that no line of the text ends.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_the_table_or_the_fence() {
        assert_eq!(cell("a|b\n<c> *d*"), "a\\|b &lt;c&gt; \\*d\\*");
        assert_eq!(fence("say ```rust"), "````");
        assert_eq!(fence("plain"), "```");
    }
}

//! Failures as annotations that GitHub shows beside the code (its "workflow commands").

use std::fmt::Write as _;

use crate::explore::Exploration;

/// One line for each failure of an exploration, at the place where its scenario was declared.
pub fn annotations(exploration: &Exploration) -> String {
    let mut text = String::new();
    let place = exploration
        .declared_at
        .map_or(String::new(), |place| format!("file={},line={},", property(place.file()), place.line()));
    let mut add = |title: &str, message: &str| {
        let title = property(&format!("{}: {title}", exploration.scenario));
        let _ = writeln!(text, "::error {place}title={title}::{}", data(message));
    };
    for failure in &exploration.failures {
        let seed = failure.outcome.seed;
        add(&format!("seed {seed}"), &super::text::reasons(&failure.outcome));
    }
    for line in exploration.idle_sources() {
        add("a fault that changes nothing", &line);
    }
    text
}

/// What a message must not hold as it is.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What a property must not hold as it is.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::SourceBites;

    #[test]
    fn what_would_end_an_annotation_is_written_otherwise() {
        assert_eq!(data("50 %\nlost"), "50 %25%0Alost");
        assert_eq!(property("a: b, c"), "a%3A b%2C c");
    }

    #[test]
    fn an_idle_source_is_an_error_at_the_scenario() {
        let mut exploration = Exploration::of("echo", "0..9".parse().unwrap());
        exploration.declared_at = Some(std::panic::Location::caller());
        assert_eq!(annotations(&exploration), "");
        exploration.bites.push(SourceBites { source: "loss".to_owned(), planned: 50, bitten: 1 });
        let text = annotations(&exploration);
        assert!(text.starts_with("::error file=src/report/github.rs,line="), "{text}");
        assert!(
            text.ends_with("title=echo%3A a fault that changes nothing::fault source `loss` bit only 1 of 50 times\n")
        );
    }
}

//! Writes failures as GitHub's "workflow commands", which it shows as annotations beside the code.

use super::text::count;
use crate::explore::{Exploration, Failure, Status};
use crate::run::Outcome;

/// One annotation for each reason why an exploration fails, at the place where its scenario was declared.
pub fn annotations(exploration: &Exploration) -> String {
    let place = exploration
        .declared_at
        .map_or(String::new(), |place| format!("file={},line={},", property(place.file()), place.line()));
    let name = &exploration.scenario;
    let mut text = String::new();
    for failure in &exploration.failures {
        text.push_str(&of_failure(failure, &place));
    }
    for line in exploration.idle_generators() {
        text.push_str(&error(&place, &format!("{name}: a fault generator without effect"), &line));
    }
    for check in exploration.coverage.idle_checks(exploration.runs) {
        let message = format!("judged nothing in {}: {check}", count(exploration.runs, "run"));
        text.push_str(&error(&place, &format!("{name}: a check that never judged anything"), &message));
    }
    for situation in exploration.coverage.missed(exploration.runs) {
        let message = format!("never reached in {}: {situation}", count(exploration.runs, "run"));
        text.push_str(&error(&place, &format!("{name}: a situation that was never reached"), &message));
    }
    text
}

/// One annotation for a failure outside an exploration.
pub fn annotation(failure: &Failure) -> String {
    of_failure(failure, "")
}

fn of_failure(failure: &Failure, place: &str) -> String {
    let Outcome { scenario, seed, .. } = &failure.outcome;
    let message = match failure.status() {
        Status::NotDeterministic => "not deterministic: a second run was different".to_owned(),
        _ => super::text::reasons(&failure.outcome),
    };
    error(place, &format!("{scenario}: seed {seed}"), &message)
}

fn error(place: &str, title: &str, message: &str) -> String {
    format!("::error {place}title={}::{}\n", property(title), data(message))
}

/// Escapes the characters that a message must not contain.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the characters that a property must not contain.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::GeneratorCounts;

    #[test]
    fn characters_that_would_end_an_annotation_are_escaped() {
        assert_eq!(data("50 %\nlost"), "50 %25%0Alost");
        assert_eq!(property("a: b, c"), "a%3A b%2C c");
    }

    #[test]
    fn an_idle_generator_is_an_error_at_the_scenario() {
        let mut exploration = Exploration::of("echo", "0..9".parse().unwrap());
        exploration.declared_at = Some(std::panic::Location::caller());
        assert_eq!(annotations(&exploration), "");
        exploration.generators.push(GeneratorCounts { generator: "loss".to_owned(), planned: 50, effective: 1 });
        let text = annotations(&exploration);
        assert!(text.starts_with("::error file=src/report/github.rs,line="), "{text}");
        assert!(text.ends_with(
            "title=echo%3A a fault generator without effect::fault generator `loss` was effective only 1 of 50 times\n"
        ));
    }
}

//! Writes the explanation of a failure as short sentences.

use crate::explore::{CandidateOutcome, FaultWhy, Reach, Why};
use crate::fault::duration_text;
use crate::scenario::Case;

/// One or two sentences for each fault, and one for each pair of faults that matters.
pub fn why_lines(why: &Why, case: &Case) -> Vec<String> {
    if why.faults.is_empty() {
        return vec!["No fault is needed: the promise is broken without any.".to_owned()];
    }
    let mut lines = Vec::new();
    for (index, fault) in why.faults.iter().enumerate() {
        let fault_of_plan = &case.plan.faults[index];
        let is_timed = fault_of_plan.begins_at().is_some() && fault_of_plan.kind.segments().is_none();
        let mut line = without(index, fault);
        if is_timed && let Some(moved) = moved(index, fault) {
            line = format!("{line} {moved}");
        }
        lines.push(line);
    }
    for pair in &why.pairs {
        let (first, second) = (pair.first + 1, pair.second + 1);
        if let Some(by) = pair.moved_by {
            let by = duration_text(by);
            lines.push(format!(
                "The time between f{first} and f{second} matters: with both {by} later the promise is still broken, with \
                 only one of them later it is kept."
            ));
        }
        if pair.suffices {
            lines.push(format!("f{first} and f{second} suffice without the others."));
        }
    }
    lines
}

fn without(index: usize, fault: &FaultWhy) -> String {
    let name = format!("f{}", index + 1);
    match &fault.without {
        None => format!("Whether {name} is needed is unknown: the time was up."),
        Some(CandidateOutcome::Passes) => format!("Without {name} the run passes."),
        Some(CandidateOutcome::Broken) => format!("{name} is not needed."),
        Some(CandidateOutcome::Other(check)) => format!("Without {name} another promise is broken ({check})."),
        Some(CandidateOutcome::Unknown) => format!("Without {name} the verdict is unknown."),
    }
}

/// The sentence about how far a fault can be moved; `None` if nothing is known.
fn moved(index: usize, fault: &FaultWhy) -> Option<String> {
    let name = format!("f{}", index + 1);
    let can = |reach: Reach, word: &str| match reach {
        Reach::Anywhere(room) => Some(format!("{} {word} (there is no more room)", duration_text(room))),
        Reach::UpTo(reach) => Some(format!("{} {word}", duration_text(reach))),
        Reach::AtLeast(reach) => Some(format!("{} {word} (more was not tried)", duration_text(reach))),
        Reach::Nowhere | Reach::NotKnown => None,
    };
    let cannot = |reach: Reach, word: &str| (reach == Reach::Nowhere).then(|| format!("a step {word}"));
    let join = |first: Option<String>, second: Option<String>| match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first} or {second}")),
        (only, None) | (None, only) => only,
    };
    let reach = join(can(fault.earlier, "earlier"), can(fault.later, "later"));
    let limit = join(cannot(fault.earlier, "earlier"), cannot(fault.later, "later"));
    match (reach, limit) {
        (Some(reach), None) => Some(format!("The promise stays broken with {name} up to {reach}.")),
        (Some(reach), Some(limit)) => {
            Some(format!("The promise stays broken with {name} up to {reach}, and is kept with it {limit}."))
        }
        (None, Some(limit)) => Some(format!("The promise is kept with {name} {limit}.")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Pair;
    use crate::fault::{Plan, kill, millis, secs};
    use crate::seed::Seed;

    fn lines(why: &Why) -> Vec<String> {
        let fault = kill("store").at(secs(1));
        let plan = Plan::new(vec![fault; why.faults.len()]);
        why_lines(why, &Case { plan, ..Case::new("", Seed(0)) })
    }

    #[test]
    fn an_explanation_is_written_in_sentences() {
        let fault = |without, earlier, later| FaultWhy { without: Some(without), earlier, later };
        let why = Why {
            faults: vec![
                fault(CandidateOutcome::Passes, Reach::UpTo(millis(40)), Reach::Anywhere(secs(9))),
                fault(CandidateOutcome::Other("T1".to_owned()), Reach::Nowhere, Reach::NotKnown),
            ],
            pairs: vec![Pair { first: 0, second: 1, moved_by: Some(millis(300)), suffices: false }],
            runs: 9,
        };
        assert_eq!(
            lines(&why),
            [
                "Without f1 the run passes. The promise stays broken with f1 up to 40ms earlier or 9s later (there is no \
                 more room).",
                "Without f2 another promise is broken (T1). The promise is kept with f2 a step earlier.",
                "The time between f1 and f2 matters: with both 300ms later the promise is still broken, with only one of \
                 them later it is kept.",
            ]
        );
        assert_eq!(lines(&Why::default()), ["No fault is needed: the promise is broken without any."]);
    }
}

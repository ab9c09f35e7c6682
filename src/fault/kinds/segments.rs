//! Single segments that are lost, late or changed, named one by one.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Facts, FaultKind, Kind, KindTarget};
use crate::fault::{Fault, FaultGenerator, Intensity, SegmentFate, Selector, duration_text, place, rust_code};

/// Exactly these segments are lost, late or changed: the recorded effect of loss, latency or corruption in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segments {
    /// The segments, each with its fate.
    pub fates: Vec<SegmentFate>,
}

/// Exactly these segments between the two sides are lost, late or changed.
pub fn segments<const COUNT: usize>(
    from: impl Into<Selector>,
    to: impl Into<Selector>,
    fates: [SegmentFate; COUNT],
) -> FaultGenerator {
    FaultGenerator::on_links(Segments { fates: fates.to_vec() }, from, to)
}

impl Kind for Segments {
    fn name(&self) -> &'static str {
        "segments"
    }

    fn parameters_in_words(&self) -> String {
        String::new()
    }

    fn facts(&self) -> Facts {
        Facts {
            target: KindTarget::Links,
            draw_key: "segments",
            is_seen_in_segments: false,
            generators_differ_by_parameters: false,
            effect_on_a_message: None,
            written: "fault::segments(from, to, [fates])",
            seen: "exactly these segments are lost, late or corrupted: the recorded effect of faults with a rate in \
             one run",
            parameters: &[("fates", "connection, direction and number of each segment, and what happens to it")],
        }
    }

    fn example() -> Segments {
        Segments { fates: Vec::new() }
    }

    fn defect(&self) -> Option<String> {
        self.fates.iter().find_map(SegmentFate::defect)
    }

    fn scaled(&self, _: Intensity) -> FaultKind {
        self.clone().into()
    }

    fn simpler(&self, _: Duration) -> Vec<FaultKind> {
        Vec::new()
    }

    fn milder(&self) -> Vec<FaultKind> {
        Vec::new()
    }

    fn shortest(&self) -> Duration {
        Duration::ZERO
    }

    fn rust(&self, target: &str) -> String {
        let fates: Vec<String> = self.fates.iter().map(rust_code::segment_fate).collect();
        format!("fault::segments({target}, [{}])", fates.join(", "))
    }
}

impl FaultKind {
    /// The fates of single segments; `None` for another kind.
    pub fn segments(&self) -> Option<&[SegmentFate]> {
        if let FaultKind::Segments(Segments { fates }) = self { Some(fates) } else { None }
    }

    /// A fault of single segments with these fates.
    pub(crate) fn of_segments(fates: Vec<SegmentFate>) -> FaultKind {
        Segments { fates }.into()
    }

    /// The same effect without randomness, given the fates of the segments that it affected in one run; `None` if fates
    /// of segments cannot express it.
    pub(crate) fn as_segments(&self, fates: impl FnOnce() -> Vec<SegmentFate>) -> Option<FaultKind> {
        self.facts().is_seen_in_segments.then(|| FaultKind::of_segments(fates()))
    }
}

impl Fault {
    /// Writes one fate in full, or the numbers of several.
    pub(in crate::fault) fn fmt_segments(&self, fates: &[SegmentFate], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = fates {
            return write!(f, "{only}");
        }
        let lost = fates.iter().filter(|fate| !fate.lost.is_empty()).count();
        let late = fates.iter().filter(|fate| fate.lost.is_empty() && !fate.late.is_zero()).count();
        let counts = [(lost, "lost"), (late, "late"), (fates.len() - lost - late, "with flipped bits")];
        let mut words = if fates.is_empty() { "no segments".to_owned() } else { String::new() };
        for (count, word) in counts.into_iter().filter(|(count, _)| *count > 0) {
            words += &match count {
                _ if !words.is_empty() => format!(", {count} {word}"),
                1 => format!("1 segment {word}"),
                _ => format!("{count} segments {word}"),
            };
        }
        let from =
            self.begins_at().map_or_else(|| self.trigger.to_string(), |at| format!("from {} on", duration_text(at)));
        write!(f, "{words} {} {from}", place(&self.kind, &self.target))
    }
}

//! The palette of faults as a page for a terminal. It knows nothing of scenarios and runs.

use std::fmt::Write as _;

use crate::fault::{PaletteEntry, compositions, kinds};

/// How wide the page is.
const WIDTH: usize = 100;

/// Every kind of fault, and the sources that compose several: how it is written, what a peer sees, its parameters.
pub fn palette() -> String {
    let mut text = String::from("Faults, with the sources that draw them:\n");
    for (_, one) in kinds() {
        entry(&mut text, &one);
    }
    text.push_str("\nSources that compose several faults:\n");
    for one in compositions() {
        entry(&mut text, &one);
    }
    let timing = "When and how often is said by `.every(range)`, `.once(range)` or `.throughout()`, `.lasting(range)` and \
                  `.at_most(count)`, for all but rolling stops; `.one_way()` narrows a fault between two sides.";
    let _ = writeln!(text, "\n{}", textwrap::fill(timing, WIDTH));
    text
}

fn entry(text: &mut String, entry: &PaletteEntry) {
    let PaletteEntry { name, written, seen, parameters } = entry;
    let _ = writeln!(text, "\n{name:<18}{written}");
    let options = textwrap::Options::new(WIDTH).initial_indent("    ").subsequent_indent("    ");
    let _ = writeln!(text, "{}", textwrap::fill(seen, options));
    let widest = parameters.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, meaning) in *parameters {
        let _ = writeln!(text, "      {name:<widest$}  {meaning}");
    }
}

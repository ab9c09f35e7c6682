//! The catalog of faults as a page for a terminal. It does not depend on scenarios or runs.

use std::fmt::Write as _;

use crate::fault::{CatalogRow, beginnings, compositions, kinds};

/// The width of the page, in columns.
const WIDTH: usize = 100;

/// Every kind of fault, with how it is written, what a peer sees of it and its parameters; and the generators that
/// compose several faults.
pub fn catalog() -> String {
    let mut text = String::from("Faults, with the generators that draw them:\n");
    for (_, one) in kinds() {
        entry(&mut text, &one);
    }
    text.push_str("\nGenerators that compose several faults:\n");
    for one in compositions() {
        entry(&mut text, &one);
    }
    text.push_str("\nWhen a fault begins:\n");
    for one in beginnings() {
        entry(&mut text, &one);
    }
    let timing = "`.lasting(range)` sets how long a fault lasts, and `.at_most(count)` how many there are, for all but \
                  rolling stops. `.one_way()` restricts a fault between two sides to one direction. `fault::here()` is \
                  the host that sends the message or has the event. Messages and events are drawn from those of a run \
                  of the same seed without faults.";
    let _ = writeln!(text, "\n{}", textwrap::fill(timing, WIDTH));
    text
}

fn entry(text: &mut String, entry: &CatalogRow) {
    let CatalogRow { name, written, seen, parameters } = entry;
    let _ = writeln!(text, "\n{name:<22}{written}");
    let options = textwrap::Options::new(WIDTH).initial_indent("    ").subsequent_indent("    ");
    let _ = writeln!(text, "{}", textwrap::fill(seen, options));
    let widest = parameters.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, meaning) in *parameters {
        let _ = writeln!(text, "      {name:<widest$}  {meaning}");
    }
}

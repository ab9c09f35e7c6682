//! An overview of explorations and of hunts for mistakes as a page: one file of HTML that needs no network.

mod contents;
mod data;
mod latencies;

use super::html::{COLOURS, escaped, filled, for_script};
pub use contents::{ExploredScenario, Overview};

const TEMPLATE: &str = include_str!("overview.html");
const STYLE: &str = include_str!("overview.css");
const SCRIPT: &str = include_str!("overview.js");

/// The page of an overview.
pub fn overview(overview: &Overview<'_>) -> String {
    let data = serde_json::to_string(&data::data(overview)).unwrap_or_default();
    let title = format!("Simulations: {}", overview.status);
    let style = [COLOURS, STYLE].concat();
    let parts =
        [("title", escaped(&title)), ("style", style), ("data", for_script(&data)), ("scripts", SCRIPT.to_owned())];
    filled(TEMPLATE, &parts.each_ref().map(|(name, part)| (*name, part.as_str()))).unwrap_or_default()
}

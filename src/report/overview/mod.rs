//! An overview of explorations and of hunts for mistakes as a page: one file of HTML that needs no network.

mod contents;
mod data;
mod latencies;

use super::html::Page;
pub use contents::{ExploredScenario, Overview};

const BODY: &str = include_str!("overview.html");
const STYLE: &str = include_str!("overview.css");
const SCRIPT: &str = include_str!("overview.js");

/// The page of an overview.
pub fn overview(overview: &Overview<'_>) -> String {
    let data = serde_json::to_string(&data::data(overview)).unwrap_or_default();
    let title = format!("Simulations: {}", overview.status);
    Page { title: &title, styles: &[STYLE], body: BODY, data: &data, scripts: &[SCRIPT] }.html()
}

//! Reports for people: pure functions from the results of runs to text, and with the feature `report` to pages and captures.

#[cfg(feature = "report")]
mod attempts;
#[cfg(feature = "report")]
mod capture;
mod catalog;
mod diff;
#[cfg(feature = "report")]
mod diff_page;
#[cfg(feature = "report")]
mod events;
mod github;
#[cfg(feature = "report")]
mod html;
#[cfg(feature = "report")]
pub mod job;
mod kept_case;
#[cfg(feature = "report")]
mod messages;
mod mistakes;
#[cfg(feature = "report")]
mod overview;
#[cfg(feature = "report")]
mod page;
mod rust;
mod screen;
#[cfg(feature = "report")]
mod spans;
mod sweep;
pub mod text;
pub mod timeline;
#[cfg(feature = "report")]
mod trace_events;
mod why;

#[cfg(feature = "report")]
pub use capture::capture;
pub use catalog::catalog;
pub use diff::{DiffRow, Side, diff_rows, diff_text};
#[cfg(feature = "report")]
pub use diff_page::diff_page;
pub use github::{annotation, annotations};
pub use kept_case::KeptCase;
pub use mistakes::{complaint, mistakes_table};
#[cfg(feature = "report")]
pub use overview::{ExploredScenario, Overview, overview};
#[cfg(feature = "report")]
pub use page::page;
pub use rust::rust_test;
pub use screen::{ScreenStyle, failure_line, screen};
pub use sweep::sweep_text;
pub(crate) use text::count;
pub use timeline::{TimelineOptions, ToldLine, timeline, told, told_of_lines};
#[cfg(feature = "report")]
pub use trace_events::trace_events;

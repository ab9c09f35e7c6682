//! Reports for people: pure functions from the results of runs to text, and with the feature `report` to pages and captures.

#[cfg(feature = "report")]
mod capture;
mod catalog;
mod github;
#[cfg(feature = "report")]
pub mod job;
#[cfg(feature = "report")]
mod messages;
mod mistakes;
#[cfg(feature = "report")]
mod page;
mod rust;
mod screen;
mod sweep;
pub mod text;
pub mod timeline;
mod why;

#[cfg(feature = "report")]
pub use capture::capture;
pub use catalog::catalog;
pub use github::{annotation, annotations};
pub use mistakes::{complaint, mistakes_table};
#[cfg(feature = "report")]
pub use page::page;
pub use rust::rust_test;
pub use screen::{ScreenStyle, failure_line, screen};
pub use sweep::sweep_text;
pub(crate) use text::count;
pub use timeline::{TimelineOptions, timeline};

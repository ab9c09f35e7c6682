//! Reports for people: pure functions from the results of runs to text.

mod catalog;
mod github;
mod mistakes;
mod rust;
mod screen;
mod sweep;
pub mod text;
pub mod timeline;
mod why;

pub use catalog::catalog;
pub use github::{annotation, annotations};
pub use mistakes::{complaint, mistakes_table};
pub use rust::rust_test;
pub use screen::{ScreenStyle, failure_line, screen};
pub use sweep::sweep_text;
pub(crate) use text::count;
pub use timeline::{TimelineOptions, timeline};

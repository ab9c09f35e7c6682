//! Reports for people: each is a pure function from what came of runs to text. They know nothing of how runs are made.

mod github;
mod palette;
mod rust;
mod screen;
mod sweep;
pub mod text;
pub mod timeline;
mod why;

pub use github::{annotation, annotations};
pub use palette::palette;
pub use rust::rust_test;
pub use screen::{ScreenStyle, failure_line, screen};
pub use sweep::sweep_text;
pub use timeline::{TimelineOptions, timeline};

//! Reports for people: each is a pure function from what came of runs to text. They know nothing of how runs are made.

mod rust;
pub mod text;
pub mod timeline;

pub use rust::rust_test;
pub use timeline::{TimelineOptions, timeline};

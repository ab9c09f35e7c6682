//! Splits the work of a command among machines. Each carries out a shard and writes its results to a file, and
//! `cargo sims merge` joins the files.

mod file;
mod flags;
mod gathered;
mod groups;
mod results;
mod shard;

#[cfg(feature = "report")]
pub(super) use file::drawing_flags;
pub(super) use file::{Item, ShardOutput};
pub(super) use flags::{ShardFlags, default_directory};
pub(super) use gathered::{CASES, Gathered, Kind};
pub(super) use groups::groups;
pub(super) use results::{Explored, Found, Kept, Results, contents};
pub(super) use shard::Shard;

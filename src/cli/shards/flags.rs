//! The flags of commands whose work can be split.

use std::path::PathBuf;

use clap::Args;

use super::file::{Item, ShardOutput};
use super::shard::Shard;
use crate::case_file;

/// The flags of a command whose work can be split.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShardFlags {
    /// Carry out only this part of the work, for example `3/8`, and write its results to a file that `merge` joins with
    /// those of the other parts.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// The directory of the shards' files. Default: squall/shards in cargo's target directory.
    #[arg(long, value_name = "DIR", requires = "shard")]
    into: Option<PathBuf>,
}

impl ShardFlags {
    /// Announces the shard in its file; `None` if the work is not split. `words` are those of the command line, and `work`
    /// is what all shards do together.
    ///
    /// # Errors
    /// If the file cannot be written, or is that of another work.
    pub(crate) fn begin(&self, words: &[String], work: Vec<Item>) -> Result<Option<ShardOutput>, String> {
        let Some(shard) = self.shard else { return Ok(None) };
        let directory = self.into.clone().unwrap_or_else(default_directory);
        ShardOutput::begin(&directory, shard, words, work).map(Some)
    }
}

/// Where shards' files are unless another directory is named.
pub(crate) fn default_directory() -> PathBuf {
    case_file::target_directory().join("squall").join("shards")
}

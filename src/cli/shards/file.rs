//! The file of a shard: what it does, whether it has done it, and with which results.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::results::Results;
use super::shard::Shard;
use crate::case_file::build_id;

/// The version of the format that this build writes and reads.
const FORMAT_VERSION: u32 = 1;

/// A thing that the shards do together: a scenario with all its seeds, a mistake, or a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seeds: Option<String>,
}

/// The contents of a shard's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShardFile {
    /// The version of the format.
    squall_shard: u32,
    pub(crate) shard: Shard,
    /// The words after `cargo sims`, without those that differ from shard to shard.
    pub(crate) command: Vec<String>,
    /// What all shards do together.
    pub(crate) work: Vec<Item>,
    /// The executable that made the runs.
    pub(super) build: String,
    /// The machine's name.
    pub(super) machine: String,
    /// When it began, in seconds since the Unix epoch.
    pub(super) began_at: u64,
    /// `None` until it has finished.
    pub(super) results: Option<Results>,
}

impl ShardFile {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<ShardFile, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let file: ShardFile = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if file.squall_shard != FORMAT_VERSION {
            return Err(format!("its format is {}, and this build reads {FORMAT_VERSION}", file.squall_shard));
        }
        Ok(file)
    }

    /// Whether two files are parts of the same work.
    pub(super) fn is_of_same_work(&self, other: &ShardFile) -> bool {
        (&self.command, &self.work, self.shard.of) == (&other.command, &other.work, other.shard.of)
    }

    /// The command that carries out a shard of the same work.
    pub(crate) fn command_of(&self, shard: Shard) -> String {
        let words: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
        format!("cargo sims {} --shard {shard}", words.join(" "))
    }

    /// How long ago it began, in seconds.
    pub(super) fn age(&self) -> u64 {
        now().saturating_sub(self.began_at)
    }
}

/// The file of a shard that is carried out.
#[derive(Debug)]
pub(crate) struct ShardOutput {
    path: PathBuf,
    file: ShardFile,
}

impl ShardOutput {
    /// Writes that the shard has begun.
    pub(super) fn begin(directory: &Path, shard: Shard, words: &[String], work: Vec<Item>) -> Result<Self, String> {
        let command = command(words, &work);
        let name = format!("{}-{}-of-{}.json", command[0], shard.index, shard.of);
        let machine = fs::read_to_string("/proc/sys/kernel/hostname");
        let file = ShardFile {
            squall_shard: FORMAT_VERSION,
            shard,
            command,
            work,
            build: build_id().to_owned(),
            machine: machine.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned()),
            began_at: now(),
            results: None,
        };
        let output = ShardOutput { path: directory.join(name), file };
        match ShardFile::read(&output.path) {
            Ok(other) if !other.is_of_same_work(&output.file) => {
                let (path, other) = (output.path.display(), other.command_of(other.shard));
                Err(format!("{path} belongs to `{other}`: delete it, or name another directory with `--into`"))
            }
            // It has been carried out before: its results stay until there are new ones.
            Ok(other) if other.results.is_some() => Ok(output),
            _ => output.write().map(|()| output),
        }
    }

    pub(crate) fn shard(&self) -> Shard {
        self.file.shard
    }

    /// Writes the results; returns where they are.
    pub(crate) fn finish(mut self, results: Results) -> Result<PathBuf, String> {
        self.file.results = Some(results);
        self.write()?;
        Ok(self.path)
    }

    /// Replaces the file at once, so that nobody reads a half of it.
    fn write(&self) -> Result<(), String> {
        let error = |error: &dyn std::fmt::Display| format!("{}: {error}", self.path.display());
        let text = serde_json::to_string_pretty(&self.file).map_err(|wrong| error(&wrong))?;
        let unfinished = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let parent = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(|wrong| error(&wrong))?;
        fs::write(&unfinished, text + "\n").and_then(|()| fs::rename(&unfinished, &self.path)).map_err(|wrong| {
            if wrong.kind() != ErrorKind::NotFound {
                let _ = fs::remove_file(&unfinished);
            }
            error(&wrong)
        })
    }
}

/// The words of a command without those that differ from shard to shard, and with the seeds if they came from elsewhere.
fn command(words: &[String], work: &[Item]) -> Vec<String> {
    const OF_A_SHARD: [&str; 3] = ["--shard", "--into", "--jobs"];
    let mut command = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if OF_A_SHARD.contains(&word.as_str()) {
            words.next();
        } else if !OF_A_SHARD.iter().any(|flag| word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))) {
            command.push(word.clone());
        }
    }
    let explores = || work.iter().find_map(|item| item.seeds.clone());
    if !matches!(command.first().map(String::as_str), Some("explore" | "mistakes" | "sweep")) {
        command.insert(0, "explore".to_owned());
    }
    if let Some(seeds) = explores().filter(|_| !command.iter().any(|word| word.split('=').next() == Some("--seeds"))) {
        command.extend(["--seeds".to_owned(), seeds]);
    }
    command
}

/// The flags of a command that restrict which faults seeds draw, as they are written in a shell, with a space before each.
#[cfg(feature = "report")]
pub(crate) fn drawing_flags(command: &[String]) -> String {
    let mut flags = String::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        if ["--faults", "--intensity"].contains(&name) {
            let value = value.or_else(|| words.next().map(String::as_str)).unwrap_or_default();
            flags.push_str(&format!(" {name} {}", quoted(value)));
        }
    }
    flags
}

/// A word as it is written in a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_the_same_for_all_shards() {
        let check = |words: &str, seeds: Option<&str>, expected: &str| {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            let work = [Item { name: "a".to_owned(), seeds: seeds.map(str::to_owned) }];
            assert_eq!(command(&words, &work).join(" "), expected, "{words:?}");
        };
        check("explore a --shard 1/2 --seeds 0..9", Some("0x0..0x9"), "explore a --seeds 0..9");
        check("--jobs 3 --shard=1/2 --into=x", Some("0x0..0x40"), "explore --seeds 0x0..0x40");
        check("mistakes --starts 3 --into x --shard 1/2", None, "mistakes --starts 3");
        check("sweep a --seed 4 --jobs=1 --shard 1/2", None, "sweep a --seed 4");
    }

    #[test]
    fn a_shard_that_is_run_again_keeps_its_results_until_there_are_new_ones() {
        let directory = tempfile::tempdir().unwrap();
        let shard: Shard = "1/2".parse().unwrap();
        let begin = || {
            let work = vec![Item { name: "a".to_owned(), seeds: None }];
            ShardOutput::begin(directory.path(), shard, &["mistakes".to_owned()], work).unwrap()
        };
        let kept = |path: &Path| ShardFile::read(path).unwrap().results;
        let first = begin();
        assert_eq!(kept(&first.path), None, "it has begun");
        let path = first.finish(Results::Hunted { hunts: Vec::new() }).unwrap();
        drop(begin());
        assert_eq!(kept(&path), Some(Results::Hunted { hunts: Vec::new() }));
    }

    #[cfg(feature = "report")]
    #[test]
    fn the_flags_of_drawing_are_those_of_the_command() {
        let check = |words: &[&str], expected: &str| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(drawing_flags(&words), expected);
        };
        check(&["explore", "a", "--seeds", "0..9"], "");
        check(&["explore", "--faults", "kill a, b", "--intensity=2", "x"], " --faults 'kill a, b' --intensity 2");
    }

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(quoted("--seeds"), "--seeds");
        assert_eq!(quoted("kill api-1, api-2"), "'kill api-1, api-2'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}

//! The files of shards in a directory: which shards are there, and why the others are not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::ShardFile;
use super::results::Results;
use super::shard::Shard;
use crate::report::count;

/// The directory in which the cases of all shards are put together.
pub(crate) const CASES: &str = "merged";

/// The shards that were found, each once.
pub(crate) struct Gathered {
    /// One of the files, whether its shard has finished or not.
    pub(crate) any: ShardFile,
    /// The shards that have finished.
    pub(crate) shards: BTreeMap<Shard, ShardFile>,
    /// Why some are not among these, with the command that mends it.
    pub(crate) problems: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// What the shards have done.
pub(crate) enum Kind {
    Explored,
    Hunted,
    Swept,
    Nothing,
}

impl Gathered {
    /// Reads all files below a directory.
    pub(crate) fn below(directory: &Path) -> Result<Gathered, String> {
        let mut paths = Vec::new();
        files_below(directory, &mut paths).map_err(|error| format!("{}: {error}", directory.display()))?;
        paths.sort();
        let (mut files, mut damaged) = (Vec::new(), Vec::new());
        for path in paths {
            match (ShardFile::read(&path), shard_of_name(&path)) {
                (Ok(file), _) => files.push((path, file)),
                (Err(error), Some(shard)) => damaged.push((path, shard, error)),
                // Other files may stand beside them.
                (Err(_), None) => {}
            }
        }
        let Some((first, any)) = files.first().cloned() else {
            let unreadable = damaged.iter().map(|(path, _, error)| format!("\n  {}: {error}", path.display()));
            let unreadable: String = unreadable.collect();
            let place = directory.display();
            return Err(format!(
                "{place} has no file of a shard that can be read: run shards with `--shard I/N`{unreadable}"
            ));
        };
        if let Some((other, file)) = files.iter().find(|(_, file)| !file.is_of_same_work(&any)) {
            let (a, b) = (any.command_of(any.shard), file.command_of(file.shard));
            let (first, other) = (first.display(), other.display());
            return Err(format!(
                "these belong to different work, so merge each in a directory of its own:\n  {first}: {a}\n  {other}: {b}"
            ));
        }
        let mut gathered = Gathered { any, shards: BTreeMap::new(), problems: Vec::new(), notes: Vec::new() };
        for shard in Shard::all(gathered.any.shard.of) {
            let of_shard =
                |(path, file): &(PathBuf, ShardFile)| (file.shard == shard).then(|| (path.clone(), file.clone()));
            let damaged: Vec<_> = damaged.iter().filter(|(_, damaged, _)| *damaged == shard).collect();
            gathered.take(shard, files.iter().filter_map(of_shard).collect(), &damaged);
        }
        gathered.note_builds();
        Ok(gathered)
    }

    /// Takes a shard from its files, of which there should be one.
    fn take(&mut self, shard: Shard, files: Vec<(PathBuf, ShardFile)>, damaged: &[&(PathBuf, Shard, String)]) {
        let again = self.any.command_of(shard);
        let (finished, running): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, file)| file.results.is_some());
        if let Some((path, first)) = finished.first() {
            let others = || finished.iter().skip(1);
            if let Some((other, _)) = others().find(|(_, file)| !is_equal(first, file)) {
                let (path, other) = (path.display(), other.display());
                self.problems.push(format!(
                    "shard {shard} is there twice with different results, in {path} and {other}: delete the wrong one"
                ));
                return;
            }
            for (other, _) in others() {
                let (path, other) = (path.display(), other.display());
                self.notes.push(format!(
                    "shard {shard} is there twice with equal results, in {path} and {other}: counted once"
                ));
            }
            self.shards.insert(shard, first.clone());
            return;
        }
        self.problems.push(match (running.first(), damaged.first()) {
            (Some((path, file)), _) => format!(
                "shard {shard} has not finished: it began {} ago on {} ({}); if it no longer runs, run it again: {again}",
                count(file.age(), "second"),
                file.machine,
                path.display()
            ),
            (None, Some((path, _, error))) => {
                format!("shard {shard} is damaged ({}: {error}); delete the file and run it again: {again}", path.display())
            }
            (None, None) => format!("shard {shard} is missing; run it: {again}"),
        });
    }

    fn note_builds(&mut self) {
        let mut builds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (shard, file) in &self.shards {
            builds.entry(&file.build).or_default().push(shard.to_string());
        }
        if builds.len() > 1 {
            let lists: Vec<String> = builds.values().map(|shards| shards.join(", ")).collect();
            let (number, lists) = (builds.len(), lists.join("; "));
            self.notes.push(format!("the shards were run by {number} executables: {lists}"));
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.shards.values().find_map(|file| file.results.as_ref()) {
            None => Kind::Nothing,
            Some(Results::Explored { .. }) => Kind::Explored,
            Some(Results::Hunted { .. }) => Kind::Hunted,
            Some(Results::Swept { .. }) => Kind::Swept,
        }
    }

    pub(crate) fn results(&self) -> impl Iterator<Item = (Shard, &Results)> {
        self.shards.iter().filter_map(|(shard, file)| Some((*shard, file.results.as_ref()?)))
    }
}

/// Whether two files of a shard have the same results, apart from how long these took.
fn is_equal(a: &ShardFile, b: &ShardFile) -> bool {
    let without_times = |file: &ShardFile| {
        let mut results = file.results.clone();
        match &mut results {
            Some(Results::Explored { scenarios, .. }) => {
                scenarios.iter_mut().for_each(|explored| explored.totals.wall_seconds = 0.0);
            }
            Some(Results::Hunted { hunts }) => {
                hunts.iter_mut().flat_map(|hunt| &mut hunt.catches).for_each(|caught| caught.cpu_seconds = 0.0);
            }
            Some(Results::Swept { sweep, .. }) => sweep.wall = Duration::ZERO,
            None => {}
        }
        results
    };
    without_times(a) == without_times(b)
}

/// The files that end in `.json` below a directory, but for the cases that an earlier merge has written.
fn files_below(directory: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with(CASES) {
                files_below(&path, paths)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    Ok(())
}

/// The shard that a file's name tells: `explore-3-of-8.json`.
fn shard_of_name(path: &Path) -> Option<Shard> {
    let (name, of) = path.file_stem()?.to_str()?.rsplit_once("-of-")?;
    let (_, index) = name.rsplit_once('-')?;
    format!("{index}/{of}").parse().ok()
}

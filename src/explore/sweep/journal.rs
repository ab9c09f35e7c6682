//! The journal of a sweep on disk, from which an interrupted sweep resumes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::case_file;
use crate::fault::Fault;
use crate::scenario::{Case, Scenario};

/// A journal that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub struct JournalError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

/// The identity of a sweep, on the first line of its journal: a sweep resumes only from a journal of the same sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    scenario: String,
    seed: String,
    /// The executable that makes the runs.
    build: String,
    /// The number of trials.
    count: usize,
    /// A digest of the input and of all trials.
    trials: String,
}

impl Head {
    pub(super) fn new<'a>(scenario: &Scenario, control: &Case, trials: impl Iterator<Item = &'a [Fault]>) -> Head {
        let mut hasher = SipHasher13::new();
        let mut add = |value: serde_json::Result<Vec<u8>>| {
            let bytes = value.expect("a case came as JSON");
            hasher.write_usize(bytes.len());
            hasher.write(&bytes);
        };
        add(serde_json::to_vec(control));
        let mut count = 0;
        for faults in trials {
            add(serde_json::to_vec(faults));
            count += 1;
        }
        Head {
            scenario: scenario.name().to_owned(),
            seed: control.seed.to_string(),
            build: case_file::build_id().to_owned(),
            count,
            trials: format!("{:032x}", hasher.finish128().as_u128()),
        }
    }
}

impl Head {
    pub(super) fn scenario(&self) -> &str {
        &self.scenario
    }

    pub(super) fn seed(&self) -> &str {
        &self.seed
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    trial: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finding: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    idle: bool,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Survived,
    /// It survived, but the fault had no effect.
    NoEffect,
    /// It did not survive: the promise that was broken and how, or why the verdict is unknown.
    Failed(String),
}

/// How each trial ended that has been made, on disk and in memory.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    pub(super) known: BTreeMap<usize, End>,
}

impl Journal {
    /// Opens the journal of this sweep, with the trials of an interrupted sweep unless it is to start `afresh`.
    pub(super) fn open(path: PathBuf, head: &Head, afresh: bool) -> Result<Journal, JournalError> {
        let known = if afresh { None } else { fs::read_to_string(&path).ok().and_then(|text| read(&text, head)) };
        let (known, length) = known.map_or((None, 0), |(known, length)| (Some(known), length));
        let result = (|| {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            if known.is_some() {
                let file = OpenOptions::new().append(true).open(&path)?;
                return file.set_len(length).map(|()| file);
            }
            let mut file = File::create(&path)?;
            write_line(&mut file, head).map(|()| file)
        })();
        let file = result.map_err(|error| JournalError { path: path.clone(), error })?;
        Ok(Journal { path, file, known: known.unwrap_or_default() })
    }

    pub(super) fn write(&mut self, trial: usize, end: End) -> Result<(), JournalError> {
        let finding = if let End::Failed(finding) = &end { Some(finding.clone()) } else { None };
        let line = Line { trial, finding, idle: end == End::NoEffect };
        write_line(&mut self.file, &line).map_err(|error| JournalError { path: self.path.clone(), error })?;
        self.known.insert(trial, end);
        Ok(())
    }
}

/// Writes a line in one call, so that a killed process leaves at most its last line incomplete.
fn write_line(file: &mut File, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)
}

/// The trials of a journal and its length in bytes without an incomplete last line. `None` if the journal belongs to
/// another sweep.
fn read(text: &str, head: &Head) -> Option<(BTreeMap<usize, End>, u64)> {
    let text = &text[..=text.rfind('\n')?];
    let mut lines = text.lines();
    if serde_json::from_str::<Head>(lines.next()?).ok()? != *head {
        return None;
    }
    let mut known = BTreeMap::new();
    for line in lines {
        let Line { trial, finding, idle } = serde_json::from_str(line).ok()?;
        let end = match finding {
            Some(finding) => End::Failed(finding),
            None if idle => End::NoEffect,
            None => End::Survived,
        };
        // The file may have been edited.
        if trial < head.count {
            known.insert(trial, end);
        }
    }
    Some((known, text.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault;
    use crate::seed::Seed;

    #[test]
    fn a_sweep_resumes_only_from_a_journal_of_the_same_sweep() {
        let path = std::env::temp_dir().join(format!("squall-journal-{}.jsonl", std::process::id()));
        let scenario = Scenario::new("s");
        let head = |faults: &[Fault]| Head::new(&scenario, &Case::new("s", Seed(1)), [faults; 3].into_iter());
        let one = head(&[fault::kill("a").at_start()]);
        let ends = [End::Survived, End::NoEffect, End::Failed("x: \"y\"\nz".to_owned())];
        let mut journal = Journal::open(path.clone(), &one, true).unwrap();
        for (trial, end) in ends.iter().enumerate() {
            journal.write(trial, end.clone()).unwrap();
        }
        drop(journal);
        let known = |head: &Head| Journal::open(path.clone(), head, false).unwrap().known;
        assert_eq!(known(&one).into_values().collect::<Vec<_>>(), ends);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"trial\":3}}\n")).unwrap();
        assert_eq!(known(&one).into_values().collect::<Vec<_>>(), ends, "there is no fourth trial");
        // A process was killed while it wrote.
        fs::write(&path, &text[..text.len() - 3]).unwrap();
        let mut journal = Journal::open(path.clone(), &one, false).unwrap();
        assert_eq!(journal.known.len(), 2);
        journal.write(2, ends[2].clone()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert!(known(&head(&[fault::kill("b").at_start()])).is_empty());
        assert!(known(&one).is_empty(), "the journal belongs to the other sweep");
        fs::remove_file(&path).unwrap();
    }
}

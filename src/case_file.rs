//! Case files: one case with what is known of its run, as JSON that people read, edit and commit. It knows nothing of how
//! a case is found or run.

use std::fs;
use std::hash::Hasher;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::check::Verdict;
use crate::scenario::{Case, Scenario};
use crate::trace::Fingerprint;

/// The version of the format that this build writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// A case with what is known of its run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The version of the format.
    pub squall: u32,
    /// The executable that ran it, see [`build_id`].
    pub build: String,
    /// The digest of the run.
    pub fingerprint: Fingerprint,
    /// What the run came to.
    pub verdict: Verdict,
    /// The case.
    pub case: Case,
}

/// Why a case file cannot be used; its text is one line that names the file.
#[derive(Debug, thiserror::Error)]
pub enum CaseFileError {
    /// It cannot be read or written.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It can be read, but it is no case that can be run.
    #[error("{path}: {defect}", path = path.display())]
    Defect {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with field and line where they are known.
        defect: String,
    },
}

impl CaseFile {
    /// The file for a run of a case by this executable.
    pub fn new(case: Case, fingerprint: Fingerprint, verdict: Verdict) -> CaseFile {
        CaseFile { squall: FORMAT_VERSION, build: build_id().to_owned(), fingerprint, verdict, case }
    }

    /// Writes the file, and the directories that it needs.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CaseFileError> {
        let io_error = |error| CaseFileError::Io { path: path.to_owned(), error };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(io_error)?;
        }
        let mut text = serde_json::to_string_pretty(self).map_err(|error| io_error(error.into()))?;
        text.push('\n');
        fs::write(path, text).map_err(io_error)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not a case file of this version.
    pub fn load(path: &Path) -> Result<CaseFile, CaseFileError> {
        let defect = |defect| CaseFileError::Defect { path: path.to_owned(), defect };
        let bytes = fs::read(path).map_err(|error| CaseFileError::Io { path: path.to_owned(), error })?;
        let text = String::from_utf8(bytes).map_err(|_| defect("this is not a text file".to_owned()))?;
        read(&text).map_err(defect)
    }

    /// What is wrong with the case for these scenarios, in one line; otherwise the index of its scenario.
    ///
    /// # Errors
    /// If the scenario does not exist or cannot run the case.
    pub fn scenario_in(&self, path: &Path, scenarios: &[Scenario]) -> Result<usize, CaseFileError> {
        let defect = |defect| CaseFileError::Defect { path: path.to_owned(), defect };
        let index = find(scenarios, &self.case.scenario).map_err(|error| defect(format!("case.scenario: {error}")))?;
        match scenarios[index].defect(&self.case) {
            Some(wrong) => Err(defect(format!("case.{wrong}"))),
            None => Ok(index),
        }
    }
}

/// The version alone, so that a file of another version is called that and not a file with odd fields.
#[derive(Deserialize)]
struct Version {
    squall: Option<serde_json::Value>,
}

fn read(text: &str) -> Result<CaseFile, String> {
    let version: Version = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => format!("the file is cut off: {error}"),
        serde_json::error::Category::Data => format!("this is not a case file: {error}"),
        _ => format!("this is not JSON: {error}"),
    })?;
    match &version.squall {
        Some(version) if *version == FORMAT_VERSION => {}
        Some(version) => {
            return Err(format!(
                "squall: format version {version} is not {FORMAT_VERSION}, the one that this build reads"
            ));
        }
        None => return Err("squall: the format version is missing: this is not a case file".to_owned()),
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if path == "." { error.to_string() } else { format!("{path}: {error}") }
    })
}

/// The index of the scenario with this name.
///
/// # Errors
/// If there is none: one line, with the names that come nearest.
pub fn find(scenarios: &[Scenario], name: &str) -> Result<usize, String> {
    if let Some(index) = scenarios.iter().position(|scenario| scenario.name() == name) {
        return Ok(index);
    }
    let mut near: Vec<(f64, &str)> = scenarios
        .iter()
        .map(|scenario| (strsim::jaro_winkler(name, scenario.name()), scenario.name()))
        .filter(|(likeness, _)| *likeness > 0.7)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<String> = near.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
    Err(match near.as_slice() {
        [] => format!("no scenario is named `{name}` (`cargo sims list` shows all)"),
        near => format!("no scenario is named `{name}`; did you mean {}?", near.join(" or ")),
    })
}

/// Names the executable: a digest of its bytes (SipHash-1-3, hexadecimal), or `unknown` where it cannot be read.
pub fn build_id() -> &'static str {
    static BUILD_ID: OnceLock<String> = OnceLock::new();
    BUILD_ID.get_or_init(|| digest_of_executable().map_or("unknown".to_owned(), |digest| format!("{digest:016x}")))
}

fn digest_of_executable() -> std::io::Result<u64> {
    // On Linux this is the very file that runs, even if the path has been built anew.
    let own = Path::new("/proc/self/exe");
    let mut file = if own.exists() { fs::File::open(own)? } else { fs::File::open(std::env::current_exe()?)? };
    let mut hasher = SipHasher13::new();
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            length => hasher.write(&buffer[..length]),
        }
    }
}

/// Where the case of a scenario and seed is saved: `squall/` in cargo's target directory.
pub fn default_path(case: &Case) -> PathBuf {
    let suffix = if case.plan.faults.is_empty() { "-control" } else { "" };
    // A scenario's name may hold anything, a file's name may not.
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = case.scenario.chars().map(plain).collect();
    target_directory().join("squall").join(format!("{name}-{}{suffix}.json", case.seed))
}

/// `CARGO_TARGET_DIR`, or the nearest `target` upwards of the current directory or of the executable.
fn target_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("CARGO_TARGET_DIR").filter(|directory| !directory.is_empty()) {
        return directory.into();
    }
    let here = std::env::current_dir().unwrap_or_default();
    let upwards =
        |from: &Path| from.ancestors().map(|directory| directory.join("target")).find(|directory| directory.is_dir());
    let found = upwards(&here).or_else(|| upwards(&std::env::current_exe().ok()?));
    match found {
        // A short path makes a short line to replay.
        Some(directory) => directory.strip_prefix(&here).map(Path::to_owned).unwrap_or(directory),
        None => PathBuf::from("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Fault, FaultKind, Plan, Target, Trigger, secs};
    use crate::seed::Seed;

    fn example() -> CaseFile {
        let fault = Fault {
            trigger: Trigger::At(secs(3)),
            kind: FaultKind::Kill,
            target: Target::Hosts("api".into()),
            lasting: secs(1),
            source: "kill api".to_owned(),
        };
        let input = [("client".to_owned(), vec![serde_json::json!([1, 2])])].into();
        let case = Case { scenario: "echo".to_owned(), seed: Seed(0x51f3), plan: Plan::new(vec![fault]), input };
        CaseFile {
            squall: FORMAT_VERSION,
            build: "0".to_owned(),
            fingerprint: Fingerprint(7),
            verdict: Verdict::Fail("lost".to_owned()),
            case,
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let text = serde_json::to_string_pretty(&example()).unwrap();
        assert_eq!(read(&text).unwrap(), example());
    }

    #[test]
    fn damage_is_named_with_field_and_line() {
        let whole = serde_json::to_string_pretty(&example()).unwrap();
        let check = |from: &str, to: &str, expected: &[&str]| {
            assert!(whole.contains(from), "{from}");
            let error = read(&whole.replacen(from, to, 1)).unwrap_err();
            for part in expected {
                assert!(error.contains(part), "{from} -> {to}: {error}");
            }
            assert!(!error.contains('\n'), "{error}");
        };
        check("\"squall\": 1", "\"squall\": 2", &["squall: format version 2"]);
        check("\"squall\": 1", "\"squal\": 1", &["squall", "missing"]);
        check("\"0x51f3\"", "\"0xzz\"", &["case.seed: `0xzz` is not a seed", "line"]);
        check("\"0x51f3\"", "7", &["case.seed: invalid type: integer `7`", "line"]);
        check("\"1s\"", "\"one second\"", &["case.plan[0].lasting: `one second` is not a duration", "line"]);
        check("\"lasting\"", "\"last\"", &["case.plan[0].last: unknown field `last`", "line"]);
        check("\"kill\"", "\"maim\"", &["case.plan[0].kind", "unknown variant `maim`", "line"]);
        check("\"echo\"", "[]", &["case.scenario: invalid type: sequence", "line"]);
        check("\"fingerprint\": \"0", "\"fingerprint\": \"x", &["fingerprint: `x", "line"]);
        check("{", "[", &["line"]);
        assert!(read(&whole[..whole.len() / 2]).unwrap_err().contains("cut off"));
        assert!(read("").unwrap_err().contains("cut off"));
        assert!(read("hello").unwrap_err().contains("not JSON"));
    }
}

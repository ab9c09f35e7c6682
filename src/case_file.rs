//! Case files: one case with the results of its run, as JSON that people read, edit and commit.

mod checkpoints;
mod layout;

use std::fs;
use std::hash::Hasher;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;

use crate::check::Verdict;
use crate::scenario::{Case, Definition, Scenario, nearest};
use crate::seed::Seed;
use crate::trace::Fingerprint;

pub use checkpoints::Checkpoints;
pub(crate) use layout::lay_out;

/// The version of the format that this build writes and reads.
pub const FORMAT_VERSION: u32 = 3;

/// A case with the results of its run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The version of the format.
    pub squall: u32,
    /// The version of Squall that ran it.
    pub version: String,
    /// The executable that ran it, see [`build_id`].
    pub build: String,
    /// The digest of the scenario's definition, see [`Scenario::definition`].
    pub definition: Definition,
    /// The digest of the run.
    pub fingerprint: Fingerprint,
    /// The number of recorded events; 0 if the run was not recorded.
    pub events: usize,
    /// Digests of the recorded events, which show where another run diverges from this one.
    pub checkpoints: Checkpoints,
    /// The verdict of the run.
    pub verdict: Verdict,
    /// The case.
    pub case: Case,
}

/// The reason why a case file cannot be used, as one line that names the file.
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
    /// It can be read, but it holds no case that can be run.
    #[error("{path}: {defect}", path = path.display())]
    Defect {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with field and line where they are known.
        defect: String,
    },
}

impl CaseFile {
    /// The file for a run of a case of `scenario` by this executable. `events` are the recorded events, each as text.
    pub fn new<S: AsRef<str>>(
        scenario: &Scenario,
        case: Case,
        fingerprint: Fingerprint,
        verdict: Verdict,
        events: &[S],
    ) -> CaseFile {
        CaseFile {
            squall: FORMAT_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: build_id().to_owned(),
            definition: scenario.definition(),
            fingerprint,
            events: events.len(),
            checkpoints: Checkpoints::of(events),
            // The moment would change with every edit, and a run of the case tells it again.
            verdict: verdict.without_moment(),
            case,
        }
    }

    /// The same file without the digests that only show where another run diverges from the recorded one.
    pub fn without_recording(self) -> CaseFile {
        CaseFile { events: 0, checkpoints: Checkpoints::default(), ..self }
    }

    /// Writes the file, and creates its directory if it is missing.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), CaseFileError> {
        let io_error = |error| CaseFileError::Io { path: path.to_owned(), error };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(io_error)?;
        }
        let json = serde_json::to_string(self).map_err(|error| io_error(error.into()))?;
        fs::write(path, layout::lay_out_whole(&json) + "\n").map_err(io_error)
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

    /// The index of the case's scenario among these, if that scenario can run the case.
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

/// The version and the case of a file, which are read first: the error for a file of another version then names the
/// version and a command that saves the case again, rather than an unknown field.
#[derive(Deserialize)]
struct Version {
    squall: Option<serde_json::Value>,
    #[serde(default)]
    case: serde_json::Value,
}

impl Version {
    /// The command that explores the seed of the case again, which saves it in the format of this build.
    fn command(&self) -> String {
        let text = |field: &str| self.case.get(field).and_then(serde_json::Value::as_str);
        let seed = text("seed").and_then(|seed| seed.parse::<Seed>().ok());
        match (text("scenario"), seed) {
            (Some(scenario), Some(seed)) => {
                format!("cargo sims explore {scenario} --seeds {seed}..{}", Seed(seed.0.saturating_add(1)))
            }
            _ => "cargo sims explore".to_owned(),
        }
    }
}

fn read(text: &str) -> Result<CaseFile, String> {
    let version: Version = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Eof => format!("the file is cut off: {error}"),
        serde_json::error::Category::Data => format!("this is not a case file: {error}"),
        _ => format!("this is not JSON: {error}"),
    })?;
    match &version.squall {
        Some(found) if *found == FORMAT_VERSION => {}
        Some(found) => {
            return Err(format!(
                "squall: the case format is {found}, and this build reads {FORMAT_VERSION}; \
                 save the case again with: {}",
                version.command()
            ));
        }
        None => return Err("squall: the format version is missing: this is not a case file".to_owned()),
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let file: CaseFile = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if path == "." { error.to_string() } else { format!("{path}: {error}") }
    })?;
    if !file.checkpoints.fit(file.events) {
        return Err(format!(
            "checkpoints: they are not those of a run of {} events: restore both fields, or set `events` to 0 and \
             `checkpoints` to \"\"",
            file.events
        ));
    }
    Ok(file)
}

/// The index of the scenario with this name.
///
/// # Errors
/// If there is none: one line, with the most similar names.
pub fn find(scenarios: &[Scenario], name: &str) -> Result<usize, String> {
    if let Some(index) = scenarios.iter().position(|scenario| scenario.name() == name) {
        return Ok(index);
    }
    Err(match nearest(name, scenarios.iter().map(Scenario::name)) {
        None => format!("no scenario is named `{name}` (`cargo sims list` shows all)"),
        Some(near) => format!("no scenario is named `{name}`; did you mean {near}?"),
    })
}

/// Names the executable: a digest of its bytes (SipHash-1-3, hexadecimal), or `unknown` where it cannot be read.
pub fn build_id() -> &'static str {
    static BUILD_ID: OnceLock<String> = OnceLock::new();
    BUILD_ID.get_or_init(|| digest_of_executable().map_or("unknown".to_owned(), |digest| format!("{digest:016x}")))
}

fn digest_of_executable() -> std::io::Result<u64> {
    // On Linux this is the file that runs, even if another has been built at its path since.
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

/// The path where a case is saved: in `squall/` in cargo's target directory.
pub fn default_path(case: &Case) -> PathBuf {
    target_directory().join("squall").join(file_name(case))
}

/// The path where a sweep of a scenario records what it has tried: beside the scenario's cases.
pub fn sweep_path(scenario: &str, seed: &str) -> PathBuf {
    target_directory().join("squall").join(format!("{}-{seed}-sweep.jsonl", plain_name(scenario)))
}

/// The file name of a case: its scenario and its seed.
pub fn file_name(case: &Case) -> String {
    let suffix = if case.plan.faults.is_empty() { "-control" } else { "" };
    format!("{}-{}{suffix}.json", plain_name(&case.scenario), case.seed)
}

/// A scenario's name as part of a file name: `_` replaces all characters that a file name may not contain.
pub fn plain_name(scenario: &str) -> String {
    let name = scenario.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' });
    let name: String = name.collect();
    // `.` and `..` already name directories.
    if name.chars().all(|c| c == '.') { name.replace('.', "_") } else { name }
}

/// `CARGO_TARGET_DIR`, or the nearest `target` upwards of the current directory or of the executable.
pub(crate) fn target_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("CARGO_TARGET_DIR").filter(|directory| !directory.is_empty()) {
        return directory.into();
    }
    let here = std::env::current_dir().unwrap_or_default();
    let upwards =
        |from: &Path| from.ancestors().map(|directory| directory.join("target")).find(|directory| directory.is_dir());
    let found = upwards(&here).or_else(|| upwards(&std::env::current_exe().ok()?));
    match found {
        // A relative path keeps the replay command short.
        Some(directory) => directory.strip_prefix(&here).map(Path::to_owned).unwrap_or(directory),
        None => PathBuf::from("target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{self, all, millis, one, secs};

    fn example() -> CaseFile {
        let fault = fault::kill("api").at(secs(3));
        let stop = fault::stop(["api-1"], secs(2)).at(millis(4_500)).lasting(secs(8));
        let slow = fault::latency(millis(1)..millis(2), all(), one("api")).at(secs(5));
        let case = Case::new("echo", Seed(0x51f3)).fault(fault).fault(stop).fault(slow);
        let case = case.fault(fault::loss(0.25, "a", "b").at(secs(6))).input("client", "[1,2]");
        let verdict = Verdict::fail("lost").at(secs(6));
        let mut file = CaseFile::new(&Scenario::new("echo"), case, Fingerprint(7), verdict, &["one", "two"]);
        file.build = "0123".to_owned();
        file.definition = "00000000000000ff".parse().unwrap();
        file
    }

    fn text_of(file: &CaseFile) -> String {
        layout::lay_out_whole(&serde_json::to_string(file).unwrap())
    }

    #[test]
    fn a_case_file_round_trips_through_json() {
        assert_eq!(read(&text_of(&example())).unwrap(), example());
        let bare = example().without_recording();
        assert_eq!(read(&text_of(&bare)).unwrap(), bare);
    }

    #[test]
    fn errors_name_the_damaged_field_and_line() {
        let whole = text_of(&example());
        let check = |from: &str, to: &str, expected: &[&str]| {
            assert_eq!(whole.matches(from).count(), 1, "{from} in {whole}");
            let error = read(&whole.replacen(from, to, 1)).unwrap_err();
            for part in expected {
                assert!(error.contains(part), "{from} -> {to}: {error}");
            }
            assert!(!error.contains('\n'), "{error}");
        };
        let command = "save the case again with: cargo sims explore echo --seeds 0x51f3..0x51f4";
        check("\"squall\": 3", "\"squall\": 2", &["squall: the case format is 2, and this build reads 3", command]);
        check("\"squall\": 3", "\"squal\": 2", &["squall", "missing"]);
        let version = concat!("\"version\": \"", env!("CARGO_PKG_VERSION"), "\"");
        check(version, "\"version\": 1", &["version: invalid type: integer `1`", "line"]);
        check("\"0123\"", "null", &["build: invalid type: null", "line"]);
        check("\"00000000000000ff\"", "\"ff\"", &["definition: `ff` is not a digest of 16", "line"]);
        check("\"fingerprint\": \"0", "\"fingerprint\": \"x", &["fingerprint: `x", "line"]);
        check("\"events\": 2", "\"events\": -2", &["events: invalid value: integer `-2`", "line"]);
        check("\"events\": 2", "\"events\": 3", &["checkpoints: they are not those of a run of 3 events"]);
        check("\"checkpoints\": \"", "\"checkpoints\": \"z", &["checkpoints: `z", "line"]);
        check("\"fail\"", "\"failed\"", &["verdict", "unknown variant `failed`", "line"]);
        check("\"lost\"", "[]", &["verdict.fail: invalid type: sequence", "line"]);
        check("\"case\"", "\"cases\"", &["cases: unknown field `cases`", "line"]);
        check("\"echo\"", "[]", &["case.scenario: invalid type: sequence", "line"]);
        check("\"0x51f3\"", "\"0xzz\"", &["case.seed: `0xzz` is not a seed", "line"]);
        check("\"0x51f3\"", "7", &["case.seed: invalid type: integer `7`", "line"]);
        check("\"plan\"", "\"plans\"", &["case.plans: unknown field `plans`", "line"]);
        check("{\"at\": \"3s\"}", "{\"on\": \"3s\"}", &["case.plan[0].trigger", "unknown variant `on`", "line"]);
        check("\"3s\"", "\"soon\"", &["case.plan[0].trigger.at: `soon` is not a duration", "line"]);
        check("\"kill\"", "\"maim\"", &["case.plan[0].kind", "unknown variant `maim`", "line"]);
        check("\"grace\": \"2s\"", "\"grace\": 2", &["case.plan[1].kind", "invalid type: integer `2`", "line"]);
        check("\"names\"", "\"name\"", &["case.plan[1].target.hosts", "unknown variant `name`", "line"]);
        check("[\"api-1\"]", "[1]", &["case.plan[1].target.hosts.names[0]: invalid type", "line"]);
        check("\"lasting\": \"8s\"", "\"lasting\": \"8\"", &["case.plan[1].lasting: `8` is not a duration", "line"]);
        check("\"lasting\": \"8s\"", "\"last\": \"8s\"", &["case.plan[1].last: unknown field `last`", "line"]);
        check("\"at_least\": \"1ms\"", "\"at_least\": \"\"", &["case.plan[2].kind", "is not a duration", "line"]);
        check("\"at_most\": \"2ms\"", "\"most\": \"2ms\"", &["case.plan[2].kind", "`most`", "line"]);
        check("{\"one\"", "{\"two\"", &["case.plan[2].target.links", "unknown variant `two`", "line"]);
        check("\"rate\": 0.25", "\"rate\": \"often\"", &["case.plan[3].kind", "\"often\"", "line"]);
        check("\"input\": {", "\"input\": 5, \"x\": {", &["case.input: invalid type: integer `5`", "line"]);
        check("[[1, 2]]", "7", &["case.input.client: invalid type: integer `7`", "line"]);
        let generator = whole.replacen("\"by hand\"", "0", 1);
        assert!(read(&generator).unwrap_err().starts_with("case.plan[0].generator: invalid type: integer `0`"));
        assert!(read(&whole.replacen('{', "[", 1)).unwrap_err().contains("line"));
        assert!(read(&whole[..whole.len() / 2]).unwrap_err().contains("cut off"));
        assert!(read("").unwrap_err().contains("cut off"));
        assert!(read("hello").unwrap_err().contains("not JSON"));
    }

    #[test]
    fn a_scenario_name_becomes_a_valid_file_name() {
        for (name, expected) in [("a b/c", "a_b_c"), ("..", "__"), ("v1.2-x_y", "v1.2-x_y")] {
            assert_eq!(plain_name(name), expected);
        }
    }
}

//! Recorded answers of Kubernetes, put to the model.
//!
//! A file holds one case a line: an input and the answer that the upstream code gave for it. The family of a file is
//! told by its name. Every case is put to the functions that the world uses, in [`families`]; nothing here knows an
//! answer. Where the model and a recorded answer differ, the model is wrong.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

mod families;
#[cfg(test)]
mod tests;

/// How many mismatches of a file are kept in full.
pub const MISMATCHES_SHOWN: usize = 3;

/// Why the cases of a file could not be put to the model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file, or the directory, cannot be read.
    #[error("read {}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The name does not begin with that of a family.
    #[error("tell the family of {} by its name: none of {}", path.display(), families().join(", "))]
    UnknownFamily {
        /// The file.
        path: PathBuf,
    },
    /// The file has no line, or the directory no file `*.jsonl`.
    #[error("find a case in {}: it is empty", path.display())]
    Empty {
        /// The file or directory.
        path: PathBuf,
    },
    /// A line is no case of the family.
    #[error("{}:{line}: {fault}: give one case of the family a line, as JSON", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: CaseError,
    },
}

/// Why a line is no case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It is no JSON, or lacks a field, or one is of the wrong type.
    #[error("{}", told(.0))]
    Json(serde_json::Error),
    /// A field is of the right type, but means nothing.
    #[error("`{field}` cannot be `{value}`")]
    Meaningless {
        /// The field.
        field: &'static str,
        /// Its value, or what is wrong with it.
        value: String,
    },
}

impl From<serde_json::Error> for CaseError {
    fn from(error: serde_json::Error) -> CaseError {
        CaseError::Json(error)
    }
}

/// What a JSON error says. Its line is that within the case, always the first; the column is worth telling.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
    if error.column() == 0 { what.to_owned() } else { format!("column {}: {what}", error.column()) }
}

/// A case that the model decides otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// The line, counted from 1.
    pub line: usize,
    /// The case as written, its answer included.
    pub input: String,
    /// The recorded answer, as far as it is compared.
    pub expected: Value,
    /// The model's answer.
    pub got: Value,
}

/// How the model did on one file.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The family of the file.
    pub family: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Cases that the model decides as recorded.
    pub passed: usize,
    /// All cases.
    pub total: usize,
    /// The first mismatches, at most [`MISMATCHES_SHOWN`].
    pub mismatches: Vec<Mismatch>,
}

impl Report {
    /// Whether every case passed.
    pub fn is_conformant(&self) -> bool {
        self.passed == self.total
    }
}

/// The model's answer to a case beside the recorded one.
struct Answer {
    expected: Value,
    got: Value,
    agrees: bool,
}

impl Answer {
    /// Agrees where both are the same.
    fn compare(expected: Value, got: Value) -> Self {
        let agrees = expected == got;
        Answer { expected, got, agrees }
    }
}

/// Reads a case and puts it to the model.
type Run = fn(&[u8]) -> Result<Answer, CaseError>;

/// By name; a file belongs to the family whose name its own begins with.
const FAMILIES: [(&str, Run); 8] = [
    ("api_patch", families::api_patch::run),
    ("deployment_scale", families::deployment_scale::run),
    ("eviction", families::eviction::run),
    ("pdb_status", families::pdb_status::run),
    ("proxy_external_endpoints", families::proxy_external_endpoints::run),
    ("replicaset_scale_down", families::replicaset_scale_down::run),
    ("scheduler_scores", families::scheduler_scores::run),
    ("service_lb_nodes", families::service_lb_nodes::run),
];

/// The families that can be run.
pub fn families() -> Vec<&'static str> {
    FAMILIES.iter().map(|(name, _)| *name).collect()
}

/// Runs the cases of one file.
///
/// # Errors
/// The file cannot be read, has no line, belongs to no family, or a line is no case of its family. A case that the
/// model decides otherwise is not an error but part of the report.
pub fn run_file(path: &Path) -> Result<Report, Error> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let Some(&(family, run)) = FAMILIES.iter().find(|(name, _)| stem.starts_with(name)) else {
        return Err(Error::UnknownFamily { path: path.to_owned() });
    };
    let text = fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    if text.is_empty() {
        return Err(Error::Empty { path: path.to_owned() });
    }
    let mut report = Report { family, path: path.to_owned(), passed: 0, total: 0, mismatches: Vec::new() };
    for (line, text) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        let answer = run(text).map_err(|fault| Error::Malformed { path: path.to_owned(), line, fault })?;
        report.total += 1;
        if answer.agrees {
            report.passed += 1;
        } else if report.mismatches.len() < MISMATCHES_SHOWN {
            let input = String::from_utf8_lossy(text).trim_end().to_owned();
            report.mismatches.push(Mismatch { line, input, expected: answer.expected, got: answer.got });
        }
    }
    Ok(report)
}

/// Runs files, and of directories the files `*.jsonl` in the order of their names; directories below are left alone.
///
/// # Errors
/// As [`run_file`]; the first error ends the run. A directory without such files is an error too.
pub fn run_paths(paths: &[PathBuf]) -> Result<Vec<Report>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(files_in(path)?);
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|file| run_file(file)).collect()
}

fn files_in(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| Error::Unreadable { path: directory.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") && !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::Empty { path: directory.to_owned() });
    }
    files.sort_unstable();
    Ok(files)
}

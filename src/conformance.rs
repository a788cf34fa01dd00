//! `nodeferry conformance`: recorded answers of Kubernetes, put to the model.

use std::fmt::Write as _;

use anyhow::Result;
use scenarios::conformance::{self, Report};

use crate::{
    arguments::{Color, Conformance},
    exit::Exit,
    output::{BAD, GOOD, print, styled, timed},
};

/// Runs the command.
pub(crate) fn run(asked: &Conformance, color: Color) -> Result<Exit> {
    if asked.list {
        print(&(conformance::families().join("\n") + "\n"), color)?;
        return Ok(Exit::Held);
    }
    let (reports, _) =
        timed("putting recorded answers to the model", || conformance::run_paths(&asked.paths));
    let reports = reports?;
    let text: String = reports.iter().map(tell).collect();
    print(&text, color)?;
    Ok(if reports.iter().all(Report::is_conformant) { Exit::Held } else { Exit::Broken })
}

/// One line for the file, and its first mismatches in full.
fn tell(report: &Report) -> String {
    let style = if report.is_conformant() { GOOD } else { BAD };
    let passed = styled(style, format_args!("{}/{}", report.passed, report.total));
    let mut text = format!("{} {passed}\n", report.family);
    for mismatch in &report.mismatches {
        writeln!(
            text,
            "  {}:{}\n    input     {}\n    expected  {}\n    got       {}",
            report.path.display(),
            mismatch.line,
            mismatch.input,
            mismatch.expected,
            mismatch.got
        )
        .expect("writing to a String does not fail");
    }
    text
}

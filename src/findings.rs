//! Findings as people read them, and requests that do not fit a cluster.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Error, anyhow};
use scenarios::{Finding, RequestError, Severity};

use crate::output::{BAD, DOUBTFUL, FAINT, styled};

/// Two lines for each finding: what it is, and what mends it.
pub(crate) fn text(findings: &[Finding], accept: &BTreeSet<String>) -> String {
    let mut out = String::new();
    for finding in findings {
        let style = match finding.severity {
            Severity::Blocking => BAD,
            Severity::Warning => DOUBTFUL,
            Severity::Information => FAINT,
        };
        let accepted = if accept.contains(finding.code.id()) { " (accepted)" } else { "" };
        let severity = styled(style, format_args!("{:<11}", finding.severity.name()));
        let (code, object, reason) = (finding.code.id(), &finding.object, &finding.reason);
        let fix = format!("{} {}", styled(FAINT, "fix:"), finding.fix);
        writeln!(out, "  {code}  {severity} {object}{accepted}: {reason}\n                     {fix}")
            .expect("writing to a String does not fail");
    }
    out
}

/// What does not fit the cluster, with the flag that would mend it.
pub(crate) fn misfit(error: &RequestError) -> Error {
    let flag = match error {
        RequestError::SameGroup { .. } => "--from and --to",
        RequestError::UnknownFrom { .. } | RequestError::BeingDeleted { .. } => "--from",
        RequestError::ToExists { .. } => return anyhow!("--to: {error} (--adopt uses it as it is)"),
        RequestError::ToMissing { .. } => "--adopt",
        RequestError::BoundsCrossed { .. } => "--min and --max",
        RequestError::NoNodes => "--min, --max and --desired",
        RequestError::UnknownSubnet { .. } => "--subnets",
        RequestError::UnknownCode { .. } => "--accept",
        RequestError::UnknownService { .. } => "--traffic",
    };
    anyhow!("{flag}: {error}")
}

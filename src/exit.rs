//! The exit codes, one table for all commands. They are an interface: scripts branch on them.

use std::process::ExitCode;

use scenarios::scenario::Verdict;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every promise held; every case passed.
    Held,
    /// A promise was broken; a case failed.
    Broken,
    /// The command line or a file makes no sense. Clap ends with the same code.
    Input,
    /// Nothing broke, but too little was at stake to say that it holds.
    Inconclusive,
    /// Blocking findings stopped the migration before it began.
    Refused,
}

/// The table as `--help` shows it. Code 5 is for commands that talk to a real cluster.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  held: every promise held
  1  broken: a promise was broken
  2  the command line or a file makes no sense
  3  inconclusive: nothing broke, but too little was at stake
  4  refused: blocking findings (see --accept)
  5  unreachable: a cluster did not answer (no command of this version talks to one)";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Held => 0,
            Exit::Broken => 1,
            Exit::Input => 2,
            Exit::Inconclusive => 3,
            Exit::Refused => 4,
        })
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Held => Exit::Held,
            Verdict::Broken => Exit::Broken,
            Verdict::Inconclusive => Exit::Inconclusive,
            Verdict::Refused => Exit::Refused,
        }
    }
}

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
    /// Blocking findings stopped the migration before it began, or a dry run met with a refusal.
    Refused,
    /// A cluster or an account did not answer.
    Unreachable,
    /// A migration has stopped, and says why; it can be resumed or rolled back.
    Stopped,
    /// Another migration, or another process, holds the cluster.
    Locked,
    /// A migration was rolled back.
    RolledBack,
    /// A migration has stopped past the point of no return; it can only be resumed.
    Committed,
    /// A migration was held or interrupted; it can be resumed.
    Paused,
}

/// How a command ends that could not be carried out.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    #[cfg(feature = "live")]
    {
        use scenarios::shell::{Unreachable, begun::NotTakenUp, connect::ConnectError, shell::WishFailed};
        let connecting = error.downcast_ref::<ConnectError>();
        let wished = match error.downcast_ref::<NotTakenUp>() {
            Some(NotTakenUp::Wish(wished)) => Some(wished),
            _ => error.downcast_ref::<WishFailed>(),
        };
        if error.is::<Unreachable>()
            || matches!(wished, Some(WishFailed::Unreachable(_)))
            || matches!(connecting, Some(ConnectError::Unreachable(_)))
        {
            return Exit::Unreachable;
        }
    }
    let _ = error;
    Exit::Input
}

/// The table as `--help` shows it.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  held: every promise held
  1  broken: a promise was broken
  2  the command line or a file makes no sense
  3  inconclusive: nothing broke, but too little was at stake
  4  refused: blocking findings (see --accept), or a write of a dry run
  5  unreachable: a cluster or an account did not answer
Of a migration of a real cluster also:
  6  stopped, saying why: `nodeferry resume` or `nodeferry rollback`
  7  locked: another migration is under way
  8  rolled back
  9  stopped past the point of no return: `nodeferry resume`
 10  held or interrupted: `nodeferry resume`; or not agreed to";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Held => 0,
            Exit::Broken => 1,
            Exit::Input => 2,
            Exit::Inconclusive => 3,
            Exit::Refused => 4,
            Exit::Unreachable => 5,
            Exit::Stopped => 6,
            Exit::Locked => 7,
            Exit::RolledBack => 8,
            Exit::Committed => 9,
            Exit::Paused => 10,
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

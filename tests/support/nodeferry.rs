//! Runs the binary as a user would, from the root of the checkout.

use std::process::{Command, Output};

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) out: String,
    /// What it complained of.
    pub(crate) err: String,
}

/// Runs the binary.
pub(crate) fn nodeferry(arguments: &[&str]) -> Ran {
    ran(command(env!("CARGO_BIN_EXE_nodeferry")).args(arguments).output().expect("the binary was built"))
}

/// A command at the root of the checkout, in an environment that changes nothing of its output.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("output is UTF-8"),
        err: String::from_utf8(output.stderr).expect("complaints are UTF-8"),
    }
}

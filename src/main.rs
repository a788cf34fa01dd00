//! The command line: parse, run, print, exit code. What a command does is in the module that is named for it.

mod arguments;
mod conformance;
mod exit;
mod files;
mod output;
#[cfg(feature = "live")]
mod serve;
mod simulate;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};
use exit::Exit;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Command::Simulate(asked) => simulate::run(asked, arguments.color),
        Command::Conformance(asked) => conformance::run(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Serve(asked) => serve::run(asked, arguments.color),
    };
    let exit = outcome.unwrap_or_else(|error| {
        output::complain(&error, arguments.color);
        Exit::Input
    });
    exit.into()
}

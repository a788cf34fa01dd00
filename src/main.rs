//! The command line: parse, run, print, exit code. What a command does is in the module that is named for it.

mod arguments;
mod conformance;
mod exit;
mod files;
mod findings;
#[cfg(feature = "live")]
mod migrate;
mod output;
mod permissions;
#[cfg(feature = "live")]
mod plan;
#[cfg(feature = "live")]
mod preflight;
#[cfg(feature = "live")]
mod progress;
#[cfg(feature = "live")]
mod rehearsal;
#[cfg(feature = "live")]
mod serve;
#[cfg(feature = "live")]
mod session;
mod simulate;
#[cfg(feature = "live")]
mod status;
#[cfg(feature = "live")]
mod wish;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Command::Simulate(asked) => simulate::run(asked, arguments.color),
        Command::Conformance(asked) => conformance::run(asked, arguments.color),
        Command::Permissions(asked) => permissions::run(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Serve(asked) => serve::run(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Preflight(asked) => preflight::run(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Plan(asked) => plan::run(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Migrate(asked) => migrate::run(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Status(asked) => status::run(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Resume(asked) => migrate::resume(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Pause(asked) => wish::pause(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Rollback(asked) => migrate::rollback(asked, arguments.color),
        #[cfg(feature = "live")]
        Command::Unlock(asked) => wish::unlock(asked, arguments.color),
    };
    let exit = outcome.unwrap_or_else(|error| {
        output::complain(&error, arguments.color);
        exit::of(&error)
    });
    exit.into()
}

//! The command line: parse, run, print, exit code. What a command does is in the module that is named for it.

mod arguments;
mod completions;
mod conformance;
mod exit;
mod files;
mod findings;
#[cfg(feature = "live")]
mod log;
#[cfg(feature = "live")]
mod metrics;
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

use std::{env, path::Path, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _};

use arguments::{Arguments, Command};
use exit::Exit;

fn main() -> ExitCode {
    let called = env::args_os().next().unwrap_or_default();
    let called = Path::new(&called).file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    if called == "kubectl_complete-nodeferry" {
        let told = output::print(&completions::for_kubectl(env::args_os().skip(1)), arguments::Color::Never);
        return told.map_or(Exit::Input, |()| Exit::Held).into();
    }
    let arguments = parsed(called.starts_with("kubectl-"));
    let exit = run(&arguments).unwrap_or_else(|error| {
        output::complain(&error, arguments.color);
        exit::of(&error)
    });
    exit.into()
}

/// What is asked for. kubectl runs a program whose name begins with `kubectl-` as a command of its own.
fn parsed(plugin: bool) -> Arguments {
    let mut command = Arguments::command();
    if plugin {
        command = command.bin_name("kubectl nodeferry").display_name("kubectl nodeferry");
    }
    let matches = command.try_get_matches();
    matches.and_then(|matches| Arguments::from_arg_matches(&matches)).unwrap_or_else(|error| error.exit())
}

fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    #[cfg(feature = "live")]
    if let Some(filter) = &arguments.log {
        log::begin(filter)?;
    }
    match &arguments.command {
        Command::Completions(asked) => completions::run(asked, arguments.color),
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
    }
}

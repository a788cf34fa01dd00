//! `nodeferry completions`: what a shell has to know in order to complete the command line; and what kubectl is told that
//! completes it for the plugin.

use std::ffi::OsString;

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{
    arguments::{Arguments, Color, Completions},
    exit::Exit,
    output::print,
};

/// Runs the command.
pub(crate) fn run(asked: &Completions, color: Color) -> Result<Exit> {
    let shell = match asked.shell {
        crate::arguments::ShellName::Bash => Shell::Bash,
        crate::arguments::ShellName::Fish => Shell::Fish,
        crate::arguments::ShellName::Zsh => Shell::Zsh,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "nodeferry", &mut script);
    print(&String::from_utf8(script)?, color)?;
    Ok(Exit::Held)
}

/// What may stand in place of the last of these words: commands and flags, one a line, and a last line which says that files
/// are not meant. Source: kubectl, `pkg/cmd/plugin_completion.go`: the protocol of cobra's `__complete`.
pub(crate) fn for_kubectl(words: impl Iterator<Item = OsString>) -> String {
    let mut words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let last = words.pop().unwrap_or_default();
    let mut command = &Arguments::command();
    for word in &words {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    let commands = command.get_subcommands().map(|one| (one.get_name().to_owned(), one.get_about()));
    let global = Arguments::command();
    let flags = command.get_arguments().chain(global.get_arguments().filter(|one| one.is_global_set()));
    let flags = flags.filter_map(|one| Some((format!("--{}", one.get_long()?), one.get_help())));
    let mut fitting: Vec<String> = commands
        .chain(flags)
        .filter(|(name, _)| name.starts_with(&last) && (last.starts_with('-') || !name.starts_with('-')))
        .map(|(name, about)| match about {
            Some(about) => format!("{name}\t{about}\n"),
            None => format!("{name}\n"),
        })
        .collect();
    fitting.sort();
    fitting.dedup();
    // 4: `ShellCompDirectiveNoFileComp`; a flag's value may be a file.
    let directive = if words.last().is_some_and(|word| word.starts_with("--")) { 0 } else { 4 };
    format!("{}:{directive}\n", fitting.concat())
}

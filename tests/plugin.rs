//! What shells and kubectl make of the program: completions, and the name under which it is called.

#![cfg(unix)]

#[path = "support/nodeferry.rs"]
mod support;

use support::{command, nodeferry, ran};

#[test]
fn shells_are_told_the_commands_and_flags() {
    for (shell, words) in [
        ("bash", ["complete -F _nodeferry", "--max", "simulate"]),
        ("zsh", ["#compdef nodeferry", "--max", "simulate"]),
        ("fish", ["complete -c nodeferry", "-l max", "simulate"]),
    ] {
        let told = nodeferry(&["completions", shell]);
        assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{shell}");
        for word in words {
            assert!(told.out.contains(word), "{shell}: no {word:?}");
        }
    }
    assert_eq!(nodeferry(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn as_a_plugin_it_calls_itself_what_the_user_typed() {
    let folder = tempfile::tempdir().unwrap();
    let called = |name: &str, arguments: &[&str]| {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_nodeferry"), &link).unwrap();
        let told = ran(command(link.to_str().unwrap()).args(arguments).output().unwrap());
        std::fs::remove_file(link).unwrap();
        told
    };
    let plugin = called("kubectl-nodeferry", &["simulate", "--help"]);
    assert!(plugin.out.contains("Usage: kubectl nodeferry simulate"), "{}", plugin.out);
    let plain = nodeferry(&["simulate", "--help"]);
    assert!(plain.out.contains("Usage: nodeferry simulate"), "{}", plain.out);

    let completed = |arguments: &[&str]| {
        let told = called("kubectl_complete-nodeferry", arguments);
        let names = told.out.lines().map(|line| line.split('\t').next().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(completed(&["sim"]), ["simulate", ":4"]);
    assert_eq!(completed(&["simulate", "--instance"]), ["--instance-types", ":4"]);
    assert_eq!(completed(&["simulate", "--col"]), ["--color", ":4"]);
    // A file may follow.
    assert_eq!(completed(&["simulate", "--cluster", ""]).last().unwrap(), ":0");
}

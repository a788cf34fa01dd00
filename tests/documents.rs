//! What the README shows is what the program says today. Where it differs on purpose, run
//! `NODEFERRY_UPDATE=1 cargo test --release --test documents` and read the difference.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{fmt::Write as _, sync::Mutex};

use scenarios::{Code, Parameters};

#[path = "support/nodeferry.rs"]
mod support;
use support::nodeferry;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");

/// Compares what stands between the markers of a section with what should stand there.
#[track_caller]
fn check(section: &str, expected: &str) {
    // One section at a time, however many tests run at once: updating writes the file.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let (begin, end) = (format!("<!-- begin {section} -->\n"), format!("<!-- end {section} -->"));
    let readme = std::fs::read_to_string(README).unwrap();
    let from = readme.find(&begin).unwrap_or_else(|| panic!("the README has no {begin}")) + begin.len();
    let until = from + readme[from..].find(&end).unwrap_or_else(|| panic!("the README has no {end}"));
    if std::env::var_os("NODEFERRY_UPDATE").is_some() {
        std::fs::write(README, format!("{}{expected}{}", &readme[..from], &readme[until..])).unwrap();
        return;
    }
    let shown = &readme[from..until];
    assert!(
        shown == expected,
        "section {section} of the README is stale; see the header of this test.\n--- README\n{shown}\n--- now\n{expected}"
    );
}

/// A command and what it prints, without the time that it took: that differs from run to run.
fn sample(arguments: &[&str], code: i32) -> String {
    let ran = nodeferry(arguments);
    assert_eq!(ran.code, Some(code), "{}{}", ran.out, ran.err);
    let mut text = format!("```console\n$ nodeferry {}\n", arguments.join(" "));
    for line in ran.out.lines().filter(|line| !line.trim_start().starts_with("took ")) {
        writeln!(text, "{line}").unwrap();
    }
    text + "```\n"
}

#[test]
fn the_first_sample_is_what_the_example_prints() {
    check("sample held", &sample(&["simulate"], 0));
}

#[test]
fn the_second_sample_is_what_the_recipe_prints() {
    check("sample broken", &sample(&["simulate", "--strategy", "recipe"], 1));
}

#[test]
fn the_table_of_findings_is_complete() {
    check("findings", &Code::markdown());
}

#[test]
fn the_table_of_parameters_is_complete() {
    let mut table = String::from(
        "| name | class | default | range | what it is | basis |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for parameter in Parameters::describe() {
        writeln!(
            table,
            "| `{}` | {} | {} | {} to {}{} | {} | {} |",
            parameter.name,
            parameter.class.letter(),
            parameter.render(parameter.default),
            parameter.render(parameter.low),
            parameter.render(parameter.high),
            if parameter.drawn { ", drawn" } else { "" },
            parameter.about,
            parameter.basis
        )
        .unwrap();
    }
    check("parameters", &table);
}

#[test]
fn what_is_shipped_to_be_granted_is_what_the_program_prints() {
    for role in ["observe", "plan", "apply"] {
        for (flag, file) in [("--rbac", "rbac.yaml"), ("--iam", "iam.json")] {
            let ran = nodeferry(&["permissions", "--for", role, flag]);
            assert_eq!(ran.code, Some(0), "{}", ran.err);
            let path = format!("{}/permissions/{role}.{file}", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("NODEFERRY_UPDATE").is_some() {
                std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/permissions")).unwrap();
                std::fs::write(&path, &ran.out).unwrap();
            }
            let shipped = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                shipped == ran.out,
                "{path} is stale; see the header of this test.\n--- now\n{}",
                ran.out
            );
        }
    }
}

/// Every place that the README, ARCHITECTURE and CONTRIBUTING name in the checkout is there.
#[test]
fn named_places_exist() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(format!("{}/{document}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let named = text.split('`').skip(1).step_by(2).filter(|word| {
            let folder = [
                "src/",
                "scenarios/",
                "simulator/",
                "migrator/",
                "loadgen/",
                "tests/",
                "examples/",
                "permissions/",
                "testdata/",
                ".ci/",
            ];
            folder.iter().any(|folder| word.starts_with(folder)) && !word.contains([' ', '*', '…'])
        });
        for place in named {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
            assert!(path.exists(), "{document} names {place}, which is not there");
        }
    }
}

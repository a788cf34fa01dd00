//! Who may know whom. A new arrow is a commit of its own.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Every crate of the workspace and the crates of the workspace that it may know, in its tests as well.
const ARROWS: &[(&str, &[&str])] = &[
    ("nodeferry", &["scenarios"]),
    ("scenarios", &["loadgen", "migrator", "simulator"]),
    ("simulator", &["loadgen"]),
    ("migrator", &[]),
    ("loadgen", &[]),
];

/// Crates in which nothing runs by itself: no runtime, socket, clock or randomness, not even behind somebody else.
const PURE: &[&str] = &["simulator", "migrator", "loadgen"];

/// Runtimes, sockets, clocks and sources of randomness.
const IMPURE: &[&str] = &[
    "async-std",
    "aws-config",
    "chrono",
    "fastrand",
    "getrandom",
    "hyper",
    "kube",
    "mio",
    "rand",
    "rand_core",
    "reqwest",
    "smol",
    "socket2",
    "time",
    "tokio",
    "uuid",
];

fn cargo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What the manifests of the workspace say.
fn metadata() -> Value {
    serde_json::from_slice(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is a list"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is a text"))
}

/// The crates of the workspace.
fn members(metadata: &Value) -> Vec<&Value> {
    let ids = list(metadata, "workspace_members");
    list(metadata, "packages").iter().filter(|package| ids.contains(&package["id"])).collect()
}

#[test]
fn crates_know_whom_the_table_allows() {
    let metadata = metadata();
    let members = members(&metadata);
    let names: BTreeSet<&str> = members.iter().map(|member| text(member, "name")).collect();
    let found: BTreeMap<&str, BTreeSet<&str>> = members
        .iter()
        .map(|member| {
            let known = list(member, "dependencies").iter().map(|dependency| text(dependency, "name"));
            (text(member, "name"), known.filter(|name| names.contains(name)).collect())
        })
        .collect();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(name, known)| (*name, known.iter().copied().collect())).collect();
    assert_eq!(found, allowed, "the manifests have other arrows than the table");
}

#[test]
fn pure_crates_reach_no_runtime_socket_clock_or_randomness() {
    for pure in PURE {
        // What only tests or build scripts use does not run with the crate.
        let tree =
            cargo(&["tree", "--package", pure, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        let tree = String::from_utf8(tree).unwrap();
        let reached: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(reached.contains("serde"), "{pure} reaches {reached:?}: that is no tree");
        let impure: Vec<&str> = reached
            .into_iter()
            .filter(|name| IMPURE.contains(name) || name.starts_with("aws-sdk-"))
            .collect();
        assert!(impure.is_empty(), "{pure} reaches {impure:?}");
    }
}

#[test]
fn a_bare_cargo_test_means_every_crate() {
    let metadata = metadata();
    let names = |key| list(&metadata, key).iter().map(Value::to_string).collect::<BTreeSet<_>>();
    assert_eq!(names("workspace_default_members"), names("workspace_members"));
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    for member in members(&metadata()) {
        let manifest = std::fs::read_to_string(text(member, "manifest_path")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true\n"), "{}", text(member, "name"));
    }
}

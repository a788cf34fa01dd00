//! The command line from outside: exit codes, complaints, keys, files, and that a run is the same everywhere.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;

#[path = "support/nodeferry.rs"]
mod support;
use support::{Ran, command, nodeferry, ran};

const BOUTIQUE: &str = "testdata/clusters/online-boutique.yaml";

#[track_caller]
fn simulate(arguments: &[&str]) -> Ran {
    nodeferry(&[&["simulate"], arguments].concat())
}

/// A run as JSON, with its exit code.
#[track_caller]
fn document(arguments: &[&str]) -> (Option<i32>, Value) {
    let ran = simulate(&[arguments, &["-o", "json"]].concat());
    (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}")))
}

#[track_caller]
fn number(document: &Value, pointer: &str) -> u64 {
    document.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {document:#}"))
}

// ---- exit codes ----

#[test]
fn each_verdict_has_its_exit_code_and_says_so_last() {
    let cases: [(&[&str], i32, &str); 4] = [
        (&[], 0, "HELD"),
        (&["--strategy", "recipe"], 1, "BROKEN"),
        // One client is hardly ever connected when its pod is let go.
        (&["--connections", "1"], 3, "INCONCLUSIVE"),
        // Connections cut at the end of the deregistration delay: a finding that blocks.
        (&["--set", "nlb.dereg_cut=true"], 4, "REFUSED"),
    ];
    for (arguments, code, verdict) in cases {
        let ran = simulate(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}{}", ran.out, ran.err);
        let last = ran.out.lines().last().unwrap();
        assert!(last.starts_with(verdict), "{arguments:?}: {last}");
        assert_eq!(ran.err, "", "{arguments:?}");
    }
}

#[test]
fn an_accepted_finding_breaks_the_promise_that_it_warned_of() {
    let (code, document) = document(&["--set", "nlb.dereg_cut=true", "--accept", "nf202,NF203"]);
    assert_eq!(code, Some(1));
    let broken: Vec<&str> = document["promises"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|promise| promise["held"] == false)
        .map(|promise| promise["name"].as_str().unwrap())
        .collect();
    assert_eq!(broken, ["no_connection_dropped"]);
}

#[test]
fn a_real_export_holds_with_single_move_and_breaks_with_the_recipes_for_the_real_causes() {
    let groups = ["--cluster", BOUTIQUE, "--from", "blue", "--to", "green", "--strategy"];
    let (code, held) = document(&[&groups[..], &["single-move"]].concat());
    assert_eq!((code, &held["verdict"], &held["outcome"]), (Some(0), &"held".into(), &"migrated".into()));
    assert_eq!(number(&held, "/connections/outlived"), 0);
    assert_eq!(number(&held, "/connections/dropped"), 0);
    assert!(number(&held, "/connections/moved") >= 100);

    let (code, broken) = document(&[&groups[..], &["recipe"]].concat());
    assert_eq!((code, &broken["verdict"]), (Some(1), &"broken".into()));
    // Pods with a grace period of an hour, killed by EKS after its drain cap.
    let capped = broken["drops"].as_array().unwrap().iter().find(|drop| {
        let chain = drop["chain"].to_string();
        chain.contains("SIGKILL")
            && chain.contains("drain cap of 300 s")
            && chain.contains("deletes node group blue")
    });
    assert!(capped.is_some(), "{:#}", broken["drops"]);

    let (code, first) = document(&[&groups[..], &["recipe-descale-first"]].concat());
    assert_eq!(code, Some(1));
    // The new pods removed while the old ones stay.
    let scaled_back = first["pods_removed"]
        .as_array()
        .unwrap()
        .iter()
        .find(|removed| removed["step"] == "scale-back-user")
        .unwrap_or_else(|| panic!("{:#}", first["pods_removed"]));
    assert!(number(scaled_back, "/by_group/green") > 0, "{scaled_back:#}");
    assert!(scaled_back.pointer("/by_group/blue").is_none(), "{scaled_back:#}");
}

// ---- complaints ----

#[track_caller]
fn check_complaint(arguments: &[&str], expected: &[&str]) {
    let ran = nodeferry(arguments);
    assert_eq!(ran.code, Some(2), "{arguments:?}: {}{}", ran.out, ran.err);
    assert_eq!(ran.out, "", "{arguments:?}: a complaint is no result");
    for words in expected {
        assert!(ran.err.contains(words), "{arguments:?}: no {words:?} in {}", ran.err);
    }
    assert!(ran.err.len() < 4_000, "{arguments:?}: a complaint of {} bytes", ran.err.len());
}

#[test]
fn slips_of_the_command_line_are_told_with_the_flag_that_mends_them() {
    let cases: [(&[&str], &[&str]); 26] = [
        (&["simulate", "--from", "red"], &["--from", "no node group red", "there are: blue"]),
        (&["simulate", "--from", "no such group"], &["--from", "letters, digits"]),
        (&["simulate", "--to", "blue"], &["--from and --to", "blue"]),
        (&["simulate", "--adopt"], &["--adopt", "no node group green"]),
        (&["simulate", "--adopt", "--instance-types", "m7i.large"], &["--adopt", "--instance-types"]),
        (&["simulate", "--seed", "-1"], &["--seed", "-1", "a whole number from 0"]),
        (&["simulate", "--seed", "1e9"], &["--seed", "1e9"]),
        (&["simulate", "--connections", "0"], &["--connections", "from 1 to 2000000"]),
        (&["simulate", "--connections", "1000000000000"], &["--connections", "from 1 to 2000000"]),
        (&["simulate", "--min", "5", "--max", "2"], &["--min 5", "--max 2"]),
        (&["simulate", "--max", "2"], &["--min and --max", "3", "2"]),
        (&["simulate", "--min", "-3"], &["--min", "-3"]),
        (&["simulate", "--desired", "99999999999999999999"], &["--desired", "from 0 to 10000"]),
        (&["simulate", "--min", "0", "--max", "1", "--desired", "0"], &["no node"]),
        (&["simulate", "--accept", "NF999"], &["--accept", "NF999"]),
        (
            &["simulate", "--ami-type", "BANANA"],
            &["--ami-type", "AL2023_x86_64_STANDARD", "BOTTLEROCKET_ARM_64"],
        ),
        (&["simulate", "--subnets", "subnet-1"], &["--subnets", "subnet-1"]),
        (&["simulate", "--set", "nlb.dereg_delai=1s"], &["--set", "did you mean `nlb.dereg_delay`"]),
        (&["simulate", "--set", "nlb.dereg_delay"], &["--set", "NAME=VALUE"]),
        (&["simulate", "--set", "nlb.dereg_delay=7h"], &["from 0s to 1h"]),
        (&["simulate", "--set", "nlb.dereg_delay=-7s"], &["negative"]),
        (&["simulate", "--cluster", BOUTIQUE], &["--from", "--to"]),
        (&["simulate", "--draw", "X"], &["--draw", "[possible values: U, C, H]"]),
        (&["simulate", "--timeline", "no/such/folder/file"], &["no/such/folder/file: cannot be written"]),
        (&["conformance"], &["FILE|DIR"]),
        (&["sail"], &["sail"]),
    ];
    for (arguments, expected) in cases {
        check_complaint(arguments, expected);
    }
}

#[test]
fn a_complaint_is_told_once() {
    let ran = simulate(&["--set", "nlb.dereg_delay=1x"]);
    assert_eq!(ran.err.matches("is not a span").count(), 1, "{}", ran.err);
}

#[test]
fn a_group_that_is_being_deleted_cannot_be_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/clinic-aws.json");
    let mut aws: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    aws["nodegroup"]["status"] = "DELETING".into();
    let path = write(folder.path(), "aws.json", aws.to_string().as_bytes());
    let cluster =
        ["simulate", "--cluster", "examples/clinic.yaml", "--from", "blue", "--to", "green", "--aws"];
    check_complaint(
        &[&cluster[..], &[&path]].concat(),
        &["--from: node group blue is being deleted already"],
    );
}

#[test]
fn a_controller_that_nobody_knows_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let clinic =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/clinic.yaml")).unwrap();
    let path =
        write(folder.path(), "rollouts.yaml", clinic.replace("kind: ReplicaSet", "kind: Rollout").as_bytes());
    let ran = simulate(&["--cluster", &path, "--from", "blue", "--to", "green"]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    assert!(ran.out.contains("Controller clinic/profile-north-"), "{}", ran.out);
}

#[test]
fn a_group_that_exists_needs_adopt() {
    // Both groups in one export: a node of blue becomes one of green.
    let folder = tempfile::tempdir().unwrap();
    let both = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(BOUTIQUE)).unwrap().replacen(
        "eks.amazonaws.com/nodegroup: blue",
        "eks.amazonaws.com/nodegroup: green",
        1,
    );
    let path = write(folder.path(), "both.yaml", both.as_bytes());
    check_complaint(
        &["simulate", "--cluster", &path, "--from", "blue", "--to", "green"],
        &[&path, "--to", "green exists already", "--adopt"],
    );
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn malformed_files_are_told_with_file_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let example = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/clinic.yaml")).unwrap();
    let cases: [(&str, &[u8], &[&str]); 11] = [
        ("empty.yaml", b"", &["is empty"]),
        ("truncated.yaml", &example[..example.len() / 2], &["truncated.yaml:"]),
        ("tabs.yaml", b"apiVersion: v1\nkind: List\nitems:\n\t- kind: Pod\n", &["tabs.yaml:4"]),
        ("open.yaml", b"items: [\n  {kind: Pod\n", &["open.yaml:"]),
        ("truncated.json", b"{\"kind\": \"List\", \"items\": [{\"kind\":", &["truncated.json:1:"]),
        ("text.yaml", b"no resources found\n", &["text.yaml"]),
        ("binary.yaml", b"\x7fELF\x02\x01\x01\x00\xff\xfe", &["binary.yaml"]),
        ("nothing.yaml", b"apiVersion: v1\nitems: []\nkind: List\n", &["contains no objects"]),
        ("nameless.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {}\n", &["nameless.yaml:1:1", "metadata.name"]),
        (
            "type.yaml",
            b"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  replicas: many\n",
            &["type.yaml:7", "Deployment shop/web", "spec.replicas"],
        ),
        ("quantity.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nspec: 17\n", &["quantity.yaml:4"]),
    ];
    for (name, bytes, expected) in cases {
        let path = write(folder.path(), name, bytes);
        check_complaint(&["simulate", "--cluster", &path, "--from", "blue", "--to", "green"], expected);
    }
    let path = folder.path().join("missing.yaml");
    let missing = path.to_str().unwrap();
    check_complaint(
        &["simulate", "--cluster", missing, "--from", "a", "--to", "b"],
        &[missing, "cannot be read"],
    );
    let here = folder.path().to_str().unwrap();
    check_complaint(&["simulate", "--cluster", here, "--from", "a", "--to", "b"], &["is a directory"]);

    let aws = write(folder.path(), "aws.json", b"{\"nodegroup\": {\"nodegroupName\": 7}}");
    let cluster = ["simulate", "--cluster", BOUTIQUE, "--from", "blue", "--to", "green", "--aws"];
    check_complaint(&[&cluster[..], &[&aws]].concat(), &["--aws", "aws.json", "nodegroup"]);

    let cases: [(&[u8], &[&str]); 5] = [
        (b"- service: [\n", &["traffic.yaml:"]),
        (
            b"- service: a/b\n  clients: 3\n  lifetime: { shortest: 90, longest: 1h }\n",
            &["traffic.yaml:3:25", "no unit"],
        ),
        (
            b"- service: a/b\n  clients: 0\n  lifetime: { shortest: 9s, longest: 1h }\n",
            &["traffic.yaml: entry 1"],
        ),
        (
            b"- service: a/b\n  clients: 3\n  lifetime: { shortest: 9s, longest: 1h }\n",
            &["--traffic: there is no Service a/b; there are: clinic/"],
        ),
        (b"\xff\xfe", &["traffic.yaml:1", "UTF-8"]),
    ];
    for (bytes, expected) in cases {
        let path = write(folder.path(), "traffic.yaml", bytes);
        check_complaint(&["simulate", "--traffic", &path], expected);
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden/pdb_status.jsonl");
    let golden = fs::read(golden).unwrap();
    let first = golden.split_inclusive(|&byte| byte == b'\n').next().unwrap();
    let path = write(folder.path(), "pdb_status.jsonl", &[first, b"{\"pod\": \n"].concat());
    check_complaint(&["conformance", &path], &[&format!("{path}:2: column 8: EOF"), "one case"]);
    check_complaint(&["conformance", "Cargo.toml"], &["Cargo.toml", "family"]);
}

/// Runs `simulate` on a large file in an address space of 2 GiB: an allocation beyond it would abort, not exit.
fn simulate_within_2_gib(path: &Path) -> Ran {
    let line = format!(
        "ulimit -v 2097152 2>/dev/null; exec '{}' simulate --cluster '{}' --from blue --to green",
        env!("CARGO_BIN_EXE_nodeferry"),
        path.display()
    );
    ran(command("sh").args(["-c", &line]).output().unwrap())
}

/// Writes a file of about 100 MB from parts.
fn large(folder: &Path, name: &str, parts: impl Iterator<Item = Vec<u8>>) -> PathBuf {
    let path = folder.join(name);
    let mut out = BufWriter::new(fs::File::create(&path).unwrap());
    let mut written = 0;
    for part in parts {
        out.write_all(&part).unwrap();
        written += part.len();
        if written >= 100_000_000 {
            break;
        }
    }
    out.flush().unwrap();
    path
}

#[test]
fn a_hundred_megabytes_of_garbage_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    type Part = fn(u64) -> Vec<u8>;
    let cases: [(&str, Part); 5] = [
        ("noise.yaml", |n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes().repeat(1_000)),
        ("letters.yaml", |n| format!("{n:x} lorem ipsum: dolor, sit\n").repeat(100).into_bytes()),
        ("brackets.yaml", |_| b"[".repeat(10_000)),
        ("braces.json", |_| b"{\"a\":".repeat(10_000)),
        ("anchors.yaml", |n| format!("a{n}: &a{n} [*a{}, *a{}]\n", n.max(1) - 1, n.max(1) - 1).into_bytes()),
    ];
    for (name, part) in cases {
        let path = large(folder.path(), name, (0..).map(part));
        let ran = simulate_within_2_gib(&path);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.err);
        assert!(ran.err.contains(name) && ran.err.len() < 4_000, "{name}: {}", ran.err);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn aliases_that_expand_without_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb, namespace: a}\nl0: &l0 [x, x]\n",
    );
    for level in 1..64 {
        text += &format!("l{level}: &l{level} [*l{}, *l{}]\n", level - 1, level - 1);
    }
    let path = folder.path().join("bomb.yaml");
    fs::write(&path, text).unwrap();
    let ran = simulate_within_2_gib(&path);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("bomb.yaml"), "{}", ran.err);
}

#[test]
fn a_valid_export_of_a_hundred_megabytes_is_migrated_within_2_gib() {
    let folder = tempfile::tempdir().unwrap();
    let example = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/clinic.yaml")).unwrap();
    let filler = |n: u64| {
        let text = "a line of a letter that somebody keeps in a ConfigMap\\n".repeat(80);
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: letter-{n}, namespace: clinic}}\ndata:\n  text: \"{text}\"\n")
            .into_bytes()
    };
    let path = large(folder.path(), "large.yaml", std::iter::once(example).chain((0..).map(filler)));
    let ran = simulate_within_2_gib(&path);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

#[test]
fn a_cluster_without_a_load_balancer_has_clients_inside() {
    let folder = tempfile::tempdir().unwrap();
    let inside = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/clinic.yaml"))
        .unwrap()
        .replace("type: LoadBalancer", "type: NodePort");
    let path = write(folder.path(), "inside.yaml", inside.as_bytes());
    let (code, document) = document(&["--cluster", &path, "--from", "blue", "--to", "green"]);
    assert_eq!((code, &document["verdict"]), (Some(0), &Value::from("held")), "{document:#}");
    assert_eq!(document["outcome"], "migrated");
    assert!(number(&document, "/connections/moved") >= 30, "{document:#}");
    let traffic = document["traffic"].as_array().unwrap();
    assert!(!traffic.is_empty() && traffic.iter().all(|offered| offered["inside"] == true), "{traffic:#?}");
    assert!(number(&document, "/connections/opened") > 0);
}

// ---- output ----

#[test]
fn the_json_report_has_the_promised_keys() {
    let (_, document) = document(&["--strategy", "recipe", "--set", "nlb.dereg_delay=60s", "--draw", "U"]);
    let keys = [
        "verdict",
        "why",
        "outcome",
        "strategy",
        "seed",
        "promises",
        "connections",
        "findings",
        "steps",
        "drops",
        "parameters",
        "defaulted",
        "latency",
        "downtime",
        "virtual_s",
        "wall_ms",
        "events",
        "digest",
    ];
    for key in keys {
        assert!(document.get(key).is_some(), "no {key} in {document:#}");
    }
    for key in ["opened", "completed", "moved", "dropped", "outlived", "refused"] {
        number(&document, &format!("/connections/{key}"));
    }
    let names: Vec<&str> = document["promises"]
        .as_array()
        .unwrap()
        .iter()
        .map(|promise| promise["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, scenarios::promises::NAMES);
    for promise in document["promises"].as_array().unwrap() {
        assert!(promise["held"].is_boolean() && promise["detail"].is_string(), "{promise:#}");
    }
    for drop in document["drops"].as_array().unwrap() {
        assert!(
            drop["count"].is_u64()
                && drop["cause"].is_string()
                && !drop["chain"].as_array().unwrap().is_empty()
        );
    }
    assert_eq!(document["parameters"]["set"]["nlb.dereg_delay"], "1m");
    assert!(document["parameters"]["drawn"].as_object().unwrap().len() > 10);
    assert_eq!(document["strategy"], "recipe");
    assert_eq!(document["digest"].as_str().unwrap().len(), 32);
}

#[test]
fn the_header_says_what_was_set_and_what_overrules_it() {
    let ran = simulate(&["--set", "nlb.cross_zone=false", "--set", "eks.config_update=9s"]);
    assert!(ran.out.contains("nlb.cross_zone=false"), "{}", ran.out);
    assert!(ran.out.contains("eks.config_update=9s"), "{}", ran.out);
    let overruled = "nlb.cross_zone=false does not apply to Service ingress-nginx/ingress-nginx-controller, which says true";
    assert!(ran.out.contains(overruled), "{}", ran.out);
}

#[test]
fn colours_are_for_terminals_or_when_asked_for() {
    assert!(!simulate(&[]).out.contains('\u{1b}'));
    assert!(simulate(&["--color", "always"]).out.contains('\u{1b}'));
    assert!(!simulate(&["--color", "never"]).out.contains('\u{1b}'));
}

#[test]
fn explain_tells_more_and_changes_nothing() {
    let (plain, explained) =
        (simulate(&["--strategy", "recipe"]), simulate(&["--strategy", "recipe", "--explain"]));
    assert_eq!(plain.code, explained.code);
    assert!(explained.out.len() > plain.out.len());
    assert!(explained.out.contains("seen ") && explained.out.contains("wanted "), "{}", explained.out);
    assert!(!explained.out.contains("see --explain"), "{}", explained.out);
}

#[test]
fn the_timeline_is_every_entry_and_replaces_an_older_one_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "timeline.txt", b"an older one");
    assert_eq!(simulate(&["--timeline", &path]).code, Some(0));
    let timeline = fs::read_to_string(&path).unwrap();
    assert!(timeline.lines().count() > 300, "{timeline}");
    for words in ["creates node group green", "deletes node group blue", "SIGTERM", "draining"] {
        assert!(timeline.contains(words), "no {words}");
    }
    assert!(!timeline.contains("an older one"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn an_exported_cluster_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["after.yaml", "after.json"] {
        let path = folder.path().join(name);
        let path = path.to_str().unwrap();
        assert_eq!(simulate(&["--export", path]).code, Some(0));
        let again = simulate(&["--cluster", path, "--from", "green", "--to", "blue"]);
        assert_ne!(again.code, Some(2), "{name}: {}{}", again.out, again.err);
        assert!(again.out.contains("3 nodes, 27 pods, 10 services"), "{}", again.out);
    }
}

#[test]
fn the_aws_side_is_exported_as_the_migration_left_it() {
    let folder = tempfile::tempdir().unwrap();
    let [cluster, aws] =
        ["after.yaml", "after-aws.json"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    let bounds = ["--min", "2", "--max", "5", "--desired", "3"];
    let exports = ["--export", &cluster, "--export-aws", &aws];
    assert_eq!(simulate(&[&bounds[..], &exports[..]].concat()).code, Some(0));
    let after: Value = serde_json::from_str(&fs::read_to_string(&aws).unwrap()).unwrap();
    let groups = after["nodegroups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "blue is gone");
    assert_eq!(groups[0]["nodegroupName"], "green");
    let planned = serde_json::json!({ "minSize": 2, "maxSize": 5, "desiredSize": 3 });
    assert_eq!(groups[0]["scalingConfig"], planned);
    let back = simulate(&["--cluster", &cluster, "--aws", &aws, "--from", "green", "--to", "blue"]);
    assert_ne!(back.code, Some(2), "{}{}", back.out, back.err);
    assert!(back.out.contains("3 nodes, 27 pods, 10 services"), "{}", back.out);
}

#[test]
fn a_reader_that_goes_away_changes_no_exit_code() {
    let mut child = command(env!("CARGO_BIN_EXE_nodeferry"))
        .args(["simulate", "--strategy", "recipe"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
}

// ---- help ----

#[test]
fn the_examples_of_every_help_run() {
    let folder = tempfile::tempdir().unwrap();
    let written = format!(" {}/after", folder.path().display());
    for topic in ["simulate", "conformance", "permissions"] {
        let help = nodeferry(&[topic, "--help"]);
        assert_eq!(help.code, Some(0));
        let examples: Vec<&str> =
            help.out.lines().filter_map(|line| line.trim().strip_prefix("nodeferry ")).collect();
        assert!(!examples.is_empty(), "{}", help.out);
        assert!(help.out.contains("Exit codes:"), "{}", help.out);
        for example in examples {
            let example = example.replace(" after", &written);
            let ran = nodeferry(&example.split(' ').collect::<Vec<_>>());
            assert!(matches!(ran.code, Some(0 | 1)), "{example}: {}", ran.err);
        }
    }
}

// ---- conformance ----

#[test]
fn recorded_answers_pass_and_a_false_one_is_shown() {
    let ran = nodeferry(&["conformance", "testdata/golden", "testdata/golden/api"]);
    assert_eq!((ran.code, ran.out.lines().count()), (Some(0), 8), "{}{}", ran.out, ran.err);
    for line in ran.out.lines() {
        let (_, figures) = line.split_once(' ').unwrap();
        let (passed, total) = figures.split_once('/').unwrap();
        assert!(passed == total && passed != "0", "{line}");
    }

    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden/service_lb_nodes.jsonl");
    // Every node is said to be left out, also those that are not.
    let wrong = fs::read_to_string(golden)
        .unwrap()
        .replace("\"in_load_balancer\":true", "\"in_load_balancer\":false");
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "service_lb_nodes_wrong.jsonl", wrong.as_bytes());
    let ran = nodeferry(&["conformance", &path]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert_eq!(ran.out.matches("expected  {\"in_load_balancer\":false}").count(), 3, "{}", ran.out);
}

// ---- the same everywhere ----

/// Runs whose digests are written down, so that another machine is compared with the one that wrote them.
const FIXED: [&[&str]; 4] = [
    &["--seed", "1"],
    &["--seed", "7", "--draw", "U"],
    &["--strategy", "recipe"],
    &["--cluster", BOUTIQUE, "--from", "blue", "--to", "green"],
];

#[test]
fn a_run_has_the_same_digest_twice_and_on_every_machine() {
    // After a change of the model: `NODEFERRY_UPDATE=1 cargo test --release --test command_line`, and say in the commit
    // why runs differ.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expected/digests.txt");
    let mut found = String::new();
    for arguments in FIXED {
        let (mut one, mut two) = (document(arguments).1, document(arguments).1);
        for run in [&mut one, &mut two] {
            // Real time is the one thing that may differ.
            run.as_object_mut().unwrap().remove("wall_ms");
        }
        assert_eq!(one, two, "{arguments:?}");
        found += &format!("{}  simulate {}\n", one["digest"].as_str().unwrap(), arguments.join(" "));
    }
    if std::env::var_os("NODEFERRY_UPDATE").is_some() {
        fs::write(path, &found).unwrap();
    }
    assert_eq!(
        found,
        fs::read_to_string(path).unwrap(),
        "runs differ from those of the machine that wrote {path}"
    );
}

use proptest::prelude::*;

use super::*;

/// A directory of its own for one test; removed when it is done.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("conformance-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A directory that stays behind does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The error with its cause, as the command line shows it.
fn text(error: &Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {source}")
}

const NODE: &str = r#"{"exclude_label":null,"to_be_deleted_taint":false,"ready_condition":"True","deleting":false,"in_load_balancer":"#;

#[test]
fn a_report_counts_all_and_shows_the_first_three_mismatches() {
    let directory = Directory::new("report");
    let (right, wrong) = (format!("{NODE}true}}\n"), format!("{NODE}false}}\n"));
    let path = directory
        .write("service_lb_nodes-2.jsonl", [right.as_str(), &wrong, &wrong, &wrong, &wrong].concat());
    let report = run_file(&path).unwrap();
    assert_eq!((report.family, report.passed, report.total), ("service_lb_nodes", 1, 5));
    assert!(!report.is_conformant());
    let lines: Vec<usize> = report.mismatches.iter().map(|mismatch| mismatch.line).collect();
    assert_eq!(lines, [2, 3, 4]);
    assert_eq!(report.mismatches[0].input, wrong.trim_end());
    assert_eq!(report.mismatches[0].got, serde_json::json!({"in_load_balancer": true}));
}

#[track_caller]
fn check_error(name: &str, text_of_file: impl AsRef<[u8]>, expected: &[&str]) {
    let directory = Directory::new(&format!("error-{name}-{}", text_of_file.as_ref().len()));
    let error = run_file(&directory.write(name, text_of_file)).unwrap_err();
    for part in expected {
        assert!(text(&error).contains(part), "{:?} lacks {part:?}", text(&error));
    }
}

#[test]
fn a_line_that_is_no_case_is_named() {
    let good = format!("{NODE}true}}\n");
    let name = "service_lb_nodes.jsonl";
    check_error(
        name,
        format!("{good}{{\"deleting\":1}}\n"),
        &["service_lb_nodes.jsonl:2: column 13: invalid type", "one case"],
    );
    check_error(name, format!("{good}\n{good}"), &["service_lb_nodes.jsonl:2: "]);
    check_error(name, [good.as_bytes(), &[0xff, b'\n']].concat(), &["service_lb_nodes.jsonl:2: "]);
    check_error(name, "{}", &["service_lb_nodes.jsonl:1: ", "missing field"]);
    check_error(
        name,
        NODE.replace("True", "Maybe") + "true}",
        &["service_lb_nodes.jsonl:1: ", "ready_condition", "Maybe"],
    );
    check_error(name, "", &[name, "empty"]);
    check_error("unheard_of.jsonl", good, &["unheard_of.jsonl", "pdb_status"]);
}

#[test]
fn numbers_that_no_cluster_has_are_errors_or_mismatches_but_never_a_panic() {
    let directory = Directory::new("absurd");
    let scale = |replicas: &str, share: &str| {
        let set = |name: &str| {
            format!(
                r#"{{"name":"{name}","replicas":{replicas},"max_replicas_annotation":1,
                "desired_replicas_annotation":null,"created_order":0,"replicas_after":0}}"#
            )
        };
        format!(
            r#"{{"replicas":{replicas},"max_surge":"{share}","max_unavailable":"{share}","resolved_max_surge":0,
            "resolved_max_unavailable":0,"new_rs":{},"old_rs":[{},{}],"rolling_new_rs_replicas":0}}"#,
            set("a"),
            set("b"),
            set("c")
        )
        .replace('\n', "")
    };
    for (replicas, share) in
        [("2147483647", "2147483647%"), ("-2147483648", "-2147483648%"), ("0", "2147483647"), ("-1", "50%")]
    {
        let path = directory.write("deployment_scale.jsonl", scale(replicas, share));
        assert_eq!(run_file(&path).unwrap().total, 1, "{replicas} {share}");
    }
    for replicas in ["2147483648", "1e3", "1.5", "\"3\"", "null", "123456789012345678901234567890"] {
        let path = directory.write("deployment_scale.jsonl", scale(replicas, "1"));
        assert!(matches!(run_file(&path), Err(Error::Malformed { line: 1, .. })), "{replicas}");
    }
    for share in ["", "%", "x", "3000000000"] {
        let path = directory.write("deployment_scale.jsonl", scale("1", share));
        assert!(matches!(run_file(&path), Err(Error::Malformed { line: 1, .. })), "{share}");
    }
    let amounts = |n: &str| {
        format!(
            r#"{{"nodes":[{{"name":"a","zone":"z","allocatable_cpu_m":{n},"allocatable_mem_mib":{n},"allocatable_pods":9,
            "taints":[],"unschedulable":false,"pods":[{{"cpu_m":{n},"mem_mib":{n},"app":"web"}}]}},{{"name":"b","zone":"z",
            "allocatable_cpu_m":1,"allocatable_mem_mib":{n},"allocatable_pods":9,"taints":[],"unschedulable":false,
            "pods":[{{"cpu_m":{n},"mem_mib":{n},"app":"web"}}]}}],"pod":{{"cpu_m":0,"mem_mib":0,"app":"web",
            "tolerations":[],"matched_by_service":true}},"scores":{{}},"plugin_scores":{{}},"chosen":null}}"#
        )
        .replace('\n', "")
    };
    for n in ["9223372036854775807", "-9223372036854775808", "0", "-1"] {
        let path = directory.write("scheduler_scores.jsonl", amounts(n));
        assert_eq!(run_file(&path).unwrap().total, 1, "{n}");
    }
}

#[test]
fn a_directory_is_its_case_files_in_order_and_nothing_below() {
    let directory = Directory::new("directory");
    let good = format!("{NODE}true}}\n");
    directory.write("service_lb_nodes-b.jsonl", &good);
    directory.write("service_lb_nodes-a.jsonl", &good);
    directory.write("README.md", "no cases");
    fs::create_dir_all(directory.0.join("below")).unwrap();
    directory.write("below/unheard_of.jsonl", "");
    let reports = run_paths(std::slice::from_ref(&directory.0)).unwrap();
    let names: Vec<&str> =
        reports.iter().map(|report| report.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["service_lb_nodes-a.jsonl", "service_lb_nodes-b.jsonl"]);

    let nothing = Directory::new("nothing");
    assert!(matches!(run_paths(std::slice::from_ref(&nothing.0)), Err(Error::Empty { .. })));
    assert!(matches!(run_paths(&[nothing.0.join("pdb_status.jsonl")]), Err(Error::Unreadable { .. })));
}

/// Any recorded line of the repository, with a piece of it replaced.
fn damaged_line() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let pieces = prop_oneof![
        Just(""),
        Just("-"),
        Just("9"),
        Just("null"),
        Just("\""),
        Just("1e308"),
        Just("9223372036854775807"),
        Just("-2147483648"),
        Just("[]"),
        Just("{}"),
        Just("%"),
    ];
    (0..FAMILIES.len(), 0..50_usize, any::<prop::sample::Index>(), 0..6_usize, pieces).prop_map(
        |(family, line, at, cut, piece)| {
            let name = FAMILIES[family].0;
            let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/golden");
            let (file, served) = (format!("{name}.jsonl"), golden.join("api"));
            let text = fs::read(golden.join(&file)).or_else(|_| fs::read(served.join(&file))).unwrap();
            let mut line = text.split(|&byte| byte == b'\n').nth(line).unwrap().to_vec();
            let start = at.index(line.len());
            let end = (start + cut).min(line.len());
            line.splice(start..end, piece.bytes());
            (name, line)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_to_a_line_makes_the_model_panic((name, line) in damaged_line()) {
        let run = FAMILIES.iter().find(|(family, _)| *family == name).map(|(_, run)| run);
        // Answer or error: either will do.
        let _ = run.map(|run| run(&line).is_ok());
    }
}

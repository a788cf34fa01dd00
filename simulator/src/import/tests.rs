mod fuzz;
mod large;

use serde_json::json;

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/import");

fn boutique_text() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/clusters/online-boutique.yaml"))
        .unwrap()
}

fn parse(text: &str) -> Cluster {
    parse_cluster("test", text.as_bytes()).unwrap()
}

#[test]
fn a_real_export_comes_in_whole() {
    let cluster = parse(&boutique_text());
    assert_eq!(cluster.objects.len(), 116);
    assert_eq!(cluster.notes, Vec::<String>::new());
    assert_eq!(cluster.newest.to_string(), "2026-11-23T11:47:05Z");
    assert!(cluster.objects.iter().all(|object| !matches!(object.typed, Typed::Other)));
    let first = &cluster.objects[0];
    assert_eq!((first.api_version(), first.kind(), first.namespace()), ("v1", "Node", None));
    assert_eq!(first.name(), "ip-10-0-1-10.ec2.internal");
}

#[test]
fn lists_objects_and_documents_may_be_mixed() {
    let namespace = |name: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n");
    let text = format!(
        "\u{FEFF}# made by hand\n---\n{}---\napiVersion: v1\nkind: NamespaceList\nitems:\n- metadata: {{name: b}}\n---\n---\n{}...\n",
        namespace("a"),
        namespace("c").replace('\n', "\r\n"),
    );
    let names: Vec<String> = parse(&text).objects.iter().map(|object| object.name().to_owned()).collect();
    assert_eq!(names, ["a", "b", "c"]);

    let json = |name: &str| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    let text =
        format!("{}\n{}{}", json("a"), json!([json("b")]), json!({ "kind": "List", "items": [json("c")] }));
    let names: Vec<String> = parse(&text).objects.iter().map(|object| object.name().to_owned()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

/// What a scalar without quotes means in a file.
#[track_caller]
fn check_scalar(scalar: &str, expected: serde_json::Value) {
    let text = format!("apiVersion: e/v1\nkind: E\nmetadata: {{name: e}}\nvalue: {scalar}\n");
    assert_eq!(parse(&text).objects[0].raw.value()["value"], expected, "{scalar}");
}

#[test]
fn scalars_mean_what_they_mean_to_kubectl() {
    for (scalar, expected) in [
        ("", json!(null)),
        ("~", json!(null)),
        ("'true'", json!("true")),
        ("\"36193\"", json!("36193")),
        ("36193", json!(36193)),
        ("-1", json!(-1)),
        ("+1", json!(1)),
        ("0644", json!(420)),
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("1_000", json!(1000)),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000.0)),
        // A commit, not a number: no double is that large.
        ("12e4567", json!("12e4567")),
        ("yes", json!(true)),
        ("Off", json!(false)),
        ("y", json!("y")),
        ("!!str 12", json!("12")),
        ("!!int '12'", json!(12)),
        (".inf", json!(".inf")),
        ("+-1", json!("+-1")),
        ("08", json!(8.0)),
        ("10.0.1.10", json!("10.0.1.10")),
        ("2026-11-23T11:46:45Z", json!("2026-11-23T11:46:45Z")),
        ("|\n  a\n   b\n\n  c", json!("a\n b\n\nc\n")),
        ("|-\n  a", json!("a")),
        (">\n  a\n  b", json!("a b\n")),
    ] {
        check_scalar(scalar, expected);
    }
}

#[test]
fn aliases_are_written_out() {
    let text = "apiVersion: e/v1\nkind: E\nmetadata: {name: e}\na: &a {b: [1]}\nc: *a\n";
    assert_eq!(parse(text).objects[0].raw.value()["c"], json!({ "b": [1] }));
}

#[test]
fn unknown_kinds_and_older_versions_are_kept() {
    let text = "
apiVersion: v1
kind: List
items:
- {apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: d}}
- {apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: b, namespace: d}}
- {apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a, namespace: d}}
- {apiVersion: v1, kind: Service, metadata: {name: a, namespace: d}}
- {apiVersion: v1, kind: Secret, metadata: {name: a, namespace: d}, data: {key: dmFsdWU=}}
";
    let cluster = parse(text);
    assert_eq!(cluster.objects.len(), 5);
    assert!(matches!(cluster.objects[3].typed, Typed::Service(_)));
    assert_eq!(
        cluster.notes,
        [
            "2 × HorizontalPodAutoscaler of autoscaling/v1 kept but not simulated: \
             export the version that Kubernetes 1.36 prefers",
            "no object has a timestamp: the export is taken to be of 1970-01-01",
        ]
    );
    assert_eq!(cluster.newest, NEWEST_DEFAULT);
}

#[test]
fn pods_on_absent_nodes_are_kept_and_noted_once() {
    let pod = |name: &str| {
        format!(
            "- {{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: d}}, spec: {{nodeName: gone, containers: []}}}}\n"
        )
    };
    let cluster = parse(&format!("kind: List\nitems:\n{}{}", pod("a"), pod("b")));
    assert_eq!(cluster.objects.len(), 2);
    assert_eq!(
        cluster.notes[0],
        "node \"gone\" is not in the file, but 2 pod(s) name it: add nodes to the export"
    );
}

#[test]
fn the_newest_time_is_one_that_has_passed() {
    let text = "
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata:
    {name: a, namespace: d, creationTimestamp: 2026-01-01T00:00:00Z, deletionGracePeriodSeconds: 3600,
     deletionTimestamp: 2026-01-02T01:00:00Z, annotations: {until: '2030-01-01T00:00:00Z'}}
- apiVersion: cert-manager.io/v1
  kind: Certificate
  metadata: {name: a, namespace: d}
  status: {notAfter: '2030-01-01T00:00:00Z'}
";
    assert_eq!(parse(text).newest.to_string(), "2026-01-02T00:00:00Z");
    let lease = "
- apiVersion: coordination.k8s.io/v1
  kind: Lease
  metadata: {name: a, namespace: d}
  spec: {renewTime: '2026-01-03T00:00:00.000000Z'}
";
    assert_eq!(parse(&format!("{text}{}", lease.trim_start())).newest.to_string(), "2026-01-03T00:00:00Z");
}

/// The file is refused with this message: its name, then what is wrong, then the remedy.
#[track_caller]
fn check_refused(file: &str, what: &str, mend: &str) {
    let error = read_cluster(&Path::new(FOLDER).join(file)).expect_err(file);
    assert_eq!(error.to_string().replace(&format!("{FOLDER}/"), ""), format!("{file}{what}: {mend}"));
}

const WHOLE: &str = "give whole objects, as `kubectl get -o yaml` prints them";
const AGAIN: &str = "correct this place, or export the file again if it was cut off";
const FIELD: &str = "correct the field, or export the object again";
const ONCE: &str = "keep one of the two";
const EMPTY: &str = "export the cluster again and check that kubectl succeeds";
const NOTHING: &str = "check that kubectl was asked for all namespaces (-A) of the right cluster";
const TEXT: &str = "give the YAML or JSON that kubectl printed, not compressed";

/// Every file of `testdata/import`.
const REFUSED: &[(&str, &str, &str)] = &[
    ("alias_to_itself.yaml", ":5:9: alias inside what it refers to", "write the value out"),
    ("blank.yaml", ": is empty", EMPTY),
    ("compressed.yaml.gz", ":1:2: is not UTF-8 text", TEXT),
    ("cut_off.json", ":6:25: EOF while parsing an object", AGAIN),
    (
        "cut_off_between_lines.yaml",
        ":1:1: document 1: list without kind or without items",
        "the file was probably cut off: export it again",
    ),
    ("cut_off_in_quotes.yaml", ":6:11: unclosed quote", AGAIN),
    ("deep.json", ":1:101: nested deeper than 100 levels", WHOLE),
    ("deep_block.yaml", ":102:102: nested deeper than 100 levels", WHOLE),
    ("deep_flow.yaml", ":1:104: nested deeper than 100 levels", WHOLE),
    ("empty.yaml", ": is empty", EMPTY),
    (
        "grace_beyond_a_year.yaml",
        ":7:34: document 1: Pod shop/web: spec.terminationGracePeriodSeconds: 31536001 is more than 31536000 seconds (a year), the longest time that is simulated",
        FIELD,
    ),
    (
        "grace_in_fractions.yaml",
        ":7:34: document 1: Pod shop/web: spec.terminationGracePeriodSeconds: invalid type: floating point `1.5`, expected i64",
        FIELD,
    ),
    ("item_is_null.json", ": document 1, item 1: item that is not an object", WHOLE),
    ("item_is_text.yaml", ":4:3: document 1, item 1: item that is not an object", WHOLE),
    ("items_of_no_list.yaml", ":1:1: document 1: Pod with items, but its kind does not end in List", WHOLE),
    ("kubectl_error.txt", ":1:49: mapping values are not allowed in this context", AGAIN),
    (
        "laughs.yaml",
        ":7:25: object larger than 8388608 bytes, aliases expanded",
        "leave it out: Kubernetes itself stores no object of more than 1.5 MiB",
    ),
    (
        "list_in_list.json",
        ": document 1, item 1: list inside a list",
        "give its items, or each list as a document of its own",
    ),
    ("map_as_key.yaml", ":2:3: key that is not a plain text", WHOLE),
    ("merge_key.yaml", ":6:5: merge key `<<`", "write the merged fields out"),
    (
        "metadata_is_text.yaml",
        ":3:11: document 1: object: metadata: invalid type: string \"web\", expected an object",
        FIELD,
    ),
    (
        "name_in_capitals.yaml",
        ":1:1: document 1: Pod with the name or namespace \"Web\"",
        "names have at most 253 lower case letters, digits, - and ., and begin and end with a letter or digit",
    ),
    (
        "name_with_escape.yaml",
        ":1:1: document 1: Any with the name or namespace \"a\\u{1b}[31m\"",
        "names have at most 253 lower case letters, digits, - and ., and begin and end with a letter or digit",
    ),
    ("no_objects.yaml", ": contains no objects", NOTHING),
    ("not_utf8.yaml", ":4:12: is not UTF-8 text", TEXT),
    (
        "number_as_text.yaml",
        ":7:12: document 1: Pod shop/web: metadata.labels.build: invalid type: integer `12`, expected a string",
        FIELD,
    ),
    ("only_markers.yaml", ": contains no objects", NOTHING),
    ("own_tag.yaml", ":3:16: tag !ref", "remove it: Kubernetes knows no tags"),
    (
        "port_too_high.yaml",
        ":10:22: document 1: Pod shop/web: spec.containers[0].ports[0].containerPort: 70000 is more than 65535, the highest port",
        FIELD,
    ),
    (
        "quantity_below_zero.yaml",
        ":11:17: document 1: Pod shop/web: spec.containers[0].resources.requests.memory: -1Gi is less than 0",
        FIELD,
    ),
    (
        "quantity_in_words.yaml",
        ":11:14: document 1: Pod shop/web: spec.containers[0].resources.requests.cpu: \"banana\" is no quantity like 2, 0.5, 100m, 512Mi or 1e3",
        FIELD,
    ),
    (
        "quantity_of_a_node.json",
        ":3:51: document 1, item 1: Node n: status.allocatable.pods: \"many\" is no quantity like 2, 0.5, 100m, 512Mi or 1e3",
        FIELD,
    ),
    (
        "quantity_with_a_blank.yaml",
        ":10:24: document 1: Pod shop/web: spec.containers[0].resources.limits.memory: \"1 GiB\" is no quantity like 2, 0.5, 100m, 512Mi or 1e3",
        FIELD,
    ),
    (
        "replicas_below_zero.yaml",
        ":5:13: document 1: Deployment shop/web: spec.replicas: -5 is less than 0",
        FIELD,
    ),
    (
        "replicas_beyond_ten_thousand.yaml",
        ":5:13: document 1: StatefulSet shop/web: spec.replicas: 10001 is more than 10000 pods, the most of one object that are simulated",
        FIELD,
    ),
    (
        "replicas_in_fractions.yaml",
        ":5:13: document 1: ReplicaSet shop/web: spec.replicas: invalid type: floating point `2.5`, expected i32",
        FIELD,
    ),
    (
        "replicas_of_an_autoscaler.yaml",
        ":5:16: document 1: HorizontalPodAutoscaler shop/web: spec.minReplicas: -1 is less than 0",
        FIELD,
    ),
    ("same_key_twice.json", ":2:43: key \"name\" for the second time", ONCE),
    ("same_key_twice.yaml", ":5:3: key \"name\" for the second time", ONCE),
    ("scalar.yaml", ":1:1: neither an object nor a list", WHOLE),
    (
        "share_beyond_the_whole.yaml",
        ":5:19: document 1: PodDisruptionBudget shop/web: spec.maxUnavailable: 101% is more than 100%",
        FIELD,
    ),
    (
        "share_in_words.yaml",
        ":8:51: document 1: Deployment shop/web: spec.strategy.rollingUpdate.maxUnavailable: \"half\" is neither a number nor a percentage like 25%",
        FIELD,
    ),
    ("tabs.yaml", ":4:2: tabs disallowed within this context (block indentation)", AGAIN),
    ("trailing_comma.json", ":3:1: trailing comma", AGAIN),
    ("trailing_text.json", ":1:73: expected value", AGAIN),
    ("twice.yaml", ":7:1: document 2: Pod shop/web: was already given at twice.yaml:1:1: document 1", ONCE),
    ("unindented.yaml", ":5:2: while parsing a block mapping, did not find expected key", AGAIN),
    ("unknown_alias.yaml", ":3:11: while parsing node, found unknown anchor", AGAIN),
    (
        "utf16.yaml",
        ":1:1: is UTF-16",
        "save it as UTF-8 (in PowerShell: `kubectl … | Out-File -Encoding utf8 FILE`)",
    ),
    ("without_kind.yaml", ":1:1: document 1: object without kind", WHOLE),
    ("without_name.yaml", ":1:1: document 1: object without metadata.name", WHOLE),
    (
        "without_namespace.yaml",
        ":1:1: document 1: Pod web has no metadata.namespace",
        "add it (`default`, if kubectl would have used that)",
    ),
    ("without_spec.yaml", ":1:1: document 1: Deployment shop/web has no spec", WHOLE),
    ("without_version.yaml", ":1:1: document 1: object without apiVersion", WHOLE),
    (
        "wrong_type.json",
        ":4:47: document 1, item 2: Node n: spec.taints[0].effect: invalid type: integer `3`, expected a string",
        FIELD,
    ),
    (
        "wrong_type.yaml",
        ":21:28: document 2, item 1: Deployment shop/web: spec.template.spec.containers[0].ports[0].containerPort: invalid type: string \"http\", expected i32",
        FIELD,
    ),
    ("zeros.bin", ":1:1: unexpected character: `\\u{0}'", AGAIN),
];

#[test]
fn bad_files_are_refused_with_place_and_remedy() {
    for (file, what, mend) in REFUSED {
        check_refused(file, what, mend);
    }
    check_refused("absent.yaml", ": cannot be read", "check the path and its permissions");
    check_refused("", ": is a directory", "name the file that the export was written to");
}

#[test]
fn every_bad_file_is_in_the_table() {
    let mut names: Vec<String> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, REFUSED.iter().map(|(file, ..)| *file).collect::<Vec<_>>());
}

/// A pod with this in its specification is read.
#[track_caller]
fn check_accepted(spec: &str) {
    let text = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web, namespace: shop}}\nspec: {spec}\n");
    parse(&text);
}

#[test]
fn what_the_api_server_stores_is_read() {
    for quantity in ["1e3", "0.5Gi", "100m", "2", "0.1", "'2'", "1E3", ".5", "5.", "+1", "0", "-0"] {
        check_accepted(&format!(
            "{{containers: [{{name: a, resources: {{requests: {{cpu: {quantity}}}, limits: {{x.io/y: {quantity}}}}}}}]}}"
        ));
    }
    for number in [
        "terminationGracePeriodSeconds: 31536000",
        // The API takes it for 1.
        "terminationGracePeriodSeconds: -1",
        "priority: -1000000",
        "tolerations: [{key: a, tolerationSeconds: -1}]",
        "activeDeadlineSeconds: 2147483647",
    ] {
        check_accepted(&format!("{{containers: [], {number}}}"));
    }
    // Labels may have any name and value.
    parse(
        "---\n{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: b, labels: {maxSurge: half, cpu: banana}}}",
    );
    parse(
        "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: b}, spec: {selector: {}, template: {}, \
         replicas: 10000, strategy: {rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}}}",
    );
    // What was measured, of pods that do nothing.
    parse(
        "---\n{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a, namespace: b}, spec: \
         {maxReplicas: 2, scaleTargetRef: {kind: Deployment, name: a}}, status: {desiredReplicas: 1, currentMetrics: \
         [{type: Resource, resource: {name: cpu, current: {averageUtilization: 0, averageValue: 0}}}]}}",
    );
}

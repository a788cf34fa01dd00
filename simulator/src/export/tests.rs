use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::import::{parse_cluster, read_cluster};

fn values(cluster: &crate::import::Cluster) -> Vec<Value> {
    cluster.objects.iter().map(|object| object.raw.value()).collect()
}

/// Both forms, read again, are the same objects.
#[track_caller]
fn check_comes_back(objects: &[Value]) {
    let mut yaml = Vec::new();
    write_yaml(&mut yaml, objects).unwrap();
    let mut json = Vec::new();
    write_json(&mut json, objects).unwrap();
    for (form, text) in [("yaml", yaml), ("json", json)] {
        let again = parse_cluster(form, &text)
            .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&text)));
        assert_eq!(values(&again), objects, "{form}:\n{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn a_real_export_comes_back_in_both_forms() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/clusters/online-boutique.yaml");
    check_comes_back(&values(&read_cluster(path.as_ref()).unwrap()));
}

#[test]
fn the_style_is_that_of_kubectl() {
    let object = json!({
        "apiVersion": "v1",
        "data": { "script": "a\n  b: c\n\nd\n", "flag": "yes", "short": "x", "commit": "12e4567" },
        "kind": "ConfigMap",
        "metadata": { "labels": {}, "name": "c", "namespace": "d", "finalizers": ["a", "36193"], "weight": 3, "none": null },
        "nested": [[1, [2]], { "a": [ { "b": 1, "c": "10.0.1.10" } ] }],
    });
    let mut out = Vec::new();
    write_yaml(&mut out, [&object]).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "\
apiVersion: v1
items:
- apiVersion: v1
  data:
    script: |
      a
        b: c

      d
    flag: \"yes\"
    short: x
    commit: 12e4567
  kind: ConfigMap
  metadata:
    labels: {}
    name: c
    namespace: d
    finalizers:
    - a
    - \"36193\"
    weight: 3
    none: null
  nested:
  - - 1
    - - 2
  - a:
    - b: 1
      c: 10.0.1.10
kind: List
metadata:
  resourceVersion: \"\"
"
    );
    check_comes_back(&[object]);
}

#[test]
fn an_empty_cluster_is_an_empty_list() {
    let mut out = Vec::new();
    write_yaml(&mut out, Vec::<Value>::new()).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  resourceVersion: \"\"\n"
    );
}

/// Texts that look like something else, and any others.
fn texts() -> impl Strategy<Value = String> {
    let known = [
        "",
        "~",
        "null",
        "y",
        "No",
        "on",
        "true",
        "0755",
        "0x1F",
        "1_000",
        "1e3",
        "12e4567",
        ".5",
        "-.inf",
        ".nan",
        "<<",
        "=",
        "2026-11-23",
        "2026-11-23T11:46:45Z",
        "12:30:45",
        "- a",
        "a: b",
        "a #b",
        "#",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "---",
        "...",
        "--- a",
        "a:",
        " a",
        "a ",
        "a\n",
        "a\n\n",
        "\na",
        "a\n \nb",
        "\ta",
        "a\r\nb",
        "?",
        "? a",
        "-",
        "[",
        "{}",
        "'",
        "\"",
        "\\",
        "\u{FEFF}",
        "\u{85}",
        "\u{2028}",
        "\u{7F}",
        "\0",
        "+1",
        "+-1",
        "0o7",
        "0b1",
        "08",
        "99999999999999999999",
        "a\n---\nb\n",
        "a,b",
        "x: |",
        "\u{1F600}",
    ];
    prop_oneof![
        2 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        2 => "[a-z0-9.:_ #\n-]{0,12}",
        1 => any::<String>(),
    ]
}

fn trees() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Quarters, because `serde_json` may read the last bit of a double wrong; Kubernetes' own kinds have none.
        any::<i32>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(texts(), inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_an_object_contains_comes_back(content in trees(), key in texts()) {
        check_comes_back(&[json!({
            "apiVersion": "example.org/v1",
            "kind": "Anything",
            "metadata": { "name": "x" },
            "spec": { key: content },
        })]);
    }
}

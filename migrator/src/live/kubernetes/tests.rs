use serde_json::json;

use super::*;

fn check(version: Option<u64>, changes: Vec<Change>, expected: Value) {
    let object = ObjectName { namespace: "clinic".into(), name: "portal".into() };
    let patch =
        Patch { kind: Kind::Deployment, object, uid: "u-1".into(), resource_version: version, changes };
    assert_eq!(body(&patch), expected);
}

#[test]
fn a_patch_carries_the_version_that_was_seen_or_else_the_uid() {
    check(
        Some(7),
        vec![Change::Replicas(4)],
        json!({"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 4}}),
    );
    check(None, vec![Change::Replicas(0)], json!({"metadata": {"uid": "u-1"}, "spec": {"replicas": 0}}));
}

#[test]
fn what_is_removed_is_null_and_what_is_not_named_is_absent() {
    let changes = vec![
        Change::Label("a".into(), None),
        Change::Annotation("b".into(), Some("c".into())),
        Change::Taints(Vec::new()),
        Change::Unschedulable(false),
        Change::ReplicaBounds { min: 1, max: 3 },
    ];
    let expected = json!({
        "metadata": {"resourceVersion": "1", "labels": {"a": null}, "annotations": {"b": "c"}},
        "spec": {"taints": null, "unschedulable": null, "minReplicas": 1, "maxReplicas": 3},
    });
    check(Some(1), changes, expected);
}

#[test]
fn an_eviction_is_of_one_pod_and_of_no_other_of_its_name() {
    let pod = ObjectName { namespace: "clinic".into(), name: "store-0".into() };
    let expected = json!({"apiVersion": "policy/v1", "kind": "Eviction",
        "deleteOptions": {"preconditions": {"uid": "u-1"}},
        "metadata": {"name": "store-0", "namespace": "clinic"}});
    let mut sent = serde_json::to_value(eviction(&pod, &"u-1".into())).unwrap();
    // What the options say of themselves.
    for key in ["apiVersion", "kind"] {
        if let Some(options) = sent["deleteOptions"].as_object_mut() {
            options.remove(key);
        }
    }
    assert_eq!(sent, expected);
}

use serde_json::{Value, json};

use super::{json_patch, merge, strategic};

fn deployment(containers: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

#[track_caller]
fn check(kind: &str, original: Value, patch: Value, expected: Value) {
    assert_eq!(strategic::apply(kind, &original, &patch), Ok(expected));
}

#[test]
fn what_a_patch_names_stands_before_what_only_the_server_has() {
    check(
        "Service",
        json!({"spec": {"ports": [{"port": 80}, {"port": 443}]}}),
        json!({"spec": {"ports": [{"port": 7777}]}}),
        json!({"spec": {"ports": [{"port": 7777}, {"port": 80}, {"port": 443}]}}),
    );
}

#[test]
fn what_the_server_has_already_stays_in_its_place() {
    check(
        "Deployment",
        deployment(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])),
        deployment(json!([{"name": "b", "image": "2"}])),
        deployment(json!([{"name": "a"}, {"name": "b", "image": "2"}, {"name": "c"}])),
    );
}

#[test]
fn an_order_moves_elements() {
    check(
        "Deployment",
        deployment(json!([{"name": "a"}, {"name": "b"}, {"name": "c"}])),
        json!({"spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            "containers": [{"name": "c", "image": "3"}],
        }}}}),
        deployment(json!([{"name": "b"}, {"name": "c", "image": "3"}, {"name": "a"}])),
    );
}

#[test]
fn an_element_is_deleted_by_its_key() {
    check(
        "Deployment",
        deployment(json!([{"name": "a", "env": [{"name": "X"}, {"name": "Y"}]}, {"name": "b"}])),
        deployment(
            json!([{"name": "b", "$patch": "delete"}, {"name": "a", "env": [{"name": "X", "$patch": "delete"}]}]),
        ),
        deployment(json!([{"name": "a", "env": [{"name": "Y"}]}])),
    );
}

#[test]
fn a_list_is_replaced_where_the_patch_says_so() {
    check(
        "Deployment",
        deployment(json!([{"name": "a"}, {"name": "b"}])),
        deployment(json!([{"$patch": "replace"}, {"name": "c"}])),
        deployment(json!([{"name": "c"}])),
    );
}

#[test]
fn only_retained_keys_are_kept() {
    check(
        "Deployment",
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
        json!({"spec": {"strategy": {"type": "Recreate"}}}),
    );
}

#[test]
fn taints_are_replaced_and_finalizers_joined() {
    check(
        "Node",
        json!({"metadata": {"finalizers": ["a"]}, "spec": {"taints": [{"key": "x"}]}}),
        json!({"metadata": {"finalizers": ["b"]}, "spec": {"taints": [{"key": "y"}]}}),
        json!({"metadata": {"finalizers": ["b", "a"]}, "spec": {"taints": [{"key": "y"}]}}),
    );
}

#[test]
fn values_are_deleted_from_a_set() {
    check(
        "Node",
        json!({"metadata": {"finalizers": ["a", "b"]}}),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
        json!({"metadata": {"finalizers": ["b"]}}),
    );
}

#[test]
fn directives_that_make_no_sense_are_refused() {
    for patch in [
        json!({"$patch": "upside-down"}),
        json!({"spec": {"$retainKeys": ["a"], "b": 1}}),
        json!({"metadata": {"$setElementOrder/finalizers": 1}}),
        deployment(json!([{"image": "no name"}])),
        json!([]),
    ] {
        let original =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}, "metadata": {}});
        assert!(strategic::apply("Deployment", &original, &patch).is_err(), "{patch}");
    }
}

#[test]
fn a_merge_patch_replaces_lists_and_removes_nulls() {
    let mut value = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
    merge(&mut value, &json!({"a": {"b": null, "c": [3], "e": {"f": null}}, "d": {"g": 1}}));
    assert_eq!(value, json!({"a": {"c": [3], "e": {}}, "d": {"g": 1}}));
}

#[test]
fn json_patches_do_all_or_fail() {
    let original = json!({"list": [1, 2], "a~b/c": 1});
    let apply = |patch: Value| {
        let mut value = original.clone();
        json_patch(&mut value, &patch).map(|()| value)
    };
    assert_eq!(
        apply(json!([{"op": "replace", "path": "/new", "value": 1}])),
        Ok(json!({"list": [1, 2], "a~b/c": 1, "new": 1})),
    );
    let done = apply(json!([
        {"op": "test", "path": "/a~0b~1c", "value": 1},
        {"op": "add", "path": "/list/-", "value": 3},
        {"op": "add", "path": "/list/0", "value": 0},
        {"op": "move", "from": "/a~0b~1c", "path": "/moved"},
        {"op": "copy", "from": "/list/1", "path": "/copied"},
        {"op": "remove", "path": "/list/3"},
        {"op": "replace", "path": "/list/2", "value": 9},
    ]));
    assert_eq!(done, Ok(json!({"list": [0, 1, 9], "moved": 1, "copied": 1})));
    let doubling = (0..64).map(|n| json!({"op": "copy", "from": "", "path": format!("/{n}")})).collect();
    assert!(apply(Value::Array(doubling)).is_err(), "copies without limit");
    for patch in [
        json!([{"op": "remove", "path": "/missing"}]),
        json!([{"op": "replace", "path": "/list/2", "value": 1}]),
        json!([{"op": "add", "path": "/list/3", "value": 1}]),
        json!([{"op": "add", "path": "/missing/a", "value": 1}]),
        json!([{"op": "test", "path": "/list/0", "value": 2}]),
        json!([{"op": "frobnicate", "path": "/list"}]),
        json!([{"path": "/list"}]),
        json!({"op": "remove", "path": "/list"}),
    ] {
        assert!(apply(patch.clone()).is_err(), "{patch}");
    }
}

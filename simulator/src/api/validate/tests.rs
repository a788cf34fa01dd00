use serde_json::{Value, json};

use super::super::{defaults, resources::Resource};

fn resource(api_version: &str, kind: &str) -> Resource {
    Resource::of_kind(api_version, kind, true)
}

fn deployment() -> Value {
    json!({"metadata": {"name": "web", "namespace": "default"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}},
    }})
}

/// Puts a value at a pointer and says what is refused, as (reason, field).
fn refused(mut value: Value, of: &Resource, pointer: &str, to: Value) -> Vec<(&'static str, String)> {
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer has a last part");
    let at = value.pointer_mut(parent).expect("its parent is there");
    at[field] = to;
    defaults::apply(of, &mut value);
    super::object(of, &value, None)
        .into_iter()
        .map(|cause| (cause.reason.trim_start_matches("FieldValue"), cause.field.unwrap_or_default()))
        .collect()
}

#[test]
fn deployments_are_refused_at_the_field_that_is_wrong() {
    let of = resource("apps/v1", "Deployment");
    let container = "/spec/template/spec/containers";
    for (pointer, to, expected) in [
        ("/spec/replicas", json!(3), vec![]),
        ("/spec/replicas", json!(-1), vec![("Invalid", "spec.replicas")]),
        ("/spec/selector", Value::Null, vec![("Required", "spec.selector")]),
        ("/spec/minReadySeconds", json!(600), vec![("Invalid", "spec.progressDeadlineSeconds")]),
        (container, json!([]), vec![("Required", "spec.template.spec.containers")]),
        (
            container,
            json!([{"name": "a", "image": "a"}, {"name": "a", "image": "a"}]),
            vec![("Duplicate", "spec.template.spec.containers[1].name")],
        ),
        (container, json!([{"name": "a"}]), vec![("Required", "spec.template.spec.containers[0].image")]),
        (
            container,
            json!([{"name": "a", "image": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]),
            vec![("NotFound", "spec.template.spec.containers[0].volumeMounts[0].name")],
        ),
        (
            container,
            json!([{"name": "a", "image": "a", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}]),
            vec![("Invalid", "spec.template.spec.containers[0].resources.requests")],
        ),
        ("/spec/strategy", json!({"type": "Odd"}), vec![("NotSupported", "spec.strategy.type")]),
        (
            "/spec/strategy",
            json!({"type": "Recreate", "rollingUpdate": {}}),
            vec![("Forbidden", "spec.strategy.rollingUpdate")],
        ),
        (
            "/spec/template/spec/restartPolicy",
            json!("Never"),
            vec![("NotSupported", "spec.template.spec.restartPolicy")],
        ),
    ] {
        let found = refused(deployment(), &of, pointer, to.clone());
        let expected: Vec<_> =
            expected.into_iter().map(|(reason, field)| (reason, field.to_owned())).collect();
        assert_eq!(found, expected, "{pointer} {to}");
    }
}

#[test]
fn a_selector_must_match_its_template_and_may_not_change() {
    let of = resource("apps/v1", "Deployment");
    let mut old = deployment();
    defaults::apply(&of, &mut old);
    let mut new = old.clone();
    new["spec"]["selector"]["matchLabels"]["app"] = json!("other");
    let fields: Vec<_> =
        super::object(&of, &new, Some(&old)).into_iter().filter_map(|cause| cause.field).collect();
    assert_eq!(fields, ["spec.template.metadata.labels", "spec.selector"]);
}

#[test]
fn services_are_refused_at_the_field_that_is_wrong() {
    let of = resource("v1", "Service");
    let service = || json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}});
    for (pointer, to, expected) in [
        ("/spec/type", json!("NodePort"), vec![]),
        ("/spec/type", json!("Odd"), vec![("NotSupported", "spec.type")]),
        ("/spec/ports", json!([]), vec![("Required", "spec.ports")]),
        (
            "/spec/ports",
            json!([{"port": 0}]),
            vec![("Invalid", "spec.ports[0].port"), ("Invalid", "spec.ports[0].targetPort")],
        ),
        (
            "/spec/ports",
            json!([{"port": 1}, {"port": 2, "name": "b"}]),
            vec![("Required", "spec.ports[0].name")],
        ),
        (
            "/spec/ports",
            json!([{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]),
            vec![("Duplicate", "spec.ports[1]")],
        ),
        ("/spec/externalTrafficPolicy", json!("Local"), vec![("Invalid", "spec.externalTrafficPolicy")]),
    ] {
        let found = refused(service(), &of, pointer, to.clone());
        let expected: Vec<_> =
            expected.into_iter().map(|(reason, field)| (reason, field.to_owned())).collect();
        assert_eq!(found, expected, "{pointer} {to}");
    }
}

#[test]
fn names_and_labels_follow_the_rules_of_dns() {
    let of = resource("v1", "ConfigMap");
    let map = || json!({"metadata": {"name": "a", "labels": {}}});
    assert_eq!(
        refused(map(), &of, "/metadata/name", json!("Upper")),
        [("Invalid", "metadata.name".to_owned())]
    );
    assert_eq!(refused(map(), &of, "/metadata/name", json!("a.b-c")), []);
    assert_eq!(
        refused(map(), &of, "/metadata/labels", json!({"a/b/c": "x"})),
        [("Invalid", "metadata.labels".to_owned())]
    );
    assert_eq!(
        refused(map(), &of, "/metadata/labels", json!({"a": "-"})),
        [("Invalid", "metadata.labels".to_owned())]
    );
}

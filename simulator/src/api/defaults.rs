//! What the server fills in where a client said nothing. Source: `pkg/apis/{apps,core,...}/v1/defaults.go`.

use serde_json::{Map, Value, json};

mod pod;
mod service;

use super::resources::Resource;

/// What the server writes into a pod where it is silent.
pub(super) fn pod(value: &mut Value) {
    pod::pod(value);
}

/// Fills in an object that is about to be stored.
pub(super) fn apply(resource: &Resource, value: &mut Value) {
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => pod::pod(value),
        ("", "Service") => service::apply(value),
        ("", "Secret") => set(value, "type", json!("Opaque")),
        ("", "Namespace") => namespace(value),
        ("", "PersistentVolumeClaim") => set(at(value, "spec"), "volumeMode", json!("Filesystem")),
        ("apps", "Deployment") => deployment(value),
        ("apps", "ReplicaSet") => replica_set(value),
        ("apps", "StatefulSet") => stateful_set(value),
        ("apps", "DaemonSet") => daemon_set(value),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(value),
        ("batch", "Job") => job(value),
        ("batch", "CronJob") => cron_job(value),
        ("storage.k8s.io", "StorageClass") => {
            set(value, "reclaimPolicy", json!("Delete"));
            set(value, "volumeBindingMode", json!("Immediate"));
        }
        ("scheduling.k8s.io", "PriorityClass") => {
            set(value, "preemptionPolicy", json!("PreemptLowerPriority"));
        }
        _ => {}
    }
}

/// The map in a field, made where it is missing.
fn at<'a>(value: &'a mut Value, field: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    &mut value[field]
}

/// Sets a field that is not there.
fn set(value: &mut Value, field: &str, default: Value) {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if value.get(field).is_none_or(Value::is_null) {
        value[field] = default;
    }
}

/// Sets a field below one that is there.
fn set_in(value: &mut Value, pointer: &str, field: &str, default: Value) {
    if let Some(found) = value.pointer_mut(pointer).filter(|found| found.is_object()) {
        set(found, field, default);
    }
}

fn each<'a>(value: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    value.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().filter(|item| item.is_object())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn namespace(value: &mut Value) {
    let name = value.pointer("/metadata/name").cloned().unwrap_or_default();
    let labels = at(at(value, "metadata"), "labels");
    if !labels.is_object() {
        *labels = json!({});
    }
    labels["kubernetes.io/metadata.name"] = name;
    let spec = at(value, "spec");
    set(spec, "finalizers", json!(["kubernetes"]));
    set(at(value, "status"), "phase", json!("Active"));
}

fn template(value: &mut Value) {
    if let Some(template) = value.pointer_mut("/spec/template").filter(|one| one.is_object()) {
        pod::spec(at(template, "spec"));
    }
}

fn deployment(value: &mut Value) {
    let spec = at(value, "spec");
    set(spec, "replicas", json!(1));
    let strategy = at(spec, "strategy");
    set(strategy, "type", json!("RollingUpdate"));
    if text(strategy, "/type") == "RollingUpdate" {
        let rolling = at(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", json!("25%"));
        set(rolling, "maxSurge", json!("25%"));
    }
    set(spec, "revisionHistoryLimit", json!(10));
    set(spec, "progressDeadlineSeconds", json!(600));
    template(value);
}

fn replica_set(value: &mut Value) {
    set(at(value, "spec"), "replicas", json!(1));
    template(value);
}

fn stateful_set(value: &mut Value) {
    let spec = at(value, "spec");
    set(spec, "podManagementPolicy", json!("OrderedReady"));
    let strategy = at(spec, "updateStrategy");
    set(strategy, "type", json!("RollingUpdate"));
    if text(strategy, "/type") == "RollingUpdate" {
        set(at(strategy, "rollingUpdate"), "partition", json!(0));
    }
    let retention = at(spec, "persistentVolumeClaimRetentionPolicy");
    set(retention, "whenDeleted", json!("Retain"));
    set(retention, "whenScaled", json!("Retain"));
    set(spec, "replicas", json!(1));
    set(spec, "revisionHistoryLimit", json!(10));
    for claim in each(spec, "volumeClaimTemplates") {
        set(claim, "kind", json!("PersistentVolumeClaim"));
        set(claim, "apiVersion", json!("v1"));
        set(at(claim, "spec"), "volumeMode", json!("Filesystem"));
        set(at(claim, "status"), "phase", json!("Pending"));
    }
    template(value);
}

fn daemon_set(value: &mut Value) {
    let spec = at(value, "spec");
    let strategy = at(spec, "updateStrategy");
    set(strategy, "type", json!("RollingUpdate"));
    if text(strategy, "/type") == "RollingUpdate" {
        let rolling = at(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", json!(1));
        set(rolling, "maxSurge", json!(0));
    }
    set(spec, "revisionHistoryLimit", json!(10));
    template(value);
}

fn job(value: &mut Value) {
    let spec = at(value, "spec");
    let indexed = text(spec, "/completionMode") == "Indexed";
    if !indexed && spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        set(spec, "completions", json!(1));
    }
    set(spec, "parallelism", json!(1));
    if spec.get("backoffLimitPerIndex").is_none() {
        set(spec, "backoffLimit", json!(6));
    }
    set(spec, "completionMode", json!("NonIndexed"));
    set(spec, "suspend", json!(false));
    let policy = if spec.get("podFailurePolicy").is_some() { "Failed" } else { "TerminatingOrFailed" };
    set(spec, "podReplacementPolicy", json!(policy));
    template(value);
}

fn cron_job(value: &mut Value) {
    let spec = at(value, "spec");
    set(spec, "concurrencyPolicy", json!("Allow"));
    set(spec, "suspend", json!(false));
    set(spec, "successfulJobsHistoryLimit", json!(3));
    set(spec, "failedJobsHistoryLimit", json!(1));
    if let Some(inner) = spec.pointer_mut("/jobTemplate/spec/template").filter(|one| one.is_object()) {
        pod::spec(at(inner, "spec"));
    }
}

fn autoscaler(value: &mut Value) {
    let spec = at(value, "spec");
    set(spec, "minReplicas", json!(1));
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec["metrics"] = json!([{"type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]);
    }
    let Some(behavior) = spec.get_mut("behavior").filter(|one| one.is_object()) else { return };
    let policy = |kind: &str, amount: i32| json!({"type": kind, "value": amount, "periodSeconds": 15});
    if let Some(up) = behavior.get_mut("scaleUp").filter(|one| one.is_object()) {
        set(up, "stabilizationWindowSeconds", json!(0));
        set(up, "selectPolicy", json!("Max"));
        set(up, "policies", json!([policy("Pods", 4), policy("Percent", 100)]));
    } else {
        behavior["scaleUp"] = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Max",
            "policies": [policy("Pods", 4), policy("Percent", 100)]});
    }
    let down = at(behavior, "scaleDown");
    set(down, "selectPolicy", json!("Max"));
    set(down, "policies", json!([policy("Percent", 100)]));
}

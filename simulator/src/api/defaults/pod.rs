//! Pods and pod templates.

use serde_json::{Value, json};

use super::{at, each, set, set_in, text};

/// A pod: what templates get, and what only pods get.
pub(super) fn pod(value: &mut Value) {
    let pod = at(value, "spec");
    spec(pod);
    set(pod, "enableServiceLinks", json!(true));
    for list in ["containers", "initContainers"] {
        for container in each(pod, list) {
            requests_from_limits(container);
        }
    }
    if text(pod, "/serviceAccountName").is_empty() {
        pod["serviceAccountName"] = json!("default");
        pod["serviceAccount"] = json!("default");
    }
    set(pod, "preemptionPolicy", json!("PreemptLowerPriority"));
    set(pod, "priority", json!(0));
    let tolerates = |pod: &Value, key: &str| {
        pod.get("tolerations").and_then(Value::as_array).into_iter().flatten().any(|one| {
            matches!(text(one, "/key"), "" if text(one, "/operator") == "Exists") || text(one, "/key") == key
        })
    };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerates(pod, key) {
            let toleration =
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
            set(pod, "tolerations", json!([]));
            if let Some(list) = pod.get_mut("tolerations").and_then(Value::as_array_mut) {
                list.push(toleration);
            }
        }
    }
    set(at(value, "status"), "phase", json!("Pending"));
    let quality = quality(value);
    set(at(value, "status"), "qosClass", json!(quality));
}

fn quality(value: &Value) -> &'static str {
    let (mut any, mut guaranteed) = (false, true);
    for container in value.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten() {
        for name in ["cpu", "memory"] {
            let request = container.pointer(&format!("/resources/requests/{name}"));
            let limit = container.pointer(&format!("/resources/limits/{name}"));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && request == limit;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container.pointer("/resources/limits").and_then(Value::as_object).cloned() else {
        return;
    };
    let requests = at(at(container, "resources"), "requests");
    for (name, limit) in limits {
        set(requests, &name, limit);
    }
}

/// A pod's specification, also inside templates.
pub(super) fn spec(spec: &mut Value) {
    let host_network = spec.get("hostNetwork") == Some(&json!(true));
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in each(spec, list) {
            self::container(container, host_network);
        }
    }
    for volume in each(spec, "volumes") {
        self::volume(volume);
    }
    set(spec, "restartPolicy", json!("Always"));
    set(spec, "terminationGracePeriodSeconds", json!(30));
    set(spec, "dnsPolicy", json!("ClusterFirst"));
    set(spec, "securityContext", json!({}));
    set(spec, "schedulerName", json!("default-scheduler"));
    // The account stands under an older name as well.
    match (text(spec, "/serviceAccountName").to_owned(), text(spec, "/serviceAccount").to_owned()) {
        (name, _) if !name.is_empty() => spec["serviceAccount"] = json!(name),
        (_, name) if !name.is_empty() => spec["serviceAccountName"] = json!(name),
        _ => {}
    }
}

fn container(container: &mut Value, host_network: bool) {
    set(container, "resources", json!({}));
    set(container, "terminationMessagePath", json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", json!("File"));
    let image = text(container, "/image");
    if !image.is_empty() {
        let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
        set(container, "imagePullPolicy", json!(policy));
    }
    for port in each(container, "ports") {
        set(port, "protocol", json!("TCP"));
        if host_network && let Some(number) = port.get("containerPort").cloned() {
            set(port, "hostPort", number);
        }
    }
    for variable in each(container, "env") {
        set_in(variable, "/valueFrom/fieldRef", "apiVersion", json!("v1"));
        set_in(variable, "/valueFrom/resourceFieldRef", "divisor", json!("0"));
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe).filter(|one| one.is_object()) {
            set(probe, "timeoutSeconds", json!(1));
            set(probe, "periodSeconds", json!(10));
            set(probe, "successThreshold", json!(1));
            set(probe, "failureThreshold", json!(3));
            for field in ["timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
                // Zero counts as unset.
                if probe.get(field).and_then(Value::as_i64) == Some(0) {
                    let default = [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1)];
                    let value =
                        default.iter().find(|(name, _)| *name == field).map_or(3, |(_, value)| *value);
                    probe[field] = json!(value);
                }
            }
            http_get(probe, "/httpGet");
            set_in(probe, "/grpc", "service", json!(""));
        }
    }
    http_get(container, "/lifecycle/postStart/httpGet");
    http_get(container, "/lifecycle/preStop/httpGet");
}

fn http_get(value: &mut Value, pointer: &str) {
    set_in(value, pointer, "path", json!("/"));
    set_in(value, pointer, "scheme", json!("HTTP"));
}

/// Without a tag and a digest, the newest image is meant.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// The mode of files, 0644.
const MODE: i32 = 420;

fn volume(volume: &mut Value) {
    let sources = volume.as_object().map_or(0, |fields| fields.keys().filter(|key| *key != "name").count());
    if sources == 0 {
        volume["emptyDir"] = json!({});
    }
    for source in ["/secret", "/configMap", "/projected", "/downwardAPI"] {
        set_in(volume, source, "defaultMode", json!(MODE));
    }
    set_in(volume, "/hostPath", "type", json!(""));
    for pointer in ["/downwardAPI", "/projected"] {
        if let Some(found) = volume.pointer_mut(pointer) {
            for item in each(found, "items") {
                set_in(item, "/fieldRef", "apiVersion", json!("v1"));
            }
            for source in each(found, "sources") {
                set_in(source, "/serviceAccountToken", "expirationSeconds", json!(3_607));
                if let Some(downward) = source.get_mut("downwardAPI") {
                    for item in each(downward, "items") {
                        set_in(item, "/fieldRef", "apiVersion", json!("v1"));
                    }
                }
            }
        }
    }
    set_in(volume, "/iscsi", "iscsiInterface", json!("default"));
    if let Some(claim) = volume.pointer_mut("/ephemeral/volumeClaimTemplate/spec") {
        set(claim, "volumeMode", json!("Filesystem"));
    }
}

//! Columns and cells of each kind.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::{human, objects::at},
    Column,
};

/// How objects of a kind become rows.
pub(super) struct Kind {
    pub(super) columns: &'static [Column],
    pub(super) cells: fn(&Value, Timestamp) -> Vec<Value>,
}

/// The columns of a kind; of one that has none of its own, name and age.
pub(super) fn of(kind: &str) -> Kind {
    match kind {
        "Pod" => Kind { columns: POD, cells: pod },
        "Node" => Kind { columns: NODE, cells: node },
        "Deployment" => Kind { columns: DEPLOYMENT, cells: deployment },
        "ReplicaSet" | "ReplicationController" => Kind { columns: REPLICA_SET, cells: replica_set },
        "StatefulSet" => Kind { columns: STATEFUL_SET, cells: stateful_set },
        "DaemonSet" => Kind { columns: DAEMON_SET, cells: daemon_set },
        "Job" => Kind { columns: JOB, cells: job },
        "CronJob" => Kind { columns: CRON_JOB, cells: cron_job },
        "Service" => Kind { columns: SERVICE, cells: service },
        "Namespace" => Kind { columns: NAMESPACE, cells: namespace },
        "ConfigMap" => Kind { columns: CONFIG_MAP, cells: config_map },
        "Secret" => Kind { columns: SECRET, cells: secret },
        "HorizontalPodAutoscaler" => Kind { columns: AUTOSCALER, cells: autoscaler },
        "PodDisruptionBudget" => Kind { columns: BUDGET, cells: budget },
        "Event" => Kind { columns: EVENT, cells: event },
        "EndpointSlice" => Kind { columns: SLICE, cells: slice },
        "Lease" => Kind { columns: LEASE, cells: lease },
        "PersistentVolumeClaim" => Kind { columns: CLAIM, cells: claim },
        "PersistentVolume" => Kind { columns: VOLUME, cells: volume },
        "StorageClass" => Kind { columns: STORAGE_CLASS, cells: storage_class },
        "PriorityClass" => Kind { columns: PRIORITY_CLASS, cells: priority_class },
        _ => Kind { columns: PLAIN, cells: plain },
    }
}

const PLAIN: &[Column] = &[("Name", "string", 0), ("Age", "string", 0)];
const POD: &[Column] = &[
    ("Name", "string", 0),
    ("Ready", "string", 0),
    ("Status", "string", 0),
    ("Restarts", "string", 0),
    ("Age", "string", 0),
    ("IP", "string", 1),
    ("Node", "string", 1),
    ("Nominated Node", "string", 1),
    ("Readiness Gates", "string", 1),
];
const NODE: &[Column] = &[
    ("Name", "string", 0),
    ("Status", "string", 0),
    ("Roles", "string", 0),
    ("Age", "string", 0),
    ("Version", "string", 0),
    ("Internal-IP", "string", 1),
    ("External-IP", "string", 1),
    ("OS-Image", "string", 1),
    ("Kernel-Version", "string", 1),
    ("Container-Runtime", "string", 1),
];
const DEPLOYMENT: &[Column] = &[
    ("Name", "string", 0),
    ("Ready", "string", 0),
    ("Up-to-date", "integer", 0),
    ("Available", "integer", 0),
    ("Age", "string", 0),
    ("Containers", "string", 1),
    ("Images", "string", 1),
    ("Selector", "string", 1),
];
const REPLICA_SET: &[Column] = &[
    ("Name", "string", 0),
    ("Desired", "integer", 0),
    ("Current", "integer", 0),
    ("Ready", "integer", 0),
    ("Age", "string", 0),
    ("Containers", "string", 1),
    ("Images", "string", 1),
    ("Selector", "string", 1),
];
const STATEFUL_SET: &[Column] = &[
    ("Name", "string", 0),
    ("Ready", "string", 0),
    ("Age", "string", 0),
    ("Containers", "string", 1),
    ("Images", "string", 1),
];
const DAEMON_SET: &[Column] = &[
    ("Name", "string", 0),
    ("Desired", "integer", 0),
    ("Current", "integer", 0),
    ("Ready", "integer", 0),
    ("Up-to-date", "integer", 0),
    ("Available", "integer", 0),
    ("Node Selector", "string", 0),
    ("Age", "string", 0),
    ("Containers", "string", 1),
    ("Images", "string", 1),
    ("Selector", "string", 1),
];
const JOB: &[Column] = &[
    ("Name", "string", 0),
    ("Status", "string", 0),
    ("Completions", "string", 0),
    ("Duration", "string", 0),
    ("Age", "string", 0),
    ("Containers", "string", 1),
    ("Images", "string", 1),
    ("Selector", "string", 1),
];
const CRON_JOB: &[Column] = &[
    ("Name", "string", 0),
    ("Schedule", "string", 0),
    ("Timezone", "string", 0),
    ("Suspend", "boolean", 0),
    ("Active", "integer", 0),
    ("Last Schedule", "string", 0),
    ("Age", "string", 0),
];
const SERVICE: &[Column] = &[
    ("Name", "string", 0),
    ("Type", "string", 0),
    ("Cluster-IP", "string", 0),
    ("External-IP", "string", 0),
    ("Port(s)", "string", 0),
    ("Age", "string", 0),
    ("Selector", "string", 1),
];
const NAMESPACE: &[Column] = &[("Name", "string", 0), ("Status", "string", 0), ("Age", "string", 0)];
const CONFIG_MAP: &[Column] = &[("Name", "string", 0), ("Data", "integer", 0), ("Age", "string", 0)];
const SECRET: &[Column] =
    &[("Name", "string", 0), ("Type", "string", 0), ("Data", "integer", 0), ("Age", "string", 0)];
const AUTOSCALER: &[Column] = &[
    ("Name", "string", 0),
    ("Reference", "string", 0),
    ("Targets", "string", 0),
    ("MinPods", "string", 0),
    ("MaxPods", "integer", 0),
    ("Replicas", "integer", 0),
    ("Age", "string", 0),
];
const BUDGET: &[Column] = &[
    ("Name", "string", 0),
    ("Min Available", "string", 0),
    ("Max Unavailable", "string", 0),
    ("Allowed Disruptions", "integer", 0),
    ("Age", "string", 0),
];
const EVENT: &[Column] = &[
    ("Last Seen", "string", 0),
    ("Type", "string", 0),
    ("Reason", "string", 0),
    ("Object", "string", 0),
    ("Subobject", "string", 1),
    ("Source", "string", 1),
    ("Message", "string", 0),
    ("First Seen", "string", 1),
    ("Count", "string", 1),
    ("Name", "string", 1),
];
const SLICE: &[Column] = &[
    ("Name", "string", 0),
    ("AddressType", "string", 0),
    ("Ports", "string", 0),
    ("Endpoints", "string", 0),
    ("Age", "string", 0),
];
const LEASE: &[Column] = &[("Name", "string", 0), ("Holder", "string", 0), ("Age", "string", 0)];
const CLAIM: &[Column] = &[
    ("Name", "string", 0),
    ("Status", "string", 0),
    ("Volume", "string", 0),
    ("Capacity", "string", 0),
    ("Access Modes", "string", 0),
    ("StorageClass", "string", 0),
    ("Age", "string", 0),
];
const VOLUME: &[Column] = &[
    ("Name", "string", 0),
    ("Capacity", "string", 0),
    ("Access Modes", "string", 0),
    ("Reclaim Policy", "string", 0),
    ("Status", "string", 0),
    ("Claim", "string", 0),
    ("StorageClass", "string", 0),
    ("Age", "string", 0),
];
const STORAGE_CLASS: &[Column] = &[
    ("Name", "string", 0),
    ("Provisioner", "string", 0),
    ("ReclaimPolicy", "string", 0),
    ("VolumeBindingMode", "string", 0),
    ("AllowVolumeExpansion", "boolean", 0),
    ("Age", "string", 0),
];
const PRIORITY_CLASS: &[Column] =
    &[("Name", "string", 0), ("Value", "integer", 0), ("Global-Default", "boolean", 0), ("Age", "string", 0)];

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).and_then(Value::as_str).unwrap_or("")
}

fn number(value: &Value, pointer: &str) -> i64 {
    at(value, pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    at(value, pointer).and_then(Value::as_array).into_iter().flatten()
}

fn or_none(text: &str) -> Value {
    json!(if text.is_empty() { "<none>" } else { text })
}

fn name(value: &Value) -> Value {
    json!(text(value, "/metadata/name"))
}

fn age(value: &Value, now: Timestamp) -> Value {
    json!(human::since(at(value, "/metadata/creationTimestamp"), now))
}

fn plain(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(value), age(value, now)]
}

/// `a=b,c=d`, or `<none>`.
fn pairs(value: Option<&Value>) -> Value {
    let all: Vec<String> = value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    or_none(&all.join(","))
}

/// A label selector as kubectl writes it.
fn selector(value: Option<&Value>) -> Value {
    let Some(value) = value else { return json!("<none>") };
    let mut all: Vec<String> = value
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
        .collect();
    for one in list(value, "/matchExpressions") {
        let key = text(one, "/key");
        let values: Vec<&str> = list(one, "/values").filter_map(Value::as_str).collect();
        all.push(match text(one, "/operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    or_none(&all.join(","))
}

fn of_containers(value: &Value, field: &str) -> Value {
    let all: Vec<&str> = list(value, "/spec/template/spec/containers")
        .map(|container| container.get(field).and_then(Value::as_str).unwrap_or(""))
        .collect();
    json!(all.join(","))
}

fn has_condition(value: &Value, name: &str, status: &str) -> bool {
    list(value, "/status/conditions").any(|one| text(one, "/type") == name && text(one, "/status") == status)
}

fn pod(value: &Value, now: Timestamp) -> Vec<Value> {
    let statuses: Vec<&Value> = list(value, "/status/containerStatuses").collect();
    let ready = statuses.iter().filter(|one| one.get("ready") == Some(&json!(true))).count();
    let total = list(value, "/spec/containers").count();
    let restarts: i64 = statuses.iter().map(|one| number(one, "/restartCount")).sum();
    let gates = list(value, "/spec/readinessGates").count();
    let passed = list(value, "/spec/readinessGates")
        .filter(|gate| has_condition(value, text(gate, "/conditionType"), "True"))
        .count();
    vec![
        name(value),
        json!(format!("{ready}/{total}")),
        json!(pod_status(value)),
        json!(restarts.to_string()),
        age(value, now),
        or_none(text(value, "/status/podIP")),
        or_none(text(value, "/spec/nodeName")),
        or_none(text(value, "/status/nominatedNodeName")),
        if gates == 0 { json!("<none>") } else { json!(format!("{passed}/{gates}")) },
    ]
}

/// The phase, overruled by reasons of the pod, of its containers and of its deletion.
fn pod_status(value: &Value) -> String {
    let phase = text(value, "/status/phase");
    let mut status = match text(value, "/status/reason") {
        "" => phase.to_owned(),
        reason => reason.to_owned(),
    };
    if list(value, "/status/conditions")
        .any(|one| text(one, "/type") == "PodScheduled" && text(one, "/reason") == "SchedulingGated")
    {
        status = "SchedulingGated".into();
    }
    let mut running = false;
    for one in list(value, "/status/containerStatuses").collect::<Vec<_>>().into_iter().rev() {
        let waiting = text(one, "/state/waiting/reason");
        let ended = text(one, "/state/terminated/reason");
        if !waiting.is_empty() {
            status = waiting.to_owned();
        } else if !ended.is_empty() {
            status = ended.to_owned();
        } else if at(one, "/state/terminated").is_some() {
            status = match number(one, "/state/terminated/signal") {
                0 => format!("ExitCode:{}", number(one, "/state/terminated/exitCode")),
                signal => format!("Signal:{signal}"),
            };
        } else if one.get("ready") == Some(&json!(true)) && at(one, "/state/running").is_some() {
            running = true;
        }
    }
    if status == "Completed" && running {
        status = if has_condition(value, "Ready", "True") { "Running" } else { "NotReady" }.into();
    }
    let finished = matches!(phase, "Succeeded" | "Failed");
    if at(value, "/metadata/deletionTimestamp").is_some() {
        if text(value, "/status/reason") == "NodeLost" {
            status = "Unknown".into();
        } else if !finished {
            status = "Terminating".into();
        }
    }
    status
}

fn node(value: &Value, now: Timestamp) -> Vec<Value> {
    let ready = list(value, "/status/conditions").find(|one| text(one, "/type") == "Ready");
    let mut status = match ready.map(|one| text(one, "/status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if at(value, "/spec/unschedulable") == Some(&json!(true)) {
        status += ",SchedulingDisabled";
    }
    let mut roles: Vec<&str> = value
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) if !role.is_empty() => Some(role),
            _ if key == "kubernetes.io/role" => value.as_str(),
            _ => None,
        })
        .collect();
    roles.sort_unstable();
    let address = |of: &str| {
        or_none(
            list(value, "/status/addresses")
                .find(|one| text(one, "/type") == of)
                .map_or("", |one| text(one, "/address")),
        )
    };
    let info = |field: &str| json!(text(value, &format!("/status/nodeInfo/{field}")));
    vec![
        name(value),
        json!(status),
        or_none(&roles.join(",")),
        age(value, now),
        info("kubeletVersion"),
        address("InternalIP"),
        address("ExternalIP"),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn deployment(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(value),
        json!(format!("{}/{}", number(value, "/status/readyReplicas"), number(value, "/spec/replicas"))),
        json!(number(value, "/status/updatedReplicas")),
        json!(number(value, "/status/availableReplicas")),
        age(value, now),
        of_containers(value, "name"),
        of_containers(value, "image"),
        selector(at(value, "/spec/selector")),
    ]
}

fn replica_set(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(value),
        json!(number(value, "/spec/replicas")),
        json!(number(value, "/status/replicas")),
        json!(number(value, "/status/readyReplicas")),
        age(value, now),
        of_containers(value, "name"),
        of_containers(value, "image"),
        selector(at(value, "/spec/selector")),
    ]
}

fn stateful_set(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(value),
        json!(format!("{}/{}", number(value, "/status/readyReplicas"), number(value, "/spec/replicas"))),
        age(value, now),
        of_containers(value, "name"),
        of_containers(value, "image"),
    ]
}

fn daemon_set(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(value),
        json!(number(value, "/status/desiredNumberScheduled")),
        json!(number(value, "/status/currentNumberScheduled")),
        json!(number(value, "/status/numberReady")),
        json!(number(value, "/status/updatedNumberScheduled")),
        json!(number(value, "/status/numberAvailable")),
        pairs(at(value, "/spec/template/spec/nodeSelector")),
        age(value, now),
        of_containers(value, "name"),
        of_containers(value, "image"),
        selector(at(value, "/spec/selector")),
    ]
}

fn job(value: &Value, now: Timestamp) -> Vec<Value> {
    let status = if has_condition(value, "Complete", "True") {
        "Complete"
    } else if has_condition(value, "Failed", "True") {
        "Failed"
    } else if at(value, "/metadata/deletionTimestamp").is_some() {
        "Terminating"
    } else if at(value, "/spec/suspend") == Some(&json!(true)) {
        "Suspended"
    } else {
        "Running"
    };
    let completions = at(value, "/spec/completions").and_then(Value::as_i64).unwrap_or(1);
    let time = |pointer: &str| {
        at(value, pointer).and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok())
    };
    let duration = time("/status/startTime").map_or(String::new(), |started| {
        let ended = time("/status/completionTime").unwrap_or(now);
        human::span(ended.as_second() - started.as_second())
    });
    vec![
        name(value),
        json!(status),
        json!(format!("{}/{completions}", number(value, "/status/succeeded"))),
        json!(duration),
        age(value, now),
        of_containers(value, "name"),
        of_containers(value, "image"),
        selector(at(value, "/spec/selector")),
    ]
}

fn cron_job(value: &Value, now: Timestamp) -> Vec<Value> {
    let last = at(value, "/status/lastScheduleTime");
    vec![
        name(value),
        json!(text(value, "/spec/schedule")),
        or_none(text(value, "/spec/timeZone")),
        at(value, "/spec/suspend").cloned().unwrap_or(json!(false)),
        json!(list(value, "/status/active").count()),
        if last.is_some() { json!(human::since(last, now)) } else { json!("<none>") },
        age(value, now),
    ]
}

fn service(value: &Value, now: Timestamp) -> Vec<Value> {
    let of_type = text(value, "/spec/type");
    let ingress: Vec<&str> = list(value, "/status/loadBalancer/ingress")
        .map(|one| if text(one, "/ip").is_empty() { text(one, "/hostname") } else { text(one, "/ip") })
        .collect();
    let external: Vec<&str> = list(value, "/spec/externalIPs").filter_map(Value::as_str).collect();
    let shown = match of_type {
        "ExternalName" => text(value, "/spec/externalName").to_owned(),
        "LoadBalancer" if ingress.is_empty() && external.is_empty() => "<pending>".into(),
        "LoadBalancer" => [ingress, external].concat().join(","),
        _ if external.is_empty() => "<none>".into(),
        _ => external.join(","),
    };
    let ports: Vec<String> = list(value, "/spec/ports")
        .map(|port| {
            let node = match number(port, "/nodePort") {
                0 => String::new(),
                node => format!(":{node}"),
            };
            format!("{}{node}/{}", number(port, "/port"), text(port, "/protocol"))
        })
        .collect();
    vec![
        name(value),
        json!(of_type),
        or_none(text(value, "/spec/clusterIP")),
        json!(shown),
        or_none(&ports.join(",")),
        age(value, now),
        pairs(at(value, "/spec/selector")),
    ]
}

fn namespace(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(value), json!(text(value, "/status/phase")), age(value, now)]
}

fn entries(value: &Value, keys: [&str; 2]) -> Value {
    let of = |key: &str| value.get(key).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    json!(keys.map(of).iter().sum::<usize>())
}

fn config_map(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(value), entries(value, ["data", "binaryData"]), age(value, now)]
}

fn secret(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(value), json!(text(value, "/type")), entries(value, ["data", "stringData"]), age(value, now)]
}

fn autoscaler(value: &Value, now: Timestamp) -> Vec<Value> {
    let reference =
        format!("{}/{}", text(value, "/spec/scaleTargetRef/kind"), text(value, "/spec/scaleTargetRef/name"));
    let targets: Vec<String> = list(value, "/spec/metrics")
        .map(|metric| {
            let resource = text(metric, "/resource/name");
            let current = list(value, "/status/currentMetrics")
                .find(|one| text(one, "/resource/name") == resource)
                .and_then(|one| at(one, "/resource/current/averageUtilization")?.as_i64())
                .map_or_else(|| "<unknown>".into(), |value| format!("{value}%"));
            match at(metric, "/resource/target/averageUtilization") {
                Some(target) => format!("{resource}: {current}/{target}%"),
                None => format!("{current}/<unknown>"),
            }
        })
        .collect();
    let targets = if targets.is_empty() { "<none>".into() } else { targets.join(", ") };
    let least = at(value, "/spec/minReplicas").map_or("<unset>".into(), Value::to_string);
    vec![
        name(value),
        json!(reference),
        json!(targets),
        json!(least),
        json!(number(value, "/spec/maxReplicas")),
        json!(number(value, "/status/currentReplicas")),
        age(value, now),
    ]
}

fn budget(value: &Value, now: Timestamp) -> Vec<Value> {
    let limit = |field: &str| match at(value, &format!("/spec/{field}")) {
        None | Some(Value::Null) => json!("N/A"),
        Some(Value::String(text)) => json!(text),
        Some(other) => json!(other.to_string()),
    };
    vec![
        name(value),
        limit("minAvailable"),
        limit("maxUnavailable"),
        json!(number(value, "/status/disruptionsAllowed")),
        age(value, now),
    ]
}

fn event(value: &Value, now: Timestamp) -> Vec<Value> {
    let first = value.get("firstTimestamp").filter(|at| !at.is_null()).or(value.get("eventTime"));
    let last = value.get("lastTimestamp").filter(|at| !at.is_null()).or(first);
    let object = format!(
        "{}/{}",
        text(value, "/involvedObject/kind").to_lowercase(),
        text(value, "/involvedObject/name")
    );
    let source = match text(value, "/source/component") {
        "" => text(value, "/reportingComponent").to_owned(),
        component if text(value, "/source/host").is_empty() => component.to_owned(),
        component => format!("{component}, {}", text(value, "/source/host")),
    };
    vec![
        json!(human::since(last, now)),
        json!(text(value, "/type")),
        json!(text(value, "/reason")),
        json!(object),
        json!(text(value, "/involvedObject/fieldPath")),
        json!(source),
        json!(text(value, "/message").trim()),
        json!(human::since(first, now)),
        json!(number(value, "/count").max(1)),
        name(value),
    ]
}

fn slice(value: &Value, now: Timestamp) -> Vec<Value> {
    let ports: Vec<String> = list(value, "/ports").map(|port| number(port, "/port").to_string()).collect();
    let addresses: Vec<&str> =
        list(value, "/endpoints").flat_map(|one| list(one, "/addresses")).filter_map(Value::as_str).collect();
    let (shown, rest) = addresses.split_at(addresses.len().min(3));
    let mut endpoints = shown.join(",");
    if !rest.is_empty() {
        endpoints = format!("{endpoints} + {} more...", rest.len());
    }
    let unset = |text: &str| json!(if text.is_empty() { "<unset>" } else { text });
    vec![
        name(value),
        json!(text(value, "/addressType")),
        unset(&ports.join(",")),
        unset(&endpoints),
        age(value, now),
    ]
}

fn lease(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(value), json!(text(value, "/spec/holderIdentity")), age(value, now)]
}

fn modes(value: &Value) -> Value {
    let all: Vec<&str> = list(value, "/spec/accessModes")
        .filter_map(Value::as_str)
        .map(|mode| match mode {
            "ReadWriteOnce" => "RWO",
            "ReadOnlyMany" => "ROX",
            "ReadWriteMany" => "RWX",
            "ReadWriteOncePod" => "RWOP",
            other => other,
        })
        .collect();
    json!(all.join(","))
}

fn claim(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(value),
        json!(text(value, "/status/phase")),
        json!(text(value, "/spec/volumeName")),
        json!(text(value, "/status/capacity/storage")),
        modes(value),
        json!(text(value, "/spec/storageClassName")),
        age(value, now),
    ]
}

fn volume(value: &Value, now: Timestamp) -> Vec<Value> {
    let claim = match text(value, "/spec/claimRef/name") {
        "" => String::new(),
        name => format!("{}/{name}", text(value, "/spec/claimRef/namespace")),
    };
    vec![
        name(value),
        json!(text(value, "/spec/capacity/storage")),
        modes(value),
        json!(text(value, "/spec/persistentVolumeReclaimPolicy")),
        json!(text(value, "/status/phase")),
        json!(claim),
        json!(text(value, "/spec/storageClassName")),
        age(value, now),
    ]
}

fn storage_class(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(value),
        json!(text(value, "/provisioner")),
        json!(text(value, "/reclaimPolicy")),
        json!(text(value, "/volumeBindingMode")),
        value.get("allowVolumeExpansion").cloned().unwrap_or(json!(false)),
        age(value, now),
    ]
}

fn priority_class(value: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(value),
        json!(number(value, "/value")),
        value.get("globalDefault").cloned().unwrap_or(json!(false)),
        age(value, now),
    ]
}

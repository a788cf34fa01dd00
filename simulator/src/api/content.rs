//! From what a client sent to an object as the server would store it: known fields only, of the right types, without what
//! means nothing.
//!
//! The server's own types decide what is a field. What it leaves out when it writes (empty lists, flags that are not
//! set) is left out here as well, so that equal objects are equal texts.

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, discovery::v1 as discovery, networking::v1 as networking, policy::v1 as policy,
    rbac::v1 as rbac, scheduling::v1 as scheduling, storage::v1 as storage,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::resources::Resource;

mod quantity;

pub(super) use quantity::canonical;

/// What was made of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decoded {
    pub(super) value: Value,
    /// Fields that were sent and mean nothing to the server, as paths.
    pub(super) unknown: Vec<String>,
}

/// Reads an object of a resource.
///
/// # Errors
///
/// A field is of the wrong type; in words for people.
pub(super) fn decode(resource: &Resource, sent: &Value) -> Result<Decoded, String> {
    let mut value = match typed(resource, sent) {
        Some(read) => read?,
        None => sent.clone(),
    };
    let mut unknown = Vec::new();
    compare(sent, &value, &mut String::new(), &mut unknown);
    if !value.is_object() {
        value = json!({});
    }
    tidy(&mut value, "");
    value["kind"] = json!(resource.kind);
    value["apiVersion"] = json!(resource.api_version());
    Ok(Decoded { value, unknown })
}

fn round<T: DeserializeOwned + Serialize>(sent: &Value) -> Result<Value, String> {
    let read: T = serde_path_to_error::deserialize(sent).map_err(|error| error.to_string())?;
    serde_json::to_value(read).map_err(|error| error.to_string())
}

/// The object through the type of its kind; `None` for kinds that are only stored.
fn typed(resource: &Resource, sent: &Value) -> Option<Result<Value, String>> {
    let read = match (resource.group.as_str(), resource.kind.as_str()) {
        ("", "Pod") => round::<core::Pod>,
        ("", "Node") => round::<core::Node>,
        ("", "Service") => round::<core::Service>,
        ("", "ConfigMap") => round::<core::ConfigMap>,
        ("", "Secret") => round::<core::Secret>,
        ("", "Event") => round::<core::Event>,
        ("", "Namespace") => round::<core::Namespace>,
        ("", "ServiceAccount") => round::<core::ServiceAccount>,
        ("", "Endpoints") => round::<core::Endpoints>,
        ("", "LimitRange") => round::<core::LimitRange>,
        ("", "ResourceQuota") => round::<core::ResourceQuota>,
        ("", "PersistentVolume") => round::<core::PersistentVolume>,
        ("", "PersistentVolumeClaim") => round::<core::PersistentVolumeClaim>,
        ("", "ReplicationController") => round::<core::ReplicationController>,
        ("", "PodTemplate") => round::<core::PodTemplate>,
        ("apps", "Deployment") => round::<apps::Deployment>,
        ("apps", "ReplicaSet") => round::<apps::ReplicaSet>,
        ("apps", "StatefulSet") => round::<apps::StatefulSet>,
        ("apps", "DaemonSet") => round::<apps::DaemonSet>,
        ("apps", "ControllerRevision") => round::<apps::ControllerRevision>,
        ("autoscaling", "HorizontalPodAutoscaler") => round::<autoscaling::HorizontalPodAutoscaler>,
        ("batch", "Job") => round::<batch::Job>,
        ("batch", "CronJob") => round::<batch::CronJob>,
        ("coordination.k8s.io", "Lease") => round::<coordination::Lease>,
        ("discovery.k8s.io", "EndpointSlice") => round::<discovery::EndpointSlice>,
        ("networking.k8s.io", "Ingress") => round::<networking::Ingress>,
        ("networking.k8s.io", "IngressClass") => round::<networking::IngressClass>,
        ("networking.k8s.io", "NetworkPolicy") => round::<networking::NetworkPolicy>,
        ("policy", "PodDisruptionBudget") => round::<policy::PodDisruptionBudget>,
        ("rbac.authorization.k8s.io", "Role") => round::<rbac::Role>,
        ("rbac.authorization.k8s.io", "RoleBinding") => round::<rbac::RoleBinding>,
        ("rbac.authorization.k8s.io", "ClusterRole") => round::<rbac::ClusterRole>,
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => round::<rbac::ClusterRoleBinding>,
        ("scheduling.k8s.io", "PriorityClass") => round::<scheduling::PriorityClass>,
        ("storage.k8s.io", "StorageClass") => round::<storage::StorageClass>,
        _ => return None,
    };
    Some(read(sent))
}

/// Finds the fields of `sent` that `read` lacks.
fn compare(sent: &Value, read: &Value, path: &mut String, unknown: &mut Vec<String>) {
    match (sent, read) {
        (Value::Object(sent), Value::Object(read)) => {
            for (key, value) in sent.iter().filter(|(_, value)| !value.is_null()) {
                let length = path.len();
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                match read.get(key) {
                    Some(found) => compare(value, found, path, unknown),
                    None => unknown.push(path.clone()),
                }
                path.truncate(length);
            }
        }
        (Value::Array(sent), Value::Array(read)) => {
            for (index, (sent, read)) in sent.iter().zip(read).enumerate() {
                let length = path.len();
                path.push_str(&format!("[{index}]"));
                compare(sent, read, path, unknown);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// Fields whose maps belong to users: an empty one is left out, values in it never are.
const MAPS: &[&str] = &[
    "labels",
    "annotations",
    "nodeSelector",
    "matchLabels",
    "data",
    "binaryData",
    "stringData",
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "hard",
    "used",
    "overhead",
    "parameters",
    "default",
    "defaultRequest",
    "max",
    "min",
    "maxLimitRequestRatio",
    "volumeAttributes",
    "disruptedPods",
    "deprecatedTopology",
    "allocatedResources",
];

/// Maps of quantities.
const QUANTITIES: &[&str] = &[
    "limits",
    "requests",
    "capacity",
    "allocatable",
    "hard",
    "used",
    "overhead",
    "default",
    "defaultRequest",
    "max",
    "min",
    "maxLimitRequestRatio",
    "allocatedResources",
];

/// Fields that are quantities.
const QUANTITY: &[&str] = &["sizeLimit", "divisor", "averageValue"];

/// Texts that may be empty and still say something, because the field may also be absent.
const EMPTY_TEXTS: &[&str] = &[
    "storageClassName",
    "volumeName",
    "value",
    "ingressClassName",
    "loadBalancerClass",
    "holderIdentity",
    "name",
    "fieldPath",
    "message",
    "type",
    "image",
    "imageID",
    "clusterIP",
    "namespace",
];

/// Flags that are left out while they are not set.
const FLAGS: &[&str] = &[
    "unschedulable",
    "paused",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
    "publishNotReadyAddresses",
    "globalDefault",
    "wildcard",
    "healthy",
];

/// Numbers that are left out while they are 0.
const NUMBERS: &[&str] = &[
    "minReadySeconds",
    "initialDelaySeconds",
    "hostPort",
    "nodePort",
    "healthCheckNodePort",
    "observedGeneration",
    "generation",
    "availableReplicas",
    "readyReplicas",
    "updatedReplicas",
    "unavailableReplicas",
    "fullyLabeledReplicas",
    "numberAvailable",
    "numberUnavailable",
    "updatedNumberScheduled",
];

/// Lists that are written even if they are empty.
const EMPTY_LISTS: &[&str] = &["endpoints", "items", "rules", "containers"];

/// Leaves out what the server leaves out, below `field`.
fn tidy(value: &mut Value, field: &str) {
    match value {
        Value::Object(fields) if is_map(field, fields) => {
            fields.retain(|_, value| !value.is_null());
            if QUANTITIES.contains(&field) {
                for quantity in fields.values_mut() {
                    tidy_quantity(quantity);
                }
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                tidy(value, key);
                if QUANTITY.contains(&key.as_str()) {
                    tidy_quantity(value);
                }
            }
            fields.retain(|key, value| !is_nothing(key, value));
        }
        Value::Array(items) => {
            for item in items {
                tidy(item, "");
            }
        }
        _ => {}
    }
}

fn tidy_quantity(value: &mut Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if let Some(text) = canonical(&text) {
        *value = Value::String(text);
    }
}

/// A Service's selector and labels are maps of users; other selectors have fields.
fn is_map(field: &str, fields: &Map<String, Value>) -> bool {
    MAPS.contains(&field)
        || field == "selector" && !fields.is_empty() && fields.values().all(Value::is_string)
}

fn is_nothing(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty() && !EMPTY_LISTS.contains(&key),
        Value::Object(fields) => fields.is_empty() && MAPS.contains(&key),
        Value::String(text) => text.is_empty() && (!EMPTY_TEXTS.contains(&key) || key == "value"),
        Value::Bool(false) => FLAGS.contains(&key),
        Value::Number(number) => number.as_i64() == Some(0) && NUMBERS.contains(&key),
        Value::Bool(true) => false,
    }
}

//! From the API's objects to the view: what a decision reads of each kind, and the API's defaults where a field is absent.
//!
//! One function a kind. None fails: an object that an API server has stored is valid, and what is absent from it has a
//! default. Numbers below zero, which the API refuses, count as zero.

mod specification;
mod workloads;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        autoscaling::v2 as autoscaling, coordination::v1 as coordination, core::v1 as core,
        policy::v1 as policy,
    },
    apimachinery::pkg::{
        apis::meta::v1::{
            LabelSelector, LabelSelectorRequirement, ManagedFieldsEntry, ObjectMeta, OwnerReference,
        },
        util::intstr::IntOrString,
    },
};
use serde_json::Value;

pub use self::workloads::{daemon_set, deployment, pod, replica_set, stateful_set};
use crate::{
    quantity,
    view::{
        DisruptionBudget, HorizontalPodAutoscaler, JournalObject, Lease, Meta, Node, ObjectName, Owner,
        OwnerKind, ResourceQuota, Resources, Service, StringMap, VerticalPodAutoscaler, VolumeClaim,
    },
};

/// Label that KEDA puts on the autoscalers it owns.
const KEDA: &str = "scaledobject.keda.sh/name";

/// What every object carries.
pub fn meta(from: &ObjectMeta) -> Meta {
    Meta {
        name: ObjectName {
            namespace: from.namespace.as_deref().unwrap_or("").into(),
            name: from.name.as_deref().unwrap_or("").into(),
        },
        uid: from.uid.as_deref().unwrap_or("").into(),
        // Opaque by contract, a number by practice; the same object's later version has the larger one.
        resource_version: from.resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0),
        labels: texts(from.labels.as_ref()),
        annotations: texts(from.annotations.as_ref()).into(),
        created_at: from.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        deleting: from.deletion_timestamp.is_some(),
    }
}

/// A Node.
pub fn node(from: &core::Node) -> Node {
    let meta = meta(&from.metadata);
    let spec = from.spec.as_ref();
    let status = from.status.as_ref();
    let allocatable = status.and_then(|status| status.allocatable.as_ref().or(status.capacity.as_ref()));
    let amount = |name: &str| allocatable.and_then(|all| all.get(name)).map(|quantity| quantity.0.as_str());
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let label = |key: &str| meta.labels.get(key).map(|value| Arc::from(value.as_str()));
    Node {
        provider_id: spec.and_then(|spec| spec.provider_id.as_deref()).map(Arc::from),
        taints: Arc::new(spec.and_then(|spec| spec.taints.clone()).unwrap_or_default()),
        unschedulable: spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
        ready: conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        zone: label("topology.kubernetes.io/zone"),
        node_group: label("eks.amazonaws.com/nodegroup"),
        allocatable: Resources {
            cpu_milli: amount("cpu").and_then(quantity::milli).unwrap_or(0),
            memory: amount("memory").and_then(quantity::whole).unwrap_or(0),
            pods: amount("pods").and_then(quantity::whole).unwrap_or(0),
        },
        kubelet_version: status
            .and_then(|status| status.node_info.as_ref())
            .map_or("", |info| &info.kubelet_version)
            .into(),
        meta,
    }
}

/// A HorizontalPodAutoscaler.
pub fn horizontal_pod_autoscaler(from: &autoscaling::HorizontalPodAutoscaler) -> HorizontalPodAutoscaler {
    let meta = meta(&from.metadata);
    let target = &from.spec.scale_target_ref;
    HorizontalPodAutoscaler {
        target: (target.kind.as_str().into(), target.name.as_str().into()),
        min: count(from.spec.min_replicas, 1),
        max: count(Some(from.spec.max_replicas), 0),
        keda: meta.labels.contains_key(KEDA),
        meta,
    }
}

/// A PodDisruptionBudget.
pub fn disruption_budget(from: &policy::PodDisruptionBudget) -> DisruptionBudget {
    let spec = from.spec.as_ref();
    let status = from.status.as_ref();
    DisruptionBudget {
        meta: meta(&from.metadata),
        // Absent is not the same as empty. Source: Kubernetes API, `PodDisruptionBudgetSpec`, selector.
        selector: Arc::new(spec.and_then(|spec| spec.selector.clone()).unwrap_or_else(nothing)),
        min_available: spec.and_then(|spec| spec.min_available.as_ref()).map(written),
        max_unavailable: spec.and_then(|spec| spec.max_unavailable.as_ref()).map(written),
        disruptions_allowed: status.and_then(|status| status.disruptions_allowed).unwrap_or(0),
        desired_healthy: status.and_then(|status| status.desired_healthy).unwrap_or(0),
    }
}

/// A selector that selects nothing: no label is there and not there.
pub fn nothing() -> LabelSelector {
    let rule = |operator: &str| LabelSelectorRequirement {
        key: "nothing".to_owned(),
        operator: operator.to_owned(),
        values: None,
    };
    LabelSelector { match_labels: None, match_expressions: Some(vec![rule("Exists"), rule("DoesNotExist")]) }
}

/// A VerticalPodAutoscaler of any version, as JSON. Source: autoscaler `vertical-pod-autoscaler/docs/api.md`.
pub fn vertical_pod_autoscaler(from: &Value) -> VerticalPodAutoscaler {
    let text = |place: &str, default: &str| {
        let value = from.pointer(place).and_then(Value::as_str);
        Arc::from(value.filter(|value| !value.is_empty()).unwrap_or(default))
    };
    VerticalPodAutoscaler {
        target: (text("/spec/targetRef/kind", ""), text("/spec/targetRef/name", "")),
        mode: text("/spec/updatePolicy/updateMode", "Recreate"),
    }
}

/// Who manages `spec.replicas`, each once, in order.
pub fn replicas_managers(entries: Option<&[ManagedFieldsEntry]>) -> Arc<[Arc<str>]> {
    let manages = |entry: &&ManagedFieldsEntry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.pointer("/f:spec/f:replicas").is_some())
    };
    let managers = entries.into_iter().flatten().filter(manages);
    let names: BTreeSet<&str> = managers.filter_map(|entry| entry.manager.as_deref()).collect();
    names.into_iter().map(Arc::from).collect()
}

/// A Service.
pub fn service(from: &core::Service) -> Service {
    let spec = from.spec.as_ref();
    let ingress = from
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref()?.first()?.hostname.as_deref());
    let word =
        |field: fn(&core::ServiceSpec) -> &Option<String>| spec.and_then(|spec| field(spec).as_deref());
    Service {
        meta: meta(&from.metadata),
        load_balancer: word(|spec| &spec.type_) == Some("LoadBalancer"),
        load_balancer_class: word(|spec| &spec.load_balancer_class).map(Arc::from),
        local: word(|spec| &spec.external_traffic_policy) == Some("Local"),
        selector: texts(spec.and_then(|spec| spec.selector.as_ref())),
        hostname: ingress.map(Arc::from),
    }
}

/// A ResourceQuota.
pub fn resource_quota(from: &core::ResourceQuota) -> ResourceQuota {
    let hard = from.spec.as_ref().and_then(|spec| spec.hard.as_ref());
    let used = from.status.as_ref().and_then(|status| status.used.as_ref());
    let amount = |key: &str, text: &str| {
        if key.ends_with("cpu") { quantity::milli(text) } else { quantity::whole(text) }.unwrap_or(0)
    };
    let of = |key: &String, hard: &str| {
        let used = used.and_then(|used| used.get(key)).map_or(0, |used| amount(key, &used.0));
        (key.clone(), (amount(key, hard), used))
    };
    ResourceQuota {
        meta: meta(&from.metadata),
        hard_and_used: hard.into_iter().flatten().map(|(key, hard)| of(key, &hard.0)).collect(),
    }
}

/// A PersistentVolumeClaim, with the volume that it is bound to, if that is known.
pub fn volume_claim(
    from: &core::PersistentVolumeClaim,
    volume: Option<&core::PersistentVolume>,
) -> VolumeClaim {
    let modes = from.spec.as_ref().and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default();
    let terms = volume
        .and_then(|volume| volume.spec.as_ref()?.node_affinity.as_ref()?.required.as_ref())
        .map_or(&[][..], |required| &required.node_selector_terms);
    let expressions = terms.iter().flat_map(|term| term.match_expressions.iter().flatten());
    let zones = expressions.filter(|expression| expression.key.ends_with("/zone"));
    VolumeClaim {
        meta: meta(&from.metadata),
        single_node: !modes.iter().any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany"),
        zones: zones.flat_map(|zone| zone.values.iter().flatten()).map(|zone| zone.as_str().into()).collect(),
    }
}

/// The journal.
pub fn journal(from: &core::ConfigMap) -> JournalObject {
    JournalObject { meta: meta(&from.metadata), data: from.data.clone().unwrap_or_default().into() }
}

/// The lock, as first seen at that time by our own clock.
pub fn lease(from: &coordination::Lease, seen_at: Timestamp) -> Lease {
    let spec = from.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or(0);
    Lease {
        meta: meta(&from.metadata),
        holder: spec.and_then(|spec| spec.holder_identity.as_deref()).unwrap_or("").into(),
        duration: Duration::from_secs(u64::try_from(seconds).unwrap_or(0)),
        renewed_at: spec
            .and_then(|spec| spec.renew_time.as_ref())
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        seen_at,
    }
}

/// The owner that is the controller.
fn controller(from: &ObjectMeta) -> Option<&OwnerReference> {
    from.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

fn owner(from: &ObjectMeta, kind: impl FnOnce(&str) -> OwnerKind) -> Option<Owner> {
    controller(from).map(|owner| Owner {
        kind: kind(&owner.kind),
        name: owner.name.as_str().into(),
        uid: owner.uid.as_str().into(),
    })
}

fn texts(from: Option<&BTreeMap<String, String>>) -> StringMap {
    from.map_or_else(Default::default, |from| Arc::new(from.clone()))
}

fn written(value: &IntOrString) -> Arc<str> {
    match value {
        IntOrString::Int(number) => number.to_string().into(),
        IntOrString::String(text) => text.as_str().into(),
    }
}

fn count(value: Option<i32>, default: u32) -> u32 {
    value.map_or(default, |value| u32::try_from(value).unwrap_or(0))
}

#[cfg(test)]
mod tests;

//! Pods and the workloads that make them.

use std::sync::Arc;

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core};

use super::{count, meta, owner, replicas_managers, specification::pod_spec, texts, written};
use crate::view::{
    DaemonSet, Deployment, OwnerKind, Pod, PodPhase, PodSpec, ReplicaSet, StatefulSet, StringMap,
};

/// A Pod.
pub fn pod(from: &core::Pod) -> Pod {
    let status = from.status.as_ref();
    let condition = |kind: &str| {
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        conditions.iter().find(|condition| condition.type_ == kind)
    };
    let meta = meta(&from.metadata);
    Pod {
        owner: owner(&from.metadata, |kind| match kind {
            "ReplicaSet" => OwnerKind::ReplicaSet,
            "StatefulSet" => OwnerKind::StatefulSet,
            "DaemonSet" => OwnerKind::DaemonSet,
            "Job" => OwnerKind::Job,
            "Node" => OwnerKind::Node,
            _ => OwnerKind::Other,
        }),
        node: from.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).map(Arc::from),
        ip: status.and_then(|status| status.pod_ip.as_deref()).map(Arc::from),
        phase: match status.and_then(|status| status.phase.as_deref()) {
            Some("Running") => PodPhase::Running,
            Some("Succeeded") => PodPhase::Succeeded,
            Some("Failed") => PodPhase::Failed,
            Some("Unknown") => PodPhase::Unknown,
            _ => PodPhase::Pending,
        },
        ready_since: condition("Ready")
            .filter(|ready| ready.status == "True")
            .map(|ready| ready.last_transition_time.as_ref().map_or(meta.created_at, |time| time.0)),
        unschedulable: condition("PodScheduled")
            .filter(|scheduled| scheduled.status == "False")
            .map(|scheduled| scheduled.message.as_deref().unwrap_or("unschedulable").into()),
        spec: Arc::new(pod_spec(from.spec.as_ref().unwrap_or(&core::PodSpec::default()))),
        meta,
    }
}

/// A Deployment.
pub fn deployment(from: &apps::Deployment) -> Deployment {
    let spec = from.spec.as_ref();
    let status = from.status.as_ref();
    let (template_labels, template) = template(spec.map(|spec| &spec.template));
    let strategy = spec.and_then(|spec| spec.strategy.as_ref()?.type_.as_deref());
    Deployment {
        meta: meta(&from.metadata),
        replicas: count(spec.and_then(|spec| spec.replicas), 1),
        selector: Arc::new(spec.map(|spec| spec.selector.clone()).unwrap_or_default()),
        template_labels,
        template,
        generation: from.metadata.generation.unwrap_or(0),
        observed_generation: status.and_then(|status| status.observed_generation).unwrap_or(0),
        status_replicas: count(status.and_then(|status| status.replicas), 0),
        ready_replicas: count(status.and_then(|status| status.ready_replicas), 0),
        updated_replicas: count(status.and_then(|status| status.updated_replicas), 0),
        paused: spec.and_then(|spec| spec.paused).unwrap_or(false),
        recreate: strategy == Some("Recreate"),
        max_surge: spec
            .and_then(|spec| spec.strategy.as_ref()?.rolling_update.as_ref()?.max_surge.as_ref())
            .map_or("25%".into(), written),
        replicas_managers: replicas_managers(from.metadata.managed_fields.as_deref()),
    }
}

/// A ReplicaSet.
pub fn replica_set(from: &apps::ReplicaSet) -> ReplicaSet {
    ReplicaSet {
        meta: meta(&from.metadata),
        owner: owner(&from.metadata, |_| OwnerKind::Other),
        replicas: count(from.spec.as_ref().and_then(|spec| spec.replicas), 1),
        status_replicas: count(from.status.as_ref().map(|status| status.replicas), 0),
    }
}

/// A StatefulSet.
pub fn stateful_set(from: &apps::StatefulSet) -> StatefulSet {
    let spec = from.spec.as_ref();
    let status = from.status.as_ref();
    let (template_labels, template) = template(spec.map(|spec| &spec.template));
    StatefulSet {
        meta: meta(&from.metadata),
        replicas: count(spec.and_then(|spec| spec.replicas), 1),
        template_labels,
        template,
        generation: from.metadata.generation.unwrap_or(0),
        observed_generation: status.and_then(|status| status.observed_generation).unwrap_or(0),
        ready_replicas: count(status.and_then(|status| status.ready_replicas), 0),
        parallel: spec.and_then(|spec| spec.pod_management_policy.as_deref()) == Some("Parallel"),
        has_volumes: spec
            .is_some_and(|spec| spec.volume_claim_templates.as_ref().is_some_and(|all| !all.is_empty())),
    }
}

/// A DaemonSet.
pub fn daemon_set(from: &apps::DaemonSet) -> DaemonSet {
    let (template_labels, template) = template(from.spec.as_ref().map(|spec| &spec.template));
    DaemonSet { meta: meta(&from.metadata), template_labels, template }
}

fn template(from: Option<&core::PodTemplateSpec>) -> (StringMap, Arc<PodSpec>) {
    let labels = from.and_then(|template| template.metadata.as_ref()?.labels.as_ref());
    let spec = from.and_then(|template| template.spec.as_ref());
    (texts(labels), Arc::new(pod_spec(spec.unwrap_or(&core::PodSpec::default()))))
}

//! What the world runs, in the form that the API server shows: the body as it was imported, written or made from a
//! template, with the present state laid over it.
//!
//! Unlike an export ([`World::render`]), which changes as little as it can, a document is complete: clients decide by
//! conditions, counts and container states.

use serde_json::{Map, Value, json};

use super::{
    Instant, World,
    objects::{Body, Meta, WorkloadStatus},
    render::{at, at_list, put},
    store::ObjectId,
};

mod made;
mod node;
mod pod;

impl World {
    /// An object in the API's form, as it is now or, where it is gone, as it was last.
    pub(super) fn document(&self, id: ObjectId) -> Value {
        match id {
            ObjectId::Node(id) => self.node_document(id),
            ObjectId::Pod(id) => self.pod_document(id),
            ObjectId::Deployment(id) => {
                let state = self.deployments.last(id);
                let mut value = self.body(&state.meta, "apps/v1", "Deployment", true);
                put(at(&mut value, "spec"), "replicas", Some(json!(state.replicas)));
                let status = at(&mut value, "status");
                put_counts(status, &state.status);
                let unavailable = state.replicas.saturating_sub(state.status.available);
                put_count(status, "unavailableReplicas", unavailable);
                self.put_progress(&mut value, id);
                value
            }
            ObjectId::ReplicaSet(id) => {
                let state = self.replica_sets.last(id);
                let mut value = match state.meta.body {
                    Body::Made => self.made_replica_set(id),
                    _ => Value::Null,
                };
                if value.is_null() {
                    value = self.body(&state.meta, "apps/v1", "ReplicaSet", true);
                } else {
                    self.put_meta(&mut value, &state.meta, true);
                }
                put(at(&mut value, "spec"), "replicas", Some(json!(state.replicas)));
                let status = at(&mut value, "status");
                put_counts(status, &WorkloadStatus { updated: 0, ..state.status });
                put(status, "replicas", Some(json!(state.status.replicas)));
                put_count(status, "fullyLabeledReplicas", state.status.replicas);
                value
            }
            ObjectId::StatefulSet(id) => {
                let state = self.stateful_sets.last(id);
                let mut value = self.body(&state.meta, "apps/v1", "StatefulSet", true);
                put(at(&mut value, "spec"), "replicas", Some(json!(state.replicas)));
                let revision = self.revision_name(&state.meta.name, value.pointer("/spec/template"));
                let current = match self.owners.stateful_revisions.get(&id) {
                    Some((_, before)) if state.status.updated < state.status.replicas => before.clone(),
                    _ => revision.clone(),
                };
                let status = at(&mut value, "status");
                put_counts(status, &state.status);
                put(status, "replicas", Some(json!(state.status.replicas)));
                put(status, "availableReplicas", Some(json!(state.status.available)));
                put_count(status, "currentReplicas", state.status.replicas);
                put(status, "currentRevision", Some(json!(current)));
                put(status, "updateRevision", Some(json!(revision)));
                put(status, "collisionCount", Some(json!(0)));
                value
            }
            ObjectId::DaemonSet(id) => {
                let state = self.daemon_sets.last(id);
                let mut value = self.body(&state.meta, "apps/v1", "DaemonSet", true);
                let pods = self.daemon_set_counts(id);
                let status = at(&mut value, "status");
                for (key, count) in [
                    ("currentNumberScheduled", pods.scheduled),
                    ("desiredNumberScheduled", pods.scheduled),
                    ("numberMisscheduled", 0),
                    ("numberReady", pods.ready),
                    ("numberAvailable", pods.ready),
                    ("updatedNumberScheduled", pods.updated),
                ] {
                    put(status, key, Some(json!(count)));
                }
                put_count(status, "numberUnavailable", pods.scheduled - pods.ready);
                put(status, "observedGeneration", Some(json!(state.meta.generation)));
                value
            }
            ObjectId::Job(id) => {
                let state = self.jobs.last(id);
                let mut value = self.body(&state.meta, "batch/v1", "Job", true);
                let active = self.active_pods_of_job(id);
                let status = at(&mut value, "status");
                put_count(status, "active", active);
                put_count(status, "ready", active);
                put_count(status, "succeeded", state.succeeded);
                put_count(status, "failed", state.failed);
                value
            }
            ObjectId::HorizontalPodAutoscaler(id) => {
                let state = self.autoscalers.last(id);
                let mut value = self.body(&state.meta, "autoscaling/v2", "HorizontalPodAutoscaler", false);
                let spec = at(&mut value, "spec");
                put(spec, "minReplicas", Some(json!(state.min)));
                put(spec, "maxReplicas", Some(json!(state.max)));
                let current = self
                    .deployments
                    .find(&state.meta.namespace, &state.target.1)
                    .filter(|_| &*state.target.0 == "Deployment")
                    .map_or(0, |id| self.deployments.last(id).replicas);
                let status = at(&mut value, "status");
                put(status, "currentReplicas", Some(json!(current)));
                put(status, "desiredReplicas", Some(json!(current)));
                if status.get("currentMetrics").is_none() {
                    put(status, "currentMetrics", Some(Value::Null));
                }
                value
            }
            ObjectId::PodDisruptionBudget(id) => {
                let state = self.budgets.last(id);
                let mut value = self.body(&state.meta, "policy/v1", "PodDisruptionBudget", true);
                let status = at(&mut value, "status");
                put(status, "currentHealthy", Some(json!(state.current_healthy)));
                put(status, "desiredHealthy", Some(json!(state.desired_healthy)));
                put(status, "disruptionsAllowed", Some(json!(state.allowed)));
                put(status, "expectedPods", Some(json!(state.expected)));
                put(status, "observedGeneration", Some(json!(state.observed_generation)));
                let disrupted: Map<String, Value> = state
                    .disrupted
                    .iter()
                    .map(|&(pod, at)| {
                        let name = self.pods.last(pod).meta.name.to_string();
                        (name, json!(self.timestamp(at as Instant)))
                    })
                    .collect();
                put(status, "disruptedPods", (!disrupted.is_empty()).then_some(Value::Object(disrupted)));
                let (allowed, reason) = if state.allowed > 0 {
                    ("True", "SufficientPods")
                } else {
                    ("False", "InsufficientPods")
                };
                let at_text = self.timestamp(self.now as Instant);
                put_condition(status, "DisruptionAllowed", allowed, Some(reason), "", &at_text);
                value
            }
            ObjectId::Service(id) => {
                let state = self.services.last(id);
                let mut value = self.body(&state.meta, "v1", "Service", false);
                let status = at(&mut value, "status");
                let ingress = state.hostname.as_ref().map(|name| json!([{"hostname": name}]));
                let balancer = at(status, "loadBalancer");
                if balancer.get("ingress").is_none() {
                    put(balancer, "ingress", ingress);
                }
                value
            }
            ObjectId::ConfigMap(id) => {
                let state = self.config_maps.last(id);
                let mut value = self.body(&state.meta, "v1", "ConfigMap", false);
                if matches!(state.meta.body, Body::Made) {
                    put(&mut value, "data", state.data.as_ref().map(|data| json!(**data)));
                }
                value
            }
            ObjectId::Lease(id) => {
                let state = self.leases.last(id);
                let mut value = self.body(&state.meta, "coordination.k8s.io/v1", "Lease", false);
                if matches!(state.meta.body, Body::Made) {
                    self.put_lease(at(&mut value, "spec"), state);
                }
                value
            }
        }
    }

    /// The unchanging part of an object, with its metadata.
    fn body(&self, meta: &Meta, api_version: &str, kind: &str, generation: bool) -> Value {
        let mut value = match &meta.body {
            Body::Imported(raw) => raw.value(),
            Body::Written(value) => (**value).clone(),
            Body::Made => json!({"kind": kind, "apiVersion": api_version, "metadata": {}}),
        };
        self.put_meta(&mut value, meta, generation);
        value
    }

    /// Metadata as the server keeps it; `generation` says whether objects of this kind have one.
    fn put_meta(&self, value: &mut Value, meta: &Meta, generation: bool) {
        let target = at(value, "metadata");
        put(target, "name", Some(json!(meta.name)));
        put(target, "namespace", (!meta.namespace.is_empty()).then(|| json!(meta.namespace)));
        put(target, "uid", Some(json!(meta.uid)));
        put(target, "resourceVersion", Some(json!(meta.resource_version.to_string())));
        if generation {
            put(target, "generation", Some(json!(meta.generation)));
        }
        if target.get("creationTimestamp").is_none_or(Value::is_null) {
            put(target, "creationTimestamp", Some(json!(self.timestamp(meta.created_at))));
        }
        put(target, "labels", (!meta.labels.is_empty()).then(|| json!(*meta.labels)));
        put(target, "annotations", (!meta.annotations.is_empty()).then(|| json!(*meta.annotations)));
        if let Some(deletion_at) = meta.deletion_at
            && target.get("deletionTimestamp").is_none()
        {
            put(target, "deletionTimestamp", Some(json!(self.timestamp(deletion_at as Instant))));
        }
    }

    /// A point in time as Leases write it.
    pub(super) fn micro_time(&self, at: Instant) -> String {
        format!("{:.6}", self.wall(at))
    }
}

/// Sets a count, or leaves it out where it is 0, as the API does.
fn put_count(status: &mut Value, key: &str, count: u32) {
    put(status, key, (count > 0).then(|| json!(count)));
}

fn put_counts(status: &mut Value, counts: &WorkloadStatus) {
    put_count(status, "replicas", counts.replicas);
    put_count(status, "readyReplicas", counts.ready);
    put_count(status, "availableReplicas", counts.available);
    put_count(status, "updatedReplicas", counts.updated);
    put(status, "observedGeneration", Some(json!(counts.observed_generation)));
}

/// Sets a condition; its time of transition is kept where the status stays.
pub(super) fn put_condition(
    status: &mut Value,
    name: &str,
    to: &str,
    reason: Option<&str>,
    message: &str,
    since: &str,
) {
    let conditions = at_list(status, "conditions");
    let found = conditions.iter().position(|one| one.get("type").and_then(Value::as_str) == Some(name));
    let index = found.unwrap_or_else(|| {
        conditions.push(json!({"type": name}));
        conditions.len() - 1
    });
    let condition = &mut conditions[index];
    let same = condition.get("status").and_then(Value::as_str) == Some(to);
    put(condition, "status", Some(json!(to)));
    if let Some(reason) = reason {
        put(condition, "reason", Some(json!(reason)));
        put(condition, "message", Some(json!(message)));
    }
    if !same || condition.get("lastTransitionTime").is_none() {
        put(condition, "lastTransitionTime", Some(json!(since)));
    }
}

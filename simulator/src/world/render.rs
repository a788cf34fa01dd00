//! Objects in the API's form, rendered when somebody reads them: the imported text with what has changed since.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    Instant, Time, World,
    objects::{Body, Lease, Meta, Phase, ReadyCondition, StringMap},
    store::ObjectId,
};

impl World {
    /// Every Kubernetes object, as an export would show it now: what was imported first, in no particular order.
    pub fn render(&self) -> Vec<Value> {
        let mut objects: Vec<Value> = Vec::new();
        // What was made during the run is shown as the API server shows it, owner and all.
        let made = |meta: &Meta| matches!(meta.body, Body::Made);
        let nodes = self.nodes.iter().filter(|(_, node)| made(&node.meta)).map(|(id, _)| ObjectId::Node(id));
        let pods = self.pods.iter().filter(|(_, pod)| made(&pod.meta)).map(|(id, _)| ObjectId::Pod(id));
        let sets = self.replica_sets.iter().filter(|(_, set)| made(&set.meta));
        let sets = sets.map(|(id, _)| ObjectId::ReplicaSet(id));
        objects.extend(nodes.chain(pods).chain(sets).map(|id| self.document(id)));
        let mut add = |meta: &Meta, edit: &dyn Fn(&mut Value)| {
            let mut value = match &meta.body {
                Body::Imported(raw) => raw.value(),
                Body::Written(written) => (**written).clone(),
                Body::Made => json!({}),
            };
            edit(&mut value);
            self.put_changed_meta(&mut value, meta);
            objects.push(value);
        };
        for (_, node) in self.nodes.iter().filter(|(_, node)| !made(&node.meta)) {
            add(&node.meta, &|value| {
                let spec = at(value, "spec");
                put(spec, "taints", (!node.taints.is_empty()).then(|| json!(*node.taints)));
                put(spec, "unschedulable", node.unschedulable.then_some(json!(true)));
                self.put_ready(at(value, "status"), node.ready);
            });
        }
        for (_, pod) in self.pods.iter().filter(|(_, pod)| !made(&pod.meta)) {
            add(&pod.meta, &|value| {
                if let Some(node) = pod.node {
                    put(at(value, "spec"), "nodeName", Some(json!(self.nodes.last(node).meta.name)));
                }
                let status = at(value, "status");
                let phase = match pod.phase {
                    Phase::Pending => "Pending",
                    Phase::Running => "Running",
                    Phase::Succeeded => "Succeeded",
                    Phase::Failed => "Failed",
                    Phase::Unknown => "Unknown",
                };
                put(status, "phase", Some(json!(phase)));
                self.put_pod_ready(status, pod.ready, pod.ready_at);
                if pod.ip != 0 {
                    put(status, "podIP", Some(json!(std::net::Ipv4Addr::from(pod.ip).to_string())));
                }
            });
        }
        for (_, deployment) in self.deployments.iter() {
            add(&deployment.meta, &|value| {
                put(at(value, "spec"), "replicas", Some(json!(deployment.replicas)));
                put_counts(at(value, "status"), &deployment.status);
            });
        }
        for (_, set) in self.replica_sets.iter().filter(|(_, set)| !made(&set.meta)) {
            add(&set.meta, &|value| {
                put(at(value, "spec"), "replicas", Some(json!(set.replicas)));
                put_counts(at(value, "status"), &set.status);
            });
        }
        for (_, set) in self.stateful_sets.iter() {
            add(&set.meta, &|value| {
                put(at(value, "spec"), "replicas", Some(json!(set.replicas)));
                put_counts(at(value, "status"), &set.status);
            });
        }
        for (_, set) in self.daemon_sets.iter() {
            add(&set.meta, &|_| {});
        }
        for (_, job) in self.jobs.iter() {
            add(&job.meta, &|_| {});
        }
        for (_, autoscaler) in self.autoscalers.iter() {
            add(&autoscaler.meta, &|value| {
                let spec = at(value, "spec");
                if spec.get("minReplicas").is_some() || autoscaler.min != 1 {
                    put(spec, "minReplicas", Some(json!(autoscaler.min)));
                }
                put(spec, "maxReplicas", Some(json!(autoscaler.max)));
            });
        }
        for (_, budget) in self.budgets.iter() {
            add(&budget.meta, &|value| {
                let status = at(value, "status");
                put(status, "currentHealthy", Some(json!(budget.current_healthy)));
                put(status, "desiredHealthy", Some(json!(budget.desired_healthy)));
                put(status, "disruptionsAllowed", Some(json!(budget.allowed)));
                put(status, "expectedPods", Some(json!(budget.expected)));
            });
        }
        for (_, service) in self.services.iter() {
            add(&service.meta, &|_| {});
        }
        for (_, map) in self.config_maps.iter() {
            add(&map.meta, &|value| {
                if value.get("kind").is_none() {
                    *value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}});
                    put(value, "data", map.data.as_ref().map(|data| json!(**data)));
                }
            });
        }
        for (_, lease) in self.leases.iter() {
            add(&lease.meta, &|value| {
                if value.get("kind").is_none() {
                    *value = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {}, "spec": {}});
                    self.put_lease(at(value, "spec"), lease);
                }
            });
        }
        for claim in self.volumes.claims.values() {
            objects.push(claim.object.raw.value());
        }
        objects.extend(self.quotas.iter().map(|quota| quota.raw.value()));
        objects.extend(self.others.iter().map(|raw| raw.value()));
        objects
    }

    /// What a Lease that was made during the run says.
    pub(super) fn put_lease(&self, spec: &mut Value, lease: &Lease) {
        put(spec, "holderIdentity", (!lease.holder.is_empty()).then(|| json!(lease.holder)));
        put(spec, "leaseDurationSeconds", Some(json!(lease.duration / 1_000)));
        put(spec, "renewTime", Some(json!(self.micro_time(lease.renewed_at))));
    }

    fn put_changed_meta(&self, value: &mut Value, meta: &Meta) {
        let target = at(value, "metadata");
        if target.get("name").is_none() {
            put(target, "name", Some(json!(meta.name)));
            put(target, "namespace", (!meta.namespace.is_empty()).then(|| json!(meta.namespace)));
            put(target, "uid", Some(json!(meta.uid)));
            put(target, "creationTimestamp", Some(json!(self.timestamp(meta.created_at))));
        }
        put_map(target, "labels", &meta.labels);
        put_map(target, "annotations", &meta.annotations);
        let version = meta.resource_version.to_string();
        if target.get("resourceVersion").and_then(Value::as_str) != Some(&version)
            && (target.get("resourceVersion").is_some() || meta.resource_version > 1)
        {
            put(target, "resourceVersion", Some(json!(version)));
        }
        if target.get("generation").is_some() {
            put(target, "generation", Some(json!(meta.generation)));
        }
        if let Some(deletion_at) = meta.deletion_at
            && target.get("deletionTimestamp").is_none()
        {
            put(target, "deletionTimestamp", Some(json!(self.timestamp(deletion_at as Instant))));
        }
    }

    fn put_ready(&self, status: &mut Value, ready: ReadyCondition) {
        let text = match ready {
            ReadyCondition::True => "True",
            ReadyCondition::False => "False",
            ReadyCondition::Unknown => "Unknown",
        };
        put_condition(status, text, None);
    }

    fn put_pod_ready(&self, status: &mut Value, ready: bool, at: Instant) {
        put_condition(status, if ready { "True" } else { "False" }, Some(self.timestamp(at)));
    }

    /// A point in time as the API writes it, in whole seconds.
    pub fn timestamp(&self, at: Instant) -> String {
        let at = self.start.as_millisecond().saturating_add(at).div_euclid(1_000);
        jiff::Timestamp::from_second(at).map_or_else(|_| String::new(), |at| at.to_string())
    }

    /// The wall time of a point of the run.
    pub fn wall(&self, at: Instant) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.start.as_millisecond().saturating_add(at))
            .unwrap_or(self.start)
    }

    /// The point of the run at a wall time, 0 before its start.
    pub fn at_wall(&self, at: jiff::Timestamp) -> Time {
        Time::try_from(at.as_millisecond().saturating_sub(self.start.as_millisecond())).unwrap_or(0)
    }
}

/// The object below a key, made if it is missing.
pub(super) fn at<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(map) = value else { unreachable!("it was just made one") };
    map.entry(key).or_insert_with(|| Value::Object(Map::new()))
}

/// Sets a key, or removes it; the order of the other keys stays.
pub(super) fn put(value: &mut Value, key: &str, to: Option<Value>) {
    let Value::Object(map) = value else { return };
    match to {
        Some(to) => {
            map.insert(key.into(), to);
        }
        None => {
            map.shift_remove(key);
        }
    }
}

fn put_map(value: &mut Value, key: &str, map: &StringMap) {
    if map.is_empty() && value.get(key).is_none() {
        return;
    }
    let before = value.get(key).and_then(Value::as_object);
    let same = before.is_some_and(|before| {
        before.len() == map.len()
            && map.iter().all(|(key, value)| before.get(key).and_then(Value::as_str) == Some(value))
    });
    if !same {
        let rendered: &Arc<_> = map;
        put(value, key, (!map.is_empty()).then(|| json!(**rendered)));
    }
}

fn put_counts(status: &mut Value, counts: &super::objects::WorkloadStatus) {
    for (key, count) in [
        ("replicas", counts.replicas),
        ("readyReplicas", counts.ready),
        ("availableReplicas", counts.available),
        ("updatedReplicas", counts.updated),
    ] {
        if status.get(key).is_some() {
            put(status, key, Some(json!(count)));
        }
    }
    if status.get("observedGeneration").is_some() {
        put(status, "observedGeneration", Some(json!(counts.observed_generation)));
    }
}

/// Changes condition Ready where it differs.
fn put_condition(status: &mut Value, to: &str, since: Option<String>) {
    let conditions = at_list(status, "conditions");
    let ready = conditions
        .iter_mut()
        .find(|condition| condition.get("type").and_then(Value::as_str) == Some("Ready"));
    match ready {
        Some(condition) if condition.get("status").and_then(Value::as_str) == Some(to) => {}
        Some(condition) => {
            put(condition, "status", Some(json!(to)));
            put(condition, "lastTransitionTime", since.map(Value::String));
        }
        None => conditions.push(json!({"type": "Ready", "status": to, "lastTransitionTime": since})),
    }
}

pub(super) fn at_list<'a>(value: &'a mut Value, key: &str) -> &'a mut Vec<Value> {
    let slot = at(value, key);
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    let Value::Array(list) = slot else { unreachable!("it was just made one") };
    list
}

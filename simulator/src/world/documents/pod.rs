//! Pods in the API's form: conditions and container states from what their kubelet knows.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::put_condition;
use crate::world::{
    Instant, World,
    ids::PodId,
    objects::{Body, Phase, Pod, PodOwner},
    pods::Containers,
    render::{at, put},
};

impl World {
    pub(super) fn pod_document(&self, id: PodId) -> Value {
        let pod = self.pods.last(id);
        let mut value = self.body(&pod.meta, "v1", "Pod", true);
        if matches!(pod.meta.body, Body::Made) {
            put(&mut value, "spec", Some(json!(*self.specs[pod.spec.index()].kubernetes)));
            if let Some(name) = self.made_pod_name(pod) {
                put(at(&mut value, "metadata"), "generateName", Some(json!(name)));
            }
            let owners = self.owner_references(pod.owner);
            put(at(&mut value, "metadata"), "ownerReferences", owners.map(|owner| json!([owner])));
            self.complete_pod_spec(&mut value, pod);
        }
        if let Some(node) = pod.node {
            put(at(&mut value, "spec"), "nodeName", Some(json!(self.nodes.last(node).meta.name)));
        }
        if pod.terminating() {
            put(at(&mut value, "metadata"), "deletionGracePeriodSeconds", Some(json!(pod.grace / 1_000)));
        }
        self.put_pod_status(&mut value, id);
        value
    }

    fn put_pod_status(&self, value: &mut Value, id: PodId) {
        let pod = self.pods.last(id);
        let spec = value.get("spec").cloned().unwrap_or_default();
        let phase = match pod.phase {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
            Phase::Unknown => "Unknown",
        };
        let created = self.timestamp(pod.meta.created_at);
        let ready_at = self.timestamp(pod.ready_at);
        let status = at(value, "status");
        put(status, "phase", Some(json!(phase)));
        let (scheduled, reason) = match pod.node {
            Some(_) => ("True", None),
            None => ("False", Some("Unschedulable").filter(|_| pod.unschedulable.is_some())),
        };
        if pod.node.is_some() || reason.is_some() {
            let message = pod.unschedulable.as_deref().unwrap_or("");
            put_condition(status, "PodScheduled", scheduled, reason, message, &created);
        }
        if pod.node.is_some() {
            put_condition(status, "Initialized", "True", None, "", &created);
            let ready = if pod.ready { "True" } else { "False" };
            let reason = (!pod.ready && !pod.finished()).then_some("ContainersNotReady");
            let names: Vec<&str> = container_names(&spec).collect();
            let message = format!("containers with unready status: [{}]", names.join(" "));
            for name in ["Ready", "ContainersReady"] {
                put_condition(status, name, ready, reason, &message, &ready_at);
            }
            if status.get("startTime").is_none() {
                put(status, "startTime", Some(json!(created)));
            }
            if let Some(node) = pod.node {
                let host = Ipv4Addr::from(self.node_states[node.index()].ip).to_string();
                put(status, "hostIP", Some(json!(host)));
                put(status, "hostIPs", Some(json!([{"ip": host}])));
            }
            self.put_container_statuses(status, id, &spec);
        }
        if pod.disrupted {
            let at_text = self.timestamp(self.now as Instant);
            let message = "Eviction API: evicting";
            put_condition(
                status,
                "DisruptionTarget",
                "True",
                Some("EvictionByEvictionAPI"),
                message,
                &at_text,
            );
        }
        if pod.ip != 0 {
            let ip = Ipv4Addr::from(pod.ip).to_string();
            put(status, "podIP", Some(json!(ip)));
            put(status, "podIPs", Some(json!([{"ip": ip}])));
        }
        if status.get("qosClass").is_none() {
            put(status, "qosClass", Some(json!(quality_of_service(&spec))));
        }
    }

    fn put_container_statuses(&self, status: &mut Value, id: PodId, spec: &Value) {
        let pod = self.pods.last(id);
        let state = match self.pod_states[id.index()].containers {
            Containers::Waiting => json!({"waiting": {"reason": "ContainerCreating"}}),
            Containers::Running { since } => {
                json!({"running": {"startedAt": self.timestamp(since as Instant)}})
            }
            Containers::Exited => {
                let (code, reason) =
                    if pod.phase == Phase::Failed { (137, "Error") } else { (0, "Completed") };
                let at = self.timestamp(self.now as Instant);
                json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": at, "finishedAt": at}})
            }
        };
        let imported = status.get("containerStatuses").and_then(Value::as_array).cloned();
        let running = state.get("running").is_some();
        let statuses: Vec<Value> = spec
            .get("containers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|container| {
                let name = container.get("name").and_then(Value::as_str).unwrap_or("");
                let known = imported
                    .iter()
                    .flatten()
                    .find(|one| one.get("name").and_then(Value::as_str) == Some(name));
                let mut one = known.cloned().unwrap_or_else(
                    || json!({"name": name, "lastState": {}, "image": container.get("image"), "imageID": ""}),
                );
                // What kept an imported container from being ready is known from its export alone.
                let as_imported =
                    known.is_some_and(|known| known.pointer("/state/running").is_some() == running);
                if !as_imported {
                    put(&mut one, "state", Some(state.clone()));
                }
                put(&mut one, "ready", Some(json!(pod.ready)));
                put(&mut one, "started", Some(json!(running)));
                put(&mut one, "restartCount", Some(json!(pod.restarts)));
                if running && one.get("containerID").is_none() {
                    let number = pod.meta.uid.replace('-', "");
                    put(&mut one, "containerID", Some(json!(format!("containerd://{number}{number}"))));
                }
                one
            })
            .collect();
        put(status, "containerStatuses", Some(json!(statuses)));
    }

    /// What the API server adds to the specification of a pod that a controller makes.
    fn complete_pod_spec(&self, value: &mut Value, pod: &Pod) {
        let name = pod.meta.name.clone();
        let spec = at(value, "spec");
        if let PodOwner::StatefulSet(..) = pod.owner {
            put(spec, "hostname", Some(json!(name)));
        }
        if spec.get("enableServiceLinks").is_none() {
            put(spec, "enableServiceLinks", Some(json!(true)));
        }
        if spec.get("preemptionPolicy").is_none() {
            put(spec, "preemptionPolicy", Some(json!("PreemptLowerPriority")));
        }
        if spec.get("priority").is_none() {
            put(spec, "priority", Some(json!(0)));
        }
        if spec.get("serviceAccountName").is_none() {
            put(spec, "serviceAccount", Some(json!("default")));
            put(spec, "serviceAccountName", Some(json!("default")));
        }
        // The older name of the same field, which the API server fills in from it.
        if let (None, Some(name)) = (spec.get("serviceAccount"), spec.get("serviceAccountName").cloned()) {
            put(spec, "serviceAccount", Some(name));
        }
        let has = |spec: &Value, key: &str| {
            spec.get("tolerations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .any(|one| one.get("key").and_then(Value::as_str) == Some(key))
        };
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            if !has(spec, key) {
                let toleration = json!({"key": key, "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 300});
                crate::world::render::at_list(spec, "tolerations").push(toleration);
            }
        }
    }
}

fn container_names(spec: &Value) -> impl Iterator<Item = &str> {
    spec.get("containers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|container| container.get("name").and_then(Value::as_str))
}

/// Source: `pkg/apis/core/v1/helper/qos/qos.go`.
fn quality_of_service(spec: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    for container in spec.get("containers").and_then(Value::as_array).into_iter().flatten() {
        let of = |list: &str, name: &str| {
            container.get("resources").and_then(|all| all.get(list)?.get(name).cloned())
        };
        for name in ["cpu", "memory"] {
            let (request, limit) = (of("requests", name), of("limits", name));
            any |= request.is_some() || limit.is_some();
            guaranteed &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

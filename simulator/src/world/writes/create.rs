//! Objects that clients create.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

use super::{WriteError, seconds, strings, taints_of, typed};
use crate::world::{
    World,
    ids::{EntryId, NodeId, PodId, ZoneId},
    log::{ObjectKind, Subject, What},
    nodes::NodeState,
    objects::{Lease, Node, Plain, PodOwner, ReadyCondition},
    requests::object,
    spec::{bytes, cpu_milli},
    store::{ObjectId, key_of},
};

impl World {
    /// Stores a new object, which the API server has checked, and lets the world act on it.
    ///
    /// # Errors
    ///
    /// A part of it that the world has to understand cannot be read.
    pub(crate) fn create_object(
        &mut self,
        resource: usize,
        value: Value,
        entry: EntryId,
    ) -> Result<Arc<Value>, WriteError> {
        let key = key_of(&value);
        let Some(plural) = self.run_resource(resource) else {
            let stored = self.put_plain(resource, with_generation(value));
            if self.store.as_deref().is_some_and(|store| store.resources()[resource].plural == "namespaces") {
                self.furnish_namespace(&key.1);
            }
            return Ok(stored);
        };
        match plural {
            "nodes" => self.create_node(&value, entry)?,
            "pods" => {
                let id = self.create_client_pod(&value, entry)?;
                return Ok(Arc::new(self.document(ObjectId::Pod(id))));
            }
            "deployments" => {
                let meta = self.created_meta(&value);
                let id = self.add_deployment(meta, &typed(&value)?)?;
                let from = 0;
                let to = self.deployments.last(id).replicas;
                self.record(entry, object(ObjectKind::Deployment, id), What::Scaled { from, to });
                self.template_changed(id);
                self.deployment_changed(id, entry);
            }
            "replicasets" => {
                let meta = self.created_meta(&value);
                let id = self.add_replica_set(meta, &typed(&value)?)?;
                if let Some(owner) = owner(&value, "Deployment")
                    && let Some(deployment) = self.deployments.find(&key.0, owner)
                {
                    self.replica_sets.edit(id).deployment = Some(deployment);
                    self.adopt_set(deployment, id, false);
                }
                self.replica_set_changed(id, entry);
            }
            "statefulsets" => {
                let meta = self.created_meta(&value);
                let id = self.add_stateful_set(meta, &typed(&value)?)?;
                self.stateful_set_changed(id, entry);
                self.note_revision(ObjectId::StatefulSet(id));
            }
            "daemonsets" => {
                let meta = self.created_meta(&value);
                let id = self.add_daemon_set(meta, &typed(&value)?)?;
                self.daemon_set_changed(id, entry);
                self.mark_daemon_sets(entry);
                self.note_revision(ObjectId::DaemonSet(id));
            }
            "jobs" => {
                let meta = self.created_meta(&value);
                let id = self.add_job(meta, &typed(&value)?)?;
                self.job_changed(id);
                self.mark_new_job(id, entry);
            }
            "horizontalpodautoscalers" => {
                let meta = self.created_meta(&value);
                let id = self.add_autoscaler(meta, &typed(&value)?);
                self.autoscaler_changed(id, entry);
            }
            "poddisruptionbudgets" => {
                let meta = self.created_meta(&value);
                let id = self.add_budget(meta, &typed(&value)?)?;
                self.budgets.edit(id).observed_generation = 0;
                self.reselect_budget(id)?;
                self.budget_changed(id, entry);
                self.look_at_budget(id, entry);
            }
            "services" => {
                let meta = self.created_meta(&value);
                let id = self.add_service(meta, &typed(&value)?);
                self.reselect_service(id);
                self.service_changed(id, entry);
                self.mark_endpoints(id, entry);
                self.sync_slice(id);
            }
            "configmaps" => {
                let meta = self.created_meta(&value);
                let data = value.get("data").map(|data| Arc::new(strings(Some(data))));
                let kind = ("v1".into(), "ConfigMap".into());
                let id = self.config_maps.insert(&key.0, &key.1, Plain { meta, kind, data });
                self.config_map_changed(id, entry);
            }
            _ => {
                let meta = self.created_meta(&value);
                let lease = Lease {
                    meta,
                    holder: value
                        .pointer("/spec/holderIdentity")
                        .and_then(Value::as_str)
                        .unwrap_or("")
                        .into(),
                    duration: seconds(&value, "/spec/leaseDurationSeconds"),
                    renewed_at: self.renewed_at(&value),
                };
                let id = self.leases.insert(&key.0, &key.1, lease);
                self.lease_changed(id, entry);
            }
        }
        self.shown(resource, &key).ok_or(WriteError::Gone)
    }

    /// When a Lease was renewed, in the run's time.
    pub(super) fn renewed_at(&self, value: &Value) -> i64 {
        value
            .pointer("/spec/renewTime")
            .and_then(Value::as_str)
            .and_then(|text| text.parse::<jiff::Timestamp>().ok())
            .map_or(self.now as i64, |at| at.as_millisecond() - self.start.as_millisecond())
    }

    /// A node that no instance stands behind: nothing runs on it, and nothing reports for it.
    fn create_node(&mut self, value: &Value, entry: EntryId) -> Result<(), WriteError> {
        let meta = self.created_meta(value);
        let name = meta.name.clone();
        let zone: Arc<str> = meta.labels.get("topology.kubernetes.io/zone").map_or("", String::as_str).into();
        let zone_id = ZoneId::from(self.zones.iter().position(|known| *known == zone).unwrap_or(0));
        let resource = |name: &str| {
            value
                .pointer(&format!("/status/allocatable/{name}"))
                .or_else(|| value.pointer(&format!("/status/capacity/{name}")))
                .and_then(Value::as_str)
        };
        let group = meta.labels.get("eks.amazonaws.com/nodegroup").map(|name| name.as_str().into());
        let node = Node {
            instance: None,
            provider_id: value.pointer("/spec/providerID").and_then(Value::as_str).map(Arc::from),
            taints: Arc::new(taints_of(value)?),
            unschedulable: value.pointer("/spec/unschedulable") == Some(&Value::Bool(true)),
            ready: ready_condition(value),
            zone,
            node_group: group,
            cpu_milli: resource("cpu").and_then(cpu_milli).unwrap_or(0),
            memory: resource("memory").and_then(bytes).unwrap_or(0),
            pods: resource("pods").and_then(bytes).unwrap_or(0),
            kubelet_version: self.kubelet_version.clone(),
            meta,
        };
        let up = node.ready == ReadyCondition::True;
        let id = self.nodes.insert(&"".into(), &name, node);
        let mut state = NodeState::new(zone_id, 0);
        state.up = up;
        self.node_states.push(state);
        let registered = self.record(entry, Subject::Node(id), What::Registered);
        self.node_states[id.index()].entry = registered;
        self.node_changed(id, registered);
        self.mark_daemon_sets(registered);
        self.mark_controller_pass(registered);
        Ok(())
    }

    fn create_client_pod(&mut self, value: &Value, entry: EntryId) -> Result<PodId, WriteError> {
        let pod: core::Pod = typed(value)?;
        let meta = self.created_meta(value);
        if self.pods_are_full() {
            return Err(WriteError::Full(self.pods.len()));
        }
        let spec = self.add_spec(&meta.namespace.clone(), pod.spec.unwrap_or_default())?;
        if !self.quota_admits(&meta.namespace, spec) {
            return Err(WriteError::Quota);
        }
        let node = value
            .pointer("/spec/nodeName")
            .and_then(Value::as_str)
            .and_then(|name| self.nodes.find("", name))
            .filter(|node: &NodeId| self.nodes.exists(*node));
        let owner = self.pod_owner(value);
        Ok(self.add_pod(meta, owner, spec, node, entry))
    }

    fn pod_owner(&self, value: &Value) -> PodOwner {
        let (namespace, name) = key_of(value);
        if let Some(set) =
            owner(value, "ReplicaSet").and_then(|name| self.replica_sets.find(&namespace, name))
        {
            return PodOwner::ReplicaSet(set);
        }
        if let Some(set) =
            owner(value, "StatefulSet").and_then(|name| self.stateful_sets.find(&namespace, name))
            && let Some(ordinal) = name.rsplit('-').next().and_then(|text| text.parse().ok())
        {
            return PodOwner::StatefulSet(set, ordinal);
        }
        if let Some(set) = owner(value, "DaemonSet").and_then(|name| self.daemon_sets.find(&namespace, name))
        {
            return PodOwner::DaemonSet(set);
        }
        if let Some(job) = owner(value, "Job").and_then(|name| self.jobs.find(&namespace, name)) {
            return PodOwner::Job(job);
        }
        let controlled = value
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|owner| owner.get("controller") == Some(&Value::Bool(true)));
        if controlled { PodOwner::Unknown } else { PodOwner::Nobody }
    }
}

/// The name of the controlling owner, if it is of this kind.
fn owner<'a>(value: &'a Value, kind: &str) -> Option<&'a str> {
    value
        .pointer("/metadata/ownerReferences")?
        .as_array()?
        .iter()
        .find(|owner| {
            owner.get("controller") == Some(&Value::Bool(true))
                && owner.get("kind").and_then(Value::as_str) == Some(kind)
        })?
        .get("name")?
        .as_str()
}

/// Condition Ready of a node.
pub(super) fn ready_condition(value: &Value) -> ReadyCondition {
    let conditions = value.pointer("/status/conditions").and_then(Value::as_array);
    let ready =
        conditions.into_iter().flatten().find(|one| one.get("type").and_then(Value::as_str) == Some("Ready"));
    match ready.and_then(|one| one.get("status")?.as_str()) {
        Some("True") => ReadyCondition::True,
        Some("False") => ReadyCondition::False,
        _ => ReadyCondition::Unknown,
    }
}

/// Objects with a specification count its changes from 1.
fn with_generation(mut value: Value) -> Value {
    if value.get("spec").is_some()
        && let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut)
    {
        meta.insert("generation".into(), Value::from(1));
    }
    value
}

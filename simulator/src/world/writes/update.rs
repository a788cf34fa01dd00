//! Objects that clients change.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{WriteError, create::ready_condition, finalizers, rewrite, seconds, strings, taints_of, typed};
use crate::world::{
    World,
    ids::{AutoscalerId, DeploymentId, EntryId, NodeId, PodId, ReplicaSetId, ServiceId, StatefulSetId},
    log::{ObjectKind, Subject, What},
    objects::{Deployment, DisruptionBudget, Phase, ReplicaSet, Service, StatefulSet},
    requests::object,
    store::{ObjectId, key_of},
    workloads::DELETION_COST,
};

impl World {
    /// Stores a new version of an object, which the API server has checked, and lets the world act on what changed.
    /// `status` says that only its status was written.
    ///
    /// # Errors
    ///
    /// The object is gone, or a part of it that the world has to understand cannot be read.
    pub(crate) fn update_object(
        &mut self,
        resource: usize,
        old: &Value,
        new: Value,
        status: bool,
        entry: EntryId,
    ) -> Result<Arc<Value>, WriteError> {
        let key = key_of(&new);
        let ends = new.pointer("/metadata/deletionTimestamp").is_some() && !finalizers(&new);
        let Some(plural) = self.run_resource(resource) else {
            let stored = self.put_plain(resource, new);
            if ends {
                self.remove_plain(resource, &key);
            }
            return Ok(stored);
        };
        let Some(id) = self.find_object(plural, &key) else {
            // An imported pod of a node that nobody knows stands in the store alone.
            return Ok(self.put_plain(resource, new));
        };
        if status {
            self.update_status(id, &new, entry);
            return self.shown(resource, &key).ok_or(WriteError::Gone);
        }
        let stored = match id {
            ObjectId::Node(id) => return self.update_node(id, resource, old, &new, entry),
            ObjectId::Pod(id) => {
                self.update_pod(id, old, &new, entry)?;
                self.shown(resource, &key)
            }
            ObjectId::Deployment(id) => {
                self.note_differences("Deployment", id.0, old, &new, entry);
                self.update_deployment(id, old, &new, entry)?;
                self.shown(resource, &key)
            }
            ObjectId::ReplicaSet(id) => {
                self.note_differences("ReplicaSet", id.0, old, &new, entry);
                self.update_replica_set(id, &new, entry)?;
                self.shown(resource, &key)
            }
            ObjectId::StatefulSet(id) => {
                self.note_differences("StatefulSet", id.0, old, &new, entry);
                self.update_stateful_set(id, old, &new, entry)?;
                self.note_revision(ObjectId::StatefulSet(id));
                self.shown(resource, &key)
            }
            ObjectId::DaemonSet(id) => {
                self.note_differences("DaemonSet", id.0, old, &new, entry);
                let mut state = (**self.daemon_sets.last(id)).clone();
                rewrite(&mut state.meta, &new);
                let ready = state.ready;
                *self.daemon_sets.edit(id) = crate::world::objects::DaemonSet {
                    ready,
                    ..self.daemon_set_state(state.meta, &typed(&new)?)?
                };
                if old.pointer("/spec/template") != new.pointer("/spec/template") {
                    self.daemon_template_changed(id, entry);
                }
                self.daemon_set_changed(id, entry);
                self.mark_daemon_sets(entry);
                self.note_revision(ObjectId::DaemonSet(id));
                self.shown(resource, &key)
            }
            ObjectId::Job(id) => {
                let before = self.jobs.last(id).clone();
                let mut meta = before.meta.clone();
                rewrite(&mut meta, &new);
                let state = self.job_state(meta, &typed(&new)?)?;
                *self.jobs.edit(id) = crate::world::objects::Job {
                    succeeded: before.succeeded,
                    failed: before.failed,
                    ..state
                };
                self.job_changed(id);
                self.mark_new_job(id, entry);
                self.shown(resource, &key)
            }
            ObjectId::HorizontalPodAutoscaler(id) => {
                self.note_differences("HorizontalPodAutoscaler", id.0, old, &new, entry);
                self.update_autoscaler(id, &new, entry)?;
                self.shown(resource, &key)
            }
            ObjectId::PodDisruptionBudget(id) => {
                let before = self.budgets.last(id).clone();
                let mut meta = before.meta.clone();
                rewrite(&mut meta, &new);
                let state = Self::budget_state(meta, &typed(&new)?)?;
                *self.budgets.edit(id) = DisruptionBudget {
                    allowed: before.allowed,
                    current_healthy: before.current_healthy,
                    desired_healthy: before.desired_healthy,
                    expected: before.expected,
                    disrupted: before.disrupted.clone(),
                    observed_generation: before.observed_generation,
                    ..state
                };
                self.reselect_budget(id)?;
                self.budget_changed(id, entry);
                self.look_at_budget(id, entry);
                self.shown(resource, &key)
            }
            ObjectId::Service(id) => {
                self.update_service(id, &new, entry)?;
                self.shown(resource, &key)
            }
            ObjectId::ConfigMap(id) => {
                let map = self.config_maps.edit(id);
                map.data = new.get("data").map(|data| Arc::new(strings(Some(data))));
                rewrite(&mut map.meta, &new);
                self.config_map_changed(id, entry);
                self.shown(resource, &key)
            }
            ObjectId::Lease(id) => {
                let renewed_at = self.renewed_at(&new);
                let lease = self.leases.edit(id);
                lease.holder =
                    new.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or("").into();
                lease.duration = seconds(&new, "/spec/leaseDurationSeconds");
                lease.renewed_at = renewed_at;
                rewrite(&mut lease.meta, &new);
                self.lease_changed(id, entry);
                self.shown(resource, &key)
            }
        };
        match id {
            // A pod whose containers still run is its kubelet's to remove.
            ObjectId::Pod(pod) if ends && self.pods.last(pod).finished() => self.remove_pod(pod, entry),
            ObjectId::Pod(_) => {}
            _ if ends => self.remove_object(id, entry),
            _ => {}
        }
        stored.ok_or(WriteError::Gone)
    }

    fn update_node(
        &mut self,
        id: NodeId,
        resource: usize,
        old: &Value,
        new: &Value,
        entry: EntryId,
    ) -> Result<Arc<Value>, WriteError> {
        self.note_differences("Node", id.0, old, new, entry);
        let taints = taints_of(new)?;
        let before = self.nodes.last(id).clone();
        let unschedulable = new.pointer("/spec/unschedulable") == Some(&json!(true));
        let node = self.nodes.edit(id);
        rewrite(&mut node.meta, new);
        let relabelled = before.meta.labels != node.meta.labels;
        node.provider_id = new.pointer("/spec/providerID").and_then(Value::as_str).map(Arc::from);
        if let Some(zone) = node.meta.labels.get("topology.kubernetes.io/zone") {
            node.zone = zone.as_str().into();
        }
        node.node_group =
            node.meta.labels.get("eks.amazonaws.com/nodegroup").map(|name| name.as_str().into());
        node.unschedulable = unschedulable;
        if *before.taints == taints {
            self.node_changed(id, entry);
        } else {
            self.set_taints(id, taints, entry);
        }
        let key = key_of(new);
        let stored = self.shown(resource, &key).ok_or(WriteError::Gone)?;
        // What follows is the work of controllers, which the answer does not show yet.
        if before.unschedulable != unschedulable {
            self.nodes.edit(id).unschedulable = before.unschedulable;
            self.cordon(id, unschedulable, entry);
        }
        if relabelled {
            let labelled = self.record(entry, Subject::Node(id), What::Labelled);
            self.mark_controller_pass(labelled);
            self.mark_daemon_sets(labelled);
            self.wake_scheduler(labelled);
        }
        if new.pointer("/metadata/deletionTimestamp").is_some() && !finalizers(new) {
            self.remove_object(ObjectId::Node(id), entry);
        }
        Ok(stored)
    }

    fn update_pod(&mut self, id: PodId, old: &Value, new: &Value, entry: EntryId) -> Result<(), WriteError> {
        self.note_differences("Pod", id.0, old, new, entry);
        let cost = |world: &World| world.pods.last(id).meta.annotations.get(DELETION_COST).cloned();
        let before = cost(self);
        if old.get("spec") != new.get("spec") {
            let pod: k8s_openapi::api::core::v1::Pod = typed(new)?;
            let namespace = self.pods.last(id).meta.namespace.clone();
            let spec = self.add_spec(&namespace, pod.spec.unwrap_or_default())?;
            self.pods.edit(id).spec = spec;
        }
        rewrite(&mut self.pods.edit(id).meta, new);
        if cost(self) != before {
            self.pod_states[id.index()].cost_before = Some((self.now, before));
        }
        self.pod_changed(id, entry);
        self.relabel(id);
        self.mark_services_of(id, entry);
        Ok(())
    }

    fn update_deployment(
        &mut self,
        id: DeploymentId,
        old: &Value,
        new: &Value,
        entry: EntryId,
    ) -> Result<(), WriteError> {
        let before = self.deployments.last(id).clone();
        let mut meta = before.meta.clone();
        rewrite(&mut meta, new);
        let generation = meta.generation;
        let state = self.deployment_state(meta, &typed(new)?)?;
        let wanted = state.replicas;
        *self.deployments.edit(id) = Deployment { status: before.status, replicas: before.replicas, ..state };
        self.scale_deployment(id, wanted, entry);
        self.deployments.edit(id).meta.generation = generation;
        if old.pointer("/spec/template") != new.pointer("/spec/template") {
            self.template_changed(id);
        }
        self.deployment_changed(id, entry);
        Ok(())
    }

    fn update_replica_set(
        &mut self,
        id: ReplicaSetId,
        new: &Value,
        entry: EntryId,
    ) -> Result<(), WriteError> {
        let before = self.replica_sets.last(id).clone();
        let mut meta = before.meta.clone();
        rewrite(&mut meta, new);
        let generation = meta.generation;
        let state = self.replica_set_state(meta, &typed(new)?)?;
        let wanted = state.replicas;
        *self.replica_sets.edit(id) = ReplicaSet {
            status: before.status,
            replicas: before.replicas,
            deployment: before.deployment,
            ..state
        };
        self.scale_replica_set(id, wanted, entry);
        self.replica_sets.edit(id).meta.generation = generation;
        self.replica_set_changed(id, entry);
        Ok(())
    }

    fn update_stateful_set(
        &mut self,
        id: StatefulSetId,
        old: &Value,
        new: &Value,
        entry: EntryId,
    ) -> Result<(), WriteError> {
        let before = self.stateful_sets.last(id).clone();
        let mut meta = before.meta.clone();
        rewrite(&mut meta, new);
        let state = self.stateful_set_state(meta, &typed(new)?)?;
        *self.stateful_sets.edit(id) = StatefulSet { status: before.status, ..state };
        if old.pointer("/spec/template") != new.pointer("/spec/template") {
            let revision = self.revision_name(&before.meta.name, old.pointer("/spec/template"));
            self.stateful_template_changed(id, revision);
        }
        self.stateful_set_changed(id, entry);
        Ok(())
    }

    fn update_autoscaler(&mut self, id: AutoscalerId, new: &Value, entry: EntryId) -> Result<(), WriteError> {
        let before = self.autoscalers.last(id).clone();
        let mut meta = before.meta.clone();
        rewrite(&mut meta, new);
        let mut state = Self::autoscaler_state(meta, &typed(new)?);
        state.load = before.load;
        if (before.min, before.max) != (state.min, state.max) {
            let what = What::BoundsSet { min: state.min, max: state.max };
            self.record(entry, object(ObjectKind::HorizontalPodAutoscaler, id), what);
        }
        if before.target != state.target {
            let namespace = state.meta.namespace.clone();
            let (kind, name) = state.target.clone();
            self.add_scale_target(namespace, kind, name, id);
        }
        *self.autoscalers.edit(id) = state;
        self.autoscaler_changed(id, entry);
        Ok(())
    }

    fn update_service(&mut self, id: ServiceId, new: &Value, entry: EntryId) -> Result<(), WriteError> {
        let before = self.services.last(id).clone();
        let mut meta = before.meta.clone();
        rewrite(&mut meta, new);
        let state = Self::service_state(meta, &typed(new)?);
        *self.services.edit(id) =
            Service { hostname: before.hostname.clone().or(state.hostname.clone()), ..state };
        if before.selector != self.services.last(id).selector {
            self.reselect_service(id);
        }
        self.service_changed(id, entry);
        self.mark_endpoints(id, entry);
        self.sync_slice(id);
        Ok(())
    }

    /// Only the status was written: what the world reads of it is taken over, the rest is kept with the body.
    fn update_status(&mut self, id: ObjectId, new: &Value, entry: EntryId) {
        let body = crate::world::objects::Body::Written(Arc::new(new.clone()));
        match id {
            ObjectId::Node(id) => {
                self.nodes.edit(id).meta.body = body;
                let ready = ready_condition(new);
                if self.nodes.last(id).ready == ready {
                    self.node_changed(id, entry);
                } else {
                    self.set_node_ready(id, ready, entry);
                }
            }
            ObjectId::Pod(id) => {
                let pod = self.pods.edit(id);
                pod.meta.body = body;
                let phase = new.pointer("/status/phase").and_then(Value::as_str).and_then(Phase::parse);
                pod.phase = phase.unwrap_or(pod.phase);
                let conditions = new.pointer("/status/conditions").and_then(Value::as_array);
                let ready = conditions
                    .into_iter()
                    .flatten()
                    .find(|one| one.get("type").and_then(Value::as_str) == Some("Ready"))
                    .is_some_and(|one| one.get("status").and_then(Value::as_str) == Some("True"));
                if pod.ready == ready {
                    self.pod_changed(id, entry);
                } else {
                    self.set_ready(id, ready, entry);
                }
            }
            ObjectId::Deployment(id) => {
                self.deployments.edit(id).meta.body = body;
                self.deployment_changed(id, entry);
            }
            ObjectId::ReplicaSet(id) => {
                self.replica_sets.edit(id).meta.body = body;
                self.replica_set_changed(id, entry);
            }
            ObjectId::StatefulSet(id) => {
                self.stateful_sets.edit(id).meta.body = body;
                self.stateful_set_changed(id, entry);
            }
            ObjectId::DaemonSet(id) => {
                self.daemon_sets.edit(id).meta.body = body;
                self.daemon_set_changed(id, entry);
            }
            ObjectId::Job(id) => {
                self.jobs.edit(id).meta.body = body;
                self.job_changed(id);
            }
            ObjectId::HorizontalPodAutoscaler(id) => {
                self.autoscalers.edit(id).meta.body = body;
                self.autoscaler_changed(id, entry);
            }
            ObjectId::PodDisruptionBudget(id) => {
                self.budgets.edit(id).meta.body = body;
                self.budget_changed(id, entry);
            }
            ObjectId::Service(id) => {
                self.services.edit(id).meta.body = body;
                self.service_changed(id, entry);
            }
            ObjectId::ConfigMap(_) | ObjectId::Lease(_) => {}
        }
    }
}

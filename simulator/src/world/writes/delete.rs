//! Objects that clients delete, and what goes with them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::finalizers;
use crate::world::{
    Time, World,
    ids::{EntryId, PodId, ReplicaSetId},
    objects::{Body, Phase, PodOwner},
    store::{Key, ObjectId, Store, key_of},
};

/// The finalizer of what waits for its dependents. Source: apimachinery, `FinalizerDeleteDependents`.
const FOREGROUND: &str = "foregroundDeletion";

/// How to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// `gracePeriodSeconds` in milliseconds.
    pub grace: Option<Time>,
    /// What becomes of dependents.
    pub propagation: Propagation,
}

/// What becomes of dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They go too, afterwards.
    Background,
    /// They go first; the object stays until they are gone.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

/// What a deletion left.
#[derive(Debug, Clone)]
pub enum Deleted {
    /// Nothing.
    Gone,
    /// The object, which is on its way out.
    Remains(Arc<Value>),
}

impl World {
    /// Deletes an object, or begins to.
    pub(crate) fn delete_object(
        &mut self,
        resource: usize,
        value: &Arc<Value>,
        deletion: Deletion,
        entry: EntryId,
    ) -> Deleted {
        let key = key_of(value);
        let Some(plural) = self.run_resource(resource) else {
            return self.delete_plain(resource, &key, value, deletion, entry);
        };
        let Some(id) = self.find_object(plural, &key) else {
            // An imported pod of a node that nobody knows stands in the store alone.
            self.remove_plain(resource, &key);
            return Deleted::Gone;
        };
        if let ObjectId::Pod(id) = id {
            self.judge_removal(id, entry);
            self.delete_pod(id, deletion.grace, None, entry);
        } else if finalizers(value) {
            self.mark_deleted(id, entry);
        } else {
            match deletion.propagation {
                Propagation::Foreground if self.has_dependents(id) => self.delete_in_foreground(id, entry),
                Propagation::Background | Propagation::Foreground => self.remove_object(id, entry),
                Propagation::Orphan => {
                    self.orphan(id);
                    self.remove_object(id, entry);
                }
            }
        }
        self.shown(resource, &key).map_or(Deleted::Gone, Deleted::Remains)
    }

    fn delete_plain(
        &mut self,
        resource: usize,
        key: &Key,
        value: &Arc<Value>,
        deletion: Deletion,
        entry: EntryId,
    ) -> Deleted {
        let is = |plural: &str| {
            self.store.as_deref().is_some_and(|store| store.resources()[resource].plural == plural)
        };
        if is("namespaces") {
            self.empty_namespace(&key.1, deletion, entry);
        }
        if finalizers(value) && value.pointer("/metadata/deletionTimestamp").is_none() {
            let mut marked = (**value).clone();
            marked["metadata"]["deletionTimestamp"] = json!(self.timestamp(self.now as i64));
            marked["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            return Deleted::Remains(self.put_plain(resource, marked));
        }
        if finalizers(value) {
            return Deleted::Remains(value.clone());
        }
        self.remove_plain(resource, key);
        Deleted::Gone
    }

    /// Everything in a namespace goes with it.
    fn empty_namespace(&mut self, namespace: &Arc<str>, deletion: Deletion, entry: EntryId) {
        let Some(store) = self.store.as_deref() else { return };
        let all: Vec<(usize, Arc<Value>)> = (0..store.resources().len())
            .flat_map(|resource| {
                let objects = store.objects(resource).iter();
                objects
                    .filter(|(key, _)| key.0 == *namespace)
                    .map(move |(_, value)| (resource, value.clone()))
            })
            .collect();
        for (resource, value) in all {
            self.delete_object(resource, &value, deletion, entry);
        }
    }

    /// Sets `metadata.deletionTimestamp`: somebody's finalizers are to be removed first.
    fn mark_deleted(&mut self, id: ObjectId, entry: EntryId) {
        let now = self.now;
        macro_rules! mark {
            ($table:ident, $id:ident, $changed:ident) => {{
                if self.$table.last($id).meta.deletion_at.is_none() {
                    self.$table.edit($id).meta.deletion_at = Some(now);
                    self.$changed($id, entry);
                }
            }};
        }
        match id {
            ObjectId::Node(id) => mark!(nodes, id, node_changed),
            ObjectId::Deployment(id) => mark!(deployments, id, deployment_changed),
            ObjectId::ReplicaSet(id) => mark!(replica_sets, id, replica_set_changed),
            ObjectId::StatefulSet(id) => mark!(stateful_sets, id, stateful_set_changed),
            ObjectId::DaemonSet(id) => mark!(daemon_sets, id, daemon_set_changed),
            ObjectId::HorizontalPodAutoscaler(id) => mark!(autoscalers, id, autoscaler_changed),
            ObjectId::PodDisruptionBudget(id) => mark!(budgets, id, budget_changed),
            ObjectId::Service(id) => mark!(services, id, service_changed),
            ObjectId::ConfigMap(id) => mark!(config_maps, id, config_map_changed),
            ObjectId::Lease(id) => mark!(leases, id, lease_changed),
            ObjectId::Job(id) => {
                self.jobs.edit(id).meta.deletion_at = Some(now);
                self.job_changed(id);
            }
            ObjectId::Pod(_) => {}
        }
    }

    /// Removes an object, its dependents with it.
    pub(super) fn remove_object(&mut self, id: ObjectId, entry: EntryId) {
        macro_rules! remove {
            ($table:ident, $id:ident) => {{
                let meta = self.$table.last($id).meta.clone();
                self.$table.remove($id, &meta.namespace, &meta.name);
            }};
        }
        match id {
            ObjectId::Node(id) => self.node_gone(id, entry),
            ObjectId::Pod(id) => self.remove_pod(id, entry),
            ObjectId::Deployment(id) => {
                remove!(deployments, id);
                self.deployment_changed(id, entry);
                for set in self.replica_sets_of(id).to_vec() {
                    self.remove_object(ObjectId::ReplicaSet(set), entry);
                }
            }
            ObjectId::ReplicaSet(id) => {
                self.remove_set(id, entry);
            }
            ObjectId::StatefulSet(id) => {
                self.forget_revisions(&self.document(ObjectId::StatefulSet(id)));
                remove!(stateful_sets, id);
                self.stateful_set_changed(id, entry);
                self.delete_pods(|owner| matches!(owner, PodOwner::StatefulSet(set, _) if set == id), entry);
            }
            ObjectId::DaemonSet(id) => {
                self.forget_revisions(&self.document(ObjectId::DaemonSet(id)));
                remove!(daemon_sets, id);
                self.daemon_set_changed(id, entry);
                self.delete_pods(|owner| owner == PodOwner::DaemonSet(id), entry);
            }
            ObjectId::Job(id) => {
                remove!(jobs, id);
                self.job_changed(id);
                self.delete_pods(|owner| owner == PodOwner::Job(id), entry);
            }
            ObjectId::HorizontalPodAutoscaler(id) => {
                remove!(autoscalers, id);
                self.autoscaler_changed(id, entry);
            }
            ObjectId::PodDisruptionBudget(id) => {
                remove!(budgets, id);
                self.label_sets.forget_budget(id);
                self.budget_changed(id, entry);
            }
            ObjectId::Service(id) => {
                remove!(services, id);
                self.label_sets.forget_service(id);
                self.service_states[id.index()].members.clear();
                if self.dns == Some(id) {
                    self.dns = None;
                }
                self.service_changed(id, entry);
                self.sync_slice(id);
            }
            ObjectId::ConfigMap(id) => {
                remove!(config_maps, id);
                self.config_map_changed(id, entry);
            }
            ObjectId::Lease(id) => {
                remove!(leases, id);
                self.lease_changed(id, entry);
            }
        }
    }

    /// Removes a ReplicaSet with its pods.
    pub(super) fn remove_set(&mut self, id: ReplicaSetId, entry: EntryId) {
        let meta = self.replica_sets.last(id).meta.clone();
        if !self.replica_sets.exists(id) {
            return;
        }
        self.replica_sets.remove(id, &meta.namespace, &meta.name);
        self.forget_set(id);
        self.replica_set_changed(id, entry);
        self.delete_pods(|owner| owner == PodOwner::ReplicaSet(id), entry);
        if let Some(deployment) = self.replica_sets.last(id).deployment {
            self.foreground_ends(ObjectId::Deployment(deployment), entry);
        }
    }

    fn has_dependents(&self, id: ObjectId) -> bool {
        match id {
            ObjectId::Deployment(id) => !self.replica_sets_of(id).is_empty(),
            _ => self.pods.iter().any(|(_, pod)| pod.owner.object() == Some(id)),
        }
    }

    /// Deletes what an object owns; the object follows when that is gone.
    fn delete_in_foreground(&mut self, id: ObjectId, entry: EntryId) {
        let mut value = self.document(id);
        value["metadata"]["finalizers"] = json!([FOREGROUND]);
        let body = Body::Written(Arc::new(value));
        match id {
            ObjectId::Deployment(id) => self.deployments.edit(id).meta.body = body,
            ObjectId::ReplicaSet(id) => self.replica_sets.edit(id).meta.body = body,
            ObjectId::StatefulSet(id) => self.stateful_sets.edit(id).meta.body = body,
            ObjectId::DaemonSet(id) => self.daemon_sets.edit(id).meta.body = body,
            ObjectId::Job(id) => self.jobs.edit(id).meta.body = body,
            _ => return,
        }
        self.mark_deleted(id, entry);
        if let Some(store) = self.store.as_deref_mut() {
            store.foreground.push(id);
        }
        let ObjectId::Deployment(deployment) = id else {
            self.delete_pods(|owner| owner.object() == Some(id), entry);
            return;
        };
        for set in self.replica_sets_of(deployment).to_vec() {
            if self.has_dependents(ObjectId::ReplicaSet(set)) {
                self.delete_in_foreground(ObjectId::ReplicaSet(set), entry);
            } else {
                self.remove_set(set, entry);
            }
        }
    }

    /// Something that an object owned is gone: if that was the last of it and the object waits for it, it goes too.
    pub(in crate::world) fn foreground_ends(&mut self, id: ObjectId, entry: EntryId) {
        let waits = |store: &Store| store.foreground.contains(&id);
        if !self.store.as_deref().is_some_and(waits) || self.has_dependents(id) {
            return;
        }
        if let Some(store) = self.store.as_deref_mut() {
            store.foreground.retain(|one| *one != id);
        }
        self.remove_object(id, entry);
    }

    /// Whether somebody's finalizers keep a pod whose containers have ended: it stands there, ended, until they are gone.
    pub(in crate::world) fn pod_is_kept(&mut self, id: PodId, entry: EntryId) -> bool {
        if self.store.is_none() {
            return false;
        }
        let pod = self.pods.last(id).clone();
        if !self.body_value(&pod.meta.body).is_some_and(|body| finalizers(&body)) {
            return false;
        }
        let first = pod.meta.deletion_at.is_none();
        let ended = !pod.finished() && !self.accepts(id);
        if first || ended {
            let now = self.now;
            let edited = self.pods.edit(id);
            edited.meta.deletion_at.get_or_insert(now);
            if ended {
                // As after SIGTERM; nothing tells here how the process ended.
                edited.phase = Phase::Failed;
            }
            self.set_ready(id, false, entry);
            self.pod_changed(id, entry);
        }
        true
    }

    fn delete_pods(&mut self, of: impl Fn(PodOwner) -> bool, entry: EntryId) {
        let pods: Vec<PodId> = self.pods.iter().filter(|(_, pod)| of(pod.owner)).map(|(id, _)| id).collect();
        for pod in pods {
            self.judge_removal(pod, entry);
            self.delete_pod(pod, None, None, entry);
        }
    }

    /// Dependents lose their owner.
    fn orphan(&mut self, id: ObjectId) {
        if let ObjectId::Deployment(id) = id {
            for set in self.replica_sets_of(id).to_vec() {
                self.replica_sets.edit(set).deployment = None;
                self.forget_set(set);
            }
            return;
        }
        let owns = |owner: PodOwner| match (id, owner) {
            (ObjectId::ReplicaSet(id), PodOwner::ReplicaSet(of)) => id == of,
            (ObjectId::StatefulSet(id), PodOwner::StatefulSet(of, _)) => id == of,
            (ObjectId::DaemonSet(id), PodOwner::DaemonSet(of)) => id == of,
            (ObjectId::Job(id), PodOwner::Job(of)) => id == of,
            _ => false,
        };
        let pods: Vec<PodId> =
            self.pods.iter().filter(|(_, pod)| owns(pod.owner)).map(|(id, _)| id).collect();
        for pod in pods {
            self.disown(pod);
        }
    }
}

//! Templates that clients change: the ReplicaSets, StatefulSets and DaemonSets of a new revision.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    controllers::deployment::{copies_annotation, replica_set_name},
    world::{
        World,
        ids::{DaemonSetId, DeploymentId, EntryId, PodId, ReplicaSetId, StatefulSetId},
        objects::{PodOwner, ReplicaSet, StringMap, WorkloadStatus},
        store::ObjectId,
    },
};

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

impl World {
    /// A Deployment has a template that its controller has not seen.
    pub(super) fn template_changed(&mut self, id: DeploymentId) {
        self.owners.changed_templates.insert(id);
    }

    /// A StatefulSet has one: its pods from before are replaced, the highest ordinal first.
    pub(super) fn stateful_template_changed(&mut self, id: StatefulSetId, before: String) {
        self.owners.stateful_revisions.insert(id, (self.now, before));
    }

    /// A DaemonSet has one.
    pub(super) fn daemon_template_changed(&mut self, id: DaemonSetId, cause: EntryId) {
        self.owners.daemon_revisions.insert(id, self.now);
        self.mark_daemon_sets(cause);
    }

    /// Replaces the pods of an older template one by one: the next goes when all others are ready.
    pub(in crate::world) fn roll_daemon_set(&mut self, id: DaemonSetId, cause: EntryId) {
        let Some(&revised_at) = self.owners.daemon_revisions.get(&id) else { return };
        let pods: Vec<PodId> = self
            .pods
            .iter()
            .filter(|(_, pod)| pod.owner == PodOwner::DaemonSet(id) && !pod.finished())
            .map(|(id, _)| id)
            .collect();
        if pods.iter().any(|&pod| self.pods.last(pod).terminating() || !self.pods.last(pod).ready) {
            return;
        }
        let old = |pod: &PodId| self.pods.last(*pod).meta.created_at < revised_at as i64;
        match pods.into_iter().find(old) {
            Some(pod) => {
                self.judge_removal(pod, cause);
                self.delete_pod(pod, None, None, cause);
            }
            None => {
                self.owners.daemon_revisions.remove(&id);
            }
        }
    }

    /// The Deployment controller finds the ReplicaSet of a changed template, or makes one.
    pub(in crate::world) fn adopt_template(&mut self, id: DeploymentId, cause: EntryId) {
        let template = bare_template(&self.document(ObjectId::Deployment(id)));
        let sets = self.replica_sets_of(id).to_vec();
        let found = sets
            .iter()
            .copied()
            .find(|&set| bare_template(&self.document(ObjectId::ReplicaSet(set))) == template);
        let newest = sets.iter().map(|&set| self.revision_of(set)).max().unwrap_or(0);
        let set = match found {
            Some(set) => set,
            None => self.make_set(id, &template, cause),
        };
        let revision =
            if found.is_some_and(|set| self.revision_of(set) == newest) { newest.max(1) } else { newest + 1 };
        self.owners.set_current(id, set);
        let text = revision.to_string();
        if self.replica_sets.last(set).meta.annotations.get(REVISION) != Some(&text) {
            let annotations = &mut self.replica_sets.edit(set).meta.annotations;
            Arc::make_mut(annotations).insert(REVISION.into(), text.clone());
        }
        self.replica_set_changed(set, cause);
        let deployment = self.deployments.edit(id);
        if deployment.meta.annotations.get(REVISION) != Some(&text) {
            Arc::make_mut(&mut deployment.meta.annotations).insert(REVISION.into(), text);
            self.deployment_changed(id, cause);
        }
    }

    fn revision_of(&self, set: ReplicaSetId) -> u64 {
        let annotations = &self.replica_sets.last(set).meta.annotations;
        annotations.get(REVISION).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn make_set(&mut self, id: DeploymentId, template: &Value, cause: EntryId) -> ReplicaSetId {
        let owner = self.deployments.last(id).clone();
        let annotations: StringMap = Arc::new(super::strings(template.pointer("/metadata/annotations")));
        let mut hash = self.template_hash(owner.spec, &owner.template_labels, Some(&annotations));
        let mut name: Arc<str> = replica_set_name(&owner.meta.name, &hash).into();
        // A namesake of another template counts the collisions up; here the hash of the hash does.
        while self.replica_sets.find(&owner.meta.namespace, &name).is_some() {
            hash = crate::controllers::deployment::pod_template_hash(hash.as_bytes(), Some(1));
            name = replica_set_name(&owner.meta.name, &hash).into();
        }
        let mut labels = (*owner.template_labels).clone();
        labels.insert(HASH.into(), hash);
        let labels: StringMap = Arc::new(labels);
        let mut meta = self.new_meta(owner.meta.namespace.clone(), name.clone(), labels.clone());
        let copied = owner.meta.annotations.iter().filter(|(key, _)| copies_annotation(key));
        meta.annotations = Arc::new(copied.map(|(key, value)| (key.clone(), value.clone())).collect());
        let min_ready = self
            .body_value(&owner.meta.body)
            .and_then(|body| body.pointer("/spec/minReadySeconds")?.as_u64())
            .unwrap_or(0);
        let state = ReplicaSet {
            deployment: Some(id),
            replicas: 0,
            spec: owner.spec,
            template_labels: labels,
            template_annotations: Some(annotations),
            min_ready: min_ready.saturating_mul(1_000),
            status: WorkloadStatus::default(),
            meta,
        };
        let set = self.replica_sets.insert(&owner.meta.namespace, &name, state);
        self.adopt_set(id, set, false);
        self.replica_set_changed(set, cause);
        set
    }

    /// Removes old ReplicaSets that nobody needs for going back, beyond `spec.revisionHistoryLimit`.
    pub(in crate::world) fn clean_revisions(&mut self, id: DeploymentId, cause: EntryId) {
        let limit = self
            .body_value(&self.deployments.last(id).meta.body)
            .and_then(|body| body.pointer("/spec/revisionHistoryLimit")?.as_u64())
            .unwrap_or(10);
        let current = self.current_set(id);
        let mut idle: Vec<ReplicaSetId> = self
            .replica_sets_of(id)
            .iter()
            .copied()
            .filter(|&set| {
                let state = self.replica_sets.last(set);
                Some(set) != current && state.replicas == 0 && state.status.replicas == 0
            })
            .collect();
        idle.sort_by_key(|&set| self.revision_of(set));
        let surplus = idle.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        for set in idle.into_iter().take(surplus) {
            self.remove_set(set, cause);
        }
    }
}

/// The template of a workload without the label that tells revisions apart.
pub(super) fn bare_template(value: &Value) -> Value {
    let mut template = value.pointer("/spec/template").cloned().unwrap_or_default();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.shift_remove(HASH);
    }
    if let Some(meta) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.retain(|key, value| matches!(key.as_str(), "labels" | "annotations") && !value.is_null());
    }
    template
}

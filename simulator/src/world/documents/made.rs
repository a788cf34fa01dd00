//! What controllers put into the objects that they make: owners, names, templates, revisions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::put_condition;
use crate::controllers::deployment::pod_template_hash;
use crate::world::{
    Instant, World,
    ids::{DaemonSetId, DeploymentId, JobId, ReplicaSetId, SpecId},
    objects::{Body, Pod, PodOwner, StringMap},
    render::{at, put},
    store::ObjectId,
};

/// Pods of a DaemonSet.
pub(super) struct DaemonCounts {
    pub(super) scheduled: u32,
    pub(super) ready: u32,
    /// Of the present template.
    pub(super) updated: u32,
}

impl World {
    /// The text of an object's body, where it has one.
    pub(in crate::world) fn body_value(&self, body: &Body) -> Option<Value> {
        match body {
            Body::Imported(raw) => Some(raw.value()),
            Body::Written(value) => Some((**value).clone()),
            Body::Made => None,
        }
    }

    pub(super) fn owner_references(&self, owner: PodOwner) -> Option<Value> {
        let (api_version, kind, meta) = match owner {
            PodOwner::ReplicaSet(id) => ("apps/v1", "ReplicaSet", &self.replica_sets.last(id).meta),
            PodOwner::StatefulSet(id, _) => ("apps/v1", "StatefulSet", &self.stateful_sets.last(id).meta),
            PodOwner::DaemonSet(id) => ("apps/v1", "DaemonSet", &self.daemon_sets.last(id).meta),
            PodOwner::Job(id) => ("batch/v1", "Job", &self.jobs.last(id).meta),
            PodOwner::Node | PodOwner::Unknown | PodOwner::Nobody => return None,
        };
        Some(json!({"apiVersion": api_version, "kind": kind, "name": meta.name, "uid": meta.uid,
            "controller": true, "blockOwnerDeletion": true}))
    }

    /// Annotations that pods get from the template of their controller. Nothing in the world reads them there, so that
    /// they are looked up only where clients may.
    pub(in crate::world) fn template_annotations(&self, owner: PodOwner) -> StringMap {
        let id = match owner {
            _ if self.store.is_none() => return StringMap::default(),
            PodOwner::ReplicaSet(id) => ObjectId::ReplicaSet(id),
            PodOwner::StatefulSet(id, _) => ObjectId::StatefulSet(id),
            PodOwner::DaemonSet(id) => ObjectId::DaemonSet(id),
            PodOwner::Job(id) => ObjectId::Job(id),
            PodOwner::Node | PodOwner::Unknown | PodOwner::Nobody => return StringMap::default(),
        };
        let document = self.document(id);
        let annotations = document.pointer("/spec/template/metadata/annotations").and_then(Value::as_object);
        let texts = annotations
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        Arc::new(texts.collect())
    }

    /// The name of a StatefulSet's revision with this template.
    pub(in crate::world) fn revision_name(&self, name: &str, template: Option<&Value>) -> String {
        let text = template.map(Value::to_string).unwrap_or_default();
        format!("{name}-{}", pod_template_hash(text.as_bytes(), None))
    }

    /// What the name of a pod was made from, unless it is an ordinal's.
    pub(super) fn made_pod_name(&self, pod: &Pod) -> Option<String> {
        let name = match pod.owner {
            PodOwner::ReplicaSet(id) => &self.replica_sets.last(id).meta.name,
            PodOwner::DaemonSet(id) => &self.daemon_sets.last(id).meta.name,
            PodOwner::Job(id) => &self.jobs.last(id).meta.name,
            _ => return None,
        };
        Some(format!("{name}-"))
    }

    /// A ReplicaSet that the Deployment controller made during the run.
    pub(in crate::world) fn made_replica_set(&self, id: ReplicaSetId) -> Value {
        let state = self.replica_sets.last(id);
        let mut template = json!({"metadata": {"labels": *state.template_labels},
            "spec": *self.specs[state.spec.index()].kubernetes});
        if let Some(annotations) = state.template_annotations.as_ref().filter(|all| !all.is_empty()) {
            put(at(&mut template, "metadata"), "annotations", Some(json!(**annotations)));
        }
        let mut value = json!({"kind": "ReplicaSet", "apiVersion": "apps/v1", "metadata": {}, "spec": {
            "replicas": state.replicas, "selector": {"matchLabels": *state.meta.labels}, "template": template,
        }});
        if let Some(deployment) = state.deployment {
            let owner = self.deployments.last(deployment);
            let mut selector = json!(*owner.selector);
            let labels = at(&mut selector, "matchLabels");
            if let Some(hash) = state.meta.labels.get("pod-template-hash") {
                put(labels, "pod-template-hash", Some(json!(hash)));
            }
            put(at(&mut value, "spec"), "selector", Some(selector));
            let reference = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": owner.meta.name,
                "uid": owner.meta.uid, "controller": true, "blockOwnerDeletion": true});
            put(at(&mut value, "metadata"), "ownerReferences", Some(json!([reference])));
        }
        if state.min_ready > 0 {
            put(at(&mut value, "spec"), "minReadySeconds", Some(json!(state.min_ready / 1_000)));
        }
        value
    }

    /// Conditions Available and Progressing of a Deployment.
    pub(super) fn put_progress(&self, value: &mut Value, id: DeploymentId) {
        let state = self.deployments.last(id);
        let counts = state.status;
        let now = self.timestamp(self.now as Instant);
        let share = crate::controllers::IntOrPercent::parse(&state.max_unavailable)
            .unwrap_or(crate::controllers::IntOrPercent::Number(0));
        let surge = crate::controllers::IntOrPercent::parse(&state.max_surge)
            .unwrap_or(crate::controllers::IntOrPercent::Number(0));
        let desired = i32::try_from(state.replicas).unwrap_or(i32::MAX);
        let unavailable =
            crate::controllers::deployment::resolve_fenceposts(surge, share, desired).max_unavailable;
        let enough = i64::from(counts.available) >= i64::from(desired) - i64::from(unavailable.max(0));
        let (available, reason, message) = if enough {
            ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        };
        let complete = counts.updated == state.replicas
            && counts.replicas == state.replicas
            && counts.available == state.replicas
            && counts.observed_generation >= state.meta.generation;
        let set = self
            .current_set(id)
            .map(|set| self.replica_sets.last(set).meta.name.to_string())
            .unwrap_or_default();
        let (progress, text) = if complete {
            ("NewReplicaSetAvailable", format!("ReplicaSet \"{set}\" has successfully progressed."))
        } else {
            ("ReplicaSetUpdated", format!("ReplicaSet \"{set}\" is progressing."))
        };
        let status = at(value, "status");
        put_condition(status, "Available", available, Some(reason), message, &now);
        if !state.paused {
            put_condition(status, "Progressing", "True", Some(progress), &text, &now);
        }
    }

    pub(super) fn daemon_set_counts(&self, id: DaemonSetId) -> DaemonCounts {
        let of = PodOwner::DaemonSet(id);
        let revised_at = self.owners.daemon_revisions.get(&id);
        let mut counts = DaemonCounts { scheduled: 0, ready: 0, updated: 0 };
        for (_, pod) in self.pods.iter().filter(|(_, pod)| pod.owner == of && pod.active()) {
            counts.scheduled += 1;
            counts.ready += u32::from(pod.ready);
            counts.updated += u32::from(revised_at.is_none_or(|&at| pod.meta.created_at >= at as i64));
        }
        counts
    }

    pub(super) fn active_pods_of_job(&self, id: JobId) -> u32 {
        self.pods.iter().filter(|(_, pod)| pod.owner == PodOwner::Job(id) && pod.active()).count() as u32
    }

    /// The hash of a pod template, which names what was made from it.
    pub(in crate::world) fn template_hash(
        &self,
        spec: SpecId,
        labels: &StringMap,
        annotations: Option<&StringMap>,
    ) -> String {
        let annotations = annotations.filter(|all| !all.is_empty()).map(|all| json!(**all));
        let template = json!([*self.specs[spec.index()].kubernetes, **labels, annotations]).to_string();
        pod_template_hash(template.as_bytes(), None)
    }
}

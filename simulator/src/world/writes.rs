//! Writes of clients that come as whole objects: what stands afterwards, and what the world does about it.
//!
//! The API server has checked the object by then. For kinds that nothing here runs, storing it is all.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Taint;
use serde::{Deserialize as _, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Time, World,
    ids::EntryId,
    log::{Subject, What},
    objects::{Body, Meta, StringMap},
    requests::{Answer, Change, Request, Submitted},
    store::{Key, ObjectId, key_of},
};
use crate::{api::resources::Resource, selector::SelectorError};

mod create;
mod delete;
mod pods;
mod revisions;
mod rollout;
mod update;

pub use delete::{Deleted, Deletion, Propagation};

/// Why an object cannot be stored, although it is well-formed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A part of it is of a form that the world cannot read.
    #[error("{0}")]
    Unreadable(#[from] serde_json::Error),
    /// A selector, taint or toleration means nothing.
    #[error("{0}")]
    Selector(#[from] SelectorError),
    /// A ResourceQuota of the namespace does not let another such pod in.
    #[error("exceeded quota")]
    Quota,
    /// The simulation holds no more pods.
    #[error("exceeded quota: simulation, requested: pods=1, used: pods={0}, limited: pods={0}")]
    Full(usize),
    /// The object is gone.
    #[error("the object is gone")]
    Gone,
}

impl World {
    /// Notes a write that a client asks for through the served API; what follows from it has this entry as its cause.
    pub(crate) fn written(&mut self, verb: &'static str, resource: &Resource, key: &Key) -> EntryId {
        let id = super::ids::RequestId::from(self.requests.len());
        let entry = self.record(super::log::START, Subject::Request(id), What::Requested);
        let what = format!("{} {}/{}", resource.qualified(), key.0, key.1);
        self.requests.push(Submitted {
            client: self.served_client,
            phase: "",
            request: Request::Served { verb, what },
            answer: Some((self.now, Answer::Done(None))),
            entry,
        });
        entry
    }

    /// Five characters for a generated name.
    pub(crate) fn generated_suffix(&mut self) -> String {
        self.name_suffix()
    }

    /// The object that the world runs under a resource and a name.
    pub(super) fn find_object(&self, plural: &str, (namespace, name): &Key) -> Option<ObjectId> {
        match plural {
            "nodes" => self.nodes.find(namespace, name).map(ObjectId::Node),
            "pods" => self.pods.find(namespace, name).map(ObjectId::Pod),
            "deployments" => self.deployments.find(namespace, name).map(ObjectId::Deployment),
            "replicasets" => self.replica_sets.find(namespace, name).map(ObjectId::ReplicaSet),
            "statefulsets" => self.stateful_sets.find(namespace, name).map(ObjectId::StatefulSet),
            "daemonsets" => self.daemon_sets.find(namespace, name).map(ObjectId::DaemonSet),
            "jobs" => self.jobs.find(namespace, name).map(ObjectId::Job),
            "horizontalpodautoscalers" => {
                self.autoscalers.find(namespace, name).map(ObjectId::HorizontalPodAutoscaler)
            }
            "poddisruptionbudgets" => self.budgets.find(namespace, name).map(ObjectId::PodDisruptionBudget),
            "services" => self.services.find(namespace, name).map(ObjectId::Service),
            "configmaps" => self.config_maps.find(namespace, name).map(ObjectId::ConfigMap),
            "leases" => self.leases.find(namespace, name).map(ObjectId::Lease),
            _ => None,
        }
    }

    /// The name of a resource that the world runs objects of.
    fn run_resource(&self, resource: usize) -> Option<&'static str> {
        const RUN: [(&str, &str); 12] = [
            ("", "nodes"),
            ("", "pods"),
            ("apps", "deployments"),
            ("apps", "replicasets"),
            ("apps", "statefulsets"),
            ("apps", "daemonsets"),
            ("batch", "jobs"),
            ("autoscaling", "horizontalpodautoscalers"),
            ("policy", "poddisruptionbudgets"),
            ("", "services"),
            ("", "configmaps"),
            ("coordination.k8s.io", "leases"),
        ];
        let resource = &self.store.as_deref()?.resources()[resource];
        RUN.into_iter()
            .find(|(group, plural)| *group == resource.group && *plural == resource.plural)
            .map(|(_, plural)| plural)
    }

    /// What the store shows now.
    fn shown(&self, resource: usize, key: &Key) -> Option<Arc<Value>> {
        self.store.as_deref()?.get(resource, key).cloned()
    }

    /// Metadata of an object that a client creates.
    fn created_meta(&mut self, value: &Value) -> Meta {
        let (namespace, name) = key_of(value);
        let mut meta = self.new_meta(namespace, name, StringMap::default());
        rewrite(&mut meta, value);
        meta
    }

    /// Notes which fields a client changes, for the promise that what others write is respected.
    fn note_differences(&mut self, kind: &str, id: u32, old: &Value, new: &Value, entry: EntryId) {
        let name = key_of(new);
        for (field, change) in [
            ("labels", Change::Label as fn(String, Option<String>) -> Change),
            ("annotations", Change::Annotation as fn(String, Option<String>) -> Change),
        ] {
            let of = |value: &Value| strings(value.pointer(&format!("/metadata/{field}")));
            let (before, after) = (of(old), of(new));
            for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(*value)) {
                self.note_changes(kind, id, &name, &change(key.clone(), Some(value.clone())), entry);
            }
            for key in before.keys().filter(|key| !after.contains_key(*key)) {
                self.note_changes(kind, id, &name, &change(key.clone(), None), entry);
            }
        }
        let number = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
        };
        match kind {
            "Deployment" | "StatefulSet" => {
                if let Some(replicas) = number(new, "/spec/replicas") {
                    self.note_changes(kind, id, &name, &Change::Replicas(replicas), entry);
                }
            }
            "HorizontalPodAutoscaler" => {
                let min = number(new, "/spec/minReplicas").unwrap_or(1);
                let max = number(new, "/spec/maxReplicas").unwrap_or(1);
                self.note_changes(kind, id, &name, &Change::ReplicaBounds { min, max }, entry);
            }
            "Node" => {
                let cordoned = new.pointer("/spec/unschedulable") == Some(&json!(true));
                self.note_changes(kind, id, &name, &Change::Unschedulable(cordoned), entry);
                if let Ok(taints) = taints_of(new) {
                    self.note_changes(kind, id, &name, &Change::Taints(taints), entry);
                }
            }
            _ => {}
        }
    }
}

/// Takes over what of the metadata a client may write, and the object itself as the new body.
fn rewrite(meta: &mut Meta, value: &Value) {
    meta.labels = Arc::new(strings(value.pointer("/metadata/labels")));
    meta.annotations = Arc::new(strings(value.pointer("/metadata/annotations")));
    if let Some(generation) = value.pointer("/metadata/generation").and_then(Value::as_i64) {
        meta.generation = generation;
    }
    meta.body = Body::Written(Arc::new(value.clone()));
}

fn strings(value: Option<&Value>) -> std::collections::BTreeMap<String, String> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn taints_of(value: &Value) -> Result<Vec<Taint>, serde_json::Error> {
    match value.pointer("/spec/taints") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(taints) => Vec::<Taint>::deserialize(taints),
    }
}

fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    T::deserialize(value)
}

fn finalizers(value: &Value) -> bool {
    value.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|all| !all.is_empty())
}

/// Seconds of an object's field in milliseconds.
fn seconds(value: &Value, pointer: &str) -> Time {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0).saturating_mul(1_000)
}

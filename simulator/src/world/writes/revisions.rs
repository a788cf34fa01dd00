//! ControllerRevisions: past templates of StatefulSets and DaemonSets, which `kubectl rollout history` and `undo` read.
//!
//! Kept only where the API is served; nothing in the world follows from them.
//! Source: kubernetes pkg/controller/history/controller_history.go; stateful_set_utils.go and daemon/update.go, getPatch.

use std::sync::Arc;

use serde_json::{Value, json};

use super::rollout::bare_template;
use crate::{
    controllers::deployment::pod_template_hash,
    world::{
        World,
        store::{Key, ObjectId, index_of, key_of},
    },
};

/// Past revisions that are kept where `spec.revisionHistoryLimit` says nothing. Source: apps/v1 defaults.
const LIMIT: u64 = 10;

impl World {
    /// Revisions of everything that has them, as far as they were not imported.
    pub(in crate::world) fn note_revisions(&mut self) {
        let stateful = self.stateful_sets.iter().map(|(id, _)| ObjectId::StatefulSet(id));
        let daemons = self.daemon_sets.iter().map(|(id, _)| ObjectId::DaemonSet(id));
        let all: Vec<ObjectId> = stateful.chain(daemons).collect();
        for id in all {
            self.note_revision(id);
        }
    }

    /// Makes the template that a workload has now its newest revision.
    pub(in crate::world) fn note_revision(&mut self, id: ObjectId) {
        let Some(store) = self.store.as_deref() else { return };
        let index = index_of(store, "controllerrevisions");
        let owner = self.document(id);
        let mut owned = self.revisions_of(index, &owner);
        let mut template = bare_template(&owner);
        if let Some(fields) = template.as_object_mut() {
            fields.insert("$patch".into(), json!("replace"));
        }
        let data = json!({"spec": {"template": template}});
        let newest = owned.last().map_or(0, |(revision, _)| *revision);
        match owned.iter().find(|(_, value)| value.get("data") == Some(&data)) {
            Some((revision, _)) if *revision == newest => return,
            // What was gone back to is the newest again.
            Some((_, value)) => {
                let mut value = (**value).clone();
                value["revision"] = json!(newest + 1);
                self.put_plain(index, value);
            }
            None => {
                let value = new_revision(&owner, data, newest + 1);
                self.put_plain(index, value);
            }
        }
        owned = self.revisions_of(index, &owner);
        let limit = owner.pointer("/spec/revisionHistoryLimit").and_then(Value::as_u64).unwrap_or(LIMIT);
        let surplus = (owned.len() - 1).saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        for (_, value) in owned.into_iter().take(surplus) {
            self.remove_plain(index, &key_of(&value));
        }
    }

    /// The revisions of a workload go with it.
    pub(super) fn forget_revisions(&mut self, owner: &Value) {
        let Some(store) = self.store.as_deref() else { return };
        let index = index_of(store, "controllerrevisions");
        for (_, value) in self.revisions_of(index, owner) {
            self.remove_plain(index, &key_of(&value));
        }
    }

    /// The revisions that a workload owns with their numbers, the oldest first.
    fn revisions_of(&self, index: usize, owner: &Value) -> Vec<(i64, Arc<Value>)> {
        let Some(store) = self.store.as_deref() else { return Vec::new() };
        let (namespace, _) = key_of(owner);
        let uid = owner.pointer("/metadata/uid");
        let from: Key = (namespace.clone(), "".into());
        let mut owned: Vec<(i64, Arc<Value>)> = store
            .objects(index)
            .range(from..)
            .take_while(|(key, _)| key.0 == namespace)
            .filter(|(_, value)| value.pointer("/metadata/ownerReferences/0/uid") == uid)
            .map(|(_, value)| (value.get("revision").and_then(Value::as_i64).unwrap_or(0), value.clone()))
            .collect();
        owned.sort_by_key(|(revision, _)| *revision);
        owned
    }
}

fn new_revision(owner: &Value, data: Value, revision: i64) -> Value {
    let meta = |field: &str| owner.pointer(&format!("/metadata/{field}")).cloned().unwrap_or_default();
    let hash = pod_template_hash(data.to_string().as_bytes(), None);
    let mut labels = owner.pointer("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({}));
    let label = if owner["kind"] == "DaemonSet" {
        "controller-revision-hash"
    } else {
        "controller.kubernetes.io/hash"
    };
    labels[label] = json!(hash);
    let annotations = owner.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": format!("{}-{hash}", meta("name").as_str().unwrap_or("")),
            "namespace": meta("namespace"),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": owner["kind"], "name": meta("name"),
                "uid": meta("uid"), "controller": true, "blockOwnerDeletion": true}],
        },
        "data": data,
        "revision": revision,
    })
}

//! What the API server stores: every object in the API's form, and the history of versions that watches read.
//!
//! Kept only once somebody serves the API ([`World::serve`]); until then nothing is rendered. Objects that the world
//! runs are rendered whenever they change, all others live here alone.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::{Value, json};

use super::{
    World,
    bounds::{self, HISTORY_BYTES_MAX},
    events::EVENTS_MAX,
    ids, uid_of,
};
use crate::api::resources::{Resource, served};

/// Most versions that are kept for watches: what a real watch cache keeps at most is 102,400, at least 100. A watch that
/// starts before the oldest is told to list again.
const HISTORY_MAX: usize = 20_000;

/// Namespace and name.
pub type Key = (Arc<str>, Arc<str>);

/// An object that the world runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum ObjectId {
    Node(ids::NodeId),
    Pod(ids::PodId),
    Deployment(ids::DeploymentId),
    ReplicaSet(ids::ReplicaSetId),
    StatefulSet(ids::StatefulSetId),
    DaemonSet(ids::DaemonSetId),
    Job(ids::JobId),
    HorizontalPodAutoscaler(ids::AutoscalerId),
    PodDisruptionBudget(ids::BudgetId),
    Service(ids::ServiceId),
    ConfigMap(ids::PlainId),
    Lease(ids::LeaseId),
}

impl ObjectId {
    /// Its resource.
    pub fn plural(self) -> &'static str {
        match self {
            ObjectId::Node(_) => "nodes",
            ObjectId::Pod(_) => "pods",
            ObjectId::Deployment(_) => "deployments",
            ObjectId::ReplicaSet(_) => "replicasets",
            ObjectId::StatefulSet(_) => "statefulsets",
            ObjectId::DaemonSet(_) => "daemonsets",
            ObjectId::Job(_) => "jobs",
            ObjectId::HorizontalPodAutoscaler(_) => "horizontalpodautoscalers",
            ObjectId::PodDisruptionBudget(_) => "poddisruptionbudgets",
            ObjectId::Service(_) => "services",
            ObjectId::ConfigMap(_) => "configmaps",
            ObjectId::Lease(_) => "leases",
        }
    }
}

/// One version in the history.
#[derive(Debug, Clone)]
pub struct Record {
    /// The resourceVersion that the change made.
    pub version: u64,
    /// Index of the resource.
    pub resource: usize,
    /// Of which object.
    pub key: Key,
    /// The version before, none where it was created.
    pub before: Option<Arc<Value>>,
    /// The new version; where it was deleted, the last one.
    pub after: Arc<Value>,
    /// It was deleted.
    pub deleted: bool,
    /// What the new version takes, in bytes.
    weight: usize,
}

/// Objects and history.
#[derive(Debug, Clone, Default)]
pub struct Store {
    resources: Arc<Vec<Resource>>,
    objects: Vec<BTreeMap<Key, Arc<Value>>>,
    history: VecDeque<Record>,
    /// The newest version that is no longer in the history.
    forgotten: u64,
    /// Events, oldest first.
    events: VecDeque<Key>,
    /// What the objects, and what the past versions take, estimated in bytes.
    weight: usize,
    history_weight: usize,
    /// What is kept of what is gone, likewise.
    pub(super) kept: usize,
    /// Objects that are deleted and wait for what they own.
    pub(super) foreground: Vec<ObjectId>,
    /// Most pods.
    pub(super) pods_max: usize,
    /// What AWS' describe calls were shown last.
    pub(super) aws_shown: Option<super::aws::Shown>,
}

impl Store {
    /// Every resource that is served.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The index of a resource.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<usize> {
        self.resources.iter().position(|resource| {
            resource.plural == plural && resource.group == group && resource.version == version
        })
    }

    /// The objects of a resource, by namespace and name.
    pub fn objects(&self, resource: usize) -> &BTreeMap<Key, Arc<Value>> {
        &self.objects[resource]
    }

    /// One object.
    pub fn get(&self, resource: usize, key: &Key) -> Option<&Arc<Value>> {
        self.objects[resource].get(key)
    }

    /// Changes after a version, oldest first; `None` where some are no longer known.
    pub fn since(&self, version: u64) -> Option<impl Iterator<Item = &Record>> {
        if version < self.forgotten {
            return None;
        }
        let from = self.history.partition_point(|record| record.version <= version);
        Some(self.history.range(from..))
    }

    /// Notes an event; gives the oldest, where there are too many.
    pub(super) fn remember_event(&mut self, key: Key) -> Option<Key> {
        self.events.push_back(key);
        if self.events.len() > EVENTS_MAX { self.events.pop_front() } else { None }
    }

    /// What the objects and all that is remembered of them take, estimated in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.weight + self.history_weight + self.kept
    }

    fn keep(&mut self, record: Record) {
        self.history_weight += record.weight;
        self.history.push_back(record);
        while self.history.len() > HISTORY_MAX || self.history_weight > HISTORY_BYTES_MAX {
            let Some(oldest) = self.history.pop_front() else { return };
            self.forgotten = oldest.version;
            self.history_weight -= oldest.weight;
        }
    }

    fn put(&mut self, version: u64, resource: usize, key: Key, after: Arc<Value>) {
        let weight = bounds::weight(&after);
        let before = self.objects[resource].insert(key.clone(), after.clone());
        self.weight += weight;
        self.weight -= before.as_deref().map_or(0, bounds::weight);
        self.keep(Record { version, resource, key, before, after, deleted: false, weight });
    }

    fn remove(&mut self, version: u64, resource: usize, key: Key, after: Arc<Value>) {
        if let Some(before) = self.objects[resource].remove(&key) {
            let weight = bounds::weight(&before);
            self.weight -= weight;
            self.keep(Record { version, resource, key, before: Some(before), after, deleted: true, weight });
        }
    }
}

impl World {
    /// Begins to serve the Kubernetes API: renders what there is, and from now on what changes.
    pub fn serve(&mut self) {
        if self.store.is_some() {
            return;
        }
        let mut resources = served();
        let others: Vec<Value> = self.stored_only();
        for value in &others {
            let (api_version, kind) = (text(value, "/apiVersion"), text(value, "/kind"));
            let known = |one: &Resource| one.kind == kind && one.api_version() == api_version;
            if !resources.iter().any(known) {
                let namespaced = value.pointer("/metadata/namespace").is_some();
                resources.push(Resource::of_kind(api_version, kind, namespaced));
            }
        }
        let objects = vec![BTreeMap::new(); resources.len()];
        let resources = Arc::new(resources);
        let mut store = Store { resources, objects, ..Store::default() };
        self.resource_version = self.resource_version.max(1);
        for id in self.object_ids() {
            let value = self.document(id);
            let index = index_of(&store, id.plural());
            store.objects[index].insert(key_of(&value), Arc::new(value));
        }
        for mut value in others {
            self.resource_version += 1;
            let (api_version, kind) =
                (text(&value, "/apiVersion").to_owned(), text(&value, "/kind").to_owned());
            let found = store
                .resources
                .iter()
                .position(|one| one.kind == kind && one.api_version() == api_version)
                .expect("resources of unknown kinds were just added");
            self.complete_meta(&mut value);
            store.objects[found].insert(key_of(&value), Arc::new(value));
        }
        store.forgotten = self.resource_version;
        store.weight = store
            .objects
            .iter()
            .flat_map(|objects| objects.values())
            .map(|value| bounds::weight(value))
            .sum();
        store.pods_max = bounds::PODS_MAX.max(self.pods.len());
        self.store = Some(Box::new(store));
        self.furnish();
        self.note_revisions();
    }

    /// What the API server stores, where it is served.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_deref()
    }

    /// Namespaces and service accounts that every cluster has and an export need not show.
    fn furnish(&mut self) {
        let Some(store) = &self.store else { return };
        let mut namespaces: Vec<Arc<str>> = store
            .objects
            .iter()
            .flat_map(|objects| objects.keys().map(|(namespace, _)| namespace.clone()))
            .filter(|namespace| !namespace.is_empty())
            .collect();
        namespaces.extend(["default", "kube-node-lease", "kube-public", "kube-system"].map(Arc::from));
        namespaces.sort();
        namespaces.dedup();
        for namespace in namespaces {
            self.furnish_namespace(&namespace);
        }
        self.sync_all_slices();
    }

    /// Makes a namespace, where there is none, and its default service account.
    pub(crate) fn furnish_namespace(&mut self, name: &Arc<str>) {
        let Some(store) = &self.store else { return };
        let namespaces = index_of(store, "namespaces");
        let accounts = index_of(store, "serviceaccounts");
        let key: Key = ("".into(), name.clone());
        let (has_namespace, account) =
            (store.get(namespaces, &key).is_some(), (name.clone(), Arc::from("default")));
        let has_account = store.get(accounts, &account).is_some();
        if !has_namespace {
            let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": name, "labels": {"kubernetes.io/metadata.name": name},
            }, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
            self.put_plain(namespaces, value);
        }
        if !has_account {
            let value = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
                "name": "default", "namespace": name,
            }});
            self.put_plain(accounts, value);
        }
    }

    /// An object that the world runs has changed.
    pub(super) fn store_object(&mut self, id: ObjectId, exists: bool) {
        if self.store.is_none() {
            return;
        }
        let value = self.document(id);
        let version = self.resource_version;
        let store = self.store.as_deref_mut().expect("it was just seen");
        let index = index_of(store, id.plural());
        let key = key_of(&value);
        if exists {
            store.put(version, index, key, Arc::new(value));
        } else {
            // Its last state stays readable by id, what a client wrote included; pods are counted by their number.
            if !matches!(id, ObjectId::Pod(_)) {
                store.kept += bounds::weight(&value);
            }
            store.remove(version, index, key, Arc::new(value));
        }
    }

    /// Stores an object that nothing in the world runs, under its next version; gives the version back as stored.
    pub(crate) fn put_plain(&mut self, resource: usize, mut value: Value) -> Arc<Value> {
        self.resource_version += 1;
        self.complete_meta(&mut value);
        let version = self.resource_version;
        value["metadata"]["resourceVersion"] = json!(version.to_string());
        let value = Arc::new(value);
        if let Some(store) = self.store.as_deref_mut() {
            store.put(version, resource, key_of(&value), value.clone());
        }
        value
    }

    /// Removes such an object.
    pub(crate) fn remove_plain(&mut self, resource: usize, key: &Key) -> Option<Arc<Value>> {
        let last = self.store.as_deref()?.get(resource, key)?.clone();
        self.resource_version += 1;
        let version = self.resource_version;
        let mut value = (*last).clone();
        value["metadata"]["resourceVersion"] = json!(version.to_string());
        let value = Arc::new(value);
        self.store.as_deref_mut()?.remove(version, resource, key.clone(), value.clone());
        Some(value)
    }

    /// Gives an object what the server gives every object: uid, creation and a version.
    fn complete_meta(&mut self, value: &mut Value) {
        if !value["metadata"].is_object() {
            value["metadata"] = json!({});
        }
        if value.pointer("/metadata/uid").is_none() {
            // No draw from a stream: what only the served API has moves nothing else.
            let number = self.resource_version;
            value["metadata"]["uid"] =
                json!(uid_of(self.seed.hash(&[0x7569, number, 0]), self.seed.hash(&[0x7569, number, 1])));
        }
        if value.pointer("/metadata/creationTimestamp").is_none_or(Value::is_null) {
            value["metadata"]["creationTimestamp"] = json!(self.timestamp(self.now as i64));
        }
        if value.pointer("/metadata/resourceVersion").is_none() {
            value["metadata"]["resourceVersion"] = json!(self.resource_version.to_string());
        }
    }

    fn object_ids(&self) -> Vec<ObjectId> {
        let mut all = Vec::new();
        all.extend(self.nodes.iter().map(|(id, _)| ObjectId::Node(id)));
        all.extend(self.pods.iter().map(|(id, _)| ObjectId::Pod(id)));
        all.extend(self.deployments.iter().map(|(id, _)| ObjectId::Deployment(id)));
        all.extend(self.replica_sets.iter().map(|(id, _)| ObjectId::ReplicaSet(id)));
        all.extend(self.stateful_sets.iter().map(|(id, _)| ObjectId::StatefulSet(id)));
        all.extend(self.daemon_sets.iter().map(|(id, _)| ObjectId::DaemonSet(id)));
        all.extend(self.jobs.iter().map(|(id, _)| ObjectId::Job(id)));
        all.extend(self.autoscalers.iter().map(|(id, _)| ObjectId::HorizontalPodAutoscaler(id)));
        all.extend(self.budgets.iter().map(|(id, _)| ObjectId::PodDisruptionBudget(id)));
        all.extend(self.services.iter().map(|(id, _)| ObjectId::Service(id)));
        all.extend(self.config_maps.iter().map(|(id, _)| ObjectId::ConfigMap(id)));
        all.extend(self.leases.iter().map(|(id, _)| ObjectId::Lease(id)));
        all
    }

    /// What was imported and is run by nothing here.
    fn stored_only(&self) -> Vec<Value> {
        let claims = self.volumes.claims.values().map(|claim| claim.object.raw.value());
        let quotas = self.quotas.iter().map(|quota| quota.raw.value());
        claims.chain(quotas).chain(self.others.iter().map(|raw| raw.value())).collect()
    }
}

/// The index of one of the resources that every server has; their plurals are unique, that of events aside.
pub(super) fn index_of(store: &Store, plural: &str) -> usize {
    store
        .resources
        .iter()
        .position(|resource| resource.plural == plural)
        .expect("every server has the resources that the world runs")
}

/// Namespace and name of an object.
pub(crate) fn key_of(value: &Value) -> Key {
    (text(value, "/metadata/namespace").into(), text(value, "/metadata/name").into())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

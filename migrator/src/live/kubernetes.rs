//! Writes to Kubernetes, each guarded by what was seen: the version of the object, or its uid.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1 as apps, autoscaling::v2 as autoscaling, coordination::v1 as coordination, core::v1 as core,
        policy::v1 as policy,
    },
    apimachinery::pkg::apis::meta::v1::{DeleteOptions, MicroTime, ObjectMeta, Preconditions},
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch as Body, PatchParams, PostParams},
};
use serde_json::{Map, Value, json};

use super::errors::{self, Failed};
use crate::{
    action::{Answer, Change, Kind, Patch, Write},
    names,
    view::{ClusterView, ObjectName},
};

/// Who is named in `managedFields`, and as the source of Events.
pub(super) const MANAGER: &str = "nodeferry";

/// What is known of an object after a request whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there at this version; whether its deletion has been asked for.
    Present {
        /// Version.
        version: u64,
        /// It is being deleted.
        deleting: bool,
    },
    /// It is not there, or another one is in its place.
    Gone,
}

/// Sends one write to Kubernetes. Those for AWS are not sent here and answered as refused.
///
/// # Errors
/// What it was refused with, and what follows from that.
pub async fn send(
    client: &Client,
    write: &Write,
    view: &ClusterView,
    now: Timestamp,
) -> Result<Option<u64>, Failed> {
    sent(client, write, view, now, false).await
}

/// Tries one write without its effect: it is permitted, admitted and validated as if it were sent, and not stored.
///
/// # Errors
/// What it would be refused with.
pub async fn rehearse(
    client: &Client,
    write: &Write,
    view: &ClusterView,
    now: Timestamp,
) -> Result<(), Failed> {
    sent(client, write, view, now, true).await.map(drop)
}

async fn sent(
    client: &Client,
    write: &Write,
    view: &ClusterView,
    now: Timestamp,
    dry_run: bool,
) -> Result<Option<u64>, Failed> {
    let (created, patched) = (created(dry_run), patched(dry_run));
    let sent = match write {
        Write::Lease { resource_version, .. } => {
            let api: Api<coordination::Lease> = Api::namespaced(client.clone(), names::NAMESPACE);
            let lease = lease(write, view, now);
            match resource_version {
                None => api.create(&created, &lease).await.map(|lease| lease.metadata),
                Some(_) => {
                    let body = Body::Merge(&lease);
                    api.patch(names::LEASE, &patched, &body).await.map(|lease| lease.metadata)
                }
            }
        }
        Write::Journal { data, resource_version } => {
            let api: Api<core::ConfigMap> = Api::namespaced(client.clone(), names::NAMESPACE);
            let map = core::ConfigMap {
                metadata: ObjectMeta {
                    name: Some(names::JOURNAL.to_owned()),
                    namespace: Some(names::NAMESPACE.to_owned()),
                    resource_version: resource_version.map(|version| version.to_string()),
                    ..ObjectMeta::default()
                },
                data: Some(data.clone()),
                ..core::ConfigMap::default()
            };
            match resource_version {
                None => api.create(&created, &map).await,
                Some(_) => api.replace(names::JOURNAL, &created, &map).await,
            }
            .map(|map| map.metadata)
        }
        Write::Patch(patch) => {
            let api = api(client, patch.kind, &patch.object);
            let body = Body::Merge(body(patch));
            api.patch(&patch.object.name, &patched, &body).await.map(|object| object.metadata)
        }
        Write::Evict { pod, uid } => {
            let api: Api<core::Pod> = Api::namespaced(client.clone(), &pod.namespace);
            let request = PostParams { dry_run, ..PostParams::default() };
            let answered: Result<Value, _> =
                api.create_subresource("eviction", &pod.name, &request, &eviction(pod, uid)).await;
            answered.map(|_| ObjectMeta::default())
        }
        _ => {
            return Err(Failed {
                answer: Answer::Refused("it is for AWS".into()),
                why: "it is for AWS".into(),
            });
        }
    };
    match sent {
        Ok(metadata) => Ok(metadata.resource_version.and_then(|version| version.parse().ok())),
        Err(error) => Err(errors::kubernetes(&error)),
    }
}

/// Reads the object that a write is about.
///
/// # Errors
/// What the read was refused with.
pub async fn read(client: &Client, write: &Write) -> Result<Found, Failed> {
    let named = |name: &str| ObjectName { namespace: names::NAMESPACE.into(), name: name.into() };
    let (api, name, uid): (Api<DynamicObject>, Arc<str>, Option<&Arc<str>>) = match write {
        Write::Patch(patch) => {
            (api(client, patch.kind, &patch.object), patch.object.name.clone(), Some(&patch.uid))
        }
        Write::Evict { pod, uid } => (api(client, Kind::Pod, pod), pod.name.clone(), Some(uid)),
        Write::Journal { .. } => {
            let resource = ApiResource::erase::<core::ConfigMap>(&());
            let name = named(names::JOURNAL);
            (Api::namespaced_with(client.clone(), &name.namespace, &resource), name.name, None)
        }
        Write::Lease { .. } => {
            let resource = ApiResource::erase::<coordination::Lease>(&());
            let name = named(names::LEASE);
            (Api::namespaced_with(client.clone(), &name.namespace, &resource), name.name, None)
        }
        _ => {
            return Err(Failed {
                answer: Answer::Refused("it is for AWS".into()),
                why: "it is for AWS".into(),
            });
        }
    };
    let found = api.get_opt(&name).await.map_err(|error| errors::kubernetes(&error))?;
    let same = |meta: &&ObjectMeta| uid.is_none_or(|uid| meta.uid.as_deref() == Some(&**uid));
    Ok(match found.as_ref().map(|object| &object.metadata).filter(same) {
        None => Found::Gone,
        Some(meta) => Found::Present {
            version: meta.resource_version.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0),
            deleting: meta.deletion_timestamp.is_some(),
        },
    })
}

/// Who holds the lock now, and its version; `None` where there is no lock. Asked before anything is written, because a
/// watch may lag behind its loss.
///
/// # Errors
/// What the read was refused with.
pub async fn holder(client: &Client) -> Result<Option<String>, Failed> {
    let api: Api<coordination::Lease> = Api::namespaced(client.clone(), names::NAMESPACE);
    let lease = api.get_opt(names::LEASE).await.map_err(|error| errors::kubernetes(&error))?;
    Ok(lease.map(|lease| lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default()))
}

/// An eviction of this pod and of no other that bears its name by then. Written here because what `Api::evict` sends names
/// the options otherwise than the API does, which then ignores them. Source: kube 5.0.0, `subresource.rs`; Kubernetes API,
/// `policy/v1` Eviction.
fn eviction(pod: &ObjectName, uid: &Arc<str>) -> policy::Eviction {
    policy::Eviction {
        metadata: ObjectMeta {
            name: Some(pod.name.to_string()),
            namespace: Some(pod.namespace.to_string()),
            ..ObjectMeta::default()
        },
        delete_options: Some(DeleteOptions {
            preconditions: Some(Preconditions { uid: Some(uid.to_string()), resource_version: None }),
            ..DeleteOptions::default()
        }),
    }
}

fn created(dry_run: bool) -> PostParams {
    PostParams { dry_run, field_manager: Some(MANAGER.to_owned()) }
}

fn patched(dry_run: bool) -> PatchParams {
    PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// The lock's next version. What is absent from a merge patch stays as it is.
fn lease(write: &Write, view: &ClusterView, now: Timestamp) -> coordination::Lease {
    let Write::Lease { holder, duration, resource_version } = write else { return Default::default() };
    let before = view.lease.as_deref();
    let taken = before.is_none_or(|before| before.holder != *holder) && !holder.is_empty();
    coordination::Lease {
        metadata: ObjectMeta {
            name: Some(names::LEASE.to_owned()),
            namespace: Some(names::NAMESPACE.to_owned()),
            resource_version: resource_version.map(|version| version.to_string()),
            ..ObjectMeta::default()
        },
        spec: Some(coordination::LeaseSpec {
            holder_identity: Some(holder.to_string()),
            lease_duration_seconds: i32::try_from(duration.as_secs()).ok(),
            renew_time: Some(MicroTime(now)),
            acquire_time: taken.then_some(MicroTime(now)),
            ..Default::default()
        }),
    }
}

fn api(client: &Client, kind: Kind, name: &ObjectName) -> Api<DynamicObject> {
    let resource = match kind {
        Kind::Node => ApiResource::erase::<core::Node>(&()),
        Kind::Pod => ApiResource::erase::<core::Pod>(&()),
        Kind::Deployment => ApiResource::erase::<apps::Deployment>(&()),
        Kind::ReplicaSet => ApiResource::erase::<apps::ReplicaSet>(&()),
        Kind::StatefulSet => ApiResource::erase::<apps::StatefulSet>(&()),
        Kind::DaemonSet => ApiResource::erase::<apps::DaemonSet>(&()),
        Kind::HorizontalPodAutoscaler => ApiResource::erase::<autoscaling::HorizontalPodAutoscaler>(&()),
    };
    if name.namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), &name.namespace, &resource)
    }
}

/// A patch as JSON merge patch: what is `null` there is removed. Lists (taints) are replaced whole, which is why their
/// patches carry a resourceVersion.
fn body(patch: &Patch) -> Value {
    let (mut labels, mut annotations, mut spec) = (Map::new(), Map::new(), Map::new());
    for change in &patch.changes {
        match change {
            Change::Label(key, value) => drop(labels.insert(key.clone(), json!(value))),
            Change::Annotation(key, value) => drop(annotations.insert(key.clone(), json!(value))),
            Change::Replicas(replicas) => drop(spec.insert("replicas".into(), json!(replicas))),
            Change::Taints(taints) if taints.is_empty() => drop(spec.insert("taints".into(), Value::Null)),
            Change::Taints(taints) => drop(spec.insert("taints".into(), json!(taints))),
            // Absent means false, and is how the API server writes it.
            Change::Unschedulable(value) => {
                drop(spec.insert("unschedulable".into(), if *value { json!(true) } else { Value::Null }));
            }
            Change::ReplicaBounds { min, max } => {
                spec.insert("minReplicas".into(), json!(min));
                spec.insert("maxReplicas".into(), json!(max));
            }
        }
    }
    let mut metadata = Map::new();
    match patch.resource_version {
        Some(version) => drop(metadata.insert("resourceVersion".into(), json!(version.to_string()))),
        None => drop(metadata.insert("uid".into(), json!(*patch.uid))),
    }
    for (key, values) in [("labels", labels), ("annotations", annotations)] {
        if !values.is_empty() {
            metadata.insert(key.into(), values.into());
        }
    }
    let mut body = Map::from_iter([("metadata".to_owned(), Value::from(metadata))]);
    if !spec.is_empty() {
        body.insert("spec".into(), spec.into());
    }
    body.into()
}

#[cfg(test)]
mod tests;

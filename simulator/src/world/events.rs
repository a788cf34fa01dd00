//! Events of Kubernetes: what components tell people about an object, made from the causal log while somebody serves it.
//!
//! They follow from what happened and nothing follows from them.

use serde_json::{Value, json};

use super::{
    Entry, World,
    log::{ObjectKind, Subject, What},
    objects::{Meta, PodOwner},
    store::index_of,
};

/// Most events that are kept: an hour's worth of a busy cluster; older ones go first. A real server keeps an hour.
pub(super) const EVENTS_MAX: usize = 2_000;

/// What is told, of whom, by whom.
struct Told<'a> {
    api_version: &'static str,
    kind: &'static str,
    meta: &'a Meta,
    warning: bool,
    reason: &'static str,
    message: String,
    component: &'static str,
}

impl World {
    /// Tells of an entry that was just written, if it is worth an event.
    pub(super) fn tell_event(&mut self, entry: Entry) {
        if self.store.is_none() {
            return;
        }
        let Some(told) = self.event_of(entry) else { return };
        let at = self.timestamp(entry.at as i64);
        let namespace = if told.meta.namespace.is_empty() { "default" } else { &told.meta.namespace };
        let number = self.log.entries().len() as u64;
        let name = format!("{}.{:016x}", told.meta.name, self.seed.hash(&[0x6576, number]));
        let value = json!({
            "kind": "Event", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": at},
            "involvedObject": {"kind": told.kind, "namespace": told.meta.namespace, "name": told.meta.name,
                "uid": told.meta.uid, "apiVersion": told.api_version,
                "resourceVersion": told.meta.resource_version.to_string()},
            "reason": told.reason, "message": told.message, "source": {"component": told.component},
            "firstTimestamp": at, "lastTimestamp": at, "count": 1,
            "type": if told.warning { "Warning" } else { "Normal" }, "eventTime": null,
            "reportingComponent": told.component, "reportingInstance": "",
        });
        self.put_event(value);
    }

    fn put_event(&mut self, value: Value) {
        let Some(store) = self.store.as_deref_mut() else { return };
        let events = index_of(store, "events");
        let oldest = store.remember_event(super::store::key_of(&value));
        if let Some(key) = oldest {
            self.remove_plain(events, &key);
        }
        self.put_plain(events, value);
    }

    fn event_of(&self, entry: Entry) -> Option<Told<'_>> {
        match entry.subject {
            Subject::Pod(id) => {
                let pod = self.pods.last(id);
                let of_pod = |component, reason, message| Told {
                    api_version: "v1",
                    kind: "Pod",
                    meta: &pod.meta,
                    warning: false,
                    reason,
                    message,
                    component,
                };
                match entry.what {
                    What::Created => {
                        let PodOwner::ReplicaSet(set) = pod.owner else { return None };
                        Some(Told {
                            api_version: "apps/v1",
                            kind: "ReplicaSet",
                            meta: &self.replica_sets.last(set).meta,
                            warning: false,
                            reason: "SuccessfulCreate",
                            message: format!("Created pod: {}", pod.meta.name),
                            component: "replicaset-controller",
                        })
                    }
                    What::Scheduled(node) => {
                        let (pod, node) = (&pod.meta, &self.nodes.last(node).meta.name);
                        let message =
                            format!("Successfully assigned {}/{} to {node}", pod.namespace, pod.name);
                        Some(of_pod("default-scheduler", "Scheduled", message))
                    }
                    What::Unschedulable => {
                        let message = pod.unschedulable.as_deref().unwrap_or("no nodes available").to_owned();
                        let told = of_pod("default-scheduler", "FailedScheduling", message);
                        Some(Told { warning: true, ..told })
                    }
                    What::ContainersStarted => Some(of_pod("kubelet", "Started", "Started container".into())),
                    What::DeletionRequested { .. } | What::Evicted => {
                        Some(of_pod("kubelet", "Killing", "Stopping container".into()))
                    }
                    _ => None,
                }
            }
            Subject::Node(id) => {
                let meta = &self.nodes.last(id).meta;
                let (reason, component) = match entry.what {
                    What::Registered => ("RegisteredNode", "node-controller"),
                    What::Deleted => ("RemovingNode", "node-controller"),
                    What::Ready => ("NodeReady", "kubelet"),
                    What::NotReady | What::NodeSilent => ("NodeNotReady", "node-controller"),
                    What::Cordoned => ("NodeNotSchedulable", "kubelet"),
                    What::Uncordoned => ("NodeSchedulable", "kubelet"),
                    _ => return None,
                };
                let message = format!("Node {} status is now: {reason}", meta.name);
                Some(Told {
                    api_version: "v1",
                    kind: "Node",
                    meta,
                    warning: false,
                    reason,
                    message,
                    component,
                })
            }
            Subject::Object(ObjectKind::ReplicaSet, id) => {
                let What::Scaled { from, to } = entry.what else { return None };
                let set = self.replica_sets.last(super::ids::ReplicaSetId(id));
                let meta = &self.deployments.last(set.deployment?).meta;
                let way = if to > from { "up" } else { "down" };
                Some(Told {
                    api_version: "apps/v1",
                    kind: "Deployment",
                    meta,
                    warning: false,
                    reason: "ScalingReplicaSet",
                    message: format!("Scaled {way} replica set {} from {from} to {to}", set.meta.name),
                    component: "deployment-controller",
                })
            }
            Subject::Object(ObjectKind::HorizontalPodAutoscaler, id) => {
                let What::Scaled { to, .. } = entry.what else { return None };
                Some(Told {
                    api_version: "autoscaling/v2",
                    kind: "HorizontalPodAutoscaler",
                    meta: &self.autoscalers.last(super::ids::AutoscalerId(id)).meta,
                    warning: false,
                    reason: "SuccessfulRescale",
                    message: format!("New size: {to}"),
                    component: "horizontal-pod-autoscaler",
                })
            }
            _ => None,
        }
    }
}

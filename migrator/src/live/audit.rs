//! What the audit log says of a write: what stood there before, what was asked for, what was answered.
//!
//! Holds names, sizes, labels, annotations and taints. None of them is secret; tokens and credentials never come near.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    action::{Action, Answer, Change, Kind, Patch, Write},
    plan::Plan,
    view::{Bounds, ClusterView, EksTaint},
};

/// One line of the log, as JSON. `cluster` is the view on which the write was decided.
pub fn entry(
    plan: &Plan,
    cluster: &ClusterView,
    action: &Action,
    answer: &Answer,
    why: Option<&str>,
    now: Timestamp,
) -> Value {
    let (verb, object, before, after) = told(cluster, &action.write);
    let mut line = Map::new();
    line.insert("at".into(), json!(now.to_string()));
    line.insert("plan".into(), json!(*plan.id));
    line.insert("holder".into(), json!(*plan.boot_id));
    line.insert("phase".into(), json!(action.phase));
    line.insert("verb".into(), json!(verb));
    line.insert("object".into(), json!(object));
    line.insert("before".into(), before);
    line.insert("after".into(), after);
    line.insert("answer".into(), json!(word(answer)));
    if let Answer::Done(Some(version)) = answer {
        line.insert("resourceVersion".into(), json!(version.to_string()));
    }
    if let Some(why) = why {
        line.insert("why".into(), json!(why));
    }
    line.into()
}

/// One word for an answer.
pub fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Done(_) => "done",
        Answer::Conflict => "conflict",
        Answer::NotFound => "not found",
        Answer::RetryLater(_) => "retry later",
        Answer::Refused(_) => "refused",
        Answer::Unknown => "unknown",
    }
}

/// What is done, in one word: `patch`, `evict`.
pub fn verb(write: &Write) -> &'static str {
    named(write).0
}

/// A write in a few words, for people: `taint Node ip-10-1-2-3`.
pub fn summary(write: &Write) -> String {
    let (verb, object) = named(write);
    format!("{verb} {object}")
}

/// What a write asks for, in the words of the log.
pub fn asked(cluster: &ClusterView, write: &Write) -> Value {
    told(cluster, write).3
}

/// Verb, object, the values before, and those that are asked for.
fn told(cluster: &ClusterView, write: &Write) -> (&'static str, String, Value, Value) {
    let (verb, object) = named(write);
    let (before, after) = match write {
        Write::Lease { holder, .. } => {
            (json!(cluster.lease.as_ref().map(|lease| &*lease.holder)), json!(**holder))
        }
        Write::Journal { data, .. } => journal(cluster, data),
        Write::Patch(patch) => patched(cluster, patch),
        Write::Evict { uid, .. } => (json!({ "uid": **uid }), Value::Null),
        Write::CreateLaunchTemplate(template) => (Value::Null, json!(template)),
        Write::DeleteLaunchTemplate { name } => (json!(cluster.aws.launch_templates.get(name)), Value::Null),
        Write::CreateNodeGroup(group) => (Value::Null, json!(group)),
        Write::UpdateNodeGroupBounds { group, bounds: to } => {
            let was = cluster.aws.node_groups.get(group).map(|group| group.bounds);
            (was.map_or(Value::Null, bounds), bounds(*to))
        }
        Write::UpdateNodeGroupTaints { group, add, remove } => {
            let was = cluster.aws.node_groups.get(group).map(|group| taints(&group.taints));
            (was.unwrap_or_default(), json!({ "add": taints(add), "remove": taints(remove) }))
        }
        Write::DeleteNodeGroup { group } => {
            let was = cluster.aws.node_groups.get(group).map(|group| bounds(group.bounds));
            (was.unwrap_or_default(), Value::Null)
        }
        Write::SuspendProcesses { group, processes } => {
            (suspended(cluster, group), json!({ "suspend": texts(processes) }))
        }
        Write::ResumeProcesses { group, processes } => {
            (suspended(cluster, group), json!({ "resume": texts(processes) }))
        }
    };
    (verb, object, before, after)
}

fn named(write: &Write) -> (&'static str, String) {
    match write {
        Write::Lease { holder, .. } if holder.is_empty() => ("release", "the lock".to_owned()),
        Write::Lease { .. } => ("hold", "the lock".to_owned()),
        Write::Journal { .. } => ("write", "the journal".to_owned()),
        Write::Patch(patch) => {
            let name = crate::situation::shown(&patch.object);
            ("patch", format!("{} {name}", kind(patch.kind)))
        }
        Write::Evict { pod, .. } => ("evict", format!("Pod {}", crate::situation::shown(pod))),
        Write::CreateLaunchTemplate(template) => ("create", format!("launch template {}", template.name)),
        Write::DeleteLaunchTemplate { name } => ("delete", format!("launch template {name}")),
        Write::CreateNodeGroup(group) => ("create", format!("node group {}", group.name)),
        Write::UpdateNodeGroupBounds { group, .. } => ("resize", format!("node group {group}")),
        Write::UpdateNodeGroupTaints { group, .. } => ("taint", format!("node group {group}")),
        Write::DeleteNodeGroup { group } => ("delete", format!("node group {group}")),
        Write::SuspendProcesses { group, .. } => ("suspend", format!("processes of {group}")),
        Write::ResumeProcesses { group, .. } => ("resume", format!("processes of {group}")),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Node => "Node",
        Kind::Pod => "Pod",
        Kind::Deployment => "Deployment",
        Kind::ReplicaSet => "ReplicaSet",
        Kind::StatefulSet => "StatefulSet",
        Kind::DaemonSet => "DaemonSet",
        Kind::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
    }
}

/// Those of the journal's keys that change.
fn journal(cluster: &ClusterView, data: &std::collections::BTreeMap<String, String>) -> (Value, Value) {
    let was = cluster.journal.as_deref().map(|object| &*object.data);
    let (mut before, mut after) = (Map::new(), Map::new());
    for (key, value) in data {
        let old = was.and_then(|was| was.get(key));
        if old != Some(value) {
            before.insert(key.clone(), json!(old));
            after.insert(key.clone(), json!(value));
        }
    }
    (before.into(), after.into())
}

fn patched(cluster: &ClusterView, patch: &Patch) -> (Value, Value) {
    let (mut before, mut after) = (Map::new(), Map::new());
    for change in &patch.changes {
        let (key, was, is) = changed(cluster, patch, change);
        before.insert(key.clone(), was);
        after.insert(key, is);
    }
    (before.into(), after.into())
}

fn changed(cluster: &ClusterView, patch: &Patch, change: &Change) -> (String, Value, Value) {
    let name = &patch.object;
    let node = || cluster.nodes.get(&name.name);
    match change {
        Change::Label(key, value) => {
            let was = cluster.meta(patch.kind, name).and_then(|meta| meta.labels.get(key));
            (format!("label {key}"), json!(was), json!(value))
        }
        Change::Annotation(key, value) => {
            let was = cluster.meta(patch.kind, name).and_then(|meta| meta.annotations.get(key));
            (format!("annotation {key}"), json!(was), json!(value))
        }
        Change::Replicas(replicas) => {
            let was = match patch.kind {
                Kind::Deployment => cluster.deployments.get(name).map(|object| object.replicas),
                Kind::ReplicaSet => cluster.replica_sets.get(name).map(|object| object.replicas),
                Kind::StatefulSet => cluster.stateful_sets.get(name).map(|object| object.replicas),
                _ => None,
            };
            ("replicas".into(), json!(was), json!(replicas))
        }
        Change::Taints(taints) => ("taints".into(), json!(node().map(|node| &*node.taints)), json!(taints)),
        Change::Unschedulable(value) => {
            ("unschedulable".into(), json!(node().map(|node| node.unschedulable)), json!(value))
        }
        Change::ReplicaBounds { min, max } => {
            let was = cluster.horizontal_pod_autoscalers.get(name);
            (
                "replica bounds".into(),
                json!(was.map(|autoscaler| [autoscaler.min, autoscaler.max])),
                json!([min, max]),
            )
        }
    }
}

fn suspended(cluster: &ClusterView, group: &str) -> Value {
    json!(cluster.aws.auto_scaling_groups.get(group).map(|group| texts(&group.suspended)))
}

fn texts(all: &[std::sync::Arc<str>]) -> Vec<&str> {
    all.iter().map(|one| &**one).collect()
}

fn bounds(bounds: Bounds) -> Value {
    json!({ "min": bounds.min, "max": bounds.max, "desired": bounds.desired })
}

fn taints(all: &[EksTaint]) -> Value {
    all.iter().map(|taint| json!(format!("{}={}:{}", taint.key, taint.value, taint.effect))).collect()
}

//! The log in words.

use super::{
    Time, World,
    ids::EntryId,
    load_balancer::TargetKey,
    log::{Entry, ObjectKind, Subject, What},
    requests::{Change, Kind, Request},
};

impl World {
    /// The name of what an entry is about.
    pub fn subject(&self, subject: Subject) -> String {
        match subject {
            Subject::Run => "run".into(),
            Subject::Request(id) => format!("request {}", id.0 + 1),
            Subject::Pod(id) => self.pods.last(id).meta.name.to_string(),
            Subject::Node(id) => self.nodes.last(id).meta.name.to_string(),
            Subject::Instance(id) => self.instances[id.index()].id.to_string(),
            Subject::Group(id) => format!("node group {}", self.groups[id.index()].name),
            Subject::Target(group, index) => {
                let owner = &self.target_groups[group.index()];
                let target = match owner.targets[index as usize].key {
                    TargetKey::Instance(id) => self.instances[id.index()].id.to_string(),
                    TargetKey::Pod(id) => self.pods.last(id).meta.name.to_string(),
                };
                format!("target {target} of {}", self.services.last(owner.service).meta.name)
            }
            Subject::Service(id) => format!("service {}", self.services.last(id).meta.name),
            Subject::Object(kind, id) => self.object_name(kind, id),
        }
    }

    fn object_name(&self, kind: ObjectKind, id: u32) -> String {
        let name = match kind {
            ObjectKind::Deployment => &self.deployments.last(super::ids::DeploymentId(id)).meta.name,
            ObjectKind::ReplicaSet => &self.replica_sets.last(super::ids::ReplicaSetId(id)).meta.name,
            ObjectKind::HorizontalPodAutoscaler => {
                &self.autoscalers.last(super::ids::AutoscalerId(id)).meta.name
            }
        };
        let kind = match kind {
            ObjectKind::Deployment => "deployment",
            ObjectKind::ReplicaSet => "replicaset",
            ObjectKind::HorizontalPodAutoscaler => "horizontalpodautoscaler",
        };
        format!("{kind} {name}")
    }

    /// What an entry says, without its subject.
    pub fn tell(&self, entry: &Entry) -> String {
        let group_size = |entry: &Entry| match entry.subject {
            Subject::Group(id) => self.groups[id.index()].name.to_string(),
            _ => String::new(),
        };
        match entry.what {
            What::Started => "starts".into(),
            What::Requested => match entry.subject {
                Subject::Request(id) => self.tell_request(&self.requests[id.index()].request),
                _ => "asked for".into(),
            },
            What::Refused => match entry.subject {
                Subject::Request(id) => match &self.requests[id.index()].answer {
                    Some((_, answer)) => format!("refused: {answer:?}"),
                    None => "refused".into(),
                },
                _ => "failed".into(),
            },
            What::Scaled { from, to } => format!("scaled from {from} to {to}"),
            What::BoundsSet { min, max } => format!("bounds are {min} to {max}"),
            What::Created => "created".into(),
            What::Deleted => "deleted".into(),
            What::DeletionRequested { grace } => format!("terminating, grace period {}", seconds(grace)),
            What::Evicted => "evicted".into(),
            What::Scheduled(node) => format!("scheduled to {}", self.nodes.last(node).meta.name),
            What::Unschedulable => "cannot be scheduled".into(),
            What::ContainersStarted => "containers started".into(),
            What::Ready => "ready".into(),
            What::NotReady => "not ready".into(),
            What::Signalled => "SIGTERM".into(),
            What::Exited => "exited".into(),
            What::Killed => match self.log.entries()[entry.cause.index()].subject {
                Subject::Instance(_) => "SIGKILL: its host shuts down and does not wait for its grace period",
                _ => "SIGKILL: killed at the end of its grace period",
            }
            .into(),
            What::Removed => "object removed".into(),
            What::Registered => "node registered".into(),
            What::Labelled => "labels changed".into(),
            What::Tainted => "taints changed".into(),
            What::Cordoned => "cordoned".into(),
            What::Uncordoned => "uncordoned".into(),
            What::Launched => "launched".into(),
            What::Running => "running".into(),
            What::Terminating => "terminating".into(),
            What::Gone => "host gone".into(),
            What::Creating => "creation begins".into(),
            What::Active => "active".into(),
            What::Updated => "update applied".into(),
            What::Deleting => "deletion begins: every node is drained at once".into(),
            What::DrainCapReached => format!(
                "drain cap of {} reached in {}: instances are terminated with what they hold",
                seconds(self.parameters.eks_delete_drain_cap),
                group_size(entry)
            ),
            What::EndpointsChanged { ready, terminating: 0 } => format!("{ready} ready endpoints"),
            What::EndpointsChanged { ready, terminating } => {
                format!("{ready} ready endpoints, {terminating} serving while they terminate")
            }
            What::TargetInitial => "registered, initial".into(),
            What::TargetHealthy => "healthy".into(),
            What::TargetUnhealthy => "unhealthy".into(),
            What::TargetDraining => "draining".into(),
            What::TargetUnused => "unused".into(),
            What::Unneeded => "found unneeded by the cluster autoscaler".into(),
            What::ScaledByAutoscaler { to } => format!("scaled to {to} by the cluster autoscaler"),
            What::Rebalanced => "rebalanced between zones".into(),
            What::NodeSilent => "no heartbeat".into(),
            What::OrphanCollected => "collected: its node is gone".into(),
        }
    }

    fn tell_request(&self, request: &Request) -> String {
        match request {
            Request::Lease { holder, .. } if holder.is_empty() => "releases the lock".into(),
            Request::Lease { .. } => "takes or renews the lock".into(),
            Request::ConfigMap { .. } => "writes the journal".into(),
            Request::Patch { kind, name, changes, .. } => {
                let what: Vec<String> = changes.iter().map(tell_change).collect();
                format!("{} {}: {}", tell_kind(*kind), name.1, what.join(", "))
            }
            Request::Evict { name, .. } => format!("evicts pod {}", name.1),
            Request::DeletePod { name, .. } => format!("deletes pod {}", name.1),
            Request::Served { verb, what } => format!("{verb} {what}"),
            Request::CreateLaunchTemplate(template) => format!("creates launch template {}", template.name),
            Request::DeleteLaunchTemplate(name) => format!("deletes launch template {name}"),
            Request::CreateNodeGroup(group) => {
                format!("creates node group {} of {} nodes", group.name, group.bounds.desired)
            }
            Request::UpdateNodeGroupBounds(group, bounds) => {
                format!(
                    "node group {group}: min {}, max {}, desired {}",
                    bounds.min, bounds.max, bounds.desired
                )
            }
            Request::UpdateNodeGroupTaints(group, add, remove) => {
                format!("node group {group}: {} taints added, {} removed", add.len(), remove.len())
            }
            Request::UpdateNodeGroup(group, bounds, add, remove) => {
                format!(
                    "node group {group}: min {}, max {}, desired {}; {} taints added, {} removed",
                    bounds.min,
                    bounds.max,
                    bounds.desired,
                    add.len(),
                    remove.len()
                )
            }
            Request::TagNodeGroup(group, tags) => format!("tags node group {group} with {}", tags.len()),
            Request::DeleteNodeGroup(group) => format!("deletes node group {group}"),
            Request::SuspendProcesses(group, processes) => {
                format!("suspends {} of {group}", processes.join(", "))
            }
            Request::ResumeProcesses(group, processes) => {
                format!("resumes {} of {group}", processes.join(", "))
            }
        }
    }

    /// One line of the timeline: time, subject, what.
    pub fn line(&self, entry: &Entry) -> String {
        format!("{:>12}  {:<44} {}", clock(entry.at), self.subject(entry.subject), self.tell(entry))
    }

    /// The causal chain of an entry, the entry first, one line each.
    pub fn explain(&self, entry: EntryId) -> Vec<String> {
        self.chain(entry)
            .filter(|(_, entry)| entry.what != What::Started)
            .map(|(_, entry)| {
                format!("{} {} at {}", self.subject(entry.subject), self.tell(entry), clock(entry.at))
            })
            .collect()
    }
}

fn tell_change(change: &Change) -> String {
    match change {
        Change::Label(key, Some(value)) => format!("label {key}={value}"),
        Change::Label(key, None) => format!("label {key} removed"),
        Change::Annotation(key, Some(_)) => format!("annotation {key}"),
        Change::Annotation(key, None) => format!("annotation {key} removed"),
        Change::Replicas(replicas) => format!("replicas {replicas}"),
        Change::Taints(taints) if taints.is_empty() => "no taints".into(),
        Change::Taints(taints) => {
            let keys: Vec<&str> = taints.iter().map(|taint| taint.key.as_str()).collect();
            format!("taints {}", keys.join(" "))
        }
        Change::Unschedulable(true) => "cordon".into(),
        Change::Unschedulable(false) => "uncordon".into(),
        Change::ReplicaBounds { min, max } => format!("min {min}, max {max}"),
    }
}

fn tell_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Node => "node",
        Kind::Pod => "pod",
        Kind::Deployment => "deployment",
        Kind::ReplicaSet => "replicaset",
        Kind::StatefulSet => "statefulset",
        Kind::DaemonSet => "daemonset",
        Kind::HorizontalPodAutoscaler => "horizontalpodautoscaler",
    }
}

/// `300 s`, or `2.5 s`.
fn seconds(span: Time) -> String {
    if span.is_multiple_of(1_000) {
        format!("{} s", span / 1_000)
    } else {
        format!("{}.{} s", span / 1_000, span % 1_000 / 100)
    }
}

/// `1:02:03.456`.
pub fn clock(at: Time) -> String {
    let (hours, minutes, rest) = (at / 3_600_000, at / 60_000 % 60, at % 60_000);
    format!("{hours}:{minutes:02}:{:02}.{:03}", rest / 1_000, rest % 1_000)
}

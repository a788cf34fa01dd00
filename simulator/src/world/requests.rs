//! What clients ask of the API servers, and the rules by which these answer: preconditions, conflicts, budgets.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::Taint;

use super::{
    Time, World,
    cloud::{Bounds, GroupStatus},
    ids::{EntryId, PodId, RequestId},
    log::{ObjectKind, Subject, What},
    measures::Writer,
    objects::{Body, Lease, Meta, Plain},
    queue::Event,
    workloads::DELETION_COST,
};
use crate::controllers::disruption;

/// A taint in the EKS API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EksTaint {
    /// Key.
    pub key: Arc<str>,
    /// Value.
    pub value: Arc<str>,
    /// `NO_SCHEDULE`, `NO_EXECUTE` or `PREFER_NO_SCHEDULE`.
    pub effect: Arc<str>,
}

/// A launch template.
#[derive(Debug, Clone, PartialEq)]
pub struct LaunchTemplate {
    /// Name.
    pub name: Arc<str>,
    /// Client token.
    pub client_token: Arc<str>,
    /// What it says of the root volume, in the API's words.
    pub data: BTreeMap<String, String>,
    /// Tags of the template and of what it launches.
    pub tags: BTreeMap<String, String>,
}

/// A node group to create.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeGroupRequest {
    /// Name.
    pub name: Arc<str>,
    /// Client token.
    pub client_token: Arc<str>,
    /// Bounds.
    pub bounds: Bounds,
    /// Instance types.
    pub instance_types: Vec<Arc<str>>,
    /// AMI type.
    pub ami_type: Arc<str>,
    /// Kubernetes version.
    pub version: Arc<str>,
    /// Node role.
    pub node_role: Arc<str>,
    /// Subnets.
    pub subnets: Vec<Arc<str>>,
    /// Capacity type.
    pub capacity_type: Arc<str>,
    /// Labels for its nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints for its nodes.
    pub taints: Vec<EksTaint>,
    /// Launch template by name.
    pub launch_template: Option<Arc<str>>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// Kinds that can be patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Kind {
    Node,
    Pod,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    HorizontalPodAutoscaler,
}

/// One field of a patch.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Sets a label, or removes it.
    Label(String, Option<String>),
    /// Sets an annotation, or removes it.
    Annotation(String, Option<String>),
    /// Sets `spec.replicas`.
    Replicas(u32),
    /// Replaces `spec.taints`.
    Taints(Vec<Taint>),
    /// Sets `spec.unschedulable`.
    Unschedulable(bool),
    /// Sets `spec.minReplicas` and `spec.maxReplicas`.
    ReplicaBounds {
        /// `spec.minReplicas`.
        min: u32,
        /// `spec.maxReplicas`.
        max: u32,
    },
}

/// Namespace and name.
pub type Name = (Arc<str>, Arc<str>);

/// A mutating request.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Creates or updates a Lease; conflicts unless it is at this resourceVersion (`None`: does not exist).
    Lease {
        /// Which.
        name: Name,
        /// Holder; empty to release.
        holder: Arc<str>,
        /// Duration in milliseconds.
        duration: Time,
        /// Precondition.
        resource_version: Option<u64>,
    },
    /// Creates or replaces a ConfigMap's data; conflicts like a Lease.
    ConfigMap {
        /// Which.
        name: Name,
        /// Its data.
        data: BTreeMap<String, String>,
        /// Precondition.
        resource_version: Option<u64>,
    },
    /// Patches an object; conflicts when uid or resourceVersion are given and differ.
    Patch {
        /// Kind.
        kind: Kind,
        /// Which.
        name: Name,
        /// Precondition.
        uid: Option<Arc<str>>,
        /// Precondition.
        resource_version: Option<u64>,
        /// Changes, all in one write.
        changes: Vec<Change>,
    },
    /// Evicts a pod.
    Evict {
        /// Which.
        name: Name,
        /// Precondition.
        uid: Option<Arc<str>>,
    },
    /// Deletes a pod.
    DeletePod {
        /// Which.
        name: Name,
        /// `gracePeriodSeconds` in milliseconds.
        grace: Option<Time>,
    },
    /// EC2 CreateLaunchTemplate.
    CreateLaunchTemplate(LaunchTemplate),
    /// EC2 DeleteLaunchTemplate.
    DeleteLaunchTemplate(Arc<str>),
    /// EKS CreateNodegroup.
    CreateNodeGroup(NodeGroupRequest),
    /// EKS UpdateNodegroupConfig, scalingConfig.
    UpdateNodeGroupBounds(Arc<str>, Bounds),
    /// EKS UpdateNodegroupConfig, taints: group, add or update, remove.
    UpdateNodeGroupTaints(Arc<str>, Vec<EksTaint>, Vec<EksTaint>),
    /// EKS UpdateNodegroupConfig, both at once: bounds, taints to add or update, taints to remove.
    UpdateNodeGroup(Arc<str>, Bounds, Vec<EksTaint>, Vec<EksTaint>),
    /// EKS TagResource, of a node group.
    TagNodeGroup(Arc<str>, BTreeMap<String, String>),
    /// EKS DeleteNodegroup.
    DeleteNodeGroup(Arc<str>),
    /// Auto Scaling SuspendProcesses.
    SuspendProcesses(Arc<str>, Vec<Arc<str>>),
    /// Auto Scaling ResumeProcesses.
    ResumeProcesses(Arc<str>, Vec<Arc<str>>),
    /// A write through the served API; it was carried out at once.
    Served {
        /// What was done.
        verb: &'static str,
        /// Resource, namespace and name.
        what: String,
    },
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done; the resourceVersion of the object where there is one.
    Done(Option<u64>),
    /// 409.
    Conflict,
    /// 404.
    NotFound,
    /// 429, with Retry-After in milliseconds.
    RetryLater(Time),
    /// Any other refusal, in the server's words.
    Refused(String),
}

/// A request under way or answered.
#[derive(Debug, Clone)]
pub(super) struct Submitted {
    pub(super) client: u32,
    pub(super) phase: &'static str,
    pub(super) request: Request,
    pub(super) answer: Option<(Time, Answer)>,
    pub(super) entry: EntryId,
}

impl World {
    /// Sends a request; it takes effect after the API's latency.
    pub fn submit(&mut self, client: u32, phase: &'static str, request: Request) -> RequestId {
        let id = RequestId::from(self.requests.len());
        self.requests.push(Submitted { client, phase, request, answer: None, entry: super::log::START });
        self.queue.push(self.now + self.parameters.api_latency.max(1), Event::Request(id), super::log::START);
        id
    }

    /// The answer to a request, once there is one, with the time at which it was given.
    pub fn answer(&self, id: RequestId) -> Option<&(Time, Answer)> {
        self.requests[id.index()].answer.as_ref()
    }

    /// The answer to a request that there may not have been.
    pub fn find_answer(&self, id: RequestId) -> Option<&(Time, Answer)> {
        self.requests.get(id.index())?.answer.as_ref()
    }

    /// What a request asks for that there may not have been.
    pub fn find_request(&self, id: RequestId) -> Option<&Request> {
        self.requests.get(id.index()).map(|submitted| &submitted.request)
    }

    /// A request: its client, the step that it belongs to, what it asks for.
    pub fn request(&self, id: RequestId) -> (u32, &'static str, &Request) {
        let submitted = &self.requests[id.index()];
        (submitted.client, submitted.phase, &submitted.request)
    }

    pub(super) fn carry_out(&mut self, id: RequestId) {
        let request = self.requests[id.index()].request.clone();
        let entry = self.record(super::log::START, Subject::Request(id), What::Requested);
        self.requests[id.index()].entry = entry;
        let answer = match request {
            Request::Lease { name, holder, duration, resource_version } => {
                self.write_lease(name, holder, duration, resource_version, entry)
            }
            Request::ConfigMap { name, data, resource_version } => {
                self.write_config_map(name, data, resource_version, entry)
            }
            Request::Patch { kind, name, uid, resource_version, changes } => {
                self.patch(kind, &name, uid.as_deref(), resource_version, changes, entry)
            }
            Request::Evict { name, uid } => match self.pods.find(&name.0, &name.1) {
                None => Answer::NotFound,
                Some(pod) if uid.is_some_and(|uid| uid != self.pods.last(pod).meta.uid) => Answer::Conflict,
                Some(pod) => match self.evict(pod, None, entry) {
                    Ok(()) => Answer::Done(Some(self.pods.last(pod).meta.resource_version)),
                    Err(answer) => answer,
                },
            },
            Request::DeletePod { name, grace } => match self.pods.find(&name.0, &name.1) {
                None => Answer::NotFound,
                Some(pod) => {
                    self.judge_removal(pod, entry);
                    self.delete_pod(pod, grace, None, entry);
                    Answer::Done(None)
                }
            },
            Request::CreateLaunchTemplate(template) => done(self.create_launch_template(template)),
            Request::DeleteLaunchTemplate(name) => match self.launch_templates.remove(&name) {
                Some(_) => Answer::Done(None),
                None => Answer::NotFound,
            },
            Request::CreateNodeGroup(group) => done(self.create_node_group(group, entry)),
            Request::UpdateNodeGroupBounds(group, bounds) => {
                self.note_bounds(&group, bounds, self.requests[id.index()].client);
                done(self.update_node_group(&group, Some(bounds), (Vec::new(), Vec::new()), entry))
            }
            Request::UpdateNodeGroupTaints(group, add, remove) => {
                done(self.update_node_group(&group, None, (add, remove), entry))
            }
            Request::UpdateNodeGroup(group, bounds, add, remove) => {
                self.note_bounds(&group, bounds, self.requests[id.index()].client);
                done(self.update_node_group(&group, Some(bounds), (add, remove), entry))
            }
            Request::TagNodeGroup(group, tags) => match self.find_group(&group) {
                Some(id) => {
                    self.groups[id.index()].tags.extend(tags);
                    Answer::Done(None)
                }
                None => Answer::NotFound,
            },
            Request::DeleteNodeGroup(group) => done(self.delete_node_group(&group, entry)),
            Request::Served { .. } => Answer::Done(None),
            Request::SuspendProcesses(name, processes) => self.set_processes(&name, &processes, true, entry),
            Request::ResumeProcesses(name, processes) => self.set_processes(&name, &processes, false, entry),
        };
        if !matches!(answer, Answer::Done(_)) {
            self.record(entry, Subject::Request(id), What::Refused);
        }
        self.requests[id.index()].answer = Some((self.now, answer));
    }

    fn set_processes(&mut self, name: &str, processes: &[Arc<str>], suspend: bool, entry: EntryId) -> Answer {
        let Some(group) = self
            .groups
            .iter_mut()
            .find(|group| &*group.auto_scaling_group == name && group.status != GroupStatus::Deleted)
        else {
            return Answer::Refused(format!("ValidationError: AutoScalingGroup name not found - {name}"));
        };
        group.suspended.retain(|process| !processes.contains(process));
        if suspend {
            group.suspended.extend(processes.iter().cloned());
            group.suspended.sort();
        }
        self.record(
            entry,
            Subject::Request(self.request_behind(entry).expect("a request asks")),
            What::Updated,
        );
        Answer::Done(None)
    }

    fn write_lease(
        &mut self,
        name: Name,
        holder: Arc<str>,
        duration: Time,
        resource_version: Option<u64>,
        entry: EntryId,
    ) -> Answer {
        let now = self.now as i64;
        let id = match (self.leases.find(&name.0, &name.1), resource_version) {
            (None, None) => {
                let meta = self.new_meta(name.0.clone(), name.1.clone(), Arc::default());
                self.leases.insert(&name.0, &name.1, Lease { meta, holder, duration, renewed_at: now })
            }
            (Some(id), Some(version)) if self.leases.last(id).meta.resource_version == version => {
                let lease = self.leases.edit(id);
                (lease.holder, lease.duration, lease.renewed_at) = (holder, duration, now);
                id
            }
            _ => return Answer::Conflict,
        };
        self.lease_changed(id, entry);
        Answer::Done(Some(self.leases.last(id).meta.resource_version))
    }

    fn write_config_map(
        &mut self,
        name: Name,
        data: BTreeMap<String, String>,
        resource_version: Option<u64>,
        entry: EntryId,
    ) -> Answer {
        let id = match (self.config_maps.find(&name.0, &name.1), resource_version) {
            (None, None) => {
                let meta = self.new_meta(name.0.clone(), name.1.clone(), Arc::default());
                let kind = ("v1".into(), "ConfigMap".into());
                self.config_maps.insert(&name.0, &name.1, Plain { meta, kind, data: Some(Arc::new(data)) })
            }
            (Some(id), Some(version)) if self.config_maps.last(id).meta.resource_version == version => {
                let object = self.config_maps.edit(id);
                object.data = Some(Arc::new(data));
                object.meta.body = Body::Made;
                id
            }
            _ => return Answer::Conflict,
        };
        self.config_map_changed(id, entry);
        Answer::Done(Some(self.config_maps.last(id).meta.resource_version))
    }

    fn patch(
        &mut self,
        kind: Kind,
        name: &Name,
        uid: Option<&str>,
        resource_version: Option<u64>,
        changes: Vec<Change>,
        entry: EntryId,
    ) -> Answer {
        macro_rules! patch {
            ($table:ident, $kind:ident, $changed:ident, $fields:expr) => {{
                let Some(id) = self.$table.find(&name.0, &name.1) else { return Answer::NotFound };
                let meta = &self.$table.last(id).meta;
                if uid.is_some_and(|uid| uid != &*meta.uid)
                    || resource_version.is_some_and(|version| version != meta.resource_version)
                {
                    return Answer::Conflict;
                }
                for change in changes {
                    self.note_changes(stringify!($kind), id.into(), name, &change, entry);
                    let object = self.$table.edit(id);
                    if let Err(change) = metadata(&mut object.meta, change) {
                        ($fields)(self, id, change);
                    }
                }
                self.$changed(id, entry);
                Answer::Done(Some(self.$table.last(id).meta.resource_version))
            }};
        }
        match kind {
            Kind::Node => {
                let labelled = changes.iter().any(|change| matches!(change, Change::Label(..)));
                let answer =
                    patch!(nodes, Node, node_changed, |world: &mut World, id, change| match change {
                        Change::Taints(taints) => world.set_taints(id, taints, entry),
                        Change::Unschedulable(value) => world.cordon(id, value, entry),
                        _ => {}
                    });
                if labelled {
                    let id = self.nodes.find(&name.0, &name.1).expect("it was just patched");
                    let labelled = self.record(entry, Subject::Node(id), What::Labelled);
                    self.mark_controller_pass(labelled);
                    self.mark_daemon_sets(labelled);
                }
                answer
            }
            Kind::Pod => {
                let cost = |world: &World| {
                    let id = world.pods.find(&name.0, &name.1)?;
                    Some((id, world.pods.last(id).meta.annotations.get(DELETION_COST).cloned()))
                };
                let before = cost(self);
                let answer = patch!(pods, Pod, pod_changed, |_: &mut World, _, _| {});
                if let Some((id, before)) = before.filter(|before| cost(self).as_ref() != Some(before)) {
                    self.pod_states[id.index()].cost_before = Some((self.now, before));
                }
                if let Some(id) = self.pods.find(&name.0, &name.1) {
                    self.relabel(id);
                }
                answer
            }
            Kind::Deployment => {
                patch!(deployments, Deployment, deployment_changed, |world: &mut World, id, change| {
                    if let Change::Replicas(replicas) = change {
                        world.scale_deployment(id, replicas, entry);
                    }
                })
            }
            Kind::ReplicaSet => {
                patch!(replica_sets, ReplicaSet, replica_set_changed, |world: &mut World, id, change| {
                    if let Change::Replicas(replicas) = change {
                        world.scale_replica_set(id, replicas, entry);
                    }
                })
            }
            Kind::StatefulSet => {
                patch!(stateful_sets, StatefulSet, stateful_set_changed, |world: &mut World, id, change| {
                    if let Change::Replicas(replicas) = change {
                        let object = world.stateful_sets.edit(id);
                        object.replicas = replicas;
                        object.meta.generation += 1;
                    }
                })
            }
            Kind::DaemonSet => patch!(daemon_sets, DaemonSet, daemon_set_changed, |_: &mut World, _, _| {}),
            Kind::HorizontalPodAutoscaler => {
                patch!(
                    autoscalers,
                    HorizontalPodAutoscaler,
                    autoscaler_changed,
                    |world: &mut World, id, change| {
                        if let Change::ReplicaBounds { min, max } = change {
                            let what = What::BoundsSet { min, max };
                            world.record(entry, object(ObjectKind::HorizontalPodAutoscaler, id), what);
                            let hpa = world.autoscalers.edit(id);
                            (hpa.min, hpa.max) = (min, max);
                            hpa.meta.generation += 1;
                        }
                    }
                )
            }
        }
    }

    /// Notes the fields that a change of a patch really changes.
    pub(super) fn note_changes(&mut self, kind: &str, id: u32, name: &Name, change: &Change, entry: EntryId) {
        let Some(client) = self.request_behind(entry).map(|request| self.requests[request.index()].client)
        else {
            return;
        };
        let fields: Vec<String> = match change {
            Change::Replicas(replicas) => {
                let before = match kind {
                    "Deployment" => self.deployments.last(super::ids::DeploymentId(id)).replicas,
                    "StatefulSet" => self.stateful_sets.last(super::ids::StatefulSetId(id)).replicas,
                    _ => *replicas + 1,
                };
                (before != *replicas).then(|| "spec.replicas".to_owned()).into_iter().collect()
            }
            Change::ReplicaBounds { min, max } => {
                let hpa = self.autoscalers.last(super::ids::AutoscalerId(id));
                let mut fields = Vec::new();
                if hpa.min != *min {
                    fields.push("spec.minReplicas".to_owned());
                }
                if hpa.max != *max {
                    fields.push("spec.maxReplicas".to_owned());
                }
                fields
            }
            Change::Unschedulable(value) => {
                let before = self.nodes.last(super::ids::NodeId(id)).unschedulable;
                (before != *value).then(|| "spec.unschedulable".to_owned()).into_iter().collect()
            }
            Change::Taints(taints) => {
                let before = self.nodes.last(super::ids::NodeId(id)).taints.clone();
                let missing = |of: &[Taint], from: &[Taint]| -> Vec<String> {
                    of.iter()
                        .filter(|taint| !from.contains(taint))
                        .map(|taint| format!("taint {}:{}", taint.key, taint.effect))
                        .collect()
                };
                let mut fields = missing(taints, &before);
                fields.extend(missing(&before, taints));
                fields
            }
            Change::Label(key, value) => {
                let before = self.meta_of(kind, id).labels.get(key);
                (before != value.as_ref()).then(|| format!("label {key}")).into_iter().collect()
            }
            Change::Annotation(key, value) => {
                let before = self.meta_of(kind, id).annotations.get(key);
                (before != value.as_ref()).then(|| format!("annotation {key}")).into_iter().collect()
            }
        };
        for field in fields {
            self.note_write(format!("{kind} {}/{}", name.0, name.1), field, Writer::Client(client));
        }
    }

    /// Notes the bounds of a group that a request really changes.
    fn note_bounds(&mut self, group: &str, bounds: Bounds, client: u32) {
        let Some(id) = self.find_group(group) else { return };
        let before = self.groups[id.index()].bounds;
        let fields = [
            ("minSize", before.min, bounds.min),
            ("maxSize", before.max, bounds.max),
            ("desiredSize", before.desired, bounds.desired),
        ];
        for (field, _, _) in fields.into_iter().filter(|(_, before, wanted)| before != wanted) {
            self.note_write(format!("node group {group}"), field.into(), Writer::Client(client));
        }
    }

    fn meta_of(&self, kind: &str, id: u32) -> &Meta {
        use super::ids;
        match kind {
            "Node" => &self.nodes.last(ids::NodeId(id)).meta,
            "Pod" => &self.pods.last(PodId(id)).meta,
            "Deployment" => &self.deployments.last(ids::DeploymentId(id)).meta,
            "ReplicaSet" => &self.replica_sets.last(ids::ReplicaSetId(id)).meta,
            "StatefulSet" => &self.stateful_sets.last(ids::StatefulSetId(id)).meta,
            "DaemonSet" => &self.daemon_sets.last(ids::DaemonSetId(id)).meta,
            _ => &self.autoscalers.last(ids::AutoscalerId(id)).meta,
        }
    }

    /// What an eviction of a pod is answered; `None` where it is gone.
    pub(super) fn eviction_of(&self, pod: PodId) -> Option<disruption::Eviction> {
        let state = self.pods.get(pod)?;
        let seen: Vec<disruption::Budget> = self
            .budgets_of(pod)
            .iter()
            .map(|&id| {
                let budget = self.budgets.last(id);
                disruption::Budget {
                    status: disruption::Status {
                        current_healthy: budget.current_healthy,
                        desired_healthy: budget.desired_healthy,
                        expected_pods: budget.expected,
                        disruptions_allowed: budget.allowed,
                    },
                    observed: budget.observed_generation >= budget.meta.generation,
                    disrupted_pods: budget.disrupted.len(),
                    unhealthy_policy: if budget.always_allow {
                        disruption::UnhealthyPodEvictionPolicy::AlwaysAllow
                    } else {
                        disruption::UnhealthyPodEvictionPolicy::IfHealthyBudget
                    },
                }
            })
            .collect();
        let candidate = disruption::Candidate {
            phase: state.phase,
            ready: state.ready,
            terminating: state.terminating(),
        };
        Some(disruption::check_eviction(&candidate, &seen))
    }

    /// Carries out an eviction that is allowed.
    pub(super) fn evict_allowed(
        &mut self,
        pod: PodId,
        consumes_budget: bool,
        grace: Option<Time>,
        what: Option<What>,
        cause: EntryId,
    ) {
        self.judge_removal(pod, cause);
        if consumes_budget && let Some(&id) = self.budgets_of(pod).first() {
            let now = self.now;
            let budget = self.budgets.edit(id);
            budget.allowed -= 1;
            let mut disrupted = budget.disrupted.to_vec();
            disrupted.push((pod, now));
            budget.disrupted = Arc::new(disrupted);
            if self.store.is_some() {
                self.budget_changed(id, cause);
            }
        }
        self.delete_pod(pod, grace, what, cause);
    }

    /// The eviction subresource.
    pub(super) fn evict(&mut self, pod: PodId, grace: Option<Time>, cause: EntryId) -> Result<(), Answer> {
        match self.eviction_of(pod) {
            None => Err(Answer::NotFound),
            Some(disruption::Eviction::Allowed { consumes_budget }) => {
                self.evict_allowed(pod, consumes_budget, grace, Some(What::Evicted), cause);
                Ok(())
            }
            Some(disruption::Eviction::TooManyRequests { retry_after }) => {
                Err(Answer::RetryLater(retry_after.map_or(5_000, |seconds| u64::from(seconds) * 1_000)))
            }
            Some(disruption::Eviction::MultipleBudgets) => Err(Answer::Refused(
                "InternalError: this pod has more than one PodDisruptionBudget, which the eviction subresource does \
                 not support"
                    .into(),
            )),
            Some(disruption::Eviction::Forbidden) => {
                Err(Answer::Refused("Forbidden: pod disruption budget has too many pending disruptions".into()))
            }
        }
    }
}

fn done(result: Result<(), String>) -> Answer {
    match result {
        Ok(()) => Answer::Done(None),
        Err(message) => Answer::Refused(message),
    }
}

pub(super) fn object(kind: ObjectKind, id: impl Into<u32>) -> Subject {
    Subject::Object(kind, id.into())
}

/// Applies a change of metadata; gives back any other.
fn metadata(meta: &mut Meta, change: Change) -> Result<(), Change> {
    fn set(map: &mut super::objects::StringMap, key: String, value: Option<String>) {
        let map = Arc::make_mut(map);
        match value {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
    match change {
        Change::Label(key, value) => set(&mut meta.labels, key, value),
        Change::Annotation(key, value) => set(&mut meta.annotations, key, value),
        other => return Err(other),
    }
    Ok(())
}

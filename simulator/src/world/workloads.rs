//! The workload controllers: what each sees, its pure decision, and what becomes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Time, World,
    ids::{
        AutoscalerId, BudgetId, DaemonSetId, DeploymentId, EntryId, JobId, NodeId, PodId, ReplicaSetId,
        ServiceId, StatefulSetId,
    },
    log::{ObjectKind, What},
    measures::Writer,
    objects::{PodOwner, StringMap, WorkloadStatus},
    queue::Event,
    requests::object,
};
use crate::controllers::{
    IntOrPercent, daemon_set, deployment, disruption, horizontal_pod_autoscaler as hpa, job, replica_set,
    stateful_set,
};

const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
pub(super) const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Namespace, kind and name of what an autoscaler scales.
type ScaleTarget = (Arc<str>, Arc<str>, Arc<str>);

/// Who owns what, and which controllers have a look planned.
#[derive(Debug, Clone, Default)]
pub(super) struct Owners {
    set_pods: Vec<Vec<PodId>>,
    stateful_pods: Vec<Vec<PodId>>,
    daemon_pods: Vec<Vec<PodId>>,
    job_pods: Vec<Vec<PodId>>,
    /// ReplicaSets of each Deployment, oldest first.
    sets: Vec<Vec<ReplicaSetId>>,
    /// The ReplicaSet of each Deployment's current template.
    current: Vec<Option<ReplicaSetId>>,
    pending_deployments: Vec<bool>,
    pending_sets: Vec<bool>,
    pending_stateful: Vec<bool>,
    pending_jobs: Vec<bool>,
    pending_budgets: Vec<bool>,
    pending_autoscalers: Vec<bool>,
    pending_daemons: bool,
    /// Deployments whose template a client has changed, until their controller has found its ReplicaSet.
    pub(super) changed_templates: BTreeSet<DeploymentId>,
    /// When a client last changed the template of a StatefulSet (with the revision before) or DaemonSet: pods from
    /// before are replaced.
    pub(super) stateful_revisions: BTreeMap<StatefulSetId, (Time, String)>,
    pub(super) daemon_revisions: BTreeMap<DaemonSetId, Time>,
    histories: Vec<hpa::History>,
    scaled_at: Vec<Option<Time>>,
    /// Autoscalers of each Deployment and StatefulSet, by kind and name of the target.
    targets: BTreeMap<ScaleTarget, Vec<AutoscalerId>>,
}

impl Owners {
    pub(super) fn pods_of_set(&self, set: ReplicaSetId) -> &[PodId] {
        self.set_pods.get(set.index()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn pods_of_stateful_set(&self, set: StatefulSetId) -> &[PodId] {
        self.stateful_pods.get(set.index()).map_or(&[], Vec::as_slice)
    }

    pub(super) fn set_current(&mut self, deployment: DeploymentId, set: ReplicaSetId) {
        grow(&mut self.current, deployment.index());
        self.current[deployment.index()] = Some(set);
    }

    fn list(&mut self, owner: PodOwner) -> Option<&mut Vec<PodId>> {
        let (lists, index) = match owner {
            PodOwner::ReplicaSet(id) => (&mut self.set_pods, id.index()),
            PodOwner::StatefulSet(id, _) => (&mut self.stateful_pods, id.index()),
            PodOwner::DaemonSet(id) => (&mut self.daemon_pods, id.index()),
            PodOwner::Job(id) => (&mut self.job_pods, id.index()),
            PodOwner::Node | PodOwner::Unknown | PodOwner::Nobody => return None,
        };
        grow(lists, index);
        Some(&mut lists[index])
    }
}

fn grow<T: Default>(list: &mut Vec<T>, index: usize) {
    if list.len() <= index {
        list.resize_with(index + 1, T::default);
    }
}

/// Sets a flag; whether it was not set before.
fn raise(flags: &mut Vec<bool>, index: usize) -> bool {
    grow(flags, index);
    !std::mem::replace(&mut flags[index], true)
}

impl World {
    /// A pod joins or leaves its controller's list and the Services that select it.
    pub(super) fn owned(&mut self, owner: PodOwner, pod: PodId, joins: bool) {
        if let Some(list) = self.owners.list(owner) {
            if joins {
                list.push(pod);
            } else {
                list.retain(|&other| other != pod);
            }
        }
        self.join_services(pod, joins);
    }

    pub(super) fn adopt_set(&mut self, deployment: DeploymentId, set: ReplicaSetId, current: bool) {
        grow(&mut self.owners.sets, deployment.index());
        grow(&mut self.owners.current, deployment.index());
        self.owners.sets[deployment.index()].push(set);
        if current {
            self.owners.current[deployment.index()] = Some(set);
        }
    }

    pub(super) fn add_scale_target(
        &mut self,
        namespace: Arc<str>,
        kind: Arc<str>,
        name: Arc<str>,
        id: AutoscalerId,
    ) {
        self.owners.targets.entry((namespace, kind, name)).or_default().push(id);
    }

    pub(super) fn replica_sets_of(&self, deployment: DeploymentId) -> &[ReplicaSetId] {
        self.owners.sets.get(deployment.index()).map_or(&[], Vec::as_slice)
    }

    /// The ReplicaSet of a Deployment's current template.
    pub(super) fn current_set(&self, deployment: DeploymentId) -> Option<ReplicaSetId> {
        self.owners.current.get(deployment.index()).copied().flatten()
    }

    /// Pods of a ReplicaSet, terminating ones included.
    pub fn pods_of_replica_set(&self, set: ReplicaSetId) -> &[PodId] {
        self.owners.pods_of_set(set)
    }

    // ---- reactions ----

    pub(super) fn after_pod_change(&mut self, id: PodId, cause: EntryId) {
        match self.pods.last(id).owner {
            PodOwner::ReplicaSet(set) => self.mark_replica_set(set, cause),
            PodOwner::StatefulSet(set, _) => self.mark_stateful_set(set, cause),
            PodOwner::DaemonSet(set) => {
                if !self.pods.exists(id) || self.owners.daemon_revisions.contains_key(&set) {
                    self.mark_daemon_sets(cause);
                }
                self.daemon_set_counts_changed(set);
            }
            PodOwner::Job(job) => {
                self.mark_job(job, cause);
                self.job_changed(job);
            }
            PodOwner::Node | PodOwner::Unknown | PodOwner::Nobody => {}
        }
        self.mark_services_of(id, cause);
        for budget in self.budgets_of(id) {
            self.mark_budget(budget, cause);
        }
        if !self.pods.exists(id) || self.pods.last(id).finished() {
            self.take_share(id, false);
            self.wake_scheduler(cause);
        }
        self.mark_scan(cause);
    }

    pub(super) fn mark_services_of(&mut self, id: PodId, cause: EntryId) {
        let labels = self.pods.last(id).labels;
        for index in 0..self.label_sets.services_of(labels).len() {
            let service: ServiceId = self.label_sets.services_of(labels)[index];
            self.mark_endpoints(service, cause);
        }
    }

    pub(super) fn after_deployment_change(&mut self, id: DeploymentId, cause: EntryId) {
        if raise(&mut self.owners.pending_deployments, id.index()) {
            let at = self.now + self.watch_lag();
            self.queue.push(at, Event::SyncDeployment(id), cause);
        }
    }

    pub(super) fn after_replica_set_change(&mut self, id: ReplicaSetId, cause: EntryId) {
        self.mark_replica_set(id, cause);
        if let Some(deployment) = self.replica_sets.last(id).deployment {
            self.after_deployment_change(deployment, cause);
        }
    }

    pub(super) fn after_stateful_set_change(&mut self, id: StatefulSetId, cause: EntryId) {
        self.mark_stateful_set(id, cause);
    }

    fn mark_replica_set(&mut self, id: ReplicaSetId, cause: EntryId) {
        if raise(&mut self.owners.pending_sets, id.index()) {
            let at = self.now + self.watch_lag();
            self.queue.push(at, Event::SyncReplicaSet(id), cause);
        }
    }

    fn mark_stateful_set(&mut self, id: StatefulSetId, cause: EntryId) {
        if raise(&mut self.owners.pending_stateful, id.index()) {
            let at = self.now + self.watch_lag();
            self.queue.push(at, Event::SyncStatefulSet(id), cause);
        }
    }

    pub(super) fn mark_job(&mut self, id: JobId, cause: EntryId) {
        if raise(&mut self.owners.pending_jobs, id.index()) {
            let at = self.now + self.watch_lag();
            self.queue.push(at, Event::SyncJob(id), cause);
        }
    }

    pub(super) fn mark_daemon_sets(&mut self, cause: EntryId) {
        if !std::mem::replace(&mut self.owners.pending_daemons, true) {
            let at = self.now + self.watch_lag();
            self.queue.push(at, Event::SyncDaemonSets, cause);
        }
    }

    pub(super) fn look_at_budget(&mut self, id: BudgetId, cause: EntryId) {
        self.mark_budget(id, cause);
    }

    fn mark_budget(&mut self, id: BudgetId, cause: EntryId) {
        if raise(&mut self.owners.pending_budgets, id.index()) {
            let at = self.now + self.watch_lag();
            self.queue.push(at, Event::SyncBudget(id), cause);
        }
    }

    /// Each autoscaler is evaluated at its own multiples of the tick; only evaluations that may act are queued.
    pub(super) fn mark_autoscaler(&mut self, id: AutoscalerId, cause: EntryId) {
        if raise(&mut self.owners.pending_autoscalers, id.index()) {
            let tick = self.parameters.hpa_tick.max(1_000);
            let phase = self.chance_of(&[0x0068_7061, u64::from(id.0)], tick);
            let at = self.now + 1 + (tick + phase - (self.now + 1) % tick) % tick;
            self.queue.push(at, Event::SyncAutoscaler(id), cause);
        }
    }

    fn mark_autoscalers_of(&mut self, kind: &str, namespace: &Arc<str>, name: &Arc<str>, cause: EntryId) {
        let key = (namespace.clone(), Arc::from(kind), name.clone());
        for id in self.owners.targets.get(&key).cloned().unwrap_or_default() {
            self.mark_autoscaler(id, cause);
        }
    }

    // ---- Deployment ----

    /// Somebody sets `spec.replicas`.
    pub(super) fn scale_deployment(&mut self, id: DeploymentId, replicas: u32, cause: EntryId) {
        let from = self.deployments.last(id).replicas;
        if from == replicas {
            return;
        }
        self.record(cause, object(ObjectKind::Deployment, id), What::Scaled { from, to: replicas });
        let state = self.deployments.edit(id);
        state.replicas = replicas;
        state.meta.generation += 1;
        let (namespace, name) = (state.meta.namespace.clone(), state.meta.name.clone());
        self.mark_autoscalers_of("Deployment", &namespace, &name, cause);
    }

    pub(super) fn scale_replica_set(&mut self, id: ReplicaSetId, replicas: u32, cause: EntryId) {
        let from = self.replica_sets.last(id).replicas;
        if from == replicas {
            return;
        }
        self.record(cause, object(ObjectKind::ReplicaSet, id), What::Scaled { from, to: replicas });
        let state = self.replica_sets.edit(id);
        state.replicas = replicas;
        state.meta.generation += 1;
    }

    fn seen_set(&self, id: ReplicaSetId) -> deployment::ReplicaSet<'_> {
        let set = self.replica_sets.last(id);
        let number = |key: &str| set.meta.annotations.get(key).and_then(|text| text.parse().ok());
        deployment::ReplicaSet {
            name: &set.meta.name,
            created_at: set.meta.created_at,
            replicas: narrow(set.replicas),
            status_replicas: narrow(set.status.replicas),
            ready_replicas: narrow(set.status.ready),
            available_replicas: narrow(set.status.available),
            desired_replicas_annotation: number(DESIRED),
            max_replicas_annotation: number(MAX),
        }
    }

    pub(super) fn sync_deployment(&mut self, id: DeploymentId, cause: EntryId) {
        self.owners.pending_deployments[id.index()] = false;
        let Some(mut state) = self.deployments.get(id).cloned() else { return };
        if state.meta.deletion_at.is_some() {
            return;
        }
        if !state.paused && self.owners.changed_templates.remove(&id) {
            self.adopt_template(id, cause);
            state = self.deployments.last(id).clone();
        }
        let current = self.owners.current.get(id.index()).copied().flatten();
        let old: Vec<ReplicaSetId> =
            self.replica_sets_of(id).iter().copied().filter(|&set| Some(set) != current).collect();
        if let Some(set) = current {
            self.copy_annotations(id, set, cause);
        }
        let strategy = if state.recreate {
            deployment::Strategy::Recreate
        } else {
            deployment::Strategy::RollingUpdate {
                max_surge: share(&state.max_surge),
                max_unavailable: share(&state.max_unavailable),
            }
        };
        let seen = deployment::Deployment {
            replicas: narrow(state.replicas),
            strategy,
            paused: state.paused,
            status_replicas: narrow(state.status.replicas),
        };
        let (step, status) = {
            let new = current.map(|set| self.seen_set(set));
            let old_seen: Vec<deployment::ReplicaSet<'_>> =
                old.iter().map(|&set| self.seen_set(set)).collect();
            let old_pods_exist = old.iter().any(|&set| {
                self.owners
                    .pods_of_set(set)
                    .iter()
                    .any(|&pod| self.pods.exists(pod) && !self.pods.last(pod).finished())
            });
            (
                deployment::next_step(&seen, new.as_ref(), &old_seen, old_pods_exist),
                deployment::status(&seen, new.as_ref(), &old_seen),
            )
        };
        if let deployment::Step::Resize(resizes) = step {
            let surge = match strategy {
                deployment::Strategy::Recreate => 0,
                deployment::Strategy::RollingUpdate { max_surge, max_unavailable } => {
                    deployment::resolve_fenceposts(max_surge, max_unavailable, seen.replicas).max_surge
                }
            };
            for resize in resizes {
                let set = match resize.replica_set {
                    deployment::Which::New => current,
                    deployment::Which::Old(index) => old.get(index).copied(),
                };
                let Some(set) = set else { continue };
                self.resize_set(set, resize.replicas, (seen.replicas, surge), cause);
            }
        }
        let status = WorkloadStatus {
            observed_generation: state.meta.generation,
            replicas: widen(status.replicas),
            ready: widen(status.ready_replicas),
            available: widen(status.available_replicas),
            updated: widen(status.updated_replicas),
        };
        if status != state.status {
            self.deployments.edit(id).status = status;
            self.deployment_changed(id, cause);
            if self.store.is_some() {
                self.clean_revisions(id, cause);
            }
        }
    }

    /// A ReplicaSet no longer belongs to its Deployment.
    pub(super) fn forget_set(&mut self, set: ReplicaSetId) {
        for sets in &mut self.owners.sets {
            sets.retain(|&other| other != set);
        }
        for current in &mut self.owners.current {
            if *current == Some(set) {
                *current = None;
            }
        }
    }

    /// A pod no longer has an owner.
    pub(super) fn disown(&mut self, pod: PodId) {
        let owner = self.pods.last(pod).owner;
        if let Some(list) = self.owners.list(owner) {
            list.retain(|&other| other != pod);
        }
        self.pods.edit(pod).owner = PodOwner::Nobody;
    }

    fn resize_set(&mut self, set: ReplicaSetId, replicas: i32, (desired, surge): (i32, i32), cause: EntryId) {
        let before = self.replica_sets.last(set).clone();
        let mut annotations = before.meta.annotations.clone();
        let wanted = [(DESIRED, desired), (MAX, desired.saturating_add(surge))];
        if wanted.iter().any(|&(key, value)| annotations.get(key) != Some(&value.to_string())) {
            let map = Arc::make_mut(&mut annotations);
            for (key, value) in wanted {
                map.insert(key.into(), value.to_string());
            }
        }
        if before.replicas == widen(replicas) && *before.meta.annotations == *annotations {
            return;
        }
        self.scale_replica_set(set, widen(replicas), cause);
        self.replica_sets.edit(set).meta.annotations = annotations;
        self.replica_set_changed(set, cause);
    }

    /// Annotations of a Deployment reach its current ReplicaSet; removals do not.
    fn copy_annotations(&mut self, id: DeploymentId, set: ReplicaSetId, cause: EntryId) {
        let from = self.deployments.last(id).meta.annotations.clone();
        let to = self.replica_sets.last(set).meta.annotations.clone();
        let missing: Vec<(&String, &String)> = from
            .iter()
            .filter(|(key, value)| deployment::copies_annotation(key) && to.get(*key) != Some(*value))
            .collect();
        if missing.is_empty() {
            return;
        }
        let mut merged: StringMap = to.clone();
        let map = Arc::make_mut(&mut merged);
        for (key, value) in missing {
            map.insert(key.clone(), value.clone());
        }
        self.replica_sets.edit(set).meta.annotations = merged;
        self.replica_set_changed(set, cause);
    }

    // ---- ReplicaSet ----

    pub(super) fn sync_replica_set(&mut self, id: ReplicaSetId, cause: EntryId) {
        grow(&mut self.owners.pending_sets, id.index());
        self.owners.pending_sets[id.index()] = false;
        let Some(state) = self.replica_sets.get(id).cloned() else { return };
        if state.meta.deletion_at.is_some() {
            return;
        }
        let now = self.now as i64;
        let active: Vec<PodId> = self
            .owners
            .pods_of_set(id)
            .iter()
            .copied()
            .filter(|&pod| self.pods.get(pod).is_some_and(|pod| pod.active()))
            .collect();
        let plan = {
            let seen: Vec<replica_set::Pod<'_>> = active
                .iter()
                .map(|&id| {
                    let pod = self.pods.last(id);
                    replica_set::Pod {
                        uid: &pod.meta.uid,
                        node: pod.node.map(|node| node.0),
                        phase: pod.phase,
                        ready: pod.ready,
                        ready_age_ns: replica_set::age_ns(pod.ready_at, now),
                        age_ns: replica_set::age_ns(pod.meta.created_at, now),
                        restarts: narrow(pod.restarts),
                        sidecar_restarts: 0,
                        deletion_cost: replica_set::deletion_cost(self.seen_cost(id)),
                    }
                })
                .collect();
            let siblings: Vec<ReplicaSetId> = match state.deployment {
                Some(deployment) => self.replica_sets_of(deployment).to_vec(),
                None => vec![id],
            };
            let related: Vec<Option<u32>> = siblings
                .iter()
                .flat_map(|&set| self.owners.pods_of_set(set))
                .filter(|&&pod| self.pods.get(pod).is_some_and(|pod| pod.active()))
                .map(|&pod| self.pods.last(pod).node.map(|node| node.0))
                .collect();
            replica_set::plan(narrow(state.replicas), &seen, &related)
        };
        match plan {
            replica_set::Plan::Create(count) => {
                for _ in 0..count {
                    if !self.quota_admits(&state.meta.namespace, state.spec) {
                        self.retry_refused(Event::SyncReplicaSet(id), cause);
                        self.owners.pending_sets[id.index()] = true;
                        break;
                    }
                    let name = format!("{}-{}", state.meta.name, self.name_suffix());
                    let identity = (state.meta.namespace.clone(), Arc::from(name));
                    self.create_pod(
                        PodOwner::ReplicaSet(id),
                        identity,
                        state.template_labels.clone(),
                        state.spec,
                        None,
                        cause,
                    );
                }
                if count == replica_set::BURST {
                    self.mark_replica_set(id, cause);
                }
            }
            replica_set::Plan::Delete(victims) => {
                for victim in victims {
                    self.judge_removal(active[victim], cause);
                    self.delete_pod(active[victim], None, None, cause);
                }
                self.mark_replica_set(id, cause);
            }
            replica_set::Plan::Nothing => {}
        }
        let status = self.set_status(id);
        if status != self.replica_sets.last(id).status {
            self.replica_sets.edit(id).status = status;
            self.replica_set_changed(id, cause);
        }
    }

    /// A pod's deletion cost as the ReplicaSet controller's own watch shows it.
    fn seen_cost(&self, id: PodId) -> Option<&str> {
        if let Some((changed_at, before)) = &self.pod_states[id.index()].cost_before {
            let (least, most) = self.watch_range();
            let words = [0x636f_7374, u64::from(id.0), *changed_at];
            if self.now < changed_at + least + self.chance_of(&words, most - least + 1) {
                return before.as_deref();
            }
        }
        self.pods.last(id).meta.annotations.get(DELETION_COST).map(String::as_str)
    }

    fn set_status(&self, id: ReplicaSetId) -> WorkloadStatus {
        let state = self.replica_sets.last(id);
        let mut status =
            WorkloadStatus { observed_generation: state.meta.generation, ..WorkloadStatus::default() };
        for &pod in self.owners.pods_of_set(id) {
            let Some(pod) = self.pods.get(pod).filter(|pod| pod.active()) else { continue };
            status.replicas += 1;
            if pod.ready {
                status.ready += 1;
                status.available += u32::from(pod.ready_at + state.min_ready as i64 <= self.now as i64);
            }
        }
        status.updated = status.replicas;
        status
    }

    // ---- StatefulSet ----

    pub(super) fn sync_stateful_set(&mut self, id: StatefulSetId, cause: EntryId) {
        self.owners.pending_stateful[id.index()] = false;
        let Some(state) = self.stateful_sets.get(id).cloned() else { return };
        if state.meta.deletion_at.is_some() {
            return;
        }
        grow(&mut self.owners.stateful_pods, id.index());
        let pods = self.owners.stateful_pods[id.index()].clone();
        let revision = self.owners.stateful_revisions.get(&id).map(|&(at, _)| at);
        let seen: Vec<stateful_set::Pod> = pods
            .iter()
            .map(|&id| {
                let pod = self.pods.last(id);
                let PodOwner::StatefulSet(_, ordinal) = pod.owner else {
                    unreachable!("it is in this set's list")
                };
                stateful_set::Pod {
                    ordinal: narrow(ordinal),
                    phase: pod.phase,
                    ready: pod.ready,
                    available: pod.ready,
                    terminating: pod.terminating(),
                    updated: revision.is_none_or(|at| pod.meta.created_at >= at as i64),
                }
            })
            .collect();
        let set = stateful_set::StatefulSet {
            replicas: narrow(state.replicas),
            start_ordinal: 0,
            parallel: state.parallel,
            partition: Some(0),
        };
        if let stateful_set::Step::Act(actions) = stateful_set::next_step(&set, &seen) {
            let mut refused = false;
            for action in actions {
                match action {
                    stateful_set::Action::Create(_) if refused => {}
                    stateful_set::Action::Create(ordinal) => {
                        if !self.quota_admits(&state.meta.namespace, state.spec) {
                            self.retry_refused(Event::SyncStatefulSet(id), cause);
                            self.owners.pending_stateful[id.index()] = true;
                            refused = true;
                            continue;
                        }
                        let name = format!("{}-{ordinal}", state.meta.name);
                        let mut labels = (*state.template_labels).clone();
                        labels.insert("statefulset.kubernetes.io/pod-name".into(), name.clone());
                        labels.insert("apps.kubernetes.io/pod-index".into(), ordinal.to_string());
                        let owner = PodOwner::StatefulSet(id, widen(ordinal));
                        let identity = (state.meta.namespace.clone(), Arc::from(name));
                        self.create_pod(owner, identity, Arc::new(labels), state.spec, None, cause);
                    }
                    stateful_set::Action::Delete(ordinal) => {
                        let position = seen.iter().position(|pod| pod.ordinal == ordinal);
                        if let Some(index) = position {
                            self.judge_removal(pods[index], cause);
                            self.delete_pod(pods[index], None, None, cause);
                        }
                    }
                }
            }
        }
        let ready =
            pods.iter().filter(|&&pod| self.pods.get(pod).is_some_and(|pod| pod.ready)).count() as u32;
        let status = WorkloadStatus {
            observed_generation: state.meta.generation,
            replicas: self.owners.stateful_pods[id.index()].len() as u32,
            ready,
            available: ready,
            updated: self.owners.stateful_pods[id.index()]
                .iter()
                .filter(|&&pod| revision.is_none_or(|at| self.pods.last(pod).meta.created_at >= at as i64))
                .count() as u32,
        };
        if status != state.status {
            self.stateful_sets.edit(id).status = status;
            self.stateful_set_changed(id, cause);
        }
    }

    // ---- DaemonSet ----

    pub(super) fn sync_daemon_sets(&mut self, cause: EntryId) {
        self.owners.pending_daemons = false;
        let sets: Vec<DaemonSetId> = self.daemon_sets.iter().map(|(id, _)| id).collect();
        let nodes: Vec<NodeId> = self.nodes.iter().map(|(id, _)| id).collect();
        for id in sets {
            let state = self.daemon_sets.last(id).clone();
            if state.meta.deletion_at.is_some() {
                continue;
            }
            let mut create = Vec::new();
            for &node in &nodes {
                let here = self.node_states[node.index()]
                    .pods
                    .iter()
                    .copied()
                    .find(|&pod| self.pods.last(pod).owner == PodOwner::DaemonSet(id));
                let spec = &self.specs[state.spec.index()];
                let object = self.nodes.last(node);
                let allowed = spec.node_affinity.allows(&object.meta.name, &object.meta.labels);
                let taints = &self.node_states[node.index()].taints;
                match (daemon_set::placement(allowed, taints, &spec.tolerations, spec.host_network), here) {
                    (daemon_set::Placement::Run, None) => create.push(node),
                    (daemon_set::Placement::Remove, Some(pod)) if !self.pods.last(pod).terminating() => {
                        self.delete_pod(pod, None, None, cause);
                    }
                    _ => {}
                }
            }
            for node in create {
                if self.pods_are_full() {
                    break;
                }
                let name = format!("{}-{}", state.meta.name, self.name_suffix());
                let identity = (state.meta.namespace.clone(), Arc::from(name));
                let labels = state.template_labels.clone();
                self.create_pod(PodOwner::DaemonSet(id), identity, labels, state.spec, Some(node), cause);
            }
            self.roll_daemon_set(id, cause);
        }
    }

    // ---- Job ----

    pub(super) fn sync_job(&mut self, id: JobId, cause: EntryId) {
        self.owners.pending_jobs[id.index()] = false;
        let Some(state) = self.jobs.get(id).cloned() else { return };
        if state.meta.deletion_at.is_some() {
            return;
        }
        grow(&mut self.owners.job_pods, id.index());
        let pods = self.owners.job_pods[id.index()].clone();
        let active = pods.iter().filter(|&&pod| self.pods.last(pod).active()).count();
        let terminating = pods
            .iter()
            .filter(|&&pod| self.pods.last(pod).terminating() && !self.pods.last(pod).finished())
            .count();
        let seen = job::Job {
            completions: Some(narrow(state.completions)),
            parallelism: narrow(state.parallelism),
            backoff_limit: narrow(state.backoff_limit),
            replaces_only_failed: false,
            active: active as i32,
            terminating: terminating as i32,
            succeeded: narrow(state.succeeded),
            failed: narrow(state.failed),
            failures_in_a_row: 0,
            failed_at: None,
        };
        if let job::Step::Create(count) = job::next_step(&seen, self.now as i64) {
            for _ in 0..count {
                if self.pods_are_full() {
                    self.retry_refused(Event::SyncJob(id), cause);
                    break;
                }
                let name = format!("{}-{}", state.meta.name, self.name_suffix());
                let identity = (state.meta.namespace.clone(), Arc::from(name));
                let labels = state.template_labels.clone();
                self.create_pod(PodOwner::Job(id), identity, labels, state.spec, None, cause);
            }
        }
    }

    // ---- HorizontalPodAutoscaler ----

    pub(super) fn after_autoscaler_change(&mut self, id: AutoscalerId, cause: EntryId) {
        self.mark_autoscaler(id, cause);
    }

    pub(super) fn sync_autoscaler(&mut self, id: AutoscalerId, cause: EntryId) {
        self.owners.pending_autoscalers[id.index()] = false;
        let Some(state) = self.autoscalers.get(id).cloned() else { return };
        if &*state.target.0 != "Deployment" {
            return;
        }
        let Some(target) = self.deployments.find(&state.meta.namespace, &state.target.1) else { return };
        let current = self.deployments.last(target).replicas;
        let ready = self.deployments.last(target).status.ready;
        let metric = state.load.map(|(load, per_pod)| hpa::Metric {
            load,
            target: per_pod,
            ready_pods: narrow(ready),
            unready_pods: narrow(current.saturating_sub(ready)),
        });
        let spec = hpa::Autoscaler {
            min_replicas: narrow(state.min),
            max_replicas: narrow(state.max),
            behavior: state.behavior.as_deref().cloned(),
        };
        grow(&mut self.owners.histories, id.index());
        grow(&mut self.owners.scaled_at, id.index());
        let now = self.now as i64;
        let history = &mut self.owners.histories[id.index()];
        let wanted = hpa::reconcile(&spec, narrow(current), metric.as_ref(), history, now);
        if let Some(wanted) = wanted.map(widen).filter(|&wanted| wanted != current) {
            self.owners.scaled_at[id.index()] = Some(self.now);
            let entry = self.record(
                cause,
                object(ObjectKind::HorizontalPodAutoscaler, id),
                What::Scaled { from: current, to: wanted },
            );
            self.scale_deployment(target, wanted, entry);
            let name = format!("Deployment {}/{}", state.meta.namespace, state.target.1);
            self.note_write(name, "spec.replicas".into(), Writer::HorizontalPodAutoscaler);
            self.deployment_changed(target, entry);
            self.mark_autoscaler(id, entry);
        } else if metric.is_some() {
            // With metrics a proposal can ripen while nothing changes, for as long as the window reaches back.
            let recent = self.owners.scaled_at[id.index()].unwrap_or(0);
            if self.now < recent + self.parameters.hpa_down_window + 2 * self.parameters.hpa_tick {
                self.mark_autoscaler(id, cause);
            }
        }
    }

    // ---- PodDisruptionBudget ----

    pub(super) fn sync_budget(&mut self, id: BudgetId, cause: EntryId) {
        self.owners.pending_budgets[id.index()] = false;
        let Some(state) = self.budgets.get(id).cloned() else { return };
        // An eviction is confirmed once its pod terminates or is gone; otherwise it is remembered for two minutes.
        let kept: Vec<(PodId, Time)> = state
            .disrupted
            .iter()
            .copied()
            .filter(|&(pod, at)| {
                self.pods.get(pod).is_some_and(|pod| !pod.terminating())
                    && self.now < at + self.parameters.disruption_memory
            })
            .collect();
        if kept.len() != state.disrupted.len() {
            self.budgets.edit(id).disrupted = Arc::new(kept);
        }
        let Some(status) = self.budget_status(id) else { return };
        let generation = self.budgets.last(id).meta.generation;
        let observed = std::mem::replace(&mut self.budgets.edit(id).observed_generation, generation);
        let state = self.budgets.last(id);
        if observed == generation
            && (state.allowed, state.current_healthy, state.desired_healthy, state.expected)
                == (
                    status.disruptions_allowed,
                    status.current_healthy,
                    status.desired_healthy,
                    status.expected_pods,
                )
        {
            return;
        }
        let state = self.budgets.edit(id);
        state.allowed = status.disruptions_allowed;
        state.current_healthy = status.current_healthy;
        state.desired_healthy = status.desired_healthy;
        state.expected = status.expected_pods;
        self.budget_changed(id, cause);
    }

    /// The report that the disruption controller would write now; `None` where a scale is needed and unknown.
    pub(super) fn budget_status(&self, id: BudgetId) -> Option<disruption::Status> {
        let budget = self.budgets.last(id);
        let members = self.members_of_budget(id);
        let mut scales: BTreeMap<(u8, u32), Option<u32>> = BTreeMap::new();
        for &pod in &members {
            let (key, scale) = match self.pods.last(pod).owner {
                PodOwner::ReplicaSet(set) => match self.replica_sets.last(set).deployment {
                    Some(deployment) => ((0, deployment.0), Some(self.deployments.last(deployment).replicas)),
                    None => ((1, set.0), Some(self.replica_sets.last(set).replicas)),
                },
                PodOwner::StatefulSet(set, _) => ((2, set.0), Some(self.stateful_sets.last(set).replicas)),
                // Ownerless pods are left out of the scale; kinds without one make it unknown.
                PodOwner::Nobody => continue,
                PodOwner::DaemonSet(set) => ((3, set.0), None),
                PodOwner::Job(job) => ((4, job.0), None),
                PodOwner::Node | PodOwner::Unknown => ((5, 0), None),
            };
            scales.insert(key, scale);
        }
        let scale = scales.values().try_fold(0u32, |sum, scale| Some(sum + (*scale)?)).map(narrow);
        let pods: Vec<disruption::Pod> = members
            .iter()
            .map(|&id| {
                let pod = self.pods.last(id);
                disruption::Pod {
                    ready: pod.ready && !pod.finished(),
                    terminating: pod.terminating(),
                    disrupted_at: budget
                        .disrupted
                        .iter()
                        .find(|&&(disrupted, _)| disrupted == id)
                        .map(|&(_, at)| at as i64),
                }
            })
            .collect();
        let demand = match (&budget.min_available, &budget.max_unavailable) {
            (Some(text), _) => disruption::Demand::MinAvailable(share(text)),
            (None, Some(text)) => disruption::Demand::MaxUnavailable(share(text)),
            (None, None) => disruption::Demand::MinAvailable(IntOrPercent::Number(1)),
        };
        disruption::status(demand, scale, &pods, self.now as i64)
    }
}

/// `3` or `25%`; what is neither counts as nothing, as the import has checked it.
fn share(text: &str) -> IntOrPercent {
    IntOrPercent::parse(text).unwrap_or(IntOrPercent::Number(0))
}

pub(super) fn narrow(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

pub(super) fn widen(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

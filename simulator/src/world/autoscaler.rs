//! The cluster autoscaler: nodes that nobody needs go, pods that fit nowhere get one. It runs in a pod of the cluster:
//! while that pod is not ready, nothing is scaled.

use super::{
    Time, World,
    cloud::{Bounds, BoundsChange},
    ids::{EntryId, GroupId, NodeId},
    log::{Subject, What},
    measures::Writer,
    objects::PodOwner,
    queue::Event,
};

/// Its state between scans.
#[derive(Debug, Clone, Default)]
pub(super) struct Autoscaler {
    planned: bool,
    /// When it last added a node.
    added_at: Option<Time>,
    /// The Deployment whose name contains `cluster-autoscaler`.
    pub(super) deployment: Option<super::ids::DeploymentId>,
}

/// Source of the constants: cluster-autoscaler FAQ.
const UNNEEDED: Time = 600_000;
const AFTER_ADD: Time = 600_000;
/// The longest grace period that it leaves a pod. Source: cluster-autoscaler FAQ, `max-graceful-termination-sec`.
const GRACE_LONGEST: Time = 600_000;

impl World {
    /// Something changed that a scan might act on.
    pub(super) fn mark_scan(&mut self, cause: EntryId) {
        let may_act = self.scheduler.first_unschedulable().is_some()
            || self.groups.iter().any(|group| {
                let widest =
                    group.history.iter().map(|change| change.before.min).fold(group.bounds.min, u32::min);
                group.bounds.desired > widest
            });
        if self.autoscaler.deployment.is_none() || self.autoscaler.planned || !may_act {
            return;
        }
        self.plan_scan(self.now + 1, cause);
    }

    /// Scans happen at multiples of the interval; only those that may find something are queued.
    fn plan_scan(&mut self, not_before: Time, cause: EntryId) {
        let interval = self.parameters.ca_scan.max(1_000);
        self.autoscaler.planned = true;
        self.queue.push(not_before.div_ceil(interval) * interval, Event::Scan, cause);
    }

    fn autoscaler_runs(&self) -> bool {
        self.autoscaler.deployment.is_some_and(|deployment| self.has_ready_pod(deployment))
    }

    /// The bounds that the autoscaler believes in: its cache is refreshed every minute. With those that are no longer in
    /// force comes the entry that replaced them.
    fn believed_bounds(&self, id: GroupId) -> (Bounds, Option<EntryId>) {
        let cache = self.parameters.ca_asg_cache.max(1);
        let phase = self.chance_of(&[0x6361, u64::from(id.0)], cache);
        let refreshed_at = (self.now + cache - phase) / cache * cache + phase;
        let refreshed_at =
            if refreshed_at > self.now { refreshed_at.saturating_sub(cache) } else { refreshed_at };
        let group = &self.groups[id.index()];
        // The first bounds that were replaced after the refresh are those that it read.
        group
            .history
            .iter()
            .find(|change| change.at > refreshed_at)
            .map_or((group.bounds, None), |change| (change.before, Some(change.entry)))
    }

    pub(super) fn scan(&mut self, cause: EntryId) {
        self.autoscaler.planned = false;
        if !self.autoscaler_runs() {
            return;
        }
        self.scale_up(cause);
        self.scale_down(cause);
    }

    fn scale_up(&mut self, cause: EntryId) {
        let Some(pod) = self.scheduler.first_unschedulable() else { return };
        let Some(state) = self.pods.get(pod).filter(|pod| pod.node.is_none() && pod.active()) else { return };
        let spec = &self.specs[state.spec.index()];
        let group = (0..self.groups.len()).map(GroupId::from).find(|&id| {
            let group = &self.groups[id.index()];
            let (believed, _) = self.believed_bounds(id);
            let tolerated = group.taints.iter().map(super::requests::EksTaint::to_kubernetes).all(|taint| {
                crate::selector::Taint::compile(&taint)
                    .is_ok_and(|taint| crate::selector::tolerates(&spec.tolerations, &taint))
            });
            group.status.is_settled() && believed.desired < believed.max && tolerated
        });
        let Some(id) = group else { return };
        if self.autoscaler.added_at.is_some_and(|at| self.now < at + 120_000) {
            self.plan_scan(self.now + 120_000, cause);
            return;
        }
        let bounds = self.groups[id.index()].bounds;
        if bounds.desired >= bounds.max {
            return;
        }
        self.autoscaler.added_at = Some(self.now);
        let entry =
            self.record(cause, Subject::Group(id), What::ScaledByAutoscaler { to: bounds.desired + 1 });
        let name = format!("node group {}", self.groups[id.index()].name);
        self.note_write(name, "desiredSize".into(), Writer::ClusterAutoscaler);
        self.set_bounds(id, Bounds { desired: bounds.desired + 1, ..bounds }, entry);
    }

    fn scale_down(&mut self, cause: EntryId) {
        let mut again = Time::MAX;
        let mut victim = None;
        for id in (0..self.groups.len()).map(GroupId::from) {
            let (believed, replaced_by) = self.believed_bounds(id);
            let group = &self.groups[id.index()];
            if !group.status.is_settled() || believed.desired <= believed.min {
                // Unless its cache is stale, nothing can go; look again when it has been refreshed.
                if group
                    .history
                    .last()
                    .is_some_and(|change| self.now < change.at + self.parameters.ca_asg_cache)
                {
                    again = again.min(self.now + self.parameters.ca_asg_cache);
                }
                continue;
            }
            let nodes: Vec<NodeId> = group
                .instances
                .iter()
                .filter_map(|instance| self.instances[instance.index()].node)
                .filter(|&node| self.node_is_ready(node))
                .collect();
            for node in nodes {
                if !self.unneeded(node) {
                    self.node_states[node.index()].unneeded_since = None;
                    continue;
                }
                let since = *self.node_states[node.index()].unneeded_since.get_or_insert(self.now);
                let added = self.autoscaler.added_at.map_or(0, |at| at + AFTER_ADD);
                let due = (since + UNNEEDED).max(added);
                if due > self.now {
                    again = again.min(due);
                } else if victim.is_none() {
                    // On bounds that somebody has just replaced it is their doing; else that of whoever emptied the node.
                    let relieved_by = self.node_states[node.index()].relieved_by;
                    victim = Some((id, node, replaced_by.unwrap_or(relieved_by)));
                }
            }
        }
        if let Some((group, node, because_of)) = victim {
            self.remove_node(group, node, because_of);
            again = again.min(self.now + 10_000);
        }
        if again != Time::MAX && !self.autoscaler.planned {
            self.plan_scan(again, cause);
        }
    }

    /// Used less than half, and everything on it fits elsewhere.
    fn unneeded(&self, id: NodeId) -> bool {
        let node = self.nodes.last(id);
        let state = &self.node_states[id.index()];
        let half = |used: i64, of: i64| used * 2 < of;
        let annotated = node
            .meta
            .annotations
            .get("cluster-autoscaler.kubernetes.io/scale-down-disabled")
            .is_some_and(|value| value == "true");
        if annotated
            || !half(state.requested.cpu_milli, node.cpu_milli)
            || !half(state.requested.memory, node.memory)
        {
            return false;
        }
        let movable = self.workload_pods(id);
        let replicated = movable.iter().all(|&pod| {
            let pod = self.pods.last(pod);
            let local_storage = self.specs[pod.spec.index()]
                .kubernetes
                .volumes
                .iter()
                .flatten()
                .any(|volume| volume.empty_dir.is_some() || volume.host_path.is_some());
            let system =
                &*pod.meta.namespace == "kube-system" && self.label_sets.budgets_of(pod.labels).is_empty();
            !matches!(pod.owner, PodOwner::Nobody) && !local_storage && !system
        });
        if !replicated {
            return false;
        }
        let mut free: Vec<(i64, i64, i64)> = self
            .nodes
            .iter()
            .filter(|&(other, node)| {
                other != id && !node.unschedulable && node.taints.is_empty() && self.node_is_ready(other)
            })
            .map(|(other, node)| {
                let used = &self.node_states[other.index()].requested;
                (node.cpu_milli - used.cpu_milli, node.memory - used.memory, node.pods - used.pods)
            })
            .collect();
        movable.iter().all(|&pod| {
            let spec = &self.specs[self.pods.last(pod).spec.index()];
            let fits =
                free.iter_mut().find(|room| room.0 >= spec.cpu_milli && room.1 >= spec.memory && room.2 >= 1);
            fits.is_some_and(|room| {
                (room.0, room.1, room.2) = (room.0 - spec.cpu_milli, room.1 - spec.memory, room.2 - 1);
                true
            })
        })
    }

    fn remove_node(&mut self, group: GroupId, node: NodeId, cause: EntryId) {
        let entry = self.record(cause, Subject::Node(node), What::Unneeded);
        let mut taints = self.nodes.last(node).taints.to_vec();
        taints.push(k8s_openapi::api::core::v1::Taint {
            key: crate::controllers::service_load_balancer::TO_BE_DELETED_TAINT.into(),
            effect: "NoSchedule".into(),
            value: None,
            time_added: None,
        });
        self.set_taints(node, taints, entry);
        let bounds = self.groups[group.index()].bounds;
        self.node_states[node.index()].unneeded_since = None;
        if bounds.desired <= bounds.min {
            // With a stale minimum it drains the node and then fails to terminate it.
            self.queue.push(self.now, Event::ScaleDownFails(node, self.now + GRACE_LONGEST), entry);
            return;
        }
        // The instance is terminated by name, with the desired size lowered in the same call.
        let now = self.now;
        let state = &mut self.groups[group.index()];
        state.history.push(BoundsChange { at: now, before: bounds, entry });
        state.bounds.desired -= 1;
        if let Some(instance) = self.nodes.last(node).instance {
            self.instances[instance.index()].state = super::cloud::InstanceState::Draining;
        }
        self.node_states[node.index()].drain = Some(now + 600_000);
        self.queue.push(now + 5_000, Event::ScaleInCap(node), entry);
    }

    /// A scale-down that the bounds forbid: the node is drained, its instance cannot be terminated, and it is given back.
    /// Source: cluster-autoscaler `core/scaledown/actuation`, which removes its taint when the deletion has failed.
    pub(super) fn scale_down_fails(&mut self, node: NodeId, gives_up_at: Time, cause: EntryId) {
        if !self.nodes.exists(node) {
            return;
        }
        let pods = self.workload_pods(node);
        for &pod in &pods {
            let grace = self.specs[self.pods.last(pod).spec.index()].grace.min(GRACE_LONGEST);
            if !self.pods.last(pod).terminating() {
                // Refusals are retried at the next look.
                let _refused = self.evict(pod, Some(grace), cause);
            }
        }
        if !pods.is_empty() && self.now < gives_up_at {
            self.queue.push(self.now + 5_000, Event::ScaleDownFails(node, gives_up_at), cause);
            return;
        }
        let mut taints = self.nodes.last(node).taints.to_vec();
        taints.retain(|taint| taint.key != crate::controllers::service_load_balancer::TO_BE_DELETED_TAINT);
        self.set_taints(node, taints, cause);
    }
}

//! The scheduler's queue, and what it sees of the cluster for one pod.

use super::{
    Time, World,
    ids::{EntryId, NodeId, PodId},
    log::{Subject, What},
    queue::Event,
};

/// The scheduler's state between events.
#[derive(Debug, Clone, Default)]
pub(super) struct Scheduler {
    /// Pods to try, in the order of their arrival.
    active: Vec<PodId>,
    /// Pods that fit nowhere, until something changes.
    unschedulable: Vec<PodId>,
    planned: bool,
}

impl Scheduler {
    pub(super) fn first_unschedulable(&self) -> Option<PodId> {
        self.unschedulable.first().copied()
    }
}

impl World {
    pub(super) fn enqueue_pod(&mut self, id: PodId, cause: EntryId) {
        if std::mem::replace(&mut self.pod_states[id.index()].queued, true) {
            return;
        }
        self.scheduler.active.push(id);
        self.plan_schedule(cause);
    }

    fn plan_schedule(&mut self, cause: EntryId) {
        if !self.scheduler.planned && !self.scheduler.active.is_empty() {
            self.scheduler.planned = true;
            let at = self.now + self.parameters.scheduler_bind.max(1);
            self.queue.push(at, Event::Schedule, cause);
        }
    }

    /// Something changed that may make room: pods that fitted nowhere are tried again when their backoff is over.
    pub(super) fn wake_scheduler(&mut self, cause: EntryId) {
        for id in std::mem::take(&mut self.scheduler.unschedulable) {
            let ready_at = self.pod_states[id.index()].backoff_until;
            self.queue.push(ready_at.max(self.now + 1), Event::ScheduleAgain(id), cause);
        }
    }

    pub(super) fn schedule_again(&mut self, id: PodId, cause: EntryId) {
        if self.pods.get(id).is_some_and(|pod| pod.node.is_none() && pod.active()) {
            self.enqueue_pod(id, cause);
        }
    }

    /// Takes the first pod of the highest priority and looks for its node.
    pub(super) fn schedule(&mut self, cause: EntryId) {
        self.scheduler.planned = false;
        let priority = |id: &PodId| self.specs[self.pods.last(*id).spec.index()].priority;
        let Some(highest) = self.scheduler.active.iter().map(priority).max() else { return };
        let position =
            self.scheduler.active.iter().position(|id| priority(id) == highest).expect("one has it");
        let id = self.scheduler.active.remove(position);
        self.pod_states[id.index()].queued = false;
        if self.pods.get(id).is_some_and(|pod| pod.node.is_none() && pod.active()) {
            let created = self.pod_states[id.index()].entry;
            match self.find_node(id) {
                Ok(node) => self.bind(id, node, created),
                Err(message) => self.no_node(id, message, created),
            }
        }
        self.plan_schedule(cause);
    }

    fn no_node(&mut self, id: PodId, message: String, cause: EntryId) {
        let state = &mut self.pod_states[id.index()];
        state.attempts += 1;
        // 1, 2, 4, 8 seconds, then 10, flushed each second.
        let backoff = self.parameters.scheduler_backoff << (state.attempts - 1).min(6);
        let backoff = backoff.min(self.parameters.scheduler_backoff_max);
        let flush = self.parameters.scheduler_flush.max(1);
        state.backoff_until = (self.now + backoff).div_ceil(flush) * flush;
        self.scheduler.unschedulable.push(id);
        if self.pods.last(id).unschedulable.as_deref() != Some(message.as_str()) {
            let entry = self.record(cause, Subject::Pod(id), What::Unschedulable);
            self.pods.edit(id).unschedulable = Some(message.into());
            self.pod_changed(id, entry);
        }
        self.mark_scan(cause);
    }

    /// A volume that one node may mount is mounted elsewhere.
    pub(super) fn volume_busy(&self, id: PodId, node: NodeId) -> bool {
        let pod = self.pods.last(id);
        self.claims_of(id).any(|(name, claim)| {
            claim.single_node
                && self.pods.iter().any(|(other, state)| {
                    other != id
                        && state.node.is_some_and(|elsewhere| elsewhere != node)
                        && !state.finished()
                        && state.meta.namespace == pod.meta.namespace
                        && self.claims_of(other).any(|(claimed, _)| claimed == name)
                })
        })
    }

    /// Claims that a pod mounts, those of its StatefulSet's templates included.
    fn claims_of(&self, id: PodId) -> impl Iterator<Item = (String, &super::build::Claim)> {
        let pod = self.pods.last(id);
        let spec = &self.specs[pod.spec.index()];
        let own = spec.claims.iter().map(|name| name.to_string());
        let templates = match pod.owner {
            super::objects::PodOwner::StatefulSet(set, ordinal) => {
                let set = self.stateful_sets.last(set);
                set.volume_claims.iter().map(|claim| format!("{claim}-{}-{ordinal}", set.meta.name)).collect()
            }
            _ => Vec::new(),
        };
        own.chain(templates).filter_map(move |name| {
            let key = (pod.meta.namespace.clone(), name.as_str().into());
            self.volumes.claims.get(&key).map(|claim| (name, claim))
        })
    }

    fn find_node(&mut self, id: PodId) -> Result<NodeId, String> {
        let pod = self.pods.last(id).clone();
        let spec = &self.specs[pod.spec.index()];
        let mut best: Option<(i64, NodeId)> = None;
        for (node, object) in self.nodes.iter() {
            let state = &self.node_states[node.index()];
            let fits = state.requested.cpu_milli + spec.cpu_milli <= object.cpu_milli
                && state.requested.memory + spec.memory <= object.memory
                && state.requested.pods < object.pods;
            let tolerated = state
                .taints
                .iter()
                .filter(|taint| taint.effect != crate::selector::Effect::PreferNoSchedule)
                .all(|taint| crate::selector::tolerates(&spec.tolerations, taint));
            if fits && tolerated && spec.node_affinity.allows(&object.meta.name, &object.meta.labels) {
                let score = object.cpu_milli - state.requested.cpu_milli;
                if best.is_none_or(|(known, _)| score > known) {
                    best = Some((score, node));
                }
            }
        }
        let _: Time = self.now;
        best.map(|(_, node)| node).ok_or_else(|| "0 nodes are available".to_owned())
    }
}

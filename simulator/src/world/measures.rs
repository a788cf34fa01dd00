//! What the world writes down about itself while it happens, because it could not be told afterwards: how few
//! endpoints of a Service the path reached, and which budget a removal broke. Whose fault it was is judged elsewhere.

use std::collections::BTreeMap;

use super::{
    Time, World,
    endpoints::on_node,
    ids::{BudgetId, EntryId, PodId, ServiceId, TargetGroupId},
    load_balancer::{TargetKey, TargetState},
};

/// The path to a Service reaches another number of endpoints than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapacityChange {
    /// When.
    pub at: Time,
    /// Which Service.
    pub service: ServiceId,
    /// Endpoints reached before.
    pub before: u32,
    /// Endpoints reached.
    pub reached: u32,
    /// The entry that made it so.
    pub entry: EntryId,
}

/// A removal left fewer healthy pods than a budget wants at the scale of the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetBreach {
    /// When.
    pub at: Time,
    /// The budget.
    pub budget: BudgetId,
    /// The pod that was removed.
    pub pod: PodId,
    /// Healthy pods left.
    pub healthy: u32,
    /// Wanted.
    pub desired: u32,
    /// The entry that removed it.
    pub entry: EntryId,
}

/// A client changed a field that somebody else had changed after the client's first write of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overwrite {
    /// When.
    pub at: Time,
    /// Who overwrote.
    pub client: u32,
    /// Whose change was lost.
    pub other: String,
    /// When that was made.
    pub theirs_at: Time,
    /// Which field.
    pub field: String,
    /// Of which object.
    pub object: String,
}

/// Who wrote a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Writer {
    /// A client of the API servers, by its number.
    Client(u32),
    /// The HorizontalPodAutoscaler controller.
    HorizontalPodAutoscaler,
    /// The cluster autoscaler.
    ClusterAutoscaler,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Watchdog {
    /// Per object and field: the last writer and when it wrote.
    writers: BTreeMap<(String, String), (Writer, Time)>,
    /// Per object and writer: when it first wrote it.
    first: BTreeMap<(String, Writer), Time>,
    overwrites: Vec<Overwrite>,
    /// Per Service: endpoints reached at the start, and at the last change.
    capacity: Vec<(u32, u32)>,
    /// Per budget: healthy pods wanted at the start.
    desired: Vec<u32>,
    changes: Vec<CapacityChange>,
    breaches: Vec<BudgetBreach>,
}

impl World {
    /// Remembers how things are now, at the start of a run.
    pub(super) fn begin_measures(&mut self) {
        self.watchdog.capacity = (0..self.services.ids())
            .map(|service| {
                let reached = self.endpoints_reached(ServiceId::from(service));
                (reached, reached)
            })
            .collect();
        self.watchdog.desired = (0..self.budgets.ids())
            .map(|budget| {
                self.budget_status(BudgetId::from(budget))
                    .map_or(0, |status| super::workloads::widen(status.desired_healthy))
            })
            .collect();
    }

    /// Endpoints of a Service that the path reached at the start of the run.
    pub fn endpoints_at_start(&self, service: ServiceId) -> u32 {
        self.watchdog.capacity.get(service.index()).map_or(0, |&(start, _)| start)
    }

    /// Every change of the number of reachable endpoints, in order.
    pub fn capacity_changes(&self) -> &[CapacityChange] {
        &self.watchdog.changes
    }

    /// Endpoints of a Service that the path reached at a time of the run.
    pub fn endpoints_at(&self, service: ServiceId, at: Time) -> u32 {
        let past = self.watchdog.changes.partition_point(|change| change.at <= at);
        let last = self.watchdog.changes[..past].iter().rev().find(|change| change.service == service);
        last.map_or_else(|| self.endpoints_at_start(service), |change| change.reached)
    }

    /// Every removal that a budget at the original scale would have refused.
    pub fn budget_breaches(&self) -> &[BudgetBreach] {
        &self.watchdog.breaches
    }

    /// Ready endpoints that traffic reaches: through any in-service target, or, without a load balancer, through any
    /// proxy. Where none is ready, those that serve while they terminate.
    pub fn endpoints_reached(&self, service: ServiceId) -> u32 {
        let state = &self.service_states[service.index()];
        let Some(version) = state.versions.last() else { return 0 };
        let all = if version.ready.is_empty() { &version.fallback } else { &version.ready };
        let through = |group: &TargetGroupId| -> u32 {
            let owner = &self.target_groups[group.index()];
            let healthy = owner.targets.iter().any(|target| target.state == TargetState::Healthy);
            let in_service = |state: TargetState| {
                state == TargetState::Healthy
                    || !healthy && matches!(state, TargetState::Initial | TargetState::Unhealthy)
            };
            let mut reached = 0;
            for target in owner.targets.iter().filter(|target| in_service(target.state)) {
                match target.key {
                    TargetKey::Pod(pod) => {
                        reached += u32::from(all.iter().any(|endpoint| endpoint.pod == pod))
                    }
                    TargetKey::Instance(_) => {
                        let Some(node) = target.node.filter(|node| self.node_states[node.index()].up) else {
                            continue;
                        };
                        if !self.services.last(service).local {
                            return all.len() as u32;
                        }
                        let ready = on_node(&version.ready, node);
                        let here = if ready.is_empty() { on_node(&version.fallback, node) } else { ready };
                        reached += here.len() as u32;
                    }
                }
            }
            reached
        };
        state
            .target_groups
            .iter()
            .filter(|group| self.target_groups[group.index()].carries_traffic())
            .map(through)
            .min()
            .unwrap_or(all.len() as u32)
    }

    /// Notes how many endpoints the path reaches, if that has changed.
    pub(super) fn measure_capacity(&mut self, service: ServiceId, entry: EntryId) {
        let Some(&(_, before)) = self.watchdog.capacity.get(service.index()) else { return };
        let reached = self.endpoints_reached(service);
        if reached != before {
            self.watchdog.capacity[service.index()].1 = reached;
            self.watchdog.changes.push(CapacityChange { at: self.now, service, before, reached, entry });
        }
    }

    /// Every change of somebody else that a client overwrote.
    pub fn overwrites(&self) -> &[Overwrite] {
        &self.watchdog.overwrites
    }

    /// Notes who changed a field.
    pub(super) fn note_write(&mut self, object: String, field: String, writer: Writer) {
        let now = self.now;
        let first = *self.watchdog.first.entry((object.clone(), writer)).or_insert(now);
        let before = self.watchdog.writers.insert((object.clone(), field.clone()), (writer, now));
        let Some((other, theirs_at)) =
            before.filter(|&(other, at)| other != writer && at >= first && first < now)
        else {
            return;
        };
        if let Writer::Client(client) = writer {
            let other = match other {
                Writer::Client(number) => format!("client {number}"),
                Writer::HorizontalPodAutoscaler => "the HorizontalPodAutoscaler".into(),
                Writer::ClusterAutoscaler => "the cluster autoscaler".into(),
            };
            self.watchdog.overwrites.push(Overwrite { at: now, client, other, theirs_at, field, object });
        }
    }

    /// Notes a removal that leaves too few healthy pods.
    pub(super) fn judge_removal(&mut self, pod: PodId, entry: EntryId) {
        let counted = self.pods.get(pod).is_some_and(|pod| pod.ready && pod.active());
        if !counted {
            return;
        }
        for budget in self.budgets_of(pod) {
            let Some(&desired) = self.watchdog.desired.get(budget.index()) else { continue };
            let healthy = self
                .members_of_budget(budget)
                .iter()
                .filter(|&&member| {
                    member != pod && self.pods.last(member).ready && self.pods.last(member).active()
                })
                .count() as u32;
            if healthy < desired {
                self.watchdog.breaches.push(BudgetBreach {
                    at: self.now,
                    budget,
                    pod,
                    healthy,
                    desired,
                    entry,
                });
            }
        }
    }

    /// Pods that a budget selects, finished ones included.
    pub(super) fn members_of_budget(&self, budget: BudgetId) -> Vec<PodId> {
        self.pods
            .iter()
            .filter(|(_, pod)| self.label_sets.budgets_of(pod.labels).contains(&budget))
            .map(|(id, _)| id)
            .collect()
    }
}

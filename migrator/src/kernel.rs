//! The safety kernel: whether an action may be carried out at all, judged on reads made just before it.
//!
//! It knows nothing of steps and their order. A decision that is wrong, late or made by two processes at once is stopped
//! here. What it holds up: nothing without the lock; reachable endpoints never below the plan's floor; no removal that a
//! budget would refuse at the original scale; nothing taken from a node that is not released; only a quiet, empty group
//! deleted; no instance taken by way of a group's bounds. The recipes are held to the lock alone: their faults are to be
//! seen.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    action::{Action, Change, Kind, Patch, Write},
    budget,
    journal::Journal,
    marks::{DELETION_COST, EXCLUDE},
    plan::Plan,
    request::Strategy,
    selector::{selects, service_selects},
    situation::{Balanced, Member, Seat, Side, Situation, Workload, is_excluded, seat_of, shown},
    view::{Bounds, ClusterView, ObjectName, OwnerKind, Pod, StringMap, TargetId, TargetState},
};

/// Why an action may not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{promise}: {why}")]
pub struct Refusal {
    /// The promise that it would break.
    pub promise: &'static str,
    /// What would break it.
    pub why: String,
}

/// Judges one action on fresh reads.
///
/// # Errors
/// With the promise that the action would break. What a decision proposes on the same view is never refused.
pub fn judge(plan: &Plan, cluster: &ClusterView, action: &Action) -> Result<(), Refusal> {
    judge_all(plan, cluster, std::slice::from_ref(action)).remove(0)
}

/// Judges the actions of one step on the same reads, each beside those before it that may be carried out: one verdict
/// for each. The reads are arranged once, which is what a judgement costs in a large cluster.
pub fn judge_all(plan: &Plan, cluster: &ClusterView, actions: &[Action]) -> Vec<Result<(), Refusal>> {
    let holds = cluster.lease.as_ref().is_some_and(|lease| lease.holder == plan.boot_id);
    let free = |write: &Write| matches!(write, Write::Lease { .. });
    let unjudged =
        |write: &Write| plan.strategy != Strategy::SingleMove || matches!(write, Write::Journal { .. });
    if !holds || actions.iter().all(|action| free(&action.write) || unjudged(&action.write)) {
        let verdict = |action: &Action| {
            if holds || free(&action.write) {
                Ok(())
            } else {
                Err(refusal("lock", "the lock is somebody else's"))
            }
        };
        return actions.iter().map(verdict).collect();
    }
    let read = cluster
        .journal
        .as_deref()
        .ok_or_else(|| refusal("lock", "no journal says what is being done"))
        .and_then(|object| {
            Journal::read(object)
                .map(|journal| (object, journal))
                .map_err(|error| refusal("lock", error.to_string()))
        });
    let (object, journal) = match read {
        Ok(read) => read,
        Err(refusal) => {
            let verdict = |action: &Action| {
                if free(&action.write) || unjudged(&action.write) { Ok(()) } else { Err(refusal.clone()) }
            };
            return actions.iter().map(verdict).collect();
        }
    };
    let seen_at = cluster.aws.polled_at.unwrap_or(Timestamp::MIN);
    let situation = Situation::new(plan, cluster, journal, object, seen_at);
    let mut taken = Taken::default();
    let verdict = |action: &Action| {
        if free(&action.write) || unjudged(&action.write) {
            return Ok(());
        }
        match objection_beside(&situation, &action.write, &taken) {
            Some(refusal) => Err(refusal),
            None => {
                taken.note(&situation, &action.write);
                Ok(())
            }
        }
    };
    actions.iter().map(verdict).collect()
}

/// What the earlier actions of a step take away. They are carried out together, and what one of them leaves enough of,
/// two may not.
#[derive(Debug, Default)]
pub(crate) struct Taken<'a> {
    pods: Vec<&'a Pod>,
    /// Seats of nodes that leave the load balancers.
    seats: Vec<usize>,
}

impl<'a> Taken<'a> {
    /// Adds what a write takes that is carried out.
    pub(crate) fn note(&mut self, s: &Situation<'a>, write: &Write) {
        match write {
            Write::Patch(patch) => {
                for change in &patch.changes {
                    if let Some(seat) = excluded_by(s, patch, change) {
                        self.seats.push(seat.at);
                    }
                    if let Some((Some(w), replicas)) = scaled_by(s, patch, change)
                        && let Some((victims, _)) = victims(w, replicas)
                    {
                        self.pods.extend(victims.iter().map(|member| member.pod));
                    }
                }
            }
            Write::Evict { pod, .. } => self.pods.extend(s.cluster.pods.get(pod).map(|pod| &**pod)),
            _ => {}
        }
    }
}

/// What speaks against a write.
pub(crate) fn objection(s: &Situation<'_>, write: &Write) -> Option<Refusal> {
    objection_beside(s, write, &Taken::default())
}

/// What speaks against a write beside others.
pub(crate) fn objection_beside<'a>(s: &Situation<'a>, write: &Write, taken: &Taken<'a>) -> Option<Refusal> {
    match write {
        Write::Patch(patch) => patched(s, patch, taken),
        Write::Evict { pod, uid } => {
            let pod = s.cluster.pods.get(pod).filter(|pod| pod.meta.uid == *uid)?;
            evicted(s, pod, taken)
        }
        Write::DeleteNodeGroup { group } => deleted(s, group),
        Write::UpdateNodeGroupBounds { group, bounds } => shrunk(s, group, *bounds),
        Write::Lease { .. }
        | Write::Journal { .. }
        | Write::CreateLaunchTemplate(_)
        | Write::DeleteLaunchTemplate { .. }
        | Write::CreateNodeGroup(_)
        | Write::UpdateNodeGroupTaints { .. }
        | Write::SuspendProcesses { .. }
        | Write::ResumeProcesses { .. } => None,
    }
}

fn patched<'a>(s: &Situation<'a>, patch: &Patch, taken: &Taken<'a>) -> Option<Refusal> {
    patch.changes.iter().find_map(|change| {
        if let Some(seat) = excluded_by(s, patch, change) {
            return excluded(s, seat, taken);
        }
        let (w, replicas) = scaled_by(s, patch, change)?;
        scaled(s, w, patch, replicas, taken)
    })
}

/// The node that a change takes out of the load balancers.
fn excluded_by<'s, 'a>(s: &'s Situation<'a>, patch: &Patch, change: &Change) -> Option<&'s Seat<'a>> {
    let Change::Label(key, Some(value)) = change else { return None };
    if key != EXCLUDE || value == "false" {
        return None;
    }
    seat_of(&s.seats, &patch.object.name).map(|at| &s.seats[at])
}

/// The workload whose scale a change sets, where it is one of ours, and the scale. Bounds of an autoscaler that scales
/// none of ours scale nothing.
fn scaled_by<'s, 'a>(
    s: &'s Situation<'a>,
    patch: &Patch,
    change: &Change,
) -> Option<(Option<&'s Workload<'a>>, u32)> {
    let mut workloads = s.workloads.iter();
    match change {
        Change::Replicas(replicas) => {
            Some((workloads.find(|w| w.deployment.meta.name == patch.object), *replicas))
        }
        Change::ReplicaBounds { max, .. } => {
            let w = workloads.find(|w| w.autoscaler.is_some_and(|a| a.meta.name == patch.object))?;
            Some((Some(w), *max))
        }
        _ => None,
    }
}

/// A node that leaves the load balancers takes its local pods' endpoints with it.
fn excluded<'a>(s: &Situation<'a>, seat: &Seat<'a>, taken: &Taken<'a>) -> Option<Refusal> {
    if is_excluded(seat.node) {
        return None;
    }
    below_floor(s, taken, &Taken { pods: Vec::new(), seats: vec![seat.at] })
}

/// The pods that a scale-back removes, and those that stay; `None` where it removes none.
fn victims<'s, 'a>(w: &'s Workload<'a>, replicas: u32) -> Option<(Vec<&'s Member<'a>>, Vec<&'s Member<'a>>)> {
    let active = u32::try_from(w.pods.len()).unwrap_or(u32::MAX);
    if replicas >= active.max(w.deployment.replicas) {
        return None;
    }
    let mut order: Vec<&Member<'_>> = w.pods.iter().collect();
    order.sort_by_key(|member| rank(member));
    let rest = order.split_off(active.saturating_sub(replicas) as usize);
    Some((order, rest))
}

/// A scale-back takes pods that must be certain, released, and not needed.
fn scaled<'a>(
    s: &Situation<'a>,
    w: Option<&Workload<'a>>,
    patch: &Patch,
    replicas: u32,
    taken: &Taken<'a>,
) -> Option<Refusal> {
    let Some(w) = w else {
        return Some(refusal("capacity_kept", format!("{} has nothing to do with it", shown(&patch.object))));
    };
    if patch.kind == Kind::Deployment && w.autoscaler.is_some_and(|autoscaler| !autoscaler.keda) {
        // Its autoscaler would undo it; nothing is removed by our hand.
        return None;
    }
    let (victims, rest) = victims(w, replicas)?;
    if !w.is_converged() {
        let why = format!("{} is still being scaled", shown(&w.deployment.meta.name));
        return Some(refusal("no_connection_dropped", why));
    }
    if let (Some(last), Some(next)) = (victims.last(), rest.first())
        && rank(last) == rank(next)
    {
        let why = format!("which pods of {} would go is not certain", shown(&w.deployment.meta.name));
        return Some(refusal("no_connection_dropped", why));
    }
    let released = |member: &&&Member<'_>| {
        s.seat(member).is_some_and(|seat| seat.side == Side::Leaving && s.is_released(seat))
    };
    let unreleased = victims.iter().find(|member| !released(member) && !s.resets_nobody(member, &victims));
    if let Some(member) = unreleased {
        let why = format!("the node of {} is not released", shown(&member.pod.meta.name));
        return Some(refusal("no_connection_dropped", why));
    }
    let pods = victims.iter().map(|member| member.pod).collect();
    missed(s, taken, Taken { pods, seats: Vec::new() })
}

/// Who would miss these pods: a budget, or a Service.
fn missed<'a>(s: &Situation<'a>, taken: &Taken<'a>, going: Taken<'a>) -> Option<Refusal> {
    over_budget(s, &taken.pods, &going.pods).or_else(|| below_floor(s, taken, &going))
}

/// An eviction takes one pod from a released node.
fn evicted<'a>(s: &Situation<'a>, pod: &'a Pod, taken: &Taken<'a>) -> Option<Refusal> {
    let seat = pod.node.as_deref().and_then(|node| seat_of(&s.seats, node)).map(|at| &s.seats[at])?;
    let released = s.is_released(seat) || s.keeps_port_good(seat, pod);
    if seat.side != Side::Leaving || !released {
        let why = format!("the node of {} is not released", shown(&pod.meta.name));
        return Some(refusal("no_connection_dropped", why));
    }
    let budgets = || {
        s.cluster.disruption_budgets.values().filter(|budget| {
            budget.meta.name.namespace == pod.meta.name.namespace
                && selects(&budget.selector, &pod.meta.labels)
        })
    };
    if pod.is_ready()
        && let Some(closed) = budgets().find(|budget| budget.disruptions_allowed <= 0)
    {
        let why = format!("budget {} allows no disruption now", shown(&closed.meta.name));
        return Some(refusal("budgets_respected", why));
    }
    missed(s, taken, Taken { pods: vec![pod], seats: Vec::new() })
}

/// Only a quiet, empty group is deleted.
fn deleted(s: &Situation<'_>, group: &str) -> Option<Refusal> {
    let promise = "deleted_only_quiet";
    if group != s.leaving_group {
        return Some(refusal(promise, format!("{group} is not the group that is left")));
    }
    s.side(Side::Leaving).find_map(|seat| {
        let name = &seat.node.meta.name.name;
        let why = if let Some(pod) = seat.lodgers.first() {
            format!("{} still runs on {name}", shown(&pod.meta.name))
        } else if !s.is_released(seat) {
            format!("{name} is not released")
        } else if s.quiet_at(seat).is_none_or(|quiet_at| s.seen_at() < quiet_at) {
            format!("connections may still run through {name}")
        } else {
            return None;
        };
        Some(refusal(promise, why))
    })
}

/// Bounds that lower the number of instances terminate some, whatever runs there.
fn shrunk(s: &Situation<'_>, group: &str, bounds: Bounds) -> Option<Refusal> {
    let now = s.group(group)?.bounds.desired;
    (bounds.desired < now || bounds.max < now).then(|| {
        refusal(
            "capacity_kept",
            format!("{group} would shrink from {now} to {}", bounds.desired.min(bounds.max)),
        )
    })
}

/// The order in which a scale-back removes pods, as far as it is certain. Source: kubernetes.md section 3, rules 1-4.
fn rank(member: &Member<'_>) -> (bool, bool, i32) {
    let cost = member.pod.meta.annotations.get(DELETION_COST).and_then(|cost| cost.parse().ok()).unwrap_or(0);
    (member.seat.is_some(), member.pod.is_ready(), cost)
}

/// The first budget that these removals would break at the original scale.
fn over_budget(s: &Situation<'_>, taken: &[&Pod], going: &[&Pod]) -> Option<Refusal> {
    s.cluster.disruption_budgets.values().find_map(|budget| {
        let covers = |pod: &Pod| {
            pod.meta.name.namespace == budget.meta.name.namespace
                && selects(&budget.selector, &pod.meta.labels)
        };
        let removed = |pods: &[&Pod]| pods.iter().filter(|pod| pod.is_ready() && covers(pod)).count();
        if removed(going) == 0 {
            return None;
        }
        let removed = removed(taken) + removed(going);
        let covered = || s.cluster.pods.values().filter(|pod| pod.is_active() && covers(pod));
        let healthy = covered().filter(|pod| pod.is_ready()).count().saturating_sub(removed);
        let desired = budget::desired_healthy(budget, original_scale(s, covered().map(|pod| &**pod)));
        (healthy < desired as usize).then(|| {
            let why =
                format!("{} wants {desired} healthy pods, {healthy} would be left", shown(&budget.meta.name));
            refusal("budgets_respected", why)
        })
    })
}

/// Replicas that the controllers of these pods had together before the migration.
fn original_scale<'p>(s: &Situation<'_>, pods: impl Iterator<Item = &'p Pod>) -> u32 {
    let mut scales: BTreeMap<Arc<str>, u32> = BTreeMap::new();
    for pod in pods {
        let Some(owner) = &pod.owner else { continue };
        if scales.contains_key(&owner.uid) {
            continue;
        }
        let name = ObjectName { namespace: pod.meta.name.namespace.clone(), name: owner.name.clone() };
        match owner.kind {
            OwnerKind::ReplicaSet => {
                let Some(set) = s.cluster.replica_sets.get(&name) else { continue };
                match &set.owner {
                    Some(deployment) => {
                        scales.insert(deployment.uid.clone(), deployment_scale(s, &name, &deployment.name))
                    }
                    None => scales.insert(owner.uid.clone(), set.replicas),
                };
            }
            OwnerKind::StatefulSet => {
                let set = s.cluster.stateful_sets.get(&name);
                scales.insert(owner.uid.clone(), set.map_or(0, |set| set.replicas));
            }
            _ => {}
        }
    }
    scales.values().sum()
}

fn deployment_scale(s: &Situation<'_>, sibling: &ObjectName, name: &Arc<str>) -> u32 {
    let name = ObjectName { namespace: sibling.namespace.clone(), name: name.clone() };
    match s.workloads.iter().find(|w| w.deployment.meta.name == name) {
        Some(w) => w.original(),
        None => s.cluster.deployments.get(&name).map_or(0, |deployment| deployment.replicas),
    }
}

/// The first load-balanced Service that would fall below its floor, or further below it.
fn below_floor<'a>(s: &Situation<'a>, taken: &Taken<'a>, going: &Taken<'a>) -> Option<Refusal> {
    let both =
        Taken { pods: [&*taken.pods, &*going.pods].concat(), seats: [&*taken.seats, &*going.seats].concat() };
    s.balanced.iter().find_map(|b| {
        let planned = b.planned.filter(|planned| !planned.gap)?;
        let takes_part = going.pods.iter().any(|pod| serves(b, pod))
            || going.seats.iter().any(|&at| reaches(b, &s.seats[at]));
        if !takes_part {
            return None;
        }
        let floor = planned.floor.min(wanted_by_others(s, b));
        let (before, after) = (reachable(s, b, taken), reachable(s, b, &both));
        (after < floor && after < before).then(|| {
            let why =
                format!("{} would have {after} reachable endpoints, floor {floor}", shown(&planned.name));
            refusal("capacity_kept", why)
        })
    })
}

/// Whether a Service selects a pod.
fn serves(b: &Balanced<'_>, pod: &Pod) -> bool {
    pod.meta.name.namespace == b.service.meta.name.namespace
        && service_selects(&b.service.selector, &pod.meta.labels)
}

/// Whether a Local Service gets flows through this node, to pods that nothing else reaches.
fn reaches(b: &Balanced<'_>, seat: &Seat<'_>) -> bool {
    b.service.local
        && b.groups.iter().flat_map(|group| &group.targets).any(|target| match &target.id {
            TargetId::Instance(id) => target.state == TargetState::Healthy && seat.instance == Some(&**id),
            TargetId::Ip(_) => false,
        })
}

/// Endpoints that a Service's path reaches: Ready pods; behind a Local Service those on nodes in service, and with ip
/// targets those in service themselves. Under the Cluster policy any node in service reaches all.
fn reachable(s: &Situation<'_>, b: &Balanced<'_>, taken: &Taken<'_>) -> u32 {
    let in_service = |pod: &Pod| {
        let Some(at) = pod.node.as_deref().and_then(|node| seat_of(&s.seats, node)) else { return false };
        let seat = &s.seats[at];
        let takes_flows = !is_excluded(seat.node) && !taken.seats.contains(&seat.at);
        b.groups.iter().all(|group| {
            let of_node = group.ip_targets || takes_flows;
            of_node && (s.is_target(group, seat, pod, TargetState::Healthy))
        })
    };
    let everywhere = !b.service.local && b.groups.iter().all(|group| !group.ip_targets);
    let pods = s.cluster.pods.values().filter(|pod| {
        pod.is_ready()
            && serves(b, pod)
            && taken.pods.iter().all(|other| other.meta.uid != pod.meta.uid)
            && (everywhere || in_service(pod))
    });
    u32::try_from(pods.count()).unwrap_or(u32::MAX)
}

/// Replicas that others want behind a Service now: no floor is higher. DaemonSets want one on every node.
fn wanted_by_others(s: &Situation<'_>, b: &Balanced<'_>) -> u32 {
    let backs = |namespace: &Arc<str>, labels: &StringMap| {
        *namespace == b.service.meta.name.namespace && service_selects(&b.service.selector, labels)
    };
    if s.cluster.daemon_sets.values().any(|set| backs(&set.meta.name.namespace, &set.template_labels)) {
        return u32::MAX;
    }
    let deployments =
        s.cluster.deployments.values().filter(|d| backs(&d.meta.name.namespace, &d.template_labels));
    let stateful_sets =
        s.cluster.stateful_sets.values().filter(|t| backs(&t.meta.name.namespace, &t.template_labels));
    deployments
        .map(|d| match s.workloads.iter().find(|w| w.deployment.meta.uid == d.meta.uid) {
            Some(w) if w.is_theirs() => d.replicas,
            Some(w) => w.original(),
            None => d.replicas,
        })
        .chain(stateful_sets.map(|set| set.replicas))
        .fold(0, u32::saturating_add)
}

fn refusal(promise: &'static str, why: impl Into<String>) -> Refusal {
    Refusal { promise, why: why.into() }
}

#[cfg(test)]
mod tests;

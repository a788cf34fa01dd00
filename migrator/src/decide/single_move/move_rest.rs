//! Step 7: what cannot be surged moves by eviction, from released nodes only, one pod of a controller at a time.
//!
//! That is: pods of StatefulSets, Jobs and ReplicaSets without a Deployment, Deployments whose pods cannot run twice or
//! whose scale became somebody else's, and bare pods (which are lost; their finding was accepted). Pods of Jobs get the
//! plan's patience to finish first. Nodes that hold a StatefulSet's pods behind a load balancer go one by one: exclude,
//! release, evict, replacement Ready and its target healthy, next.

use std::{collections::BTreeMap, ops::ControlFlow};

use crate::{
    action::{Action, Poll, Step, Write},
    kernel,
    plan::WorkloadKind,
    situation::{
        Member, Progress, Seat, Side, Situation, TARGET_POLL, Workload, is_excluded, is_stateful, later,
        shown, wait, wait_until,
    },
    view::{OwnerKind, Pod, TargetState},
};

use super::{exclude::left_alone, new_group::excluded};

const PHASE: &str = "move-rest";
/// What the AWS Load Balancer Controller's Deployment is called, whatever its release is. Source: its Helm chart.
const LOAD_BALANCER_CONTROLLER: &str = "aws-load-balancer-controller";

/// Whether no pod is left to evict, and every replacement serves.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    evicted(s)?;
    next_node(s)?;
    replaced(s)
}

/// Evicts the next pod that may go.
fn evicted(s: &Situation<'_>) -> Progress {
    let candidates: Vec<&Member<'_>> = s
        .workloads
        .iter()
        .filter(|w| w.by_eviction.is_some())
        .flat_map(Workload::leaving)
        .chain(&s.strays)
        .filter(|m| s.seat(m).is_some_and(|seat| s.is_released(seat)))
        .collect();
    if candidates.is_empty() {
        return ControlFlow::Continue(());
    }
    taken_over(s, &candidates)?;
    let controllers = Controllers::of(s, &candidates);
    let (jobs, others): (Vec<&Member<'_>>, Vec<_>) = candidates.iter().partition(|m| is_of_job(m.pod));
    if others.is_empty() {
        let until = later(s.since(PHASE, "jobs", Vec::new())?, s.plan.settings.patience);
        if s.now < until {
            let what = format!("{} pods of Jobs to finish", jobs.len());
            return ControlFlow::Break(wait_until(until, PHASE, what, Poll::Nothing));
        }
    }
    let mut blocked = None;
    for member in if others.is_empty() { jobs } else { others } {
        let write = Write::Evict { pod: member.pod.meta.name.clone(), uid: member.pod.meta.uid.clone() };
        match controllers
            .hold(s, member.pod)
            .or_else(|| kernel::objection(s, &write).map(|refusal| refusal.why))
        {
            None => return ControlFlow::Break(Step::Act(vec![Action { phase: "evict", write }])),
            Some(why) => blocked = blocked.or(Some((member.pod, why))),
        }
    }
    let (pod, why) = blocked.expect("a candidate that may not go says why");
    let what = format!("pod {} to be evicted", shown(&pod.meta.name));
    ControlFlow::Break(wait(
        PHASE,
        what,
        why,
        "its controller complete and its budget open",
        Poll::Targets(TARGET_POLL),
    ))
}

/// Waits out the takeover of the load balancer controller, which has moved just before, if one of these is an ip target: it
/// serves new sessions until it is deregistered.
fn taken_over(s: &Situation<'_>, candidates: &[&Member<'_>]) -> Progress {
    let moves = s.plan.workloads.iter().any(|w| w.system && w.name.name.contains(LOAD_BALANCER_CONTROLLER));
    let is_target = |m: &&Member<'_>| {
        let mut services = s.services_of(&m.pod.meta.name.namespace, &m.pod.meta.labels);
        services.any(|b| b.groups.iter().any(|group| group.ip_targets))
    };
    if !moves || !candidates.iter().any(is_target) {
        return ControlFlow::Continue(());
    }
    let until = later(s.since(PHASE, "takeover", Vec::new())?, s.plan.settings.controller_takeover);
    if s.now >= until {
        return ControlFlow::Continue(());
    }
    let what = "the load balancer controller's next leader";
    ControlFlow::Break(wait_until(until, PHASE, what, Poll::Nothing))
}

/// Takes the next node with a StatefulSet's pod out of the load balancers, when those before it have their replacements.
fn next_node(s: &Situation<'_>) -> Progress {
    let held: Vec<&Seat<'_>> = s.side(Side::Leaving).filter(|seat| s.holds_stateful(seat)).collect();
    let Some(first) = held.first() else { return ControlFlow::Continue(()) };
    if let Some(seat) = held.iter().find(|seat| !s.instance_targets || is_excluded(seat.node)) {
        let what = format!("pods on node {} to end", seat.node.meta.name.name);
        let seen = format!("{} there", seat.lodgers.len());
        return ControlFlow::Break(wait(PHASE, what, seen, "none", Poll::Nothing));
    }
    replaced(s)?;
    left_alone(&[first])?;
    let write = excluded(s, first.node);
    if kernel::objection(s, &write).is_some() {
        thinned(s, first)?;
    }
    ControlFlow::Break(Step::Act(vec![Action { phase: "exclude-old", write }]))
}

/// Several pods of a StatefulSet on a node would all leave with it, more than the Service can spare. All but the last can
/// go first: while a Ready one stays, the node's health-check port stays good and no flow of another is reset.
fn thinned(s: &Situation<'_>, seat: &Seat<'_>) -> Progress {
    let here: Vec<&Member<'_>> =
        s.strays.iter().filter(|m| m.seat == Some(seat.at) && is_stateful(m.pod)).collect();
    let controllers = Controllers::of(s, &here);
    for member in here {
        let write = Write::Evict { pod: member.pod.meta.name.clone(), uid: member.pod.meta.uid.clone() };
        if controllers.hold(s, member.pod).is_none() && kernel::objection(s, &write).is_none() {
            return ControlFlow::Break(Step::Act(vec![Action { phase: "evict", write }]));
        }
    }
    ControlFlow::Continue(())
}

/// Waits until the pods that took the place of evicted ones are Ready, and their targets healthy.
fn replaced(s: &Situation<'_>) -> Progress {
    let sets = s.plan.workloads.iter().filter(|w| w.kind == WorkloadKind::StatefulSet);
    for set in sets.filter_map(|w| s.cluster.stateful_sets.get(&w.name)) {
        if set.ready_replicas < set.replicas || set.observed_generation < set.generation {
            let what = format!("the pods of {}", shown(&set.meta.name));
            let seen = format!("{} of {} Ready", set.ready_replicas, set.replicas);
            return ControlFlow::Break(wait(PHASE, what, seen, "all Ready", Poll::Nothing));
        }
    }
    for w in s.workloads.iter().filter(|w| w.by_eviction.is_some()) {
        if let Some(member) = w.moved().find(|m| !m.pod.is_ready()) {
            let what = format!("pod {} in place of an evicted one", shown(&member.pod.meta.name));
            let seen = member.pod.unschedulable.as_deref().unwrap_or("not Ready").to_owned();
            return ControlFlow::Break(wait(PHASE, what, seen, "Ready", Poll::Nothing));
        }
    }
    targets_healthy(s)
}

/// Waits until every pod of a StatefulSet behind a load balancer that is where it belongs is reached by it.
fn targets_healthy(s: &Situation<'_>) -> Progress {
    if !s.balanced.iter().any(|b| b.planned.is_some_and(|planned| planned.stateful)) {
        return ControlFlow::Continue(());
    }
    for seat in s.side(Side::Arriving) {
        for pod in seat.lodgers.iter().filter(|pod| is_stateful(pod) && pod.is_active()) {
            let mut services = s.services_of(&pod.meta.name.namespace, &pod.meta.labels);
            let deaf = services
                .find(|b| b.groups.iter().any(|group| !s.is_target(group, seat, pod, TargetState::Healthy)));
            if let Some(b) = deaf {
                let what =
                    format!("{} to be a target of {}", shown(&pod.meta.name), shown(&b.service.meta.name));
                return ControlFlow::Break(wait(
                    PHASE,
                    what,
                    "not yet",
                    "healthy",
                    Poll::Targets(TARGET_POLL),
                ));
            }
        }
    }
    ControlFlow::Continue(())
}

/// How complete the controllers of some pods are: wanted, active and Ready pods by the controller's uid.
struct Controllers<'a>(BTreeMap<&'a str, Count>);

#[derive(Default)]
struct Count {
    wanted: u32,
    active: u32,
    ready: u32,
}

impl<'a> Controllers<'a> {
    fn of(s: &Situation<'a>, pods: &[&Member<'a>]) -> Controllers<'a> {
        let mut counts: BTreeMap<&str, Count> = pods
            .iter()
            .filter_map(|m| m.pod.owner.as_ref())
            .map(|owner| (&*owner.uid, Count::default()))
            .collect();
        for set in s.cluster.stateful_sets.values() {
            if let Some(count) = counts.get_mut(&*set.meta.uid) {
                count.wanted = set.replicas;
            }
        }
        for set in s.cluster.replica_sets.values() {
            if let Some(count) = counts.get_mut(&*set.meta.uid) {
                count.wanted = set.replicas;
            }
        }
        for pod in s.cluster.pods.values().filter(|pod| pod.is_active()) {
            if let Some(count) = pod.owner.as_ref().and_then(|owner| counts.get_mut(&*owner.uid)) {
                count.active += 1;
                count.ready += u32::from(pod.is_ready());
            }
        }
        Controllers(counts)
    }

    /// Why a pod may not go yet: its controller must have every other pod, Ready.
    fn hold(&self, s: &Situation<'_>, pod: &Pod) -> Option<String> {
        let owner = pod.owner.as_ref()?;
        if !matches!(owner.kind, OwnerKind::ReplicaSet | OwnerKind::StatefulSet) {
            return None;
        }
        let count = &self.0[&*owner.uid];
        let others_ready = count.ready + u32::from(!pod.is_ready());
        if count.active < count.wanted || others_ready < count.active {
            return Some(format!("{} of {} pods of {} are Ready", count.ready, count.wanted, owner.name));
        }
        let balanced = owner.kind == OwnerKind::StatefulSet
            && s.services_of(&pod.meta.name.namespace, &pod.meta.labels).next().is_some();
        match targets_healthy(s) {
            ControlFlow::Break(_) if balanced => Some("a replacement is not a healthy target yet".to_owned()),
            _ => None,
        }
    }
}

fn is_of_job(pod: &Pod) -> bool {
    pod.owner.as_ref().is_some_and(|owner| owner.kind == OwnerKind::Job)
}

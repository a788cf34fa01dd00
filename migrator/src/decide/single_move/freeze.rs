//! Step 1: nothing else may add, remove or rebalance pods and instances while workloads move.
//!
//! Freezes the bounds of the old group (the autoscaler's range becomes one number) and of one that is adopted, their zone
//! rebalancing, and every autoscaler of a workload that will move; then waits until the cluster autoscaler's cache must
//! have seen it. Fields that somebody else changes afterwards are theirs.

use std::ops::ControlFlow;

use crate::{
    action::{Action, Change, Kind, Outcome, Poll, Step, Write},
    journal::{GroupBefore, Journal},
    marks::{Changed, Marks, ReplicaBounds},
    situation::{GROUP_POLL, Progress, Side, Situation, is_tainted, later, patch, wait, wait_until},
    view::{Bounds, HorizontalPodAutoscaler, NodeGroup, NodeGroupStatus, OwnerKind},
};

/// Auto Scaling process that moves instances between zones at any time. Source: aws.md section 7.
pub(crate) const REBALANCE: &str = "AZRebalance";
const SETTLED: &str = "settled";

/// Whether everything is frozen, and seen to be.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    if s.back && s.side(Side::Leaving).next().is_none() {
        // Nothing has moved yet, and nothing will.
        return ControlFlow::Continue(());
    }
    let from = &*s.plan.from;
    match s.group(from) {
        Some(group) => {
            bounds(s, group)?;
            rebalancing(s, group)?;
        }
        // A group that is already gone, by our hand or another's, moves nothing any more.
        None if s.back || s.journal.groups.contains_key(from) => {}
        None => return ControlFlow::Break(Step::Finished(Outcome::Stopped(format!("no node group {from}")))),
    }
    if let Some(adopted) = s.group(s.arriving_group).filter(|_| s.plan.creation.is_none() && !s.back)
        && matches!(
            adopted.status,
            NodeGroupStatus::Active | NodeGroupStatus::Updating | NodeGroupStatus::Degraded
        )
    {
        bounds(s, adopted)?;
        rebalancing(s, adopted)?;
    }
    autoscalers(s)?;
    settled(s)
}

/// Freezes a group at the number of instances that it is meant to have, journal first.
pub(crate) fn bounds(s: &Situation<'_>, group: &NodeGroup) -> Progress {
    let phase = "freeze-autoscaler";
    let set = frozen(s, group);
    let before = match s.journal.groups.get(&*group.name) {
        // While a change is under way, what is shown may be about to be replaced by what the record says.
        Some(before)
            if group.status == NodeGroupStatus::Updating || !is_outdated(before, group.bounds, set) =>
        {
            before
        }
        outdated => {
            let record = GroupBefore {
                bounds: Changed { was: group.bounds, set },
                auto_scaling_group: outdated.and_then(|before| before.auto_scaling_group.clone()),
            };
            return ControlFlow::Break(s.journal(phase, |journal| {
                journal.groups.insert(group.name.to_string(), record);
            }));
        }
    };
    if same_range(group.bounds, before.bounds.set) || !same_range(group.bounds, before.bounds.was) {
        return ControlFlow::Continue(());
    }
    when_active(group, phase)?;
    let write = Write::UpdateNodeGroupBounds { group: group.name.clone(), bounds: before.bounds.set };
    ControlFlow::Break(Step::Act(vec![Action { phase, write }]))
}

/// Suspends the rebalancing of a group, journal first.
pub(crate) fn rebalancing(s: &Situation<'_>, group: &NodeGroup) -> Progress {
    let phase = "freeze-rebalancing";
    let Some(scaling) = s.scaling_group(group) else {
        return ControlFlow::Break(wait(
            phase,
            format!("the Auto Scaling group of {}", group.name),
            "none",
            "one",
            Poll::NodeGroups(GROUP_POLL),
        ));
    };
    let suspended = scaling.suspended.iter().any(|process| &**process == REBALANCE);
    let known = s.journal.groups.get(&*group.name).and_then(|before| before.auto_scaling_group.as_ref());
    if known.is_none_or(|(name, _)| **name != *scaling.name) {
        return ControlFlow::Break(s.journal(phase, |journal| note_scaling(journal, group, suspended)));
    }
    if suspended {
        return ControlFlow::Continue(());
    }
    let write = Write::SuspendProcesses { group: scaling.name.clone(), processes: vec![REBALANCE.into()] };
    ControlFlow::Break(Step::Act(vec![Action { phase, write }]))
}

/// EKS takes one change of a group at a time.
pub(crate) fn when_active(group: &NodeGroup, phase: &'static str) -> Progress {
    if matches!(group.status, NodeGroupStatus::Active | NodeGroupStatus::Degraded) {
        return ControlFlow::Continue(());
    }
    let seen = format!("{:?}", group.status);
    let what = format!("node group {} to take a change", group.name);
    ControlFlow::Break(wait(phase, what, seen, "Active", Poll::NodeGroups(GROUP_POLL)))
}

/// Freezes every autoscaler whose target has pods to move, at the replicas that its target has.
fn autoscalers(s: &Situation<'_>) -> Progress {
    let mut actions = Vec::new();
    for autoscaler in s.cluster.horizontal_pod_autoscalers.values() {
        if autoscaler.keda || Marks::of(&autoscaler.meta).is_some_and(|marks| marks.bounds.is_some()) {
            continue;
        }
        if let Some(replicas) = replicas_to_keep(s, autoscaler).filter(|replicas| *replicas > 0) {
            actions.push(Action { phase: "freeze-autoscalers", write: frozen_at(s, autoscaler, replicas) });
        }
    }
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

/// The patch that freezes one autoscaler.
pub(crate) fn frozen_at(s: &Situation<'_>, autoscaler: &HorizontalPodAutoscaler, replicas: u32) -> Write {
    let mut marks = Marks::of_or_new(&autoscaler.meta, &s.plan.id);
    let set = ReplicaBounds { min: replicas, max: replicas };
    marks.bounds = Some(Changed { was: ReplicaBounds { min: autoscaler.min, max: autoscaler.max }, set });
    marks.target_replicas = Some(replicas);
    let bounds = Change::ReplicaBounds { min: replicas, max: replicas };
    patch(Kind::HorizontalPodAutoscaler, &autoscaler.meta, vec![marks.written(), bounds])
}

/// Replicas of an autoscaler's target, if that has pods to move.
fn replicas_to_keep(s: &Situation<'_>, autoscaler: &HorizontalPodAutoscaler) -> Option<u32> {
    let (kind, name) = &autoscaler.target;
    let namespace = &autoscaler.meta.name.namespace;
    match &**kind {
        "Deployment" => s
            .workloads
            .iter()
            .find(|w| w.autoscaler.is_some_and(|own| own.meta.uid == autoscaler.meta.uid))
            .filter(|w| w.leaving().next().is_some())
            .map(|w| w.deployment.replicas),
        "StatefulSet" => s
            .strays
            .iter()
            .filter(|member| member.pod.meta.name.namespace == *namespace)
            .filter_map(|member| member.pod.owner.as_ref())
            .find(|owner| owner.kind == OwnerKind::StatefulSet && owner.name == *name)
            .and_then(|owner| s.cluster.stateful_sets.values().find(|set| set.meta.uid == owner.uid))
            .map(|set| set.replicas),
        _ => None,
    }
}

/// Waits until the cluster autoscaler must have seen the new bounds.
///
/// Only before anything depends on it: once old nodes are tainted, the wait has been kept.
fn settled(s: &Situation<'_>) -> Progress {
    let phase = "freeze";
    if s.back || s.side(Side::Leaving).any(|seat| is_tainted(seat.node)) {
        return ControlFlow::Continue(());
    }
    let until = later(s.since(phase, SETTLED, Vec::new())?, s.plan.settings.autoscaler_settle);
    if s.now < until {
        return ControlFlow::Break(wait_until(
            until,
            phase,
            "the cluster autoscaler's cache and scan",
            Poll::Nothing,
        ));
    }
    ControlFlow::Continue(())
}

/// The bounds that keep a group at its present size. The Auto Scaling group's wish is the fresher one: the autoscaler
/// writes it there. A maximum of zero is refused by the EKS API.
fn frozen(s: &Situation<'_>, group: &NodeGroup) -> Bounds {
    let desired = s.scaling_group(group).map_or(group.bounds.desired, |scaling| scaling.bounds.desired);
    Bounds { min: desired, max: desired.max(1), desired }
}

/// Whether a record was made for a size that changed before the freeze was in force.
fn is_outdated(before: &GroupBefore, now: Bounds, set: Bounds) -> bool {
    same_range(now, before.bounds.was) && !same_range(now, before.bounds.set) && before.bounds.set != set
}

fn same_range(a: Bounds, b: Bounds) -> bool {
    (a.min, a.max) == (b.min, b.max)
}

fn note_scaling(journal: &mut Journal, group: &NodeGroup, suspended: bool) {
    let Some(name) = &group.auto_scaling_group else { return };
    if let Some(before) = journal.groups.get_mut(&*group.name) {
        before.auto_scaling_group = Some((name.to_string(), suspended));
    }
}

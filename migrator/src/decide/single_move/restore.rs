//! Step 9: every value is put back, every mark removed, also where controllers copied it; then the journal is closed.
//!
//! A value goes back only where it is still the one that we set. What somebody else changed in between stays, and the
//! journal names it before its mark goes. Autoscalers come before bounds: pods may want nodes, never the other way round.

use std::{collections::BTreeSet, ops::ControlFlow};

use crate::{
    action::{Action, Change, Kind, Step, Write},
    journal::{Event, GroupBefore},
    marks::{ANNOTATION, EXCLUDE, Marks, TAINT},
    situation::{Progress, Side, Situation, patch, shown},
    view::{Bounds, Deployment, HorizontalPodAutoscaler, Meta, Node, NodeGroupStatus},
};

use super::{
    freeze::{self, REBALANCE},
    scale_back::dear,
    taint,
};

const PHASE: &str = "restore";

/// The next step of putting everything back; the last one closes the journal.
pub(crate) fn step(s: &Situation<'_>) -> Step {
    match restored(s) {
        ControlFlow::Break(step) => step,
        ControlFlow::Continue(()) => s.journal("finish", |journal| {
            journal.marks.clear();
            let status = journal.status.clone().on(Event::Completed);
            journal.status = status.expect("a running migration can be completed");
        }),
    }
}

fn restored(s: &Situation<'_>) -> Progress {
    noted(s)?;
    objects(s)?;
    copies(s)?;
    groups(s)
}

/// Records in the journal what is not put back, because it is not ours any more.
fn noted(s: &Situation<'_>) -> Progress {
    let mut notes = BTreeSet::new();
    for deployment in s.cluster.deployments.values() {
        let mark = Marks::of(&deployment.meta).and_then(|marks| marks.replicas);
        if mark.is_some_and(|mark| mark.set != deployment.replicas) {
            notes.insert(format!("replicas of Deployment {}", shown(&deployment.meta.name)));
        }
    }
    for autoscaler in s.cluster.horizontal_pod_autoscalers.values() {
        let mark = Marks::of(&autoscaler.meta).and_then(|marks| marks.bounds);
        if mark.is_some_and(|mark| (mark.set.min, mark.set.max) != (autoscaler.min, autoscaler.max)) {
            notes.insert(format!("bounds of HorizontalPodAutoscaler {}", shown(&autoscaler.meta.name)));
        }
    }
    for (name, before) in &s.journal.groups {
        let foreign =
            s.group(name).is_some_and(|group| !is_ours(before, group.bounds, wanted(s, name, before)));
        if foreign {
            notes.insert(format!("bounds of node group {name}"));
        }
    }
    if notes.is_subset(&s.journal.notes) {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(s.journal(PHASE, |journal| journal.notes.extend(notes)))
}

/// Puts back every Kubernetes object that carries a mark.
fn objects(s: &Situation<'_>) -> Progress {
    let is_marked = |meta: &Meta| meta.annotations.contains_key(ANNOTATION);
    let mut writes: Vec<Write> = Vec::new();
    writes.extend(s.cluster.deployments.values().filter(|d| is_marked(&d.meta)).map(|d| deployment(d)));
    writes.extend(
        s.cluster.horizontal_pod_autoscalers.values().filter(|h| is_marked(&h.meta)).map(|h| autoscaler(h)),
    );
    writes.extend(s.cluster.pods.values().filter(|pod| is_marked(&pod.meta)).map(|pod| dear(pod)));
    let kept = |side: Side| side == Side::Leaving && !s.back;
    writes.extend(
        s.seats
            .iter()
            .filter(|seat| !kept(seat.side) && is_marked(&seat.node.meta))
            .map(|seat| node(seat.node)),
    );
    if writes.is_empty() {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(Step::Act(writes.into_iter().map(|write| Action { phase: PHASE, write }).collect()))
}

/// Removes the marks that the Deployment controller copied to ReplicaSets, once it has nothing left to copy.
fn copies(s: &Situation<'_>) -> Progress {
    let actions: Vec<Action> = s
        .cluster
        .replica_sets
        .values()
        .filter(|set| set.meta.annotations.contains_key(ANNOTATION))
        .map(|set| Action {
            phase: "restore-copies",
            write: patch(Kind::ReplicaSet, &set.meta, vec![Change::Annotation(ANNOTATION.to_owned(), None)]),
        })
        .collect();
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

/// Puts back what we changed in AWS, as far as it still exists.
fn groups(s: &Situation<'_>) -> Progress {
    // What is shown while a change is under way may be about to be replaced by it: by ours, from just before a rollback.
    for group in [s.arriving_group, s.leaving_group].into_iter().filter_map(|name| s.group(name)) {
        if group.status == NodeGroupStatus::Updating {
            freeze::when_active(group, PHASE)?;
        }
    }
    taint::group_tainted(s, s.arriving_group, false)?;
    if s.back {
        taint::group_tainted(s, s.leaving_group, false)?;
    }
    for (name, before) in &s.journal.groups {
        let Some(group) = s.group(name) else { continue };
        let bounds = wanted(s, name, before);
        if is_ours(before, group.bounds, bounds) && !same_range(group.bounds, bounds) {
            freeze::when_active(group, PHASE)?;
            let write = Write::UpdateNodeGroupBounds {
                group: group.name.clone(),
                bounds: within(bounds, group.bounds),
            };
            return ControlFlow::Break(Step::Act(vec![Action { phase: "restore-autoscaler", write }]));
        }
        let suspended =
            s.scaling_group(group).filter(|scaling| scaling.suspended.iter().any(|p| &**p == REBALANCE));
        let ours = before.auto_scaling_group.as_ref().is_some_and(|(_, before)| !before);
        if let Some(scaling) = suspended.filter(|_| ours) {
            let write =
                Write::ResumeProcesses { group: scaling.name.clone(), processes: vec![REBALANCE.into()] };
            return ControlFlow::Break(Step::Act(vec![Action { phase: "restore-rebalancing", write }]));
        }
    }
    ControlFlow::Continue(())
}

/// The bounds that a group has at the end: the plan's for the group that was reached, else those it had.
fn wanted(s: &Situation<'_>, name: &str, before: &GroupBefore) -> Bounds {
    if !s.back && *name == *s.plan.to { s.plan.bounds_after } else { before.bounds.was }
}

/// Whether a group's range is the one that we set, or already what it is to become.
fn is_ours(before: &GroupBefore, now: Bounds, wanted: Bounds) -> bool {
    same_range(now, before.bounds.set) || same_range(now, wanted)
}

fn same_range(a: Bounds, b: Bounds) -> bool {
    (a.min, a.max) == (b.min, b.max)
}

/// Bounds that leave the number of instances as it is, as far as they allow it.
fn within(bounds: Bounds, now: Bounds) -> Bounds {
    Bounds { desired: now.desired.clamp(bounds.min, bounds.max.max(bounds.min)), ..bounds }
}

fn deployment(deployment: &Deployment) -> Write {
    let mut changes = vec![Change::Annotation(ANNOTATION.to_owned(), None)];
    let mark = Marks::of(&deployment.meta).and_then(|marks| marks.replicas);
    let ours = mark.filter(|mark| mark.set == deployment.replicas && mark.set != mark.was);
    changes.extend(ours.map(|mark| Change::Replicas(mark.was)));
    patch(Kind::Deployment, &deployment.meta, changes)
}

fn autoscaler(autoscaler: &HorizontalPodAutoscaler) -> Write {
    let mut changes = vec![Change::Annotation(ANNOTATION.to_owned(), None)];
    let mark = Marks::of(&autoscaler.meta).and_then(|marks| marks.bounds);
    let ours = mark.filter(|mark| (mark.set.min, mark.set.max) == (autoscaler.min, autoscaler.max));
    changes.extend(ours.map(|mark| Change::ReplicaBounds { min: mark.was.min, max: mark.was.max }));
    patch(Kind::HorizontalPodAutoscaler, &autoscaler.meta, changes)
}

fn node(node: &Node) -> Write {
    let marks = Marks::of(&node.meta).cloned().unwrap_or_default();
    let mut changes = vec![Change::Annotation(ANNOTATION.to_owned(), None)];
    if marks.taint.is_some() && node.taints.iter().any(|taint| taint.key == TAINT) {
        let taints = node.taints.iter().filter(|taint| taint.key != TAINT).cloned().collect();
        changes.push(Change::Taints(taints));
    }
    let excluded = marks.excluded.filter(|mark| node.meta.labels.get(EXCLUDE) == mark.set.as_ref());
    changes.extend(
        excluded.filter(|mark| mark.set != mark.was).map(|mark| Change::Label(EXCLUDE.to_owned(), mark.was)),
    );
    let cordon = marks.unschedulable.filter(|mark| mark.set == node.unschedulable && mark.set != mark.was);
    changes.extend(cordon.map(|mark| Change::Unschedulable(mark.was)));
    patch(Kind::Node, &node.meta, changes)
}

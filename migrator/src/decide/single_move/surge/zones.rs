//! Zone by zone: replacements of pods whose zone matters are scheduled in the zone of the pod that they replace.
//!
//! With cross-zone off, a load balancer node only sends to targets of its own zone. Where those are pods (ip), or nodes
//! with a local pod (Local), a zone without a new pod would serve nobody once the old ones are excluded. The arriving
//! nodes of the other zones are cordoned, with a mark, while the replacements for one zone are scheduled. Which zones are
//! done is read from where the new pods are.

use std::{collections::BTreeMap, ops::ControlFlow};

use crate::{
    action::{Action, Change, Kind, Poll, Step, Write},
    marks::{Changed, Marks},
    situation::{Progress, Side, Situation, Workload, patch, shown, wait},
    view::Node,
};

use super::surging;

/// Whether every replacement that needs a zone has it, and nothing is cordoned any more.
pub(super) fn placed(s: &Situation<'_>, system: bool) -> Progress {
    let needy: Vec<&Workload<'_>> = surging(s, system).filter(|w| is_zonal(s, w)).collect();
    let Some((zone, lacking)) = first_gap(s, &needy) else {
        // A system tier that needs nothing more leaves the cordons alone: they are the user tier's by now.
        let theirs = system && super::is_settled(s, system);
        return if theirs { ControlFlow::Continue(()) } else { uncordoned(s) };
    };
    if let Some(w) = needy.iter().find(|w| !w.is_converged() || w.pods.iter().any(|m| m.seat.is_none())) {
        return ControlFlow::Break(scheduling(w, zone));
    }
    cordoned_but(s, zone)?;
    let phase = if system { "surge-system" } else { "surge-user" };
    let actions = lacking
        .into_iter()
        .map(|(w, pods)| Action { phase, write: w.scaled(s.plan, w.asked() + pods) })
        .collect();
    ControlFlow::Break(Step::Act(actions))
}

/// Whether the zone of a workload's pods matters to a load balancer.
fn is_zonal(s: &Situation<'_>, w: &Workload<'_>) -> bool {
    s.services_of(&w.deployment.meta.name.namespace, &w.deployment.template_labels)
        .any(|b| b.groups.iter().any(|group| !group.cross_zone && (group.ip_targets || b.service.local)))
}

/// The first zone, by name, that has arriving nodes and fewer new pods than old ones; with what each workload lacks
/// there. No more than the surge allows in all: a pod that was scheduled elsewhere is not made up for.
fn first_gap<'s, 'a>(
    s: &'s Situation<'a>,
    needy: &[&'s Workload<'a>],
) -> Option<(&'a str, Vec<(&'s Workload<'a>, u32)>)> {
    let reachable: BTreeMap<&str, ()> =
        s.side(Side::Arriving).filter_map(|seat| Some((seat.node.zone.as_deref()?, ()))).collect();
    reachable.into_keys().find_map(|zone| {
        let lacking: Vec<_> = needy
            .iter()
            .filter_map(|w| {
                let here = |leaving: bool| {
                    w.pods
                        .iter()
                        .filter(|m| m.leaving == leaving)
                        .filter(|m| s.seat(m).is_some_and(|seat| seat.node.zone.as_deref() == Some(zone)))
                        .count()
                };
                let room = super::wanted(w).saturating_sub(w.asked());
                let unplaced = w.pods.iter().filter(|m| m.seat.is_none()).count();
                let gap = here(true).saturating_sub(here(false));
                let gap = u32::try_from(gap).unwrap_or(u32::MAX);
                // While one is being scheduled it counts as room, so that its zone stays the one being filled.
                let lacks = gap.min(room + u32::try_from(unplaced).unwrap_or(u32::MAX));
                (lacks > 0).then_some((*w, lacks))
            })
            .collect();
        (!lacking.is_empty()).then_some((zone, lacking))
    })
}

/// Cordons the arriving nodes of other zones and opens those of this one, as far as they are ours to open.
fn cordoned_but(s: &Situation<'_>, zone: &str) -> Progress {
    let actions: Vec<Action> = s
        .side(Side::Arriving)
        .filter_map(|seat| {
            let node = seat.node;
            let ours = cordon_mark(node).is_some();
            let write = match (node.zone.as_deref() == Some(zone), node.unschedulable) {
                (true, true) if ours => open(node),
                // A mark without a cordon: somebody else has opened the node, and it stays open.
                (false, false) if !ours => closed(s, node),
                _ => return None,
            };
            Some(Action { phase: "surge-zone", write })
        })
        .collect();
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

/// Opens every node that we cordoned.
fn uncordoned(s: &Situation<'_>) -> Progress {
    let actions: Vec<Action> = s
        .side(Side::Arriving)
        .filter(|seat| cordon_mark(seat.node).is_some())
        .map(|seat| Action { phase: "surge-zone", write: open(seat.node) })
        .collect();
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

fn cordon_mark(node: &Node) -> Option<Changed<bool>> {
    Marks::of(&node.meta).and_then(|marks| marks.unschedulable)
}

fn closed(s: &Situation<'_>, node: &Node) -> Write {
    let mut marks = Marks::of_or_new(&node.meta, &s.plan.id);
    marks.unschedulable = Some(Changed { was: node.unschedulable, set: true });
    patch(Kind::Node, &node.meta, vec![marks.written(), Change::Unschedulable(true)])
}

/// The patch that opens a node of ours; where somebody else has opened it already, only the mark goes.
pub(crate) fn open(node: &Node) -> Write {
    let mut marks = Marks::of(&node.meta).unwrap_or_default();
    let ours = marks.unschedulable.take().filter(|mark| mark.set == node.unschedulable);
    let mut changes = vec![marks.written()];
    changes.extend(ours.map(|mark| Change::Unschedulable(mark.was)));
    patch(Kind::Node, &node.meta, changes)
}

fn scheduling(w: &Workload<'_>, zone: &str) -> Step {
    let unplaced = w.pods.iter().filter(|m| m.seat.is_none()).count();
    let stuck = w.pods.iter().find_map(|m| m.pod.unschedulable.as_deref());
    let seen = match stuck {
        Some(why) => format!("{unplaced} without a node: {why}"),
        None => format!("{unplaced} without a node, {} of {} asked for", w.pods.len(), w.asked()),
    };
    let what = format!("new pods of {} in zone {zone}", shown(&w.deployment.meta.name));
    wait("surge-zone", what, seen, "all on nodes of that zone", Poll::Nothing)
}

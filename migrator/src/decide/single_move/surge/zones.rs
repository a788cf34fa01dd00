//! Zone by zone: replacements of pods whose zone matters are scheduled in the zone of the pod that they replace.
//!
//! With cross-zone off, a load balancer node only sends to targets of its own zone. Where those are pods (ip), or nodes
//! with a local pod (Local), a zone without a new pod would serve nobody once the old ones are excluded. The nodes
//! of the other zones are cordoned, with a mark, while the replacements for one zone are scheduled, those of other groups
//! too: one of them would take a pod as well. Which zones are done is read from where the new pods are.

use std::{collections::BTreeSet, ops::ControlFlow};

use crate::{
    action::{Action, Change, Kind, Poll, Step, Write},
    marks::{Changed, Marks},
    situation::{Progress, Seat, Side, Situation, Workload, later, patch, shown, wait},
    view::Node,
};

use super::surging;

/// Label of a node that Fargate made for one pod. Source: EKS user guide, "Fargate pod configuration".
const COMPUTE_TYPE: &str = "eks.amazonaws.com/compute-type";

/// Label that names a node.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Whether every replacement that needs a zone has it, and nothing is cordoned any more.
pub(super) fn placed(s: &Situation<'_>, system: bool) -> Progress {
    let needy: Vec<&Workload<'_>> = surging(s, system).filter(|w| is_zonal(s, w)).collect();
    let Some((zone, lacking)) = next_apart(s, &needy).or_else(|| first_gap(s, &needy)) else {
        // A system tier that needs nothing more leaves the cordons alone: they are the user tier's by now.
        let theirs = system && super::is_settled(s, system);
        return if theirs { ControlFlow::Continue(()) } else { uncordoned(s) };
    };
    if let Some(w) = needy.iter().find(|w| !w.is_converged() || unplaced(w) > 0) {
        return ControlFlow::Break(scheduling(w, zone));
    }
    // Spread over zones takes pods beyond the surge, which are shed again, and that takes a node that is ours to release.
    let ours_only = lacking.iter().any(|(w, _)| spreads_over_zones(w));
    cordoned_but(s, |seat| {
        seat.node.zone.as_deref() == Some(zone) && (!ours_only || seat.side == Side::Arriving)
    })?;
    let phase = if system { "surge-system" } else { "surge-user" };
    noted(s, phase, zone, &lacking)?;
    let actions = lacking
        .into_iter()
        .map(|(w, pods)| Action { phase, write: w.scaled(s.plan, w.asked() + pods) })
        .collect();
    ControlFlow::Break(Step::Act(actions))
}

/// Whether the zone of a workload's pods matters to a load balancer.
pub(super) fn is_zonal(s: &Situation<'_>, w: &Workload<'_>) -> bool {
    s.services_of(&w.deployment.meta.name.namespace, &w.deployment.template_labels)
        .any(|b| b.groups.iter().any(|group| !group.cross_zone && (group.ip_targets || b.service.local)))
}

/// A workload's pods in a zone, on nodes that are left or on others.
pub(super) fn pods_in(s: &Situation<'_>, w: &Workload<'_>, zone: &str, leaving: bool) -> u32 {
    let here = w
        .pods
        .iter()
        .filter(|m| m.leaving == leaving)
        .filter(|m| s.seat(m).is_some_and(|seat| seat.node.zone.as_deref() == Some(zone)));
    u32::try_from(here.count()).unwrap_or(u32::MAX)
}

/// For a workload whose pods a hard rule keeps apart: the zone of its next pod, while a zone lacks one. One pod at a time:
/// where it lacks one, or where there are fewest, because a spread over zones lets no zone run ahead.
fn next_apart<'s, 'a>(
    s: &'s Situation<'a>,
    needy: &[&'s Workload<'a>],
) -> Option<(&'a str, Vec<(&'s Workload<'a>, u32)>)> {
    needy.iter().filter(|w| keeps_apart(w)).find_map(|w| {
        let all = |zone: &&str| pods_in(s, w, zone, true) + pods_in(s, w, zone, false);
        let zones = zones(s);
        let first = *zones.iter().find(|zone| lacks(s, w, zone) > 0)?;
        let next = if spreads_over_zones(w) {
            *zones.iter().min_by_key(|zone| (all(zone), lacks(s, w, zone) == 0, **zone))?
        } else {
            first
        };
        Some((next, vec![(*w, 1)]))
    })
}

/// Whether a hard rule spreads a workload's pods over something larger than a node.
fn spreads_over_zones(w: &Workload<'_>) -> bool {
    let mut constraints = w.deployment.template.kubernetes.topology_spread_constraints.iter().flatten();
    constraints.any(|it| it.when_unsatisfiable == "DoNotSchedule" && it.topology_key != HOSTNAME)
}

/// Whether a hard rule keeps a workload's pods off nodes or zones that have one already: then a zone may not have room
/// for as many new pods as old ones, and one is what its load balancer nodes need.
fn keeps_apart(w: &Workload<'_>) -> bool {
    let spec = &w.deployment.template.kubernetes;
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let anti = affinity.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
    let mut constraints = spec.topology_spread_constraints.iter().flatten();
    let mut ports = spec.containers.iter().flat_map(|container| container.ports.iter().flatten());
    anti.is_some_and(|terms| !terms.is_empty())
        || constraints.any(|constraint| constraint.when_unsatisfiable == "DoNotSchedule")
        || ports.any(|port| port.host_port.is_some())
        || spec.host_network == Some(true)
}

/// Zones that have arriving nodes, by name.
fn zones<'a>(s: &Situation<'a>) -> BTreeSet<&'a str> {
    s.side(Side::Arriving).filter_map(|seat| seat.node.zone.as_deref()).collect()
}

/// The first zone, by name, that has arriving nodes and fewer new pods than old ones; with what each workload lacks
/// there.
fn first_gap<'s, 'a>(
    s: &'s Situation<'a>,
    needy: &[&'s Workload<'a>],
) -> Option<(&'a str, Vec<(&'s Workload<'a>, u32)>)> {
    if needy.is_empty() {
        return None;
    }
    zones(s).into_iter().find_map(|zone| {
        let others = needy.iter().filter(|w| !keeps_apart(w));
        let lacking: Vec<_> =
            others.map(|w| (*w, lacks(s, w, zone))).filter(|(_, lacks)| *lacks > 0).collect();
        (!lacking.is_empty()).then_some((zone, lacking))
    })
}

/// What a workload lacks in a zone. Usually within its surge. A pod that was scheduled elsewhere, because its node was
/// not there at that moment, is made up for, and the one too many is shed; but only for so long, because a node of
/// another group may take it, and would take the next one too.
fn lacks(s: &Situation<'_>, w: &Workload<'_>, zone: &str) -> u32 {
    let (old, new) = (pods_in(s, w, zone, true), pods_in(s, w, zone, false));
    let gap = if keeps_apart(w) { u32::from(old > 0 && new == 0) } else { old.saturating_sub(new) };
    // While one is being scheduled it counts as room, so that its zone stays the one being filled.
    let room = super::wanted(w).saturating_sub(w.asked()) + unplaced(w);
    if gap == 0 || room > 0 {
        return gap.min(room);
    }
    let since = s.mark(&retried(w, zone)).map(|mark| mark.since_at);
    let over = since.is_some_and(|since_at| later(since_at, s.plan.settings.patience) <= s.now);
    if over { 0 } else { gap }
}

/// Notes since when a workload gets pods beyond its surge for a zone.
fn noted(s: &Situation<'_>, phase: &'static str, zone: &str, lacking: &[(&Workload<'_>, u32)]) -> Progress {
    for (w, pods) in lacking {
        if w.asked() + pods > super::wanted(w) {
            s.since(phase, &retried(w, zone), Vec::new())?;
        }
    }
    ControlFlow::Continue(())
}

fn retried(w: &Workload<'_>, zone: &str) -> String {
    format!("zone-{zone}/{}", shown(&w.deployment.meta.name))
}

fn unplaced(w: &Workload<'_>) -> u32 {
    u32::try_from(w.pods.iter().filter(|m| m.seat.is_none()).count()).unwrap_or(u32::MAX)
}

/// Nodes that new pods could be placed on. What runs on Fargate has a node of its own and is placed by nobody else.
fn steered<'s, 'a>(s: &'s Situation<'a>) -> impl Iterator<Item = &'s Seat<'a>> {
    let fargate = |node: &Node| node.meta.labels.get(COMPUTE_TYPE).is_some_and(|kind| kind == "fargate");
    s.seats.iter().filter(move |seat| seat.side != Side::Leaving && !fargate(seat.node))
}

/// Opens the nodes that are wanted, as far as they are ours to open, and cordons all others.
fn cordoned_but(s: &Situation<'_>, wanted: impl Fn(&Seat<'_>) -> bool) -> Progress {
    let actions: Vec<Action> = steered(s)
        .filter_map(|seat| {
            let node = seat.node;
            let ours = cordon_mark(node).is_some();
            let write = match (wanted(seat), node.unschedulable) {
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
    let actions: Vec<Action> = steered(s)
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
    let mut marks = Marks::of(&node.meta).cloned().unwrap_or_default();
    let ours = marks.unschedulable.take().filter(|mark| mark.set == node.unschedulable);
    let mut changes = vec![marks.written()];
    changes.extend(ours.map(|mark| Change::Unschedulable(mark.was)));
    patch(Kind::Node, &node.meta, changes)
}

fn scheduling(w: &Workload<'_>, zone: &str) -> Step {
    let unplaced = unplaced(w);
    let stuck = w.pods.iter().find_map(|m| m.pod.unschedulable.as_deref());
    let seen = match stuck {
        Some(why) => format!("{unplaced} without a node: {why}"),
        None => format!("{unplaced} without a node, {} of {} asked for", w.pods.len(), w.asked()),
    };
    let what = format!("new pods of {} in zone {zone}", shown(&w.deployment.meta.name));
    wait("surge-zone", what, seen, "all on nodes of that zone", Poll::Nothing)
}

//! Step 6: back to N, and exactly the old pods go.
//!
//! A scale-back takes unready pods first, then those of the lowest deletion cost, then the youngest, which would be all
//! the new ones (golden/README.md). So every new pod must be Ready, every old pod on a released node gets a low cost, and
//! that must have been visible for a while. Old pods on nodes that are not released yet stay, and so does their share of
//! the surge. User workloads first: system ones serve them to the end.

use std::{collections::BTreeSet, ops::ControlFlow};

use jiff::Timestamp;

use crate::{
    action::{Action, Change, Kind, Poll, Step, Write},
    marks::{Changed, DELETION_COST, LOW_COST, Marks},
    request::LetGo,
    situation::{
        Member, Progress, Side, Situation, TARGET_POLL, Workload, is_cheap, later, patch, shown, wait,
        wait_until,
    },
    view::{Pod, TargetId, TargetState},
};

use super::surge::{shed, surging, wanted};

/// Whether no old pod is left where it can go.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    relieved(s.workloads.iter().filter(|w| shed::surplus(w) == 0).flat_map(Workload::moved))?;
    for system in [false, true] {
        let going: Vec<(&Workload<'_>, Vec<&Member<'_>>)> = surging(s, system)
            .filter(|w| shed::surplus(w) == 0)
            .map(|w| (w, w.leaving().filter(|m| s.seat(m).is_some_and(|seat| s.is_released(seat))).collect()))
            .filter(|(_, victims): &(_, Vec<_>)| !victims.is_empty())
            .collect();
        if going.is_empty() {
            continue;
        }
        let phase = if system { "scale-back-system" } else { "scale-back-user" };
        if system {
            deregistered(s, phase)?;
        }
        cheapened(s, phase, going.iter().flat_map(|(_, victims)| victims.iter().copied()))?;
        costs_seen(s, phase, going.iter().map(|(w, victims)| named(w, victims.iter().copied())).collect())?;
        let (held, free): (Vec<_>, Vec<_>) =
            going.iter().partition(|(w, victims)| held_until(s, w, victims).is_some_and(|at| s.now < at));
        if !free.is_empty() {
            let actions = free.iter().map(|(w, victims)| Action {
                phase,
                write: w.scaled(s.plan, wanted(w) - u32::try_from(victims.len()).unwrap_or(u32::MAX)),
            });
            return ControlFlow::Break(Step::Act(actions.collect()));
        }
        if let Some(until) = held.iter().filter_map(|(w, victims)| held_until(s, w, victims)).min() {
            let what = "the longest connection of the contract to end before its pod is let go";
            return ControlFlow::Break(wait_until(until, phase, what, Poll::Nothing));
        }
    }
    ControlFlow::Continue(())
}

/// Waits until no pod that ends is a target any more. Among the system workloads may be the load balancer controller: when
/// its leader goes, nobody deregisters anything for a while.
fn deregistered(s: &Situation<'_>, phase: &'static str) -> Progress {
    let registered: BTreeSet<&str> = s
        .balanced
        .iter()
        .flat_map(|b| &b.groups)
        .flat_map(|group| &group.targets)
        .filter(|target| !matches!(target.state, TargetState::Draining | TargetState::Unused))
        .filter_map(|target| match &target.id {
            TargetId::Ip(ip) => Some(&**ip),
            TargetId::Instance(_) => None,
        })
        .collect();
    if registered.is_empty() {
        return ControlFlow::Continue(());
    }
    let ending = s.side(Side::Leaving).flat_map(|seat| &seat.lodgers).filter(|pod| !pod.is_active());
    let staying = ending.filter(|pod| pod.ip.as_deref().is_some_and(|ip| registered.contains(ip))).count();
    if staying == 0 {
        return ControlFlow::Continue(());
    }
    let what = "pods that end to be deregistered";
    ControlFlow::Break(wait(
        phase,
        what,
        format!("{staying} still targets"),
        "none",
        Poll::Targets(TARGET_POLL),
    ))
}

/// Gives these pods the lowest cost, as far as they do not have it.
pub(super) fn cheapened<'s, 'a: 's>(
    s: &Situation<'a>,
    phase: &'static str,
    victims: impl Iterator<Item = &'s Member<'a>>,
) -> Progress {
    let mut actions = Vec::new();
    for pod in victims.map(|member| member.pod).filter(|pod| !is_cheap(pod)) {
        if Marks::of(&pod.meta).is_some_and(|marks| marks.deletion_cost.is_some()) {
            let what = format!("the deletion cost of {}", shown(&pod.meta.name));
            return ControlFlow::Break(wait(
                phase,
                what,
                "somebody else changed it",
                LOW_COST,
                Poll::Nothing,
            ));
        }
        actions.push(Action { phase: "deletion-cost", write: cheap(s, pod) });
    }
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

/// Waits until costs that we see must be seen by the controllers too; `names` tells one set of victims from another.
pub(super) fn costs_seen(s: &Situation<'_>, phase: &'static str, names: Vec<String>) -> Progress {
    let until = later(s.since(phase, phase, names)?, s.plan.settings.cost_settle);
    if s.now < until {
        let what = "the controllers to see the deletion costs";
        return ControlFlow::Break(wait_until(until, phase, what, Poll::Nothing));
    }
    ControlFlow::Continue(())
}

/// A name for a set of victims: pod names are never used twice, so the first and the number tell sets apart.
pub(super) fn named<'s, 'a: 's>(w: &Workload<'_>, victims: impl Iterator<Item = &'s Member<'a>>) -> String {
    let mut names: Vec<&str> = victims.map(|member| &*member.pod.meta.name.name).collect();
    names.sort_unstable();
    let first = names.first().copied().unwrap_or_default();
    format!("{}/{first} of {}", w.deployment.meta.name.namespace, names.len())
}

/// Takes our cost off pods that stay: going back, they are those that were to leave.
pub(super) fn relieved<'s, 'a: 's>(staying: impl Iterator<Item = &'s Member<'a>>) -> Progress {
    let actions: Vec<Action> = staying
        .filter(|member| Marks::of(&member.pod.meta).is_some_and(|marks| marks.deletion_cost.is_some()))
        .map(|member| Action { phase: "restore-cost", write: dear(member.pod) })
        .collect();
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

/// The patch that makes a pod the first to go.
pub(crate) fn cheap(s: &Situation<'_>, pod: &Pod) -> Write {
    let mut marks = Marks::of_or_new(&pod.meta, &s.plan.id);
    let set = Some(LOW_COST.to_owned());
    let was = pod.meta.annotations.get(DELETION_COST).cloned();
    marks.deletion_cost = Some(Changed { was, set: set.clone() });
    patch(Kind::Pod, &pod.meta, vec![marks.written(), Change::Annotation(DELETION_COST.to_owned(), set)])
}

/// The patch that puts a pod's cost back, unless somebody else has changed it since.
pub(super) fn dear(pod: &Pod) -> Write {
    let mut marks = Marks::of(&pod.meta).cloned().unwrap_or_default();
    let cost = marks.deletion_cost.take();
    let ours = cost.filter(|cost| pod.meta.annotations.get(DELETION_COST) == cost.set.as_ref());
    let mut changes = vec![marks.written()];
    changes.extend(ours.map(|cost| Change::Annotation(DELETION_COST.to_owned(), cost.was)));
    patch(Kind::Pod, &pod.meta, changes)
}

/// Until when pods are held for sessions that their application would close at SIGTERM: possible where no new ones can
/// arrive, that is, behind a Local Service with instance targets once the node is released.
fn held_until(s: &Situation<'_>, w: &Workload<'_>, victims: &[&Member<'_>]) -> Option<Timestamp> {
    if s.plan.settings.let_go == LetGo::During {
        return None;
    }
    let contract = s
        .services_of(&w.deployment.meta.name.namespace, &w.deployment.template_labels)
        .filter_map(|b| b.planned)
        .filter(|planned| planned.local && !planned.ip)
        .map(|planned| planned.contract)
        .max()?;
    let left_at = victims.iter().filter_map(|m| s.left_at(s.seat(m)?)).max()?;
    Some(later(left_at, contract))
}

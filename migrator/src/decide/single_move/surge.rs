//! Step 3: beside every pod that will be left, one that stays: replicas wanted = N + active pods on leaving nodes.
//!
//! System workloads first, and Ready, because user workloads need them to start (DNS). The rule is its own repair: an
//! old pod that survives a scale-back is surged for again, and one that is lost needs no surge any more. Where a load
//! balancer keeps its zones apart, the extra pods are placed zone by zone ([`zones`]).

pub(super) mod shed;
pub(super) mod zones;

use std::ops::ControlFlow;

use crate::{
    action::{Action, Poll, Step},
    situation::{Progress, Situation, Workload, shown, wait},
};

/// Whether every workload has its replacements, Ready.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    for system in [true, false] {
        zones::placed(s, system)?;
        raised(s, system)?;
        shed::done(s, system)?;
        ready(s, system)?;
    }
    ControlFlow::Continue(())
}

/// Workloads of one tier that are moved by a surge.
pub(super) fn surging<'s, 'a>(s: &'s Situation<'a>, system: bool) -> impl Iterator<Item = &'s Workload<'a>> {
    s.workloads.iter().filter(move |w| w.system == system && w.by_eviction.is_none())
}

/// Replicas that a workload needs while pods of it are on leaving nodes.
pub(super) fn wanted(w: &Workload<'_>) -> u32 {
    w.original() + u32::try_from(w.leaving().count()).unwrap_or(u32::MAX)
}

/// The name of what happens to a workload whose controllers are not done: we asked for more, or for less.
fn phase_of(w: &Workload<'_>) -> &'static str {
    if w.marks.is_some() && w.asked() < wanted(w) { "scale-back" } else { "surge" }
}

/// Raises every converged workload that has too few replicas.
fn raised(s: &Situation<'_>, system: bool) -> Progress {
    let phase = if system { "surge-system" } else { "surge-user" };
    let actions: Vec<Action> = surging(s, system)
        .filter(|w| w.asked() < wanted(w) && w.is_converged())
        .map(|w| Action { phase, write: w.scaled(s.plan, wanted(w)) })
        .collect();
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

/// Whether a tier needs nothing more: nothing of it is still to be scheduled. An old pod that is not Ready needs nothing.
fn is_settled(s: &Situation<'_>, system: bool) -> bool {
    surging(s, system)
        .all(|w| w.asked() >= wanted(w) && w.is_converged() && w.moved().all(|m| m.pod.is_ready()))
}

/// Waits until controllers, scheduler and kubelets have done their part.
fn ready(s: &Situation<'_>, system: bool) -> Progress {
    let (mut late, mut unready, mut total) = (None, 0, 0);
    for w in surging(s, system) {
        let waiting = w.moved().filter(|member| !member.pod.is_ready()).count();
        unready += waiting;
        total += w.moved().count();
        if late.is_none() && (waiting > 0 || !w.is_converged()) {
            late = Some(w);
        }
    }
    let Some(w) = late else { return ControlFlow::Continue(()) };
    let stuck = w.moved().find_map(|member| member.pod.unschedulable.as_deref());
    let seen = match stuck {
        Some(why) => format!("{unready} of {total} not Ready: {why}"),
        None => format!("{unready} of {total} not Ready, {} of {} asked for", w.pods.len(), w.asked()),
    };
    let what = format!("the pods of {} and others like it", shown(&w.deployment.meta.name));
    ControlFlow::Break(wait(phase_of(w), what, seen, "all Ready and counted", Poll::Nothing))
}

//! The published recipe, step by step, in its order and with its faults.
//!
//! It freezes autoscalers at the present count and then doubles the Deployment beside them, waits out the idle timeout
//! and trusts the label, deletes a group that may still carry flows, and scales back without saying which pods go. Steps
//! whose effect others undo (the doubling) are done once and noted in the journal.

use std::ops::ControlFlow;

use crate::{
    action::{Action, Change, Kind, Poll, Step, Write},
    journal::Journal,
    marks::{Changed, Marks},
    situation::{
        Progress, Side, Situation, Workload, is_excluded, is_tainted, later, patch, shown, wait, wait_until,
    },
};

use super::single_move::{delete, freeze, new_group, restore, taint};

/// Where the scale-back stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// After the deletion of the old group.
    DeleteFirst,
    /// Before it.
    DescaleFirst,
}

/// The next step of the recipe.
pub(super) fn next(s: &Situation<'_>, order: Order) -> Step {
    if s.journal.done.contains(Journal::MOVED) {
        return restore::step(s);
    }
    match moved(s, order) {
        ControlFlow::Break(step) => step,
        ControlFlow::Continue(()) => once(s, Journal::MOVED),
    }
}

fn moved(s: &Situation<'_>, order: Order) -> Progress {
    if !s.journal.done.contains(LEFT) {
        group(s)?;
        tainted(s)?;
        autoscaler_frozen(s)?;
        annotated(s)?;
        autoscalers_frozen(s)?;
        doubled(s, true)?;
        doubled(s, false)?;
        labelled(s)?;
        idle(s)?;
        return ControlFlow::Break(once(s, LEFT));
    }
    if order == Order::DescaleFirst {
        descaled(s, false)?;
        descaled(s, true)?;
    }
    delete::done(s)?;
    if order == Order::DeleteFirst {
        descaled(s, false)?;
        descaled(s, true)?;
    }
    ControlFlow::Continue(())
}

/// Among the journal's `done`: the old nodes are labelled and the idle timeout has been waited out.
const LEFT: &str = "left";
/// What a listener has where no target group tells: the default of a TCP listener. Source: aws.md section 2.
const IDLE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(350);

/// Create the new group and wait for its nodes.
fn group(s: &Situation<'_>) -> Progress {
    if let Some(creation) = &s.plan.creation {
        new_group::created(s, creation, creation.group.bounds)?;
    }
    if let Some(group) = s.group(s.arriving_group) {
        new_group::usable(group)?;
    }
    new_group::all_ready(s)
}

/// Taint the old nodes, in Kubernetes only.
fn tainted(s: &Situation<'_>) -> Progress {
    act(s
        .side(Side::Leaving)
        .filter(|seat| !is_tainted(seat.node))
        .map(|seat| Action { phase: "taint", write: taint::tainted(s, seat.node) }))
}

/// Freeze the cluster autoscaler: both groups at their present size.
fn autoscaler_frozen(s: &Situation<'_>) -> Progress {
    for name in [s.leaving_group, s.arriving_group] {
        if let Some(group) = s.group(name) {
            freeze::bounds(s, group)?;
        }
    }
    ControlFlow::Continue(())
}

/// Annotate every Deployment with its replica count.
fn annotated(s: &Situation<'_>) -> Progress {
    act(s.workloads.iter().filter(|w| count(w).is_none()).map(|w| {
        let replicas = w.deployment.replicas;
        Action { phase: "annotate", write: counted(s, w, Changed { was: replicas, set: replicas }, None) }
    }))
}

/// Freeze the autoscalers of workloads at the present count. This is what undoes the doubling.
fn autoscalers_frozen(s: &Situation<'_>) -> Progress {
    let fresh = s
        .workloads
        .iter()
        .filter_map(|w| Some((w, w.autoscaler?)))
        .filter(|(_, autoscaler)| Marks::of(&autoscaler.meta).is_none_or(|marks| marks.bounds.is_none()));
    act(fresh.map(|(w, autoscaler)| Action {
        phase: "freeze-autoscalers",
        write: freeze::frozen_at(s, autoscaler, w.deployment.replicas),
    }))
}

/// Double one tier, once each, and wait until it is Ready.
fn doubled(s: &Situation<'_>, system: bool) -> Progress {
    let (phase, name) =
        if system { ("surge-system", "doubled-system") } else { ("surge-user", "doubled-user") };
    if s.journal.done.contains(name) {
        return ControlFlow::Continue(());
    }
    let tier = || s.workloads.iter().filter(move |w| w.system == system);
    act(tier().filter_map(|w| {
        let was = count(w).filter(|count| count.set == count.was && count.was > 0)?.was;
        let twice = was.saturating_mul(2);
        let write = counted(s, w, Changed { was, set: twice }, Some(twice));
        Some(Action { phase, write })
    }))?;
    ready(phase, tier())?;
    ControlFlow::Break(once(s, name))
}

/// Label the old nodes.
fn labelled(s: &Situation<'_>) -> Progress {
    act(s
        .side(Side::Leaving)
        .filter(|seat| !is_excluded(seat.node))
        .map(|seat| Action { phase: "exclude-old", write: new_group::excluded(s, seat.node) }))
}

/// Wait longer than the idle timeout.
fn idle(s: &Situation<'_>) -> Progress {
    let timeout = s.cluster.aws.target_groups.values().map(|group| group.idle_timeout).max();
    let span = timeout.unwrap_or(IDLE_TIMEOUT) + s.plan.settings.recipe_margin;
    let until = later(s.since("idle", "idle", Vec::new())?, span);
    if s.now < until {
        return ControlFlow::Break(wait_until(
            until,
            "idle",
            "the load balancer's idle timeout",
            Poll::Nothing,
        ));
    }
    ControlFlow::Continue(())
}

/// Scale one tier back to what the annotations say, and wait until it is Ready.
fn descaled(s: &Situation<'_>, system: bool) -> Progress {
    let phase = if system { "scale-back-system" } else { "scale-back-user" };
    let tier = || s.workloads.iter().filter(move |w| w.system == system);
    act(tier().filter_map(|w| {
        let was = count(w).filter(|count| count.set != count.was)?.was;
        Some(Action { phase, write: counted(s, w, Changed { was, set: was }, Some(was)) })
    }))?;
    ready(phase, tier())
}

/// Waits until every Deployment has as many Ready pods as it asks for.
fn ready<'s, 'a: 's>(phase: &'static str, mut tier: impl Iterator<Item = &'s Workload<'a>>) -> Progress {
    let late = tier.find(|w| {
        let d = w.deployment;
        d.observed_generation < d.generation
            || d.ready_replicas < d.replicas
            || d.status_replicas != d.replicas
    });
    match late.map(|w| w.deployment) {
        None => ControlFlow::Continue(()),
        Some(d) => {
            let seen = format!("{} of {} Ready", d.ready_replicas, d.replicas);
            let what = format!("the pods of {}", shown(&d.meta.name));
            ControlFlow::Break(wait(phase, what, seen, "all Ready", Poll::Nothing))
        }
    }
}

/// The replica count that the recipe annotated.
fn count(w: &Workload<'_>) -> Option<Changed<u32>> {
    Marks::of(&w.deployment.meta).and_then(|marks| marks.replicas)
}

/// The patch that annotates a Deployment with its count, and scales it.
fn counted(s: &Situation<'_>, w: &Workload<'_>, count: Changed<u32>, replicas: Option<u32>) -> Write {
    let mut marks = Marks::of_or_new(&w.deployment.meta, &s.plan.id);
    marks.replicas = Some(count);
    let mut changes = vec![marks.written()];
    changes.extend(replicas.map(Change::Replicas));
    patch(Kind::Deployment, &w.deployment.meta, changes)
}

fn act(actions: impl Iterator<Item = Action>) -> Progress {
    let actions: Vec<Action> = actions.collect();
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

fn once(s: &Situation<'_>, name: &'static str) -> Step {
    s.journal("note", |journal| {
        journal.done.insert(name.to_owned());
    })
}

//! Step 5, second half: no load balancer sends the excluded nodes anything any more.
//!
//! A node is released when it is absent or unused in every instance target group (draining suffices only where failing
//! health checks cut nothing), and the propagation time has passed since it was first seen draining or absent everywhere.
//! Nothing counts from when the label was written. Why it matters: while a target drains, a health-check node port that
//! turns 503, because its last local pod terminates, resets all its flows.

use std::ops::ControlFlow;

use crate::{
    action::Poll,
    situation::{Presence, Progress, Seat, Side, Situation, TARGET_POLL, departure, is_excluded, wait},
};

use super::{gate::seen_until, surge::shed};

/// Whether every excluded node is released.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    if !s.instance_targets {
        return ControlFlow::Continue(());
    }
    let mut nodes: Vec<&Seat<'_>> = s.side(Side::Leaving).collect();
    nodes.extend(shed::designated(s));
    nodes.retain(|seat| is_excluded(seat.node));
    noted(s, &nodes)?;
    gone(s, &nodes)
}

/// Keeps the marks of when nodes were first seen out, and drops those of nodes that are targets again.
fn noted(s: &Situation<'_>, nodes: &[&Seat<'_>]) -> Progress {
    let mut set = Vec::new();
    let mut dropped = Vec::new();
    for seat in nodes {
        let name = departure(seat.node);
        match (seat.presence, s.mark(&name)) {
            (Presence::In, _) if s.journal.marks.contains_key(&name) => dropped.push(name),
            (Presence::Draining | Presence::Out, None) => set.push(name),
            _ => {}
        }
    }
    if set.is_empty() && dropped.is_empty() {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(s.journal("release", |journal| {
        for name in dropped {
            journal.marks.remove(&name);
        }
        for name in set {
            journal.marks.insert(name, s.fresh_mark(Vec::new()));
        }
    }))
}

/// Waits for evidence first, then for the time that it must have held.
fn gone(s: &Situation<'_>, nodes: &[&Seat<'_>]) -> Progress {
    let phase = "release";
    let staying = nodes.iter().filter(|seat| seat.presence != Presence::Out).count();
    if staying > 0 {
        let draining = nodes.iter().filter(|seat| seat.presence == Presence::Draining).count();
        let seen = format!("{} still targets, {draining} draining, of {}", staying - draining, nodes.len());
        let what = "the excluded nodes to leave their target groups";
        return ControlFlow::Break(wait(phase, what, seen, "all gone", Poll::Targets(TARGET_POLL)));
    }
    match nodes.iter().filter(|seat| !s.is_released(seat)).filter_map(|seat| s.left_at(seat)).max() {
        Some(until) => {
            ControlFlow::Break(seen_until(s, until, phase, "every load balancer node to know of it"))
        }
        None => ControlFlow::Continue(()),
    }
}

//! Too many: when an old pod is lost, the replacement of its controller and ours both stay. One of them goes again, and
//! it must be one that carries no session, or whose end resets nobody else's.
//!
//! Such a pod is not Ready yet, or on a node that is no target, or its node has another Ready pod of every Local Service
//! that it serves, so that the health-check node port stays good; it then ends within its own grace period, which its
//! sessions' contract allows for. Where none is such a pod, the node of one is released first, as a leaving node is
//! ([`designated`]), and admitted again afterwards.

use std::ops::ControlFlow;

use crate::{
    action::{Action, Step},
    situation::{Member, Progress, Seat, Situation, Workload, is_cheap, is_excluded},
};

use super::{super::scale_back, surging, wanted};

/// Whether no workload of this tier has more replicas than it needs.
pub(super) fn done(s: &Situation<'_>, system: bool) -> Progress {
    for w in surging(s, system).filter(|w| surplus(w) > 0 && w.is_converged()) {
        let victims = victims(s, w);
        if victims.len() < surplus(w) {
            // The node of one of them is released by the steps that follow.
            continue;
        }
        if w.moved().any(|m| !m.pod.is_ready() && !victims.iter().any(|v| v.pod.meta.uid == m.pod.meta.uid)) {
            // It would go in place of one of them.
            continue;
        }
        let stays = |m: &&Member<'_>| !victims.iter().any(|v| v.pod.meta.uid == m.pod.meta.uid);
        scale_back::relieved(w.moved().filter(stays))?;
        scale_back::cheapened(s, "shed", victims.iter().copied())?;
        // One that is not Ready goes before any other, whatever the costs, and serves nobody as long as that is so.
        if victims.iter().any(|member| member.pod.is_ready()) {
            let names = vec![scale_back::named(w, victims.iter().copied())];
            scale_back::costs_seen(s, "shed", names)?;
        }
        let write = w.scaled(s.plan, wanted(w));
        return ControlFlow::Break(Step::Act(vec![Action { phase: "shed", write }]));
    }
    ControlFlow::Continue(())
}

/// Nodes on the arriving side that are released although they stay, because a pod there is one too many.
pub(crate) fn designated<'s, 'a>(s: &'s Situation<'a>) -> Vec<&'s Seat<'a>> {
    let mut seats: Vec<&Seat<'_>> = Vec::new();
    for w in s.workloads.iter().filter(|w| w.by_eviction.is_none() && surplus(w) > 0 && w.is_converged()) {
        let short = surplus(w).saturating_sub(victims(s, w).len());
        // One that is already excluded goes on; otherwise the first by name.
        let mut rest: Vec<&Seat<'_>> =
            w.moved().filter(|m| !s.resets_nobody(m, &[])).filter_map(|m| s.seat(m)).collect();
        rest.sort_by_key(|seat| !is_excluded(seat.node));
        seats.extend(rest.into_iter().take(short));
    }
    seats
}

/// How many replicas are asked for beyond what is needed.
fn surplus(w: &Workload<'_>) -> usize {
    w.asked().saturating_sub(wanted(w)) as usize
}

/// The pods that go: those without a node or not Ready first, then those chosen before, then any whose end harms nobody.
fn victims<'s, 'a>(s: &'s Situation<'a>, w: &'s Workload<'a>) -> Vec<&'s Member<'a>> {
    let mut victims: Vec<&Member<'_>> = Vec::new();
    let mut candidates: Vec<&Member<'_>> = w.moved().collect();
    candidates.sort_by_key(|m| (m.seat.is_some(), m.pod.is_ready(), !is_cheap(m.pod)));
    for member in candidates {
        if victims.len() < surplus(w) && s.resets_nobody(member, &victims) {
            victims.push(member);
        }
    }
    victims
}

//! Too many: when an old pod is lost, the replacement of its controller and ours both stay. One of them goes again, and
//! it must be one that carries no session, or whose end resets nobody else's.
//!
//! Such a pod is not Ready yet, or on a node that is no target, or its node has another Ready pod of every Local Service
//! that it serves, so that the health-check node port stays good; it then ends within its own grace period, which its
//! sessions' contract allows for. Where none is such a pod, the node of one is released first, as a leaving node is
//! ([`designated`]), and admitted again afterwards.

use std::ops::ControlFlow;

use crate::{
    action::{Action, Poll, Step},
    kernel,
    situation::{
        Member, Progress, Seat, Side, Situation, TARGET_POLL, Workload, is_cheap, is_excluded, is_tainted,
        shown, wait,
    },
};

use super::{
    super::{new_group::excluded, scale_back},
    surging, wanted, zones,
};

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
        scale_back::relieved(w.pods.iter().filter(stays))?;
        scale_back::cheapened(s, "shed", victims.iter().copied())?;
        // One that is not Ready goes before any other, whatever the costs, and serves nobody as long as that is so.
        if victims.iter().any(|member| member.pod.is_ready()) {
            let names = vec![scale_back::named(w, victims.iter().copied())];
            scale_back::costs_seen(s, "shed", names)?;
        }
        let write = w.scaled(s.plan, wanted(w));
        if kernel::objection(s, &write).is_some() {
            // What it misses (a node to be admitted, say) comes with the steps that follow.
            continue;
        }
        return ControlFlow::Break(Step::Act(vec![Action { phase: "shed", write }]));
    }
    ControlFlow::Continue(())
}

/// Whether nothing that was asked for on the way there waits for a node. On the way back it would be given an old one, as soon
/// as those take pods again, and there it is one too many that may not be released.
pub(crate) fn unplaced(s: &Situation<'_>) -> Progress {
    if !s.back || !s.side(Side::Arriving).any(|seat| is_tainted(seat.node)) {
        return ControlFlow::Continue(());
    }
    for w in s.workloads.iter().filter(|w| w.by_eviction.is_none() && surplus(w) > 0) {
        if !w.is_converged() {
            let what = format!("the pods of {} to be made", shown(&w.deployment.meta.name));
            return ControlFlow::Break(wait("shed", what, "not all", "all", Poll::Nothing));
        }
        let waiting = w.pods.iter().filter(|member| member.seat.is_none()).count().min(surplus(w));
        let write = w.scaled(s.plan, w.asked() - u32::try_from(waiting).unwrap_or(0));
        if waiting > 0 && kernel::objection(s, &write).is_none() {
            return ControlFlow::Break(Step::Act(vec![Action { phase: "shed", write }]));
        }
    }
    ControlFlow::Continue(())
}

/// Whether nothing is left to shed: the last chance before the group that is left goes.
pub(crate) fn all_done(s: &Situation<'_>) -> Progress {
    let Some(w) = s.workloads.iter().find(|w| w.by_eviction.is_none() && surplus(w) > 0) else {
        return ControlFlow::Continue(());
    };
    let what = format!("{} to lose what it has too many", shown(&w.deployment.meta.name));
    let seen = format!("{} more than needed", surplus(w));
    ControlFlow::Break(wait("shed", what, seen, "none", Poll::Targets(TARGET_POLL)))
}

/// Nodes on the arriving side that are released although they stay, because a pod there is one too many.
pub(crate) fn designated<'s, 'a>(s: &'s Situation<'a>) -> Vec<&'s Seat<'a>> {
    let mut seats: Vec<&Seat<'_>> = Vec::new();
    for w in s.workloads.iter().filter(|w| w.by_eviction.is_none() && surplus(w) > 0 && w.is_converged()) {
        let mut going = victims(s, w);
        // Chosen because its node is out: that stays out until it is gone, or another would be chosen.
        seats.extend(going.iter().filter_map(|m| s.seat(m)).filter(|seat| is_excluded(seat.node)));
        // A node of another group carries what is not ours to release.
        let mut others: Vec<(&Member<'_>, &Seat<'_>)> = w
            .moved()
            .filter_map(|m| Some((m, s.seat(m)?)))
            .filter(|(_, seat)| seat.side == Side::Arriving)
            .collect();
        // One that is already excluded goes on; otherwise one that no other Service would miss, the first by name.
        let missed = |seat: &Seat<'_>| kernel::objection(s, &excluded(s, seat.node)).is_some();
        others.sort_by_cached_key(|(_, seat)| (!is_excluded(seat.node), missed(seat)));
        for least in [1, 0] {
            for (member, seat) in &others {
                let chosen = going.iter().any(|other| other.pod.meta.uid == member.pod.meta.uid);
                if !chosen && going.len() < surplus(w) && !bares_zone(s, w, member, &going, least) {
                    going.push(member);
                    seats.push(seat);
                }
            }
        }
    }
    seats
}

/// How many replicas are asked for beyond what is needed.
pub(crate) fn surplus(w: &Workload<'_>) -> usize {
    w.asked().saturating_sub(wanted(w)) as usize
}

/// The pods that go: those without a node or not Ready first, then those chosen before, then any whose end harms nobody.
/// The last pod of a zone goes only where no other can: its zone was bare before the migration as well.
fn victims<'s, 'a>(s: &'s Situation<'a>, w: &'s Workload<'a>) -> Vec<&'s Member<'a>> {
    let mut victims: Vec<&Member<'_>> = Vec::new();
    let mut candidates: Vec<&Member<'_>> = w.moved().collect();
    candidates.sort_by_key(|m| (m.seat.is_some(), m.pod.is_ready(), !is_cheap(m.pod)));
    for least in [1, 0] {
        for member in &candidates {
            let chosen = victims.iter().any(|other| other.pod.meta.uid == member.pod.meta.uid);
            let spared = chosen || victims.len() >= surplus(w) || bares_zone(s, w, member, &victims, least);
            if !spared && s.resets_nobody(member, &victims) {
                victims.push(member);
            }
        }
    }
    victims
}

/// Whether the end of a pod leaves its zone with fewer pods than are still to be replaced there, or than `least`.
fn bares_zone<'a>(
    s: &Situation<'a>,
    w: &Workload<'a>,
    member: &Member<'a>,
    gone: &[&Member<'a>],
    least: usize,
) -> bool {
    let Some(here) = zone_of(s, member).filter(|_| zones::is_zonal(s, w)) else { return false };
    let going = gone.iter().filter(|m| zone_of(s, m) == Some(here)).count() + 1;
    let left = (zones::pods_in(s, w, here, false) as usize).saturating_sub(going);
    left < (zones::pods_in(s, w, here, true) as usize).max(least)
}

fn zone_of<'a>(s: &Situation<'a>, member: &Member<'a>) -> Option<&'a str> {
    s.seat(member).and_then(|seat| seat.node.zone.as_deref())
}

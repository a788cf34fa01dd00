//! Step 4, second half: wherever an old target serves, a new one has served for longer than the load balancer may take
//! to learn of it.
//!
//! Per target group and zone; all zones together where cross-zone is on. Left out are target groups whose targets follow
//! the pods of a StatefulSet: those cannot run twice and move in step 7. A zone without a healthy old target asks for
//! nothing, so the gate opens by itself once the old ones are on their way out.

use std::ops::ControlFlow;

use crate::{
    action::{Poll, Step},
    situation::{Balanced, POLL_NOW, Progress, Side, Situation, TARGET_POLL, later, shown, wait, wait_until},
    view::{TargetGroup, TargetState},
};

const MARK: &str = "gate";

/// Whether new targets have taken their place beside the old ones for long enough.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    let phase = "gate";
    match coverage(s) {
        Coverage::NothingToCover => ControlFlow::Continue(()),
        Coverage::Lacking { what, seen } => {
            if s.journal.marks.contains_key(MARK) {
                return ControlFlow::Break(s.journal(phase, |journal| {
                    journal.marks.remove(MARK);
                }));
            }
            ControlFlow::Break(wait(phase, what, seen, "a healthy new one", Poll::Targets(TARGET_POLL)))
        }
        Coverage::Full => {
            let until = later(s.since(phase, MARK, Vec::new())?, s.plan.settings.propagation);
            if until <= s.seen_at() {
                return ControlFlow::Continue(());
            }
            ControlFlow::Break(seen_until(
                s,
                until,
                phase,
                "every load balancer node to know the new targets",
            ))
        }
    }
}

/// A wait whose end must be seen in AWS: time alone does not end it, a poll after that time does.
pub(super) fn seen_until(s: &Situation<'_>, until: jiff::Timestamp, phase: &'static str, what: &str) -> Step {
    if s.now < until {
        wait_until(until, phase, what, Poll::Targets(TARGET_POLL))
    } else {
        wait(
            phase,
            what,
            "targets were last seen before it ended",
            until.to_string(),
            Poll::Targets(POLL_NOW),
        )
    }
}

/// How new targets stand beside old ones.
enum Coverage {
    NothingToCover,
    Lacking { what: String, seen: String },
    Full,
}

fn coverage(s: &Situation<'_>) -> Coverage {
    let by_ip = s.addresses();
    let mut coverage = Coverage::NothingToCover;
    for (b, group) in gated(s) {
        // Where targets follow the pods, one that moved to a third group serves as well as one on the arriving nodes.
        let follows_pods = group.ip_targets || b.service.local;
        let side_of = |t| match s.side_of(t, &by_ip) {
            Some(Side::Elsewhere) if follows_pods => Some(Side::Arriving),
            side => side,
        };
        let healthy = |side: Side| {
            group
                .targets
                .iter()
                .filter(|t| t.state == TargetState::Healthy && side_of(t) == Some(side))
                .map(|t| if group.cross_zone { "any" } else { &*t.zone })
                .collect::<Vec<&str>>()
        };
        let new = healthy(Side::Arriving);
        for zone in healthy(Side::Leaving) {
            if !new.contains(&zone) {
                let what = format!("a new target of {} in zone {zone}", shown(&b.service.meta.name));
                return Coverage::Lacking { what, seen: states(s, group, &by_ip) };
            }
            coverage = Coverage::Full;
        }
    }
    coverage
}

/// Target groups that the gate watches, with their Services. Not those of StatefulSets, whose new targets come last, nor
/// those whose pods have no successor beside them: what would be waited for comes when the old ones are gone.
fn gated<'s, 'a>(s: &'s Situation<'a>) -> impl Iterator<Item = (&'s Balanced<'a>, &'a TargetGroup)> {
    s.balanced.iter().flat_map(|b| b.groups.iter().map(move |group| (b, *group))).filter(|(b, group)| {
        let late = b.planned.is_some_and(|planned| planned.stateful || planned.gap);
        !(late && (group.ip_targets || b.service.local))
    })
}

/// The states of the new targets, for people.
fn states(s: &Situation<'_>, group: &TargetGroup, by_ip: &[(&str, Side)]) -> String {
    let new: Vec<String> = group
        .targets
        .iter()
        .filter(|t| s.side_of(t, by_ip) == Some(Side::Arriving))
        .map(|t| format!("{} {:?}", t.zone, t.state))
        .collect();
    if new.is_empty() { "no new target".to_owned() } else { new.join(", ") }
}

//! Step 8, first half: nothing runs on the leaving nodes, and nothing runs through them.
//!
//! A node is quiet when it is released, holds no workload pod (terminating ones count, DaemonSets' do not), and the
//! longest contract has passed since its release: under the Cluster policy it still carries flows to pods elsewhere,
//! which no API shows. With ip targets alone no flow runs through another node than the pod's own.

use std::ops::ControlFlow;

use crate::{
    action::Poll,
    situation::{Progress, Side, Situation, later, wait, wait_until},
};

use super::gate::seen_until;

const PHASE: &str = "quiet";

/// Whether every leaving node is quiet, and has been watched as long as the plan wants.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    empty(s)?;
    flows_ended(s)?;
    soaked(s)
}

fn empty(s: &Situation<'_>) -> Progress {
    let pods: usize = s.side(Side::Leaving).map(|seat| seat.lodgers.len()).sum();
    if pods == 0 {
        return ControlFlow::Continue(());
    }
    let terminating =
        s.side(Side::Leaving).flat_map(|seat| &seat.lodgers).filter(|pod| pod.meta.deleting).count();
    let seen = format!("{pods}, {terminating} of them terminating");
    let what = format!("the last pods on {} to end", s.leaving_group);
    ControlFlow::Break(wait(PHASE, what, seen, "none", Poll::Nothing))
}

fn flows_ended(s: &Situation<'_>) -> Progress {
    if !s.instance_targets {
        return ControlFlow::Continue(());
    }
    let mut last = None;
    for seat in s.side(Side::Leaving) {
        let Some(quiet_at) = s.quiet_at(seat) else {
            let what = format!("node {} to be released", seat.node.meta.name.name);
            return ControlFlow::Break(wait(PHASE, what, "not released", "released", Poll::Nothing));
        };
        last = last.max(Some(quiet_at));
    }
    match last.filter(|until| *until > s.seen_at()) {
        Some(until) => {
            let what = "the longest connection of the contract to end, which may run through a released node";
            ControlFlow::Break(seen_until(s, until, PHASE, what))
        }
        None => ControlFlow::Continue(()),
    }
}

fn soaked(s: &Situation<'_>) -> Progress {
    if s.back || s.plan.settings.soak.is_zero() {
        return ControlFlow::Continue(());
    }
    let until = later(s.since(PHASE, "soak", Vec::new())?, s.plan.settings.soak);
    if s.now < until {
        return ControlFlow::Break(wait_until(
            until,
            PHASE,
            "the migrated cluster to be watched",
            Poll::Nothing,
        ));
    }
    ControlFlow::Continue(())
}

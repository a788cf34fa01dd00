//! Step 5, first half: the old nodes leave the load balancers.
//!
//! Except those that hold a pod of a StatefulSet behind a load balancer: they leave one by one in step 7. With ip
//! targets alone the label does nothing, and the step is skipped.

use std::ops::ControlFlow;

use crate::{
    action::{Action, Poll, Step},
    situation::{Progress, Seat, Side, Situation, is_excluded, wait},
};

use super::{admit::exclusion, new_group::excluded, surge::shed};

/// Whether every node that has to leave is asked to.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    if !s.instance_targets {
        return ControlFlow::Continue(());
    }
    let mut nodes: Vec<&Seat<'_>> = s.side(Side::Leaving).filter(|seat| !s.holds_stateful(seat)).collect();
    nodes.extend(shed::designated(s));
    nodes.retain(|seat| !is_excluded(seat.node));
    left_alone(&nodes)?;
    let actions: Vec<Action> = nodes
        .into_iter()
        .map(|seat| Action { phase: "exclude-old", write: excluded(s, seat.node) })
        .collect();
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

/// A label of ours that somebody else took away is theirs: not written again, waited for.
pub(super) fn left_alone(nodes: &[&Seat<'_>]) -> Progress {
    let taken = nodes.iter().find(|seat| exclusion(seat.node).is_some_and(|mark| mark.set != mark.was));
    match taken {
        None => ControlFlow::Continue(()),
        Some(seat) => {
            let what = format!("the exclude label of node {}", seat.node.meta.name.name);
            ControlFlow::Break(wait("exclude-old", what, "somebody else took it away", "true", Poll::Nothing))
        }
    }
}

//! Step 2, second half: nothing is scheduled where it will be left, everything may be where it will stay.
//!
//! The node taint works at once, the EKS taint reaches nodes that replace others of the group. On the way back the
//! arriving nodes lose the taint again. A taint of ours that is missing is written again: its key is nobody else's, and
//! a taint list written without a resourceVersion can wipe it out (kubernetes.md section 1).

use std::ops::ControlFlow;

use k8s_openapi::api::core::v1::Taint;

use crate::{
    action::{Action, Change, Kind, Step, Write},
    marks::{Changed, Marks, TAINT},
    situation::{Progress, Side, Situation, is_tainted, patch},
    view::{EksTaint, Node, NodeGroup, NodeGroupStatus},
};

use super::freeze;

const EFFECT: &str = "NoSchedule";
const VALUE: &str = "true";

/// Whether leaving nodes and group are tainted, and the arriving ones are not.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    let leaving = s.side(Side::Leaving).filter(|seat| !is_tainted(seat.node));
    let arriving = s.side(Side::Arriving).filter(|seat| is_tainted(seat.node));
    let actions: Vec<Action> = leaving
        .map(|seat| Action { phase: "taint", write: tainted(s, seat.node) })
        .chain(arriving.map(|seat| Action { phase: "untaint", write: untainted(seat.node) }))
        .collect();
    if !actions.is_empty() {
        return ControlFlow::Break(Step::Act(actions));
    }
    group_tainted(s, s.leaving_group, true)?;
    group_tainted(s, s.arriving_group, false)
}

/// Puts our taint on a group in the EKS API, or takes it off.
pub(crate) fn group_tainted(s: &Situation<'_>, name: &str, wanted: bool) -> Progress {
    let phase = if wanted { "taint-group" } else { "untaint-group" };
    // On the way back, a group that could not be made takes no change; all that is left to do with it is to delete it.
    let changeable = |group: &&NodeGroup| match group.status {
        NodeGroupStatus::Deleting => false,
        NodeGroupStatus::CreateFailed | NodeGroupStatus::DeleteFailed => !s.back,
        _ => true,
    };
    let Some(group) = s.group(name).filter(changeable) else { return ControlFlow::Continue(()) };
    let present: Vec<EksTaint> = group.taints.iter().filter(|taint| &*taint.key == TAINT).cloned().collect();
    if present.is_empty() != wanted {
        return ControlFlow::Continue(());
    }
    freeze::when_active(group, phase)?;
    let ours = EksTaint { key: TAINT.into(), value: VALUE.into(), effect: "NO_SCHEDULE".into() };
    let add = if wanted { vec![ours] } else { Vec::new() };
    let write = Write::UpdateNodeGroupTaints { group: group.name.clone(), add, remove: present };
    ControlFlow::Break(Step::Act(vec![Action { phase, write }]))
}

/// The patch that taints a node: the whole list, at the version that was seen.
pub(crate) fn tainted(s: &Situation<'_>, node: &Node) -> Write {
    let mut marks = Marks::of_or_new(&node.meta, &s.plan.id);
    marks.taint = Some(Changed { was: None, set: Some(EFFECT.to_owned()) });
    let mut taints = node.taints.to_vec();
    taints.push(Taint {
        key: TAINT.to_owned(),
        value: Some(VALUE.to_owned()),
        effect: EFFECT.to_owned(),
        time_added: None,
    });
    patch(Kind::Node, &node.meta, vec![marks.written(), Change::Taints(taints)])
}

/// The patch that takes our taint off a node, with its mark.
pub(crate) fn untainted(node: &Node) -> Write {
    let mut marks = Marks::of(&node.meta).cloned().unwrap_or_default();
    marks.taint = None;
    let taints = node.taints.iter().filter(|taint| taint.key != TAINT).cloned().collect();
    patch(Kind::Node, &node.meta, vec![marks.written(), Change::Taints(taints)])
}

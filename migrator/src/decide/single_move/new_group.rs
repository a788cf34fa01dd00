//! Step 2, first half: the group to move to exists, frozen, its nodes are Ready, and none of them is a load balancer's
//! target yet.
//!
//! A node is registered as a target when its Node object appears, before it is Ready; the exclude label is therefore
//! written as soon as it is seen (the EKS API refuses that key). Nodes of an adopted group may already serve and are left
//! as they are.

use std::ops::ControlFlow;

use crate::{
    action::{Action, Change, Kind, NodeGroupRequest, Outcome, Poll, Step, Write},
    marks::{Changed, EXCLUDE, Marks},
    plan::{Creation, PLAN_TAG},
    situation::{GROUP_POLL, Progress, Side, Situation, patch, wait},
    view::{Bounds, Node, NodeGroup, NodeGroupStatus},
};

use super::freeze;

/// Whether the arriving group stands.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    if s.back {
        return all_ready(s);
    }
    if let Some(creation) = &s.plan.creation {
        let bounds = creation.group.bounds;
        created(
            s,
            creation,
            Bounds { min: bounds.desired, max: bounds.desired.max(1), desired: bounds.desired },
        )?;
        excluded_at_birth(s)?;
    }
    let Some(group) = s.group(s.arriving_group) else {
        let reason = format!("no node group {} to adopt", s.arriving_group);
        return ControlFlow::Break(Step::Finished(Outcome::Stopped(reason)));
    };
    usable(group)?;
    freeze::bounds(s, group)?;
    freeze::rebalancing(s, group)?;
    all_ready(s)
}

/// Creates launch template and group. Both are idempotent by name and token; what bears the name without being ours is
/// not touched.
pub(crate) fn created(s: &Situation<'_>, creation: &Creation, bounds: Bounds) -> Progress {
    let phase = "new-group";
    let template = &creation.launch_template;
    let write = match (s.cluster.aws.launch_templates.get(&template.name), s.group(&creation.group.name)) {
        (None, None) => Write::CreateLaunchTemplate(template.clone()),
        (Some(tags), None) if is_ours(s, tags.get(PLAN_TAG)) => {
            Write::CreateNodeGroup(NodeGroupRequest { bounds, ..creation.group.clone() })
        }
        (_, Some(group)) if is_ours(s, group.tags.get(PLAN_TAG)) => return ControlFlow::Continue(()),
        (_, group) => {
            let (kind, name) =
                group.map_or(("launch template", &template.name), |group| ("node group", &group.name));
            let reason = format!("a {kind} {name} exists and is not of this plan");
            return ControlFlow::Break(Step::Finished(Outcome::Stopped(reason)));
        }
    };
    ControlFlow::Break(Step::Act(vec![Action { phase, write }]))
}

/// Stops where a group can never be used, waits where it is not there yet.
pub(crate) fn usable(group: &NodeGroup) -> Progress {
    let phase = "new-group";
    match group.status {
        NodeGroupStatus::Active | NodeGroupStatus::Updating | NodeGroupStatus::Degraded => {
            ControlFlow::Continue(())
        }
        NodeGroupStatus::Creating => {
            let what = format!("node group {} to stand", group.name);
            ControlFlow::Break(wait(phase, what, "Creating", "Active", Poll::NodeGroups(GROUP_POLL)))
        }
        NodeGroupStatus::CreateFailed | NodeGroupStatus::DeleteFailed | NodeGroupStatus::Deleting => {
            let reason =
                format!("node group {} is {:?}: {}", group.name, group.status, group.issues.join(", "));
            ControlFlow::Break(Step::Finished(Outcome::Stopped(reason)))
        }
    }
}

/// Waits until as many nodes are Ready as the group is meant to have.
pub(crate) fn all_ready(s: &Situation<'_>) -> Progress {
    let Some(group) = s.group(s.arriving_group) else { return ControlFlow::Continue(()) };
    let nodes = s.side(Side::Arriving).count();
    let ready = s.side(Side::Arriving).filter(|seat| seat.node.ready && !seat.node.meta.deleting).count();
    if ready >= nodes && ready >= group.bounds.desired as usize {
        return ControlFlow::Continue(());
    }
    let seen = format!("{ready} of {}", nodes.max(group.bounds.desired as usize));
    let what = format!("the nodes of {} to be Ready", group.name);
    ControlFlow::Break(wait("new-group", what, seen, "all", Poll::NodeGroups(GROUP_POLL)))
}

/// Excludes every node of ours that has appeared and was not treated yet.
fn excluded_at_birth(s: &Situation<'_>) -> Progress {
    if !s.instance_targets {
        return ControlFlow::Continue(());
    }
    let actions: Vec<Action> = s
        .side(Side::Arriving)
        .filter(|seat| Marks::of(&seat.node.meta).is_none_or(|marks| marks.excluded.is_none()))
        .map(|seat| Action { phase: "exclude-new", write: excluded(s, seat.node) })
        .collect();
    if actions.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(Step::Act(actions)) }
}

/// The patch that takes a node out of the load balancers, remembering how it was.
pub(crate) fn excluded(s: &Situation<'_>, node: &Node) -> Write {
    let mut marks = Marks::of_or_new(&node.meta, &s.plan.id);
    let label = node.meta.labels.get(EXCLUDE).cloned();
    let was = marks.excluded.take().map_or(label, |excluded| excluded.was);
    let set = Some("true".to_owned());
    marks.excluded = Some(Changed { was, set: set.clone() });
    patch(Kind::Node, &node.meta, vec![marks.written(), Change::Label(EXCLUDE.to_owned(), set)])
}

fn is_ours(s: &Situation<'_>, tag: Option<&String>) -> bool {
    tag.is_some_and(|tag| **tag == *s.plan.id)
}

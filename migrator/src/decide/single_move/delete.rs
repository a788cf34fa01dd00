//! Step 8, second half: the group that was left is deleted, once the journal says that there is no way back.
//!
//! Going back, it is the group that we created, and nothing is lost with it; one that we adopted stays, and so does the
//! old group where the plan keeps it: empty, tainted and excluded, so that nothing goes there before somebody deletes it.

use std::ops::ControlFlow;

use crate::{
    action::{Action, Outcome, Poll, Step, Write},
    journal::{Course, Event, Status},
    plan::PLAN_TAG,
    situation::{GROUP_POLL, Progress, Situation, wait},
    view::{NodeGroup, NodeGroupStatus},
};

const PHASE: &str = "delete";

/// Whether the deletion has begun by our hand: from then on only its end matters, there is nothing left to move.
pub(crate) fn is_under_way(s: &Situation<'_>) -> bool {
    let ours = s.journal.status == Status::Running { course: Course::Committed } || (s.back && !is_kept(s));
    ours && s.group(s.leaving_group).is_some_and(|group| group.status == NodeGroupStatus::Deleting)
}

/// Whether the group that was left is gone, with what we made for it, or is to stay.
pub(crate) fn done(s: &Situation<'_>) -> Progress {
    if is_kept(s) {
        return ControlFlow::Continue(());
    }
    match s.group(s.leaving_group) {
        Some(group) => deleted(s, group),
        None if s.back => template_deleted(s),
        None => ControlFlow::Continue(()),
    }
}

fn is_kept(s: &Situation<'_>) -> bool {
    if s.back { s.plan.creation.is_none() } else { s.plan.keep_group }
}

fn deleted(s: &Situation<'_>, group: &NodeGroup) -> Progress {
    ControlFlow::Break(match group.status {
        NodeGroupStatus::Deleting => {
            let what = format!("node group {} to be gone", group.name);
            wait(PHASE, what, "Deleting", "gone", Poll::NodeGroups(GROUP_POLL))
        }
        // EKS takes one operation of a group at a time.
        NodeGroupStatus::Creating | NodeGroupStatus::Updating => {
            let what = format!("node group {} to take its deletion", group.name);
            wait(PHASE, what, format!("{:?}", group.status), "Active", Poll::NodeGroups(GROUP_POLL))
        }
        NodeGroupStatus::DeleteFailed => Step::Finished(Outcome::Stopped(format!(
            "the deletion of node group {} failed: {}",
            group.name,
            group.issues.join(", ")
        ))),
        _ if s.back && group.tags.get(PLAN_TAG).is_none_or(|tag| **tag != *s.plan.id) => Step::Finished(
            Outcome::Stopped(format!("node group {} is not of this plan and is not deleted", group.name)),
        ),
        _ if !s.back && s.journal.status == (Status::Running { course: Course::Forward }) => {
            s.journal("commit", |journal| {
                let status = journal.status.clone().on(Event::Committed);
                journal.status = status.expect("a migration that runs forward can commit");
            })
        }
        _ => {
            let write = Write::DeleteNodeGroup { group: group.name.clone() };
            Step::Act(vec![Action { phase: PHASE, write }])
        }
    })
}

fn template_deleted(s: &Situation<'_>) -> Progress {
    let Some(template) = s.plan.creation.as_ref().map(|creation| &creation.launch_template) else {
        return ControlFlow::Continue(());
    };
    let tags = s.cluster.aws.launch_templates.get(&template.name);
    if tags.and_then(|tags| tags.get(PLAN_TAG)).is_none_or(|tag| **tag != *s.plan.id) {
        return ControlFlow::Continue(());
    }
    let write = Write::DeleteLaunchTemplate { name: template.name.clone() };
    ControlFlow::Break(Step::Act(vec![Action { phase: "delete-template", write }]))
}

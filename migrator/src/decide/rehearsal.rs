//! The writes of a plan as far as they can be made up before it begins, to be tried without their effect: the same patches
//! that the steps would write, for the objects that are there now.
//!
//! Not what will be written: a step finds what it finds when it comes to it. What follows from writes before it (admission
//! of nodes that do not exist yet, the restoring of values) is said not to be tried, and why.

use std::sync::Arc;

use jiff::Timestamp;

use super::{begin, lock, single_move};
use crate::{
    action::{Action, Step, Write},
    journal::Journal,
    names, outline,
    plan::Plan,
    situation::{Side, Situation, Workload},
    view::{Bounds, ClusterView, EksTaint, JournalObject, Meta, ObjectName},
};

/// A write that could be tried now.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    /// The step that writes it.
    pub step: &'static str,
    /// The write.
    pub write: Write,
    /// Why it cannot be tried; `None` where it can.
    pub untried: Option<&'static str>,
}

/// What is written before the first step.
const BEGIN: &str = "begin";

/// Steps that write nothing but what follows from the steps before, and why that cannot be tried.
const UNTRIED: [(&str, &str); 2] = [
    ("admit", "the new nodes do not exist yet"),
    ("restore", "what is put back is what the steps before it have noted"),
];

/// Why an AWS write is not tried. Sources: EKS and Auto Scaling APIs have no `DryRun`; EC2's is asked of a template that
/// exists.
const NO_DRY_RUN: &str = "its API has no dry run";

/// The writes, in the order of the steps; and the steps of which none can be tried, with the reason.
pub fn rehearsal(
    plan: &Plan,
    cluster: &ClusterView,
    now: Timestamp,
) -> (Vec<Rehearsed>, Vec<(&'static str, &'static str)>) {
    let mut writes = Vec::new();
    if let std::ops::ControlFlow::Break(step) = lock::held(plan, cluster, now) {
        writes.extend(actions(step).into_iter().map(|action| (BEGIN, action.write)));
    }
    let mut begun = actions(begin(plan, cluster));
    if let Some(Action { write: Write::Journal { data, .. }, .. }) = begun.first() {
        let name = ObjectName { namespace: names::NAMESPACE.into(), name: names::JOURNAL.into() };
        let meta = Meta {
            name,
            uid: "".into(),
            resource_version: 0,
            labels: Arc::default(),
            annotations: std::collections::BTreeMap::new().into(),
            created_at: now,
            deleting: false,
        };
        let object = JournalObject { meta, data: data.clone().into() };
        if let Ok(journal) = Journal::read(&object) {
            let situation = Situation::new(plan, cluster, journal, &object, now);
            writes.extend(begun.drain(..).map(|action| (BEGIN, action.write)));
            of_steps(&situation, &mut writes);
        }
    }
    let steps: Vec<&str> = outline::outline(plan, cluster).iter().map(|one| one.step.name).collect();
    writes.retain(|(step, _)| *step == BEGIN || steps.contains(step));
    writes.sort_by_key(|(step, _)| steps.iter().position(|name| name == step).map_or(0, |at| at + 1));
    let rehearsed = writes.into_iter().map(|(step, write)| {
        let untried = (!write.can_be_tried()).then_some(NO_DRY_RUN);
        Rehearsed { step, write, untried }
    });
    let untried = UNTRIED.into_iter().filter(|(step, _)| steps.contains(step)).collect();
    (rehearsed.collect(), untried)
}

fn actions(step: Step) -> Vec<Action> {
    match step {
        Step::Act(actions) => actions,
        Step::Wait(_) | Step::Finished(_) => Vec::new(),
    }
}

fn of_steps(s: &Situation<'_>, writes: &mut Vec<(&'static str, Write)>) {
    let old = || s.side(Side::Leaving);
    if let Some(group) = s.group(&s.plan.from) {
        let desired = s.scaling_group(group).map_or(group.bounds.desired, |scaling| scaling.bounds.desired);
        let bounds = Bounds { min: desired, max: desired.max(1), desired };
        writes.push(("freeze", Write::UpdateNodeGroupBounds { group: group.name.clone(), bounds }));
        if let Some(scaling) = s.scaling_group(group) {
            let processes = vec![single_move::freeze::REBALANCE.into()];
            writes.push(("freeze", Write::SuspendProcesses { group: scaling.name.clone(), processes }));
        }
    }
    for workload in s.workloads.iter().filter(|workload| workload.leaving().next().is_some()) {
        if let Some(autoscaler) = workload.autoscaler {
            let replicas = workload.deployment.replicas;
            writes.push(("freeze", single_move::freeze::frozen_at(s, autoscaler, replicas)));
        }
    }
    if let Some(creation) = &s.plan.creation {
        writes.push(("new-group", Write::CreateLaunchTemplate(creation.launch_template.clone())));
        writes.push(("new-group", Write::CreateNodeGroup(creation.group.clone())));
    }
    writes.extend(old().map(|seat| ("taint", single_move::taint::tainted(s, seat.node))));
    let ours =
        EksTaint { key: crate::marks::TAINT.into(), value: "true".into(), effect: "NO_SCHEDULE".into() };
    let (group, add) = (s.plan.from.clone(), vec![ours]);
    writes.push(("taint", Write::UpdateNodeGroupTaints { group, add, remove: Vec::new() }));
    let surged =
        |workload: &&Workload<'_>| workload.by_eviction.is_none() && workload.leaving().next().is_some();
    for workload in s.workloads.iter().filter(surged) {
        let more = u32::try_from(workload.leaving().count()).unwrap_or(u32::MAX);
        let write = workload.scaled(s.plan, workload.original().saturating_add(more));
        writes.push(("surge", write));
        let pods = workload.leaving().map(|member| member.pod);
        writes.extend(pods.map(|pod| ("scale-back", single_move::scale_back::cheap(s, pod))));
    }
    if s.instance_targets {
        writes.extend(old().map(|seat| ("exclude", single_move::new_group::excluded(s, seat.node))));
    }
    let evicted = s.workloads.iter().filter(|workload| workload.by_eviction.is_some());
    for member in evicted.flat_map(Workload::leaving).chain(&s.strays) {
        let meta = &member.pod.meta;
        writes.push(("move-rest", Write::Evict { pod: meta.name.clone(), uid: meta.uid.clone() }));
    }
    writes.push(("delete", Write::DeleteNodeGroup { group: s.plan.from.clone() }));
}

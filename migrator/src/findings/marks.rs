//! Findings about other migrations: one that runs, one that did not end, and what one left behind.

use crate::{
    findings::{Code, Report, survey::Survey},
    plan::PLAN_TAG,
    view::{Meta, NodeGroupStatus},
};

/// What every annotation and taint of a migration starts with.
const OURS: &str = "nodeferry.io/";
/// Keys of the journal: which plan wrote it, and where that plan stands (`{"state": …}`).
const PLAN_ID: &str = "plan-id";
const STATUS: &str = "status";
/// States of plans that are over.
const OVER: [&str; 2] = ["finished", "rolled-back"];

pub(super) fn look(survey: &Survey<'_>, report: &mut Report) {
    let cluster = survey.cluster;
    let journal_plan = cluster.journal.as_ref().and_then(|journal| journal.data.get(PLAN_ID));
    let own = survey.expectations.plan.as_deref();
    let continued = own.is_some() && journal_plan.map(String::as_str) == own;

    if let Some(lease) = cluster.lease.as_ref().filter(|lease| !lease.holder.is_empty() && !continued) {
        let reason = format!("{} holds it since its last renewal at {}", lease.holder, lease.renewed_at);
        let fix = "wait for that run, or unlock when it is known to be dead";
        report.add(Code::LockHeld, object("Lease", &lease.meta), reason, fix);
    }
    if let Some(journal) = cluster.journal.as_ref().filter(|_| !continued) {
        // What cannot be read has not ended.
        let state = journal.data.get(STATUS).and_then(|text| member(text, "state"));
        let state = state.unwrap_or_else(|| "in an unknown state".to_owned());
        if !OVER.contains(&&*state) {
            let plan = journal_plan.map_or("of unknown name", String::as_str);
            let reason = format!("plan {plan} is {state}");
            let fix = "finish it or roll it back first";
            report.add(Code::JournalOpen, object("ConfigMap", &journal.meta), reason, fix);
        }
    }

    left_in_account(survey, report);

    let metas = (cluster.nodes.values().map(|it| ("Node", &it.meta)))
        .chain(cluster.deployments.values().map(|it| ("Deployment", &it.meta)))
        .chain(cluster.replica_sets.values().map(|it| ("ReplicaSet", &it.meta)))
        .chain(cluster.stateful_sets.values().map(|it| ("StatefulSet", &it.meta)))
        .chain(cluster.daemon_sets.values().map(|it| ("DaemonSet", &it.meta)))
        .chain(cluster.pods.values().map(|it| ("Pod", &it.meta)))
        .chain(cluster.horizontal_pod_autoscalers.values().map(|it| ("HorizontalPodAutoscaler", &it.meta)));
    for (kind, meta) in metas {
        let left = meta.annotations.iter().find(|(key, value)| key.starts_with(OURS) && !of_plan(value, own));
        if let Some((key, value)) = left {
            let reason = format!("annotation {key} is {value}");
            let fix = "roll the earlier migration back, or restore the object and remove the annotation";
            report.add(Code::MarksLeft, object(kind, meta), reason, fix);
        }
    }
    for node in cluster.nodes.values().filter(|_| !continued) {
        if let Some(taint) = node.taints.iter().find(|taint| taint.key.starts_with(OURS)) {
            let reason = format!("taint {} keeps pods off it", taint.key);
            let fix = "roll the earlier migration back, or remove the taint";
            report.add(Code::MarksLeft, object("Node", &node.meta), reason, fix);
        }
    }
}

/// Groups and launch templates of migrations whose plan is nowhere else. A group that a finished migration made is in use,
/// and its launch template with it.
fn left_in_account(survey: &Survey<'_>, report: &mut Report) {
    let (request, cluster) = (survey.request, survey.cluster);
    let aws = &cluster.aws;
    let journal_plan = cluster.journal.as_ref().and_then(|journal| journal.data.get(PLAN_ID));
    let known = |plan: &str| {
        survey.expectations.plan.as_deref() == Some(plan) || journal_plan.is_some_and(|known| known == plan)
    };
    for (name, tags) in &aws.launch_templates {
        let Some(plan) = tags.get(PLAN_TAG).filter(|plan| !known(plan)) else { continue };
        if !aws.node_groups.values().any(|group| group.tags.get(PLAN_TAG) == Some(plan)) {
            let reason = format!("plan {plan} made it, and no node group of that plan is left");
            let fix = "delete it, if no node group uses it";
            report.add(Code::LeftBehind, format!("LaunchTemplate {name}"), reason, fix);
        }
    }
    for group in aws.node_groups.values().filter(|group| ![&request.from, &request.to].contains(&&group.name))
    {
        let Some(plan) = group.tags.get(PLAN_TAG).filter(|plan| !known(plan)) else { continue };
        let unused = cluster.nodes.values().all(|node| node.node_group.as_ref() != Some(&group.name));
        if group.status != NodeGroupStatus::Active || unused {
            let nodes = if unused { ", without nodes" } else { "" };
            let reason = format!("plan {plan} made it; it is {:?}{nodes}", group.status);
            report.add(
                Code::LeftBehind,
                format!("NodeGroup {}", group.name),
                reason,
                "delete it, if nobody wants it",
            );
        }
    }
}

/// Whether a mark says that it was written by this plan.
fn of_plan(mark: &str, plan: Option<&str>) -> bool {
    plan.is_some() && member(mark, "plan").as_deref() == plan
}

/// A text member of a JSON object.
fn member(json: &str, name: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    value.get(name)?.as_str().map(str::to_owned)
}

fn object(kind: &str, meta: &Meta) -> String {
    let (namespace, name) = (&meta.name.namespace, &meta.name.name);
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

//! Findings about where pods may go: node selectors, volumes' zones, taints, and rules that keep pods apart.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    findings::{
        Code, Report, selector,
        spread::{self, Room},
        survey::{Controller, Survey, Workload},
        workloads,
    },
    view::{DaemonSet, OwnerKind},
};

/// Domains of labels that Kubernetes, EKS or a driver sets by itself.
const SET_BY_OTHERS: [&str; 4] = ["kubernetes.io", "k8s.io", "amazonaws.com", "k8s.aws"];

pub(super) fn look(survey: &Survey<'_>, report: &mut Report) {
    for workload in &survey.workloads {
        let admitted = survey.places.iter().any(|place| place.admits(workload.spec()));
        if admitted {
            volume_zones(survey, report, workload);
            apart(survey, report, workload);
        } else {
            nowhere(survey, report, workload);
        }
        comes_back(survey, report, workload);
    }
    for workload in survey.workloads_bound_for_old_nodes() {
        nowhere(survey, report, &workload);
    }
    labels_not_cloned(survey, report);
    for set in survey.cluster.daemon_sets.values() {
        daemon_set(survey, report, set);
    }
}

/// No place admits the workload: says which requirement a new node does not meet.
fn nowhere(survey: &Survey<'_>, report: &mut Report, workload: &Workload<'_>) {
    let spec = workload.spec();
    let Some(place) = survey.places.iter().find(|place| place.new) else {
        let reason = format!("{} has no Ready node that takes pods", survey.request.to);
        report.add(Code::NoMatchingNode, workload.object.clone(), reason, "give the new group nodes");
        return;
    };
    let unmet = selector::unmet(&spec.kubernetes, &place.labels, None);
    let (reason, fix) = match unmet {
        Some(unmet) => {
            let key = unmet.split([' ', '=']).next().unwrap_or_default();
            let by_hand = survey.old_nodes.values().any(|node| node.meta.labels.contains_key(key))
                && survey.old_group.is_some_and(|group| !group.labels.contains_key(key))
                && !set_by_others(key);
            let hint = if by_hand {
                "; the old nodes' label is not in their node group's configuration"
            } else {
                ""
            };
            let reason = format!("it requires {unmet}, which no new node is sure to meet{hint}");
            (reason, "add the label to the node group's configuration, or relax the workload's node selector")
        }
        None => {
            let taints: Vec<&str> = place.taints.iter().map(|taint| &*taint.key).collect();
            let reason = format!("it does not tolerate the new nodes' taints ({})", taints.join(", "));
            (reason, "add the toleration, or leave the taint off the new group")
        }
    };
    report.add(Code::NoMatchingNode, workload.object.clone(), reason, fix);
}

fn volume_zones(survey: &Survey<'_>, report: &mut Report, workload: &Workload<'_>) {
    for claim in workloads::claims(survey, workload).iter().filter(|claim| !claim.zones.is_empty()) {
        let reached = survey.places.iter().any(|place| {
            place.admits(workload.spec())
                && place.zone.as_ref().is_some_and(|zone| claim.zones.contains(zone))
        });
        if !reached {
            let zones = claim.zones.iter().map(|zone| &**zone).collect::<Vec<_>>().join(" or ");
            let name = &claim.meta.name.name;
            let reason = format!("the volume of claim {name} is in {zones}, where no new node is sure to be");
            let fix = "add a subnet of that zone and at least as many nodes as zones";
            report.add(Code::VolumeZone, workload.object.clone(), reason, fix);
        }
    }
}

/// Rules that keep a workload's pods apart from each other.
fn apart(survey: &Survey<'_>, report: &mut Report, workload: &Workload<'_>) {
    let mut judge = |code: Code, rooms: Vec<Room>, fix: &str| {
        for room in rooms.iter().filter(|room| room.is_too_little()) {
            let reason = format!("{} leaves room for {} of {} new pods", room.rule, room.placed, room.wanted);
            report.add(code, workload.object.clone(), reason, fix);
        }
    };
    let fix = "ask for more nodes or zones, or make the rule a preference for the time of the migration";
    judge(Code::AntiAffinity, spread::anti_affinity(survey, workload), fix);
    let fix = "set nodeTaintsPolicy to Honor, raise maxSkew, or ask for more nodes";
    judge(Code::Spread, spread::topology_spread(survey, workload), fix);
    let ports = spread::host_ports(survey, workload).into_iter().collect();
    judge(Code::HostPort, ports, "ask for at least as many nodes as it has pods");
}

/// Old nodes are kept free by a taint alone; a toleration without a key ignores it.
fn comes_back(survey: &Survey<'_>, report: &mut Report, workload: &Workload<'_>) {
    let recreated = !matches!(workload.controller, Controller::Nobody);
    if !recreated || !selector::tolerates_anything(&workload.spec().tolerations) {
        return;
    }
    let code = match (workload.surged(), survey.is_zonal(workload)) {
        (false, _) => Code::ComesBack,
        (true, true) => Code::NotSteered,
        (true, false) => Code::MayLandOnOldNode,
    };
    let what = if code == Code::NotSteered { "cordons and the taint" } else { "the taint" };
    let reason = format!("it has a toleration without a key, which ignores {what} of the old nodes");
    report.add(code, workload.object.clone(), reason, "name the taints that it tolerates");
}

fn set_by_others(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    SET_BY_OTHERS.iter().any(|it| domain == *it || domain.ends_with(&format!(".{it}")))
}

fn labels_not_cloned(survey: &Survey<'_>, report: &mut Report) {
    let Some(group) = survey.old_group else { return };
    let missing: BTreeSet<&str> = survey
        .old_nodes
        .values()
        .flat_map(|node| node.meta.labels.keys())
        .filter(|key| !group.labels.contains_key(*key) && !set_by_others(key))
        .filter(|key| !survey.places.iter().any(|place| place.new && place.labels.contains_key(*key)))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return;
    }
    let needing: Vec<&str> = survey
        .workloads
        .iter()
        .filter(|workload| missing.iter().any(|key| mentions(workload, key)))
        .map(|workload| workload.object.as_str())
        .collect();
    let keys = missing.into_iter().collect::<Vec<_>>().join(", ");
    let needed = if needing.is_empty() {
        "no workload names it".to_owned()
    } else {
        format!("named by {}", needing.join(", "))
    };
    let reason = format!("{keys}: {needed}");
    let fix = "add what is needed to the node group's labels";
    report.add(Code::LabelsNotCloned, format!("NodeGroup {}", group.name), reason, fix);
}

fn mentions(workload: &Workload<'_>, key: &str) -> bool {
    let spec = &workload.spec().kubernetes;
    let selected = spec.node_selector.as_ref().is_some_and(|selector| selector.contains_key(key));
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
    let terms = required.map(|it| it.node_selector_terms.as_slice()).unwrap_or_default();
    selected
        || terms
            .iter()
            .any(|term| term.match_expressions.iter().flatten().any(|requirement| requirement.key == key))
}

/// A DaemonSet that runs on old nodes and on no new one.
fn daemon_set(survey: &Survey<'_>, report: &mut Report, set: &Arc<DaemonSet>) {
    let namespace = &set.meta.name.namespace;
    let old = survey.cluster.pods.values().filter(|pod| {
        let owner = pod.owner.as_ref();
        survey.on_old_node(pod)
            && pod.meta.name.namespace == *namespace
            && owner.is_some_and(|it| it.kind == OwnerKind::DaemonSet && it.name == set.meta.name.name)
    });
    let old = old.count();
    let mut new = survey.places.iter().filter(|place| place.new).peekable();
    if old == 0 || new.peek().is_none() || new.any(|place| place.admits(&set.template)) {
        return;
    }
    let serves = survey
        .services_of(namespace, &set.template_labels)
        .any(|service| survey.target_groups_of(service).any(|group| survey.reaches_old_nodes(group)));
    let code = if serves { Code::ServingDaemonSetStaysBehind } else { Code::DaemonSetStaysBehind };
    let object = format!("DaemonSet {namespace}/{}", set.meta.name.name);
    let reason =
        format!("it has {old} pods on old nodes, and its node selector and tolerations fit no new node");
    report.add(code, object, reason, "add the labels that it selects to the new group");
}

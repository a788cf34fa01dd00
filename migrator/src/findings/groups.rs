//! Findings about node groups and nodes: what EKS refuses, and who else moves instances.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    findings::{Code, Report, survey::Survey},
    view::{Node, NodeGroup, NodeGroupStatus},
};

/// Nodes per group and groups per cluster unless raised. Source: EKS User Guide, "Service quotas".
const NODES_PER_GROUP: u32 = 450;
const GROUPS_PER_CLUSTER: usize = 30;

pub(super) fn look(survey: &Survey<'_>, report: &mut Report) {
    let (request, cluster) = (survey.request, survey.cluster);
    for name in [Some(&request.from), request.adopt.then_some(&request.to)].into_iter().flatten() {
        if let Some(group) = cluster.aws.node_groups.get(name) {
            group_in_use(survey, report, group);
        }
    }
    if let Some(old_group) = survey.old_group.filter(|_| !request.adopt) {
        new_group(survey, report, old_group);
    }
    nodes(survey, report);
    let autoscaler = |name: &str| name.contains("cluster-autoscaler");
    let found = cluster.deployments.values().any(|deployment| {
        autoscaler(&deployment.meta.name.name)
            || deployment.template_labels.values().any(|value| autoscaler(value))
    });
    if !found {
        let reason =
            format!("none of {} Deployments is called cluster-autoscaler", cluster.deployments.len());
        let fix = "nothing, unless one runs under another name or outside the cluster";
        report.add(Code::AutoscalerNotFound, "Cluster", reason, fix);
    }
}

/// A group that exists and takes part.
fn group_in_use(survey: &Survey<'_>, report: &mut Report, group: &NodeGroup) {
    let object = format!("NodeGroup {}", group.name);
    if group.status != NodeGroupStatus::Active {
        let issues = if group.issues.is_empty() { "no issues".to_owned() } else { group.issues.join(", ") };
        let reason = format!("its status is {:?}, with {issues}", group.status);
        let fix = "wait until the group is active, or repair what its issues name";
        report.add(Code::GroupNotActive, object.clone(), reason, fix);
    }
    if *group.capacity_type == *"SPOT" {
        let reason = "its capacity type is SPOT, with capacity rebalancing".to_owned();
        let fix = "nothing, if interruptions are acceptable; otherwise move to an on-demand group first";
        report.add(Code::GroupIsSpot, object.clone(), reason, fix);
    }
    if group.repair {
        let reason = "node auto repair is enabled for it".to_owned();
        let fix = "turn node auto repair off for the time of the migration";
        report.add(Code::GroupRepairs, object.clone(), reason, fix);
    }
    let scaling_group = group.auto_scaling_group.as_ref();
    if scaling_group.is_none_or(|name| !survey.cluster.aws.auto_scaling_groups.contains_key(name)) {
        let reason = match scaling_group {
            Some(name) => format!("its Auto Scaling group {name} was not found"),
            None => "EKS names no Auto Scaling group for it".to_owned(),
        };
        let fix = "see that the caller may describe Auto Scaling groups";
        report.add(Code::ScalingGroupUnknown, object, reason, fix);
    }
}

/// A group that is to be created in the image of the old one.
fn new_group(survey: &Survey<'_>, report: &mut Report, old_group: &NodeGroup) {
    let (request, aws) = (survey.request, &survey.cluster.aws);
    let object = format!("NodeGroup {}", request.to);
    if *old_group.ami_type == *"CUSTOM" && request.ami_type.is_none() {
        let reason = format!("{} has the AMI type CUSTOM, and no other type was asked for", request.from);
        let fix = "name an AMI type, or create the group yourself and adopt it";
        report.add(Code::CustomImage, object.clone(), reason, fix);
    }
    let groups = aws.node_groups.len() + 1;
    let most = survey.new_bounds().map_or(0, |bounds| bounds.max);
    if most > NODES_PER_GROUP || groups > GROUPS_PER_CLUSTER {
        let reason = format!("{most} nodes in the new group and {groups} groups in the cluster");
        let fix = "ask AWS to raise the quotas";
        report.add(Code::GroupQuota, object.clone(), reason, fix);
    }
    if old_group.version != aws.cluster_version {
        let reason =
            format!("{} runs {}, the cluster {}", request.from, old_group.version, aws.cluster_version);
        let fix = "nothing, if the workloads are known to run on that version";
        report.add(Code::VersionChanges, object.clone(), reason, fix);
    }
    let before = survey.old_nodes.values().find_map(|node| node.meta.labels.get("kubernetes.io/arch"));
    if let (Some(before), Some(after)) = (before, survey.new_architecture())
        && *before != after
    {
        let reason = format!("old nodes are {before}, new ones {after}");
        let fix = "see that every image is built for both architectures";
        report.add(Code::ArchitectureChanges, object.clone(), reason, fix);
    }
    addresses(survey, report, old_group, object);
}

/// Every node takes an address, and every pod that is moved another.
fn addresses(survey: &Survey<'_>, report: &mut Report, old_group: &NodeGroup, object: String) {
    let subnets: BTreeSet<&Arc<str>> = match survey.request.subnets.as_slice() {
        [] => old_group.subnets.iter().collect(),
        asked => asked.iter().collect(),
    };
    let known: Vec<u64> = subnets
        .iter()
        .filter_map(|subnet| survey.cluster.aws.subnets.get(*subnet))
        .map(|subnet| subnet.available_addresses)
        .collect();
    let free: u64 = known.iter().sum();
    let pods: usize = survey.workloads.iter().map(|workload| workload.old_pods.len()).sum();
    let needed = u64::from(survey.new_nodes) + u64::try_from(pods).unwrap_or(u64::MAX);
    if !known.is_empty() && free < needed {
        let reason =
            format!("its subnets have {free} free addresses for {} nodes and {pods} pods", survey.new_nodes);
        let fix = "add a subnet, or free addresses";
        report.add(Code::AddressesScarce, object, reason, fix);
    }
}

fn nodes(survey: &Survey<'_>, report: &mut Report) {
    let outside: Vec<&Node> =
        survey.cluster.nodes.values().map(|node| &**node).filter(|node| node.node_group.is_none()).collect();
    let pools = survey.cluster.other_kinds.get("karpenter.sh/NodePool").copied().unwrap_or(0);
    if !outside.is_empty() || pools > 0 {
        let reason =
            format!("{} nodes belong to no managed group; {pools} Karpenter node pools", outside.len());
        let fix = "nothing, if pods may move there";
        report.add(Code::OtherNodes, "Cluster", reason, fix);
    }
    for node in survey.old_nodes.values().filter(|node| !node.ready) {
        let name = &node.meta.name.name;
        let here =
            |pods: &[&crate::view::Pod]| pods.iter().filter(|pod| pod.node.as_ref() == Some(name)).count();
        let pods: usize = survey.workloads.iter().map(|workload| here(&workload.old_pods)).sum();
        if pods > 0 {
            let reason = format!("it is not Ready and holds {pods} workload pods");
            let fix = "repair or replace the node before the migration";
            report.add(Code::OldNodeNotReady, format!("Node {name}"), reason, fix);
        }
    }
}

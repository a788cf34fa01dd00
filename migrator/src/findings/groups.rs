//! Findings about node groups and nodes: what EKS refuses, and who else moves instances.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    findings::{Code, Report, survey::Survey},
    view::{Node, NodeGroup, NodeGroupStatus},
};

/// Nodes per group and groups per cluster unless raised. Source: EKS User Guide, "Service quotas".
const NODES_PER_GROUP: u32 = 450;
const GROUPS_PER_CLUSTER: usize = 30;

/// Kubernetes version whose recorded answers the models are compared with, and whose API types are read.
const CHECKED_VERSION: &str = "1.36";

pub(super) fn look(survey: &Survey<'_>, report: &mut Report) {
    let (request, cluster) = (survey.request, survey.cluster);
    for name in [Some(&request.from), request.adopt.then_some(&request.to)].into_iter().flatten() {
        if let Some(group) = cluster.aws.node_groups.get(name) {
            group_in_use(survey, report, group);
            instances(survey, report, group);
            role(survey, report, group);
        }
    }
    if let Some(old_group) = survey.old_group.filter(|_| !request.adopt) {
        new_group(survey, report, old_group);
    }
    nodes(survey, report);
    let version = &survey.cluster.aws.cluster_version;
    if !version.is_empty() && **version != *CHECKED_VERSION {
        let reason = format!("it runs {version}; recorded answers are of {CHECKED_VERSION}");
        report.add(
            Code::VersionNotTried,
            "Cluster",
            reason,
            "try the migration on a staging cluster of that version",
        );
    }
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

/// Whether the nodes that Kubernetes shows are the instances that AWS shows.
fn instances(survey: &Survey<'_>, report: &mut Report, group: &NodeGroup) {
    let aws = &survey.cluster.aws;
    let scaling_group = group.auto_scaling_group.as_ref().and_then(|name| aws.auto_scaling_groups.get(name));
    // One that is not known is a finding of its own.
    let Some(scaling_group) = scaling_group else { return };
    let here = |node: &Node| {
        let instance = node.provider_id.as_deref().and_then(|id| id.rsplit('/').next());
        instance.is_some_and(|instance| scaling_group.instances.iter().any(|(id, ..)| **id == *instance))
    };
    // A node may outlive its instance, but then it is not Ready for long.
    let all = survey.cluster.nodes.values().map(|node| &**node);
    let of_group = all.filter(|node| node.node_group.as_ref() == Some(&group.name));
    let nodes: Vec<&Node> = of_group.filter(|node| node.ready && node.provider_id.is_some()).collect();
    let strangers: Vec<&Node> = nodes.iter().copied().filter(|node| !here(node)).collect();
    if let (Some(first), true) = (strangers.first(), strangers.len() == nodes.len()) {
        let reason = format!(
            "none of its {} Ready nodes, {} among them, is one of {} instances of {}",
            nodes.len(),
            first.meta.name.name,
            scaling_group.instances.len(),
            scaling_group.name
        );
        let fix = "name the account, region and EKS cluster that the nodes belong to (--profile, --region, --cluster-name)";
        report.add(Code::NodesElsewhere, format!("NodeGroup {}", group.name), reason, fix);
        return;
    }
    for node in strangers {
        let id = node.provider_id.as_deref().unwrap_or("unknown");
        let reason = format!("its instance ({id}) is not one of {}", scaling_group.name);
        let fix = "attach the instance again, or terminate it when its pods have been moved";
        report.add(Code::NodeOutsideScalingGroup, format!("Node {}", node.meta.name.name), reason, fix);
    }
}

/// Whether nodes with the group's role are let into the cluster, by whichever of two lists EKS reads. What may not be read
/// may well be there.
fn role(survey: &Survey<'_>, report: &mut Report, group: &NodeGroup) {
    let (cluster, aws) = (survey.cluster, &survey.cluster.aws);
    let in_config_map = || Some(names_role(cluster.mapped_roles.as_deref()?, &group.node_role));
    let in_entries = || Some(aws.access_entries.as_ref()?.contains(&group.node_role));
    let (looked, mapped) = match &*aws.authentication {
        "CONFIG_MAP" => ("aws-auth", in_config_map()),
        "API" => ("the access entries", in_entries()),
        "API_AND_CONFIG_MAP" => {
            let both = [in_config_map(), in_entries()];
            let mapped = if both.contains(&Some(true)) { Some(true) } else { both[0].and(both[1]) };
            ("aws-auth and the access entries", mapped)
        }
        _ => return,
    };
    if mapped == Some(false) {
        let reason = format!("its role {} is missing from {looked}", group.node_role);
        let fix = "add the role where aws-auth or the access entries are kept";
        report.add(Code::RoleNotMapped, format!("NodeGroup {}", group.name), reason, fix);
    }
}

/// Whether `mapRoles`, YAML or JSON, names a role: there without the path that the role may have.
/// Source: EKS User Guide, "Create access entries".
fn names_role(map_roles: &str, role: &str) -> bool {
    let pathless = match (role.split_once(":role/"), role.rsplit_once('/')) {
        (Some((account, _)), Some((_, name))) => format!("{account}:role/{name}"),
        _ => role.to_owned(),
    };
    // What else a role's name may go on with. Source: IAM API, `CreateRole`, RoleName.
    let goes_on = |letter: char| letter.is_ascii_alphanumeric() || "+=,.@_-/".contains(letter);
    map_roles.match_indices(&pathless).any(|(at, found)| {
        let next = map_roles[at + found.len()..].chars().next();
        !next.is_some_and(goes_on)
    })
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
